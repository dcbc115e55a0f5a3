// SPDX-License-Identifier: Apache-2.0
/* The items of a file go into the loader's tables (FALCO_RULE_LANGUAGE sections 2, 3). */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"

#define INVALID	   "LOAD_ERR_YAML_VALIDATE"
#define DEPRECATED "LOAD_DEPRECATED_ITEM"

struct shk_vec *shk_table_of(struct shk_loader *l, enum shk_unit unit)
{
	return unit == SHK_UNIT_LIST ? &l->t.lists : unit == SHK_UNIT_MACRO ? &l->t.macros : &l->t.rules;
}

struct shk_map *shk_map_of(struct shk_loader *l, enum shk_unit unit)
{
	return unit == SHK_UNIT_LIST ? &l->lists : unit == SHK_UNIT_MACRO ? &l->macros : &l->rules;
}

int shk_collect_changed(struct shk_loader *l, enum shk_unit unit, uint32_t index, struct shk_item *old)
{
	if (l->n_change == l->room_change) {
		size_t room = l->room_change ? l->room_change * 2 : 64;
		struct shk_change *v = reallocarray(l->change, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->change = v;
		l->room_change = room;
	}
	l->change[l->n_change++] = (struct shk_change){ unit, index, old };
	return 0;
}

int shk_collect_put(struct shk_loader *l, enum shk_unit unit, struct shk_item *rec,
		    const struct shk_item *old)
{
	struct shk_vec *v = shk_table_of(l, unit);

	if (v->n >= SHK_ITEMS_MAX && !old) {
		struct shk_where w = shk_where_node(NULL, rec->name, rec->node, NULL, NULL);

		return shk_load_error(l, "LOAD_ERR_VALIDATE", &w, "more than the limit of %u lists, macros or "
				      "rules; load fewer", SHK_ITEMS_MAX);
	}
	rec->visible = l->counter++;
	rec->index = old ? old->index : (unsigned)v->n;
	rec->order = old ? old->order : rec->visible;
	if (shk_collect_changed(l, unit, rec->index, (struct shk_item *)(uintptr_t)old) < 0)
		return -ENOMEM;
	if (old)
		v->p[old->index] = rec;
	else if (shk_vec_push(&l->a, v, rec) < 0)
		return -ENOMEM;
	return shk_map_set(shk_map_of(l, unit), rec->name, rec);
}

int shk_collect_amend(struct shk_loader *l, struct shk_item *rec, const struct shk_item *old,
		      const struct shk_rnode *node)
{
	struct shk_amend *a = SHK_ARENA_NEW(&l->a, struct shk_amend);

	if (!a)
		return -ENOMEM;
	*a = (struct shk_amend){ node, old->amends };
	rec->node = old->node;
	rec->amends = a;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool good_macro_name(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!alpha && (!i || (c != '_' && (c < '0' || c > '9'))))
			return false;
	}
	return true;
}

static bool good_list_name(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_blank(s.p[i]) || strchr("()\"'=,", s.p[i]))
			return false;
	return true;
}

/* What append and override ask of a list or a macro: 0 define, 'a', 'r'. */
static int operation(struct shk_loader *l, const struct shk_where *w, const char *key,
		     const struct shk_item *old, char *ret)
{
	bool append = false, any;
	int r = shk_key_override(l, w, &key, 1, 1, ret, &any);

	if (r >= 0)
		r = shk_key_bool(l, w, "append", &append);
	if (r < 0)
		return r;
	if (append) {
		*ret = 'a';
		r = shk_load_warn(l, DEPRECATED, w, "'append' is deprecated; write override: {%s: "
				  "append}", key);
		if (r < 0)
			return r;
	}
	if (*ret == 'a' && !old)
		return shk_load_error(l, "LOAD_ERR_VALIDATE", w,
				      "%s '%.*s' does not exist, nothing to append to; define it first",
				      w->type, SHK_STR_ARG(w->name));
	return 0;
}

