/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judged.h - what events are judged by in replay and test (private to src/shrike): policies, or bare
 * rule files.
 */
#ifndef SHK_SHRIKE_JUDGED_H
#define SHK_SHRIKE_JUDGED_H

#include "policy/policy.h"
#include "shrike/cli.h"

struct shk_judged {
	struct shk_policyset *set;	/* NULL: rule files alone */
	const struct shk_policy *fixed; /* for every event; NULL: chosen by the container */
	struct shk_policy bare;		/* of rule files */
	struct shk_ruleset *rules;
};

/* Rule files or directories, in this order, as a policy that only observes; all: every matching rule speaks.
 * Diagnostics go to standard error. 0 or an exit code after saying why. */
int shk_judged_by_rules(struct shk_judged *j, const struct shk_rules_config *rules,
			const char *const *paths, size_t n, bool all);
/* A loader that has read its files (consumed in any case). */
int shk_judged_by_loader(struct shk_judged *j, struct shk_loader *l, bool all);
/* As shk_cli_load_policy; which NULL: each container's own, as the daemon chooses. */
int shk_judged_by_policy(struct shk_judged *j, const struct shk_cli *c, const char *which);
const struct shk_policy *shk_judged_policy(const struct shk_judged *j, const struct shk_container *c);
void shk_judged_done(struct shk_judged *j);

/* One condition as a set of one rule. -EINVAL: err says what is wrong with it. */
int shk_judged_condition(const char *text, struct shk_ruleset **ret, struct shk_err *err);

#endif
