/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlex.h - words, numbers and quoted bytes of the text form. For src/event only.
 */
#ifndef SHK_EVENT_TLEX_H
#define SHK_EVENT_TLEX_H

#include "base/error.h"
#include "event/event.h"

struct shk_tlex {
	const char *begin, *p, *end;
	struct shk_arena *arena;
	struct shk_err *err;
};

/* -EBADMSG with "column N: text" of where the lexer stands. */
int shk_tlex_fail(struct shk_tlex *l, const char *fmt, ...) SHK_PRINTF(2, 3);
void shk_tlex_space(struct shk_tlex *l);
bool shk_tlex_eat(struct shk_tlex *l, const char *text);
/* Letters, digits and _ | - + . ; empty when none stands there. */
struct shk_str shk_tlex_word(struct shk_tlex *l);
/* "..." with \" \\ \n \t \xHH. */
int shk_tlex_quoted(struct shk_tlex *l, struct shk_str *ret);
/* ["a", "b"] and ["a"...]. */
int shk_tlex_list(struct shk_tlex *l, struct shk_strvec *ret);
/* Quoted, or everything up to a blank. */
int shk_tlex_value(struct shk_tlex *l, struct shk_str *ret);
/* Decimal, negative decimal (two's complement), 0x hexadecimal; octal: a leading 0 says so. */
bool shk_tlex_number(struct shk_str s, bool octal, uint64_t *ret);

void shk_quote(struct shk_str s, struct shk_buf *out);

#endif
