// SPDX-License-Identifier: Apache-2.0
#include "state/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "state/mounts.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* linux/openat2.h, since 5.12 */
#endif

#define DEPTH_MAX    64	  /* directories held between root and file */
#define LINKS_MAX    40	  /* MAXSYMLINKS (include/linux/namei.h) */
#define STEPS_MAX    1024
#define PATH_BYTES   4096u

struct walk {
	int dir[DEPTH_MAX]; /* dir[0] is the root; all owned */
	unsigned depth;	    /* index of the current directory */
	struct shk_mount_view mounts;
	/* Only for names (shk_walk_name): */
	const struct shk_walk_from *from;
	unsigned own;	      /* directories from this one on are of our own procfs; 0: none */
	bool jumped;	      /* dir[1] was reached without walking: dir[0] is not its parent */
	bool acting;	      /* shk_walk_pin */
	bool borrowed;	      /* dir[0] is somebody else's */
	bool missing;	      /* the last name is not there: the descriptor is its directory */
	struct shk_found *found; /* of what was found quickly; NULL: nobody asks */
	char last[NAME_MAX + 1];
};

static int open_path(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve };
	long r = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return r < 0 ? -errno : (int)r;
}

static int open_root(pid_t tid)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/root", (int)tid);
	fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* AT_STATX_DONT_SYNC: the server is not asked. */
static int look(int fd, struct statx *sx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, sx) < 0)
		return -errno;
	return 0;
}

static void walk_done(struct walk *w)
{
	for (unsigned i = w->borrowed; i <= w->depth; i++)
		shk_close(&w->dir[i]);
	shk_mount_view_done(&w->mounts);
}

static void to_depth(struct walk *w, unsigned depth)
{
	while (w->depth > depth)
		shk_close(&w->dir[w->depth--]);
	if (w->depth < w->own)
		w->own = 0;
	if (!w->depth)
		w->jumped = false;
}

/* The next directory. Of those on the way the first are let go when there are too many: ".." finds them again. */
static void go_down(struct walk *w, int fd)
{
	if (w->depth + 1 == DEPTH_MAX) {
		close(w->dir[1]);
		memmove(&w->dir[1], &w->dir[2], (w->depth - 1) * sizeof(w->dir[0]));
		w->depth--;
		w->jumped = true;
		w->own = w->own > 1 ? w->own - 1 : 0;
	}
	w->dir[++w->depth] = fd;
}

/* Goes on in a directory that is not below the current one. */
static void jump(struct walk *w, int fd)
{
	to_depth(w, 0);
	w->dir[++w->depth] = fd;
	w->jumped = true;
}

static bool same_place(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &y) == 0 &&
	       x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id &&
	       x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor;
}

