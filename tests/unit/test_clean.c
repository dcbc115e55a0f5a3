// SPDX-License-Identifier: Apache-2.0
/* What is replaced in texts of strangers, and what is left as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clean.h"

#define R SHK_REPLACEMENT

static const struct {
	const char *in, *out;
	size_t n; /* 0: strlen */
} rows[] = {
	{ "", "", 0 },
	{ "plain", "plain", 0 },
	{ "a text of more than eight bytes ~", "a text of more than eight bytes ~", 0 },
	{ "a\nb", "a" R "b", 0 },
	{ "\t", R, 0 },
	{ "\x1b[2J", R "[2J", 0 },
	{ "\x1f ~\x7f", R " ~" R, 0 },
	{ "\0", R, 1 },
	{ "12345678\n", "12345678" R, 0 },
	{ "1234567\n9", "1234567" R "9", 0 },
	{ "\n2345678", R "2345678", 0 },
	/* U+0080, U+009F, U+00A0 */
	{ "\xc2\x80\xc2\x9f\xc2\xa0", R R "\xc2\xa0", 0 },
	{ "\xc3\xa9", "\xc3\xa9", 0 },
	{ "\xe2\x82\xac", "\xe2\x82\xac", 0 },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 0 },
	{ R, R, 0 },
	/* continuations alone, overlong, past the end */
	{ "\x80", R, 0 },
	{ "\xbf\xbf", R R, 0 },
	{ "\xc0\x80", R R, 0 },
	{ "\xc1\xbf", R R, 0 },
	{ "\xe0\x80\x80", R R R, 0 },
	{ "\xf0\x80\x80\x80", R R R R, 0 },
	{ "\xf4\x90\x80\x80", R R R R, 0 },
	{ "\xf5\x80", R R, 0 },
	{ "\xff\xfe", R R, 0 },
	/* surrogates */
	{ "\xed\xa0\x80", R R R, 0 },
	{ "\xed\x9f\xbf", "\xed\x9f\xbf", 0 },
	/* noncharacters */
	{ "\xef\xb7\x90", R, 0 },
	{ "\xef\xb7\xaf\xef\xb7\xb0", R "\xef\xb7\xb0", 0 },
	{ "\xef\xbf\xbe\xef\xbf\xbf", R R, 0 },
	{ "\xf0\x9f\xbf\xbe", R, 0 },
	{ "\xf4\x8f\xbf\xbf", R, 0 },
	/* broken off: what could have become a character is one */
	{ "\xc3", R, 0 },
	{ "\xc3(", R "(", 0 },
	{ "\xe2\x82", R, 0 },
	{ "\xe2\x82(", R "(", 0 },
	{ "\xe2(", R "(", 0 },
	{ "\xf0\x9f\x98", R, 0 },
	{ "\xf0\x9f(", R "(", 0 },
	{ "\xf0\x9f\x98\xf0\x9f\x98\x80", R "\xf0\x9f\x98\x80", 0 },
	{ "\xe2\x82\xe2\x82\xac", R "\xe2\x82\xac", 0 },
};

static struct shk_str input(size_t i)
{
	return (struct shk_str){ rows[i].in, rows[i].n ? rows[i].n : strlen(rows[i].in) };
}

static void each_row(void **state)
{
	struct shk_arena a;

	(void)state;
	shk_arena_init(&a, 1 << 20);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		struct shk_str s = input(i), in = s;
		struct shk_buf b;

		assert_true(shk_clean(&a, &s));
		assert_int_equal(s.n, strlen(rows[i].out));
		assert_memory_equal(s.p, rows[i].out, s.n);
		assert_true((s.p == in.p) == (s.n == in.n && memcmp(s.p, in.p, s.n) == 0));
		assert_int_equal(shk_clean_length(s), s.n); /* stays so */
		shk_buf_init(&b, 4096);
		shk_clean_append(&b, in);
		assert_string_equal(b.p ? b.p : "", rows[i].out);
		shk_buf_done(&b);
	}
	shk_arena_done(&a);
}

/* Wherever in a text the bytes stand: eight are looked at at once. */
static void each_place(void **state)
{
	struct shk_arena a;

	(void)state;
	shk_arena_init(&a, 4 << 20);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++)
		for (size_t before = 0; before < 18; before++)
			for (size_t after = 0; after < 18; after++) {
				struct shk_str in = input(i), s;
				char text[96], want[128];
				size_t out = strlen(rows[i].out);

				memset(text, '.', sizeof(text));
				memcpy(text + before, in.p, in.n);
				s = (struct shk_str){ text, before + in.n + after };
				memset(want, '.', sizeof(want));
				memcpy(want + before, rows[i].out, out);
				assert_true(shk_clean(&a, &s));
				assert_int_equal(s.n, before + out + after);
				assert_memory_equal(s.p, want, s.n);
			}
	shk_arena_done(&a);
}

static void what_is_not_seen_is_found(void **state)
{
	static const struct {
		const char *text;
		uint32_t code; /* 0: is seen */
	} cases[] = {
		{ "a", 0 },
		{ "\n", 0 }, /* not clean, so not asked for */
		{ "\xc2\xac", 0 },
		{ "\xc2\xad", 0xad }, /* soft hyphen */
		{ "\xc3\xa9", 0 },
		{ "\xe2\x80\x8a", 0 },
		{ "\xe2\x80\x8b", 0x200b }, /* zero width space */
		{ "\xe2\x80\xa8", 0x2028 }, /* line separator */
		{ "\xe2\x80\xae", 0x202e }, /* right to left from here on */
		{ "\xe2\x80\xaf", 0 },
		{ "\xe2\x81\xa6", 0x2066 },
		{ "\xe2\x80", 0 },	  /* broken */
		{ "\xef\xbb\xbf", 0xfeff },
		{ "\xef\xbf\xbd", 0 }, /* U+FFFD itself */
		{ "\xf0\x9f\x98\x80", 0 },
		{ "\xf3\xa0\x81\x81", 0xe0041 }, /* a letter as a tag */
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		uint32_t code = 0;
		size_t n = shk_clean_hidden(cases[i].text, strlen(cases[i].text), &code);

		assert_int_equal(code, cases[i].code);
		assert_int_equal(n, cases[i].code ? strlen(cases[i].text) : 0);
	}
}

static void no_memory(void **state)
{
	struct shk_str s = SHK_STR("a\nb"), plain = SHK_STR("ab");
	struct shk_arena a;

	(void)state;
	shk_arena_init(&a, 4);
	assert_false(shk_clean(&a, &s));
	assert_true(a.failed);
	assert_true(shk_clean(&a, &plain));
	shk_arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(each_place),
		cmocka_unit_test(what_is_not_seen_is_found),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
