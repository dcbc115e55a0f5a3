// SPDX-License-Identifier: Apache-2.0
/* shrike events - alerts, the last ones and those to come. */
#include <errno.h>
#include <json-c/json.h>

#include "alerts/alert.h"
#include "control/control.h"
#include "shrike/commands.h"

#define LAST_MAX    100000
#define RECORD_TEXT (1u << 20)

struct reader {
	const struct shk_cli *c;
	bool json;
	struct shk_buf text, clean;
};

static enum shk_cli_colour colour_of(struct shk_str record)
{
	struct json_object *o = shk_json_parse(record, SHK_CONTROL_ANSWER_MAX, NULL);
	enum shk_cli_colour colour = SHK_C_PLAIN;
	enum shk_priority p;

	if (o && shk_priority_parse(shk_json_str(o, "priority"), &p))
		colour = p <= SHK_PRIO_ERROR ? SHK_C_RED : p <= SHK_PRIO_WARNING ? SHK_C_YELLOW :
									     SHK_C_PLAIN;
	json_object_put(o);
	return colour;
}

static void print_record(struct reader *r, struct shk_str record)
{
	struct shk_err err = { 0 };
	const struct shk_cli *c = r->c;

	shk_buf_reset(&r->clean);
	if (r->json) {
		/* JSON escapes control characters, but not those above ASCII that terminals obey. */
		if (!c->tty)
			shk_buf_addstr(&r->clean, record);
		else
			shk_cli_clean(&r->clean, record);
		printf(SHK_STR_FMT "\n", SHK_STR_ARG(shk_buf_view(&r->clean)));
		return;
	}
	shk_buf_reset(&r->text);
	if (shk_record_text(record, false, &r->text, &err) < 0) {
		shk_cli_fail(SHK_EXIT_FAILED, "a record cannot be printed: %s; --json shows it as it is",
			     err.text);
		return;
	}
	while (r->text.n && r->text.p[r->text.n - 1] == '\n')
		r->text.n--;
	shk_cli_clean(&r->clean, shk_buf_view(&r->text));
	printf("%s" SHK_STR_FMT "%s\n", shk_cli_on(c, c->colour ? colour_of(record) : SHK_C_PLAIN),
	       SHK_STR_ARG(shk_buf_view(&r->clean)), shk_cli_off(c));
}

static int on_more(struct json_object *more, void *arg)
{
	struct shk_str record = shk_json_str(more, "record");

	if (record.p)
		print_record(arg, record);
	/* Somebody may be reading the other end of a pipe as it happens. */
	return fflush(stdout) == 0 ? 0 : 1;
}

static struct json_object *request_of(bool follow, uint64_t last)
{
	struct json_object *request = shk_cli_request("events");

	if (request) {
		json_object_object_add(request, "follow", json_object_new_boolean(follow));
		json_object_object_add(request, "last", json_object_new_int64((int64_t)last));
	}
	return request;
}

/* An engine that ends is replaced by the keeper, which holds the socket: the connection is made anew, and what
 * the next engine has told by then is asked for. Only a socket that nobody serves ends this. */
static int follow_on(struct shk_cli *c, struct reader *reader, uint64_t last)
{
	for (;;) {
		SHK_CLEANUP(shk_client_freep) struct shk_client *client = NULL;
		struct json_object *request, *answer = NULL;
		struct shk_err err = { 0 };
		int r = shk_client_connect(c->socket, &client, &err);

		if (r < 0)
			return shk_cli_fail(SHK_EXIT_NO_DAEMON, "%s", err.text);
		request = request_of(true, last);
		if (!request)
			return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
		r = shk_client_call(client, request, NULL, 0, on_more, reader, -1, &answer, &err);
		json_object_put(request);
		json_object_put(answer);
		if (r != -ECONNRESET && r != -EPIPE)
			return r == 0 ? SHK_EXIT_OK : shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		last = LAST_MAX;
	}
}

static int run(struct shk_cli *c)
{
	const char *n = shk_cli_value(c, "last");
	const char *file = shk_cli_value(c, "record");
	struct reader reader = { .c = c, .json = shk_cli_flag(c, "json") };
	bool follow = shk_cli_flag(c, "follow");
	struct json_object *answer = NULL;
	uint64_t last = follow ? 10 : 100;
	int r;

	if (file && (n || follow || reader.json))
		return shk_cli_usage(c, "events: --record goes with --max-size and --container alone");
	if (file)
		return shk_cli_record(c, file, shk_cli_value(c, "max-size"));
	if (shk_cli_flag(c, "max-size") || shk_cli_flag(c, "container"))
		return shk_cli_usage(c, "events: --%s goes with --record",
				     shk_cli_flag(c, "max-size") ? "max-size" : "container");
	if (n && (!shk_str_to_u64(shk_str(n), &last) || last > LAST_MAX))
		return shk_cli_usage(c, "events: -n takes a number from 0 to %d, not \"%.32s\"",
				     LAST_MAX, n);
	shk_buf_init(&reader.text, RECORD_TEXT);
	shk_buf_init(&reader.clean, RECORD_TEXT * 4);
	r = follow ? follow_on(c, &reader, last) :
		     shk_cli_ask(c, request_of(false, last), SHK_EXIT_FAILED, on_more, &reader,
				 SHK_CLI_ASK_MS, &answer);
	json_object_put(answer);
	shk_buf_done(&reader.text);
	shk_buf_done(&reader.clean);
	return r;
}

const struct shk_cli_cmd shk_cmd_events = {
	.name = "events",
	.args = "",
	.summary = "Print alerts: the last ones, with -f also those to come",
	.detail = "\nWithout --json a line is what Falco prints: time, priority, the rule's output.\n"
		  "With --record no alerts are printed: every call that is judged from now on is written to FILE,\n"
		  "until interrupted, with the state rules can ask for, as text that `shrike replay` takes.\n"
		  "With --container only of those named, running already or started later.\n"
		  "The file holds arguments and environments of programs, so it is readable for its owner alone.",
	.opt = { { "follow", 'f', NULL, "go on with new alerts until interrupted" },
		 { "last", 'n', "N", "begin with the last N the daemon remembers (100; with -f 10)" },
		 SHK_OPT_JSON, { "record", 0, "FILE", "write the events themselves, in the text form" },
		 { "max-size", 0, "BYTES", "end the recording at this size (1G); K, M, G are understood" },
		 { "container", 0, "ID", "record this container alone, by id or name; may be repeated" } },
	.exits = "  0 printed, recorded           2 wrong usage\n"
		 "  1 recorded with losses\n"
		 "  3 shriked cannot be reached, or has ended while following\n"
		 "  4 other failure",
	.example = "  shrike events -f\n"
		   "  shrike events --record web.events --container web1\n"
		   "  shrike events -n 1000 --json | jq -r .rule | sort | uniq -c | sort -rn",
	.run = run,
};
