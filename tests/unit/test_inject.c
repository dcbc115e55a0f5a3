// SPDX-License-Identifier: Apache-2.0
/* Filters injected into forked children in every state a container's init may be in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "sources/ptrace/inject.h"
#include "sources/ptrace/target.h"
#include "tracees.h"

/* Waits until the child is in state s ('S' asleep, 'T' stopped), so that the case is the one meant. */
static void until_state(pid_t pid, char s)
{
	for (int i = 0; i < 30000; i++) {
		char path[64], line[512], *p;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "re");
		assert_non_null(f);
		p = fgets(line, sizeof(line), f);
		fclose(f);
		p = p ? strrchr(line, ')') : NULL;
		if (p && p[2] == s)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	fail_msg("process %d never came to state %c", (int)pid, s);
}

static int inject(struct child *c, unsigned *flags, struct shk_err *err)
{
	struct shk_inject q = { .tid = c->pid,
				.pidfd = c->pidfd,
				.bpf = filter,
				.bpf_len = SHK_ARRAY_SIZE(filter),
				.flags = WAIT_KILLABLE };

	return shk_inject_filter(&q, 10000, flags, err);
}

/* Answers one getppid of the child with ANSWER, lets everything else pass. */
static void answer_getppid(int listener, pid_t pid)
{
	for (;;) {
		union {
			struct seccomp_notif n;
			char room[1024];
		} u = { 0 };
		struct pollfd p = { .fd = listener, .events = POLLIN };
		struct seccomp_notif_resp r;

		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &u), 0);
		assert_int_equal(u.n.pid, pid);
		r = (struct seccomp_notif_resp){ .id = u.n.id };
		if (u.n.data.nr == SYS_getppid)
			r.val = ANSWER;
		else
			r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
		if (u.n.data.nr == SYS_getppid)
			return;
	}
}

static char live_stack(volatile char *p, size_t n)
{
	char sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (char)(sum + p[i] * (char)(i | 1));
	return sum;
}

/* Sleeps in read like a runtime's init, then makes a notified call. The red zone and the stack below are not
 * looked at by C code; the checksum covers what lies above. */
static void sleeper(struct child *c, void *arg)
{
	volatile char above[256];
	char b = 0, sum;
	ssize_t n;

	(void)arg;
	for (size_t i = 0; i < sizeof(above); i++)
		above[i] = (char)i;
	sum = live_stack(above, sizeof(above));
	n = read(c->in[0], &b, 1);
	tell(c, n == 1 && b == 'x' && live_stack(above, sizeof(above)) == sum ? 1 : -errno);
	tell(c, syscall(SYS_getppid));
}

static unsigned long mappings(pid_t pid)
{
	unsigned long n = 0;
	char path[64];
	int ch;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while ((ch = fgetc(f)) != EOF)
		n += ch == '\n';
	fclose(f);
	return n;
}

static int supported(void **state)
{
	struct child c;
	struct shk_err err;
	int fd;

	(void)state;
#if !defined(__x86_64__)
	skip();
#endif
	child_start(&c, sleeper, NULL);
	until_state(c.pid, 'S');
	fd = inject(&c, NULL, &err);
	if (fd >= 0)
		close(fd);
	kill(c.pid, SIGKILL);
	child_end(&c);
	if (fd == -EPERM || fd == -EACCES) {
		print_message("SKIP: ptrace is not permitted here: %s\n", err.text);
		return 1;
	}
	return 0;
}

#define NEED_PTRACE(state)                                                                         \
	do {                                                                                       \
		if (supported(state))                                                              \
			skip();                                                                    \
	} while (0)

static void into_a_sleeping_read(void **state)
{
	struct shk_err err = { 0 };
	unsigned flags = 77;
	unsigned long before;
	struct child c;
	char path[64];
	int fd;

	NEED_PTRACE(state);
	child_start(&c, sleeper, NULL);
	until_state(c.pid, 'S');
	before = mappings(c.pid);
	fd = inject(&c, &flags, &err);
	assert_string_equal(err.text, "");
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(flags == WAIT_KILLABLE || flags == 0);
	/* The scratch is gone, the listener's number closed, the tracer away. */
	assert_int_equal(mappings(c.pid), before);
	for (int i = 0; i < 64; i++) {
		char link[64];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)c.pid, i);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		assert_null(strstr(link, "seccomp"));
	}
	until_state(c.pid, 'S');
	wake(&c);
	assert_int_equal(told(&c), 1);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
}

