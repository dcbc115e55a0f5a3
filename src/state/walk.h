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

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"

/* An O_PATH descriptor of what path (inside the root of task tid) names, symbolic links followed within
 * that root, magic links not. -ENOENT and the like; -EREMOTE: a filesystem that may not answer. */
int shk_walk_open(pid_t tid, struct shk_str path);
/* As above, then opened for reading: a regular file on a filesystem that answers by itself. -EREMOTE,
 * -EINVAL: not a regular file, -EAGAIN: leased. */
int shk_walk_open_file(pid_t tid, struct shk_str path);

#define SHK_WALK_HINTS 1024

/* Whose path is to be followed, from where. */
struct shk_walk_from {
	pid_t tid, tgid;
	const char *base; /* what a relative path starts from: "/proc/TID/cwd", "/proc/TID/fd/N" */
	pid_t init;	  /* of its container; 0: unknown */
	dev_t root_dev;	  /* of its container's root directory; 0: unknown */
	bool in_root;	  /* openat2's RESOLVE_IN_ROOT: base is the root */
	bool follow;	  /* the call follows a link in the last place */
	int root_fd;	  /* borrowed: the task's root, where it is held already; 0: not (shk_walk_pin needs it) */
	/* For shk_walk_pin, whose caller wears the task's rights: */
	int base_fd;		 /* borrowed; instead of `base`. -1: the path is absolute */
	bool root_plain;	 /* root_fd is in no procfs */
	uint8_t *hints;		 /* SHK_WALK_HINTS, zeroed once: what earlier walks met. NULL: none are kept */
	pid_t vpid, vtid;	 /* the task's numbers in its own pid namespace */
	uid_t fsuid;
	bool in_users;		 /* the walk is made in another user namespace: users without a number there look alike */
	bool create;		 /* the object's directory is wanted, too */
	void (*own_rights)(bool on); /* back to the engine's rights, for what no other task may do */
	bool (*is_proc)(const struct shk_walk_from *from, int fd); /* is the object in a procfs? */
	void *arg;
	int fds;		 /* our /proc/self/fd */
};

/* fs.overflowuid: what users without a number are called (user_namespaces(7)). */
#define SHK_NO_USER 65534u
/* Is it one user that owns both? in_users as above. */
static inline bool shk_same_user(bool in_users, uid_t a, uid_t b)
{
	return a == b && !(in_users && a == SHK_NO_USER);
}

/* An object that was found: basic stats with the number of its mount (stx_mask says what is known), and whether the filesystem
 * answers by itself, so that its file may be read. */
struct shk_found {
	struct statx sx;
	bool answers;
};
/* An O_PATH descriptor of the object that path leads to, by any link, and what it is. -errno as below. */
int shk_walk_find(const struct shk_walk_from *from, struct shk_str path, struct shk_found *ret);
/* The same of a descriptor that is held. 0 or -errno. */
int shk_walk_look(const struct shk_walk_from *from, int fd, struct shk_found *ret);
/* Does the filesystem of an object that task tid sees answer by itself? */
bool shk_walk_answers(pid_t tid, pid_t init, dev_t root_dev, int fd);
/* Is it in a mount that the task, or its container, sees? That of a root directory after chroot is listed nowhere. */
bool shk_walk_mounted(pid_t tid, pid_t init, int fd);
/* The name of the object that path leads to, as /proc/self/fd shows it: symbolic links, links of procfs, ".."
 * and working directories behind it. What does not exist has the name it would get. Returns its length
 * in buf, or -errno: what the call itself will meet (-ENOENT on the way, -ENOTDIR, -ELOOP), or
 * -EREMOTE: a filesystem that may not answer; -EXDEV: mounted nowhere; -ENAMETOOLONG: too deep. */
ssize_t shk_walk_name(const struct shk_walk_from *from, struct shk_str path, char *buf, size_t size);

/* What a path leads to. */
struct shk_pin {
	int fd;	      /* O_PATH of the object; of its directory if it is missing. Owned */
	int dir;      /* O_PATH of its directory where `create` asked for it, else -1. Owned */
	bool missing; /* there is no such name in the directory */
	bool slash;   /* a slash follows the name: a directory is meant */
	bool straight; /* an absolute path without symbolic links: the name is the path */
	bool doubtful; /* not reached from the root: it may be mounted where the task cannot see it */
	char last[NAME_MAX + 1]; /* the name, if it is missing */
};
/* Follows the path as the kernel would for the task, with the rights in force. Nothing is opened or changed.
 * 0; -errno as the call would have it (-ENOENT for a missing object, too, unless `create`, or `missing`); -EREMOTE: a filesystem that may not answer; -ESTALE: a link of procfs whose
 * task cannot be told. */
int shk_walk_pin(const struct shk_walk_from *from, struct shk_str path, struct shk_pin *ret);
void shk_pin_done(struct shk_pin *p);
/* Level of the sysctl fs.protected_WHAT ("symlinks", "regular", "fifos"); 1 if it cannot be read. */
int shk_fs_protected(const char *what);
/* The name of the object as a path in the container, as /proc/self/fd shows it: its length, or -errno; -EXDEV: it is
 * mounted nowhere, and the name means nothing. */
ssize_t shk_pin_name(const struct shk_walk_from *from, const struct shk_pin *p, char *buf, size_t size);

#endif
