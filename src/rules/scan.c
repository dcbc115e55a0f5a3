// SPDX-License-Identifier: Apache-2.0
#include "rules/scan.h"

#include <stdlib.h>

#include "base/bytes.h"

/* What is looked at together, and what is read for it: the last places need the bytes behind them. */
#define AT_ONCE 32u
#define READ	(AT_ONCE + 8u)

/* The same for eight bytes. A byte's highest bit says whether it is a capital: none but ASCII has that bit clear. */
static inline uint64_t low_8(uint64_t w)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t seven = w & 0x7f * each;
	uint64_t from_a = seven + (0x80 - 'A') * each, behind_z = seven + (0x7f - 'Z') * each;

	return w | ((from_a ^ behind_z) & ~w & 0x80 * each) >> 2;
}

/* ---- lots ---- */

/* A lot that is being put together: bit h of a half, that some pattern has it. */
struct lot {
	unsigned low[SHK_SCAN_BYTES], high[SHK_SCAN_BYTES], n;
};

static struct lot of_pattern(struct shk_str s, bool fold)
{
	struct lot x = { .n = 1 };

	for (unsigned k = 0; k < SHK_SCAN_BYTES; k++) {
		unsigned c = k < s.n ? (uint8_t)s.p[k] : 0;

		x.low[k] = k < s.n ? 1u << c % 16 : UINT16_MAX;
		x.high[k] = k < s.n ? 1u << c / 16 : UINT16_MAX;
		if (k < s.n && fold && c >= 'a' && c <= 'z')
			x.high[k] |= 1u << (c - ('a' - 'A')) / 16;
	}
	return x;
}

static struct lot both(const struct lot *a, const struct lot *b)
{
	struct lot x = { .n = a->n + b->n };

	for (unsigned k = 0; k < SHK_SCAN_BYTES; k++) {
		x.low[k] = a->low[k] | b->low[k];
		x.high[k] = a->high[k] | b->high[k];
	}
	return x;
}

/* How often a place fits, and a little more for lots of many. Upper halves are not met equally often: small letters, then
 * blanks and punctuation, then digits. */
static uint64_t cost(const struct lot *x)
{
	static const uint8_t met[16] = { 1, 1, 16, 6, 2, 3, 20, 13, 1, 1, 1, 1, 1, 1, 1, 1 };
	uint64_t r = x->n + 4u;

	for (unsigned k = 0; k < SHK_SCAN_BYTES; k++) {
		unsigned highs = 0;

		for (unsigned h = 0; h < 16; h++)
			highs += x->high[k] >> h & 1 ? met[h] : 0;
		r *= (unsigned)__builtin_popcount(x->low[k]) * highs;
	}
	return r;
}

/* Neighbours are put together where that costs least, until there are few enough. */
static size_t put_together(struct lot *x, size_t n)
{
	while (n > SHK_SCAN_LOTS) {
		size_t best = 0;
		int64_t least = INT64_MAX;

		for (size_t i = 0; i + 1 < n; i++) {
			struct lot two = both(&x[i], &x[i + 1]);
			int64_t more = (int64_t)(cost(&two) - cost(&x[i]) - cost(&x[i + 1]));

			if (more < least) {
				least = more;
				best = i;
			}
		}
		x[best] = both(&x[best], &x[best + 1]);
		memmove(&x[best + 1], &x[best + 2], (n - best - 2) * sizeof(*x));
		n--;
	}
	return n;
}

static void fill_in(struct shk_scan *x, const struct lot *lot, unsigned i)
{
	for (unsigned k = 0; k < SHK_SCAN_BYTES; k++)
		for (unsigned h = 0; h < 16; h++) {
			x->byte[k].low[h] |= (uint8_t)((lot->low[k] >> h & 1) << i);
			x->byte[k].high[h] |= (uint8_t)((lot->high[k] >> h & 1) << i);
		}
}

/* ---- patterns ---- */

static int by_bytes(const void *x, const void *y)
{
	const struct shk_pattern *a = x, *b = y;

	return shk_str_cmp(a->s, b->s);
}

static bool lower(struct shk_arena *a, struct shk_str *s)
{
	char *p = shk_arena_alloc(a, s->n + 1);

	for (size_t i = 0; p && i < s->n; i++)
		p[i] = (char)shk_low((uint8_t)s->p[i]);
	s->p = p;
	return p;
}

/* Of the first eight bytes as they lie in memory. */
static inline unsigned pair_of(uint64_t w)
{
	uint8_t b[8];

	memcpy(b, &w, sizeof(b));
	return (b[0] * 37u + b[1]) % SHK_SCAN_PAIRS;
}

static inline unsigned third_of(uint64_t w)
{
	uint8_t b[8];

	memcpy(b, &w, sizeof(b));
	return b[2] % 64;
}

static struct shk_scan_pattern pattern_of(const struct shk_pattern *p)
{
	struct shk_scan_pattern x = { .s = p->s, .bit = p->bit };
	size_t n = SHK_MIN(p->s.n, 8);

	memcpy(&x.head, p->s.p, n);
	memset(&x.mask, 0xff, n);
	return x;
}

static int by_pair(const void *x, const void *y)
{
	const struct shk_scan_pattern *a = x, *b = y;

	return (int)pair_of(a->head) - (int)pair_of(b->head);
}

