// SPDX-License-Identifier: Apache-2.0
/*
 * evt.c - the event itself: number, type, result, how a file is opened.
 *
 * An attempt has no result yet. It is judged as the success it is expected to be, or as the failure
 * the source found to be certain (ev->has_ret with a negative ev->ret).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "fields/table.h"
#include "state/recorded.h"

bool shk_event_result(const struct shk_event *ev, int64_t *ret)
{
	if (ev->call && (ev->call->id == SHK_CALL_exit || ev->call->id == SHK_CALL_exit_group))
		return false;
	if (!ev->has_ret && !ev->attempt)
		return false;
	*ret = ev->has_ret ? ev->ret : 0;
	return true;
}

static bool failed(int64_t ret)
{
	return ret < 0 && ret >= -4095;
}

bool shk_event_failed(const struct shk_event *ev)
{
	int64_t ret;

	return shk_event_result(ev, &ret) && failed(ret);
}

static bool num_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	return shk_set_u(out, ctx->ev->num);
}

/* Never missing: a rule for a type must be able to say that this event is of another one. */
static bool type_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	return shk_set_z(out, ctx->ev->call ? ctx->ev->call->evt_type : "unknown");
}

static int type_is_resolve(struct shk_field_ref *ref, struct shk_err *err)
{
	if (shk_evt_type_known(ref->key))
		return 0;
	return shk_err_set(err, EINVAL, "unknown event type '" SHK_STR_FMT "'", SHK_STR_ARG(ref->key));
}

static bool type_is_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	const struct shk_syscall *c = ctx->ev->call;
	enum shk_call_id ids[16];
	size_t n = shk_evt_type_calls(ref->key, ids, SHK_ARRAY_SIZE(ids));

	for (size_t i = 0; c && i < n; i++)
		if (ids[i] == c->id)
			return shk_set_u(out, 1);
	return shk_set_u(out, 0);
}

static bool call_name_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	(void)ref;
	return ctx->ev->call && shk_set_z(out, ctx->ev->call->name);
}

static bool dir_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ctx;
	(void)ref;
	return shk_set_z(out, "<");
}

static bool source_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	(void)ctx;
	(void)ref;
	return shk_set_z(out, "syscall");
}

static bool no_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ctx;
	(void)ref;
	return shk_set_bool(out, false);
}

static bool hostname_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	char name[256];

	(void)ref;
	if (ctx->recorded)
		return shk_set_opt(out, shk_recorded_hostname(ctx->recorded));
	if (gethostname(name, sizeof(name)) < 0)
		return false;
	name[sizeof(name) - 1] = 0;
	return shk_set_opt(out, shk_arena_str(ctx->ev->arena, shk_str(name)));
}

/* ---- result ---- */

static bool rawres_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	(void)ref;
	return shk_event_result(ctx->ev, &out->i);
}

static bool res_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const char *name;
	int64_t ret;

	(void)ref;
	if (!shk_event_result(ctx->ev, &ret))
		return false;
	if (!failed(ret))
		return shk_set_z(out, "SUCCESS");
	name = shk_errno_name((int)-ret);
	if (!name)
		name = shk_arena_printf(ctx->ev->arena, "%" PRId64, -ret);
	return shk_set_opt(out, shk_str(name));
}

static bool failed_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	int64_t ret;

	(void)ref;
	return shk_event_result(ctx->ev, &ret) && shk_set_bool(out, failed(ret));
}

static bool count_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	(void)ctx;
	(void)ref;
	return shk_set_u(out, 1);
}

static bool count_error_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	(void)ref;
	return shk_event_failed(ctx->ev) && shk_set_u(out, 1);
}

/* ---- open ---- */

/* creat names no access mode, so it counts as neither reading nor writing. */
static bool open_mode(struct shk_event *ev, uint64_t *flags, uint64_t *mode)
{
	return ev->call && ev->call->id != SHK_CALL_creat && ev->call->id != SHK_CALL_mq_open &&
	       shk_event_open_flags(ev, flags, mode);
}

static bool open_read_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	uint64_t flags, mode;

	(void)ref;
	return shk_set_bool(out, open_mode(ctx->ev, &flags, &mode) &&
					 ((flags & O_ACCMODE) == O_RDONLY || (flags & O_ACCMODE) == O_RDWR));
}

