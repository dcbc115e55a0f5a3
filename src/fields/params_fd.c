// SPDX-License-Identifier: Apache-2.0
/*
 * params_fd.c - texts of descriptors and socket addresses among the parameters.
 */
#include <fcntl.h>

#include "fields/fd_view.h"
#include "fields/params.h"

bool shk_text_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b)
{
	struct shk_fd_facts f;

	if (fd == AT_FDCWD)
		shk_buf_adds(b, "AT_FDCWD");
	else if (fd >= 0 && shk_fd_facts(ctx, fd, &f))
		shk_fd_text(f.type, f.name, b);
	else
		shk_buf_printf(b, "%d", fd);
	return true;
}

bool shk_text_result_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b)
{
	const struct shk_fd_view *v = shk_fd_named(ctx);

	if (v->entry && v->num == fd)
		shk_fd_text(v->type, v->name, b);
	else
		shk_buf_printf(b, "%d", fd);
	return true;
}

bool shk_text_sockaddr(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	struct shk_str sa, path;
	struct shk_ip ip;
	uint16_t port;

	if (!shk_event_sockaddr(ctx->ev, &sa))
		shk_buf_adds(b, "NULL");
	else if (shk_sockaddr_ip(sa, &ip, &port))
		shk_ip_port_print(&ip, port, b);
	else if (shk_sockaddr_unix(sa, ctx->ev->arena, &path))
		shk_buf_addstr(b, path);
	else
		return false;
	return true;
}

bool shk_text_tuple(struct shk_eval_ctx *ctx, struct shk_buf *b)
{
	const struct shk_fd_view *v = shk_fd_named(ctx);

	if (!v->entry || (!v->is_ip && !v->is_unix))
		return false;
	shk_buf_addstr(b, v->name);
	return true;
}
