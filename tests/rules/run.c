// SPDX-License-Identifier: Apache-2.0
/* Running a case: its rules, events and expectations, or the rows of its tables. */
#include "case.h"

static void unquote(struct shk_str *s)
{
	if (s->n >= 2 && s->p[0] == '"' && s->p[s->n - 1] == '"') {
		s->p++;
		s->n -= 2;
	}
}

/* Diagnostics of a row, one line: "error CODE 5". Lists and macros under "with:" need not be used. */
static const char *row_diags(struct rc_state *s)
{
	struct shk_str text = { "", 0 };
	size_t n, at;
	const struct shk_diag *d = shk_loader_diags(s->l, &n);
	struct shk_buf b;

	shk_buf_init(&b, 1u << 16);
	for (size_t i = 0; i < n; i++) {
		const char *line = rc_diag_text(s, &d[i]);
		const char *item = line ? strstr(line, " rule r") : NULL;

		if (strncmp(d[i].code, "LOAD_UNUSED_", 12) == 0)
			continue;
		at = line ? (item ? (size_t)(item - line) : strlen(line)) : 0;
		shk_buf_printf(&b, "%s%.*s", b.n ? " " : "", (int)at, line);
	}
	if (b.n)
		text = shk_arena_str(&s->a, shk_buf_view(&b));
	shk_buf_done(&b);
	return text.p;
}

static void differs(struct rc_state *s, unsigned line, struct shk_str want, struct shk_str got)
{
	size_t n;
	const struct shk_diag *d = shk_loader_diags(s->l, &n);

	rc_problem(s, line, "expected " SHK_STR_FMT "\n    got      " SHK_STR_FMT, SHK_STR_ARG(want),
		   SHK_STR_ARG(got));
	for (size_t i = 0; i < n; i++)
		rc_problem(s, line, SHK_STR_FMT, SHK_STR_ARG(d[i].message));
}

/* An error or warning without its column leaves that open. */
static bool diags_match(struct shk_str want, struct shk_str got)
{
	return shk_str_eq(want, got) ||
	       (want.n && shk_str_starts(got, want) && got.p[want.n] == ' ' &&
		!memchr(got.p + want.n + 1, ' ', got.n - want.n - 1));
}

static struct shk_str canonical(struct rc_state *s)
{
	struct shk_str text = { "", 0 };
	struct shk_buf b;

	shk_buf_init(&b, 1u << 20);
	shk_ruleset_print_condition(s->rs, 0, &b);
	if (b.n)
		text = shk_arena_str(&s->a, shk_buf_view(&b));
	shk_buf_done(&b);
	return text;
}

static bool truths_only(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != (i % 2 ? ' ' : 'T') && s.p[i] != (i % 2 ? ' ' : 'F'))
			return false;
	return s.n > 0;
}

/* want: "T F", "is TEXT" or "error CODE COLUMN"; the first two may be followed by " warning CODE COLUMN". */
static void row_condition(struct rc_state *s, unsigned line, struct shk_str row, struct shk_str want)
{
	const char *warning = memmem(want.p, want.n, " warning ", 9);
	struct shk_str diags = shk_str(row_diags(s)), value = want, told = { "", 0 };
	const char *truths;

	if (shk_str_starts(want, SHK_STR("error ")) || shk_str_starts(want, SHK_STR("warning "))) {
		told = want;
		value.n = 0;
	} else if (warning) {
		value.n = (size_t)(warning - want.p);
		told = (struct shk_str){ warning + 1, want.n - value.n - 1 };
	}
	if (!diags_match(told, diags)) {
		differs(s, line, told.n ? told : SHK_STR("no diagnostic"),
			diags.n ? diags : SHK_STR("no diagnostic"));
		return;
	}
	if (!s->rs || shk_ruleset_count(s->rs) != 1) {
		if (value.n)
			differs(s, line, value, SHK_STR("nothing compiled"));
		return;
	}
	if (shk_str_starts(value, SHK_STR("is "))) {
		struct shk_str got = rc_trim(canonical(s));

		value = (struct shk_str){ value.p + 3, value.n - 3 };
		if (!shk_str_eq(value, got))
			differs(s, line, value, got);
	} else if (truths_only(value)) {
		truths = rc_truths(s);
		if (!truths || !shk_str_eqz(value, truths))
			differs(s, line, value, shk_str(truths ? truths : "no events"));
	} else if (value.n) {
		rc_problem(s, line, "cannot be understood: " SHK_STR_FMT, SHK_STR_ARG(want));
	}
	(void)row;
}

