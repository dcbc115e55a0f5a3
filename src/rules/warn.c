// SPDX-License-Identifier: Apache-2.0
/* Odd but legal constants (FALCO_RULE_LANGUAGE section 10). */
#include "rules/types.h"

#define STEPS_MAX (1u << 20) /* shared macros are visited each time they occur */

struct walk {
	void (*on)(const char *text, unsigned pos, void *arg);
	void *arg;
	unsigned steps;
};

/* A pattern without any special character but an anchor at each end, or .* .+ .? there in its place. */
static bool plain_pattern(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((i == 0 && c == '^') || (i + 1 == s.n && c == '$'))
			continue;
		if ((i == 0 || i + 2 == s.n) && i + 1 < s.n && c == '.' && strchr("+*?", s.p[i + 1]))
			i++;
		else if (strchr(".+*?^$()[]{}|\\", c))
			return false;
	}
	return true;
}

static bool looks_like_call(struct shk_str s)
{
	for (int t = 0; t < SHK_TR_N; t++) {
		struct shk_str name = shk_str(shk_transform_name((enum shk_transform)t));

		if (s.n > name.n + 1 && shk_str_starts(s, name) && s.p[name.n] == '(' &&
		    s.p[s.n - 1] == ')')
			return true;
	}
	return false;
}

static void warn_constant(struct walk *w, const struct shk_ast *e, const struct shk_operand *o,
			  const struct shk_const *c)
{
	struct shk_field_ref ref;

	if (o->kind != SHK_OPERAND_TEXT)
		return;
	if (e->op == SHK_OP_REGEX && plain_pattern(o->text))
		w->on("this regular expression has no special character: a comparison with =, contains, "
		      "startswith or endswith says the same and is faster",
		      o->pos, w->arg);
	if (o->text.n && shk_field_parse(o->text, &ref, NULL) == 0)
		w->on("the value is the name of a field but is taken as text: to compare with the "
		      "field, write val(...)",
		      o->pos, w->arg);
	if (looks_like_call(o->text))
		w->on("the value looks like a transformer but is taken as text: to apply it, leave the "
		      "quotes out",
		      o->pos, w->arg);
	if (c && c->changed)
		w->on("the number does not fit the field, and is cut to its width", o->pos, w->arg);
}

static void warn_tree(struct walk *w, const struct shk_ast *e, unsigned depth)
{
	const struct shk_operand *r = &e->right;

	if (depth > SHK_AST_DEPTH || ++w->steps > STEPS_MAX)
		return;
	for (size_t i = 0; e->kind != SHK_AST_CHECK && i < e->n; i++)
		warn_tree(w, e->child[i], depth + 1);
	if (e->kind != SHK_AST_CHECK || e->op == SHK_OP_EXISTS)
		return;
	if (r->kind == SHK_OPERAND_TEXT)
		warn_constant(w, e, r, e->consts && e->consts->n ? &e->consts->c[0] : NULL);
	for (size_t i = 0; r->kind == SHK_OPERAND_LIST && i < r->n; i++)
		warn_constant(w, e, &r->item[i],
			      e->consts && i < e->consts->n ? &e->consts->c[i] : NULL);
}

void shk_ast_warn(const struct shk_ast *e, void (*on)(const char *text, unsigned pos, void *arg),
		  void *arg)
{
	struct walk w = { .on = on, .arg = arg };

	warn_tree(&w, e, 0);
}
