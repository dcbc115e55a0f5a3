// SPDX-License-Identifier: Apache-2.0
#include "sources/ptrace/tracee.h"

#if defined(__x86_64__)

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"
#include "sources/ptrace/task.h"

#define USER_CS	    0x33       /* __USER_CS, arch/x86/include/asm/segment.h */
#define X32_BIT	    0x40000000 /* __X32_SYSCALL_BIT */
#define EXTRA_NS    1000000000u /* for putting things back after the time is up */
#define STOPS_MAX   256	       /* stops looked at for one wanted */
#define RESTARTS_MAX 4
#define SYSCALL_BYTES 2	       /* of the instruction */

static int died(const struct shk_tracee *t, struct shk_err *err)
{
	return shk_err_set(err, ESRCH, "process %d ended while a filter was being put into it",
			   (int)t->tid);
}

/* Calls that our own fresh filter notifies of have nobody else to answer them. */
static void continue_own_calls(struct shk_tracee *t)
{
	union {
		struct seccomp_notif n;
		char room[1024]; /* the kernel's struct may be longer than ours */
	} u;
	struct pollfd p = { .fd = t->listener, .events = POLLIN };
	struct seccomp_notif_resp r;

	if (t->listener < 0 || poll(&p, 1, 0) != 1 || !(p.revents & POLLIN))
		return;
	memset(&u, 0, sizeof(u));
	if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0)
		return;
	r = (struct seccomp_notif_resp){ .id = u.n.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* A dead tracee that is somebody else's child stays a zombie until its tracer has waited for it; our own child
 * must stay one for whoever waits for it here. */
static void collect(const struct shk_tracee *t)
{
	struct shk_task_facts f;
	int st;

	if (shk_task_read(t->tid, &f) == 0 && f.ppid == getpid())
		return;
	waitpid(t->tid, &st, __WALL | WNOHANG);
}

/* Waits for the next stop. */
static int wait_stop(struct shk_tracee *t, struct shk_err *err)
{
	long nap = 20000;

	for (;;) {
		siginfo_t si = { 0 }, stop = { 0 };

		continue_own_calls(t);
		if (waitid(P_PID, (id_t)t->tid, &si,
			   WEXITED | WSTOPPED | __WALL | WNOHANG | WNOWAIT) < 0) {
			if (errno == EINTR)
				continue;
			t->seized = false;
			return died(t, err);
		}
		if (si.si_pid == t->tid) {
			if (si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED) {
				collect(t);
				t->seized = false;
				return died(t, err);
			}
			/* Stops alone: it may have been killed since, and its end is not ours to take. */
			if (waitid(P_PID, (id_t)t->tid, &stop, WSTOPPED | __WALL | WNOHANG) < 0 ||
			    stop.si_pid != t->tid)
				continue;
			t->stop_sig = stop.si_status & 0xff;
			if (stop.si_status >> 8 == PTRACE_EVENT_STOP)
				t->stop = SHK_STOP_EVENT;
			else if (t->stop_sig == (SIGTRAP | 0x80))
				t->stop = SHK_STOP_SYSCALL;
			else
				t->stop = SHK_STOP_SIGNAL;
			return 0;
		}
		if (shk_now_mono() >= t->due)
			return shk_err_set(err, ETIMEDOUT, "process %d did not stop in time; is it "
					   "frozen, or in an uninterruptible wait?", (int)t->tid);
		/* No descriptor becomes readable at a ptrace stop, and SIGCHLD is the program's. */
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = nap }, NULL);
		nap = SHK_MIN(nap * 2, 1000000);
	}
}

static int trace(struct shk_tracee *t, enum __ptrace_request req, void *addr, void *data,
		 struct shk_err *err)
{
	if (ptrace(req, t->tid, addr, data) == 0)
		return 0;
	if (errno == ESRCH)
		return died(t, err);
	return shk_err_sys(err, errno, "ptrace request %d of process %d", (int)req, (int)t->tid);
}

