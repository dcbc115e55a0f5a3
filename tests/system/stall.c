// SPDX-License-Identifier: Apache-2.0
/*
 * stall - a container that tries to hold its supervisor up.
 *
 *	stall uffd N		N threads rename a path that lies in a page which never comes; meanwhile another
 *				thread opens a file again and again. Says how each call ended and how
 *				often the other succeeded while they waited.
 *	stall flood SECONDS	64 threads open a file for so long; says how often.
 *	stall steps SECONDS	one thread, the same.
 *	stall send-pipe SOCKET TEXT	a runtime's message with a pipe where the listener should be.
 *	stall trace PID		traces a process until it ends, five seconds at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static atomic_bool over;
static atomic_ulong opened, failed;
static char *page;

static void *open_on(void *arg)
{
	while (!atomic_load(&over)) {
		int fd = open("/etc/motd", O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			atomic_fetch_add(&failed, 1);
		else
			close(fd);
		atomic_fetch_add(&opened, fd >= 0);
	}
	return arg;
}

static void *wait_on(void *arg)
{
	int *err = arg;

	*err = rename(page, "/tmp/never") < 0 ? errno : 0;
	return NULL;
}

static int uffd(int n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t t[64], other;
	int err[64] = { 0 };

	if (fd < 0) {
		printf("userfaultfd %s\n", strerrorname_np(errno));
		return 77;
	}
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)page;
	reg.range.len = 4096;
	if (ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &reg) < 0) {
		perror("stall");
		return 2;
	}
	pthread_create(&other, NULL, open_on, NULL);
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, wait_on, &err[i]);
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		printf("rename %s\n", err[i] ? strerrorname_np(err[i]) : "ok");
	}
	atomic_store(&over, true);
	pthread_join(other, NULL);
	printf("opened %lu failed %lu\n", atomic_load(&opened), atomic_load(&failed));
	return 0;
}

static int busy(int threads, unsigned seconds)
{
	pthread_t t[64];

	for (int i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, open_on, NULL);
	sleep(seconds);
	atomic_store(&over, true);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("opened %lu failed %lu\n", atomic_load(&opened), atomic_load(&failed));
	return 0;
}

/* To the supervisor's own socket: a message with a pipe where a listener should be. */
static int send_pipe(const char *socket_path, char *text)
{
	struct sockaddr_un s = { .sun_family = AF_UNIX };
	struct iovec v = { text, strlen(text) };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = u.room,
			    .msg_controllen = sizeof(u.room) };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), p[2];

	strncpy(s.sun_path, socket_path, sizeof(s.sun_path) - 1);
	if (pipe(p) < 0 || connect(fd, (void *)&s, sizeof(s)) < 0)
		return 1;
	memcpy(CMSG_DATA(&u.h), &p[0], sizeof(int));
	return sendmsg(fd, &h, 0) < 0;
}

/* Traces a process until it ends, or for a while. */
static int trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return 1;
	for (int i = 0; i < 50 && kill(pid, 0) == 0; i++)
		usleep(100000);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc == 4 && !strcmp(argv[1], "send-pipe"))
		return send_pipe(argv[2], argv[3]);
	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "trace"))
		return trace((pid_t)atoi(argv[2]));
	if (!strcmp(argv[1], "uffd"))
		return uffd(atoi(argv[2]) > 64 ? 64 : atoi(argv[2]));
	return busy(!strcmp(argv[1], "flood") ? 64 : 1, (unsigned)atoi(argv[2]));
}
