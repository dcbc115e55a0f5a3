/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - the loader's own records (private to src/rules).
 *
 * Collecting (collect.c, collect_rule.c): each file's items update the tables of lists, macros and rules. A record
 * is never changed once it is in a table: append and override put a new record in its place, so that
 * a file with an error can be undone by restoring the tables (load.c).
 * Building (build.c): after each file everything collected must compile, as a later file may change what an
 * earlier one uses. Only what a file changes is looked at anew (depend.c): its own items and those that name
 * them, directly or not. Of a rule nothing is kept but what was said about it; its tree is made once more for
 * each set it goes into. Of macros the trees are kept.
 * Records, files and errors live in the loader's arena.
 */
#ifndef SHK_RULES_LOAD_H
#define SHK_RULES_LOAD_H

#include "base/map.h"
#include "rules/ast.h"
#include "rules/output.h"
#include "rules/yaml.h"

#define SHK_LOADER_MAX (768u << 20) /* bytes: files, records, errors */
#define SHK_BUILD_MAX  (512u << 20) /* bytes: texts of lists, trees of macros, warnings */

#define SHK_ITEMS_MAX	  1000000u	     /* lists, macros, rules: of each */

/* Pointers in order, in an arena. */
struct shk_vec {
	void **p;
	size_t n, room;
};
int shk_vec_push(struct shk_arena *a, struct shk_vec *v, void *item);

/* Text put together from several scalars; piece[i] says where the bytes from `start` on come from. */
struct shk_piece {
	size_t start;
	const struct shk_rnode *node;
	bool exact; /* byte for byte the node's value; else generated on its behalf */
};
struct shk_text {
	struct shk_str s;
	struct shk_piece *piece;
	size_t n;
};

struct shk_item {
	struct shk_str name;
	unsigned index;		       /* position in its table, order of first definition */
	unsigned order, visible;       /* counter at the first definition, at the latest change */
	const struct shk_rnode *node;  /* the map that defined it last */
	const struct shk_amend *amends; /* what was appended or overridden since, latest first */
};
struct shk_amend {
	const struct shk_rnode *node;
	const struct shk_amend *before;
};

struct shk_list {
	struct shk_item h;
	const struct shk_str *item; /* room for more: a list this one was appended to has the first of them */
	size_t n, room;
};

struct shk_macro {
	struct shk_item h;
	struct shk_text cond;
};

struct shk_exception {
	struct shk_str name;
	const struct shk_rnode *node;
	bool tuple;			/* fields are a sequence */
	const struct shk_str *field, *comp;
	size_t n;
	struct shk_vec values;		/* const struct shk_rnode * */
	struct shk_exception *next;
};

struct shk_rule {
	struct shk_item h;
	struct shk_text cond, output;
	struct shk_str desc, source;
	enum shk_priority priority;
	bool enabled, warn_evttypes, skip_unknown;
	const struct shk_str *tags; /* sorted, each once */
	size_t n_tags;
	struct shk_exception *exceptions;
};

/* Lists and macros an item was found to use when it was looked at last: index * 2, plus 1 for a macro;
 * sorted. */
struct shk_uses {
	const uint32_t *v;
	uint32_t n;
};

struct shk_built { /* of a list, macro or rule */
	struct shk_uses uses;
	const struct shk_item *known; /* the record whose words are in the index (depend.c), or NULL */
	bool dirty;		      /* to be looked at */
};
struct shk_build_list {
	struct shk_built b;
	const struct shk_list *l;
	struct shk_str joined;	    /* malloc'ed: lists in it replaced by their items, as it is pasted */
	bool empty;
	uint32_t used;
	bool odd_name;		    /* with a character that separates words in a condition */
};
struct shk_build_macro {
	struct shk_built b;
	const struct shk_macro *m;
	struct shk_ast *cond; /* parsed with lists pasted in, then resolved */
	unsigned height;      /* of the resolved tree */
	uint64_t weight;      /* nodes of the tree, written out */
	int state;	      /* 0 unresolved, 1 being resolved, 2 done */
	uint32_t used;
};
struct shk_build_rule {
	struct shk_built b;
	struct shk_diag **diag; /* warnings */
	uint32_t n_diag;
	bool left_out;
};

enum shk_unit { SHK_UNIT_LIST, SHK_UNIT_MACRO, SHK_UNIT_RULE, SHK_UNIT_N };

