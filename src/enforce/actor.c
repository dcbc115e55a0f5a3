// SPDX-License-Identifier: Apache-2.0
#include "enforce/actor.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "state/program.h"

/* PIDFD_THREAD (linux/pidfd.h, since 6.9) */
#define PIDFD_OF_THREAD O_EXCL

/* For the walk's way back to the engine's rights. */
static _Thread_local struct shk_actor *acting;

static void own_rights(bool on)
{
	/* A walk goes on: descriptors it looked at are closed, and their numbers come again. */
	acting->seen_fd = -1;
	if (on)
		shk_rights_own(acting->rights);
	else
		shk_rights_again(acting->rights);
}

void shk_actor_acts(struct shk_actor *a)
{
	acting = a;
}

struct shk_actor *shk_actor_new(void)
{
	SHK_CLEANUP(shk_actor_freep) struct shk_actor *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->root = a->ns = a->probe[0] = a->probe[1] = -1;
	a->fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	a->rights = shk_rights_new();
	a->aliases = shk_aliases_new();
	return a->fds < 0 || !a->rights || !a->aliases ? NULL : TAKE_PTR(a);
}

void shk_actor_free(struct shk_actor *a)
{
	if (!a)
		return;
	shk_close(&a->root);
	shk_close(&a->ns);
	shk_close(&a->fds);
	shk_close(&a->probe[0]);
	shk_close(&a->probe[1]);
	shk_rights_free(a->rights);
	shk_aliases_free(a->aliases);
	free(a);
}

unsigned shk_actor_seconds(const struct shk_actor *a)
{
	uint64_t now = shk_now_mono();

	return 1 + (a->due > now ? (unsigned)((a->due - now) / 1000000000u) : 0);
}

static bool enter(pid_t pid, const char *which, int type)
{
	char path[64];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && setns(fd, type) == 0;
}

/* What /proc/sys and control group files show and change belongs to the namespaces of the thread that looks them up or
 * opens them (fs/proc/proc_sysctl.c; kernel/cgroup/cgroup.c, cgroup_file_open). */
static void join(struct shk_actor *a, pid_t init)
{
	if (a->joined == init)
		return;
	a->joined = init;
	a->net = 0;
	if (enter(init, "net", CLONE_NEWNET) && enter(init, "ipc", CLONE_NEWIPC) &&
	    enter(init, "cgroup", CLONE_NEWCGROUP))
		a->net = shk_ns_of(init, "net");
}

int shk_actor_go_home(struct shk_actor *a)
{
	if (!a->joined)
		return 0;
	a->joined = 0;
	return shk_actor_begin_thread();
}

int shk_actor_begin_thread(void)
{
	uint64_t own = shk_ns_of(gettid(), "cgroup");

	/* The first thread joins nobody. */
	if (own && own == shk_ns_of(getpid(), "cgroup"))
		return 0;
	return enter(getpid(), "cgroup", CLONE_NEWCGROUP) ? 0 : -errno;
}

static uint64_t listed(int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 && sx.stx_mask & STATX_MNT_ID ?
		       sx.stx_mnt_id : 0;
}

/* A mount keeps its filesystem, and its unique number is never given to another one. */
static const struct shk_fs_of_mount *known(const struct shk_actor *a, const struct statx *sx)
{
	const struct shk_fs_of_mount *m = &a->mounts[sx->stx_mnt_id % SHK_ARRAY_SIZE(a->mounts)];

	return sx->stx_mask & STATX_MNT_ID_UNIQUE && m->id == sx->stx_mnt_id ? m : NULL;
}

int shk_actor_look(struct shk_actor *a, const struct shk_walk_from *from, int fd, struct statx *sx, long *type)
{
	const struct shk_fs_of_mount *m;
	char name[16], c = '/';
	struct statfs fs;

	if (fd == a->seen_fd) {
		*sx = a->seen;
		*type = a->seen_type;
		return 0;
	}
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID_UNIQUE, sx) < 0)
		return -errno;
	m = known(a, sx);
	if (m) {
		*type = m->type;
		return 0;
	}
	/* fstatfs asks a FUSE server: not before the mount is known to be none. What has no path (pipes, sockets) is
	 * the kernel's own. Before Linux 6.8 numbers of mounts are given again at once, and asking is all there is. */
	snprintf(name, sizeof(name), "%d", fd);
	if (sx->stx_mask & STATX_MNT_ID_UNIQUE && readlinkat(a->fds, name, &c, 1) == 1 && c == '/' &&
	    !shk_is_memfd(sx) && !shk_walk_answers(from->tid, from->init, from->root_dev, fd))
		return -EREMOTE;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	*type = fs.f_type;
	if (sx->stx_mask & STATX_MNT_ID_UNIQUE)
		a->mounts[sx->stx_mnt_id % SHK_ARRAY_SIZE(a->mounts)] =
			(struct shk_fs_of_mount){ sx->stx_mnt_id, shk_is_memfd(sx) ? 0 : listed(fd), fs.f_type };
	return 0;
}

