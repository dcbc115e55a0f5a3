/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - the engine's own objects (private to src/engine).
 *
 * Threads: the main thread runs the loop (sockets, timers, reload); each listener has one worker
 * thread; a job is a short-lived thread for what may wait (injection); the alert writer belongs to
 * src/alerts. Objects are shared by reference count. Lock order: registering -> registry -> container -> workers -> seq;
 * history, jobs and the keeper's link are leaves.
 */
#ifndef SHK_ENGINE_INTERNAL_H
#define SHK_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "alerts/alert.h"
#include "alerts/limit.h"
#include "base/log.h"
#include "base/loop.h"
#include "control/control.h"
#include "enforce/open.h"
#include "engine/engine.h"
#include "engine/figures.h"
#include "engine/recorder.h"
#include "journal/journal.h"
#include "policy/plan.h"
#include "state/process.h"
#include "state/recorded.h"
#include "verdict/verdict.h"

struct json_object;

/* ---- armoury: a policy set with one plan per policy; immutable, any thread ---- */
struct shk_armoury {
	atomic_uint refs;
	struct shk_policyset *ps;
	struct shk_plan **plan; /* by index of shk_policyset_at */
	size_t n;
	char *broken;		/* why the administrator's policies are not in force; NULL: they are */
};
/* Loads what the configuration names. Diagnostics go to the log. */
int shk_armoury_load(const struct shk_config *cfg, struct shk_armoury **ret, struct shk_err *err);
/* The built-in policy with the shipped rules, or with none when these cannot be read. */
int shk_armoury_fallback(const struct shk_config *cfg, const char *broken,
			 struct shk_armoury **ret, struct shk_err *err);
struct shk_armoury *shk_armoury_ref(struct shk_armoury *a);
void shk_armoury_unref(struct shk_armoury *a);
SHK_DEFINE_CLEANUP(struct shk_armoury, shk_armoury_unref)
const struct shk_plan *shk_armoury_plan(const struct shk_armoury *a, const struct shk_policy *p);

/* ---- entry: one supervised container ---- */
struct shk_listener;
struct shk_entry {
	atomic_uint refs;
	struct shk_engine *g;
	struct shk_container *ctr;
	struct shk_entry *next;		/* registry */
	struct json_object *record;	/* what the keeper holds: constant once registered */
	char *nonce;			/* way B */
	int init_pidfd;			/* -1: not known yet (wrapper without hook) */

	/* guarded by seq_lock; written by the main thread alone, which reads them without */
	struct shk_armoury *arm;
	const struct shk_policy *policy;
	/* copies for those who do not hold the lock */
	_Atomic uint64_t deadline_ns;
	_Atomic int deadline_err;	/* 0: allow */
	_Atomic int mode;		/* enum shk_mode */

	/* Held for moments only, unlike ctr->lock, under which files of the container may be read. */
	pthread_mutex_t seq_lock;	/* arm, policy, sequence numbers of the journal, unwatched */
	struct json_object *unwatched;	/* names of calls that the policy needs and the filter lacks */

	/* guarded by the registry's lock */
	struct shk_listener *listeners; /* newest first */
	unsigned n_listeners, n_sessions;
	bool had_listener, removed;
	atomic_uint n_execs;		/* being compared (gate.c) */
	bool left_alerted;		/* an escape from the cgroup was reported (THREATS A11) */
	atomic_bool released;		/* detach: calls pass unjudged; also in the record */
	uint64_t attached_ticks;	/* constant: started by then (clock ticks since boot) is no session; 0: not attached to */
	bool attaching;			/* an earlier engine ended while it attached (restore, main thread) */

	struct shk_recorded_lines lines; /* guarded by the container's lock */
	struct shk_memo *memo;		 /* likewise; may be NULL */

