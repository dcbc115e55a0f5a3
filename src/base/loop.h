/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h - one epoll loop with descriptors, timers and deferred calls.
 *
 * One loop, one thread: every function but shk_loop_wake is called on the loop's own thread.
 * The loop borrows descriptors; whoever added one removes it before closing it. Callbacks may add
 * and remove sources, including their own: removed sources are freed after the round.
 */
#ifndef SHK_BASE_LOOP_H
#define SHK_BASE_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "base/error.h"

struct shk_loop;
struct shk_source;

typedef void (*shk_io_fn)(struct shk_source *s, uint32_t events, void *arg);
typedef void (*shk_timer_fn)(struct shk_source *s, void *arg);

int shk_loop_new(struct shk_loop **ret, struct shk_err *err);
void shk_loop_free(struct shk_loop *l);
SHK_DEFINE_CLEANUP(struct shk_loop, shk_loop_free)

/* events: EPOLLIN | EPOLLOUT ... ; 0 waits for EPOLLHUP/EPOLLERR alone. NULL without memory. */
struct shk_source *shk_loop_add_io(struct shk_loop *l, int fd, uint32_t events, shk_io_fn fn,
				   void *arg);
int shk_source_set_events(struct shk_source *s, uint32_t events);
/* First call after delay_ns, then every period_ns (0: once, the source then removes itself). */
struct shk_source *shk_loop_add_timer(struct shk_loop *l, uint64_t delay_ns, uint64_t period_ns,
				      shk_timer_fn fn, void *arg);
/* NULL is allowed. The source must not be used afterwards. */
void shk_source_remove(struct shk_source *s);

/* Runs until shk_loop_stop. Returns the code given there, or -errno. */
int shk_loop_run(struct shk_loop *l);
void shk_loop_stop(struct shk_loop *l, int code);

/* Any thread, async-signal-safe: makes the loop run `fn` set by shk_loop_on_wake soon. Wakes that
 * come close together are merged. */
void shk_loop_wake(struct shk_loop *l);
void shk_loop_on_wake(struct shk_loop *l, void (*fn)(void *arg), void *arg);

#endif
