// SPDX-License-Identifier: Apache-2.0
/* shrike check and shrike rules, as programs see them: output, JSON, exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

#define OUTPUT_MAX (64u << 20)

static char dir[] = "/tmp/shrike-test-check-XXXXXX";

/* Runs "shrike ARGS" in a directory; its standard output goes to out. Returns the exit status. */
static int shrike(const char *where, const char *args, struct shk_buf *out)
{
	const char *build = getenv("SHK_BUILDDIR");
	char cmd[8192], buf[65536];
	size_t n;
	FILE *f;
	int r;

	r = snprintf(cmd, sizeof(cmd), "cd '%s' && exec '%s/shrike' %s 2>&1", where,
		     build ? build : ".", args);
	assert_true(r > 0 && (size_t)r < sizeof(cmd));
	shk_buf_reset(out);
	f = popen(cmd, "r");
	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		shk_buf_add(out, buf, n);
	r = pclose(f);
	assert_true(WIFEXITED(r));
	return WEXITSTATUS(r);
}

static void file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static const char *data(const char *what, char *path, size_t size)
{
	const char *root = getenv("SHRIKE_TEST_DATA");

	if (!root) {
		print_message("SHRIKE_TEST_DATA is not set: nothing to compare with\n");
		skip();
	}
	snprintf(path, size, "%s/%s", root, what);
	return path;
}

static struct json_object *get(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

/* The same entries: code, and each location with its position. */
static void same_entries(struct json_object *want, struct json_object *got)
{
	size_t n = json_object_array_length(want);

	assert_int_equal(json_object_array_length(got), n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *w = json_object_array_get_idx(want, i);
		struct json_object *g = json_object_array_get_idx(got, i);
		struct json_object *wl = get(get(w, "context"), "locations");
		struct json_object *gl = get(get(g, "context"), "locations");

		assert_string_equal(json_object_get_string(get(g, "code")),
				    json_object_get_string(get(w, "code")));
		assert_true(json_object_get_string_len(get(g, "codedesc")) > 0);
		if (!json_object_equal(wl, gl))
			fail_msg("%s\ninstead of\n%s", json_object_to_json_string(gl),
				 json_object_to_json_string(wl));
	}
}

static void validates_as_recorded(void **state)
{
	static const char *const names[] = { "falco_rules", "falco-incubating_rules",
					     "falco-sandbox_rules", "falco-deprecated_rules",
					     "application_rules" };
	_cleanup_buf_ struct shk_buf out;
	char rules[4096], path[4096], args[200];

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	data("falco-rules", rules, sizeof(rules));
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++) {
		struct json_object *want, *got, *w, *g;

		snprintf(args, sizeof(args), "check --json %s.yaml", names[i]);
		assert_int_equal(shrike(rules, args, &out), 0);
		got = json_tokener_parse(out.p);
		snprintf(args, sizeof(args), "falco-oracle/validate-%s.json", names[i]);
		want = json_object_from_file(data(args, path, sizeof(path)));
		assert_non_null(want);
		w = json_object_array_get_idx(get(want, "falco_load_results"), 0);
		g = json_object_array_get_idx(get(got, "falco_load_results"), 0);
		assert_non_null(g);
		assert_string_equal(json_object_get_string(get(g, "name")),
				    json_object_get_string(get(w, "name")));
		assert_true(json_object_equal(get(w, "successful"), get(g, "successful")));
		assert_true(json_object_equal(get(w, "schema_valid"), get(g, "schema_valid")));
		assert_true(json_object_equal(get(w, "schema_warnings"), get(g, "schema_warnings")));
		same_entries(get(w, "errors"), get(g, "errors"));
		same_entries(get(w, "warnings"), get(g, "warnings"));
		json_object_put(want);
		json_object_put(got);
	}
}

