/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.h - the parts of one attach (private to src/engine, attach*.c).
 *
 * An attach is a job: its thread traces. The entry is in the registry while it lasts, so that its listeners are served
 * and kept from the first one on; nobody else changes its record meanwhile (the job has the turn of the init).
 */
#ifndef SHK_ENGINE_ATTACH_H
#define SHK_ENGINE_ATTACH_H

#include "engine/internal.h"
#include "sources/ptrace/herd.h"

#define SHK_ATTACH_FAILED_MAX 64 /* told one by one */

struct shk_attach {
	struct shk_job job;
	struct shk_peerconn *pc;   /* who asked; NULL: the engine itself, for a session that was found late */
	struct json_object *req;
	pid_t late;		   /* the first process of that session */
	uint64_t late_start;
	unsigned round;		   /* of these; from 0 */
	bool may_nnp;
	int pidfd;		   /* of the container's init */
	struct shk_err err;
	int r;

	struct shk_entry *e;
	bool fresh;		   /* the entry was made for this */
	struct shk_armoury *arm;   /* held, with the plan in it */
	const struct shk_policy *policy;
	const struct shk_plan *plan;

	ino_t pidns;		   /* of the init; 0: the host's, which tells nothing */
	char *cgroup_line;	   /* of /proc/PID/cgroup, what members have; NULL: no cgroup of its own */
	pid_t *members;		   /* processes of the last list, ascending */
	size_t n_members;
	bool announced;		   /* the keeper knows: it may be frozen */
	bool froze;

	/* what came of it */
	unsigned tasks, processes, already, nnp, n_failed;
	struct json_object *failed; /* at most SHK_ATTACH_FAILED_MAX */
	const char *incomplete;	   /* why somebody may be missing; NULL: nobody is */
	struct shk_err gather_err;
	struct shk_listener **watch; /* for the main thread */
	size_t n_watch, room_watch;
};

/* attach.c. Main thread: a session that was found late. Once more a way D for its container. */
void shk_attach_late(struct shk_engine *g, uint64_t container, pid_t pid, uint64_t start, unsigned round);

/* attach_scope.c */
/* Is this process the init of a container, and not of the machine or the supervisor? */
int shk_attach_check(struct shk_attach *x, pid_t pid, struct shk_err *err);
/* Is this, the cgroup the init is in, the container's alone? Not if a process of the machine is in it: a runtime may
 * have been told to make none, and left its own. */
bool shk_attach_own_cgroup(struct shk_attach *x, pid_t init, struct shk_str cgroup);
/* struct shk_herd_ops.list: the container's pid namespace and those below it, its cgroup, and what they have forked. */
int shk_attach_list(void *arg, pid_t **pids, size_t *n, bool *unsure, struct shk_err *err);
/* Did this process come into the container from outside, after its init? */
bool shk_attach_is_session(const struct shk_attach *x, pid_t pid);

/* attach_inject.c */
struct shk_tracee;
/* Has a task a listener that is ours? It is stopped, and makes no call meanwhile. */
bool shk_attach_is_ours(struct shk_engine *g, struct shk_tracee *t);
/* Is there room for another listener? 0, -EMFILE. */
int shk_attach_room(struct shk_entry *e, struct shk_err *err);
/* Puts the filter into everybody who is stopped, and lets them go on. Those that still run are waited for. */
void shk_attach_inject(struct shk_attach *x, struct shk_herd *h);
void shk_attach_failed(struct shk_attach *x, pid_t tid, pid_t pid, int e, const char *why);

#endif
