// SPDX-License-Identifier: Apache-2.0
/* shrike replay - what rules say of recorded events. */
#include <errno.h>
#include <json-c/json.h>
#include <time.h>
#include <unistd.h>

#include "alerts/print.h"
#include "base/io.h"
#include "engine/offline.h"
#include "shrike/commands.h"
#include "shrike/judged.h"
#include "shrike/load.h"
#include "sources/replay/replay.h"

#define ASKED_MAX 64
#define TEXT_MAX (1u << 20)

struct condition {
	const char *text;
	struct shk_ruleset *rules;
};

struct replay {
	const struct shk_cli *c;
	bool json, progress;
	struct shk_judged by;
	struct shk_offline offline;
	const char *field_name[ASKED_MAX];
	struct shk_field_ref field[ASKED_MAX];
	struct condition condition[ASKED_MAX];
	size_t n_fields, n_conditions;
	struct shk_buf text, clean;
	uint64_t n_events, n_alerts, shown_at;
	struct shk_config *config;
	struct shk_rules_config rules; /* of it */
};

static int on_alert(const struct shk_rule_info *rule, struct shk_str record, void *arg)
{
	struct replay *r = arg;

	(void)rule;
	r->n_alerts++;
	shk_buf_reset(&r->text);
	shk_buf_reset(&r->clean);
	if (r->json)
		shk_buf_addstr(&r->text, record);
	else if (shk_record_text(record, false, &r->text, NULL) < 0)
		return -EINVAL;
	while (r->text.n && r->text.p[r->text.n - 1] == '\n')
		r->text.n--;
	if (!r->json || r->c->tty)
		shk_cli_clean(&r->clean, shk_buf_view(&r->text));
	else
		shk_buf_addstr(&r->clean, shk_buf_view(&r->text));
	printf(SHK_STR_FMT "\n", SHK_STR_ARG(shk_buf_view(&r->clean)));
	return 0;
}

/* ---- values and conditions ---- */

/* false: missing. The text is in r->text. */
static bool value_of(struct replay *r, size_t i, struct shk_eval_ctx *ctx)
{
	struct shk_value v = { 0 };

	shk_buf_reset(&r->text);
	if (!shk_field_get(ctx, &r->field[i], &v))
		return false;
	shk_value_print(&v, r->field[i].field, &r->text);
	return true;
}

static bool holds(const struct condition *q, struct shk_eval_ctx *ctx)
{
	struct shk_matches m = { 0 };

	shk_ruleset_eval(q->rules, ctx, NULL, true, &m);
	return m.n != 0;
}

static void answer_text(struct replay *r, struct shk_eval_ctx *ctx, unsigned line)
{
	printf("event %llu line %u %s\n", (unsigned long long)ctx->ev->num, line,
	       ctx->ev->call ? ctx->ev->call->name : "unknown");
	for (size_t i = 0; i < r->n_fields; i++) {
		shk_buf_reset(&r->clean);
		if (value_of(r, i, ctx)) {
			shk_buf_addc(&r->clean, '\'');
			shk_cli_clean(&r->clean, shk_buf_view(&r->text));
			shk_buf_addc(&r->clean, '\'');
		} else {
			shk_buf_adds(&r->clean, "<null>");
		}
		printf("  %s = " SHK_STR_FMT "\n", r->field_name[i], SHK_STR_ARG(shk_buf_view(&r->clean)));
	}
	for (size_t i = 0; i < r->n_conditions; i++)
		printf("  %c  %s\n", holds(&r->condition[i], ctx) ? 'T' : 'F', r->condition[i].text);
}

