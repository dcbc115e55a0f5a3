/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code.h - making one program (private to code.c, codeset.c, gate.c).
 *
 * Everything but the result lives in an arena that is freed when the program is done.
 */
#ifndef SHK_RULES_CODE_H
#define SHK_RULES_CODE_H

#include "rules/program.h"

/* A rule on its way into code: an AND of parts still to be looked at. */
struct shk_item {
	uint32_t entry;
	shk_ref *part;
	uint32_t n;
};

/* Bits of groups of which one is set whenever the part holds. */
#define SHK_GATE_MAX 256
struct shk_gate {
	uint32_t n;
	float yes;
	unsigned class;	/* the most expensive one */
	struct {
		uint32_t group, bit;
	} v[SHK_GATE_MAX];
};

struct shk_block {
	uint32_t label;
	struct shk_item *item;
	size_t n;
	unsigned depth;
};

struct shk_code {
	struct shk_coder *c;
	struct shk_arena tmp;
	bool bounded, failed, too_big;
	struct shk_step *step; /* malloc'ed, as all below */
	size_t n_step, room_step;
	uint32_t *label;       /* step of each */
	size_t n_label, room_label;
	uint32_t *keep_test, *keep_node, *part_label; /* per test, per node: number + 1, 0: none */
	uint32_t n_keep;
	uint32_t *part; /* nodes whose subroutine is wanted */
	size_t n_part, room_part;
	struct shk_block *block;
	size_t n_block, room_block;
	struct shk_spread *spread;
	size_t n_spread, room_spread;
	uint64_t *mask;
	size_t n_mask, room_mask;
	uint32_t *count; /* per edge, 0 but while in use */
	uint32_t *count_group; /* per group: rules of the set in hand that have a gate there */
};

/* code.c */
uint32_t shk_code_label(struct shk_code *k);
void shk_code_place(struct shk_code *k, uint32_t label);
void shk_code_step(struct shk_code *k, struct shk_step s);
/* Goes to `label` when the part is `want`, else on. */
void shk_code_jump(struct shk_code *k, shk_ref part, bool want, uint32_t label);
/* Looks at the first of part[0..*n), and at the bits that can be looked at with it: goes to `label` when one of
 * these is `decides`. Takes them off the list. */
void shk_code_first(struct shk_code *k, shk_ref *part, uint32_t *n, bool decides, uint32_t label);
bool shk_code_room(struct shk_code *k, void *v, size_t n, size_t *room, size_t size);
uint8_t shk_code_fold(const struct shk_code *k, shk_ref r);
/* What is to be paid, on the average, for one time this part decides the whole by being `deciding`. */
float shk_code_price(const struct shk_code *k, shk_ref r, bool deciding);

/* codeset.c: a set of rules; what holds of them gets a MATCH. */
void shk_code_set(struct shk_code *k, struct shk_item *item, size_t n, unsigned depth);

/* gate.c. false: there is none. */
bool shk_gate_of(const struct shk_code *k, shk_ref part, struct shk_gate *ret);
/* Items that have a gate go into blocks behind SPREAD steps; the rest is moved to the front and counted. */
size_t shk_gate_spread(struct shk_code *k, struct shk_item *item, size_t n, unsigned depth);

#endif
