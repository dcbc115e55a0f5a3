// SPDX-License-Identifier: Apache-2.0
/* Structures that answer many comparisons at once, against the comparisons one by one, on random texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules/nets.h"
#include "rules/scan.h"

#define PATTERNS 300
#define TEXTS	 400
#define ROUNDS	 30

static uint64_t seed;

static uint32_t any(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % n;
}

/* Few letters, so that texts meet; now and then any byte. */
static struct shk_str random_text(struct shk_arena *a, const char *letters, uint32_t most)
{
	uint32_t n = any(most + 1), k = (uint32_t)strlen(letters);
	char *p = shk_arena_alloc(a, n + 1);

	assert_non_null(p);
	for (uint32_t i = 0; i < n; i++)
		p[i] = any(64) ? letters[any(k)] : (char)any(256);
	return (struct shk_str){ p, n };
}

static bool get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static bool naive(enum shk_trie_kind kind, struct shk_str text, struct shk_str pattern)
{
	switch (kind) {
	case SHK_TRIE_PREFIX:
		return shk_str_starts(text, pattern);
	case SHK_TRIE_SUFFIX:
		return shk_str_ends(text, pattern);
	case SHK_TRIE_INSIDE:
		return shk_contains(text, pattern);
	default:
		return shk_icontains(text, pattern);
	}
}

static void make_patterns(struct shk_arena *a, struct shk_pattern *p, uint32_t n, const char *letters,
			  uint32_t most)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct shk_pattern){ random_text(a, letters, most), i };
}

static void matches(const char *way, enum shk_trie_kind kind, const struct shk_pattern *p, uint32_t n, struct shk_str text,
		    const uint64_t *bits)
{
	for (uint32_t k = 0; k < n; k++)
		if (get(bits, k) != naive(kind, text, p[k].s))
			fail_msg("%s, kind %d, pattern \"%.*s\", text \"%.*s\"", way, kind, SHK_STR_ARG(p[k].s),
				 SHK_STR_ARG(text));
}

static void trie_round(enum shk_trie_kind kind, const char *letters, uint32_t n, uint32_t most)
{
	struct shk_pattern p[PATTERNS] = { 0 }, sorted[PATTERNS];
	struct shk_trie t;
	struct shk_arena a;

	shk_arena_init(&a, (size_t)64 << 20);
	make_patterns(&a, p, n, letters, most);
	memcpy(sorted, p, sizeof(p));
	assert_int_equal(shk_trie_build(&a, kind, sorted, n, &t), 0);
	for (unsigned i = 0; i < TEXTS; i++) {
		struct shk_str text = random_text(&a, letters, 40);
		uint64_t bits[PATTERNS / 64 + 1] = { 0 };

		shk_trie_match(&t, text, bits);
		matches("trie", kind, p, n, text, bits);
	}
	shk_arena_done(&a);
}

static void test_tries(void **state)
{
	static const char *const letters[] = { "ab", "abcAB/", "abcdefghijklmnopqrstuvwxyzABCDEF./-_" };

	(void)state;
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned kind = SHK_TRIE_PREFIX; kind <= SHK_TRIE_INSIDE_FOLD; kind++)
			trie_round((enum shk_trie_kind)kind, letters[r % 3], 1 + any(PATTERNS),
				   1 + any(12));
	trie_round(SHK_TRIE_INSIDE, "ab", 0, 1);
}

/* Texts of all lengths, each ending where the memory does: a byte behind it may not be read. */
static void scan_round(bool fold, const char *letters, uint32_t n, uint32_t most)
{
	enum shk_trie_kind kind = fold ? SHK_TRIE_INSIDE_FOLD : SHK_TRIE_INSIDE;
	struct shk_pattern p[SHK_SCAN_MOST], sorted[SHK_SCAN_MOST];
	const struct shk_scan *x;
	struct shk_arena a;

	shk_arena_init(&a, (size_t)64 << 20);
	make_patterns(&a, p, n, letters, most);
	for (uint32_t i = 0; i < n; i++)
		if (p[i].s.n < SHK_SCAN_LEAST)
			p[i].s = SHK_STR("-a");
	memcpy(sorted, p, sizeof(*p) * n);
	assert_true(shk_scan_can(p, n));
	x = shk_scan_build(&a, fold, sorted, n);
	assert_non_null(x);
	for (unsigned i = 0; i < TEXTS; i++) {
		struct shk_str text = random_text(&a, letters, 100);
		uint64_t bits[PATTERNS / 64 + 1] = { 0 };
		char *copy = malloc(text.n + 1);

		assert_non_null(copy);
		memcpy(copy + 1, text.p, text.n);
		text.p = copy + 1;
		shk_scan_match(x, text, bits);
		matches("scan", kind, p, n, text, bits);
		free(copy);
	}
	shk_arena_done(&a);
}

