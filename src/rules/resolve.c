// SPDX-License-Identifier: Apache-2.0
/* Macro references become the macros' trees (FALCO_RULE_LANGUAGE section 6). Trees are shared, not
 * cloned; what they would be when written out is bounded, as others walk them as trees. */
#include <errno.h>

#include "rules/load.h"

#define CONDITION "LOAD_ERR_COMPILE_CONDITION"
#define REFUSED	  "LOAD_ERR_VALIDATE"
#define NODES_MAX (1u << 18)

/* Whose tree is being walked. */
struct owner {
	const struct shk_text *cond;
	const struct shk_where *where;
	const struct shk_item *macro; /* NULL: a rule */
};

struct size {
	unsigned height;
	uint64_t weight;
};

static int walk(struct shk_build *b, struct shk_ast **e, const struct owner *o, unsigned depth,
		struct size *ret);

int shk_build_locate(struct shk_build *b, const struct shk_text *cond, unsigned at,
		     struct shk_where *w)
{
	const struct shk_rnode *n;
	const unsigned *origin;
	struct shk_arena a;
	struct shk_str text;
	int r;

	shk_arena_init(&a, SHK_RULE_TREE_MAX);
	r = shk_build_paste(b, &a, cond->s, &text, &origin);
	if (r >= 0) {
		n = shk_text_at(cond, origin[SHK_MIN(at, text.n)], &w->at);
		w->file = n->file;
	}
	shk_arena_done(&a);
	return r;
}

int shk_build_parse(struct shk_build *b, struct shk_arena *a, const struct shk_text *cond,
		    const struct shk_where *w, struct shk_ast **ret)
{
	struct shk_where at = *w;
	struct shk_str text;
	struct shk_err err;
	unsigned pos;
	int r = shk_build_paste(b, a, cond->s, &text, NULL);

	if (r == -E2BIG)
		return shk_load_error(b->l, CONDITION, w,
				      "the condition has more than %u bytes with its lists; shorten them",
				      SHK_CONDITION_MAX);
	if (r < 0)
		return r;
	r = shk_ast_parse(a, text, ret, &pos, &err);
	if (r != -EINVAL)
		return r;
	r = shk_build_locate(b, cond, pos, &at);
	return r < 0 ? r : shk_load_error(b->l, CONDITION, &at, "%s", err.text);
}

static struct shk_where macro_where(const struct shk_macro *m)
{
	const struct shk_rnode *part = m->cond.piece[0].node;

	return shk_where_node("macro", m->h.name, m->h.node, part, "macro condition");
}

/* The macro, or else the list, whose name is nearest to one that is unknown. */
static const char *nearest(struct shk_build *b, struct shk_str name, struct shk_str *ret)
{
	unsigned best = name.n > 3 ? 3 : 2;
	const char *kind = NULL;

	for (size_t i = 0; i < b->n_macro; i++) {
		unsigned d = shk_str_distance(name, b->macro[i].m->h.name, best);

		if (d && d < best) {
			best = d;
			*ret = b->macro[i].m->h.name;
			kind = "macro";
		}
	}
	if (shk_map_get(&b->l->lists, name)) {
		*ret = name;
		return "list";
	}
	return kind;
}

static int unknown_macro(struct shk_build *b, const struct shk_ast *e, const struct owner *o,
			 bool later)
{
	struct shk_where at = *o->where;
	struct shk_str near;
	const char *kind = later ? NULL : nearest(b, e->macro, &near);
	int r = shk_build_locate(b, o->cond, e->pos, &at);

	if (r < 0)
		return r;
	if (later)
		return shk_load_error(b->l, REFUSED, &at, "macro '%.*s' is defined only further down; "
				      "define it before the macro that uses it",
				      SHK_STR_ARG(e->macro));
	if (kind && kind[0] == 'm')
		return shk_load_error(b->l, REFUSED, &at,
				      "undefined macro '%.*s'; did you mean '%.*s'?",
				      SHK_STR_ARG(e->macro), SHK_STR_ARG(near));
	return shk_load_error(b->l, REFUSED, &at, "undefined macro '%.*s'; define it in this file or "
			      "one loaded before", SHK_STR_ARG(e->macro));
}

