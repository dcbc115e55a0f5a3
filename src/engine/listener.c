// SPDX-License-Identifier: Apache-2.0
/*
 * A seccomp listener: from the moment it is ours until its last task is gone.
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "engine/internal.h"
#include "sources/notify/notify.h"

struct shk_listener *shk_listener_new(struct shk_entry *e, int fd, bool session)
{
	struct shk_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return NULL;
	}
	atomic_init(&l->refs, 1);
	l->g = e->g;
	l->e = shk_entry_ref(e);
	l->fd = fd;
	l->session = session;
	l->key = shk_engine_key(e->g);
	pthread_mutex_init(&l->wlock, NULL);
	pthread_mutex_init(&l->arm_lock, NULL);
	return l;
}

struct shk_listener *shk_listener_ref(struct shk_listener *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void shk_listener_unref(struct shk_listener *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	shk_close(&l->fd);
	shk_entry_unref(l->e);
	pthread_mutex_destroy(&l->wlock);
	pthread_mutex_destroy(&l->arm_lock);
	free(l);
}

static struct json_object *blob_of(struct shk_listener *l)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "container", json_object_new_int64((int64_t)l->e->ctr->key));
	json_object_object_add(o, "session", json_object_new_int(l->session));
	json_object_object_add(o, "armed", json_object_new_int((int)atomic_load(&l->armed)));
	if (l->attached)
		json_object_object_add(o, "attached", json_object_new_boolean(true));
	if (!l->session && atomic_load(&l->e->filters))
		json_object_object_add(o, "filters", json_object_new_int((int)atomic_load(&l->e->filters)));
	if (l->session_root)
		json_object_object_add(o, "session_root", json_object_new_int(l->session_root));
	if (l->runtime_pid) {
		json_object_object_add(o, "runtime_pid", json_object_new_int(l->runtime_pid));
		json_object_object_add(o, "runtime_start",
				       json_object_new_int64((int64_t)l->runtime_start));
	}
	return o;
}

static int store(struct shk_listener *l, struct shk_err *err)
{
	struct json_object *o = blob_of(l);
	int r = o ? shk_keeper_store(l->g, SHK_KEPT_LISTENER, l->key, o, l->fd, err) :
		    shk_err_set(err, ENOMEM, "out of memory");

	json_object_put(o);
	return r;
}

void shk_listener_store(struct shk_listener *l)
{
	struct shk_err err = { 0 };

	if (store(l, &err) < 0)
		shk_error("%s", err.text);
}

int shk_listener_start(struct shk_listener *l, struct shk_err *err)
{
	struct shk_engine *g = l->g;
	struct shk_entry *e = l->e;
	int r = store(l, err);

	if (r < 0)
		return r;
	l->tuned = shk_notify_tune(l->fd);
	pthread_mutex_lock(&g->reg_lock);
	l->next = e->listeners;
	e->listeners = shk_listener_ref(l);
	e->n_listeners++;
	e->n_sessions += l->session;
	e->had_listener = true;
	pthread_mutex_unlock(&g->reg_lock);
	if (!l->session && atomic_load(&l->armed) & SHK_ARMED_INIT) {
		atomic_store(&e->entered, true);
		/* Of a restored one it is not known when; what the module kept meanwhile is the container's. */
		atomic_store(&e->armed_ns, 1);
	}
	r = shk_worker_start(l, false, err);
	if (r < 0)
		shk_listener_end(l);
	return r;
}

static void on_hup(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_listener *l = arg;
	struct shk_entry *e = shk_entry_ref(l->e);
	struct shk_engine *g = l->g;

	(void)src;
	if (events & (EPOLLHUP | EPOLLERR)) {
		shk_listener_end(l);
		if (!e->n_listeners && (e->ctr->init_pid <= 0 || shk_entry_init_dead(e)))
			shk_registry_remove(g, e);
	}
	shk_entry_unref(e);
}

void shk_listener_watch(struct shk_listener *l)
{
	if (l->hup || atomic_load(&l->stop))
		return;
	l->hup = shk_loop_add_io(l->g->loop, l->fd, 0, on_hup, l);
	if (l->hup)
		shk_listener_ref(l); /* the source's */
}

/* A thread in RECV is woken by a signal; one that is about to enter it needs another. */
static void stop_workers(struct shk_listener *l)
{
	struct shk_worker *w[SHK_WORKERS_MAX + SHK_WAITERS_MAX];
	unsigned n, left;

	atomic_store(&l->stop, true);
	pthread_mutex_lock(&l->wlock);
	n = l->n_workers;
	memcpy(w, l->workers, sizeof(w));
	l->n_workers = l->n_waiters = 0;
	for (unsigned i = 0; i < n; i++)
		atomic_store(&w[i]->waits, false);
	pthread_mutex_unlock(&l->wlock);
	for (unsigned round = 0; round < 50; round++) {
		left = 0;
		for (unsigned i = 0; i < n; i++)
			if (atomic_load(&w[i]->life) == SHK_WORKER_LIVE) {
				shk_worker_wake(w[i]);
				left++;
			}
		if (!left)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = round < 10 ? 100000 : 5000000 }, NULL);
	}
	for (unsigned i = 0; i < n; i++) {
		int live = SHK_WORKER_LIVE;

		/* One that hangs in somebody's memory frees itself when it comes back. */
		atomic_store(&w[i]->retired, true);
		atomic_fetch_add(&l->g->n_abandoned, 1);
		if (atomic_compare_exchange_strong(&w[i]->life, &live, SHK_WORKER_ABANDONED)) {
			pthread_detach(w[i]->thread);
			continue;
		}
		atomic_fetch_sub(&l->g->n_abandoned, 1);
		pthread_join(w[i]->thread, NULL);
		shk_worker_free(w[i]);
	}
}

