// SPDX-License-Identifier: Apache-2.0
/*
 * leases.c - check and continue, with a lease in between. A racer changes what its call's pointer leads to between two values while
 * a supervisor (us) reads the argument, allows the good value only, and lets the call go on. With leases the forbidden value is
 * never reached; without (the control) it must be, or the attack is none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmtest.h"

#define GOOD "/run/leases/good"
#define EVIL "/run/leases/evil"
#define GOOD_PORT 4801
#define EVIL_PORT 4802

static const int attempts = 400;

/* Shared with the racer. */
static struct tally {
	volatile int listener, ready, good, evil, refused, killed;
	bool control;	/* one that is to lose: until it does */
} *tally;

int notify_on(int nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
}

/* ---- what races ---- */

static char path[64];
static struct sockaddr_in to;
static volatile int stop;

static void *flip_path(void *arg)
{
	(void)arg;
	while (!stop) {
		memcpy(path, EVIL, sizeof(EVIL));
		sched_yield();
		memcpy(path, GOOD, sizeof(GOOD));
		sched_yield();
	}
	return NULL;
}

static void *flip_port(void *arg)
{
	(void)arg;
	while (!stop) {
		to.sin_port = htons(EVIL_PORT);
		sched_yield();
		to.sin_port = htons(GOOD_PORT);
		sched_yield();
	}
	return NULL;
}

static void try_open(ino_t evil)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0) {
		tally->refused++;
	} else {
		if (fstat(fd, &st) == 0 && st.st_ino == evil)
			tally->evil++;
		else
			tally->good++;
		close(fd);
	}
}

static void try_connect(void)
{
	struct sockaddr_in peer;
	socklen_t n = sizeof(peer);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (syscall(SYS_connect, s, &to, sizeof(to)) < 0) {
		tally->refused++;
	} else if (getpeername(s, (void *)&peer, &n) == 0) {
		if (peer.sin_port == htons(EVIL_PORT))
			tally->evil++;
		else
			tally->good++;
	}
	close(s);
}

/* One thread flips, and a process per attempt executes. */
static void try_exec(void)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		syscall(SYS_execve, path, (char *[]){ path, NULL }, NULL);
		_exit(100);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		tally->killed++;
	else if (WEXITSTATUS(status) == 100)
		tally->refused++;
	else if (WEXITSTATUS(status) == 1)
		tally->evil++;
	else
		tally->good++;
}

static int racer(void *arg)
{
	int nr = *(int *)arg;
	pthread_t t;
	struct stat st;

	if (stat(EVIL, &st))
		return 3;
	memcpy(path, GOOD, sizeof(GOOD));
	to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(GOOD_PORT),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	tally->listener = notify_on(nr);
	tally->ready = getpid();
	if (tally->listener < 0)
		return 4;
	while (tally->ready)
		usleep(1000);
	pthread_create(&t, NULL, nr == SYS_connect ? flip_port : flip_path, NULL);
	for (int i = 0; tally->control ? !tally->evil && i < 20 * attempts : i < attempts; i++) {
		if (nr == SYS_openat)
			try_open(st.st_ino);
		else if (nr == SYS_connect)
			try_connect();
		else
			try_exec();
	}
	stop = 1;
	pthread_join(t, NULL);
	return 0;
}

/* ---- who decides ---- */

uint64_t soon(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + 5000000000u;
}

void lease_for(const struct seccomp_notif *n, struct shrike_lease *l, unsigned kind)
{
	*l = (struct shrike_lease){ .index = 20, .tid = n->pid, .kind = (uint16_t)kind, .arch = n->data.arch, .nr = n->data.nr,
				    .ip = n->data.instruction_pointer, .expires_ns = soon(),
				    .fd = { -1, -1, -1, -1 }, .dir_fd = -1 };
	memcpy(l->args, n->data.args, sizeof(l->args));
}

/* Is the value as it is now the good one? Then a lease says so. */
static bool judge(const struct seccomp_notif *n, uint32_t leases)
{
	unsigned arg = n->data.nr == SYS_execve ? 0 : 1;
	char text[64] = "";
	struct iovec here = { text, 17 }, there = { (void *)(uintptr_t)n->data.args[arg], 17 };
	struct sockaddr_in a;
	struct shrike_lease l;
	struct shk_err err = { 0 };
	int e;

	if (n->data.nr == SYS_connect)
		here.iov_len = there.iov_len = sizeof(a);
	if (process_vm_readv((pid_t)n->pid, &here, 1, &there, 1, 0) != (ssize_t)here.iov_len)
		return false;
	if (n->data.nr == SYS_connect) {
		memcpy(&a, text, sizeof(a));
		if (a.sin_port != htons(GOOD_PORT))
			return false;
		lease_for(n, &l, SHRIKE_KIND_CONNECT);
		l.data_len = sizeof(a);
		memcpy(l.data, &a, sizeof(a));
	} else {
		if (memcmp(text, GOOD, sizeof(GOOD)) != 0)
			return false;
		lease_for(n, &l, n->data.nr == SYS_execve ? SHRIKE_KIND_EXEC : SHRIKE_KIND_OPEN);
		l.fd[0] = open(GOOD, O_PATH | O_CLOEXEC);
		/* Its name, and its only argument. */
		if (leases & SHRIKE_HOLD_EXEC) {
			l.data_len = 2 * sizeof(GOOD);
			memcpy(l.data, GOOD "\0" GOOD, l.data_len);
		}
	}
	if (leases) {
		e = shk_kmod_lease(kmod, &l, 1, &err);
		CHECK(e == 0, "%s", err.text);
	}
	if (l.fd[0] >= 0)
		close(l.fd[0]);
	return true;
}

