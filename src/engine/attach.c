// SPDX-License-Identifier: Apache-2.0
/*
 * attach: a running container comes under supervision (SUPERVISION section 1, way D).
 *
 * All its tasks are stopped, each process gets the filter and a listener of its own, and goes on. What cannot have it
 * is named. What the container did before is not known: descriptors it has opened stay open.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/act.h"
#include "engine/attach.h"
#include "engine/porter.h"
#include "verdict/kill.h"

#define GATHER_MS 10000
#define FREEZE_MS 300
#define LATE_ROUNDS 8

/* ---- the record ---- */

static uint64_t tick_ns(void)
{
	return 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t started_ns(uint64_t start_ticks)
{
	return shk_now_real() - shk_now_boot() + start_ticks * tick_ns();
}

/* As the start times of processes: in clock ticks since boot. */
static uint64_t now_ticks(void)
{
	return shk_now_boot() / tick_ns();
}

static struct json_object *record_of(struct shk_attach *x, pid_t pid)
{
	static const char *const keep[] = { "id", "bundle", "annotations", "config", "runtime", NULL };
	struct json_object *o = shk_record_new(x->req, keep, "attach");
	_cleanup_close_ int root = -1;
	struct shk_str cgroup;
	char path[64];

	if (!o)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	shk_record_add_rootfs(o);
	shk_record_set_init(o, pid, root);
	/* Its program is the container's own by now, and it began earlier. */
	json_object_object_del(o, "runtime_dev");
	json_object_object_del(o, "runtime_ino");
	cgroup = shk_json_str(o, "cgroup");
	if (cgroup.n && !shk_attach_own_cgroup(x, pid, cgroup)) {
		json_object_object_del(o, "cgroup");
		if (!x->pidns)
			x->incomplete = "the container has neither a cgroup nor a pid namespace of its own, so only what "
					"its first process has forked is known to be its";
	}
	json_object_object_add(o, "registered",
			       json_object_new_int64((int64_t)started_ns(shk_start_time(pid))));
	json_object_object_add(o, "attached_ticks", json_object_new_int64((int64_t)now_ticks()));
	return o;
}

/* An entry of its own, or the one there is: then only those that lack the filter get it. */
static int find_entry(struct shk_attach *x, pid_t pid)
{
	struct shk_engine *g = x->job.g;
	struct json_object *record;
	int r;

	x->e = shk_registry_by_pid(g, pid, shk_start_time(pid));
	if (x->e && !x->e->had_listener)
		return shk_err_set(&x->err, EBUSY, "the container is being started, and its runtime delivers the "
				   "listener; wait for that");
	if (!x->e) {
		record = record_of(x, pid);
		if (!record)
			return shk_err_set(&x->err, ENOMEM, "out of memory");
		r = shk_entry_from_record(g, shk_engine_key(g), record, &x->e, &x->err);
		if (r < 0)
			return r;
		x->fresh = true;
	}
	x->arm = shk_entry_armed_with(x->e, &x->policy);
	if (x->arm->broken)
		return shk_err_set(&x->err, EINVAL, "the policies cannot be loaded, so nothing is attached to: %s",
				   x->arm->broken);
	x->plan = shk_armoury_plan(x->arm, x->policy);
	x->may_nnp = x->pc ? !x->policy->attach_refuse : x->policy->exec_sessions == SHK_EXEC_NO_NEW_PRIVS;
	return x->plan ? 0 : shk_err_set(&x->err, EINVAL, "policy " SHK_STR_FMT " has no filter",
					 SHK_STR_ARG(x->policy->name));
}

/* What the filters promise about facts is what all of them promise. Under the lock: workers ask. */
static int narrow_kept(struct shk_attach *x)
{
	struct timespec due;
	struct shk_entry *e = x->e;

	clock_gettime(CLOCK_MONOTONIC, &due);
	due.tv_sec += 5;
	if (pthread_mutex_clocklock(&e->ctr->lock, CLOCK_MONOTONIC, &due))
		return shk_err_set(&x->err, EBUSY, "calls of the container hold it up; try again");
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (!shk_plan_keeps(x->plan, i))
			e->kept[i / 64] &= ~(1ull << i % 64);
	pthread_mutex_unlock(&e->ctr->lock);
	return 0;
}

/* ---- freezing while they are seized ---- */

static bool freeze(void *arg, bool on)
{
	struct shk_attach *x = arg;

	if ((!on && !x->froze) || shk_freeze_container(x->e->ctr, on, NULL) < 0)
		return false;
	x->froze = on;
	/* Who is not frozen then waits in the kernel, and is before it can do anything. */
	if (on)
		(void)shk_freeze_wait(x->e->ctr, FREEZE_MS);
	return on;
}

/* Freezing a cgroup this process is in would be for ever. */
static bool may_freeze(const struct shk_attach *x)
{
	struct shk_buf own;
	bool r;

	if (!x->e->ctr->cgroup.n || !x->announced)
		return false;
	shk_buf_init(&own, 8192);
	r = shk_cgroup_of(getpid(), &own) < 0 || !shk_cgroup_below(shk_buf_view(&own), x->e->ctr->cgroup);
	shk_buf_done(&own);
	return r;
}

/* ---- the job ---- */

static int take_all(struct shk_attach *x)
{
	const struct shk_herd_ops ops = { shk_attach_list, may_freeze(x) ? freeze : NULL, x };
	struct shk_herd *h = NULL;
	int r = shk_herd_new(&ops, &h, &x->err);

	if (r < 0)
		return r;
	r = shk_herd_gather(h, GATHER_MS, &x->gather_err);
	/* Tasks that wait in the kernel are seized, and get a second chance. */
	if (r == -ETIMEDOUT)
		r = 0;
	else if (r == -EAGAIN || r == -E2BIG)
		x->incomplete = x->gather_err.text;
	else if (r < 0)
		x->err = x->gather_err;
	if (r == 0 || x->incomplete) {
		r = 0;
		shk_attach_inject(x, h);
	}
	shk_herd_free(h);
	return r;
}

/* The next engine must know that it has to thaw, before anything is frozen. A record is its main thread's once the
 * entry is in the registry. */
static int announce(struct shk_engine *g, struct shk_entry *e, struct shk_err *err)
{
	json_object_object_add(e->record, "attaching", json_object_new_boolean(true));
	return shk_keeper_store(g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, err);
}

static int attach(struct shk_attach *x, pid_t pid)
{
	int r = find_entry(x, pid);

	if (r < 0)
		return r;
	if (shk_container_frozen(x->e->ctr))
		return shk_err_set(&x->err, EBUSY, "the container is frozen, and frozen tasks can install nothing; "
				   "let it go on first (shrike thaw, or resume of its engine)");
	if (x->fresh) {
		shk_entry_set_filter(x->e, x->plan);
		r = announce(x->job.g, x->e, &x->err);
		x->announced = r == 0;
		if (r == 0)
			shk_registry_add(x->job.g, x->e);
	} else {
		r = narrow_kept(x);
	}
	if (r == 0)
		r = take_all(x);
	/* From here on sessions are asked for. */
	if (r == 0)
		shk_porter_mark(x->e, true);
	if (r == 0 && !x->tasks && !x->already) {
		struct json_object *first = json_object_array_get_idx(x->failed, 0);
		struct shk_str why = shk_json_str(first, "why");

		int e = first ? (int)shk_json_int(first, "errno", EIO) : ESRCH;

		/* ETIMEDOUT would mean that nobody has answered. */
		r = shk_err_set(&x->err, e == ETIMEDOUT ? EBUSY : e,
				"nothing was attached to: " SHK_STR_FMT, SHK_STR_ARG(why.n ? why :
				SHK_STR("the container has ended")));
	}
	return r;
}

static void run(struct shk_job *j)
{
	struct shk_attach *x = (struct shk_attach *)j;
	pid_t pid = (pid_t)shk_json_int(x->req, "pid", 0);

	x->r = shk_attach_check(x, pid, &x->err);
	if (x->r < 0)
		return;
	shk_turn_take(j->g, pid);
	x->r = attach(x, pid);
	shk_turn_end(j->g, pid);
}

/* ---- the end, on the main thread ---- */

static struct json_object *answer(struct shk_attach *x)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_object_object_add(o, "id", json_object_new_string_len(x->e->ctr->full_id.p,
								   (int)x->e->ctr->full_id.n));
	json_object_object_add(o, "policy", json_object_new_string_len(x->policy->name.p,
								       (int)x->policy->name.n));
	json_object_object_add(o, "mode", json_object_new_string(shk_mode_name(x->policy->mode)));
	json_object_object_add(o, "attached", json_object_new_int64(x->tasks));
	json_object_object_add(o, "processes", json_object_new_int64(x->processes));
	json_object_object_add(o, "already", json_object_new_int64(x->already));
	json_object_object_add(o, "no_new_privs", json_object_new_int64(x->nnp));
	json_object_object_add(o, "n_failed", json_object_new_int64(x->n_failed));
	if (x->n_failed)
		json_object_object_add(o, "failed", json_object_get(x->failed));
	if (x->incomplete)
		json_object_object_add(o, "incomplete", json_object_new_string(x->incomplete));
	return o;
}

