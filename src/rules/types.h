/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - constants of a comparison, converted once at load to the type of its left side.
 *
 * Private to src/rules. Everything lives in the arena given; nothing changes afterwards.
 */
#ifndef SHK_RULES_TYPES_H
#define SHK_RULES_TYPES_H

#include "rules/ast.h"

struct shk_const {
	struct shk_value v; /* IPNET: the address, already masked */
	uint8_t prefix;	    /* IPNET */
	bool changed;	    /* the number did not fit the field's width and was cut to it */
	unsigned pos;	    /* where it stands in the condition */
};

struct shk_consts {
	enum shk_type type; /* numbers: of the left side; all words are STRING */
	size_t n;
	const struct shk_const *c;
};

/* Strings, paths: compared bytewise. */
static inline bool shk_type_is_text(enum shk_type t)
{
	return t == SHK_T_STRING || t == SHK_T_PATH;
}

/* Compared as 64-bit numbers; only SHK_T_INT64 is signed. */
static inline bool shk_type_is_number(enum shk_type t)
{
	return t == SHK_T_INT64 || t == SHK_T_UINT64 || t == SHK_T_RELTIME || t == SHK_T_ABSTIME ||
	       t == SHK_T_PORT || t == SHK_T_DOUBLE;
}

/* evt.type or syscall.type: what it is compared with are events, not mere words. */
bool shk_field_is_evt_type(const struct shk_field *f);

/* Converts one written constant for `left op ...`. -EINVAL with the reason; -ENOENT: no such event type. */
int shk_const_parse(struct shk_arena *a, const struct shk_operand *left, enum shk_op op,
		    const struct shk_operand *word, struct shk_const *ret, struct shk_err *err);
/* The calls a list of evt.type words stands for; other: a word that is no call is among them. */
void shk_evt_words_calls(const struct shk_consts *k, struct shk_call_set *out);

#endif
