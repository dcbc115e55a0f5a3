// SPDX-License-Identifier: Apache-2.0
/* What was collected is compiled, rule by rule (FALCO_RULE_LANGUAGE section 4, steps 2 to 6). */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"
#include "rules/output.h"

#define CONDITION "LOAD_ERR_COMPILE_CONDITION"
#define MANY_CALLS 100 /* more are hardly meant */

/* One rule on its way. */
struct job {
	struct shk_build *b;
	const struct shk_rule *r;
	struct shk_arena *a;	/* all of the rule is in it */
	struct shk_text cond;	/* with exceptions */
	struct shk_where where; /* the rule's condition */
	struct shk_ast *e;
	unsigned warned;	/* bit per field of dead[] */
	const struct shk_field *missing[16]; /* without values, named so far */
	unsigned n_missing;
	int result;
};

static bool source_known(struct shk_str s)
{
	struct shk_field_ref ref;
	struct shk_err err;

	if (shk_str_eqz(s, "syscall"))
		return true;
	return shk_str_eqz(s, "k8s_audit") && shk_field_parse(SHK_STR("ka.verb"), &ref, &err) >= 0;
}

/* Fields whose going out of use Falco warns of, so that no second warning is needed. */
static const char *const dead[] = { "evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns",
				    "evt.latency.human", "evt.wait_latency" };

