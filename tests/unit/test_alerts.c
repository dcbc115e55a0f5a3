// SPDX-License-Identifier: Apache-2.0
#include "alerts.h"
#include "rules/output.h"

#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "alerts/limit.h"
#include "alerts/print.h"
#include "alerts/sink.h"
#include "base/io.h"

static void record_has_falcos_keys_and_ours(void **state)
{
	struct fixture f;
	struct json_object *o;
	struct shk_str text;

	(void)state;
	fixture_init(&f, "A shell was started\n");
	text = fixture_render(&f);
	/* Sorted, compact, one line. */
	assert_true(shk_str_starts(text, SHK_STR("{\"hostname\":\"node1\",\"output\":\"")));
	assert_null(memchr(text.p, '\n', text.n));
	assert_non_null(strstr(text.p, "\"output_fields\":{\"evt.time\":1700000000000000001},"
				       "\"priority\":\"Notice\",\"rule\":\"Shell in \\\"container\\\"\","
				       "\"shrike\":{"));
	assert_non_null(strstr(text.p, "},\"source\":\"syscall\",\"tags\":[\"T1059\",\"shell\"],"
				       "\"time\":\"2023-11-14T22:13:20.000000001Z\"}"));
	free((char *)(uintptr_t)text.p);
	o = fixture_record(&f);
	assert_string_equal(text_at(o, "output"), "22:13:20.000000001: Notice A shell was started");
	assert_string_equal(text_at(o, "shrike/id"), "b00t:7:42:1");
	assert_string_equal(text_at(o, "shrike/verdict"), "deny");
	assert_string_equal(text_at(o, "shrike/errno"), "EPERM");
	assert_string_equal(text_at(o, "shrike/guarantee"), "register");
	assert_string_equal(text_at(o, "shrike/policy"), "web");
	assert_string_equal(text_at(o, "shrike/call"), "execve");
	assert_string_equal(text_at(o, "shrike/attempt"), "true");
	assert_string_equal(text_at(o, "shrike/sensor"), shk_sensor_name(SHK_SENSOR_NOTIFY));
	assert_string_equal(text_at(o, "shrike/way"), shk_way_name(SHK_WAY_HOOK));
	assert_int_equal(json_object_get_int(at(o, "shrike/decision_ns")), 1234);
	assert_string_equal(text_at(o, "shrike/container/id"), "0123456789ab");
	assert_string_equal(text_at(o, "shrike/container/image"), "docker.io/library/nginx:1");
	/* 0xff is no UTF-8 */
	assert_string_equal(text_at(o, "shrike/container/name"), "front\xef\xbf\xbd]");
	assert_null(at(o, "shrike/truncated"));
	json_object_put(o);
	fixture_done(&f);
}

/* What a policy adds to outputs in JSON: a field with its type, a template as text. */
static void record_has_extra_fields(void **state)
{
	struct shk_rule_extra extra[2] = { { .output = NULL }, { .name = SHK_STR("kind") } };
	struct json_object *o;
	struct fixture f;
	struct shk_arena a;

	(void)state;
	fixture_init(&f, "message");
	shk_arena_init(&a, 1 << 20);
	assert_int_equal(shk_output_compile(&a, SHK_STR("%evt.num"), &extra[0].output, NULL), 0);
	assert_int_equal(shk_output_compile(&a, SHK_STR("n=%evt.num"), &extra[1].output, NULL), 0);
	f.ev.num = 12;
	f.ev.arena = &a;
	f.rule.extra = extra;
	f.rule.n_extra = 2;
	o = fixture_record(&f);
	assert_int_equal(json_object_get_type(at(o, "output_fields/evt.num")), json_type_int);
	assert_int_equal(json_object_get_int(at(o, "output_fields/evt.num")), 12);
	assert_string_equal(text_at(o, "output_fields/kind"), "n=12");
	json_object_put(o);
	shk_arena_done(&a);
	fixture_done(&f);
}

