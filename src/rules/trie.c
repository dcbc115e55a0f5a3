// SPDX-License-Identifier: Apache-2.0
/* Tries of bytes; with links along endings, for patterns anywhere in a text. */
#include "rules/trie.h"

#include <errno.h>
#include <stdlib.h>

/* Byte i of a pattern or text in the order the trie reads it. */
static uint8_t byte_at(enum shk_trie_kind kind, struct shk_str s, size_t i)
{
	uint8_t c = (uint8_t)s.p[kind == SHK_TRIE_SUFFIX ? s.n - 1 - i : i];

	return kind == SHK_TRIE_INSIDE_FOLD ? shk_low(c) : c;
}

static size_t common(enum shk_trie_kind kind, struct shk_str a, struct shk_str b)
{
	size_t i = 0;

	while (i < a.n && i < b.n && byte_at(kind, a, i) == byte_at(kind, b, i))
		i++;
	return i;
}

static int compare(enum shk_trie_kind kind, const struct shk_pattern *a, const struct shk_pattern *b)
{
	size_t i = common(kind, a->s, b->s);

	if (i < a->s.n && i < b->s.n)
		return byte_at(kind, a->s, i) < byte_at(kind, b->s, i) ? -1 : 1;
	if (a->s.n != b->s.n)
		return a->s.n < b->s.n ? -1 : 1;
	return (a->bit > b->bit) - (a->bit < b->bit);
}

static int by_start(const void *x, const void *y)
{
	return compare(SHK_TRIE_PREFIX, x, y);
}

static int by_end(const void *x, const void *y)
{
	return compare(SHK_TRIE_SUFFIX, x, y);
}

static int by_folded(const void *x, const void *y)
{
	return compare(SHK_TRIE_INSIDE_FOLD, x, y);
}

/* The patterns below a node while building: p[from..to), which agree in their first `depth` bytes. */
struct range {
	uint32_t from, to, depth;
};

struct build {
	enum shk_trie_kind kind;
	const struct shk_pattern *p;
	struct shk_trie_node *node;
	uint8_t *label;
	struct range *range;
	uint32_t n;
};

static bool anchored(enum shk_trie_kind kind)
{
	return kind == SHK_TRIE_PREFIX || kind == SHK_TRIE_SUFFIX;
}

/* Where nothing branches or ends there is no node: the way to the next one is longer. */
static void add_tail(struct build *b, uint32_t at)
{
	struct range *r = &b->range[at];
	struct shk_str s = b->p[r->from].s;
	uint32_t end;

	if (!anchored(b->kind))
		return;
	end = (uint32_t)common(b->kind, s, b->p[r->to - 1].s);
	b->node[at].n_tail = end - r->depth;
	b->node[at].tail = b->kind == SHK_TRIE_PREFIX ? s.p + r->depth : s.p + s.n - end;
	r->depth = end;
}

/* A node's children come right behind the last node so far. */
static void add_children(struct build *b, uint32_t at)
{
	struct shk_trie_node *node = &b->node[at];
	struct range r = b->range[at];

	node->out = r.from;
	while (r.from < r.to && b->p[r.from].s.n == r.depth)
		r.from++;
	node->n_out = r.from - node->out;
	node->child = b->n;
	while (r.from < r.to) {
		uint8_t c = byte_at(b->kind, b->p[r.from].s, r.depth);
		uint32_t to = r.from + 1;

		while (to < r.to && byte_at(b->kind, b->p[to].s, r.depth) == c)
			to++;
		b->label[b->n] = c;
		b->range[b->n] = (struct range){ r.from, to, r.depth + 1 };
		add_tail(b, b->n++);
		node->n_child++;
		r.from = to;
	}
}

static inline uint32_t step(const struct shk_trie *t, uint32_t at, uint8_t c)
{
	const struct shk_trie_node *node = &t->node[at];
	const uint8_t *label = t->label + node->child;
	uint32_t lo = 0, n = node->n_child;

	while (n > 8) {
		uint32_t half = n / 2;

		if (label[lo + half] <= c)
			lo += half;
		n -= half;
	}
	for (; n; n--, lo++)
		if (label[lo] == c)
			return node->child + lo;
	return 0;
}

