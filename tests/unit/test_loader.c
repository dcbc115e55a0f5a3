// SPDX-License-Identifier: Apache-2.0
/* Rule files: what comes out of them, as conditions, and what is said about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"
#include "rules/rules.h"

#define RULE(name, cond)                                                                           \
	"- rule: " name "\n  desc: d\n  condition: " cond "\n  output: o\n  priority: notice\n"

/* Compiled rules as lines "name: condition", or the first error. */
static void outcome(struct shk_loader *l, const char *const *file, struct shk_buf *out)
{
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };
	int r = 0;

	for (int i = 0; file[i] && r >= 0; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		r = shk_loader_add_text(l, name, shk_str(file[i]), &err);
	}
	if (r >= 0)
		r = shk_loader_compile(l, NULL, &rs, &err);
	if (r < 0) {
		shk_buf_printf(out, "%s", err.text);
		return;
	}
	for (unsigned i = 0; i < shk_ruleset_count(rs); i++) {
		shk_buf_printf(out, "%s%.*s: ", i ? "\n" : "",
			       SHK_STR_ARG(shk_ruleset_rule(rs, i)->name));
		shk_ruleset_print_condition(rs, i, out);
	}
}

static const struct {
	const char *file[4];
	const char *out; /* compiled rules, or how the first error begins */
} cases[] = {
	/* documents, null items, first key wins, aliases */
	{ { "" }, "" },
	{ { "---\n---\n- \n" RULE("a", "evt.type=open") "---\n" RULE("b", "evt.type=close") },
	  "a: evt.type = open\nb: evt.type = close" },
	{ { RULE("a", "evt.type=open") "  condition: evt.type=close\n" }, "a: evt.type = open" },
	{ { "- list: x\n  items: &i [a, b]\n- list: y\n  items: *i\n"
	    RULE("a", "evt.type=open and proc.name in (y)") },
	  "a: (evt.type = open and proc.name in (a, b))" },
	/* lists */
	{ { "- {list: a, items: [x]}\n- {list: b, items: [a]}\n- {list: c, items: [b]}\n"
	    RULE("r", "proc.name in (c)") }, "r: proc.name in (a)" },
	{ { "- {list: l, items: [a, b c, '\"d,e\"', 5]}\n" RULE("r", "proc.name in (l, z)") },
	  "r: proc.name in (a, \"b c\", d,e, 5, z)" },
	{ { "- {list: l, items: []}\n" RULE("r", "proc.name in (x, l) or proc.name in (l,y) or "
	    "proc.name in (l)") },
	  "r: (proc.name in (x) or proc.name in (y) or proc.name in ())" },
	{ { "- {list: l, items: [x]}\n" RULE("r", "proc.name=l and proc.pname = l-l") },
	  "r: (proc.name = x and proc.pname = l-l)" },
	{ { RULE("r", "proc.name in (later)") "- {list: later, items: [x]}\n" },
	  "r: proc.name in (x)" },
	{ { "- {list: l, items: [x]}\n" RULE("r", "proc.name in (l)"),
	    "- {list: l, items: [y], append: true}\n",
	    "- {list: l, items: [z], override: {items: append}}\n" },
	  "r: proc.name in (x, y, z)" },
	{ { "- {list: l, items: [x]}\n" RULE("r", "proc.name in (l)"),
	    "- {list: l, items: [z], override: {items: replace}}\n" }, "r: proc.name in (z)" },
	{ { "- {list: l, items: [x], append: true}\n" }, "f0:1:3: list 'l' does not exist" },
	{ { "- {list: l, items: [[x]]}\n" }, "f0:1:21: an item of a list" },
	/* macros */
	{ { "- {macro: m, condition: proc.name=a or proc.name=b}\n" RULE("r", "evt.type=open and m") },
	  "r: (evt.type = open and (proc.name = a or proc.name = b))" },
	{ { RULE("r", "m") "- {macro: m, condition: evt.type=open}\n" }, "r: evt.type = open" },
	{ { "- {macro: m, condition: n}\n- {macro: n, condition: evt.type=open}\n" },
	  "f0:1:25: macro 'n' is defined only further down" },
	{ { "- {macro: m, condition: evt.type=open}\n- {macro: n, condition: evt.type=close}\n"
	    "- {macro: m, condition: or n, append: true}\n" RULE("r", "m") },
	  "r: (evt.type = open or evt.type = close)" },
	{ { "- {macro: m, condition: evt.type=open}\n- {macro: n, condition: m}\n"
	    "- {macro: m, condition: or n, append: true}\n" RULE("r", "m") },
	  "f0:2:25: macro 'm' refers to itself" },
	{ { RULE("r", "evt.type=open and\n    speled") "- {macro: spelled, condition: proc.name=x}\n" },
	  "f0:4:5: undefined macro 'speled' (did you mean 'spelled'?)" },
	{ { RULE("r", "m"), "- {macro: m, condition: evt.type=open}\n" },
	  "f0:3:14: undefined macro 'm'" },
	{ { "- {macro: m, condition: evt.type=open}\n" RULE("r", "m"),
	    "- {macro: m, condition: evt.type=close}\n" }, "r: evt.type = close" },
	/* rules */
	{ { RULE("a", "evt.type=open") RULE("b", "evt.type=close") RULE("a", "evt.type=dup") },
	  "a: evt.type = dup\nb: evt.type = close" },
	{ { RULE("a", "evt.type=open or evt.type=dup")
	    "- {rule: a, condition: and proc.name=x, append: true}\n" },
	  "a: (evt.type = open or (evt.type = dup and proc.name = x))" },
	{ { RULE("a", "evt.type=open")
	    "- {rule: a, condition: and proc.name=x, override: {condition: append}}\n" },
	  "a: (evt.type = open and proc.name = x)" },
	{ { RULE("a", "evt.type=open") "- {rule: a, enabled: false}\n" RULE("b", "evt.type=dup") },
	  "b: evt.type = dup" },
	{ { RULE("a", "evt.type=open") "- {rule: a, enabled: false, override: {enabled: replace}}\n" },
	  "" },
	{ { "- {rule: a, enabled: false}\n" }, "f0:1:3: rule 'a' does not exist" },
	{ { RULE("a", "evt.type=open") "- {rule: a, desc: x, override: {}}\n" },
	  "f0:6:3: the rule has no 'condition'" },
	{ { RULE("a", "evt.type=open") "- {rule: a, desc: x, override: {output: append}}\n" },
	  "f0:6:41: 'output' is to be overridden, but not given" },
	{ { RULE("a", "evt.type=open")
	    "- {rule: a, desc: x, output: y, override: {output: append}}\n" },
	  "f0:6:13: 'desc' is given, but not listed" },
	{ { RULE("a", "evt.type=open") "- {rule: a, priority: x, override: {priority: append}}\n" },
	  "f0:6:47: 'priority' cannot be appended to" },
	{ { RULE("a", "evt.type=open") "  enabled: 1\n" }, "f0:6:12: 'enabled' must be true or false" },
	{ { "- rule: a\n  desc: d\n  condition: evt.type=open\n  output: o\n  priority: high\n" },
	  "f0:5:13: 'high' is no priority" },
	{ { RULE("a", "evt.type=open") "  source: k8s\n" }, "" },
	{ { RULE("a", "no.such=1 and evt.type=open") "  skip-if-unknown-filter: yes\n" }, "" },
	/* exceptions */
	{ { "- {list: l, items: [a, b c]}\n" RULE("r", "evt.type=open")
	    "  exceptions:\n  - {name: x, fields: proc.name, values: [l, z]}\n"
	    "  - {name: y, fields: [proc.name, fd.name], comps: [in, =], values: [[l, x]]}\n" },
	  "r: (evt.type = open and not proc.name in (a, \"b c\", z) and "
	  "not (proc.name in (a, \"b c\") and fd.name = x))" },
	{ { RULE("r", "evt.type=open") "  exceptions:\n  - {name: x, fields: proc.name}\n",
	    "- rule: r\n  exceptions:\n  - {name: x, values: [a]}\n  - {name: y, fields: [proc.name, "
	    "fd.name], values: [[b, c d]]}\n  override: {exceptions: append}\n" },
	  "r: (evt.type = open and not proc.name in (a) and "
	  "not (proc.name = b and fd.name = \"c d\"))" },
	{ { RULE("r", "evt.type=open") "  exceptions:\n  - {name: x, fields: fd.name, comps: "
	    "startswith anyof, values: [/a, /b]}\n" },
	  "r: (evt.type = open and not fd.name startswith anyof (/a, /b))" },
	{ { RULE("r", "evt.type=open") "  exceptions:\n  - {name: x, fields: fd.name, comps: =}\n" },
	  "f0:7:39: '=' is no operator for one field" },
	{ { RULE("r", "evt.type=open")
	    "  exceptions:\n  - {name: x, fields: [fd.name], values: [[a, b]]}\n" },
	  "f0:7:43: this value has 2 parts" },
	{ { RULE("r", "evt.type=open") "  exceptions:\n  - {name: x, fields: proc.nam}\n" },
	  "f0:7:" },
	/* versions */
	{ { "- required_engine_version: 26\n- required_engine_version: 0.57.0\n"
	    "- required_plugin_versions:\n  - {name: container, version: 0.4.0}\n" }, "" },
	{ { "- required_engine_version: 0.63.0\n" }, "f0:1:28: the file needs engine version 0.63.0" },
	{ { "- required_engine_version: 0.26\n" }, "f0:1:28: '0.26' is no version" },
	{ { "- required_plugin_versions:\n  - {name: okta, version: 0.1.0}\n" },
	  "f0:2:5: the file needs data that plugin 'okta'" },
	{ { "- required_plugin_versions:\n  - {name: okta, version: 0.1.0, alternatives: "
	    "[{name: json, version: 0.1.0}]}\n" }, "" },
	/* shapes */
	{ { "a: b\n" }, "f0:1:1: a rule file is a sequence" },
	{ { "- a\n" }, "f0:1:3: an item must be a map" },
	{ { "- rule: [\n" }, "f0:2:1: " },
	{ { "- rule: &a [*a]\n" }, "f0:1:13: alias inside its own anchor" },
	/* places: folded, literal, quoted, appended, within a list */
	{ { "- rule: a\n  desc: d\n  condition: >\n    evt.type=open\n    and proc.nmae=x\n"
	    "  output: o\n  priority: info\n" }, "f0:5:9: " },
	{ { RULE("a", "'evt.type = open and proc.name contians \"x\"'") },
	  "f0:3:45: 'contians' is no operator (did you mean 'contains'?)" },
	{ { "- {list: l, items: [a, b]}\n" RULE("r", "proc.name in (l) andd evt.type=open") },
	  "f0:4:34: " },
	{ { RULE("r", "evt.type=open"), "- {rule: r, condition: and fd.num=x, append: true}\n" },
	  "f1:1:35: " },
	{ { "- {macro: m, condition: fd.num=x}\n" RULE("r", "evt.type=open and m") }, "f0:1:32: " },
};

