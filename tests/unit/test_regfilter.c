// SPDX-License-Identifier: Apache-2.0
/* The register filter says no only where the condition is false, whatever lies in memory; and it does say
 * no where registers decide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>

#include "rules/ast.h"

#define ROUNDS 400

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Memory: one text everywhere, or none. */
static ssize_t read_text(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	const char *text = ev->mem_ctx;

	(void)addr;
	if (!text)
		return -EFAULT;
	memset(buf, 0, n);
	memcpy(buf, text, SHK_MIN(n, strlen(text)));
	return (ssize_t)n;
}

static const struct shk_mem_ops memory = { .read = read_text };

static struct shk_ruleset *set_of(const char *text)
{
	struct shk_arena a;
	struct shk_rule_def def = { .name = SHK_STR("r"), .desc = SHK_STR("d"),
				    .source = SHK_STR("syscall"), .output_text = SHK_STR("o") };
	const struct shk_rule_def *p = &def;
	struct shk_ruleset *rs = NULL;
	struct shk_err err = { 0 };
	unsigned pos;

	shk_arena_init(&a, 1 << 20);
	if (shk_ast_parse(&a, shk_str(text), &def.cond, &pos, &err) < 0 ||
	    shk_ast_type(&a, def.cond, &pos, &err) < 0 || shk_ruleset_build(&p, 1, &rs, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	shk_arena_done(&a);
	return rs;
}

static bool passes(const struct shk_reg_filter *f, const uint64_t *raw)
{
	bool any = f->always;

	for (unsigned i = 0; i < f->n; i++) {
		bool all = true;

		for (unsigned k = 0; k < f->c[i].n; k++) {
			const struct shk_reg_test *t = &f->c[i].t[k];

			all &= ((raw[t->arg] & t->mask) == t->value) != t->negate;
		}
		any |= all;
	}
	return any && !f->never;
}

/* Registers near what conditions ask for: small numbers, single bits, garbage above. */
static uint64_t random_register(uint64_t *seed)
{
	uint64_t r = next_random(seed), v;

	switch (r & 3) {
	case 0:
		v = r >> 8 & 15;
		break;
	case 1:
		v = UINT64_C(1) << (r >> 8 & 31);
		break;
	case 2:
		v = r >> 32;
		break;
	default:
		v = (r >> 8 & 3) | (UINT64_C(1) << (r >> 16 & 31));
	}
	return (r >> 60) == 0 ? v | UINT64_C(1) << 32 : v;
}

static const char *const conditions[] = {
	"evt.type in (open, openat, openat2) and evt.is_open_write = true and fd.num >= 0",
	"evt.type in (open, openat, openat2, creat) and evt.is_open_read = true",
	"evt.is_open_read = false and evt.type = openat",
	"not evt.is_open_write = true and evt.type in (open, creat)",
	"not evt.is_open_write != false or evt.is_open_read in (true) and evt.num = 1",
	"evt.is_open_write in (true, false) and evt.rawres >= 0",
	"evt.type = openat and evt.arg.flags contains O_CREAT and evt.arg.name startswith /etc",
	"evt.type = open and not evt.arg.flags contains O_TRUNC",
	"evt.arg.flags contains O_",
	"evt.arg.flags = O_RDONLY or evt.arg.flags contains O_SYNC",
	"evt.type = socket and evt.arg.domain in (AF_INET, AF_INET6)",
	"evt.type = socket and not evt.arg.domain in (AF_INET, AF_UNIX, AF_LOCAL, NOPE, 5)",
	"evt.type = socket and evt.arg.domain != AF_UNIX",
	"evt.type = socket and not evt.arg.domain != AF_NETLINK",
	"evt.type = socket and evt.arg.domain = AF_PACKET and evt.arg.type contains SOCK_RAW",
	"evt.type = socket and (evt.arg.domain startswith AF_ or evt.arg.domain = 2)",
	"evt.type in (clone, unshare) and evt.arg.flags contains CLONE_NEWUSER",
	"evt.type = unshare and (evt.arg.flags contains CLONE_NEW or evt.num = 2)",
	"evt.type = unshare and evt.arg.flags contains \"CLONE_NEWNS|\"",
	"evt.type = ptrace and evt.arg.request in (PTRACE_POKETEXT, PTRACE_ATTACH)",
	"evt.type = ptrace and not evt.arg.request in (PTRACE_TRACEME, PTRACE_CONT) and evt.num = 1",
	"(evt.arg.domain = AF_INET or evt.arg.type contains SOCK_DGRAM) and "
	"(evt.arg.domain = AF_INET6 or evt.arg.type contains SOCK_STREAM)",
	"not (evt.arg.domain = AF_INET and evt.arg.type contains SOCK_DGRAM)",
	"evt.arg.path startswith /etc or evt.type = close",
	"proc.name = x and evt.type != open",
	"evt.type = ptrace and (evt.arg.request contains PTRACE_SETREGS or "
	"evt.arg.request contains PTRACE_TRACEME)",
	"evt.type = socket and evt.arg.domain contains AF_PACKET and not evt.num = 2",
};

static void check_sound(const struct shk_ruleset *rs, const char *text, enum shk_call_id id,
			struct shk_arena *scratch, uint64_t *seed)
{
	static const char *const texts[] = { NULL, "", "/etc/passwd", "O_CREAT" };
	struct shk_reg_filter f;

	shk_ruleset_reg_filter(rs, id, NULL, &f);
	for (unsigned i = 0; i < ROUNDS && !f.always; i++) {
		struct shk_event ev;
		struct shk_eval_ctx ctx = { .ev = &ev };
		struct shk_matches m;

		shk_arena_reset(scratch);
		shk_event_init(&ev, scratch);
		ev.num = 1;
		ev.call = &shk_syscalls[id];
		ev.mem = &memory;
		ev.mem_ctx = (void *)(uintptr_t)texts[i % SHK_ARRAY_SIZE(texts)];
		ev.has_ret = true;
		ev.ret = i % 3 ? 3 : -ENOENT;
		for (unsigned k = 0; k < 6; k++)
			ev.raw[k] = random_register(seed);
		if (passes(&f, ev.raw))
			continue;
		shk_ruleset_eval(rs, &ctx, NULL, false, &m);
		if (m.n)
			fail_msg("%s matches %s(%#jx, %#jx, %#jx), which the filter lets pass", text,
				 ev.call->name, (uintmax_t)ev.raw[0], (uintmax_t)ev.raw[1],
				 (uintmax_t)ev.raw[2]);
	}
}

static void test_sound(void **state)
{
	static const char *const calls[] = { "open", "openat", "openat2", "creat", "socket",
					     "socketpair", "clone", "unshare", "setns", "ptrace",
					     "mount", "open_by_handle_at", "clone3", "close" };
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
	struct shk_arena scratch;

	(void)state;
	shk_arena_init(&scratch, (size_t)4 << 20);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(conditions); i++) {
		struct shk_ruleset *rs = set_of(conditions[i]);

		for (size_t k = 0; k < SHK_ARRAY_SIZE(calls); k++)
			check_sound(rs, conditions[i], shk_syscall_by_name(shk_str(calls[k]))->id,
				    &scratch, &seed);
		shk_ruleset_unref(rs);
	}
	shk_arena_done(&scratch);
}

/* ---- random conditions ---- */

/* What registers may decide, and what they may not. */
static const char *const atoms[] = {
	"evt.type = open", "evt.type in (open, openat, creat)", "evt.type != socket", "evt.type = ptrace",
	"evt.type in (clone, unshare, setns)", "evt.type startswith open", "evt.is_open_write = true",
	"evt.is_open_write != false", "evt.is_open_read in (true)", "evt.is_open_read = false",
	"evt.arg.flags contains O_CREAT", "evt.arg.flags contains O_TRUNC", "evt.arg.flags = O_RDONLY",
	"evt.arg.flags contains CLONE_NEWUSER", "evt.arg.flags contains O_", "evt.arg.flags startswith O_W",
	"evt.arg.domain = AF_INET", "evt.arg.domain in (AF_INET, AF_INET6, AF_PACKET)",
	"evt.arg.domain != AF_UNIX", "evt.arg.domain in ()", "evt.arg.domain = 2",
	"evt.arg.domain = anyof (AF_UNIX, AF_INET)", "evt.arg.domain != allof (AF_UNIX, AF_INET)",
	"evt.arg.type contains SOCK_RAW", "evt.arg.type = SOCK_STREAM",
	"evt.arg.request in (PTRACE_ATTACH, PTRACE_POKETEXT)", "evt.arg.request = PTRACE_TRACEME",
	"evt.arg.request contains PTRACE_SETREGS", "evt.rawarg.flags = 2", "evt.rawarg.flags >= 64",
	"evt.rawarg.domain in (1, 2)", "evt.arg.name startswith /etc", "evt.arg.name = O_CREAT",
	"evt.arg.name exists", "evt.arg.flags exists", "evt.num = 1", "evt.num = 2", "evt.rawres >= 0",
	"proc.name = x", "fd.num >= 0", "tolower(evt.arg.domain) = af_inet", "evt.arg.mode = 0755",
	"evt.arg.flags = val(evt.arg.name)", "evt.arg.flags in (O_RDONLY, O_CREAT|O_RDONLY)",
};

static void random_condition(uint64_t *seed, unsigned depth, struct shk_buf *out)
{
	uint64_t r = next_random(seed);
	unsigned n = 2 + (unsigned)(r >> 20 & 1);

	if (!depth || (r & 3) == 0) {
		shk_buf_adds(out, atoms[(r >> 8) % SHK_ARRAY_SIZE(atoms)]);
		return;
	}
	shk_buf_adds(out, (r >> 4 & 3) == 0 ? "not (" : "(");
	for (unsigned i = 0; i < n; i++) {
		shk_buf_adds(out, !i ? "" : r & 4 ? " and " : " or ");
		random_condition(seed, depth - 1, out);
	}
	shk_buf_addc(out, ')');
}

static void test_sound_at_random(void **state)
{
	static const char *const calls[] = { "open", "openat", "creat", "socket", "unshare", "ptrace",
					     "openat2", "clone3" };
	uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);
	struct shk_arena scratch;
	struct shk_buf b;
	unsigned decided = 0;

