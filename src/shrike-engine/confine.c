// SPDX-License-Identifier: Apache-2.0
#include "shrike-engine/confine.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* By what they are for. Names the running libseccomp does not know are passed over. */
static const char *const allowed[] = {
	/* memory and threads */
	"brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "futex", "futex_waitv",
	"set_robust_list", "rseq", "membarrier", "sched_yield", "sched_getaffinity", "exit",
	"exit_group", "gettid", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups",
	"capget", "uname", "sysinfo", "prlimit64", "getrlimit", "getrusage", "getcpu",
	/* time */
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
	"timerfd_create", "timerfd_settime", "timerfd_gettime", "restart_syscall",
	/* signals; to kill is a verdict, tgkill is for our own hung workers */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
	"sigaltstack", "signalfd4", "kill", "tgkill", "wait4", "waitid",
	/* files */
	"openat", "open", "openat2", "close", "close_range", "read", "readv", "pread64", "preadv", "write",
	"writev", "pwrite64", "pwritev", "lseek", "fstat", "stat", "lstat", "newfstatat", "statx",
	"statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getdents64", "getcwd", "dup", "dup2", "dup3", "fcntl", "ftruncate", "fallocate", "fsync",
	"fdatasync", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2",
	"chmod", "fchmod", "fchmodat", "umask", "flock", "memfd_create", "pipe2", "getrandom",
	"name_to_handle_at",
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"eventfd2",
	/* sockets that exist; socket itself is below. Those of the kernel module's control (netlink) were made before:
	 * no other can be */
	"bind", "listen", "accept4", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg",
	"getsockopt", "setsockopt", "getsockname", "getpeername", "shutdown",
	/* two ends that know nobody else, on which the kernel's limits are tried (enforce/ancillary.c) */
	"socketpair",
	/* calls carried out for a caller, in its place: thread's own ids, groups, capabilities */
	"setfsuid", "setfsgid", "setresuid", "setresgid", "setgroups", "capset", "fchdir", "chdir",
	"symlinkat", "mknodat", "linkat", "fchown", "fchownat", "truncate",
	/* permission events of execve (sources/fanotify): the group is made, mounts of containers are marked */
	"fanotify_init", "fanotify_mark",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd",
	"pidfd_send_signal", "kcmp", "prctl",
#ifdef SHK_SANITIZERS
	/* what the sanitizers' runtime does beside, leak check at the end included */
	"clone", "fork", "execve", "set_tid_address", "arch_prctl", "personality",
	"readahead", "mincore", "msync", "get_mempolicy", "sched_getparam", "sched_getscheduler",
#endif
};

static int allow(scmp_filter_ctx ctx, const char *name, unsigned n_tests, const struct scmp_arg_cmp *tests)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n_tests, tests);
}

static int build(scmp_filter_ctx ctx)
{
	/* The listeners' ioctls, which are the hottest call of all, and no other: not TIOCSTI, say. */
	const struct scmp_arg_cmp listener = SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, '!' << 8);
	const struct scmp_arg_cmp is_terminal = SCMP_A1(SCMP_CMP_EQ, TCGETS, 0);
	const struct scmp_arg_cmp sizes = SCMP_A0(SCMP_CMP_EQ, SECCOMP_GET_NOTIF_SIZES, 0);
	const struct scmp_arg_cmp local = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	/* A mode mask of a thread's own, and the namespaces whose files it opens. */
	const struct scmp_arg_cmp own_mask = SCMP_A0(SCMP_CMP_EQ, CLONE_FS, 0);
	const struct scmp_arg_cmp join[] = { SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET, 0),
					     SCMP_A1(SCMP_CMP_EQ, CLONE_NEWIPC, 0),
					     SCMP_A1(SCMP_CMP_EQ, CLONE_NEWCGROUP, 0) };
	/* Workers give way to who has just been answered (engine/worker.c). */
	const struct scmp_arg_cmp batch = SCMP_A1(SCMP_CMP_EQ, SCHED_BATCH, 0);
	int r = seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), 255);

	for (size_t i = 0; r == 0 && i < SHK_ARRAY_SIZE(allowed); i++)
		r = allow(ctx, allowed[i], 0, NULL);
	r = r < 0 ? r : allow(ctx, "ioctl", 1, &listener);
	r = r < 0 ? r : allow(ctx, "ioctl", 1, &is_terminal);
	r = r < 0 ? r : allow(ctx, "seccomp", 1, &sizes);
	r = r < 0 ? r : allow(ctx, "socket", 1, &local);
	r = r < 0 ? r : allow(ctx, "unshare", 1, &own_mask);
	r = r < 0 ? r : allow(ctx, "sched_setscheduler", 1, &batch);
	for (size_t i = 0; r == 0 && i < SHK_ARRAY_SIZE(join); i++)
		r = allow(ctx, "setns", 1, &join[i]);
#ifndef SHK_SANITIZERS
	r = r < 0 ? r : allow(ctx, "clone", 1, &thread);
#else
	(void)thread;
#endif
	/* Its flags are in memory; the C library then asks clone, whose flags can be seen. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

int shk_confine(struct shk_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!ctx)
		return shk_err_set(err, ENOMEM, "out of memory");
	r = build(ctx);
	/* Other ABIs end the engine: it has no business there. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? shk_err_sys(err, -r, "put the engine's own seccomp filter in place") : 0;
}
