// SPDX-License-Identifier: Apache-2.0
/*
 * The grammar of conditions (FALCO_RULE_LANGUAGE section 9), by recursive descent. Each level of
 * parentheses and each nested transformer is one level of recursion, bounded by SHK_AST_DEPTH.
 */
#include <errno.h>

#include "rules/ast.h"
#include "rules/lex.h"
#include "rules/parse.h"

enum rhs { RHS_NONE, RHS_NUMBER, RHS_STRING, RHS_LIST };

/* In the order in which they are tried: the first that is a prefix of the text wins. */
static const struct op_word {
	const char *word;
	enum shk_op op;
	enum rhs rhs;
	bool blank; /* must be followed by one */
} op_words[] = {
	{ "exists", SHK_OP_EXISTS, RHS_NONE, false },
	{ "<=", SHK_OP_LE, RHS_NUMBER, false },
	{ "<", SHK_OP_LT, RHS_NUMBER, false },
	{ ">=", SHK_OP_GE, RHS_NUMBER, false },
	{ ">", SHK_OP_GT, RHS_NUMBER, false },
	{ "==", SHK_OP_EQ, RHS_STRING, false },
	{ "=", SHK_OP_EQ, RHS_STRING, false },
	{ "!=", SHK_OP_NE, RHS_STRING, false },
	{ "glob", SHK_OP_GLOB, RHS_STRING, true },
	{ "iglob", SHK_OP_IGLOB, RHS_STRING, true },
	{ "contains", SHK_OP_CONTAINS, RHS_STRING, true },
	{ "icontains", SHK_OP_ICONTAINS, RHS_STRING, true },
	{ "bcontains", SHK_OP_BCONTAINS, RHS_STRING, true },
	{ "startswith", SHK_OP_STARTSWITH, RHS_STRING, true },
	{ "bstartswith", SHK_OP_BSTARTSWITH, RHS_STRING, true },
	{ "endswith", SHK_OP_ENDSWITH, RHS_STRING, true },
	{ "regex", SHK_OP_REGEX, RHS_STRING, true },
	{ "intersects", SHK_OP_INTERSECTS, RHS_LIST, false },
	{ "in", SHK_OP_IN, RHS_LIST, false },
	{ "pmatch", SHK_OP_PMATCH, RHS_LIST, false },
};

static const struct {
	const char *word;
	enum shk_mod mod;
} mod_words[] = {
	{ "oneof", SHK_MOD_ONEOF },
	{ "anyof", SHK_MOD_ANYOF },
	{ "allof", SHK_MOD_ALLOF },
};

struct parser {
	struct shk_lex l;
	struct shk_arena *a;
	struct shk_err *err;
	unsigned depth;
};

static int parse_or(struct parser *p, struct shk_ast **ret);
static int parse_call(struct parser *p, bool with_val, struct shk_operand *ret);

static unsigned pos(const struct parser *p)
{
	return (unsigned)p->l.pos;
}

static int no_memory(struct parser *p)
{
	return shk_err_set(p->err, ENOMEM, "not enough memory for the condition; make it shorter");
}

static int enter(struct parser *p)
{
	if (++p->depth > SHK_AST_DEPTH)
		return shk_err_set(p->err, EINVAL,
				   "nested more than %d levels deep; split the condition",
				   SHK_AST_DEPTH);
	return 0;
}

/* ---- operands ---- */

/* 1: a quoted string was read into *ret, 0: there is none here. */
static int parse_quoted(struct parser *p, struct shk_operand *ret)
{
	size_t start = p->l.pos;
	struct shk_str s;

	switch (shk_lex_quoted(&p->l, p->a, &s)) {
	case SHK_LEX_NO:
		return 0;
	case SHK_LEX_OPEN:
		return shk_err_set(p->err, EINVAL, "this quote is never closed; add the closing %c",
				   p->l.s.p[p->l.pos]);
	case SHK_LEX_ESCAPE:
		return shk_err_set(p->err, EINVAL,
				   "unknown escape in a quoted string; write \\\\ for a backslash");
	case SHK_LEX_NOMEM:
		return no_memory(p);
	case SHK_LEX_YES:
		break;
	}
	*ret = (struct shk_operand){ .kind = SHK_OPERAND_TEXT, .pos = (unsigned)start,
				     .end = pos(p), .text = s, .quoted = true };
	return 1;
}