static void loads(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		struct shk_loader *l;
		struct shk_buf out;
		const char *got;

		assert_int_equal(shk_loader_new(&l, NULL), 0);
		shk_buf_init(&out, 1u << 20);
		outcome(l, cases[i].file, &out);
		got = out.p ? out.p : "";
		if (strncmp(got, cases[i].out, strlen(cases[i].out)) != 0 ||
		    (cases[i].out[0] != 'f' && strcmp(got, cases[i].out) != 0))
			bad++, print_error("case %zu:\n%s---\n%s\n--- expected\n%s\n\n", i,
					   cases[i].file[0], got, cases[i].out);
		shk_buf_done(&out);
		shk_loader_free(l);
	}
	assert_int_equal(bad, 0);
}

static const struct {
	const char *text, *codes; /* of all diagnostics, "line:CODE" */
} warned[] = {
	{ "- {foo: bar}\n", "1:LOAD_UNKNOWN_ITEM" },
	{ "- {list: l, items: [], itmes: []}\n", "1:LOAD_UNKNOWN_KEY 1:LOAD_UNUSED_LIST" },
	{ "- {list: 'a b', items: []}\n", "1:LOAD_INVALID_LIST_NAME 1:LOAD_UNUSED_LIST" },
	{ "- {macro: 1m, condition: evt.type=open}\n", "1:LOAD_INVALID_MACRO_NAME 1:LOAD_UNUSED_MACRO" },
	{ "- {list: l, items: []}\n- {list: l, items: [a], append: true}\n",
	  "2:LOAD_DEPRECATED_ITEM 1:LOAD_UNUSED_LIST" },
	{ RULE("r", "proc.name=x"), "1:LOAD_NO_EVTTYPE" },
	{ RULE("r", "proc.name=x") "  warn_evttypes: false\n", "" },
	{ RULE("r", "evt.type=open and evt.type=close"), "1:LOAD_NO_EVTTYPE" },
	{ RULE("r", "evt.type=procexit"), "" },
	{ RULE("r", "evt.type=open and fd.num=x"), "3:LOAD_ERR_COMPILE_CONDITION" },
	{ RULE("r", "nowhere"), "3:LOAD_ERR_VALIDATE" },
	{ "- rule: r\n", "1:LOAD_ERR_YAML_VALIDATE" },
	{ "- required_plugin_versions:\n  - {name: json, version: 0.1.0, alternatives: x}\n",
	  "2:LOAD_ERR_YAML_VALIDATE" },
	{ "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: evt.latency\n  priority: info\n",
	  "4:LOAD_DEPRECATED_ITEM" },
	{ RULE("r", "evt.type=open and evt.dir=<"), "3:LOAD_DEPRECATED_ITEM" },
	/* fields without values: once each, where Falco says nothing of its own */
	{ RULE("r", "evt.type=open and k8s.rc.name=a and k8s.rc.name!=b and evt.pluginname exists"),
	  "3:SHRIKE_NO_VALUE 3:SHRIKE_NO_VALUE" },
	{ RULE("r", "evt.type=open and evt.latency>1"), "3:LOAD_DEPRECATED_ITEM" },
	{ "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: x %k8s.svc.label[a]\n"
	  "  priority: info\n", "4:SHRIKE_NO_VALUE" },
	{ RULE("r", "evt.type=open") "  source: other\n", "1:LOAD_UNKNOWN_SOURCE" },
	{ RULE("r", "evt.type=open and a.b=1") "  skip-if-unknown-filter: true\n",
	  "3:LOAD_UNKNOWN_FILTER" },
	{ RULE("r", "evt.type=open") "  exceptions:\n  - {name: x, fields: fd.name}\n"
	  "  - {name: x, fields: fd.name}\n", "8:LOAD_EXCEPTION_NAME_NOT_UNIQUE" },
	{ RULE("r", "evt.type=open") "  exceptions: [{name: x, fields: fd.name}]\n"
	  "- {rule: r, exceptions: [{name: x}], override: {exceptions: append}}\n",
	  "7:LOAD_APPEND_NO_VALUES" },
	{ RULE("r", "evt.type=open") "- {rule: r, exceptions: [{name: x, fields: fd.name}], "
	  "override: {exceptions: append}}\n", "6:LOAD_APPEND_NO_VALUES 6:LOAD_ERR_VALIDATE" },
	{ "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: \"%no.such\"\n  priority: info\n",
	  "4:LOAD_ERR_COMPILE_OUTPUT" },
	{ "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: x %evt.dir\n  priority: info\n",
	  "4:LOAD_DEPRECATED_ITEM" },
	{ RULE("r", "evt.type=open and proc.name=fd.name"), "3:LOAD_COMPILE_CONDITION" },
	{ "- [", "1:LOAD_ERR_YAML_PARSE" },
};

