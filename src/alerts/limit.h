/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h - how many alerts a container may cause.
 *
 * One token bucket per (container, policy, rule): `alerts_per_second` and `alerts_burst` of the policy.
 * What was held back is counted and reported once a second at most by an internal alert that names the
 * rule and the count (THREATS A14). An alert of a verdict never asks. Any thread; own lock.
 */
#ifndef SHK_ALERTS_LIMIT_H
#define SHK_ALERTS_LIMIT_H

#include "policy/policy.h"

struct shk_limits;
int shk_limits_new(struct shk_limits **ret);
void shk_limits_free(struct shk_limits *l);

/* May this alert go out now? */
bool shk_limit_allow(struct shk_limits *l, const struct shk_container *c, const struct shk_policy *p,
		     const struct shk_rule_info *rule);
/* What was held back of one rule in one container. */
struct shk_held_back {
	uint64_t container; /* its key, 0: the host */
	struct shk_str rule; /* valid during the call */
	uint64_t count;
	uint64_t first_ns, last_ns; /* since the epoch */
};
/* For each (container, rule) with held-back alerts since the last call; its count is zero then. Called by
 * the engine's timer. */
void shk_limits_report(struct shk_limits *l, void (*on)(const struct shk_held_back *held, void *arg), void *arg);
/* A container is gone: its buckets go. */
void shk_limits_forget(struct shk_limits *l, uint64_t container);

#endif
