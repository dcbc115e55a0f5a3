// SPDX-License-Identifier: Apache-2.0
/*
 * exec.c - the program an execve is about to start, from the call's own arguments.
 *
 * The record lives in the event's arena and is never cached: the call may still fail, and what was
 * loaded is known afterwards only.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "state/process_impl.h"
#include "state/recorded_impl.h"
#include "state/walk.h"

static void know(struct shk_proc *p, enum shk_fact f)
{
	p->have |= 1u << f;
	p->settled |= 1u << f;
	p->read_at[f] = 1;
}

static void take_vec(struct shk_proc *p, unsigned arg, enum shk_fact f, struct shk_strings *to)
{
	const struct shk_arg *a = &p->ev->arg[shk_exec_arg(p->ev, arg)];

	if (a->state != SHK_ARG_OK)
		return;
	to->vec = a->vec;
	know(p, f);
}

/* What is at hand; anything else is looked for once it is asked for. */
static void fill_recorded(struct shk_proc *p)
{
	static const enum shk_fact program[] = { SHK_FACT_COMM, SHK_FACT_EXEPATH, SHK_FACT_EXE };

	take_vec(p, 1, SHK_FACT_ARGV, &p->argv);
	take_vec(p, 2, SHK_FACT_ENV, &p->env);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(program); i++)
		if (shk_rec_program_fact(p, program[i]))
			know(p, program[i]);
}

struct shk_proc *shk_exec_overlay(struct shk_eval_ctx *ctx, struct shk_proc *base)
{
	struct shk_proc *p = SHK_ARENA_NEW(ctx->ev->arena, struct shk_proc);

	if (!p)
		return NULL;
	p->c = base->c;
	p->rec = base->rec;
	p->arena = ctx->ev->arena;
	p->base = base;
	p->ev = ctx->ev;
	p->tid = base->tid;
	p->pidfd = -1;
	if (p->rec)
		fill_recorded(p);
	return p;
}

static int dirfd_of(const struct shk_event *ev)
{
	return ev->call->id == SHK_CALL_execveat ? (int)ev->raw[0] : AT_FDCWD;
}

static const struct shk_arg *path_of(struct shk_event *ev)
{
	return shk_event_arg(ev, shk_exec_arg(ev, 0));
}

/* An empty path names the descriptor itself. */
static bool by_descriptor(struct shk_event *ev)
{
	const struct shk_arg *a = path_of(ev);

	return ev->call->id == SHK_CALL_execveat && (a->state == SHK_ARG_OK || a->state == SHK_ARG_NULL) &&
	       !a->bytes.n && ev->raw[4] & AT_EMPTY_PATH && dirfd_of(ev) != AT_FDCWD;
}

/* Of an execveat without a path: the number of the descriptor, and since 6.14 the file's name
 * (fs/exec.c, comm_from_dentry). */
static bool kernel_names_files(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 14));
}

static void set_comm(struct shk_proc *p, struct shk_str path)
{
	size_t n = path.n;

	while (n && path.p[n - 1] != '/')
		n--;
	path.p += n;
	path.n = SHK_MIN(path.n - n, sizeof(p->comm) - 1);
	shk_proc_set_comm(p, path);
}

static bool read_comm(struct shk_proc *p)
{
	const struct shk_arg *a = path_of(p->ev);
	char num[16];
	int n;

	if (p->rec && shk_rec_program_fact(p, SHK_FACT_COMM))
		return true;
	if (!by_descriptor(p->ev)) {
		if (a->state != SHK_ARG_OK || !a->bytes.n)
			return false;
		set_comm(p, a->bytes);
		return true;
	}
	/* Recorded: the newer way, whatever runs here. */
	if (p->rec || kernel_names_files()) {
		if (!shk_proc_need(p, SHK_FACT_EXEPATH))
			return false;
		set_comm(p, p->exepath);
		return true;
	}
	n = snprintf(num, sizeof(num), "%d", dirfd_of(p->ev));
	set_comm(p, (struct shk_str){ num, (size_t)n });
	return true;
}

static bool read_vec(struct shk_proc *p, unsigned arg, struct shk_strings *ret)
{
	const struct shk_arg *a = shk_event_arg(p->ev, shk_exec_arg(p->ev, arg));

	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED && a->state != SHK_ARG_NULL)
		return false;
	ret->vec = a->vec;
	return true;
}

