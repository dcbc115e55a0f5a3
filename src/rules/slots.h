/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - the values a program reads: fields, constants, transformers over them.
 *
 * Private to src/rules. A table of slots is built once; equal expressions are one slot, and what a slot
 * is made of comes before it. For one event, struct shk_slot_run remembers each value, so that a
 * field is extracted at most once. Tables are immutable; a run belongs to one thread.
 */
#ifndef SHK_RULES_SLOTS_H
#define SHK_RULES_SLOTS_H

#include "base/map.h"
#include "rules/ast.h"

#define SHK_SLOT_NONE UINT32_MAX

struct shk_slot {
	enum shk_operand_kind kind; /* FIELD, TEXT, LIST, CALL */
	enum shk_type type;
	struct shk_field_ref ref;   /* FIELD; key is owned */
	struct shk_str text;	    /* FIELD: as written; TEXT: the value */
	enum shk_transform call;
	char index;		    /* CALL getopt[c]; 0: none */
	const uint32_t *arg;	    /* CALL, LIST: arguments */
	size_t n_arg;
	const uint32_t *need;	    /* CALL, LIST: every slot below, inner ones first, then itself */
	size_t n_need;
	const struct shk_call_set *calls; /* FIELD: calls that can have a value; NULL: nobody knows */
	unsigned cost;
	uint16_t n_answer;	    /* memo.h: answers kept about its texts */
	uint32_t answered;	    /* n_answer: number among such slots */
};

struct shk_slot_table {
	struct shk_arena *arena;    /* borrowed; owns the slots' parts */
	struct shk_slot *v;	    /* malloc'ed */
	size_t n, room;
	struct shk_map by_key;	    /* only while building, as */
	struct shk_arena keys;
};

void shk_slots_init(struct shk_slot_table *t, struct shk_arena *arena);
void shk_slots_done(struct shk_slot_table *t);
/* No more are added: frees what only adding needs. */
void shk_slots_seal(struct shk_slot_table *t);
/* The slot of a typed operand, made if need be. -ENOMEM. */
int shk_slots_add(struct shk_slot_table *t, const struct shk_operand *o, uint32_t *ret);
/* Appends bytes that are equal for equal operands only. */
void shk_slots_key(const struct shk_operand *o, struct shk_buf *out);

enum { SHK_SLOT_UNKNOWN, SHK_SLOT_MISSING, SHK_SLOT_OK };

struct shk_slot_run {
	const struct shk_slot *slot;
	struct shk_eval_ctx *ctx;
	uint8_t *state; /* zero: unknown */
	struct shk_value *val;
};

/* Takes memory from the event's arena. -ENOMEM. */
int shk_slot_run_init(struct shk_slot_run *r, const struct shk_slot_table *t,
		      struct shk_eval_ctx *ctx);
/* The value, or NULL when it is missing. */
const struct shk_value *shk_slot_fill(struct shk_slot_run *r, uint32_t i);
static inline const struct shk_value *shk_slot_get(struct shk_slot_run *r, uint32_t i)
{
	if (r->state[i] == SHK_SLOT_UNKNOWN)
		return shk_slot_fill(r, i);
	return r->state[i] == SHK_SLOT_OK ? &r->val[i] : NULL;
}

/* transform.c: one transformer over values that are all there. false: missing. */
bool shk_transform_apply(struct shk_arena *a, const struct shk_slot *s,
			 const struct shk_value *const *arg, struct shk_value *out);

#endif
