// SPDX-License-Identifier: Apache-2.0
/* Which answers about texts a memo keeps. */
#include "rules/memo.h"

/* One cheap look costs less than to find out whether the text is known, if the text is there. */
static bool is_costly(const struct shk_slot *s, const struct shk_test *t)
{
	if (s->kind == SHK_OPERAND_FIELD && s->ref.field->image)
		return true;
	switch (t->op) {
	case SHK_OP_REGEX:
	case SHK_OP_PMATCH:
	case SHK_OP_GLOB:
	case SHK_OP_IGLOB:
	case SHK_OP_CONTAINS:
	case SHK_OP_ICONTAINS:
		return true;
	default:
		return t->n > 1;
	}
}

/* Its answer depends on nothing but one text and constants. */
static bool is_about_text(const struct shk_ruleset *rs, const struct shk_test *t)
{
	return t->group == UINT32_MAX && t->right == SHK_SLOT_NONE && !t->multi &&
	       t->op != SHK_OP_EXISTS && t->kind != SHK_TEST_CALL &&
	       shk_type_is_text(rs->slots.v[t->left].type);
}

static bool next_answer(struct shk_slot *s, uint16_t *ret)
{
	if (s->n_answer == SHK_MEMO_ANSWERS)
		return false;
	*ret = s->n_answer++;
	return true;
}

void shk_memo_plan(struct shk_ruleset *rs)
{
	bool costly = true;

	for (uint32_t i = 0; i < rs->n_group; i++) /* a handful per slot */
		(void)next_answer(&rs->slots.v[rs->group[i].slot], &rs->group[i].answer);
	/* First those that are worth a look for a known text, then the others about the same texts. */
	for (unsigned pass = 0; pass < 2; pass++, costly = false)
		for (size_t i = 0; i < rs->n_test; i++) {
			struct shk_test *t = &rs->test[i];
			struct shk_slot *s = &rs->slots.v[t->left];

			if (costly)
				t->answer = SHK_NO_ANSWER;
			if (!is_about_text(rs, t) || is_costly(s, t) != costly || (!costly && !s->n_answer))
				continue;
			(void)next_answer(s, &t->answer);
		}
	for (size_t i = 0; i < rs->slots.n; i++)
		if (rs->slots.v[i].n_answer)
			rs->slots.v[i].answered = rs->n_answered++;
}
