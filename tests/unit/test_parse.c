// SPDX-License-Identifier: Apache-2.0
/* Conditions: what parses, into which tree (seen through the canonical text), and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "rules/ast.h"

static const struct {
	const char *text, *print;
} good[] = {
	/* checks and values */
	{ "evt.type=open", "evt.type = open" },
	{ "  evt.type =\topen\n", "evt.type = open" },
	{ "evt.type==open", "evt.type == open" },
	{ "fd.name != /tmp", "fd.name != /tmp" },
	{ "a.b=c", "a.b = c" },
	{ "evt.res=<NA>", "evt.res = <NA>" },
	{ "a.b = O_CREAT|O_RDWR", "a.b = O_CREAT|O_RDWR" },
	{ "a.b = !x*[y]?", "a.b = !x*[y]?" },
	{ "a.b = \\d", "a.b = \"\\\\d\"" },
	{ "proc.pname exists", "proc.pname exists" },
	{ "proc.aname[2]=x", "proc.aname[2] = x" },
	{ "proc.env['A B'] = x", "proc.env[A B] = x" },
	{ "evt.arg.name contains x", "evt.arg.name contains x" },
	{ "fd.num>=0", "fd.num >= 0" },
	{ "fd.num > -1", "fd.num > -1" },
	{ "fd.num < 0x1F", "fd.num < 0x1F" },
	{ "fd.num <= 1.5e+3", "fd.num <= 1.5e+3" },
	{ "fd.num>0and x", "(fd.num > 0 and x)" },
	/* quoted strings */
	{ "a.b = \"\"", "a.b = " },
	{ "a.b = 'it'", "a.b = it" },
	{ "a.b = \"x y\"", "a.b = \"x y\"" },
	{ "a.b = 'x\"y'", "a.b = \"x\\\"y\"" },
	{ "a.b = \"a\\\\\"", "a.b = \"a\\\\\"" },
	{ "a.b = \"\\ \"", "a.b = \"\\\\\"" },
	{ "a.b = '\\'\\n\\/'", "a.b = \"'\\n/\"" },
	{ "a.b = \"\\x41\\x1b\"", "a.b = \"A\\x1b\"" },
	{ "a.b = \"a,b(c)\"", "a.b = a,b(c)" },
	/* word operators */
	{ "a.b startswith /x", "a.b startswith /x" },
	{ "a.b\nendswith\n/x", "a.b endswith /x" },
	{ "a.b iglob *X*", "a.b iglob *X*" },
	{ "a.b regex \"^x$\"", "a.b regex ^x$" },
	{ "a.b bcontains cafe", "a.b bcontains cafe" },
	{ "a.b existsor x", "(a.b exists or x)" },
	/* lists */
	{ "a.b in (x)", "a.b in (x)" },
	{ "a.b in(x,y , \"z w\" )", "a.b in (x, y, \"z w\")" },
	{ "a.b in ( )", "a.b in ()" },
	{ "a.b in x", "a.b in (x)" },
	{ "a.b intersects (x)", "a.b intersects (x)" },
	{ "a.b pmatch (/etc, /usr)", "a.b pmatch (/etc, /usr)" },
	/* modifiers */
	{ "a.b startswith anyof (/x,/y)", "a.b startswith anyof (/x, /y)" },
	{ "a.b = oneof (x)", "a.b = oneof (x)" },
	{ "a.b != allof names", "a.b != allof (names)" },
	{ "a.b startswith anyof", "a.b startswith anyof" },
	{ "a.b = anyof or c", "(a.b = anyof or c)" },
	{ "a.b =anyof", "a.b = anyof" },
	/* transformers */
	{ "tolower(a.b) = x", "tolower(a.b) = x" },
	{ "a.b = val(c.d[1])", "a.b = val(c.d[1])" },
	{ "a.b in val( c.d )", "a.b in val(c.d)" },
	{ "a.b in tolower(c.d)", "a.b in tolower(c.d)" },
	{ "len(a.b) > len(c.d)", "len(a.b) > len(c.d)" },
	{ "concat( a.b , \"x y\",1) = z", "concat(a.b,x y,1) = z" },
	{ "join(\"-\", (a.b, tolower(c.d))) = x", "join(-,(a.b,tolower(c.d))) = x" },
	{ "getopt(a.b, \"l:\")[l] = x", "getopt(a.b,l:)[l] = x" },
	/* structure */
	{ "x", "x" },
	{ "((x))", "x" },
	{ "not x", "not x" },
	{ "not not x", "x" },
	{ "not not not x", "not x" },
	{ "not(x)", "not x" },
	{ "not (a.b=1 or x)", "not (a.b = 1 or x)" },
	{ "notx", "notx" },
	{ "order and andy", "(order and andy)" },
	{ "x and y or z", "((x and y) or z)" },
	{ "x or y and z", "(x or (y and z))" },
	{ "x or (y) and z", "(x or (y and z))" },
	{ "x and y and z", "(x and y and z)" },
	{ "x and (y and z)", "(x and (y and z))" },
	{ "(x and y) and z", "((x and y) and z)" },
	{ "x and(y or z)", "(x and (y or z))" },
	{ "x or(y)or z", "(x or y or z)" },
	{ "not x and not(y) or z", "((not x and not y) or z)" },
	{ "AND and x", "(AND and x)" },
};

