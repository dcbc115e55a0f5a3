// SPDX-License-Identifier: Apache-2.0
/*
 * real.c - path arguments as the names of the objects they lead to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>

#include "state/process_impl.h"
#include "state/walk.h"

/* Does the call follow a symbolic link in the last place of its argument i? */
static bool follows(struct shk_event *ev, unsigned i)
{
	const struct shk_arg_desc *d = &ev->call->arg[i];
	uint64_t flags = d->flags_arg >= 0 ? ev->raw[d->flags_arg] : 0, mode, resolve;

	switch (ev->call->id) {
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_creat:
		if (shk_event_open_resolve(ev, &resolve) && resolve & RESOLVE_NO_SYMLINKS)
			return false;
		return !shk_event_open_flags(ev, &flags, &mode) ||
		       !(flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL));
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
	case SHK_CALL_unlink:
	case SHK_CALL_unlinkat:
	case SHK_CALL_rmdir:
	case SHK_CALL_mkdir:
	case SHK_CALL_mkdirat:
	case SHK_CALL_mknod:
	case SHK_CALL_mknodat:
	case SHK_CALL_link:
	case SHK_CALL_symlink:
	case SHK_CALL_symlinkat:
	case SHK_CALL_lchown:
	case SHK_CALL_lchown32:
		return false;
	case SHK_CALL_linkat:
		return i == 1 && ev->raw[4] & AT_SYMLINK_FOLLOW;
	case SHK_CALL_umount2:
		return !(ev->raw[1] & UMOUNT_NOFOLLOW);
	default:
		return !(flags & AT_SYMLINK_NOFOLLOW);
	}
}

/* Will the call meet this error, too? */
static bool certain(int err)
{
	return err == ENOENT || err == ENOTDIR || err == ELOOP || err == EINVAL || err == EBADF;
}

int shk_event_real_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_str *ret)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg *a = shk_event_arg(ev, i);
	const struct shk_arg_desc *d = &ev->call->arg[i];
	int dirfd = d->dirfd_arg >= 0 ? (int)ev->raw[d->dirfd_arg] : AT_FDCWD;
	struct shk_proc *task = shk_proc_task_of(ctx);
	char base[64], buf[SHK_PATH_LIMIT + 256];
	struct shk_walk_from from = { .tid = ev->tid, .base = base };
	uint64_t resolve = 0;
	struct shk_str name;
	ssize_t n;

	if (a->state != SHK_ARG_OK || !a->bytes.n || shk_has_long_name(a->bytes))
		return 0;
	if (ctx->recorded) {
		*ret = ev->object ? ev->object[i] : (struct shk_str){ NULL, 0 };
		return ret->p != NULL;
	}
	from.tgid = task ? shk_proc_pid(task) : 0;
	if (from.tgid <= 0)
		return -ESRCH;
	from.init = ev->ctr ? ev->ctr->init_pid : 0;
	from.root_dev = ev->ctr ? ev->ctr->own_dev : 0;
	from.follow = follows(ev, i);
	from.in_root = shk_event_open_resolve(ev, &resolve) && resolve & RESOLVE_IN_ROOT;
	if (dirfd == AT_FDCWD)
		snprintf(base, sizeof(base), "/proc/%d/cwd", (int)ev->tid);
	else
		snprintf(base, sizeof(base), "/proc/%d/fd/%d", (int)ev->tid, dirfd);
	n = shk_walk_name(&from, a->bytes, buf, sizeof(buf));
	if (n < 0)
		return certain((int)-n) ? 0 : (int)n;
	name = shk_inside(ev->ctr, (struct shk_str){ buf, (size_t)n });
	*ret = shk_arena_str(ev->arena, name);
	return ret->p ? 1 : -ENOMEM;
}
