// SPDX-License-Identifier: Apache-2.0
/*
 * naive_type.c - what a condition's fields are, and its constants by the type of the left side.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <locale.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "naive.h"

bool nv_is_text(enum shk_type t)
{
	return t == SHK_T_STRING || t == SHK_T_PATH;
}

bool nv_is_multi(const struct nv_term *t)
{
	return t->kind == NV_FIELD && (t->ref.field->flags & SHK_F_MULTI) && !t->ref.has_arg;
}

static bool is_number(enum shk_type t)
{
	return t == SHK_T_INT64 || t == SHK_T_UINT64 || t == SHK_T_RELTIME || t == SHK_T_ABSTIME ||
	       t == SHK_T_PORT || t == SHK_T_DOUBLE;
}

static bool is_event_type(const struct nv_term *t)
{
	return t->kind == NV_FIELD && strcmp(t->ref.field->name, "evt.type") == 0;
}

/* What is compared with names of events and with nothing else. */
static bool is_event_word(const struct nv_term *t)
{
	return is_event_type(t) || (t->kind == NV_FIELD && strcmp(t->ref.field->name, "syscall.type") == 0);
}

/* Given to a call, or to a call within it. A list written there may hold it. */
static bool asks_event_word(const struct nv_term *t)
{
	bool found = is_event_word(t);

	for (size_t i = 0; t->kind == NV_CALL && i < t->n; i++)
		found = found || asks_event_word(&t->item[i]);
	return found;
}

static int bad(struct shk_err *err, const struct nv_term *t, const char *what)
{
	return shk_err_set(err, EINVAL, "%s at byte %zu", what, t->pos);
}

static bool is_words(enum shk_type t)
{
	return nv_is_text(t) || t == SHK_T_LIST;
}

static int side(struct nv_term *t, struct shk_err *err);

/* A list written in a call, or a field that is one. */
static bool is_list(const struct nv_term *t)
{
	return t->kind == NV_LIST || t->type == SHK_T_LIST;
}

static int call_type(struct nv_term *t, struct shk_err *err)
{
	enum shk_type first;
	int r;

	for (size_t i = 0; i < t->n; i++) {
		struct nv_term *arg = &t->item[i];

		r = side(arg, err);
		if (r < 0)
			return r;
		if (t->fn != NV_VAL && arg->kind == NV_FIELD && (arg->ref.field->flags & SHK_F_NO_TRANSFORM) &&
		    !((arg->ref.field->flags & SHK_F_MULTI) && arg->ref.has_arg)) /* proc.aname[2] is one value */
			return bad(err, arg, "this field cannot be transformed");
		for (size_t k = 0; arg->kind == NV_LIST && k < arg->n; k++) {
			r = side(&arg->item[k], err);
			if (r < 0)
				return r;
			if (!nv_is_text(arg->item[k].type))
				return bad(err, arg, "such a list holds strings");
		}
	}
	if (t->has_letter && t->fn != NV_GETOPT)
		return bad(err, t, "only getopt takes an argument");
	first = t->item[0].type;
	switch (t->fn) {
	case NV_VAL:
		t->type = first;
		return 0;
	case NV_TOLOWER:
	case NV_TOUPPER:
	case NV_BASENAME:
		t->type = first == SHK_T_LIST ? SHK_T_LIST : SHK_T_STRING;
		return t->n == 1 && (nv_is_text(first) || first == SHK_T_LIST) ?
			       0 : bad(err, t, "one string is expected");
	case NV_B64:
		t->type = first == SHK_T_BYTES || first == SHK_T_LIST ? first : SHK_T_STRING;
		return t->n == 1 && (nv_is_text(first) || first == SHK_T_BYTES || first == SHK_T_LIST) ?
			       0 : bad(err, t, "one string or buffer is expected");
	case NV_LEN:
		t->type = SHK_T_UINT64;
		return t->n == 1 && (nv_is_text(first) || first == SHK_T_BYTES || is_list(&t->item[0])) ?
			       0 : bad(err, t, "one string, buffer or list is expected");
	case NV_JOIN:
		t->type = SHK_T_STRING;
		return t->n == 2 && nv_is_text(first) && is_list(&t->item[1]) ?
			       0 : bad(err, t, "a string and a list are expected");
	case NV_CONCAT:
		t->type = SHK_T_STRING;
		for (size_t i = 0; i < t->n; i++)
			if (!nv_is_text(t->item[i].type))
				return bad(err, t, "strings are expected");
		return t->n >= 2 ? 0 : bad(err, t, "two strings are expected");
	case NV_GETOPT:
		t->type = t->has_letter ? SHK_T_STRING : SHK_T_LIST;
		if (t->has_letter && t->letter.n != 1)
			return bad(err, t, "one option letter is expected");
		return t->n == 2 && is_list(&t->item[0]) && t->item[1].kind == NV_TEXT ?
			       0 : bad(err, t, "a list and a string are expected");
	default:
		return -EINVAL;
	}
}

