// SPDX-License-Identifier: Apache-2.0
#include "alerts/text.h"

#include <errno.h>
#include <json-c/json.h>
#include <time.h>

#include "alerts/alert.h"
#include "alerts/print.h"

#define NS_PER_S 1000000000ull

static void put_nanos(struct shk_buf *out, uint64_t ns)
{
	shk_buf_printf(out, ".%09u", (unsigned)(ns % NS_PER_S));
}

void shk_text_time_local(struct shk_buf *out, uint64_t ns)
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	shk_buf_printf(out, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
	put_nanos(out, ns);
}

void shk_text_time_utc(struct shk_buf *out, uint64_t ns)
{
	time_t t = (time_t)(ns / NS_PER_S);
	struct tm tm = { .tm_mday = 1 };

	gmtime_r(&t, &tm);
	shk_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	put_nanos(out, ns);
	shk_buf_addc(out, 'Z');
}

struct shk_str shk_text_member(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return (struct shk_str){ NULL, 0 };
	return (struct shk_str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
}

struct shk_str shk_text_message(struct json_object *record)
{
	struct shk_str line = shk_text_member(record, "output");
	struct shk_str prio = shk_text_member(record, "priority");
	const char *colon = line.n ? memmem(line.p, line.n, ": ", 2) : NULL;
	struct shk_str rest;

	/* "output" is the whole text line: the time, which holds no ": ", then the priority. */
	if (!colon || !prio.n)
		return line;
	rest.p = colon + 2;
	rest.n = line.n - (size_t)(rest.p - line.p);
	if (rest.n <= prio.n || !shk_str_starts(rest, prio) || rest.p[prio.n] != ' ')
		return line;
	return (struct shk_str){ rest.p + prio.n + 1, rest.n - prio.n - 1 };
}

int shk_record_text_of(struct json_object *record, bool iso8601, struct shk_buf *out)
{
	struct shk_str line = shk_text_member(record, "output");
	struct shk_str prio = shk_text_member(record, "priority");
	struct shk_str when = shk_text_member(record, "time");

	if (!line.p || !prio.n || !shk_str_ends(when, SHK_STR("Z")))
		return -EINVAL;
	if (!iso8601) {
		shk_print_line(out, line);
		return 0;
	}
	when.n--; /* Falco writes the zone of this form as an offset */
	shk_buf_addstr(out, when);
	shk_buf_adds(out, "+0000: ");
	shk_buf_addstr(out, prio);
	shk_buf_addc(out, ' ');
	shk_print_line(out, shk_text_message(record));
	return 0;
}

int shk_record_text(struct shk_str record, bool iso8601, struct shk_buf *out, struct shk_err *err)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o;
	int rc;

	if (!tok)
		return shk_err_sys(err, ENOMEM, "alert record");
	o = json_tokener_parse_ex(tok, record.p, (int)SHK_MIN(record.n, (size_t)SHK_JOURNAL_ALERT_MAX));
	json_tokener_free(tok);
	rc = json_object_is_type(o, json_type_object) ? shk_record_text_of(o, iso8601, out) : -EINVAL;
	json_object_put(o);
	if (rc < 0)
		return shk_err_set(err, EINVAL, "this is not an alert record");
	return out->failed ? shk_err_sys(err, ENOMEM, "text of an alert") : 0;
}
