// SPDX-License-Identifier: Apache-2.0
/*
 * ticks - "ticks DIR restart|interrupt THREADS N": threads make calls while a timer of the process, and one for each
 * thread, send signals a thousand times a second each. Prints for each kind of call how many had another result than
 * they should, and whether there were signals at all. A call that ends with EINTR is made again: nothing is to have
 * come of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define AGAIN(call)                                                                                \
	({                                                                                         \
		long r_;                                                                           \
		do                                                                                 \
			r_ = (call);                                                               \
		while (r_ < 0 && errno == EINTR && !restarts);                                     \
		r_;                                                                                \
	})

static const char *const kinds[] = { "create", "create-again", "mkdir", "mkdir-again", "mknod", "symlink", "link", "rename",
				     "rename-missing", "chmod", "chown", "truncate", "open", "connect", "bind", "unlink",
				     "unlink-again", "rmdir", "rmdir-again" };
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static atomic_long wrong[N_KINDS], ticks;
static const char *dir;
static bool restarts;
static unsigned n;

static void tick(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

/* want: 0, or the errno that is right. */
static void is(unsigned kind, long r, int want)
{
	if (want ? r >= 0 || errno != want : r < 0) {
		if (atomic_fetch_add(&wrong[kind], 1) == 0)
			printf("%s: %s\n", kinds[kind], r < 0 ? strerror(errno) : "it should not have been done");
	}
}

static void sockets(const char *at)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s", at);
	is(14, AGAIN(bind(s, (struct sockaddr *)&un, sizeof(un))), 0);
	if (listen(s, 1) == 0)
		is(13, AGAIN(connect(c, (struct sockaddr *)&un, sizeof(un))), 0);
	close(c);
	close(s);
	AGAIN(unlink(at));
}

static void once(const char *base)
{
	char f[200], d[200], g[200], none[200];
	long fd;

	snprintf(f, sizeof(f), "%s-f", base);
	snprintf(g, sizeof(g), "%s-g", base);
	snprintf(d, sizeof(d), "%s-d", base);
	snprintf(none, sizeof(none), "%s-none", base);
	fd = AGAIN(open(f, O_CREAT | O_EXCL | O_WRONLY, 0600));
	is(0, fd, 0);
	close((int)fd);
	is(1, AGAIN(open(f, O_CREAT | O_EXCL | O_WRONLY, 0600)), EEXIST);
	is(2, AGAIN(mkdir(d, 0700)), 0);
	is(3, AGAIN(mkdir(d, 0700)), EEXIST);
	is(4, AGAIN(mknod(g, S_IFIFO | 0600, 0)), 0);
	AGAIN(unlink(g));
	is(5, AGAIN(symlink(f, g)), 0);
	AGAIN(unlink(g));
	is(6, AGAIN(link(f, g)), 0);
	AGAIN(unlink(g));
	is(7, AGAIN(rename(f, g)), 0);
	is(8, AGAIN(rename(f, none)), ENOENT);
	is(9, AGAIN(chmod(g, 0640)), 0);
	is(10, AGAIN(chown(g, (uid_t)-1, (gid_t)-1)), 0);
	is(11, AGAIN(truncate(g, 100)), 0);
	fd = AGAIN(open(g, O_RDWR));
	is(12, fd, 0);
	close((int)fd);
	sockets(none);
	is(15, AGAIN(unlink(g)), 0);
	is(16, AGAIN(unlink(g)), ENOENT);
	is(17, AGAIN(rmdir(d)), 0);
	is(18, AGAIN(rmdir(d)), ENOENT);
}

static void *run(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;
	char base[160];

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0 || timer_settime(timer, 0, &every, NULL) < 0) {
		printf("timer: %s\n", strerror(errno));
		return NULL;
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(base, sizeof(base), "%.80s/%ld-%u", dir, (long)(intptr_t)arg, i);
		once(base);
	}
	timer_delete(timer);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = tick };
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	pthread_t t[16];
	long threads;

	if (argc != 5)
		return 2;
	dir = argv[1];
	threads = strtol(argv[3], NULL, 10);
	n = (unsigned)strtoul(argv[4], NULL, 10);
	restarts = !strcmp(argv[2], "restart");
	sa.sa_flags = restarts ? SA_RESTART : 0;
	if (threads < 1 || threads > 16 || mkdir(dir, 0755) < 0 || sigaction(SIGALRM, &sa, NULL) < 0 ||
	    sigaction(SIGUSR1, &sa, NULL) < 0 || setitimer(ITIMER_REAL, &every, NULL) < 0)
		return 1;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run, (void *)(intptr_t)i))
			return 1;
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	for (size_t i = 0; i < N_KINDS; i++)
		printf("call %s wrong %ld\n", kinds[i], atomic_load(&wrong[i]));
	printf("interrupted %s\n", atomic_load(&ticks) > 10 ? "yes" : "no");
	return 0;
}
