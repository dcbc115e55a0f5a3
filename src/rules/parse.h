/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - what the loader needs of the parser beside ast.h (private to src/rules).
 */
#ifndef SHK_RULES_PARSE_H
#define SHK_RULES_PARSE_H

#include "rules/ast.h"

/* Levels of nodes, 1 for a leaf. For trees straight from shk_ast_parse, whose height is bounded. */
unsigned shk_ast_height(const struct shk_ast *e);

#endif
