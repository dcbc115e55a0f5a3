// SPDX-License-Identifier: Apache-2.0
/*
 * register and deregister: way A (SUPERVISION section 1).
 *
 * A registration runs as a job, because injecting waits for the target. Two for one process (both hooks
 * configured, or a connection lost and made anew) take turns and end in one entry.
 */
#include <errno.h>
#include <json-c/json.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "engine/internal.h"
#include "sources/ptrace/inject.h"
#include "sources/ptrace/target.h"

#define INJECT_MS 5000

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

struct registration {
	struct shk_job job;
	struct shk_peerconn *pc;
	struct shk_peer peer; /* pidfd borrowed from pc */
	struct json_object *req, *answer;
	int pidfd, rootfs;
	struct shk_err err;
	struct shk_listener *watch; /* for the main thread */
	int r;
};

/* ---- entries from records ---- */

static void bits_from_json(uint64_t *bits, struct json_object *names)
{
	for (size_t i = 0; names && i < json_object_array_length(names); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(names, i));
		const struct shk_syscall *c = s ? shk_syscall_by_name(shk_str(s)) : NULL;

		if (c)
			bits[c->id / 64] |= 1ull << c->id % 64;
	}
}

static struct json_object *bits_to_json(const uint64_t *bits)
{
	struct json_object *names = json_object_new_array();

	for (unsigned i = 0; names && i < SHK_CALL_N; i++)
		if (bits[i / 64] >> i % 64 & 1)
			json_object_array_add(names, json_object_new_string(shk_syscalls[i].name));
	return names;
}

static bool is_kept(enum shk_call_id id, void *arg)
{
	const struct shk_entry *e = arg;

	return e->kept[id / 64] >> id % 64 & 1;
}

void shk_entry_set_filter(struct shk_entry *e, const struct shk_plan *plan)
{
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		if (plan->call[i].what != SHK_PLAN_PASS)
			e->notified[i / 64] |= 1ull << i % 64;
		if (shk_plan_keeps(plan, i))
			e->kept[i / 64] |= 1ull << i % 64;
	}
	json_object_object_add(e->record, "notified", bits_to_json(e->notified));
	json_object_object_add(e->record, "kept", bits_to_json(e->kept));
	shk_narrow_record(e->record, plan);
	shk_proc_keep(e->ctr, is_kept, e);
}

int shk_entry_from_record(struct shk_engine *g, uint64_t key, struct json_object *record,
			  struct shk_entry **ret, struct shk_err *err)
{
	struct shk_container *c = shk_container_from_json(key, record);
	struct shk_entry *e = c ? shk_entry_new(g, c) : NULL;
	struct shk_armoury *a;
	struct shk_str nonce;

	if (!e) {
		json_object_put(record);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	e->record = record;
	nonce = shk_json_str(record, "nonce");
	if (nonce.n)
		e->nonce = strndup(nonce.p, nonce.n);
	if (c->init_pid > 0) {
		e->init_pidfd = shk_pidfd_open(c->init_pid, 0);
		/* Another process by now: the container is over. */
		if (e->init_pidfd >= 0 && shk_start_time(c->init_pid) != c->init_start)
			shk_close(&e->init_pidfd);
	}
	pthread_mutex_lock(&g->reg_lock);
	a = shk_armoury_ref(g->arm);
	pthread_mutex_unlock(&g->reg_lock);
	shk_entry_arm(e, a, shk_policyset_select(a->ps, c));
	c->policy = shk_container_str(c, e->policy->name);
	bits_from_json(e->notified, shk_json_array(record, "notified"));
	bits_from_json(e->kept, shk_json_array(record, "kept"));
	e->attached_ticks = (uint64_t)shk_json_int(record, "attached_ticks", 0);
	shk_proc_keep(c, is_kept, e);
	shk_armoury_unref(a);
	*ret = e;
	return 0;
}

static bool hint(struct json_object *config, const char *name)
{
	struct json_object *a = shk_json_array(config, "privileged_hints");

	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(a, i));

		if (s && strcmp(s, name) == 0)
			return true;
	}
	return false;
}

void shk_report_privileged(struct shk_entry *e, struct json_object *config)
{
	bool caps = hint(config, "all_caps"), pid = hint(config, "host_pid");

	if (!caps && !pid)
		return;
	shk_tell(e->g, e, SHK_PRIO_WARNING, "Shrike internal: privileged container", NULL,
		 "The container can attack its supervisor: it has %s%s%s",
		 caps ? "every capability of the host" : "", caps && pid ? " and " : "",
		 pid ? "the host's pid namespace" : "");
}

/* ---- register ---- */

