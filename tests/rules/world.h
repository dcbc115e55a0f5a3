/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - the events of a case, with the state they happen in (docs/EVENTS.md).
 */
#ifndef SHK_TESTS_RULES_WORLD_H
#define SHK_TESTS_RULES_WORLD_H

#include "event/text.h"
#include "fields/fields.h"

struct rc_world {
	struct shk_arena text, scratch;
	struct shk_text_reader reader;
	struct shk_text_record rec;
	struct shk_eval_ctx ctx;
	uint64_t num;
};

/* text: lines without the version line. */
int rc_world_open(struct rc_world *w, struct shk_str text);
void rc_world_close(struct rc_world *w);
/* The next event is in w->ctx until the next call: 1; the end: 0; else -errno with the reason. */
int rc_world_next(struct rc_world *w, struct shk_err *err);

#endif
