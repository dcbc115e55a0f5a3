// SPDX-License-Identifier: Apache-2.0
#include "policy/doors.h"

#include <errno.h>
#include <linux/net.h>
#include <sys/socket.h>

#define DOOR_MAX 10

/* Calls that can stand in for each other. Names the table does not know are skipped, so a group may
 * list a call of a newer kernel. */
static const char *const groups[][DOOR_MAX] = {
	{ "open", "openat", "openat2", "creat", "open_by_handle_at" },
	{ "rename", "renameat", "renameat2" },
	{ "unlink", "unlinkat", "rmdir" },
	{ "link", "linkat" },
	{ "symlink", "symlinkat" },
	{ "mkdir", "mkdirat" },
	{ "mknod", "mknodat" },
	{ "chmod", "fchmod", "fchmodat", "fchmodat2" },
	{ "chown", "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32" },
	{ "truncate", "truncate64" },
	{ "execve", "execveat", "memfd_create" },
	{ "mount", "fsopen", "fsconfig", "fspick", "fsmount", "move_mount", "open_tree", "mount_setattr",
	  "open_tree_attr", "pivot_root" },
	{ "umount", "umount2" },
	{ "init_module", "finit_module" },
	{ "kexec_load", "kexec_file_load" },
	{ "ptrace", "process_vm_readv", "process_vm_writev" },
	{ "kill", "tkill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo" },
	{ "clone", "clone3" },
};

/* i386 socketcall(2): what its first argument stands for (linux/net.h). */
static const struct {
	const char *call;
	unsigned nr;
} socketcalls[] = {
	{ "socket", SYS_SOCKET },   { "bind", SYS_BIND },	{ "connect", SYS_CONNECT },
	{ "listen", SYS_LISTEN },   { "accept", SYS_ACCEPT },	{ "accept4", SYS_ACCEPT4 },
	{ "sendto", SYS_SENDTO },   { "sendmsg", SYS_SENDMSG }, { "sendmmsg", SYS_SENDMMSG },
	{ "recvfrom", SYS_RECVFROM }, { "recvmsg", SYS_RECVMSG }, { "shutdown", SYS_SHUTDOWN },
	{ "setsockopt", SYS_SETSOCKOPT }, { "socketpair", SYS_SOCKETPAIR },
};

static int id_of(const char *name)
{
	const struct shk_syscall *s = name ? shk_syscall_by_name(shk_str(name)) : NULL;

	return s ? (int)s->id : -1;
}

static bool is_call(enum shk_call_id id, const char *name)
{
	return shk_str_eqz(shk_str(shk_syscalls[id].name), name);
}

void shk_doors_each(enum shk_call_id id, void (*fn)(enum shk_call_id door, void *arg), void *arg)
{
	for (size_t g = 0; g < SHK_ARRAY_SIZE(groups); g++) {
		bool in = false;

		for (unsigned i = 0; i < DOOR_MAX && groups[g][i]; i++)
			in |= id_of(groups[g][i]) == (int)id;
		for (unsigned i = 0; in && i < DOOR_MAX && groups[g][i]; i++) {
			int other = id_of(groups[g][i]);

			if (other >= 0 && other != (int)id)
				fn((enum shk_call_id)other, arg);
		}
	}
}

static void open_door(const struct shk_policy *p, struct shk_plan *plan, enum shk_call_id id)
{
	struct shk_plan_call *c = &plan->call[id];

	/* A handle is opaque: nobody can say which file it opens, not even a rule that names the call.
	 * Engines' default profiles refuse it with the same errno. */
	if (is_call(id, "open_by_handle_at") && !p->unjudged_doors_allow) {
		*c = (struct shk_plan_call){ .what = SHK_PLAN_ERRNO,
					     .err = EPERM,
					     .enforced = true,
					     .why = "refused door" };
		return;
	}
	/* A rule that only tells of it picks the few it tells of. */
	if (c->what == SHK_PLAN_NOTIFY && !c->enforced) {
		c->enforced = true;
		c->when = (struct shk_reg_filter){ .always = true };
	}
	if (c->what != SHK_PLAN_PASS)
		return;
	*c = (struct shk_plan_call){ .what = SHK_PLAN_NOTIFY,
				     .enforced = true,
				     .when = { .always = true },
				     .why = "door" };
	if (!is_call(id, "memfd_create"))
		c->warn = "reaches the object of a rule with an action, but that rule does not name it";
}

