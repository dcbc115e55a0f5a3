// SPDX-License-Identifier: Apache-2.0
/* From RE2's POSIX syntax to PCRE2's. What differs: there, `?` and `+` behind a repetition repeat
 * again instead of making it lazy or possessive; (?...), \d, \b, \1 do not exist; `{` that starts no
 * count is a letter; at most 1000 repetitions. */
#include "rules/regex.h"

#include <errno.h>

#define NEST_MAX   200	/* PCRE2 allows 250 nested groups */
#define REPEAT_MAX 1000 /* RE2's limit */

struct tr {
	struct shk_str in;
	size_t at;
	struct shk_buf *out;
	struct shk_err *err;
	size_t open[NEST_MAX]; /* where the output of each open group begins */
	unsigned depth;
	size_t atom;	       /* where the output of the last atom begins */
	bool has_atom, repeated;
	unsigned calls;
};

static int bad(struct tr *t, const char *what)
{
	return shk_err_set(t->err, EINVAL, "bad regular expression \"" SHK_STR_FMT "\": %s at byte %zu",
			   SHK_STR_ARG(t->in), what, t->at);
}

static int peek(const struct tr *t, size_t ahead)
{
	return t->at + ahead < t->in.n ? (unsigned char)t->in.p[t->at + ahead] : -1;
}

static void emit_byte(struct tr *t, unsigned c)
{
	shk_buf_printf(t->out, "\\x%02x", c);
}

static bool is_alnum(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

/* \x41, \x{41} behind the x. */
static int hex_escape(struct tr *t)
{
	int v = 0, digits = 0;

	if (peek(t, 0) == '{') {
		for (t->at++; hex_digit(peek(t, 0)) >= 0 && v < 0x100; t->at++, digits++)
			v = v * 16 + hex_digit(peek(t, 0));
		if (peek(t, 0) != '}' || !digits)
			return bad(t, "unfinished \\x{}");
		t->at++;
	} else {
		for (; digits < 2 && hex_digit(peek(t, 0)) >= 0; t->at++, digits++)
			v = v * 16 + hex_digit(peek(t, 0));
		if (digits < 2)
			return bad(t, "\\x needs two digits");
	}
	return v < 0x80 ? v : bad(t, "\\x names no ASCII character");
}

static int octal_escape(struct tr *t)
{
	int v = 0;

	/* \1 to \7 alone would be a back reference. */
	if (peek(t, 0) != '0' && (peek(t, 1) < '0' || peek(t, 1) > '7'))
		return bad(t, "back references do not exist");
	for (int i = 0; i < 3 && peek(t, 0) >= '0' && peek(t, 0) <= '7'; i++, t->at++)
		v = v * 8 + (peek(t, 0) - '0');
	return v < 0x80 ? v : bad(t, "octal escape names no ASCII character");
}

/* Behind a backslash: the byte meant, or -EINVAL. */
static int escape(struct tr *t)
{
	static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	int c = peek(t, 0);
	const char *p;

	if (c < 0)
		return bad(t, "trailing backslash");
	if (c >= '0' && c <= '7')
		return octal_escape(t);
	t->at++;
	if (c == 'x')
		return hex_escape(t);
	p = is_alnum(c) && c != 'b' ? strchr(names, c) : NULL;
	if (p)
		return values[p - names];
	if (is_alnum(c) || c == '_' || c >= 0x80)
		return bad(t, "unknown escape");
	return c;
}

/* [:alpha:] inside brackets. 1: was one, 0: is none. *wide: it holds for what is no ASCII. */
static int named_class(struct tr *t, bool *wide)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl",
					     "digit", "graph", "lower", "print", "punct",
					     "space", "upper", "word",	"xdigit" };
	struct shk_str rest = { t->in.p + t->at, t->in.n - t->at };
	const char *end = rest.n > 2 ? memmem(rest.p + 2, rest.n - 2, ":]", 2) : NULL;
	struct shk_str name;

	if (peek(t, 0) != '[' || peek(t, 1) != ':' || !end)
		return 0;
	name = (struct shk_str){ rest.p + 2, (size_t)(end - rest.p) - 2 };
	if (name.n && name.p[0] == '^') {
		name.p++;
		name.n--;
		*wide = true;
	}
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++)
		if (shk_str_eqz(name, names[i])) {
			shk_buf_add(t->out, rest.p, (size_t)(end - rest.p) + 2);
			t->at += (size_t)(end - rest.p) + 2;
			return 1;
		}
	return bad(t, "unknown character class");
}

