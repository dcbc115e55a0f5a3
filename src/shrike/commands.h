/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - every sub-command, in the order of `shrike help`.
 */
#ifndef SHK_SHRIKE_COMMANDS_H
#define SHK_SHRIKE_COMMANDS_H

#include "shrike/cli.h"

#define SHK_CLI_COMMANDS(X)                                                                        \
	X(ps)                                                                                      \
	X(events)                                                                                  \
	X(top)                                                                                     \
	X(status)                                                                                  \
	X(reload)                                                                                  \
	X(attach)                                                                                  \
	X(detach)                                                                                  \
	X(freeze)                                                                                  \
	X(thaw)                                                                                    \
	X(kill)                                                                                    \
	X(check)                                                                                   \
	X(replay)                                                                                  \
	X(test)                                                                                    \
	X(rules)                                                                                   \
	X(explain)                                                                                 \
	X(profile)                                                                                 \
	X(config)                                                                                  \
	X(run)                                                                                     \
	X(list)                                                                                    \
	X(doctor)                                                                                  \
	X(version)                                                                                 \
	X(help)

#define X(name) extern const struct shk_cli_cmd shk_cmd_##name;
SHK_CLI_COMMANDS(X)
#undef X

/* NULL when there is no such command. */
const struct shk_cli_cmd *shk_cli_command(struct shk_str name);
/* Says that there is no such command, and the nearest name. Returns SHK_EXIT_USAGE. */
int shk_cli_no_command(const char *name);

#endif
