/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_evt.c - fields of the event itself: type, result, arguments, data, time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

/* ---- the event ---- */

static void test_result(void **state)
{
	(void)state;
	event("openat", (uint64_t)AT_FDCWD, put_str("/etc/shadow"), O_RDWR | O_CREAT, 0755, 0);
	IS("evt.num", "7");
	IS("evt.type", "openat");
	IS("evt.dir", "<");
	IS("evt.attempt", "true");
	IS("evt.sensor", "notify");
	IS("evt.res", "SUCCESS");
	IS("evt.rawres", "0");
	IS("evt.failed", "false");
	IS("evt.rawtime", "1700000000000000001");
	IS("evt.time.iso8601", "2023-11-14T22:13:20.000000001+0000");
	ev.has_ret = true;
	ev.ret = -ENOENT;
	IS("evt.res", "ENOENT");
	IS("evt.rawres", "-2");
	IS("evt.failed", "true");
	ev.has_ret = false;
	ev.attempt = false;
	IS("evt.res", "<NA>");
	IS("evt.rawres", "<NA>");
	ev.call = NULL;
	IS("evt.type", "unknown");
	IS("evt.args", "");
	IS("evt.arg[0]", "<NA>");
}

static void test_open(void **state)
{
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 0700 };
	uint64_t path = put_str("/tmp/x");

	(void)state;
	event("open", path, O_RDWR | O_CREAT, 0755, 0, 0);
	IS("evt.is_open_read", "true");
	IS("evt.is_open_write", "true");
	IS("evt.is_open_create", "false");
	IS("evt.is_open_exec", "true");
	IS("evt.arg.flags", "O_CREAT|O_RDWR");
	IS("evt.rawarg.flags", "7");
	IS("evt.arg.mode", "0755");
	IS("evt.rawarg.mode", "755");
	IS("evt.arg.path", "<NA>");
	IS("evt.rawarg.size", "<NA>");
	event("openat2", (uint64_t)AT_FDCWD, path, put(&how, sizeof(how)), sizeof(how), 0);
	IS("evt.is_open_read", "false");
	IS("evt.is_open_write", "true");
	IS("evt.is_open_create", "true");
	IS("evt.arg.flags", "O_EXCL|O_CREAT|O_WRONLY");
	IS("evt.arg.mode", "0700");
	event("creat", path, 0644, 0, 0, 0);
	IS("evt.is_open_read", "false");
	IS("evt.is_open_write", "false");
	IS("evt.is_open_exec", "false");
	IS("evt.arg.flags", "<NA>");
	event("openat2", (uint64_t)AT_FDCWD, path, 1, sizeof(how), 0);
	IS("evt.is_open_write", "false");
	IS("evt.arg.flags", "<NA>");
	assert_true(ev.memory_failed);
}

static void test_args(void **state)
{
	(void)state;
	event("ptrace", 16, 1, 0, 0, 0);
	IS("evt.arg.request", "PTRACE_ATTACH");
	IS("evt.rawarg.pid", "1");
	event("chmod", put_str("/bin/x"), 04755, 0, 0, 0);
	IS("evt.arg.mode", "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID");
	event("mount", put_str("/dev/sda1"), put_str("/mnt"), put_str("ext4"), 1, 0);
	IS("evt.arg.dev", "/dev/sda1");
	IS("evt.arg.dir", "/mnt");
	IS("evt.arg.type", "ext4");
	IS("evt.arg.flags", "RDONLY");
	IS("evt.args", "res=0 dev=/dev/sda1 dir=/mnt type=ext4 flags=1(RDONLY)");
	event("mount", 0, put_str("/mnt"), 0, 0, 0);
	IS("evt.arg.dev", "NULL");
	event("socket", 17, 3, 0, 0, 0);
	IS("evt.arg.domain", "AF_PACKET");
}

static void test_buffer(void **state)
{
	(void)state;
	event("write", 1, put_str("hello"), 5, 0, 0);
	IS("evt.buffer", "hello");
	IS("evt.buflen", "5");
	IS("evt.is_io_write", "true");
	IS("evt.io_dir", "write");
	event("read", 1, put_str("hello"), 5, 0, 0);
	IS("evt.buffer", "<NA>");
	ev.attempt = false;
	ev.has_ret = true;
	ev.ret = 2;
	IS("evt.buffer", "he");
}

static void test_type_is(void **state)
{
	struct shk_field_ref ref;

	(void)state;
	event("openat", 0, 0, 0, 0, 0);
	IS("evt.type.is.openat", "1");
	IS("evt.type.is.open", "0");
	event("pread64", 0, 0, 0, 0, 0);
	IS("evt.type.is.pread", "1");
	ev.call = NULL;
	IS("evt.type.is.openat", "0");
	assert_int_equal(shk_field_parse(SHK_STR("evt.type.is.nosuch"), &ref, NULL), -EINVAL);
	assert_int_equal(shk_field_parse(SHK_STR("evt.type.is"), &ref, NULL), -EINVAL);
	assert_int_equal(shk_field_parse(SHK_STR("evt.type.is[1]"), &ref, NULL), -ENOENT);
}

