// SPDX-License-Identifier: Apache-2.0
/*
 * bench_hold.c - what a call costs that somebody decides about: let go on (the control: a race), held to a lease, carried out for its
 * caller. Both sides together: there is one processor, one of them runs at any time, and the clock counts instructions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmtest.h"

#define CALLS  1000
#define ROUNDS 5
#define FILE_NAME "/run/bench"

enum how { GO_ON, LEASE, CARRY_OUT };

static struct side {
	volatile int listener, ready;
} *side;
static const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = 0x0900 };
static pid_t caller;
static int caller_pidfd;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static _Noreturn void calls(int nr)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	side->listener = notify_on(nr);
	side->ready = getpid();
	while (side->ready)
		usleep(1000);
	for (;;)
		if (nr == SYS_connect)
			syscall(SYS_connect, s, &to, sizeof(to));
		else
			syscall(SYS_close, (int)syscall(SYS_openat, AT_FDCWD, FILE_NAME, O_RDONLY | O_CLOEXEC, 0));
}

/* What was judged: the name is read once, the object held; or the address, and the socket. */
static int hold(const struct seccomp_notif *n, char *text, size_t len)
{
	struct iovec here = { text, len }, there = { (void *)(uintptr_t)n->data.args[1], len };
	struct open_how how = { .flags = O_PATH | O_CLOEXEC };

	if (process_vm_readv((pid_t)n->pid, &here, 1, &there, 1, 0) < 0)
		return -1;
	if (n->data.nr == SYS_connect)
		return (int)syscall(SYS_pidfd_getfd, caller_pidfd, (int)n->data.args[0], 0);
	return (int)syscall(SYS_openat2, AT_FDCWD, text, &how, sizeof(how));
}

static void by_lease(int listener, const struct seccomp_notif *n, int fd, const char *text, struct shk_kpost *post)
{
	struct seccomp_notif_resp r = { .id = n->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct shrike_lease l;

	lease_for(n, &l, n->data.nr == SYS_connect ? SHRIKE_KIND_CONNECT : SHRIKE_KIND_OPEN);
	if (n->data.nr == SYS_connect) {
		l.data_len = sizeof(to);
		memcpy(l.data, text, sizeof(to));
	} else {
		l.fd[0] = fd;
	}
	CHECK(shk_kpost_lease(post, &l) == 0, "no lease");
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static void by_us(int listener, const struct seccomp_notif *n, int fd, const char *text)
{
	struct seccomp_notif_resp r = { .id = n->id };
	struct seccomp_notif_addfd a = { .id = n->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = O_CLOEXEC };
	char link[64];

	if (n->data.nr == SYS_connect) {
		r.error = connect(fd, (const void *)text, sizeof(to)) < 0 ? -errno : 0;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	a.srcfd = (unsigned)open(link, O_RDONLY | O_CLOEXEC);
	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) >= 0, "%s", strerror(errno));
	close((int)a.srcfd);
}

static void decide(int listener, enum how how, struct shk_kpost *post)
{
	struct seccomp_notif n = { 0 };
	struct seccomp_notif_resp r = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	char text[64] = "";
	int fd;

	CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0, "%s", strerror(errno));
	fd = hold(&n, text, n.data.nr == SYS_connect ? sizeof(to) : sizeof(FILE_NAME));
	CHECK(fd >= 0, "%s", strerror(errno));
	r.id = n.id;
	if (how == GO_ON)
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
	else if (how == LEASE)
		by_lease(listener, &n, fd, text, post);
	else
		by_us(listener, &n, fd, text);
	close(fd);
}

static double cost(int nr, enum how how, int cgroup)
{
	struct shk_kpost *post = NULL;
	double best = 1e18, t;
	int listener;

	memset(side, 0, sizeof(*side));
	fflush(stdout);
	caller = fork();
	if (caller == 0) {
		cgroup_enter(cgroup);
		calls(nr);
	}
	while (!side->ready)
		usleep(1000);
	caller_pidfd = (int)syscall(SYS_pidfd_open, caller, 0);
	listener = (int)syscall(SYS_pidfd_getfd, caller_pidfd, side->listener, 0);
	if (how == LEASE) {
		CHECK(shk_kpost_open(kmod, &post, NULL) == 0, "no connection");
		watch(20, cgroup, 0, 0, nr == SYS_connect ? SHRIKE_REQUIRE_CONNECT : SHRIKE_REQUIRE_OPEN, NULL, NULL);
	}
	side->ready = 0;
	for (int i = 0; i <= ROUNDS; i++) {
		t = now();
		for (int k = 0; k < CALLS; k++)
			decide(listener, how, post);
		t = (now() - t) / CALLS;
		best = i && t < best ? t : best;
	}
	kill(caller, SIGKILL);
	waitpid(caller, NULL, 0);
	if (how == LEASE)
		unwatch(20);
	shk_kpost_close(post);
	close(listener);
	close(caller_pidfd);
	return best;
}

int bench_hold(void)
{
	int cgroup = cgroup_make("bench");
	struct shk_err err = { 0 };

	if (shk_kmod_open(&kmod, &err) || shk_kmod_open_rings(kmod, &err)) {
		printf("%s\n", err.text);
		return 1;
	}
	close(open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	side = mmap(NULL, sizeof(*side), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("held open %.0f %.0f %.0f\n", cost(SYS_openat, GO_ON, cgroup), cost(SYS_openat, LEASE, cgroup),
	       cost(SYS_openat, CARRY_OUT, cgroup));
	printf("held connect %.0f %.0f %.0f\n", cost(SYS_connect, GO_ON, cgroup), cost(SYS_connect, LEASE, cgroup),
	       cost(SYS_connect, CARRY_OUT, cgroup));
	return failures != 0;
}
