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
	struct shk_str text;
	int r = shk_build_paste(b, cond->s, &text, &origin);

	if (r < 0)
		return r;
	n = shk_text_at(cond, origin[SHK_MIN(at, text.n)], &w->at);
	w->file = n->file;
	return 0;
}

int shk_build_parse(struct shk_build *b, const struct shk_text *cond, const struct shk_where *w,
		    struct shk_str *ret_text, struct shk_ast **ret)
{
	struct shk_where at = *w;
	struct shk_err err;
	unsigned pos;
	int r = shk_build_paste(b, cond->s, ret_text, NULL);

	if (r == -E2BIG)
		return shk_load_error(b->l, CONDITION, w,
				      "the condition has more than %u bytes with its lists; shorten them",
				      SHK_CONDITION_MAX);
	if (r < 0)
		return r;
	r = shk_ast_parse(&b->a, *ret_text, ret, &pos, &err);
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
	if (shk_map_get(&b->list_of, name)) {
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
	return 0;
}

static int reference(struct shk_build *b, struct shk_ast **e, const struct owner *o,
		     unsigned depth, struct size *ret)
{
	struct shk_build_macro *m = shk_map_get(&b->macro_of, (*e)->macro);
	struct shk_where at = *o->where;
	int r;

	if (!m)
		return unknown_macro(b, *e, o, false);
	if (o->macro && m->m->h.order >= o->macro->visible)
		return unknown_macro(b, *e, o, true);
	if (m->state == 1) {
		r = shk_build_locate(b, o->cond, (*e)->pos, &at);
		return r < 0 ? r : shk_load_error(b->l, REFUSED, &at,
						  "macro '%.*s' refers to itself through others; break "
						  "the cycle", SHK_STR_ARG((*e)->macro));
	}
	m->used = true;
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

int shk_build_macros(struct shk_build *b)
{
	const struct shk_tables *t = &b->l->t;
	int r = 0;

	b->n_macro = t->macros.n;
	b->macro = SHK_ARENA_ARRAY(&b->a, struct shk_build_macro, b->n_macro);
	if (!b->macro)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_macro && r >= 0; i++) {
		struct shk_build_macro *m = &b->macro[i];
		struct shk_where w;

		m->m = t->macros.p[i];
		w = macro_where(m->m);
		r = shk_map_set(&b->macro_of, m->m->h.name, m);
		if (r >= 0)
			r = shk_build_parse(b, &m->m->cond, &w, &m->text, &m->cond);
		if (r >= 0)
			r = shk_build_notes(b, m->cond, &m->m->cond, &w);
	}
	for (size_t i = 0; i < b->n_macro && r >= 0; i++)
		r = resolve_macro(b, &b->macro[i], 0);
	return r;
}

int shk_build_resolve(struct shk_build *b, struct shk_ast **e, const struct shk_text *cond,
		      const struct shk_where *w)
{
	struct owner o = { cond, w, NULL };
	struct size s;

	return walk(b, e, &o, 0, &s);
}
