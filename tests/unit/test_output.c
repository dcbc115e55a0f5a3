// SPDX-License-Identifier: Apache-2.0
/* Output templates: tokens, widths, missing and hostile values, JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>

#include "rules/output.h"

static char path[256];
static struct shk_arena load, scratch;
static struct shk_event ev;

static ssize_t read_own(struct shk_event *e, uint64_t addr, void *buf, size_t n)
{
	(void)e;
	memcpy(buf, (const void *)(uintptr_t)addr, n);
	return (ssize_t)n;
}

static const struct shk_mem_ops own_memory = { .read = read_own };

static int setup(void **state)
{
	(void)state;
	shk_arena_init(&load, 1 << 20);
	shk_arena_init(&scratch, 1 << 20);
	shk_event_init(&ev, &scratch);
	ev.num = 7;
	ev.time_ns = 1700000000000000001;
	ev.call = &shk_syscalls[SHK_CALL_open];
	ev.mem = &own_memory;
	ev.raw[0] = (uintptr_t)path;
	ev.raw[1] = O_RDWR;
	ev.has_ret = true;
	ev.ret = 4;
	strcpy(path, "/tmp/x");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shk_arena_done(&load);
	shk_arena_done(&scratch);
	return 0;
}

static const struct shk_output *compiled(const char *text)
{
	const struct shk_output *o = NULL;
	struct shk_err err = { 0 };

	if (shk_output_compile(&load, shk_str(text), &o, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return o;
}

static void expect(const char *text, const char *want)
{
	const struct shk_output *o = compiled(text);
	struct shk_eval_ctx ctx = { .ev = &ev };
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 1 << 16);
	shk_output_render(o, &ctx, &b);
	assert_false(b.failed);
	assert_string_equal(b.p ? b.p : "", want);
}

static void test_text(void **state)
{
	(void)state;
	expect("plain", "plain");
	expect("", "");
	expect("*type %evt.type.", "type open.");
	expect("%evt.typefoo %evt.num", "openfoo 7");
	expect("[%8evt.type] [%2evt.type]", "[open    ] [op]");
	expect("100%% of %evt.arg.name", "100% of /tmp/x");
	expect("a%container.info b", "a b");
	expect("%evt.arg.path", "<NA>");
	expect("%6evt.arg.path", "<NA>  ");
	expect("%evt.failed %evt.rawres", "false 4");
}

static void test_transformers(void **state)
{
	(void)state;
	expect("%toupper(evt.type)!", "OPEN!");
	expect("%len(evt.arg.name)", "6");
	expect("%basename(evt.arg.name) %concat(evt.type, \"(\")", "x open(");
	expect("%tolower(evt.arg.path)", "<NA>");
}

/* What a container names its files must not reach a terminal or a log as control. */
static void test_hostile(void **state)
{
	(void)state;
	strcpy(path, "a\nb\x1b[2J\xff\xc2\x9b\xc3\xa9\xed\xa0\x80");
	expect("%evt.arg.name", "a\xef\xbf\xbd"
				"b\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9"
				"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_bad(void **state)
{
	static const char *const bad[] = { "%", "a %", "%nosuch.field", "%-5evt.type", "% x", "%5",
					   "%nosuch(evt.type)", "%toupper(", "%toupper(evt.num)" };
	const struct shk_output *o = NULL;

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		struct shk_err err = { 0 };

		if (shk_output_compile(&load, shk_str(bad[i]), &o, &err) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		assert_true(err.text[0]);
	}
}

static void test_json(void **state)
{
	const struct shk_output *o = compiled("%evt.num %evt.arg.path %evt.failed %evt.time "
					      "%toupper(evt.type) %evt.num %evt.arg[0]");
	struct shk_eval_ctx ctx = { .ev = &ev };
	struct json_object *j = json_object_new_object(), *v = NULL;

	(void)state;
	assert_int_equal(shk_output_fields(o, &ctx, j), 0);
	assert_int_equal(json_object_object_length(j), 6);
	assert_true(json_object_object_get_ex(j, "evt.num", &v));
	assert_true(json_object_is_type(v, json_type_int));
	assert_int_equal(json_object_get_int64(v), 7);
	assert_true(json_object_object_get_ex(j, "evt.arg.path", &v));
	assert_null(v);
	assert_true(json_object_object_get_ex(j, "evt.failed", &v));
	assert_true(json_object_is_type(v, json_type_boolean));
	assert_true(json_object_object_get_ex(j, "evt.time", &v));
	assert_int_equal(json_object_get_int64(v), 1700000000000000001);
	assert_true(json_object_object_get_ex(j, "evt.type", &v));
	assert_string_equal(json_object_get_string(v), "open");
	assert_true(json_object_object_get_ex(j, "evt.arg[0]", &v));
	json_object_put(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transformers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