static void test_times(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	IS("evt.reltime", "<NA>");
	IS("evt.deltatime", "<NA>");
	ev.first_ns = ev.time_ns - 2500000000u;
	ev.prev_ns = ev.time_ns - 7;
	IS("evt.reltime", "2500000000");
	IS("evt.reltime.s", "2");
	IS("evt.reltime.ns", "500000000");
	IS("evt.deltatime", "7");
	IS("evt.deltatime.s", "0");
	IS("evt.deltatime.ns", "7");
	ev.prev_ns = ev.time_ns + 1; /* workers are not in step */
	IS("evt.deltatime", "0");
	assert_string_equal(text_of("evt.outputtime") + 8, ".000000001");
	IS("util.cnt", "7");
}

static void test_around(void **state)
{
	struct shk_field_ref ref;

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	IS("evt.around[1700000000000000001]", "0");
	IS("evt.around[1700000000000000000]", "1");
	IS("evt.around[1699999999000000001]", "1000");
	IS("evt.around[1700000002000000001]", "2000");
	assert_int_equal(shk_field_parse(SHK_STR("evt.around[x]"), &ref, NULL), -EINVAL);
	assert_int_equal(shk_field_parse(SHK_STR("evt.around[-1]"), &ref, NULL), -EINVAL);
	assert_int_equal(shk_field_parse(SHK_STR("evt.around"), &ref, NULL), -EINVAL);
}

static void test_category(void **state)
{
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC), sock = socket(AF_INET, SOCK_DGRAM, 0);
	int pipes[2];

	(void)state;
	assert_true(file >= 0 && sock >= 0 && pipe(pipes) == 0);
	event("open", 0, 0, 0, 0, 0);
	IS("evt.category", "file");
	event("chown32", 0, 0, 0, 0, 0);
	IS("evt.category", "file");
	event("connect", 0, 0, 0, 0, 0);
	IS("evt.category", "net");
	event("brk", 0, 0, 0, 0, 0);
	IS("evt.category", "memory");
	returned(-ENOMEM);
	IS("evt.count.error.memory", "1");
	IS("evt.count.error.other", "<NA>");
	event("write", (uint64_t)file, put_str("x"), 1, 0, 0);
	IS("evt.category", "file");
	returned(-EBADF);
	IS("evt.count.error.file", "1");
	IS("evt.count.error.net", "<NA>");
	event("write", (uint64_t)sock, put_str("x"), 1, 0, 0);
	IS("evt.category", "net");
	IS("evt.count.error.net", "<NA>");
	returned(-EDESTADDRREQ);
	IS("evt.count.error.net", "1");
	event("write", (uint64_t)pipes[1], put_str("x"), 1, 0, 0);
	IS("evt.category", "IPC");
	returned(-EPIPE);
	IS("evt.count.error.other", "1");
	IS("evt.count.error.file", "<NA>");
	event("write", 1000000, put_str("x"), 1, 0, 0);
	IS("evt.category", "unknown");
	ev.call = NULL;
	IS("evt.category", "unknown");
	IS("evt.count.error.other", "<NA>");
	close(file);
	close(sock);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_lengths(void **state)
{
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC), sock = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_true(file >= 0 && sock >= 0);
	event("write", (uint64_t)sock, put_str("hello"), 5, 0, 0);
	IS("evt.buflen.out", "5");
	IS("evt.buflen.in", "<NA>");
	IS("evt.buflen.net", "5");
	IS("evt.buflen.net.out", "5");
	IS("evt.buflen.net.in", "<NA>");
	IS("evt.buflen.file", "<NA>");
	IS("evt.buflen.file.out", "<NA>");
	event("write", (uint64_t)file, put_str("hello"), 5, 0, 0);
	IS("evt.buflen.file.out", "5");
	event("read", (uint64_t)file, put_str("hello"), 5, 0, 0);
	IS("evt.buflen.in", "<NA>");
	returned(3);
	IS("evt.buflen.in", "3");
	IS("evt.buflen.file", "3");
	IS("evt.buflen.file.in", "3");
	IS("evt.buflen.net", "<NA>");
	event("read", (uint64_t)sock, put_str("hello"), 5, 0, 0);
	returned(3);
	IS("evt.buflen.net.in", "3");
	IS("evt.buflen.out", "<NA>");
	close(file);
	close(sock);
}

