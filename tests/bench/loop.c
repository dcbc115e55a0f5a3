// SPDX-License-Identifier: Apache-2.0
/*
 * loop - opens and closes /etc/motd N times in batches, on one CPU, and prints the median time of one
 * open and close in nanoseconds. loop N [CPU]
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 41

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 20000, per = n / BATCHES;
	double t[BATCHES];
	cpu_set_t set;

	if (argc > 2) {
		CPU_ZERO(&set);
		CPU_SET((size_t)atoi(argv[2]), &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			return 3;
	}
	for (int b = 0; b < BATCHES; b++) {
		double t0 = now();

		for (int i = 0; i < per; i++) {
			int fd = open("/etc/motd", O_RDONLY);

			if (fd < 0)
				return 1;
			close(fd);
		}
		t[b] = (now() - t0) / per;
	}
	qsort(t, BATCHES, sizeof(t[0]), order);
	printf("%.0f\n", t[BATCHES / 2]);
	return 0;
}
