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

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

/* An O_PATH descriptor of what path (inside the root of task tid) names, symbolic links followed within
 * that root, magic links not. -ENOENT and the like; -EREMOTE: a filesystem that may not answer. */
int shk_walk_open(pid_t tid, struct shk_str path);
/* As above, then opened for reading: a regular file on a filesystem that answers by itself. -EREMOTE,
 * -EINVAL: not a regular file, -EAGAIN: leased. */
int shk_walk_open_file(pid_t tid, struct shk_str path);

/* Whose path is to be followed, from where. */
struct shk_walk_from {
	pid_t tid, tgid;
	const char *base; /* what a relative path starts from: "/proc/TID/cwd", "/proc/TID/fd/N" */
	bool in_root;	  /* openat2's RESOLVE_IN_ROOT: base is the root */
	bool follow;	  /* the call follows a link in the last place */
};

/* An O_PATH descriptor of the object that path leads to, by any link. -errno as below. */
int shk_walk_pin(const struct shk_walk_from *from, struct shk_str path);
/* Does the filesystem of an object that task tid sees answer by itself, so that its file may be read? */
bool shk_walk_answers(pid_t tid, int fd);
/* The name of the object that path leads to, as /proc/self/fd shows it: symbolic links, links of procfs, ".."
 * and working directories behind it. What does not exist has the name it would get. Returns its length
 * in buf, or -errno: what the call itself will meet (-ENOENT on the way, -ENOTDIR, -ELOOP), or
 * -EREMOTE: a filesystem that may not answer; -EXDEV: mounted nowhere; -ENAMETOOLONG: too deep. */
ssize_t shk_walk_name(const struct shk_walk_from *from, struct shk_str path, char *buf, size_t size);

#endif
