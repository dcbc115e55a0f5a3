// SPDX-License-Identifier: Apache-2.0
#include "enforce/open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/bar.h"
#include "enforce/deputy.h"
#include "enforce/device.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* linux/openat2.h, since 5.12 */
#endif

/* ---- what the call asks for ---- */

#define USUAL (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | \
	       O_NOCTTY | O_LARGEFILE)

/* The kernel says itself whether it would take the flags: they are looked at before the path, and an empty path
 * is not found. */
static int check_flags(struct shk_eval_ctx *ctx, const struct shk_open *o)
{
	const struct shk_arg *how = o->is_openat2 ? shk_event_arg(ctx->ev, 2) : NULL;
	long r;

	if (!how) {
		if (!(o->flags & ~(uint64_t)USUAL) && (o->flags & O_ACCMODE) != O_ACCMODE)
			return 0;
		r = syscall(SYS_openat, -1, "", (int)o->flags, (mode_t)o->mode);
	} else {
		if (how->state == SHK_ARG_FAULT || how->state == SHK_ARG_NULL)
			return EFAULT;
		r = syscall(SYS_openat2, -1, "", how->bytes.p, how->bytes.n);
	}
	if (r >= 0)
		close((int)r);
	return r < 0 && errno == ENOENT ? 0 : errno;
}

static enum shk_pinned fails(struct shk_open *o, int err)
{
	o->err = err;
	return SHK_PINNED_ERROR;
}

static enum shk_pinned unable(struct shk_open *o, const char *why)
{
	o->why = why;
	return SHK_PINNED_UNABLE;
}

static bool writes(const struct shk_open *o)
{
	return (o->flags & O_ACCMODE) != O_RDONLY || o->flags & (O_CREAT | O_TRUNC);
}

/* Of a later kernel's struct what is not known here must be zero (copy_struct_from_user). */
static int check_size(struct shk_event *ev)
{
	size_t known = sizeof(struct open_how);
	unsigned char *rest;

	if (ev->raw[3] < known)
		return EINVAL;
	if (ev->raw[3] > 4096)
		return E2BIG;
	rest = shk_arena_alloc_raw(ev->arena, ev->raw[3] - known + 1);
	if (!rest)
		return ENOMEM;
	if (shk_event_read(ev, ev->raw[2] + known, rest, ev->raw[3] - known) < 0)
		return EFAULT;
	for (size_t i = 0; i < ev->raw[3] - known; i++)
		if (rest[i])
			return E2BIG;
	return 0;
}

static enum shk_pinned read_call(struct shk_eval_ctx *ctx, struct shk_open *o)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg *path = shk_event_arg(ev, (unsigned)shk_event_path_arg(ev));
	int e;

	o->is_openat2 = ev->call->id == SHK_CALL_openat2;
	e = o->is_openat2 ? check_size(ev) : 0;
	if (e)
		return fails(o, e);
	if (!shk_event_open_flags(ev, &o->flags, &o->mode))
		return fails(o, EFAULT);
	if (o->is_openat2 && !shk_event_open_resolve(ev, &o->resolve))
		return fails(o, EFAULT);
	/* Of an O_PATH descriptor nothing can be read; what is opened through it is judged then. The flags of
	 * openat2 lie in memory and may be others by the time the kernel reads them. */
	if (o->flags & O_PATH)
		return o->is_openat2 ? fails(o, ENOSYS) : SHK_PINNED_HARMLESS;
	e = check_flags(ctx, o);
	if (e)
		return fails(o, e);
	if (path->state == SHK_ARG_TRUNCATED)
		return fails(o, ENAMETOOLONG);
	if (path->state != SHK_ARG_OK)
		return fails(o, EFAULT);
	return path->bytes.n ? SHK_PINNED_OBJECT : fails(o, ENOENT);
}

/* ---- opening it ---- */

/* fs/namei.c, may_create_in_sticky: files of others are not opened by those who meant to make them. */
static int may_meet(const struct shk_open *o)
{
	struct stat dir, st;
	bool fifo;
	int level;

	if (!(o->flags & O_CREAT) || o->pin.dir < 0 || !(S_ISFIFO(o->sx.stx_mode) || S_ISREG(o->sx.stx_mode)))
		return 0;
	if (fstat(o->pin.dir, &dir) < 0 || fstat(o->pin.fd, &st) < 0)
		return -errno;
	fifo = S_ISFIFO(st.st_mode);
	if (!(dir.st_mode & S_ISVTX) || (!fifo && !S_ISREG(st.st_mode)) ||
	    shk_same_user(o->from.in_users, st.st_uid, dir.st_uid) ||
	    shk_same_user(o->from.in_users, st.st_uid, o->caller.fsuid))
		return 0;
	level = shk_fs_protected(fifo ? "fifos" : "regular");
	return (level >= 1 && dir.st_mode & S_IWOTH) || (level >= 2 && dir.st_mode & S_IWGRP) ? -EACCES : 0;
}

