// SPDX-License-Identifier: Apache-2.0
/* Names of objects: what a path leads to, as the kernel would go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/walk.h"

static char top[64];

static void must(int r)
{
	if (r < 0)
		fail_msg("%s", strerror(errno));
}

/* top/: dir/file, dir/sub/, link -> dir, abs -> top/dir, loop -> loop, none -> dir/absent, up -> dir/sub/.. */
static int setup(void **state)
{
	char cmd[PATH_MAX];

	(void)state;
	snprintf(top, sizeof(top), "/tmp/shk-walk.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(cmd, sizeof(cmd),
		 "cd %s && mkdir -p dir/sub && : >dir/file && ln -s dir link && ln -s %s/dir abs && "
		 "ln -s loop loop && ln -s dir/absent none && ln -s dir/sub/.. up && ln -s /proc/self/cwd cwd",
		 top, top);
	return system(cmd) || chdir(top) ? -1 : 0;
}

static int teardown(void **state)
{
	char cmd[PATH_MAX];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return chdir("/") || system(cmd) ? -1 : 0;
}

/* $T stands for the directory. */
static void leads(const char *path, bool follow, bool in_root, const char *want)
{
	char base[64], buf[PATH_MAX], text[PATH_MAX], full[PATH_MAX];
	struct shk_walk_from from = { .tid = getpid(), .tgid = getpid(), .base = base,
				      .in_root = in_root, .follow = follow };
	ssize_t n;

	snprintf(base, sizeof(base), "/proc/%d/cwd", (int)getpid());
	snprintf(full, sizeof(full), "%s%s", strncmp(path, "$T", 2) ? "" : top,
		 strncmp(path, "$T", 2) ? path : path + 2);
	snprintf(text, sizeof(text), "%s%s", strncmp(want, "$T", 2) ? "" : top,
		 strncmp(want, "$T", 2) ? want : want + 2);
	n = shk_walk_name(&from, shk_str(full), buf, sizeof(buf));
	if (n < 0)
		fail_msg("%s: %s", path, strerror((int)-n));
	buf[n] = 0;
	if (strcmp(buf, text) != 0)
		fail_msg("%s leads to %s, not to %s", path, buf, text);
}

static int fails(const char *path)
{
	char base[64], buf[PATH_MAX];
	struct shk_walk_from from = { .tid = getpid(), .tgid = getpid(), .base = base, .follow = true };

	snprintf(base, sizeof(base), "/proc/%d/cwd", (int)getpid());
	return (int)shk_walk_name(&from, shk_str(path), buf, sizeof(buf));
}

static void test_links(void **state)
{
	(void)state;
	leads("$T/dir/file", true, false, "$T/dir/file");
	leads("dir/file", true, false, "$T/dir/file");
	leads("link/file", true, false, "$T/dir/file");
	leads("link/file", false, false, "$T/dir/file");
	leads("abs/file", true, false, "$T/dir/file");
	leads("$T/abs/../dir/./sub//../file", true, false, "$T/dir/file");
	leads("up/file", true, false, "$T/dir/file");
	leads("link", true, false, "$T/dir");
	leads("link", false, false, "$T/link");
	leads("none", false, false, "$T/none");
	leads("..", true, false, "/tmp");
	leads("../../../../../..", true, false, "/");
}

static void test_missing(void **state)
{
	(void)state;
	leads("dir/new", true, false, "$T/dir/new");
	leads("abs/new", false, false, "$T/dir/new");
	leads("none", true, false, "$T/dir/absent");
	leads("/new-at-root", true, false, "/new-at-root");
	assert_int_equal(fails("nowhere/new"), -ENOENT);
	assert_int_equal(fails("dir/file/x"), -ENOTDIR);
	assert_int_equal(fails("loop"), -ELOOP);
	assert_int_equal(fails("loop/x"), -ELOOP);
}

static void test_proc(void **state)
{
	char path[64];
	int fd = open("dir", O_PATH | O_CLOEXEC);

	(void)state;
	must(fd);
	leads("/proc/self/cwd/dir/file", true, false, "$T/dir/file");
	leads("/proc/thread-self/cwd/link/file", true, false, "$T/dir/file");
	leads("/proc/self/cwd/../..", true, false, "/");
	leads("cwd/dir/file", true, false, "$T/dir/file");
	leads("/proc/self/cwd/dir/new", true, false, "$T/dir/new");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/file", fd);
	leads(path, true, false, "$T/dir/file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	leads(path, true, false, "$T/dir");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d/../dir/file", (int)getpid(), fd);
	leads(path, true, false, "$T/dir/file");
	close(fd);
}

static void test_own_root(void **state)
{
	(void)state;
	leads("/dir/file", true, true, "$T/dir/file");
	leads("../../dir/file", true, true, "$T/dir/file");
	leads("/link/../../dir/file", true, true, "$T/dir/file");
}

static void keep_rights(bool on)
{
	(void)on;
}

static unsigned asked;

static bool never_proc(const struct shk_walk_from *from, int fd)
{
	(void)from;
	(void)fd;
	asked++;
	return false;
}

static bool always_proc(const struct shk_walk_from *from, int fd)
{
	(void)from;
	(void)fd;
	asked++;
	return true;
}

/* What a pin comes to: 0, "missing" 1, -errno. */
static int pins(const char *path, bool root_plain, bool (*is_proc)(const struct shk_walk_from *, int))
{
	struct shk_walk_from from = { .tid = getpid(), .tgid = getpid(), .vpid = getpid(), .vtid = getpid(),
				      .init = getpid(), .root_fd = open("/", O_PATH | O_CLOEXEC),
				      .base_fd = open(".", O_PATH | O_CLOEXEC), .root_plain = root_plain,
				      .follow = true, .own_rights = keep_rights, .is_proc = is_proc,
				      .fds = open("/proc/self/fd", O_PATH | O_CLOEXEC) };
	struct shk_pin p;
	int r;

	asked = 0;
	r = shk_walk_pin(&from, shk_str(path), &p);
	if (r == 0) {
		r = p.missing;
		shk_pin_done(&p);
	}
	close(from.root_fd);
	close(from.base_fd);
	close(from.fds);
	return r;
}

static void test_pin_missing(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/dir/nothing", top);
	/* Known to the kernel after the first look. */
	pins("dir/nothing", true, never_proc);
	assert_int_equal(pins("dir/nothing", true, never_proc), -ENOENT);
	pins("dir/nothing/more", true, never_proc);
	assert_int_equal(pins("dir/nothing/more", true, never_proc), -ENOENT);
	assert_int_equal(pins("dir/file", true, never_proc), 0);
	/* Where names may depend on who looks it is walked by hand, which ends at the directory. */
	assert_int_equal(pins(path, false, never_proc), 1);
	assert_int_equal(pins("dir/nothing", true, always_proc), 1);
	assert_true(asked > 0);
	/* So it is behind another mount than the one it begins at. */
	pins("/proc/nothing", true, never_proc);
	assert_int_equal(pins("/proc/nothing", true, never_proc), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_missing),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_proc),
		cmocka_unit_test(test_own_root),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
