/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields.c - lookup of fields by text, and how values print.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

/* ---- lookup ---- */

static void test_rows(void **state)
{
	size_t n;
	const struct shk_field *const *all = shk_fields_all(&n);

	(void)state;
	assert_true(n > 50);
	for (size_t i = 0; i < n; i++) {
		struct shk_field_ref ref;
		struct shk_str text = shk_str(all[i]->name);
		int r = shk_field_parse(text, &ref, NULL);

		assert_non_null(all[i]->get);
		assert_non_null(all[i]->falco_type);
		assert_true(strlen(all[i]->doc) > 5);
		if (all[i]->flags & SHK_F_MULTI)
			assert_non_null(all[i]->multi);
		if (all[i]->flags & SHK_F_ARG_REQUIRED)
			assert_int_equal(r, -EINVAL);
		else
			assert_int_equal(r, 0);
		/* Names are unique: the row found is the row listed. */
		if (r == 0)
			assert_ptr_equal(ref.field, all[i]);
	}
}

static int parse(const char *text)
{
	struct shk_field_ref ref;

	return shk_field_parse(shk_str(text), &ref, NULL);
}

static void test_parse(void **state)
{
	struct shk_field_ref ref;
	struct shk_err err;

	(void)state;
	assert_int_equal(parse("evt.type"), 0);
	assert_int_equal(parse("evt.typefoo"), -ENOENT);
	assert_int_equal(parse("evt.type[1]"), -ENOENT);
	assert_int_equal(parse(""), -ENOENT);
	assert_int_equal(parse("evt.arg"), -EINVAL);
	assert_int_equal(parse("evt.arg."), -ENOENT);
	assert_int_equal(parse("evt.arg[name]"), -ENOENT);
	assert_int_equal(parse("evt.arg[-1]"), -ENOENT);
	assert_int_equal(parse("evt.rawarg[0]"), -ENOENT);
	assert_int_equal(parse("evt.arg.nosuch"), -EINVAL);
	assert_int_equal(parse("container.mount.dest[/proc*]"), 0);
	assert_int_equal(parse("container.mount.dest[/proc *]"), -ENOENT);
	assert_int_equal(parse("container.mount.dest[]"), -ENOENT);
	assert_int_equal(parse("container.mount.dest[/x"), -ENOENT);

	assert_int_equal(shk_field_parse(SHK_STR("evt.arg[3]"), &ref, NULL), 0);
	assert_true(ref.has_arg);
	assert_int_equal(ref.index, 3);
	assert_null(ref.key.p);
	assert_int_equal(shk_field_parse(SHK_STR("container.annotation['a b']"), &ref, NULL), 0);
	assert_true(shk_str_eqz(ref.key, "a b"));
	assert_int_equal(shk_field_parse(SHK_STR("evt.rawarg.mode"), &ref, NULL), 0);
	assert_int_equal(ref.type, SHK_T_UINT64);
	assert_int_equal(shk_field_parse(SHK_STR("evt.rawarg.fd"), &ref, NULL), 0);
	assert_int_equal(ref.type, SHK_T_INT64);

	/* What decides the order of tests: registers before memory before /proc. */
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.request"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_STABLE);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.domain"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_STABLE);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.flags"), &ref, NULL), 0);
	assert_int_equal(ref.field->flags & (SHK_F_STABLE | SHK_F_COSTLY), 0);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.path"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_COSTLY);

	assert_int_equal(shk_field_parse(SHK_STR("container.nam"), &ref, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'container.name'"));
}

static size_t prefix(const char *text)
{
	struct shk_field_ref ref;

	return shk_field_parse_prefix(shk_str(text), &ref);
}

static void test_prefix(void **state)
{
	(void)state;
	assert_int_equal(prefix("evt.type rest"), strlen("evt.type"));
	assert_int_equal(prefix("evt.typefoo"), strlen("evt.type"));
	assert_int_equal(prefix("evt.type."), strlen("evt.type"));
	assert_int_equal(prefix("evt.type[2]"), strlen("evt.type"));
	assert_int_equal(prefix("evt.arg.flags)"), strlen("evt.arg.flags"));
	assert_int_equal(prefix("evt.arg[1])"), strlen("evt.arg[1]"));
	assert_int_equal(prefix("evt.args"), strlen("evt.args"));
	assert_int_equal(prefix("container.annotation[x/y]z"), strlen("container.annotation[x/y]"));
	assert_int_equal(prefix("nothing"), 0);
	assert_int_equal(prefix(""), 0);
	assert_int_equal(prefix("%"), 0);
}

/* The list of fields that published rule files use: name, class, type, counts, ... and in column 9
 * the bracketed arguments seen, as "[2]:43 [/etc]:1". */
static void test_published(void **state)
{
	const char *dir = getenv("SHRIKE_TEST_DATA");
	char path[PATH_MAX], line[8192];
	unsigned fields = 0, args = 0;
	FILE *f;

	(void)state;
	if (!dir) {
		print_message("skipped: SHRIKE_TEST_DATA names no directory with falco-language/fields.tsv\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/falco-language/fields.tsv", dir);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && strncmp(line, "# Part 2", 8)) {
		char *rest = line, *name = strsep(&rest, "\t"), *col = NULL;

		if (line[0] == '#' || !rest || !strcmp(name, "field"))
			continue;
		for (unsigned i = 1; i < 9 && rest; i++)
			col = strsep(&rest, "\t");
		fields++;
		for (char *one; (one = strsep(&col, " "));) {
			char text[512], *end = strrchr(one, ':');

			if (one[0] != '[' || !end)
				continue;
			*end = 0;
			snprintf(text, sizeof(text), "%s%s", name, one);
			if (parse(text) < 0)
				fail_msg("%s is not known", text);
			args++;
		}
		if (parse(name) == -ENOENT)
			fail_msg("%s is not known", name);
	}
	fclose(f);
	assert_true(fields > 80);
	assert_true(args > 15);
}

/* Every name of the language is known, with the language's type: lines "name<TAB>type". */
static void test_language(void **state)
{
	size_t n;
	const struct shk_field *const *all = shk_fields_all(&n);
	char line[256];
	unsigned seen = 0;
	FILE *f = fopen(SHK_SRCDIR "/tests/data/falco-fields.tsv", "re");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *type = line, *name = strsep(&type, "\t");
		struct shk_field_ref ref = { 0 };

		if (line[0] == '#')
			continue;
		assert_non_null(type);
		type[strcspn(type, "\n")] = 0;
		for (size_t i = 0; i < n && !ref.field; i++)
			if (!strcmp(all[i]->name, name))
				ref.field = all[i];
		if (!ref.field && shk_field_parse(shk_str(name), &ref, NULL) < 0)
			fail_msg("%s is not known", name);
		if (strcmp(ref.field->falco_type, type) != 0)
			fail_msg("%s is %s, not %s", name, ref.field->falco_type, type);
		seen++;
	}
	fclose(f);
	assert_true(seen > 290);
}

