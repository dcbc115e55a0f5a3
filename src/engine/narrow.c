// SPDX-License-Identifier: Apache-2.0
/*
 * What an installed filter does not show: a filter cannot learn to notify more, so a policy that comes later
 * may need calls that pass it unseen until the container's next start.
 *
 * The container's record keeps what the filter does, for engines to come: `notified` (also those it refuses
 * itself), `refused`, and `tests`, the register tests of calls that are notified in part, as texts.
 */
#include <json-c/json.h>

#include "engine/internal.h"

/* The text of each conjunction; one test is the same as another when its text is. */
static struct json_object *tests_of(enum shk_call_id id, const struct shk_reg_filter *f)
{
	struct json_object *a = json_object_new_array();

	for (unsigned i = 0; a && i < f->n; i++) {
		struct shk_reg_filter one = { .n = 1, .c = { f->c[i] } };
		_cleanup_buf_ struct shk_buf b;

		shk_buf_init(&b, 4096);
		shk_plan_print_test(id, &one, &b);
		json_object_array_add(a, json_object_new_string_len(b.n ? b.p : "", (int)b.n));
	}
	return a;
}

void shk_narrow_record(struct json_object *record, const struct shk_plan *plan)
{
	struct json_object *tests = json_object_new_object(), *refused = json_object_new_array();

	for (unsigned i = 0; tests && refused && i < SHK_CALL_N; i++) {
		const struct shk_plan_call *c = &plan->call[i];

		if (c->what == SHK_PLAN_ERRNO)
			json_object_array_add(refused, json_object_new_string(shk_syscalls[i].name));
		else if (c->what == SHK_PLAN_NOTIFY && !c->when.always)
			json_object_object_add(tests, shk_syscalls[i].name, tests_of(i, &c->when));
	}
	json_object_object_add(record, "tests", tests);
	json_object_object_add(record, "refused", refused);
}

static bool has_text(struct json_object *array, const char *text)
{
	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(array, i));

		if (s && strcmp(s, text) == 0)
			return true;
	}
	return false;
}

/* Is all of `want` among the tests the filter makes? */
static bool covers(struct json_object *have, enum shk_call_id id, const struct shk_reg_filter *want)
{
	struct json_object *texts;
	bool all = true;

	if (want->always)
		return false;
	texts = tests_of(id, want);
	for (size_t i = 0; texts && i < json_object_array_length(texts); i++)
		all &= has_text(have, json_object_get_string(json_object_array_get_idx(texts, i)));
	json_object_put(texts);
	return all && texts;
}

/* Calls that only keep facts fresh, or are notified in case of need, are no loss: without them facts are read
 * anew, and no rule needs them. */
static bool needed(const struct shk_plan_call *c)
{
	return c->what != SHK_PLAN_PASS && strcmp(c->why, "state") != 0 &&
	       strcmp(c->why, "reserve") != 0;
}

struct json_object *shk_narrow_missing(struct json_object *record, const uint64_t *notified,
				       const struct shk_plan *plan)
{
	struct json_object *missing = json_object_new_array();
	struct json_object *tests = shk_json_object(record, "tests");
	struct json_object *refused = shk_json_array(record, "refused");

	for (unsigned i = 0; missing && i < SHK_CALL_N; i++) {
		const struct shk_plan_call *c = &plan->call[i];
		const char *name = shk_syscalls[i].name;
		struct json_object *have = shk_json_array(tests, name);
		bool seen = notified[i / 64] >> i % 64 & 1;

		if (!needed(c) || (refused ? has_text(refused, name) :
					     c->what == SHK_PLAN_ERRNO && seen))
			continue;
		/* A refusal that the filter does not make is nobody's: the engine knows of rules only. */
		if (c->what == SHK_PLAN_NOTIFY && seen && (!have || covers(have, i, &c->when)))
			continue;
		json_object_array_add(missing, json_object_new_string(name));
	}
	return missing;
}

void shk_narrow_check(struct shk_entry *e, const struct shk_plan *plan)
{
	struct json_object *missing = shk_narrow_missing(e->record, e->notified, plan), *old;

	pthread_mutex_lock(&e->seq_lock);
	old = e->unwatched;
	e->unwatched = missing;
	pthread_mutex_unlock(&e->seq_lock);
	json_object_put(old);
}

static bool same_tests(struct json_object *a, struct json_object *b, const char *name)
{
	struct json_object *x = NULL, *y = NULL;

	json_object_object_get_ex(a, name, &x);
	json_object_object_get_ex(b, name, &y);
	return json_object_equal(x, y);
}

void shk_narrow_merge(struct shk_entry *e, const struct shk_plan *plan)
{
	struct json_object *fresh = json_object_new_object(), *names = json_object_new_array();
	struct json_object *refused = json_object_new_array(), *have = shk_json_array(e->record, "refused");

	if (!fresh || !names || !refused)
		goto out;
	shk_narrow_record(fresh, plan);
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		const char *name = shk_syscalls[i].name;
		bool refuses = plan->call[i].what == SHK_PLAN_ERRNO;

		if (refuses && has_text(have, name))
			json_object_array_add(refused, json_object_new_string(name));
		/* Tests that differ: what both of them find is not worked out, it counts as unseen. */
		if (plan->call[i].what == SHK_PLAN_PASS || refuses != has_text(have, name) ||
		    !same_tests(shk_json_object(e->record, "tests"), shk_json_object(fresh, "tests"), name))
			e->notified[i / 64] &= ~(1ull << i % 64);
		if (e->notified[i / 64] >> i % 64 & 1)
			json_object_array_add(names, json_object_new_string(name));
	}
	json_object_object_add(e->record, "refused", TAKE_PTR(refused));
	json_object_object_add(e->record, "notified", TAKE_PTR(names));
out:
	json_object_put(fresh);
	json_object_put(names);
	json_object_put(refused);
}
