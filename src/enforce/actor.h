/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - a worker thread as it carries calls out (private to src/enforce, but for its life).
 *
 * Owns the rights that are worn, the root directory used last, and the thread's place in the container's namespaces.
 * Belongs to the thread that made it.
 */
#ifndef SHK_ENFORCE_ACTOR_H
#define SHK_ENFORCE_ACTOR_H

#include <fcntl.h>
#include <sys/stat.h>

#include "enforce/aliases.h"
#include "enforce/rights.h"
#include "state/walk.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000 /* linux/stat.h, since 6.8 */
#endif

struct shk_mounter;

#define SHK_PATHS_KEPT 512

struct shk_fs_of_mount {
	uint64_t id;
	uint64_t listed; /* its number in mountinfo; 0: in none, or not known */
	long type;
};

struct shk_actor {
	struct shk_rights *rights;
	struct shk_aliases *aliases;
	int fds;	/* our /proc/self/fd, whatever is worn */
	int root;	/* the root directory used last, and which it is */
	dev_t root_dev;
	ino_t root_ino;
	uint64_t root_mnt;
	bool root_looked, root_plain; /* not in a procfs */
	bool root_direct;	      /* in a filesystem of plain data, whose mount is known by number */
	uint8_t hints[SHK_WALK_HINTS];
	uint32_t expected[SHK_PATHS_KEPT]; /* what paths led to the last time (open.c) */
	pid_t joined;	/* init of the container whose namespaces the thread is in */
	ino_t net;	/* 0: not joined */
	struct shk_fs_of_mount mounts[16];
	int seen_fd;	/* what the walk looked at already; -1: nothing */
	struct statx seen;
	long seen_type;
	/* For a deputy (deputy.h): who makes one, for which container, until when, and the caller's /proc/TID/ns if one
	 * has rights that this thread cannot have, else -1. */
	struct shk_mounter *mounter;
	uint64_t container;
	uint64_t due; /* CLOCK_MONOTONIC ns */
	uint64_t began; /* of the call: likewise */
	int ns;
	int probe[2]; /* a socket's two ends, on which limits are tried (ancillary.c); -1: not made yet */
};

struct shk_actor *shk_actor_new(void); /* of the calling thread. NULL: cannot be had */
void shk_actor_free(struct shk_actor *a);
SHK_DEFINE_CLEANUP(struct shk_actor, shk_actor_free)

/* What is held, in one call: type of file and of its filesystem. 0 or -errno; -EREMOTE: one that may not answer. */
int shk_actor_look(struct shk_actor *a, const struct shk_walk_from *from, int fd, struct statx *sx, long *fs);

/* What is left of the time, in seconds: whole ones, and one more. */
unsigned shk_actor_seconds(const struct shk_actor *a);

/* The number in mountinfo of the mount that was looked at; 0: not known. */
uint64_t shk_actor_listed(const struct shk_actor *a, const struct statx *sx);

/* Was its mount looked at, and is it one of plain data? sx: with STATX_MNT_ID_UNIQUE. */
bool shk_actor_knows_plain(const struct shk_actor *a, const struct statx *sx);

/* Where the walks of one call begin. Fills all of `from` but follow, create, in_root and base_fd; joins the
 * container's namespaces. Holding the container's lock. 0 or -errno. */
int shk_actor_start(struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c,
		    struct shk_walk_from *from);
/* Is it where it was for the last call that was started, so that what is known of that root is true of this one's? */
bool shk_actor_stays(struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c);
/* The root directory of the event's task, the actor's: until its next call. -errno. */
int shk_actor_root(struct shk_actor *a, struct shk_eval_ctx *ctx);
/* Finds out whether a deputy can do more for this caller. Part of start, which calls without paths do not make. */
void shk_actor_meet(struct shk_actor *a, const struct shk_caller *c);
/* Back to the engine's own view of control groups, for as long as no call is carried out: in the container's their paths begin at its own
 * (cgroup_namespaces(7)). 0 or -errno. */
int shk_actor_go_home(struct shk_actor *a);
/* The same for a thread that one which has carried out calls may have made, and which therefore began where that one was. */
int shk_actor_begin_thread(void);
/* Makes the actor the one to ask for a walk that another process began. */
void shk_actor_adopt(struct shk_actor *a, struct shk_walk_from *from);
/* What a relative path of the caller's begins at; owned. -EBADF, -ENOTDIR. */
int shk_actor_base(const struct shk_caller *c, int dirfd);
/* A descriptor of the caller's, taken out of its table once: the same open file, ours to close. -EBADF; -EOPNOTSUPP,
 * -EPERM: a thread's own table cannot be reached; -EREMOTE: its filesystem may not answer, not even to close it.
 * domain, unless NULL: SO_DOMAIN, where it is a socket; else left as it is. */
int shk_actor_take(struct shk_eval_ctx *ctx, const struct shk_caller *c, int fd, int *domain);
/* For shk_walk_from.own_rights: while this thread walks. */
void shk_actor_acts(struct shk_actor *a);

/* Filesystems of data on a disk or in memory: nobody asks later what the opener of a file or directory there might. */
bool shk_fs_is_plain(long type);
/* Filesystems whose calls end without anybody's help, and mean the same whoever makes them. */
bool shk_fs_is_fit(long type);
/* Those that show the namespaces of whoever opens them: is the thread where the task is, as far as these show? */
bool shk_actor_sees_same(const struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c, long type,
			 bool writes);
bool shk_fs_shows_namespaces(long type);

#endif
