/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.h - what of a policy's calls the kernel module can show beside the filter.
 *
 * A call that the filter notifies is never asked of the module: one call, one event. What remains are calls that rules name and the
 * filter lets pass (of the hot path; of a policy that was loaded after the filter was made), and objects that are reached
 * through rings of io_uring, where no call is made at all. Immutable once made; any thread may read.
 */
#ifndef SHK_POLICY_OBSERVE_H
#define SHK_POLICY_OBSERVE_H

#include <shrike/uapi.h>

#include "policy/plan.h"

#define SHK_CALL_WORDS ((SHK_CALL_N + 63) / 64)

struct shk_observe {
	uint64_t classes; /* 1 << SHRIKE_*: types of records that are wanted; 0: the module has nothing to add */
	uint64_t leases;  /* SHRIKE_HOLD_*: what the module is to hold to what was judged */
	uint8_t native[SHRIKE_BITMAP_BYTES], compat[SHRIKE_BITMAP_BYTES]; /* numbers of calls whose ends are wanted */
	uint64_t objects[SHK_CALL_WORDS]; /* calls that are seen by the object they reach, before their result is known */
	uint64_t ends[SHK_CALL_WORDS];	  /* calls that are seen by their end: registers and result */
	uint64_t joined[SHK_CALL_WORDS];  /* of objects: a rule asks for the result, so the end is waited for */
	uint64_t rings[SHK_CALL_WORDS];	  /* calls that rings of io_uring make without a call */
};

/* notified: a bit for each call that the installed filter notifies or refuses. */
void shk_observe_make(const struct shk_policy *p, const struct shk_plan *plan, const uint64_t *notified,
		      struct shk_observe *ret);
/* Is an execve that this policy lets go to be held by the module, where there is one? Without it, by ptrace. */
bool shk_observe_holds_exec(const struct shk_policy *p, const struct shk_plan *plan);
/* The calls of this plan's own filter, for the above. */
void shk_observe_notified(const struct shk_plan *plan, uint64_t *ret);
/* The call that an event of a record of this type (SHRIKE_*) is to be, made by a task that is in the call `in`; NULL: in none, or in
 * one that is not known. NULL: the filter has shown it, or no rule asks for it. */
const struct shk_syscall *shk_observe_call(const struct shk_observe *o, unsigned type, const struct shk_syscall *in);
/* Is the record of this call, which the task is in, to wait for its end? */
bool shk_observe_joins(const struct shk_observe *o, const struct shk_syscall *call, const struct shk_syscall *in);
/* For people: which calls the module would bring, and how. Nothing is printed if there are none. */
void shk_observe_print(const struct shk_policy *p, const struct shk_plan *plan, struct shk_buf *out);

#endif
