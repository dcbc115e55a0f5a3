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
 * the limits below: some 1.8 MiB at most, 700 KiB for a busy container with the published rules. One thread at a
 * time; memory that cannot be had is like room that has run out.
 */
#ifndef SHK_RULES_MEMO_H
#define SHK_RULES_MEMO_H

#include "base/bytes.h"
#include "rules/program.h"

#define SHK_MEMO_NODES	 4096u
#define SHK_MEMO_VALUES	 (256u << 10) /* bytes of texts and answers about them */
#define SHK_MEMO_CLASSES (64u << 10)  /* bytes */
#define SHK_MEMO_RULES	 4096u	      /* of all leaves */
#define SHK_MEMO_TEXT	 2048u	      /* longer texts are not kept */
#define SHK_MEMO_LONG	 32u	      /* such texts are kept when they come a second time, */
#define SHK_MEMO_MET	 1024u	      /* found out by so many tags */
#define SHK_MEMO_ANSWERS 128u	      /* about one text */
#define SHK_MEMO_PROOF_NODES 4096u    /* of the graph below one program, */
#define SHK_MEMO_PROOF_EDGES 16384u   /* with so many edges, */
#define SHK_MEMO_GRAPH_NODES 65536u   /* and in all, past which no question is left out */

#define SHK_MEMO_CREDIT 4096u
#define SHK_MEMO_RING	(256u << 10) /* bytes of faces */
#define SHK_MEMO_FACES	8192u	     /* cells of their table */

enum shk_memo_kind { /* of a question */
	SHK_MEMO_LEAF,
	SHK_MEMO_BOOL,	/* comparison of a truth value */
	SHK_MEMO_TEST,	/* made anew each time */
	SHK_MEMO_THERE,	/* is there a text about which others ask? */
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
	bool shown;	   /* the answer follows from what the event shows */
	uint16_t answer;   /* TEXT_TEST, GROUP, MULTI: its place among those about a text; BOOL: of a field */
	uint32_t slot, answered; /* of the text; answered: also of THERE */
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

/* Texts of one key are kept beside one another, with so many answers each. */
struct shk_memo_key {
	uint32_t slot, n_answer; /* slot: of a field, with SHK_MEMO_ODD or SHK_MEMO_IMAGE or none */
};

#define SHK_MEMO_LAST 8u
struct shk_memo_slot {
	const struct shk_field_ref *ref; /* NULL: it is made of others */
	shk_field_get_fn *get;		 /* of a field whose value is a text, else NULL, */
	shk_field_image_fn *image_get;	 /* if it has images, */
	shk_field_multi_fn *multi;	 /* and of one with several candidates */
	enum shk_type type;		 /* of the field */
	struct shk_memo_key key;
	uint32_t last[SHK_MEMO_LAST]; /* places of texts met last, where shk_memo_last says; 0: none */
	uint32_t image; /* of fields that have one: place of the image met last, 0: none */
	bool odd;	 /* some were not clean */
	struct shk_value candidate; /* in hand */
};

/* The part of the graph below a program's rules that its type of event leaves open. */
struct shk_memo_list {
	uint32_t *node;	 /* of the graph, ascending, so children first: its "places" */
	uint32_t *first; /* per place, and one more: into */
	shk_ref *edge;	 /* place * 2, plus 1 to negate */
	shk_ref *root;	 /* likewise; of the rules that are open */
	uint32_t n, n_root;
	bool tried;
};

/* The questions of an event: the first n_path are in the tree. */
struct shk_memo_log {
	struct shk_memo_asked {
		struct shk_memo_node n;
		uint32_t by, q;
	} *v;
	uint32_t n, n_path, n_question, room;
};

/* What an event shows, beside its registers. */
#define SHK_MEMO_FACE_TEXTS 3u /* two names, the working directory */
struct shk_memo_face {
	uint32_t hash;
	unsigned n_text;
	uint64_t comm[2]; /* of the program, or zeroes */
	struct shk_str text[SHK_MEMO_FACE_TEXTS];
};

#define SHK_MEMO_RECENT 3u
#define SHK_MEMO_RECENT_WORDS 4u
struct shk_memo_recent {
	struct {
		uint32_t class; /* met last, 0: none */
		uint64_t bits[SHK_MEMO_RECENT_WORDS]; /* of groups that have no more */
	} v[SHK_MEMO_RECENT];
	uint32_t next;
};

struct shk_memo_luck {
	uint8_t luck; /* the less, the better */
	uint8_t seen;
};

/* memoface.c: a face's place counts all bytes ever written; the ring has the last of them. */
struct shk_memo_faces {
	char *ring; /* NULL: not made yet */
	struct shk_memo_cell *cell;
	uint32_t head;
	bool of_program; /* some question is for the program's name (proc.name): faces have it */
	struct shk_memo_luck luck[SHK_CALL_N];
};

struct shk_memo {
	uint64_t serial; /* of the set, 0: none yet */
	struct shk_memo_node *node;
	uint32_t n_node, room_node;
	uint32_t *root;	 /* per program */
	uint32_t n_root;
	struct shk_memo_recent *recent; /* per group */
	uint32_t n_group;
	struct shk_memo_slot *slot; /* per slot with answers */
	uint32_t n_slot;
	uint8_t *scratch; /* of the event in hand: values of slots, places of texts, states */
	struct shk_memo_table ways, texts, class_of;
	struct shk_memo_pool values, classes, rules;
	uint16_t met[SHK_MEMO_MET];
	bool full, values_full;
	/* memoproof.c */
	struct shk_memo_list *list; /* per program; NULL: not made */
	uint32_t credit;	    /* grows with events */
	struct shk_memo_faces faces;
};

#define SHK_MEMO_NONE UINT32_MAX /* a text that is not kept */

/* Of some of the bytes: what they leave out, the comparison finds. */
static inline uint32_t shk_memo_hash(struct shk_str s, uint32_t slot)
{
	uint64_t h = (s.n << 32 | slot) * UINT64_C(0x9e3779b97f4a7c15), w = 0;

	for (size_t i = 64; i + 8 <= s.n; i += 64)
		h = (h ^ shk_load_8(s.p + i)) * UINT64_C(0x9e3779b97f4a7c15);
	if (s.n >= 8) {
		h ^= shk_load_8(s.p) + shk_load_8(s.p + s.n / 2 - 4) * UINT64_C(0xff51afd7ed558ccd);
		w = shk_load_8(s.p + s.n - 8);
	} else {
		w = shk_load_few(s.p, s.n);
	}
	h = (h ^ w << 1) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 20);
}