static int resume(struct shk_tracee *t, enum __ptrace_request req, int sig, struct shk_err *err)
{
	int r = trace(t, req, NULL, (void *)(intptr_t)sig, err);

	if (r == 0)
		t->stop = SHK_STOP_NONE;
	return r;
}

/* Signals that come although asynchronous ones are blocked: SIGSTOP, and faults. They are taken away
 * now and sent again at the end; a fault cannot be meant for an injected call but for SIGSYS of a
 * filter that traps it. */
static void put_off_signal(struct shk_tracee *t)
{
	siginfo_t si;

	if (t->stop_sig == SIGSYS && ptrace(PTRACE_GETSIGINFO, t->tid, NULL, &si) == 0 &&
	    si.si_code > 0) {
		t->trapped = true;
		return;
	}
	if (t->n_later < SHK_TRACEE_SIGNALS)
		t->later[t->n_later++] = t->stop_sig;
}

static int run_to(struct shk_tracee *t, enum __ptrace_request req, enum shk_stop want,
		  struct shk_err *err)
{
	for (unsigned i = 0; i < STOPS_MAX; i++) {
		int r = resume(t, req, 0, err);

		if (r == 0)
			r = wait_stop(t, err);
		if (r < 0 || t->stop == want)
			return r;
		if (t->stop == SHK_STOP_SIGNAL)
			put_off_signal(t);
		/* Any other stop has used up a pending PTRACE_INTERRUPT (ptrace_stop() in kernel/signal.c). */
		if (want == SHK_STOP_EVENT)
			ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	}
	return shk_err_set(err, ETIMEDOUT, "process %d stops without end; somebody sends it signals",
			   (int)t->tid);
}

/* The first stop, which was asked for. Signals on their way are delivered as usual: their handlers have not begun, and
 * begin only when the task runs again. */
static int first_stop(struct shk_tracee *t, struct shk_err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < STOPS_MAX; i++) {
		r = wait_stop(t, err);
		if (r < 0 || t->stop == SHK_STOP_EVENT)
			return r;
		ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
		r = resume(t, PTRACE_CONT, t->stop == SHK_STOP_SIGNAL ? t->stop_sig : 0, err);
	}
	return r < 0 ? r : shk_err_set(err, ETIMEDOUT, "process %d is flooded with signals",
				       (int)t->tid);
}

static int seize(struct shk_tracee *t, struct shk_err *err)
{
	struct shk_task_facts f;
	char comm[32];
	int e;

	if (ptrace(PTRACE_SEIZE, t->tid, NULL,
		   (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) == 0) {
		t->seized = true;
		return 0;
	}
	e = errno;
	if (shk_task_read(t->tid, &f) < 0 || f.state == 'Z' || f.state == 'X' || e == ESRCH)
		return shk_err_set(err, ESRCH, "process %d ended", (int)t->tid);
	if (f.tracer)
		return shk_err_set(err, EPERM, "process %d is traced already by process %d (%s); "
				   "end that tracer", (int)t->tid, (int)f.tracer,
				   shk_task_comm(f.tracer, comm, sizeof(comm)));
	if (e == EPERM)
		return shk_err_set(err, EPERM, "not permitted to trace process %d; it needs "
				   "CAP_SYS_PTRACE and kernel.yama.ptrace_scope below 3, without "
				   "root use shrike-runtime instead of the hook", (int)t->tid);
	return shk_err_sys(err, e, "trace process %d", (int)t->tid);
}

/* Registers and mask are saved, asynchronous signals kept away. */
static int prepare(struct shk_tracee *t, struct shk_err *err)
{
	/* Faults stay deliverable: blocked, the kernel would make them fatal (force_sig_info). */
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	uint64_t all = ~(uint64_t)0;
	int r = trace(t, PTRACE_GETREGS, NULL, &t->regs, err);

	if (r == 0 && (t->regs.cs != USER_CS ||
		       ((long)t->regs.orig_rax >= 0 && (t->regs.orig_rax & X32_BIT))))
		r = shk_err_set(err, EOPNOTSUPP, "process %d is an i386 or x32 program; a filter can be "
				"put into x86_64 programs only, use shrike-runtime", (int)t->tid);
	if (r == 0)
		r = trace(t, PTRACE_GETSIGMASK, (void *)sizeof(t->mask), &t->mask, err);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(faults); i++)
		all &= ~((uint64_t)1 << (faults[i] - 1));
	if (r == 0) {
		t->changed = true;
		r = trace(t, PTRACE_SETSIGMASK, (void *)sizeof(all), &all, err);
	}
	if (r == 0)
		r = shk_task_find_syscall(t->tid, t->regs.rip,
					  (long)t->regs.orig_rax >= 0, &t->insn, err);
	return r;
}