static int open_pinned(const struct shk_actor *a, const struct shk_open *o)
{
	uint64_t flags = (o->flags & ~(uint64_t)(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_NOCTTY;
	char text[16] = "", *name = text + sizeof(text) - 1;
	int r = may_meet(o);
	long fd;

	if (r < 0)
		return r;
	/* printf and the C library's points of cancellation take a tenth of the time this takes. */
	for (unsigned n = (unsigned)o->pin.fd; n || !*name; n /= 10)
		*--name = (char)('0' + n % 10);
	fd = syscall(SYS_openat, a->fds, name, (int)flags | O_CLOEXEC, (mode_t)o->mode);
	return fd < 0 ? -errno : (int)fd;
}

/* Files about which nobody asks later what the opener's capabilities were. Their f_cred is looked at by no one
 * (file_ns_capable's callers are procfs, sysctl, control groups and the like). */
static bool is_plain(const struct shk_open *o)
{
	return (S_ISREG(o->sx.stx_mode) || S_ISDIR(o->sx.stx_mode)) && shk_fs_is_plain(o->fs);
}

static bool changes_nothing(const struct shk_open *o)
{
	return (o->flags & O_ACCMODE) == O_RDONLY && !(o->flags & (O_CREAT | O_TRUNC)) &&
	       (o->flags & O_TMPFILE) != O_TMPFILE;
}

bool shk_open_changes_nothing(const struct shk_open *o)
{
	return o->blind || (changes_nothing(o) && !o->pin.missing && o->looked && is_plain(o));
}

/* ---- the walk ---- */

/* The kernel's own walk keeps to what openat2 asks for. A walk that would leave the start for the root, or meet
 * "self" in procfs, which means us there, is refused as if the kernel knew no openat2: programs then use openat. */
static int pin_restricted(struct shk_actor *a, struct shk_open *o, struct shk_str path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | (o->flags & O_NOFOLLOW),
				.resolve = o->resolve | RESOLVE_CACHED };
	int dir = o->base >= 0 ? o->base : o->from.root_fd;
	struct shk_pin warm;
	char text[SHK_PATH_LIMIT];
	long fd = -1;
	int r;

	if (o->flags & O_CREAT || path.n >= sizeof(text))
		return -ENOSYS;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	if (!(o->resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)))
		how.resolve |= o->base >= 0 ? RESOLVE_BENEATH : RESOLVE_IN_ROOT;
	for (unsigned i = 0; i < 2; i++) {
		fd = syscall(SYS_openat2, dir, text, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN || i)
			break;
		/* Brings the names into the cache, with care for filesystems that may not answer. */
		if (shk_walk_pin(&o->from, path, &warm) == 0)
			shk_pin_done(&warm);
		a->seen_fd = -1;
	}
	if (fd < 0 && errno == EAGAIN)
		return o->resolve & RESOLVE_CACHED ? -EAGAIN : -ENOSYS;
	/* "self" of procfs is nothing for us. */
	if (fd < 0 && errno == ENOENT) {
		r = shk_walk_pin(&o->from, path, &warm);
		fd = r == 0 && !warm.missing ? -ENOSYS : -ENOENT;
		shk_pin_done(&warm);
		a->seen_fd = -1;
		return (int)fd;
	}
	if (fd < 0)
		return errno == EXDEV && !(o->resolve & (RESOLVE_BENEATH | RESOLVE_NO_XDEV)) ? -ENOSYS : -errno;
	o->pin = (struct shk_pin){ .fd = (int)fd, .dir = -1, .doubtful = true };
	o->looked = shk_actor_look(a, &o->from, o->pin.fd, &o->sx, &o->fs) == 0;
	if (o->looked && o->fs != PROC_SUPER_MAGIC)
		return 0;
	shk_pin_done(&o->pin);
	return -ENOSYS;
}