static void tell(struct shk_attach *x)
{
	if (x->pc)
		shk_tell(x->job.g, x->e, SHK_PRIO_NOTICE, "Shrike internal: container attached", NULL,
			 "%u tasks of a running container came under supervision, %u had been before (asked by process "
			 "%d of uid %u)", x->tasks, x->already, (int)x->pc->peer.pid, (unsigned)x->pc->peer.uid);
	else if (x->tasks)
		shk_tell(x->job.g, x->e, SHK_PRIO_WARNING, "Shrike internal: exec session found late", NULL,
			 "An exec session had begun without supervision (process %d); %u tasks came under it now, %u had been "
			 "before", (int)x->late, x->tasks, x->already);
	if (x->nnp)
		shk_tell(x->job.g, x->e, SHK_PRIO_NOTICE, "Shrike internal: no_new_privs set", NULL,
			 "%u tasks got no_new_privs with their filter: setuid programs give them nothing any more",
			 x->nnp);
	if (x->n_failed || x->incomplete)
		shk_tell(x->job.g, x->e, SHK_PRIO_CRITICAL, "Shrike internal: attach incomplete", NULL,
			 "%u tasks of the container are not supervised%s%s", x->n_failed,
			 x->incomplete ? "; " : "", x->incomplete ? x->incomplete : "");
}

