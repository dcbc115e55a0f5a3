/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h - Falco's rule language: load, compile, evaluate.
 *
 * Loading: a loader collects items (lists, macros, rules, exceptions, overrides) from files in
 * order, checking after each file that all of it compiles as Falco does, and yields diagnostics. Compiling turns the collected
 * rules into one immutable, reference-counted set: identical sub-expressions are one node, constants are
 * typed, string sets hashed; indexed by event type. Evaluating never allocates outside the event's arena,
 * never locks, never recurses, and is bounded.
 * A loader is used by one thread; a set by any number.
 */
#ifndef SHK_RULES_RULES_H
#define SHK_RULES_RULES_H

#include <stdbool.h>

#include "fields/fields.h"

struct shk_loader;
struct shk_ruleset;

enum shk_priority {
	SHK_PRIO_EMERGENCY, SHK_PRIO_ALERT, SHK_PRIO_CRITICAL, SHK_PRIO_ERROR, SHK_PRIO_WARNING,
	SHK_PRIO_NOTICE, SHK_PRIO_INFORMATIONAL, SHK_PRIO_DEBUG
};
const char *shk_priority_name(enum shk_priority p); /* "Informational" */
bool shk_priority_parse(struct shk_str s, enum shk_priority *ret); /* case-insensitive, "info" too */

/* ---- diagnostics (FALCO_RULE_LANGUAGE section 22) ---- */
struct shk_diag_loc {
	struct shk_str item_type, item_name; /* "rule", "Shell" */
	struct shk_str name;		     /* the file, or the start of a condition in quotes */
	unsigned line, column, offset;	     /* Falco's conventions, 0-based as it prints them */
};
struct shk_diag {
	bool error;		 /* else warning, or */
	bool note;		 /* what Falco does not say: only after shk_loader_want_notes */
	const char *code;	 /* "LOAD_ERR_COMPILE_CONDITION" */
	struct shk_str file;
	unsigned line, column;	 /* 1-based, for people */
	struct shk_str message, hint; /* hint: the remedy or nearest name, may be empty */
	struct shk_str snippet;	 /* the offending line(s) */
	unsigned caret;		 /* column of the caret in snippet's line, 1-based, 0: none */
	const struct shk_diag_loc *loc;
	size_t n_loc;
};

/* ---- loader ---- */
int shk_loader_new(struct shk_loader **ret, struct shk_err *err);
void shk_loader_free(struct shk_loader *l);
SHK_DEFINE_CLEANUP(struct shk_loader, shk_loader_free)
/* What is added to the output of the rules that fit (FALCO_RULE_LANGUAGE section 19): all criteria given
 * hold. Entries add up, in their order. */
struct shk_extra_field {
	struct shk_str name;   /* key in JSON; p NULL: format is a field, whose value is added */
	struct shk_str format; /* a template, giving a text */
};
struct shk_append_output {
	struct shk_str source, rule;	  /* p NULL: any */
	const struct shk_str *tags;	  /* all of them; none: any */
	size_t n_tags;
	struct shk_str output;		  /* put behind the output, with a blank; n 0: nothing */
	bool suggested;			  /* static fields; SHK_SUGGESTED_OUTPUT for source syscall */
	const struct shk_extra_field *field; /* in JSON only */
	size_t n_field;
};
/* Copies the entry; it is checked with each file, so add it before the first. 0 or -ENOMEM. */
int shk_loader_append_output(struct shk_loader *l, const struct shk_append_output *a);
/* The same for every rule, with a text alone. SHK_SUGGESTED_OUTPUT is what Falco's shipped configuration
 * adds. */
int shk_loader_set_extra_output(struct shk_loader *l, struct shk_str text);
#define SHK_SUGGESTED_OUTPUT                                                                       \
	"container_id=%container.id container_name=%container.name "                               \
	"container_image_repository=%container.image.repository "                                  \
	"container_image_tag=%container.image.tag k8s_pod_name=%k8s.pod.name "                     \
	"k8s_ns_name=%k8s.ns.name"
/* Also notes about what is right and hardly meant: a misspelt name of a list. Before the first file. */
void shk_loader_want_notes(struct shk_loader *l);
/* Adds a file, or the *.yaml / *.yml of a directory (sorted). 0, or -EINVAL when it has errors: see
 * diagnostics; *err gets the first as "file:line:column: text (remedy)". */
