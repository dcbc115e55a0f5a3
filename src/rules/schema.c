// SPDX-License-Identifier: Apache-2.0
/*
 * The schema of rule files: informational, stricter than loading (FALCO_RULE_LANGUAGE section 1). Types are weak: what
 * is written without quotes or with them is the same, a number or a truth value is a text, an empty map an empty
 * sequence; null is neither.
 */
#include <errno.h>

#include "rules/load.h"

#define WARNINGS_MAX 100 /* of a file; past it nothing new is said */

enum what { TEXT, TRUTH, NUMBER, PRIORITY, OPERATION, ITEM, ANYTHING, SEQ, MAP };

struct shape;
struct member {
	const char *key;
	const struct shape *shape;
	bool required;
};
struct shape {
	enum what what;
	const struct shape *of; /* SEQ */
	const struct member *member; /* MAP: no others */
	size_t n, least;
};

static const struct shape text = { .what = TEXT }, truth = { .what = TRUTH },
			  number = { .what = NUMBER }, priority = { .what = PRIORITY },
			  operation = { .what = OPERATION }, item = { .what = ITEM },
			  anything = { .what = ANYTHING };
static const struct shape texts = { .what = SEQ, .of = &text }, items = { .what = SEQ, .of = &item };

#define MAP_OF(array, min) { .what = MAP, .member = (array), .n = SHK_ARRAY_SIZE(array), .least = (min) }

static const struct member exception_keys[] = {
	{ "name", &text, true }, { "fields", &anything, false }, { "comps", &anything, false },
	{ "values", &anything, false },
};
static const struct shape exception = MAP_OF(exception_keys, 0);
static const struct shape exceptions = { .what = SEQ, .of = &exception };

static const struct member alternative_keys[] = { { "name", &text, true }, { "version", &text, true } };
static const struct shape alternative = MAP_OF(alternative_keys, 0);
static const struct shape alternatives = { .what = SEQ, .of = &alternative };
static const struct member plugin_keys[] = {
	{ "name", &text, true }, { "version", &text, true }, { "alternatives", &alternatives, false },
};
static const struct shape plugin = MAP_OF(plugin_keys, 0);
static const struct shape plugins = { .what = SEQ, .of = &plugin };

static const struct member override_keys[] = {
	{ "items", &operation, false },	    { "desc", &operation, false },
	{ "condition", &operation, false }, { "output", &operation, false },
	{ "priority", &operation, false },  { "enabled", &operation, false },
	{ "exceptions", &operation, false }, { "capture", &operation, false },
	{ "capture_duration", &operation, false }, { "tags", &operation, false },
	{ "warn_evttypes", &operation, false }, { "skip-if-unknown-filter", &operation, false },
};
static const struct shape override = MAP_OF(override_keys, 1);

static const struct member item_keys[] = {
	{ "required_engine_version", &text, false },
	{ "required_plugin_versions", &plugins, false },
	{ "macro", &text, false },	   { "condition", &text, false },
	{ "list", &text, false },	   { "items", &items, false },
	{ "rule", &text, false },	   { "desc", &text, false },
	{ "enabled", &truth, false },	   { "output", &text, false },
	{ "append", &truth, false },	   { "priority", &priority, false },
	{ "capture", &truth, false },	   { "capture_duration", &number, false },
	{ "source", &text, false },	   { "exceptions", &exceptions, false },
	{ "override", &override, false },  { "tags", &texts, false },
	{ "warn_evttypes", &truth, false }, { "skip-if-unknown-filter", &truth, false },
};
static const struct shape rule_item = MAP_OF(item_keys, 0);
static const struct shape file = { .what = SEQ, .of = &rule_item };

struct check {
	struct shk_loader *l;
	struct shk_vec found; /* char * */
	bool failed;
	int r;
};

static void found(struct check *c, const char *path, const char *what)
{
	char *s;

	c->failed = true;
	if (c->found.n == WARNINGS_MAX || c->r < 0)
		return;
	s = shk_arena_printf(&c->l->a, "failed for %s: %s", path, what);
	c->r = s ? shk_vec_push(&c->l->a, &c->found, s) : -ENOMEM;
}

static bool one_of(struct shk_str s, const char *const *words)
{
	while (*words && !shk_str_eqz(s, *words))
		words++;
	return *words;
}

static bool is_text(const struct shk_rnode *n)
{
	return n->kind == SHK_RN_SCALAR || (n->kind != SHK_RN_NULL && !n->first);
}

