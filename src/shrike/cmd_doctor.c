// SPDX-License-Identifier: Apache-2.0
/* shrike doctor - what this machine offers, and which ways in work here. */
#include <json-c/json.h>
#include <stdarg.h>

#include "control/control.h"
#include "shrike/commands.h"
#include "shrike/doctor.h"

struct way {
	const char *name, *what;
	bool ok;
	char text[320];
};

void shk_doctor_add(struct shk_report *r, const char *group, const char *name,
		    enum shk_answer answer, const char *fmt, ...)
{
	struct shk_finding *f;
	va_list ap;

	if (r->n == SHK_FINDINGS_MAX)
		return;
	f = &r->f[r->n++];
	f->group = group;
	f->name = name;
	f->answer = answer;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static void add_daemon(struct shk_report *r, const struct shk_cli *c)
{
	SHK_CLEANUP(shk_client_freep) struct shk_client *client = NULL;
	struct json_object *request = shk_cli_request("status"), *answer = NULL;
	struct shk_err err = { 0 };
	int rc = request ? shk_client_connect(c->socket, &client, &err) : -1;

	if (rc == 0)
		rc = shk_client_call(client, request, NULL, 0, NULL, NULL, 3000, &answer, &err);
	json_object_put(request);
	if (rc == 0)
		shk_doctor_add(r, "daemon", "shriked", SHK_YES, "running, version " SHK_STR_FMT,
			       SHK_STR_ARG(shk_json_str(answer, "version")));
	else
		shk_doctor_add(r, "daemon", "shriked", SHK_NO, "%s", err.text);
	json_object_put(answer);
}

/* The one that passes filter flags on is the better choice. */
static const struct shk_runtime_facts *runtime_with(const struct shk_report *r, bool engine,
						    bool notify)
{
	const struct shk_runtime_facts *best = NULL;

	for (size_t i = 0; i < r->n_runtimes; i++) {
		const struct shk_runtime_facts *f = &r->runtime[i];

		if (f->present && f->engine == engine && (f->notify || !notify) &&
		    (!best || (f->flags && !best->flags)))
			best = f;
	}
	return best;
}

static void way_a(const struct shk_report *r, struct way *w)
{
	const struct shk_runtime_facts *rt = runtime_with(r, false, false);
	const char *no = NULL;

	if (!r->notify)
		no = r->why_no_notify;
	else if (!r->ptrace)
		no = "ptrace is refused (see ptrace scope)";
	else if (!r->getfd)
		no = "pidfd_getfd is refused";
	else if (!rt)
		no = "neither runc nor crun was found";
	w->ok = !no;
	if (no)
		snprintf(w->text, sizeof(w->text), "%s", no);
	else
		snprintf(w->text, sizeof(w->text), "filter put in by ptrace, with %s%s",
			 r->runtime[0].present && r->runtime[1].present ? "runc and crun" : rt->name,
			 r->caps ? "" : "; the supervisor needs CAP_SYS_PTRACE and CAP_SYS_ADMIN, "
					"which this caller lacks");
}

static void way_b(const struct shk_report *r, struct way *w)
{
	const struct shk_runtime_facts *rt = runtime_with(r, false, true);

	w->ok = r->notify && rt;
	if (w->ok)
		snprintf(w->text, sizeof(w->text), "with %s %s%s", rt->name, rt->version,
			 rt->flags ? "" : ", which passes no filter flags: a signal restarts a call being judged");
	else
		snprintf(w->text, sizeof(w->text), "%s",
			 !r->notify ? r->why_no_notify : "no runtime here takes SCMP_ACT_NOTIFY");
}

static void way_c(const struct shk_report *r, struct way *w)
{
	const struct shk_runtime_facts *rt = runtime_with(r, false, true);
	const struct shk_runtime_facts *engine = runtime_with(r, true, true);

	w->ok = r->notify && rt;
	if (w->ok && engine)
		snprintf(w->text, sizeof(w->text), "with %s %s and %s", engine->name, engine->version,
			 rt->name);
	else if (w->ok)
		snprintf(w->text, sizeof(w->text),
			 "with %s and a profile in config.json; no engine here takes listenerPath",
			 rt->name);
	else
		snprintf(w->text, sizeof(w->text), "%s",
			 !r->notify ? r->why_no_notify : "no runtime here takes SCMP_ACT_NOTIFY");
}

static void way_d(const struct shk_report *r, struct way *w)
{
	const char *no = !r->notify ? r->why_no_notify :
			 !r->ptrace ? "ptrace is refused (see ptrace scope)" :
			 !r->getfd  ? "pidfd_getfd is refused" : NULL;

	w->ok = !no;
	snprintf(w->text, sizeof(w->text), "%s%s", no ? no : "filter put into every task of a running container by ptrace",
		 no || r->caps ? "" : "; the supervisor needs CAP_SYS_PTRACE and CAP_SYS_ADMIN, which this caller lacks");
}

static void print_mark(const struct shk_cli *c, enum shk_answer a)
{
	static const char *const word[] = { "no ", "yes", " - " };
	static const enum shk_cli_colour colour[] = { SHK_C_RED, SHK_C_GREEN, SHK_C_DIM };

	printf("%s%s%s", shk_cli_on(c, colour[a]), word[a], shk_cli_off(c));
}

static void print_line(const struct shk_cli *c, enum shk_answer a, const char *name,
		       const char *text)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	shk_buf_init(&b, 4096);
	shk_cli_clean(&b, shk_str(text));
	fputs("  ", stdout);
	print_mark(c, a);
	printf("  %-22s %s\n", name, b.n ? b.p : "");
}

