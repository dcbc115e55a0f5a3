// SPDX-License-Identifier: Apache-2.0
/* A case's rule files to a compiled set, and its diagnostics to text. */
#include <stdarg.h>

#include "case.h"
#include "engine/config.h"
#include "policy/yaml_tree.h"

#define ROOM ((size_t)4 << 20)

void rc_state_init(struct rc_state *s, const struct rc_case *c)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	shk_arena_init(&s->a, (size_t)64 << 20);
	shk_buf_init(&s->problem, ROOM);
	if (shk_loader_new(&s->l, NULL) < 0)
		rc_problem(s, c->line, "no memory");
}

void rc_problem(struct rc_state *s, unsigned line, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	shk_buf_printf(&s->problem, "  %s:%u: %s\n", s->c->file, line, text);
}

static unsigned count_lines(struct shk_str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static void indented(struct shk_buf *b, const char *key, struct shk_str text)
{
	struct shk_str line;
	unsigned n = 0;

	shk_buf_printf(b, "  %s: |-\n", key);
	while (rc_next_line(&text, &n, &line))
		shk_buf_printf(b, "    " SHK_STR_FMT "\n", SHK_STR_ARG(line));
}

static void load_text(struct rc_state *s, struct shk_str text)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", ++s->n_files);
	(void)shk_loader_add_text(s->l, name, text, NULL);
}

/* The rule for a condition or an output alone; what stands under "with:" comes before it. */
static void load_made(struct rc_state *s, struct shk_str condition, struct shk_str output)
{
	struct shk_str with = rc_text(s->c, "with");
	struct shk_buf b;

	shk_buf_init(&b, ROOM);
	shk_buf_addstr(&b, with);
	shk_buf_adds(&b, "- rule: r\n  desc: d\n  priority: notice\n  warn_evttypes: false\n");
	s->output_line = count_lines(shk_buf_view(&b)) + 2;
	indented(&b, "output", output.n ? output : SHK_STR("o"));
	s->condition_line = count_lines(shk_buf_view(&b)) + 2;
	indented(&b, "condition", condition);
	load_text(s, shk_buf_view(&b));
	shk_buf_done(&b);
}

/* "a, b" to views. */
static size_t words(struct rc_state *s, const char *key, const struct shk_str **ret)
{
	struct shk_str all = rc_text(s->c, key), *v = SHK_ARENA_ARRAY(&s->a, struct shk_str, 16);
	size_t n = 0;

	*ret = v;
	while (v && all.n && n < 16) {
		const char *comma = memchr(all.p, ',', all.n);
		size_t len = comma ? (size_t)(comma - all.p) : all.n;

		v[n++] = rc_trim((struct shk_str){ all.p, len });
		len += comma ? 1 : 0;
		all = (struct shk_str){ all.p + len, all.n - len };
	}
	return n;
}

/* Lines "enable rule NAME", "disable tag TAG", both in one line "enable tag TAG rule NAME". */
static size_t choices(struct rc_state *s, const struct shk_rule_choice **ret)
{
	struct shk_rule_choice *v = SHK_ARENA_ARRAY(&s->a, struct shk_rule_choice, 16);
	struct shk_str lines = rc_text(s->c, "select"), line, word;
	unsigned at = s->c->line;
	size_t n = 0;

	*ret = v;
	while (v && n < 16 && rc_next_line(&lines, &at, &line)) {
		word = rc_next_word(&line);
		v[n].enable = shk_str_eqz(word, "enable");
		word = rc_next_word(&line);
		if (shk_str_eqz(word, "tag")) {
			v[n].tag = rc_next_word(&line);
			word = rc_next_word(&line);
		}
		if (shk_str_eqz(word, "rule"))
			v[n].name = line;
		if (!v[n].name.p && !v[n].tag.p)
			rc_problem(s, at, "select: write \"enable|disable [tag TAG] [rule NAME]\"");
		n++;
	}
	return n;
}

static void append_all(struct rc_state *s, const struct shk_append_output *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (shk_loader_append_output(s->l, &v[i]) < 0)
			rc_problem(s, s->c->line, "no memory");
}

