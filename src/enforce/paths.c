// SPDX-License-Identifier: Apache-2.0
#include "enforce/paths.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/deputy.h"
#include "enforce/device.h"
#include "enforce/idmap.h"
#include "state/program.h"

enum how {
	DIRECTORY = 1,	/* the name is changed */
	FOLLOWED,	/* the object, behind links */
	NOT_FOLLOWED,	/* the object, be it a link */
	BY_FLAGS,	/* AT_SYMLINK_NOFOLLOW decides */
	LINK_SOURCE,	/* AT_SYMLINK_FOLLOW decides */
	DESCRIPTOR,	/* argument 0, an open file */
};

/* Per path argument in the order of the call's. */
static const struct {
	enum shk_call_id call;
	enum how how[SHK_PATHS_MAX];
	uint8_t flags; /* index of the argument with AT_ flags, 0: none */
} known[] = {
	{ SHK_CALL_mkdir, { DIRECTORY }, 0 },
	{ SHK_CALL_mkdirat, { DIRECTORY }, 0 },
	{ SHK_CALL_rmdir, { DIRECTORY }, 0 },
	{ SHK_CALL_unlink, { DIRECTORY }, 0 },
	{ SHK_CALL_unlinkat, { DIRECTORY }, 0 },
	{ SHK_CALL_symlink, { DIRECTORY }, 0 },
	{ SHK_CALL_symlinkat, { DIRECTORY }, 0 },
	{ SHK_CALL_mknod, { DIRECTORY }, 0 },
	{ SHK_CALL_mknodat, { DIRECTORY }, 0 },
	{ SHK_CALL_rename, { DIRECTORY, DIRECTORY }, 0 },
	{ SHK_CALL_renameat, { DIRECTORY, DIRECTORY }, 0 },
	{ SHK_CALL_renameat2, { DIRECTORY, DIRECTORY }, 0 },
	{ SHK_CALL_link, { NOT_FOLLOWED, DIRECTORY }, 0 },
	{ SHK_CALL_linkat, { LINK_SOURCE, DIRECTORY }, 4 },
	{ SHK_CALL_chmod, { FOLLOWED }, 0 },
	{ SHK_CALL_fchmodat, { FOLLOWED }, 0 },
	{ SHK_CALL_fchmodat2, { BY_FLAGS }, 3 },
	{ SHK_CALL_chown, { FOLLOWED }, 0 },
	{ SHK_CALL_chown32, { FOLLOWED }, 0 },
	{ SHK_CALL_lchown, { NOT_FOLLOWED }, 0 },
	{ SHK_CALL_lchown32, { NOT_FOLLOWED }, 0 },
	{ SHK_CALL_fchownat, { BY_FLAGS }, 4 },
	{ SHK_CALL_fchmod, { DESCRIPTOR }, 0 },
	{ SHK_CALL_fchown, { DESCRIPTOR }, 0 },
	{ SHK_CALL_fchown32, { DESCRIPTOR }, 0 },
	{ SHK_CALL_truncate, { FOLLOWED }, 0 },
	{ SHK_CALL_truncate64, { FOLLOWED }, 0 },
};

static int row_of(enum shk_call_id id)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(known); i++)
		if (known[i].call == id)
			return (int)i;
	return -1;
}

bool shk_paths_knows(enum shk_call_id id)
{
	return row_of(id) >= 0;
}

static enum shk_pinned fails(struct shk_paths *p, int err)
{
	p->err = err;
	return SHK_PINNED_ERROR;
}

static enum shk_pinned unable(struct shk_paths *p, const char *why)
{
	p->why = why;
	return SHK_PINNED_UNABLE;
}

static int64_t size_of(const struct shk_paths *p)
{
	return p->call == SHK_CALL_truncate64 ? (int64_t)(p->raw[1] | p->raw[2] << 32) : (int64_t)p->raw[1];
}

/* Flags, a mode or a length that no call of this kind takes are found before any path is looked at. The kernel says
 * itself what these are: without a path there is nothing it could do. */
