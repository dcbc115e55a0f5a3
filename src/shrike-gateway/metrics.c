// SPDX-License-Identifier: Apache-2.0
/*
 * Figures in the text format of Prometheus (exposition format 0.0.4).
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>

#include "base/clean.h"
#include "control/control.h"
#include "shrike-gateway/gateway.h"

static void head(struct shk_buf *out, const char *name, const char *type, const char *help)
{
	shk_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void value(struct shk_buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
	head(out, name, type, help);
	shk_buf_printf(out, "%s %" PRIu64 "\n", name, v);
}

static void seconds(struct shk_buf *out, const char *name, const char *help, uint64_t ns)
{
	head(out, name, "gauge", help);
	shk_buf_printf(out, "%s %" PRIu64 ".%03" PRIu64 "\n", name, ns / 1000000000, ns / 1000000 % 1000);
}

/* A label's value: backslash, quote and line feed are escaped. One that is no UTF-8 would have the whole page refused. */
static void label(struct shk_buf *out, struct shk_str text)
{
	_cleanup_buf_ struct shk_buf clean = { 0 };
	struct shk_str s;

	shk_buf_init(&clean, 3 * text.n + 1);
	shk_clean_append(&clean, text);
	s = shk_buf_view(&clean);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n') {
			shk_buf_adds(out, "\\n");
			continue;
		}
		if (s.p[i] == '\\' || s.p[i] == '"')
			shk_buf_addc(out, '\\');
		shk_buf_addc(out, s.p[i]);
	}
}

/* ---- outputs over the network ---- */

static uint64_t sent(const struct shk_outlet *o)
{
	return o->kept.sent;
}

static uint64_t failures(const struct shk_outlet *o)
{
	return o->failures;
}

static uint64_t dropped(const struct shk_outlet *o)
{
	return o->kept.dropped;
}

static uint64_t poisoned(const struct shk_outlet *o)
{
	return o->kept.poisoned;
}

static uint64_t folded(const struct shk_outlet *o)
{
	return o->kept.folded;
}

static uint64_t limited(const struct shk_outlet *o)
{
	return o->kept.limited;
}

static uint64_t up(const struct shk_outlet *o)
{
	return !o->error[0];
}

static uint64_t last_ok(const struct shk_outlet *o)
{
	return o->last_ok / 1000000000;
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*get)(const struct shk_outlet *o);
} of_output[] = {
	{ "shrike_output_sent_total", "counter", "Messages' alerts that the output took.", sent },
	{ "shrike_output_failures_total", "counter", "Tries that failed since the gateway started.", failures },
	{ "shrike_output_dropped_total", "counter", "Alerts that a bound dropped before they were sent.", dropped },
	{ "shrike_output_set_aside_total", "counter", "Alerts that the output refused and that were set aside.", poisoned },
	{ "shrike_output_folded_total", "counter", "Repeated alerts that were told together.", folded },
	{ "shrike_output_rate_limited_total", "counter", "Alerts above the rate that were told together.", limited },
	{ "shrike_output_up", "gauge", "Whether the last try went well.", up },
	{ "shrike_output_last_success_timestamp_seconds", "gauge", "When the output took alerts last.", last_ok },
};

static void outputs(const struct shk_gateway *g, struct shk_buf *out)
{
	struct shk_spool_state st;

	shk_spool_state(g->spool, &st);
	for (size_t m = 0; m < SHK_ARRAY_SIZE(of_output); m++) {
		head(out, of_output[m].name, of_output[m].type, of_output[m].help);
		for (size_t i = 0; i < g->n; i++)
			shk_buf_printf(out, "%s{output=\"%s\"} %" PRIu64 "\n", of_output[m].name,
				       g->outlet[i].cfg->net.name, of_output[m].get(&g->outlet[i]));
	}
	head(out, "shrike_output_lag_records", "gauge", "Records of the spool that the output has not looked at.");
	for (size_t i = 0; i < g->n; i++)
		shk_buf_printf(out, "shrike_output_lag_records{output=\"%s\"} %" PRIu64 "\n", g->outlet[i].cfg->net.name,
			       st.next - SHK_MIN(st.next, g->outlet[i].kept.next));
}

static void spool(const struct shk_gateway *g, struct shk_buf *out)
{
	struct shk_spool_state st;

	shk_spool_state(g->spool, &st);
	value(out, "shrike_spool_bytes", "gauge", "Size of the spool.", st.bytes);
	value(out, "shrike_spool_limit_bytes", "gauge", "Bound of the spool.", g->cfg->spool_max_bytes);
	value(out, "shrike_spool_records", "gauge", "Alerts in the spool.", st.records);
	value(out, "shrike_spool_in_memory", "gauge", "Whether new alerts are in memory, as the disk takes none.",
	      st.error != 0);
	seconds(out, "shrike_spool_oldest_timestamp_seconds", "When the oldest part of the spool was written.", st.oldest);
	value(out, "shrike_gateway_received_total", "counter", "Alerts that the engine sent.", g->received);
	value(out, "shrike_gateway_repeated_total", "counter", "Alerts that came again and were known.", g->repeated);
	seconds(out, "shrike_gateway_start_time_seconds", "When the gateway started.", g->started);
	value(out, "shrike_engine_connected", "gauge", "Whether an engine is connected.", g->engine >= 0);
}