/* What a configuration says: its static fields, and what it appends to outputs. */
static void configure(struct rc_state *s)
{
	struct shk_str extra = rc_text(s->c, "extra-output"), text = rc_text(s->c, "configuration");
	SHK_CLEANUP(shk_config_freep) struct shk_config *c = NULL;
	struct shk_rules_config rules = { 0 };
	struct shk_err err = { 0 };

	if (shk_config_load_text("configuration", text, &c, &err) < 0 ||
	    shk_config_rules(c, &rules, &err) < 0)
		rc_problem(s, s->c->line, "%s", err.text);
	append_all(s, rules.append, rules.n_append);
	if (shk_str_eqz(extra, "suggested"))
		append_all(s, &(struct shk_append_output){ .suggested = true }, 1);
	else if (extra.n)
		append_all(s, &(struct shk_append_output){ .output = extra }, 1);
}

/* What a policy appends. */
static void apply_policy(struct rc_state *s)
{
	struct shk_str text = rc_text(s->c, "append-output");
	struct shk_append_output *v = NULL;
	struct shk_ynode *root = NULL;
	struct shk_err err = { 0 };
	size_t n = 0;

	if (!text.n)
		return;
	if (shk_yaml_tree(&s->a, "append-output", text, &root, &err) < 0 || !root ||
	    shk_append_output_parse(&s->a, "append-output", root, &v, &n, &err) < 0)
		rc_problem(s, s->c->line, "%s", err.text);
	append_all(s, v, n);
}

void rc_load(struct rc_state *s, struct shk_str condition, struct shk_str output)
{
	struct shk_rule_select select = { .min_priority = SHK_PRIO_DEBUG };
	struct shk_str min = rc_text(s->c, "min-priority");
	const struct rc_block *b = NULL;
	const struct shk_diag *d;
	struct shk_err err = { 0 };
	size_t n;

	if (!s->l)
		return;
	configure(s);
	apply_policy(s);
	while ((b = rc_block(s->c, "rules", b)))
		load_text(s, b->text);
	b = rc_block(s->c, "directory", NULL);
	if (b)
		rc_load_directory(s, b);
	if (condition.p)
		load_made(s, condition, output);
	d = shk_loader_diags(s->l, &n);
	for (size_t i = 0; i < n; i++)
		if (d[i].error)
			return;
	if (s->not_read)
		return;
	if (min.n && !shk_priority_parse(min, &select.min_priority))
		rc_problem(s, s->c->line, "min-priority is no priority");
	select.n_choices = choices(s, &select.choices);
	select.n_disable_tags = words(s, "disable-tags", &select.disable_tags);
	select.n_disable_names = words(s, "disable-names", &select.disable_names);
	if (shk_loader_compile(s->l, &select, &s->rs, &err) < 0)
		rc_problem(s, s->c->line, "does not compile: %s", err.text);
}

const char *rc_diag_text(struct rc_state *s, const struct shk_diag *d)
{
	const struct shk_diag_loc *item = d->n_loc > 1 ? &d->loc[1] : NULL;
	const char *text;
	char at[64];

	if (s->condition_line && d->line > s->condition_line)
		snprintf(at, sizeof(at), "%u:%u", d->line - s->condition_line + 1, d->column - 4);
	else if (s->condition_line && d->line == s->condition_line)
		snprintf(at, sizeof(at), "%u", d->column - 4);
	else if (s->condition_line && d->line + 1 == s->condition_line)
		snprintf(at, sizeof(at), "condition");
	else if (s->output_line && d->line >= s->output_line)
		snprintf(at, sizeof(at), "output:%u", d->column - 4);
	else if (s->n_files > 1)
		snprintf(at, sizeof(at), SHK_STR_FMT "/%u:%u", SHK_STR_ARG(d->file), d->line,
			 d->column);
	else
		snprintf(at, sizeof(at), "%u:%u", d->line, d->column);
	text = shk_arena_printf(&s->a, "%s %s %s", d->error ? "error" : "warning", d->code, at);
	if (text && item)
		text = shk_arena_printf(&s->a, "%s " SHK_STR_FMT "%s" SHK_STR_FMT, text,
					SHK_STR_ARG(item->item_type), item->item_name.n ? " " : "",
					SHK_STR_ARG(item->item_name));
	return text;
}

void rc_state_done(struct rc_state *s)
{
	shk_ruleset_unref(s->rs);
	shk_loader_free(s->l);
	shk_buf_done(&s->problem);
	shk_arena_done(&s->a);
}