/* "[arg]" behind a field or a call: 1 and its text, 0 when there is none. */
static int parse_arg(struct parser *p, struct shk_str *ret)
{
	struct shk_operand q;
	int r;

	if (!shk_lex_lit(&p->l, "["))
		return 0;
	r = parse_quoted(p, &q);
	if (r < 0)
		return r;
	if (r)
		*ret = q.text;
	else if (!shk_lex_bare_arg(&p->l, ret))
		return shk_err_set(p->err, EINVAL,
				   "an argument must follow '['; quote it if it has blanks or brackets");
	if (!shk_lex_lit(&p->l, "]"))
		return shk_err_set(p->err, EINVAL, "']' expected right behind the argument");
	return 1;
}

/* The quotes that an argument needs to be read again: blanks and brackets do not stand bare. */
static const char *arg_quotes(struct shk_str arg)
{
	bool bare = arg.n > 0, twofold = false;

	for (size_t i = 0; i < arg.n; i++) {
		char c = arg.p[i];

		bare &= c != '[' && c != ']' && c != '"' && c != '\'' && c != ' ' &&
			(c < '\b' || c > '\r');
		twofold |= c == '"';
	}
	return bare ? "" : twofold ? "'" : "\"";
}

static int parse_field(struct parser *p, struct shk_operand *ret)
{
	unsigned start = pos(p);
	struct shk_str name, arg;
	int r;

	if (!shk_lex_field(&p->l, &name))
		return 0;
	r = parse_arg(p, &arg);
	if (r < 0)
		return r;
	if (r) {
		const char *q = arg_quotes(arg);
		const char *t = shk_arena_printf(p->a, "%.*s[%s%.*s%s]", SHK_STR_ARG(name), q,
						 SHK_STR_ARG(arg), q);

		if (!t)
			return no_memory(p);
		name = shk_str(t);
	}
	*ret = (struct shk_operand){ .kind = SHK_OPERAND_FIELD, .pos = start, .end = pos(p),
				     .text = name };
	return 1;
}

static int push(struct parser *p, struct shk_operand *list, size_t *room,
		const struct shk_operand *item)
{
	if (list->n == *room) {
		size_t more = *room ? *room * 2 : 4;
		struct shk_operand *n = SHK_ARENA_ARRAY(p->a, struct shk_operand, more);

		if (!n)
			return no_memory(p);
		if (list->n)
			memcpy(n, list->item, list->n * sizeof(*n));
		list->item = n;
		*room = more;
	}
	list->item[list->n++] = *item;
	return 0;
}

/* One element of a list inside a call. */
static int parse_call_item(struct parser *p, struct shk_operand *ret)
{
	unsigned start = pos(p);
	struct shk_str s;
	int r = parse_quoted(p, ret);

	if (r)
		return r;
	if (shk_lex_number(&p->l, &s)) {
		*ret = (struct shk_operand){ .kind = SHK_OPERAND_TEXT, .pos = start,
					     .end = pos(p), .text = s };
		return 1;
	}
	r = parse_call(p, false, ret);
	return r ? r : parse_field(p, ret);
}

static int parse_items(struct parser *p, struct shk_operand *list,
		       int (*one)(struct parser *, struct shk_operand *), const char *what)
{
	size_t room = 0;
	int r;

	do {
		struct shk_operand item;

		shk_lex_blanks(&p->l);
		r = one(p, &item);
		if (r < 0)
			return r;
		if (!r)
			return shk_err_set(p->err, EINVAL, "%s", what);
		r = push(p, list, &room, &item);
		if (r < 0)
			return r;
		shk_lex_blanks(&p->l);
	} while (shk_lex_lit(&p->l, ","));
	if (!shk_lex_lit(&p->l, ")"))
		return shk_err_set(p->err, EINVAL, "',' or ')' expected");
	list->end = pos(p);
	return 0;
}

