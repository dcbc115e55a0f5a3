// SPDX-License-Identifier: Apache-2.0
/* shrike rules - what rule files hold: as written, as compiled, and what it needs. */
#include <errno.h>
#include <fnmatch.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "shrike/commands.h"
#include "shrike/load.h"
#include "shrike/rule_files.h"

#define RULE_MAX (64u << 20) /* bytes of one description */

struct rules {
	struct shk_cli *c;
	bool json;
	struct shk_cli_paths files;
	const char **name; /* what is asked for; none: everything */
	size_t n_names;
	struct shk_loader *l;
	struct shk_cli_table t;
	struct shk_config *config;
};

/* ---- JSON ---- */

static struct json_object *js(struct shk_str s)
{
	return json_object_new_string_len(s.n ? s.p : "", (int)s.n);
}

static void set(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

static struct json_object *js_all(const struct shk_str *v, size_t n)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(a, js(v[i]));
	return a;
}

static struct json_object *js_strs(const struct shk_strs *s)
{
	return js_all(s->v, s->n);
}

static struct json_object *js_exceptions(const struct shk_rule_desc *d)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < d->n_exception; i++) {
		const struct shk_exception_desc *x = &d->exception[i];
		struct json_object *o = json_object_new_object();

		set(o, "name", js(x->name));
		set(o, "fields", js_all(x->field, x->n));
		set(o, "comps", js_all(x->comp, x->n));
		set(o, "values", json_object_new_int64((int64_t)x->n_values));
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *js_parts(const struct shk_rule_part *part, size_t n)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		set(o, "file", js(part[i].file));
		set(o, "line", json_object_new_int64(part[i].line));
		set(o, "text", js(part[i].text));
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *js_rule(const struct shk_rule_desc *d)
{
	struct json_object *o = json_object_new_object();

	set(o, "rule", js(d->name));
	set(o, "priority", json_object_new_string(shk_priority_name(d->priority)));
	set(o, "source", js(d->source));
	set(o, "tags", js_all(d->tags, d->n_tags));
	set(o, "enabled", json_object_new_boolean(d->enabled));
	set(o, "left_out", json_object_new_boolean(d->left_out));
	set(o, "file", js(d->part[0].file));
	set(o, "line", json_object_new_int64(d->part[0].line));
	return o;
}

static void put_json(struct json_object *o)
{
	shk_cli_json(o);
	json_object_put(o);
}

/* ---- text ---- */

static void put_clean(const char *before, struct shk_str s, const char *after)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, RULE_MAX);
	for (size_t start = 0; start <= s.n;) { /* lines stay lines */
		const char *nl = start < s.n ? memchr(s.p + start, '\n', s.n - start) : NULL;
		size_t end = nl ? (size_t)(nl - s.p) : s.n;

		shk_cli_clean(&b, (struct shk_str){ s.p + start, end - start });
		if (nl)
			shk_buf_addc(&b, '\n');
		start = end + 1;
	}
	printf("%s%s%s", before, b.n ? b.p : "", after);
}

static void put_words(const char *label, const struct shk_str *v, size_t n)
{
	if (!n)
		return;
	printf("  %-14s", label);
	for (size_t i = 0; i < n; i++)
		put_clean(i ? ", " : "", v[i], "");
	putchar('\n');
}

static void put_exceptions(const struct shk_rule_desc *d)
{
	for (size_t i = 0; i < d->n_exception; i++) {
		const struct shk_exception_desc *x = &d->exception[i];

		printf("  %-14s", i ? "" : "exceptions");
		put_clean("", x->name, ": ");
		for (size_t k = 0; k < x->n; k++) {
			put_clean(k ? ", " : "", x->field[k], " ");
			put_clean("", x->comp[k], "");
		}
		printf(" (%zu values)\n", x->n_values);
	}
}

static void put_parts(const struct shk_cli *c, const struct shk_rule_part *part, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("%s# ", shk_cli_on(c, SHK_C_DIM));
		put_clean("", part[i].file, "");
		printf(":%u%s\n", part[i].line, shk_cli_off(c));
		put_clean("", part[i].text, "\n");
	}
}

