// SPDX-License-Identifier: Apache-2.0
/* shrike-hook and shrike-runtime as a container engine meets them: programs with an exit status and a line. A small
 * server gives the answers that the real one gives only when something is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "control/control.h"

static char dir[64], sock[96], out[65536];

static char *in_dir(const char *name)
{
	static char paths[8][128];
	static unsigned i;
	char *p = paths[i++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, size_t n, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(shk_write_all(fd, text, n), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void puts_to(const char *name, const char *text)
{
	put(name, text, strlen(text), 0644);
}

static char *slurp(const char *name)
{
	static char text[65536];
	int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* Runs a program of the build; its stdin is the file "in", what it says goes to `out`. */
static int run(const char *program, const char *const *args)
{
	const char *build = getenv("SHK_BUILDDIR");
	const char *argv[16] = { program };
	char path[512];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", build ? build : ".", program);
	for (unsigned i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(open(in_dir("in"), O_RDONLY), 0);
		dup2(open(in_dir("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
		dup2(1, 2);
		setenv("SHRIKE_SOCKET", sock, 1);
		setenv("SHRIKE_RUNTIME", in_dir("real"), 1);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* so that no test needs root for a filter */
		execv(path, (char **)argv);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	memcpy(out, slurp("out"), sizeof(out));
	return WEXITSTATUS(status);
}

#define RUN(program, ...) run(program, (const char *const[]){ __VA_ARGS__, NULL })

static void said(const char *program, const char *part)
{
	size_t n = strlen(out);

	if (!strstr(out, part))
		fail_msg("\"%s\" is not in: %s", part, out);
	assert_int_equal(strncmp(out, program, strlen(program)), 0);
	assert_ptr_equal(strchr(out, '\n'), out + n - 1); /* one line */
}

/* Serves one connection: answers[] one after the other; requests go to "asked". If a descriptor comes it must
 * be a listener. */
static pid_t serve(const char *const *answers)
{
	struct shk_err err = { 0 };
	int l = shk_listen_unix(sock, 0600, &err), c, log;
	pid_t pid;

	assert_true(l >= 0);
	fcntl(l, F_SETFL, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(l);
		return pid;
	}
	alarm(20);
	log = open(in_dir("asked"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	c = accept(l, NULL, NULL);
	for (; *answers; answers++) {
		char buf[65536], link[64] = "", name[32];
		int fds[SHK_MAX_FDS];
		ssize_t n;

		do {
			size_t nfds = SHK_MAX_FDS;

			n = shk_recv_fds(c, buf, sizeof(buf), fds, &nfds, 0);
			if (n <= 0)
				_exit(1);
			if (nfds == 1) {
				snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
				if (readlink(name, link, sizeof(link) - 1) < 0 ||
				    strcmp(link, "anon_inode:seccomp notify") != 0)
					_exit(2);
			}
			shk_write_all(log, buf, (size_t)n);
		} while (buf[n - 1] != '\n');
		shk_write_all(c, *answers, strlen(*answers));
	}
	_exit(0);
}

static void served(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(sock);
}

#define SERVE(...) serve((const char *const[]){ __VA_ARGS__, NULL })

static void good_state(void)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0.2\",\"id\":\"web1\",\"status\":\"created\","
		 "\"pid\":%d,\"bundle\":\"%s\"}", (int)getpid(), dir);
	puts_to("in", text);
	puts_to("config.json", "{\"root\":{\"path\":\"/\"},\"x-own\":{\"a\":1.50},\"linux\":{\"a\":[]}}");
}

#define REAL "#!/bin/sh\necho REAL \"$@\"\ngrep ^Seccomp: /proc/self/status\n"

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/shrike-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	good_state();
	put("real", REAL, sizeof(REAL) - 1, 0755);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "in", "out", "config.json", "real", "asked", "sock", "log" };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(files); i++)
		unlink(in_dir(files[i]));
	return rmdir(dir); /* nothing else may be left behind */
}

static void hook_bad_input(void **state)
{
	static char big[10u << 20];

	(void)state;
	puts_to("in", "");
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "nothing on standard input; an OCI runtime has to call this");
	puts_to("in", "{\"id\":\"web1\",\"pid\":");
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "an OCI runtime has to call this");
	memset(big, ' ', sizeof(big));
	big[0] = '{';
	put("in", big, sizeof(big), 0600);
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "larger than 1048576 bytes; shorten");
	puts_to("in", "{\"id\":\"../x\",\"pid\":5,\"bundle\":\"/\"}");
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "no container id");
	assert_int_equal(RUN("shrike-hook", "poststart"), 2);
	said("shrike-hook", "unknown stage; usage:");
	assert_int_equal(RUN("shrike-hook", "--timeout", "x", "auto"), 2);
	said("shrike-hook", "1 to 3600");
}

