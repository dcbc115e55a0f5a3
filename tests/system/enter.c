// SPDX-License-Identifier: Apache-2.0
/*
 * enter - comes into a container as no runtime would: into its namespaces, and runs there a program that is in no file.
 *
 * enter [-f] PID PROGRAM [ARG...]: PROGRAM is one of the host's, static. -f: it has a seccomp filter, as runtimes give one, and is an
 * orphan at once.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int join(const char *pid, const char *ns)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd;
}

static bool give_filter(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { 1, &all };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

int main(int argc, char **argv)
{
	int pidns, mntns, in, mem, status;
	struct stat st;
	pid_t child;

	bool orphan = argc > 1 && !strcmp(argv[1], "-f");

	argc -= orphan;
	argv += orphan;
	if (argc < 3)
		return 2;
	pidns = join(argv[1], "pid");
	mntns = join(argv[1], "mnt");
	in = open(argv[2], O_RDONLY | O_CLOEXEC);
	mem = memfd_create("enter", MFD_CLOEXEC);
	if (fstat(in, &st) < 0 || sendfile(mem, in, NULL, (size_t)st.st_size) != st.st_size)
		return 3;
	if (setns(pidns, 0) < 0 || setns(mntns, 0) < 0 || chdir("/") < 0)
		return 4;
	if (orphan && !give_filter())
		return 7;
	child = fork();
	if (child == 0) {
		if (orphan && fork() != 0)
			_exit(0);
		fexecve(mem, argv + 2, environ);
		_exit(5);
	}
	waitpid(child, &status, 0);
	/* No leak check of a build with sanitizers: its helper would be born in the container. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 6);
}
