// SPDX-License-Identifier: Apache-2.0
/*
 * Other ways to the same file, without any race: each is tried on what is hidden, and its twin on what is free. The
 * last letter of a path is always the file's, so the ways take a directory.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define RO (O_RDONLY | O_CLOEXEC)

/* The file of a directory, with something in front of it; low in memory. */
static const char *say(const char *front, const char *dir)
{
	static char *p;

	if (!p)
		p = shared(4096);
	snprintf(p, 4096, "%s%s/f", front, dir);
	return p;
}
static int to(const char *front, const char *dir) { return open(say(front, dir), RO); }

static int proc_root(const char *d) { return to("/proc/self/root", d); }
static int proc_1_root(const char *d) { return to("/proc/1/root", d); }
static int proc_task_root(const char *d) { return to("/proc/thread-self/root", d); }
static int up(const char *d) { return to("/tmp/../free/.././/", d); }
static int symlinked(const char *d)
{
	unlink("/tmp/alias");
	return symlink(d, "/tmp/alias") < 0 ? -1 : open("/tmp/alias/f", RO);
}
static int hard_linked(const char *d)
{
	unlink("/tmp/hard");
	return link(say("", d), "/tmp/hard") < 0 ? -1 : open("/tmp/hard", RO);
}
static int bound(const char *d)
{
	return mount(d, "/mnt", NULL, MS_BIND, NULL) < 0 ? -1 : open("/mnt/f", RO);
}
static int bound_file(const char *d)
{
	close(open("/tmp/over", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	return mount(say("", d), "/tmp/over", NULL, MS_BIND, NULL) < 0 ? -1 : open("/tmp/over", RO);
}
static int cloned_tree(const char *d)
{
	return openat(open_tree(AT_FDCWD, d, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "f", RO);
}
static int other_namespace(const char *d)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	mkdir("/tmp/mine", 0755);
	return mount(d, "/tmp/mine", NULL, MS_BIND, NULL) < 0 ? -1 : open("/tmp/mine/f", RO);
}
static int rooted(const char *d) { return chroot(d) < 0 ? -1 : open("/f", RO); }
static int in_root(const char *d)
{
	struct open_how how = { .flags = RO, .resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, open(d, O_PATH | O_CLOEXEC), "/../f", &how, sizeof(how));
}
static int relative(const char *d) { return openat(open(d, O_PATH | O_DIRECTORY), "f", RO); }
static int standing(const char *d) { return chdir(d) < 0 ? -1 : open("f", RO); }
static int proc_cwd(const char *d) { return chdir(d) < 0 ? -1 : open("/proc/self/cwd/f", RO); }
static int reopened(const char *d)
{
	char p[64];

	snprintf(p, sizeof(p), "/proc/self/fd/%d", open(say("", d), O_PATH));
	return open(p, RO);
}
static int reopened_dev(const char *d)
{
	char p[64];

	snprintf(p, sizeof(p), "/dev/fd/%d/f", open(d, O_PATH | O_DIRECTORY));
	return open(p, RO);
}
/* A descriptor of the directory, sent by another process. */
static int passed(const char *d)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec v = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u) };
	int s[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s) < 0)
		return -1;
	if (fork_child() == 0) {
		fd = open(d, O_PATH | O_DIRECTORY);
		memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
		_exit(sendmsg(s[1], &m, 0) < 0);
	}
	wait(NULL);
	if (recvmsg(s[0], &m, MSG_DONTWAIT) < 0)
		return -1;
	memcpy(&fd, CMSG_DATA(&u.h), sizeof(fd));
	return openat(fd, "f", RO);
}
static int i386(const char *d) { return (int)int80(5, low(say("", d)), RO, 0, 0, 0); }
static int i386_openat2(const char *d)
{
	struct open_how *how = shared(sizeof(*how));

	how->flags = RO;
	return (int)int80(437, (uint32_t)AT_FDCWD, low(say("", d)), low(how), sizeof(*how), 0);
}
static int x32(const char *d) { return (int)syscall(X32 | SYS_open, say("", d), RO); }
static int garbage(const char *d)
{
	return (int)syscall(SYS_openat, (0xdeadUL << 32) | (uint32_t)AT_FDCWD, say("", d), (0xbeefUL << 32) | RO);
}
static int handle(const char *d)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mnt;

	if (name_to_handle_at(AT_FDCWD, say("", d), &u.h, &mnt, 0) < 0)
		return -1;
	return open_by_handle_at(open("/", O_RDONLY | O_CLOEXEC), &u.h, RO);
}

/* One operation on a ring, whose submission nobody sees. */
static int ring(const char *d)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	struct io_uring_sqe *sqe;
	char *sq, *cq;

	if (fd < 0)
		return -1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED, fd, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -1;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)say("", d);
	sqe->open_flags = RO;
	*(unsigned *)(void *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(void *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	return ((struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes))->res;
}

struct way {
	const char *name;
	int (*go)(const char *dir);
};

static const struct way ways[] = {
	{ "proc-root", proc_root }, { "proc-1-root", proc_1_root },
	{ "proc-task-root", proc_task_root }, { "up", up }, { "symlinked", symlinked },
	{ "hard-linked", hard_linked }, { "rooted", rooted }, { "in-root", in_root },
	{ "relative", relative }, { "standing", standing }, { "proc-cwd", proc_cwd },
	{ "reopened", reopened }, { "reopened-dev", reopened_dev }, { "passed", passed },
	{ "i386", i386 }, { "i386-openat2", i386_openat2 }, { "x32", x32 }, { "garbage", garbage },
	{ "handle", handle }, { "ring", ring },
};
static const struct way mount_ways[] = {
	{ "bound", bound }, { "bound-file", bound_file }, { "cloned-tree", cloned_tree },
	{ "other-namespace", other_namespace },
};

/* A way may change its process, so each has one. The mounts one leaves are gone with it. */
static void try_all(struct run *r, const struct way *way, unsigned n)
{
	for (unsigned i = 0; more(r); i++) {
		unsigned long before = atomic_load(&r->forbidden);
		pid_t pid = fork_child();

		if (pid == 0) {
			judge_fd(r, way[i % n].go("/hide"));
			umount2("/mnt", MNT_DETACH);
			umount2("/tmp/over", MNT_DETACH);
			judge_fd(r, way[i % n].go("/free"));
			umount2("/mnt", MNT_DETACH);
			umount2("/tmp/over", MNT_DETACH);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		if (atomic_load(&r->forbidden) > before)
			past(r, way[i % n].name);
	}
}

/* Each a few times: there is no luck in it. */
static void few(struct run *r, unsigned n)
{
	if (r->attempts > n * 8)
		r->attempts = n * 8;
}

static void aliases(struct run *r)
{
	few(r, sizeof(ways) / sizeof(ways[0]));
	try_all(r, ways, sizeof(ways) / sizeof(ways[0]));
}

static void mounted(struct run *r)
{
	few(r, sizeof(mount_ways) / sizeof(mount_ways[0]));
	try_all(r, mount_ways, sizeof(mount_ways) / sizeof(mount_ways[0]));
}

const struct attack attacks_alias[] = {
	{ "alias-open", aliases },
	{ "alias-mount", mounted },
	{ NULL, NULL },
};
