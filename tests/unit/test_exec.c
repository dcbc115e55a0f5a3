// SPDX-License-Identifier: Apache-2.0
/* The "#!" line, and programs that are what was judged, or are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/exec.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif

static int line(const char *text, size_t n, const char **name, const char **arg)
{
	static char head[SHK_EXEC_HEAD], texts[2][SHK_EXEC_HEAD + 1];
	struct shk_str s[2];
	int r;

	memset(head, 0, sizeof(head));
	memcpy(head, text, n);
	r = shk_exec_script_line(head, &s[0], &s[1]);
	*name = *arg = NULL;
	for (unsigned i = 0; i < 2; i++)
		if (s[i].p) {
			memcpy(texts[i], s[i].p, s[i].n);
			texts[i][s[i].n] = 0;
			*(i ? arg : name) = texts[i];
		}
	return r;
}

static void test_script_line(void **state)
{
	const char *name, *arg;
	char text[SHK_EXEC_HEAD];

	(void)state;
#define LINE(t) line(t, sizeof(t) - 1, &name, &arg)
	assert_int_equal(LINE("\177ELF"), 0);
	assert_int_equal(LINE("#!/bin/sh\necho"), 1);
	assert_string_equal(name, "/bin/sh");
	assert_null(arg);
	assert_int_equal(LINE("#! \t/bin/sh  -x  -y \t\n"), 1);
	assert_string_equal(name, "/bin/sh");
	assert_string_equal(arg, "-x  -y");
	assert_int_equal(LINE("#!/bin/sh"), 1); /* a short file without a newline */
	assert_string_equal(name, "/bin/sh");
	assert_null(arg);
	assert_int_equal(LINE("#!/bin/sh a\0b\n"), 1);
	assert_string_equal(arg, "a");
	assert_int_equal(LINE("#!/bin/sh \0b"), 1); /* an argument, though an empty one */
	assert_string_equal(arg, "");
	assert_int_equal(LINE("#!\n"), -ENOEXEC);
	assert_int_equal(LINE("#! \t \n/bin/sh"), -ENOEXEC);
#undef LINE
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	assert_int_equal(line(text, sizeof(text), &name, &arg), -ENOEXEC); /* may be cut off */
	text[200] = ' ';
	assert_int_equal(line(text, sizeof(text), &name, &arg), 1);
	assert_int_equal(strlen(name), 198);
	assert_int_equal(strlen(arg), 54); /* the last byte is the kernel's */
	memset(text + 2, ' ', sizeof(text) - 2);
	assert_int_equal(line(text, sizeof(text), &name, &arg), -ENOEXEC);
}

/* The kernel is the judge of that parser: what it starts a script with is what was foreseen. */
static void foreseen(const char *first_line, size_t n)
{
	char path[] = "/tmp/shk-exec.XXXXXX", seen[4096];
	const char *name, *arg;
	int fd = mkstemp(path), r, out[2], st;
	size_t got = 0, at = 0;
	ssize_t k;
	pid_t pid;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, first_line, n), n);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	assert_int_equal(pipe(out), 0);
	r = line(first_line, n, &name, &arg);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], 1);
		close(out[0]);
		execl(path, "zero", "one", NULL);
		_exit(errno);
	}
	close(out[1]);
	while (got < sizeof(seen) && (k = read(out[0], seen + got, sizeof(seen) - got)) > 0)
		got += (size_t)k;
	close(out[0]);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(st));
	if (r < 0) {
		assert_int_equal(WEXITSTATUS(st), -r);
		return;
	}
	assert_int_equal(WEXITSTATUS(st), 1); /* there is no file "one" */
	/* /bin/cat /proc/self/cmdline and the script itself: the first strings are the command line. */
	assert_string_equal(seen, name);
	at = strlen(seen) + 1;
	assert_string_equal(seen + at, arg);
	at += strlen(seen + at) + 1;
	assert_string_equal(seen + at, path);
}

static void test_kernel_agrees(void **state)
{
	(void)state;
	foreseen("#!/bin/cat /proc/self/cmdline\n", 30);
	foreseen("#!\t /bin/cat   /proc/self/cmdline \t \nmore", 40);
	foreseen("#!/bin/cat /proc/self/cmdline", 29);
	foreseen("#!/bin/cat /proc/self/cmdline\0junk\n", 35);
	foreseen("#!\n", 3);
	foreseen("#!   \n", 6);
}

