// SPDX-License-Identifier: Apache-2.0
/*
 * proc.c - the process of the event: what it runs and how it was started.
 *
 * During an execve that has not failed this is the program to come (state/process.h).
 */
#include "fields/proc_value.h"

static struct shk_proc *self(struct shk_eval_ctx *ctx)
{
	return shk_proc_of(ctx);
}

static struct shk_proc *parent(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p ? shk_proc_parent(p) : NULL;
}

static struct shk_proc *session(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p ? shk_proc_session_leader(p) : NULL;
}

static struct shk_proc *group(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p ? shk_proc_group_leader(p) : NULL;
}

#define GETTER(word, whose, value)                                                                 \
	static bool word(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,                \
			 struct shk_value *out)                                                    \
	{                                                                                          \
		struct shk_proc *p = whose(ctx);                                                   \
                                                                                                   \
		(void)ref;                                                                         \
		return p && value(ctx, p, out);                                                    \
	}

GETTER(name_get, self, shk_pv_name)
GETTER(exe_get, self, shk_pv_exe)
GETTER(exepath_get, self, shk_pv_exepath)
GETTER(cmdline_get, self, shk_pv_cmdline)
GETTER(exeline_get, self, shk_pv_exeline)
GETTER(pid_get, self, shk_pv_pid)
GETTER(vpid_get, self, shk_pv_vpid)
GETTER(duration_get, self, shk_pv_duration)
GETTER(start_get, self, shk_pv_start)
GETTER(pname_get, parent, shk_pv_name)
GETTER(pexe_get, parent, shk_pv_exe)
GETTER(pexepath_get, parent, shk_pv_exepath)
GETTER(pcmdline_get, parent, shk_pv_cmdline)
GETTER(pvpid_get, parent, shk_pv_vpid)
GETTER(pduration_get, parent, shk_pv_duration)
GETTER(pstart_get, parent, shk_pv_start)
GETTER(sname_get, session, shk_pv_name)
GETTER(sexe_get, session, shk_pv_exe)
GETTER(sexepath_get, session, shk_pv_exepath)
GETTER(gname_get, group, shk_pv_name)
GETTER(gexe_get, group, shk_pv_exe)
GETTER(gexepath_get, group, shk_pv_exepath)

/* One that is not there is an empty text, not a missing value: rules rely on it. */
static bool args_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_strvec *v = p ? shk_proc_argv(p) : NULL;

	if (!v)
		return false;
	if (!ref->has_arg)
		return shk_pv_args(ctx, p, out);
	if ((uint64_t)ref->index + 1 < v->n)
		return shk_set_opt(out, v->v[ref->index + 1]);
	return shk_set_z(out, "");
}

static bool args_image(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_str *ret)
{
	struct shk_proc *p = ref->has_arg ? NULL : shk_proc_of(ctx);
	const struct shk_strvec *v = p ? shk_proc_argv(p) : NULL;

	return v && shk_pv_image(ctx, v, 1, ret);
}

static bool env_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	struct shk_str s;

	if (!p)
		return false;
	if (!ref->has_arg)
		return shk_pv_env(ctx, p, out);
	if (!shk_proc_env(p))
		return false;
	s = shk_proc_getenv(p, ref->key);
	return s.p ? shk_set_str(out, s) : shk_set_z(out, "");
}

static bool env_image(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_str *ret)
{
	struct shk_proc *p = ref->has_arg ? NULL : shk_proc_of(ctx);

	const struct shk_strvec *v = p ? shk_proc_env(p) : NULL;

	return v && shk_pv_image(ctx, v, 0, ret);
}

static bool nargs_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_strvec *v = p ? shk_proc_argv(p) : NULL;

	(void)ref;
	return v && shk_set_u(out, v->n ? v->n - 1 : 0);
}

static bool lenargs_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_strvec *v = p ? shk_proc_argv(p) : NULL;
	uint64_t n = 0;

	(void)ref;
	for (size_t i = 1; v && i < v->n; i++)
		n += v->v[i].n;
	return v && shk_set_u(out, n);
}

static bool cwd_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	struct shk_str s = p ? shk_proc_cwd(p) : (struct shk_str){ NULL, 0 };

	(void)ref;
	if (!s.p)
		return false;
	if (shk_str_ends(s, SHK_STR("/")))
		return shk_set_str(out, s);
	return shk_set_opt(out, shk_arena_join(ctx->ev->arena, s, '/', (struct shk_str){ "", 0 }));
}

static bool cwd_image(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_str *ret)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	*ret = p ? shk_proc_cwd(p) : (struct shk_str){ NULL, 0 };
	return ret->p;
}

