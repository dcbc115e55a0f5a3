// SPDX-License-Identifier: Apache-2.0
/* shrike.yaml: what it adds to the outputs of rules, where it is wrong, and its dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "engine/config.h"

static void is_read(void **state)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *c = NULL;
	struct shk_rules_config rules;
	struct shk_err err = { 0 };
	const struct shk_append_output *a;
	static const char text[] =
		"hostname: h\n"
		"append_output:\n"
		"  - match: { source: syscall, rule: r, tags: [a, b] }\n"
		"    extra_output: 'x=%static.b.c'\n"
		"    extra_fields: [ proc.name, key: '%proc.pid' ]\n"
		"  - suggested_output: yes\n"
		"static_fields: { b.c: two, a: 1 }\n";

	(void)state;
	if (shk_config_load_text("f", SHK_STR(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(shk_config_rules(c, &rules, &err), 0);
	assert_ptr_equal(rules.rules_path, c->rules_path);
	assert_int_equal(rules.n_append, 2);
	a = rules.append;
	assert_true(shk_str_eqz(a[0].source, "syscall") && shk_str_eqz(a[0].rule, "r"));
	assert_int_equal(a[0].n_tags, 2);
	assert_true(shk_str_eqz(a[0].output, "x=%static.b.c"));
	assert_int_equal(a[0].n_field, 2);
	assert_null(a[0].field[0].name.p);
	assert_true(shk_str_eqz(a[0].field[1].name, "key"));
	assert_false(a[0].suggested);
	assert_true(a[1].suggested);
	assert_int_equal(c->n_constants, 2);
	/* sorted by key, whatever the order in the file */
	assert_string_equal(shk_static_field_at(0)->name, "static.a");
	assert_string_equal(shk_static_field_at(1)->name, "static.b.c");
	assert_null(shk_static_field_at(2));
}

/* Rules that were loaded go on with the values of their time. */
static void static_fields_change(void **state)
{
	const struct shk_static_field one = { SHK_STR("k"), SHK_STR("one") };
	const struct shk_static_field two = { SHK_STR("k"), SHK_STR("two") };
	struct shk_field_ref before, after, again;
	struct shk_value v;

	(void)state;
	assert_int_equal(shk_static_fields_set(&one, 1), 0);
	assert_int_equal(shk_field_parse(SHK_STR("static.k"), &before, NULL), 0);
	assert_int_equal(shk_static_fields_set(&two, 1), 0);
	assert_int_equal(shk_field_parse(SHK_STR("static.k"), &after, NULL), 0);
	assert_true(before.field->get(NULL, &before, &v) && shk_str_eqz(v.s, "one"));
	assert_true(after.field->get(NULL, &after, &v) && shk_str_eqz(v.s, "two"));
	assert_int_equal(shk_static_fields_set(&one, 1), 0);
	assert_int_equal(shk_field_parse(SHK_STR("static.k"), &again, NULL), 0);
	assert_ptr_equal(again.field, before.field);
	assert_int_equal(shk_static_fields_set(NULL, 0), 0);
	assert_true(shk_field_parse(SHK_STR("static.k"), &again, NULL) < 0);
	assert_int_equal(shk_static_fields_set(&one, SHK_STATIC_MAX + 1), -E2BIG);
}

static void keys(void **state)
{
	static const struct {
		const char *key;
		bool good;
	} rows[] = {
		{ "a", true }, { "aB3_x", true }, { "a.b.c9", true }, { "", false }, { "9a", false },
		{ "_a", false }, { "a.", false }, { ".a", false }, { "a..b", false }, { "a.9", false },
		{ "a-b", false }, { "a b", false }, { "a[1]", false }, { "\xc3\xa9", false },
		{ "a23456789012345678901234567890123456789012345678901234567", false },
		{ "a2345678901234567890123456789012345678901234567890123456", true },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++)
		if (shk_static_key_good(shk_str(rows[i].key)) != rows[i].good)
			fail_msg("%s", rows[i].key);
}

