// SPDX-License-Identifier: Apache-2.0
/*
 * test_ruletest.c - tests of rules hold when they should, fail when they should, and say why.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ruletest.h"

#define RULES                                                                                      \
	"rules_text: |\n"                                                                          \
	"  - rule: Shell\n"                                                                        \
	"    desc: d\n"                                                                            \
	"    condition: evt.type = execve and proc.name = sh\n"                                    \
	"    output: shell %proc.cmdline\n"                                                        \
	"    priority: notice\n"                                                                   \
	"  - rule: Program\n"                                                                      \
	"    desc: d\n"                                                                            \
	"    condition: evt.type = execve\n"                                                       \
	"    output: program %proc.name\n"                                                         \
	"    priority: notice\n"                                                                   \
	"tests:\n"
#define SH "event 1 tid=1 execve(filename=\\\"/bin/sh\\\", argv=[\\\"sh\\\"]) ~ 0\\n"
#define LS "event 1 tid=1 execve(filename=\\\"/bin/ls\\\", argv=[\\\"ls\\\"]) ~ 0\\n"

static char why[4096];
static unsigned n_cases, n_failed;

static void on_case(struct shk_str name, bool holds, struct shk_str text, void *arg)
{
	(void)name;
	(void)arg;
	n_cases++;
	n_failed += !holds;
	snprintf(why, sizeof(why), SHK_STR_FMT, SHK_STR_ARG(text));
}

static int run(const char *text, struct shk_err *err)
{
	struct shk_ruletest t = { .no_files = true, .on_case = on_case };

	n_cases = n_failed = 0;
	return shk_ruletest_run(&t, "t.yaml", shk_str(text), err);
}

static void holds(const char *events, const char *expect)
{
	char text[8192];
	struct shk_err err = { 0 };

	snprintf(text, sizeof(text), "%s  - name: a\n    events: \"%s\"\n    expect: %s\n", RULES, events, expect);
	if (run(text, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n_cases, 1);
	if (n_failed)
		fail_msg("%s: %s", expect, why);
}

static void differs(const char *events, const char *expect, const char *part)
{
	char text[8192];
	struct shk_err err = { 0 };

	snprintf(text, sizeof(text), "%s  - name: a\n    events: \"%s\"\n    expect: %s\n", RULES, events, expect);
	if (run(text, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n_failed, 1);
	if (!strstr(why, part))
		fail_msg("%s has no \"%s\"", why, part);
}

static void wrong(const char *text, const char *part)
{
	struct shk_err err = { 0 };

	assert_int_equal(run(text, &err), -EINVAL);
	if (!strstr(err.text, part))
		fail_msg("%s has no \"%s\"", err.text, part);
}

static void expectations(void **state)
{
	(void)state;
	holds(SH, "[ Shell ]");
	holds(SH SH LS, "[ { rule: Shell, count: 2 }, Program ]");
	holds(SH, "[ { rule: Shell, output: shell sh } ]");
	holds(SH, "[ { rule: Shell, output_contains: l s } ]");
	holds(SH, "[ Shell, { rule: Program, count: 0 } ]"); /* the first match only */
	holds(SH, "[ Shell, Program ]\n    rule_matching: all");
	holds(SH LS, "[ Shell ]\n    others: true");
	holds("event 1 tid=1 getpid()\\n", "none");
	holds("event 1 tid=1 getpid()\\n", "[]");
	differs(SH, "none", "not expected: \"Shell\": shell sh");
	differs(SH SH, "[ Shell ]", "not expected: \"Shell\"");
	differs(SH SH, "[ Shell ]\n    others: true", "not expected: \"Shell\"");
	differs(SH, "[ { rule: Shell, count: 2 } ]", "expected 2, got 1");
	differs(SH, "[ { rule: Shell, count: 0 } ]", "expected 0, got 1");
	differs(SH, "[ { rule: Shell, output: shell } ]", "expected 1, got 0");
	differs(SH, "[ { rule: Shell, output_contains: bash } ]", "with this output: expected 1, got 0");
	differs(SH, "[ Shell, Program ]", "\"Program\": expected 1, got 0");
	differs(SH, "[ { rule: Shel, count: 0 } ]", "did you mean \"Shell\"");
}

/* A case with a mistake fails, and the next one is run. */
static void mistakes_in_a_case(void **state)
{
	struct shk_err err = { 0 };

	(void)state;
	differs("process 1\\nevent 1 tid=1 exeve()\\n", "none", "t.yaml: line 16: column");
	assert_int_equal(run(RULES "  - name: a\n    rules_text: \"- rule: x\"\n    events: \"\"\n    expect: none\n"
			     "  - name: b\n    events: \"\"\n    expect: none\n"
			     "  - name: c\n    rules: [ x.yaml ]\n    events: \"\"\n    expect: none\n"
			     "  - name: d\n    events_file: x\n    expect: none\n", &err), 0);
	assert_int_equal(n_cases, 4);
	assert_int_equal(n_failed, 3);
}

static void mistakes_in_a_file(void **state)
{
	(void)state;
	wrong("", "t.yaml:1:1");
	wrong("tests: [\n", "t.yaml:");
	wrong("tests: []\n", "there are no tests");
	wrong("test: []\n", "t.yaml:1:1: a file of tests has no key \"test\"");
	wrong(RULES "  - nmae: a\n", "a test has no key \"nmae\"");
	wrong(RULES "  - events: x\n    expect: none\n", "needs a name");
	wrong(RULES "  - name: a\n    expect: none\n", "either events or events_file");
	wrong(RULES "  - name: a\n    events: x\n    events_file: y\n    expect: none\n", "either events or");
	wrong(RULES "  - name: a\n    events: x\n", "needs expect");
	wrong(RULES "  - name: a\n    events: x\n    expect: all\n", "or \"none\"");
	wrong(RULES "  - name: a\n    events: x\n    expect: [ { count: 1 } ]\n", "the name of a rule");
	wrong(RULES "  - name: a\n    events: x\n    expect: [ { rule: Shell, count: -1 } ]\n", "a number from 0");
	wrong(RULES "  - name: a\n    events: x\n    expect: none\n    others: perhaps\n", "true or false");
	wrong(RULES "  - name: a\n    events: x\n    expect: none\n    rule_matching: some\n", "first or all");
	wrong("tests:\n  - name: a\n    events: x\n    expect: none\n", "no rules");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expectations),
		cmocka_unit_test(mistakes_in_a_case),
		cmocka_unit_test(mistakes_in_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
