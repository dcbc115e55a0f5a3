// SPDX-License-Identifier: Apache-2.0
/*
 * An exec session at its first program: it gets the filter before that.
 *
 * Its process still is the runtime's, and waits for the kernel to open the program, which waits for us. It is seized, the
 * open is refused, and it stops on its way out of the execve that has failed. There the filter is put in, as into a
 * container's init, a worker serves the listener, and the task makes the same call again: it is judged now, in full, as the first
 * one of a session. Before Linux 6.8 it cannot be seized while it waits: its process is held up by a frozen control group, and is seized
 * once its execve has failed (verdict/hold.h). What cannot get the filter goes on without, or its execve fails, as the policy says; this is decided before
 * the open is refused, so that the call's second coming finds an answer whatever happens here.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/attach.h"
#include "engine/porter.h"
#include "sources/ptrace/inject.h"
#include "sources/ptrace/task.h"
#include "sources/ptrace/tracee.h"
#include "verdict/hold.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define INJECT_MS 5000
#define INHERITED_NS 10000000000u /* by then the program is open that an earlier engine has let go */

static const struct shk_rule_info rules[] = {
	{ .name = { "Shrike internal: exec session not supervised", 44 } },
	{ .name = { "Shrike internal: exec session refused", 37 } },
	{ .name = { "Shrike internal: no_new_privs set", 33 } },
};
enum { UNSUPERVISED, REFUSED, NNP };

struct session {
	struct shk_job job;
	struct shk_porter *pt;
	struct shk_porter_slot *s;
	struct shk_entry *e; /* of the slot, which keeps it */
	struct shk_listener *l; /* for the main thread */
	pid_t tid, tgid;
	bool refuse;	     /* what comes of it without a filter */
	bool native;	     /* no session: of the container, and had none (an attach that was incomplete) */
};

enum shk_exec_sessions shk_porter_policy(struct shk_entry *e, bool *refuse)
{
	const struct shk_policy *p;
	struct shk_armoury *arm = shk_entry_armed_with(e, &p);
	enum shk_exec_sessions how = p->exec_sessions;

	*refuse = how == SHK_EXEC_REFUSE ||
		  (how == SHK_EXEC_NO_NEW_PRIVS && p->mode == SHK_MODE_ENFORCE && p->refuse_on_error);
	shk_armoury_unref(arm);
	return how;
}

static bool may_tell(struct shk_entry *e, int rule)
{
	const struct shk_policy *p;
	struct shk_armoury *arm = shk_entry_armed_with(e, &p);
	bool ok = shk_limit_allow(e->g->limits, e->ctr, p, &rules[rule]);

	shk_armoury_unref(arm);
	return ok;
}

void shk_porter_tell(struct shk_entry *e, pid_t tid, const char *outcome, const char *why)
{
	char comm[32];

	if (may_tell(e, UNSUPERVISED))
		shk_tell(e->g, e, SHK_PRIO_CRITICAL, rules[UNSUPERVISED].name.p, NULL,
			 "An exec session (task %d, %s) %s: %s", (int)tid, shk_task_comm(tid, comm, sizeof(comm)), outcome, why);
}

void shk_porter_late_failed(struct shk_entry *e, pid_t pid, uint64_t start, bool refuse, const char *why)
{
	_cleanup_close_ int pidfd = refuse ? shk_pidfd_open(pid, 0) : -1;

	if (pidfd >= 0 && shk_start_time(pid) == start) {
		shk_pidfd_signal(pidfd, SIGKILL);
		atomic_fetch_add(&e->ctr->n_killed, 1);
	}
	shk_porter_decide(e->g->porter, pid, start, !refuse);
	shk_porter_tell(e, pid, refuse ? "was killed, as the policy refuses it" : "goes on without supervision", why);
}

/* ---- the job ---- */

static int serve(struct session *x, int fd, int pidfd, struct shk_err *err)
{
	struct shk_listener *l = shk_listener_new(x->e, fd, !x->native);
	int r;

	if (l && x->native) {
		atomic_store(&l->armed, SHK_ARMED_ALL);
		l->attached = true;
	}
	r = l ? shk_listener_start(l, err) : shk_err_set(err, ENOMEM, "out of memory");

	if (r < 0) {
		/* Every watched call would fail from now on. */
		shk_pidfd_signal(pidfd, SIGKILL);
		shk_err_prefix(err, "it was killed, as its calls cannot be served");
		shk_listener_unref(l);
		return r;
	}
	x->l = l;
	return 0;
}

