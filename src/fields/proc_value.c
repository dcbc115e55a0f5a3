// SPDX-License-Identifier: Apache-2.0
#include "fields/proc_value.h"

bool shk_pv_name(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	(void)ctx;
	return shk_set_opt(out, shk_proc_comm(p));
}

bool shk_pv_exe(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	const struct shk_strvec *v = shk_proc_argv(p);

	(void)ctx;
	if (!v)
		return false;
	/* A program started with no argument at all has an empty name. */
	return v->n ? shk_set_opt(out, v->v[0]) : shk_set_z(out, "");
}

bool shk_pv_exepath(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	(void)ctx;
	return shk_set_opt(out, shk_proc_exepath(p));
}

/* What lies in a row is copied in one piece. */
static bool join_row(struct shk_eval_ctx *ctx, struct shk_str head, const struct shk_strvec *v, size_t from, char between,
		     struct shk_value *out)
{
	const char *first = v->v[from].p;
	size_t n = (size_t)(v->v[v->n - 1].p + v->v[v->n - 1].n - first);
	char *p = shk_arena_alloc_raw(ctx->ev->arena, head.n + n + 2), *end = p;

	if (!p)
		return false;
	if (head.p) {
		end = mempcpy(end, head.p, head.n);
		*end++ = between;
	}
	memcpy(end, first, n);
	end[n] = 0;
	for (size_t i = from; i + 1 < v->n; i++)
		end[v->v[i].p + v->v[i].n - first] = between;
	return shk_set_str(out, (struct shk_str){ p, (size_t)(end - p) + n });
}

/* head (p NULL: none) and v->v[from..], with a byte between them. */
static bool join(struct shk_eval_ctx *ctx, struct shk_str head, const struct shk_strvec *v,
		 size_t from, char between, struct shk_value *out)
{
	size_t n = head.p ? head.n : 0;
	char *p, *end;

	if (v->in_row && from < v->n)
		return join_row(ctx, head, v, from, between, out);
	for (size_t i = from; i < v->n; i++)
		n += v->v[i].n + 1;
	p = end = shk_arena_alloc_raw(ctx->ev->arena, n + 1);
	if (!p)
		return false;
	if (head.p && head.n)
		end = mempcpy(end, head.p, head.n);
	for (size_t i = from; i < v->n; i++) {
		if (head.p || i > from)
			*end++ = between;
		if (v->v[i].n)
			end = mempcpy(end, v->v[i].p, v->v[i].n);
	}
	*end = 0;
	return shk_set_str(out, (struct shk_str){ p, (size_t)(end - p) });
}

/* A NUL inside of one, which only a text can have, would make two of it. */
static bool copy_image(struct shk_eval_ctx *ctx, const struct shk_strvec *v, size_t from, struct shk_str *ret)
{
	struct shk_value out;

	for (size_t i = from; i < v->n; i++)
		if (v->v[i].n && memchr(v->v[i].p, 0, v->v[i].n))
			return false;
	if (!join(ctx, (struct shk_str){ NULL, 0 }, v, from, '\0', &out))
		return false;
	*ret = out.s;
	return true;
}

bool shk_pv_image(struct shk_eval_ctx *ctx, const struct shk_strvec *v, size_t from, struct shk_str *ret)
{
	const struct shk_str *first, *last;

	if (from >= v->n) { /* of none there need be no row, either */
		*ret = (struct shk_str){ "", 0 };
		return true;
	}
	if (!v->in_row)
		return copy_image(ctx, v, from, ret);
	first = v->v + from;
	last = v->v + v->n - 1;
	*ret = (struct shk_str){ first->p, (size_t)(last->p + last->n - first->p) };
	return true;
}

bool shk_pv_args(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	const struct shk_strvec *v = shk_proc_argv(p);

	return v && join(ctx, (struct shk_str){ NULL, 0 }, v, 1, ' ', out);
}

bool shk_pv_cmdline(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	const struct shk_strvec *v = shk_proc_argv(p);
	struct shk_str comm = shk_proc_comm(p);

	/* There whenever proc.args is, also where the name could not be read: who asks how that begins relies on it (.whole). */
	return v && join(ctx, comm.p ? comm : (struct shk_str){ "", 0 }, v, 1, ' ', out);
}

bool shk_pv_exeline(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	const struct shk_strvec *v = shk_proc_argv(p);

	return v && join(ctx, (struct shk_str){ NULL, 0 }, v, 0, ' ', out);
}

bool shk_pv_env(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	const struct shk_strvec *v = shk_proc_env(p);

	return v && join(ctx, (struct shk_str){ NULL, 0 }, v, 0, ' ', out);
}

static bool set_id(struct shk_value *out, pid_t id)
{
	out->i = id;
	return id > 0;
}

bool shk_pv_pid(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	(void)ctx;
	return set_id(out, shk_proc_pid(p));
}

bool shk_pv_vpid(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	(void)ctx;
	return set_id(out, shk_proc_vpid(p));
}

bool shk_pv_start(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	(void)ctx;
	return shk_proc_start(p, &out->u);
}

/* The start is known to 10 ms only: it may seem to lie behind an event that came right after it. */
bool shk_pv_duration(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out)
{
	uint64_t start;

	return shk_proc_start(p, &start) &&
	       shk_set_u(out, ctx->ev->time_ns > start ? ctx->ev->time_ns - start : 0);
}
