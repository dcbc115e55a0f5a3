// SPDX-License-Identifier: Apache-2.0
/*
 * Measures on a recording: each event in the state it was judged in, its fields looked up in that state. What is
 * measured is the evaluation alone, with the fields it asks for; reading the text and keeping the state is not.
 */
#include "rulebench.h"

#include <stdio.h>
#include <stdlib.h>

#include "rulecount.h"
#include "sources/replay/replay.h"
#include "state/process.h"

#define ROUNDS 5

enum figure { FRAME, COMPILED, VALUES, NO_MEMO, MANY, BASELINE, HANDED, FIGURES };
static const char *const names[] = { "frame", "compiled", "values", "no-memo", "many", "baseline", "handed" };

/* FIGURES: there is none of this name. */
static enum figure figure_of(const char *name, size_t n)
{
	unsigned f = 0;

	while (f < FIGURES && (!name || strncmp(names[f], name, n) != 0 || names[f][n]))
		f++;
	return (enum figure)f;
}

#define CONTAINERS_MAX 64

/* Each container has its own, as in the engine. */
struct memos {
	const struct shk_container *ctr;
	struct shk_memo *of[FIGURES];
};

struct recording {
	struct shk_arena kept, scratch, values;
	struct shk_ruleset *rs, *stubbed, *many;
	struct bench_base *base;
	struct bench_figures figures, many_figures;
	struct shk_replay *replay;
	/* The event in hand, as nobody has asked it anything yet. */
	struct shk_event ev;
	struct shk_eval_ctx ctx;
	unsigned step[SHK_CALL_N];
	struct memos memo[CONTAINERS_MAX];
};

static bool load(struct recording *r, const struct bench_recording *b)
{
	struct bench_figures f;

	shk_arena_init(&r->kept, SIZE_MAX / 2);
	shk_arena_init(&r->scratch, (size_t)1 << 20);
	shk_arena_init(&r->values, (size_t)16 << 20);
	r->rs = bench_load(b->file, b->n_file, 0, &r->kept, &r->figures);
	r->stubbed = r->rs ? bench_load(b->file, b->n_file, 0, &r->kept, &f) : NULL;
	if (!r->stubbed || !bench_stub(r->stubbed, &r->kept))
		return false;
	r->base = bench_base_new(r->rs, &r->kept);
	if (b->want)
		r->many = bench_load(b->file, b->n_file, b->want, &r->kept, &r->many_figures);
	return r->base && (r->many || !b->want);
}

static struct shk_memo *memo_of(struct recording *r, enum figure f)
{
	struct memos *m = r->memo;

	if (f != COMPILED && f != VALUES && f != MANY)
		return NULL;
	while (m < r->memo + CONTAINERS_MAX - 1 && m->ctr && m->ctr != r->ctx.ctr)
		m++;
	m->ctr = r->ctx.ctr;
	if (!m->of[f])
		m->of[f] = shk_memo_new();
	return m->of[f];
}

static void forget(struct recording *r)
{
	for (unsigned i = 0; i < CONTAINERS_MAX; i++)
		for (unsigned f = 0; f < FIGURES; f++)
			shk_memo_free(r->memo[i].of[f]);
	memset(r->memo, 0, sizeof(r->memo));
}

static void drop(struct recording *r)
{
	shk_ruleset_unref(r->rs);
	shk_ruleset_unref(r->stubbed);
	shk_ruleset_unref(r->many);
	shk_arena_done(&r->kept);
	shk_arena_done(&r->scratch);
	shk_arena_done(&r->values);
	forget(r);
}

static bool open_recording(struct recording *r, const struct bench_recording *b)
{
	struct shk_err err = { 0 };

	if (shk_replay_open(b->path, &r->replay, &err) == 0)
		return true;
	fprintf(stderr, "rulebench: %s\n", err.text);
	return false;
}

/* The next event of a known call; false: the end. */
static bool next(struct recording *r)
{
	struct shk_err err = { 0 };
	int rc;

	do
		rc = shk_replay_next(r->replay, &r->ctx, &err);
	while (rc > 0 && !r->ctx.ev->call);
	if (rc < 0) {
		fprintf(stderr, "rulebench: %s\n", err.text);
		exit(1);
	}
	if (rc > 0)
		r->ev = *r->ctx.ev;
	return rc > 0;
}

/* What an earlier evaluation has read is read again. */
static void clear(struct recording *r, struct shk_event *ev, struct shk_eval_ctx *ctx, struct shk_arena *a)
{
	shk_arena_reset(a);
	*ev = r->ev;
	ev->arena = a;
	*ctx = r->ctx;
	ctx->ev = ev;
}

/* Arguments in memory and the task's record are what the source and the state hand over: src/engine/pipeline.c has both before
 * it asks the rules. */
