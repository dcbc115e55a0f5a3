// SPDX-License-Identifier: Apache-2.0
/*
 * evt.c - the event itself: number, type, result, how a file is opened, data on its way.
 *
 * An attempt has no result yet. It is judged as the success it is expected to be, or as the failure
 * the source found to be certain (ev->has_ret with a negative ev->ret).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "fields/table.h"
#include "state/recorded.h"

/* Falco keeps this many bytes of what is read or written. */
#define BUFFER_BYTES 80u

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
	int64_t ret;

	(void)ref;
	return shk_event_result(ctx->ev, &ret) && failed(ret) && shk_set_u(out, 1);
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

/* ---- data ---- */

enum io { IO_NONE, IO_READ, IO_WRITE };

static enum io io_of(const struct shk_event *ev)
{
	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_read:
	case SHK_CALL_readv:
	case SHK_CALL_pread64:
	case SHK_CALL_preadv:
	case SHK_CALL_preadv2:
	case SHK_CALL_recvfrom:
	case SHK_CALL_recvmsg:
	case SHK_CALL_recvmmsg:
		return IO_READ;
	case SHK_CALL_write:
	case SHK_CALL_writev:
	case SHK_CALL_pwrite64:
	case SHK_CALL_pwritev:
	case SHK_CALL_pwritev2:
	case SHK_CALL_sendto:
	case SHK_CALL_sendmsg:
	case SHK_CALL_sendmmsg:
		return IO_WRITE;
	default:
		return IO_NONE;
	}
}

static bool is_io_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, io_of(ctx->ev) != IO_NONE);
}

static bool is_read_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, io_of(ctx->ev) == IO_READ);
}

static bool is_write_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, io_of(ctx->ev) == IO_WRITE);
}

static bool io_dir_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	enum io io = io_of(ctx->ev);

	(void)ref;
	return io != IO_NONE && shk_set_z(out, io == IO_READ ? "read" : "write");
}

/* Address and size of the one buffer of read, write and their like: arguments 1 and 2. An attempt to
 * read has nothing in its buffer yet. */
static bool data_of(const struct shk_event *ev, uint64_t *addr, uint64_t *size)
{
	int64_t ret = 0;
	bool known = shk_event_result(ev, &ret);

	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_read:
	case SHK_CALL_pread64:
	case SHK_CALL_recvfrom:
		if (ev->attempt)
			return false;
		break;
	case SHK_CALL_write:
	case SHK_CALL_pwrite64:
	case SHK_CALL_sendto:
		break;
	default:
		return false;
	}
	*addr = ev->raw[1];
	*size = ev->raw[2];
	if (known && !ev->attempt && ret >= 0)
		*size = SHK_MIN(*size, (uint64_t)ret);
	return !known || !failed(ret) || io_of(ev) == IO_WRITE;
}

static bool buflen_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	uint64_t addr;

	(void)ref;
	return data_of(ctx->ev, &addr, &out->u);
}

static bool buffer_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	uint64_t addr, size;
	size_t n;
	char *p;

	(void)ref;
	if (!data_of(ctx->ev, &addr, &size) || !ctx->ev->mem)
		return false;
	n = (size_t)SHK_MIN(size, (uint64_t)BUFFER_BYTES);
	p = shk_arena_alloc_raw(ctx->ev->arena, n);
	if (!p || (n && shk_event_read(ctx->ev, addr, p, n) < 0))
		return false;
	return shk_set_str(out, (struct shk_str){ p, n });
}

static const struct shk_field table[] = {
	{ .name = "evt.num", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT64",
	  .flags = SHK_F_STABLE, .get = num_get, .doc = "Number of the event, counted from 1." },
	{ .name = "evt.type", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = type_get, .doc = "Type of the event: the word of its call." },
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
	  .flags = 0, .get = hostname_get, .doc = "Name of this machine." },
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
	{ .name = "evt.is_io", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = is_io_get, .doc = "The call reads or writes data." },
	{ .name = "evt.is_io_read", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = is_read_get, .doc = "The call reads or receives data." },
	{ .name = "evt.is_io_write", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = is_write_get, .doc = "The call writes or sends data." },
	{ .name = "evt.io_dir", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = io_dir_get, .doc = "'read' or 'write' for calls that move data." },
	{ .name = "evt.buffer", .class_name = "evt", .type = SHK_T_BYTES, .falco_type = "BYTEBUF",
	  .flags = 0, .get = buffer_get,
	  .doc = "First 80 bytes of what is written, sent, or was read." },
	{ .name = "evt.buflen", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT64",
	  .flags = SHK_F_STABLE, .get = buflen_get,
	  .doc = "Bytes written, sent or read; of an attempt: asked for." },
};

SHK_FIELD_TABLE(shk_table_evt, table);
