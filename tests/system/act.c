// SPDX-License-Identifier: Apache-2.0
/*
 * act - does one thing a container should not do, and says how it went: "ok", or the name of the errno.
 * Static, so that it runs in any root file system. Exit status: 0 ok, 1 refused, 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int done(long r)
{
	if (r < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	printf("ok\n");
	return 0;
}

static struct sockaddr_in addr_of(const char *ip, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int do_listen(char **a)
{
	struct sockaddr_in s = addr_of("0.0.0.0", a[0]);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&s, sizeof(s)) < 0)
		return done(-1);
	return done(listen(fd, 1));
}

/* A write lease: whoever opens the file waits until it is given up, here never. */
static int do_lease(char **a)
{
	int fd = open(a[0], O_RDWR);

	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return done(-1);
	signal(SIGIO, SIG_IGN);
	sleep(20);
	return done(0);
}

static int do_connect(char **a)
{
	struct sockaddr_in s = addr_of(a[0], a[1]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int r = connect(fd, (struct sockaddr *)&s, sizeof(s));

	return done(r < 0 && errno == EINPROGRESS ? 0 : r);
}

static int do_ptrace(char **a)
{
	pid_t p = fork();
	int r;

	(void)a;
	if (p == 0)
		for (;;)
			pause();
	r = ptrace(PTRACE_SEIZE, p, 0, 0) < 0 ? done(-1) : done(0);
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	return r;
}

static int do_unshare(char **a)
{
	(void)a;
	return done(unshare(CLONE_NEWUTS));
}

static int do_clone_thread(char **a)
{
	(void)a;
	return done(unshare(CLONE_FILES)); /* no namespace */
}

static int do_setns(char **a)
{
	int fd = open(a[0], O_RDONLY);

	return done(setns(fd, 0));
}

static int do_init_module(char **a)
{
	static char nothing[16];

	(void)a;
	return done(syscall(SYS_init_module, nothing, sizeof(nothing), ""));
}

static int do_open(char **a)
{
	int flags = strcmp(a[1], "w") == 0 ? O_WRONLY | O_CREAT :
		    strcmp(a[1], "rw") == 0 ? O_RDWR : O_RDONLY;

	return done(open(a[0], flags, 0644));
}

static int do_mount(char **a)
{
	return done(mount(a[0], a[1], a[2], strcmp(a[2], "bind") == 0 ? MS_BIND : 0, NULL));
}

static int do_rename(char **a)
{
	return done(rename(a[0], a[1]));
}

static int do_unlink(char **a)
{
	return done(unlink(a[0]));
}

static int do_mkdir(char **a)
{
	return done(mkdir(a[0], 0755));
}

static int do_symlink(char **a)
{
	return done(symlink(a[0], a[1]));
}

static int do_uring(char **a)
{
	char params[256] = { 0 };

	(void)a;
	return done(syscall(425 /* io_uring_setup */, 8, params));
}

static void *open_often(void *arg)
{
	for (int i = 0; i < 50; i++) {
		int fd = open(arg, O_RDONLY);

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static int do_threads(char **a)
{
	pthread_t t[16];

	for (int i = 0; i < 16; i++)
		pthread_create(&t[i], NULL, open_often, a[0]);
	for (int i = 0; i < 16; i++)
		pthread_join(t[i], NULL);
	return done(0);
}

static int do_forks(char **a)
{
	int bad = 0;

	for (int i = 0; i < atoi(a[0]); i++)
		if (fork() == 0) {
			int fd = open("/etc/motd", O_RDONLY);

			_exit(fd < 0);
		}
	for (int st; wait(&st) > 0;)
		bad |= st;
	errno = EIO;
	return done(bad ? -1 : 0);
}

static int do_badptr(char **a)
{
	(void)a;
	return done(syscall(SYS_rename, (char *)8, (char *)16));
}

static int do_sleep(char **a)
{
	sleep((unsigned)atoi(a[0]));
	return done(0);
}

static const struct {
	const char *name;
	int args;
	int (*fn)(char **a);
} acts[] = {
	{ "lease", 1, do_lease },
	{ "listen", 1, do_listen },	  { "connect", 2, do_connect }, { "ptrace", 0, do_ptrace },
	{ "unshare", 0, do_unshare },	  { "unshare-files", 0, do_clone_thread },
	{ "setns", 1, do_setns },	  { "init_module", 0, do_init_module },
	{ "open", 2, do_open },		  { "mount", 3, do_mount },	{ "rename", 2, do_rename },
	{ "unlink", 1, do_unlink },	  { "mkdir", 1, do_mkdir },	{ "symlink", 2, do_symlink },
	{ "io_uring", 0, do_uring },	  { "threads", 1, do_threads }, { "forks", 1, do_forks },
	{ "badptr", 0, do_badptr },	  { "sleep", 1, do_sleep },
};

/* Several acts are separated by "--"; the exit status is that of the last. */
int main(int argc, char **argv)
{
	int r = 2;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 1; i < argc;) {
		size_t k;

		for (k = 0; k < sizeof(acts) / sizeof(acts[0]) && strcmp(argv[i], acts[k].name); k++)
			;
		if (k == sizeof(acts) / sizeof(acts[0]) || i + acts[k].args >= argc) {
			fprintf(stderr, "act: unknown act %s\n", argv[i]);
			return 2;
		}
		printf("%s ", argv[i]);
		r = acts[k].fn(argv + i + 1);
		i += acts[k].args + 1;
		if (i < argc && strcmp(argv[i], "--") == 0)
			i++;
	}
	return r;
}
