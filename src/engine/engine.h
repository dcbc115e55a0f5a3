/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - the engine: registry of live containers, their workers, and everything between an event
 * and its verdict.
 *
 * A program makes one engine, runs it on its main thread and frees it. With a keeper the descriptors come from it
 * (shriked/keeper_proto.h) and survive this process; without one (`shrike run`) they live as long
 * as the engine.
 */
#ifndef SHK_ENGINE_ENGINE_H
#define SHK_ENGINE_ENGINE_H

#include "engine/config.h"

struct shk_engine;
struct shk_observer;

struct shk_engine_options {
	const struct shk_config *config; /* borrowed for the engine's life */
	const char *config_path;	 /* read again on reload; NULL: the default file */
	int keeper_fd, journal_fd;	 /* taken over; -1: none, an own journal */
	int control_fd, notify_fd;	 /* listening sockets, taken over; notify_fd may be -1 */
	unsigned restarts;		 /* engines before this one under the same keeper */
	bool policies_must_load;	 /* broken policies are an error of shk_engine_new */
	struct shk_mounter *mounter;	 /* borrowed for the engine's life; NULL: calls on mounts fail with EIO */
	struct shk_observer *observer;	 /* of observer.h, taken over; NULL: the kernel module is not asked for */
	bool signals;			 /* SIGTERM and SIGINT stop, SIGHUP reloads */
};

/* 0, or -errno with the reason: nothing is served then. Broken policies are no reason unless asked for: the
 * engine serves, refuses new containers and says why. */
int shk_engine_new(const struct shk_engine_options *o, struct shk_engine **ret, struct shk_err *err);
/* Serves until shk_engine_stop or a signal. Exit code for the program. */
int shk_engine_run(struct shk_engine *g);
/* Any thread, once the engine is running. */
void shk_engine_stop(struct shk_engine *g);
/* Records events (docs/EVENTS.md) from now on, for this process: before shk_engine_run. -EBUSY. */
int shk_engine_record(struct shk_engine *g, struct shk_err *err);
/* Any thread, one at a time: moves up to max bytes of what was recorded to out (appended; no version line), and how many
 * events were lost before that. Nobody is told when there is more: ask again within a tenth of a second. */
void shk_engine_recorded(struct shk_engine *g, size_t max, struct shk_buf *out, uint64_t *lost);
/* Any thread: nothing more is recorded; what there is can still be taken. */
void shk_engine_record_end(struct shk_engine *g);
/* How many containers are supervised. Any thread. */
size_t shk_engine_containers(struct shk_engine *g);
void shk_engine_free(struct shk_engine *g);
SHK_DEFINE_CLEANUP(struct shk_engine, shk_engine_free)

#endif
