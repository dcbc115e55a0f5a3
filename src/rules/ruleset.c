// SPDX-License-Identifier: Apache-2.0
/* A compiled set: building it, its index by call, its life. */
#include "rules/program.h"

#include <errno.h>

#include "rules/output.h"

#define SET_MAX	      ((size_t)512 << 20) /* bytes of a set */
#define RULES_MAX     1000000 /* more are a mistake; memory ends before */
#define CONDITION_TEXT_MAX ((size_t)SHK_CONDITION_MAX * 8)

static atomic_ullong last_serial;

struct shk_ruleset *shk_ruleset_ref(struct shk_ruleset *rs)
{
	if (rs)
		atomic_fetch_add_explicit(&rs->refs, 1, memory_order_relaxed);
	return rs;
}

void shk_ruleset_unref(struct shk_ruleset *rs)
{
	if (!rs || atomic_fetch_sub_explicit(&rs->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < rs->n_test; i++)
		shk_test_done(&rs->test[i]);
	shk_slots_done(&rs->slots);
	free(rs->test);
	free(rs->node);
	free(rs->edge);
	shk_arena_done(&rs->arena);
	free(rs);
}

/* What rules have in common is kept once; the keys are what is kept. */
struct pools {
	struct shk_map texts, calls;
	struct shk_output_pool outputs;
};

static void pools_done(struct pools *p)
{
	shk_map_done(&p->texts);
	shk_map_done(&p->calls);
	shk_output_pool_done(&p->outputs);
}

static int copy_str(struct shk_arena *a, struct shk_str s, struct shk_str *ret)
{
	*ret = shk_arena_str(a, s);
	return ret->p ? 0 : -ENOMEM;
}

/* Of texts that many rules have. */
static int share_str(struct shk_arena *a, struct pools *p, struct shk_str s, struct shk_str *ret)
{
	const char *known = s.n ? shk_map_get(&p->texts, s) : "";

	*ret = (struct shk_str){ known, s.n };
	if (known)
		return 0;
	if (copy_str(a, s, ret) < 0)
		return -ENOMEM;
	return shk_map_set(&p->texts, *ret, (void *)(uintptr_t)ret->p);
}

static int share_calls(struct shk_arena *a, struct pools *p, const struct shk_ast *cond,
		       const struct shk_call_set **ret)
{
	struct shk_call_set s, *copy;
	struct shk_str key = { (const char *)&s, sizeof(s) };

	memset(&s, 0, sizeof(s)); /* the bytes between members, too */
	shk_ast_calls(cond, &s);
	*ret = shk_map_get(&p->calls, key);
	if (*ret)
		return 0;
	*ret = copy = SHK_ARENA_NEW(a, struct shk_call_set);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, &s, sizeof(s));
	key.p = (const char *)copy;
	return shk_map_set(&p->calls, key, copy);
}

static int copy_extra(struct shk_arena *a, struct pools *p, const struct shk_rule_def *d,
		      struct shk_rule_info *info, struct shk_err *err)
{
	struct shk_rule_extra *to = SHK_ARENA_ARRAY(a, struct shk_rule_extra, d->n_extra);
	int r = to ? shk_output_compile_in(a, &p->outputs, info->output_text, &info->output, err) :
		     shk_err_sys(err, ENOMEM, "cannot keep a rule");

	info->extra = to;
	for (size_t i = 0; r == 0 && i < d->n_extra; i++) {
		const struct shk_extra_field *f = &d->extra[i];
		const char *text = f->name.p ? "" : "%";

		text = shk_arena_printf(a, "%s" SHK_STR_FMT, text, SHK_STR_ARG(f->format));
		if (!text || (f->name.p && share_str(a, p, f->name, &to[i].name) < 0))
			return shk_err_sys(err, ENOMEM, "cannot keep a rule");
		r = shk_output_compile_in(a, &p->outputs, shk_str(text), &to[i].output, err);
		info->n_extra = i + 1;
	}
	return r;
}

