// SPDX-License-Identifier: Apache-2.0
/*
 * test_recorder.c - what is recorded of this process answers on replay as the process itself does.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "engine/recorder.h"
#include "sources/replay/replay.h"
#include "state/process.h"

/* Every field that is asked for without an argument, and some with one. */
static const char *const with_argument[] = {
	"proc.aname[2]", "proc.aexepath[1]", "proc.acmdline[1]", "proc.args[0]", "proc.env[PATH]",
	"evt.arg.fd", "evt.arg.flags", "evt.arg.dirfd", "evt.arg.uid", "evt.rawarg.res", "evt.arg.addr",
};

/* A caller that waits does not change meanwhile; this process does, which is both. The machine's name is written once
 * a recording, and here was none. */
static const char *const moving[] = {
	"thread.pfminor", "thread.pfmajor", "thread.vmrss", "proc.vmrss", "thread.vmrss.b", "thread.vmsize",
	"proc.vmsize", "thread.vmsize.b", "evt.cpu", "evt.hostname",
	"proc.fdopencount", "proc.fdusage", /* it looks at itself, and opens files to do so */
};

static struct shk_recorder recorder;
static struct shk_recorded_lines lines;
static struct shk_container *ctr;
static struct shk_arena arena;
static struct shk_event ev;
static struct shk_eval_ctx ctx;
static struct shk_judgement judgement;
static struct shk_buf text;

static ssize_t own_memory(struct shk_event *e, uint64_t addr, void *buf, size_t n)
{
	struct iovec to = { buf, n }, from = { (void *)(uintptr_t)addr, n };
	ssize_t r = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	(void)e;
	return r < 0 ? -errno : r;
}

static const struct shk_mem_ops mem_ops = { .read = own_memory };

static int set_up(void **state)
{
	struct shk_err err = { 0 };

	(void)state;
	ctr = shk_container_new(1);
	ctr->full_id = shk_container_str(ctr, SHK_STR("0123456789abcdef"));
	ctr->id = (struct shk_str){ ctr->full_id.p, 12 };
	ctr->name = shk_container_str(ctr, SHK_STR("a name"));
	ctr->policy = shk_container_str(ctr, SHK_STR("default"));
	ctr->init_pid = getpid();
	ctr->start_ns = 1700000000000000000u;
	shk_arena_init(&arena, 4u << 20);
	shk_recorder_init(&recorder);
	shk_buf_init(&text, 64u << 20);
	shk_buf_adds(&text, SHK_TEXT_HEAD "\n");
	return shk_recorder_start(&recorder, "", NULL, 0, &err);
}

static int tear_down(void **state)
{
	(void)state;
	shk_recorder_stop(&recorder);
	shk_recorded_lines_done(&lines);
	lines = (struct shk_recorded_lines){ 0 };
	shk_recorder_done(&recorder);
	shk_arena_done(&arena);
	shk_container_unref(ctr);
	shk_buf_done(&text);
	return 0;
}

static void event(const char *call, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static uint64_t num;

	shk_arena_reset(&arena);
	shk_event_init(&ev, &arena);
	ev.num = ++num;
	ev.time_ns = shk_now_real();
	ev.call = shk_syscall_by_name(shk_str(call));
	ev.nr = ev.call->nr[SHK_ABI_X86_64];
	ev.sensor = SHK_SENSOR_NOTIFY;
	ev.attempt = true;
	ev.tid = getpid();
	ev.raw[0] = a;
	ev.raw[1] = b;
	ev.raw[2] = c;
	ev.raw[3] = d;
	ev.mem = &mem_ops;
	ev.ctr = ctr;
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = ctr };
	judgement = (struct shk_judgement){ .real = { .ev = &ev, .ctr = ctr } };
}

static void value_of(struct shk_eval_ctx *c, const char *name, struct shk_buf *out)
{
	struct shk_field_ref ref = { 0 };
	struct shk_value v = { 0 };

	shk_buf_reset(out);
	if (shk_field_parse(shk_str(name), &ref, NULL) < 0 || !shk_field_get(c, &ref, &v)) {
		shk_buf_adds(out, "<null>");
		return;
	}
	shk_value_print(&v, ref.field, out);
	shk_buf_addc(out, 0);
}

