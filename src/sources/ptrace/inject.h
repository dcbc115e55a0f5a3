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
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct shk_tracee;

struct shk_inject {
	pid_t tid;	 /* the thread whose filter it becomes (thread-group leader) */
	int pidfd;	 /* of tid's process, borrowed: every step re-checks it is still alive */
	const struct sock_filter *bpf;
	unsigned short bpf_len;
	unsigned flags;	 /* SECCOMP_FILTER_FLAG_* beside NEW_LISTENER; WAIT_KILLABLE_RECV is dropped where
			  * the kernel lacks it, ret_flags says what was used */
	bool tsync;	 /* for all threads of the process, or none */
	unsigned long stay; /* shk_inject_stopped: not 0: it stays stopped, with these PTRACE_O_* options */
	bool may_nnp;	 /* where nothing else lets it have a filter, no_new_privs is set in it */
};

struct shk_injected {
	unsigned flags;	 /* those that were in force */
	bool nnp;	 /* no_new_privs was set, for good */
};

/* Returns the listener's descriptor (in this process, close-on-exec), or
 * -EBUSY a listener is present already, -EPERM traced by another or not allowed, -EACCES not without
 * no_new_privs, -ESRCH died, -EOPNOTSUPP i386/x32 task, -ETIMEDOUT did not stop within timeout_ms. err has one line
 * with the remedy. */
int shk_inject_filter(const struct shk_inject *req, int timeout_ms, unsigned *ret_flags,
		      struct shk_err *err);

/* The same for a task that is stopped already (shk_tracee_adopt): of req tid and pidfd do not count. The task is
 * let go afterwards, unless `stay` says otherwise, or it answers -EBUSY, or -ENOTUNIQ: tsync is not possible, as its
 * threads have different filters. Then it is as before, stopped. */
int shk_inject_stopped(struct shk_tracee *t, const struct shk_inject *req, struct shk_injected *ret,
		       struct shk_err *err);

#endif
