/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights.h - acting with the rights of a waiting caller, and no others.
 *
 * A worker thread that carries a call out wears the caller's filesystem ids, groups, effective capabilities (as far as
 * the engine has them itself) and, for calls that make files, its mode mask. All of these are the thread's own: raw
 * system calls are used, since the C library's change every thread; the mode mask and the working
 * directory are shared until unshare(CLONE_FS). Ids and groups stay on between calls, capabilities do not:
 * reading the memory of tasks needs the engine's.
 *
 * Each object belongs to one thread.
 */
#ifndef SHK_ENFORCE_RIGHTS_H
#define SHK_ENFORCE_RIGHTS_H

#include "state/process.h"

struct shk_caller {
	pid_t tid, tgid, vtid, vpid;
	uid_t fsuid, euid;
	gid_t fsgid, egid;
	gid_t group[SHK_GROUPS_MAX];
	uint32_t n_groups;
	uint64_t effective;	/* those that count here */
	uint64_t own_effective;	/* its capabilities, in whatever user namespace it is */
	bool other_users;	/* it is in another user namespace, and has capabilities there: its numbers are not ours */
	bool may_umount;	/* it, or whoever it runs for, may undo mounts of its mount namespace */
	mode_t umask;
	bool narrow_ids; /* the call is of an ABI with 16 bit ids */
};

/* Fills in who the event's task is. Holding the container's lock. NULL, or why nobody can act in its place (constant
 * text): the task is gone, in more groups than are remembered, or labelled by a security module; or the engine may not
 * take on its ids. A task of another
 * user namespace than the engine's has no capability here: it may do less than it could, never more (THREATS A2). */
const char *shk_caller_of(struct shk_eval_ctx *ctx, struct shk_caller *ret);

/* Are numbers of users that the event's task says its own user namespace's, and not ours? Holding the container's lock. */
bool shk_caller_numbers_others(struct shk_eval_ctx *ctx);

/* Is the engine one of a user (shriked --user), that can put on nobody's ids and enter no namespace? Whoever may set
 * ids may set all that a task can have. Any thread. */
bool shk_rights_are_users(void);

struct shk_rights; /* of one thread */
/* Of the calling thread, which gets its own mode mask. NULL: cannot be had. */
struct shk_rights *shk_rights_new(void);
void shk_rights_free(struct shk_rights *r);
SHK_DEFINE_CLEANUP(struct shk_rights, shk_rights_free)
/* From here on the thread has the caller's rights. 0 or -errno: then it has its own. */
int shk_rights_wear(struct shk_rights *r, const struct shk_caller *c);
/* For following paths alone, without links of procfs: of capabilities only CAP_DAC_OVERRIDE counts there, so whoever
 * has it needs no change of them (fs/namei.c, generic_permission). */
int shk_rights_search(struct shk_rights *r, const struct shk_caller *c);
/* Are the caller's capabilities in force? */
bool shk_rights_on(const struct shk_rights *r);
/* The engine's capabilities again. */
void shk_rights_own(struct shk_rights *r);
/* The caller's capabilities again, after own. */
void shk_rights_again(struct shk_rights *r);
/* As wear, with the caller's effective ids as well: the other side of a Unix socket is told them (SO_PEERCRED), and
 * sysctls ask for them. To be ended by unbe, which includes own, even when it fails. */
int shk_rights_be(struct shk_rights *r, const struct shk_caller *c);
void shk_rights_unbe(struct shk_rights *r);
/* After wear or be, until own or unbe: these capabilities besides, as far as the engine has them. 0 or -errno. */
int shk_rights_more(struct shk_rights *r, uint64_t capabilities);
/* From here on the calling process has the caller's rights for good (deputy.h): all of the above but umask do nothing. */
void shk_rights_fix(struct shk_rights *r);
/* The mode mask for files made from here on. */
void shk_rights_umask(struct shk_rights *r, mode_t mask);

#endif