static int walk(struct shk_actor *a, struct shk_open *o, struct shk_str path)
{
	int r = o->resolve ? shk_rights_wear(a->rights, &o->caller) : shk_rights_search(a->rights, &o->caller);

	if (r < 0)
		return r;
	shk_actor_acts(a);
	r = o->resolve ? pin_restricted(a, o, path) : shk_walk_pin(&o->from, path, &o->pin);
	/* Capabilities are changed once, not twice, where what comes next may come now. */
	if (r == 0 && shk_rights_on(a->rights) && changes_nothing(o) && !o->pin.missing &&
	    shk_actor_look(a, &o->from, o->pin.fd, &o->sx, &o->fs) == 0) {
		o->looked = true;
		if (is_plain(o))
			o->early = open_pinned(a, o);
	}
	shk_rights_own(a->rights);
	if (shk_deputy_helps(a, r))
		return o->resolve ? -ENOSYS : shk_deputy_walk(a, &o->caller, &o->from, path, &o->pin);
	return r;
}

/* ---- what was found ---- */

/* /dev/tty is the terminal of whoever opens it: the task's, by its own name. */
static enum shk_pinned own_terminal(struct shk_eval_ctx *ctx, struct shk_open *o)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
	uint32_t tty = 0;
	char path[64];
	struct stat st;
	dev_t dev;
	int fd;

	if (!shk_proc_tty(shk_proc_task_of(ctx), &tty) || !tty)
		return fails(o, ENXIO);
	/* As /proc/PID/stat writes it (include/linux/kdev_t.h, new_encode_dev). */
	dev = makedev(tty >> 8 & 0xfff, (tty & 0xff) | (tty >> 12 & 0xfff00));
	if (major(dev) < 136 || major(dev) > 143)
		return unable(o, "its terminal cannot be opened by another task");
	snprintf(path, sizeof(path), "dev/pts/%u", (major(dev) - 136) * 256 + minor(dev));
	fd = (int)syscall(SYS_openat2, o->from.root_fd, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_rdev != dev) {
		shk_close(&fd);
		return unable(o, "its terminal has no name in the container");
	}
	shk_close(&o->pin.fd);
	o->pin.fd = fd;
	o->sx.stx_rdev_major = major(dev);
	o->sx.stx_rdev_minor = minor(dev);
	return SHK_PINNED_OBJECT;
}

static bool is_null(const struct statx *sx)
{
	return S_ISCHR(sx->stx_mode) && sx->stx_rdev_major == 1 && sx->stx_rdev_minor == 3;
}

bool shk_open_is_null(const struct shk_open *o)
{
	return !o->pin.missing && o->looked && is_null(&o->sx);
}

static enum shk_pinned device(struct shk_eval_ctx *ctx, struct shk_open *o)
{
	dev_t dev = makedev(o->sx.stx_rdev_major, o->sx.stx_rdev_minor);
	unsigned mode = o->flags & O_ACCMODE;
	struct shk_str groups;

	if (S_ISCHR(o->sx.stx_mode) && dev == makedev(5, 0))
		return own_terminal(ctx, o);
	if (shk_device_is_everybodys(o->sx.stx_mode & S_IFMT, dev))
		return SHK_PINNED_OBJECT;
	groups = shk_proc_cgroups(shk_proc_task_of(ctx), ctx->ev->arena);
	if (shk_device_allowed(groups.p ? groups : SHK_STR(""), o->sx.stx_mode & S_IFMT, dev,
			       mode != O_WRONLY, mode != O_RDONLY))
		return SHK_PINNED_OBJECT;
	return fails(o, EPERM);
}

/* What an engine that ended may have made for this very call. */
static bool may_be_ours(const struct shk_open *o)
{
	return S_ISREG(o->sx.stx_mode) && !o->sx.stx_size && o->sx.stx_nlink == 1 &&
	       o->sx.stx_uid == o->caller.fsuid;
}

static enum shk_pinned look_at(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_open *o)
{
	int r = o->looked ? 0 : shk_actor_look(a, &o->from, o->pin.fd, &o->sx, &o->fs);

