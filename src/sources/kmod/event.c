// SPDX-License-Identifier: Apache-2.0
#include "sources/kmod/event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

/* The call that a type of record stands for. */
static const struct {
	const char *call;
	uint8_t path, path2;	/* arguments that get the texts; NOT: none */
} calls[SHRIKE_TYPES] = {
#define NOT 0xff
	[SHRIKE_EXEC] = { "execve", 0, NOT },
	[SHRIKE_OPEN] = { "openat", 1, NOT },
	[SHRIKE_UNLINK] = { "unlink", 0, NOT },
	[SHRIKE_RMDIR] = { "rmdir", 0, NOT },
	[SHRIKE_MKDIR] = { "mkdir", 0, NOT },
	[SHRIKE_MKNOD] = { "mknod", 0, NOT },
	[SHRIKE_LINK] = { "link", 0, 1 },
	[SHRIKE_RENAME] = { "rename", 0, 1 },
	[SHRIKE_SYMLINK] = { "symlink", 1, 0 },
	[SHRIKE_CHMOD] = { "chmod", 0, NOT },
	[SHRIKE_CHOWN] = { "chown", 0, NOT },
	[SHRIKE_TRUNCATE] = { "truncate", 0, NOT },
	[SHRIKE_MOUNT] = { "mount", 1, NOT },
	[SHRIKE_MOVE_MOUNT] = { "move_mount", 1, 3 },
	[SHRIKE_READ_FILE] = { "finit_module", NOT, NOT },
	[SHRIKE_LOAD_DATA] = { "init_module", NOT, NOT },
	[SHRIKE_SOCKET] = { "socket", NOT, NOT },
	[SHRIKE_CONNECT] = { "connect", 1, NOT },
	[SHRIKE_BIND] = { "bind", 1, NOT },
	[SHRIKE_LISTEN] = { "listen", NOT, NOT },
	[SHRIKE_SENDMSG] = { "sendto", 4, NOT },
	[SHRIKE_PTRACE] = { "ptrace", NOT, NOT },
	[SHRIKE_KILL] = { "kill", NOT, NOT },
	[SHRIKE_BPF] = { "bpf", NOT, NOT },
	[SHRIKE_USERNS] = { "unshare", NOT, NOT },
};

/* enum kernel_read_file_id, the same in all kernels that the module is for */
#define READING_MODULE 2
/* include/linux/ptrace.h */
#define PTRACE_MODE_ATTACH 2

/* Where a text lies is not known: somewhere, and each in a place of its own, so that it can be told in the text form. */
static uint64_t somewhere(unsigned i)
{
	return (uint64_t)(i + 1) << 20;
}

static int text_arg(struct shk_event *ev, unsigned i, const char *p, size_t n)
{
	char *copy = shk_arena_alloc(ev->arena, n + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, p, n);
	copy[n] = 0;
	ev->arg[i] = (struct shk_arg){ .state = SHK_ARG_OK, .bytes = { copy, n } };
	ev->raw[i] = somewhere(i);
	return 0;
}

/* The command line: texts that end with a NUL. */
static int vector_arg(struct shk_event *ev, unsigned i, const char *p, size_t n, bool cut)
{
	size_t max = 1, used = 0;
	struct shk_str *v;
	const char *end;
	char *copy;

	for (size_t k = 0; k < n; k++)
		max += p[k] == 0;
	if (max > SHK_ARGV_LIMIT)
		max = SHK_ARGV_LIMIT;
	copy = shk_arena_alloc(ev->arena, n + 1);
	v = shk_arena_alloc(ev->arena, max * sizeof(*v));
	if (!copy || !v)
		return -ENOMEM;
	memcpy(copy, p, n);
	copy[n] = 0;
	end = copy + n;
	for (p = copy; p < end && used < max; p += v[used++].n + 1)
		v[used] = (struct shk_str){ p, strlen(p) };
	ev->arg[i] = (struct shk_arg){ .state = cut ? SHK_ARG_TRUNCATED : SHK_ARG_OK,
				       .vec = { .v = v, .n = used, .truncated = cut || p < end, .in_row = true } };
	ev->raw[i] = somewhere(i);
	return 0;
}