/* Not a warning of Falco's: what it has no value for, either, it loads silently. Once per field. */
static int warn_no_value(struct job *j, const struct shk_where *w, const struct shk_field *f,
			 const char *so)
{
	if (!(f->flags & SHK_F_NEVER) || j->n_missing == SHK_ARRAY_SIZE(j->missing))
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

/* The texts of fields that print nothing useful any more. */
static int warn_output(struct job *j, const struct shk_where *w, const struct shk_output *o)
{
	static const char *const texts[] = { "%container.info", "evt.dir", "evt.latency",
					     "evt.wait_latency" };
	struct shk_str s = j->r->output.s, name;
	struct shk_field_ref ref;
	int r = 0;

	for (size_t i = 0; r >= 0 && (name = shk_output_field(o, i)).p; i++)
		if (shk_field_parse(name, &ref, NULL) == 0)
			r = warn_no_value(j, w, ref.field, "it prints <NA>");
	j->n_missing = 0; /* in a condition it means more */
	for (size_t i = 0; i < SHK_ARRAY_SIZE(texts) && r >= 0; i++)
		if (memmem(s.p, s.n, texts[i], strlen(texts[i])))
			r = shk_load_warn(j->b->l, "LOAD_DEPRECATED_ITEM", w,
					  "%s says nothing any more; remove it from the output",
					  texts[i]);
	return r;
}

static int output_of(struct job *j, struct shk_rule_def *def, bool *left_out)
{
	struct shk_loader *l = j->b->l;
	const struct shk_rnode *n = j->r->output.piece[0].node;
	struct shk_where w = shk_where_node("rule", j->r->h.name, j->r->h.node, n, "rule output");
	const struct shk_output *o;
	struct shk_err err;
	int r;

	w.file = n->file;
	if (j->r->output.s.n > SHK_CONDITION_MAX)
		return shk_load_error(l, "LOAD_ERR_COMPILE_OUTPUT", &w,
				      "the output has more than %u bytes; shorten it", SHK_CONDITION_MAX);
	r = shk_extra_apply(l, j->a, j->r, def, &o, &err);
	if (r >= 0)
		return warn_output(j, &w, o);
	if (r == -ENOMEM)
		return r;
	*left_out = j->r->skip_unknown;
	if (*left_out)
		return shk_load_warn(l, "LOAD_UNKNOWN_FILTER", &w, "the rule is left out: %s", err.text);
	return shk_load_error(l, "LOAD_ERR_COMPILE_OUTPUT", &w, "%s", err.text);
}

/* ---- warnings about a good condition ---- */

static void warn_field(struct job *j, const struct shk_operand *o)
{
	if (j->result >= 0 && o->kind == SHK_OPERAND_FIELD)
		j->result = warn_no_value(j, &j->where, o->ref.field, "no comparison with it holds");
	for (size_t i = 0; o->kind == SHK_OPERAND_FIELD && i < SHK_ARRAY_SIZE(dead); i++)
		if (j->result >= 0 && !(j->warned & 1u << i) && shk_str_eqz(o->text, dead[i])) {
			j->warned |= 1u << i;
			j->result = shk_load_warn(j->b->l, "LOAD_DEPRECATED_ITEM", &j->where,
						  "%s says nothing any more, as calls are seen when they "
						  "end; remove it from the condition", dead[i]);
		}
	for (size_t i = 0; i < o->n; i++)
		warn_field(j, &o->item[i]);
}

static void warn_na(struct job *j, const struct shk_ast *e)
{
	const struct shk_operand *o = &e->right;
	bool op = e->op == SHK_OP_EQ || e->op == SHK_OP_NE || e->op >= SHK_OP_IN;
	bool na = o->kind == SHK_OPERAND_TEXT && shk_str_eqz(o->text, "<NA>");

	if (!op || e->left.kind != SHK_OPERAND_FIELD ||
	    (!shk_str_starts(e->left.text, SHK_STR("ka.")) &&
	     !shk_str_starts(e->left.text, SHK_STR("jevt."))))
		return;
	for (size_t i = 0; o->kind == SHK_OPERAND_LIST && i < o->n; i++)
		na |= shk_str_eqz(o->item[i].text, "<NA>");
	if (na && j->result >= 0)
		j->result = shk_load_warn(j->b->l, "LOAD_UNSAFE_NA_CHECK", &j->where,
					  "%.*s is never the text <NA>; write 'exists'",
					  SHK_STR_ARG(e->left.text));
}

static void warn_tree(struct job *j, const struct shk_ast *e)
{
	if (e->kind == SHK_AST_CHECK) {
		warn_field(j, &e->left);
		warn_field(j, &e->right);
		warn_na(j, e);
	}
	for (size_t i = 0; i < e->n && j->result >= 0; i++)
		warn_tree(j, e->child[i]);
}

static void on_constant(const char *text, unsigned pos, void *arg)
{
	struct job *j = arg;

	(void)pos; /* of the rule's text or of a macro's: not said */
	if (j->result >= 0)
		j->result = shk_load_warn(j->b->l, "LOAD_COMPILE_CONDITION", &j->where, "%s", text);
}

static int warnings(struct job *j)
{
	struct shk_call_set calls = { 0 };
	unsigned n = 0;

	j->result = 0;
	warn_tree(j, j->e);
	shk_ast_warn(j->e, on_constant, j);
	if (j->result < 0 || !j->r->warn_evttypes || !shk_str_eqz(j->r->source, "syscall"))
		return j->result;
	shk_ast_calls(j->e, &calls);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(calls.bit); i++)
		n += (unsigned)__builtin_popcountll(calls.bit[i]);
	if (!n && !calls.other)
		return shk_load_warn(j->b->l, "LOAD_NO_EVTTYPE", &j->where,
				     "the condition is true for no event: its event types exclude each "
				     "other");
	if (!calls.any && n <= MANY_CALLS)
		return 0;
	return shk_load_warn(j->b->l, "LOAD_NO_EVTTYPE", &j->where,
			     "the condition is tried on nearly every call; add evt.type in (...)");
}

/* ---- types ---- */

static int type_error(struct job *j, const struct shk_text *cond, unsigned pos, int r,
		      const struct shk_err *err)
{
	struct shk_where at = j->where;
	int r2 = shk_build_locate(j->b, cond, pos, &at);

	if (r2 < 0)
		return r2;
	if (r == -ENOENT && j->r->skip_unknown)
		return shk_load_warn(j->b->l, "LOAD_UNKNOWN_FILTER", &at,
				     "the rule is left out: %s", err->text);
	return shk_load_error(j->b->l, CONDITION, &at, "%s", err->text);
}

static bool contains(const struct shk_ast *e, const struct shk_ast *part)
{
	if (e == part)
		return true;
	for (size_t i = 0; i < e->n; i++)
		if (contains(e->child[i], part))
			return true;
	return false;
}

/* What belongs to macros must not be of the rule's memory. Those with an error are left as they are, for the
 * rule will meet it. */
