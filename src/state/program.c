// SPDX-License-Identifier: Apache-2.0
#include "state/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
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

static struct shk_walk_from whose(const struct shk_eval_ctx *ctx)
{
	return (struct shk_walk_from){ .tid = ctx->ev->tid, .init = ctx->ctr ? ctx->ctr->init_pid : 0,
				       .root_dev = ctx->ctr ? ctx->ctr->own_dev : 0 };
}

static int pin(struct shk_eval_ctx *ctx, int dirfd, struct shk_str path, bool follow, struct shk_found *found, bool *certain)
{
	struct shk_proc *task = shk_proc_task_of(ctx);
	char base[64] = "";
	struct shk_walk_from from = whose(ctx);

	from.base = base;
	from.follow = follow;
	from.root_fd = ctx->root_fd;
	*certain = shk_has_long_name(path);
	if (*certain)
		return -ENAMETOOLONG;
	from.tgid = task ? shk_proc_pid(task) : 0;
	if (from.tgid <= 0)
		return -ESRCH;
	if (dirfd == AT_FDCWD)
		shk_proc_path(base, from.tid, "cwd");
	else if (path.p[0] != '/')
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", (int)from.tid, dirfd);
	return walked(shk_walk_find(&from, path, found), certain);
}

static int pin_descriptor(struct shk_eval_ctx *ctx, struct shk_found *found, bool *certain)
{
	const struct shk_event *ev = ctx->ev;
	const struct shk_walk_from from = whose(ctx);
	_cleanup_close_ int fd = -1;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)ev->tid, dirfd_of(ev));
	fd = open(path, O_PATH | O_CLOEXEC);
	/* ENOENT is said of a task that has gone, too; then nothing runs at all. */
	*certain = fd < 0 && errno == ENOENT;
	if (fd < 0)
		return errno == ENOENT ? -EBADF : -errno;
	r = shk_walk_look(&from, fd, found);
	return r < 0 ? r : TAKE_FD(fd);
}

int shk_program_pin(struct shk_eval_ctx *ctx, struct shk_found *found, bool *certain)
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
		return pin(ctx, dirfd_of(ev), a->bytes, !(flags & AT_SYMLINK_NOFOLLOW), found, certain);
	if (!(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (dirfd_of(ev) == AT_FDCWD)
		return -EACCES; /* a directory */
	return pin_descriptor(ctx, found, certain);
}

int shk_program_pin_interpreter(struct shk_eval_ctx *ctx, struct shk_str path, struct shk_found *found, bool *certain)
{
	return pin(ctx, AT_FDCWD, path, true, found, certain);
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

/* Programs that were read before: no scripts. A file that was changed has another time of change, but for changes within the same
 * tick, so one that was changed just now is not kept. */
#define KEPT_AFTER_S 2

struct program {
	uint64_t dev, ino, ctime_ns, size;
};
static struct {
	pthread_mutex_t lock;
	struct program of[64]; /* all zeroes: none */
} read_before = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct program identity(const struct statx *sx)
{
	return (struct program){ .dev = (uint64_t)sx->stx_dev_major << 32 | sx->stx_dev_minor, .ino = sx->stx_ino, .size = sx->stx_size,
				 .ctime_ns = (uint64_t)sx->stx_ctime.tv_sec * 1000000000u + sx->stx_ctime.tv_nsec };
}

static struct program *place_of(const struct program *p)
{
	return &read_before.of[(p->ino ^ p->dev >> 32) % SHK_ARRAY_SIZE(read_before.of)];
}

static bool was_read(const struct program *p)
{
	bool same;

	pthread_mutex_lock(&read_before.lock);
	same = !memcmp(place_of(p), p, sizeof(*p));
	pthread_mutex_unlock(&read_before.lock);
	return same;
}

static void keep(const struct program *p)
{
	if (shk_now_real() < p->ctime_ns + KEPT_AFTER_S * 1000000000u)
		return;
	pthread_mutex_lock(&read_before.lock);
	*place_of(p) = *p;
	pthread_mutex_unlock(&read_before.lock);
}

ssize_t shk_program_head(struct shk_eval_ctx *ctx, int fd, const struct shk_found *found, void *buf, size_t size)
{
	const struct program p = identity(&found->sx);
	_cleanup_close_ int f = -1;
	char path[SHK_PROC_PATH];
	ssize_t n;

	if (!S_ISREG(found->sx.stx_mode))
		return -EACCES;
	if (!found->answers && !shk_is_memfd(&found->sx))
		return shk_walk_mounted(ctx->ev->tid, ctx->ctr ? ctx->ctr->init_pid : 0, fd) ? -EREMOTE : -EXDEV;
	if (was_read(&p)) {
		memcpy(buf, SHK_PROGRAM_ELF, sizeof(SHK_PROGRAM_ELF) - 1);
		return sizeof(SHK_PROGRAM_ELF) - 1;
	}
	/* O_NONBLOCK: a lease the container took is not waited for. */
	f = open(shk_fd_path(path, fd), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	n = f < 0 ? -1 : pread(f, buf, size, 0);
	if (n >= (ssize_t)sizeof(SHK_PROGRAM_ELF) - 1 && !memcmp(buf, SHK_PROGRAM_ELF, sizeof(SHK_PROGRAM_ELF) - 1))
		keep(&p);
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