/* ---- programs ---- */

static struct shk_exec_judged *judge(const char *file, const char *path, const char *const *argv)
{
	struct shk_exec_judged *j = calloc(1, sizeof(*j));
	char link[64], name[4096] = "";
	struct statx sx;

	assert_non_null(j);
	for (unsigned i = 0; i < SHK_EXEC_FILES; i++)
		j->file[i].fd = -1;
	shk_buf_init(&j->argv, 65536);
	shk_buf_init(&j->env, 65536);
	shk_buf_init(&j->path, 8192);
	if (file) {
		j->n = 1;
		j->file[0].fd = open(file, O_PATH | O_CLOEXEC);
		assert_true(j->file[0].fd >= 0);
		assert_int_equal(statx(j->file[0].fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &sx), 0);
		j->file[0].dev = (uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor;
		j->file[0].ino = sx.stx_ino;
		j->file[0].mnt = sx.stx_mnt_id;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", j->file[0].fd);
		assert_true(readlink(link, name, sizeof(name) - 1) > 0);
		j->file[0].name = strdup(name);
	} else {
		j->err = ENOENT;
	}
	for (; *argv; argv++)
		shk_buf_add(&j->argv, *argv, strlen(*argv) + 1);
	shk_buf_add(&j->path, path, strlen(path) + 1);
	j->has_argv = j->has_path = true;
	return j;
}

/* A child whose execve waits for its answer. */
struct caller {
	pid_t pid;
	int out[2];	/* what it, or its program, wrote */
	int listener;
	uint64_t id;
};

static atomic_bool ends;	/* as an engine learns it of its listener */

static unsigned filter_flags;	/* of the next caller's filter */

static int install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { SHK_ARRAY_SIZE(code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | filter_flags, &prog);
}

static void receive(struct caller *c)
{
	union {
		struct seccomp_notif n;
		char room[256];
	} u = { .room = { 0 } };

	assert_int_equal(ioctl(c->listener, SECCOMP_IOCTL_NOTIF_RECV, &u), 0);
	c->id = u.n.id;
}

static void start(struct caller *c, const char *path, char *const *argv, char *const *env)
{
	int number = -1;
	int pidfd;

	assert_int_equal(pipe(c->out), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		int fd = install(), e;

		close(c->out[0]);
		if (write(c->out[1], &fd, sizeof(fd)) != sizeof(fd))
			_exit(1);
		dup2(c->out[1], 1);
		execve(path, argv, env);
		e = errno;
		if (write(c->out[1], &e, sizeof(e)) < 0)
			_exit(2);
		_exit(0);
	}
	close(c->out[1]);
	assert_int_equal(read(c->out[0], &number, sizeof(number)), sizeof(number));
	assert_true(number >= 0);
	pidfd = shk_pidfd_open(c->pid, 0);
	assert_true(pidfd >= 0);
	c->listener = shk_pidfd_getfd(pidfd, number);
	assert_true(c->listener >= 0);
	close(pidfd);
	receive(c);
}

static int waits(void *arg)
{
	struct caller *c = arg;

	return ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->id) < 0 ? -errno : 0;
}

static int go(void *arg)
{
	struct caller *c = arg;
	struct seccomp_notif_resp r = { .id = c->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	return ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &r) < 0 ? -errno : 0;
}

static void finish(struct caller *c)
{
	close(c->listener);
	close(c->out[0]);
}

/* A wait that signals end: the call may begin anew, and be notified again. Otherwise the caller has ended, or says what it
 * met. */
static bool begins_anew(struct caller *c, enum shk_exec_end end)
{
	struct pollfd p[2] = { { .fd = c->listener, .events = POLLIN }, { .fd = c->out[0], .events = POLLIN } };

	if (filter_flags || (end != SHK_EXEC_FAILED && end != SHK_EXEC_GONE))
		return false;
	assert_true(poll(p, 2, -1) > 0);
	if (!(p[0].revents & POLLIN))
		return false;
	receive(c);
	return true;
}

