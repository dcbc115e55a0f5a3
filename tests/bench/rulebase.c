// SPDX-License-Identifier: Apache-2.0
#include "rulebench.h"

#include <stdlib.h>

/* Per comparison: its constants, texts sorted. */
struct set {
	const struct shk_str *v;
	size_t n;
	struct shk_pathset paths;
};

struct bench_base {
	const struct shk_ruleset *rs;
	struct set *set;
};

static int by_text(const void *x, const void *y)
{
	return shk_str_cmp(*(const struct shk_str *)x, *(const struct shk_str *)y);
}

struct bench_base *bench_base_new(const struct shk_ruleset *rs, struct shk_arena *a)
{
	struct bench_base *b = SHK_ARENA_NEW(a, struct bench_base);

	if (!b)
		return NULL;
	b->rs = rs;
	b->set = SHK_ARENA_ARRAY(a, struct set, rs->n_test);
	for (size_t i = 0; b->set && i < rs->n_test; i++) {
		const struct shk_test *t = &rs->test[i];
		struct shk_str *v = SHK_ARENA_ARRAY(a, struct shk_str, t->n);

		if (!v)
			return NULL;
		for (size_t k = 0; k < t->n; k++)
			if (t->c[k].v.type == SHK_T_STRING || t->c[k].v.type == SHK_T_BYTES)
				v[k] = t->c[k].v.s;
		if (t->n)
			qsort(v, t->n, sizeof(*v), by_text);
		b->set[i] = (struct set){ .v = v, .n = t->n };
		if (t->kind == SHK_TEST_PATHSET &&
		    shk_pathset_build(a, v, t->n, &b->set[i].paths) < 0)
			return NULL;
	}
	return b->set ? b : NULL;
}

static bool in_set(const struct set *s, struct shk_str x)
{
	return s->n && bsearch(&x, s->v, s->n, sizeof(x), by_text);
}

static bool slot_value(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, uint32_t i,
		       struct shk_value *out)
{
	const struct shk_slot *s = &rs->slots.v[i];
	const struct shk_value *arg[64];
	struct shk_value v[64];
	struct shk_str *list;

	out->type = s->type;
	if (s->kind == SHK_OPERAND_FIELD)
		return shk_field_get(ctx, &s->ref, out);
	if (s->kind == SHK_OPERAND_TEXT) {
		out->s = s->text;
		return true;
	}
	if (s->n_arg > SHK_ARRAY_SIZE(arg))
		return false;
	for (size_t k = 0; k < s->n_arg; k++) {
		arg[k] = &v[k];
		if (!slot_value(rs, ctx, s->arg[k], &v[k]))
			return false;
	}
	if (s->kind == SHK_OPERAND_CALL)
		return shk_transform_apply(ctx->ev->arena, s, arg, out);
	list = SHK_ARENA_ARRAY(ctx->ev->arena, struct shk_str, s->n_arg);
	for (size_t k = 0; list && k < s->n_arg; k++)
		list[k] = v[k].s;
	out->list = (struct shk_strvec){ .v = list, .n = s->n_arg };
	return list;
}

static int cmp(const struct shk_value *a, const struct shk_value *b)
{
	switch (a->type) {
	case SHK_T_STRING:
	case SHK_T_PATH:
	case SHK_T_BYTES:
		return shk_str_cmp(a->s, b->s);
	case SHK_T_BOOL:
		return a->b != b->b;
	case SHK_T_INT64:
		return (a->i > b->i) - (a->i < b->i);
	case SHK_T_IPADDR:
		return a->ip.len != b->ip.len || memcmp(a->ip.b, b->ip.b, a->ip.len) != 0;
	default:
		return (a->u > b->u) - (a->u < b->u);
	}
}

static bool in_net(const struct shk_ip *ip, const struct shk_const *net)
{
	if (ip->len != net->v.ip.len)
		return false;
	for (unsigned bit = 0; bit < net->prefix; bit++)
		if ((ip->b[bit / 8] ^ net->v.ip.b[bit / 8]) & 0x80u >> bit % 8)
			return false;
	return true;
}