/* What is said of the schema, which is stricter than loading. */
static void fits_schema(void **state)
{
#define R "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: o\n  priority: "
	static const struct {
		const char *text, *warning; /* of the first one, how it ends; "": it fits; NULL: nothing is said */
		bool successful;
	} rows[] = {
		{ R "NOTICE\n", "", true },
		{ R "INFO\n", "", true },
		{ R "Notice\n", "document/0/priority: this is no priority in capitals", true },
		{ R "info\n", "document/0/priority: this is no priority in capitals", true },
		{ R "NOTICE\n  enabled: true\n  warn_evttypes: \"false\"\n", "", true },
		{ R "NOTICE\n  enabled: yes\n", "document/0/enabled: this is neither true nor false", true },
		{ R "NOTICE\n  capture_duration: 12\n", "", true },
		{ R "NOTICE\n  other: 1\n", "document/0: it has a key that is not known", true },
		{ R "NOTICE\n  tags: [a, 1, true]\n", "", true },
		{ R "NOTICE\n  tags: []\n  exceptions:\n", "document/0/exceptions: this is no sequence", true },
		{ R "NOTICE\n  exceptions: [{name: e, fields: proc.name, other: x}]\n",
		  "document/0/exceptions/0: it has a key that is not known", true },
		{ R "NOTICE\n- {rule: r, enabled: false, override: {enabled: replace}}\n", "", true },
		{ R "NOTICE\n- {rule: r, output: p, override: {output: prepend}}\n",
		  "document/1/override/output: this is neither append nor replace", false },
		{ "- {list: l, items: [a, 1]}\n", "", true },
		{ "- {list: l, items: [a, [b]]}\n", "document/0/items/1: this is no text", false },
		{ "- {list: l, items: [], override: {}}\n", "document/0/override: it has no key", true },
		{ "- {macro: m, condition: evt.num=1, append: no}\n",
		  "document/0/append: this is neither true nor false", true },
		{ "- required_engine_version: 12\n", "", true },
		{ "- required_plugin_versions: [{name: json, version: 0.1.0, alternatives: [{name: x}]}]\n",
		  "document/0/required_plugin_versions/0/alternatives/0/version: this is missing", false },
		{ "- nothing: x\n", "document/0: it has a key that is not known", true },
		{ "- \n- {list: l, items: []}\n", "document/0: this is no map", true },
		{ "x: y\n", "document: this is no sequence", false },
		{ "", NULL, true },
		{ "# nothing\n", NULL, true },
		{ "- [\n", NULL, false },
		/* the first document decides */
		{ R "NOTICE\n---\n- {list: l, items: [a], other: b}\n", "", true },
		{ "- {list: l, items: [a], other: b}\n---\n- {list: k, items: [a]}\n",
		  "document/0: it has a key that is not known", true },
	};
	_cleanup_buf_ struct shk_buf out;

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		struct json_object *got, *r, *valid, *w;
		const char *first = "";

		file("schema.yaml", rows[i].text);
		shrike(dir, "check --json schema.yaml", &out);
		got = json_tokener_parse(out.p);
		r = json_object_array_get_idx(get(got, "falco_load_results"), 0);
		assert_non_null(r);
		assert_int_equal(json_object_get_boolean(get(r, "successful")), rows[i].successful);
		if (!rows[i].warning) {
			assert_false(json_object_object_get_ex(r, "schema_valid", &valid));
			assert_false(json_object_object_get_ex(r, "schema_warnings", &valid));
			json_object_put(got);
			continue;
		}
		valid = get(r, "schema_valid");
		w = get(r, "schema_warnings");
		if (json_object_array_length(w))
			first = json_object_get_string(json_object_array_get_idx(w, 0));
		if (json_object_get_boolean(valid) != !rows[i].warning[0] ||
		    !shk_str_ends(shk_str(first), shk_str(rows[i].warning)) ||
		    (first[0] && !shk_str_starts(shk_str(first), SHK_STR("failed for "))) ||
		    (!rows[i].warning[0] && first[0]))
			fail_msg("%s---\n%s", rows[i].text, first);
		json_object_put(got);
	}
#undef R
}

