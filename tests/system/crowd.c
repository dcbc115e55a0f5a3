// SPDX-License-Identifier: Apache-2.0
/*
 * crowd - what a container may be doing while somebody attaches to it. Each way creates processes in a state of
 * interest, prints "ready", waits for the file GO to appear in the directory DIR, and then every process tries what the
 * policy forbids (renaming a file of its own in /usr/bin) and appends one line to DIR/log: way and outcome.
 *
 * crowd DIR WAY [NUMBER]. Static.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKS_ENOUGH 20000

static const char *dir;
static int log_fd, go_dir;
static long *counters; /* shared: forks made, storm to end */

static void nap(long us)
{
	nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

static int gone(void)
{
	struct stat st;

	return fstatat(go_dir, "GO", &st, 0) == 0;
}

/* The forbidden deed, told to the witness. EPERM is what the policy says. */
static void deed(const char *way)
{
	char from[64], line[128];
	int r, n;

	snprintf(from, sizeof(from), "/usr/bin/no-such-file-%d", (int)syscall(SYS_gettid));
	r = rename(from, "/usr/bin/evil");
	n = snprintf(line, sizeof(line), "%s %d %s\n", way, (int)syscall(SYS_gettid),
		     r == 0 ? "ok" : strerrorname_np(errno));
	if (write(log_fd, line, (size_t)n) != n)
		_exit(3);
}

static void wait_and_do(const char *way)
{
	while (!gone())
		nap(20000);
	deed(way);
}

static void *thread(void *way)
{
	wait_and_do(way);
	return NULL;
}

static void start(pthread_t *t, void *(*fn)(void *), const char *way)
{
	if (pthread_create(t, NULL, fn, (void *)(uintptr_t)way) != 0)
		_exit(3);
}

static void ready(void)
{
	int fd = openat(go_dir, "ready", O_CREAT | O_WRONLY, 0644);

	close(fd);
}

static void finish(void)
{
	int fd;

	while (wait(NULL) > 0 || errno == EINTR)
		;
	fd = openat(go_dir, "done", O_CREAT | O_WRONLY, 0644);
	close(fd);
	for (;;)
		pause();
}

static void processes(int n, void (*in_child)(void))
{
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			in_child();
			_exit(0);
		}
}

static void plain(void)
{
	wait_and_do("plain");
}

static void threads(void)
{
	pthread_t t[7];

	for (int i = 0; i < 7; i++)
		start(&t[i], thread, "thread");
	wait_and_do("leader");
	for (int i = 0; i < 7; i++)
		pthread_join(t[i], NULL);
}

/* The first thread has ended, the others live. */
static void headless(void)
{
	pthread_t t;

	start(&t, thread, "headless");
	start(&t, thread, "headless");
	pthread_exit(NULL);
}

static void *own_files(void *arg)
{
	unshare(CLONE_FILES);
	/* A number that the listener would get in the leader's table is taken here. */
	for (int i = 3; i < 40; i++)
		dup2(log_fd, 100 + i);
	return thread(arg);
}

static void tables(void)
{
	pthread_t t;

	start(&t, own_files, "ownfiles");
	wait_and_do("leader");
	pthread_join(t, NULL);
}

/* A filter that allows everything. */
static void filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = { 1, &allow };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) != 0)
		_exit(3);
}

/* A thread in a sandbox of its own: others must not be drawn in. */
static void *sandboxed(void *arg)
{
	filter();
	return thread(arg);
}

/* Two threads with a filter each: as many, and not the same. */
static void diverged(void)
{
	pthread_t t;

	start(&t, sandboxed, "sandboxed");
	filter();
	wait_and_do("leader");
	pthread_join(t, NULL);
}