/* Stopped behind its execve. 0: it has the filter, and goes on. */
static int give_filter(struct session *x, struct shk_tracee *t, int pidfd, bool may_nnp, struct shk_err *err)
{
	const struct shk_policy *p;
	SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *arm = shk_entry_armed_with(x->e, &p);
	const struct shk_plan *plan = shk_armoury_plan(arm, p);
	struct shk_inject in = { .tid = x->tid, .pidfd = pidfd, .flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
				 .may_nnp = may_nnp, .stay = PTRACE_O_EXITKILL };
	struct shk_injected done = { 0 };
	int fd, r;

	if (!plan) {
		shk_tracee_release(t, NULL);
		return shk_err_set(err, EINVAL, "the policy has no filter");
	}
	in.bpf = plan->bpf;
	in.bpf_len = plan->bpf_len;
	fd = shk_inject_stopped(t, &in, &done, err);
	if (fd >= 0) {
		r = serve(x, fd, pidfd, err);
		(void)ptrace(PTRACE_DETACH, x->tid, NULL, NULL);
		if (r == 0 && done.nnp && may_tell(x->e, NNP))
			shk_tell(x->e->g, x->e, SHK_PRIO_NOTICE, rules[NNP].name.p, NULL,
				 "An exec session (process %d) got no_new_privs with its filter: setuid programs give it nothing",
				 (int)x->tgid);
		return r;
	}
	r = fd;
	/* After an engine's end nobody remembers that it was notified. */
	if (r == -EBUSY && shk_attach_is_ours(x->e->g, t))
		r = 1;
	shk_tracee_release(t, NULL);
	return r;
}

static uint64_t hold_key(const struct session *x)
{
	return SHK_PORTER_HOLDS + (uint64_t)(x->s - x->pt->slot);
}

/* The next engine ends it, should this one not. */
static int hold(struct session *x, struct shk_hold *h, struct shk_err *err)
{
	int r = shk_hold_make(h, x->tgid, err);

	if (r == 0)
		r = shk_porter_keep(x->pt, hold_key(x), h->dir);
	if (r == 0)
		r = shk_hold_begin(h, err);
	if (r < 0)
		shk_err_prefix(err, "before Linux 6.8 its process has to be frozen");
	return r;
}

static void end_hold(struct session *x, struct shk_hold *h)
{
	if (h->dir < 0)
		return;
	shk_hold_end(h);
	shk_keeper_forget(x->pt->g, SHK_KEPT_PORTER, hold_key(x));
}

/* Is it still the task that asked? Seized, its number is nobody else's. One that was left to the end of this thread would die of it. */
static int still_it(struct session *x, struct shk_tracee *t, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *whose = shk_porter_whose(x->pt->g, x->tid);

	if (shk_start_time(x->tid) == x->s->start && whose == x->e)
		return 0;
	shk_tracee_release(t, NULL);
	return shk_err_set(err, ESRCH, "it has ended");
}

/* Seized and stopped behind its execve, which was refused. */
static int stop_behind(struct session *x, struct shk_tracee *t, int pidfd, struct shk_err *err)
{
	struct shk_hold h = SHK_HOLD_NONE;
	int r = x->pt->before_lock ? shk_tracee_seize(t, x->tid, pidfd, INJECT_MS, err) : hold(x, &h, err);

	/* Before anything is waited for, or the right one could not stop. */
	if (r == 0)
		shk_porter_answer(x->pt, x->s, false);
	if (r == 0 && !x->pt->before_lock)
		r = shk_tracee_seize(t, x->tid, pidfd, INJECT_MS, err);
	if (r == 0)
		r = still_it(x, t, err);
	if (r == 0)
		r = shk_tracee_stop(t, err);
	/* Frozen it could make no call for us. */
	end_hold(x, &h);
	return r;
}

