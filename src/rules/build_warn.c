// SPDX-License-Identifier: Apache-2.0
/* What a rule that is built is warned of (FALCO_RULE_LANGUAGE sections 10, 15, 16, 22). */
#include <errno.h>

#include "rules/load.h"

#define MANY_CALLS 100 /* more are hardly meant */

/* Fields whose going out of use Falco warns of, so that no second warning is needed. */
static const char *const dead[] = { "evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns",
				    "evt.latency.human", "evt.wait_latency" };

/* Not a warning of Falco's: what it has no value for, either, it loads silently. Once per field. */
static int warn_no_value(struct shk_build_job *j, const struct shk_where *w,
			 const struct shk_field *f, const char *so)
{
	if (!(f->flags & SHK_F_NEVER) || j->n_missing == SHK_ARRAY_SIZE(j->missing) ||
	    !shk_str_eqz(j->r->source, "syscall"))
		return 0;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(dead); i++)
		if (!strcmp(f->name, dead[i]))
			return 0;
	for (unsigned i = 0; i < j->n_missing; i++)
		if (j->missing[i] == f)
			return 0;
	j->missing[j->n_missing++] = f;
	return shk_load_warn(j->b->l, "SHRIKE_NO_VALUE", w, "%s never has a value here, so %s (%s)",
			     f->name, so, shk_field_origin(f));
}

/* ---- outputs ---- */

static bool mentions(struct shk_str s, const char *text)
{
	return s.n && memmem(s.p, s.n, text, strlen(text));
}

/* The texts of fields that print nothing useful any more, wherever they stand. */
static int warn_dead_text(struct shk_build_job *j, const struct shk_where *w, struct shk_str s)
{
	int r = 0;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(dead) && r >= 0; i++)
		if (mentions(s, dead[i]))
			r = shk_load_warn(j->b->l, "LOAD_DEPRECATED_ITEM", w,
					  "%s says nothing any more; remove it from the output",
					  dead[i]);
	return r;
}

int shk_build_warn_container_info(struct shk_build_job *j, const struct shk_rule_def *def)
{
	struct shk_where w = shk_where_node("rule", j->r->h.name, j->r->h.node, NULL, NULL);

	if (!mentions(def->output_text, "%container.info"))
		return 0;
	return shk_load_warn(j->b->l, "LOAD_DEPRECATED_ITEM", &w,
			     "%%container.info says nothing any more; remove it from the output");
}

int shk_build_warn_output(struct shk_build_job *j, const struct shk_where *w,
			  const struct shk_rule_def *def, const struct shk_output *o)
{
	struct shk_field_ref ref;
	struct shk_str name;
	int r = 0;

	for (size_t i = 0; r >= 0 && (name = shk_output_field(o, i)).p; i++)
		if (shk_field_parse(name, &ref, NULL) == 0)
			r = warn_no_value(j, w, ref.field, "it prints <NA>");
	j->n_missing = 0; /* in a condition it means more */
	if (r >= 0)
		r = warn_dead_text(j, w, def->output_text);
	for (size_t i = 0; i < def->n_extra && r >= 0; i++)
		r = warn_dead_text(j, w, def->extra[i].format);
	return r;
}

/* ---- conditions: what is said of every one that has been parsed ---- */

struct seen {
	bool na;	/* a field of a plugin is compared with the text <NA> */
	unsigned dead;	/* bit per field of dead[] */
};

static bool is_unsafe(struct shk_str field)
{
	return shk_str_starts(field, SHK_STR("ka.")) || shk_str_starts(field, SHK_STR("jevt."));
}

/* Is the last field of an operand one of those? That is what counts for a call of a transformer. */
static void look_operand(const struct shk_operand *o, struct seen *s, bool *unsafe)
{
	for (size_t i = 0; o->kind == SHK_OPERAND_FIELD && i < SHK_ARRAY_SIZE(dead); i++)
		if (shk_str_eqz(o->text, dead[i]))
			s->dead |= 1u << i;
	if (o->kind == SHK_OPERAND_FIELD)
		*unsafe = is_unsafe(o->text);
	for (size_t i = 0; i < o->n; i++)
		look_operand(&o->item[i], s, unsafe);
}

