// SPDX-License-Identifier: Apache-2.0
/*
 * evt_category.c - what kind of work a call does: evt.category and the errors counted by kind.
 *
 * Calls that read and write have the category of what they read from or write to.
 */
#include "fields/fd_view.h"

/* A variant of a call (chown32, ppoll_time64) is of the call's category. */
static enum shk_call_id plain(const struct shk_syscall *c)
{
	const struct shk_syscall *p = shk_syscall_by_name(shk_str(c->evt_type));

	return p ? p->id : c->id;
}

static const char *of_call(enum shk_call_id id)
{
	switch (id) {
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_creat:
	case SHK_CALL_close:
	case SHK_CALL_stat:
	case SHK_CALL_fstat:
	case SHK_CALL_lstat:
	case SHK_CALL_newfstatat:
	case SHK_CALL_statx:
	case SHK_CALL_lseek:
	case SHK_CALL__llseek:
	case SHK_CALL_access:
	case SHK_CALL_faccessat:
	case SHK_CALL_faccessat2:
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
	case SHK_CALL_mkdir:
	case SHK_CALL_mkdirat:
	case SHK_CALL_rmdir:
	case SHK_CALL_link:
	case SHK_CALL_linkat:
	case SHK_CALL_unlink:
	case SHK_CALL_unlinkat:
	case SHK_CALL_symlink:
	case SHK_CALL_symlinkat:
	case SHK_CALL_readlink:
	case SHK_CALL_readlinkat:
	case SHK_CALL_chmod:
	case SHK_CALL_fchmod:
	case SHK_CALL_fchmodat:
	case SHK_CALL_fchmodat2:
	case SHK_CALL_chown:
	case SHK_CALL_fchown:
	case SHK_CALL_lchown:
	case SHK_CALL_fchownat:
	case SHK_CALL_mknod:
	case SHK_CALL_mknodat:
	case SHK_CALL_getdents:
	case SHK_CALL_getdents64:
	case SHK_CALL_getcwd:
	case SHK_CALL_chdir:
	case SHK_CALL_fchdir:
	case SHK_CALL_chroot:
	case SHK_CALL_truncate:
	case SHK_CALL_ftruncate:
	case SHK_CALL_fallocate:
	case SHK_CALL_flock:
	case SHK_CALL_fsync:
	case SHK_CALL_fdatasync:
	case SHK_CALL_statfs:
	case SHK_CALL_fstatfs:
	case SHK_CALL_mount:
	case SHK_CALL_umount:
	case SHK_CALL_umount2:
	case SHK_CALL_fcntl:
	case SHK_CALL_dup:
	case SHK_CALL_dup2:
	case SHK_CALL_dup3:
	case SHK_CALL_utime:
	case SHK_CALL_utimes:
	case SHK_CALL_utimensat:
	case SHK_CALL_futimesat:
	case SHK_CALL_name_to_handle_at:
	case SHK_CALL_open_by_handle_at:
	case SHK_CALL_inotify_init:
	case SHK_CALL_inotify_init1:
	case SHK_CALL_inotify_add_watch:
	case SHK_CALL_inotify_rm_watch:
	case SHK_CALL_fanotify_init:
	case SHK_CALL_fanotify_mark:
	case SHK_CALL_copy_file_range:
	case SHK_CALL_splice:
	case SHK_CALL_tee:
	case SHK_CALL_vmsplice:
	case SHK_CALL_sync:
	case SHK_CALL_syncfs:
	case SHK_CALL_sync_file_range:
	case SHK_CALL_setxattr:
	case SHK_CALL_lsetxattr:
	case SHK_CALL_fsetxattr:
	case SHK_CALL_getxattr:
	case SHK_CALL_lgetxattr:
	case SHK_CALL_fgetxattr:
	case SHK_CALL_listxattr:
	case SHK_CALL_llistxattr:
	case SHK_CALL_flistxattr:
	case SHK_CALL_removexattr:
	case SHK_CALL_lremovexattr:
	case SHK_CALL_fremovexattr:
	case SHK_CALL_move_mount:
	case SHK_CALL_open_tree:
	case SHK_CALL_fsopen:
	case SHK_CALL_fsconfig:
	case SHK_CALL_fsmount:
	case SHK_CALL_fspick:
	case SHK_CALL_pivot_root:
	case SHK_CALL_stat64:
	case SHK_CALL_lstat64:
	case SHK_CALL_fstat64:
	case SHK_CALL_close_range:
	case SHK_CALL_quotactl:
	case SHK_CALL_ioctl:
	case SHK_CALL_readahead:
	case SHK_CALL_fadvise64:
		return "file";
	case SHK_CALL_socket:
	case SHK_CALL_bind:
	case SHK_CALL_connect:
	case SHK_CALL_listen:
	case SHK_CALL_accept:
	case SHK_CALL_accept4:
	case SHK_CALL_shutdown:
	case SHK_CALL_getsockname:
	case SHK_CALL_getpeername:
	case SHK_CALL_socketpair:
	case SHK_CALL_setsockopt:
	case SHK_CALL_getsockopt:
		return "net";
	case SHK_CALL_pipe:
	case SHK_CALL_pipe2:
	case SHK_CALL_eventfd:
	case SHK_CALL_eventfd2:
	case SHK_CALL_futex:
	case SHK_CALL_signalfd:
	case SHK_CALL_signalfd4:
	case SHK_CALL_semget:
	case SHK_CALL_semop:
	case SHK_CALL_semctl:
	case SHK_CALL_semtimedop:
	case SHK_CALL_shmget:
	case SHK_CALL_shmat:
	case SHK_CALL_shmdt:
	case SHK_CALL_shmctl:
	case SHK_CALL_msgget:
	case SHK_CALL_msgsnd:
	case SHK_CALL_msgrcv:
	case SHK_CALL_msgctl:
	case SHK_CALL_mq_open:
	case SHK_CALL_mq_unlink:
	case SHK_CALL_mq_timedsend:
	case SHK_CALL_mq_timedreceive:
	case SHK_CALL_mq_notify:
	case SHK_CALL_mq_getsetattr:
		return "IPC";
	case SHK_CALL_execve:
	case SHK_CALL_execveat:
	case SHK_CALL_clone:
	case SHK_CALL_clone3:
	case SHK_CALL_fork:
	case SHK_CALL_vfork:
	case SHK_CALL_exit:
	case SHK_CALL_exit_group:
	case SHK_CALL_prctl:
	case SHK_CALL_arch_prctl:
	case SHK_CALL_setsid:
	case SHK_CALL_getsid:
	case SHK_CALL_setpgid:
	case SHK_CALL_getpgid:
	case SHK_CALL_getpgrp:
	case SHK_CALL_getpid:
	case SHK_CALL_getppid:
	case SHK_CALL_gettid:
	case SHK_CALL_wait4:
	case SHK_CALL_waitid:
	case SHK_CALL_waitpid:
	case SHK_CALL_ptrace:
	case SHK_CALL_setns:
	case SHK_CALL_unshare:
	case SHK_CALL_capset:
	case SHK_CALL_capget:
	case SHK_CALL_seccomp:
	case SHK_CALL_personality:
	case SHK_CALL_setrlimit:
	case SHK_CALL_getrlimit:
	case SHK_CALL_prlimit64:
	case SHK_CALL_getrusage:
	case SHK_CALL_getpriority:
	case SHK_CALL_setpriority:
	case SHK_CALL_process_vm_readv:
	case SHK_CALL_process_vm_writev:
	case SHK_CALL_pidfd_open:
	case SHK_CALL_pidfd_getfd:
	case SHK_CALL_kcmp:
	case SHK_CALL_process_madvise:
	case SHK_CALL_process_mrelease:
		return "process";
	case SHK_CALL_mmap:
	case SHK_CALL_mmap2:
	case SHK_CALL_munmap:
	case SHK_CALL_brk:
	case SHK_CALL_mprotect:
	case SHK_CALL_mremap:
	case SHK_CALL_msync:
	case SHK_CALL_mincore:
	case SHK_CALL_madvise:
	case SHK_CALL_mlock:
	case SHK_CALL_mlock2:
	case SHK_CALL_munlock:
	case SHK_CALL_mlockall:
	case SHK_CALL_munlockall:
	case SHK_CALL_memfd_create:
	case SHK_CALL_memfd_secret:
	case SHK_CALL_userfaultfd:
	case SHK_CALL_mbind:
	case SHK_CALL_set_mempolicy:
	case SHK_CALL_get_mempolicy:
	case SHK_CALL_migrate_pages:
	case SHK_CALL_move_pages:
	case SHK_CALL_pkey_mprotect:
	case SHK_CALL_pkey_alloc:
	case SHK_CALL_pkey_free:
	case SHK_CALL_remap_file_pages:
	case SHK_CALL_membarrier:
		return "memory";
	case SHK_CALL_setuid:
	case SHK_CALL_setgid:
	case SHK_CALL_setreuid:
	case SHK_CALL_setregid:
	case SHK_CALL_setresuid:
	case SHK_CALL_setresgid:
	case SHK_CALL_getuid:
	case SHK_CALL_getgid:
	case SHK_CALL_geteuid:
	case SHK_CALL_getegid:
	case SHK_CALL_getresuid:
	case SHK_CALL_getresgid:
	case SHK_CALL_getgroups:
	case SHK_CALL_setgroups:
	case SHK_CALL_setfsuid:
	case SHK_CALL_setfsgid:
		return "user";
	case SHK_CALL_kill:
	case SHK_CALL_tkill:
	case SHK_CALL_tgkill:
	case SHK_CALL_rt_sigaction:
	case SHK_CALL_rt_sigprocmask:
	case SHK_CALL_rt_sigpending:
	case SHK_CALL_rt_sigtimedwait:
	case SHK_CALL_rt_sigqueueinfo:
	case SHK_CALL_rt_tgsigqueueinfo:
	case SHK_CALL_rt_sigsuspend:
	case SHK_CALL_rt_sigreturn:
	case SHK_CALL_sigaltstack:
	case SHK_CALL_pause:
	case SHK_CALL_alarm:
	case SHK_CALL_pidfd_send_signal:
	case SHK_CALL_signal:
	case SHK_CALL_sigaction:
		return "signal";
	case SHK_CALL_nanosleep:
	case SHK_CALL_clock_nanosleep:
		return "sleep";
	case SHK_CALL_select:
	case SHK_CALL_pselect6:
	case SHK_CALL_poll:
	case SHK_CALL_ppoll:
	case SHK_CALL_epoll_create:
	case SHK_CALL_epoll_create1:
	case SHK_CALL_epoll_wait:
	case SHK_CALL_epoll_pwait:
	case SHK_CALL_epoll_pwait2:
	case SHK_CALL_epoll_ctl:
		return "wait";
	case SHK_CALL_time:
	case SHK_CALL_stime:
	case SHK_CALL_gettimeofday:
	case SHK_CALL_settimeofday:
	case SHK_CALL_adjtimex:
	case SHK_CALL_clock_gettime:
	case SHK_CALL_clock_settime:
	case SHK_CALL_clock_getres:
	case SHK_CALL_clock_adjtime:
	case SHK_CALL_timer_create:
	case SHK_CALL_timer_settime:
	case SHK_CALL_timer_gettime:
	case SHK_CALL_timer_getoverrun:
	case SHK_CALL_timer_delete:
	case SHK_CALL_timerfd_create:
	case SHK_CALL_timerfd_settime:
	case SHK_CALL_timerfd_gettime:
	case SHK_CALL_getitimer:
	case SHK_CALL_setitimer:
	case SHK_CALL_times:
		return "time";
	case SHK_CALL_sched_yield:
	case SHK_CALL_sched_setparam:
	case SHK_CALL_sched_getparam:
	case SHK_CALL_sched_setscheduler:
	case SHK_CALL_sched_getscheduler:
	case SHK_CALL_sched_get_priority_max:
	case SHK_CALL_sched_get_priority_min:
	case SHK_CALL_sched_rr_get_interval:
	case SHK_CALL_sched_setaffinity:
	case SHK_CALL_sched_getaffinity:
	case SHK_CALL_sched_setattr:
	case SHK_CALL_sched_getattr:
	case SHK_CALL_getcpu:
		return "scheduler";
	case SHK_CALL_init_module:
	case SHK_CALL_finit_module:
	case SHK_CALL_delete_module:
	case SHK_CALL_create_module:
	case SHK_CALL_reboot:
	case SHK_CALL_kexec_load:
	case SHK_CALL_kexec_file_load:
	case SHK_CALL_sethostname:
	case SHK_CALL_setdomainname:
	case SHK_CALL_uname:
	case SHK_CALL_sysinfo:
	case SHK_CALL_syslog:
	case SHK_CALL_swapon:
	case SHK_CALL_swapoff:
	case SHK_CALL_acct:
	case SHK_CALL_iopl:
	case SHK_CALL_ioperm:
	case SHK_CALL_bpf:
	case SHK_CALL_perf_event_open:
	case SHK_CALL_add_key:
	case SHK_CALL_request_key:
	case SHK_CALL_keyctl:
	case SHK_CALL_sysfs:
	case SHK_CALL_ustat:
	case SHK_CALL_vhangup:
	case SHK_CALL_modify_ldt:
	case SHK_CALL__sysctl:
	case SHK_CALL_nfsservctl:
	case SHK_CALL_io_uring_setup:
	case SHK_CALL_io_uring_enter:
	case SHK_CALL_io_uring_register:
	case SHK_CALL_getrandom:
	case SHK_CALL_landlock_create_ruleset:
	case SHK_CALL_landlock_add_rule:
	case SHK_CALL_landlock_restrict_self:
		return "system";
	default:
		return "other";
	}
}

