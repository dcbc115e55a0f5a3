/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_fd.c - fields of the descriptor an event is about.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_fd_open),
		EVENT_TEST(test_fd_connect),
		EVENT_TEST(test_fd_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
