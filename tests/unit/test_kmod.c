// SPDX-License-Identifier: Apache-2.0
/* Records of the kernel module: rings read, merged and broken; records as events. The module itself is tested in guests: make check-vm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>

#include "sources/kmod/event.h"
#include "sources/kmod/kmod.h"

#define SIZE 4096

/* A module's side of a ring. */
struct side {
	struct shrike_ring page;
	uint8_t data[SIZE] __attribute__((aligned(8)));
	struct shk_kring r;
	uint64_t seq;
};

static void side_init(struct side *s)
{
	memset(s, 0, sizeof(*s));
	s->r = (struct shk_kring){ .page = &s->page, .data = s->data, .size = SIZE, .started = true };
}

/* Writes a record as the module does, with a skip where it would wrap. */
static struct shrike_record *put(struct side *s, unsigned type, uint64_t time, const void *body, size_t n)
{
	uint32_t len = (uint32_t)((sizeof(struct shrike_record) + n + 7) & ~7u), at = s->page.head & (SIZE - 1);
	struct shrike_record *rec = (void *)(s->data + at);

	if (SIZE - at < len) {
		rec->length = SIZE - at;
		rec->type = SHRIKE_SKIP;
		s->page.head += rec->length;
		rec = (void *)s->data;
	}
	memset(rec, 0, len);
	rec->length = len;
	rec->type = (uint16_t)type;
	rec->time = time;
	rec->seq = s->seq++;
	rec->nr = -1;
	memcpy(rec + 1, body, n);
	s->page.head += len;
	return rec;
}

static void test_wrap(void **state)
{
	struct shrike_exit e = { 0 };
	struct side s;
	(void)state;

	side_init(&s);
	for (unsigned i = 0; i < 1000; i++) {
		put(&s, SHRIKE_EXIT, i, &e, sizeof(e));
		put(&s, SHRIKE_FORK, i, &(struct shrike_fork){ .tid = i }, sizeof(struct shrike_fork));
		assert_int_equal(shk_kring_peek(&s.r), 1);
		assert_int_equal(shk_kring_peek(&s.r), 1);
		assert_int_equal(s.r.held->type, SHRIKE_EXIT);
		assert_int_equal(s.r.held->time, i);
		shk_kring_advance(&s.r);
		assert_int_equal(shk_kring_peek(&s.r), 1);
		assert_int_equal(s.r.held->type, SHRIKE_FORK);
		assert_int_equal(((const struct shrike_fork *)(s.r.held + 1))->tid, i);
		shk_kring_advance(&s.r);
		assert_int_equal(shk_kring_peek(&s.r), 0);
		assert_int_equal(s.page.tail, s.page.head);
	}
	assert_int_equal(s.r.missed, 0);
}

static void test_loss(void **state)
{
	struct shrike_exit e = { 0 };
	struct side s;
	(void)state;

	side_init(&s);
	put(&s, SHRIKE_EXIT, 1, &e, sizeof(e));
	s.seq += 7;
	put(&s, SHRIKE_LOSS, 2, &(struct shrike_loss){ .count = 7, .since = 1 }, sizeof(struct shrike_loss));
	put(&s, SHRIKE_EXIT, 3, &e, sizeof(e));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shk_kring_peek(&s.r), 1);
		shk_kring_advance(&s.r);
	}
	assert_int_equal(shk_kring_peek(&s.r), 0);
	assert_int_equal(s.r.missed, 7);
	assert_int_equal(s.r.told, 7);
}

static void test_broken(void **state)
{
	static const struct { uint32_t length; uint64_t head; } bad[] = {
		{ 0, 88 }, { 4, 88 }, { 12, 88 }, { 96, 88 }, { SIZE + 8, SIZE }, { 0xfffffff8, 88 }, { 40, 88 },
		{ 88, SIZE + 88 }, { 88, ~0ull },
	};
	struct side s;
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		side_init(&s);
		put(&s, SHRIKE_EXIT, 1, &(struct shrike_exit){ 0 }, sizeof(struct shrike_exit))->length = bad[i].length;
		s.page.head = bad[i].head;
		assert_int_equal(shk_kring_peek(&s.r), -EBADMSG);
		/* For good, and nothing is done with it. */
		shk_kring_advance(&s.r);
		assert_int_equal(shk_kring_peek(&s.r), -EBADMSG);
		assert_int_equal(s.page.tail, 0);
	}
	/* A sequence that goes back */
	side_init(&s);
	put(&s, SHRIKE_EXIT, 1, &(struct shrike_exit){ 0 }, sizeof(struct shrike_exit));
	s.seq = 0;
	put(&s, SHRIKE_EXIT, 2, &(struct shrike_exit){ 0 }, sizeof(struct shrike_exit));
	assert_int_equal(shk_kring_peek(&s.r), 1);
	shk_kring_advance(&s.r);
	assert_int_equal(shk_kring_peek(&s.r), -EBADMSG);
}