static int check_values(const struct shk_paths *p)
{
	const uint64_t *raw = p->raw;
	long r = 0;

	switch (p->call) {
	case SHK_CALL_unlinkat:
		r = (int)raw[2] ? syscall(SYS_unlinkat, -1, "", (int)raw[2]) : 0;
		break;
	case SHK_CALL_renameat2:
		r = (unsigned)raw[4] ? syscall(SYS_renameat2, -1, "", -1, "", (unsigned)raw[4]) : 0;
		break;
	case SHK_CALL_linkat:
		r = (int)raw[4] ? syscall(SYS_linkat, -1, "", -1, "", (int)raw[4]) : 0;
		break;
	case SHK_CALL_fchownat:
		r = (int)raw[4] ? syscall(SYS_fchownat, -1, "", -1, -1, (int)raw[4]) : 0;
		break;
	case SHK_CALL_fchmodat2:
		/* Newer than the names of the engine's own filter. */
		return raw[3] & UINT32_MAX & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? EINVAL : 0;
	case SHK_CALL_mknod:
		r = syscall(SYS_mknodat, -1, "", (mode_t)raw[1], 0);
		break;
	case SHK_CALL_mknodat:
		r = syscall(SYS_mknodat, -1, "", (mode_t)raw[2], 0);
		break;
	case SHK_CALL_truncate:
	case SHK_CALL_truncate64:
		return size_of(p) < 0 ? EINVAL : 0;
	default:
		break;
	}
	return r < 0 && (errno == EINVAL || errno == EPERM) ? errno : 0;
}

/* ---- what is held ---- */

static bool only_slashes(struct shk_str s)
{
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return !s.n;
}

/* "a/b/" is "a" and "b/"; "b" is the start and "b"; "/" is the root and ".". */
static void split(struct shk_str path, struct shk_str *dir, char *last, size_t size)
{
	size_t end = path.n, at, n;

	while (end && path.p[end - 1] == '/')
		end--;
	for (at = end; at && path.p[at - 1] != '/'; at--)
		;
	*dir = (struct shk_str){ path.p, at };
	if (!end) {
		dir->n = 1;
		strcpy(last, ".");
		return;
	}
	/* The kernel finds a name too long after everything before it. */
	n = SHK_MIN(end - at, size - 2);
	memcpy(last, path.p + at, n);
	strcpy(last + n, end < path.n ? "/" : "");
}

/* by: who walks, this thread or (NULL) a deputy. */
static int walk(struct shk_actor *a, const struct shk_caller *by, struct shk_held *h, struct shk_str path)
{
	return by ? shk_deputy_walk(a, by, &h->from, path, &h->pin) : shk_walk_pin(&h->from, path, &h->pin);
}

static int hold(struct shk_actor *a, const struct shk_caller *by, struct shk_held *h, struct shk_str path)
{
	struct shk_str dir = path;
	char text[SHK_PATH_LIMIT + 2];

	if (h->object)
		return walk(a, by, h, path);
	split(path, &dir, h->last, sizeof(h->last));
	if (dir.n > SHK_PATH_LIMIT)
		return -ENAMETOOLONG;
	/* With a dot behind it, as the directory must be one that the caller may search. */
	memcpy(text, dir.p, dir.n);
	text[dir.n] = '.';
	h->from.follow = true;
	return walk(a, by, h, (struct shk_str){ text, dir.n + 1 });
}

static bool takes_away(enum shk_call_id id)
{
	switch (id) {
	case SHK_CALL_rmdir:
	case SHK_CALL_unlink:
	case SHK_CALL_unlinkat:
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
		return true;
	default:
		return false;
	}
}

bool shk_held_name(struct shk_eval_ctx *ctx, struct shk_held *h)
{
	char buf[SHK_PATH_LIMIT + 2 * NAME_MAX + 4];
	ssize_t n = shk_pin_name(&h->from, &h->pin, buf, sizeof(buf) - NAME_MAX - 3);
	size_t len = strlen(h->last);

	if (n < 0)
		return false;
	if (!h->object) {
		if (len > 1 && h->last[len - 1] == '/')
			len--;
		if (n > 1)
			buf[n++] = '/';
		memcpy(buf + n, h->last, len);
		n += (ssize_t)len;
	}
	h->name = shk_arena_str(ctx->ev->arena, shk_container_path(ctx->ctr, (struct shk_str){ buf, (size_t)n }));
	return h->name.p != NULL;
}