static int type_macros(struct job *j)
{
	struct shk_build *b = j->b;

	for (size_t i = 0; i < b->n_uses; i++) {
		struct shk_err err;
		unsigned pos;

		if (b->uses[i] & 1 &&
		    shk_ast_type(&b->a, b->macro[b->uses[i] >> 1].cond, &pos, &err) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

/* The offset of a type error is one of the text its node was parsed from: the rule's or a macro's. The
 * smallest tree that has the error is the innermost macro at fault. 1: the rule is left out. */
static int check_types(struct job *j)
{
	const struct shk_text *cond = &j->cond;
	unsigned pos, least = UINT32_MAX;
	struct shk_err err;
	int r = type_macros(j);

	if (r >= 0)
		r = shk_ast_type(j->a, j->e, &pos, &err);
	if (r >= 0 || r == -ENOMEM)
		return r;
	for (size_t i = 0; i < j->b->n_macro; i++) {
		struct shk_build_macro *m = &j->b->macro[i];
		struct shk_err e2;
		unsigned p2;
		int r2;

		if (m->height >= least || !contains(j->e, m->cond))
			continue;
		r2 = shk_ast_type(&j->b->a, m->cond, &p2, &e2);
		if (r2 >= 0)
			continue;
		least = m->height;
		cond = &m->m->cond;
		pos = p2;
		err = e2;
		r = r2;
	}
	r = type_error(j, cond, pos, r, &err);
	return r < 0 ? r : 1;
}

/* 1: compiled, 0: left out with a warning. */
static int build_rule(struct job *j, struct shk_rule_def *def)
{
	const struct shk_rule *rule = j->r;
	bool left_out = false;
	int r;

	j->where = shk_where_node("rule", rule->h.name, rule->h.node, rule->cond.piece[0].node,
				  "rule condition");
	j->where.file = rule->cond.piece[0].node->file;
	if (!source_known(rule->source))
		return shk_load_warn(j->b->l, "LOAD_UNKNOWN_SOURCE", &j->where,
				     "the rule is left out: there are no events of source '%.*s'",
				     SHK_STR_ARG(rule->source));
	*def = (struct shk_rule_def){ .name = rule->h.name, .desc = rule->desc,
				      .source = rule->source, .priority = rule->priority,
				      .tags = rule->tags, .n_tags = rule->n_tags };
	r = output_of(j, def, &left_out);
	if (r < 0 || left_out)
		return r;
	r = shk_build_exceptions(j->a, rule, &j->cond);
	if (r == -E2BIG)
		return shk_load_error(j->b->l, CONDITION, &j->where,
				      "the condition has more than %u bytes with its exceptions; shorten them",
				      SHK_CONDITION_MAX);
	if (r >= 0)
		r = shk_build_parse(j->b, j->a, &j->cond, &j->where, &j->e);
	if (r >= 0)
		r = shk_build_use_macros(j->b, j->e);
	if (r >= 0)
		r = shk_build_resolve(j->b, &j->e, &j->cond, &j->where);
	if (r >= 0)
		r = check_types(j);
	if (r)
		return r < 0 ? r : 0;
	def->cond = j->e;
	return 1;
}

int shk_build_def(struct shk_loader *l, size_t rule, struct shk_arena *a, struct shk_rule_def *ret)
{
	struct job j = { .b = &l->b, .r = l->t.rules.p[rule], .a = a };
	int r;

	l->muted = true; /* it was said before */
	shk_build_begin(&l->b);
	r = build_rule(&j, ret);
	l->muted = false;
	return r == 1 ? 0 : -ENOMEM;
}

/* A rule whose tree is too large for its memory is no lack of memory. */
static int too_large(struct job *j)
{
	return j->a->failed ? shk_load_error(j->b->l, CONDITION, &j->where,
					     "compiling the condition takes more than %u MB; simplify it",
					     SHK_RULE_TREE_MAX >> 20) :
			      -ENOMEM;
}

static int build_rules(struct shk_build *b)
{
	struct shk_arena a;
	int r = 0;

	shk_arena_init(&a, SHK_RULE_TREE_MAX);
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_RULE] && r >= 0; i++) {
		uint32_t at = b->todo[SHK_UNIT_RULE][i];
		struct job j = { .b = b, .r = b->l->t.rules.p[at], .a = &a };
		struct shk_build_rule *to = &b->rule[at];
		struct shk_rule_def def;

		b->failing = at;
		shk_arena_reset(&a);
		shk_build_begin(b);
		r = build_rule(&j, &def);
		to->left_out = r == 0;
		if (r > 0)
			r = warnings(&j);
		if (r == -ENOMEM)
			r = too_large(&j);
		if (r >= 0)
			r = shk_build_end(b, SHK_UNIT_RULE, at);
		to->diag = (struct shk_diag **)b->said.p;
		to->n_diag = (uint32_t)b->said.n;
	}
	shk_arena_done(&a);
	return r;
}

int shk_build_unused(struct shk_build *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_macro && r >= 0; i++) {
		const struct shk_item *h = &b->macro[i].m->h;

		if (!b->macro[i].used) {
			struct shk_where w = shk_where_node("macro", h->name, h->node, NULL, NULL);

			r = shk_load_warn(b->l, "LOAD_UNUSED_MACRO", &w,
					  "no rule or macro uses the macro '%.*s'; remove it",
					  SHK_STR_ARG(h->name));
		}
	}
	for (size_t i = 0; i < b->n_list && r >= 0; i++) {
		const struct shk_item *h = &b->list[i].l->h;

		if (!b->list[i].used) {
			struct shk_where w = shk_where_node("list", h->name, h->node, NULL, NULL);

			r = shk_load_warn(b->l, "LOAD_UNUSED_LIST", &w,
					  "no condition or list uses the list '%.*s'; remove it",
					  SHK_STR_ARG(h->name));
		}
	}
	return r;
}

