// SPDX-License-Identifier: Apache-2.0
#include "rules/yaml.h"

#include <errno.h>
#include <yaml.h>

struct anchor {
	struct anchor *next;
	const char *name;
	struct shk_rnode *node;
};

struct reader {
	struct shk_arena *a;
	struct shk_rfile *file;
	struct shk_err *err;
	struct shk_rpos *at;
	struct shk_rnode *roots, *last_root;
	struct shk_rnode *stack[SHK_RN_DEPTH]; /* open collections, */
	struct shk_rnode *last[SHK_RN_DEPTH];  /* and what came last in each */
	unsigned depth, aliases;
	struct shk_rnode *key; /* read, its value has not come yet */
	struct anchor *anchors;
};

static unsigned byte_at(const struct shk_rfile *f, unsigned line, unsigned column)
{
	struct shk_rplace *last = f->last;
	unsigned left = column;
	size_t i;

	if (line >= f->n_lines)
		return (unsigned)f->text.n;
	i = f->line[line];
	if (last->line == line && last->column <= column) {
		i = last->offset;
		left -= last->column;
	}
	for (; left && i < f->text.n && f->text.p[i] != '\n'; left--)
		for (i++; i < f->text.n && ((unsigned char)f->text.p[i] & 0xc0) == 0x80; i++)
			;
	*last = (struct shk_rplace){ line, column - left, (unsigned)i };
	return (unsigned)i;
}

static struct shk_rpos mark_pos(const struct shk_rfile *f, const yaml_mark_t *m)
{
	struct shk_rpos p = { .line = (unsigned)m->line, .column = (unsigned)m->column };

	if (p.line >= f->n_lines) { /* the end is on a line of its own for libyaml */
		p.line = f->n_lines - 1;
		p.column = 0;
		for (size_t i = f->line[p.line]; i < f->text.n; i++)
			p.column += ((unsigned char)f->text.p[i] & 0xc0) != 0x80;
	}
	p.offset = byte_at(f, p.line, p.column);
	return p;
}

static int fail(struct reader *r, const yaml_mark_t *m, const char *what)
{
	*r->at = mark_pos(r->file, m);
	return shk_err_set(r->err, EINVAL, "%s", what);
}

/* No memory, or no more of the arena: that has a place. */
static int no_room(struct reader *r, const yaml_mark_t *m)
{
	if (r->a->used < r->a->cap / 2)
		return shk_err_set(r->err, ENOMEM, "not enough memory");
	*r->at = mark_pos(r->file, m);
	return shk_err_set(r->err, EINVAL, "the rule files take more than the limit of %zu MB of memory; "
			   "load fewer of them, or shorter ones", r->a->cap >> 20);
}

static struct shk_rnode *new_node(struct reader *r, const yaml_mark_t *m, enum shk_rkind kind)
{
	struct shk_rnode *n = SHK_ARENA_NEW(r->a, struct shk_rnode);

	if (n) {
		n->kind = (uint8_t)kind;
		n->file = r->file;
		n->line = (unsigned)m->line;
		n->column = (unsigned)m->column;
	}
	return n;
}

/* Puts a complete node, or the start of a collection, where it belongs. */
static void place(struct reader *r, struct shk_rnode *n)
{
	struct shk_rnode *up = r->depth ? r->stack[r->depth - 1] : NULL;

	if (up && up->kind == SHK_RN_MAP) {
		if (!r->key) {
			r->key = n;
			return;
		}
		n->key = r->key;
		r->key = NULL;
	}
	if (!up) {
		if (r->last_root)
			r->last_root->next = n;
		else
			r->roots = n;
		r->last_root = n;
	} else {
		struct shk_rnode **last = &r->last[r->depth - 1];

		if (*last)
			(*last)->next = n;
		else
			up->first = n;
		*last = n;
	}
}

static bool wants_key(const struct reader *r)
{
	return r->depth && r->stack[r->depth - 1]->kind == SHK_RN_MAP && !r->key;
}

static int remember(struct reader *r, const yaml_char_t *name, struct shk_rnode *n,
		    const yaml_mark_t *m)
{
	struct anchor *a;

	if (!name)
		return 0;
	a = SHK_ARENA_NEW(r->a, struct anchor);
	if (!a || !(a->name = shk_arena_strdup(r->a, (const char *)name)))
		return no_room(r, m);
	a->node = n;
	a->next = r->anchors;
	r->anchors = a;
	return 0;
}

static bool is_null(struct shk_str s)
{
	return !s.n || shk_str_eqz(s, "~") || shk_str_eqz(s, "null") || shk_str_eqz(s, "Null") ||
	       shk_str_eqz(s, "NULL");
}

