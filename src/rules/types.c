// SPDX-License-Identifier: Apache-2.0
/* Typing a condition: fields looked up, operators checked against types (FALCO_RULE_LANGUAGE sections 10
 * to 14), constants converted. */
#include "rules/types.h"

#include <errno.h>

struct typing {
	struct shk_arena *a;
	struct shk_err *err;
	unsigned pos; /* of what is to blame */
};

#define BLAME(t, o, ...) ((t)->pos = (o)->pos, shk_err_set((t)->err, EINVAL, __VA_ARGS__))

static bool text_or_bytes(enum shk_type t)
{
	return shk_type_is_text(t) || t == SHK_T_BYTES;
}

/* Section 11. */
static bool op_fits(enum shk_op op, enum shk_type t)
{
	bool number = shk_type_is_number(t), text = shk_type_is_text(t);

	switch (op) {
	case SHK_OP_EXISTS:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
		return true;
	case SHK_OP_EQ:
	case SHK_OP_NE:
		return t != SHK_T_LIST;
	case SHK_OP_LT:
	case SHK_OP_LE:
	case SHK_OP_GT:
	case SHK_OP_GE:
		return number || text;
	case SHK_OP_CONTAINS:
	case SHK_OP_STARTSWITH:
	case SHK_OP_ENDSWITH:
		return text_or_bytes(t);
	case SHK_OP_BCONTAINS:
	case SHK_OP_BSTARTSWITH:
		return t == SHK_T_BYTES;
	default: /* icontains, glob, iglob, regex, pmatch */
		return text;
	}
}

static int type_operand(struct typing *t, struct shk_operand *o, unsigned depth);

static int type_field(struct typing *t, struct shk_operand *o)
{
	int r = shk_field_parse(o->text, &o->ref, t->err);

	if (r < 0) {
		t->pos = o->pos;
		return r;
	}
	o->type = o->ref.type;
	o->is_list = o->type == SHK_T_LIST;
	return 0;
}

/* The index-less form of a field with candidates compares each of them; there is no one value that
 * could be transformed. */
static bool untransformable(const struct shk_operand *o)
{
	const struct shk_field *f = o->ref.field;

	return (f->flags & SHK_F_NO_TRANSFORM) && !((f->flags & SHK_F_MULTI) && o->ref.has_arg);
}

static int type_args(struct typing *t, struct shk_operand *o, unsigned depth)
{
	for (size_t i = 0; i < o->n; i++) {
		struct shk_operand *arg = &o->item[i];
		int r = type_operand(t, arg, depth + 1);

		if (r < 0)
			return r;
		if (arg->kind != SHK_OPERAND_FIELD)
			continue;
		if (o->call != SHK_TR_VAL && untransformable(arg))
			return BLAME(t, arg, "field " SHK_STR_FMT " cannot be transformed",
				     SHK_STR_ARG(arg->text));
	}
	return 0;
}

/* A field, or what a transformer makes, that is a list: each of its texts is transformed. */
static bool is_list_value(const struct shk_operand *o)
{
	return o->type == SHK_T_LIST && o->kind != SHK_OPERAND_LIST;
}

static bool args_are(const struct shk_operand *o, size_t from, bool (*ok)(enum shk_type))
{
	for (size_t i = from; i < o->n; i++)
		if (!ok(o->item[i].type))
			return false;
	return true;
}

static int type_call(struct typing *t, struct shk_operand *o, unsigned depth)
{
	const struct shk_operand *a = o->item;
	const char *want = NULL;
	int r = type_args(t, o, depth);

	if (r < 0)
		return r;
	if (o->has_index && o->call != SHK_TR_GETOPT)
		return BLAME(t, o, "%s() takes no argument in brackets", shk_transform_name(o->call));
	o->type = SHK_T_STRING;
	switch (o->call) {
	case SHK_TR_VAL:
		if (o->n != 1 || a[0].kind != SHK_OPERAND_FIELD)
			want = "one field";
		else
			o->type = a[0].type;
		break;
	case SHK_TR_TOLOWER:
	case SHK_TR_TOUPPER:
	case SHK_TR_BASENAME:
		if (o->n != 1 || (!is_list_value(a) && !args_are(o, 0, shk_type_is_text)))
			want = "one string";
		else if (is_list_value(a))
			o->type = SHK_T_LIST;
		break;
	case SHK_TR_B64:
		if (o->n != 1 || (!is_list_value(a) && !args_are(o, 0, text_or_bytes)))
			want = "one string or buffer";
		else
			o->type = a[0].type;
		break;
	case SHK_TR_LEN:
		if (o->n != 1 || !(text_or_bytes(a[0].type) || a[0].type == SHK_T_LIST))
			want = "one string, buffer or list";
		o->type = SHK_T_UINT64;
		break;
	case SHK_TR_JOIN:
		if (o->n != 2 || !shk_type_is_text(a[0].type) || a[1].type != SHK_T_LIST)
			want = "a separator and a list";
		break;
	case SHK_TR_CONCAT:
		if (o->n < 2 || !args_are(o, 0, shk_type_is_text))
			want = "two or more strings";
		break;
	case SHK_TR_GETOPT:
		if (o->n != 2 || a[0].type != SHK_T_LIST || a[1].kind != SHK_OPERAND_TEXT)
			want = "a list and an option string";
		else if (o->has_index && o->index.n != 1)
			return BLAME(t, o, "getopt() takes one option letter in brackets");
		o->type = o->has_index ? SHK_T_STRING : SHK_T_LIST;
		break;
	default:
		return BLAME(t, o, "unknown transformer");
	}
	if (want)
		return BLAME(t, o, "%s() takes %s", shk_transform_name(o->call), want);
	o->is_list = o->type == SHK_T_LIST;
	return 0;
}