struct shk_build {
	struct shk_loader *l;
	struct shk_arena a;
	bool full;	      /* of what is no longer in use, perhaps: begin anew */
	size_t a_fresh;	      /* bytes of it when everything had been looked at */
	struct shk_build_list *list; /* by index, as macro and rule; malloc'ed */
	size_t n_list, room_list;
	struct shk_build_macro *macro;
	size_t n_macro, room_macro;
	struct shk_build_rule *rule;
	size_t n_rule, room_rule;
	uint32_t *todo[SHK_UNIT_N]; /* those that are dirty, malloc'ed */
	size_t n_todo[SHK_UNIT_N], room_todo[SHK_UNIT_N];
	size_t failing;		   /* the rule in hand */
	size_t n_compared;	   /* names, for notes */
	size_t n_odd;		   /* lists with odd names */
	struct shk_vec said;	   /* struct shk_diag *: of the unit in hand */
	uint32_t *uses;		   /* of the unit in hand, malloc'ed */
	size_t n_uses, room_uses;
	bool indexed;		   /* the index of words is kept */
	struct shk_word_link {
		uint32_t hash, unit, next; /* next + 1, 0: none */
	} *link; /* malloc'ed */
	size_t n_link, room_link, n_link_fresh; /* fresh: when it was made */
	uint32_t *head;	  /* first link + 1; malloc'ed */
	uint32_t n_head;  /* a power of two */
};

/* A record that was put in place of `old` (NULL: behind the others) by the file in hand. */
struct shk_change {
	enum shk_unit unit;
	uint32_t index;
	struct shk_item *old;
};

struct shk_tables {
	struct shk_vec lists, macros, rules; /* by index */
};
struct shk_loader;
struct shk_vec *shk_table_of(struct shk_loader *l, enum shk_unit unit);
struct shk_map *shk_map_of(struct shk_loader *l, enum shk_unit unit);

struct shk_loader {
	struct shk_arena a;
	struct shk_tables t;
	struct shk_map lists, macros, rules; /* name -> record */
	unsigned counter;		     /* next index and visibility */
	struct shk_change *change;	     /* of the file in hand, malloc'ed */
	size_t n_change, room_change;
	struct shk_vec diags;		     /* struct shk_diag *: of collecting, and errors */
	size_t last_from;		     /* of them, from here on: those of the last file */
	bool last_failed, broken;	     /* broken: memory ran out while a file was undone */
	struct shk_diag *out;		     /* diags and those of the build, for the caller; NULL: not made yet */
	size_t n_out;
	struct shk_arena out_arena;	     /* what is said only for the caller: unused items, notes */
	struct shk_vec *saying;		     /* it goes there */
	const struct shk_rfile *file;	     /* the one in hand */
	const struct shk_rnode *item;	     /* and what of it is being collected; NULL: nothing yet */
	struct shk_vec append;		     /* struct shk_append_output * */
	bool notes;			     /* are wanted */
	bool building;			     /* what is said is of the build, in b.said */
	bool muted;			     /* nothing is said */
	struct shk_build b;
};

/* ---- diag.c ---- */
/* What an item is, for the chain of locations. */
struct shk_where {
	const char *type;	      /* "list", "macro", "rule" or NULL: the file */
	struct shk_str name;
	const struct shk_rnode *item; /* the map */
	const struct shk_rnode *part; /* inner node, or NULL */
	const char *part_type;	      /* "rule condition", ... */
	const struct shk_rfile *file; /* when item is NULL */
	struct shk_rpos at;	      /* where the caret goes */
};
struct shk_where shk_where_node(const char *type, struct shk_str name,
				const struct shk_rnode *item, const struct shk_rnode *part,
				const char *part_type);
/* Adds an error and returns -EINVAL (-ENOMEM). text: "what is wrong; what to do". */
int shk_load_error(struct shk_loader *l, const char *code, const struct shk_where *w,
		   const char *fmt, ...) SHK_PRINTF(4, 5);
/* Adds a warning. 0 or -ENOMEM. */
int shk_load_warn(struct shk_loader *l, const char *code, const struct shk_where *w,
		  const char *fmt, ...) SHK_PRINTF(4, 5);
/* The same for a note. */
int shk_load_note(struct shk_loader *l, const char *code, const struct shk_where *w,
		  const char *fmt, ...) SHK_PRINTF(4, 5);
/* The first error as one line, or out of memory. */
int shk_load_result(struct shk_loader *l, size_t from, int r, struct shk_err *err);

/* ---- collect.c, collect_rule.c, exceptions.c ---- */
int shk_collect_file(struct shk_loader *l, const struct shk_rfile *f, const struct shk_rnode *root);
int shk_collect_rule(struct shk_loader *l, const struct shk_rnode *item);
/* Notes that `node` changed what `old` defines: *rec keeps its place in the files. 0 or -ENOMEM. */
int shk_collect_amend(struct shk_loader *l, struct shk_item *rec, const struct shk_item *old,
		      const struct shk_rnode *node);
/* Remembers that a record took the place of another one. -ENOMEM. */
int shk_collect_changed(struct shk_loader *l, enum shk_unit unit, uint32_t index, struct shk_item *old);
/* Takes h.name and h.node of `rec` and puts it into the table in place of `old` (NULL: behind). */
int shk_collect_put(struct shk_loader *l, enum shk_unit unit, struct shk_item *rec,
		    const struct shk_item *old);