	o->looked = r == 0;
	if (r < 0 && r != -EREMOTE)
		return fails(o, -r);
	if (r < 0 || !shk_fs_is_fit(o->fs))
		return unable(o, "a filesystem whose opens may wait for somebody");
	if (!shk_actor_sees_same(a, ctx, &o->caller, o->fs, writes(o)))
		return unable(o, "the file shows namespaces the task is alone in");
	if (o->pin.missing)
		return SHK_PINNED_OBJECT;
	if ((o->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) && !(o->again && may_be_ours(o)))
		return fails(o, EEXIST);
	if (S_ISLNK(o->sx.stx_mode))
		return fails(o, ELOOP);
	if (o->flags & O_CREAT && S_ISDIR(o->sx.stx_mode))
		return fails(o, EISDIR);
	/* fs/open.c, generic_file_open: without O_LARGEFILE a file of 2 GiB cannot be told its size. */
	if (ctx->ev->abi == SHK_ABI_I386 && !(o->flags & O_LARGEFILE) && !o->is_openat2 &&
	    S_ISREG(o->sx.stx_mode) && o->sx.stx_size > INT32_MAX)
		return fails(o, EOVERFLOW);
	return S_ISCHR(o->sx.stx_mode) || S_ISBLK(o->sx.stx_mode) ? device(ctx, o) : SHK_PINNED_OBJECT;
}

static bool name_it(struct shk_eval_ctx *ctx, struct shk_open *o)
{
	char buf[SHK_PATH_LIMIT + NAME_MAX + 2];
	struct shk_str given;
	ssize_t n;

	/* On vfat names differ in case. */
	if (o->pin.straight && o->fs != MSDOS_SUPER_MAGIC &&
	    shk_event_abs_path(ctx, (unsigned)shk_event_path_arg(ctx->ev), &given)) {
		o->name = given;
		return true;
	}
	n = shk_pin_name(&o->from, &o->pin, buf, sizeof(buf));
	if (n < 0)
		return false;
	o->name = shk_arena_str(ctx->ev->arena, shk_container_path(ctx->ctr, (struct shk_str){ buf, (size_t)n }));
	return o->name.p != NULL;
}

/* ---- without a look ---- */

/* What says how a file is read, and nothing else. */
#define READS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE | O_DIRECTORY)
/* Of the null device, which shells open for each command, whatever asks for no more than it: neither O_CREAT nor O_TRUNC does anything to it. */
#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

/* What a path led to the last time, without a link. */
enum { NOTHING_KNOWN, IN_ROOTS_MOUNT, NULL_DEVICE };
#define KINDS 3u

static uint32_t *place_of(struct shk_actor *a, struct shk_str path, uint32_t *number)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < path.n; i++)
		h = (h ^ (uint8_t)path.p[i]) * 16777619u;
	*number = h & ~KINDS;
	return &a->expected[(h >> 8) % SHK_ARRAY_SIZE(a->expected)];
}

/* Two paths may share a number: all that comes of it is a look. */
static unsigned expected(struct shk_actor *a, struct shk_str path)
{
	uint32_t number, at = *place_of(a, path, &number);

	return (at & ~KINDS) == number ? at & KINDS : NOTHING_KNOWN;
}

static bool in_roots_mount(const struct shk_actor *a, const struct shk_open *o)
{
	return o->looked && a->root_direct && shk_actor_listed(a, &o->sx) == a->root_mnt;
}

/* Do the flags ask for what is opened without a look? */
static bool asks_for(const struct shk_open *o, unsigned kind)
{
	if (kind != NULL_DEVICE)
		return !(o->flags & ~(uint64_t)READS);
	/* O_TRUNC asks for the right to write (fs/open.c, build_open_flags). */
	return !(o->flags & ~(uint64_t)(READS | WRITES)) && (o->flags & O_ACCMODE) != O_ACCMODE &&
	       (!(o->flags & O_TRUNC) || (o->flags & O_ACCMODE) != O_RDONLY);
}

static unsigned kind_of(const struct shk_actor *a, const struct shk_open *o)
{
	if (!o->pin.straight || o->pin.missing || !o->looked)
		return NOTHING_KNOWN;
	if (shk_open_is_null(o))
		return shk_fs_is_plain(o->fs) ? NULL_DEVICE : NOTHING_KNOWN;
	return is_plain(o) && in_roots_mount(a, o) ? IN_ROOTS_MOUNT : NOTHING_KNOWN;
}

static void expect(struct shk_actor *a, const struct shk_open *o, struct shk_str path)
{
	unsigned kind = kind_of(a, o);
	uint32_t number, *at = place_of(a, path, &number);

	if (kind && asks_for(o, kind))
		*at = number | kind;
}