static void __attribute__((noinline)) hand_over(struct shk_eval_ctx *ctx)
{
	struct shk_event *ev = ctx->ev;

	for (unsigned i = 0; i < ev->call->nargs; i++)
		if (shk_arg_kind_follows(ev->call->arg[i].kind))
			(void)shk_event_arg(ev, i);
	(void)shk_proc_task_of(ctx);
}

static void fresh(struct recording *r, struct shk_event *ev, struct shk_eval_ctx *ctx, struct shk_arena *a)
{
	clear(r, ev, ctx, a);
	hand_over(ctx);
}

static bool get_values(struct recording *r)
{
	struct shk_eval_ctx ctx;
	struct shk_event ev;

	fresh(r, &ev, &ctx, &r->values);
	bench_current = bench_fill_ctx(r->stubbed, &ctx, &r->values);
	return bench_current;
}

static void __attribute__((noinline)) evaluate(struct recording *r, enum figure f, struct shk_eval_ctx *ctx,
					       struct shk_matches *m)
{
	switch (f) {
	case COMPILED:
		shk_ruleset_eval(r->rs, ctx, NULL, false, m);
		break;
	case VALUES:
	case NO_MEMO:
		shk_ruleset_eval(r->stubbed, ctx, NULL, false, m);
		break;
	case MANY:
		shk_ruleset_eval(r->many, ctx, NULL, false, m);
		break;
	case BASELINE:
		bench_base_eval(r->base, ctx, m);
		break;
	case HANDED:
		hand_over(ctx);
		break;
	case FRAME:
	case FIGURES:
		break;
	}
}

static bool judged(const struct recording *r)
{
	return r->rs->by_call[r->ev.call->id].n != 0;
}

/* ---- types, and that all say the same ---- */

static bool same_answers(struct recording *r)
{
	struct shk_matches m[FIGURES] = { 0 };
	struct shk_eval_ctx ctx;
	struct shk_event ev;

	if (!get_values(r))
		return false;
	for (unsigned f = COMPILED; f < HANDED; f++) {
		if (f == MANY)
			continue;
		fresh(r, &ev, &ctx, &r->scratch);
		ctx.memo = memo_of(r, (enum figure)f);
		evaluate(r, (enum figure)f, &ctx, &m[f]);
		if (m[f].n == m[COMPILED].n && m[f].lost == m[COMPILED].lost &&
		    memcmp(m[f].rule, m[COMPILED].rule, m[f].n * sizeof(m[f].rule[0])) == 0)
			continue;
		fprintf(stderr, "rulebench: %s and %s differ on line %u, %s: %u and %u rules\n", names[COMPILED], names[f],
			shk_replay_line(r->replay), r->ev.call->name, m[COMPILED].n, m[f].n);
		return false;
	}
	return true;
}

int bench_recording_types(const struct bench_recording *b)
{
	size_t n[SHK_CALL_N] = { 0 };
	struct recording r = { 0 };
	bool same = true;

	if (!load(&r, b) || !open_recording(&r, b))
		return 1;
	while (same && next(&r)) {
		n[r.ev.call->id]++;
		same = same_answers(&r);
	}
	for (unsigned i = 0; same && i < SHK_CALL_N; i++)
		if (n[i])
			printf("%s %zu %d\n", shk_syscalls[i].name, n[i], r.rs->by_call[i].n != 0);
	shk_replay_free(r.replay);
	drop(&r);
	return !same;
}

/* ---- instructions ---- */

static void read_steps(struct recording *r, const char *text)
{
	char name[64];
	unsigned n;
	int used;

	for (unsigned i = 0; i < SHK_CALL_N; i++)
		r->step[i] = 1;
	for (; text && sscanf(text, "%63[^=]=%u%n", name, &n, &used) == 2; text += used + (text[used] == ',')) {
		for (unsigned i = 0; i < SHK_CALL_N; i++)
			if (n && !strcmp(shk_syscalls[i].name, name))
				r->step[i] = n;
		if (!text[used])
			break;
	}
}

static void count_one(struct recording *r, enum figure f)
{
	struct shk_eval_ctx ctx;
	struct shk_event ev;
	struct shk_matches m;
	char name[128];

	(f == HANDED ? clear : fresh)(r, &ev, &ctx, &r->scratch);
	ctx.memo = memo_of(r, f);
	snprintf(name, sizeof(name), "%s %s %u %d", names[f], r->ev.call->name, r->step[r->ev.call->id], judged(r));
	CALLGRIND_ZERO_STATS;
	CALLGRIND_TOGGLE_COLLECT;
	evaluate(r, f, &ctx, &m);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(name);
}

