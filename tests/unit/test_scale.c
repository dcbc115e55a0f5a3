// SPDX-License-Identifier: Apache-2.0
/* Very many rules, and very many files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules/load.h"

#ifdef SHK_SANITIZERS
#define RULES 8000u
#else
#define RULES 100000u
#endif
#define MB ((size_t)1 << 20)

/* ---- events: calls whose path is a text of ours ---- */

static ssize_t read_own(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	(void)ev;
	memcpy(buf, (const void *)(uintptr_t)addr, n);
	return (ssize_t)n;
}

static const struct shk_mem_ops own_memory = { .read = read_own };
static char path[8192];

static void matches(const struct shk_ruleset *rs, const char *call, struct shk_matches *m)
{
	const struct shk_syscall *s = shk_syscall_by_name(shk_str(call));
	struct shk_arena a;
	struct shk_event ev;
	struct shk_eval_ctx ctx = { .ev = &ev };

	shk_arena_init(&a, 64 * MB);
	shk_event_init(&ev, &a);
	ev.num = 1;
	ev.call = s;
	ev.abi = SHK_ABI_X86_64;
	ev.nr = s->nr[SHK_ABI_X86_64];
	ev.mem = &own_memory;
	for (unsigned i = 0; i < s->nargs; i++)
		if (s->arg[i].kind == SHK_ARG_PATH)
			ev.raw[i] = (uintptr_t)path;
	shk_ruleset_eval(rs, &ctx, NULL, false, m);
	assert_false(a.failed);
	shk_arena_done(&a);
}

/* Rule i is the one rule for /srv/app<i>/... */
static void rule(struct shk_buf *b, unsigned i, const char *type, const char *cond)
{
	shk_buf_printf(b, "- rule: Number %u\n  desc: Something happened to thing %u\n"
		       "  condition: evt.type in (%s) and (evt.arg.name startswith /srv/app%u/%s)\n"
		       "  output: Thing %u was touched (process=%%proc.name file=%%fd.name)\n  priority: WARNING\n"
		       "  tags: [team%u, container]\n", i, i, type, i, cond, i, i % 100);
}

static void different(struct shk_buf *b)
{
	static const char *const types[] = { "open", "open, openat", "unlink" };
	char cond[200];

	for (unsigned i = 0; i < RULES; i++) {
		switch (i % 5) {
		case 0:
			snprintf(cond, sizeof(cond), " or proc.name in (prog%u, tool%u)", i, i % 1000);
			break;
		case 1:
			snprintf(cond, sizeof(cond), " or fd.name startswith /data/%u/", i);
			break;
		case 2:
			snprintf(cond, sizeof(cond), " or proc.cmdline contains \"--flag=%u\"", i);
			break;
		case 3:
			snprintf(cond, sizeof(cond), " and not evt.arg.name endswith .ext%u", i);
			break;
		default:
			snprintf(cond, sizeof(cond), " and evt.arg.name != /srv/app%u/not", i);
			break;
		}
		rule(b, i, types[i % 3], cond);
	}
}

static void alike(struct shk_buf *b)
{
	for (unsigned i = 0; i < RULES; i++)
		rule(b, i, "open", "");
}

static void through_macros(struct shk_buf *b)
{
	char cond[64];

	for (unsigned i = 0; i < RULES; i++)
		shk_buf_printf(b, "- {list: list%u, items: [a%u, b%u]}\n"
			       "- {macro: macro%u, condition: evt.arg.name in (list%u)}\n", i, i, i, i, i);
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(cond, sizeof(cond), " or macro%u", i);
		rule(b, i, "open", cond);
	}
}

struct kind {
	void (*make)(struct shk_buf *b);
	size_t mb; /* that loading and compiling may take */
};

