// SPDX-License-Identifier: Apache-2.0
/*
 * path.c - path arguments as absolute names inside the container.
 *
 * What /proc shows of another mount namespace is counted from that namespace's root, which after
 * pivot_root is the container's: such a link is already what is wanted. Only a runtime that does without
 * pivot_root leaves the rootfs's host path in front.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/io.h"
#include "state/process_impl.h"
#include "state/recorded_impl.h"

#define DELETED " (deleted)"

ssize_t shk_proc_readlink(pid_t tid, const char *what, char *buf, size_t size)
{
	char path[SHK_PROC_PATH];
	ssize_t n = readlink(shk_proc_path(path, tid, what), buf, size);

	return n < 0 ? -errno : n;
}

/* Is s the directory `dir` or below it? */
static bool below(struct shk_str s, struct shk_str dir)
{
	return shk_str_starts(s, dir) && (s.n == dir.n || s.p[dir.n] == '/');
}

bool shk_has_long_name(struct shk_str path)
{
	size_t n = 0;

	for (size_t i = 0; i < path.n && n <= NAME_MAX; i++)
		n = path.p[i] == '/' ? 0 : n + 1;
	return n > NAME_MAX;
}

struct shk_str shk_inside(const struct shk_container *c, struct shk_str link)
{
	struct shk_str rootfs = c ? c->rootfs : (struct shk_str){ NULL, 0 };

	while (rootfs.n && rootfs.p[rootfs.n - 1] == '/')
		rootfs.n--;
	if (!rootfs.n || !below(link, rootfs))
		return link;
	if (link.n == rootfs.n)
		return SHK_STR("/");
	return (struct shk_str){ link.p + rootfs.n, link.n - rootfs.n };
}

struct shk_str shk_container_path(const struct shk_container *c, struct shk_str link)
{
	return shk_inside(c, link);
}

struct shk_str shk_undeleted(struct shk_str link, bool deleted)
{
	if (deleted && shk_str_ends(link, SHK_STR(DELETED)))
		link.n -= sizeof(DELETED) - 1;
	return link;
}

/* Appends the components of path to buf[0..n), never going up over buf[0..floor). */
static size_t append(char *buf, size_t floor, size_t n, struct shk_str path)
{
	while (path.n) {
		const char *slash = memchr(path.p, '/', path.n);
		size_t len = slash ? (size_t)(slash - path.p) : path.n;

		if (len == 2 && path.p[0] == '.' && path.p[1] == '.') {
			while (n > floor && buf[--n] != '/')
				;
		} else if (len && !(len == 1 && path.p[0] == '.')) {
			buf[n++] = '/';
			memcpy(buf + n, path.p, len);
			n += len;
		}
		len += slash ? 1 : 0;
		path.p += len;
		path.n -= len;
	}
	return n;
}

/* Which of 16 bytes are slashes with another one behind them, or a dot and then a slash or a dot? These two differ in one bit. */
static shk_bytes_16 odd_slashes(const char *p)
{
	shk_bytes_16 next = shk_load_16(p + 1), third = shk_load_16(p + 2);

	return (shk_load_16(p) == '/') & ((next | 1) == '/') & ((next == '/') | ((third | 1) == '/'));
}

static bool is_odd(struct shk_str path, size_t i)
{
	const char *p = path.p + i;

	return p[0] == '/' && (p[1] == '/' || (p[1] == '.' && (i + 2 == path.n || (p[2] | 1) == '/')));
}

/* No empty component, no "." and none that begins with "..", no slash at the end. */
bool shk_path_is_plain(struct shk_str path)
{
	const char *last = path.p + path.n - 18;
	shk_bytes_16 odd;

	if (path.n < 2 || path.p[path.n - 1] == '/' || is_odd(path, path.n - 2))
		return false;
	if (path.n < 18) {
		for (size_t i = 0; i + 1 < path.n; i++)
			if (is_odd(path, i))
				return false;
		return true;
	}
	odd = odd_slashes(last);
	for (const char *p = path.p; p < last; p += 16)
		odd |= odd_slashes(p);
	return !shk_any_16(odd);
}

struct shk_str shk_path_join(struct shk_str root, struct shk_str base, struct shk_str path, char *buf)
{
	size_t floor, n;

	/* Each component costs at most one byte more than it had. */
	if (root.n + base.n + path.n + 3 > SHK_JOIN_MAX)
		return (struct shk_str){ NULL, 0 };
	/* A working directory outside the root (left by chroot) knows no floor. */
	if (!below(base, root) && base.n && root.n > 1)
		root.n = 0;
	floor = append(buf, 0, 0, root);
	n = append(buf, floor, floor,
		   base.n && root.n > 1 ? (struct shk_str){ base.p + root.n, base.n - root.n } : base);
	n = append(buf, floor, n, path);
	if (!n)
		buf[n++] = '/';
	return (struct shk_str){ buf, n };
}

/* Path of a directory descriptor of the task, or of its working directory. */
static bool base_of(struct shk_proc *task, int dirfd, char *buf, size_t size, struct shk_str *ret)
{
	char what[32], link[64];
	struct statx sx;
	ssize_t n;

	if (dirfd == AT_FDCWD) {
		if (!shk_proc_need(task, SHK_FACT_CWD))
			return false;
		*ret = task->cwd;
		return true;
	}
	if (dirfd < 0)
		return false;
	if (task->rec)
		return shk_recorded_fd_path(task, dirfd, ret);
	snprintf(what, sizeof(what), "fd/%d", dirfd);
	n = shk_proc_readlink(task->tid, what, buf, size);
	/* "socket:[1]" and the like are no directories. */
	if (n <= 0 || (size_t)n >= size || buf[0] != '/')
		return false;
	*ret = (struct shk_str){ buf, (size_t)n };
	if (shk_str_ends(*ret, SHK_STR(DELETED))) {
		snprintf(link, sizeof(link), "/proc/%d/%s", (int)task->tid, what);
		*ret = shk_undeleted(*ret, !statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_NLINK,
						  &sx) && sx.stx_nlink == 0);
	}
	*ret = shk_inside(task->c, *ret);
	return true;
}