static enum shk_pinned look_at(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_paths *p, struct shk_held *h)
{
	struct statx sx;
	bool named;
	long fs;
	int r = shk_actor_look(a, &h->from, h->pin.fd, &sx, &fs);

	if (r < 0 && r != -EREMOTE)
		return fails(p, -r);
	if (r < 0)
		return unable(p, "a filesystem that may wait for somebody");
	if (h->pin.missing)
		return fails(p, ENOENT);
	if (!shk_fs_is_fit(fs))
		return unable(p, "a filesystem that may wait for somebody");
	if (!shk_actor_sees_same(a, ctx, &p->caller, fs, true))
		return unable(p, "the file shows namespaces the task is alone in");
	if (!h->object && !S_ISDIR(sx.stx_mode))
		return fails(p, ENOTDIR);
	named = shk_held_name(ctx, h);
	/* Of an open file fields tell the name, if it has one (pipes have none); a memfd has none that a rule could know. */
	if (!named && !h->open && !shk_is_memfd(&sx))
		return unable(p, "an object without a name in the container");
	h->busy = !h->object && takes_away(p->call) && shk_aliases_mounted_on(a->aliases, h->pin.fd, h->name);
	return SHK_PINNED_OBJECT;
}

/* AT_EMPTY_PATH makes linkat take descriptors from whoever may read any directory. (And from who opened them, which
 * nobody can tell from outside; programs have the links in procfs then.) */
static bool may_link(const struct shk_paths *p, int fd)
{
	return p->call != SHK_CALL_linkat || fd == AT_FDCWD || p->caller.effective & 1ull << CAP_DAC_READ_SEARCH;
}

/* The open file itself, whatever comes under its number later. */
static enum shk_pinned pin_descriptor(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_paths *p, unsigned arg,
				      int fd, bool open)
{
	struct shk_held *h = &p->held[p->n++];
	int r;

	*h = (struct shk_held){ .arg = arg, .object = true, .open = open, .base = -1, .pin = { .fd = -1, .dir = -1 } };
	r = shk_actor_start(a, ctx, &p->caller, &h->from);
	if (r >= 0)
		r = fd == AT_FDCWD && !open ? shk_actor_base(&p->caller, fd) : shk_actor_take(ctx, &p->caller, fd, NULL);
	if (r == -EOPNOTSUPP || r == -EPERM)
		return unable(p, "the table of descriptors of a thread");
	if (r == -EREMOTE)
		return unable(p, "a filesystem that may not answer");
	if (r < 0)
		return fails(p, -r);
	if (!may_link(p, fd)) {
		close(r);
		return fails(p, ENOENT);
	}
	h->pin = (struct shk_pin){ .fd = r, .dir = -1, .doubtful = true };
	return look_at(a, ctx, p, h);
}

