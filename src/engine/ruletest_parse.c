// SPDX-License-Identifier: Apache-2.0
/*
 * ruletest_parse.c - a file of rule tests.
 */
#include <errno.h>
#include <stdarg.h>

#include "engine/ruletest_impl.h"

#define COUNT_MAX 1000000u

struct parse {
	struct shk_arena *a;
	const char *file;
	struct shk_err *err;
};

struct key {
	const char *name;
	int (*take)(struct parse *p, const struct shk_ynode *n, void *into);
};

int shk_rt_fail(const char *file, const struct shk_ynode *n, struct shk_err *err, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return shk_err_set(err, EINVAL, "%s:%u:%u: %s", file, n->line, n->column, text);
}

static int take_map(struct parse *p, const struct shk_ynode *map, const char *what, const struct key *keys,
		    size_t n_keys, void *into)
{
	if (map->kind != SHK_Y_MAP)
		return shk_rt_fail(p->file, map, p->err, "a %s is a map", what);
	for (const struct shk_ynode *n = map->first; n; n = n->next) {
		size_t i = 0;
		int r;

		while (i < n_keys && !shk_str_eqz(n->key, keys[i].name))
			i++;
		if (i == n_keys)
			return shk_err_set(p->err, EINVAL, "%s:%u:%u: a %s has no key \"%.*s\"; see shrike(1)",
					   p->file, n->key_line, n->key_column, what,
					   (int)SHK_MIN(n->key.n, (size_t)64), n->key.p);
		r = keys[i].take(p, n, into);
		if (r < 0)
			return r;
	}
	return 0;
}

static int text_of(struct parse *p, const struct shk_ynode *n, struct shk_str *ret)
{
	if (n->kind != SHK_Y_SCALAR)
		return shk_rt_fail(p->file, n, p->err, "a text is expected here");
	*ret = n->text;
	return 0;
}

static int bool_of(struct parse *p, const struct shk_ynode *n, bool *ret)
{
	if (n->kind != SHK_Y_SCALAR || (!shk_str_eqz(n->text, "true") && !shk_str_eqz(n->text, "false")))
		return shk_rt_fail(p->file, n, p->err, "true or false is expected here");
	*ret = n->text.p[0] == 't';
	return 0;
}

static int children(const struct shk_ynode *n)
{
	int k = 0;

	for (const struct shk_ynode *c = n->first; c; c = c->next)
		k++;
	return k;
}

/* ---- expect ---- */

static int take_rule(struct parse *p, const struct shk_ynode *n, void *into)
{
	return text_of(p, n, &((struct shk_rt_expect *)into)->rule);
}

static int take_output(struct parse *p, const struct shk_ynode *n, void *into)
{
	return text_of(p, n, &((struct shk_rt_expect *)into)->output);
}

static int take_contains(struct parse *p, const struct shk_ynode *n, void *into)
{
	return text_of(p, n, &((struct shk_rt_expect *)into)->contains);
}

static int take_count(struct parse *p, const struct shk_ynode *n, void *into)
{
	uint64_t v = 0;

	if (n->kind != SHK_Y_SCALAR || !shk_str_to_u64(n->text, &v) || v > COUNT_MAX)
		return shk_rt_fail(p->file, n, p->err, "a number from 0 to %u is expected here", COUNT_MAX);
	((struct shk_rt_expect *)into)->count = v;
	return 0;
}

static const struct key expect_keys[] = {
	{ "rule", take_rule },
	{ "count", take_count },
	{ "output", take_output },
	{ "output_contains", take_contains },
};

/* A map, or the name of a rule alone. */
static int one_expect(struct parse *p, const struct shk_ynode *n, struct shk_rt_expect *e)
{
	int r;

	*e = (struct shk_rt_expect){ .count = 1, .node = n };
	if (n->kind == SHK_Y_SCALAR) {
		e->rule = n->text;
		return 0;
	}
	r = take_map(p, n, "expected alert", expect_keys, SHK_ARRAY_SIZE(expect_keys), e);
	if (r == 0 && !e->rule.n)
		r = shk_rt_fail(p->file, n, p->err, "an expected alert needs the name of a rule: \"rule: NAME\"");
	return r;
}

static int take_expect(struct parse *p, const struct shk_ynode *n, void *into)
{
	struct shk_rt_case *c = into;
	int r = 0;

	c->expect = SHK_ARENA_ARRAY(p->a, struct shk_rt_expect, (size_t)children(n) + 1);
	if (!c->expect)
		return shk_err_set(p->err, ENOMEM, "out of memory");
	if (n->kind == SHK_Y_SCALAR && shk_str_eqz(n->text, "none"))
		return 0;
	if (n->kind != SHK_Y_SEQ)
		return shk_rt_fail(p->file, n, p->err, "a list of alerts is expected here, or \"none\"");
	for (const struct shk_ynode *k = n->first; r == 0 && k; k = k->next)
		r = one_expect(p, k, &c->expect[c->n_expect++]);
	return r;
}

/* ---- rules ---- */

static int put_files(struct parse *p, const struct shk_ynode *n, struct shk_rt_rules *to)
{
	if (n->kind == SHK_Y_SEQ)
		for (const struct shk_ynode *k = n->first; k; k = k->next)
			if (k->kind != SHK_Y_SCALAR)
				return shk_rt_fail(p->file, k, p->err, "the path of a rule file is expected here");
	if (n->kind != SHK_Y_SEQ && n->kind != SHK_Y_SCALAR)
		return shk_rt_fail(p->file, n, p->err, "the path of a rule file, or a list of them, is expected here");
	to->files = n;
	return 0;
}

