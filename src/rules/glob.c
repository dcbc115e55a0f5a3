// SPDX-License-Identifier: Apache-2.0
/* fnmatch(3) without its worst cases: only the last star is ever tried again, which is enough, as a
 * star before it can gain nothing by taking more. The C locale's meaning: bytes. */
#include "rules/match.h"

static bool in_class(struct shk_str name, unsigned char c)
{
	bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
	bool digit = c >= '0' && c <= '9', graph = c > ' ' && c < 0x7f;
	const struct {
		const char *name;
		bool is;
	} t[] = {
		{ "alpha", lower || upper },	{ "digit", digit },
		{ "alnum", lower || upper || digit }, { "lower", lower },
		{ "upper", upper },		{ "graph", graph },
		{ "print", graph || c == ' ' }, { "punct", graph && !lower && !upper && !digit },
		{ "space", c == ' ' || (c >= '\t' && c <= '\r') },
		{ "blank", c == ' ' || c == '\t' }, { "cntrl", c < ' ' || c == 0x7f },
		{ "xdigit", digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') },
	};

	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++)
		if (shk_str_eqz(name, t[i].name))
			return t[i].is;
	return false;
}

/* p[0] is '['. Returns the length of the bracket expression, 0 when it has no end (then '[' is a
 * letter). */
static size_t bracket(struct shk_str p, char value, bool fold, bool *hit)
{
	size_t i = 1;
	bool negate = p.n > 1 && (p.p[1] == '!' || p.p[1] == '^'), found = false;
	unsigned char c = fold ? shk_low((uint8_t)value) : (unsigned char)value;

	i += negate;
	for (bool first = true; i < p.n && (first || p.p[i] != ']'); first = false) {
		unsigned char lo, hi;

		if (p.p[i] == '[' && i + 1 < p.n && p.p[i + 1] == ':') {
			const char *end = memmem(p.p + i + 2, p.n - i - 2, ":]", 2);
			struct shk_str name = { p.p + i + 2, 0 };

			if (end) {
				name.n = (size_t)(end - name.p);
				found |= in_class(name, (unsigned char)value) ||
					 (fold && (in_class(name, c) ||
						   (c >= 'a' && c <= 'z' &&
						    in_class(name, (unsigned char)(c - 32)))));
				i += name.n + 4;
				continue;
			}
		}
		if (p.p[i] == '\\' && i + 1 < p.n)
			i++;
		lo = hi = (unsigned char)p.p[i++];
		if (i + 1 < p.n && p.p[i] == '-' && p.p[i + 1] != ']') {
			i++;
			if (p.p[i] == '\\' && i + 1 < p.n)
				i++;
			hi = (unsigned char)p.p[i++];
		}
		if (fold) {
			lo = shk_low(lo);
			hi = shk_low(hi);
		}
		found |= c >= lo && c <= hi;
	}
	if (i >= p.n)
		return 0;
	*hit = found != negate;
	return i + 1;
}

/* Matches the pattern element at p against one byte: its length, 0: no match. */
static size_t element(struct shk_str p, char value, bool fold)
{
	char c = p.p[0];
	bool hit = false;
	size_t len = 1;

	if (c == '?')
		return 1;
	if (c == '[') {
		len = bracket(p, value, fold, &hit);
		if (len)
			return hit ? len : 0;
		len = 1;
	} else if (c == '\\') {
		if (p.n < 2)
			return 0;
		c = p.p[1];
		len = 2;
	}
	return (fold ? shk_low((uint8_t)c) == shk_low((uint8_t)value) : c == value) ? len : 0;
}

static bool special(char c)
{
	return c == '*' || c == '?' || c == '[' || c == '\\';
}

bool shk_glob_match(struct shk_str p, struct shk_str v, bool fold)
{
	size_t pi = 0, vi = 0, star = SIZE_MAX, star_v = 0;

	/* Most values differ in what is plain text up to the first wildcard. */
	while (!fold && pi < p.n && !special(p.p[pi])) {
		if (vi == v.n || p.p[pi] != v.p[vi])
			return false;
		pi++;
		vi++;
	}
	while (vi < v.n) {
		size_t len = 0;

		if (pi < p.n && p.p[pi] == '*') {
			star = ++pi;
			star_v = vi;
			continue;
		}
		if (pi < p.n)
			len = element((struct shk_str){ p.p + pi, p.n - pi }, v.p[vi], fold);
		if (len) {
			pi += len;
			vi++;
		} else if (star != SIZE_MAX) {
			pi = star;
			vi = ++star_v;
		} else {
			return false;
		}
	}
	while (pi < p.n && p.p[pi] == '*')
		pi++;
	return pi == p.n;
}

bool shk_contains(struct shk_str v, struct shk_str what)
{
	const char *p = v.p, *end;
	unsigned tries = 16;

	if (what.n == 0 || v.n < what.n)
		return what.n == 0;
	/* By the first byte: mostly it is not there, or not often. */
	for (end = v.p + (v.n - what.n) + 1; p < end; p++) {
		if (!tries--) /* for whoever writes it many times */
			return memmem(p, v.n - (size_t)(p - v.p), what.p, what.n);
		p = memchr(p, what.p[0], (size_t)(end - p));
		if (!p)
			return false;
		if (memcmp(p, what.p, what.n) == 0)
			return true;
	}
	return false;
}

bool shk_icontains(struct shk_str v, struct shk_str what)
{
	if (what.n == 0)
		return true;
	for (size_t i = 0; i + what.n <= v.n; i++) {
		size_t k = 0;

		while (k < what.n && shk_low((uint8_t)v.p[i + k]) == shk_low((uint8_t)what.p[k]))
			k++;
		if (k == what.n)
			return true;
	}
	return false;
}
