// SPDX-License-Identifier: Apache-2.0
#include "sources/ptrace/inject.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "sources/ptrace/tracee.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* linux/seccomp.h, 5.19 */
#endif

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4) /* linux/seccomp.h, 5.7 */
#endif

#if defined(__x86_64__)

#define PAGE 4096ul

/* The scratch mapping: a sock_fprog, its filter behind it. */
static int fill_scratch(struct shk_tracee *t, const struct shk_inject *req, unsigned long at,
			struct shk_err *err)
{
	struct {
		uint64_t len, filter; /* struct sock_fprog of an x86_64 program */
	} prog = { req->bpf_len, at + sizeof(prog) };
	int r = shk_tracee_write(t, at, &prog, sizeof(prog), err);

	if (r == 0)
		r = shk_tracee_write(t, at + sizeof(prog), req->bpf,
				     sizeof(*req->bpf) * req->bpf_len, err);
	return r;
}

static int refused(const struct shk_tracee *t, const char *what, long res, struct shk_err *err)
{
	switch (-res) {
	case EBUSY:
		return shk_err_set(err, EBUSY, "process %d has a seccomp listener already; one "
				   "supervisor per container: remove the other's listenerPath or "
				   "NOTIFY rules", (int)t->tid);
	case EACCES:
		return shk_err_set(err, EACCES, "process %d may not install a filter: it has neither "
				   "CAP_SYS_ADMIN in its user namespace nor no_new_privs; set "
				   "process.noNewPrivileges, or use shrike-runtime", (int)t->tid);
	case EPERM:
	case ENOSYS:
		return shk_err_set(err, EACCES, "%s in process %d was refused (%s) by a seccomp filter "
				   "it has already; use shrike-runtime", what, (int)t->tid,
				   shk_errno_name((int)-res));
	case EINVAL:
		return shk_err_set(err, EINVAL, "%s in process %d: invalid filter, or a kernel without "
				   "seccomp user notification (before 5.0)", what, (int)t->tid);
	}
	return shk_err_sys(err, res < 0 && res > -4096 ? (int)-res : EIO, "%s in process %d", what,
			   (int)t->tid);
}

/* One attempt. With TSYNC the kernel answers ESRCH when another thread has filters that this one lacks. */
static int try_install(struct shk_tracee *t, const struct shk_inject *req, unsigned long scratch,
		       unsigned flags, long *res, struct shk_err *err)
{
	unsigned long a[6] = { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, scratch };

	if (req->tsync)
		a[1] |= SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	return shk_tracee_call(t, SYS_seccomp, a, res, err);
}

static int set_nnp(struct shk_tracee *t, struct shk_err *err)
{
	unsigned long a[6] = { PR_SET_NO_NEW_PRIVS, 1 };
	long res;
	int r = shk_tracee_call(t, SYS_prctl, a, &res, err);

	return r < 0 || res == 0 ? r : refused(t, "prctl(2)", res, err);
}

/* Installs the filter; returns the listener's number in the target or -errno. *unsure: whether the filter was
 * installed is not known, because tracing failed around the call. */
static int install(struct shk_tracee *t, const struct shk_inject *req, unsigned long scratch,
		   struct shk_injected *done, bool *unsure, struct shk_err *err)
{
	unsigned f = req->flags & ~(unsigned)SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long res;
	int r = try_install(t, req, scratch, f, &res, err);

