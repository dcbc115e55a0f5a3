/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_child.h - the engine process and the conversation with it (keeper_proto.h).
 *
 * The keeper never blocks on an engine: packets go out as the engine takes them, and while one
 * waits to go out none is read. One thread.
 */
#ifndef SHK_SHRIKED_ENGINE_CHILD_H
#define SHK_SHRIKED_ENGINE_CHILD_H

#include <poll.h>

#include "shriked/store.h"

struct shk_engine_args {
	const char *path, *control, *notify, *config; /* config may be NULL */
	int journal_fd, control_fd, notify_fd;
	unsigned restarts;
	bool user; /* of a user, for the user */
};

struct shk_engine {
	pid_t pid;	  /* 0: none runs */
	int sock;
	bool hung;	  /* the engine closed its end; packets may still wait in ours */
	uint64_t started; /* shk_now_mono() */
	size_t sent;	  /* entries told; one more with HAVE_END */
	bool told;	  /* HAVE_END went out */
	bool ack_waits;
	bool ready;
	uint64_t ack_key;
	uint32_t ack_status;
};

int shk_engine_start(struct shk_engine *e, const struct shk_engine_args *a, struct shk_err *err);
/* poll(2) events to wait for on e->sock. */
short shk_engine_events(const struct shk_engine *e);
/* Sends and receives what goes without waiting. */
void shk_engine_talk(struct shk_engine *e, struct shk_store *s);
/* The engine is dead and reaped: what it had sent counts, then the socket is closed. true: it had served. */
bool shk_engine_drain(struct shk_engine *e, struct shk_store *s);

#endif
