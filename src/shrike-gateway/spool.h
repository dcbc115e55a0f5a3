/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h - alerts on disk until every output has them.
 *
 * A log of records with ascending numbers in segment files, shared by all outputs; each output remembers how far it
 * is (outlet.h). Bounded in bytes and age: past a bound the oldest records of the least severe rank are
 * dropped, and whoever they were for is told each. What cannot be written to disk is kept in memory, with a bound of
 * its own, and is then not durable; it moves to disk once that is possible again. A directory that cannot be read at
 * the start is not written to either: what is in it comes first. The spool owns its directory (locked) and descriptors. One
 * thread.
 */
#ifndef SHK_GATEWAY_SPOOL_H
#define SHK_GATEWAY_SPOOL_H

#include "base/io.h"

struct shk_spool_item {
	uint64_t number;
	uint64_t boot, cookie; /* of the journal: which record it was */
	uint64_t time;	       /* real, ns: when it was put here */
	uint32_t rank;	       /* of struct shk_line */
	uint32_t mask;	       /* outputs it is for, by their bits */
};

/* Where a reader is. All zero: at the oldest record. */
struct shk_spool_pos {
	uint64_t number; /* of the next record to look at, or less */
	uint64_t segment, gen, off; /* where that was seen */
};

struct shk_spool_ops {
	/* This record is about to be dropped by a bound. */
	void (*dropped)(const struct shk_spool_item *it, void *arg);
	/* Those just told are dropped when this returns. whole: everything below `upto` is gone; else what is gone
	 * are records of this rank in the segment named `segment`, and only a record of that keeps a crash from having
	 * them counted twice. */
	void (*dropping)(bool whole, uint64_t upto, uint64_t segment, uint32_t rank, void *arg);
	void *arg;
};

struct shk_spool;
/* dir: must exist, be ours, and be nobody else's to write. Another process that has it is waited for, up to 5 s, then -EBUSY. If the directory cannot be used
 * the spool is in memory alone, *why (not NULL) then says the reason; it is tried again. 0 or -errno. */
int shk_spool_open(const char *dir, uint64_t max_bytes, uint64_t max_age, const struct shk_spool_ops *ops,
		   struct shk_spool **ret, struct shk_err *why);
void shk_spool_close(struct shk_spool *s);
SHK_DEFINE_CLEANUP(struct shk_spool, shk_spool_close)

/* Was this record put here before? Cookies of a boot come in ascending order. */
bool shk_spool_seen(const struct shk_spool *s, uint64_t boot, uint64_t cookie);
/* This record is for nobody: it is seen, and not kept. */
void shk_spool_pass(struct shk_spool *s, uint64_t boot, uint64_t cookie);
/* Takes a record in; its number is assigned. 0 or -errno: it is not here. */
int shk_spool_put(struct shk_spool *s, struct shk_spool_item *it, struct shk_str text);
/* Writes and syncs what was put. 0: all of it is on disk; -errno: it is in memory. */
int shk_spool_commit(struct shk_spool *s);
/* The next record at or behind pos that is for one of these outputs, with its text; pos moves behind it. 1, 0: there
 * is none, -errno. Only what was committed is seen. */
int shk_spool_next(struct shk_spool *s, struct shk_spool_pos *pos, uint32_t mask, struct shk_spool_item *it,
		   struct shk_buf *text);
/* Records below `upto` are needed by nobody. */
void shk_spool_trim(struct shk_spool *s, uint64_t upto);
/* Once a second or so: age, and another try to get from memory to disk. now: real time, ns. */
void shk_spool_tick(struct shk_spool *s, uint64_t now);
/* Records of this rank of that segment go, as far as a dropping of before left them; each is told. */
void shk_spool_finish_drop(struct shk_spool *s, uint64_t segment, uint32_t rank);

/* Up to this cookie of this boot everything is durable or needed by nobody; while the disk takes nothing, in memory, as
 * soon as more than half the engine's window is. False: nothing of that boot. */
bool shk_spool_kept(const struct shk_spool *s, uint64_t boot, uint64_t *ret_cookie);
/* How many records up to this cookie of this boot are needed and in memory alone. */
uint64_t shk_spool_at_risk(const struct shk_spool *s, uint64_t boot, uint64_t cookie);
/* The directory, for files beside; -1: it cannot be used. */
int shk_spool_dir(const struct shk_spool *s);
struct shk_spool_state {
	uint64_t next;	  /* number of the next record */
	uint64_t records, bytes, segments;
	uint64_t oldest;  /* when the oldest segment's newest record came, 0: empty */
	int error;	  /* why the newest are in memory, 0: they are not */
	uint64_t spoilt;  /* files that were found spoilt, or could not be read, and are kept aside */
	bool again;	  /* the directory can be used now, or had to be given up: open the spool anew */
};
void shk_spool_state(const struct shk_spool *s, struct shk_spool_state *ret);

#endif