static void test_scans(void **state)
{
	static const char *const letters[] = { "ab", "abcAB/", "abcdefghijklmnopqrstuvwxyzABCDEFZ[@`{./-_", "-ab" };
	struct shk_pattern p[SHK_SCAN_MOST + 1];
	static char text[SHK_SCAN_LONGEST + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i <= SHK_SCAN_MOST; i++)
		p[i] = (struct shk_pattern){ { text, 2 }, 0 };
	if (!shk_scan_can(p, SHK_SCAN_MOST))
		skip(); /* a processor that cannot */
	assert_false(shk_scan_can(p, 0));
	assert_false(shk_scan_can(p, SHK_SCAN_MOST + 1));
	p[3].s.n = SHK_SCAN_LONGEST + 1;
	assert_false(shk_scan_can(p, SHK_SCAN_MOST));
	p[3].s.n = SHK_SCAN_LONGEST;
	assert_true(shk_scan_can(p, SHK_SCAN_MOST));
	p[3].s.n = SHK_SCAN_LEAST - 1;
	assert_false(shk_scan_can(p, SHK_SCAN_MOST));
	for (unsigned r = 0; r < 8 * ROUNDS; r++)
		scan_round(r & 1, letters[r / 2 % 4], 1 + any(r % 3 ? SHK_SCAN_MOST : 12), 1 + any(r % 5 ? 4 : 20));
}

/* A pattern of one letter many times over, and every byte: the worst for links along endings. */
static void test_trie_limits(void **state)
{
	struct shk_pattern p[256 + 64];
	static char text[4096], bytes[256];
	uint64_t bits[6] = { 0 };
	struct shk_trie t;
	struct shk_arena a;

	(void)state;
	memset(text, 'a', sizeof(text));
	shk_arena_init(&a, (size_t)1 << 20);
	for (uint32_t i = 0; i < 256; i++) {
		bytes[i] = (char)i;
		p[i] = (struct shk_pattern){ { &bytes[i], 1 }, i };
	}
	for (uint32_t i = 0; i < 64; i++)
		p[256 + i] = (struct shk_pattern){ { text, i + 2 }, 256 + i };
	assert_int_equal(shk_trie_build(&a, SHK_TRIE_INSIDE, p, 256 + 64, &t), 0);
	shk_trie_match(&t, (struct shk_str){ text, 40 }, bits);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(get(bits, i), i == 'a');
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(get(bits, 256 + i), i + 2 <= 40);
	shk_arena_done(&a);
	/* Memory that runs out is reported, not used. */
	shk_arena_init(&a, 64);
	assert_int_equal(shk_trie_build(&a, SHK_TRIE_PREFIX, p, 10, &t), -ENOMEM);
	assert_int_equal(shk_words_build(&a, p, 10, &(struct shk_words){ 0 }), -ENOMEM);
	assert_int_equal(shk_comps_build(&a, p, 10, &(struct shk_comps){ 0 }), -ENOMEM);
	shk_arena_done(&a);
}

static void words_round(uint32_t n)
{
	struct shk_pattern p[PATTERNS], sorted[PATTERNS];
	struct shk_words w;
	struct shk_arena a;

	shk_arena_init(&a, (size_t)64 << 20);
	make_patterns(&a, p, n, "ab", 5);
	/* Every third word clears its bit; a bit may have several words. */
	for (uint32_t i = 0; i < n; i++) {
		p[i].bit = (i / 2) * 2 + (i / 2 % 3 == 0);
		sorted[i] = p[i];
	}
	assert_int_equal(shk_words_build(&a, sorted, n, &w), 0);
	for (unsigned i = 0; i < TEXTS; i++) {
		struct shk_str text = random_text(&a, "ab", 6);
		uint64_t bits[PATTERNS / 64 + 1], want[PATTERNS / 64 + 1];

		memset(bits, i & 1 ? 0xff : 0, sizeof(bits));
		memcpy(want, bits, sizeof(bits));
		for (uint32_t k = 0; k < n; k++)
			if (shk_str_eq(p[k].s, text)) {
				uint64_t one = UINT64_C(1) << p[k].bit / 2 % 64;

				if (p[k].bit & 1)
					want[p[k].bit / 128] &= ~one;
				else
					want[p[k].bit / 128] |= one;
			}
		shk_words_match(&w, text, bits);
		assert_memory_equal(bits, want, sizeof(bits));
	}
	shk_arena_done(&a);
}