static void internal_alert_has_its_own_shape(void **state)
{
	struct json_object *fields = json_object_new_object(), *o;
	struct shk_alert a = {
		.boot = "b00t", .origin = "writer-2", .seq = 3,
		.internal_rule = "Shrike internal: test", .internal_priority = SHK_PRIO_CRITICAL,
		.internal_text = "something happened", .internal_fields = fields,
	};
	_cleanup_buf_ struct shk_buf b;

	(void)state;
	json_object_object_add(fields, "n", json_object_new_uint64(UINT64_MAX));
	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	assert_int_equal(shk_alert_render(&a, NULL, &b), 0);
	o = json_tokener_parse(b.p);
	assert_string_equal(text_at(o, "source"), "internal");
	assert_string_equal(text_at(o, "rule"), "Shrike internal: test");
	assert_string_equal(text_at(o, "shrike/id"), "b00t:writer-2:3:0");
	assert_string_equal(text_at(o, "hostname"), "");
	assert_null(at(o, "tags"));
	assert_true(json_object_get_uint64(at(o, "output_fields/n")) == UINT64_MAX);
	assert_true(json_object_get_int64(at(o, "output_fields/evt.time")) > 0);
	json_object_put(o);
}

/* Every byte becomes six ("\u0001"): three times as long as a record may be. */
static void long_record_is_shortened(void **state)
{
	static char message[32 << 10];
	struct fixture f;
	struct json_object *o;
	struct shk_str text;

	(void)state;
	memset(message, 1, sizeof(message) - 1);
	fixture_init(&f, message);
	text = fixture_render(&f);
	assert_true(text.n <= SHK_JOURNAL_ALERT_MAX);
	assert_true(text.n > 8192);
	o = json_tokener_parse(text.p);
	assert_string_equal(text_at(o, "shrike/truncated"), "true");
	assert_string_equal(text_at(o, "shrike/id"), "b00t:7:42:1");
	assert_true(json_object_get_string_len(at(o, "output")) < 9000);
	json_object_put(o);
	free((char *)(uintptr_t)text.p);
	fixture_done(&f);
}

static void record_fits_a_datagram(void **state)
{
	static char message[4096];
	struct fixture f;
	struct json_object *o, *back;
	_cleanup_buf_ struct shk_buf b;

	(void)state;
	memset(message, 2, sizeof(message) - 1);
	fixture_init(&f, message);
	o = fixture_record(&f);
	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	assert_int_equal(shk_record_fit(o, 1500, &b), 0);
	assert_true(b.n <= 1500);
	back = json_tokener_parse(b.p);
	assert_string_equal(text_at(back, "shrike/truncated"), "true");
	assert_string_equal(text_at(back, "priority"), "Notice");
	assert_int_equal(json_object_array_length(at(back, "tags")), 0);
	/* The record itself is as it was. */
	assert_int_equal(json_object_array_length(at(o, "tags")), 2);
	assert_int_equal(shk_record_fit(o, 100, &b), -EMSGSIZE);
	json_object_put(back);
	json_object_put(o);
	fixture_done(&f);
}

static void text_line_in_both_time_forms(void **state)
{
	struct fixture f;
	struct shk_str text;
	struct shk_err err = { 0 };
	_cleanup_buf_ struct shk_buf b;

	(void)state;
	fixture_init(&f, "two\nlines: \x1b[31m\xc2\x9b" "red \xe2\x80\xae" "gpj");
	text = fixture_render(&f);
	shk_buf_init(&b, 4096);
	assert_int_equal(shk_record_text(text, false, &b, &err), 0);
	assert_string_equal(b.p, "22:13:20.000000001: Notice two lines: \xef\xbf\xbd[31m\xef\xbf\xbdred \\u202egpj");
	shk_buf_reset(&b);
	assert_int_equal(shk_record_text(text, true, &b, &err), 0);
	assert_string_equal(b.p, "2023-11-14T22:13:20.000000001+0000: Notice two lines: "
				 "\xef\xbf\xbd[31m\xef\xbf\xbdred \\u202egpj");
	assert_int_equal(shk_record_text(SHK_STR("[1]"), false, &b, &err), -EINVAL);
	assert_int_equal(shk_record_text(SHK_STR("{\"output\":\"x\"}"), false, &b, &err), -EINVAL);
	free((char *)(uintptr_t)text.p);
	fixture_done(&f);
}

