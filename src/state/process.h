/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - what is known of one task of a container.
 *
 * Records are cached per container under the tid and belong to one (tid, start time): before a cached
 * record is used it is checked to be the same living process (pidfd, else start time), once per
 * decision. Everything is read lazily from /proc, bounded, at most once per decision:
 *
 *   constant (ids in namespaces, start time)	kept as long as the record
 *   of the program (comm, argv, environment, exe)	kept until an execve of the process
 *   parent					kept while the parent lives (it cannot change before)
 *   cwd, root; credentials; namespaces		kept only if every call that changes them is
 *						notified (shk_proc_keep), else read anew
 *   session, process group, terminal, loginuid	read anew
 *
 * Views and pointers returned stay valid until the lock is released. All functions are called with
 * the container's lock held, on a worker: reading argv and environ touches the task's memory and can
 * hang (THREATS B1).
 */
#ifndef SHK_STATE_PROCESS_H
#define SHK_STATE_PROCESS_H

#include "fields/fields.h"
#include "state/container.h"

#define SHK_ANCESTORS_MAX 64	/* walk limit */
#define SHK_PROCS_MAX	  4096	/* cached records per container; least recently used go */

struct shk_proc;

static inline bool shk_event_starts_program(const struct shk_event *e)
{
	return shk_event_is_exec(e) && !(e->has_ret && e->ret < 0);
}

/* The record of the event's task, or NULL when it is gone. Cached in ctx. For an execve or execveat
 * that has not failed (ev->has_ret with ev->ret < 0 is a failure) it is a record of the program to
 * come, made for this event only: comm, argv, environment and exe* are those of the call's
 * arguments; ids, credentials, cwd and ancestors those of the task. comm is the last component of the path
 * given (of a script: the script's, as the kernel sets it); exepath is the file the path names
 * inside the container, of a script the script and not its interpreter: that one is judged where
 * what was really loaded is verified. */
struct shk_proc *shk_proc_find(struct shk_eval_ctx *ctx);
/* As far as it is known already; NULL: it is not. */
static inline struct shk_proc *shk_proc_known(const struct shk_eval_ctx *x)
{
	return x->proc_tried && x->program == shk_event_starts_program(x->ev) ? x->proc : NULL;
}
static inline struct shk_proc *shk_proc_of(struct shk_eval_ctx *x)
{
	struct shk_proc *p = x->proc_now;

	if (!p)
		p = shk_proc_known(x);
	return p ? p : shk_proc_find(x);
}
/* The record under the event's task: of the old program during an execve. NULL: gone. */
struct shk_proc *shk_proc_task_of(struct shk_eval_ctx *ctx);

/* ---- facts. 0, false, NULL, or a view with p NULL: unknown ---- */
pid_t shk_proc_tid(const struct shk_proc *p);
/* Was the record made in this decision? NULL is new. */
bool shk_proc_is_new(const struct shk_proc *p);
/* A pidfd of the very task, the record's own; -1: there is none. */
int shk_proc_pidfd(const struct shk_proc *p);
pid_t shk_proc_pid(struct shk_proc *p);	/* thread group */
pid_t shk_proc_ppid(struct shk_proc *p); /* 0 for init and when the parent is invisible from here */
pid_t shk_proc_pgid(struct shk_proc *p);
pid_t shk_proc_sid(struct shk_proc *p);
/* As the task's own pid namespace numbers them. */
pid_t shk_proc_vtid(struct shk_proc *p);
pid_t shk_proc_vpid(struct shk_proc *p);
pid_t shk_proc_vpgid(struct shk_proc *p);
pid_t shk_proc_vsid(struct shk_proc *p);
struct shk_str shk_proc_comm(struct shk_proc *p);
/* argv[0] is proc.exe, the rest proc.args. At most SHK_ARGV_LIMIT strings, SHK_ARGV_BYTES bytes. */
const struct shk_strvec *shk_proc_argv(struct shk_proc *p);
/* NAME=VALUE strings, same limits; of the program's start, as /proc shows it. */
const struct shk_strvec *shk_proc_env(struct shk_proc *p);
/* Value of a variable; p NULL: not there. */
struct shk_str shk_proc_getenv(struct shk_proc *p, struct shk_str name);
/* Inside the container, without " (deleted)". */
struct shk_str shk_proc_exepath(struct shk_proc *p);

/* Of a live process all are known, of a recorded one those that its record has. */
#define SHK_EXE_FILE	 1u /* dev, ino */
#define SHK_EXE_CTIME	 2u
#define SHK_EXE_MTIME	 4u
#define SHK_EXE_MEMFD	 8u
#define SHK_EXE_WRITABLE 16u
#define SHK_EXE_ALL	 31u

