// SPDX-License-Identifier: Apache-2.0
/*
 * The plan inside a container's own seccomp profile (OCI runtime-spec, config-linux, "seccomp").
 *
 * A profile is one filter: what it refuses must stay refused, so only what it allows is turned
 * into NOTIFY. An ALLOW rule for a name would silently win over a NOTIFY rule for it, so a name that
 * is notified is taken out of every other rule. Flags are left alone: runc before 1.5 knows none.
 */
#include "policy/plan.h"

#include <errno.h>
#include <json-c/json.h>

#include "control/control.h"

static const char *const architectures[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };

enum stance {
	ALLOWED,     /* always: by the default action or by a rule without conditions */
	ALLOWED_IF,  /* only where the conditions of ALLOW rules hold */
	REFUSED,     /* always */
	REFUSED_IF,  /* allowed but where a rule's conditions hold */
};

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

static struct json_object *array_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_array))
		return NULL;
	return v;
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static bool is_allow(const char *action)
{
	return !strcmp(action, "SCMP_ACT_ALLOW") || !strcmp(action, "SCMP_ACT_LOG");
}

static bool has_name(struct json_object *names, const char *name)
{
	for (size_t i = 0; i < length(names); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(names, i));

		if (s && !strcmp(s, name))
			return true;
	}
	return false;
}

/* Runtimes leave such rules out. */
static bool is_default(struct json_object *profile, struct json_object *rule)
{
	const char *action = text_of(rule, "action");

	return !strcmp(action, text_of(profile, "defaultAction")) &&
	       (strcmp(action, "SCMP_ACT_ERRNO") || shk_json_int(rule, "errnoRet", EPERM) ==
		shk_json_int(profile, "defaultErrnoRet", EPERM));
}

/* Of several rules without conditions the first one counts: libseccomp ignores the others. */
static enum stance stance_of(struct json_object *profile, const char *name)
{
	struct json_object *rules = array_of(profile, "syscalls");
	bool by_default = is_allow(text_of(profile, "defaultAction"));
	bool allow_if = false, refuse_if = false, allow = false, refuse = false;

	for (size_t i = 0; i < length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);
		bool conditional = length(array_of(rule, "args")) > 0;
		bool allows = is_allow(text_of(rule, "action"));

		if (!has_name(array_of(rule, "names"), name) || is_default(profile, rule))
			continue;
		if (conditional)
			*(allows ? &allow_if : &refuse_if) = true;
		else if (!allow && !refuse)
			*(allows ? &allow : &refuse) = true;
	}
	if (refuse || (!by_default && !allow && !allow_if))
		return REFUSED;
	if (refuse_if)
		return REFUSED_IF;
	return allow || by_default ? ALLOWED : ALLOWED_IF;
}

static bool add(struct json_object *o, const char *key, struct json_object *v)
{
	if (!v || json_object_object_add(o, key, v) < 0) {
		json_object_put(v);
		return false;
	}
	return true;
}

static bool append(struct json_object *array, struct json_object *v)
{
	if (!v || json_object_array_add(array, v) < 0) {
		json_object_put(v);
		return false;
	}
	return true;
}

static struct json_object *rule_new(const char *name, const struct shk_plan_call *c,
				    struct json_object *args)
{
	struct json_object *rule = json_object_new_object(), *names = json_object_new_array();
	bool notify = c->what == SHK_PLAN_NOTIFY, ok;

	if (!rule || !names) {
		json_object_put(rule);
		json_object_put(names);
		json_object_put(args);
		return NULL;
	}
	ok = append(names, json_object_new_string(name));
	ok &= add(rule, "names", names);
	ok &= add(rule, "action",
		  json_object_new_string(notify ? "SCMP_ACT_NOTIFY" : "SCMP_ACT_ERRNO"));
	if (!notify)
		ok &= add(rule, "errnoRet", json_object_new_int(c->err));
	if (args)
		ok &= add(rule, "args", args);
	if (ok)
		return rule;
	json_object_put(rule);
	return NULL;
}

static bool add_arg(struct json_object *args, unsigned index, uint64_t mask, uint64_t value)
{
	struct json_object *a = json_object_new_object();
	bool ok = a;

	ok = ok && add(a, "index", json_object_new_int((int)index));
	ok = ok && add(a, "value", json_object_new_uint64(mask));
	ok = ok && add(a, "valueTwo", json_object_new_uint64(value));
	ok = ok && add(a, "op", json_object_new_string("SCMP_CMP_MASKED_EQ"));
	if (!ok) {
		json_object_put(a);
		return false;
	}
	return append(args, a);
}

/* One conjunction as conditions of one rule. OCI has no "masked and different"; `bit` (not 0) stands
 * for one bit of such a test that must differ. Runtimes treat two conditions on one argument as
 * alternatives, so positive ones are joined and what cannot be joined is left out: a rule with
 * fewer conditions notifies more, never less. Unset: no condition is left. */
static bool conj_args(const struct shk_reg_conj *conj, unsigned at, uint64_t bit,
		      struct json_object **ret)
{
	uint64_t mask[6] = { 0 }, value[6] = { 0 };
	bool ok = true, any = false;

