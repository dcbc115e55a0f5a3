/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruletest_impl.h - a case as written (private to src/engine).
 */
#ifndef SHK_ENGINE_RULETEST_IMPL_H
#define SHK_ENGINE_RULETEST_IMPL_H

#include "engine/ruletest.h"
#include "policy/yaml_tree.h"

struct shk_rt_expect {
	struct shk_str rule;
	struct shk_str output, contains; /* p NULL: any */
	uint64_t count;
	const struct shk_ynode *node;
	uint64_t got;
};

/* Of the file, and in place of it of a case. */
struct shk_rt_rules {
	const struct shk_ynode *files, *text; /* NULL: none */
	int match_all; /* -1: not said */
};

struct shk_rt_case {
	struct shk_str name;
	struct shk_rt_rules rules;
	const struct shk_ynode *events, *events_file;
	struct shk_rt_expect *expect;
	size_t n_expect;
	bool others; /* alerts of rules that are not named do not matter */
	const struct shk_ynode *node;
};

struct shk_rt_file {
	struct shk_rt_rules rules;
	struct shk_rt_case *cases;
	size_t n_cases;
};

/* Everything lives in the arena. -EINVAL: "file:line:column: text". */
int shk_rt_parse(struct shk_arena *a, const char *file, struct shk_str text, struct shk_rt_file *ret,
		 struct shk_err *err);
int shk_rt_fail(const char *file, const struct shk_ynode *n, struct shk_err *err, const char *fmt, ...)
	SHK_PRINTF(4, 5);

#endif