void shk_listener_end(struct shk_listener *l)
{
	struct shk_engine *g = l->g;
	struct shk_listener **at;
	bool linked;

	pthread_mutex_lock(&g->reg_lock);
	for (at = &l->e->listeners; *at && *at != l; at = &(*at)->next)
		;
	linked = *at != NULL;
	if (linked) {
		*at = l->next;
		l->e->n_listeners--;
		l->e->n_sessions -= l->session;
	}
	pthread_mutex_unlock(&g->reg_lock);
	if (!linked)
		return;
	if (l->hup) {
		shk_source_remove(TAKE_PTR(l->hup));
		shk_listener_unref(l);
	}
	stop_workers(l);
	if (!atomic_load(&g->stopping))
		shk_keeper_forget(g, SHK_KEPT_LISTENER, l->key);
	shk_listener_unref(l); /* the entry's */
}

/* ---- the watchdog ---- */

#define HELD_UP_NS 150000000ull

/* Takes the call away from a worker that is over time. */
static struct shk_call_slot *take_expired(struct shk_worker *w, uint64_t now)
{
	uint64_t c = atomic_load(&w->claim);
	struct shk_call_slot *s;

	if ((c & 3) != SHK_CLAIM_JUDGING || now < atomic_load(&w->due))
		return NULL;
	s = atomic_load(&w->slot);
	/* Fails when the worker has gone on meanwhile: the generation is another one then. */
	if (!atomic_compare_exchange_strong(&w->claim, &c, (c & ~3ull) | SHK_CLAIM_EXPIRED))
		return NULL;
	return s;
}

/* Has it been at one call for long? It may come back; other threads of the container need not wait for
 * that (THREATS B1). */
static bool held_up(const struct shk_worker *w, uint64_t now)
{
	uint64_t since = atomic_load(&w->due) - atomic_load(&w->l->e->deadline_ns);

	return (atomic_load(&w->claim) & 3) == SHK_CLAIM_JUDGING && now > since && now - since > HELD_UP_NS;
}

void shk_listener_watchdog(struct shk_listener *l, uint64_t now)
{
	struct shk_worker *gone[SHK_WORKERS_MAX + SHK_WAITERS_MAX];
	struct shk_err err = { 0 };
	unsigned n_gone = 0, stuck = 0, alive = 0, ready = 0;

	pthread_mutex_lock(&l->wlock);
	for (unsigned i = 0; i < l->n_workers;) {
		struct shk_worker *w = l->workers[i];
		struct shk_call_slot *s = take_expired(w, now);

		if (s) {
			atomic_store(&w->retired, true);
			shk_answer_deadline(l, s, atomic_load(&w->waits) ?
						    "what it opens does not answer in time" :
						    "its arguments could not be read in time");
		}
		/* A wait that is over (a FIFO, a lease): the thread is told, until it is out of it. */
		if (atomic_load(&w->retired) && atomic_load(&w->life) == SHK_WORKER_LIVE)
			shk_worker_wake(w);
		if (atomic_load(&w->life) == SHK_WORKER_ENDED) {
			gone[n_gone++] = w;
			l->workers[i] = l->workers[--l->n_workers];
			continue;
		}
		if (atomic_load(&w->waits)) {
			i++;
			continue;
		}
		/* One that has waited and is no longer needed ends in a moment. */
		if (atomic_load(&w->retired) && (atomic_load(&w->claim) & 3) == SHK_CLAIM_IDLE) {
			i++;
			continue;
		}
		if (atomic_load(&w->retired))
			stuck++;
		else
			alive++;
		ready += !atomic_load(&w->retired) && !held_up(w, now);
		i++;
	}
	for (unsigned i = 0; i < l->n_workers; i++)
		atomic_store(&l->workers[i]->blind, stuck >= SHK_WORKERS_MAX - 1);
	pthread_mutex_unlock(&l->wlock);
	for (unsigned i = 0; i < n_gone; i++) {
		pthread_join(gone[i]->thread, NULL);
		shk_worker_free(gone[i]);
	}
	if (atomic_load(&l->stop) || (!alive && !stuck && shk_notify_hung_up(l->fd)))
		return;
	/* The last place is for a worker that touches nothing of the container's. */
	if ((alive ? !ready && alive + stuck < SHK_WORKERS_MAX - 1 : stuck < SHK_WORKERS_MAX) &&
	    shk_worker_start(l, stuck == SHK_WORKERS_MAX - 1, &err) < 0)
		shk_error("%s", err.text);
	if (stuck && now - l->warned > 10000000000ull) {
		l->warned = now;
		shk_tell(l->g, l->e, SHK_PRIO_CRITICAL, "Shrike internal: worker stuck", NULL,
			 "%u workers hang in memory or files of the container%s", stuck,
			 stuck >= SHK_WORKERS_MAX - 1 ?
				 "; its calls get the deadline's verdict unseen from now on" : "");
	}
}
