/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - the text form of events and of the state they happen in: docs/EVENTS.md.
 *
 * The format of tests, replay and recordings. shk_event_print (event.h) writes an event; this header reads.
 * Everything returned lives in the text given or in the arena, until that is reset. A reader belongs
 * to one thread.
 */
#ifndef SHK_EVENT_TEXT_H
#define SHK_EVENT_TEXT_H

#include "event/event.h"

#define SHK_TEXT_VERSION  1
#define SHK_TEXT_HEAD	  "shrike-events 1"
#define SHK_TEXT_LINE_MAX (1u << 20)

/* ---- one event ---- */

/* Parses one line "event ...". ev gets a memory reader over what the line holds: arguments are read
 * when asked for, as from a task. container: the id named, p NULL for none. -EBADMSG: "column N: ...". */
int shk_event_parse(struct shk_str line, struct shk_arena *arena, struct shk_event *ev,
		    struct shk_str *container, struct shk_err *err);
/* shk_event_print with the id of the event's container, which this folder cannot look into. */
void shk_event_print_in(struct shk_event *ev, struct shk_str container, struct shk_buf *out);
/* The same, with bytes of the task's memory that no argument shows (n = 0: none). */
void shk_event_print_with(struct shk_event *ev, struct shk_str container, uint64_t addr,
			  struct shk_str bytes, struct shk_buf *out);
/* Bytes in quotes, as the text form has them. */
void shk_text_quote(struct shk_str s, struct shk_buf *out);

/* ---- a whole text ---- */

enum shk_text_kind {
	SHK_TEXT_EVENT,
	SHK_TEXT_CONTAINER, /* key 0: id */
	SHK_TEXT_PROCESS,   /* key 0: tid */
	SHK_TEXT_FD,	    /* key 0: tid, 1: number */
	SHK_TEXT_USER,	    /* key 0: uid */
	SHK_TEXT_GROUP,	    /* key 0: gid */
	SHK_TEXT_PROGRAM,   /* key 0: tid */
	SHK_TEXT_MACHINE,   /* key 0: host name */
	SHK_TEXT_USAGE,	    /* key 0: tid */
};

struct shk_text_pair {
	struct shk_str name, value;
	unsigned column; /* of the value, from 1 */
	struct shk_strvec list; /* value was [...] */
	bool is_list;
};

#define SHK_TEXT_PAIRS_MAX 640 /* annotations and labels of a cluster's container are many */

struct shk_text_record {
	enum shk_text_kind kind;
	unsigned line;
	struct shk_str key[2];
	struct shk_text_pair *pairs;
	size_t n_pairs;
	struct shk_event event;	  /* SHK_TEXT_EVENT */
	struct shk_str container; /* SHK_TEXT_EVENT */
};

struct shk_text_reader {
	struct shk_str rest;
	unsigned line;
	bool versioned;
	bool more; /* `rest` holds whole lines, and others follow: its end is not the end */
};

void shk_text_init(struct shk_text_reader *r, struct shk_str text);
/* The next record: 1; the end: 0; -EBADMSG: "line N, column M: what; remedy". A text without its version line is an
 * error, empty text too. */
int shk_text_next(struct shk_text_reader *r, struct shk_arena *arena, struct shk_text_record *ret,
		  struct shk_err *err);
/* SECONDS[.NANOSECONDS] since 1970 in nanoseconds. false: no time. */
bool shk_text_time(struct shk_str s, uint64_t *ret);
/* A number as the text form has them: decimal, negative decimal (two's complement), 0x hexadecimal. */
bool shk_text_number(struct shk_str s, uint64_t *ret);
/* A member of a state record; NULL: absent. */
const struct shk_text_pair *shk_text_get(const struct shk_text_record *rec, const char *name);
/* A member that is a number (decimal, 0x...); otherwise: absent. */
uint64_t shk_text_u64(const struct shk_text_record *rec, const char *name, uint64_t otherwise);

#endif
