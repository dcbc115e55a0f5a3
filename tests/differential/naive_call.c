// SPDX-License-Identifier: Apache-2.0
/*
 * naive_call.c - values: of fields, of words, and of what transformers make of them.
 */
#include <ctype.h>
#include <stdlib.h>

#include "naive.h"

static void *room(struct shk_eval_ctx *ctx, size_t n)
{
	void *p = shk_arena_alloc(ctx->ev->arena, n + 1);

	if (!p)
		abort(); /* events of a test are small */
	return p;
}

static bool is_letter(char c, char from, char to)
{
	return c >= from && c <= to;
}

static struct shk_str changed(struct shk_eval_ctx *ctx, struct shk_str s, bool up)
{
	char *p = room(ctx, s.n);

	for (size_t i = 0; i < s.n; i++) {
		p[i] = s.p[i];
		if (up && is_letter(p[i], 'a', 'z'))
			p[i] = (char)(p[i] - 'a' + 'A');
		else if (!up && is_letter(p[i], 'A', 'Z'))
			p[i] = (char)(p[i] - 'A' + 'a');
	}
	return (struct shk_str){ p, s.n };
}

static int digit64(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Digits, up to two '=' behind them; the description leaves open whether those may be missing: they may. */
static bool decode64(struct shk_eval_ctx *ctx, struct shk_str s, struct shk_str *ret)
{
	char *p = room(ctx, s.n);
	unsigned bit = 0;
	size_t n = 0;

	for (unsigned k = 0; k < 2 && s.n && s.p[s.n - 1] == '='; k++)
		s.n--;
	if (s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (digit64(s.p[i]) < 0)
			return false;
	for (n = 0; 8 * (n + 1) <= 6 * s.n; n++) {
		p[n] = 0;
		for (unsigned k = 0; k < 8; k++, bit++)
			p[n] = (char)(p[n] << 1 | (digit64(s.p[bit / 6]) >> (5 - bit % 6) & 1));
	}
	*ret = (struct shk_str){ p, n };
	return true;
}

static struct shk_str last_part(struct shk_str s)
{
	size_t i = s.n;

	while (i && s.p[i - 1] != '/')
		i--;
	return (struct shk_str){ s.p + i, s.n - i };
}

static struct shk_str glued(struct shk_eval_ctx *ctx, const struct shk_str *v, size_t n, struct shk_str sep)
{
	size_t size = 0, at = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		size += v[i].n + sep.n;
	p = room(ctx, size);
	for (size_t i = 0; i < n; i++) {
		if (i && sep.n)
			memcpy(p + at, sep.p, sep.n);
		at += i ? sep.n : 0;
		if (v[i].n)
			memcpy(p + at, v[i].p, v[i].n);
		at += v[i].n;
	}
	return (struct shk_str){ p, at };
}

/* Every part of a call that is a list of words; false: one of them is missing. */
static bool words(const struct nv_term *t, struct shk_eval_ctx *ctx, struct shk_strvec *ret)
{
	struct shk_value v;

	if (t->kind != NV_LIST) {
		if (!nv_value(t, ctx, &v))
			return false;
		*ret = v.list;
		return true;
	}
	*ret = (struct shk_strvec){ .v = room(ctx, t->n * sizeof(struct shk_str)), .n = t->n };
	for (size_t i = 0; i < t->n; i++) {
		if (!nv_value(&t->item[i], ctx, &v))
			return false;
		ret->v[i] = v.s;
	}
	return true;
}

struct option {
	struct shk_str letter, value;
	bool has_value;
};

/* As POSIX says of getopt, over all of the list: options come before the first other word, "--" ends them. */
static size_t options(const struct shk_strvec *args, struct shk_str spec, struct option *out)
{
	bool colon = spec.n && spec.p[0] == ':';
	size_t n = 0;

	for (size_t i = 0; i < args->n; i++) {
		struct shk_str a = args->v[i];

		if (a.n < 2 || a.p[0] != '-' || (a.n == 2 && a.p[1] == '-'))
			break;
		for (size_t k = 1; k < a.n; k++) {
			struct option *o = &out[n++];
			size_t at = 0;

			while (at < spec.n && (spec.p[at] != a.p[k] || a.p[k] == ':'))
				at++;
			*o = (struct option){ .letter = { a.p + k, 1 } };
			if (at == spec.n) {
				o->letter = SHK_STR("?");
				continue;
			}
			if (at + 1 >= spec.n || spec.p[at + 1] != ':')
				continue;
			o->has_value = true;
			if (k + 1 < a.n) {
				o->value = (struct shk_str){ a.p + k + 1, a.n - k - 1 };
			} else if (i + 1 < args->n) {
				o->value = args->v[++i];
			} else {
				o->has_value = false;
				o->letter = colon ? SHK_STR(":") : SHK_STR("?");
			}
			break;
		}
	}
	return n;
}

static bool getopt_value(const struct nv_term *t, struct shk_eval_ctx *ctx, struct shk_value *out)
{
	struct shk_strvec args;
	struct shk_value spec;
	struct option *o;
	size_t most = 1, n;
	bool found = false;

	if (!words(&t->item[0], ctx, &args) || !nv_value(&t->item[1], ctx, &spec))
		return false;
	for (size_t i = 0; i < args.n; i++)
		most += args.v[i].n;
	o = room(ctx, most * sizeof(*o));
	n = options(&args, spec.s, o);
	if (t->has_letter) {
		for (size_t i = 0; i < n; i++)
			if (o[i].letter.p[0] == t->letter.p[0]) {
				out->s = o[i].has_value ? o[i].value : o[i].letter;
				found = true;
			}
		return found;
	}
	out->list = (struct shk_strvec){ .v = room(ctx, 2 * most * sizeof(struct shk_str)) };
	for (size_t i = 0; i < n; i++) {
		out->list.v[out->list.n++] = o[i].letter;
		if (o[i].has_value)
			out->list.v[out->list.n++] = o[i].value;
	}
	return true;
}

/* One word changed by a function of one word. */
static bool change(struct shk_eval_ctx *ctx, enum nv_fn fn, struct shk_str s, struct shk_str *ret)
{
	if (fn == NV_B64)
		return decode64(ctx, s, ret);
	*ret = fn == NV_BASENAME ? last_part(s) : changed(ctx, s, fn == NV_TOUPPER);
	return true;
}

static bool change_each(struct shk_eval_ctx *ctx, enum nv_fn fn, const struct shk_strvec *in,
			struct shk_strvec *ret)
{
	*ret = (struct shk_strvec){ .v = room(ctx, in->n * sizeof(struct shk_str)), .n = in->n };
	for (size_t i = 0; i < in->n; i++)
		if (!change(ctx, fn, in->v[i], &ret->v[i]))
			return false;
	return true;
}

static bool call_value(const struct nv_term *t, struct shk_eval_ctx *ctx, struct shk_value *out)
{
	struct shk_value v, list;
	struct shk_strvec vec;
	struct shk_str *parts;

	if (t->fn == NV_GETOPT)
		return getopt_value(t, ctx, out);
	if (t->fn == NV_LEN && t->item[0].kind == NV_LIST) {
		if (!words(&t->item[0], ctx, &vec))
			return false;
		out->u = vec.n;
		return true;
	}
	if (!nv_value(&t->item[0], ctx, &v))
		return false;
	switch (t->fn) {
	case NV_VAL:
		*out = v;
		return true;
	case NV_TOLOWER:
	case NV_TOUPPER:
	case NV_B64:
	case NV_BASENAME:
		return v.type == SHK_T_LIST ? change_each(ctx, t->fn, &v.list, &out->list) :
					      change(ctx, t->fn, v.s, &out->s);
	case NV_LEN:
		out->u = v.type == SHK_T_LIST ? v.list.n : v.s.n;
		return true;
	case NV_JOIN:
		if (!words(&t->item[1], ctx, &vec))
			return false;
		out->s = glued(ctx, vec.v, vec.n, v.s);
		return true;
	default: /* concat */
		parts = room(ctx, t->n * sizeof(*parts));
		for (size_t i = 0; i < t->n; i++) {
			if (!nv_value(&t->item[i], ctx, &list))
				return false;
			parts[i] = list.s;
		}
		out->s = glued(ctx, parts, t->n, SHK_STR(""));
		return true;
	}
}

bool nv_value(const struct nv_term *t, struct shk_eval_ctx *ctx, struct shk_value *out)
{
	out->type = t->type;
	if (t->kind == NV_FIELD)
		return shk_field_get(ctx, &t->ref, out);
	if (t->kind == NV_CALL) {
		bool there = call_value(t, ctx, out);

		out->type = t->type;
		return there;
	}
	out->s = t->text;
	return true;
}
