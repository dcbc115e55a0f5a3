// SPDX-License-Identifier: Apache-2.0
/* Sets of strings and of path prefixes. */
#include "rules/match.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t load(const char *p, size_t n)
{
	uint64_t w = 0;

	memcpy(&w, p, n);
	return w;
}

/* The last bytes, with some before them that were there already. */
static uint64_t load_end(struct shk_str s)
{
	if (s.n >= 8)
		return load(s.p + s.n - 8, 8);
	if (s.n >= 4)
		return load(s.p, 4) << 32 | load(s.p + s.n - 4, 4);
	return s.n ? (uint64_t)(unsigned char)s.p[0] << 16 |
			     (uint64_t)(unsigned char)s.p[s.n / 2] << 8 |
			     (unsigned char)s.p[s.n - 1] :
		     0;
}

uint32_t shk_str_hash(struct shk_str s)
{
	uint64_t h = s.n * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i + 8 < s.n; i += 8) {
		h = (h ^ load(s.p + i, 8)) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	h = (h ^ load_end(s)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(h >> 32);
}

int shk_strset_build(struct shk_arena *a, const struct shk_str *v, size_t n, struct shk_strset *ret)
{
	size_t size = 2;
	struct shk_str *slot;

	while (size < n * 2)
		size *= 2;
	slot = SHK_ARENA_ARRAY(a, struct shk_str, size);
	if (!slot)
		return -ENOMEM;
	*ret = (struct shk_strset){ .mask = (uint32_t)(size - 1), .slot = slot };
	for (size_t i = 0; i < n; i++) {
		struct shk_str s = shk_arena_str(a, v[i]);
		uint32_t at = shk_str_hash(v[i]) & ret->mask;

		if (!s.p)
			return -ENOMEM;
		if (shk_strset_has(ret, s))
			continue;
		while (slot[at].p)
			at = (at + 1) & ret->mask;
		slot[at] = s;
		ret->lengths |= shk_str_length_bit(s);
	}
	return 0;
}

bool shk_strset_has(const struct shk_strset *s, struct shk_str key)
{
	if (!(s->lengths & shk_str_length_bit(key)))
		return false;
	for (uint32_t at = shk_str_hash(key) & s->mask; s->slot[at].p; at = (at + 1) & s->mask)
		if (shk_str_eq(s->slot[at], key))
			return true;
	return false;
}

bool shk_path_next(struct shk_str *path, struct shk_str *ret)
{
	const char *end;

	while (path->n && *path->p == '/') {
		path->p++;
		path->n--;
	}
	if (!path->n)
		return false;
	end = memchr(path->p, '/', path->n);
	*ret = (struct shk_str){ path->p, end ? (size_t)(end - path->p) : path->n };
	path->p += ret->n;
	path->n -= ret->n;
	return true;
}

static bool has_glob(struct shk_str s)
{
	return s.n && (memchr(s.p, '*', s.n) || memchr(s.p, '?', s.n) || memchr(s.p, '[', s.n));
}

static int build_pattern(struct shk_arena *a, struct shk_str text, struct shk_path_pattern *out)
{
	struct shk_str copy = shk_arena_str(a, text), *comp, c;
	uint32_t n = 0;

	comp = SHK_ARENA_ARRAY(a, struct shk_str, text.n / 2 + 1);
	if (!copy.p || !comp)
		return -ENOMEM;
	*out = (struct shk_path_pattern){ .glob_from = UINT32_MAX };
	while (shk_path_next(&copy, &c)) {
		if (has_glob(c) && out->glob_from == UINT32_MAX)
			out->glob_from = n;
		comp[n++] = c;
	}
	out->comp = comp;
	out->n = n;
	out->glob_from = SHK_MIN(out->glob_from, n);
	return 0;
}

/* Bytewise by component, a prefix before what extends it. */
static int by_components(const void *x, const void *y)
{
	const struct shk_path_pattern *a = x, *b = y;

	for (uint32_t i = 0; i < a->n && i < b->n; i++) {
		int c = shk_str_cmp(a->comp[i], b->comp[i]);

		if (c)
			return c;
	}
	return (a->n > b->n) - (a->n < b->n);
}

static bool extends(const struct shk_path_pattern *longer, const struct shk_path_pattern *shorter)
{
	if (longer->n < shorter->n)
		return false;
	for (uint32_t i = 0; i < shorter->n; i++)
		if (!shk_str_eq(longer->comp[i], shorter->comp[i]))
			return false;
	return true;
}

int shk_pathset_build(struct shk_arena *a, const struct shk_str *v, size_t n, struct shk_pathset *ret)
{
	struct shk_path_pattern *p = SHK_ARENA_ARRAY(a, struct shk_path_pattern, n);
	size_t k = 0;

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = build_pattern(a, v[i], &p[i]);

		if (r < 0)
			return r;
	}
	if (n)
		qsort(p, n, sizeof(*p), by_components);
	for (size_t i = 0; i < n; i++)
		if (!k || !extends(&p[i], &p[k - 1]))
			p[k++] = p[i];
	*ret = (struct shk_pathset){ .v = p, .n = k };
	return 0;
}

static bool pattern_matches(const struct shk_path_pattern *p, struct shk_str path)
{
	struct shk_str c;

	for (uint32_t i = 0; i < p->n; i++) {
		if (!shk_path_next(&path, &c))
			return false;
		/* A backslash escapes in components with wildcards only. */
		if (i < p->glob_from || !has_glob(p->comp[i]) ? !shk_str_eq(p->comp[i], c) :
								!shk_glob_match(p->comp[i], c, false))
			return false;
	}
	return true;
}

bool shk_pathset_match(const struct shk_pathset *s, struct shk_str path)
{
	for (size_t i = 0; i < s->n; i++)
		if (pattern_matches(&s->v[i], path))
			return true;
	return false;
}
