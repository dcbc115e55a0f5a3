// SPDX-License-Identifier: Apache-2.0
/*
 * From a call that waits to its answer: event, arming, evaluation, verdict, alerts, reply.
 *
 * Arguments in the caller's memory are read before the container is locked, so that a page that never comes
 * holds up one worker and nobody else. Until the claim is won the watchdog may answer in our place;
 * from then on nothing here waits for the container.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/io.h"
#include "engine/act.h"
#include "engine/gate_names.h"
#include "engine/internal.h"
#include "engine/judge.h"
#include "sources/notify/notify.h"
#include "verdict/kill.h"

#define PATIENCE_MS 200

static const struct shk_rule_info unreadable_rule = {
	.name = { "Shrike internal: unreadable argument", 36 },
};

/* What one call has come to. */
struct outcome {
	struct shk_verdict v;
	int err;		/* answer: 0 continue */
	unsigned n_alerts;	/* in w->rendered */
	uint32_t alert_flags[SHK_MATCH_MAX]; /* SHK_JA_* */
	bool unreadable;	/* something to tell about it */
	struct shk_act act;
	struct shk_exec_judged *exec; /* what an execve is about to run; owned */
	int unknown;		/* errno: it cannot be told what that is */
};

void shk_place_event(struct shk_engine *g, struct shk_event *ev, uint64_t time_ns)
{
	uint64_t none = 0;

	ev->time_ns = time_ns;
	ev->num = atomic_fetch_add(&g->n_events, 1) + 1;
	ev->prev_ns = atomic_exchange(&g->last_event_ns, ev->time_ns);
	ev->first_ns = atomic_compare_exchange_strong(&g->first_event_ns, &none, ev->time_ns) ?
			       ev->time_ns : none;
}

static void begin(struct shk_worker *w, struct shk_call_slot *s, struct shk_event *ev,
		  struct shk_notify_ctx *ctx)
{
	struct shk_listener *l = w->l;

	/* They are looked at by who has seen the claim. */
	atomic_store_explicit(&w->due, s->recv_mono_ns + atomic_load(&l->e->deadline_ns), memory_order_relaxed);
	atomic_store_explicit(&w->slot, s, memory_order_relaxed);
	atomic_store(&w->claim, ((atomic_load(&w->claim) >> 2) + 1) << 2 | SHK_CLAIM_JUDGING);
	shk_arena_reset(&w->arena);
	shk_event_init(ev, &w->arena);
	*ctx = (struct shk_notify_ctx){ .fd = l->fd, .id = s->notif.id };
	shk_notify_event(ev, &s->notif, ctx);
	ev->ctr = l->e->ctr;
	shk_place_event(l->g, ev, shk_now_real());
	atomic_fetch_add_explicit(&ev->ctr->n_events, 1, memory_order_relaxed);
}

/* true: the answer is ours to give. */
static bool claim(struct shk_worker *w)
{
	uint64_t c = (atomic_load(&w->claim) & ~3ull) | SHK_CLAIM_JUDGING;

	return atomic_compare_exchange_strong(&w->claim, &c, (c & ~3ull) | SHK_CLAIM_IDLE);
}

static bool still_ours(const struct shk_worker *w)
{
	return (atomic_load(&w->claim) & 3) == SHK_CLAIM_JUDGING;
}

static void prefetch(struct shk_event *ev, struct shk_notify_ctx *ctx)
{
	ctx->later = true;
	(void)shk_event_unwrap(ev);
	shk_mounts_read(ev);
	for (unsigned i = 0; ev->call && i < ev->call->nargs; i++)
		switch (ev->call->arg[i].kind) {
		case SHK_ARG_STRVEC: /* the environment, too: a rule that asks for it does so under the lock */
		case SHK_ARG_PATH:
		case SHK_ARG_STRING:
		case SHK_ARG_SOCKADDR:
		case SHK_ARG_OPEN_HOW:
		case SHK_ARG_CLONE_ARGS:
		case SHK_ARG_MSGHDR:
			(void)shk_event_arg(ev, i);
			break;
		default:
			break;
		}
	ctx->later = false;
}