/* ---- list, show, describe ---- */

static void list_one(struct rules *r, const struct shk_rule_desc *d)
{
	_cleanup_buf_ struct shk_buf tags = { 0 }, where = { 0 };

	if (r->json) {
		put_json(js_rule(d));
		return;
	}
	shk_buf_init(&tags, 65536);
	shk_buf_init(&where, 65536);
	for (size_t i = 0; i < d->n_tags; i++) {
		if (i)
			shk_buf_adds(&tags, ",");
		shk_cli_clean(&tags, d->tags[i]);
	}
	shk_cli_clean(&where, d->part[0].file);
	shk_buf_printf(&where, ":%u", d->part[0].line);
	shk_cli_cell(&r->t, d->name);
	shk_cli_cellf(&r->t, "%s", shk_priority_name(d->priority));
	shk_cli_cell(&r->t, d->source);
	shk_cli_cellf(&r->t, "%s", d->left_out ? "left out" : d->enabled ? "yes" : "no");
	shk_cli_cell(&r->t, tags.n ? shk_buf_view(&tags) : SHK_STR(""));
	shk_cli_cell(&r->t, where.n ? shk_buf_view(&where) : SHK_STR(""));
}

static void show_one(struct rules *r, const struct shk_rule_desc *d)
{
	if (r->json) {
		struct json_object *o = js_rule(d);

		set(o, "items", js_parts(d->part, d->n_part));
		set(o, "condition_compiled", js(d->condition));
		set(o, "output_compiled", js(d->output));
		set(o, "exceptions", js_exceptions(d));
		put_json(o);
		return;
	}
	put_parts(r->c, d->part, d->n_part);
	if (d->left_out) {
		puts("# not compiled: see shrike check\n");
		return;
	}
	puts("# compiled");
	put_clean("  condition     ", d->condition, "\n");
	put_clean("  output        ", d->output, "\n");
	put_exceptions(d);
	putchar('\n');
}

static void describe_one(struct rules *r, const struct shk_rule_desc *d)
{
	static const struct shk_str all = SHK_STR("all");

	if (r->json) {
		struct json_object *o = js_rule(d);

		set(o, "condition_compiled", js(d->condition));
		set(o, "output_compiled", js(d->output));
		set(o, "events", js_strs(&d->events));
		set(o, "any_event", json_object_new_boolean(d->any_event));
		set(o, "condition_fields", js_strs(&d->fields));
		set(o, "condition_operators", js_strs(&d->operators));
		set(o, "output_fields", js_strs(&d->output_fields));
		set(o, "macros", js_strs(&d->macros));
		set(o, "lists", js_strs(&d->lists));
		set(o, "exceptions", js_exceptions(d));
		put_json(o);
		return;
	}
	printf("%s", shk_cli_on(r->c, SHK_C_BOLD));
	put_clean("", d->name, "");
	printf("%s\n", shk_cli_off(r->c));
	put_words("source", &d->source, 1);
	if (d->left_out)
		puts("  not compiled: see shrike check");
	put_words("events", d->any_event ? &all : d->events.v, d->any_event ? 1 : d->events.n);
	put_words("fields", d->fields.v, d->fields.n);
	put_words("output fields", d->output_fields.v, d->output_fields.n);
	put_words("operators", d->operators.v, d->operators.n);
	put_words("macros", d->macros.v, d->macros.n);
	put_words("lists", d->lists.v, d->lists.n);
	put_exceptions(d);
}

static bool asked_for(const struct rules *r, struct shk_str name, bool *found)
{
	_cleanup_free_ char *s = strndup(name.p, name.n);
	bool yes = !r->n_names;

	for (size_t i = 0; s && i < r->n_names; i++)
		if (strcmp(r->name[i], s) == 0 ||
		    (strchr(r->name[i], '*') && fnmatch(r->name[i], s, FNM_NOESCAPE) == 0))
			yes = found[i] = true;
	return yes;
}

