// SPDX-License-Identifier: Apache-2.0
/*
 * naive_parse.c - text of a condition to a tree, character by character.
 */
#include <ctype.h>
#include <errno.h>

#include "naive.h"

const char *const nv_op_word[NV_OP_N] = {
	"exists", "<=", "<", ">=", ">", "=", "!=", "glob", "iglob", "contains", "icontains",
	"bcontains", "startswith", "bstartswith", "endswith", "regex", "intersects", "in", "pmatch",
};

const char *const nv_fn_word[NV_FN_N] = {
	"val", "tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt",
};

static const char *const mod_word[] = { [NV_ONEOF] = "oneof", [NV_ANYOF] = "anyof",
					[NV_ALLOF] = "allof" };

struct in {
	struct shk_arena *a;
	struct shk_err *err;
	const char *s;
	size_t i, n;
	unsigned depth;
	bool deep;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n';
}

static bool is_space(char c)
{
	return isspace((unsigned char)c);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char peek(const struct in *in)
{
	return in->i < in->n ? in->s[in->i] : 0;
}

static bool blanks(struct in *in)
{
	size_t from = in->i;

	while (in->i < in->n && is_blank(in->s[in->i]))
		in->i++;
	return in->i > from;
}

static bool take(struct in *in, const char *word)
{
	size_t n = strlen(word);

	if (in->n - in->i < n || memcmp(in->s + in->i, word, n) != 0)
		return false;
	in->i += n;
	return true;
}

static int bad(struct in *in, const char *what)
{
	return shk_err_set(in->err, EINVAL, "%s at byte %zu", what, in->i);
}

/* Deeper than a person would write: the answer is that there is none. */
static bool too_deep(struct in *in)
{
	if (in->depth < NV_DEPTH)
		return false;
	in->deep = true;
	return true;
}

/* An identifier; its length, 0 for none. */
static size_t identifier(const struct in *in, size_t at)
{
	size_t n = 0;

	if (at >= in->n || !is_letter(in->s[at]))
		return 0;
	while (at + n < in->n && (is_letter(in->s[at + n]) || is_digit(in->s[at + n]) || in->s[at + n] == '_'))
		n++;
	return n;
}

static bool is_keyword(struct shk_str s)
{
	return shk_str_eqz(s, "and") || shk_str_eqz(s, "or") || shk_str_eqz(s, "not");
}

/* Does this quote end the text? Not one behind a backslash, escaped or not, and in front of another quote. */
static bool closes(const struct in *in, char quote, size_t start)
{
	return in->s[in->i] == quote && !(in->i > start && in->s[in->i - 1] == '\\' && in->i + 1 < in->n &&
					  in->s[in->i + 1] == quote);
}

/* Behind the opening quote up to behind the closing one. */
static int quoted(struct in *in, char quote, struct shk_str *ret)
{
	char *out = shk_arena_alloc(in->a, in->n - in->i + 1);
	size_t n = 0, start = in->i;

	if (!out)
		return -ENOMEM;
	while (in->i < in->n && !closes(in, quote, start)) {
		char c = in->s[in->i++], e;

		if (c != '\\') {
			out[n++] = c;
			continue;
		}
		if (in->i >= in->n)
			break;
		e = in->s[in->i++];
		if (e == 'b')
			out[n++] = '\b';
		else if (e == 'f')
			out[n++] = '\f';
		else if (e == 'n')
			out[n++] = '\n';
		else if (e == 'r')
			out[n++] = '\r';
		else if (e == 't')
			out[n++] = '\t';
		else if (e == '\\' || e == '/' || e == quote)
			out[n++] = e;
		else if (e == ' ')
			out[n++] = '\\';
		else if (e == 'x' && in->n - in->i >= 2 && isxdigit((unsigned char)in->s[in->i]) &&
			 isxdigit((unsigned char)in->s[in->i + 1])) {
			const char hex[3] = { in->s[in->i], in->s[in->i + 1], 0 };

			out[n++] = (char)strtoul(hex, NULL, 16);
			in->i += 2;
		} else
			return bad(in, "no such escape");
	}
	if (in->i >= in->n)
		return bad(in, "a quote is not closed");
	in->i++;
	*ret = (struct shk_str){ out, n };
	return 0;
}

static bool bare_char(char c)
{
	return c && !strchr("()\"'=,", c) && !is_space(c);
}

/* A quoted or bare value. */
static int text_value(struct in *in, struct nv_term *t)
{
	size_t from = in->i;

	t->kind = NV_TEXT;
	t->pos = from;
	if (peek(in) == '"' || peek(in) == '\'') {
		char q = in->s[in->i++];

		return quoted(in, q, &t->text);
	}
	while (in->i < in->n && bare_char(in->s[in->i]))
		in->i++;
	if (in->i == from)
		return bad(in, "a value is expected");
	t->text = (struct shk_str){ in->s + from, in->i - from };
	return 0;
}

/* [+-]?[0-9]+\.?[0-9]*([eE][+-][0-9]+)?, or 0x and digits: false when there is none. */
static bool number(struct in *in, struct nv_term *t)
{
	size_t from = in->i, i = from;
	const char *s = in->s;

#define AT(k) ((k) < in->n ? s[k] : 0)
	if (AT(i) == '0' && (AT(i + 1) == 'x' || AT(i + 1) == 'X') && isxdigit((unsigned char)AT(i + 2))) {
		for (i += 2; isxdigit((unsigned char)AT(i)); i++)
			;
	} else {
		if (AT(i) == '+' || AT(i) == '-')
			i++;
		if (!is_digit(AT(i)))
			return false;
		while (is_digit(AT(i)))
			i++;
		if (AT(i) == '.')
			i++;
		while (is_digit(AT(i)))
			i++;
		if ((AT(i) == 'e' || AT(i) == 'E') && (AT(i + 1) == '+' || AT(i + 1) == '-') && is_digit(AT(i + 2)))
			for (i += 2; is_digit(AT(i)); i++)
				;
	}
#undef AT
	in->i = i;
	t->kind = NV_NUMBER;
	t->pos = from;
	t->text = (struct shk_str){ s + from, i - from };
	return true;
}

/* name.name...[arg]: 1, 0 when there is none here, or an error. */
static int field(struct in *in, struct nv_term *t)
{
	size_t from = in->i, n = identifier(in, from), part;
	unsigned dots = 0;
	struct shk_str arg;
	int r;

	if (!n)
		return 0;
	while (from + n < in->n && in->s[from + n] == '.' && (part = identifier(in, from + n + 1))) {
		n += 1 + part;
		dots++;
	}
	if (!dots)
		return 0;
	in->i = from + n;
	if (take(in, "[")) {
		char q = peek(in);

		if (q == '"' || q == '\'') {
			in->i++;
			r = quoted(in, q, &arg);
			if (r < 0)
				return r;
		} else {
			size_t k = in->i;

			while (in->i < in->n && !strchr("][\"'", in->s[in->i]) && !is_space(in->s[in->i]))
				in->i++;
			if (in->i == k)
				return bad(in, "an argument of a field is expected");
		}
		if (!take(in, "]"))
			return bad(in, "']' is expected");
	}
	t->kind = NV_FIELD;
	t->pos = from;
	t->text = (struct shk_str){ in->s + from, in->i - from };
	return 1;
}

/* Room is doubled whenever the number is a power of two. */
static void *more(struct in *in, void *v, size_t n, size_t size)
{
	void *w = v;

	if ((n & (n - 1)) == 0) {
		w = shk_arena_alloc(in->a, SHK_MAX(2 * n, 1) * size);
		if (w && n)
			memcpy(w, v, n * size);
	}
	return w;
}

static int grow(struct in *in, struct nv_term **v, size_t *n, const struct nv_term *add)
{
	struct nv_term *w = more(in, *v, *n, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w[(*n)++] = *add;
	*v = w;
	return 0;
}

static int call(struct in *in, struct nv_term *t);

/* What a call can be given; in_list: within (a, b) no list. */
static int argument(struct in *in, bool in_list, struct nv_term *t)
{
	int r;

	*t = (struct nv_term){ .pos = in->i };
	if (peek(in) == '"' || peek(in) == '\'')
		return text_value(in, t);
	if (number(in, t))
		return 0;
	r = call(in, t);
	if (r)
		return r < 0 ? r : 0;
	r = field(in, t);
	if (r)
		return r < 0 ? r : 0;
	if (in_list || !take(in, "("))
		return bad(in, "an argument is expected");
	t->kind = NV_LIST;
	blanks(in);
	if (take(in, ")"))
		return 0;
	do {
		struct nv_term item;

		blanks(in);
		r = argument(in, true, &item);
		if (r == 0)
			r = grow(in, &t->item, &t->n, &item);
		if (r < 0)
			return r;
		blanks(in);
	} while (take(in, ","));
	return take(in, ")") ? 0 : bad(in, "',' or ')' is expected");
}

/* A transformer: 1, 0 when there is none here, or an error. */
static int call(struct in *in, struct nv_term *t)
{
	size_t from = in->i, n = identifier(in, from);
	int fn, r = 0;

	if (!n || from + n >= in->n || in->s[from + n] != '(')
		return 0;
	for (fn = NV_TOLOWER; fn < NV_FN_N; fn++)
		if (shk_str_eqz((struct shk_str){ in->s + from, n }, nv_fn_word[fn]))
			break;
	if (fn == NV_FN_N)
		return 0;
	*t = (struct nv_term){ .kind = NV_CALL, .fn = (enum nv_fn)fn, .pos = from };
	in->i = from + n + 1;
	if (too_deep(in))
		return bad(in, "too deep");
	in->depth++;
	do {
		struct nv_term item;

		blanks(in);
		r = argument(in, false, &item);
		if (r == 0)
			r = grow(in, &t->item, &t->n, &item);
		if (r < 0)
			return r;
		blanks(in);
	} while (take(in, ","));
	in->depth--;
	if (!take(in, ")"))
		return bad(in, "',' or ')' is expected");
	if (take(in, "[")) {
		char q = peek(in);
		size_t k = in->i;

		t->has_letter = true;
		if (q == '"' || q == '\'') {
			in->i++;
			r = quoted(in, q, &t->letter);
			if (r < 0)
				return r;
		} else {
			while (in->i < in->n && !strchr("][\"'", in->s[in->i]) && !is_space(in->s[in->i]))
				in->i++;
			if (in->i == k)
				return bad(in, "an argument is expected");
			t->letter = (struct shk_str){ in->s + k, in->i - k };
		}
		if (!take(in, "]"))
			return bad(in, "']' is expected");
	}
	return 1;
}

/* val(field) or a transformer: 1, 0 for neither, or an error. */
static int right_call(struct in *in, struct nv_term *t)
{
	size_t from = in->i;
	struct nv_term f = { 0 };
	int r;

	if (!take(in, "val("))
		return call(in, t);
	blanks(in);
	r = field(in, &f);
	if (r <= 0)
		return r < 0 ? r : bad(in, "a field is expected");
	blanks(in);
	if (!take(in, ")"))
		return bad(in, "')' is expected");
	*t = (struct nv_term){ .kind = NV_CALL, .fn = NV_VAL, .pos = from };
	r = grow(in, &t->item, &t->n, &f);
	return r < 0 ? r : 1;
}

/* (a, "b"), or one identifier: 1, 0 for neither, or an error. */
static int list(struct in *in, struct nv_term *t)
{
	struct nv_term item = { 0 };
	size_t n;
	int r;

	t->kind = NV_LIST;
	t->pos = in->i;
	if (!take(in, "(")) {
		n = identifier(in, in->i);
		if (!n)
			return 0;
		item = (struct nv_term){ .kind = NV_TEXT, .pos = in->i, .text = { in->s + in->i, n } };
		in->i += n;
		r = grow(in, &t->item, &t->n, &item);
		return r < 0 ? r : 1;
	}
	blanks(in);
	if (take(in, ")"))
		return 1;
	do {
		blanks(in);
		item = (struct nv_term){ 0 };
		r = text_value(in, &item);
		if (r == 0)
			r = grow(in, &t->item, &t->n, &item);
		if (r < 0)
			return r;
		blanks(in);
	} while (take(in, ","));
	return take(in, ")") ? 1 : bad(in, "',' or ')' is expected");
}

/* oneof, anyof, allof, when a list follows. */
static enum nv_mod modifier(struct in *in)
{
	size_t from = in->i, n;

	for (int m = NV_ONEOF; m <= NV_ALLOF; m++) {
		if (!take(in, mod_word[m]))
			continue;
		if (blanks(in)) {
			n = identifier(in, in->i);
			if (peek(in) == '(' || (n && !is_keyword((struct shk_str){ in->s + in->i, n })))
				return (enum nv_mod)m;
		}
		in->i = from;
	}
	return NV_PLAIN;
}

/* Operator and right side. */
static int condition(struct in *in, struct nv_node *e)
{
	bool blank;
	int op, r;

	blanks(in);
	for (op = 0; op < NV_OP_N; op++)
		if ((op == NV_EQ && take(in, "==")) || take(in, nv_op_word[op]))
			break;
	if (op == NV_OP_N)
		return bad(in, "an operator is expected");
	e->op = (enum nv_op)op;
	if (op == NV_EXISTS)
		return 0;
	blank = blanks(in);
	if (op >= NV_GLOB && op <= NV_REGEX && !blank)
		return bad(in, "a blank is expected");
	if (op >= NV_EQ && op <= NV_REGEX && blank)
		e->mod = modifier(in);
	if (e->mod) {
		r = list(in, &e->right);
		return r < 0 ? r : r ? 0 : bad(in, "a list is expected");
	}
	e->right.pos = in->i;
	r = right_call(in, &e->right);
	if (r)
		return r < 0 ? r : 0;
	if (op >= NV_INTERSECTS) {
		r = list(in, &e->right);
		return r < 0 ? r : r ? 0 : bad(in, "a list is expected");
	}
	if (op >= NV_LE && op <= NV_GT)
		return number(in, &e->right) ? 0 : bad(in, "a number is expected");
	return text_value(in, &e->right);
}

static int any(struct in *in, struct nv_node **ret);

/* Behind an opening parenthesis: a whole condition and the closing one. */
static int closed(struct in *in, struct nv_node **ret)
{
	int r;

	if (too_deep(in))
		return bad(in, "too deep");
	in->depth++;
	r = any(in, ret);
	in->depth--;
	if (r < 0)
		return r;
	blanks(in);
	return take(in, ")") ? 0 : bad(in, "')' is expected");
}

static struct nv_node *node(struct in *in, enum nv_kind kind, size_t from)
{
	struct nv_node *e = SHK_ARENA_NEW(in->a, struct nv_node);

	if (e) {
		e->kind = kind;
		e->pos = from;
		e->end = in->i;
	}
	return e;
}

static int check(struct in *in, struct nv_node **ret)
{
	size_t from = in->i, n;
	struct nv_node *e;
	int r;

	if (take(in, "("))
		return closed(in, ret);
	e = node(in, NV_CHECK, from);
	if (!e)
		return -ENOMEM;
	*ret = e;
	r = call(in, &e->left);
	if (r == 0)
		r = field(in, &e->left);
	if (r < 0)
		return r;
	if (r) {
		r = condition(in, e);
	} else {
		n = identifier(in, from);
		if (!n || is_keyword((struct shk_str){ in->s + from, n }))
			return bad(in, "a comparison is expected");
		e->kind = NV_NAME;
		in->i += n;
	}
	e->end = in->i;
	return r;
}

static int negation(struct in *in, struct nv_node **ret)
{
	size_t from;
	bool negate = false;
	struct nv_node *e, *inner;
	int r;

	blanks(in);
	from = in->i;
	for (;;) {
		size_t at = in->i;

		if (take(in, "not(")) {
			negate = !negate;
			r = closed(in, &inner);
			break;
		}
		if (take(in, "not") && blanks(in)) {
			negate = !negate;
			continue;
		}
		in->i = at;
		r = check(in, &inner);
		break;
	}
	if (r < 0)
		return r;
	*ret = inner;
	if (!negate)
		return 0;
	e = node(in, NV_NOT, from);
	if (!e)
		return -ENOMEM;
	e->child = SHK_ARENA_NEW(in->a, struct nv_node *);
	if (!e->child)
		return -ENOMEM;
	e->child[0] = inner;
	e->n = 1;
	*ret = e;
	return 0;
}

static int all(struct in *in, struct nv_node **ret);

/* Operands joined by one word; behind the word a blank and an operand, or a parenthesis, which is the
 * operand whatever it holds. */
static int joined(struct in *in, const char *word, int (*operand)(struct in *, struct nv_node **),
		  enum nv_kind kind, struct nv_node **ret)
{
	struct nv_node *e, *next, **child;
	size_t from;
	int r;

	blanks(in);
	from = in->i;
	r = operand(in, ret);
	if (r < 0)
		return r;
	e = NULL;
	for (;;) {
		size_t at = in->i;

		blanks(in);
		if (!take(in, word)) {
			in->i = at;
			return 0;
		}
		if (take(in, "("))
			r = closed(in, &next);
		else if (blanks(in))
			r = operand(in, &next);
		else
			return bad(in, "a blank or '(' is expected");
		if (r < 0)
			return r;
		if (!e) {
			e = node(in, kind, from);
			child = SHK_ARENA_NEW(in->a, struct nv_node *);
			if (!e || !child)
				return -ENOMEM;
			child[0] = *ret;
			e->child = child;
			e->n = 1;
			*ret = e;
		}
		child = more(in, e->child, e->n, sizeof(struct nv_node *));
		if (!child)
			return -ENOMEM;
		child[e->n++] = next;
		e->child = child;
		e->end = in->i;
	}
}

static int all(struct in *in, struct nv_node **ret)
{
	return joined(in, "and", negation, NV_AND, ret);
}

static int any(struct in *in, struct nv_node **ret)
{
	return joined(in, "or", all, NV_OR, ret);
}

int nv_parse(struct shk_arena *a, struct shk_str text, struct nv_node **ret, struct shk_err *err)
{
	struct in in = { .a = a, .err = err, .s = text.p, .n = text.n };
	int r = any(&in, ret);

	if (in.deep)
		return -E2BIG;
	if (r < 0)
		return r;
	blanks(&in);
	return in.i == in.n ? 0 : bad(&in, "there is more than a condition");
}
