/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_impl.h - the process record, shared by the files of this folder alone.
 *
 * A fact is read by shk_proc_need, which decides whether what is there may still be used. Cached
 * records own their strings (malloc, counted); records of one event (host tasks, programs to come)
 * take everything from the event's arena.
 */
#ifndef SHK_STATE_PROCESS_IMPL_H
#define SHK_STATE_PROCESS_IMPL_H

#include "state/process.h"

enum shk_fact {
	SHK_FACT_STAT,	   /* /proc/TID/stat */
	SHK_FACT_STATUS,   /* /proc/TID/status */
	SHK_FACT_COMM,	   /* from stat, kept longer */
	SHK_FACT_ARGV,
	SHK_FACT_ENV,
	SHK_FACT_EXEPATH,
	SHK_FACT_EXE,
	SHK_FACT_CWD,
	SHK_FACT_ROOT,	   /* as readlink shows it, less the container's rootfs */
	SHK_FACT_ROOT_ID,
	SHK_FACT_RIGHTS,   /* groups and file mode mask, of status, too */
	SHK_FACT_LOGINUID,
	SHK_FACT_NS,	   /* the first of SHK_NS_N facts, by enum shk_ns */
	SHK_FACT_NS_LAST = SHK_FACT_NS + SHK_NS_N - 1,
	SHK_FACT_N
};

/* Kinds of facts that may be kept between decisions: struct shk_procs.keep. */
#define SHK_KEEP_PROGRAM 1u
#define SHK_KEEP_FS	 2u
#define SHK_KEEP_CREDS	 4u
#define SHK_KEEP_NS	 8u
#define SHK_KEEP_NAMES	 16u	/* of directories: they are renamed by calls a plan rarely watches */
#define SHK_KEEP_RIGHTS	 32u	/* groups, mode mask: watched where calls are carried out for the task */

/* Facts of a process outside the container are believed for this long: its calls are not seen. */
#define SHK_OUTSIDE_NS 1000000000u

struct shk_strings {	/* argv, environ */
	char *bytes;	/* owned */
	size_t size;
	struct shk_strvec vec; /* vec.v is owned */
};

struct shk_proc {
	struct shk_container *c; /* NULL: of the host, lives in arena */
	struct shk_recorded *rec; /* NULL: live; else nothing is ever read but from this */
	struct shk_arena *arena; /* NULL: cached, owns its memory */
	struct shk_proc *base;	 /* program to come: the task's record */
	struct shk_event *ev;	 /* program to come */
	struct shk_proc *newer, *older; /* order of use */
	struct shk_proc *parent; /* of decision parent_at, may be NULL */
	uint64_t parent_at;
	uint64_t serial;	 /* of this record, never reused in a container; 0: in an arena */
	uint64_t parent_serial;	 /* of the record that was the parent when ppid was read */
	pid_t tid;
	int pidfd;		 /* -1: none; validated by start instead */
	unsigned held;		 /* its place in shk_procs.held */
	size_t bytes;		 /* memory beyond the record */
	uint64_t made;		 /* decision in which it was */
	uint64_t checked;	 /* decision in which it was seen alive */
	uint64_t alive_ns;	 /* when the kernel was asked last */
	bool dead;
	bool leader;		 /* known to be the first thread of its process */
	bool inside;		 /* made a call of its own: everything it does is notified */
	unsigned pending;	 /* SHK_KEEP_*: its last call changes these before its next one */
	bool session;		 /* belongs to an exec session */

	uint64_t read_at[SHK_FACT_N]; /* decision of the last attempt, 0: never */
	uint64_t fs_epoch;	 /* of shk_procs when cwd and root were read */
	uint64_t read_ns;	 /* outside: no fact kept is older than this time */
	uint32_t have;		 /* bit per fact: known */
	uint32_t settled;	 /* bit per fact: known or not, it stays so: in this decision, or as long as the record lives (arena, rec) */

	/* stat */
	char comm[16];		 /* the rest is zeroes */
	uint8_t comm_n;
	pid_t ppid, pgid, sid;
	uint32_t tty;
	uint64_t start;		 /* clock ticks since boot, 0: not read */
	/* status */
	pid_t tgid, vtid, vpid, vpgid, vsid;
	uint32_t nthreads;
	bool has_vm;		 /* kernel threads have no memory of their own */
	uint64_t vm_size, vm_rss, vm_swap; /* KiB */
	struct shk_proc_creds creds;
	/* the rest */
	struct shk_strings argv, env;
	struct shk_str exepath, cwd, root; /* owned */
	struct shk_proc_exe exe;
	dev_t root_dev;
	ino_t root_ino;
	uint64_t root_mnt;
	struct shk_proc_rights rights;
	uint32_t loginuid;
	ino_t ns[SHK_NS_N];
	/* recorded */
	uint64_t start_ns;	 /* since the epoch, 0: unknown */
	bool has_tty, has_upper, upper_layer;
};

#define SHK_HELD_MAX  256 /* pidfds per container */
#define SHK_MARKS_MAX 64

#define SHK_WAITS_MAX 16

/*
 * A call that was let go changes directories later, and tasks may share them (CLONE_FS): between its
 * verdict and its effect another task's event may read the old ones. So while such a call is under
 * way no directory of the container is kept, and what was read meanwhile is void when it is over.
 */
struct shk_wait {
	pid_t tid;
	int32_t nr;
	uint64_t looked_ns;
};

