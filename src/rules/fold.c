// SPDX-License-Identifier: Apache-2.0
/* What the type of an event alone decides. */
#include "rules/program.h"

static bool can_open(unsigned id)
{
	switch (id) {
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_open_by_handle_at:
	case SHK_CALL_creat:
	case SHK_CALL_mq_open:
		return true;
	default:
		return false;
	}
}

static bool is_field(const struct shk_ruleset *rs, const struct shk_test *t)
{
	return rs->slots.v[t->left].kind == SHK_OPERAND_FIELD;
}

/* Fields that never have a value, and arguments that calls of this type do not have: nothing holds of them. */
static bool has_no_value(const struct shk_ruleset *rs, const struct shk_test *t, unsigned id)
{
	const struct shk_slot *s = &rs->slots.v[t->left];

	if (!is_field(rs, t))
		return false;
	if (s->ref.field->flags & SHK_F_NEVER)
		return true;
	return id < SHK_CALL_N && s->calls && !(s->calls->bit[id / 64] >> id % 64 & 1);
}

/* evt.is_open_*: there for every event, and false for what opens nothing. */
static bool is_open_flag(const struct shk_ruleset *rs, const struct shk_test *t)
{
	const struct shk_slot *s = &rs->slots.v[t->left];

	return s->kind == SHK_OPERAND_FIELD && s->type == SHK_T_BOOL &&
	       strncmp(s->ref.field->name, "evt.is_open_", strlen("evt.is_open_")) == 0 &&
	       t->kind == SHK_TEST_VALUE && t->right == SHK_SLOT_NONE && t->n == 1 &&
	       t->mod == SHK_MOD_NONE && (t->op == SHK_OP_EQ || t->op == SHK_OP_NE);
}

bool shk_test_folds(const struct shk_ruleset *rs, const struct shk_test *t)
{
	return t->kind == SHK_TEST_CALL || is_open_flag(rs, t) || (is_field(rs, t) && rs->slots.v[t->left].calls);
}

uint8_t shk_fold_test(const struct shk_ruleset *rs, const struct shk_test *t, unsigned id)
{
	bool yes;

	if (has_no_value(rs, t, id))
		return SHK_FOLD_NO;
	if (id == SHK_CALL_N)
		return SHK_FOLD_OPEN;
	if (t->kind == SHK_TEST_CALL)
		yes = (t->calls->bit[id / 64] >> (id % 64) & 1) != t->negate_calls;
	else if (!can_open(id) && is_open_flag(rs, t))
		yes = t->c[0].v.b == (t->op == SHK_OP_NE);
	else
		return SHK_FOLD_OPEN;
	return yes ? SHK_FOLD_YES : SHK_FOLD_NO;
}

static uint8_t fold_group(const struct shk_ruleset *rs, const struct shk_node *n, const uint8_t *fold)
{
	uint8_t decides = n->kind == SHK_NODE_OR ? SHK_FOLD_YES : SHK_FOLD_NO;
	uint8_t all = n->kind == SHK_NODE_OR ? SHK_FOLD_NO : SHK_FOLD_YES;

	for (uint32_t i = 0; i < n->n; i++) {
		shk_ref e = rs->edge[n->first + i];
		uint8_t f = fold[e >> 1];

		if (f != SHK_FOLD_OPEN && (e & 1))
			f = f == SHK_FOLD_YES ? SHK_FOLD_NO : SHK_FOLD_YES;
		if (f == decides)
			return f;
		if (f == SHK_FOLD_OPEN)
			all = f;
	}
	return all;
}

void shk_fold(const struct shk_ruleset *rs, unsigned id, uint8_t *fold)
{
	for (size_t i = 0; i < rs->n_node; i++) {
		const struct shk_node *n = &rs->node[i];

		fold[i] = n->kind == SHK_NODE_TEST ? shk_fold_test(rs, &rs->test[n->first], id) :
						     fold_group(rs, n, fold);
	}
}
