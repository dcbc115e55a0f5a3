/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - opening files of a container without being held up by it.
 *
 * A lookup in a FUSE or network filesystem waits for its server, which may be the container's, beyond
 * SIGKILL (THREATS B2). What the kernel has cached is resolved at once; otherwise the path is walked
 * component by component, and a directory is only searched if its filesystem answers by itself.
 */
#ifndef SHK_STATE_WALK_H
#define SHK_STATE_WALK_H

#include <sys/types.h>

#include "base/str.h"

/* An O_PATH descriptor of what path (inside the root of task tid) names, symbolic links followed within
 * that root, magic links not. -ENOENT and the like; -EREMOTE: a filesystem that may not answer. */
int shk_walk_open(pid_t tid, struct shk_str path);
/* As above, then opened for reading: a regular file on a filesystem that answers by itself. -EREMOTE,
 * -EINVAL: not a regular file, -EAGAIN: leased. */
int shk_walk_open_file(pid_t tid, struct shk_str path);

#endif
