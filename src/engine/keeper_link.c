// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's end of the keeper's store (shriked/keeper_proto.h).
 *
 * A packet that was sent counts as stored: the keeper reads what is left in the socket before it hands
 * anything to the next engine. So nobody waits for acknowledgements; a refusal is only logged.
 * Containers and pending wrappers are JSON in a memfd (config.json's facts can be larger than a
 * packet), listeners are the descriptor and a small JSON blob.
 */
#include <errno.h>
#include <time.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/porter.h"
#include "shriked/keeper_proto.h"

#define RECORD_MAX (2u << 20)

static uint64_t stored_key(enum shk_kept kind, uint64_t key)
{
	return (uint64_t)kind << 56 | key;
}

static int put(struct shk_engine *g, uint32_t op, uint64_t key, const void *blob, size_t n, int fd)
{
	_cleanup_free_ struct shk_keeper_msg *m = calloc(1, sizeof(*m) + n);
	ssize_t r;

	if (!m)
		return -ENOMEM;
	*m = (struct shk_keeper_msg){ .op = op, .len = (uint32_t)n, .key = key };
	if (n)
		memcpy(m->blob, blob, n);
	pthread_mutex_lock(&g->keeper_lock);
	r = shk_send_fds(g->keeper_fd, m, sizeof(*m) + n, &fd, fd >= 0 ? 1 : 0);
	pthread_mutex_unlock(&g->keeper_lock);
	return r < 0 ? (int)r : 0;
}

static int as_memfd(const char *text)
{
	int fd = memfd_create("shrike-record", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = shk_write_all(fd, text, strlen(text));
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int shk_keeper_store(struct shk_engine *g, enum shk_kept kind, uint64_t key,
		     struct json_object *blob, int fd, struct shk_err *err)
{
	const char *text;
	int r;

	if (g->keeper_fd < 0)
		return 0;
	text = json_object_to_json_string_ext(blob, JSON_C_TO_STRING_PLAIN);
	if (!text)
		return shk_err_set(err, ENOMEM, "out of memory");
	if (fd >= 0) {
		r = put(g, SHK_KEEPER_STORE, stored_key(kind, key), text, strlen(text), fd);
	} else {
		_cleanup_close_ int m = as_memfd(text);

		r = m < 0 ? m : put(g, SHK_KEEPER_STORE, stored_key(kind, key), NULL, 0, m);
	}
	return r < 0 ? shk_err_sys(err, -r, "hand a record to the keeper") : 0;
}

void shk_keeper_forget(struct shk_engine *g, enum shk_kept kind, uint64_t key)
{
	if (g->keeper_fd >= 0)
		(void)put(g, SHK_KEEPER_FORGET, stored_key(kind, key), NULL, 0, -1);
}

void shk_keeper_ready(struct shk_engine *g)
{
	if (g->keeper_fd >= 0)
		(void)put(g, SHK_KEEPER_READY, 0, NULL, 0, -1);
}

void shk_keeper_status(struct shk_engine *g, const char *text)
{
	if (g->keeper_fd >= 0)
		(void)put(g, SHK_KEEPER_RELOADED, 0, text, strlen(text), -1);
}

/* Acknowledgements must be read, or the keeper waits for room and reads no more itself. */
static void on_keeper(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_engine *g = arg;

	(void)events;
	for (;;) {
		struct shk_keeper_msg m;
		int fd = -1;
		size_t nfds = 1;
		ssize_t n = shk_recv_fds(g->keeper_fd, &m, sizeof(m), &fd, &nfds, MSG_DONTWAIT);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n < (ssize_t)sizeof(m)) {
			shk_error("the keeper is gone: nothing survives this engine now");
			shk_source_remove(src);
			return;
		}
		if (m.op == SHK_KEEPER_GATEWAY && nfds && g->sinks)
			shk_sinks_gateway(g->sinks, TAKE_FD(fd));
		shk_close(&fd);
		if (m.op == SHK_KEEPER_ACK && m.status)
			shk_error("the keeper does not hold an entry: %s; its calls will fail if this engine ends",
				  strerror((int)m.status));
	}
}

/* ---- restoring ---- */

struct have {
	struct have *next;
	uint64_t key;
	struct json_object *o;
	int fd;
};

static struct json_object *record_of(struct shk_str blob, int fd)
{
	struct json_object *o = NULL;
	struct shk_buf b;

	if (blob.n)
		return shk_json_parse(blob, RECORD_MAX, NULL);
	shk_buf_init(&b, RECORD_MAX);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 && shk_read_all(fd, &b, NULL) == 0)
		o = shk_json_parse(shk_buf_view(&b), RECORD_MAX, NULL);
	shk_buf_done(&b);
	return o;
}

