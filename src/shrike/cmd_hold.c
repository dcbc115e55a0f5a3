// SPDX-License-Identifier: Apache-2.0
/* shrike detach, freeze, thaw, kill - what is done with a supervised container. */
#include <json-c/json.h>

#include "control/control.h"
#include "shrike/commands.h"

static int ask(struct shk_cli *c, const char *op, const char *done)
{
	struct json_object *request = shk_cli_request(op), *answer = NULL;
	int r;

	if (request)
		json_object_object_add(request, "container", json_object_new_string(c->argv[0]));
	r = shk_cli_ask(c, request, SHK_EXIT_FINDING, NULL, NULL, SHK_CLI_ASK_MS, &answer);
	if (r)
		return r;
	if (shk_cli_flag(c, "json")) {
		shk_cli_json(answer);
	} else {
		_cleanup_buf_ struct shk_buf b;

		shk_buf_init(&b, 8192);
		shk_cli_clean(&b, shk_json_str(answer, "id"));
		printf("%s: %s\n", done, b.n ? b.p : "");
	}
	json_object_put(answer);
	return SHK_EXIT_OK;
}

static int run_detach(struct shk_cli *c)
{
	return ask(c, "detach", "released");
}

static int run_freeze(struct shk_cli *c)
{
	return ask(c, "freeze", "frozen");
}

static int run_thaw(struct shk_cli *c)
{
	return ask(c, "thaw", "thawed");
}

static int run_kill(struct shk_cli *c)
{
	return ask(c, "kill", "killed");
}

#define EXITS                                                                                      \
	"  0 done                       1 refused, or there is no such container\n"                \
	"  2 wrong usage                3 shriked cannot be reached\n"                             \
	"  4 other failure"

const struct shk_cli_cmd shk_cmd_detach = {
	.name = "detach",
	.args = "CONTAINER",
	.summary = "Judge the calls of a container no longer",
	.detail = "\nCONTAINER is an id of shrike ps, the beginning of one, or a name.\n"
		  "A filter cannot be taken away: watched calls still stop for a moment, and go on. What the\n"
		  "filter itself refuses (io_uring) stays refused, and no_new_privs stays set. shrike attach ends it.",
	.opt = { SHK_OPT_JSON },
	.min_args = 1,
	.max_args = 1,
	.exits = EXITS,
	.example = "  shrike detach web1",
	.run = run_detach,
};

const struct shk_cli_cmd shk_cmd_freeze = {
	.name = "freeze",
	.args = "CONTAINER",
	.summary = "Stop every process of a container",
	.detail = "\nAs the verdict freeze does, through the container's cgroup. CONTAINER as for shrike detach.",
	.opt = { SHK_OPT_JSON },
	.min_args = 1,
	.max_args = 1,
	.exits = EXITS,
	.example = "  shrike freeze web1",
	.run = run_freeze,
};

const struct shk_cli_cmd shk_cmd_thaw = {
	.name = "thaw",
	.args = "CONTAINER",
	.summary = "Let a frozen container go on",
	.detail = "\nWhether a verdict froze it, shrike freeze or its engine. CONTAINER as for shrike detach.",
	.opt = { SHK_OPT_JSON },
	.min_args = 1,
	.max_args = 1,
	.exits = EXITS,
	.example = "  shrike thaw web1",
	.run = run_thaw,
};

const struct shk_cli_cmd shk_cmd_kill = {
	.name = "kill",
	.args = "CONTAINER",
	.summary = "Kill every process of a container",
	.detail = "\nAs the verdict kill does, frozen or not. CONTAINER as for shrike detach.",
	.opt = { SHK_OPT_JSON },
	.min_args = 1,
	.max_args = 1,
	.exits = EXITS,
	.example = "  shrike kill web1",
	.run = run_kill,
};
