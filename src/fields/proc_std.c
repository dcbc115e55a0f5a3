// SPDX-License-Identifier: Apache-2.0
/*
 * proc_std.c - where the standard streams of the task lead: a shell whose input and output are a
 * socket is seldom a person's.
 */
#include "fields/fd_view.h"

static bool std_type(struct shk_eval_ctx *ctx, int fd, struct shk_value *out)
{
	struct shk_fd_facts f;

	return shk_fd_facts(ctx, fd, &f) && shk_set_opt(out, shk_str(shk_fd_type_word(f.type)));
}

static bool std_name(struct shk_eval_ctx *ctx, int fd, struct shk_value *out)
{
	struct shk_fd_facts f;

	return shk_fd_facts(ctx, fd, &f) && shk_set_opt(out, f.name);
}

#define GETTER(word, value, fd)                                                                    \
	static bool word(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,                \
			 struct shk_value *out)                                                    \
	{                                                                                          \
		(void)ref;                                                                         \
		return value(ctx, fd, out);                                                        \
	}

GETTER(stdin_type_get, std_type, 0)
GETTER(stdout_type_get, std_type, 1)
GETTER(stderr_type_get, std_type, 2)
GETTER(stdin_name_get, std_name, 0)
GETTER(stdout_name_get, std_name, 1)
GETTER(stderr_name_get, std_name, 2)

#define ROW(n, g, d)                                                                               \
	{ .name = (n), .class_name = "process", .type = SHK_T_STRING, .falco_type = "CHARBUF",     \
	  .flags = SHK_F_COSTLY, .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	ROW("proc.stdin.type", stdin_type_get, "Kind of the standard input, as fd.type."),
	ROW("proc.stdout.type", stdout_type_get, "Kind of the standard output, as fd.type."),
	ROW("proc.stderr.type", stderr_type_get, "Kind of the standard error, as fd.type."),
	ROW("proc.stdin.name", stdin_name_get, "Name of the standard input, as fd.name."),
	ROW("proc.stdout.name", stdout_name_get, "Name of the standard output, as fd.name."),
	ROW("proc.stderr.name", stderr_name_get, "Name of the standard error, as fd.name."),
};

SHK_FIELD_TABLE(shk_table_proc_std, table);