static int no_rule(const struct rules *r, const char *name)
{
	SHK_CLEANUP(shk_arena_done) struct shk_arena a;
	struct shk_rule_desc d;
	struct shk_str best = { 0 };
	unsigned least = 6;

	shk_arena_init(&a, RULE_MAX);
	for (size_t i = 0; i < shk_loader_rules(r->l); i++) {
		unsigned n;

		shk_arena_reset(&a);
		if (shk_loader_describe(r->l, i, &a, &d) < 0)
			continue;
		n = shk_str_distance(shk_str(name), d.name, least);
		if (n < least) {
			least = n;
			best = d.name;
		}
	}
	if (best.n)
		return shk_cli_fail(SHK_EXIT_FINDING, "no rule \"%.200s\"; did you mean \"" SHK_STR_FMT
				    "\"?", name, SHK_STR_ARG(best));
	return shk_cli_fail(SHK_EXIT_FINDING, "no rule \"%.200s\"; shrike rules list shows all", name);
}

/* `show` takes macros and lists, too. */
static bool show_other(struct rules *r, const char *name)
{
	static const char *const kinds[] = { "macro", "list" };
	SHK_CLEANUP(shk_arena_done) struct shk_arena a;
	bool found = false;

	shk_arena_init(&a, RULE_MAX);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		const struct shk_rule_part *part;
		size_t n;

		if (shk_loader_show(r->l, kinds[i], shk_str(name), &a, &part, &n) != 1)
			continue;
		found = true;
		if (r->json) {
			struct json_object *o = json_object_new_object();

			set(o, kinds[i], json_object_new_string(name));
			set(o, "items", js_parts(part, n));
			put_json(o);
		} else {
			put_parts(r->c, part, n);
		}
	}
	return found;
}

static int each(struct rules *r, void (*one)(struct rules *r, const struct shk_rule_desc *d))
{
	SHK_CLEANUP(shk_arena_done) struct shk_arena a;
	_cleanup_free_ bool *found = calloc(r->n_names + 1, sizeof(*found));
	int code = SHK_EXIT_OK;

	shk_arena_init(&a, RULE_MAX);
	for (size_t i = 0; found && i < shk_loader_rules(r->l); i++) {
		struct shk_rule_desc d;

		shk_arena_reset(&a);
		if (shk_loader_describe(r->l, i, &a, &d) < 0)
			return shk_cli_fail(SHK_EXIT_FAILED, "a rule is too large to be described");
		if (asked_for(r, d.name, found))
			one(r, &d);
	}
	if (!found)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < r->n_names; i++)
		if (!found[i] && !(one == show_one && show_other(r, r->name[i])))
			code = no_rule(r, r->name[i]);
	return code;
}

/* ---- files ---- */

static int add_default_files(struct rules *r)
{
	const char *dir = shk_cli_value(r->c, "rules-path");

	if (!dir)
		dir = r->config->rules_path;
	while (*dir) {
		size_t n = strcspn(dir, ":");
		_cleanup_free_ char *one = strndup(dir, n);
		struct shk_err err = { 0 };

		if (!one)
			return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
		if (n && access(one, F_OK) == 0 && shk_cli_paths_add(&r->files, one, &err) < 0)
			return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		dir += n + (dir[n] == ':');
	}
	if (!r->files.n)
		return shk_cli_fail(SHK_EXIT_FAILED, "no rule files in rules_path; name some");
	return SHK_EXIT_OK;
}

static int load(struct rules *r)
{
	int code = SHK_EXIT_OK;

	for (size_t i = 0; i < r->files.n; i++) {
		struct shk_err err = { 0 };
		const struct shk_diag *d;
		size_t n;
		int e = shk_loader_add_path(r->l, r->files.v[i], &err);

		if (e >= 0)
			continue;
		if (e != -EINVAL)
			return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		code = SHK_EXIT_FINDING;
		d = shk_loader_last_diags(r->l, &n);
		for (size_t k = 0; k < n; k++) {
			_cleanup_buf_ struct shk_buf b;

			shk_buf_init(&b, 65536);
			if (d[k].error)
				shk_diag_print(&d[k], &b);
			fputs(b.n ? b.p : "", stderr);
		}
	}
	return code;
}

