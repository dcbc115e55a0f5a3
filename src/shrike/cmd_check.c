// SPDX-License-Identifier: Apache-2.0
/* shrike check - are these rule and policy files right? */
#include <errno.h>
#include <json-c/json.h>

#include "base/io.h"
#include "shrike/commands.h"
#include "shrike/load.h"
#include "shrike/rule_files.h"

#define FILE_MAX (128u << 20) /* as the loader */
#define PATH_TEXT 16384

struct check {
	struct shk_cli *c;
	bool json;
	unsigned errors, warnings;
	bool unread;			/* a file could not be read */
	struct json_object *results;	/* with --json: of rule files, one each */
	struct shk_cli_paths files;
	struct shk_buf rules_path;
};

static void add_str(struct json_object *o, const char *key, struct shk_str s)
{
	if (s.n)
		json_object_object_add(o, key, json_object_new_string_len(s.p, (int)s.n));
}

static void put_json(bool error, struct shk_str file, unsigned line,
		     unsigned column, const char *code, struct shk_str message, struct shk_str hint)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "severity", json_object_new_string(error ? "error" : "warning"));
	add_str(o, "file", file);
	if (line) {
		json_object_object_add(o, "line", json_object_new_int((int)line));
		json_object_object_add(o, "column", json_object_new_int((int)column));
	}
	if (code)
		json_object_object_add(o, "code", json_object_new_string(code));
	add_str(o, "message", message);
	add_str(o, "hint", hint);
	shk_cli_json(o);
	json_object_put(o);
}

static void on_diag(const struct shk_diag *d, void *arg)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	struct check *k = arg;

	if (!d->note)
		d->error ? k->errors++ : k->warnings++;
	if (k->json) {
		put_json(d->error, d->file, d->line, d->column, d->code, d->message, d->hint);
		return;
	}
	shk_buf_init(&b, 65536);
	shk_diag_print(d, &b);
	fputs(b.n ? b.p : "", stdout);
}

/* Policies report "FILE:LINE:COLUMN: text"; it is printed as diagnostics of rules are. */
static void on_error(struct check *k, const char *file, const char *text)
{
	struct shk_str f = shk_str(file), message = shk_str(text);
	_cleanup_buf_ struct shk_buf b = { 0 };
	unsigned line = 0, column = 0;
	int n = 0;

	k->errors++;
	if (shk_str_starts(message, f) &&
	    sscanf(text + f.n, ":%9u:%9u: %n", &line, &column, &n) == 2 && n) {
		message.p += f.n + (size_t)n;
		message.n -= f.n + (size_t)n;
	}
	if (k->json) {
		put_json(true, f, line, column, NULL, message, (struct shk_str){ 0 });
		return;
	}
	shk_buf_init(&b, 16384);
	if (line)
		shk_buf_printf(&b, "%s:%u:%u: ", file, line, column);
	shk_buf_printf(&b, "%serror:%s ", shk_cli_on(k->c, SHK_C_RED), shk_cli_off(k->c));
	shk_cli_clean(&b, message);
	puts(b.n ? b.p : "");
}

struct of_policy {
	struct check *k;
	struct shk_str file, name;
};

static void on_warning(const char *text, void *arg)
{
	struct of_policy *o = arg;
	_cleanup_buf_ struct shk_buf b = { 0 };

	o->k->warnings++;
	if (o->k->json) {
		put_json(false, o->file, 0, 0, NULL, shk_str(text), (struct shk_str){ 0 });
		return;
	}
	shk_buf_init(&b, 16384);
	shk_cli_clean(&b, shk_str(text));
	printf(SHK_STR_FMT ": %swarning:%s policy " SHK_STR_FMT ": %s\n", SHK_STR_ARG(o->file),
	       shk_cli_on(o->k->c, SHK_C_YELLOW), shk_cli_off(o->k->c), SHK_STR_ARG(o->name),
	       b.n ? b.p : "");
}

