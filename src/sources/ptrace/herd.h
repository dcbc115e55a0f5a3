/* SPDX-License-Identifier: Apache-2.0 */
/*
 * herd.h - every task of a set of processes, stopped at one time, so that none escapes by forking.
 *
 * SUPERVISION way D. Each task is seized with fork tracing, so what it forks from then on is ours, too; lists are
 * taken anew until two in a row hold nobody unknown. Where the set can be frozen it is while it is seized: then
 * not even a chain of tasks that each fork and end can run ahead of the lists. Seized tasks do not die with their tracer
 * (but for the moments in which calls run in one, shk_tracee_adopt): they go on as they were.
 *
 * All functions of a herd are called by the thread that made it, which traces; it must have no other tracees. x86_64
 * only, elsewhere gathering fails.
 */
#ifndef SHK_SOURCES_PTRACE_HERD_H
#define SHK_SOURCES_PTRACE_HERD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include "base/error.h"

/* Of the tasks of a herd: what they fork is traced from its beginning. */
#define SHK_HERD_OPTIONS                                                                           \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

#define SHK_HERD_TASKS_MAX 65536 /* known at one time; more is an error of gathering */

struct shk_herd_ops {
	/* The processes (thread groups) that belong to it now, malloc'ed, the caller's. *unsure is set when some process
	 * ended before it could be told whether it does: what it has forked may be missing. */
	int (*list)(void *arg, pid_t **pids, size_t *n, bool *unsure, struct shk_err *err);
	/* Holds all of them up, or lets them go on; NULL: cannot be done. true: nobody runs
	 * outside of the kernel. */
	bool (*freeze)(void *arg, bool on);
	void *arg;
};

enum shk_herd_state {
	SHK_HERD_RUNS,	  /* seized and asked to stop, has not yet */
	SHK_HERD_STOPPED, /* at PTRACE_EVENT_STOP */
	SHK_HERD_NEVER,	  /* could not be seized: errnum, why */
	SHK_HERD_FREE,	  /* let go, or ended */
};

struct shk_herd_task {
	pid_t tid, tgid;
	uint64_t start;		/* start time, shk_task_read */
	enum shk_herd_state state;
	bool done;		/* the caller's: nothing is left to do with it but to let it go; it is not taken again */
	int errnum;
	unsigned tries;
	char *why;		/* owned by the herd */
};

struct shk_herd {
	const struct shk_herd_ops *ops;
	struct shk_herd_task **task; /* in the order they became known */
	size_t n, room;
	size_t settled; /* how often one that RUNS has stopped or ended */
	struct shk_herd_impl *impl;
};

int shk_herd_new(const struct shk_herd_ops *ops, struct shk_herd **ret, struct shk_err *err);
/* Seizes and stops everybody. 0: everybody is stopped, has ended, or is NEVER. -ETIMEDOUT: some still run, which wait
 * in the kernel (RUNS); nobody else is unknown, but each of them may be in a fork that began before it was seized and will report no
 * child: when `settled` has changed there may be more, and this is to be called again. -EAGAIN: there may be more, as new ones came
 * faster, or processes ended unseen; -errno. The herd is usable after each of these. */
int shk_herd_gather(struct shk_herd *h, int timeout_ms, struct shk_err *err);
/* Waits for those that RUN. Returns how many still do. */
size_t shk_herd_wait(struct shk_herd *h, int timeout_ms);
/* Lets a stopped task go on as it was. */
void shk_herd_let_go(struct shk_herd *h, struct shk_herd_task *t);
/* Lets everybody go and frees it. Those that still RUN are let go by the kernel when the calling thread ends. */
void shk_herd_free(struct shk_herd *h);

#endif