static void warns(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(warned); i++) {
		struct shk_loader *l;
		const struct shk_diag *d;
		char got[400] = "";
		size_t n;

		assert_int_equal(shk_loader_new(&l, NULL), 0);
		(void)shk_loader_add_text(l, "f", shk_str(warned[i].text), NULL);
		d = shk_loader_diags(l, &n);
		for (size_t k = 0; k < n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u:%s",
				 k ? " " : "", d[k].line, d[k].code);
		if (strcmp(got, warned[i].codes) != 0)
			bad++, print_error("case %zu:\n%s---\n%s\n--- expected\n%s\n\n", i,
					   warned[i].text, got, warned[i].codes);
		shk_loader_free(l);
	}
	assert_int_equal(bad, 0);
}

static void prints_like_a_compiler(void **state)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	_cleanup_buf_ struct shk_buf out;
	const struct shk_diag *d;
	size_t n;

	(void)state;
	shk_buf_init(&out, 4096);
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	assert_int_equal(shk_loader_add_text(l, "my.yaml",
					     SHK_STR("- {macro: abc, condition: evt.type=open}\n"
						     RULE("r", "abd and evt.num>0")), NULL), -EINVAL);
	d = shk_loader_diags(l, &n);
	assert_int_equal(n, 1);
	shk_diag_print(d, &out);
	assert_string_equal(out.p, "my.yaml:4:14: error: undefined macro 'abd' [LOAD_ERR_VALIDATE]\n"
				   "      condition: abd and evt.num>0\n"
				   "                 ^\n"
				   "    hint: did you mean 'abc'?\n");
	assert_int_equal(d->n_loc, 4);
	assert_true(shk_str_eqz(d->loc[3].name, "\"abd and evt.num>0\""));
	assert_true(shk_str_eqz(d->loc[1].item_name, "r"));
	assert_int_equal(d->loc[1].line, 1);
	assert_int_equal(d->loc[1].column, 2);
	assert_int_equal(d->loc[1].offset, 43);
	assert_int_equal(d->loc[2].line, 3);
}

