/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rulebench.h - parts of the rule bench (tests/bench/rules).
 *
 * Events come from a recording (docs/EVENTS.md), with fields that look into its state as the engine's do; or they are
 * generated, each with the values its fields have. To measure evaluation apart from extraction, compiled sets
 * are given stand-ins of the fields that hand out values got before (bench_stub). One thread.
 */
#ifndef SHK_TESTS_BENCH_RULEBENCH_H
#define SHK_TESTS_BENCH_RULEBENCH_H

#include "rules/program.h"

/* A field's value in one event; of a field with several values: all of them. */
struct bench_cell {
	bool ok;
	unsigned n;
	struct shk_value v, *many;
};

/* A stand-in of a field. */
struct bench_stub {
	struct shk_field f;	    /* first: a reference to it leads back here */
	struct shk_field_ref real; /* what it stands in for */
	unsigned id;		    /* its cell; id of the slot it is of */
};

struct bench_event {
	struct shk_event ev; /* its arena is set anew for each evaluation */
	const void *world;   /* rulemix.c: who does it to what */
	struct bench_cell *cell; /* per field of the stubs */
};

struct bench_mix {
	struct bench_event *ev; /* different ones */
	size_t n;
	uint32_t *seq;		/* the stream: numbers of events */
	size_t n_seq;
};

/* rulemix.c: a stream as shells, a package installation, a web server and a build make it. The same for
 * the same seed. false: no memory. */
bool bench_mix_make(struct bench_mix *m, size_t kinds, size_t length, uint64_t seed);
/* The value of a field in an event: k-th candidate of one with several. */
bool bench_mix_value(const struct bench_event *e, const struct shk_field_ref *ref, bool multi,
		     unsigned k, struct shk_arena *a, struct shk_value *out);

/* rulestub.c: fields of the set's slots are replaced by stand-ins that give bench_current's cells: one for each slot.
 * NULL: the values of the fields. false: no memory. */
extern const struct bench_cell *bench_current;
bool bench_stub(struct shk_ruleset *rs, struct shk_arena *a);
/* The cells of a generated event, of one of a recording. */
bool bench_fill_made(const struct shk_ruleset *rs, struct bench_event *e, struct shk_arena *a);
struct bench_cell *bench_fill_ctx(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, struct shk_arena *a);

/* rulebase.c: the baseline. A plain walk of each rule's tree, rule by rule from the index by call;
 * every comparison asks for its field and searches a sorted set. */
struct bench_base;
struct bench_base *bench_base_new(const struct shk_ruleset *rs, struct shk_arena *a);
void bench_base_eval(const struct bench_base *b, struct shk_eval_ctx *ctx, struct shk_matches *out);

/* rulebench.c: the rules of files, or `want` of them made of these. NULL after saying why. */
struct bench_figures {
	double load_ms, ns;
	size_t memory, rules;
};
struct shk_ruleset *bench_load(char **file, int n, size_t want, struct shk_arena *kept, struct bench_figures *f);
double bench_now_ns(void);

/* rulerecording.c: measures on a recording. */
struct bench_recording {
	const char *path;
	const char *steps; /* to count: CALL=N,...: one in N events of this type is measured */
	const char *profile; /* FIGURE[,CALL] to be run once, for a profiler */
	size_t want;	   /* rules of the large set, 0: none */
	char **file;
	int n_file;
};
int bench_recording_types(const struct bench_recording *r); /* prints "CALL events judged" */
int bench_recording_count(const struct bench_recording *r);
int bench_recording_time(const struct bench_recording *r);
int bench_recording_profile(const struct bench_recording *r);

/* rulecopy.c: the rules, and copies of them with other constants, until there are `want`. NULL: no memory. */
const struct shk_rule_def **bench_copies(struct shk_arena *a, const struct shk_rule_def **defs,
					 size_t n, size_t want);

#endif