static void add_patterns(struct shk_scan *x, struct shk_scan_pattern *to, const struct shk_pattern *p, size_t n)
{
	uint8_t k = 0;

	for (size_t i = 0; i < n; i++) {
		to[i] = pattern_of(&p[i]);
		x->third[pair_of(to[i].head)] |= p[i].s.n > 2 ? UINT64_C(1) << third_of(to[i].head) : UINT64_MAX;
	}
	qsort(to, n, sizeof(*to), by_pair);
	for (unsigned pair = 0; pair <= SHK_SCAN_PAIRS; pair++) {
		while (k < n && pair_of(to[k].head) < pair)
			k++;
		x->first[pair] = k;
	}
	x->pattern = to;
}

const struct shk_scan *shk_scan_build(struct shk_arena *a, bool fold, struct shk_pattern *p, size_t n)
{
	struct shk_scan_pattern *pattern = SHK_ARENA_ARRAY(a, struct shk_scan_pattern, n);
	struct shk_scan *x = SHK_ARENA_NEW(a, struct shk_scan);
	struct lot lot[SHK_SCAN_MOST];
	size_t lots;

	if (!x || !pattern)
		return NULL;
	for (size_t i = 0; fold && i < n; i++)
		if (!lower(a, &p[i].s))
			return NULL;
	qsort(p, n, sizeof(*p), by_bytes);
	for (size_t i = 0; i < n; i++)
		lot[i] = of_pattern(p[i].s, fold);
	x->n = n;
	x->fold = fold;
	add_patterns(x, pattern, p, n);
	lots = put_together(lot, n);
	for (unsigned i = 0; i < lots; i++)
		fill_in(x, &lot[i], i);
	return x;
}

/* ---- texts ---- */

static bool rest_is(const struct shk_scan *x, const struct shk_scan_pattern *q, const uint8_t *p)
{
	if (!x->fold)
		return shk_same_bytes(q->s.p + 8, (const char *)p + 8, q->s.n - 8);
	for (size_t i = 8; i < q->s.n; i++)
		if (shk_low(p[i]) != (uint8_t)q->s.p[i])
			return false;
	return true;
}

/* A place that fits some lot: `w` are the first bytes there, `n` is what is left of the text. */
static inline void compare(const struct shk_scan *x, uint64_t w, const uint8_t *p, size_t n, uint64_t *bits)
{
	const struct shk_scan_pattern *q, *end;
	unsigned pair;

	if (x->fold)
		w = low_8(w);
	pair = pair_of(w);
	if (!(x->third[pair] >> third_of(w) & 1))
		return;
	end = x->pattern + x->first[pair + 1];
	for (q = x->pattern + x->first[pair]; q < end; q++)
		if (!((w ^ q->head) & q->mask) && q->s.n <= n && (q->s.n <= 8 || rest_is(x, q, p)))
			bits[q->bit / 64] |= UINT64_C(1) << q->bit % 64;
}

#if defined(__x86_64__)
#include <immintrin.h>

bool shk_scan_can(const struct shk_pattern *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].s.n < SHK_SCAN_LEAST || p[i].s.n > SHK_SCAN_LONGEST)
			return false;
	return n && n <= SHK_SCAN_MOST && __builtin_cpu_supports("avx2");
}

#define WITH_TABLES __attribute__((target("avx2")))

WITH_TABLES static inline __m256i table(const uint8_t *h)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)h));
}

WITH_TABLES static inline __m256i lots_of(const struct shk_scan_halves *h, const uint8_t *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p), half = _mm256_set1_epi8(15);

	return _mm256_and_si256(_mm256_shuffle_epi8(table(h->low), _mm256_and_si256(v, half)),
				_mm256_shuffle_epi8(table(h->high), _mm256_and_si256(_mm256_srli_epi16(v, 4), half)));
}

/* A bit for each of the places p[0], p[1], ... that fit some lot. */
WITH_TABLES static inline uint32_t fits(const struct shk_scan *x, const uint8_t *p)
{
	__m256i lots = _mm256_and_si256(_mm256_and_si256(lots_of(&x->byte[0], p), lots_of(&x->byte[1], p + 1)),
					lots_of(&x->byte[2], p + 2));

	return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(lots, _mm256_setzero_si256()));
}

#else
#define WITH_TABLES

bool shk_scan_can(const struct shk_pattern *p, size_t n)
{
	(void)p;
	(void)n;
	return false;
}

static uint32_t fits(const struct shk_scan *x, const uint8_t *p)
{
	(void)x;
	(void)p;
	return UINT32_MAX;
}
#endif

WITH_TABLES void shk_scan_match(const struct shk_scan *x, struct shk_str s, uint64_t *bits)
{
	const uint8_t *p = (const uint8_t *)s.p;
	uint8_t end[READ];

	for (size_t i = 0; i < s.n; i += AT_ONCE) {
		const uint8_t *at = p + i;
		uint32_t places;

		if (s.n - i < READ) { /* zeroes behind the end: what they fit is longer than what is left */
			memset(end, 0, sizeof(end));
			memcpy(end, at, s.n - i);
			at = end;
		}
		for (places = fits(x, at); places; places &= places - 1) {
			unsigned k = (unsigned)__builtin_ctz(places);

			if (k < s.n - i)
				compare(x, shk_load_8((const char *)at + k), p + i + k, s.n - i - k, bits);
		}
	}
}
