// SPDX-License-Identifier: Apache-2.0
/* shrike ps - the supervised containers. */
#include <inttypes.h>
#include <json-c/json.h>

#include "base/io.h"
#include "control/control.h"
#include "shrike/commands.h"

#define ID_SHOWN 12

struct listing {
	struct shk_cli *c;
	bool json;
	struct shk_cli_table t;
	struct shk_buf notes; /* printed under the table */
};

static void number(struct shk_cli_table *t, struct json_object *o, const char *key)
{
	shk_cli_cellf(t, "%" PRId64, shk_json_int(o, key, 0));
}

/* container.id of alerts; --json has the whole. */
static struct shk_str short_id(struct json_object *o)
{
	struct shk_str id = shk_json_str(o, "id");

	id.n = SHK_MIN(id.n, ID_SHOWN);
	return id;
}

static bool narrow(struct listing *l, struct json_object *o)
{
	struct json_object *names = shk_json_array(o, "unwatched");
	size_t n = names ? json_object_array_length(names) : 0;

	if (!n)
		return false;
	shk_cli_clean(&l->notes, short_id(o));
	shk_buf_adds(&l->notes, ": not watched until its next start: ");
	for (size_t i = 0; i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(names, i));

		shk_buf_adds(&l->notes, i ? ", " : "");
		shk_cli_clean(&l->notes, shk_str(s ? s : ""));
	}
	shk_buf_addc(&l->notes, '\n');
	return true;
}

static bool is_true(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) && json_object_get_boolean(v);
}

static bool partial(struct listing *l, struct json_object *o)
{
	struct json_object *tasks = shk_json_array(o, "unattached");
	size_t n = tasks ? json_object_array_length(tasks) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *t = json_object_array_get_idx(tasks, i);

		shk_cli_clean(&l->notes, short_id(o));
		shk_buf_printf(&l->notes, ": not supervised: task %" PRId64 " (", shk_json_int(t, "tid", 0));
		shk_cli_clean(&l->notes, shk_json_str(t, "name"));
		shk_buf_adds(&l->notes, "): ");
		shk_cli_clean(&l->notes, shk_json_str(t, "why"));
		shk_buf_addc(&l->notes, '\n');
	}
	return n;
}

static const char *state_of(struct listing *l, struct json_object *o)
{
	bool is_narrow = narrow(l, o), is_partial = partial(l, o);

	return is_true(o, "frozen")   ? "frozen" :
	       is_true(o, "released") ? "released" :
	       !is_true(o, "armed")   ? "waiting" :
	       is_partial	      ? "partial" :
	       is_narrow	      ? "narrow" : "armed";
}

static void row(struct listing *l, struct json_object *o)
{
	uint64_t now = shk_now_real(), since = (uint64_t)shk_json_int(o, "started", 0);
	_cleanup_buf_ struct shk_buf age = { 0 };

	shk_buf_init(&age, 32);
	if (since && since <= now)
		shk_cli_duration(&age, now - since);
	shk_cli_cell(&l->t, short_id(o));
	shk_cli_cell(&l->t, shk_json_str(o, "name"));
	shk_cli_cell(&l->t, shk_json_str(o, "image"));
	shk_cli_cell(&l->t, shk_json_str(o, "policy"));
	shk_cli_cell(&l->t, shk_json_str(o, "mode"));
	shk_cli_cell(&l->t, shk_json_str(o, "way"));
	shk_cli_cell(&l->t, shk_str(state_of(l, o)));
	shk_cli_cell(&l->t, shk_buf_view(&age));
	number(&l->t, o, "events");
	number(&l->t, o, "alerts");
	number(&l->t, o, "denied");
	number(&l->t, o, "killed");
	shk_cli_cell(&l->t, shk_json_str(o, "sources"));
	number(&l->t, o, "lost");
}

static int on_more(struct json_object *more, void *arg)
{
	struct listing *l = arg;
	struct json_object *o = shk_json_object(more, "container");

	if (!o)
		return 0;
	if (l->json)
		shk_cli_json(o);
	else
		row(l, o);
	return 0;
}

static int run(struct shk_cli *c)
{
	struct listing l = {
		.c = c,
		.json = shk_cli_flag(c, "json"),
		.t = { .head = { "ID", "NAME", "IMAGE", "POLICY", "MODE", "WAY", "STATE", "AGE",
				 "CALLS", "ALERTS", "DENIED", "KILLED", "SOURCES", "LOST" },
		       .right = { [7] = true, [8] = true, [9] = true, [10] = true, [11] = true, [13] = true } },
	};
	struct json_object *answer = NULL;
	int r;

	shk_buf_init(&l.notes, 1u << 20);
	r = shk_cli_ask(c, shk_cli_request("ps"), SHK_EXIT_FAILED, on_more, &l, SHK_CLI_ASK_MS,
			&answer);
	json_object_put(answer);
	if (!l.json && r == SHK_EXIT_OK)
		r = shk_cli_table_print(c, &l.t);
	if (l.notes.n)
		printf("\n%s", l.notes.p);
	shk_buf_done(&l.notes);
	return r;
}

const struct shk_cli_cmd shk_cmd_ps = {
	.name = "ps",
	.args = "",
	.summary = "List the supervised containers",
	.detail = "\nSTATE is \"armed\" once the container's own program has started: from then on its\n"
		  "calls are judged; \"narrow\" says that its filter lacks calls which the policy of a later\n"
		  "reload needs (listed below the table; see reserve in shrike-policy(5)); \"partial\" that shrike\n"
		  "attach did not reach some of its tasks; \"released\" is it after shrike detach, \"frozen\" by\n"
		  "a verdict, shrike freeze or its engine.\n"
		  "CALLS counts the calls seen, DENIED and KILLED the verdicts.\n"
		  "SOURCES is notify, and module where the kernel module adds what the filter does not see (see\n"
		  "shrike explain); LOST counts its records that found no room.\n"
		  "WAY is how it came under supervision: hook, wrapper, profile, run or attach.",
	.opt = { SHK_OPT_JSON },
	.exits = "  0 listed (also when there are none)   2 wrong usage\n"
		 "  3 shriked cannot be reached           4 other failure",
	.example = "  shrike ps\n  shrike ps --json | jq -r 'select(.denied > 0).name'",
	.run = run,
};
