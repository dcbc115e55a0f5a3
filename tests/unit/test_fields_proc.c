/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_proc.c - fields of the process, its ancestors and its standard streams: of this very one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"
#include "state/process_impl.h"

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

static uint64_t number_of(const char *field)
{
	const char *text = text_of(field);

	if (!strcmp(text, "<NA>"))
		fail_msg("%s is missing", field);
	return strtoull(text, NULL, 10);
}

/* Nothing is known of a task that is gone. */
static void gone(const char *call)
{
	event(call, 0, 0, 0, 0, 0);
	ev.tid = ev.pid = -1;
	ask_again();
}

static void test_memory(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	assert_true(number_of("proc.vmsize") > 1000);
	assert_true(number_of("proc.vmrss") > 100);
	assert_true(number_of("proc.vmrss") <= number_of("proc.vmsize"));
	number_of("proc.vmswap");
	assert_true(number_of("thread.vmsize") > 1000);
	assert_true(number_of("thread.vmrss") > 100);
	assert_true(number_of("thread.vmsize.b") >= number_of("thread.vmsize") * 1000);
	assert_true(number_of("thread.vmrss.b") >= number_of("thread.vmrss") * 1000);
	gone("getpid");
	IS("proc.vmsize", "<NA>");
	IS("proc.vmrss", "<NA>");
	IS("proc.vmswap", "<NA>");
	IS("thread.vmsize", "<NA>");
	IS("thread.vmrss", "<NA>");
	IS("thread.vmsize.b", "<NA>");
	IS("thread.vmrss.b", "<NA>");
}

static void test_thread(void **state)
{
	char comm[32];

	(void)state;
	read_comm(getpid(), comm);
	event("getpid", 0, 0, 0, 0, 0);
	assert_true(number_of("thread.pfminor") > 10);
	number_of("thread.pfmajor");
	assert_true(number_of("evt.cpu") < (uint64_t)sysconf(_SC_NPROCESSORS_CONF));
	IS("proc.nthreads", "1");
	IS("proc.nchilds", "0");
	strcat(comm, number(getpid()));
	IS("thread.nametid", comm);
	gone("getpid");
	IS("thread.pfminor", "<NA>");
	IS("thread.pfmajor", "<NA>");
	IS("evt.cpu", "<NA>");
	IS("proc.nchilds", "<NA>");
	IS("thread.nametid", "<NA>");
}

static void *other_thread(void *arg)
{
	ev.tid = (pid_t)syscall(SYS_gettid);
	ask_again();
	IS("thread.vmsize", "0");
	IS("thread.vmrss.b", "0");
	IS("proc.nchilds", "1");
	assert_true(number_of("proc.vmsize") > 1000);
	/* Its own, not those of the process. */
	*(uint64_t *)arg = number_of("thread.pfminor");
	return NULL;
}

static void test_other_thread(void **state)
{
	uint64_t faults = 0;
	pthread_t t;

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	assert_int_equal(pthread_create(&t, NULL, other_thread, &faults), 0);
	pthread_join(t, NULL);
	event("getpid", 0, 0, 0, 0, 0);
	assert_true(faults < number_of("thread.pfminor"));
}

