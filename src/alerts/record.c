// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>

#include "alerts/alert.h"
#include "alerts/print.h"
#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/io.h"
#include "rules/output.h"

/* The message before it is cut: a rule that prints a command line several times stays bounded. */
#define MESSAGE_MAX SHK_JOURNAL_ALERT_MAX

/* A container chooses how long its arguments are; an alert that does not fit is not dropped but
 * shortened, step by step, so that length is no way to be silent. */
static const struct shk_print_caps steps[] = {
	{ .str = SHK_JOURNAL_ALERT_MAX, .items = SHK_JOURNAL_ALERT_MAX },
	{ .str = 8192, .items = 256 },
	{ .str = 2048, .items = 64 },
	{ .str = 512, .items = 32 },
	{ .str = 128, .items = 16 }, /* from here on without tags and fields: strip() */
	{ .str = 32, .items = 4 },   /* for small datagrams */
};
#define STEPS	   SHK_ARRAY_SIZE(steps)
#define STRIP_STEP (STEPS - 2)

/* Consumes v; NULL (no memory) is remembered in *rc. */
static void put(int *rc, struct json_object *o, const char *key, struct json_object *v)
{
	if (!v || json_object_object_add(o, key, v) < 0) {
		json_object_put(v);
		*rc = -ENOMEM;
	}
}

static struct json_object *string(struct shk_str s)
{
	return json_object_new_string_len(s.p ? s.p : "", (int)SHK_MIN(s.n, (size_t)MESSAGE_MAX));
}

static void put_str(int *rc, struct json_object *o, const char *key, struct shk_str s)
{
	put(rc, o, key, string(s));
}

static void put_known(int *rc, struct json_object *o, const char *key, struct shk_str s)
{
	if (s.n)
		put_str(rc, o, key, s);
}

static void put_u64(int *rc, struct json_object *o, const char *key, uint64_t v)
{
	put(rc, o, key, json_object_new_uint64(v));
}

static struct json_object *container_of_alert(const struct shk_container *c)
{
	struct json_object *o = json_object_new_object();
	int rc = 0;

