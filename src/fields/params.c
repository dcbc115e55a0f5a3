// SPDX-License-Identifier: Apache-2.0
/*
 * params.c - which parameters an event has, and of what type they are.
 */
#include "fields/params.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/bytes.h"

/* Parameters of a new program that other fields know already. */
static const struct shk_param exec_params[] = {
	{ "exe", SHK_P_FIELD, 0, "proc.exe" },
	{ "args", SHK_P_FIELD, 0, "proc.args" },
	{ "tid", SHK_P_FIELD, 0, "thread.tid" },
	{ "pid", SHK_P_FIELD, 0, "proc.pid" },
	{ "ptid", SHK_P_FIELD, 0, "proc.ppid" },
	{ "cwd", SHK_P_FIELD, 0, "proc.cwd" },
	{ "comm", SHK_P_FIELD, 0, "proc.name" },
	{ "env", SHK_P_FIELD, 0, "proc.env" },
	{ "tty", SHK_P_FIELD, 0, "proc.tty" },
	{ "vpgid", SHK_P_FIELD, 0, "proc.vpgid" },
	{ "loginuid", SHK_P_FIELD, 0, "user.loginuid" },
	{ "flags", SHK_P_EXE_FLAGS, 0, NULL },
	{ "cap_inheritable", SHK_P_FIELD, 0, "thread.cap_inheritable" },
	{ "cap_permitted", SHK_P_FIELD, 0, "thread.cap_permitted" },
	{ "cap_effective", SHK_P_FIELD, 0, "thread.cap_effective" },
	{ "exe_ino", SHK_P_FIELD, 0, "proc.exe_ino" },
	{ "exe_ino_ctime", SHK_P_FIELD, 0, "proc.exe_ino.ctime" },
	{ "exe_ino_mtime", SHK_P_FIELD, 0, "proc.exe_ino.mtime" },
	{ "uid", SHK_P_FIELD, 0, "user.uid" },
	{ "trusted_exepath", SHK_P_FIELD, 0, "proc.exepath" },
	{ "pgid", SHK_P_FIELD, 0, "proc.pgid" },
	{ "gid", SHK_P_FIELD, 0, "group.gid" },
};

/* Names of parameters in the rule language that no event here carries (yet, or never as its call is
 * of another system). A rule that names one loads; the value is missing. */
static const char *const foreign[] = {
	"ID",	    "action",	"cgroups",  "core",	"cpu",	    "cur",	"data",	    "dev",
	"dpid",	    "error",	"fd1",	    "fd2",	"fdlimit",  "in_fd",	"ino",	    "max",
	"next",	    "nstype",	"out_fd",   "pgft_maj", "pgft_min", "queuelen", "queuemax", "queuepct",
	"ratio",    "ret",	"sig",	    "size",	"source",   "spid",	"status",   "uargs",
	"val",	    "vm_rss",	"vm_size",  "vm_swap",	"vpid",	    "vtid",
};

static bool is_fork(const struct shk_syscall *c)
{
	return c->id == SHK_CALL_fork || c->id == SHK_CALL_vfork || c->id == SHK_CALL_clone ||
	       c->id == SHK_CALL_clone3;
}

/* dup and fcntl call their new descriptor `res`, having an `fd` or `oldfd` already. */
static struct shk_param result_param(const struct shk_syscall *c)
{
	struct shk_param p = { "res", SHK_P_RESULT, 0, NULL };

	if (is_fork(c))
		p.kind = SHK_P_RESULT_PID;
	else if (c->returns_fd && c->id != SHK_CALL_fcntl)
		p.kind = SHK_P_RESULT_FD;
	if (p.kind == SHK_P_RESULT_FD && shk_syscall_arg(c, SHK_STR("fd")) < 0 &&
	    shk_syscall_arg(c, SHK_STR("oldfd")) < 0)
		p.name = "fd";
	return p;
}

static bool has_tuple(const struct shk_syscall *c)
{
	switch (c->id) {
	case SHK_CALL_connect:
	case SHK_CALL_accept:
	case SHK_CALL_accept4:
	case SHK_CALL_sendto:
	case SHK_CALL_sendmsg:
	case SHK_CALL_recvfrom:
	case SHK_CALL_recvmsg:
		return true;
	default:
		return false;
	}
}

/* Lengths and addresses of buffers mean nothing by themselves. */
static bool is_hidden(const struct shk_syscall *c, unsigned i)
{
	enum shk_arg_kind k = c->arg[i].kind;

	if (k == SHK_ARG_NONE || k == SHK_ARG_PTR || k == SHK_ARG_MSGHDR)
		return true;
	for (unsigned j = 0; j < c->nargs; j++)
		if (c->arg[j].len_arg == (int)i)
			return true;
	return false;
}

static void add(struct shk_param *out, size_t *n, struct shk_param p)
{
	if (*n < SHK_PARAMS_MAX)
		out[(*n)++] = p;
}

