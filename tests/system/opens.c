// SPDX-License-Identifier: Apache-2.0
/*
 * opens - opens things in ways that matter when somebody else carries the open out. Static.
 *
 *   flip GOOD BAD N      opens a path that a thread exchanges in memory all the while, N times; GOOD's text begins
 *                        with another letter than 'r', BAD's with 'r': {"good":n,"bad":n,"refused":n}
 *   open FLAGS MODE PATH opens (flags and mode in octal) and prints what the descriptor is, or the errno
 *   as UID GID GROUP USERNS FLAGS PATH
 *                        the same as somebody else, in a user namespace of its own if USERNS is 1
 *   excl DIR N           makes N files with O_EXCL: {"made":n,"errors":n}
 *   fifos PATH N         N readers and N writers of one FIFO at a time: {"met":n}
 *   busy DIR N           mounts a tmpfs there, makes, refuses and reads a file in it, and unmounts it, N times: {"opened":n,"busy":n}
 *   lone PATH            opens a FIFO for reading that nobody writes; prints the errno and the milliseconds it took
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[4096];
static const char *good, *bad;
static atomic_bool stop;

static void *flip(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		memcpy(path, bad, strlen(bad) + 1);
		memcpy(path, good, strlen(good) + 1);
	}
	return NULL;
}

static int do_flip(char **a)
{
	unsigned n_good = 0, n_bad = 0, refused = 0;
	pthread_t t;

	good = a[0];
	bad = a[1];
	strcpy(path, good);
	if (pthread_create(&t, NULL, flip, NULL))
		return 2;
	for (int i = atoi(a[2]); i > 0; i--) {
		int fd = open(path, O_RDONLY);
		char c = 0;

		if (fd < 0) {
			refused++;
			continue;
		}
		if (read(fd, &c, 1) == 1 && c == 'r')
			n_bad++;
		else
			n_good++;
		close(fd);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	printf("{\"good\":%u,\"bad\":%u,\"refused\":%u}\n", n_good, n_bad, refused);
	return 0;
}

static int do_open(char **a)
{
	struct stat st;
	int fd = open(a[2], (int)strtol(a[0], NULL, 8), (mode_t)strtol(a[1], NULL, 8));

	if (fd < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	if (fstat(fd, &st) < 0)
		return 2;
	printf("fd=%d cloexec=%d flags=%o mode=%o uid=%u gid=%u size=%ld\n", fd,
	       fcntl(fd, F_GETFD) & FD_CLOEXEC, (unsigned)fcntl(fd, F_GETFL), st.st_mode, st.st_uid, st.st_gid,
	       (long)st.st_size);
	return 0;
}

static int do_as(char **a)
{
	char zero[] = "0644", *open_args[] = { a[4], zero, a[5] };
	gid_t group = (gid_t)atoi(a[2]);

	if (setgroups(1, &group) < 0 || setgid((gid_t)atoi(a[1])) < 0 || setuid((uid_t)atoi(a[0])) < 0)
		return 2;
	if (*a[3] == '1' && unshare(CLONE_NEWUSER) < 0) {
		printf("unshare %s\n", strerrorname_np(errno));
		return 2;
	}
	return do_open(open_args);
}

static int do_excl(char **a)
{
	unsigned made = 0, errors = 0;

	for (int i = atoi(a[1]); i > 0; i--) {
		int fd;

		snprintf(path, sizeof(path), "%s/%d", a[0], i);
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0) {
			errors++;
			fprintf(stderr, "%s: %s\n", path, strerrorname_np(errno));
			continue;
		}
		made++;
		close(fd);
	}
	printf("{\"made\":%u,\"errors\":%u}\n", made, errors);
	return 0;
}

static int do_fifos(char **a)
{
	int n = atoi(a[1]), met = 0, st;

	/* Before anybody may come to them, however late the others are. */
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s.%d", a[0], i);
		mkfifo(path, 0600);
	}
	for (int i = 0; i < 2 * n; i++) {
		char c = 'x';
		int fd;

		if (fork())
			continue;
		snprintf(path, sizeof(path), "%s.%d", a[0], i % n);
		if (i < n) {
			fd = open(path, O_RDONLY);
			if (fd >= 0 && read(fd, &c, 1) == 1 && c == 'y')
				_exit(0);
			fprintf(stderr, "reader %d: %s (%d, %c)\n", i, strerrorname_np(errno), fd, c);
			_exit(1);
		}
		usleep(300000);
		fd = open(path, O_WRONLY);
		if (fd >= 0 && write(fd, "y", 1) == 1)
			_exit(0);
		fprintf(stderr, "writer %d: %s (%d)\n", i, strerrorname_np(errno), fd);
		_exit(1);
	}
	while (wait(&st) > 0)
		met += st == 0;
	printf("{\"met\":%d}\n", met / 2);
	return 0;
}

static int do_lone(char **a)
{
	struct timespec t0, t1;
	int fd, e;

	mkfifo(a[0], 0600);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	fd = open(a[0], O_RDONLY);
	e = errno;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	printf("%s %ld\n", fd < 0 ? strerrorname_np(e) : "ok",
	       (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000);
	return 0;
}

/* Nobody else has anything open there, so nothing is busy. */
static int do_busy(char **a)
{
	unsigned opened = 0, busy = 0;

	for (int i = atoi(a[1]); i > 0; i--) {
		char name[64];
		bool ok;
		int fd;

		if (mount("none", a[0], "tmpfs", 0, NULL) < 0)
			return 3;
		snprintf(name, sizeof(name), "%s/f", a[0]);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		close(fd);
		if (fd >= 0 && i % 3 == 1) {
			fd = open(name, O_RDONLY);
			close(fd);
		}
		ok = fd >= 0;
		if (i % 3 == 0)
			ok = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST;
		opened += ok;
		if (umount2(a[0], 0) < 0) {
			busy += errno == EBUSY;
			umount2(a[0], MNT_DETACH);
		}
	}
	printf("{\"opened\":%u,\"busy\":%u}\n", opened, busy);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int n, (*fn)(char **a);
	} all[] = {
		{ "flip", 3, do_flip },	  { "open", 3, do_open },   { "as", 6, do_as },
		{ "excl", 2, do_excl },	  { "fifos", 2, do_fifos }, { "lone", 1, do_lone },
		{ "busy", 2, do_busy },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(argv[1], all[i].name) && argc == all[i].n + 2)
			return all[i].fn(argv + 2);
	return 2;
}
