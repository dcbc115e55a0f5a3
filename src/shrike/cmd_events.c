// SPDX-License-Identifier: Apache-2.0
/* shrike events - alerts, the last ones and those to come. */
#include <errno.h>
#include <json-c/json.h>

#include "base/io.h"
#include "control/control.h"
#include "shrike/commands.h"
#include "shrike/events_filter.h"

#define LAST_MAX    100000
#define RECORD_TEXT (1u << 20)

struct reader {
	const struct shk_cli *c;
	bool json;
	struct shk_events_filter filter;
	struct shk_buf text, clean;
	char **kept;	 /* with a filter: the last `room` that it took, printed in the end */
	uint64_t n, room; /* room 0: printed as they come */
};

static enum shk_cli_colour colour_of(struct json_object *record)
{
	enum shk_priority p;

	if (!shk_priority_parse(shk_json_str(record, "priority"), &p))
		return SHK_C_PLAIN;
	return p <= SHK_PRIO_ERROR ? SHK_C_RED : p <= SHK_PRIO_WARNING ? SHK_C_YELLOW :
	       p >= SHK_PRIO_INFORMATIONAL ? SHK_C_DIM : SHK_C_PLAIN;
}

static void print_record(struct reader *r, struct shk_str record, struct json_object *o)
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
	printf("%s" SHK_STR_FMT "%s\n", shk_cli_on(c, c->colour ? colour_of(o) : SHK_C_PLAIN),
	       SHK_STR_ARG(shk_buf_view(&r->clean)), shk_cli_off(c));
}

static void keep(struct reader *r, struct shk_str record)
{
	char **at = &r->kept[r->n++ % r->room];

	free(*at);
	*at = strndup(record.p, record.n);
}

static void take_record(struct reader *r, struct shk_str record)
{
	struct json_object *o = shk_json_parse(record, SHK_CONTROL_ANSWER_MAX, NULL);

	if (shk_events_filter_takes(&r->filter, o)) {
		if (r->room)
			keep(r, record);
		else
			print_record(r, record, o);
	}
	json_object_put(o);
}

static void print_kept(struct reader *r)
{
	uint64_t from = r->n > r->room ? r->n - r->room : 0;
	uint64_t room = r->room;

	for (r->room = 0; from < r->n; from++) {
		char *text = r->kept[from % room];
		struct json_object *o = text ? shk_json_parse(shk_str(text), SHK_CONTROL_ANSWER_MAX, NULL) : NULL;

		if (text)
			print_record(r, shk_str(text), o);
		json_object_put(o);
	}
	for (uint64_t i = 0; i < room && r->kept; i++)
		free(r->kept[i]);
	free(r->kept);
}

static int on_more(struct json_object *more, void *arg)
{
	struct shk_str record = shk_json_str(more, "record");
	struct reader *r = arg;

	if (record.p)
		take_record(r, record);
	/* Somebody may be reading the other end of a pipe as it happens. */
	return r->room || fflush(stdout) == 0 ? 0 : 1;
}

/* A file that output `file` wrote as JSON: alerts of before the daemon's memory. */
static int from_file(struct reader *r, const char *path)
{
	_cleanup_fclose_ FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", path, strerror(errno));
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		if (n && line[0] == '{')
			take_record(r, (struct shk_str){ line, (size_t)n });
	}
	if (f == stdin)
		f = NULL; /* not ours to close */
	return SHK_EXIT_OK;
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

