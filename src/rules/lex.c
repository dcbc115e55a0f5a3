// SPDX-License-Identifier: Apache-2.0
#include "rules/lex.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Backspace is a blank of the language, too. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n';
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The character at offset i, NUL behind the end. A NUL inside the text belongs to no unquoted token. */
static char at(const struct shk_lex *l, size_t i)
{
	return i < l->s.n ? l->s.p[i] : '\0';
}

static bool take(struct shk_lex *l, size_t end, struct shk_str *ret)
{
	if (end == l->pos)
		return false;
	*ret = (struct shk_str){ l->s.p + l->pos, end - l->pos };
	l->pos = end;
	return true;
}

bool shk_lex_at_blank(const struct shk_lex *l)
{
	return l->pos < l->s.n && is_blank(l->s.p[l->pos]);
}

bool shk_lex_blanks(struct shk_lex *l)
{
	size_t start = l->pos;

	while (shk_lex_at_blank(l))
		l->pos++;
	return l->pos != start;
}

bool shk_lex_lit(struct shk_lex *l, const char *lit)
{
	size_t n = strlen(lit);

	if (l->s.n - l->pos < n || memcmp(l->s.p + l->pos, lit, n) != 0)
		return false;
	l->pos += n;
	return true;
}

/* End of an identifier that starts at i; i when none does. */
static size_t ident_end(const struct shk_lex *l, size_t i)
{
	if (!is_alpha(at(l, i)))
		return i;
	while (is_alpha(at(l, i)) || is_digit(at(l, i)) || at(l, i) == '_')
		i++;
	return i;
}

bool shk_lex_ident(struct shk_lex *l, struct shk_str *ret)
{
	return take(l, ident_end(l, l->pos), ret);
}

bool shk_lex_field(struct shk_lex *l, struct shk_str *ret)
{
	size_t end = ident_end(l, l->pos), dots = 0;

	while (end > l->pos && at(l, end) == '.') {
		size_t next = ident_end(l, end + 1);

		if (next == end + 1)
			break;
		end = next;
		dots++;
	}
	return dots && take(l, end, ret);
}

bool shk_lex_bare_arg(struct shk_lex *l, struct shk_str *ret)
{
	size_t i = l->pos;

	while (i < l->s.n && !is_space(l->s.p[i]) && !strchr("[]\"'", l->s.p[i]))
		i++;
	return take(l, i, ret);
}

bool shk_lex_bare(struct shk_lex *l, struct shk_str *ret)
{
	size_t i = l->pos;

	while (i < l->s.n && !is_space(l->s.p[i]) && !strchr("()\"'=,", l->s.p[i]))
		i++;
	return take(l, i, ret);
}

bool shk_lex_number(struct shk_lex *l, struct shk_str *ret)
{
	size_t i = l->pos, digits;

	if (at(l, i) == '0' && (at(l, i + 1) == 'x' || at(l, i + 1) == 'X') &&
	    hex_digit(at(l, i + 2)) >= 0) {
		for (i += 2; hex_digit(at(l, i)) >= 0; i++)
			;
		return take(l, i, ret);
	}
	if (at(l, i) == '+' || at(l, i) == '-')
		i++;
	for (digits = i; is_digit(at(l, i)); i++)
		;
	if (i == digits)
		return false;
	if (at(l, i) == '.')
		i++;
	while (is_digit(at(l, i)))
		i++;
	if ((at(l, i) == 'e' || at(l, i) == 'E') && (at(l, i + 1) == '+' || at(l, i + 1) == '-') &&
	    is_digit(at(l, i + 2)))
		for (i += 2; is_digit(at(l, i)); i++)
			;
	return take(l, i, ret);
}

/* The character that the escape at i (a backslash) stands for; *ret_n: its length. -1: unknown. */
static int unescape(const struct shk_lex *l, size_t i, char quote, size_t *ret_n)
{
	static const char from[] = "bfnrt\\/ ", to[] = "\b\f\n\r\t\\/\\";
	char c = at(l, i + 1);
	const char *f = c ? strchr(from, c) : NULL;

	*ret_n = 2;
	if (f)
		return to[f - from];
	if (c == quote)
		return c;
	if (c == 'x' && hex_digit(at(l, i + 2)) >= 0 && hex_digit(at(l, i + 3)) >= 0) {
		*ret_n = 4;
		return hex_digit(at(l, i + 2)) << 4 | hex_digit(at(l, i + 3));
	}
	return -1;
}

enum shk_lex_quoted shk_lex_quoted(struct shk_lex *l, struct shk_arena *a, struct shk_str *ret)
{
	char quote = at(l, l->pos), *out;
	size_t start = l->pos + 1, end, n = 0;
	bool plain = true;

	if (quote != '"' && quote != '\'')
		return SHK_LEX_NO;
	for (end = start; end < l->s.n; end++) {
		/* Elsewhere a quote behind a backslash never ends a text; here it does where that one is escaped, but
		 * not in front of another quote, which says that it was not meant to. */
		if (l->s.p[end] == quote &&
		    !(end > start && l->s.p[end - 1] == '\\' && at(l, end + 1) == quote))
			break;
		if (l->s.p[end] != '\\')
			continue;
		plain = false;
		end++;
	}
	if (end >= l->s.n)
		return SHK_LEX_OPEN;
	if (plain) {
		*ret = (struct shk_str){ l->s.p + start, end - start };
		l->pos = end + 1;
		return SHK_LEX_YES;
	}
	out = shk_arena_alloc_raw(a, end - start);
	if (!out)
		return SHK_LEX_NOMEM;
	for (size_t i = start, len = 1; i < end; i += len) {
		int c = (unsigned char)l->s.p[i];

		len = 1;
		if (c == '\\')
			c = unescape(l, i, quote, &len);
		if (c < 0) {
			l->pos = i;
			return SHK_LEX_ESCAPE;
		}
		out[n++] = (char)c;
	}
	*ret = (struct shk_str){ out, n };
	l->pos = end + 1;
	return SHK_LEX_YES;
}
