// SPDX-License-Identifier: Apache-2.0
/* rulebench [OPTION...] FILE...: what evaluating the rules of FILES costs. See tests/bench/rules. */
#include "rulebench.h"
#include "rulecount.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules/load.h"


#define ROUNDS 5

struct bench {
	struct bench_mix mix;
	struct shk_arena kept, scratch;
	struct shk_ruleset *rs;
	struct bench_base *base; /* not NULL: measure this */
	bool nothing;		 /* measure the frame alone */
	struct shk_memo *memo;	 /* NULL: each event as if it were the first */
	size_t matches;
};

double bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void one(void *arg, size_t i)
{
	struct bench *b = arg;
	struct shk_eval_ctx ctx = { .ev = &b->mix.ev[i].ev, .memo = b->memo };
	struct shk_matches m;

	shk_arena_reset(&b->scratch);
	ctx.ev->arena = &b->scratch;
	bench_current = b->mix.ev[i].cell;
	m.n = 0;
	if (b->base)
		bench_base_eval(b->base, &ctx, &m);
	else if (!b->nothing)
		shk_ruleset_eval(b->rs, &ctx, NULL, false, &m);
	b->matches += m.n;
}

static int by_double(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* Under callgrind: one dump for each different event that rules look at, told apart by its name. */
static void count_instructions(struct bench *b)
{
	size_t judged = 0;

	for (size_t i = 0; i < b->mix.n; i++)
		one(b, i); /* what is done once is done */
	for (size_t i = 0; i < b->mix.n; i++) {
		if (!b->rs->by_call[b->mix.ev[i].ev.call->id].n)
			continue;
		judged++;
		CALLGRIND_ZERO_STATS;
		CALLGRIND_TOGGLE_COLLECT;
		one(b, i);
		CALLGRIND_TOGGLE_COLLECT;
		CALLGRIND_DUMP_STATS_AT(b->mix.ev[i].ev.call->name);
	}
	printf("%zu %zu\n", b->mix.n, judged);
}

static double nanoseconds(struct bench *b)
{
	double v[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++) {
		double t = bench_now_ns();

		for (size_t i = 0; i < b->mix.n_seq; i++)
			one(b, b->mix.seq[i]);
		v[r] = (bench_now_ns() - t) / (double)b->mix.n_seq;
	}
	qsort(v, ROUNDS, sizeof(*v), by_double);
	return v[ROUNDS / 2];
}

static bool same_answers(struct bench *b, struct bench_base *base)
{
	for (size_t i = 0; i < b->mix.n; i++) {
		struct shk_eval_ctx ctx = { .ev = &b->mix.ev[i].ev };
		struct shk_matches x, y;

		shk_arena_reset(&b->scratch);
		ctx.ev->arena = &b->scratch;
		bench_current = b->mix.ev[i].cell;
		shk_ruleset_eval(b->rs, &ctx, NULL, false, &x);
		bench_base_eval(base, &ctx, &y);
		if (x.n != y.n || memcmp(x.rule, y.rule, x.n * sizeof(x.rule[0])) != 0) {
			fprintf(stderr, "rulebench: compiled set and baseline differ on %s, event %zu\n",
				ctx.ev->call->name, i);
			for (unsigned k = 0; k < x.n; k++)
				fprintf(stderr, "  compiled: rule %u\n", x.rule[k]);
			for (unsigned k = 0; k < y.n; k++)
				fprintf(stderr, "  baseline: rule %u\n", y.rule[k]);
			return false;
		}
	}
	return true;
}

static size_t memory_of(const struct shk_ruleset *rs)
{
	return rs->arena.used + rs->n_test * sizeof(*rs->test) + rs->n_node * sizeof(*rs->node) +
	       rs->n_edge * sizeof(*rs->edge) + rs->slots.n * sizeof(*rs->slots.v);
}

/* The enabled rules with their trees. */
static const struct shk_rule_def **defs_of(struct shk_loader *l, struct shk_arena *a, size_t *ret_n)
{
	const struct shk_rule_def **v = SHK_ARENA_ARRAY(a, const struct shk_rule_def *, l->b.n_rule);
	size_t n = 0;

	for (size_t i = 0; v && i < l->b.n_rule; i++) {
		struct shk_rule_def *d = SHK_ARENA_NEW(a, struct shk_rule_def);

		if (l->b.rule[i].left_out || !((const struct shk_rule *)l->t.rules.p[i])->enabled)
			continue;
		if (!d || shk_build_def(l, i, a, d) < 0)
			return NULL;
		v[n++] = d;
	}
	*ret_n = n;
	return v;
}

struct shk_ruleset *bench_load(char **file, int n, size_t want, struct shk_arena *kept, struct bench_figures *f)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	const struct shk_rule_def **defs;
	struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };
	size_t n_defs = 0;
	double t = bench_now_ns();
	int r = shk_loader_new(&l, &err);

	for (int i = 0; i < n && r == 0; i++)
		r = shk_loader_add_path(l, file[i], &err);
	if (r == 0)
		r = shk_loader_compile(l, NULL, &rs, &err);
	f->load_ms = (bench_now_ns() - t) / 1e6;
	if (r == 0 && want) {
		shk_ruleset_unref(TAKE_PTR(rs));
		defs = defs_of(l, kept, &n_defs);
		defs = defs ? bench_copies(kept, defs, n_defs, want) : NULL;
		t = bench_now_ns();
		r = defs ? shk_ruleset_build(defs, SHK_MAX(want, n_defs), &rs, &err) : -1;
		f->load_ms = (bench_now_ns() - t) / 1e6;
	}
	if (r < 0) {
		fprintf(stderr, "rulebench: %s\n", err.text);
		return NULL;
	}
	f->memory = memory_of(rs);
	f->rules = shk_ruleset_count(rs);
	return rs;
}

