/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_fd.c - fields of the descriptor an event is about.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

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

static void test_owner(void **state)
{
	char text[64];

	(void)state;
	event("fchmod", 0, 0644, 0, 0, 0);
	snprintf(text, sizeof(text), "%d0", (int)getpid());
	IS("fd.uid", text);
	event("openat", (uint64_t)AT_FDCWD, put_str("/tmp/x/y"), O_RDWR, 0, 0);
	IS("fd.containername", "0123456789ab:/tmp/x/y");
	IS("fd.containerdirectory", "0123456789ab:/tmp/x");
	IS("fd.is_upper_layer", "false"); /* not known before it is open */
	IS("fd.is_lower_layer", "false");
	ctx.ctr = NULL;
	IS("fd.containername", "host:/tmp/x/y");
	returned(-ENOENT);
	IS("fd.uid", "<NA>");
	IS("fd.is_upper_layer", "<NA>");
	IS("fd.is_lower_layer", "<NA>");
	event("getpid", 0, 0, 0, 0, 0);
	IS("fd.uid", "<NA>");
	IS("fd.containername", "<NA>");
	IS("fd.containerdirectory", "<NA>");
	event("listen", 1000000, 0, 0, 0, 0);
	IS("fd.containerdirectory", "<NA>");
}

/* A process whose root is an overlay: one file of the image, one of its own. */
static void layers_child(const char *dir, int to, int from)
{
	char options[512], path[256];
	char c = 'x';

	if (unshare(CLONE_NEWNS) < 0)
		_exit(write(to, "-", 1) != 1);
	mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", dir, dir,
		 dir);
	snprintf(path, sizeof(path), "%s/root", dir);
	if (mount("overlay", path, "overlay", 0, options) < 0 || chdir(path) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    open("/old", O_RDONLY) != 100 || open("/new", O_RDWR | O_CREAT, 0600) != 101)
		c = '-';
	_exit(write(to, &c, 1) != 1 || read(from, &c, 1) < 0);
}

static void test_layers(void **state)
{
	static const char *const sub[] = { "lower", "upper", "work", "root" };
	char dir[] = "/dev/shm/shrike-test-XXXXXX", path[64], c = 0; /* no overlay itself */
	int to[2], from[2], fd;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(sub); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, sub[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/lower/old", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	close(fd);
	assert_true(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		/* The next numbers are 100 and 101. */
		for (int i = 0; i < 100; i++)
			if (fcntl(i, F_GETFD) < 0)
				dup2(to[0], i);
		layers_child(dir, to[1], from[0]);
	}
	assert_int_equal(read(to[0], &c, 1), 1);
	if (c == 'x') {
		ctr->init_pid = pid;
		event("fchmod", 100, 0644, 0, 0, 0);
		ev.tid = ev.pid = pid;
		IS("fd.name", "/old");
		IS("fd.is_lower_layer", "true");
		IS("fd.is_upper_layer", "false");
		event("fchmod", 101, 0644, 0, 0, 0);
		ev.tid = ev.pid = pid;
		IS("fd.is_lower_layer", "false");
		IS("fd.is_upper_layer", "true");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0)
		execl("/bin/rm", "rm", "-rf", dir, NULL);
	waitpid(pid, NULL, 0);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	if (c != 'x') {
		print_message("skipped: no overlay may be mounted here\n");
		skip();
	}
}

static void test_protocols(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(443) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(in);
	struct shk_value v;

	(void)state;
	inet_pton(AF_INET, "10.1.2.3", &in.sin_addr);
	event("connect", (uint64_t)s, put(&in, sizeof(in)), sizeof(in), 0, 0);
	IS("fd.sproto", "443");
	IS("fd.rproto", "443");
	IS("fd.cproto", "<NA>");
	IS("fd.lproto", "<NA>");
	assert_true(candidate("fd.proto", 0, &v));
	assert_int_equal(v.u, 443);
	assert_false(candidate("fd.proto", 1, &v));
	event("openat", (uint64_t)AT_FDCWD, put_str("/x"), 0, 0, 0);
	IS("fd.sproto", "<NA>");
	IS("fd.rproto", "<NA>");
	assert_false(candidate("fd.proto", 0, &v));
	/* A listening socket is a server with one end. */
	in.sin_port = 0;
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	assert_int_equal(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	event("listen", (uint64_t)s, 5, 0, 0, 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&in, &len), 0);
	IS("fd.lproto", number(ntohs(in.sin_port)));
	IS("fd.sproto", number(ntohs(in.sin_port)));
	close(s);
}

static void test_list(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	struct pollfd fds[3] = { { .fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC) }, { .fd = 1000000 } };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[128];
	uint64_t at;

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	assert_int_equal(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&in, &len), 0);
	fds[2].fd = s;
	at = put(fds, sizeof(fds));
	event("poll", at, 3, 0, 0, 0);
	snprintf(text, sizeof(text), "%d,1000000,%d", fds[0].fd, s);
	IS("fdlist.nums", text);
	snprintf(text, sizeof(text), "/etc/passwd,<NA>,127.0.0.1:%u", ntohs(in.sin_port));
	IS("fdlist.names", text);
	IS("fdlist.sips", "127.0.0.1");
	IS("fdlist.sports", number(ntohs(in.sin_port)));
	IS("fdlist.cips", "<NA>");
	IS("fdlist.cports", "<NA>");
	/* Connected to itself, it has a client, too. */
	assert_int_equal(connect(s, (struct sockaddr *)&in, sizeof(in)), 0);
	event("ppoll", at, 3, 0, 0, 0);
	IS("fdlist.cips", "127.0.0.1");
	IS("fdlist.cports", number(ntohs(in.sin_port)));
	/* What the task says of its array is not believed. */
	event("poll", at, UINT64_MAX, 0, 0, 0);
	assert_true(strlen(text_of("fdlist.nums")) < 64 * 12);
	event("poll", 1, 3, 0, 0, 0);
	IS("fdlist.nums", "<NA>");
	IS("fdlist.names", "<NA>");
	event("poll", at, 0, 0, 0, 0);
	IS("fdlist.nums", "<NA>");
	event("select", at, 3, 0, 0, 0);
	IS("fdlist.nums", "<NA>");
	IS("fdlist.sips", "<NA>");
	IS("fdlist.sports", "<NA>");
	close(fds[0].fd);
	close(s);
}

