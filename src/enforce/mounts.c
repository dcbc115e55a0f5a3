// SPDX-License-Identifier: Apache-2.0
#include "enforce/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/deputy.h"

#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200 /* linux/mount.h, since 6.5 */
#endif

#define MS_TYPES     (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define PAGE	     ((size_t)4096)
#define SETATTR_SIZE 32 /* MOUNT_ATTR_SIZE_VER0; what is behind must be zero */

bool shk_mounts_knows(enum shk_call_id id)
{
	return id == SHK_CALL_mount || id == SHK_CALL_umount || id == SHK_CALL_umount2 ||
	       id == SHK_CALL_move_mount || id == SHK_CALL_mount_setattr || id == SHK_CALL_pivot_root;
}

static enum shk_pinned fails(struct shk_mounts *m, int err)
{
	m->err = err;
	return SHK_PINNED_ERROR;
}

static enum shk_pinned unable(struct shk_mounts *m, const char *why)
{
	m->why = why;
	return SHK_PINNED_UNABLE;
}

/* ---- options ---- */

/* One option's end: a comma that no backslash hides (fs/overlayfs/params.c, ovl_next_opt). */
static size_t option_length(const char *p, char end)
{
	size_t n = 0;

	for (; p[n] && p[n] != end; n++)
		if (p[n] == '\\' && p[n + 1])
			n++;
	return n;
}

static bool is_absolute_list(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = SHK_MIN(option_length(p + i, ':'), n - i);

		/* "::" divides data layers from others. */
		if (k && p[i] != '/')
			return false;
		i += k + 1;
	}
	return true;
}

static bool is_absolute_overlay(const char *data)
{
	static const char *const keys[] = { "lowerdir=", "lowerdir+=", "datadir+=", "upperdir=", "workdir=" };

	while (*data) {
		size_t n = option_length(data, ',');

		for (size_t i = 0; i < SHK_ARRAY_SIZE(keys); i++) {
			size_t k = strlen(keys[i]);

			if (n >= k && !memcmp(data, keys[i], k) && !is_absolute_list(data + k, n - k))
				return false;
		}
		data += n + (data[n] == ',');
	}
	return true;
}

const char *shk_mounts_options(const char *type, const char *data)
{
	/* Since Linux 6.17 a procfs opens what "pidns=" names (fs/proc/root.c, proc_parse_pidns_param). */
	if (!strcmp(type, "proc") && data && strstr(data, "pidns="))
		return "a path among the options of a procfs";
	/* They open nothing that is named in their options, nor a device. */
	static const char *const fit[] = { "tmpfs", "ramfs", "devpts", "mqueue", "sysfs", "proc", "cgroup", "cgroup2",
					   "hugetlbfs", "bpf", "securityfs", "debugfs", "tracefs", "devtmpfs",
					   "binfmt_misc", "configfs", "fusectl" };

	if (!strcmp(type, "overlay"))
		return data && !is_absolute_overlay(data) ? "a relative path among the options of an overlay" : NULL;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(fit); i++)
		if (!strcmp(type, fit[i]))
			return NULL;
	return "a filesystem that is not among those mounted for others";
}

/* ---- what is held ---- */

/* Asks no server of a filesystem; nor does anything else that the engine itself does with what is held. */
static bool is_directory(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) == 0 && S_ISDIR(sx.stx_mode);
}

static enum shk_pinned look_at(struct shk_eval_ctx *ctx, struct shk_mounts *m, struct shk_held *h, bool nameless)
{
	if (h->pin.missing)
		return fails(m, ENOENT);
	if (h->pin.slash && !is_directory(h->pin.fd))
		return fails(m, ENOTDIR);
	if (shk_held_name(ctx, h) || nameless)
		return SHK_PINNED_OBJECT;
	return unable(m, "an object without a name in the container");
}

