/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - policies and rules from files, without a daemon (private to src/shrike).
 */
#ifndef SHK_SHRIKE_LOAD_H
#define SHK_SHRIKE_LOAD_H

#include "engine/config.h"
#include "policy/policy.h"
#include "shrike/cli.h"

/* Rows for commands that read policies; see shk_cli_load_policy. */
#define SHK_OPT_POLICY_DIR { "policy-dir", 0, "DIR", "policy files (else policy_dir of shrike.yaml)" }
#define SHK_OPT_RULES_PATH                                                                         \
	{ "rules-path", 0, "DIRS", "directories of rule files, with : (else rules_path of shrike.yaml)" }
#define SHK_OPT_CONFIG { "config", 'c', "FILE", "configuration instead of shrike.yaml" }

/* The values of the file --config names; else those of the configuration file, and the defaults where it cannot be
 * used: offline commands must work for people who may not read it. *rules (may be NULL) is a view of it; its static
 * fields can be named from now on. 0, or an exit code after saying why. */
int shk_cli_config(const struct shk_cli *c, struct shk_config **ret, struct shk_rules_config *rules);
/* The policy the command line asks for: a name in the policy directory, the path of a policy
 * file (it has a '/' or ends in .yaml, .yml), or `default`. 0, or an exit code after saying why.
 * *set is the caller's; *policy lives in it. */
int shk_cli_load_policy(const struct shk_cli *c, const char *which, struct shk_policyset **set,
			const struct shk_policy **policy);

/* A policy is a map with the key `policy`; a rule file is a list. A text that is no YAML is left to the
 * rule loader, which reports it best. */
bool shk_cli_is_policy(struct shk_str text);

#endif