static void utf8_is_checked_to_the_letter(void **state)
{
	static const struct {
		const char *s;
		size_t len;
	} cases[] = {
		{ "a", 1 }, { "\xc3\xa4", 2 }, { "\xe2\x82\xac", 3 }, { "\xf0\x9f\x90\xa6", 4 },
		{ "\x80", 0 }, { "\xc0\xaf", 0 }, { "\xe0\x80\xaf", 0 }, { "\xed\xa0\x80", 0 },
		{ "\xf0\x80\x80\xaf", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xe2\x82", 0 }, { "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++)
		assert_int_equal(shk_utf8_len(cases[i].s, strlen(cases[i].s)), cases[i].len);
	assert_int_equal(shk_utf8_cut(SHK_STR("ab\xe2\x82\xac"), 4).n, 2);
	assert_int_equal(shk_utf8_cut(SHK_STR("\x80\x80\x80\x80\x80"), 4).n, 4);
	assert_int_equal(shk_utf8_cut(SHK_STR("abc"), 3).n, 3);
}

/* ---- limits ---- */

struct held {
	unsigned calls;
	uint64_t container, count, first_ns, last_ns;
	char rule[64];
};

static void on_held(const struct shk_held_back *held, void *arg)
{
	struct held *h = arg;

	h->calls++;
	h->container = held->container;
	h->count += held->count;
	h->first_ns = held->first_ns;
	h->last_ns = held->last_ns;
	snprintf(h->rule, sizeof(h->rule), SHK_STR_FMT, SHK_STR_ARG(held->rule));
}

static void limit_holds_back_and_reports(void **state)
{
	struct fixture f;
	struct shk_rule_info other;
	struct shk_limits *l;
	struct held h = { 0 };
	uint64_t before = shk_now_real();
	unsigned passed = 0;

	(void)state;
	fixture_init(&f, "x");
	other = f.rule;
	other.name = shk_str("Other");
	assert_int_equal(shk_limits_new(&l), 0);
	for (unsigned i = 0; i < 10; i++)
		passed += shk_limit_allow(l, f.ctr, &f.policy, &f.rule);
	/* The burst, and one more should this machine have slept for a second. */
	assert_in_range(passed, 3, 4);
	/* Another rule has a bucket of its own, and so has another container. */
	assert_true(shk_limit_allow(l, f.ctr, &f.policy, &other));
	assert_true(shk_limit_allow(l, NULL, &f.policy, &f.rule));
	shk_limits_report(l, on_held, &h);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.count, 10 - passed);
	assert_int_equal(h.container, 7);
	assert_string_equal(h.rule, "Shell in \"container\"");
	assert_true(h.first_ns >= before && h.first_ns <= h.last_ns && h.last_ns <= shk_now_real());
	shk_limits_report(l, on_held, &h);
	assert_int_equal(h.calls, 1);
	/* The next flood begins anew. */
	do
		before = shk_now_real();
	while (shk_limit_allow(l, f.ctr, &f.policy, &f.rule));
	shk_limits_report(l, on_held, &h);
	assert_int_equal(h.calls, 2);
	assert_true(h.first_ns >= before);
	f.policy.alerts_per_second = 0;
	for (unsigned i = 0; i < 100; i++)
		assert_true(shk_limit_allow(l, f.ctr, &f.policy, &f.rule));
	shk_limits_free(l);
	fixture_done(&f);
}

