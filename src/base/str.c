// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include <stdarg.h>

int shk_str_cmp(struct shk_str a, struct shk_str b)
{
	size_t n = SHK_MIN(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool shk_str_to_u64(struct shk_str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned char)s.p[i] - (unsigned)'0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*ret = v;
	return true;
}

bool shk_str_to_i64(struct shk_str s, int64_t *ret)
{
	bool neg = s.n && s.p[0] == '-';
	uint64_t v;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = (struct shk_str){ s.p + 1, s.n - 1 };
	if (!shk_str_to_u64(s, &v) || v > (uint64_t)INT64_MAX + (neg ? 1 : 0))
		return false;
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

#define DIST_MAX 64

unsigned shk_str_distance(struct shk_str a, struct shk_str b, unsigned limit)
{
	unsigned row[DIST_MAX + 1];

	if (a.n > DIST_MAX || b.n > DIST_MAX ||
	    (a.n > b.n ? a.n - b.n : b.n - a.n) >= limit)
		return limit;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned diag = row[0], least = (unsigned)i;

		row[0] = least;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned up = row[j];
			unsigned sub = diag + (a.p[i - 1] != b.p[j - 1]);
			unsigned v = SHK_MIN(up, row[j - 1]) + 1;

			row[j] = SHK_MIN(v, sub);
			least = SHK_MIN(least, row[j]);
			diag = up;
		}
		if (least >= limit) /* no later row has less */
			return limit;
	}
	return SHK_MIN(row[b.n], limit);
}

void shk_buf_init(struct shk_buf *b, size_t limit)
{
	*b = (struct shk_buf){ .limit = limit };
}

void shk_buf_done(struct shk_buf *b)
{
	free(b->p);
	*b = (struct shk_buf){ .limit = b->limit };
}

void shk_buf_reset(struct shk_buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = 0;
}

static bool room(struct shk_buf *b, size_t n)
{
	size_t size;
	char *p;

	if (b->failed || n > b->limit || b->n > b->limit - n) {
		b->failed = true;
		return false;
	}
	if (b->size > b->n && b->size - b->n > n)
		return true;
	size = SHK_MAX(b->size * 2, b->n + n + 1);
	if (size < 64)
		size = 64;
	p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->size = size;
	return true;
}

void shk_buf_add(struct shk_buf *b, const void *p, size_t n)
{
	if (!room(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

void shk_buf_adds(struct shk_buf *b, const char *s)
{
	shk_buf_add(b, s, strlen(s));
}

void shk_buf_addstr(struct shk_buf *b, struct shk_str s)
{
	shk_buf_add(b, s.p, s.n);
}

void shk_buf_addc(struct shk_buf *b, char c)
{
	shk_buf_add(b, &c, 1);
}

void shk_buf_printf(struct shk_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !room(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}