static int class_byte(struct tr *t)
{
	int c = peek(t, 0);

	if (c < 0)
		return bad(t, "missing ]");
	t->at++;
	if (c == '\\')
		return escape(t);
	return c < 0x80 ? c : bad(t, "only ASCII characters can stand between brackets");
}

static size_t count_len(const struct tr *t, unsigned *lo, unsigned *hi);

/*
 * The library compares bytes, the pattern means characters. `run` matches one byte of such a character, `lead` its
 * first one, with which all that continue it go along; nothing begins with one that continues. So a run of any
 * bytes, which is what is fastest, ends between characters if the whole is to match. What is repeated a number
 * of times is copied that often by the library: then it is a call.
 */
static void emit_char(struct tr *t, const char *run, const char *lead)
{
	unsigned lo, hi;

	switch (peek(t, 0)) {
	case '*':
		shk_buf_adds(t->out, run);
		return;
	case '+':
		shk_buf_printf(t->out, "(?:%s[\\x80-\\xbf]*+%s*)", lead, run);
		t->at++;
		t->repeated = true;
		return;
	case '{':
		if (count_len(t, &lo, &hi)) {
			t->calls++;
			shk_buf_printf(t->out, "(?(DEFINE)(?<c%u>%s[\\x80-\\xbf]*+))", t->calls, lead);
			t->atom = t->out->n;
			shk_buf_printf(t->out, "(?&c%u)", t->calls);
			return;
		}
		SHK_FALLTHROUGH;
	default:
		shk_buf_printf(t->out, "(?:%s[\\x80-\\xbf]*+)", lead);
	}
}

static int bracket(struct tr *t)
{
	_cleanup_free_ char *class = NULL, *lead = NULL;
	size_t from = t->out->n;
	bool first = true, negated = false, wide = false;

	t->at++;
	shk_buf_addc(t->out, '[');
	if (peek(t, 0) == '^') {
		t->at++;
		negated = true;
		shk_buf_addc(t->out, '^');
	}
	for (; first || peek(t, 0) != ']'; first = false) {
		int lo, hi, r;

		if (peek(t, 0) == '-' && !first && peek(t, 1) != ']')
			return bad(t, "- between brackets must be first, last, or make a range");
		r = named_class(t, &wide);
		if (r < 0)
			return r;
		if (r)
			continue;
		lo = hi = class_byte(t);
		if (lo >= 0 && peek(t, 0) == '-' && peek(t, 1) >= 0 && peek(t, 1) != ']') {
			t->at++;
			hi = class_byte(t);
		}
		if (lo < 0 || hi < 0)
			return -EINVAL;
		if (hi < lo)
			return bad(t, "range out of order");
		emit_byte(t, (unsigned)lo);
		if (hi != lo) {
			shk_buf_addc(t->out, '-');
			emit_byte(t, (unsigned)hi);
		}
	}
	t->at++;
	shk_buf_addc(t->out, ']');
	if (t->out->failed || negated == wide)
		return 0; /* it holds for ASCII alone */
	class = strndup(t->out->p + from, t->out->n - from);
	if (!class)
		return -ENOMEM;
	if (asprintf(&lead, negated ? "%.*s\\x80-\\xbf]" : "(?![\\x80-\\xbf])%.*s",
		     (int)strlen(class) - negated, class) < 0)
		lead = NULL;
	if (!lead)
		return -ENOMEM;
	t->out->n = from;
	emit_char(t, class, lead);
	return 0;
}

