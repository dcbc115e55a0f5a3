// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooks.c - where the kernel asks its security modules, we look on: ftrace calls us at the entry of those functions, whichever door the
 * call came through, with the kernel's own objects as arguments. To refuse, the function is not entered: the
 * instruction pointer goes to one that returns -EPERM, for the same caller.
 *
 * Two sets of functions, attached once: those that can be refused, and the others. Taking a set off waits until no task is on its
 * way through it, which can last minutes on a busy machine, so it is not done per container.
 */
#include <linux/ftrace.h>
#include <linux/module.h>
#include "shrike.h"

static bool refuse = true;
module_param(refuse, bool, 0444);
MODULE_PARM_DESC(refuse, "take the right to refuse opens, connects and binds (no livepatch of those functions then)");

struct shk_hook {
	const char *function;
	u8 type;
	bool decides;		/* in the set of those that can be refused */
	bool by_file;		/* told of a file, where others of its type are told of a path */
	u8 kind;		/* of leases */
	shk_lease_fn *lease;
	bool absent;
	unsigned long ip;	/* found out when it is first called */
};

static struct shk_hook hooks[] = {
	{ "security_file_open", SHRIKE_OPEN, true, false, SHRIKE_KIND_OPEN, shk_lease_open },
	{ "security_path_mknod", SHRIKE_MKNOD, true, false, SHRIKE_KIND_OPEN, shk_lease_create },
	{ "security_socket_connect", SHRIKE_CONNECT, true, false, SHRIKE_KIND_CONNECT, shk_lease_address },
	{ "security_socket_bind", SHRIKE_BIND, true, false, SHRIKE_KIND_BIND, shk_lease_address },
	{ "security_bprm_check", SHRIKE_BPRM, false, false, SHRIKE_KIND_EXEC, shk_lease_bprm },
	{ "security_path_unlink", SHRIKE_UNLINK },
	{ "security_path_rmdir", SHRIKE_RMDIR },
	{ "security_path_mkdir", SHRIKE_MKDIR },
	{ "security_path_link", SHRIKE_LINK },
	{ "security_path_rename", SHRIKE_RENAME },
	{ "security_path_symlink", SHRIKE_SYMLINK },
	{ "security_path_chmod", SHRIKE_CHMOD },
	{ "security_path_chown", SHRIKE_CHOWN },
	{ "security_path_truncate", SHRIKE_TRUNCATE },
	{ "security_file_truncate", SHRIKE_TRUNCATE, .by_file = true },
	{ "security_inode_setattr", SHRIKE_SETATTR },
	{ "security_sb_mount", SHRIKE_MOUNT },
	{ "security_move_mount", SHRIKE_MOVE_MOUNT },
	{ "security_kernel_read_file", SHRIKE_READ_FILE },
	{ "security_kernel_load_data", SHRIKE_LOAD_DATA },
	{ "security_socket_create", SHRIKE_SOCKET },
	{ "security_socket_listen", SHRIKE_LISTEN },
	{ "security_socket_sendmsg", SHRIKE_SENDMSG },
	{ "security_ptrace_access_check", SHRIKE_PTRACE },
	{ "security_task_kill", SHRIKE_KILL },
	{ "security_bpf", SHRIKE_BPF },
	{ "security_create_user_ns", SHRIKE_USERNS },
};

/* By address; a hook is put in when it is first seen. */
#define SLOTS 64
static struct shk_hook *slots[SLOTS];
static DEFINE_SPINLOCK(slot_lock);

static noinline const struct shk_hook *learn(unsigned long ip)
{
	unsigned int i, s;
	char name[64];

	scnprintf(name, sizeof(name), "%ps", (void *)ip);
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strcmp(name, hooks[i].function))
			break;
	if (i == ARRAY_SIZE(hooks))
		return NULL;
	spin_lock(&slot_lock);
	for (s = (ip >> 4) % SLOTS; slots[s] && slots[s] != &hooks[i];)
		s = (s + 1) % SLOTS;
	hooks[i].ip = ip;
	smp_store_release(&slots[s], &hooks[i]);
	spin_unlock(&slot_lock);
	return &hooks[i];
}

