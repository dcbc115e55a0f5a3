// SPDX-License-Identifier: Apache-2.0
/* Sources of events, and what fields rules of each can name (FALCO_RULE_LANGUAGE section 2.5). */
#include <errno.h>

#include "rules/load.h"

#define AUDIT "k8s_audit"

bool shk_source_known(struct shk_str source)
{
	return shk_str_eqz(source, "syscall") || shk_str_eqz(source, AUDIT);
}

/* What every event has, whatever its source. */
static bool is_general(const struct shk_field *f)
{
	static const char *const names[] = {
		"evt.num", "evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime",
		"evt.datetime.s", "evt.rawtime", "evt.rawtime.s", "evt.rawtime.ns", "evt.reltime",
		"evt.reltime.s", "evt.reltime.ns", "evt.pluginname", "evt.plugininfo", "evt.source",
		"evt.is_async", "evt.asynctype", "evt.hostname",
	};

	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++)
		if (strcmp(f->name, names[i]) == 0)
			return true;
	return strcmp(f->class_name, "json") == 0 || strcmp(f->class_name, "static") == 0;
}

int shk_source_field(struct shk_str source, const struct shk_field *f, struct shk_err *err)
{
	bool audit = strcmp(f->class_name, AUDIT) == 0;

	if (shk_str_eqz(source, AUDIT) ? audit || is_general(f) : !audit)
		return 0;
	return shk_err_set(err, ENOENT, "events of source " SHK_STR_FMT " have no field '%s'",
			   SHK_STR_ARG(source), f->name);
}

static int check_operand(struct shk_str source, const struct shk_operand *o, unsigned *pos,
			 struct shk_err *err)
{
	int r = 0;

	if (o->kind == SHK_OPERAND_FIELD) {
		*pos = o->pos;
		return shk_source_field(source, o->ref.field, err);
	}
	for (size_t i = 0; o->kind != SHK_OPERAND_TEXT && i < o->n && r == 0; i++)
		r = check_operand(source, &o->item[i], pos, err);
	return r;
}

int shk_source_condition(struct shk_str source, const struct shk_ast *e, unsigned *ret_pos,
			 struct shk_err *err)
{
	int r = 0;

	if (e->kind == SHK_AST_CHECK) {
		r = check_operand(source, &e->left, ret_pos, err);
		return r < 0 ? r : check_operand(source, &e->right, ret_pos, err);
	}
	for (size_t i = 0; i < e->n && r == 0; i++)
		r = shk_source_condition(source, e->child[i], ret_pos, err);
	return r;
}

int shk_source_output(struct shk_str source, const struct shk_output *o, struct shk_err *err)
{
	struct shk_field_ref ref;
	struct shk_str name;

	for (size_t i = 0; (name = shk_output_field(o, i)).p; i++) {
		int r = shk_field_parse(name, &ref, NULL) == 0 ?
				shk_source_field(source, ref.field, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}
