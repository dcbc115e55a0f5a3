// SPDX-License-Identifier: Apache-2.0
/*
 * params_state.c - texts of parameters that take a look at the task.
 */
#include <inttypes.h>

#include "fields/params.h"

bool shk_text_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_buf *b)
{
	const struct shk_arg *a = shk_event_arg(ctx->ev, i);

	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED)
		return false;
	shk_buf_addstr(b, a->bytes);
	return true;
}

bool shk_text_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b)
{
	(void)ctx;
	shk_buf_printf(b, "%d", fd);
	return true;
}

bool shk_text_result_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b)
{
	return shk_text_fd(ctx, fd, b);
}

bool shk_text_pid(struct shk_eval_ctx *ctx, pid_t pid, struct shk_buf *b)
{
	(void)ctx;
	shk_buf_printf(b, "%d", pid);
	return true;
}

bool shk_text_uid(struct shk_eval_ctx *ctx, uid_t uid, struct shk_buf *b)
{
	(void)ctx;
	shk_buf_printf(b, "%u", uid);
	return true;
}

bool shk_text_gid(struct shk_eval_ctx *ctx, gid_t gid, struct shk_buf *b)
{
	(void)ctx;
	shk_buf_printf(b, "%u", gid);
	return true;
}

bool shk_text_sockaddr(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	(void)ctx;
	(void)b;
	return false;
}

bool shk_text_tuple(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	(void)ctx;
	(void)b;
	return false;
}

bool shk_text_exe_flags(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	(void)ctx;
	(void)b;
	return false;
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
