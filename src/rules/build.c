// SPDX-License-Identifier: Apache-2.0
/* Everything collected is compiled, rule by rule (FALCO_RULE_LANGUAGE section 4, steps 2 to 6). */
#include <errno.h>

#include "rules/load.h"
#include "rules/output.h"

#define CONDITION "LOAD_ERR_COMPILE_CONDITION"

static int output_of(struct shk_build_job *j, struct shk_rule_def *def, bool *left_out)
{
	struct shk_loader *l = j->b->l;
	const struct shk_rnode *n = j->r->output.piece[0].node;
	struct shk_where w = shk_where_node("rule", j->r->h.name, j->r->h.node, n, "rule output");
	const struct shk_output *o;
	struct shk_err err;
	int r;

	w.file = n->file;
	r = shk_extra_apply(l, &j->b->a, j->r, def, &o, &err);
	if (r != -ENOMEM && def->output_text.p) {
		int r2 = shk_build_warn_container_info(j, def);

		r = r2 < 0 ? r2 : r;
	}
	if (r >= 0)
		r = shk_source_output(j->r->source, o, &err);
	if (r >= 0)
		return shk_build_warn_output(j, &w, def, o);
	if (r == -ENOMEM)
		return r;
	*left_out = j->r->skip_unknown;
	if (*left_out)
		return shk_load_warn(l, "LOAD_UNKNOWN_FILTER", &w, "the rule is left out: %s", err.text);
	return shk_load_error(l, "LOAD_ERR_COMPILE_OUTPUT", &w, "%s", err.text);
}

/* ---- types ---- */

static int type_error(struct shk_build_job *j, const struct shk_text *cond, unsigned pos, int r,
		      const struct shk_err *err)
{
	struct shk_where at = j->where;
	int r2 = shk_build_locate(j->b, cond, pos, &at);

	if (r2 < 0)
		return r2;
	if (r == -ENOENT && j->r->skip_unknown)
		return shk_load_warn(j->b->l, "LOAD_UNKNOWN_FILTER", &at,
				     "the rule is left out: %s", err->text);
	return shk_load_error(j->b->l, CONDITION, &at, "%s", err->text);
}

static bool contains(const struct shk_ast *e, const struct shk_ast *part)
{
	if (e == part)
		return true;
	for (size_t i = 0; i < e->n; i++)
		if (contains(e->child[i], part))
			return true;
	return false;
}

static int type_of(struct shk_build_job *j, struct shk_ast *e, unsigned *pos, struct shk_err *err)
{
	int r = shk_ast_type(&j->b->a, e, pos, err);

	return r < 0 ? r : shk_source_condition(j->r->source, e, pos, err);
}

/* The offset of a type error is one of the text its node was parsed from: the rule's or a macro's. The
 * smallest tree that has the error is the innermost macro at fault. 1: the rule is left out. */
static int check_types(struct shk_build_job *j)
{
	const struct shk_text *cond = &j->cond;
	unsigned pos, least = UINT32_MAX;
	struct shk_err err;
	int r = type_of(j, j->e, &pos, &err);

	if (r >= 0 || r == -ENOMEM)
		return r;
	for (size_t i = 0; i < j->b->n_macro; i++) {
		struct shk_build_macro *m = &j->b->macro[i];
		struct shk_err e2;
		unsigned p2;
		int r2;

		if (m->height >= least || !contains(j->e, m->cond))
			continue;
		r2 = type_of(j, m->cond, &p2, &e2);
		if (r2 >= 0)
			continue;
		least = m->height;
		cond = &m->m->cond;
		pos = p2;
		err = e2;
		r = r2;
	}
	r = type_error(j, cond, pos, r, &err);
	return r < 0 ? r : 1;
}