static enum shk_pinned pin_one(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_paths *p, unsigned arg,
			       enum how how, uint64_t at_flags)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg *text = shk_event_arg(ev, arg);
	int dir = ev->call->arg[arg].dirfd_arg, r;
	struct shk_held *h;

	if (text->state == SHK_ARG_OK && !text->bytes.n && at_flags & AT_EMPTY_PATH && (how == BY_FLAGS || how == LINK_SOURCE))
		return pin_descriptor(a, ctx, p, arg, dir >= 0 ? (int)ev->raw[dir] : AT_FDCWD, false);
	h = &p->held[p->n++];
	*h = (struct shk_held){ .arg = arg, .base = -1, .pin = { .fd = -1, .dir = -1 } };
	if (text->state == SHK_ARG_TRUNCATED)
		return fails(p, ENAMETOOLONG);
	if (text->state != SHK_ARG_OK)
		return fails(p, EFAULT);
	if (!text->bytes.n)
		return fails(p, ENOENT);
	h->object = how != DIRECTORY;
	/* "." is EINVAL, the root is busy; else the two are alike. */
	if ((p->call == SHK_CALL_rmdir || (p->call == SHK_CALL_unlinkat && p->raw[2] & AT_REMOVEDIR)) &&
	    only_slashes(text->bytes))
		return fails(p, EBUSY);
	r = shk_actor_start(a, ctx, &p->caller, &h->from);
	if (r == 0 && text->bytes.p[0] != '/')
		r = h->base = shk_actor_base(&p->caller, dir >= 0 ? (int)ev->raw[dir] : AT_FDCWD);
	if (r >= 0 && how == LINK_SOURCE && at_flags & AT_EMPTY_PATH && h->base >= 0 && !may_link(p, (int)ev->raw[dir]))
		r = -ENOENT;
	h->from.base_fd = h->base;
	h->from.follow = how == FOLLOWED || (how == LINK_SOURCE && at_flags & AT_SYMLINK_FOLLOW) || (how == BY_FLAGS && !(at_flags & AT_SYMLINK_NOFOLLOW));
	if (r >= 0)
		r = shk_rights_search(a->rights, &p->caller);
	if (r >= 0) {
		shk_actor_acts(a);
		r = hold(a, NULL, h, text->bytes);
	}
	shk_rights_own(a->rights);
	if (shk_deputy_helps(a, r))
		r = hold(a, &p->caller, h, text->bytes);
	if (r == -EREMOTE)
		return unable(p, "a filesystem that may not answer");
	if (r == -ESTALE)
		return unable(p, "a link of procfs whose task cannot be told");
	return r < 0 ? fails(p, -r) : look_at(a, ctx, p, h);
}

static enum shk_pinned read_target(struct shk_eval_ctx *ctx, struct shk_paths *p)
{
	const struct shk_arg *t = shk_event_arg(ctx->ev, 0);

	if (p->call != SHK_CALL_symlink && p->call != SHK_CALL_symlinkat)
		return SHK_PINNED_OBJECT;
	if (t->state == SHK_ARG_TRUNCATED)
		return fails(p, ENAMETOOLONG);
	if (t->state != SHK_ARG_OK)
		return fails(p, EFAULT);
	if (!t->bytes.n)
		return fails(p, ENOENT);
	if (t->bytes.n >= SHK_PATH_LIMIT)
		return fails(p, ENAMETOOLONG);
	p->target = shk_arena_strndup(ctx->ev->arena, t->bytes.p, t->bytes.n);
	return p->target ? SHK_PINNED_OBJECT : fails(p, ENOMEM);
}

/* -1 of 16 bit ids (i386's first calls): unchanged. */
static uint32_t id_of(const struct shk_paths *p, uint64_t v)
{
	return (p->call == SHK_CALL_chown || p->call == SHK_CALL_lchown || p->call == SHK_CALL_fchown) &&
			       p->caller.narrow_ids ?
		       ((uint16_t)v == 0xffff ? (uint32_t)-1 : (uint16_t)v) : (uint32_t)v;
}

/* Whom the numbers given mean. 0 or an errno. */
static int read_owner(struct shk_paths *p, bool other_users)
{
	unsigned i = p->call == SHK_CALL_fchownat ? 2 : 1;
	int r;

	p->owner[0] = p->said[0] = id_of(p, p->raw[i]);
	p->owner[1] = p->said[1] = id_of(p, p->raw[i + 1]);
	if (!other_users)
		return 0;
	r = shk_id_of_task(p->caller.tid, "uid_map", &p->owner[0]);
	return -(r < 0 ? r : shk_id_of_task(p->caller.tid, "gid_map", &p->owner[1]));
}

static bool changes_owner(enum shk_call_id id)
{
	return id == SHK_CALL_fchown || id == SHK_CALL_fchown32 || id == SHK_CALL_chown || id == SHK_CALL_chown32 || id == SHK_CALL_lchown || id == SHK_CALL_lchown32 ||
	       id == SHK_CALL_fchownat;
}

