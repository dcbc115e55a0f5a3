/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naive.h - a second opinion on conditions: parsed, typed and decided by a plain walk of the tree.
 *
 * Written from the description of the language alone. It shares the field registry with the product (what an
 * event's value is, is not its question) and nothing of src/rules, so that a mistake has to be made twice to stay
 * unseen. Slow and simple on purpose: recursion, a linear search through every list, a constant looked at when it
 * is needed. Trees live in the arena given and die with it; nv_done releases the regular expressions. One thread.
 */
#ifndef SHK_TESTS_NAIVE_H
#define SHK_TESTS_NAIVE_H

#include <regex.h>

#include "fields/fields.h"

#define NV_DEPTH 200 /* parentheses, negations and calls within each other */

enum nv_op {
	NV_EXISTS, NV_LE, NV_LT, NV_GE, NV_GT, NV_EQ, NV_NE, NV_GLOB, NV_IGLOB, NV_CONTAINS,
	NV_ICONTAINS, NV_BCONTAINS, NV_STARTSWITH, NV_BSTARTSWITH, NV_ENDSWITH, NV_REGEX,
	NV_INTERSECTS, NV_IN, NV_PMATCH, NV_OP_N
};
extern const char *const nv_op_word[NV_OP_N];

enum nv_mod { NV_PLAIN, NV_ONEOF, NV_ANYOF, NV_ALLOF };

enum nv_fn { NV_VAL, NV_TOLOWER, NV_TOUPPER, NV_B64, NV_BASENAME, NV_LEN, NV_JOIN, NV_CONCAT,
	     NV_GETOPT, NV_FN_N };
extern const char *const nv_fn_word[NV_FN_N];

enum nv_term_kind { NV_NONE, NV_FIELD, NV_TEXT, NV_NUMBER, NV_LIST, NV_CALL };

struct nv_term { /* a side of a comparison, or what a call is given */
	enum nv_term_kind kind;
	size_t pos;
	struct shk_str text; /* FIELD: as written; TEXT: the value; NUMBER: its digits */
	struct shk_field_ref ref;
	enum nv_fn fn;
	struct nv_term *item;
	size_t n;
	bool has_letter;
	struct shk_str letter; /* getopt(...)[letter] */
	enum shk_type type;
};

struct nv_const {
	struct shk_str s;
	uint64_t u;
	struct shk_ip ip;
	unsigned bits;
	regex_t *re;
};

enum nv_kind { NV_AND, NV_OR, NV_NOT, NV_CHECK, NV_NAME };

struct nv_node {
	enum nv_kind kind;
	size_t pos, end; /* in the text */
	struct nv_node **child;
	size_t n;
	enum nv_op op;
	enum nv_mod mod;
	struct nv_term left, right;
	struct nv_const *c; /* the constants of the right side */
	size_t n_c;
};

/* naive_parse.c: 0, -EINVAL, or -E2BIG when it nests deeper than NV_DEPTH. err says what is wrong. */
int nv_parse(struct shk_arena *a, struct shk_str text, struct nv_node **ret, struct shk_err *err);
/* naive_type.c: fields, and constants by their types. -EINVAL. nv_done may be called in any case. */
int nv_type(struct shk_arena *a, struct nv_node *e, struct shk_err *err);
void nv_done(struct nv_node *e);
/* naive_type.c: regcomp and regexec in a locale where a character is what UTF-8 says it is: a pattern counts
 * characters, and nothing else of the language does. */
bool nv_regex_new(regex_t *re, const char *pattern);
bool nv_regex_match(const regex_t *re, const char *text);
/* naive_eval.c */
bool nv_holds(const struct nv_node *e, struct shk_eval_ctx *ctx);
/* Called with the answer of each comparison that was asked; NULL: nobody. */
extern void (*nv_watch)(const struct nv_node *check, bool holds);
/* naive_call.c: what a side stands for on this event; false: missing. */
bool nv_value(const struct nv_term *t, struct shk_eval_ctx *ctx, struct shk_value *out);

bool nv_is_text(enum shk_type t);
/* A field that stands for several candidates here. */
bool nv_is_multi(const struct nv_term *t);

#endif