/* Together as they are meant to be used: each on top of those before, the old ones with any. */
static void loads_combinations(void **state)
{
#define STABLE	   "falco_rules.yaml "
#define INCUBATING "falco-incubating_rules.yaml "
#define SANDBOX	   "falco-sandbox_rules.yaml "
#define DEPRECATED "falco-deprecated_rules.yaml "
#define OLD	   "application_rules.yaml "
	static const char *const combinations[] = {
		STABLE INCUBATING,	    STABLE INCUBATING SANDBOX,
		STABLE SANDBOX,		    STABLE INCUBATING SANDBOX DEPRECATED,
		STABLE DEPRECATED,	    STABLE INCUBATING DEPRECATED,
		STABLE OLD,		    STABLE INCUBATING SANDBOX DEPRECATED OLD,
		INCUBATING STABLE,	    DEPRECATED SANDBOX INCUBATING STABLE OLD,
		".",
	};
	_cleanup_buf_ struct shk_buf out;
	char rules[4096], args[300];

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	data("falco-rules", rules, sizeof(rules));
	for (size_t i = 0; i < SHK_ARRAY_SIZE(combinations); i++) {
		snprintf(args, sizeof(args), "check %s", combinations[i]);
		if (shrike(rules, args, &out) != 0)
			fail_msg("%s: %s", combinations[i], out.p ? out.p : "");
		assert_true(!out.p || !strstr(out.p, "error:"));
	}
}

