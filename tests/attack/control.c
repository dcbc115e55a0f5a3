// SPDX-License-Identifier: Apache-2.0
/*
 * control - a supervisor that checks and then lets the kernel read again, which is what an attack must defeat to be one:
 * "control GROUP PROGRAM ARGS...", GROUP being that of `list`. Each call whose path, or what the path leads to, lies below /hide or whose address
 * is the forbidden one is refused; the rest continues. Looks as carefully as one can without carrying calls out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The calls of each group, and which of their arguments is what. */
static const struct call {
	const char *group;
	bool i386;
	int nr, path, dirfd, addr; /* addr of a message: 100, it is in the header */
	int source, fd;		   /* one more than its argument; 0: none */
#define IN_HEADER 100
} calls[] = {
	{ "send", false, SYS_sendto, -1, -1, 4, 0, 0 },
	{ "send", false, SYS_sendmsg, -1, -1, IN_HEADER, 0, 0 },
	{ "send", true, 370, -1, -1, IN_HEADER, 0, 0 },
	{ "open", false, SYS_open, 0, -1, -1, 0, 0 },
	{ "open", false, SYS_openat, 1, 0, -1, 0, 0 },
	{ "open", false, SYS_openat2, 1, 0, -1, 0, 0 },
	{ "open", true, 5, 0, -1, -1, 0, 0 },
	{ "open", true, 295, 1, 0, -1, 0, 0 },
	{ "exec", false, SYS_execve, 0, -1, -1, 0, 0 },
	{ "exec", false, SYS_execveat, 1, 0, -1, 0, 0 },
	{ "exec", true, 11, 0, -1, -1, 0, 0 },
	{ "connect", false, SYS_connect, -1, -1, 1, 0, 0 },
	{ "connect", true, 362, -1, -1, 1, 0, 0 },
	{ "bind", false, SYS_bind, -1, -1, 1, 0, 0 },
	{ "path", false, SYS_rename, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_unlink, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_mkdir, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_link, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_chmod, 0, -1, -1, 0, 0 },
	{ "path", true, 38, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_mount, 1, -1, -1, 1, 0 },
	{ "path", false, SYS_umount2, 0, -1, -1, 0, 0 },
	{ "path", false, SYS_fchmod, -1, -1, -1, 0, 1 },
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static const char *group;


static void child(int sock, char **argv)
{
	struct sock_filter f[3 * N_CALLS + 10];
	unsigned short n = 0;
	int fd;

	for (int i386 = 0; i386 < 2; i386++) {
		unsigned short start, from;

		f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
		start = n++;
		f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
		from = n;
		for (size_t i = 0; i < N_CALLS; i++)
			if (calls[i].i386 == (bool)i386 && strcmp(calls[i].group, group) == 0) {
				f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].nr, 0, 1);
				f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
			}
		f[start] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							i386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64, 0,
							(unsigned char)(n - from + 1));
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | (1UL << 5),
			  &(struct sock_fprog){ n, f });
	if (write(sock, &fd, sizeof(fd)) < 0 || read(sock, &fd, 1) < 0)
		_exit(3);
	execv(argv[0], argv);
	_exit(127);
}

static bool peek(pid_t pid, uint64_t at, void *to, size_t n)
{
	struct iovec l = { to, n }, m = { (void *)(uintptr_t)at, n };
	size_t page = 4096 - (at & 4095);

	memset(to, 0, n);
	if (process_vm_readv(pid, &l, 1, &m, 1, 0) > 0)
		return true;
	l.iov_len = m.iov_len = n < page ? n : page;
	return process_vm_readv(pid, &l, 1, &m, 1, 0) > 0;
}

/* Where it leads to, as the caller would walk; "" when nowhere. */
static void real_path(pid_t pid, const char *dir, const char *path, char *out, size_t n)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	char p[8192], link[64];
	int root, fd;
	ssize_t k;

	out[0] = 0;
	snprintf(p, sizeof(p), "/proc/%d/root", (int)pid);
	root = open(p, O_PATH | O_CLOEXEC);
	if (strncmp(path, "/proc/self/", 11) == 0)
		snprintf(p, sizeof(p), "/proc/%d/%s", (int)pid, path + 11);
	else if (strcmp(path, "/dev/stdin") == 0)
		snprintf(p, sizeof(p), "/proc/%d/fd/0", (int)pid);
	else
		snprintf(p, sizeof(p), "%s%s%s", dir, *path ? "/" : "", path);
	fd = strncmp(p, "/proc/", 6) == 0 ? open(p, O_PATH | O_CLOEXEC) :
					    (int)syscall(SYS_openat2, root, p, &how, sizeof(how));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	k = fd < 0 ? -1 : readlink(link, out, n - 1);
	out[k < 0 ? 0 : k] = 0;
	close(fd);
	close(root);
}

static bool hidden(const char *path)
{
	/* Seen from outside there may be the directory of the container in front. */
	return strstr(path, "/hide/") || strstr(path, "/guard/") || strstr(path, "ld-linux") || strstr(path, "memfd:");
}

