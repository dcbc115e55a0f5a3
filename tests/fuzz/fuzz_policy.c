// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a policy file: it is refused with a place and a text, or every policy of it can be printed as
 * a file that means the same, chosen, planned and explained. */
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include "policy/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct shk_rules_config shipped = { .rules_path = SHK_SRCDIR "/tests/fuzz/data" };

static void select_one(const struct shk_policyset *ps, struct shk_str text)
{
	struct shk_kv kv = { SHK_STR("org.shrike.policy"), text };
	struct shk_container c = {
		.full_id = text,
		.id = { text.p, SHK_MIN(text.n, 12u) },
		.name = text,
		.image = text,
		.k8s_ns = text,
		.annotations = &kv,
		.n_annotations = 1,
		.labels = &kv,
		.n_labels = 1,
	};

	if (!shk_policyset_select(ps, &c))
		abort();
}

static void filter(const struct shk_plan *plan)
{
	static const uint64_t args[][6] = { { 0 }, { 1, 2, 3, 4, 5, 6 }, { ~0ull, ~0ull, ~0ull, ~0ull } };

	for (int nr = -1; nr < 460; nr += 7)
		for (size_t i = 0; i < SHK_ARRAY_SIZE(args); i++) {
			uint32_t v = shk_plan_simulate(plan, AUDIT_ARCH_X86_64, nr, args[i]);

			v &= SECCOMP_RET_ACTION_FULL;
			/* KILL is what the interpreter says of a filter that is none. */
			if (v != SECCOMP_RET_ALLOW && v != SECCOMP_RET_ERRNO &&
			    v != SECCOMP_RET_USER_NOTIF)
				abort();
		}
}

static void plan(const struct shk_policy *p)
{
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan = NULL;
	_cleanup_buf_ struct shk_buf out;
	struct json_object *o;
	struct shk_err err = { 0 };

	shk_buf_init(&out, 8u << 20);
	if (shk_plan_make(p, &plan, &err) < 0) {
		if (!err.text[0])
			abort();
		return;
	}
	filter(plan);
	shk_plan_print(plan, p, &out);
	o = shk_plan_oci(plan, NULL, "/run/notify", "m", &err);
	if (!o && !err.text[0])
		abort();
	json_object_put(o);
}

/* What is printed is a policy file: it loads, and prints the same. */
static void again(const struct shk_policy *p)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	_cleanup_buf_ struct shk_buf one, two;
	struct shk_err err = { 0 };

	shk_buf_init(&one, 8u << 20);
	shk_buf_init(&two, 8u << 20);
	shk_policy_dump(p, &one);
	/* Longer than what was read, it may pass a limit. */
	if (one.failed || one.n > 30000)
		return;
	if (shk_policyset_load_text("dump", shk_buf_view(&one), &shipped, &ps, &err) < 0 ||
	    !shk_policyset_by_name(ps, p->name)) {
		fprintf(stderr, "%s\n%s", err.text, one.p);
		abort();
	}
	shk_policy_dump(shk_policyset_by_name(ps, p->name), &two);
	if (!shk_str_eq(shk_buf_view(&one), shk_buf_view(&two))) {
		fprintf(stderr, "%s---\n%s", one.p, two.p);
		abort();
	}
}

static void one(const struct shk_policy *p)
{
	if (!p->name.n || !p->rules || !p->deadline_ns)
		abort();
	for (size_t i = 0; i < shk_ruleset_count(p->rules); i++)
		if ((p->actions[i].kind != SHK_ACT_NONE) != (p->actions[i].err > 0) ||
		    (p->actions[i].kind != SHK_ACT_NONE) != ((p->must[i / 64] >> i % 64) & 1))
			abort();
	shk_policy_warnings(p, NULL, NULL);
	again(p);
	plan(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	struct shk_str text = { size ? (const char *)data : "", size };
	struct shk_err err = { 0 };

	/* Rule files are named by path; what chance spells must not be a device that blocks. */
	if (size > 16384 || (memmem(text.p, text.n, "files", 5) && memchr(text.p, '/', text.n)))
		return 0;
	if (shk_policyset_load_text("fuzz", text, &shipped, &ps, &err) < 0) {
		if (strncmp(err.text, "fuzz:", 5))
			abort();
		return 0;
	}
	for (size_t i = 0; i < shk_policyset_count(ps); i++)
		one(shk_policyset_at(ps, i));
	select_one(ps, text);
	select_one(ps, SHK_STR("nginx"));
	return 0;
}
