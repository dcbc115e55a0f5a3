/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate_names.h - by which names a program is judged that is about to run (private to src/engine).
 *
 * A bind mount gives a program a second name, and a tree that is mounted nowhere (open_tree(2) with OPEN_TREE_CLONE, fsmount(2))
 * takes away the one it had. The first is judged by all its names; the second cannot be judged.
 */
#ifndef SHK_ENGINE_GATE_NAMES_H
#define SHK_ENGINE_GATE_NAMES_H

#include "engine/gate.h"

struct shk_exec_names {
	unsigned n;
	struct {
		unsigned file; /* of struct shk_exec_judged */
		struct shk_str name;
	} other[2 * SHK_ALIASES_MAX];
};

/* shk_gate_pin, and the other names of what it pinned. Also -EXDEV: a program in no mount of its task's, which nobody can
 * judge; -EAGAIN: the mounts cannot be told. Container's lock held; the worker's thread. */
int shk_gate_pin_named(struct shk_worker *w, const struct shk_policy *p, const struct shk_plan *plan,
		       struct shk_eval_ctx *ctx, struct shk_exec_judged **ret, struct shk_exec_names *names);
/* Asks rules about these names as well. */
void shk_gate_judge_names(const struct shk_policy *p, struct shk_eval_ctx *ctx, struct shk_exec_judged *x,
			  const struct shk_exec_names *names, struct shk_judgement *j);

#endif
