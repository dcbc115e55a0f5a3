// SPDX-License-Identifier: Apache-2.0
/*
 * evt_args.c - evt.arg, evt.rawarg and evt.args: the parameters of the call by name and number.
 */
#include <errno.h>
#include <inttypes.h>

#include "fields/params.h"
#include "state/process.h"

static int known_param(const struct shk_field_ref *ref, struct shk_err *err)
{
	if (shk_param_known(ref->key))
		return 0;
	return shk_err_set(err, EINVAL, "no event has an argument '" SHK_STR_FMT "'",
			   SHK_STR_ARG(ref->key));
}

static bool arg_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out);

/* Rows a reference to evt.arg is moved to when its argument is cheaper to read than any may be, so
 * that conditions are tested in the right order. */
#define ARG_FLAGS (SHK_F_ARG_INDEX | SHK_F_ARG_KEY | SHK_F_ARG_DOTTED | SHK_F_ARG_REQUIRED)

static const struct shk_field arg_register = {
	.name = "evt.arg", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	.flags = ARG_FLAGS | SHK_F_STABLE, .get = arg_get, .doc = "",
};
static const struct shk_field arg_memory = {
	.name = "evt.arg", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	.flags = ARG_FLAGS, .get = arg_get, .doc = "",
};

static int arg_resolve(struct shk_field_ref *ref, struct shk_err *err)
{
	int r = ref->key.p ? known_param(ref, err) : 0;
	unsigned cost = r == 0 && ref->key.p ? shk_param_cost(ref->key) : 2;

	if (cost < 2)
		ref->field = cost ? &arg_memory : &arg_register;
	return r;
}

/* A path that is known is its own text. */
static bool whole_text(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_str *ret)
{
	if (p->kind != SHK_P_ARG || ctx->ev->call->arg[p->arg].kind != SHK_ARG_PATH)
		return false;
	return shk_event_arg(ctx->ev, p->arg)->bytes.n && shk_event_abs_path(ctx, p->arg, ret) &&
	       ret->n <= SHK_FIELD_TEXT_MAX;
}

static bool made_text(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_value *out)
{
	struct shk_buf b _cleanup_buf_;

	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	return shk_param_text(ctx, p, &b) && shk_set_buf(ctx, out, &b);
}

static bool arg_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	struct shk_param all[SHK_PARAMS_MAX], p;
	struct shk_str path;

	if (ref->key.p) {
		if (!shk_event_param(ctx->ev, ref->key, &p))
			return false;
	} else {
		if ((uint64_t)ref->index >= shk_event_params(ctx->ev, all))
			return false;
		p = all[ref->index];
	}
	return whole_text(ctx, &p, &path) ? shk_set_str(out, path) : made_text(ctx, &p, out);
}

static bool rawarg_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	struct shk_param p;

	return shk_event_param(ctx->ev, ref->key, &p) && shk_param_raw(ctx, &p, out);
}

/* Rows a reference to evt.rawarg is moved to, so that its values print in the base of the argument. */
#define RAW_FLAGS                                                                                  \
	(SHK_F_ARG_KEY | SHK_F_ARG_DOTTED | SHK_F_ARG_REQUIRED | SHK_F_NO_RHS |                    \
	 SHK_F_NO_TRANSFORM | SHK_F_RAW)

static const struct shk_field raw_hex = {
	.name = "evt.rawarg", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "DYN",
	.flags = RAW_FLAGS | SHK_F_HEX, .get = rawarg_get, .doc = "",
};
static const struct shk_field raw_oct = {
	.name = "evt.rawarg", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "DYN",
	.flags = RAW_FLAGS | SHK_F_OCT, .get = rawarg_get, .doc = "",
};

/* Arguments of types that nothing can be compared with (FALCO_RULE_LANGUAGE section 10): they exist or not. */
static const struct {
	const char *name;
	struct shk_field row;
} raw_opaque[] = {
#define OPAQUE(arg, word)                                                                          \
	{ arg, { .name = "evt.rawarg", .class_name = "evt", .type = SHK_T_BYTES,                   \
		 .falco_type = word, .flags = RAW_FLAGS, .get = rawarg_get, .doc = "" } }
	OPAQUE("sig", "SIGTYPE"),
	OPAQUE("ID", "SYSCALLID"),
	OPAQUE("addr", "SOCKADDR"),
	OPAQUE("tuple", "SOCKTUPLE"),
};

static int rawarg_resolve(struct shk_field_ref *ref, struct shk_err *err)
{
	int r = known_param(ref, err);
	uint32_t flags;

	if (r < 0)
		return r;
	ref->type = shk_param_type(ref->key, &flags);
	if (flags & SHK_F_HEX)
		ref->field = &raw_hex;
	else if (flags & SHK_F_OCT)
		ref->field = &raw_oct;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(raw_opaque); i++)
		if (shk_str_eqz(ref->key, raw_opaque[i].name))
			ref->field = &raw_opaque[i].row;
	return 0;
}

