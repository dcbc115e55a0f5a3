/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_own.h - what the parts of the spool share: spool_load.c finds what is in the directory, spool.c does the rest
 * (private to the spool). One thread.
 */
#ifndef SHK_GATEWAY_SPOOL_OWN_H
#define SHK_GATEWAY_SPOOL_OWN_H

#include "shrike-gateway/segment.h"

#define SEGMENTS_MAX   1024
#define SEGMENT_LEAST  (64u << 10)
#define SEGMENT_MOST   (4u << 20)
#define PER_SPOOL      32		/* segments that the bound makes */
#define PENDING_MAX    (256u << 10)	/* written when there is so much, synced or not */
#define MEMORY_MAX     (4u << 20)	/* of records that the disk does not take */
#define LOCK_MS	       5000
#define AGAIN_NS       5000000000ull

struct memory_record {
	uint64_t number, cookie, boot, size;
};

struct shk_spool {
	int dir; /* -1: cannot be used now */
	char *path;
	int lock;
	uint64_t max_bytes, max_age, segment_size, bytes, next, gens;
	struct shk_spool_ops ops;
	struct shk_segment seg[SEGMENTS_MAX]; /* oldest first; the last one is written to */
	size_t n;
	struct shk_buf pending; /* records put and not written, for the last segment */
	struct shk_spool_item *pending_item;
	size_t n_pending, room_pending;
	bool dirty;		/* written and not synced, */
	uint64_t synced;	/* from here on in the last segment */
	uint64_t spoilt;
	bool again;
	int error;
	uint64_t again_at;
	struct memory_record *mem; /* those of the segment in memory */
	size_t n_mem, room_mem;
	uint64_t trimmed;	   /* records below are needed by nobody */
	uint64_t boot, cookie;	   /* of the last record that was put */
};

/* The name of the file whose records begin at `first`, with a suffix. */
void shk_spool_name(char *buf, size_t size, uint64_t first, const char *suffix);
/* Opens and locks the directory; waits so many ms for another that has it, then -EBUSY. 0 or -errno. */
int shk_spool_open_dir(struct shk_spool *s, int wait);
void shk_spool_close_dir(struct shk_spool *s);
/* Reads what is in the directory. What cannot be used stays as it is, and is counted. 0 or -errno. */
int shk_spool_load(struct shk_spool *s);
/* Renames the file to one with .bad behind it. 0 or -errno. */
int shk_spool_set_aside(struct shk_spool *s, uint64_t first);

#endif