/* Until it has ended: its listener hangs up only when it is reaped. */
static int supervise(int listener, pid_t pid, uint32_t leases)
{
	struct seccomp_notif n;
	struct seccomp_notif_resp r;
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int status;

	for (;;) {
		int e = poll(&p, 1, 200);

		if (e > 0 && p.revents & POLLIN) {
			memset(&n, 0, sizeof(n));
			if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
				continue;
			memset(&r, 0, sizeof(r));
			r.id = n.id;
			if (judge(&n, leases))
				r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
			else
				r.error = -EACCES;
			ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
		} else if (e >= 0 && waitpid(pid, &status, WNOHANG) == pid) {
			return status;
		}
	}
}

static void race(int nr, uint32_t leases, int cgroup)
{
	int pidfd, listener, status;
	pid_t pid;

	memset(tally, 0, sizeof(*tally));
	tally->control = !leases;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cgroup_enter(cgroup);
		_exit(racer(&nr));
	}
	while (!tally->ready)
		usleep(1000);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, tally->listener, 0);
	CHECK(listener >= 0, "no listener: %s", strerror(errno));
	if (leases)
		watch(20, cgroup, 0, 1ull << SHRIKE_LEASE, leases, NULL, NULL);
	tally->ready = 0;
	status = supervise(listener, pid, leases);
	CHECK(status == 0, "the racer ended with %x", status);
	if (leases)
		unwatch(20);
	close(listener);
	close(pidfd);
	printf("# call %d, leases %x: good %d, evil %d, refused %d, killed %d\n", nr, leases, tally->good, tally->evil,
	       tally->refused, tally->killed);
}

/* What has no lease at all */
static int bare_open(void *arg)
{
	(void)arg;
	return open(GOOD, O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM ? 0 : 1;
}

static int bare_write(void *arg)
{
	int r = open(GOOD, O_RDONLY | O_CLOEXEC), w = open(GOOD, O_WRONLY | O_CLOEXEC), e = errno;
	int t = open(GOOD, O_RDONLY | O_TRUNC | O_CLOEXEC);
	int c = open("/run/leases/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)arg;
	return r >= 0 && w < 0 && e == EPERM && t < 0 && c < 0 && errno == EPERM ? 0 : 1;
}

static int bare_exec(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", NULL);
	return 1;
}

static void without_lease(int cgroup)
{
	struct seen_list l = { 0 };
	int status;

	watch(20, cgroup, 0, 1ull << SHRIKE_LEASE, SHRIKE_REQUIRE_OPEN, NULL, NULL);
	CHECK(in_child(cgroup, bare_open, NULL) == 0, "an open without a lease");
	drain(&l);
	CHECK(count_seen(&l, SHRIKE_LEASE, GOOD, NULL, NULL) == 1, "nobody told");
	seen_free(&l);
	unwatch(20);
	watch(20, cgroup, 0, 0, SHRIKE_REQUIRE_OPEN_WRITE, NULL, NULL);
	CHECK(in_child(cgroup, bare_write, NULL) == 0, "an open for writing without a lease");
	CHECK(access("/run/leases/new", F_OK) < 0, "a file was made");
	unwatch(20);
	watch(20, cgroup, 0, 0, SHRIKE_REQUIRE_EXEC, NULL, NULL);
	status = in_child(cgroup, bare_exec, NULL);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "an exec without a lease: %x", status);
	unwatch(20);
	CHECK(in_child(cgroup, bare_exec, NULL) == 0, "nothing is required any more");
	watch(20, cgroup, 0, 0, SHRIKE_HOLD_EXEC, NULL, NULL);
	CHECK(in_child(cgroup, bare_exec, NULL) == 0, "an exec that nobody holds");
	unwatch(20);
}

static void serve(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0 && listen(s, 4096) == 0, "port %d: %s", port, strerror(errno));
}

static void compare(int nr, uint32_t leases, int cgroup)
{
	race(nr, 0, cgroup);
	CHECK(tally->evil > 0, "the control did not lose");
	race(nr, leases, cgroup);
	CHECK(tally->evil == 0, "%d times", tally->evil);
	CHECK(tally->good > 0, "nothing that was allowed came through");
}

void test_leases(void)
{
	int cgroup = cgroup_make("leases"), killed = 0;

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir("/run/leases", 0755);
	/* Programs that tell which they are: true and false. */
	CHECK(system("cp /bin/true " GOOD " && cp /bin/false " EVIL) == 0, "cp");
	serve(GOOD_PORT);
	serve(EVIL_PORT);
	CHECK(shk_kmod_facts(kmod)->features & SHRIKE_FEATURE_REFUSE, "nothing can be refused here");
	without_lease(cgroup);
	test_held(cgroup);
	compare(SYS_openat, SHRIKE_REQUIRE_OPEN, cgroup);
	compare(SYS_connect, SHRIKE_REQUIRE_CONNECT, cgroup);
	compare(SYS_execve, SHRIKE_REQUIRE_EXEC, cgroup);
	/* Few of its races get as far as the kernel's comparison: until one does. */
	for (unsigned i = 0; i < 10 && !killed; i++) {
		race(SYS_execve, SHRIKE_HOLD_EXEC, cgroup);
		CHECK(tally->evil == 0, "%d times", tally->evil);
		CHECK(tally->good > 0, "nothing that was allowed came through");
		killed = tally->killed;
	}
	CHECK(killed > 0, "nothing was killed");
	close(cgroup);
	cgroup_remove("leases");
}
