// SPDX-License-Identifier: Apache-2.0
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/io.h"

enum source_kind { SOURCE_IO, SOURCE_TIMER };

struct shk_source {
	struct shk_loop *loop;
	struct shk_source *prev, *next; /* all sources, or the removed list by next */
	enum source_kind kind;
	bool dead;
	int fd;
	shk_io_fn io;
	shk_timer_fn timer;
	uint64_t due, period; /* CLOCK_MONOTONIC ns */
	void *arg;
};

struct shk_loop {
	int epfd, wakefd;
	bool stop;
	int code;
	struct shk_source *sources, *removed;
	void (*on_wake)(void *arg);
	void *wake_arg;
};

int shk_loop_new(struct shk_loop **ret, struct shk_err *err)
{
	struct shk_loop *l = calloc(1, sizeof(*l));
	struct epoll_event ev = { .events = EPOLLIN };

	if (!l)
		return shk_err_set(err, ENOMEM, "out of memory");
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->wakefd < 0 ||
	    epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) < 0) {
		int e = errno;

		shk_loop_free(l);
		return shk_err_sys(err, e, "event loop");
	}
	*ret = l;
	return 0;
}

static void free_removed(struct shk_loop *l)
{
	while (l->removed) {
		struct shk_source *s = l->removed;

		l->removed = s->next;
		free(s);
	}
}

void shk_loop_free(struct shk_loop *l)
{
	if (!l)
		return;
	while (l->sources)
		shk_source_remove(l->sources);
	free_removed(l);
	shk_close(&l->epfd);
	shk_close(&l->wakefd);
	free(l);
}

static struct shk_source *source_new(struct shk_loop *l, enum source_kind kind, void *arg)
{
	struct shk_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->kind = kind;
	s->arg = arg;
	s->fd = -1;
	s->next = l->sources;
	if (s->next)
		s->next->prev = s;
	l->sources = s;
	return s;
}

struct shk_source *shk_loop_add_io(struct shk_loop *l, int fd, uint32_t events, shk_io_fn fn,
				   void *arg)
{
	struct shk_source *s = source_new(l, SOURCE_IO, arg);
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s)
		return NULL;
	s->io = fn;
	s->fd = fd;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		s->fd = -1;
		shk_source_remove(s);
		return NULL;
	}
	return s;
}

int shk_source_set_events(struct shk_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(s->loop->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

struct shk_source *shk_loop_add_timer(struct shk_loop *l, uint64_t delay_ns, uint64_t period_ns,
				      shk_timer_fn fn, void *arg)
{
	struct shk_source *s = source_new(l, SOURCE_TIMER, arg);

	if (!s)
		return NULL;
	s->timer = fn;
	s->due = shk_now_mono() + delay_ns;
	s->period = period_ns;
	return s;
}

void shk_source_remove(struct shk_source *s)
{
	struct shk_loop *l;

	if (!s || s->dead)
		return;
	l = s->loop;
	s->dead = true;
	if (s->fd >= 0)
		epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->prev)
		s->prev->next = s->next;
	else
		l->sources = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->prev = NULL;
	s->next = l->removed;
	l->removed = s;
}

void shk_loop_stop(struct shk_loop *l, int code)
{
	l->stop = true;
	l->code = code;
}

void shk_loop_wake(struct shk_loop *l)
{
	uint64_t one = 1;
	ssize_t r = write(l->wakefd, &one, sizeof(one));

	(void)r; /* EAGAIN: a wake is pending anyway */
}

void shk_loop_on_wake(struct shk_loop *l, void (*fn)(void *arg), void *arg)
{
	l->on_wake = fn;
	l->wake_arg = arg;
}

/* Runs due timers; returns milliseconds to the next one, -1 for none. Timers are few (tens), so a
 * list walk costs less than a heap would. */
static int run_timers(struct shk_loop *l)
{
	uint64_t now = shk_now_mono(), next = UINT64_MAX;
	bool again;

	do {
		again = false;
		for (struct shk_source *s = l->sources; s; s = s->next) {
			if (s->kind != SOURCE_TIMER || s->due > now)
				continue;
			s->due = s->period ? now + s->period : UINT64_MAX;
			s->timer(s, s->arg);
			if (!s->dead && !s->period)
				shk_source_remove(s);
			again = true; /* the list may have changed */
			break;
		}
	} while (again && !l->stop);
	for (struct shk_source *s = l->sources; s; s = s->next)
		if (s->kind == SOURCE_TIMER && s->due < next)
			next = s->due;
	if (next == UINT64_MAX)
		return -1;
	now = shk_now_mono();
	return next <= now ? 0 : (int)SHK_MIN((next - now + 999999) / 1000000, 1u << 30);
}

int shk_loop_run(struct shk_loop *l)
{
	struct epoll_event ev[32];

	l->stop = false;
	while (!l->stop) {
		int timeout = run_timers(l);
		int n;

		free_removed(l);
		if (l->stop)
			break;
		n = epoll_wait(l->epfd, ev, (int)SHK_ARRAY_SIZE(ev), timeout);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !l->stop; i++) {
			struct shk_source *s = ev[i].data.ptr;
			uint64_t v;

			if (!s) {
				ssize_t r = read(l->wakefd, &v, sizeof(v));

				if (r > 0 && l->on_wake)
					l->on_wake(l->wake_arg);
				continue;
			}
			if (!s->dead)
				s->io(s, ev[i].events, s->arg);
		}
		free_removed(l);
	}
	return l->code;
}
