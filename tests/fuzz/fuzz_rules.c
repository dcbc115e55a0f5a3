// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a rule file and as a condition: loading ends, errors have a place and a text, what was
 * accepted prints, and what is printed of an error is printable. */
#include <errno.h>
#include <stdlib.h>

#include "rules/ast.h"
#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_END '\f' /* which no YAML has */

static void condition(struct shk_str text)
{
	struct shk_arena a;
	struct shk_buf out;
	struct shk_ast *e;
	struct shk_err err = { 0 };
	unsigned pos;

	shk_arena_init(&a, 16u << 20);
	shk_buf_init(&out, 1u << 20);
	if (shk_ast_parse(&a, text, &e, &pos, &err) == 0) {
		shk_ast_print(e, &out);
		if (!out.n)
			abort();
	} else if (!err.text[0] || pos > text.n) {
		abort();
	}
	shk_buf_done(&out);
	shk_arena_done(&a);
}

static void describe(struct shk_loader *l)
{
	struct shk_arena a;

	shk_arena_init(&a, 64u << 20);
	for (size_t i = 0; i < shk_loader_rules(l); i++) {
		struct shk_rule_desc d;

		shk_arena_reset(&a);
		if (shk_loader_describe(l, i, &a, &d) < 0)
			break;
		if (!d.n_part || !d.part[0].line || !d.part[0].text.n)
			abort();
	}
	shk_arena_done(&a);
}

static void file(struct shk_str text)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	_cleanup_buf_ struct shk_buf out;
	const struct shk_diag *d;
	struct shk_err err = { 0 };
	size_t n, errors = 0;
	int r;

	shk_buf_init(&out, 1u << 20);
	if (shk_loader_new(&l, NULL) < 0)
		return;
	r = shk_loader_add_text(l, "fuzz", text, &err);
	d = shk_loader_diags(l, &n);
	for (size_t i = 0; i < n; i++) {
		errors += d[i].error;
		if (!d[i].line || !d[i].column || !d[i].message.n)
			abort();
		shk_diag_print(&d[i], &out);
	}
	for (size_t i = 0; i < out.n; i++)
		if ((unsigned char)out.p[i] < ' ' && out.p[i] != '\n')
			abort();
	if ((r == -EINVAL) != (errors > 0) || (r < 0 && !err.text[0]))
		abort();
	describe(l);
	(void)shk_loader_compile(l, NULL, &rs, &err);
}

static void print(struct shk_loader *l, struct shk_buf *out)
{
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };

	if (shk_loader_compile(l, NULL, &rs, &err) < 0)
		return;
	for (unsigned i = 0; i < shk_ruleset_count(rs); i++) {
		shk_buf_addstr(out, shk_ruleset_rule(rs, i)->name);
		shk_buf_addc(out, '=');
		shk_ruleset_print_condition(rs, i, out);
		shk_buf_addc(out, '\n');
	}
}

/* Files one after the other give the rules that those without an error give at once. */
static void files(struct shk_str text)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL, *once = NULL;
	_cleanup_buf_ struct shk_buf all, x, y;
	struct shk_err err = { 0 };

	shk_buf_init(&all, 1u << 20);
	shk_buf_init(&x, 1u << 20);
	shk_buf_init(&y, 1u << 20);
	if (shk_loader_new(&l, NULL) < 0 || shk_loader_new(&once, NULL) < 0)
		return;
	while (text.n) {
		const char *end = memchr(text.p, FILE_END, text.n);
		struct shk_str one = { text.p, end ? (size_t)(end - text.p) : text.n };

		text.p += SHK_MIN(one.n + 1, text.n);
		text.n -= SHK_MIN(one.n + 1, text.n);
		if (shk_loader_add_text(l, "fuzz", one, &err) < 0)
			continue;
		shk_buf_addstr(&all, one);
		shk_buf_adds(&all, "\n...\n");
	}
	/* Directives and the like may make one file of several no YAML. */
	if (all.failed || shk_loader_add_text(once, "fuzz", all.n ? shk_buf_view(&all) : SHK_STR(""), &err) < 0)
		return;
	print(l, &x);
	print(once, &y);
	if (x.n != y.n || (x.n && memcmp(x.p, y.p, x.n) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_str text = { size ? (const char *)data : "", size };

	if (size > 65536)
		return 0;
	if (memchr(text.p, FILE_END, text.n)) {
		files(text);
		return 0;
	}
	condition(text);
	file(text);
	return 0;
}
