/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - an execve that was allowed runs what was judged, or nothing.
 *
 * The arguments of an execve lie in memory that other threads write to, and its path leads through directories that
 * they rename in. So what was judged is held here (files by pinned descriptors, strings by copies), the call is let
 * go, and what the kernel took is compared before the new program's first instruction. How the kernel is stopped
 * there is a verifier's business: struct shk_exec_verifier.
 *
 * Compared: the file that is loaded (device, inode, mount, name) - of a script the interpreter -, AT_EXECFN, the arguments,
 * and the environment if a rule asked for it. The arguments of a script hold its interpreter's line and its name;
 * which file the interpreter finds under that name when it opens it is another call's question. Not compared: the ELF
 * interpreter (no rule can name it) and the file's contents.
 */
#ifndef SHK_ENFORCE_EXEC_H
#define SHK_ENFORCE_EXEC_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "fields/fields.h"
#include "state/walk.h"

#define SHK_EXEC_FILES 7 /* the one named, and interpreters behind it (BINPRM_MAX_RECURSION, fs/exec.c) */
#define SHK_EXEC_HEAD  256 /* BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h) */

struct shk_exec_file {
	int fd;			/* O_PATH, owned */
	uint64_t dev, ino, mnt; /* dev: major << 32 | minor */
	bool memfd;		/* or another file that is mounted nowhere */
	char *name;		/* as links of /proc show it; owned */
	struct shk_found found;
	struct shk_held_program held; /* the same for an event */
};

/* What was judged. Made by one thread, then handed to another. */
struct shk_exec_judged {
	struct shk_exec_file file[SHK_EXEC_FILES]; /* the last one is loaded */
	unsigned n;
	int err;		/* > 0: the call must fail: nothing that could run was found */
	struct shk_buf argv, env, path; /* strings, each with its NUL */
	bool argv_cut, env_cut; /* the beginning only was read, and judged */
	bool has_argv, has_env, has_path;
};
void shk_exec_judged_free(struct shk_exec_judged *j);
SHK_DEFINE_CLEANUP(struct shk_exec_judged, shk_exec_judged_free)

/* Pins what the event's execve is about to run. Container's lock held, before rules are asked: they are then to
 * be asked about file[0] (ev->program). 0; -errno when it cannot be told what will run: -EREMOTE a filesystem that
 * may not answer, -ENOMEM ... */
int shk_exec_judged_make(struct shk_eval_ctx *ctx, struct shk_exec_judged **ret);
/* The event as the kernel turns it for the interpreter of a script: its program and arguments. false: no
 * script. Lives as long as ctx->ev and j. */
bool shk_exec_as_interpreter(struct shk_event *ev, const struct shk_exec_judged *j, struct shk_event *ret);
/* What rules had read of the environment for a view of the event (a copy with another program or name) is the event's as well:
 * it is read once, and a failure counts. */
void shk_exec_read_back(struct shk_event *ev, const struct shk_event *view);
/* After the rules: what they asked for is to be compared. */
void shk_exec_judged_seal(struct shk_exec_judged *j, const struct shk_eval_ctx *ctx);

/* The "#!" line in the first bytes of a file, as fs/binfmt_script.c reads it; head is padded with zeroes. 1: a
 * script (views into head; arg p NULL: none); 0: none; -ENOEXEC: the kernel refuses it. */
int shk_exec_script_line(const char head[SHK_EXEC_HEAD], struct shk_str *name, struct shk_str *arg);

/* Is process pid, stopped before its first instruction by the calling thread, which traces it, what was judged? 0; 1: it is not, and what holds it in
 * words: "what: judged ..., loaded ..."; -errno: it cannot be told. */
int shk_exec_compare(pid_t pid, const struct shk_exec_judged *j, struct shk_buf *what);

/* ---- verifiers ---- */

struct shk_exec_call {
	pid_t tid;		/* the caller, who waits for its answer */
	const struct shk_exec_judged *judged;
	int (*waits)(void *arg); /* 0: the call still waits for its answer */
	int (*go)(void *arg);	 /* lets it go on; 0, or -errno: nobody waits any more */
	void *arg;
	atomic_bool *signals_end_wait; /* of the listener, learned: a signal ends the wait, and the call begins again */
	struct shk_buf *what;	/* of EXCHANGED, TRACED and UNABLE: in words */
};

enum shk_exec_end {
	SHK_EXEC_RUNS,	    /* what was judged */
	SHK_EXEC_FAILED,    /* the call has failed, or was interrupted and begins anew: nothing runs */
	SHK_EXEC_EXCHANGED, /* something else was loaded, or what cannot be told, and was killed */
	SHK_EXEC_GONE,	    /* the caller died, or no longer waits */
	SHK_EXEC_TRACED,    /* not let go: somebody else traces the caller */
	SHK_EXEC_UNABLE,    /* not let go: it could not be compared */
};

/* A way to stop the kernel between loading a program and running it. */
struct shk_exec_verifier {
	const char *name;
	/* Lets one call go and sees to it that nothing but what was judged runs. Blocks the calling thread, which has
	 * no other task in its care, for as long as the call takes. */
	enum shk_exec_end (*run)(const struct shk_exec_call *c);
};

/* PTRACE_EVENT_EXEC: needs CAP_SYS_PTRACE. The caller is seized with PTRACE_O_EXITKILL: if this process dies before
 * it has compared, nothing unverified goes on. */
extern const struct shk_exec_verifier shk_exec_by_ptrace;

#endif