/* A condition is named by its beginning, on one line, with what exceptions and appends make of it. */
static void conditions_named(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "- rule: r\n  desc: d\n  output: o\n  priority: debug\n  condition: |\n    evt.type = open\n"
		  "    and evt.dir = <\n", "\"evt.type = open a...\"" },
		{ RULE("r", "evt.dir = <") "  exceptions: [{name: e, fields: fd.name, values: [x]}]\n",
		  "\"(evt.dir = <) and...\"" },
		{ RULE("r", "evt.dir = <") "- {rule: r, condition: and fd.num=1, override: {condition: append}}\n",
		  "\"evt.dir = < and f...\"" },
		{ RULE("r", "evt.dir = <"), "\"evt.dir = <\"" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		const struct shk_diag *d;
		size_t n;

		assert_int_equal(shk_loader_new(&l, NULL), 0);
		assert_int_equal(shk_loader_add_text(l, "f", shk_str(rows[i].text), NULL), 0);
		d = shk_loader_diags(l, &n);
		assert_true(n >= 1);
		assert_string_equal(d->code, "LOAD_DEPRECATED_ITEM");
		assert_int_equal(d->n_loc, 4);
		if (!shk_str_eqz(d->loc[3].name, rows[i].name))
			fail_msg("%.*s", SHK_STR_ARG(d->loc[3].name));
	}
}

