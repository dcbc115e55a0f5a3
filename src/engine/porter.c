// SPDX-License-Identifier: Apache-2.0
#include "engine/porter.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/actor.h"

#define IDLE_MS	     100
#define TEND_EVERY   64u /* events, where they never end */
#define BUSY_MS	     2
#define LOOK_NS	     1000000000ull
#define DIRTY_NS     200000000ull /* a mount call that was let go has had its effect by then */
#define DIRTY_NAP_NS 5000000ull
#define FRESH_MS     10u	  /* less than it takes to use up all numbers of tasks, on however many processors */
#define TID_BITS     22u	  /* PID_MAX_LIMIT, linux/threads.h */
#define PER_LOOK     256u	  /* containers whose mounts are looked at in one round */

/* ---- who has our filter ---- */

static uint64_t boot_ms(void)
{
	return shk_now_boot() / 1000000u;
}

void shk_porter_seen(struct shk_entry *e, const struct seccomp_notif *n)
{
	struct shk_porter *pt = e->g->porter;
	const struct shk_syscall *call = pt ? shk_syscall_of(n->data.arch, n->data.nr) : NULL;

	if (!call)
		return;
	switch (call->id) {
	case SHK_CALL_execve:
	case SHK_CALL_execveat:
		shk_porter_expect_nothing(pt, (pid_t)n->pid);
		atomic_store(&pt->seen[n->pid % SHK_PORTER_SEEN], boot_ms() << TID_BITS | n->pid);
		break;
	case SHK_CALL_mount:
	case SHK_CALL_umount2:
	case SHK_CALL_move_mount:
	case SHK_CALL_mount_setattr:
	case SHK_CALL_pivot_root:
	case SHK_CALL_unshare: /* copies of mounts are not marked */
	case SHK_CALL_setns:
		pthread_mutex_lock(&pt->lock);
		pt->dirty_until = shk_now_mono() + DIRTY_NS;
		atomic_store(&e->dirty_until, pt->dirty_until);
		pthread_cond_signal(&pt->work);
		pthread_mutex_unlock(&pt->lock);
		break;
	default:
		break;
	}
}

bool shk_porter_has_seen(struct shk_porter *pt, pid_t tid)
{
	uint64_t v = atomic_load(&pt->seen[(uint32_t)tid % SHK_PORTER_SEEN]), at = v >> TID_BITS, start;

	if ((v & ((1u << TID_BITS) - 1)) != (uint32_t)tid)
		return false;
	if (boot_ms() - at < FRESH_MS)
		return true;
	/* Who has this number now had it then, or has begun later. */
	start = shk_start_time(tid);
	return start && start * 1000u / (uint64_t)sysconf(_SC_CLK_TCK) <= at;
}

void shk_porter_decide(struct shk_porter *pt, pid_t tid, uint64_t start, bool allow)
{
	unsigned i;

	pthread_mutex_lock(&pt->lock);
	for (i = 0; i < SHK_PORTER_DECIDED; i++)
		if (pt->decided[i].tid == tid && pt->decided[i].start == start)
			break;
	if (i == SHK_PORTER_DECIDED)
		i = pt->n_decided++ % SHK_PORTER_DECIDED;
	pt->decided[i].tid = tid;
	pt->decided[i].start = start;
	pt->decided[i].allow = allow;
	pthread_mutex_unlock(&pt->lock);
}

static bool decided(struct shk_porter *pt, pid_t tid, uint64_t start, bool *allow)
{
	bool found = false;

	pthread_mutex_lock(&pt->lock);
	for (unsigned i = 0; i < SHK_PORTER_DECIDED && !found; i++) {
		found = pt->decided[i].tid == tid && pt->decided[i].start == start;
		*allow = pt->decided[i].allow;
	}
	pthread_mutex_unlock(&pt->lock);
	return found;
}

/* ---- events ---- */

/* Reader and job may both come to it, and whoever comes late may find another event there: it goes on from the state it saw. */
static void answer_from(struct shk_porter *pt, struct shk_porter_slot *s, int state, bool allow)
{
	if (!atomic_compare_exchange_strong(&s->state, &state, SHK_PORTER_ANSWERING))
		return;
	(void)shk_permit_answer(pt->group, s->ev->fd, allow);
	/* Once closed, its number may be another event's: the next engine must not answer that one for it. */
	s->ev->len = 0;
	/* The number of an earlier engine's descriptor says nothing here. */
	if (s->ev->reserved)
		close(s->ev->fd);
	atomic_store(&s->state, SHK_PORTER_ANSWERED);
}

