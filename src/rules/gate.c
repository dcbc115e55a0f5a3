// SPDX-License-Identifier: Apache-2.0
/* Rules that a value must speak for: the block of such a rule is executed only if one of its bits is set. */
#include "rules/code.h"

#include <stddef.h>
#include <stdlib.h>

#define YES_MAX	  0.3f /* of all bits of a gate together */
#define WORTH_IT  2    /* rules of a set that have a gate */
#define PRICE_MAX 0.9f /* a gate that costs as much as a group of its own is none */

/* Of one comparison. `!=` and the like hold for too many values. */
static bool test_gate(const struct shk_code *k, shk_ref r, struct shk_gate *g)
{
	const struct shk_test *t = &k->c->rs->test[k->c->rs->node[r >> 1].first];
	float yes = k->c->guess[r >> 1].yes;

	if (r & 1 || t->group == UINT32_MAX || t->op == SHK_OP_NE || yes > YES_MAX)
		return false;
	g->n = 1;
	g->yes = yes;
	g->class = k->c->rs->group[t->group].class;
	g->v[0].group = t->group;
	g->v[0].bit = t->bit;
	return true;
}

/* Gates are large and mostly empty. */
static void copy_gate(struct shk_gate *to, const struct shk_gate *from)
{
	memcpy(to, from, offsetof(struct shk_gate, v) + from->n * sizeof(from->v[0]));
}

static bool better(const struct shk_gate *a, const struct shk_gate *b)
{
	return a->class != b->class ? a->class < b->class : a->yes < b->yes;
}

/* A rule's share in looking at the groups of its gate, which rules of the set with such gates have in common. */
static float price(const struct shk_code *k, const struct shk_gate *g)
{
	float sum = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		uint32_t group = g->v[i].group;
		bool seen = false;

		for (uint32_t j = 0; j < i && !seen; j++)
			seen = g->v[j].group == group;
		if (!seen)
			sum += (k->c->rs->group[group].class == SHK_GROUP_ENDS ? 1.0f : 3.0f) /
			       (float)SHK_MAX(k->count_group[group], 1u);
	}
	return sum;
}

static bool unite(struct shk_gate *g, const struct shk_gate *with)
{
	if (g->n + with->n > SHK_GATE_MAX || g->yes + with->yes > YES_MAX)
		return false;
	memcpy(g->v + g->n, with->v, with->n * sizeof(g->v[0]));
	g->n += with->n;
	g->yes += with->yes;
	g->class = SHK_MAX(g->class, with->class);
	return true;
}

/* Of an OR all parts need one; of an AND the best one will do. Two levels: deeper ones are rare, and
 * gates are large. */
static bool gate_of(const struct shk_code *k, shk_ref r, unsigned level, struct shk_gate *ret)
{
	const struct shk_node *n = &k->c->rs->node[r >> 1];
	bool all = (n->kind == SHK_NODE_OR) != (r & 1), some = false;
	struct shk_gate g;

	if (n->kind == SHK_NODE_TEST)
		return test_gate(k, r, ret);
	if (level == 3 || n->n > SHK_GATE_MAX)
		return false;
	ret->n = 0;
	ret->yes = 0;
	ret->class = 0;
	for (uint32_t i = 0; i < n->n; i++) {
		shk_ref e = k->c->rs->edge[n->first + i] ^ (r & 1);

		if (shk_code_fold(k, e) == (all ? SHK_FOLD_NO : SHK_FOLD_YES))
			continue;
		if (!gate_of(k, e, level + 1, &g)) {
			if (all)
				return false;
			continue;
		}
		if (all) {
			if (!unite(ret, &g))
				return false;
		} else if (!some || better(&g, ret)) {
			copy_gate(ret, &g);
		}
		some = true;
	}
	return some;
}

bool shk_gate_of(const struct shk_code *k, shk_ref part, struct shk_gate *ret)
{
	return gate_of(k, part, 0, ret);
}

struct gated {
	struct shk_item item;
	struct shk_gate *gate;
	shk_ref part; /* it comes from */
};

static void count_groups(struct shk_code *k, const struct shk_item *item, size_t n)
{
	struct shk_gate g;

	memset(k->count_group, 0, k->c->rs->n_group * sizeof(*k->count_group));
	for (size_t x = 0; x < n; x++)
		for (uint32_t i = 0; i < item[x].n; i++) {
			if (!shk_gate_of(k, item[x].part[i], &g))
				continue;
			for (uint32_t j = 0; j < g.n; j++)
				if (!j || g.v[j].group != g.v[j - 1].group)
					k->count_group[g.v[j].group]++;
		}
}

static bool best_gate(struct shk_code *k, const struct shk_item *it, struct gated *ret)
{
	struct shk_gate g, best;
	float least = PRICE_MAX;
	size_t size;

	ret->gate = NULL;
	best.n = 0;
	for (uint32_t i = 0; i < it->n; i++) {
		float p;

		if (!shk_gate_of(k, it->part[i], &g))
			continue;
		p = price(k, &g);
		if (p > least || (p == least && (!best.n || !better(&g, &best))))
			continue;
		copy_gate(&best, &g);
		ret->part = it->part[i];
		least = p;
	}
	ret->item = *it;
	if (!best.n)
		return false;
	size = offsetof(struct shk_gate, v) + best.n * sizeof(best.v[0]); /* hardly ever all of it */
	ret->gate = shk_arena_alloc_raw(&k->tmp, size);
	if (ret->gate)
		memcpy(ret->gate, &best, size);
	k->failed |= !ret->gate;
	return ret->gate;
}