static int lock_until(pthread_mutex_t *m, uint64_t due)
{
	struct timespec ts = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };

	if (pthread_mutex_trylock(m) == 0)
		return 0;
	return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &ts);
}

static void render(struct shk_worker *w, struct shk_call_slot *s, struct shk_eval_ctx *ctx,
		   const struct shk_policy *p, unsigned rule, bool verdict, struct outcome *o)
{
	struct shk_listener *l = w->l;
	struct shk_alert a = {
		.rule = shk_ruleset_rule(p->rules, rule),
		.policy = p,
		.ctx = ctx,
		.ctr = ctx->ctr,
		.boot = shk_journal_boot(l->g->journal),
		.verdict = "allow",
		.n = o->n_alerts,
	};
	uint32_t flags = (verdict ? SHK_JA_VERDICT : 0) | SHK_JA_PRIORITY(a.rule->priority);

	if (o->n_alerts == SHK_MATCH_MAX)
		return;
	if (!verdict && !shk_limit_allow(l->g->limits, ctx->ctr, p, a.rule))
		return;
	a.seq = shk_take_seq(l->g, l->e, s);
	a.guarantee = shk_verdict_guarantee(ctx->ev, &(struct shk_action){ .kind = SHK_ACT_NONE },
					    o->act.method);
	shk_judged_alert(&a, p, &o->v, verdict);
	a.decision_ns = shk_now_mono() - s->recv_mono_ns;
	shk_buf_reset(&w->rendered[o->n_alerts]);
	if (shk_alert_render(&a, l->g->hostname, &w->rendered[o->n_alerts]) != 0) {
		shk_journal_lose_alert(l->g->journal);
		return;
	}
	o->alert_flags[o->n_alerts++] = flags;
	shk_figures_rule(&l->g->figures, a.rule->name);
}

/* Arguments that cannot be read, or an event that needs more room than one may have: "no rule matched" says
 * nothing then. */
static void unjudged(struct shk_listener *l, const struct shk_event *ev, const struct shk_armoury *arm,
		     const struct shk_policy *p, struct outcome *o)
{
	const struct shk_plan *plan = shk_armoury_plan(arm, p);
	bool enforced = p->mode == SHK_MODE_ENFORCE &&
			(!ev->call || !plan || plan->call[ev->call->id].enforced);

	o->unreadable = (ev->arena->failed || (enforced && p->unreadable_deny)) &&
			shk_limit_allow(l->g->limits, ev->ctr, p, &unreadable_rule);
	/* One that fails by itself does so with its own errno. */
	if (enforced && p->unreadable_deny && o->act.what != SHK_ACT_FAIL)
		o->err = EFAULT;
}

/* The caller waits no more: there is nothing to be judged. */
static void gone(struct outcome *o)
{
	shk_act_gone(&o->act);
	shk_exec_judged_free(TAKE_PTR(o->exec));
	o->unknown = 0;
}

/* An answer names its call, and the kernel takes none for a call that has gone. So where carrying it out changes nothing, and
 * nothing is to be told, nobody need ask before whether it still waits. Of a task that was not known yet something is kept. */
static bool answer_tells(struct shk_worker *w, struct shk_eval_ctx *ctx, const struct outcome *o)
{
	return shk_act_changes_nothing(&o->act) && !shk_proc_is_new(shk_proc_task_of(ctx)) &&
	       !shk_recorder_on(&w->l->g->recorder);
}