static bool ends(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static bool bad_path(const struct seccomp_notif *n, const struct call *c)
{
	char path[4096], dir[64] = "", real[4096];

	if (!peek((pid_t)n->pid, n->data.args[c->path], path, sizeof(path)))
		return false;
	path[sizeof(path) - 1] = 0;
	/* The runtime's own calls, before the container's program runs, are below the bundle. */
	if (hidden(path))
		return path[0] != '/' || strncmp(path, "/hide/", 6) == 0 || strstr(path, "ld-linux") == path + 7;
	if (path[0] != '/') {
		int d = c->dirfd < 0 ? AT_FDCWD : (int)n->data.args[c->dirfd];

		if (d == AT_FDCWD)
			snprintf(dir, sizeof(dir), "/proc/%d/cwd", (int)n->pid);
		else
			snprintf(dir, sizeof(dir), "/proc/%d/fd/%d", (int)n->pid, d);
	}
	real_path((pid_t)n->pid, dir, path, real, sizeof(real));
	return hidden(real);
}

/* What is mounted, if that is a path. The runtime's own mounts are of the host's. */
static bool bad_source(const struct seccomp_notif *n, unsigned arg)
{
	char path[4096], real[4096];

	if (!peek((pid_t)n->pid, n->data.args[arg], path, sizeof(path)) || path[0] != '/')
		return false;
	path[sizeof(path) - 1] = 0;
	real_path((pid_t)n->pid, "", path, real, sizeof(real));
	return strcmp(path, "/guard") == 0 || (strncmp(path, "/free/", 6) == 0 && ends(real, "/guard"));
}

static bool bad_descriptor(const struct seccomp_notif *n, unsigned arg)
{
	char link[64], real[4096];
	ssize_t k;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)n->pid, (int)n->data.args[arg]);
	k = readlink(link, real, sizeof(real) - 1);
	real[k < 0 ? 0 : k] = 0;
	return strstr(real, "/guard/");
}

static bool bad_argument(const struct seccomp_notif *n, const struct call *c)
{
	uint64_t argv[2] = { 0 };
	char text[32];

	return c->nr == SYS_execve && !c->i386 && peek((pid_t)n->pid, n->data.args[1], argv, sizeof(argv)) &&
	       argv[1] && peek((pid_t)n->pid, argv[1], text, sizeof(text)) && strncmp(text, "forbid", 6) == 0;
}

static bool bad_address(const struct seccomp_notif *n, const struct call *c)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_un un;
	} a;
	uint64_t at = c->addr == IN_HEADER ? 0 : n->data.args[c->addr];
	char real[4096], data[32] = "";

	if (c->addr == IN_HEADER)
		peek((pid_t)n->pid, n->data.args[1], &at, c->i386 ? 4 : 8);
	if (c->nr == SYS_sendto && !c->i386 && peek((pid_t)n->pid, n->data.args[1], data, 6) && strcmp(data, "forbid") == 0)
		return true;
	if (!at || !peek((pid_t)n->pid, at, &a, sizeof(a)))
		return false;
	if (a.in.sin_family == AF_INET)
		return ntohs(a.in.sin_port) == 4444;
	if (a.in.sin_family != AF_UNIX)
		return false;
	real_path((pid_t)n->pid, "", a.un.sun_path, real, sizeof(real));
	return strncmp(a.un.sun_path, "/hide/", 6) == 0 || hidden(real);
}

/* The open that only looks, and the flags that say so. */
static bool only_looks(const struct seccomp_notif *n, const struct call *c)
{
	return !c->i386 && c->nr == SYS_openat && (n->data.args[2] & O_PATH);
}

static bool bad(const struct seccomp_notif *n)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		const struct call *c = &calls[i];

		if (c->nr != n->data.nr || c->i386 != (n->data.arch == AUDIT_ARCH_I386))
			continue;
		return !only_looks(n, c) && ((c->path >= 0 && bad_path(n, c)) ||
					     (c->addr >= 0 && bad_address(n, c)) ||
					     (c->source && bad_source(n, (unsigned)c->source - 1)) ||
					     (c->fd && bad_descriptor(n, (unsigned)c->fd - 1)) || bad_argument(n, c));
	}
	return false;
}

int main(int argc, char **argv)
{
	struct seccomp_notif n;
	struct pollfd p;
	int s[2], fd, pidfd, st;
	pid_t pid;

	if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return 2;
	group = argv[1];
	pid = fork();
	if (pid == 0)
		child(s[1], argv + 2);
	if (read(s[0], &fd, sizeof(fd)) != sizeof(fd) || fd < 0)
		return 3;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p.fd = fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(s[1]);
	if (write(s[0], "", 1) != 1)
		return 3;
	for (;;) {
		struct seccomp_notif_resp resp = { 0 };

		memset(&n, 0, sizeof(n));
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) {
			p.events = 0;
			if (errno == ENOENT && poll(&p, 1, 0) > 0)
				break;
			continue;
		}
		resp.id = n.id;
		if (bad(&n))
			resp.error = -EPERM;
		else
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == 0)
			ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
	}
	return waitpid(pid, &st, 0) < 0 ? 3 : WEXITSTATUS(st);
}
