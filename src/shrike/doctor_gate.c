// SPDX-License-Identifier: Apache-2.0
/*
 * Can an exec session be given its filter before its first program?
 *
 * Tried in a child with a mount namespace of its own, where a grandchild runs a program: the kernel has to ask, and while it
 * waits for the answer the grandchild must be traceable. Where its execve already holds the lock that tracing needs the child
 * waits for ever; an alarm ends it, and the grandchild with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/bar.h"
#include "shrike/doctor.h"
#include "sources/fanotify/permit.h"
#include "verdict/hold.h"

#define PROBE_S	 2
#define PROBE_MS 1000

enum { WORKS, REFUSED, NOT_ASKED, NOT_TRACED };

static void in_child(void)
{
	struct shk_permit_event ev = { 0 };
	struct pollfd p = { .events = POLLIN };
	int root;
	pid_t pid;

	signal(SIGALRM, SIG_DFL);
	alarm(PROBE_S);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(REFUSED);
	root = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	p.fd = shk_permit_new();
	if (p.fd < 0 || root < 0 || shk_permit_mark(p.fd, root) < 0)
		_exit(REFUSED);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(p.fd); /* who holds the group would keep itself waiting */
		/* Whoever is let go by the end of the group may get to run before he is killed. */
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		execl("/proc/self/exe", "shrike", "--version", (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || poll(&p, 1, PROBE_MS) != 1 || shk_permit_read(p.fd, &ev) < 0)
		_exit(NOT_ASKED);
	_exit(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL) < 0 ? NOT_TRACED : WORKS);
}

void shk_doctor_bar(struct shk_report *r)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct shk_err err;
		int e = shk_bar_up(&err);

		_exit(e < 0 ? SHK_MIN(-e, 255) : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		status = ECANCELED << 8;
	if (pid > 0)
		shk_bar_remove(pid);
	if (WEXITSTATUS(status) == 0)
		shk_doctor_add(r, "limits", "device bar", SHK_YES,
			       "a control group of version 2 that opens no devices: files read before are opened in one step");
	else
		shk_doctor_add(r, "limits", "device bar", SHK_FACT,
			       "no control group that opens no devices (%s): enforced opens look at each file first, which takes longer",
			       strerror(WEXITSTATUS(status)));
}

/* A process can be held up where it cannot be traced. */
static bool can_hold(struct shk_err *err)
{
	struct shk_hold h = SHK_HOLD_NONE;
	int r = shk_hold_make(&h, getpid(), err);

	shk_hold_end(&h);
	return r == 0;
}

void shk_doctor_gate(struct shk_report *r)
{
	struct shk_err err = { 0 };
	int status = 0, fd = shk_permit_new();
	pid_t pid;

	if (fd < 0) {
		shk_doctor_add(r, "limits", "exec gate", SHK_NO,
			       "no fanotify permission events (%s): exec sessions past the wrapper are found after they have begun",
			       fd == -EPERM ? "they need CAP_SYS_ADMIN in the initial user namespace" : strerror(-fd));
		return;
	}
	close(fd);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		in_child();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = REFUSED << 8;
	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKS)
		shk_doctor_add(r, "limits", "exec gate", SHK_YES,
			       "fanotify permission events: exec sessions past the wrapper are supervised from their first program on");
	else if (WIFEXITED(status) && WEXITSTATUS(status) != NOT_TRACED)
		shk_doctor_add(r, "limits", "exec gate", SHK_NO, "fanotify permission events could not be tried");
	else if (can_hold(&err))
		shk_doctor_add(r, "limits", "exec gate", SHK_YES,
			       "fanotify permission events, and control groups of version 2 that hold up who cannot be traced at once "
			       "(before Linux 6.8): exec sessions past the wrapper are supervised from their first program on");
	else
		shk_doctor_add(r, "limits", "exec gate", SHK_NO,
			       "exec sessions past the wrapper are noticed, but not traceable then (%s): refused, or supervised late; "
			       "Linux 6.8 can, or control groups of version 2", err.text);
}
