// SPDX-License-Identifier: Apache-2.0
/* minimal - the least a notifier can do: RECV, one read of the path, ID_VALID, CONTINUE. minimal CPU PROGRAM ARGS...
 * MINIMAL_CALL in the environment: the number of another call than openat, or of two ("257,59"). MINIMAL_CPU: a file that
 * gets the notifier's own processor time for one notification, in nanoseconds. CPU: -1 for none in particular.
 * MINIMAL_GATE: a path; each execve is also traced up to its end and the permission events for programs of that path's filesystem
 * are answered, which is the least that an exec takes whose program has been looked at. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned call = SYS_openat, other = SYS_openat;

static void child(int sock, char **argv)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(f) / sizeof(f[0]), f };
	int fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | (1UL << 5), &prog);
	if (write(sock, &fd, sizeof(fd)) < 0 || read(sock, &fd, 1) < 0)
		_exit(3);
	execv(argv[0], argv);
	_exit(127);
}

static void tell_cpu(unsigned long notified)
{
	const char *path = getenv("MINIMAL_CPU");
	FILE *f = path && notified ? fopen(path, "w") : NULL;
	struct rusage u;

	if (!f)
		return;
	getrusage(RUSAGE_SELF, &u);
	fprintf(f, "%.0f\n", ((double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
			      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3) / (double)notified);
	fclose(f);
}

static void *porter(void *arg)
{
	struct fanotify_event_metadata m;
	int fan = *(int *)arg;

	while (read(fan, &m, sizeof(m)) == sizeof(m)) {
		struct fanotify_response r = { .fd = m.fd, .response = FAN_ALLOW };

		if (write(fan, &r, sizeof(r)) != sizeof(r))
			break;
		close(m.fd);
	}
	return NULL;
}

/* false: it cannot be. */
static int open_gate(const char *path)
{
	static int fan;
	pthread_t t;

	fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	return fan >= 0 && !fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) &&
	       !pthread_create(&t, NULL, porter, &fan);
}

/* Until its execve has succeeded, or it ends. */
static void see_through(pid_t pid)
{
	int st;

	if (waitpid(pid, &st, __WALL) == pid && WIFSTOPPED(st))
		ptrace(PTRACE_DETACH, pid, 0, 0);
}

int main(int argc, char **argv)
{
	const char *gate = getenv("MINIMAL_GATE");
	unsigned long notified = 0;
	struct seccomp_notif n;
	struct pollfd p;
	cpu_set_t set;
	int s[2], fd, pidfd, st, traced;
	char path[4096];
	uint64_t at;
	pid_t pid;

	if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return 2;
	if (getenv("MINIMAL_CALL") && sscanf(getenv("MINIMAL_CALL"), "%u,%u", &call, &other) < 2)
		other = call;
	CPU_ZERO(&set);
	if (atoi(argv[1]) >= 0) {
		CPU_SET((size_t)atoi(argv[1]), &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	pid = fork();
	if (pid == 0)
		child(s[1], argv + 2);
	if (read(s[0], &fd, sizeof(fd)) != sizeof(fd) || fd < 0)
		return 3;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p.fd = fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ioctl(fd, SECCOMP_IOW(4, __u64), 1UL); /* synchronous wake-up, where the kernel has it */
	close(s[1]);
	if ((gate && !open_gate(gate)) || write(s[0], "", 1) != 1)
		return 3;
	for (;;) {
		struct seccomp_notif_resp r = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		struct iovec l = { path, sizeof(path) }, rm;

		memset(&n, 0, sizeof(n));
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) {
			p.events = 0;
			if (errno == ENOENT && poll(&p, 1, 0) > 0)
				break;
			continue;
		}
		notified++;
		/* up to the end of the page: a longer read could fail where the path does not */
		at = n.data.args[n.data.nr != SYS_execve];
		rm.iov_base = (void *)(uintptr_t)at;
		rm.iov_len = 4096 - (at & 4095);
		process_vm_readv((pid_t)n.pid, &l, 1, &rm, 1, 0);
		ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id);
		r.id = n.id;
		traced = gate && n.data.nr == SYS_execve && !ptrace(PTRACE_SEIZE, n.pid, 0, PTRACE_O_TRACEEXEC);
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
		if (traced)
			see_through((pid_t)n.pid);
	}
	tell_cpu(notified);
	return waitpid(pid, &st, 0) < 0 ? 3 : WEXITSTATUS(st);
}
