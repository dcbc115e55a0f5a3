// SPDX-License-Identifier: Apache-2.0
/*
 * The gateway's end of the conversation with the engine (alerts/gateway_proto.h).
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/log.h"
#include "shrike-gateway/gateway.h"

#define READS	 SHK_WINDOW_LINES /* packets of one round; they are synced together */
#define MANY	 64 /* so many at once are a burst: more of it is worth waiting for, */
#define MORE_MS	 1  /* so long each time, */
#define MORE_MAX 8  /* and so often */

static uint32_t mask_of(const struct shk_gateway *g, struct json_object *record)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < g->n; i++)
		if (shk_sink_wants(g->outlet[i].cfg, record))
			mask |= 1u << g->outlet[i].kept.bit;
	return mask;
}

/* An alert of ours has come back, and is kept as any other: now these losses are told, whoever ends. */
static void losses_told(struct shk_gateway *g, struct json_object *record)
{
	struct json_object *fields = NULL, *count = NULL;
	struct shk_str name;

	if (!shk_str_eqz(shk_text_member(record, "rule"), "Shrike internal: alerts lost") ||
	    !shk_str_eqz(shk_text_member(record, "source"), "internal") ||
	    !json_object_object_get_ex(record, "output_fields", &fields) || !json_object_object_get_ex(fields, "count", &count))
		return;
	name = shk_text_member(fields, "output");
	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];
		uint64_t n = json_object_get_uint64(count);

		if (!shk_str_eqz(name, o->cfg->net.name))
			continue;
		o->telling -= SHK_MIN(n, o->telling);
		o->kept.told = o->work.told = o->kept.told + SHK_MIN(n, o->kept.dropped - o->kept.told);
		o->dirty = true;
	}
}

/* -errno: it found no room and is to be offered again. */
static int take(struct shk_gateway *g, const struct shk_frame_head *h, struct shk_str text)
{
	struct shk_spool_item it = { .boot = h->boot, .cookie = h->cookie, .rank = SHK_MIN(h->rank, 8u),
				     .time = shk_now_real() };
	struct json_tokener *tok;
	struct json_object *record;
	int rc = 0;

	if (g->boot != h->boot) {
		g->boot = h->boot;
		g->acked = 0;
	}
	if (shk_spool_seen(g->spool, h->boot, h->cookie)) {
		g->repeated++;
		return 0;
	}
	tok = json_tokener_new();
	if (!tok)
		return -ENOMEM;
	record = json_tokener_parse_ex(tok, text.p, (int)text.n);
	json_tokener_free(tok);
	if (json_object_is_type(record, json_type_object))
		it.mask = mask_of(g, record);
	if (it.mask) {
		rc = shk_spool_put(g->spool, &it, text);
	} else {
		shk_spool_pass(g->spool, h->boot, h->cookie);
		g->for_nobody++;
	}
	if (rc == 0) {
		g->received++;
		losses_told(g, record);
	}
	json_object_put(record);
	return rc;
}

static void status_is(struct shk_gateway *g, struct shk_str text)
{
	char *copy = strndup(text.p, text.n);

	if (!copy)
		return;
	free(g->status);
	g->status = copy;
}

static int read_one(struct shk_gateway *g)
{
	struct shk_frame_head h;
	struct shk_str text;
	ssize_t n = g->held ? (ssize_t)g->held_size : recv(g->engine, g->packet, sizeof(g->packet), MSG_DONTWAIT);
	int rc = 0;

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	if (shk_frame_parse(g->packet, (size_t)n, &h, &text) < 0)
		return -EBADMSG;
	if (h.op == SHK_FRAME_ALERT)
		rc = take(g, &h, text);
	else if (h.op == SHK_FRAME_STATUS)
		status_is(g, text);
	g->held = rc < 0;
	g->held_size = (size_t)n;
	return rc < 0 ? -EBUSY : 0;
}

void shk_link_hello(struct shk_gateway *g)
{
	const struct shk_frame_head h = { .op = SHK_FRAME_HELLO, .cookie = g->started };

	/* Without it the engine takes nothing else from us. */
	if (g->engine >= 0 && shk_frame_send(g->engine, &h, SHK_STR("")) < 0)
		shk_link_lost(g);
}

/* What is acknowledged up to this cookie, or dropped, and on no disk. */
static uint64_t at_risk(const struct shk_gateway *g, uint64_t cookie)
{
	uint64_t n = shk_spool_at_risk(g->spool, g->boot, cookie);

	for (size_t i = 0; i < g->n; i++)
		n += shk_outlet_at_risk(&g->outlet[i]);
	return SHK_MIN(n, (uint64_t)UINT32_MAX);
}

