// SPDX-License-Identifier: Apache-2.0
/* Evaluating the rules of one event: its type's program, step by step. */
#include "rules/program.h"

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

/* Everything comes from one piece of the arena: what must be zero in front, the rest behind. */
static bool prepare(struct frame *f, const struct shk_ruleset *rs, struct shk_eval_ctx *ctx)
{
	const struct shk_program *p = f->p;
	size_t keep = words(p->n_keep), ran = words(rs->n_group), block = words(p->n_block),
	       hit = words(p->n_rule), state = words(rs->slots.n * 8);
	size_t zero = keep + ran + block + hit + state;
	uint64_t *v = shk_arena_alloc_raw(ctx->ev->arena,
					  (zero + keep + rs->n_group_word) * sizeof(*v) +
						  rs->slots.n * sizeof(struct shk_value));

	if (!v)
		return false; /* the arena remembers that it failed */
	memset(v, 0, zero * sizeof(*v));
	f->run.known = v;
	f->run.ran = v + keep;
	f->pending = f->run.ran + ran;
	f->hit = f->pending + block;
	f->run.slots = (struct shk_slot_run){ .slot = rs->slots.v, .ctx = ctx };
	f->run.slots.state = (uint8_t *)(f->hit + hit);
	f->run.answer = v + zero;
	f->run.bits = f->run.answer + keep;
	f->run.slots.val = (struct shk_value *)(f->run.bits + rs->n_group_word);
	return true;
}

static bool test(struct shk_run *run, const struct shk_step *s)
{
	bool yes;

	if (get_bit(run->known, s->a))
		return get_bit(run->answer, s->a);
	yes = shk_test_holds(run, &run->rs->test[s->b]);
	set_bit(run->known, s->a);
	if (yes)
		set_bit(run->answer, s->a);
	else
		run->answer[s->a / 64] &= ~(UINT64_C(1) << s->a % 64);
	return yes;
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

/* Takes a block off the list. false: it is empty. */
static bool next_block(struct frame *f, uint32_t *pc)
{
	for (size_t w = 0; w < words(f->p->n_block); w++) {
		if (!f->pending[w])
			continue;
		*pc = f->p->block[w * 64 + (unsigned)__builtin_ctzll(f->pending[w])];
		f->pending[w] &= f->pending[w] - 1;
		return true;
	}
	return false;
}

/* Jumps lead forward, a block is put on the list only by one in front of it, and a subroutine is as deep in the
 * graph as its depth, which SHK_AST_DEPTH bounds. */
static void execute(struct frame *f)
{
	uint32_t stack[SHK_AST_DEPTH + 1], pc = 0;
	unsigned depth = 0;

	for (;;) {
		const struct shk_step *s = &f->p->step[pc++];

		switch (s->op) {
		case SHK_DO_TEST:
			if (test(&f->run, s) == s->when)
				pc = s->to;
			break;
		case SHK_DO_BIT:
			if (!get_bit(f->run.ran, s->b))
				shk_group_run(&f->run, s->b);
			if (get_bit(f->run.bits, s->a) == s->when)
				pc = s->to;
			break;
		case SHK_DO_PART:
			if (!get_bit(f->run.known, s->a)) {
				stack[depth++] = pc - 1;
				pc = s->b;
			} else if (get_bit(f->run.answer, s->a) == s->when) {
				pc = s->to;
			}
			break;
		case SHK_DO_RETURN:
			set_bit(f->run.known, s->a);
			f->run.answer[s->a / 64] &= ~(UINT64_C(1) << s->a % 64);
			f->run.answer[s->a / 64] |= (uint64_t)s->when << s->a % 64;
			pc = stack[--depth];
			break;
		case SHK_DO_SPREAD:
			if (!get_bit(f->run.ran, s->b))
				shk_group_run(&f->run, s->b);
			spread(f, s);
			break;
		case SHK_DO_MATCH:
			set_bit(f->hit, s->a);
			break;
		case SHK_DO_JUMP:
			pc = s->to;
			break;
		default:
			if (!next_block(f, &pc))
				return;
		}
	}
}

static bool has(const uint64_t *set, unsigned i)
{
	return set && (set[i / 64] >> (i % 64) & 1);
}

static void collect(const struct frame *f, const uint64_t *must, bool first, struct shk_matches *out)
{
	bool found = false;

	for (size_t w = 0; w < words(f->p->n_rule); w++)
		for (uint64_t m = f->hit[w]; m; m &= m - 1) {
			uint16_t rule = f->p->rule[w * 64 + (unsigned)__builtin_ctzll(m)];

			if (found && first && !has(must, rule))
				continue;
			found = true;
			if (out->n < SHK_MATCH_MAX)
				out->rule[out->n++] = rule;
			else
				out->lost++;
		}
}

void shk_ruleset_eval(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, const uint64_t *must,
		      bool first, struct shk_matches *out)
{
	struct frame f = { .p = rs->program[ctx->ev->call ? ctx->ev->call->id : SHK_CALL_N] };

	out->n = out->lost = 0;
	if (!f.p)
		return;
	/* Of the set, only its counters are written to. */
	f.run.rs = (struct shk_ruleset *)(uintptr_t)rs;
	if (!prepare(&f, rs, ctx))
		return;
	execute(&f);
	collect(&f, must, first, out);
}