static bool load(struct bench *b, char **file, int n, size_t want, struct bench_figures *f)
{
	b->rs = bench_load(file, n, want, &b->kept, f);
	if (!b->rs || !bench_stub(b->rs, &b->kept))
		return false;
	for (size_t i = 0; i < b->mix.n; i++)
		if (!bench_fill_made(b->rs, &b->mix.ev[i], &b->kept))
			return false;
	return true;
}

static void print(const char *what, const struct bench_figures *f, const struct bench *b)
{
	printf("{\"figure\":\"%s\",\"rules\":%zu,\"events\":%zu,\"load_ms\":%.1f,\"memory\":%zu,"
	       "\"ns_per_event\":%.1f,\"events_per_second\":%.0f}\n",
	       what, f->rules, b->mix.n_seq, f->load_ms, f->memory, f->ns, 1e9 / f->ns);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rules", required_argument, NULL, 'r' },   { "events", required_argument, NULL, 'e' },
		{ "kinds", required_argument, NULL, 'k' },   { "seed", required_argument, NULL, 's' },
		{ "baseline", no_argument, NULL, 'b' },	     { "no-rules", no_argument, NULL, 'n' },
		{ "count", no_argument, NULL, 'c' },	     { "explain", no_argument, NULL, 'x' },
		{ "no-memo", no_argument, NULL, 'm' },
		{ "recording", required_argument, NULL, 'R' }, { "steps", required_argument, NULL, 'S' },
		{ "types", no_argument, NULL, 't' },	     { "profile", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench_recording rec = { 0 };
	size_t want = 0, events = 200000, kinds = 1000;
	bool base = false, count = false, explain = false, memo = true, types = false;
	uint64_t seed = 1;
	struct bench b = { 0 };
	struct bench_figures f = { 0 };
	struct bench_base *baseline;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r': want = strtoul(optarg, NULL, 10); break;
		case 'e': events = strtoul(optarg, NULL, 10); break;
		case 'k': kinds = strtoul(optarg, NULL, 10); break;
		case 's': seed = strtoul(optarg, NULL, 10); break;
		case 'b': base = true; break;
		case 'n': b.nothing = true; break;
		case 'c': count = true; break;
		case 'm': memo = false; break;
		case 'x': explain = true; break;
		case 'R': rec.path = optarg; break;
		case 'S': rec.steps = optarg; break;
		case 't': types = true; break;
		case 'p': rec.profile = optarg; break;
		default: return 2;
		}
	}
	if (!events || !kinds || optind == argc) {
		fprintf(stderr, "usage: rulebench [--rules N] [--events N] [--kinds N] [--seed N] "
				"[--baseline | --no-rules] [--no-memo] [--count] FILE...\n"
				"       rulebench --recording EVENTS [--types | --profile FIGURE[,CALL] | --count [--profile FIGURE] [--steps CALL=N,...]] [--rules N] FILE...\n");
		return 2;
	}
	if (rec.path) {
		rec.want = want;
		rec.file = argv + optind;
		rec.n_file = argc - optind;
		return count ? bench_recording_count(&rec) : rec.profile ? bench_recording_profile(&rec) :
		       types ? bench_recording_types(&rec) : bench_recording_time(&rec);
	}
	shk_arena_init(&b.kept, SIZE_MAX / 2);
	shk_arena_init(&b.scratch, (size_t)1 << 20);
	if (!bench_mix_make(&b.mix, kinds, events, seed) ||
	    !load(&b, argv + optind, argc - optind, want, &f))
		return 1;
	baseline = bench_base_new(b.rs, &b.kept);
	if (!baseline || !same_answers(&b, baseline))
		return 1;
	if (explain) {
		struct shk_buf out;

		shk_buf_init(&out, (size_t)64 << 20);
		shk_ruleset_explain(b.rs, &out);
		fwrite(out.p, 1, out.n, stdout);
		shk_buf_done(&out);
	}
	b.base = base ? baseline : NULL;
	if (memo && !(b.memo = shk_memo_new()))
		return 1;
	if (count) {
		count_instructions(&b);
		return 0;
	}
	f.ns = nanoseconds(&b);
	print(b.nothing ? "no-rules" : base ? "baseline" : "compiled", &f, &b);
	return 0;
}
