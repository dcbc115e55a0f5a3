// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the module as events, events as alerts.
 *
 * The call is over, or under way without us: nothing can be refused. The task may have ended, or its number may be another's: facts
 * are only taken from a task that is as old as the record.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <time.h>

#include "base/io.h"
#include "engine/observer_impl.h"
#include "sources/kmod/event.h"

#define START_SLACK   30000000u	 /* start times are exact to 10 ms, clocks are read one after the other */
#define LOSS_EVERY_NS 1000000000u

/* The container a record is about, with a reference, and the call its event is to be; none for one of a lease. joins: it waits for its end.
 * NULL: nobody asks for it. */
static struct shk_entry *whose(struct shk_observer *o, const struct shrike_record *rec, const struct shk_syscall **as, bool *joins)
{
	enum shk_abi abi = rec->flags & SHRIKE_F_COMPAT ? SHK_ABI_I386 : SHK_ABI_X86_64;
	const struct shk_syscall *in = rec->nr < 0 ? NULL : shk_syscall_by_nr(abi, rec->nr);
	struct shk_entry *e = NULL;
	struct shk_observed *w;

	pthread_mutex_lock(&o->lock);
	w = shk_map_get_u64(&o->by_index, rec->container);
	*as = w ? shk_observe_call(&w->what, rec->type, in) : NULL;
	*joins = *as && rec->type != SHRIKE_SYSCALL && shk_observe_joins(&w->what, *as, in);
	if (*as || (w && rec->type == SHRIKE_LEASE))
		e = shk_entry_ref(w->e);
	pthread_mutex_unlock(&o->lock);
	return e;
}

/* Is this the runtime, which enters the container to start a session in it? */
static bool is_runtime(struct shk_eval_ctx *ctx)
{
	struct shk_proc *task = shk_proc_task_of(ctx);
	const struct shk_proc_exe *exe = task && ctx->ctr->runtime_ino ? shk_proc_exe(task) : NULL;

	return exe && exe->dev == ctx->ctr->runtime_dev && exe->ino == ctx->ctr->runtime_ino;
}

/* A younger task has another one's number. */
static void find_task(struct shk_eval_ctx *ctx)
{
	struct shk_proc *task = shk_proc_task_of(ctx);
	uint64_t start;

	if (task && shk_proc_start(task, &start) && start > ctx->ev->time_ns + START_SLACK)
		ctx->proc = NULL; /* stays so: it was tried */
}

static void tell(struct shk_observer *o, struct shk_entry *e, struct shk_eval_ctx *ctx, const struct shk_policy *p, unsigned rule,
		 unsigned n)
{
	struct shk_engine *g = o->g;
	struct shk_alert a = {
		.rule = shk_ruleset_rule(p->rules, rule),
		.policy = p,
		.ctx = ctx,
		.ctr = ctx->ctr,
		.boot = shk_journal_boot(g->journal),
		.verdict = "allow",
		.n = n,
	};

	if (!shk_limit_allow(g->limits, ctx->ctr, p, a.rule))
		return;
	a.seq = shk_take_seq(g, e, NULL);
	shk_buf_reset(&o->rendered);
	if (shk_alert_render(&a, g->hostname, &o->rendered) != 0) {
		shk_journal_lose_alert(g->journal);
		return;
	}
	if (shk_journal_put_alert(g->journal, SHK_JA_PRIORITY(a.rule->priority), o->rendered.p, o->rendered.n) != 0)
		return;
	shk_figures_rule(&g->figures, a.rule->name);
	atomic_fetch_add_explicit(&e->ctr->n_alerts, 1, memory_order_relaxed);
	if (g->sinks)
		shk_sinks_kick(g->sinks);
}

/* Holding the container's lock. */
static void evaluate(struct shk_observer *o, struct shk_entry *e, struct shk_event *ev, const struct shk_policy *p)
{
	struct shk_eval_ctx ctx = { .ev = ev, .ctr = e->ctr };
	bool recorded = shk_recorder_on(&o->g->recorder);
	struct shk_judgement j = { 0 };

	find_task(&ctx);
	if (!shk_proc_task_of(&ctx))
		(void)shk_observer_gone_task(e, &ctx);
	shk_judge_made(p, &ctx, &j);
	if ((j.m.n || recorded) && !is_runtime(&ctx)) {
		for (unsigned i = 0; i < j.m.n; i++)
			if (shk_judge_made_tells(p, &j, i))
				tell(o, e, &ctx, p, j.m.rule[i], i);
		if (recorded && shk_recorder_note(&o->g->recorder, &e->lines, &ctx, &j))
			shk_loop_wake(o->g->loop);
	}
	shk_proc_apply(e->ctr, ev, !ev->has_ret || ev->ret >= 0);
}

void shk_observer_judge(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec, const struct shk_syscall *as,
			const int64_t *ret)
{
	SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *arm = NULL;
	const struct shk_policy *p;
	struct shk_event ev;

	shk_arena_reset(&o->arena);
	shk_event_init(&ev, &o->arena);
	if (shk_kmod_event(rec, o->real_minus_mono, &ev) < 0 || !ev.call || shk_kmod_event_as(&ev, as) < 0)
		return;
	if (ret) {
		ev.attempt = false;
		ev.has_ret = true;
		ev.ret = *ret;
	}
	ev.ctr = e->ctr;
	shk_place_event(o->g, &ev, ev.time_ns);
	atomic_fetch_add_explicit(&e->ctr->n_events, 1, memory_order_relaxed);
	arm = shk_entry_armed_with(e, &p);
	/* A call that hangs with the lock must not hold up what others did. */
	if (!shk_observer_lock(e)) {
		atomic_fetch_add(&e->n_module_lost, 1);
		return;
	}
	evaluate(o, e, &ev, p);
	pthread_mutex_unlock(&e->ctr->lock);
	atomic_fetch_add_explicit(&e->n_observed, 1, memory_order_relaxed);
}