void shk_porter_answer(struct shk_porter *pt, struct shk_porter_slot *s, bool allow)
{
	int state = atomic_load(&s->state);

	if (state == SHK_PORTER_READING || state == SHK_PORTER_WAITS || state == SHK_PORTER_RUNS)
		answer_from(pt, s, state, allow);
}

void shk_porter_done(struct shk_porter *pt, struct shk_porter_slot *s)
{
	shk_porter_answer(pt, s, false);
	/* Another thread may be in the middle of it: the place is not free before. */
	while (atomic_load(&s->state) == SHK_PORTER_ANSWERING)
		sched_yield();
	shk_entry_unref(TAKE_PTR(s->e));
	s->ev->len = 0;
	atomic_store(&s->state, SHK_PORTER_FREE);
}

static void answer_now(struct shk_porter *pt, struct shk_porter_slot *s, bool allow)
{
	shk_porter_answer(pt, s, allow);
	shk_porter_done(pt, s);
}

static void handle(struct shk_porter *pt, struct shk_porter_slot *s)
{
	pid_t tid = s->ev->tid;
	struct shk_entry *e;
	bool allow;

	if (shk_porter_has_seen(pt, tid)) {
		answer_now(pt, s, !s->ev->reserved || shk_porter_check(pt, tid, s->ev->fd));
		return;
	}
	e = shk_porter_whose(pt->g, tid);
	if (!e || atomic_load(&e->released)) {
		shk_entry_unref(e);
		answer_now(pt, s, true);
		return;
	}
	s->e = e;
	s->start = shk_start_time(tid);
	s->due = shk_now_mono() + atomic_load(&e->deadline_ns);
	if (decided(pt, tid, s->start, &allow))
		answer_now(pt, s, allow);
	else
		(void)shk_porter_session(pt, s);
}

/* Sessions in line begin, and end at their deadline. Are there any? One thread at a time: a slot in line is its. */
static bool tend(struct shk_porter *pt)
{
	uint64_t now = shk_now_mono();
	bool any = false;

	if (pthread_mutex_trylock(&pt->tending) != 0)
		return true;
	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++) {
		struct shk_porter_slot *s = &pt->slot[i];
		int state = atomic_load(&s->state);

		if (state == SHK_PORTER_FREE || state == SHK_PORTER_READING)
			continue;
		any = true;
		if (state == SHK_PORTER_WAITS && now >= s->due) {
			shk_porter_tell(s->e, s->ev->tid, "was refused", "too many others are being looked at");
			shk_porter_done(pt, s);
		} else if (state == SHK_PORTER_WAITS) {
			(void)shk_porter_session(pt, s);
		} else if (state == SHK_PORTER_RUNS && now >= s->due) {
			answer_from(pt, s, SHK_PORTER_RUNS, false); /* the job goes on, and sees it */
		}
	}
	pthread_mutex_unlock(&pt->tending);
	return any;
}

/* Numbers of descriptors are the dead engine's: they are answered before new ones can be equal to them. */
static void take_over(struct shk_porter *pt)
{
	bool any;

	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++)
		if (pt->slot[i].ev->len && atomic_load(&pt->slot[i].state) == SHK_PORTER_FREE) {
			pt->slot[i].ev->reserved = 0;
			atomic_store(&pt->slot[i].state, SHK_PORTER_READING);
			handle(pt, &pt->slot[i]);
		}
	do {
		any = false;
		(void)tend(pt);
		for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++) {
			int state = atomic_load(&pt->slot[i].state);

			any |= state == SHK_PORTER_WAITS || state == SHK_PORTER_RUNS;
		}
		if (any)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	} while (any && !atomic_load(&pt->stop));
}

static struct shk_porter_slot *free_slot(struct shk_porter *pt)
{
	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++) {
		int state = SHK_PORTER_FREE;

		if (atomic_compare_exchange_strong(&pt->slot[i].state, &state, SHK_PORTER_READING))
			return &pt->slot[i];
	}
	return NULL;
}

static void give_back(struct shk_porter_slot *s)
{
	s->ev->len = 0;
	atomic_store(&s->state, SHK_PORTER_FREE);
}