int shk_loader_add_path(struct shk_loader *l, const char *path, struct shk_err *err);
/* The same from memory; name stands for the file name in messages. */
int shk_loader_add_text(struct shk_loader *l, const char *name, struct shk_str text,
			struct shk_err *err);
/* Diagnostics so far: of reading each file, then of the compilation after the last one (a macro that
 * only a later file uses is no longer reported then). A file with an error leaves nothing behind but its
 * diagnostics. NULL and 0 without memory. Valid until the next file is added. */
const struct shk_diag *shk_loader_diags(struct shk_loader *l, size_t *n);
/* Those of the last file that was added: of reading it and of the compilation of all up to it, as Falco
 * reports them for each file. Valid until the next file. */
const struct shk_diag *shk_loader_last_diags(struct shk_loader *l, size_t *n);
/* How the last file fits Falco's schema of rule files, which is stricter than loading and stops nothing: of a file
 * with several documents the first one decides, as there. NONE: it has no document, or is no YAML. */
struct shk_schema {
	enum { SHK_SCHEMA_NONE, SHK_SCHEMA_OK, SHK_SCHEMA_FAILED } status;
	const char *const *warning; /* "failed for document/0/priority: ..." */
	size_t n;
};
/* It is looked at where it is wanted. Before the first file. */
void shk_loader_want_schema(struct shk_loader *l);
const struct shk_schema *shk_loader_last_schema(const struct shk_loader *l);
/* Compiler-style print of one diagnostic: file:line:col: error|warning: message [CODE], line, caret. */
void shk_diag_print(const struct shk_diag *d, struct shk_buf *out);

/* Switches rules on or off: those whose name fits (* is any text) and those with the tag. p NULL: not
 * asked for. */
struct shk_rule_choice {
	bool enable;
	struct shk_str name, tag;
};
/* Which collected rules go into a set: those that are enabled, changed by each choice in turn, without
 * those disabled here and those less severe than min_priority. The order is that of their definitions. */
struct shk_rule_select {
	enum shk_priority min_priority;	    /* SHK_PRIO_DEBUG: all */
	const struct shk_rule_choice *choices;
	size_t n_choices;
	const struct shk_str *disable_tags, *disable_names; /* names may be globs (*) */
	size_t n_disable_tags, n_disable_names;
};
/* Compiles what was collected. select NULL: the enabled rules. */
int shk_loader_compile(struct shk_loader *l, const struct shk_rule_select *select,
		       struct shk_ruleset **ret, struct shk_err *err);

/* ---- what was collected, for people: rules that are switched off or left out, too ---- */
struct shk_strs { /* sorted bytewise, each once */
	const struct shk_str *v;
	size_t n;
};
struct shk_rule_part { /* an item of a file, as written */
	struct shk_str file, text;
	unsigned line; /* 1-based */
};
struct shk_exception_desc {
	struct shk_str name;
	const struct shk_str *field, *comp; /* n of each */
	size_t n, n_values;
};
struct shk_rule_desc {
	struct shk_str name, desc, source;
	enum shk_priority priority;
	const struct shk_str *tags; /* sorted bytewise */
	size_t n_tags;
	bool enabled;
	bool left_out; /* a warning says why; what comes of compiling is empty */
	const struct shk_rule_part *part; /* the definition, then what amended it */
	size_t n_part;
	const struct shk_exception_desc *exception;
	size_t n_exception;
	struct shk_str condition, output; /* compiled: macros and lists replaced, extra output added */
	/* Event types for which it can be true; all of them when `any_event`. Macros and lists are those
	 * that the condition itself names. */
	struct shk_strs events, fields, operators, output_fields, macros, lists;
	bool any_event;
};
/* Rules collected so far, in the order of their definitions. */
size_t shk_loader_rules(const struct shk_loader *l);
/* Describes the i-th; the texts live in `a` or with the loader. -ENOMEM. */
int shk_loader_describe(struct shk_loader *l, size_t i, struct shk_arena *a,
			struct shk_rule_desc *ret);
/* The items that define the macro (or the list) of this name, as written. 1: there is one, 0: not. */
int shk_loader_show(struct shk_loader *l, const char *kind, struct shk_str name,
		    struct shk_arena *a, const struct shk_rule_part **ret, size_t *n);