static bool is_file(const char *s)
{
	struct shk_str p = shk_str(s);

	return strchr(s, '/') || shk_str_ends(p, SHK_STR(".yaml")) || shk_str_ends(p, SHK_STR(".yml"));
}

static int work(struct rules *r, const char *what)
{
	struct shk_err err = { 0 };
	int code = shk_cli_config(r->c, &r->config, NULL), c2;

	if (!code && !r->files.n)
		code = add_default_files(r);
	if (code)
		return code;
	if (shk_loader_new(&r->l, &err) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	if (shk_cli_flag(r->c, "suggested-output") &&
	    shk_loader_append_output(r->l, &(struct shk_append_output){ .suggested = true }) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	code = load(r);
	if (code == SHK_EXIT_FAILED)
		return code;
	c2 = each(r, what[0] == 'l' ? list_one : what[0] == 's' ? show_one : describe_one);
	if (what[0] == 'l' && !r->json && c2 != SHK_EXIT_FAILED) {
		int printed = shk_cli_table_print(r->c, &r->t);

		c2 = SHK_MAX(c2, printed);
	}
	return SHK_MAX(code, c2);
}

static int run(struct shk_cli *c)
{
	struct rules r = { .c = c, .json = shk_cli_flag(c, "json"),
			   .t = { .head = { "NAME", "PRIORITY", "SOURCE", "ENABLED", "TAGS",
					    "WHERE" } } };
	const char *what = c->argv[0];
	int code = SHK_EXIT_OK;

	if (strcmp(what, "list") != 0 && strcmp(what, "show") != 0 && strcmp(what, "describe") != 0)
		return shk_cli_usage(c, "rules: \"%.32s\" is none of list, show, describe", what);
	r.name = calloc((size_t)c->argc, sizeof(*r.name));
	if (!r.name)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	for (int i = 1; i < c->argc && !code; i++) {
		struct shk_err err = { 0 };

		if (!is_file(c->argv[i]))
			r.name[r.n_names++] = c->argv[i];
		else if (shk_cli_paths_add(&r.files, c->argv[i], &err) < 0)
			code = shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	}
	if (!code && what[0] == 's' && !r.n_names)
		code = shk_cli_usage(c, "rules show: name a rule, a macro or a list");
	if (!code)
		code = work(&r, what);
	shk_loader_free(r.l);
	shk_config_free(r.config);
	shk_cli_paths_done(&r.files);
	free(r.name);
	return code;
}

const struct shk_cli_cmd shk_cmd_rules = {
	.name = "rules",
	.args = "list|show|describe [NAMES...] [FILES...]",
	.summary = "List rules, show one as written and as compiled, say what it needs",
	.detail = "\nlist: name, priority, source, tags, whether it is enabled, and where it stands.\n"
		  "show: the items that make up a rule (or a macro or list) as they are written, then its\n"
		  "condition and output as compiled, and its exceptions.\n"
		  "describe: the events, fields, operators, macros and lists that rules use.\n"
		  "\n"
		  "An argument with a / or that ends in .yaml or .yml is a file or a directory of such\n"
		  "files; any other is the name of a rule, in which * stands for any text. Without files\n"
		  "those of every directory of rules_path are loaded.",
	.opt = { SHK_OPT_JSON, SHK_OPT_RULES_PATH, SHK_OPT_CONFIG,
		 { "suggested-output", 0, NULL,
		   "add to outputs what Falco's shipped configuration adds" } },
	.min_args = 1,
	.max_args = -1,
	.exits = "  0 printed                     1 errors in the files, or no such rule\n"
		 "  2 wrong usage                 4 a file cannot be read, or other failure",
	.example = "  shrike rules list /etc/falco/falco_rules.yaml\n"
		   "  shrike rules show 'Terminal shell in container' /etc/falco/*.yaml\n"
		   "  shrike rules describe --json rules/ | jq -r '.events[]' | sort | uniq -c",
	.run = run,
};
