/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_tree.h - a YAML text as a tree whose nodes know where they stand.
 *
 * Policies, and what a configuration has in common with them, need little of YAML: maps, sequences, scalars. Aliases are refused, a key given twice
 * is refused, depth and size are bounded. Everything lives in the arena and dies with it.
 */
#ifndef SHK_POLICY_YAML_TREE_H
#define SHK_POLICY_YAML_TREE_H

#include "base/arena.h"
#include "base/error.h"

enum shk_ykind { SHK_Y_NULL, SHK_Y_SCALAR, SHK_Y_SEQ, SHK_Y_MAP };

struct shk_ynode {
	enum shk_ykind kind;
	unsigned line, column;	 /* 1-based */
	struct shk_str text;	 /* SCALAR; NUL-terminated, without NUL inside */
	struct shk_str key;	 /* of a node inside a map */
	unsigned key_line, key_column;
	struct shk_ynode *first, *last; /* children of SEQ and MAP */
	struct shk_ynode *next, *parent;
};

#define SHK_Y_DEPTH 16

/* Parses all documents of `text`; *ret is the first document's root, the others follow by ->next;
 * NULL when there is none. -EINVAL: err holds file:line:column: text. */
int shk_yaml_tree(struct shk_arena *a, const char *file, struct shk_str text,
		  struct shk_ynode **ret, struct shk_err *err);
/* A value of a map, or NULL. */
const struct shk_ynode *shk_ynode_get(const struct shk_ynode *map, const char *key);

#endif
