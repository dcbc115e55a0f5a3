// SPDX-License-Identifier: Apache-2.0
#include "engine/offline.h"

#include <errno.h>

#include "engine/judge.h"
#include "verdict/verdict.h"

void shk_offline_init(struct shk_offline *o)
{
	*o = (struct shk_offline){ .boot = "replay", .hostname = "" };
	o->memo = shk_memo_new();
	shk_buf_init(&o->record, SHK_JOURNAL_ALERT_MAX);
}

void shk_offline_done(struct shk_offline *o)
{
	shk_buf_done(&o->record);
	shk_memo_free(o->memo);
}

int shk_offline_bare(struct shk_ruleset *rules, bool all, struct shk_policy *ret)
{
	struct shk_action *none = calloc(shk_ruleset_count(rules) + 1, sizeof(*none));

	*ret = (struct shk_policy){ .name = SHK_STR("rules"), .file = SHK_STR(""), .rules = rules,
				    .mode = SHK_MODE_OBSERVE, .actions = none, .match_all = all };
	return none ? 0 : -ENOMEM;
}

void shk_offline_bare_done(struct shk_policy *p)
{
	free((void *)(uintptr_t)p->actions);
	p->actions = NULL;
}

static int tell(struct shk_offline *o, const struct shk_policy *p, struct shk_eval_ctx *ctx, unsigned rule,
		unsigned n, const struct shk_verdict *v, bool own)
{
	struct shk_alert a = {
		.rule = shk_ruleset_rule(p->rules, rule),
		.policy = p,
		.ctx = ctx,
		.ctr = ctx->ctr,
		.boot = o->boot,
		.seq = o->seq,
		.n = n,
		.verdict = "allow",
		.guarantee = shk_verdict_guarantee(ctx->ev, &(struct shk_action){ .kind = SHK_ACT_NONE },
					    SHK_METHOD_CONTINUE),
	};
	int rc;

	/* Nothing is promised of what was over already. */
	if (ctx->ev->sensor == SHK_SENSOR_MODULE)
		a.guarantee = NULL;
	shk_judged_alert(&a, p, v, own);
	shk_buf_reset(&o->record);
	rc = shk_alert_render(&a, o->hostname, &o->record);
	return rc < 0 ? rc : o->on_alert(a.rule, shk_buf_view(&o->record), o->arg);
}

/* The choice of observer_judge.c. */
static int judge_made(struct shk_offline *o, const struct shk_policy *p, struct shk_eval_ctx *ctx)
{
	const struct shk_verdict none = { .rule = -1 };
	struct shk_judgement j = { 0 };
	int rc = 0;

	shk_judge_made(p, ctx, &j);
	for (unsigned i = 0; i < j.m.n && rc == 0; i++) {
		if (!shk_judge_made_tells(p, &j, i))
			continue;
		o->seq++;
		rc = tell(o, p, ctx, j.m.rule[i], i, &none, false);
	}
	return rc == 0 && ctx->ev->arena->failed ? -E2BIG : rc;
}

int shk_offline_judge(struct shk_offline *o, const struct shk_policy *p, struct shk_eval_ctx *ctx)
{
	struct shk_judgement j = { 0 };
	struct shk_verdict v;
	unsigned n = 0;
	int rc = 0;

	if (ctx->ev->sensor == SHK_SENSOR_MODULE)
		return judge_made(o, p, ctx);
	ctx->memo = o->memo;
	shk_judge(p, NULL, ctx, NULL, &j);
	shk_verdict_decide(p, &j.m, ctx->ev, &v);
	/* The choice of pipeline.c: Falco's first match, and the verdict's rule. */
	for (unsigned i = 0; i < j.m.n && rc == 0; i++) {
		bool verdict = (int)j.m.rule[i] == v.rule && v.wanted.kind != SHK_ACT_NONE &&
			       p->mode != SHK_MODE_OBSERVE;

		if (i && !p->match_all && !verdict)
			continue;
		if (n == 0)
			o->seq++;
		rc = tell(o, p, i < j.n_given ? ctx : &j.real, j.m.rule[i], n++, &v, verdict);
	}
	return rc == 0 && ctx->ev->arena->failed ? -E2BIG : rc;
}
