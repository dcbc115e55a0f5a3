// SPDX-License-Identifier: Apache-2.0
/*
 * proc_exe.c - the executable file of the process: where it lies and how old it is.
 */
#include "fields/proc_value.h"

/* NULL: what is asked for is unknown. */
static const struct shk_proc_exe *exe_of(struct shk_eval_ctx *ctx, unsigned known)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_proc_exe *e = p ? shk_proc_exe(p) : NULL;

	return e && e->known & known ? e : NULL;
}

static bool memfd_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_MEMFD);

	(void)ref;
	return e && shk_set_bool(out, e->memfd);
}

static bool writable_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_WRITABLE);

	(void)ref;
	return e && shk_set_bool(out, e->writable);
}

static bool upper_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	bool upper = false;

	(void)ref;
	return p && shk_set_bool(out, shk_proc_exe_upper(p, &upper) && upper);
}

/* Known to be in a lower layer: the image's own file. */
static bool lower_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	bool upper = true;

	(void)ref;
	return p && shk_set_bool(out, shk_proc_exe_upper(p, &upper) && !upper);
}

static bool ino_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_FILE);

	(void)ref;
	return e && shk_set_i(out, (int64_t)e->ino);
}

static bool mtime_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_MTIME);

	(void)ref;
	return e && shk_set_u(out, e->mtime_ns);
}

static bool ctime_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_CTIME);

	(void)ref;
	return e && shk_set_u(out, e->ctime_ns);
}

static bool since_ctime(const struct shk_proc_exe *e, uint64_t when, struct shk_value *out)
{
	return e && when >= e->ctime_ns && shk_set_u(out, when - e->ctime_ns);
}

static bool ctime_start_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	uint64_t start;

	(void)ref;
	return p && shk_proc_start(p, &start) && since_ctime(exe_of(ctx, SHK_EXE_CTIME), start, out);
}

/* Missing for what was there before the namespace, as most of an image is. */
static bool ctime_pidns_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	const struct shk_proc_exe *e = exe_of(ctx, SHK_EXE_CTIME);
	uint64_t start;

	(void)ref;
	return e && shk_proc_pidns_start(shk_proc_of(ctx), &start) && e->ctime_ns >= start &&
	       shk_set_u(out, e->ctime_ns - start);
}

#define ROW(n, t, ft, g, d)                                                                        \
	{ .name = (n), .class_name = "process", .type = (t), .falco_type = (ft),                   \
	  .flags = SHK_F_COSTLY, .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	ROW("proc.is_exe_from_memfd", SHK_T_BOOL, "BOOL", memfd_get,
	    "The executable file is in anonymous memory (memfd)."),
	ROW("proc.is_exe_upper_layer", SHK_T_BOOL, "BOOL", upper_get,
	    "The executable file is known to have been made or changed inside the container."),
	ROW("proc.is_exe_lower_layer", SHK_T_BOOL, "BOOL", lower_get,
	    "The executable file is known to be the image's own."),
	ROW("proc.is_exe_writable", SHK_T_BOOL, "BOOL", writable_get,
	    "The process's user may write the executable file."),
	ROW("proc.exe_ino", SHK_T_INT64, "INT64", ino_get, "Inode number of the executable file."),
	ROW("proc.exe_ino.mtime", SHK_T_ABSTIME, "ABSTIME", mtime_get,
	    "When the contents of the executable file were changed last."),
	ROW("proc.exe_ino.ctime", SHK_T_ABSTIME, "ABSTIME", ctime_get,
	    "When the inode of the executable file was changed last."),
	ROW("proc.exe_ino.ctime_duration_proc_start", SHK_T_ABSTIME, "ABSTIME", ctime_start_get,
	    "Nanoseconds from the last change of the executable's inode to the start of the process."),
	ROW("proc.exe_ino.ctime_duration_pidns_start", SHK_T_ABSTIME, "ABSTIME", ctime_pidns_get,
	    "Nanoseconds from the start of the pid namespace to the last change of the executable's "
	    "inode, when it came later."),
};

SHK_FIELD_TABLE(shk_table_proc_exe, table);
