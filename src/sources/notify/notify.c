// SPDX-License-Identifier: Apache-2.0
#include "sources/notify/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* include/uapi/linux/seccomp.h, Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

bool shk_notify_is_listener(int fd)
{
	static const char want[] = "anon_inode:seccomp notify";
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n == (ssize_t)sizeof(want) - 1 && memcmp(link, want, sizeof(want) - 1) == 0;
}

bool shk_notify_tune(int fd)
{
	/* Refused by older kernels: then the wake-up is an ordinary one. */
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, 0) == 0;
}

int shk_notify_check_sizes(struct shk_err *err)
{
	struct seccomp_notif_sizes s;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0)
		return shk_err_sys(err, errno, "seccomp user notification (Linux 5.0 or later)");
	if (s.seccomp_notif > sizeof(((struct shk_call_slot *)0)->room) ||
	    s.seccomp_notif_resp > sizeof(struct seccomp_notif_resp))
		return shk_err_set(err, E2BIG, "the kernel's notifications (%u and %u bytes) are larger "
				   "than this program knows; update shrike", s.seccomp_notif,
				   s.seccomp_notif_resp);
	return 0;
}

int shk_notify_recv(int fd, struct shk_call_slot *slot)
{
	/* The kernel insists on a zeroed buffer (kernel/seccomp.c, seccomp_notify_recv). */
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &slot->notif) < 0)
		return -errno;
	return 0;
}

int shk_notify_valid(int fd, uint64_t id)
{
	int r;

	/* EINTR: the listener's lock was waited for (kernel/seccomp.c), and nothing was asked. */
	do
		r = ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int respond(int fd, struct seccomp_notif_resp *r)
{
	int n;

	/* As above: a caller whose answer got lost would wait for good. */
	do
		n = ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, r);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int shk_notify_continue(int fd, uint64_t id)
{
	struct seccomp_notif_resp r = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	return respond(fd, &r);
}

int shk_notify_answer(int fd, uint64_t id, int error, int64_t val)
{
	struct seccomp_notif_resp r = { .id = id, .error = -error, .val = error ? 0 : val };

	return respond(fd, &r);
}

int shk_notify_give_quiet(int fd, uint64_t id, int srcfd, bool cloexec)
{
	struct seccomp_notif_addfd a = { .id = id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)srcfd,
					 .newfd_flags = cloexec ? O_CLOEXEC : 0 };
	int r = ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);

	if (r >= 0 || errno != EINVAL)
		return r < 0 ? -errno : r;
	r = shk_notify_install(fd, id, srcfd, cloexec);
	if (r >= 0)
		(void)shk_notify_answer(fd, id, 0, r);
	return r;
}

int shk_notify_install(int fd, uint64_t id, int srcfd, bool cloexec)
{
	struct seccomp_notif_addfd a = { .id = id, .srcfd = (uint32_t)srcfd, .newfd_flags = cloexec ? O_CLOEXEC : 0 };
	int r;

	/* EINTR: it is not there, or the number would have been returned (seccomp_notify_addfd). */
	do
		r = ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int shk_notify_give(int fd, uint64_t id, int srcfd, bool cloexec)
{
	sigset_t all, old;
	int r;

	/*
	 * The giver waits for its caller to take the descriptor. If a signal ends that wait, the kernel (seccomp_notify_addfd in
	 * kernel/seccomp.c) takes the descriptor back, but not that the call was answered: the caller goes on with 0.
	 */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = shk_notify_give_quiet(fd, id, srcfd, cloexec);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

bool shk_notify_hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static ssize_t read_task(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	struct shk_notify_ctx *ctx = ev->mem_ctx;
	struct iovec local = { buf, n }, remote = { (void *)(uintptr_t)addr, n };
	ssize_t r = process_vm_readv(ev->tid, &local, 1, &remote, 1, 0);

	if (r < 0)
		return -errno;
	ctx->unchecked = true;
	return ctx->later ? r : shk_notify_check(ctx) < 0 ? -ESRCH : r;
}

/* Only while the call still waits is the task surely the one that made it. */
int shk_notify_check(struct shk_notify_ctx *ctx)
{
	if (shk_notify_valid(ctx->fd, ctx->id) < 0)
		return -ESRCH;
	ctx->unchecked = false;
	return 0;
}

static const struct shk_mem_ops task_memory = { .read = read_task };

void shk_notify_event(struct shk_event *ev, const struct seccomp_notif *n,
		      struct shk_notify_ctx *ctx)
{
	int abi = shk_abi_of(n->data.arch, n->data.nr);

	ev->abi = abi < 0 ? SHK_ABI_X86_64 : (enum shk_abi)abi;
	ev->nr = n->data.nr;
	ev->call = abi < 0 ? NULL : shk_syscall_by_nr(ev->abi, n->data.nr);
	for (unsigned i = 0; i < 6; i++)
		ev->raw[i] = ev->abi == SHK_ABI_I386 ? (uint32_t)n->data.args[i] : n->data.args[i];
	ev->tid = (pid_t)n->pid;
	ev->sensor = SHK_SENSOR_NOTIFY;
	ev->attempt = true;
	ev->has_ret = true;
	ev->mem = &task_memory;
	ev->mem_ctx = ctx;
	/* Dozens of strings, mostly on one or two pages; each reading costs as much as a page. */
	ev->by_page = shk_event_is_exec(ev);
}