/* The calls that would be carried out for tasks whose past is known. */
static void tell_unsure(struct shk_attach *x)
{
	bool any = false;

	for (unsigned i = 0; i < SHK_CALL_N; i++)
		any |= x->plan->call[i].enforced && shk_method_of(i) == SHK_METHOD_EMULATE;
	if (x->tasks && any && x->policy->mode == SHK_MODE_ENFORCE && shk_act_landlock())
		shk_tell(x->job.g, x->e, SHK_PRIO_WARNING, "Shrike internal: attached without emulation", NULL,
			 "Calls that rules allow are best-effort in tasks that were attached to: they may be in a Landlock "
			 "domain, so none is carried out in their place");
}

static void settle(struct shk_attach *x)
{
	struct shk_entry *e = x->e;

	json_object_object_del(e->record, "unattached");
	if (x->n_failed)
		json_object_object_add(e->record, "unattached", json_object_get(x->failed));
	json_object_object_add(e->record, "listening", json_object_new_boolean(true));
	if (!x->fresh && x->tasks)
		shk_narrow_merge(e, x->plan);
	shk_narrow_check(e, shk_armoury_plan(e->arm, e->policy));
	if (x->r == 0)
		x->r = shk_entry_release(e, false, &x->err);
	if (x->r == 0)
		x->r = shk_keeper_store(x->job.g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, &x->err);
	if (x->fresh)
		shk_report_privileged(e, shk_json_object(x->req, "config"));
}

/* The session that this was for: is it supervised now? If not the policy says what comes of it. */
static void late_end(struct shk_attach *x)
{
	const char *why = x->r < 0 ? x->err.text : NULL;
	bool refuse;

	/* Somebody may be missing: once more, while there is hope. */
	if (x->incomplete && x->round < LATE_ROUNDS) {
		shk_attach_late(x->job.g, x->e->ctr->key, x->late, x->late_start, x->round + 1);
		return;
	}
	for (size_t i = 0; !why && i < json_object_array_length(x->failed); i++) {
		struct json_object *o = json_object_array_get_idx(x->failed, i);

		if (shk_json_int(o, "pid", 0) == x->late)
			why = shk_json_str(o, "why").p;
	}
	if (!why || shk_start_time(x->late) != x->late_start)
		return;
	(void)shk_porter_policy(x->e, &refuse);
	shk_porter_late_failed(x->e, x->late, x->late_start, refuse, why);
}