static int type_operand(struct typing *t, struct shk_operand *o, unsigned depth)
{
	if (depth > SHK_AST_DEPTH)
		return BLAME(t, o, "transformers nested too deeply");
	switch (o->kind) {
	case SHK_OPERAND_FIELD:
		return type_field(t, o);
	case SHK_OPERAND_CALL:
		return type_call(t, o, depth);
	case SHK_OPERAND_TEXT:
		o->type = SHK_T_STRING;
		return 0;
	case SHK_OPERAND_LIST: /* argument of a transformer */
		o->type = SHK_T_LIST;
		o->is_list = true;
		for (size_t i = 0; i < o->n; i++) {
			int r = type_operand(t, &o->item[i], depth + 1);

			if (r < 0)
				return r;
			if (!shk_type_is_text(o->item[i].type))
				return BLAME(t, &o->item[i], "the list takes strings only");
		}
		return 0;
	default:
		return 0;
	}
}

/* The event type is compared with events, which a transformer does not give. */
static int refuse_evt_type(struct typing *t, const struct shk_operand *o, unsigned depth)
{
	int r = 0;

	if (o->kind == SHK_OPERAND_FIELD && shk_field_is_evt_type(o->ref.field))
		return BLAME(t, o, SHK_STR_FMT " can be compared with words only",
			     SHK_STR_ARG(o->text));
	for (size_t i = 0; o->kind == SHK_OPERAND_CALL && i < o->n && r == 0; i++)
		if (depth < SHK_AST_DEPTH)
			r = refuse_evt_type(t, &o->item[i], depth + 1);
	return r;
}

/* A field or transformer on the right. */
static int type_right_value(struct typing *t, struct shk_ast *e)
{
	struct shk_operand *l = &e->left, *r = &e->right;
	const struct shk_operand *f = r->call == SHK_TR_VAL && r->kind == SHK_OPERAND_CALL && r->n ?
					      &r->item[0] :
					      r;
	bool member = e->op == SHK_OP_IN || e->op == SHK_OP_INTERSECTS;
	int rc = type_operand(t, r, 0);

	if (rc == 0)
		rc = refuse_evt_type(t, r, 0);
	if (rc < 0)
		return rc;
	if (e->op == SHK_OP_PMATCH || e->op == SHK_OP_REGEX || l->type == SHK_T_IPNET ||
	    r->type == SHK_T_IPNET || e->op == SHK_OP_BCONTAINS || e->op == SHK_OP_BSTARTSWITH)
		return BLAME(t, r, "operator %s takes constants only here", shk_op_name(e->op));
	if (l->kind == SHK_OPERAND_FIELD && shk_field_is_evt_type(l->ref.field))
		return BLAME(t, r, SHK_STR_FMT " can be compared with words only",
			     SHK_STR_ARG(l->text));
	if (l->kind == SHK_OPERAND_FIELD && (l->ref.field->flags & SHK_F_NO_RHS))
		return BLAME(t, r, "field " SHK_STR_FMT " is compared with constants only",
			     SHK_STR_ARG(l->text));
	if (f->kind == SHK_OPERAND_FIELD &&
	    ((f->ref.field->flags & SHK_F_NO_RHS) ||
	     ((f->ref.field->flags & SHK_F_MULTI) && !f->ref.has_arg)))
		return BLAME(t, f, "field " SHK_STR_FMT " cannot stand on the right",
			     SHK_STR_ARG(f->text));
	if (l->type == r->type || (shk_type_is_text(l->type) && shk_type_is_text(r->type)) ||
	    (member && l->type == SHK_T_LIST && shk_type_is_text(r->type)) ||
	    (member && r->type == SHK_T_LIST && shk_type_is_text(l->type)))
		return 0;
	return BLAME(t, r, "the sides have different types (%s and %s)", shk_type_name(l->type),
		     shk_type_name(r->type));
}