void shk_turn_take(struct shk_engine *g, pid_t pid)
{
	pthread_mutex_lock(&g->reg_lock);
	for (;;) {
		size_t place = SHK_ARRAY_SIZE(g->in_progress);
		bool taken = false;

		for (size_t i = 0; i < SHK_ARRAY_SIZE(g->in_progress); i++) {
			taken |= g->in_progress[i] == pid;
			if (!g->in_progress[i])
				place = i;
		}
		if (!taken && place < SHK_ARRAY_SIZE(g->in_progress)) {
			g->in_progress[place] = pid;
			break;
		}
		pthread_cond_wait(&g->reg_cond, &g->reg_lock);
	}
	pthread_mutex_unlock(&g->reg_lock);
}

void shk_turn_end(struct shk_engine *g, pid_t pid)
{
	pthread_mutex_lock(&g->reg_lock);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(g->in_progress); i++)
		if (g->in_progress[i] == pid) {
			g->in_progress[i] = 0;
			break;
		}
	pthread_cond_broadcast(&g->reg_cond);
	pthread_mutex_unlock(&g->reg_lock);
}

static int answer(struct registration *x, const char *armed, const char *warning)
{
	x->answer = json_object_new_object();
	if (!x->answer)
		return shk_err_set(&x->err, ENOMEM, "out of memory");
	json_object_object_add(x->answer, "armed", json_object_new_string(armed));
	if (warning)
		json_object_object_add(x->answer, "warning", json_object_new_string(warning));
	return 0;
}

static struct json_object *record_of(struct registration *x, const char *way)
{
	static const char *const keep[] = { "id", "bundle", "rootfs", "annotations", "config",
					    "runtime", NULL };

	return shk_record_new(x->req, keep, way);
}

/* config.json already asks for a listener. */
static int delivered(struct registration *x, struct shk_entry *e, struct json_object *seccomp)
{
	struct shk_engine *g = x->job.g;
	struct shk_str meta = shk_json_str(seccomp, "listenerMetadata");
	const struct shk_plan *plan = shk_armoury_plan(e->arm, e->policy);

	if (plan)
		shk_entry_set_filter(e, plan);
	if (meta.n)
		json_object_object_add(e->record, "nonce",
				       json_object_new_string_len(meta.p, (int)meta.n));
	if (shk_keeper_store(g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, &x->err) < 0)
		return -x->err.errnum;
	pthread_mutex_lock(&g->reg_lock);
	for (struct shk_pending *p = g->pending; p; p = p->next)
		if (!p->e && shk_str_eqz(meta, p->nonce)) {
			p->e = shk_entry_ref(e);
			e->nonce = strdup(p->nonce);
		}
	pthread_mutex_unlock(&g->reg_lock);
	shk_registry_add(g, e);
	return answer(x, "wrapper", NULL);
}

static const char not_killable[] =
	"this kernel lacks WAIT_KILLABLE_RECV (Linux 5.19 has it): a signal restarts a call that is being judged; "
	"`shrike doctor` says what else it lacks";