	*ret = NULL;
	for (unsigned i = 0; i < conj->n; i++) {
		const struct shk_reg_test *t = &conj->t[i];

		if (t->arg > 5)
			continue;
		if (i == at && bit) {
			uint64_t want = (t->value & bit) ^ bit;

			if (!((mask[t->arg] & bit) && (value[t->arg] & bit) != want)) {
				mask[t->arg] |= bit;
				value[t->arg] |= want;
			}
		} else if (!t->negate && !((value[t->arg] ^ t->value) & mask[t->arg] & t->mask)) {
			mask[t->arg] |= t->mask;
			value[t->arg] |= t->value;
		}
	}
	for (unsigned a = 0; a < 6; a++)
		any |= mask[a] != 0;
	if (!any)
		return true;
	*ret = json_object_new_array();
	for (unsigned a = 0; a < 6 && *ret && ok; a++)
		if (mask[a])
			ok = add_arg(*ret, a, mask[a], value[a]);
	return *ret && ok;
}

/* Rules for one conjunction: one, or one per bit of a test for difference. Sets *always when it
 * cannot be narrowed down. */
static bool conj_rules(struct json_object *front, const char *name, const struct shk_plan_call *c,
		       const struct shk_reg_conj *conj, bool *always)
{
	unsigned at = 0;
	uint64_t bits = 0;

	for (unsigned i = 0; i < conj->n && !bits; i++)
		if (conj->t[i].negate && __builtin_popcountll(conj->t[i].mask) <= 8) {
			at = i;
			bits = conj->t[i].mask;
		}
	do {
		uint64_t bit = bits & -bits;
		struct json_object *args;

		bits &= bits - 1;
		if (!conj_args(conj, at, bit, &args)) {
			json_object_put(args);
			return false;
		}
		if (!args) {
			*always = true;
			return true;
		}
		if (!append(front, rule_new(name, c, args)))
			return false;
	} while (bits);
	return true;
}

static bool notify_rules(struct json_object *front, const char *name, const struct shk_plan_call *c,
			 bool narrow)
{
	struct json_object *mine = json_object_new_array();
	bool always = !narrow || c->what == SHK_PLAN_ERRNO || c->when.always, ok = mine;

	for (unsigned i = 0; ok && !always && i < c->when.n; i++)
		ok = conj_rules(mine, name, c, &c->when.c[i], &always);
	if (ok && always)
		ok = append(front, rule_new(name, c, NULL));
	for (size_t i = 0; ok && !always && i < length(mine); i++)
		ok = append(front, json_object_get(json_object_array_get_idx(mine, i)));
	json_object_put(mine);
	return ok;
}

/* The profile's own ALLOW rules with conditions, for this one name, as NOTIFY rules. */
static bool convert_rules(struct json_object *profile, struct json_object *front, const char *name,
			  const struct shk_plan_call *c)
{
	struct json_object *rules = array_of(profile, "syscalls");

	for (size_t i = 0; i < length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i), *args = NULL;

		if (!has_name(array_of(rule, "names"), name) || !is_allow(text_of(rule, "action")))
			continue;
		if (json_object_deep_copy(array_of(rule, "args"), &args, NULL) < 0 ||
		    !append(front, rule_new(name, c, args)))
			return false;
	}
	return true;
}

static bool has_condition(struct json_object *rule)
{
	static const char *const keys[] = { "includes", "excludes" };
	struct json_object *v;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(keys); i++)
		if (json_object_object_get_ex(rule, keys[i], &v) &&
		    json_object_is_type(v, json_type_object) && json_object_object_length(v))
			return true;
	return false;
}

/* Engines' own profiles have rules that hold for some capabilities or architectures only. */
static bool is_conditional(struct json_object *profile, const char *name)
{
	struct json_object *rules = array_of(profile, "syscalls");

	for (size_t i = 0; i < length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);

		if (has_name(array_of(rule, "names"), name) && has_condition(rule))
			return true;
	}
	return false;
}

/* The rules of one name, in their order and with their conditions: those that allow notify. */
static bool keep_conditions(struct json_object *profile, struct json_object *front,
			    const char *name, const struct shk_plan_call *c)
{
	static const char *const keys[] = { "args", "includes", "excludes" };
	struct json_object *rules = array_of(profile, "syscalls");

	for (size_t i = 0; i < length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i), *mine = NULL, *names, *v;

		if (!has_name(array_of(rule, "names"), name))
			continue;
		if (is_allow(text_of(rule, "action"))) {
			mine = rule_new(name, c, NULL);
			for (size_t k = 0; mine && k < SHK_ARRAY_SIZE(keys); k++)
				if (json_object_object_get_ex(rule, keys[k], &v) && v &&
				    !add(mine, keys[k], json_object_get(v)))
					goto no_memory;
		} else if (json_object_deep_copy(rule, &mine, NULL) == 0) {
			names = json_object_new_array();
			if (!names || !append(names, json_object_new_string(name)) ||
			    !add(mine, "names", names))
				goto no_memory;
		}
		if (!append(front, mine))
			return false;
		continue;
no_memory:
		json_object_put(mine);
		return false;
	}
	return true;
}

