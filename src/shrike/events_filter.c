// SPDX-License-Identifier: Apache-2.0
#include "shrike/events_filter.h"

#include <fnmatch.h>
#include <json-c/json.h>

#include "alerts/text.h"
#include "control/control.h"

#define NS_PER_S 1000000000ull

/* "10m" before now, or the beginning of a time as records write it. */
static int read_since(const struct shk_cli *c, const char *text, uint64_t now, char *out, size_t size)
{
	static const struct {
		char unit;
		uint64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t n = strlen(text);
	uint64_t v;

	for (size_t i = 0; n > 1 && i < SHK_ARRAY_SIZE(units); i++) {
		_cleanup_buf_ struct shk_buf b = { 0 };

		if (text[n - 1] != units[i].unit || !shk_str_to_u64((struct shk_str){ text, n - 1 }, &v))
			continue;
		shk_buf_init(&b, 64);
		v = SHK_MIN(v, now / NS_PER_S / units[i].s);
		shk_text_time_utc(&b, now - v * units[i].s * NS_PER_S);
		snprintf(out, size, "%s", b.p ? b.p : "");
		return 0;
	}
	/* 2026-11-27, 2026-11-27T16:00, ...: such times are ordered as texts are. */
	if (n >= 10 && n < size && text[4] == '-' && text[7] == '-' &&
	    strspn(text, "0123456789-T:.Z") == n && (n == 10 || text[10] == 'T')) {
		snprintf(out, size, "%s", text);
		return 0;
	}
	return shk_cli_usage(c, "events: --since takes 30s, 10m, 2h, 7d, or a time in UTC as 2026-11-27T16:00, not "
			     "\"%.40s\"", text);
}

int shk_events_filter_new(const struct shk_cli *c, uint64_t now, struct shk_events_filter *ret)
{
	const char *priority = shk_cli_value(c, "priority"), *since = shk_cli_value(c, "since");

	*ret = (struct shk_events_filter){ .c = c };
	ret->any = priority || since || shk_cli_flag(c, "rule") || shk_cli_flag(c, "container");
	if (priority && !shk_priority_parse(shk_str(priority), &ret->priority))
		return shk_cli_usage(c, "events: unknown priority \"%.32s\"; one of emergency, alert, critical, error, "
				     "warning, notice, informational, debug", priority);
	ret->has_priority = priority != NULL;
	return since ? read_since(c, since, now, ret->since, sizeof(ret->since)) : 0;
}

static bool is_container(struct json_object *record, const char *name)
{
	struct json_object *c = shk_json_object(shk_json_object(record, "shrike"), "container");
	struct shk_str id = shk_json_str(c, "id"), full = shk_json_str(c, "full_id");

	if (!c || !*name)
		return false;
	return shk_str_eqz(shk_json_str(c, "name"), name) || shk_str_eqz(id, name) ||
	       shk_str_starts(full, shk_str(name)) || (!full.n && shk_str_starts(id, shk_str(name)));
}

static bool is_rule(struct json_object *record, const char *pattern)
{
	struct shk_str rule = shk_json_str(record, "rule");
	_cleanup_free_ char *name = strndup(rule.p ? rule.p : "", rule.n);

	return name && fnmatch(pattern, name, FNM_CASEFOLD) == 0;
}

static bool any_of(const struct shk_events_filter *f, struct json_object *record, const char *option,
		   bool (*is)(struct json_object *record, const char *value))
{
	const char *value;
	bool given = false;
	unsigned pos = 0;

	while ((value = shk_cli_each(f->c, option, &pos))) {
		if (is(record, value))
			return true;
		given = true;
	}
	return !given;
}

bool shk_events_filter_takes(const struct shk_events_filter *f, struct json_object *record)
{
	enum shk_priority p = SHK_PRIO_DEBUG;

	shk_priority_parse(shk_json_str(record, "priority"), &p);
	if (f->has_priority && p > f->priority)
		return false;
	if (f->since[0] && shk_str_cmp(shk_json_str(record, "time"), shk_str(f->since)) < 0)
		return false;
	return any_of(f, record, "container", is_container) && any_of(f, record, "rule", is_rule);
}
