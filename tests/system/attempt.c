// SPDX-License-Identifier: Apache-2.0
/*
 * attempt - does one suspicious thing that no ordinary program does when asked, for the tests of shipped rules.
 * Static, so that it runs in any root file system. What the kernel answers does not matter: rules are about the attempt.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "attempt: %s: %s\n", what, strerror(errno));
	return 1;
}

/* call NUMBER ARGUMENT...: numbers, or texts behind "s:". */
static int do_call(char **a)
{
	long v[6] = { 0 };
	long nr = strtol(a[0], NULL, 0);

	for (int i = 0; i < 6 && a[i + 1]; i++)
		v[i] = strncmp(a[i + 1], "s:", 2) == 0 ? (long)(a[i + 1] + 2) :
							 strtol(a[i + 1], NULL, 0);
	return syscall(nr, v[0], v[1], v[2], v[3], v[4], v[5]) < 0 ? fail("call") : 0;
}

/* run PROGRAM ARGUMENT...: as a child, so that this program is its parent. */
static int do_run(char **a)
{
	int st = 0;
	pid_t p = fork();

	if (p == 0) {
		execv(a[0], a);
		fail(a[0]);
		_exit(127);
	}
	return waitpid(p, &st, 0) < 0 ? fail("run") : 0;
}

/* as UID PROGRAM ARGUMENT... */
static int do_as(char **a)
{
	if (setuid((uid_t)atoi(a[0])) < 0)
		return fail("setuid");
	execv(a[1], a + 1);
	return fail(a[1]);
}

/* argv0 NAME PROGRAM ARGUMENT... */
static int do_argv0(char **a)
{
	const char *program = a[1];

	a[1] = a[0];
	execv(program, a + 1);
	return fail(program);
}

/* The rest of one file into another. */
static int copy(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -1;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			return -1;
		left -= n;
	}
	return 0;
}

/* copy-exec PROGRAM COPY ARGUMENT...: makes the copy and runs it. */
static int do_copy_exec(char **a)
{
	int from = open(a[0], O_RDONLY | O_CLOEXEC);
	int to = open(a[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (from < 0 || to < 0 || copy(from, to) < 0)
		return fail(a[1]);
	close(to);
	execv(a[1], a + 1);
	return fail(a[1]);
}

/* memfd-exec PROGRAM ARGUMENT...: a copy of it, from memory. */
static int do_memfd_exec(char **a)
{
	int from = open(a[0], O_RDONLY | O_CLOEXEC), to = memfd_create("x", MFD_CLOEXEC);

	if (from < 0 || to < 0 || copy(from, to) < 0)
		return fail(a[0]);
	fexecve(to, a, environ);
	return fail("fexecve");
}

/* deleted-exec PROGRAM ARGUMENT...: removed first. */
static int do_deleted_exec(char **a)
{
	int fd = open(a[0], O_RDONLY);
	char path[32];

	if (fd < 0 || unlink(a[0]) < 0)
		return fail(a[0]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execv(path, a);
	return fail(path);
}

/* listen-exec PORT PROGRAM ARGUMENT...: the program's descriptors 0 to 2 are a connection to oneself. */
static int do_listen_exec(char **a)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(a[0])),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&s, sizeof(s)) < 0 || listen(l, 1) < 0 ||
	    connect(c, (struct sockaddr *)&s, sizeof(s)) < 0)
		return fail("connect");
	for (int i = 0; i < 3; i++)
		dup2(c, i);
	execv(a[1], a + 1);
	return 1;
}

/* unix-connect PATH: to a socket made there. */
static int do_unix_connect(char **a)
{
	struct sockaddr_un s = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(s.sun_path, sizeof(s.sun_path), "%s", a[0]);
	if (bind(l, (struct sockaddr *)&s, sizeof(s)) < 0 || listen(l, 1) < 0)
		return fail(a[0]);
	return connect(c, (struct sockaddr *)&s, sizeof(s)) < 0 ? fail("connect") : 0;
}

static const struct {
	const char *name;
	int args; /* at least */
	int (*fn)(char **a);
} attempts[] = {
	{ "call", 1, do_call },		      { "run", 1, do_run },
	{ "as", 2, do_as },		      { "argv0", 2, do_argv0 },
	{ "memfd-exec", 1, do_memfd_exec },   { "deleted-exec", 1, do_deleted_exec },
	{ "copy-exec", 2, do_copy_exec },
	{ "listen-exec", 2, do_listen_exec }, { "unix-connect", 1, do_unix_connect },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(argv[1], attempts[i].name) == 0 && argc - 2 >= attempts[i].args)
			return attempts[i].fn(argv + 2);
	fprintf(stderr, "attempt: unknown attempt\n");
	return 2;
}
