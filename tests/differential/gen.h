/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gen.h - random conditions about the values that given events have, so that both answers are frequent.
 */
#ifndef SHK_TESTS_GEN_H
#define SHK_TESTS_GEN_H

#include "world.h"

#define GEN_SAMPLES 24
#define GEN_POOL    48
#define GEN_HOT	    6

struct gen_samples {
	bool asked;
	size_t n;
	struct shk_value v[GEN_SAMPLES];
};

struct gen {
	struct rnd *r;
	struct world_event *ev; /* borrowed, while conditions are made */
	size_t n_ev;
	struct gen_samples *samples; /* of each field */
	size_t hot[GEN_HOT];	     /* fields this set asks about most */
	char *pool[GEN_POOL];	     /* parts of earlier conditions: rules of a set share them */
	size_t n_pool;
};

int gen_init(struct gen *g, struct rnd *r, struct world_event *ev, size_t n_ev);
void gen_done(struct gen *g);
/* Appends one condition. */
void gen_condition(struct gen *g, struct shk_buf *out);
/* One comparison. */
void gen_check(struct gen *g, struct shk_buf *out);

/* ---- gen_value.c ---- */
/* Appends a constant for `field op`, made from a value the field has. in_list: as an item. */
void gen_constant(struct rnd *r, const struct shk_value *like, const char *op, bool is_event_type,
		  struct shk_buf *out);
/* Appends s as a value: bare when it can be, else in quotes. */
void gen_word(struct rnd *r, struct shk_str s, struct shk_buf *out);

#endif
