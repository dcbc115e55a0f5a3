// SPDX-License-Identifier: Apache-2.0
/*
 * ringrate PATH [NUMBER RATE]...: for each pair, once it gets SIGUSR1, opens PATH NUMBER times through io_uring, RATE a second
 * (0: as fast as it can), and says "NUMBER SECONDS CPU": how long it took, and how many nanoseconds of a processor one took.
 * "ready" before the first. What was not done in time is done late, not left out.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "uring.h"

#define EVERY_NS 1000000 /* opens of a millisecond are done together */

static long long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void until(long long ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int open_at(struct uring *u, const char *path, long n, long rate)
{
	long long began = now(CLOCK_MONOTONIC), due;
	long done = 0;
	int r;

	for (long step = 1; done < n; step++) {
		long upto = rate ? (long)((double)rate * EVERY_NS / 1e9 * (double)step) : n;

		for (; done < upto && done < n; done++) {
			r = uring_open_one(u, path);
			if (r)
				return r;
		}
		due = began + step * EVERY_NS;
		if (rate && now(CLOCK_MONOTONIC) < due)
			until(due);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct uring u;
	sigset_t set;
	int got, r;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	if (argc < 4 || argc % 2)
		return 2;
	r = uring_make(&u);
	if (r)
		return 10 + r;
	printf("ready\n");
	fflush(stdout);
	for (int i = 2; i < argc; i += 2) {
		long n = atol(argv[i]);
		long long wall, cpu;

		sigwait(&set, &got);
		wall = now(CLOCK_MONOTONIC);
		cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		r = open_at(&u, argv[1], n, atol(argv[i + 1]));
		if (r)
			return 10 + r;
		cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		printf("%ld %.3f %.0f\n", n, (double)(now(CLOCK_MONOTONIC) - wall) / 1e9, (double)cpu / (double)n);
		fflush(stdout);
	}
	/* What it did is looked at while it is there. */
	sigwait(&set, &got);
	return 0;
}
