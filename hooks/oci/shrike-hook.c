// SPDX-License-Identifier: Apache-2.0
/*
 * shrike-hook - OCI hook: registers a container that is being created, or takes it off the list.
 *
 * The work is done by the supervisor (docs/CONTROL.md); this program hands it what only a hook
 * knows, pinned by descriptors, and turns the answer into the exit status a runtime understands.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "ask.h"
#include "oci.h"

#define PROGRAM "shrike-hook"

#define TIMEOUT_S	   10
#define TIMEOUT_POSTSTOP_S 2 /* a stopped container's end must not wait for an absent supervisor */
#define TIMEOUT_MAX_S	   3600

struct options {
	const char *socket, *stage;
	int timeout_s; /* 0: not given */
	bool observe;  /* --on-absent=observe */
};

static int fail(int code, const char *text)
{
	shk_oci_say(PROGRAM, text);
	return code;
}

static int usage(const char *text)
{
	struct shk_err err;

	shk_err_set(&err, EINVAL, "%s; usage: " PROGRAM " [--socket PATH] [--timeout SECONDS] "
		    "[--on-absent refuse|observe] prestart|createRuntime|poststop|auto", text);
	return fail(SHK_EXIT_USAGE, err.text);
}

/* 0, or the exit code + 1000 (help and version end well). */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "socket", required_argument, NULL, 's' },
					       { "timeout", required_argument, NULL, 't' },
					       { "on-absent", required_argument, NULL, 'a' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	static const char *const stages[] = { "prestart", "createRuntime", "poststop", "auto" };
	uint64_t v;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 't':
			if (!shk_str_to_u64(shk_str(optarg), &v) || v < 1 || v > TIMEOUT_MAX_S)
				return 1000 + usage("--timeout takes 1 to 3600 seconds");
			o->timeout_s = (int)v;
			break;
		case 'a':
			if (strcmp(optarg, "observe") != 0 && strcmp(optarg, "refuse") != 0)
				return 1000 + usage("--on-absent takes refuse or observe");
			o->observe = optarg[0] == 'o';
			break;
		case 'h':
			printf("Usage: " PROGRAM " [--socket PATH] [--timeout SECONDS] "
			       "[--on-absent refuse|observe]\n"
			       "                   prestart|createRuntime|poststop|auto\n"
			       "OCI hook of shrike; the container's state comes on standard input. "
			       "See shrike-hook(8).\n");
			return 1000;
		case 'V':
			printf(PROGRAM " " PACKAGE_VERSION "\n");
			return 1000;
		default:
			return 1000 + usage("unknown option, or an option without its value");
		}
	}
	if (argc - optind > 1)
		return 1000 + usage("more than one stage given");
	o->stage = optind < argc ? argv[optind] : "auto";
	for (size_t i = 0; i < SHK_ARRAY_SIZE(stages); i++)
		if (strcmp(stages[i], o->stage) == 0)
			return 0;
	return 1000 + usage("unknown stage");
}

/* prestart and createRuntime are told apart by nobody but the configuration; the state says only whether the
 * container begins or has ended. */
static const char *stage_of(const struct shk_oci_state *s)
{
	if (shk_str_eqz(s->status, "stopped"))
		return "poststop";
	if (shk_str_eqz(s->status, "creating") || shk_str_eqz(s->status, "created"))
		return "prestart";
	return NULL;
}

static void add_str(struct json_object *o, const char *key, struct shk_str s)
{
	json_object_object_add(o, key, json_object_new_string_len(s.p ? s.p : "", (int)s.n));
}

static struct json_object *request_of(const char *op, const char *stage,
				      const struct shk_oci_state *s)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	add_str(o, "op", shk_str(op));
	add_str(o, "stage", shk_str(stage));
	add_str(o, "id", s->id);
	json_object_object_add(o, "pid", json_object_new_int(s->pid));
	add_str(o, "bundle", s->bundle);
	add_str(o, "oci_version", s->version);
	add_str(o, "status", s->status);
	return o;
}

static struct json_object *runtime_of(pid_t pid)
{
	struct json_object *o = json_object_new_object();
	char path[64], exe[4096];
	struct shk_buf comm;
	ssize_t n;

	if (!o)
		return NULL;
	json_object_object_add(o, "pid", json_object_new_int(pid));
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe));
	/* crun runs from a detached copy of itself, whose path is "/". */
	if (n > 1 && n < (ssize_t)sizeof(exe)) {
		add_str(o, "exe", (struct shk_str){ exe, (size_t)n });
		return o;
	}
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	shk_buf_init(&comm, 64);
	if (shk_read_file(path, &comm, NULL) == 0 && comm.n > 1)
		add_str(o, "exe", (struct shk_str){ comm.p, comm.n - 1 });
	shk_buf_done(&comm);
	return o;
}

