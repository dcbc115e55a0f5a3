/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error.h - the error object.
 *
 * Every function that can fail for a reason a person must read takes `struct shk_err *err` last and
 * returns 0 (or a non-negative result) or -errno. On success the object is untouched; on failure
 * it holds one line of text: what was tried, what went wrong, what to do. err may be NULL.
 * The object owns no memory: it lives on the caller's stack and is safe on out-of-memory.
 * Library code never logs; programs print err->text.
 */
#ifndef SHK_BASE_ERROR_H
#define SHK_BASE_ERROR_H

#include "base/cleanup.h"

#define SHK_ERR_TEXT_MAX 1024

struct shk_err {
	int errnum; /* positive errno value, 0: no error recorded */
	char text[SHK_ERR_TEXT_MAX];
};

/* Records the failure as the formatted text alone. Returns -errnum. */
int shk_err_set(struct shk_err *err, int errnum, const char *fmt, ...) SHK_PRINTF(3, 4);

/* As shk_err_set, and appends ": " and strerror(errnum). */
int shk_err_sys(struct shk_err *err, int errnum, const char *fmt, ...) SHK_PRINTF(3, 4);

/* Puts "context: " in front of the text already recorded. Returns -err->errnum. */
int shk_err_prefix(struct shk_err *err, const char *fmt, ...) SHK_PRINTF(2, 3);

/* Upper-case name of an errno value ("EPERM"), or NULL when unknown. */
const char *shk_errno_name(int errnum);

/* errno value of a name ("EPERM"), or -1. */
int shk_errno_value(const char *name);

#endif
