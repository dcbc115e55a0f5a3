/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - records out of the module's rings, and several rings as one stream in order of time.
 *
 * Memory comes from a kernel that is trusted, but nothing is believed that a check costs so little: a record that does not fit
 * ends a ring (broken) instead of being followed out of it. A record is valid until the next call for the same ring. No
 * allocation after shk_merge_init. One thread.
 */
#ifndef SHK_SOURCES_KMOD_RING_H
#define SHK_SOURCES_KMOD_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shrike/uapi.h>

struct shk_kring {
	struct shrike_ring *page;
	const uint8_t *data;
	uint32_t size;		/* power of two */
	uint32_t length;	/* of the held record, read once */
	uint64_t tail;		/* ours; published when a record is done with */
	uint64_t next_seq;
	uint64_t ahead;		/* of tail, up to the module's head, which is looked at again when this is 0 */
	bool started;		/* next_seq is known */
	bool broken;
	uint64_t missed;	/* by gaps in seq */
	uint64_t told;		/* by records of loss */
	const struct shrike_record *held; /* given out, or looked at by the merge */
};

/* Record with its parts. Pointers lead into the ring; body is what the type says (uapi.h). */
struct shk_krecord {
	const struct shrike_record *head;
	const void *body;
	struct { const char *p; size_t n; } text, text2; /* paths; text: address of a socket */
};

/* 1: there is one; 0: none; -EBADMSG: broken, now or before. Does not move. */
int shk_kring_look(struct shk_kring *r);
static inline int shk_kring_peek(struct shk_kring *r)
{
	return r->held ? 1 : shk_kring_look(r);
}
/* The one that was looked at is done with. */
static inline void shk_kring_advance(struct shk_kring *r)
{
	if (!r->held)
		return;
	r->tail += r->length;
	r->ahead -= r->length;
	r->held = NULL;
	__atomic_store_n(&r->page->tail, r->tail, __ATOMIC_RELEASE);
}
/* Splits a record into its parts. -EBADMSG: lengths that do not fit; -ENOMSG: a type we do not know. */
int shk_krecord_split(const struct shrike_record *head, struct shk_krecord *ret);

#define SHK_MERGE_WINDOW_NS 2000000u /* a record waits that long for an older one of another processor */

struct shk_merge {
	struct shk_kring *ring;	/* page NULL: a processor that cannot be */
	unsigned n;
	struct shk_kring *last;	/* whose record is given out */
};

/* The next record in order of time; none younger than now_ns - window (CLOCK_MONOTONIC; now_ns 0: all there is), unless its ring
 * is more than half full. NULL: none. The one before is done with. */
const struct shrike_record *shk_merge_next(struct shk_merge *m, uint64_t now_ns);
/* Sums over the rings. */
uint64_t shk_merge_missed(const struct shk_merge *m);
uint64_t shk_merge_told(const struct shk_merge *m);

#endif
