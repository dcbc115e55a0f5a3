// SPDX-License-Identifier: Apache-2.0
/*
 * naive_eval.c - is a condition true of an event? Asks every comparison from left to right.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <strings.h>

#include "naive.h"

void (*nv_watch)(const struct nv_node *check, bool holds);

static bool equal(struct shk_str a, struct shk_str b)
{
	return a.n == b.n && !(a.n && memcmp(a.p, b.p, a.n));
}

static bool contains(struct shk_str s, struct shk_str part)
{
	for (size_t i = 0; i + part.n <= s.n; i++)
		if (equal((struct shk_str){ s.p + i, part.n }, part))
			return true;
	return false;
}

static bool icontains(struct shk_str s, struct shk_str part)
{
	for (size_t i = 0; i + part.n <= s.n; i++)
		if (!part.n || strncasecmp(s.p + i, part.p, part.n) == 0)
			return true;
	return false;
}

static bool starts(struct shk_str s, struct shk_str part)
{
	return s.n >= part.n && equal((struct shk_str){ s.p, part.n }, part);
}

static bool ends(struct shk_str s, struct shk_str part)
{
	return s.n >= part.n && equal((struct shk_str){ s.p + (s.n - part.n), part.n }, part);
}

/* A copy with a NUL behind it, in memory that lasts until the next but one call. */
static const char *text(struct shk_str s, unsigned which)
{
	static char *room[2];
	static size_t size[2];

	if (s.n + 1 > size[which]) {
		size[which] = 2 * s.n + 64;
		free(room[which]);
		room[which] = malloc(size[which]);
		if (!room[which])
			abort();
	}
	if (s.n)
		memcpy(room[which], s.p, s.n);
	room[which][s.n] = 0;
	return room[which];
}

static bool glob(struct shk_str s, struct shk_str pattern, int flags)
{
	return fnmatch(text(pattern, 0), text(s, 1), flags) == 0;
}

/* The next component of a path; false: there is none. */
static bool component(struct shk_str *path, struct shk_str *ret)
{
	while (path->n && path->p[0] == '/') {
		path->p++;
		path->n--;
	}
	ret->p = path->p;
	ret->n = 0;
	while (path->n && path->p[0] != '/') {
		path->p++;
		path->n--;
		ret->n++;
	}
	return ret->n > 0;
}

static bool below(struct shk_str path, struct shk_str pattern)
{
	struct shk_str want, have;

	while (component(&pattern, &want)) {
		bool wild = memchr(want.p, '*', want.n) || memchr(want.p, '?', want.n) ||
			    memchr(want.p, '[', want.n);

		if (!component(&path, &have) || !(wild ? glob(have, want, 0) : equal(have, want)))
			return false;
	}
	return true;
}

static int order(enum shk_type t, uint64_t a, uint64_t b)
{
	if (t == SHK_T_INT64)
		return (int64_t)a < (int64_t)b ? -1 : (int64_t)a > (int64_t)b;
	if (t == SHK_T_DOUBLE)
		return shk_double_of(a) < shk_double_of(b) ? -1 : shk_double_of(a) > shk_double_of(b);
	return a < b ? -1 : a > b;
}

static bool inside(const struct shk_ip *ip, const struct nv_const *net)
{
	if (ip->len != net->ip.len)
		return false;
	for (unsigned bit = 0; bit < net->bits; bit++)
		if (((ip->b[bit / 8] ^ net->ip.b[bit / 8]) >> (7 - bit % 8)) & 1)
			return false;
	return true;
}

