// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that are carried out for the caller, rather than let go on arguments it can still change.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/io.h"
#include "engine/act.h"
#include "engine/internal.h"
#include "sources/notify/notify.h"

#define AGAIN_MAX 16 /* times that something was made under our hands */

static const struct shk_rule_info unable_rule = {
	.name = { "Shrike internal: call that cannot be carried out", 48 },
};

bool shk_act_landlock(void)
{
	static atomic_int found = -1; /* not looked yet */
	struct shk_buf b;

	if (atomic_load(&found) < 0) {
		shk_buf_init(&b, 4096);
		atomic_store(&found, shk_read_file("/sys/kernel/security/lsm", &b, NULL) < 0 || !b.n ||
					     strstr(b.p, "landlock") != NULL);
		shk_buf_done(&b);
	}
	return atomic_load(&found);
}

static bool emulated(const struct shk_worker *w, const struct shk_policy *p, const struct shk_plan *plan,
		     const struct shk_event *ev)
{
	/* A task that was attached to may have put a Landlock domain around itself before: we are in none, and would
	 * open what it may not (THREATS A3). Its calls are let go, as best-effort. */
	return p->mode == SHK_MODE_ENFORCE && plan && ev->call && !ev->unwrapped &&
	       plan->call[ev->call->id].enforced && shk_method_of(ev->call->id) == SHK_METHOD_EMULATE &&
	       !(w->l->attached && shk_act_landlock());
}

static void pin(struct shk_worker *w, const struct shk_call_slot *s, struct shk_eval_ctx *ctx, struct shk_act *a)
{
	if (!w->actor)
		w->actor = shk_actor_new();
	if (!w->actor) {
		a->open.why = "out of memory";
		return;
	}
	a->open.again = s->effect;
	switch (shk_open_pin(w->actor, ctx, &a->open)) {
	case SHK_PINNED_OBJECT:
		a->what = SHK_ACT_OPEN;
		a->object = a->open.name;
		break;
	case SHK_PINNED_ERROR:
		a->what = SHK_ACT_FAIL;
		ctx->ev->ret = -a->open.err;
		break;
	case SHK_PINNED_HARMLESS:
		a->what = SHK_ACT_CONTINUE;
		a->method = SHK_METHOD_REGISTER;
		return;
	case SHK_PINNED_UNABLE:
		return;
	}
	a->method = SHK_METHOD_EMULATE;
}

void shk_act_prepare(struct shk_worker *w, const struct shk_call_slot *s, struct shk_eval_ctx *ctx,
		     const struct shk_policy *p, const struct shk_plan *plan, struct shk_act *a)
{
	*a = (struct shk_act){ .what = SHK_ACT_CONTINUE, .fd = -1, .tries = a->tries,
			       .open = { .root = -1, .base = -1, .early = -1, .pin = { .fd = -1, .dir = -1 } } };
	if (!emulated(w, p, plan, ctx->ev))
		return;
	pin(w, s, ctx, a);
	if (a->open.why) {
		a->method = SHK_METHOD_CONTINUE;
		if (p->strict)
			a->what = SHK_ACT_UNABLE;
		a->tell = shk_limit_allow(w->l->g->limits, ctx->ctr, p, &unable_rule);
	}
}

bool shk_act_do(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a)
{
	int r;

	if (a->what != SHK_ACT_OPEN)
		return true;
	/* A new engine must know that the file may be there. */
	if (a->open.pin.missing)
		s->effect = 1;
	r = shk_open_do(w->actor, &a->open);
	if (r == -ESTALE && a->tries++ < AGAIN_MAX) {
		s->effect = 0;
		shk_open_done(&a->open);
		return false;
	}
	if (r < 0) {
		a->what = SHK_ACT_FAIL;
		a->open.err = r == -ESTALE ? EBUSY : -r;
		return true;
	}
	a->fd = r;
	return true;
}

int shk_act_answer(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a)
{
	int r;

	if (a->what == SHK_ACT_FAIL)
		return a->open.err;
	if (a->what == SHK_ACT_UNABLE)
		return EACCES;
	if (a->what != SHK_ACT_OPEN)
		return 0;
	r = shk_notify_give(w->l->fd, s->notif.id, a->fd, a->open.flags & O_CLOEXEC);
	/* ENOENT: nobody waits any more. */
	a->given = r >= 0 || r == -ENOENT;
	return a->given ? 0 : -r;
}

void shk_act_done(struct shk_worker *w, const struct shk_event *ev, struct shk_act *a)
{
	if (a->tell)
		shk_tell(w->l->g, w->l->e, SHK_PRIO_WARNING, unable_rule.name.p, NULL,
			 "A call was %s, as nobody can carry it out for its caller: %s (call=%s tid=%d)",
			 a->what == SHK_ACT_UNABLE ? "refused" : "let through on arguments that can be exchanged",
			 a->open.why, ev->call ? ev->call->name : "unknown", (int)ev->tid);
	shk_open_done(&a->open);
	shk_close(&a->fd);
}