	/* porter_mounts.c */
	_Atomic uint64_t dirty_until;	/* its mounts are changing (CLOCK_MONOTONIC ns) */
	atomic_bool entered;		/* the container's own program has begun: its mounts are there */
	atomic_uint filters;		/* seccomp filters it began with: who was made in there has no fewer. 0: not known */
	/* observer.c */
	_Atomic uint64_t armed_ns;	/* CLOCK_MONOTONIC: what happened before is the runtime's; 0: not yet */
	atomic_int observed;		/* enum shk_observed_state */
	struct shk_recorded *tree;	/* tasks as the module tells them; guarded by the container's lock */
	atomic_bool tree_stale;		/* records were lost: it is to be forgotten */
	atomic_bool held_execs;		/* an execve that was judged can be held by the kernel module */
	atomic_bool module_holds;	/* the module compares those that have a lease, wanted or not */
	uint64_t short_until;		/* the observer thread's: its lock was waited for in vain (CLOCK_MONOTONIC ns) */
	_Atomic uint64_t n_observed, n_module_lost; /* events of the kernel module that rules were asked about; records lost */
	_Atomic uint64_t mnt_ns, pid_ns; /* of the init; 0: sessions are not asked for at its mounts, not known */
	pthread_mutex_t marks_turn;	/* one marks at a time; guards the next two */
	uint64_t marks_hash;
	bool gaps_told;
	uint64_t late_at; /* scout: the next attach for sessions found late, not before */
	pthread_mutex_t marks_lock;	/* a leaf; guards the rest */
	uint64_t *marks;		/* ids of marked mounts, ascending */
	size_t n_marks;

	/* calls the installed filter notifies of; constant once the first listener is there */
	uint64_t notified[(SHK_CALL_N + 63) / 64];
	uint64_t kept[(SHK_CALL_N + 63) / 64]; /* of these: those that change facts and never pass unseen */
};

/* ---- narrow.c: calls that a policy needs and an installed filter does not notify ---- */
/* Writes into a container's record what the filter of this plan notifies and refuses. */
void shk_narrow_record(struct json_object *record, const struct shk_plan *plan);
/* Names of the calls that this plan needs and the filter of the record lacks, in whole or in part. NULL: out of
 * memory. The caller's. */
struct json_object *shk_narrow_missing(struct json_object *record, const uint64_t *notified,
				       const struct shk_plan *plan);
/* Another filter is beside those that are there: what both of them do is recorded, so that nothing counts as
 * watched that one of them lets pass. Main thread. */
void shk_narrow_merge(struct shk_entry *e, const struct shk_plan *plan);
/* The same for an entry's filter, kept as e->unwatched. Main thread, or before the entry is in the registry. */
void shk_narrow_check(struct shk_entry *e, const struct shk_plan *plan);

/* ---- listener and its workers ---- */
#define SHK_WORKERS_MAX	  5   /* four may be stuck */
#define SHK_WAITERS_MAX	  64  /* beside them: those whose call waits as it would have without us (a FIFO) */
#define SHK_LISTENERS_MAX 1024 /* of one container: init and exec sessions; attached: one for each process */
#define SHK_LISTENERS_ALL 3072 /* of all that are attached: keeper and journal have room for 4096 entries */
enum { SHK_ARMED_INIT = 1, SHK_ARMED_OTHERS = 2, SHK_ARMED_ALL = 3 };

struct shk_worker {
	struct shk_listener *l;
	pthread_t thread;
	struct shk_arena arena;
	/* generation << 2 | phase; whoever moves it away from JUDGING owns the answer */
	_Atomic uint64_t claim;
	_Atomic(struct shk_call_slot *) slot;
	_Atomic uint64_t due;		/* CLOCK_MONOTONIC ns */
	atomic_bool blind;		/* reads nothing: too many others are stuck */
	atomic_bool retired;
	atomic_bool gives;		/* is not to be woken */
	atomic_bool waits;		/* carries out a call that may wait for another process */
	atomic_int life;		/* SHK_WORKER_*: who frees it */
	struct shk_actor *actor;	/* once a call was carried out; the thread's own */
	struct shk_buf rendered[SHK_MATCH_MAX];
};
enum { SHK_WORKER_LIVE, SHK_WORKER_ENDED, SHK_WORKER_ABANDONED };
enum { SHK_CLAIM_IDLE, SHK_CLAIM_JUDGING, SHK_CLAIM_EXPIRED };

