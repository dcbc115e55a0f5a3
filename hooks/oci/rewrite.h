/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.h - puts a seccomp section into a bundle's config.json.
 */
#ifndef SHK_HOOKS_REWRITE_H
#define SHK_HOOKS_REWRITE_H

#include "control/control.h"

/* Replaces linux.seccomp of the file at path, of which config is the content (changed too). The file is
 * replaced in one step and keeps owner and mode; nothing is written when the section is there
 * already. seccomp is borrowed. */
int shk_oci_rewrite_seccomp(const char *path, struct json_object *config,
			    struct json_object *seccomp, struct shk_err *err);

#endif
