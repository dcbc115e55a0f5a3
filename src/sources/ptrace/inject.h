/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject.h - installs a seccomp filter in another task by ptrace and fetches its listener.
 *
 * SUPERVISION way A, THREATS B3. All ptrace calls come from the calling thread; the target is seized
 * with PTRACE_O_EXITKILL, so if the caller dies half-way the target is killed, never left
 * half-changed. Nothing is written to the target's stack or heap: scratch memory is
 * mapped and unmapped in it. On failure before the filter is installed the target is as before.
 */
#ifndef SHK_SOURCES_PTRACE_INJECT_H
#define SHK_SOURCES_PTRACE_INJECT_H

#include <linux/filter.h>
#include <sys/types.h>

#include "base/error.h"

struct shk_inject {
	pid_t tid;	 /* the thread whose filter it becomes (thread-group leader) */
	int pidfd;	 /* of tid's process, borrowed: every step re-checks it is still alive */
	const struct sock_filter *bpf;
	unsigned short bpf_len;
	unsigned flags;	 /* SECCOMP_FILTER_FLAG_* beside NEW_LISTENER; WAIT_KILLABLE_RECV is dropped where
			  * the kernel lacks it, ret_flags says what was used */
};

/* Returns the listener's descriptor (in this process, close-on-exec), or
 * -EBUSY a listener is present already, -EPERM traced by another or not allowed, -ESRCH died,
 * -EOPNOTSUPP i386/x32 task, -ETIMEDOUT did not stop within timeout_ms. err has one line with the remedy. */
int shk_inject_filter(const struct shk_inject *req, int timeout_ms, unsigned *ret_flags,
		      struct shk_err *err);

#endif