/* What is good as it stands. false: it has to be taken apart. */
static bool join_plain(struct shk_eval_ctx *ctx, const struct shk_proc *task, struct shk_str base, struct shk_str path,
		       struct shk_str *ret)
{
	struct shk_str joined;

	if (task->root.n != 1 || !path.n || base.n + path.n >= SHK_PATH_LIMIT)
		return false;
	while (base.n && base.p[base.n - 1] == '/')
		base.n--;
	while (path.n > 2 && path.p[0] == '.' && path.p[1] == '/') {
		path.p += 2;
		path.n -= 2;
	}
	joined = shk_arena_join(ctx->ev->arena, base, '/', path);
	if (!joined.p || joined.p[0] != '/' || !shk_path_is_plain(joined))
		return false;
	*ret = joined;
	return true;
}

/* Not in the way of those that need no room for a path. */
static __attribute__((noinline)) bool join_slowly(struct shk_eval_ctx *ctx, struct shk_proc *task, int dirfd, struct shk_str path,
						  struct shk_str *ret)
{
	struct shk_str base = { "", 0 }, joined;
	char link[SHK_PATH_LIMIT], buf[SHK_JOIN_MAX];

	if (!path.n || path.p[0] != '/') {
		if (!base_of(task, dirfd, link, sizeof(link), &base))
			return false;
		/* Of the working directory it was tried. */
		if (dirfd != AT_FDCWD && join_plain(ctx, task, base, path, ret))
			return true;
	}
	joined = shk_path_join(task->root, base, path, buf);
	if (!joined.p)
		return false;
	*ret = shk_arena_str(ctx->ev->arena, joined);
	return ret->p != NULL;
}

bool shk_event_join_path(struct shk_eval_ctx *ctx, int dirfd, struct shk_str path,
			 struct shk_str *ret)
{
	struct shk_proc *task = shk_proc_task_of(ctx);

	if (!task || !shk_proc_need(task, SHK_FACT_ROOT))
		return false;
	if (path.n && path.p[0] == '/') {
		if (task->root.n == 1 && path.n < SHK_PATH_LIMIT && shk_path_is_plain(path)) {
			*ret = path; /* the event's own */
			return true;
		}
	} else if (dirfd == AT_FDCWD && shk_proc_need(task, SHK_FACT_CWD)) {
		if (join_plain(ctx, task, task->cwd, path, ret))
			return true;
	}
	return join_slowly(ctx, task, dirfd, path, ret);
}

static bool abs_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret)
{
	const struct shk_arg *a = shk_event_arg(ctx->ev, i);
	const struct shk_arg_desc *d = &ctx->ev->call->arg[i];
	int dirfd = d->dirfd_arg >= 0 ? (int)ctx->ev->raw[d->dirfd_arg] : AT_FDCWD;

	if (a->state != SHK_ARG_OK)
		return false;
	/* An empty path names nothing, unless the call says it means the descriptor. */
	if (!a->bytes.n &&
	    (d->flags_arg < 0 || !(ctx->ev->raw[d->flags_arg] & AT_EMPTY_PATH)))
		return false;
	return shk_event_join_path(ctx, dirfd, a->bytes, ret);
}

_Static_assert(SHK_PLACE_COMM == 1u << SHK_FACT_COMM && SHK_PLACE_CWD == 1u << SHK_FACT_CWD &&
	       SHK_PLACE_NAMES == 1u << SHK_FACT_ROOT, "what is wanted are facts");

bool shk_event_place(struct shk_eval_ctx *ctx, unsigned want, struct shk_task_place *ret)
{
	/* Nearly always it is known, and its own. */
	struct shk_proc *task = ctx->proc && !ctx->proc->base ? ctx->proc : shk_proc_task_of(ctx);

	if (!task)
		return false;
	for (unsigned m = task->rec ? 0 : want; m; m &= m - 1)
		(void)shk_proc_need(task, (enum shk_fact)__builtin_ctz(m));
	if ((task->have & want) != want)
		return false;
	/* The length in the byte that is always 0. */
	memcpy(ret->comm, task->comm, sizeof(ret->comm));
	ret->comm[1] |= (uint64_t)task->comm_n << 56;
	ret->cwd = task->cwd;
	return !(want & SHK_PLACE_NAMES) || task->root.n == 1;
}

bool shk_event_abs_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret)
{
	if (!ctx->ev->call || i >= ctx->ev->call->nargs ||
	    ctx->ev->call->arg[i].kind != SHK_ARG_PATH)
		return false;
	if (ctx->abs_path_state[i] == SHK_PATH_UNTRIED)
		ctx->abs_path_state[i] = abs_path(ctx, i, &ctx->abs_path[i]) ?
							       SHK_PATH_KNOWN : SHK_PATH_UNKNOWN;
	*ret = ctx->abs_path[i];
	return ctx->abs_path_state[i] == SHK_PATH_KNOWN;
}
