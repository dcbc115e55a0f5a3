// SPDX-License-Identifier: Apache-2.0
/* A glob implies how the text begins, which is answered along with all other beginnings, and mostly says no. */
#include "rules/program.h"

#define PREFIX_MIN 2

bool shk_implied_start(const struct shk_ast *e, struct shk_implied *ret)
{
	const struct shk_const *c = e->consts ? e->consts->c : NULL;
	size_t n = 0;

	if (e->op != SHK_OP_GLOB || e->mod != SHK_MOD_NONE || !c || e->consts->n != 1 ||
	    !shk_type_is_text(e->left.type) || !shk_type_is_text(c->v.type))
		return false;
	while (n < c->v.s.n && !strchr("*?[\\", c->v.s.p[n]))
		n++;
	if (n < PREFIX_MIN)
		return false;
	ret->c = *c;
	ret->c.v.s.n = n;
	ret->consts = *e->consts;
	ret->consts.c = &ret->c;
	ret->e = *e;
	ret->e.op = SHK_OP_STARTSWITH;
	ret->e.right.text = ret->c.v.s;
	ret->e.consts = &ret->consts;
	return e->right.kind == SHK_OPERAND_TEXT;
}
