/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded_impl.h - recorded state, shared by the files of this folder alone.
 *
 * A task's record is a struct shk_proc whose `have` says what is known; its strings are malloc'ed. Tables
 * of descriptors are shared by reference count, as CLONE_FILES shares them.
 */
#ifndef SHK_STATE_RECORDED_IMPL_H
#define SHK_STATE_RECORDED_IMPL_H

#include "state/descriptor.h"
#include "state/process_impl.h"
#include "state/recorded.h"
#include "state/users.h"

struct shk_rec_fd {
	struct shk_fd_facts facts; /* its texts are owned */
	bool cloexec;
};

struct shk_rec_files {
	unsigned refs;
	struct shk_map by_num; /* number -> struct shk_rec_fd */
};

/* What usage.c reads of a live task. */
struct shk_rec_usage {
	bool has_memory, has_thread, has_fds, has_limit;
	struct shk_proc_memory memory;
	struct shk_proc_thread thread;
	uint64_t fds;
	int64_t fd_limit;
	struct shk_str cgroups; /* owned */
};

struct shk_rec_task {
	struct shk_proc p; /* first */
	struct shk_rec_files *files; /* NULL: none known */
	struct shk_rec_usage *usage; /* NULL: not known */
	struct shk_proc *next; /* what its next execve starts: comm, exepath, exe; NULL: not known */
};

struct shk_recorded {
	struct shk_map tasks;	   /* tid -> struct shk_rec_task */
	struct shk_map containers; /* full id (owned by the container) -> struct shk_container, one reference */
	struct shk_map users, groups; /* container's key << 32 | id; the host's key is 0 */
	struct shk_arena names;	   /* of users and groups */
	struct shk_str hostname; /* owned; p NULL: not known */
	uint64_t last_key;
	size_t n_tasks, n_fds, n_containers;
	uint64_t generation; /* of tasks: another one whenever some came or went */
};

/* ---- recorded.c ---- */
const struct shk_user *shk_recorded_user(struct shk_recorded *r, const struct shk_container *c, uid_t uid);
const struct shk_group *shk_recorded_group(struct shk_recorded *r, const struct shk_container *c, gid_t gid);
/* A member that is a number up to max: 1; absent: 0; -EBADMSG. */
int shk_rec_number(const struct shk_text_record *rec, const char *name, uint64_t max, uint64_t *ret,
		   struct shk_err *err);
/* true, false, 1, 0: as above. */
int shk_rec_bool(const struct shk_text_record *rec, const char *name, bool *ret, struct shk_err *err);
int shk_rec_time(const struct shk_text_record *rec, const char *name, uint64_t *ret, struct shk_err *err);
/* Is the member of this shape? -EBADMSG says so. */
int shk_rec_bad(const struct shk_text_pair *pair, const char *what, struct shk_err *err);

/* ---- recorded_task.c ---- */
bool shk_recorded_upper(const struct shk_proc *p, bool *ret);
struct shk_proc *shk_recorded_task(struct shk_recorded *r, pid_t tid);
struct shk_rec_task *shk_rec_task(struct shk_recorded *r, pid_t tid);
/* An empty record under tid, in place of one that is there. NULL: no memory, or too many. */
struct shk_rec_task *shk_rec_task_new(struct shk_recorded *r, pid_t tid);
void shk_rec_task_drop(struct shk_recorded *r, struct shk_rec_task *t);
int shk_rec_usage_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err);
void shk_rec_usage_drop(struct shk_rec_task *t);
/* NULL: not known. */
const struct shk_rec_usage *shk_rec_usage_of(const struct shk_proc *p);
/* A record of the program that the task's next execve starts. */
int shk_rec_program_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err);
/* Fills a fact of an overlay from it. false: the line did not say. */
bool shk_rec_program_fact(struct shk_proc *overlay, enum shk_fact f);
void shk_rec_program_drop(struct shk_rec_task *t);
int shk_rec_task_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err);
/* A copy of all facts under another tid; descriptors are not part of it. */
struct shk_rec_task *shk_rec_task_copy(struct shk_recorded *r, const struct shk_rec_task *from, pid_t tid);
/* An owned copy in place of what was there; false: no memory, and then there is nothing. */
bool shk_rec_set_str(struct shk_str *to, struct shk_str s);
bool shk_rec_set_vec(struct shk_strings *to, const struct shk_strvec *v, const struct shk_str *first);
void shk_rec_set_comm(struct shk_proc *p, struct shk_str name);
/* Sets or clears what is known of a fact. */
void shk_rec_know(struct shk_proc *p, enum shk_fact f, bool known);

/* ---- recorded_fd.c ---- */
/* As shk_fd_facts, and the path of a descriptor as base of others. */
bool shk_recorded_fd(struct shk_proc *task, int fd, struct shk_arena *arena, struct shk_fd_facts *ret);
bool shk_recorded_fd_path(struct shk_proc *task, int fd, struct shk_str *ret);
int shk_rec_fd_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err);
struct shk_rec_fd *shk_rec_fd_get(const struct shk_rec_task *t, int fd);
/* Puts a copy of the facts. false: no memory, or too many. */
bool shk_rec_fd_set(struct shk_recorded *r, struct shk_rec_task *t, int fd, const struct shk_fd_facts *f,
		    bool cloexec);
void shk_rec_fd_close(struct shk_recorded *r, struct shk_rec_task *t, int fd);
/* Closes those from first to last; only_cloexec: that are marked so. */
void shk_rec_fd_close_range(struct shk_recorded *r, struct shk_rec_task *t, uint32_t first, uint32_t last,
			    bool only_cloexec);
void shk_rec_name_socket(struct shk_fd_facts *f, struct shk_arena *arena);
void shk_rec_files_drop(struct shk_recorded *r, struct shk_rec_task *t);
/* to shares the table of from. */
void shk_rec_files_share(struct shk_rec_task *to, struct shk_rec_task *from);
/* to gets a table of its own like that of from (which may be itself). */
void shk_rec_files_copy(struct shk_recorded *r, struct shk_rec_task *to, struct shk_rec_task *from);

/* ---- recorded_open.c: descriptors that calls give ---- */
void shk_rec_made_fd(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t);

/* ---- descriptor.c ---- */
void shk_fd_name_socket(struct shk_fd_facts *f, struct shk_arena *arena);
bool shk_fd_guess_server(const struct shk_fd_facts *f);

#endif