/* 1: compiled, 0: left out with a warning. */
static int build_rule(struct shk_build *b, const struct shk_rule *rule, struct shk_rule_def *def)
{
	struct shk_build_job j = { .b = b, .r = rule };
	struct shk_str text;
	bool left_out = false;
	int r;

	j.where = shk_where_node("rule", rule->h.name, rule->h.node, rule->cond.piece[0].node,
				 "rule condition");
	j.where.file = rule->cond.piece[0].node->file;
	if (!shk_source_known(rule->source))
		return 0; /* it was warned of when it was read */
	*def = (struct shk_rule_def){ .name = rule->h.name, .desc = rule->desc,
				      .source = rule->source, .priority = rule->priority,
				      .tags = rule->tags, .n_tags = rule->n_tags };
	r = output_of(&j, def, &left_out);
	if (r < 0 || left_out)
		return r;
	r = shk_build_exceptions(b, rule, &j.cond);
	if (r >= 0)
		r = shk_build_parse(b, &j.cond, &j.where, &text, &j.e);
	if (r >= 0)
		r = shk_build_notes(b, j.e, &j.cond, &j.where);
	if (r >= 0)
		r = shk_build_resolve(b, &j.e, &j.cond, &j.where);
	if (r >= 0)
		r = shk_build_warn_parsed(&j);
	if (r >= 0)
		r = check_types(&j);
	if (r)
		return r < 0 ? r : 0;
	def->cond = j.e;
	r = shk_build_warn_typed(&j);
	return r < 0 ? r : 1;
}

static int build_rules(struct shk_build *b, const struct shk_rule_def **defs)
{
	const struct shk_vec *rules = &b->l->t.rules;

	for (size_t i = 0; i < rules->n; i++) {
		const struct shk_rule *rule = rules->p[i];
		struct shk_rule_def *def = SHK_ARENA_NEW(&b->a, struct shk_rule_def);
		int r;

		if (!def)
			return -ENOMEM;
		r = build_rule(b, rule, def);
		if (r < 0)
			return r;
		defs[i] = r ? def : NULL;
	}
	return 0;
}

static int unused(struct shk_build *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_macro && r >= 0; i++) {
		const struct shk_item *h = &b->macro[i].m->h;
		struct shk_where w = shk_where_node("macro", h->name, h->node, NULL, NULL);

		if (!b->macro[i].used)
			r = shk_load_warn(b->l, "LOAD_UNUSED_MACRO", &w,
					  "no rule or macro uses the macro '%.*s'; remove it",
					  SHK_STR_ARG(h->name));
	}
	for (size_t i = 0; i < b->n_list && r >= 0; i++) {
		const struct shk_item *h = &b->list[i].l->h;
		struct shk_where w = shk_where_node("list", h->name, h->node, NULL, NULL);

		if (!b->list[i].used)
			r = shk_load_warn(b->l, "LOAD_UNUSED_LIST", &w,
					  "no condition or list uses the list '%.*s'; remove it",
					  SHK_STR_ARG(h->name));
	}
	return r;
}

int shk_loader_build(struct shk_loader *l)
{
	struct shk_build b = { .l = l };
	const struct shk_rule_def **all, **defs;
	size_t n = 0;
	int r;

	shk_arena_init(&b.a, SHK_BUILD_MAX);
	shk_map_init(&b.list_of);
	shk_map_init(&b.macro_of);
	all = SHK_ARENA_ARRAY(&b.a, const struct shk_rule_def *, l->t.rules.n);
	defs = SHK_ARENA_ARRAY(&b.a, const struct shk_rule_def *, l->t.rules.n);
	r = all && defs ? shk_build_lists(&b) : -ENOMEM;
	if (r >= 0)
		r = shk_build_macros(&b);
	if (r >= 0)
		r = build_rules(&b, all);
	if (r >= 0)
		r = unused(&b);
	shk_map_done(&b.list_of);
	shk_map_done(&b.macro_of);
	if (r < 0) {
		shk_arena_done(&b.a);
		return r;
	}
	for (size_t i = 0; i < l->t.rules.n; i++)
		if (all[i] && ((const struct shk_rule *)l->t.rules.p[i])->enabled)
			defs[n++] = all[i];
	shk_arena_done(&l->build);
	l->build = b.a;
	l->defs = defs;
	l->n_defs = n;
	l->all = all;
	return 0;
}