static bool same_ip(const struct shk_ip *a, const struct shk_ip *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static uint64_t number_of(const struct shk_value *v)
{
	return v->type == SHK_T_BOOL ? v->b : v->type == SHK_T_INT64 ? (uint64_t)v->i : v->u;
}

/* One value against one constant. */
static bool against(enum nv_op op, const struct shk_value *v, const struct nv_const *c)
{
	bool text_like = nv_is_text(v->type) || v->type == SHK_T_BYTES;
	int o;

	switch (op) {
	case NV_NE:
		return !against(NV_EQ, v, c);
	case NV_EQ:
	case NV_IN:
	case NV_INTERSECTS:
		if (text_like)
			return equal(v->s, c->s);
		if (v->type == SHK_T_IPADDR)
			return same_ip(&v->ip, &c->ip);
		if (v->type == SHK_T_IPNET)
			return inside(&v->ip, c);
		return order(v->type, number_of(v), c->u) == 0;
	case NV_CONTAINS:
	case NV_BCONTAINS:
		return contains(v->s, c->s);
	case NV_ICONTAINS:
		return icontains(v->s, c->s);
	case NV_STARTSWITH:
	case NV_BSTARTSWITH:
		return starts(v->s, c->s);
	case NV_ENDSWITH:
		return ends(v->s, c->s);
	case NV_GLOB:
		return glob(v->s, c->s, 0);
	case NV_IGLOB:
		return glob(v->s, c->s, FNM_CASEFOLD);
	case NV_REGEX:
		return nv_regex_match(c->re, text(v->s, 0));
	case NV_PMATCH:
		return below(v->s, c->s);
	default:
		o = text_like ? strcmp(text(v->s, 0), text(c->s, 1)) : order(v->type, number_of(v), c->u);
		return op == NV_LT ? o < 0 : op == NV_LE ? o <= 0 : op == NV_GT ? o > 0 : o >= 0;
	}
}

/* How many constants the value answers to; *holds: whether the comparison as a whole does. */
static bool against_all(const struct nv_node *e, const struct shk_value *v)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_c; i++)
		n += against(e->op, v, &e->c[i]);
	switch (e->mod) {
	case NV_ONEOF:
		return n == 1;
	case NV_ALLOF:
		return n && n == e->n_c;
	default:
		return n > 0;
	}
}

/* A field with several candidates: one of them satisfies the comparison, modifier and list included. For "!=" of
 * the fields that say so all of them do, and there is one at least. */
static bool multi(const struct nv_node *e, struct shk_eval_ctx *ctx)
{
	const struct shk_field_ref *ref = &e->left.ref;
	bool every = e->op == NV_NE && !ref->field->any_ne;
	struct shk_value v = { .type = ref->type };
	unsigned k;

	for (k = 0; shk_field_candidate(ctx, ref, k, &v); k++)
		if (against_all(e, &v) != every)
			return !every;
	return every && k > 0;
}

static bool list(const struct nv_node *e, const struct shk_value *v, const struct shk_strvec *set)
{
	size_t n = 0;

	for (size_t i = 0; i < v->list.n; i++) {
		bool found = false;

		for (size_t k = 0; set && k < set->n; k++)
			found |= equal(v->list.v[i], set->v[k]);
		for (size_t k = 0; !set && k < e->n_c; k++)
			found |= equal(v->list.v[i], e->c[k].s);
		n += found;
	}
	return e->op == NV_IN ? n == v->list.n : n > 0;
}

static bool check(const struct nv_node *e, struct shk_eval_ctx *ctx)
{
	struct shk_value v, w;
	struct nv_const c = { 0 };

	if (nv_is_multi(&e->left) && e->op != NV_EXISTS)
		return multi(e, ctx);
	if (!nv_value(&e->left, ctx, &v))
		return false;
	if (e->op == NV_EXISTS)
		return true;
	if (e->right.kind == NV_CALL) {
		if (!nv_value(&e->right, ctx, &w))
			return false;
		if (v.type == SHK_T_LIST || w.type == SHK_T_LIST) {
			const struct shk_strvec one = { .v = &w.s, .n = 1 };
			struct shk_str word = v.s;

			if (v.type != SHK_T_LIST)
				v.list = (struct shk_strvec){ .v = &word, .n = 1 };
			return list(e, &v, w.type == SHK_T_LIST ? &w.list : &one);
		}
		if (nv_is_text(w.type) || w.type == SHK_T_BYTES)
			c.s = w.s;
		else if (w.type == SHK_T_IPADDR)
			c.ip = w.ip;
		else
			c.u = number_of(&w);
		return against(e->op, &v, &c);
	}
	if (v.type == SHK_T_LIST)
		return list(e, &v, NULL);
	return against_all(e, &v);
}

bool nv_holds(const struct nv_node *e, struct shk_eval_ctx *ctx)
{
	size_t i;
	bool yes;

	switch (e->kind) {
	case NV_AND:
		for (i = 0; i < e->n; i++)
			if (!nv_holds(e->child[i], ctx))
				return false;
		return true;
	case NV_OR:
		for (i = 0; i < e->n; i++)
			if (nv_holds(e->child[i], ctx))
				return true;
		return false;
	case NV_NOT:
		return !nv_holds(e->child[0], ctx);
	default:
		yes = check(e, ctx);
		if (nv_watch)
			nv_watch(e, yes);
		return yes;
	}
}