/* name=text, or name=number(text) where a number says less than its text. */
static void param_print(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_buf *b)
{
	struct shk_buf text _cleanup_buf_, raw _cleanup_buf_;
	struct shk_value v = { .type = SHK_T_UINT64 };
	struct shk_field f = { .name = p->name };

	shk_buf_init(&text, SHK_FIELD_TEXT_MAX);
	shk_buf_init(&raw, SHK_FIELD_TEXT_MAX);
	if (!shk_param_text(ctx, p, &text) || text.failed)
		return;
	v.type = shk_param_type(shk_str(p->name), &f.flags);
	if (b->n)
		shk_buf_addc(b, ' ');
	shk_buf_adds(b, p->name);
	shk_buf_addc(b, '=');
	if ((v.type == SHK_T_INT64 || v.type == SHK_T_UINT64) && !(f.flags & SHK_F_OCT) &&
	    shk_param_raw(ctx, p, &v)) {
		shk_value_print(&v, &f, &raw);
		shk_buf_addstr(b, shk_buf_view(&raw));
		if (shk_str_eq(shk_buf_view(&raw), shk_buf_view(&text)))
			return;
		shk_buf_addc(b, '(');
		shk_buf_addstr(b, shk_buf_view(&text));
		shk_buf_addc(b, ')');
		return;
	}
	shk_buf_addstr(b, shk_buf_view(&text));
}

static bool args_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_param all[SHK_PARAMS_MAX];
	struct shk_buf b _cleanup_buf_;
	size_t n = shk_event_params(ctx->ev, all);

	(void)ref;
	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	for (size_t i = 0; i < n; i++)
		param_print(ctx, &all[i], &b);
	if (!b.n && !b.failed)
		return shk_set_z(out, "");
	return shk_set_buf(ctx, out, &b);
}

/* Which path argument evt.abspath means: .src the first, .dst the second, without a word the first. Calls
 * that take no directory descriptor have none, but for rename. */
static int abspath_arg(const struct shk_event *ev, bool second)
{
	int i = second ? shk_event_path_arg2(ev) : shk_event_path_arg(ev);

	/* The link itself is meant, not its text. */
	if (ev->call && ev->call->id == SHK_CALL_symlinkat)
		i = second ? -1 : shk_syscall_arg(ev->call, SHK_STR("linkpath"));
	if (i < 0 ||
	    (ev->call->arg[i].dirfd_arg < 0 && ev->call->id != SHK_CALL_rename))
		return -1;
	return i;
}

static int abspath_resolve(struct shk_field_ref *ref, struct shk_err *err)
{
	if (!ref->has_arg || shk_str_eqz(ref->key, "src") || shk_str_eqz(ref->key, "dst"))
		return 0;
	return shk_err_set(err, EINVAL, "evt.abspath takes .src or .dst, not '" SHK_STR_FMT "'",
			   SHK_STR_ARG(ref->key));
}

static bool abspath_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	int i = abspath_arg(ctx->ev, ref->has_arg && shk_str_eqz(ref->key, "dst"));

	return i >= 0 && shk_event_abs_path(ctx, (unsigned)i, &out->s);
}

static const struct shk_field table[] = {
	{ .name = "evt.arg", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = ARG_FLAGS | SHK_F_COSTLY,
	  .get = arg_get, .resolve = arg_resolve,
	  .doc = "An argument of the call as text: evt.arg.NAME, or evt.arg[N] by position." },
	{ .name = "evt.rawarg", .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "DYN",
	  .flags = RAW_FLAGS, .get = rawarg_get, .resolve = rawarg_resolve,
	  .doc = "An argument of the call as its number or bytes: evt.rawarg.NAME." },
	{ .name = "evt.abspath", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_COSTLY | SHK_F_ARG_KEY | SHK_F_ARG_DOTTED,
	  .get = abspath_get, .resolve = abspath_resolve,
	  .doc = "Absolute path of the file a call names relative to a directory descriptor; of two "
		 "paths .src or .dst." },
	{ .name = "evt.args", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_COSTLY, .get = args_get,
	  .doc = "All arguments of the call as NAME=VALUE, separated by blanks." },
	{ .name = "evt.info", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_COSTLY, .get = args_get, .doc = "The same as evt.args." },
};

SHK_FIELD_TABLE(shk_table_evt_args, table);

bool shk_field_call_has(const struct shk_field_ref *ref, enum shk_call_id id)
{
	struct shk_event ev = { .call = &shk_syscalls[id], .has_object = true };
	struct shk_param p;

	return shk_event_param(&ev, ref->key, &p);
}
