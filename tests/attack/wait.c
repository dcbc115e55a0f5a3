// SPDX-License-Identifier: Apache-2.0
/*
 * What happens to a caller while it waits: signals, its death, another program in its place, pages that come late; and
 * very many callers at once.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define RO (O_RDONLY | O_CLOEXEC)

static void on_signal(int sig) { (void)sig; }

/* A call that is interrupted and restarted must not happen twice: the file made by the first is no error of the second. */
static void interrupted(struct run *r)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 150 }, { 0, 150 } }, never = { 0 };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (more(r)) {
		int fd = open("/free/once", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd >= 0)
			good(r);
		else
			evil(r);
		close(fd);
		if (unlink("/free/once") < 0 && fd >= 0)
			evil(r);
		judge_fd(r, open("/hide/f", RO));
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

/* Descriptors above standard error that nobody here opened. */
static bool strange_descriptor(void)
{
	for (int fd = 3; fd < 40; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return true;
	return false;
}

/* A caller that dies while it waits; its successor must not get its descriptor, nor its verdict. */
static void killed(struct run *r)
{
	while (more(r)) {
		pid_t pid = fork_child(), next;

		if (pid == 0) {
			for (;;)
				close(open("/free/f", O_RDONLY));
		}
		dally(160000);
		kill(pid, SIGKILL);
		next = fork_child();
		if (next == 0) {
			for (int i = 0; i < 3; i++) {
				sched_yield();
				if (strange_descriptor())
					evil(r);
			}
			judge_fd(r, open("/hide/f", RO));
			plain_open(r);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		waitpid(next, NULL, 0);
	}
}

/* Another program takes the place of one whose thread waits for an open. */
static void *open_on(void *arg)
{
	for (;;)
		close(open("/free/f", O_RDONLY | O_CLOEXEC));
	return arg;
}

static void replaced(struct run *r)
{
	char *const argv[] = { (char[]){ "prog" }, (char[]){ "descriptors" }, NULL };

	while (more(r)) {
		pid_t pid = fork_child();

		if (pid == 0) {
			for (int i = 0; i < 3; i++)
				start_thread(open_on, NULL);
			dally(800000);
			execv("/free/prog", argv);
			_exit(99);
		}
		judge_child(r, pid);
	}
}

/* ---- a page whose coming we are told of: the moment the judge has read it is known ---- */

struct late {
	int uffd;
	char *page;
	const char *good, *evil;
	atomic_bool over, serving;
	char *copy;
};

static void *serve(void *arg)
{
	struct late *l = arg;
	struct uffd_msg m;

	while (!atomic_load(&l->over)) {
		struct uffdio_copy c = { .dst = (uintptr_t)l->page, .src = (uintptr_t)l->copy, .len = 4096 };

		if (read(l->uffd, &m, sizeof(m)) != sizeof(m)) {
			sched_yield();
			continue;
		}
		atomic_store(&l->serving, true);
		strcpy(l->copy, l->good);
		ioctl(l->uffd, UFFDIO_COPY, &c);
		/* Who asked has it now, or will in a moment. */
		dally(60000);
		strcpy(l->page, l->evil);
		atomic_store(&l->serving, false);
	}
	return NULL;
}

static bool late_start(struct run *r, struct late *l)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	l->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (l->uffd < 0) {
		unavailable(r, "userfaultfd");
		return false;
	}
	l->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	l->copy = shared(4096);
	reg.range.start = (uintptr_t)l->page;
	reg.range.len = 4096;
	if (ioctl(l->uffd, UFFDIO_API, &api) < 0 || ioctl(l->uffd, UFFDIO_REGISTER, &reg) < 0)
		broken("userfaultfd");
	start_thread(serve, l);
	return true;
}

static void late_open(struct run *r)
{
	struct late l = { .good = "/free/f", .evil = "/hide/f" };

	if (!late_start(r, &l))
		return;
	while (more(r)) {
		judge_fd(r, open(l.page, RO));
		/* A page taken away from under the one who serves it would be waited for forever. */
		while (atomic_load(&l.serving))
			sched_yield();
		madvise(l.page, 4096, MADV_DONTNEED);
	}
	atomic_store(&l.over, true);
}

/* ---- arguments at the edges ---- */

static void edges(struct run *r)
{
	char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *end = m + 3 * 4096;

	munmap(end, 4096);
	while (more(r)) {
		size_t n = 1 + draw(3 * 4096 - 1);

		/* Slashes, then the name, which may end at the last mapped byte, before it, or not at all. */
		memset(m, '/', 3 * 4096);
		if (n >= 7)
			memcpy(end - n, draw(2) ? "/free/f" : "/hide/f", n < 8 ? 7 : 8);
		judge_fd(r, open(end - n, RO));
		strcpy(end - 8, "/hide/f");
		judge_fd(r, open(end - 8 - draw(5000), RO));
		strcpy(end - 8, "/free/f");
		judge_fd(r, open(end - 8 - draw(4000), RO));
		judge_fd(r, open((char *)draw(1 << 20), RO));
		judge_fd(r, (int)syscall(SYS_openat2, AT_FDCWD, "/hide/f", end - draw(40), 24));
	}
}

/* ---- very many ---- */

static void *one_of_many(void *arg)
{
	struct run *r = arg;

	for (int i = 0; i < 4 && more(r); i++) {
		plain_open(r);
		judge_fd(r, open("/hide/f", RO));
	}
	return NULL;
}

static void threads(struct run *r)
{
	enum { WAVE = 200 };
	pthread_attr_t a;
	pthread_t th[WAVE];

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	while (more(r)) {
		int n = 0;

		while (n < WAVE && pthread_create(&th[n], &a, one_of_many, r) == 0)
			n++;
		while (n--)
			pthread_join(th[n], NULL);
	}
}

static void forks(struct run *r)
{
	while (more(r)) {
		for (int i = 0; i < 60; i++)
			if (fork_child() == 0) {
				one_of_many(r);
				_exit(0);
			}
		while (wait(NULL) > 0)
			;
	}
}

/* Many at once, each with a path that changes. */
static void *flipping_many(void *arg)
{
	struct run *r = arg;
	struct text *t = text_of("/free/f", "/hide/f");
	struct flip *f = flip_start(set_text, t);

	while (more(r)) {
		int fd;

		flip_begin(f);
		fd = open(t->p, RO);
		flip_end(f);
		judge_fd(r, fd);
	}
	flip_stop(f);
	return NULL;
}

static void many_flips(struct run *r)
{
	pthread_t th[4];

	for (int i = 0; i < 4; i++)
		th[i] = start_thread(flipping_many, r);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
}

const struct attack attacks_wait[] = {
	{ "wait-signals", interrupted }, { "wait-killed", killed }, { "wait-replaced", replaced },
	{ "wait-late-page", late_open }, { "wait-edges", edges },   { "wait-threads", threads },
	{ "wait-forks", forks },	 { "wait-many", many_flips }, { NULL, NULL },
};