static int path_registers(struct shk_event *ev, const struct shk_krecord *r)
{
	const struct shrike_path *p = r->body;
	size_t device;
	int e;

	switch (r->head->type) {
	case SHRIKE_OPEN:
		ev->raw[0] = (uint32_t)AT_FDCWD;
		ev->raw[2] = p->flags;
		ev->has_object = true;
		ev->obj_dev = p->dev;
		ev->obj_ino = p->ino;
		return 0;
	case SHRIKE_MKNOD:
		/* O_CREAT; an open follows. */
		if (S_ISREG(p->flags))
			return -ENOMSG;
		ev->raw[1] = p->flags;
		ev->raw[2] = p->arg;
		return 0;
	case SHRIKE_MKDIR:
		ev->raw[1] = p->flags & 07777;
		return 0;
	case SHRIKE_CHMOD:
		ev->raw[1] = p->arg & 07777;
		return 0;
	case SHRIKE_CHOWN:
		ev->raw[1] = (uint32_t)p->arg;
		ev->raw[2] = (uint32_t)(p->arg >> 32);
		return 0;
	case SHRIKE_MOUNT:
		device = strnlen(r->text2.p, r->text2.n);
		ev->raw[3] = p->flags;
		e = text_arg(ev, 0, r->text2.p, device);
		if (!e)
			e = text_arg(ev, 2, r->text2.p + device + (device < r->text2.n),
				     r->text2.n - device - (device < r->text2.n));
		return e;
	case SHRIKE_MOVE_MOUNT:
		ev->raw[0] = ev->raw[2] = (uint32_t)AT_FDCWD;
		return 0;
	case SHRIKE_READ_FILE:
		return p->arg == READING_MODULE ? 0 : -ENOMSG;
	case SHRIKE_EXEC:
		ev->attempt = false;
		ev->has_ret = true;
		return vector_arg(ev, 1, r->text2.p, r->text2.n, r->head->flags & SHRIKE_F_CUT);
	default:
		return 0;
	}
}

static int other_registers(struct shk_event *ev, const struct shk_krecord *r)
{
	const struct shrike_value *v = r->body;
	const struct shrike_sock *s = r->body;

	switch (r->head->type) {
	case SHRIKE_SOCKET:
		ev->raw[0] = s->family;
		ev->raw[1] = s->type;
		ev->raw[2] = s->protocol;
		return 0;
	case SHRIKE_CONNECT:
	case SHRIKE_BIND:
	case SHRIKE_LISTEN:
	case SHRIKE_SENDMSG:
		/* The socket is known, its number in the task's table is not. */
		ev->raw[0] = (uint32_t)-1;
		ev->socket[0] = s->family;
		ev->socket[1] = s->type;
		ev->socket[2] = s->protocol;
		if (r->head->type == SHRIKE_LISTEN)
			ev->raw[1] = s->arg;
		else
			ev->raw[r->head->type == SHRIKE_SENDMSG ? 5 : 2] = s->addr_len;
		return 0;
	case SHRIKE_LOAD_DATA:
		return v->v[0] == READING_MODULE ? 0 : -ENOMSG;
	case SHRIKE_PTRACE:
		/* A look at /proc asks the same question: that is no ptrace. */
		if (!(v->v[2] & PTRACE_MODE_ATTACH))
			return -ENOMSG;
		ev->raw[0] = 16; /* PTRACE_ATTACH */
		ev->raw[1] = v->v[1];
		return 0;
	case SHRIKE_KILL:
		ev->raw[0] = v->v[1];
		ev->raw[1] = v->v[2];
		return 0;
	case SHRIKE_BPF:
		ev->raw[0] = v->v[0];
		return 0;
	case SHRIKE_USERNS:
		ev->raw[0] = CLONE_NEWUSER;
		return 0;
	default:
		return -ENOMSG;
	}
}

static int returned(struct shk_event *ev, const struct shk_krecord *r)
{
	const struct shrike_call *c = r->body;

	ev->nr = r->head->nr;
	ev->call = shk_syscall_by_nr(ev->abi, ev->nr);
	ev->attempt = false;
	ev->has_ret = true;
	ev->ret = c->ret;
	memcpy(ev->raw, c->args, sizeof(ev->raw));
	/* Where pointers lead may be anything by now. */
	for (unsigned i = 0; ev->call && i < ev->call->nargs; i++)
		if (shk_arg_kind_follows(ev->call->arg[i].kind))
			ev->arg[i].state = SHK_ARG_FAULT;
	return 0;
}

static bool has_two_paths(unsigned type)
{
	return type == SHRIKE_RENAME || type == SHRIKE_LINK || type == SHRIKE_MOVE_MOUNT;
}

