// SPDX-License-Identifier: Apache-2.0
/*
 * doors - every way to the same object: one call in all its variants, each meant to lead past a rule
 * about the plain one. "doors WAY PATH [PATH2]" says how it went as act does: "ok" or the name of the errno.
 * Static; x86-64 only, as are its i386 and x32 numbers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096ul
#define GARBAGE (UINT64_C(0xdead) << 32)
#define X32	0x40000000

static int done(long r)
{
	if (r < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	printf("ok\n");
	return 0;
}

/* ---- i386: int 0x80 takes 32-bit registers, so what they point to must lie low ---- */

static void *low(const void *p, size_t n)
{
	char *m = mmap(NULL, (n + 2 * PAGE - 1) & ~(PAGE - 1), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (m == MAP_FAILED)
		exit(2);
	memcpy(m, p, n);
	return m;
}

static uint32_t low_str(const char *s)
{
	return (uint32_t)(uintptr_t)low(s, strlen(s) + 1);
}

static long int80(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	int32_t r;

	__asm__ volatile("int $0x80" : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0 && r > -4096) {
		errno = -r;
		return -1;
	}
	return r;
}

static int i386_getpid(char **a)
{
	(void)a;
	return done(int80(20, 0, 0, 0, 0, 0) > 0 ? 0 : -1);
}
static int i386_rename(char **a) { return done(int80(38, low_str(a[0]), low_str(a[1]), 0, 0, 0)); }
static int i386_renameat(char **a)
{
	return done(int80(302, (uint32_t)AT_FDCWD, low_str(a[0]), (uint32_t)AT_FDCWD, low_str(a[1]), 0));
}
static int i386_renameat2(char **a)
{
	return done(int80(353, (uint32_t)AT_FDCWD, low_str(a[0]), (uint32_t)AT_FDCWD, low_str(a[1]), 0));
}
static int i386_unlink(char **a) { return done(int80(10, low_str(a[0]), 0, 0, 0, 0)); }
static int i386_unlinkat(char **a)
{
	return done(int80(301, (uint32_t)AT_FDCWD, low_str(a[0]), 0, 0, 0));
}
static int i386_open(char **a) { return done(int80(5, low_str(a[0]), O_WRONLY, 0, 0, 0)); }
static int i386_openat(char **a)
{
	return done(int80(295, (uint32_t)AT_FDCWD, low_str(a[0]), O_WRONLY, 0, 0));
}
static int i386_creat(char **a) { return done(int80(8, low_str(a[0]), 0755, 0, 0, 0)); }
static int i386_open_read(char **a) { return done(int80(5, low_str(a[0]), O_RDONLY, 0, 0, 0)); }

static uint32_t low_addr(const char *ip, const char *port)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	inet_pton(AF_INET, ip, &s.sin_addr);
	return (uint32_t)(uintptr_t)low(&s, sizeof(s));
}

static long socketcall(uint32_t call, uint32_t x, uint32_t y, uint32_t z)
{
	const uint32_t args[6] = { x, y, z };

	return int80(102, call, (uint32_t)(uintptr_t)low(args, sizeof(args)), 0, 0, 0);
}

static int i386_socketcall_connect(char **a)
{
	long fd = socketcall(1, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long r = socketcall(3, (uint32_t)fd, low_addr(a[0], a[1]), sizeof(struct sockaddr_in));

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}
static int i386_connect(char **a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long r = int80(362, (uint32_t)fd, low_addr(a[0], a[1]), sizeof(struct sockaddr_in), 0, 0);

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}
static int i386_socketcall_listen(char **a)
{
	long fd = socketcall(1, AF_INET, SOCK_STREAM, 0);

	if (socketcall(2, (uint32_t)fd, low_addr("0.0.0.0", a[0]), sizeof(struct sockaddr_in)) < 0)
		return done(-1);
	return done(socketcall(4, (uint32_t)fd, 1, 0));
}

/* ---- x32 ---- */

static int x32_rename(char **a) { return done(syscall(X32 | SYS_rename, a[0], a[1])); }
static int x32_unlink(char **a) { return done(syscall(X32 | SYS_unlink, a[0])); }
static int x32_open(char **a) { return done(syscall(X32 | SYS_open, a[0], O_WRONLY, 0)); }
static int x32_connect(char **a)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(a[1])) };

	inet_pton(AF_INET, a[0], &s.sin_addr);
	return done(syscall(X32 | SYS_connect, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), &s, sizeof(s)));
}

