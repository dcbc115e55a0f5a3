// SPDX-License-Identifier: Apache-2.0
#include "sources/ptrace/herd.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/map.h"
#include "sources/ptrace/task.h"

#define PASSES_MAX    500
#define PASSES_UNSURE 20
#define UNSURE_NS     3000000000ull
#define TRIES	      3
#define SEIZE_MS      300      /* longer than any honest execve holds its process's lock */
#define NUDGE_NS      20000000

struct shk_herd_impl {
	struct shk_map by_tid; /* the newest task of each number */
	pid_t self;	       /* TracerPid of our tracees */
	pthread_t tracer, nudger;
	bool has_nudger;
	_Atomic uint64_t seizing_since; /* CLOCK_MONOTONIC ns, 0: not now */
	atomic_bool stop;
};

/* ---- seizing without getting stuck ---- */

/* PTRACE_SEIZE waits for a lock that execve holds, also while that waits for a file system, which may be one that the
 * container itself serves. The wait ends for a signal, but the kernel starts the call again after the handler
 * (ERESTARTNOINTR, ptrace_attach() in kernel/ptrace.c): so the handler does not return. */
static _Thread_local sigjmp_buf way_out;
static _Thread_local volatile sig_atomic_t may_jump;

static void on_nudge(int sig)
{
	(void)sig;
	if (may_jump)
		siglongjmp(way_out, 1);
}

static void *nudge(void *arg)
{
	struct shk_herd_impl *im = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!atomic_load(&im->stop)) {
		uint64_t since = atomic_load(&im->seizing_since);

		if (since && shk_now_mono() - since > SEIZE_MS * 1000000ull)
			pthread_kill(im->tracer, SIGUSR2);
		nanosleep(&(struct timespec){ .tv_nsec = NUDGE_NS }, NULL);
	}
	return NULL;
}

/* 0 or -errno; -ETIMEDOUT: the process is in an execve that does not end. */
static int seize(struct shk_herd_impl *im, pid_t tid)
{
	long r;
	int e;

	if (sigsetjmp(way_out, 1)) {
		may_jump = 0;
		atomic_store(&im->seizing_since, 0);
		return -ETIMEDOUT;
	}
	atomic_store(&im->seizing_since, shk_now_mono());
	may_jump = 1;
	r = syscall(SYS_ptrace, PTRACE_SEIZE, tid, NULL, SHK_HERD_OPTIONS);
	e = errno;
	may_jump = 0;
	atomic_store(&im->seizing_since, 0);
	return r < 0 ? -e : 0;
}

/* ---- tasks ---- */

static struct shk_herd_task *known(const struct shk_herd *h, pid_t tid)
{
	return shk_map_get_u64(&h->impl->by_tid, (uint64_t)tid);
}

static struct shk_herd_task *add(struct shk_herd *h, pid_t tid, const struct shk_task_facts *f, enum shk_herd_state state)
{
	struct shk_herd_task *t = known(h, tid), **more;

	if (t) { /* ended, or could not be had before */
		free(t->why);
	} else {
		if (h->n == SHK_HERD_TASKS_MAX)
			return NULL;
		if (h->n == h->room) {
			size_t room = h->room ? 2 * h->room : 64;

			more = reallocarray(h->task, room, sizeof(*more));
			if (!more)
				return NULL;
			h->task = more;
			h->room = room;
		}
		t = calloc(1, sizeof(*t));
		if (!t || shk_map_set_u64(&h->impl->by_tid, (uint64_t)tid, t) < 0) {
			free(t);
			return NULL;
		}
		h->task[h->n++] = t;
	}
	*t = (struct shk_herd_task){ .tid = tid, .tgid = f->tgid, .start = f->start, .state = state };
	return t;
}

static void never(struct shk_herd *h, pid_t tid, const struct shk_task_facts *f, int e)
{
	struct shk_herd_task *t = known(h, tid);
	unsigned tries = t && t->state == SHK_HERD_NEVER && t->start == f->start ? t->tries : 0;
	char *why = NULL, comm[32];
	int n;

	t = add(h, tid, f, SHK_HERD_NEVER);
	if (!t)
		return;
	t->errnum = e;
	t->tries = tries + 1;
	if (f->tracer)
		n = asprintf(&why, "it is traced already by process %d (%s); end that tracer", (int)f->tracer,
			     shk_task_comm(f->tracer, comm, sizeof(comm)));
	else if (e == ETIMEDOUT)
		n = asprintf(&why, "its process is in an execve that does not end");
	else
		n = asprintf(&why, "it cannot be traced: %s", strerror(e));
	t->why = n < 0 ? NULL : why;
}

