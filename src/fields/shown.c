// SPDX-License-Identifier: Apache-2.0
/* shown.c - which values follow from what an event shows. */
#include "fields/params.h"

static bool is_among(const char *name, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, v[i]) == 0)
			return true;
	return false;
}

/* Of a call that waits the result is supposed, not looked up. */
static bool param_is_shown(const struct shk_field_ref *ref, enum shk_call_id id)
{
	struct shk_event ev = { .call = &shk_syscalls[id] };
	struct shk_param all[SHK_PARAMS_MAX], p;

	if (ref->key.p) {
		if (!shk_event_param(&ev, ref->key, &p))
			return false;
	} else {
		if (ref->index < 0 || (uint64_t)ref->index >= shk_event_params(&ev, all))
			return false;
		p = all[ref->index];
	}
	if (p.kind == SHK_P_RESULT)
		return true;
	if (p.kind != SHK_P_ARG)
		return false;
	switch (ev.call->arg[p.arg].kind) {
	case SHK_ARG_PATH:
	case SHK_ARG_STRING:
	case SHK_ARG_FLAGS:
	case SHK_ARG_ENUM:
	case SHK_ARG_MODE:
	case SHK_ARG_INT:
	case SHK_ARG_UINT:
	case SHK_ARG_HEX:
	case SHK_ARG_SIGNAL:
	case SHK_ARG_SIZE:
		return true;
	default: /* a descriptor, a process, an id: what it stands for changes */
		return false;
	}
}

static bool is_open(enum shk_call_id id)
{
	return id == SHK_CALL_open || id == SHK_CALL_openat || id == SHK_CALL_creat || id == SHK_CALL_open_by_handle_at;
}

bool shk_field_is_shown(const struct shk_field_ref *ref, enum shk_call_id id)
{
	static const char *const always[] = {
		"evt.type", "evt.type.is", "syscall.type", "evt.dir", "evt.source", "evt.is_async", "evt.res",
		"evt.rawres", "evt.failed", "evt.count", "evt.count.error", "evt.count.exit", "evt.is_open_read",
		"evt.is_open_write", "evt.is_open_exec", "evt.is_open_create",
	};
	/* The descriptor that an open is about is not there while it waits: its path names it. */
	static const char *const of_open[] = {
		"fd.num", "fd.type", "fd.typechar", "fd.name", "fd.nameraw", "fd.directory", "fd.filename",
	};
	const char *name = ref->field->name;

	if (is_among(name, always, SHK_ARRAY_SIZE(always)))
		return true;
	if (is_open(id) && is_among(name, of_open, SHK_ARRAY_SIZE(of_open)))
		return true;
	return strcmp(name, "evt.arg") == 0 && param_is_shown(ref, id);
}
