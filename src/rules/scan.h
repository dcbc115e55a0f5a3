/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - some patterns anywhere in a text, many places at once (private to src/rules).
 *
 * The patterns are dealt out to eight lots. Of each of the first three bytes a lot knows which upper and which lower halves
 * its patterns have there, as a bit in a table of sixteen; the processor looks 32 bytes of a text up in such a table at once. At a
 * place where all six halves fit some lot, which is rare in common texts, the patterns that begin with the two bytes there are
 * compared, if one of them goes on with the third. So what a place costs is bounded by the patterns, SHK_SCAN_MOST of them and SHK_SCAN_LONGEST bytes each; more or
 * longer ones, and single bytes, are a trie's (trie.h), and so are all where the processor has no AVX2. Built once in an arena,
 * immutable; scanning allocates nothing.
 */
#ifndef SHK_RULES_SCAN_H
#define SHK_RULES_SCAN_H

#include "rules/trie.h"

#define SHK_SCAN_MOST	 128u
#define SHK_SCAN_LONGEST 128u
#define SHK_SCAN_LEAST	 2u
#define SHK_SCAN_LOTS	 8u
#define SHK_SCAN_BYTES	 3u
#define SHK_SCAN_PAIRS	 128u

struct shk_scan {
	struct shk_scan_halves { /* bit i of low[c % 16] & high[c / 16]: the byte fits lot i */
		uint8_t low[16], high[16];
	} byte[SHK_SCAN_BYTES];
	size_t n;
	bool fold; /* ASCII case does not count; patterns are in lower case */
	uint64_t third[SHK_SCAN_PAIRS];	   /* bit c % 64: some pattern of the pair goes on with c, or ends */
	uint8_t first[SHK_SCAN_PAIRS + 1]; /* per pair of bytes, hashed: of the patterns that begin so */
	const struct shk_scan_pattern {
		uint64_t head, mask; /* the first eight bytes, those that count */
		struct shk_str s;
		uint32_t bit;
	} *pattern;
};

/* Can these be looked for so, on this processor? */
bool shk_scan_can(const struct shk_pattern *p, size_t n);
/* Sorts p. NULL: no memory. */
const struct shk_scan *shk_scan_build(struct shk_arena *a, bool fold, struct shk_pattern *p, size_t n);
/* Sets bits in `bits`; never clears one. */
void shk_scan_match(const struct shk_scan *x, struct shk_str s, uint64_t *bits);

#endif
