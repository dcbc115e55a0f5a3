/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rulebench.h - parts of the rule bench (tests/bench/rules).
 *
 * A mix is a list of events, each with the values its fields have, so that evaluation is measured
 * apart from extraction: compiled sets are given stand-ins of the fields that hand out those
 * values (bench_stub). One thread.
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

/* rulestub.c: fields of the set's slots are replaced by stand-ins that give bench_current's cells. */
extern const struct bench_event *bench_current;
bool bench_stub(struct shk_ruleset *rs, struct bench_mix *m, struct shk_arena *a);

/* rulebase.c: the baseline. A plain walk of each rule's tree, rule by rule from the index by call;
 * every comparison asks for its field and searches a sorted set. */
struct bench_base;
struct bench_base *bench_base_new(const struct shk_ruleset *rs, struct shk_arena *a);
void bench_base_eval(const struct bench_base *b, struct shk_eval_ctx *ctx, struct shk_matches *out);

/* rulecopy.c: the rules, and copies of them with other constants, until there are `want`. NULL: no memory. */
const struct shk_rule_def **bench_copies(struct shk_arena *a, const struct shk_rule_def **defs,
					 size_t n, size_t want);

#endif
