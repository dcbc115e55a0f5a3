/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.h - calls that change names, owners and modes, carried out for the caller.
 *
 * As open.h: the directory that a name is in, or the object a path leads to, is held by a descriptor; rules are asked
 * about the names these have; the call is made relative to what is held, with the caller's rights, so that every check
 * of the kernel's own stays in force. What a name in a held directory stands for may still change: rules about such
 * calls are about names.
 */
#ifndef SHK_ENFORCE_PATHS_H
#define SHK_ENFORCE_PATHS_H

#include "enforce/actor.h"
#include "enforce/open.h"

#define SHK_PATHS_MAX 2

struct shk_held {
	unsigned arg;		/* of the call */
	bool object;		/* pin is the object itself; else its directory, and last is in it */
	bool open;		/* and an open file of the caller's */
	int base;		/* owned, -1: none */
	struct shk_walk_from from;
	struct shk_pin pin;
	char last[NAME_MAX + 3]; /* with a slash behind it if there was one; of one that is too long as much as is too much */
	bool busy;		/* something is mounted on that name */
	struct shk_str name;	/* in the event's arena */
};

struct shk_paths {
	struct shk_caller caller;
	enum shk_call_id call;
	unsigned n;
	struct shk_held held[SHK_PATHS_MAX];
	const char *target; /* symlink: its text, in the event's arena */
	uint64_t raw[6];
	uint32_t owner[2];   /* chown: user and group, as we number them */
	uint32_t said[2];    /* and as the caller does */
	uint64_t size_limit; /* truncate: RLIMIT_FSIZE of the caller */
	int err;	    /* SHK_PINNED_ERROR: > 0 */
	const char *why;    /* SHK_PINNED_UNABLE */
	uint64_t again;	    /* an engine that ended may have done it: what its shk_paths_effect said; else 0 */
};

/* Fills in the name of what is held. false: it has none in the container. */
bool shk_held_name(struct shk_eval_ctx *ctx, struct shk_held *h);
/* Is it a call of this kind? */
bool shk_paths_knows(enum shk_call_id id);
/* Holding the container's lock. */
enum shk_pinned shk_paths_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_paths *p);
/* To be kept where an engine's end does not reach it, before shk_paths_do: which object the call takes a name from, 1 for a
 * name it makes, 0 if it can have no effect that would not come of itself when it is done twice. */
uint64_t shk_paths_effect(const struct shk_paths *p);
/* 0 or -errno. */
int shk_paths_do(struct shk_actor *a, struct shk_paths *p);
void shk_paths_done(struct shk_paths *p);

#endif