struct shk_proc_exe {
	dev_t dev;
	ino_t ino;
	uint64_t mnt_id; /* as in mountinfo; 0: the kernel does not say */
	uint64_t mtime_ns, ctime_ns;
	uid_t uid;
	gid_t gid;
	uint32_t mode;
	uint8_t known; /* SHK_EXE_*; others of these are zeroes */
	bool memfd, deleted;
	bool writable; /* the task's owner class, group or others may write it (mode bits alone) */
};
const struct shk_proc_exe *shk_proc_exe(struct shk_proc *p);
/* Is the executable in the upper layer of the container's overlay? false: unknown. */
bool shk_proc_exe_upper(struct shk_proc *p, bool *ret);
/* The same for a regular file that is open as fd of the event's task under that path. */
bool shk_fd_upper(struct shk_eval_ctx *ctx, int fd, struct shk_str path, bool *ret);

/* Inside the container, no trailing slash but for "/" itself. */
struct shk_str shk_proc_cwd(struct shk_proc *p);
/* Device number of the controlling terminal as in /proc/PID/stat, 0: none. */
bool shk_proc_tty(struct shk_proc *p, uint32_t *ret);
/* (uint32_t)-1: unset. */
bool shk_proc_loginuid(struct shk_proc *p, uint32_t *ret);

#define SHK_CREDS_UIDS	      1u
#define SHK_CREDS_GIDS	      2u
#define SHK_CREDS_INHERITABLE 4u
#define SHK_CREDS_PERMITTED   8u
#define SHK_CREDS_EFFECTIVE   16u
#define SHK_CREDS_ALL	      31u

struct shk_proc_creds {
	uid_t ruid, uid, suid, fsuid; /* uid: effective; all as seen from this user namespace */
	gid_t rgid, gid, sgid, fsgid;
	uint64_t inheritable, permitted, effective, bounding, ambient;
	bool no_new_privs;
	uint8_t known; /* SHK_CREDS_* */
};
const struct shk_proc_creds *shk_proc_creds(struct shk_proc *p);

/* What credentials leave open for whoever acts in the task's place. */
#define SHK_GROUPS_MAX 32
struct shk_proc_rights {
	gid_t group[SHK_GROUPS_MAX];
	uint32_t n_groups; /* more than SHK_GROUPS_MAX: only so many are listed */
	mode_t umask;
};
const struct shk_proc_rights *shk_proc_rights(struct shk_proc *p);
uint32_t shk_proc_nthreads(struct shk_proc *p);
/* Start time in ns since the epoch; precision 10 ms. */
bool shk_proc_start(struct shk_proc *p, uint64_t *ret_ns);
/* Root directory of the task. */
bool shk_proc_root_id(struct shk_proc *p, dev_t *ret_dev, ino_t *ret_ino);
/* The same with the mount it is looked at through, 0: unknown. */
bool shk_proc_root_mount(struct shk_proc *p, dev_t *ret_dev, ino_t *ret_ino, uint64_t *ret_mnt);
/* Inode of a namespace of the task ("user", "mnt", "pid", "net"); 0: unknown. */
enum shk_ns { SHK_NS_USER, SHK_NS_MNT, SHK_NS_PID, SHK_NS_NET, SHK_NS_N };
ino_t shk_proc_ns(struct shk_proc *p, enum shk_ns which);

/* ---- what changes all the time: read when asked for, never kept. usage.c ---- */

struct shk_proc_thread { /* of the thread alone, not of its group */
	uint64_t minor_faults, major_faults;
	int cpu; /* where it ran last: of a task that waits in a call, where it made it */
};
bool shk_proc_thread(struct shk_proc *p, struct shk_proc_thread *ret);
struct shk_proc_memory { /* of the process, in KiB */
	uint64_t size, resident, swapped;
};
bool shk_proc_memory(struct shk_proc *p, struct shk_proc_memory *ret);
/* Open descriptors. false: unknown, or too many to be counted while a call waits. */
bool shk_proc_fd_count(struct shk_proc *p, uint64_t *ret);
/* How many there may be; -1: no limit. */
bool shk_proc_fd_limit(struct shk_proc *p, int64_t *ret);
/* /proc/TID/cgroup as it is, in the arena: lines "hierarchy:controllers:path" (cgroups(7)). p NULL: unknown. */
struct shk_str shk_proc_cgroups(struct shk_proc *p, struct shk_arena *arena);
/* When the first process of the task's pid namespace was started, in ns since the epoch. */
bool shk_proc_pidns_start(struct shk_proc *p, uint64_t *ret_ns);

/* The parent process. It may be outside the container (the runtime's shim is the parent of the
 * container's init), as in Falco; the walk goes on to the host's init. NULL: none, or gone. */
