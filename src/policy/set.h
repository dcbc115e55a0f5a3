/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.h - the policies of a set and the rule sets they share (private to src/policy).
 */
#ifndef SHK_POLICY_SET_H
#define SHK_POLICY_SET_H

#include <stdatomic.h>

#include "policy/def.h"

#define SHK_POLICY_MAX	    256
#define SHK_POLICY_FILE_MAX (1u << 20)
/* What a policy that names no files has: the base, and a directory of themes where there is one. */
#define SHK_POLICY_RULES    "shrike_rules.yaml"
#define SHK_POLICY_THEMES   "shrike_rules.d"
/* And behind these what a directory of this name among those of rules_path has. */
#define SHK_POLICY_OWN	    "rules.d"

struct shk_shared_rules {
	struct shk_str key; /* files and selection */
	struct shk_ruleset *rules;
};

struct shk_policyset {
	atomic_uint refs;
	struct shk_arena arena;
	struct shk_policy_def *def[SHK_POLICY_MAX]; /* file order, `default` last */
	size_t n;
	struct shk_shared_rules shared[SHK_POLICY_MAX];
	size_t n_shared;
};

typedef void shk_on_diag(const struct shk_diag *d, void *arg);

/* Gives d its compiled rules: those of an equal selection already loaded, or loaded now. */
int shk_policy_load_rules(struct shk_policyset *ps, struct shk_policy_def *d,
			  const struct shk_rules_config *rules, shk_on_diag *on_diag, void *arg,
			  struct shk_err *err);

#endif
