// SPDX-License-Identifier: Apache-2.0
/*
 * The thread that answers one listener.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/actor.h"
#include "engine/internal.h"
#include "engine/observer.h"
#include "engine/porter.h"
#include "sources/notify/notify.h"

#define STACK_SIZE   (512u << 10)
#define ARENA_CAP    (1u << 20) /* of one event */
#define ATTEMPTS_MAX 5		/* engines that may die over one call before it gets the deadline's verdict */

static const struct shk_rule_info deadline_rule = { .name = { "Shrike internal: deadline", 25 } };

void shk_answer(struct shk_listener *l, struct shk_call_slot *s, int err)
{
	s->resp = (struct seccomp_notif_resp){
		.id = s->notif.id,
		.error = -err,
		.flags = err ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};
	atomic_store_explicit(&s->state, SHK_CALL_ANSWERED, memory_order_release);
	if (err) {
		(void)shk_notify_answer(l->fd, s->notif.id, err, 0);
		return;
	}
	if (atomic_load_explicit(&l->e->module_holds, memory_order_relaxed))
		shk_observer_unheld(l->g, l->e, l->fd, &s->notif);
	(void)shk_notify_continue(l->fd, s->notif.id);
}

void shk_answer_value(struct shk_listener *l, struct shk_call_slot *s, int64_t value)
{
	s->resp = (struct seccomp_notif_resp){ .id = s->notif.id, .val = value };
	atomic_store_explicit(&s->state, SHK_CALL_ANSWERED, memory_order_release);
	(void)shk_notify_answer(l->fd, s->notif.id, 0, value);
}

void shk_answer_deadline(struct shk_listener *l, struct shk_call_slot *s, const char *why)
{
	int err = atomic_load(&l->e->deadline_err);
	const struct shk_syscall *call = shk_syscall_of(s->notif.data.arch, s->notif.data.nr);
	const struct shk_policy *p;
	struct shk_armoury *arm;

	atomic_store(&s->state, SHK_CALL_EXPIRED);
	arm = shk_entry_armed_with(l->e, &p);
	/* A container that makes its calls hang must not push other alerts out (THREATS A14). */
	if (shk_limit_allow(l->g->limits, l->e->ctr, p, &deadline_rule))
		shk_tell(l->g, l->e, SHK_PRIO_CRITICAL, "Shrike internal: deadline", NULL,
			 "A call of process %u was %s at its deadline: %s (call=%s)", s->notif.pid,
			 err ? "refused" : "let through", why, call ? call->name : "unknown");
	shk_armoury_unref(arm);
	if (err)
		atomic_fetch_add(&l->e->ctr->n_denied, 1);
	shk_answer(l, s, err);
}

static void judge(struct shk_worker *w, struct shk_call_slot *s)
{
	struct shk_listener *l = w->l;

	if (!s->recv_mono_ns)
		s->recv_mono_ns = shk_now_mono();
	shk_porter_seen(l->e, &s->notif);
	if (atomic_load_explicit(&l->g->probed, memory_order_relaxed) && shk_attach_probed(l, s))
		return;
	if (atomic_load_explicit(&l->e->released, memory_order_relaxed)) {
		shk_answer(l, s, 0);
		shk_journal_release(l->g->journal, s);
		return;
	}
	atomic_store_explicit(&s->state, SHK_CALL_RUNNING, memory_order_release);
	if (atomic_load(&w->blind) || s->attempts >= ATTEMPTS_MAX) {
		shk_answer_deadline(l, s, atomic_load(&w->blind) ? "too many calls hang" :
					  "the supervisor ended several times over it");
		shk_journal_release(l->g->journal, s);
		return;
	}
	s->attempts++;
	shk_pipeline(w, s);
}

/* Calls that an earlier engine had received. */
static void recover(struct shk_worker *w)
{
	struct shk_listener *l = w->l;
	struct shk_journal *j = l->g->journal;
	struct shk_call_slot *s;
	size_t pos = 0;

	while (!atomic_load(&w->retired) && (s = shk_journal_next_call(j, &pos))) {
		uint32_t state;
		bool ours;

		/* Another worker that took this one's place goes through the same slots. */
		pthread_mutex_lock(&l->wlock);
		ours = s->listener == l->key && s->epoch != shk_journal_epoch(j);
		if (ours)
			s->epoch = shk_journal_epoch(j);
		pthread_mutex_unlock(&l->wlock);
		if (!ours)
			continue;
		state = atomic_load(&s->state);
		if (!s->notif.id || shk_notify_valid(l->fd, s->notif.id) < 0) {
			shk_journal_release(j, s);
		} else if (state == SHK_CALL_ANSWERED && s->resp.id == s->notif.id) {
			shk_porter_seen(l->e, &s->notif);
			if (s->resp.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) {
				if (atomic_load(&l->e->module_holds))
					shk_observer_unheld(l->g, l->e, l->fd, &s->notif);
				(void)shk_notify_continue(l->fd, s->resp.id);
			} else {
				(void)shk_notify_answer(l->fd, s->resp.id, -s->resp.error, s->resp.val);
			}
			shk_journal_release(j, s);
		} else {
			judge(w, s);
		}
	}
}

