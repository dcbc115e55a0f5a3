/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - what is known of one task of a container.
 *
 * Records are cached per container under the tid and belong to one (tid, start time): before a cached
 * record is used it is checked to be the same living process (pidfd, else start time). Facts that can change
 * (exe, argv, cwd, credentials) are dropped on the calls that change them (execve, chdir, set*id,
 * unshare, setns, chroot): shk_proc_apply. Everything is read lazily from /proc, bounded, once per
 * decision. All functions are called with the container's lock held, on a worker.
 */
#ifndef SHK_STATE_PROCESS_H
#define SHK_STATE_PROCESS_H

#include "fields/fields.h"
#include "state/container.h"

#define SHK_ANCESTORS_MAX 64	/* walk limit */
#define SHK_PROCS_MAX	  4096	/* cached records per container; least recently used go */

struct shk_proc;

/* The record of the event's task, or NULL when it is gone. Cached in ctx. */
struct shk_proc *shk_proc_of(struct shk_eval_ctx *ctx);

/* Called by the pipeline after the verdict: drops what the (allowed) call changes. */
void shk_proc_apply(struct shk_container *c, struct shk_event *ev, bool allowed);

/* Marks tid as the first process of an exec session (proc.is_exec_session). */
void shk_proc_mark_exec_session(struct shk_container *c, pid_t tid);

/* Path argument i of the event as an absolute, normalised path inside the container: joined with the
 * cwd or dirfd of the task (readlink of /proc/TID/cwd, /proc/TID/fd/N), "." ".." "//" removed.
 * false: unknown (task gone, unreadable). Result in ev->arena, remembered per argument. */
bool shk_event_abs_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret);

/* Frees all records of a container (called by shk_container_unref). */
void shk_procs_free(struct shk_container *c);

#endif
