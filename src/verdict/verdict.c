// SPDX-License-Identifier: Apache-2.0
#include "verdict/verdict.h"

const char *shk_verdict_word(const struct shk_action *a, bool would)
{
	switch (a->kind) {
	case SHK_ACT_NONE:
		return "allow";
	case SHK_ACT_DENY:
		return would ? "would-deny" : "deny";
	case SHK_ACT_FREEZE:
		return would ? "would-freeze" : "freeze";
	case SHK_ACT_KILL_PROCESS:
	case SHK_ACT_KILL_CONTAINER:
		return would ? "would-kill" : "kill";
	}
	return "allow";
}

const char *shk_verdict_guarantee(const struct shk_event *ev, const struct shk_action *a,
				  enum shk_method method)
{
	bool by_register = ev->call && ev->call->vclass == SHK_VC_REGISTER;

	/* Refusing is sound whatever the arguments turn into afterwards: the call never runs. */
	if (a->kind != SHK_ACT_NONE)
		return by_register ? "register" : "deny-only";
	return shk_method_guarantee(by_register ? SHK_METHOD_REGISTER : method);
}

void shk_verdict_decide(const struct shk_policy *p, const struct shk_matches *m,
			const struct shk_event *ev, struct shk_verdict *out)
{
	*out = (struct shk_verdict){ .rule = -1 };
	for (unsigned i = 0; i < m->n; i++) {
		const struct shk_action *a = &p->actions[m->rule[i]];

		if (a->kind > out->wanted.kind) {
			out->wanted = *a;
			out->rule = m->rule[i];
		}
	}
	if (p->mode == SHK_MODE_ENFORCE)
		out->action = out->wanted;
	out->guarantee = shk_verdict_guarantee(ev, &out->action, SHK_METHOD_CONTINUE);
}
