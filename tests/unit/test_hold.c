// SPDX-License-Identifier: Apache-2.0
/* A process held up by a control group of its own: it stands still, can be traced there, and goes on where it was. Needs root
 * and a cgroup2. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "verdict/hold.h"
#include "verdict/kill.h"

static struct shk_buf before, now;
static volatile uint64_t *turns;
static pid_t child;

static void nap(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void count(void)
{
	for (;;) {
		(*turns)++;
		usleep(100);
	}
}

static bool goes_on(void)
{
	uint64_t had = *turns;

	for (int i = 0; i < 500 && *turns < had + 3; i++)
		nap(10);
	return *turns >= had + 3;
}

/* What was on its way when it was frozen has arrived after a while. */
static bool stands_still(void)
{
	for (int i = 0; i < 50; i++) {
		uint64_t had = *turns;

		nap(100);
		if (*turns == had)
			return true;
	}
	return false;
}

static bool is_back(void)
{
	assert_int_equal(shk_cgroup_unified(child, &now), 0);
	return shk_str_eq(shk_buf_view(&now), shk_buf_view(&before));
}

static int begin(void **state)
{
	(void)state;
	child = fork();
	if (child == 0)
		count();
	assert_true(child > 0);
	assert_int_equal(shk_cgroup_unified(child, &before), 0);
	assert_true(goes_on());
	return 0;
}

static int end(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

static void held(struct shk_hold *h)
{
	struct shk_err err = { 0 };

	if (shk_hold_make(h, child, &err) < 0)
		fail_msg("%s", err.text);
	/* As yet it is nobody's. */
	assert_true(goes_on());
	assert_true(is_back());
	if (shk_hold_begin(h, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(stands_still());
	assert_false(is_back());
}

static void directory(const struct shk_hold *h, char path[4096])
{
	char link[SHK_PROC_PATH];
	ssize_t n = readlink(shk_fd_path(link, h->dir), path, 4095);

	assert_true(n > 0);
	path[n] = 0;
}

static void test_end(void **state)
{
	struct shk_hold h = SHK_HOLD_NONE;
	char path[4096];

	(void)state;
	shk_hold_end(&h);
	held(&h);
	directory(&h, path);
	shk_hold_end(&h);
	assert_int_equal(h.dir, -1);
	assert_true(goes_on());
	assert_true(is_back());
	assert_int_equal(access(path, F_OK), -1);
	shk_hold_end(&h);
}

/* Frozen it can be seized and stopped, and stays so when it is frozen no more. */
static void test_traced(void **state)
{
	struct shk_hold h = SHK_HOLD_NONE;
	int st;

	(void)state;
	held(&h);
	assert_int_equal(ptrace(PTRACE_SEIZE, child, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, child, 0, 0), 0);
	assert_int_equal(waitpid(child, &st, __WALL), child);
	assert_true(WIFSTOPPED(st));
	assert_int_equal(st >> 16, PTRACE_EVENT_STOP);
	shk_hold_end(&h);
	assert_true(is_back());
	assert_true(stands_still());
	assert_int_equal(ptrace(PTRACE_DETACH, child, 0, 0), 0);
	assert_true(goes_on());
}

/* Whoever has the descriptor, and whoever else was put there. */
static void test_of_another(void **state)
{
	struct shk_hold h = SHK_HOLD_NONE;
	pid_t other = fork();
	char path[4096], text[24];
	int st, dir;

	(void)state;
	if (other == 0) {
		pause();
		_exit(0);
	}
	held(&h);
	directory(&h, path);
	snprintf(text, sizeof(text), "%d", (int)other);
	assert_int_equal(shk_write_at(h.dir, "cgroup.procs", text), 0);
	dir = dup(h.dir);
	close(h.dir);
	shk_hold_end_of(dir);
	close(dir);
	assert_true(goes_on());
	assert_true(is_back());
	assert_int_equal(access(path, F_OK), -1);
	kill(other, SIGTERM);
	assert_int_equal(waitpid(other, &st, 0), other);
}

/* It ended before, or while it was held; the group goes all the same. */
static void test_gone(void **state)
{
	struct shk_hold h = SHK_HOLD_NONE;
	struct shk_err err = { 0 };
	char path[4096];

	(void)state;
	held(&h);
	directory(&h, path);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	shk_hold_end(&h);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(shk_hold_make(&h, child, &err), -EOPNOTSUPP);
	assert_int_equal(h.dir, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_end, begin, end),
		cmocka_unit_test_setup_teardown(test_traced, begin, end),
		cmocka_unit_test_setup_teardown(test_of_another, begin, end),
		cmocka_unit_test_setup_teardown(test_gone, begin, end),
	};
	int r;

	shk_buf_init(&before, 8192);
	shk_buf_init(&now, 8192);
	if (geteuid() != 0 || shk_cgroup_unified(getpid(), &now) < 0 || access(now.p, W_OK) < 0) {
		printf("skipped: needs root and a control group of version 2\n");
		return 77;
	}
	turns = mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turns == MAP_FAILED)
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	shk_buf_done(&before);
	shk_buf_done(&now);
	return r;
}
