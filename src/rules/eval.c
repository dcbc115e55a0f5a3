// SPDX-License-Identifier: Apache-2.0
/* Evaluating the rules of one event: its type's program, step by step. */
#include "rules/memo.h"
#include "state/process.h"

struct frame {
	struct shk_run run;
	const struct shk_program *p;
	uint64_t *pending; /* blocks to be executed */
	uint64_t *hit;	   /* entries that match */
};

static size_t words(size_t bits)
{
	return bits / 64 + 1;
}

static bool get_bit(const uint64_t *v, uint32_t i)
{
	return v[i / 64] >> i % 64 & 1;
}

static void set_bit(uint64_t *v, uint32_t i)
{
	v[i / 64] |= UINT64_C(1) << i % 64;
}

static bool prepare_slots(struct shk_run *run, struct shk_eval_ctx *ctx)
{
	const struct shk_ruleset *rs = run->rs;
	size_t n = rs->slots.n;
	uint8_t *v = run->memo.m ? run->memo.m->scratch :
				   shk_arena_alloc_raw(ctx->ev->arena, SHK_SLOTS_BYTES(rs));

	if (!v)
		return false; /* the arena remembers that it failed */
	run->slots.slot = rs->slots.v;
	run->slots.ctx = ctx;
	run->slots.val = (struct shk_value *)v;
	v += n * sizeof(struct shk_value);
	memset(v, 0, rs->n_answered * sizeof(uint32_t) + n);
	run->memo.value = (uint32_t *)v;
	run->slots.state = v + rs->n_answered * sizeof(uint32_t);
	return true;
}

static bool prepare(struct frame *f)
{
	const struct shk_program *p = f->p;
	const struct shk_ruleset *rs = f->run.rs;
	size_t block = words(p->n_block), hit = words(p->n_rule);
	size_t zero = (block + hit) * sizeof(uint64_t) + p->n_keep + rs->n_group;
	uint64_t *v;

	zero = (zero + 15) & ~(size_t)15;
	v = shk_arena_alloc_raw(f->run.slots.ctx->ev->arena, zero + rs->n_group_word * sizeof(*v));
	if (!v)
		return false;
	memset(v, 0, zero);
	f->pending = v;
	f->hit = v + block;
	f->run.kept = (uint8_t *)(v + block + hit);
	f->run.ran = f->run.kept + p->n_keep;
	f->run.bits = (uint64_t *)((uint8_t *)v + zero);
	return true;
}

static bool any(const uint64_t *bits, const uint64_t *mask, unsigned n)
{
	const uint64_t *v = bits + *mask++;

	for (unsigned w = 0; w < n; w++)
		if (v[w] & mask[w])
			return true;
	return false;
}

static void look(struct shk_run *run, const struct shk_step *s)
{
	bool yes = run->memo.m ? shk_memo_test(run, s->b, s->a) :
				 shk_test_holds(run, &run->rs->test[s->b]);

	run->kept[s->a] = yes ? SHK_KEPT_YES : SHK_KEPT_NO;
}

static void look_at_group(struct shk_run *run, uint32_t group)
{
	if (run->memo.m)
		shk_memo_group(run, group);
	else
		shk_group_run(run, group);
}

static void spread(struct frame *f, const struct shk_step *s)
{
	const struct shk_spread *sp = &f->p->spread[s->a];
	const struct shk_group *g = &f->run.rs->group[s->b];
	const uint64_t *bits = f->run.bits + g->word;

	for (uint32_t w = 0; w < g->n_word; w++)
		for (uint64_t m = bits[w] & sp->mask[w]; m; m &= m - 1) {
			uint64_t below = (m & -m) - 1;
			uint32_t i = sp->base[w] +
				     (uint32_t)__builtin_popcountll(sp->mask[w] & below);

			for (uint32_t k = sp->first[i]; k < sp->first[i + 1]; k++)
				set_bit(f->pending, sp->block[k]);
		}
}

/* Takes a block off the list. NULL: it is empty. */
static const struct shk_step *next_block(struct frame *f)
{
	for (size_t w = 0; w < words(f->p->n_block); w++) {
		uint64_t m = f->pending[w];

		if (!m)
			continue;
		f->pending[w] &= m - 1;
		return f->p->step + f->p->block[w * 64 + (unsigned)__builtin_ctzll(m)];
	}
	return NULL;
}

/* Jumps lead forward, a block is put on the list only by one in front of it, and a subroutine is as deep in the
 * graph as its depth, which SHK_AST_DEPTH bounds. */