static const struct {
	const char *text;
	unsigned pos;
	const char *says;
} bad[] = {
	{ "", 0, "empty" },
	{ " \n ", 3, "empty" },
	{ "x or(y) and z", 8, "'and' or 'or' expected before 'and'" },
	{ "x and", 5, "blank" },
	{ "x and ", 6, "expected here" },
	{ "x andy", 5, "blank" },
	{ "and x", 0, "before 'and'" },
	{ "x and or y", 6, "before 'or'" },
	{ "(x", 0, "never closed" },
	{ "x)", 1, "closes nothing" },
	{ "(x y)", 3, "')', 'and' or 'or'" },
	{ "name = x", 5, "is no field" },
	{ "a.b", 3, "operator must follow" },
	{ "a.b contains", 4, "must follow 'contains'" },
	{ "a.b = ", 6, "value must follow =" },
	{ "a.b = x y", 8, "before 'y'" },
	{ "a.b = x=y", 7, "quote values" },
	{ "a.b contians x", 4, "did you mean 'contains'" },
	{ "a.b contains(x)", 4, "must follow 'contains'" },
	{ "a.b startswith (a)", 15, "value must follow" },
	{ "a.b =anyof (x)", 11, "expected here" },
	{ "a.b > x", 6, "number" },
	{ "a.b > \"5\"", 6, "number" },
	{ "a.b > 5s", 7, "before 's'" },
	{ "a.b in (x,)", 10, "value of the list" },
	{ "a.b in (,x)", 8, "value of the list" },
	{ "a.b in (x y)", 10, "',' or ')'" },
	{ "a.b in (tolower(c.d))", 15, "',' or ')'" },
	{ "a.b in /x", 7, "parentheses" },
	{ "a.b = \"x", 6, "never closed" },
	{ "a.b = \"x\\\"", 6, "never closed" },
	{ "a.b = \"\\d\"", 7, "escape" },
	{ "a.b = \"\\'\"", 7, "escape" },
	{ "a.b = \"x\"y", 9, "before 'y'" },
	{ "a.b[ 1] = x", 4, "argument must follow" },
	{ "a.b[1 ] = x", 5, "']'" },
	{ "tolower (a.b) = x", 8, "is no field" },
	{ "tolower(x) = y", 8, "a field" },
	{ "tolower(a.b)[1] = y", 15, "getopt" },
	{ "val(a.b) = y", 3, "is no field" },
	{ "a.b = val(c.d,e.f)", 18, "one field" },
};

static int parse(struct shk_arena *a, const char *text, struct shk_ast **e, unsigned *pos,
		 struct shk_err *err)
{
	return shk_ast_parse(a, shk_str(text), e, pos, err);
}

static void accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(good); i++) {
		struct shk_arena a;
		struct shk_buf out;
		struct shk_ast *e;
		struct shk_err err = { 0 };
		unsigned pos;
		int r;

		shk_arena_init(&a, 1u << 20);
		shk_buf_init(&out, 4096);
		r = parse(&a, good[i].text, &e, &pos, &err);
		if (r < 0)
			fail_msg("\"%s\" at %u: %s", good[i].text, pos, err.text);
		shk_ast_print(e, &out);
		assert_string_equal(out.p, good[i].print);
		assert_true(e->end > e->pos && e->end <= strlen(good[i].text));
		shk_buf_done(&out);
		shk_arena_done(&a);
	}
}

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		struct shk_arena a;
		struct shk_ast *e;
		struct shk_err err = { 0 };
		unsigned pos = 9999;

		shk_arena_init(&a, 1u << 20);
		if (parse(&a, bad[i].text, &e, &pos, &err) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i].text);
		if (pos != bad[i].pos || !strstr(err.text, bad[i].says))
			fail_msg("\"%s\": at %u: %s", bad[i].text, pos, err.text);
		shk_arena_done(&a);
	}
}