	(void)state;
	shk_arena_init(&scratch, (size_t)4 << 20);
	shk_buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 400; i++) {
		struct shk_ruleset *rs;

		shk_buf_reset(&b);
		random_condition(&seed, 1 + i % 4, &b);
		rs = set_of(b.p);
		for (size_t k = 0; k < SHK_ARRAY_SIZE(calls); k++) {
			struct shk_reg_filter f;
			enum shk_call_id id = shk_syscall_by_name(shk_str(calls[k]))->id;

			shk_ruleset_reg_filter(rs, id, NULL, &f);
			decided += !f.always && !f.never;
			check_sound(rs, b.p, id, &scratch, &seed);
		}
		shk_ruleset_unref(rs);
	}
	shk_buf_done(&b);
	shk_arena_done(&scratch);
	assert_true(decided > 50); /* otherwise nothing was tried */
}

static bool lets(const char *text, enum shk_call_id id, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct shk_ruleset *rs = set_of(text);
	const uint64_t raw[6] = { a0, a1, a2 };
	struct shk_reg_filter f;

	shk_ruleset_reg_filter(rs, id, NULL, &f);
	shk_ruleset_unref(rs);
	return passes(&f, raw);
}

/* A filter that always says yes is sound and useless. */
static void test_precise(void **state)
{
	(void)state;
	assert_false(lets(conditions[0], SHK_CALL_open, 0, O_RDONLY | O_CLOEXEC, 0));
	assert_true(lets(conditions[0], SHK_CALL_open, 0, O_WRONLY, 0));
	assert_false(lets(conditions[0], SHK_CALL_openat, 0, O_WRONLY, O_RDONLY));
	assert_true(lets(conditions[0], SHK_CALL_openat, 0, 0, O_RDWR));
	assert_true(lets(conditions[0], SHK_CALL_openat2, 0, 0, 0));
	assert_false(lets(conditions[0], SHK_CALL_close, 0, O_RDWR, O_RDWR));
	assert_false(lets(conditions[1], SHK_CALL_open, 0, O_WRONLY, 0));
	assert_false(lets(conditions[1], SHK_CALL_creat, 0, 0, 0));
	assert_false(lets(conditions[6], SHK_CALL_openat, 0, 0, O_RDWR));
	assert_true(lets(conditions[6], SHK_CALL_openat, 0, 0, O_RDWR | O_CREAT));
	assert_false(lets(conditions[10], SHK_CALL_socket, 1, 1, 0));
	assert_true(lets(conditions[10], SHK_CALL_socket, 2 | UINT64_C(1) << 32, 1, 0));
	assert_true(lets(conditions[10], SHK_CALL_socketcall, 1, 0, 0));
	assert_false(lets(conditions[10], SHK_CALL_ipc, 1, 0, 0));
	assert_false(lets(conditions[12], SHK_CALL_socket, 1, 1, 0));
	assert_false(lets(conditions[14], SHK_CALL_socket, 17, 1, 0));
	assert_true(lets(conditions[14], SHK_CALL_socket, 17, 3 | 0x80000, 0));
	assert_false(lets(conditions[16], SHK_CALL_clone, CLONE_NEWNET, 0, 0));
	assert_true(lets(conditions[16], SHK_CALL_unshare, CLONE_NEWUSER | CLONE_NEWNET, 0, 0));
	assert_false(lets(conditions[19], SHK_CALL_ptrace, 0, 0, 0));
	assert_true(lets(conditions[19], SHK_CALL_ptrace, 16, 0, 0));
	assert_false(lets(conditions[25], SHK_CALL_ptrace, 16, 0, 0));
	assert_true(lets(conditions[25], SHK_CALL_ptrace, 13, 0, 0));
	assert_true(lets(conditions[25], SHK_CALL_ptrace, 0x4205, 0, 0)); /* SETREGSET */
	assert_false(lets(conditions[26], SHK_CALL_socket, 2, 3, 0));
	assert_true(lets(conditions[26], SHK_CALL_socket, 17, 3, 0));
}