#if defined(__x86_64__)
/* Every register holds a known value while the child spins until the parent clears a flag. */
static void spinner(struct child *c, void *arg)
{
	unsigned long bad;

	tell(c, 0);
	__asm__ volatile("push %%rbp\n\t"
			 "mov $0x1111, %%rax\n\tmov $0x2222, %%rcx\n\tmov $0x3333, %%rdx\n\t"
			 "mov $0x4444, %%rsi\n\tmov $0x5555, %%r8\n\tmov $0x6666, %%r9\n\t"
			 "mov $0x7777, %%r10\n\tmov $0x8888, %%r11\n\tmov $0x9999, %%r12\n\t"
			 "mov $0xaaaa, %%r13\n\tmov $0xbbbb, %%r14\n\tmov $0xcccc, %%r15\n\t"
			 "mov $0xdddd, %%rbp\n\t"
			 "movq $0x12345, -64(%%rsp)\n" /* red zone */
			 "1:\tcmpl $0, (%%rdi)\n\tje 1b\n\t"
			 "mov $0, %%rbx\n\t"
			 "cmp $0x1111, %%rax\n\tjne 2f\n\tcmp $0x2222, %%rcx\n\tjne 2f\n\t"
			 "cmp $0x3333, %%rdx\n\tjne 2f\n\tcmp $0x4444, %%rsi\n\tjne 2f\n\t"
			 "cmp $0x5555, %%r8\n\tjne 2f\n\tcmp $0x6666, %%r9\n\tjne 2f\n\t"
			 "cmp $0x7777, %%r10\n\tjne 2f\n\tcmp $0x8888, %%r11\n\tjne 2f\n\t"
			 "cmp $0x9999, %%r12\n\tjne 2f\n\tcmp $0xaaaa, %%r13\n\tjne 2f\n\t"
			 "cmp $0xbbbb, %%r14\n\tjne 2f\n\tcmp $0xcccc, %%r15\n\tjne 2f\n\t"
			 "cmp $0xdddd, %%rbp\n\tjne 2f\n\tcmpq $0x12345, -64(%%rsp)\n\tjne 2f\n\t"
			 "jmp 3f\n"
			 "2:\tmov $1, %%rbx\n"
			 "3:\tpop %%rbp\n"
			 : "=&b"(bad)
			 : "D"(arg)
			 : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc");
	tell(c, (long)bad);
	tell(c, syscall(SYS_getppid));
}

static void into_a_busy_loop(void **state)
{
	struct shk_err err = { 0 };
	struct child c;
	int *flag, fd;

	NEED_PTRACE(state);
	flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	child_start(&c, spinner, flag);
	assert_int_equal(told(&c), 0);
	fd = inject(&c, NULL, &err);
	assert_string_equal(err.text, "");
	__atomic_store_n(flag, 1, __ATOMIC_RELEASE);
	assert_int_equal(told(&c), 0);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
	munmap(flag, 4096);
}
#endif

static void *idle(void *arg)
{
	for (;;)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return arg;
}

static void with_threads(struct child *c, void *arg)
{
	pthread_t t;

	for (int i = 0; i < 5; i++)
		if (pthread_create(&t, NULL, idle, NULL) != 0)
			_exit(8);
	sleeper(c, arg);
}

static void into_the_leader_of_threads(void **state)
{
	struct shk_err err = { 0 };
	struct child c;
	int fd;

	NEED_PTRACE(state);
	child_start(&c, with_threads, NULL);
	until_state(c.pid, 'S');
	fd = inject(&c, NULL, &err);
	assert_string_equal(err.text, "");
	wake(&c);
	assert_int_equal(told(&c), 1);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
}

static void into_a_stopped_process(void **state)
{
	struct shk_err err = { 0 };
	struct child c;
	int fd;

	NEED_PTRACE(state);
	child_start(&c, sleeper, NULL);
	until_state(c.pid, 'S');
	kill(c.pid, SIGSTOP);
	until_state(c.pid, 'T');
	fd = inject(&c, NULL, &err);
	assert_string_equal(err.text, "");
	until_state(c.pid, 'T'); /* still stopped */
	kill(c.pid, SIGCONT);
	wake(&c);
	assert_int_equal(told(&c), 1);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
}

/* Calls with a time limit restart by restart_syscall(2): the limit must be neither lost nor begun anew. */
static void timed_sleeper(struct child *c, void *arg)
{
	struct timespec rem = { 0 };
	struct pollfd p = { .fd = c->in[0], .events = POLLIN };

	(void)arg;
	tell(c, nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, &rem) == 0 ? 1 : -errno);
	tell(c, poll(&p, 1, 20000) == 1 ? 2 : -errno);
	sleeper(c, arg);
}

