/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_files.h - rule files named on the command line (private to src/shrike).
 *
 * Single thread; a struct shk_cli_paths owns its texts.
 */
#ifndef SHK_SHRIKE_RULE_FILES_H
#define SHK_SHRIKE_RULE_FILES_H

#include "rules/rules.h"
#include "shrike/cli.h"

struct json_object;

struct shk_cli_paths {
	char **v;
	size_t n, room;
};

/* Adds a file as it is given, a directory as its *.yaml and *.yml in order. -ENOMEM; a directory that
 * cannot be read: -errno and err. */
int shk_cli_paths_add(struct shk_cli_paths *p, const char *path, struct shk_err *err);
void shk_cli_paths_done(struct shk_cli_paths *p);

/* Falco's validation result of one file (FALCO_RULE_LANGUAGE section 22): {name, successful, errors,
 * warnings, ...} of the n diagnostics; schema NULL: nothing is known of it. NULL: out of memory. */
struct json_object *shk_cli_load_result(const char *name, const struct shk_schema *schema,
					const struct shk_diag *d, size_t n);

#endif
