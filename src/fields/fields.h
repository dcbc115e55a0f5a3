/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - the field registry: every word a condition or an output can name.
 *
 * One row per field, one file per class (fields/evt.c, proc.c, thread.c, fd.c, user.c,
 * container.c, shrike.c). A row says name, type, argument, doc, and how to get the value. `shrike list
 * fields` and docs/FIELDS.md print the same rows. Rows are constant; extraction runs on the
 * thread that owns the event and uses only memory of ctx->ev->arena.
 */
#ifndef SHK_FIELDS_FIELDS_H
#define SHK_FIELDS_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clean.h"
#include "event/event.h"

struct shk_container;
struct shk_proc;
struct shk_recorded;
struct shk_memo;

/* Falco's parameter types (names as in fields.tsv), folded to what comparisons distinguish. */
enum shk_type {
	SHK_T_BOOL,	/* BOOL */
	SHK_T_INT64,	/* INT8..INT64, ERRNO, FD, PID: value.i */
	SHK_T_UINT64,	/* UINT8..UINT64, UID, GID, FLAGS*, MODE, ENUM*: value.u */
	SHK_T_RELTIME,	/* ns, value.u */
	SHK_T_ABSTIME,	/* ns since the epoch, value.u */
	SHK_T_PORT,	/* value.u 0..65535 */
	SHK_T_STRING,	/* CHARBUF: value.s */
	SHK_T_PATH,	/* FSPATH, FSRELPATH: value.s, compared as a string */
	SHK_T_BYTES,	/* BYTEBUF: value.s */
	SHK_T_IPADDR,	/* value.ip */
	SHK_T_IPNET,	/* value.ip compared with networks */
	SHK_T_LIST,	/* list of strings: value.list */
	SHK_T_DOUBLE,	/* DOUBLE: value.u as made by shk_double_order */
	SHK_T_N
};
const char *shk_type_name(enum shk_type t);

struct shk_ip {
	uint8_t len;	   /* 4 or 16; 0: none */
	uint8_t b[16];	   /* network order; IPv4-mapped IPv6 is stored as IPv4 */
};

struct shk_value {
	enum shk_type type;
	union {
		bool b;
		int64_t i;
		uint64_t u;
		struct shk_str s;
		struct shk_ip ip;
		struct shk_strvec list;
	};
};

enum {
	SHK_F_ARG_NONE = 0,
	SHK_F_ARG_INDEX = 1 << 0,   /* takes [n] */
	SHK_F_ARG_KEY = 1 << 1,	    /* takes [name] or .name (dotted for evt.arg) */
	SHK_F_ARG_REQUIRED = 1 << 2,
	SHK_F_FILTER_ONLY = 1 << 3, /* prints <NA> in outputs (fd.ip, fd.port, ...) */
	SHK_F_MULTI = 1 << 4,	    /* several candidates: multi() is called, comparison holds as below */
	SHK_F_HEX = 1 << 5, SHK_F_OCT = 1 << 6, /* printing */
	SHK_F_DEPRECATED = 1 << 7,
	SHK_F_NO_TRANSFORM = 1 << 8,
	SHK_F_NO_RHS = 1 << 9,
	SHK_F_STABLE = 1 << 10,	    /* costs nothing to read: registers, header (cheapest first) */
	SHK_F_COSTLY = 1 << 11,	    /* opens /proc files when not cached (evaluated last) */
	SHK_F_ARG_DOTTED = 1 << 12, /* with ARG_KEY: the key is written .name, brackets hold an index */
	SHK_F_NEVER = 1 << 14,	    /* known by name, and never has a value; `origin` says why */
	SHK_F_WITHIN = 1 << 15,	    /* the one operator is =, and it means: no more than (evt.around) */
	SHK_F_RAW = 1 << 16,	    /* its texts are compared byte for byte (evt.rawarg) */
};

enum shk_path_state { SHK_PATH_UNTRIED, SHK_PATH_KNOWN, SHK_PATH_UNKNOWN };

/* Ancestors are asked for one after the other. */
struct shk_ancestor_met {
	struct shk_proc *of, *p; /* of: whose, NULL: nobody's yet */
	unsigned n;
};

/* What an extractor sees. Lives on the evaluating thread's stack for one event. */
struct shk_eval_ctx {
	struct shk_event *ev;
	struct shk_container *ctr; /* NULL: host */
	struct shk_proc *proc;	   /* NULL until first asked for; state/process.h shk_proc_of(ctx) */
	bool proc_tried, program;  /* it is of a program to come */
	struct shk_proc *proc_now; /* the same, as long as nothing about the event changes; NULL: see proc */
	struct shk_ancestor_met *ancestor_met; /* likewise: where the last question for an ancestor came to */
	struct shk_str abs_path[6]; /* state/path.c: shk_event_abs_path of each argument */
	uint8_t abs_path_state[6];  /* enum shk_path_state */
	struct shk_recorded *recorded; /* state/recorded.h: answers in place of this machine; NULL: live */
	struct shk_memo *memo;	       /* rules/rules.h: of this thread for now; NULL: none */
	bool by_object;		       /* names of what arguments lead to stand in place of those given */
	int root_fd;		       /* the task's root directory, where it is held; 0: not */
	int held, held_nr;	       /* the caller's descriptor held_nr as taken once, ours; held 0: none */
	int held_socket[3];	       /* its SO_DOMAIN, SO_TYPE, SO_PROTOCOL; domain 0: not asked, or no socket */
	bool by_address; /* of a message: its address counts, though the socket has a partner */
	const struct shk_fd_view *fd; /* fields/fd_view.h: made on the first question, then kept, so
				       * that all fd.* of an event speak of the same object */
};

