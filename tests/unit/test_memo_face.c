// SPDX-License-Identifier: Apache-2.0
/*
 * Events that look alike are taken for the same, and no others: not those of another program, working directory, root,
 * or result, and not those of which a descriptor says what they mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rules/ast.h"
#include "rules/memo.h"
#include "sources/replay/replay.h"
#include "state/process.h"

#define RULES 10
#define LINES 12000

static const char *const conditions[RULES] = {
	"evt.type in (open, openat) and evt.is_open_write = true and fd.name startswith /etc/",
	"fd.name in (/etc/passwd, /srv/etc/passwd) and evt.is_open_read = true",
	"fd.name = /etc/shadow and not proc.name in (dpkg, login)",
	"evt.arg.name contains passwd and evt.rawres < 0",
	"evt.type = mkdir and evt.arg.path startswith /etc",
	"evt.type = rename and evt.arg.oldpath startswith /etc and evt.arg.newpath startswith /tmp",
	"fd.directory = /tmp and fd.filename startswith pass",
	"evt.type = chmod and evt.arg.mode contains S_ISUID and evt.arg.filename endswith d",
	"evt.type = openat and evt.arg.flags contains O_CREAT and fd.nameraw = passwd",
	"fd.name endswith shadow and proc.pname = login",
};

static uint64_t seed = 88172645463325252u;

static unsigned draw(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 16) % n);
}

#define ONE_OF(...) one_of((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static const char *one_of(const char *const *v, size_t n)
{
	return v[draw((unsigned)n)];
}

static const char *name(void)
{
	return ONE_OF("/etc/passwd", "passwd", "etc/passwd", "/etc/shadow", "shadow", "../etc/shadow", "/tmp/passwd", ".", "");
}

static void task(struct shk_buf *b, unsigned tid)
{
	shk_buf_printf(b, "process %u ppid=10 name=\"%s\" cwd=\"%s\" root=\"%s\"\n", tid, ONE_OF("sh", "sh", "dpkg", "dpkg-deb", "login"),
		       ONE_OF("/etc", "/tmp", "/"), draw(8) ? "/" : "/srv");
	shk_buf_printf(b, "fd %u 5 type=directory path=\"%s\"\n", tid, ONE_OF("/etc", "/tmp"));
}

static void event(struct shk_buf *b, unsigned tid)
{
	const char *result = ONE_OF("~ 0", "~ 0", "~ 0", "~ -2", "= 3");

	shk_buf_printf(b, "event 1.0 tid=%u ", tid);
	switch (draw(8)) {
	case 0:
		shk_buf_printf(b, "mkdir(path=\"%s\", mode=0700) %s\n", name(), result);
		break;
	case 1:
		shk_buf_printf(b, "rename(oldpath=\"%s\", newpath=\"%s\") %s\n", name(), name(), result);
		break;
	case 2:
		shk_buf_printf(b, "chmod(filename=\"%s\", mode=%s) %s\n", name(), ONE_OF("0644", "04755"), result);
		break;
	case 3:
		shk_buf_printf(b, "open(name=\"%s\", flags=%s, mode=0) %s\n", name(), ONE_OF("O_RDONLY", "O_WRONLY"), result);
		break;
	default:
		shk_buf_printf(b, "openat(dirfd=%s, name=\"%s\", flags=%s, mode=0) %s\n", draw(5) ? "AT_FDCWD" : "5", name(),
			       ONE_OF("O_RDONLY", "O_RDWR", "O_WRONLY|O_CREAT", "O_RDONLY|O_DIRECTORY"), result);
	}
}

static void make_text(struct shk_buf *b)
{
	shk_buf_adds(b, "shrike-events 1\nprocess 10 name=\"login\"\n");
	for (unsigned tid = 11; tid < 20; tid++)
		task(b, tid);
	for (unsigned i = 0; i < LINES; i++) {
		if (!draw(20))
			task(b, 11 + draw(9));
		if (!draw(200))
			shk_buf_printf(b, "process 10 name=\"%s\"\n", ONE_OF("login", "sh"));
		event(b, 11 + draw(9));
	}
	assert_false(b->failed);
}

static struct shk_ruleset *make_set(struct shk_arena *a)
{
	const struct shk_rule_def *p[RULES];
	struct shk_rule_def def[RULES];
	struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };

	for (size_t i = 0; i < RULES; i++) {
		struct shk_ast *e = NULL;
		unsigned pos;

		if (shk_ast_parse(a, shk_str(conditions[i]), &e, &pos, &err) < 0 || shk_ast_type(a, e, &pos, &err) < 0)
			fail_msg("%s: %s", conditions[i], err.text);
		def[i] = (struct shk_rule_def){ .name = SHK_STR("rule"), .desc = SHK_STR("d"), .source = SHK_STR("syscall"),
						.output_text = SHK_STR("%evt.type"), .cond = e };
		p[i] = &def[i];
	}
	if (shk_ruleset_build(p, RULES, &rs, &err) < 0)
		fail_msg("%s", err.text);
	return rs;
}

/* The event as nobody has asked it anything yet but for its arguments, as in the engine. */
static void judge(const struct shk_ruleset *rs, const struct shk_eval_ctx *as, struct shk_arena *a, struct shk_memo *memo,
		  bool by_object, struct shk_matches *m)
{
	struct shk_event ev = *as->ev;
	struct shk_eval_ctx ctx = *as;

	shk_arena_reset(a);
	ev.arena = a;
	ctx.ev = &ev;
	ctx.memo = memo;
	for (unsigned i = 0; i < ev.call->nargs; i++)
		(void)shk_event_arg(&ev, i);
	for (unsigned i = 0; by_object && i < ev.call->nargs; i++) {
		if (ev.call->arg[i].kind != SHK_ARG_PATH)
			continue;
		ctx.by_object = true;
		ctx.abs_path[i] = SHK_STR("/etc/passwd");
		ctx.abs_path_state[i] = SHK_PATH_KNOWN;
	}
	shk_ruleset_eval(rs, &ctx, NULL, false, m);
	assert_false(a->failed);
}