struct shk_listener {
	atomic_uint refs;
	struct shk_engine *g;
	struct shk_entry *e;		/* one reference */
	struct shk_listener *next;	/* in the entry */
	uint64_t key;			/* keeper's and journal's */
	int fd;
	bool session;			/* else the container's init */
	atomic_bool signals_end_wait;	/* learned: its filter lacks WAIT_KILLABLE_RECV (enforce/exec.h) */
	bool attached;			/* its tasks had run before: what they did is not known (THREATS A3) */
	bool tuned;			/* who waits is woken on the processor of who wakes (Linux 6.6) */
	bool restored;			/* its slots of earlier engines are to be recovered */
	pid_t runtime_pid;		/* session: the runtime, which is not judged; 0: none */
	uint64_t runtime_start;
	pid_t session_root;		/* session: its first process, 0: not there yet */
	atomic_uint armed;
	pthread_mutex_t arm_lock;	/* one at a time decides about arming */
	struct shk_source *hup;		/* main thread */
	atomic_bool stop;
	pthread_mutex_t wlock;		/* guards workers */
	struct shk_worker *workers[SHK_WORKERS_MAX + SHK_WAITERS_MAX];
	unsigned n_workers, n_waiters;	/* waiters are among the workers */
	uint64_t warned;		/* of the main thread: last alert about stuck workers */
};

/* ---- jobs ---- */
struct shk_job {
	struct shk_job *next;
	struct shk_engine *g;
	unsigned spare; /* jobs that must be free beside it: what containers cause does not take the hooks' room */
#define SHK_JOBS_SPARE_SESSION 16
#define SHK_JOBS_SPARE_LATE    48
	void (*run)(struct shk_job *j);	 /* on its own thread */
	void (*done)(struct shk_job *j); /* on the main thread; frees the job */
};
int shk_job_start(struct shk_engine *g, struct shk_job *j);

/* ---- control connections ---- */
struct shk_peerconn {
	struct shk_peerconn *next;
	struct shk_engine *g;
	struct shk_conn conn;
	struct shk_source *src;
	struct shk_peer peer;
	bool busy;			/* a job answers later: nothing is read until then */
	bool closing;
	bool record;			/* the one who records; until all is sent */
	bool follow;			/* events -f */
	uint64_t follow_next;		/* number of the next record */
	uint64_t follow_lost;
	struct shk_entry *session;	/* between session and session-listener */
	unsigned refs;			/* main thread: the list and a running job */
};

/* ---- history of alerts ---- */
#define SHK_HISTORY 512
struct shk_history {
	pthread_mutex_t lock;
	char *line[SHK_HISTORY];	/* by number % SHK_HISTORY */
	uint64_t next;			/* number of the next record, from 0 */
};

/* A call to `prepare`: a nonce given out. */
struct shk_pending {
	struct shk_pending *next;
	char nonce[48];			/* "shrike:" and 32 hex digits */
	uint64_t key;
	struct json_object *request;
	struct shk_entry *e;		/* once its container is known; one reference */
};

struct shk_engine {
	struct shk_mounter *mounter;	/* borrowed; NULL: none */
	const struct shk_config *cfg;
	const char *config_path;
	char *hostname;
	struct shk_loop *loop;
	struct shk_journal *journal;
	struct shk_sinks *sinks;
	struct shk_limits *limits;
	int journal_fd, control_fd, notify_fd, signal_fd, keeper_fd;
	pthread_mutex_t keeper_lock;
	unsigned restarts;
	uint64_t started_ns;
	_Atomic uint64_t last_key, n_events;
	_Atomic uint64_t first_event_ns, last_event_ns; /* evt.reltime, evt.deltatime */
	_Atomic uint64_t no_patience_until; /* CLOCK_MONOTONIC: the writer did not make room in time */
	_Atomic bool stopping;
	_Atomic pid_t probed;		/* attach: whose next execve is only to show whose filter it has */
	_Atomic pid_t probe_hit;	/* that came to a listener of ours */
	pthread_mutex_t probe_lock;	/* one probe at a time; a leaf */
	atomic_uint n_abandoned;	/* workers that hang and outlive their listener */
	int exit_code;
	unsigned ticks;			/* main thread */