/* What the kernel does not look at neither hides a value from a rule nor from its filter. */
static void test_upper_half(void **state)
{
	static const struct {
		const char *text;
		enum shk_call_id id;
		unsigned arg;
		uint64_t value;
	} rows[] = {
		{ "evt.type = socket and evt.arg.domain = AF_INET", SHK_CALL_socket, 0, 2 },
		{ "evt.type = socket and evt.rawarg.domain = 2", SHK_CALL_socket, 0, 2 },
		{ "evt.type = socket and evt.arg.proto = 1", SHK_CALL_socket, 2, 1 },
		{ "evt.type = socket and not evt.arg.domain in (AF_UNIX, AF_INET6)", SHK_CALL_socket, 0, 2 },
		{ "evt.type = unshare and evt.arg.flags = CLONE_NEWUTS", SHK_CALL_unshare, 0, CLONE_NEWUTS },
		{ "evt.type = clone and evt.arg.flags = CLONE_NEWUTS", SHK_CALL_clone, 0, CLONE_NEWUTS },
		{ "evt.type = ptrace and evt.arg.request in (PTRACE_ATTACH)", SHK_CALL_ptrace, 0, 16 },
		{ "evt.type = open and evt.arg.flags = O_WRONLY", SHK_CALL_open, 1, O_WRONLY },
		{ "evt.type = open and evt.is_open_write = true", SHK_CALL_open, 1, O_WRONLY },
		{ "evt.type = openat and evt.rawarg.flags = 2", SHK_CALL_openat, 2, O_WRONLY },
		{ "evt.type = ioctl and evt.rawarg.request = 5412", SHK_CALL_ioctl, 1, 5412 },
		{ "evt.type = setuid and evt.rawarg.uid = 0", SHK_CALL_setuid, 0, 0 },
		{ "evt.type = kill and evt.rawarg.pid = 1", SHK_CALL_kill, 0, 1 },
	};
	struct shk_arena scratch;

	(void)state;
	shk_arena_init(&scratch, (size_t)4 << 20);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++)
		for (uint64_t top = 0; top < 3; top++) {
			uint64_t raw[6] = { 0 };
			struct shk_ruleset *rs = set_of(rows[i].text);
			struct shk_event ev;
			struct shk_eval_ctx ctx = { .ev = &ev };
			struct shk_reg_filter f;
			struct shk_matches m;

			raw[rows[i].arg] = rows[i].value | (top << 32) * top * 0x1001;
			shk_arena_reset(&scratch);
			shk_event_init(&ev, &scratch);
			ev.num = 1;
			ev.call = &shk_syscalls[rows[i].id];
			ev.has_ret = true;
			memcpy(ev.raw, raw, sizeof(raw));
			shk_ruleset_eval(rs, &ctx, NULL, false, &m);
			shk_ruleset_reg_filter(rs, rows[i].id, NULL, &f);
			if (m.n != 1 || !passes(&f, raw))
				fail_msg("%s: %#jx is not seen", rows[i].text, (uintmax_t)raw[rows[i].arg]);
			shk_ruleset_unref(rs);
		}
	shk_arena_done(&scratch);
}

