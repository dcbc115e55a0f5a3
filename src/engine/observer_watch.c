// SPDX-License-Identifier: Apache-2.0
/*
 * Which containers the module watches, and for what.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/observer_impl.h"

#define PATIENCE_MS 50 /* for what a container did last */

uint32_t shk_observer_index(const struct shk_entry *e)
{
	/* Keys are microseconds: two containers of one index were registered to the microsecond a multiple of 36 minutes apart. */
	return (uint32_t)(e->ctr->key % SHRIKE_INDEX_MAX) + 1;
}

/* Is pid the first process of its pid namespace? Another one's namespace is not the container's alone. */
static bool leads_namespace(pid_t pid)
{
	char path[64], buf[4096], *at, *end;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = 0;
	/* The name is escaped there: a line begins where one does. */
	at = strstr(buf, "\nNSpid:");
	end = at ? strchr(at + 1, '\n') : NULL;
	if (!end)
		return false;
	*end = 0;
	at = strrchr(at, '\t');
	return at && strcmp(at, "\t1") == 0 && pid != 1;
}

static int open_cgroup(const struct shk_container *c)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char path[4200];
	int fd = -1;

	for (size_t i = 0; c->cgroup.n > 1 && c->cgroup.n < 4096 && fd < 0 && i < SHK_ARRAY_SIZE(mounts); i++) {
		snprintf(path, sizeof(path), "%s" SHK_STR_FMT, mounts[i], SHK_STR_ARG(c->cgroup));
		/* cgroup.procs is in every cgroup, and in no other directory. */
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && faccessat(fd, "cgroup.procs", F_OK, 0) < 0)
			shk_close(&fd);
	}
	return fd;
}

/* A namespace or a cgroup that belongs to another container as well, or a cgroup of version 1, is left out. */
static int add(struct shk_observer *o, struct shk_entry *e, const struct shk_observe *what, struct shk_err *err)
{
	_cleanup_close_ int cgroup = open_cgroup(e->ctr);
	int pid = leads_namespace(e->ctr->init_pid) ? (int)e->ctr->init_pid : 0, r = -ENOENT;
	struct shk_kmod_scope s = { .index = shk_observer_index(e), .classes = what->classes, .native = what->native,
				    .compat = what->compat, .leases = (uint32_t)what->leases, .at_once = true };
	const struct { int cgroup, pid; } tries[] = { { cgroup, pid }, { cgroup, 0 }, { -1, pid } };

	if (cgroup < 0 && !pid)
		return shk_err_set(err, EINVAL, "it has neither a pid namespace nor a cgroup (of version 2) of its own");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(tries); i++) {
		if ((tries[i].cgroup < 0 && !tries[i].pid) ||
		    (i && tries[i].cgroup == tries[0].cgroup && tries[i].pid == tries[0].pid))
			continue;
		s.cgroup_fd = tries[i].cgroup;
		s.pid = tries[i].pid;
		r = shk_kmod_add(o->k, &s, err);
		if (r != -EEXIST && r != -EOPNOTSUPP && r != -EINVAL)
			break;
	}
	return r;
}

static int set(struct shk_observer *o, struct shk_entry *e, const struct shk_observe *what, struct shk_err *err)
{
	const struct shk_kmod_scope s = { .index = shk_observer_index(e), .classes = what->classes, .native = what->native,
					  .compat = what->compat, .leases = (uint32_t)what->leases, .cgroup_fd = -1 };

	return shk_kmod_set(o->k, &s, err);
}

/* An earlier engine had it watched? Then it is taken over. */
static bool take_left(struct shk_observer *o, uint32_t index)
{
	for (unsigned i = 0; i < o->n_left; i++)
		if (o->left[i] == index) {
			o->left[i] = o->left[--o->n_left];
			return true;
		}
	return false;
}

struct shk_entry *shk_observer_forget(struct shk_observer *o, uint32_t index)
{
	struct shk_observed *w = shk_map_del_u64(&o->by_index, index);
	struct shk_entry *e = w ? w->e : NULL;

	if (e) {
		atomic_store(&e->held_execs, false);
		atomic_store(&e->module_holds, false);
	}
	free(w);
	return e;
}

/* A container that its tasks can leave is no place for leases: outside nobody compares. */
static void allow_leases(struct shk_observed *w, bool wanted)
{
	atomic_store(&w->e->module_holds, w->what.leases & SHRIKE_HOLD_EXEC);
	atomic_store(&w->e->held_execs, wanted && w->what.leases && w->by_ns);
}

/* Holding lock. *drop: an entry whose reference is to be dropped. */
static int watch(struct shk_observer *o, struct shk_entry *e, struct shk_observe *what, struct shk_entry **drop,
		 struct shk_err *err)
{
	uint32_t index = shk_observer_index(e);
	struct shk_observed *w = shk_map_get_u64(&o->by_index, index);
	bool adopted = false, wanted = what->leases;
	struct shk_kmod_watched is = { 0 };
	int r;

