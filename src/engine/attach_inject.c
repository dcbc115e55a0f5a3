// SPDX-License-Identifier: Apache-2.0
/*
 * The filter for everybody who was stopped: once per process where its threads agree (TSYNC), else once per thread.
 *
 * TSYNC gives the other threads all filters of the one that makes the call, so it is used only where they have the
 * same: a thread must not get into a sandbox that another one has built for itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/kcmp.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/attach.h"
#include "sources/notify/notify.h"
#include "sources/ptrace/inject.h"
#include "sources/ptrace/task.h"
#include "sources/ptrace/tracee.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define PIDFD_OF_THREAD O_EXCL /* PIDFD_THREAD, linux/pidfd.h, 6.9 */
#define INJECT_MS 5000
#define LATE_MS	  3000 /* for those that wait in the kernel */

void shk_attach_failed(struct shk_attach *x, pid_t tid, pid_t pid, int e, const char *why)
{
	struct json_object *o;
	char comm[32];

	if (x->n_failed++ >= SHK_ATTACH_FAILED_MAX || !x->failed)
		return;
	o = json_object_new_object();
	if (!o)
		return;
	json_object_object_add(o, "tid", json_object_new_int(tid));
	json_object_object_add(o, "pid", json_object_new_int(pid));
	json_object_object_add(o, "start", json_object_new_int64((int64_t)shk_start_time(tid)));
	json_object_object_add(o, "name", json_object_new_string(shk_task_comm(tid, comm, sizeof(comm))));
	json_object_object_add(o, "errno", json_object_new_int(e));
	json_object_object_add(o, "why", json_object_new_string(why));
	json_object_array_add(x->failed, o);
}

static bool alive(pid_t tid)
{
	struct shk_task_facts f;

	return shk_task_read(tid, &f) == 0 && f.state != 'Z' && f.state != 'X';
}

/* ---- whose filter? ---- */

bool shk_attach_probed(struct shk_listener *l, struct shk_call_slot *s)
{
	struct shk_engine *g = l->g;
	pid_t tid = (pid_t)s->notif.pid;
	const struct shk_syscall *call = shk_syscall_of(s->notif.data.arch, s->notif.data.nr);

	/* A stopped task of ours makes no call of its own meanwhile; without arguments execve has no effect anyway. */
	if (tid != atomic_load(&g->probed) || !call || call->id != SHK_CALL_execve || s->notif.data.args[0])
		return false;
	atomic_store(&g->probe_hit, tid);
	shk_answer(l, s, EFAULT);
	shk_journal_release(g->journal, s);
	return true;
}

/* It has a listener in its filters already. Ours? Every filter of ours notifies of execve; the arguments make it fail
 * wherever it goes. */
bool shk_attach_is_ours(struct shk_engine *g, struct shk_tracee *t)
{
	unsigned long a[6] = { 0 };
	long res;
	bool hit;

	pthread_mutex_lock(&g->probe_lock);
	atomic_store(&g->probe_hit, 0);
	atomic_store(&g->probed, t->tid);
	(void)shk_tracee_call(t, SYS_execve, a, &res, NULL);
	atomic_store(&g->probed, 0);
	hit = atomic_load(&g->probe_hit) == t->tid;
	pthread_mutex_unlock(&g->probe_lock);
	return hit;
}

/* ---- one task ---- */

static size_t listeners_in_all(struct shk_engine *g)
{
	size_t n = 0;

	pthread_mutex_lock(&g->reg_lock);
	for (const struct shk_entry *e = g->entries; e; e = e->next)
		n += e->n_listeners;
	pthread_mutex_unlock(&g->reg_lock);
	return n;
}

int shk_attach_room(struct shk_entry *e, struct shk_err *err)
{
	if (e->n_listeners >= SHK_LISTENERS_MAX)
		return shk_err_set(err, EMFILE, "the container has %d listeners already, one for each process",
				   SHK_LISTENERS_MAX);
	if (listeners_in_all(e->g) >= SHK_LISTENERS_ALL)
		return shk_err_set(err, EMFILE, "there are %d listeners already, of all containers",
				   SHK_LISTENERS_ALL);
	return 0;
}

static int has_room(struct shk_attach *x, struct shk_err *err)
{
	int r = shk_attach_room(x->e, err);

	if (r < 0)
		return r;
	if (x->n_watch == x->room_watch) {
		size_t room = x->room_watch ? 2 * x->room_watch : 64;
		struct shk_listener **more = reallocarray(x->watch, room, sizeof(*more));

		if (!more)
			return shk_err_set(err, ENOMEM, "out of memory");
		x->watch = more;
		x->room_watch = room;
	}
	return 0;
}

