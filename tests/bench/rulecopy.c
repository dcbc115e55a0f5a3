// SPDX-License-Identifier: Apache-2.0
/* More rules of the same kind: words and paths get an ending; what names kinds (event types, file types,
 * protocols, results) stays, or the copies would be dead. */
#include "rulebench.h"

static bool keeps(const struct shk_operand *left)
{
	static const char *const words[] = { "evt.",	  "syscall.", "container.id", "fd.type",
					     "fd.l4proto", "thread.cap" };

	if (left->kind != SHK_OPERAND_FIELD)
		return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (shk_str_starts(left->text, shk_str(words[i])))
			return true;
	return false;
}

static bool alter(struct shk_arena *a, struct shk_ast *e, unsigned k)
{
	struct shk_consts *c;
	struct shk_const *v;

	if (!e->consts || e->consts->type != SHK_T_STRING || e->op == SHK_OP_REGEX || keeps(&e->left))
		return true;
	c = SHK_ARENA_NEW(a, struct shk_consts);
	v = SHK_ARENA_ARRAY(a, struct shk_const, e->consts->n);
	if (!c || !v)
		return false;
	for (size_t i = 0; i < e->consts->n; i++) {
		v[i] = e->consts->c[i];
		v[i].v.s = shk_str(shk_arena_printf(a, "" SHK_STR_FMT "~%u", SHK_STR_ARG(v[i].v.s), k));
		if (!v[i].v.s.p)
			return false;
	}
	*c = *e->consts;
	c->c = v;
	e->consts = c;
	return true;
}

/* The key of a comparison comes from its operands: they change with the constants. */
static bool alter_right(struct shk_arena *a, struct shk_operand *o, unsigned k)
{
	struct shk_operand *item;

	if (o->kind == SHK_OPERAND_TEXT) {
		o->text = shk_str(shk_arena_printf(a, "" SHK_STR_FMT "~%u", SHK_STR_ARG(o->text), k));
		return o->text.p;
	}
	if (o->kind != SHK_OPERAND_LIST)
		return true;
	item = SHK_ARENA_ARRAY(a, struct shk_operand, o->n);
	if (!item)
		return false;
	for (size_t i = 0; i < o->n; i++) {
		item[i] = o->item[i];
		if (!alter_right(a, &item[i], k))
			return false;
	}
	o->item = item;
	return true;
}

static struct shk_ast *copy(struct shk_arena *a, const struct shk_ast *e, unsigned k)
{
	struct shk_ast *c = SHK_ARENA_NEW(a, struct shk_ast);
	const struct shk_consts *before;

	if (!c)
		return NULL;
	*c = *e;
	if (e->kind == SHK_AST_CHECK) {
		before = c->consts;
		if (!alter(a, c, k) || (c->consts != before && !alter_right(a, &c->right, k)))
			return NULL;
		return c;
	}
	c->child = SHK_ARENA_ARRAY(a, struct shk_ast *, e->n);
	for (size_t i = 0; c->child && i < e->n; i++) {
		c->child[i] = copy(a, e->child[i], k);
		if (!c->child[i])
			return NULL;
	}
	return c->child ? c : NULL;
}

const struct shk_rule_def **bench_copies(struct shk_arena *a, const struct shk_rule_def **defs,
					 size_t n, size_t want)
{
	const struct shk_rule_def **all;

	want = SHK_MAX(want, n);
	all = SHK_ARENA_ARRAY(a, const struct shk_rule_def *, want);
	for (size_t i = 0; all && i < want; i++) {
		struct shk_rule_def *d;

		all[i] = defs[i % n];
		if (i < n)
			continue;
		d = SHK_ARENA_NEW(a, struct shk_rule_def);
		if (!d)
			return NULL;
		*d = *defs[i % n];
		d->cond = copy(a, d->cond, (unsigned)(i / n));
		if (!d->cond)
			return NULL;
		all[i] = d;
	}
	return all;
}
