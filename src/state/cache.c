// SPDX-License-Identifier: Apache-2.0
/*
 * cache.c - the records of one container: found by tid, checked once per decision, bounded.
 *
 * A record is tied to its process by a pidfd, of which one poll tells whether it lives. Descriptors
 * are few, so a container holds SHK_HELD_MAX of them; a record that lost its own to another is
 * checked by its start time, which costs opening a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/io.h"
#include "state/process_impl.h"

/* PIDFD_THREAD (linux/pidfd.h, since 6.9) */
#define PIDFD_OF_THREAD O_EXCL
/* A tid comes back only after all others have been given out (kernel/pid.c, idr_alloc_cyclic): 32768 tasks
 * made and ended. That takes a hundred times longer than this and a tick of the clock, and asking costs a tenth of a decision. */
#define FRESH_NS 1000000
/* Strings of all records of a container. */
#define BYTES_MAX (8u << 20)

struct shk_procs *shk_procs_of(struct shk_container *c)
{
	if (!c->proc_state)
		c->proc_state = calloc(1, sizeof(*c->proc_state));
	return c->proc_state;
}

void *shk_proc_alloc(struct shk_proc *p, size_t n)
{
	void *m;

	if (p->arena)
		return shk_arena_alloc_raw(p->arena, n);
	m = malloc(n ? n : 1);
	if (m) {
		p->bytes += n;
		p->c->proc_state->bytes += n;
	}
	return m;
}

void shk_proc_release(struct shk_proc *p, void *mem, size_t n)
{
	if (p->arena || !mem)
		return;
	free(mem);
	p->bytes -= n;
	p->c->proc_state->bytes -= n;
}

struct shk_str shk_proc_copy(struct shk_proc *p, struct shk_str s)
{
	char *m = shk_proc_alloc(p, s.n);

	if (!m)
		return (struct shk_str){ NULL, 0 };
	if (s.n)
		memcpy(m, s.p, s.n);
	return (struct shk_str){ m, s.n };
}

static void drop_str(struct shk_proc *p, struct shk_str *s)
{
	shk_proc_release(p, (void *)(uintptr_t)s->p, s->n);
	*s = (struct shk_str){ NULL, 0 };
}

static void drop_strings(struct shk_proc *p, struct shk_strings *s)
{
	shk_proc_release(p, s->bytes, s->size);
	shk_proc_release(p, s->vec.v, s->vec.n * sizeof(*s->vec.v));
	*s = (struct shk_strings){ 0 };
}

void shk_proc_drop(struct shk_proc *p, enum shk_fact f)
{
	p->have &= ~(1u << f);
	p->settled &= ~(1u << f);
	p->read_at[f] = 0;
	switch (f) {
	case SHK_FACT_ARGV:
		drop_strings(p, &p->argv);
		break;
	case SHK_FACT_ENV:
		drop_strings(p, &p->env);
		break;
	case SHK_FACT_EXEPATH:
		drop_str(p, &p->exepath);
		break;
	case SHK_FACT_CWD:
		drop_str(p, &p->cwd);
		break;
	case SHK_FACT_ROOT:
		drop_str(p, &p->root);
		break;
	default:
		break;
	}
}

/* ---- pidfds ---- */

static void let_go(struct shk_procs *s, struct shk_proc *p)
{
	if (p->pidfd < 0)
		return;
	shk_close(&p->pidfd);
	s->n_held--;
	s->held[p->held] = s->held[s->n_held];
	s->held[p->held]->held = p->held;
	s->held[s->n_held] = NULL;
}

static bool fd_says_dead(int pidfd)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };

	return poll(&pfd, 1, 0) != 0;
}

/* Takes the place of a record that is not used in this decision: in the first round of one that has not been used for a while, so that a
 * shell keeps its own while its children come and go. */
static bool make_place(struct shk_procs *s)
{
	if (s->n_held < SHK_HELD_MAX)
		return true;
	for (unsigned i = 0; i < 2 * SHK_HELD_MAX; i++) {
		struct shk_proc *p = s->held[s->hand++ % SHK_HELD_MAX];

		if (p->checked == s->decision || (i < SHK_HELD_MAX && s->decision - p->checked < SHK_HELD_MAX))
			continue;
		/* Without the descriptor its start time has to tell it from a successor. */
		if (fd_says_dead(p->pidfd) || (!p->start && !shk_read_stat(p)))
			p->dead = true;
		let_go(s, p);
		return true;
	}
	return false;
}

static bool hold(struct shk_procs *s, struct shk_proc *p)
{
	int fd = shk_pidfd_open(p->tid, 0);

	/* Of other threads there is none of this kind (pidfd_open(2)). */
	p->leader = fd >= 0;
	/* Not a leader: EINVAL before 6.13, ENOENT since. */
	if (fd == -EINVAL || fd == -ENOENT)
		fd = shk_pidfd_open(p->tid, PIDFD_OF_THREAD);
	if (fd == -ESRCH)
		return false;
	if (fd < 0 || !make_place(s)) {
		/* An old kernel's thread, or no descriptor to spare. */
		if (fd >= 0)
			close(fd);
		return shk_read_stat(p);
	}
	p->pidfd = fd;
	p->held = s->n_held;
	s->held[s->n_held++] = p;
	return !fd_says_dead(fd);
}

