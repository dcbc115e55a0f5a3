// SPDX-License-Identifier: Apache-2.0
/*
 * append_output and static_fields: what a configuration adds to the outputs of rules, in the words of falco.yaml
 * (FALCO_RULE_LANGUAGE section 19). The text is read a second time, by the parser of policies, which have
 * append_output as well.
 */
#include <errno.h>

#include "engine/config.h"
#include "policy/yaml_tree.h"

static int fail_at(const char *name, const struct shk_ynode *n, struct shk_err *err, const char *what)
{
	return shk_err_set(err, EINVAL, "%s:%u:%u: %s", name, n->line, n->column, what);
}

static int read_static(const char *name, const struct shk_ynode *n, struct shk_static_field *ret,
		       struct shk_err *err)
{
	if (!shk_static_key_good(n->key))
		return shk_err_set(err, EINVAL, "%s:%u:%u: static_fields: a condition cannot name "
				   "\"static.%.80s\"; use letters, digits and _, dots between such words, "
				   "at most %d bytes", name, n->key_line, n->key_column, n->key.p,
				   SHK_STATIC_KEY_MAX);
	if (n->kind != SHK_Y_SCALAR)
		return fail_at(name, n, err, "static_fields: one value is expected here");
	if (n->text.n > SHK_STATIC_VALUE_MAX)
		return fail_at(name, n, err, "static_fields: the value is too long");
	*ret = (struct shk_static_field){ n->key, n->text };
	return 0;
}

static int read_constants(struct shk_config *c, const char *name, const struct shk_ynode *n,
			struct shk_err *err)
{
	if (n->kind == SHK_Y_NULL)
		return 0;
	if (n->kind != SHK_Y_MAP)
		return fail_at(name, n, err, "static_fields: a mapping is expected, 'key: value'");
	c->constants = SHK_ARENA_ARRAY(&c->arena, struct shk_static_field, SHK_STATIC_MAX);
	if (!c->constants)
		return shk_err_sys(err, ENOMEM, "%s", name);
	for (const struct shk_ynode *v = n->first; v; v = v->next) {
		int r;

		if (c->n_constants == SHK_STATIC_MAX)
			return shk_err_set(err, EINVAL, "%s:%u:%u: static_fields: more than %d", name,
					   v->line, v->column, SHK_STATIC_MAX);
		r = read_static(name, v, &c->constants[c->n_constants++], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int shk_config_rules(const struct shk_config *c, struct shk_rules_config *ret, struct shk_err *err)
{
	*ret = (struct shk_rules_config){ .rules_path = c->rules_path, .append = c->append,
					  .n_append = c->n_append };
	if (shk_static_fields_set(c->constants, c->n_constants) < 0)
		return shk_err_sys(err, ENOMEM, "static_fields");
	return 0;
}

int shk_config_read_output(struct shk_config *c, const char *name, struct shk_str text,
			   struct shk_err *err)
{
	const struct shk_ynode *append, *constants;
	struct shk_rules_config unused;
	struct shk_ynode *root = NULL;
	int r = 0;

	/* Most files have neither key, and may use what the other parser refuses. */
	if (!memmem(text.p, text.n, "append_output", 13) && !memmem(text.p, text.n, "static_fields", 13))
		return 0;
	r = shk_yaml_tree(&c->arena, name, text, &root, err);
	if (r < 0 || !root || root->kind != SHK_Y_MAP)
		return r;
	append = shk_ynode_get(root, "append_output");
	constants = shk_ynode_get(root, "static_fields");
	if (constants)
		r = read_constants(c, name, constants, err);
	/* The outputs may name static fields, and are checked where they stand. */
	if (r >= 0)
		r = shk_config_rules(c, &unused, err);
	if (r >= 0 && append && append->kind != SHK_Y_NULL)
		r = shk_append_output_parse(&c->arena, name, append, &c->append, &c->n_append, err);
	return r;
}

static void put_quoted(struct shk_buf *out, struct shk_str s)
{
	shk_buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch == '"' || ch == '\\')
			shk_buf_printf(out, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			shk_buf_printf(out, "\\x%02x", ch);
		else
			shk_buf_addc(out, (char)ch);
	}
	shk_buf_addc(out, '"');
}

void shk_config_dump_output(const struct shk_config *c, struct shk_buf *out)
{
	shk_buf_adds(out, "# added to the outputs of rules, of every policy\nappend_output:");
	shk_buf_adds(out, c->n_append ? "\n" : " []\n");
	shk_append_output_dump(c->append, c->n_append, "  ", out);
	shk_buf_adds(out, "# constants that rules can name as static.KEY\nstatic_fields:");
	shk_buf_adds(out, c->n_constants ? "\n" : " {}\n");
	for (size_t i = 0; i < c->n_constants; i++) {
		shk_buf_printf(out, "  " SHK_STR_FMT ": ", SHK_STR_ARG(c->constants[i].key));
		put_quoted(out, c->constants[i].value);
		shk_buf_addc(out, '\n');
	}
}
