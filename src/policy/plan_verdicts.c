// SPDX-License-Identifier: Apache-2.0
/* Each rule with an action, each call it can match, and what a verdict on it promises. */
#include <errno.h>

#include "policy/plan.h"

static const char *reason(const struct shk_policy *p, const struct shk_plan_call *c, enum shk_method m)
{
	static const char *const words[] = {
		[SHK_METHOD_CONTINUE] = "arguments in memory can be exchanged after an allow",
		[SHK_METHOD_REGISTER] = "registers alone decide",
		[SHK_METHOD_EMULATE] = "carried out on the object that was judged",
		[SHK_METHOD_REFUSE] = "answered ENOSYS where a mount comes of it: programs use mount(2), which is carried out",
		[SHK_METHOD_VERIFY] = "what runs is compared before its first instruction",
	};

	if (c->what == SHK_PLAN_ERRNO)
		return c->warn ? c->warn : "the filter refuses every one";
	if (c->what == SHK_PLAN_PASS || !c->enforced)
		return c->warn ? c->warn : "the mode has no verdicts";
	if (m == SHK_METHOD_VERIFY && p->exec_verify == SHK_EXEC_VERIFY_AUTO)
		return "held by the kernel module, or files compared when they are opened, all before the first instruction";
	return words[m];
}

static const char *promise(const struct shk_policy *p, const struct shk_plan_call *c, enum shk_call_id id)
{
	if (c->what == SHK_PLAN_ERRNO)
		return "refused";
	return c->what == SHK_PLAN_PASS || !c->enforced ? "none" : shk_plan_guarantee(p, id);
}

static void print_calls(const struct shk_plan *plan, const struct shk_policy *p, unsigned rule, const uint64_t *one,
			struct shk_buf *out)
{
	const struct shk_rule_info *info = shk_ruleset_rule(p->rules, rule);
	const struct shk_action *a = &p->actions[rule];
	const char *err = a->kind == SHK_ACT_DENY ? shk_errno_name(a->err) : NULL;
	bool any = false;

	shk_buf_printf(out, "rule " SHK_STR_FMT ": %s%s%s\n", SHK_STR_ARG(info->name), shk_action_name(a->kind),
		       err ? " " : "", err ? err : "");
	for (unsigned id = 0; id < SHK_CALL_N; id++) {
		const struct shk_plan_call *c = &plan->call[id];
		struct shk_reg_filter f = { .never = true };

		if (!shk_ruleset_wants(p->rules, id))
			continue;
		shk_ruleset_reg_filter(p->rules, id, one, &f);
		if (f.never)
			continue;
		any = true;
		shk_buf_printf(out, "  %-20s %-12s %s\n", shk_syscalls[id].name, promise(p, c, id),
			       reason(p, c, shk_policy_method(p, id)));
	}
	if (!any)
		shk_buf_adds(out, "  (no call)\n");
}

int shk_plan_print_verdicts(const struct shk_plan *plan, const struct shk_policy *p, struct shk_buf *out)
{
	size_t n = p->rules ? shk_ruleset_count(p->rules) : 0;
	_cleanup_free_ uint64_t *one = calloc(n / 64 + 1, sizeof(*one));

	if (!one)
		return -ENOMEM;
	for (unsigned i = 0; p->must && i < n; i++) {
		if (!(p->must[i / 64] >> (i % 64) & 1))
			continue;
		one[i / 64] = UINT64_C(1) << (i % 64);
		print_calls(plan, p, i, one, out);
		one[i / 64] = 0;
	}
	return out->failed ? -ENOMEM : 0;
}