static int parse_call_arg(struct parser *p, struct shk_operand *ret)
{
	unsigned start = pos(p);
	int r;

	if (!shk_lex_lit(&p->l, "("))
		return parse_call_item(p, ret);
	*ret = (struct shk_operand){ .kind = SHK_OPERAND_LIST, .pos = start };
	shk_lex_blanks(&p->l);
	if (shk_lex_lit(&p->l, ")")) {
		ret->end = pos(p);
		return 1;
	}
	r = parse_items(p, ret, parse_call_item,
			"a field, a quoted string, a number or a transformer expected in the list");
	return r < 0 ? r : 1;
}

static int finish_call(struct parser *p, struct shk_operand *c)
{
	struct shk_str arg;
	int r = parse_arg(p, &arg);

	if (r > 0 && (c->call != SHK_TR_GETOPT || arg.n != 1))
		return shk_err_set(p->err, EINVAL,
				   "only getopt takes an option in brackets, one character; remove it");
	if (r > 0) {
		c->has_index = true;
		c->index = arg;
	}
	c->end = pos(p);
	return r < 0 ? r : 1;
}

/* name(arguments)[option]: 1, or 0 when no transformer starts here. */
static int parse_call(struct parser *p, bool with_val, struct shk_operand *ret)
{
	struct shk_lex save = p->l;
	unsigned t = SHK_TR_N;
	struct shk_str name;
	int r;

	if (shk_lex_ident(&p->l, &name) && shk_lex_lit(&p->l, "("))
		for (t = 0; t < SHK_TR_N; t++)
			if (shk_str_eqz(name, shk_transform_name((enum shk_transform)t)))
				break;
	if (t == SHK_TR_N || (t == SHK_TR_VAL && !with_val)) {
		p->l = save;
		return 0;
	}
	*ret = (struct shk_operand){ .kind = SHK_OPERAND_CALL, .pos = (unsigned)save.pos,
				     .call = (enum shk_transform)t };
	r = enter(p);
	if (r < 0)
		return r;
	if (t == SHK_TR_VAL)
		r = parse_items(p, ret, parse_field, "val() takes the name of a field");
	else
		r = parse_items(p, ret, parse_call_arg,
				"a field, a quoted string, a number, a list or a transformer expected");
	if (r < 0)
		return r;
	if (t == SHK_TR_VAL && ret->n != 1)
		return shk_err_set(p->err, EINVAL, "val() takes one field");
	p->depth--;
	return finish_call(p, ret);
}

/* ---- right sides ---- */

static int parse_word(struct parser *p, struct shk_operand *ret)
{
	unsigned start = pos(p);
	struct shk_str s;
	int r = parse_quoted(p, ret);

	if (r)
		return r;
	if (!shk_lex_bare(&p->l, &s))
		return 0;
	*ret = (struct shk_operand){ .kind = SHK_OPERAND_TEXT, .pos = start, .end = pos(p),
				     .text = s };
	return 1;
}

static int parse_list(struct parser *p, struct shk_operand *ret)
{
	unsigned start = pos(p);
	struct shk_str s;

	*ret = (struct shk_operand){ .kind = SHK_OPERAND_LIST, .pos = start };
	if (shk_lex_lit(&p->l, "(")) {
		shk_lex_blanks(&p->l);
		if (!shk_lex_lit(&p->l, ")"))
			return parse_items(p, ret, parse_word, "a value of the list expected here");
		ret->end = pos(p);
		return 0;
	}
	if (!shk_lex_ident(&p->l, &s))
		return shk_err_set(p->err, EINVAL,
				   "a list expected; write the values in parentheses: (a, b)");
	ret->end = pos(p);
	ret->item = SHK_ARENA_NEW(p->a, struct shk_operand);
	if (!ret->item)
		return no_memory(p);
	ret->n = 1;
	*ret->item = (struct shk_operand){ .kind = SHK_OPERAND_TEXT, .pos = start, .end = pos(p),
					   .text = s };
	return 0;
}

