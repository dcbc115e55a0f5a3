// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>

void shk_event_init(struct shk_event *ev, struct shk_arena *arena)
{
	/* The argument records are 6 x 56 bytes and are filled when read: only their states are
	 * cleared. */
	memset(ev, 0, offsetof(struct shk_event, arg));
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(ev->arg); i++)
		ev->arg[i].state = SHK_ARG_UNREAD;
	ev->named.state = SHK_ARG_UNREAD;
	ev->data = (struct shk_str){ NULL, 0 };
	ev->ctr = NULL;
	ev->mem = NULL;
	ev->mem_ctx = NULL;
	ev->by_page = false;
	ev->n_pages = 0;
	ev->arena = arena;
	ev->memory_failed = false;
	ev->unwrapped = false;
	ev->object = NULL;
	ev->program = NULL;
	ev->program_name = NULL;
	ev->has_object = false;
	ev->obj_dev = ev->obj_ino = 0;
	ev->socket[0] = 0;
}

const char *shk_sensor_name(enum shk_sensor s)
{
	static const char *const names[] = {
		[SHK_SENSOR_NOTIFY] = "notify",
		[SHK_SENSOR_MODULE] = "module",
		[SHK_SENSOR_PTRACE] = "ptrace",
		[SHK_SENSOR_REPLAY] = "replay",
	};

	return (unsigned)s < SHK_ARRAY_SIZE(names) ? names[s] : "unknown";
}

uint64_t shk_event_reg(const struct shk_event *ev, unsigned i)
{
	const struct shk_arg_desc *d;
	uint64_t v = ev->raw[i];

	if (!ev->call || i >= ev->call->nargs)
		return v;
	d = &ev->call->arg[i];
	switch (d->kind) {
	case SHK_ARG_INT:
		/* A long of an i386 program has 32 bits. */
		return d->wide && ev->abi != SHK_ABI_I386 ? v : (uint64_t)(int32_t)v;
	case SHK_ARG_FD:
	case SHK_ARG_DIRFD:
	case SHK_ARG_PID:
	case SHK_ARG_SIGNAL:
		return (uint64_t)(int32_t)v;
	case SHK_ARG_MODE:
		return (uint16_t)v;
	default:
		return d->wide ? v : (uint32_t)v;
	}
}

const struct shk_arg *shk_event_arg_by_name(struct shk_event *ev, struct shk_str name,
					    int *ret_index)
{
	int i = ev->call ? shk_syscall_arg(ev->call, name) : -1;

	if (ret_index)
		*ret_index = i;
	return i < 0 ? NULL : shk_event_arg(ev, (unsigned)i);
}

static int nth_path_arg(const struct shk_event *ev, int want)
{
	if (!ev->call)
		return -1;
	for (int i = 0; i < ev->call->nargs; i++)
		if (ev->call->arg[i].kind == SHK_ARG_PATH && want-- == 0)
			return i;
	return -1;
}

/* symlink's first string is a text, not a path that is looked up: its object is the link made. */
int shk_event_path_arg(const struct shk_event *ev)
{
	return nth_path_arg(ev, 0);
}

int shk_event_path_arg2(const struct shk_event *ev)
{
	return nth_path_arg(ev, 1);
}

/* Field of a structure argument at off; false: the structure is not there or too short. */
static bool struct_u64(struct shk_event *ev, unsigned arg, size_t off, uint64_t *ret)
{
	const struct shk_arg *a = shk_event_arg(ev, arg);

	if (a->state != SHK_ARG_OK || a->bytes.n < off + sizeof(*ret))
		return false;
	memcpy(ret, a->bytes.p + off, sizeof(*ret));
	return true;
}

bool shk_event_open_flags(struct shk_event *ev, uint64_t *ret_flags, uint64_t *ret_mode)
{
	if (!ev->call)
		return false;
	switch (ev->call->id) {
	case SHK_CALL_open:
		*ret_flags = (uint32_t)ev->raw[1];
		*ret_mode = (uint16_t)ev->raw[2];
		return true;
	case SHK_CALL_openat:
		*ret_flags = (uint32_t)ev->raw[2];
		*ret_mode = (uint16_t)ev->raw[3];
		return true;
	case SHK_CALL_creat:
		*ret_flags = O_CREAT | O_WRONLY | O_TRUNC;
		*ret_mode = (uint16_t)ev->raw[1];
		return true;
	case SHK_CALL_open_by_handle_at:
		*ret_flags = (uint32_t)ev->raw[2];
		*ret_mode = 0;
		return true;
	case SHK_CALL_openat2:
		/* A structure shorter than its first version is EINVAL (fs/open.c). */
		return ev->raw[3] >= sizeof(struct open_how) &&
		       struct_u64(ev, 2, offsetof(struct open_how, flags), ret_flags) &&
		       struct_u64(ev, 2, offsetof(struct open_how, mode), ret_mode);
	default:
		return false;
	}
}

bool shk_event_open_resolve(struct shk_event *ev, uint64_t *ret)
{
	return ev->call && ev->call->id == SHK_CALL_openat2 &&
	       struct_u64(ev, 2, offsetof(struct open_how, resolve), ret);
}

bool shk_event_clone_flags(struct shk_event *ev, uint64_t *ret_flags)
{
	if (!ev->call)
		return false;
	switch (ev->call->id) {
	case SHK_CALL_clone:
	case SHK_CALL_unshare:
		*ret_flags = (uint32_t)ev->raw[0];
		return true;
	case SHK_CALL_setns:
		*ret_flags = (uint32_t)ev->raw[1];
		return true;
	case SHK_CALL_fork:
		*ret_flags = 0;
		return true;
	case SHK_CALL_vfork:
		*ret_flags = CLONE_VFORK | CLONE_VM;
		return true;
	case SHK_CALL_clone3:
		return ev->raw[1] >= CLONE_ARGS_SIZE_VER0 &&
		       struct_u64(ev, 0, offsetof(struct clone_args, flags), ret_flags);
	default:
		return false;
	}
}
