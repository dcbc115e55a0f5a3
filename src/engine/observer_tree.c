// SPDX-License-Identifier: Apache-2.0
/*
 * Tasks of a container as the module tells them: made, running a program, ended.
 *
 * A rule is asked about a record some milliseconds later, when the task may have ended and /proc knows nothing of it any more. What
 * is kept here is in the records themselves, so it is of their very moment. It answers for tasks that are gone, and for no others: of those who
 * are there /proc tells more. Records that were lost may be of ends and of numbers that are others' by now: all is forgotten then.
 */
#include <time.h>

#include "engine/observer_impl.h"
#include "state/recorded.h"
#include "state/state_text.h"

#define LOCK_NS	   1000000000u
#define SHORT_NS   100000u	/* where it was waited for in vain: of as many as are read in one go less than a second */
#define VAIN_NS	   10000000000u /* for so long */
#define LINE_BYTES (64u << 10)
#define TASKS_MAX  4096u /* of a container; then all are forgotten, and those to come are kept */

static void forget(struct shk_entry *e)
{
	shk_recorded_free(e->tree);
	e->tree = NULL;
}

/* The task as it is kept, or, where it was there before anybody watched, as it is. NULL: nothing is known. */
static struct shk_proc *known(struct shk_entry *e, struct shk_event *ev, pid_t tid, bool kept)
{
	struct shk_eval_ctx ctx = { .ev = ev, .ctr = e->ctr, .recorded = kept ? e->tree : NULL };

	ev->tid = tid;
	return shk_proc_task_of(&ctx);
}

static void put(struct shk_observer *o, struct shk_entry *e, uint32_t tid, struct shk_buf *line)
{
	struct shk_text_reader r;
	struct shk_text_record rec;

	/* Arguments that are too long are no reason to forget the others: of this task nothing is known. */
	if (line->failed) {
		shk_buf_reset(line);
		shk_buf_printf(line, "process %u gone=true\n", tid);
	}
	r = (struct shk_text_reader){ .rest = shk_buf_view(line), .versioned = true };
	if (line->failed || shk_text_next(&r, &o->arena, &rec, NULL) != 1 || shk_recorded_put(e->tree, &rec, NULL) < 0) {
		/* Better none than half of it. */
		forget(e);
	}
}

static void put_ids(struct shk_buf *line, pid_t pid, pid_t ppid, uint32_t vtid, uint32_t vtgid)
{
	shk_buf_printf(line, " pid=%d vtid=%u vpid=%u", (int)pid, vtid, vtgid);
	if (ppid > 0)
		shk_buf_printf(line, " ppid=%d", (int)ppid);
}

static void put_program(struct shk_buf *line, struct shk_str name, struct shk_str path, const struct shk_strvec *args)
{
	shk_buf_adds(line, " name=");
	shk_text_quote(name, line);
	if (path.p) {
		shk_buf_adds(line, " exepath=");
		shk_text_quote(path, line);
	}
	if (!args || !args->n)
		return;
	shk_buf_adds(line, " args=[");
	for (size_t i = 0; i < args->n; i++) {
		shk_buf_adds(line, i ? ", " : "");
		shk_text_quote(args->v[i], line);
	}
	shk_buf_addc(line, ']');
}

static struct shk_str comm_of(const struct shrike_record *rec)
{
	return (struct shk_str){ rec->comm, strnlen(rec->comm, sizeof(rec->comm)) };
}

static void put_creds(struct shk_buf *line, const struct shrike_record *rec)
{
	shk_buf_printf(line, " uid=%u euid=%u gid=%u egid=%u", rec->uid, rec->euid, rec->gid, rec->egid);
}

/* A parent that was there before anybody watched: children outlive it. Neither its arguments nor its environment: they lie in its memory,
 * which may never answer (THREATS B2), and this thread is everybody's. */
static void put_parent(struct shk_observer *o, struct shk_entry *e, struct shk_event *ev, pid_t pid, struct shk_buf *line)
{
	struct shk_proc *p = known(e, ev, pid, true) ? NULL : known(e, ev, pid, false);

	if (!p)
		return;
	shk_buf_printf(line, "process %d", (int)pid);
	put_ids(line, shk_proc_pid(p), shk_proc_ppid(p), (uint32_t)shk_proc_vtid(p), (uint32_t)shk_proc_vpid(p));
	put_program(line, shk_proc_comm(p), shk_proc_exepath(p), NULL);
	shk_buf_addc(line, '\n');
	put(o, e, (uint32_t)pid, line);
	shk_buf_reset(line);
}