	pthread_mutex_t reg_lock;	/* registry, pending, in_progress, arm, listeners of entries */
	pthread_cond_t reg_cond;
	struct shk_entry *entries;
	size_t n_entries;
	struct shk_pending *pending;
	size_t n_pending;
	pid_t in_progress[64];
	struct shk_armoury *arm;	/* current */
	char *reload_error;		/* main thread */

	struct shk_gate *gate;		/* gate.c */
	struct shk_observer *observer;	/* observer.c; NULL: the kernel module is not asked for */
	struct shk_porter *porter;	/* porter.c */

	pthread_mutex_t job_lock;
	struct shk_job *jobs_done;
	unsigned n_jobs;
	pthread_cond_t job_cond;

	struct shk_figures figures;
	struct shk_recorder recorder;
	struct shk_history history;
	struct shk_peerconn *conns;	/* main thread */
	size_t n_conns;
	struct shk_delivery *deliveries; /* main thread: open connections of the notify socket */
	size_t n_deliveries;
};

/* ---- engine.c ---- */
uint64_t shk_engine_key(struct shk_engine *g);
int shk_engine_reload(struct shk_engine *g, unsigned *ret_rules, struct json_object *warnings,
		      struct shk_err *err);

/* ---- alerting.c ---- */
/* An alert that no rule caused. e may be NULL; fields are consumed. Any thread. */
void shk_tell(struct shk_engine *g, struct shk_entry *e, enum shk_priority prio, const char *rule,
	      struct json_object *fields, const char *fmt, ...) SHK_PRINTF(6, 7);
/* Sequence number of a call's alerts, taken once per slot; slot NULL: a new one. */
uint64_t shk_take_seq(struct shk_engine *g, struct shk_entry *e, struct shk_call_slot *s);

/* ---- registry.c: reg_lock is taken inside unless said otherwise ---- */
struct shk_entry *shk_entry_new(struct shk_engine *g, struct shk_container *c /* taken over */);
struct shk_entry *shk_entry_ref(struct shk_entry *e);
void shk_entry_unref(struct shk_entry *e);
SHK_DEFINE_CLEANUP(struct shk_entry, shk_entry_unref)
/* What is in force, with a reference. Any thread. */
struct shk_armoury *shk_entry_armed_with(struct shk_entry *e, const struct shk_policy **p);
/* Puts policy and plan of an armoury into force. Main thread, or before the entry is shared. */
void shk_entry_arm(struct shk_entry *e, struct shk_armoury *a, const struct shk_policy *p);
/* What the filter that this plan became notifies of; goes into the record. */
void shk_entry_set_filter(struct shk_entry *e, const struct shk_plan *plan);
void shk_registry_add(struct shk_engine *g, struct shk_entry *e);
/* Out of the registry, the keeper and the journal; listeners are closed. */
void shk_registry_remove(struct shk_engine *g, struct shk_entry *e);
/* The entry of this process (pid and start time), or NULL; one reference. */
struct shk_entry *shk_registry_by_pid(struct shk_engine *g, pid_t pid, uint64_t start);
/* The newest live entry with this full id; bundle may be NULL. One reference. */
struct shk_entry *shk_registry_by_id(struct shk_engine *g, struct shk_str id, const char *bundle);
struct shk_entry *shk_registry_by_key(struct shk_engine *g, uint64_t key);
/* References to all entries, newest first; free the array. */
struct shk_entry **shk_registry_all(struct shk_engine *g, size_t *n);
bool shk_entry_init_dead(const struct shk_entry *e);
/* Entries whose container has ended without a word. Main thread. */
void shk_registry_sweep(struct shk_engine *g);
/* A container's record from a request (register, prepare + state). pid, start and descriptors are not part of it. */
struct shk_container *shk_container_from_json(uint64_t key, struct json_object *record);
uint64_t shk_start_time(pid_t pid);

