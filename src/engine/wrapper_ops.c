// SPDX-License-Identifier: Apache-2.0
/*
 * prepare, session, session-listener: what shrike-runtime asks (docs/CONTROL.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/seccomp.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/internal.h"
#include "sources/notify/notify.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define PENDING_MAX 1024
#define ORIGINAL    "org.shrike.original" /* in the seccomp object of prepare's answer */

static int make_nonce(char out[48], struct shk_err *err)
{
	unsigned char b[16];
	size_t n = 0;

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return shk_err_sys(err, errno, "random numbers");
	n = (size_t)snprintf(out, 48, "shrike:");
	for (size_t i = 0; i < sizeof(b); i++)
		n += (size_t)snprintf(out + n, 48 - n, "%02x", b[i]);
	return 0;
}

static void free_pending(struct shk_engine *g, struct shk_pending *p)
{
	shk_keeper_forget(g, SHK_KEPT_PENDING, p->key);
	json_object_put(p->request);
	shk_entry_unref(p->e);
	free(p);
}

/* Announcements for the same id and bundle that never became a container, and, past the limit, the oldest. */
static void make_room(struct shk_engine *g, struct shk_str id, struct shk_str bundle)
{
	struct shk_pending **at, *out = NULL, *p;

	pthread_mutex_lock(&g->reg_lock);
	for (at = &g->pending; *at;) {
		p = *at;
		if (!p->e && ((shk_str_eq(shk_json_str(p->request, "id"), id) &&
			       shk_str_eq(shk_json_str(p->request, "bundle"), bundle)) ||
			      (g->n_pending >= PENDING_MAX && !p->next))) {
			*at = p->next;
			g->n_pending--;
			p->next = out;
			out = p;
			continue;
		}
		at = &p->next;
	}
	pthread_mutex_unlock(&g->reg_lock);
	while ((p = out)) {
		out = p->next;
		free_pending(g, p);
	}
}

static struct json_object *record_of(struct json_object *req)
{
	static const char *const keep[] = { "id", "bundle", "annotations", "config", "runtime", NULL };
	struct json_object *o = shk_record_new(req, keep, "wrapper");

	if (o)
		shk_record_add_rootfs(o);
	return o;
}

static int keep_pending(struct shk_engine *g, struct shk_pending *p, struct shk_err *err)
{
	struct json_object *blob = json_object_new_object();
	int r;

	if (!blob)
		return shk_err_set(err, ENOMEM, "out of memory");
	json_object_object_add(blob, "nonce", json_object_new_string(p->nonce));
	json_object_object_add(blob, "request", json_object_get(p->request));
	r = shk_keeper_store(g, SHK_KEPT_PENDING, p->key, blob, -1, err);
	json_object_put(blob);
	return r;
}

static struct json_object *profile(struct shk_engine *g, struct json_object *record, const char *nonce,
				   struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = NULL;
	struct json_object *config = shk_json_object(record, "config");
	struct json_object *old = shk_json_object(shk_json_object(config, "linux"), "seccomp"), *o;
	const struct shk_plan *plan;

	/* Written by us before: what stood there then is inside. Runtimes ignore members they do not know. */
	if (shk_str_eqz(shk_json_str(old, "listenerPath"), g->cfg->notify_socket) &&
	    json_object_object_get_ex(old, ORIGINAL, &o))
		old = o;
	if (shk_entry_from_record(g, shk_engine_key(g), json_object_get(record), &e, err) < 0)
		return NULL;
	if (e->arm->broken) {
		shk_err_set(err, EINVAL, "the policies cannot be loaded, so the container does not start: %s",
			    e->arm->broken);
		return NULL;
	}
	plan = shk_armoury_plan(e->arm, e->policy);
	o = shk_plan_oci(plan, old, g->cfg->notify_socket, nonce, err);
	if (o)
		json_object_object_add(o, ORIGINAL, json_object_get(old));
	return o;
}

