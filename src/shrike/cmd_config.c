// SPDX-License-Identifier: Apache-2.0
/* shrike config - the configuration in force. */
#include <errno.h>

#include "engine/config.h"
#include "shrike/commands.h"

static int run(struct shk_cli *c)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *config = NULL;
	_cleanup_buf_ struct shk_buf out = { 0 };
	struct shk_err err = { 0 };

	if (shk_cli_flag(c, "doc")) {
		shk_buf_init(&out, 1u << 20);
		shk_config_doc(&out);
		fputs(out.p && !out.failed ? out.p : "", stdout);
		return out.failed ? shk_cli_fail(SHK_EXIT_FAILED, "out of memory") : SHK_EXIT_OK;
	}
	if (shk_config_load(c->argc ? c->argv[0] : NULL, &config, &err) < 0)
		return shk_cli_fail(err.errnum == EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s",
				    err.text);
	if (!shk_cli_flag(c, "dump")) {
		puts("no errors; --dump prints every key");
		return SHK_EXIT_OK;
	}
	shk_buf_init(&out, 1u << 20);
	shk_config_dump(config, &out);
	if (out.failed)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	fputs(out.p, stdout);
	return SHK_EXIT_OK;
}

const struct shk_cli_cmd shk_cmd_config = {
	.name = "config",
	.args = "[FILE]",
	.summary = "Check the daemon's configuration, or print it with every default",
	.detail = "\nFILE is " SHK_CONFIG_FILE " when not given. What is printed can be used as\n"
		  "a file: it says every key, its value and what it is for. See shrike.yaml(5).",
	.opt = { { "dump", 0, NULL, "print every key with the value in force" },
		 { "doc", 0, NULL, "print what the manual says of outputs, in mdoc(7)" } },
	.max_args = 1,
	.exits = "  0 valid                       1 the file has an error\n"
		 "  2 wrong usage                 4 the file cannot be read, or other failure",
	.example = "  shrike config --dump > " SHK_CONFIG_FILE,
	.run = run,
};
