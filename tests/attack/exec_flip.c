// SPDX-License-Identifier: Apache-2.0
/*
 * exec_flip - a thread exchanges what an execve runs between its judgement and its effect.
 *
 *   exec_flip WAY ATTEMPTS[:SECONDS] DIR
 *
 * DIR holds `good` and `evil`, both this very program under names by which it says what ran; a policy forbids
 * evil. Prints "attempts A good G evil E": so often what may run ran, and so often what may not.
 *
 *   names    two symbolic links exchanged by RENAME_EXCHANGE
 *   memory   the path's bytes in memory
 *   link     a symbolic link replaced by rename
 *   fd       the descriptor of an execveat, by dup2
 *   args     an argument's bytes in memory: "forbidden" is evil
 *   missing  the path's bytes, between a name that is not there and evil
 *   script   two scripts exchanged, whose interpreters are good and evil
 *   leader   as memory, the execve made by a thread that is not the leader
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RAN_GOOD = 41, RAN_EVIL = 42 };

struct shared {
	atomic_bool stop;
	atomic_ulong calls, took_ns; /* how long an attempt took of late */
	char path[256], arg[32];
};

static struct shared *sh;
static const char *way, *dir;
static char good[256], evil[256], used[256], spare[256];
static int fd_good = -1, fd_evil = -1, fd_used = 100;

static bool is(const char *w)
{
	return !strcmp(way, w);
}

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "exec_flip: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void name(char *out, const char *leaf)
{
	snprintf(out, 256, "%s/%s", dir, leaf);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The two texts are of one length: a byte or two make the difference, and no mixture of them names anything. */
static void put(char *at, const char *text)
{
	for (size_t i = 0; text[i]; i++)
		((volatile char *)at)[i] = text[i];
}

static void change(bool bad)
{
	static bool now_bad;
	char tmp[256];

	if (is("names") || is("script")) {
		if (now_bad == bad)
			return;
		if (syscall(SYS_renameat2, AT_FDCWD, used, AT_FDCWD, spare, 2 /* RENAME_EXCHANGE */) < 0)
			broken("renameat2");
		now_bad = bad;
	} else if (is("link")) {
		name(tmp, "next");
		if (symlink(bad ? evil : good, tmp) < 0 || rename(tmp, used) < 0)
			broken("link");
	} else if (is("fd")) {
		if (dup2(bad ? fd_evil : fd_good, fd_used) < 0)
			broken("dup2");
	} else if (is("args")) {
		put(sh->arg, bad ? "forbidden" : "permitted");
	} else if (is("missing")) {
		put(sh->path + strlen(dir) + 1, bad ? "evil" : "none");
	} else {
		put(sh->path + strlen(dir) + 1, bad ? "evil" : "good");
	}
}

static void set(bool bad)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	change(bad);
	pthread_mutex_unlock(&lock);
}

/* Waits for an attempt to begin, then changes things at some moment of it, and back before the next. */
static void *flipper(void *arg)
{
	unsigned long seen = 0, seed = 12345;

	(void)arg;
	while (!atomic_load(&sh->stop)) {
		unsigned long n = atomic_load(&sh->calls);
		uint64_t until;

		if (n == seen) {
			sched_yield();
			continue;
		}
		seen = n;
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		until = now() + (seed >> 33) % (atomic_load(&sh->took_ns) + 1);
		while (now() < until)
			;
		set(true);
		/* Every fourth time back and forth for as long as it lasts. */
		for (unsigned i = 0; n % 4 == 0 && i < 40 && atomic_load(&sh->calls) == n; i++)
			set(i & 1);
	}
	return NULL;
}

static void *exec_in_thread(void *arg)
{
	char **argv = arg;

	execve(sh->path, argv, environ);
	_exit(1);
}

static _Noreturn void attempt(void)
{
	char *argv[] = { (char *)"exec_flip", sh->arg, NULL };
	pthread_t t;

	if (is("fd")) {
		syscall(SYS_execveat, fd_used, "", argv, environ, AT_EMPTY_PATH);
	} else if (is("leader")) {
		if (pthread_create(&t, NULL, exec_in_thread, argv) == 0)
			pthread_join(t, NULL);
	} else {
		execve(is("names") || is("link") || is("script") ? used : sh->path, argv, environ);
	}
	_exit(1);
}

