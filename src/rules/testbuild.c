// SPDX-License-Identifier: Apache-2.0
/* From a typed comparison to a test with its sets. */
#include "rules/program.h"

#include <errno.h>

static int no_memory(struct shk_err *err)
{
	return shk_err_sys(err, ENOMEM, "cannot compile a condition");
}

static int copy_consts(struct shk_ruleset *rs, const struct shk_consts *k, struct shk_test *t)
{
	struct shk_const *c = SHK_ARENA_ARRAY(&rs->arena, struct shk_const, k->n);

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < k->n; i++) {
		c[i] = k->c[i];
		if (k->type != SHK_T_STRING && k->type != SHK_T_BYTES)
			continue;
		c[i].v.s = shk_arena_str(&rs->arena, c[i].v.s);
		if (!c[i].v.s.p)
			return -ENOMEM;
	}
	t->c = c;
	t->n = (uint32_t)k->n;
	return 0;
}

static int by_number(const void *x, const void *y)
{
	uint64_t a = ((const struct shk_const *)x)->v.u, b = ((const struct shk_const *)y)->v.u;

	return (a > b) - (a < b);
}

static int build_regexes(struct shk_ruleset *rs, struct shk_test *t, struct shk_err *err)
{
	t->re = SHK_ARENA_ARRAY(&rs->arena, struct shk_regex *, t->n);
	if (!t->re)
		return no_memory(err);
	for (size_t i = 0; i < t->n; i++) {
		int r = shk_regex_new(t->c[i].v.s, &t->re[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int words(struct shk_ruleset *rs, const struct shk_test *t, struct shk_str **ret)
{
	*ret = SHK_ARENA_ARRAY(&rs->arena, struct shk_str, t->n);
	for (size_t i = 0; *ret && i < t->n; i++)
		(*ret)[i] = t->c[i].v.s;
	return *ret ? 0 : -ENOMEM;
}

static int build_calls(struct shk_ruleset *rs, const struct shk_ast *e, struct shk_test *t)
{
	struct shk_call_set *s = SHK_ARENA_NEW(&rs->arena, struct shk_call_set);

	if (!s)
		return -ENOMEM;
	shk_evt_words_calls(e->consts, s);
	t->calls = s;
	t->negate_calls = e->op == SHK_OP_NE;
	return 0;
}

static bool tests_calls(const struct shk_ast *e)
{
	return e->left.kind == SHK_OPERAND_FIELD && shk_field_is_evt_type(e->left.ref.field) &&
	       e->mod == SHK_MOD_NONE && e->consts &&
	       (e->op == SHK_OP_EQ || e->op == SHK_OP_NE || e->op == SHK_OP_IN);
}

static enum shk_test_kind kind_of(const struct shk_ast *e)
{
	bool member = e->op == SHK_OP_IN || e->op == SHK_OP_INTERSECTS;

	if (e->op == SHK_OP_EXISTS)
		return SHK_TEST_EXISTS;
	if (tests_calls(e))
		return SHK_TEST_CALL;
	if (e->left.type == SHK_T_LIST)
		return e->op == SHK_OP_IN ? SHK_TEST_LIST_ALL : SHK_TEST_LIST_ANY;
	if (e->op == SHK_OP_PMATCH)
		return SHK_TEST_PATHSET;
	if (e->op == SHK_OP_REGEX)
		return SHK_TEST_REGEX;
	if (member && e->consts && (shk_type_is_text(e->left.type) || e->left.type == SHK_T_BYTES))
		return SHK_TEST_STRSET;
	if ((member || (e->op == SHK_OP_EQ && e->mod == SHK_MOD_ANYOF)) && e->consts &&
	    (e->left.type == SHK_T_IPADDR || e->left.type == SHK_T_IPNET))
		return SHK_TEST_NETSET;
	if (member && e->consts && shk_type_is_number(e->left.type))
		return SHK_TEST_NUMSET;
	return SHK_TEST_VALUE;
}

static unsigned op_cost(const struct shk_test *t)
{
	switch (t->kind) {
	case SHK_TEST_CALL:
		return 0;
	case SHK_TEST_REGEX:
		return 50;
	case SHK_TEST_PATHSET:
		return 10;
	default:
		return t->op == SHK_OP_GLOB || t->op == SHK_OP_IGLOB || t->op == SHK_OP_ICONTAINS ? 8 :
												     2;
	}
}

int shk_test_build(struct shk_ruleset *rs, const struct shk_ast *e, struct shk_test *t,
		   struct shk_err *err)
{
	const struct shk_field *f = e->left.kind == SHK_OPERAND_FIELD ? e->left.ref.field : NULL;
	int r;

	*t = (struct shk_test){ .kind = (uint8_t)kind_of(e), .op = (uint8_t)e->op, .mod = (uint8_t)e->mod,
				.right = SHK_SLOT_NONE, .group = UINT32_MAX };
	if (f && f->flags & SHK_F_WITHIN)
		t->op = SHK_OP_LE;
	t->multi = f && (f->flags & SHK_F_MULTI) && f->multi && !e->left.ref.has_arg &&
		   e->op != SHK_OP_EXISTS;
	r = shk_slots_add(&rs->slots, &e->left, &t->left);
	if (r == 0 && !e->consts && e->op != SHK_OP_EXISTS)
		r = shk_slots_add(&rs->slots, &e->right, &t->right);
	if (r == 0 && e->consts)
		r = copy_consts(rs, e->consts, t);
	if (r < 0)
		return no_memory(err);
	if (t->kind == SHK_TEST_REGEX)
		r = build_regexes(rs, t, err);
	else if (t->kind == SHK_TEST_NUMSET && t->n)
		qsort((void *)(uintptr_t)t->c, t->n, sizeof(*t->c), by_number);
	else if (t->kind == SHK_TEST_CALL)
		r = build_calls(rs, e, t);
	if (r < 0)
		return r == -ENOMEM ? no_memory(err) : r;
	t->plain = t->kind == SHK_TEST_VALUE && t->right == SHK_SLOT_NONE && !t->multi && t->n == 1 &&
		   (shk_type_is_text(e->left.type) ?
			    shk_type_is_text(t->c->v.type) :
			    t->c->v.type == e->left.type && (e->left.type == SHK_T_BOOL ||
							     shk_type_is_number(e->left.type)));
	t->cost = rs->slots.v[t->left].cost + op_cost(t) +
		  (t->right != SHK_SLOT_NONE ? rs->slots.v[t->right].cost : 0);
	if (t->kind == SHK_TEST_CALL)
		t->cost = 0;
	return 0;
}

static int build_nets(struct shk_ruleset *rs, struct shk_test *t)
{
	_cleanup_free_ struct shk_net *net = reallocarray(NULL, t->n + 1, sizeof(*net));

	for (size_t i = 0; net && i < t->n; i++) {
		const struct shk_const *c = &t->c[i];

		net[i] = (struct shk_net){ .ip = c->v.ip };
		net[i].prefix = c->v.type == SHK_T_IPNET ? c->prefix : (uint8_t)(c->v.ip.len * 8);
	}
	return net ? shk_nets_build(&rs->arena, net, t->n, &t->nets) : -ENOMEM;
}

int shk_test_finish(struct shk_ruleset *rs, struct shk_test *t)
{
	struct shk_str *v = NULL;

	if (t->kind == SHK_TEST_NETSET)
		return build_nets(rs, t);
	if (t->right != SHK_SLOT_NONE)
		return 0;
	switch (t->kind) {
	case SHK_TEST_STRSET:
	case SHK_TEST_CALL:
	case SHK_TEST_LIST_ALL:
	case SHK_TEST_LIST_ANY:
		return words(rs, t, &v) < 0 ? -ENOMEM : shk_strset_build(&rs->arena, v, t->n, &t->set);
	case SHK_TEST_PATHSET:
		return words(rs, t, &v) < 0 ? -ENOMEM :
					      shk_pathset_build(&rs->arena, v, t->n, &t->paths);
	default:
		return 0;
	}
}

void shk_test_done(struct shk_test *t)
{
	for (size_t i = 0; t->kind == SHK_TEST_REGEX && t->re && i < t->n; i++)
		shk_regex_free(t->re[i]);
}