/* Values are what a container chose: the printer of alerts makes valid JSON of any bytes. */
static void answer_json(struct replay *r, struct shk_eval_ctx *ctx, unsigned line)
{
	struct shk_print_caps caps = { .str = TEXT_MAX, .items = TEXT_MAX };
	struct json_object *o = json_object_new_object(), *fields = json_object_new_object(),
			   *conditions = json_object_new_object();

	json_object_object_add(o, "event", json_object_new_uint64(ctx->ev->num));
	json_object_object_add(o, "line", json_object_new_int((int)line));
	for (size_t i = 0; i < r->n_fields; i++) {
		bool known = value_of(r, i, ctx);

		json_object_object_add(fields, r->field_name[i], !known ? NULL :
				       json_object_new_string_len(r->text.n ? r->text.p : "", (int)r->text.n));
	}
	for (size_t i = 0; i < r->n_conditions; i++)
		json_object_object_add(conditions, r->condition[i].text,
				       json_object_new_boolean(holds(&r->condition[i], ctx)));
	json_object_object_add(o, "fields", fields);
	json_object_object_add(o, "conditions", conditions);
	shk_buf_reset(&r->clean);
	shk_print_json(&r->clean, o, &caps);
	printf(SHK_STR_FMT "\n", SHK_STR_ARG(shk_buf_view(&r->clean)));
	json_object_put(o);
}

static int take_questions(struct replay *r)
{
	struct shk_err err = { 0 };
	const char *v;

	for (unsigned pos = 0; (v = shk_cli_each(r->c, "field", &pos));) {
		struct shk_field_ref *ref = &r->field[r->n_fields];

		if (r->n_fields == ASKED_MAX)
			return shk_cli_usage(r->c, "replay: more than %u times --field", ASKED_MAX);
		if (shk_field_parse(shk_str(v), ref, &err) < 0)
			return shk_cli_fail(SHK_EXIT_FINDING, "--field %s: %s", v, err.text);
		if (ref->field->flags & SHK_F_FILTER_ONLY)
			return shk_cli_fail(SHK_EXIT_FINDING, "--field %s: this field has no value to be shown, it "
					    "is for conditions", v);
		r->field_name[r->n_fields++] = v;
	}
	for (unsigned pos = 0; (v = shk_cli_each(r->c, "condition", &pos));) {
		struct condition *q = &r->condition[r->n_conditions];

		if (r->n_conditions == ASKED_MAX)
			return shk_cli_usage(r->c, "replay: more than %u times --condition", ASKED_MAX);
		q->text = v;
		if (shk_judged_condition(v, &q->rules, &err) < 0)
			return shk_cli_fail(SHK_EXIT_FINDING, "--condition: %s", err.text);
		r->n_conditions++;
	}
	return SHK_EXIT_OK;
}

/* ---- the file ---- */

static void show_progress(struct replay *r, const struct shk_replay *source)
{
	uint64_t size = shk_replay_size(source), now;

	if (!r->progress || r->n_events % 256)
		return;
	now = shk_now_mono();
	if (now - r->shown_at < 250000000u)
		return;
	r->shown_at = now;
	if (size)
		fprintf(stderr, "\r%3u%%  %llu events, %llu alerts ",
			(unsigned)(shk_replay_done(source) * 100 / size), (unsigned long long)r->n_events,
			(unsigned long long)r->n_alerts);
	else
		fprintf(stderr, "\r%llu events, %llu alerts ", (unsigned long long)r->n_events,
			(unsigned long long)r->n_alerts);
}

static int one_event(struct replay *r, struct shk_replay *source, struct shk_eval_ctx *ctx)
{
	int rc;

	r->n_events++;
	if (r->n_fields + r->n_conditions) {
		(r->json ? answer_json : answer_text)(r, ctx, shk_replay_line(source));
		return 0;
	}
	rc = shk_offline_judge(&r->offline, shk_judged_policy(&r->by, ctx->ctr), ctx);
	if (rc == -E2BIG)
		return shk_cli_fail(SHK_EXIT_FINDING, "line %u: this event is too large to be judged",
				    shk_replay_line(source));
	return rc < 0 ? shk_cli_fail(SHK_EXIT_FAILED, "line %u: %s", shk_replay_line(source), strerror(-rc)) : 0;
}

