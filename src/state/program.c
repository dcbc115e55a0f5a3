// SPDX-License-Identifier: Apache-2.0
#include "state/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/process_impl.h"
#include "state/walk.h"

static bool is_execveat(const struct shk_event *ev)
{
	return ev->call->id == SHK_CALL_execveat;
}

static int dirfd_of(const struct shk_event *ev)
{
	return is_execveat(ev) ? (int)ev->raw[0] : AT_FDCWD;
}

static const struct shk_arg *path_of(struct shk_event *ev)
{
	return shk_event_arg(ev, is_execveat(ev) ? 1 : 0);
}

/* Errors of a walk that the kernel's own walk meets, too. What root may look at, others may not: EACCES instead of
 * these is a failure as well. */
static int walked(int fd, bool *certain)
{
	*certain = fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EBADF;
	return fd;
}

static int pin(struct shk_eval_ctx *ctx, int dirfd, struct shk_str path, bool follow, bool *certain)
{
	struct shk_proc *task = shk_proc_task_of(ctx);
	char base[64];
	struct shk_walk_from from = { .tid = ctx->ev->tid, .base = base, .follow = follow };

	from.root_dev = ctx->ctr ? ctx->ctr->own_dev : 0;
	from.root_fd = ctx->root_fd;
	*certain = shk_has_long_name(path);
	if (*certain)
		return -ENAMETOOLONG;
	from.tgid = task ? shk_proc_pid(task) : 0;
	if (from.tgid <= 0)
		return -ESRCH;
	if (dirfd == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", (int)from.tid);
	else
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", (int)from.tid, dirfd);
	return walked(shk_walk_find(&from, path), certain);
}

static int pin_descriptor(const struct shk_event *ev, bool *certain)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)ev->tid, dirfd_of(ev));
	fd = open(path, O_PATH | O_CLOEXEC);
	/* ENOENT is said of a task that has gone, too; then nothing runs at all. */
	*certain = fd < 0 && errno == ENOENT;
	return fd < 0 ? (errno == ENOENT ? -EBADF : -errno) : fd;
}

int shk_program_pin(struct shk_eval_ctx *ctx, bool *certain)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg *a = path_of(ev);
	unsigned flags = is_execveat(ev) ? (unsigned)ev->raw[4] : 0;

	*certain = true;
	switch (a->state) {
	case SHK_ARG_OK:
		break;
	case SHK_ARG_TRUNCATED:
		return -ENAMETOOLONG;
	default:
		/* Since 6.11 a null pointer is as good as an empty path (fs/namei.c, getname_uflags). */
		if (a->state != SHK_ARG_NULL || !(flags & AT_EMPTY_PATH))
			return -EFAULT;
	}
	if (a->bytes.n)
		return pin(ctx, dirfd_of(ev), a->bytes, !(flags & AT_SYMLINK_NOFOLLOW), certain);
	if (!(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (dirfd_of(ev) == AT_FDCWD)
		return -EACCES; /* a directory */
	return pin_descriptor(ev, certain);
}

int shk_program_pin_interpreter(struct shk_eval_ctx *ctx, struct shk_str path, bool *certain)
{
	return pin(ctx, AT_FDCWD, path, true, certain);
}

/* All memfds lie on one mount of the kernel's own, which is in no list of mounts. */
bool shk_is_memfd(const struct statx *sx)
{
	static _Atomic uint64_t device; /* major << 32 | minor, 0: not known yet */
	uint64_t dev = (uint64_t)sx->stx_dev_major << 32 | sx->stx_dev_minor;
	uint64_t known = atomic_load(&device);
	_cleanup_close_ int fd = -1;
	struct statx mine;

	if (!known) {
		fd = memfd_create("shrike", MFD_CLOEXEC);
		if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &mine) < 0)
			return false;
		known = (uint64_t)mine.stx_dev_major << 32 | mine.stx_dev_minor;
		atomic_store(&device, known);
	}
	return dev == known;
}

ssize_t shk_program_head(struct shk_eval_ctx *ctx, int fd, const struct statx *sx, void *buf, size_t size)
{
	pid_t init = ctx->ctr ? ctx->ctr->init_pid : 0;
	_cleanup_close_ int f = -1;
	char path[64];
	ssize_t n;

	if (!S_ISREG(sx->stx_mode))
		return -EACCES;
	if (!shk_walk_answers(ctx->ev->tid, init, ctx->ctr ? ctx->ctr->own_dev : 0, fd) && !shk_is_memfd(sx))
		return shk_walk_mounted(ctx->ev->tid, init, fd) ? -EREMOTE : -EXDEV;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* O_NONBLOCK: a lease the container took is not waited for. */
	f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	n = f < 0 ? -1 : pread(f, buf, size, 0);
	return n < 0 ? -errno : n;
}

struct shk_str shk_program_filename(struct shk_event *ev)
{
	const struct shk_arg *a = path_of(ev);
	int dirfd = dirfd_of(ev);
	const char *text;

	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_NULL)
		return (struct shk_str){ NULL, 0 };
	if (a->bytes.n && (a->bytes.p[0] == '/' || dirfd == AT_FDCWD))
		return a->bytes;
	text = a->bytes.n ? shk_arena_printf(ev->arena, "/dev/fd/%d/" SHK_STR_FMT, dirfd,
					     SHK_STR_ARG(a->bytes)) :
			    shk_arena_printf(ev->arena, "/dev/fd/%d", dirfd);
	return text ? shk_str(text) : (struct shk_str){ NULL, 0 };
}

bool shk_program_env_asked(const struct shk_eval_ctx *ctx)
{
	return ctx->proc && ctx->proc->ev && ctx->proc->read_at[SHK_FACT_ENV];
}
