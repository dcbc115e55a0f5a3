// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooks.c - where the kernel asks its security modules, we look on: ftrace calls us at the entry of
 * those functions, whichever door the call came through, with the kernel's objects as arguments. To
 * refuse, the instruction pointer goes to a function that returns -EPERM instead.
 *
 * Two sets of functions: those that can be refused, and the others. Taking a set off waits until no
 * task is on its way through it, which can last minutes, so it is not done per container.
 */
#include <linux/module.h>
#include "shrike.h"

static bool refuse = true;
module_param(refuse, bool, 0444);
MODULE_PARM_DESC(refuse, "take the right to refuse opens, connects, binds: no livepatch of them");

struct shk_hook {
	const char *function;
	u8 type;
	shk_record_fn *record;
	bool decides;		/* in the set of those that can be refused */
	u8 kind;		/* of leases */
	shk_lease_fn *lease;
	unsigned long ip;	/* found out when it is first called */
};

#define DECIDES(kind, lease) true, SHRIKE_KIND_##kind, shk_lease_##lease

/* The ones that are called most are first: they are searched from the beginning. */
static struct shk_hook hooks[] = {
	{ "security_file_open", SHRIKE_OPEN, shk_record_file, DECIDES(OPEN, open) },
	{ "security_socket_sendmsg", SHRIKE_SENDMSG, shk_record_sock },
	{ "security_socket_connect", SHRIKE_CONNECT, shk_record_sock, DECIDES(CONNECT, address) },
	{ "security_socket_bind", SHRIKE_BIND, shk_record_sock, DECIDES(BIND, address) },
	{ "security_socket_create", SHRIKE_SOCKET, shk_record_socket },
	{ "security_inode_setattr", SHRIKE_SETATTR, shk_record_setattr },
	{ "security_path_mknod", SHRIKE_MKNOD, shk_record_path, DECIDES(OPEN, create) },
	{ "security_bprm_check", SHRIKE_BPRM, shk_record_file, false, SHRIKE_KIND_EXEC,
	  shk_lease_bprm },
	{ "security_path_unlink", SHRIKE_UNLINK, shk_record_path },
	{ "security_path_rmdir", SHRIKE_RMDIR, shk_record_path },
	{ "security_path_mkdir", SHRIKE_MKDIR, shk_record_path },
	{ "security_path_link", SHRIKE_LINK, shk_record_path },
	{ "security_path_rename", SHRIKE_RENAME, shk_record_path },
	{ "security_path_symlink", SHRIKE_SYMLINK, shk_record_path },
	{ "security_path_chmod", SHRIKE_CHMOD, shk_record_path },
	{ "security_path_chown", SHRIKE_CHOWN, shk_record_path },
	{ "security_path_truncate", SHRIKE_TRUNCATE, shk_record_path },
	{ "security_file_truncate", SHRIKE_TRUNCATE, shk_record_file },
	{ "security_sb_mount", SHRIKE_MOUNT, shk_record_path },
	{ "security_move_mount", SHRIKE_MOVE_MOUNT, shk_record_path },
	{ "security_kernel_read_file", SHRIKE_READ_FILE, shk_record_file },
	{ "security_kernel_load_data", SHRIKE_LOAD_DATA, shk_record_value },
	{ "security_socket_listen", SHRIKE_LISTEN, shk_record_sock },
	{ "security_ptrace_access_check", SHRIKE_PTRACE, shk_record_value },
	{ "security_task_kill", SHRIKE_KILL, shk_record_value },
	{ "security_bpf", SHRIKE_BPF, shk_record_value },
	{ "security_create_user_ns", SHRIKE_USERNS, shk_record_value },
};

/* The first time, by name. Two who do that at once find the same. */
static noinline const struct shk_hook *learn(unsigned long ip)
{
	struct shk_hook *h;
	char name[64];

	scnprintf(name, sizeof(name), "%ps", (void *)ip);
	for (h = hooks; h < hooks + ARRAY_SIZE(hooks); h++)
		if (!strcmp(name, h->function)) {
			WRITE_ONCE(h->ip, ip);
			return h;
		}
	return NULL;
}

