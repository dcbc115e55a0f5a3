/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - from rules and policy to a seccomp filter.
 *
 * plan: for each call, whether it is notified and under which register test. The filter is our own
 * BPF: architecture check for x86_64, i386 and x32, binary search over call numbers, register tests,
 * then SECCOMP_RET_USER_NOTIF; io_uring_setup gets ENOSYS unless allowed. A plan is immutable after
 * making; freed with shk_plan_free. Any thread may read.
 */
#ifndef SHK_POLICY_PLAN_H
#define SHK_POLICY_PLAN_H

#include <linux/filter.h>

#include "policy/policy.h"

struct json_object;

enum shk_plan_do {
	SHK_PLAN_PASS,	 /* not ours */
	SHK_PLAN_NOTIFY,
	SHK_PLAN_ERRNO,	 /* refused by the filter itself */
};

struct shk_plan_call {
	enum shk_plan_do what;
	int err;		/* ERRNO */
	bool enforced;		/* a rule with an action can match; else observed */
	struct shk_reg_filter when; /* NOTIFY: register test (always, or a disjunction) */
	const char *why;	/* "rules", "arming", "state", "io_uring", "door", "refused door", "memory",
				 * "emulation", "reserve" */
	const char *warn;	/* what a person should know about this choice; NULL: nothing */
};

struct shk_plan {
	struct shk_plan_call call[SHK_CALL_N];
	struct sock_filter *bpf; /* owned */
	unsigned short bpf_len;
	uint64_t named[(SHK_CALL_N + 63) / 64]; /* calls that a rule asks for, whether they can be notified or not */
};

/* Always notified, whatever the rules: execve, execveat (arming, state). Always refused with ENOSYS
 * unless the policy says `io_uring: allow`: the io_uring calls. Calls of the hot path (read, write,
 * futex ...) are never notified: call[].warn says so where a rule asks for one. Where a rule with an
 * action names a call, the other calls that reach the same object are notified too ("door"), or
 * refused where nobody can judge them (open_by_handle_at; clone3, whose flags lie in memory and
 * which programs replace by clone). userfaultfd is notified only if a rule names it: refusing it
 * silently would break programs for a reason they cannot see. */
int shk_plan_make(const struct shk_policy *p, struct shk_plan **ret, struct shk_err *err);
void shk_plan_free(struct shk_plan *plan);
SHK_DEFINE_CLEANUP(struct shk_plan, shk_plan_free)

/* CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h). */
#define SHK_PLAN_NAMESPACES 0x7E020080ull

/* Does no call of this kind that changes facts of a process pass unseen? For shk_proc_keep. */
bool shk_plan_keeps(const struct shk_plan *plan, enum shk_call_id id);

/* Pseudo-code of the filter, and the table call x what x why x register test x verdict class. */
void shk_plan_print(const struct shk_plan *plan, const struct shk_policy *p, struct shk_buf *out);
/* Each rule with an action: the calls it can match, what a verdict on them promises, and why. -ENOMEM. */
int shk_plan_print_verdicts(const struct shk_plan *plan, const struct shk_policy *p, struct shk_buf *out);
/* What the filter says of one call: SECCOMP_RET_* value. Interprets plan->bpf (tests, explain). */
uint32_t shk_plan_simulate(const struct shk_plan *plan, uint32_t audit_arch, int32_t nr,
			   const uint64_t args[6]);
/* The same plan as an OCI runtime-spec linux.seccomp object: merged into `existing` (may be NULL):
 * notified names are taken out of its other rules and put first, architectures completed,
 * listenerPath / listenerMetadata set. Returns a new object or NULL (err). */
struct json_object *shk_plan_oci(const struct shk_plan *plan, struct json_object *existing,
				 const char *listener_path, const char *metadata,
				 struct shk_err *err);

/* Can a call be notified under this test without stopping the container's hot path? */
bool shk_plan_watchable(enum shk_call_id id, const struct shk_reg_filter *when);
/* A register test in words, for people: "(flags & 0x3) != 0 or ...". */
void shk_plan_print_test(enum shk_call_id id, const struct shk_reg_filter *f, struct shk_buf *out);
/* How a call that a rule with an action may refuse is let through (SUPERVISION section 5). */
enum shk_method {
	SHK_METHOD_CONTINUE, /* the kernel reads the arguments again: another thread may have changed them */
	SHK_METHOD_REGISTER, /* continued, and nothing in memory was asked */
	SHK_METHOD_EMULATE,  /* carried out by us, on the copy that was judged */
	SHK_METHOD_REFUSE,   /* answered ENOSYS, since programs do the same by a call that can be carried out */
	SHK_METHOD_VERIFY,   /* continued, and what the kernel really took is compared before it has an effect */
};
/* What is built for a call of this kind. */
enum shk_method shk_method_of(enum shk_call_id id);
/* What this policy takes of it in mode enforce, for a call that an action may refuse. */
enum shk_method shk_policy_method(const struct shk_policy *p, enum shk_call_id id);
/* "best-effort", "register", "emulated", "refused", "verified". */
const char *shk_method_guarantee(enum shk_method m);
/* What a verdict on this call can promise in mode enforce, if a rule with an action can match it. */
const char *shk_plan_guarantee(const struct shk_policy *p, enum shk_call_id id);

#endif