/* All that was recorded of each rule, and nothing else. */
static void describes_as_recorded(void **state)
{
	_cleanup_buf_ struct shk_buf out;
	char rules[4096], path[4096], *save = NULL;
	struct json_object *mine;
	char line[1u << 16];
	unsigned n = 0;
	FILE *f;

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	data("falco-rules", rules, sizeof(rules));
	mine = json_object_new_object();
	assert_int_equal(shrike(rules, "rules describe --json --suggested-output " STABLE INCUBATING
				SANDBOX, &out), 0);
	for (char *l = strtok_r(out.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct json_object *o = json_tokener_parse(l);

		assert_non_null(o);
		json_object_object_add(mine, json_object_get_string(get(o, "rule")), o);
	}
	f = fopen(data("falco-oracle/compiled-rules.jsonl", path, sizeof(path)), "r");
	assert_non_null(f);
	for (; fgets(line, sizeof(line), f); n++) {
		struct json_object *want = json_tokener_parse(line);
		struct json_object *got = get(mine, json_object_get_string(get(want, "rule")));

		assert_non_null(got);
		json_object_object_foreach(want, key, value) {
			if (!json_object_equal(value, get(got, key)))
				fail_msg("%s of %s: %s\ninstead of %s", key,
					 json_object_get_string(get(want, "rule")),
					 json_object_to_json_string(get(got, key)),
					 json_object_to_json_string(value));
		}
		json_object_put(want);
	}
	fclose(f);
	assert_int_equal(n, 93);
	assert_int_equal(json_object_object_length(mine), n);
	json_object_put(mine);
}

static const char shell[] =
	"# first\n"
	"- list: shells\n"
	"  items: [sh, bash]\n"
	"\n"
	"# a macro\n"
	"- macro: starts\n"
	"  condition: evt.type in (execve, execveat)\n"
	"- rule: Shell\n"
	"  desc: d\n"
	"  condition: starts and proc.name in (shells)\n"
	"  output: \"%proc.name by %tolower(user.name)\"\n"
	"  priority: notice\n"
	"  tags: [b, a]\n"
	"  exceptions:\n"
	"  - {name: known, fields: [proc.pname, fd.name], comps: [=, startswith], values: [[x, /y]]}\n"
	"\n"
	"# behind it\n";
static const char more[] = "- rule: Shell\n"
			   "  condition: and not evt.failed=true\n"
			   "  override: {condition: append}\n"
			   "- rule: Off\n"
			   "  desc: d\n"
			   "  condition: proc.name = x\n"
			   "  output: o\n"
			   "  priority: info\n"
			   "  enabled: false\n";

static void shows_rules(void **state)
{
	_cleanup_buf_ struct shk_buf out;

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	file("a.yaml", shell);
	file("b.yml", more);
	assert_int_equal(shrike(dir, "rules show Shell a.yaml b.yml", &out), 0);
	assert_string_equal(
		out.p,
		"# a.yaml:8\n"
		"- rule: Shell\n"
		"  desc: d\n"
		"  condition: starts and proc.name in (shells)\n"
		"  output: \"%proc.name by %tolower(user.name)\"\n"
		"  priority: notice\n"
		"  tags: [b, a]\n"
		"  exceptions:\n"
		"  - {name: known, fields: [proc.pname, fd.name], comps: [=, startswith], values: [[x, /y]]}\n"
		"# b.yml:1\n"
		"- rule: Shell\n"
		"  condition: and not evt.failed=true\n"
		"  override: {condition: append}\n"
		"# compiled\n"
		"  condition     ((evt.type in (execve, execveat) and proc.name in (sh, bash) and not "
		"evt.failed = true) and not (proc.pname = x and fd.name startswith /y))\n"
		"  output        %proc.name by %tolower(user.name)\n"
		"  exceptions    known: proc.pname =, fd.name startswith (1 values)\n"
		"\n");
	assert_int_equal(shrike(dir, "rules show shells starts ./", &out), 0);
	assert_string_equal(out.p, "# .//a.yaml:2\n- list: shells\n  items: [sh, bash]\n"
				   "# .//a.yaml:6\n- macro: starts\n"
				   "  condition: evt.type in (execve, execveat)\n");
	assert_int_equal(shrike(dir, "rules show Shel ./", &out), 1);
	assert_non_null(strstr(out.p, "did you mean \"Shell\"?"));
	assert_int_equal(shrike(dir, "rules show ./", &out), 2);
	assert_int_equal(shrike(dir, "rules shw ./", &out), 2);
	assert_int_equal(shrike(dir, "rules list none.yaml", &out), 4);
}

static void lists_and_describes(void **state)
{
	_cleanup_buf_ struct shk_buf out;

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	file("a.yaml", shell);
	file("b.yml", more);
	assert_int_equal(shrike(dir, "rules list a.yaml b.yml", &out), 0);
	assert_string_equal(out.p,
			    "NAME   PRIORITY       SOURCE   ENABLED  TAGS  WHERE\n"
			    "Shell  Notice         syscall  yes      a,b   a.yaml:8\n"
			    "Off    Informational  syscall  no       -     b.yml:4\n");
	assert_int_equal(shrike(dir, "rules list --json 'O*' a.yaml b.yml", &out), 0);
	assert_string_equal(out.p, "{\"rule\":\"Off\",\"priority\":\"Informational\","
				   "\"source\":\"syscall\",\"tags\":[],\"enabled\":false,"
				   "\"left_out\":false,\"file\":\"b.yml\",\"line\":4}\n");
	assert_int_equal(shrike(dir, "rules describe a.yaml b.yml", &out), 0);
	assert_string_equal(out.p, "Shell\n"
				   "  source        syscall\n"
				   "  events        asyncevent, execve, execveat\n"
				   "  fields        evt.failed, evt.type, fd.name, proc.name, proc.pname\n"
				   "  output fields proc.name, user.name\n"
				   "  operators     =, in, startswith\n"
				   "  macros        starts\n"
				   "  lists         shells\n"
				   "  exceptions    known: proc.pname =, fd.name startswith (1 values)\n"
				   "Off\n"
				   "  source        syscall\n"
				   "  events        all\n"
				   "  fields        proc.name\n"
				   "  operators     =\n");
}

static void exit_codes(void **state)
{
	_cleanup_buf_ struct shk_buf out;
	struct json_object *o, *r;

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	file("a.yaml", shell);
	file("bad.yaml", "- rule: x\n");
	file("warned.yaml", "- macro: unused\n  condition: evt.type=open\n");
	assert_int_equal(shrike(dir, "check a.yaml", &out), 0);
	assert_int_equal(out.n, 0);
	assert_int_equal(shrike(dir, "check warned.yaml", &out), 0);
	assert_non_null(strstr(out.p, "warned.yaml:1:3: warning: "));
	assert_int_equal(shrike(dir, "check bad.yaml", &out), 1);
	assert_non_null(strstr(out.p, "bad.yaml:1:3: error: "));
	assert_int_equal(shrike(dir, "check", &out), 2);
	assert_int_equal(shrike(dir, "check none.yaml a.yaml", &out), 4);
	assert_non_null(strstr(out.p, "[LOAD_ERR_FILE_READ]"));

	/* One result per file, in order; a bad one does not stop the others. */
	assert_int_equal(shrike(dir, "check --json bad.yaml none.yaml a.yaml", &out), 4);
	o = json_tokener_parse(out.p);
	r = get(o, "falco_load_results");
	assert_int_equal(json_object_array_length(r), 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const code[] = { "LOAD_ERR_YAML_VALIDATE", "LOAD_ERR_FILE_READ" };
		struct json_object *one = json_object_array_get_idx(r, i);
		struct json_object *errors = get(one, "errors");

		assert_int_equal(json_object_get_boolean(get(one, "successful")), i == 2);
		assert_int_equal(json_object_array_length(errors), i < 2);
		if (i < 2)
			assert_string_equal(json_object_get_string(get(
				json_object_array_get_idx(errors, 0), "code")), code[i]);
	}
	json_object_put(o);

	/* What a later file uses is unused for the earlier one, as each is compiled with those before. */
	file("use.yaml", "- rule: r\n  desc: d\n  condition: unused\n  output: o\n  priority: info\n");
	assert_int_equal(shrike(dir, "check --json warned.yaml use.yaml", &out), 0);
	o = json_tokener_parse(out.p);
	r = get(o, "falco_load_results");
	assert_int_equal(json_object_array_length(get(json_object_array_get_idx(r, 0), "warnings")), 1);
	assert_int_equal(json_object_array_length(get(json_object_array_get_idx(r, 1), "warnings")), 0);
	json_object_put(o);
	assert_int_equal(shrike(dir, "check warned.yaml use.yaml", &out), 0);
	assert_int_equal(out.n, 0);

	/* Bytes that are no UTF-8: JSON stays JSON. */
	file("bytes.yaml", "- rule: \xff\xfe\n");
	assert_int_equal(shrike(dir, "check --json bytes.yaml", &out), 1);
	o = json_tokener_parse(out.p);
	assert_non_null(o);
	json_object_put(o);
}

/* A directory of many files, each of which is compiled with those before it. */
static void many_files(void **state)
{
	_cleanup_buf_ struct shk_buf out;
	char name[64], text[300];

	(void)state;
	shk_buf_init(&out, OUTPUT_MAX);
	snprintf(text, sizeof(text), "%s/many", dir);
	assert_int_equal(mkdir(text, 0755), 0);
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "many/f%03u.yaml", i);
		snprintf(text, sizeof(text), "- {list: l%u, items: [a%u]}\n- rule: r%u\n  desc: d\n  output: o\n"
			 "  priority: info\n  condition: evt.type=open and proc.name in (l%u)\n", i, i, i,
			 i ? i - 1 : 599);
		file(name, text);
	}
	assert_int_equal(shrike(dir, "check many", &out), 0);
	/* rule r0 stood alone with the text l599, until there was a list of that name */
	assert_true(!out.n || !strstr(out.p, "LOAD_UNUSED"));
	assert_int_equal(shrike(dir, "check --json many", &out), 0);
	/* when a file was read, its own list was not used yet */
	assert_non_null(strstr(out.p, "'l598'"));
	assert_null(strstr(out.p, "'l599'"));
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char cmd[200];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(validates_as_recorded), cmocka_unit_test(loads_combinations),
		cmocka_unit_test(fits_schema),
		cmocka_unit_test(describes_as_recorded), cmocka_unit_test(shows_rules),
		cmocka_unit_test(lists_and_describes),	 cmocka_unit_test(exit_codes),
		cmocka_unit_test(many_files),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
