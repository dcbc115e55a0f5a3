// SPDX-License-Identifier: Apache-2.0
/*
 * set.c - both sides of the comparison.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/ast.h"
#include "set.h"

static int product_condition(struct shk_arena *a, const char *text, struct shk_ast **ret, struct shk_err *err)
{
	unsigned pos;
	int r = shk_ast_parse(a, shk_str(text), ret, &pos, err);

	return r < 0 ? r : shk_ast_type(a, *ret, &pos, err);
}

static int naive_condition(struct shk_arena *a, const char *text, struct nv_node **ret, struct shk_err *err)
{
	int r = nv_parse(a, shk_str(text), ret, err);

	if (r < 0) {
		*ret = NULL;
		return r;
	}
	return nv_type(a, *ret, err);
}

enum set_accepts set_accepts(const char *text, struct shk_err *why)
{
	struct shk_arena a, b;
	struct shk_ast *e = NULL;
	struct nv_node *n = NULL;
	struct shk_err naive = { 0 }, product = { 0 };
	enum set_accepts ret;
	int p, q;

	shk_arena_init(&a, (size_t)64 << 20);
	shk_arena_init(&b, (size_t)64 << 20);
	p = product_condition(&a, text, &e, &product);
	q = naive_condition(&b, text, &n, &naive);
	if (n)
		nv_done(n);
	shk_arena_done(&a);
	shk_arena_done(&b);
	ret = p == 0 ? (q == 0 ? SET_BOTH : SET_PRODUCT_ONLY) : q == 0 ? SET_NAIVE_ONLY : SET_NEITHER;
	if (why)
		*why = p < 0 ? product : naive;
	return ret;
}

int set_build(struct set *s, const char *const *text, const bool *must, size_t n, struct shk_err *why)
{
	struct shk_rule_def def[SET_MAX];
	const struct shk_rule_def *p[SET_MAX];
	struct shk_arena a;
	int r = 0;

	memset(s, 0, sizeof(*s));
	shk_arena_init(&s->arena, (size_t)64 << 20);
	shk_arena_init(&a, (size_t)64 << 20);
	for (size_t i = 0; i < n && r == 0; i++) {
		def[i] = (struct shk_rule_def){ .name = SHK_STR("rule"), .desc = SHK_STR("d"),
						.source = SHK_STR("syscall"),
						.output_text = SHK_STR("%evt.type") };
		p[i] = &def[i];
		s->text[i] = text[i];
		s->must[i] = must && must[i];
		s->n = i + 1;
		r = product_condition(&a, text[i], &def[i].cond, why);
		if (r == 0)
			r = naive_condition(&s->arena, text[i], &s->naive[i], why);
	}
	if (r == 0)
		r = shk_ruleset_build(p, n, &s->rs, why);
	if (r == 0)
		s->memo = shk_memo_new();
	shk_arena_done(&a);
	if (r < 0)
		set_done(s);
	return r < 0 ? -1 : 0;
}

void set_done(struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->naive[i])
			nv_done(s->naive[i]);
	s->n = 0;
	if (s->rs)
		shk_ruleset_unref(s->rs);
	s->rs = NULL;
	shk_memo_free(s->memo);
	s->memo = NULL;
	shk_arena_done(&s->arena);
}

int thrice_read(struct thrice *t, struct rnd r, struct shk_str line, struct shk_err *why)
{
	for (unsigned i = 0; i < 3; i++)
		if (world_event_read(&t->w[i], r, line, why) < 0) {
			for (unsigned k = 0; k <= i; k++)
				world_event_done(&t->w[k]);
			return -1;
		}
	return 0;
}

void thrice_done(struct thrice *t)
{
	for (unsigned i = 0; i < 3; i++)
		world_event_done(&t->w[i]);
}

/* What the matches must be, given the answers. */
static void expected(const struct set *s, const bool *yes, bool first, struct shk_matches *out)
{
	bool found = false;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < s->n; i++) {
		if (!yes[i] || (first && found && !s->must[i]))
			continue;
		found = true;
		if (out->n < SHK_MATCH_MAX)
			out->rule[out->n++] = (uint32_t)i;
		else
			out->lost++;
	}
}