/* What is printed of a row beside its name. */
static void test_words(void **state)
{
	static const struct { const char *name, *argument, *available; } want[] = {
		{ "proc.name", "", "yes" },
		{ "proc.aname", "([index])", "yes" },
		{ "proc.env", "([key])", "yes" },
		{ "proc.aenv", "([index] or [key])", "yes" },
		{ "container.mount", "[index] or [key]", "yes" },
		{ "evt.arg", ".name or [index]", "yes" },
		{ "evt.rawarg", ".name", "yes" },
		{ "evt.abspath", "(.name)", "yes" },
		{ "k8s.pod.label", "[key]", "yes" },
		{ "fd.is_upper_layer", "", "yes" },
		{ "k8s.rc.label", "[key]", "no" },
	};
	size_t n;
	const struct shk_field *const *all = shk_fields_all(&n);

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(want); i++) {
		size_t k = 0;

		while (k < n && strcmp(all[k]->name, want[i].name) != 0)
			k++;
		assert_true(k < n);
		assert_string_equal(shk_field_argument(all[k]), want[i].argument);
		assert_string_equal(shk_availability_name(shk_field_availability(all[k])),
				    want[i].available);
	}
	for (size_t i = 0; i < n; i++)
		assert_true(strlen(shk_field_origin(all[i])) > 5);
}

static void test_print(void **state)
{
	struct shk_str words[] = { SHK_STR("a"), SHK_STR("b") };
	struct shk_value v = { .type = SHK_T_LIST, .list = { .v = words, .n = 2 } };
	struct shk_field hex = { .flags = SHK_F_HEX };
	struct shk_buf b _cleanup_buf_;

	(void)state;
	shk_buf_init(&b, 256);
	shk_value_print(&v, NULL, &b);
	assert_string_equal(b.p, "(a,b)");
	shk_buf_reset(&b);
	v = (struct shk_value){ .type = SHK_T_UINT64, .u = 0xabc };
	shk_value_print(&v, &hex, &b);
	assert_string_equal(b.p, "ABC");
	shk_buf_reset(&b);
	v = (struct shk_value){ .type = SHK_T_IPADDR, .ip = { 4, { 127, 0, 0, 1 } } };
	shk_value_print(&v, NULL, &b);
	assert_string_equal(b.p, "127.0.0.1");
	assert_string_equal(shk_type_name(SHK_T_IPNET), "ipnet");
	shk_buf_reset(&b);
	v = (struct shk_value){ .type = SHK_T_DOUBLE, .u = shk_double_order(12.25) };
	shk_value_print(&v, NULL, &b);
	assert_string_equal(b.p, "12.2");
}

static void test_double(void **state)
{
	static const double up[] = { -1e300, -2.5, -1, -0.0, 1e-300, 0.5, 1, 99.9, 100, 1e300 };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(up); i++) {
		assert_true(shk_double_of(shk_double_order(up[i])) == up[i]);
		if (i)
			assert_true(shk_double_order(up[i - 1]) < shk_double_order(up[i]));
	}
	assert_true(shk_double_order(-0.0) == shk_double_order(0.0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_double),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
