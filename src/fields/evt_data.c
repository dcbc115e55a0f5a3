// SPDX-License-Identifier: Apache-2.0
/*
 * evt_data.c - data on its way: which way, how much, and the beginning of it.
 */
#include "fields/fd_view.h"

/* Falco keeps this many bytes of what is read or written. */
#define BUFFER_BYTES 80u

enum shk_io shk_event_io(const struct shk_event *ev)
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
		return SHK_IO_READ;
	case SHK_CALL_write:
	case SHK_CALL_writev:
	case SHK_CALL_pwrite64:
	case SHK_CALL_pwritev:
	case SHK_CALL_pwritev2:
	case SHK_CALL_sendto:
	case SHK_CALL_sendmsg:
	case SHK_CALL_sendmmsg:
		return SHK_IO_WRITE;
	default:
		return SHK_IO_NONE;
	}
}

static bool is_io_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, shk_event_io(ctx->ev) != SHK_IO_NONE);
}

static bool is_read_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, shk_event_io(ctx->ev) == SHK_IO_READ);
}

static bool is_write_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, shk_event_io(ctx->ev) == SHK_IO_WRITE);
}

static bool io_dir_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	enum shk_io io = shk_event_io(ctx->ev);

	(void)ref;
	return io != SHK_IO_NONE && shk_set_z(out, io == SHK_IO_READ ? "read" : "write");
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
	return !known || !shk_event_failed(ev) || shk_event_io(ev) == SHK_IO_WRITE;
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
	if (ctx->ev->data.p) {
		/* A part of it may be sent all the same: what cannot be told is not nothing. */
		ctx->ev->memory_failed |= ctx->ev->data.n < n;
		return ctx->ev->data.n >= n && shk_set_str(out, (struct shk_str){ ctx->ev->data.p, n });
	}
	p = shk_arena_alloc_raw(ctx->ev->arena, n);
	if (!p || (n && shk_event_read(ctx->ev, addr, p, n) < 0))
		return false;
	return shk_set_str(out, (struct shk_str){ p, n });
}

/* ---- length by direction and kind of descriptor ---- */

enum kind { KIND_ANY, KIND_FILE, KIND_NET };

static bool is_kind(struct shk_eval_ctx *ctx, enum kind kind)
{
	const struct shk_fd_view *v;

	if (kind == KIND_ANY)
		return true;
	v = shk_fd_view(ctx);
	return v->entry && (kind == KIND_NET ? v->is_ip : v->type == 'f' || v->type == 'd');
}

static bool length_of(struct shk_eval_ctx *ctx, enum shk_io way, enum kind kind,
		      struct shk_value *out)
{
	uint64_t addr;

	return (way == SHK_IO_NONE || shk_event_io(ctx->ev) == way) &&
	       data_of(ctx->ev, &addr, &out->u) && is_kind(ctx, kind);
}

#define LENGTH_GETTER(word, way, kind)                                                             \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return length_of(ctx, way, kind, out);                                             \
	}

LENGTH_GETTER(in, SHK_IO_READ, KIND_ANY)
LENGTH_GETTER(out, SHK_IO_WRITE, KIND_ANY)
LENGTH_GETTER(file, SHK_IO_NONE, KIND_FILE)
LENGTH_GETTER(file_in, SHK_IO_READ, KIND_FILE)
LENGTH_GETTER(file_out, SHK_IO_WRITE, KIND_FILE)
LENGTH_GETTER(net, SHK_IO_NONE, KIND_NET)
LENGTH_GETTER(net_in, SHK_IO_READ, KIND_NET)
LENGTH_GETTER(net_out, SHK_IO_WRITE, KIND_NET)

/* Never missing, as other evt.is_* fields. */
static bool syslog_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	const struct shk_fd_view *v;

	(void)ref;
	if (shk_event_io(ctx->ev) != SHK_IO_WRITE)
		return shk_set_bool(out, false);
	v = shk_fd_view(ctx);
	return shk_set_bool(out, v->entry && v->name.n &&
					 memmem(v->name.p, v->name.n, "/dev/log", 8) != NULL);
}

static bool wait_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ref;
	switch (ctx->ev->call ? ctx->ev->call->id : SHK_CALL_N) {
	case SHK_CALL_nanosleep:
	case SHK_CALL_clock_nanosleep:
	case SHK_CALL_clock_nanosleep_time64:
	case SHK_CALL_poll:
	case SHK_CALL_ppoll:
	case SHK_CALL_ppoll_time64:
	case SHK_CALL_select:
	case SHK_CALL__newselect:
	case SHK_CALL_pselect6:
	case SHK_CALL_pselect6_time64:
	case SHK_CALL_epoll_wait:
	case SHK_CALL_epoll_pwait:
	case SHK_CALL_epoll_pwait2:
	case SHK_CALL_pause:
		return shk_set_bool(out, true);
	default:
		return shk_set_bool(out, false);
	}
}

#define LENGTH(n, fl, g, d)                                                                        \
	{ .name = (n), .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT64",          \
	  .flags = (fl), .get = (g), .doc = (d) }

static const struct shk_field table[] = {
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
	{ .name = "evt.is_wait", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = wait_get,
	  .doc = "The call makes its thread wait: sleep, select, poll and their like." },
	{ .name = "evt.is_syslog", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_COSTLY, .get = syslog_get, .doc = "The call writes to /dev/log." },
	LENGTH("evt.buflen.in", SHK_F_STABLE, in_get, "evt.buflen of calls that read."),
	LENGTH("evt.buflen.out", SHK_F_STABLE, out_get, "evt.buflen of calls that write."),
	LENGTH("evt.buflen.file", SHK_F_COSTLY, file_get, "evt.buflen of files."),
	LENGTH("evt.buflen.file.in", SHK_F_COSTLY, file_in_get, "evt.buflen of reading from files."),
	LENGTH("evt.buflen.file.out", SHK_F_COSTLY, file_out_get, "evt.buflen of writing to files."),
	LENGTH("evt.buflen.net", SHK_F_COSTLY, net_get, "evt.buflen of network sockets."),
	LENGTH("evt.buflen.net.in", SHK_F_COSTLY, net_in_get,
	       "evt.buflen of reading from network sockets."),
	LENGTH("evt.buflen.net.out", SHK_F_COSTLY, net_out_get,
	       "evt.buflen of writing to network sockets."),
};

SHK_FIELD_TABLE(shk_table_evt_data, table);