void shk_link_ack(struct shk_gateway *g)
{
	struct shk_frame_head h = { .op = SHK_FRAME_ACK, .boot = g->boot };
	uint64_t risk;

	if (g->engine < 0 || !g->boot)
		return;
	if (!shk_spool_kept(g->spool, g->boot, &h.cookie) || h.cookie < g->acked)
		h.cookie = g->acked;
	risk = at_risk(g, h.cookie);
	if (h.cookie == g->acked && risk == g->at_risk)
		return;
	h.rank = (uint32_t)risk;
	if (shk_frame_send(g->engine, &h, SHK_STR("")) == 0) {
		g->acked = h.cookie;
		g->at_risk = risk;
	}
}

void shk_link_read(struct shk_gateway *g)
{
	unsigned n = 0, waits = 0;
	int rc = 0;

	while (n < READS && rc == 0) {
		rc = read_one(g);
		n += rc == 0;
		/* The socket holds a few hundred, and to sync takes longer than to fill it. */
		if (rc == -EAGAIN && n >= MANY && waits++ < MORE_MAX) {
			struct pollfd p = { .fd = g->engine, .events = POLLIN };

			rc = poll(&p, 1, MORE_MS) == 1 ? 0 : rc;
		}
	}
	/* The answer comes after this, and says what it found. */
	(void)shk_spool_commit(g->spool);
	if (rc == 0 || rc == -EAGAIN || rc == -EINTR || rc == -EBUSY || rc == -ENOBUFS || rc == -ENOMEM)
		return;
	if (rc == -EBADMSG)
		shk_error("the engine sent a packet that is none; are both programs of the same version?");
	shk_link_lost(g);
}

void shk_link_lost(struct shk_gateway *g)
{
	shk_close(&g->engine);
	g->held = false;
	g->engine_gone = true;
}

void shk_link_gone(struct shk_gateway *g)
{
	if (g->engine_gone && g->keeper >= 0 && send(g->keeper, "e", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		g->engine_gone = false;
}

struct shk_note *shk_link_tell(struct shk_gateway *g, const char *rule, const char *priority, const char *output,
			       uint64_t count, const char *fmt, ...)
{
	struct shk_note *note = NULL;
	struct json_object *o = json_object_new_object(), *fields = json_object_new_object();
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	shk_warning("%s", text);
	if (!o || !fields || g->n_notes == SHK_NOTES) {
		json_object_put(o);
		json_object_put(fields);
		return NULL;
	}
	json_object_object_add(fields, "output", json_object_new_string(output));
	json_object_object_add(fields, "count", json_object_new_uint64(count));
	json_object_object_add(o, "rule", json_object_new_string(rule));
	json_object_object_add(o, "priority", json_object_new_string(priority));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_object_add(o, "fields", fields);
	note = &g->notes[g->n_notes];
	*note = (struct shk_note){ .text = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)) };
	g->n_notes += note->text != NULL;
	json_object_put(o);
	return note->text ? note : NULL;
}

void shk_link_notes(struct shk_gateway *g)
{
	struct shk_frame_head h = { .op = SHK_FRAME_TELL };
	size_t sent = 0;

	while (g->engine >= 0 && sent < g->n_notes &&
	       shk_frame_send(g->engine, &h, shk_str(g->notes[sent].text)) == 0) {
		struct shk_outlet *o = g->notes[sent].lost_of;

		if (o)
			o->telling += g->notes[sent].lost;
		free(g->notes[sent++].text);
	}
	memmove(g->notes, g->notes + sent, (g->n_notes - sent) * sizeof(*g->notes));
	g->n_notes -= sent;
}

void shk_link_outputs(struct shk_gateway *g)
{
	struct shk_frame_head h = { .op = SHK_FRAME_OUTPUTS };
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < g->n; i++) {
		const struct shk_outlet *o = &g->outlet[i];
		struct json_object *e = json_object_new_object();

		if (!e)
			break;
		json_object_object_add(e, "name", json_object_new_string(o->cfg->net.name));
		json_object_object_add(e, "sent", json_object_new_uint64(o->kept.sent));
		json_object_object_add(e, "failed", json_object_new_uint64(o->failures));
		json_object_object_add(e, "dropped", json_object_new_uint64(o->kept.dropped));
		json_object_object_add(e, "set_aside", json_object_new_uint64(o->kept.poisoned));
		json_object_object_add(e, "folded", json_object_new_uint64(o->kept.folded + o->kept.limited));
		if (o->error[0])
			json_object_object_add(e, "error", json_object_new_string(o->error));
		json_object_array_add(list, e);
	}
	if (g->engine >= 0 && list)
		(void)shk_frame_send(g->engine, &h,
				     shk_str(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN)));
	json_object_put(list);
}
