/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields.c - lookup of fields by text, and their values on made-up events.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "fields/fields.h"
#include "state/container.h"

/* ---- an event whose memory is a few strings at small addresses ---- */

static char memory[8192];
static size_t memory_used;
static struct shk_arena arena;
static struct shk_event ev;
static struct shk_container *ctr;
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
	ev.ctr = ctr;
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = ctr };
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
	ctr = shk_container_new(1);
	if (!ctr)
		return -1;
	ctr->id = SHK_STR("0123456789ab");
	ctr->full_id = SHK_STR("0123456789abcdef");
	ctr->name = SHK_STR("web");
	ctr->init_pid = getpid();
	pthread_mutex_lock(&ctr->lock);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pthread_mutex_unlock(&ctr->lock);
	shk_container_unref(ctr);
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

	/* What decides the order of tests: registers before memory before /proc. */
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.request"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_STABLE);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.domain"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_STABLE);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.flags"), &ref, NULL), 0);
	assert_int_equal(ref.field->flags & (SHK_F_STABLE | SHK_F_COSTLY), 0);
	assert_int_equal(shk_field_parse(SHK_STR("evt.arg.path"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_COSTLY);

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

/* The list of fields that published rule files use: name, class, type, counts, ... and in column 9
 * the bracketed arguments seen, as "[2]:43 [/etc]:1". */
static void test_published(void **state)
{
	const char *dir = getenv("SHRIKE_TEST_DATA");
	char path[PATH_MAX], line[8192];
	unsigned fields = 0, args = 0;
	FILE *f;

	(void)state;
	if (!dir) {
		print_message("skipped: SHRIKE_TEST_DATA names no directory with falco-language/fields.tsv\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/falco-language/fields.tsv", dir);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && strncmp(line, "# Part 2", 8)) {
		char *rest = line, *name = strsep(&rest, "\t"), *col = NULL;

		if (line[0] == '#' || !rest || !strcmp(name, "field"))
			continue;
		for (unsigned i = 1; i < 9 && rest; i++)
			col = strsep(&rest, "\t");
		fields++;
		for (char *one; (one = strsep(&col, " "));) {
			char text[512], *end = strrchr(one, ':');

			if (one[0] != '[' || !end)
				continue;
			*end = 0;
			snprintf(text, sizeof(text), "%s%s", name, one);
			if (parse(text) < 0)
				fail_msg("%s is not known", text);
			args++;
		}
		if (parse(name) == -ENOENT)
			fail_msg("%s is not known", name);
	}
	fclose(f);
	assert_true(fields > 80);
	assert_true(args > 15);
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
	ctr->mounts = mounts;
	ctr->n_mounts = SHK_ARRAY_SIZE(mounts);
	ctr->annotations = notes;
	ctr->n_annotations = 1;
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

/* ---- this very process ---- */

static char *argv0;

static void read_comm(pid_t pid, char comm[32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(comm, 32, f));
	comm[strcspn(comm, "\n")] = 0;
	fclose(f);
}

static const char *number(long n)
{
	static char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	return text;
}

static void test_process(void **state)
{
	char comm[32], text[PATH_MAX + 64];

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	read_comm(getpid(), comm);
	IS("proc.name", comm);
	IS("proc.aname[0]", comm);
	IS("proc.cmdline", comm);
	IS("proc.exe", argv0);
	IS("proc.args", "");
	IS("proc.args[0]", "");
	IS("proc.cmdnargs", "0");
	IS("proc.env[SHRIKE_TEST_WORD]", "");
	IS("proc.pid", number(getpid()));
	IS("proc.ppid", number(getppid()));
	IS("proc.apid[1]", number(getppid()));
	IS("thread.tid", number(getpid()));
	IS("thread.ismain", "true");
	IS("user.uid", number(geteuid()));
	IS("group.gid", number(getegid()));
	IS("proc.is_exe_from_memfd", "false");
	IS("proc.is_exec_session", "false");
	read_comm(getppid(), comm);
	IS("proc.pname", comm);
	IS("proc.aname[1]", comm);
	IS("proc.aname[60]", "<NA>");
	assert_true(shk_str_starts(shk_str(text_of("proc.aname")), shk_str(comm)));
	assert_non_null(getcwd(text, PATH_MAX));
	strcat(text, "/");
	IS("proc.cwd", text);
}

/* The candidates of an index-less field are the ancestors, nearest first. */
static void test_ancestors(void **state)
{
	struct shk_field_ref ref;
	struct shk_value v;
	char comm[32];

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	read_comm(getppid(), comm);
	assert_int_equal(shk_field_parse(SHK_STR("proc.aname"), &ref, NULL), 0);
	assert_true(ref.field->flags & SHK_F_MULTI);
	assert_true(ref.field->any_ne);
	v.type = ref.type;
	assert_true(ref.field->multi(&ctx, &ref, 0, &v));
	assert_true(shk_str_eqz(v.s, comm));
	assert_false(ref.field->multi(&ctx, &ref, 1000, &v));
	ev.tid = ev.pid = -1; /* gone */
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = ctr };
	IS("proc.name", "<NA>");
	IS("proc.aname", "<NA>");
	IS("proc.pname", "<NA>");
	assert_false(ref.field->multi(&ctx, &ref, 0, &v));
}

/* An execve that may succeed is judged as the program to come. */
static void test_exec(void **state)
{
	uint64_t argv[4] = { put_str("sh"), put_str("-c"), put_str("id; ls"), 0 };
	uint64_t envp[2] = { put_str("A=b c"), 0 };
	char comm[32];

	(void)state;
	event("execve", put_str("/bin/sh"), put(argv, sizeof(argv)), put(envp, sizeof(envp)), 0, 0);
	IS("proc.name", "sh");
	IS("proc.exe", "sh");
	IS("proc.args", "-c id; ls");
	IS("proc.args[1]", "id; ls");
	IS("proc.args[2]", "");
	IS("proc.cmdline", "sh -c id; ls");
	IS("proc.exeline", "sh -c id; ls");
	IS("proc.cmdnargs", "2");
	IS("proc.cmdlenargs", "8");
	IS("proc.env", "A=b c");
	IS("proc.env[A]", "b c");
	IS("proc.env[B]", "");
	IS("evt.arg.args", "-c id; ls");
	IS("evt.arg.comm", "sh");
	IS("fs.path.name", "<NA>");
	IS("evt.is_open_write", "false");
	event("execve", put_str("/bin/sh"), put(argv, sizeof(argv)), 0, 0, 0);
	ev.has_ret = true;
	ev.ret = -EACCES;
	read_comm(getpid(), comm);
	IS("proc.name", comm);
	IS("evt.arg.res", "EACCES");
}

static void test_paths(void **state)
{
	(void)state;
	event("rename", put_str("/tmp//a/../b"), put_str("/usr/bin/./x"), 0, 0, 0);
	IS("fs.path.source", "/tmp/b");
	IS("fs.path.sourceraw", "/tmp//a/../b");
	IS("fs.path.target", "/usr/bin/x");
	IS("fs.path.name", "<NA>");
	IS("evt.arg.oldpath", "/tmp/b");
	event("symlink", put_str("../etc/shadow"), put_str("/tmp/l"), 0, 0, 0);
	IS("fs.path.source", "../etc/shadow");
	IS("fs.path.target", "/tmp/l");
	IS("evt.arg.target", "../etc/shadow");
	event("unlinkat", (uint64_t)AT_FDCWD, put_str("/etc/x"), 0, 0, 0);
	IS("fs.path.name", "/etc/x");
	event("unlink", 1, 0, 0, 0, 0);
	IS("fs.path.name", "<NA>");
	assert_true(ev.memory_failed);
}

/* ---- descriptors ---- */

static void test_fd_open(void **state)
{
	(void)state;
	event("openat", (uint64_t)AT_FDCWD, put_str("/tmp//the_file.sh"), O_RDWR, 0, 0);
	ev.has_ret = true;
	ev.ret = 4;
	IS("fd.name", "/tmp/the_file.sh");
	IS("fd.nameraw", "/tmp//the_file.sh");
	IS("fd.directory", "/tmp");
	IS("fd.filename", "the_file.sh");
	IS("fd.num", "4");
	IS("fd.type", "file");
	IS("fd.types", "(file)");
	IS("fd.typechar", "f");
	IS("fd.l4proto", "<NA>");
	IS("fd.sip", "<NA>");
	IS("fd.sport", "<NA>");
	IS("fd.connected", "false");
	IS("evt.arg.fd", "<f>/tmp/the_file.sh");
	IS("evt.rawarg.fd", "4");
	IS("evt.arg[0]", "<f>/tmp/the_file.sh");
	event("openat", (uint64_t)AT_FDCWD, put_str("/etc"), O_RDONLY | O_DIRECTORY, 0, 0);
	IS("fd.typechar", "d");
	IS("fd.directory", "/etc");
	IS("fd.filename", "<NA>");
	event("open", put_str("/root/x"), 0, 0, 0, 0);
	ev.has_ret = true;
	ev.ret = -ENOENT;
	IS("fd.name", "/root/x");
	IS("fd.num", "-1");
	IS("fd.typechar", "o");
	IS("fd.type", "<NA>");
	IS("fd.directory", "/root");
	IS("fd.filename", "<NA>");
	IS("evt.arg.fd", "ENOENT");
	IS("fs.path.name", "/root/x");
	event("open", put_str("/x"), 0, 0, 0, 0);
	IS("fd.directory", "/");
	event("unlink", put_str("/x"), 0, 0, 0, 0);
	IS("fd.name", "<NA>");
	IS("fd.num", "<NA>");
}

static bool candidate(const char *field, unsigned k, struct shk_value *v)
{
	struct shk_field_ref ref;

	assert_int_equal(shk_field_parse(shk_str(field), &ref, NULL), 0);
	v->type = ref.type;
	return ref.field->multi(&ctx, &ref, k, v);
}

static void test_fd_connect(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/docker.sock" };
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct shk_value v;

	(void)state;
	assert_true(tcp >= 0 && local >= 0);
	inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
	inet_pton(AF_INET6, "::ffff:10.1.2.4", &in6.sin6_addr);
	event("connect", (uint64_t)tcp, put(&in, sizeof(in)), sizeof(in), 0, 0);
	IS("fd.num", number(tcp));
	IS("fd.typechar", "4");
	IS("fd.type", "ipv4");
	IS("fd.sockfamily", "ip");
	IS("fd.l4proto", "tcp");
	IS("fd.sip", "10.1.2.3");
	IS("fd.snet", "10.1.2.3");
	IS("fd.sport", "443");
	IS("fd.rip", "10.1.2.3");
	IS("fd.rport", "443");
	IS("fd.sip.name", "10.1.2.3");
	IS("fd.connected", "true");
	IS("fd.name_changed", "true");
	IS("fd.is_server", "false");
	IS("evt.arg.addr", "10.1.2.3:443");
	assert_true(shk_str_ends(shk_str(text_of("fd.name")), SHK_STR("->10.1.2.3:443")));
	/* The local end is not chosen yet: the remote one is the only candidate. */
	IS("fd.lip", "<NA>");
	assert_true(candidate("fd.ip", 0, &v));
	assert_int_equal(v.ip.len, 4);
	assert_int_equal(v.ip.b[3], 3);
	assert_false(candidate("fd.ip", 1, &v));
	assert_true(candidate("fd.port", 0, &v));
	assert_int_equal(v.u, 443);
	event("connect", (uint64_t)tcp, put(&in, sizeof(in)), sizeof(in), 0, 0);
	ev.has_ret = true;
	ev.ret = -ECONNREFUSED;
	IS("fd.connected", "false");
	IS("fd.sport", "443");
	if (udp >= 0) {
		event("sendto", (uint64_t)udp, put_str("x"), 1, 0, put(&in6, sizeof(in6)));
		ev.raw[5] = sizeof(in6);
		IS("fd.typechar", "4");
		IS("fd.sip", "10.1.2.4");
		IS("fd.sport", "53");
		IS("fd.l4proto", "udp");
		IS("fd.connected", "false");
		IS("fd.name_changed", "true");
		close(udp);
	}
	event("connect", (uint64_t)local, put(&un, sizeof(un)), sizeof(un), 0, 0);
	IS("fd.typechar", "u");
	IS("fd.name", "/run/docker.sock");
	IS("fd.sockfamily", "unix");
	IS("fd.l4proto", "<NA>");
	IS("fd.sip", "<NA>");
	assert_false(candidate("fd.ip", 0, &v));
	close(tcp);
	close(local);
}

static void test_std(void **state)
{
	int keep = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), s[2];

	(void)state;
	assert_true(keep >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(dup2(s[0], STDIN_FILENO), STDIN_FILENO);
	event("getpid", 0, 0, 0, 0, 0);
	IS("proc.stdin.type", "unix");
	assert_int_equal(dup2(keep, STDIN_FILENO), STDIN_FILENO);
	close(s[0]);
	close(s[1]);
	s[0] = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(s[0], STDIN_FILENO), STDIN_FILENO);
	event("getpid", 0, 0, 0, 0, 0);
	IS("proc.stdin.type", "file");
	IS("proc.stdin.name", "/etc/passwd");
	assert_int_equal(dup2(keep, STDIN_FILENO), STDIN_FILENO);
	close(s[0]);
	close(keep);
}

static void test_fd_listen(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char name[64];

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	assert_int_equal(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&in, &len), 0);
	snprintf(name, sizeof(name), "127.0.0.1:%u", ntohs(in.sin_port));
	event("bind", (uint64_t)s, put(&in, sizeof(in)), sizeof(in), 0, 0);
	IS("fd.name", name);
	IS("fd.lport", number(ntohs(in.sin_port)));
	IS("fd.sport", number(ntohs(in.sin_port)));
	event("listen", (uint64_t)s, 5, 0, 0, 0);
	IS("fd.typechar", "4");
	IS("fd.l4proto", "tcp");
	IS("fd.lip", "127.0.0.1");
	IS("fd.lport", number(ntohs(in.sin_port)));
	IS("fd.sport", number(ntohs(in.sin_port)));
	IS("fd.rip", "<NA>");
	IS("fd.rport", "<NA>");
	event("accept4", (uint64_t)s, 0, 0, 0, 0);
	IS("fd.lport", number(ntohs(in.sin_port)));
	IS("fd.is_server", "true");
	close(s);
	event("listen", (uint64_t)s, 5, 0, 0, 0);
	IS("fd.num", number(s));
	IS("fd.lport", "<NA>");
	IS("fd.name", "");
	event("socket", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0, 0);
	IS("fd.typechar", "4");
	IS("fd.l4proto", "udp");
	IS("fd.num", "0");
}

static void test_capabilities(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	if (geteuid() == 0)
		assert_non_null(strstr(text_of("thread.cap_permitted"), "CAP_CHOWN"));
	else
		IS("thread.cap_effective", "");
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_published),
		cmocka_unit_test_setup_teardown(test_result, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_args, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_container, setup, teardown),
		cmocka_unit_test_setup_teardown(test_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ancestors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fd_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fd_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_std, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fd_listen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test(test_print),
	};

	(void)argc;
	argv0 = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