/* ---- variants of rename ---- */

static int plain_rename(char **a) { return done(rename(a[0], a[1])); }
static int at_rename(char **a) { return done(renameat(AT_FDCWD, a[0], AT_FDCWD, a[1])); }
static int at2_rename(char **a) { return done(renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], 0)); }
static int garbage_rename(char **a)
{
	return done(syscall(SYS_renameat2, GARBAGE | (uint32_t)AT_FDCWD, a[0],
			    GARBAGE | (uint32_t)AT_FDCWD, a[1], GARBAGE));
}
static int exchange_rename(char **a)
{
	return done(renameat2(AT_FDCWD, a[1], AT_FDCWD, a[0], RENAME_EXCHANGE));
}

/* Splits a path: the directory in *dir (to be kept), the name returned. */
static const char *split(const char *path, char *dir)
{
	const char *slash = strrchr(path, '/');

	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	return slash + 1;
}

static int relative_rename(char **a)
{
	char dir[PAGE];
	const char *name = split(a[0], dir);

	if (chdir(dir) < 0)
		return 2;
	return done(rename(name, a[1]));
}
static int fchdir_rename(char **a)
{
	char dir[PAGE];
	const char *name = split(a[0], dir);

	if (fchdir(open(dir, O_RDONLY | O_DIRECTORY)) < 0)
		return 2;
	return done(rename(name, a[1]));
}
static int dirfd_rename(char **a)
{
	char dir[PAGE];
	const char *name = split(a[0], dir);

	return done(renameat(open(dir, O_PATH | O_DIRECTORY), name, AT_FDCWD, a[1]));
}
static int dotdot_rename(char **a)
{
	char p[2 * PAGE];

	snprintf(p, sizeof(p), "/tmp/.././tmp//..%s", a[0]);
	return done(rename(p, a[1]));
}
/* The target must lie in the same tree: the new name is made beside it. */
static int chroot_rename(char **a)
{
	if (chroot(a[0]) < 0 || chdir("/") < 0)
		return 2;
	return done(rename(a[1], a[2]));
}

struct task {
	char **a;
	int r;
};

static void *own_fs(void *arg)
{
	struct task *t = arg;
	char dir[PAGE];
	const char *name = split(t->a[0], dir);

	t->r = unshare(CLONE_FS) < 0 || chdir(dir) < 0 ? 2 : done(rename(name, t->a[1]));
	return NULL;
}
static int thread_rename(char **a)
{
	struct task t = { .a = a };
	pthread_t th;

	pthread_create(&th, NULL, own_fs, &t);
	pthread_join(th, NULL);
	return t.r;
}
static void *own_files(void *arg)
{
	struct task *t = arg;
	char dir[PAGE];
	const char *name = split(t->a[0], dir);

	if (unshare(CLONE_FILES) < 0)
		return NULL;
	close(50);
	t->r = dup2(open(dir, O_PATH | O_DIRECTORY), 50) < 0 ? 2 : done(renameat(50, name, AT_FDCWD, t->a[1]));
	return NULL;
}
static int thread_dirfd_rename(char **a)
{
	struct task t = { .a = a, .r = 2 };
	pthread_t th;

	dup2(open("/tmp", O_PATH | O_DIRECTORY), 50);
	pthread_create(&th, NULL, own_files, &t);
	pthread_join(th, NULL);
	return t.r;
}

/* ---- where a path lies ---- */