/* The values of all fields, one after the other; freed by the caller. */
static char **values_of(struct shk_eval_ctx *c, size_t *ret_n)
{
	const struct shk_field *const *all;
	size_t n, m = SHK_ARRAY_SIZE(with_argument);
	struct shk_buf b;
	char **v;

	all = shk_fields_all(&n);
	v = calloc(n + m, sizeof(*v));
	assert_non_null(v);
	shk_buf_init(&b, 4u << 20);
	for (size_t i = 0; i < n + m; i++) {
		if (i < n && all[i]->flags & (SHK_F_ARG_REQUIRED | SHK_F_FILTER_ONLY))
			continue;
		value_of(c, i < n ? all[i]->name : with_argument[i - n], &b);
		v[i] = strdup(b.p);
	}
	shk_buf_done(&b);
	*ret_n = n + m;
	return v;
}

static void take_text(void)
{
	size_t before;
	uint64_t lost;

	do {
		before = text.n;
		shk_recorder_take(&recorder, 4096, &text, &lost);
		assert_int_equal(lost, 0);
	} while (text.n != before);
}

/* The last event of the text. */
static struct shk_replay *replay_all(struct shk_eval_ctx *c)
{
	struct shk_replay *r;
	struct shk_err err = { 0 };
	int rc;

	assert_int_equal(shk_replay_open_text("recording", shk_buf_view(&text), &r, &err), 0);
	do {
		rc = shk_replay_next(r, c, &err);
		if (rc != 1)
			fail_msg("%d %s in\n%s", rc, err.text, text.p);
	} while (c->ev->num != ev.num);
	return r;
}

/* Such a value has to be there all the same. */
static bool moves(const char *name, const char *value)
{
	/* A recording starts its own time. */
	if (strncmp(name, "evt.reltime", 11) == 0 || strncmp(name, "evt.deltatime", 13) == 0)
		return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(moving); i++)
		if (strcmp(name, moving[i]) == 0)
			return strcmp(name, "evt.hostname") == 0 || strcmp(value, "<null>") != 0;
	return false;
}

static void same_on_replay(void)
{
	const struct shk_field *const *all;
	struct shk_eval_ctx again;
	struct shk_replay *r;
	size_t n, m, wrong = 0;
	char **live, **then;

	all = shk_fields_all(NULL);
	live = values_of(&ctx, &n);
	shk_recorder_note(&recorder, &lines, &ctx, &judgement);
	take_text();
	r = replay_all(&again);
	then = values_of(&again, &m);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		const char *name = i < n - SHK_ARRAY_SIZE(with_argument) ? all[i]->name :
						with_argument[i - (n - SHK_ARRAY_SIZE(with_argument))];

		if (live[i] && strcmp(live[i], then[i]) != 0 && !moves(name, then[i])) {
			print_error("%s: '%s', on replay '%s'\n", name, live[i], then[i]);
			wrong++;
		}
		free(live[i]);
		free(then[i]);
	}
	free(live);
	free(then);
	shk_replay_free(r);
	assert_int_equal(wrong, 0);
}

static void opens(void **state)
{
	int fd = open("/etc", O_RDONLY | O_DIRECTORY);
	size_t first, second;

	(void)state;
	event("openat", (uint64_t)fd, (uint64_t)(uintptr_t)"../etc/passwd", O_RDONLY, 0);
	same_on_replay();
	first = text.n;
	/* What did not change is not written again. */
	event("openat", (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)"x", O_WRONLY | O_CREAT, 0644);
	same_on_replay();
	second = text.n - first;
	assert_true(second < first / 2);
	close(fd);
	/* A descriptor that is gone. */
	event("openat", (uint64_t)fd, (uint64_t)(uintptr_t)"y", O_RDONLY, 0);
	same_on_replay();
	event("openat", (uint64_t)fd, 1, O_RDONLY, 0);
	ev.mem = NULL;
	same_on_replay();
	/* Reading for a recording does not make a call an unreadable one. */
	event("getpid", 0, 0, 0, 0);
	same_on_replay();
	assert_false(ev.memory_failed);
}

