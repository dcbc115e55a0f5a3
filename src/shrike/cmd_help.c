// SPDX-License-Identifier: Apache-2.0
/* shrike help, shrike version. */
#include "shrike/commands.h"

static int run_help(struct shk_cli *c)
{
	static const struct shk_cli_cmd *const all[] = {
#define X(name) &shk_cmd_##name,
		SHK_CLI_COMMANDS(X)
#undef X
	};

	if (c->argc) {
		const struct shk_cli_cmd *cmd = shk_cli_command(shk_str(c->argv[0]));

		if (!cmd)
			return shk_cli_no_command(c->argv[0]);
		shk_cli_help(cmd, stdout);
		return SHK_EXIT_OK;
	}
	puts("Usage: shrike COMMAND [OPTIONS] ...\n\n"
	     "Shrike supervises containers: it watches their system calls, raises alerts and refuses\n"
	     "what a policy forbids.\n\nCommands:");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(all); i++)
		printf("  %s%-10s%s %s\n", shk_cli_on(c, SHK_C_BOLD), all[i]->name, shk_cli_off(c),
		       all[i]->summary);
	puts("\nshrike COMMAND --help says more; so does shrike(1).");
	return SHK_EXIT_OK;
}

static int run_version(struct shk_cli *c)
{
	(void)c;
	puts("shrike " PACKAGE_VERSION);
	return SHK_EXIT_OK;
}

const struct shk_cli_cmd shk_cmd_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "Show the commands, or how to use one",
	.max_args = 1,
	.exits = "  0 shown                       2 no such command",
	.example = "  shrike help explain",
	.run = run_help,
};

const struct shk_cli_cmd shk_cmd_version = {
	.name = "version",
	.args = "",
	.summary = "Show the version of this program",
	.detail = "\nThe version of the running daemon is in shrike status.",
	.exits = "  0 shown",
	.example = "  shrike version",
	.run = run_version,
};
