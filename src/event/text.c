// SPDX-License-Identifier: Apache-2.0
/*
 * text.c - an event as one line: docs/EVENTS.md.
 */
#include "event/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>

#include "event/tlex.h"
#include "event/replay_mem.h"
#include "event/sockaddr.h"
#include "syscalls/flags.h"

/* Kinds that are a C int in the kernel: the register's upper half says nothing there. */
static void print_int32(uint64_t v, bool at_fdcwd, struct shk_buf *out)
{
	if (v >> 32)
		shk_buf_printf(out, "0x%" PRIx64, v);
	else if (at_fdcwd && (int32_t)(uint32_t)v == AT_FDCWD)
		shk_buf_adds(out, "AT_FDCWD");
	else
		shk_buf_printf(out, "%" PRId32, (int32_t)(uint32_t)v);
}

/* The words when they mean exactly this number, which lists that drop bits do not promise. */
static void print_flags(const struct shk_flag_list *l, uint64_t v, struct shk_buf *out)
{
	size_t at = out->n;
	uint64_t again;

	shk_flags_print(l, v, out);
	if (out->failed)
		return;
	if (shk_flags_parse(l, (struct shk_str){ out->p + at, out->n - at }, &again) && again == v)
		return;
	out->n = at;
	shk_buf_printf(out, "0x%" PRIx64, v);
}

static void print_register(const struct shk_event *ev, const struct shk_arg_desc *d, uint64_t v,
			   struct shk_buf *out)
{
	switch (d->kind) {
	case SHK_ARG_INT:
		if (ev->abi == SHK_ABI_I386)
			print_int32(v, false, out);
		else
			shk_buf_printf(out, "%" PRId64, (int64_t)v);
		break;
	case SHK_ARG_FD:
	case SHK_ARG_DIRFD:
		print_int32(v, true, out);
		break;
	case SHK_ARG_PID:
	case SHK_ARG_SIGNAL:
		print_int32(v, false, out);
		break;
	case SHK_ARG_UID:
	case SHK_ARG_GID:
		if (v == UINT32_MAX)
			shk_buf_adds(out, "-1");
		else
			shk_buf_printf(out, "%" PRIu64, v);
		break;
	case SHK_ARG_UINT:
	case SHK_ARG_SIZE:
		shk_buf_printf(out, "%" PRIu64, v);
		break;
	case SHK_ARG_MODE:
		shk_buf_printf(out, v ? "0%" PRIo64 : "%" PRIo64, v);
		break;
	case SHK_ARG_FLAGS:
	case SHK_ARG_ENUM:
		print_flags(d->flags, v, out);
		break;
	default:
		shk_buf_printf(out, "0x%" PRIx64, v);
		break;
	}
}

static void print_list(const struct shk_strvec *v, struct shk_buf *out)
{
	shk_buf_addc(out, '[');
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			shk_buf_adds(out, ", ");
		shk_quote(v->v[i], out);
	}
	shk_buf_adds(out, v->truncated ? "...]" : "]");
}

static void print_open_how(struct shk_str bytes, struct shk_buf *out)
{
	struct open_how how;

	if (bytes.n != sizeof(how)) {
		shk_quote(bytes, out);
		return;
	}
	memcpy(&how, bytes.p, sizeof(how));
	shk_buf_adds(out, "{flags=");
	print_flags(shk_flag_list_by_name(SHK_STR("open_flags")), how.flags, out);
	shk_buf_printf(out, how.mode ? " mode=0%" PRIo64 : " mode=%" PRIo64, (uint64_t)how.mode);
	shk_buf_adds(out, " resolve=");
	print_flags(shk_flag_list_by_name(SHK_STR("openat2_resolve")), how.resolve, out);
	shk_buf_addc(out, '}');
}

static void print_content(const struct shk_arg_desc *d, const struct shk_arg *a, struct shk_buf *out)
{
	switch (d->kind) {
	case SHK_ARG_STRVEC:
		print_list(&a->vec, out);
		break;
	case SHK_ARG_SOCKADDR:
		if (!shk_sockaddr_print(a->bytes, out))
			shk_quote(a->bytes, out);
		break;
	case SHK_ARG_OPEN_HOW:
		print_open_how(a->bytes, out);
		break;
	default:
		shk_quote(a->bytes, out);
		break;
	}
	if (a->state == SHK_ARG_TRUNCATED && d->kind != SHK_ARG_STRVEC)
		shk_buf_adds(out, "...");
}

/* The argument as read, or as its line says; the event is left as it was found. */
static struct shk_arg known_arg(struct shk_event *ev, unsigned i)
{
	const struct shk_replay_mem *m = shk_replay_mem_of(ev);
	bool failed = ev->memory_failed;
	struct shk_arg a = ev->arg[i];

	if (a.state != SHK_ARG_UNREAD || !m || m->shown[i] == SHK_MEM_ADDRESS)
		return a;
	a.state = SHK_ARG_FAULT;
	if (m->shown[i] == SHK_MEM_FAULT)
		return a;
	a = *shk_event_arg(ev, i);
	if (a.state == SHK_ARG_FAULT)
		ev->arg[i].state = SHK_ARG_UNREAD;
	ev->memory_failed = failed;
	return a;
}