/* fd: of the caller's, for a relative path or, with `empty`, itself. */
static enum shk_pinned pin_one(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m, unsigned arg, int fd,
			       bool follow, bool empty)
{
	const struct shk_arg *text = shk_event_arg(ctx->ev, arg);
	struct shk_held *h = &m->held[m->n++];
	int r;

	*h = (struct shk_held){ .arg = arg, .object = true, .base = -1, .pin = { .fd = -1, .dir = -1 } };
	if (text->state == SHK_ARG_TRUNCATED)
		return fails(m, ENAMETOOLONG);
	if (text->state != SHK_ARG_OK && !(empty && text->state == SHK_ARG_NULL))
		return fails(m, EFAULT);
	if (!text->bytes.n && !empty)
		return fails(m, ENOENT);
	r = shk_actor_start(a, ctx, &m->caller, &h->from);
	if (r == 0 && (!text->bytes.n || text->bytes.p[0] != '/'))
		r = h->base = text->bytes.n || fd == AT_FDCWD ? shk_actor_base(&m->caller, fd) :
								shk_actor_take(ctx, &m->caller, fd, NULL);
	if (r == -EOPNOTSUPP || r == -EPERM)
		return unable(m, "the table of descriptors of a thread");
	h->from.base_fd = h->base;
	h->from.follow = follow;
	h->from.create = m->call == SHK_CALL_umount || m->call == SHK_CALL_umount2;
	if (!text->bytes.n && r >= 0) {
		h->pin = (struct shk_pin){ .fd = TAKE_FD(h->base), .dir = -1, .doubtful = true };
		return look_at(ctx, m, h, m->n == 2);
	}
	if (r >= 0)
		r = shk_rights_search(a->rights, &m->caller);
	if (r >= 0) {
		shk_actor_acts(a);
		r = shk_walk_pin(&h->from, text->bytes, &h->pin);
	}
	shk_rights_own(a->rights);
	if (shk_deputy_helps(a, r))
		r = shk_deputy_walk(a, &m->caller, &h->from, text->bytes, &h->pin);
	if (r == -EREMOTE)
		return unable(m, "a filesystem that may not answer");
	if (r == -ESTALE)
		return unable(m, "a link of procfs whose task cannot be told");
	return r < 0 ? fails(m, -r) : look_at(ctx, m, h, false);
}

/* The number of the mount, as long as it is there; odd. */
static uint64_t mark_of(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &sx) < 0 ||
	    !(sx.stx_mask & (STATX_MNT_ID_UNIQUE | STATX_MNT_ID)))
		return 1;
	return sx.stx_mnt_id << 1 | 1;
}

/* What the call leads to another mount afterwards: has an engine that ended made it? */
static bool was_made(struct shk_mounts *m, int fd)
{
	m->mark = mark_of(fd);
	m->made = m->again > 1 && m->mark > 1 && m->again != m->mark;
	return m->made;
}

/* ---- mount ---- */

/* A text of the caller's, NULL for none. mm/util.c, strndup_user. */
static int text_of(struct shk_event *ev, unsigned i, const char **ret)
{
	const struct shk_arg *a = shk_event_arg(ev, i);

	*ret = NULL;
	if (a->state == SHK_ARG_NULL)
		return 0;
	if (a->state != SHK_ARG_OK)
		return a->state == SHK_ARG_TRUNCATED ? EINVAL : EFAULT;
	*ret = shk_arena_strndup(ev->arena, a->bytes.p, a->bytes.n);
	return *ret ? 0 : ENOMEM;
}

/* fs/namespace.c, copy_mount_options: as much of a page as there is, and zeroes; the last byte is one always. */
static void read_data(struct shk_event *ev)
{
	char *p = shk_arena_alloc_raw(ev->arena, PAGE);
	uint64_t at = ev->raw[4];
	size_t n = 0;

	ev->arg[4] = (struct shk_arg){ .state = SHK_ARG_FAULT };
	while (p && ev->mem && n < PAGE && at + n >= at) {
		size_t want = SHK_MIN(PAGE - n, PAGE - (size_t)((at + n) % PAGE));
		ssize_t got = ev->mem->read(ev, at + n, p + n, want);

		n += got > 0 ? (size_t)got : 0;
		if (got < (ssize_t)want)
			break;
	}
	if (n)
		ev->arg[4] = (struct shk_arg){ .state = SHK_ARG_OK, .bytes = { p, strnlen(p, SHK_MIN(n, PAGE - 1)) } };
}

static bool may_mount(const struct shk_mounts *m)
{
	return m->order.effective & 1ull << CAP_SYS_ADMIN;
}

static enum shk_pinned pin_source(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	enum shk_pinned what;

	m->order.op = SHK_MOUNT_BIND;
	/* Whoever may not is told so before anybody looks at the source. */
	if (!may_mount(m))
		return fails(m, EPERM);
	if (!m->order.dev || !*m->order.dev)
		return fails(m, EINVAL);
	what = pin_one(a, ctx, m, 0, AT_FDCWD, true, false);
	m->order.source = m->held[1].pin.fd;
	return what;
}

