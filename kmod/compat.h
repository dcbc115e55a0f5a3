/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - where kernels differ. Each HAVE_* was found by compiling a few lines against this
 * kernel's headers (probes), since vendors move features between versions.
 */
#ifndef SHRIKE_COMPAT_H
#define SHRIKE_COMPAT_H

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <net/genetlink.h>
#include <linux/ptrace.h>
#include <asm/syscall.h>
#include "probed.h"

#if defined(CONFIG_PREEMPT_RT) || !defined(CONFIG_64BIT)
#error "shrike needs 64 bits, and spin locks that do not sleep: no CONFIG_PREEMPT_RT"
#endif

/* What a callback of ftrace gets: pt_regs before 5.11. */
#ifdef HAVE_FTRACE_REGS
typedef struct ftrace_regs shk_regs;
/* We look after ourselves; these kernels take that for granted. */
#define FTRACE_OPS_FL_RECURSION_SAFE 0
#else
typedef struct pt_regs shk_regs;
#define ftrace_get_regs(r) (r)
#endif

/* With arguments (x86 from 5.11, arm64 from 6.2), or with all registers for those who ask. */
#ifdef CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS
#define SHK_FTRACE_FLAGS FTRACE_OPS_FL_PERMANENT
#ifdef HAVE_FTRACE_REGS_ARG
#define shk_regs_arg(r, n) ftrace_regs_get_argument(r, n)
#define shk_regs_set_ip(r, ip) ftrace_regs_set_instruction_pointer(r, ip)
#else
#define shk_regs_arg(r, n) regs_get_kernel_argument(&(r)->regs, n)
#define shk_regs_set_ip(r, ip) ftrace_instruction_pointer_set(r, ip)
#endif
#else
#define SHK_FTRACE_FLAGS \
	(FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
#define shk_regs_arg(r, n) regs_get_kernel_argument(ftrace_get_regs(r), n)
#define shk_regs_set_ip(r, ip) instruction_pointer_set(ftrace_get_regs(r), ip)
#endif

/* Is it a call of the 32-bit table? Those of x32 are of the 64-bit one, with a bit more. */
#ifdef CONFIG_X86
#define shk_compat_call() in_ia32_syscall()
#define SHK_COMPAT_MKNODAT 297
#define SHK_MKNOD __NR_mknod
#else
#define shk_compat_call() in_compat_syscall()
#define SHK_COMPAT_MKNODAT 324
#define SHK_MKNOD __NR_mknodat
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
#ifdef HAVE_CGROUP_ANCESTORS
#define shk_cgroup_key(c, level) ((u64)(unsigned long)(c)->ancestors[level])
#else
#define shk_cgroup_key(c, level) ((c)->ancestor_ids[level])
#endif

/* An overlay opens the file below with the name of the one above: not another open. */
#ifndef FMODE_BACKING
#define FMODE_BACKING 0
#endif
static inline bool shk_file_is_backing(struct file *f)
{
	return (f->f_mode & FMODE_BACKING) || file_inode(f) != d_inode(f->f_path.dentry);
}

/* Which argument of security_inode_setattr() is the dentry; what is set comes next. */
#define SHK_SETATTR_DENTRY (IS_ENABLED(HAVE_SETATTR_WITH_DENTRY_FIRST) ? 0 : 1)

/* Who may listen to a multicast group. Some kernels let everybody: a later update does not. */
#ifdef GENL_MCAST_CAP_SYS_ADMIN
#define SHK_MCAST_ADMIN .flags = GENL_MCAST_CAP_SYS_ADMIN
#else
#define SHK_MCAST_ADMIN .cap_sys_admin = 1
#endif

#ifndef HAVE_VM_FLAGS_CLEAR
#define vm_flags_clear(vma, f) ((vma)->vm_flags &= ~(f))
#endif

#endif
