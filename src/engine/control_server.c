// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: connections, who may ask what, dispatch (docs/CONTROL.md).
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/internal.h"
#include "verdict/kill.h"

#define CONNS_MAX 256

struct op {
	const char *name;
	int (*fn)(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err);
	bool inner; /* changes what is supervised: THREATS B4 */
};

static const struct op ops[] = {
	{ "register", shk_op_register, true },
	{ "deregister", shk_op_deregister, true },
	{ "prepare", shk_op_prepare, true },
	{ "session", shk_op_session, true },
	{ "session-listener", shk_op_session_listener, true },
	{ "attach", shk_op_attach, true },
	{ "detach", shk_op_detach, true },
	{ "freeze", shk_op_freeze, true },
	{ "thaw", shk_op_thaw, true },
	{ "kill", shk_op_kill, true },
	{ "reload", shk_op_reload, true },
	{ "ps", shk_op_ps, false },
	{ "status", shk_op_status, false },
	{ "top", shk_op_top, false },
	{ "events", shk_op_events, false },
	{ "record", shk_op_record, true },
};

static ino_t mnt_ns(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

int shk_peer_outside(struct shk_engine *g, const struct shk_peer *p, struct shk_err *err)
{
	ino_t own = mnt_ns(getpid());
	struct shk_buf cgroup;
	int r = 0;

	shk_buf_init(&cgroup, 8192);
	(void)shk_cgroup_of(p->pid, &cgroup);
	pthread_mutex_lock(&g->reg_lock);
	for (struct shk_entry *e = g->entries; e && r == 0; e = e->next) {
		bool armed = false;
		ino_t ns;

		/* During set-up the runtime itself is in there. */
		for (struct shk_listener *l = e->listeners; l; l = l->next)
			armed |= atomic_load(&l->armed) != 0;
		if (!armed || shk_entry_init_dead(e))
			continue;
		ns = mnt_ns(e->ctr->init_pid);
		if ((ns && ns == p->mntns && ns != own) ||
		    (e->ctr->cgroup.n && shk_cgroup_below(shk_buf_view(&cgroup), e->ctr->cgroup)))
			r = shk_err_set(err, EPERM, "process %d runs inside the supervised container "
					SHK_STR_FMT " and may not do this", (int)p->pid,
					SHK_STR_ARG(e->ctr->id));
	}
	pthread_mutex_unlock(&g->reg_lock);
	shk_buf_done(&cgroup);
	return r;
}

static int may(struct shk_peerconn *pc, const struct op *o, struct shk_err *err)
{
	const struct shk_peer *p = &pc->peer;

	if (p->uid != 0 && p->uid != getuid())
		return shk_err_set(err, EPERM, "uid %u may not use this socket; run as root or as the "
				   "supervisor's user", (unsigned)p->uid);
	if (!o->inner)
		return 0;
	if (!p->same_pidns || !p->same_userns)
		return shk_err_set(err, EPERM, "operation %s is for processes in the supervisor's own pid and "
				   "user namespaces", o->name);
	return shk_peer_outside(pc->g, p, err);
}

/* ---- connections ---- */

void shk_peerconn_unref(struct shk_peerconn *pc)
{
	if (--pc->refs)
		return;
	shk_conn_done(&pc->conn);
	shk_peer_done(&pc->peer);
	shk_entry_unref(pc->session);
	free(pc);
}

static void drop(struct shk_peerconn *pc)
{
	struct shk_peerconn **at;

	for (at = &pc->g->conns; *at && *at != pc; at = &(*at)->next)
		;
	if (!*at)
		return;
	*at = pc->next;
	shk_record_drop(pc);
	pc->g->n_conns--;
	shk_source_remove(TAKE_PTR(pc->src));
	shk_peerconn_unref(pc);
}

/* Sends what is queued; what the loop waits for follows from what is left. */
static void settle(struct shk_peerconn *pc)
{
	int r = shk_conn_flush(&pc->conn);

	if (r < 0 || (r == 0 && (pc->closing || (pc->conn.eof && !pc->busy)))) {
		drop(pc);
		return;
	}
	shk_source_set_events(pc->src, (pc->busy || pc->closing ? 0 : EPOLLIN) |
				       (r == 1 ? EPOLLOUT : 0));
}

static void dispatch(struct shk_peerconn *pc, struct json_object *req)
{
	struct shk_str name = shk_json_str(req, "op");
	struct shk_err err = { 0 };
	int r;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(ops); i++) {
		if (!shk_str_eqz(name, ops[i].name))
			continue;
		r = may(pc, &ops[i], &err);
		if (r == 0)
			r = ops[i].fn(pc, req, &err);
		if (r < 0)
			(void)shk_conn_fail(&pc->conn, &err);
		return;
	}
	shk_err_set(&err, EOPNOTSUPP, "unknown operation \"" SHK_STR_FMT "\"; update the older of the "
		    "two programs", SHK_STR_ARG(name.n < 64 ? name : SHK_STR("...")));
	(void)shk_conn_fail(&pc->conn, &err);
}