static void execute(struct frame *f)
{
	const struct shk_step *step = f->p->step, *s = step;
	uint8_t *const kept = f->run.kept, *const ran = f->run.ran;
	uint64_t *const bits = f->run.bits;
	const struct shk_step *stack[SHK_AST_DEPTH + 1];
	unsigned depth = 0;

	for (;; s++) {
	again:
		switch ((enum shk_step_op)s->op) {
		case SHK_DO_TEST:
			if (!kept[s->a])
				look(&f->run, s);
			if (kept[s->a] == s->when + SHK_KEPT_NO)
				break;
			continue;
		case SHK_DO_BIT:
			if (!ran[s->b])
				look_at_group(&f->run, s->b);
			if (get_bit(bits, s->a) == s->when)
				break;
			continue;
		case SHK_DO_ANY:
			if (!ran[s->b])
				look_at_group(&f->run, s->b);
			if (any(bits, f->p->mask + s->a, s->n_word) == s->when)
				break;
			continue;
		case SHK_DO_PART:
			if (!kept[s->a]) {
				stack[depth++] = s;
				s = step + s->b;
				goto again;
			}
			if (kept[s->a] == s->when + SHK_KEPT_NO)
				break;
			continue;
		case SHK_DO_RETURN:
			kept[s->a] = (uint8_t)(s->when + SHK_KEPT_NO);
			s = stack[--depth];
			goto again;
		case SHK_DO_SPREAD:
			if (!ran[s->b])
				look_at_group(&f->run, s->b);
			spread(f, s);
			continue;
		case SHK_DO_MATCH:
			set_bit(f->hit, s->a);
			continue;
		case SHK_DO_JUMP:
			break;
		case SHK_DO_END:
			s = next_block(f);
			if (!s)
				return;
			goto again;
		}
		s = step + s->to;
		goto again;
	}
}

static bool has(const uint64_t *set, unsigned i)
{
	return set && (set[i / 64] >> (i % 64) & 1);
}

/* One rule that matches, in order. */
static void take(struct shk_matches *out, uint32_t rule, const uint64_t *must, bool first, bool *found)
{
	if (*found && first && !has(must, rule))
		return;
	*found = true;
	if (out->n < SHK_MATCH_MAX)
		out->rule[out->n++] = rule;
	else
		out->lost++;
}

static void collect(const struct frame *f, const uint64_t *must, bool first, struct shk_matches *out)
{
	bool found = false;

	for (size_t w = 0; w < words(f->p->n_rule); w++)
		for (uint64_t m = f->hit[w]; m; m &= m - 1)
			take(out, f->p->rule[w * 64 + (unsigned)__builtin_ctzll(m)], must, first, &found);
}

static void collect_leaf(const struct shk_memo *m, const struct shk_memo_node *leaf,
			 const uint64_t *must, bool first, struct shk_matches *out)
{
	bool found = false;

	for (uint32_t i = 0; i < leaf->aux; i++)
		take(out, m->rules.p[leaf->id + i], must, first, &found);
}

/* The program has to be run. Not in the way of events that are known. */
static __attribute__((noinline)) void evaluate(const struct shk_run *run, const struct shk_program *p,
						const uint64_t *must, bool first, struct shk_matches *out)
{
	struct frame f = { .run = *run, .p = p };
	struct shk_memo_log log = { 0 };

	if (!prepare(&f))
		return;
	f.run.memo.log = &log;
	if (f.run.memo.m)
		shk_memo_seed(&f.run);
	execute(&f);
	collect(&f, must, first, out);
	if (f.run.memo.m)
		shk_memo_end(&f.run, f.hit);
}

void shk_ruleset_eval(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, const uint64_t *must,
		      bool first, struct shk_matches *out)
{
	const struct shk_program *p = rs->program[ctx->ev->call ? ctx->ev->call->id : SHK_CALL_N];
	const struct shk_memo_node *leaf;
	struct shk_run run;
	struct shk_ancestor_met met;
	struct shk_memo_face face;
	uint32_t at;

	out->n = out->lost = 0;
	if (!p)
		return;
	/* Of the set, only its counters are written to. */
	run.rs = (struct shk_ruleset *)(uintptr_t)rs;
	run.gave_up = false;
	run.memo.m = ctx->memo && shk_memo_begin(ctx->memo, rs) ? ctx->memo : NULL;
	run.slots.ctx = ctx;
	run.memo.p = p;
	run.memo.lost = false;
	run.memo.face = NULL;
	at = run.memo.m && shk_memo_asks_shown(run.memo.m, p) ? shk_memo_face(&run, &face) : 0;
	leaf = at && ctx->memo->node[at].kind == SHK_MEMO_LEAF ? &ctx->memo->node[at] : NULL;
	if (!leaf && !prepare_slots(&run, ctx))
		return;
	if (!leaf) {
		ctx->proc_now = shk_proc_known(ctx); /* fields of the process are asked for one after the other */
		met.of = NULL;
		ctx->ancestor_met = &met;
	}
	if (!leaf && run.memo.m)
		leaf = shk_memo_walk(&run, at);
	if (!leaf)
		evaluate(&run, p, must, first, out);
	ctx->proc_now = NULL;
	ctx->ancestor_met = NULL;
	if (leaf && leaf->aux)
		collect_leaf(ctx->memo, leaf, must, first, out);
}
