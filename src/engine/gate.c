// SPDX-License-Identifier: Apache-2.0
#include "engine/gate.h"
#include "engine/observer.h"
#include "engine/porter.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/io.h"
#include "sources/notify/notify.h"

#define GATE_THREADS	   128u
#define GATE_PER_CONTAINER 32u
#define STACK_SIZE	   (256u << 10)
#define IDLE_SECONDS	   5
#define WHAT_MAX	   1024u
#define STOP_MS		   2000u

struct request {
	struct request *next;
	struct shk_listener *l; /* one reference */
	struct shk_call_slot *s;
	struct shk_exec_judged *judged;
	uint64_t due;
};

struct shk_gate {
	struct shk_engine *g;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct request *head, **tail;
	unsigned n_waiting, n_threads, n_idle;
	bool stop;
};

static const struct shk_exec_verifier *const verifier = &shk_exec_by_ptrace;

static const struct shk_rule_info rules[] = {
	{ .name = { "Shrike internal: exec was exchanged", 35 } },
	{ .name = { "Shrike internal: exec of a traced task", 38 } },
	{ .name = { "Shrike internal: exec cannot be verified", 40 } },
};
enum { EXCHANGED, TRACED, UNVERIFIED };

/* ---- judging ---- */

int shk_gate_pin(const struct shk_policy *p, const struct shk_plan *plan, struct shk_eval_ctx *ctx,
		 struct shk_exec_judged **ret)
{
	struct shk_event *ev = ctx->ev;
	struct shk_exec_judged *x = NULL;
	int r;

	if (!ev->call || shk_policy_method(p, ev->call->id) != SHK_METHOD_VERIFY || !p->must ||
	    p->mode == SHK_MODE_OBSERVE)
		return 0;
	/* Mode shadow says what would be refused: by the same questions. */
	if (p->mode == SHK_MODE_ENFORCE && plan && !plan->call[ev->call->id].enforced)
		return 0;
	r = shk_exec_judged_make(ctx, &x);
	if (r < 0)
		return p->mode == SHK_MODE_ENFORCE ? r : 0;
	if (x->n)
		ev->program = &x->file[0].held;
	*ret = x;
	return 0;
}

void shk_gate_judge(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_exec_judged *x,
		    struct shk_judgement *j)
{
	struct shk_event *turned;

	shk_exec_judged_seal(x, ctx);
	if (x->n < 2 || x->err)
		return;
	turned = SHK_ARENA_NEW(ctx->ev->arena, struct shk_event);
	if (!turned || !shk_exec_as_interpreter(ctx->ev, x, turned)) {
		ctx->ev->memory_failed = true;
		return;
	}
	j->real = (struct shk_eval_ctx){ .ev = turned, .ctr = ctx->ctr };
	shk_judge_also(p, &j->real, j);
	shk_exec_read_back(ctx->ev, turned);
	shk_exec_judged_seal(x, &j->real);
}

/* May this alert go out? *traced_allow: what the policy says of tasks that are being traced. */
static bool may_tell(struct shk_listener *l, int rule, bool *traced_allow)
{
	const struct shk_policy *p;
	struct shk_armoury *arm = shk_entry_armed_with(l->e, &p);
	bool ok = shk_limit_allow(l->g->limits, l->e->ctr, p, &rules[rule]);

	*traced_allow = p->traced_exec_allow;
	shk_armoury_unref(arm);
	return ok;
}

void shk_gate_tell_unknown(struct shk_listener *l, const struct shk_call_slot *s, const struct shk_event *ev, int err,
			   int why)
{
	bool ignored;

	/* Of a caller that has died meanwhile nothing can be told. */
	if (shk_notify_valid(l->fd, s->notif.id) < 0 || !may_tell(l, UNVERIFIED, &ignored))
		return;
	shk_tell(l->g, l->e, SHK_PRIO_WARNING, rules[UNVERIFIED].name.p, NULL,
		 "An execve was %s: it cannot be told which file it would run (%s, call=%s tid=%d)",
		 err ? "refused" : "let through unverified",
		 why == EREMOTE ? "its file system may not answer" :
		 why == EXDEV ? "it is in no mount of the container" : shk_errno_name(why), ev->call->name,
		 (int)ev->tid);
}

/* ---- letting go ---- */

static int still_waits(void *arg)
{
	struct request *r = arg;

	return shk_notify_valid(r->l->fd, r->s->notif.id);
}

/* The slot stays as it is: should this engine die now, the caller dies with it, and nobody is to let it go again. */
static int let_go(void *arg)
{
	struct request *r = arg;

	return shk_notify_continue(r->l->fd, r->s->notif.id);
}

