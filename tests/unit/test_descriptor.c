// SPDX-License-Identifier: Apache-2.0
/* Descriptors of this process and of a thread with a table of its own. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cmocka.h>

#include "state/descriptor.h"
#include "state/process.h"

static struct shk_container *c;
static struct shk_arena arena;
static struct shk_event ev;
static struct shk_eval_ctx ctx;

static bool facts_of(pid_t tid, int fd, struct shk_fd_facts *f)
{
	shk_arena_reset(&arena);
	shk_event_init(&ev, &arena);
	ev.call = &shk_syscalls[SHK_CALL_read];
	ev.tid = tid;
	ev.ctr = c;
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = c };
	return shk_fd_facts(&ctx, fd, f);
}

static void assert_str(struct shk_str got, const char *want)
{
	char text[4096];

	snprintf(text, sizeof(text), SHK_STR_FMT, SHK_STR_ARG(got));
	assert_string_equal(text, want);
}

static void test_kinds(void **state)
{
	struct shk_fd_facts f;
	int p[2], fd[] = {
		open("/etc/passwd", O_RDONLY | O_CLOEXEC),
		open("/usr/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		eventfd(0, EFD_CLOEXEC),
		epoll_create1(EPOLL_CLOEXEC),
		memfd_create("x", MFD_CLOEXEC),
	};
	static const char types[] = "fdelm";

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(fd); i++) {
		assert_true(fd[i] >= 0);
		assert_true(facts_of(getpid(), fd[i], &f));
		assert_int_equal(f.type, types[i]);
		if (i == 0)
			assert_str(f.path, "/etc/passwd");
		if (i == 1)
			assert_str(f.name, "/usr");
		if (i == 4)
			assert_str(f.name, "/memfd:x");
		close(fd[i]);
		assert_false(facts_of(getpid(), fd[i], &f));
	}
	assert_false(facts_of(getpid(), -1, &f));
	assert_return_code(pipe2(p, O_CLOEXEC), 0);
	assert_true(facts_of(getpid(), p[0], &f));
	assert_int_equal(f.type, 'p');
	assert_null(shk_fd_l4proto(&f));
	close(p[0]);
	close(p[1]);
}

static void test_tcp(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int k = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(sa);
	struct shk_fd_facts f;
	char want[64];

	(void)state;
	assert_true(facts_of(getpid(), k, &f));
	assert_int_equal(f.type, '4');
	assert_false(f.connected);
	assert_return_code(bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_return_code(listen(l, 1), 0);
	assert_return_code(getsockname(l, (struct sockaddr *)&sa, &n), 0);
	assert_true(facts_of(getpid(), l, &f));
	assert_true(f.listening);
	assert_true(f.server);
	snprintf(want, sizeof(want), "127.0.0.1:%u", ntohs(sa.sin_port));
	assert_str(f.name, want);
	assert_return_code(connect(k, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(facts_of(getpid(), k, &f));
	assert_true(f.connected);
	assert_int_equal(f.family, AF_INET);
	assert_int_equal(f.rport, ntohs(sa.sin_port));
	assert_int_equal(f.remote.len, 4);
	assert_int_equal(f.remote.b[0], 127);
	assert_string_equal(shk_fd_l4proto(&f), "tcp");
	close(k);
	close(l);
}

static void test_unix(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "\0shrike-test-descriptor" };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct shk_fd_facts f;

	(void)state;
	assert_return_code(bind(s, (struct sockaddr *)&sa, sizeof(sa_family_t) + 23), 0);
	assert_true(facts_of(getpid(), s, &f));
	assert_int_equal(f.type, 'u');
	assert_str(f.name, "@shrike-test-descriptor");
	close(s);
}

struct thread {
	pthread_barrier_t go;
	pid_t tid;
	int fd;
};

/* In its own table the number names another kind of object. */
static void *own_table(void *arg)
{
	struct thread *t = arg;

	if (unshare(CLONE_FILES) == 0) {
		int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (dup3(s, t->fd, O_CLOEXEC) == t->fd)
			t->tid = (pid_t)syscall(SYS_gettid);
	}
	pthread_barrier_wait(&t->go);
	pthread_barrier_wait(&t->go);
	return NULL;
}

static void test_thread_table(void **state)
{
	struct thread t = { .tid = -1, .fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC) };
	struct shk_fd_facts f;
	pthread_t th;

	(void)state;
	pthread_barrier_init(&t.go, NULL, 2);
	assert_return_code(pthread_create(&th, NULL, own_table, &t), 0);
	pthread_barrier_wait(&t.go);
	assert_true(t.tid > 0);
	assert_true(facts_of(getpid(), t.fd, &f));
	assert_int_equal(f.type, 'f');
	/* Where the kernel gives no pidfd of a thread, it is unknown, never the leader's file. */
	if (facts_of(t.tid, t.fd, &f))
		assert_int_equal(f.type, 'u');
	else
		assert_int_equal(f.type, 0);
	pthread_barrier_wait(&t.go);
	pthread_join(th, NULL);
	close(t.fd);
}

static void test_sockaddr(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	struct shk_str sa = { (char *)&in6, sizeof(in6) };
	struct shk_ip ip;
	uint16_t port;
	_cleanup_buf_ struct shk_buf b;

	(void)state;
	shk_buf_init(&b, 128);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr), 1);
	assert_true(shk_sockaddr_ip(sa, &ip, &port));
	assert_int_equal(ip.len, 4);
	shk_ip_port_print(&ip, port, &b);
	assert_str(shk_buf_view(&b), "10.1.2.3:443");
	sa.n = 23;
	assert_false(shk_sockaddr_ip(sa, &ip, &port));
	sa.n = 1;
	assert_false(shk_sockaddr_ip(sa, &ip, &port));
	assert_false(shk_sockaddr_unix(sa, &arena, &sa));
}

static int setup(void **state)
{
	(void)state;
	c = shk_container_new(1);
	c->init_pid = getpid();
	shk_arena_init(&arena, 1u << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shk_container_unref(c);
	shk_arena_done(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	     cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_unix),	     cmocka_unit_test(test_thread_table),
		cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