/* Two pages, the second one readable or not. */
static char *two_pages(int second)
{
	char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || (!second && munmap(m + PAGE, 2 * PAGE) < 0))
		exit(2);
	return m;
}
static int edge_rename(char **a)
{
	char *m = two_pages(0), *p = m + PAGE - strlen(a[0]) - 1;

	return done(rename(strcpy(p, a[0]), a[1]));
}
static int across_rename(char **a)
{
	char *m = two_pages(1), *p = m + PAGE - strlen(a[0]) / 2;

	return done(rename(strcpy(p, a[0]), a[1]));
}
static int hole_rename(char **a)
{
	char *m = two_pages(0);
	size_t n = strlen(a[0]);

	memcpy(m + PAGE - n, a[0], n);
	return done(rename(m + PAGE - n, a[1]));
}
/* Slashes in front until the text has n bytes with its NUL. */
static int padded(char **a, size_t n)
{
	char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, '/', n);
	strcpy(m + n - strlen(a[0]) - 1, a[0]);
	return done(rename(m, a[1]));
}
static int longest_rename(char **a) { return padded(a, PAGE); }
static int longer_rename(char **a) { return padded(a, PAGE + 1); }
static int long_rename(char **a) { return padded(a, 300); }
static int unterminated_rename(char **a)
{
	char *m = two_pages(0);

	memset(m, '/', PAGE);
	return done(rename(m, a[1]));
}
/* A working directory whose name is longer than any path can be. */
static int deep_rename(char **a)
{
	char name[256], up[PAGE] = "";
	unsigned n = 0;

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	if (chdir("/tmp") < 0)
		return 2;
	for (; n < 40; n++)
		if ((mkdir(name, 0755) < 0 && errno != EEXIST) || chdir(name) < 0)
			return 2;
	for (n += 1; n; n--)
		strcat(up, "../");
	strcat(up, a[0] + 1);
	return done(rename(up, a[1]));
}

/* ---- by another name ---- */

static int symlink_rename(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	unlink("/tmp/sl");
	if (symlink(dir, "/tmp/sl") < 0)
		return 2;
	snprintf(p, sizeof(p), "/tmp/sl/%s", name);
	return done(rename(p, a[1]));
}
static int symlink_chdir_rename(char **a)
{
	char dir[PAGE];
	const char *name = split(a[0], dir);

	unlink("/tmp/sl");
	if (symlink(dir, "/tmp/sl") < 0 || chdir("/tmp/sl") < 0)
		return 2;
	return done(rename(name, a[1]));
}
static int proc_root_rename(char **a)
{
	char p[2 * PAGE];

	snprintf(p, sizeof(p), "/proc/self/root%s", a[0]);
	return done(rename(p, a[1]));
}
static int proc_cwd_rename(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	if (chdir(dir) < 0)
		return 2;
	snprintf(p, sizeof(p), "/proc/thread-self/cwd/%s", name);
	return done(rename(p, a[1]));
}
static int proc_fd_rename(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	snprintf(p, sizeof(p), "/proc/self/fd/%d/%s", open(dir, O_PATH | O_DIRECTORY), name);
	return done(rename(p, a[1]));
}
/* Through a bind mount, a copy of the mount, a new root. */
static int bind_rename(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	if (mount(dir, "/mnt", NULL, MS_BIND, NULL) < 0)
		return 2;
	snprintf(p, sizeof(p), "/mnt/%s", name);
	return done(rename(p, "/mnt/moved"));
}

/* ---- unlink, open, link ---- */

static int plain_unlink(char **a) { return done(unlink(a[0])); }
static int at_unlink(char **a) { return done(unlinkat(AT_FDCWD, a[0], 0)); }
static int dir_unlink(char **a) { return done(unlinkat(AT_FDCWD, a[0], AT_REMOVEDIR)); }
static int plain_rmdir(char **a) { return done(rmdir(a[0])); }
static int symlink_unlink(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	unlink("/tmp/sl");
	if (symlink(dir, "/tmp/sl") < 0)
		return 2;
	snprintf(p, sizeof(p), "/tmp/sl/%s", name);
	return done(unlink(p));
}