/* ---- memostore.c ---- */
#define SHK_MEMO_TABLE_MIN 64u
static inline uint32_t shk_memo_mix(uint32_t a, uint32_t b)
{
	return (uint32_t)((((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}
/* At most a quarter of a table is in use. false: no memory. */
bool shk_memo_put(struct shk_memo_table *t, uint32_t hash, uint32_t at, uint32_t probes);
/* Place of n more words, 0: there is no room. */
uint32_t shk_memo_take(struct shk_memo_pool *p, size_t n, size_t limit);

/* In values: slot, length, answers, bytes. Of a text that is not clean: slot with SHK_MEMO_ODD, length, place of the clean
 * one, bytes. */
#define SHK_MEMO_HEAD 2
#define SHK_MEMO_ODD  0x80000000u
#define SHK_MEMO_IMAGE 0x40000000u /* beside the slot: of a text's image (struct shk_field), with the answers about the text */

/* ---- memo.c ---- */
/* Makes the memo one of this set, with room for an event. false: do without. */
bool shk_memo_make_room(struct shk_memo *m, const struct shk_ruleset *rs);
static inline bool shk_memo_begin(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->serial != rs->serial || m->full || m->values_full)
		return shk_memo_make_room(m, rs);
	m->credit += m->credit < SHK_MEMO_CREDIT;
	return true;
}
/* A text of a slot with answers that is not where it should be: its place in values, made if need be. NONE: it
 * is not kept. */
uint32_t shk_memo_value(struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash);
/* Of a field's text as it came, if it is one that is not clean and was met before: the place of what it became. 0: look at
 * it. */
uint32_t shk_memo_odd(const struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash);
/* It became the text at place `clean`; kept if there is room. */
bool shk_memo_keep_odd(struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash, uint32_t clean);
static inline __attribute__((always_inline)) bool shk_memo_same(const struct shk_memo *m, uint32_t value, struct shk_memo_key key,
				 struct shk_str s)
{
	const uint32_t *v = m->values.p + value;

	return v[1] == s.n && v[0] == key.slot &&
	       shk_same_bytes((const char *)(v + SHK_MEMO_HEAD + key.n_answer), s.p, s.n);
}
/* Texts that follow one another in turns are told apart by their lengths and ends. */
static inline uint32_t *shk_memo_last(struct shk_memo_slot *slot, struct shk_str s)
{
	return &slot->last[(s.n + (s.n ? (unsigned char)s.p[s.n - 1] : 0u)) % SHK_MEMO_LAST];
}
/* The class of a group's bits. 0: no room. */
uint32_t shk_memo_class(struct shk_memo *m, const struct shk_ruleset *rs, uint32_t group,
			const uint64_t *bits);
/* Sets the bits of a class of this group, which are those of no value so far. */
void shk_memo_class_bits(const struct shk_memo *m, const struct shk_group *g, uint32_t class,
			 uint64_t *bits);
/* The node behind the group's question `at` by this class, 0: unknown. */
static inline uint32_t shk_memo_far_way(const struct shk_memo *m, uint32_t at, uint32_t class)
{
	const struct shk_memo_table *t = &m->ways;
	uint32_t hash = shk_memo_mix(at, class), mask = t->size - 1;

	if (!t->size)
		return 0;
	for (uint32_t i = hash & mask; t->v[i].at; i = (i + 1) & mask)
		if (t->v[i].hash == hash && m->node[t->v[i].at].from == at && m->node[t->v[i].at].by == class)
			return t->v[i].at;
	return 0;
}
/* Puts a node there; n->from and n->by say where. 0: no room. */
uint32_t shk_memo_add(struct shk_memo *m, const struct shk_memo_node *n);
bool shk_memo_add_rule(struct shk_memo *m, uint32_t rule);

/* ---- memoface.c ---- */
/* Before anything else here. */
void shk_memo_face_init(void);
/* Is all that there is to see of such an event part of its face? */
bool shk_memo_has_face(enum shk_call_id id);
/* Does the first question follow from an event's looks? Without that its face is of no use. */
static inline bool shk_memo_asks_shown(const struct shk_memo *m, const struct shk_program *p)
{
	uint32_t first = m->root[p->number];

	return first && m->node[first].shown;
}
/* The node that an event which looks like this one came to before anything was asked that does not follow from its looks. 0: it
 * is not known; run->memo.face is then f if it may be kept. No slot is needed. */
uint32_t shk_memo_face(struct shk_run *run, struct shk_memo_face *f);
void shk_memo_keep_face(struct shk_run *run, uint32_t node);
void shk_memo_forget_faces(struct shk_memo *m);
/* From now on. */
void shk_memo_face_of_program(struct shk_memo *m);

/* ---- memowalk.c ---- */
/* Follows the event's answers from a node on, 0: from the first question. NULL: they lead to no leaf; the program is to be
 * run, with shk_memo_seed first. */
const struct shk_memo_node *shk_memo_walk(struct shk_run *run, uint32_t from);
/* One question. Classes: 0 when there is no room for one. */
uint32_t shk_memo_ask(struct shk_run *run, const struct shk_memo_node *n);

/* ---- memoask.c ---- */
/* Puts the answers met on the way where the program looks for them. */
void shk_memo_seed(struct shk_run *run);
/* Asks on behalf of the program, and notes it. */
bool shk_memo_test(struct shk_run *run, uint32_t test, uint32_t keep);
void shk_memo_group(struct shk_run *run, uint32_t group);
/* What matches in the end. */
void shk_memo_end(struct shk_run *run, const uint64_t *hit);

/* ---- memologic.c ---- */
#define SHK_MEMO_LANES 64u
struct shk_memo_logic { /* memory is the event's */
	const struct shk_ruleset *rs;
	const struct shk_memo_list *list;
	const uint16_t *q;     /* per place in the list: question of a comparison */
	const bool *answer;    /* likewise */
	uint64_t *yes, *no;    /* per place: lanes in which it holds, in which it does not; in others nobody knows */
	uint16_t *live;	       /* places that are not settled */
	shk_ref *rule;	       /* roots of rules that are not */
	uint32_t n_live, n_rule, n_settled;
	struct {
		uint16_t *live;
		shk_ref *rule;
		uint32_t n_live, n_rule;
	} kept;
};
/* q and answer may be filled in later. false: no memory. */
bool shk_memo_logic(struct shk_memo_logic *x, const struct shk_run *run, const struct shk_memo_list *list,
		    const uint16_t *q, const bool *answer);
/* asked: per question the lanes in which it is asked. */
void shk_memo_decide(struct shk_memo_logic *x, const uint64_t *asked);
/* How many rules each lane decides. true: lane 0 decides all. */
bool shk_memo_count(const struct shk_memo_logic *x, uint32_t count[SHK_MEMO_LANES]);
/* What lane 0 decides is so from now on: none of its questions may be taken back. */
void shk_memo_settle(struct shk_memo_logic *x);
/* What was settled since the last keep is not. */
void shk_memo_keep(struct shk_memo_logic *x);
void shk_memo_unsettle(struct shk_memo_logic *x);

/* ---- memoproof.c ---- */
/* Takes questions off the log that need not be asked, and puts the most useful of the others in front. false: not
 * now, it was done too often of late. */
bool shk_memo_prove(struct shk_run *run, struct shk_memo_log *log);

/* ---- memolist.c ---- */
/* NULL: no memory, or more nodes than may be looked at. */
const struct shk_memo_list *shk_memo_list(struct shk_memo *m, const struct shk_ruleset *rs,
					  const struct shk_program *p);
void shk_memo_forget_lists(struct shk_memo *m);

#endif
