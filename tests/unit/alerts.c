// SPDX-License-Identifier: Apache-2.0
#include "alerts.h"

#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void fixture_init(struct fixture *f, const char *message)
{
	*f = (struct fixture){
		.tags = { { "T1059", 5 }, { "shell", 5 } },
		.rule = { .name = shk_str("Shell in \"container\""),
			  .source = shk_str("syscall"),
			  .output_text = shk_str(message),
			  .priority = SHK_PRIO_NOTICE,
			  .n_tags = 2 },
		.policy = { .name = shk_str("web"), .alerts_per_second = 1, .alerts_burst = 3 },
		.call = { .name = "execve" },
		.ev = { .time_ns = 1700000000000000001, .tid = 4711, .attempt = true,
			.sensor = SHK_SENSOR_NOTIFY },
	};
	f->rule.tags = f->tags;
	f->ctr = shk_container_new(7);
	assert_non_null(f->ctr);
	f->ctr->full_id = shk_container_str(f->ctr, SHK_STR("0123456789abcdef"));
	f->ctr->id = shk_container_str(f->ctr, SHK_STR("0123456789ab"));
	f->ctr->name = shk_container_str(f->ctr, SHK_STR("front\xff]"));
	f->ctr->image = shk_container_str(f->ctr, SHK_STR("docker.io/library/nginx:1"));
	f->ev.call = &f->call;
	f->ctx = (struct shk_eval_ctx){ .ev = &f->ev, .ctr = f->ctr };
	f->alert = (struct shk_alert){
		.rule = &f->rule, .policy = &f->policy, .ctx = &f->ctx, .ctr = f->ctr, .seq = 42,
		.n = 1, .boot = "b00t", .verdict = "deny", .err = EPERM, .guarantee = "register",
		.decision_ns = 1234,
	};
}

void fixture_done(struct fixture *f)
{
	shk_container_unref(f->ctr);
}

struct shk_str fixture_render(struct fixture *f)
{
	struct shk_buf b;

	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	assert_int_equal(shk_alert_render(&f->alert, "node1", &b), 0);
	return shk_buf_view(&b);
}

struct json_object *fixture_record(struct fixture *f)
{
	struct shk_str text = fixture_render(f);
	struct json_object *o = json_tokener_parse(text.p);

	assert_non_null(o);
	free((char *)(uintptr_t)text.p);
	return o;
}

struct json_object *at(struct json_object *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t n = strcspn(path, "/");

		assert_true(n < sizeof(key));
		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_object_get(o, key);
		path += n + (path[n] == '/');
	}
	return o;
}

const char *text_at(struct json_object *o, const char *path)
{
	o = at(o, path);
	return o ? json_object_get_string(o) : NULL;
}
