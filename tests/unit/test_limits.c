// SPDX-License-Identifier: Apache-2.0
/* What is too large, too deep or no text is refused with its place, in bounded memory. Each input is loaded by a process of
 * its own, whose memory is asked for in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/load.h"

#define RULE(cond) "- rule: r\n  desc: d\n  output: o\n  priority: info\n  condition: " cond "\n"
#define MB	   ((size_t)1 << 20)

struct outcome {
	int r;
	char text[SHK_ERR_TEXT_MAX];
};

/* n times `part` between two others; @ in part is its number. */
struct input {
	const char *before, *part, *after;
	unsigned n;
	size_t cap; /* of the loader's memory; 0: as it is */
	size_t mb;  /* the process may take, beside the text */
	const char *error; /* begins so: file, line, column; NULL: none */
};

static void make(const struct input *in, struct shk_buf *text)
{
	const char *number = strchr(in->part, '@');

	shk_buf_adds(text, in->before);
	for (unsigned i = 0; i < in->n; i++) {
		if (!number) {
			shk_buf_adds(text, in->part);
			continue;
		}
		shk_buf_add(text, in->part, (size_t)(number - in->part));
		shk_buf_printf(text, "%u%s", i, number + 1);
	}
	shk_buf_adds(text, in->after);
}

static void load(const struct input *in, struct outcome *o)
{
	struct shk_loader *l = NULL;
	struct shk_buf text;
	struct shk_err err = { 0 };

	shk_buf_init(&text, 256 * MB);
	make(in, &text);
	if (text.failed || shk_loader_new(&l, &err) < 0)
		_exit(1);
	if (in->cap)
		l->a.cap = in->cap;
	o->r = shk_loader_add_text(l, "f", shk_buf_view(&text), &err);
	memcpy(o->text, err.text, sizeof(o->text));
	/* Whatever it was, the loader is of use behind it. */
	l->a.cap += MB;
	if (shk_loader_add_text(l, "g", SHK_STR("- {list: behind_it, items: [x]}\n"), &err) < 0)
		_exit(2);
	shk_loader_free(l);
	shk_buf_done(&text);
	_exit(0);
}

