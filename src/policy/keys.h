/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - every key of a policy file, once (private to src/policy).
 *
 * X(key, default as text, what it says). From it come the parser's table (parse_<key>), the dump
 * (dump_<key>) and the order of both. Adding a key is one row, one parse_ and one dump_ function, and its
 * paragraph in shrike-policy(5).
 */
#ifndef SHK_POLICY_KEYS_H
#define SHK_POLICY_KEYS_H

/* clang-format off */
#define SHK_POLICY_KEYS(X)                                                                         \
	X(policy, "(required)", "name of the policy; `default` takes what no other matched")       \
	X(match, "(required, but for default)", "which containers; entries are alternatives")      \
	X(rules, "{ files: [shrike_rules.yaml, shrike_rules.d] }", "which rules are evaluated")    \
	X(mode, "observe", "observe, shadow (say what would be refused) or enforce")               \
	X(actions, "[]", "what to do when a rule matches; first matching entry wins")              \
	X(reserve, "[]", "calls to notify though no rule needs them, for rules to come")           \
	X(io_uring, "deny", "deny: setup fails with ENOSYS; allow")                                \
	X(unjudged_doors, "deny", "calls nobody can judge that reach an enforced object")          \
	X(on_policy_error, "refuse", "refuse: the container does not start; observe")              \
	X(on_unreadable_argument, "deny", "deny or allow a call whose arguments cannot be read")   \
	X(deadline, "{ ms: 2000, then: deny }", "longest wait of a call for its verdict")          \
	X(exec_sessions, "no_new_privs", "processes that enter without our filter")                \
	X(exec_verify, "auto", "is what an allowed execve runs compared with what was judged")     \
	X(traced_exec, "deny", "an execve that cannot be compared, as its task is being traced")   \
	X(attach, "no_new_privs", "attaching to programs without CAP_SYS_ADMIN: so, or refuse")    \
	X(strict, "true in mode enforce", "refuse what cannot be guaranteed")                      \
	X(rule_matching, "first", "first: one alert per event; all: one per matching rule")        \
	X(limits, "{ alerts_per_second: 0, burst: 0 }", "alerts per container; 0: no limit")
/* clang-format on */

#endif
