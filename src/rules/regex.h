/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.h - patterns of the `regex` operator: the POSIX mode of RE2, run by PCRE2.
 *
 * A pattern is translated, so that what means something else to PCRE2 (lazy and possessive repetition,
 * escapes, back references) is refused or spelled out; the whole value must match. Compiled patterns
 * are immutable and may be used by any thread. Matching has hard limits on steps, depth and memory.
 */
#ifndef SHK_RULES_REGEX_H
#define SHK_RULES_REGEX_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

struct shk_regex;

/* Appends the PCRE2 pattern for `pattern`. -EINVAL: RE2 in POSIX mode would refuse it. */
int shk_regex_translate(struct shk_str pattern, struct shk_buf *out, struct shk_err *err);
/* Translates and compiles, to see whether that works. */
int shk_regex_check(struct shk_str pattern, struct shk_err *err);
int shk_regex_new(struct shk_str pattern, struct shk_regex **ret, struct shk_err *err);
void shk_regex_free(struct shk_regex *re);
SHK_DEFINE_CLEANUP(struct shk_regex, shk_regex_free)
/* Does the whole of s match? Scratch memory comes from `scratch`. *limit is set when a limit was
 * exceeded (the answer is false then). */
bool shk_regex_match(const struct shk_regex *re, struct shk_str s, struct shk_arena *scratch,
		     bool *limit);

#endif