static int inject(struct registration *x, struct shk_entry *e, const struct shk_plan *plan)
{
	struct shk_inject in = { .tid = e->ctr->init_pid, .pidfd = x->pidfd,
				 .bpf = plan->bpf, .bpf_len = plan->bpf_len,
				 .flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV };
	struct shk_engine *g = x->job.g;
	struct shk_listener *l;
	unsigned used = 0;
	int fd, r;

	fd = shk_inject_filter(&in, INJECT_MS, &used, &x->err);
	if (fd < 0)
		return fd;
	shk_entry_set_filter(e, plan);
	json_object_object_add(e->record, "listening", json_object_new_boolean(true));
	l = shk_listener_new(e, fd, false);
	if (!l)
		return shk_err_set(&x->err, ENOMEM, "out of memory");
	/* The container before its listener: the next engine reads them in this order. */
	r = shk_keeper_store(g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, &x->err);
	if (r == 0) {
		shk_registry_add(g, e);
		r = shk_listener_start(l, &x->err);
		if (r < 0)
			shk_registry_remove(g, e);
	}
	if (r < 0) {
		shk_listener_unref(l);
		return r;
	}
	x->watch = l;
	if (used & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		return answer(x, "hook", NULL);
	/* Runtimes keep what a hook that succeeds has to say to themselves. */
	shk_warning("container " SHK_STR_FMT ": %s", SHK_STR_ARG(e->ctr->id), not_killable);
	return answer(x, "hook", not_killable);
}

static int register_new(struct registration *x, pid_t pid)
{
	struct shk_engine *g = x->job.g;
	struct json_object *config = shk_json_object(x->req, "config"), *v;
	struct json_object *seccomp = shk_json_object(shk_json_object(config, "linux"), "seccomp");
	struct shk_str path = shk_json_str(seccomp, "listenerPath");
	bool notify = json_object_object_get_ex(seccomp, "has_notify", &v) && json_object_get_boolean(v);
	bool ours = path.n && shk_str_eqz(path, g->cfg->notify_socket);
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = NULL;
	struct json_object *record;
	const struct shk_plan *plan;
	int r;

	if (!ours && (path.n || notify))
		return shk_err_set(&x->err, EBUSY, "config.json gives its seccomp listener to somebody else ("
				   SHK_STR_FMT "): a container can have one; remove listenerPath and the "
				   "SCMP_ACT_NOTIFY rules", SHK_STR_ARG(path.n ? path : SHK_STR("no listenerPath")));
	record = record_of(x, ours ? "wrapper" : "hook");
	if (!record)
		return shk_err_set(&x->err, ENOMEM, "out of memory");
	shk_record_set_init(record, pid, x->rootfs);
	r = shk_entry_from_record(g, shk_engine_key(g), record, &e, &x->err);
	if (r < 0)
		return r;
	if (e->arm->broken)
		return shk_err_set(&x->err, EINVAL, "the policies cannot be loaded, so the container does not "
				   "start: %s", e->arm->broken);
	plan = shk_armoury_plan(e->arm, e->policy);
	r = ours ? delivered(x, e, seccomp) : inject(x, e, plan);
	if (r == 0) {
		shk_report_privileged(e, config);
		return 0;
	}
	if (e->policy->refuse_on_error || r == -ESRCH)
		return r;
	shk_tell(g, e, SHK_PRIO_CRITICAL, "Shrike internal: container not supervised", NULL,
		 "The container starts without supervision, as its policy " SHK_STR_FMT " says: %s",
		 SHK_STR_ARG(e->policy->name), x->err.text);
	return answer(x, "none", x->err.text);
}

static void run(struct shk_job *j)
{
	struct registration *x = (struct registration *)j;
	pid_t pid = (pid_t)shk_json_int(x->req, "pid", 0);
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = NULL;

	x->r = shk_target_check(&x->peer, pid, x->pidfd, &x->err);
	if (x->r < 0)
		return;
	shk_turn_take(j->g, pid);
	e = shk_registry_by_pid(j->g, pid, shk_start_time(pid));
	if (e)
		x->r = answer(x, e->had_listener ? "hook" : "wrapper", NULL);
	else
		x->r = register_new(x, pid);
	shk_turn_end(j->g, pid);
}

static void done(struct shk_job *j)
{
	struct registration *x = (struct registration *)j;

	if (x->watch) {
		shk_listener_watch(x->watch);
		shk_listener_unref(x->watch);
	}
	shk_peerconn_finish(x->pc, x->answer, x->r < 0 ? &x->err : NULL);
	shk_peerconn_unref(x->pc);
	json_object_put(x->req);
	shk_close(&x->pidfd);
	shk_close(&x->rootfs);
	free(x);
}

int shk_op_register(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct registration *x;
	int r;

	if (!shk_json_str(req, "id").n || shk_json_int(req, "pid", 0) <= 1)
		return shk_err_set(err, EINVAL, "register without \"id\" or \"pid\"");
	/* Its id may be one that was used before. */
	shk_registry_sweep(pc->g);
	if (pc->conn.nfds != 2)
		return shk_err_set(err, EINVAL, "register needs two descriptors: pidfd and root directory");
	x = calloc(1, sizeof(*x));
	if (!x)
		return shk_err_set(err, ENOMEM, "out of memory");
	x->job.run = run;
	x->job.done = done;
	x->pc = pc;
	x->peer = pc->peer;
	x->req = json_object_get(req);
	x->pidfd = TAKE_FD(pc->conn.fds[0]);
	x->rootfs = TAKE_FD(pc->conn.fds[1]);
	pc->busy = true;
	pc->refs++;
	r = shk_job_start(pc->g, &x->job);
	if (r < 0) {
		pc->busy = false;
		pc->refs--;
		json_object_put(x->req);
		shk_close(&x->pidfd);
		shk_close(&x->rootfs);
		free(x);
		return shk_err_sys(err, -r, "too many registrations at once; try again");
	}
	return 0;
}

int shk_op_deregister(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_str id = shk_json_str(req, "id"), bundle = shk_json_str(req, "bundle");
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(pc->g, &n);

	if (!id.n)
		return shk_err_set(err, EINVAL, "deregister without \"id\"");
	for (size_t i = 0; i < n; i++) {
		struct shk_entry *e = all[i];

		/* Whoever still runs stays supervised, whatever a hook says. */
		if (shk_str_eq(e->ctr->full_id, id) &&
		    (!bundle.n || !e->ctr->bundle.n || shk_str_eq(e->ctr->bundle, bundle)) &&
		    (e->ctr->init_pid <= 0 ? !e->n_listeners : shk_entry_init_dead(e)))
			shk_registry_remove(pc->g, e);
		shk_entry_unref(e);
	}
	(void)shk_conn_ok(&pc->conn, NULL);
	return 0;
}