int shk_kmod_event(const struct shrike_record *rec, int64_t real_minus_mono, struct shk_event *ev)
{
	struct shk_krecord r;
	const char *name;
	int e = shk_krecord_split(rec, &r);

	if (e)
		return e;
	ev->sensor = SHK_SENSOR_MODULE;
	ev->abi = rec->flags & SHRIKE_F_COMPAT ? SHK_ABI_I386 : SHK_ABI_X86_64;
	ev->time_ns = rec->time + (uint64_t)real_minus_mono;
	ev->tid = (pid_t)rec->tid;
	ev->pid = (pid_t)rec->tgid;
	ev->attempt = true;
	if (rec->type == SHRIKE_SYSCALL)
		return returned(ev, &r);
	name = calls[rec->type].call;
	if (!name)
		return -ENOMSG;
	ev->call = shk_syscall_by_name(shk_str(name));
	if (!ev->call)
		return -ENOMSG;
	ev->nr = ev->call->nr[ev->abi];
	for (unsigned i = 0; i < ev->call->nargs; i++)
		if (shk_arg_kind_follows(ev->call->arg[i].kind))
			ev->arg[i].state = SHK_ARG_NULL;
	if (calls[rec->type].path != NOT)
		e = text_arg(ev, calls[rec->type].path, r.text.p, r.text.n);
	if (!e && calls[rec->type].path2 != NOT)
		e = text_arg(ev, calls[rec->type].path2, r.text2.p, r.text2.n);
	if (e)
		return e;
	/* A name that could not be told is not an empty one, which no path that was told is. */
	if (rec->flags & SHRIKE_F_NO_PATH && !r.text.n && calls[rec->type].path != NOT)
		ev->arg[calls[rec->type].path].state = SHK_ARG_FAULT;
	if (rec->flags & SHRIKE_F_NO_PATH && !r.text2.n && has_two_paths(rec->type))
		ev->arg[calls[rec->type].path2].state = SHK_ARG_FAULT;
	switch (rec->type) {
	case SHRIKE_SOCKET:
	case SHRIKE_CONNECT:
	case SHRIKE_BIND:
	case SHRIKE_LISTEN:
	case SHRIKE_SENDMSG:
	case SHRIKE_LOAD_DATA:
	case SHRIKE_PTRACE:
	case SHRIKE_KILL:
	case SHRIKE_BPF:
	case SHRIKE_USERNS:
		return other_registers(ev, &r);
	default:
		return path_registers(ev, &r);
	}
}

/* Numbers of the names among the arguments (what a symbolic link holds is a text); how many. */
static unsigned paths_of(const struct shk_syscall *call, unsigned ret[2])
{
	unsigned n = 0;

	for (unsigned i = 0; i < call->nargs && n < 2; i++)
		if (call->arg[i].kind == SHK_ARG_PATH || call->arg[i].kind == SHK_ARG_STRING)
			ret[n++] = i;
	return n;
}

static int how_arg(struct shk_event *ev, uint64_t flags)
{
	struct open_how *how = shk_arena_alloc(ev->arena, sizeof(*how));

	if (!how)
		return -ENOMEM;
	how->flags = flags;
	ev->arg[2] = (struct shk_arg){ .state = SHK_ARG_OK, .bytes = { (const char *)how, sizeof(*how) } };
	ev->raw[2] = somewhere(2);
	ev->raw[3] = sizeof(*how);
	return 0;
}

static int message_as(struct shk_event *ev, const struct shk_syscall *call)
{
	struct shk_arg to = ev->arg[4];

	if (call->id != SHK_CALL_sendmsg)
		return -ENOMSG;
	ev->call = call;
	ev->nr = call->nr[ev->abi];
	memset(ev->arg, 0, sizeof(ev->arg));
	ev->arg[1].state = SHK_ARG_FAULT;
	ev->raw[1] = somewhere(1);
	ev->raw[4] = ev->raw[5] = 0;
	ev->named = to;
	return 0;
}

int shk_kmod_event_as(struct shk_event *ev, const struct shk_syscall *call)
{
	const struct shk_syscall *old = ev->call;
	struct shk_arg text[2];
	uint64_t raw[6];
	unsigned from[2], to[2], n;
	bool removes = old->id == SHK_CALL_rmdir && call->id == SHK_CALL_unlinkat;

	if (call == old)
		return 0;
	if (old->id == SHK_CALL_sendto)
		return message_as(ev, call);
	n = paths_of(old, from);
	if (!n || paths_of(call, to) != n)
		return -ENOMSG;
	memcpy(raw, ev->raw, sizeof(raw));
	memset(ev->raw, 0, sizeof(ev->raw));
	for (unsigned i = 0; i < n; i++)
		text[i] = ev->arg[from[i]];
	for (unsigned i = 0; i < 6; i++)
		ev->arg[i] = (struct shk_arg){ .state = i < call->nargs && shk_arg_kind_follows(call->arg[i].kind) ?
							       SHK_ARG_NULL : SHK_ARG_UNREAD };
	ev->call = call;
	ev->nr = call->nr[ev->abi];
	for (unsigned i = 0; i < n; i++) {
		ev->arg[to[i]] = text[i];
		ev->raw[to[i]] = somewhere(to[i]);
		if (call->arg[to[i]].dirfd_arg >= 0)
			ev->raw[call->arg[to[i]].dirfd_arg] = (uint32_t)AT_FDCWD;
	}
	/* What describes the object stands behind its name: flags, mode, ids. */
	if (call->id == SHK_CALL_openat2)
		return how_arg(ev, raw[2]);
	for (unsigned i = from[n - 1] + 1, k = to[n - 1] + 1; n == 1 && i < old->nargs && k < call->nargs; i++, k++)
		ev->raw[k] = raw[i];
	if (removes)
		ev->raw[2] = AT_REMOVEDIR;
	return 0;
}
