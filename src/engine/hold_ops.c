// SPDX-License-Identifier: Apache-2.0
/*
 * What an administrator does with a supervised container: detach, freeze, thaw, kill.
 *
 * A seccomp filter cannot be taken away. A released container keeps filter and listeners, and its calls pass: closing
 * the listeners would make every watched call fail with ENOSYS.
 */
#include <errno.h>
#include <json-c/json.h>
#include <time.h>

#include "engine/internal.h"
#include "verdict/kill.h"

struct shk_entry *shk_registry_find(struct shk_engine *g, struct shk_str what, struct shk_err *err)
{
	struct shk_entry *found = NULL;
	unsigned best = 0, n_best = 0;

	if (!what.n) {
		shk_err_set(err, EINVAL, "which container? a member \"container\" is needed");
		return NULL;
	}
	pthread_mutex_lock(&g->reg_lock);
	for (struct shk_entry *e = g->entries; e; e = e->next) {
		unsigned fits = shk_str_eq(e->ctr->full_id, what)     ? 3 :
				shk_str_eq(e->ctr->name, what)	      ? 2 :
				shk_str_starts(e->ctr->full_id, what) ? 1 : 0;

		if (!fits || fits < best || shk_entry_init_dead(e))
			continue;
		n_best = fits > best ? 1 : n_best + 1;
		best = fits;
		found = e;
	}
	found = found && n_best == 1 ? shk_entry_ref(found) : NULL;
	pthread_mutex_unlock(&g->reg_lock);
	if (!found && n_best > 1)
		shk_err_set(err, EINVAL, "%u supervised containers are called \"" SHK_STR_FMT
			    "\"; give the whole id", n_best, SHK_STR_ARG(what));
	else if (!found)
		shk_err_set(err, ENOENT, "no supervised container is called \"" SHK_STR_FMT
			    "\"; `shrike ps` lists them", SHK_STR_ARG(what));
	return found;
}

int shk_entry_release(struct shk_entry *e, bool released, struct shk_err *err)
{
	struct timespec due;

	if (atomic_load(&e->released) == released)
		return 0;
	if (released) {
		json_object_object_add(e->record, "released", json_object_new_boolean(true));
		atomic_store(&e->released, true);
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &due);
	due.tv_sec += 1;
	/* Calls that change facts have passed unseen. */
	if (pthread_mutex_clocklock(&e->ctr->lock, CLOCK_MONOTONIC, &due))
		return shk_err_set(err, EBUSY, "calls of the container hold it up; try again");
	shk_procs_flush(e->ctr);
	atomic_store(&e->released, false);
	pthread_mutex_unlock(&e->ctr->lock);
	json_object_object_del(e->record, "released");
	return 0;
}

/* Until its own program has started the calls are the runtime's; nobody is to leave it in that state. */
static bool armed(struct shk_entry *e)
{
	bool r = false;

	pthread_mutex_lock(&e->g->reg_lock);
	for (struct shk_listener *l = e->listeners; l; l = l->next)
		r |= !l->session && (atomic_load(&l->armed) & SHK_ARMED_INIT);
	pthread_mutex_unlock(&e->g->reg_lock);
	return r;
}

static int named(struct shk_entry *e, struct json_object **ret)
{
	*ret = json_object_new_object();
	if (!*ret)
		return -ENOMEM;
	json_object_object_add(*ret, "id", json_object_new_string_len(e->ctr->full_id.p,
								      (int)e->ctr->full_id.n));
	return 0;
}

static int finish(struct shk_peerconn *pc, struct shk_entry *e, const char *rule, const char *what,
		  struct shk_err *err)
{
	struct json_object *o;

	shk_tell(pc->g, e, SHK_PRIO_NOTICE, rule, NULL, "The container %s (asked by process %d of uid %u)", what,
		 (int)pc->peer.pid, (unsigned)pc->peer.uid);
	if (named(e, &o) < 0)
		return shk_err_set(err, ENOMEM, "out of memory");
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}

int shk_op_detach(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e =
		shk_registry_find(pc->g, shk_json_str(req, "container"), err);
	int r;

	if (!e)
		return -err->errnum;
	if (!armed(e))
		return shk_err_set(err, EBUSY, "the container's own program has not started yet; wait for that");
	r = shk_entry_release(e, true, err);
	if (r == 0)
		r = shk_keeper_store(pc->g, SHK_KEPT_CONTAINER, e->ctr->key, e->record, -1, err);
	if (r < 0)
		return r;
	return finish(pc, e, "Shrike internal: container released",
		      "is released: its calls are not judged any more", err);
}

static int set_frozen(struct shk_peerconn *pc, struct json_object *req, bool on, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e =
		shk_registry_find(pc->g, shk_json_str(req, "container"), err);
	int r;

	if (!e)
		return -err->errnum;
	if (!on && !shk_container_frozen(e->ctr))
		return shk_err_set(err, EALREADY, "the container is not frozen");
	r = shk_freeze_container(e->ctr, on, err);
	if (r < 0)
		return r;
	return on ? finish(pc, e, "Shrike internal: container frozen", "is frozen", err) :
		    finish(pc, e, "Shrike internal: container thawed", "goes on", err);
}

int shk_op_freeze(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	return set_frozen(pc, req, true, err);
}

int shk_op_thaw(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	return set_frozen(pc, req, false, err);
}

int shk_op_kill(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e =
		shk_registry_find(pc->g, shk_json_str(req, "container"), err);
	int r = e ? shk_kill_container(e->ctr, err) : -err->errnum;

	if (r < 0)
		return r;
	return finish(pc, e, "Shrike internal: container killed", "was killed", err);
}
