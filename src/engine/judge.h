/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - which rules one call meets (private to src/engine).
 */
#ifndef SHK_ENGINE_JUDGE_H
#define SHK_ENGINE_JUDGE_H

#include "policy/plan.h"

/* What a call will be carried out on: names per argument, p NULL: none, and other names of the same, by bind mounts. */
#define SHK_HELD_ALIASES 16
struct shk_held_names {
	struct shk_str object[6];
	struct {
		unsigned arg;
		struct shk_str name;
	} alias[SHK_HELD_ALIASES];
	unsigned n_alias;
	bool given; /* it has the name given, and no other: the rest is empty */
};

struct shk_judgement {
	struct shk_matches m;
	unsigned n_given;	  /* so many of them by the name given; the others by the object's */
	struct shk_eval_ctx real; /* for the output of these */
};

/* Holding the container's lock. plan: the policy's, may be NULL. held: what the call will be
 * carried out on; NULL: it is looked up here, and ev->memory_failed is set when it cannot be told. */
void shk_judge(const struct shk_policy *p, const struct shk_plan *plan, struct shk_eval_ctx *ctx,
	       const struct shk_held_names *held, struct shk_judgement *j);

/* The same call as somebody else may see it: its rules are added to j, and are not of the name given. */
void shk_judge_also(const struct shk_policy *p, struct shk_eval_ctx *as, struct shk_judgement *j);

/* A call that was made already, as the kernel module tells it: its rules are asked once, nothing is looked up for it, and there is
 * no verdict. Names are whole and need no task to be understood. Holding the container's lock, if it has one. */
void shk_judge_made(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_judgement *j);
/* Is there to be an alert of match i? Falco's first one; and a rule that acts is told in any case, as here it could not. */
bool shk_judge_made_tells(const struct shk_policy *p, const struct shk_judgement *j, unsigned i);

/* What an alert says of the verdict. own: it is of the rule that the verdict is; one of another rule says what became of the
 * call, too. */
struct shk_alert;
struct shk_verdict;
void shk_judged_alert(struct shk_alert *a, const struct shk_policy *p, const struct shk_verdict *v, bool own);

#endif
