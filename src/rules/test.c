// SPDX-License-Identifier: Apache-2.0
/* One comparison (FALCO_RULE_LANGUAGE sections 12, 13). A missing value makes every one false. */
#include "rules/program.h"

static bool ip_eq(const struct shk_ip *a, const struct shk_ip *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static bool in_net(const struct shk_ip *ip, const struct shk_const *net)
{
	unsigned whole = net->prefix / 8u, rest = net->prefix % 8u;

	if (ip->len != net->v.ip.len || memcmp(ip->b, net->v.ip.b, whole) != 0)
		return false;
	return !rest || ((ip->b[whole] ^ net->v.ip.b[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

/* -1, 0, 1 to the answer of an order operator. */
static bool order(enum shk_op op, int c)
{
	switch (op) {
	case SHK_OP_EQ:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
		return c == 0;
	case SHK_OP_NE:
		return c != 0;
	case SHK_OP_LT:
		return c < 0;
	case SHK_OP_LE:
		return c <= 0;
	case SHK_OP_GT:
		return c > 0;
	case SHK_OP_GE:
		return c >= 0;
	default:
		return false;
	}
}

static bool compare_text(enum shk_op op, struct shk_str a, struct shk_str b)
{
	switch (op) {
	case SHK_OP_EQ:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
		return shk_str_eq(a, b);
	case SHK_OP_NE:
		return !shk_str_eq(a, b);
	case SHK_OP_CONTAINS:
	case SHK_OP_BCONTAINS:
		return shk_contains(a, b);
	case SHK_OP_ICONTAINS:
		return shk_icontains(a, b);
	case SHK_OP_STARTSWITH:
	case SHK_OP_BSTARTSWITH:
		return shk_str_starts(a, b);
	case SHK_OP_ENDSWITH:
		return shk_str_ends(a, b);
	case SHK_OP_TOP:
		return shk_is_top(a);
	case SHK_OP_GLOB:
		return shk_glob_match(b, a, false);
	case SHK_OP_IGLOB:
		return shk_glob_match(b, a, true);
	default:
		return order(op, shk_str_cmp(a, b));
	}
}

/* a and b have comparable types, as typing saw to. */
static bool compare(enum shk_op op, const struct shk_value *a, const struct shk_value *b)
{
	switch (a->type) {
	case SHK_T_STRING:
	case SHK_T_PATH:
	case SHK_T_BYTES:
		return compare_text(op, a->s, b->s);
	case SHK_T_BOOL:
		return order(op, a->b != b->b);
	case SHK_T_INT64:
		return order(op, (a->i > b->i) - (a->i < b->i));
	case SHK_T_IPADDR:
		return order(op, !ip_eq(&a->ip, &b->ip));
	case SHK_T_LIST:
	case SHK_T_IPNET:
		return false;
	default:
		return order(op, (a->u > b->u) - (a->u < b->u));
	}
}

static bool in_strings(const struct shk_value *list, struct shk_str s)
{
	for (size_t i = 0; i < list->list.n; i++)
		if (shk_str_eq(list->list.v[i], s))
			return true;
	return false;
}

static bool in_numbers(const struct shk_test *t, uint64_t x)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->c[mid].v.u == x)
			return true;
		if (t->c[mid].v.u < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool match_regex(struct shk_run *run, const struct shk_test *t, size_t i, struct shk_str s)
{
	bool limit = false;
	bool hit = shk_regex_match(t->re[i], s, run->slots.ctx->ev->arena, &limit);

	run->gave_up |= limit;
	if (limit)
		atomic_fetch_add_explicit(&run->rs->regex_limits, 1, memory_order_relaxed);
	return hit;
}

static bool one_constant(struct shk_run *run, const struct shk_test *t, size_t i,
			 const struct shk_value *v)
{
	if (t->kind == SHK_TEST_REGEX)
		return match_regex(run, t, i, v->s);
	if (v->type == SHK_T_IPNET)
		return in_net(&v->ip, &t->c[i]) != (t->op == SHK_OP_NE);
	return compare(t->op, v, &t->c[i].v);
}

/* oneof, anyof, allof; without a modifier `in` is any, and the rest has one constant. */
static bool constants(struct shk_run *run, const struct shk_test *t, const struct shk_value *v)
{
	size_t hits = 0;

	if (t->n == 1)
		return one_constant(run, t, 0, v);
	for (size_t i = 0; i < t->n; i++) {
		bool hit = one_constant(run, t, i, v);

		if (hit && (t->mod == SHK_MOD_NONE || t->mod == SHK_MOD_ANYOF))
			return true;
		if (!hit && t->mod == SHK_MOD_ALLOF)
			return false;
		hits += hit;
	}
	return t->mod == SHK_MOD_ONEOF ? hits == 1 : t->mod == SHK_MOD_ALLOF && t->n > 0;
}

static bool list_holds(const struct shk_test *t, const struct shk_value *v,
		       const struct shk_value *right)
{
	bool all = t->kind == SHK_TEST_LIST_ALL;

	for (size_t i = 0; i < v->list.n; i++) {
		struct shk_str s = v->list.v[i];
		bool hit = !right		      ? shk_strset_has(&t->set, s) :
			   right->type == SHK_T_LIST ? in_strings(right, s) :
						       shk_str_eq(right->s, s);

		if (hit != all)
			return hit;
	}
	return all;
}

/* Did the extractor deliver what the test was compiled for? */
static bool type_fits(const struct shk_run *run, const struct shk_test *t,
		      const struct shk_value *v)
{
	enum shk_type want = run->slots.slot[t->left].type;

	if ((v->type == SHK_T_IPADDR || v->type == SHK_T_IPNET) && v->ip.len == 0)
		return false;
	return v->type == want || (shk_type_is_text(v->type) && shk_type_is_text(want));
}

static bool value_holds(struct shk_run *run, const struct shk_test *t, const struct shk_value *v,
			const struct shk_value *right)
{
	if (!type_fits(run, t, v))
		return false;
	switch (t->kind) {
	case SHK_TEST_STRSET:
		return shk_strset_has(&t->set, v->s);
	case SHK_TEST_NUMSET:
		return in_numbers(t, v->u);
	case SHK_TEST_PATHSET:
		return shk_pathset_match(&t->paths, v->s);
	case SHK_TEST_NETSET:
		return shk_nets_has(&t->nets, &v->ip);
	case SHK_TEST_LIST_ALL:
	case SHK_TEST_LIST_ANY:
		return list_holds(t, v, right);
	default:
		if (!right)
			return constants(run, t, v);
		return right->type == SHK_T_LIST ? in_strings(right, v->s) :
						   compare(t->op, v, right);
	}
}

/* Some candidate satisfies; for `!=` on descriptors: all do, and there is one. */
static bool candidates_hold(struct shk_run *run, const struct shk_test *t,
			    const struct shk_value *right)
{
	const struct shk_field_ref *ref = &run->slots.slot[t->left].ref;
	bool all = t->op == SHK_OP_NE && !ref->field->any_ne, some = false;

	for (unsigned k = 0; k < SHK_CANDIDATES_MAX; k++) {
		struct shk_value v = { .type = ref->type };
		bool hit;

		if (!shk_field_candidate(run->slots.ctx, ref, k, &v))
			break;
		some = true;
		hit = value_holds(run, t, &v, right);
		if (hit != all)
			return hit;
	}
	return all && some;
}

static bool call_holds(struct shk_run *run, const struct shk_test *t)
{
	const struct shk_syscall *call = run->slots.ctx->ev->call;
	const struct shk_value *v;

	if (call)
		return ((t->calls->bit[call->id / 64] >> (call->id % 64)) & 1) != t->negate_calls;
	v = shk_slot_get(&run->slots, t->left);
	return v && shk_strset_has(&t->set, v->s) != t->negate_calls;
}

bool shk_test_holds(struct shk_run *run, const struct shk_test *t)
{
	const struct shk_value *v, *right = NULL;

	if (t->plain) { /* the most frequent kind */
		v = shk_slot_get(&run->slots, t->left);
		if (v && v->type == SHK_T_INT64 && t->c->v.type == SHK_T_INT64)
			return order(t->op, (v->i > t->c->v.i) - (v->i < t->c->v.i));
		return v &&
		       (v->type == t->c->v.type ||
			(shk_type_is_text(v->type) && shk_type_is_text(t->c->v.type))) &&
		       compare(t->op, v, &t->c->v);
	}
	if (t->kind == SHK_TEST_CALL)
		return call_holds(run, t);
	if (t->right != SHK_SLOT_NONE) {
		right = shk_slot_get(&run->slots, t->right);
		if (!right)
			return false;
	}
	if (t->multi)
		return candidates_hold(run, t, right);
	v = shk_slot_get(&run->slots, t->left);
	if (!v || t->kind == SHK_TEST_EXISTS)
		return v;
	return value_holds(run, t, v, right);
}
