// SPDX-License-Identifier: Apache-2.0
/* shrike status - how the daemon is doing. */
#include <inttypes.h>
#include <json-c/json.h>

#include "base/io.h"
#include "control/control.h"
#include "shrike/commands.h"

static void add_trouble(const struct shk_cli *c, struct shk_buf *b, const char *what,
			struct shk_str text)
{
	if (!text.n)
		return;
	shk_buf_printf(b, "%s%s:%s\n  ", shk_cli_on(c, SHK_C_RED), what, shk_cli_off(c));
	shk_cli_clean(b, text);
	shk_buf_addc(b, '\n');
}

/* An engine of an earlier version says nothing about it. */
static void add_module(const struct shk_cli *c, struct shk_buf *b, struct json_object *o)
{
	struct shk_str state = shk_json_str(o, "state"), text = shk_json_str(o, "text");
	int64_t lost = shk_json_int(o, "lost", 0);

	if (!state.n)
		return;
	shk_buf_adds(b, "kernel module    ");
	if (!shk_str_eqz(state, "reading")) {
		shk_cli_clean(b, text.n ? text : state);
		shk_buf_addc(b, '\n');
		return;
	}
	shk_buf_adds(b, "read, version ");
	shk_cli_clean(b, shk_json_str(o, "version"));
	shk_buf_printf(b, ", %" PRId64 " containers, %" PRId64 " records, %s%" PRId64 " lost%s\n", shk_json_int(o, "containers", 0),
		       shk_json_int(o, "records", 0), shk_cli_on(c, lost ? SHK_C_RED : SHK_C_PLAIN), lost, shk_cli_off(c));
}

static void print_head(const struct shk_cli *c, struct json_object *o)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	uint64_t now = shk_now_real(), since = (uint64_t)shk_json_int(o, "started", 0);
	int64_t lost = shk_json_int(o, "lost_alerts", 0);

	shk_buf_init(&b, 65536);
	shk_buf_adds(&b, "version          ");
	shk_cli_clean(&b, shk_json_str(o, "version"));
	shk_buf_printf(&b, "\nengine           pid %" PRId64 ", up ", shk_json_int(o, "pid", 0));
	shk_cli_duration(&b, since && since <= now ? now - since : 0);
	shk_buf_printf(&b, ", restarted %" PRId64 " times\n", shk_json_int(o, "restarts", 0));
	shk_buf_printf(&b, "containers       %" PRId64 "\n", shk_json_int(o, "containers", 0));
	shk_buf_printf(&b, "calls in flight  %" PRId64 "\n", shk_json_int(o, "calls_in_flight", 0));
	shk_buf_printf(&b, "lost alerts      %s%" PRId64 "%s\n",
		       shk_cli_on(c, lost ? SHK_C_RED : SHK_C_PLAIN), lost, shk_cli_off(c));
	add_module(c, &b, shk_json_object(o, "module"));
	add_trouble(c, &b, "policies could not be loaded", shk_json_str(o, "broken"));
	add_trouble(c, &b, "last reload failed, the rules from before are in force",
		    shk_json_str(o, "reload_error"));
	fputs(b.p ? b.p : "", stdout);
}

static int print_policies(const struct shk_cli *c, struct json_object *list)
{
	struct shk_cli_table t = { .head = { "POLICY", "MODE", "RULES" }, .right = { [2] = true } };

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		shk_cli_cell(&t, shk_json_str(o, "name"));
		shk_cli_cell(&t, shk_json_str(o, "mode"));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "rules", 0));
	}
	putchar('\n');
	return shk_cli_table_print(c, &t);
}

static int print_sinks(const struct shk_cli *c, struct json_object *list)
{
	struct shk_cli_table t = { .head = { "OUTPUT", "SENT", "FAILED", "DROPPED", "ERROR" },
				   .right = { [1] = true, [2] = true, [3] = true } };

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		shk_cli_cell(&t, shk_json_str(o, "name"));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "sent", 0));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "failed", 0));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "dropped", 0));
		shk_cli_cell(&t, shk_json_str(o, "error"));
	}
	putchar('\n');
	return shk_cli_table_print(c, &t);
}

static int run(struct shk_cli *c)
{
	struct json_object *answer = NULL, *list;
	int r = shk_cli_ask(c, shk_cli_request("status"), SHK_EXIT_FAILED, NULL, NULL,
			    SHK_CLI_ASK_MS, &answer);
	bool well;

	if (r)
		return r;
	well = !shk_json_str(answer, "reload_error").n && !shk_json_str(answer, "broken").n &&
	       !shk_json_int(answer, "lost_alerts", 0);
	if (shk_cli_flag(c, "json")) {
		shk_cli_json(answer);
	} else {
		print_head(c, answer);
		list = shk_json_array(answer, "policies");
		if (list)
			r = print_policies(c, list);
		list = shk_json_array(answer, "sinks");
		if (list && !r)
			r = print_sinks(c, list);
	}
	json_object_put(answer);
	return r ? r : well ? SHK_EXIT_OK : SHK_EXIT_FINDING;
}

const struct shk_cli_cmd shk_cmd_status = {
	.name = "status",
	.args = "",
	.summary = "Show how the daemon is doing: policies, outputs, losses",
	.opt = { SHK_OPT_JSON },
	.exits = "  0 all is well                 1 alerts were lost, or policies are broken\n"
		 "  2 wrong usage                 3 shriked cannot be reached\n"
		 "  4 other failure",
	.example = "  shrike status\n  shrike status --json | jq .sinks",
	.run = run,
};
