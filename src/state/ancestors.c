// SPDX-License-Identifier: Apache-2.0
/*
 * ancestors.c - parents, session and group leaders, exec sessions.
 *
 * A task gets another parent only when its parent ends. So the number of the parent, once read, is good
 * for as long as the very record it led to lives.
 */
#include "state/process_impl.h"
#include "state/recorded_impl.h"

static struct shk_proc *task(struct shk_proc *p)
{
	return p->base ? p->base : p;
}

/* A process by number, in the same place as p. */
static struct shk_proc *other(struct shk_proc *p, pid_t pid)
{
	if (p->rec)
		return shk_recorded_task(p->rec, pid);
	return p->arena ? shk_proc_in_arena(p->arena, pid) : shk_procs_get(p->c, pid);
}

static bool fresh_stat(struct shk_proc *p)
{
	if (p->arena)
		return shk_proc_need(p, SHK_FACT_STAT);
	if (p->read_at[SHK_FACT_STAT] != p->c->proc_state->decision)
		shk_proc_drop(p, SHK_FACT_STAT);
	return shk_proc_need(p, SHK_FACT_STAT);
}

static struct shk_proc *known_parent(struct shk_proc *p)
{
	struct shk_proc *q;

	if (p->arena || !p->parent_serial)
		return NULL;
	q = shk_procs_get(p->c, p->ppid);
	return q && q->serial == p->parent_serial ? q : NULL;
}

/* Between reading the number and holding the process it may have been given to another: it is the
 * parent if, once held, it still is. */
static struct shk_proc *look_up_parent(struct shk_proc *p)
{
	for (int tries = 0; tries < 3; tries++) {
		struct shk_proc now = { .c = p->c, .arena = p->arena, .tid = p->tid, .pidfd = -1 };
		struct shk_proc *q;

		if (tries == 0 ? !fresh_stat(p) : !shk_read_stat(p))
			return NULL;
		q = p->ppid ? other(p, p->ppid) : NULL;
		if (!p->ppid || (p->arena && q))
			return q;
		if (!shk_read_stat(&now))
			return NULL;
		if (q && now.ppid == p->ppid && shk_proc_alive(q)) {
			p->parent_serial = q->serial;
			return q;
		}
	}
	return NULL;
}

static __attribute__((noinline)) struct shk_proc *find_parent(struct shk_proc *p, uint64_t when)
{
	if (p->rec) {
		p->parent = p->ppid > 0 && p->ppid != p->tid ? shk_recorded_task(p->rec, p->ppid) : NULL;
	} else {
		struct shk_proc *q = known_parent(p);

		p->parent = q ? q : look_up_parent(p);
	}
	p->parent_at = when;
	return p->parent;
}

/* Found once in a decision; of a text, once as long as no task comes or goes. */
static inline struct shk_proc *parent_of(struct shk_proc *p)
{
	uint64_t when;

	p = task(p);
	when = p->rec ? p->rec->generation : p->arena ? 1 : p->c->proc_state->decision;
	if (p->parent_at == when && (!p->rec || (p->parent && p->parent->tid == p->ppid)))
		return p->parent;
	return find_parent(p, when);
}

struct shk_proc *shk_proc_parent(struct shk_proc *p)
{
	return parent_of(p);
}

pid_t shk_proc_ppid(struct shk_proc *p)
{
	p = task(p);
	if (p->rec)
		return p->ppid;
	shk_proc_parent(p);
	/* The number is good even if the parent cannot be looked at. */
	return p->start || shk_proc_need(p, SHK_FACT_STAT) ? p->ppid : 0;
}

struct shk_proc *shk_proc_ancestor(struct shk_proc *p, unsigned n)
{
	if (n > SHK_ANCESTORS_MAX)
		return NULL;
	while (p && n--)
		p = parent_of(p);
	return p;
}

struct shk_proc *shk_proc_session_leader(struct shk_proc *p)
{
	pid_t sid = shk_proc_sid(p);

	return sid > 0 ? other(task(p), sid) : NULL;
}

struct shk_proc *shk_proc_group_leader(struct shk_proc *p)
{
	pid_t pgid = shk_proc_pgid(p);

	return pgid > 0 ? other(task(p), pgid) : NULL;
}

struct shk_proc *shk_proc_container_init(struct shk_proc *p)
{
	p = task(p);
	return p->c && p->c->init_pid > 0 ? other(p, p->c->init_pid) : NULL;
}

/* The session of a marked process outlives it, and its number is not given away meanwhile. */
static bool session_marked(struct shk_proc *p)
{
	struct shk_procs *s = p->c->proc_state;
	pid_t sid = shk_proc_sid(p);
	struct shk_proc *leader;

	if (sid <= 0 || !shk_procs_marked(s, sid, 0))
		return false;
	leader = shk_procs_get(p->c, sid);
	if (!leader)
		return true;
	return (leader->start || shk_proc_need(leader, SHK_FACT_STAT)) &&
	       shk_procs_marked(s, sid, leader->start);
}

bool shk_proc_is_exec_session(struct shk_proc *p)
{
	struct shk_proc *q;

	p = task(p);
	if (p->rec)
		return p->session;
	if (p->session || p->arena || !p->c->proc_state->n_marks)
		return p->session;
	q = p;
	for (unsigned n = 0; q && n < SHK_ANCESTORS_MAX && q->tid != p->c->init_pid; n++) {
		if (q->session) {
			p->session = true;
			return true;
		}
		q = shk_proc_parent(q);
	}
	p->session = session_marked(p);
	return p->session;
}

void shk_proc_mark_exec_session(struct shk_container *c, pid_t tid)
{
	struct shk_procs *s = shk_procs_of(c);
	struct shk_proc *p = s ? shk_procs_get(c, tid) : NULL;
	unsigned at;

	if (!p || (!p->start && !shk_read_stat(p)))
		return;
	p->session = true;
	if (shk_procs_marked(s, tid, p->start))
		return;
	at = s->n_marks++ % SHK_MARKS_MAX;
	s->mark[at].tid = tid;
	s->mark[at].start = p->start;
}