/* {n}, {n,}, {n,m}: its length, or 0 when this brace is a letter. */
static size_t count_len(const struct tr *t, unsigned *lo, unsigned *hi)
{
	size_t i = 1;
	unsigned v[2] = { 0, 0 };

	for (unsigned k = 0; k < 2; k++) {
		size_t start = i;

		for (; peek(t, i) >= '0' && peek(t, i) <= '9'; i++)
			v[k] = SHK_MIN(v[k] * 10 + (unsigned)(peek(t, i) - '0'), REPEAT_MAX + 1);
		if (i == start && k == 0)
			return 0;
		if (k == 1 && i == start)
			v[1] = v[0]; /* open end */
		if (k == 0 && peek(t, i) != ',') {
			v[1] = v[0];
			break;
		}
		if (k == 0)
			i++;
	}
	if (peek(t, i) != '}')
		return 0;
	*lo = v[0];
	*hi = v[1];
	return i + 1;
}

static int repeat(struct tr *t, size_t len)
{
	if (!t->has_atom)
		return bad(t, "nothing to repeat");
	if (t->repeated) { /* (?: in front of the atom, to repeat what repeats already */
		size_t n = t->out->n - t->atom;

		shk_buf_adds(t->out, "(?:)");
		if (t->out->failed)
			return bad(t, "too long");
		memmove(t->out->p + t->atom + 3, t->out->p + t->atom, n);
		memcpy(t->out->p + t->atom, "(?:", 3);
		t->out->p[t->out->n - 1] = ')';
	}
	shk_buf_add(t->out, t->in.p + t->at, len);
	t->at += len;
	t->repeated = true;
	return 0;
}

static void begin_atom(struct tr *t)
{
	t->atom = t->out->n;
	t->has_atom = true;
	t->repeated = false;
}

/* A UTF-8 character of several bytes: one atom, so that it is repeated as a whole. */
static int wide_char(struct tr *t)
{
	shk_buf_adds(t->out, "(?:");
	do {
		emit_byte(t, (unsigned)peek(t, 0));
		t->at++;
	} while (peek(t, 0) >= 0x80 && peek(t, 0) < 0xc0);
	shk_buf_addc(t->out, ')');
	return 0;
}

static int step(struct tr *t)
{
	unsigned lo = 0, hi = 0;
	int c = peek(t, 0);
	size_t len;

	switch (c) {
	case '(':
		if (peek(t, 1) == '?')
			return bad(t, "(?...) does not exist");
		if (t->depth == NEST_MAX)
			return bad(t, "groups nested too deeply");
		t->open[t->depth++] = t->out->n;
		shk_buf_adds(t->out, "(?:");
		t->has_atom = t->repeated = false;
		break;
	case ')':
		if (!t->depth)
			return bad(t, "unexpected )");
		begin_atom(t);
		t->atom = t->open[--t->depth];
		shk_buf_addc(t->out, ')');
		break;
	case '|':
		shk_buf_addc(t->out, '|');
		t->has_atom = t->repeated = false;
		break;
	case '*': case '+': case '?':
		return repeat(t, 1);
	case '{':
		len = count_len(t, &lo, &hi);
		if (len && (lo > REPEAT_MAX || hi > REPEAT_MAX || lo > hi))
			return bad(t, "bad repetition count");
		if (len)
			return repeat(t, len);
		begin_atom(t);
		emit_byte(t, '{');
		break;
	case '[':
		begin_atom(t);
		return bracket(t);
	case '^': case '$':
		begin_atom(t);
		shk_buf_printf(t->out, "(?:%c)", c);
		break;
	case '.':
		begin_atom(t);
		t->at++;
		emit_char(t, ".", "[^\\x80-\\xbf]");
		return 0;
	case '\\':
		t->at++;
		c = escape(t);
		if (c < 0)
			return c;
		begin_atom(t);
		emit_byte(t, (unsigned)c);
		return 0;
	default:
		begin_atom(t);
		if (c >= 0xc0)
			return wide_char(t);
		emit_byte(t, (unsigned)c);
	}
	t->at++;
	return 0;
}

int shk_regex_translate(struct shk_str pattern, struct shk_buf *out, struct shk_err *err)
{
	struct tr t = { .in = pattern, .out = out, .err = err };

	if (pattern.n && memchr(pattern.p, 0, pattern.n))
		return bad(&t, "NUL byte");
	while (t.at < pattern.n) {
		int r = step(&t);

		if (r < 0)
			return r;
	}
	if (t.depth)
		return bad(&t, "missing )");
	if (out->failed)
		return bad(&t, "too long");
	return 0;
}
