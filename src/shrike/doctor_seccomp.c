// SPDX-License-Identifier: Apache-2.0
/*
 * What seccomp and ptrace really do here.
 *
 * A filter cannot be taken off again, so a child wears it. It has one call notified that nobody makes
 * (getpriority of a kind that does not exist), a grandchild makes it, and the child answers. An alarm
 * ends the child should the kernel leave it waiting; the grandchild dies with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "shrike/doctor.h"

/* Newer than some headers we build with; values of the kernel's ABI. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define MAGIC	  0x73686b /* no PRIO_* value */
#define PROBE_S	  3
#define PROBE_MS  1000
#define NOT_TRIED (-1)

struct probe { /* errno of each step, 0: works, NOT_TRIED */
	int listener, killable, sync, answer, addfd, addfd_alone, seize, getfd;
};

static int install(unsigned flags)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = SHK_ARRAY_SIZE(f), .filter = f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &prog);
}

static int make_listener(struct probe *p)
{
	int fd = install(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	p->killable = fd < 0 ? errno : 0;
	if (fd < 0 && errno == EINVAL)
		fd = install(0);
	p->listener = fd < 0 ? errno : 0;
	return fd;
}

/* The call comes back with a descriptor that was put here: proof that it can be used. */
static int grandchild(void)
{
	long fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = syscall(SYS_getpriority, (long)MAGIC, 0L);
	_exit(fd >= 0 && write((int)fd, "x", 1) == 1 ? 0 : 1);
}

static int answer(int listener, int give, struct probe *p)
{
	/* The kernel's structures may have grown: it is told no more than it knows. */
	union {
		struct seccomp_notif n;
		char room[512];
	} u = { 0 };
	struct seccomp_notif_resp resp = { 0 };
	struct seccomp_notif_addfd add = { 0 };
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	int fd;

	if (poll(&pfd, 1, PROBE_MS) != 1)
		return ETIMEDOUT;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0)
		return errno;
	add.id = u.n.id;
	add.flags = SECCOMP_ADDFD_FLAG_SEND;
	add.srcfd = (unsigned)give;
	p->addfd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
	if (p->addfd == 0)
		return 0;
	/* In two steps, as it is done where one is not there (shk_notify_give). */
	add.flags = 0;
	fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	p->addfd_alone = fd < 0 ? errno : 0;
	resp.id = u.n.id;
	resp.error = fd < 0 ? -EPERM : 0;
	resp.val = fd < 0 ? 0 : fd;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? errno : 0;
}

static void probe_answer(int listener, struct probe *p)
{
	int pipes[2], status = 0;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0) {
		p->answer = errno;
		return;
	}
	pid = fork();
	if (pid == 0)
		grandchild();
	if (pid < 0) {
		p->answer = errno;
		return;
	}
	p->answer = answer(listener, pipes[1], p);
	if (p->answer)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (p->addfd == 0)
		p->addfd = EBADF;
	else if (p->addfd_alone == 0)
		p->addfd_alone = EBADF;
}

/* What way A does to a container's first process, done to a child of our own. */
static void probe_ptrace(struct probe *p)
{
	int ready[2], pidfd, fd;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[1]);
		pause();
		_exit(0);
	}
	if (pid < 0)
		return;
	p->seize = ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ? errno : 0;
	pidfd = shk_pidfd_open(pid, 0);
	fd = pidfd < 0 ? pidfd : shk_pidfd_getfd(pidfd, ready[0]);
	p->getfd = fd < 0 ? -fd : 0;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void in_child(int out)
{
	struct probe p = { NOT_TRIED, NOT_TRIED, NOT_TRIED, NOT_TRIED, NOT_TRIED, NOT_TRIED,
			   NOT_TRIED, NOT_TRIED };
	uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
	int listener;

	signal(SIGALRM, SIG_DFL);
	alarm(PROBE_S);
	probe_ptrace(&p);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = make_listener(&p);
	if (listener >= 0) {
		p.sync = ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) < 0 ? errno : 0;
		probe_answer(listener, &p);
	}
	shk_write_all(out, &p, sizeof(p));
	_exit(0);
}

