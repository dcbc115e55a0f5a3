// SPDX-License-Identifier: Apache-2.0
/*
 * evt_time.c - when the event happened, in the forms outputs ask for.
 */
#include <errno.h>
#include <time.h>

#include "fields/table.h"

#define NS_PER_S 1000000000ull

enum date { TIME_ONLY, DATE_TIME, DATE_T_TIME_UTC };

static bool time_text(struct shk_eval_ctx *ctx, struct shk_value *out, enum date date, bool ns)
{
	time_t s = (time_t)(ctx->ev->time_ns / NS_PER_S);
	char day[40] = "", fraction[16] = "";
	struct tm tm;

	if (!(date == DATE_T_TIME_UTC ? gmtime_r(&s, &tm) : localtime_r(&s, &tm)))
		return false;
	if (date != TIME_ONLY)
		snprintf(day, sizeof(day), "%04d-%02d-%02d%c", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, date == DATE_TIME ? ' ' : 'T');
	if (ns)
		snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)(ctx->ev->time_ns % NS_PER_S));
	return shk_set_opt(out, shk_str(shk_arena_printf(ctx->ev->arena, "%s%02d:%02d:%02d%s%s", day,
							 tm.tm_hour, tm.tm_min, tm.tm_sec, fraction,
							 date == DATE_T_TIME_UTC ? "+0000" : "")));
}

static bool time_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	return time_text(ctx, out, TIME_ONLY, true);
}

static bool time_s_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	(void)ref;
	return time_text(ctx, out, TIME_ONLY, false);
}

static bool iso8601_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	(void)ref;
	return time_text(ctx, out, DATE_T_TIME_UTC, true);
}

static bool datetime_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	(void)ref;
	return time_text(ctx, out, DATE_TIME, true);
}

static bool datetime_s_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	(void)ref;
	return time_text(ctx, out, DATE_TIME, false);
}

static bool rawtime_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	(void)ref;
	return shk_set_u(out, ctx->ev->time_ns);
}

static bool rawtime_s_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	(void)ref;
	return shk_set_u(out, ctx->ev->time_ns / NS_PER_S);
}

static bool rawtime_ns_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	(void)ref;
	return shk_set_u(out, ctx->ev->time_ns % NS_PER_S);
}

static int around_resolve(struct shk_field_ref *ref, struct shk_err *err)
{
	uint64_t when;

	if (shk_str_to_u64(ref->key, &when))
		return 0;
	return shk_err_set(err, EINVAL, "evt.around takes a time in nanoseconds since the epoch, not '"
			   SHK_STR_FMT "'", SHK_STR_ARG(ref->key));
}

/* The distance in milliseconds; a part of one counts as one, so that comparing is exact. */
static bool around_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	uint64_t when, now = ctx->ev->time_ns, d;

	if (!shk_str_to_u64(ref->key, &when))
		return false;
	d = now > when ? now - when : when - now;
	return shk_set_u(out, d / 1000000u + (d % 1000000u != 0));
}

/* From `since` to the event. Workers are not in step: an event may be older than the one before it. */
static bool set_since(struct shk_eval_ctx *ctx, struct shk_value *out, uint64_t since)
{
	uint64_t now = ctx->ev->time_ns;

	return since && shk_set_u(out, now > since ? now - since : 0);
}

#define SINCE_GETTERS(word, member)                                                                \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return set_since(ctx, out, ctx->ev->member);                                       \
	}                                                                                          \
                                                                                                   \
	static bool word##_s_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,        \
				 struct shk_value *out)                                            \
	{                                                                                          \
		return word##_get(ctx, ref, out) && shk_set_u(out, out->u / NS_PER_S);             \
	}                                                                                          \
                                                                                                   \
	static bool word##_ns_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,       \
				  struct shk_value *out)                                           \
	{                                                                                          \
		return word##_get(ctx, ref, out) && shk_set_u(out, out->u % NS_PER_S);             \
	}

SINCE_GETTERS(reltime, first_ns)
SINCE_GETTERS(deltatime, prev_ns)

#define SINCE(n, g, d)                                                                             \
	{ .name = (n), .class_name = "evt", .type = SHK_T_RELTIME, .falco_type = "RELTIME",        \
	  .flags = SHK_F_STABLE, .origin = "time of the call", .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	{ .name = "evt.time", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = 0, .origin = "time of the call", .get = time_get, .doc = "Local time of day with nanoseconds." },
	{ .name = "evt.time.s", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = 0, .origin = "time of the call", .get = time_s_get, .doc = "Local time of day in whole seconds." },
	{ .name = "evt.time.iso8601", .class_name = "evt", .type = SHK_T_STRING,
	  .falco_type = "CHARBUF", .flags = 0, .origin = "time of the call", .get = iso8601_get,
	  .doc = "Date and time in UTC as ISO 8601 has it, with nanoseconds." },
	{ .name = "evt.datetime", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = 0, .origin = "time of the call", .get = datetime_get, .doc = "Local date and time with nanoseconds." },
	{ .name = "evt.datetime.s", .class_name = "evt", .type = SHK_T_STRING,
	  .falco_type = "CHARBUF", .flags = 0, .origin = "time of the call", .get = datetime_s_get,
	  .doc = "Local date and time in whole seconds." },
	{ .name = "evt.rawtime", .class_name = "evt", .type = SHK_T_ABSTIME, .falco_type = "ABSTIME",
	  .flags = SHK_F_STABLE, .origin = "time of the call", .get = rawtime_get, .doc = "Nanoseconds since the epoch." },
	{ .name = "evt.rawtime.s", .class_name = "evt", .type = SHK_T_ABSTIME,
	  .falco_type = "ABSTIME", .flags = SHK_F_STABLE, .origin = "time of the call", .get = rawtime_s_get,
	  .doc = "Whole seconds since the epoch." },
	{ .name = "evt.rawtime.ns", .class_name = "evt", .type = SHK_T_ABSTIME,
	  .falco_type = "ABSTIME", .flags = SHK_F_STABLE, .origin = "time of the call", .get = rawtime_ns_get,
	  .doc = "Nanoseconds within the second of the event." },
	{ .name = "evt.outputtime", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = 0, .origin = "time of the call", .get = time_get, .doc = "The same as evt.time, meant for outputs." },
	{ .name = "evt.around", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT64",
	  .flags = SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED | SHK_F_FILTER_ONLY | SHK_F_NO_RHS |
		   SHK_F_NO_TRANSFORM | SHK_F_WITHIN,
	  .origin = "time of the call", .get = around_get, .resolve = around_resolve,
	  .doc = "evt.around[T] = D: the event is no more than D milliseconds from T, which is nanoseconds "
		 "since the epoch." },
	SINCE("evt.reltime", reltime_get, "Time since the first event the engine judged."),
	SINCE("evt.reltime.s", reltime_s_get, "Whole seconds of that time."),
	SINCE("evt.reltime.ns", reltime_ns_get, "Nanoseconds beside those seconds."),
	SINCE("evt.deltatime", deltatime_get, "Time since the event before, of whichever container."),
	SINCE("evt.deltatime.s", deltatime_s_get, "Whole seconds of that time."),
	SINCE("evt.deltatime.ns", deltatime_ns_get, "Nanoseconds beside those seconds."),
};

SHK_FIELD_TABLE(shk_table_evt_time, table);