static void test_descriptors(void **state)
{
	struct rlimit was, less;
	uint64_t n;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	less = (struct rlimit){ 200, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	event("getpid", 0, 0, 0, 0, 0);
	n = number_of("proc.fdopencount");
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(number_of("proc.fdopencount"), n + 1);
	IS("proc.fdlimit", "200");
	assert_true(number_of("proc.fdusage") == (n + 1) / 2);
	close(fd);
	setrlimit(RLIMIT_NOFILE, &was);
	gone("getpid");
	IS("proc.fdopencount", "<NA>");
	IS("proc.fdlimit", "<NA>");
	IS("proc.fdusage", "<NA>");
}

static void test_cgroups(void **state)
{
	char path[4096];

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	snprintf(path, sizeof(path), "memory=%s", text_of("thread.cgroup.memory"));
	assert_non_null(strstr(path, "=/"));
	assert_non_null(strstr(text_of("thread.cgroups"), path));
	IS("thread.cgroup.nosuch", "<NA>");
	gone("getpid");
	IS("thread.cgroups", "<NA>");
	IS("thread.cgroup.memory", "<NA>");
}

/* A child called like a shell is asked about. */
static void test_login_shell(void **state)
{
	int to[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(to), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "my-zsh");
		c = (char)write(to[1], "x", 1);
		pause();
		_exit(c);
	}
	assert_int_equal(read(to[0], &c, 1), 1);
	event("getpid", 0, 0, 0, 0, 0);
	ev.tid = ev.pid = pid;
	ask_again();
	/* An older shell may have started this test. */
	if (strcmp(text_of("proc.loginshellid"), number(pid)) != 0) {
		pid_t shell = (pid_t)number_of("proc.loginshellid");
		char comm[32];

		read_comm(shell, comm);
		assert_true(shk_str_ends(shk_str(comm), SHK_STR("sh")));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(to[0]);
	close(to[1]);
	gone("getpid");
	IS("proc.loginshellid", "<NA>");
}

struct init {
	int go[2], gone[2]; /* pipes: run the program; it runs */
	const char *program;
};

static int run_as_init(void *arg)
{
	struct init *i = arg;
	char c;

	close(i->go[1]);
	if (read(i->go[0], &c, 1) == 1)
		execl(i->program, i->program, "1000", NULL);
	return 1;
}

static bool copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n = 1;

	while (in >= 0 && out >= 0 && n > 0)
		n = copy_file_range(in, NULL, out, NULL, 1 << 20, 0);
	close(in);
	close(out);
	return n == 0;
}

/* The first process of a namespace, which runs a program that is younger than the namespace. */
static void test_pidns(void **state)
{
	static char stack[65536] __attribute__((aligned(16)));
	char dir[] = "/tmp/shrike-test-XXXXXX", program[64], c;
	struct init i = { .program = program };
	int64_t start;
	pid_t pid;

	(void)state;
	gone("getpid");
	IS("proc.pidns_init_start_ts", "<NA>");
	IS("proc.exe_ino.ctime_duration_pidns_start", "<NA>");
	assert_non_null(mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/sleep", dir);
	assert_int_equal(pipe2(i.go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(i.gone, O_CLOEXEC), 0);
	pid = clone(run_as_init, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, &i);
	close(i.gone[1]);
	if (pid < 0) {
		rmdir(dir);
		print_message("skipped: no pid namespace may be made here\n");
		skip();
	}
	/* Start times are known to 10 ms. */
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
	assert_true(copy_file("/bin/sleep", program));
	assert_int_equal(write(i.go[1], "x", 1), 1);
	assert_int_equal(read(i.gone[0], &c, 1), 0);
	event("getpid", 0, 0, 0, 0, 0);
	ev.tid = ev.pid = pid;
	ask_again();
	start = (int64_t)number_of("proc.pid.ts");
	/* The clock that both are added to may be set in between. */
	assert_true(llabs((int64_t)number_of("proc.pidns_init_start_ts") - start) < 1000000000);
	assert_true(number_of("proc.exe_ino.ctime_duration_pidns_start") > 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(program);
	rmdir(dir);
	close(i.go[0]);
	close(i.go[1]);
	close(i.gone[0]);
}

/* Names hold what a task likes; a kernel may say less than another. */
static void test_usage_texts(void **state)
{
	struct shk_proc_thread t;
	int64_t limit;

	(void)state;
	assert_true(shk_parse_thread(SHK_STR("7 (x) 9 ) R 1 2 3 4 5 6 70 8 90 10 11 12 13 14 15 16 17 18 19 "
					     "20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 3 37 38\n"), &t));
	assert_int_equal(t.minor_faults, 70);
	assert_int_equal(t.major_faults, 90);
	assert_int_equal(t.cpu, 3);
	assert_false(shk_parse_thread(SHK_STR("7 (x) R 1 2 3 4 5 6 70 8 90"), &t));
	assert_false(shk_parse_thread(SHK_STR(""), &t));
	assert_true(shk_parse_fd_limit(SHK_STR("Limit Soft\nMax open files            1024     4096  files\n"),
				       &limit));
	assert_int_equal(limit, 1024);
	assert_true(shk_parse_fd_limit(SHK_STR("Max open files   unlimited   unlimited"), &limit));
	assert_int_equal(limit, -1);
	assert_false(shk_parse_fd_limit(SHK_STR("Max open files "), &limit));
	assert_false(shk_parse_fd_limit(SHK_STR("Max processes   1  2\n"), &limit));
}

/* A child that leads session and group is its own leader, whoever started this test. */
static void test_leaders(void **state)
{
	static const char *const names[] = { "proc.sname", "proc.vpgid.name", "proc.pgid.name" };
	static const char *const exes[] = { "proc.sid.exe", "proc.vpgid.exe", "proc.pgid.exe", "proc.pexe",
					    "proc.aexe[1]" };
	static const char *const paths[] = { "proc.exepath", "proc.sid.exepath", "proc.vpgid.exepath",
					     "proc.pgid.exepath", "proc.pexepath", "proc.aexepath[1]" };
	static const char *const lines[] = { "proc.pcmdline", "proc.acmdline[1]" };
	static const char *const yes[] = { "proc.is_sid_leader", "proc.is_pgid_leader",
					   "proc.is_vpgid_leader" };
	char comm[32], c;
	int to[2];
	pid_t pid;

	(void)state;
	read_comm(getpid(), comm);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		_exit(write(to[1], "x", 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(to[0], &c, 1), 1);
	event("getpid", 0, 0, 0, 0, 0);
	ev.tid = ev.pid = pid;
	ask_again();
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++)
		IS(names[i], comm);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(exes); i++)
		IS(exes[i], argv0);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(paths); i++)
		assert_true(shk_str_ends(shk_str(text_of(paths[i])), SHK_STR("test_fields_proc")));
	for (size_t i = 0; i < SHK_ARRAY_SIZE(lines); i++)
		IS(lines[i], comm);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(yes); i++)
		IS(yes[i], "true");
	IS("proc.exeline", argv0);
	IS("proc.tty", "0");
	IS("proc.pgid", number(pid));
	IS("proc.aargs[1]", "");
	assert_string_not_equal(text_of("proc.aenv[1]"), "<NA>");
	assert_true(number_of("proc.vpgid") == number_of("proc.vpid"));
	assert_true(number_of("proc.sid") == number_of("proc.vpid"));
	assert_true(number_of("thread.vtid") == number_of("proc.vpid"));
	assert_true(number_of("proc.pvpid") > 0);
	assert_true(number_of("proc.ppid.ts") > 1000000000);
	number_of("proc.duration");
	number_of("proc.ppid.duration");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(to[0]);
	close(to[1]);
}