static void programs(void **state)
{
	const char *argv[] = { "sh", "-c", "a \"b\" \\ \n\x01\xff", NULL }, *envp[] = { "A=1", NULL };

	(void)state;
	event("execve", (uint64_t)(uintptr_t)"/bin/sh", (uint64_t)(uintptr_t)argv, (uint64_t)(uintptr_t)envp, 0);
	same_on_replay();
	event("execve", (uint64_t)(uintptr_t)"/nowhere/sh", (uint64_t)(uintptr_t)argv, 0, 0);
	same_on_replay();
	event("getpid", 0, 0, 0, 0);
	same_on_replay();
}

static void sockets(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0test_recorder" };
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
	int pair[2], p[2];
	socklen_t len = sizeof(in);

	(void)state;
	assert_int_equal(bind(l, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(p), 0);
	event("connect", (uint64_t)c, (uint64_t)(uintptr_t)&in, sizeof(in), 0);
	same_on_replay();
	assert_int_equal(connect(c, (struct sockaddr *)&in, sizeof(in)), 0);
	event("shutdown", (uint64_t)c, 2, 0, 0);
	same_on_replay();
	event("accept", (uint64_t)l, 0, 0, 0);
	same_on_replay();
	event("sendto", (uint64_t)u, (uint64_t)(uintptr_t)"data", 4, 0);
	ev.raw[4] = (uint64_t)(uintptr_t)&un;
	ev.raw[5] = sizeof(un);
	same_on_replay();
	event("shutdown", (uint64_t)pair[0], 2, 0, 0);
	same_on_replay();
	event("fchmod", (uint64_t)p[0], 0600, 0, 0);
	same_on_replay();
	event("socket", AF_INET6, SOCK_DGRAM, 0, 0);
	same_on_replay();
	event("fchown", (uint64_t)u, 0, 4711, 0);
	same_on_replay();
	close(l);
	close(c);
	close(u);
	close(pair[0]);
	close(pair[1]);
	close(p[0]);
	close(p[1]);
}

/* What a path leads to is recorded where it is another file. */
static void objects(void **state)
{
	struct shk_eval_ctx again;
	struct shk_replay *r;
	struct shk_str name;

	(void)state;
	event("openat", (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)"/etc/mtab", O_RDONLY, 0);
	judgement.real.abs_path[1] = SHK_STR("/proc/1/mounts");
	judgement.real.abs_path_state[1] = SHK_PATH_KNOWN;
	shk_recorder_note(&recorder, &lines, &ctx, &judgement);
	take_text();
	r = replay_all(&again);
	assert_int_equal(shk_event_real_path(&again, 1, &name), 1);
	assert_true(shk_str_eqz(name, "/proc/1/mounts"));
	shk_replay_free(r);
}

/* A reader that does not come loses events, and what was lost is told again. */
static void losses(void **state)
{
	uint64_t lost = 0, some = 0, n = 0;
	size_t before;

	(void)state;
	while (n < 1000000) {
		n++;
		event("openat", (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)"/etc/passwd", O_RDONLY, 0);
		shk_recorded_lines_done(&lines);
		lines = (struct shk_recorded_lines){ 0 }; /* everything anew: fills the queue soon */
		shk_recorder_note(&recorder, &lines, &ctx, &judgement);
		if (lines.hash.used == 0)
			break;
	}
	assert_int_equal(lines.hash.used, 0);
	do {
		before = text.n;
		shk_recorder_take(&recorder, 65536, &text, &some);
		lost += some;
	} while (text.n != before);
	assert_int_equal(lost, 1);
	assert_true(text.n <= SHK_RECORDER_QUEUE + 64);
	event("openat", (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)"/etc/passwd", O_RDONLY, 0);
	same_on_replay();
}

static void one_at_a_time(void **state)
{
	struct shk_err err = { 0 };

	(void)state;
	assert_int_equal(shk_recorder_start(&recorder, "", NULL, 0, &err), -EBUSY);
	shk_recorder_stop(&recorder);
	event("getpid", 0, 0, 0, 0);
	assert_false(shk_recorder_note(&recorder, &lines, &ctx, &judgement));
	assert_int_equal(shk_recorder_start(&recorder, "", NULL, 0, &err), 0);
	same_on_replay();
}

/* Containers by full id, id or name; what is no container's is no prefix of one either. */
static void some_containers(void **state)
{
	static const struct { struct shk_str only[2]; size_t n; bool recorded; } cases[] = {
		{ { { "0123456789abcdef", 16 } }, 1, true }, { { { "0123456789ab", 12 } }, 1, true },
		{ { { "a name", 6 } }, 1, true },	     { { { "other", 5 }, { "a name", 6 } }, 2, true },
		{ { { "other", 5 } }, 1, false },	     { { { "0123", 4 } }, 1, false },
		{ { { "a nam", 5 }, { "a name2", 7 } }, 2, false },
	};
	struct shk_str many[SHK_RECORDER_ONLY + 1];
	struct shk_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		size_t before = text.n;

		shk_recorder_stop(&recorder);
		take_text();
		before = text.n;
		assert_int_equal(shk_recorder_start(&recorder, "", cases[i].only, cases[i].n, &err), 0);
		for (int k = 0; k < 2; k++) {
			event("getpid", 0, 0, 0, 0);
			shk_recorder_note(&recorder, &lines, &ctx, &judgement);
		}
		take_text();
		assert_int_equal(text.n > before, cases[i].recorded);
	}
	shk_recorder_stop(&recorder);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(many); i++)
		many[i] = SHK_STR("x");
	assert_int_equal(shk_recorder_start(&recorder, "", many, SHK_ARRAY_SIZE(many), &err), -EINVAL);
	assert_false(shk_recorder_on(&recorder));
}