/* false: it was to be opened without a look, and is to be looked at after all. Once more; nothing has come of it. */
static bool evaluate(struct shk_worker *w, struct shk_call_slot *s, struct shk_eval_ctx *ctx, struct shk_notify_ctx *nctx,
		     const struct shk_armoury *arm, const struct shk_policy *p, struct outcome *o)
{
	const struct shk_plan *plan = shk_armoury_plan(arm, p);
	struct shk_judgement j;
	struct shk_exec_names names;
	const struct shk_matches *m = &j.m;
	bool by_answer;

	j.m.n = j.m.lost = j.n_given = 0;
	shk_act_prepare(w, s, ctx, p, plan, &o->act);
	shk_exec_judged_free(TAKE_PTR(o->exec));
	o->unknown = -shk_gate_pin_named(w, p, plan, ctx, &o->exec, &names);
	/* Of all that was read and held so far, asked once: while it waits its number is nobody else's, and what was
	 * taken from its memory and from /proc under it is the caller's own. */
	by_answer = answer_tells(w, ctx, o);
	if (!by_answer && (nctx->unchecked || o->act.method == SHK_METHOD_EMULATE || o->exec) &&
	    shk_notify_check(nctx) < 0) {
		gone(o);
		return true;
	}
	shk_judge(p, plan, ctx, o->act.method == SHK_METHOD_EMULATE ? &o->act.names : NULL, &j);
	if (o->exec)
		shk_gate_judge(p, ctx, o->exec, &j);
	if (o->exec)
		shk_gate_judge_names(p, ctx, o->exec, &names, &j);
	if (shk_act_foreseen(&o->act) &&
	    (m->n || m->lost || ctx->ev->memory_failed || ctx->ev->arena->failed || shk_recorder_on(&w->l->g->recorder))) {
		shk_act_look(&o->act);
		return false;
	}
	if (by_answer && (m->n || m->lost || ctx->ev->memory_failed || ctx->ev->arena->failed) &&
	    shk_notify_check(nctx) < 0) {
		gone(o);
		return true;
	}
	shk_verdict_decide(p, m, ctx->ev, &o->v);
	if (o->v.action.kind != SHK_ACT_NONE)
		o->err = o->v.action.kind == SHK_ACT_DENY ? o->v.action.err : EPERM;
	else if (o->unknown && (p->strict || o->unknown == EXDEV) && p->mode == SHK_MODE_ENFORCE)
		o->err = o->unknown == ENAMETOOLONG ? ENAMETOOLONG : EACCES;
	if (o->exec && p->mode == SHK_MODE_ENFORCE)
		o->act.method = SHK_METHOD_VERIFY;
	/* Falco's first match, and the verdict's rule; rules that were only tried for their verdict are
	 * not what the administrator asked to hear of. Mode observe has no verdicts. */
	for (unsigned i = 0; i < m->n; i++) {
		bool verdict = (int)m->rule[i] == o->v.rule && o->v.wanted.kind != SHK_ACT_NONE &&
			       p->mode != SHK_MODE_OBSERVE;

		if (i == 0 || p->match_all || verdict)
			render(w, s, i < j.n_given ? ctx : &j.real, p, m->rule[i], verdict, o);
	}
	if (!o->err && (ctx->ev->memory_failed || ctx->ev->arena->failed))
		unjudged(w->l, ctx->ev, arm, p, o);
	if (shk_recorder_on(&w->l->g->recorder) &&
	    shk_recorder_note(&w->l->g->recorder, &w->l->e->lines, ctx, &j))
		shk_loop_wake(w->l->g->loop);
	return true;
}

/* The writer may be a moment behind (100 ms of a machine under load are some thousand alerts): the caller of a call
 * that is let through waits for it, a little, rather than its alert being lost. A writer that does not move at all
 * is waited for once a second, and alerts of verdicts have room of their own. */
static void wait_for_room(struct shk_engine *g, size_t n)
{
	if (shk_journal_has_room(g->journal, 0, n) ||
	    shk_now_mono() < atomic_load(&g->no_patience_until))
		return;
	for (unsigned ms = 0; ms < PATIENCE_MS; ms++) {
		shk_sinks_kick(g->sinks);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		if (shk_journal_has_room(g->journal, 0, n))
			return;
	}
	atomic_store(&g->no_patience_until, shk_now_mono() + 1000000000u);
}

/* The alerts are in the journal before the caller goes on. */
static void commit(struct shk_worker *w, struct outcome *o)
{
	struct shk_engine *g = w->l->g;

	for (unsigned i = 0; i < o->n_alerts; i++) {
		if (!(o->alert_flags[i] & SHK_JA_VERDICT))
			wait_for_room(g, w->rendered[i].n);
		(void)shk_journal_put_alert(g->journal, o->alert_flags[i], w->rendered[i].p,
					    w->rendered[i].n);
	}
	if (!o->n_alerts)
		return;
	atomic_fetch_add_explicit(&w->l->e->ctr->n_alerts, o->n_alerts, memory_order_relaxed);
	shk_sinks_kick(g->sinks);
}