/* prlimit asks for a capability the engine has not. "Max file size  SOFT  HARD  bytes" */
static uint64_t size_limit(pid_t tid)
{
	static const struct shk_str word = { "Max file size", 13 };
	_cleanup_buf_ struct shk_buf b;
	char path[64], *at;

	shk_buf_init(&b, 8192);
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)tid);
	at = shk_read_file(path, &b, NULL) == 0 && b.n ? strstr(b.p, word.p) : NULL;
	return at && strspn(at + word.n, " ") && at[word.n + strspn(at + word.n, " ")] != 'u' ?
		       strtoull(at + word.n, NULL, 10) : UINT64_MAX;
}

/* The kernel asks the control group of whoever makes a device. */
static enum shk_pinned may_make(struct shk_eval_ctx *ctx, struct shk_paths *p)
{
	unsigned i = p->call == SHK_CALL_mknodat ? 2 : 1;
	mode_t type = (mode_t)p->raw[i] & S_IFMT;
	unsigned dev = (unsigned)p->raw[i + 1];
	struct shk_str groups;

	if ((p->call != SHK_CALL_mknod && p->call != SHK_CALL_mknodat) || (type != S_IFCHR && type != S_IFBLK))
		return SHK_PINNED_OBJECT;
	/* Overlay's mark of a removed file, which anybody may make. */
	if (type == S_IFCHR && !dev)
		return SHK_PINNED_OBJECT;
	groups = shk_proc_cgroups(shk_proc_task_of(ctx), ctx->ev->arena);
	/* include/linux/kdev_t.h, new_decode_dev */
	return shk_device_makable(groups.p ? groups : SHK_STR(""), type,
				  makedev(dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00))) ?
		       SHK_PINNED_OBJECT : fails(p, EPERM);
}

enum shk_pinned shk_paths_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_paths *p)
{
	struct shk_event *ev = ctx->ev;
	int row = row_of(ev->call->id);
	uint64_t again = p->again;
	enum shk_pinned what;
	unsigned k = 0;
	int err;

	*p = (struct shk_paths){ .call = ev->call->id, .again = again };
	for (unsigned i = 0; i < 6; i++)
		p->raw[i] = i < ev->call->nargs ? shk_event_reg(ev, i) : 0;
	p->why = shk_caller_of(ctx, &p->caller);
	if (p->why)
		return SHK_PINNED_UNABLE;
	err = check_values(p);
	if (err)
		return fails(p, err);
	if (p->call == SHK_CALL_truncate || p->call == SHK_CALL_truncate64)
		p->size_limit = size_limit(p->caller.tid);
	err = changes_owner(p->call) && known[row].how[0] == DESCRIPTOR ? read_owner(p, shk_caller_numbers_others(ctx)) : 0;
	if (err)
		return fails(p, err);
	if (known[row].how[0] == DESCRIPTOR)
		return pin_descriptor(a, ctx, p, 0, (int)ev->raw[0], true);
	what = read_target(ctx, p);
	for (unsigned i = 0; what == SHK_PINNED_OBJECT && i < ev->call->nargs && k < SHK_PATHS_MAX; i++)
		if (ev->call->arg[i].kind == SHK_ARG_PATH)
			what = pin_one(a, ctx, p, i, known[row].how[k++],
				       known[row].flags ? p->raw[known[row].flags] : 0);
	/* The kernel asks this of what was found. */
	err = what == SHK_PINNED_OBJECT && changes_owner(p->call) ? read_owner(p, shk_caller_numbers_others(ctx)) : 0;
	if (err)
		return fails(p, err);
	return what == SHK_PINNED_OBJECT ? may_make(ctx, p) : what;
}

/* ---- and done ---- */

static long change_owner(const struct shk_paths *p)
{
	return fchownat(p->held[0].pin.fd, "", p->owner[0], p->owner[1], AT_EMPTY_PATH);
}

