// SPDX-License-Identifier: Apache-2.0
/* Code for a set of rules: shared parts that mostly fail first, then by what values say, then one by one. */
#include "rules/code.h"

#include <stdlib.h>

#define DEPTH_MAX  8	/* of sets within sets */
#define FACTORS	   64	/* shared parts tried per set */
#define YES_MAX	   0.5f /* a shared part that holds more often saves nothing */

struct factor {
	shk_ref part;
	float score;
};

static int by_score(const void *x, const void *y)
{
	const struct factor *a = x, *b = y;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->part > b->part) - (a->part < b->part);
}

static bool has(const struct shk_item *it, shk_ref part)
{
	for (uint32_t i = 0; i < it->n; i++)
		if (it->part[i] == part)
			return true;
	return false;
}

static float yes_of(const struct shk_code *k, shk_ref r)
{
	float p = k->c->guess[r >> 1].yes;

	return r & 1 ? 1 - p : p;
}

static float price(const struct shk_code *k, shk_ref r)
{
	return shk_code_price(k, r, false);
}

/* Is the part, looked at once for all rules that have it, cheaper than what each of them would look at first? */
static bool pays(const struct shk_code *k, const struct shk_item *item, size_t n, shk_ref part)
{
	float own = k->c->guess[part >> 1].cost, others = 0;

	for (size_t i = 0; i < n && others < own; i++) {
		shk_ref best = part;

		if (!has(&item[i], part))
			continue;
		for (uint32_t j = 0; j < item[i].n; j++)
			if (best == part || (item[i].part[j] != part && price(k, item[i].part[j]) < price(k, best)))
				best = item[i].part[j];
		others += k->c->guess[best >> 1].cost;
	}
	return others >= own;
}

/* Parts of at least two rules, the most useful ones first. Those with a gate do better behind one; those that move, where
 * gates have left few to need them. */
static size_t factors(struct shk_code *k, const struct shk_item *item, size_t n, struct factor *f)
{
	struct factor *all;
	size_t m = 0, most = 0, top;

	for (size_t i = 0; i < n; i++) {
		most += item[i].n;
		for (uint32_t j = 0; j < item[i].n; j++)
			k->count[item[i].part[j]]++;
	}
	all = SHK_ARENA_ARRAY(&k->tmp, struct factor, most);
	k->failed |= !all;
	for (size_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < item[i].n; j++) {
			shk_ref r = item[i].part[j];
			float count = (float)k->count[r], p = yes_of(k, r);
			struct shk_gate gate;

			k->count[r] = 0;
			if (!all || count < 2 || p > YES_MAX || k->c->guess[r >> 1].moves || shk_gate_of(k, r, &gate))
				continue;
			all[m++] = (struct factor){ r, count * (1 - p) / k->c->guess[r >> 1].cost };
		}
	if (m)
		qsort(all, m, sizeof(*all), by_score);
	top = SHK_MIN(m, (size_t)FACTORS);
	m = 0;
	for (size_t i = 0; i < top; i++)
		if (pays(k, item, n, all[i].part))
			f[m++] = all[i];
	return m;
}

/* Moves the items with the part behind the others, without it. Their number. */
static size_t take(struct shk_code *k, struct shk_item *item, size_t *n, shk_ref part,
		   struct shk_item **ret)
{
	struct shk_item *with = SHK_ARENA_ARRAY(&k->tmp, struct shk_item, *n);
	size_t m = 0, rest = 0;

	k->failed |= !with;
	for (size_t i = 0; with && i < *n; i++)
		m += has(&item[i], part);
	if (!with || m < 2)
		return 0;
	m = 0;
	for (size_t i = 0; i < *n; i++) {
		struct shk_item *it;
		uint32_t k2 = 0;

		if (!has(&item[i], part)) {
			item[rest++] = item[i];
			continue;
		}
		it = &with[m++];
		*it = item[i];
		for (uint32_t j = 0; j < it->n; j++)
			if (it->part[j] != part)
				it->part[k2++] = it->part[j];
		it->n = k2;
	}
	*n = rest;
	*ret = with;
	return m;
}

static void one_by_one(struct shk_code *k, struct shk_item *item, size_t n)
{
	for (size_t i = 0; i < n && !k->failed; i++) {
		uint32_t next = shk_code_label(k);
		shk_ref *v = item[i].part;

		for (uint32_t a = 1; a < item[i].n; a++) {
			shk_ref x = v[a];
			uint32_t b = a;

			for (; b > 0 && price(k, v[b - 1]) > price(k, x); b--)
				v[b] = v[b - 1];
			v[b] = x;
		}
		while (item[i].n && !k->failed)
			shk_code_first(k, v, &item[i].n, false, next);
		shk_code_step(k, (struct shk_step){ .op = SHK_DO_MATCH, .a = item[i].entry });
		shk_code_place(k, next);
	}
}

void shk_code_set(struct shk_code *k, struct shk_item *item, size_t n, unsigned depth)
{
	struct factor f[FACTORS];
	size_t m = 0;

	if (depth < DEPTH_MAX && n > 1 && !k->failed)
		m = factors(k, item, n, f);
	for (size_t i = 0; i < m && n > 1 && !k->failed; i++) {
		struct shk_item *with;
		size_t w = take(k, item, &n, f[i].part, &with);
		uint32_t past;

		if (!w)
			continue;
		past = shk_code_label(k);
		shk_code_jump(k, f[i].part, false, past);
		shk_code_set(k, with, w, depth + 1);
		shk_code_place(k, past);
	}
	if (depth < DEPTH_MAX && !k->failed)
		n = shk_gate_spread(k, item, n, depth);
	one_by_one(k, item, n);
}