static int by_part(const void *x, const void *y)
{
	const struct gated *a = x, *b = y;

	if (a->part != b->part)
		return a->part < b->part ? -1 : 1;
	return (a->item.entry > b->item.entry) - (a->item.entry < b->item.entry);
}

struct link { /* a bit of a group leads to a block */
	uint32_t group, bit, block;
};

static int by_bit(const void *x, const void *y)
{
	const struct link *a = x, *b = y;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->bit != b->bit)
		return a->bit < b->bit ? -1 : 1;
	return (a->block > b->block) - (a->block < b->block);
}

/* A block of rules that share the part their gate comes from. A single comparison need not be looked at
 * again: its bit is set when the block is executed. */
static bool add_block(struct shk_code *k, struct gated *g, size_t n, unsigned depth)
{
	struct shk_block b = { .label = shk_code_label(k), .n = n, .depth = depth + 1 };

	b.item = SHK_ARENA_ARRAY(&k->tmp, struct shk_item, n);
	k->failed |= !b.item;
	for (size_t i = 0; b.item && i < n; i++) {
		struct shk_item *it = &b.item[i];
		uint32_t m = 0;

		*it = g[i].item;
		if (k->c->rs->node[g->part >> 1].kind != SHK_NODE_TEST)
			continue;
		for (uint32_t j = 0; j < it->n; j++)
			if (it->part[j] != g->part)
				it->part[m++] = it->part[j];
		it->n = m;
	}
	if (k->failed || !shk_code_room(k, &k->block, k->n_block, &k->room_block, sizeof(b)))
		return false;
	k->block[k->n_block++] = b;
	return true;
}

/* The links of one group become a spread. */
static void add_spread(struct shk_code *k, const struct link *v, size_t n)
{
	const struct shk_group *g = &k->c->rs->group[v->group];
	struct shk_arena *a = &k->c->rs->arena;
	uint64_t *mask = SHK_ARENA_ARRAY(a, uint64_t, g->n_word);
	uint32_t *base = SHK_ARENA_ARRAY(a, uint32_t, g->n_word);
	uint32_t *first = SHK_ARENA_ARRAY(a, uint32_t, n + 1);
	uint32_t *block = SHK_ARENA_ARRAY(a, uint32_t, n);
	uint32_t bits = 0, blocks = 0;

	if (!mask || !base || !first || !block ||
	    !shk_code_room(k, &k->spread, k->n_spread, &k->room_spread, sizeof(*k->spread))) {
		k->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (!i || v[i].bit != v[i - 1].bit)
			first[bits++] = blocks;
		else if (v[i].block == v[i - 1].block)
			continue;
		mask[v[i].bit / 64] |= UINT64_C(1) << v[i].bit % 64;
		block[blocks++] = v[i].block;
	}
	first[bits] = blocks;
	for (uint32_t w = 1; w < g->n_word; w++)
		base[w] = base[w - 1] + (uint32_t)__builtin_popcountll(mask[w - 1]);
	shk_code_step(k, (struct shk_step){ .op = SHK_DO_SPREAD, .a = (uint32_t)k->n_spread,
					    .b = v->group });
	k->spread[k->n_spread++] = (struct shk_spread){ mask, base, first, block };
}

static void add_spreads(struct shk_code *k, struct link *v, size_t n)
{
	size_t from = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_bit);
	for (size_t i = 1; i <= n && !k->failed; i++) {
		if (i < n && v[i].group == v[from].group)
			continue;
		add_spread(k, v + from, i - from);
		from = i;
	}
}

static void add_blocks(struct shk_code *k, struct gated *g, size_t n, unsigned depth)
{
	size_t links = 0, from = 0;
	struct link *v;

	for (size_t i = 0; i < n; i++)
		links += g[i].gate->n;
	v = SHK_ARENA_ARRAY(&k->tmp, struct link, links);
	k->failed |= !v;
	links = 0;
	qsort(g, n, sizeof(*g), by_part);
	for (size_t i = 1; i <= n && !k->failed; i++) {
		if (i < n && g[i].part == g[from].part)
			continue;
		for (uint32_t j = 0; j < g[from].gate->n; j++)
			v[links++] = (struct link){ g[from].gate->v[j].group,
						    g[from].gate->v[j].bit, (uint32_t)k->n_block };
		if (!add_block(k, g + from, i - from, depth))
			return;
		from = i;
	}
	if (!k->failed)
		add_spreads(k, v, links);
}

size_t shk_gate_spread(struct shk_code *k, struct shk_item *item, size_t n, unsigned depth)
{
	struct gated *g = SHK_ARENA_ARRAY(&k->tmp, struct gated, n);
	size_t m = 0, rest = 0;

	k->failed |= !g;
	if (!g || n < WORTH_IT)
		return n;
	count_groups(k, item, n);
	for (size_t i = 0; i < n && !k->failed; i++) {
		if (best_gate(k, &item[i], &g[m]))
			m++;
		else
			item[rest++] = item[i];
	}
	if (m < WORTH_IT) {
		for (size_t i = 0; i < m; i++)
			item[rest++] = g[i].item;
		return rest;
	}
	add_blocks(k, g, m, depth);
	return rest;
}