static void into_calls_with_a_time_limit(void **state)
{
	struct shk_err err = { 0 };
	struct child c;
	int fd;

	NEED_PTRACE(state);
	child_start(&c, timed_sleeper, NULL);
	until_state(c.pid, 'S');
	fd = inject(&c, NULL, &err);
	assert_string_equal(err.text, "");
	assert_int_equal(told(&c), 1);
	until_state(c.pid, 'S');
	/* A second listener is refused: and so goes back into poll unharmed, too. */
	assert_int_equal(inject(&c, NULL, &err), -EBUSY);
	wake(&c);
	assert_int_equal(told(&c), 2);
	assert_int_equal(told(&c), 1);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
}

static volatile sig_atomic_t handled;

static void on_usr1(int sig)
{
	(void)sig;
	handled++;
}

static void signalled(struct child *c, void *arg)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	char b;
	ssize_t n;

	(void)arg;
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGRTMIN, &sa, NULL);
	tell(c, 0);
	n = read(c->in[0], &b, 1);
	tell(c, n == 1 ? handled : -errno);
	tell(c, syscall(SYS_getppid));
}

struct sender {
	pid_t pid;
	int n;
	volatile bool stop;
};

static void *send_signals(void *arg)
{
	struct sender *s = arg;

	while (!s->stop) {
		union sigval v = { 0 };

		if (s->n < 2000 && sigqueue(s->pid, SIGRTMIN, v) == 0)
			s->n++;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return NULL;
}

static void into_a_process_that_gets_signals(void **state)
{
	struct shk_err err = { 0 };
	struct sender s = { 0 };
	struct child c;
	pthread_t t;
	int fd;

	NEED_PTRACE(state);
	child_start(&c, signalled, NULL);
	assert_int_equal(told(&c), 0);
	s.pid = c.pid;
	assert_int_equal(pthread_create(&t, NULL, send_signals, &s), 0);
	fd = inject(&c, NULL, &err);
	s.stop = true;
	pthread_join(t, NULL);
	assert_string_equal(err.text, "");
	until_state(c.pid, 'S');
	wake(&c);
	/* Real-time signals queue: each one sent has been handled. */
	assert_int_equal(told(&c), s.n);
	answer_getppid(fd, c.pid);
	assert_int_equal(told(&c), ANSWER);
	close(fd);
	assert_int_equal(child_end(&c), 0);
}

static void listener_present(struct child *c, void *arg)
{
	static struct sock_filter f[] = { LD(nr), JEQ(SYS_getppid, 0, 1),
					  RET(SECCOMP_RET_USER_NOTIF), RET(SECCOMP_RET_ALLOW) };
	struct sock_fprog p = { .len = SHK_ARRAY_SIZE(f), .filter = f };
	char b;

	(void)arg;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p) < 0)
		_exit(7);
	tell(c, read(c->in[0], &b, 1));
}

static void a_second_listener_is_refused(void **state)
{
	struct shk_err err = { 0 };
	unsigned long before;
	struct child c;

	NEED_PTRACE(state);
	child_start(&c, listener_present, NULL);
	until_state(c.pid, 'S');
	before = mappings(c.pid);
	assert_int_equal(inject(&c, NULL, &err), -EBUSY);
	assert_non_null(strstr(err.text, "listener already"));
	assert_int_equal(mappings(c.pid), before);
	wake(&c);
	assert_int_equal(told(&c), 1);
	assert_int_equal(child_end(&c), 0);
}

