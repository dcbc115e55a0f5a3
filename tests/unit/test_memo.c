// SPDX-License-Identifier: Apache-2.0
/* A memo of earlier events makes no difference to what matches, whatever the events are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rules/ast.h"
#include "rules/memo.h"

#define RULES  19
#define WORDS  5
#define EVENTS 6000

struct world {
	struct shk_arena load, scratch;
	struct shk_event ev;
	struct shk_memo *memo;
	uint64_t seed;
	char path[2][4096];
	char word[2 * WORDS][64];
	char *vec[2][WORDS + 1]; /* argv, envp */
	char beyond[8192]; /* vectors are read some at a time */
};

static const char *const conditions[RULES] = {
	"evt.type in (open, openat) and evt.is_open_write = true and evt.arg.name startswith /etc/",
	"evt.arg.name in (/etc/passwd, /etc/shadow) and evt.is_open_read = true",
	"evt.arg.name contains id_rsa or evt.arg.name endswith .key",
	"evt.arg.name glob \"/proc/*/environ\" and not evt.arg.flags contains O_CREAT",
	"evt.arg.name regex \"^/home/[a-z]+/[.]ssh/.*\"",
	"fd.directory in (/etc, /root) and evt.rawres >= 0",
	"fd.filename in (passwd, environ) or fd.directory startswith /home",
	"evt.type = rename and evt.arg.oldpath startswith /etc and evt.arg.newpath endswith .bak",
	"evt.arg.newpath contains etc or evt.arg.path pmatch (/var/lib, /etc)",
	"evt.arg.name icontains SHADOW and evt.rawres < 0",
	"evt.arg.name != /etc/passwd and evt.arg.name startswith /etc/pass",
	"evt.type = unlink and (evt.arg.path startswith /tmp or evt.arg.path endswith ~)",
	"evt.arg.name in (/tmp/a, /tmp/b, /etc/hosts) and evt.arg.mode exists",
	"basename(evt.arg.name) = passwd",
	"evt.arg.name glob \"*../*\" and evt.arg.name startswith /",
	"evt.rawres = -2 and evt.arg.name exists",
	"evt.type = execve and (proc.env contains two or proc.env icontains ld_preload)",
	"proc.env contains \"B=\" or proc.env endswith x or proc.cmdline contains \"-c\"",
	"evt.type = execve and (proc.args startswith \"B\" or proc.args contains \"A=\xef\xbf\xbd\") and proc.env exists",
};

/* The events' memory is this process's. */
static ssize_t read_own(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	(void)ev;
	memcpy(buf, (const void *)(uintptr_t)addr, n);
	return (ssize_t)n;
}

static const struct shk_mem_ops own_memory = { .read = read_own };

static uint64_t draw(struct world *w, uint64_t n)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (w->seed >> 16) % n;
}

/* Known ones, new ones, long ones, and such as differ in few bytes somewhere in the middle. */
static void draw_path(struct world *w, char *out, size_t size)
{
	static const char *const dirs[] = { "/etc", "/root", "/tmp", "/proc/12", "/home/ann/.ssh", "/var/lib/x",
					    "/home/../etc", "", "/tmp/\n" };
	static const char *const names[] = { "passwd", "shadow", "hosts", "environ", "id_rsa", "a", "b", "x.key",
					     "passwd.bak", "Shadow~" };
	const char *dir = dirs[draw(w, SHK_ARRAY_SIZE(dirs))], *name = names[draw(w, SHK_ARRAY_SIZE(names))];
	unsigned fill = (unsigned)draw(w, 3500);

	switch (draw(w, 8)) {
	case 0: /* new */
		snprintf(out, size, "%s/%llx/%s", dir, (unsigned long long)draw(w, UINT64_MAX), name);
		break;
	case 1:
		snprintf(out, size, "%s/%0*d/%s", dir, (int)fill, 7, name);
		break;
	case 2:
		snprintf(out, size, "/etc/abcdefghijk%02xlmnopqrstuvwxyz/passwd", (unsigned)draw(w, 200));
		break;
	default:
		snprintf(out, size, "%s/%s", dir, name);
	}
}

/* Arguments and environment: the same ones again and again, some of which are not clean, and new ones. */
static void draw_program(struct world *w)
{
	static const char *const words[] = { "A=\n", "B=two", "LD_PRELOAD=\x01x", "-c", "C=\xff\xc3\xa4", "", "B=x" };

	for (unsigned i = 0; i < 2; i++) {
		unsigned n = (unsigned)draw(w, WORDS);

		for (unsigned k = 0; k < n; k++) {
			char *word = w->word[i * WORDS + k];

			if (draw(w, 20))
				snprintf(word, sizeof(*w->word), "%s", words[draw(w, SHK_ARRAY_SIZE(words))]);
			else
				snprintf(word, sizeof(*w->word), "N=%llx", (unsigned long long)draw(w, UINT64_MAX));
			w->vec[i][k] = word;
		}
		w->vec[i][n] = NULL;
		w->ev.raw[1 + i] = (uintptr_t)w->vec[i];
	}
	w->ev.tid = getpid();
}