struct shk_procs {
	uint64_t decision, serial;
	uint64_t usage_asked, streams_asked; /* decisions */
	unsigned keep;
	unsigned kept_of;	/* the keep of which `kept` was made */
	uint32_t kept;		/* bit per fact: one that keep keeps */
	struct shk_proc *newest, *oldest;
	size_t bytes;
	struct shk_str upper;	/* upper directory of the root's overlay; p NULL: not read, n = 0: none */
	uint64_t upper_mnt;
	struct shk_proc *held[SHK_HELD_MAX];
	unsigned n_held, hand;
	struct shk_wait wait[SHK_WAITS_MAX];
	unsigned n_waits;
	bool fs_never;		/* more calls under way than can be remembered */
	uint64_t fs_epoch;
	struct { pid_t tid; uint64_t start; } mark[SHK_MARKS_MAX];
	unsigned n_marks;	/* ever; the last SHK_MARKS_MAX count */
};

/* ---- cache.c ---- */
struct shk_procs *shk_procs_of(struct shk_container *c);
/* The record of a live task; created if need be. NULL: gone, or no memory. */
struct shk_proc *shk_procs_get(struct shk_container *c, pid_t tid);
/* The record if it is cached, unchecked. */
struct shk_proc *shk_procs_peek(struct shk_container *c, pid_t tid);
struct shk_proc *shk_proc_in_arena(struct shk_arena *arena, pid_t tid);
bool shk_proc_alive(struct shk_proc *p);
/* Memory of a record, counted; from the arena for records of one event. NULL: none. */
void *shk_proc_alloc(struct shk_proc *p, size_t n);
void shk_proc_release(struct shk_proc *p, void *mem, size_t n);
struct shk_str shk_proc_copy(struct shk_proc *p, struct shk_str s);
void shk_proc_drop(struct shk_proc *p, enum shk_fact f);
bool shk_procs_marked(const struct shk_procs *s, pid_t tid, uint64_t start);

/* ---- facts.c ---- */
struct statx;
void shk_exe_fill(struct shk_proc_exe *e, const struct statx *sx, struct shk_str link);
bool shk_proc_look(struct shk_proc *p, enum shk_fact f);
/* A new decision, and the task's first use in it: what was settled in the last one is to be looked at again, unless it cannot have changed. */
void shk_proc_begin_decision(struct shk_proc *p);
/* Makes the fact present if it can be known. false: unknown. */
static inline bool shk_proc_need(struct shk_proc *p, enum shk_fact f)
{
	return p->settled >> f & 1 ? p->have >> f & 1 : shk_proc_look(p, f);
}

/* ---- read.c: one /proc file into the record. false: unreadable ---- */
/* A file of /proc/TID up to size bytes; its length or -1. */
ssize_t shk_read_proc(pid_t tid, const char *file, char *buf, size_t size);
bool shk_read_stat(struct shk_proc *p);
bool shk_read_status(struct shk_proc *p);
bool shk_read_strings(struct shk_proc *p, const char *file, struct shk_strings *ret);
bool shk_read_loginuid(struct shk_proc *p);
/* Texts of the two files; exposed for tests. */
bool shk_parse_stat(struct shk_str text, struct shk_proc *p);
bool shk_parse_status(struct shk_str text, struct shk_proc *p);

/* ---- usage.c: texts of files, for tests ---- */
struct shk_proc_thread;
bool shk_parse_thread(struct shk_str stat, struct shk_proc_thread *ret);
bool shk_parse_fd_limit(struct shk_str limits, int64_t *ret);

/* ---- process.c ---- */
/* Status of this very decision. */
bool shk_proc_fresh_status(struct shk_proc *p);

/* Of at most 15 bytes. */
static inline void shk_proc_set_comm(struct shk_proc *p, struct shk_str name)
{
	memset(p->comm, 0, sizeof(p->comm));
	if (name.n)
		memcpy(p->comm, name.p, name.n);
	p->comm_n = (uint8_t)name.n;
}

/* ---- stamp.c ---- */
void shk_proc_usage_asked(struct shk_proc *p);

/* ---- apply.c ---- */
/* The task makes its next call: what the last one changed is dropped. */
void shk_proc_settle(struct shk_proc *p);
/* Some call that changes directories may still be under way. */
bool shk_procs_fs_unsettled(struct shk_procs *s);

/* ---- path.c ---- */
/* readlink of a /proc link: bytes in buf (not terminated), or -errno. */
ssize_t shk_proc_readlink(pid_t tid, const char *what, char *buf, size_t size);
/* A component longer than any name can be (NAME_MAX): every call with the path fails. */
bool shk_has_long_name(struct shk_str path);
/* Link text as a path inside the container. */
struct shk_str shk_inside(const struct shk_container *c, struct shk_str link);
/* Removes " (deleted)" if nlink says so. */
struct shk_str shk_undeleted(struct shk_str link, bool deleted);
/* Would it be left as it is? false, too, where that is not plain to see. path begins with a slash. */
bool shk_path_is_plain(struct shk_str path);
/* Normalises base + "/" + path below root; buf holds SHK_JOIN_MAX bytes. n = 0: too long. */
#define SHK_JOIN_MAX (3 * SHK_PATH_LIMIT)
struct shk_str shk_path_join(struct shk_str root, struct shk_str base, struct shk_str path, char *buf);

/* ---- upper.c ---- */
/* Upper directory and mount id of the overlay at "/", NUL-terminated; length, 0: none. */
size_t shk_parse_upper(struct shk_str mountinfo, char *path, size_t size, uint64_t *ret_mnt_id);

/* ---- exec.c ---- */
struct shk_proc *shk_exec_overlay(struct shk_eval_ctx *ctx, struct shk_proc *base);
/* Reads a fact of a program to come. */
bool shk_exec_read(struct shk_proc *p, enum shk_fact f);

#endif
