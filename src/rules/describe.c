// SPDX-License-Identifier: Apache-2.0
/* What a rule needs and where it comes from, in words. */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"
#include "rules/output.h"
#include "rules/types.h"

#define TEXT_MAX ((size_t)SHK_CONDITION_MAX * 8)

/* Texts on their way into a struct shk_strs. */
struct words {
	struct shk_arena *a;
	struct shk_str *v;
	size_t n, room;
	bool failed;
};

static void add(struct words *w, struct shk_str s)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 16;
		struct shk_str *v = SHK_ARENA_ARRAY(w->a, struct shk_str, room);

		if (!v) {
			w->failed = true;
			return;
		}
		if (w->n)
			memcpy(v, w->v, w->n * sizeof(*v));
		w->v = v;
		w->room = room;
	}
	w->v[w->n++] = s;
}

static int by_bytes(const void *x, const void *y)
{
	return shk_str_cmp(*(const struct shk_str *)x, *(const struct shk_str *)y);
}

static int finish(struct words *w, struct shk_strs *ret)
{
	size_t kept = 0;

	if (w->failed)
		return -ENOMEM;
	if (w->n)
		qsort(w->v, w->n, sizeof(*w->v), by_bytes);
	for (size_t i = 0; i < w->n; i++)
		if (!kept || !shk_str_eq(w->v[i], w->v[kept - 1]))
			w->v[kept++] = w->v[i];
	*ret = (struct shk_strs){ w->v, kept };
	return 0;
}

static void operand_fields(const struct shk_operand *o, struct words *w)
{
	if (o->kind == SHK_OPERAND_FIELD)
		add(w, o->text);
	for (size_t i = 0; i < o->n; i++) /* as deep as the parser allows */
		operand_fields(&o->item[i], w);
}

static void tree_words(const struct shk_ast *e, struct words *fields, struct words *operators)
{
	if (e->kind == SHK_AST_CHECK) {
		operand_fields(&e->left, fields);
		operand_fields(&e->right, fields);
		add(operators, e->twice ? SHK_STR("==") : shk_str(shk_op_name(e->op)));
	}
	for (size_t i = 0; i < e->n; i++)
		tree_words(e->child[i], fields, operators);
}

/* Events that are no system calls, where the condition asks for them. */
static void other_events(const struct shk_ast *e, bool negate, struct words *w)
{
	enum shk_call_id ids[16];

	for (size_t i = 0; i < e->n; i++)
		other_events(e->child[i], negate != (e->kind == SHK_AST_NOT), w);
	if (e->kind != SHK_AST_CHECK || e->left.kind != SHK_OPERAND_FIELD || !e->consts ||
	    !shk_field_is_evt_type(e->left.ref.field) || (e->op == SHK_OP_NE) != negate)
		return;
	for (size_t i = 0; i < e->consts->n; i++)
		if (!shk_evt_type_calls(e->consts->c[i].v.s, ids, SHK_ARRAY_SIZE(ids)))
			add(w, e->consts->c[i].v.s);
}

static int describe_events(const struct shk_rule_def *def, struct words *w,
			   struct shk_rule_desc *ret)
{
	struct shk_call_set calls = { 0 };

	if (!shk_str_eqz(def->source, "syscall")) {
		ret->any_event = true;
		return 0;
	}
	shk_ast_calls(def->cond, &calls);
	ret->any_event = calls.any;
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (calls.bit[i / 64] >> i % 64 & 1)
			add(w, shk_str(shk_syscalls[i].evt_type));
	if (calls.other && !calls.any)
		other_events(def->cond, false, w);
	add(w, SHK_STR("asyncevent")); /* reaches every rule about system calls */
	return finish(w, &ret->events);
}

static int describe_compiled(struct shk_arena *a, const struct shk_rule_def *def,
			     struct shk_rule_desc *ret)
{
	struct words fields = { .a = a }, operators = fields, events = fields, output = fields;
	_cleanup_buf_ struct shk_buf text;
	const struct shk_output *o;
	struct shk_str f;
	int r;

	shk_buf_init(&text, TEXT_MAX);
	shk_ast_print(def->cond, &text);
	if (text.failed)
		return -ENOMEM;
	ret->condition = shk_arena_str(a, shk_buf_view(&text));
	ret->output = def->output_text;
	if (!ret->condition.p)
		return -ENOMEM;
	tree_words(def->cond, &fields, &operators);
	r = shk_output_compile(a, def->output_text, &o, NULL);
	for (size_t i = 0; r >= 0 && (f = shk_output_field(o, i)).p; i++)
		add(&output, f);
	if (r >= 0)
		r = finish(&fields, &ret->fields);
	if (r >= 0)
		r = finish(&operators, &ret->operators);
	if (r >= 0)
		r = finish(&output, &ret->output_fields);
	return r < 0 ? -ENOMEM : describe_events(def, &events, ret);
}

/* ---- what the written condition names ---- */

static void tree_macros(const struct shk_ast *e, struct words *w)
{
	if (e->kind == SHK_AST_MACRO)
		add(w, e->macro);
	for (size_t i = 0; i < e->n; i++)
		tree_macros(e->child[i], w);
}

