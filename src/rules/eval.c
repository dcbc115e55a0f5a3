// SPDX-License-Identifier: Apache-2.0
/* Evaluating the rules of one event. */
#include "rules/program.h"

enum { UNKNOWN, NO, YES };

struct frame {
	uint32_t node, next;
};

/* Answers of the children known so far decide, or *open is the child to look at next. */
static int group_answer(const struct shk_run *run, struct frame *f, uint32_t *open)
{
	const struct shk_node *n = &run->rs->node[f->node];
	bool is_or = n->kind == SHK_NODE_OR;

	for (; f->next < n->n; f->next++) {
		shk_ref e = run->rs->edge[n->first + f->next];
		uint8_t known = run->result[e >> 1];

		if (known == UNKNOWN) {
			*open = e >> 1;
			return UNKNOWN;
		}
		if (((known == YES) != (e & 1)) == is_or)
			return is_or ? YES : NO;
	}
	return is_or ? NO : YES;
}

/* The answer of a node, kept in run->result for whoever asks next. The stack is as deep as the graph,
 * which SHK_AST_DEPTH bounds. */
static bool answer(struct shk_run *run, shk_ref ref)
{
	const struct shk_ruleset *rs = run->rs;
	struct frame stack[SHK_AST_DEPTH + 1];
	unsigned n = 0;

	if (run->result[ref >> 1] == UNKNOWN)
		stack[n++] = (struct frame){ .node = ref >> 1 };
	while (n) {
		struct frame *f = &stack[n - 1];
		const struct shk_node *node = &rs->node[f->node];
		uint32_t open = 0;
		int a;

		if (node->kind == SHK_NODE_TEST)
			a = shk_test_holds(run, &rs->test[node->first]) ? YES : NO;
		else
			a = group_answer(run, f, &open);
		if (a == UNKNOWN) {
			stack[n++] = (struct frame){ .node = open };
			continue;
		}
		run->result[f->node] = (uint8_t)a;
		n--;
	}
	return (run->result[ref >> 1] == YES) != (ref & 1);
}

static bool has(const uint64_t *set, unsigned i)
{
	return set && (set[i / 64] >> (i % 64) & 1);
}

void shk_ruleset_eval(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, const uint64_t *must,
		      bool first, struct shk_matches *out)
{
	const struct shk_entries *list = ctx->ev->call ? &rs->by_call[ctx->ev->call->id] :
							 &rs->other;
	/* Of the set, only its counters are written to. */
	struct shk_run run = { .rs = (struct shk_ruleset *)(uintptr_t)rs };
	bool found = false;

	out->n = out->lost = 0;
	if (!list->n)
		return;
	run.result = shk_arena_alloc(ctx->ev->arena, rs->n_node);
	if (!run.result || shk_slot_run_init(&run.slots, &rs->slots, ctx) < 0)
		return; /* the arena remembers that it failed */
	for (size_t i = 0; i < list->n; i++) {
		const struct shk_entry *e = &list->v[i];

		if ((found && first && !has(must, e->rule)) || !answer(&run, e->root))
			continue;
		found = true;
		if (out->n < SHK_MATCH_MAX)
			out->rule[out->n++] = e->rule;
		else
			out->lost++;
	}
}
