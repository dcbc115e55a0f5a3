/* SPDX-License-Identifier: Apache-2.0 */
/*
 * figures.h - what the engine counts about itself, for `shrike top`, `shrike status` and the metrics.
 *
 * Any thread counts; counting a call takes no lock. Figures begin anew with each engine.
 */
#ifndef SHK_ENGINE_FIGURES_H
#define SHK_ENGINE_FIGURES_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "syscalls/syscalls.h"

struct json_object;

#define SHK_LATENCIES 16 /* the last one has no bound */
#define SHK_RULE_FIGURES 1024 /* rules that are counted by name; the rest together */

struct shk_figures {
	_Atomic uint64_t call[SHK_CALL_N + 1]; /* the last one: unknown calls */
	_Atomic uint64_t latency[SHK_LATENCIES], latency_sum; /* from reception to decision, ns */
	_Atomic uint64_t alerts, denied, killed;
	_Atomic uint64_t limited; /* alerts that a policy's limits held back, and that is told */
	pthread_mutex_t lock; /* guards the rest: a leaf */
	struct shk_map rules; /* name -> struct */
};

void shk_figures_init(struct shk_figures *f);
void shk_figures_done(struct shk_figures *f);
/* A call was decided. id: its row of the table, SHK_CALL_N: none. */
void shk_figures_call(struct shk_figures *f, unsigned id, uint64_t ns);
/* A rule made an alert. */
void shk_figures_rule(struct shk_figures *f, struct shk_str name);
/* {"bounds_ns":[...],"counts":[...],"sum_ns":N}; counts has one more than bounds. NULL: out of memory. */
struct json_object *shk_figures_latency(struct shk_figures *f);
/* {"calls":{name:count},"rules":{name:count}}, those that are not 0. */
struct json_object *shk_figures_top(struct shk_figures *f);

#endif
