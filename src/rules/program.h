/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - the compiled form of a rule set (private to src/rules).
 *
 * Conditions become one graph: tests at the leaves, AND and OR above them, negation a bit on each
 * edge. Equal parts are one node, wherever they came from, and children come before parents. All parts
 * live in the set's arena. Immutable once built, but for the counters.
 */
#ifndef SHK_RULES_PROGRAM_H
#define SHK_RULES_PROGRAM_H

#include <stdatomic.h>

#include "rules/match.h"
#include "rules/regex.h"
#include "rules/slots.h"
#include "rules/types.h"

/* How a test looks at its value(s). */
enum shk_test_kind {
	SHK_TEST_EXISTS,
	SHK_TEST_CALL,	 /* evt.type: bitmap of calls; set: for events that are none */
	SHK_TEST_VALUE,	 /* constant(s) or right slot, compared one by one */
	SHK_TEST_STRSET, /* text in set */
	SHK_TEST_NUMSET, /* number in sorted constants */
	SHK_TEST_PATHSET,
	SHK_TEST_REGEX,
	SHK_TEST_LIST_ALL, SHK_TEST_LIST_ANY, /* list against set, or against the right slot */
};

struct shk_test {
	enum shk_test_kind kind;
	enum shk_op op;
	enum shk_mod mod;
	bool multi;		   /* left has candidates */
	bool negate_calls;	   /* CALL: != */
	uint32_t left, right;	   /* slots; right may be SHK_SLOT_NONE */
	const struct shk_const *c; /* sorted for NUMSET */
	size_t n;
	const struct shk_call_set *calls;
	struct shk_strset set;
	struct shk_pathset paths;
	struct shk_regex **re;	   /* n of them */
	unsigned cost;
};

enum shk_node_kind { SHK_NODE_TEST, SHK_NODE_AND, SHK_NODE_OR };

/* An edge: node number * 2, plus 1 to negate. */
typedef uint32_t shk_ref;

struct shk_node {
	enum shk_node_kind kind;
	uint32_t first, n; /* AND, OR: edges; TEST: first is the test */
	uint32_t depth;	   /* 1 for a test */
	unsigned cost;
};

struct shk_entry { /* of the index */
	uint16_t rule;
	shk_ref root;
};

struct shk_entries {
	const struct shk_entry *v;
	size_t n;
};

struct shk_ruleset {
	atomic_uint refs;
	atomic_ullong regex_limits;
	struct shk_arena arena;
	struct shk_slot_table slots;
	struct shk_test *test; /* malloc'ed, as node and edge */
	size_t n_test;
	struct shk_node *node;
	size_t n_node;
	shk_ref *edge;
	size_t n_edge;
	struct shk_rule_info *rule;
	struct shk_str *condition; /* canonical text */
	shk_ref *root;
	struct shk_call_set *calls;
	size_t n_rule;
	struct shk_entries by_call[SHK_CALL_N], other;
};

/* ---- graph.c: building; all return -errno ---- */
struct shk_graph {
	struct shk_ruleset *rs;
	size_t room_test, room_node, room_edge;
	struct shk_map tests, nodes; /* by key */
	struct shk_map seen;	     /* tree node -> edge, for sub-trees shared by rules */
};

void shk_graph_init(struct shk_graph *g, struct shk_ruleset *rs);
void shk_graph_done(struct shk_graph *g);
int shk_graph_add(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret, struct shk_err *err);

/* ---- testbuild.c ---- */
int shk_test_build(struct shk_ruleset *rs, const struct shk_ast *e, struct shk_test *ret,
		   struct shk_err *err);
void shk_test_done(struct shk_test *t);

/* ---- test.c ---- */
struct shk_run {
	struct shk_ruleset *rs;
	struct shk_slot_run slots;
	uint8_t *result; /* per node: 0 unknown, 1 false, 2 true */
};
bool shk_test_holds(struct shk_run *run, const struct shk_test *t);

#endif