static bool is_keyword(struct shk_str s)
{
	return shk_str_eqz(s, "and") || shk_str_eqz(s, "or") || shk_str_eqz(s, "not");
}

/* "oneof", "anyof", "allof" with a list behind it; without one the word is the value itself. */
static enum shk_mod parse_mod(struct parser *p)
{
	struct shk_lex save = p->l;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(mod_words); i++) {
		struct shk_lex look;
		struct shk_str word;

		if (!shk_lex_lit(&p->l, mod_words[i].word))
			continue;
		if (shk_lex_blanks(&p->l)) {
			look = p->l;
			if (shk_lex_lit(&look, "(") ||
			    (shk_lex_ident(&look, &word) && !is_keyword(word)))
				return mod_words[i].mod;
		}
		p->l = save;
	}
	return SHK_MOD_NONE;
}

static int parse_right(struct parser *p, struct shk_ast *e, enum rhs rhs)
{
	bool blank = shk_lex_blanks(&p->l);
	unsigned start;
	struct shk_str s;
	int r;

	if (rhs == RHS_STRING && blank)
		e->mod = parse_mod(p);
	if (e->mod != SHK_MOD_NONE)
		return parse_list(p, &e->right);
	r = parse_call(p, true, &e->right);
	if (r)
		return r < 0 ? r : 0;
	start = pos(p);
	if (rhs == RHS_LIST)
		return parse_list(p, &e->right);
	if (rhs == RHS_NUMBER) {
		if (!shk_lex_number(&p->l, &s))
			return shk_err_set(p->err, EINVAL, "a number must follow %s",
					   shk_op_name(e->op));
		e->right = (struct shk_operand){ .kind = SHK_OPERAND_TEXT, .pos = start,
						 .end = pos(p), .text = s };
		return 0;
	}
	r = parse_word(p, &e->right);
	if (r < 0)
		return r;
	if (!r)
		return shk_err_set(p->err, EINVAL, "a value must follow %s; quote it if it has "
				   "blanks, commas, parentheses or '='", shk_op_name(e->op));
	return 0;
}

/* ---- checks ---- */

/* The operator nearest to the word that stands where one should, for the message. */
static int bad_operator(struct parser *p, const struct shk_operand *left)
{
	const char *near = NULL;
	unsigned best = 3;
	struct shk_str word;

	if (!shk_lex_bare(&p->l, &word))
		return shk_err_set(p->err, EINVAL, "an operator must follow '%.*s'; write '%.*s "
				   "exists' to ask whether it has a value",
				   SHK_STR_ARG(left->text), SHK_STR_ARG(left->text));
	p->l.pos = (size_t)(word.p - p->l.s.p);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(op_words); i++) {
		unsigned d = shk_str_distance(word, shk_str(op_words[i].word), best);

		if (d >= best || strlen(op_words[i].word) < 3)
			continue;
		best = d;
		near = op_words[i].word;
	}
	if (near && !best)
		return shk_err_set(p->err, EINVAL, "a blank and a value must follow '%s'", near);
	if (near)
		return shk_err_set(p->err, EINVAL, "'%.*s' is no operator; did you mean '%s'?",
				   SHK_STR_ARG(word), near);
	return shk_err_set(p->err, EINVAL, "'%.*s' is no operator", SHK_STR_ARG(word));
}

static int parse_comparison(struct parser *p, struct shk_ast *e)
{
	const struct op_word *w = NULL;
	int r;

	shk_lex_blanks(&p->l);
	for (size_t i = 0; !w && i < SHK_ARRAY_SIZE(op_words); i++) {
		struct shk_lex save = p->l;

		if (!shk_lex_lit(&p->l, op_words[i].word))
			continue;
		if (!op_words[i].blank || shk_lex_at_blank(&p->l))
			w = &op_words[i];
		else
			p->l = save;
	}
	if (!w)
		return bad_operator(p, &e->left);
	e->op = w->op;
	e->twice = w->word[0] == '=' && w->word[1] == '=';
	if (w->rhs != RHS_NONE) {
		r = parse_right(p, e, w->rhs);
		if (r < 0)
			return r;
	}
	e->end = pos(p);
	return 0;
}