/* A file with an error leaves nothing behind: what was loaded before still compiles. */
static void error_undone(void **state)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	_cleanup_buf_ struct shk_buf out;
	const char *none[] = { NULL };

	(void)state;
	shk_buf_init(&out, 4096);
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	assert_int_equal(shk_loader_add_text(l, "a", SHK_STR("- {list: l, items: [x]}\n"
					     RULE("r", "proc.name in (l)")), NULL), 0);
	assert_int_equal(shk_loader_add_text(l, "b", SHK_STR("- {list: l, items: [y]}\n"
					     RULE("s", "evt.type=open") "- rule: t\n"), NULL), -EINVAL);
	assert_int_equal(shk_loader_add_text(l, "c", SHK_STR(RULE("s", "proc.pname in (l)")), NULL), 0);
	outcome(l, none, &out);
	assert_string_equal(out.p, "r: proc.name in (x)\ns: proc.pname in (x)");
}

static void selects(void **state)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	const struct shk_str tag = SHK_STR("noisy"), names[] = { SHK_STR("no*me"), SHK_STR("x") };
	struct shk_rule_select s = { .min_priority = SHK_PRIO_NOTICE, .disable_tags = &tag,
				     .n_disable_tags = 1, .disable_names = names,
				     .n_disable_names = 2 };

	(void)state;
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	assert_int_equal(shk_loader_add_text(l, "a", SHK_STR(
		RULE("keep", "evt.type=open") "  tags: [b, a, b]\n"
		RULE("tagged", "evt.type=open") "  tags: [noisy]\n"
		RULE("not me", "evt.type=open")
		"- {rule: low, desc: d, condition: evt.type=open, output: o, priority: INFO}\n"),
		NULL), 0);
	assert_int_equal(shk_loader_compile(l, &s, &rs, NULL), 0);
	assert_int_equal(shk_ruleset_count(rs), 1);
	assert_true(shk_str_eqz(shk_ruleset_rule(rs, 0)->name, "keep"));
	assert_int_equal(shk_ruleset_rule(rs, 0)->n_tags, 2);
	assert_true(shk_str_eqz(shk_ruleset_rule(rs, 0)->tags[0], "a"));
}

/* Doubling macros and lists stay small, or are refused, in bounded time. */
static void bombs_refused(void **state)
{
	_cleanup_buf_ struct shk_buf macros, lists;
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	struct shk_err err;

	(void)state;
	shk_buf_init(&macros, 1u << 20);
	shk_buf_init(&lists, 1u << 20);
	shk_buf_adds(&macros, "- {macro: m0, condition: evt.type=open}\n");
	for (int i = 1; i < 60; i++)
		shk_buf_printf(&macros, "- {macro: m%d, condition: m%d and m%d}\n", i, i - 1, i - 1);
	for (int i = 0; i < 60; i++)
		shk_buf_printf(&lists, "- {list: l%d, items: ['l%d,l%d']}\n", i, i + 1, i + 1);
	shk_buf_adds(&lists, RULE("r", "proc.name in (l0)"));
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	assert_int_equal(shk_loader_add_text(l, "m", shk_buf_view(&macros), &err), -EINVAL);
	assert_non_null(strstr(err.text, "simplify it"));
	assert_int_equal(shk_loader_add_text(l, "l", shk_buf_view(&lists), &err), -EINVAL);
	assert_non_null(strstr(err.text, "with its lists"));
}