static int copy_info(struct shk_ruleset *rs, struct pools *p, const struct shk_rule_def *d, unsigned i,
		     struct shk_err *err)
{
	struct shk_arena *a = &rs->arena;
	struct shk_rule_info *info = &rs->rule[i];
	struct shk_str *tags = SHK_ARENA_ARRAY(a, struct shk_str, d->n_tags);
	_cleanup_buf_ struct shk_buf text;
	bool ok = tags;

	shk_buf_init(&text, CONDITION_TEXT_MAX);
	shk_ast_print(d->cond, &text);
	*info = (struct shk_rule_info){ .index = i, .priority = d->priority, .tags = tags,
					.n_tags = d->n_tags };
	ok = ok && !text.failed && copy_str(a, d->name, &info->name) == 0 &&
	     share_str(a, p, d->desc, &info->desc) == 0 &&
	     share_str(a, p, d->source, &info->source) == 0 &&
	     copy_str(a, d->output_text, &info->output_text) == 0 &&
	     copy_str(a, shk_buf_view(&text), &rs->condition[i]) == 0 &&
	     share_calls(a, p, d->cond, &rs->calls[i]) == 0;
	for (size_t k = 0; ok && k < d->n_tags; k++)
		ok = share_str(a, p, d->tags[k], &tags[k]) == 0;
	if (!ok)
		return shk_err_sys(err, ENOMEM, "cannot keep a rule");
	return copy_extra(a, p, d, info, err);
}

static bool in_set(const struct shk_call_set *s, unsigned id)
{
	return s->bit[id / 64] >> (id % 64) & 1;
}

static bool is_for(const struct shk_ruleset *rs, size_t rule, unsigned id)
{
	return id < SHK_CALL_N ? in_set(rs->calls[rule], id) : rs->calls[rule]->other;
}

static struct shk_entries *list_of(struct shk_ruleset *rs, unsigned id)
{
	return id < SHK_CALL_N ? &rs->by_call[id] : &rs->other;
}

/* id SHK_CALL_N: the list for events that are no call of the table. Types with the same rules share one. */
static int index_list(struct shk_ruleset *rs, unsigned id, uint64_t *sum, struct shk_entries *ret)
{
	struct shk_entry *v;
	size_t n = 0;

	for (size_t i = 0; i < rs->n_rule; i++)
		if (is_for(rs, i, id)) {
			n++;
			sum[id] = (sum[id] ^ (i + 1)) * UINT64_C(0x9e3779b97f4a7c15);
		}
	for (unsigned k = 0; k < id; k++) {
		const struct shk_entries *l = list_of(rs, k);
		size_t i = 0;

		if (sum[k] != sum[id] || l->n != n)
			continue;
		while (i < n && is_for(rs, l->v[i].rule, id))
			i++;
		if (i < n)
			continue;
		*ret = *l;
		return 0;
	}
	v = SHK_ARENA_ARRAY(&rs->arena, struct shk_entry, n);
	if (!v)
		return -ENOMEM;
	*ret = (struct shk_entries){ .v = v };
	for (size_t i = 0; i < rs->n_rule; i++)
		if (is_for(rs, i, id))
			v[ret->n++] = (struct shk_entry){ .rule = (uint32_t)i, .root = rs->root[i] };
	return 0;
}

static int too_large(const struct shk_ruleset *rs, struct shk_err *err)
{
	if (rs->arena.failed)
		return shk_err_set(err, E2BIG, "%zu rules take more than the limit of %zu MB for one set; "
				   "give policies fewer of them", rs->n_rule, SET_MAX >> 20);
	return shk_err_sys(err, ENOMEM, "cannot compile the rules");
}

static int build_index(struct shk_ruleset *rs, struct shk_err *err)
{
	_cleanup_free_ uint64_t *sum = calloc(SHK_CALL_N + 1, sizeof(*sum));

	for (unsigned id = 0; id <= SHK_CALL_N; id++)
		if (!sum || index_list(rs, id, sum, list_of(rs, id)) < 0)
			return too_large(rs, err);
	return 0;
}