/* want: the text, or "error CODE output:COLUMN". */
static void row_output(struct rc_state *s, unsigned line, struct shk_str row, struct shk_str want)
{
	struct shk_str diags = shk_str(row_diags(s)), got;
	const char *json;

	(void)row;
	if (diags.n || shk_str_starts(want, SHK_STR("error "))) {
		if (!diags_match(want, diags))
			differs(s, line, want, diags.n ? diags : SHK_STR("no diagnostic"));
		return;
	}
	unquote(&want);
	if (!rc_first_message(s, &got, (struct shk_str){ NULL, 0 }, &json))
		rc_problem(s, line, "no event");
	else if (!shk_str_eq(want, got))
		differs(s, line, want, got);
}

/* want: the value as JSON, null when missing. */
static void row_field(struct rc_state *s, unsigned line, struct shk_str row, struct shk_str want)
{
	struct shk_str diags = shk_str(row_diags(s)), got;
	const char *json = NULL;

	if (diags.n)
		differs(s, line, want, diags);
	else if (!rc_first_message(s, &got, row, &json))
		rc_problem(s, line, "no event");
	else if (!shk_str_eqz(want, json))
		differs(s, line, want, shk_str(json));
}

static const struct table {
	const char *key;
	void (*check)(struct rc_state *s, unsigned line, struct shk_str row, struct shk_str want);
} tables[] = {
	{ "conditions", row_condition },
	{ "outputs", row_output },
	{ "fields", row_field },
};

static void run_row(const struct rc_case *c, const struct table *t, unsigned line, struct shk_str row,
		    struct rc_report *report)
{
	struct shk_str left, want, condition = SHK_STR("evt.num >= 0"), output = SHK_STR("o");
	struct rc_state s;

	rc_state_init(&s, c);
	if (!rc_split(row, &left, &want) || !want.n) {
		rc_problem(&s, line, "a row is \"TEXT | RESULT\"");
	} else {
		if (t->check == row_condition)
			condition = left;
		else if (t->check == row_output)
			output = left;
		else
			output = shk_str(shk_arena_printf(&s.a, "%%" SHK_STR_FMT,
							  SHK_STR_ARG(left)));
		rc_load(&s, condition, output);
		t->check(&s, line, left, want);
	}
	report->on(report, c, line, row, s.problem.n ? s.problem.p : NULL);
	rc_state_done(&s);
}

static unsigned run_tables(const struct rc_case *c, struct rc_report *report)
{
	unsigned n = 0;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(tables); i++) {
		const struct rc_block *b = NULL;

		while ((b = rc_block(c, tables[i].key, b))) {
			struct shk_str rest = b->text, row;
			unsigned line = b->line;

			while (rc_next_line(&rest, &line, &row))
				if (rc_trim(row).n) {
					run_row(c, &tables[i], line, row, report);
					n++;
				}
		}
	}
	return n;
}

void rc_run(const struct rc_case *c, struct rc_report *report)
{
	const struct rc_block *cond = rc_block(c, "condition", NULL);
	struct rc_state s;

	if (run_tables(c, report))
		return;
	rc_state_init(&s, c);
	rc_load(&s, cond ? cond->text : (struct shk_str){ NULL, 0 }, rc_text(c, "output"));
	rc_events(&s);
	rc_expect(&s);
	report->on(report, c, c->line, shk_str(c->title), s.problem.n ? s.problem.p : NULL);
	rc_state_done(&s);
}