	if (!o)
		return NULL;
	put_u64(&rc, o, "key", c->key);
	put_str(&rc, o, "id", c->id);
	put_str(&rc, o, "name", c->name);
	put_known(&rc, o, "full_id", c->full_id);
	put_known(&rc, o, "image", c->image);
	put_known(&rc, o, "image_digest", c->image_digest);
	put_known(&rc, o, "engine", c->engine);
	put_known(&rc, o, "runtime", c->runtime);
	put_known(&rc, o, "k8s_ns", c->k8s_ns);
	put_known(&rc, o, "k8s_pod", c->k8s_pod);
	put_known(&rc, o, "k8s_container", c->k8s_container);
	if (rc < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

static void put_identity(int *rc, struct json_object *o, const struct shk_alert *a,
			 const struct shk_container *ctr)
{
	const char *boot = a->boot ? a->boot : "";
	char id[256];

	if (a->origin)
		snprintf(id, sizeof(id), "%s:%s:%" PRIu64 ":%u", boot, a->origin, a->seq, a->n);
	else
		snprintf(id, sizeof(id), "%s:%" PRIu64 ":%" PRIu64 ":%u", boot, ctr ? ctr->key : 0,
			 a->seq, a->n);
	put_str(rc, o, "id", shk_str(id));
	put_str(rc, o, "boot", shk_str(boot));
	put_u64(rc, o, "seq", a->seq);
	put_u64(rc, o, "n", a->n);
}

static void put_verdict(int *rc, struct json_object *o, const struct shk_alert *a)
{
	const char *name = a->err ? shk_errno_name(a->err) : NULL;

	put_known(rc, o, "verdict", shk_str(a->verdict));
	put_known(rc, o, "guarantee", shk_str(a->guarantee));
	if (name)
		put_str(rc, o, "errno", shk_str(name));
	else if (a->err)
		put(rc, o, "errno", json_object_new_int(a->err));
	if (a->decision_ns)
		put_u64(rc, o, "decision_ns", a->decision_ns);
}

/* What Falco has no key for. */
static struct json_object *ours(const struct shk_alert *a)
{
	const struct shk_event *ev = a->ctx ? a->ctx->ev : NULL;
	const struct shk_container *ctr = a->ctr ? a->ctr : a->ctx ? a->ctx->ctr : NULL;
	struct json_object *o = json_object_new_object();
	int rc = 0;

	if (!o)
		return NULL;
	put_identity(&rc, o, a, ctr);
	put_verdict(&rc, o, a);
	if (a->policy)
		put_str(&rc, o, "policy", a->policy->name);
	if (ctr) {
		put(&rc, o, "container", container_of_alert(ctr));
		put_str(&rc, o, "way", shk_str(shk_way_name(ctr->way)));
	}
	if (ev) {
		put(&rc, o, "attempt", json_object_new_boolean(ev->attempt));
		put_str(&rc, o, "sensor", shk_str(shk_sensor_name(ev->sensor)));
		put(&rc, o, "tid", json_object_new_int(ev->tid));
		if (ev->call)
			put_str(&rc, o, "call", shk_str(ev->call->name));
	}
	if (rc < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

static struct json_object *tags_of(const struct shk_rule_info *r)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < r->n_tags; i++) {
		struct json_object *t = string(r->tags[i]);

		if (!t || json_object_array_add(list, t) < 0) {
			json_object_put(t);
			json_object_put(list);
			return NULL;
		}
	}
	return list;
}

/* The whole text line, Falco's "output". */
static struct json_object *output_of(const struct shk_alert *a, uint64_t when, const char *priority)
{
	_cleanup_buf_ struct shk_buf b;
	struct json_object *o;

	shk_buf_init(&b, MESSAGE_MAX);
	shk_text_time_local(&b, when);
	shk_buf_printf(&b, ": %s ", priority);
	if (a->rule && a->ctx && a->rule->output)
		shk_output_render(a->rule->output, a->ctx, &b);
	else if (a->rule)
		shk_buf_addstr(&b, a->rule->output_text);
	else
		shk_buf_adds(&b, a->internal_text ? a->internal_text : "");
	/* A refused append (too long) leaves what came before it: that is shown. */
	while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == ' '))
		b.n--;
	o = string(shk_buf_view(&b));
	return o;
}

static int add_extra(struct json_object *fields, const struct shk_rule_extra *x,
		     struct shk_eval_ctx *ctx)
{
	_cleanup_buf_ struct shk_buf b;
	char key[256];
	int rc = 0;

	if (!x->name.n)
		return shk_output_fields(x->output, ctx, fields);
	shk_buf_init(&b, 1u << 16);
	shk_output_render(x->output, ctx, &b);
	snprintf(key, sizeof(key), SHK_STR_FMT, SHK_STR_ARG(x->name));
	put(&rc, fields, key, string(b.n ? shk_buf_view(&b) : SHK_STR("")));
	return b.failed ? -ENOMEM : rc;
}

static struct json_object *fields_of(const struct shk_alert *a, uint64_t when)
{
	struct json_object *f = a->internal_fields ? json_object_get(a->internal_fields)
						   : json_object_new_object();
	int rc = 0;

	if (!f)
		return NULL;
	if (a->rule && a->ctx && a->rule->output)
		rc = shk_output_fields(a->rule->output, a->ctx, f);
	for (size_t i = 0; rc == 0 && a->rule && a->ctx && i < a->rule->n_extra; i++)
		rc = add_extra(f, &a->rule->extra[i], a->ctx);
	/* Always an integer, however the template wrote it. */
	if (rc == 0)
		put_u64(&rc, f, "evt.time", when);
	if (rc < 0) {
		json_object_put(f);
		return NULL;
	}
	return f;
}

