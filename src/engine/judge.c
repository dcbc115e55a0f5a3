// SPDX-License-Identifier: Apache-2.0
/*
 * Rules are asked twice where a path is not what it seems: about the name the program gave, which is what
 * they are written for, and about the object it leads to. Either match counts, so that a symbolic
 * link, a magic link of /proc or a descriptor leads past none.
 */
#include <errno.h>
#include <sys/socket.h>

#include "alerts/alert.h"
#include "engine/internal.h"
#include "engine/judge.h"
#include "fields/fd_view.h"
#include "verdict/verdict.h"

static bool names_objects(const struct shk_event *ev)
{
	/* Of a program the file is looked up already (proc.exepath). */
	return ev->call && ev->call->id != SHK_CALL_execve && ev->call->id != SHK_CALL_execveat;
}

/* Sets the arguments of *real to what they lead to. true: it differs from what they say. */
static bool real_names(struct shk_eval_ctx *ctx, const struct shk_policy *p, struct shk_eval_ctx *real)
{
	struct shk_event *ev = ctx->ev;
	bool differs = false;

	for (unsigned i = 0; names_objects(ev) && i < ev->call->nargs; i++) {
		struct shk_str given, name;
		int r;

		if (ev->call->arg[i].kind != SHK_ARG_PATH)
			continue;
		r = shk_event_real_path(ctx, i, &name);
		/* Nobody knows what it is: as good as unreadable. Files of network and FUSE filesystems, which
		 * are not waited for, are taken by the name given unless the policy is strict. */
		if (r < 0 && (r != -EREMOTE || p->strict))
			ev->memory_failed = true;
		if (r <= 0)
			continue;
		if (shk_event_abs_path(ctx, i, &given) && shk_str_eq(given, name))
			continue;
		real->abs_path[i] = name;
		real->abs_path_state[i] = SHK_PATH_KNOWN;
		differs = true;
	}
	return differs;
}

static bool among(const struct shk_matches *m, uint32_t rule)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->rule[i] == rule)
			return true;
	return false;
}

/* Looking the object up costs as much as the rest of a decision: it is done where something hangs on it. */
static bool decides(const struct shk_policy *p, const struct shk_plan *plan, const struct shk_event *ev)
{
	if (p->mode == SHK_MODE_OBSERVE || !p->must)
		return false;
	return p->mode == SHK_MODE_SHADOW || !plan || !ev->call || plan->call[ev->call->id].enforced;
}

void shk_judge_also(const struct shk_policy *p, struct shk_eval_ctx *as, struct shk_judgement *j)
{
	struct shk_matches more = { 0 };

	shk_ruleset_eval(p->rules, as, p->must, !p->match_all, &more);
	for (unsigned i = 0; i < more.n; i++) {
		if (among(&j->m, more.rule[i]))
			continue;
		if (j->m.n < SHK_MATCH_MAX)
			j->m.rule[j->m.n++] = more.rule[i];
		else
			j->m.lost++;
	}
	j->m.lost += more.lost;
}

/* A Unix socket's address with the name of the object in place of the one given. */
static bool held_address(struct shk_event *ev, struct shk_str *bytes, struct shk_str name)
{
	sa_family_t family = AF_UNIX;
	char *p;

	if (!name.p || bytes->n < sizeof(family) ||
	    shk_str_eq(name, (struct shk_str){ bytes->p + sizeof(family),
					       strnlen(bytes->p + sizeof(family), bytes->n - sizeof(family)) }))
		return false;
	p = shk_arena_alloc_raw(ev->arena, sizeof(family) + name.n + 1);
	if (!p)
		return false;
	memcpy(p, &family, sizeof(family));
	memcpy(p + sizeof(family), name.p, name.n);
	p[sizeof(family) + name.n] = 0;
	*bytes = (struct shk_str){ p, sizeof(family) + name.n + 1 };
	return true;
}

/* What is mounted is a text like others for the event, and a path if it is held. */
static bool held_text(struct shk_event *ev, unsigned i, struct shk_str name)
{
	if (!name.p || shk_str_eq(name, ev->arg[i].bytes))
		return false;
	ev->arg[i].bytes = name;
	return true;
}

/* Another name of the file behind a descriptor. */
static bool held_descriptor(struct shk_eval_ctx *ctx, struct shk_str name)
{
	const struct shk_fd_view *is = name.p ? shk_fd_view(ctx) : NULL;
	struct shk_fd_view *v;

	if (!is || !is->present || shk_str_eq(is->name, name))
		return false;
	v = shk_arena_alloc(ctx->ev->arena, sizeof(*v));
	if (!v)
		return false;
	*v = *is;
	v->name = v->nameraw = name;
	ctx->fd = v;
	return true;
}