struct shk_proc *shk_proc_parent(struct shk_proc *p);
/* n = 0: p itself, 1: parent, ...; NULL past SHK_ANCESTORS_MAX, too. */
struct shk_proc *shk_proc_ancestor(struct shk_proc *p, unsigned n);
/* Process that leads the session or the process group; NULL: gone, or outside this pid namespace. */
struct shk_proc *shk_proc_session_leader(struct shk_proc *p);
struct shk_proc *shk_proc_group_leader(struct shk_proc *p);
/* The process, one of its ancestors, or its session was marked by shk_proc_mark_exec_session. */
/* The first process of the container that p belongs to; NULL: gone, or p is the host's. */
struct shk_proc *shk_proc_container_init(struct shk_proc *p);
bool shk_proc_is_exec_session(struct shk_proc *p);

/* ---- the recorder ---- */

/* A number that changes when what is known of a cached record does: what was read last, nothing is read for it. 0: it must
 * be read anew. Of what nobody reads again it does not tell. */
uint64_t shk_proc_stamp(const struct shk_proc *p);
/* Has this decision asked for such facts of the event's task? Then they are as they are now. */
enum shk_asked {
	SHK_ASKED_STAT,	   /* session, group, terminal */
	SHK_ASKED_LOGIN,   /* loginuid */
	SHK_ASKED_USAGE,   /* usage.c */
	SHK_ASKED_STREAMS, /* descriptors 0 to 2 */
	SHK_ASKED_NAMES,   /* of users and groups */
};
bool shk_proc_asked(const struct shk_proc *p, enum shk_asked what);

/* ---- the pipeline and the engine ---- */

/* Called by the pipeline after the verdict: drops what the (allowed) call changes. */
void shk_proc_apply(struct shk_container *c, struct shk_event *ev, bool allowed);

/* Marks tid as the first process of an exec session (proc.is_exec_session). */
void shk_proc_mark_exec_session(struct shk_container *c, pid_t tid);

/* Which calls reach this container's source whatever their arguments (or cannot be made at all): facts
 * are kept between decisions only if all calls that change them are among them. Without this call
 * nothing of the kind is kept. */
void shk_proc_keep(struct shk_container *c, bool (*notified)(enum shk_call_id id, void *arg),
		   void *arg);
/* The calls a plan should add (they are rare): a decision then costs half a microsecond of state; without
 * them every path costs four, a credential asked for thirty. The working directory is kept only if rename,
 * renameat, renameat2, mount and move_mount are notified as well: they change its name. */
extern const enum shk_call_id shk_proc_calls[];
extern const size_t shk_n_proc_calls;
/* And those that shk_proc_rights needs to be kept. */
extern const enum shk_call_id shk_proc_rights_calls[];
extern const size_t shk_n_proc_rights_calls;

/* Path argument i of the event as an absolute, normalised path inside the container: joined with the
 * cwd or dirfd of the task (readlink of /proc/TID/cwd, /proc/TID/fd/N), "." ".." "//" removed. A task
 * that did chroot inside the container gets the path from the container's root: chroot("/etc")
 * followed by open("/shadow") is "/etc/shadow". Symbolic links are not followed.
 * An empty path with AT_EMPTY_PATH is the descriptor's own.
 * false: unknown (task gone, unreadable). Result in ev->arena, remembered per argument. */
bool shk_event_abs_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret);
/* What a call that starts no program says together with its registers and texts. */
#define SHK_PLACE_COMM	(1u << 2) /* the program's name */
#define SHK_PLACE_NAMES (1u << 8) /* names not counted from a descriptor are what shk_event_abs_path makes of their texts and, */
#define SHK_PLACE_CWD	(1u << 7) /* if they are relative, of the working directory */
struct shk_task_place {
	uint64_t comm[2]; /* the same for the same name alone */
	struct shk_str cwd;
};
/* Fills in what is wanted. false: not known, or names depend on more (the task has a root of its own). */
bool shk_event_place(struct shk_eval_ctx *ctx, unsigned want, struct shk_task_place *ret);
/* The name of the object that path argument i leads to: symbolic links, magic links of /proc and the like
 * are behind it. 1; 0: the call will fail, or the argument names nothing; -errno: it cannot be told
 * (-EREMOTE: a network or FUSE filesystem, which nobody may wait for). */
int shk_event_real_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret);
/* A name as /proc/self/fd shows it, as a path inside the container: without its rootfs's host path. */
struct shk_str shk_container_path(const struct shk_container *c, struct shk_str link);
/* As above for any path text relative to dirfd (AT_FDCWD: cwd); not remembered. */
bool shk_event_join_path(struct shk_eval_ctx *ctx, int dirfd, struct shk_str path,
			 struct shk_str *ret);

/* Forgets what is known of every task; marks of exec sessions stay. For when calls that change facts have passed
 * unseen. Between decisions, with the container's lock. */
void shk_procs_flush(struct shk_container *c);
/* Frees all records of a container (called by shk_container_unref). */
void shk_procs_free(struct shk_container *c);

#endif