/* A child is what its parent is. */
static void forked(struct shk_observer *o, struct shk_entry *e, struct shk_event *ev, const struct shk_krecord *r, struct shk_buf *line)
{
	const struct shrike_record *rec = r->head;
	const struct shrike_fork *f = r->body;
	struct shk_proc *p;
	bool thread = f->tgid == rec->tgid, is_kept;

	put_parent(o, e, ev, (pid_t)rec->tgid, line);
	if (!e->tree)
		return;
	p = known(e, ev, (pid_t)rec->tid, true);
	is_kept = p;
	if (!p)
		p = known(e, ev, (pid_t)rec->tid, false);
	shk_buf_printf(line, "process %u", f->tid);
	put_ids(line, (pid_t)f->tgid, thread ? (p ? shk_proc_ppid(p) : 0) : (pid_t)rec->tgid, f->vtid, f->vtgid);
	put_program(line, comm_of(rec), p ? shk_proc_exepath(p) : (struct shk_str){ 0 }, is_kept ? shk_proc_argv(p) : NULL);
	put_creds(line, rec);
	shk_buf_addc(line, '\n');
	put(o, e, f->tid, line);
}

static void executed(struct shk_observer *o, struct shk_entry *e, struct shk_event *ev, const struct shk_krecord *r, struct shk_buf *line)
{
	const struct shrike_record *rec = r->head;
	struct shk_proc *p = known(e, ev, (pid_t)rec->tid, true);
	struct shk_event exec;

	shk_event_init(&exec, &o->arena);
	if (shk_kmod_event(rec, o->real_minus_mono, &exec) < 0)
		return;
	if (!p)
		p = known(e, ev, (pid_t)rec->tid, false);
	shk_buf_printf(line, "process %u", rec->tid);
	put_ids(line, (pid_t)rec->tgid, p ? shk_proc_ppid(p) : 0, rec->vtid, rec->vtgid);
	put_program(line, comm_of(rec), exec.arg[0].state == SHK_ARG_OK ? exec.arg[0].bytes : (struct shk_str){ 0 },
		    exec.arg[1].vec.truncated ? NULL : &exec.arg[1].vec);
	put_creds(line, rec);
	shk_buf_addc(line, '\n');
	put(o, e, rec->tid, line);
}

static void forget_stale(struct shk_entry *e)
{
	if (atomic_exchange(&e->tree_stale, false) || (e->tree && shk_recorded_n_tasks(e->tree) > TASKS_MAX))
		forget(e);
}

static void apply(struct shk_observer *o, struct shk_entry *e, const struct shk_krecord *r)
{
	_cleanup_buf_ struct shk_buf line;
	struct shk_event ev;

	shk_buf_init(&line, LINE_BYTES);
	shk_arena_reset(&o->arena);
	shk_event_init(&ev, &o->arena);
	forget_stale(e);
	if (!e->tree)
		e->tree = shk_recorded_new();
	if (!e->tree)
		return;
	if (r->head->type == SHRIKE_FORK) {
		forked(o, e, &ev, r, &line);
	} else if (r->head->type == SHRIKE_EXEC) {
		executed(o, e, &ev, r, &line);
	} else {
		shk_buf_printf(&line, "process %u gone=true\n", r->head->tid);
		put(o, e, r->head->tid, &line);
	}
}

static struct shk_entry *watched(struct shk_observer *o, uint32_t index)
{
	struct shk_entry *e = NULL;
	struct shk_observed *w;

	pthread_mutex_lock(&o->lock);
	w = shk_map_get_u64(&o->by_index, index);
	if (w)
		e = shk_entry_ref(w->e);
	pthread_mutex_unlock(&o->lock);
	return e;
}

bool shk_observer_lock(struct shk_entry *e)
{
	uint64_t now = shk_now_mono(), due = now + (now < e->short_until ? SHORT_NS : LOCK_NS);
	struct timespec until = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };

	if (pthread_mutex_trylock(&e->ctr->lock) == 0 || pthread_mutex_clocklock(&e->ctr->lock, CLOCK_MONOTONIC, &until) == 0)
		return true;
	if (now >= e->short_until)
		e->short_until = shk_now_mono() + VAIN_NS;
	return false;
}

void shk_observer_tree(struct shk_observer *o, const struct shrike_record *rec)
{
	struct shk_entry *e = watched(o, rec->container);
	struct shk_krecord r;

	if (!e)
		return;
	if (shk_krecord_split(rec, &r) < 0) {
		shk_entry_unref(e);
		return;
	}
	if (shk_observer_lock(e)) {
		apply(o, e, &r);
		pthread_mutex_unlock(&e->ctr->lock);
	} else {
		/* It may have been an end, and the number another one's by now. */
		atomic_store(&e->tree_stale, true);
		atomic_fetch_add(&e->n_module_lost, 1);
	}
	shk_entry_unref(e);
}

void shk_observer_forget_trees(struct shk_observer *o)
{
	struct shk_map_slot *s;

	pthread_mutex_lock(&o->lock);
	for (size_t pos = 0; (s = shk_map_next(&o->by_index, &pos));)
		atomic_store(&((struct shk_observed *)s->value)->e->tree_stale, true);
	pthread_mutex_unlock(&o->lock);
}

bool shk_observer_gone_task(struct shk_entry *e, struct shk_eval_ctx *ctx)
{
	forget_stale(e);
	if (!e->tree)
		return false;
	ctx->recorded = e->tree;
	ctx->proc_tried = false;
	ctx->proc = NULL;
	if (shk_proc_task_of(ctx))
		return true;
	ctx->recorded = NULL;
	return false;
}