static void is_refused(void **state)
{
	static const struct {
		const char *text, *error; /* how it begins */
	} rows[] = {
		{ "append_output: { extra_output: x }\n", "f:1:16: \"append_output\" takes a list" },
		{ "append_output: [ extra_output: '%no.such' ]\n", "f:1:32: invalid token %no.such" },
		{ "append_output: [ extra_fields: [ no.such ] ]\n", "f:1:34: there is no field 'no.such'" },
		{ "append_output: [ extra_fields: [ { a: b, c: d } ] ]\n", "f:1:34: an extra field is" },
		{ "append_output: [ match: { tag: x } ]\n", "f:1:27: unknown key \"tag\"" },
		{ "append_output: [ extra: x ]\n", "f:1:18: unknown key \"extra\"" },
		{ "append_output: []\nappend_output: []\n", "f:2:1: 'append_output' is given twice" },
		{ "append_outputs: []\n", "f:1:1: unknown key 'append_outputs'; did you mean 'append_output'?" },
		{ "static_fields: [ a: b ]\n", "f:1:16: static_fields: a mapping is expected" },
		{ "static_fields: { a: [ b ] }\n", "f:1:21: static_fields: one value is expected" },
		{ "static_fields: { a-b: c }\n", "f:1:18: static_fields: a condition cannot name \"static.a-b\"" },
		{ "static_fields: { a: b, a: c }\n", "f:1:24: " },
		{ "append_output: [ extra_output: '%static.a' ]\nstatic_fields: { b: c }\n",
		  "f:1:32: invalid token %static.a" },
		{ "outputs: [ webook: {} ]\n", "f:1:12: outputs: unknown key 'webook'; did you mean 'webhook'?" },
		{ "outputs: [ webhook: { url: 'http://x/', tokn_file: /x } ]\n",
		  "f:1:41: output webhook: unknown key 'tokn_file'; did you mean 'token_file'?" },
		/* What would select nothing. */
		{ "outputs: [ file: { path: /x, rules: [] } ]\n", "f:1:37: rules: the list is empty; leave the key out" },
		{ "outputs: [ file: { path: /x, tags: [ ] } ]\n", "f:1:36: tags: the list is empty" },
		{ "outputs: [ file: { path: /x, not_rules: [] } ]\n", "f:1:41: not_rules: the list is empty" },
		{ "outputs: [ file: { path: /x, rules: '' } ]\n", "f:1:37: rules: an empty entry; leave it out" },
		{ "outputs: [ file: { path: /x, tags: } ]\n", "f:1:36: tags: an empty entry" },
		{ "outputs: [ file: { path: /x, rules: [ a, '' ] } ]\n", "f:1:42: rules: an empty entry" },
		/* What everybody may read holds no secrets. */
		{ "outputs: [ webhook: { headers: [ nothing ] } ]\n", "f:1:34: headers: 'Name: value' is expected" },
		{ "outputs: [ webhook: { headers: [ 'a b: c' ] } ]\n", "f:1:34: headers: 'Name: value' is expected" },
		{ "outputs: [ webhook: { headers: [ 'X-Site: a', 'authorization: Bearer b' ] } ]\n",
		  "f:1:47: headers: the value of authorization is a secret" },
		{ "outputs: [ slack: { url: 'https://hooks.slack.com/services/a' } ]\n", "f:1:26: url: whoever has" },
		{ "outputs: [ teams: { url: 'https://a.Webhook.office.com:443/b' } ]\n", "f:1:26: url: whoever has" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		struct shk_config *c = NULL;
		struct shk_err err = { 0 };

		assert_int_equal(shk_config_load_text("f", shk_str(rows[i].text), &c, &err), -EINVAL);
		if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("%s    %s", rows[i].text, err.text);
	}
}

static void dumps(void **state)
{
	static const char *const texts[] = {
		"", "append_output:\nstatic_fields:\n", "append_output: []\nstatic_fields: {}\n",
		"append_output:\n"
		"  - match: { rule: \"a \\\"b\\\"\", tags: [ \"t\" ] }\n"
		"    extra_output: \"x\\ty %proc.name\"\n"
		"    extra_fields: [ proc.name, \"k k\": \"%proc.pid\" ]\n"
		"static_fields: { z: \"a\\\\b\\n\\\"c\\\"\", b.c: \"\", n: 07, u: \"\\xe9\" }\n",
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(texts); i++) {
		SHK_CLEANUP(shk_config_freep) struct shk_config *c = NULL, *d = NULL;
		_cleanup_buf_ struct shk_buf one, two;
		struct shk_err err = { 0 };

		shk_buf_init(&one, 1 << 20);
		shk_buf_init(&two, 1 << 20);
		if (shk_config_load_text("f", shk_str(texts[i]), &c, &err) < 0)
			fail_msg("%s", err.text);
		shk_config_dump(c, &one);
		if (shk_config_load_text("dump", shk_buf_view(&one), &d, &err) < 0)
			fail_msg("%s\n%s", err.text, one.p);
		shk_config_dump(d, &two);
		assert_string_equal(one.p, two.p);
		assert_int_equal(c->n_constants, d->n_constants);
		for (size_t k = 0; k < c->n_constants; k++)
			assert_true(shk_str_eq(c->constants[k].key, d->constants[k].key) &&
				    shk_str_eq(c->constants[k].value, d->constants[k].value));
	}
}

/* Last: there is no way back. */
static void of_a_user(void **state)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *c = NULL, *d = NULL, *e = NULL;
	struct shk_err err = { 0 };

	(void)state;
	shk_config_for_user();
	setenv("XDG_RUNTIME_DIR", "/run/user/\"1\"", 1);
	setenv("XDG_CONFIG_HOME", "relative, so ignored", 1);
	setenv("HOME", "/home/u", 1);
	unsetenv("XDG_STATE_HOME");
	if (shk_config_load_text("f", SHK_STR("hostname: h\n"), &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c->control_socket, "/run/user/\"1\"/shrike/control.sock");
	assert_string_equal(c->notify_socket, "/run/user/\"1\"/shrike/notify.sock");
	assert_string_equal(c->policy_dir, "/home/u/.config/shrike/policies.d");
	assert_int_equal(strncmp(c->rules_path, "/home/u/.config/shrike/rules:", 29), 0);
	assert_int_equal(c->n_outputs, 2);
	assert_string_equal(c->outputs[1].path, "/home/u/.local/state/shrike/alerts.json");
	if (shk_config_load_text("f", SHK_STR("control_socket: /tmp/x\n"), &d, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(d->control_socket, "/tmp/x");
	unsetenv("HOME");
	assert_int_equal(shk_config_load_text("f", SHK_STR(""), &e, &err), -ENOENT);
	assert_non_null(strstr(err.text, "XDG_CONFIG_HOME"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read),    cmocka_unit_test(static_fields_change),
		cmocka_unit_test(keys),	      cmocka_unit_test(is_refused),
		cmocka_unit_test(dumps),      cmocka_unit_test(of_a_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
