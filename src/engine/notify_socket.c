// SPDX-License-Identifier: Apache-2.0
/*
 * listenerPath: runtimes deliver listeners here (OCI runtime-spec, "seccomp", containerProcessState).
 *
 * One JSON message a connection, not framed, with one descriptor. A connection may be silent for as long
 * as a container is created and not started; nobody times it out. Who sends is checked (THREATS B5): the
 * uid, the kind of descriptor, and a nonce of ours where the wrapper prepared the container. Without a nonce what
 * the message says about the container is hearsay: it never replaces what is known already.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/internal.h"
#include "sources/notify/notify.h"

#define DELIVERIES_MAX 1024
#define MESSAGE_MAX    (1u << 20)
#define CONFIG_MAX     (4u << 20)

struct shk_delivery {
	struct shk_delivery *next;
	struct shk_engine *g;
	struct shk_source *src;
	struct shk_peer peer;
	int fd, listener;
	struct shk_buf in;
};

static void drop(struct shk_delivery *d)
{
	struct shk_delivery **at;

	for (at = &d->g->deliveries; *at && *at != d; at = &(*at)->next)
		;
	if (*at) {
		*at = d->next;
		d->g->n_deliveries--;
	}
	shk_source_remove(d->src);
	shk_close(&d->fd);
	shk_close(&d->listener);
	shk_peer_done(&d->peer);
	shk_buf_done(&d->in);
	free(d);
}

static struct shk_pending *pending_of(struct shk_engine *g, struct shk_str nonce)
{
	struct shk_pending *p;

	if (!nonce.n)
		return NULL;
	for (p = g->pending; p && !shk_str_eqz(nonce, p->nonce); p = p->next)
		;
	return p;
}

static struct json_object *read_config(struct shk_str bundle)
{
	_cleanup_free_ char *path = NULL;
	struct json_object *o = NULL;
	struct shk_buf b;

	if (!bundle.n || bundle.p[0] != '/' ||
	    asprintf(&path, SHK_STR_FMT "/config.json", SHK_STR_ARG(bundle)) < 0)
		return NULL;
	shk_buf_init(&b, CONFIG_MAX);
	if (shk_read_file(path, &b, NULL) == 0)
		o = shk_json_parse(shk_buf_view(&b), CONFIG_MAX, NULL);
	shk_buf_done(&b);
	return o;
}

/* The record of a container that only the runtime's message tells of. */
static struct json_object *hearsay(struct json_object *state)
{
	static const char *const keep[] = { "id", "bundle", "annotations", NULL };
	struct json_object *o = shk_record_new(state, keep, "profile"), *config;

	if (!o)
		return NULL;
	config = read_config(shk_json_str(state, "bundle"));
	if (config) {
		struct json_object *noted = shk_engine_noted(shk_json_str(state, "bundle"),
							     shk_json_str(state, "id"), config);

		/* Also when it is NULL: no member of config.json is taken for it. */
		json_object_object_add(config, "noted", noted);
		json_object_object_add(o, "config", config);
		shk_record_add_rootfs(o);
	}
	return o;
}

/* A new entry for the container whose init this is. */
static struct shk_entry *new_entry(struct shk_engine *g, struct json_object *state, pid_t pid,
				   struct shk_pending *p, struct shk_err *err)
{
	struct json_object *record = NULL;
	_cleanup_close_ int root = -1;
	struct shk_entry *e = NULL;
	struct shk_str rootfs;
	_cleanup_free_ char *path = NULL;
	const struct shk_plan *plan;