static int receive(struct shk_engine *g, struct have **list, struct shk_err *err)
{
	size_t room = sizeof(struct shk_keeper_msg) + SHK_KEEPER_BLOB_MAX;
	_cleanup_free_ struct shk_keeper_msg *m = malloc(room);

	if (!m)
		return shk_err_set(err, ENOMEM, "out of memory");
	for (;;) {
		int fds[SHK_MAX_FDS], fd;
		size_t nfds = 1;
		ssize_t n = shk_recv_fds(g->keeper_fd, m, room, fds, &nfds, 0);
		struct have *h;

		fd = nfds ? fds[0] : -1;
		if (n < (ssize_t)sizeof(*m) || (size_t)n - sizeof(*m) < m->len) {
			shk_close(&fd);
			return shk_err_set(err, EPROTO, "the keeper's message cannot be read; "
					   "start this program through shriked of the same version");
		}
		if (m->op == SHK_KEEPER_HAVE_END)
			return 0;
		if (m->op != SHK_KEEPER_HAVE || !(h = calloc(1, sizeof(*h)))) {
			shk_close(&fd);
			continue;
		}
		h->key = m->key;
		h->fd = fd;
		h->o = record_of((struct shk_str){ (char *)m->blob, m->len }, fd);
		h->next = *list;
		*list = h;
	}
}

static void restore_container(struct shk_engine *g, struct have *h, uint64_t key)
{
	struct shk_entry *e = NULL;
	struct shk_err err = { 0 };
	const struct shk_plan *plan;
	struct json_object *o;

	if (shk_entry_from_record(g, key, json_object_get(h->o), &e, &err) < 0) {
		shk_error("a supervised container cannot be taken over: %s", err.text);
		return;
	}
	pthread_mutex_lock(&g->reg_lock);
	e->had_listener = json_object_object_get_ex(h->o, "listening", &o) &&
			  json_object_get_boolean(o);
	pthread_mutex_unlock(&g->reg_lock);
	atomic_store(&e->released, json_object_object_get_ex(h->o, "released", &o));
	e->attaching = json_object_object_get_ex(h->o, "attaching", &o);
	/* Policies may have changed since the filter was made. */
	plan = shk_armoury_plan(e->arm, e->policy);
	if (plan && e->had_listener)
		shk_narrow_check(e, plan);
	shk_registry_add(g, e);
	shk_entry_unref(e);
}

static void restore_listener(struct shk_engine *g, struct have *h, uint64_t key)
{
	struct shk_entry *e = shk_registry_by_key(g, (uint64_t)shk_json_int(h->o, "container", 0));
	struct shk_err err = { 0 };
	struct shk_listener *l;

	if (!e || h->fd < 0) {
		/* Without its container nobody can judge; closing it refuses every call with ENOSYS. */
		shk_error("a listener is left without its container and is closed");
		shk_keeper_forget(g, SHK_KEPT_LISTENER, key);
		shk_entry_unref(e);
		return;
	}
	l = shk_listener_new(e, TAKE_FD(h->fd), shk_json_int(h->o, "session", 0) != 0);
	if (l) {
		struct json_object *o;

		l->attached = json_object_object_get_ex(h->o, "attached", &o);
		l->key = key;
		l->restored = true;
		l->runtime_pid = (pid_t)shk_json_int(h->o, "runtime_pid", 0);
		l->runtime_start = (uint64_t)shk_json_int(h->o, "runtime_start", 0);
		l->session_root = (pid_t)shk_json_int(h->o, "session_root", 0);
		if (!l->session)
			atomic_store(&e->filters, (unsigned)shk_json_int(h->o, "filters", 0));
		if (l->session_root) {
			struct timespec soon = { .tv_sec = time(NULL) + 1 };

			/* A call that is being recovered may hold it for long: the mark is not worth a halt. */
			if (pthread_mutex_timedlock(&e->ctr->lock, &soon) == 0) {
				shk_proc_mark_exec_session(e->ctr, l->session_root);
				pthread_mutex_unlock(&e->ctr->lock);
			}
		}
		atomic_store(&l->armed, (unsigned)shk_json_int(h->o, "armed", SHK_ARMED_ALL));
		if (shk_listener_start(l, &err) < 0)
			shk_error("a listener cannot be served: %s", err.text);
		else
			shk_listener_watch(l);
	}
	shk_listener_unref(l);
	shk_entry_unref(e);
}

