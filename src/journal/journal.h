/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - what survives the death of an engine.
 *
 * One shared-memory file (memfd, made by the keeper, mapped by the engine) with three parts:
 * - containers: per listener group the next alert sequence number;
 * - calls: one slot per call in flight. SECCOMP_IOCTL_NOTIF_RECV is given the slot's own `notif` as
 *   buffer, so the kernel itself writes the entry: there is no moment at which a received
 *   notification is known to the kernel but not to the journal (a copy that fails puts the
 *   notification back: kernel/seccomp.c, seccomp_notify_recv);
 * - alerts: a byte ring of finished alert records. A verdict's alert is committed here before the
 *   caller is released; the writer removes it when every sink has it.
 * One engine at a time uses it; inside the engine any thread may, locking as said per function. All
 * fields read back after a crash are range-checked: a torn slot is dropped, never trusted. A slot
 * that was WAITING without a notification is FREE after open; one ANSWERED with an answer to another
 * call is RUNNING again.
 */
#ifndef SHK_JOURNAL_JOURNAL_H
#define SHK_JOURNAL_JOURNAL_H

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define SHK_JOURNAL_CALLS      4096 /* each worker holds one: an attached container has many */
#define SHK_JOURNAL_CONTAINERS 1024
#define SHK_JOURNAL_RING       (4u << 20) /* bytes of the alert ring */
#define SHK_JOURNAL_ALERT_MAX  (64u << 10) /* one record */

enum shk_call_state {
	SHK_CALL_FREE,
	SHK_CALL_WAITING,  /* handed to RECV; notif.id == 0 until the kernel fills it */
	SHK_CALL_RUNNING,  /* being judged */
	SHK_CALL_ANSWERED, /* answer decided and its alerts committed; SEND may or may not have happened */
	SHK_CALL_EXPIRED,  /* the watchdog answered it at its deadline */
	SHK_CALL_CLAIMED,  /* FREE, being cleared for WAITING: of no meaning outside src/journal */
};

struct shk_call_slot {
	_Atomic uint32_t state; /* enum shk_call_state */
	uint32_t attempts;	/* engines that began to judge it */
	uint64_t listener;	/* key of the listener (keeper's) */
	uint64_t container;	/* key of the container */
	uint64_t recv_mono_ns;	/* CLOCK_MONOTONIC when received, 0: not yet stamped */
	uint64_t seq;		/* alert sequence number taken for this call, 0: none yet */
	uint64_t epoch;		/* shk_journal_epoch() of the engine that reserved it */
	uint64_t effect;	/* not 0: what the call does may have been done already (enforce/paths.h) */
	struct seccomp_notif_resp resp; /* the answer, valid from ANSWERED on */
	union {
		struct seccomp_notif notif;
		unsigned char room[192]; /* the kernel's struct may grow */
	};
} __attribute__((aligned(64)));

struct shk_journal; /* process-local handle */

/* Keeper: a new, empty, sealed-size journal. Returns the memfd. */
int shk_journal_create(struct shk_err *err);
/* Maps an existing one (fd is borrowed). -EPROTO: other version. */
int shk_journal_open(int fd, struct shk_journal **ret, struct shk_err *err);
void shk_journal_close(struct shk_journal *j);
SHK_DEFINE_CLEANUP(struct shk_journal, shk_journal_close)
/* Random per journal, hex: "boot" of alert identities. */
const char *shk_journal_boot(const struct shk_journal *j);
/* Counts the opens of this journal, from 1: slots of another epoch were left by an earlier engine. */
uint64_t shk_journal_epoch(const struct shk_journal *j);

/* -- calls: any thread -- */
/* A zeroed slot in state WAITING for this listener, or NULL when all are taken. Lock-free. last: tried first, as it is in the
 * processor's cache: the one that the caller released last, or NULL. */
struct shk_call_slot *shk_journal_reserve(struct shk_journal *j, uint64_t listener, uint64_t container,
					  struct shk_call_slot *last);
void shk_journal_release(struct shk_journal *j, struct shk_call_slot *s);
/* Iterates over slots that are not FREE; *pos from 0; NULL at the end. */
struct shk_call_slot *shk_journal_next_call(struct shk_journal *j, size_t *pos);

/* -- sequence numbers: caller serialises per container -- */
/* Takes the next sequence number of the container and records it in the slot first, so a crash
 * never loses or doubles one. s may be NULL (alerts without a call). From 1. Container 0: alerts of
 * the program itself. Never fails: past SHK_JOURNAL_CONTAINERS containers, numbers come from one
 * common counter far above all others. The first number taken for a call that an earlier engine
 * left with seq != 0 is that seq: an alert of the call that was committed already is then repeated
 * under the same identity, and one that was not leaves no gap. */
uint64_t shk_journal_take_seq(struct shk_journal *j, uint64_t container, struct shk_call_slot *s);
void shk_journal_forget_container(struct shk_journal *j, uint64_t container);

/* -- alerts: any thread (internal mutex) -- */
enum { SHK_JA_VERDICT = 1 /* may use the reserved quarter of the ring */ };
/* What its priority is (0: the most severe of eight), beside the flags, so that the writer need not parse a record to
 * know. -1: it does not say. */
#define SHK_JA_PRIORITY(p)	  ((1u + (uint32_t)(p)) << 8)
#define SHK_JA_PRIORITY_OF(flags) ((int)((flags) >> 8 & 15) - 1)
/* Commits a record. -ENOSPC: full (counted; the caller need not), -EMSGSIZE. */
int shk_journal_put_alert(struct shk_journal *j, uint32_t flags, const void *p, size_t n);
/* Would a record of n bytes be taken now? Counts nothing. */
bool shk_journal_has_room(struct shk_journal *j, uint32_t flags, size_t n);
/* Writer thread: the oldest record not yet removed, copied into out (reset first). Returns a cookie
 * > 0, or 0 when empty. Iterate with after = cookie of the previous record (0: oldest). */
uint64_t shk_journal_peek_alert(struct shk_journal *j, uint64_t after, struct shk_buf *out,
				uint32_t *ret_flags);
/* Removes everything up to and including cookie. */
void shk_journal_drop_alerts(struct shk_journal *j, uint64_t cookie);
/* Alerts that left the ring and that some sink still has to get: of an engine that died they are lost. The writer
 * keeps the number up to date; a new one finds there what the one before left. */
uint64_t shk_journal_owed(const struct shk_journal *j);
void shk_journal_set_owed(struct shk_journal *j, uint64_t n);
/* One alert more is lost: it could not even be written. Any thread. */
void shk_journal_lose_alert(struct shk_journal *j);
/* Alerts refused for want of room, or lost otherwise, since creation. */
uint64_t shk_journal_lost_alerts(const struct shk_journal *j);

#endif
