// SPDX-License-Identifier: Apache-2.0
/* Notes: what is right for Falco and hardly meant. An unknown word between parentheses is a text there, so a
 * misspelt name of a list goes unnoticed. */
#include <errno.h>

#include "rules/load.h"

#define COMPARED_MAX 20000000 /* names looked at; notes are a help, and must not take minutes */
#define SHORT 5 /* letters; names of programs are as near to each other as mistakes are */

/* The list whose name is nearest to the word, or NULL. */
static const struct shk_list *nearest(struct shk_build *b, struct shk_str word)
{
	const struct shk_list *best = NULL;
	unsigned least = word.n < 2 * SHORT ? 2 : 3;

	if (word.n < SHORT || b->n_compared > COMPARED_MAX)
		return NULL;
	b->n_compared += b->n_list;
	for (size_t i = 0; i < b->n_list; i++) {
		unsigned d = shk_str_distance(word, b->list[i].l->h.name, least);

		if (d && d < least) {
			least = d;
			best = b->list[i].l;
		}
	}
	return best;
}

static int note_word(struct shk_build *b, const struct shk_operand *o, const struct shk_text *cond,
		     const struct shk_where *w)
{
	const struct shk_list *near;
	struct shk_where at = *w;
	struct shk_str in;
	size_t end;
	int r;

	if (o->kind != SHK_OPERAND_TEXT || o->quoted || !memchr(o->text.p, '_', o->text.n))
		return 0;
	near = nearest(b, o->text);
	if (!near)
		return 0;
	/* What came from a list stands where the list's name does: the word is an item, and meant. */
	r = shk_build_locate(b, cond, o->pos, &at);
	if (r < 0)
		return r;
	in = at.file->text;
	end = at.at.offset + o->text.n;
	if (end > in.n || memcmp(in.p + at.at.offset, o->text.p, o->text.n) != 0 ||
	    (end < in.n && !shk_list_edge(in.p[end])))
		return 0;
	return shk_load_note(b->l, "NOTE_LIST_NAME", &at,
			     "no list is called '%.*s', so it is compared with as a text; did you mean "
			     "the list '%.*s'?", SHK_STR_ARG(o->text), SHK_STR_ARG(near->h.name));
}

static int note_tree(struct shk_build *b, const struct shk_ast *e, const struct shk_text *cond,
		     const struct shk_where *w)
{
	int r = 0;

	for (size_t i = 0; i < e->n && r >= 0; i++)
		r = note_tree(b, e->child[i], cond, w);
	if (e->kind != SHK_AST_CHECK || e->right.kind != SHK_OPERAND_LIST)
		return r;
	for (size_t i = 0; i < e->right.n && r >= 0; i++)
		r = note_word(b, &e->right.item[i], cond, w);
	return r;
}

static int note(struct shk_build *b, const char *type, const struct shk_item *h, const struct shk_text *cond)
{
	const struct shk_rnode *part = cond->piece[0].node;
	struct shk_where w = shk_where_node(type, h->name, h->node, part,
					    type[0] == 'm' ? "macro condition" : "rule condition");
	struct shk_text text = *cond;
	struct shk_arena a;
	struct shk_ast *e;
	int r = 0;

	w.file = part->file;
	shk_arena_init(&a, SHK_RULE_TREE_MAX);
	if (type[0] == 'r')
		r = shk_build_exceptions(&a, (const struct shk_rule *)h, &text);
	if (r >= 0)
		r = shk_build_parse(b, &a, &text, &w, &e);
	if (r >= 0)
		r = note_tree(b, e, &text, &w);
	shk_arena_done(&a);
	return r;
}

int shk_build_notes(struct shk_build *b)
{
	int r = 0;

	if (!b->l->notes)
		return 0;
	b->n_compared = 0;
	for (size_t i = 0; i < b->n_macro && r >= 0; i++)
		r = note(b, "macro", &b->macro[i].m->h, &b->macro[i].m->cond);
	for (size_t i = 0; i < b->n_rule && r >= 0; i++) {
		const struct shk_rule *rule = b->l->t.rules.p[i];

		if (!b->rule[i].left_out)
			r = note(b, "rule", &rule->h, &rule->cond);
	}
	return r;
}