/* seccomp(2) refused by a filter that is there: by error, by SIGSYS. */
static void filtered(struct child *c, void *arg)
{
	struct sock_filter f[] = { LD(nr), JEQ(SYS_seccomp, 0, 1), RET(*(unsigned *)arg),
				   RET(SECCOMP_RET_ALLOW) };
	struct sock_fprog p = { .len = SHK_ARRAY_SIZE(f), .filter = f };
	char b;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0)
		_exit(7);
	tell(c, read(c->in[0], &b, 1));
}

static void a_filter_that_refuses_seccomp(void **state)
{
	unsigned how[] = { SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_TRAP,
			   SECCOMP_RET_TRACE };
	struct child c;

	NEED_PTRACE(state);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(how); i++) {
		struct shk_err err = { 0 };

		child_start(&c, filtered, &how[i]);
		until_state(c.pid, 'S');
		if (inject(&c, NULL, &err) != -EACCES)
			fail_msg("%zu: %s", i, err.text);
		assert_non_null(strstr(err.text, "seccomp filter"));
		wake(&c);
		assert_int_equal(told(&c), 1);
		assert_int_equal(child_end(&c), 0);
	}
}

static void a_filter_that_kills(void **state)
{
	unsigned how = SECCOMP_RET_KILL_PROCESS;
	struct shk_err err = { 0 };
	struct child c;

	NEED_PTRACE(state);
	child_start(&c, filtered, &how);
	until_state(c.pid, 'S');
	assert_int_equal(inject(&c, NULL, &err), -ESRCH);
	assert_true(WIFSIGNALED(child_end(&c)));
}