static int plain_open(char **a) { return done(syscall(SYS_open, a[0], O_WRONLY)); }
static int garbage_open(char **a) { return done(syscall(SYS_open, a[0], GARBAGE | O_WRONLY)); }
static int at_open(char **a) { return done(openat(AT_FDCWD, a[0], O_RDWR)); }
static int how_open(char **a)
{
	struct open_how how = { .flags = O_WRONLY };

	return done(syscall(SYS_openat2, AT_FDCWD, a[0], &how, sizeof(how)));
}
/* Relative to a root of its own: the path is not what it seems. */
static int how_in_root_open(char **a)
{
	struct open_how how = { .flags = O_WRONLY, .resolve = RESOLVE_IN_ROOT };
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	snprintf(p, sizeof(p), "/%s", name);
	return done(syscall(SYS_openat2, open(dir, O_PATH | O_DIRECTORY), p, &how, sizeof(how)));
}
static int creat_open(char **a) { return done(syscall(SYS_creat, a[0], 0755)); }
static int handle_open(char **a)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mnt;

	if (name_to_handle_at(AT_FDCWD, a[0], &u.h, &mnt, 0) < 0)
		return done(-1);
	return done(open_by_handle_at(open("/", O_RDONLY), &u.h, O_WRONLY));
}
static int symlink_open(char **a)
{
	unlink("/tmp/sl");
	if (symlink(a[0], "/tmp/sl") < 0)
		return 2;
	return done(open("/tmp/sl", O_WRONLY));
}
static int symlink_dir_open(char **a)
{
	char dir[PAGE], p[2 * PAGE];
	const char *name = split(a[0], dir);

	unlink("/tmp/sl");
	if (symlink(dir, "/tmp/sl") < 0)
		return 2;
	snprintf(p, sizeof(p), "/tmp/sl/%s", name);
	return done(open(p, O_WRONLY | O_CREAT, 0644));
}
/* A link that leads to a name that does not exist yet. */
static int dangling_open(char **a)
{
	unlink("/tmp/sl");
	if (symlink(a[0], "/tmp/sl") < 0)
		return 2;
	return done(open("/tmp/sl", O_WRONLY | O_CREAT, 0755));
}
static int reopen(char **a)
{
	char p[64];

	snprintf(p, sizeof(p), "/proc/self/fd/%d", open(a[0], O_PATH));
	return done(open(p, O_WRONLY));
}
static int proc_root_open(char **a)
{
	char p[2 * PAGE];

	snprintf(p, sizeof(p), "/proc/1/root%s", a[0]);
	return done(open(p, O_WRONLY));
}
static int tmpfile_link(char **a)
{
	char p[64];
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0755);

	snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
	return done(linkat(AT_FDCWD, p, AT_FDCWD, a[0], AT_SYMLINK_FOLLOW));
}
static int fd_link(char **a)
{
	return done(linkat(open("/tmp", O_TMPFILE | O_RDWR, 0755), "", AT_FDCWD, a[0], AT_EMPTY_PATH));
}
static int plain_link(char **a) { return done(link("/etc/motd", a[0])); }
static int plain_symlink(char **a) { return done(symlink("/etc/motd", a[0])); }
static int at_symlink(char **a)
{
	char dir[PAGE];
	const char *name = split(a[0], dir);

	return done(symlinkat("/etc/motd", open(dir, O_PATH | O_DIRECTORY), name));
}

/* ---- programs, namespaces, mounts, network ---- */