/* ---- register.c, wrapper_ops.c: control operations that make entries ---- */
int shk_op_register(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_deregister(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_prepare(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_session(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_session_listener(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* An entry for a container whose record, policy and process are known. Not yet in the registry. */
int shk_entry_from_record(struct shk_engine *g, uint64_t key, struct json_object *record,
			  struct shk_entry **ret, struct shk_err *err);
/* From its first program on: the root directory of its init is held, here and by the keeper, if it is not already. runtimes: that
 * program is about to run, so the root is still the runtime's. */
void shk_entry_hold_root(struct shk_entry *e, bool runtimes);
/* A new record with the members of `keep` (NULL ends it) that `from` has. NULL: no memory. */
struct json_object *shk_record_new(struct json_object *from, const char *const *keep, const char *way);
/* rootfs of the record: root.path of its config, made absolute against its bundle. */
void shk_record_add_rootfs(struct json_object *record);
/* One registration of a process at a time; waits. */
void shk_turn_take(struct shk_engine *g, pid_t pid);
void shk_turn_end(struct shk_engine *g, pid_t pid);
/* Members of the record that say which process and files it is about. */
void shk_record_set_init(struct json_object *record, pid_t pid, int rootfs_fd);
/* Reports a privileged container (THREATS C). */
void shk_report_privileged(struct shk_entry *e, struct json_object *config);
/* Does this peer's process belong to a supervised container? (mount namespace or cgroup, THREATS B4) */
int shk_peer_outside(struct shk_engine *g, const struct shk_peer *p, struct shk_err *err);

/* ---- attach.c, attach_scope.c, attach_inject.c: way D ---- */
int shk_op_attach(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* Is this the execve of a probe? Then it is answered here. Worker. */
bool shk_attach_probed(struct shk_listener *l, struct shk_call_slot *s);
/* Containers that were being attached when the engine before this one ended: thawed; those without a listener are
 * given up. After everything was restored. */
void shk_attach_restore(struct shk_engine *g);

/* ---- hold_ops.c: detach, freeze, thaw, kill ---- */
int shk_op_detach(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_freeze(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_thaw(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_kill(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* The live entry that a person means: by id, name, or the beginning of an id that no other has. */
struct shk_entry *shk_registry_find(struct shk_engine *g, struct shk_str what, struct shk_err *err);
/* Released or judged, also for the next engine. Judged: facts from before are forgotten; -EBUSY: calls of the
 * container hold it up. */
int shk_entry_release(struct shk_entry *e, bool released, struct shk_err *err);

/* ---- listener.c ---- */
struct shk_listener *shk_listener_new(struct shk_entry *e, int fd /* taken over */, bool session);
void shk_listener_unref(struct shk_listener *l);
struct shk_listener *shk_listener_ref(struct shk_listener *l);
/* Hands it to the keeper, links it to its entry, starts its worker. */
int shk_listener_start(struct shk_listener *l, struct shk_err *err);
/* What the keeper holds of it, again: after its state changed. */
void shk_listener_store(struct shk_listener *l);
/* Main thread: watches for the end of its tasks. */
void shk_listener_watch(struct shk_listener *l);
/* Main thread: stops the workers, forgets it. Called with no lock. */
void shk_listener_end(struct shk_listener *l);
/* Main thread, every 100 ms: calls past their deadline. */
void shk_listener_watchdog(struct shk_listener *l, uint64_t now);

/* ---- worker.c ---- */
int shk_worker_start(struct shk_listener *l, bool blind, struct shk_err *err);
/* Before and after something that may wait for another process: another worker takes over meanwhile. false: too many
 * of the container's calls wait already. */
bool shk_worker_waits(struct shk_worker *w);
void shk_worker_waited(struct shk_worker *w);
/* A call that it is in returns with EINTR, or its next one soon: to be done again until it is seen to. It has been told by
 * retired or stop before. */
void shk_worker_wake(struct shk_worker *w);
/* shk_notify_give, of its own thread. */
int shk_worker_give(struct shk_worker *w, uint64_t id, int fd, bool cloexec);
/* Of a thread that has ended. */
void shk_worker_free(struct shk_worker *w);
/* Answers a call by the deadline's verdict. The caller owns the claim. why: for the alert. */
void shk_answer_deadline(struct shk_listener *l, struct shk_call_slot *s, const char *why);
/* Writes the answer into the slot, sends it, counts. err 0: continue. */
void shk_answer(struct shk_listener *l, struct shk_call_slot *s, int err);
/* The call was carried out: its result. */
void shk_answer_value(struct shk_listener *l, struct shk_call_slot *s, int64_t value);

/* ---- pipeline.c ---- */
/* Where an event of this time stands in the line of all that this engine judges. Any thread. */
void shk_place_event(struct shk_engine *g, struct shk_event *ev, uint64_t time_ns);
/* One call from reception to answer, which is the watchdog's when the claim is lost; the slot is released. */
void shk_pipeline(struct shk_worker *w, struct shk_call_slot *s);
/* A signal for the process whose call waits. 0 or -errno. */
int shk_signal_caller(int listener, const struct shk_call_slot *s, int sig);

/* ---- arming.c ---- */
enum shk_stage { SHK_STAGE_SETUP, SHK_STAGE_JUDGE, SHK_STAGE_REFUSE };
/* Is this call already the container's, or still the runtime's? May arm the listener. REFUSE: arming
 * found what must not be; why (in ev->arena) says it. */
enum shk_stage shk_arming(struct shk_listener *l, struct shk_event *ev, const char **why);
/* arming_checks.c: what is wrong with the task that is about to enter the container (THREATS A8), or
 * NULL. Texts live in ev->arena. */
const char *shk_arming_check(struct shk_entry *e, struct shk_event *ev, bool session);

/* ---- control_server.c, control_ops.c ---- */
int shk_control_start(struct shk_engine *g, struct shk_err *err);
void shk_control_stop(struct shk_engine *g);
void shk_peerconn_unref(struct shk_peerconn *pc);
/* After a job: answer (extra consumed) or failure, then go on reading. */
void shk_peerconn_finish(struct shk_peerconn *pc, struct json_object *extra,
			 const struct shk_err *err);
void shk_control_events(struct shk_engine *g); /* new records for followers, and what is recorded */
void shk_control_recording(struct shk_engine *g); /* what is recorded */
int shk_op_ps(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_status(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
int shk_op_top(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* The engine's state in numbers, for the gateway. Main thread. */
void shk_control_tell_gateway(struct shk_engine *g);
int shk_op_events(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* record_op.c */
int shk_op_record(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
/* Sends what there is, as far as the connection takes it; the end, once the other side wants no more. */
void shk_record_send(struct shk_peerconn *pc);
/* The other side has closed its half: the rest is sent. */
void shk_record_finish(struct shk_peerconn *pc);
/* The connection is gone. */
void shk_record_drop(struct shk_peerconn *pc);
int shk_op_reload(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);

/* ---- history.c ---- */
void shk_history_init(struct shk_history *h);
void shk_history_done(struct shk_history *h);
void shk_history_add(struct shk_history *h, struct shk_str line);
/* Copies record `number` into out; false: not there (any more). */
bool shk_history_get(struct shk_history *h, uint64_t number, struct shk_buf *out);
uint64_t shk_history_next(struct shk_history *h);

/* ---- notify_socket.c ---- */
int shk_notify_socket_start(struct shk_engine *g, struct shk_err *err);
void shk_notify_socket_stop(struct shk_engine *g);

/* ---- keeper_link.c: without a keeper these do nothing ---- */
enum shk_kept { SHK_KEPT_CONTAINER = 'C', SHK_KEPT_LISTENER = 'L', SHK_KEPT_PENDING = 'P', SHK_KEPT_PORTER = 'E',
	SHK_KEPT_ROOT = 'R' };
int shk_keeper_store(struct shk_engine *g, enum shk_kept kind, uint64_t key,
		     struct json_object *blob, int fd, struct shk_err *err);
void shk_keeper_forget(struct shk_engine *g, enum shk_kept kind, uint64_t key);
void shk_keeper_ready(struct shk_engine *g);
void shk_keeper_status(struct shk_engine *g, const char *text);
/* Reads everything an earlier engine left and rebuilds registry and listeners. */
int shk_keeper_restore(struct shk_engine *g, struct shk_err *err);

#endif