static void sandbox(void)
{
	char line[64];
	pthread_t t;
	int n;

	start(&t, sandboxed, "sandboxed");
	wait_and_do("leader");
	pthread_join(t, NULL);
	n = snprintf(line, sizeof(line), "nnp %d %d\n", getpid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	if (write(log_fd, line, (size_t)n) != n)
		_exit(3);
}

/* Its parent waits in vfork while the child waits for GO. */
static void vforked(void)
{
	pid_t p = vfork();

	if (p == 0) {
		wait_and_do("vfork-child");
		_exit(0);
	}
	deed("vfork-parent");
}

static void userns(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
	wait_and_do("userns");
}

static void pidns(void)
{
	if (unshare(CLONE_NEWPID) < 0)
		_exit(77);
	/* A nested namespace whose processes lose their parents. */
	if (fork() == 0) {
		if (fork() == 0) {
			if (fork() == 0) {
				wait_and_do("pidns");
				_exit(0);
			}
			_exit(0);
		}
		wait_and_do("pidns-init");
		nap(300000);
		_exit(0);
	}
	wait(NULL);
}

/* A task whose child traces it. */
static void traced(void)
{
	pid_t p = fork();

	if (p == 0) {
		pid_t up = getppid();

		ptrace(PTRACE_SEIZE, up, 0, 0);
		while (!gone())
			nap(20000);
		nap(300000);
		_exit(0);
	}
	nap(100000);
	wait_and_do("traced");
	waitpid(p, NULL, 0);
}

static void i386(void)
{
	execl("/opt/i386", "i386", (char *)NULL);
	_exit(77);
}

/* The machine is others', too: a storm abates when nobody ends it. */
static void breathe(void)
{
	if (__atomic_add_fetch(&counters[0], 1, __ATOMIC_RELAXED) > FORKS_ENOUGH)
		nap(20000);
}

/* Every child forks the next one and ends: nobody lives long enough to be found by looking. */
static void chain(void)
{
	for (;;) {
		breathe();
		if (gone()) {
			deed("storm");
			_exit(0);
		}
		if (fork() != 0)
			_exit(0);
	}
}

/* Each forks several that fork, up to a number alive at a time. */
static void tree(void)
{
	for (;;) {
		if (gone()) {
			deed("storm");
			while (wait(NULL) > 0)
				;
			_exit(0);
		}
		for (int i = 0; i < 3; i++)
			if (__atomic_load_n(&counters[1], __ATOMIC_RELAXED) < 60) {
				__atomic_fetch_add(&counters[1], 1, __ATOMIC_RELAXED);
				breathe();
				if (fork() == 0 && rand() % 3 == 0) {
					__atomic_fetch_sub(&counters[1], 1, __ATOMIC_RELAXED);
					_exit(0);
				}
			}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sched_yield();
	}
}

static void storm(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	processes(3, chain);
	processes(2, tree);
	/* Orphans come here: who is not waited for keeps a number. */
	while (!gone())
		if (waitpid(-1, NULL, WNOHANG) <= 0)
			nap(200);
	while (wait(NULL) > 0)
		;
}

/* A fork that a userfaultfd holds up until whoever is to answer for it is supervised: it began before anybody was seized, and
 * its child comes into being when the others have their filter. */
static void held_fork(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK };
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = { .range = { (uintptr_t)m, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		_exit(77);
	/* Before there is anything to tell of: this one is not held up. Its descriptor is the same. */
	if (fork() == 0) {
		while (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
			nap(1000);
		if (read(fd, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_FORK)
			_exit(3);
		wait_and_do("answers");
		_exit(0);
	}
	if (ioctl(fd, UFFDIO_REGISTER, &reg) < 0)
		_exit(77);
	if (fork() == 0) {
		wait_and_do("held-child");
		_exit(0);
	}
	wait_and_do("held");
	while (wait(NULL) > 0)
		;
}

static void stopped(void)
{
	raise(SIGSTOP);
	wait_and_do("stopped");
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "plain", plain },   { "threads", threads },	{ "headless", headless }, { "tables", tables },
	{ "sandbox", sandbox }, { "vfork", vforked },	{ "userns", userns },	  { "pidns", pidns },
	{ "diverged", diverged }, { "traced", traced }, { "i386", i386 },		{ "storm", storm },	  { "stopped", stopped },
	{ "held-fork", held_fork },
};

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[3]) : 1;

	if (argc < 3)
		return 2;
	dir = argv[1];
	go_dir = open(dir, O_RDONLY | O_DIRECTORY);
	log_fd = openat(go_dir, "log", O_CREAT | O_WRONLY | O_APPEND, 0666);
	counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (go_dir < 0 || log_fd < 0 || counters == MAP_FAILED)
		return 3;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[2], ways[i].name) == 0) {
			processes(n, ways[i].fn);
			nap(300000);
			ready();
			while (!gone())
				nap(20000);
			if (counters[0]) {
				char line[64];
				int k = snprintf(line, sizeof(line), "forks %d %ld\n", getpid(), counters[0]);

				if (write(log_fd, line, (size_t)k) != k)
					return 3;
			}
			deed("first");
			finish();
		}
	return 2;
}