static void check(const struct input *in, unsigned number)
{
	struct outcome *o = mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t text = strlen(in->part) * in->n / MB * 2; /* a buffer doubles when it grows */
	struct rusage use;
	int status = 0;
	pid_t pid;

	assert_true(o != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		load(in, o);
	assert_int_equal(wait4(pid, &status, 0, &use), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("input %u: wait status %x", number, (unsigned)status);
	if (in->error && (o->r != -EINVAL || strncmp(o->text, in->error, strlen(in->error)) != 0))
		fail_msg("input %u: %s\ninstead of\n%s", number, o->text, in->error);
	if (!in->error && o->r < 0)
		fail_msg("input %u: %s", number, o->text);
#ifndef SHK_SANITIZERS
	if ((size_t)use.ru_maxrss / 1024 > in->mb + text)
		fail_msg("input %u: %ld MB, should be %zu at most", number, use.ru_maxrss / 1024, in->mb + text);
#else
	(void)text;
#endif
	munmap(o, sizeof(*o));
}

#ifdef SHK_SANITIZERS
#define MANY(n) ((n) / 10)
#else
#define MANY(n) (n)
#endif

static void bad_inputs(void **state)
{
	static const struct input in[] = {
		/* files: what is allowed, and one byte more */
		{ "", "# 3456789\n", RULE("evt.type=open"), (100u << 20) / 10, 0, 250, NULL },
		{ "", "# 345678901234567890123456789012345678901234567890123456789012\n", "", (130u << 20) / 60,
		  0, 60, "f:1:1: larger than 134217728 bytes (split the file)" },
		{ "", "- list: l@\n  items: [a]\n", "", 20000, 2 * MB, 20,
		  "f:7230:11: the rule files take more than the limit of 2 MB of memory (load fewer" },
		/* no text */
		{ "- list: l\n  items: [a, \"b\\0c\"]\n", "", "", 0, 0, 10, "f:2:14: a NUL byte inside a value" },
		{ "- list: l\n  items: [a, \x01]\n", "", "", 0, 0, 10, "f:2:14: control characters are not allowed" },
		{ "- list: l\n  items: [a, b\xc3\x28]\n", "", "", 0, 0, 10, "f:2:16: invalid trailing UTF-8 octet" },
		{ "- list: l\n  items: [a, b\xff]\n", "", "", 0, 0, 10, "f:2:15: invalid leading UTF-8 octet" },
		{ "- list: l\n  items: [\xed\xa0\x80]\n", "", "", 0, 0, 10, "f:2:11: invalid Unicode character" },
		/* nesting */
		{ "- list: l\n  items: ", "[", "", 10000, 0, 20, "f:2:40: nested too deeply" },
		{ "- list: l\n  items: ", "{a: ", "", 10000, 0, 20, "f:2:130: nested too deeply" },
		{ RULE("evt.type=open and x") "- macro: m\n  condition: ", "(", "evt.type=open\n", 10000, 0, 20,
		  "f:7:271: nested more than 256 levels deep" },
		{ "- macro: m\n  condition: ", "not(", "evt.type=open\n", 10000, 0, 20, "f:2:" },
		{ "- macro: m\n  condition: ", "not ", "evt.type=open\n", 10000, 0, 20, NULL },
		{ "- macro: m\n  condition: ", "tolower(", "proc.name\n", 10000, 0, 20, "f:2:" },
		/* aliases: a thousand leaves of a thousand */
		{ "- list: a\n  items: &a [x", ", y", "]\n- list: b\n  items: &b [*a, *a]\n", 1000, 0, 20,
		  "f:4:14: an item of a list must be" },
		{ "- list: a\n  items: &a [x]\n", "- {list: a@, items: *a}\n", "", 1001, 0, 20,
		  "f:1003:24: too many aliases (write the values out)" },
		/* length */
		{ "- rule: r\n  desc: d\n  output: o\n  priority: info\n  condition: evt.type=open", " or proc.name=abc",
		  "\n", (50u << 20) / 17, 0, 250, "f:5:14: the condition has more than 1048576 bytes" },
		{ "- rule: r\n  desc: d\n  priority: info\n  condition: evt.type=open\n  output: x", "%%%proc.name",
		  "\n", (2u << 20) / 12, 0, 40, "f:5:11: the output has more than 1048576 bytes" },
		{ RULE("evt.type=open") "  exceptions:\n  - name: x\n    fields: proc.name\n    values: [a", ", b1234567",
		  "]\n", 150000, 0, 80, "f:5:14: the condition has more than 1048576 bytes with its exceptions" },
		{ "- list: l\n  items: [a", ", 1@", "]\n" RULE("proc.name in (l)"), 1000000, 0, 300,
		  "f:1:3: the items of list 'l' have more than 1048576 bytes (split it)" },
		{ "- list: l\n  items:\n", "  - 1@\n", RULE("proc.name in (l)"), 100000, 0, 60, NULL },
		/* what leads back to itself */
		{ "- {list: l, items: [l, a]}\n" RULE("proc.name in (l)"), "", "", 0, 0, 10, NULL },
		{ "- {list: l, items: [a]}\n- {list: m, items: [l]}\n- {list: l, items: [m], override: {items: append}}\n"
		  RULE("proc.name in (l, m)"), "", "", 0, 0, 10, NULL },
		{ "- {macro: m, condition: evt.type=open or m}\n", "", "", 0, 0, 10,
		  "f:1:42: macro 'm' is defined only further down" },
		{ "- {macro: a, condition: evt.type=open}\n- {macro: b, condition: a}\n"
		  "- {macro: a, condition: or b, append: true}\n", "", "", 0, 0, 10, "f:2:25: macro 'a' refers to itself" },
		{ "- {macro: m0, condition: evt.type=open}\n- {macro: m, condition: m0 and m0}\n",
		  "- {macro: m, condition: and (m0 or m0 or proc.name=@), append: true}\n", "", 2000, 0, 200, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(in); i++) {
		struct input one = in[i];

		if (i == 0)
			one.n = MANY(100u << 20) / 10;
		check(&one, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
