/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_mem.h - the memory of a task that is no more: what an event's text line says of it.
 * For src/event only.
 */
#ifndef SHK_EVENT_REPLAY_MEM_H
#define SHK_EVENT_REPLAY_MEM_H

#include "event/event.h"

#define SHK_MEM_SEGMENTS 40 /* six arguments of two each, and those named by "mem" */
#define SHK_MEM_NAMED	 16

enum shk_mem_shown {
	SHK_MEM_ADDRESS, /* the line has the address alone */
	SHK_MEM_CONTENT,
	SHK_MEM_FAULT,	 /* the line says that it could not be read */
};

struct shk_replay_mem {
	struct {
		uint64_t addr;
		struct shk_str bytes;
	} seg[SHK_MEM_SEGMENTS];
	size_t n;
	struct {
		uint64_t addr;
		struct shk_str bytes;
	} named[SHK_MEM_NAMED]; /* those of "mem", to be printed again; in seg too */
	size_t n_named;
	uint64_t next; /* address for what has none */
	uint8_t shown[6];
};

extern const struct shk_mem_ops shk_replay_mem_ops;

/* false: no room, or behind the end of the address space. An address already there keeps its bytes. */
bool shk_replay_mem_put(struct shk_replay_mem *m, uint64_t addr, struct shk_str bytes);
/* An address range of n bytes that nothing uses. */
uint64_t shk_replay_mem_place(struct shk_replay_mem *m, size_t n);
/* Chooses where placed bytes go: away from the addresses given. */
void shk_replay_mem_avoid(struct shk_replay_mem *m, const uint64_t *addrs, size_t n);
/* NULL: the event is not of a text line. */
struct shk_replay_mem *shk_replay_mem_of(const struct shk_event *ev);

#endif