/* The module's head is looked at again only where the last look ended: what it was then is read, however it lies by now. */
static void test_batch(void **state)
{
	struct shrike_exit e = { 0 };
	struct side s;
	struct shk_merge m = { .ring = &s.r, .n = 1 };
	struct shk_kring next;
	(void)state;

	side_init(&s);
	put(&s, SHRIKE_EXIT, 1, &e, sizeof(e));
	put(&s, SHRIKE_EXIT, 2, &e, sizeof(e));
	assert_int_equal(shk_merge_next(&m, 0)->time, 1);
	/* Another reader, when this one has done with the first */
	next = (struct shk_kring){ .page = &s.page, .data = s.data, .size = SIZE, .tail = 88 };
	assert_int_equal(shk_kring_peek(&next), 1);
	assert_int_equal(next.held->time, 2);
	shk_kring_advance(&next);
	assert_int_equal(shk_kring_peek(&next), 0);
	s.page.head = ~0ull;
	assert_int_equal(shk_merge_next(&m, 0)->time, 2);
	for (int i = 0; i < 3; i++) {
		assert_null(shk_merge_next(&m, 0));
		assert_true(s.r.broken);
	}
	assert_int_equal(s.page.tail, 2 * 88);
	/* Nor does it come back with a head that could be right. */
	s.page.head = 3 * 88;
	assert_null(shk_merge_next(&m, 0));
}

static void test_merge(void **state)
{
	struct side a, b;
	struct shk_kring rings[3];
	struct shk_merge m = { .ring = rings, .n = 3 };
	static const uint64_t first[] = { 10, 40, 50 }, second[] = { 20, 30, 60 };
	uint64_t last = 0;
	(void)state;

	side_init(&a);
	side_init(&b);
	for (int i = 0; i < 3; i++) {
		put(&a, SHRIKE_EXIT, first[i] * 1000000, &(struct shrike_exit){ 0 }, sizeof(struct shrike_exit));
		put(&b, SHRIKE_EXIT, second[i] * 1000000, &(struct shrike_exit){ 0 }, sizeof(struct shrike_exit));
	}
	rings[0] = a.r;
	rings[1] = (struct shk_kring){ 0 }; /* a processor that cannot be */
	rings[2] = b.r;
	for (unsigned i = 1; i <= 4; i++) {
		const struct shrike_record *rec = shk_merge_next(&m, 43000000);

		assert_non_null(rec);
		assert_true(rec->time == i * 10000000);
		last = rec->time;
	}
	/* 50 is too young at 51, and not at 52. */
	assert_int_equal(last, 40000000);
	assert_null(shk_merge_next(&m, 51000000));
	assert_non_null(shk_merge_next(&m, 52000000));
	assert_non_null(shk_merge_next(&m, 0));
	assert_null(shk_merge_next(&m, 0));
}

/* A path record in a buffer of its own. */
static struct shrike_record *path_record(unsigned type, const char *text, const char *text2, size_t n2, struct shrike_path p)
{
	static uint64_t buf[64];
	struct shrike_record *rec = (void *)buf;
	size_t n = strlen(text), len = (sizeof(*rec) + sizeof(p) + n + n2 + 7) & ~7ul;

	memset(buf, 0, sizeof(buf));
	p.path_len = (uint16_t)n;
	p.path2_len = (uint16_t)n2;
	*rec = (struct shrike_record){ .length = (uint32_t)len, .type = (uint16_t)type, .time = 5, .tid = 7, .tgid = 6, .nr = 426 };
	memcpy(rec + 1, &p, sizeof(p));
	memcpy((char *)(rec + 1) + sizeof(p), text, n);
	memcpy((char *)(rec + 1) + sizeof(p) + n, text2, n2);
	return rec;
}

static struct shk_arena arena;

static int decode(const struct shrike_record *rec, struct shk_event *ev)
{
	shk_arena_reset(&arena);
	shk_event_init(ev, &arena);
	return shk_kmod_event(rec, 1000, ev);
}

static void text_is(struct shk_event *ev, unsigned i, const char *want)
{
	const struct shk_arg *a = shk_event_arg(ev, i);

	assert_int_equal(a->state, SHK_ARG_OK);
	assert_true(shk_str_eqz(a->bytes, want));
}

