// SPDX-License-Identifier: Apache-2.0
/*
 * A program's rules in three-valued logic, for 64 sets of questions at once: a bit of each word is one of them, a
 * "lane". What the questions of lane 0 decide stays decided while more are asked, so it is looked at no more
 * once it is settled.
 */
#include "rules/memo.h"

#define PLANES 24 /* bits of a count of rules */

bool shk_memo_logic(struct shk_memo_logic *x, const struct shk_run *run, const struct shk_memo_list *list,
		    const uint16_t *q, const bool *answer)
{
	struct shk_arena *a = run->slots.ctx->ev->arena;

	*x = (struct shk_memo_logic){ .rs = run->rs, .list = list, .q = q, .answer = answer };
	x->yes = shk_arena_alloc_raw(a, 2 * (list->n + 1) * sizeof(*x->yes));
	x->live = shk_arena_alloc_raw(a, 2 * (list->n + 1) * sizeof(*x->live));
	x->rule = shk_arena_alloc_raw(a, 2 * (list->n_root + 1) * sizeof(*x->rule));
	if (!x->yes || !x->live || !x->rule)
		return false;
	x->no = x->yes + list->n + 1;
	x->kept.live = x->live + list->n + 1;
	x->kept.rule = x->rule + list->n_root + 1;
	x->n_live = list->n;
	x->n_rule = list->n_root;
	for (uint32_t i = 0; i < x->n_live; i++)
		x->live[i] = (uint16_t)i;
	if (x->n_rule)
		memcpy(x->rule, list->root, x->n_rule * sizeof(*x->rule));
	return true;
}

void shk_memo_keep(struct shk_memo_logic *x)
{
	memcpy(x->kept.live, x->live, x->n_live * sizeof(*x->live));
	memcpy(x->kept.rule, x->rule, x->n_rule * sizeof(*x->rule));
	x->kept.n_live = x->n_live;
	x->kept.n_rule = x->n_rule;
}

void shk_memo_unsettle(struct shk_memo_logic *x)
{
	memcpy(x->live, x->kept.live, x->kept.n_live * sizeof(*x->live));
	memcpy(x->rule, x->kept.rule, x->kept.n_rule * sizeof(*x->rule));
	x->n_live = x->kept.n_live;
	x->n_settled += x->n_rule;
	x->n_rule = x->kept.n_rule;
	x->n_settled -= x->n_rule;
}

static void of_node(struct shk_memo_logic *x, uint32_t at, bool or)
{
	const struct shk_memo_list *l = x->list;
	uint64_t all = UINT64_MAX, any = 0; /* of an OR: no and yes; of an AND: yes and no */

	for (uint32_t i = l->first[at]; i < l->first[at + 1]; i++) {
		uint32_t child = l->edge[i] >> 1;
		bool turned = (l->edge[i] & 1) != or;

		all &= turned ? x->no[child] : x->yes[child];
		any |= turned ? x->yes[child] : x->no[child];
	}
	x->yes[at] = or ? any : all;
	x->no[at] = or ? all : any;
}

void shk_memo_decide(struct shk_memo_logic *x, const uint64_t *asked)
{
	for (uint32_t i = 0; i < x->n_live; i++) {
		uint32_t at = x->live[i];
		const struct shk_node *n = &x->rs->node[x->list->node[at]];

		if (n->kind != SHK_NODE_TEST) {
			of_node(x, at, n->kind == SHK_NODE_OR);
			continue;
		}
		x->yes[at] = x->answer[at] ? asked[x->q[at]] : 0;
		x->no[at] = x->answer[at] ? 0 : asked[x->q[at]];
	}
}

bool shk_memo_count(const struct shk_memo_logic *x, uint32_t count[SHK_MEMO_LANES])
{
	uint64_t plane[PLANES] = { 0 };
	unsigned used = 0;

	for (uint32_t i = 0; i < x->n_rule; i++) {
		uint32_t at = x->rule[i] >> 1;
		uint64_t carry = x->yes[at] | x->no[at];

		for (unsigned k = 0; carry && k < PLANES; k++) {
			uint64_t both = plane[k] & carry;

			plane[k] ^= carry;
			carry = both;
			used = SHK_MAX(used, k + 1);
		}
	}
	for (unsigned lane = 0; lane < SHK_MEMO_LANES; lane++) {
		count[lane] = x->n_settled;
		for (unsigned k = 0; k < used; k++)
			count[lane] += (uint32_t)(plane[k] >> lane & 1) << k;
	}
	return count[0] == x->list->n_root;
}

void shk_memo_settle(struct shk_memo_logic *x)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->n_live; i++) {
		uint32_t at = x->live[i];

		if (!((x->yes[at] | x->no[at]) & 1)) {
			x->live[n++] = (uint16_t)at;
			continue;
		}
		x->yes[at] = x->yes[at] & 1 ? UINT64_MAX : 0;
		x->no[at] = x->no[at] & 1 ? UINT64_MAX : 0;
	}
	x->n_live = n;
	n = 0;
	for (uint32_t i = 0; i < x->n_rule; i++) {
		uint32_t at = x->rule[i] >> 1;

		if (!((x->yes[at] | x->no[at]) & 1))
			x->rule[n++] = x->rule[i];
	}
	x->n_settled += x->n_rule - n;
	x->n_rule = n;
}