static void limit_refills(void **state)
{
	struct fixture f;
	struct shk_limits *l;
	const struct timespec ms20 = { .tv_nsec = 20000000 };

	(void)state;
	fixture_init(&f, "x");
	f.policy.alerts_per_second = 100;
	f.policy.alerts_burst = 1;
	assert_int_equal(shk_limits_new(&l), 0);
	assert_true(shk_limit_allow(l, f.ctr, &f.policy, &f.rule));
	nanosleep(&ms20, NULL);
	assert_true(shk_limit_allow(l, f.ctr, &f.policy, &f.rule));
	shk_limits_free(l);
	fixture_done(&f);
}

static void forgotten_flood_is_still_reported(void **state)
{
	struct fixture f;
	struct shk_limits *l;
	struct held h = { 0 };

	(void)state;
	fixture_init(&f, "x");
	assert_int_equal(shk_limits_new(&l), 0);
	for (unsigned i = 0; i < 10; i++)
		shk_limit_allow(l, f.ctr, &f.policy, &f.rule);
	shk_limits_forget(l, 7);
	shk_limits_report(l, on_held, &h);
	assert_in_range(h.count, 6, 7);
	/* Its bucket is gone: the whole burst is there again. */
	for (unsigned i = 0; i < 3; i++)
		assert_true(shk_limit_allow(l, f.ctr, &f.policy, &f.rule));
	shk_limits_free(l);
	fixture_done(&f);
}

/* ---- queue ---- */

static struct shk_line *line(unsigned rank, uint64_t cookie)
{
	struct shk_line *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->refs = 1;
	l->rank = rank;
	l->cookie = cookie;
	l->json = (struct shk_str){ strdup("{}"), 2 };
	return l;
}

static unsigned push(struct shk_queue *q, unsigned rank, uint64_t cookie)
{
	struct shk_line *l = line(rank, cookie);
	unsigned dropped = shk_queue_push(q, l);

	shk_line_unref(l);
	return dropped;
}

static void full_queue_drops_the_oldest_of_the_least_severe(void **state)
{
	static const uint64_t left[] = { 1, 4, 5, 6 };
	struct shk_queue q;

	(void)state;
	shk_queue_init(&q, 4 * (2 + SHK_LINE_COST));
	assert_int_equal(push(&q, 0, 1), 0); /* of a verdict */
	assert_int_equal(push(&q, 8, 2), 0); /* Debug */
	assert_int_equal(push(&q, 8, 3), 0);
	assert_int_equal(push(&q, 3, 4), 0);
	assert_int_equal(push(&q, 3, 5), 1); /* 2 goes */
	assert_int_equal(push(&q, 1, 6), 1); /* 3 goes */
	assert_int_equal(push(&q, 8, 7), 1); /* itself */
	for (size_t i = 0; i < SHK_ARRAY_SIZE(left); i++) {
		struct shk_line *l = shk_queue_pop(&q);

		assert_int_equal(l->cookie, left[i]);
		shk_line_unref(l);
	}
	assert_null(shk_queue_pop(&q));
	assert_int_equal(q.bytes, 0);
	shk_queue_init(&q, 2 * (2 + SHK_LINE_COST) - 1); /* the text counts as well */
	assert_int_equal(push(&q, 1, 1), 0);
	assert_int_equal(push(&q, 1, 2), 1);
	shk_queue_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_has_falcos_keys_and_ours),
		cmocka_unit_test(record_has_extra_fields),
		cmocka_unit_test(internal_alert_has_its_own_shape),
		cmocka_unit_test(long_record_is_shortened),
		cmocka_unit_test(record_fits_a_datagram),
		cmocka_unit_test(text_line_in_both_time_forms),
		cmocka_unit_test(utf8_is_checked_to_the_letter),
		cmocka_unit_test(limit_holds_back_and_reports),
		cmocka_unit_test(limit_refills),
		cmocka_unit_test(forgotten_flood_is_still_reported),
		cmocka_unit_test(full_queue_drops_the_oldest_of_the_least_severe),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