struct shk_field;

/* A field with its argument, as resolved at load. */
struct shk_field_ref {
	const struct shk_field *field;
	bool has_arg;
	int64_t index;		 /* SHK_F_ARG_INDEX */
	struct shk_str key;	 /* SHK_F_ARG_KEY; owned by whoever compiled the reference */
	enum shk_type type;	 /* result type (evt.rawarg.X: that of the argument) */
};

enum shk_part {
	SHK_PART_BEGINNING,
	SHK_PART_END,
	SHK_PART_END_BEHIND_BLANK, /* if it is not empty */
};

typedef bool shk_field_get_fn(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out);
typedef bool shk_field_multi_fn(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
				struct shk_value *out);
typedef bool shk_field_image_fn(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_str *ret);

struct shk_field {
	const char *name;	 /* "proc.name" */
	const char *class_name;	 /* "process" */
	enum shk_type type;
	const char *falco_type;	 /* word printed by list fields: "CHARBUF", "UINT32", ... */
	uint32_t flags;
	/* true: *out is set (type = ref->type). false: missing value. Must not block on anything a
	 * container controls but its memory and /proc. */
	shk_field_get_fn *get;
	/* Bytes from which the value follows and which cost less than the value itself, of texts that get puts together from
	 * parts; NULL: none. They are the event's, or the task's as long as it is not asked anew. false: use get. */
	shk_field_image_fn *image;
	/* Whenever this field, without an argument, has a value, so has the named one, of which it is a part. NULL: none is
	 * known. */
	const char *whole;
	enum shk_part part;
	/* SHK_F_MULTI (fd.ip, fd.port, fd.net, proc.aname ... without index): the k-th candidate, k
	 * from 0; false at the end. Equality-like operators hold if ANY candidate satisfies; `!=`
	 * holds for fd.* if ALL candidates differ (any_ne = false), for proc.a* if ANY differs. */
	shk_field_multi_fn *multi;
	bool any_ne;
	/* Checks and completes a reference at load (argument names, result type). NULL: nothing. */
	int (*resolve)(struct shk_field_ref *ref, struct shk_err *err);
	const char *doc;	 /* one sentence */
	const char *origin;	 /* see shk_field_origin */
};

/* Looks up `text` = name, name[arg], or evt.arg.x; the whole text must be a field. On success
 * fills *ref (key is a view into text). -ENOENT: no such field (err names the nearest one). */
int shk_field_parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err);
/* The longest prefix of `text` that is a valid field (outputs): returns its length, 0 for none. */
size_t shk_field_parse_prefix(struct shk_str text, struct shk_field_ref *ref);
/* All rows in listing order; n may be NULL. */
const struct shk_field *const *shk_fields_all(size_t *n);

enum shk_availability { SHK_AVAILABLE, SHK_UNAVAILABLE };
/* What can be expected of a field at all, and the word for it: "yes", "no". */
enum shk_availability shk_field_availability(const struct shk_field *f);
const char *shk_availability_name(enum shk_availability a);
/* Where the value comes from; of an unavailable field why there is none. Part of a sentence. */
const char *shk_field_origin(const struct shk_field *f);
/* The argument a reference takes: "[index]", "[key]", ".name or [index]", ...; "" for none. What may be left
 * out stands in parentheses. */
const char *shk_field_argument(const struct shk_field *f);

/* Can evt.arg.NAME or evt.rawarg.NAME have a value for a call of this type? */
bool shk_field_call_has(const struct shk_field_ref *ref, enum shk_call_id id);

/* What a waiting event of this type shows: its call, registers, supposed result, and the texts its arguments point to,
 * with the directory they are counted from (shk_event_place). Does the field's value follow from these alone, for as
 * long as the context speaks of the names given (ctx->by_object)? */
bool shk_arg_is_shown(enum shk_arg_kind k); /* is an argument of this kind such a register or text? */
bool shk_field_is_shown(const struct shk_field_ref *ref, enum shk_call_id id);

/* Doubles as numbers that are in the same order, so that whoever compares numbers compares them, too. */
uint64_t shk_double_order(double d);
double shk_double_of(uint64_t order);

/* Texts become clean (base/clean.h) before anybody compares or shows them: the language has it so, and what a
 * container writes does not reach a log or a terminal as it is. false: no memory. */
bool shk_value_clean_list(struct shk_arena *a, struct shk_value *v);
static inline bool shk_value_clean(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
				   struct shk_value *v)
{
	if (ref->field->flags & SHK_F_RAW)
		return true;
	if (v->type == SHK_T_STRING || v->type == SHK_T_PATH)
		return shk_clean(ctx->ev->arena, &v->s);
	return v->type != SHK_T_LIST || shk_value_clean_list(ctx->ev->arena, v);
}

/* Extracts a value. false: missing. */
static inline bool shk_field_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
				 struct shk_value *out)
{
	out->type = ref->type;
	return ref->field->get(ctx, ref, out) && shk_value_clean(ctx, ref, out);
}

/* The k-th candidate of a field with SHK_F_MULTI. false: there are no more. */
static inline bool shk_field_candidate(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
				       unsigned k, struct shk_value *out)
{
	out->type = ref->type;
	return ref->field->multi(ctx, ref, k, out) && shk_value_clean(ctx, ref, out);
}

/* Text of a value as Falco prints it (numbers, bools, hex/oct by field flags, lists "(a,b)"). */
void shk_value_print(const struct shk_value *v, const struct shk_field *f, struct shk_buf *out);

#endif
