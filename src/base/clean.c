// SPDX-License-Identifier: Apache-2.0
#include "base/clean.h"

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static bool continues(const unsigned char *p, size_t n, size_t i)
{
	return i < n && (p[i] & 0xc0) == 0x80;
}

/* A first byte of three or four, the second one being what it allows. */
static int long_step(const unsigned char *p, size_t n, unsigned len)
{
	uint32_t c = p[0] & (len == 3 ? 0x0fu : 0x07u);

	for (unsigned i = 1; i < len; i++) {
		if (!continues(p, n, i))
			return -(int)i;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if ((c & 0xffff) >= 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
		return -(int)len;
	return (int)len;
}

int shk_clean_step(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f ? 1 : -1;
	if (p[0] < 0xc2 || p[0] > 0xf4) /* continuation, overlong, past U+10FFFF */
		return -1;
	if (p[0] < 0xe0) {
		if (!continues(p, n, 1))
			return -1;
		return p[0] == 0xc2 && p[1] < 0xa0 ? -2 : 2;
	}
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* past U+10FFFF */
	if (n < 2 || p[1] < low || p[1] > high)
		return -1;
	return long_step(p, n, p[0] < 0xf0 ? 3 : 4);
}

/* Is one of eight bytes no printable ASCII? What one byte borrows from the next matters only when the answer is yes
 * already. */
static bool is_odd(uint64_t w)
{
	return (w | (w - EACH(0x20)) | (w + EACH(0x01))) & EACH(0x80);
}

static bool odd_word(const char *p)
{
	return is_odd(shk_load_8(p));
}

/* Are all of less than 16 bytes printable ASCII? */
static bool is_short_printable(struct shk_str s)
{
	if (s.n >= 8)
		return !odd_word(s.p) && !odd_word(s.p + s.n - 8);
	/* Of less than four, three bytes are used. */
	return !is_odd(shk_load_few(s.p, s.n) | (s.n < 4 ? EACH(0x20) << 24 : 0));
}

/* Are all of at least 16 bytes printable ASCII? The last ones are looked at twice. */
static bool is_printable(struct shk_str s)
{
	const char *last = s.p + s.n - 16;
	shk_bytes_16 v = shk_load_16(last), odd = (v < 0x20) | (v == 0x7f); /* others are negative */

	for (const char *p = s.p; p < last; p += 16) {
		v = shk_load_16(p);
		odd |= (v < 0x20) | (v == 0x7f);
	}
	return !shk_any_16(odd);
}

size_t shk_clean_length(struct shk_str s)
{
	size_t i = 0;

	if (!s.n || (s.n < 16 ? is_short_printable(s) : is_printable(s)))
		return s.n;
	while (i < s.n) {
		int step;

		while (i + 8 <= s.n && !odd_word(s.p + i))
			i += 8;
		if (i == s.n)
			break;
		if (i && i + 8 > s.n && s.n >= 8 && !odd_word(s.p + s.n - 8))
			return s.n;
		step = shk_clean_step(s.p + i, s.n - i);
		if (step < 0)
			return i;
		i += (size_t)step;
	}
	return s.n;
}

/* Replaces what follows the first `good` bytes into `to`, which has room for three times that; the end. */
static char *copy(char *to, struct shk_str s, size_t good)
{
	for (size_t i = 0;;) {
		if (good)
			to = mempcpy(to, s.p + i, good);
		i += good;
		if (i == s.n)
			return to;
		to = mempcpy(to, SHK_REPLACEMENT, 3);
		i += (size_t)-shk_clean_step(s.p + i, s.n - i);
		good = shk_clean_length((struct shk_str){ s.p + i, s.n - i });
	}
}

struct shk_str shk_clean_copy(struct shk_arena *a, struct shk_str s, size_t good)
{
	char *p = shk_arena_alloc_raw(a, good + 3 * (s.n - good) + 1), *end;

	if (!p)
		return (struct shk_str){ NULL, 0 };
	end = copy(p, s, good);
	*end = 0;
	return (struct shk_str){ p, (size_t)(end - p) };
}

void shk_clean_append(struct shk_buf *out, struct shk_str s)
{
	for (size_t i = 0; i < s.n;) {
		struct shk_str rest = { s.p + i, s.n - i };
		size_t good = shk_clean_length(rest);

		shk_buf_add(out, rest.p, good);
		i += good;
		if (i == s.n)
			break;
		shk_buf_adds(out, SHK_REPLACEMENT);
		i += (size_t)-shk_clean_step(s.p + i, s.n - i);
	}
}

size_t shk_clean_hidden(const char *text, size_t n, uint32_t *ret)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0xad, 0xad },	    { 0x34f, 0x34f },	{ 0x61c, 0x61c },   { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	const unsigned char *p = (const unsigned char *)text;
	int len = p[0] < 0x80 ? 0 : shk_clean_step(text, n);
	uint32_t c;

	if (len < 2)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (int i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3fu);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (c < hidden[i].first)
			return 0;
		if (c <= hidden[i].last) {
			*ret = c;
			return (size_t)len;
		}
	}
	return 0;
}