static struct shk_ast *new_node(struct parser *p, enum shk_ast_kind kind, unsigned start)
{
	struct shk_ast *e = SHK_ARENA_NEW(p->a, struct shk_ast);

	if (e) {
		e->kind = kind;
		e->pos = start;
		e->end = pos(p);
	}
	return e;
}

/* Behind an opening parenthesis, to the closing one. */
static int parse_group(struct parser *p, struct shk_ast **ret)
{
	unsigned open = pos(p) - 1;
	int r = enter(p);

	if (r < 0)
		return r;
	r = parse_or(p, ret);
	if (r < 0)
		return r;
	shk_lex_blanks(&p->l);
	if (!shk_lex_lit(&p->l, ")")) {
		if (p->l.pos >= p->l.s.n) {
			p->l.pos = open;
			return shk_err_set(p->err, EINVAL,
					   "this parenthesis is never closed; add ')'");
		}
		return shk_err_set(p->err, EINVAL, "')', 'and' or 'or' expected here");
	}
	p->depth--;
	return 0;
}

static int parse_check(struct parser *p, struct shk_ast **ret)
{
	unsigned start = pos(p);
	struct shk_operand left;
	struct shk_str name;
	int r;

	if (shk_lex_lit(&p->l, "("))
		return parse_group(p, ret);
	r = parse_field(p, &left);
	if (!r)
		r = parse_call(p, false, &left);
	if (r < 0)
		return r;
	if (r) {
		*ret = new_node(p, SHK_AST_CHECK, start);
		if (!*ret)
			return no_memory(p);
		(*ret)->left = left;
		return parse_comparison(p, *ret);
	}
	if (!shk_lex_ident(&p->l, &name))
		return shk_err_set(p->err, EINVAL,
				   "a comparison, a macro or '(' expected here");
	if (is_keyword(name)) {
		p->l.pos = start;
		return shk_err_set(p->err, EINVAL, "a comparison, a macro or '(' expected before "
				   "'%.*s'", SHK_STR_ARG(name));
	}
	*ret = new_node(p, SHK_AST_MACRO, start);
	if (!*ret)
		return no_memory(p);
	(*ret)->macro = name;
	return 0;
}

/* ---- not, and, or ---- */

static int parse_not(struct parser *p, struct shk_ast **ret)
{
	unsigned start;
	struct shk_ast *child, *e;
	bool negate = false, group = false;
	int r;

	shk_lex_blanks(&p->l);
	for (start = pos(p); !group;) {
		struct shk_lex save = p->l;

		if (!shk_lex_lit(&p->l, "not"))
			break;
		group = shk_lex_lit(&p->l, "(");
		if (!group && !shk_lex_blanks(&p->l)) {
			p->l = save; /* a macro whose name begins so */
			break;
		}
		negate = !negate;
	}
	r = group ? parse_group(p, &child) : parse_check(p, &child);
	if (r < 0)
		return r;
	*ret = child;
	if (!negate)
		return 0;
	e = new_node(p, SHK_AST_NOT, start);
	if (!e)
		return no_memory(p);
	e->child = SHK_ARENA_NEW(p->a, struct shk_ast *);
	if (!e->child)
		return no_memory(p);
	e->child[0] = child;
	e->n = 1;
	*ret = e;
	return 0;
}

static int parse_and(struct parser *p, struct shk_ast **ret);

/* One level of "x and y and z" or "x or y or z". A group right behind the word, without a blank, is
 * the whole operand: "a or(b) and c" is an error, while in "a or (b) and c" the `and` binds. */
