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
#include "rules/nets.h"
#include "rules/regex.h"
#include "rules/slots.h"
#include "rules/scan.h"
#include "rules/trie.h"
#include "rules/types.h"

/* How a test looks at its value(s). */
enum shk_test_kind {
	SHK_TEST_EXISTS,
	SHK_TEST_CALL,	 /* evt.type: bitmap of calls; set: for events that are none */
	SHK_TEST_VALUE,	 /* constant(s) or right slot, compared one by one */
	SHK_TEST_STRSET, /* text in set */
	SHK_TEST_NUMSET, /* number in sorted constants */
	SHK_TEST_PATHSET,
	SHK_TEST_NETSET, /* address or network in a list */
	SHK_TEST_REGEX,
	SHK_TEST_LIST_ALL, SHK_TEST_LIST_ANY, /* list against set, or against the right slot */
};

struct shk_test {
	uint8_t kind;		   /* enum shk_test_kind */
	uint8_t op;		   /* enum shk_op */
	uint8_t mod;		   /* enum shk_mod */
	bool multi;		   /* left has candidates */
	bool negate_calls;	   /* CALL: != */
	bool plain;		   /* VALUE: a text, number or truth value with one constant of its kind */
	uint32_t left, right;	   /* slots; right may be SHK_SLOT_NONE */
	uint32_t n;
	const struct shk_const *c; /* n of them; sorted for NUMSET */
	const struct shk_call_set *calls;
	union {
		struct shk_strset set; /* STRSET, CALL, LIST_* */
		struct shk_pathset paths;
		struct shk_nets nets;
		struct shk_regex **re; /* REGEX: n of them */
	};
	unsigned cost;
	uint32_t group, bit;	   /* answered with others: its bit; group UINT32_MAX: it is not */
	uint16_t answer;	   /* memo.h: its place among those about the left text, or */
#define SHK_NO_ANSWER UINT16_MAX
};

#define SHK_CANDIDATES_MAX 1024 /* of a field with several values: far above what a field may have */

/* Comparisons of one value with constant texts, of all rules: the first one that is asked for has all
 * of them answered. */
enum shk_group_class {
	SHK_GROUP_ENDS,	  /* whole text, its beginning, its end */
	SHK_GROUP_INSIDE, /* contains */
	SHK_GROUP_FOLD,	  /* icontains */
	SHK_GROUP_N
};

struct shk_group {
	uint32_t slot;
	enum shk_group_class class;
	bool multi;		 /* any candidate will do */
	uint32_t word, n_word;	 /* its answers among those of all groups */
	uint32_t n_test;
	uint16_t answer;	 /* memo.h: the place of its class among those about a text */
	const uint64_t *there;	 /* those that hold for every text but the ones named: != */
	struct shk_words words;
	struct shk_trie prefix, suffix, inside;
	const struct shk_scan *scan; /* instead of inside; NULL: it is not used */
	struct shk_comps comps;
	uint32_t top;		 /* bit of SHK_OP_TOP, plus 1; 0: nobody asks */
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
	uint32_t rule;
	shk_ref root;
};

struct shk_entries {
	const struct shk_entry *v;
	size_t n;
};

/*
 * The program of one or more types of event (code.c): steps, executed in order but for jumps, which
 * lead forward only, so it ends. Rules that share a comparison which mostly fails are behind one jump. A SPREAD step
 * looks at all comparisons of a group at once and puts the blocks of those that hold on a list, to be
 * executed in the end: rules nothing speaks for cost nothing. Parts used more than once are subroutines
 * whose answer is kept.
 */
enum shk_step_op {
	SHK_DO_TEST,   /* a: number of the kept answer; b: test. Jump if it is `when` */
	SHK_DO_BIT,    /* a: bit among those of all groups; b: group. Jump if it is `when` */
	SHK_DO_ANY,    /* a: mask; b: group. Jump if the answer to "is one of the bits set?" is `when` */
	SHK_DO_PART,   /* a: number of the kept answer; b: first step of the subroutine. Jump alike */
	SHK_DO_RETURN, /* a: number of the kept answer, which is `when` */
	SHK_DO_SPREAD, /* a: spread; b: group */
	SHK_DO_MATCH,  /* a: entry */
	SHK_DO_JUMP,
	SHK_DO_END,    /* of this block */
};

struct shk_step {
	uint8_t op;
	uint8_t when;
	uint16_t n_word; /* ANY: of the mask, behind the number of the first of them among all groups' */
	uint32_t a, b, to;
};

struct shk_spread {
	const uint64_t *mask;	/* n_word of the group: bits that have blocks */
	const uint32_t *base;	/* per word: number of such bits before it */
	const uint32_t *first;	/* per such bit, and one more: into block */
	const uint32_t *block;
};

struct shk_program {
	const struct shk_step *step;
	uint32_t n_step;
	const struct shk_spread *spread;
	uint32_t n_spread;
	const uint64_t *mask;
	uint32_t n_mask;
	const uint32_t *block;	/* first step of each */
	uint32_t n_block;
	uint32_t n_keep;	/* answers kept */
	const uint32_t *rule;	/* of each entry, ascending */
	uint32_t n_rule;
	uint32_t number;	/* among those of the set */
	unsigned call;		/* the type whose folds it has, SHK_CALL_N: none */
};

struct shk_ruleset {
	atomic_uint refs;
	uint64_t serial; /* never that of another set */
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
	const struct shk_call_set **calls; /* of each rule; equal ones are one */
	size_t n_rule;
	struct shk_entries by_call[SHK_CALL_N], other;
	struct shk_group *group;
	uint32_t n_group, n_group_word;
	const struct shk_program *program[SHK_CALL_N + 1]; /* last: for events that are no known call */
	uint32_t n_program;
	uint32_t n_answered; /* slots with answers that a memo keeps */
};

