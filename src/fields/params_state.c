// SPDX-License-Identifier: Apache-2.0
/*
 * params_state.c - texts of parameters that take a look at the task.
 */
#include <inttypes.h>

#include "fields/params.h"
#include "state/process.h"
#include "state/users.h"

bool shk_text_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_buf *b)
{
	const struct shk_arg *a = shk_event_arg(ctx->ev, i);
	struct shk_str s;

	if (a->state == SHK_ARG_NULL || (a->state == SHK_ARG_OK && !a->bytes.n)) {
		shk_buf_adds(b, "<NA>");
		return true;
	}
	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED)
		return false;
	shk_buf_addstr(b, shk_event_abs_path(ctx, i, &s) ? s : a->bytes);
	return true;
}

/* The call numbers processes as its own pid namespace does. Names are found for the task and its
 * ancestors there; any other process shows as a number. */
bool shk_text_pid(struct shk_eval_ctx *ctx, pid_t pid, struct shk_buf *b)
{
	struct shk_proc *p = shk_proc_task_of(ctx);
	ino_t ns = p ? shk_proc_ns(p, SHK_NS_PID) : 0;
	struct shk_str comm = { NULL, 0 };

	for (unsigned i = 0; p && ns && pid > 0 && i < SHK_ANCESTORS_MAX && !comm.p; i++) {
		if (shk_proc_ns(p, SHK_NS_PID) != ns)
			break;
		if (shk_proc_vpid(p) == pid || shk_proc_vtid(p) == pid)
			comm = shk_proc_comm(p);
		else
			p = shk_proc_parent(p);
	}
	if (comm.p)
		shk_buf_addstr(b, comm);
	else
		shk_buf_printf(b, "%d", pid);
	return true;
}

bool shk_text_uid(struct shk_eval_ctx *ctx, uid_t uid, struct shk_buf *b)
{
	const struct shk_user *u = shk_user_of(ctx, uid);

	if (u && u->name.n)
		shk_buf_addstr(b, u->name);
	else
		shk_buf_adds(b, uid == 0 ? "root" : "<NA>");
	return true;
}

bool shk_text_gid(struct shk_eval_ctx *ctx, gid_t gid, struct shk_buf *b)
{
	const struct shk_group *g = shk_group_of(ctx, gid);

	if (g && g->name.n)
		shk_buf_addstr(b, g->name);
	else
		shk_buf_adds(b, gid == 0 ? "root" : "<NA>");
	return true;
}

bool shk_text_exe_flags(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_proc_exe *e = p ? shk_proc_exe(p) : NULL;
	bool upper = false;

	if (!e)
		return false;
	if (e->writable)
		shk_buf_adds(b, "EXE_WRITABLE");
	if (shk_proc_exe_upper(p, &upper) && upper)
		shk_buf_adds(b, b->n ? "|EXE_UPPER_LAYER" : "EXE_UPPER_LAYER");
	if (e->memfd)
		shk_buf_adds(b, b->n ? "|EXE_FROM_MEMFD" : "EXE_FROM_MEMFD");
	if (!b->n)
		shk_buf_addc(b, '0');
	return true;
}

bool shk_text_field(struct shk_eval_ctx *ctx, const char *name, struct shk_buf *b)
{
	struct shk_field_ref ref;
	struct shk_value v;

	if (shk_field_parse(shk_str(name), &ref, NULL) < 0 || !shk_field_get(ctx, &ref, &v))
		return false;
	shk_value_print(&v, ref.field, b);
	return true;
}
