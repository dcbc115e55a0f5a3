/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ruletest.h - tests of rules: which alerts these rules raise on these events (shrike(1), `shrike test`).
 *
 * A file of cases is read whole; each case is judged by itself. One thread.
 */
#ifndef SHK_ENGINE_RULETEST_H
#define SHK_ENGINE_RULETEST_H

#include "base/error.h"
#include "base/str.h"

#define SHK_RULETEST_FILE_MAX (4u << 20)
#define SHK_RULETEST_ALERTS_MAX 10000u /* of one case */

struct shk_ruletest {
	bool no_files; /* files that the text names are refused (fuzzing) */
	/* Each case, in order. why: lines of what is different, each ended by \n; empty when it holds. */
	void (*on_case)(struct shk_str name, bool holds, struct shk_str why, void *arg);
	void *arg;
};

/* file: for messages, and the directory that relative paths start from. 0, or -EINVAL: the text is no file of
 * cases, err says "FILE:LINE:COLUMN: what; remedy"; cases before that were run. -ENOMEM. */
int shk_ruletest_run(const struct shk_ruletest *t, const char *file, struct shk_str text,
		     struct shk_err *err);

#endif
