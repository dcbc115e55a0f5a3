/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.h - one file of the spool: records one behind the other (private to the spool).
 *
 * A record is a struct shk_spool_item with length and checksum in front of it, and the text of an alert. Records have
 * ascending numbers. A file that was cut (by a crash, a full disk) ends with its last whole record. A segment in
 * memory is a file without a name. One thread.
 */
#ifndef SHK_GATEWAY_SEGMENT_H
#define SHK_GATEWAY_SEGMENT_H

#include "alerts/sink.h"
#include "shrike-gateway/spool.h"

struct shk_segment {
	int fd;
	bool memory;
	uint64_t first;	      /* names the file; the first record's number may be greater */
	uint64_t last;	      /* number of the last record, first - 1 when empty */
	uint64_t size;	      /* bytes */
	uint64_t newest;      /* time of its newest record */
	uint64_t boot, cookie; /* of the last record */
	uint64_t gen;	      /* changes when offsets do */
	uint64_t n, of_rank[SHK_RANKS];
};

/* Appends one record's bytes to b, which then may have failed. */
void shk_record_put(struct shk_buf *b, const struct shk_spool_item *it, struct shk_str text);
/* Parses the record at the start of n bytes. Its length, 0: not whole (or n is too small), -EBADMSG: no record. */
ssize_t shk_record_get(const void *p, size_t n, struct shk_spool_item *it, struct shk_str *text);
/* Bytes that a record with a text of n bytes takes. */
size_t shk_record_size(size_t n);

/* Reads the record at off. Its length, 0 at the end, -errno. text: reset first; NULL: not wanted. */
ssize_t shk_segment_read(const struct shk_segment *s, uint64_t off, struct shk_spool_item *it,
			 struct shk_buf *text);
/* Fills in everything from the file's content, and cuts what is behind the last whole record. 0 or -errno; -EBADMSG:
 * there are whole records behind a part that is spoilt, and nothing was cut. */
int shk_segment_scan(struct shk_segment *s);
/* Writes all whole records into fd. 0 or -errno. */
int shk_segment_salvage(const struct shk_segment *s, int fd);
/* Counts a record that was written. */
void shk_segment_count(struct shk_segment *s, const struct shk_spool_item *it, size_t size);

#endif