uint64_t shk_actor_listed(const struct shk_actor *a, const struct statx *sx)
{
	const struct shk_fs_of_mount *m = known(a, sx);

	return m ? m->listed : 0;
}

bool shk_actor_knows_plain(const struct shk_actor *a, const struct statx *sx)
{
	const struct shk_fs_of_mount *m = known(a, sx);

	return m && shk_fs_is_plain(m->type);
}

static bool is_proc(const struct shk_walk_from *from, int fd)
{
	struct shk_actor *a = from->arg;

	if (shk_actor_look(a, from, fd, &a->seen, &a->seen_type) < 0)
		return true;
	if (a->seen_type == PROC_SUPER_MAGIC)
		return true; /* and closed */
	a->seen_fd = fd;
	return false;
}

static int open_link(pid_t tid, const char *what)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int find_root(struct shk_actor *a, struct shk_eval_ctx *ctx, pid_t tid)
{
	struct shk_proc *p = shk_proc_task_of(ctx);
	struct statx sx;
	uint64_t mnt;
	dev_t dev;
	ino_t ino;

	if (!p || !shk_proc_root_mount(p, &dev, &ino, &mnt))
		return -ESRCH;
	if (a->root >= 0 && mnt && a->root_mnt == mnt && a->root_dev == dev && a->root_ino == ino)
		return 0;
	shk_close(&a->root);
	a->root = open_link(tid, "root");
	if (a->root < 0)
		return a->root;
	if (statx(a->root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &sx) < 0)
		return -errno;
	a->root_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	a->root_ino = sx.stx_ino;
	a->root_mnt = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
	a->root_looked = false;
	return 0;
}

int shk_actor_root(struct shk_actor *a, struct shk_eval_ctx *ctx)
{
	int r = find_root(a, ctx, ctx->ev->tid);

	return r < 0 ? r : a->root;
}

/* Held from here on: by the time it is used the task's number may be another one's. */
void shk_actor_meet(struct shk_actor *a, const struct shk_caller *c)
{
	char path[64];

	shk_close(&a->ns);
	if (!c->other_users || !a->mounter)
		return;
	snprintf(path, sizeof(path), "/proc/%d/ns", (int)c->tid);
	a->ns = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void shk_actor_adopt(struct shk_actor *a, struct shk_walk_from *from)
{
	from->fds = a->fds;
	from->own_rights = own_rights;
	from->is_proc = is_proc;
	from->arg = a;
	from->hints = NULL;
}

bool shk_actor_stays(struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c)
{
	a->seen_fd = -1;
	shk_actor_meet(a, c);
	return a->joined == ctx->ctr->init_pid && find_root(a, ctx, c->tid) == 0 && a->root_looked;
}

int shk_actor_start(struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c,
		    struct shk_walk_from *from)
{
	struct statx sx;
	long type;
	int r;

	a->seen_fd = -1;
	shk_actor_meet(a, c);
	join(a, ctx->ctr->init_pid);
	r = find_root(a, ctx, c->tid);
	*from = (struct shk_walk_from){
		.tid = c->tid, .tgid = c->tgid, .vtid = c->vtid, .vpid = c->vpid, .fsuid = c->fsuid,
		.init = ctx->ctr->init_pid, .root_dev = ctx->ctr->own_dev, .root_fd = a->root, .base_fd = -1, .fds = a->fds,
		.own_rights = own_rights, .is_proc = is_proc, .arg = a, .hints = a->hints,
	};
	if (r == 0 && !a->root_looked) {
		a->root_plain = shk_actor_look(a, from, a->root, &sx, &type) == 0 && type != PROC_SUPER_MAGIC;
		a->root_direct = a->root_plain && a->root_mnt && shk_fs_is_plain(type);
		a->root_looked = true;
		memset(a->hints, 0, sizeof(a->hints));
		memset(a->expected, 0, sizeof(a->expected));
	}
	from->root_plain = a->root_plain;
	return r;
}

int shk_actor_base(const struct shk_caller *c, int dirfd)
{
	char what[32];
	int fd;

	if (dirfd == AT_FDCWD)
		return open_link(c->tid, "cwd");
	if (dirfd < 0)
		return -EBADF;
	snprintf(what, sizeof(what), "fd/%d", dirfd);
	fd = open_link(c->tid, what);
	return fd == -ENOENT ? -EBADF : fd;
}

/* A thread may have a table of its own (THREATS A9): the leader's serves only if it is the same. */
static int take(const struct shk_proc *p, const struct shk_caller *c, int fd)
{
	int known = shk_proc_pidfd(p), r = known < 0 ? known : shk_pidfd_getfd(known, fd);
	_cleanup_close_ int pidfd = -1;

	if (known >= 0 && r != -ESRCH)
		return r;
	pidfd = shk_pidfd_open(c->tid, c->tid == c->tgid ? 0 : PIDFD_OF_THREAD);
	if (pidfd < 0 && c->tid != c->tgid && syscall(SYS_kcmp, c->tid, c->tgid, KCMP_FILES, 0, 0) == 0)
		pidfd = shk_pidfd_open(c->tgid, 0);
	if (pidfd < 0)
		return -EOPNOTSUPP;
	return shk_pidfd_getfd(pidfd, fd);
}

/* Does closing such a file ask nobody? Sockets, pipes, devices and memfds have no server; of files and directories the
 * filesystem's type says it. */
static bool closes_alone(struct shk_eval_ctx *ctx, const struct shk_caller *c, int fd, const struct statx *sx)
{
	if ((!S_ISREG(sx->stx_mode) && !S_ISDIR(sx->stx_mode)) || shk_is_memfd(sx))
		return true;
	return shk_walk_answers(c->tid, ctx->ctr->init_pid, ctx->ctr->own_dev, fd);
}

#define TAKE_LOOKS (STATX_TYPE | STATX_INO | STATX_NLINK)
#define LOST_MAX   256 /* of a container, that no other one is short of descriptors; each costs it a process */

/* The open file itself comes over, and to close it is to flush it: the server of a FUSE or network filesystem is asked, and
 * no signal ends the wait (fs/fuse/file.c, fuse_flush). So what has the number is looked at first, and again when it is
 * here. Whoever puts such a file there in between ends, and the file is kept for good rather than closed. */
int shk_actor_take(struct shk_eval_ctx *ctx, const struct shk_caller *c, int fd, int *domain)
{
	atomic_uint *lost = &ctx->ctr->n_lost;
	struct statx before, after;
	socklen_t n = sizeof(int);
	char path[64];
	int r;

	if (fd < 0)
		return -EBADF;
	if (atomic_load_explicit(lost, memory_order_relaxed) >= LOST_MAX)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)c->tid, fd);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, TAKE_LOOKS, &before) < 0)
		return errno == ENOENT ? -EBADF : -errno;
	if (S_ISREG(before.stx_mode) || S_ISDIR(before.stx_mode)) {
		_cleanup_close_ int look = open(path, O_PATH | O_CLOEXEC);

		if (look < 0)
			return errno == ENOENT ? -EBADF : -errno;
		if (!closes_alone(ctx, c, look, &before))
			return -EREMOTE;
	}
	r = take(shk_proc_task_of(ctx), c, fd);
	if (r >= 0 && domain && getsockopt(r, SOL_SOCKET, SO_DOMAIN, domain, &n) == 0)
		return r; /* nobody is asked when a socket is closed */
	if (r < 0 || statx(r, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, TAKE_LOOKS, &after) < 0)
		return r;
	if ((after.stx_ino == before.stx_ino && after.stx_dev_major == before.stx_dev_major &&
	     after.stx_dev_minor == before.stx_dev_minor) || closes_alone(ctx, c, r, &after))
		return r;
	atomic_fetch_add(lost, 1);
	(void)shk_pidfd_signal(shk_proc_pidfd(shk_proc_task_of(ctx)), SIGKILL);
	return -EREMOTE;
}

