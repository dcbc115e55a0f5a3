// SPDX-License-Identifier: Apache-2.0
/*
 * fs.c - paths that calls change without opening anything, whatever their arguments are called.
 */
#include "fields/table.h"
#include "state/process.h"

enum which { WHICH_NAME, WHICH_SOURCE, WHICH_TARGET };

/* The argument that is meant, or -1. */
static int arg_of(const struct shk_event *ev, enum which w)
{
	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
	case SHK_CALL_link:
	case SHK_CALL_linkat:
		return w == WHICH_SOURCE ? shk_event_path_arg(ev) :
		       w == WHICH_TARGET ? shk_event_path_arg2(ev) : -1;
	case SHK_CALL_symlink:
	case SHK_CALL_symlinkat:
		/* Argument 0 is the text of the link: its source, though nothing looks it up. */
		return w == WHICH_SOURCE ? 0 : w == WHICH_TARGET ? shk_event_path_arg(ev) : -1;
	case SHK_CALL_mount:
		return w == WHICH_SOURCE ? 0 : w == WHICH_TARGET ? 1 : -1;
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_creat:
	case SHK_CALL_mkdir:
	case SHK_CALL_mkdirat:
	case SHK_CALL_rmdir:
	case SHK_CALL_unlink:
	case SHK_CALL_unlinkat:
	case SHK_CALL_chmod:
	case SHK_CALL_fchmodat:
	case SHK_CALL_fchmodat2:
	case SHK_CALL_chown:
	case SHK_CALL_lchown:
	case SHK_CALL_lchown32:
	case SHK_CALL_chown32:
	case SHK_CALL_fchownat:
	case SHK_CALL_mknod:
	case SHK_CALL_mknodat:
	case SHK_CALL_truncate:
	case SHK_CALL_truncate64:
	case SHK_CALL_umount:
	case SHK_CALL_umount2:
	case SHK_CALL_quotactl:
		return w == WHICH_NAME ? shk_event_path_arg(ev) : -1;
	default:
		return -1;
	}
}

static bool raw_path(struct shk_eval_ctx *ctx, enum which w, struct shk_value *out)
{
	int i = arg_of(ctx->ev, w);
	const struct shk_arg *a = i < 0 ? NULL : shk_event_arg(ctx->ev, (unsigned)i);

	return a && a->state == SHK_ARG_OK && shk_set_opt(out, a->bytes);
}

static bool abs_path(struct shk_eval_ctx *ctx, enum which w, struct shk_value *out)
{
	int i = arg_of(ctx->ev, w);

	if (i < 0)
		return false;
	if (ctx->ev->call->arg[i].kind == SHK_ARG_PATH && shk_event_abs_path(ctx, (unsigned)i, &out->s))
		return true;
	return raw_path(ctx, w, out);
}

#define PATH_GETTERS(word, w)                                                                      \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return abs_path(ctx, w, out);                                                      \
	}                                                                                          \
	static bool word##raw_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,       \
				  struct shk_value *out)                                           \
	{                                                                                          \
		(void)ref;                                                                         \
		return raw_path(ctx, w, out);                                                      \
	}

PATH_GETTERS(name, WHICH_NAME)
PATH_GETTERS(source, WHICH_SOURCE)
PATH_GETTERS(target, WHICH_TARGET)

#define ROW(n, fl, g, d)                                                                           \
	{ .name = (n), .class_name = "fs.path", .type = SHK_T_STRING, .falco_type = "CHARBUF",     \
	  .flags = (fl), .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	ROW("fs.path.name", SHK_F_COSTLY, name_get,
	    "Absolute path of the file or directory a call works on."),
	ROW("fs.path.nameraw", 0, nameraw_get, "That path as the call has it."),
	ROW("fs.path.source", SHK_F_COSTLY, source_get,
	    "Absolute path of what is renamed or linked; text of a symbolic link; what is mounted."),
	ROW("fs.path.sourceraw", 0, sourceraw_get, "That path as the call has it."),
	ROW("fs.path.target", SHK_F_COSTLY, target_get,
	    "Absolute path of the new name or link; where something is mounted."),
	ROW("fs.path.targetraw", 0, targetraw_get, "That path as the call has it."),
};

SHK_FIELD_TABLE(shk_table_fs, table);
