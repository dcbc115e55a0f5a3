// SPDX-License-Identifier: Apache-2.0
#include "engine/ruletest.h"

#include <errno.h>
#include <json-c/json.h>

#include "alerts/text.h"
#include "control/control.h"
#include "engine/offline.h"
#include "engine/ruletest_impl.h"
#include "sources/replay/replay.h"

#define ARENA_BYTES (64u << 20)
#define WHY_BYTES   (1u << 20)

struct one_alert {
	unsigned rule;
	struct shk_str message; /* owned */
	bool expected;
};

struct run {
	const struct shk_ruletest *t;
	const char *file;
	struct shk_ruleset *file_rules; /* of the file, compiled once */
	/* of the case */
	struct shk_rt_case *c;
	struct one_alert *alert;
	size_t n_alerts, room;
	struct shk_buf why;
};

/* ---- rules ---- */

/* A path of the file, from the file's directory; the caller frees it. */
static char *path_of(const struct run *r, struct shk_str path)
{
	const char *slash = strrchr(r->file, '/');
	char *out = NULL;

	if ((path.n && path.p[0] == '/') || !slash)
		return strndup(path.p, path.n);
	if (asprintf(&out, "%.*s" SHK_STR_FMT, (int)(slash + 1 - r->file), r->file, SHK_STR_ARG(path)) < 0)
		return NULL;
	return out;
}

static int add_file(const struct run *r, struct shk_loader *l, const struct shk_ynode *n, struct shk_err *err)
{
	_cleanup_free_ char *path = path_of(r, n->text);

	if (!path)
		return shk_err_set(err, ENOMEM, "out of memory");
	if (r->t->no_files)
		return shk_rt_fail(r->file, n, err, "no files here");
	return shk_loader_add_path(l, path, err);
}

/* Files first, so that a text may change what they define. */
static int compile(const struct run *r, const struct shk_rt_rules *rules, struct shk_ruleset **ret,
		   struct shk_err *err)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	const struct shk_ynode *n = rules->files;
	int rc = shk_loader_new(&l, err);

	if (rc == 0 && n && n->kind == SHK_Y_SCALAR)
		rc = add_file(r, l, n, err);
	for (n = n && n->kind == SHK_Y_SEQ ? n->first : NULL; rc == 0 && n; n = n->next)
		rc = add_file(r, l, n, err);
	if (rc == 0 && rules->text)
		rc = shk_loader_add_text(l, r->file, rules->text->text, err);
	return rc < 0 ? rc : shk_loader_compile(l, NULL, ret, err);
}

/* ---- alerts ---- */

