/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast.h - a condition as written, and a rule ready to be compiled (private to src/rules).
 *
 * The parser (parse.c) makes a tree from text; the loader replaces macro references by the macros'
 * trees (resolve.c); shk_ast_type (types.c) gives every comparison its typed constants; compile.c
 * turns typed trees into programs and copies all it keeps. Trees live in the loader's arena and are
 * never changed once typed; sub-trees of macros may be shared. Depth is bounded by SHK_AST_DEPTH.
 */
#ifndef SHK_RULES_AST_H
#define SHK_RULES_AST_H

#include "rules/rules.h"

#define SHK_AST_DEPTH	  256	   /* nesting of a condition, macros included */
#define SHK_RULE_TREE_MAX (256u << 20) /* bytes: what compiling one rule takes */
#define SHK_CONDITION_MAX (1u << 20) /* bytes of a condition after lists were pasted in */

enum shk_op {
	SHK_OP_EXISTS, SHK_OP_EQ, SHK_OP_NE, SHK_OP_LT, SHK_OP_LE, SHK_OP_GT, SHK_OP_GE,
	SHK_OP_CONTAINS, SHK_OP_ICONTAINS, SHK_OP_BCONTAINS, SHK_OP_STARTSWITH,
	SHK_OP_BSTARTSWITH, SHK_OP_ENDSWITH, SHK_OP_GLOB, SHK_OP_IGLOB, SHK_OP_REGEX,
	SHK_OP_IN, SHK_OP_INTERSECTS, SHK_OP_PMATCH,
	SHK_OP_TOP, /* no slash behind the second byte: no word of the language (implied.c) */
	SHK_OP_N
};
const char *shk_op_name(enum shk_op op); /* canonical word: "=", "!=", "in", ... */

enum shk_mod { SHK_MOD_NONE, SHK_MOD_ONEOF, SHK_MOD_ANYOF, SHK_MOD_ALLOF };

enum shk_transform { SHK_TR_VAL, SHK_TR_TOLOWER, SHK_TR_TOUPPER, SHK_TR_B64, SHK_TR_BASENAME,
		     SHK_TR_LEN, SHK_TR_JOIN, SHK_TR_CONCAT, SHK_TR_GETOPT, SHK_TR_N };
const char *shk_transform_name(enum shk_transform t);

enum shk_operand_kind { SHK_OPERAND_NONE, SHK_OPERAND_FIELD, SHK_OPERAND_TEXT, SHK_OPERAND_LIST,
			SHK_OPERAND_CALL };

/* A side of a comparison, or an argument of a transformer. The left side is a FIELD or a CALL; the
 * right side is NONE (exists), TEXT, LIST or a CALL. A field on the right is written val(f) and is a
 * CALL of SHK_TR_VAL with that one FIELD; elements of a right-side LIST are TEXTs. */
struct shk_operand {
	enum shk_operand_kind kind;
	unsigned pos, end;	   /* byte range in the condition text */
	/* FIELD: as written, its argument in quotes only if need be; TEXT: the unescaped value */
	struct shk_str text;
	bool quoted;		   /* TEXT: was in quotes */
	struct shk_field_ref ref;  /* FIELD: set by shk_ast_type; key points into text */
	enum shk_transform call;   /* CALL */
	bool has_index;		   /* CALL getopt: [c] */
	struct shk_str index;
	struct shk_operand *item;  /* LIST, CALL: elements, arguments */
	size_t n;
	enum shk_type type;	   /* FIELD, CALL: result, set by shk_ast_type */
	bool is_list;		   /* result is a list of such values */
};

struct shk_consts; /* types.h: typed constants of the right side */

enum shk_ast_kind { SHK_AST_AND, SHK_AST_OR, SHK_AST_NOT, SHK_AST_CHECK, SHK_AST_MACRO };

struct shk_ast {
	enum shk_ast_kind kind;
	unsigned pos, end;	  /* byte range in the text this node was parsed from */
	struct shk_ast **child;	  /* AND, OR: n >= 2; NOT: 1 */
	size_t n;
	struct shk_str macro;	  /* MACRO: name. Does not occur after resolving */
	/* CHECK */
	struct shk_operand left, right;
	enum shk_op op;
	bool twice;		  /* EQ was written "==": for printing only */
	enum shk_mod mod;
	const struct shk_consts *consts; /* set by shk_ast_type; NULL: right side is no constant */
	bool typed;		  /* any kind: shk_ast_type has been here, with success */
	bool shared;		  /* the condition of a macro, which outlives the rules that use it */
};

/* ---- parse.c ---- */
/* Parses a condition (FALCO_RULE_LANGUAGE sections 8, 9). Everything is allocated in a; fields, bare
 * words and macro names are views into text. On failure *ret_pos is the byte offset of the problem
 * and err holds "what is wrong; what to do". -EINVAL, -ENOMEM. */
int shk_ast_parse(struct shk_arena *a, struct shk_str text, struct shk_ast **ret,
		  unsigned *ret_pos, struct shk_err *err);
/* ---- print.c ---- */
/* Canonical text (section 22). Works on typed and untyped, resolved and unresolved trees. */
void shk_ast_print(const struct shk_ast *e, struct shk_buf *out);

/* ---- types.c ---- */
/* Looks up the fields, checks operator against type, converts the constants, in a resolved tree. On
 * failure *ret_pos is the offset of the operand to blame. Idempotent for a shared sub-tree. */
int shk_ast_type(struct shk_arena *a, struct shk_ast *e, unsigned *ret_pos, struct shk_err *err);
/* A list of texts that were transformed one by one equals no constant: with `in` and `intersects` alike, as
 * observed in the language. An empty one is still a subset of anything. */
bool shk_list_never_equal(const struct shk_operand *o);
/* Odd but legal constants (section 10, compile warnings): calls on() for each. */
void shk_ast_warn(const struct shk_ast *e, void (*on)(const char *text, unsigned pos, void *arg),
		  void *arg);

/* ---- evttypes.c ---- */
/* The calls for which the condition can be true (section 16): bit per enum shk_call_id. `any` is set
 * when the condition does not restrict the event type at all. */
struct shk_call_set {
	uint64_t bit[(SHK_CALL_N + 63) / 64];
	bool any;
	bool other; /* also events that are no table call (unknown calls, process events) */
};
void shk_ast_calls(const struct shk_ast *e, struct shk_call_set *out);

/* ---- compile.c ---- */
struct shk_rule_def {
	struct shk_str name, desc, source, output_text;
	enum shk_priority priority;
	const struct shk_str *tags; /* sorted bytewise */
	size_t n_tags;
	struct shk_ast *cond;	    /* resolved and typed */
	const struct shk_extra_field *extra; /* checked as output_text is */
	size_t n_extra;
};
/* Gives the i-th of the rules, with its trees in `a`, which is emptied behind it: only what is `shared` lives as
 * long as the call below. -errno. */
typedef int shk_rule_source(void *arg, size_t i, struct shk_arena *a, struct shk_rule_def *ret);
/* Builds a set; copies everything it keeps. output_text has been checked by shk_output_compile. */
int shk_ruleset_make(shk_rule_source *source, void *arg, size_t n, struct shk_ruleset **ret,
		     struct shk_err *err);
/* The same of rules that are all there. */
int shk_ruleset_build(const struct shk_rule_def *const *rules, size_t n, struct shk_ruleset **ret,
		      struct shk_err *err);

#endif
