// SPDX-License-Identifier: Apache-2.0
/* minimal - the least a notifier can do: RECV, one read of the path, ID_VALID, CONTINUE. minimal CPU PROGRAM ARGS...
 * MINIMAL_CALL in the environment: the number of another call than openat. MINIMAL_CPU: a file that gets the notifier's
 * own processor time for one notification, in nanoseconds. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned call = SYS_openat;

static void child(int sock, char **argv)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
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

int main(int argc, char **argv)
{
	unsigned long notified = 0;
	struct seccomp_notif n;
	struct pollfd p;
	cpu_set_t set;
	int s[2], fd, pidfd, st;
	char path[4096];
	uint64_t at;
	pid_t pid;

	if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return 2;
	if (getenv("MINIMAL_CALL"))
		call = (unsigned)atoi(getenv("MINIMAL_CALL"));
	CPU_ZERO(&set);
	CPU_SET((size_t)atoi(argv[1]), &set);
	sched_setaffinity(0, sizeof(set), &set);
	pid = fork();
	if (pid == 0)
		child(s[1], argv + 2);
	if (read(s[0], &fd, sizeof(fd)) != sizeof(fd) || fd < 0)
		return 3;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p.fd = fd = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ioctl(fd, SECCOMP_IOW(4, __u64), 1UL); /* synchronous wake-up, where the kernel has it */
	close(s[1]);
	if (write(s[0], "", 1) != 1)
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
		at = n.data.args[call != SYS_execve];
		rm.iov_base = (void *)(uintptr_t)at;
		rm.iov_len = 4096 - (at & 4095);
		process_vm_readv((pid_t)n.pid, &l, 1, &rm, 1, 0);
		ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id);
		r.id = n.id;
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
	}
	tell_cpu(notified);
	return waitpid(pid, &st, 0) < 0 ? 3 : WEXITSTATUS(st);
}