static void refuse(struct request *r, int rule, const char *what)
{
	bool allow, told = may_tell(r->l, rule, &allow);
	int err = rule == TRACED && allow ? 0 : EPERM;

	if (err)
		atomic_fetch_add(&r->l->e->ctr->n_denied, 1);
	if (told)
		shk_tell(r->l->g, r->l->e, err ? SHK_PRIO_CRITICAL : SHK_PRIO_WARNING, rules[rule].name.p, NULL,
			 "An execve of process %u was %s, as what it runs cannot be compared with what was judged: %s",
			 r->s->notif.pid, err ? "refused with EPERM" : "let through unverified", what);
	shk_answer(r->l, r->s, err);
}

/* Does the policy want each file compared that the kernel opens, and are there events for them? */
static bool asks(struct request *r)
{
	const struct shk_policy *p;
	struct shk_armoury *arm = shk_entry_armed_with(r->l->e, &p);
	bool ask = p->exec_verify == SHK_EXEC_VERIFY_AUTO && atomic_load(&r->l->g->porter->active);

	shk_armoury_unref(arm);
	return ask;
}

static void tell_refused(struct request *r, const struct shk_buf *what)
{
	bool ignored;

	atomic_fetch_add(&r->l->e->ctr->n_denied, 1);
	if (may_tell(r->l, EXCHANGED, &ignored))
		shk_tell(r->l->g, r->l->e, SHK_PRIO_CRITICAL, rules[EXCHANGED].name.p, NULL,
			 "An execve of process %u was refused with EPERM before a file was loaded that is not what was judged (%s)",
			 r->s->notif.pid, what->p ? what->p : "");
}

static void pass(struct request *r)
{
	_cleanup_buf_ struct shk_buf what, opened;
	struct shk_expected x = { .tid = (pid_t)r->s->notif.pid, .judged = r->judged, .e = r->l->e, .what = &opened };
	bool ask = asks(r);
	enum shk_exec_end end;
	struct shk_exec_call c = { .tid = (pid_t)r->s->notif.pid, .judged = r->judged, .waits = still_waits,
				   .go = let_go, .arg = r, .what = &what,
				   .signals_end_wait = &r->l->signals_end_wait };

	shk_buf_init(&what, WHAT_MAX);
	shk_buf_init(&opened, WHAT_MAX);
	shk_buf_adds(&what, "");
	if (ask)
		shk_porter_expect(r->l->g, &x);
	end = verifier->run(&c);
	if (ask)
		shk_porter_unexpect(r->l->g, &x);
	if (x.exchanged)
		tell_refused(r, &opened);
	switch (end) {
	case SHK_EXEC_RUNS:
	case SHK_EXEC_FAILED:
	case SHK_EXEC_GONE:
		break;
	case SHK_EXEC_EXCHANGED:
		/* Each is one process less: a flood of them costs the container more than us. */
		atomic_fetch_add(&r->l->e->ctr->n_killed, 1);
		shk_tell(r->l->g, r->l->e, SHK_PRIO_CRITICAL, rules[EXCHANGED].name.p, NULL,
			 "Process %u was killed before the first instruction of a program that is not what was judged "
			 "(%s)", r->s->notif.pid, what.p ? what.p : "");
		break;
	case SHK_EXEC_TRACED:
		refuse(r, TRACED, what.p ? what.p : "");
		break;
	case SHK_EXEC_UNABLE:
		refuse(r, UNVERIFIED, what.p ? what.p : "");
		break;
	}
}

static void done(struct request *r)
{
	shk_journal_release(r->l->g->journal, r->s);
	shk_exec_judged_free(r->judged);
	shk_listener_unref(r->l);
	free(r);
}

/* The first one whose container has not its share under way. */
static struct request *take(struct shk_gate *t)
{
	for (struct request **at = &t->head; *at; at = &(*at)->next) {
		struct request *r = *at;

		if (atomic_load(&r->l->e->n_execs) >= GATE_PER_CONTAINER)
			continue;
		*at = r->next;
		if (!*at)
			t->tail = at;
		t->n_waiting--;
		atomic_fetch_add(&r->l->e->n_execs, 1);
		return r;
	}
	return NULL;
}

