// SPDX-License-Identifier: Apache-2.0
/*
 * Calls judged by registers, which no race can change; a listener of one's own; and the supervisor itself: is there
 * anything in sight that could be stopped, traced or killed?
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* What a child of a clone with these flags is in. */
static void namespace_of(const char *name, char out[64])
{
	char p[64];
	ssize_t n;

	snprintf(p, sizeof(p), "/proc/self/ns/%s", name);
	n = readlink(p, out, 63);
	out[n < 0 ? 0 : n] = 0;
}

static char uts_before[64];

/* In the child that may have come into a new one. */
static _Noreturn void look_around(struct run *r)
{
	char now[64];

	namespace_of("uts", now);
	if (strcmp(now, uts_before) != 0)
		evil(r);
	_exit(0);
}

static void reap(struct run *r, long pid)
{
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	pid = fork_child();
	if (pid == 0)
		_exit(0);
	if (pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid)
		good(r);
}

static void by_clone(struct run *r)
{
	namespace_of("uts", uts_before);
	while (more(r)) {
		long pid = syscall(SYS_clone, (0xbeefUL << 32) | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			look_around(r);
		reap(r, pid);
	}
}

static void set_clone(void *arg, bool evil_side)
{
	((volatile struct clone_args *)arg)->flags = evil_side ? CLONE_NEWUTS : 0;
}

static void by_clone3(struct run *r)
{
	struct clone_args *a = shared(sizeof(*a));
	struct flip *f;

	namespace_of("uts", uts_before);
	a->exit_signal = SIGCHLD;
	f = flip_start(set_clone, a);
	while (more(r)) {
		long pid;

		flip_begin(f);
		pid = syscall(SYS_clone3, a, sizeof(*a));
		if (pid == 0)
			look_around(r);
		flip_end(f);
		reap(r, pid);
	}
	flip_stop(f);
}

static void in_child(struct run *r, long (*fn)(void))
{
	namespace_of("uts", uts_before);
	while (more(r)) {
		pid_t pid = fork_child();

		if (pid == 0) {
			fn();
			look_around(r);
		}
		reap(r, pid);
	}
}

static long call_unshare(void) { return syscall(SYS_unshare, (0xbeefUL << 32) | CLONE_NEWUTS); }
static long call_unshare_user(void) { return syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWUTS); }
static long call_i386(void) { return int80(310, CLONE_NEWUTS, 0, 0, 0, 0); }
static void by_unshare(struct run *r) { in_child(r, call_unshare); }
static void by_unshare_user(struct run *r) { in_child(r, call_unshare_user); }
static void by_i386(struct run *r) { in_child(r, call_i386); }

static void traced(struct run *r)
{
	pid_t victim = fork_child();

	if (victim == 0)
		for (;;)
			pause();
	while (more(r)) {
		if (syscall(SYS_ptrace, PTRACE_SEIZE, victim, 0, 0) == 0 || int80(26, PTRACE_SEIZE, (uint32_t)victim, 0, 0, 0) == 0)
			evil(r);
		if (kill(victim, 0) == 0)
			good(r);
	}
	kill(victim, SIGKILL);
}

/* ---- a listener of one's own, which would answer in place of the other ---- */

static _Noreturn void nested_child(struct run *r)
{
	struct sock_filter ours[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter pass[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_filter trace[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE) };
	struct sock_fprog filters[] = { { 4, ours }, { 1, pass }, { 1, trace } };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filters[0]) >= 0)
		_exit(0); /* would wait for itself */
	plain_open(r);
	for (int i = 1; i < 3; i++) {
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filters[i]);
		judge_fd(r, (int)syscall(SYS_openat, AT_FDCWD, "/hide/f", O_RDONLY));
	}
	/* The untouched way to be rid of a filter. */
	syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
	/* exit fails as all calls do now. */
	__builtin_trap();
}

static void nested(struct run *r)
{
	while (more(r)) {
		pid_t pid = fork_child();

		if (pid == 0)
			nested_child(r);
		waitpid(pid, NULL, 0);
	}
}

/* ---- who else is here? ---- */

/* Ours are those whose parent chain ends at pid 1; whoever else shows up in our /proc came from outside. */
static bool from_outside(const char *pid)
{
	char p[64], text[512] = "", *close_paren;
	int fd, parent = -1;
	ssize_t n;

	snprintf(p, sizeof(p), "/proc/%.20s/stat", pid);
	fd = open(p, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	close_paren = strrchr(text, ')');
	if (!close_paren || sscanf(close_paren + 2, "%*c %d", &parent) != 1)
		return false;
	return parent == 0 && atoi(pid) != 1;
}

static void *opening(void *arg)
{
	struct run *r = arg;

	while (more(r)) {
		plain_open(r);
		judge_fd(r, open("/hide/f", O_RDONLY | O_CLOEXEC));
	}
	return NULL;
}

static void hunt(struct run *r)
{
	pthread_t th;
	int one = 1;

	th = start_thread(opening, r);
	while (pthread_tryjoin_np(th, NULL) != 0) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			if (e->d_name[0] < '0' || e->d_name[0] > '9' || !from_outside(e->d_name))
				continue;
			evil(r);
			kill(atoi(e->d_name), SIGSTOP);
			ptrace(PTRACE_SEIZE, atoi(e->d_name), 0, 0);
		}
		if (d)
			closedir(d);
		/* Numbers that are not shown. */
		for (int pid = 2; one && pid < 300; pid++)
			if (kill(pid, 0) == 0 && getpgid(pid) == 0)
				evil(r);
	}
}

/* Everybody but pid 1 and ourselves. */
static void kill_all(struct run *r)
{
	while (more(r)) {
		if (kill(-1, SIGSTOP) < 0 && errno != ESRCH)
			broken("kill");
		kill(-1, SIGKILL);
		plain_open(r);
		judge_fd(r, open("/hide/f", O_RDONLY | O_CLOEXEC));
	}
}

/* Descriptors of the supervisor that might have come along. */
static void descriptors(struct run *r)
{
	while (more(r)) {
		struct seccomp_notif_resp resp = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

		for (int fd = 3; fd < 64; fd++)
			if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp) == 0 || (fcntl(fd, F_GETFD) >= 0 && errno != EBADF))
				evil(r);
		plain_open(r);
	}
}

const struct attack attacks_proc[] = {
	{ "ns-clone", by_clone },    { "ns-clone3", by_clone3 }, { "ns-unshare", by_unshare },
	{ "ns-unshare-user", by_unshare_user }, { "ns-unshare-i386", by_i386 }, { "ns-ptrace", traced },
	{ "proc-nested", nested },   { "proc-hunt", hunt },	 { "proc-kill", kill_all },
	{ "proc-descriptors", descriptors }, { NULL, NULL },
};
