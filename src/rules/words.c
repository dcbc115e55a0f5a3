// SPDX-License-Identifier: Apache-2.0
/* Many sets of whole texts in one table, many sets of path prefixes in one trie. */
#include "rules/trie.h"

#include <errno.h>
#include <stdlib.h>

static int by_text(const void *x, const void *y)
{
	const struct shk_pattern *a = x, *b = y;
	int c = shk_str_cmp(a->s, b->s);

	return c ? c : (a->bit > b->bit) - (a->bit < b->bit);
}

static size_t table_size(size_t n)
{
	size_t size = 2;

	while (size < n * 2)
		size *= 2;
	return size;
}

int shk_words_build(struct shk_arena *a, struct shk_pattern *p, size_t n, struct shk_words *ret)
{
	struct shk_words_slot *slot;
	uint32_t *bit, k = 0;
	size_t size, distinct = 0;

	*ret = (struct shk_words){ 0 };
	if (!n)
		return 0;
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	qsort(p, n, sizeof(*p), by_text);
	for (size_t i = 0; i < n; i++)
		distinct += !i || !shk_str_eq(p[i - 1].s, p[i].s);
	size = table_size(distinct);
	slot = SHK_ARENA_ARRAY(a, struct shk_words_slot, size);
	bit = SHK_ARENA_ARRAY(a, uint32_t, n);
	if (!slot || !bit)
		return -ENOMEM;
	*ret = (struct shk_words){ .mask = (uint32_t)(size - 1), .slot = slot, .bit = bit };
	for (size_t i = 0; i < n;) {
		struct shk_words_slot w = { .hash = shk_str_hash(p[i].s), .first = k, .s = p[i].s };
		uint32_t at = w.hash & ret->mask;

		/* A set may name a text twice. */
		for (; i < n && shk_str_eq(p[i].s, w.s); i++)
			if (k == w.first || bit[k - 1] != p[i].bit)
				bit[k++] = p[i].bit;
		w.n = k - w.first;
		while (slot[at].n)
			at = (at + 1) & ret->mask;
		slot[at] = w;
		ret->lengths |= shk_str_length_bit(w.s);
	}
	return 0;
}

void shk_words_match(const struct shk_words *w, struct shk_str s, uint64_t *bits)
{
	const struct shk_words_slot *slot;
	uint32_t hash;

	if (!w->slot || !(w->lengths & shk_str_length_bit(s)))
		return;
	hash = shk_str_hash(s);
	for (uint32_t at = hash & w->mask; (slot = &w->slot[at])->n; at = (at + 1) & w->mask) {
		if (slot->hash != hash || !shk_str_eq(slot->s, s))
			continue;
		for (uint32_t i = 0; i < slot->n; i++) {
			uint32_t b = w->bit[slot->first + i];
			uint64_t one = UINT64_C(1) << b / 2 % 64;

			if (b & 1)
				bits[b / 128] &= ~one;
			else
				bits[b / 128] |= one;
		}
		return;
	}
}

/* ---- components ---- */

static uint32_t comp_hash(uint32_t parent, struct shk_str comp)
{
	return shk_str_hash(comp) ^ parent * UINT32_C(0x9e3779b1);
}

static uint32_t find(const struct shk_comps *c, uint32_t parent, struct shk_str comp, uint32_t *ret_at)
{
	uint32_t at = comp_hash(parent, comp) & c->mask;

	for (; c->slot[at].node; at = (at + 1) & c->mask)
		if (c->slot[at].parent == parent && shk_str_eq(c->slot[at].comp, comp))
			break;
	if (ret_at)
		*ret_at = at;
	return c->slot[at].node;
}

static size_t count_comps(struct shk_str path)
{
	struct shk_str c;
	size_t n = 0;

	while (shk_path_next(&path, &c))
		n++;
	return n;
}

int shk_comps_build(struct shk_arena *a, const struct shk_pattern *p, size_t n, struct shk_comps *ret)
{
	struct shk_comps_link *link;
	struct shk_comps_slot *slot;
	size_t nodes = 1, size;
	uint32_t *out;

	*ret = (struct shk_comps){ 0 };
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		nodes += count_comps(p[i].s);
	if (nodes > UINT32_MAX / 4 || n > UINT32_MAX / 4)
		return -ENOMEM;
	size = table_size(nodes);
	slot = SHK_ARENA_ARRAY(a, struct shk_comps_slot, size);
	out = SHK_ARENA_ARRAY(a, uint32_t, nodes);
	link = SHK_ARENA_ARRAY(a, struct shk_comps_link, n);
	if (!slot || !out || !link)
		return -ENOMEM;
	*ret = (struct shk_comps){ .mask = (uint32_t)(size - 1), .n = 1, .slot = slot, .out = out,
				   .link = link };
	for (size_t i = 0; i < n; i++) {
		struct shk_str rest = p[i].s, comp;
		uint32_t node = 0, at;

		while (shk_path_next(&rest, &comp)) {
			uint32_t to = find(ret, node, comp, &at);

			if (!to) {
				to = ret->n++;
				slot[at] = (struct shk_comps_slot){ node, to, comp };
			}
			node = to;
		}
		link[i] = (struct shk_comps_link){ p[i].bit, out[node] };
		out[node] = (uint32_t)i + 1;
	}
	return 0;
}

void shk_comps_match(const struct shk_comps *c, struct shk_str path, uint64_t *bits)
{
	struct shk_str comp;
	uint32_t node = 0;

	if (!c->n)
		return;
	do {
		for (uint32_t l = c->out[node]; l; l = c->link[l - 1].next)
			bits[c->link[l - 1].bit / 64] |= UINT64_C(1) << c->link[l - 1].bit % 64;
		if (!shk_path_next(&path, &comp))
			return;
		node = find(c, node, comp, NULL);
	} while (node);
}