static int build_rules(struct shk_ruleset *rs, shk_rule_source *source, void *arg, struct shk_err *err)
{
	struct pools pools = { 0 };
	struct shk_arena a; /* of one rule */
	struct shk_graph g;
	int r = 0;

	shk_graph_init(&g, rs);
	shk_arena_init(&a, SHK_RULE_TREE_MAX);
	for (size_t i = 0; i < rs->n_rule && r == 0; i++) {
		struct shk_rule_def d;

		shk_arena_reset(&a);
		r = source(arg, i, &a, &d);
		if (r < 0) {
			shk_err_sys(err, -r, "cannot compile the rules");
			break;
		}
		r = copy_info(rs, &pools, &d, (unsigned)i, err);
		if (r == 0)
			r = shk_graph_add(&g, d.cond, &rs->root[i], err);
		if (r < 0 && rs->arena.failed)
			r = too_large(rs, err);
		if (r < 0)
			shk_err_prefix(err, "rule \"" SHK_STR_FMT "\"", SHK_STR_ARG(d.name));
	}
	shk_arena_done(&a);
	shk_graph_done(&g);
	pools_done(&pools);
	shk_slots_seal(&rs->slots);
	return r;
}

int shk_ruleset_make(shk_rule_source *source, void *arg, size_t n, struct shk_ruleset **ret,
		     struct shk_err *err)
{
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	int r;

	if (n > RULES_MAX)
		return shk_err_set(err, E2BIG, "more than %d rules in one set; switch some off, or give "
				   "policies fewer of them", RULES_MAX);
	rs = calloc(1, sizeof(*rs));
	if (!rs)
		return shk_err_sys(err, ENOMEM, "cannot compile the rules");
	atomic_init(&rs->refs, 1);
	rs->serial = atomic_fetch_add_explicit(&last_serial, 1, memory_order_relaxed) + 1;
	shk_arena_init(&rs->arena, SET_MAX);
	shk_slots_init(&rs->slots, &rs->arena);
	rs->n_rule = n;
	rs->rule = SHK_ARENA_ARRAY(&rs->arena, struct shk_rule_info, n);
	rs->condition = SHK_ARENA_ARRAY(&rs->arena, struct shk_str, n);
	rs->root = SHK_ARENA_ARRAY(&rs->arena, shk_ref, n);
	rs->calls = SHK_ARENA_ARRAY(&rs->arena, const struct shk_call_set *, n);
	if (!rs->rule || !rs->condition || !rs->root || !rs->calls)
		return shk_err_sys(err, ENOMEM, "cannot compile the rules");
	r = build_rules(rs, source, arg, err);
	if (r == 0)
		r = build_index(rs, err);
	if (r == 0 && shk_groups_build(rs) < 0)
		r = too_large(rs, err);
	if (r == 0) {
		shk_memo_plan(rs);
		r = shk_programs_build(rs, err) < 0 ? too_large(rs, err) : 0;
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(rs);
	return 0;
}

static int take_def(void *arg, size_t i, struct shk_arena *a, struct shk_rule_def *ret)
{
	(void)a;
	*ret = *((const struct shk_rule_def *const *)arg)[i];
	return 0;
}

int shk_ruleset_build(const struct shk_rule_def *const *rules, size_t n, struct shk_ruleset **ret,
		      struct shk_err *err)
{
	return shk_ruleset_make(take_def, (void *)(uintptr_t)rules, n, ret, err);
}

size_t shk_ruleset_count(const struct shk_ruleset *rs)
{
	return rs->n_rule;
}

const struct shk_rule_info *shk_ruleset_rule(const struct shk_ruleset *rs, unsigned index)
{
	return index < rs->n_rule ? &rs->rule[index] : NULL;
}

uint64_t shk_ruleset_regex_limits(const struct shk_ruleset *rs)
{
	return atomic_load_explicit(&((struct shk_ruleset *)(uintptr_t)rs)->regex_limits,
				    memory_order_relaxed);
}

void shk_ruleset_print_condition(const struct shk_ruleset *rs, unsigned index, struct shk_buf *out)
{
	if (index < rs->n_rule)
		shk_buf_addstr(out, rs->condition[index]);
}