static bool is_result(const struct shk_field_ref *ref)
{
	return !strncmp(ref->field->name, "evt.r", 5) || !strcmp(ref->field->name, "evt.failed");
}

static bool asks(const char *condition, enum shk_call_id id)
{
	struct shk_ruleset *rs = set_of(condition);
	bool yes = shk_ruleset_asks(rs, id, is_result);

	shk_ruleset_unref(rs);
	return yes;
}

/* What a condition asks for, however deep, on either side, inside a transformer; of the calls that it can be true for. */
static void asks_for(void **state)
{
	(void)state;
	assert_false(asks("evt.type=openat and fd.name=/x", SHK_CALL_openat));
	assert_true(asks("evt.type=openat and evt.failed=true", SHK_CALL_openat));
	assert_true(asks("evt.type=openat and not (fd.name=/x or (proc.name=a and evt.rawres<0))", SHK_CALL_openat));
	assert_true(asks("evt.type=openat and toupper(evt.res)=SUCCESS", SHK_CALL_openat));
	assert_true(asks("evt.type=openat and fd.name=val(evt.res)", SHK_CALL_openat));
	assert_false(asks("evt.type=openat and evt.failed=true", SHK_CALL_connect));
	assert_true(asks("evt.failed=true", SHK_CALL_connect));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for),
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_sound_at_random),
		cmocka_unit_test(test_precise),
		cmocka_unit_test(test_upper_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