static long change_mode(const struct shk_actor *a, const struct shk_paths *p, unsigned i)
{
	struct stat st;
	char name[16];

	if (fstat(p->held[0].pin.fd, &st) < 0)
		return -1;
	if (S_ISLNK(st.st_mode)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	snprintf(name, sizeof(name), "%d", p->held[0].pin.fd);
	return syscall(SYS_fchmodat, a->fds, name, (mode_t)p->raw[i] & 07777);
}

static long change_size(const struct shk_paths *p)
{
	int64_t size = size_of(p);
	struct statx sx;
	char path[40];

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", p->held[0].pin.fd);
	if ((uint64_t)size <= p->size_limit)
		return truncate(path, size);
	/* The limit is the caller's, and is asked about a file that grows and may be written (fs/attr.c,
	 * inode_newsize_ok); so is the signal, which it does not get. */
	if (statx(p->held[0].pin.fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &sx) < 0)
		return -1;
	if (!S_ISREG(sx.stx_mode) || (uint64_t)size <= sx.stx_size)
		return truncate(path, size);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return -1;
	errno = sx.stx_attributes & STATX_ATTR_APPEND ? EPERM : EFBIG;
	return -1;
}

static long make_link(const struct shk_actor *a, const struct shk_paths *p)
{
	const struct shk_held *from = &p->held[0], *to = &p->held[1];
	char name[16];

	snprintf(name, sizeof(name), "%d", from->pin.fd);
	return linkat(a->fds, name, to->pin.fd, to->last, AT_SYMLINK_FOLLOW);
}

static bool apart(const struct shk_paths *p)
{
	struct statx a, b;

	return p->n == 2 && statx(p->held[0].pin.fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) == 0 &&
	       statx(p->held[1].pin.fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) == 0 && a.stx_mnt_id != b.stx_mnt_id;
}

/* Something is mounted there: whoever may change the directory is told that it is in use. */
static long in_use(const struct shk_paths *p, const struct shk_held *h)
{
	if (apart(p))
		errno = EXDEV;
	else if (faccessat(h->pin.fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		errno = EBUSY;
	return -1;
}

static long carry_out(const struct shk_actor *a, const struct shk_paths *p)
{
	const struct shk_held *h = &p->held[0], *to = &p->held[1];
	const uint64_t *raw = p->raw;

	for (unsigned i = 0; i < p->n; i++)
		if (p->held[i].busy)
			return in_use(p, &p->held[i]);
	switch (p->call) {
	case SHK_CALL_mkdir:
		return mkdirat(h->pin.fd, h->last, (mode_t)raw[1]);
	case SHK_CALL_mkdirat:
		return mkdirat(h->pin.fd, h->last, (mode_t)raw[2]);
	case SHK_CALL_rmdir:
		return unlinkat(h->pin.fd, h->last, AT_REMOVEDIR);
	case SHK_CALL_unlink:
		return unlinkat(h->pin.fd, h->last, 0);
	case SHK_CALL_unlinkat:
		return unlinkat(h->pin.fd, h->last, (int)raw[2]);
	case SHK_CALL_symlink:
	case SHK_CALL_symlinkat:
		return symlinkat(p->target, h->pin.fd, h->last);
	case SHK_CALL_mknod:
		return syscall(SYS_mknodat, h->pin.fd, h->last, (mode_t)raw[1], (unsigned)raw[2]);
	case SHK_CALL_mknodat:
		return syscall(SYS_mknodat, h->pin.fd, h->last, (mode_t)raw[2], (unsigned)raw[3]);
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
		return renameat(h->pin.fd, h->last, to->pin.fd, to->last);
	case SHK_CALL_renameat2:
		return syscall(SYS_renameat2, h->pin.fd, h->last, to->pin.fd, to->last, (unsigned)raw[4]);
	case SHK_CALL_link:
	case SHK_CALL_linkat:
		return make_link(a, p);
	case SHK_CALL_chmod:
		return change_mode(a, p, 1);
	case SHK_CALL_fchmodat:
	case SHK_CALL_fchmodat2:
		return change_mode(a, p, 2);
	case SHK_CALL_chown:
	case SHK_CALL_chown32:
	case SHK_CALL_lchown:
	case SHK_CALL_lchown32:
	case SHK_CALL_fchownat:
		return change_owner(p);
	case SHK_CALL_fchmod:
		return fchmod(h->pin.fd, (mode_t)raw[1] & 07777);
	case SHK_CALL_fchown:
	case SHK_CALL_fchown32:
		return fchown(h->pin.fd, p->owner[0], p->owner[1]);
	case SHK_CALL_truncate:
	case SHK_CALL_truncate64:
		return change_size(p);
	default:
		errno = ENOSYS;
		return -1;
	}
}

/* ---- done twice ---- */

enum effect { TAKES, MOVES, MAKES, REPEATS };

static enum effect effect_of(enum shk_call_id id)
{
	switch (id) {
	case SHK_CALL_rmdir:
	case SHK_CALL_unlink:
	case SHK_CALL_unlinkat:
		return TAKES;
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
		return MOVES;
	case SHK_CALL_mkdir:
	case SHK_CALL_mkdirat:
	case SHK_CALL_symlink:
	case SHK_CALL_symlinkat:
	case SHK_CALL_mknod:
	case SHK_CALL_mknodat:
	case SHK_CALL_link:
	case SHK_CALL_linkat:
		return MAKES;
	default:
		return REPEATS;
	}
}

/* The number of what a name in a held directory stands for, 0: of nothing. */
static uint64_t named(const struct shk_held *h, struct stat *st)
{
	return fstatat(h->pin.fd, h->last, st, AT_SYMLINK_NOFOLLOW) == 0 ? st->st_ino : 0;
}

static uint64_t object_of(const struct shk_held *h)
{
	struct stat st;

	return fstat(h->pin.fd, &st) == 0 ? st.st_ino : 0;
}

uint64_t shk_paths_effect(const struct shk_paths *p)
{
	struct stat st;

	switch (effect_of(p->call)) {
	case TAKES:
	case MOVES:
		return named(&p->held[0], &st);
	case MAKES:
		return !named(&p->held[p->n - 1], &st);
	default:
		return 0;
	}
}

/* An engine that ended may have done it: what the call takes is not there any more, or is where it was to go; what it
 * makes, which was not there, is. Done once more an exchange would be undone, and another file removed. */
static bool done_before(const struct shk_paths *p)
{
	const struct shk_held *from = &p->held[0], *to = &p->held[p->n - 1];
	struct stat st;

	if (!p->again)
		return false;
	switch (effect_of(p->call)) {
	case TAKES:
		return named(from, &st) != p->again;
	case MOVES:
		return named(from, &st) != p->again && named(to, &st) == p->again;
	case MAKES:
		return named(to, &st) && (p->call == SHK_CALL_link || p->call == SHK_CALL_linkat ?
						  st.st_ino == object_of(from) : st.st_uid == p->caller.fsuid);
	default:
		return false;
	}
}

static int do_it(struct shk_actor *a, struct shk_paths *p)
{
	int r = shk_rights_be(a->rights, &p->caller);

	if (r < 0) {
		shk_rights_unbe(a->rights);
		return r;
	}
	shk_rights_umask(a->rights, p->caller.umask);
	r = done_before(p) || carry_out(a, p) == 0 ? 0 : -errno;
	shk_rights_unbe(a->rights);
	return r;
}

/* CAP_FSETID keeps bits that the kernel takes away from others without a word (fs/attr.c, setattr_prepare). */
static bool asks_silently(const struct shk_paths *p)
{
	switch (p->call) {
	case SHK_CALL_mkdir:
	case SHK_CALL_mknod:
	case SHK_CALL_chmod:
	case SHK_CALL_fchmod:
		return p->raw[1] & (S_ISUID | S_ISGID);
	case SHK_CALL_mkdirat:
	case SHK_CALL_mknodat:
	case SHK_CALL_fchmodat:
	case SHK_CALL_fchmodat2:
		return p->raw[2] & (S_ISUID | S_ISGID);
	default:
		return changes_owner(p->call);
	}
}

int shk_paths_do(struct shk_actor *a, struct shk_paths *p)
{
	int r = a->ns >= 0 && asks_silently(p) ? -EPERM : do_it(a, p);

	return shk_deputy_helps(a, r) ? shk_deputy_paths(a, p) : r;
}

void shk_paths_done(struct shk_paths *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		shk_pin_done(&p->held[i].pin);
		shk_close(&p->held[i].base);
	}
	p->n = 0;
}