static void note_only(const char *call)
{
	size_t before = text.n;

	event(call, 0, 0, 0, 0);
	shk_recorder_note(&recorder, &lines, &ctx, &judgement);
	take_text();
	memmove(text.p, text.p + before, text.n - before);
	text.n -= before;
	shk_buf_addc(&text, 0);
	text.n--;
}

/* What no rule asks for is not read for every event, but for one a moment. */
static void asked_for(void **state)
{
	bool quiet = false;

	(void)state;
	/* A moment may end between two. */
	for (int i = 0; i < 20 && !quiet; i++) {
		note_only("getpid");
		note_only("getpid");
		quiet = strncmp(text.p, "event ", 6) == 0;
	}
	assert_true(quiet);
	/* What one asks for is as it is now. */
	for (int i = 0; i < 20; i++) {
		struct shk_eval_ctx c;
		struct shk_buf b;

		event("getpid", 0, 0, 0, 0);
		c = ctx;
		shk_buf_init(&b, 4096);
		value_of(&c, i % 2 ? "proc.fdlimit" : "proc.stdin.name", &b);
		shk_buf_done(&b);
		assert_true(shk_proc_asked(shk_proc_task_of(&c), i % 2 ? SHK_ASKED_USAGE : SHK_ASKED_STREAMS));
		assert_false(shk_proc_asked(shk_proc_task_of(&c), SHK_ASKED_NAMES));
	}
}

/* The main thread is woken for much, not for little. */
static void wakes(void **state)
{
	size_t n = 0;

	(void)state;
	for (bool due = false; !due; n++) {
		assert_true(n < 100000);
		event("openat", (uint32_t)AT_FDCWD, (uint64_t)(uintptr_t)"/etc/passwd", O_RDONLY, 0);
		due = shk_recorder_note(&recorder, &lines, &ctx, &judgement);
	}
	assert_true(n > 10);
	take_text();
	assert_true(text.n >= SHK_RECORDER_PIECE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(programs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sockets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(objects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(losses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(some_containers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asked_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wakes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
