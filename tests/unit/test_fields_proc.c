/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_proc.c - fields of the process, its ancestors and its standard streams: of this very one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

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

static void test_capabilities(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	if (geteuid() == 0)
		assert_non_null(strstr(text_of("thread.cap_permitted"), "CAP_CHOWN"));
	else
		IS("thread.cap_effective", "");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_process),
		EVENT_TEST(test_ancestors),
		EVENT_TEST(test_exec),
		EVENT_TEST(test_paths),
		EVENT_TEST(test_std),
		EVENT_TEST(test_capabilities),
	};

	(void)argc;
	argv0 = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