/* What a message header points to, when that was of interest: the address. */
static void print_msg_name(struct shk_event *ev, struct shk_buf *out)
{
	const struct shk_arg *hdr = &ev->arg[1];
	bool failed = ev->memory_failed;
	struct shk_str name;
	uint64_t addr = 0;

	if (ev->call->id != SHK_CALL_sendmsg || hdr->state != SHK_ARG_OK)
		return;
	if (shk_event_sockaddr(ev, &name)) {
		memcpy(&addr, hdr->bytes.p, shk_event_ptr_size(ev));
		shk_buf_printf(out, ", mem=0x%" PRIx64 ":", addr);
		if (!shk_sockaddr_print(name, out))
			shk_quote(name, out);
	}
	ev->memory_failed = failed;
}

/* "mem" of a line that was read: what the arguments do not show. */
static void print_named_mem(struct shk_event *ev, struct shk_buf *out)
{
	const struct shk_replay_mem *m = shk_replay_mem_of(ev);

	for (size_t i = 0; m && i < m->n_named; i++) {
		shk_buf_printf(out, ", mem=0x%" PRIx64 ":", m->named[i].addr);
		shk_quote(m->named[i].bytes, out);
	}
}

static void print_args(struct shk_event *ev, uint64_t addr, struct shk_str bytes, struct shk_buf *out)
{
	unsigned n = ev->call ? ev->call->nargs : 6;

	for (unsigned i = 0; i < n; i++) {
		const struct shk_arg_desc *d = ev->call ? &ev->call->arg[i] : NULL;
		struct shk_arg a;

		if (i)
			shk_buf_adds(out, ", ");
		if (!d) {
			shk_buf_printf(out, "0x%" PRIx64, ev->raw[i]);
			continue;
		}
		shk_buf_printf(out, "%s=", d->name);
		print_register(ev, d, ev->raw[i], out);
		if (!shk_arg_kind_follows(d->kind) || !ev->raw[i])
			continue;
		a = known_arg(ev, i);
		if (a.state == SHK_ARG_FAULT) {
			shk_buf_adds(out, ":fault");
		} else if (a.state == SHK_ARG_OK || a.state == SHK_ARG_TRUNCATED) {
			shk_buf_addc(out, ':');
			print_content(d, &a, out);
		}
	}
	if (shk_replay_mem_of(ev))
		print_named_mem(ev, out);
	else if (ev->call)
		print_msg_name(ev, out);
	if (bytes.n) {
		shk_buf_printf(out, ", mem=0x%" PRIx64 ":", addr);
		shk_quote(bytes, out);
	}
}

static void print_result(const struct shk_event *ev, struct shk_buf *out)
{
	const char *name = NULL;

	if (!ev->has_ret && !ev->attempt)
		return;
	shk_buf_adds(out, ev->attempt ? " ~" : " =");
	if (!ev->has_ret)
		return;
	if (ev->ret < 0 && ev->ret > -4096)
		name = shk_errno_name((int)-ev->ret);
	if (name)
		shk_buf_printf(out, " -%s", name);
	else
		shk_buf_printf(out, " %" PRId64, ev->ret);
}

static bool plain_word(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f ||
		    s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

void shk_event_print_with(struct shk_event *ev, struct shk_str container, uint64_t addr,
			  struct shk_str bytes, struct shk_buf *out)
{
	shk_buf_printf(out, "event %" PRIu64 ".%09" PRIu64, ev->time_ns / 1000000000,
		       ev->time_ns % 1000000000);
	if (ev->num)
		shk_buf_printf(out, " num=%" PRIu64, ev->num);
	shk_buf_printf(out, " tid=%d", (int)ev->tid);
	if (ev->pid)
		shk_buf_printf(out, " pid=%d", (int)ev->pid);
	if (container.p) {
		shk_buf_adds(out, " container=");
		if (plain_word(container))
			shk_buf_addstr(out, container);
		else
			shk_quote(container, out);
	}
	shk_buf_printf(out, " sensor=%s abi=%s", shk_sensor_name(ev->sensor),
		       shk_abi_name(ev->abi));
	if (!ev->call || ev->nr != ev->call->nr[ev->abi])
		shk_buf_printf(out, " nr=%d", ev->nr);
	if (ev->unwrapped)
		shk_buf_adds(out, " unwrapped");
	for (unsigned i = 0; ev->object && i < 6; i++) {
		if (!ev->object[i].p)
			continue;
		shk_buf_printf(out, " object%u=", i);
		shk_quote(ev->object[i], out);
	}
	if (ev->has_object)
		shk_buf_printf(out, " dev=0x%" PRIx64 " ino=%" PRIu64, ev->obj_dev, ev->obj_ino);
	if (ev->socket[0])
		shk_buf_printf(out, " socket=%d/%d/%d", ev->socket[0], ev->socket[1], ev->socket[2]);
	/* Where the header that leads to it is not known. */
	if (ev->call && ev->call->id == SHK_CALL_sendmsg && ev->named.state == SHK_ARG_OK && ev->raw[1] &&
	    known_arg(ev, 1).state == SHK_ARG_FAULT) {
		shk_buf_adds(out, " to=");
		shk_quote(ev->named.bytes, out);
	}
	shk_buf_printf(out, " %s(", ev->call ? ev->call->name : "unknown");
	print_args(ev, addr, bytes, out);
	shk_buf_addc(out, ')');
	print_result(ev, out);
}

void shk_event_print_in(struct shk_event *ev, struct shk_str container, struct shk_buf *out)
{
	shk_event_print_with(ev, container, 0, (struct shk_str){ 0 }, out);
}

void shk_text_quote(struct shk_str s, struct shk_buf *out)
{
	shk_quote(s, out);
}

void shk_event_print(struct shk_event *ev, struct shk_buf *out)
{
	shk_event_print_in(ev, (struct shk_str){ 0 }, out);
}
