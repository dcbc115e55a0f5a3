// SPDX-License-Identifier: Apache-2.0
/* Questions to the daemon. */
#include <errno.h>
#include <json-c/json.h>

#include "control/control.h"
#include "shrike/cli.h"

struct json_object *shk_cli_request(const char *op)
{
	struct json_object *o = json_object_new_object();

	if (o)
		json_object_object_add(o, "op", json_object_new_string(op));
	return o;
}

static bool lost(int r)
{
	return r == -ECONNRESET || r == -EPIPE || r == -ETIMEDOUT;
}

static int ask(const struct shk_cli *c, struct json_object *request, int fd, int refused,
	       int (*on_more)(struct json_object *more, void *arg), void *arg, int timeout_ms,
	       struct json_object **answer)
{
	SHK_CLEANUP(shk_client_freep) struct shk_client *client = NULL;
	struct shk_err err = { 0 };
	int r;

	if (!request)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	r = shk_client_connect(c->socket, &client, &err);
	if (r < 0) {
		json_object_put(request);
		return shk_cli_fail(SHK_EXIT_NO_DAEMON, "%s", err.text);
	}
	r = shk_client_call(client, request, &fd, fd >= 0, on_more, arg, timeout_ms, answer, &err);
	json_object_put(request);
	if (r == 0)
		return SHK_EXIT_OK;
	if (r == -EPROTO)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	return shk_cli_fail(lost(r) ? SHK_EXIT_NO_DAEMON : refused, "%s", err.text);
}

int shk_cli_ask(const struct shk_cli *c, struct json_object *request, int refused,
		int (*on_more)(struct json_object *more, void *arg), void *arg, int timeout_ms,
		struct json_object **answer)
{
	return ask(c, request, -1, refused, on_more, arg, timeout_ms, answer);
}

int shk_cli_ask_fd(const struct shk_cli *c, struct json_object *request, int fd, int refused,
		   int timeout_ms, struct json_object **answer)
{
	return ask(c, request, fd, refused, NULL, NULL, timeout_ms, answer);
}
