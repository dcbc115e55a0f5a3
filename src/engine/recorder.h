/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder.h - judged calls as text, with the state they were judged in (private to src/engine).
 *
 * While somebody records, each worker writes what rules could have asked about its call behind the evaluation, and
 * puts it into a queue in memory; the main thread sends it. A queue that is full loses the event and counts it: nobody
 * waits for a reader. Nobody recording costs one load.
 */
#ifndef SHK_ENGINE_RECORDER_H
#define SHK_ENGINE_RECORDER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "engine/judge.h"

#define SHK_RECORDER_QUEUE (16u << 20) /* bytes that wait for the reader */
#define SHK_RECORDER_EVENT (4u << 20)  /* of one event with its state */
#define SHK_RECORDER_PIECE (256u << 10) /* so much is worth waking the main thread at once */
#define SHK_RECORDER_ONLY  64u	       /* containers that can be named */

struct shk_recorder {
	_Atomic unsigned round;	/* 0: nobody records; else a number of its own for each recording */
	unsigned last_round;	/* main thread */
	pthread_mutex_t lock;	/* a leaf; guards the rest */
	struct shk_buf queue;
	size_t done;		/* bytes of the queue that are sent */
	char *only[SHK_RECORDER_ONLY]; /* ids and names of containers, owned; none: all */
	unsigned n_only;
	uint64_t lost;		/* events, not told of yet */
};

/* What a recording has of a container already: key -> hash of the line. Guarded by the container's lock. */
struct shk_recorded_lines {
	unsigned round;
	bool left_out; /* of this round: the container is not asked for */
	struct shk_map hash;
};

void shk_recorder_init(struct shk_recorder *r);
void shk_recorder_done(struct shk_recorder *r);
/* Main thread. only: ids or names (copied) of the containers to be recorded, those that are started later, too; n = 0:
 * all. -EBUSY: somebody records already; -EINVAL: too many. */
int shk_recorder_start(struct shk_recorder *r, const char *hostname, const struct shk_str *only, size_t n,
		       struct shk_err *err);
/* No more events; what is in the queue stays to be taken. */
void shk_recorder_stop(struct shk_recorder *r);
/* Moves up to max bytes to out (appended), and the number of lost events. */
void shk_recorder_take(struct shk_recorder *r, size_t max, struct shk_buf *out, uint64_t *lost);

static inline bool shk_recorder_on(const struct shk_recorder *r)
{
	return atomic_load_explicit(&r->round, memory_order_relaxed) != 0;
}

/* On a worker that holds the container's lock, after the evaluation. true: there is enough in the queue for the main
 * thread to be woken; less than that waits for its next tick. The event is left as it was, but for arguments that were
 * not read before. */
bool shk_recorder_note(struct shk_recorder *r, struct shk_recorded_lines *lines, struct shk_eval_ctx *ctx,
		       const struct shk_judgement *j);
void shk_recorded_lines_done(struct shk_recorded_lines *lines);

#endif
