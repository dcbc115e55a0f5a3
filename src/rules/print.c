// SPDX-License-Identifier: Apache-2.0
/* The canonical text of a condition (FALCO_RULE_LANGUAGE section 22). */
#include "rules/ast.h"

static void print_operand(const struct shk_operand *o, bool in_call, struct shk_buf *out);

/* Commas, parentheses and the empty string stay bare: the text is for people and comparisons, it
 * does not always parse again. */
static bool needs_quotes(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f || c == '=' || c == '"' || c == '\'' || c == '\\')
			return true;
	}
	return false;
}

static void print_text(struct shk_str s, struct shk_buf *out)
{
	static const char from[] = "\b\f\n\r\t\\\"", to[] = "bfnrt\\\"";

	if (!needs_quotes(s)) {
		shk_buf_addstr(out, s);
		return;
	}
	shk_buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *f = c ? strchr(from, c) : NULL;

		if (f) {
			shk_buf_addc(out, '\\');
			shk_buf_addc(out, to[f - from]);
		} else if (c < ' ' || c == 0x7f) {
			shk_buf_printf(out, "\\x%02x", c);
		} else {
			shk_buf_addc(out, (char)c);
		}
	}
	shk_buf_addc(out, '"');
}

static void print_items(const struct shk_operand *o, bool in_call, struct shk_buf *out)
{
	shk_buf_addc(out, '(');
	for (size_t i = 0; i < o->n; i++) {
		if (i)
			shk_buf_adds(out, in_call ? "," : ", ");
		print_operand(&o->item[i], in_call, out);
	}
	shk_buf_addc(out, ')');
}

/* An argument that needed quotes has them in the operand's text, not in the canonical one. */
static void print_field(struct shk_str s, struct shk_buf *out)
{
	const char *open = s.n ? memchr(s.p, '[', s.n) : NULL;
	size_t name = open ? (size_t)(open - s.p) : s.n;

	if (s.n < name + 4 || (open[1] != '"' && open[1] != '\'')) {
		shk_buf_addstr(out, s);
		return;
	}
	shk_buf_add(out, s.p, name + 1);
	shk_buf_add(out, open + 2, s.n - name - 4);
	shk_buf_addc(out, ']');
}

static void print_operand(const struct shk_operand *o, bool in_call, struct shk_buf *out)
{
	switch (o->kind) {
	case SHK_OPERAND_NONE:
		return;
	case SHK_OPERAND_FIELD:
		print_field(o->text, out);
		return;
	case SHK_OPERAND_TEXT:
		if (in_call)
			shk_buf_addstr(out, o->text);
		else
			print_text(o->text, out);
		return;
	case SHK_OPERAND_LIST:
		print_items(o, in_call, out);
		return;
	case SHK_OPERAND_CALL:
		shk_buf_adds(out, shk_transform_name(o->call));
		print_items(o, true, out);
		if (o->has_index) {
			shk_buf_addc(out, '[');
			shk_buf_addstr(out, o->index);
			shk_buf_addc(out, ']');
		}
		return;
	}
}

static void print_check(const struct shk_ast *e, struct shk_buf *out)
{
	static const char *const mods[] = { [SHK_MOD_ONEOF] = " oneof", [SHK_MOD_ANYOF] = " anyof",
					    [SHK_MOD_ALLOF] = " allof" };

	print_operand(&e->left, false, out);
	shk_buf_addc(out, ' ');
	shk_buf_adds(out, e->op == SHK_OP_EQ && e->twice ? "==" : shk_op_name(e->op));
	if (e->mod != SHK_MOD_NONE)
		shk_buf_adds(out, mods[e->mod]);
	if (e->op == SHK_OP_EXISTS)
		return;
	shk_buf_addc(out, ' ');
	print_operand(&e->right, false, out);
}

void shk_ast_print(const struct shk_ast *e, struct shk_buf *out)
{
	switch (e->kind) {
	case SHK_AST_AND:
	case SHK_AST_OR:
		shk_buf_addc(out, '(');
		for (size_t i = 0; i < e->n && !out->failed; i++) {
			if (i)
				shk_buf_adds(out, e->kind == SHK_AST_AND ? " and " : " or ");
			shk_ast_print(e->child[i], out);
		}
		shk_buf_addc(out, ')');
		return;
	case SHK_AST_NOT:
		shk_buf_adds(out, "not ");
		shk_ast_print(e->child[0], out);
		return;
	case SHK_AST_CHECK:
		print_check(e, out);
		return;
	case SHK_AST_MACRO:
		shk_buf_addstr(out, e->macro);
		return;
	}
}
