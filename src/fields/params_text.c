// SPDX-License-Identifier: Apache-2.0
/*
 * params_text.c - values of parameters: the text of evt.arg.NAME, the number of evt.rawarg.NAME.
 */
#include <fcntl.h>
#include <inttypes.h>

#include "fields/params.h"

static const struct shk_flag_list *list_of(const char *name)
{
	return shk_flag_list_by_name(shk_str(name));
}

/* The rule language numbers the bits of an open in its own way. */
uint64_t shk_open_flags_word(uint64_t f)
{
	static const struct {
		uint64_t kernel, word;
	} bits[] = {
		{ O_CREAT, 1 << 2 },	 { O_APPEND, 1 << 3 },	  { O_DSYNC, 1 << 4 },
		{ O_EXCL, 1 << 5 },	 { O_NONBLOCK, 1 << 6 },  { O_SYNC, 1 << 7 },
		{ O_TRUNC, 1 << 8 },	 { O_DIRECT, 1 << 9 },	  { O_DIRECTORY, 1 << 10 },
		{ 0x8000, 1 << 11 },	 { O_CLOEXEC, 1 << 12 }, { O_TMPFILE, 1 << 13 },
	};
	static const uint64_t access[] = { 1, 2, 3, 0 };
	uint64_t w = access[f & O_ACCMODE];

	for (size_t i = 0; i < SHK_ARRAY_SIZE(bits); i++)
		if ((f & bits[i].kernel) == bits[i].kernel)
			w |= bits[i].word;
	return w;
}

static void octal(struct shk_buf *b, uint64_t mode)
{
	shk_buf_printf(b, mode ? "0%" PRIo64 : "%" PRIo64, mode);
}

/* chmod and its like name the bits; where a mode is only a wish (open, mkdir) it is a number. */
static bool mode_has_names(const struct shk_syscall *c)
{
	return c->id == SHK_CALL_chmod || c->id == SHK_CALL_fchmod || c->id == SHK_CALL_fchmodat ||
	       c->id == SHK_CALL_fchmodat2;
}

static void mode_names(struct shk_buf *b, uint64_t mode)
{
	static const char *const names[] = { "S_IXOTH", "S_IWOTH", "S_IROTH", "S_IXGRP",
					     "S_IWGRP", "S_IRGRP", "S_IXUSR", "S_IWUSR",
					     "S_IRUSR", "S_ISVTX", "S_ISGID", "S_ISUID" };
	bool any = false;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++) {
		if (!(mode & (1u << i)))
			continue;
		if (any)
			shk_buf_addc(b, '|');
		shk_buf_adds(b, names[i]);
		any = true;
	}
	if (!any)
		shk_buf_addc(b, '0');
}

static bool error_text(int64_t ret, struct shk_buf *b)
{
	const char *name = ret < 0 ? shk_errno_name((int)-SHK_MAX(ret, -4096)) : NULL;

	if (name)
		shk_buf_adds(b, name);
	else
		shk_buf_printf(b, "%" PRId64, ret);
	return true;
}

static bool result_text(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_buf *b)
{
	int64_t ret;

	if (!shk_event_result(ctx->ev, &ret))
		return false;
	if (ret < 0 || p->kind == SHK_P_RESULT)
		return error_text(ret, b);
	if (p->kind == SHK_P_RESULT_FD)
		return shk_text_result_fd(ctx, (int)ret, b);
	shk_buf_printf(b, "%" PRId64, ret);
	return true;
}

static bool vector_text(const struct shk_arg *a, struct shk_buf *b)
{
	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED)
		return false;
	for (size_t i = 0; i < a->vec.n; i++) {
		if (i)
			shk_buf_addc(b, ' ');
		shk_buf_addstr(b, a->vec.v[i]);
	}
	return true;
}

static bool string_text(const struct shk_arg *a, struct shk_buf *b)
{
	if (a->state == SHK_ARG_NULL)
		shk_buf_adds(b, "NULL");
	else if (a->state == SHK_ARG_OK || a->state == SHK_ARG_TRUNCATED)
		shk_buf_addstr(b, a->bytes);
	else
		return false;
	return true;
}

static bool arg_text(struct shk_eval_ctx *ctx, unsigned i, struct shk_buf *b)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg_desc *d = &ev->call->arg[i];
	uint64_t raw = shk_event_reg(ev, i);

	switch (d->kind) {
	case SHK_ARG_PATH:
		return shk_text_path(ctx, i, b);
	case SHK_ARG_STRING:
		return string_text(shk_event_arg(ev, i), b);
	case SHK_ARG_STRVEC:
		return vector_text(shk_event_arg(ev, i), b);
	case SHK_ARG_SOCKADDR:
		return shk_text_sockaddr(ctx, b);
	case SHK_ARG_FD:
	case SHK_ARG_DIRFD:
		return shk_text_fd(ctx, (int)raw, b);
	case SHK_ARG_PID:
		return shk_text_pid(ctx, (pid_t)raw, b);
	case SHK_ARG_UID:
		return shk_text_uid(ctx, (uid_t)raw, b);
	case SHK_ARG_GID:
		return shk_text_gid(ctx, (gid_t)raw, b);
	case SHK_ARG_FLAGS:
		shk_flags_print(d->flags, raw, b);
		return true;
	case SHK_ARG_ENUM:
		shk_flags_print(d->flags, raw, b);
		return true;
	case SHK_ARG_MODE:
		if (mode_has_names(ev->call))
			mode_names(b, raw & 07777);
		else
			octal(b, raw);
		return true;
	case SHK_ARG_INT:
		shk_buf_printf(b, "%" PRId64, (int64_t)raw);
		return true;
	case SHK_ARG_HEX:
		shk_buf_printf(b, "%" PRIX64, raw);
		return true;
	default:
		shk_buf_printf(b, "%" PRIu64, raw);
		return true;
	}
}