bool shk_list_never_equal(const struct shk_operand *o)
{
	return o->kind == SHK_OPERAND_CALL && o->type == SHK_T_LIST &&
	       (o->call == SHK_TR_TOLOWER || o->call == SHK_TR_TOUPPER || o->call == SHK_TR_BASENAME ||
		o->call == SHK_TR_B64);
}

static int type_constants(struct typing *t, struct shk_ast *e)
{
	const struct shk_operand *r = &e->right;
	const struct shk_operand *word = r->kind == SHK_OPERAND_LIST ? r->item : r;
	size_t n = r->kind == SHK_OPERAND_LIST ? r->n : 1;
	struct shk_consts *k = SHK_ARENA_NEW(t->a, struct shk_consts);
	struct shk_const *c = SHK_ARENA_ARRAY(t->a, struct shk_const, n);

	if (!k || !c)
		return shk_err_sys(t->err, ENOMEM, "cannot keep the constants of a condition");
	for (size_t i = 0; i < n; i++) {
		int rc;

		if (word[i].kind != SHK_OPERAND_TEXT)
			return BLAME(t, &word[i], "a list takes constants only");
		rc = shk_const_parse(t->a, &e->left, e->op, &word[i], &c[i], t->err);
		if (rc < 0) {
			t->pos = word[i].pos;
			return rc;
		}
	}
	*k = (struct shk_consts){ .n = shk_list_never_equal(&e->left) ? 0 : n, .c = c };
	k->type = shk_type_is_text(e->left.type) || e->left.type == SHK_T_LIST ? SHK_T_STRING :
										 e->left.type;
	e->consts = k;
	return 0;
}

/* Types that have no constants (section 10), so that nothing can be compared with them. */
static bool incomparable(const struct shk_field *f)
{
	static const char *const types[] = { "SIGTYPE", "SYSCALLID", "SOCKADDR", "SOCKTUPLE" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(types); i++)
		if (f->falco_type && strcmp(f->falco_type, types[i]) == 0)
			return true;
	return false;
}

static int type_check(struct typing *t, struct shk_ast *e)
{
	int r = type_operand(t, &e->left, 0);

	if (r == 0 && e->left.kind == SHK_OPERAND_CALL && e->op != SHK_OP_EXISTS)
		r = refuse_evt_type(t, &e->left, 0);
	if (r < 0)
		return r;
	if (!op_fits(e->op, e->left.type))
		return BLAME(t, &e->left, "operator %s does not fit " SHK_STR_FMT ", whose type is %s",
			     shk_op_name(e->op),
			     SHK_STR_ARG(e->left.kind == SHK_OPERAND_FIELD ?
						 e->left.text :
						 SHK_STR("this transformer")),
			     shk_type_name(e->left.type));
	if (e->left.kind == SHK_OPERAND_FIELD && e->left.ref.field->flags & SHK_F_WITHIN &&
	    e->op != SHK_OP_EQ)
		return BLAME(t, &e->left, SHK_STR_FMT " takes no operator but =",
			     SHK_STR_ARG(e->left.text));
	if (e->op == SHK_OP_EXISTS)
		return 0;
	if (e->left.kind == SHK_OPERAND_FIELD && incomparable(e->left.ref.field))
		return BLAME(t, &e->left, SHK_STR_FMT " cannot be compared: write exists, or evt.arg."
			     SHK_STR_FMT " for its text", SHK_STR_ARG(e->left.text),
			     SHK_STR_ARG(e->left.ref.key));
	if (e->right.kind == SHK_OPERAND_FIELD || e->right.kind == SHK_OPERAND_CALL)
		return type_right_value(t, e);
	return type_constants(t, e);
}

static int type_tree(struct typing *t, struct shk_ast *e, unsigned depth)
{
	int r = 0;

	if (e->typed)
		return 0;
	if (depth > SHK_AST_DEPTH)
		return BLAME(t, e, "condition nested more than %d levels deep", SHK_AST_DEPTH);
	if (e->kind == SHK_AST_CHECK)
		r = type_check(t, e);
	else if (e->kind == SHK_AST_MACRO)
		r = BLAME(t, e, "macro " SHK_STR_FMT " is not defined", SHK_STR_ARG(e->macro));
	else
		for (size_t i = 0; i < e->n && r == 0; i++)
			r = type_tree(t, e->child[i], depth + 1);
	if (r == 0)
		e->typed = true;
	return r;
}

int shk_ast_type(struct shk_arena *a, struct shk_ast *e, unsigned *ret_pos, struct shk_err *err)
{
	struct typing t = { .a = a, .err = err, .pos = e->pos };
	int r = type_tree(&t, e, 0);

	if (r < 0)
		*ret_pos = t.pos;
	return r;
}
