/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict.h - what a decision is and what it guarantees.
 *
 * Pure functions on the matches of one event: which action wins, which guarantee the answer carries.
 * Carrying it out (answering, killing) is the engine's. Any thread.
 */
#ifndef SHK_VERDICT_VERDICT_H
#define SHK_VERDICT_VERDICT_H

#include "policy/plan.h"

struct shk_verdict {
	struct shk_action action;  /* what is done; NONE: continue */
	struct shk_action wanted;  /* what would be done in mode enforce (shadow) */
	int rule;		   /* index of the deciding rule, -1: none */
	const char *guarantee;	   /* constant text */
};

/* The strictest action of all matched rules wins (kill > freeze > deny > allow); among equals the first
 * rule. In mode observe and shadow nothing is done, `wanted` says what would have been. */
void shk_verdict_decide(const struct shk_policy *p, const struct shk_matches *m,
			const struct shk_event *ev, struct shk_verdict *out);

/* Guarantee words of an alert: SUPERVISION section 5. method: how the call is let through if it is. */
const char *shk_verdict_guarantee(const struct shk_event *ev, const struct shk_action *a,
				  enum shk_method method);

/* "allow", "deny", "kill", "freeze", and with would: "would-deny", ... */
const char *shk_verdict_word(const struct shk_action *a, bool would);

#endif
