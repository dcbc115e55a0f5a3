// SPDX-License-Identifier: Apache-2.0
/* shrike reload - policies and rules are read again. */
#include <inttypes.h>
#include <json-c/json.h>

#include "control/control.h"
#include "shrike/commands.h"

/* Compiling large rule files takes a while on a small machine. */
#define RELOAD_MS 60000

static int run(struct shk_cli *c)
{
	struct json_object *answer = NULL, *list;
	int r = shk_cli_ask(c, shk_cli_request("reload"), SHK_EXIT_FINDING, NULL, NULL, RELOAD_MS,
			    &answer);

	if (r)
		return r;
	if (shk_cli_flag(c, "json")) {
		shk_cli_json(answer);
		goto out;
	}
	list = shk_json_array(answer, "warnings");
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		_cleanup_buf_ struct shk_buf b = { 0 };

		shk_buf_init(&b, 16384);
		shk_cli_clean(&b, shk_str(json_object_get_string(o)));
		printf("%swarning:%s %s\n", shk_cli_on(c, SHK_C_YELLOW), shk_cli_off(c),
		       b.n ? b.p : "");
	}
	printf("reloaded: %" PRId64 " policies, %" PRId64 " rules\n",
	       shk_json_int(answer, "policies", 0), shk_json_int(answer, "rules", 0));
out:
	json_object_put(answer);
	return SHK_EXIT_OK;
}

const struct shk_cli_cmd shk_cmd_reload = {
	.name = "reload",
	.args = "",
	.summary = "Make the daemon read its policies and rules again",
	.detail = "\nA broken file changes nothing: the set in force stays, and the reason is printed.\n"
		  "shrike check finds it before.",
	.opt = { SHK_OPT_JSON },
	.exits = "  0 the new set is in force     1 refused, the old set stays\n"
		 "  2 wrong usage                 3 shriked cannot be reached\n"
		 "  4 other failure",
	.example = "  shrike check /etc/shrike/policies.d/*.yaml && shrike reload",
	.run = run,
};
