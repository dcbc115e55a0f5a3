// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "policy/filter.h"
#include "policy/observe.h"

static void print_one_test(enum shk_call_id id, const struct shk_reg_test *t, struct shk_buf *out)
{
	const struct shk_syscall *s = &shk_syscalls[id];
	const char *name = t->arg < s->nargs ? s->arg[t->arg].name : NULL;

	shk_buf_adds(out, "(");
	if (name && *name)
		shk_buf_adds(out, name);
	else
		shk_buf_printf(out, "arg%u", t->arg);
	shk_buf_printf(out, " & 0x%" PRIx64 ") %s 0x%" PRIx64, t->mask, t->negate ? "!=" : "==",
		       t->value);
}

void shk_plan_print_test(enum shk_call_id id, const struct shk_reg_filter *f, struct shk_buf *out)
{
	if (f->always || f->never) {
		shk_buf_adds(out, f->always ? "always" : "never");
		return;
	}
	for (unsigned c = 0; c < f->n; c++) {
		if (c)
			shk_buf_adds(out, " or ");
		if (!f->c[c].n)
			shk_buf_adds(out, "always");
		for (unsigned t = 0; t < f->c[c].n; t++) {
			if (t)
				shk_buf_adds(out, " and ");
			print_one_test(id, &f->c[c].t[t], out);
		}
	}
}

static void print_do(const struct shk_plan_call *c, enum shk_call_id id, struct shk_buf *out)
{
	const char *name;

	if (c->what == SHK_PLAN_ERRNO) {
		name = shk_errno_name(c->err);
		shk_buf_printf(out, "errno %s", name ? name : "?");
		return;
	}
	shk_buf_adds(out, "notify");
	if (!c->when.always) {
		shk_buf_adds(out, " if ");
		shk_plan_print_test(id, &c->when, out);
	}
}

static void print_pseudo(const struct shk_plan *plan, struct shk_buf *out)
{
	shk_buf_printf(out, "filter (%u instructions):\n", plan->bpf_len);
	for (int abi = SHK_ABI_X86_64; abi <= SHK_ABI_X32; abi++) {
		shk_buf_printf(out, "  %s:\n", shk_abi_name((enum shk_abi)abi));
		for (unsigned i = 0; i < SHK_CALL_N; i++) {
			const struct shk_plan_call *c = &plan->call[i];

			if (c->what == SHK_PLAN_PASS || shk_syscalls[i].nr[abi] < 0)
				continue;
			shk_buf_printf(out, "    %s (%d): ", shk_syscalls[i].name,
				       shk_syscalls[i].nr[abi]);
			print_do(c, i, out);
			shk_buf_addc(out, '\n');
		}
		shk_buf_adds(out, "    else: allow\n");
	}
	shk_buf_printf(out, "  any other architecture: errno %s\n",
		       shk_errno_name(SHK_FILTER_UNKNOWN_ARCH_ERRNO));
}

/* What is only watched is let go as it is. */
static const char *guarantee(const struct shk_policy *p, const struct shk_plan_call *c, enum shk_call_id id)
{
	if (!c->enforced && shk_policy_method(p, id) != SHK_METHOD_REGISTER)
		return shk_method_guarantee(SHK_METHOD_CONTINUE);
	return shk_plan_guarantee(p, id);
}

void shk_plan_print(const struct shk_plan *plan, const struct shk_policy *p, struct shk_buf *out)
{
	shk_buf_printf(out, "policy " SHK_STR_FMT ", mode %s\n", SHK_STR_ARG(p->name),
		       shk_mode_name(p->mode));
	shk_buf_printf(out, "%-20s %-14s %-9s %-13s %-12s %s\n", "CALL", "DOES", "RULES", "WHY",
		       "GUARANTEE", "WHEN");
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		const struct shk_plan_call *c = &plan->call[i];
		const char *name = shk_errno_name(c->err);
		char does[32];

		if (c->what == SHK_PLAN_PASS)
			continue;
		snprintf(does, sizeof(does), "%s%s", c->what == SHK_PLAN_NOTIFY ? "notify" : "errno ",
			 c->what == SHK_PLAN_ERRNO && name ? name : "");
		shk_buf_printf(out, "%-20s %-14s %-9s %-13s %-12s ", shk_syscalls[i].name, does,
			       c->enforced ? "enforced" : "observed", c->why,
			       c->what == SHK_PLAN_ERRNO ? "refused" : guarantee(p, c, i));
		if (c->what == SHK_PLAN_ERRNO)
			shk_buf_adds(out, "always");
		else
			shk_plan_print_test(i, &c->when, out);
		shk_buf_addc(out, '\n');
	}
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (plan->call[i].warn)
			shk_buf_printf(out, "warning: %s: %s\n", shk_syscalls[i].name,
				       plan->call[i].warn);
	shk_observe_print(p, plan, out);
	print_pseudo(plan, out);
}