/* An empty program flag list prints as 0, like any other. */
bool shk_param_text(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_buf *b)
{
	uint64_t flags, mode;

	switch (p->kind) {
	case SHK_P_RESULT:
	case SHK_P_RESULT_FD:
	case SHK_P_RESULT_PID:
		return result_text(ctx, p, b);
	case SHK_P_ARG:
		return arg_text(ctx, p->arg, b);
	case SHK_P_OPEN_FLAGS:
		if (!shk_event_open_flags(ctx->ev, &flags, &mode))
			return false;
		shk_flags_print(list_of("falco_open_flags"), flags, b);
		return true;
	case SHK_P_OPEN_MODE:
		if (!shk_event_open_flags(ctx->ev, &flags, &mode))
			return false;
		octal(b, mode);
		return true;
	case SHK_P_OPEN_RESOLVE:
		if (!shk_event_open_resolve(ctx->ev, &flags))
			return false;
		shk_flags_print(list_of("openat2_resolve"), flags, b);
		return true;
	case SHK_P_CLONE_FLAGS:
		if (!shk_event_clone_flags(ctx->ev, &flags))
			return false;
		shk_flags_print(list_of("clone_flags"), flags, b);
		return true;
	case SHK_P_EXE_FLAGS:
		return shk_text_exe_flags(ctx, b);
	case SHK_P_TUPLE:
		return shk_text_tuple(ctx, b);
	case SHK_P_DEV:
		shk_buf_printf(b, "%" PRIX64, ctx->ev->obj_dev);
		return true;
	case SHK_P_INO:
		shk_buf_printf(b, "%" PRIu64, ctx->ev->obj_ino);
		return true;
	case SHK_P_FIELD:
		return shk_text_field(ctx, p->field, b);
	}
	return false;
}

/* Is the argument one whose value is in its register? */
static bool in_register(enum shk_arg_kind k)
{
	switch (k) {
	case SHK_ARG_INT:
	case SHK_ARG_UINT:
	case SHK_ARG_HEX:
	case SHK_ARG_FD:
	case SHK_ARG_DIRFD:
	case SHK_ARG_FLAGS:
	case SHK_ARG_ENUM:
	case SHK_ARG_MODE:
	case SHK_ARG_PID:
	case SHK_ARG_UID:
	case SHK_ARG_GID:
	case SHK_ARG_SIGNAL:
	case SHK_ARG_SIZE:
		return true;
	default:
		return false;
	}
}

static bool set_number(struct shk_value *out, uint64_t u)
{
	switch (out->type) {
	case SHK_T_INT64:
		out->i = (int64_t)u;
		return true;
	case SHK_T_UINT64:
	case SHK_T_ABSTIME:
		out->u = u;
		return true;
	default:
		return false;
	}
}

static bool arg_raw(struct shk_eval_ctx *ctx, unsigned i, struct shk_value *out)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_arg_desc *d = &ev->call->arg[i];
	const struct shk_arg *a;
	uint64_t v = shk_event_reg(ev, i);

	if (in_register(d->kind)) {
		if (d->kind == SHK_ARG_FLAGS && d->flags &&
		    strcmp(d->flags->name, "falco_open_flags") == 0)
			v = shk_open_flags_word(v);
		return set_number(out, v);
	}
	a = shk_event_arg(ev, i);
	if ((out->type != SHK_T_STRING && out->type != SHK_T_PATH && out->type != SHK_T_BYTES) ||
	    d->kind == SHK_ARG_STRVEC ||
	    (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED))
		return false;
	return shk_set_opt(out, a->bytes);
}

bool shk_param_raw(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_value *out)
{
	uint64_t flags, mode;
	int64_t ret;

	switch (p->kind) {
	case SHK_P_RESULT:
	case SHK_P_RESULT_FD:
	case SHK_P_RESULT_PID:
		return shk_event_result(ctx->ev, &ret) && set_number(out, (uint64_t)ret);
	case SHK_P_ARG:
		return arg_raw(ctx, p->arg, out);
	case SHK_P_OPEN_FLAGS:
		return shk_event_open_flags(ctx->ev, &flags, &mode) &&
		       set_number(out, shk_open_flags_word(flags));
	case SHK_P_OPEN_MODE:
		return shk_event_open_flags(ctx->ev, &flags, &mode) && set_number(out, mode);
	case SHK_P_OPEN_RESOLVE:
		return shk_event_open_resolve(ctx->ev, &flags) && set_number(out, flags);
	case SHK_P_CLONE_FLAGS:
		return shk_event_clone_flags(ctx->ev, &flags) && set_number(out, flags);
	case SHK_P_DEV:
		return set_number(out, ctx->ev->obj_dev);
	case SHK_P_INO:
		return set_number(out, ctx->ev->obj_ino);
	case SHK_P_FIELD: {
		struct shk_field_ref ref;
		enum shk_type want = out->type;

		/* The parameter's type is decided at load, by its name: another one is no value. Its
		 * bytes are wanted as they are. */
		if (shk_field_parse(shk_str(p->field), &ref, NULL) != 0)
			return false;
		out->type = ref.type;
		if (!ref.field->get(ctx, &ref, out))
			return false;
		if (ref.type != want && !(ref.type == SHK_T_STRING && want == SHK_T_BYTES)) {
			bool number = ref.type == SHK_T_INT64 || ref.type == SHK_T_UINT64;

			out->type = want;
			return number && set_number(out, out->u);
		}
		out->type = want;
		return true;
	}
	case SHK_P_EXE_FLAGS:
	case SHK_P_TUPLE:
		return false;
	}
	return false;
}