size_t shk_event_params(const struct shk_event *ev, struct shk_param out[SHK_PARAMS_MAX])
{
	const struct shk_syscall *c = ev->call;
	size_t n = 0;

	if (!c)
		return 0;
	if (c->id != SHK_CALL_exit && c->id != SHK_CALL_exit_group)
		add(out, &n, result_param(c));
	if (has_tuple(c))
		add(out, &n, (struct shk_param){ "tuple", SHK_P_TUPLE, 0, NULL });
	for (unsigned i = 0; i < c->nargs; i++) {
		const struct shk_arg_desc *d = &c->arg[i];

		if (d->kind == SHK_ARG_OPEN_HOW) {
			add(out, &n, (struct shk_param){ "flags", SHK_P_OPEN_FLAGS, 0, NULL });
			add(out, &n, (struct shk_param){ "mode", SHK_P_OPEN_MODE, 0, NULL });
			add(out, &n, (struct shk_param){ "resolve", SHK_P_OPEN_RESOLVE, 0, NULL });
		} else if (d->kind == SHK_ARG_CLONE_ARGS) {
			add(out, &n, (struct shk_param){ "flags", SHK_P_CLONE_FLAGS, 0, NULL });
		} else if (!is_hidden(c, i)) {
			add(out, &n, (struct shk_param){ d->name, SHK_P_ARG, (uint8_t)i, NULL });
		}
	}
	if (ev->has_object) {
		add(out, &n, (struct shk_param){ "dev", SHK_P_DEV, 0, NULL });
		add(out, &n, (struct shk_param){ "ino", SHK_P_INO, 0, NULL });
	}
	if (c->id == SHK_CALL_execve || c->id == SHK_CALL_execveat) {
		/* The vectors are those parameters already, and the flags of execveat are not. */
		size_t keep = 0;

		for (size_t i = 0; i < n; i++)
			if (strcmp(out[i].name, "flags") && strcmp(out[i].name, "argv") &&
			    strcmp(out[i].name, "envp"))
				out[keep++] = out[i];
		n = keep;
		for (size_t i = 0; i < SHK_ARRAY_SIZE(exec_params); i++)
			add(out, &n, exec_params[i]);
	}
	return n;
}

static bool find(const struct shk_param *v, size_t n, struct shk_str name, struct shk_param *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (shk_str_eqz(name, v[i].name)) {
			*ret = v[i];
			return true;
		}
	}
	return false;
}

/* Those of all calls, one behind the other, as they are without an object: made once, asked for every event. */
static struct named {
	struct shk_param p;
	size_t n; /* bytes of its name */
} *params_of;
static uint32_t first_of[SHK_CALL_N + 1];
static pthread_once_t params_once = PTHREAD_ONCE_INIT;

static void list_params(void)
{
	struct shk_param all[SHK_PARAMS_MAX];
	struct named *v;
	size_t n = 0;

	for (unsigned id = 0; id < SHK_CALL_N; id++)
		n += shk_event_params(&(struct shk_event){ .call = &shk_syscalls[id] }, all);
	v = reallocarray(NULL, n, sizeof(*v));
	if (!v)
		return;
	n = 0;
	for (unsigned id = 0; id < SHK_CALL_N; id++) {
		size_t k = shk_event_params(&(struct shk_event){ .call = &shk_syscalls[id] }, all);

		first_of[id] = (uint32_t)n;
		for (size_t i = 0; i < k; i++)
			v[n++] = (struct named){ all[i], strlen(all[i].name) };
	}
	first_of[SHK_CALL_N] = (uint32_t)n;
	params_of = v;
}

bool shk_event_param(const struct shk_event *ev, struct shk_str name, struct shk_param *ret)
{
	struct shk_param all[SHK_PARAMS_MAX];
	const struct named *v, *end;

	if (!ev->call)
		return false;
	pthread_once(&params_once, list_params);
	if (!params_of || ev->has_object)
		return find(all, shk_event_params(ev, all), name, ret);
	v = params_of + first_of[ev->call->id];
	end = params_of + first_of[ev->call->id + 1];
	while (v < end && (v->n != name.n || !shk_same_bytes(v->p.name, name.p, name.n)))
		v++;
	if (v < end)
		*ret = v->p;
	return v < end;
}

/* The first argument of that name in the table of calls, or NULL. */
static const struct shk_arg_desc *first_arg(struct shk_str name)
{
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		int at = shk_syscall_arg(&shk_syscalls[i], name);

		if (at >= 0)
			return &shk_syscalls[i].arg[at];
	}
	return NULL;
}

