// SPDX-License-Identifier: Apache-2.0
/* Permission events of execve: what the kernel does with them, in a mount namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "sources/fanotify/permit.h"
#include "sources/ptrace/tracee.h"

#define PATIENCE_MS 10000

static char dir[] = "/tmp/shk-permit.XXXXXX", program[64];
static bool offered;

/* A file system of its own: nobody else's programs are asked for. */
static int setup(void **state)
{
	char cmd[256];
	int fd;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 0;
	if (!mkdtemp(dir) || mount("none", dir, "tmpfs", 0, NULL) < 0)
		return 0;
	snprintf(program, sizeof(program), "%s/true", dir);
	snprintf(cmd, sizeof(cmd), "cp /bin/true %s", program);
	if (system(cmd) != 0)
		return -1;
	fd = shk_permit_new();
	offered = fd >= 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (*program) {
		umount(dir);
		rmdir(dir);
	}
	return 0;
}

static int group_on_dir(void)
{
	int group, fd;

	if (!offered) {
		print_message("permission events are not offered here\n");
		skip();
	}
	group = shk_permit_new();
	fd = open(dir, O_PATH | O_CLOEXEC);
	assert_true(group >= 0 && fd >= 0);
	assert_int_equal(shk_permit_mark(group, fd), 0);
	/* Once more is no error. */
	assert_int_equal(shk_permit_mark(group, fd), 0);
	close(fd);
	return group;
}

/* Exit status: 0 it ran, else the errno. */
static pid_t runs(void)
{
	char *const argv[] = { program, NULL };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Whoever holds the group would keep itself waiting. */
		syscall(SYS_close_range, 3, ~0u, 0);
		execv(program, argv);
		_exit(errno);
	}
	return pid;
}

static int end_of(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	return WEXITSTATUS(st);
}

