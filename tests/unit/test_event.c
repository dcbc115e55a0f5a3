// SPDX-License-Identifier: Apache-2.0
/* Arguments read from memory, multiplexed calls, and the text form both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "event/text.h"

/* Two pages of a task's memory; what is around them is not mapped. */
#define BASE 0x10000ull
static struct {
	unsigned char bytes[8192];
	unsigned reads;
} task;

static ssize_t task_read(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	(void)ev;
	task.reads++;
	if (addr < BASE || addr >= BASE + sizeof(task.bytes))
		return -EFAULT;
	n = SHK_MIN(n, (size_t)(BASE + sizeof(task.bytes) - addr));
	memcpy(buf, task.bytes + (addr - BASE), n);
	return (ssize_t)n;
}

static const struct shk_mem_ops task_mem = { .read = task_read };

static void make(struct shk_event *ev, struct shk_arena *a, enum shk_abi abi, enum shk_call_id id)
{
	shk_event_init(ev, a);
	memset(&task, 0, sizeof(task));
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->abi = abi;
	ev->call = &shk_syscalls[id];
	ev->nr = ev->call->nr[abi];
	ev->mem = &task_mem;
	ev->tid = 7;
}

static void put_text(size_t off, const char *s)
{
	memcpy(task.bytes + off, s, strlen(s) + 1);
}

#define assert_bytes(s, text)                                                                      \
	do {                                                                                       \
		assert_int_equal((s).n, sizeof(text) - 1);                                         \
		assert_memory_equal((s).p, text, sizeof(text) - 1);                                \
	} while (0)

static void path_is_read_once(void **state)
{
	struct shk_arena *a = *state;
	struct shk_event ev;
	unsigned reads;

	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	put_text(4090, "/etc/passwd"); /* over a page boundary */
	ev.raw[1] = BASE + 4090;
	assert_int_equal(shk_event_arg(&ev, 1)->state, SHK_ARG_OK);
	assert_bytes(shk_event_arg(&ev, 1)->bytes, "/etc/passwd");
	reads = task.reads;
	put_text(4090, "/etc/shadow");
	assert_bytes(shk_event_arg(&ev, 1)->bytes, "/etc/passwd");
	assert_int_equal(task.reads, reads);
	assert_false(ev.memory_failed);
}

static void path_at_the_edge(void **state)
{
	struct shk_arena *a = *state;
	struct shk_event ev;

	/* Ends with the last mapped byte: valid. */
	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	put_text(sizeof(task.bytes) - 3, "/x");
	ev.raw[1] = BASE + sizeof(task.bytes) - 3;
	assert_bytes(shk_event_arg(&ev, 1)->bytes, "/x");
	/* Runs out of it. */
	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	memset(task.bytes + sizeof(task.bytes) - 3, 'a', 3);
	ev.raw[1] = BASE + sizeof(task.bytes) - 3;
	assert_int_equal(shk_event_arg(&ev, 1)->state, SHK_ARG_FAULT);
	assert_true(ev.memory_failed);
	/* Longer than any path. */
	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	memset(task.bytes, 'a', sizeof(task.bytes));
	ev.raw[1] = BASE + 1;
	assert_int_equal(shk_event_arg(&ev, 1)->state, SHK_ARG_TRUNCATED);
	assert_int_equal(shk_event_arg(&ev, 1)->bytes.n, SHK_PATH_LIMIT);
	/* No pointer is no failure. */
	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	assert_int_equal(shk_event_arg(&ev, 1)->state, SHK_ARG_NULL);
	assert_false(ev.memory_failed);
	assert_int_equal(shk_event_arg(&ev, 6)->state, SHK_ARG_NULL);
}

