// SPDX-License-Identifier: Apache-2.0
/* The engine's own filter, and the launcher beside it: in a child each, since neither can be taken off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alerts/launcher.h"
#include "base/io.h"
#include "shrike-engine/confine.h"

/* In a child: each line that did not hold is said, and its exit status is their number. */
static unsigned bad;

static void expect(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "does not hold: %s (errno %s)\n", what, strerror(errno));
	bad++;
}

static void refused(long r, const char *what)
{
	expect(r == -1 && errno == EPERM, what);
}

static void in_child(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct shk_err err = { 0 };

		if (shk_confine(&err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			_exit(100);
		}
		fn();
		_exit((int)bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void *thread(void *arg)
{
	return arg;
}

static void what_it_does(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[8] = "";
	pthread_t t;
	void *ret = NULL;

	expect(fd >= 0, "a Unix socket");
	expect(pthread_create(&t, NULL, thread, buf) == 0 && pthread_join(t, &ret) == 0 && ret == buf,
	       "a thread");
	fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	expect(fd >= 0 && read(fd, buf, sizeof(buf)) > 0, "a file");
	expect(shk_pidfd_open(getpid(), 0) >= 0, "a pidfd");
	expect(unshare(CLONE_FS) == 0, "a mode mask of one's own");
	expect(syscall(SYS_fanotify_mark, -1, 1, 0x40000ull, -1, "/") < 0 && errno == EBADF, "marks of an exec gate");
	expect(syscall(SYS_setns, -1, CLONE_NEWNET) < 0 && errno == EBADF, "a container's network");
	/* On a file that is no listener: refused by the file, not by the filter. */
	expect(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, buf) == -1 && errno == ENOTTY,
	       "ioctls of listeners");
}

static void what_it_may_not(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };
	char c = 'x';

	refused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "no IPv4 socket");
	refused(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), "no IPv6 socket");
	refused(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), "no netlink socket");
	refused(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "no packet socket");
	refused(mount("none", "/mnt", "tmpfs", 0, NULL), "no mount");
	refused(unshare(CLONE_NEWNS), "no namespace");
	refused(ioctl(0, TIOCSTI, &c), "no typing into terminals");
	refused(syscall(SYS_bpf, 0, NULL, 0), "no BPF");
	refused(syscall(SYS_io_uring_setup, 1, NULL), "no io_uring");
	refused(syscall(SYS_init_module, NULL, 0, ""), "no modules");
	refused(syscall(SYS_setns, 0, 0), "no other's namespace");
	refused(syscall(SYS_setns, 0, CLONE_NEWNS), "no other's mounts");
	refused(syscall(SYS_setns, 0, CLONE_NEWUSER), "no other's users");
#ifndef SHK_SANITIZERS
	refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), "no process");
	refused(execve("/bin/true", argv, environ), "no program");
#else
	(void)argv;
#endif
	expect(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS, "clone3 is not there");
}

static void does_its_work(void **state)
{
	(void)state;
	in_child(what_it_does);
}

static void does_nothing_else(void **state)
{
	(void)state;
	in_child(what_it_may_not);
}

/* ---- launcher ---- */

static struct shk_launcher *launcher;

static void starts_and_waits(void)
{
	int in[2] = { -1, -1 }, status = 0;
	pid_t pid = 0;

	expect(pipe2(in, O_CLOEXEC) == 0, "a pipe");
	expect(shk_launcher_start(launcher, 0, in[0], &pid) == -EINVAL, "an output that is no program");
	expect(shk_launcher_start(launcher, 2, in[0], &pid) == -EINVAL, "a number nobody has");
	expect(shk_launcher_start(launcher, 1, in[0], &pid) == 0 && pid > 0, "the program is started");
	expect(write(in[1], "7\n", 2) == 2, "it is written to");
	expect(waitpid(pid, &status, 0) == pid, "it is a child of ours");
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "it read what was written, unconfined");
}

/* The status is that of the line read, if no filter is on the program and it leads its group. */
static void launcher_starts_what_the_engine_may_not(void **state)
{
	static char command[] = "read -r n; grep -q '^Seccomp:[[:space:]]*0' /proc/self/status || exit 90; "
				"[ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ] || exit 91; exit \"$n\"";
	struct shk_sink_config cfg[] = { { .kind = SHK_SINK_STDOUT },
					 { .kind = SHK_SINK_PROGRAM, .command = command } };
	struct shk_err err = { 0 };
	int status = 0;
	pid_t pid;

	(void)state;
	/* The program is to be a child of the confined process, so that is who makes the launcher. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool ok = shk_launcher_new(cfg, 2, &launcher, &err) == 0 && launcher;

		if (!ok || shk_confine(&err) < 0)
			_exit(100);
		starts_and_waits();
		shk_launcher_free(launcher);
		expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "nobody is left");
		_exit((int)bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* It holds no descriptor of the engine's: a listener held there would keep callers waiting for ever. */
static void launcher_holds_nothing(void **state)
{
	struct shk_sink_config cfg = { .kind = SHK_SINK_PROGRAM, .command = (char[]){ "cat" } };
	struct pollfd p = { .events = POLLIN };
	struct shk_launcher *l = NULL;
	struct shk_err err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(shk_launcher_new(&cfg, 1, &l, &err), 0);
	assert_non_null(l);
	assert_ptr_equal(cfg.launcher, l);
	close(fds[1]);
	p.fd = fds[0];
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	close(fds[0]);
	shk_launcher_free(l);
}

static void none_needed(void **state)
{
	struct shk_sink_config cfg = { .kind = SHK_SINK_STDOUT };
	struct shk_launcher *l = NULL;
	struct shk_err err = { 0 };

	(void)state;
	assert_int_equal(shk_launcher_new(&cfg, 1, &l, &err), 0);
	assert_null(l);
	shk_launcher_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_its_work),
		cmocka_unit_test(does_nothing_else),
		cmocka_unit_test(launcher_starts_what_the_engine_may_not),
		cmocka_unit_test(launcher_holds_nothing),
		cmocka_unit_test(none_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