/* The error of a text of n times `part` between two others. */
static void refused(const char *before, const char *part, unsigned n, const char *after,
		    const char *error)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	_cleanup_buf_ struct shk_buf text;
	struct shk_err err = { 0 };
	int r;

	shk_buf_init(&text, 64u << 20);
	shk_buf_adds(&text, before);
	for (unsigned i = 0; i < n; i++)
		shk_buf_adds(&text, part);
	shk_buf_adds(&text, after);
	assert_false(text.failed);
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	r = shk_loader_add_text(l, "f", shk_buf_view(&text), &err);
	if (error) {
		assert_int_equal(r, -EINVAL);
		if (strncmp(err.text, error, strlen(error)) != 0)
			fail_msg("%s\ninstead of\n%s", err.text, error);
	} else if (r < 0) {
		fail_msg("%s", err.text);
	}
}

/* What shrike(1) says of limits. */
static void limits(void **state)
{
	(void)state;
	refused("- list: l\n  items: ", "[", 31, "", "f:2:40: nested too deeply");
	refused("- list: l\n  items: &x [a]\n", "- {list: m, items: *x}\n", 1000, "", NULL);
	refused("- list: l\n  items: &x [a]\n", "- {list: m, items: *x}\n", 1001, "",
		"f:1003:20: too many aliases");
	refused("", "# 345678901234567890123456789012\n", (16u << 20) / 33 + 1, "", NULL);
	refused("- list: l\n  items: [a", ", 1234567", 150000, "]\n",
		"f:1:3: the items of list 'l' have more than 1048576 bytes");
	refused("- list: l\n  items: [a", ", 1234567", 110000, "]\n" RULE("r", "proc.name in (l)"), NULL);
	refused("- {list: l, items: [12345678901234567890]}\n- rule: r\n  desc: d\n  output: o\n"
		"  priority: info\n  condition: >\n    evt.type=open and proc.name in (l)\n",
		"    or proc.name in (l)\n", 40000, "", "f:6:14: the condition has more than 1048576 bytes");
	refused(RULE("a", "evt.type=open") "- rule: r\n  desc: d\n  output: o\n  priority: info\n"
		"  condition: evt.type=open", " or proc.name=abc", 20000, "\n", NULL);
	refused("- rule: r\n  desc: d\n  output: o\n  priority: info\n  condition: ", "(", 300,
		"evt.type=open\n", "f:5:");
	refused("- {list: l, items: [\"a\\0b\"]}\n", "", 0, "", "f:1:21: a NUL byte inside a value");
	refused("- {list: l, items: [a\xc3\x28]}\n", "", 0, "", "f:1:");
}

/* The caret stands under its character, whatever comes before: tabs, wide texts, folded lines. */
static void carets(void **state)
{
	static const struct {
		const char *text, *print;
	} shown[] = {
		{ "- rule: r\n  desc: d\n  condition: evt.type=open and\tfd.num=x\n",
		  "f:3:39: error: \"x\" is not a valid number [LOAD_ERR_COMPILE_CONDITION]\n"
		  "      condition: evt.type=open and fd.num=x\n"
		  "                                          ^\n" },
		{ "- rule: r\n  desc: d\n  condition: fd.name=\xc3\xa4\xe2\x82\xac and fd.num=x\n",
		  "f:3:36: error: \"x\" is not a valid number [LOAD_ERR_COMPILE_CONDITION]\n"
		  "      condition: fd.name=\xc3\xa4\xe2\x82\xac and fd.num=x\n"
		  "                                       ^\n" },
		{ "- rule: r\n  desc: d\n  condition: >\n    evt.type=open\n\n      and fd.num=x\n",
		  "f:6:18: error: \"x\" is not a valid number [LOAD_ERR_COMPILE_CONDITION]\n"
		  "          and fd.num=x\n"
		  "                     ^\n" },
		{ "- rule: r\r\n  desc: d\r\n  condition: |\r\n    evt.type=open and\r\n    fd.num=x\r\n",
		  "f:5:12: error: \"x\" is not a valid number [LOAD_ERR_COMPILE_CONDITION]\n"
		  "        fd.num=x\n"
		  "               ^\n" },
	};
	char text[1000];

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(shown); i++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		_cleanup_buf_ struct shk_buf out;
		const struct shk_diag *d;
		size_t n;

		shk_buf_init(&out, 4096);
		assert_int_equal(shk_loader_new(&l, NULL), 0);
		snprintf(text, sizeof(text), "%s  output: o\n  priority: info\n", shown[i].text);
		assert_int_equal(shk_loader_add_text(l, "f", shk_str(text), NULL), -EINVAL);
		d = shk_loader_diags(l, &n);
		assert_int_equal(n, 1);
		shk_diag_print(d, &out);
		assert_string_equal(out.p, shown[i].print);
	}
}

