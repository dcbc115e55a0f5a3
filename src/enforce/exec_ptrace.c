// SPDX-License-Identifier: Apache-2.0
/*
 * PTRACE_EVENT_EXEC: the kernel stops a traced task when the new program is loaded and before it runs.
 *
 * While the caller waits for its answer it is seized, which it does not notice, interrupted (PTRACE_INTERRUPT) and let go, so
 * that the next stop comes for certain: at PTRACE_EVENT_EXEC when a program was loaded, which uses the interrupt
 * up (ptrace_stop() in kernel/signal.c), or else where the failed call returns. Signals are not looked at before that stop and
 * are handed on by the detach; a call that the kernel restarts is notified anew, and judged anew.
 *
 * A listener without WAIT_KILLABLE_RECV tells of itself: the interrupt ends its caller's wait, and the call begins again.
 * From then on its callers are let go first, and interrupted wherever they are by then.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforce/exec.h"
#include "sources/ptrace/task.h"

#define STOPS_MAX  64
#define OURS_TRIES 500 /* milliseconds */

enum stop { STOP_EXEC, STOP_SIGNAL, STOP_OTHER, STOP_DEAD };

/* The next thing that happens to the one tracee of this thread. An execve of a thread makes its number that of the
 * process, so it is not waited for by number. Its end is taken from here, and passed on to its parent. */
static enum stop next_stop(pid_t *pid, int *sig)
{
	siginfo_t si = { 0 };
	int r;

	do
		r = waitid(P_ALL, 0, &si, WEXITED | WSTOPPED | __WALL | __WNOTHREAD);
	while (r < 0 && errno == EINTR);
	/* ECHILD: another thread's execve took the place of the tracee. */
	if (r < 0 || (si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED))
		return STOP_DEAD;
	*pid = si.si_pid;
	*sig = si.si_status & 0xff;
	if (si.si_status >> 8 == PTRACE_EVENT_EXEC)
		return STOP_EXEC;
	return si.si_status >> 8 ? STOP_OTHER : STOP_SIGNAL;
}

/* From a stop. A task that is killed meanwhile is waited for, or it would stay a zombie. */
static bool detach(pid_t pid, int sig)
{
	if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig) == 0)
		return true;
	while (next_stop(&pid, &sig) != STOP_DEAD)
		if (ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0)
			return true;
	return false;
}

/* Its number is the tracee's until its end is taken. */
static void kill_it(pid_t pid)
{
	int sig;

	kill(pid, SIGKILL);
	for (unsigned i = 0; i < STOPS_MAX && next_stop(&pid, &sig) != STOP_DEAD; i++)
		kill(pid, SIGKILL);
}

/* The caller no longer waits for us, and has been interrupted: it goes on as it is. */
static enum stop let_be(pid_t tid)
{
	enum stop at;
	pid_t pid = tid;
	int sig;

	at = next_stop(&pid, &sig);
	if (at == STOP_EXEC) /* nobody let it go */
		kill_it(pid);
	else if (at != STOP_DEAD)
		detach(pid, at == STOP_SIGNAL ? sig : 0);
	return at;
}

/* A caller that was let go first may have come to its next execve before it was interrupted. The interrupt ends that wait. */
static bool is_ours(const struct shk_exec_call *c)
{
	struct shk_task_facts f;

	return c->waits(c->arg) == 0 && shk_task_read(c->tid, &f) == 0 && f.tracer &&
	       syscall(SYS_tgkill, getpid(), f.tracer, 0) == 0;
}

static int seize(const struct shk_exec_call *c)
{
	for (unsigned i = 0;; i++) {
		if (ptrace(PTRACE_SEIZE, c->tid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC)) == 0)
			return 0;
		if (errno != EPERM || i == OURS_TRIES || !is_ours(c))
			return -errno;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static enum shk_exec_end not_seized(const struct shk_exec_call *c, int err)
{
	struct shk_task_facts f;

	if (c->waits(c->arg) < 0 || shk_task_read(c->tid, &f) < 0)
		return SHK_EXEC_GONE;
	if (f.tracer) {
		shk_buf_printf(c->what, "it is being traced by process %d", (int)f.tracer);
		return SHK_EXEC_TRACED;
	}
	shk_buf_printf(c->what, "it cannot be traced (%s); needed are CAP_SYS_PTRACE and kernel.yama.ptrace_scope below 3",
		       shk_errno_name(err));
	return SHK_EXEC_UNABLE;
}

static enum shk_exec_end loaded(const struct shk_exec_call *c, pid_t pid)
{
	int r = shk_exec_compare(pid, c->judged, c->what);

	if (r == 0)
		return detach(pid, 0) ? SHK_EXEC_RUNS : SHK_EXEC_GONE;
	/* Somebody may have killed it while it was looked at: then nothing was read, and nothing is to be told. */
	if (r < 0) {
		unsigned long message;

		if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) < 0) {
			kill_it(pid);
			return SHK_EXEC_GONE;
		}
		shk_buf_printf(c->what, "what was loaded cannot be read (%s)", shk_errno_name(-r));
	}
	kill_it(pid);
	return SHK_EXEC_EXCHANGED;
}

static enum shk_exec_end run(const struct shk_exec_call *c)
{
	bool ends = atomic_load(c->signals_end_wait), waits;
	pid_t pid = c->tid;
	int sig, r = seize(c);

	if (r < 0)
		return not_seized(c, -r);
	/* Seized: the number cannot change its owner any more. Was it still the caller's? */
	waits = c->waits(c->arg) == 0;
	if (!ends || !waits)
		ptrace(PTRACE_INTERRUPT, c->tid, NULL, NULL);
	if (!waits || c->go(c->arg) < 0) {
		if (ends && waits)
			ptrace(PTRACE_INTERRUPT, c->tid, NULL, NULL);
		if (let_be(c->tid) == STOP_OTHER && waits && !ends)
			atomic_store(c->signals_end_wait, true);
		return SHK_EXEC_GONE;
	}
	if (ends)
		ptrace(PTRACE_INTERRUPT, c->tid, NULL, NULL);
	switch (next_stop(&pid, &sig)) {
	case STOP_EXEC:
		return loaded(c, pid);
	case STOP_SIGNAL:
		return detach(pid, sig) ? SHK_EXEC_FAILED : SHK_EXEC_GONE;
	case STOP_OTHER:
		return detach(pid, 0) ? SHK_EXEC_FAILED : SHK_EXEC_GONE;
	case STOP_DEAD:
		break;
	}
	return SHK_EXEC_GONE;
}

const struct shk_exec_verifier shk_exec_by_ptrace = { .name = "ptrace", .run = run };