static int clone3_newuts(char **a)
{
	struct clone_args c = { .flags = CLONE_NEWUTS, .exit_signal = SIGCHLD };
	long r = syscall(SYS_clone3, &c, sizeof(c));

	(void)a;
	if (r == 0)
		_exit(0);
	return done(r);
}
static int clone_newuts(char **a)
{
	long r = syscall(SYS_clone, GARBAGE | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);

	(void)a;
	if (r == 0)
		_exit(0);
	return done(r);
}
static int unshare_newuts(char **a)
{
	(void)a;
	return done(unshare(CLONE_NEWUTS));
}
static int i386_unshare(char **a)
{
	(void)a;
	return done(int80(310, CLONE_NEWUTS, 0, 0, 0, 0));
}
static int ptrace_seize(char **a)
{
	(void)a;
	return done(syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), 0, 0));
}
static int i386_ptrace(char **a)
{
	(void)a;
	return done(int80(26, PTRACE_SEIZE, (uint32_t)getppid(), 0, 0, 0));
}
static int exec_fd(char **a)
{
	char *const argv[] = { (char[]){ "x" }, NULL };
	int fd = open(a[0], O_PATH | O_CLOEXEC);

	execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return done(-1);
}
static int exec_memfd(char **a)
{
	char *const argv[] = { (char[]){ "x" }, NULL };
	int in = open(a[0], O_RDONLY), fd = memfd_create("x", MFD_CLOEXEC);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return done(-1);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			return 2;
	execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return done(-1);
}
static int new_mount(char **a)
{
	int fs = fsopen("tmpfs", 0), m;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return done(-1);
	m = fsmount(fs, 0, 0);
	if (m < 0)
		return done(-1);
	return done(move_mount(m, "", AT_FDCWD, a[0], MOVE_MOUNT_F_EMPTY_PATH));
}
static int tree_mount(char **a)
{
	return done(open_tree(AT_FDCWD, a[0], OPEN_TREE_CLONE));
}
static int plain_mount(char **a) { return done(mount("none", a[0], "tmpfs", 0, NULL)); }
static int i386_mount(char **a)
{
	return done(int80(21, low_str("none"), low_str(a[0]), low_str("tmpfs"), 0, 0));
}

static struct sockaddr_in addr_of(char **a)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(a[1])) };

	inet_pton(AF_INET, a[0], &s.sin_addr);
	return s;
}
static int plain_connect(char **a)
{
	struct sockaddr_in s = addr_of(a);
	int r = connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&s, sizeof(s));

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}
static int udp_connect(char **a)
{
	struct sockaddr_in s = addr_of(a);

	return done(connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&s, sizeof(s)));
}
/* The address of an IPv4 host as IPv6 has it. */
static int mapped_connect(char **a)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(a[1])) };
	char text[64];
	int r;

	snprintf(text, sizeof(text), "::ffff:%s", a[0]);
	inet_pton(AF_INET6, text, &s.sin6_addr);
	r = connect(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&s, sizeof(s));
	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}
static int udp_sendto(char **a)
{
	struct sockaddr_in s = addr_of(a);

	return done(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (void *)&s, sizeof(s)));
}
static int udp_sendmsg(char **a)
{
	struct sockaddr_in s = addr_of(a);
	struct iovec v = { (char[]){ "x" }, 1 };
	struct msghdr h = { .msg_name = &s, .msg_namelen = sizeof(s), .msg_iov = &v, .msg_iovlen = 1 };

	return done(sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &h, 0));
}
static int udp_sendmmsg(char **a)
{
	struct sockaddr_in s = addr_of(a);
	struct iovec v = { (char[]){ "x" }, 1 };
	struct mmsghdr h = { .msg_hdr = { .msg_name = &s, .msg_namelen = sizeof(s),
					  .msg_iov = &v, .msg_iovlen = 1 } };

	return done(sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), &h, 1, 0));
}
static int fast_open(char **a)
{
	struct sockaddr_in s = addr_of(a);
	ssize_t r = sendto(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "x", 1, MSG_FASTOPEN,
			   (void *)&s, sizeof(s));

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}