static void plan_group(const struct shk_policy *p, struct shk_plan *plan, const char *const *group)
{
	bool enforced = false;

	for (unsigned i = 0; i < DOOR_MAX && group[i]; i++) {
		int id = id_of(group[i]);

		if (id >= 0 && plan->call[id].enforced && plan->call[id].what != SHK_PLAN_PASS)
			enforced = true;
	}
	for (unsigned i = 0; enforced && i < DOOR_MAX && group[i]; i++) {
		int id = id_of(group[i]);

		if (id >= 0)
			open_door(p, plan, (enum shk_call_id)id);
	}
}

/* The flags of clone3 lie in memory, where they can change after being judged; every libc falls
 * back to clone, whose flags are a register, when it gets ENOSYS. */
static void plan_clone3(struct shk_plan *plan)
{
	int id = id_of("clone3");
	struct shk_plan_call *c = id >= 0 ? &plan->call[id] : NULL;

	if (!c || !c->enforced)
		return;
	*c = (struct shk_plan_call){
		.what = SHK_PLAN_ERRNO, .err = ENOSYS, .enforced = true, .why = "memory"
	};
}

/* Rules that ask where messages go seldom name sendmmsg, which sends them there as well. */
static void plan_sendmmsg(struct shk_plan *plan)
{
	static const enum shk_call_id sends[] = { SHK_CALL_sendto, SHK_CALL_sendmsg };
	bool asked = false;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(sends); i++) {
		const struct shk_plan_call *s = &plan->call[sends[i]];

		asked |= s->what == SHK_PLAN_NOTIFY && s->enforced &&
			 (s->when.always || (s->when.n && s->when.c[0].t[0].arg == 4));
	}
	if (asked)
		plan->call[SHK_CALL_sendmmsg] = (struct shk_plan_call){ .what = SHK_PLAN_ERRNO, .err = ENOSYS, .enforced = true, .why = "memory" };
}

/* TCP fast open connects by sending: MSG_FASTOPEN, a register, is looked at wherever connect is enforced. */
static void plan_fast_open(struct shk_plan *plan)
{
	static const struct {
		const char *call;
		uint8_t flags;
	} sends[] = { { "sendto", 3 }, { "sendmsg", 2 }, { "sendmmsg", 3 } };

	if (!plan->call[SHK_CALL_connect].enforced)
		return;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(sends); i++) {
		struct shk_plan_call *c = &plan->call[id_of(sends[i].call)];

		if (c->what == SHK_PLAN_ERRNO)
			continue;
		if (c->what == SHK_PLAN_NOTIFY && (c->when.always || c->when.n == SHK_REG_DISJ_MAX)) {
			c->when = (struct shk_reg_filter){ .always = true };
			continue;
		}
		if (c->what == SHK_PLAN_PASS)
			*c = (struct shk_plan_call){ .what = SHK_PLAN_NOTIFY, .enforced = true, .why = "door" };
		c->when.c[c->when.n++] = (struct shk_reg_conj){
			.t = { { .arg = sends[i].flags, .negate = true, .mask = MSG_FASTOPEN, .value = 0 } }, .n = 1
		};
	}
}

static void plan_socketcall(struct shk_plan *plan)
{
	int id = id_of("socketcall");
	struct shk_plan_call *c = id >= 0 ? &plan->call[id] : NULL;

	if (!c || (c->what == SHK_PLAN_NOTIFY && c->when.always))
		return;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(socketcalls); i++) {
		int call = id_of(socketcalls[i].call);

		if (call < 0 || plan->call[call].what == SHK_PLAN_PASS)
			continue;
		if (c->what == SHK_PLAN_PASS)
			*c = (struct shk_plan_call){ .what = SHK_PLAN_NOTIFY, .why = "door" };
		c->enforced |= plan->call[call].enforced;
		if (c->when.n == SHK_REG_DISJ_MAX) {
			c->when = (struct shk_reg_filter){ .always = true };
			return;
		}
		/* The number is an int: the kernel looks at the low word only. */
		c->when.c[c->when.n++] = (struct shk_reg_conj){
			.t = { { .arg = 0, .mask = UINT32_MAX, .value = socketcalls[i].nr } },
			.n = 1
		};
	}
}

void shk_doors_apply(const struct shk_policy *p, struct shk_plan *plan)
{
	if (p->mode == SHK_MODE_ENFORCE)
		for (size_t g = 0; g < SHK_ARRAY_SIZE(groups); g++)
			plan_group(p, plan, groups[g]);
	plan_clone3(plan);
	plan_sendmmsg(plan);
	plan_fast_open(plan);
	plan_socketcall(plan);
}
