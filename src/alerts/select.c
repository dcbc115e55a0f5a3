// SPDX-License-Identifier: Apache-2.0
/*
 * Which alerts an output is for: priority, rules, tags. The engine asks for its own outputs, the gateway for those
 * over the network.
 */
#include <json-c/json.h>

#include "alerts/sink.h"
#include "alerts/text.h"

/* * stands for any text, everything else for itself: names of rules have brackets and backslashes in them. */
static bool fits(const char *pattern, size_t n, struct shk_str text)
{
	size_t p = 0, t = 0, star = n, from = 0;

	while (t < text.n) {
		if (p < n && pattern[p] == '*') {
			star = p++;
			from = t;
		} else if (p < n && pattern[p] == text.p[t]) {
			p++;
			t++;
		} else if (star < n) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < n && pattern[p] == '*')
		p++;
	return p == n;
}

static bool matches(const char *lines, struct shk_str text)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n");

		if (fits(lines, n, text))
			return true;
		lines += n + (lines[n] == '\n');
	}
	return false;
}

static bool has_tag(const char *lines, struct json_object *record)
{
	struct json_object *tags = NULL;

	json_object_object_get_ex(record, "tags", &tags);
	for (size_t i = 0; json_object_is_type(tags, json_type_array) && i < json_object_array_length(tags); i++) {
		const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));

		if (tag && matches(lines, shk_str(tag)))
			return true;
	}
	return false;
}

static bool is_internal(struct json_object *record)
{
	return shk_str_eqz(shk_text_member(record, "source"), "internal");
}

/* That this output refuses alerts is told by the others: it may refuse that as well, and so on for ever. */
static bool is_about(const struct shk_sink_config *cfg, struct json_object *record)
{
	struct json_object *fields = NULL;

	json_object_object_get_ex(record, "output_fields", &fields);
	return cfg->net.name && shk_str_eqz(shk_text_member(record, "rule"), "Shrike internal: " SHK_ASIDE_RULE) &&
	       shk_str_eqz(shk_text_member(fields, "output"), cfg->net.name);
}

bool shk_sink_wants(const struct shk_sink_config *cfg, struct json_object *record)
{
	struct shk_str rule = shk_text_member(record, "rule");
	enum shk_priority priority;

	if (!shk_priority_parse(shk_text_member(record, "priority"), &priority) || priority > cfg->min_priority)
		return false;
	/* What Shrike says of itself, losses above all, has neither tags nor a rule that one would name. */
	if (is_internal(record))
		return !is_about(cfg, record) && (!cfg->net.not_rules || !matches(cfg->net.not_rules, rule));
	if (cfg->net.rules && !matches(cfg->net.rules, rule))
		return false;
	if (cfg->net.not_rules && matches(cfg->net.not_rules, rule))
		return false;
	return !cfg->net.tags || has_tag(cfg->net.tags, record);
}