/* ---- graph.c: building; all return -errno ---- */
struct shk_graph {
	struct shk_ruleset *rs;
	size_t room_test, room_node, room_edge;
	struct shk_map tests, nodes; /* by key */
	struct shk_map seen;	     /* tree node -> edge, for sub-trees shared by rules */
	struct shk_arena keys;	     /* of both maps */
};

void shk_graph_init(struct shk_graph *g, struct shk_ruleset *rs);
/* Cuts the set's arrays to size, too. */
void shk_graph_done(struct shk_graph *g);
int shk_graph_add(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret, struct shk_err *err);

/* ---- implied.c ---- */
struct shk_implied { /* refers to what it was made of, and to itself */
	struct shk_ast e;
	struct shk_consts consts;
	struct shk_const c;
};
#define SHK_IMPLIED_MAX 32
/* Cheaper comparisons of which one holds whenever this one does; texts that had to be made are in the arena. 0: none are known.
 * -ENOMEM. */
ssize_t shk_implied(const struct shk_ast *e, struct shk_arena *a, struct shk_implied ret[SHK_IMPLIED_MAX]);

/* ---- testbuild.c ---- */
int shk_test_build(struct shk_ruleset *rs, const struct shk_ast *e, struct shk_test *ret,
		   struct shk_err *err);
void shk_test_done(struct shk_test *t);

/* Once it is known which tests are in a group, for the others: their sets. -ENOMEM. */
int shk_test_finish(struct shk_ruleset *rs, struct shk_test *t);

/* ---- group.c ---- */
int shk_groups_build(struct shk_ruleset *rs); /* -ENOMEM */
/* Sets the bits of comparisons that hold for the text, clears the others. */
void shk_group_match(const struct shk_group *g, struct shk_str s, uint64_t *bits);

/* ---- memoset.c: which answers a memo keeps; call after shk_groups_build ---- */
void shk_memo_plan(struct shk_ruleset *rs);

/* ---- fold.c: what a node is for events of one type ---- */
enum { SHK_FOLD_OPEN, SHK_FOLD_NO, SHK_FOLD_YES };
/* id SHK_CALL_N: events that are no known call, of which nothing is known. fold: one per node. */
void shk_fold(const struct shk_ruleset *rs, unsigned id, uint8_t *fold);
/* The same of one comparison. */
uint8_t shk_fold_test(const struct shk_ruleset *rs, const struct shk_test *t, unsigned id);
/* Can it be decided by the type at all? */
bool shk_test_folds(const struct shk_ruleset *rs, const struct shk_test *t);

/* ---- guess.c: how often a node holds, what it costs to find out ---- */
struct shk_guess {
	float yes, cost;
	bool moves; /* hardly two events have the same value */
};
/* fold: of the type in hand; one guess per node. */
/* id: the call the program is for, SHK_CALL_N: any. */
void shk_guess(const struct shk_ruleset *rs, unsigned id, const uint8_t *fold, struct shk_guess *g);

/* ---- programs.c, code.c ---- */
/* Programs for all types of events; call after shk_groups_build. -ENOMEM, -E2BIG. */
int shk_programs_build(struct shk_ruleset *rs, struct shk_err *err);

/* The set while its programs are made. */
struct shk_coder {
	struct shk_ruleset *rs;
	const struct shk_guess *guess;
	const uint8_t *shared; /* per node: used in several places */
	const uint8_t *fold;   /* per node, of the type in hand */
	size_t steps;	       /* of all programs so far */
};
#define SHK_STEPS_MAX ((size_t)2 << 20) /* of a set: past it, one program does for all types */
/* -ENOMEM; -E2BIG past SHK_STEPS_MAX when `bounded`. */
int shk_code(struct shk_coder *c, const struct shk_entries *list, bool bounded,
	     struct shk_program *ret);

/* ---- explain.c, explain_code.c ---- */
void shk_explain_slot(const struct shk_ruleset *rs, uint32_t slot, struct shk_buf *out);
void shk_explain_programs(const struct shk_ruleset *rs, struct shk_buf *out);

/* ---- group.c, test.c, eval.c ---- */
enum { SHK_KEPT_NONE, SHK_KEPT_NO, SHK_KEPT_YES };

/* One event's way through a memo (memo.h). */
struct shk_memo_run {
	struct shk_memo *m; /* NULL: there is none */
	const struct shk_program *p;
	uint32_t *value; /* per slot with answers: its text's place; 0: not looked up */
	uint32_t at, by; /* last question and its answer; behind them the tree is extended */
	bool lost;	 /* it is not: no room */
	struct shk_memo_face *face; /* what the event shows and nobody has seen yet; NULL: there is no such thing */
	struct shk_memo_log *log;
};

/* Values of slots, places of texts, states: behind each other, rounded up. */
#define SHK_SLOTS_BYTES(rs)                                                                         \
	((rs)->slots.n * sizeof(struct shk_value) + (rs)->n_answered * sizeof(uint32_t) + (rs)->slots.n + 16)

struct shk_run {
	struct shk_ruleset *rs;
	struct shk_slot_run slots;
	struct shk_memo_run memo;
	bool gave_up;	/* a regex did since this was cleared */
	uint8_t *kept;	/* SHK_KEPT_* of tests and parts */
	uint8_t *ran;	/* groups that did */
	uint64_t *bits; /* their answers */
};
bool shk_test_holds(struct shk_run *run, const struct shk_test *t);
void shk_group_run(struct shk_run *run, uint32_t group);

#endif
