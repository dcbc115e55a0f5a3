/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - which rules one call meets (private to src/engine).
 */
#ifndef SHK_ENGINE_JUDGE_H
#define SHK_ENGINE_JUDGE_H

#include "policy/plan.h"

struct shk_judgement {
	struct shk_matches m;
	unsigned n_given;	  /* so many of them by the name given; the others by the object's */
	struct shk_eval_ctx real; /* for the output of these */
};

/* Holding the container's lock. plan: the policy's, may be NULL. held: per argument the name of the object
 * that the call will be carried out on, p NULL: there is none; NULL: they are looked up here, and ev->memory_failed is set when it cannot be told. */
void shk_judge(const struct shk_policy *p, const struct shk_plan *plan, struct shk_eval_ctx *ctx,
	       const struct shk_str *held, struct shk_judgement *j);

#endif