static __always_inline const struct shk_hook *hook_at(unsigned long ip)
{
	const struct shk_hook *h;

	for (h = hooks; h < hooks + ARRAY_SIZE(hooks); h++)
		if (READ_ONCE(h->ip) == ip)
			return h;
	return learn(ip);
}

/* Stands in for a function that must not run: its caller gets this answer. */
static noinline notrace int refused(void)
{
	return -EPERM;
}

static bool attached, can_refuse;

static noinline void notrace may_be_watched(unsigned long ip, shk_regs *regs)
{
	struct shk_container *c = shk_scope_find(current);
	/* What is asked on behalf of an interrupt is nobody's. */
	const struct shk_hook *hook = c && in_task() ? hook_at(ip) : NULL;
	unsigned long a[5];

	if (!hook)
		return;
	a[0] = shk_regs_arg(regs, 0);
	a[1] = shk_regs_arg(regs, 1);
	a[2] = shk_regs_arg(regs, 2);
	a[3] = shk_regs_arg(regs, 3);
	a[4] = shk_regs_arg(regs, 4);
	if (shk_wanted(c, hook->type))
		hook->record(c, hook->type, a);
	if (unlikely(c->leases) && hook->lease && !hook->lease(c, hook->kind, a) && hook->decides &&
	    can_refuse)
		shk_regs_set_ip(regs, (unsigned long)refused);
}

/* Of everybody on this machine: as short as can be for those who are not watched. */
static void notrace called(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			   shk_regs *regs)
{
	preempt_disable_notrace();
	if (unlikely(!shk_scope_none(current)))
		may_be_watched(ip, regs);
	preempt_enable_notrace();
}

static struct ftrace_ops deciding = { .func = called }, watching = { .func = called };

/* Names are compared with those of all functions, which takes a part of a second: done once. */
u64 shk_hooks_classes(void)
{
	static u64 classes;
	struct shk_hook *h;
	char name[64];

	if (classes)
		return classes;
	classes = BIT_ULL(SHRIKE_FORK) | BIT_ULL(SHRIKE_EXEC) | BIT_ULL(SHRIKE_EXIT) |
		  BIT_ULL(SHRIKE_SYSCALL) | BIT_ULL(SHRIKE_LEASE);
	for (h = hooks; h < hooks + ARRAY_SIZE(hooks); h++) {
		strscpy(name, h->function, sizeof(name));
		if (!ftrace_set_filter(h->decides ? &deciding : &watching, (unsigned char *)name,
				       strlen(name), 0))
			classes |= BIT_ULL(h->type);
	}
	return classes;
}

static int start(struct ftrace_ops *ops, unsigned long flags)
{
	ops->flags = (ops->flags & FTRACE_OPS_FL_INITIALIZED) | SHK_FTRACE_FLAGS | flags;
	return register_ftrace_function(ops);
}

int shk_hooks_attach(void)
{
	int err;

	if (attached)
		return 0;
	/* One of each set: without names it would be every function there is. */
	if (~shk_hooks_classes() & (BIT_ULL(SHRIKE_OPEN) | BIT_ULL(SHRIKE_KILL)))
		return -ENODEV;
	can_refuse = refuse && !start(&deciding, FTRACE_OPS_FL_IPMODIFY);
	/* Somebody else has one of them (livepatch): looking on is always possible. */
	err = can_refuse ? 0 : start(&deciding, 0);
	if (err)
		return err;
	err = start(&watching, 0);
	if (err)
		unregister_ftrace_function(&deciding);
	attached = !err;
	return err;
}

void shk_hooks_detach(void)
{
	if (!attached)
		return;
	unregister_ftrace_function(&deciding);
	unregister_ftrace_function(&watching);
	/* can_refuse stays: it means nothing now, and may be read meanwhile. */
	WRITE_ONCE(attached, false);
}

bool shk_hooks_can_refuse(void)
{
	return READ_ONCE(attached) ? can_refuse : refuse;
}

void shk_hooks_exit(void)
{
	shk_hooks_detach();
	/* Empty, which would be every function if they were registered once more */
	ftrace_set_filter(&deciding, NULL, 0, 1);
	ftrace_set_filter(&watching, NULL, 0, 1);
}
