/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - a record of the kernel module as an event of the rule language.
 *
 * Attempts at a kernel object become the call that asks for it (an open by whatever door is "openat"), with the names the kernel has
 * resolved as its arguments; ends of calls become the call with its registers and result, whose memory is not read any more. All
 * that an event needs is copied into its arena, so the record may go. One thread.
 */
#ifndef SHK_SOURCES_KMOD_EVENT_H
#define SHK_SOURCES_KMOD_EVENT_H

#include "event/event.h"
#include "sources/kmod/ring.h"

/* 0: ev, which shk_event_init has been called on, is filled in but for ctr and num. -ENOMSG: the record is no event of rules (a loss, a
 * look at the interpreter of a script, a file made by the open that follows, an end of a task); -ENOMEM: the arena is full; -EBADMSG.
 * real_minus_mono: what makes a CLOCK_MONOTONIC time one of CLOCK_REALTIME. */
int shk_kmod_event(const struct shrike_record *rec, int64_t real_minus_mono, struct shk_event *ev);

/* The event of an attempt as the call the task is in, which reaches the same objects by other arguments (an openat that is an open):
 * texts and registers move to their places there. Once per event. -ENOMSG: call has no place for them; the event is spoilt. */
int shk_kmod_event_as(struct shk_event *ev, const struct shk_syscall *call);

#endif