static void test_executable(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	event("getpid", 0, 0, 0, 0, 0);
	IS("proc.exe_ino", number((long)st.st_ino));
	assert_true(number_of("proc.exe_ino.mtime") / 1000000000 == (uint64_t)st.st_mtim.tv_sec);
	assert_true(number_of("proc.exe_ino.ctime") / 1000000000 == (uint64_t)st.st_ctim.tv_sec);
	/* Of a program that was made in the 10 ms before its start it is unknown. */
	if (number_of("proc.pid.ts") > number_of("proc.exe_ino.ctime") + 1000000000)
		number_of("proc.exe_ino.ctime_duration_proc_start");
	if (st.st_uid == geteuid())
		IS("proc.is_exe_writable", st.st_mode & 0200 ? "true" : "false");
	assert_string_not_equal(text_of("proc.is_exe_upper_layer"), "<NA>");
	assert_string_not_equal(text_of("proc.is_exe_lower_layer"), "<NA>");
}

/* Names that nobody knows are the text <NA>, and numbers are there all the same. */
static void test_user(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	if (geteuid() == 0) {
		IS("user.name", "root");
		IS("group.name", "root");
		assert_true(text_of("user.homedir")[0] == '/');
		assert_true(text_of("user.shell")[0] == '/');
	}
	IS("user.uid", number(geteuid()));
	assert_string_not_equal(text_of("user.loginuid"), "<NA>");
	if (!strcmp(text_of("user.loginuid"), "-1"))
		IS("user.loginname", "<NA>");
}

static void test_gone(void **state)
{
	(void)state;
	gone("getpid");
	all_missing("process", "");
	all_missing("user", "");
	all_missing("group", "");
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
		EVENT_TEST(test_memory),
		EVENT_TEST(test_thread),
		EVENT_TEST(test_other_thread),
		EVENT_TEST(test_descriptors),
		EVENT_TEST(test_cgroups),
		EVENT_TEST(test_login_shell),
		EVENT_TEST(test_pidns),
		cmocka_unit_test(test_usage_texts),
		EVENT_TEST(test_leaders),
		EVENT_TEST(test_executable),
		EVENT_TEST(test_user),
		EVENT_TEST(test_gone),
	};

	(void)argc;
	argv0 = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