/* The child shares memory and descriptors with the thread that flips. */
static int child(void *arg)
{
	(void)arg;
	attempt();
}

static int copy_self(const char *to)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	if (in < 0 || out < 0)
		return -1;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return -1;
	close(in);
	close(out);
	return 0;
}

static void write_script(const char *to, const char *interpreter)
{
	FILE *f = fopen(to, "we");

	if (!f || fprintf(f, "#!%s\n", interpreter) < 0 || fclose(f) || chmod(to, 0755) < 0)
		broken(to);
}

static void prepare(void)
{
	name(good, "good");
	name(evil, "evil");
	name(used, "used");
	name(spare, "spare");
	mkdir(dir, 0755);
	if (access(good, X_OK) && copy_self(good) < 0)
		broken(good);
	if (access(evil, X_OK) && copy_self(evil) < 0)
		broken(evil);
	unlink(used);
	unlink(spare);
	if (is("names")) {
		if (symlink(good, used) < 0 || symlink(evil, spare) < 0)
			broken("symlink");
	} else if (is("script")) {
		write_script(used, good);
		write_script(spare, evil);
	} else if (is("link")) {
		if (symlink(good, used) < 0)
			broken(used);
	} else if (is("fd")) {
		fd_good = open(good, O_PATH | O_CLOEXEC);
		fd_evil = open(evil, O_PATH | O_CLOEXEC);
	}
	strcpy(sh->path, is("args") ? good : is("missing") ? evil : good);
	strcpy(sh->arg, "permitted");
	set(false);
}

/* What this program is by its file's name, which nobody changes: not by argv[0], which the caller chooses. */
static int what_ran(int argc, char **argv)
{
	char exe[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	const char *leaf;

	if (argc > 1 && !strcmp(argv[1], "forbidden"))
		return RAN_EVIL;
	exe[n > 0 ? n : 0] = 0;
	leaf = strrchr(exe, '/');
	return leaf && !strcmp(leaf, "/evil") ? RAN_EVIL : RAN_GOOD;
}

int main(int argc, char **argv)
{
	unsigned long want, done = 0, n_good = 0, n_evil = 0, n_killed = 0, n_failed = 0;
	static char stack[4][65536] __attribute__((aligned(16)));
	uint64_t end = UINT64_MAX;
	pthread_t t;

	if (argc < 4)
		return what_ran(argc, argv);
	way = argv[1];
	want = strtoul(argv[2], NULL, 10);
	if (strchr(argv[2], ':'))
		end = now() + strtoull(strchr(argv[2], ':') + 1, NULL, 10) * 1000000000u;
	dir = argv[3];
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		broken("mmap");
	prepare();
	atomic_store(&sh->took_ns, 200000);
	if (pthread_create(&t, NULL, flipper, NULL))
		broken("pthread_create");
	for (; done < want && now() < end; done++) {
		uint64_t t0;
		pid_t pid;
		int st;

		set(false);
		t0 = now();
		/* With one memory and one table of descriptors where the way needs them; "leader" makes a thread. */
		if (is("fd"))
			pid = clone(child, stack[done % 4] + sizeof(stack[0]), CLONE_FILES | CLONE_VM | SIGCHLD, NULL);
		else
			pid = fork();
		if (pid == 0)
			attempt();
		if (pid < 0)
			broken("fork");
		atomic_fetch_add(&sh->calls, 1);
		while (waitpid(pid, &st, 0) < 0)
			if (errno != EINTR)
				broken("waitpid");
		atomic_store(&sh->took_ns, (now() - t0 + 7 * atomic_load(&sh->took_ns)) / 8);
		if (WIFSIGNALED(st))
			n_killed++;
		else if (WEXITSTATUS(st) == RAN_GOOD)
			n_good++;
		else if (WEXITSTATUS(st) == RAN_EVIL)
			n_evil++;
		else
			n_failed++;
	}
	atomic_store(&sh->stop, true);
	pthread_join(t, NULL);
	set(false);
	printf("attempts %lu good %lu evil %lu killed %lu failed %lu\n", done, n_good, n_evil, n_killed, n_failed);
	return 0;
}