static int on_alert(const struct shk_rule_info *rule, struct shk_str record, void *arg)
{
	struct run *r = arg;
	struct json_object *o;
	struct shk_str m;
	char *copy;

	if (r->n_alerts == SHK_RULETEST_ALERTS_MAX)
		return -E2BIG;
	if (r->n_alerts == r->room) {
		size_t room = r->room ? r->room * 2 : 16;
		struct one_alert *p = realloc(r->alert, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		r->alert = p;
		r->room = room;
	}
	o = shk_json_parse(record, SHK_JOURNAL_ALERT_MAX, NULL);
	m = o ? shk_text_message(o) : (struct shk_str){ NULL, 0 };
	copy = m.p ? strndup(m.p, m.n) : NULL;
	json_object_put(o);
	if (!copy)
		return -ENOMEM;
	r->alert[r->n_alerts++] = (struct one_alert){ .rule = rule->index, .message = shk_str(copy) };
	return 0;
}

static void forget_alerts(struct run *r)
{
	for (size_t i = 0; i < r->n_alerts; i++)
		free((void *)(uintptr_t)r->alert[i].message.p);
	r->n_alerts = 0;
}

static bool fits(const struct shk_rt_expect *e, const struct one_alert *a, const struct shk_ruleset *rules)
{
	return shk_str_eq(shk_ruleset_rule(rules, a->rule)->name, e->rule) &&
	       (!e->output.p || shk_str_eq(e->output, a->message)) &&
	       (!e->contains.p || !e->contains.n ||
		memmem(a->message.p, a->message.n, e->contains.p, e->contains.n));
}

/* What stands in the file wins over what is left: each alert is taken once. */
static void compare(struct run *r, const struct shk_ruleset *rules)
{
	for (size_t i = 0; i < r->c->n_expect; i++) {
		struct shk_rt_expect *e = &r->c->expect[i];
		bool text = e->output.p || e->contains.p;

		for (size_t k = 0; k < r->n_alerts; k++) {
			struct one_alert *a = &r->alert[k];

			/* One too many is left, to be told of below; none expected takes all. */
			if (a->expected || (e->count && e->got == e->count) || !fits(e, a, rules))
				continue;
			a->expected = true;
			e->got++;
		}
		if (e->got != e->count)
			shk_buf_printf(&r->why, "line %u: rule \"" SHK_STR_FMT "\"%s: expected %llu, got %llu\n",
				       e->node->line, SHK_STR_ARG(e->rule), text ? " with this output" : "",
				       (unsigned long long)e->count, (unsigned long long)e->got);
	}
	for (size_t k = 0; k < r->n_alerts; k++) {
		struct shk_str name = shk_ruleset_rule(rules, r->alert[k].rule)->name;
		bool named = false;

		for (size_t i = 0; i < r->c->n_expect; i++)
			named |= shk_str_eq(name, r->c->expect[i].rule);
		if (!r->alert[k].expected && (named || !r->c->others))
			shk_buf_printf(&r->why, "not expected: \"" SHK_STR_FMT "\": " SHK_STR_FMT "\n",
				       SHK_STR_ARG(name), SHK_STR_ARG(r->alert[k].message));
	}
}

/* ---- a case ---- */

/* A misspelt name with a count of 0 would hold for ever. */
static int check_names(struct run *r, const struct shk_ruleset *rules, struct shk_err *err)
{
	for (size_t i = 0; i < r->c->n_expect; i++) {
		const struct shk_rt_expect *e = &r->c->expect[i];
		struct shk_str best = { "", 0 };
		unsigned least = 6;
		bool found = false;

		for (unsigned k = 0; k < shk_ruleset_count(rules) && !found; k++) {
			struct shk_str name = shk_ruleset_rule(rules, k)->name;
			unsigned d = shk_str_distance(e->rule, name, least);

			found = shk_str_eq(e->rule, name);
			if (d < least) {
				least = d;
				best = name;
			}
		}
		if (!found)
			return shk_rt_fail(r->file, e->node, err, "no enabled rule is called \"" SHK_STR_FMT "\"%s"
					   SHK_STR_FMT "%s", SHK_STR_ARG(e->rule), best.n ? "; did you mean \"" : "",
					   SHK_STR_ARG(best), best.n ? "\"?" : "");
	}
	return 0;
}

static int open_events(struct run *r, struct shk_replay **ret, struct shk_err *err)
{
	_cleanup_free_ char *path = NULL;

	if (r->c->events)
		return shk_replay_open_lines(r->file, r->c->events->text, r->c->events->line, ret, err);
	if (r->t->no_files)
		return shk_rt_fail(r->file, r->c->events_file, err, "no files here");
	path = path_of(r, r->c->events_file->text);
	return path ? shk_replay_open(path, ret, err) : shk_err_set(err, ENOMEM, "out of memory");
}

static int judge(struct run *r, const struct shk_policy *p, struct shk_err *err)
{
	SHK_CLEANUP(shk_replay_freep) struct shk_replay *source = NULL;
	struct shk_offline o SHK_CLEANUP(shk_offline_done);
	struct shk_eval_ctx ctx;
	int rc;

	shk_offline_init(&o);
	o.on_alert = on_alert;
	o.arg = r;
	rc = open_events(r, &source, err);
	while (rc >= 0 && (rc = shk_replay_next(source, &ctx, err)) > 0) {
		rc = shk_offline_judge(&o, p, &ctx);
		if (rc == -E2BIG)
			return shk_err_set(err, EINVAL, "%s: line %u: too large an event, or more than %u alerts",
					   r->file, shk_replay_line(source), SHK_RULETEST_ALERTS_MAX);
		if (rc < 0)
			return shk_err_set(err, -rc, "%s: line %u: %s", r->file, shk_replay_line(source),
					   strerror(-rc));
	}
	return rc;
}

/* What is wrong with its rules or events is this case's failure; the others are run all the same. */
static int one_case(struct run *r, const struct shk_rt_file *f, struct shk_err *err)
{
	bool own = r->c->rules.files || r->c->rules.text;
	int all = r->c->rules.match_all < 0 ? f->rules.match_all : r->c->rules.match_all;
	struct shk_ruleset *rules = NULL;
	struct shk_policy p;
	int rc = 0;

	shk_buf_reset(&r->why);
	if (own)
		rc = compile(r, &r->c->rules, &rules, err);
	else if (!r->file_rules)
		rc = compile(r, &f->rules, &r->file_rules, err);
	if (!own && rc == 0)
		rules = shk_ruleset_ref(r->file_rules);
	if (rc == 0)
		rc = check_names(r, rules, err);
	if (rc == 0)
		rc = shk_offline_bare(rules, all > 0, &p);
	if (rc == 0) {
		rc = judge(r, &p, err);
		shk_offline_bare_done(&p);
	}
	if (rc == 0)
		compare(r, rules);
	else
		shk_buf_printf(&r->why, "%s\n", err->text);
	shk_ruleset_unref(rules);
	forget_alerts(r);
	r->t->on_case(r->c->name, !r->why.n && !r->why.failed, shk_buf_view(&r->why), r->t->arg);
	return rc == -ENOMEM ? rc : 0;
}

int shk_ruletest_run(const struct shk_ruletest *t, const char *file, struct shk_str text,
		     struct shk_err *err)
{
	struct run r = { .t = t, .file = file };
	struct shk_rt_file f;
	struct shk_arena a;
	int rc;

	shk_arena_init(&a, ARENA_BYTES);
	shk_buf_init(&r.why, WHY_BYTES);
	rc = shk_rt_parse(&a, file, text, &f, err);
	for (size_t i = 0; rc == 0 && i < f.n_cases; i++) {
		struct shk_err why = { 0 };

		r.c = &f.cases[i];
		rc = one_case(&r, &f, &why);
		if (rc < 0 && err)
			*err = why;
	}
	shk_ruleset_unref(r.file_rules);
	free(r.alert);
	shk_buf_done(&r.why);
	shk_arena_done(&a);
	return rc;
}