/* Takes a name out of every rule, or of those that allow; rules left without a name go. */
static void remove_name(struct json_object *profile, const char *name, bool allows_only)
{
	struct json_object *rules = array_of(profile, "syscalls");

	for (size_t i = length(rules); i-- > 0;) {
		struct json_object *rule = json_object_array_get_idx(rules, i);
		struct json_object *names = array_of(rule, "names");

		if (allows_only && !is_allow(text_of(rule, "action")))
			continue;
		for (size_t k = length(names); k-- > 0;) {
			const char *s = json_object_get_string(json_object_array_get_idx(names, k));

			if (s && !strcmp(s, name))
				json_object_array_del_idx(names, k, 1);
		}
		if (names && !length(names))
			json_object_array_del_idx(rules, i, 1);
	}
}

static int merge_call(struct json_object *profile, struct json_object *front, enum shk_call_id id,
		      const struct shk_plan_call *c, struct shk_err *err)
{
	const char *name = shk_syscalls[id].name;
	/* Where the default refuses, a call that our test lets by would be refused: notify all. For
	 * socketcall libseccomp makes its own rules from those of connect and the like. */
	bool narrow = is_allow(text_of(profile, "defaultAction")) && strcmp(name, "socketcall"), ok;

	if (c->what != SHK_PLAN_ERRNO && is_conditional(profile, name)) {
		ok = keep_conditions(profile, front, name, c);
		remove_name(profile, name, false);
		return ok ? 0 : shk_err_sys(err, ENOMEM, "cannot make the seccomp profile");
	}
	switch (stance_of(profile, name)) {
	case REFUSED:
		/* None of them counts; whoever reads the profile shall not have to know that. */
		remove_name(profile, name, true);
		return 0;
	case REFUSED_IF:
		if (c->what == SHK_PLAN_ERRNO)
			break;
		return shk_err_set(err, EINVAL,
				   "the container's seccomp profile refuses %s for some arguments "
				   "only, which cannot be joined with watching it; let the profile "
				   "refuse or allow %s as a whole, or supervise by the hook",
				   name, name);
	case ALLOWED_IF:
		if (c->what == SHK_PLAN_ERRNO)
			break;
		ok = convert_rules(profile, front, name, c);
		remove_name(profile, name, false);
		return ok ? 0 : shk_err_sys(err, ENOMEM, "cannot make the seccomp profile");
	case ALLOWED:
		break;
	}
	remove_name(profile, name, false);
	if (!notify_rules(front, name, c, narrow))
		return shk_err_sys(err, ENOMEM, "cannot make the seccomp profile");
	return 0;
}

static bool complete_architectures(struct json_object *profile)
{
	struct json_object *list = array_of(profile, "architectures");

	if (!list && !add(profile, "architectures", list = json_object_new_array()))
		return false;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(architectures); i++)
		if (!has_name(list, architectures[i]) &&
		    !append(list, json_object_new_string(architectures[i])))
			return false;
	return true;
}

/* front, then the rules the profile still has. */
static bool put_in_front(struct json_object *profile, struct json_object *front)
{
	struct json_object *old = array_of(profile, "syscalls");

	for (size_t i = 0; i < length(old); i++)
		if (!append(front, json_object_get(json_object_array_get_idx(old, i))))
			return false;
	return add(profile, "syscalls", json_object_get(front));
}

struct json_object *shk_plan_oci(const struct shk_plan *plan, struct json_object *existing,
				 const char *listener_path, const char *metadata,
				 struct shk_err *err)
{
	struct json_object *profile = NULL, *front = json_object_new_array();
	const char *other = existing ? text_of(existing, "listenerPath") : "";
	int r = 0;

	if (*other && strcmp(other, listener_path)) {
		shk_err_set(err, EBUSY,
			    "the container's seccomp profile already names a listener (%s), and the "
			    "kernel allows one per filter chain; remove it from the profile",
			    other);
		goto fail;
	}
	if (existing && json_object_is_type(existing, json_type_object)) {
		if (json_object_deep_copy(existing, &profile, NULL) < 0)
			profile = NULL;
	} else {
		profile = json_object_new_object();
		if (profile && !add(profile, "defaultAction", json_object_new_string("SCMP_ACT_ALLOW")))
			goto no_memory;
	}
	if (!profile || !front || !complete_architectures(profile))
		goto no_memory;
	/* Engines take one of the two. */
	json_object_object_del(profile, "archMap");
	for (unsigned i = 0; i < SHK_CALL_N && r >= 0; i++)
		if (plan->call[i].what != SHK_PLAN_PASS)
			r = merge_call(profile, front, i, &plan->call[i], err);
	if (r < 0)
		goto fail;
	if (!put_in_front(profile, front) ||
	    !add(profile, "listenerPath", json_object_new_string(listener_path)) ||
	    (metadata && !add(profile, "listenerMetadata", json_object_new_string(metadata))))
		goto no_memory;
	json_object_put(front);
	return profile;

no_memory:
	shk_err_sys(err, ENOMEM, "cannot make the seccomp profile");
fail:
	json_object_put(front);
	json_object_put(profile);
	return NULL;
}