/* An event that is not measured: the next one is met by those who have seen it. */
static void remember(struct recording *r, enum figure only)
{
	struct shk_eval_ctx ctx;
	struct shk_event ev;
	struct shk_matches m;

	bench_current = NULL;
	for (unsigned f = 0; f < FIGURES; f++) {
		if (!memo_of(r, (enum figure)f) || (f == MANY && !r->many) || (only != FIGURES && f != only))
			continue;
		fresh(r, &ev, &ctx, &r->scratch);
		ctx.memo = memo_of(r, (enum figure)f);
		evaluate(r, (enum figure)f, &ctx, &m);
	}
}

/* One in so many events of each type, by lot: what repeats in a recording must not keep step with us. One dump a
 * figure, which has "FIGURE CALL STEP JUDGED" as its name. */
int bench_recording_count(const struct bench_recording *b)
{
	struct recording r = { 0 };
	struct shk_eval_ctx ctx;
	struct shk_event ev;
	struct shk_matches m;
	uint64_t lot = 88172645463325252u;
	enum figure only = figure_of(b->profile, b->profile ? strlen(b->profile) : 0);

	if (!load(&r, b) || !open_recording(&r, b))
		return 1;
	read_steps(&r, b->steps);
	while (next(&r)) {
		lot ^= lot << 13;
		lot ^= lot >> 7;
		lot ^= lot << 17;
		if ((lot >> 20) % r.step[r.ev.call->id]) {
			remember(&r, only);
			continue;
		}
		/* What is done once is done. */
		fresh(&r, &ev, &ctx, &r.scratch);
		evaluate(&r, COMPILED, &ctx, &m);
		if (!get_values(&r))
			return 1;
		for (unsigned f = 0; f < FIGURES; f++)
			if ((f != MANY || r.many) && (only == FIGURES || f == only || f == FRAME))
				count_one(&r, (enum figure)f);
	}
	shk_replay_free(r.replay);
	drop(&r);
	return 0;
}

/* ---- time ---- */

static int by_double(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* Nanoseconds per event, looking at the clock included: that is what FRAME has alone. */
static double pass(struct recording *r, const struct bench_recording *b, enum figure f, size_t *n)
{
	struct shk_eval_ctx ctx;
	struct shk_event ev;
	struct shk_matches m;
	double sum = 0;

	*n = 0;
	if (!open_recording(r, b))
		exit(1);
	for (; next(r); ++*n) {
		double t;

		if ((f == VALUES || f == NO_MEMO) && !get_values(r))
			exit(1);
		(f == HANDED ? clear : fresh)(r, &ev, &ctx, &r->scratch);
		ctx.memo = memo_of(r, f);
		t = bench_now_ns();
		evaluate(r, f, &ctx, &m);
		sum += bench_now_ns() - t;
	}
	shk_replay_free(r->replay);
	forget(r);
	return *n ? sum / (double)*n : 0;
}

int bench_recording_time(const struct bench_recording *b)
{
	struct recording r = { 0 };
	double frame = 0;

	if (!load(&r, b))
		return 1;
	for (unsigned f = 0; f < FIGURES; f++) {
		const struct bench_figures *of = f == MANY ? &r.many_figures : &r.figures;
		double v[ROUNDS], ns;
		size_t n = 0;

		if (f == MANY && !r.many)
			continue;
		for (unsigned i = 0; i < ROUNDS; i++)
			v[i] = pass(&r, b, (enum figure)f, &n);
		qsort(v, ROUNDS, sizeof(*v), by_double);
		ns = v[ROUNDS / 2] - frame;
		if (f == FRAME)
			frame = ns;
		printf("{\"figure\":\"%s\",\"rules\":%zu,\"events\":%zu,\"load_ms\":%.1f,\"memory\":%zu,"
		       "\"ns_per_event\":%.1f}\n", names[f], of->rules, n, of->load_ms, of->memory, ns);
	}
	drop(&r);
	return 0;
}

/* One pass of one figure, all of it (or all of one CALL) under callgrind's eyes: where the instructions are. */
int bench_recording_profile(const struct bench_recording *b)
{
	struct recording r = { 0 };
	struct shk_eval_ctx ctx;
	struct shk_event ev;
	struct shk_matches m;
	size_t n = strcspn(b->profile, ",");
	const char *call = b->profile[n] ? b->profile + n + 1 : NULL;
	enum figure f = figure_of(b->profile, n);

	if (f == FIGURES || !load(&r, b) || !open_recording(&r, b))
		return 2;
	while (next(&r)) {
		if ((f == VALUES || f == NO_MEMO) && !get_values(&r))
			return 1;
		fresh(&r, &ev, &ctx, &r.scratch);
		ctx.memo = memo_of(&r, f);
		if (call && strcmp(call, r.ev.call->name) != 0) {
			evaluate(&r, f, &ctx, &m);
			continue;
		}
		CALLGRIND_TOGGLE_COLLECT;
		evaluate(&r, f, &ctx, &m);
		CALLGRIND_TOGGLE_COLLECT;
	}
	shk_replay_free(r.replay);
	drop(&r);
	return 0;
}
