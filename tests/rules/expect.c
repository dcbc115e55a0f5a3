// SPDX-License-Identifier: Apache-2.0
/* The lines of "expect:" against what came out. */
#include <json-c/json.h>
#include <stdlib.h>

#include "case.h"

/* What a line says must be the beginning of what came out, up to a blank. */
static bool begins(struct shk_str want, struct shk_str got)
{
	return shk_str_starts(got, want) && (got.n == want.n || got.p[want.n] == ' ');
}

static bool first_word_is(struct shk_str line, const char *word)
{
	struct shk_str rest = line;

	return shk_str_eqz(rc_next_word(&rest), word);
}

/* ---- diagnostics: all of them, in order ---- */

static void expect_diags(struct rc_state *s, struct shk_str lines, unsigned line)
{
	struct shk_str want;
	size_t n, i = 0;
	const struct shk_diag *d = shk_loader_diags(s->l, &n);

	while (rc_next_line(&lines, &line, &want)) {
		const char *got;

		if (!first_word_is(want, "error") && !first_word_is(want, "warning"))
			continue;
		got = i < n ? rc_diag_text(s, &d[i]) : "nothing";
		i++;
		if (!begins(want, shk_str(got)))
			rc_problem(s, line, "expected " SHK_STR_FMT "\n    got %s", SHK_STR_ARG(want),
				   got);
	}
	for (; i < n; i++)
		rc_problem(s, s->c->line, "not expected: %s: " SHK_STR_FMT, rc_diag_text(s, &d[i]),
			   SHK_STR_ARG(d[i].message));
}

/* ---- alerts: all of them, in order ---- */

static const char *alert_text(struct rc_state *s, const struct rc_alert *a, bool message)
{
	return shk_arena_printf(&s->a, "alert %u " SHK_STR_FMT "%s" SHK_STR_FMT, a->event,
				SHK_STR_ARG(a->rule), message ? " => " : "",
				message ? (int)a->message.n : 0, a->message.p);
}

/* A line about what an alert looks like, which says that there is one. */
static bool about_record(struct shk_str line)
{
	return first_word_is(line, "json") || first_word_is(line, "keys") ||
	       first_word_is(line, "text") || first_word_is(line, "iso");
}

static void expect_alerts(struct rc_state *s, struct shk_str lines, unsigned line)
{
	bool none = false, any = false, records = false;
	struct shk_str want;
	unsigned i = 0, at = line;

	while (rc_next_line(&lines, &at, &want)) {
		const char *got;

		none |= shk_str_eqz(want, "no alert");
		records |= about_record(want);
		if (!first_word_is(want, "alert"))
			continue;
		any = true;
		got = i < s->n_alerts ?
			      alert_text(s, &s->alert[i], memmem(want.p, want.n, " => ", 4) != NULL) :
			      "no alert";
		i++;
		if (!shk_str_eqz(want, got))
			rc_problem(s, at, "expected " SHK_STR_FMT "\n    got      %s",
				   SHK_STR_ARG(want), got);
	}
	if (records && !none && !any)
		return;
	for (; i < s->n_alerts; i++)
		rc_problem(s, s->c->line, "not expected: %s", alert_text(s, &s->alert[i], true));
	if (none == any && rc_block(s->c, "events", NULL))
		rc_problem(s, line, "with events there must be lines \"alert ...\" or \"no alert\"");
}

/* ---- single facts ---- */

static void compare(struct rc_state *s, unsigned line, struct shk_str want, struct shk_str got)
{
	if (!shk_str_eq(want, got))
		rc_problem(s, line, "expected " SHK_STR_FMT "\n    got      " SHK_STR_FMT,
			   SHK_STR_ARG(want), SHK_STR_ARG(got));
}

