// SPDX-License-Identifier: Apache-2.0
/*
 * /metrics and /healthz, for GET and HEAD, on a Unix socket or a port of the loopback interface.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/log.h"
#include "shrike-gateway/gateway.h"

#define CONNECTIONS 16
#define TIMEOUT_S   10
#define TEXT_MAX    (1u << 20)

static int bind_port(uint64_t port, struct shk_err *err)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0)
		return shk_err_sys(err, errno, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, CONNECTIONS) < 0)
		return shk_err_sys(err, errno, "metrics_listen: port %u of 127.0.0.1", (unsigned)port);
	return TAKE_FD(fd);
}

static bool is_wanted(const struct shk_gateway *g)
{
	return g->cfg->metrics_listen && *g->cfg->metrics_listen;
}

static void failed(struct shk_gateway *g, const char *why)
{
	if (!g->http_failed)
		shk_error("%s: there are no metrics until that works; alerts are sent", why);
	g->http_failed = true;
	shk_close(&g->http_listen);
}

void shk_http_bind(struct shk_gateway *g, unsigned uid, unsigned gid)
{
	const char *listen_at = g->cfg->metrics_listen;
	struct shk_err err = { 0 };
	uint64_t port;

	g->http_listen = -1;
	if (!is_wanted(g))
		return;
	if (shk_str_to_u64(shk_str(listen_at), &port)) {
		g->http_listen = bind_port(port, &err);
	} else {
		g->http_listen = shk_listen_unix(listen_at, 0660, &err);
		if (g->http_listen >= 0 && geteuid() == 0 && lchown(listen_at, uid, gid) < 0) {
			shk_err_sys(&err, errno, "metrics_listen: %s", listen_at);
			shk_close(&g->http_listen);
		}
	}
	if (g->http_listen < 0)
		failed(g, err.text);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, const char *type, struct shk_buf *body)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(body->n, body->p, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	rc = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **state)
{
	static int seen;
	struct shk_gateway *g = arg;
	_cleanup_buf_ struct shk_buf body = { 0 };
	bool get = !strcmp(method, "GET") || !strcmp(method, "HEAD");
	unsigned code = MHD_HTTP_OK;

	(void)version;
	(void)data;
	if (!*state) { /* called for the header, and then for all of it */
		*state = &seen;
		return MHD_YES;
	}
	if (*size) { /* a body nobody asked for */
		*size = 0;
		return MHD_YES;
	}
	shk_buf_init(&body, TEXT_MAX);
	if (get && !strcmp(url, "/metrics")) {
		shk_metrics(g, &body);
		if (!body.failed)
			return answer(c, code, "text/plain; version=0.0.4; charset=utf-8", &body);
		shk_buf_reset(&body);
		code = MHD_HTTP_INTERNAL_SERVER_ERROR;
	} else if (get && !strcmp(url, "/healthz")) {
		code = shk_healthy(g, &body) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	} else {
		code = get ? MHD_HTTP_NOT_FOUND : MHD_HTTP_METHOD_NOT_ALLOWED;
		shk_buf_adds(&body, "there is GET /metrics and GET /healthz\n");
	}
	return answer(c, code, "text/plain; charset=utf-8", &body);
}

void shk_http_open(struct shk_gateway *g)
{
	if (g->http || !is_wanted(g))
		return;
	/* By now the rights are gone, and with them what would have to be changed: a low port, another's directory. */
	if (g->http_listen < 0)
		shk_http_bind(g, 0, 0);
	if (g->http_listen < 0)
		return;
	g->http = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, g,
				   MHD_OPTION_LISTEN_SOCKET, g->http_listen, MHD_OPTION_CONNECTION_LIMIT,
				   (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
				   MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_END);
	if (!g->http) {
		failed(g, "metrics_listen: the HTTP server cannot be started");
	} else if (g->http_failed) {
		shk_notice("metrics_listen: %s is served now", g->cfg->metrics_listen);
		g->http_failed = false;
	}
}

int shk_http_fd(const struct shk_gateway *g)
{
	const union MHD_DaemonInfo *i = g->http ? MHD_get_daemon_info(g->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

	return i ? i->epoll_fd : -1;
}

void shk_http_run(struct shk_gateway *g)
{
	if (g->http)
		MHD_run(g->http);
}

void shk_http_close(struct shk_gateway *g)
{
	if (g->http)
		MHD_stop_daemon(g->http);
	else
		shk_close(&g->http_listen);
	g->http = NULL;
}
