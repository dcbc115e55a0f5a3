/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regfilter.h - partial evaluation on registers: leaves (private to src/rules).
 */
#ifndef SHK_RULES_REGFILTER_H
#define SHK_RULES_REGFILTER_H

#include "rules/program.h"

/* Registers for which test t can be true (negate: false) on call id; at least those. *out is zeroed. */
void shk_reg_leaf(const struct shk_ruleset *rs, enum shk_call_id id, const struct shk_test *t,
		  bool negate, struct shk_reg_filter *out);

#endif