/* Nothing is left to do after a failure r. */
static int give_up(struct shk_tracee *t, int r, struct shk_err *err)
{
	r = shk_tracee_blame(t, r, err);
	shk_tracee_release(t, NULL);
	return r;
}

int shk_tracee_seize(struct shk_tracee *t, pid_t tid, int pidfd, int timeout_ms, struct shk_err *err)
{
	int r;

	*t = (struct shk_tracee){ .tid = tid, .pidfd = pidfd, .listener = -1 };
	t->due = shk_now_mono() + (uint64_t)SHK_MAX(timeout_ms, 1) * 1000000;
	r = shk_task_is_of_pidfd(tid, pidfd, &t->tgid, err);
	if (r == 0)
		r = seize(t, err);
	if (r < 0)
		return r;
	/* Seized: the number cannot change its owner any more. Was it still the right one? */
	r = shk_task_is_of_pidfd(tid, pidfd, &t->tgid, err);
	if (r == 0)
		r = trace(t, PTRACE_INTERRUPT, NULL, NULL, err);
	return r < 0 ? give_up(t, r, err) : 0;
}

int shk_tracee_stop(struct shk_tracee *t, struct shk_err *err)
{
	int r = first_stop(t, err);

	if (r == 0)
		r = prepare(t, err);
	return r < 0 ? give_up(t, r, err) : 0;
}

bool shk_tracee_again(struct shk_tracee *t, int failed)
{
	long nr = (long)t->regs.orig_rax;

	if ((nr != SYS_execve && nr != SYS_execveat) || (long)t->regs.rax != -(long)failed)
		return false;
	t->regs.rax = (unsigned long)nr;
	t->regs.rip -= SYSCALL_BYTES;
	/* Not in a call any more: or the kernel would look for one to restart. */
	t->regs.orig_rax = (unsigned long)-1;
	return true;
}

int shk_tracee_attach(struct shk_tracee *t, pid_t tid, int pidfd, int timeout_ms,
		      struct shk_err *err)
{
	int r = shk_tracee_seize(t, tid, pidfd, timeout_ms, err);

	return r < 0 ? r : shk_tracee_stop(t, err);
}

int shk_tracee_adopt(struct shk_tracee *t, pid_t tid, pid_t tgid, int pidfd, int timeout_ms,
		     struct shk_err *err)
{
	int r;

	*t = (struct shk_tracee){ .tid = tid, .tgid = tgid, .pidfd = pidfd, .listener = -1,
				  .seized = true, .stop = SHK_STOP_EVENT };
	t->due = shk_now_mono() + (uint64_t)SHK_MAX(timeout_ms, 1) * 1000000;
	/* Stopped, or not: the execve of another thread may have put it in that one's place. */
	if (ptrace(PTRACE_SETOPTIONS, tid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0)
		return errno == ESRCH ? shk_err_set(err, EINPROGRESS, "process %d is not stopped", (int)tid) :
					shk_err_sys(err, errno, "ptrace options of process %d", (int)tid);
	r = prepare(t, err);
	return r < 0 ? give_up(t, r, err) : 0;
}

static int at_syscall(struct shk_tracee *t, unsigned op, long nr, struct shk_err *err)
{
	struct __ptrace_syscall_info i = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof(i), &i) < 0)
		return errno == ESRCH ? died(t, err) : shk_err_sys(err, errno, "system call info");
	if (i.op != op || (op == PTRACE_SYSCALL_INFO_ENTRY && i.entry.nr != (uint64_t)nr))
		return shk_err_set(err, EIO, "process %d did not make the injected system call",
				   (int)t->tid);
	return 0;
}

