// SPDX-License-Identifier: Apache-2.0
#include "engine/gate_names.h"

#include <errno.h>

#define AGAIN_MAX 16 /* times that mounts changed meanwhile */

/* Is it in a mount that the task sees? Its root directory's is not listed for a task that did chroot. */
static bool is_mounted(const struct shk_aliases *l, struct shk_eval_ctx *ctx, const struct shk_exec_file *f)
{
	uint64_t root = 0;
	dev_t dev;
	ino_t ino;

	if (f->memfd)
		return true; /* rules tell it by what it is */
	/* A kernel that does not tell mounts has none without a name either (both since 5.2 and 5.8). */
	if (!f->mnt || shk_aliases_lists(l, f->mnt))
		return true;
	return shk_proc_root_mount(shk_proc_task_of(ctx), &dev, &ino, &root) && root == f->mnt;
}

static int add(struct shk_aliases *l, struct shk_eval_ctx *ctx, const struct shk_exec_judged *x, unsigned file,
	       struct shk_exec_names *names)
{
	const struct shk_exec_file *f = &x->file[file];
	struct shk_str name = shk_container_path(ctx->ctr, shk_str(f->name)), other[SHK_ALIASES_MAX];
	int n;

	if (!is_mounted(l, ctx, f))
		return -EXDEV;
	n = f->memfd ? 0 : shk_aliases_of(l, ctx, f->fd, f->mnt, name, other);
	for (int i = 0; i < n; i++) {
		if (names->n == SHK_ARRAY_SIZE(names->other))
			return -EAGAIN;
		names->other[names->n].file = file;
		names->other[names->n++].name = other[i];
	}
	return SHK_MIN(n, 0);
}

static int add_all(struct shk_aliases *l, struct shk_eval_ctx *ctx, const struct shk_exec_judged *x,
		   struct shk_exec_names *names)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < x->n; i++)
		if (x->file[i].name)
			r = add(l, ctx, x, i, names);
	return r;
}

int shk_gate_pin_named(struct shk_worker *w, const struct shk_policy *p, const struct shk_plan *plan,
		       struct shk_eval_ctx *ctx, struct shk_exec_judged **ret, struct shk_exec_names *names)
{
	struct shk_aliases *l;
	int r;

	names->n = 0;
	if (!ctx->ev->call || shk_policy_method(p, ctx->ev->call->id) != SHK_METHOD_VERIFY || !p->must ||
	    p->mode == SHK_MODE_OBSERVE)
		return 0;
	if (p->mode == SHK_MODE_ENFORCE && plan && !plan->call[ctx->ev->call->id].enforced)
		return 0;
	if (!w->actor)
		w->actor = shk_actor_new();
	if (!w->actor)
		return -ENOMEM;
	l = w->actor->aliases;
	for (unsigned i = 0; i < AGAIN_MAX; i++) {
		bool known = shk_aliases_begin(l, ctx) == 0;

		/* Its mount and with it the numbers by which it was told stay while it is held. */
		ctx->root_fd = SHK_MAX(shk_actor_root(w->actor, ctx), 0);
		r = shk_gate_pin(p, plan, ctx, ret);
		if (r < 0 || !*ret)
			return r;
		if (!known)
			break;
		names->n = 0;
		r = add_all(l, ctx, *ret, names);
		if (shk_aliases_hold(l))
			return p->mode == SHK_MODE_ENFORCE ? r : 0;
		shk_exec_judged_free(TAKE_PTR(*ret));
		ctx->ev->program = NULL;
	}
	/* Of a task that has ended nothing is to be told. */
	if (!*ret)
		r = shk_gate_pin(p, plan, ctx, ret);
	else
		r = 0;
	return r < 0 || p->mode != SHK_MODE_ENFORCE ? r : -EAGAIN;
}

void shk_gate_judge_names(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_exec_judged *x,
			  const struct shk_exec_names *names, struct shk_judgement *j)
{
	for (unsigned i = 0; i < names->n; i++) {
		unsigned file = names->other[i].file;
		struct shk_event *as = SHK_ARENA_NEW(ctx->ev->arena, struct shk_event);
		struct shk_eval_ctx other = { .ev = as, .ctr = ctx->ctr };

		/* Interpreters that are scripts themselves are nobody's question, as with their own names. */
		if (file && file != x->n - 1)
			continue;
		if (as && !file)
			*as = *ctx->ev;
		if (!as || (file && !shk_exec_as_interpreter(ctx->ev, x, as))) {
			ctx->ev->memory_failed = true;
			return;
		}
		as->program_name = &names->other[i].name;
		shk_judge_also(p, &other, j);
		shk_exec_read_back(ctx->ev, as);
		shk_exec_judged_seal(x, &other);
	}
}
