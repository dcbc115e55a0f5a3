/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo.h - what was found out about earlier events (private to src/rules).
 *
 * Which question a program asks next, and what matches in the end, depends on the answers so far and on
 * nothing else. So a memo keeps, for one set, a tree of questions: a node asks (a comparison, a group),
 * each answer leads to the next node, a leaf names the rules that match. An event that gives known answers
 * never runs the program. Answers about texts are kept beside the texts themselves and found again by
 * comparing all bytes, so a memo cannot be made to say anything but what the program would: all a container can
 * do is to have new texts looked at, and room run out, in which case everything is forgotten and learnt again.
 *
 * Classes: the answers of a group about a text are a number that stands for its bits. Storage is bounded by
 * the limits below, some 700 KiB at most. One thread at a time; memory that cannot be had is like room that
 * has run out.
 */
#ifndef SHK_RULES_MEMO_H
#define SHK_RULES_MEMO_H

#include "rules/program.h"

#define SHK_MEMO_NODES	 4096u
#define SHK_MEMO_VALUES	 (256u << 10) /* bytes of texts and answers about them */
#define SHK_MEMO_CLASSES (64u << 10)  /* bytes */
#define SHK_MEMO_RULES	 4096u	      /* of all leaves */
#define SHK_MEMO_TEXT	 512u	      /* longer texts are not kept */
#define SHK_MEMO_ANSWERS 128u	      /* about one text */

enum shk_memo_kind { /* of a question */
	SHK_MEMO_LEAF,
	SHK_MEMO_BOOL,	/* comparison of a truth value */
	SHK_MEMO_TEST,	/* made anew each time */
	SHK_MEMO_TEXT_TEST, /* kept beside the text */
	SHK_MEMO_GROUP,
	SHK_MEMO_MULTI,	/* group and one candidate */
};

/* Answers: 0 and 1 of comparisons; of groups a class. */
#define SHK_CLASS_MISSING 1u /* no value: no bit is set */
#define SHK_CLASS_END	  2u /* no more candidates */
#define SHK_CLASS_FIRST	  4u /* others are places in shk_memo.classes, 0: none */

struct shk_memo_node {
	uint8_t kind;
	bool want;	   /* BOOL: the value at which it holds */
	uint16_t answer;   /* TEXT_TEST, GROUP, MULTI: its place among those about a text */
	uint32_t slot;
	uint32_t id;	   /* test, group; LEAF: first of its rules */
	uint32_t aux;	   /* tests: number of the kept answer; MULTI: candidate; LEAF: number of rules */
	uint32_t from, by; /* node and answer that lead here */
	uint32_t to[2];	   /* tests: per answer, 0: unknown; groups: the first class that was met and its node */
};

/* Open addressing; a hash and a place each, 0: empty. */
struct shk_memo_table {
	struct shk_memo_cell {
		uint32_t hash, at;
	} *v;
	uint32_t size, used;
};

struct shk_memo_pool { /* of 32-bit words; place 0 is never given out */
	uint32_t *p;
	uint32_t n, room;
};

struct shk_memo {
	uint64_t serial; /* of the set, 0: none yet */
	struct shk_memo_node *node;
	uint32_t n_node, room_node;
	uint32_t *root;	 /* per program */
	uint32_t n_root;
	uint32_t *last;	 /* per slot with answers: text met last */
	uint32_t n_last;
	struct shk_memo_table ways, texts, class_of;
	struct shk_memo_pool values, classes, rules;
	bool full, values_full;
};

#define SHK_MEMO_NONE UINT32_MAX /* a text that is not kept */

/* ---- memo.c ---- */
/* Makes room for an event of this set; forgets what is of another one. false: do without. */
bool shk_memo_begin(struct shk_memo *m, const struct shk_ruleset *rs);
/* A text of a slot with answers: its place in values, made if need be. NONE: it is not kept. */
uint32_t shk_memo_value(struct shk_memo *m, const struct shk_slot *slot, uint32_t i, struct shk_str s,
			bool multi);
uint32_t *shk_memo_answers(struct shk_memo *m, uint32_t value);
/* The class of a group's bits. 0: no room. */
uint32_t shk_memo_class(struct shk_memo *m, const struct shk_ruleset *rs, uint32_t group,
			const uint64_t *bits);
/* Sets the bits of a class of this group, which are those of no value so far. */
void shk_memo_class_bits(const struct shk_memo *m, const struct shk_group *g, uint32_t class,
			 uint64_t *bits);
/* The node behind `at` by this answer, 0: unknown. by of at 0: the program's number. */
uint32_t shk_memo_way(const struct shk_memo *m, uint32_t at, uint32_t by);
/* Puts a node there; n->from and n->by say where. 0: no room. */
uint32_t shk_memo_add(struct shk_memo *m, const struct shk_memo_node *n);
bool shk_memo_add_rule(struct shk_memo *m, uint32_t rule);

/* ---- memowalk.c ---- */
/* Follows the event's answers. NULL: they lead to no leaf; the program is to be run, with shk_memo_seed first. */
const struct shk_memo_node *shk_memo_walk(struct shk_run *run);
/* Puts the answers met on the way where the program looks for them. */
void shk_memo_seed(struct shk_run *run);
/* Asks on behalf of the program, and notes it. */
bool shk_memo_test(struct shk_run *run, uint32_t test, uint32_t keep);
void shk_memo_group(struct shk_run *run, uint32_t group);
/* What matches in the end. */
void shk_memo_end(struct shk_run *run, const uint64_t *hit);

#endif
