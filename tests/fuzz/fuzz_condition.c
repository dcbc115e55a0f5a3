// SPDX-License-Identifier: Apache-2.0
/* Any text as a condition: the product and the naive parser of tests/differential take the same texts, and when
 * they do, their types and constants agree, too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "naive.h"
#include "rules/ast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Macros become conditions without parts, so that the rest can be typed; true: there was one. */
static bool take_names(struct nv_node *e)
{
	bool found = e->kind == NV_NAME;

	if (found)
		e->kind = NV_AND;
	for (size_t i = 0; i < e->n; i++)
		found |= take_names(e->child[i]);
	return found;
}

/* Comparisons whose constants one side may take and the other not: of patterns the naive one knows a part only. */
static bool has_pattern(const struct nv_node *e)
{
	bool found = e->kind == NV_CHECK && e->op == NV_REGEX;

	for (size_t i = 0; i < e->n; i++)
		found = found || has_pattern(e->child[i]);
	return found;
}

static void differ(struct shk_str text, const char *what, int product, int naive)
{
	fprintf(stderr, "%s: product %d, naive %d: " SHK_STR_FMT "\n", what, product, naive, SHK_STR_ARG(text));
	abort();
}

static void both(struct shk_str text, struct shk_arena *a, struct shk_arena *b)
{
	struct nv_node *n = NULL;
	struct shk_ast *e = NULL;
	struct shk_err err = { 0 };
	unsigned pos;
	int p = shk_ast_parse(a, text, &e, &pos, &err), q, t = 0;
	bool names, patterns;

	q = nv_parse(b, text, &n, &err);
	if (q == -E2BIG || p == -ENOMEM || q == -ENOMEM)
		return;
	if (p == 0 && q < 0)
		differ(text, "parse", p, q);
	if (q < 0)
		return;
	names = take_names(n);
	patterns = has_pattern(n);
	t = nv_type(b, n, &err);
	nv_done(n);
	/* Which step refuses is nobody's business. */
	if (p < 0 && t == 0)
		differ(text, "parse", p, q);
	if (p < 0 || names || patterns)
		return;
	p = shk_ast_type(a, e, &pos, &err);
	if (p != -ENOMEM && t != -ENOMEM && (p == 0) != (t == 0))
		differ(text, "types", p, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_str text = { size ? (const char *)data : "", size };
	struct shk_arena a, b;

	if (size > 16384 || memchr(text.p, 0, size)) /* a NUL ends what YAML can hold */
		return 0;
	shk_arena_init(&a, 64u << 20);
	shk_arena_init(&b, 64u << 20);
	both(text, &a, &b);
	shk_arena_done(&a);
	shk_arena_done(&b);
	return 0;
}
