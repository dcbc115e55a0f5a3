// SPDX-License-Identifier: Apache-2.0
/*
 * calls - the median time of one call and this program's processor time for one, in nanoseconds: calls open|connect|exec N [CPU]. open: openat and close of
 * /etc/motd; connect: of a datagram socket to loopback; exec: a child that executes /bin/true, until it is
 * reaped.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 21

static int sock;

static int one_open(void)
{
	int fd = open("/etc/motd", O_RDONLY);

	return fd < 0 ? -1 : close(fd);
}

static int one_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(5555),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(sock, (struct sockaddr *)&a, sizeof(a));
}

static int one_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };
	pid_t pid = vfork();
	int st = -1;

	if (pid == 0) {
		execve("/bin/true", argv, argv + 1);
		_exit(127);
	}
	return waitpid(pid, &st, 0) == pid && st == 0 ? 0 : -1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Of this process and its children that have ended. */
static double used(void)
{
	struct rusage own, theirs;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &theirs);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + theirs.ru_utime.tv_sec + theirs.ru_stime.tv_sec) * 1e9 +
	       (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + theirs.ru_utime.tv_usec + theirs.ru_stime.tv_usec) * 1e3;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int (*one)(void), per = argc > 2 ? atoi(argv[2]) / BATCHES : 0;
	double t[BATCHES], cpu;
	cpu_set_t set;

	if (per < 1)
		return 2;
	one = strcmp(argv[1], "open") == 0 ? one_open : strcmp(argv[1], "exec") == 0 ? one_exec : one_connect;
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc > 3) {
		CPU_ZERO(&set);
		CPU_SET((size_t)atoi(argv[3]), &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			return 3;
	}
	cpu = used();
	for (int b = 0; b < BATCHES; b++) {
		double t0 = now();

		for (int i = 0; i < per; i++)
			if (one() < 0) {
				perror(argv[1]);
				return 1;
			}
		t[b] = (now() - t0) / per;
	}
	qsort(t, BATCHES, sizeof(t[0]), order);
	printf("%.0f %.0f\n", t[BATCHES / 2], (used() - cpu) / ((double)per * BATCHES));
	return 0;
}