static int resolve_macro(struct shk_build *b, struct shk_build_macro *m, unsigned depth)
{
	struct shk_where w = macro_where(m->m);
	struct owner o = { &m->m->cond, &w, &m->m->h };
	struct size s;
	int r;

	if (m->state == 2)
		return 0;
	m->state = 1;
	r = walk(b, &m->cond, &o, depth, &s);
	if (r < 0)
		return r;
	m->state = 2;
	m->height = s.height;
	m->weight = s.weight;
	m->cond->shared = true;
	return 0;
}

static int reference(struct shk_build *b, struct shk_ast **e, const struct owner *o,
		     unsigned depth, struct size *ret)
{
	const struct shk_macro *rec = shk_map_get(&b->l->macros, (*e)->macro);
	struct shk_where at = *o->where;
	struct shk_build_macro *m;
	int r;

	if (!rec)
		return unknown_macro(b, *e, o, false);
	m = &b->macro[rec->h.index];
	if (o->macro && m->m->h.order >= o->macro->visible)
		return unknown_macro(b, *e, o, true);
	if (m->state == 1) {
		r = shk_build_locate(b, o->cond, (*e)->pos, &at);
		return r < 0 ? r : shk_load_error(b->l, REFUSED, &at,
						  "macro '%.*s' refers to itself through others; break "
						  "the cycle", SHK_STR_ARG((*e)->macro));
	}
	r = resolve_macro(b, m, depth);
	if (r < 0)
		return r;
	*ret = (struct size){ m->height, m->weight };
	*e = m->cond;
	return 0;
}

static int walk(struct shk_build *b, struct shk_ast **e, const struct owner *o, unsigned depth,
		struct size *ret)
{
	struct size s = { 0, 1 };
	int r;

	if (depth >= SHK_AST_DEPTH)
		goto deep;
	if ((*e)->kind == SHK_AST_MACRO) {
		r = reference(b, e, o, depth, ret);
		if (r < 0)
			return r;
		if (depth + ret->height > SHK_AST_DEPTH || ret->weight > NODES_MAX)
			goto deep;
		return 0;
	}
	for (size_t i = 0; i < (*e)->n; i++) {
		struct size c;

		r = walk(b, &(*e)->child[i], o, depth + 1, &c);
		if (r < 0)
			return r;
		s.height = SHK_MAX(s.height, c.height);
		s.weight += c.weight;
	}
	if (s.weight > NODES_MAX)
		goto deep;
	s.height++;
	*ret = s;
	return 0;
deep:
	return shk_load_error(b->l, CONDITION, o->where,
			      "with its macros the condition is nested more than %d levels deep or has "
			      "more than %u parts; simplify it", SHK_AST_DEPTH, NODES_MAX);
}

int shk_build_use_macros(struct shk_build *b, const struct shk_ast *e)
{
	const struct shk_macro *m = e->kind == SHK_AST_MACRO ? shk_map_get(&b->l->macros, e->macro) : NULL;
	int r = m ? shk_build_use(b, SHK_UNIT_MACRO, m->h.index) : 0;

	for (size_t i = 0; i < e->n && r >= 0; i++) /* as deep as the parser allows */
		r = shk_build_use_macros(b, e->child[i]);
	return r;
}

int shk_build_macros(struct shk_build *b)
{
	const uint32_t *todo = b->todo[SHK_UNIT_MACRO];
	int r = 0;

	for (size_t i = 0; i < b->n_todo[SHK_UNIT_MACRO] && r >= 0; i++) {
		struct shk_build_macro *m = &b->macro[todo[i]];
		struct shk_where w = macro_where(m->m);

		m->state = 0;
		shk_build_begin(b);
		r = shk_build_parse(b, &b->a, &m->m->cond, &w, &m->cond);
		if (r >= 0)
			r = shk_build_use_macros(b, m->cond);
		if (r >= 0)
			r = shk_build_end(b, SHK_UNIT_MACRO, todo[i]);
	}
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_MACRO] && r >= 0; i++)
		r = resolve_macro(b, &b->macro[todo[i]], 0);
	return r;
}

int shk_build_resolve(struct shk_build *b, struct shk_ast **e, const struct shk_text *cond,
		      const struct shk_where *w)
{
	struct owner o = { cond, w, NULL };
	struct size s;

	return walk(b, e, &o, 0, &s);
}