static void test_events(void **state)
{
	struct shk_event ev;
	uint64_t flags, mode;
	struct shrike_record *rec;
	(void)state;

	shk_arena_init(&arena, 1 << 20);
	/* Whatever the door was: here io_uring_enter. */
	assert_int_equal(decode(path_record(SHRIKE_OPEN, "/etc/shadow", "", 0, (struct shrike_path){ .flags = O_RDWR, .ino = 9 }), &ev), 0);
	assert_string_equal(ev.call->name, "openat");
	assert_int_equal(ev.sensor, SHK_SENSOR_MODULE);
	assert_true(ev.attempt && ev.tid == 7 && ev.pid == 6 && ev.time_ns == 1005);
	text_is(&ev, 1, "/etc/shadow");
	assert_true(shk_event_open_flags(&ev, &flags, &mode) && flags == O_RDWR);
	assert_true(ev.has_object && ev.obj_ino == 9);

	assert_int_equal(decode(path_record(SHRIKE_SYMLINK, "/a", "to", 2, (struct shrike_path){ 0 }), &ev), 0);
	text_is(&ev, 0, "to");
	text_is(&ev, 1, "/a");
	assert_int_equal(decode(path_record(SHRIKE_MOUNT, "/mnt", "dev\0ext4", 8, (struct shrike_path){ .flags = 3 }), &ev), 0);
	text_is(&ev, 0, "dev");
	text_is(&ev, 1, "/mnt");
	text_is(&ev, 2, "ext4");
	assert_int_equal(ev.raw[3], 3);
	assert_int_equal(decode(path_record(SHRIKE_EXEC, "/bin/x", "x\0-a\0b c\0", 9, (struct shrike_path){ 0 }), &ev), 0);
	assert_true(!ev.attempt && ev.has_ret && ev.ret == 0);
	assert_int_equal(shk_event_arg(&ev, 1)->vec.n, 3);
	assert_true(shk_str_eqz(shk_event_arg(&ev, 1)->vec.v[2], "b c"));
	assert_int_equal(decode(path_record(SHRIKE_MKNOD, "/f", "", 0, (struct shrike_path){ .flags = 0100644 }), &ev), -ENOMSG);
	/* Lengths that lead out of the record */
	rec = path_record(SHRIKE_OPEN, "/x", "", 0, (struct shrike_path){ 0 });
	((struct shrike_path *)(rec + 1))->path_len = 9;
	assert_int_equal(decode(rec, &ev), -EBADMSG);
	/* A path that could not be told is no empty path. */
	rec = path_record(SHRIKE_UNLINK, "", "", 0, (struct shrike_path){ 0 });
	rec->flags = SHRIKE_F_NO_PATH;
	assert_int_equal(decode(rec, &ev), 0);
	assert_int_equal(shk_event_arg(&ev, 0)->state, SHK_ARG_FAULT);
	/* Of two, the one that was told is. */
	rec = path_record(SHRIKE_RENAME, "/etc/shadow", "", 0, (struct shrike_path){ 0 });
	rec->flags = SHRIKE_F_NO_PATH;
	assert_int_equal(decode(rec, &ev), 0);
	text_is(&ev, 0, "/etc/shadow");
	assert_int_equal(shk_event_arg(&ev, 1)->state, SHK_ARG_FAULT);
	rec = path_record(SHRIKE_RENAME, "", "/to", 3, (struct shrike_path){ 0 });
	rec->flags = SHRIKE_F_NO_PATH;
	assert_int_equal(decode(rec, &ev), 0);
	assert_int_equal(shk_event_arg(&ev, 0)->state, SHK_ARG_FAULT);
	text_is(&ev, 1, "/to");
	shk_arena_done(&arena);
}

static void test_calls(void **state)
{
	struct { struct shrike_record head; struct shrike_call call; } c = {
		.head = { .length = sizeof(c), .type = SHRIKE_SYSCALL, .nr = SYS_read, .tid = 3, .tgid = 3 },
		.call = { .ret = -9, .args = { 5, 6, 7 } },
	};
	struct { struct shrike_record head; struct shrike_sock sock; struct sockaddr_in a; } s = {
		.head = { .length = sizeof(s), .type = SHRIKE_CONNECT, .nr = -1 },
		.sock = { .family = AF_INET, .addr_len = sizeof(s.a) },
		.a = { .sin_family = AF_INET, .sin_port = htons(443) },
	};
	struct shk_event ev;
	struct shk_str addr;
	(void)state;

	shk_arena_init(&arena, 1 << 20);
	assert_int_equal(decode(&c.head, &ev), 0);
	assert_string_equal(ev.call->name, "read");
	assert_true(ev.has_ret && ev.ret == -9 && !ev.attempt && ev.raw[0] == 5);
	assert_int_equal(decode(&s.head, &ev), 0);
	assert_string_equal(ev.call->name, "connect");
	assert_true(shk_event_sockaddr(&ev, &addr) && addr.n == sizeof(s.a) && !memcmp(addr.p, &s.a, sizeof(s.a)));
	shk_arena_done(&arena);
}

