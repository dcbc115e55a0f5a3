// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"

static const char *const allowed[] = {
	/* memory and threads: libcurl looks names up on a thread */
	"brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "futex", "set_robust_list", "rseq", "membarrier",
	"sched_yield", "sched_getaffinity", "exit", "exit_group", "gettid", "getpid", "getppid", "getuid", "geteuid",
	"getgid", "getegid", "uname", "sysinfo", "prlimit64", "getrlimit", "getrusage", "getcpu", "tgkill",
	/* time */
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "restart_syscall",
	"timerfd_create", "timerfd_settime", "timerfd_gettime",
	/* signals */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "signalfd4",
	/* files: the spool, certificates, what name resolution reads */
	"openat", "open", "close", "close_range", "read", "readv", "pread64", "write", "writev", "pwrite64", "lseek",
	"fstat", "stat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents64", "dup", "dup2", "dup3", "fcntl", "ftruncate", "fsync", "fdatasync",
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "flock", "memfd_create", "pipe2", "getrandom",
	"getcwd", "umask", "fadvise64",
	/* waiting */
	"epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"select", "pselect6", "eventfd2",
	/* sockets; socket itself is below */
	"bind", "listen", "accept4", "accept", "connect", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
	"getsockopt", "setsockopt", "getsockname", "getpeername", "shutdown", "socketpair", "sendfile",
#ifdef SHK_SANITIZERS
	/* what the sanitizers' runtime does beside, leak check at the end included */
	"clone", "fork", "wait4", "ptrace", "prctl", "set_tid_address", "arch_prctl", "personality", "readahead",
	"mincore", "msync", "get_mempolicy", "sched_getparam", "sched_getscheduler", "capget", "kill",
#endif
};

int shk_gateway_user(const char *name, unsigned *uid, unsigned *gid, bool *fell_back, struct shk_err *err)
{
	struct passwd *p;

	*fell_back = false;
	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0)
		return 0;
	p = getpwnam(name);
	if (!p) {
		*fell_back = true;
		p = getpwnam("nobody");
	}
	if (!p)
		return shk_err_set(err, ENOENT, "gateway_user: there is neither a user %s nor a user nobody; add one "
				   "(useradd --system %s)", name, name);
	if (!p->pw_uid)
		return shk_err_set(err, EPERM, "gateway_user: %s is root; name an unprivileged user", name);
	*uid = p->pw_uid;
	*gid = p->pw_gid;
	return 0;
}

static int allow(scmp_filter_ctx ctx, const char *name, unsigned n, const struct scmp_arg_cmp *tests)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, tests);
}

static int build(scmp_filter_ctx ctx)
{
	/* AF_NETLINK: getaddrinfo(3) asks which addresses this machine has. */
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	static const unsigned long ioctls[] = { FIONBIO, FIONREAD, TCGETS };
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp name_thread = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
	int r = 0;

	for (size_t i = 0; r == 0 && i < SHK_ARRAY_SIZE(allowed); i++)
		r = allow(ctx, allowed[i], 0, NULL);
	for (size_t i = 0; r == 0 && i < SHK_ARRAY_SIZE(families); i++) {
		const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0);

		r = allow(ctx, "socket", 1, &family);
	}
	for (size_t i = 0; r == 0 && i < SHK_ARRAY_SIZE(ioctls); i++) {
		const struct scmp_arg_cmp request = SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0);

		r = allow(ctx, "ioctl", 1, &request);
	}
#ifndef SHK_SANITIZERS
	if (r == 0)
		r = allow(ctx, "clone", 1, &thread);
	if (r == 0)
		r = allow(ctx, "prctl", 1, &name_thread);
#else
	(void)thread;
	(void)name_thread;
#endif
	/* Its flags are in memory; the C library then asks clone, whose flags can be seen. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int become(unsigned uid, unsigned gid, struct shk_err *err)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return shk_err_sys(err, errno, "become user %u", uid);
	if (setresuid(0, 0, 0) == 0 || geteuid() == 0)
		return shk_err_set(err, EPERM, "become user %u: the way back is open", uid);
	/* The kernel forgot it with the ids. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return 0;
}

int shk_gateway_confine(unsigned uid, unsigned gid, struct shk_err *err)
{
	scmp_filter_ctx ctx;
	int r = become(uid, gid, err);

	if (r < 0)
		return r;
	/* Secrets are in our memory. */
	prctl(PR_SET_DUMPABLE, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return shk_err_sys(err, errno, "no_new_privs");
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return shk_err_set(err, ENOMEM, "out of memory");
	r = build(ctx);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? shk_err_sys(err, -r, "put the gateway's own seccomp filter in place") : 0;
}