/* Everything of a register request. Returns 0 or an exit code with the reason in err. */
static int gather(const struct shk_oci_state *s, const char *stage, int fds[2],
		  struct json_object **ret, struct shk_err *err)
{
	_cleanup_free_ char *path = NULL, *rootfs = NULL;
	struct json_object *config = NULL, *o;

	if (s->pid <= 1 || !s->bundle.n) {
		shk_err_set(err, EBADMSG, "container state has no \"pid\" or no \"bundle\" at stage %s; "
			    "configure this hook as prestart or createRuntime", stage);
		return SHK_EXIT_INPUT;
	}
	if (asprintf(&path, SHK_STR_FMT "/config.json", SHK_STR_ARG(s->bundle)) < 0)
		return shk_err_set(err, ENOMEM, "out of memory"), SHK_EXIT_SYSTEM;
	if (shk_oci_config_read(path, &config, err) < 0)
		return SHK_EXIT_INPUT;
	if (shk_oci_rootfs(s->bundle, config, &rootfs, err) < 0) {
		json_object_put(config);
		return SHK_EXIT_INPUT;
	}
	o = request_of("register", stage, s);
	if (o) {
		add_str(o, "rootfs", shk_str(rootfs));
		json_object_object_add(o, "annotations", shk_oci_annotations(config, s->json));
		json_object_object_add(o, "config", shk_oci_facts(s->bundle, s->id, config, NULL));
		json_object_object_add(o, "runtime", runtime_of(getppid()));
	}
	json_object_put(config);
	*ret = o;
	if (!o)
		return shk_err_set(err, ENOMEM, "out of memory"), SHK_EXIT_SYSTEM;
	fds[0] = shk_pidfd_open(s->pid, 0);
	if (fds[0] < 0) {
		shk_err_sys(err, -fds[0], "the container's process %d", (int)s->pid);
		return SHK_EXIT_INPUT;
	}
	fds[1] = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds[1] < 0) {
		shk_err_sys(err, errno, "the container's root directory %s", rootfs);
		return SHK_EXIT_INPUT;
	}
	return 0;
}

static int report(const struct options *o, const char *stage, int r, bool absent,
		  struct json_object *answer, struct shk_err *err)
{
	struct shk_str warning = shk_json_str(answer, "warning");

	if (r < 0 && absent && o->observe) {
		shk_err_prefix(err, "warning: the container %s without supervision",
			       strcmp(stage, "poststop") == 0 ? "ended" : "starts");
		return fail(0, err->text);
	}
	if (r < 0)
		return fail(absent ? SHK_EXIT_ABSENT : SHK_EXIT_REFUSED, err->text);
	if (warning.n) {
		shk_err_set(err, 0, "warning: " SHK_STR_FMT, SHK_STR_ARG(warning));
		shk_oci_say(PROGRAM, err->text);
	}
	if (strcmp(stage, "poststop") != 0 && !shk_json_str(answer, "armed").n)
		return fail(SHK_EXIT_REFUSED, "the supervisor's answer does not say how the container is "
			    "supervised; update the older of shrike-hook and shriked");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct json_object *request = NULL, *answer = NULL;
	struct shk_oci_state s = { 0 };
	struct shk_err err = { 0 };
	int fds[2] = { -1, -1 };
	bool absent = false, poststop;
	int r, timeout;

	r = parse_options(argc, argv, &o);
	if (r >= 1000)
		return r - 1000;
	if (shk_oci_state_read(0, &s, &err) < 0)
		return fail(SHK_EXIT_INPUT, err.text);
	if (strcmp(o.stage, "auto") == 0) {
		o.stage = stage_of(&s);
		if (!o.stage) {
			shk_err_set(&err, EINVAL, "nothing to do for a container that is \"" SHK_STR_FMT
				    "\"; configure this hook as prestart, createRuntime or poststop",
				    SHK_STR_ARG(s.status));
			shk_oci_state_done(&s);
			return fail(SHK_EXIT_INPUT, err.text);
		}
	}
	poststop = strcmp(o.stage, "poststop") == 0;
	r = 0;
	if (poststop)
		request = request_of("deregister", o.stage, &s);
	else
		r = gather(&s, o.stage, fds, &request, &err);
	if (r) {
		fail(r, err.text);
	} else if (!request) {
		r = fail(SHK_EXIT_SYSTEM, "out of memory");
	} else {
		timeout = o.timeout_s ? o.timeout_s : poststop ? TIMEOUT_POSTSTOP_S : TIMEOUT_S;
		r = shk_oci_ask(o.socket, request, fds, poststop ? 0 : 2,
				shk_now_mono() + (uint64_t)timeout * 1000000000u, NULL, &answer,
				&absent, &err);
		r = report(&o, o.stage, r, absent, answer, &err);
	}
	json_object_put(answer);
	json_object_put(request);
	shk_oci_state_done(&s);
	shk_close(&fds[0]);
	shk_close(&fds[1]);
	return r;
}
