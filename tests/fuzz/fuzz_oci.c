// SPDX-License-Identifier: Apache-2.0
/* Any bytes as what an OCI runtime gives: the state on a hook's standard input and config.json with its
 * seccomp section. What is accepted keeps its promises, and no profile made of it lets a watched call by. */
#include <json-c/json.h>
#include <stdlib.h>

#include "oci.h"
#include "policy/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct shk_rules_config shipped = { .rules_path = SHK_SRCDIR "/tests/fuzz/data" };

/* Once, for all runs. */
static struct shk_policyset *set;
static struct shk_plan *plan;

static void prepare(void)
{
	struct shk_err err = { 0 };

	if (plan)
		return;
	if (shk_policyset_load_text("all", SHK_STR("policy: default"), &shipped, &set, &err) < 0 ||
	    shk_plan_make(shk_policyset_at(set, 0), &plan, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

static void state(struct shk_str text)
{
	struct shk_oci_state s;
	struct shk_err err = { 0 };

	if (shk_oci_state_parse(text, &s, &err) < 0) {
		if (!err.text[0])
			abort();
		return;
	}
	if (!shk_oci_id_ok(s.id) || s.pid < 0 || (s.bundle.n && s.bundle.p[0] != '/'))
		abort();
	json_object_put(shk_oci_annotations(s.json, s.json));
	shk_oci_state_done(&s);
}

static bool watched(struct json_object *name)
{
	const struct shk_syscall *s;

	if (!json_object_is_type(name, json_type_string))
		return false;
	s = shk_syscall_by_name(shk_str(json_object_get_string(name)));
	return s && plan->call[s - shk_syscalls].what == SHK_PLAN_NOTIFY;
}

/* A rule that allows a call wins over the one that has it watched. */
static void unwatched(struct json_object *rule)
{
	struct shk_str action = shk_json_str(rule, "action");
	struct json_object *names = shk_json_array(rule, "names");

	if (!shk_str_eqz(action, "SCMP_ACT_ALLOW") && !shk_str_eqz(action, "SCMP_ACT_LOG"))
		return;
	for (size_t i = 0; names && i < json_object_array_length(names); i++)
		if (watched(json_object_array_get_idx(names, i)))
			abort();
}

static void profile(struct json_object *seccomp)
{
	struct json_object *o, *rules;
	struct shk_err err = { 0 };

	o = shk_plan_oci(plan, seccomp, "/run/notify", "m", &err);
	if (!o) {
		if (!err.text[0])
			abort();
		return;
	}
	rules = shk_json_array(o, "syscalls");
	for (size_t i = 0; rules && i < json_object_array_length(rules); i++)
		unwatched(json_object_array_get_idx(rules, i));
	if (!shk_str_eqz(shk_json_str(o, "listenerPath"), "/run/notify"))
		abort();
	json_object_put(o);
}

static void config(struct shk_str text)
{
	struct json_object *o, *facts, *seccomp;
	char *rootfs = NULL;
	struct shk_err err = { 0 };

	if (shk_oci_config_parse(text, &o, &err) < 0) {
		if (!err.text[0])
			abort();
		return;
	}
	if (shk_oci_rootfs(SHK_STR("/b"), o, &rootfs, &err) == 0 && rootfs[0] != '/')
		abort();
	free(rootfs);
	seccomp = shk_json_object(shk_json_object(o, "linux"), "seccomp");
	facts = shk_oci_facts(SHK_STR("/b"), SHK_STR(""), o, NULL);
	if (!facts || shk_json_object(shk_json_object(facts, "linux"), "syscalls"))
		abort();
	json_object_put(facts);
	json_object_put(shk_oci_facts(SHK_STR("/b"), SHK_STR(""), o, seccomp));
	profile(seccomp);
	json_object_put(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_str text = { size ? (const char *)data : "", size };

	if (size > 65536)
		return 0;
	prepare();
	state(text);
	config(text);
	return 0;
}