static void test_object(void **state)
{
	struct stat st;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	event("fchmod", (uint64_t)fd, 0644, 0, 0, 0);
	IS("fd.ino", number((long)st.st_ino));
	IS("fd.dev.major", number(major(st.st_dev)));
	IS("fd.dev.minor", number(minor(st.st_dev)));
	assert_string_not_equal(text_of("fd.dev"), "<NA>");
	close(fd);
}

static void test_no_descriptor(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	all_missing("fd", "");
	all_missing("fdlist", "");
}

/* The lower port is taken for the server's. */
static void test_client(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c, a;
	struct shk_value v;

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	assert_true(bind(s, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(s, 1) == 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&in, &len), 0);
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c, (struct sockaddr *)&in, sizeof(in)), 0);
	a = accept(s, NULL, NULL);
	event("shutdown", (uint64_t)a, 0, 0, 0, 0);
	IS("fd.cip", "127.0.0.1");
	IS("fd.cnet", "127.0.0.1");
	IS("fd.lnet", "127.0.0.1");
	IS("fd.rnet", "127.0.0.1");
	IS("fd.cip.name", "127.0.0.1");
	IS("fd.lip.name", "127.0.0.1");
	IS("fd.rip.name", "127.0.0.1");
	IS("fd.lport", number(ntohs(in.sin_port)));
	IS("fd.lproto", number(ntohs(in.sin_port)));
	assert_string_not_equal(text_of("fd.cport"), "<NA>");
	assert_string_not_equal(text_of("fd.cproto"), "<NA>");
	assert_true(candidate("fd.net", 0, &v));
	assert_true(candidate("fd.net", 1, &v));
	assert_false(candidate("fd.net", 2, &v));
	close(a);
	close(c);
	close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_fd_open),
		EVENT_TEST(test_fd_connect),
		EVENT_TEST(test_fd_listen),
		EVENT_TEST(test_owner),
		EVENT_TEST(test_layers),
		EVENT_TEST(test_protocols),
		EVENT_TEST(test_list),
		EVENT_TEST(test_object),
		EVENT_TEST(test_no_descriptor),
		EVENT_TEST(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