static void draw_event(struct world *w)
{
	static const char *const calls[] = { "open", "openat", "open", "openat", "creat", "unlink", "rename", "chmod", "execve" };
	static const uint64_t flags[] = { O_RDONLY, O_WRONLY | O_CREAT, O_RDWR, O_RDONLY | O_CLOEXEC };
	const struct shk_syscall *s = shk_syscall_by_name(shk_str(calls[draw(w, SHK_ARRAY_SIZE(calls))]));
	unsigned n = 0;

	shk_arena_reset(&w->scratch);
	shk_event_init(&w->ev, &w->scratch);
	w->ev.num = 1;
	w->ev.call = s;
	w->ev.abi = SHK_ABI_X86_64;
	w->ev.nr = s->nr[SHK_ABI_X86_64];
	w->ev.mem = &own_memory;
	w->ev.has_ret = true;
	w->ev.ret = draw(w, 4) ? 4 : -2;
	for (unsigned i = 0; i < s->nargs; i++) {
		w->ev.raw[i] = i < 2 ? (uint32_t)AT_FDCWD : 0644;
		if (s->arg[i].kind == SHK_ARG_PATH && n < 2) {
			draw_path(w, w->path[n], sizeof(w->path[n]));
			w->ev.raw[i] = (uintptr_t)w->path[n++];
		}
	}
	if (s->id == SHK_CALL_execve) {
		draw_program(w);
		return;
	}
	w->ev.raw[s->arg[0].kind == SHK_ARG_PATH ? 1 : 2] =
		n == 2 ? (uintptr_t)w->path[1] : flags[draw(w, SHK_ARRAY_SIZE(flags))];
}

static struct shk_ruleset *set_of(struct world *w, const char *const *text, size_t n)
{
	const struct shk_rule_def *p[RULES];
	struct shk_rule_def def[RULES];
	struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct shk_ast *e = NULL;
		unsigned pos;

		if (shk_ast_parse(&w->load, shk_str(text[i]), &e, &pos, &err) < 0 ||
		    shk_ast_type(&w->load, e, &pos, &err) < 0)
			fail_msg("%s: %s", text[i], err.text);
		def[i] = (struct shk_rule_def){ .name = SHK_STR("rule"), .desc = SHK_STR("d"),
						.source = SHK_STR("syscall"),
						.output_text = SHK_STR("%evt.type"), .cond = e };
		p[i] = &def[i];
	}
	if (shk_ruleset_build(p, n, &rs, &err) < 0)
		fail_msg("%s", err.text);
	return rs;
}

static void evaluate(struct world *w, const struct shk_ruleset *rs, struct shk_memo *memo, bool first,
		     struct shk_matches *m)
{
	static const uint64_t must[1] = { 0x8421 };
	struct shk_eval_ctx ctx = { .ev = &w->ev, .memo = memo };

	shk_ruleset_eval(rs, &ctx, first ? must : NULL, first, m);
	assert_false(w->scratch.failed);
}

/* The answer with the memo, having compared it with the one without. */
static void same(struct world *w, const struct shk_ruleset *rs, struct shk_matches *m)
{
	bool first = draw(w, 2);
	struct shk_matches plain;

	evaluate(w, rs, NULL, first, &plain);
	evaluate(w, rs, w->memo, first, m);
	if (m->n != plain.n || memcmp(m->rule, plain.rule, m->n * sizeof(m->rule[0])) != 0)
		fail_msg("%s %s: %u and %u rules", w->ev.call->name, w->path[0], m->n, plain.n);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->seed = 88172645463325252u;
	shk_arena_init(&w->load, (size_t)16 << 20);
	shk_arena_init(&w->scratch, (size_t)1 << 20);
	w->memo = shk_memo_new();
	assert_non_null(w->memo);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	shk_memo_free(w->memo);
	shk_arena_done(&w->load);
	shk_arena_done(&w->scratch);
	free(w);
	return 0;
}

