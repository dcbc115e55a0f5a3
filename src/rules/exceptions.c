// SPDX-License-Identifier: Apache-2.0
/* Exceptions of a rule: checked when collected, added to the condition as text when building
 * (FALCO_RULE_LANGUAGE section 7). */
#include <errno.h>

#include "rules/load.h"

#define INVALID "LOAD_ERR_YAML_VALIDATE"
#define REFUSED "LOAD_ERR_VALIDATE"

/* Operators whose right side is in parentheses. */
static bool is_list_op(struct shk_str c)
{
	return shk_str_eqz(c, "in") || shk_str_eqz(c, "intersects") || shk_str_eqz(c, "pmatch") ||
	       shk_str_ends(c, SHK_STR(" oneof")) || shk_str_ends(c, SHK_STR(" anyof")) ||
	       shk_str_ends(c, SHK_STR(" allof"));
}

static bool good_comp(struct shk_str c, bool list_only)
{
	static const char *const mods[] = { " oneof", " anyof", " allof" };
	bool mod = false;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(mods); i++)
		if (shk_str_ends(c, shk_str(mods[i]))) {
			mod = true;
			c.n -= strlen(mods[i]);
			while (c.n && c.p[c.n - 1] == ' ')
				c.n--;
		}
	for (unsigned op = 0; op < SHK_OP_N; op++) {
		bool string = op == SHK_OP_EQ || op == SHK_OP_NE ||
			      (op >= SHK_OP_CONTAINS && op <= SHK_OP_REGEX);
		bool list = op >= SHK_OP_IN;

		if (shk_str_eqz(c, shk_op_name((enum shk_op)op)) ||
		    (op == SHK_OP_EQ && shk_str_eqz(c, "==")))
			return mod ? string : list || !list_only;
	}
	return false;
}

