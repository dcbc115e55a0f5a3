/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trie.h - many patterns against one text at once (private to src/rules).
 *
 * A pattern carries a number; matching sets the bits of all patterns that fit. Built once in an arena,
 * immutable, of a size linear in the patterns' bytes. Matching allocates nothing: a byte of the text
 * costs at most two steps on the average (and one per pattern that ends there), whatever the text.
 */
#ifndef SHK_RULES_TRIE_H
#define SHK_RULES_TRIE_H

#include "rules/match.h"

struct shk_pattern {
	struct shk_str s;
	uint32_t bit;
};

enum shk_trie_kind {
	SHK_TRIE_PREFIX,  /* the text begins with the pattern */
	SHK_TRIE_SUFFIX,  /* it ends with it */
	SHK_TRIE_INSIDE,  /* it contains it */
	SHK_TRIE_INSIDE_FOLD, /* the same; ASCII case does not count */
};

struct shk_trie_node { /* 0: the root. Nodes are in breadth-first order */
	const char *tail; /* PREFIX, SUFFIX: more bytes on the way to the node, as they are in the text */
	uint32_t n_tail;
	uint32_t child;	  /* the first of them, the others follow, sorted by label */
	uint32_t n_child; /* 256 at most */
	uint32_t out;	  /* first bit in shk_trie.bit */
	uint32_t n_out;
	uint32_t fail;	  /* INSIDE: node of the longest proper ending that is in the trie */
	uint32_t next;	  /* INSIDE: nearest one along fail that has bits; 0: none */
};

#define SHK_TRIE_PAIRS 4096

struct shk_trie {
	enum shk_trie_kind kind;
	uint32_t n;	  /* nodes; 0: no patterns at all */
	const struct shk_trie_node *node;
	const uint8_t *label; /* of the edge that leads to a node */
	const uint32_t *bit;
	const uint32_t *root; /* INSIDE: child of the root per byte, 0: none */
	/* INSIDE: where a pattern can begin. `least` is the length of the shortest; when the last two of so
	 * many bytes are such a pair, no pattern begins at the next skip[pair] places. NULL: too short. */
	const uint8_t *skip;  /* SHK_TRIE_PAIRS of them */
	uint32_t least;
};

/* Sorts p. -ENOMEM. */
int shk_trie_build(struct shk_arena *a, enum shk_trie_kind kind, struct shk_pattern *p, size_t n,
		   struct shk_trie *ret);
/* Sets bits in `bits`; never clears one. */
void shk_trie_match(const struct shk_trie *t, struct shk_str s, uint64_t *bits);

/* Whole texts, each with the bits it decides. bit * 2 + 1: finding the text clears that bit. */
struct shk_words {
	uint32_t mask;	    /* slots - 1 */
	const struct shk_words_slot *slot; /* NULL: no words */
	const uint32_t *bit;
	uint64_t lengths;   /* as in struct shk_strset */
};
struct shk_words_slot {
	uint32_t hash, first, n; /* n 0: empty */
	struct shk_str s;
};
int shk_words_build(struct shk_arena *a, struct shk_pattern *p, size_t n, struct shk_words *ret);
void shk_words_match(const struct shk_words *w, struct shk_str s, uint64_t *bits);

/* pmatch of patterns without wildcards: a trie whose edges are path components, in one hash table. */
struct shk_comps {
	uint32_t mask, n;   /* slots - 1; nodes, 0: no patterns */
	const struct shk_comps_slot *slot;
	const uint32_t *out; /* per node: first link + 1 */
	const struct shk_comps_link {
		uint32_t bit, next; /* next link + 1 */
	} *link;
};
struct shk_comps_slot {
	uint32_t parent, node; /* node 0: empty */
	struct shk_str comp;
};
int shk_comps_build(struct shk_arena *a, const struct shk_pattern *p, size_t n,
		    struct shk_comps *ret);
void shk_comps_match(const struct shk_comps *c, struct shk_str path, uint64_t *bits);

#endif
