/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.h - a rule file as a tree whose nodes know where they stand (private to src/rules).
 *
 * Unlike policy files, rule files may use aliases and give a key twice (the first one wins), so that
 * every file written for Falco reads the same here. Depth, size and aliases are bounded. Everything
 * lives in the arena; the tree points into it and is never changed.
 */
#ifndef SHK_RULES_YAML_H
#define SHK_RULES_YAML_H

#include "base/arena.h"
#include "base/error.h"

#define SHK_RN_DEPTH	32
#define SHK_RN_ALIASES	1000
#define SHK_RULE_FILE_MAX (128u << 20)

struct shk_rfile {
	struct shk_str name, text;
	const unsigned *line; /* byte offset of each line's start */
	unsigned n_lines;
	/* The place last looked for, as lines can be long and nodes are asked for in their order. */
	struct shk_rplace {
		unsigned line, column, offset;
	} *last;
};

enum shk_rkind { SHK_RN_NULL, SHK_RN_SCALAR, SHK_RN_SEQ, SHK_RN_MAP };

struct shk_rnode {
	uint8_t kind;	       /* enum shk_rkind */
	char style;	       /* SCALAR: 'p'lain, 'q'uoted, 'b'lock */
	bool open;	       /* while reading: its end has not come yet */
	unsigned line, column; /* 0-based; column in characters */
	unsigned end_line;     /* of a collection: the line behind it */
	struct shk_str text;   /* SCALAR and NULL; mostly a piece of the file */
	const struct shk_rfile *file;
	struct shk_rnode *key; /* of a node inside a map */
	struct shk_rnode *first, *next;
};

/* A byte offset, 0-based line and column in characters of a place in the file. */
struct shk_rpos {
	unsigned offset, line, column;
};

/* Reads all documents of text (copied): *ret is the first root, the others follow by ->next, NULL for
 * none. -EINVAL: err says what, *ret_at where; so it is when the arena is full. -ENOMEM. *ret_file is set in any
 * case but -ENOMEM. */
int shk_rnode_read(struct shk_arena *a, const char *name, struct shk_str text,
		   struct shk_rfile **ret_file, struct shk_rnode **ret, struct shk_rpos *ret_at,
		   struct shk_err *err);
/* The first value of this key, or NULL. */
const struct shk_rnode *shk_rnode_get(const struct shk_rnode *map, const char *key);
/* Where a node starts. */
struct shk_rpos shk_rnode_pos(const struct shk_rnode *n);
/* Where byte `offset` of a scalar's value stands in the file: folded lines and indentation are
 * accounted for; inside quotes with escapes it is the best guess. */
struct shk_rpos shk_rnode_pos_in(const struct shk_rnode *n, size_t offset);
/* A line of the file without its end. */
struct shk_str shk_rfile_line(const struct shk_rfile *f, unsigned line);

#endif
