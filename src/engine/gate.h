/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.h - an execve that is let go, until it has come to something (private to src/engine).
 *
 * The worker that judged the call hands it to a thread of the gate and serves its listener again: a program that
 * is slow to load, or never gets loaded, holds up one of these threads alone. There are as many as calls are
 * being compared, up to GATE_THREADS, of one container up to GATE_PER_CONTAINER; the rest wait in line, until their
 * deadline.
 */
#ifndef SHK_ENGINE_GATE_H
#define SHK_ENGINE_GATE_H

#include "enforce/exec.h"
#include "engine/internal.h"
#include "engine/judge.h"

/* Before rules are asked about an execve that their action may refuse: pins what it is about to run. *ret stays NULL
 * where nothing is to be compared. 0, or -errno: it cannot be told. The container's lock is held. */
int shk_gate_pin(const struct shk_policy *p, const struct shk_plan *plan, struct shk_eval_ctx *ctx,
		 struct shk_exec_judged **ret);
/* After they were asked: about the interpreter of a script, too. */
void shk_gate_judge(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_exec_judged *x,
		    struct shk_judgement *j);
/* Lets the call of the slot go, and sees to the end of it. Takes the slot (its claim won) and x over. */
void shk_gate_pass(struct shk_listener *l, struct shk_call_slot *s, struct shk_exec_judged *x);
/* Tells of an execve that was refused, or let through, as it cannot be told what it would run. */
void shk_gate_tell_unknown(struct shk_listener *l, const struct shk_call_slot *s, const struct shk_event *ev, int err,
			   int why);

/* Main thread. */
int shk_gate_start(struct shk_engine *g, struct shk_err *err);
void shk_gate_watchdog(struct shk_engine *g, uint64_t now);
/* After the workers. false: a thread, or a worker, hangs in a call and still uses the engine. */
bool shk_gate_stop(struct shk_engine *g);

#endif