static void test_wait_syslog(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(s >= 0);
	event("ppoll", 0, 0, 0, 0, 0);
	IS("evt.is_wait", "true");
	IS("evt.is_syslog", "false");
	event("sendto", (uint64_t)s, put_str("hello"), 5, 0, put(&un, sizeof(un)));
	ev.raw[5] = sizeof(un);
	IS("evt.is_wait", "false");
	IS("evt.is_syslog", "true");
	event("sendto", (uint64_t)s, put_str("hello"), 5, 0, 0);
	IS("evt.is_syslog", "false");
	ev.call = NULL;
	IS("evt.is_wait", "false");
	close(s);
}

static void test_abspath(void **state)
{
	struct shk_field_ref ref;
	int dir = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(dir >= 0);
	event("renameat", (uint64_t)dir, put_str("a"), (uint64_t)AT_FDCWD, put_str("/b/../c"), 0);
	IS("evt.abspath", "/usr/a");
	IS("evt.abspath.src", "/usr/a");
	IS("evt.abspath.dst", "/c");
	event("symlinkat", put_str("../x"), (uint64_t)dir, put_str("l"), 0, 0);
	IS("evt.abspath", "/usr/l");
	IS("evt.abspath.dst", "<NA>");
	event("unlinkat", (uint64_t)dir, put_str("x"), 0, 0, 0);
	IS("evt.abspath", "/usr/x");
	event("open", put_str("/x"), 0, 0, 0, 0);
	IS("evt.abspath", "<NA>");
	event("getpid", 0, 0, 0, 0, 0);
	IS("evt.abspath", "<NA>");
	assert_int_equal(shk_field_parse(SHK_STR("evt.abspath.x"), &ref, NULL), -EINVAL);
	close(dir);
}

/* Known by name, without a value on any event. */
static void test_absent(void **state)
{
	const struct shk_field *const *all;
	unsigned seen = 0;
	size_t n;

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	all = shk_fields_all(&n);
	for (size_t i = 0; i < n; i++) {
		char name[128];

		if (shk_field_availability(all[i]) != SHK_UNAVAILABLE)
			continue;
		seen++;
		assert_true(strlen(shk_field_origin(all[i])) > 10);
		snprintf(name, sizeof(name), "%s%s", all[i]->name,
			 all[i]->flags & SHK_F_ARG_REQUIRED ? "[x]" : "");
		IS(name, "<NA>");
	}
	assert_true(seen > 20);
}

static void test_header(void **state)
{
	(void)state;
	event("read", 1, put_str("x"), 1, 0, 0);
	IS("syscall.type", "read");
	IS("evt.source", "syscall");
	IS("evt.is_async", "false");
	assert_string_not_equal(text_of("evt.hostname"), "<NA>");
	IS("evt.count", "1");
	IS("evt.count.exit", "1");
	IS("evt.count.error", "<NA>");
	IS("evt.is_io", "true");
	IS("evt.is_io_read", "true");
	IS("evt.io_dir", "read");
	returned(-EBADF);
	IS("evt.count.error", "1");
	event("getpid", 0, 0, 0, 0, 0);
	IS("evt.is_io", "false");
	IS("evt.is_io_read", "false");
	IS("evt.io_dir", "<NA>");
	IS("evt.buflen", "<NA>");
	IS("evt.rawarg.mode", "<NA>");
	IS("evt.rawtime.s", "1700000000");
	IS("evt.rawtime.ns", "1");
	assert_int_equal(strlen(text_of("evt.time")), strlen("22:13:20.000000001"));
	assert_int_equal(strlen(text_of("evt.time.s")), strlen("22:13:20"));
	assert_int_equal(strlen(text_of("evt.datetime")), strlen("2023-11-14 22:13:20.000000001"));
	assert_int_equal(strlen(text_of("evt.datetime.s")), strlen("2023-11-14 22:13:20"));
	event("mount", 0, put_str("/mnt"), 0, 0, 0);
	assert_non_null(strstr(text_of("evt.info"), "dir=/mnt"));
	ev.call = NULL;
	IS("syscall.type", "<NA>");
	IS("evt.info", "");
}

static void test_fs_raw(void **state)
{
	(void)state;
	event("rename", put_str("/a//b"), put_str("c/./d"), 0, 0, 0);
	IS("fs.path.targetraw", "c/./d");
	event("unlink", put_str("x//y"), 0, 0, 0, 0);
	IS("fs.path.nameraw", "x//y");
	event("getpid", 0, 0, 0, 0, 0);
	all_missing("fs.path", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_result),
		EVENT_TEST(test_open),
		EVENT_TEST(test_args),
		EVENT_TEST(test_buffer),
		EVENT_TEST(test_type_is),
		EVENT_TEST(test_times),
		EVENT_TEST(test_around),
		EVENT_TEST(test_category),
		EVENT_TEST(test_lengths),
		EVENT_TEST(test_wait_syslog),
		EVENT_TEST(test_abspath),
		EVENT_TEST(test_absent),
		EVENT_TEST(test_header),
		EVENT_TEST(test_fs_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