static void check_warnings(struct check *k, const struct shk_policyset *set)
{
	for (size_t i = 0; i < shk_policyset_count(set); i++) {
		const struct shk_policy *p = shk_policyset_at(set, i);
		struct of_policy o = { k, p->file, p->name };

		shk_policy_warnings(p, on_warning, &o);
	}
}

static void check_policy(struct check *k, const char *path, struct shk_str text)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *set = NULL;
	struct shk_err err = { 0 };

	if (shk_policyset_load_text(path, text, k->rules_path.p, &set, &err) < 0)
		on_error(k, path, err.text);
	else
		check_warnings(k, set);
}

static void check_dir(struct check *k, const char *dir)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *set = NULL;
	unsigned before = k->errors;
	struct shk_err err = { 0 };

	if (access(dir, R_OK | X_OK) < 0) {
		shk_err_sys(&err, errno, "policy directory %s", dir);
		on_error(k, dir, err.text);
		return;
	}
	if (shk_policyset_load(dir, k->rules_path.p, on_diag, k, &set, &err) == 0)
		check_warnings(k, set);
	else if (k->errors == before) /* else the reason was printed as a diagnostic */
		on_error(k, dir, err.text);
}

static void count(struct check *k, const struct shk_diag *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d[i].error ? k->errors++ : k->warnings++;
}

static void check_rules(struct check *k, struct shk_loader *l, const char *path, struct shk_str text)
{
	const struct shk_diag *d;
	struct shk_err err = { 0 };
	size_t n;
	int r = shk_loader_add_text(l, path, text, &err);

	d = shk_loader_last_diags(l, &n);
	if (r < 0 && r != -EINVAL) { /* no fault of the text */
		on_error(k, path, err.text);
		return;
	}
	if (!k->json)
		return; /* printed when all files are in */
	count(k, d, n);
	json_object_array_add(k->results, shk_cli_load_result(path, d, n));
}

static void unreadable(struct check *k, const char *path, const struct shk_err *err)
{
	static const struct shk_diag_loc none = { .item_type = SHK_STR("rules content"),
						  .item_name = SHK_STR("") };
	struct shk_diag_loc loc = none;
	struct shk_diag d = { .error = true, .code = "LOAD_ERR_FILE_READ", .file = shk_str(path),
			      .message = shk_str(err->text), .loc = &loc, .n_loc = 1 };

	k->unread = true;
	k->errors++;
	loc.name = d.file;
	if (k->json)
		json_object_array_add(k->results, shk_cli_load_result(path, &d, 1));
	else
		shk_cli_fail(SHK_EXIT_FAILED, "%s [LOAD_ERR_FILE_READ]", err->text);
}

/* One pass over the files: rules go to one loader in the order given, as they would in a policy, and
 * policies find rule files beside those given. */
static void check_files(struct check *k, struct shk_loader *l)
{
	for (size_t i = 0; i < k->files.n; i++) {
		_cleanup_buf_ struct shk_buf b = { 0 };
		const char *path = k->files.v[i];
		struct shk_err err = { 0 };
		struct shk_str text;

		shk_buf_init(&b, FILE_MAX);
		if (shk_read_file(path, &b, &err) < 0) {
			unreadable(k, path, &err);
			continue;
		}
		text = (struct shk_str){ b.n ? b.p : "", b.n };
		if (shk_cli_is_policy(text))
			check_policy(k, path, text);
		else
			check_rules(k, l, path, text);
	}
}

static void add_rules_path(struct check *k, const char *configured)
{
	const char *given = shk_cli_value(k->c, "rules-path");

	if (given) {
		shk_buf_adds(&k->rules_path, given);
		return;
	}
	for (size_t i = 0; i < k->files.n; i++) {
		const char *path = k->files.v[i], *slash = strrchr(path, '/');

		if (slash)
			shk_buf_add(&k->rules_path, path, (size_t)SHK_MAX(slash - path, 1));
		else
			shk_buf_addc(&k->rules_path, '.');
		shk_buf_addc(&k->rules_path, ':');
	}
	shk_buf_adds(&k->rules_path, configured);
}

