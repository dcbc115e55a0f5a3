// SPDX-License-Identifier: Apache-2.0
#include "event/tlex.h"

#include <errno.h>
#include <stdarg.h>

#define LIST_MAX (SHK_ARGV_LIMIT + 1)

int shk_tlex_fail(struct shk_tlex *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return shk_err_set(l->err, EBADMSG, "column %zu: %s", (size_t)(l->p - l->begin) + 1, text);
}

void shk_tlex_space(struct shk_tlex *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
}

bool shk_tlex_eat(struct shk_tlex *l, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(l->end - l->p) < n || memcmp(l->p, text, n) != 0)
		return false;
	l->p += n;
	return true;
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '|' || c == '-' || c == '+' || c == '.';
}

struct shk_str shk_tlex_word(struct shk_tlex *l)
{
	struct shk_str w = { l->p, 0 };

	while (l->p < l->end && word_char(*l->p))
		l->p++;
	w.n = (size_t)(l->p - w.p);
	return w;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind a backslash. The byte, or -EBADMSG. */
static int escaped(struct shk_tlex *l)
{
	char c = l->p < l->end ? *l->p++ : '\0';

	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return c;
	case 'x':
		if (l->end - l->p >= 2 && hex(l->p[0]) >= 0 && hex(l->p[1]) >= 0) {
			l->p += 2;
			return hex(l->p[-2]) << 4 | hex(l->p[-1]);
		}
		break;
	default:
		break;
	}
	return shk_tlex_fail(l, "unknown escape; there are \\\" \\\\ \\n \\t \\xHH");
}

int shk_tlex_quoted(struct shk_tlex *l, struct shk_str *ret)
{
	const char *close;
	char *out;
	size_t n = 0;

	if (!shk_tlex_eat(l, "\""))
		return shk_tlex_fail(l, "a text in quotes is expected here");
	for (close = l->p; close < l->end && *close != '"'; close++)
		if (*close == '\\' && close + 1 < l->end)
			close++;
	if (close >= l->end)
		return shk_tlex_fail(l, "the closing quote is missing");
	/* Never longer than its quoted form; the last byte makes it a C string. */
	out = shk_arena_alloc_raw(l->arena, (size_t)(close - l->p) + 1);
	if (!out)
		return shk_err_set(l->err, ENOMEM, "out of memory");
	while (*l->p != '"') {
		int c = (unsigned char)*l->p++;

		if (c == '\\')
			c = escaped(l);
		if (c < 0)
			return c;
		out[n++] = (char)c;
	}
	l->p++;
	out[n] = '\0';
	*ret = (struct shk_str){ out, n };
	return 0;
}

/* As the texts of a task's memory mostly are. */
static bool put_in_row(struct shk_arena *a, struct shk_strvec *v)
{
	size_t size = 0;
	char *p;

	v->in_row = true;
	for (size_t i = 0; i < v->n; i++) {
		size += v->v[i].n + 1;
		v->in_row = v->in_row && !memchr(v->v[i].p, 0, v->v[i].n);
	}
	p = v->in_row ? shk_arena_alloc_raw(a, size + 1) : NULL;
	for (size_t i = 0; p && i < v->n; i++) {
		memcpy(p, v->v[i].p, v->v[i].n + 1);
		v->v[i].p = p;
		p += v->v[i].n + 1;
	}
	return p || !v->in_row;
}

int shk_tlex_list(struct shk_tlex *l, struct shk_strvec *ret)
{
	struct shk_strvec v = { 0 };
	const char *start = l->p;
	size_t room = 1;
	int r;

	if (!shk_tlex_eat(l, "["))
		return shk_tlex_fail(l, "a list in brackets is expected here");
	for (const char *p = start; p < l->end && room < LIST_MAX; p++)
		room += *p == ',';
	v.v = shk_arena_alloc_raw(l->arena, room * sizeof(*v.v));
	if (!v.v)
		return shk_err_set(l->err, ENOMEM, "out of memory");
	shk_tlex_space(l);
	while (!shk_tlex_eat(l, "]")) {
		if (v.n) {
			if (shk_tlex_eat(l, "...")) {
				v.truncated = true;
				if (!shk_tlex_eat(l, "]"))
					return shk_tlex_fail(l, "'...' ends a list; write ']' behind it");
				break;
			}
			if (!shk_tlex_eat(l, ","))
				return shk_tlex_fail(l, "',' or ']' is expected here");
			shk_tlex_space(l);
		}
		if (v.n == room || v.n == SHK_ARGV_LIMIT)
			return shk_tlex_fail(l, "a list has at most %u texts", SHK_ARGV_LIMIT);
		r = shk_tlex_quoted(l, &v.v[v.n]);
		if (r < 0)
			return r;
		v.n++;
		shk_tlex_space(l);
	}
	if (!put_in_row(l->arena, &v))
		return shk_err_set(l->err, ENOMEM, "out of memory");
	*ret = v;
	return 0;
}

int shk_tlex_value(struct shk_tlex *l, struct shk_str *ret)
{
	const char *from = l->p;

	if (l->p < l->end && *l->p == '"')
		return shk_tlex_quoted(l, ret);
	while (l->p < l->end && *l->p != ' ' && *l->p != '\t')
		l->p++;
	*ret = (struct shk_str){ from, (size_t)(l->p - from) };
	return 0;
}

bool shk_tlex_number(struct shk_str s, bool octal, uint64_t *ret)
{
	unsigned base = 10;
	uint64_t v = 0;
	bool minus = s.n > 1 && s.p[0] == '-';
	size_t i = minus;

	if (!minus && s.n > 2 && s.p[0] == '0' && s.p[1] == 'x') {
		base = 16;
		i = 2;
	} else if (!minus && octal && s.n > 1 && s.p[0] == '0') {
		base = 8;
		i = 1;
	}
	if (i >= s.n)
		return false;
	for (; i < s.n; i++) {
		int d = hex(s.p[i]);

		if (d < 0 || (unsigned)d >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (unsigned)d, &v))
			return false;
	}
	if (minus && v > (uint64_t)INT64_MAX + 1)
		return false;
	*ret = minus ? -v : v;
	return true;
}

void shk_quote(struct shk_str s, struct shk_buf *out)
{
	shk_buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			shk_buf_addc(out, '\\');
			shk_buf_addc(out, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			shk_buf_printf(out, "\\x%02x", c);
		} else {
			shk_buf_addc(out, (char)c);
		}
	}
	shk_buf_addc(out, '"');
}
