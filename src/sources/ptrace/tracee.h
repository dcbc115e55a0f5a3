/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracee.h - a stopped task in which system calls can be run.
 *
 * The task is seized (EXITKILL), stopped where the kernel handles signals, its registers and signal
 * mask saved and every asynchronous signal blocked, so that nothing but the injected calls happens in
 * it. shk_tracee_release puts all of that back at the same kind of stop: an interrupted call is then
 * restarted by the kernel as if nothing had been. Used by one thread; x86_64 only.
 */
#ifndef SHK_SOURCES_PTRACE_TRACEE_H
#define SHK_SOURCES_PTRACE_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/error.h"

#define SHK_TRACEE_SIGNALS 16

enum shk_stop { SHK_STOP_NONE, SHK_STOP_EVENT, SHK_STOP_SYSCALL, SHK_STOP_SIGNAL };

struct shk_tracee {
	pid_t tid, tgid;
	int pidfd;		/* borrowed */
	bool seized;		/* between attach and release */
	bool changed;		/* registers or mask differ from the saved ones */
	enum shk_stop stop;	/* NONE: runs */
	int stop_sig;		/* of a SIGNAL stop */
	uint64_t due;		/* shk_now_mono() */
	struct user_regs_struct regs; /* saved */
	uint64_t mask;		/* saved */
	unsigned long insn;	/* address of a syscall instruction */
	int later[SHK_TRACEE_SIGNALS]; /* signals taken from it meanwhile */
	unsigned n_later;
	bool trapped;		/* a filter answered an injected call with SIGSYS */
	int listener;		/* its own listener, borrowed, -1: calls it notifies of are continued */
};

/* Seizes, stops, saves. pidfd must be of the process tid belongs to. On failure nothing is left to do.
 * -ESRCH, -EPERM, -EOPNOTSUPP, -ETIMEDOUT. */
int shk_tracee_attach(struct shk_tracee *t, pid_t tid, int pidfd, int timeout_ms,
		      struct shk_err *err);
/* The same in two steps: seized and asked to stop; then, once nothing holds it up in the kernel any more, stopped.
 * PTRACE_SEIZE waits while the task's process is in the part of an execve that holds its lock. */
int shk_tracee_seize(struct shk_tracee *t, pid_t tid, int pidfd, int timeout_ms, struct shk_err *err);
int shk_tracee_stop(struct shk_tracee *t, struct shk_err *err);
/* It was stopped behind an execve or execveat that failed with this errno: it makes the call once more when it is let
 * go. false: it was not, and nothing is changed. Before any call is run in it. */
bool shk_tracee_again(struct shk_tracee *t, int failed);
/* The same for a task that this thread has seized already and that is at its PTRACE_EVENT_STOP: from here on it
 * dies with its tracer. Its tid is its own, so pidfd is not looked at. On failure it is let go, but for
 * -EINPROGRESS: it is not stopped, or is gone. */
int shk_tracee_adopt(struct shk_tracee *t, pid_t tid, pid_t tgid, int pidfd, int timeout_ms,
		     struct shk_err *err);
/* Runs one system call; *ret as the kernel returns it (-errno). 0, or the tracing itself failed. */
int shk_tracee_call(struct shk_tracee *t, long nr, const unsigned long args[6], long *ret,
		    struct shk_err *err);
/* Copies into the task's memory. */
int shk_tracee_write(struct shk_tracee *t, unsigned long addr, const void *p, size_t n,
		     struct shk_err *err);
/* After a failure r: -ESRCH (and err says so) when the task was killed by somebody else meanwhile, whatever the
 * step met that noticed first (no descriptors, no memory map); else r. Before release and kill. */
int shk_tracee_blame(struct shk_tracee *t, int r, struct shk_err *err);
/* Restores and detaches. When that cannot be done the task is killed and -errno returned. */
int shk_tracee_release(struct shk_tracee *t, struct shk_err *err);
/* Restores, and leaves it stopped and traced, with these PTRACE_O_* options. Failing as above. */
int shk_tracee_return(struct shk_tracee *t, unsigned long options, struct shk_err *err);
/* Kills it and collects what the tracer must collect. */
void shk_tracee_kill(struct shk_tracee *t);

#endif
