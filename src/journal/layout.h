/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - the bytes of a journal, and the handle on a mapped one. Private to src/journal.
 *
 * What must hold after a SIGKILL at any instruction: stores of a dead process are all there, in
 * the order its release stores give; nothing is lost but what it had not yet stored. So each part
 * has one store that makes a change count, and everything it covers is written before it:
 * - calls: `state`. A slot being cleared is CLAIMED, which means FREE to whoever opens next;
 * - ring: `tail`. Bytes behind it do not exist;
 * - containers: `last`. The number is written into the slot of the call first. At open every
 *   counter is lifted to the largest number in a slot of its container, and the first number a
 *   left-over call takes is the one it has: neither lost nor given twice.
 *
 * Any other program version is refused (SHK_JOURNAL_VERSION changes with every change here or in
 * struct shk_call_slot); sizes are compared as well.
 */
#ifndef SHK_JOURNAL_LAYOUT_H
#define SHK_JOURNAL_LAYOUT_H

#include <pthread.h>

#include "journal/journal.h"

#define SHK_JOURNAL_MAGIC   "SHKjrnl"
#define SHK_JOURNAL_VERSION 3
#define SHK_JOURNAL_BOOT    16 /* random bytes */

/* Numbers of containers that found the table full: apart from all others, exact in JSON. */
#define SHK_JOURNAL_SEQ_SPILL (UINT64_C(1) << 52)
/* Where a counter goes on that was found damaged: no honest one gets there. */
#define SHK_JOURNAL_SEQ_MEND  (UINT64_C(1) << 51)

struct shk_journal_head {
	char magic[8]; /* written last by create */
	uint32_t version, head_size, slot_size, calls, containers, ring;
	unsigned char boot[SHK_JOURNAL_BOOT];
	_Atomic uint64_t epoch, lost, owed;
	_Atomic uint64_t internal, spill;   /* last numbers: container 0; containers without entry */
	_Atomic uint64_t ring_head, ring_tail; /* byte counts since creation; head <= tail */
};

enum { SHK_JC_EMPTY, SHK_JC_USED, SHK_JC_GONE };

struct shk_journal_container {
	_Atomic uint32_t use; /* SHK_JC_*; GONE: forgotten, probing goes on behind it */
	uint64_t key;
	_Atomic uint64_t last; /* number given last */
};

struct shk_journal_file {
	struct shk_journal_head head;
	struct shk_journal_container containers[SHK_JOURNAL_CONTAINERS];
	struct shk_call_slot calls[SHK_JOURNAL_CALLS];
	unsigned char ring[SHK_JOURNAL_RING];
};

_Static_assert((SHK_JOURNAL_RING & (SHK_JOURNAL_RING - 1)) == 0, "ring size is a power of two");
_Static_assert((SHK_JOURNAL_CONTAINERS & (SHK_JOURNAL_CONTAINERS - 1)) == 0, "a power of two");
_Static_assert(SHK_JOURNAL_ALERT_MAX < SHK_JOURNAL_RING / 4, "a verdict's alert fits the reserve");
_Static_assert(sizeof(struct seccomp_notif) <= 192, "the notification fits its room");

struct shk_journal {
	struct shk_journal_file *f;
	uint64_t epoch;
	char boot[2 * SHK_JOURNAL_BOOT + 1];
	_Atomic uint32_t hint;		       /* where the next search for a free slot begins */
	_Atomic bool adopt[SHK_JOURNAL_CALLS]; /* left by an earlier engine with a number */
	pthread_mutex_t table;		       /* containers, internal, spill */
	pthread_mutex_t ring;		       /* ring_head, ring_tail, ring bytes */
};

/* Checks at open, before anybody else uses j; each repairs or drops what is not sound. */
void shk_journal_mend_calls(struct shk_journal *j);
void shk_journal_mend_containers(struct shk_journal *j);
void shk_journal_mend_ring(struct shk_journal *j);

#endif
