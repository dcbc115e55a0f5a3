// SPDX-License-Identifier: Apache-2.0
/* For which calls a condition can be true (FALCO_RULE_LANGUAGE section 16). */
#include "rules/types.h"

#define STEPS_MAX (1u << 20) /* shared macros can make a tree exponentially larger than its text */

#define WORDS SHK_ARRAY_SIZE(((struct shk_call_set *)0)->bit)

struct walk {
	unsigned steps;
};

static void set_all(struct shk_call_set *s)
{
	*s = (struct shk_call_set){ .any = true, .other = true };
	memset(s->bit, 0xff, sizeof(s->bit));
	if (SHK_CALL_N % 64)
		s->bit[WORDS - 1] = (UINT64_C(1) << (SHK_CALL_N % 64)) - 1;
}

static void complement(struct shk_call_set *s)
{
	struct shk_call_set all;

	set_all(&all);
	for (size_t i = 0; i < WORDS; i++)
		s->bit[i] ^= all.bit[i];
	/* An event that is no call of the table has some other word, whatever the list says. */
	s->other = true;
}

static void check_calls(const struct shk_ast *e, bool negate, struct shk_call_set *out)
{
	bool plain = e->mod == SHK_MOD_NONE &&
		     (e->op == SHK_OP_EQ || e->op == SHK_OP_NE || e->op == SHK_OP_IN);

	if (e->left.kind != SHK_OPERAND_FIELD || !shk_field_is_evt_type(e->left.ref.field) ||
	    !plain || !e->consts) {
		set_all(out);
		return;
	}
	shk_evt_words_calls(e->consts, out);
	if ((e->op == SHK_OP_NE) != negate)
		complement(out);
	else if (e->op == SHK_OP_NE) /* "not syscall.type != x" is true where there is no name to differ from x */
		out->other = true;
}

void shk_evt_words_calls(const struct shk_consts *k, struct shk_call_set *out)
{
	*out = (struct shk_call_set){ 0 };
	for (size_t i = 0; i < k->n; i++) {
		enum shk_call_id ids[16];
		size_t n = shk_evt_type_calls(k->c[i].v.s, ids, SHK_ARRAY_SIZE(ids));

		for (size_t j = 0; j < n; j++)
			out->bit[ids[j] / 64] |= UINT64_C(1) << (ids[j] % 64);
		out->other |= n == 0;
	}
}

static void merge(struct shk_call_set *to, const struct shk_call_set *s, bool both)
{
	for (size_t i = 0; i < WORDS; i++)
		to->bit[i] = both ? to->bit[i] & s->bit[i] : to->bit[i] | s->bit[i];
	to->any = both ? to->any && s->any : to->any || s->any;
	to->other = both ? to->other && s->other : to->other || s->other;
}

static void tree_calls(struct walk *w, const struct shk_ast *e, bool negate, unsigned depth,
		       struct shk_call_set *out)
{
	bool both = (e->kind == SHK_AST_AND) != negate;

	if (depth > SHK_AST_DEPTH || ++w->steps > STEPS_MAX) {
		set_all(out);
		return;
	}
	switch (e->kind) {
	case SHK_AST_CHECK:
		check_calls(e, negate, out);
		return;
	case SHK_AST_NOT:
		tree_calls(w, e->child[0], !negate, depth + 1, out);
		return;
	case SHK_AST_AND:
	case SHK_AST_OR:
		tree_calls(w, e->child[0], negate, depth + 1, out);
		for (size_t i = 1; i < e->n; i++) {
			struct shk_call_set s;

			tree_calls(w, e->child[i], negate, depth + 1, &s);
			merge(out, &s, both);
		}
		return;
	default:
		set_all(out);
	}
}

void shk_ast_calls(const struct shk_ast *e, struct shk_call_set *out)
{
	struct walk w = { 0 };

	tree_calls(&w, e, false, 0, out);
}