static int replay_file(struct replay *r)
{
	SHK_CLEANUP(shk_replay_freep) struct shk_replay *source = NULL;
	struct shk_eval_ctx ctx;
	struct shk_err err = { 0 };
	int rc = shk_replay_open(r->c->argv[0], &source, &err), code = SHK_EXIT_OK;

	if (rc < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	r->shown_at = shk_now_mono();
	while ((rc = shk_replay_next(source, &ctx, &err)) > 0) {
		int failed = one_event(r, source, &ctx);

		/* The others can be judged all the same. */
		if (failed > code)
			code = failed;
		if (failed == SHK_EXIT_FAILED)
			break;
		show_progress(r, source);
	}
	if (r->progress)
		fputs("\r\033[K", stderr);
	if (rc < 0)
		return shk_cli_fail(rc == -EBADMSG || rc == -E2BIG ? SHK_EXIT_FINDING : SHK_EXIT_FAILED,
				    "%s", err.text);
	return code;
}

static int load(struct replay *r)
{
	const char *paths[ASKED_MAX], *v;
	size_t n = 0;

	if (r->n_fields + r->n_conditions)
		return SHK_EXIT_OK;
	for (unsigned pos = 0; (v = shk_cli_each(r->c, "rules", &pos)); paths[n++] = v)
		if (n == ASKED_MAX)
			return shk_cli_usage(r->c, "replay: more than %u times --rules", ASKED_MAX);
	if (n)
		return shk_judged_by_rules(&r->by, &r->rules, paths, n, shk_cli_flag(r->c, "all"));
	return shk_judged_by_policy(&r->by, r->c, shk_cli_value(r->c, "policy"));
}

static int run(struct shk_cli *c)
{
	struct replay r = { .c = c, .json = shk_cli_flag(c, "json") };
	char hostname[256] = "";
	int code;

	if (shk_cli_flag(c, "rules") && shk_cli_flag(c, "policy"))
		return shk_cli_usage(c, "replay: --rules and --policy exclude each other");
	if (shk_cli_flag(c, "all") && !shk_cli_flag(c, "rules"))
		return shk_cli_usage(c, "replay: --all goes with --rules; a policy says rule_matching itself");
	(void)gethostname(hostname, sizeof(hostname) - 1);
	/* Alerts on the same terminal would mix with it. */
	r.progress = isatty(STDERR_FILENO) && !c->tty;
	shk_offline_init(&r.offline);
	r.offline.hostname = hostname;
	r.offline.on_alert = on_alert;
	r.offline.arg = &r;
	shk_buf_init(&r.text, TEXT_MAX);
	shk_buf_init(&r.clean, TEXT_MAX * 4);
	code = shk_cli_config(c, &r.config, &r.rules);
	if (code == SHK_EXIT_OK)
		code = take_questions(&r);
	if (code == SHK_EXIT_OK)
		code = load(&r);
	if (code == SHK_EXIT_OK)
		code = replay_file(&r);
	for (size_t i = 0; i < r.n_conditions; i++)
		shk_ruleset_unref(r.condition[i].rules);
	shk_judged_done(&r.by);
	shk_config_free(r.config);
	shk_offline_done(&r.offline);
	shk_buf_done(&r.text);
	shk_buf_done(&r.clean);
	return code;
}

const struct shk_cli_cmd shk_cmd_replay = {
	.name = "replay",
	.args = "FILE",
	.summary = "Print the alerts that rules raise on recorded events",
	.detail = "\nFILE is a text of events (docs/EVENTS.md), as `shrike events --record` writes it; - is standard\n"
		  "input. The state in it answers the fields, this machine is not looked at. Without --rules\n"
		  "and --policy each container's policy is the one the daemon would choose.\n"
		  "With --field or --condition their values are printed per event, and no alerts.",
	.opt = { { "rules", 0, "PATH", "rule file or directory, may be repeated; only these rules, none acts" },
		 { "all", 0, NULL, "with --rules: every rule that matches, not only the first" },
		 { "policy", 0, "POLICY", "name or file of the policy for all containers" },
		 SHK_OPT_POLICY_DIR, SHK_OPT_RULES_PATH, SHK_OPT_CONFIG,
		 { "field", 0, "FIELD", "print this field's value per event, may be repeated" },
		 { "condition", 0, "TEXT", "print per event whether this holds, may be repeated" },
		 SHK_OPT_JSON },
	.min_args = 1,
	.max_args = 1,
	.exits = "  0 the whole file was replayed, with or without alerts\n"
		 "  1 an error in the file, the rules, a field or condition, or no such policy\n"
		 "  2 wrong usage\n"
		 "  4 a file cannot be read, or other failure",
	.example = "  shrike replay web.events --rules /etc/shrike/rules.d --all\n"
		   "  shrike replay web.events --field proc.cmdline --condition 'fd.name startswith /etc'",
	.run = run,
};