static void as(struct shk_event *ev, const char *name, int want)
{
	assert_int_equal(shk_kmod_event_as(ev, shk_syscall_by_name(shk_str(name))), want);
	if (!want)
		assert_string_equal(ev->call->name, name);
}

static void test_as(void **state)
{
	struct { struct shrike_record head; struct shrike_sock sock; struct sockaddr_in a; } s = {
		.head = { .length = sizeof(s), .type = SHRIKE_SENDMSG, .nr = SYS_sendmsg },
		.sock = { .family = AF_INET, .addr_len = sizeof(s.a) },
		.a = { .sin_family = AF_INET, .sin_port = htons(53) },
	};
	const struct shrike_record *open = path_record(SHRIKE_OPEN, "/f", "", 0, (struct shrike_path){ .flags = O_WRONLY | O_CREAT });
	uint64_t flags, mode;
	struct shk_event ev;
	struct shk_str addr;
	(void)state;

	shk_arena_init(&arena, 1 << 20);
	assert_int_equal(decode(open, &ev), 0);
	as(&ev, "open", 0);
	text_is(&ev, 0, "/f");
	assert_true(shk_event_open_flags(&ev, &flags, &mode) && flags == (O_WRONLY | O_CREAT));
	assert_int_equal(decode(open, &ev), 0);
	as(&ev, "openat2", 0);
	text_is(&ev, 1, "/f");
	assert_int_equal((int)ev.raw[0], AT_FDCWD);
	assert_true(shk_event_open_flags(&ev, &flags, &mode) && flags == (O_WRONLY | O_CREAT));
	assert_int_equal(decode(open, &ev), 0);
	as(&ev, "creat", 0);
	text_is(&ev, 0, "/f");
	assert_int_equal(decode(open, &ev), 0);
	as(&ev, "renameat", -ENOMSG);

	assert_int_equal(decode(path_record(SHRIKE_RMDIR, "/d", "", 0, (struct shrike_path){ 0 }), &ev), 0);
	as(&ev, "unlinkat", 0);
	text_is(&ev, 1, "/d");
	assert_int_equal(ev.raw[2], AT_REMOVEDIR);
	assert_int_equal(decode(path_record(SHRIKE_CHOWN, "/c", "", 0, (struct shrike_path){ .arg = 7 | 8ull << 32 }), &ev), 0);
	as(&ev, "fchownat", 0);
	assert_true(ev.raw[2] == 7 && ev.raw[3] == 8);
	assert_int_equal(decode(path_record(SHRIKE_RENAME, "/a", "/b", 2, (struct shrike_path){ 0 }), &ev), 0);
	as(&ev, "renameat2", 0);
	text_is(&ev, 1, "/a");
	text_is(&ev, 3, "/b");
	assert_true((int)ev.raw[0] == AT_FDCWD && (int)ev.raw[2] == AT_FDCWD);
	assert_int_equal(decode(path_record(SHRIKE_SYMLINK, "/a", "to", 2, (struct shrike_path){ 0 }), &ev), 0);
	as(&ev, "symlinkat", 0);
	text_is(&ev, 0, "to");
	text_is(&ev, 2, "/a");

	assert_int_equal(decode(&s.head, &ev), 0);
	as(&ev, "sendmsg", 0);
	assert_true(shk_event_sockaddr(&ev, &addr) && addr.n == sizeof(s.a) && !memcmp(addr.p, &s.a, sizeof(s.a)));
	shk_arena_done(&arena);
}

/* On a machine without the module the answer is a sentence. */
static void test_absent(void **state)
{
	struct shk_kmod *k = NULL;
	struct shk_err err = { 0 };
	int e;
	(void)state;

	e = shk_kmod_open(&k, &err);
	if (e == 0) {
		shk_kmod_close(k);
		skip();
	}
	assert_null(k);
	assert_int_not_equal(err.text[0], 0);
	if (e == -ENOENT)
		assert_string_equal(err.text, "the kernel module shrike is not loaded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap), cmocka_unit_test(test_loss), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_batch), cmocka_unit_test(test_merge), cmocka_unit_test(test_events), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_as), cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