static void vectors_of_both_sizes(void **state)
{
	static const enum shk_abi abis[] = { SHK_ABI_X86_64, SHK_ABI_I386 };
	struct shk_arena *a = *state;

	for (size_t k = 0; k < SHK_ARRAY_SIZE(abis); k++) {
		struct shk_event ev;
		const struct shk_arg *v;
		size_t size;

		make(&ev, a, abis[k], SHK_CALL_execve);
		size = shk_event_ptr_size(&ev);
		put_text(100, "sh");
		put_text(200, "");
		memcpy(task.bytes, &(uint64_t){ BASE + 100 }, size);
		memcpy(task.bytes + size, &(uint64_t){ BASE + 200 }, size);
		memset(task.bytes + 2 * size, 0, size);
		ev.raw[1] = BASE;
		v = shk_event_arg(&ev, 1);
		assert_int_equal(v->state, SHK_ARG_OK);
		assert_int_equal(v->vec.n, 2);
		assert_bytes(v->vec.v[0], "sh");
		assert_int_equal(v->vec.v[1].n, 0);
	}
}

static void pages_are_read_once(void **state)
{
	struct shk_arena *a = *state;
	const struct shk_arg *v;
	struct shk_event ev;

	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_execve);
	ev.by_page = true;
	put_text(100, "/bin/sh");
	put_text(200, "-c");
	put_text(4090, "over the edge");
	put_text(sizeof(task.bytes) - 6, "PWD=/");
	memcpy(task.bytes, (uint64_t[]){ BASE + 100, BASE + 200, BASE + 4090, 0, BASE + sizeof(task.bytes) - 6, 0 }, 48);
	ev.raw[0] = BASE + 100;
	ev.raw[1] = BASE;
	ev.raw[2] = BASE + 32;
	assert_bytes(shk_event_arg(&ev, 0)->bytes, "/bin/sh");
	assert_int_equal(task.reads, 1);
	/* What is kept is what counts: the second page alone is read anew. */
	put_text(200, "XX");
	v = shk_event_arg(&ev, 1);
	assert_int_equal(v->state, SHK_ARG_OK);
	assert_int_equal(v->vec.n, 3);
	assert_bytes(v->vec.v[1], "-c");
	assert_bytes(v->vec.v[2], "over the edge");
	v = shk_event_arg(&ev, 2);
	assert_int_equal(v->vec.n, 1);
	assert_bytes(v->vec.v[0], "PWD=/");
	assert_int_equal(task.reads, 2);
	/* A page that is not there is asked for, and found missing, as ever. */
	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_execve);
	ev.by_page = true;
	memset(task.bytes + sizeof(task.bytes) - 3, 'a', 3);
	ev.raw[0] = BASE + sizeof(task.bytes) - 3;
	assert_int_equal(shk_event_arg(&ev, 0)->state, SHK_ARG_FAULT);
	assert_true(ev.memory_failed);
}

static void socketcall_unwraps(void **state)
{
	struct shk_arena *a = *state;
	struct shk_event ev;

	make(&ev, a, SHK_ABI_I386, SHK_CALL_socketcall);
	memcpy(task.bytes, (uint32_t[]){ 3, BASE + 64, 16 }, 12);
	ev.raw[0] = 3; /* SYS_CONNECT */
	ev.raw[1] = BASE;
	assert_int_equal(shk_event_effective_call(&ev)->id, SHK_CALL_connect);
	assert_int_equal(shk_event_unwrap(&ev), 0);
	assert_true(ev.unwrapped);
	assert_int_equal(ev.call->id, SHK_CALL_connect);
	assert_int_equal(ev.raw[2], 16);

	make(&ev, a, SHK_ABI_I386, SHK_CALL_socketcall);
	ev.raw[0] = 3;
	ev.raw[1] = 1;
	assert_int_equal(shk_event_unwrap(&ev), -EFAULT);
	assert_true(ev.memory_failed);
	assert_int_equal(ev.call->id, SHK_CALL_socketcall);

	make(&ev, a, SHK_ABI_I386, SHK_CALL_socketcall);
	ev.raw[0] = 77;
	assert_int_equal(shk_event_unwrap(&ev), -EINVAL);
}

static void ipc_unwraps(void **state)
{
	struct shk_arena *a = *state;
	struct shk_event ev;

	make(&ev, a, SHK_ABI_I386, SHK_CALL_ipc);
	ev.raw[0] = 0x10000 | 21; /* shmat, with an interface version */
	ev.raw[1] = 5;
	ev.raw[2] = 0x1000;
	ev.raw[4] = 0xabc;
	assert_int_equal(shk_event_unwrap(&ev), 0);
	assert_int_equal(ev.call->id, SHK_CALL_shmat);
	assert_int_equal(ev.raw[0], 5);
	assert_int_equal(ev.raw[1], 0xabc);
	assert_int_equal(ev.raw[2], 0x1000);
}

