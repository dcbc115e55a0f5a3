/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - the loader's own records (private to src/rules).
 *
 * Collecting (collect.c, collect_rule.c): each file's items update the tables of lists, macros and rules. A record
 * is never changed once it is in a table: append and override put a new record in its place, so that
 * a file with an error can be undone by restoring the tables (load.c).
 * Building (build.c): after each file everything collected is compiled from scratch into a fresh
 * arena, as a later file may change what an earlier one uses.
 * Records, files and diagnostics live in the loader's arena.
 */
#ifndef SHK_RULES_LOAD_H
#define SHK_RULES_LOAD_H

#include "base/map.h"
#include "rules/ast.h"
#include "rules/output.h"
#include "rules/yaml.h"

#define SHK_LOADER_MAX (256u << 20) /* bytes: files, records, diagnostics */
#define SHK_BUILD_MAX  (512u << 20) /* bytes: trees of one build */

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
	const struct shk_str *item;
	size_t n;
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

struct shk_tables {
	struct shk_vec lists, macros, rules; /* by index */
};

struct shk_loader {
	struct shk_arena a;
	struct shk_tables t;
	struct shk_map lists, macros, rules; /* name -> record */
	unsigned counter;		     /* next index and visibility */
	struct shk_vec diags;		     /* struct shk_diag *: of collecting, then of the last build */
	size_t n_collect;		     /* so many of them are of collecting */
	struct shk_diag *out;		     /* the same as one array, for the caller */
	size_t n_out;
	const struct shk_diag *last;	     /* those of the last file alone, its build included */
	size_t n_last;
	struct shk_vec append;		     /* struct shk_append_output * */
	bool notes, want_schema;	     /* are wanted */
	struct shk_schema schema;	     /* of the last file */
	const struct shk_rnode *unmet;	     /* of the file in hand: the first requirement of plugins that is
					      * not met, */
	const struct shk_rnode *unmet_item;  /* and its item */
	struct shk_arena build;		     /* of the last build that succeeded */
	const struct shk_rule_def **all;     /* by index; NULL: left out. In build */
	const struct shk_rule_def **defs;    /* of these, the enabled ones */
	size_t n_defs;
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
/* Takes h.name and h.node of `rec` and puts it into the table in place of `old` (NULL: behind). */
int shk_collect_put(struct shk_loader *l, struct shk_vec *v, struct shk_map *m,
		    struct shk_item *rec, const struct shk_item *old);
int shk_collect_required(struct shk_loader *l, const struct shk_rnode *item);
/* Once a file was read, with success or not: is a requirement of plugins in it not met? Then the diagnostics from
 * `from` on keep their warnings, and the one error is this. -EINVAL, -ENOMEM; 0: all are met. */
int shk_required_check(struct shk_loader *l, size_t from);
int shk_collect_exceptions(struct shk_loader *l, const struct shk_where *w,
			   const struct shk_rnode *seq, struct shk_str source,
			   const struct shk_exception *old, bool append,
			   struct shk_exception **ret);

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

/* ---- schema.c ---- */
/* All documents of a file, for l->schema. 0 or -ENOMEM. */
int shk_schema_check(struct shk_loader *l, const struct shk_rnode *root);

/* ---- source.c ---- */
/* Are rules of this source used at all? Those of others are left out with a warning. */
bool shk_source_known(struct shk_str source);
/* Do events of a known source have this field? -ENOENT. */
int shk_source_field(struct shk_str source, const struct shk_field *f, struct shk_err *err);
/* Do they have the fields of a typed condition, of an output? -ENOENT. */
int shk_source_condition(struct shk_str source, const struct shk_ast *e, unsigned *ret_pos,
			 struct shk_err *err);
int shk_source_output(struct shk_str source, const struct shk_output *o, struct shk_err *err);

/* ---- extra.c ---- */
/* The output of a rule with what is appended to it, and the fields that are added in JSON; checked. As
 * shk_output_compile; the template is for looking at. */
int shk_extra_apply(struct shk_loader *l, struct shk_arena *a, const struct shk_rule *r,
		    struct shk_rule_def *def, const struct shk_output **ret, struct shk_err *err);

/* ---- the build: lists.c, resolve.c, exceptions.c, build.c ---- */
struct shk_build_list {
	const struct shk_list *l;
	const struct shk_str *item; /* lists in it replaced by their items */
	size_t n;
	struct shk_str joined;	    /* as pasted into a condition */
	bool used;
	bool odd_name;		    /* with a character that separates words in a condition */
};
struct shk_build_macro {
	const struct shk_macro *m;
	struct shk_str text;  /* lists pasted in */
	struct shk_ast *cond;
	unsigned height;      /* of the resolved tree */
	uint64_t weight;      /* nodes of the tree, written out */
	int state;	      /* 0 unresolved, 1 being resolved, 2 done */
	bool used;
};
struct shk_build {
	struct shk_loader *l;
	struct shk_arena a;
	struct shk_build_list *list;
	size_t n_list;
	bool odd_names;
	struct shk_build_macro *macro;
	size_t n_macro;
	struct shk_map list_of, macro_of;
};
/* One rule on its way. */
struct shk_build_job {
	struct shk_build *b;
	const struct shk_rule *r;
	struct shk_text cond;	/* with exceptions */
	struct shk_where where; /* the rule's condition */
	struct shk_ast *e;
	const struct shk_field *missing[16]; /* without values, named so far */
	unsigned n_missing;
	int result;
};
/* build_warn.c: warnings about an output; about a condition that was parsed and its macros resolved; about one
 * that was typed as well. 0 or -ENOMEM. */
int shk_build_warn_container_info(struct shk_build_job *j, const struct shk_rule_def *def);
int shk_build_warn_output(struct shk_build_job *j, const struct shk_where *w,
			  const struct shk_rule_def *def, const struct shk_output *o);
int shk_build_warn_parsed(struct shk_build_job *j);
int shk_build_warn_typed(struct shk_build_job *j);
/* Does this character separate the words of a condition that can be names of lists? */
bool shk_list_edge(char c);
int shk_build_lists(struct shk_build *b);
/* Replaces list names by their items. origin, when not NULL, receives an array with the offset in `in`
 * for each byte of the result and one for its end. */
int shk_build_paste(struct shk_build *b, struct shk_str in, struct shk_str *ret,
		    const unsigned **origin);
/* Parses the condition of a macro or a rule after pasting; errors become diagnostics. */
int shk_build_parse(struct shk_build *b, const struct shk_text *cond, const struct shk_where *w,
		    struct shk_str *ret_text, struct shk_ast **ret);
/* Puts byte `at` of the pasted text of cond into *w. */
int shk_build_locate(struct shk_build *b, const struct shk_text *cond, unsigned at,
		     struct shk_where *w);
/* Notes about a condition that was parsed and not resolved yet, if they are wanted. */
int shk_build_notes(struct shk_build *b, const struct shk_ast *e, const struct shk_text *cond,
		    const struct shk_where *w);
int shk_build_macros(struct shk_build *b);
/* Replaces the references in a rule's tree. */
int shk_build_resolve(struct shk_build *b, struct shk_ast **e, const struct shk_text *cond,
		      const struct shk_where *w);
/* The condition of a rule with its exceptions. */
int shk_build_exceptions(struct shk_build *b, const struct shk_rule *r, struct shk_text *ret);
/* Compiles everything collected; on success the loader's build is replaced. */
int shk_loader_build(struct shk_loader *l);

#endif
