// SPDX-License-Identifier: Apache-2.0
/*
 * Cheaper comparisons that hold whenever another one does: with them in front it is rarely looked at.
 *
 * How a text begins and ends is answered for all rules at once; so a glob is asked for its beginning first, and a
 * field that is a part of another one (the directory, of a path) is not even extracted while the whole does not fit.
 */
#include "rules/program.h"

#include <errno.h>

#define PREFIX_MIN 2
/* Shorter ones are in many command lines. */
#define BEHIND_BLANK_MIN 3

static size_t letters(struct shk_str glob)
{
	size_t n = 0;

	while (n < glob.n && !strchr("*?[\\", glob.p[n]))
		n++;
	return n;
}

/* A comparison of `left` with one constant. */
static void make(const struct shk_operand *left, enum shk_op op, struct shk_str text, struct shk_implied *ret)
{
	ret->c = (struct shk_const){ .v = { .type = SHK_T_STRING, .s = text } };
	ret->consts = (struct shk_consts){ .type = SHK_T_STRING, .n = 1, .c = &ret->c };
	ret->e = (struct shk_ast){ .kind = SHK_AST_CHECK, .left = *left, .op = op, .consts = &ret->consts,
				   .right = { .kind = SHK_OPERAND_TEXT, .text = text }, .typed = true };
}

static ssize_t of_glob(const struct shk_ast *e, struct shk_implied *ret)
{
	struct shk_str s = e->consts->c[0].v.s;

	s.n = letters(s);
	if (e->consts->n != 1 || s.n < PREFIX_MIN)
		return 0;
	make(&e->left, SHK_OP_STARTSWITH, s, ret);
	return 1;
}

/* Does the operator say how the part begins, or ends, as it is needed for the whole? */
static bool says_enough(enum shk_op op, enum shk_part part)
{
	return op == SHK_OP_EQ || op == SHK_OP_IN || op == (part == SHK_PART_END ? SHK_OP_ENDSWITH : SHK_OP_STARTSWITH);
}

/* What holds for the whole whenever the part does. Every path begins with the root: to say so of one tells nothing. */
static enum shk_op op_of_whole(enum shk_op op, enum shk_part part, struct shk_str text)
{
	if (part == SHK_PART_END_BEHIND_BLANK)
		return SHK_OP_CONTAINS; /* it is looked through for others, too */
	if (part == SHK_PART_END)
		return SHK_OP_ENDSWITH;
	return op != SHK_OP_STARTSWITH && shk_str_eq(text, SHK_STR("/")) ? SHK_OP_TOP : SHK_OP_STARTSWITH;
}

static ssize_t of_part(const struct shk_ast *e, struct shk_arena *a, struct shk_implied *ret)
{
	const struct shk_field *field = e->left.ref.field;
	struct shk_operand whole = { .kind = SHK_OPERAND_FIELD };

	if (!field->whole || e->left.ref.has_arg || !says_enough(e->op, field->part) || e->consts->n > SHK_IMPLIED_MAX ||
	    shk_field_parse(shk_str(field->whole), &whole.ref, NULL) < 0)
		return 0;
	whole.text = shk_str(field->whole);
	whole.type = whole.ref.type;
	for (size_t i = 0; i < e->consts->n; i++) {
		struct shk_str s = e->consts->c[i].v.s;

		if (field->part == SHK_PART_END_BEHIND_BLANK) {
			if (s.n < BEHIND_BLANK_MIN)
				return 0;
			s = shk_arena_join(a, SHK_STR(""), ' ', s);
			if (!s.p)
				return -ENOMEM;
		}
		make(&whole, op_of_whole(e->op, field->part, s), s, &ret[i]);
	}
	return (ssize_t)e->consts->n;
}

ssize_t shk_implied(const struct shk_ast *e, struct shk_arena *a, struct shk_implied ret[SHK_IMPLIED_MAX])
{
	if (e->mod != SHK_MOD_NONE || e->left.kind != SHK_OPERAND_FIELD || !e->consts || !e->consts->n ||
	    e->consts->type != SHK_T_STRING || !shk_type_is_text(e->left.type))
		return 0;
	return e->op == SHK_OP_GLOB ? of_glob(e, ret) : of_part(e, a, ret);
}
