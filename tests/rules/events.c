// SPDX-License-Identifier: Apache-2.0
/* The events of a case against its rules. */
#include <json-c/json.h>

#include "alerts/alert.h"
#include "case.h"
#include "rules/output.h"

#define ALERTS_MAX 256

static void add_alert(struct rc_state *s, struct rc_world *w, unsigned rule)
{
	const struct shk_rule_info *info = shk_ruleset_rule(s->rs, rule);
	struct shk_alert alert = { .rule = info, .ctx = &w->ctx, .ctr = w->ctx.ctr, .boot = "boot",
				   .seq = s->n_events, .verdict = "allow" };
	struct rc_alert *out;
	struct shk_buf b;

	if (!s->alert)
		s->alert = SHK_ARENA_ARRAY(&s->a, struct rc_alert, ALERTS_MAX);
	if (!s->alert || s->n_alerts == ALERTS_MAX) {
		rc_problem(s, s->c->line, "more than %u alerts", ALERTS_MAX);
		return;
	}
	out = &s->alert[s->n_alerts++];
	out->event = s->n_events;
	out->rule = info->name;
	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	shk_output_render(info->output, &w->ctx, &b);
	out->message = shk_arena_str(&s->a, b.n ? shk_buf_view(&b) : SHK_STR(""));
	shk_buf_reset(&b);
	if (shk_alert_render(&alert, "host1", &b) < 0)
		rc_problem(s, s->c->line, "the alert cannot be rendered");
	else
		out->record = shk_arena_str(&s->a, shk_buf_view(&b));
	for (int iso = 0; iso < 2 && out->record.p; iso++) {
		shk_buf_reset(&b);
		if (shk_record_text(out->record, iso, &b, NULL) == 0)
			*(iso ? &out->iso : &out->text) = shk_arena_str(&s->a, shk_buf_view(&b));
	}
	shk_buf_done(&b);
}

/* each(): for each event, until it returns false. */
static void each_event(struct rc_state *s, bool (*each)(struct rc_state *s, struct rc_world *w,
							void *arg),
		       void *arg)
{
	const struct rc_block *b = rc_block(s->c, "events", NULL);
	struct shk_err err = { 0 };
	struct rc_world w;
	int r = 0;

	if (!b || !s->rs)
		return;
	r = rc_world_open(&w, b->text, &err);
	while (r >= 0 && (r = rc_world_next(&w, &err)) > 0) {
		s->n_events++;
		if (!each(s, &w, arg))
			break;
	}
	if (r < 0)
		rc_problem(s, b->line, "events: %s (counted with one line before the first)", err.text);
	else if (!s->n_events)
		rc_problem(s, b->line, "no event in \"events:\"");
	rc_world_close(&w);
}

static void eval(struct rc_state *s, struct rc_world *w, bool first, struct shk_matches *m)
{
	memset(m, 0, sizeof(*m));
	shk_ruleset_eval(s->rs, &w->ctx, NULL, first, m);
	if (w->ctx.ev->arena->failed)
		rc_problem(s, s->c->line, "memory of event %u ran out", s->n_events);
}

static bool alerts_of(struct rc_state *s, struct rc_world *w, void *arg)
{
	struct shk_matches m;

	(void)arg;
	eval(s, w, !shk_str_eqz(rc_text(s->c, "match"), "all"), &m);
	for (unsigned i = 0; i < m.n; i++)
		add_alert(s, w, m.rule[i]);
	return true;
}

void rc_events(struct rc_state *s)
{
	each_event(s, alerts_of, NULL);
}

static bool truth_of(struct rc_state *s, struct rc_world *w, void *arg)
{
	struct shk_matches m;

	eval(s, w, true, &m);
	shk_buf_printf(arg, "%s%c", s->n_events > 1 ? " " : "", m.n ? 'T' : 'F');
	return true;
}

const char *rc_truths(struct rc_state *s)
{
	const char *text;
	struct shk_buf b;

	shk_buf_init(&b, 4096);
	each_event(s, truth_of, &b);
	text = b.n ? shk_arena_strndup(&s->a, b.p, b.n) : NULL;
	shk_buf_done(&b);
	return text;
}

struct first {
	struct shk_str *message, field;
	const char **json;
	bool done;
};

static bool message_of(struct rc_state *s, struct rc_world *w, void *arg)
{
	const struct shk_output *o = shk_ruleset_rule(s->rs, 0)->output;
	struct json_object *all = json_object_new_object(), *v = NULL;
	struct first *f = arg;
	struct shk_buf b;

	shk_buf_init(&b, 1u << 20);
	shk_output_render(o, &w->ctx, &b);
	*f->message = shk_arena_str(&s->a, b.n ? shk_buf_view(&b) : SHK_STR(""));
	shk_buf_done(&b);
	*f->json = "(not there)";
	if (f->field.n && shk_output_fields(o, &w->ctx, all) == 0 &&
	    json_object_object_get_ex(all, shk_arena_strndup(&s->a, f->field.p, f->field.n), &v))
		*f->json = v ? shk_arena_strdup(&s->a, json_object_to_json_string_ext(
						v, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE)) :
			       "null";
	json_object_put(all);
	f->done = true;
	return false;
}

bool rc_first_message(struct rc_state *s, struct shk_str *message, struct shk_str field,
		      const char **json)
{
	struct first f = { message, field, json, false };

	each_event(s, message_of, &f);
	return f.done;
}
