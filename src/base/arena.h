/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - bump allocation, freed all at once.
 *
 * Two uses: load-time objects (rules, policies: one arena each, freed with the object) and
 * per-event scratch (reset after each event; after warm-up it never calls malloc).
 * An arena has a hard cap; past it, or on out-of-memory, allocation returns NULL and `failed` is
 * set: the caller drops the event or reports the load error, nothing aborts.
 * Not thread safe: one arena, one thread at a time.
 */
#ifndef SHK_BASE_ARENA_H
#define SHK_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

struct shk_arena_chunk;

struct shk_arena {
	struct shk_arena_chunk *head;  /* newest chunk, all are owned */
	size_t used;		       /* bytes handed out since the last reset */
	size_t cap;		       /* hard limit of `used` */
	bool failed;		       /* sticky until reset: an allocation was refused */
};

/* cap: largest number of bytes to hand out between resets. No allocation happens yet. */
void shk_arena_init(struct shk_arena *a, size_t cap);
/* Frees everything. The arena may be initialised again. */
void shk_arena_done(struct shk_arena *a);
/* Forgets everything handed out; keeps one chunk of at most 64 KiB for reuse. */
void shk_arena_reset(struct shk_arena *a);

/* n bytes, zeroed, aligned to 16; NULL past the cap or without memory. n = 0 gives a valid pointer. */
void *shk_arena_alloc(struct shk_arena *a, size_t n);
/* As above without zeroing. */
void *shk_arena_alloc_raw(struct shk_arena *a, size_t n);
/* A NUL-terminated copy of p[0..n); NULL when refused. */
char *shk_arena_strndup(struct shk_arena *a, const char *p, size_t n);
char *shk_arena_strdup(struct shk_arena *a, const char *s);
/* A copy as a view (also NUL-terminated behind its end); p is NULL when refused. */
struct shk_str shk_arena_str(struct shk_arena *a, struct shk_str s);
/* x, a character, y: one text, NUL-terminated. */
struct shk_str shk_arena_join(struct shk_arena *a, struct shk_str x, char between, struct shk_str y);
/* Formatted text; NULL when refused. */
char *shk_arena_printf(struct shk_arena *a, const char *fmt, ...) SHK_PRINTF(2, 3);

#define SHK_ARENA_NEW(a, type)	      ((type *)shk_arena_alloc((a), sizeof(type)))
#define SHK_ARENA_ARRAY(a, type, n)   ((type *)shk_arena_alloc((a), sizeof(type) * (n)))

#endif