static void hook_bad_config(void **state)
{
	(void)state;
	unlink(in_dir("config.json"));
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "config.json: No such file or directory; name a bundle");
	puts_to("config.json", "{\"root\":");
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "no valid OCI configuration");
	said("shrike-hook", "; make the bundle anew");
	puts_to("config.json", "{}");
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "has no \"root.path\"");
	unlink(in_dir("config.json"));
	assert_int_equal(mkdir(in_dir("config.json"), 0700), 0);
	assert_int_equal(RUN("shrike-hook", "prestart"), 3);
	said("shrike-hook", "config.json: ");
	rmdir(in_dir("config.json"));
}

static void hook_without_server(void **state)
{
	(void)state;
	assert_int_equal(RUN("shrike-hook", "--timeout", "1", "prestart"), 4);
	said("shrike-hook", "no control socket at ");
	said("shrike-hook", "start shriked");
	assert_int_equal(RUN("shrike-hook", "--timeout", "1", "--on-absent", "observe", "prestart"), 0);
	said("shrike-hook", "warning: the container starts without supervision");
}

static void hook_answers(void **state)
{
	pid_t s;

	(void)state;
	s = SERVE("{\"v\":1,\"ok\":true,\"armed\":\"hook\"}\n");
	assert_int_equal(RUN("shrike-hook", "prestart"), 0);
	assert_string_equal(out, "");
	served(s);
	assert_non_null(strstr(slurp("asked"), "\"op\":\"register\""));
	s = SERVE("{\"v\":2,\"ok\":false,\"errno\":71}\n");
	assert_int_equal(RUN("shrike-hook", "prestart"), 1);
	said("shrike-hook", "speaks version 2");
	served(s);
	s = SERVE("{\"v\":1,\"ok\":true}\n");
	assert_int_equal(RUN("shrike-hook", "prestart"), 1);
	said("shrike-hook", "update the older");
	served(s);
	s = SERVE("{\"v\":1,\"ok\":false,\"error\":\"no;\\nline 2\",\"errno\":1}\n");
	assert_int_equal(RUN("shrike-hook", "prestart"), 1);
	said("shrike-hook", "no;?line 2");
	served(s);
}

static void runtime_passes_through(void **state)
{
	(void)state;
	assert_int_equal(RUN("shrike-runtime", "--root", "/r", "state", "web1"), 0);
	assert_string_equal(out, "REAL --root /r state web1\nSeccomp:\t0\n");
	assert_int_equal(RUN("shrike-runtime", "--shrike-runtime=/nope", "state", "web1"), 6);
	said("shrike-runtime", "/nope, which does not exist; name");
	assert_int_equal(RUN("shrike-runtime", "--shrike-x=1", "state", "web1"), 2);
	said("shrike-runtime", "unknown option --shrike-x=1");
}

static void runtime_fails_closed(void **state)
{
	static const char *const commands[] = { "create", "run", "exec" };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(commands); i++) {
		const char *b = strcmp(commands[i], "exec") == 0 ? "-t" : "--bundle=.";

		assert_int_equal(chdir(dir), 0);
		assert_int_equal(RUN("shrike-runtime", "--log", in_dir("log"), "--log-format=json",
				     "--shrike-timeout=1", commands[i], b, "web1"), 4);
		said("shrike-runtime", "start shriked");
		assert_non_null(strstr(slurp("log"), "\"level\":\"error\""));
		assert_int_equal(chdir("/"), 0);
	}
}

