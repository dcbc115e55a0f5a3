/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h - which real runtime shrike-runtime stands for.
 */
#ifndef SHK_HOOKS_FIND_H
#define SHK_HOOKS_FIND_H

#include "base/error.h"

/* option (may be NULL), else $SHRIKE_RUNTIME, else the line in file, else the first of runc and crun in PATH. Never
 * this program itself. malloc'ed. -ENOENT, -ELOOP, -EACCES, ... */
int shk_find_runtime(const char *option, const char *file, char **ret, struct shk_err *err);

#endif