/* The way there is looked up in what the kernel has cached: nobody is waited for. */
static int find_blindly(const struct shk_actor *a, const struct shk_open *o, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.resolve = resolve | RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED };
	char text[SHK_PATH_LIMIT];
	long fd;

	memcpy(text, o->path.p, o->path.n);
	text[o->path.n] = 0;
	fd = syscall(SYS_openat2, a->root, text, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* Anything may have its name by now, or be mounted on the way: it is looked at, which asks nobody, before it is opened, which may ask a
 * filesystem's server for its rights. */
static int open_null_blindly(const struct shk_actor *a, struct shk_open *o)
{
	struct statx sx;
	int fd = -ESTALE;

	o->pin.fd = find_blindly(a, o, O_PATH, 0);
	if (o->pin.fd < 0)
		return o->pin.fd;
	if (statx(o->pin.fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID_UNIQUE, &sx) == 0 && is_null(&sx) &&
	    shk_actor_knows_plain(a, &sx))
		fd = open_pinned(a, o);
	shk_close(&o->pin.fd);
	return fd;
}

bool shk_open_foresee(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_open *o)
{
	struct shk_event *ev = ctx->ev;
	unsigned i = (unsigned)shk_event_path_arg(ev), kind;
	const struct shk_arg *arg = shk_event_arg(ev, i);
	struct shk_str path = arg->bytes;

	/* By hand: the whole of it is a thousand bytes, most of them never looked at. */
	o->base = o->early = o->pin.fd = o->pin.dir = -1;
	o->looked = o->pin.missing = false;
	o->blind = NOTHING_KNOWN;
	/* Of openat2 flags lie in memory, and ask for more. 32 bits: fs/open.c, generic_file_open. */
	if (!shk_bar_is_up() || ev->abi != SHK_ABI_X86_64 || ev->call->id == SHK_CALL_openat2 ||
	    !shk_event_open_flags(ev, &o->flags, &o->mode) || o->flags & ~(uint64_t)(READS | WRITES))
		return false;
	if (arg->state != SHK_ARG_OK || !path.n || path.n >= SHK_PATH_LIMIT || path.p[0] != '/')
		return false;
	kind = expected(a, path);
	if (!kind || !asks_for(o, kind))
		return false;
	o->why = shk_caller_of(ctx, &o->caller);
	if (o->why || !shk_actor_stays(a, ctx, &o->caller) || a->ns >= 0 || !a->root_direct)
		return false;
	/* In the null device there is nothing to guard, by no name. */
	if (kind == IN_ROOTS_MOUNT && !shk_aliases_alone(a->aliases, a->root_mnt))
		return false;
	/* The name is the path itself: no ".." in it, and the task's root is the container's, above which nobody renames a directory. */
	if (shk_event_abs_path(ctx, i, &o->name) && o->name.p == path.p)
		o->blind = kind;
	o->path = path;
	return o->blind;
}

int shk_open_blindly(struct shk_actor *a, struct shk_open *o)
{
	uint32_t number;
	int fd = shk_rights_search(a->rights, &o->caller);

	if (fd < 0)
		return fd;
	fd = o->blind == NULL_DEVICE ? open_null_blindly(a, o) :
				       find_blindly(a, o, (o->flags & READS) | O_NOCTTY, RESOLVE_NO_XDEV);
	shk_rights_own(a->rights);
	if (fd >= 0 && (o->blind == NULL_DEVICE || shk_aliases_held(a->aliases, a->began)))
		return fd;
	*place_of(a, o->path, &number) = NOTHING_KNOWN;
	shk_close(&fd);
	return -ESTALE;
}

enum shk_pinned shk_open_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_open *o)
{
	bool again = o->again;
	enum shk_pinned what;
	struct shk_str path;
	int r;

	*o = (struct shk_open){ .base = -1, .early = -1, .pin = { .fd = -1, .dir = -1 }, .again = again };
	what = read_call(ctx, o);
	if (what != SHK_PINNED_OBJECT)
		return what;
	o->why = shk_caller_of(ctx, &o->caller);
	if (o->why)
		return SHK_PINNED_UNABLE;
	path = shk_event_arg(ctx->ev, (unsigned)shk_event_path_arg(ctx->ev))->bytes;
	r = shk_actor_start(a, ctx, &o->caller, &o->from);
	if (r == 0 && (path.p[0] != '/' || o->resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH))) {
		int dir = ctx->ev->call->arg[shk_event_path_arg(ctx->ev)].dirfd_arg;

		r = o->base = shk_actor_base(&o->caller, dir >= 0 ? (int)ctx->ev->raw[dir] : AT_FDCWD);
	}
	if (r < 0)
		return fails(o, -r);
	o->from.base_fd = o->base;
	o->from.in_root = o->resolve & RESOLVE_IN_ROOT;
	o->from.create = o->flags & O_CREAT;
	o->from.follow = !(o->flags & O_NOFOLLOW) && (o->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	r = walk(a, o, path);
	if (r == -EREMOTE)
		return unable(o, "a filesystem that may not answer");
	if (r == -ESTALE)
		return unable(o, "a link of procfs whose task cannot be told");
	if (r < 0)
		return fails(o, -r);
	if (o->pin.missing && !(o->flags & O_CREAT))
		return fails(o, ENOENT);
	if (o->flags & O_CREAT && o->pin.slash)
		return fails(o, EISDIR);
	what = look_at(a, ctx, o);
	if (what == SHK_PINNED_OBJECT && !name_it(ctx, o))
		return unable(o, "an object without a name in the container");
	if (what == SHK_PINNED_OBJECT)
		expect(a, o, path);
	return what;
}

