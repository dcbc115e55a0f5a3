// SPDX-License-Identifier: Apache-2.0
/* Notes: what is right for Falco and hardly meant. An unknown word between parentheses is a text there, so a
 * misspelt name of a list goes unnoticed. */
#include <errno.h>

#include "rules/load.h"

#define SHORT 5 /* letters; names of programs are as near to each other as mistakes are */

/* The list whose name is nearest to the word, or NULL. */
static const struct shk_list *nearest(const struct shk_build *b, struct shk_str word)
{
	const struct shk_list *best = NULL;
	unsigned least = word.n < 2 * SHORT ? 2 : 3;

	for (size_t i = 0; word.n >= SHORT && i < b->n_list; i++) {
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

int shk_build_notes(struct shk_build *b, const struct shk_ast *e, const struct shk_text *cond,
		    const struct shk_where *w)
{
	int r = 0;

	if (!b->l->notes)
		return 0;
	for (size_t i = 0; i < e->n && r >= 0; i++)
		r = shk_build_notes(b, e->child[i], cond, w);
	if (e->kind != SHK_AST_CHECK || e->right.kind != SHK_OPERAND_LIST)
		return r;
	for (size_t i = 0; i < e->right.n && r >= 0; i++)
		r = note_word(b, &e->right.item[i], cond, w);
	return r;
}
