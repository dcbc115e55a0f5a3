// SPDX-License-Identifier: Apache-2.0
/*
 * What the command line asks: ps, status, reload.
 */
#include <errno.h>
#include <json-c/json.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/observer.h"
#include "verdict/kill.h"

static void add_str(struct json_object *o, const char *key, struct shk_str s)
{
	json_object_object_add(o, key, json_object_new_string_len(s.p ? s.p : "", (int)s.n));
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)v));
}

/* Tasks that could not be attached to and still are there. */
static void add_unattached(struct json_object *o, struct shk_entry *e)
{
	struct json_object *all = shk_json_array(e->record, "unattached"), *left;
	size_t n = all ? json_object_array_length(all) : 0;

	if (!n)
		return;
	left = json_object_new_array();
	for (size_t i = 0; left && i < n; i++) {
		struct json_object *t = json_object_array_get_idx(all, i);

		if (shk_start_time((pid_t)shk_json_int(t, "tid", 0)) == (uint64_t)shk_json_int(t, "start", -1))
			json_object_array_add(left, json_object_get(t));
	}
	if (left && json_object_array_length(left))
		json_object_object_add(o, "unattached", left);
	else
		json_object_put(left);
}

static struct json_object *describe(struct shk_entry *e)
{
	struct json_object *o = json_object_new_object(), *unwatched = NULL;
	struct shk_container *c = e->ctr;
	unsigned listeners, sessions;
	bool armed = false;

	if (!o)
		return NULL;
	pthread_mutex_lock(&e->g->reg_lock);
	listeners = e->n_listeners;
	sessions = e->n_sessions;
	for (struct shk_listener *l = e->listeners; l; l = l->next)
		armed |= !l->session && atomic_load(&l->armed) != 0;
	pthread_mutex_unlock(&e->g->reg_lock);
	add_str(o, "id", c->full_id);
	add_str(o, "name", c->name);
	add_str(o, "image", c->image);
	add_str(o, "runtime", c->runtime);
	add_str(o, "engine", c->engine);
	add_str(o, "policy", e->policy->name);
	add_str(o, "mode", shk_str(shk_mode_name((enum shk_mode)atomic_load(&e->mode))));
	add_str(o, "way", shk_str(shk_way_name(c->way)));
	json_object_object_add(o, "armed", json_object_new_boolean(armed));
	json_object_object_add(o, "released", json_object_new_boolean(atomic_load(&e->released)));
	json_object_object_add(o, "frozen", json_object_new_boolean(shk_container_frozen(c)));
	add_unattached(o, e);
	add_str(o, "sources", atomic_load(&e->held_execs)		 ? SHK_STR("notify, module (holds execs)") :
			      atomic_load(&e->observed) == SHK_OBSERVED_YES ? SHK_STR("notify, module") : SHK_STR("notify"));
	add_u64(o, "observed", atomic_load(&e->n_observed));
	add_u64(o, "lost", atomic_load(&e->n_module_lost));
	json_object_object_add(o, "pid", json_object_new_int(c->init_pid));
	add_u64(o, "started", c->start_ns);
	add_u64(o, "listeners", listeners);
	add_u64(o, "sessions", sessions);
	add_u64(o, "events", atomic_load(&c->n_events));
	add_u64(o, "alerts", atomic_load(&c->n_alerts));
	add_u64(o, "denied", atomic_load(&c->n_denied));
	add_u64(o, "killed", atomic_load(&c->n_killed));
	pthread_mutex_lock(&e->seq_lock);
	if (e->unwatched && json_object_array_length(e->unwatched))
		(void)json_object_deep_copy(e->unwatched, &unwatched, NULL);
	pthread_mutex_unlock(&e->seq_lock);
	if (unwatched)
		json_object_object_add(o, "unwatched", unwatched);
	return o;
}

int shk_op_ps(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(pc->g, &n);

	(void)req;
	if (!all)
		return shk_err_set(err, ENOMEM, "out of memory");
	while (n--) { /* oldest first */
		struct json_object *line = json_object_new_object(), *more = json_object_new_object();

		if (line && more) {
			json_object_object_add(more, "container", describe(all[n]));
			json_object_object_add(line, "more", more);
			(void)shk_conn_send(&pc->conn, line);
		} else {
			json_object_put(more);
		}
		json_object_put(line);
		shk_entry_unref(all[n]);
	}
	(void)shk_conn_ok(&pc->conn, NULL);
	return 0;
}

static struct json_object *policies_of(struct shk_armoury *a)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < a->n && list; i++) {
		const struct shk_policy *p = shk_policyset_at(a->ps, i);
		struct json_object *o = json_object_new_object();