static int check_usage(const struct shk_cli *c, const char *last, uint64_t *ret)
{
	static const char *const of_alerts[] = { "last", "follow", "json", "priority", "rule", "since", "file" };
	bool record = shk_cli_flag(c, "record");

	for (size_t i = 0; record && i < SHK_ARRAY_SIZE(of_alerts); i++)
		if (shk_cli_flag(c, of_alerts[i]))
			return shk_cli_usage(c, "events: --record goes with --max-size and --container alone");
	if (!record && shk_cli_flag(c, "max-size"))
		return shk_cli_usage(c, "events: --max-size goes with --record");
	if (shk_cli_flag(c, "file") && shk_cli_flag(c, "follow"))
		return shk_cli_usage(c, "events: --file has what was; --follow asks the daemon for what comes");
	if (last && (!shk_str_to_u64(shk_str(last), ret) || *ret > LAST_MAX))
		return shk_cli_usage(c, "events: -n takes a number from 0 to %d, not \"%.32s\"", LAST_MAX, last);
	return 0;
}

static int run(struct shk_cli *c)
{
	const char *n = shk_cli_value(c, "last"), *file = shk_cli_value(c, "file");
	struct reader reader = { .c = c, .json = shk_cli_flag(c, "json") };
	bool follow = shk_cli_flag(c, "follow");
	struct json_object *answer = NULL;
	uint64_t last = follow ? 10 : 100;
	int r = check_usage(c, n, &last);

	if (r == 0 && shk_cli_flag(c, "record"))
		return shk_cli_record(c, shk_cli_value(c, "record"), shk_cli_value(c, "max-size"));
	if (r == 0)
		r = shk_events_filter_new(c, shk_now_real(), &reader.filter);
	if (r)
		return r;
	/* The last N of those that are wanted, not those wanted of the last N. */
	if (!follow && (file || reader.filter.any) && last) {
		reader.room = last;
		reader.kept = calloc(last, sizeof(*reader.kept));
		if (!reader.kept)
			return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
		last = LAST_MAX;
	}
	shk_buf_init(&reader.text, RECORD_TEXT);
	shk_buf_init(&reader.clean, RECORD_TEXT * 4);
	if (file)
		r = from_file(&reader, file);
	else if (follow)
		r = follow_on(c, &reader, reader.filter.any && !n ? LAST_MAX : last);
	else
		r = shk_cli_ask(c, request_of(false, last), SHK_EXIT_FAILED, on_more, &reader, SHK_CLI_ASK_MS,
				&answer);
	print_kept(&reader);
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
		  "Filters: what one option says several times are alternatives, different options must all hold.\n"
		  "The daemon remembers the last 512 alerts; --file has all that an output wrote.\n"
		  "With --record no alerts are printed: every call that is judged from now on is written to FILE,\n"
		  "until interrupted, with the state rules can ask for, as text that `shrike replay` takes.\n"
		  "With --container only of those named, running already or started later.\n"
		  "The file holds arguments and environments of programs, so it is readable for its owner alone.",
	.opt = { { "follow", 'f', NULL, "go on with new alerts until interrupted" },
		 { "last", 'n', "N", "begin with the last N the daemon remembers (100; with -f 10)" },
		 SHK_OPT_JSON, { "record", 0, "FILE", "write the events themselves, in the text form" },
		 { "max-size", 0, "BYTES", "end the recording at this size (1G); K, M, G are understood" },
		 { "container", 0, "ID", "alerts (or, with --record, events) of this container alone" },
		 { "priority", 'p', "PRIORITY", "alerts of this priority and of more severe ones" },
		 { "rule", 0, "NAME", "alerts of this rule; * stands for any text" },
		 { "since", 0, "TIME", "alerts since 10m, 2h, 7d ago, or since a time in UTC" },
		 { "file", 0, "FILE", "read alerts from a file of the output `file`; -: standard input" } },
	.exits = "  0 printed, recorded           2 wrong usage\n"
		 "  1 recorded with losses\n"
		 "  3 shriked cannot be reached, or has ended while following\n"
		 "  4 other failure",
	.example = "  shrike events -f --priority warning\n"
		   "  shrike events --container web1 --since 1h --file /var/log/shrike/alerts.json\n"
		   "  shrike events --record web.events --container web1\n"
		   "  shrike events -n 1000 --json | jq -r .rule | sort | uniq -c | sort -rn",
	.run = run,
};
