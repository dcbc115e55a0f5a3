/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.h - JSON as it leaves Shrike.
 *
 * json-c copies the bytes of a string as they are; here what a container chose (paths, arguments) is
 * made valid first: invalid UTF-8 becomes U+FFFD, control characters are escaped. Keys come out in bytewise
 * order, as Falco prints them. No state.
 */
#ifndef SHK_ALERTS_PRINT_H
#define SHK_ALERTS_PRINT_H

#include "base/str.h"

struct json_object;

/* How much of a value is printed. */
struct shk_print_caps {
	size_t str;   /* bytes of a string; the rest becomes "…" */
	size_t items; /* members of an array */
	bool cut;     /* out: something was left out */
};

/* Length in bytes of the well-formed UTF-8 sequence at p (n > 0 bytes left), 0: not well-formed. */
size_t shk_utf8_len(const char *p, size_t n);
/* The longest prefix of s of at most `max` bytes that does not end inside a character. */
struct shk_str shk_utf8_cut(struct shk_str s, size_t max);

/* Appends s in quotes, at most caps->str bytes of it. */
void shk_print_json_str(struct shk_buf *out, struct shk_str s, struct shk_print_caps *caps);
/* Appends o compactly. Nesting deeper than 8 prints null. Without memory out->failed is set. */
void shk_print_json(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps);
/* Appends s with invalid UTF-8 and control characters replaced by U+FFFD and white space other than
 * the blank by a blank: one line, harmless on a terminal. */
void shk_print_line(struct shk_buf *out, struct shk_str s);

#endif
