// SPDX-License-Identifier: Apache-2.0
/* Everybody of a set of processes stopped at one time, and a filter for all threads of one. */
#include "tracees.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "sources/ptrace/herd.h"
#include "sources/ptrace/inject.h"
#include "sources/ptrace/task.h"
#include "sources/ptrace/tracee.h"

#if defined(__x86_64__)

#define THREADS 4

struct flock_of {
	pid_t leader, other;
	bool frozen;
	unsigned n_freezes;
};

static int list_both(void *arg, pid_t **pids, size_t *n, bool *unsure, struct shk_err *err)
{
	struct flock_of *f = arg;

	(void)err, (void)unsure;
	*pids = calloc(2, sizeof(**pids));
	assert_non_null(*pids);
	(*pids)[0] = f->leader;
	(*pids)[1] = f->other;
	*n = 2;
	return 0;
}

static bool note_freeze(void *arg, bool on)
{
	struct flock_of *f = arg;

	f->frozen = on;
	f->n_freezes += on;
	return false;
}

static struct child *of_threads;

static void *ask_when_woken(void *arg)
{
	char b;

	while (read(of_threads->in[0], &b, 1) < 0 && errno == EINTR)
		;
	tell(of_threads, syscall(SYS_getppid));
	return arg;
}

static void threads_that_ask(struct child *c, void *arg)
{
	pthread_t t[THREADS];

	(void)arg;
	of_threads = c;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, ask_when_woken, NULL) != 0)
			_exit(8);
	tell(c, 1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* Forks all the while: whatever it makes must be stopped, too. */
static void forker(struct child *c, void *arg)
{
	char b;

	(void)arg;
	fcntl(c->in[0], F_SETFL, O_NONBLOCK);
	tell(c, 1);
	while (read(c->in[0], &b, 1) != 1) {
		if (fork() == 0)
			_exit(0);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static char state_char(pid_t tid)
{
	struct shk_task_facts f;

	return shk_task_read(tid, &f) < 0 ? '-' : f.state;
}

static void everybody_of_a_herd_stops(void **state)
{
	struct flock_of f = { 0 };
	const struct shk_herd_ops ops = { list_both, note_freeze, &f };
	struct shk_injected done;
	struct shk_err err = { 0 };
	struct shk_herd *h = NULL;
	struct shk_tracee t;
	struct child a, b;
	struct shk_inject q;
	size_t stopped = 0;
	int fd, r;

	(void)state;
	child_start(&a, threads_that_ask, NULL);
	child_start(&b, forker, NULL);
	assert_int_equal(told(&a), 1);
	assert_int_equal(told(&b), 1);
	f.leader = a.pid;
	f.other = b.pid;
	assert_int_equal(shk_herd_new(&ops, &h, &err), 0);
	r = shk_herd_gather(h, 10000, &err);
	if (h->n && h->task[0]->state == SHK_HERD_NEVER && h->task[0]->errnum == EPERM) {
		print_message("SKIP: ptrace is not permitted here: %s\n", h->task[0]->why);
		shk_herd_free(h);
		kill(a.pid, SIGKILL);
		kill(b.pid, SIGKILL);
		child_end(&a);
		child_end(&b);
		skip();
	}
	assert_int_equal(r, 0);
	assert_string_equal(err.text, "");
	assert_int_equal(f.n_freezes, 1);
	assert_false(f.frozen);
	for (size_t i = 0; i < h->n; i++) {
		assert_true(h->task[i]->state == SHK_HERD_STOPPED || h->task[i]->state == SHK_HERD_FREE);
		if (h->task[i]->state == SHK_HERD_STOPPED) {
			assert_int_equal(state_char(h->task[i]->tid), 't');
			stopped++;
		}
	}
	assert_true(stopped >= THREADS + 2);
	/* One call, and all threads have the filter. */
	assert_int_equal(shk_tracee_adopt(&t, a.pid, a.pid, a.pidfd, 10000, &err), 0);
	q = (struct shk_inject){ .tid = a.pid, .pidfd = a.pidfd, .bpf = filter, .bpf_len = SHK_ARRAY_SIZE(filter),
				 .flags = WAIT_KILLABLE, .tsync = true, .stay = SHK_HERD_OPTIONS };
	fd = shk_inject_stopped(&t, &q, &done, &err);
	assert_string_equal(err.text, "");
	assert_true(fd >= 0);
	assert_false(done.nnp); /* it was set before */
	assert_int_equal(state_char(a.pid), 't');
	/* A second listener is refused, and the task stays as it is. */
	assert_int_equal(shk_tracee_adopt(&t, a.pid, a.pid, a.pidfd, 10000, &err), 0);
	t.listener = fd;
	assert_int_equal(shk_inject_stopped(&t, &q, &done, &err), -EBUSY);
	assert_int_equal(shk_tracee_return(&t, SHK_HERD_OPTIONS, &err), 0);
	shk_herd_free(h);
	for (int i = 0; i < THREADS; i++)
		wake(&a);
	for (int i = 0; i < THREADS;) {
		union {
			struct seccomp_notif n;
			char room[1024];
		} u = { 0 };
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct seccomp_notif_resp resp;

		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &u), 0);
		resp = (struct seccomp_notif_resp){ .id = u.n.id };
		if (u.n.data.nr == SYS_getppid) {
			resp.val = ANSWER;
			i++;
		} else {
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		}
		assert_int_equal(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(told(&a), ANSWER);
	wake(&b);
	close(fd);
	kill(a.pid, SIGKILL);
	child_end(&a);
	child_end(&b);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(everybody_of_a_herd_stops),
#endif
	};

	return cmocka_run_group_tests_name("herd", tests, NULL, NULL);
}