/* In a process of its own: 0 when all is well. */
static int load_and_ask(const struct kind *k)
{
	static const unsigned asked[] = { 0, 3, 65535 % RULES, 65538 % RULES / 15 * 15, RULES - RULES % 15 - 15 };
	struct shk_ruleset *rs = NULL;
	struct shk_loader *l = NULL;
	struct shk_err err = { 0 };
	struct shk_matches m;
	struct shk_buf b;

	shk_buf_init(&b, 128 * MB);
	k->make(&b);
	if (b.failed || shk_loader_new(&l, &err) < 0 || shk_loader_add_text(l, "f", shk_buf_view(&b), &err) < 0 ||
	    shk_loader_compile(l, NULL, &rs, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	shk_buf_done(&b);
	shk_loader_free(l);
	if (shk_ruleset_count(rs) != RULES)
		return 2;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(asked); i++) {
		snprintf(path, sizeof(path), "/srv/app%u/file", asked[i]);
		matches(rs, "open", &m);
		/* those for other calls do not match */
		if (k->make == different && asked[i] % 3 == 2 ? m.n : m.n != 1 || m.rule[0] != asked[i]) {
			fprintf(stderr, "%s: %u matches\n", path, m.n);
			return 3;
		}
	}
	snprintf(path, sizeof(path), "b%u", RULES - 1);
	matches(rs, "open", &m);
	if (m.n != (k->make == through_macros) || (m.n && m.rule[0] != RULES - 1))
		return 4;
	snprintf(path, sizeof(path), "/srv/app7/file");
	matches(rs, "rename", &m);
	if (m.n)
		return 5;
	shk_ruleset_unref(rs);
	return 0;
}

static void hundred_thousand(void **state)
{
	/* What shrike(1) says of memory; measured, and a quarter more. */
	static const struct kind kinds[] = { { different, 400 }, { alike, 400 }, { through_macros, 700 } };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		struct rusage use;
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			_exit(load_and_ask(&kinds[i]));
		assert_int_equal(wait4(pid, &status, 0, &use), pid);
		assert_int_equal(status, 0);
#ifndef SHK_SANITIZERS
		if ((size_t)use.ru_maxrss / 1024 > kinds[i].mb)
			fail_msg("kind %zu: %ld MB", i, use.ru_maxrss / 1024);
#endif
	}
}

/* ---- files: what comes of loading one after the other is what comes of loading all at once ---- */

struct random {
	uint64_t x;
};

static unsigned pick(struct random *r, unsigned n)
{
	r->x = r->x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(r->x >> 33) % n;
}

/* Items that redefine, append to and use each other; some of them are wrong. */
static void random_file(struct random *r, struct shk_buf *b)
{
	unsigned n = 1 + pick(r, 5);

	for (unsigned i = 0; i < n; i++) {
		unsigned a = pick(r, 6), c = pick(r, 6), x = pick(r, 30);

		switch (pick(r, 10)) {
		case 0:
			shk_buf_printf(b, "- {list: l%u, items: [w%u, l%u]}\n", a, x, c);
			break;
		case 1:
			shk_buf_printf(b, "- {list: l%u, items: [w%u, v%u], override: {items: append}}\n", a, x, c);
			break;
		case 2:
			shk_buf_printf(b, "- {list: w%u, items: ['q%u, l%u']}\n", x, x, c);
			break;
		case 3:
			shk_buf_printf(b, "- macro: m%u\n  condition: proc.name in (l%u, w%u)\n", a, c, x);
			break;
		case 4:
			shk_buf_printf(b, "- macro: m%u\n  condition: m%u and fd.num = %u\n", a, c, x);
			break;
		case 5:
			shk_buf_printf(b, "- macro: m%u\n  condition: or m%u\n  override: {condition: append}\n", a, c);
			break;
		case 6:
			shk_buf_printf(b, "- {rule: r%u, enabled: %s}\n", a, x % 2 ? "true" : "false");
			break;
		case 7:
			shk_buf_printf(b, "- rule: r%u\n  condition: and fd.name in (l%u)\n"
				       "  override: {condition: append}\n", a, c);
			break;
		default:
			shk_buf_printf(b, "- rule: r%u\n  desc: d\n  output: o %%proc.name\n  priority: info\n"
				       "  condition: %s and (m%u or proc.pname in (w%u, l%u)%s)\n", a,
				       x % 3 ? "evt.type = open" : "fd.num = 1", c, x, a,
				       x == 7 ? " and fd.num in (w7)" : "");
			if (x % 4 == 0)
				shk_buf_printf(b, "  exceptions:\n  - {name: e, fields: [fd.name], comps: [in],"
					       " values: [[[l%u, w%u]]]}\n", c, x);
			break;
		}
	}
}