static __always_inline const struct shk_hook *hook_at(unsigned long ip)
{
	const struct shk_hook *h;
	unsigned int s = (ip >> 4) % SLOTS;

	while ((h = smp_load_acquire(&slots[s]))) {
		if (h->ip == ip)
			return h;
		s = (s + 1) % SLOTS;
	}
	return learn(ip);
}

/* Stands in for a function that must not run: its caller gets this answer. */
static noinline notrace int refused(void)
{
	return -EPERM;
}

static void notrace called(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, shk_regs *regs);
static struct ftrace_ops deciding = { .func = called }, watching = { .func = called };
static bool attached, can_refuse;

static noinline void notrace watched(struct shk_container *c, unsigned long ip, struct ftrace_ops *ops, shk_regs *regs)
{
	const struct shk_hook *hook;
	unsigned long a[5];

	/* slot_lock is taken in tasks only. */
	hook = in_task() ? hook_at(ip) : NULL;
	if (!hook)
		return;
	a[0] = shk_regs_arg(regs, 0);
	a[1] = shk_regs_arg(regs, 1);
	a[2] = shk_regs_arg(regs, 2);
	a[3] = shk_regs_arg(regs, 3);
	a[4] = shk_regs_arg(regs, 4);
	if (hook->by_file)
		a[0] = (unsigned long)&((struct file *)a[0])->f_path;
	if (shk_wanted(c, hook->type))
		shk_record_hook(c, hook->type, a);
	if (unlikely(c->leases) && hook->lease && !hook->lease(c, hook->kind, a) && hook->decides && ops == &deciding && can_refuse)
		shk_regs_set_ip(regs, (unsigned long)refused);
}

/* Of everybody on this machine: as short as can be for those who are not watched. */
static void notrace called(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, shk_regs *regs)
{
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_of(current);
	if (unlikely(c))
		watched(c, ip, ops, regs);
	preempt_enable_notrace();
}

/*
 * The functions of one set; a name that this kernel does not have is left out. ftrace compares with every function there is, name by
 * name, which takes a good part of a second: done once, when somebody first asks.
 */
static int choose(struct ftrace_ops *ops, bool decides)
{
	unsigned int i, n = 0;
	char name[64];

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].decides != decides)
			continue;
		strscpy(name, hooks[i].function, sizeof(name));
		hooks[i].absent = ftrace_set_filter(ops, (unsigned char *)name, strlen(name), 0) != 0;
		n += !hooks[i].absent;
	}
	/* A set without names would be every function there is. */
	return n ? 0 : -ENODEV;
}

static int choose_all(void)
{
	static int result = -EAGAIN;

	if (result == -EAGAIN) {
		result = choose(&deciding, true);
		if (!result)
			result = choose(&watching, false);
	}
	return result;
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
	err = choose_all();
	if (err)
		return err;
	can_refuse = refuse && !start(&deciding, FTRACE_OPS_FL_IPMODIFY);
	/* Somebody else has one of them (livepatch): looking on is always possible. */
	if (!can_refuse)
		err = start(&deciding, 0);
	if (err)
		return err;
	err = start(&watching, 0);
	if (err) {
		unregister_ftrace_function(&deciding);
		return err;
	}
	attached = true;
	return 0;
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

u64 shk_hooks_classes(void)
{
	u64 set = BIT_ULL(SHRIKE_FORK) | BIT_ULL(SHRIKE_EXEC) | BIT_ULL(SHRIKE_EXIT) | BIT_ULL(SHRIKE_SYSCALL) |
		  BIT_ULL(SHRIKE_LEASE);
	unsigned int i;

	if (choose_all())
		return set;
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!hooks[i].absent)
			set |= BIT_ULL(hooks[i].type);
	return set;
}

void shk_hooks_exit(void)
{
	shk_hooks_detach();
	/* Empty, which would be every function if they were registered once more */
	ftrace_set_filter(&deciding, NULL, 0, 1);
	ftrace_set_filter(&watching, NULL, 0, 1);
}
