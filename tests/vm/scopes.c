// SPDX-License-Identifier: Apache-2.0
/* scopes.c - whose a task is: namespaces within namespaces, many containers at once, and nobody else's. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtest.h"

#define MANY 64

static int inner(void)
{
	int status;
	pid_t pid;

	/* As deep as two, with an init of its own. */
	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (pid == 0) {
		close(open("/run/scopes/inner", O_RDONLY | O_CLOEXEC));
		_exit(0);
	}
	close(open("/run/scopes/outer", O_RDONLY | O_CLOEXEC));
	waitpid(pid, &status, 0);
	return status;
}

/* The init of a namespace, which waits until it is watched. */
static pid_t start_namespace(int ready[2])
{
	pid_t pid;
	char c;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID))
			_exit(1);
		pid = fork();
		if (pid == 0) {
			close(ready[1]);
			if (read(ready[0], &c, 1) != 0)
				_exit(2);
			_exit(inner());
		}
		close(ready[1]);
		close(ready[0]);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	return pid;
}

static int child_of(pid_t pid)
{
	char path[64], text[64] = "";
	int fd, n = 0;

	for (int i = 0; i < 500 && !n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
			n = atoi(text);
		close(fd);
		usleep(10000);
	}
	return n;
}

void test_namespace(void)
{
	struct pollfd p = { .fd = shk_kmod_news_fd(kmod), .events = POLLIN };
	struct shk_kmod_news news;
	struct seen_list l = { 0 };
	const struct seen *s = NULL;
	int ready[2], init;
	bool gone = false;
	pid_t pid;

	mkdir("/run/scopes", 0755);
	close(open("/run/scopes/inner", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	close(open("/run/scopes/outer", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (pipe(ready))
		return;
	pid = start_namespace(ready);
	init = child_of(pid);
	CHECK(init > 0, "no child");
	watch(5, -1, init, ALL_CLASSES, 0, NULL, NULL);
	close(ready[0]);
	close(ready[1]);
	waitpid(pid, NULL, 0);
	/* The one before it may have ended with news of its own. */
	for (int i = 0; i < 50 && !gone; i++) {
		poll(&p, 1, 100);
		while (!gone && shk_kmod_news(kmod, &news) > 0)
			gone = news.gone && news.index == 5;
	}
	CHECK(gone, "nobody said that the namespace is gone");
	drain(&l);
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/scopes/outer", NULL, &s) == 1 && s->head.vtid == 1 && (int)s->head.tid == init,
	      "namespace");
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/scopes/inner", NULL, &s) == 1 && s->head.vtid == 1 &&
	      (int)s->head.tid != init && s->head.container == 5, "nested namespace");
	CHECK(count_seen(&l, SHRIKE_EXIT, NULL, NULL, NULL) == 2, "ends");
	CHECK(shk_kmod_remove(kmod, 5, NULL) == -2, "it is still there");
	seen_free(&l);
}

static int open_own(void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/scopes/%d", *(int *)arg);
	close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	return 0;
}

void test_many(void)
{
	struct seen_list l = { 0 };
	const struct seen *s = NULL;
	uint32_t list[2 * MANY];
	int dir[MANY], i;
	char name[64];

	for (i = 0; i < MANY; i++) {
		/* Every second one lies in the one before it. */
		snprintf(name, sizeof(name), i % 2 ? "many%d/inner" : "many%d", i & ~1);
		dir[i] = cgroup_make(name);
		watch((uint32_t)(100 + i), dir[i], 0, 1ull << SHRIKE_OPEN, 0, NULL, NULL);
	}
	CHECK(shk_kmod_list(kmod, list, 2 * MANY, NULL) == MANY, "list");
	for (i = 0; i < MANY; i++)
		CHECK(in_child(dir[i], open_own, &i) == 0, "the program itself failed");
	drain(&l);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "/run/scopes/%d", i);
		/* The outer one is found first: it is whoever starts a container within a container that answers for it. */
		CHECK(count_seen(&l, SHRIKE_OPEN, name, NULL, &s) == 1 && s->head.container == (uint32_t)(100 + (i & ~1)),
		      "%s: container %u", name, s ? s->head.container : 0);
	}
	seen_free(&l);
	for (i = MANY - 1; i >= 0; i--) {
		snprintf(name, sizeof(name), i % 2 ? "many%d/inner" : "many%d", i & ~1);
		unwatch((uint32_t)(100 + i));
		close(dir[i]);
		cgroup_remove(name);
	}
}

#define OPENS 20000

static int open_often(void *arg)
{
	for (int i = 0; i < OPENS; i++) {
		int fd = open(arg, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return 1;
		close(fd);
	}
	return 0;
}

/* Containers come and go above while a program below another one works: nothing it does is missed. */
void test_levels(void)
{
	static char name[] = "/run/scopes/often";
	int above = cgroup_make("above"), outer = cgroup_make("levels"), dir = cgroup_make("levels/a");
	int below = cgroup_make("levels/a/below"), status = 0, rounds = 0;
	struct seen_list l = { 0 };
	struct shk_kmod_counts c;
	struct shk_err err = { 0 };
	pid_t pid;

	mkdir("/run/scopes", 0755);
	close(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	watch(30, dir, 0, 1ull << SHRIKE_OPEN, 0, NULL, NULL);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		cgroup_enter(below);
		_exit(open_often(name));
	}
	for (; waitpid(pid, &status, WNOHANG) == 0; rounds++) {
		watch(31, above, 0, 0, 0, NULL, NULL);
		unwatch(31);
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0 && rounds > 0, "the program itself failed: %x, %d", status, rounds);
	CHECK(shk_kmod_counts(kmod, 30, &c, &err) == 0, "%s", err.text);
	CHECK(c.recorded[SHRIKE_OPEN] + c.lost[SHRIKE_OPEN] == OPENS, "%llu + %llu after %d changes",
	      (unsigned long long)c.recorded[SHRIKE_OPEN], (unsigned long long)c.lost[SHRIKE_OPEN], rounds);
	drain(&l);
	seen_free(&l);
	unwatch(30);
	close(below);
	close(dir);
	close(outer);
	close(above);
	cgroup_remove("levels/a/below");
	cgroup_remove("levels/a");
	cgroup_remove("levels");
	cgroup_remove("above");
}