static struct json_object *build(const struct shk_alert *a, const char *hostname)
{
	uint64_t when = a->ctx ? a->ctx->ev->time_ns : shk_now_real();
	const char *priority = shk_priority_name(a->rule ? a->rule->priority : a->internal_priority);
	_cleanup_buf_ struct shk_buf iso = { 0 };
	struct json_object *o = json_object_new_object();
	int rc = 0;

	if (!o)
		return NULL;
	shk_buf_init(&iso, 64);
	shk_text_time_utc(&iso, when);
	put_str(&rc, o, "hostname", shk_str(hostname));
	put(&rc, o, "output", output_of(a, when, priority));
	put(&rc, o, "output_fields", fields_of(a, when));
	put_str(&rc, o, "priority", shk_str(priority));
	put_str(&rc, o, "rule", a->rule ? a->rule->name : shk_str(a->internal_rule));
	put(&rc, o, "shrike", ours(a));
	put_str(&rc, o, "source",
		!a->rule	   ? SHK_STR("internal")
		: a->rule->source.n ? a->rule->source
				    : SHK_STR("syscall"));
	if (a->rule)
		put(&rc, o, "tags", tags_of(a->rule));
	put_str(&rc, o, "time", shk_buf_view(&iso));
	if (rc < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

/* Leaves of the record only what has a bounded number of members. */
static int strip(struct json_object *o)
{
	struct json_object *fields = NULL, *left = json_object_new_object(), *when = NULL;
	int rc = 0;

	if (!left)
		return -ENOMEM;
	json_object_object_get_ex(o, "output_fields", &fields);
	if (json_object_object_get_ex(fields, "evt.time", &when))
		put(&rc, left, "evt.time", json_object_get(when));
	put(&rc, o, "output_fields", left);
	if (json_object_object_get_ex(o, "tags", NULL))
		put(&rc, o, "tags", json_object_new_array());
	return rc;
}

/* May change o. */
static int render(struct json_object *o, struct shk_buf *line)
{
	struct json_object *own = json_object_object_get(o, "shrike");
	int rc = 0;

	for (size_t i = 0; i < STEPS; i++) {
		struct shk_print_caps caps = steps[i];

		if (i == 1)
			put(&rc, own, "truncated", json_object_new_boolean(true));
		if (i == STRIP_STEP && rc == 0)
			rc = strip(o);
		if (rc < 0)
			return rc;
		shk_buf_reset(line);
		shk_print_json(line, o, &caps);
		if (!line->failed)
			return 0;
	}
	return -EMSGSIZE;
}

int shk_alert_render(const struct shk_alert *a, const char *hostname, struct shk_buf *out)
{
	struct json_object *o = build(a, hostname);
	_cleanup_buf_ struct shk_buf line = { 0 };
	int rc;

	json_object_put(a->internal_fields);
	if (!o)
		return -ENOMEM;
	shk_buf_init(&line, SHK_JOURNAL_ALERT_MAX);
	rc = render(o, &line);
	json_object_put(o);
	if (rc < 0) /* the last step always fits, given memory */
		return -ENOMEM;
	shk_buf_addstr(out, shk_buf_view(&line));
	return out->failed ? -EMSGSIZE : 0;
}

int shk_record_fit(struct json_object *record, size_t max, struct shk_buf *out)
{
	struct json_object *o = NULL;
	_cleanup_buf_ struct shk_buf line = { 0 };
	int rc;

	/* A copy: other sinks read this record, too. */
	if (json_object_deep_copy(record, &o, NULL) < 0)
		return -ENOMEM;
	shk_buf_init(&line, max);
	rc = render(o, &line);
	json_object_put(o);
	if (rc < 0)
		return rc;
	shk_buf_addstr(out, shk_buf_view(&line));
	return out->failed ? -ENOMEM : 0;
}
