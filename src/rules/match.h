/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match.h - matching of text: globs, sets of strings, sets of paths (private to src/rules).
 *
 * Sets are built once in an arena and immutable; looking up allocates nothing. All steps are bounded by
 * the lengths of value and pattern (globs: by their product).
 */
#ifndef SHK_RULES_MATCH_H
#define SHK_RULES_MATCH_H

#include "base/arena.h"

/* fnmatch(3) with flags 0 over the whole value; fold: ASCII case does not count. */
bool shk_glob_match(struct shk_str pattern, struct shk_str value, bool fold);
bool shk_contains(struct shk_str value, struct shk_str what);
bool shk_icontains(struct shk_str value, struct shk_str what);

/* In lower case, where case is one of ASCII. */
static inline uint8_t shk_low(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Not keyed: what is looked up with it was put there by the rules' author, and a lookup never passes more
 * than the run of slots that makes, whatever a container chooses to look up. */
uint32_t shk_str_hash(struct shk_str s);
static inline uint64_t shk_str_length_bit(struct shk_str s)
{
	return UINT64_C(1) << (s.n < 63 ? s.n : 63);
}
/* SHK_OP_TOP: can the directory of this path be the root? A name as it was given may begin with two slashes. */
static inline bool shk_is_top(struct shk_str path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	return slash && slash - path.p <= 1;
}
/* Cuts the next component off; empty ones are dropped. false: none left. */
bool shk_path_next(struct shk_str *path, struct shk_str *ret);

struct shk_strset {
	uint64_t lengths;	    /* bit min(length, 63) of each element */
	uint32_t mask;		    /* slots - 1 */
	const struct shk_str *slot; /* p NULL: empty */
};

int shk_strset_build(struct shk_arena *a, const struct shk_str *v, size_t n, struct shk_strset *ret);
bool shk_strset_has(const struct shk_strset *s, struct shk_str key);

/* pmatch: is some pattern a prefix of the path, component by component? */
struct shk_path_pattern {
	const struct shk_str *comp;
	uint32_t glob_from; /* components from here on need globs; n: none does */
	uint32_t n;
};
struct shk_pathset {
	const struct shk_path_pattern *v;
	size_t n;
};

int shk_pathset_build(struct shk_arena *a, const struct shk_str *v, size_t n,
		      struct shk_pathset *ret);
bool shk_pathset_match(const struct shk_pathset *s, struct shk_str path);

#endif
