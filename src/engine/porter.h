/* SPDX-License-Identifier: Apache-2.0 */
/*
 * porter.h - who runs a program in a container without our filter (private to src/engine, porter*.c).
 *
 * An exec session that bypasses shrike-runtime enters a container from outside: nothing of ours is in its ancestry. The
 * kernel is asked to ask us before it opens a file on one of the container's mounts to run it (sources/fanotify). Whoever
 * has our filter was notified on a listener just before, and goes on at once; so does who is no member of the container.
 * What is left is such a session at its first program, still in the runtime's own image: it is refused the open,
 * stopped behind the failed execve, given the filter, and makes the call once more, under the filter (porter_session.c).
 * So its first program is judged like everything else.
 *
 * Second net (porter_late.c): processes that are in a container's pid namespace, and whose parent is not, are
 * looked for every second among the new ones. It finds what came through a mount that is not marked, or ran from
 * memory, or where the kernel offers no permission events; the container is then attached to again.
 *
 * Threads: readers read events, one as a rule: reading opens the event's file, and where that takes long the watchdog
 * (main thread) starts another one, so that no other program waits for it. The scout marks mounts and looks for the late; a session
 * is a job. The group, and a memory file that holds each event from the read on until it was answered, belong to the keeper:
 * an engine that dies leaves no call that nobody can answer, and nobody passes meanwhile. Without a keeper the kernel lets
 * everything pass that waits when the engine ends.
 */
#ifndef SHK_ENGINE_PORTER_H
#define SHK_ENGINE_PORTER_H

#include "enforce/exec.h"
#include "engine/internal.h"
#include "sources/fanotify/permit.h"

#define SHK_PORTER_SLOTS    128
#define SHK_PORTER_SEEN	    65536 /* a power of two */
#define SHK_PORTER_DECIDED  512
#define SHK_PORTER_EXPECTED 160 /* more than there are threads of the gate, and a worker's */
#define SHK_PORTER_LATE	    64
#define SHK_PORTER_HOLDS    16 /* keys of the keeper */

struct shk_porter_slot {
	struct shk_permit_event *ev; /* in the memory file: len 0: free */
	uint64_t due;		     /* CLOCK_MONOTONIC: refused then */
	struct shk_entry *e;	     /* of a session: one reference */
	uint64_t start;
	atomic_int state;	     /* SHK_PORTER_* */
};
enum { SHK_PORTER_FREE, SHK_PORTER_READING, SHK_PORTER_WAITS, SHK_PORTER_RUNS, SHK_PORTER_ANSWERING, SHK_PORTER_ANSWERED };

/* READING: a reader's alone. WAITS: the job cannot begin yet, or its deadline has come; RUNS: a job's. */

/* Reading an event is to open its file, which may take long or never end; others must be read meanwhile. */
#define SHK_PORTER_READERS 32
#define SHK_READER_HELD_NS 150000000u
struct shk_reader {
	struct shk_porter *pt;
	pthread_t thread;
	_Atomic uint64_t since;	/* when it began what it is at, 0: it waits for events */
	atomic_int life;	/* SHK_READER_* */
};
enum { SHK_READER_NONE, SHK_READER_LIVE, SHK_READER_ENDED };

/* An execve that was judged and let go: the files the kernel opens for it are to be those. */
struct shk_expected {
	pid_t tid;
	const struct shk_exec_judged *judged;
	struct shk_entry *e;
	unsigned next;
	bool exchanged;		/* one was not, and was refused */
	struct shk_buf *what;	/* in words */
};

struct shk_porter {
	struct shk_engine *g;
	atomic_int group;	/* -1: not made yet, or not offered */
	atomic_int why;		/* errno: permission events are not offered */
	atomic_bool active;	/* there is a group: who is notified of an execve is remembered */
	bool restoring;		/* guarded by lock: the reader does not begin yet */
	uint64_t began;		/* CLOCK_MONOTONIC ns */
	bool before_lock;	/* the file is opened before the execve takes its process's lock: 6.8 */
	struct shk_permit_event *shared;
	struct shk_porter_slot slot[SHK_PORTER_SLOTS];
	_Atomic uint64_t *seen; /* by tid: when it was notified */
	struct shk_reader reader[SHK_PORTER_READERS]; /* started with the lock held, joined by the main thread */
	atomic_bool taken_over;	/* events of an earlier engine are settled: others may read, too */
	pthread_mutex_t tending;
	uint64_t warned;	/* the main thread's */
	bool left_behind;	/* a reader never came back */
	pthread_t scout;
	bool has_reader, has_scout;
	atomic_bool stop;