static void another_tracer_is_named(void **state)
{
	struct shk_err err = { 0 };
	struct child c;
	char want[64], b;
	int ready[2];
	pid_t tracer;

	NEED_PTRACE(state);
	child_start(&c, sleeper, NULL);
	until_state(c.pid, 'S');
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	tracer = fork();
	if (tracer == 0) {
		long r = ptrace(PTRACE_SEIZE, c.pid, NULL, NULL);

		if (write(ready[1], r == 0 ? "y" : "n", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &b, 1), 1);
	if (b == 'y') { /* a sibling may not, where Yama restricts it */
		assert_int_equal(inject(&c, NULL, &err), -EPERM);
		snprintf(want, sizeof(want), "process %d (", (int)tracer);
		assert_non_null(strstr(err.text, want));
	}
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	kill(c.pid, SIGKILL);
	child_end(&c);
}

static void *kill_soon(void *arg)
{
	struct sender *s = arg;

	nanosleep(&(struct timespec){ .tv_nsec = s->n }, NULL);
	kill(s->pid, SIGKILL);
	return NULL;
}

/* Killed at ever later moments of the injection: always a clear end, nothing left over. */
static void a_target_that_dies(void **state)
{
	NEED_PTRACE(state);
	for (int i = 0; i < 60; i++) {
		struct shk_err err = { 0 };
		struct sender s = { .n = i * 20000 };
		struct child c;
		pthread_t t;
		int fd;

		child_start(&c, with_threads, NULL);
		until_state(c.pid, 'S');
		s.pid = c.pid;
		assert_int_equal(pthread_create(&t, NULL, kill_soon, &s), 0);
		fd = inject(&c, NULL, &err);
		pthread_join(t, NULL);
		if (fd >= 0)
			close(fd);
		else if (fd != -ESRCH)
			fail_msg("%d: %s", fd, err.text);
		assert_true(WIFSIGNALED(child_end(&c)));
	}
}

static void dead_and_wrong_targets(void **state)
{
	struct shk_err err = { 0 };
	struct child c, d;
	int fd;

	NEED_PTRACE(state);
	child_start(&c, sleeper, NULL);
	child_start(&d, sleeper, NULL);
	kill(c.pid, SIGKILL);
	until_state(c.pid, 'Z');
	assert_int_equal(inject(&c, NULL, &err), -ESRCH);
	/* The pidfd of another process does not match. */
	fd = c.pidfd;
	c.pidfd = d.pidfd;
	assert_int_equal(inject(&c, NULL, &err), -ESRCH);
	c.pidfd = c.out[0];
	assert_int_equal(inject(&c, NULL, &err), -EINVAL);
	c.pidfd = fd;
	child_end(&c);
	kill(d.pid, SIGKILL);
	child_end(&d);
}

static void a_broken_filter_changes_nothing(void **state)
{
	static const struct sock_filter bad[] = { LD(nr) }; /* no return */
	struct shk_err err = { 0 };
	struct shk_inject q;
	struct child c;

	NEED_PTRACE(state);
	child_start(&c, sleeper, NULL);
	until_state(c.pid, 'S');
	q = (struct shk_inject){ .tid = c.pid, .pidfd = c.pidfd, .bpf = bad, .bpf_len = 1 };
	assert_int_equal(shk_inject_filter(&q, 10000, NULL, &err), -EINVAL);
	wake(&c);
	assert_int_equal(told(&c), 1);
	assert_int_equal(told(&c), getpid()); /* unfiltered */
	assert_int_equal(child_end(&c), 0);
}

/* ---- target checks: this process plays the runtime, one child the hook, another the init ---- */
static void which_targets_are_accepted(void **state)
{
	struct shk_peer peer = { 0 };
	struct shk_err err = { 0 };
	struct child hook, init, other;
	int pidfd;

	(void)state;
	child_start(&hook, sleeper, NULL);
	child_start(&init, sleeper, NULL);
	peer = (struct shk_peer){ .pid = hook.pid, .uid = getuid(), .pidfd = hook.pidfd };
	assert_int_equal(shk_target_check(&peer, init.pid, init.pidfd, &err), 0);
	assert_int_equal(shk_target_check(&peer, hook.pid, hook.pidfd, &err), -EPERM);
	/* A pidfd of somebody else. */
	assert_int_equal(shk_target_check(&peer, init.pid, hook.pidfd, &err), -ESRCH);
	assert_int_equal(shk_target_check(&peer, 1, init.pidfd, &err), -EPERM);
	/* This process, and the runtime itself. */
	pidfd = shk_pidfd_open(getpid(), 0);
	assert_int_equal(shk_target_check(&peer, getpid(), pidfd, &err), -EPERM);
	close(pidfd);
	pidfd = shk_pidfd_open(getppid(), 0);
	if (pidfd >= 0) {
		assert_int_equal(shk_target_check(&peer, getppid(), pidfd, &err), -EPERM);
		close(pidfd);
	}
	/* Another user's. */
	peer.uid = getuid() + 1;
	assert_int_equal(shk_target_check(&peer, init.pid, init.pidfd, &err), -EPERM);
	assert_non_null(strstr(err.text, "another user"));
	peer.uid = getuid();
	if (getuid() == 0) { /* a root of its own: not fresh */
		child_start(&other, sleeper, NULL);
		until_state(other.pid, 'S');
		kill(other.pid, SIGKILL);
		child_end(&other);
	}
	kill(init.pid, SIGKILL);
	until_state(init.pid, 'Z');
	assert_int_equal(shk_target_check(&peer, init.pid, init.pidfd, &err), -ESRCH);
	child_end(&init);
	kill(hook.pid, SIGKILL);
	child_end(&hook);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(into_a_sleeping_read),
#if defined(__x86_64__)
		cmocka_unit_test(into_a_busy_loop),
#endif
		cmocka_unit_test(into_the_leader_of_threads),
		cmocka_unit_test(into_a_stopped_process),
		cmocka_unit_test(into_calls_with_a_time_limit),
		cmocka_unit_test(into_a_process_that_gets_signals),
		cmocka_unit_test(a_second_listener_is_refused),
		cmocka_unit_test(a_filter_that_refuses_seccomp),
		cmocka_unit_test(a_filter_that_kills),
		cmocka_unit_test(another_tracer_is_named),
		cmocka_unit_test(a_target_that_dies),
		cmocka_unit_test(dead_and_wrong_targets),
		cmocka_unit_test(a_broken_filter_changes_nothing),
		cmocka_unit_test(which_targets_are_accepted),
	};

	return cmocka_run_group_tests_name("inject", tests, NULL, NULL);
}