/* Runs `path argv` as judged by j; *said: what the program wrote. */
static enum shk_exec_end verify(const char *path, char *const *argv, char *const *env, struct shk_exec_judged *j,
				char *said, struct shk_buf *what)
{
	struct caller c;
	struct shk_exec_call call = { .judged = j, .waits = waits, .go = go, .arg = &c, .what = what,
				      .signals_end_wait = &ends };
	enum shk_exec_end end;
	ssize_t n;

	start(&c, path, argv, env);
	call.tid = c.pid;
	atomic_store(&ends, false);
	do
		end = shk_exec_by_ptrace.run(&call);
	while (begins_anew(&c, end));
	n = read(c.out[0], said, 63);
	said[n > 0 ? n : 0] = 0;
	finish(&c);
	/* The test's own child: a verifier that kills one has waited for it. */
	while (waitpid(c.pid, NULL, 0) < 0 && errno == EINTR)
		;
	shk_exec_judged_free(j);
	return end;
}

static void test_runs(void **state)
{
	static const char *const judged[] = { "echo", "hello", NULL };
	static const char *const other[] = { "echo", "hallo", NULL };
	static const char *const fewer[] = { "echo", NULL };
	char *argv[] = { (char *)"echo", (char *)"hello", NULL }, *env[] = { (char *)"A=b", (char *)"C=", NULL };
	_cleanup_buf_ struct shk_buf what;
	struct shk_exec_judged *j;
	char said[64];

	(void)state;
	shk_buf_init(&what, 1024);
	assert_int_equal(verify("/bin/echo", argv, env, judge("/bin/echo", "/bin/echo", judged), said, &what),
			 SHK_EXEC_RUNS);
	assert_string_equal(said, "hello\n");
	assert_int_equal(verify("/bin/echo", argv, env, judge("/bin/echo", "/bin/echo", other), said, &what),
			 SHK_EXEC_EXCHANGED);
	assert_string_equal(said, "");
	assert_string_equal(what.p, "arguments: judged \"hallo\", loaded \"hello\"");
	shk_buf_reset(&what);
	assert_int_equal(verify("/bin/echo", argv, env, judge("/bin/echo", "/bin/echo", fewer), said, &what),
			 SHK_EXEC_EXCHANGED);
	/* Of an argument list that was read in part, the rest may be anything. */
	j = judge("/bin/echo", "/bin/echo", fewer);
	j->argv_cut = true;
	assert_int_equal(verify("/bin/echo", argv, env, j, said, &what), SHK_EXEC_RUNS);
	assert_string_equal(said, "hello\n");
	shk_buf_reset(&what);
	assert_int_equal(verify("/bin/echo", argv, env, judge("/bin/cat", "/bin/echo", judged), said, &what),
			 SHK_EXEC_EXCHANGED);
	assert_string_equal(said, "");
	assert_non_null(strstr(what.p, "file: judged \""));
	shk_buf_reset(&what);
	assert_int_equal(verify("/bin/echo", argv, env, judge("/bin/echo", "/bin/echo ", judged), said, &what),
			 SHK_EXEC_EXCHANGED);
	assert_string_equal(what.p, "name: judged \"/bin/echo \", loaded \"/bin/echo\"");
	shk_buf_reset(&what);
	j = judge("/bin/echo", "/bin/echo", judged);
	j->has_env = true;
	shk_buf_add(&j->env, "A=b\0C=", 7);
	assert_int_equal(verify("/bin/echo", argv, env, j, said, &what), SHK_EXEC_RUNS);
	j = judge("/bin/echo", "/bin/echo", judged);
	j->has_env = true;
	shk_buf_add(&j->env, "A=b", 4);
	assert_int_equal(verify("/bin/echo", argv, env, j, said, &what), SHK_EXEC_EXCHANGED);
}

/* Without a wait that only SIGKILL ends, the caller may have gone on to its end before it was interrupted. */
static bool failed(enum shk_exec_end end)
{
	return end == SHK_EXEC_FAILED || (end == SHK_EXEC_GONE && !filter_flags);
}

static void test_fails(void **state)
{
	static const char *const judged[] = { "echo", NULL };
	char *argv[] = { (char *)"echo", NULL }, *env[] = { NULL };
	_cleanup_buf_ struct shk_buf what;
	char said[64];
	int e = 0;

	(void)state;
	shk_buf_init(&what, 1024);
	/* The call fails: its error is the program's to see, and the program goes on. */
	assert_true(failed(verify("/nowhere", argv, env, judge(NULL, "/nowhere", judged), said, &what)));
	memcpy(&e, said, sizeof(e));
	assert_int_equal(e, ENOENT);
	assert_true(failed(verify("/tmp", argv, env, judge("/bin/echo", "/tmp", judged), said, &what)));
	memcpy(&e, said, sizeof(e));
	assert_int_equal(e, EACCES);
	/* It should have failed, and does not. */
	assert_int_equal(verify("/bin/echo", argv, env, judge(NULL, "/bin/echo", judged), said, &what),
			 SHK_EXEC_EXCHANGED);
	assert_string_equal(said, "");
	assert_non_null(strstr(what.p, "judged to fail with ENOENT"));
}

