/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - events of a text (docs/EVENTS.md), each with the state it happened in.
 *
 * Evaluated like live ones, without a look at this machine's processes: state/recorded.h. One object
 * belongs to one thread. What an event's evaluation returns is valid until the next call here.
 */
#ifndef SHK_SOURCES_REPLAY_REPLAY_H
#define SHK_SOURCES_REPLAY_REPLAY_H

#include "base/arena.h"
#include "event/text.h"
#include "fields/fields.h"

struct shk_replay;

/* A file of any length; "-" is standard input. -errno. */
int shk_replay_open(const char *path, struct shk_replay **ret, struct shk_err *err);
/* A text in memory, borrowed; name is for messages. */
int shk_replay_open_text(const char *name, struct shk_str text, struct shk_replay **ret,
			 struct shk_err *err);
/* The same where no version line is needed: a text inside another file, whose lines follow line `before`. */
int shk_replay_open_lines(const char *name, struct shk_str text, unsigned before, struct shk_replay **ret,
			  struct shk_err *err);
void shk_replay_free(struct shk_replay *r);
SHK_DEFINE_CLEANUP(struct shk_replay, shk_replay_free)

/* The next event: 1, and *ctx is ready for an evaluation (ctx->ev is the event; its number is one more than
 * the last one's if the line has none). The end: 0. -EBADMSG: "FILE: line N, column M: what; remedy";
 * -E2BIG, -ENOMEM, -errno of reading. After an error there is nothing more. */
int shk_replay_next(struct shk_replay *r, struct shk_eval_ctx *ctx, struct shk_err *err);
/* Line of the event, and bytes of the text behind us. */
unsigned shk_replay_line(const struct shk_replay *r);
uint64_t shk_replay_done(const struct shk_replay *r);
/* Of the whole text; 0: not known (a pipe). */
uint64_t shk_replay_size(const struct shk_replay *r);

#endif
