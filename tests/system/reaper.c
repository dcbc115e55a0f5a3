// SPDX-License-Identifier: Apache-2.0
/*
 * reaper - "reaper PID CALL before|after": kills a process (SIGKILL) at the moment one of its threads is about to make
 * that call, or has made it. Prints "ready" when it watches, "killed" when it has.
 *
 * The moment between what a supervisor does and its answer can be had in no other way.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	long nr;
} calls[] = {
	{ "mkdirat", SYS_mkdirat },   { "mknodat", SYS_mknodat },     { "unlinkat", SYS_unlinkat },
	{ "renameat", SYS_renameat }, { "renameat2", SYS_renameat2 }, { "linkat", SYS_linkat },
	{ "symlinkat", SYS_symlinkat }, { "fchmodat", SYS_fchmodat }, { "fchownat", SYS_fchownat },
	{ "truncate", SYS_truncate }, { "connect", SYS_connect },     { "bind", SYS_bind },
};

/* Calls without a path say what flags are known: these are not meant. */
static int is_probe(const struct user_regs_struct *r)
{
	return (long)r->orig_rax != SYS_truncate && (int)r->rdi == -1;
}

static int seize_all(pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid > 0 && ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0 &&
		    ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0)
			n++;
	}
	if (d)
		closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	struct user_regs_struct r;
	long nr = -1;
	int after, st;
	pid_t pid, tid;

	for (size_t i = 0; argc == 4 && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, argv[2]) == 0)
			nr = calls[i].nr;
	if (nr < 0)
		return 2;
	pid = (pid_t)strtol(argv[1], NULL, 10);
	after = strcmp(argv[3], "after") == 0;
	alarm(60); /* a call that is never made */
	if (!seize_all(pid))
		return 1;
	puts("ready");
	fflush(stdout);
	while ((tid = waitpid(-1, &st, __WALL)) > 0 || errno == EINTR) {
		int sig = 0;

		if (tid <= 0 || !WIFSTOPPED(st))
			continue;
		if (WSTOPSIG(st) == (SIGTRAP | 0x80) && ptrace(PTRACE_GETREGS, tid, 0, &r) == 0 &&
		    (long)r.orig_rax == nr && !is_probe(&r) && ((long)r.rax != -ENOSYS) == after) {
			kill(pid, SIGKILL);
			puts("killed");
			return 0;
		}
		/* A signal of its own goes on to it. */
		if (!(st >> 16) && WSTOPSIG(st) != (SIGTRAP | 0x80) && WSTOPSIG(st) != SIGTRAP)
			sig = WSTOPSIG(st);
		ptrace(PTRACE_SYSCALL, tid, 0, (void *)(long)sig);
	}
	return 1;
}
