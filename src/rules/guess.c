// SPDX-License-Identifier: Apache-2.0
/* How often a comparison holds and what it costs: nobody measured, these are guesses. They decide about the
 * order in which comparisons are looked at, so a bad one costs time and nothing else. */
#include "rules/program.h"

static const char *name_of(const struct shk_ruleset *rs, const struct shk_test *t)
{
	const struct shk_slot *s = &rs->slots.v[t->left];

	return s->kind == SHK_OPERAND_FIELD ? s->ref.field->name : "";
}

/* Fields with few values, of which one is asked for because it is common. */
static bool few_values(const char *name)
{
	static const char *const names[] = { "fd.type",	    "fd.l4proto", "fd.sockfamily", "evt.res",
					     "evt.source",  "container.id" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static float equal(const struct shk_ruleset *rs, const struct shk_test *t)
{
	const char *name = name_of(rs, t);

	switch (rs->slots.v[t->left].type) {
	case SHK_T_BOOL:
		return strcmp(name, "evt.is_open_write") == 0 ? 0.2f : 0.4f;
	case SHK_T_STRING:
	case SHK_T_PATH:
	case SHK_T_BYTES:
		return few_values(name) ? 0.4f : t->n > 8 ? 0.05f : 0.03f;
	default:
		return strcmp(name, "evt.num") == 0 ? 0.001f : 0.2f;
	}
}

static float yes(const struct shk_ruleset *rs, const struct shk_test *t)
{
	switch (t->op) {
	case SHK_OP_EXISTS:
		return 0.9f;
	case SHK_OP_NE:
		return 1 - equal(rs, t);
	case SHK_OP_EQ:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
		return t->n || t->right != SHK_SLOT_NONE ? equal(rs, t) : 0;
	case SHK_OP_LT:
	case SHK_OP_LE:
	case SHK_OP_GT:
	case SHK_OP_GE:
		return 0.6f;
	case SHK_OP_STARTSWITH:
	case SHK_OP_BSTARTSWITH:
	case SHK_OP_PMATCH:
		return few_values(name_of(rs, t)) ? 0.3f : 0.06f;
	case SHK_OP_ENDSWITH:
	case SHK_OP_TOP:
		return 0.03f;
	default:
		return 0.08f;
	}
}

/* A number that the next event will not have again, as a time or a process id: once it is asked for, events that look
 * alike have their ways part (memoface.c), so all that they share comes first. */
static bool moves(const struct shk_ruleset *rs, const struct shk_test *t, unsigned id)
{
	const struct shk_slot *s = &rs->slots.v[t->left];

	return s->kind == SHK_OPERAND_FIELD && s->type != SHK_T_BOOL && !shk_type_is_text(s->type) &&
	       id < SHK_CALL_N && !shk_field_is_shown(&s->ref, (enum shk_call_id)id);
}

/* To look through a text takes longer than to look at its ends. */
static float cost(const struct shk_ruleset *rs, const struct shk_test *t)
{
	bool inside = t->group != UINT32_MAX && rs->group[t->group].class != SHK_GROUP_ENDS;

	return (float)t->cost + (inside ? 40.0f : 1.0f);
}

static struct shk_guess of_group(const struct shk_ruleset *rs, const struct shk_node *n,
				 const struct shk_guess *g)
{
	bool is_or = n->kind == SHK_NODE_OR;
	struct shk_guess r = { .yes = 1, .cost = 1 };

	for (uint32_t i = 0; i < n->n; i++) {
		shk_ref e = rs->edge[n->first + i];
		float p = g[e >> 1].yes;

		if (e & 1)
			p = 1 - p;
		r.cost += g[e >> 1].cost * r.yes;
		r.yes *= is_or ? 1 - p : p;
		r.moves |= g[e >> 1].moves;
	}
	if (is_or)
		r.yes = 1 - r.yes;
	return r;
}

/* What the type of event decides costs nothing, and leaves what it stands beside as it is. */
void shk_guess(const struct shk_ruleset *rs, unsigned id, const uint8_t *fold, struct shk_guess *g)
{
	for (size_t i = 0; i < rs->n_node; i++) {
		const struct shk_node *n = &rs->node[i];

		if (fold[i] != SHK_FOLD_OPEN)
			g[i] = (struct shk_guess){ .yes = fold[i] == SHK_FOLD_YES };
		else if (n->kind == SHK_NODE_TEST)
			g[i] = (struct shk_guess){ yes(rs, &rs->test[n->first]),
						   cost(rs, &rs->test[n->first]),
						   moves(rs, &rs->test[n->first], id) };
		else
			g[i] = of_group(rs, n, g);
	}
}