	pthread_mutex_t lock;	/* a leaf: all below */
	pthread_cond_t work;	/* of the scout */
	struct shk_expected *expected[SHK_PORTER_EXPECTED];
	atomic_uint n_expected;
	struct {
		pid_t tid;
		uint64_t start;
		bool allow;
	} decided[SHK_PORTER_DECIDED]; /* sessions that could not get the filter */
	unsigned n_decided;
	uint64_t dirty_until;	/* some container's mounts are changing (entry's dirty_until) */

	/* the scout's alone */
	uint64_t round;
	pid_t last_pid;
	struct shk_late {
		pid_t pid;
		uint64_t start, container, since;
		bool tried;
	} late[SHK_PORTER_LATE];
	unsigned n_late;
};

/* ---- porter_group.c ---- */
int shk_porter_start(struct shk_engine *g, struct shk_err *err);
/* Main thread, every 100 ms: another reader, if none is free. */
void shk_porter_watchdog(struct shk_engine *g, uint64_t now);
/* After the keeper's entries were restored. */
int shk_porter_run(struct shk_engine *g, struct shk_err *err);
/* Threads end; what waits is left to the next engine. Before the jobs end. */
void shk_porter_stop(struct shk_engine *g);
void shk_porter_free(struct shk_engine *g);
/* What the keeper has held: 1 the group, 2 the memory file, from SHK_PORTER_HOLDS on control groups of sessions, by slot. fd is taken over. */
void shk_porter_restore(struct shk_engine *g, uint64_t key, int fd);
/* Has the keeper hold fd under this key; 0 or -errno. Any thread. */
int shk_porter_keep(struct shk_porter *pt, uint64_t key, int fd);
/* Makes the group if there is none. 0, or -errno: not offered. Any thread. */
int shk_porter_group(struct shk_porter *pt);

/* ---- porter.c ---- */
/* The two threads. */
void *shk_porter_reader(void *reader);
void *shk_porter_scout(void *porter);
/* Looks at the mounts of those that changed them a moment ago; round: of all, in turns, and now and then also of those that
 * seem not to have changed. */
void shk_porter_round(struct shk_porter *pt, bool round);
/* Worker: a call was notified: its task has our filter. */
void shk_porter_seen(struct shk_entry *e, const struct seccomp_notif *n);
/* Was this task notified since it exists? */
bool shk_porter_has_seen(struct shk_porter *pt, pid_t tid);
/* What comes of this task's next programs without a filter. */
void shk_porter_decide(struct shk_porter *pt, pid_t tid, uint64_t start, bool allow);
/* Answers the event of a slot, once. */
void shk_porter_answer(struct shk_porter *pt, struct shk_porter_slot *s, bool allow);
/* The slot is needed no more. */
void shk_porter_done(struct shk_porter *pt, struct shk_porter_slot *s);

/* ---- porter_expect.c ---- */
/* Is the file behind fd, which this task runs, what an execve of it was judged by, if one was? */
bool shk_porter_check(struct shk_porter *pt, pid_t tid, int fd);
/* Gate: x->tid is let go between these two. */
void shk_porter_expect(struct shk_engine *g, struct shk_expected *x);
void shk_porter_unexpect(struct shk_engine *g, struct shk_expected *x);
/* Worker: the task makes another call. */
void shk_porter_expect_nothing(struct shk_porter *pt, pid_t tid);

/* ---- porter_mounts.c ---- */
/* Marks the mounts of the container that are not yet. force: also if none seem to have changed. Arming, scout. */
void shk_porter_mark(struct shk_entry *e, bool force);
/* Is the mount with this id marked? */
bool shk_porter_is_marked(struct shk_entry *e, uint64_t mnt);
/* The container whose namespaces this task is in, if sessions are asked for at its mounts; one reference. */
struct shk_entry *shk_porter_whose(struct shk_engine *g, pid_t tid);

/* ---- porter_session.c ---- */
enum shk_exec_sessions shk_porter_policy(struct shk_entry *e, bool *refuse);
/* Starts the job for a slot whose entry is set, READING or WAITS. false: not now, and it WAITS. */
bool shk_porter_session(struct shk_porter *pt, struct shk_porter_slot *s);
/* It was not brought under supervision. */
void shk_porter_tell(struct shk_entry *e, pid_t tid, const char *outcome, const char *why);
/* A session that was found late, and could not be attached to: killed, or told of. */
void shk_porter_late_failed(struct shk_entry *e, pid_t pid, uint64_t start, bool refuse, const char *why);

/* ---- porter_late.c ---- */
struct shk_task_facts;
/* Has the task all filters of the container's, and a parent in there? Then it was made by one that has them. */
bool shk_porter_was_made_inside(struct shk_entry *e, const struct shk_task_facts *f);
/* The scout's. */
void shk_porter_look(struct shk_porter *pt);

#endif
