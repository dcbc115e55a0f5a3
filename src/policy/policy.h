/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - which containers, which rules, what to do.
 *
 * A policy set is loaded from a directory of YAML files (sorted by name), together with the rule
 * files its policies name, into one immutable, reference-counted object; reload builds a new one and
 * swaps. shk_policyset_select() picks the policy of a container. Any thread may read.
 */
#ifndef SHK_POLICY_POLICY_H
#define SHK_POLICY_POLICY_H

#include "rules/rules.h"
#include "state/container.h"

struct shk_policyset;
struct shk_policy;

enum shk_mode { SHK_MODE_OBSERVE, SHK_MODE_SHADOW, SHK_MODE_ENFORCE };
enum shk_action_kind { SHK_ACT_NONE, SHK_ACT_DENY, SHK_ACT_FREEZE, SHK_ACT_KILL_PROCESS,
		       SHK_ACT_KILL_CONTAINER }; /* order = strictness */
struct shk_action {
	enum shk_action_kind kind;
	int err;		/* DENY: errno > 0 */
};
/* What becomes of a process that enters the container without our filter (SUPERVISION section 6). */
enum shk_exec_sessions { SHK_EXEC_NO_NEW_PRIVS, SHK_EXEC_OBSERVE, SHK_EXEC_REFUSE };
/* How an execve that an action may refuse is let through in mode enforce. AUTO: by the kernel module's
 * leases where they can be had, else by ptrace and, where there are any, permission events. */
enum shk_exec_verify { SHK_EXEC_VERIFY_AUTO, SHK_EXEC_VERIFY_PTRACE, SHK_EXEC_VERIFY_OFF };
const char *shk_mode_name(enum shk_mode m);
const char *shk_action_name(enum shk_action_kind k);

struct shk_policy {
	struct shk_str name, file;
	enum shk_mode mode;
	struct shk_ruleset *rules;	  /* held by the set */
	const struct shk_action *actions; /* one per rule index, first matching entry; NONE: alert only */
	const uint64_t *must;		  /* bitmap of rules with an action */
	uint64_t reserve[(SHK_CALL_N + 63) / 64]; /* calls notified without need; rules of a reload may */
	bool match_all;			  /* rule_matching: all; default first */
	bool io_uring_allow;
	bool refuse_on_error;		  /* on_policy_error: refuse */
	bool unreadable_deny;		  /* on_unreadable_argument: deny */
	uint64_t deadline_ns;		  /* 0 is not allowed; default 2 s */
	struct shk_action deadline_then;  /* DENY or NONE (= allow) */
	bool strict, strict_said; /* said: written in the policy, not the mode's default */
	unsigned alerts_per_second, alerts_burst; /* limits; 0: none */
	bool annotation_choosable;	  /* may be picked by a container's annotation */
	enum shk_exec_sessions exec_sessions;
	enum shk_exec_verify exec_verify;
	bool traced_exec_allow;		  /* traced_exec: allow; of a task that somebody else traces */
	bool attach_refuse;		  /* attach: refuse; else no_new_privs where nothing else will do */
	bool unjudged_doors_allow;	  /* unjudged_doors: allow; else refused in mode enforce */
};

/* The administrator's directory, what it was called before, the shipped rules. */
#define SHK_RULES_PATH SHK_SYSCONFDIR "/rules.d:" SHK_SYSCONFDIR "/rules:" SHK_DATADIR "/rules"

/* What a configuration says of the rules of all policies. */
struct shk_rules_config {
	const char *rules_path; /* directories, ":" between them; NULL: the built-in ones */
	const struct shk_append_output *append; /* in front of what policies append themselves */
	size_t n_append;
};

/* Loads every *.yaml / *.yml of policy_dir; rule files named by policies are looked up in the
 * directories of rules_path unless absolute. policy_dir NULL or absent: the built-in
 * default policy alone (observe, shipped rules). All diagnostics of rule files go to on_diag.
 * -EINVAL: err holds the first problem as file:line:column: text; remedy. */
int shk_policyset_load(const char *policy_dir, const struct shk_rules_config *rules,
		       void (*on_diag)(const struct shk_diag *d, void *arg), void *arg,
		       struct shk_policyset **ret, struct shk_err *err);
/* One policy file from memory (tests, fuzzing). */
int shk_policyset_load_text(const char *name, struct shk_str text,
			    const struct shk_rules_config *rules, struct shk_policyset **ret,
			    struct shk_err *err);
struct shk_policyset *shk_policyset_ref(struct shk_policyset *ps);
void shk_policyset_unref(struct shk_policyset *ps);
SHK_DEFINE_CLEANUP(struct shk_policyset, shk_policyset_unref)

/* A list of entries of append_output, of a configuration or a policy; parsed into `a`. -EINVAL: err has
 * file:line:column: text. */
struct shk_ynode;
int shk_append_output_parse(struct shk_arena *a, const char *file, const struct shk_ynode *n,
			    struct shk_append_output **ret, size_t *ret_n, struct shk_err *err);
/* The same as it is written, a line per entry behind this indentation. */
void shk_append_output_dump(const struct shk_append_output *v, size_t n, const char *indent,
			    struct shk_buf *out);

/* Every key of a policy file with the value in force, as a policy file. */
void shk_policy_dump(const struct shk_policy *p, struct shk_buf *out);
/* What the policy asks for and Shrike cannot promise, one line each, through `on` (may be NULL): a
 * rule with a verdict and a call where that verdict is best-effort or has no effect, and doors that no
 * such rule names. Returns how many. */
size_t shk_policy_warnings(const struct shk_policy *p, void (*on)(const char *text, void *arg),
			   void *arg);

size_t shk_policyset_count(const struct shk_policyset *ps);
const struct shk_policy *shk_policyset_at(const struct shk_policyset *ps, size_t i);
const struct shk_policy *shk_policyset_by_name(const struct shk_policyset *ps, struct shk_str name);
/* First policy that matches, else `default`. Never NULL. An annotation `org.shrike.policy: NAME`
 * chooses a policy only where that policy lists the annotation in its `match` (THREATS A12). */
const struct shk_policy *shk_policyset_select(const struct shk_policyset *ps,
					      const struct shk_container *c);

#endif