static int collect_list(struct shk_loader *l, const struct shk_rnode *item)
{
	static const char *const known[] = { "list", "items", "append", "override" };
	struct shk_where w = shk_where_node("list", (struct shk_str){ "", 0 }, item, NULL, NULL);
	struct shk_list *rec = SHK_ARENA_NEW(&l->a, struct shk_list);
	const struct shk_rnode *name, *items;
	const struct shk_list *old;
	struct shk_str *to;
	size_t n = 0;
	char op = 0;
	int r;

	if (!rec)
		return -ENOMEM;
	r = shk_key_str(l, &w, "list", true, &name);
	if (r < 0)
		return r;
	rec->h.name = w.name = name->text;
	rec->h.node = item;
	old = shk_map_get(&l->lists, name->text);
	if (!good_list_name(name->text))
		r = shk_load_warn(l, "LOAD_INVALID_LIST_NAME", &w,
				  "no condition can name the list '%.*s'; leave out blanks, quotes, "
				  "parentheses, '=' and ','", SHK_STR_ARG(name->text));
	if (r >= 0)
		r = operation(l, &w, "items", old ? &old->h : NULL, &op);
	if (r >= 0)
		r = shk_key_unknown(l, &w, known, SHK_ARRAY_SIZE(known));
	if (r < 0)
		return r;
	items = shk_rnode_get(item, "items");
	if (!items || items->kind != SHK_RN_SEQ)
		return shk_load_error(l, INVALID, &w, "the list '%.*s' has no sequence 'items'; add it",
				      SHK_STR_ARG(name->text));
	for (const struct shk_rnode *c = items->first; c; c = c->next, n++) {
		if (c->kind == SHK_RN_SCALAR)
			continue;
		w.at = shk_rnode_pos(c);
		return shk_load_error(l, INVALID, &w, "an item of a list must be a word or a text");
	}
	if (op == 'a') {
		*rec = (struct shk_list){ rec->h, old->item, old->n, old->room };
		n += old->n;
	}
	to = (struct shk_str *)(uintptr_t)rec->item;
	if (n > rec->room || !to) {
		/* What is appended to once is appended to again. What stands behind the old one's end is nobody's:
		 * a file that was undone may have put something there. */
		rec->room = op == 'a' ? n * 2 : n;
		to = SHK_ARENA_ARRAY(&l->a, struct shk_str, rec->room);
		if (!to)
			return -ENOMEM;
		if (rec->n)
			memcpy(to, rec->item, rec->n * sizeof(*to));
		rec->item = to;
	}
	for (const struct shk_rnode *c = items->first; c; c = c->next)
		to[rec->n++] = c->text;
	if (op == 'a' && shk_collect_amend(l, &rec->h, &old->h, item) < 0)
		return -ENOMEM;
	return shk_collect_put(l, SHK_UNIT_LIST, &rec->h, old ? &old->h : NULL);
}

static int collect_macro(struct shk_loader *l, const struct shk_rnode *item)
{
	static const char *const known[] = { "macro", "condition", "append", "override" };
	struct shk_where w = shk_where_node("macro", (struct shk_str){ "", 0 }, item, NULL, NULL);
	struct shk_macro *rec = SHK_ARENA_NEW(&l->a, struct shk_macro);
	const struct shk_rnode *name, *cond = NULL;
	const struct shk_macro *old;
	char op = 0;
	int r;

	if (!rec)
		return -ENOMEM;
	r = shk_key_str(l, &w, "macro", true, &name);
	if (r < 0)
		return r;
	rec->h.name = w.name = name->text;
	rec->h.node = item;
	old = shk_map_get(&l->macros, name->text);
	if (!good_macro_name(name->text))
		r = shk_load_warn(l, "LOAD_INVALID_MACRO_NAME", &w,
				  "no condition can name the macro '%.*s'; use letters, digits and '_'",
				  SHK_STR_ARG(name->text));
	if (r >= 0)
		r = operation(l, &w, "condition", old ? &old->h : NULL, &op);
	if (r >= 0)
		r = shk_key_unknown(l, &w, known, SHK_ARRAY_SIZE(known));
	if (r >= 0)
		r = shk_key_str(l, &w, "condition", true, &cond);
	if (r < 0)
		return r;
	r = op == 'a' ? shk_text_join(l, &old->cond, cond, &rec->cond) :
			shk_text_of(l, cond, false, &rec->cond);
	if (r >= 0 && op == 'a')
		r = shk_collect_amend(l, &rec->h, &old->h, item);
	if (r < 0)
		return r;
	return shk_collect_put(l, SHK_UNIT_MACRO, &rec->h, old ? &old->h : NULL);
}

static int collect_item(struct shk_loader *l, const struct shk_rnode *item)
{
	struct shk_where w = shk_where_node(NULL, (struct shk_str){ "", 0 }, item, NULL, NULL);

	l->item = item;
	if (item->kind == SHK_RN_NULL)
		return 0;
	if (item->kind != SHK_RN_MAP)
		return shk_load_error(l, INVALID, &w,
				      "an item must be a map; write '- rule: name' and its keys");
	if (shk_rnode_get(item, "required_engine_version") ||
	    shk_rnode_get(item, "required_plugin_versions"))
		return shk_collect_required(l, item);
	if (shk_rnode_get(item, "list"))
		return collect_list(l, item);
	if (shk_rnode_get(item, "macro"))
		return collect_macro(l, item);
	if (shk_rnode_get(item, "rule"))
		return shk_collect_rule(l, item);
	return shk_load_warn(l, "LOAD_UNKNOWN_ITEM", &w,
			     "this item is ignored: it is no list, macro or rule");
}

int shk_collect_file(struct shk_loader *l, const struct shk_rfile *f, const struct shk_rnode *root)
{
	int r = 0;

	for (; root && r >= 0; root = root->next) {
		struct shk_where w = { .file = f, .at = shk_rnode_pos(root) };

		if (root->kind == SHK_RN_NULL)
			continue;
		if (root->kind != SHK_RN_SEQ)
			return shk_load_error(l, INVALID, &w, "a rule file is a sequence of items; "
					      "begin each with '- '");
		for (const struct shk_rnode *c = root->first; c && r >= 0; c = c->next)
			r = collect_item(l, c);
	}
	return r;
}