/* The path as the kernel will walk it: from the task's root, components kept as they are, because
 * ".." behind a symbolic link leads elsewhere. n = 0: unknown. */
static struct shk_str path_from_root(struct shk_eval_ctx *ctx, struct shk_proc *base, char *buf)
{
	const struct shk_arg *a = path_of(ctx->ev);
	struct shk_str start = { "", 0 }, none = { NULL, 0 };
	size_t skip;

	if (a->state != SHK_ARG_OK || !a->bytes.n)
		return none;
	if (a->bytes.p[0] == '/')
		return a->bytes;
	if (!shk_event_join_path(ctx, dirfd_of(ctx->ev), SHK_STR("."), &start))
		return none;
	skip = base->root.n > 1 && shk_str_starts(start, base->root) ? base->root.n : 0;
	start.p += skip;
	start.n -= skip;
	if (start.n + 1 + a->bytes.n >= SHK_PATH_LIMIT)
		return none;
	memcpy(buf, start.p, start.n);
	buf[start.n] = '/';
	memcpy(buf + start.n + 1, a->bytes.p, a->bytes.n);
	return (struct shk_str){ buf, start.n + 1 + a->bytes.n };
}

/* statx and link of the object: of the one that is held already, by the path walked, or through the task's
 * descriptor. */
static bool pin(struct shk_eval_ctx *ctx, struct shk_proc *p, struct statx *sx, char *link,
		struct shk_str *ret)
{
	_cleanup_close_ int fd = -1;
	char buf[SHK_PATH_LIMIT], file[64];
	ssize_t n;

	if (p->ev->program) {
		*sx = *p->ev->program->sx;
		*ret = shk_undeleted(shk_str(p->ev->program->link), sx->stx_nlink == 0);
		return ret->p[0] == '/';
	}
	if (by_descriptor(p->ev)) {
		snprintf(file, sizeof(file), "/proc/%d/fd/%d", (int)p->tid, dirfd_of(p->ev));
	} else {
		struct shk_str path = path_from_root(ctx, p->base, buf);

		fd = path.n ? shk_walk_open(p->tid, path) : -1;
		if (fd < 0)
			return false;
	}
	if (fd >= 0)
		snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (statx(fd >= 0 ? fd : AT_FDCWD, fd >= 0 ? "" : file,
		  (fd >= 0 ? AT_EMPTY_PATH : 0) | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, sx) < 0)
		return false;
	n = readlink(file, link, SHK_PATH_LIMIT);
	if (n <= 0 || n >= SHK_PATH_LIMIT || link[0] != '/')
		return false;
	*ret = shk_undeleted((struct shk_str){ link, (size_t)n }, sx->stx_nlink == 0);
	return true;
}

/* Both facts are of one object, looked at once. */
static bool read_object(struct shk_proc *p, enum shk_fact wanted)
{
	struct shk_eval_ctx ctx = { .ev = p->ev, .ctr = p->c, .proc = p, .proc_tried = true, .program = true,
				    .recorded = p->rec };
	char link[SHK_PATH_LIMIT];
	struct shk_str path;
	struct statx sx;

	if (p->rec && shk_rec_program_fact(p, wanted))
		return true;
	if (!p->rec && pin(&ctx, p, &sx, link, &path)) {
		shk_exe_fill(&p->exe, &sx, path);
		p->exepath = shk_proc_copy(p, p->ev->program_name ? *p->ev->program_name : shk_inside(p->c, path));
		know(p, SHK_FACT_EXE);
		know(p, SHK_FACT_EXEPATH);
		return p->exepath.p != NULL;
	}
	/* Nothing there, or not to be looked at without waiting: the name as given. */
	if (wanted != SHK_FACT_EXEPATH)
		return false;
	if (by_descriptor(p->ev))
		return p->rec && shk_recorded_fd_path(p->base, dirfd_of(p->ev), &p->exepath);
	return shk_event_abs_path(&ctx, shk_exec_arg(p->ev, 0), &p->exepath);
}

bool shk_exec_read(struct shk_proc *p, enum shk_fact f)
{
	switch (f) {
	case SHK_FACT_COMM:
		return read_comm(p);
	case SHK_FACT_ARGV:
		return read_vec(p, 1, &p->argv);
	case SHK_FACT_ENV:
		return read_vec(p, 2, &p->env);
	case SHK_FACT_EXEPATH:
	case SHK_FACT_EXE:
		return read_object(p, f);
	default:
		return false; /* of the task: accessors ask its own record */
	}
}