static uint32_t step_inside(const struct shk_trie *t, uint32_t at, uint8_t c)
{
	while (at) {
		uint32_t to = step(t, at, c);

		if (to)
			return to;
		at = t->node[at].fail;
	}
	return t->root[c];
}

/* Shorter endings are complete when a node is reached: order is by depth. */
static void add_links(struct shk_trie *t, struct shk_trie_node *node)
{
	for (uint32_t at = 0; at < t->n; at++)
		for (uint32_t k = 0; k < node[at].n_child; k++) {
			uint32_t to = node[at].child + k;
			uint32_t fail = at ? step_inside(t, node[at].fail, t->label[to]) : 0;

			node[to].fail = fail;
			node[to].next = node[fail].n_out && fail ? fail : node[fail].next;
		}
}

static uint32_t pair_of(uint8_t a, uint8_t b)
{
	return (a * 61u + b) % SHK_TRIE_PAIRS;
}

/* Per pair of bytes: how far a window of the shortest pattern's length that ends in it can be moved on, and whether a
 * pattern begins with it. */
#define PAIR_BEGINS 0x80u
#define PAIR_FAR    0x7fu

static int add_skips(struct shk_arena *a, const struct build *b, size_t n, struct shk_trie *t)
{
	size_t least = PAIR_FAR;
	uint8_t *skip;

	for (size_t i = 0; i < n; i++) /* an empty one is in every text: no need to look */
		if (b->p[i].s.n)
			least = SHK_MIN(least, b->p[i].s.n);
	if (least < 2)
		return 0;
	skip = shk_arena_alloc_raw(a, SHK_TRIE_PAIRS);
	if (!skip)
		return -ENOMEM;
	memset(skip, (int)(least - 1), SHK_TRIE_PAIRS);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 1; b->p[i].s.n && k < least; k++) {
			uint8_t *s = &skip[pair_of(byte_at(b->kind, b->p[i].s, k - 1),
						   byte_at(b->kind, b->p[i].s, k))];
			size_t far = SHK_MIN(*s & PAIR_FAR, least - 1 - k);

			*s = (uint8_t)((*s & PAIR_BEGINS) | far | (k == 1 ? PAIR_BEGINS : 0));
		}
	t->skip = skip;
	t->least = (uint32_t)least;
	return 0;
}

static int add_root(struct shk_arena *a, struct shk_trie *t)
{
	uint32_t *root = SHK_ARENA_ARRAY(a, uint32_t, 256);

	if (!root)
		return -ENOMEM;
	for (uint32_t k = 0; k < t->node[0].n_child; k++)
		root[t->label[t->node[0].child + k]] = t->node[0].child + k;
	t->root = root;
	return 0;
}

int shk_trie_build(struct shk_arena *a, enum shk_trie_kind kind, struct shk_pattern *p, size_t n,
		   struct shk_trie *ret)
{
	struct build b = { .kind = kind, .p = p };
	_cleanup_free_ struct range *range = NULL;
	size_t nodes = 1;
	uint32_t *bit;

	*ret = (struct shk_trie){ .kind = kind };
	if (!n)
		return 0;
	qsort(p, n, sizeof(*p), kind == SHK_TRIE_SUFFIX	     ? by_end :
				kind == SHK_TRIE_INSIDE_FOLD ? by_folded :
							       by_start);
	for (size_t i = 0; i < n; i++)
		nodes += p[i].s.n - (i ? common(kind, p[i - 1].s, p[i].s) : 0);
	if (anchored(kind))
		nodes = SHK_MIN(nodes, 2 * n + 1);
	if (nodes > UINT32_MAX / 2 || n > UINT32_MAX / 2)
		return -ENOMEM;
	b.node = SHK_ARENA_ARRAY(a, struct shk_trie_node, nodes);
	b.label = SHK_ARENA_ARRAY(a, uint8_t, nodes);
	bit = SHK_ARENA_ARRAY(a, uint32_t, n);
	b.range = range = reallocarray(NULL, nodes, sizeof(*range));
	if (!b.node || !b.label || !bit || !range)
		return -ENOMEM;
	range[0] = (struct range){ 0, (uint32_t)n, 0 };
	b.n = 1;
	for (uint32_t i = 0; i < b.n; i++)
		add_children(&b, i);
	for (size_t i = 0; i < n; i++)
		bit[i] = p[i].bit;
	*ret = (struct shk_trie){ .kind = kind, .n = b.n, .node = b.node, .label = b.label, .bit = bit };
	if (kind != SHK_TRIE_INSIDE && kind != SHK_TRIE_INSIDE_FOLD)
		return 0;
	if (add_root(a, ret) < 0 || add_skips(a, &b, n, ret) < 0)
		return -ENOMEM;
	add_links(ret, b.node);
	return 0;
}