/* A filter that traps or kills leaves a SIGSYS behind the call's end: the only sign of it, because the result
 * register then holds the call's number again (syscall_rollback). Taken away here, or fatal. */
static int take_sigsys(struct shk_tracee *t, struct shk_err *err)
{
	struct __ptrace_peeksiginfo_args a = { .nr = 32 };
	bool found = false;
	siginfo_t si[32];
	long n;
	int r;

	n = ptrace((enum __ptrace_request)PTRACE_PEEKSIGINFO, t->tid, &a, si);
	for (long i = 0; i < n; i++)
		found |= si[i].si_signo == SIGSYS && si[i].si_code > 0;
	if (!found)
		return 0;
	/* Faults are dequeued before everything else, so this stop is its delivery. */
	r = resume(t, PTRACE_CONT, 0, err);
	if (r == 0)
		r = wait_stop(t, err);
	if (r == 0 && t->stop == SHK_STOP_SIGNAL)
		put_off_signal(t);
	return r;
}

int shk_tracee_call(struct shk_tracee *t, long nr, const unsigned long args[6], long *ret,
		    struct shk_err *err)
{
	for (unsigned i = 0;; i++) {
		struct user_regs_struct g = t->regs;
		int r;

		g.rip = t->insn;
		g.rax = (unsigned long)nr;
		g.orig_rax = (unsigned long)-1; /* no call to restart */
		g.rdi = args[0];
		g.rsi = args[1];
		g.rdx = args[2];
		g.r10 = args[3];
		g.r8 = args[4];
		g.r9 = args[5];
		t->changed = true;
		t->trapped = false;
		r = trace(t, PTRACE_SETREGS, NULL, &g, err);
		if (r == 0)
			r = run_to(t, PTRACE_SYSCALL, SHK_STOP_SYSCALL, err);
		if (r == 0)
			r = at_syscall(t, PTRACE_SYSCALL_INFO_ENTRY, nr, err);
		if (r == 0)
			r = run_to(t, PTRACE_SYSCALL, SHK_STOP_SYSCALL, err);
		if (r == 0)
			r = at_syscall(t, PTRACE_SYSCALL_INFO_EXIT, nr, err);
		if (r == 0)
			r = trace(t, PTRACE_GETREGS, NULL, &g, err);
		if (r == 0)
			r = take_sigsys(t, err);
		/* To where the next call can be set up, or everything put back. */
		if (r == 0)
			r = trace(t, PTRACE_INTERRUPT, NULL, NULL, err);
		if (r == 0)
			r = run_to(t, PTRACE_CONT, SHK_STOP_EVENT, err);
		if (r < 0)
			return r;
		*ret = t->trapped ? -EPERM : (long)g.rax;
		/* ERESTARTSYS to ERESTART_RESTARTBLOCK: a stop signal came in between. */
		if (*ret > -512 || *ret < -516 || i == RESTARTS_MAX)
			return 0;
	}
}

int shk_tracee_write(struct shk_tracee *t, unsigned long addr, const void *p, size_t n,
		     struct shk_err *err)
{
	struct iovec l = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct iovec r = { .iov_base = (void *)addr, .iov_len = n };
	const char *c = p;

	if (process_vm_writev(t->tid, &l, 1, &r, 1, 0) == (ssize_t)n)
		return 0;
	/* The call may be refused to this process (its own filter, a LSM): a word at a time then. */
	for (size_t i = 0; i < n; i += sizeof(long)) {
		unsigned long w = 0;

		memcpy(&w, c + i, SHK_MIN(sizeof(w), n - i));
		if (ptrace(PTRACE_POKEDATA, t->tid, (void *)(addr + i), (void *)w) < 0)
			return errno == ESRCH ? died(t, err) :
						shk_err_sys(err, errno, "write to process %d",
							    (int)t->tid);
	}
	return 0;
}