static void print_is(struct shk_event *ev, const char *want)
{
	struct shk_buf b;

	shk_buf_init(&b, 1u << 20);
	shk_event_print(ev, &b);
	assert_false(b.failed);
	assert_string_equal(b.p, want);
	shk_buf_done(&b);
}

static void printing(void **state)
{
	struct shk_arena *a = *state;
	struct shk_event ev;

	make(&ev, a, SHK_ABI_X86_64, SHK_CALL_openat);
	ev.time_ns = 1700000000000000042;
	put_text(0, "/a\"\\\n\xff");
	ev.raw[0] = 0xffffff9c;
	ev.raw[1] = BASE;
	ev.raw[2] = O_WRONLY | O_CREAT;
	ev.raw[3] = 0644;
	ev.attempt = true;
	print_is(&ev, "event 1700000000.000000042 tid=7 sensor=notify abi=x86_64 "
		 "openat(dirfd=AT_FDCWD, name=0x10000, flags=O_CREAT|O_WRONLY, mode=0644) ~");
	assert_int_equal(task.reads, 0);
	shk_event_arg(&ev, 1);
	ev.attempt = false;
	ev.has_ret = true;
	ev.ret = -ENOENT;
	print_is(&ev, "event 1700000000.000000042 tid=7 sensor=notify abi=x86_64 "
		 "openat(dirfd=AT_FDCWD, name=0x10000:\"/a\\\"\\\\\\x0a\\xff\", flags=O_CREAT|O_WRONLY, "
		 "mode=0644) = -ENOENT");
}

static void parsed_events_have_memory(void **state)
{
	struct shk_arena *a = *state;
	struct shk_str container, sa;
	uint64_t flags, mode;
	struct shk_event ev;
	struct shk_err err;

	assert_int_equal(shk_event_parse(SHK_STR("event 5.25 tid=9 container=web1 openat2(dirfd=AT_FDCWD, "
						 "name=\"/x\", how={flags=O_RDWR|O_CREAT mode=0600}) ~ 3"),
					 a, &ev, &container, &err), 0);
	assert_bytes(container, "web1");
	assert_int_equal(ev.time_ns, 5250000000);
	assert_true(ev.attempt && ev.has_ret);
	assert_int_equal(ev.ret, 3);
	assert_int_equal(ev.raw[3], sizeof(struct open_how));
	assert_int_equal(ev.arg[1].state, SHK_ARG_UNREAD);
	assert_true(shk_event_open_flags(&ev, &flags, &mode));
	assert_int_equal(flags, O_RDWR | O_CREAT);
	assert_int_equal(mode, 0600);
	assert_bytes(shk_event_arg(&ev, 1)->bytes, "/x");

	assert_int_equal(shk_event_parse(SHK_STR("event 1 tid=1 abi=i386 connect(fd=3, "
						 "addr=inet\"127.0.0.1:80\")"), a, &ev, &container, &err), 0);
	assert_null(container.p);
	assert_true(shk_event_sockaddr(&ev, &sa));
	assert_bytes(sa, "\x02\x00\x00\x50\x7f\x00\x00\x01\0\0\0\0\0\0\0\0");

	assert_int_equal(shk_event_parse(SHK_STR("event 1 tid=1 execve(filename=fault, argv=[\"a\", \"\"])"),
					 a, &ev, &container, &err), 0);
	assert_int_equal(shk_event_arg(&ev, 1)->vec.n, 2);
	assert_false(ev.memory_failed);
	assert_int_equal(shk_event_arg(&ev, 0)->state, SHK_ARG_FAULT);
	assert_true(ev.memory_failed);
}

