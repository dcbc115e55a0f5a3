/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.h - hash maps: string view -> pointer, u64 -> pointer.
 *
 * Open addressing, keyed hash (random per process, so a container cannot choose collisions).
 * The map borrows string keys: they must live as long as the entry. Values are not owned.
 * Not thread safe.
 */
#ifndef SHK_BASE_MAP_H
#define SHK_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct shk_map_slot {
	uint64_t hash;	     /* 0: empty, 1: deleted */
	struct shk_str key;  /* key.p NULL: integer key in key.n */
	void *value;
};

struct shk_map {
	struct shk_map_slot *slots;
	size_t size, used, filled; /* power of two; live entries; live + deleted */
};

void shk_map_init(struct shk_map *m);
void shk_map_done(struct shk_map *m);

/* Insert or replace. 0, or -ENOMEM (map unchanged). */
int shk_map_set(struct shk_map *m, struct shk_str key, void *value);
void *shk_map_get(const struct shk_map *m, struct shk_str key);
/* Removes; returns the value or NULL. */
void *shk_map_del(struct shk_map *m, struct shk_str key);

int shk_map_set_u64(struct shk_map *m, uint64_t key, void *value);
void *shk_map_get_u64(const struct shk_map *m, uint64_t key);
void *shk_map_del_u64(struct shk_map *m, uint64_t key);

/* Iterates in no order; *pos starts at 0; NULL at the end. Deleting the slot returned is allowed,
 * inserting is not. */
struct shk_map_slot *shk_map_next(const struct shk_map *m, size_t *pos);

/* 64-bit keyed hash of bytes (SipHash-1-3 with a per-process random key). */
uint64_t shk_hash(const void *p, size_t n);

#endif
