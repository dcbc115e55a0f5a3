// SPDX-License-Identifier: Apache-2.0
/*
 * params_fd.c - texts of descriptors and socket addresses among the parameters.
 */
#include "fields/params.h"

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