/* The call still waits once the pidfd is there: so it names the caller, and no successor of its number. */
int shk_signal_caller(int listener, const struct shk_call_slot *s, int sig)
{
	_cleanup_close_ int pidfd = shk_process_open((pid_t)s->notif.pid);

	if (pidfd < 0)
		return pidfd;
	if (shk_notify_valid(listener, s->notif.id) < 0)
		return -ESRCH;
	return shk_pidfd_signal(pidfd, sig);
}

static void act(struct shk_worker *w, struct shk_call_slot *s, const struct outcome *o)
{
	struct shk_container *c = w->l->e->ctr;
	struct shk_err err;
	int r = 0;

	if (o->v.action.kind == SHK_ACT_NONE && !o->err)
		return;
	err.errnum = 0;
	err.text[0] = 0;
	if (w->actor && (o->v.action.kind == SHK_ACT_KILL_CONTAINER || o->v.action.kind == SHK_ACT_FREEZE))
		(void)shk_actor_go_home(w->actor); /* if that failed the verdict does, and says so */
	switch (o->v.action.kind) {
	case SHK_ACT_KILL_CONTAINER:
		r = shk_kill_container(c, &err);
		break;
	case SHK_ACT_KILL_PROCESS:
		r = shk_signal_caller(w->l->fd, s, SIGKILL);
		break;
	case SHK_ACT_FREEZE:
		r = shk_freeze_container(c, true, &err);
		break;
	case SHK_ACT_NONE:
	case SHK_ACT_DENY:
		break;
	}
	if (r < 0 && r != -ESRCH)
		shk_tell(w->l->g, w->l->e, SHK_PRIO_CRITICAL, "Shrike internal: verdict not carried out", NULL,
			 "%s failed, the call is refused with EPERM: %s",
			 shk_action_name(o->v.action.kind), err.text[0] ? err.text : strerror(-r));
	if (o->v.action.kind >= SHK_ACT_KILL_PROCESS) {
		atomic_fetch_add(&c->n_killed, 1);
		atomic_fetch_add(&w->l->g->figures.killed, 1);
	} else if (o->err) {
		atomic_fetch_add(&c->n_denied, 1);
		atomic_fetch_add(&w->l->g->figures.denied, 1);
	}
}

static void tell_unreadable(struct shk_worker *w, const struct shk_event *ev, int err)
{
	shk_tell(w->l->g, w->l->e, SHK_PRIO_WARNING, "Shrike internal: unreadable argument", NULL,
		 "A call was %s, as its arguments %s (call=%s tid=%d)",
		 err ? "refused" : "let through unjudged",
		 ev->arena->failed ? "are too large to be judged" : "cannot be read",
		 ev->call ? ev->call->name : "unknown", (int)ev->tid);
}

/* What judging by another name puts its own in place of (judge.c). */
struct shk_arg_texts {
	struct shk_str arg[6], named;
	int64_t ret;
};

/* Of paths nothing is put in their place. */
static bool has_texts(const struct shk_event *ev)
{
	return !ev->call || (ev->call->id != SHK_CALL_openat && ev->call->id != SHK_CALL_open);
}

static void take_texts(const struct shk_event *ev, struct shk_arg_texts *t)
{
	t->ret = ev->ret;
	t->named = ev->named.bytes;
	for (unsigned i = 0; has_texts(ev) && i < SHK_ARRAY_SIZE(t->arg); i++)
		t->arg[i] = ev->arg[i].bytes;
}

static void put_texts(struct shk_event *ev, const struct shk_arg_texts *t)
{
	ev->ret = t->ret;
	ev->named.bytes = t->named;
	for (unsigned i = 0; has_texts(ev) && i < SHK_ARRAY_SIZE(t->arg); i++)
		ev->arg[i].bytes = t->arg[i];
}