	if (r == 0 && res == -EACCES && req->may_nnp) {
		r = set_nnp(t, err);
		if (r < 0)
			return r;
		done->nnp = true;
		r = try_install(t, req, scratch, f, &res, err);
	}
	if (r == 0 && res == -EINVAL && (f & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) {
		f &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
		r = try_install(t, req, scratch, f, &res, err);
	}
	*unsure = r < 0;
	if (r < 0)
		return r;
	if (res == -ESRCH && req->tsync)
		return shk_err_set(err, ENOTUNIQ, "the threads of process %d have different filters",
				   (int)t->tgid);
	if (res < 0 || res > INT32_MAX)
		return refused(t, "seccomp(2)", res, err);
	done->flags = f;
	return (int)res;
}

/* The listener's number in the target becomes a descriptor here. Another thread of the target may
 * have put something else there meanwhile. */
static int fetch(struct shk_tracee *t, int number, struct shk_err *err)
{
	_cleanup_close_ int fd = shk_pidfd_getfd(t->pidfd, number);
	char path[64], link[64];
	ssize_t n;

	if (fd < 0)
		return shk_err_sys(err, -fd, "take the listener from process %d", (int)t->tid);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	if (strcmp(link, "anon_inode:seccomp notify") != 0)
		return shk_err_set(err, EIO, "descriptor %d of process %d is no seccomp listener",
				   number, (int)t->tid);
	return TAKE_FD(fd);
}

static int must_be_zero(struct shk_tracee *t, long nr, const char *what, unsigned long a0,
			unsigned long a1, struct shk_err *err)
{
	unsigned long a[6] = { a0, a1 };
	long res;
	int r = shk_tracee_call(t, nr, a, &res, err);

	return r < 0 || res == 0 ? r : refused(t, what, res, err);
}

int shk_inject_stopped(struct shk_tracee *t, const struct shk_inject *req, struct shk_injected *ret,
		       struct shk_err *err)
{
	unsigned long len = sizeof(uint64_t) * 2 + sizeof(*req->bpf) * req->bpf_len;
	unsigned long a[6] = { 0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       (unsigned long)-1 };
	_cleanup_close_ int fd = -1;
	bool unsure = false;
	long scratch;
	int number, r;

	*ret = (struct shk_injected){ 0 };
	r = shk_tracee_call(t, SYS_mmap, a, &scratch, err);
	if (r == 0 && (scratch <= 0 || (unsigned long)scratch % PAGE))
		r = refused(t, "mmap(2)", scratch < 0 ? scratch : -EIO, err);
	if (r < 0)
		goto undo;
	r = fill_scratch(t, req, (unsigned long)scratch, err);
	number = r < 0 ? r : install(t, req, (unsigned long)scratch, ret, &unsure, err);
	if (number < 0)
		number = shk_tracee_blame(t, number, err);
	if (unsure) {
		shk_tracee_kill(t);
		return number;
	}
	if (number < 0) {
		r = number;
		if (t->seized && must_be_zero(t, SYS_munmap, "munmap(2)", (unsigned long)scratch, len,
					      NULL) == 0 && (r == -EBUSY || r == -ENOTUNIQ))
			return r;
		goto undo;
	}
	/* From here on the target has a filter that only this process can serve: it goes on with all
	 * of it, or not at all. */
	fd = fetch(t, number, err);
	r = SHK_MIN(fd, 0);
	t->listener = fd;
	if (r == 0)
		r = must_be_zero(t, SYS_close, "close(2)", (unsigned long)number, 0, err);
	if (r == 0)
		r = must_be_zero(t, SYS_munmap, "munmap(2)", (unsigned long)scratch, len, err);
	if (r == 0)
		r = req->stay ? shk_tracee_return(t, req->stay, err) : shk_tracee_release(t, err);
	if (r < 0) {
		r = shk_tracee_blame(t, r, err);
		shk_tracee_kill(t);
		return r;
	}
	return TAKE_FD(fd);
undo:
	shk_tracee_release(t, NULL);
	return r;
}

int shk_inject_filter(const struct shk_inject *req, int timeout_ms, unsigned *ret_flags,
		      struct shk_err *err)
{
	struct shk_injected done;
	struct shk_tracee t;
	int r = shk_tracee_attach(&t, req->tid, req->pidfd, timeout_ms, err);

	if (r < 0)
		return r;
	r = shk_inject_stopped(&t, req, &done, err);
	if (r < 0)
		shk_tracee_release(&t, NULL);
	else if (ret_flags)
		*ret_flags = done.flags;
	return r;
}

#else

int shk_inject_filter(const struct shk_inject *req, int timeout_ms, unsigned *ret_flags,
		      struct shk_err *err)
{
	(void)req, (void)timeout_ms, (void)ret_flags;
	return shk_err_set(err, EOPNOTSUPP,
			   "filters are injected on x86_64 only; use shrike-runtime on this machine");
}

int shk_inject_stopped(struct shk_tracee *t, const struct shk_inject *req, struct shk_injected *ret,
		       struct shk_err *err)
{
	(void)t, (void)ret;
	return shk_inject_filter(req, 0, NULL, err);
}

#endif
