// SPDX-License-Identifier: Apache-2.0
/* An engine's bar: which devices can be opened behind it, by whom, and that nothing of it stays. Needs root and a cgroup2. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "enforce/bar.h"
#include "enforce/device.h"

enum { CANNOT = 77 };

static char dir[] = "/var/tmp/shk.bar.XXXXXX";

/* errno of opening a device of these numbers, 0. */
static int opens(mode_t type, unsigned major_nr, unsigned minor_nr, int flags)
{
	char path[64];
	int fd, e;

	snprintf(path, sizeof(path), "%s/%c%u:%u", dir, type == S_IFBLK ? 'b' : 'c', major_nr, minor_nr);
	if (mknod(path, type | 0600, makedev(major_nr, minor_nr)) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	e = errno;
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : e;
}

static void *thread(void *arg)
{
	*(int *)arg = opens(S_IFCHR, 1, 11, O_RDONLY);
	return NULL;
}

/* What goes wrong, or NULL. In a process of its own: the bar is for good. */
static const char *look(void)
{
	static const struct { unsigned major_nr, minor_nr; } some[] = {
		{ 1, 1 }, { 1, 2 }, { 1, 3 }, { 1, 4 }, { 1, 5 }, { 1, 6 }, { 1, 7 }, { 1, 8 }, { 1, 9 }, { 1, 10 }, { 1, 11 }, { 4, 0 },
		{ 5, 0 }, { 5, 1 }, { 5, 2 }, { 5, 3 }, { 10, 130 }, { 10, 200 }, { 10, 229 }, { 135, 0 }, { 136, 1 }, { 143, 9 }, { 144, 0 },
		{ 240, 3 }, { 511, 5 },
	};
	struct shk_err err;
	pthread_t t;
	int of_thread = 0;

	if (opens(S_IFCHR, 1, 3, O_RDONLY) || opens(S_IFCHR, 1, 11, O_RDONLY) == EPERM || shk_bar_up(&err) < 0)
		_exit(CANNOT);
	if (!shk_bar_is_up())
		return "it is not up";
	for (size_t i = 0; i < SHK_ARRAY_SIZE(some); i++) {
		bool everybodys = shk_device_is_everybodys(S_IFCHR, makedev(some[i].major_nr, some[i].minor_nr));

		for (int flags = O_RDONLY; flags <= O_RDWR; flags++)
			if ((opens(S_IFCHR, some[i].major_nr, some[i].minor_nr, flags) == EPERM) == everybodys) {
				fprintf(stderr, "# %u:%u, flags %d: %d\n", some[i].major_nr, some[i].minor_nr, flags,
					opens(S_IFCHR, some[i].major_nr, some[i].minor_nr, flags));
				return "a character device";
			}
		if (opens(S_IFBLK, some[i].major_nr, some[i].minor_nr, O_RDONLY) != EPERM)
			return "a block device";
	}
	if (pthread_create(&t, NULL, thread, &of_thread) || pthread_join(t, NULL) || of_thread != EPERM)
		return "a thread";
	if (shk_bar_leave() < 0 || opens(S_IFCHR, 1, 11, O_RDONLY) == EPERM)
		return "one that left";
	if (pthread_create(&t, NULL, thread, &of_thread) || pthread_join(t, NULL) || of_thread == EPERM)
		return "a thread of one that left";
	shk_bar_return();
	return opens(S_IFCHR, 1, 11, O_RDONLY) == EPERM ? NULL : "one that came back";
}

static bool is_there(pid_t pid)
{
	char command[128];

	snprintf(command, sizeof(command), "find /sys/fs/cgroup -name '" SHK_BAR_NAME "%d' | grep -q .", (int)pid);
	return system(command) == 0;
}

static void devices(void **state)
{
	int st, go[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		const char *wrong = look();

		if (wrong)
			fprintf(stderr, "# %s\n", wrong);
		if (write(go[1], "", 1) != 1 || wrong)
			_exit(1);
		close(go[1]);
		pause();
	}
	close(go[1]);
	if (read(go[0], &c, 1) == 1) {
		assert_true(is_there(pid));
		assert_int_equal(kill(pid, SIGKILL), 0);
	}
	close(go[0]);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	if (WIFEXITED(st) && WEXITSTATUS(st) == CANNOT)
		skip();
	assert_true(WIFSIGNALED(st));
	shk_bar_remove(pid);
	assert_false(is_there(pid));
}

/* Nobody else's is taken away, and there is nothing to do for one that had none. */
static void remains(void **state)
{
	uint64_t began = shk_now_mono();

	(void)state;
	shk_bar_remove(1);
	assert_true(shk_now_mono() - began < 1500000000u);
	assert_false(shk_bar_is_up());
	assert_int_equal(shk_bar_leave(), 0);
	shk_bar_return();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices),
		cmocka_unit_test(remains),
	};
	int r;

	if (geteuid() != 0 || !mkdtemp(dir))
		return CANNOT;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir(dir) == 0 && system("rm -f ./*") == 0)
		rmdir(dir);
	return r;
}