/* The value as a piece of the file, if it stands there as it is; else a copy. */
static struct shk_str text_of(struct reader *r, const yaml_event_t *e)
{
	struct shk_str v = { (const char *)e->data.scalar.value, e->data.scalar.length };
	struct shk_str f = r->file->text;
	size_t at = byte_at(r->file, (unsigned)e->start_mark.line, (unsigned)e->start_mark.column);

	at += e->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
	      e->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	if (at <= f.n && v.n <= f.n - at && memcmp(f.p + at, v.p, v.n) == 0)
		return (struct shk_str){ f.p + at, v.n };
	return shk_arena_str(r->a, v);
}

static int take_scalar(struct reader *r, const yaml_event_t *e)
{
	struct shk_rnode *n = new_node(r, &e->start_mark, SHK_RN_SCALAR);

	if (!n)
		return no_room(r, &e->start_mark);
	n->text = text_of(r, e);
	if (!n->text.p)
		return no_room(r, &e->start_mark);
	if (memchr(n->text.p, 0, n->text.n))
		return fail(r, &e->start_mark, "a NUL byte inside a value; remove it");
	switch (e->data.scalar.style) {
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		n->style = 'b';
		break;
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		n->style = 'q';
		break;
	default:
		n->style = 'p';
		if (is_null(n->text) && !wants_key(r))
			n->kind = SHK_RN_NULL;
	}
	place(r, n);
	return remember(r, e->data.scalar.anchor, n, &e->start_mark);
}

static int take_start(struct reader *r, const yaml_event_t *e, enum shk_rkind kind,
		      const yaml_char_t *anchor)
{
	struct shk_rnode *n;

	if (wants_key(r))
		return fail(r, &e->start_mark, "a key must be a plain word");
	if (r->depth == SHK_RN_DEPTH)
		return fail(r, &e->start_mark, "nested too deeply for a rule file");
	n = new_node(r, &e->start_mark, kind);
	if (!n)
		return no_room(r, &e->start_mark);
	n->open = true;
	place(r, n);
	r->last[r->depth] = NULL;
	r->stack[r->depth++] = n;
	return remember(r, anchor, n, &e->start_mark);
}

/* The alias becomes a node of its own, in its place, that shares the children of the anchored one. */
static int take_alias(struct reader *r, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct shk_rnode *n;
	struct anchor *a;

	for (a = r->anchors; a && strcmp(a->name, name) != 0; a = a->next)
		;
	if (!a)
		return fail(r, &e->start_mark, "alias of an anchor that was not defined before it");
	if (a->node->open)
		return fail(r, &e->start_mark, "alias inside its own anchor");
	if (++r->aliases > SHK_RN_ALIASES)
		return fail(r, &e->start_mark, "too many aliases; write the values out");
	if (wants_key(r) && a->node->kind != SHK_RN_SCALAR)
		return fail(r, &e->start_mark, "a key must be a plain word");
	n = new_node(r, &e->start_mark, (enum shk_rkind)a->node->kind);
	if (!n)
		return no_room(r, &e->start_mark);
	n->style = a->node->style;
	n->text = a->node->text;
	n->first = a->node->first;
	place(r, n);
	return 0;
}