/* Those whose options name no device and nothing outside the caller's reach. */
static bool has_plain_options(long type)
{
	static const unsigned plain[] = { TMPFS_MAGIC, RAMFS_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, DEVPTS_SUPER_MAGIC,
					  CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, HUGETLBFS_MAGIC, OVERLAYFS_SUPER_MAGIC,
					  0x19800202 /* mqueue: ipc/mqueue.c */ };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(plain); i++)
		if ((unsigned)type == plain[i])
			return true;
	return false;
}

/* device=, logdev=, rtdev=, jdev=, journal_path= and their like. */
static bool names_device(const char *options)
{
	return strchr(options, '/') || strstr(options, "dev") || strstr(options, "path");
}

/* A filesystem that is mounted again, whatever it is. The mounter is in no list of devices of the container's, and options
 * may name one (btrfs scans it as it reads them). The mounter's working directory is the target; of a file it is
 * no place where paths may begin. */
static enum shk_pinned pin_remount(struct shk_mounts *m)
{
	const struct shk_walk_from *from = &m->held[0].from;
	struct statfs fs;

	m->order.op = SHK_MOUNT_NEW;
	if (!may_mount(m))
		return fails(m, EPERM);
	if (m->order.data && names_device(m->order.data) &&
	    (!shk_walk_answers(from->tid, from->init, from->root_dev, m->order.target) || fstatfs(m->order.target, &fs) < 0 || !has_plain_options(fs.f_type)))
		return unable(m, "a filesystem on a device, mounted again with another one among its options");
	if (is_directory(m->order.target))
		return SHK_PINNED_OBJECT;
	m->order.on_file = true;
	if (m->order.data && strchr(m->order.data, '/'))
		return unable(m, "a filesystem that is mounted on a file, mounted again with paths");
	return SHK_PINNED_OBJECT;
}

/* As fs/namespace.c, path_mount, takes the flags apart. */
static enum shk_pinned pin_mount(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	struct shk_mount_order *o = &m->order;
	struct shk_event *ev = ctx->ev;
	enum shk_pinned what;
	int e;

	o->flags = shk_event_reg(ev, 3);
	if ((o->flags & MS_MGC_MSK) == MS_MGC_VAL)
		o->flags &= ~(uint64_t)MS_MGC_MSK;
	e = text_of(ev, 2, &o->type);
	e = e ? e : text_of(ev, 0, &o->dev);
	e = e || !ev->raw[4] ? e : text_of(ev, 4, &o->data);
	if (e)
		return fails(m, e);
	what = pin_one(a, ctx, m, 1, AT_FDCWD, true, false);
	if (what != SHK_PINNED_OBJECT)
		return what;
	o->target = m->held[0].pin.fd;
	if (o->flags & 1u << 31) /* MS_NOUSER */
		return fails(m, EINVAL);
	o->op = SHK_MOUNT_FLAGS;
	if ((o->flags & (MS_REMOUNT | MS_BIND)) == (MS_REMOUNT | MS_BIND))
		return SHK_PINNED_OBJECT;
	if (o->flags & MS_REMOUNT)
		return pin_remount(m);
	if (o->flags & MS_BIND)
		return was_made(m, o->target) ? SHK_PINNED_OBJECT : pin_source(a, ctx, m);
	if (o->flags & MS_TYPES)
		return SHK_PINNED_OBJECT;
	if (was_made(m, o->target))
		return SHK_PINNED_OBJECT;
	if (o->flags & MS_MOVE)
		return pin_source(a, ctx, m);
	o->op = SHK_MOUNT_NEW;
	if (!may_mount(m))
		return fails(m, EPERM);
	if (!o->type)
		return fails(m, EINVAL);
	m->why = shk_mounts_options(o->type, o->data);
	o->on_file = !is_directory(o->target);
	return m->why ? SHK_PINNED_UNABLE : SHK_PINNED_OBJECT;
}

/* ---- umount ---- */