/* ---- the engine, as it told last ---- */

static const struct {
	const char *key, *name, *type, *help;
} of_engine[] = {
	{ "restarts", "shrike_engine_restarts_total", "counter", "Engines before this one." },
	{ "containers", "shrike_containers", "gauge", "Supervised containers." },
	{ "events", "shrike_calls_total", "counter", "System calls that were judged." },
	{ "calls_in_flight", "shrike_calls_in_flight", "gauge", "System calls that are being judged." },
	{ "alerts", "shrike_alerts_total", "counter", "Alerts that the engine wrote." },
	{ "denied", "shrike_calls_denied_total", "counter", "System calls that were refused." },
	{ "killed", "shrike_kills_total", "counter", "Verdicts that killed." },
	{ "limited_alerts", "shrike_alerts_limited_total", "counter", "Alerts that policies' limits held back, told by their number." },
	{ "lost_alerts", "shrike_alerts_lost_total", "counter", "Alerts that found the journal full." },
};

static void latency(struct json_object *h, struct shk_buf *out)
{
	struct json_object *counts = shk_json_array(h, "counts"), *bounds = shk_json_array(h, "bounds_ns");
	size_t n = counts ? json_object_array_length(counts) : 0;
	uint64_t sum = 0;

	if (!bounds || json_object_array_length(bounds) + 1 != n)
		return;
	head(out, "shrike_decision_seconds", "histogram", "Time from a call's reception to its decision.");
	for (size_t i = 0; i < n; i++) {
		sum += json_object_get_uint64(json_object_array_get_idx(counts, i));
		if (i + 1 < n)
			shk_buf_printf(out, "shrike_decision_seconds_bucket{le=\"%.6f\"} %" PRIu64 "\n",
				       (double)json_object_get_uint64(json_object_array_get_idx(bounds, i)) / 1e9, sum);
	}
	shk_buf_printf(out, "shrike_decision_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", sum);
	shk_buf_printf(out, "shrike_decision_seconds_sum %.9f\n", (double)shk_json_int(h, "sum_ns", 0) / 1e9);
	shk_buf_printf(out, "shrike_decision_seconds_count %" PRIu64 "\n", sum);
}

static void local(struct json_object *list, struct shk_buf *out)
{
	static const struct {
		const char *key, *name, *help;
	} of[] = {
		{ "sent", "shrike_local_output_sent_total", "Alerts that an output on this machine took." },
		{ "failed", "shrike_local_output_failures_total", "Tries of an output on this machine that failed." },
		{ "dropped", "shrike_local_output_dropped_total", "Alerts that an output on this machine lost." },
	};

	for (size_t m = 0; list && m < SHK_ARRAY_SIZE(of); m++) {
		head(out, of[m].name, "counter", of[m].help);
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			struct json_object *o = json_object_array_get_idx(list, i);

			shk_buf_printf(out, "%s{output=\"", of[m].name);
			label(out, shk_json_str(o, "name"));
			shk_buf_printf(out, "\"} %" PRId64 "\n", shk_json_int(o, of[m].key, 0));
		}
	}
}

void shk_metrics(const struct shk_gateway *g, struct shk_buf *out)
{
	struct json_object *o = g->status ? shk_json_parse(shk_str(g->status), SHK_FRAME_TEXT_MAX, NULL) : NULL;

	outputs(g, out);
	spool(g, out);
	for (size_t i = 0; o && i < SHK_ARRAY_SIZE(of_engine); i++)
		value(out, of_engine[i].name, of_engine[i].type, of_engine[i].help,
		      (uint64_t)shk_json_int(o, of_engine[i].key, 0));
	latency(shk_json_object(o, "latency"), out);
	local(shk_json_array(o, "sinks"), out);
	json_object_put(o);
}

bool shk_healthy(const struct shk_gateway *g, struct shk_buf *out)
{
	struct shk_spool_state st;
	bool well = true;

	shk_spool_state(g->spool, &st);
	if (g->engine < 0) {
		shk_buf_adds(out, "no engine is connected\n");
		well = false;
	}
	if (st.error) {
		shk_buf_printf(out, "the spool cannot be written: %s\n", strerror(st.error));
		well = false;
	}
	/* An output that is down is no reason to restart us: it is said, and health stays. */
	for (size_t i = 0; i < g->n; i++)
		if (g->outlet[i].error[0])
			shk_buf_printf(out, "output %s fails\n", g->outlet[i].cfg->net.name);
	if (well)
		shk_buf_adds(out, "ok\n");
	return well;
}