static int take_event(struct reader *r, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(r, e);
	case YAML_SEQUENCE_START_EVENT:
		return take_start(r, e, SHK_RN_SEQ, e->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return take_start(r, e, SHK_RN_MAP, e->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->stack[--r->depth]->open = false;
		/* Block collections end at the start of what follows, flow ones behind the bracket. */
		r->stack[r->depth]->end_line =
			(unsigned)e->end_mark.line + (e->end_mark.column ? 1 : 0);
		return 0;
	case YAML_ALIAS_EVENT:
		return take_alias(r, e);
	case YAML_DOCUMENT_END_EVENT:
		r->anchors = NULL; /* anchors do not reach into the next document */
		return 0;
	default:
		return 0;
	}
}

static int parse_error(struct reader *r, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return shk_err_set(r->err, ENOMEM, "not enough memory");
	*r->at = mark_pos(r->file, &p->problem_mark);
	if (p->error == YAML_READER_ERROR) { /* the mark is not set: count up to the byte */
		size_t end = SHK_MIN(p->problem_offset, r->file->text.n);

		*r->at = (struct shk_rpos){ .offset = (unsigned)end };
		while (r->at->line + 1 < r->file->n_lines &&
		       r->file->line[r->at->line + 1] <= end)
			r->at->line++;
		r->at->column = (unsigned)end - r->file->line[r->at->line];
	}
	return shk_err_set(r->err, EINVAL, "%s%s%s; correct the YAML", p->context ? p->context : "",
			   p->context ? ": " : "", p->problem ? p->problem : "not YAML");
}

static struct shk_rfile *new_file(struct shk_arena *a, const char *name, struct shk_str text)
{
	struct shk_rfile *f = SHK_ARENA_NEW(a, struct shk_rfile);
	unsigned n = 1, *line;

	if (!f)
		return NULL;
	f->name = shk_arena_str(a, shk_str(name));
	f->text = shk_arena_str(a, text);
	f->last = SHK_ARENA_NEW(a, struct shk_rplace);
	if (!f->name.p || !f->text.p || !f->last)
		return NULL;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	f->line = line = SHK_ARENA_ARRAY(a, unsigned, n);
	if (!line)
		return NULL;
	f->n_lines = n;
	*line++ = 0;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			*line++ = (unsigned)i + 1;
	return f;
}

int shk_rnode_read(struct shk_arena *a, const char *name, struct shk_str text,
		   struct shk_rfile **ret_file, struct shk_rnode **ret, struct shk_rpos *ret_at,
		   struct shk_err *err)
{
	struct reader rd = { .a = a, .err = err, .at = ret_at };
	yaml_parser_t parser;
	bool end = false;
	int r = 0;

	*ret_at = (struct shk_rpos){ 0 };
	rd.file = *ret_file = text.n > SHK_RULE_FILE_MAX ? NULL : new_file(a, name, text);
	if (!rd.file) { /* it is named, at least */
		bool full = a->used + text.n * 2 > a->cap;

		rd.file = *ret_file = new_file(a, name, (struct shk_str){ "", 0 });
		if (!rd.file || (text.n <= SHK_RULE_FILE_MAX && !full))
			return shk_err_set(err, ENOMEM, "not enough memory");
		if (text.n > SHK_RULE_FILE_MAX)
			return shk_err_set(err, EINVAL, "larger than %u bytes; split the file",
					   SHK_RULE_FILE_MAX);
		return shk_err_set(err, EINVAL, "with this one the rule files take more than the limit of "
				   "%zu MB of memory; load fewer of them", a->cap >> 20);
	}
	if (!yaml_parser_initialize(&parser))
		return shk_err_set(err, ENOMEM, "not enough memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	while (r >= 0 && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&parser, &e)) {
			r = parse_error(&rd, &parser);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		r = take_event(&rd, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
	*ret = rd.roots;
	return r;
}

const struct shk_rnode *shk_rnode_get(const struct shk_rnode *map, const char *key)
{
	for (const struct shk_rnode *c = map->kind == SHK_RN_MAP ? map->first : NULL; c; c = c->next)
		if (shk_str_eqz(c->key->text, key))
			return c;
	return NULL;
}

struct shk_rpos shk_rnode_pos(const struct shk_rnode *n)
{
	return (struct shk_rpos){ byte_at(n->file, n->line, n->column), n->line, n->column };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Blanks may differ between value and file, other characters come in the same order in both. */
struct shk_rpos shk_rnode_pos_in(const struct shk_rnode *n, size_t offset)
{
	struct shk_rpos p = shk_rnode_pos(n);
	struct shk_str f = n->file->text;
	size_t i = p.offset;

	if (n->kind != SHK_RN_SCALAR || i >= f.n || f.p[i] == '*')
		return p; /* an alias: the value stands elsewhere */
	if (n->style == 'b')
		while (i < f.n && f.p[i] != '\n')
			i++;
	else if (n->style == 'q')
		i++;
	for (size_t v = 0; v <= offset && v < n->text.n; v++) {
		if (is_space(n->text.p[v]))
			continue;
		while (i < f.n && f.p[i] != n->text.p[v])
			i++;
		if (v < offset)
			i++;
	}
	if (i >= f.n)
		return p;
	while (p.line + 1 < n->file->n_lines && n->file->line[p.line + 1] <= i)
		p.line++;
	p.offset = (unsigned)i;
	p.column = 0;
	for (size_t k = n->file->line[p.line]; k < i; k++)
		p.column += ((unsigned char)f.p[k] & 0xc0) != 0x80;
	return p;
}

struct shk_str shk_rfile_line(const struct shk_rfile *f, unsigned line)
{
	struct shk_str s = { "", 0 };

	if (line >= f->n_lines)
		return s;
	s.p = f->text.p + f->line[line];
	s.n = (line + 1 < f->n_lines ? f->line[line + 1] - 1 : f->text.n) - f->line[line];
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}