/* A pidfd whose descriptors are the task's own: a thread may have a table of its own (THREATS A9). */
static int open_task(pid_t tid, pid_t tgid, struct shk_err *err)
{
	int fd = shk_pidfd_open(tid, tid == tgid ? 0 : PIDFD_OF_THREAD);

	if (fd == -EINVAL && tid != tgid) {
		fd = shk_pidfd_open(tgid, 0);
		if (fd >= 0 && syscall(SYS_kcmp, tid, tgid, KCMP_FILES, 0, 0) != 0) {
			close(fd);
			return shk_err_set(err, EOPNOTSUPP, "it is a thread with descriptors of its own, which this "
					   "kernel does not let us fetch (6.9 does)");
		}
	}
	return fd < 0 ? shk_err_sys(err, -fd, "open process %d", (int)tid) : fd;
}

/* The call's process has the filter; who can serve it? */
static int serve(struct shk_attach *x, int fd, pid_t tgid, int pidfd, struct shk_err *err)
{
	bool session = shk_attach_is_session(x, tgid);
	struct shk_listener *l = shk_listener_new(x->e, fd, session);
	int r = l ? 0 : shk_err_set(err, ENOMEM, "out of memory");

	if (l) {
		atomic_store(&l->armed, SHK_ARMED_ALL);
		l->attached = true;
		shk_entry_hold_root(x->e, false);
		if (session) {
			l->session_root = tgid;
			pthread_mutex_lock(&x->e->ctr->lock);
			shk_proc_mark_exec_session(x->e->ctr, tgid);
			pthread_mutex_unlock(&x->e->ctr->lock);
		}
		r = shk_listener_start(l, err);
	}
	if (r < 0) {
		/* Every watched call would fail from now on: rather no process than half of one. */
		shk_pidfd_signal(pidfd, SIGKILL);
		shk_err_prefix(err, "it was killed, as its calls cannot be served");
		shk_listener_unref(l);
		return r;
	}
	x->watch[x->n_watch++] = l;
	return 0;
}

/* 0: has the filter now; 1: had it: done, and still stopped, so that everybody gets it before anybody goes on. Other
 * results as shk_inject_stopped; the task is let go but for -ENOTUNIQ, and for -EINPROGRESS: it turned out to run. */
static int one(struct shk_attach *x, struct shk_herd_task *h, bool tsync, struct shk_err *err)
{
	_cleanup_close_ int pidfd = open_task(h->tid, h->tgid, err);
	struct shk_inject in = { .tid = h->tid, .pidfd = pidfd, .bpf = x->plan->bpf, .bpf_len = x->plan->bpf_len,
				 .flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, .tsync = tsync,
				 .stay = SHK_HERD_OPTIONS,
				 .may_nnp = x->may_nnp };
	struct shk_injected done = { 0 };
	struct shk_tracee t;
	int fd, r = pidfd < 0 ? pidfd : has_room(x, err);

	if (r < 0)
		return r;
	r = shk_tracee_adopt(&t, h->tid, h->tgid, pidfd, INJECT_MS, err);
	if (r == -EINPROGRESS)
		return r;
	if (r < 0) {
		h->state = SHK_HERD_FREE;
		return r;
	}
	fd = shk_inject_stopped(&t, &in, &done, err);
	x->nnp += done.nnp;
	if (fd >= 0) {
		/* Back in the herd: what it forks is traced, and the supervisor's end is not its own. */
		r = serve(x, fd, h->tgid, pidfd, err);
		h->done = true;
		return r;
	}
	r = fd == -EBUSY && !x->fresh && shk_attach_is_ours(x->job.g, &t) ? 1 : fd;
	if ((r == 1 || r == -ENOTUNIQ) && shk_tracee_return(&t, SHK_HERD_OPTIONS, NULL) == 0) {
		h->done = r == 1;
		return r;
	}
	(void)shk_tracee_release(&t, NULL);
	h->state = SHK_HERD_FREE;
	return r;
}

/* ---- one process ---- */

struct state_of_filters {
	long mode, filters, nnp;
};

static struct state_of_filters filters_of(pid_t tid)
{
	struct state_of_filters s = { -1, -1, -1 };
	char path[64], line[256];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "Seccomp: %ld", &s.mode);
		(void)sscanf(line, "Seccomp_filters: %ld", &s.filters);
		(void)sscanf(line, "NoNewPrivs: %ld", &s.nnp);
	}
	return s;
}

static bool agree(struct shk_herd_task **t, size_t n)
{
	struct state_of_filters first = filters_of(t[0]->tid);

	/* Before 5.9 their number is not shown. */
	if (n < 2 || first.filters < 0)
		return false;
	for (size_t i = 1; i < n; i++) {
		struct state_of_filters s = filters_of(t[i]->tid);

		if (s.mode != first.mode || s.filters != first.filters || s.nnp != first.nnp)
			return false;
	}
	return true;
}

static void account(struct shk_attach *x, const struct shk_herd_task *h, int r, size_t tasks,
		    const struct shk_err *err)
{
	if (r == 0)
		x->tasks += (unsigned)tasks;
	else if (r == 1)
		x->already += (unsigned)tasks;
	else if (r == -EBUSY && alive(h->tid))
		shk_attach_failed(x, h->tid, h->tgid, EBUSY, "it has a seccomp listener of another supervisor");
	else if (r == -EACCES && !x->may_nnp && alive(h->tid))
		shk_attach_failed(x, h->tid, h->tgid, EACCES,
				  x->pc ? "it has neither CAP_SYS_ADMIN in its user namespace nor no_new_privs, and the "
					  "policy says attach: refuse" :
					  "it has neither CAP_SYS_ADMIN in its user namespace nor no_new_privs, and "
					  "exec_sessions does not let it be set");
	else if (r != -ESRCH || alive(h->tid))
		shk_attach_failed(x, h->tid, h->tgid, -r, err->text);
}