static int parse_chain(struct parser *p, const char *word, enum shk_ast_kind kind,
		       int (*operand)(struct parser *, struct shk_ast **), struct shk_ast **ret)
{
	unsigned start;
	struct shk_ast *e = NULL;
	size_t room = 2;
	int r;

	shk_lex_blanks(&p->l);
	start = pos(p);
	r = operand(p, ret);
	while (r >= 0) {
		struct shk_ast *next;

		shk_lex_blanks(&p->l);
		if (!shk_lex_lit(&p->l, word))
			break;
		if (shk_lex_lit(&p->l, "("))
			r = parse_group(p, &next);
		else if (shk_lex_blanks(&p->l))
			r = operand(p, &next);
		else
			r = shk_err_set(p->err, EINVAL, "a blank or '(' must follow '%s'", word);
		if (r < 0)
			break;
		if (!e) {
			e = new_node(p, kind, start);
			if (!e || !(e->child = SHK_ARENA_ARRAY(p->a, struct shk_ast *, room)))
				return no_memory(p);
			e->child[e->n++] = *ret;
			*ret = e;
		} else if (e->n == room) {
			struct shk_ast **more = SHK_ARENA_ARRAY(p->a, struct shk_ast *, room * 2);

			if (!more)
				return no_memory(p);
			memcpy(more, e->child, e->n * sizeof(struct shk_ast *));
			e->child = more;
			room *= 2;
		}
		e->child[e->n++] = next;
		e->end = pos(p);
	}
	return r < 0 ? r : 0;
}

static int parse_and(struct parser *p, struct shk_ast **ret)
{
	return parse_chain(p, "and", SHK_AST_AND, parse_not, ret);
}

static int parse_or(struct parser *p, struct shk_ast **ret)
{
	return parse_chain(p, "or", SHK_AST_OR, parse_and, ret);
}

unsigned shk_ast_height(const struct shk_ast *e)
{
	unsigned h = 0;

	for (size_t i = 0; i < e->n; i++) {
		unsigned c = shk_ast_height(e->child[i]);

		h = SHK_MAX(h, c);
	}
	return h + 1;
}

/* What stands behind a complete condition, with the usual reasons. */
static int trailing(struct parser *p, const struct shk_ast *e)
{
	size_t at = p->l.pos;
	struct shk_str word;

	if (p->l.s.p[at] == ')')
		return shk_err_set(p->err, EINVAL, "this ')' closes nothing; remove it");
	if (e->kind == SHK_AST_MACRO)
		return shk_err_set(p->err, EINVAL, "'%.*s' is no field and is followed by something "
				   "else than 'and' or 'or'; name a field with its class: proc.name",
				   SHK_STR_ARG(e->macro));
	if (shk_lex_bare(&p->l, &word)) {
		p->l.pos = at;
		return shk_err_set(p->err, EINVAL, "'and' or 'or' expected before '%.*s'; quote "
				   "values that have blanks", SHK_STR_ARG(word));
	}
	return shk_err_set(p->err, EINVAL, "'and' or 'or' expected here; quote values that have "
			   "blanks, commas, parentheses or '='");
}

int shk_ast_parse(struct shk_arena *a, struct shk_str text, struct shk_ast **ret,
		  unsigned *ret_pos, struct shk_err *err)
{
	struct parser p = { .l = { .s = text }, .a = a, .err = err };
	int r;

	*ret_pos = 0;
	if (text.n > SHK_CONDITION_MAX)
		return shk_err_set(err, EINVAL, "the condition has more than %u bytes; split it",
				   SHK_CONDITION_MAX);
	shk_lex_blanks(&p.l);
	if (p.l.pos == text.n)
		r = shk_err_set(err, EINVAL, "the condition is empty; write one");
	else
		r = parse_or(&p, ret);
	if (r >= 0 && p.l.pos < text.n)
		r = trailing(&p, *ret);
	if (r >= 0 && shk_ast_height(*ret) > SHK_AST_DEPTH)
		r = shk_err_set(err, EINVAL, "nested more than %d levels deep; split the condition",
				SHK_AST_DEPTH);
	if (r < 0)
		*ret_pos = (unsigned)p.l.pos;
	return r < 0 ? r : 0;
}