static int try_all(struct probe *p)
{
	int out[2], r = 0;
	size_t got = 0;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(out[0]);
		in_child(out[1]);
	}
	close(out[1]);
	while (pid > 0 && got < sizeof(*p)) {
		ssize_t n = read(out[0], (char *)p + got, sizeof(*p) - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	r = pid < 0 ? -errno : got == sizeof(*p) ? 0 : -EIO;
	close(out[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}

static void add_step(struct shk_report *r, const char *name, int step, const char *good,
		     const char *bad)
{
	if (step == 0)
		shk_doctor_add(r, "kernel", name, SHK_YES, "%s", good);
	else if (step == NOT_TRIED)
		shk_doctor_add(r, "kernel", name, SHK_NO, "could not be tried");
	else if (step == EINVAL || step == ENOTTY)
		/* So a kernel answers to what it does not know. */
		shk_doctor_add(r, "kernel", name, SHK_NO, "not in this kernel: %s", bad);
	else
		shk_doctor_add(r, "kernel", name, SHK_NO, "%s (%s)", bad, strerror(step));
}

static void add_actions(struct shk_report *r)
{
	static const struct {
		uint32_t action;
		const char *name;
	} all[] = {
		{ SECCOMP_RET_KILL_PROCESS, "kill_process" }, { SECCOMP_RET_KILL_THREAD, "kill_thread" },
		{ SECCOMP_RET_TRAP, "trap" },		      { SECCOMP_RET_ERRNO, "errno" },
		{ SECCOMP_RET_USER_NOTIF, "user_notif" },     { SECCOMP_RET_TRACE, "trace" },
		{ SECCOMP_RET_LOG, "log" },		      { SECCOMP_RET_ALLOW, "allow" },
	};
	char text[200] = "";
	bool notif = false;
	size_t n = 0;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(all); i++) {
		uint32_t action = all[i].action;

		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", all[i].name);
		notif |= action == SECCOMP_RET_USER_NOTIF;
	}
	shk_doctor_add(r, "kernel", "seccomp actions", notif ? SHK_YES : SHK_NO, "%s",
		       n ? text : "none: seccomp is not there");
}

static void add_sizes(struct shk_report *r)
{
	struct seccomp_notif_sizes s = { 0 };

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0)
		shk_doctor_add(r, "kernel", "notification sizes", SHK_NO, "%s", strerror(errno));
	else
		shk_doctor_add(r, "kernel", "notification sizes", SHK_FACT,
			       "notification %u, answer %u, data %u bytes", s.seccomp_notif,
			       s.seccomp_notif_resp, s.seccomp_data);
}

void shk_doctor_seccomp(struct shk_report *r)
{
	struct probe p;
	int rc;

	add_actions(r);
	add_sizes(r);
	rc = try_all(&p);
	if (rc < 0) {
		snprintf(r->why_no_notify, sizeof(r->why_no_notify), "the probe did not finish (%s)",
			 strerror(-rc));
		shk_doctor_add(r, "kernel", "seccomp notify", SHK_NO, "%s", r->why_no_notify);
		return;
	}
	r->notify = p.listener == 0 && p.answer == 0;
	r->addfd_send = p.addfd == 0;
	r->wait_killable = p.killable == 0;
	r->ptrace = p.seize == 0;
	r->getfd = p.getfd == 0;
	if (p.listener == EBUSY)
		snprintf(r->why_no_notify, sizeof(r->why_no_notify),
			 "this process is already under somebody's seccomp listener (a nested container)");
	else if (!r->notify)
		snprintf(r->why_no_notify, sizeof(r->why_no_notify), "no seccomp notification: %s",
			 strerror(p.listener ? p.listener : p.answer));
	shk_doctor_add(r, "kernel", "seccomp notify", r->notify ? SHK_YES : SHK_NO, "%s",
		       r->notify ? "a call was held and answered" : r->why_no_notify);
	add_step(r, "ADDFD and SEND in one", p.addfd, "opens can be emulated",
		 p.addfd_alone == 0 ?
			 "opens are emulated in two steps, and a signal in between leaves a descriptor behind; Linux 5.14 has it" :
			 "no emulated open: verdicts on opens are deny-only; Linux 5.14 has it");
	add_step(r, "WAIT_KILLABLE_RECV", p.killable, "signals do not restart a call being judged",
		 "a signal restarts a call being judged; Linux 5.19 has it");
	add_step(r, "SYNC_WAKE_UP", p.sync, "cheaper answers", "answers cost more; Linux 6.6 has it");
	add_step(r, "ptrace seize", p.seize, "works on a child of this process",
		 "way A cannot put its filter in");
	add_step(r, "pidfd_getfd", p.getfd, "works on a child of this process",
		 "descriptors cannot be taken from processes");
}