/* Splits "left = right". */
static bool equation(struct shk_str s, struct shk_str *left, struct shk_str *right)
{
	const char *eq = memmem(s.p, s.n, " = ", 3);

	if (!eq && shk_str_ends(s, SHK_STR(" =")))
		eq = s.p + s.n - 2;
	if (!eq)
		return false;
	*left = rc_trim((struct shk_str){ s.p, (size_t)(eq - s.p) });
	*right = rc_trim((struct shk_str){ eq + 2, s.n - (size_t)(eq - s.p) - 2 });
	return true;
}

static struct shk_str rule_property(struct rc_state *s, const struct shk_rule_info *r,
				    struct shk_str key)
{
	struct shk_str text = { NULL, 0 };
	struct shk_buf b;

	shk_buf_init(&b, 1u << 20);
	if (shk_str_eqz(key, "condition"))
		shk_ruleset_print_condition(s->rs, r->index, &b);
	else if (shk_str_eqz(key, "output"))
		shk_buf_addstr(&b, r->output_text);
	else if (shk_str_eqz(key, "desc"))
		shk_buf_addstr(&b, r->desc);
	else if (shk_str_eqz(key, "source"))
		shk_buf_addstr(&b, r->source);
	else if (shk_str_eqz(key, "priority"))
		shk_buf_adds(&b, shk_priority_name(r->priority));
	else if (shk_str_eqz(key, "tags"))
		for (size_t i = 0; i < r->n_tags; i++)
			shk_buf_printf(&b, "%s" SHK_STR_FMT, i ? " " : "", SHK_STR_ARG(r->tags[i]));
	else
		shk_buf_adds(&b, "(no such property)");
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '\n')
			b.p[i] = '\v';
	text = shk_arena_str(&s->a, b.n ? shk_buf_view(&b) : SHK_STR(""));
	shk_buf_done(&b);
	return text;
}

/* "KEY of NAME = VALUE" */
static bool expect_property(struct rc_state *s, unsigned line, struct shk_str text)
{
	struct shk_str left, value, name, key;
	const char *of;

	if (!equation(text, &left, &value))
		return false;
	of = memmem(left.p, left.n, " of ", 4);
	if (!of)
		return false;
	key = (struct shk_str){ left.p, (size_t)(of - left.p) };
	name = (struct shk_str){ of + 4, left.n - key.n - 4 };
	for (unsigned i = 0; s->rs && i < shk_ruleset_count(s->rs); i++) {
		const struct shk_rule_info *r = shk_ruleset_rule(s->rs, i);

		if (shk_str_eq(r->name, name)) {
			compare(s, line, value, rule_property(s, r, key));
			return true;
		}
	}
	rc_problem(s, line, "there is no rule " SHK_STR_FMT, SHK_STR_ARG(name));
	return true;
}

/* "rules = a | b" */
static void expect_rules(struct rc_state *s, unsigned line, struct shk_str want)
{
	struct shk_buf b;

	shk_buf_init(&b, 1u << 20);
	for (unsigned i = 0; s->rs && i < shk_ruleset_count(s->rs); i++)
		shk_buf_printf(&b, "%s" SHK_STR_FMT, i ? " | " : "",
			       SHK_STR_ARG(shk_ruleset_rule(s->rs, i)->name));
	compare(s, line, want, b.n ? shk_buf_view(&b) : SHK_STR("none"));
	shk_buf_done(&b);
}

static struct shk_str json_text(struct rc_state *s, struct json_object *o, struct shk_str path)
{
	struct json_object *v = o;
	const char *text;

	while (path.n && v) {
		size_t n = 0;
		char key[128];

		while (n < path.n && path.p[n] != '/')
			n++;
		snprintf(key, sizeof(key), "%.*s", (int)n, path.p);
		if (!json_object_object_get_ex(v, key, &v))
			return SHK_STR("(not there)");
		n += n < path.n;
		path = (struct shk_str){ path.p + n, path.n - n };
	}
	text = json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
	return shk_str(shk_arena_strdup(&s->a, text));
}

static struct shk_str json_keys(struct rc_state *s, struct json_object *o)
{
	struct shk_str text;
	struct shk_buf b;