/* Has another one taken its place meanwhile? Then one of the two is enough. */
static bool is_spare(const struct shk_reader *r)
{
	const struct shk_porter *pt = r->pt;

	for (unsigned i = 0; i < SHK_PORTER_READERS; i++)
		if (&pt->reader[i] != r && atomic_load(&pt->reader[i].life) == SHK_READER_LIVE && !atomic_load(&pt->reader[i].since))
			return true;
	return false;
}

/* One at a time, or two would take each other for the one that stays. */
static bool leaves(struct shk_reader *me)
{
	bool spare;

	pthread_mutex_lock(&me->pt->lock);
	spare = is_spare(me);
	if (spare)
		atomic_store(&me->life, SHK_READER_ENDED);
	pthread_mutex_unlock(&me->pt->lock);
	return spare;
}

void *shk_porter_reader(void *arg)
{
	struct shk_reader *me = arg;
	struct shk_porter *pt = me->pt;
	unsigned in_a_row = 0;

	/* Whoever arms a container may make it, and it starts jobs, which move processes between control groups. */
	(void)shk_actor_begin_thread();
	if (!atomic_load(&pt->taken_over)) {
		take_over(pt);
		atomic_store(&pt->taken_over, true);
	}
	while (!atomic_load(&pt->stop)) {
		struct shk_porter_slot *s = free_slot(pt);
		struct pollfd p = { .fd = pt->group, .events = POLLIN };
		uint64_t since = shk_now_mono();
		int r;

		atomic_store(&me->since, since);
		r = s ? shk_permit_read(pt->group, s->ev) : -EAGAIN;
		if (r == 0 && s->ev->fd >= 0) {
			s->ev->reserved = 1; /* the descriptor is this process's */
			/* Perhaps nobody waits for this thread any more: the next engine finds it. */
			if (atomic_load(&pt->stop))
				break;
			handle(pt, s);
			atomic_store(&me->since, 0);
			if (++in_a_row % TEND_EVERY == 0)
				(void)tend(pt);
			if (shk_now_mono() - since > SHK_READER_HELD_NS && leaves(me))
				return NULL;
			continue;
		}
		if (s)
			give_back(s);
		atomic_store(&me->since, 0);
		if (!tend(pt))
			(void)poll(&p, 1, IDLE_MS);
		else if (!s)
			nanosleep(&(struct timespec){ .tv_nsec = BUSY_MS * 1000000 }, NULL);
		else
			(void)poll(&p, 1, BUSY_MS);
	}
	atomic_store(&me->life, SHK_READER_ENDED);
	return NULL;
}

/* ---- the scout ---- */

void shk_porter_round(struct shk_porter *pt, bool round)
{
	static const unsigned forced_every = 16;
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(pt->g, &n);
	uint64_t now = shk_now_mono();
	size_t from = 0, k = n;

	/* Very many are looked at in turns. */
	if (n > PER_LOOK && round && !pt->restoring) {
		from = pt->round * PER_LOOK % n;
		k = PER_LOOK;
	}
	for (size_t i = 0; i < n; i++) {
		/* Who changes mounts without end has its own looked at, and nobody else's. */
		bool turn = round ? (i + n - from) % n < k : now < atomic_load(&all[i]->dirty_until) + 2 * DIRTY_NAP_NS;

		if (turn && atomic_load(&all[i]->entered))
			shk_porter_mark(all[i], round && pt->round % forced_every == 0);
		shk_entry_unref(all[i]);
	}
	pt->round += round;
}

void *shk_porter_scout(void *arg)
{
	struct shk_porter *pt = arg;
	uint64_t next = shk_now_mono() + LOOK_NS;

	pthread_mutex_lock(&pt->lock);
	while (!atomic_load(&pt->stop)) {
		uint64_t now = shk_now_mono(), due = now < pt->dirty_until ? now + DIRTY_NAP_NS : next;
		struct timespec ts = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
		bool dirty;

		pthread_cond_timedwait(&pt->work, &pt->lock, &ts);
		if (atomic_load(&pt->stop))
			break;
		now = shk_now_mono();
		/* Once more when it is over. */
		dirty = now < pt->dirty_until + 2 * DIRTY_NAP_NS;
		pthread_mutex_unlock(&pt->lock);
		if (now >= next) {
			shk_porter_round(pt, true);
			shk_porter_look(pt);
			next = shk_now_mono() + LOOK_NS;
		} else if (dirty) {
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			shk_porter_round(pt, false);
		}
		pthread_mutex_lock(&pt->lock);
	}
	pthread_mutex_unlock(&pt->lock);
	return NULL;
}
