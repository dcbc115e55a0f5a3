// SPDX-License-Identifier: Apache-2.0
/* What a policy asks for and cannot be promised: every rule with a verdict against every call. */
#include "policy/doors.h"
#include "policy/policy.h"

/* One line per rule and kind: a rule about files alone has twenty calls. */
enum kind { BEST_EFFORT, HOT, DOOR, KINDS };

struct ctx {
	const struct shk_policy *p;
	void (*on)(const char *text, void *arg);
	void *arg;
	size_t n;
	const struct shk_rule_info *rule;
	uint64_t *one; /* bitmap with the bit of `rule` */
	struct shk_buf calls[KINDS];
	uint64_t door_said[(SHK_CALL_N + 63) / 64];
};

static void say(struct ctx *c, const char *before, struct shk_str calls, const char *after)
{
	char text[1200];

	snprintf(text, sizeof(text), "rule \"%.200s\" (%s): %s" SHK_STR_FMT "%s",
		 c->rule->name.n < 200 ? c->rule->name.p : "...",
		 shk_action_name(c->p->actions[c->rule->index].kind), before,
		 (int)SHK_MIN(calls.n, 700), calls.p ? calls.p : "", after);
	c->n++;
	if (c->on)
		c->on(text, c->arg);
}

static void note(struct ctx *c, enum kind k, enum shk_call_id id)
{
	shk_buf_printf(&c->calls[k], "%s%s", c->calls[k].n ? ", " : "", shk_syscalls[id].name);
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

	/* These are refused, by the filter or after it; memfd_create is harmless by itself. */
	if (!strcmp(shk_syscalls[door].name, "clone3") ||
	    !strcmp(shk_syscalls[door].name, "memfd_create") || shk_method_of(door) == SHK_METHOD_REFUSE ||
	    (!strcmp(shk_syscalls[door].name, "open_by_handle_at") && !c->p->unjudged_doors_allow))
		return;
	if (shk_ruleset_wants(c->p->rules, door))
		shk_ruleset_reg_filter(c->p->rules, door, c->p->must, &f);
	if (!f.never || (c->door_said[door / 64] >> door % 64 & 1))
		return;
	c->door_said[door / 64] |= 1ull << door % 64;
	note(c, DOOR, door);
}

/* Where other opens are enforced the filter refuses every open by handle: nothing is let through on its arguments. */
static bool refused_door(const struct ctx *c, enum shk_call_id id)
{
	const struct shk_syscall *open = shk_syscall_by_name(SHK_STR("openat"));
	struct shk_reg_filter f = { .never = true };

	if (strcmp(shk_syscalls[id].name, "open_by_handle_at") || c->p->unjudged_doors_allow || !open)
		return false;
	if (shk_ruleset_wants(c->p->rules, open->id))
		shk_ruleset_reg_filter(c->p->rules, open->id, c->p->must, &f);
	return !f.never;
}

static void check_call(struct ctx *c, enum shk_call_id id)
{
	const struct shk_syscall *s = &shk_syscalls[id];
	struct shk_reg_filter f;

	if (!can_match(c, id, &f))
		return;
	if (!shk_plan_watchable(id, &f))
		note(c, HOT, id);
	else if (shk_policy_method(c->p, id) == SHK_METHOD_CONTINUE && strcmp(s->name, "clone3") && !refused_door(c, id))
		note(c, BEST_EFFORT, id);
	shk_doors_each(id, check_door, c);
}

/* A rule that names no event type: its action holds only where something else stops the call. */
static bool names_no_type(const struct ctx *c)
{
	const struct shk_syscall *probe = shk_syscall_by_name(SHK_STR("restart_syscall"));

	struct shk_reg_filter f;

	return probe && can_match(c, probe->id, &f);
}

static void tell(struct ctx *c)
{
	static const char *const before[KINDS] = {
		[BEST_EFFORT] = "guarantee best-effort for ",
		[HOT] = "no effect on ",
		[DOOR] = "its object is also reached by ",
	};
	static const char *const after[KINDS] = {
		[BEST_EFFORT] = " (their arguments lie in memory and can be exchanged after an allow)",
		[HOT] = " (calls of the hot path are not watched)",
		[DOOR] = ", which no rule with an action names",
	};

	for (enum kind k = 0; k < KINDS; k++) {
		if (c->calls[k].n)
			say(c, before[k], shk_buf_view(&c->calls[k]), after[k]);
		shk_buf_reset(&c->calls[k]);
	}
	memset(c->door_said, 0, sizeof(c->door_said));
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
	for (enum kind k = 0; k < KINDS; k++)
		shk_buf_init(&c.calls[k], 4096);
	for (size_t i = 0; i < n; i++) {
		if (!(p->must[i / 64] >> (i % 64) & 1))
			continue;
		c.rule = shk_ruleset_rule(p->rules, (unsigned)i);
		one[i / 64] = UINT64_C(1) << (i % 64);
		if (names_no_type(&c))
			say(&c, "names no evt.type, so it is judged on rare calls only", SHK_STR(""), "");
		else
			for (unsigned id = 0; id < SHK_CALL_N; id++)
				check_call(&c, id);
		tell(&c);
		one[i / 64] = 0;
	}
	for (enum kind k = 0; k < KINDS; k++)
		shk_buf_done(&c.calls[k]);
	return c.n;
}