	if (w && w->e != e)
		return shk_err_set(err, EEXIST, "another container has its index in the kernel module");
	if (!w)
		adopted = take_left(o, index);
	if (adopted)
		(void)shk_kmod_look_up(o->k, index, &is, NULL);
	shk_observer_hold_wanted(o, w ? (uint32_t)w->what.leases : is.leases, what);
	if (w && !memcmp(&w->what, what, sizeof(*what))) {
		allow_leases(w, wanted);
		return 0;
	}
	if (!what->classes) {
		if (w || adopted)
			(void)shk_kmod_remove(o->k, index, NULL);
		*drop = shk_observer_forget(o, index);
		return 0;
	}
	/* Not there any more, if its namespace has ended meanwhile. */
	r = w || adopted ? set(o, e, what, err) : add(o, e, what, err);
	if (r == 0 && !w) {
		w = calloc(1, sizeof(*w));
		if (!w || shk_map_set_u64(&o->by_index, index, w) < 0) {
			free(w);
			(void)shk_kmod_remove(o->k, index, NULL);
			return shk_err_set(err, ENOMEM, "out of memory");
		}
		w->e = shk_entry_ref(e);
		w->index = index;
		w->lost = adopted ? shk_observer_lost_of(o, index) : 0;
		w->by_ns = shk_kmod_look_up(o->k, index, &is, NULL) == 0 && is.by_ns;
	}
	if (r == 0) {
		w->what = *what;
		allow_leases(w, wanted);
	}
	return r;
}

void shk_observer_watch(struct shk_engine *g, struct shk_entry *e, bool anew)
{
	struct shk_observer *o = g->observer;
	SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *arm = NULL;
	struct shk_entry *drop = NULL;
	const struct shk_plan *plan;
	const struct shk_policy *p;
	struct shk_observe what;
	struct shk_err err = { 0 };
	bool reading, removed;
	int r = 0;

	/* Every filter notifies execve: without it there is none yet. */
	if (!o || e->ctr->init_pid <= 0 || !(e->notified[SHK_CALL_execve / 64] >> SHK_CALL_execve % 64 & 1) ||
	    (!anew && atomic_load(&e->observed) != SHK_OBSERVED_NOT))
		return;
	pthread_mutex_lock(&o->lock);
	reading = o->k;
	pthread_mutex_unlock(&o->lock);
	if (!reading || shk_entry_init_dead(e))
		return;
	arm = shk_entry_armed_with(e, &p);
	plan = shk_armoury_plan(arm, p);
	if (!plan)
		return;
	shk_observe_make(p, plan, e->notified, &what);
	pthread_mutex_lock(&o->lock);
	if (o->k) {
		r = watch(o, e, &what, &drop, &err);
		/* Nobody waits for probes being taken off: it is tried again by the second. */
		atomic_store(&e->observed, r == -EAGAIN ? SHK_OBSERVED_NOT : r < 0 ? SHK_OBSERVED_FAILED :
				       what.classes ? SHK_OBSERVED_YES : SHK_OBSERVED_NOTHING);
	}
	pthread_mutex_unlock(&o->lock);
	shk_entry_unref(drop);
	if (r < 0 && r != -EAGAIN)
		shk_warning("container " SHK_STR_FMT " is not watched by the kernel module: %s", SHK_STR_ARG(e->ctr->id), err.text);
	/* The number was its init's all the time, or somebody else is watched now; and the container may be over since. */
	pthread_mutex_lock(&g->reg_lock);
	removed = e->removed;
	pthread_mutex_unlock(&g->reg_lock);
	if (atomic_load(&e->observed) == SHK_OBSERVED_YES && (removed || shk_entry_init_dead(e)))
		shk_observer_unwatch(g, e);
}

void shk_observer_unwatch(struct shk_engine *g, struct shk_entry *e)
{
	struct shk_observer *o = g->observer;
	uint64_t until = shk_now_mono() + PATIENCE_MS * 1000000ull;
	const struct timespec ts = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
	struct shk_entry *drop = NULL;
	struct shk_observed *w;
	int r = 0;

	if (!o || atomic_load(&e->observed) != SHK_OBSERVED_YES)
		return;
	pthread_mutex_lock(&o->lock);
	w = shk_map_get_u64(&o->by_index, shk_observer_index(e));
	if (w && w->e == e) {
		if (o->k)
			(void)shk_kmod_remove(o->k, w->index, NULL);
		w->ending = o->started;
		(void)eventfd_write(o->wake, 1);
		while (r == 0 && w && w->e == e && w->ending) {
			r = pthread_cond_clockwait(&o->passed, &o->lock, CLOCK_MONOTONIC, &ts);
			w = shk_map_get_u64(&o->by_index, shk_observer_index(e));
		}
		if (w && w->e == e)
			drop = shk_observer_forget(o, w->index);
	}
	pthread_mutex_unlock(&o->lock);
	atomic_store(&e->observed, SHK_OBSERVED_NOT);
	shk_entry_unref(drop);
}

void shk_observer_settle(struct shk_engine *g)
{
	struct shk_observer *o = g->observer;

	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	while (o->k && o->n_left)
		(void)shk_kmod_remove(o->k, o->left[--o->n_left], NULL);
	pthread_mutex_unlock(&o->lock);
}

void shk_observer_drop_all(struct shk_observer *o)
{
	struct shk_map_slot *s;

	for (size_t pos = 0; (s = shk_map_next(&o->by_index, &pos));) {
		struct shk_observed *w = s->value;

		if (o->k)
			(void)shk_kmod_remove(o->k, w->index, NULL);
		atomic_store(&w->e->observed, SHK_OBSERVED_NOT);
		/* Should it be the last: what frees an entry takes no lock of ours. */
		shk_entry_unref(shk_observer_forget(o, w->index));
	}
}
