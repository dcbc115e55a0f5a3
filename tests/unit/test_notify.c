// SPDX-License-Identifier: Apache-2.0
/* A descriptor that is given to a caller while signals come to the giver: the caller gets it, never another answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "sources/notify/notify.h"

#define MAGIC  0x73686b /* of getpriority, which has no such kind */
#define CALLS  3000

static _Atomic int listener = -1;
static atomic_bool over;
static atomic_uint wrong;
static struct stat given;

static int install(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = SHK_ARRAY_SIZE(f), .filter = f };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
}

static void *caller(void *arg)
{
	int fd = install();

	(void)arg;
	atomic_store(&listener, fd < 0 ? -2 : fd);
	for (int i = 0; fd >= 0 && i < CALLS; i++) {
		struct stat st;
		long r = syscall(SYS_getpriority, (long)MAGIC, 0L);

		if (r <= 2 || fstat((int)r, &st) < 0 || st.st_ino != given.st_ino || close((int)r) < 0)
			atomic_fetch_add(&wrong, 1);
	}
	atomic_store(&over, true);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void *signaller(void *arg)
{
	while (!atomic_load(&over))
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void given_whatever_comes(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	pthread_t me = pthread_self(), calls, kills;
	unsigned n = 0;
	int pipes[2];
	(void)state;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fstat(pipes[1], &given), 0);
	sigaction(SIGUSR1, &sa, &old);
	assert_int_equal(pthread_create(&calls, NULL, caller, NULL), 0);
	while (atomic_load(&listener) == -1)
		;
	if (atomic_load(&listener) == -2) {
		pthread_join(calls, NULL);
		skip(); /* somebody listens already */
	}
	assert_int_equal(pthread_create(&kills, NULL, signaller, &me), 0);
	while (n < CALLS) {
		union {
			struct seccomp_notif n;
			char room[512];
		} u = { 0 };

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0) {
			assert_true(errno == EINTR || errno == ENOENT);
			continue;
		}
		assert_true(shk_notify_give(listener, u.n.id, pipes[1], true) > 2);
		n++;
	}
	pthread_join(calls, NULL);
	pthread_join(kills, NULL);
	sigaction(SIGUSR1, &old, NULL);
	assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(given_whatever_comes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
