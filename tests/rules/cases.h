/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases.h - conformance cases of the rule language: reading case files, running one case.
 *
 * The format is described in docs/HOWTO_ADD_TEST.md. Everything read lives in the arena given. One thread.
 */
#ifndef SHK_TESTS_RULES_CASES_H
#define SHK_TESTS_RULES_CASES_H

#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"

/* "key: value" or "key:" and indented lines, of which the indentation is taken away. */
struct rc_block {
	const char *key;
	struct shk_str text;
	unsigned line; /* of the key; the text of a block begins one line below */
	bool inlined;
	struct rc_block *next;
};

struct rc_case {
	const char *file, *title;
	unsigned line;
	const struct rc_block *own, *shared; /* shared: what stands above the first case of the file */
};

/* The next block of this key behind `after` (NULL: the first), the case's own or, if it has none, shared. */
const struct rc_block *rc_block(const struct rc_case *c, const char *key,
				const struct rc_block *after);
/* The text of a block as a string, "" when absent. */
struct shk_str rc_text(const struct rc_case *c, const char *key);

/* Reads a file; on() for each case. 0, or -EINVAL with "file:line: what is wrong". */
int rc_read(struct shk_arena *a, const char *path, void (*on)(const struct rc_case *c, void *arg),
	    void *arg, struct shk_err *err);

/* Cuts the first line off *rest. false: no more lines. *line is counted up. */
bool rc_next_line(struct shk_str *rest, unsigned *line, struct shk_str *ret);
/* Cuts the first word (up to a blank) off *rest, blanks around it dropped. n = 0: none. */
struct shk_str rc_next_word(struct shk_str *rest);
struct shk_str rc_trim(struct shk_str s);
/* Splits at the last " | ". */
bool rc_split(struct shk_str row, struct shk_str *left, struct shk_str *right);

/* How a row or case went. */
struct rc_report {
	void (*on)(struct rc_report *r, const struct rc_case *c, unsigned line, struct shk_str title,
		   const char *problem); /* problem NULL: passed */
};
/* Runs a case: one result, or one for each row of its tables. */
void rc_run(const struct rc_case *c, struct rc_report *r);

#endif