static void named_lists(const struct shk_loader *l, struct shk_str s, struct words *w)
{
	size_t start = 0;

	for (size_t i = 0; i <= s.n; i++) {
		struct shk_str word = { s.p + start, i - start };

		if (i < s.n && !shk_list_edge(s.p[i]))
			continue;
		start = i + 1;
		if (word.n && shk_map_get(&l->lists, word))
			add(w, word);
	}
}

static int describe_written(struct shk_loader *l, struct shk_arena *a, const struct shk_rule *rule,
			    struct shk_rule_desc *ret)
{
	struct words macros = { .a = a }, lists = macros;
	struct shk_ast *e;
	struct shk_err err;
	unsigned pos;
	int r = shk_ast_parse(a, rule->cond.s, &e, &pos, &err);

	if (r == -ENOMEM)
		return r;
	/* A text that only its lists make a condition has no macros that could be told. */
	if (r >= 0)
		tree_macros(e, &macros);
	named_lists(l, rule->cond.s, &lists);
	r = finish(&macros, &ret->macros);
	return r < 0 ? r : finish(&lists, &ret->lists);
}

static int describe_exceptions(struct shk_arena *a, const struct shk_rule *rule,
			       struct shk_rule_desc *ret)
{
	struct shk_exception_desc *to;
	size_t n = 0;

	for (const struct shk_exception *x = rule->exceptions; x; x = x->next)
		n++;
	ret->exception = to = SHK_ARENA_ARRAY(a, struct shk_exception_desc, n);
	if (!to)
		return -ENOMEM;
	ret->n_exception = n;
	for (const struct shk_exception *x = rule->exceptions; x; x = x->next)
		*to++ = (struct shk_exception_desc){ .name = x->name, .field = x->field,
						     .comp = x->comp, .n = x->n,
						     .n_values = x->values.n };
	return 0;
}

/* ---- items as written ---- */

static bool is_blank_or_comment(struct shk_str s)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	return i == s.n || s.p[i] == '#' || shk_str_eqz(s, "---");
}

/* From the item's line to that of the next item, without what comes between the two. */
static struct shk_rule_part part_of(const struct shk_rnode *item)
{
	const struct shk_rfile *f = item->file;
	unsigned end = f->n_lines;
	struct shk_str last;

	if (item->next && item->next->file == f)
		end = SHK_MAX(item->next->line, item->line + 1);
	else if (item->end_line > item->line)
		end = SHK_MIN(item->end_line, f->n_lines);
	while (end > item->line + 1 && is_blank_or_comment(shk_rfile_line(f, end - 1)))
		end--;
	last = shk_rfile_line(f, end - 1);
	return (struct shk_rule_part){
		.file = f->name,
		.line = item->line + 1,
		.text = { f->text.p + f->line[item->line],
			  (size_t)(last.p + last.n - f->text.p) - f->line[item->line] },
	};
}

static int parts_of(struct shk_arena *a, const struct shk_item *h, const struct shk_rule_part **ret,
		    size_t *ret_n)
{
	struct shk_rule_part *to;
	size_t n = 1;

	for (const struct shk_amend *m = h->amends; m; m = m->before)
		n++;
	*ret = to = SHK_ARENA_ARRAY(a, struct shk_rule_part, n);
	if (!to)
		return -ENOMEM;
	*ret_n = n;
	to[0] = part_of(h->node);
	for (const struct shk_amend *m = h->amends; m; m = m->before)
		to[--n] = part_of(m->node);
	return 0;
}

int shk_loader_show(struct shk_loader *l, const char *kind, struct shk_str name,
		    struct shk_arena *a, const struct shk_rule_part **ret, size_t *n)
{
	const struct shk_item *h =
		shk_map_get(strcmp(kind, "list") == 0 ? &l->lists : &l->macros, name);
	int r = h ? parts_of(a, h, ret, n) : 0;

	return r < 0 ? r : h != NULL;
}

size_t shk_loader_rules(const struct shk_loader *l)
{
	return l->b.n_rule;
}

int shk_loader_describe(struct shk_loader *l, size_t i, struct shk_arena *a,
			struct shk_rule_desc *ret)
{
	const struct shk_rule *rule = l->t.rules.p[i];
	struct shk_rule_def def;
	int r;

	*ret = (struct shk_rule_desc){ .name = rule->h.name, .desc = rule->desc,
				       .source = rule->source, .priority = rule->priority,
				       .tags = rule->tags, .n_tags = rule->n_tags,
				       .enabled = rule->enabled, .left_out = l->b.rule[i].left_out };
	r = parts_of(a, &rule->h, &ret->part, &ret->n_part);
	if (r >= 0)
		r = describe_written(l, a, rule, ret);
	if (r >= 0)
		r = describe_exceptions(a, rule, ret);
	if (r < 0 || ret->left_out)
		return r;
	r = shk_build_def(l, i, a, &def);
	return r < 0 ? r : describe_compiled(a, &def, ret);
}
