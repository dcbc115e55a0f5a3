/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bar.h - an engine that can open no device but those every container has.
 *
 * To open a file without looking first what it is, is safe where it cannot be a device: opening one has effects (a watchdog begins to
 * count), and the engine's own control group forbids it none. So the engine puts itself into a control group below its own
 * (version 2, "threaded", SHK_BAR_NAME and its number), with a BPF program that refuses to open others than
 * shk_device_is_everybodys; whatever a name leads to in the moment it is opened, the kernel refuses it. A thread that is to open a device which
 * the container has beside these leaves that group for as long as it takes.
 *
 * Needs CAP_SYS_ADMIN (or CAP_BPF and CAP_NET_ADMIN) when it is put up, and a cgroup2 that can be written to; where it cannot be had, nothing is
 * opened without a look. One for the process, for good. Threads made afterwards are behind it, and so are children.
 */
#ifndef SHK_ENFORCE_BAR_H
#define SHK_ENFORCE_BAR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define SHK_BAR_NAME "shrike-engine-"

/* While there is one thread. 0; -errno with a text: it cannot be had, nothing has changed. What engines that have ended left behind is removed. */
int shk_bar_up(struct shk_err *err);
/* Any thread. */
bool shk_bar_is_up(void);
/* Takes the calling thread out, and back. 0 or -errno: it stays where it is; back: it ends the process rather than to go on outside.
 * Takes milliseconds (kernel/cgroup/cgroup.c, cgroup_threadgroup_rwsem). */
int shk_bar_leave(void);
void shk_bar_return(void);
/* Is it a device to which whatever asks for its inode's permission says EPERM behind the bar (fs/namei.c, inode_permission)? A thread that is out: as if it
 * were in. mode: of the inode, with its type. Of what is held as fd, O_PATH will do. */
bool shk_bar_keeps(mode_t mode, dev_t dev);
bool shk_bar_keeps_fd(int fd);
/* Of another process, which has ended or is about to: waits for that, up to two seconds, and removes its control group. Is there one at all? else it returns at once. */
void shk_bar_remove(pid_t engine);

#endif
