/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex.h - the tokens of a condition (FALCO_RULE_LANGUAGE section 8; private to src/rules).
 *
 * What a token is depends on where the parser stands ("a.b" is a field on the left and a word on
 * the right), so there is no token stream: each function tries one pattern at the cursor, takes the longest
 * match and moves on, or leaves the cursor where it is. Views point into the text.
 */
#ifndef SHK_RULES_LEX_H
#define SHK_RULES_LEX_H

#include "base/arena.h"
#include "base/str.h"

struct shk_lex {
	struct shk_str s;
	size_t pos;
};

/* Skips blanks; were there any? */
bool shk_lex_blanks(struct shk_lex *l);
/* Does a blank follow? */
bool shk_lex_at_blank(const struct shk_lex *l);
/* Exactly these characters, whatever follows. */
bool shk_lex_lit(struct shk_lex *l, const char *lit);
bool shk_lex_ident(struct shk_lex *l, struct shk_str *ret);
/* At least one dot; without argument. */
bool shk_lex_field(struct shk_lex *l, struct shk_str *ret);
/* Text of an argument without quotes, up to the bracket. */
bool shk_lex_bare_arg(struct shk_lex *l, struct shk_str *ret);
/* Decimal, float or hex number, as text. */
bool shk_lex_number(struct shk_lex *l, struct shk_str *ret);
bool shk_lex_bare(struct shk_lex *l, struct shk_str *ret);

enum shk_lex_quoted { SHK_LEX_NO, SHK_LEX_YES, SHK_LEX_OPEN, SHK_LEX_ESCAPE, SHK_LEX_NOMEM };
/* A quoted string, unescaped into a (a view when there is nothing to unescape). OPEN: the closing
 * quote is missing; ESCAPE: the cursor stands on an unknown escape. */
enum shk_lex_quoted shk_lex_quoted(struct shk_lex *l, struct shk_arena *a, struct shk_str *ret);

#endif
