// SPDX-License-Identifier: Apache-2.0
/*
 * thread.c - numbers of the task in its namespaces and groups, and its capabilities.
 */
#include <stdio.h>

#include "fields/proc_value.h"

static bool set_id(struct shk_value *out, pid_t id)
{
	out->i = id;
	return id > 0;
}

#define ID_GETTER(word, fn)                                                                        \
	static bool word(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,                \
			 struct shk_value *out)                                                    \
	{                                                                                          \
		struct shk_proc *p = shk_proc_of(ctx);                                             \
                                                                                                   \
		(void)ref;                                                                         \
		return p && set_id(out, fn(p));                                                    \
	}

ID_GETTER(ppid_get, shk_proc_ppid)
ID_GETTER(pgid_get, shk_proc_pgid)
ID_GETTER(vpgid_get, shk_proc_vpgid)
ID_GETTER(sid_get, shk_proc_vsid)
ID_GETTER(vtid_get, shk_proc_vtid)

static bool tid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	(void)ref;
	return set_id(out, ctx->ev->tid);
}

/* Both numbers must be known: 0 is no number of a process. */
static bool set_equal(struct shk_value *out, pid_t a, pid_t b)
{
	return a > 0 && b > 0 && shk_set_bool(out, a == b);
}

static bool main_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && set_equal(out, shk_proc_tid(p), shk_proc_pid(p));
}

static bool sid_leader_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && set_equal(out, shk_proc_sid(p), shk_proc_pid(p));
}

static bool vpgid_leader_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			     struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && set_equal(out, shk_proc_vpgid(p), shk_proc_vpid(p));
}

static bool pgid_leader_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && set_equal(out, shk_proc_pgid(p), shk_proc_pid(p));
}

static bool nthreads_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	out->u = p ? shk_proc_nthreads(p) : 0;
	return out->u != 0;
}

/* Threads beside the first. */
static bool nchilds_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	return nthreads_get(ctx, ref, out) && shk_set_u(out, out->u - 1);
}

static bool nametid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	struct shk_str name = p ? shk_proc_comm(p) : (struct shk_str){ NULL, 0 };

	(void)ref;
	return name.p && shk_set_opt(out, shk_str(shk_arena_printf(ctx->ev->arena, SHK_STR_FMT "%d",
								   SHK_STR_ARG(name),
								   (int)ctx->ev->tid)));
}

static bool pidns_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && shk_proc_pidns_start(p, &out->u);
}

/* ---- capabilities ---- */

static const char *const cap_names[] = {
	"CAP_CHOWN",	    "CAP_DAC_OVERRIDE",	 "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID",	    "CAP_KILL",		 "CAP_SETGID",		"CAP_SETUID",
	"CAP_SETPCAP",	    "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",    "CAP_NET_RAW",	 "CAP_IPC_LOCK",	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",   "CAP_SYS_RAWIO",	 "CAP_SYS_CHROOT",	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",    "CAP_SYS_ADMIN",	 "CAP_SYS_BOOT",	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME",	 "CAP_SYS_TTY_CONFIG",	"CAP_MKNOD",
	"CAP_LEASE",	    "CAP_AUDIT_WRITE",	 "CAP_AUDIT_CONTROL",	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN",	 "CAP_SYSLOG",		"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",	 "CAP_PERFMON",		"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

static bool set_caps(struct shk_eval_ctx *ctx, struct shk_value *out, uint64_t set)
{
	struct shk_buf b _cleanup_buf_ = { 0 };

	if (!set)
		return shk_set_z(out, "");
	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	for (unsigned i = 0; i < 64; i++) {
		if (!(set & (1ull << i)))
			continue;
		if (b.n)
			shk_buf_addc(&b, ' ');
		if (i < SHK_ARRAY_SIZE(cap_names))
			shk_buf_adds(&b, cap_names[i]);
		else
			shk_buf_printf(&b, "CAP_%u", i);
	}
	return shk_set_buf(ctx, out, &b);
}

#define CAP_GETTER(word, bit)                                                                      \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		struct shk_proc *p = shk_proc_of(ctx);                                             \
		const struct shk_proc_creds *c = p ? shk_proc_creds(p) : NULL;                     \
                                                                                                   \
		(void)ref;                                                                         \
		return c && c->known & (bit) && set_caps(ctx, out, c->word);                       \
	}

CAP_GETTER(effective, SHK_CREDS_EFFECTIVE)
CAP_GETTER(permitted, SHK_CREDS_PERMITTED)
CAP_GETTER(inheritable, SHK_CREDS_INHERITABLE)

#define ROW(n, t, ft, fl, g, d)                                                                    \
	{ .name = (n), .class_name = "process", .type = (t), .falco_type = (ft), .flags = (fl),    \
	  .get = (g), .doc = (d) }
#define ID(n, g, d) ROW(n, SHK_T_INT64, "INT64", SHK_F_COSTLY, g, d)
#define BOOL(n, g, d) ROW(n, SHK_T_BOOL, "BOOL", SHK_F_COSTLY, g, d)
#define CAPS(n, g, d) ROW(n, SHK_T_STRING, "CHARBUF", SHK_F_COSTLY, g, d)

static const struct shk_field table[] = {
	ID("proc.ppid", ppid_get, "Process id of the parent on the host."),
	ID("proc.pgid", pgid_get, "Process group on the host."),
	ID("proc.vpgid", vpgid_get, "Process group inside the container."),
	ID("proc.sid", sid_get, "Session inside the container."),
	BOOL("proc.is_sid_leader", sid_leader_get, "The process leads its session."),
	BOOL("proc.is_pgid_leader", pgid_leader_get, "The process leads its process group."),
	BOOL("proc.is_vpgid_leader", vpgid_leader_get,
	     "The process leads its process group, as seen inside the container."),
	ROW("proc.nthreads", SHK_T_UINT64, "UINT64", SHK_F_COSTLY, nthreads_get,
	    "Number of threads of the process."),
	ROW("proc.nchilds", SHK_T_UINT64, "UINT64", SHK_F_COSTLY, nchilds_get,
	    "Number of threads of the process beside its first."),
	ROW("proc.pidns_init_start_ts", SHK_T_UINT64, "UINT64", SHK_F_COSTLY, pidns_get,
	    "When the first process of the pid namespace was started, in nanoseconds since the epoch."),
	ROW("thread.nametid", SHK_T_STRING, "CHARBUF", SHK_F_COSTLY, nametid_get,
	    "Name of the program and thread id in one word."),
	ROW("thread.tid", SHK_T_INT64, "INT64", SHK_F_STABLE, tid_get, "Thread id on the host."),
	ID("thread.vtid", vtid_get, "Thread id inside the container."),
	BOOL("thread.ismain", main_get, "The thread is the first one of its process."),
	CAPS("thread.cap_effective", effective_get, "Effective capabilities, separated by blanks."),
	CAPS("thread.cap_permitted", permitted_get, "Permitted capabilities, separated by blanks."),
	CAPS("thread.cap_inheritable", inheritable_get,
	     "Inheritable capabilities, separated by blanks."),
};

SHK_FIELD_TABLE(shk_table_thread, table);