/* ---- compiled set ---- */
struct shk_ruleset *shk_ruleset_ref(struct shk_ruleset *rs);
void shk_ruleset_unref(struct shk_ruleset *rs);
SHK_DEFINE_CLEANUP(struct shk_ruleset, shk_ruleset_unref)

struct shk_output; /* compiled output template: output.h */

struct shk_rule_extra { /* in JSON only */
	struct shk_str name; /* n 0: the field that output names, by its own name and with its type */
	const struct shk_output *output;
};
struct shk_rule_info {
	unsigned index;		 /* position in the set, matching order */
	struct shk_str name, desc, source, output_text;
	enum shk_priority priority;
	const struct shk_str *tags; /* sorted bytewise */
	size_t n_tags;
	const struct shk_output *output;
	const struct shk_rule_extra *extra;
	size_t n_extra;
};
size_t shk_ruleset_count(const struct shk_ruleset *rs);
const struct shk_rule_info *shk_ruleset_rule(const struct shk_ruleset *rs, unsigned index);

#define SHK_MATCH_MAX 32
struct shk_matches {
	unsigned n;			/* in rule order; past SHK_MATCH_MAX only `lost` counts */
	unsigned lost;
	uint32_t rule[SHK_MATCH_MAX];
};
/* Evaluates the rules that can match this event. must[i/64] bit i: rule i carries an action and is
 * always evaluated (NULL: none). first: after the first match only `must` rules are tried (Falco's
 * rule_matching: first); otherwise all. Conditions see ctx. When ctx->ev->arena->failed is set
 * afterwards, memory ran out and an answer of "no match" cannot be trusted: the caller must treat the event
 * as one that could not be judged. */
void shk_ruleset_eval(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, const uint64_t *must,
		      bool first, struct shk_matches *out);
/* What one thread at a time remembers of the events it evaluated, so that like ones take a fraction of the time.
 * Put into ctx->memo; it makes no difference to what matches. Bounded (rules/memo.h); goes with whatever set
 * is evaluated and forgets the one before. NULL: no memory; to do without is allowed. */
struct shk_memo *shk_memo_new(void);
void shk_memo_free(struct shk_memo *m);
SHK_DEFINE_CLEANUP(struct shk_memo, shk_memo_free)

/* How often a `regex` gave up on a value because it took too many steps (it counts as no match). */
uint64_t shk_ruleset_regex_limits(const struct shk_ruleset *rs);
/* Can any rule match a call of this type? (index lookup, for the plan and fast exits) */
bool shk_ruleset_wants(const struct shk_ruleset *rs, enum shk_call_id id);

/* Does the condition of a rule that can match a call of this type ask for such a field? Also true when memory runs out. */
bool shk_ruleset_asks(const struct shk_ruleset *rs, enum shk_call_id id, bool (*is)(const struct shk_field_ref *ref));

/* ---- for the plan: what must hold in registers for a rule to be able to match ---- */

/* One test on a register value: (arg & mask) == value, or != when negate. */
struct shk_reg_test {
	uint8_t arg;
	bool negate;
	uint64_t mask, value;
};
#define SHK_REG_CONJ_MAX 4
struct shk_reg_conj { /* all tests hold */
	struct shk_reg_test t[SHK_REG_CONJ_MAX];
	uint8_t n;
};
#define SHK_REG_DISJ_MAX 8
struct shk_reg_filter { /* any conjunction holds */
	bool never;	/* no rule of the selection can match this call */
	bool always;	/* nothing useful is known from registers: every call must be looked at */
	struct shk_reg_conj c[SHK_REG_DISJ_MAX];
	uint8_t n;
};
/* The register filter of call `id` for the rules whose bit is set in `which` (NULL: all): partial
 * evaluation of each condition with everything but registers unknown. Sound: says no only if
 * no rule of the selection can match. */
void shk_ruleset_reg_filter(const struct shk_ruleset *rs, enum shk_call_id id,
			    const uint64_t *which, struct shk_reg_filter *out);

/* Text of the compiled form: rules, their programs, shared nodes, index. */
void shk_ruleset_explain(const struct shk_ruleset *rs, struct shk_buf *out);
/* Canonical condition text of a rule (FALCO_RULE_LANGUAGE section 22). */
void shk_ruleset_print_condition(const struct shk_ruleset *rs, unsigned index, struct shk_buf *out);

#endif
