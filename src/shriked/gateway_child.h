/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_child.h - the gateway process: started, started again, and brought together with the engine.
 *
 * What the two say to each other the keeper never sees. Without the gateway's program there is none, and nothing
 * else changes. One thread.
 */
#ifndef SHK_SHRIKED_GATEWAY_CHILD_H
#define SHK_SHRIKED_GATEWAY_CHILD_H

#include "shriked/engine_child.h"

struct shk_gateway {
	const char *path, *config; /* set by the keeper; path NULL: none */
	bool user;
	pid_t pid; /* 0: none runs */
	int sock;
	bool linked;	   /* it and the engine have a pair */
	bool idle;	   /* nothing to do until a SIGHUP */
	uint64_t started, start_at, backoff, kill_at, link_at;
};

/* Starts it when its time has come. */
void shk_gateway_run(struct shk_gateway *g, uint64_t now);
/* Gives both an end of a new pair, if they are there and have none, or the gateway says that it is gone. */
void shk_gateway_link(struct shk_gateway *g, struct shk_engine *e);
/* It has ended. stopping: as it was asked to, and none follows. */
void shk_gateway_died(struct shk_gateway *g, int status, uint64_t now, bool stopping);
/* SIGHUP. */
void shk_gateway_reload(struct shk_gateway *g);
/* When run or link has something to do, 0: never. */
uint64_t shk_gateway_due(const struct shk_gateway *g, const struct shk_engine *e);

#endif
