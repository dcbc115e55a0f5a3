// SPDX-License-Identifier: Apache-2.0
/* shrike list - the words a rule can use, from the tables the engine runs on. */
#include <json-c/json.h>

#include "fields/fields.h"
#include "shrike/commands.h"
#include "syscalls/flags.h"
#include "syscalls/syscalls.h"

enum form { FORM_TABLE, FORM_JSON, FORM_TSV };

static void tsv(const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? "\t" : "", v[i]);
	putchar('\n');
}

static void out_row(struct shk_cli_table *t, enum form form, const char *const *v)
{
	size_t n = 0;

	while (n < SHK_CLI_COLS && t->head[n])
		n++;
	if (form == FORM_TSV)
		tsv(v, n);
	for (size_t i = 0; form == FORM_TABLE && i < n; i++)
		shk_cli_cell(t, shk_str(v[i]));
	if (form == FORM_JSON) {
		struct json_object *o = json_object_new_object();

		for (size_t i = 0; o && i < n; i++)
			json_object_object_add(o, t->head[i], json_object_new_string(v[i]));
		shk_cli_json(o);
		json_object_put(o);
	}
}

static int out_end(const struct shk_cli *c, struct shk_cli_table *t, enum form form)
{
	char upper[SHK_CLI_COLS][24];

	if (form != FORM_TABLE)
		return SHK_EXIT_OK;
	for (size_t i = 0; i < SHK_CLI_COLS && t->head[i]; i++) {
		size_t k = 0;

		for (; t->head[i][k] && k < sizeof(upper[i]) - 1; k++) {
			char ch = t->head[i][k];

			upper[i][k] = ch >= 'a' && ch <= 'z' ? (char)(ch - 'a' + 'A') : ch;
		}
		upper[i][k] = 0;
		t->head[i] = upper[i];
	}
	return shk_cli_table_print(c, t);
}

static const char *class_word(enum shk_verdict_class v)
{
	switch (v) {
	case SHK_VC_REGISTER:
		return "register";
	case SHK_VC_EMULATE:
		return "emulate";
	case SHK_VC_VERIFY:
		return "verify";
	case SHK_VC_MEMORY:
		return "memory";
	case SHK_VC_NONE:
		return "none";
	}
	return "?";
}

static void number(char *out, size_t size, int32_t nr)
{
	if (nr < 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%d", nr & ~SHK_X32_BIT);
}

static void arguments(const struct shk_syscall *s, char *out, size_t size)
{
	size_t n = 0;

	out[0] = 0;
	for (unsigned i = 0; i < s->nargs && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "," : "",
				      s->arg[i].name && *s->arg[i].name ? s->arg[i].name : "?");
}

static int list_syscalls(const struct shk_cli *c, enum form form)
{
	static const char *const rarity[] = { "rare", "common", "hot" };
	struct shk_cli_table t = { .head = { "name", "evt_type", "x86_64", "i386", "x32", "class",
					     "rarity", "arguments" },
				   .right = { [2] = true, [3] = true, [4] = true } };

	if (form == FORM_TSV)
		tsv(t.head, 8);
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		const struct shk_syscall *s = &shk_syscalls[i];
		char nr[3][16], args[256];

		for (int abi = SHK_ABI_X86_64; abi <= SHK_ABI_X32; abi++)
			number(nr[abi], sizeof(nr[abi]), s->nr[abi]);
		arguments(s, args, sizeof(args));
		out_row(&t, form, (const char *const[]){ s->name, s->evt_type, nr[0], nr[1], nr[2],
							 class_word(s->vclass), rarity[s->rarity],
							 args });
	}
	return out_end(c, &t, form);
}

static int list_fields(const struct shk_cli *c, enum form form)
{
	struct shk_cli_table t = { .head = { "name", "type", "argument", "availability", "class", "reason",
					     "description" } };
	const struct shk_field *const *all;
	size_t n;

	if (form == FORM_TSV)
		tsv(t.head, 7);
	all = shk_fields_all(&n);
	for (size_t i = 0; i < n; i++) {
		const struct shk_field *f = all[i];

		out_row(&t, form, (const char *const[]){
			f->name, f->falco_type, shk_field_argument(f),
			shk_availability_name(shk_field_availability(f)), f->class_name,
			shk_field_origin(f), f->doc });
	}
	return out_end(c, &t, form);
}

/* A call's argument names its list; the same list serves many calls. */
static bool seen_before(const struct shk_flag_list *l, unsigned call, unsigned arg)
{
	for (unsigned i = 0; i <= call; i++)
		for (unsigned k = 0; k < (i == call ? arg : shk_syscalls[i].nargs); k++)
			if (shk_syscalls[i].arg[k].flags == l)
				return true;
	return false;
}

static void list_one_flags(struct shk_cli_table *t, enum form form, const struct shk_flag_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char value[24];

		snprintf(value, sizeof(value), l->is_enum ? "%llu" : "0x%llx",
			 (unsigned long long)l->flags[i].value);
		out_row(t, form, (const char *const[]){ l->name, l->flags[i].name, value });
	}
}

static int list_flags(const struct shk_cli *c, enum form form)
{
	struct shk_cli_table t = { .head = { "list", "name", "value" }, .right = { [2] = true } };

	if (form == FORM_TSV)
		tsv(t.head, 3);
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		for (unsigned k = 0; k < shk_syscalls[i].nargs; k++) {
			const struct shk_flag_list *l = shk_syscalls[i].arg[k].flags;

			if (l && !seen_before(l, i, k))
				list_one_flags(&t, form, l);
		}
	return out_end(c, &t, form);
}

static int run(struct shk_cli *c)
{
	enum form form = shk_cli_flag(c, "json") ? FORM_JSON :
			 shk_cli_flag(c, "tsv")	 ? FORM_TSV :
						   FORM_TABLE;
	const char *what = c->argv[0];

	if (shk_cli_flag(c, "json") && shk_cli_flag(c, "tsv"))
		return shk_cli_usage(c, "list: --json and --tsv exclude each other");
	if (strcmp(what, "syscalls") == 0)
		return list_syscalls(c, form);
	if (strcmp(what, "fields") == 0)
		return list_fields(c, form);
	if (strcmp(what, "flags") == 0)
		return list_flags(c, form);
	return shk_cli_usage(c, "list: \"%.32s\" is none of syscalls, fields, flags", what);
}

const struct shk_cli_cmd shk_cmd_list = {
	.name = "list",
	.args = "syscalls|fields|flags",
	.summary = "List the system calls, fields or flag words rules can use",
	.detail = "\nsyscalls: numbers per ABI (x32 without its bit), the class of promise a verdict on\n"
		  "the call can give, how often programs make it, and its arguments (evt.arg.NAME).\n"
		  "fields: what conditions and outputs can name. The reason says where a value comes from, or why\n"
		  "there is none. Arguments in parentheses can be left out. flags: the words of flag arguments.",
	.opt = { SHK_OPT_JSON, { "tsv", 0, NULL, "tab-separated, first line the column names" } },
	.min_args = 1,
	.max_args = 1,
	.exits = "  0 listed                      2 wrong usage",
	.example = "  shrike list fields --tsv | grep ^proc\n"
		   "  shrike list syscalls --json | jq -r 'select(.class == \"register\").name'",
	.run = run,
};
