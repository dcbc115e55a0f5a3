// SPDX-License-Identifier: Apache-2.0
/* rules.append_output: what is added to the outputs of rules, in the words of falco.yaml. */
#include <errno.h>

#include "policy/def.h"
#include "rules/output.h"

#define FIELD_NAME_MAX 200

static int no_room(struct shk_pparse *p)
{
	return shk_err_set(p->err, ENOMEM, "%s: too large for a policy file", p->file);
}

static size_t count(const struct shk_ynode *n)
{
	size_t i = 0;

	for (const struct shk_ynode *c = n->first; c; c = c->next)
		i++;
	return i;
}

static int match_source(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_append_output *)into)->source);
}

static int match_rule(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_append_output *)into)->rule);
}

static int match_tags(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_append_output *a = into;
	struct shk_pstrs s = { 0 };
	struct shk_str *v;
	int r = shk_pparse_texts(p, n, &s);

	if (r < 0)
		return r;
	v = SHK_ARENA_ARRAY(p->a, struct shk_str, s.n);
	if (!v)
		return no_room(p);
	for (size_t i = 0; i < s.n; i++)
		v[i] = s.v[i]->text;
	a->tags = v;
	a->n_tags = s.n;
	return 0;
}

static int append_match(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "source", match_source },
						{ "tags", match_tags },
						{ "rule", match_rule } };

	return shk_pparse_map(p, n, "append_output.match", keys, SHK_ARRAY_SIZE(keys), into);
}

/* Wrong templates are to be found where they stand, not at each rule. */
static int check(struct shk_pparse *p, const struct shk_ynode *n, const struct shk_extra_field *f)
{
	struct shk_field_ref ref;
	const struct shk_output *o;
	struct shk_err err = { 0 };
	int r = f->name.p ? shk_output_compile(p->a, f->format, &o, &err) :
			    shk_field_parse(f->format, &ref, &err);

	return r < 0 ? shk_policy_fail(p->file, n, p->err, "%s", err.text) : 0;
}

static int append_text(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_append_output *a = into;
	struct shk_extra_field f = { .name = SHK_STR("text") };
	int r = shk_pparse_text(p, n, &a->output);

	f.format = a->output;
	return r < 0 ? r : check(p, n, &f);
}

/* "field", or "key: template". */
static int one_field(struct shk_pparse *p, const struct shk_ynode *n, struct shk_extra_field *f)
{
	const struct shk_ynode *v = n->kind == SHK_Y_MAP ? n->first : n;
	int r;

	if (!v || (n->kind == SHK_Y_MAP && v->next))
		return shk_policy_fail(p->file, n, p->err,
				       "an extra field is a field, or one \"key: template\"");
	r = shk_pparse_text(p, v, &f->format);
	if (r >= 0 && n->kind == SHK_Y_MAP) {
		f->name = v->key;
		if (!f->name.n || f->name.n > FIELD_NAME_MAX)
			return shk_policy_fail(p->file, n, p->err,
					       "the key of an extra field has 1 to %d bytes",
					       FIELD_NAME_MAX);
	}
	return r < 0 ? r : check(p, v, f);
}

static int append_fields(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_append_output *a = into;
	struct shk_extra_field *f;
	int r = 0;

	if (n->kind != SHK_Y_SEQ)
		return shk_policy_fail(p->file, n, p->err,
				       "\"extra_fields\" takes a list: [ proc.name, key: \"%%evt.type\" ]");
	f = SHK_ARENA_ARRAY(p->a, struct shk_extra_field, count(n));
	if (!f)
		return no_room(p);
	a->field = f;
	for (const struct shk_ynode *c = n->first; c && r >= 0; c = c->next)
		r = one_field(p, c, &f[a->n_field++]);
	return r;
}

static int append_suggested(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_bool(p, n, &((struct shk_append_output *)into)->suggested);
}

static int parse(struct shk_pparse *p, const struct shk_ynode *n, struct shk_append_output **ret,
		 size_t *ret_n)
{
	static const struct shk_pkey keys[] = { { "match", append_match },
						{ "extra_output", append_text },
						{ "extra_fields", append_fields },
						{ "suggested_output", append_suggested } };
	struct shk_append_output *v;
	int r = 0;

	if (n->kind != SHK_Y_SEQ)
		return shk_policy_fail(p->file, n, p->err,
				       "\"append_output\" takes a list: [ { suggested_output: true } ]");
	*ret_n = 0;
	*ret = v = SHK_ARENA_ARRAY(p->a, struct shk_append_output, count(n));
	if (!v)
		return no_room(p);
	for (const struct shk_ynode *c = n->first; c && r >= 0; c = c->next)
		r = shk_pparse_map(p, c, "append_output", keys, SHK_ARRAY_SIZE(keys),
				   &v[(*ret_n)++]);
	return r;
}

int shk_pparse_append_output(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return parse(p, n, &p->d->append, &p->d->n_append);
}

int shk_append_output_parse(struct shk_arena *a, const char *file, const struct shk_ynode *n,
			    struct shk_append_output **ret, size_t *ret_n, struct shk_err *err)
{
	struct shk_pparse p = { .a = a, .file = file, .err = err };

	return parse(&p, n, ret, ret_n);
}

/* ---- printing ---- */

static void key(struct shk_buf *out, const char **sep, const char *name, struct shk_str s)
{
	shk_buf_printf(out, "%s%s: ", *sep, name);
	shk_policy_quote(out, s);
	*sep = ", ";
}

static void dump_match(const struct shk_append_output *a, struct shk_buf *out)
{
	const char *sep = "";

	shk_buf_adds(out, "match: { ");
	if (a->source.p)
		key(out, &sep, "source", a->source);
	if (a->rule.p)
		key(out, &sep, "rule", a->rule);
	if (a->n_tags)
		shk_buf_printf(out, "%stags: [", sep);
	for (size_t i = 0; i < a->n_tags; i++) {
		shk_buf_adds(out, i ? ", " : "");
		shk_policy_quote(out, a->tags[i]);
	}
	shk_buf_adds(out, a->n_tags ? "] }" : " }");
}

static void dump_fields(const struct shk_append_output *a, struct shk_buf *out)
{
	shk_buf_adds(out, ", extra_fields: [");
	for (size_t i = 0; i < a->n_field; i++) {
		shk_buf_adds(out, i ? ", " : "");
		if (a->field[i].name.p) {
			shk_buf_adds(out, "{ ");
			shk_policy_quote(out, a->field[i].name);
			shk_buf_adds(out, ": ");
		}
		shk_policy_quote(out, a->field[i].format);
		shk_buf_adds(out, a->field[i].name.p ? " }" : "");
	}
	shk_buf_addc(out, ']');
}

void shk_append_output_dump(const struct shk_append_output *v, size_t n, const char *indent,
			    struct shk_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct shk_append_output *a = &v[i];
		const char *sep = ", ";

		shk_buf_printf(out, "%s- { ", indent);
		dump_match(a, out);
		if (a->output.p)
			key(out, &sep, "extra_output", a->output);
		if (a->n_field)
			dump_fields(a, out);
		shk_buf_printf(out, ", suggested_output: %s }\n", a->suggested ? "true" : "false");
	}
}
