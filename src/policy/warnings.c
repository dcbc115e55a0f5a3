// SPDX-License-Identifier: Apache-2.0
/* What a policy asks for and cannot be promised: every rule with a verdict against every call. */
#include "policy/doors.h"
#include "policy/policy.h"

struct ctx {
	const struct shk_policy *p;
	void (*on)(const char *text, void *arg);
	void *arg;
	size_t n;
	const struct shk_rule_info *rule;
	uint64_t *one; /* bitmap with the bit of `rule` */
	enum shk_call_id call;
};

static void say(struct ctx *c, const char *call, const char *what, const char *more)
{
	char text[600];

	snprintf(text, sizeof(text), "rule \"%.200s\" (%s), call %s: %s%s",
		 c->rule->name.n < 200 ? c->rule->name.p : "...",
		 shk_action_name(c->p->actions[c->rule->index].kind), call, what, more);
	c->n++;
	if (c->on)
		c->on(text, c->arg);
}

static bool can_match(const struct ctx *c, enum shk_call_id id, struct shk_reg_filter *f)
{
	*f = (struct shk_reg_filter){ .never = true };
	if (shk_ruleset_wants(c->p->rules, id))
		shk_ruleset_reg_filter(c->p->rules, id, c->one, f);
	return !f->never;
}

static void check_door(enum shk_call_id door, void *arg)
{
	struct ctx *c = arg;
	struct shk_reg_filter f = { .never = true };

	/* These two are refused by the filter, memfd_create is harmless by itself. */
	if (!strcmp(shk_syscalls[door].name, "clone3") ||
	    !strcmp(shk_syscalls[door].name, "memfd_create") ||
	    (!strcmp(shk_syscalls[door].name, "open_by_handle_at") && !c->p->unjudged_doors_allow))
		return;
	if (shk_ruleset_wants(c->p->rules, door))
		shk_ruleset_reg_filter(c->p->rules, door, c->p->must, &f);
	if (f.never)
		say(c, shk_syscalls[door].name, "reaches the same object as ",
		    shk_syscalls[c->call].name);
}

static void check_call(struct ctx *c, enum shk_call_id id)
{
	const struct shk_syscall *s = &shk_syscalls[id];
	struct shk_reg_filter f;

	if (!can_match(c, id, &f))
		return;
	c->call = id;
	if (!shk_plan_watchable(id, &f))
		say(c, s->name, "not watched (hot path): the action has no effect", "");
	else if (strcmp(shk_plan_guarantee(id), "register") && strcmp(s->name, "clone3"))
		say(c, s->name, "guarantee ", "best-effort (its arguments lie in memory and can be "
					      "exchanged after an allow)");
	shk_doors_each(id, check_door, c);
}

/* A rule that names no event type: its action holds only where something else stops the call. */
static bool names_no_type(const struct ctx *c)
{
	const struct shk_syscall *probe = shk_syscall_by_name(SHK_STR("restart_syscall"));

	struct shk_reg_filter f;

	return probe && can_match(c, probe->id, &f);
}

size_t shk_policy_warnings(const struct shk_policy *p, void (*on)(const char *text, void *arg),
			   void *arg)
{
	struct ctx c = { .p = p, .on = on, .arg = arg };
	size_t n = p->rules ? shk_ruleset_count(p->rules) : 0;
	_cleanup_free_ uint64_t *one = calloc(n / 64 + 1, sizeof(*one));

	if (!one || p->mode == SHK_MODE_OBSERVE)
		return 0;
	c.one = one;
	for (size_t i = 0; i < n; i++) {
		if (!(p->must[i / 64] >> (i % 64) & 1))
			continue;
		c.rule = shk_ruleset_rule(p->rules, (unsigned)i);
		one[i / 64] = UINT64_C(1) << (i % 64);
		if (names_no_type(&c))
			say(&c, "any", "names no evt.type, so it is judged on rare calls only", "");
		else
			for (unsigned id = 0; id < SHK_CALL_N; id++)
				check_call(&c, id);
		one[i / 64] = 0;
	}
	return c.n;
}
