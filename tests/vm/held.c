// SPDX-License-Identifier: Apache-2.0
/* held.c - leases that are used for something else than what they are for, and those that nobody uses. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtest.h"

#define DIR "/run/leases"
#define NAMED DIR "/named"
#define HELD "/run/held"

/* Shared with the child; what its call points to is here, for us to change. */
static struct shared {
	volatile int listener, ready;
	struct open_how how;
	char path[64];
} *shared;

/* errno of the call, 0: it went well */
static int opens_temporary(void *arg)
{
	(void)arg;
	shared->listener = notify_on(SYS_openat2);
	shared->ready = getpid();
	while (shared->ready)
		usleep(1000);
	return syscall(SYS_openat2, AT_FDCWD, shared->path, &shared->how, sizeof(shared->how)) < 0 ? errno : 0;
}

/* What was judged is O_TMPFILE in a directory; then, if wanted, the call is made to be another one. Status of the child. */
static int temporary(int cgroup, bool change)
{
	struct seccomp_notif n = { 0 };
	struct seccomp_notif_resp r = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct shk_err err = { 0 };
	int pidfd, listener, status = -1;
	struct shrike_lease l;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	strcpy(shared->path, DIR);
	shared->how = (struct open_how){ .flags = O_TMPFILE | O_WRONLY, .mode = 0600 };
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cgroup_enter(cgroup);
		_exit(opens_temporary(NULL));
	}
	while (!shared->ready)
		usleep(1000);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0);
	watch(20, cgroup, 0, 0, SHRIKE_REQUIRE_OPEN, NULL, NULL);
	shared->ready = 0;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0, "%s", strerror(errno));
	lease_for(&n, &l, SHRIKE_KIND_OPEN);
	l.open_flags = O_WRONLY;
	l.dir_fd = open(DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(shk_kmod_lease(kmod, &l, 1, &err) == 0, "%s", err.text);
	if (change) {
		strcpy(shared->path, NAMED);
		shared->how.flags = O_CREAT | O_WRONLY;
	}
	r.id = n.id;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0, "%s", strerror(errno));
	waitpid(pid, &status, 0);
	unwatch(20);
	close(l.dir_fd);
	close(listener);
	close(pidfd);
	return status;
}

static int sleeps(void *arg)
{
	(void)arg;
	shared->ready = getpid();
	while (pause() < 0)
		;
	return 1;
}

/* A lease on a file of HELD for that task. */
static void hold(pid_t pid, uint64_t until)
{
	struct seccomp_notif n = { .pid = (uint32_t)pid };
	struct shk_err err = { 0 };
	struct shrike_lease l;

	lease_for(&n, &l, SHRIKE_KIND_OPEN);
	l.fd[0] = open(HELD "/file", O_PATH | O_CLOEXEC);
	l.expires_ns = until;
	CHECK(l.fd[0] >= 0 && shk_kmod_lease(kmod, &l, 1, &err) == 0, "%s", err.text);
	close(l.fd[0]);
}

/* A file system is not kept by a lease that has expired. */
static void expired(int cgroup)
{
	int i;
	pid_t pid;

	mkdir(HELD, 0755);
	CHECK(mount("none", HELD, "tmpfs", 0, NULL) == 0, "%s", strerror(errno));
	close(open(HELD "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	watch(20, cgroup, 0, 0, 0, NULL, NULL);
	shared->ready = 0;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cgroup_enter(cgroup);
		_exit(sleeps(NULL));
	}
	while (!shared->ready)
		usleep(1000);
	hold(pid, soon() * 2);
	CHECK(umount(HELD) < 0 && errno == EBUSY, "a lease in force holds nothing");
	hold(pid, 1);
	for (i = 0; i < 600 && umount(HELD) < 0; i++)
		usleep(100000);
	CHECK(i < 600, "it is held: %s", strerror(errno));
	unwatch(20);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int runs_true(void *arg)
{
	(void)arg;
	shared->listener = notify_on(SYS_execve);
	shared->ready = getpid();
	while (shared->ready)
		usleep(1000);
	execl("/bin/true", "true", NULL);
	return errno;
}

/* A call that goes on when its lease has expired, and what it held was let go: it had one all the same. */
static void lapsed(int cgroup)
{
	struct seccomp_notif n = { 0 };
	struct seccomp_notif_resp r = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct shk_err err = { 0 };
	int pidfd, listener, status = -1;
	struct shrike_lease l;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cgroup_enter(cgroup);
		_exit(runs_true(NULL));
	}
	while (!shared->ready)
		usleep(1000);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0);
	watch(20, cgroup, 0, 0, SHRIKE_HOLD_EXEC, NULL, NULL);
	shared->ready = 0;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0, "%s", strerror(errno));
	lease_for(&n, &l, SHRIKE_KIND_EXEC);
	l.fd[0] = open("/bin/true", O_PATH | O_CLOEXEC);
	l.expires_ns = 1;
	CHECK(shk_kmod_lease(kmod, &l, 1, &err) == 0, "%s", err.text);
	sleep(3);
	r.id = n.id;
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0, "%s", strerror(errno));
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "an exec with a lease that has expired: %x", status);
	unwatch(20);
	close(l.fd[0]);
	close(listener);
	close(pidfd);
}

void test_held(int cgroup)
{
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	status = temporary(cgroup, false);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a temporary file: %x", status);
	status = temporary(cgroup, true);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EPERM, "a named file by a lease for one without a name: %x", status);
	CHECK(access(NAMED, F_OK) < 0 && errno == ENOENT, "a named file was made");
	expired(cgroup);
	lapsed(cgroup);
	munmap(shared, sizeof(*shared));
}