/* ---- order of use ---- */

static void unlink_lru(struct shk_procs *s, struct shk_proc *p)
{
	*(p->newer ? &p->newer->older : &s->newest) = p->older;
	*(p->older ? &p->older->newer : &s->oldest) = p->newer;
	p->newer = p->older = NULL;
}

static void push_newest(struct shk_procs *s, struct shk_proc *p)
{
	p->newer = NULL;
	p->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = p;
	s->newest = p;
}

static void forget(struct shk_container *c, struct shk_proc *p)
{
	struct shk_procs *s = c->proc_state;

	for (unsigned f = 0; f < SHK_FACT_N; f++)
		shk_proc_drop(p, f);
	let_go(s, p);
	unlink_lru(s, p);
	shk_map_del_u64(&c->procs, (uint64_t)p->tid);
	c->n_procs--;
	free(p);
}

/* Nothing that was looked at in this decision is freed: callers hold pointers. */
static void trim(struct shk_container *c)
{
	struct shk_procs *s = c->proc_state;

	while (s->oldest && (c->n_procs >= SHK_PROCS_MAX || s->bytes > BYTES_MAX) &&
	       s->oldest->checked != s->decision)
		forget(c, s->oldest);
}

/* ---- records ---- */

bool shk_procs_marked(const struct shk_procs *s, pid_t tid, uint64_t start)
{
	for (unsigned i = 0; i < SHK_MIN(s->n_marks, SHK_MARKS_MAX); i++)
		if (s->mark[i].tid == tid && (!start || s->mark[i].start == start))
			return true;
	return false;
}

struct shk_proc *shk_procs_peek(struct shk_container *c, pid_t tid)
{
	struct shk_procs *s = c->proc_state;

	if (s && s->newest && s->newest->tid == tid)
		return s->newest;
	return shk_map_get_u64(&c->procs, (uint64_t)tid);
}

static struct shk_proc *create(struct shk_container *c, pid_t tid)
{
	struct shk_procs *s = c->proc_state;
	struct shk_proc *p;

	trim(c);
	if (c->n_procs >= SHK_PROCS_MAX)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->c = c;
	p->tid = tid;
	p->pidfd = -1;
	if (!hold(s, p) || shk_map_set_u64(&c->procs, (uint64_t)tid, p) < 0) {
		let_go(s, p);
		free(p);
		return NULL;
	}
	c->n_procs++;
	p->made = p->checked = s->decision;
	p->serial = ++s->serial;
	p->inside = tid == c->init_pid;
	push_newest(s, p);
	if (s->n_marks && shk_procs_marked(s, tid, 0))
		p->session = shk_read_stat(p) && shk_procs_marked(s, tid, p->start);
	return p;
}

bool shk_proc_alive(struct shk_proc *p)
{
	uint64_t now_ns;

	if (p->base)
		return shk_proc_alive(p->base);
	if (p->dead)
		return false;
	now_ns = shk_now_coarse();
	if (p->alive_ns && now_ns - p->alive_ns < FRESH_NS)
		return true;
	p->alive_ns = now_ns;
	if (p->pidfd >= 0) {
		p->dead = fd_says_dead(p->pidfd);
	} else {
		struct shk_proc now = { .c = p->c, .tid = p->tid, .pidfd = -1 };

		p->dead = !shk_read_stat(&now) || (p->start && now.start != p->start);
	}
	return !p->dead;
}

struct shk_proc *shk_procs_get(struct shk_container *c, pid_t tid)
{
	struct shk_procs *s = shk_procs_of(c);
	struct shk_proc *p;

	if (!s || tid <= 0)
		return NULL;
	p = shk_procs_peek(c, tid);
	if (!p)
		return create(c, tid);
	if (p->checked == s->decision)
		return p->dead ? NULL : p;
	if (!shk_proc_alive(p)) {
		forget(c, p);
		return create(c, tid);
	}
	p->checked = s->decision;
	shk_proc_begin_decision(p);
	if (s->newest != p) {
		unlink_lru(s, p);
		push_newest(s, p);
	}
	return p;
}

struct shk_proc *shk_proc_in_arena(struct shk_arena *arena, pid_t tid)
{
	struct shk_proc *p = tid > 0 ? SHK_ARENA_NEW(arena, struct shk_proc) : NULL;

	if (!p)
		return NULL;
	p->arena = arena;
	p->tid = tid;
	p->pidfd = -1;
	return shk_read_stat(p) ? p : NULL;
}

void shk_procs_flush(struct shk_container *c)
{
	struct shk_procs *s = c->proc_state;

	while (s && s->oldest)
		forget(c, s->oldest);
}

void shk_procs_free(struct shk_container *c)
{
	struct shk_procs *s = c->proc_state;

	while (s && s->oldest)
		forget(c, s->oldest);
	shk_map_done(&c->procs);
	free(s);
	c->proc_state = NULL;
}
