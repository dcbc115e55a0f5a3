// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/shape.h"

#include <errno.h>
#include <json-c/json.h>

#include "alerts/print.h"
#include "alerts/text.h"

#define CHAT_TEXT 2000 /* Slack shows 3000 of a text, Teams takes 28 KB of a message */

void shk_shape_text(struct shk_buf *out, struct json_object *record, size_t max)
{
	struct shk_str message = shk_text_message(record), cut = shk_utf8_cut(message, max);

	shk_print_line(out, cut);
	if (cut.n < message.n)
		shk_buf_adds(out, " ...");
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

static struct json_object *container(struct json_object *record)
{
	return member(member(record, "shrike"), "container");
}

void shk_shape_container(struct shk_buf *out, struct json_object *record)
{
	struct json_object *c = container(record);
	struct shk_str id = shk_text_member(c, "id"), name = shk_text_member(c, "name");

	if (!id.n)
		return;
	if (name.n && !shk_str_eq(name, id)) {
		shk_print_line(out, name);
		shk_buf_adds(out, " (");
		shk_print_line(out, id);
		shk_buf_addc(out, ')');
	} else {
		shk_print_line(out, id);
	}
}

static enum shk_priority priority_of(struct json_object *record)
{
	enum shk_priority p = SHK_PRIO_WARNING;

	shk_priority_parse(shk_text_member(record, "priority"), &p);
	return p;
}

static void put(struct json_object *o, const char *key, struct shk_str s)
{
	json_object_object_add(o, key, json_object_new_string_len(s.p ? s.p : "", (int)s.n));
}

/* json-c keeps bytes as they are; what is no UTF-8 is made so here. */
static void print(struct shk_outlet *o, struct json_object *message)
{
	struct shk_print_caps caps = { .str = SHK_JOURNAL_ALERT_MAX, .items = 1024 };

	shk_print_json(&o->body, message, &caps);
	json_object_put(message);
}

/* ---- webhook ---- */

static int webhook(struct shk_outlet *o)
{
	struct shk_print_caps caps = { .str = SHK_JOURNAL_ALERT_MAX, .items = SHK_JOURNAL_ALERT_MAX };

	if (o->raw)
		shk_buf_adds(&o->body, o->raw);
	else
		shk_print_json(&o->body, o->batch[0], &caps);
	return 0;
}

/* ---- Slack, Mattermost ---- */

static const char *colour_of(enum shk_priority p)
{
	return p <= SHK_PRIO_CRITICAL ? "#b00020" : p <= SHK_PRIO_ERROR ? "#e01e5a" :
	       p <= SHK_PRIO_WARNING ? "#ecb22e" : "#36c5f0";
}

/* Inside a code block, where neither markup nor mentions count; Slack reads entities there, too. */
static void code(struct shk_buf *out, struct shk_str text, bool entities)
{
	shk_buf_adds(out, "```");
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '`')
			shk_buf_addc(out, '\'');
		else if (entities && c == '&')
			shk_buf_adds(out, "&amp;");
		else if (entities && c == '<')
			shk_buf_adds(out, "&lt;");
		else if (entities && c == '>')
			shk_buf_adds(out, "&gt;");
		else
			shk_buf_addc(out, c);
	}
	shk_buf_adds(out, "```");
}

static struct json_object *field(const char *title, struct shk_str value)
{
	struct json_object *f = json_object_new_object();

	put(f, "title", shk_str(title));
	put(f, "value", value);
	json_object_object_add(f, "short", json_object_new_boolean(true));
	return f;
}

static void add_field(struct json_object *fields, const char *title, struct shk_str value, bool entities)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	if (!value.n)
		return;
	shk_buf_init(&b, 65536);
	code(&b, shk_utf8_cut(value, 200), entities);
	json_object_array_add(fields, field(title, shk_buf_view(&b)));
}

static struct json_object *attachment(struct json_object *record, bool entities)
{
	_cleanup_buf_ struct shk_buf text = { 0 }, line = { 0 }, where = { 0 };
	struct json_object *a = json_object_new_object(), *fields = json_object_new_array();
	struct json_object *own = member(record, "shrike");
	struct shk_str hostname = shk_text_member(record, "hostname"), verdict = shk_text_member(own, "verdict");

