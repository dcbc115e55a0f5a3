// SPDX-License-Identifier: Apache-2.0
/*
 * Counting, and the flip.
 *
 * A change at a random moment of a call hits the time between the judge's look and the kernel's about as
 * often as that time is long. So the thread aims: it measures how long calls take, waits for one to begin and changes
 * things at a random moment of that length; every fourth time it changes them back and forth all the while.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../has_i386.h"
#include "attack.h"

void broken(const char *what)
{
	fprintf(stderr, "attack: %s: %s\n", what, strerror(errno));
	_exit(3);
}

bool more(struct run *r)
{
	if (r->until && atomic_load(&r->forbidden))
		return false;
	if (r->until_ns && now_ns() > r->until_ns && atomic_load(&r->done))
		return false;
	if (atomic_fetch_add(&r->done, 1) < r->attempts)
		return true;
	atomic_fetch_sub(&r->done, 1);
	return false;
}

void unavailable(struct run *r, const char *what)
{
	snprintf(r->why, sizeof(r->why), "%s: %s", what, strerrorname_np(errno));
}

void past(struct run *r, const char *way)
{
	size_t n = strlen(r->past);

	if (!strstr(r->past, way))
		snprintf(r->past + n, sizeof(r->past) - n, "%s%s", n ? " " : "", way);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

unsigned long draw(unsigned long below)
{
	static _Thread_local uint64_t x;

	if (!x)
		x = (uint64_t)(uintptr_t)&x | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return below ? (unsigned long)(x % below) : 0;
}

void dally(unsigned long below_ns)
{
	uint64_t until = now_ns() + draw(below_ns);

	while (now_ns() < until)
		;
}

void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED)
		broken("mmap");
	return p;
}

static void breathe(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

pid_t fork_child(void)
{
	pid_t pid = fork();

	for (unsigned i = 0; pid < 0 && errno == EAGAIN && i < 10000; i++) {
		breathe();
		pid = fork();
	}
	if (pid < 0)
		broken("fork");
	return pid;
}

pthread_t start_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t th;
	int err = pthread_create(&th, NULL, fn, arg);

	for (unsigned i = 0; err == EAGAIN && i < 10000; i++) {
		breathe();
		err = pthread_create(&th, NULL, fn, arg);
	}
	errno = err;
	if (err)
		broken("pthread_create");
	return th;
}

void judge_fd(struct run *r, int fd)
{
	struct stat s;
	char c = 0;

	if (fd < 0)
		return;
	if (pread(fd, &c, 1, 0) == 1 && c == 'H')
		evil(r);
	else if (c == 'F' || (fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode)))
		good(r);
	close(fd);
}

void judge_child(struct run *r, pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return;
	if (!WIFEXITED(st))
		return;
	if (WEXITSTATUS(st) == 66)
		evil(r);
	else if (WEXITSTATUS(st) == 0)
		good(r);
}

void plain_open(struct run *r)
{
	judge_fd(r, open("/free/f", O_RDONLY | O_CLOEXEC));
}

static void set_once(struct flip *f, unsigned turn)
{
	uint64_t until = atomic_load(&f->t0_ns) + draw(atomic_load(&f->window_ns));

	while (now_ns() < until && !atomic_load(&f->over))
		;
	if (atomic_load(&f->turn) == turn)
		f->set(f->arg, true);
}

static void set_often(struct flip *f)
{
	/* Bounded: a call that is never ended by the one who began it must not keep us. */
	for (bool side = true; atomic_load(&f->in_call) && !atomic_load(&f->over); side = !side) {
		f->set(f->arg, side);
		dally(80000);
	}
}

/* Caller and judge take turns on one processor; who changes things needs another, or comes too late always. */
static void settle_on(unsigned which)
{
	cpu_set_t all, one;
	unsigned n = 0;

	/* Other work of the machine would come between the two. */
	setpriority(PRIO_PROCESS, 0, -15);
	if (sched_getaffinity(1, sizeof(all), &all) < 0)
		return;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && n++ == which) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
		}
}

static void *flipping(void *arg)
{
	struct flip *f = arg;
	unsigned seen = 0;

	settle_on(1);
	while (!atomic_load(&f->over)) {
		unsigned turn = atomic_load(&f->turn);

		if (turn == seen) {
			sched_yield();
			continue;
		}
		seen = turn;
		if (turn % 4 == 0)
			set_often(f);
		else
			set_once(f, turn);
		atomic_store(&f->did, turn);
	}
	return NULL;
}

struct flip *flip_start(void (*set)(void *arg, bool evil), void *arg)
{
	struct flip *f = shared(sizeof(*f));

	f->set = set;
	f->arg = arg;
	atomic_store(&f->window_ns, 100000);
	pthread_detach(start_thread(flipping, f));
	settle_on(0);
	return f;
}

void flip_begin(struct flip *f)
{
	f->set(f->arg, false);
	atomic_store(&f->in_call, true);
	atomic_store(&f->t0_ns, now_ns());
	atomic_fetch_add(&f->turn, 1);
}

void flip_took(struct flip *f)
{
	unsigned long took = (unsigned long)(now_ns() - atomic_load(&f->t0_ns));
	unsigned long w = atomic_load(&f->window_ns);

	/* A rare long one (another program's turn on the processor) does not spread the shots. */
	if (took < 8 * w)
		atomic_store(&f->window_ns, (7 * w + took) / 8);
}

void flip_settle(struct flip *f)
{
	atomic_store(&f->in_call, false);
	while (atomic_load(&f->did) != atomic_load(&f->turn))
		sched_yield();
}

void flip_end(struct flip *f)
{
	flip_took(f);
	flip_settle(f);
}

void flip_stop(struct flip *f)
{
	atomic_store(&f->over, true);
	/* As it was found, for the next run. */
	f->set(f->arg, false);
}

void set_text(void *arg, bool evil)
{
	struct text *t = arg;

	strcpy(t->p, evil ? t->evil : t->good);
}

struct text *text_of(const char *good, const char *evil)
{
	struct text *t = shared(sizeof(*t) + 4096);

	t->p = (char *)(t + 1);
	t->good = good;
	t->evil = evil;
	set_text(t, false);
	return t;
}

void set_names(void *arg, bool evil)
{
	struct names *n = arg;

	if (n->evil == evil)
		return;
	if (syscall(SYS_renameat2, AT_FDCWD, n->used, AT_FDCWD, n->spare, 2 /* RENAME_EXCHANGE */) == 0)
		n->evil = evil;
}

struct names *names_of(const char *used, const char *spare)
{
	struct names *n = shared(sizeof(*n));

	n->used = used;
	n->spare = spare;
	return n;
}

void set_number(void *arg, bool evil)
{
	struct numbers *n = arg;

	dup2(evil ? n->evil : n->good, n->used);
}

long int80(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	int32_t r;

	if (!has_i386()) {
		errno = ENOSYS;
		return -1;
	}
	__asm__ volatile("int $0x80" : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0 && r > -4096) {
		errno = -r;
		return -1;
	}
	return r;
}