static bool tty_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	uint32_t tty;

	(void)ref;
	return p && shk_proc_tty(p, &tty) && shk_set_u(out, tty);
}

static bool exec_session_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			     struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && shk_set_bool(out, shk_proc_is_exec_session(p));
}

#define IMAGE(n, t, ft, fl, g, i, d)                                                               \
	{ .name = (n), .class_name = "process", .type = (t), .falco_type = (ft),                   \
	  .flags = SHK_F_COSTLY | (fl), .get = (g), .image = (i), .doc = (d) }
#define ROW(n, t, ft, fl, g, d) IMAGE(n, t, ft, fl, g, NULL, d)
#define TEXT(n, g, d) ROW(n, SHK_T_STRING, "CHARBUF", 0, g, d)

static const struct shk_field table[] = {
	TEXT("proc.name", name_get, "Name of the program: at most 15 bytes."),
	TEXT("proc.exe", exe_get, "First argument, which names the program as it was called."),
	TEXT("proc.exepath", exepath_get, "Path of the executable file inside the container."),
	TEXT("proc.cmdline", cmdline_get, "Name of the program and its arguments."),
	TEXT("proc.exeline", exeline_get, "First argument and all others."),
	{ .name = "proc.args", .class_name = "process", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_COSTLY | SHK_F_ARG_INDEX, .get = args_get, .image = args_image,
	  .whole = "proc.cmdline", .part = SHK_PART_END_BEHIND_BLANK,
	  .doc = "Arguments behind the first, separated by blanks; [0] is the first of them." },
	IMAGE("proc.env", SHK_T_STRING, "CHARBUF", SHK_F_ARG_KEY, env_get, env_image,
	    "Environment of the program, separated by blanks; [NAME] is one variable's value."),
	ROW("proc.cmdnargs", SHK_T_UINT64, "UINT64", 0, nargs_get, "Number of arguments."),
	ROW("proc.cmdlenargs", SHK_T_UINT64, "UINT64", 0, lenargs_get,
	    "Number of bytes of all arguments."),
	IMAGE("proc.cwd", SHK_T_STRING, "CHARBUF", 0, cwd_get, cwd_image, "Working directory, with a slash at its end."),
	ROW("proc.tty", SHK_T_UINT64, "UINT32", 0, tty_get,
	    "Device number of the controlling terminal, 0 without one."),
	ROW("proc.pid", SHK_T_INT64, "INT64", 0, pid_get, "Process id on the host."),
	ROW("proc.vpid", SHK_T_INT64, "INT64", 0, vpid_get, "Process id inside the container."),
	ROW("proc.duration", SHK_T_RELTIME, "RELTIME", 0, duration_get,
	    "Time since the process was started."),
	ROW("proc.pid.ts", SHK_T_RELTIME, "RELTIME", 0, start_get,
	    "When the process was started, in nanoseconds since the epoch."),
	TEXT("proc.pname", pname_get, "Name of the parent's program."),
	TEXT("proc.pexe", pexe_get, "First argument of the parent."),
	TEXT("proc.pexepath", pexepath_get, "Path of the parent's executable file."),
	TEXT("proc.pcmdline", pcmdline_get, "Name of the parent's program and its arguments."),
	ROW("proc.pvpid", SHK_T_INT64, "INT64", 0, pvpid_get,
	    "Process id of the parent in its own pid namespace."),
	ROW("proc.ppid.duration", SHK_T_RELTIME, "RELTIME", 0, pduration_get,
	    "Time since the parent was started."),
	ROW("proc.ppid.ts", SHK_T_RELTIME, "RELTIME", 0, pstart_get,
	    "When the parent was started, in nanoseconds since the epoch."),
	TEXT("proc.sname", sname_get, "Name of the session leader's program."),
	TEXT("proc.sid.exe", sexe_get, "First argument of the session leader."),
	TEXT("proc.sid.exepath", sexepath_get, "Path of the session leader's executable file."),
	TEXT("proc.vpgid.name", gname_get, "Name of the group leader's program."),
	TEXT("proc.vpgid.exe", gexe_get, "First argument of the group leader."),
	TEXT("proc.vpgid.exepath", gexepath_get, "Path of the group leader's executable file."),
	TEXT("proc.pgid.name", gname_get, "Name of the group leader's program."),
	TEXT("proc.pgid.exe", gexe_get, "First argument of the group leader."),
	TEXT("proc.pgid.exepath", gexepath_get, "Path of the group leader's executable file."),
	ROW("proc.is_exec_session", SHK_T_BOOL, "BOOL", 0, exec_session_get,
	    "The process was put into the running container (exec), or descends from one that was."),
};

SHK_FIELD_TABLE(shk_table_proc, table);