	if (p)
		(void)json_object_deep_copy(p->request, &record, NULL);
	else
		record = hearsay(state);
	if (!record) {
		shk_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (p)
		json_object_object_add(record, "nonce", json_object_new_string(p->nonce));
	rootfs = shk_json_str(record, "rootfs");
	path = rootfs.n ? strndup(rootfs.p, rootfs.n) : NULL;
	root = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	json_object_object_add(record, "listening", json_object_new_boolean(true));
	shk_record_set_init(record, pid, root);
	if (shk_entry_from_record(g, shk_engine_key(g), record, &e, err) < 0)
		return NULL;
	plan = shk_armoury_plan(e->arm, e->policy);
	if (plan)
		shk_entry_set_filter(e, plan);
	if (shk_keeper_store(g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, err) < 0) {
		shk_entry_unref(e);
		return NULL;
	}
	pthread_mutex_lock(&g->reg_lock);
	if (p)
		p->e = shk_entry_ref(e);
	pthread_mutex_unlock(&g->reg_lock);
	shk_registry_add(g, e);
	shk_report_privileged(e, shk_json_object(record, "config"));
	return e;
}

static struct shk_entry *entry_of(struct shk_engine *g, struct json_object *msg, struct shk_peer *peer,
				  bool *session, struct shk_err *err)
{
	struct json_object *state = shk_json_object(msg, "state");
	struct shk_str id = shk_json_str(state, "id");
	struct shk_pending *p = pending_of(g, shk_json_str(msg, "metadata"));
	struct shk_entry *e = p && p->e ? shk_entry_ref(p->e) : NULL;
	pid_t pid = (pid_t)shk_json_int(msg, "pid", 0);
	struct shk_entry *other;

	if (!id.n) {
		shk_err_set(err, EBADMSG, "a runtime's message without \"state.id\"");
		return NULL;
	}
	if (!p && peer->pid > 0 && shk_peer_outside(g, peer, err) < 0)
		return NULL;
	if (!e)
		e = shk_registry_by_id(g, id, NULL);
	/* The id of a container that is over. */
	if (e && !(p && p->e) && shk_entry_init_dead(e))
		shk_entry_unref(TAKE_PTR(e));
	*session = e && e->had_listener;
	if (e) {
		if (e->n_listeners >= SHK_LISTENERS_MAX) {
			shk_entry_unref(e);
			shk_err_set(err, EBUSY, "the container has too many exec sessions");
			return NULL;
		}
		return e;
	}
	if (pid <= 1)
		pid = peer->pid;
	other = shk_registry_by_pid(g, pid, shk_start_time(pid));
	if (other || pid == getpid()) {
		shk_entry_unref(other);
		shk_err_set(err, EPERM, "process %d is not this container's init", (int)pid);
		return NULL;
	}
	if (pid <= 1) {
		shk_err_set(err, ESRCH, "the container's process is not known: its runtime names none and ended");
		return NULL;
	}
	return new_entry(g, state, pid, p, err);
}

static int peer_gone(int fd, struct shk_peer *peer, struct shk_err *err)
{
	struct ucred u;
	socklen_t n = sizeof(u);

	*peer = (struct shk_peer){ .pidfd = -1 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0)
		return shk_err_sys(err, errno, "credentials of the peer");
	peer->uid = u.uid;
	peer->gid = u.gid;
	return 0;
}

static int take(struct shk_delivery *d, struct json_object *msg, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = NULL;
	struct shk_listener *l;
	bool session = false;
	int r;

	if (d->listener < 0 || !shk_notify_is_listener(d->listener))
		return shk_err_set(err, EBADMSG, "process %d delivered no seccomp listener", (int)d->peer.pid);
	e = entry_of(d->g, msg, &d->peer, &session, err);
	if (!e)
		return -err->errnum;
	l = shk_listener_new(e, TAKE_FD(d->listener), session);
	if (!l)
		return shk_err_set(err, ENOMEM, "out of memory");
	if (!session) {
		json_object_object_add(e->record, "listening", json_object_new_boolean(true));
		(void)shk_keeper_store(d->g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, NULL);
	}
	r = shk_listener_start(l, err);
	if (r == 0)
		shk_listener_watch(l);
	shk_listener_unref(l);
	return r;
}

/* true: the connection is done with. */
static bool receive(struct shk_delivery *d)
{
	for (;;) {
		char buf[16384];
		int fds[SHK_MAX_FDS];
		size_t nfds = SHK_MAX_FDS;
		ssize_t n = shk_recv_fds(d->fd, buf, sizeof(buf), fds, &nfds, MSG_DONTWAIT);

		if (n == -EAGAIN)
			return false;
		for (size_t i = 0; n >= 0 && i < nfds; i++) {
			if (d->listener < 0)
				d->listener = fds[i];
			else
				close(fds[i]);
		}
		if (n <= 0 || d->in.n + (size_t)n > MESSAGE_MAX)
			return true;
		shk_buf_add(&d->in, buf, (size_t)n);
	}
}

static struct shk_str trimmed(const struct shk_buf *b)
{
	struct shk_str s = shk_buf_view(b);

	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	return s;
}

static void on_delivery(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_delivery *d = arg;
	struct shk_err err = { 0 };
	bool end = receive(d);
	/* Complete messages end with a brace: nothing is parsed again and again while it trickles in. */
	struct json_object *msg = d->in.n && (end || shk_str_ends(trimmed(&d->in), SHK_STR("}"))) ?
					  shk_json_parse(shk_buf_view(&d->in), MESSAGE_MAX, NULL) : NULL;

	(void)src;
	(void)events;
	if (msg) {
		if (take(d, msg, &err) < 0)
			shk_tell(d->g, NULL, SHK_PRIO_WARNING, "Shrike internal: listener refused", NULL,
				 "A seccomp listener was not accepted: %s", err.text);
		json_object_put(msg);
		end = true;
	} else if (end && d->in.n) {
		shk_warning("a runtime's message on the notify socket cannot be read");
	}
	if (end)
		drop(d);
}

static void on_accept(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_engine *g = arg;
	int fd;

	(void)src;
	(void)events;
	while ((fd = accept4(g->notify_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct shk_delivery *d = calloc(1, sizeof(*d));
		struct shk_err err = { 0 };
		int r;

		if (!d || g->n_deliveries >= DELIVERIES_MAX) {
			free(d);
			close(fd);
			continue;
		}
		d->g = g;
		d->fd = fd;
		d->listener = -1;
		shk_buf_init(&d->in, MESSAGE_MAX);
		r = shk_peer_get(fd, &d->peer, &err);
		/* crun sends from a process that ends at once: its user is still known, from the socket. */
		if (r == -ESRCH)
			r = peer_gone(fd, &d->peer, &err);
		if (r == 0 && d->peer.uid != 0 && d->peer.uid != getuid())
			r = shk_err_set(&err, EPERM, "uid %u may not deliver listeners",
					(unsigned)d->peer.uid);
		if (r < 0) {
			shk_warning("notify socket: %s", err.text);
			close(fd);
			shk_peer_done(&d->peer);
			free(d);
			continue;
		}
		d->next = g->deliveries;
		g->deliveries = d;
		g->n_deliveries++;
		d->src = shk_loop_add_io(g->loop, fd, EPOLLIN, on_delivery, d);
		if (!d->src)
			drop(d);
	}
}

int shk_notify_socket_start(struct shk_engine *g, struct shk_err *err)
{
	if (g->notify_fd < 0)
		return 0;
	return shk_loop_add_io(g->loop, g->notify_fd, EPOLLIN, on_accept, g) ?
		       0 : shk_err_set(err, ENOMEM, "out of memory");
}

void shk_notify_socket_stop(struct shk_engine *g)
{
	while (g->deliveries)
		drop(g->deliveries);
	shk_close(&g->notify_fd);
}