	shk_buf_init(&text, 65536);
	shk_buf_init(&line, 65536);
	shk_buf_init(&where, 65536);
	shk_shape_text(&line, record, CHAT_TEXT);
	code(&text, shk_buf_view(&line), entities);
	shk_shape_container(&where, record);
	put(a, "color", shk_str(colour_of(priority_of(record))));
	put(a, "fallback", shk_text_member(record, "rule"));
	put(a, "text", shk_buf_view(&text));
	add_field(fields, "Rule", shk_text_member(record, "rule"), entities);
	add_field(fields, "Priority", shk_text_member(record, "priority"), entities);
	add_field(fields, "Container", shk_buf_view(&where), entities);
	add_field(fields, "Host", hostname, entities);
	add_field(fields, "Verdict", verdict, entities);
	add_field(fields, "Time", shk_text_member(record, "time"), entities);
	json_object_object_add(a, "fields", fields);
	json_object_object_add(a, "mrkdwn_in", json_tokener_parse("[\"text\",\"fields\"]"));
	return a;
}

static void headline(struct shk_buf *b, const struct shk_outlet *o)
{
	enum shk_priority worst = SHK_PRIO_DEBUG;

	for (size_t i = 0; i < o->n; i++)
		worst = SHK_MIN(worst, priority_of(o->batch[i]));
	if (o->n == 1)
		shk_buf_printf(b, "Shrike: %s alert", shk_priority_name(worst));
	else
		shk_buf_printf(b, "Shrike: %zu alerts, the most severe %s", o->n, shk_priority_name(worst));
}

static int chat(struct shk_outlet *o, bool entities)
{
	_cleanup_buf_ struct shk_buf head = { 0 };
	struct json_object *m = json_object_new_object(), *list = json_object_new_array();

	shk_buf_init(&head, 1024);
	headline(&head, o);
	put(m, "text", shk_buf_view(&head));
	for (size_t i = 0; i < o->n; i++)
		json_object_array_add(list, attachment(o->batch[i], entities));
	json_object_object_add(m, "attachments", list);
	print(o, m);
	return 0;
}

/* ---- Teams ---- */

static struct json_object *block(struct shk_str text, const char *more)
{
	struct json_object *b = json_tokener_parse(more);

	put(b, "type", SHK_STR("TextBlock"));
	put(b, "text", text);
	json_object_object_add(b, "wrap", json_object_new_boolean(true));
	return b;
}

/* A TextBlock reads some Markdown, and there is no code block: what has a meaning there gets a backslash. */
static void plain(struct shk_buf *out, struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("\\`*_{}[]()#+!|<>~", s.p[i]) && s.p[i])
			shk_buf_addc(out, '\\');
		shk_buf_addc(out, s.p[i]);
	}
}

static void fact(struct json_object *facts, const char *title, struct shk_str value)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	struct json_object *f;

	if (!value.n)
		return;
	f = json_object_new_object();
	shk_buf_init(&b, 65536);
	plain(&b, shk_utf8_cut(value, 200));
	put(f, "title", shk_str(title));
	put(f, "value", shk_buf_view(&b));
	json_object_array_add(facts, f);
}

static void card_of(struct json_object *body, struct json_object *record)
{
	_cleanup_buf_ struct shk_buf line = { 0 }, text = { 0 }, where = { 0 };
	struct json_object *set = json_object_new_object(), *facts = json_object_new_array();

	shk_buf_init(&line, 65536);
	shk_buf_init(&text, 262144);
	shk_buf_init(&where, 65536);
	shk_shape_text(&line, record, CHAT_TEXT);
	plain(&text, shk_buf_view(&line));
	shk_shape_container(&where, record);
	json_object_array_add(body, block(shk_buf_view(&text), "{\"fontType\":\"Monospace\"}"));
	fact(facts, "Rule", shk_text_member(record, "rule"));
	fact(facts, "Priority", shk_text_member(record, "priority"));
	fact(facts, "Container", shk_buf_view(&where));
	fact(facts, "Host", shk_text_member(record, "hostname"));
	fact(facts, "Verdict", shk_text_member(member(record, "shrike"), "verdict"));
	fact(facts, "Time", shk_text_member(record, "time"));
	put(set, "type", SHK_STR("FactSet"));
	json_object_object_add(set, "facts", facts);
	json_object_array_add(body, set);
}

