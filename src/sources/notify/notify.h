/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - seccomp user notification as an event source.
 *
 * Thin, exact wrappers over the listener's ioctls plus the reader of the waiting task's memory. A
 * listener descriptor is used by its worker thread; shk_notify_answer may be called from any thread
 * (the watchdog).
 */
#ifndef SHK_SOURCES_NOTIFY_NOTIFY_H
#define SHK_SOURCES_NOTIFY_NOTIFY_H

#include "event/event.h"
#include "journal/journal.h"

/* Is fd a seccomp listener? (/proc/self/fd link is "anon_inode:seccomp notify": THREATS B5) */
bool shk_notify_is_listener(int fd);
/* Sets SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP. false: the kernel does not have it (before 6.6). */
bool shk_notify_tune(int fd);
/* Sizes the kernel uses (SECCOMP_GET_NOTIF_SIZES) fit the journal's slots: 0, or -E2BIG. */
int shk_notify_check_sizes(struct shk_err *err);
/* Blocks in RECV into the slot. 0: received. -EINTR: signal. -ENOENT: the caller died meanwhile, or no task
 * uses the filter any more (look for POLLHUP). */
int shk_notify_recv(int fd, struct shk_call_slot *slot);
/* 0: still waiting for its answer; -ENOENT: gone. */
int shk_notify_valid(int fd, uint64_t id);
/* continue, or error (errno > 0) or value. -ENOENT: the caller is gone. */
int shk_notify_continue(int fd, uint64_t id);
int shk_notify_answer(int fd, uint64_t id, int error, int64_t val);
/* Puts a copy of srcfd into the caller's table and answers with its number, in one step where the kernel can
 * (5.14). The number; -ENOENT: the caller is gone; -EMFILE and the like: it still waits. No signal may end it half way: they
 * are blocked meanwhile. quiet: the thread gets none. */
int shk_notify_give(int fd, uint64_t id, int srcfd, bool cloexec);
int shk_notify_give_quiet(int fd, uint64_t id, int srcfd, bool cloexec);
/* The same, but the caller goes on waiting for its answer: until then srcfd can be closed. */
int shk_notify_install(int fd, uint64_t id, int srcfd, bool cloexec);
/* All tasks of the filter are gone (POLLHUP). */
bool shk_notify_hung_up(int fd);
/* Fills ev from the notification in slot; memory is read by process_vm_readv of the waiting task. Whether it still
 * waits, so that it surely was the task's own, is asked after each read (else the read failed), or, with `later`, once
 * for all of them by whoever sets that: before anything read is acted upon. fd must outlive the event. */
struct shk_notify_ctx {
	int fd;
	uint64_t id;
	bool later;
	bool unchecked; /* something was read later */
};
/* -ESRCH: what was read unchecked may be another task's. */
int shk_notify_check(struct shk_notify_ctx *ctx);
void shk_notify_event(struct shk_event *ev, const struct seccomp_notif *n,
		      struct shk_notify_ctx *ctx);

#endif
