/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h - facts of a task from /proc, as far as tracing and its checks need them.
 *
 * No state; any thread. What is read of a pid may belong to its successor: whoever cares pins the
 * process with a pidfd and looks at it again afterwards (shk_task_is_of_pidfd).
 */
#ifndef SHK_SOURCES_PTRACE_TASK_H
#define SHK_SOURCES_PTRACE_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct shk_task_facts {
	pid_t tgid, ppid, tracer; /* tracer 0: none */
	uid_t uid;		  /* real */
	char state;		  /* of proc(5) */
	bool unfiltered;	  /* it has no seccomp filter, of whatever kind */
	unsigned filters;	  /* how many it has; 0: none, or a kernel that does not say (before 5.9) */
	uint64_t start;		  /* clock ticks since boot, field 22 of stat */
};

/* 0, -ESRCH. */
int shk_task_read(pid_t tid, struct shk_task_facts *f);
/* The task's name, control characters replaced; "?" when gone. Returns buf. */
const char *shk_task_comm(pid_t tid, char *buf, size_t n);
/* Is tid alive and a thread of pidfd's process? 0 and *tgid, or -ESRCH with a text. */
int shk_task_is_of_pidfd(pid_t tid, int pidfd, pid_t *tgid, struct shk_err *err);
/* Address of an executable `syscall` instruction in tid: the one it has just made (in_call: rip is behind one),
 * else one of the vdso, else of any executable mapping within bounds. */
int shk_task_find_syscall(pid_t tid, unsigned long rip, bool in_call, unsigned long *ret,
			  struct shk_err *err);

#endif