/* Depth and length are bounded: nothing overflows the stack, and just below the bound all is well. */
static void bounded(void **state)
{
	enum { MANY = 100000 };
	_cleanup_free_ char *text = malloc(3 * MANY);
	struct shk_arena a;
	struct shk_ast *e;
	struct shk_err err;
	unsigned pos;

	(void)state;
	assert_non_null(text);
	shk_arena_init(&a, 64u << 20);
	memset(text, '(', MANY);
	text[MANY] = '\0';
	assert_int_equal(parse(&a, text, &e, &pos, &err), -EINVAL);
	assert_non_null(strstr(err.text, "levels deep"));
	for (int i = 0; i < MANY; i++)
		memcpy(text + 4 * (i % (MANY / 2)), "not(", 4);
	text[MANY] = '\0';
	assert_int_equal(parse(&a, text, &e, &pos, &err), -EINVAL);
	assert_non_null(strstr(err.text, "levels deep"));

	memset(text, '(', 200);
	text[200] = 'x';
	memset(text + 201, ')', 200);
	text[401] = '\0';
	assert_int_equal(parse(&a, text, &e, &pos, &err), 0);
	assert_int_equal(e->kind, SHK_AST_MACRO);
	shk_arena_done(&a);

	/* without memory it is an error, too */
	shk_arena_init(&a, 64);
	assert_int_equal(parse(&a, "a.b in (a, b, c, d, e)", &e, &pos, &err), -ENOMEM);
	shk_arena_done(&a);
}

static void tree_shape(void **state)
{
	struct shk_arena a;
	struct shk_ast *e;
	struct shk_err err;
	unsigned pos;

	(void)state;
	shk_arena_init(&a, 1u << 20);
	assert_int_equal(parse(&a, "not x or fd.name startswith oneof (\"/a b\", c)", &e, &pos, &err),
			 0);
	assert_int_equal(e->kind, SHK_AST_OR);
	assert_int_equal(e->n, 2);
	assert_int_equal(e->child[0]->kind, SHK_AST_NOT);
	assert_true(shk_str_eqz(e->child[0]->child[0]->macro, "x"));
	e = e->child[1];
	assert_int_equal(e->kind, SHK_AST_CHECK);
	assert_int_equal(e->op, SHK_OP_STARTSWITH);
	assert_int_equal(e->mod, SHK_MOD_ONEOF);
	assert_int_equal(e->left.kind, SHK_OPERAND_FIELD);
	assert_int_equal(e->left.pos, 9);
	assert_int_equal(e->left.end, 16);
	assert_int_equal(e->right.kind, SHK_OPERAND_LIST);
	assert_int_equal(e->right.n, 2);
	assert_true(e->right.item[0].quoted && !e->right.item[1].quoted);
	assert_int_equal(e->right.item[0].pos, 35);
	assert_true(shk_str_eqz(e->right.item[0].text, "/a b"));
	shk_arena_done(&a);
}

/* Recorded conditions print back to themselves. The canonical text leaves parentheses and the empty
 * string bare, so the few conditions with such values do not parse again. */
static void recorded(void **state)
{
	const char *dir = getenv("SHRIKE_TEST_DATA");
	_cleanup_buf_ struct shk_buf file;
	char path[4096];
	struct shk_err err;
	unsigned done = 0, bare = 0;

	(void)state;
	shk_buf_init(&file, 16u << 20);
	if (!dir) {
		print_message("SHRIKE_TEST_DATA is not set: recorded conditions not compared\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/falco-oracle/compiled-rules.jsonl", dir);
	assert_int_equal(shk_read_file(path, &file, &err), 0);
	for (char *save = NULL, *line = strtok_r(file.p, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct json_object *o = json_tokener_parse(line), *v;
		struct shk_arena a;
		struct shk_buf out;
		struct shk_ast *e;
		const char *text;
		unsigned pos;

		assert_non_null(o);
		assert_true(json_object_object_get_ex(o, "condition_compiled", &v));
		text = json_object_get_string(v);
		shk_arena_init(&a, 16u << 20);
		shk_buf_init(&out, 1u << 20);
		if (strstr(text, ", (systemd),") || strstr(text, "N/A, )") ||
		    strstr(text, " =  or") || strstr(text, " = )")) {
			bare++;
		} else {
			if (parse(&a, text, &e, &pos, &err) < 0)
				fail_msg("at %u: %s in %s", pos, err.text, text);
			shk_ast_print(e, &out);
			assert_string_equal(out.p, text);
			done++;
		}
		shk_buf_done(&out);
		shk_arena_done(&a);
		json_object_put(o);
	}
	assert_true(done >= 80 && bare < 12);
}

static void priorities(void **state)
{
	enum shk_priority p;

	(void)state;
	assert_true(shk_priority_parse(SHK_STR("INFO"), &p));
	assert_int_equal(p, SHK_PRIO_INFORMATIONAL);
	assert_true(shk_priority_parse(SHK_STR("wArning"), &p));
	assert_string_equal(shk_priority_name(p), "Warning");
	assert_false(shk_priority_parse(SHK_STR("warn"), &p));
	assert_false(shk_priority_parse(SHK_STR(""), &p));
	assert_string_equal(shk_op_name(SHK_OP_PMATCH), "pmatch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),   cmocka_unit_test(refused),
		cmocka_unit_test(bounded),    cmocka_unit_test(tree_shape),
		cmocka_unit_test(recorded),   cmocka_unit_test(priorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
