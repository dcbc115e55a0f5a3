// SPDX-License-Identifier: Apache-2.0
/* shrike test - do rules raise the alerts that their author expects? */
#include <errno.h>

#include "base/io.h"
#include "engine/ruletest.h"
#include "shrike/load.h"
#include "shrike/commands.h"

struct tally {
	const struct shk_cli *c;
	unsigned n, failed;
	struct shk_buf clean;
};

static void on_case(struct shk_str name, bool holds, struct shk_str why, void *arg)
{
	struct tally *t = arg;

	t->n++;
	shk_buf_reset(&t->clean);
	shk_cli_clean(&t->clean, name);
	printf("%s%s%s %u - " SHK_STR_FMT "\n", shk_cli_on(t->c, holds ? SHK_C_GREEN : SHK_C_RED),
	       holds ? "ok" : "not ok", shk_cli_off(t->c), t->n, SHK_STR_ARG(shk_buf_view(&t->clean)));
	if (holds)
		return;
	t->failed++;
	while (why.n) {
		const char *nl = memchr(why.p, '\n', why.n);
		size_t len = nl ? (size_t)(nl - why.p) : why.n;

		shk_buf_reset(&t->clean);
		shk_cli_clean(&t->clean, (struct shk_str){ why.p, len });
		printf("  # " SHK_STR_FMT "\n", SHK_STR_ARG(shk_buf_view(&t->clean)));
		len += nl ? 1 : 0;
		why.p += len;
		why.n -= len;
	}
}

static int run(struct shk_cli *c)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *config = NULL;
	struct tally t = { .c = c };
	struct shk_ruletest rt = { .on_case = on_case, .arg = &t };
	int code = shk_cli_config(c, &config, NULL); /* rules may name its static fields */

	if (code)
		return code;
	shk_buf_init(&t.clean, 1u << 20);
	puts("TAP version 13");
	for (int i = 0; i < c->argc; i++) {
		_cleanup_buf_ struct shk_buf text = { 0 };
		struct shk_err err = { 0 };
		int r, failed = SHK_EXIT_OK;

		shk_buf_init(&text, SHK_RULETEST_FILE_MAX);
		r = shk_read_file(c->argv[i], &text, &err);
		if (r < 0)
			failed = shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		else if ((r = shk_ruletest_run(&rt, c->argv[i], (struct shk_str){ text.n ? text.p : "", text.n },
					       &err)) < 0)
			failed = shk_cli_fail(r == -EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s", err.text);
		code = SHK_MAX(code, failed);
	}
	printf("1..%u\n", t.n);
	shk_buf_done(&t.clean);
	return t.failed ? SHK_MAX(code, SHK_EXIT_FINDING) : code;
}

const struct shk_cli_cmd shk_cmd_test = {
	.name = "test",
	.args = "FILES...",
	.summary = "Run tests of rules: events, and the alerts they should raise",
	.detail = "\nEach file is a YAML map with the keys rules (paths of rule files, from the file's directory),\n"
		  "rules_text, rule_matching and tests, a list of\n"
		  "    name, events (lines of docs/EVENTS.md) or events_file,\n"
		  "    expect: `none`, or a list of rule names or of maps { rule, count, output, output_contains },\n"
		  "    others: true where alerts of other rules do not matter,\n"
		  "and rules, rules_text, rule_matching in place of the file's. The output is TAP.",
	.opt = { SHK_OPT_CONFIG },
	.max_args = -1,
	.min_args = 1,
	.exits = "  0 all tests hold                   1 one does not, or an error in a file\n"
		 "  2 wrong usage                      4 a file cannot be read, or other failure",
	.example = "  shrike test tests/*.yaml",
	.run = run,
};