static void note_loss(struct shk_observer *o, const struct shrike_record *rec)
{
	struct shk_krecord r;
	const struct shrike_loss *l;

	if (shk_krecord_split(rec, &r) < 0)
		return;
	l = r.body;
	o->loss.since = o->loss.count ? SHK_MIN(o->loss.since, l->since) : l->since;
	o->loss.until = SHK_MAX(o->loss.until, rec->time);
	o->loss.count += l->count;
	atomic_fetch_add(&o->n_lost, l->count);
}

void shk_observer_take(struct shk_observer *o, const struct shrike_record *rec)
{
	const struct shk_syscall *as;
	struct shk_entry *e;
	uint64_t armed;
	bool joins;

	atomic_fetch_add_explicit(&o->n_records, 1, memory_order_relaxed);
	if (rec->type == SHRIKE_LOSS) {
		/* Ends may be among them: what waits is judged as the attempt it is. */
		shk_observer_waited(o, true);
		note_loss(o, rec);
		shk_observer_forget_trees(o);
		return;
	}
	if (rec->type == SHRIKE_FORK || rec->type == SHRIKE_EXEC || rec->type == SHRIKE_EXIT) {
		shk_observer_tree(o, rec);
		return;
	}
	if (rec->type == SHRIKE_SYSCALL && o->n_waiting && shk_observer_ended(o, rec))
		return;
	e = whose(o, rec, &as, &joins);
	if (!e)
		return;
	if (rec->type == SHRIKE_LEASE) {
		shk_observer_tell_killed(o, e, rec);
		shk_entry_unref(e);
		return;
	}
	armed = atomic_load(&e->armed_ns);
	if (armed && rec->time >= armed && !atomic_load(&e->released)) {
		if (joins)
			shk_observer_wait(o, e, rec, as);
		else
			shk_observer_judge(o, e, rec, as, NULL);
	}
	shk_entry_unref(e);
}

static void add_time(struct json_object *fields, const char *key, const struct shk_observer *o, uint64_t mono)
{
	if (fields && mono)
		json_object_object_add(fields, key, json_object_new_int64((int64_t)mono + o->real_minus_mono));
}

static void tell_one(struct shk_observer *o, struct shk_entry *e, uint64_t count)
{
	struct json_object *fields = json_object_new_object();
	uint64_t until = o->loss.until ? o->loss.until : shk_now_mono();
	uint64_t since = o->loss.since ? o->loss.since : o->loss.told;

	if (fields)
		json_object_object_add(fields, "count", json_object_new_int64((int64_t)count));
	add_time(fields, "since", o, since);
	add_time(fields, "until", o, until);
	shk_tell(o->g, e, SHK_PRIO_WARNING, "Shrike internal: events lost", fields,
		 "%" PRIu64 " events%s were lost within %" PRIu64 " ms, as the kernel module's ring was full: no rule was asked about them",
		 count, e ? " of the container" : "", since && since < until ? (until - since) / 1000000 : 0);
}

uint64_t shk_observer_lost_of(struct shk_observer *o, uint32_t index)
{
	struct shk_kmod_counts c;
	uint64_t n = 0;

	if (!o->k || shk_kmod_counts(o->k, index, &c, NULL) < 0)
		return 0;
	for (unsigned i = 0; i < SHRIKE_TYPES; i++)
		n += c.lost[i];
	return n;
}

uint64_t shk_observer_unclaimed(struct shk_observer *o, uint64_t by_records, uint64_t by_counters, bool all)
{
	uint64_t n;

	o->unclaimed += (int64_t)by_records - (int64_t)by_counters;
	if (!all || o->unclaimed <= 0)
		return 0;
	n = (uint64_t)o->unclaimed;
	o->unclaimed = 0;
	return n;
}

void shk_observer_tell_loss(struct shk_observer *o, bool at_once)
{
	struct { struct shk_entry *e; uint64_t n; } hit[64];
	uint64_t now = shk_now_mono(), named = 0, others;
	struct shk_map_slot *s;
	unsigned n = 0;

	if ((!o->loss.count && !o->loss.some) || (!at_once && now - o->loss.told < LOSS_EVERY_NS))
		return;
	pthread_mutex_lock(&o->lock);
	for (size_t pos = 0; n < SHK_ARRAY_SIZE(hit) && (s = shk_map_next(&o->by_index, &pos));) {
		struct shk_observed *w = s->value;
		uint64_t lost = shk_observer_lost_of(o, w->index), more = lost - w->lost;

		if (lost <= w->lost)
			continue;
		w->lost = lost;
		atomic_fetch_add(&w->e->n_module_lost, more);
		hit[n].e = shk_entry_ref(w->e);
		hit[n++].n = more;
		named += more;
	}
	pthread_mutex_unlock(&o->lock);
	for (unsigned i = 0; i < n; i++) {
		tell_one(o, hit[i].e, hit[i].n);
		shk_entry_unref(hit[i].e);
	}
	others = shk_observer_unclaimed(o, o->loss.count, named, n < SHK_ARRAY_SIZE(hit));
	if (others)
		tell_one(o, NULL, others);
	memset(&o->loss, 0, sizeof(o->loss));
	o->loss.told = now;
	/* Who had no room is told of next time. */
	o->loss.some = n == SHK_ARRAY_SIZE(hit);
}