/* Blanks in front, a sign, digits. */
static bool is_number(const struct shk_rnode *n)
{
	struct shk_str s = n->text;
	size_t digits = 0;

	if (n->kind != SHK_RN_SCALAR)
		return false;
	while (s.n && strchr(" \t\n\v\f\r", s.p[0])) {
		s.p++;
		s.n--;
	}
	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		s.p++;
		s.n--;
	}
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	return digits && digits == s.n && digits < 20;
}

static const char *scalar_problem(const struct shk_rnode *n, enum what what)
{
	static const char *const truths[] = { "true", "false", NULL };
	static const char *const operations[] = { "append", "replace", NULL };
	static const char *const priorities[] = { "EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING",
						  "NOTICE", "INFO", "INFORMATIONAL", "DEBUG", NULL };
	bool scalar = n->kind == SHK_RN_SCALAR;

	switch (what) {
	case TEXT:
	case ITEM:
		return is_text(n) ? NULL : "this is no text";
	case TRUTH:
		return scalar && one_of(n->text, truths) ? NULL : "this is neither true nor false";
	case NUMBER:
		return is_number(n) ? NULL : "this is no whole number";
	case PRIORITY:
		return scalar && one_of(n->text, priorities) ? NULL : "this is no priority in capitals";
	case OPERATION:
		return scalar && one_of(n->text, operations) ? NULL :
							       "this is neither append nor replace";
	default:
		return NULL;
	}
}

/* Shapes nest five levels deep at most. */
static void check(struct check *c, const struct shk_rnode *n, const struct shape *s, const char *path);

static void check_member(struct check *c, const struct shk_rnode *map, const struct member *m,
			 const char *path)
{
	const struct shk_rnode *v = shk_rnode_get(map, m->key);
	const char *at = shk_arena_printf(&c->l->a, "%s/%s", path, m->key);

	if (!at)
		c->r = -ENOMEM;
	else if (v)
		check(c, v, m->shape, at);
	else if (m->required)
		found(c, at, "this is missing");
}

static void check_map(struct check *c, const struct shk_rnode *n, const struct shape *s,
		      const char *path)
{
	size_t keys = 0;

	if (n->kind != SHK_RN_MAP && !(n->kind == SHK_RN_SEQ && !n->first)) {
		found(c, path, "this is no map");
		return;
	}
	for (const struct shk_rnode *v = n->first; v; v = v->next, keys++) {
		size_t i;

		for (i = 0; i < s->n && !shk_str_eqz(v->key->text, s->member[i].key); i++)
			;
		if (i == s->n)
			found(c, path, "it has a key that is not known");
	}
	if (keys < s->least)
		found(c, path, "it has no key");
	for (size_t i = 0; i < s->n && c->r >= 0; i++)
		if (s->member[i].required || shk_rnode_get(n, s->member[i].key))
			check_member(c, n, &s->member[i], path);
}

static void check(struct check *c, const struct shk_rnode *n, const struct shape *s, const char *path)
{
	const char *problem = scalar_problem(n, s->what);
	size_t i = 0;

	if (problem)
		found(c, path, problem);
	if (s->what == MAP)
		check_map(c, n, s, path);
	if (s->what != SEQ)
		return;
	if (n->kind != SHK_RN_SEQ && !(n->kind == SHK_RN_MAP && !n->first)) {
		found(c, path, "this is no sequence");
		return;
	}
	for (const struct shk_rnode *v = n->first; v && c->r >= 0; v = v->next, i++) {
		const char *at = shk_arena_printf(&c->l->a, "%s/%zu", path, i);

		if (!at)
			c->r = -ENOMEM;
		else
			check(c, v, s->of, at);
	}
}

int shk_schema_check(struct shk_loader *l, const struct shk_rnode *root)
{
	struct check c = { .l = l };

	l->schema = (struct shk_schema){ .status = root ? SHK_SCHEMA_OK : SHK_SCHEMA_NONE };
	for (const struct shk_rnode *n = root; n && c.r >= 0; n = n->next) {
		c.failed = false;
		check(&c, n, &file, "document");
		if (n == root && c.failed)
			l->schema.status = SHK_SCHEMA_FAILED;
	}
	if (c.r < 0)
		return c.r;
	l->schema.warning = (const char *const *)c.found.p;
	l->schema.n = c.found.n;
	return 0;
}

void shk_loader_want_schema(struct shk_loader *l)
{
	l->want_schema = true;
}

const struct shk_schema *shk_loader_last_schema(const struct shk_loader *l)
{
	return &l->schema;
}