static int put_text(struct parse *p, const struct shk_ynode *n, struct shk_rt_rules *to)
{
	struct shk_str s;

	to->text = n;
	return text_of(p, n, &s);
}

static int put_matching(struct parse *p, const struct shk_ynode *n, struct shk_rt_rules *to)
{
	if (n->kind != SHK_Y_SCALAR || (!shk_str_eqz(n->text, "all") && !shk_str_eqz(n->text, "first")))
		return shk_rt_fail(p->file, n, p->err, "first or all is expected here");
	to->match_all = n->text.p[0] == 'a';
	return 0;
}

/* ---- a case ---- */

static int case_name(struct parse *p, const struct shk_ynode *n, void *into)
{
	return text_of(p, n, &((struct shk_rt_case *)into)->name);
}

static int case_files(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_files(p, n, &((struct shk_rt_case *)into)->rules);
}

static int case_text(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_text(p, n, &((struct shk_rt_case *)into)->rules);
}

static int case_matching(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_matching(p, n, &((struct shk_rt_case *)into)->rules);
}

static int case_events(struct parse *p, const struct shk_ynode *n, void *into)
{
	struct shk_str s;

	((struct shk_rt_case *)into)->events = n;
	return text_of(p, n, &s);
}

static int case_events_file(struct parse *p, const struct shk_ynode *n, void *into)
{
	struct shk_str s;

	((struct shk_rt_case *)into)->events_file = n;
	return text_of(p, n, &s);
}

static int case_others(struct parse *p, const struct shk_ynode *n, void *into)
{
	return bool_of(p, n, &((struct shk_rt_case *)into)->others);
}

static const struct key case_keys[] = {
	{ "name", case_name },		{ "rules", case_files },
	{ "rules_text", case_text },	{ "rule_matching", case_matching },
	{ "events", case_events },	{ "events_file", case_events_file },
	{ "expect", take_expect },	{ "others", case_others },
};

static int one_case(struct parse *p, const struct shk_ynode *n, struct shk_rt_case *c)
{
	int r;

	*c = (struct shk_rt_case){ .node = n, .rules.match_all = -1 };
	r = take_map(p, n, "test", case_keys, SHK_ARRAY_SIZE(case_keys), c);
	if (r < 0)
		return r;
	if (!c->name.n)
		return shk_rt_fail(p->file, n, p->err, "a test needs a name");
	if (!c->events == !c->events_file)
		return shk_rt_fail(p->file, n, p->err, "a test needs either events or events_file");
	if (!c->expect)
		return shk_rt_fail(p->file, n, p->err, "a test needs expect: a list of alerts, or \"none\"");
	return 0;
}

/* ---- the file ---- */

static int file_files(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_files(p, n, &((struct shk_rt_file *)into)->rules);
}

static int file_text(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_text(p, n, &((struct shk_rt_file *)into)->rules);
}

static int file_matching(struct parse *p, const struct shk_ynode *n, void *into)
{
	return put_matching(p, n, &((struct shk_rt_file *)into)->rules);
}

static int file_tests(struct parse *p, const struct shk_ynode *n, void *into)
{
	struct shk_rt_file *f = into;
	int r = 0;

	if (n->kind != SHK_Y_SEQ)
		return shk_rt_fail(p->file, n, p->err, "a list of tests is expected here");
	f->cases = SHK_ARENA_ARRAY(p->a, struct shk_rt_case, (size_t)children(n) + 1);
	if (!f->cases)
		return shk_err_set(p->err, ENOMEM, "out of memory");
	for (const struct shk_ynode *k = n->first; r == 0 && k; k = k->next)
		r = one_case(p, k, &f->cases[f->n_cases++]);
	return r;
}

static const struct key file_keys[] = {
	{ "rules", file_files },
	{ "rules_text", file_text },
	{ "rule_matching", file_matching },
	{ "tests", file_tests },
};

int shk_rt_parse(struct shk_arena *a, const char *file, struct shk_str text, struct shk_rt_file *ret,
		 struct shk_err *err)
{
	struct parse p = { a, file, err };
	struct shk_ynode *root = NULL;
	int r = shk_yaml_tree(a, file, text, &root, err);

	*ret = (struct shk_rt_file){ .rules.match_all = -1 };
	if (r < 0)
		return r;
	if (!root || root->next)
		return shk_err_set(err, EINVAL, "%s:1:1: one document is expected: a map with the key tests", file);
	r = take_map(&p, root, "file of tests", file_keys, SHK_ARRAY_SIZE(file_keys), ret);
	if (r == 0 && !ret->n_cases)
		r = shk_rt_fail(file, root, err, "there are no tests; write them under \"tests:\"");
	for (size_t i = 0; r == 0 && i < ret->n_cases; i++)
		if (!ret->cases[i].rules.files && !ret->cases[i].rules.text && !ret->rules.files &&
		    !ret->rules.text)
			r = shk_rt_fail(file, ret->cases[i].node, err, "no rules: write rules or rules_text into the "
					"test, or at the top of the file");
	return r;
}