/* What Falco takes in silence is noted where it is asked for, and only there. */
static void notes(void **state)
{
	static const char text[] = "- {list: shell_binaries, items: [sh, shell_binarie]}\n"
				   RULE("r", "evt.type=open and proc.name in (shell_binaires, "
				   "shell_binaries, \"shell_binarie\", shell_x)");

	(void)state;
	for (int want = 0; want < 2; want++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		const struct shk_diag *d;
		size_t n;

		assert_int_equal(shk_loader_new(&l, NULL), 0);
		if (want)
			shk_loader_want_notes(l);
		assert_int_equal(shk_loader_add_text(l, "f", SHK_STR(text), NULL), 0);
		d = shk_loader_diags(l, &n);
		assert_int_equal(n, want);
		if (!want)
			continue;
		assert_true(d->note && !d->error);
		assert_int_equal(d->line, 4);
		assert_int_equal(d->column, 46);
		assert_true(shk_str_eqz(d->hint, "did you mean the list 'shell_binaries'?"));
	}
}

/* Texts that no value has, and those that more values have than they show. */
static void notes_on_characters(void **state)
{
	static const struct {
		const char *cond;
		size_t n; /* of notes */
	} rows[] = {
		{ "evt.type=open and fd.name contains \"a\\nb\"", 1 },
		{ "evt.type=open and fd.name in (a, \"b\\tc\", \"d\\x1b\")", 2 },
		{ "evt.type=open and fd.name = \"a\xef\xbf\xbd\"", 1 },
		{ "evt.type=open and proc.aname startswith anyof (\"\\n\", x)", 1 },
		{ "evt.type=open and evt.arg.name = \"\\xff\"", 1 },
		{ "evt.type=open and evt.rawarg.name contains \"a\\nb\"", 0 },
		{ "evt.type=write and evt.buffer contains \"a\\nb\"", 0 },
		{ "evt.type=open and b64(fd.name) contains \"a\\nb\"", 0 },
		{ "evt.type=open and fd.name = \"\xc3\xa9\"", 0 },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		const struct shk_diag *d;
		char text[512];
		size_t n;

		snprintf(text, sizeof(text),
			 "- rule: r\n  desc: d\n  condition: >\n    %s\n  output: o\n  priority: debug\n",
			 rows[i].cond);
		assert_int_equal(shk_loader_new(&l, NULL), 0);
		shk_loader_want_notes(l);
		assert_int_equal(shk_loader_add_text(l, "f", shk_str(text), NULL), 0);
		d = shk_loader_diags(l, &n);
		assert_int_equal(n, rows[i].n);
		for (size_t k = 0; k < n; k++) {
			assert_true(d[k].note);
			assert_string_equal(d[k].code, "NOTE_CHARACTERS");
			assert_int_equal(d[k].line, 4);
		}
	}
}