/* Type of a side; on the right side `text` is its own. */
static int side(struct nv_term *t, struct shk_err *err)
{
	int r;

	switch (t->kind) {
	case NV_FIELD:
		r = shk_field_parse(t->text, &t->ref, err);
		t->type = t->ref.type;
		return r < 0 ? -EINVAL : 0;
	case NV_CALL:
		return call_type(t, err);
	case NV_TEXT:
		t->type = SHK_T_STRING;
		return 0;
	case NV_NUMBER: /* given to a call: its digits */
		t->type = SHK_T_STRING;
		return 0;
	default:
		t->type = SHK_T_N;
		return 0;
	}
}

static bool no_constants(const struct shk_field *f)
{
	static const char *const words[] = { "SIGTYPE", "SYSCALLID", "SOCKADDR", "SOCKTUPLE" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (strcmp(f->falco_type, words[i]) == 0)
			return true;
	return false;
}

static bool allowed(const struct nv_node *e)
{
	enum shk_type t = e->left.type;
	enum nv_op op = e->op;
	bool equal = op == NV_EQ || op == NV_NE || op == NV_IN || op == NV_INTERSECTS || op == NV_EXISTS;

	if (op != NV_EXISTS && e->left.kind == NV_FIELD && no_constants(e->left.ref.field))
		return false;
	if (t == SHK_T_LIST)
		return op == NV_IN || op == NV_INTERSECTS || op == NV_EXISTS;
	if (nv_is_text(t))
		return op != NV_BCONTAINS && op != NV_BSTARTSWITH;
	if (is_number(t))
		return equal || op == NV_LT || op == NV_LE || op == NV_GT || op == NV_GE;
	if (t == SHK_T_BYTES)
		return equal || op == NV_CONTAINS || op == NV_STARTSWITH || op == NV_ENDSWITH ||
		       op == NV_BCONTAINS || op == NV_BSTARTSWITH;
	return equal;
}

/* Width in bits of a number as the field holds it. */
static unsigned width(const struct nv_term *t)
{
	static const struct {
		const char *word;
		unsigned bits;
	} words[] = { { "INT8", 8 }, { "UINT8", 8 }, { "INT16", 16 }, { "UINT16", 16 },
		      { "INT32", 32 }, { "UINT32", 32 }, { "PORT", 16 } };

	if (t->type == SHK_T_PORT)
		return 16;
	for (size_t i = 0; t->kind == NV_FIELD && i < SHK_ARRAY_SIZE(words); i++)
		if (strcmp(t->ref.field->falco_type, words[i].word) == 0)
			return words[i].bits;
	return 64;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits with a sign, or hexadecimal ones; cut to the width. */
static bool number(const struct nv_term *left, struct shk_str s, uint64_t *ret)
{
	bool minus = s.n && s.p[0] == '-', hex = s.n > 2 && s.p[0] == '0' && (s.p[1] | 32) == 'x';
	size_t i = hex ? 2 : s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
	unsigned bits = width(left);
	uint64_t v = 0;

	if (i >= s.n)
		return false;
	for (; i < s.n; i++) {
		int d = hex_digit(s.p[i]), base = hex ? 16 : 10;

		/* More than any width is none; what is cut to the field's width is another matter. */
		if (d < 0 || d >= base || v > (UINT64_MAX - (unsigned)d) / (unsigned)base)
			return false;
		v = v * (unsigned)base + (unsigned)d;
	}
	if (minus)
		v = -v;
	if (bits < 64) {
		v &= (UINT64_C(1) << bits) - 1;
		if (left->type == SHK_T_INT64 && v >> (bits - 1))
			v |= ~((UINT64_C(1) << bits) - 1);
	}
	*ret = v;
	return true;
}

static bool address(struct shk_str s, struct shk_ip *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char z[64];

	if (s.n >= sizeof(z))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	if (strlen(z) != s.n)
		return false;
	ret->len = 4; /* a point makes it one; IPv6 that ends in such an address is taken, too */
	if (strchr(z, '.') && inet_pton(AF_INET, z, ret->b) == 1)
		return true;
	ret->len = 16;
	if (inet_pton(AF_INET6, z, ret->b) != 1)
		return false;
	if (memcmp(ret->b, mapped, 12) == 0) {
		memmove(ret->b, ret->b + 12, 4);
		memset(ret->b + 4, 0, 12);
		ret->len = 4;
	}
	return true;
}

static bool network(struct shk_str s, struct nv_const *c)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	unsigned bits = 0;
	bool six;

	if (!slash || slash + 1 == s.p + s.n)
		return false;
	for (const char *p = slash + 1; p < s.p + s.n; p++) {
		if (*p < '0' || *p > '9' || bits > 1000)
			return false;
		bits = 10 * bits + (unsigned)(*p - '0');
	}
	s.n = (size_t)(slash - s.p);
	six = memchr(s.p, ':', s.n) != NULL;
	if (!address(s, &c->ip) || bits > (six ? 128 : 32) || (six && bits == 0))
		return false;
	if (six && c->ip.len == 4) { /* ::ffff:a.b.c.d */
		if (bits < 96)
			return false;
		bits -= 96;
	}
	c->bits = bits;
	return true;
}

/* The locale that patterns are compiled and matched in; what was there before. */
static locale_t to_utf8(void)
{
	static locale_t utf8;

	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	if (!utf8) {
		perror("locale C.UTF-8");
		abort();
	}
	return uselocale(utf8);
}

bool nv_regex_new(regex_t *re, const char *pattern)
{
	static const char letters[] = "[:alpha:]"; /* those of ASCII, to the language */
	locale_t before = to_utf8();
	char *own = strdup(pattern), *at;
	int r;

	if (!own)
		abort();
	while ((at = strstr(own, letters))) {
		memcpy(at, "A-Za-z", 6);
		memmove(at + 6, at + strlen(letters), strlen(at + strlen(letters)) + 1);
	}
	r = regcomp(re, own, REG_EXTENDED | REG_NOSUB);
	uselocale(before);
	free(own);
	return r == 0;
}

bool nv_regex_match(const regex_t *re, const char *text)
{
	locale_t before = to_utf8();
	int r = regexec(re, text, 0, NULL, 0);

	uselocale(before);
	return r == 0;
}

static int pattern(struct shk_arena *a, struct shk_str s, struct nv_const *c)
{
	char *z = shk_arena_printf(a, "^(" SHK_STR_FMT ")$", SHK_STR_ARG(s));

	c->re = SHK_ARENA_NEW(a, regex_t);
	if (!z || !c->re)
		return -ENOMEM;
	if (!nv_regex_new(c->re, z)) {
		c->re = NULL;
		return -EINVAL;
	}
	return 0;
}

static bool hex_bytes(struct shk_arena *a, struct shk_str s, struct nv_const *c)
{
	char *out = shk_arena_alloc(a, s.n / 2 + 1);

	if (s.n % 2 || !out)
		return false;
	for (size_t i = 0; i < s.n / 2; i++) {
		int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (char)(high << 4 | low);
	}
	c->s = (struct shk_str){ out, s.n / 2 };
	return true;
}

static bool service(struct shk_str s, uint64_t *ret)
{
	char z[64];
	struct servent *e;

	if (s.n >= sizeof(z))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	e = getservbyname(z, NULL);
	if (e)
		*ret = ntohs((uint16_t)e->s_port);
	return e != NULL;
}

static int constant(struct shk_arena *a, const struct nv_node *e, const struct nv_term *word,
		    struct nv_const *c, struct shk_err *err)
{
	enum shk_type t = e->left.type;
	struct shk_str s = word->text;
	bool ok = true;

	c->s = s;
	if (is_event_type(&e->left) && !shk_evt_type_known(s))
		return bad(err, word, "unknown event type");
	if (e->op == NV_REGEX)
		return pattern(a, s, c) < 0 ? bad(err, word, "bad pattern") : 0;
	if (t == SHK_T_BOOL) {
		c->u = shk_str_eqz(s, "true");
		ok = c->u || shk_str_eqz(s, "false");
	} else if (t == SHK_T_PORT) {
		ok = !s.n || number(&e->left, s, &c->u) || service(s, &c->u);
	} else if (is_number(t) || t == SHK_T_DOUBLE) {
		ok = number(&e->left, s, &c->u);
		if (ok && t == SHK_T_DOUBLE) /* whole numbers only */
			c->u = shk_double_order(s.p[0] == '-' ? -(double)-c->u : (double)c->u);
	} else if (t == SHK_T_IPADDR) {
		ok = address(s, &c->ip);
	} else if (t == SHK_T_IPNET) {
		ok = network(s, c);
	} else if (e->op == NV_BCONTAINS || e->op == NV_BSTARTSWITH) {
		ok = hex_bytes(a, s, c);
	}
	return ok ? 0 : bad(err, word, "bad value for this type");
}

/* Section 10: what has no constants exists, or does not. */
static bool has_no_constants(const struct nv_term *t)
{
	static const char *const types[] = { "SIGTYPE", "SYSCALLID", "SOCKADDR", "SOCKTUPLE" };

	for (size_t i = 0; t->kind == NV_FIELD && i < SHK_ARRAY_SIZE(types); i++)
		if (strcmp(t->ref.field->falco_type, types[i]) == 0)
			return true;
	return false;
}

static int check(struct shk_arena *a, struct nv_node *e, struct shk_err *err)
{
	struct nv_term *right = &e->right;
	const struct nv_term *word = right;
	size_t n = 1;
	int r = side(&e->left, err);

	if (r < 0)
		return r;
	if (e->op != NV_EXISTS && ((is_event_word(&e->left) && right->kind == NV_CALL) ||
				   (e->left.kind == NV_CALL && asks_event_word(&e->left))))
		return bad(err, right, "types of events are compared with words only");
	if (!allowed(e))
		return bad(err, &e->left, "this operator is not for this type");
	if (e->op == NV_EXISTS)
		return 0;
	if (has_no_constants(&e->left))
		return bad(err, &e->left, "nothing can be compared with this type");
	if (right->kind == NV_CALL) {
		r = side(right, err);
		if (r < 0)
			return r;
		if (asks_event_word(right))
			return bad(err, right, "types of events stand on the left side only");
		/* Of bcontains and bstartswith the description says only that they take hexadecimal constants. */
		if (e->op == NV_PMATCH || e->op == NV_REGEX || e->left.type == SHK_T_IPNET ||
		    e->op == NV_BCONTAINS || e->op == NV_BSTARTSWITH)
			return bad(err, right, "no field may stand here");
		if (e->left.kind == NV_FIELD && (e->left.ref.field->flags & SHK_F_NO_RHS))
			return bad(err, right, "this field is compared with constants only");
		if (right->fn == NV_VAL && (right->item[0].ref.field->flags & SHK_F_NO_RHS))
			return bad(err, right, "this field cannot stand here");
		/* A list and a string are of one type in the description's table: a list of one. */
		if (e->left.type != right->type && !(nv_is_text(e->left.type) && nv_is_text(right->type)) &&
		    !((e->op == NV_IN || e->op == NV_INTERSECTS) && is_words(e->left.type) && is_words(right->type)))
			return bad(err, right, "both sides must have the same type");
		return 0;
	}
	if (right->kind == NV_LIST) {
		word = right->item;
		n = right->n;
	}
	e->c = SHK_ARENA_ARRAY(a, struct nv_const, n ? n : 1);
	if (!e->c)
		return -ENOMEM;
	/* The words of a list that were changed one by one equal nothing. */
	e->n_c = e->left.kind == NV_CALL && e->left.type == SHK_T_LIST && e->left.fn != NV_GETOPT ? 0 : n;
	for (size_t i = 0; i < n; i++) {
		r = constant(a, e, &word[i], &e->c[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int nv_type(struct shk_arena *a, struct nv_node *e, struct shk_err *err)
{
	if (e->kind == NV_NAME)
		return shk_err_set(err, EINVAL, "a macro at byte %zu", e->pos);
	if (e->kind == NV_CHECK)
		return check(a, e, err);
	for (size_t i = 0; i < e->n; i++) {
		int r = nv_type(a, e->child[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

void nv_done(struct nv_node *e)
{
	for (size_t i = 0; i < e->n; i++)
		nv_done(e->child[i]);
	for (size_t i = 0; i < e->n_c; i++)
		if (e->c && e->c[i].re)
			regfree(e->c[i].re);
}