static int trunc_open(char **a) { return done(open(a[0], O_RDONLY | O_TRUNC)); }
static int create_open(char **a) { return done(open(a[0], O_RDONLY | O_CREAT, 0755)); }
static int plain_truncate(char **a) { return done(truncate(a[0], 0)); }
static int i386_truncate(char **a) { return done(int80(92, low_str(a[0]), 0, 0, 0, 0)); }
static int i386_truncate64(char **a) { return done(int80(193, low_str(a[0]), 0, 0, 0, 0)); }
static int out_link(char **a)
{
	unlink("/tmp/hard");
	return done(link(a[0], "/tmp/hard"));
}
/* A mount of the runtime's becomes the root; the old one is found below it, under other names. */
static int pivot(char **a)
{
	if (unshare(CLONE_FS) < 0 || mkdir("/dev/shm/old", 0755) < 0)
		return 2;
	return done(syscall(SYS_pivot_root, a[0], "/dev/shm/old"));
}
static int mptcp_connect(char **a)
{
	struct sockaddr_in s = addr_of(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP);
	int r = fd < 0 ? -1 : connect(fd, (void *)&s, sizeof(s));

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}
static int mptcp_listen(char **a)
{
	char *all[] = { (char[]){ "0.0.0.0" }, a[0] };
	struct sockaddr_in s = addr_of(all);
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	if (fd < 0 || bind(fd, (void *)&s, sizeof(s)) < 0)
		return done(-1);
	return done(listen(fd, 1));
}
/* Descriptor 50 is a TCP socket to this thread and a pipe to the others. */
static void *own_socket(void *arg)
{
	struct task *t = arg;
	struct sockaddr_in s = addr_of(t->a);
	int fd, r;

	if (unshare(CLONE_FILES) < 0)
		return NULL;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	dup2(fd, 50);
	r = connect(50, (void *)&s, sizeof(s));
	t->r = done(r < 0 && errno == EINPROGRESS ? 0 : r);
	return NULL;
}
static int thread_connect(char **a)
{
	struct task t = { .a = a, .r = 2 };
	pthread_t th;
	int p[2];

	if (pipe(p) < 0)
		return 2;
	dup2(p[0], 50);
	pthread_create(&th, NULL, own_socket, &t);
	pthread_join(th, NULL);
	return t.r;
}