/* What is said of the whole, without places, which differ; and the rules that come out. */
static void tell(struct shk_loader *l, size_t from, struct shk_buf *out)
{
	SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *rs = NULL;
	const struct shk_diag *d;
	struct shk_err err = { 0 };
	size_t n;

	d = shk_loader_last_diags(l, &n);
	for (size_t i = from; i < n; i++)
		if (strcmp(d[i].code, "LOAD_DEPRECATED_ITEM") != 0) /* of collecting */
			shk_buf_printf(out, "%s %.*s\n", d[i].code, SHK_STR_ARG(d[i].message));
	if (shk_loader_compile(l, NULL, &rs, &err) < 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < shk_ruleset_count(rs); i++) {
		shk_buf_printf(out, "%.*s: ", SHK_STR_ARG(shk_ruleset_rule(rs, i)->name));
		shk_ruleset_print_condition(rs, i, out);
		shk_buf_addc(out, '\n');
	}
}

static void compare(struct shk_loader *l, struct shk_buf *all, struct shk_buf *file, unsigned *failed)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *one = NULL;
	_cleanup_buf_ struct shk_buf x, y;
	struct shk_err err = { 0 }, err2 = { 0 };
	size_t before = all->n;
	int r = shk_loader_add_text(l, "f", shk_buf_view(file), &err), r2;

	shk_buf_init(&x, MB);
	shk_buf_init(&y, MB);
	shk_buf_adds(all, "---\n");
	shk_buf_addstr(all, shk_buf_view(file));
	assert_int_equal(shk_loader_new(&one, NULL), 0);
	r2 = shk_loader_add_text(one, "f", shk_buf_view(all), &err2);
	if (r != r2)
		fail_msg("%d %s\nat once: %d %s\n%s", r, err.text, r2, err2.text, all->p);
	if (r < 0) {
		/* the same error, in the same words */
		const char *m = strchr(err.text, ' '), *m2 = strchr(err2.text, ' ');

		assert_string_equal(m, m2);
		all->n = before; /* the file leaves nothing behind */
		++*failed;
		return;
	}
	tell(l, 0, &x);
	tell(one, 0, &y);
	if (strcmp(x.n ? x.p : "", y.n ? y.p : "") != 0)
		fail_msg("%s\n--- at once:\n%s\n--- of\n%s", x.p, y.p, all->p);
}

static void one_by_one(void **state)
{
	struct random r = { 1 };
	unsigned failed = 0, files = 0;

	(void)state;
	for (unsigned round = 0; round < (RULES == 100000u ? 200 : 30); round++) {
		SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
		_cleanup_buf_ struct shk_buf all;

		shk_buf_init(&all, MB);
		assert_int_equal(shk_loader_new(&l, NULL), 0);
		for (unsigned i = 0; i < 25; i++, files++) {
			_cleanup_buf_ struct shk_buf file;

			shk_buf_init(&file, MB);
			random_file(&r, &file);
			compare(l, &all, &file, &failed);
		}
	}
	/* both happen often */
	assert_in_range(failed, files / 10, files - files / 10);
}

/* Work is counted by what it allocates: that of the last files is that of the first ones. */
static void many_files(void **state)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	unsigned n = RULES / 50;
	size_t early = 0, late = 0;

	(void)state;
	assert_int_equal(shk_loader_new(&l, NULL), 0);
	for (unsigned f = 0; f < n; f++) {
		_cleanup_buf_ struct shk_buf b;
		struct shk_err err = { 0 };
		size_t before;

		shk_buf_init(&b, MB);
		shk_buf_printf(&b, "- {list: bins%u, items: [a%u, b%u]}\n"
			       "- {macro: team%u, condition: proc.name in (bins%u)}\n", f, f, f, f, f);
		for (unsigned i = 0; i < 50; i++) {
			char cond[64];

			snprintf(cond, sizeof(cond), " or team%u", i % 2 ? f : f / 2);
			rule(&b, f * 50 + i, "open", cond);
		}
		if (f % 10 == 9) /* what an earlier file defines is changed: its users are looked at again */
			shk_buf_printf(&b, "- {list: bins%u, items: [c], override: {items: append}}\n", f / 2);
		before = l->a.used + l->b.a.used + l->b.n_link * sizeof(*l->b.link);
		if (shk_loader_add_text(l, "f", shk_buf_view(&b), &err) < 0)
			fail_msg("%s", err.text);
		before = l->a.used + l->b.a.used + l->b.n_link * sizeof(*l->b.link) - before;
		if (f >= n / 10 && f < 2 * (n / 10))
			early += before;
		if (f >= n - n / 10)
			late += before;
	}
	assert_int_equal(shk_loader_rules(l), n * 50);
	assert_true(late < early * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(many_files),
		cmocka_unit_test(hundred_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
