/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline.h - the rules' say on an event that nobody waits for: replay and tests of rules.
 *
 * The same judging and the same records as of live calls; nothing is answered, limited or journalled. One
 * thread per object.
 */
#ifndef SHK_ENGINE_OFFLINE_H
#define SHK_ENGINE_OFFLINE_H

#include "alerts/alert.h"
#include "policy/policy.h"

struct shk_offline {
	const char *boot, *hostname; /* for records */
	uint64_t seq;		     /* of the last alert */
	struct shk_buf record;	     /* of the last alert */
	struct shk_memo *memo;	     /* may be NULL */
	/* Each alert: its rule and its record (JSON), valid during the call. Not 0 ends the event. */
	int (*on_alert)(const struct shk_rule_info *rule, struct shk_str record, void *arg);
	void *arg;
};

/* A policy that has these rules (borrowed) and nothing else: it observes. all: rule_matching: all. -ENOMEM. */
int shk_offline_bare(struct shk_ruleset *rules, bool all, struct shk_policy *ret);
void shk_offline_bare_done(struct shk_policy *p);

void shk_offline_init(struct shk_offline *o);
void shk_offline_done(struct shk_offline *o);
/* Judges the event by the policy. 0, what on_alert returned, -ENOMEM, or -E2BIG: the event needs more room than
 * one may have, nothing can be said of it. */
int shk_offline_judge(struct shk_offline *o, const struct shk_policy *p, struct shk_eval_ctx *ctx);

#endif