static void done(struct shk_job *j)
{
	struct shk_attach *x = (struct shk_attach *)j;

	for (size_t i = 0; i < x->n_watch; i++) {
		shk_listener_watch(x->watch[i]);
		shk_listener_unref(x->watch[i]);
	}
	if (x->e && x->announced)
		json_object_object_del(x->e->record, "attaching");
	if (x->e && x->r == 0) {
		settle(x);
		tell(x);
		tell_unsure(x);
	} else if (x->e && x->fresh && !x->e->n_listeners) {
		shk_registry_remove(j->g, x->e); /* nothing to supervise */
	} else if (x->e && x->announced) {
		(void)shk_keeper_store(j->g, SHK_KEPT_CONTAINER, x->e->ctr->key, x->e->record, -1, NULL);
	}
	if (x->pc) {
		shk_peerconn_finish(x->pc, x->r < 0 ? NULL : answer(x), x->r < 0 ? &x->err : NULL);
		shk_peerconn_unref(x->pc);
	} else if (x->e) {
		late_end(x);
	}
	json_object_put(x->req);
	json_object_put(x->failed);
	shk_armoury_unref(x->arm);
	shk_entry_unref(x->e);
	shk_close(&x->pidfd);
	free(x->members);
	free(x->cgroup_line);
	free(x->watch);
	free(x);
}

void shk_attach_late(struct shk_engine *g, uint64_t container, pid_t pid, uint64_t start, unsigned round)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = shk_registry_by_key(g, container);
	struct shk_attach *x;
	bool refuse;

	if (!e || !e->had_listener || e->init_pidfd < 0 || atomic_load(&e->released))
		return;
	x = calloc(1, sizeof(*x));
	if (!x)
		return;
	x->job.run = run;
	x->job.done = done;
	x->job.spare = SHK_JOBS_SPARE_LATE;
	x->late = pid;
	x->late_start = start;
	x->round = round;
	x->req = json_object_new_object();
	x->failed = json_object_new_array();
	x->pidfd = fcntl(e->init_pidfd, F_DUPFD_CLOEXEC, 0);
	if (x->req)
		json_object_object_add(x->req, "pid", json_object_new_int(e->ctr->init_pid));
	x->announced = announce(g, e, NULL) == 0;
	if (x->req && x->failed && x->pidfd >= 0 && shk_job_start(g, &x->job) == 0)
		return;
	json_object_object_del(e->record, "attaching");
	json_object_put(x->req);
	json_object_put(x->failed);
	shk_close(&x->pidfd);
	free(x);
	(void)shk_porter_policy(e, &refuse);
	shk_porter_late_failed(e, pid, start, refuse, "too many others are being attached to");
}

int shk_op_attach(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_attach *x;
	struct shk_entry *e;
	int r;

	if (!shk_json_str(req, "id").n || shk_json_int(req, "pid", 0) <= 1)
		return shk_err_set(err, EINVAL, "attach without \"id\" or \"pid\"");
	if (pc->conn.nfds != 1)
		return shk_err_set(err, EINVAL, "attach needs one descriptor, the pidfd of the container's init");
	shk_registry_sweep(pc->g);
	x = calloc(1, sizeof(*x));
	if (!x)
		return shk_err_set(err, ENOMEM, "out of memory");
	x->job.run = run;
	x->job.done = done;
	x->pc = pc;
	x->req = json_object_get(req);
	x->failed = json_object_new_array();
	x->pidfd = TAKE_FD(pc->conn.fds[0]);
	/* One that is supervised already is told before; a job may not touch its record. */
	e = shk_registry_by_pid(pc->g, (pid_t)shk_json_int(req, "pid", 0),
				shk_start_time((pid_t)shk_json_int(req, "pid", 0)));
	x->announced = e && announce(pc->g, e, NULL) == 0;
	shk_entry_unref(e);
	pc->busy = true;
	pc->refs++;
	r = x->failed ? shk_job_start(pc->g, &x->job) : -ENOMEM;
	if (r < 0) {
		pc->busy = false;
		pc->refs--;
		json_object_put(x->req);
		json_object_put(x->failed);
		shk_close(&x->pidfd);
		free(x);
		return shk_err_sys(err, -r, "too many registrations at once; try again");
	}
	return 0;
}

void shk_attach_restore(struct shk_engine *g)
{
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(g, &n);

	for (size_t i = 0; i < n; i++) {
		struct shk_entry *e = all[i];

		if (e->attaching) {
			e->attaching = false;
			(void)shk_freeze_container(e->ctr, false, NULL);
			json_object_object_del(e->record, "attaching");
			shk_tell(g, e, SHK_PRIO_CRITICAL, "Shrike internal: attach incomplete", NULL,
				 "The engine ended while it attached to the container: some of its tasks may not be "
				 "supervised; attach again");
			if (e->n_listeners)
				(void)shk_keeper_store(g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, NULL);
			else
				shk_registry_remove(g, e);
		}
		shk_entry_unref(e);
	}
}
