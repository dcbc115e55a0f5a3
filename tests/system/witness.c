// SPDX-License-Identifier: Apache-2.0
/*
 * witness - makes watched calls in a loop and writes down each call and its result itself.
 *
 * witness LOG SECONDS [THREADS [PAUSE_US]]: each line of LOG is "thread n call errno ms". The calls: openat of a file that alerts
 * when written below /bin (call w), of one that does not (call r), rename below /bin (call m). Nothing of the
 * supervisor is asked: the test compares this log with the alerts. The number n is in the file's name, so
 * that each alert can be matched with its call.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int log_fd;
static double until;
static useconds_t pause_us; /* between rounds: what is logged in an hour must fit on a disk */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void note(long thread, unsigned n, char call, int err, double t0)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%ld %u %c %d %.0f\n", thread, n, call, err,
			   (now() - t0) * 1e3);

	if (write(log_fd, line, (size_t)len) != len)
		abort();
}

static void *loop(void *arg)
{
	long thread = (long)arg;
	char path[96], other[96];

	for (unsigned n = 0; now() < until; n++) {
		double t0;
		int fd;

		if (pause_us)
			usleep(pause_us);
		/* creating would alert as well; O_WRONLY of a file that is not there must give ENOENT */
		snprintf(path, sizeof(path), "/bin/w-%ld-%u", thread, n);
		t0 = now();
		fd = open(path, O_WRONLY);
		note(thread, n, 'w', fd < 0 ? errno : 0, t0);
		if (fd >= 0)
			close(fd);
		t0 = now();
		fd = open("/etc/motd", O_RDONLY);
		note(thread, n, 'r', fd < 0 ? errno : 0, t0);
		if (fd >= 0)
			close(fd);
		snprintf(path, sizeof(path), "/bin/m-%ld-%u", thread, n);
		snprintf(other, sizeof(other), "/bin/n-%ld-%u", thread, n);
		t0 = now();
		note(thread, n, 'm', rename(path, other) < 0 ? errno : 0, t0);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[3]) : 1;
	pthread_t t[64];

	if (argc < 3 || n < 1 || n > 64)
		return 2;
	if (argc > 4)
		pause_us = (useconds_t)atoi(argv[4]);
	log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (log_fd < 0)
		return 3;
	until = now() + atof(argv[2]);
	for (long i = 0; i < n; i++)
		pthread_create(&t[i], NULL, loop, (void *)i);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return 0;
}