static struct shk_str trimmed(struct shk_str s)
{
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	while (s.n && strchr(" \t\r\n", s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

/* A text or a sequence of texts. */
static int words(struct shk_loader *l, struct shk_where *w, const struct shk_rnode *n,
		 const char *key, const struct shk_str **ret, size_t *ret_n)
{
	const struct shk_rnode *first = n->kind == SHK_RN_SEQ ? n->first : n;
	struct shk_str *to;
	size_t count = 0;

	for (const struct shk_rnode *c = first; c; c = n->kind == SHK_RN_SEQ ? c->next : NULL) {
		count++;
		if (c->kind == SHK_RN_SCALAR && c->text.n)
			continue;
		w->at = shk_rnode_pos(c);
		return shk_load_error(l, INVALID, w, "'%s' of an exception must be a text or a "
				      "sequence of texts, none of them empty", key);
	}
	to = SHK_ARENA_ARRAY(&l->a, struct shk_str, count);
	if (!to)
		return -ENOMEM;
	*ret = to;
	*ret_n = count;
	for (const struct shk_rnode *c = first; c; c = n->kind == SHK_RN_SEQ ? c->next : NULL)
		*to++ = trimmed(c->text);
	return 0;
}

static int default_comps(struct shk_loader *l, struct shk_exception *x)
{
	struct shk_str *to = SHK_ARENA_ARRAY(&l->a, struct shk_str, x->n);

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++)
		to[i] = x->tuple ? SHK_STR("=") : SHK_STR("in");
	x->comp = to;
	return 0;
}

/* Is this the name of a field, or a call of a transformer on one? */
static int check_field(struct shk_loader *l, const struct shk_where *w, struct shk_str name)
{
	struct shk_field_ref ref;
	struct shk_err err;

	if (memchr(name.p, '(', name.n) || shk_field_parse(name, &ref, &err) >= 0)
		return 0;
	return shk_load_error(l, REFUSED, w, "%s", err.text);
}

static int set_fields(struct shk_loader *l, struct shk_where *w, const struct shk_rnode *map,
		      struct shk_exception *x)
{
	const struct shk_rnode *f = shk_rnode_get(map, "fields"), *c = shk_rnode_get(map, "comps");
	size_t n_comp;
	int r;

	if (!f || f->kind == SHK_RN_NULL)
		return shk_load_error(l, REFUSED, w, "exception '%.*s' has no 'fields'; add them",
				      SHK_STR_ARG(x->name));
	x->tuple = f->kind == SHK_RN_SEQ;
	r = words(l, w, f, "fields", &x->field, &x->n);
	if (r < 0)
		return r;
	if (!c || c->kind == SHK_RN_NULL) {
		r = default_comps(l, x);
	} else {
		r = words(l, w, c, "comps", &x->comp, &n_comp);
		if (r >= 0 && ((c->kind == SHK_RN_SEQ) != x->tuple || n_comp != x->n)) {
			w->at = shk_rnode_pos(c);
			r = shk_load_error(l, REFUSED, w, "'fields' and 'comps' must both be one text, "
					   "or sequences of the same length");
		}
	}
	for (size_t i = 0; r >= 0 && i < x->n; i++) {
		if (!good_comp(x->comp[i], !x->tuple)) {
			w->at = shk_rnode_pos(c);
			return shk_load_error(l, REFUSED, w, "'%.*s' is no operator for %s",
					      SHK_STR_ARG(x->comp[i]),
					      x->tuple ? "an exception" :
							 "one field; use in, pmatch or intersects");
		}
		w->at = shk_rnode_pos(f);
		r = check_field(l, w, x->field[i]);
	}
	return r;
}

static int add_values(struct shk_loader *l, struct shk_where *w, const struct shk_rnode *values,
		      struct shk_exception *x)
{
	if (!values || values->kind == SHK_RN_NULL)
		return 0;
	w->at = shk_rnode_pos(values);
	if (values->kind != SHK_RN_SEQ)
		return shk_load_error(l, INVALID, w, "'values' must be a sequence");
	for (struct shk_rnode *v = values->first; v; v = v->next) {
		size_t n = 0;

		w->at = shk_rnode_pos(v);
		if (!x->tuple && v->kind != SHK_RN_SCALAR)
			return shk_load_error(l, REFUSED, w, "with one field each value must be a text");
		if (x->tuple && v->kind != SHK_RN_SEQ)
			return shk_load_error(l, REFUSED, w,
					      "with several fields each value must be a sequence");
		for (const struct shk_rnode *c = v->first; c; c = c->next, n++) {
			bool flat = c->kind == SHK_RN_SCALAR || c->kind == SHK_RN_SEQ;

			for (const struct shk_rnode *i = c->first; flat && i; i = i->next)
				flat = i->kind == SHK_RN_SCALAR;
			if (!flat)
				return shk_load_error(l, REFUSED, w, "a value must be a text or a "
						      "sequence of texts");
		}
		if (x->tuple && n != x->n)
			return shk_load_error(l, REFUSED, w, "this value has %zu parts, the exception "
					      "has %zu fields", n, x->n);
		if (shk_vec_push(&l->a, &x->values, v) < 0)
			return -ENOMEM;
	}
	return 0;
}

static struct shk_exception *find(struct shk_exception *list, struct shk_str name)
{
	while (list && !shk_str_eq(list->name, name))
		list = list->next;
	return list;
}

static int one(struct shk_loader *l, struct shk_where *w, const struct shk_rnode *map, bool append,
	       struct shk_exception *x, bool exists)
{
	const struct shk_rnode *values = shk_rnode_get(map, "values");
	bool none = !values || !values->first;
	int r = 0;

	if (append && none)
		r = shk_load_warn(l, "LOAD_APPEND_NO_VALUES", w,
				  "exception '%.*s' is appended without values; remove it",
				  SHK_STR_ARG(x->name));
	if (r < 0)
		return r;
	if (!append || !exists)
		r = set_fields(l, w, map, x);
	else if (shk_rnode_get(map, "fields") || shk_rnode_get(map, "comps"))
		r = shk_load_error(l, REFUSED, w, "appending to exception '%.*s' takes 'values' only; "
				   "remove 'fields' and 'comps'", SHK_STR_ARG(x->name));
	return r < 0 ? r : add_values(l, w, values, x);
}

/* A copy of the records of `old`, as those of a rule in a table are never changed. */
static int copy_all(struct shk_loader *l, const struct shk_exception *old,
		    struct shk_exception **ret)
{
	struct shk_exception **end = ret;

	for (*ret = NULL; old; old = old->next) {
		struct shk_exception *x = SHK_ARENA_NEW(&l->a, struct shk_exception);

		if (!x)
			return -ENOMEM;
		*x = *old;
		x->values.room = x->values.n; /* appending makes its own array */
		x->next = NULL;
		*end = x;
		end = &x->next;
	}
	return 0;
}

int shk_collect_exceptions(struct shk_loader *l, const struct shk_where *w,
			   const struct shk_rnode *seq, const struct shk_exception *old,
			   bool append, struct shk_exception **ret)
{
	struct shk_where at = *w;
	struct shk_exception **end = ret;
	int r = copy_all(l, old, ret);

	if (r < 0 || !seq || seq->kind == SHK_RN_NULL)
		return r;
	at.part = seq;
	at.part_type = "exceptions";
	at.at = shk_rnode_pos(seq);
	if (seq->kind != SHK_RN_SEQ)
		return shk_load_error(l, INVALID, &at, "'exceptions' must be a sequence of maps");
	for (const struct shk_rnode *c = seq->first; c && r >= 0; c = c->next) {
		const struct shk_rnode *name = shk_rnode_get(c, "name");
		struct shk_exception *x = NULL, *same;

		at.at = shk_rnode_pos(c);
		if (!name || name->kind != SHK_RN_SCALAR || !name->text.n)
			return shk_load_error(l, INVALID, &at, "an exception must be a map with a "
					      "'name'");
		same = find(*ret, name->text);
		if (append)
			x = same;
		else if (same)
			r = shk_load_warn(l, "LOAD_EXCEPTION_NAME_NOT_UNIQUE", &at,
					  "two exceptions are called '%.*s'; rename one",
					  SHK_STR_ARG(name->text));
		if (r < 0)
			return r;
		if (x) {
			r = one(l, &at, c, append, x, true);
			continue;
		}
		x = SHK_ARENA_NEW(&l->a, struct shk_exception);
		if (!x)
			return -ENOMEM;
		x->name = name->text;
		x->node = c;
		while (*end)
			end = &(*end)->next;
		*end = x;
		r = one(l, &at, c, append, x, false);
	}
	return r;
}

/* ---- the text ---- */

static void quoted(struct shk_str s, struct shk_buf *out)
{
	bool q = s.n && s.p[0] != '"' && s.p[0] != '\'' && memchr(s.p, ' ', s.n);

	if (q)
		shk_buf_addc(out, '"');
	shk_buf_addstr(out, s);
	if (q)
		shk_buf_addc(out, '"');
}

static void print_part(struct shk_str field, struct shk_str comp, const struct shk_rnode *v,
		       struct shk_buf *out)
{
	shk_buf_addstr(out, field);
	shk_buf_addc(out, ' ');
	shk_buf_addstr(out, comp);
	shk_buf_addc(out, ' ');
	if (v->kind == SHK_RN_SEQ) {
		shk_buf_addc(out, '(');
		for (const struct shk_rnode *c = v->first; c; c = c->next) {
			quoted(c->text, out);
			if (c->next)
				shk_buf_adds(out, ", ");
		}
		shk_buf_addc(out, ')');
	} else if (is_list_op(comp)) {
		bool wrap = !v->text.n || v->text.p[0] != '(';

		if (wrap)
			shk_buf_addc(out, '(');
		shk_buf_addstr(out, v->text);
		if (wrap)
			shk_buf_addc(out, ')');
	} else {
		quoted(v->text, out);
	}
}

static void print_exception(const struct shk_exception *x, struct shk_buf *out)
{
	shk_buf_adds(out, " and not (");
	if (!x->tuple) {
		shk_buf_printf(out, "%.*s %.*s (", SHK_STR_ARG(x->field[0]),
			       SHK_STR_ARG(x->comp[0]));
		for (size_t i = 0; i < x->values.n; i++) {
			if (i)
				shk_buf_adds(out, ", ");
			quoted(((const struct shk_rnode *)x->values.p[i])->text, out);
		}
		shk_buf_adds(out, "))");
		return;
	}
	for (size_t i = 0; i < x->values.n; i++) {
		const struct shk_rnode *v = ((const struct shk_rnode *)x->values.p[i])->first;

		shk_buf_adds(out, i ? " or (" : "(");
		for (size_t k = 0; k < x->n && v; k++, v = v->next) {
			if (k)
				shk_buf_adds(out, " and ");
			print_part(x->field[k], x->comp[k], v, out);
		}
		shk_buf_addc(out, ')');
	}
	shk_buf_addc(out, ')');
}

int shk_build_exceptions(struct shk_arena *a, const struct shk_rule *r, struct shk_text *ret)
{
	_cleanup_buf_ struct shk_buf out;
	size_t n = 0;

	shk_buf_init(&out, SHK_CONDITION_MAX);
	*ret = r->cond;
	if (!r->exceptions)
		return 0;
	for (const struct shk_exception *x = r->exceptions; x; x = x->next)
		n++;
	ret->piece = SHK_ARENA_ARRAY(a, struct shk_piece, r->cond.n + n);
	if (!ret->piece)
		return -ENOMEM;
	for (size_t i = 0; i < r->cond.n; i++) {
		ret->piece[i] = r->cond.piece[i];
		ret->piece[i].start++; /* the parenthesis */
	}
	shk_buf_addc(&out, '(');
	shk_buf_addstr(&out, r->cond.s);
	shk_buf_addc(&out, ')');
	for (const struct shk_exception *x = r->exceptions; x; x = x->next) {
		if (!x->values.n)
			continue;
		ret->piece[ret->n++] = (struct shk_piece){ .start = out.n, .node = x->node };
		print_exception(x, &out);
	}
	if (out.failed)
		return out.n + (1u << 12) > SHK_CONDITION_MAX || r->cond.s.n > SHK_CONDITION_MAX / 2 ? -E2BIG : -ENOMEM;
	ret->s = shk_arena_str(a, shk_buf_view(&out));
	return ret->s.p ? 0 : -ENOMEM;
}
