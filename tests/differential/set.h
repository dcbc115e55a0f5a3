/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.h - some conditions, as the product's rule set and as naive trees, and what both say of an event.
 */
#ifndef SHK_TESTS_SET_H
#define SHK_TESTS_SET_H

#include "naive.h"
#include "rules/rules.h"
#include "world.h"

#define SET_MAX 64

struct set {
	struct shk_arena arena; /* of the naive trees */
	struct shk_ruleset *rs;
	struct shk_memo *memo; /* of all events of the set */
	size_t n;
	const char *text[SET_MAX]; /* borrowed */
	bool must[SET_MAX];
	struct nv_node *naive[SET_MAX];
};

enum set_accepts { SET_NEITHER, SET_BOTH, SET_NAIVE_ONLY, SET_PRODUCT_ONLY };
/* Who takes this condition; why: what the other one says. */
enum set_accepts set_accepts(const char *text, struct shk_err *why);

/* Makes the set of conditions that both take. 0 or -1 with *why. */
int set_build(struct set *s, const char *const *text, const bool *must, size_t n, struct shk_err *why);
void set_done(struct set *s);

/* An event three times: each side, and each way of matching, reads its own. */
struct thrice {
	struct world_event w[3];
};
int thrice_read(struct thrice *t, struct rnd r, struct shk_str line, struct shk_err *why);
void thrice_done(struct thrice *t);

/* Do all answers agree? Fills yes[] with the naive ones; otherwise *why says what differs. */
bool set_agrees(const struct set *s, struct thrice *t, bool yes[SET_MAX], struct shk_err *why);
/* As above, from texts and line. An event or a condition that cannot be made agrees. */
bool set_agrees_on(const char *const *text, const bool *must, size_t n, struct rnd r, struct shk_str line,
		   struct shk_err *why);

/* shrink.c: drops rules and parts of conditions as long as the sides disagree, and prints what is left. */
void shrink_and_print(const struct set *s, struct rnd r, struct shk_str line);
/* The smallest part of a condition that one side takes and the other does not. */
void shrink_refused(const char *text);

#endif
