/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - where kernels differ. Each HAVE_* was found by compiling a few lines against this kernel's headers (probes), since
 * vendors move features between versions.
 */
#ifndef SHRIKE_COMPAT_H
#define SHRIKE_COMPAT_H

#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <net/genetlink.h>
#include <linux/ptrace.h>
#include <asm/syscall.h>
#include "probed.h"

#ifdef CONFIG_PREEMPT_RT
#error "shrike takes spin locks with preemption off, where kernels with CONFIG_PREEMPT_RT would sleep"
#endif

/* What a callback of ftrace gets: pt_regs before 5.11, and only if it asks for them. */
#ifdef HAVE_FTRACE_REGS
typedef struct ftrace_regs shk_regs;
#define SHK_FTRACE_FLAGS FTRACE_OPS_FL_PERMANENT
static inline unsigned long shk_regs_arg(shk_regs *r, unsigned int n)
{
#ifdef HAVE_FTRACE_REGS_ARG
	return ftrace_regs_get_argument(r, n);
#else
	return regs_get_kernel_argument(&r->regs, n);
#endif
}
#ifdef HAVE_FTRACE_REGS_SET_IP
#define shk_regs_set_ip(r, ip) ftrace_regs_set_instruction_pointer(r, ip)
#else
#define shk_regs_set_ip(r, ip) ftrace_instruction_pointer_set(r, ip)
#endif
#else
typedef struct pt_regs shk_regs;
/* RECURSION_SAFE: we look after ourselves; later kernels take that for granted. */
#define SHK_FTRACE_FLAGS (FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
#define shk_regs_arg(r, n) regs_get_kernel_argument(r, n)
#define shk_regs_set_ip(r, to) ((r)->ip = (to))
#endif

/* Is it a call of the 32-bit table? Those of x32 are of the 64-bit one, with a bit that is taken off. */
#ifdef CONFIG_X86
#define shk_compat_call() in_ia32_syscall()
#else
#define shk_compat_call() in_compat_syscall()
#endif
static inline int shk_call_nr(void)
{
	int nr = syscall_get_nr(current, current_pt_regs());

#ifdef __X32_SYSCALL_BIT
	if (nr >= 0 && !shk_compat_call())
		nr &= ~__X32_SYSCALL_BIT;
#endif
	return nr;
}

/* What a cgroup's ancestor at a level is known by. */
static __always_inline u64 shk_cgroup_key(struct cgroup *c, int level)
{
#ifdef HAVE_CGROUP_ANCESTORS
	return (u64)(unsigned long)c->ancestors[level];
#else
	return c->ancestor_ids[level];
#endif
}

/* A number below SHK_CGROUP_BITS from that: a cgroup's address is a multiple of 2 KiB or so, ids count up. */
#define SHK_CGROUP_BITS 512
static __always_inline unsigned int shk_cgroup_bit(struct cgroup *c, int level)
{
#ifdef HAVE_CGROUP_ANCESTORS
	return shk_cgroup_key(c, level) >> 11 & (SHK_CGROUP_BITS - 1);
#else
	return shk_cgroup_key(c, level) & (SHK_CGROUP_BITS - 1);
#endif
}

/* An overlay's file system opens the file below with the name of the one above: not another open. */
static inline bool shk_file_is_backing(struct file *f)
{
#ifdef FMODE_BACKING
	if (f->f_mode & FMODE_BACKING)
		return true;
#endif
	return file_inode(f) != d_inode(f->f_path.dentry);
}

#ifdef HAVE_SETATTR_WITH_DENTRY_FIRST
#define SHK_SETATTR_DENTRY 0
#else
#define SHK_SETATTR_DENTRY 1
#endif

/* Who may listen to a multicast group: what its own check is called. Older kernels let everybody. */
#ifdef GENL_MCAST_CAP_SYS_ADMIN
#define SHK_MCAST_ADMIN .flags = GENL_MCAST_CAP_SYS_ADMIN
#elif defined(HAVE_MCAST_CAP_BIT)
#define SHK_MCAST_ADMIN .cap_sys_admin = 1
#else
#error "in this kernel everybody may listen to generic netlink: take a later update of the same series"
#endif

#ifdef HAVE_VM_FLAGS_CLEAR
#define shk_vm_flags_clear(vma, f) vm_flags_clear(vma, f)
#else
#define shk_vm_flags_clear(vma, f) ((vma)->vm_flags &= ~(f))
#endif

#endif
