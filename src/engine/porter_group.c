// SPDX-License-Identifier: Apache-2.0
/*
 * The porter's group and memory, which outlive an engine, and its threads, which do not.
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/porter.h"
#include "verdict/hold.h"

#define SHARED_BYTES (SHK_PORTER_SLOTS * sizeof(struct shk_permit_event))
#define STACK_SIZE   (256u << 10)
#define END_SECONDS  2
#define TELL_NS	     2000000000u /* on a busy machine one may be held up for a moment */

static int thread(pthread_t *t, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(t, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int shk_porter_keep(struct shk_porter *pt, uint64_t key, int fd)
{
	struct json_object *o = json_object_new_object();
	int r = o ? shk_keeper_store(pt->g, SHK_KEPT_PORTER, key, o, fd, NULL) : -ENOMEM;

	json_object_put(o);
	return r;
}

static int map(struct shk_porter *pt, int fd)
{
	void *p = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	pt->shared = p;
	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++)
		pt->slot[i].ev = pt->shared + i;
	return 0;
}

static int make_shared(struct shk_porter *pt)
{
	_cleanup_close_ int fd = memfd_create("shrike-porter", MFD_CLOEXEC);
	int r = fd < 0 || ftruncate(fd, SHARED_BYTES) < 0 ? -errno : map(pt, fd);

	return r < 0 ? r : shk_porter_keep(pt, 2, fd);
}

/* Holding the lock. */
static bool begin_reader(struct shk_porter *pt)
{
	for (unsigned i = 0; i < SHK_PORTER_READERS; i++) {
		struct shk_reader *r = &pt->reader[i];

		if (atomic_load(&r->life) != SHK_READER_NONE)
			continue;
		r->pt = pt;
		atomic_store(&r->since, 0);
		atomic_store(&r->life, SHK_READER_LIVE);
		if (thread(&r->thread, shk_porter_reader, r) == 0)
			return true;
		atomic_store(&r->life, SHK_READER_NONE);
		return false;
	}
	return false;
}

void shk_porter_watchdog(struct shk_engine *g, uint64_t now)
{
	struct shk_porter *pt = g->porter;
	unsigned free = 0, held = 0;
	bool more = true;

	if (!pt || !atomic_load(&pt->taken_over))
		return;
	for (unsigned i = 0; i < SHK_PORTER_READERS; i++) {
		struct shk_reader *r = &pt->reader[i];
		uint64_t since = atomic_load(&r->since);

		if (atomic_load(&r->life) == SHK_READER_ENDED) {
			pthread_join(r->thread, NULL);
			atomic_store(&r->life, SHK_READER_NONE);
		} else if (atomic_load(&r->life) == SHK_READER_LIVE) {
			bool is_held = since && now > since && now - since > SHK_READER_HELD_NS;

			held += is_held && now - since > TELL_NS;
			free += !is_held;
		}
	}
	if (!free) {
		pthread_mutex_lock(&pt->lock);
		more = atomic_load(&pt->stop) || begin_reader(pt);
		pthread_mutex_unlock(&pt->lock);
	}
	if (held && now - pt->warned > 10000000000ull) {
		pt->warned = now;
		shk_tell(g, NULL, SHK_PRIO_CRITICAL, "Shrike internal: exec gate held up", NULL,
			 "%u programs that are to be run cannot be opened in time, and their callers wait%s", held,
			 more ? "" : "; programs of all containers whose mounts are asked for wait with them from now on");
	}
}

int shk_porter_group(struct shk_porter *pt)
{
	int r = 0, failed = -EAGAIN;

	pthread_mutex_lock(&pt->lock);
	if (pt->group < 0 && !pt->why) {
		int fd = shk_permit_new();

		r = fd < 0 ? fd : pt->shared ? 0 : make_shared(pt);
		if (r == 0)
			r = shk_porter_keep(pt, 1, fd);
		if (r == 0) {
			pt->group = fd;
		} else {
			/* For good, or for want of memory or descriptors just now? */
			if (r == -EPERM || r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP)
				pt->why = -r;
			failed = r;
			shk_close(&fd);
		}
	}
	if (pt->group >= 0 && !pt->has_reader && !pt->restoring && !atomic_load(&pt->stop)) {
		pt->has_reader = begin_reader(pt);
		atomic_store(&pt->active, true);
	}
	r = pt->group < 0 ? (pt->why ? -pt->why : failed) : pt->has_reader || pt->restoring ? 0 : -EAGAIN;
	pthread_mutex_unlock(&pt->lock);
	return r;
}

/* Its execve has failed, or its event comes again. */
static void end_left_hold(struct shk_engine *g, uint64_t key, int fd)
{
	shk_hold_end_of(fd);
	shk_keeper_forget(g, SHK_KEPT_PORTER, key);
}

void shk_porter_restore(struct shk_engine *g, uint64_t key, int fd)
{
	struct shk_porter *pt = g->porter;

	if (key == 1 && pt->group < 0)
		pt->group = TAKE_FD(fd);
	else if (key == 2 && !pt->shared)
		(void)map(pt, fd);
	else if (key >= SHK_PORTER_HOLDS && fd >= 0)
		end_left_hold(g, key, fd);
	shk_close(&fd);
}

/* do_open_execat() comes before prepare_bprm_creds() (fs/exec.c) from 6.8 on. */
static bool opened_before_lock(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 8));
}

