// SPDX-License-Identifier: Apache-2.0
/*
 * shrike events --record - the stream of judged events into a file.
 *
 * Interrupted, the engine is told to end, and what it has is still written. Whole lines only: a file that ends in the
 * middle of one would not replay.
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <sys/socket.h>

#include "control/control.h"
#include "shrike/record_file.h"

static volatile sig_atomic_t stopped;
static volatile int connection = -1;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
	if (connection >= 0)
		shutdown(connection, SHUT_WR);
}

static int on_more(struct json_object *more, void *arg)
{
	struct shk_record_file *r = arg;
	uint64_t lost = (uint64_t)shk_json_int(more, "lost", 0);
	struct shk_str text = shk_json_str(more, "text");

	if (text.n)
		shk_recfile_text(r, text);
	if (lost)
		shk_recfile_lost(r, lost);
	shk_recfile_flush(r);
	return r->full || r->error;
}

static struct json_object *request_of(const struct shk_cli *c)
{
	struct json_object *request = shk_cli_request("record"), *list = NULL;
	const char *name;
	unsigned pos = 0;

	while (request && (name = shk_cli_each(c, "container", &pos))) {
		if (!list) {
			list = json_object_new_array();
			json_object_object_add(request, "containers", list);
		}
		if (list)
			json_object_array_add(list, json_object_new_string(name));
	}
	return request;
}

/* One connection; -ECONNRESET and -EPIPE: the engine ended, the next one goes on. */
static int receive(const struct shk_cli *c, struct shk_record_file *r, struct shk_err *err)
{
	SHK_CLEANUP(shk_client_freep) struct shk_client *client = NULL;
	struct json_object *request, *answer = NULL;
	int rc = shk_client_connect(c->socket, &client, err);

	if (rc < 0)
		return rc;
	request = request_of(c);
	if (!request)
		return shk_err_set(err, ENOMEM, "out of memory");
	connection = shk_client_fd(client);
	if (stopped)
		shutdown(connection, SHUT_WR);
	rc = shk_client_call(client, request, NULL, 0, on_more, r, -1, &answer, err);
	connection = -1;
	json_object_put(request);
	json_object_put(answer);
	return rc;
}

static int record(const struct shk_cli *c, struct shk_record_file *r)
{
	bool connected = false;

	for (;;) {
		struct shk_err err = { 0 };
		int rc = receive(c, r, &err);

		if (rc == 0 || r->full || r->error)
			return SHK_EXIT_OK;
		if (rc != -ECONNRESET && rc != -EPIPE)
			return shk_cli_fail(rc == -ENOENT || rc == -ECONNREFUSED || rc == -ETIMEDOUT ?
						    SHK_EXIT_NO_DAEMON : SHK_EXIT_FAILED, "%s", err.text);
		if (stopped)
			return connected ? SHK_EXIT_OK : SHK_EXIT_NO_DAEMON;
		connected = true;
		shk_recfile_cut(r);
		shk_recfile_note(r, "the engine was started anew here; events before may be missing");
	}
}

int shk_cli_record(const struct shk_cli *c, const char *file, const char *size)
{
	struct sigaction a = { .sa_handler = on_signal };
	struct shk_record_file r;
	int code = shk_recfile_open(&r, c, file, size);

	if (code)
		return code;
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	return shk_recfile_close(&r, record(c, &r));
}