static void refused_with_a_place(void **state)
{
	static const struct {
		const char *line, *err;
	} bad[] = {
		{ "event 1 tid=1 openat(dirfd=3", "column 29: ',' or ')' is expected here" },
		{ "event 1 opendir()", "column 17: no call has this name" },
		{ "event x", "column 8: a time is expected here" },
		{ "event 1 tid=1 openat(file=1)", "column 27: openat has no such argument" },
		{ "event 1 tid=1 close(fd=\"x\")", NULL },
		{ "event 1 tid=1 openat(name=\"\\q\")", "column 30: unknown escape" },
		{ "event 1 tid=1 openat(name=\"a)", "column 28: the closing quote is missing" },
		{ "event 1 tid=1 close(fd=1, fd=1)", "argument given twice" },
		{ "event 1 tid=1 abi=i386 close(fd=0x100000000)", "more than 32 bits" },
		{ "event 1 tid=1 abi=arm64 open(name=\"a\")", "arm64 has no such call" },
		{ "event 1 tid=1 close(fd=1) = -ENONSENSE", "unknown error name" },
		{ "event 1 tid=1 close(fd=1) 3", "'= RESULT'" },
	};
	struct shk_arena *a = *state;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		struct shk_err err = { 0 };
		struct shk_str container;
		struct shk_event ev;

		int r = shk_event_parse(shk_str(bad[i].line), a, &ev, &container, &err);

		if (!bad[i].err) {
			/* A descriptor is no pointer: its content means nothing. */
			assert_int_equal(r, -EBADMSG);
			continue;
		}
		assert_int_equal(r, -EBADMSG);
		if (!strstr(err.text, bad[i].err))
			fail_msg("%s: %s", bad[i].line, err.text);
	}
}

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Registers as programs and attackers leave them: small, negative in 32 and 64 bits, pointers, anything. */
static uint64_t some_register(uint64_t *s)
{
	uint64_t v = next_random(s);

	switch (v >> 60 & 7) {
	case 0:
		return v & 0xff;
	case 1:
		return (uint32_t)-(int32_t)(v & 0xff);
	case 2:
		return -(v & 0xff);
	case 3:
		return (uint32_t)v;
	case 4:
		return v;
	case 5:
		return 0;
	default:
		return BASE + (v & 0x1fff);
	}
}

static void same_arg(const struct shk_arg *a, const struct shk_arg *b)
{
	assert_int_equal(a->state, b->state);
	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED)
		return;
	assert_true(shk_str_eq(a->bytes, b->bytes));
	assert_int_equal(a->vec.n, b->vec.n);
	for (size_t i = 0; i < a->vec.n; i++)
		assert_true(shk_str_eq(a->vec.v[i], b->vec.v[i]));
}

/* What a source saw, its line says: registers, result, and every argument that was read. */
static void every_call_round_trips(void **state)
{
	struct shk_arena *a = *state;
	uint64_t seed = 0x5eed;
	unsigned done = 0;

	for (unsigned n = 0; n < 4 * SHK_CALL_N; n++) {
		const struct shk_syscall *call = &shk_syscalls[n % SHK_CALL_N];
		enum shk_abi abi = (enum shk_abi)(next_random(&seed) % SHK_ABI_N);
		struct shk_str container;
		struct shk_buf one, two;
		struct shk_event ev, back;
		struct shk_err err = { 0 };
		unsigned i;

		if (call->nr[abi] == -1)
			continue;
		shk_arena_reset(a);
		make(&ev, a, abi, call->id);
		for (i = 0; i < sizeof(task.bytes); i += 8) {
			uint64_t v = next_random(&seed);

			v = v & 1 ? BASE + (v >> 8 & 0x1fff) : v & 2 ? 0 : v;
			memcpy(task.bytes + i, &v, 8);
		}
		for (i = 0; i < call->nargs; i++) {
			ev.raw[i] = some_register(&seed);
			if (abi == SHK_ABI_I386)
				ev.raw[i] = (uint32_t)ev.raw[i];
		}
		ev.attempt = next_random(&seed) & 1;
		ev.has_ret = next_random(&seed) & 1;
		ev.ret = ev.has_ret ? (int64_t)some_register(&seed) : 0;
		for (i = 0; i < call->nargs; i++)
			if (next_random(&seed) & 3)
				shk_event_arg(&ev, i);
		shk_buf_init(&one, 1u << 20);
		shk_buf_init(&two, 1u << 20);
		shk_event_print(&ev, &one);
		if (shk_event_parse(shk_buf_view(&one), a, &back, &container, &err) < 0)
			fail_msg("%s: %s", err.text, one.p);
		assert_ptr_equal(back.call, call);
		assert_int_equal(back.nr, ev.nr);
		assert_int_equal(back.attempt, ev.attempt);
		assert_int_equal(back.has_ret, ev.has_ret);
		assert_int_equal(back.ret, ev.ret);
		for (i = 0; i < call->nargs; i++)
			assert_int_equal(back.raw[i], ev.raw[i]);
		shk_event_print(&back, &two);
		assert_string_equal(one.p, two.p);
		/* Arguments that share bytes with one that was cut are the exception: see docs/EVENTS.md. */
		for (i = 0; i < call->nargs; i++)
			if (ev.arg[i].state == SHK_ARG_OK && call->arg[i].kind != SHK_ARG_STRVEC)
				same_arg(&ev.arg[i], shk_event_arg(&back, i));
		done++;
		shk_buf_done(&one);
		shk_buf_done(&two);
	}
	assert_true(done > SHK_CALL_N);
}