static void test_traced_by_another(void **state)
{
	static const char *const judged[] = { "echo", NULL };
	char *argv[] = { (char *)"echo", NULL }, *env[] = { NULL };
	_cleanup_buf_ struct shk_buf what;
	struct caller c;
	struct shk_exec_call call = { .waits = waits, .go = go, .arg = &c, .what = &what,
				      .signals_end_wait = &ends };
	struct shk_exec_judged *j = judge("/bin/echo", "/bin/echo", judged);
	int ready[2], st;
	pid_t tracer;
	char b;

	(void)state;
	shk_buf_init(&what, 1024);
	start(&c, "/bin/echo", argv, env);
	assert_int_equal(pipe(ready), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (tracer == 0) {
		if (ptrace(PTRACE_SEIZE, c.pid, NULL, NULL) < 0)
			_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &b, 1), 1);
	call.tid = c.pid;
	call.judged = j;
	assert_int_equal(shk_exec_by_ptrace.run(&call), SHK_EXEC_TRACED);
	assert_non_null(strstr(what.p, "traced by process"));
	kill(tracer, SIGKILL);
	waitpid(tracer, &st, 0);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, &st, 0);
	finish(&c);
	close(ready[0]);
	close(ready[1]);
	shk_exec_judged_free(j);
}

/* Killed while it waits for its answer: nothing is left behind, and nobody hangs. */
static int go_and_die(void *arg)
{
	struct caller *c = arg;

	kill(c->pid, SIGKILL);
	return go(arg);
}

/* The environment that a rule asked of a view is the one that all views and the comparison have. */
static void test_read_back(void **state)
{
	static const char *const calls[] = { "execve", "execveat" };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct shk_event ev = { .call = shk_syscall_by_name(shk_str(calls[k])) }, view = ev, other = ev;
		struct shk_str word = SHK_STR("A=1"), late = SHK_STR("A=2");

		view.arg[2 + k] = (struct shk_arg){ .state = SHK_ARG_OK, .vec = { .v = &word, .n = 1 } };
		other.arg[2 + k] = (struct shk_arg){ .state = SHK_ARG_OK, .vec = { .v = &late, .n = 1 } };
		other.memory_failed = true;
		shk_exec_read_back(&ev, &view);
		assert_false(ev.memory_failed);
		assert_ptr_equal(ev.arg[2 + k].vec.v, &word);
		shk_exec_read_back(&ev, &other);
		assert_true(ev.memory_failed);
		assert_ptr_equal(ev.arg[2 + k].vec.v, &word);
	}
}

static void test_killed(void **state)
{
	static const char *const judged[] = { "echo", NULL };
	char *argv[] = { (char *)"echo", NULL }, *env[] = { NULL };
	_cleanup_buf_ struct shk_buf what;
	struct caller c;
	struct shk_exec_call call = { .waits = waits, .go = go_and_die, .arg = &c,
				      .what = &what, .signals_end_wait = &ends };
	struct shk_exec_judged *j = judge("/bin/echo", "/bin/echo", judged);

	(void)state;
	shk_buf_init(&what, 1024);
	start(&c, "/bin/echo", argv, env);
	call.tid = c.pid;
	call.judged = j;
	assert_int_equal(shk_exec_by_ptrace.run(&call), SHK_EXEC_GONE);
	finish(&c);
	shk_exec_judged_free(j);
}

/* A wait that signals do not end, as the engine's own filter has it; the kernel may be older. */
static int killable(void **state)
{
	(void)state;
	filter_flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return 0;
}

static int as_ever(void **state)
{
	(void)state;
	filter_flags = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_script_line), cmocka_unit_test(test_kernel_agrees),
		cmocka_unit_test(test_runs),	    cmocka_unit_test(test_fails),
		cmocka_unit_test(test_traced_by_another), cmocka_unit_test(test_killed),
		cmocka_unit_test_setup_teardown(test_runs, killable, as_ever),
		cmocka_unit_test_setup_teardown(test_fails, killable, as_ever),
		cmocka_unit_test_setup_teardown(test_killed, killable, as_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
