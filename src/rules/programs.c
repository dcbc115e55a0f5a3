// SPDX-License-Identifier: Apache-2.0
/* A program per type of event; types that differ in nothing the rules ask for share one. */
#include "rules/program.h"

#include <errno.h>

#define KEY_MAX ((size_t)64 << 20)

struct maker {
	struct shk_coder c;
	struct shk_map by_key;
	uint8_t *fold;
	struct shk_guess *guess;
	uint32_t *folds; /* nodes of comparisons the type may decide */
	size_t n_folds;
	const struct shk_program *general;
};

/* Two places at least lead to the node: its answer is kept. What is below an AND several rules have is
 * in several places, too: ANDs are taken apart. */
static void mark_shared(const struct shk_ruleset *rs, uint8_t *shared)
{
	for (size_t i = 0; i < rs->n_rule; i++) {
		uint8_t *s = &shared[rs->root[i] >> 1];

		*s = (uint8_t)SHK_MIN(*s + 1, 2);
	}
	for (size_t i = 0; i < rs->n_edge; i++) {
		uint8_t *s = &shared[rs->edge[i] >> 1];

		*s = (uint8_t)SHK_MIN(*s + 1, 2);
	}
	for (size_t i = rs->n_node; i-- > 0;) {
		const struct shk_node *n = &rs->node[i];

		shared[i] = shared[i] > 1;
		for (uint32_t k = 0; n->kind != SHK_NODE_TEST && shared[i] && k < n->n; k++)
			shared[rs->edge[n->first + k] >> 1] = 2;
	}
}

static void find_folds(struct maker *m)
{
	const struct shk_ruleset *rs = m->c.rs;

	for (uint32_t i = 0; i < rs->n_node; i++)
		if (rs->node[i].kind == SHK_NODE_TEST &&
		    shk_test_folds(rs, &rs->test[rs->node[i].first]))
			m->folds[m->n_folds++] = i;
}

static bool matches_something(const struct shk_call_set *s)
{
	bool some = s->other;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(s->bit); i++)
		some |= s->bit[i] != 0;
	return some;
}

static int general(struct maker *m, const struct shk_program **ret)
{
	struct shk_ruleset *rs = m->c.rs;
	struct shk_program *p;
	struct shk_entry *v;
	struct shk_entries all;
	int r;

	*ret = m->general;
	if (m->general)
		return 0;
	p = SHK_ARENA_NEW(&rs->arena, struct shk_program);
	v = SHK_ARENA_ARRAY(&rs->arena, struct shk_entry, rs->n_rule);
	all = (struct shk_entries){ .v = v };
	if (!p || !v)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n_rule; i++)
		if (matches_something(rs->calls[i])) /* those of other sources do not */
			v[all.n++] = (struct shk_entry){ (uint32_t)i, rs->root[i] };
	shk_fold(rs, SHK_CALL_N, m->fold);
	shk_guess(rs, SHK_CALL_N, m->fold, m->guess);
	r = shk_code(&m->c, &all, false, p);
	p->number = rs->n_program++;
	p->call = SHK_CALL_N;
	*ret = m->general = p;
	return r;
}

static int make(struct maker *m, unsigned id)
{
	struct shk_ruleset *rs = m->c.rs;
	const struct shk_entries *list = id < SHK_CALL_N ? &rs->by_call[id] : &rs->other;
	_cleanup_buf_ struct shk_buf key;
	struct shk_program *p;
	struct shk_str copy;
	int r;

	shk_buf_init(&key, KEY_MAX);
	if (!list->n)
		return 0;
	shk_fold(rs, id, m->fold);
	shk_buf_add(&key, &list->v, sizeof(list->v)); /* types with the same rules have the same list */
	for (size_t i = 0; i < m->n_folds; i++)
		shk_buf_addc(&key, (char)m->fold[m->folds[i]]);
	if (key.failed)
		return -ENOMEM;
	rs->program[id] = shk_map_get(&m->by_key, shk_buf_view(&key));
	if (rs->program[id])
		return 0;
	p = SHK_ARENA_NEW(&rs->arena, struct shk_program);
	shk_guess(rs, id, m->fold, m->guess);
	r = p ? shk_code(&m->c, list, true, p) : -ENOMEM;
	if (r == -E2BIG)
		return general(m, &rs->program[id]);
	if (p) {
		p->number = rs->n_program++;
		p->call = id;
	}
	copy = shk_arena_str(&rs->arena, shk_buf_view(&key));
	if (r == 0 && (!copy.p || shk_map_set(&m->by_key, copy, p) < 0))
		r = -ENOMEM;
	rs->program[id] = p;
	return r;
}

int shk_programs_build(struct shk_ruleset *rs, struct shk_err *err)
{
	_cleanup_free_ uint8_t *fold = calloc(rs->n_node + 1, 1), *shared = calloc(rs->n_node + 1, 1);
	_cleanup_free_ struct shk_guess *guess = reallocarray(NULL, rs->n_node + 1, sizeof(*guess));
	_cleanup_free_ uint32_t *folds = reallocarray(NULL, rs->n_node + 1, sizeof(*folds));
	struct maker m = { .c = { .rs = rs, .guess = guess, .shared = shared, .fold = fold },
			   .fold = fold, .guess = guess, .folds = folds };
	int r = 0;

	if (!fold || !shared || !guess || !folds)
		return shk_err_sys(err, ENOMEM, "cannot compile the rules");
	shk_map_init(&m.by_key);
	mark_shared(rs, shared);
	find_folds(&m);
	for (unsigned id = 0; id <= SHK_CALL_N && r == 0; id++)
		r = make(&m, id);
	shk_map_done(&m.by_key);
	return r < 0 ? shk_err_sys(err, -r, "cannot compile the rules") : 0;
}
