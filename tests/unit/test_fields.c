/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields.c - lookup of fields by text, and their values on made-up events.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fields/fields.h"
#include "state/container.h"

/* ---- an event whose memory is a few strings at small addresses ---- */

static char memory[8192];
static size_t memory_used;
static struct shk_arena arena;
static struct shk_event ev;
static struct shk_container ctr;
static struct shk_eval_ctx ctx;

static ssize_t mem_read(struct shk_event *e, uint64_t addr, void *buf, size_t n)
{
	(void)e;
	if (addr < 4096 || addr >= 4096 + sizeof(memory))
		return -EFAULT;
	n = SHK_MIN(n, 4096 + sizeof(memory) - addr);
	memcpy(buf, memory + (addr - 4096), n);
	return (ssize_t)n;
}

static const struct shk_mem_ops mem_ops = { .read = mem_read };

static uint64_t put(const void *p, size_t n)
{
	uint64_t addr = 4096 + memory_used;

	assert_true(memory_used + n <= sizeof(memory));
	memcpy(memory + memory_used, p, n);
	memory_used += (n + 15) & ~15ul;
	return addr;
}

static uint64_t put_str(const char *s)
{
	return put(s, strlen(s) + 1);
}

/* An attempt of the call; registers follow. */
static void event(const char *call, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	shk_arena_reset(&arena);
	shk_event_init(&ev, &arena);
	ev.num = 7;
	ev.time_ns = 1700000000000000001ull;
	ev.call = shk_syscall_by_name(shk_str(call));
	assert_non_null(ev.call);
	ev.abi = SHK_ABI_X86_64;
	ev.nr = ev.call->nr[SHK_ABI_X86_64];
	ev.sensor = SHK_SENSOR_NOTIFY;
	ev.attempt = true;
	ev.tid = ev.pid = getpid();
	ev.raw[0] = a;
	ev.raw[1] = b;
	ev.raw[2] = c;
	ev.raw[3] = d;
	ev.raw[4] = e;
	ev.mem = &mem_ops;
	ev.ctr = &ctr;
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = &ctr };
}

/* The text of a field, "<NA>" when it is missing. Valid until the next call. */
static const char *text_of(const char *field)
{
	static struct shk_buf b = { .limit = 65536 };
	struct shk_field_ref ref;
	struct shk_value v;
	struct shk_err err;

	if (shk_field_parse(shk_str(field), &ref, &err) < 0)
		fail_msg("%s: %s", field, err.text);
	shk_buf_reset(&b);
	if (!shk_field_get(&ctx, &ref, &v))
		return "<NA>";
	assert_int_equal(v.type, ref.type);
	shk_value_print(&v, ref.field, &b);
	return b.p ? b.p : "";
}

#define IS(field, want) assert_string_equal(text_of(field), want)

static int setup(void **state)
{
	(void)state;
	shk_arena_init(&arena, 1 << 20);
	memory_used = 0;
	memset(&ctr, 0, sizeof(ctr));
	ctr.id = SHK_STR("0123456789ab");
	ctr.full_id = SHK_STR("0123456789abcdef");
	ctr.name = SHK_STR("web");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shk_arena_done(&arena);
	return 0;
}

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

static void test_container(void **state)
{
	struct shk_mount_info mounts[] = {
		{ SHK_STR("proc"), SHK_STR("/proc"), SHK_STR("proc"), SHK_STR("nosuid") },
		{ SHK_STR("/etc"), SHK_STR("/host/etc"), SHK_STR("bind"), SHK_STR("rbind,ro") },
		{ SHK_STR("/var/run"), SHK_STR("/run"), SHK_STR("none"), SHK_STR("bind,rslave") },
	};
	struct shk_kv notes[] = { { SHK_STR("org.x"), SHK_STR("y") } };

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	IS("container.id", "0123456789ab");
	IS("container.image", "<NA>");
	IS("container.privileged", "false");
	ctr.mounts = mounts;
	ctr.n_mounts = SHK_ARRAY_SIZE(mounts);
	ctr.annotations = notes;
	ctr.n_annotations = 1;
	IS("container.mount.dest[0]", "/host/etc");
	IS("container.mount.dest[/var/*]", "/run");
	IS("container.mount.dest[/proc*]", "<NA>");
	IS("container.mount.source[/run]", "/var/run");
	IS("container.mount.rdwr[/etc]", "false");
	IS("container.mounts", "/etc:/host/etc::false:private,/var/run:/run::true:rslave");
	IS("container.annotation[org.x]", "y");
	IS("container.annotation[org]", "<NA>");
	ctx.ctr = NULL;
	IS("container.id", "host");
	IS("container.mounts", "<NA>");
}

static void test_print(void **state)
{
	struct shk_str words[] = { SHK_STR("a"), SHK_STR("b") };
	struct shk_value v = { .type = SHK_T_LIST, .list = { words, 2, false } };
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
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test_setup_teardown(test_result, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_args, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_container, setup, teardown),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