static void *thread_main(void *arg)
{
	struct shk_gate *t = arg;
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		struct request *r = take(t);
		struct shk_entry *e;
		struct timespec ts;
		int timed_out;

		if (r) {
			pthread_mutex_unlock(&t->lock);
			e = shk_entry_ref(r->l->e);
			pass(r);
			done(r);
			atomic_fetch_sub(&e->n_execs, 1);
			shk_entry_unref(e);
			pthread_mutex_lock(&t->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_sec += IDLE_SECONDS;
		t->n_idle++;
		timed_out = pthread_cond_timedwait(&t->work, &t->lock, &ts);
		t->n_idle--;
		if (timed_out && !t->head)
			break;
	}
	t->n_threads--;
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Holding the lock. */
static int more_threads(struct shk_gate *t)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (t->n_threads == GATE_THREADS)
		return 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, thread_main, t);
	pthread_attr_destroy(&attr);
	t->n_threads += r == 0;
	return t->n_threads ? 0 : r;
}

/* The kernel module compares, as the last one before the program begins; there is nothing to wait for. The slot stays as it is: should this
 * engine die now, the next one judges the call again, if it still waits, and the lease of that judgement takes this one's place. */
static bool pass_held(struct shk_listener *l, struct shk_call_slot *s, const struct shk_exec_judged *x)
{
	if (!atomic_load(&l->e->held_execs)) {
		if (atomic_load(&l->e->module_holds))
			shk_observer_unheld(l->g, l->e, l->fd, &s->notif);
		return false;
	}
	if (shk_observer_hold(l->g, l->e, l->fd, &s->notif, x) < 0)
		return false;
	/* Nobody waits any more: nothing runs. */
	(void)shk_notify_continue(l->fd, s->notif.id);
	return true;
}

void shk_gate_pass(struct shk_listener *l, struct shk_call_slot *s, struct shk_exec_judged *x)
{
	struct shk_gate *t = l->g->gate;
	struct request *r;
	int failed = 0;

	if (pass_held(l, s, x)) {
		shk_journal_release(l->g->journal, s);
		shk_exec_judged_free(x);
		return;
	}
	r = malloc(sizeof(*r));
	if (!r) {
		shk_answer(l, s, ENOMEM);
		shk_journal_release(l->g->journal, s);
		shk_exec_judged_free(x);
		return;
	}
	*r = (struct request){ .l = shk_listener_ref(l), .s = s, .judged = x,
			       .due = s->recv_mono_ns + atomic_load(&l->e->deadline_ns) };
	pthread_mutex_lock(&t->lock);
	if (t->n_waiting >= t->n_idle)
		failed = more_threads(t);
	if (!failed) {
		*t->tail = r;
		t->tail = &r->next;
		t->n_waiting++;
	}
	pthread_mutex_unlock(&t->lock);
	/* Not before: whoever wakes wants the lock. The gate outlives the workers. */
	if (!failed)
		pthread_cond_signal(&t->work);
	if (failed) { /* not one thread: then the worker does it */
		pass(r);
		done(r);
	}
}

void shk_gate_watchdog(struct shk_engine *g, uint64_t now)
{
	struct shk_gate *t = g->gate;
	struct request *late = NULL, *r;

	pthread_mutex_lock(&t->lock);
	for (struct request **at = &t->head; (r = *at);) {
		if (now < r->due) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = late;
		late = r;
		t->n_waiting--;
	}
	for (t->tail = &t->head; *t->tail; t->tail = &(*t->tail)->next)
		;
	pthread_mutex_unlock(&t->lock);
	for (; (r = late); done(r)) {
		late = r->next;
		/* Let through it would be unverified: whatever the deadline's verdict is for others. */
		refuse(r, UNVERIFIED, "other execve calls of the container take too long");
	}
}

int shk_gate_start(struct shk_engine *g, struct shk_err *err)
{
	struct shk_gate *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;

	if (!t)
		return shk_err_set(err, ENOMEM, "out of memory");
	t->g = g;
	t->tail = &t->head;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->work, &attr);
	pthread_condattr_destroy(&attr);
	g->gate = t;
	return 0;
}

bool shk_gate_stop(struct shk_engine *g)
{
	struct shk_gate *t = g->gate;
	struct request *r;
	bool hangs = atomic_load(&g->n_abandoned);
	unsigned left = 0;

	if (!t)
		return !hangs;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->work);
	/* Calls in line have not been answered: the next engine does it. */
	while ((r = t->head)) {
		t->head = r->next;
		shk_exec_judged_free(r->judged);
		shk_listener_unref(r->l);
		free(r);
	}
	t->tail = &t->head;
	pthread_mutex_unlock(&t->lock);
	for (unsigned ms = 0; ms < STOP_MS; ms++) {
		pthread_mutex_lock(&t->lock);
		left = t->n_threads;
		pthread_mutex_unlock(&t->lock);
		if (!left)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	if (left || hangs)
		return false;
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	free(TAKE_PTR(g->gate));
	return true;
}