static void serve(struct shk_worker *w)
{
	struct shk_listener *l = w->l;
	struct shk_journal *j = l->g->journal;
	struct shk_call_slot *last = NULL;

	while (!atomic_load_explicit(&l->stop, memory_order_relaxed) &&
	       !atomic_load_explicit(&w->retired, memory_order_relaxed)) {
		struct shk_call_slot *s = shk_journal_reserve(j, l->key, l->e->ctr->key, last);
		int r;

		if (!s) { /* more calls in flight than the journal holds */
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			continue;
		}
		last = s;
		r = shk_notify_recv(l->fd, s);
		if (r == 0) {
			judge(w, s);
			continue;
		}
		shk_journal_release(j, s);
		if (r == -EINTR)
			continue;
		/* ENOENT: that caller has died, or all have: then this would spin. */
		if (shk_notify_hung_up(l->fd))
			break;
		if (r != -ENOENT)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

void shk_worker_free(struct shk_worker *w)
{
	shk_actor_free(w->actor);
	shk_arena_done(&w->arena);
	for (unsigned k = 0; k < SHK_MATCH_MAX; k++)
		shk_buf_done(&w->rendered[k]);
	shk_listener_unref(w->l);
	free(w);
}

/*
 * A caller that is given a descriptor wakes its giver while it takes it. The giver has nothing left to do that anybody waits for, and
 * is not to push the caller aside: SCHED_BATCH (sched(7)) never does when it is woken. With the synchronous wake-up (Linux 6.6) its own calls come to it
 * on a processor that the caller has just left, so it loses nothing by that.
 */
static void give_way(void)
{
	const struct sched_param none = { 0 };

	(void)syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none);
}

static void *worker_main(void *arg)
{
	struct shk_worker *w = arg;
	struct shk_listener *l = w->l;
	int live = SHK_WORKER_LIVE;
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	(void)shk_actor_begin_thread(); /* if that failed verdicts about control groups do, and say so */
	if (l->tuned)
		give_way();
	if (l->restored)
		recover(w);
	serve(w);
	if (!atomic_compare_exchange_strong(&w->life, &live, SHK_WORKER_ENDED)) {
		struct shk_engine *g = l->g;

		shk_worker_free(w);
		atomic_fetch_sub(&g->n_abandoned, 1);
	}
	return NULL;
}

/* How many others are there to take the next call? Holding wlock. */
static unsigned others_serve(const struct shk_worker *w)
{
	const struct shk_listener *l = w->l;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n_workers; i++)
		if (l->workers[i] != w && !atomic_load(&l->workers[i]->waits) &&
		    !atomic_load(&l->workers[i]->retired) && !atomic_load(&l->workers[i]->blind))
			n++;
	return n;
}

/* Who wakes has said why before (retired, stop), and does so again and again. So one of the two sees the other: a thread that is
 * not woken looks by itself, and one that may be about to be woken takes no chance. */
void shk_worker_wake(struct shk_worker *w)
{
	if (!atomic_load(&w->gives))
		pthread_kill(w->thread, SIGUSR1);
}

int shk_worker_give(struct shk_worker *w, uint64_t id, int fd, bool cloexec)
{
	int r;

	atomic_store(&w->gives, true);
	r = atomic_load(&w->retired) || atomic_load(&w->l->stop) ? shk_notify_give(w->l->fd, id, fd, cloexec) :
								   shk_notify_give_quiet(w->l->fd, id, fd, cloexec);
	atomic_store_explicit(&w->gives, false, memory_order_release);
	return r;
}

bool shk_worker_waits(struct shk_worker *w)
{
	struct shk_listener *l = w->l;
	struct shk_err err = { 0 };
	bool ok, alone;

	pthread_mutex_lock(&l->wlock);
	alone = !others_serve(w);
	ok = l->n_waiters < SHK_WAITERS_MAX && !atomic_load(&w->retired);
	if (ok) {
		l->n_waiters++;
		atomic_store(&w->waits, true);
	}
	pthread_mutex_unlock(&l->wlock);
	/* The watchdog tries again if there is no thread to be had. */
	if (ok && alone && shk_worker_start(l, false, &err) < 0)
		shk_debug("%s", err.text);
	return ok;
}

void shk_worker_waited(struct shk_worker *w)
{
	struct shk_listener *l = w->l;

	pthread_mutex_lock(&l->wlock);
	if (atomic_load(&w->waits)) {
		atomic_store(&w->waits, false);
		l->n_waiters--;
		/* Two may stay: who waits often finds the other one ready. */
		if (others_serve(w) > 1)
			atomic_store(&w->retired, true);
	}
	pthread_mutex_unlock(&l->wlock);
}

int shk_worker_start(struct shk_listener *l, bool blind, struct shk_err *err)
{
	struct shk_worker *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	sigset_t all, old;
	int r = 0;

	if (!w)
		return shk_err_set(err, ENOMEM, "out of memory");
	w->l = shk_listener_ref(l);
	atomic_store(&w->blind, blind);
	shk_arena_init(&w->arena, ARENA_CAP);
	for (unsigned i = 0; i < SHK_MATCH_MAX; i++)
		shk_buf_init(&w->rendered[i], SHK_JOURNAL_ALERT_MAX);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&l->wlock);
	if (l->n_workers - l->n_waiters == SHK_WORKERS_MAX || atomic_load(&l->stop))
		r = EBUSY;
	else if (!(r = pthread_create(&w->thread, &attr, worker_main, w)))
		l->workers[l->n_workers++] = w;
	pthread_mutex_unlock(&l->wlock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r) {
		shk_listener_unref(w->l);
		shk_arena_done(&w->arena);
		free(w);
		return shk_err_sys(err, r, "start a worker thread");
	}
	return 0;
}