/* O_EXCL: what is there by now was not judged, a link neither followed. */
static int make(struct shk_actor *a, const struct shk_open *o)
{
	uint64_t flags = o->flags | O_CREAT | O_EXCL | O_NOCTTY;
	int fd;

	shk_rights_umask(a->rights, o->caller.umask);
	fd = openat(o->pin.fd, o->pin.last, (int)flags | O_CLOEXEC, (mode_t)o->mode & 07777);
	if (fd >= 0)
		return fd;
	return errno == EEXIST && !(o->flags & O_EXCL) ? -ESTALE : -errno;
}

bool shk_open_may_wait(const struct shk_open *o)
{
	if (o->pin.missing || o->flags & O_NONBLOCK)
		return false;
	return (S_ISFIFO(o->sx.stx_mode) && (o->flags & O_ACCMODE) != O_RDWR) ||
	       (S_ISCHR(o->sx.stx_mode) && o->sx.stx_rdev_major != 1);
}

/* A device that the container has, and others have not: opened from before the bar. */
static bool is_barred(const struct shk_open *o)
{
	return !o->pin.missing && shk_bar_keeps(o->sx.stx_mode, makedev(o->sx.stx_rdev_major, o->sx.stx_rdev_minor));
}

static int do_it(struct shk_actor *a, struct shk_open *o)
{
	/* CAP_DAC_OVERRIDE is all that opening asks for, but for O_NOATIME: whoever has it opens plain files with
	 * the engine's capabilities as with its own. */
	bool same = o->caller.effective & 1ull << CAP_DAC_OVERRIDE && !o->pin.missing && is_plain(o) &&
		    !(o->flags & (O_NOATIME | O_TRUNC)) && (o->flags & O_TMPFILE) != O_TMPFILE;
	int r;

	if (o->early != -1)
		return TAKE_FD(o->early);
	/* Sysctls ask for the effective id (fs/proc/proc_sysctl.c, test_perm). */
	if (shk_fs_shows_namespaces(o->fs))
		r = shk_rights_be(a->rights, &o->caller);
	else
		r = same ? shk_rights_search(a->rights, &o->caller) : shk_rights_wear(a->rights, &o->caller);
	if (r < 0) {
		shk_rights_unbe(a->rights);
		return r;
	}
	/* O_TMPFILE makes a file, too. */
	if ((o->flags & O_TMPFILE) == O_TMPFILE)
		shk_rights_umask(a->rights, o->caller.umask);
	r = o->pin.missing ? make(a, o) : open_pinned(a, o);
	shk_rights_unbe(a->rights);
	return r;
}

/* Of files that show namespaces what the caller has there may be more than it shows, or less: a thread with the ids of the one
 * who made the namespace has all of it. And CAP_FSETID keeps bits that the kernel takes away from others without a word. */
static bool asks_silently(const struct shk_open *o)
{
	return shk_fs_shows_namespaces(o->fs) || (o->pin.missing && o->mode & (S_ISUID | S_ISGID));
}

int shk_open_do(struct shk_actor *a, struct shk_open *o)
{
	bool barred = is_barred(o);
	int r = barred ? shk_bar_leave() : 0;

	if (r < 0)
		return r;
	r = a->ns >= 0 && asks_silently(o) ? -EPERM : do_it(a, o);
	if (barred)
		shk_bar_return();
	return shk_deputy_helps(a, r) ? shk_deputy_open(a, o) : r;
}

bool shk_open_makes_busy(const struct shk_actor *a, const struct shk_open *o)
{
	return o->caller.may_umount && (o->blind ? o->blind != IN_ROOTS_MOUNT : !in_roots_mount(a, o));
}

void shk_open_done(struct shk_open *o)
{
	shk_pin_done(&o->pin);
	shk_close(&o->base);
	shk_close(&o->early);
}