static void next(int group, struct shk_permit_event *ev)
{
	struct pollfd p = { .fd = group, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(shk_permit_read(group, ev), 0);
	assert_true(ev->fd >= 0);
}

static void test_allowed_and_refused(void **state)
{
	int group = group_on_dir();
	struct shk_permit_event ev = { 0 };
	struct stat st, want;
	pid_t pid;

	(void)state;
	assert_int_equal(shk_permit_read(group, &ev), -EAGAIN);
	pid = runs();
	next(group, &ev);
	assert_int_equal(ev.tid, pid);
	assert_int_equal(fstat(ev.fd, &st), 0);
	assert_int_equal(stat(program, &want), 0);
	assert_int_equal(st.st_ino, want.st_ino);
	assert_int_equal(shk_permit_answer(group, ev.fd, true), 0);
	assert_int_equal(shk_permit_answer(group, ev.fd, true), -ENOENT);
	close(ev.fd);
	assert_int_equal(end_of(pid), 0);
	pid = runs();
	next(group, &ev);
	assert_int_equal(shk_permit_answer(group, ev.fd, false), 0);
	close(ev.fd);
	assert_int_equal(end_of(pid), EPERM);
	close(group);
}

/* What the keeper relies on: the number answers, from whoever holds the group. */
static void test_another_holder_answers(void **state)
{
	int group = group_on_dir(), held = dup(group), number;
	struct shk_permit_event ev = { 0 };
	pid_t pid = runs();

	(void)state;
	next(group, &ev);
	number = ev.fd;
	close(ev.fd);
	close(group);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(shk_permit_answer(held, number, true), 0);
	assert_int_equal(end_of(pid), 0);
	close(held);
}

/* Nobody hangs when nobody is left to answer, whether it was read or not. */
static void test_last_holder_gone(void **state)
{
	int group = group_on_dir();
	struct shk_permit_event ev = { 0 };
	pid_t read = runs(), unread;

	(void)state;
	next(group, &ev);
	unread = runs();
	assert_int_equal(poll(&(struct pollfd){ .fd = group, .events = POLLIN }, 1, PATIENCE_MS), 1);
	close(ev.fd);
	close(group);
	assert_int_equal(end_of(read), 0);
	assert_int_equal(end_of(unread), 0);
}

/* Another mount of the same file system is not the one that was marked. */
static void test_other_mount(void **state)
{
	int group = group_on_dir();
	struct shk_permit_event ev = { 0 };
	char cmd[256];

	(void)state;
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/other && mount --bind %s %s/other && %s/other/true && umount %s/other", dir, dir,
		 dir, dir, dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(shk_permit_read(group, &ev), -EAGAIN);
	close(group);
}

static void wait_for_call_to_end(struct shk_tracee *t, int group, const struct shk_permit_event *ev)
{
	struct shk_err err = { 0 };

	assert_int_equal(shk_permit_answer(group, ev->fd, false), 0);
	close(ev->fd);
	assert_int_equal(shk_tracee_stop(t, &err), 0);
}

/* The way a session gets its filter: refused, stopped, something done in it, and the call made again. */
static void test_stopped_and_again(void **state)
{
	int group = group_on_dir(), pidfd;
	struct shk_permit_event ev = { 0 };
	unsigned long no_args[6] = { 0 };
	struct shk_err err = { 0 };
	struct shk_tracee t;
	pid_t pid = runs();
	long res;

	(void)state;
	next(group, &ev);
	pidfd = shk_pidfd_open(pid, 0);
	if (shk_tracee_seize(&t, pid, pidfd, PATIENCE_MS, &err) == -EOPNOTSUPP)
		skip();
	wait_for_call_to_end(&t, group, &ev);
	/* Another errno is not this one's. */
	assert_false(shk_tracee_again(&t, ENOENT));
	assert_true(shk_tracee_again(&t, EPERM));
	assert_int_equal(shk_tracee_call(&t, SYS_getpid, no_args, &res, &err), 0);
	assert_int_equal(res, pid);
	assert_int_equal(shk_tracee_release(&t, &err), 0);
	next(group, &ev);
	assert_int_equal(ev.tid, pid);
	assert_int_equal(shk_permit_answer(group, ev.fd, true), 0);
	close(ev.fd);
	assert_int_equal(end_of(pid), 0);
	close(pidfd);
	close(group);
}

/* A lease on the program: the reader does not wait for it. */
static void test_lease(void **state)
{
	int group = group_on_dir(), held = open(program, O_RDWR | O_CLOEXEC), r = 0;
	struct pollfd p = { .fd = group, .events = POLLIN };
	struct shk_permit_event ev = { 0 };
	pid_t pid;

	(void)state;
	signal(SIGIO, SIG_IGN);
	assert_true(held >= 0);
	assert_int_equal(fcntl(held, F_SETLEASE, F_WRLCK), 0);
	pid = runs();
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	r = shk_permit_read(group, &ev);
	/* Refused by the kernel, which could not open it for us; or it is ours to refuse. */
	if (r == 0) {
		shk_permit_answer(group, ev.fd, false);
		close(ev.fd);
	} else {
		assert_int_equal(r, -EAGAIN);
	}
	assert_int_not_equal(end_of(pid), 0);
	close(held);
	close(group);
}

static void test_without_capability(void **state)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	pid_t pid;

	(void)state;
	if (!offered)
		skip();
	pid = fork();
	if (pid == 0) {
		syscall(SYS_capget, &h, d);
		d[0].effective &= ~(1u << CAP_SYS_ADMIN);
		syscall(SYS_capset, &h, d);
		_exit(shk_permit_new() == -EPERM ? 0 : 1);
	}
	assert_int_equal(end_of(pid), 0);
	/* All capabilities of another user namespace are not enough. */
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) < 0 || shk_permit_new() == -EPERM ? 0 : 1);
	assert_int_equal(end_of(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed_and_refused), cmocka_unit_test(test_another_holder_answers),
		cmocka_unit_test(test_last_holder_gone),    cmocka_unit_test(test_other_mount),
		cmocka_unit_test(test_stopped_and_again),   cmocka_unit_test(test_lease),
		cmocka_unit_test(test_without_capability),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