		if (!o)
			break;
		add_str(o, "name", p->name);
		add_str(o, "file", p->file);
		add_str(o, "mode", shk_str(shk_mode_name(p->mode)));
		add_u64(o, "rules", shk_ruleset_count(p->rules));
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *sinks_of(struct shk_sinks *s)
{
	struct shk_sink_stats st[SHK_OUTPUTS_MAX];
	size_t n = s ? shk_sinks_stats(s, st, SHK_ARRAY_SIZE(st)) : 0;
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n && list; i++) {
		struct json_object *o = json_object_new_object();

		if (!o)
			break;
		add_str(o, "name", shk_str(st[i].name));
		add_u64(o, "sent", st[i].sent);
		add_u64(o, "failed", st[i].failed);
		add_u64(o, "dropped", st[i].dropped);
		if (st[i].error)
			add_str(o, "error", shk_str(st[i].error == ENOTCONN && !strcmp(st[i].name, "gateway") ?
						    "shrike-gateway does not run" : strerror(st[i].error)));
		json_object_array_add(list, o);
	}
	return list;
}

/* Outputs over the network, as the gateway told them, take the place of the way to it. */
static void add_network(struct shk_engine *g, struct json_object *list)
{
	_cleanup_free_ char *text = g->sinks ? shk_sinks_gateway_outputs(g->sinks) : NULL;
	struct json_object *all = text ? json_tokener_parse(text) : NULL;

	for (size_t i = 0; json_object_is_type(all, json_type_array) && i < json_object_array_length(all); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(all, i)));
	json_object_put(all);
}

static struct json_object *numbers(struct shk_engine *g)
{
	struct json_object *o = json_object_new_object();
	struct shk_call_slot *s;
	size_t pos = 0, busy = 0;

	if (!o)
		return NULL;
	while ((s = shk_journal_next_call(g->journal, &pos)))
		busy += atomic_load(&s->state) == SHK_CALL_RUNNING;
	add_u64(o, "started", g->started_ns);
	add_u64(o, "restarts", g->restarts);
	add_u64(o, "containers", shk_engine_containers(g));
	add_u64(o, "events", atomic_load(&g->n_events));
	add_u64(o, "alerts", atomic_load(&g->figures.alerts));
	add_u64(o, "denied", atomic_load(&g->figures.denied));
	add_u64(o, "killed", atomic_load(&g->figures.killed));
	json_object_object_add(o, "latency", shk_figures_latency(&g->figures));
	json_object_object_add(o, "sinks", sinks_of(g->sinks));
	add_u64(o, "limited_alerts", atomic_load(&g->figures.limited));
	add_u64(o, "lost_alerts", shk_journal_lost_alerts(g->journal));
	add_u64(o, "calls_in_flight", busy);
	return o;
}

void shk_control_tell_gateway(struct shk_engine *g)
{
	struct json_object *o = g->sinks ? numbers(g) : NULL;

	if (o)
		shk_sinks_gateway_status(g->sinks, strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)));
	json_object_put(o);
}

int shk_op_status(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_engine *g = pc->g;
	struct json_object *o = numbers(g);

	(void)req;
	if (!o)
		return shk_err_set(err, ENOMEM, "out of memory");
	add_str(o, "version", SHK_STR(PACKAGE_VERSION));
	json_object_object_add(o, "pid", json_object_new_int(getpid()));
	json_object_object_add(o, "policies", policies_of(g->arm));
	add_network(g, json_object_object_get(o, "sinks"));
	json_object_object_add(o, "module", shk_observer_status(g));
	if (g->arm->broken)
		add_str(o, "broken", shk_str(g->arm->broken));
	if (g->reload_error)
		add_str(o, "reload_error", shk_str(g->reload_error));
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}

int shk_op_top(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_engine *g = pc->g;
	struct json_object *o = shk_figures_top(&g->figures), *latency = shk_figures_latency(&g->figures);

	(void)req;
	if (!o || !latency) {
		json_object_put(o);
		json_object_put(latency);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	json_object_object_add(o, "latency", latency);
	add_u64(o, "time", shk_now_mono());
	add_u64(o, "started", g->started_ns);
	add_u64(o, "events", atomic_load(&g->n_events));
	add_u64(o, "alerts", atomic_load(&g->figures.alerts));
	add_u64(o, "denied", atomic_load(&g->figures.denied));
	add_u64(o, "killed", atomic_load(&g->figures.killed));
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}

int shk_op_reload(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct json_object *o = json_object_new_object(), *warnings = json_object_new_array();
	unsigned rules = 0;
	int r;

	(void)req;
	if (!o || !warnings)
		r = shk_err_set(err, ENOMEM, "out of memory");
	else
		r = shk_engine_reload(pc->g, &rules, warnings, err);
	if (r < 0) {
		json_object_put(o);
		json_object_put(warnings);
		return r;
	}
	add_u64(o, "policies", pc->g->arm->n);
	add_u64(o, "rules", rules);
	json_object_object_add(o, "warnings", warnings);
	(void)shk_conn_ok(&pc->conn, o);
	return 0;
}