static void records_and_version(void **state)
{
	static const char text[] = "# head\n\nshrike-events 1\n"
				   "container web1 annotation.a.b/c=\"x y\" privileged=1\n"
				   "process 0x10 args=[\"a\", \"b\"] uid=1000\r\n"
				   "fd 16 3 path=/x\n"
				   "event 1 tid=16 close(fd=3) = 0";
	struct shk_arena *a = *state;
	struct shk_text_record rec;
	struct shk_text_reader r;
	struct shk_err err = { 0 };

	shk_text_init(&r, SHK_STR(text));
	assert_int_equal(shk_text_next(&r, a, &rec, &err), 1);
	assert_int_equal(rec.kind, SHK_TEXT_CONTAINER);
	assert_bytes(rec.key[0], "web1");
	assert_bytes(shk_text_get(&rec, "annotation.a.b/c")->value, "x y");
	assert_int_equal(shk_text_u64(&rec, "privileged", 0), 1);
	assert_int_equal(shk_text_next(&r, a, &rec, &err), 1);
	assert_int_equal(shk_text_get(&rec, "args")->list.n, 2);
	assert_int_equal(shk_text_u64(&rec, "uid", 0), 1000);
	assert_int_equal(shk_text_u64(&rec, "gid", 77), 77);
	assert_int_equal(shk_text_next(&r, a, &rec, &err), 1);
	assert_bytes(rec.key[1], "3");
	assert_int_equal(shk_text_next(&r, a, &rec, &err), 1);
	assert_int_equal(rec.kind, SHK_TEXT_EVENT);
	assert_int_equal(rec.line, 7);
	assert_int_equal(shk_text_next(&r, a, &rec, &err), 0);

	shk_text_init(&r, SHK_STR("shrike-events 2\n"));
	assert_int_equal(shk_text_next(&r, a, &rec, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "version 2"));
	shk_text_init(&r, SHK_STR("event 1 close(fd=1)\n"));
	assert_int_equal(shk_text_next(&r, a, &rec, &err), -EBADMSG);
	shk_text_init(&r, SHK_STR(""));
	assert_int_equal(shk_text_next(&r, a, &rec, &err), -EBADMSG);
	shk_text_init(&r, SHK_STR("shrike-events 1\nprocess 1 udi=3\n"));
	assert_int_equal(shk_text_next(&r, a, &rec, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "line 2: column"));
}

static int setup(void **state)
{
	static struct shk_arena arena;

	shk_arena_init(&arena, 64u << 20);
	*state = &arena;
	return 0;
}

static int teardown(void **state)
{
	shk_arena_done(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(path_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(path_at_the_edge, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors_of_both_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_are_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(socketcall_unwraps, setup, teardown),
		cmocka_unit_test_setup_teardown(ipc_unwraps, setup, teardown),
		cmocka_unit_test_setup_teardown(printing, setup, teardown),
		cmocka_unit_test_setup_teardown(parsed_events_have_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_with_a_place, setup, teardown),
		cmocka_unit_test_setup_teardown(every_call_round_trips, setup, teardown),
		cmocka_unit_test_setup_teardown(records_and_version, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