/* 0: it has the filter; 1: it had it, or needs none; -errno and why. */
static int bring_in(struct session *x, bool may_nnp, struct shk_err *err)
{
	_cleanup_close_ int pidfd = shk_pidfd_open(x->tgid, 0);
	struct shk_tracee t;
	int r = pidfd < 0 ? shk_err_set(err, -pidfd, "its process cannot be opened") : shk_attach_room(x->e, err);

	if (r == 0)
		r = stop_behind(x, &t, pidfd, err);
	if (r < 0)
		return r;
	if (!shk_tracee_again(&t, EPERM)) {
		shk_tracee_release(&t, NULL);
		return shk_err_set(err, EINTR, "its execve did not end as it was told to, and has failed");
	}
	return give_filter(x, &t, pidfd, may_nnp, err);
}

/* Who was made in there has a parent in there. */
static bool is_native(struct shk_entry *e, pid_t parent)
{
	uint64_t own = atomic_load(&e->pid_ns);

	return own && shk_ns_of(parent, "pid") == own;
}

static void run(struct shk_job *j)
{
	struct session *x = (struct session *)j;
	struct shk_err err = { 0 };
	struct shk_task_facts f;
	enum shk_exec_sessions how = shk_porter_policy(x->e, &x->refuse);
	int r;

	/* Who asks for the next program of this task is told this, unless it comes with the filter. */
	shk_porter_decide(x->pt, x->tid, x->s->start, !x->refuse);
	r = shk_task_read(x->tid, &f);
	if (r < 0 || f.start != x->s->start) {
		return;
	} else if (how == SHK_EXEC_REFUSE) {
		if (may_tell(x->e, REFUSED))
			shk_tell(x->e->g, x->e, SHK_PRIO_NOTICE, rules[REFUSED].name.p, NULL,
				 "An exec session was refused, as the policy says (exec_sessions: refuse)");
		return;
	}
	x->tgid = f.tgid;
	x->native = is_native(x->e, f.ppid);
	/* It was notified to an engine that has ended, of which its filters tell where it cannot be stopped to be asked. */
	if (!x->pt->before_lock && shk_now_mono() - x->pt->began < INHERITED_NS && x->native && shk_porter_was_made_inside(x->e, &f)) {
		shk_porter_decide(x->pt, x->tid, x->s->start, true);
		shk_porter_answer(x->pt, x->s, true);
		return;
	}
	r = bring_in(x, how == SHK_EXEC_NO_NEW_PRIVS, &err);
	if (r < 0 && r != -ESRCH)
		shk_porter_tell(x->e, x->tid, x->refuse ? "was refused" : "goes on without supervision", err.text);
	/* One that was not stopped still waits for this. */
	if (r < 0)
		shk_porter_answer(x->pt, x->s, !x->refuse);
}

static void done(struct shk_job *j)
{
	struct session *x = (struct session *)j;

	if (x->l) {
		shk_listener_watch(x->l);
		shk_listener_unref(x->l);
	}
	free(x);
}

static void run_and_give_back(struct shk_job *j)
{
	struct session *x = (struct session *)j;

	run(j);
	shk_porter_done(x->pt, x->s);
}

/* It could not begin. Whoever tends may have answered it at its deadline meanwhile. */
static void wait_for_turn(struct shk_porter *pt, struct shk_porter_slot *s)
{
	int state = SHK_PORTER_RUNS;

	if (!atomic_compare_exchange_strong(&s->state, &state, SHK_PORTER_WAITS))
		shk_porter_done(pt, s);
}

bool shk_porter_session(struct shk_porter *pt, struct shk_porter_slot *s)
{
	struct session *x = calloc(1, sizeof(*x));
	int state = atomic_load(&s->state);

	/* Somebody else's by now? */
	if ((state != SHK_PORTER_WAITS && state != SHK_PORTER_READING) ||
	    !atomic_compare_exchange_strong(&s->state, &state, SHK_PORTER_RUNS)) {
		free(x);
		return true;
	}
	if (!x) {
		wait_for_turn(pt, s);
		return false;
	}
	x->job.run = run_and_give_back;
	x->job.spare = SHK_JOBS_SPARE_SESSION;
	x->job.done = done;
	x->pt = pt;
	x->s = s;
	x->e = s->e;
	x->tid = s->ev->tid;
	if (shk_job_start(pt->g, &x->job) == 0)
		return true;
	free(x);
	wait_for_turn(pt, s);
	return false;
}
