// SPDX-License-Identifier: Apache-2.0
/* Reading the keys of an item, and texts that remember where they come from. */
#include <errno.h>

#include "rules/load.h"

#define INVALID "LOAD_ERR_YAML_VALIDATE"

static struct shk_where at_node(const struct shk_where *w, const struct shk_rnode *n)
{
	struct shk_where at = *w;

	at.at = shk_rnode_pos(n);
	return at;
}

int shk_key_str(struct shk_loader *l, const struct shk_where *w, const char *key, bool need,
		const struct shk_rnode **ret)
{
	const struct shk_rnode *n = shk_rnode_get(w->item, key);
	struct shk_where at;

	*ret = NULL;
	if (!n) {
		if (!need)
			return 0;
		return shk_load_error(l, INVALID, w, "the %s has no '%s'; add it", w->type, key);
	}
	at = at_node(w, n);
	if (n->kind == SHK_RN_SCALAR && n->text.n) {
		*ret = n;
		return 0;
	}
	if (n->kind == SHK_RN_NULL || n->kind == SHK_RN_SCALAR)
		return shk_load_error(l, INVALID, &at, "'%s' is empty; give a text", key);
	return shk_load_error(l, INVALID, &at, "'%s' must be a text", key);
}

int shk_key_bool(struct shk_loader *l, const struct shk_where *w, const char *key, bool *ret)
{
	static const char *const words[] = { "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On",
					     "ON", "y", "Y", "false", "False", "FALSE", "no", "No",
					     "NO", "off", "Off", "OFF", "n", "N" };
	const struct shk_rnode *n = shk_rnode_get(w->item, key);
	struct shk_where at;

	if (!n)
		return 0;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (n->kind == SHK_RN_SCALAR && shk_str_eqz(n->text, words[i])) {
			*ret = i < SHK_ARRAY_SIZE(words) / 2;
			return 0;
		}
	at = at_node(w, n);
	return shk_load_error(l, INVALID, &at, "'%s' must be true or false", key);
}

int shk_key_unknown(struct shk_loader *l, const struct shk_where *w, const char *const *known,
		    size_t n)
{
	for (const struct shk_rnode *c = w->item->first; c; c = c->next) {
		const char *near = NULL;
		unsigned best = 4;
		struct shk_where at;
		int r;

		for (size_t i = 0; best && i < n; i++) {
			unsigned d = shk_str_distance(c->key->text, shk_str(known[i]), best);

			if (d < best) {
				best = d;
				near = known[i];
			}
		}
		if (!best && near)
			continue;
		at = at_node(w, c->key);
		if (near)
			r = shk_load_warn(l, "LOAD_UNKNOWN_KEY", &at,
					  "unknown key '%.*s'; did you mean '%s'?",
					  SHK_STR_ARG(c->key->text), near);
		else
			r = shk_load_warn(l, "LOAD_UNKNOWN_KEY", &at, "unknown key '%.*s'; remove it",
					  SHK_STR_ARG(c->key->text));
		if (r < 0)
			return r;
	}
	return 0;
}

int shk_key_override(struct shk_loader *l, const struct shk_where *w, const char *const *keys,
		     size_t n, size_t n_append, char *ops, bool *any)
{
	const struct shk_rnode *o = shk_rnode_get(w->item, "override");
	struct shk_where at;
	bool append = false;
	int r = shk_key_bool(l, w, "append", &append);

	memset(ops, 0, n);
	*any = false;
	if (r < 0 || !o || o->kind == SHK_RN_NULL)
		return r;
	at = at_node(w, o);
	if (o->kind != SHK_RN_MAP)
		return shk_load_error(l, INVALID, &at, "'override' must be a map of keys");
	for (const struct shk_rnode *c = o->first; c; c = c->next) {
		size_t i;

		at = at_node(w, c->key);
		for (i = 0; i < n && !shk_str_eqz(c->key->text, keys[i]); i++)
			;
		if (i == n)
			return shk_load_error(l, INVALID, &at, "'%.*s' of a %s cannot be overridden",
					      SHK_STR_ARG(c->key->text), w->type);
		if (ops[i])
			continue;
		at = at_node(w, c);
		if (c->kind == SHK_RN_SCALAR && shk_str_eqz(c->text, "replace"))
			ops[i] = 'r';
		else if (c->kind == SHK_RN_SCALAR && shk_str_eqz(c->text, "append"))
			ops[i] = 'a';
		else
			return shk_load_error(l, INVALID, &at,
					      "an override is either 'append' or 'replace'");
		if (ops[i] == 'a' && i >= n_append)
			return shk_load_error(l, INVALID, &at,
					      "'%s' cannot be appended to; write replace", keys[i]);
		if (!shk_rnode_get(w->item, keys[i]))
			return shk_load_error(l, INVALID, &at,
					      "'%s' is to be overridden, but not given; add it", keys[i]);
		*any = true;
	}
	if (*any && append)
		return shk_load_error(l, INVALID, &at,
				      "'append: true' and 'override' exclude each other; keep override");
	for (size_t i = 0; *any && i < n; i++) {
		const struct shk_rnode *c = shk_rnode_get(w->item, keys[i]);

		if (!c || ops[i])
			continue;
		at = at_node(w, c->key);
		return shk_load_error(l, INVALID, &at,
				      "'%s' is given, but not listed in 'override'; list it", keys[i]);
	}
	return 0;
}

int shk_text_of(struct shk_loader *l, const struct shk_rnode *n, bool trim, struct shk_text *ret)
{
	*ret = (struct shk_text){ .s = n->text, .n = 1 };
	ret->piece = SHK_ARENA_NEW(&l->a, struct shk_piece);
	if (!ret->piece)
		return -ENOMEM;
	ret->piece[0] = (struct shk_piece){ .node = n, .exact = true };
	if (!trim)
		return 0;
	while (ret->s.n && strchr(" \t\r\n\v\f", ret->s.p[ret->s.n - 1]))
		ret->s.n--;
	while (ret->s.n && strchr(" \t\r\n\v\f", ret->s.p[0])) {
		ret->s.p++;
		ret->s.n--;
	}
	return 0;
}

int shk_text_join(struct shk_loader *l, const struct shk_text *x, const struct shk_rnode *n,
		  struct shk_text *ret)
{
	size_t len = x->s.n + 1 + n->text.n;
	char *p = shk_arena_alloc_raw(&l->a, len + 1);
	struct shk_text t = { .s = { p, len }, .n = x->n + 1 };

	t.piece = SHK_ARENA_ARRAY(&l->a, struct shk_piece, t.n);
	if (!p || !t.piece)
		return -ENOMEM;
	memcpy(p, x->s.p, x->s.n);
	p[x->s.n] = ' ';
	memcpy(p + x->s.n + 1, n->text.p, n->text.n);
	p[len] = '\0';
	memcpy(t.piece, x->piece, x->n * sizeof(*t.piece));
	t.piece[x->n] = (struct shk_piece){ .start = x->s.n + 1, .node = n, .exact = true };
	*ret = t;
	return 0;
}

const struct shk_rnode *shk_text_at(const struct shk_text *t, size_t at, struct shk_rpos *ret)
{
	const struct shk_piece *p = t->piece;

	for (size_t i = 1; i < t->n && t->piece[i].start <= at; i++)
		p = &t->piece[i];
	*ret = p->exact && at >= p->start ? shk_rnode_pos_in(p->node, at - p->start) :
					    shk_rnode_pos(p->node);
	return p->node;
}