static bool is_na(const struct shk_operand *o)
{
	return o->kind == SHK_OPERAND_TEXT && shk_str_eqz(o->text, "<NA>");
}

static void look(const struct shk_ast *e, struct seen *s)
{
	bool unsafe = false, right = false;
	const struct shk_operand *o = &e->right;

	for (size_t i = 0; i < e->n; i++)
		look(e->child[i], s);
	if (e->kind != SHK_AST_CHECK)
		return;
	look_operand(&e->left, s, &unsafe);
	look_operand(o, s, &right);
	if (!unsafe || (e->op != SHK_OP_EQ && e->op != SHK_OP_NE && e->op < SHK_OP_IN))
		return;
	s->na |= is_na(o);
	for (size_t i = 0; o->kind == SHK_OPERAND_LIST && i < o->n; i++)
		s->na |= is_na(&o->item[i]);
}

int shk_build_warn_parsed(struct shk_build_job *j)
{
	struct seen s = { 0 };
	int r = 0;

	look(j->e, &s);
	if (s.na)
		r = shk_load_warn(j->b->l, "LOAD_UNSAFE_NA_CHECK", &j->where,
				  "a missing value is never the text <NA>, and what is not missing can be; "
				  "write 'exists'");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(dead) && r >= 0; i++)
		if (s.dead & 1u << i)
			r = shk_load_warn(j->b->l, "LOAD_DEPRECATED_ITEM", &j->where,
					  "%s says nothing any more, as calls are seen when they "
					  "end; remove it from the condition", dead[i]);
	return r;
}

/* ---- and of one that is right ---- */

static void warn_field(struct shk_build_job *j, const struct shk_operand *o)
{
	if (j->result >= 0 && o->kind == SHK_OPERAND_FIELD)
		j->result = warn_no_value(j, &j->where, o->ref.field, "no comparison with it holds");
	for (size_t i = 0; i < o->n; i++)
		warn_field(j, &o->item[i]);
}

static void warn_tree(struct shk_build_job *j, const struct shk_ast *e)
{
	if (e->kind == SHK_AST_CHECK) {
		warn_field(j, &e->left);
		warn_field(j, &e->right);
		if (j->result >= 0 && e->consts && shk_list_never_equal(&e->left))
			j->result = shk_load_warn(j->b->l, "SHRIKE_NEVER_EQUAL", &j->where,
						  "%s() of a list equals no constant, as in Falco; write "
						  "the list's words as they are",
						  shk_transform_name(e->left.call));
	}
	for (size_t i = 0; i < e->n && j->result >= 0; i++)
		warn_tree(j, e->child[i]);
}

static void on_constant(const char *text, unsigned pos, void *arg)
{
	struct shk_build_job *j = arg;

	(void)pos; /* of the rule's text or of a macro's: not said */
	if (j->result >= 0)
		j->result = shk_load_warn(j->b->l, "LOAD_COMPILE_CONDITION", &j->where, "%s", text);
}

int shk_build_warn_typed(struct shk_build_job *j)
{
	struct shk_where w = shk_where_node("rule", j->r->h.name, j->r->h.node, NULL, NULL);
	struct shk_call_set calls = { 0 };
	unsigned n = 0;

	j->result = 0;
	if (!shk_str_eqz(j->r->source, "syscall"))
		j->result = shk_load_warn(j->b->l, "SHRIKE_NO_VALUE", &w,
					  "there are no events of source %.*s here, so the rule never "
					  "matches", SHK_STR_ARG(j->r->source));
	warn_tree(j, j->e);
	shk_ast_warn(j->e, on_constant, j);
	if (j->result < 0 || !j->r->warn_evttypes || !shk_str_eqz(j->r->source, "syscall"))
		return j->result;
	shk_ast_calls(j->e, &calls);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(calls.bit); i++)
		n += (unsigned)__builtin_popcountll(calls.bit[i]);
	if (!n && !calls.other)
		return shk_load_warn(j->b->l, "LOAD_NO_EVTTYPE", &w,
				     "the condition is true for no event: its event types exclude each "
				     "other");
	if (!calls.any && n <= MANY_CALLS)
		return 0;
	return shk_load_warn(j->b->l, "LOAD_NO_EVTTYPE", &w,
			     "the condition is tried on nearly every call; add evt.type in (...)");
}
