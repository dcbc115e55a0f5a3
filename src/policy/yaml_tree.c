// SPDX-License-Identifier: Apache-2.0
#include "policy/yaml_tree.h"

#include <errno.h>
#include <yaml.h>

struct builder {
	struct shk_arena *a;
	const char *file;
	struct shk_err *err;
	struct shk_ynode *roots, *last_root;
	struct shk_ynode *at; /* innermost open collection */
	bool have_key;
	struct shk_str key;
	unsigned key_line, key_column, depth;
};

static int fail(struct builder *b, const yaml_mark_t *m, const char *what)
{
	return shk_err_set(b->err, EINVAL, "%s:%zu:%zu: %s", b->file, m->line + 1, m->column + 1,
			   what);
}

const struct shk_ynode *shk_ynode_get(const struct shk_ynode *map, const char *key)
{
	for (const struct shk_ynode *c = map->kind == SHK_Y_MAP ? map->first : NULL; c; c = c->next)
		if (shk_str_eqz(c->key, key))
			return c;
	return NULL;
}

static int take_key(struct builder *b, const yaml_event_t *e)
{
	const char *p = (const char *)e->data.scalar.value;

	b->key = shk_arena_str(b->a, (struct shk_str){ p, e->data.scalar.length });
	if (!b->key.p)
		return shk_err_set(b->err, ENOMEM, "%s: too large for a policy file", b->file);
	if (memchr(p, 0, e->data.scalar.length))
		return fail(b, &e->start_mark, "a NUL byte inside a key; remove it");
	if (shk_ynode_get(b->at, b->key.p)) {
		char text[200];

		snprintf(text, sizeof(text), "key \"%.100s\" is given twice; keep one of them",
			 b->key.p);
		return fail(b, &e->start_mark, text);
	}
	b->key_line = (unsigned)e->start_mark.line + 1;
	b->key_column = (unsigned)e->start_mark.column + 1;
	b->have_key = true;
	return 0;
}

static void link_node(struct builder *b, struct shk_ynode *n)
{
	n->parent = b->at;
	if (!b->at) {
		if (b->last_root)
			b->last_root->next = n;
		else
			b->roots = n;
		b->last_root = n;
		return;
	}
	if (b->at->kind == SHK_Y_MAP) {
		n->key = b->key;
		n->key_line = b->key_line;
		n->key_column = b->key_column;
		b->have_key = false;
	}
	if (b->at->last)
		b->at->last->next = n;
	else
		b->at->first = n;
	b->at->last = n;
}

static int add_node(struct builder *b, const yaml_event_t *e, enum shk_ykind kind)
{
	struct shk_ynode *n;

	if (b->at && b->at->kind == SHK_Y_MAP && !b->have_key)
		return fail(b, &e->start_mark, "a key must be a plain word");
	if (kind != SHK_Y_SCALAR && ++b->depth > SHK_Y_DEPTH)
		return fail(b, &e->start_mark, "nested too deeply for a policy file");
	n = SHK_ARENA_NEW(b->a, struct shk_ynode);
	if (!n)
		return shk_err_set(b->err, ENOMEM, "%s: too large for a policy file", b->file);
	n->kind = kind;
	n->line = (unsigned)e->start_mark.line + 1;
	n->column = (unsigned)e->start_mark.column + 1;
	if (kind == SHK_Y_SCALAR) {
		const char *p = (const char *)e->data.scalar.value;
		size_t len = e->data.scalar.length;
		bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

		if (memchr(p, 0, len))
			return fail(b, &e->start_mark, "a NUL byte inside a value; remove it");
		n->text = shk_arena_str(b->a, (struct shk_str){ p, len });
		if (!n->text.p)
			return shk_err_set(b->err, ENOMEM, "%s: too large for a policy file",
					   b->file);
		if (plain && (!len || shk_str_eqz(n->text, "~") || shk_str_eqz(n->text, "null")))
			n->kind = SHK_Y_NULL;
	}
	link_node(b, n);
	if (kind != SHK_Y_SCALAR)
		b->at = n;
	return 0;
}

static int take_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		if (b->at && b->at->kind == SHK_Y_MAP && !b->have_key)
			return take_key(b, e);
		return add_node(b, e, SHK_Y_SCALAR);
	case YAML_SEQUENCE_START_EVENT:
		return add_node(b, e, SHK_Y_SEQ);
	case YAML_MAPPING_START_EVENT:
		return add_node(b, e, SHK_Y_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->at = b->at->parent;
		b->depth--;
		return 0;
	case YAML_ALIAS_EVENT:
		return fail(b, &e->start_mark,
			    "an alias (*name) is not taken here; write the value out");
	default:
		return 0;
	}
}

static int parse_error(struct builder *b, const yaml_parser_t *p)
{
	char text[300];

	snprintf(text, sizeof(text), "%s%s%s; correct the YAML", p->context ? p->context : "",
		 p->context ? ": " : "", p->problem ? p->problem : "not YAML");
	return fail(b, &p->problem_mark, text);
}

int shk_yaml_tree(struct shk_arena *a, const char *file, struct shk_str text,
		  struct shk_ynode **ret, struct shk_err *err)
{
	struct builder b = { .a = a, .file = file, .err = err };
	yaml_parser_t parser;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return shk_err_sys(err, ENOMEM, "%s", file);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	while (r >= 0 && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&parser, &e)) {
			r = parse_error(&b, &parser);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		r = take_event(&b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	*ret = b.roots;
	return r;
}