static bool open_write_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	uint64_t flags, mode;

	(void)ref;
	return shk_set_bool(out, open_mode(ctx->ev, &flags, &mode) &&
					 ((flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR));
}

/* Whether O_CREAT alone makes a new file is known to the kernel only, while it does it. With O_EXCL a
 * success means so, and O_TMPFILE always does. */
static bool open_create_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	uint64_t flags, mode;
	int64_t ret;

	(void)ref;
	return shk_set_bool(out, open_mode(ctx->ev, &flags, &mode) &&
					 shk_event_result(ctx->ev, &ret) && !failed(ret) &&
					 ((flags & O_TMPFILE) == O_TMPFILE ||
					  (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)));
}

static bool open_exec_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	struct shk_event *ev = ctx->ev;
	uint64_t flags, mode;

	(void)ref;
	if (!ev->call || ev->call->id == SHK_CALL_open_by_handle_at ||
	    ev->call->id == SHK_CALL_mq_open || !shk_event_open_flags(ev, &flags, &mode))
		return shk_set_bool(out, false);
	return shk_set_bool(out, ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) &&
					 (mode & 0111));
}

static const struct shk_field table[] = {
	{ .name = "evt.num", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT64",
	  .flags = SHK_F_STABLE, .get = num_get, .doc = "Number of the event, counted from 1." },
	{ .name = "evt.type", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = type_get, .doc = "Type of the event: the word of its call." },
	{ .name = "evt.type.is", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT32",
	  .flags = SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_DOTTED | SHK_F_ARG_REQUIRED,
	  .get = type_is_get, .resolve = type_is_resolve,
	  .doc = "1 when the event is of the type behind the dot (evt.type.is.open), else 0." },
	{ .name = "syscall.type", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = call_name_get,
	  .doc = "The kernel's name of the call; missing for events that are no known call." },
	{ .name = "evt.dir", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE | SHK_F_DEPRECATED, .get = dir_get,
	  .doc = "Direction; always '<', as every call is one event." },
	{ .name = "evt.source", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = source_get, .doc = "Event source a rule is written for." },
	{ .name = "evt.is_async", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = no_get, .doc = "Event of a plugin: never true for calls." },
	{ .name = "evt.hostname", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = 0, .origin = "this machine", .get = hostname_get, .doc = "Name of this machine." },
	{ .name = "evt.res", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = res_get,
	  .doc = "SUCCESS, or the name of the error the call failed with." },
	{ .name = "evt.rawres", .class_name = "evt", .type = SHK_T_INT64, .falco_type = "INT64",
	  .flags = SHK_F_STABLE, .get = rawres_get,
	  .doc = "Return value of the call; a negative one is an error number." },
	{ .name = "evt.failed", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = failed_get, .doc = "The call failed." },
	{ .name = "evt.count", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT32",
	  .flags = SHK_F_STABLE, .get = count_get, .doc = "Always 1." },
	{ .name = "evt.count.error", .class_name = "evt", .type = SHK_T_UINT64,
	  .falco_type = "UINT32", .flags = SHK_F_STABLE, .get = count_error_get,
	  .doc = "1 for a call that failed, else missing." },
	{ .name = "util.cnt", .class_name = "util", .type = SHK_T_UINT64, .falco_type = "UINT64",
	  .flags = SHK_F_STABLE, .get = num_get,
	  .doc = "A counter: the event's number, so that it is the same wherever it is asked for." },
	{ .name = "evt.count.exit", .class_name = "evt", .type = SHK_T_UINT64,
	  .falco_type = "UINT32", .flags = SHK_F_STABLE, .get = count_get, .doc = "Always 1." },
	{ .name = "evt.is_open_read", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = 0, .get = open_read_get,
	  .doc = "A file is opened for reading (open, openat, openat2, open_by_handle_at)." },
	{ .name = "evt.is_open_write", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = 0, .get = open_write_get,
	  .doc = "A file is opened for writing (open, openat, openat2, open_by_handle_at)." },
	{ .name = "evt.is_open_exec", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = 0, .get = open_exec_get,
	  .doc = "The open may create a file with an execute permission." },
	{ .name = "evt.is_open_create", .class_name = "evt", .type = SHK_T_BOOL,
	  .falco_type = "BOOL", .flags = 0, .get = open_create_get,
	  .doc = "The open is known to create its file (O_EXCL with O_CREAT, or O_TMPFILE)." },
};

SHK_FIELD_TABLE(shk_table_evt, table);