static void test_looks(void **state)
{
	struct shk_arena load, scratch;
	struct shk_memo *memo = shk_memo_new();
	struct shk_buf text _cleanup_buf_;
	struct shk_replay *replay = NULL;
	struct shk_err err = { 0 };
	struct shk_eval_ctx ctx;
	unsigned seen[RULES] = { 0 }, n = 0;
	struct shk_ruleset *rs;
	int r;

	(void)state;
	assert_non_null(memo);
	shk_arena_init(&load, (size_t)16 << 20);
	shk_arena_init(&scratch, (size_t)1 << 20);
	shk_buf_init(&text, (size_t)16 << 20);
	make_text(&text);
	rs = make_set(&load);
	if (shk_replay_open_text("made", shk_buf_view(&text), &replay, &err) < 0)
		fail_msg("%s", err.text);
	while ((r = shk_replay_next(replay, &ctx, &err)) > 0) {
		struct shk_matches plain, m;
		bool by_object = draw(10) == 0;

		judge(rs, &ctx, &scratch, NULL, by_object, &plain);
		judge(rs, &ctx, &scratch, memo, by_object, &m);
		if (m.n != plain.n || memcmp(m.rule, plain.rule, m.n * sizeof(m.rule[0])) != 0)
			fail_msg("line %u, %s: %u and %u rules", shk_replay_line(replay), ctx.ev->call->name, m.n, plain.n);
		for (unsigned i = 0; i < m.n; i++)
			seen[m.rule[i]]++;
		n++;
	}
	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, LINES);
	for (unsigned i = 0; i < RULES; i++)
		if (!seen[i])
			fail_msg("rule %u never matched", i);
	/* Faces were kept, and met again. */
	assert_true(memo->faces.ring && memo->faces.head > SHK_MEMO_RING);
	assert_int_equal(memo->faces.luck[SHK_CALL_openat].luck, 0);
	assert_true(memo->faces.of_program);
	shk_replay_free(replay);
	shk_ruleset_unref(rs);
	shk_memo_free(memo);
	shk_arena_done(&load);
	shk_arena_done(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
