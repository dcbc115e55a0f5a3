// SPDX-License-Identifier: Apache-2.0
/*
 * Reload: everything is compiled before anything changes; what fails leaves the old set in force.
 *
 * A filter cannot learn to notify more. Where a new policy needs a call that the installed filter lets pass,
 * the container says so (`shrike ps`, an alert); the rest of the policy is in force at once. A policy can name
 * calls to be notified in reserve.
 */
#include <errno.h>
#include <json-c/json.h>

#include "engine/internal.h"
#include "engine/observer.h"

/* "connect, openat", or nothing. */
static void names_of(struct json_object *array, struct shk_buf *out)
{
	for (size_t i = 0; array && i < json_object_array_length(array); i++)
		shk_buf_printf(out, "%s%s", i ? ", " : "",
			       json_object_get_string(json_object_array_get_idx(array, i)));
}

static void apply_to(struct shk_engine *g, struct shk_entry *e, struct shk_armoury *a,
		     struct json_object *warnings)
{
	const struct shk_policy *p = shk_policyset_select(a->ps, e->ctr);
	const struct shk_plan *plan = shk_armoury_plan(a, p);
	_cleanup_buf_ struct shk_buf names, text;

	shk_buf_init(&names, 8192);
	shk_buf_init(&text, 16384);
	shk_entry_arm(e, a, p);
	shk_observer_watch(g, e, true);
	if (!plan || !e->had_listener)
		return;
	shk_narrow_check(e, plan); /* only this thread changes e->unwatched */
	names_of(e->unwatched, &names);
	if (!names.n)
		return;
	shk_tell(g, e, SHK_PRIO_WARNING, "Shrike internal: filter too narrow", NULL,
		 "Policy " SHK_STR_FMT " needs calls that the container's filter does not notify; they "
		 "are watched from its next start on: %s", SHK_STR_ARG(p->name), names.p);
	if (!warnings)
		return;
	shk_buf_printf(&text, "container " SHK_STR_FMT ": not watched until its next start: %s",
		       SHK_STR_ARG(e->ctr->id), names.p);
	json_object_array_add(warnings, json_object_new_string_len(text.p, (int)text.n));
}

static int failed(struct shk_engine *g, const struct shk_err *err)
{
	free(g->reload_error);
	g->reload_error = strdup(err->text);
	shk_tell(g, NULL, SHK_PRIO_ERROR, "Shrike internal: reload failed", NULL,
		 "The old policies stay in force: %s", err->text);
	shk_keeper_status(g, "reload failed, the old policies stay in force");
	return -err->errnum;
}

/* Sinks, and the processes of `program`, are made before the engine gives up what that needs. */
static void check_outputs(struct shk_engine *g, const struct shk_config *cfg, struct json_object *warnings)
{
	static const char text[] = "outputs have changed: those on this machine, and the least priority of those over "
				   "the network, stay as they were until the engine starts again, as with shriked";

	if (shk_config_same_outputs(g->cfg, cfg))
		return;
	shk_tell(g, NULL, SHK_PRIO_WARNING, "Shrike internal: outputs changed", NULL, "%s", text);
	if (warnings)
		json_object_array_add(warnings, json_object_new_string(text));
}

int shk_engine_reload(struct shk_engine *g, unsigned *ret_rules, struct json_object *warnings,
		      struct shk_err *err)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *cfg = NULL;
	struct shk_err local = { 0 };
	struct shk_armoury *a = NULL, *old;
	struct shk_entry **all;
	unsigned rules = 0;
	size_t n;

	err = err ? err : &local;
	/* Outputs and sockets are those of the start; policies and rules are read anew. */
	if (g->config_path && shk_config_load(g->config_path, &cfg, err) < 0)
		return failed(g, err);
	if (shk_armoury_load(cfg ? cfg : g->cfg, &a, err) < 0)
		return failed(g, err);
	pthread_mutex_lock(&g->reg_lock);
	old = g->arm;
	g->arm = a;
	pthread_mutex_unlock(&g->reg_lock);
	if (cfg && !cfg->module)
		shk_observer_leave(g, "module: off, since the configuration was read anew");
	all = shk_registry_all(g, &n);
	for (size_t i = 0; i < n; i++) {
		apply_to(g, all[i], a, warnings);
		shk_entry_unref(all[i]);
	}
	free(all);
	shk_armoury_unref(old);
	if (cfg)
		check_outputs(g, cfg, warnings);
	shk_sinks_reopen(g->sinks);
	free(TAKE_PTR(g->reload_error));
	for (size_t i = 0; i < a->n; i++)
		rules += (unsigned)shk_ruleset_count(shk_policyset_at(a->ps, i)->rules);
	if (ret_rules)
		*ret_rules = rules;
	shk_notice("reloaded: %zu policies, %zu containers", a->n, n);
	shk_keeper_status(g, "reloaded");
	return 0;
}