static bool holds(const struct shk_test *t, const struct shk_value *a, size_t i,
		  const struct shk_value *b, struct shk_arena *arena)
{
	bool limit = false;

	if (a->type == SHK_T_IPNET)
		return in_net(&a->ip, &t->c[i]) != (t->op == SHK_OP_NE);
	switch (t->op) {
	case SHK_OP_EQ:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
		return cmp(a, b) == 0;
	case SHK_OP_NE:
		return cmp(a, b) != 0;
	case SHK_OP_LT:
		return cmp(a, b) < 0;
	case SHK_OP_LE:
		return cmp(a, b) <= 0;
	case SHK_OP_GT:
		return cmp(a, b) > 0;
	case SHK_OP_GE:
		return cmp(a, b) >= 0;
	case SHK_OP_CONTAINS:
	case SHK_OP_BCONTAINS:
		return !b->s.n || (a->s.n && memmem(a->s.p, a->s.n, b->s.p, b->s.n));
	case SHK_OP_ICONTAINS:
		return shk_icontains(a->s, b->s);
	case SHK_OP_STARTSWITH:
	case SHK_OP_BSTARTSWITH:
		return shk_str_starts(a->s, b->s);
	case SHK_OP_ENDSWITH:
		return shk_str_ends(a->s, b->s);
	case SHK_OP_TOP: /* written another way than what it is to be compared with */
		return a->s.n && memchr(a->s.p, '/', SHK_MIN(a->s.n, (size_t)2)) &&
		       (a->s.n < 3 || !memchr(a->s.p + 2, '/', a->s.n - 2));
	case SHK_OP_GLOB:
	case SHK_OP_IGLOB:
		return shk_glob_match(b->s, a->s, t->op == SHK_OP_IGLOB);
	case SHK_OP_REGEX:
		return shk_regex_match(t->re[i], a->s, arena, &limit);
	default:
		return false;
	}
}

static bool has_ip(const struct shk_value *v)
{
	return (v->type != SHK_T_IPADDR && v->type != SHK_T_IPNET) || v->ip.len;
}

static bool check_value(const struct bench_base *b, const struct shk_test *t,
			const struct shk_value *v, struct shk_eval_ctx *ctx)
{
	const struct set *set = &b->set[t - b->rs->test];
	struct shk_value right;
	size_t hits = 0;

	if (!has_ip(v))
		return false;
	if (t->right != SHK_SLOT_NONE)
		return slot_value(b->rs, ctx, t->right, &right) &&
		       holds(t, v, 0, &right, ctx->ev->arena);
	if (t->kind == SHK_TEST_PATHSET)
		return shk_pathset_match(&set->paths, v->s);
	if (v->type == SHK_T_LIST) {
		for (size_t i = 0; i < v->list.n; i++)
			if (in_set(set, v->list.v[i]) != (t->op == SHK_OP_IN))
				return t->op != SHK_OP_IN;
		return t->op == SHK_OP_IN;
	}
	if ((t->op == SHK_OP_IN || t->op == SHK_OP_INTERSECTS) &&
	    (v->type == SHK_T_STRING || v->type == SHK_T_PATH || v->type == SHK_T_BYTES))
		return in_set(set, v->s);
	for (size_t i = 0; i < t->n; i++) {
		bool hit = holds(t, v, i, &t->c[i].v, ctx->ev->arena);

		if (hit && (t->mod == SHK_MOD_NONE || t->mod == SHK_MOD_ANYOF))
			return true;
		if (!hit && t->mod == SHK_MOD_ALLOF)
			return false;
		hits += hit;
	}
	return t->mod == SHK_MOD_ONEOF ? hits == 1 : t->mod == SHK_MOD_ALLOF && t->n;
}

static bool check(const struct bench_base *b, const struct shk_test *t, struct shk_eval_ctx *ctx)
{
	const struct shk_field_ref *ref = &b->rs->slots.v[t->left].ref;
	struct shk_value v = { .type = ref->type };
	bool all = t->op == SHK_OP_NE && t->multi && !ref->field->any_ne, some = false;

	if (!t->multi) {
		if (!slot_value(b->rs, ctx, t->left, &v))
			return false;
		return t->op == SHK_OP_EXISTS || check_value(b, t, &v, ctx);
	}
	for (unsigned k = 0; shk_field_candidate(ctx, ref, k, &v); k++) {
		some = true;
		if (check_value(b, t, &v, ctx) != all)
			return !all;
		v.type = ref->type;
	}
	return all && some;
}

static bool walk(const struct bench_base *b, shk_ref r, struct shk_eval_ctx *ctx)
{
	const struct shk_node *n = &b->rs->node[r >> 1];
	bool is_or = n->kind == SHK_NODE_OR;

	if (n->kind == SHK_NODE_TEST)
		return check(b, &b->rs->test[n->first], ctx) != (r & 1);
	for (uint32_t i = 0; i < n->n; i++)
		if (walk(b, b->rs->edge[n->first + i], ctx) == is_or)
			return is_or != (r & 1);
	return is_or == (r & 1);
}

void bench_base_eval(const struct bench_base *b, struct shk_eval_ctx *ctx, struct shk_matches *out)
{
	const struct shk_entries *list = &b->rs->by_call[ctx->ev->call->id];

	out->n = out->lost = 0;
	for (size_t i = 0; i < list->n; i++)
		if (walk(b, list->v[i].root, ctx)) {
			if (out->n < SHK_MATCH_MAX)
				out->rule[out->n++] = list->v[i].rule;
			else
				out->lost++;
		}
}
