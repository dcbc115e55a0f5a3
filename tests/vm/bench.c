// SPDX-License-Identifier: Apache-2.0
/* bench.c - instructions of a call, where a nanosecond of the guest is an instruction (tests/vm/boot -c). */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmtest.h"

#define CALLS 400
#define OPENS 20
#define ROUNDS 1000

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void getppids(int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void opens(int n)
{
	while (n--)
		syscall(SYS_close, (int)syscall(SYS_openat, AT_FDCWD, "/run/bench", O_RDONLY | O_CLOEXEC, 0));
}

/* The smallest of many short rounds: timers' interrupts, files freed by RCU and their allocator's slow way are in the others. */
static double cost(void (*fn)(int), int n)
{
	double best = 1e18, t;

	fn(n / 10);
	for (int i = 0; i < ROUNDS; i++) {
		t = now();
		fn(n);
		t = (now() - t) / n;
		best = t < best ? t : best;
		if (kmod) {
			while (shk_merge_next(shk_kmod_merge(kmod), 0))
				;
		}
	}
	return best;
}

/* What reading and decoding a record costs, of what the opens left. */
static double drain_cost(void)
{
	struct shk_krecord r;
	const struct shrike_record *rec;
	unsigned n = 0;
	double t;

	opens(1000);
	/* Files are freed behind their callers' backs: not while this is measured. */
	usleep(50000);
	t = now();
	while ((rec = shk_merge_next(shk_kmod_merge(kmod), 0)))
		n += shk_krecord_split(rec, &r) == 0;
	return n ? (now() - t) / n : 0;
}

int bench(const char *state)
{
	uint8_t bits[SHRIKE_BITMAP_BYTES] = { 0 };
	struct shk_err err = { 0 };
	bool mine = !strncmp(state, "watched", 7), calls = strstr(state, "calls") != NULL;
	int cgroup = cgroup_make(mine ? "bench" : "bench-other");

	close(open("/run/bench", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (strcmp(state, "none") != 0) {
		if (shk_kmod_open(&kmod, &err) || shk_kmod_open_rings(kmod, &err)) {
			printf("%s\n", err.text);
			return 1;
		}
		if (mine)
			cgroup_enter(cgroup);
		else
			/* As deep as the one that is watched, so that no short cut is taken. */
			cgroup_enter(cgroup_make("bench-host"));
		bits[SYS_openat / 8] = 1 << SYS_openat % 8;
		if (strcmp(state, "idle") != 0)
			watch(1, cgroup, 0, ALL_CLASSES, 0, calls ? bits : NULL, NULL);
	}
	printf("%s %.0f %.0f", state, cost(getppids, CALLS), cost(opens, OPENS));
	if (!strcmp(state, "watched"))
		printf(" %.0f", drain_cost());
	printf("\n");
	if (kmod && strcmp(state, "idle") != 0)
		unwatch(1);
	return 0;
}