static const struct {
	const char *name;
	int args;
	int (*fn)(char **a);
} ways[] = {
	{ "rename", 2, plain_rename }, { "renameat", 2, at_rename }, { "renameat2", 2, at2_rename },
	{ "i386", 0, i386_getpid }, { "rename-i386", 2, i386_rename }, { "renameat-i386", 2, i386_renameat },
	{ "renameat2-i386", 2, i386_renameat2 }, { "rename-x32", 2, x32_rename },
	{ "rename-garbage", 2, garbage_rename }, { "rename-exchange", 2, exchange_rename },
	{ "rename-relative", 2, relative_rename }, { "rename-fchdir", 2, fchdir_rename },
	{ "rename-dirfd", 2, dirfd_rename }, { "rename-dotdot", 2, dotdot_rename },
	{ "rename-chroot", 3, chroot_rename }, { "rename-thread", 2, thread_rename },
	{ "rename-thread-dirfd", 2, thread_dirfd_rename }, { "rename-edge", 2, edge_rename },
	{ "rename-across", 2, across_rename }, { "rename-hole", 2, hole_rename },
	{ "rename-long", 2, long_rename }, { "rename-longest", 2, longest_rename },
	{ "rename-longer", 2, longer_rename }, { "rename-unterminated", 2, unterminated_rename },
	{ "rename-deep", 2, deep_rename }, { "rename-symlink", 2, symlink_rename },
	{ "rename-symlink-chdir", 2, symlink_chdir_rename }, { "rename-proc-root", 2, proc_root_rename },
	{ "rename-proc-cwd", 2, proc_cwd_rename }, { "rename-proc-fd", 2, proc_fd_rename },
	{ "rename-bind", 2, bind_rename },
	{ "unlink", 1, plain_unlink }, { "unlinkat", 1, at_unlink }, { "unlinkat-dir", 1, dir_unlink },
	{ "rmdir", 1, plain_rmdir }, { "unlink-i386", 1, i386_unlink },
	{ "unlinkat-i386", 1, i386_unlinkat }, { "unlink-x32", 1, x32_unlink },
	{ "unlink-symlink", 1, symlink_unlink },
	{ "open", 1, plain_open }, { "open-garbage", 1, garbage_open }, { "openat", 1, at_open },
	{ "openat2", 1, how_open }, { "openat2-in-root", 1, how_in_root_open }, { "creat", 1, creat_open },
	{ "open-i386", 1, i386_open }, { "openat-i386", 1, i386_openat }, { "creat-i386", 1, i386_creat },
	{ "open-read-i386", 1, i386_open_read }, { "open-x32", 1, x32_open },
	{ "open-handle", 1, handle_open }, { "open-symlink", 1, symlink_open },
	{ "open-symlink-dir", 1, symlink_dir_open }, { "open-dangling", 1, dangling_open },
	{ "open-reopen", 1, reopen }, { "open-proc-root", 1, proc_root_open },
	{ "link", 1, plain_link }, { "link-tmpfile", 1, tmpfile_link }, { "link-fd", 1, fd_link },
	{ "symlink", 1, plain_symlink }, { "symlinkat", 1, at_symlink },
	{ "clone3", 0, clone3_newuts }, { "clone", 0, clone_newuts }, { "unshare", 0, unshare_newuts },
	{ "unshare-i386", 0, i386_unshare }, { "ptrace", 0, ptrace_seize }, { "ptrace-i386", 0, i386_ptrace },
	{ "exec-fd", 1, exec_fd }, { "exec-memfd", 1, exec_memfd },
	{ "mount", 1, plain_mount }, { "mount-new", 1, new_mount }, { "mount-tree", 1, tree_mount },
	{ "mount-i386", 1, i386_mount },
	{ "connect", 2, plain_connect }, { "connect-udp", 2, udp_connect },
	{ "connect-mapped", 2, mapped_connect }, { "connect-i386", 2, i386_connect },
	{ "connect-socketcall", 2, i386_socketcall_connect }, { "connect-x32", 2, x32_connect },
	{ "sendto", 2, udp_sendto }, { "sendmsg", 2, udp_sendmsg }, { "sendmmsg", 2, udp_sendmmsg },
	{ "fast-open", 2, fast_open },
	{ "open-trunc", 1, trunc_open }, { "open-create", 1, create_open },
	{ "truncate", 1, plain_truncate }, { "truncate-i386", 1, i386_truncate },
	{ "truncate64-i386", 1, i386_truncate64 }, { "link-out", 1, out_link }, { "pivot", 1, pivot },
	{ "connect-mptcp", 2, mptcp_connect }, { "listen-mptcp", 1, mptcp_listen },
	{ "connect-thread", 2, thread_connect }, { "listen-socketcall", 1, i386_socketcall_listen },
};

/* Several ways are separated by "--"; each has a process of its own. */
int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 1; i < argc;) {
		size_t k;
		int st;

		for (k = 0; k < sizeof(ways) / sizeof(ways[0]) && strcmp(argv[i], ways[k].name); k++)
			;
		if (k == sizeof(ways) / sizeof(ways[0]) || i + ways[k].args >= argc) {
			fprintf(stderr, "doors: unknown way %s\n", argv[i]);
			return 2;
		}
		printf("%s ", argv[i]);
		if (fork() == 0)
			_exit(ways[k].fn(argv + i + 1));
		wait(&st);
		if (st && (!WIFEXITED(st) || WEXITSTATUS(st) != 1))
			printf("status %x\n", (unsigned)st);
		i += ways[k].args + 1;
		if (i < argc && strcmp(argv[i], "--") == 0)
			i++;
	}
	return 0;
}