int shk_collect_required(struct shk_loader *l, const struct shk_rnode *item);
int shk_collect_exceptions(struct shk_loader *l, const struct shk_where *w,
			   const struct shk_rnode *seq, const struct shk_exception *old,
			   bool append, struct shk_exception **ret);

/* Reading keys. get: required when `need`; -EINVAL with a diagnostic. Leaves *ret when absent. */
int shk_key_str(struct shk_loader *l, const struct shk_where *w, const char *key, bool need,
		const struct shk_rnode **ret);
int shk_key_bool(struct shk_loader *l, const struct shk_where *w, const char *key, bool *ret);
int shk_key_unknown(struct shk_loader *l, const struct shk_where *w, const char *const *known,
		    size_t n);
/* The `override` map: for each of keys[], 0, 'a'ppend or 'r'eplace. *any: not empty. */
int shk_key_override(struct shk_loader *l, const struct shk_where *w, const char *const *keys,
		     size_t n, size_t n_append, char *ops, bool *any);
/* A text of one scalar; two texts with a blank between them. */
int shk_text_of(struct shk_loader *l, const struct shk_rnode *n, bool trim, struct shk_text *ret);
int shk_text_join(struct shk_loader *l, const struct shk_text *x, const struct shk_rnode *n,
		  struct shk_text *ret);
/* The node and place in the file that byte `at` of the text comes from. */
const struct shk_rnode *shk_text_at(const struct shk_text *t, size_t at, struct shk_rpos *ret);

/* ---- extra.c ---- */
/* The output of a rule with what is appended to it, and the fields that are added in JSON; checked. As
 * shk_output_compile; the template is for looking at. */
int shk_extra_apply(struct shk_loader *l, struct shk_arena *a, const struct shk_rule *r,
		    struct shk_rule_def *def, const struct shk_output **ret, struct shk_err *err);

/* ---- the build: depend.c, lists.c, resolve.c, exceptions.c, build.c ---- */
/* Does this character separate the words of a condition that can be names of lists? */
bool shk_list_edge(char c);
/* Looks at the dirty lists. */
int shk_build_lists(struct shk_build *b);
/* Replaces list names by their items. origin, when not NULL, receives an array with the offset in `in`
 * for each byte of the result and one for its end. As shk_build_parse: all memory is of `a`. */
int shk_build_paste(struct shk_build *b, struct shk_arena *a, struct shk_str in, struct shk_str *ret,
		    const unsigned **origin);
/* Parses the condition of a macro or a rule after pasting; errors become diagnostics. */
int shk_build_parse(struct shk_build *b, struct shk_arena *a, const struct shk_text *cond,
		    const struct shk_where *w, struct shk_ast **ret);
/* Puts byte `at` of the pasted text of cond into *w. */
int shk_build_locate(struct shk_build *b, const struct shk_text *cond, unsigned at,
		     struct shk_where *w);
/* Notes about all conditions, if they are wanted. */
int shk_build_notes(struct shk_build *b);
/* Looks at the dirty macros. */
int shk_build_macros(struct shk_build *b);
/* Replaces the references in a rule's tree. */
int shk_build_resolve(struct shk_build *b, struct shk_ast **e, const struct shk_text *cond,
		      const struct shk_where *w);
/* The condition of a rule with its exceptions. -E2BIG, -ENOMEM. */
int shk_build_exceptions(struct shk_arena *a, const struct shk_rule *r, struct shk_text *ret);
/* Names of macros in a tree that is not resolved yet. */
int shk_build_use_macros(struct shk_build *b, const struct shk_ast *e);
/* The unit in hand uses this list or macro. */
int shk_build_use(struct shk_build *b, enum shk_unit unit, uint32_t index);

/* Makes dirty what the changes of the file in hand concern, and gives each list, macro and rule its place in
 * the build. */
int shk_depend_mark(struct shk_build *b);
/* Around looking at a unit: what it uses is kept, and its words go into the index. */
void shk_build_begin(struct shk_build *b);
int shk_build_end(struct shk_build *b, enum shk_unit unit, uint32_t index);
int shk_depend_dirty(struct shk_build *b, enum shk_unit unit, uint32_t index);

void shk_build_init(struct shk_loader *l);
void shk_build_done(struct shk_build *b);
/* Looks at what the file in hand changed. On failure part of it is left to be looked at when the file is undone:
 * call it again then. What a failed build said has become the file's. */
int shk_loader_build(struct shk_loader *l);
/* The rule with its tree, resolved and typed, in `a`. The rule was built and not left out. -ENOMEM. */
int shk_build_def(struct shk_loader *l, size_t rule, struct shk_arena *a, struct shk_rule_def *ret);
/* Warnings about what nothing uses. */
int shk_build_unused(struct shk_build *b);
/* Copies what the build said of one rule to the file's. */
int shk_diag_keep(struct shk_loader *l, const struct shk_diag *d);

#endif