static void serve(struct shk_peerconn *pc)
{
	while (!pc->busy && !pc->closing) {
		struct json_object *req = NULL;
		struct shk_err err = { 0 };
		int r = shk_conn_read(&pc->conn, &req, &err);

		if (r == 0)
			break;
		if (r < 0) {
			if (r == -ECONNRESET && pc->record) {
				shk_record_finish(pc);
				break;
			}
			if (r == -ECONNRESET) {
				pc->conn.eof = true;
				pc->closing = true;
				break;
			}
			(void)shk_conn_fail(&pc->conn, &err);
			pc->closing = true;
			break;
		}
		dispatch(pc, req);
		json_object_put(req);
	}
	if (pc->record)
		shk_record_send(pc);
	settle(pc);
}

static void on_conn(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_peerconn *pc = arg;

	(void)src;
	pc->refs++;
	if ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN)) {
		drop(pc);
	} else {
		serve(pc);
	}
	shk_peerconn_unref(pc);
}

void shk_peerconn_finish(struct shk_peerconn *pc, struct json_object *extra,
			 const struct shk_err *err)
{
	pc->busy = false;
	if (!pc->src) { /* gone meanwhile */
		json_object_put(extra);
		return;
	}
	if (err)
		(void)shk_conn_fail(&pc->conn, err);
	else
		(void)shk_conn_ok(&pc->conn, extra);
	serve(pc);
}

static void on_accept(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_engine *g = arg;
	int fd;

	(void)src;
	(void)events;
	while ((fd = accept4(g->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct shk_peerconn *pc = calloc(1, sizeof(*pc));
		struct shk_err err = { 0 };

		if (!pc || g->n_conns >= CONNS_MAX) {
			free(pc);
			close(fd);
			continue;
		}
		pc->g = g;
		pc->refs = 1;
		pc->peer.pidfd = -1;
		shk_conn_init(&pc->conn, fd);
		if (shk_peer_get(fd, &pc->peer, &err) < 0) {
			(void)shk_conn_fail(&pc->conn, &err);
			shk_peerconn_unref(pc);
			continue;
		}
		pc->src = shk_loop_add_io(g->loop, fd, EPOLLIN, on_conn, pc);
		if (!pc->src) {
			shk_peerconn_unref(pc);
			continue;
		}
		pc->next = g->conns;
		g->conns = pc;
		g->n_conns++;
	}
}

int shk_control_start(struct shk_engine *g, struct shk_err *err)
{
	if (g->control_fd < 0)
		return 0;
	return shk_loop_add_io(g->loop, g->control_fd, EPOLLIN, on_accept, g) ?
		       0 : shk_err_set(err, ENOMEM, "out of memory");
}

void shk_control_stop(struct shk_engine *g)
{
	while (g->conns)
		drop(g->conns);
	shk_close(&g->control_fd);
}

/* ---- followers ---- */

static bool send_record(struct shk_peerconn *pc, struct shk_buf *line)
{
	struct json_object *o = json_object_new_object(), *more = json_object_new_object();
	int r;

	if (!o || !more) {
		json_object_put(o);
		json_object_put(more);
		return false;
	}
	json_object_object_add(more, "record", json_object_new_string_len(line->p, (int)line->n));
	json_object_object_add(o, "more", more);
	r = shk_conn_send(&pc->conn, o);
	json_object_put(o);
	return r >= 0;
}

static void catch_up(struct shk_peerconn *pc, struct shk_buf *line)
{
	uint64_t end = shk_history_next(&pc->g->history);

	while (pc->follow_next < end) {
		/* A reader that is too slow misses what the history no longer holds. */
		if (pc->conn.out.n - pc->conn.out_done > SHK_CONTROL_ANSWER_MAX / 2)
			return;
		if (!shk_history_get(&pc->g->history, pc->follow_next++, line))
			pc->follow_lost++;
		else if (!send_record(pc, line))
			return;
	}
}

void shk_control_events(struct shk_engine *g)
{
	struct shk_peerconn *pc, *next;
	struct shk_buf line;

	shk_buf_init(&line, SHK_JOURNAL_ALERT_MAX);
	for (pc = g->conns; pc; pc = next) {
		next = pc->next;
		if (!pc->follow && !pc->record)
			continue;
		if (pc->record)
			shk_record_send(pc);
		else
			catch_up(pc, &line);
		settle(pc);
	}
	shk_buf_done(&line);
}

void shk_control_recording(struct shk_engine *g)
{
	struct shk_peerconn *pc, *next;

	for (pc = g->conns; pc; pc = next) {
		next = pc->next;
		if (!pc->record)
			continue;
		shk_record_send(pc);
		settle(pc);
	}
}

int shk_op_events(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	int64_t last = shk_json_int(req, "last", 0);
	uint64_t end = shk_history_next(&pc->g->history);
	struct json_object *v;
	struct shk_buf line;

	if (last < 0)
		return shk_err_set(err, EINVAL, "\"last\" is a number of alerts, not negative");
	last = SHK_MIN(last, SHK_HISTORY);
	pc->follow_next = end > (uint64_t)last ? end - (uint64_t)last : 0;
	shk_buf_init(&line, SHK_JOURNAL_ALERT_MAX);
	catch_up(pc, &line);
	shk_buf_done(&line);
	pc->follow = json_object_object_get_ex(req, "follow", &v) && json_object_get_boolean(v);
	if (!pc->follow)
		(void)shk_conn_ok(&pc->conn, NULL);
	return 0;
}