/* Judges the call and, if it is to be carried out by us, does so. false: it was answered already. */
static bool decide(struct shk_worker *w, struct shk_call_slot *s, struct shk_eval_ctx *ctx, struct shk_notify_ctx *nctx,
		   const struct shk_armoury *arm, const struct shk_policy *p, struct outcome *o)
{
	struct shk_event *ev = ctx->ev;
	struct shk_arg_texts texts;
	bool judged = true, again = false;

	take_texts(ev, &texts);
	do {
		/* Between two rounds others have the lock: records may be gone, directories and names be others. */
		if (again) {
			*ctx = (struct shk_eval_ctx){ .ev = ev, .ctr = ev->ctr, .memo = ctx->memo };
			put_texts(ev, &texts);
		}
		again = true;
		if (lock_until(&ev->ctr->lock, atomic_load(&w->due)) != 0) {
			if (!claim(w))
				return true;
			shk_answer_deadline(w->l, s, "other calls of the container hold it up");
			return false;
		}
		o->v = (struct shk_verdict){ .rule = -1 };
		o->err = 0;
		o->n_alerts = 0;
		/* The watchdog may have answered while we waited for memory or the lock. */
		if (still_ours(w)) {
			judged = evaluate(w, s, ctx, nctx, arm, p, o);
			if (judged)
				shk_proc_apply(ev->ctr, ev, o->err == 0);
		}
		pthread_mutex_unlock(&ev->ctr->lock);
	} while (still_ours(w) && !o->err && !(judged && shk_act_do(w, s, &o->act)));
	return true;
}

void shk_pipeline(struct shk_worker *w, struct shk_call_slot *s)
{
	struct shk_listener *l = w->l;
	struct shk_notify_ctx nctx;
	struct outcome o;
	const char *why = NULL;
	struct shk_event ev;
	enum shk_stage stage;

	o.v = (struct shk_verdict){ .rule = -1 };
	o.err = 0;
	o.n_alerts = 0;
	o.unreadable = false;
	o.exec = NULL;
	o.unknown = 0;
	shk_act_init(&o.act);
	begin(w, s, &ev, &nctx);
	stage = shk_arming(l, &ev, &why);
	if (stage == SHK_STAGE_REFUSE) {
		o.err = EACCES;
	} else if (stage == SHK_STAGE_JUDGE) {
		struct shk_eval_ctx ctx = { .ev = &ev, .ctr = ev.ctr, .memo = l->e->memo };
		const struct shk_policy *p;
		SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *arm = shk_entry_armed_with(l->e, &p);

		prefetch(&ev, &nctx);
		nctx.later = true;
		shk_act_read(w, &ev, p, shk_armoury_plan(arm, p), &o.act);
		nctx.later = false;
		if (!decide(w, s, &ctx, &nctx, arm, p, &o)) {
			shk_exec_judged_free(o.exec);
			shk_journal_release(l->g->journal, s);
			return;
		}
	}
	if (claim(w)) {
		shk_figures_call(&l->g->figures, ev.call ? (unsigned)ev.call->id : SHK_CALL_N,
				 shk_now_mono() - s->recv_mono_ns);
		commit(w, &o);
		act(w, s, &o);
		if (o.unknown)
			shk_gate_tell_unknown(l, s, &ev, o.err, o.unknown);
		if (!o.err && o.act.method == SHK_METHOD_VERIFY) {
			shk_act_done(w, &ev, &o.act);
			shk_gate_pass(l, s, TAKE_PTR(o.exec));
			return;
		}
		if (!o.err)
			o.err = shk_act_answer(w, s, &o.act);
		else
			shk_act_forget(&o.act);
		if (!o.act.given)
			shk_answer(l, s, o.err);
		if (o.unreadable)
			tell_unreadable(w, &ev, o.err);
		shk_act_done(w, &ev, &o.act);
	} else {
		shk_act_done(w, &ev, &o.act);
		/* The watchdog answers with the slot while it holds this lock: another call must not
		 * move in under its hands. */
		pthread_mutex_lock(&l->wlock);
		pthread_mutex_unlock(&l->wlock);
	}
	shk_exec_judged_free(o.exec);
	shk_journal_release(l->g->journal, s);
}