/* 1: somebody who was not known, 0: nobody, -errno. */
static int meet(struct shk_herd *h, pid_t tid)
{
	struct shk_herd_task *t = known(h, tid);
	struct shk_task_facts f, tracer;
	bool was_known;
	int r;

	if (t && (t->state == SHK_HERD_RUNS || t->state == SHK_HERD_STOPPED))
		return 0;
	if (shk_task_read(tid, &f) < 0)
		return 1; /* whom it may have made meanwhile is not known */
	if (t && t->done && t->start == f.start)
		return 0;
	/* Alive when it was listed, perhaps, and what it forked since is not: whose parent we have stopped stays for long. */
	if (f.state == 'Z' || f.state == 'X') {
		t = add(h, tid, &f, SHK_HERD_FREE);
		if (t)
			t->done = true;
		return 1;
	}
	/* An execve may wait for somebody who was held up himself until now. */
	was_known = t && t->state == SHK_HERD_NEVER && t->start == f.start;
	if (was_known && (t->errnum != ETIMEDOUT || t->tries == TRIES))
		return 0;
	/* Forked by one of ours, whose stop has not been looked at. */
	r = f.tracer == h->impl->self ? 0 : seize(h->impl, tid);
	if (r == -ESRCH)
		return 1;
	if (r < 0 && shk_task_read(tid, &f) == 0 && f.tracer == h->impl->self)
		r = 0;
	/* It has ended since it was read, and nobody has waited for it yet: EPERM (ptrace_attach() in kernel/ptrace.c). */
	if (r < 0 && (f.state == 'Z' || f.state == 'X'))
		return 1;
	/* Another thread of this process is at it, for a moment. */
	if (r == -EPERM && f.tracer && shk_task_read(f.tracer, &tracer) == 0 && tracer.tgid == getpid())
		return 1;
	if (r < 0) {
		never(h, tid, &f, -r);
		return !was_known;
	}
	if (!add(h, tid, &f, SHK_HERD_RUNS))
		return h->n == SHK_HERD_TASKS_MAX ? -E2BIG : -ENOMEM;
	(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return 1;
}

static int meet_process(struct shk_herd *h, pid_t tgid)
{
	char path[64];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int fresh = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tgid);
	d = opendir(path);
	if (!d)
		return 1;
	while ((de = readdir(d))) {
		int r = de->d_name[0] == '.' ? 0 : meet(h, (pid_t)strtol(de->d_name, NULL, 10));

		if (r < 0)
			return r;
		fresh |= r;
	}
	return fresh;
}

/* One look at everybody. 1: there was somebody new. */
static int meet_all(struct shk_herd *h, bool *unsure, struct shk_err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;
	int fresh = 0, r;

	*unsure = false;
	r = h->ops->list(h->ops->arg, &pids, &n, unsure, err);

	for (size_t i = 0; i < n && r >= 0; i++) {
		r = meet_process(h, pids[i]);
		if (r < 0)
			return shk_err_set(err, -r, r == -E2BIG ? "there are more than %d tasks" :
								  "out of memory at %d tasks",
					   SHK_HERD_TASKS_MAX);
		fresh |= r;
	}
	return r < 0 ? r : fresh;
}

/* ---- stops ---- */

/* The tracer of somebody else's child has to wait for its end; our own is waited for elsewhere. */
static void ended(struct shk_herd_task *t)
{
	struct shk_task_facts f;
	int st;

	t->state = SHK_HERD_FREE;
	if (shk_task_read(t->tid, &f) == 0 && f.ppid == getpid())
		return;
	waitpid(t->tid, &st, __WALL | WNOHANG);
}

/* A fork reports its child before anything else does. */
static void adopt_child(struct shk_herd *h, const struct shk_herd_task *parent)
{
	unsigned long v = 0;
	struct shk_herd_task *t;
	struct shk_task_facts f;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &v) < 0 || !v)
		return;
	t = known(h, (pid_t)v);
	if (t && (t->state == SHK_HERD_RUNS || t->state == SHK_HERD_STOPPED))
		return;
	if (shk_task_read((pid_t)v, &f) == 0 && f.tracer == h->impl->self)
		add(h, (pid_t)v, &f, SHK_HERD_RUNS);
}

static void look_at(struct shk_herd *h, struct shk_herd_task *t)
{
	siginfo_t si = { 0 }, stop = { 0 };
	int event, sig;

	if (waitid(P_PID, (id_t)t->tid, &si, WEXITED | WSTOPPED | __WALL | WNOHANG | WNOWAIT) < 0) {
		if (errno != EINTR)
			t->state = SHK_HERD_FREE;
		return;
	}
	if (si.si_pid != t->tid)
		return;
	if (si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED) {
		ended(t);
		return;
	}
	if (waitid(P_PID, (id_t)t->tid, &stop, WSTOPPED | __WALL | WNOHANG) < 0 || stop.si_pid != t->tid)
		return;
	event = stop.si_status >> 8;
	sig = stop.si_status & 0xff;
	if (event == PTRACE_EVENT_STOP) {
		t->state = SHK_HERD_STOPPED;
		return;
	}
	if (event)
		adopt_child(h, t);
	/* Any other stop has used up a pending PTRACE_INTERRUPT (ptrace_stop() in kernel/signal.c). */
	(void)ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	(void)ptrace(PTRACE_CONT, t->tid, NULL, (void *)(intptr_t)(event ? 0 : sig));
}