static void restore_root(struct shk_engine *g, struct have *h, uint64_t key)
{
	struct shk_entry *e = shk_registry_by_key(g, key);

	if (!e)
		shk_keeper_forget(g, SHK_KEPT_ROOT, key);
	else if (h->fd >= 0)
		(void)shk_container_hold_root(e->ctr, TAKE_FD(h->fd));
	shk_entry_unref(e);
}

static void restore_pending(struct shk_engine *g, struct have *h, uint64_t key)
{
	struct shk_pending *p = calloc(1, sizeof(*p));
	struct shk_str nonce = shk_json_str(h->o, "nonce");

	if (!p || nonce.n >= sizeof(p->nonce)) {
		free(p);
		return;
	}
	memcpy(p->nonce, nonce.p, nonce.n);
	p->key = key;
	p->request = json_object_get(shk_json_object(h->o, "request"));
	pthread_mutex_lock(&g->reg_lock);
	for (struct shk_entry *e = g->entries; e; e = e->next)
		if (e->nonce && strcmp(e->nonce, p->nonce) == 0)
			p->e = shk_entry_ref(e);
	p->next = g->pending;
	g->pending = p;
	g->n_pending++;
	pthread_mutex_unlock(&g->reg_lock);
}

/* Slots of listeners that are gone. */
static void drop_orphans(struct shk_engine *g)
{
	struct shk_call_slot *s;
	size_t pos = 0;

	while ((s = shk_journal_next_call(g->journal, &pos))) {
		bool known = false;

		if (s->epoch == shk_journal_epoch(g->journal))
			continue;
		pthread_mutex_lock(&g->reg_lock);
		for (struct shk_entry *e = g->entries; e && !known; e = e->next)
			for (struct shk_listener *l = e->listeners; l && !known; l = l->next)
				known = l->key == s->listener;
		pthread_mutex_unlock(&g->reg_lock);
		if (!known)
			shk_journal_release(g->journal, s);
	}
}

int shk_keeper_restore(struct shk_engine *g, struct shk_err *err)
{
	static const enum shk_kept order[] = { SHK_KEPT_CONTAINER, SHK_KEPT_PENDING, SHK_KEPT_ROOT,
					       SHK_KEPT_LISTENER, SHK_KEPT_PORTER };
	struct have *list = NULL, *h;
	int r;

	if (g->keeper_fd < 0)
		return 0;
	r = receive(g, &list, err);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(order); i++)
		for (h = list; h; h = h->next) {
			uint64_t key = h->key & (((uint64_t)1 << 56) - 1);

			if (h->key >> 56 != (uint64_t)order[i])
				continue;
			if (order[i] != SHK_KEPT_PORTER && atomic_load(&g->last_key) < key)
				atomic_store(&g->last_key, key);
			if (!h->o) {
				shk_error("a record of the keeper cannot be read");
				continue;
			}
			if (order[i] == SHK_KEPT_CONTAINER)
				restore_container(g, h, key);
			else if (order[i] == SHK_KEPT_LISTENER)
				restore_listener(g, h, key);
			else if (order[i] == SHK_KEPT_ROOT)
				restore_root(g, h, key);
			else if (order[i] == SHK_KEPT_PORTER)
				shk_porter_restore(g, key, TAKE_FD(h->fd));
			else
				restore_pending(g, h, key);
		}
	while ((h = list)) {
		list = h->next;
		json_object_put(h->o);
		shk_close(&h->fd);
		free(h);
	}
	if (r < 0)
		return r;
	drop_orphans(g);
	shk_attach_restore(g);
	return shk_loop_add_io(g->loop, g->keeper_fd, EPOLLIN, on_keeper, g) ?
		       0 : shk_err_set(err, ENOMEM, "out of memory");
}