/* ".." asks no filesystem: the parent of a directory that is open is known. */
static int go_up(struct walk *w)
{
	int fd;

	if (w->depth != 1 || !w->jumped) {
		to_depth(w, w->depth ? w->depth - 1 : 0);
		return 0;
	}
	if (same_place(w->dir[1], w->dir[0]))
		return 0;
	fd = open_path(w->dir[1], "..", O_NOFOLLOW | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	shk_close(&w->dir[1]);
	w->dir[1] = fd;
	return 0;
}

/* What the kernel asks of a directory before it looks at "." or ".." in it. */
static int may_search(struct walk *w)
{
	int fd;

	if (!w->acting)
		return 0;
	/* Not RESOLVE_CACHED, which turns EACCES into EAGAIN. */
	if (!shk_mount_answers(&w->mounts, w->dir[w->depth]))
		return -EREMOTE;
	fd = open_path(w->dir[w->depth], ".", O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int shk_fs_protected(const char *what)
{
	char path[64], c = '1';
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/fs/protected_%s", what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &c, 1) != 1)
		return 1;
	return c - '0';
}

/* fs.protected_symlinks: links in directories like /tmp are followed for their owner, or the directory's
 * (fs/namei.c, may_follow_link). */
static int may_follow(const struct walk *w, int link)
{
	struct statx l, d;

	if (!w->acting)
		return 0;
	if (statx(link, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID, &l) < 0 ||
	    statx(w->dir[w->depth], "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID | STATX_MODE, &d) < 0)
		return -errno;
	if (shk_same_user(w->from->in_users, l.stx_uid, w->from->fsuid) ||
	    (d.stx_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) ||
	    shk_same_user(w->from->in_users, l.stx_uid, d.stx_uid))
		return 0;
	return shk_fs_protected("symlinks") ? -EACCES : 0;
}

/* Puts a link's target in front of the rest of the path. 0 or -errno. */
static int splice_link(int fd, char *rest)
{
	char text[2 * PATH_BYTES];
	ssize_t n = readlinkat(fd, "", text, PATH_BYTES);
	size_t tail = strlen(rest);

	if (n < 0)
		return -errno;
	if ((size_t)n + 1 + tail >= PATH_BYTES)
		return -ENAMETOOLONG;
	text[n++] = '/';
	memcpy(text + n, rest, tail + 1);
	memcpy(rest, text, (size_t)n + tail + 1);
	return 0;
}

/* Takes the first component off rest into name; false at the end. */
static bool next_name(char *rest, char *name, bool *more)
{
	char *p = rest + strspn(rest, "/");
	size_t n = strcspn(p, "/");

	if (!n)
		return false;
	memcpy(name, p, n);
	name[n] = 0;
	p += n;
	*more = p[strspn(p, "/")] != 0;
	memmove(rest, p, strlen(p) + 1);
	return true;
}

/* *ret or the next directory is one of the task's own in procfs. */
static int enter_own(struct walk *w, int to, bool more, int *ret)
{
	if (!more) {
		*ret = to;
		return 0;
	}
	go_down(w, to);
	w->own = w->own ? w->own : w->depth;
	return 0;
}

/* Field 22 of the stat file in a directory of procfs: when the process was started. 0: unknown. */
static uint64_t start_in(int dir)
{
	char buf[1024], *p;
	_cleanup_close_ int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		return 0;
	buf[n] = 0;
	p = strrchr(buf, ')');
	for (unsigned field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* What "self" is in the procfs at hand, by the number the task has there: that of its own pid namespace, or of
 * ours where the container sees the host's. */
static int own_directory(struct walk *w, bool thread)
{
	const struct shk_walk_from *f = w->from;
	const pid_t pid[2] = { f->vpid, f->tgid }, tid[2] = { f->vtid, f->tid };
	char text[64];
	_cleanup_close_ int ours = -1;
	uint64_t start;

	snprintf(text, sizeof(text), "/proc/%d", (int)f->tgid);
	ours = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	start = ours < 0 ? 0 : start_in(ours);
	for (unsigned i = 0; start && i < 2; i++) {
		_cleanup_close_ int fd = -1;

		snprintf(text, sizeof(text), "%d", (int)pid[i]);
		fd = open_path(w->dir[w->depth], text, O_DIRECTORY | O_NOFOLLOW, 0);
		if (fd < 0 || start_in(fd) != start)
			continue;
		if (!thread)
			return TAKE_FD(fd);
		snprintf(text, sizeof(text), "task/%d", (int)tid[i]);
		return open_path(fd, text, O_DIRECTORY | O_NOFOLLOW, 0);
	}
	return -ESTALE;
}

/* A link of procfs, as the task would follow it: "self" means the task, most others lead to an object
 * without a lookup. */
static int proc_link(struct walk *w, int fd, char *rest, const char *name, bool more, int *ret)
{
	char text[64];
	ssize_t n = readlinkat(fd, "", text, sizeof(text));
	struct statx sx;
	bool own;
	int to;

	if (w->acting && (!strcmp(name, "self") || !strcmp(name, "thread-self"))) {
		to = own_directory(w, name[0] == 't');
		if (to < 0)
			return to;
		return enter_own(w, to, more, ret);
	}
	if (!strcmp(name, "self") || !strcmp(name, "thread-self")) {
		if (name[0] == 's')
			snprintf(text, sizeof(text), "/proc/%d", (int)w->from->tgid);
		else
			snprintf(text, sizeof(text), "/proc/%d/task/%d", (int)w->from->tgid, (int)w->mounts.tid);
		to = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return to < 0 ? -ESRCH : enter_own(w, to, more, ret);
	}
	/* "mounts", "net": links like any other. */
	if (n > 0 && text[0] != '/' && !memchr(text, ':', (size_t)n))
		return splice_link(fd, rest);
	/* A task may follow its own ones whatever its rights, but for those of map_files ("FROM-TO"); of others its
	 * rights tell (fs/proc/base.c, proc_fd_access_allowed and proc_map_files_get_link). */
	own = w->acting && w->own && w->depth >= w->own && !strchr(name, '-');
	if (own)
		w->from->own_rights(true);
	to = open_path(w->dir[w->depth], name, 0, 0);
	if (own)
		w->from->own_rights(false);
	if (to < 0)
		return to;
	if (more && (look(to, &sx) < 0 || !S_ISDIR(sx.stx_mode))) {
		close(to);
		return -ENOTDIR;
	}
	if (!more)
		*ret = to;
	else
		jump(w, to);
	return 0;
}

/* One component: -errno, or 0 with *ret >= 0 when the last one was reached. */
static int step(struct walk *w, char *rest, const char *name, bool more, unsigned *links, int *ret)
{
	_cleanup_close_ int fd = -1;
	struct statfs fs;
	struct statx sx;
	int r;

	if (!(w->own && w->depth >= w->own) && !shk_mount_answers(&w->mounts, w->dir[w->depth]))
		return -EREMOTE;
	fd = open_path(w->dir[w->depth], name, O_NOFOLLOW, 0);
	if (fd == -ENOENT && w->from && !more && strlen(name) <= NAME_MAX) {
		strcpy(w->last, name);
		w->missing = true;
		*ret = fcntl(w->dir[w->depth], F_DUPFD_CLOEXEC, 0);
		return *ret < 0 ? -errno : 0;
	}
	if (fd < 0)
		return fd;
	r = look(fd, &sx);
	if (r < 0)
		return r;
	if (S_ISLNK(sx.stx_mode) && w->from && !more && !w->from->follow) {
		*ret = TAKE_FD(fd);
		return 0;
	}
	if (S_ISLNK(sx.stx_mode)) {
		r = may_follow(w, fd);
		if (r < 0)
			return r;
	}
	if (S_ISLNK(sx.stx_mode) && w->from && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC) {
		if (++*links > LINKS_MAX)
			return -ELOOP;
		return proc_link(w, fd, rest, name, more, ret);
	}
	if (S_ISLNK(sx.stx_mode)) {
		/* Links of procfs are magic, or mean whoever looks: this process. */
		if (++*links > LINKS_MAX || fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
			return -ELOOP;
		r = splice_link(fd, rest);
		if (r == 0 && rest[0] == '/')
			to_depth(w, 0);
		return r;
	}
	if (!more) {
		*ret = TAKE_FD(fd);
		return 0;
	}
	if (!S_ISDIR(sx.stx_mode))
		return -ENOTDIR;
	go_down(w, TAKE_FD(fd));
	return 0;
}

static int walk_slowly(struct walk *w, struct shk_str path)
{
	char rest[2 * PATH_BYTES], name[PATH_BYTES];
	unsigned links = 0;
	bool more = false;

	memcpy(rest, path.p, path.n);
	rest[path.n] = 0;
	for (unsigned n = 0; n < STEPS_MAX; n++) {
		int fd = -1, r;

		if (!next_name(rest, name, &more)) {
			fd = fcntl(w->dir[w->depth], F_DUPFD_CLOEXEC, 0);
			return fd < 0 ? -errno : fd;
		}
		if (!strcmp(name, ".") || !strcmp(name, "..")) {
			r = may_search(w);
			if (r == 0 && name[1])
				r = go_up(w);
			if (r < 0)
				return r;
			continue;
		}
		r = step(w, rest, name, more, &links, &fd);
		if (r < 0 || fd >= 0)
			return r < 0 ? r : fd;
	}
	return -ELOOP;
}

static int walk_open(struct walk *w, struct shk_str path)
{
	char text[PATH_BYTES];
	int fd;

	if (!path.n || path.n >= sizeof(text) || memchr(path.p, 0, path.n))
		return -EINVAL;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	w->dir[0] = open_root(w->mounts.tid);
	if (w->dir[0] < 0)
		return w->dir[0];
	fd = open_path(w->dir[0], text, 0,
		       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED);
	/* EINVAL: a kernel without RESOLVE_CACHED. */
	return fd == -EAGAIN || fd == -EINVAL ? walk_slowly(w, path) : fd;
}

int shk_walk_open(pid_t tid, struct shk_str path)
{
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = tid, .dir = { -1 } };

	return walk_open(&w, path);
}

int shk_walk_open_file(pid_t tid, struct shk_str path)
{
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = tid, .dir = { -1 } };
	_cleanup_close_ int pinned = -1;
	struct statx sx;
	char link[64];
	int r;

	pinned = walk_open(&w, path);
	if (pinned < 0)
		return pinned;
	r = look(pinned, &sx);
	if (r < 0)
		return r;
	if (!S_ISREG(sx.stx_mode))
		return -EINVAL;
	if (!shk_mount_answers(&w.mounts, pinned))
		return -EREMOTE;
	/* O_NONBLOCK: a lease the container took is not waited for. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", pinned);
	r = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return r < 0 ? -errno : r;
}

/* What the kernel has cached, without links of procfs and without leaving the start; or -errno, which
 * says nothing. */
static int quickly(const struct walk *w, const char *path, uint64_t more)
{
	uint64_t how = RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED | more |
		       (w->jumped ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);

	return open_path(w->dir[w->depth], path, w->from->follow ? 0 : O_NOFOLLOW, how);
}

/* SHK_MOUNT_* of its mount, or -errno. */
static int see(struct shk_mount_view *m, int fd, struct shk_found *ret)
{
	int kind = shk_mount_look(m, fd, STATX_BASIC_STATS, &ret->sx);

	ret->answers = kind > 0 && kind & SHK_MOUNT_ANSWERS;
	return kind;
}

/* -EAGAIN: in a procfs. */
static int look_at(struct walk *w, int fd)
{
	int kind = see(&w->mounts, fd, w->found);

	if (kind >= 0 && !(kind & SHK_MOUNT_PROC))
		return 0;
	w->found->sx.stx_mask = 0;
	return -EAGAIN;
}

/* "self" is somebody else's in a procfs. The filesystem itself is not asked: it need not answer. */
static int quickly_but_proc(struct walk *w, const char *path)
{
	int fd = quickly(w, path, 0);

	if (fd >= 0 && (w->found ? look_at(w, fd) : shk_mount_is_proc(&w->mounts, fd))) {
		close(fd);
		return -EAGAIN;
	}
	return fd;
}

/* The name of fd, and of `last` in it; doubtful: it may be mounted where the task cannot see it. */
static ssize_t name_of(struct walk *w, int fd, const char *last, bool doubtful, char *buf, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), w->acting ? "%d" : "/proc/self/fd/%d", fd);
	n = readlinkat(w->acting ? w->from->fds : AT_FDCWD, link, buf, size);
	if (n < 0 || (size_t)n + NAME_MAX + 2 >= size)
		return n < 0 ? -errno : -ENAMETOOLONG;
	if (buf[0] == '/' && doubtful && !shk_mount_seen(&w->mounts, fd))
		return -EXDEV;
	if (last) {
		if (n > 1)
			buf[n++] = '/';
		memcpy(buf + n, last, strlen(last));
		n += (ssize_t)strlen(last);
	}
	return n;
}

/* The object that a path leads to, or with w->missing the directory where it would be. */
static int walk_from(struct walk *w, struct shk_str path, bool *doubtful)
{
	const struct shk_walk_from *from = w->from;
	_cleanup_close_ int fd = -1;
	char text[PATH_BYTES];

	if (!path.n || path.n >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	w->borrowed = !from->in_root && from->root_fd > 0;
	w->dir[0] = w->borrowed	  ? from->root_fd :
		    from->in_root ? open(from->base, O_PATH | O_DIRECTORY | O_CLOEXEC) :
				    open_root(from->tid);
	if (w->dir[0] < 0)
		return from->in_root ? -ENOENT : w->dir[0];
	if (text[0] != '/' && !from->in_root) {
		fd = open(from->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		jump(w, TAKE_FD(fd));
	}
	*doubtful = w->jumped || from->in_root;
	fd = quickly_but_proc(w, text);
	if (fd < 0)
		fd = walk_slowly(w, (struct shk_str){ text, path.n });
	return TAKE_FD(fd);
}

int shk_walk_look(const struct shk_walk_from *from, int fd, struct shk_found *ret)
{
	SHK_CLEANUP(shk_mount_view_done) struct shk_mount_view m = { .tid = from->tid, .init = from->init, .root = from->root_dev };
	int kind = see(&m, fd, ret);

	/* A kernel that does not tell mounts tells the rest. */
	return kind == -ENODATA ? 0 : SHK_MIN(kind, 0);
}

int shk_walk_find(const struct shk_walk_from *from, struct shk_str path, struct shk_found *ret)
{
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = from->tid, .mounts.init = from->init, .mounts.root = from->root_dev, .dir = { -1 }, .from = from,
						 .found = ret };
	_cleanup_close_ int fd = -1;
	bool doubtful;
	int r;

	ret->sx.stx_mask = 0;
	fd = walk_from(&w, path, &doubtful);
	if (fd < 0 || w.missing)
		return fd < 0 ? fd : -ENOENT;
	r = ret->sx.stx_mask & STATX_INO ? 0 : shk_walk_look(from, fd, ret);
	return r < 0 ? r : TAKE_FD(fd);
}

bool shk_walk_answers(pid_t tid, pid_t init, dev_t root_dev, int fd)
{
	SHK_CLEANUP(shk_mount_view_done) struct shk_mount_view m = { .tid = tid, .init = init, .root = root_dev };

	return shk_mount_answers(&m, fd);
}

bool shk_walk_mounted(pid_t tid, pid_t init, int fd)
{
	SHK_CLEANUP(shk_mount_view_done) struct shk_mount_view m = { .tid = tid, .init = init };
	_cleanup_close_ int root = open_root(tid);
	struct statx sx, of_root;

	/* A kernel that does not tell mounts. */
	if (look(fd, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
		return true;
	return shk_mount_listed(&m, fd) ||
	       (root >= 0 && look(root, &of_root) == 0 && of_root.stx_mnt_id == sx.stx_mnt_id);
}

ssize_t shk_walk_name(const struct shk_walk_from *from, struct shk_str path, char *buf, size_t size)
{
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = from->tid, .mounts.init = from->init, .mounts.root = from->root_dev, .dir = { -1 }, .from = from };
	_cleanup_close_ int fd = -1;
	bool doubtful = false;

	fd = walk_from(&w, path, &doubtful);
	if (fd < 0)
		return fd;
	return name_of(&w, fd, w.missing ? w.last : NULL, doubtful || w.jumped, buf, size);
}

/* ---- to act on what was found ---- */

void shk_pin_done(struct shk_pin *p)
{
	shk_close(&p->fd);
	shk_close(&p->dir);
}

static int start(struct walk *w, const struct shk_walk_from *from, bool absolute)
{
	int fd;

	w->dir[0] = from->in_root ? from->base_fd : from->root_fd;
	w->borrowed = true;
	if (absolute || from->in_root)
		return 0;
	fd = fcntl(from->base_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	jump(w, fd);
	return 0;
}

/* Of a path whose last name may have to be made: its directory and the name, when these are cached. */
static int quickly_to_make(struct walk *w, char *path, struct shk_pin *p)
{
	char *last = strrchr(path, '/'), *name = last ? last + 1 : path;
	_cleanup_close_ int dir = -1, fd = -1;
	struct walk up = *w;
	struct shk_walk_from from = *w->from;
	struct statx sx;
	bool direct = true;

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > NAME_MAX)
		return -EAGAIN;
	from.follow = true;
	up.from = &from;
	if (last == path) {
		dir = fcntl(w->dir[0], F_DUPFD_CLOEXEC, 0);
	} else if (last) {
		*last = 0;
		dir = quickly(&up, path, RESOLVE_NO_SYMLINKS);
		direct = dir != -ELOOP;
		if (!direct)
			dir = quickly(&up, path, 0);
		if (dir >= 0 && w->from->is_proc(w->from, dir))
			shk_close(&dir);
		*last = '/';
	} else {
		dir = fcntl(w->dir[w->depth], F_DUPFD_CLOEXEC, 0);
	}
	if (dir < 0)
		return -EAGAIN;
	p->straight = direct && *path == '/' && !w->jumped;
	fd = open_path(dir, name, O_NOFOLLOW, RESOLVE_CACHED);
	if (fd == -ENOENT) {
		strcpy(p->last, name);
		p->missing = true;
		p->fd = TAKE_FD(dir);
		return 0;
	}
	if (fd < 0 || look(fd, &sx) < 0 || (S_ISLNK(sx.stx_mode) && w->from->follow))
		return -EAGAIN;
	p->fd = TAKE_FD(fd);
	p->dir = TAKE_FD(dir);
	return 0;
}

#define HINT_LINK 1u /* a symbolic link was on the way */
#define HINT_XDEV 2u /* another mount was */

/* What was met on a way tells what to expect there; all that a wrong guess costs is another look. */
static uint8_t *hint_of(const struct walk *w, const char *path, uint8_t *none)
{
	uint32_t h = 0;

	for (; *path; path++)
		h = h * 31 + (uint8_t)*path;
	return w->from->hints ? &w->from->hints[(h ^ h >> 16) % SHK_WALK_HINTS] : none;
}

/* Is the mount that the walk begins at without names that depend on who looks, as a procfs has? */
static bool starts_plain(struct walk *w)
{
	return w->depth || w->from->in_root ? !w->from->is_proc(w->from, w->dir[w->depth]) : w->from->root_plain;
}

/* What the kernel knows by heart: the object, *straight if no symbolic link led to it, or that there is none: that is
 * so for the task, too, if the walk stayed on its first mount, where it is no procfs. -EAGAIN: nothing. */
static int by_heart(struct walk *w, const char *path, bool *straight)
{
	uint8_t none = 0, *hint = hint_of(w, path, &none);
	uint64_t stay = *hint & HINT_XDEV ? 0 : RESOLVE_NO_XDEV;
	uint64_t direct = *hint & HINT_LINK ? 0 : RESOLVE_NO_SYMLINKS;
	int fd;

	for (bool tried = false;;) {
		fd = quickly(w, path, stay | direct);
		if (tried && fd != -EAGAIN)
			*hint |= HINT_XDEV;
		tried = false;
		if (fd == -ELOOP && direct) {
			*hint |= HINT_LINK;
			direct = 0;
		} else if (stay && (fd == -EXDEV || fd == -EAGAIN)) {
			/* Another mount: said by EAGAIN as well (fs/namei.c, __follow_mount_rcu). */
			tried = true;
			stay = 0;
		} else {
			break;
		}
	}
	*straight = fd >= 0 && direct;
	if (fd == -ENOENT && starts_plain(w) && (stay || quickly(w, path, RESOLVE_NO_XDEV) == -ENOENT))
		return -ENOENT;
	return fd < 0 ? -EAGAIN : fd;
}

int shk_walk_pin(const struct shk_walk_from *given, struct shk_str path, struct shk_pin *ret)
{
	struct shk_walk_from from = *given;
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = from.tid, .mounts.init = from.init, .mounts.root = from.root_dev, .dir = { -1 }, .from = &from,
						 .acting = true };
	char text[PATH_BYTES];
	struct statx sx;
	int r;

	*ret = (struct shk_pin){ .fd = -1, .dir = -1 };
	if (!path.n || path.n >= sizeof(text))
		return path.n ? -ENAMETOOLONG : -ENOENT;
	memcpy(text, path.p, path.n);
	text[path.n] = 0;
	ret->slash = text[path.n - 1] == '/';
	from.follow |= ret->slash;
	r = start(&w, &from, text[0] == '/');
	if (r < 0)
		return r;
	if (from.create) {
		r = quickly_to_make(&w, text, ret);
	} else {
		ret->fd = by_heart(&w, text, &ret->straight);
		if (ret->fd == -ENOENT)
			return -ENOENT;
		/* Without symbolic links on its way the name is the one given. */
		ret->straight &= !w.jumped;
		r = ret->fd < 0 ? -EAGAIN : 0;
		if (r == 0 && from.is_proc(&from, ret->fd)) {
			shk_close(&ret->fd);
			ret->straight = false;
			r = -EAGAIN;
		}
	}
	if (r == -EAGAIN) {
		ret->straight = false;
		/* Links of procfs ask for more than searching does. */
		from.own_rights(false);
		ret->fd = walk_slowly(&w, (struct shk_str){ text, path.n });
		if (ret->fd < 0)
			return ret->fd;
		ret->missing = w.missing;
		if (w.missing)
			strcpy(ret->last, w.last);
		else if (from.create)
			ret->dir = fcntl(w.dir[w.depth], F_DUPFD_CLOEXEC, 0);
	}
	ret->doubtful = w.jumped;
	/* What is to be made is no directory; whoever asks for it says so. */
	if (ret->slash && !ret->missing && !from.create && (look(ret->fd, &sx) < 0 || !S_ISDIR(sx.stx_mode))) {
		shk_pin_done(ret);
		return -ENOTDIR;
	}
	return 0;
}

static bool same_mount(int a, int b)
{
	struct statx x, y;

	return look(a, &x) == 0 && look(b, &y) == 0 && x.stx_mask & y.stx_mask & STATX_MNT_ID &&
	       x.stx_mnt_id == y.stx_mnt_id;
}

ssize_t shk_pin_name(const struct shk_walk_from *from, const struct shk_pin *p, char *buf, size_t size)
{
	SHK_CLEANUP(walk_done) struct walk w = { .mounts.tid = from->tid, .mounts.init = from->init, .mounts.root = from->root_dev, .dir = { -1 }, .from = from, .acting = true };

	return name_of(&w, p->fd, p->missing ? p->last : NULL,
		       p->doubtful && !same_mount(p->fd, from->root_fd), buf, size);
}