static const char *of_descriptor(struct shk_eval_ctx *ctx)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	if (!v->entry)
		return "unknown";
	if (v->type == 'f' || v->type == 'd')
		return "file";
	if (v->is_ip)
		return "net";
	return v->is_unix || v->type == 'p' || v->type == 'e' || v->type == 's' ? "IPC" : "unknown";
}

const char *shk_event_category(struct shk_eval_ctx *ctx)
{
	const struct shk_syscall *c = ctx->ev->call;

	if (!c)
		return "unknown";
	return shk_event_io(ctx->ev) != SHK_IO_NONE ? of_descriptor(ctx) : of_call(plain(c));
}

static bool category_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	(void)ref;
	return shk_set_z(out, shk_event_category(ctx));
}

static bool count_error(struct shk_eval_ctx *ctx, const char *category, struct shk_value *out)
{
	return shk_event_failed(ctx->ev) && !strcmp(shk_event_category(ctx), category) &&
	       shk_set_u(out, 1);
}

#define ERROR_GETTER(word)                                                                         \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return count_error(ctx, #word, out);                                               \
	}

ERROR_GETTER(file)
ERROR_GETTER(net)
ERROR_GETTER(memory)

static bool other_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const char *c = shk_event_category(ctx);

	(void)ref;
	return shk_event_failed(ctx->ev) && strcmp(c, "file") && strcmp(c, "net") &&
	       strcmp(c, "memory") && shk_set_u(out, 1);
}

#define ERROR(n, g, d)                                                                             \
	{ .name = (n), .class_name = "evt", .type = SHK_T_UINT64, .falco_type = "UINT32",          \
	  .flags = SHK_F_COSTLY, .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	{ .name = "evt.category", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_COSTLY, .get = category_get,
	  .doc = "Kind of work: file, net, IPC, process, memory, user, signal, sleep, wait, time, "
		 "scheduler, system, other, unknown." },
	ERROR("evt.count.error.file", file_get, "1 for a call of category file that failed, else missing."),
	ERROR("evt.count.error.net", net_get, "1 for a call of category net that failed, else missing."),
	ERROR("evt.count.error.memory", memory_get,
	      "1 for a call of category memory that failed, else missing."),
	ERROR("evt.count.error.other", other_get,
	      "1 for a call of another category that failed, else missing."),
};

SHK_FIELD_TABLE(shk_table_evt_category, table);