static void emit(const struct shk_trie *t, const struct shk_trie_node *node, uint64_t *bits)
{
	for (uint32_t i = 0; i < node->n_out; i++) {
		uint32_t bit = t->bit[node->out + i];

		bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static inline uint8_t pair_at(const struct shk_trie *t, const uint8_t *p, bool fold)
{
	return t->skip[fold ? pair_of(shk_low(p[0]), shk_low(p[1])) : pair_of(p[0], p[1])];
}

/* The first place where a pattern can begin, of a window that ends in `last` or later; n: none. Made once for each way. */
static inline __attribute__((always_inline)) size_t next_pair(const struct shk_trie *t, const uint8_t *p, size_t last, size_t n,
							      bool fold)
{
	for (size_t by; last < n; last += by ? by : 1) {
		size_t first = last + 1 - t->least;

		by = pair_at(t, p + last - 1, fold) & PAIR_FAR;
		if (!by && pair_at(t, p + first, fold) & PAIR_BEGINS)
			return first;
	}
	return n;
}

/* The first place from i on where a pattern can begin. */
static size_t next_start(const struct shk_trie *t, const uint8_t *p, size_t i, size_t n)
{
	size_t last = i + t->least - 1;

	return t->kind == SHK_TRIE_INSIDE_FOLD ? next_pair(t, p, last, n, true) : next_pair(t, p, last, n, false);
}

/* Most texts have next to nothing of what is looked for: what cannot begin a pattern is skipped as long
 * as none has begun. */
static void match_inside(const struct shk_trie *t, struct shk_str s, uint64_t *bits)
{
	bool fold = t->kind == SHK_TRIE_INSIDE_FOLD;
	const uint8_t *p = (const uint8_t *)s.p;
	uint32_t at = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!at && t->skip) {
			i = next_start(t, p, i, s.n);
			if (i == s.n)
				return;
		}
		at = step_inside(t, at, fold ? shk_low(p[i]) : p[i]);
		if (!at)
			continue;
		for (uint32_t x = t->node[at].n_out ? at : t->node[at].next; x; x = t->node[x].next)
			emit(t, &t->node[x], bits);
	}
}

static void match_anchored(const struct shk_trie *t, struct shk_str s, uint64_t *bits)
{
	bool back = t->kind == SHK_TRIE_SUFFIX;
	uint32_t at = 0;
	size_t i = 0;

	while (i < s.n) {
		const struct shk_trie_node *node;
		const char *rest;

		at = step(t, at, (uint8_t)s.p[back ? s.n - 1 - i : i]);
		node = &t->node[at];
		i++;
		if (!at || node->n_tail > s.n - i)
			return;
		i += node->n_tail;
		rest = back ? s.p + s.n - i : s.p + i - node->n_tail;
		if (node->n_tail && memcmp(rest, node->tail, node->n_tail) != 0)
			return;
		emit(t, node, bits);
	}
}

void shk_trie_match(const struct shk_trie *t, struct shk_str s, uint64_t *bits)
{
	if (!t->n)
		return;
	emit(t, &t->node[0], bits);
	if (anchored(t->kind))
		match_anchored(t, s, bits);
	else
		match_inside(t, s, bits);
}
