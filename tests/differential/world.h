/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - what the conditions of the differential test are about: events, and fields.
 *
 * Events are lines of the text form, so that a failing one can be read and replayed. Beside the registry's fields
 * there are made ones (`made.*`), one or more per type, whose values each event carries: they have every type and
 * shape of value, missing ones too, whatever the registry can say of an event. The linker puts __wrap_shk_field_parse
 * before the registry's lookup. Single thread.
 */
#ifndef SHK_TESTS_WORLD_H
#define SHK_TESTS_WORLD_H

#include "fields/fields.h"
#include "state/recorded.h"

/* ---- randomness: the same numbers for the same seed, everywhere ---- */
struct rnd {
	uint64_t s;
};
uint64_t rnd_next(struct rnd *r);
static inline uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	return rnd_next(r) % n;
}
static inline bool rnd_in(struct rnd *r, unsigned n)
{
	return rnd_below(r, n) == 0;
}
#define RND_OF(r, array) ((array)[rnd_below((r), SHK_ARRAY_SIZE(array))])

/* ---- made fields ---- */
#define MADE_MAX   48
#define MADE_MULTI 3

struct made_value {
	bool there;
	unsigned n; /* candidates of a multi field */
	struct shk_value v[MADE_MULTI];
};

/* An event, with what its made fields say. */
struct world_event {
	struct shk_event ev; /* first */
	struct shk_eval_ctx ctx;
	struct shk_arena arena;
	struct shk_recorded *recorded; /* processes, descriptors, users, containers */
	struct made_value made[MADE_MAX];
};

/* Names of all fields conditions may use, made ones first (*n_made of them). */
const char *const *world_fields(size_t *n, size_t *n_made);

/* A random event as a line; the same line may be read more than once. */
void world_event_line(struct rnd *r, struct shk_buf *out);
/* Reads it; values of made fields are drawn from r. 0, or -EBADMSG. */
int world_event_read(struct world_event *w, struct rnd r, struct shk_str line, struct shk_err *err);
void world_event_done(struct world_event *w);
void world_event_print(const struct world_event *w, struct shk_str line);

int world_init(void);
void world_done(void);

int __wrap_shk_field_parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err);
int __real_shk_field_parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err);

/* A text for values that conditions look for: words, paths, odd bytes. */
struct shk_str world_text(struct rnd *r, struct shk_arena *a);

/* ---- made.c ---- */
void made_draw(struct world_event *w, struct rnd *r);
void made_print(const struct world_event *w);
size_t made_names(const char **out, size_t room);

#endif