static void runtime_rewrites(void **state)
{
	static const char answer[] = "{\"v\":1,\"ok\":true,\"nonce\":\"5f\",\"seccomp\":{\"listenerPath\":\"/l\"}}\n";
	struct stat before, after;
	pid_t s;

	(void)state;
	assert_int_equal(chmod(in_dir("config.json"), 0604), 0);
	s = SERVE(answer);
	assert_int_equal(RUN("shrike-runtime", "create", "--bundle", dir, "--pid-file", "p", "web1"), 0);
	served(s);
	assert_non_null(strstr(out, "REAL create --bundle "));
	assert_non_null(strstr(slurp("asked"), "\"command\":\"create\""));
	assert_string_equal(slurp("config.json"), "{\"root\":{\"path\":\"/\"},\"x-own\":{\"a\":1.50},"
			    "\"linux\":{\"a\":[],\"seccomp\":{\"listenerPath\":\"/l\"}}}");
	assert_int_equal(stat(in_dir("config.json"), &before), 0);
	assert_int_equal(before.st_mode & 07777, 0604);
	/* The same again changes nothing. */
	s = SERVE(answer);
	assert_int_equal(RUN("shrike-runtime", "run", "-b", dir, "web1"), 0);
	served(s);
	assert_int_equal(stat(in_dir("config.json"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	s = SERVE(answer);
	assert_int_equal(RUN("shrike-runtime", "restore", "-b", dir, "web1"), 1);
	said("shrike-runtime", "cannot be restored");
	served(s);
	s = SERVE("{\"v\":1,\"ok\":true}\n");
	assert_int_equal(RUN("shrike-runtime", "create", "-b", dir, "web1"), 1);
	said("shrike-runtime", "no seccomp section");
	served(s);
	puts_to("config.json", "{");
	assert_int_equal(RUN("shrike-runtime", "create", "-b", dir, "web1"), 3);
	said("shrike-runtime", "no valid OCI configuration");
}

/* The filter: one instruction that allows everything. */
#define SELF "{\"v\":1,\"ok\":true,\"deliver\":\"self\",\"flags\":32,\"bpf\":\"BgAAAAAA/38=\"}\n"

static void runtime_sessions(void **state)
{
	pid_t s;

	(void)state;
	s = SERVE("{\"v\":1,\"ok\":true,\"deliver\":\"runtime\"}\n");
	assert_int_equal(RUN("shrike-runtime", "exec", "-e", "A=1", "web1", "ls"), 0);
	assert_string_equal(out, "REAL exec -e A=1 web1 ls\nSeccomp:\t0\n");
	served(s);
	assert_non_null(strstr(slurp("asked"), "\"id\":\"web1\""));
	s = SERVE(SELF, "{\"v\":1,\"ok\":true}\n");
	assert_int_equal(RUN("shrike-runtime", "exec", "web1", "ls"), 0);
	assert_string_equal(out, "REAL exec web1 ls\nSeccomp:\t2\n");
	served(s);
	assert_non_null(strstr(slurp("asked"), "session-listener"));
	s = SERVE(SELF, "{\"v\":1,\"ok\":false,\"error\":\"not yours; ask\",\"errno\":1}\n");
	assert_int_equal(RUN("shrike-runtime", "exec", "web1", "ls"), 1);
	said("shrike-runtime", "not yours; ask");
	served(s);
	s = SERVE("{\"v\":1,\"ok\":true,\"deliver\":\"self\",\"bpf\":\"BgAA\"}\n");
	assert_int_equal(RUN("shrike-runtime", "exec", "web1", "ls"), 1);
	said("shrike-runtime", "no usable filter");
	served(s);
	assert_int_equal(RUN("shrike-runtime", "exec", "--later", "x", "web1"), 2);
	said("shrike-runtime", "update shrike");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hook_bad_input, setup, teardown),
		cmocka_unit_test_setup_teardown(hook_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(hook_without_server, setup, teardown),
		cmocka_unit_test_setup_teardown(hook_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(runtime_passes_through, setup, teardown),
		cmocka_unit_test_setup_teardown(runtime_fails_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(runtime_rewrites, setup, teardown),
		cmocka_unit_test_setup_teardown(runtime_sessions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
