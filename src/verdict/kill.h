/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill.h - carries out the verdicts that are more than an answer: kill and freeze.
 *
 * No state; any thread. The cgroup is a host path below /sys/fs/cgroup as /proc/PID/cgroup names it; it is
 * used only if it still holds the container's init, so a recycled name harms nobody else.
 */
#ifndef SHK_VERDICT_KILL_H
#define SHK_VERDICT_KILL_H

#include <sys/types.h>

#include "base/error.h"
#include "state/container.h"

/* A pidfd of the process that tid belongs to, or -ESRCH. Whose it is must be checked afterwards. */
int shk_process_open(pid_t tid);
/* Everything in the container: cgroup.kill, else SIGKILL to each process of the cgroup until none is left
 * (bounded rounds), and to init, whose end takes a pid namespace with it. 0 or -errno with a text. */
int shk_kill_container(const struct shk_container *c, struct shk_err *err);
/* cgroup.freeze (v2) or freezer.state (v1). -EOPNOTSUPP: the container has no cgroup to freeze. */
int shk_freeze_container(const struct shk_container *c, bool frozen, struct shk_err *err);
/* Was it told to freeze, by whomever? */
bool shk_container_frozen(const struct shk_container *c);
/* Waits until everything in it stands still; false: not in time (somebody waits in the kernel). */
bool shk_freeze_wait(const struct shk_container *c, int timeout_ms);

/* Is cgroup `dir` this one, or below it? */
bool shk_cgroup_below(struct shk_str dir, struct shk_str of);
/* The cgroup path of a process, as a directory below the mount point of the hierarchy that can kill and freeze (v2
 * first, else v1 freezer, else v1 pids): "" when it is the root cgroup or unknown. */
int shk_cgroup_of(pid_t pid, struct shk_buf *out);
/* One pass over the processes of a cgroup's directory that can be seen from here: for how many fn was true, or -errno. */
int shk_cgroup_each(int dir, bool (*fn)(pid_t pid, void *arg), void *arg);
/* The one of version 2, the root included. -ENOENT: none, or it is outside of what this process's cgroup namespace shows. */
int shk_cgroup_unified(pid_t pid, struct shk_buf *out);

#endif