/* t[0..n): threads of one process. */
static void process(struct shk_attach *x, struct shk_herd *h, struct shk_herd_task **t, size_t n)
{
	struct shk_err err = { 0 };
	bool all = true, any = false;
	int r = -ENOTUNIQ;

	for (size_t i = 0; i < n; i++) {
		all &= t[i]->state == SHK_HERD_STOPPED;
		any |= t[i]->state == SHK_HERD_STOPPED;
	}
	if (!any)
		return;
	if (all && agree(t, n))
		r = one(x, t[0], true, &err);
	if (t[0]->done || t[0]->state == SHK_HERD_FREE) {
		account(x, t[0], r, r == 0 ? n : 1, &err);
		t[0]->done = true;
	}
	for (size_t i = 1; i < n && r == 0; i++)
		t[i]->done = true;
	x->processes += r == 0;
	any = false;
	for (size_t i = 0; i < n; i++) {
		if (t[i]->state != SHK_HERD_STOPPED || t[i]->done)
			continue;
		err = (struct shk_err){ 0 };
		r = one(x, t[i], false, &err);
		if (r == -EINPROGRESS) {
			/* Another thread's execve has made it run again: it is waited for with the others. */
			t[i]->state = SHK_HERD_RUNS;
			(void)ptrace(PTRACE_INTERRUPT, t[i]->tid, NULL, NULL);
			continue;
		}
		any |= r == 0;
		account(x, t[i], r, 1, &err);
		if (!t[i]->done)
			shk_herd_let_go(h, t[i]);
		t[i]->done = true;
	}
	x->processes += any;
}

static int by_process(const void *a, const void *b)
{
	const struct shk_herd_task *x = *(struct shk_herd_task *const *)a, *y = *(struct shk_herd_task *const *)b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	/* The leader first. */
	if ((x->tid == x->tgid) != (y->tid == y->tgid))
		return x->tid == x->tgid ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void round_of(struct shk_attach *x, struct shk_herd *h)
{
	struct shk_herd_task **t = calloc(h->n + 1, sizeof(*t));
	size_t n = 0;

	if (!t) {
		x->incomplete = "out of memory";
		return;
	}
	for (size_t i = 0; i < h->n; i++)
		if (h->task[i]->state != SHK_HERD_FREE && !h->task[i]->done)
			t[n++] = h->task[i];
	qsort(t, n, sizeof(struct shk_herd_task *), by_process);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && t[k]->tgid == t[i]->tgid; k++)
			;
		process(x, h, t + i, k - i);
	}
	free(t);
	for (size_t i = 0; i < h->n; i++)
		if (h->task[i]->done)
			shk_herd_let_go(h, h->task[i]);
}

/* Who stops or ends only now may have been in a fork that began before it was seized: whom it made nobody has reported. A
 * fork takes as long as there is memory to copy, or as whoever has a userfaultfd of it likes. */
static void look_again(struct shk_attach *x, struct shk_herd *h)
{
	int r = shk_herd_gather(h, LATE_MS, &x->gather_err);

	if (r < 0 && r != -ETIMEDOUT)
		x->incomplete = x->gather_err.text;
}

void shk_attach_inject(struct shk_attach *x, struct shk_herd *h)
{
	uint64_t due = shk_now_mono() + LATE_MS * 1000000ull;
	size_t late, settled;

	do {
		settled = h->settled;
		round_of(x, h);
		/* A parent in vfork can stop when its child has gone on, which it can now. */
		late = shk_herd_wait(h, 20);
		for (size_t i = 0; i < h->n && !late; i++)
			late += h->task[i]->state == SHK_HERD_STOPPED;
		if (h->settled != settled) {
			look_again(x, h);
			late = 1;
		}
	} while (late && shk_now_mono() < due);
	settled = h->settled;
	round_of(x, h);
	(void)shk_herd_wait(h, 0);
	if (h->settled != settled && !x->incomplete)
		x->incomplete = "a task was in the kernel for long, and what it may have forked there was not looked for";
	for (size_t i = 0; i < h->n; i++) {
		const struct shk_herd_task *t = h->task[i];

		if (t->state == SHK_HERD_RUNS && alive(t->tid))
			shk_attach_failed(x, t->tid, t->tgid, ETIMEDOUT, "it waits in the kernel and did not stop in time");
		else if (t->state == SHK_HERD_NEVER && shk_start_time(t->tid) == t->start && alive(t->tid))
			shk_attach_failed(x, t->tid, t->tgid, t->errnum, t->why ? t->why : "it cannot be traced");
	}
}