static int teams(struct shk_outlet *o)
{
	_cleanup_buf_ struct shk_buf head = { 0 };
	struct json_object *m = json_object_new_object(), *list = json_object_new_array();
	struct json_object *a = json_object_new_object(), *body = json_object_new_array();
	struct json_object *card = json_tokener_parse("{\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"$schema\":"
						      "\"http://adaptivecards.io/schemas/adaptive-card.json\"}");

	shk_buf_init(&head, 1024);
	headline(&head, o);
	json_object_array_add(body, block(shk_buf_view(&head), "{\"weight\":\"Bolder\",\"size\":\"Medium\"}"));
	for (size_t i = 0; i < o->n; i++)
		card_of(body, o->batch[i]);
	json_object_object_add(card, "body", body);
	put(a, "contentType", SHK_STR("application/vnd.microsoft.card.adaptive"));
	json_object_object_add(a, "content", card);
	json_object_array_add(list, a);
	put(m, "type", SHK_STR("message"));
	json_object_object_add(m, "attachments", list);
	print(o, m);
	return 0;
}

/* ---- Alertmanager, API version 2 ---- */

static const char *severity_of(enum shk_priority p)
{
	return p <= SHK_PRIO_CRITICAL ? "critical" : p <= SHK_PRIO_ERROR ? "error" :
	       p <= SHK_PRIO_WARNING ? "warning" : "info";
}

static void label(struct json_object *labels, const char *key, struct shk_str value)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	if (!value.n)
		return;
	shk_buf_init(&b, 65536);
	shk_print_line(&b, shk_utf8_cut(value, 1024));
	put(labels, key, shk_buf_view(&b));
}

static struct json_object *alert_of(struct json_object *record)
{
	struct json_object *a = json_object_new_object(), *labels = json_object_new_object();
	struct json_object *notes = json_object_new_object(), *c = container(record), *own = member(record, "shrike");
	_cleanup_buf_ struct shk_buf text = { 0 };
	struct shk_str when = shk_text_member(record, "time");

	shk_buf_init(&text, 65536);
	shk_shape_text(&text, record, 4096);
	/* What tells alerts from each other: not the text, which differs from call to call. */
	label(labels, "alertname", shk_text_member(record, "rule"));
	label(labels, "severity", shk_str(severity_of(priority_of(record))));
	label(labels, "priority", shk_text_member(record, "priority"));
	label(labels, "source", shk_text_member(record, "source"));
	label(labels, "host", shk_text_member(record, "hostname"));
	label(labels, "container_id", shk_text_member(c, "id"));
	label(labels, "container_name", shk_text_member(c, "name"));
	label(labels, "image", shk_text_member(c, "image"));
	label(labels, "namespace", shk_text_member(c, "k8s_ns"));
	label(labels, "pod", shk_text_member(c, "k8s_pod"));
	label(labels, "verdict", shk_text_member(own, "verdict"));
	put(notes, "summary", shk_text_member(record, "rule"));
	put(notes, "description", shk_buf_view(&text));
	put(notes, "shrike_id", shk_text_member(own, "id"));
	json_object_object_add(a, "labels", labels);
	json_object_object_add(a, "annotations", notes);
	if (when.n)
		put(a, "startsAt", when);
	return a;
}

static int alertmanager(struct shk_outlet *o)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < o->n; i++)
		json_object_array_add(list, alert_of(o->batch[i]));
	print(o, list);
	return 0;
}

int shk_shape(struct shk_outlet *o)
{
	int rc = -EINVAL;

	if (!o->body.limit)
		shk_buf_init(&o->body, SHK_BODY_MAX);
	shk_buf_reset(&o->body);
	switch (o->cfg->kind) {
	case SHK_SINK_WEBHOOK:
		rc = webhook(o);
		break;
	case SHK_SINK_SLACK:
		rc = chat(o, true);
		break;
	case SHK_SINK_MATTERMOST:
		rc = chat(o, false);
		break;
	case SHK_SINK_TEAMS:
		rc = teams(o);
		break;
	case SHK_SINK_ALERTMANAGER:
		rc = alertmanager(o);
		break;
	case SHK_SINK_MAIL:
		rc = shk_shape_mail(o, (int64_t)(shk_now_real() / 1000000000));
		break;
	default:
		break;
	}
	return rc < 0 ? rc : o->body.failed ? -ENOMEM : 0;
}