static void loads_shipped_rules(void **state)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };

	(void)state;
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	if (shk_loader_add_path(l, SHK_SRCDIR "/rules/shrike_rules.yaml", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(shk_loader_compile(l, NULL, &rs, NULL), 0);
	assert_true(shk_ruleset_count(rs) > 5);
}

/* ---- against recorded answers ---- */

static const char *data(char *path, size_t n, const char *name)
{
	const char *dir = getenv("SHRIKE_TEST_DATA");

	if (!dir) {
		print_message("SHRIKE_TEST_DATA is not set: published rules not loaded\n");
		skip();
	}
	snprintf(path, n, "%s/%s", dir, name);
	return path;
}

/* Published rules may name a field that is not supported: nothing to compare then. */
static void fail_or_skip(const struct shk_err *err)
{
	if (!strstr(err->text, "there is no field"))
		fail_msg("%s", err->text);
	print_message("not compared: %s\n", err->text);
	skip();
}

static void enable_all(struct shk_buf *b)
{
	for (char *p = b->p; (p = strstr(p, "enabled: false")); p++)
		memcpy(p, "enabled: true ", 14);
}

static unsigned compare(struct shk_ruleset *rs, struct shk_buf *oracle)
{
	unsigned found = 0;
	char *save = NULL;

	for (char *line = strtok_r(oracle->p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct json_object *o = json_tokener_parse(line);
		const char *name = json_object_get_string(json_object_object_get(o, "rule"));
		const char *cond =
			json_object_get_string(json_object_object_get(o, "condition_compiled"));
		const char *output =
			json_object_get_string(json_object_object_get(o, "output_compiled"));

		for (unsigned i = 0; i < shk_ruleset_count(rs); i++) {
			const struct shk_rule_info *info = shk_ruleset_rule(rs, i);
			_cleanup_buf_ struct shk_buf out = { .limit = 1u << 20 };

			if (!shk_str_eqz(info->name, name))
				continue;
			shk_ruleset_print_condition(rs, i, &out);
			assert_string_equal(out.p, cond);
			assert_true(shk_str_eqz(info->output_text, output));
			found++;
		}
		json_object_put(o);
	}
	return found;
}

/* The recording was made of the three files together, in this order: later ones redefine lists. */
static void compiles_as_recorded(void **state)
{
	static const char *const names[] = { "falco_rules.yaml", "falco-incubating_rules.yaml",
					     "falco-sandbox_rules.yaml" };
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	_cleanup_buf_ struct shk_buf oracle;
	char path[4096], name[100];
	struct shk_err err = { 0 };
	size_t n;

	(void)state;
	shk_buf_init(&oracle, 1u << 20);
	data(path, sizeof(path), ""); /* what was made before a skip stays */
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	assert_int_equal(shk_loader_set_extra_output(l, SHK_STR(SHK_SUGGESTED_OUTPUT)), 0);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++) {
		_cleanup_buf_ struct shk_buf text;

		shk_buf_init(&text, 1u << 20);
		snprintf(name, sizeof(name), "falco-rules/%s", names[i]);
		assert_int_equal(shk_read_file(data(path, sizeof(path), name), &text, NULL), 0);
		enable_all(&text);
		if (shk_loader_add_text(l, names[i], shk_buf_view(&text), &err) < 0)
			fail_or_skip(&err);
	}
	shk_loader_diags(l, &n);
	assert_int_equal(n, 0);
	assert_int_equal(shk_loader_compile(l, NULL, &rs, &err), 0);
	data(path, sizeof(path), "falco-oracle/compiled-rules.jsonl");
	assert_int_equal(shk_read_file(path, &oracle, NULL), 0);
	assert_int_equal(compare(rs, &oracle), 93);
	assert_int_equal(shk_ruleset_count(rs), 93);
}

/* Code and place of each warning about a whole file, as recorded. */
static void warns_as_recorded(void **state)
{
	static const char *const names[] = { "application_rules", "falco-deprecated_rules" };
	char path[4096], name[100];

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		struct json_object *o, *w;
		const struct shk_diag *d;
		struct shk_err err = { 0 };
		size_t n;

		data(path, sizeof(path), "");
		assert_int_equal(shk_loader_new(&l, NULL), 0);
		snprintf(name, sizeof(name), "falco-rules/%s.yaml", names[i]);
		if (shk_loader_add_path(l, data(path, sizeof(path), name), &err) < 0)
			fail_or_skip(&err);
		snprintf(name, sizeof(name), "falco-oracle/validate-%s.json", names[i]);
		o = json_object_from_file(data(path, sizeof(path), name));
		w = json_object_object_get(o, "falco_load_results");
		w = json_object_object_get(json_object_array_get_idx(w, 0), "warnings");
		d = shk_loader_diags(l, &n);
		assert_int_equal(n, json_object_array_length(w));
		for (size_t k = 0; k < n; k++) {
			struct json_object *e = json_object_array_get_idx(w, k), *at;

			assert_string_equal(d[k].code, json_object_get_string(
							       json_object_object_get(e, "code")));
			at = json_object_object_get(json_object_object_get(e, "context"),
						    "locations");
			for (size_t j = 0; j < d[k].n_loc; j++) {
				struct json_object *p = json_object_array_get_idx(at, j);

				assert_true(shk_str_eqz(d[k].loc[j].item_name, json_object_get_string(
					json_object_object_get(p, "item_name"))));
				assert_true(shk_str_eqz(d[k].loc[j].item_type, json_object_get_string(
					json_object_object_get(p, "item_type"))));
				p = json_object_object_get(p, "position");
				if (j == 3)
					assert_true(shk_str_eqz(d[k].loc[j].name,
						json_object_get_string(
						json_object_object_get(p, "name"))));
				assert_int_equal(d[k].loc[j].line, json_object_get_int(
					json_object_object_get(p, "line")));
				assert_int_equal(d[k].loc[j].column, json_object_get_int(
					json_object_object_get(p, "column")));
				assert_int_equal(d[k].loc[j].offset, json_object_get_int(
					json_object_object_get(p, "offset")));
			}
		}
		json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads),
		cmocka_unit_test(warns),
		cmocka_unit_test(prints_like_a_compiler),
		cmocka_unit_test(error_undone),
		cmocka_unit_test(selects),
		cmocka_unit_test(bombs_refused),
		cmocka_unit_test(limits),
		cmocka_unit_test(carets),
		cmocka_unit_test(conditions_named),
		cmocka_unit_test(notes),
		cmocka_unit_test(notes_on_characters),
		cmocka_unit_test(loads_shipped_rules),
		cmocka_unit_test(compiles_as_recorded),
		cmocka_unit_test(warns_as_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