static bool same(const struct shk_matches *a, const struct shk_matches *b)
{
	return a->n == b->n && a->lost == b->lost && memcmp(a->rule, b->rule, a->n * sizeof(a->rule[0])) == 0;
}

static void print_matches(const char *who, const struct shk_matches *m, struct shk_buf *b)
{
	shk_buf_printf(b, "%s: ", who);
	for (unsigned i = 0; i < m->n; i++)
		shk_buf_printf(b, "%u ", m->rule[i]);
	if (m->lost)
		shk_buf_printf(b, "and %u more ", m->lost);
}

static bool evaluated(const struct set *s, struct world_event *w, const bool *yes, bool first,
		      struct shk_err *why)
{
	uint64_t must[SET_MAX / 64 + 1] = { 0 };
	static const char *const how[] = { "no memo", "learning", "recalling" };
	struct shk_matches want, have;
	struct shk_buf b _cleanup_buf_;

	shk_buf_init(&b, 4096);
	for (size_t i = 0; i < s->n; i++)
		must[i / 64] |= (uint64_t)s->must[i] << i % 64;
	expected(s, yes, first, &want);
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(how); i++) {
		w->ctx.memo = i ? s->memo : NULL;
		shk_ruleset_eval(s->rs, &w->ctx, first ? must : NULL, first, &have);
		if (w->arena.failed) {
			shk_err_set(why, ENOMEM, "the arena is full");
			return false;
		}
		if (same(&want, &have))
			continue;
		print_matches("naive", &want, &b);
		print_matches("product", &have, &b);
		shk_err_set(why, EINVAL, "rules true (%s, %s) - %s", first ? "first match" : "all", how[i], b.p);
		return false;
	}
	return true;
}

static bool passes(const struct shk_reg_filter *f, const uint64_t *raw)
{
	bool any = f->always;

	for (unsigned i = 0; i < f->n; i++) {
		bool all = true;

		for (unsigned k = 0; k < f->c[i].n; k++)
			all &= ((raw[f->c[i].t[k].arg] & f->c[i].t[k].mask) == f->c[i].t[k].value) !=
			       f->c[i].t[k].negate;
		any |= all;
	}
	return any && !f->never;
}

/* What the filter of registers lets by matches no rule. */
static bool filters_agree(const struct set *s, const struct shk_event *ev, const bool *yes,
			  struct shk_err *why)
{
	struct shk_reg_filter f;
	bool any = false;

	if (!ev->call || ev->unwrapped)
		return true;
	for (size_t i = 0; i < s->n; i++) {
		uint64_t which[SET_MAX / 64 + 1] = { 0 };

		any |= yes[i];
		if (!yes[i])
			continue;
		which[i / 64] = UINT64_C(1) << i % 64;
		shk_ruleset_reg_filter(s->rs, ev->call->id, which, &f);
		if (!passes(&f, ev->raw)) {
			shk_err_set(why, EINVAL, "rule %zu is true; its register filter says it cannot be", i);
			return false;
		}
	}
	shk_ruleset_reg_filter(s->rs, ev->call->id, NULL, &f);
	if (any && (!passes(&f, ev->raw) || !shk_ruleset_wants(s->rs, ev->call->id))) {
		shk_err_set(why, EINVAL, "a rule is true; the register filter of all, or the index, says none can be");
		return false;
	}
	return true;
}

bool set_agrees(const struct set *s, struct thrice *t, bool yes[SET_MAX], struct shk_err *why)
{
	for (size_t i = 0; i < s->n; i++)
		yes[i] = nv_holds(s->naive[i], &t->w[0].ctx);
	return evaluated(s, &t->w[1], yes, false, why) && evaluated(s, &t->w[2], yes, true, why) &&
	       filters_agree(s, &t->w[0].ev, yes, why);
}

bool set_agrees_on(const char *const *text, const bool *must, size_t n, struct rnd r, struct shk_str line,
		   struct shk_err *why)
{
	struct thrice t;
	struct set s;
	bool yes[SET_MAX], ok;

	if (set_build(&s, text, must, n, why) < 0)
		return true;
	if (thrice_read(&t, r, line, why) < 0) {
		set_done(&s);
		return true;
	}
	ok = set_agrees(&s, &t, yes, why);
	thrice_done(&t);
	set_done(&s);
	return ok;
}