static void print_text(const struct shk_cli *c, const struct shk_report *r, const struct way *w,
		       size_t n)
{
	static const char *const groups[] = { "kernel", "limits", "caller", "daemon" };

	for (size_t g = 0; g < SHK_ARRAY_SIZE(groups); g++) {
		printf("%s%s%s\n", shk_cli_on(c, SHK_C_BOLD), groups[g], shk_cli_off(c));
		for (size_t i = 0; i < r->n; i++)
			if (strcmp(r->f[i].group, groups[g]) == 0)
				print_line(c, r->f[i].answer, r->f[i].name, r->f[i].text);
	}
	printf("%sruntimes and engines%s\n", shk_cli_on(c, SHK_C_BOLD), shk_cli_off(c));
	for (size_t i = 0; i < r->n_runtimes; i++) {
		const struct shk_runtime_facts *f = &r->runtime[i];
		char text[800];

		if (f->present)
			snprintf(text, sizeof(text), "%s, %s: seccomp notify %s%s; %s", f->version, f->path,
				 f->notify ? "yes" : "no",
				 f->engine ? "" : f->flags ? ", filter flags yes" : ", filter flags no",
				 f->text);
		else
			snprintf(text, sizeof(text), "%s", *f->text ? f->text : "not found");
		print_line(c, f->present ? SHK_YES : SHK_FACT, f->name, text);
	}
	printf("%sways in%s\n", shk_cli_on(c, SHK_C_BOLD), shk_cli_off(c));
	for (size_t i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s: %s", w[i].name, w[i].what);
		print_line(c, w[i].ok ? SHK_YES : SHK_NO, name, w[i].text);
	}
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void print_json(const struct shk_report *r, const struct way *w, size_t n)
{
	struct json_object *o = json_object_new_object(), *checks = json_object_new_array(),
			   *runtimes = json_object_new_array(), *ways = json_object_new_array();

	for (size_t i = 0; i < r->n; i++) {
		struct json_object *f = json_object_new_object();

		add_text(f, "group", r->f[i].group);
		add_text(f, "name", r->f[i].name);
		/* null: a fact that is neither good nor bad */
		json_object_object_add(f, "ok", r->f[i].answer == SHK_FACT ?
							NULL :
							json_object_new_boolean(r->f[i].answer == SHK_YES));
		add_text(f, "text", r->f[i].text);
		json_object_array_add(checks, f);
	}
	for (size_t i = 0; i < r->n_runtimes; i++) {
		const struct shk_runtime_facts *rt = &r->runtime[i];
		struct json_object *f = json_object_new_object();

		add_text(f, "name", rt->name);
		json_object_object_add(f, "present", json_object_new_boolean(rt->present));
		add_text(f, "path", rt->path);
		add_text(f, "version", rt->version);
		json_object_object_add(f, "notify", json_object_new_boolean(rt->notify));
		json_object_object_add(f, "filter_flags", json_object_new_boolean(rt->flags));
		json_object_array_add(runtimes, f);
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *f = json_object_new_object();

		add_text(f, "way", w[i].name);
		json_object_object_add(f, "ok", json_object_new_boolean(w[i].ok));
		add_text(f, "text", w[i].text);
		json_object_array_add(ways, f);
	}
	json_object_object_add(o, "checks", checks);
	json_object_object_add(o, "runtimes", runtimes);
	json_object_object_add(o, "ways", ways);
	shk_cli_json(o);
	json_object_put(o);
}

static int run(struct shk_cli *c)
{
	struct way w[] = { { .name = "A", .what = "OCI hook" },
			   { .name = "B", .what = "runtime wrapper" },
			   { .name = "C", .what = "seccomp profile" },
			   { .name = "D", .what = "shrike attach" } };
	struct shk_report *r = calloc(1, sizeof(*r));
	bool any;

	if (!r)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	shk_doctor_system(r);
	shk_doctor_seccomp(r);
	shk_doctor_runtimes(r);
	add_daemon(r, c);
	way_a(r, &w[0]);
	way_b(r, &w[1]);
	way_c(r, &w[2]);
	way_d(r, &w[3]);
	if (shk_cli_flag(c, "json"))
		print_json(r, w, SHK_ARRAY_SIZE(w));
	else
		print_text(c, r, w, SHK_ARRAY_SIZE(w));
	any = w[0].ok || w[1].ok || w[2].ok || w[3].ok;
	free(r);
	return any ? SHK_EXIT_OK : SHK_EXIT_FINDING;
}

const struct shk_cli_cmd shk_cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Show what this machine offers and which ways in work here",
	.detail = "\nEvery answer comes from trying it, in a child process that leaves nothing behind.\n"
		  "Run it as the user shriked runs as: capabilities decide what works.",
	.opt = { SHK_OPT_JSON },
	.exits = "  0 at least one way in works   1 none does\n"
		 "  2 wrong usage                 4 other failure",
	.example = "  sudo shrike doctor\n  shrike doctor --json | jq '.ways[] | select(.ok)'",
	.run = run,
};
