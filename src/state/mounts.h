/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h - which filesystem a held file is on, without asking that filesystem (private to src/state).
 *
 * /proc/TID/mountinfo tells, and costs as much as ten other calls. Where mounts have numbers that are never given again
 * (Linux 6.8) it is read once for each mount, and what it said is remembered for all threads: a mount keeps its filesystem.
 * struct shk_mount_view belongs to one walk.
 */
#ifndef SHK_STATE_MOUNTS_H
#define SHK_STATE_MOUNTS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u /* linux/stat.h, since 6.8 */
#endif

struct shk_mount_view {
	pid_t tid, init; /* who sees them: a task, and the first one of its container, 0: unknown */
	dev_t root;	 /* of the container's root directory, as its runtime made it; 0: unknown */
	struct shk_buf text;
	bool have;	 /* text was read */
};
void shk_mount_view_done(struct shk_mount_view *m);

/* One look at fd: statx with mask, its mount's number among them (as mountinfo shows it), and what is known of the mount. -errno. */
#define SHK_MOUNT_KNOWN	  1 /* 0: it is mounted nowhere */
#define SHK_MOUNT_ANSWERS 2
#define SHK_MOUNT_PROC	  4
int shk_mount_look(struct shk_mount_view *m, int fd, unsigned mask, struct statx *sx);

/* Do lookups in the filesystem of fd end without anybody's help? */
bool shk_mount_answers(struct shk_mount_view *m, int fd);
/* Is fd in a procfs? true, too, where that cannot be told. */
bool shk_mount_is_proc(struct shk_mount_view *m, int fd);
/* Is the mount among those that the task and its container's first one see? */
bool shk_mount_listed(struct shk_mount_view *m, int fd);
/* Is the mount the task's, or one of ours? What is mounted nowhere has a name that means nothing. */
bool shk_mount_seen(struct shk_mount_view *m, int fd);

#endif