int shk_porter_start(struct shk_engine *g, struct shk_err *err)
{
	struct shk_porter *pt = calloc(1, sizeof(*pt));
	pthread_condattr_t attr;

	if (pt)
		pt->seen = calloc(SHK_PORTER_SEEN, sizeof(*pt->seen));
	if (!pt || !pt->seen) {
		free(pt);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	pt->g = g;
	pt->group = -1;
	pt->restoring = true;
	pt->began = shk_now_mono();
	pt->before_lock = opened_before_lock();
	pthread_mutex_init(&pt->lock, NULL);
	pthread_mutex_init(&pt->tending, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pt->work, &attr);
	pthread_condattr_destroy(&attr);
	g->porter = pt;
	return 0;
}

int shk_porter_run(struct shk_engine *g, struct shk_err *err)
{
	struct shk_porter *pt = g->porter;
	int r;

	/* Without the memory file nobody knows what waits: a new group, and the old one lets everything go. */
	if (pt->group >= 0 && !pt->shared) {
		shk_keeper_forget(g, SHK_KEPT_PORTER, 1);
		close(atomic_exchange(&pt->group, -1));
	}
	/* Whose events these are is known before the first one is read. */
	shk_porter_round(pt, true);
	pthread_mutex_lock(&pt->lock);
	pt->restoring = false;
	pthread_mutex_unlock(&pt->lock);
	if (pt->group >= 0)
		(void)shk_porter_group(pt);
	r = thread(&pt->scout, shk_porter_scout, pt);
	pt->has_scout = r == 0;
	return r < 0 ? shk_err_sys(err, -r, "start a thread") : 0;
}

/* One in the middle of opening a file may never come back: it is left behind, with what it uses. */
static void end_reader(struct shk_porter *pt, struct shk_reader *r, const struct timespec *until)
{
	if (atomic_load(&r->life) == SHK_READER_NONE)
		return;
	if (pthread_clockjoin_np(r->thread, NULL, CLOCK_MONOTONIC, until) == 0)
		atomic_store(&r->life, SHK_READER_NONE);
	else
		pt->left_behind = true;
}

void shk_porter_stop(struct shk_engine *g)
{
	struct shk_porter *pt = g->porter;
	struct timespec until;

	if (!pt)
		return;
	pthread_mutex_lock(&pt->lock);
	atomic_store(&pt->stop, true);
	pthread_cond_broadcast(&pt->work);
	pthread_mutex_unlock(&pt->lock);
	if (pt->has_scout)
		pthread_join(pt->scout, NULL);
	/* All together: the keeper waits for the engine's end no longer than that of a few. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += END_SECONDS;
	for (unsigned i = 0; i < SHK_PORTER_READERS; i++)
		end_reader(pt, &pt->reader[i], &until);
	pt->has_scout = pt->has_reader = false;
	/* Nobody looks after their deadlines any more, and the end of their jobs is waited for. */
	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++)
		if (atomic_load(&pt->slot[i].state) == SHK_PORTER_RUNS)
			shk_porter_answer(pt, &pt->slot[i], false);
}

void shk_porter_free(struct shk_engine *g)
{
	struct shk_porter *pt = TAKE_PTR(g->porter);

	if (!pt || pt->left_behind)
		return;
	for (unsigned i = 0; i < SHK_PORTER_SLOTS; i++)
		shk_entry_unref(pt->slot[i].e);
	if (pt->group >= 0)
		close(pt->group);
	if (pt->shared)
		munmap(pt->shared, SHARED_BYTES);
	pthread_cond_destroy(&pt->work);
	pthread_mutex_destroy(&pt->lock);
	pthread_mutex_destroy(&pt->tending);
	free(pt->seen);
	free(pt);
}