static const struct {
	const char *name;
	enum shk_type type;
	uint32_t flags;
} special[] = {
	{ "res", SHK_T_INT64, 0 },	  { "fd", SHK_T_INT64, 0 },
	{ "flags", SHK_T_UINT64, SHK_F_HEX }, { "mode", SHK_T_UINT64, SHK_F_OCT },
	{ "resolve", SHK_T_UINT64, SHK_F_HEX }, { "tuple", SHK_T_BYTES, 0 },
	{ "dev", SHK_T_UINT64, SHK_F_HEX }, { "ino", SHK_T_UINT64, 0 },
	{ "uid", SHK_T_UINT64, 0 },	  { "gid", SHK_T_UINT64, 0 },
	{ "pid", SHK_T_INT64, 0 },	  { "tid", SHK_T_INT64, 0 },
	{ "ptid", SHK_T_INT64, 0 },	  { "vpgid", SHK_T_INT64, 0 },
	{ "pgid", SHK_T_INT64, 0 },	  { "loginuid", SHK_T_INT64, 0 },
	{ "tty", SHK_T_UINT64, 0 },	  { "exe_ino", SHK_T_UINT64, 0 },
	{ "exe_ino_ctime", SHK_T_ABSTIME, 0 }, { "exe_ino_mtime", SHK_T_ABSTIME, 0 },
	{ "cap_inheritable", SHK_T_UINT64, SHK_F_HEX }, { "cap_permitted", SHK_T_UINT64, SHK_F_HEX },
	{ "cap_effective", SHK_T_UINT64, SHK_F_HEX }, { "size", SHK_T_UINT64, 0 },
	{ "data", SHK_T_BYTES, 0 },	  { "args", SHK_T_BYTES, 0 },
	{ "env", SHK_T_BYTES, 0 },
};

bool shk_param_known(struct shk_str name)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(special); i++)
		if (shk_str_eqz(name, special[i].name))
			return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(exec_params); i++)
		if (shk_str_eqz(name, exec_params[i].name))
			return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(foreign); i++)
		if (shk_str_eqz(name, foreign[i]))
			return true;
	return first_arg(name) != NULL;
}

static unsigned kind_cost(enum shk_arg_kind k)
{
	switch (k) {
	case SHK_ARG_INT:
	case SHK_ARG_UINT:
	case SHK_ARG_HEX:
	case SHK_ARG_FLAGS:
	case SHK_ARG_ENUM:
	case SHK_ARG_MODE:
	case SHK_ARG_SIGNAL:
	case SHK_ARG_SIZE:
	case SHK_ARG_NONE: /* these are no parameters */
	case SHK_ARG_PTR:
	case SHK_ARG_MSGHDR:
		return 0;
	case SHK_ARG_STRING:
	case SHK_ARG_STRVEC:
		return 1;
	default:
		return 2;
	}
}

unsigned shk_param_cost(struct shk_str name)
{
	unsigned cost = 0;

	/* Members of structures; the flags of a new program are those of its file, asked rarely. */
	if (shk_str_eqz(name, "flags") || shk_str_eqz(name, "mode") || shk_str_eqz(name, "resolve"))
		cost = 1;
	else if (shk_str_eqz(name, "fd") || shk_str_eqz(name, "tuple"))
		cost = 2;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(exec_params); i++)
		if (cost == 0 && shk_str_eqz(name, exec_params[i].name))
			cost = 2;
	for (unsigned i = 0; i < SHK_CALL_N && cost < 2; i++) {
		int at = shk_syscall_arg(&shk_syscalls[i], name);

		if (at >= 0)
			cost = SHK_MAX(cost, kind_cost(shk_syscalls[i].arg[at].kind));
	}
	return cost;
}

enum shk_type shk_param_type(struct shk_str name, uint32_t *ret_flags)
{
	const struct shk_arg_desc *d;

	*ret_flags = 0;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(special); i++) {
		if (shk_str_eqz(name, special[i].name)) {
			*ret_flags = special[i].flags;
			return special[i].type;
		}
	}
	d = first_arg(name);
	switch (d ? d->kind : SHK_ARG_STRING) {
	case SHK_ARG_INT:
	case SHK_ARG_FD:
	case SHK_ARG_DIRFD:
	case SHK_ARG_PID:
		return SHK_T_INT64;
	case SHK_ARG_HEX:
	case SHK_ARG_FLAGS:
		*ret_flags = SHK_F_HEX;
		return SHK_T_UINT64;
	case SHK_ARG_MODE:
		*ret_flags = SHK_F_OCT;
		return SHK_T_UINT64;
	case SHK_ARG_UINT:
	case SHK_ARG_ENUM:
	case SHK_ARG_UID:
	case SHK_ARG_GID:
	case SHK_ARG_SIGNAL:
	case SHK_ARG_SIZE:
		return SHK_T_UINT64;
	case SHK_ARG_PATH:
		return SHK_T_PATH;
	case SHK_ARG_STRVEC:
	case SHK_ARG_SOCKADDR:
		return SHK_T_BYTES;
	default:
		return SHK_T_STRING;
	}
}
