// SPDX-License-Identifier: Apache-2.0
/*
 * test_eval_open.c - two opens, as recorded text, have the values and truths that Falco gives them
 * (eval_open.txt): values of fields, conditions, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/io.h"
#include "rules/rules.h"
#include "sources/replay/replay.h"

static const char events[] =
	"shrike-events 1\n"
	"process 1 name=init args=[\"/sbin/init\", \"context\", \"ls\", \"--format\", \"{{json .}}\"] "
	"env=[\"TEST_ENV_PARENT_LINEAGE=secret\", \"HOME=/home/user/parent\"] cwd=/root uid=0 gid=0 tty=0 "
	"loginuid=-1 caps=0x1ffffffffff start=1699999999.99\n"
	"event 1700000000 tid=1 dev=0x801 ino=456 open(name=\"/tmp/the_file.sh\", flags=O_RDWR|O_CREAT, mode=0755) = 4\n"
	"event 1700000000 tid=1 open(name=\"x\", flags=O_RDONLY) = -ENOENT\n";

static struct shk_replay *replay;
static struct shk_eval_ctx ctx;
static unsigned lines, wrong;


/* Lines that do not hold, on purpose. They are told apart from mistakes here: should one of them begin to hold,
 * this says so. */
static const struct {
	const char *line, *why;
} otherwise[] = {
	{ "  F  evt.rawarg.fd in (4)", "a number is in a list that has it: section 23 of the reference has this mended" },
};

static bool on_purpose(const char *line)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(otherwise); i++)
		if (strcmp(line, otherwise[i].line) == 0)
			return true;
	return false;
}

static void check(bool ok, const char *line, const char *got)
{
	lines++;
	if (ok != on_purpose(line))
		return;
	wrong++;
	print_error("%s\n    here: %s\n", line, got);
}

/* "FIELD = 'value'", "FIELD = <null>", "FIELD = THROW why": why is that it cannot be shown. */
static void check_field(const char *line, char *field, const char *want)
{
	struct shk_field_ref ref = { 0 };
	struct shk_value v;
	struct shk_err err = { 0 };
	struct shk_buf b;

	if (shk_field_parse(shk_str(field), &ref, &err) < 0) {
		check(false, line, err.text);
		return;
	}
	if (strncmp(want, "THROW", 5) == 0) {
		check(ref.field->flags & SHK_F_FILTER_ONLY, line, "can be shown");
		return;
	}
	shk_buf_init(&b, 65536);
	if (shk_field_get(&ctx, &ref, &v)) {
		shk_buf_addc(&b, '\'');
		shk_value_print(&v, ref.field, &b);
		shk_buf_addc(&b, '\'');
	} else {
		shk_buf_adds(&b, "<null>");
	}
	check(strcmp(b.p, want) == 0, line, b.p);
	shk_buf_done(&b);
}

/* The condition as a rule; -1: refused. */
static int truth(const char *condition)
{
	struct shk_loader *l;
	struct shk_ruleset *rules;
	struct shk_matches m = { 0 };
	struct shk_err err = { 0 };
	struct shk_buf b;
	int r;

	assert_int_equal(shk_loader_new(&l, &err), 0);
	shk_buf_init(&b, 65536);
	shk_buf_adds(&b, "- rule: r\n  desc: d\n  output: o\n  priority: debug\n  condition: \"");
	for (const char *p = condition; *p; p++) {
		if (*p == '"' || *p == '\\')
			shk_buf_addc(&b, '\\');
		shk_buf_addc(&b, *p);
	}
	shk_buf_adds(&b, "\"\n");
	r = shk_loader_add_text(l, "r", shk_buf_view(&b), &err);
	if (r == 0)
		r = shk_loader_compile(l, NULL, &rules, &err);
	if (r == 0) {
		shk_ruleset_eval(rules, &ctx, NULL, true, &m);
		shk_ruleset_unref(rules);
	}
	shk_loader_free(l);
	shk_buf_done(&b);
	return r < 0 ? -1 : m.n != 0;
}

/* "T  CONDITION", "F  CONDITION", "THROW why  CONDITION" */
static void check_condition(const char *line, const char *text)
{
	static const char *const words[] = { "refused", "F", "T" };
	bool refused = strncmp(text, "THROW", 5) == 0;
	const char *condition = refused ? strstr(text + 6, "  ") : text + 1;
	int want = refused ? -1 : text[0] == 'T', got;

	assert_non_null(condition);
	got = truth(condition + 2);
	check(got == want, line, words[got + 1]);
}

static void check_line(char *line)
{
	char copy[4096], *eq;
	struct shk_err err = { 0 };

	if (!*line || *line == '#')
		return;
	if (strncmp(line, "== ", 3) == 0) {
		assert_int_equal(shk_replay_next(replay, &ctx, &err), 1);
		return;
	}
	snprintf(copy, sizeof(copy), "%s", line + 2);
	eq = strstr(copy, " = ");
	if (strncmp(copy, "T  ", 3) == 0 || strncmp(copy, "F  ", 3) == 0 || strncmp(copy, "THROW ", 6) == 0) {
		check_condition(line, copy);
	} else {
		assert_non_null(eq);
		*eq = 0;
		check_field(line, copy, eq + 3);
	}
}

static void every_line_holds(void **state)
{
	const char *dir = getenv("SHK_SRCDIR");
	struct shk_err err = { 0 };
	struct shk_buf b;
	char path[4096], *save = NULL;

	(void)state;
	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/tests/unit/eval_open.txt", dir);
	shk_buf_init(&b, 65536);
	if (shk_read_file(path, &b, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(shk_replay_open_text("events", shk_str(events), &replay, &err), 0);
	for (char *l = strtok_r(b.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		check_line(l);
	shk_replay_free(replay);
	shk_buf_done(&b);
	assert_int_equal(wrong, 0);
	assert_int_equal(lines, 198);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