int shk_op_prepare(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_engine *g = pc->g;
	struct json_object *record, *seccomp, *o;
	struct shk_pending *p;

	if (!shk_json_str(req, "id").n || !shk_json_str(req, "bundle").n)
		return shk_err_set(err, EINVAL, "prepare without \"id\" or \"bundle\"");
	if (g->notify_fd < 0)
		return shk_err_set(err, EOPNOTSUPP, "this supervisor takes no listeners from runtimes; use the "
				   "hook, or start shriked");
	p = calloc(1, sizeof(*p));
	record = record_of(req);
	if (!p || !record || make_nonce(p->nonce, err) < 0) {
		free(p);
		json_object_put(record);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	seccomp = profile(g, record, p->nonce, err);
	if (!seccomp) {
		free(p);
		json_object_put(record);
		return -err->errnum;
	}
	p->key = shk_engine_key(g);
	p->request = record;
	make_room(g, shk_json_str(req, "id"), shk_json_str(req, "bundle"));
	o = json_object_new_object();
	if (!o || keep_pending(g, p, err) < 0) {
		json_object_put(o);
		json_object_put(seccomp);
		free_pending(g, p);
		return err->errnum ? -err->errnum : shk_err_set(err, ENOMEM, "out of memory");
	}
	json_object_object_add(o, "nonce", json_object_new_string(p->nonce));
	json_object_object_add(o, "listener_path", json_object_new_string(g->cfg->notify_socket));
	json_object_object_add(o, "listener_metadata", json_object_new_string(p->nonce));
	json_object_object_add(o, "seccomp", seccomp);
	pthread_mutex_lock(&g->reg_lock);
	p->next = g->pending;
	g->pending = p;
	g->n_pending++;
	pthread_mutex_unlock(&g->reg_lock);
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}

/* ---- exec sessions ---- */

static char *base64(const unsigned char *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc((n + 2) / 3 * 4 + 1), *w = out;

	for (size_t i = 0; out && i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0u);

		*w++ = set[v >> 18];
		*w++ = set[v >> 12 & 63];
		*w++ = i + 1 < n ? set[v >> 6 & 63] : '=';
		*w++ = i + 2 < n ? set[v & 63] : '=';
	}
	if (out)
		*w = 0;
	return out;
}

static int deliver(struct shk_peerconn *pc, struct json_object *o, const char *how)
{
	json_object_object_add(o, "deliver", json_object_new_string(how));
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}

int shk_op_session(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e =
		shk_registry_by_id(pc->g, shk_json_str(req, "id"), NULL);
	struct json_object *o;
	const struct shk_plan *plan;
	enum shk_exec_sessions how;
	_cleanup_free_ char *bpf = NULL;

	shk_entry_unref(TAKE_PTR(pc->session));
	/* A name that was lost on the way must not pass for an unsupervised container. */
	if (!shk_json_str(req, "id").n)
		return shk_err_set(err, EINVAL, "session without \"id\"");
	o = json_object_new_object();
	if (!o)
		return shk_err_set(err, ENOMEM, "out of memory");
	if (!e || shk_entry_init_dead(e))
		return deliver(pc, o, "none");
	how = e->policy->exec_sessions;
	plan = shk_armoury_plan(e->arm, e->policy);
	if (plan)
		bpf = base64((const unsigned char *)plan->bpf,
			     plan->bpf_len * sizeof(struct sock_filter));
	if (how == SHK_EXEC_REFUSE) {
		json_object_put(o);
		shk_tell(pc->g, e, SHK_PRIO_NOTICE, "Shrike internal: exec session refused", NULL,
			 "An exec session was refused, as the policy says (exec_sessions: refuse)");
		return shk_err_set(err, EPERM, "the policy of this container refuses exec sessions "
				   "(exec_sessions: refuse)");
	}
	if (e->ctr->way == SHK_WAY_WRAPPER || e->ctr->way == SHK_WAY_PROFILE)
		return deliver(pc, o, "runtime");
	if (!bpf) {
		json_object_put(o);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	json_object_object_add(o, "bpf", json_object_new_string(bpf));
	json_object_object_add(o, "flags", json_object_new_int(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
	pc->session = TAKE_PTR(e);
	return deliver(pc, o, "self");
}

int shk_op_session_listener(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = TAKE_PTR(pc->session);
	struct shk_listener *l;
	int r;

	if (!e || !shk_str_eq(e->ctr->full_id, shk_json_str(req, "id")))
		return shk_err_set(err, EINVAL, "session-listener without a session before it");
	if (pc->conn.nfds != 1 || !shk_notify_is_listener(pc->conn.fds[0]))
		return shk_err_set(err, EINVAL, "session-listener needs one descriptor, a seccomp listener");
	if (shk_json_int(req, "wrapper_pid", 0) != pc->peer.pid)
		return shk_err_set(err, EPERM, "the session belongs to another process than the caller");
	if (e->n_listeners >= SHK_LISTENERS_MAX)
		return shk_err_set(err, EBUSY, "the container has %d exec sessions; end some", e->n_sessions);
	l = shk_listener_new(e, TAKE_FD(pc->conn.fds[0]), true);
	if (!l)
		return shk_err_set(err, ENOMEM, "out of memory");
	l->runtime_pid = pc->peer.pid;
	l->runtime_start = shk_start_time(pc->peer.pid);
	r = shk_listener_start(l, err);
	if (r == 0) {
		shk_listener_watch(l);
		(void)shk_conn_ok(&pc->conn, NULL);
	}
	shk_listener_unref(l);
	return r;
}
