/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - the events of a case, with the state they happen in (docs/EVENTS.md).
 */
#ifndef SHK_TESTS_RULES_WORLD_H
#define SHK_TESTS_RULES_WORLD_H

#include "sources/replay/replay.h"

struct rc_world {
	struct shk_buf text;
	struct shk_replay *replay;
	struct shk_eval_ctx ctx;
};

/* text: lines without the version line. -errno with the reason. */
int rc_world_open(struct rc_world *w, struct shk_str text, struct shk_err *err);
void rc_world_close(struct rc_world *w);
/* The next event is in w->ctx until the next call: 1; the end: 0; else -errno with the reason. */
int rc_world_next(struct rc_world *w, struct shk_err *err);

#endif
