// SPDX-License-Identifier: Apache-2.0
/*
 * proc_ancestors.c - the process's ancestors: [0] is the process itself, [1] its parent.
 *
 * Without an index a comparison holds if it holds for any ancestor (the process itself excluded), and
 * an output shows the whole line, nearest first.
 */
#include "fields/proc_value.h"

static struct shk_proc *ancestor(struct shk_eval_ctx *ctx, uint64_t n)
{
	struct shk_proc *of = n <= SHK_ANCESTORS_MAX ? shk_proc_of(ctx) : NULL, *p = of;
	struct shk_ancestor_met *met = ctx->ancestor_met;
	unsigned more = (unsigned)n;

	if (!of)
		return NULL;
	if (met && met->of == of && met->n <= n) {
		p = met->p;
		more -= met->n;
	}
	p = shk_proc_ancestor(p, more);
	if (met && p)
		*met = (struct shk_ancestor_met){ of, p, (unsigned)n };
	return p;
}

/* The k-th candidate: most often the one behind that which was asked for before. */
static inline struct shk_proc *candidate(struct shk_eval_ctx *ctx, unsigned k)
{
	struct shk_ancestor_met *met = ctx->ancestor_met;

	if (!met || !met->of || met->n != k || met->of != ctx->proc_now || k >= SHK_ANCESTORS_MAX)
		return ancestor(ctx, (uint64_t)k + 1);
	met->n = k + 1;
	met->p = shk_proc_parent(met->p);
	if (!met->p)
		met->of = NULL;
	return met->p;
}

typedef bool (*value_fn)(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);

/* All ancestors with `sep` between them. Missing when the parent is unknown. */
static bool line(struct shk_eval_ctx *ctx, struct shk_value *out, value_fn value, const char *sep)
{
	struct shk_buf b _cleanup_buf_;
	struct shk_proc *p;

	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	for (unsigned i = 1; (p = ancestor(ctx, i)); i++) {
		if (i > 1)
			shk_buf_adds(&b, sep);
		if (value(ctx, p, out))
			shk_buf_addstr(&b, out->s);
	}
	return b.n && shk_set_buf(ctx, out, &b);
}

#define ANCESTOR_FIELD(word, value)                                                                \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		struct shk_proc *p;                                                                \
                                                                                                   \
		if (!ref->has_arg)                                                                 \
			return line(ctx, out, value, "->");                                        \
		p = ancestor(ctx, (uint64_t)ref->index);                                           \
		return p && value(ctx, p, out);                                                    \
	}                                                                                          \
                                                                                                   \
	static bool word##_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,        \
				 unsigned k, struct shk_value *out)                                \
	{                                                                                          \
		struct shk_proc *p = candidate(ctx, k);                                           \
                                                                                                   \
		(void)ref;                                                                         \
		if (!p)                                                                            \
			return false;                                                              \
		if (!value(ctx, p, out))                                                           \
			out->s = (struct shk_str){ "", 0 };                                        \
		return true;                                                                       \
	}

ANCESTOR_FIELD(aname, shk_pv_name)
ANCESTOR_FIELD(aexe, shk_pv_exe)
ANCESTOR_FIELD(aexepath, shk_pv_exepath)
ANCESTOR_FIELD(acmdline, shk_pv_cmdline)

static bool apid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_proc *p = ancestor(ctx, ref->has_arg ? (uint64_t)ref->index : 1);

	return p && shk_pv_pid(ctx, p, out);
}

static bool apid_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		       struct shk_value *out)
{
	struct shk_proc *p = candidate(ctx, k);

	(void)ref;
	return p && shk_pv_pid(ctx, p, out);
}

/* Not one of several: without an index the arguments of all ancestors are one text. */
static bool aargs_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p;

	if (!ref->has_arg)
		return line(ctx, out, shk_pv_args, " ");
	p = ancestor(ctx, (uint64_t)ref->index);
	return p && shk_pv_args(ctx, p, out);
}

/* [n]: the environment of one ancestor; [NAME]: the variable of the nearest one that has it. */
static bool aenv_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_proc *p;

	if (!ref->has_arg)
		return line(ctx, out, shk_pv_env, " ");
	if (!ref->key.p) {
		p = ancestor(ctx, (uint64_t)ref->index);
		return p && shk_pv_env(ctx, p, out);
	}
	for (unsigned i = 1; (p = ancestor(ctx, i)); i++) {
		struct shk_str s = shk_proc_getenv(p, ref->key);

		if (s.p)
			return shk_set_str(out, s);
	}
	return ancestor(ctx, 1) && shk_set_z(out, "");
}

static bool aenv_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		       struct shk_value *out)
{
	struct shk_proc *p = candidate(ctx, k);

	(void)ref;
	if (!p)
		return false;
	if (!shk_pv_env(ctx, p, out))
		out->s = (struct shk_str){ "", 0 };
	return true;
}

/* The oldest process of the line, itself included, whose name ends like that of a shell. */
static bool loginshell_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	pid_t oldest = 0;

	(void)ref;
	for (unsigned i = 0; p && i <= SHK_ANCESTORS_MAX; i++) {
		pid_t pid = shk_str_ends(shk_proc_comm(p), SHK_STR("sh")) ? shk_proc_pid(p) : 0;

		oldest = pid > 0 ? pid : oldest;
		p = shk_proc_parent(p);
	}
	return oldest && shk_set_i(out, oldest);
}

#define ROW(n, t, ft, g, m, fl, d)                                                                 \
	{ .name = (n), .class_name = "process", .type = (t), .falco_type = (ft),                   \
	  .flags = SHK_F_COSTLY | SHK_F_ARG_INDEX | (fl), .get = (g), .multi = (m),                \
	  .any_ne = true, .doc = (d) }
#define MULTI (SHK_F_MULTI | SHK_F_NO_RHS | SHK_F_NO_TRANSFORM)

static const struct shk_field table[] = {
	ROW("proc.aname", SHK_T_STRING, "CHARBUF", aname_get, aname_multi, MULTI,
	    "Name of an ancestor's program; without a number, of any ancestor."),
	ROW("proc.aexe", SHK_T_STRING, "CHARBUF", aexe_get, aexe_multi, MULTI,
	    "First argument of an ancestor; without a number, of any ancestor."),
	ROW("proc.aexepath", SHK_T_STRING, "CHARBUF", aexepath_get, aexepath_multi, MULTI,
	    "Path of an ancestor's executable file; without a number, of any ancestor."),
	ROW("proc.acmdline", SHK_T_STRING, "CHARBUF", acmdline_get, acmdline_multi, MULTI,
	    "Command line of an ancestor; without a number, of any ancestor."),
	ROW("proc.apid", SHK_T_INT64, "INT64", apid_get, apid_multi, MULTI,
	    "Process id of an ancestor; without a number, of any ancestor."),
	ROW("proc.aargs", SHK_T_STRING, "CHARBUF", aargs_get, NULL, 0,
	    "Arguments of an ancestor; without a number, of all ancestors as one text."),
	{ .name = "proc.loginshellid", .class_name = "process", .type = SHK_T_INT64,
	  .falco_type = "INT64", .flags = SHK_F_COSTLY, .get = loginshell_get,
	  .doc = "Process id of the oldest shell among the process and its ancestors." },
	ROW("proc.aenv", SHK_T_STRING, "CHARBUF", aenv_get, aenv_multi, MULTI | SHK_F_ARG_KEY,
	    "Environment of an ancestor, or a variable of the nearest one that has it."),
};

SHK_FIELD_TABLE(shk_table_proc_ancestors, table);
