// SPDX-License-Identifier: Apache-2.0
/* What a configuration adds to the outputs of rules (FALCO_RULE_LANGUAGE section 19). */
#include <errno.h>

#include "fields/static.h"
#include "rules/load.h"

static bool copy(struct shk_arena *a, struct shk_str *s)
{
	if (s->p)
		*s = shk_arena_str(a, *s);
	return s->p;
}

int shk_loader_append_output(struct shk_loader *l, const struct shk_append_output *a)
{
	struct shk_append_output *to = SHK_ARENA_NEW(&l->a, struct shk_append_output);
	struct shk_str *tags = SHK_ARENA_ARRAY(&l->a, struct shk_str, a->n_tags);
	struct shk_extra_field *field = SHK_ARENA_ARRAY(&l->a, struct shk_extra_field, a->n_field);
	bool ok = to && tags && field;

	if (!ok)
		return -ENOMEM;
	*to = *a;
	to->tags = tags;
	to->field = field;
	ok = (!a->source.p || copy(&l->a, &to->source)) && (!a->rule.p || copy(&l->a, &to->rule)) &&
	     (!a->output.p || copy(&l->a, &to->output));
	for (size_t i = 0; ok && i < a->n_tags; i++) {
		tags[i] = a->tags[i];
		ok = copy(&l->a, &tags[i]);
	}
	for (size_t i = 0; ok && i < a->n_field; i++) {
		field[i] = a->field[i];
		ok = (!field[i].name.p || copy(&l->a, &field[i].name)) &&
		     copy(&l->a, &field[i].format);
	}
	return ok ? shk_vec_push(&l->a, &l->append, to) : -ENOMEM;
}

int shk_loader_set_extra_output(struct shk_loader *l, struct shk_str text)
{
	return shk_loader_append_output(l, &(struct shk_append_output){ .output = text });
}

static bool has_tag(const struct shk_rule *r, struct shk_str tag)
{
	for (size_t i = 0; i < r->n_tags; i++)
		if (shk_str_eq(r->tags[i], tag))
			return true;
	return false;
}

static bool fits(const struct shk_append_output *a, const struct shk_rule *r)
{
	if ((a->source.p && !shk_str_eq(a->source, r->source)) ||
	    (a->rule.p && !shk_str_eq(a->rule, r->h.name)))
		return false;
	for (size_t i = 0; i < a->n_tags; i++)
		if (!has_tag(r, a->tags[i]))
			return false;
	return true;
}

static bool append(struct shk_arena *a, struct shk_str *to, struct shk_str s)
{
	const char *t = shk_arena_printf(a, SHK_STR_FMT " " SHK_STR_FMT, SHK_STR_ARG(*to),
					 SHK_STR_ARG(s));

	if (t)
		*to = shk_str(t);
	return t;
}

/* "static_a_b=%static.a.b" for each constant of the configuration; then what the metadata of containers suggests, which
 * calls alone have. */
static bool append_suggested(struct shk_arena *a, const struct shk_rule *r, struct shk_str *to)
{
	const struct shk_field *f;

	for (size_t i = 0; (f = shk_static_field_at(i)); i++) {
		const char *text = shk_arena_printf(a, "%s=%%%s", f->name, f->name);

		if (!text)
			return false;
		for (char *c = (char *)(uintptr_t)text; *c != '='; c++)
			if (*c == '.')
				*c = '_';
		if (!append(a, to, shk_str(text)))
			return false;
	}
	return !shk_str_eqz(r->source, "syscall") || append(a, to, SHK_STR(SHK_SUGGESTED_OUTPUT));
}

static int check_field(struct shk_arena *a, struct shk_str source, const struct shk_extra_field *f,
		       struct shk_err *err)
{
	const struct shk_output *o;
	struct shk_field_ref ref;
	int r;

	if (f->name.p) {
		r = shk_output_compile(a, f->format, &o, err);
		return r < 0 ? r : shk_source_output(source, o, err);
	}
	r = shk_field_parse(f->format, &ref, err);
	return r < 0 ? r : shk_source_field(source, ref.field, err);
}

int shk_extra_apply(struct shk_loader *l, struct shk_arena *a, const struct shk_rule *r,
		    struct shk_rule_def *def, const struct shk_output **ret, struct shk_err *err)
{
	struct shk_extra_field *field;
	size_t n = 0;

	def->output_text = r->output.s;
	for (size_t i = 0; i < l->append.n; i++) {
		const struct shk_append_output *x = l->append.p[i];

		if (!fits(x, r))
			continue;
		n += x->n_field;
		if ((x->output.n && !append(a, &def->output_text, x->output)) ||
		    (x->suggested && !append_suggested(a, r, &def->output_text)))
			return -ENOMEM;
	}
	def->extra = field = SHK_ARENA_ARRAY(a, struct shk_extra_field, n);
	if (!field)
		return -ENOMEM;
	for (size_t i = 0; i < l->append.n; i++) {
		const struct shk_append_output *x = l->append.p[i];

		for (size_t k = 0; fits(x, r) && k < x->n_field; k++)
			field[def->n_extra++] = x->field[k];
	}
	return shk_output_compile(a, def->output_text, ret, err);
}

int shk_extra_check(struct shk_arena *a, const struct shk_rule_def *def, struct shk_err *err)
{
	int r = 0;

	for (size_t i = 0; i < def->n_extra && r >= 0; i++)
		r = check_field(a, def->source, &def->extra[i], err);
	return r;
}