size_t shk_herd_wait(struct shk_herd *h, int timeout_ms)
{
	uint64_t due = shk_now_mono() + (uint64_t)SHK_MAX(timeout_ms, 0) * 1000000;
	long nap = 20000;

	for (;;) {
		size_t running = 0;

		for (size_t i = 0; i < h->n; i++) { /* grows meanwhile */
			bool ran = h->task[i]->state == SHK_HERD_RUNS;

			if (ran)
				look_at(h, h->task[i]);
			running += h->task[i]->state == SHK_HERD_RUNS;
			h->settled += ran && h->task[i]->state != SHK_HERD_RUNS;
		}
		if (!running || shk_now_mono() >= due)
			return running;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = nap }, NULL);
		nap = SHK_MIN(nap * 2, 1000000);
	}
}

int shk_herd_gather(struct shk_herd *h, int timeout_ms, struct shk_err *err)
{
	uint64_t last_fresh = shk_now_mono(), due = last_fresh + (uint64_t)timeout_ms * 1000000;
	bool frozen = h->ops->freeze != NULL, stood = false, unsure = false;
	size_t running = 0;
	int clean = 0, r = 0;

#if !defined(__x86_64__)
	return shk_err_set(err, EOPNOTSUPP, "tasks of a running container are taken on x86_64 only");
#endif
	if (frozen)
		stood = h->ops->freeze(h->ops->arg, true);
	for (int pass = 0; clean < 2; pass++) {
		uint64_t now = shk_now_mono();
		size_t settled = h->settled;

		if (pass == PASSES_MAX || (pass && now >= due)) {
			r = shk_err_set(err, EAGAIN, "new tasks come faster than they can be stopped");
			break;
		}
		if (unsure && now - last_fresh > UNSURE_NS) {
			r = shk_err_set(err, EAGAIN, "processes of this machine come and go so fast that some may have been "
					"the container's");
			break;
		}
		r = meet_all(h, &unsure, err);
		if (r < 0)
			break;
		if (r)
			last_fresh = now;
		/* Where all stood still the processes that end are most likely others'. */
		clean = r || (unsure && (!stood || pass < PASSES_UNSURE)) ? 0 : clean + 1;
		/* Frozen tasks cannot stop; those that could not be frozen may go on forking. */
		if (frozen && (!r || pass >= PASSES_MAX / 4)) {
			h->ops->freeze(h->ops->arg, false);
			frozen = false;
			clean = 0;
		}
		r = 0;
		running = frozen ? 0 : shk_herd_wait(h, pass ? 50 : 500);
		/* Who stopped only now may have been in a fork that began before the seizing, which reports no child (kernel_clone() in
		 * kernel/fork.c asks first): that one was not there yet when everybody was looked at. */
		if (h->settled != settled)
			clean = 0;
	}
	if (frozen)
		h->ops->freeze(h->ops->arg, false);
	if (r == 0 && running)
		r = shk_err_set(err, ETIMEDOUT, "%zu tasks wait in the kernel and do not stop", running);
	return r;
}

void shk_herd_let_go(struct shk_herd *h, struct shk_herd_task *t)
{
	(void)h;
	if (t->state != SHK_HERD_STOPPED)
		return;
	t->state = SHK_HERD_FREE;
	if (ptrace(PTRACE_DETACH, t->tid, NULL, NULL) < 0)
		ended(t);
}

int shk_herd_new(const struct shk_herd_ops *ops, struct shk_herd **ret, struct shk_err *err)
{
	struct sigaction wake = { .sa_handler = on_nudge };
	struct shk_herd *h = calloc(1, sizeof(*h));
	sigset_t set;

	if (h)
		h->impl = calloc(1, sizeof(*h->impl));
	if (!h || !h->impl) {
		free(h);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	h->ops = ops;
	shk_map_init(&h->impl->by_tid);
	h->impl->self = (pid_t)syscall(SYS_gettid);
	h->impl->tracer = pthread_self();
	sigaction(SIGUSR2, &wake, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	h->impl->has_nudger = pthread_create(&h->impl->nudger, NULL, nudge, h->impl) == 0;
	if (!h->impl->has_nudger) {
		shk_herd_free(h);
		return shk_err_set(err, EAGAIN, "a thread cannot be started");
	}
	*ret = h;
	return 0;
}

void shk_herd_free(struct shk_herd *h)
{
	if (!h)
		return;
	(void)shk_herd_wait(h, 0);
	atomic_store(&h->impl->stop, true);
	if (h->impl->has_nudger)
		pthread_join(h->impl->nudger, NULL);
	for (size_t i = 0; i < h->n; i++) {
		shk_herd_let_go(h, h->task[i]);
		free(h->task[i]->why);
		free(h->task[i]);
	}
	shk_map_done(&h->impl->by_tid);
	free(h->impl);
	free(h->task);
	free(h);
}