int shk_tracee_blame(struct shk_tracee *t, int r, struct shk_err *err)
{
	struct user_regs_struct regs;

	/* Only SIGKILL ends a stop of ours, and requests to a task that is not stopped get ESRCH. */
	if (r < 0 && r != -ESRCH && t->seized && t->stop != SHK_STOP_NONE &&
	    ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0 && errno == ESRCH)
		return died(t, err);
	return r;
}

void shk_tracee_kill(struct shk_tracee *t)
{
	struct shk_err err;

	if (!t->seized)
		return;
	shk_pidfd_signal(t->pidfd, SIGKILL);
	t->due = shk_now_mono() + EXTRA_NS;
	while (t->seized && wait_stop(t, &err) == 0)
		;
	t->seized = false;
}

/* To the stop at which the kernel looks at orig_rax again and restarts, with what was there before. */
static int put_back(struct shk_tracee *t, struct shk_err *err)
{
	int r = 0;

	t->due = SHK_MAX(t->due, shk_now_mono() + EXTRA_NS);
	if (t->stop != SHK_STOP_EVENT) {
		r = trace(t, PTRACE_INTERRUPT, NULL, NULL, err);
		if (r == 0 && t->stop == SHK_STOP_NONE)
			r = wait_stop(t, err);
		if (r == 0 && t->stop == SHK_STOP_SIGNAL && t->changed)
			put_off_signal(t);
		if (r == 0 && t->stop != SHK_STOP_EVENT) {
			ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
			r = run_to(t, PTRACE_CONT, SHK_STOP_EVENT, err);
		}
	}
	if (r == 0 && t->changed) {
		r = trace(t, PTRACE_SETREGS, NULL, &t->regs, err);
		if (r == 0)
			r = trace(t, PTRACE_SETSIGMASK, (void *)sizeof(t->mask), &t->mask, err);
	}
	for (unsigned i = 0; r == 0 && i < t->n_later; i++)
		syscall(SYS_tgkill, t->tgid, t->tid, t->later[i]);
	return r;
}

int shk_tracee_release(struct shk_tracee *t, struct shk_err *err)
{
	int r;

	if (!t->seized)
		return 0;
	r = put_back(t, err);
	if (r == 0)
		r = trace(t, PTRACE_DETACH, NULL, NULL, err);
	if (r < 0)
		shk_tracee_kill(t);
	t->seized = false;
	return r;
}

int shk_tracee_return(struct shk_tracee *t, unsigned long options, struct shk_err *err)
{
	int r;

	if (!t->seized)
		return shk_err_set(err, ESRCH, "process %d is not traced any more", (int)t->tid);
	r = put_back(t, err);
	if (r == 0)
		r = trace(t, PTRACE_SETOPTIONS, NULL, (void *)options, err);
	if (r < 0)
		shk_tracee_kill(t);
	t->seized = false;
	return r;
}

#else

#include <errno.h>

int shk_tracee_adopt(struct shk_tracee *t, pid_t tid, pid_t tgid, int pidfd, int timeout_ms,
		     struct shk_err *err)
{
	(void)t, (void)tid, (void)tgid, (void)pidfd, (void)timeout_ms;
	return shk_err_set(err, EOPNOTSUPP, "tasks are stopped on x86_64 only");
}

int shk_tracee_call(struct shk_tracee *t, long nr, const unsigned long args[6], long *ret,
		    struct shk_err *err)
{
	(void)t, (void)nr, (void)args, (void)ret;
	return shk_err_set(err, EOPNOTSUPP, "tasks are stopped on x86_64 only");
}

int shk_tracee_release(struct shk_tracee *t, struct shk_err *err)
{
	(void)t, (void)err;
	return 0;
}

int shk_tracee_return(struct shk_tracee *t, unsigned long options, struct shk_err *err)
{
	(void)t, (void)options, (void)err;
	return 0;
}

#endif