static void test_words(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ROUNDS; r++)
		words_round(any(PATTERNS));
}

static void comps_round(uint32_t n)
{
	struct shk_pattern p[PATTERNS];
	struct shk_comps c;
	struct shk_arena a;

	shk_arena_init(&a, (size_t)64 << 20);
	make_patterns(&a, p, n, "ab//", 7);
	for (uint32_t i = 0; i < n; i++) /* wildcards are another matter */
		for (size_t k = 0; k < p[i].s.n; k++)
			if (memchr("*?[\\", p[i].s.p[k], 4))
				((char *)(uintptr_t)p[i].s.p)[k] = 'a';
	assert_int_equal(shk_comps_build(&a, p, n, &c), 0);
	for (unsigned i = 0; i < TEXTS; i++) {
		struct shk_str text = random_text(&a, "ab//", 12);
		uint64_t bits[PATTERNS / 64 + 1] = { 0 };

		shk_comps_match(&c, text, bits);
		for (uint32_t k = 0; k < n; k++) {
			struct shk_pathset one;

			assert_int_equal(shk_pathset_build(&a, &p[k].s, 1, &one), 0);
			if (get(bits, k) != shk_pathset_match(&one, text))
				fail_msg("pattern \"%.*s\", path \"%.*s\"", SHK_STR_ARG(p[k].s),
					 SHK_STR_ARG(text));
		}
	}
	shk_arena_done(&a);
}

static void test_comps(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ROUNDS / 3; r++)
		comps_round(any(100));
}

/* Few different bits, so that networks hold each other. */
static struct shk_ip random_ip(void)
{
	struct shk_ip ip = { .len = any(2) ? 4 : 16 };

	for (unsigned i = 0; i < ip.len; i++)
		ip.b[i] = (uint8_t)(any(3) ? 0 : 1u << any(8));
	return ip;
}

static bool in_net(const struct shk_net *net, const struct shk_ip *ip)
{
	if (net->ip.len != ip->len)
		return false;
	for (unsigned i = 0; i < net->prefix; i++)
		if ((net->ip.b[i / 8] ^ ip->b[i / 8]) & 0x80u >> i % 8)
			return false;
	return true;
}

static void test_nets(void **state)
{
	struct shk_net net[PATTERNS];

	(void)state;
	for (unsigned r = 0; r < ROUNDS; r++) {
		struct shk_nets s;
		struct shk_arena a;
		size_t n = any(r % 2 ? 20 : PATTERNS);

		shk_arena_init(&a, (size_t)1 << 20);
		for (size_t i = 0; i < n; i++) {
			net[i].ip = random_ip();
			net[i].prefix = (uint8_t)any(net[i].ip.len * 8u + 1);
			if (r % 3 && net[i].prefix < 12) /* or one holds all */
				net[i].prefix += 12;
		}
		assert_int_equal(shk_nets_build(&a, net, n, &s), 0);
		for (unsigned i = 0; i < TEXTS; i++) {
			struct shk_ip ip = random_ip();
			bool want = false;

			for (size_t k = 0; k < n && !want; k++)
				want = in_net(&net[k], &ip);
			assert_int_equal(shk_nets_has(&s, &ip), want);
		}
		assert_false(shk_nets_has(&s, &(struct shk_ip){ 0 }));
		shk_arena_done(&a);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),	    cmocka_unit_test(test_words),
		cmocka_unit_test(test_trie_limits), cmocka_unit_test(test_comps),
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_nets),
	};
	const char *given = getenv("SHK_SEED");

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	printf("# SHK_SEED=%llu gives these texts again\n", (unsigned long long)seed);
	seed = seed * 2 + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
