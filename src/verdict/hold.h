/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - a process held up before it returns to user space, by nobody who traces it.
 *
 * Before Linux 6.8 PTRACE_SEIZE waits for the end of an execve whose program is being opened (prepare_bprm_creds() in fs/exec.c takes
 * the lock first), and a signal that stops would be told to the parent. Freezing needs neither: the process gets a control group of its own, of version 2,
 * below the one it is in, which is frozen. What its tasks are at in the kernel goes on and ends, and on their way back they
 * stand still, where they can be seized (do_freezer_trap() in kernel/signal.c).
 *
 * A hold is its caller's, of one thread. The directory's descriptor is all that is needed to end it: kept by another process it survives the one
 * that began it.
 */
#ifndef SHK_VERDICT_HOLD_H
#define SHK_VERDICT_HOLD_H

#include <sys/types.h>

#include "base/error.h"

struct shk_hold {
	pid_t tgid;
	int dir;	/* of its own group; -1: none */
};

#define SHK_HOLD_NONE { .dir = -1 }

/* Makes the group, frozen and empty. -EOPNOTSUPP: tgid is in no control group of version 2 that can be seen from here; -errno. */
int shk_hold_make(struct shk_hold *h, pid_t tgid, struct shk_err *err);
/* Puts the process into it: from now on none of its tasks gets to user space. */
int shk_hold_begin(struct shk_hold *h, struct shk_err *err);
/* Back to where it was, where it goes on, as does whoever else is in there; the group is removed. More than once: nothing. */
void shk_hold_end(struct shk_hold *h);
/* The same for the group of a hold that another process has begun. */
void shk_hold_end_of(int dir);

#endif