static int check_all(struct check *k)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rules = NULL;
	const char *dir = shk_cli_value(k->c, "policy-dir");
	const struct shk_diag *diag;
	struct shk_err err = { 0 };
	unsigned before;
	size_t n;
	int r;

	if (shk_loader_new(&l, &err) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	if (!k->json)
		shk_loader_want_notes(l);
	if (k->json)
		k->results = json_object_new_array();
	check_files(k, l);
	if (dir)
		check_dir(k, dir);
	before = k->errors;
	r = shk_loader_compile(l, NULL, &rules, &err);
	diag = shk_loader_diags(l, &n);
	for (size_t i = 0; !k->json && i < n; i++)
		on_diag(&diag[i], k);
	if (r < 0 && k->errors == before)
		on_error(k, "", err.text);
	if (k->json && json_object_array_length(k->results)) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "falco_load_results", TAKE_PTR(k->results));
		shk_cli_json(o);
		json_object_put(o);
	}
	json_object_put(TAKE_PTR(k->results));
	return SHK_EXIT_OK;
}

static int run(struct shk_cli *c)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *config = NULL;
	struct check k = { .c = c, .json = shk_cli_flag(c, "json") };
	int r;

	if (!c->argc && !shk_cli_value(c, "policy-dir"))
		return shk_cli_usage(c, "check: give files, or --policy-dir");
	r = shk_cli_config(&config);
	if (r)
		return r;
	for (int i = 0; i < c->argc; i++) {
		struct shk_err err = { 0 };

		if (shk_cli_paths_add(&k.files, c->argv[i], &err) < 0) {
			shk_cli_paths_done(&k.files);
			return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		}
	}
	shk_buf_init(&k.rules_path, PATH_TEXT);
	add_rules_path(&k, config->rules_path);
	r = k.rules_path.failed ? shk_cli_fail(SHK_EXIT_FAILED, "too many files at once; check them in "
					       "parts") : check_all(&k);
	shk_buf_done(&k.rules_path);
	shk_cli_paths_done(&k.files);
	if (r)
		return r;
	if (!k.json && c->tty)
		printf("%u errors, %u warnings\n", k.errors, k.warnings);
	if (k.unread)
		return SHK_EXIT_FAILED;
	return k.errors ? SHK_EXIT_FINDING : SHK_EXIT_OK;
}

const struct shk_cli_cmd shk_cmd_check = {
	.name = "check",
	.args = "FILES...",
	.summary = "Find the errors in rule files and policy files",
	.detail = "\nA file whose first document is a map with the key `policy` is a policy, any other is a\n"
		  "rule file. Rule files are loaded together, in the order given: a later one sees the\n"
		  "macros and lists of those before. Rule files that a policy names are looked up beside\n"
		  "the files given, then in rules_path. With --policy-dir a whole directory is checked as\n"
		  "the daemon would load it. A directory stands for its *.yaml and *.yml, sorted.\n"
		  "\n"
		  "With --json rule files give one object of the shape of Falco's validation,\n"
		  "{\"falco_load_results\":[{\"name\",\"successful\",\"errors\",\"warnings\"}]}: what is said of a\n"
		  "file includes those before it, as they are compiled together. Errors and warnings of\n"
		  "policies are one object each, with severity, file, line, column and message.",
	.opt = { SHK_OPT_JSON, { "policy-dir", 0, "DIR", "check this directory of policies, too" },
		 { "rules-path", 0, "DIRS", "directories of rule files, with : between them" } },
	.max_args = -1,
	.exits = "  0 no errors (warnings are printed)   1 errors\n"
		 "  2 wrong usage                        4 a file cannot be read, or other failure",
	.example = "  shrike check rules/*.yaml policy.yaml\n"
		   "  shrike check --policy-dir /etc/shrike/policies.d --json",
	.run = run,
};