	shk_buf_init(&b, 4096);
	json_object_object_foreach(o, key, val) {
		(void)val;
		shk_buf_printf(&b, "%s%s", b.n ? " " : "", key);
	}
	text = shk_arena_str(&s->a, shk_buf_view(&b));
	shk_buf_done(&b);
	return text;
}

/* "json N PATH = VALUE", "keys N = a b", "text N = LINE", "iso N = LINE": of the N-th alert. */
static void expect_record(struct rc_state *s, unsigned line, struct shk_str text)
{
	struct shk_str left, value, kind, number, got;
	struct json_object *o;
	uint64_t n = 0;

	if (!equation(text, &left, &value)) {
		rc_problem(s, line, "no \" = \" in it");
		return;
	}
	kind = rc_next_word(&left);
	number = rc_next_word(&left);
	if (!shk_str_to_u64(number, &n) || n < 1 || n > s->n_alerts || !s->alert[n - 1].record.p) {
		rc_problem(s, line, "there is no alert " SHK_STR_FMT, SHK_STR_ARG(number));
		return;
	}
	o = json_tokener_parse(shk_arena_strndup(&s->a, s->alert[n - 1].record.p,
						 s->alert[n - 1].record.n));
	if (shk_str_eqz(kind, "json"))
		got = json_text(s, o, left);
	else if (shk_str_eqz(kind, "keys"))
		got = json_keys(s, o);
	else
		got = shk_str_eqz(kind, "iso") ? s->alert[n - 1].iso : s->alert[n - 1].text;
	compare(s, line, value, got);
	json_object_put(o);
}

/* "wants CALL...", "ignores CALL...": which calls the set is asked about at all. */
static void expect_wants(struct rc_state *s, unsigned line, struct shk_str words, bool want)
{
	struct shk_str word;

	while ((word = rc_next_word(&words)).n) {
		const struct shk_syscall *call = shk_syscall_by_name(word);

		if (!call)
			rc_problem(s, line, SHK_STR_FMT " is no call", SHK_STR_ARG(word));
		else if (s->rs && shk_ruleset_wants(s->rs, call->id) != want)
			rc_problem(s, line, "the rules %s " SHK_STR_FMT, want ? "ignore" : "want",
				   SHK_STR_ARG(word));
	}
}

static void expect_line(struct rc_state *s, unsigned line, struct shk_str text)
{
	struct shk_str rest = text, word = rc_next_word(&rest);

	if (!word.n || shk_str_eqz(word, "error") || shk_str_eqz(word, "warning"))
		return;
	if (shk_str_eqz(text, "no alert"))
		return;
	if (shk_str_eqz(text, "refused")) {
		if (s->rs)
			rc_problem(s, line, "was not refused");
		return;
	}
	if (!s->rs) {
		rc_problem(s, line, "nothing was compiled");
		return;
	}
	if (shk_str_eqz(word, "alert") || shk_str_eqz(text, "ok"))
		return;
	if (shk_str_eqz(word, "rules") && shk_str_starts(rest, SHK_STR("= ")))
		expect_rules(s, line, (struct shk_str){ rest.p + 2, rest.n - 2 });
	else if (shk_str_eqz(word, "wants") || shk_str_eqz(word, "ignores"))
		expect_wants(s, line, rest, shk_str_eqz(word, "wants"));
	else if (about_record(text))
		expect_record(s, line, text);
	else if (!expect_property(s, line, text))
		rc_problem(s, line, "cannot be understood: " SHK_STR_FMT, SHK_STR_ARG(text));
}

void rc_expect(struct rc_state *s)
{
	const struct rc_block *b = rc_block(s->c, "expect", NULL);
	unsigned line;
	struct shk_str rest, text;

	if (!b || !rc_trim(b->text).n) {
		rc_problem(s, s->c->line, "nothing is expected");
		return;
	}
	line = b->inlined ? b->line - 1 : b->line;
	expect_diags(s, b->text, line);
	expect_alerts(s, b->text, line);
	rest = b->text;
	while (rc_next_line(&rest, &line, &text))
		expect_line(s, line, text);
}