static enum shk_pinned pin_umount(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	const uint64_t flags = m->call == SHK_CALL_umount2 ? shk_event_reg(ctx->ev, 1) : 0;
	struct shk_held *h = &m->held[0];
	enum shk_pinned what;
	size_t at;

	if (flags & ~(uint64_t)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return fails(m, EINVAL);
	m->order.op = SHK_MOUNT_UMOUNT;
	m->order.flags = flags;
	what = pin_one(a, ctx, m, 0, AT_FDCWD, !(flags & UMOUNT_NOFOLLOW), false);
	if (what != SHK_PINNED_OBJECT || was_made(m, h->pin.fd))
		return what;
	m->order.target = h->pin.fd;
	for (at = h->name.n; at && h->name.p[at - 1] != '/'; at--)
		;
	/* The root is in no directory. */
	if (at == h->name.n || !at || h->name.n - at > NAME_MAX)
		return SHK_PINNED_OBJECT;
	memcpy(m->last, h->name.p + at, h->name.n - at);
	m->last[h->name.n - at] = 0;
	if (is_directory(h->pin.fd) && shk_walk_answers(h->from.tid, h->from.init, h->from.root_dev, h->pin.fd))
		m->parent = openat(h->pin.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		m->parent = TAKE_FD(h->pin.dir);
	return m->parent < 0 ? unable(m, "a mount whose place cannot be told") : SHK_PINNED_OBJECT;
}

/* Is the name in the directory still what was judged? Lets go of it: a mount that is held cannot be taken away. */
static bool same_place(struct shk_mounts *m)
{
	struct statx is, was;
	const unsigned mask = STATX_INO | STATX_MNT_ID;
	bool same = statx(m->parent, m->last, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, mask, &is) == 0 &&
		    statx(m->held[0].pin.fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, &was) == 0 &&
		    is.stx_mnt_id == was.stx_mnt_id && is.stx_ino == was.stx_ino &&
		    is.stx_dev_major == was.stx_dev_major && is.stx_dev_minor == was.stx_dev_minor;

	shk_pin_done(&m->held[0].pin);
	shk_close(&m->held[0].base);
	return same;
}

/* ---- move_mount, mount_setattr, pivot_root ---- */

static enum shk_pinned pin_move(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	const uint64_t *raw = ctx->ev->raw;
	unsigned flags = (unsigned)shk_event_reg(ctx->ev, 4);
	enum shk_pinned what;

	if (!may_mount(m))
		return fails(m, EPERM);
	if (flags & ~(unsigned)(MOVE_MOUNT__MASK | MOVE_MOUNT_BENEATH))
		return fails(m, EINVAL);
	m->order.op = SHK_MOUNT_MOVE;
	m->order.flags = flags & (MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_BENEATH);
	what = pin_one(a, ctx, m, 3, (int)raw[2], flags & MOVE_MOUNT_T_SYMLINKS, flags & MOVE_MOUNT_T_EMPTY_PATH);
	if (what != SHK_PINNED_OBJECT)
		return what;
	m->order.target = m->held[0].pin.fd;
	if (!(flags & (MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_BENEATH)) && was_made(m, m->order.target))
		return what;
	/* A tree that is mounted nowhere has no name that a rule could know. */
	what = pin_one(a, ctx, m, 1, (int)raw[0], flags & MOVE_MOUNT_F_SYMLINKS, flags & MOVE_MOUNT_F_EMPTY_PATH);
	m->order.source = m->held[1].pin.fd;
	return what;
}

static void read_struct(struct shk_event *ev)
{
	uint64_t n = ev->raw[4];
	char *p;

	if (!ev->raw[3] || n < SETATTR_SIZE || n > PAGE)
		return;
	p = shk_arena_alloc_raw(ev->arena, n);
	if (!p || shk_event_read(ev, ev->raw[3], p, n) < 0)
		ev->arg[3] = (struct shk_arg){ .state = SHK_ARG_FAULT };
	else
		ev->arg[3] = (struct shk_arg){ .state = SHK_ARG_OK, .bytes = { p, n } };
}

void shk_mounts_read(struct shk_event *ev)
{
	if (ev->call && ev->call->id == SHK_CALL_mount && ev->raw[4])
		read_data(ev);
	else if (ev->call && ev->call->id == SHK_CALL_mount_setattr)
		read_struct(ev);
}

static int read_attributes(struct shk_event *ev, struct mount_attr *ret)
{
	struct shk_str b = ev->arg[3].bytes;

	if (ev->arg[3].state != SHK_ARG_OK || b.n < SETATTR_SIZE)
		return EFAULT;
	for (size_t i = SETATTR_SIZE; i < b.n; i++)
		if (b.p[i])
			return E2BIG;
	memcpy(ret, b.p, sizeof(*ret));
	return 0;
}

static enum shk_pinned pin_setattr(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	unsigned flags = (unsigned)shk_event_reg(ctx->ev, 2);
	enum shk_pinned what;
	int e;

	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return fails(m, EINVAL);
	if (ctx->ev->raw[4] < SETATTR_SIZE || ctx->ev->raw[4] > PAGE)
		return fails(m, ctx->ev->raw[4] < SETATTR_SIZE ? EINVAL : E2BIG);
	if (!may_mount(m))
		return fails(m, EPERM);
	e = read_attributes(ctx->ev, &m->order.attr);
	if (e)
		return fails(m, e);
	/* Nothing is looked at where nothing is asked for. */
	m->made = !m->order.attr.attr_set && !m->order.attr.attr_clr && !m->order.attr.propagation;
	if (m->made)
		return SHK_PINNED_OBJECT;
	/* Other users are for trees that are mounted nowhere, which have no name to be judged by (fs/namespace.c,
	 * can_idmap_mount). */
	if (m->order.attr.attr_set & MOUNT_ATTR_IDMAP)
		return fails(m, EINVAL);
	m->order.op = SHK_MOUNT_SETATTR;
	m->order.flags = flags & AT_RECURSIVE;
	what = pin_one(a, ctx, m, 1, (int)ctx->ev->raw[0], !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH);
	m->order.target = m->held[0].pin.fd;
	return what;
}

static enum shk_pinned pin_pivot(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	enum shk_pinned what;
	struct shk_walk_from from;
	int r;

	if (!may_mount(m))
		return fails(m, EPERM);
	r = shk_actor_start(a, ctx, &m->caller, &from);
	if (r < 0)
		return fails(m, -r);
	m->order.op = SHK_MOUNT_PIVOT;
	if (was_made(m, from.root_fd))
		return SHK_PINNED_OBJECT;
	for (unsigned i = 0; i < 2; i++) {
		what = pin_one(a, ctx, m, i, AT_FDCWD, true, false);
		if (what != SHK_PINNED_OBJECT)
			return what;
		if (!is_directory(m->held[i].pin.fd))
			return fails(m, ENOTDIR);
	}
	m->order.target = m->held[0].pin.fd;
	m->order.source = m->held[1].pin.fd;
	return SHK_PINNED_OBJECT;
}

/* ---- both halves ---- */

static enum shk_pinned pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	switch (m->call) {
	case SHK_CALL_mount:
		return pin_mount(a, ctx, m);
	case SHK_CALL_umount:
	case SHK_CALL_umount2:
		return pin_umount(a, ctx, m);
	case SHK_CALL_move_mount:
		return pin_move(a, ctx, m);
	case SHK_CALL_mount_setattr:
		return pin_setattr(a, ctx, m);
	default:
		return pin_pivot(a, ctx, m);
	}
}

enum shk_pinned shk_mounts_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m)
{
	uint64_t again = m->again;
	char path[64];