/* The same for objects that are held already. */
static bool held_names(struct shk_eval_ctx *ctx, const struct shk_str *held, struct shk_eval_ctx *real)
{
	bool differs = false;

	for (unsigned i = 0; i < ctx->ev->call->nargs; i++) {
		struct shk_str given;

		if (ctx->ev->call->arg[i].kind == SHK_ARG_SOCKADDR)
			differs |= held_address(ctx->ev, &ctx->ev->arg[i].bytes, held[i]);
		else if (ctx->ev->call->arg[i].kind == SHK_ARG_MSGHDR)
			differs |= held_address(ctx->ev, &ctx->ev->named.bytes, held[i]);
		else if (ctx->ev->call->arg[i].kind == SHK_ARG_STRING)
			differs |= held_text(ctx->ev, i, held[i]);
		else if (ctx->ev->call->arg[i].kind == SHK_ARG_FD)
			differs |= held_descriptor(real, held[i]);
		if (ctx->ev->call->arg[i].kind != SHK_ARG_PATH)
			continue;
		if (!held[i].p || (shk_event_abs_path(ctx, i, &given) && shk_str_eq(given, held[i])))
			continue;
		real->abs_path[i] = held[i];
		real->abs_path_state[i] = SHK_PATH_KNOWN;
		differs = true;
	}
	return differs;
}

static void judge_held(const struct shk_policy *p, struct shk_eval_ctx *ctx, const struct shk_held_names *held,
		       struct shk_judgement *j)
{
	j->real.fd = NULL; /* an earlier look at it had another name */
	if (held_names(ctx, held->object, &j->real))
		shk_judge_also(p, &j->real, j);
	for (unsigned i = 0; i < held->n_alias; i++) {
		struct shk_str name[6] = { { NULL, 0 } };
		struct shk_eval_ctx as = *ctx;

		as.fd = NULL;
		as.by_object = as.by_address = true;
		name[held->alias[i].arg] = held->alias[i].name;
		if (held_names(ctx, name, &as))
			shk_judge_also(p, &as, j);
	}
}

/* A message may go elsewhere than to the partner its socket has, which is what rules are asked about first. */
static bool sent_elsewhere(struct shk_eval_ctx *ctx)
{
	const struct shk_fd_view *v;
	struct shk_str address;

	if (!ctx->ev->call || (ctx->ev->call->id != SHK_CALL_sendto && ctx->ev->call->id != SHK_CALL_sendmsg) ||
	    !shk_event_sockaddr(ctx->ev, &address))
		return false;
	v = shk_fd_view(ctx);
	/* These do not look at it. */
	return v->connected && v->facts.sock_type != SOCK_STREAM && v->facts.sock_type != SOCK_SEQPACKET;
}

void shk_judge(const struct shk_policy *p, const struct shk_plan *plan, struct shk_eval_ctx *ctx,
	       const struct shk_held_names *held, struct shk_judgement *j)
{
	struct shk_str source = ctx->ev->arg[0].bytes, address = ctx->ev->arg[1].bytes, to = ctx->ev->arg[4].bytes,
		       named = ctx->ev->named.bytes;

	shk_ruleset_eval(p->rules, ctx, p->must, !p->match_all, &j->m);
	j->n_given = j->m.n;
	if (held && held->given)
		return;
	j->real = *ctx;
	j->real.fd = NULL;
	j->real.by_object = j->real.by_address = true;
	if (decides(p, plan, ctx->ev) && sent_elsewhere(ctx))
		shk_judge_also(p, &j->real, j);
	if (held)
		judge_held(p, ctx, held, j);
	else if (decides(p, plan, ctx->ev) && real_names(ctx, p, &j->real))
		shk_judge_also(p, &j->real, j);
	/* All views share the event: what the given name met is told with it. */
	if (held && j->n_given) {
		ctx->ev->arg[0].bytes = source;
		ctx->ev->arg[1].bytes = address;
		ctx->ev->arg[4].bytes = to;
		ctx->ev->named.bytes = named;
	}
}

void shk_judge_made(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_judgement *j)
{
	const struct shk_event *ev = ctx->ev;
	struct shk_proc *task = shk_proc_task_of(ctx);

	/* It knows events by registers and texts that lie in a task's memory. */
	ctx->memo = NULL;
	for (unsigned i = 0; !task && ev->call && i < ev->call->nargs; i++)
		if (ev->call->arg[i].kind == SHK_ARG_PATH && ev->arg[i].state == SHK_ARG_OK && ev->arg[i].bytes.n &&
		    ev->arg[i].bytes.p[0] == '/') {
			ctx->abs_path[i] = ev->arg[i].bytes;
			ctx->abs_path_state[i] = SHK_PATH_KNOWN;
		}
	shk_ruleset_eval(p->rules, ctx, p->must, !p->match_all, &j->m);
	j->n_given = j->m.n;
}

bool shk_judge_made_tells(const struct shk_policy *p, const struct shk_judgement *j, unsigned i)
{
	return i == 0 || p->match_all ||
	       (p->mode != SHK_MODE_OBSERVE && p->actions[j->m.rule[i]].kind != SHK_ACT_NONE);
}

void shk_judged_alert(struct shk_alert *a, const struct shk_policy *p, const struct shk_verdict *v, bool own)
{
	const struct shk_action *is = own ? &v->wanted : &v->action;

	if (is->kind == SHK_ACT_NONE)
		return;
	a->verdict = shk_verdict_word(is, p->mode != SHK_MODE_ENFORCE);
	a->err = is->kind == SHK_ACT_DENY ? is->err : 0;
	a->guarantee = v->guarantee;
}