bool shk_fs_is_plain(long type)
{
	switch ((unsigned)type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
	case EROFS_SUPER_MAGIC_V1:
	case F2FS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

bool shk_fs_is_fit(long type)
{
	static const unsigned fit[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, RAMFS_MAGIC,
		OVERLAYFS_SUPER_MAGIC, SQUASHFS_MAGIC, EROFS_SUPER_MAGIC_V1, F2FS_SUPER_MAGIC,
		MSDOS_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, DEVPTS_SUPER_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, HUGETLBFS_MAGIC, PIPEFS_MAGIC, SOCKFS_MAGIC,
		NSFS_MAGIC, ANON_INODE_FS_MAGIC, ISOFS_SUPER_MAGIC,
		0x19800202 /* mqueue: ipc/mqueue.c */, 0x2fc12fc1 /* zfs */, 0xca451a4e /* bcachefs */,
		0x6a656a63 /* virtiofs */,
	};

	for (size_t i = 0; i < SHK_ARRAY_SIZE(fit); i++)
		if ((unsigned)type == fit[i])
			return true;
	return false;
}

bool shk_fs_shows_namespaces(long type)
{
	return type == PROC_SUPER_MAGIC || type == SYSFS_MAGIC || type == CGROUP_SUPER_MAGIC ||
	       type == CGROUP2_SUPER_MAGIC || type == 0x19800202;
}

bool shk_actor_sees_same(const struct shk_actor *a, struct shk_eval_ctx *ctx, const struct shk_caller *c, long type,
			 bool writes)
{
	if (!shk_fs_shows_namespaces(type))
		return true;
	if (!a->net || shk_proc_ns(shk_proc_task_of(ctx), SHK_NS_NET) != a->net)
		return false;
	return !writes || (shk_ns_of(c->tid, "ipc") == shk_ns_of(a->joined, "ipc") &&
			   shk_ns_of(c->tid, "cgroup") == shk_ns_of(a->joined, "cgroup"));
}