	*m = (struct shk_mounts){ .call = ctx->ev->call->id, .ns = -1, .parent = -1, .again = again,
				  .mark = 1,
				  .order = { .ns = -1, .root = -1, .target = -1, .source = -1 } };
	m->why = shk_caller_of(ctx, &m->caller);
	if (m->why)
		return SHK_PINNED_UNABLE;
	if (shk_rights_are_users())
		return unable(m, "the supervisor runs as a user, who makes nobody's mounts");
	/* Of its own user namespace, which the mounter joins. */
	m->order.effective = m->caller.own_effective;
	m->order.container = ctx->ctr->key;
	snprintf(path, sizeof(path), "/proc/%d/ns", (int)m->caller.tid);
	m->ns = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return m->ns < 0 ? fails(m, ESRCH) : pin(a, ctx, m);
}

int shk_mounts_do(struct shk_actor *a, struct shk_mounter *by, struct shk_mounts *m)
{
	struct shk_mount_order *o = &m->order;
	int r;

	if (m->made)
		return 0;
	if (!by)
		return -EIO;
	o->caller = &m->caller;
	o->ns = m->ns;
	o->root = a->root;
	if (m->parent >= 0) {
		if (!same_place(m))
			return -ESTALE;
		o->target = m->parent;
		o->name = m->last;
	}
	r = shk_mounter_do(by, o);
	/* Held, the old root could not be taken away. */
	if (o->op == SHK_MOUNT_PIVOT)
		shk_close(&a->root);
	return r;
}

void shk_mounts_done(struct shk_mounts *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		shk_pin_done(&m->held[i].pin);
		shk_close(&m->held[i].base);
	}
	m->n = 0;
	shk_close(&m->ns);
	shk_close(&m->parent);
}