/* What was said on the way to an error: of rules before the one with it, and of that one. */
static int keep_said(struct shk_build *b)
{
	int r = 0;

	for (size_t i = 0; i < b->failing && r >= 0; i++)
		for (uint32_t k = 0; k < b->rule[i].n_diag && r >= 0; k++)
			r = shk_diag_keep(b->l, b->rule[i].diag[k]);
	for (size_t i = 0; i < b->said.n && r >= 0; i++)
		r = shk_diag_keep(b->l, b->said.p[i]);
	return r;
}

int shk_loader_build(struct shk_loader *l)
{
	struct shk_build *b = &l->b;
	bool all;
	int r, r2;

	b->failing = 0;
	shk_build_begin(b);
	l->building = true;
	r = shk_depend_mark(b);
	all = b->n_todo[SHK_UNIT_RULE] == b->n_rule && b->n_todo[SHK_UNIT_MACRO] == b->n_macro;
	if (r >= 0)
		r = shk_build_lists(b);
	if (r >= 0)
		r = shk_build_macros(b);
	if (r >= 0)
		r = build_rules(b);
	l->building = false;
	if (r < 0) {
		r2 = r == -EINVAL ? keep_said(b) : 0;
		return r2 < 0 ? r2 : r;
	}
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_LIST]; i++)
		b->list[b->todo[SHK_UNIT_LIST][i]].b.dirty = false;
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_MACRO]; i++)
		b->macro[b->todo[SHK_UNIT_MACRO][i]].b.dirty = false;
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_RULE]; i++)
		b->rule[b->todo[SHK_UNIT_RULE][i]].b.dirty = false;
	memset(b->n_todo, 0, sizeof(b->n_todo));
	if (all)
		b->a_fresh = b->a.used;
	return 0;
}

void shk_build_init(struct shk_loader *l)
{
	l->b.l = l;
	shk_arena_init(&l->b.a, SHK_BUILD_MAX);
}

void shk_build_done(struct shk_build *b)
{
	for (size_t i = 0; i < b->n_list; i++)
		free((char *)(uintptr_t)b->list[i].joined.p);
	for (unsigned i = 0; i < SHK_UNIT_N; i++)
		free(b->todo[i]);
	free(b->list);
	free(b->macro);
	free(b->rule);
	free(b->uses);
	free(b->link);
	free(b->head);
	shk_arena_done(&b->a);
}