static void test_stream(void **state)
{
	struct world *w = *state;
	struct shk_ruleset *rs = set_of(w, conditions, RULES);
	uint32_t values = 0, forgotten = 0, seen[RULES] = { 0 };
	struct shk_matches m;

	for (unsigned i = 0; i < EVENTS; i++) {
		draw_event(w);
		same(w, rs, &m);
		if (draw(w, 2)) /* a long text is kept when it comes again */
			same(w, rs, &m);
		for (unsigned k = 0; k < m.n; k++)
			seen[m.rule[k]]++;
		forgotten += w->memo->values.n < values;
		values = w->memo->values.n;
		assert_true(values <= SHK_MEMO_VALUES / 4);
		assert_true(w->memo->n_node <= SHK_MEMO_NODES);
	}
	/* Something was compared: each rule matched, events were recognised, and room ran out. */
	for (unsigned k = 0; k < RULES; k++)
		if (!seen[k])
			fail_msg("rule %u never matched", k);
	assert_true(w->memo->n_node > RULES);
	assert_true(w->memo->n_node < EVENTS);
	assert_true(forgotten);
	shk_ruleset_unref(rs);
}

/* A text is kept at once if it is short, else when it comes a second time. */
static void test_long_texts(void **state)
{
	struct world *w = *state;
	const char *text = "evt.arg.name contains x";
	struct shk_ruleset *rs = set_of(w, &text, 1);
	struct shk_matches m;

	for (size_t n = 1; n < 3 * SHK_MEMO_LONG; n++) {
		uint32_t before[3];

		draw_event(w);
		w->ev.call = shk_syscall_by_name(SHK_STR("open"));
		w->ev.raw[0] = (uintptr_t)w->path[0];
		memset(w->path[0], 'a', n);
		w->path[0][0] = '/'; /* others are shown with the working directory */
		strcpy(w->path[0] + n, n % 2 ? "x" : "y");
		for (unsigned i = 0; i < 3; i++) {
			before[i] = w->memo->values.n;
			evaluate(w, rs, w->memo, false, &m);
			assert_int_equal(m.n, n % 2);
		}
		if (n + 1 < SHK_MEMO_LONG)
			assert_true(before[1] > before[0] && before[2] == before[1]);
		else
			assert_true(before[1] == before[0] && before[2] > before[1]);
		assert_int_equal(w->memo->values.n, before[2]);
	}
	shk_ruleset_unref(rs);
}

/* Sets take turns, also at the same address: what was learnt of another one says nothing. */
static void test_sets(void **state)
{
	struct world *w = *state;
	struct shk_matches m;

	for (unsigned i = 0; i < 60; i++) {
		unsigned from = (unsigned)draw(w, RULES - 4);
		struct shk_ruleset *rs = set_of(w, conditions + from, 4);

		for (unsigned k = 0; k < 40; k++) {
			draw_event(w);
			same(w, rs, &m);
		}
		assert_true(w->memo->serial == rs->serial);
		shk_ruleset_unref(rs);
		shk_arena_reset(&w->load);
	}
}

/* What a regex gave up on is not known the next time: it is counted each time. */
static void test_gave_up(void **state)
{
	struct world *w = *state;
	const char *text = "evt.arg.name regex \"(a|a|aa)*b\"";
	struct shk_ruleset *rs = set_of(w, &text, 1);
	struct shk_matches m;

	draw_event(w);
	w->ev.call = shk_syscall_by_name(SHK_STR("open"));
	w->ev.raw[0] = (uintptr_t)w->path[0];
	memset(w->path[0], 'a', 2000);
	strcpy(w->path[0] + 2000, "bc");
	for (unsigned i = 0; i < 3; i++) {
		evaluate(w, rs, w->memo, false, &m);
		assert_int_equal(m.n, 0);
		assert_int_equal(shk_ruleset_regex_limits(rs), i + 1);
	}
	shk_ruleset_unref(rs);
}

/* An event there was no memory for is not remembered as one that matches nothing. */
static void test_no_memory(void **state)
{
	struct world *w = *state;
	struct shk_ruleset *rs = set_of(w, conditions, RULES);
	struct shk_matches m;
	unsigned failures = 0;

	for (unsigned i = 0; i < 6000; i++) {
		struct shk_eval_ctx ctx = { .ev = &w->ev, .memo = w->memo };

		draw_event(w);
		w->scratch.cap = draw(w, i % 2 ? 6000 : 30000);
		shk_ruleset_eval(rs, &ctx, NULL, false, &m);
		failures += w->scratch.failed;
		w->scratch.cap = (size_t)1 << 20;
		shk_arena_reset(&w->scratch);
		memset(w->ev.arg, 0, sizeof(w->ev.arg));
		same(w, rs, &m);
	}
	assert_true(failures);
	assert_true(failures < 6000);
	shk_ruleset_unref(rs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gave_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
