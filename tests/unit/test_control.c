// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/control.h"

static struct json_object *parse(const char *s, struct shk_err *err)
{
	return shk_json_parse(shk_str(s), 4096, err);
}

static void json_accepts_one_object(void **state)
{
	struct json_object *o = parse(" {\"a\":1,\"s\":\"x\\u0000y\",\"o\":{}} \n", NULL);

	(void)state;
	assert_non_null(o);
	assert_int_equal(shk_json_int(o, "a", -1), 1);
	assert_int_equal(shk_json_int(o, "s", -1), -1);
	assert_int_equal(shk_json_str(o, "s").n, 3);
	assert_null(shk_json_str(o, "a").p);
	assert_null(shk_json_str(o, "absent").p);
	assert_non_null(shk_json_object(o, "o"));
	assert_null(shk_json_array(o, "o"));
	assert_null(shk_json_object(NULL, "o"));
	json_object_put(o);
}

static void json_refuses_the_rest(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "ends early" },	       { "{\"a\":1", "ends early" },
		{ "[1]", "object expected" },  { "1", "" },
		{ "{} {}", "offset 3" },       { "{\"a\":1,}", "offset" },
		{ "{a:1}", "offset" },	       { "null ", "object expected" },
	};
	struct shk_err err;
	char deep[400];

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		assert_null(parse(bad[i].text, &err));
		assert_non_null(strstr(err.text, bad[i].says));
	}
	assert_null(shk_json_parse((struct shk_str){ "{}\0{}", 5 }, 100, &err));
	assert_null(shk_json_parse(SHK_STR("{\"a\":12345}"), 10, &err));
	assert_int_equal(err.errnum, EMSGSIZE);
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	deep[sizeof(deep) - 1] = 0;
	assert_null(parse(deep, &err));
	assert_non_null(strstr(err.text, "too deep"));
}

struct pair {
	struct shk_conn conn;
	int peer;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int sv[2];

	if (!p || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	shk_conn_init(&p->conn, sv[0]);
	p->peer = sv[1];
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	shk_conn_done(&p->conn);
	shk_close(&p->peer);
	free(p);
	return 0;
}

static void say(struct pair *p, const char *s)
{
	assert_int_equal(write(p->peer, s, strlen(s)), strlen(s));
}

static void conn_joins_partial_lines(void **state)
{
	struct pair *p = *state;
	struct json_object *o = NULL;

	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	say(p, "{\"v\":1,\"op");
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	say(p, "\":\"a\"}\n{\"v\":1,\"op\":\"b\"}\n{");
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 1);
	assert_true(shk_str_eqz(shk_json_str(o, "op"), "a"));
	json_object_put(o);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 1);
	assert_true(shk_str_eqz(shk_json_str(o, "op"), "b"));
	json_object_put(o);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	shk_close(&p->peer);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), -ECONNRESET);
}

static void conn_answers_before_end_of_stream(void **state)
{
	struct pair *p = *state;
	struct json_object *o = NULL;

	say(p, "{\"v\":1,\"op\":\"a\"}\n");
	shk_close(&p->peer);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 1);
	json_object_put(o);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), -ECONNRESET);
	/* Answering somebody who left is an error, not a signal. */
	assert_true(shk_conn_ok(&p->conn, NULL) < 0);
}

static void conn_refuses(void **state)
{
	static const struct {
		const char *line;
		int r;
	} bad[] = {
		{ "{\"op\":\"a\"}\n", -EPROTO },
		{ "{\"v\":2,\"op\":\"a\"}\n", -EPROTO },
		{ "{\"v\":\"1\",\"op\":\"a\"}\n", -EPROTO },
		{ "{\"v\":1}\n", -EBADMSG },
		{ "{\"v\":1,\"op\":7}\n", -EBADMSG },
		{ "\n", -EBADMSG },
		{ "hello\n", -EBADMSG },
	};
	struct pair *p = *state;
	struct json_object *o = NULL;
	struct shk_err err;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		say(p, bad[i].line);
		assert_int_equal(shk_conn_read(&p->conn, &o, &err), bad[i].r);
		assert_null(o);
	}
	say(p, "{\"v\":7,\"op\":\"a\"}\n");
	assert_int_equal(shk_conn_read(&p->conn, &o, &err), -EPROTO);
	assert_non_null(strstr(err.text, "server speaks version 1"));
}

static void *flood(void *arg)
{
	char junk[65536];

	memset(junk, 'x', sizeof(junk));
	for (size_t i = 0; i < 64; i++)
		if (send(*(int *)arg, junk, sizeof(junk), MSG_NOSIGNAL) < 0)
			break;
	return NULL;
}

static void conn_limits_a_request(void **state)
{
	struct pair *p = *state;
	struct json_object *o = NULL;
	pthread_t t;
	int r;

	assert_int_equal(pthread_create(&t, NULL, flood, &p->peer), 0);
	do
		r = shk_conn_read(&p->conn, &o, NULL);
	while (r == 0);
	assert_int_equal(r, -EMSGSIZE);
	assert_true(p->conn.in.n <= SHK_CONTROL_REQUEST_MAX + 65536);
	shutdown(p->conn.fd, SHUT_RDWR);
	pthread_join(t, NULL);
}

static void conn_hands_over_descriptors(void **state)
{
	static const char line[] = "{\"v\":1,\"op\":\"a\"}\n";
	struct pair *p = *state;
	struct json_object *o = NULL;
	int kept, old;

	assert_int_equal(shk_send_fds(p->peer, line, 5, (int[]){ 0, 1 }, 2), 5);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	say(p, line + 5);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 1);
	json_object_put(o);
	assert_int_equal(p->conn.nfds, 2);
	kept = TAKE_FD(p->conn.fds[0]);
	old = p->conn.fds[1];
	assert_true(fcntl(kept, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	assert_int_equal(p->conn.nfds, 0);
	assert_int_equal(fcntl(old, F_GETFD), -1);
	assert_true(fcntl(kept, F_GETFD) >= 0);
	close(kept);
	/* Behind the first byte they are refused, and not kept. */
	say(p, "{\"v\":1,");
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), 0);
	assert_int_equal(shk_send_fds(p->peer, "\"op", 3, (int[]){ 0 }, 1), 3);
	assert_int_equal(shk_conn_read(&p->conn, &o, NULL), -EBADMSG);
	assert_int_equal(p->conn.nfds, 0);
}

static void conn_does_not_grow_for_a_deaf_reader(void **state)
{
	struct pair *p = *state;
	struct json_object *o = json_object_new_object();
	char *big = malloc(100001);
	int r = 0;

	memset(big, 'x', 100000);
	big[100000] = 0;
	json_object_object_add(o, "more", json_object_new_string(big));
	for (int i = 0; i < 200 && r == 0; i++)
		r = shk_conn_send(&p->conn, o);
	assert_int_equal(r, -ENOBUFS);
	assert_true(p->conn.out.n <= SHK_CONTROL_ANSWER_MAX);
	assert_int_equal(shk_conn_flush(&p->conn), 1);
	json_object_put(o);
	free(big);
}

/* A server of one answer on its own thread, over a real socket path. */
struct server {
	char dir[64], path[96];
	int listener;
	const char *answer; /* raw bytes; NULL: closes without an answer */
	int hold_ms;
	char got[4096];
	size_t nfds;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	struct pollfd p = { .fd = s->listener, .events = POLLIN };
	int fds[SHK_MAX_FDS], fd;
	size_t nfds = SHK_MAX_FDS;
	ssize_t n;

	poll(&p, 1, -1);
	fd = accept(s->listener, NULL, NULL);
	n = shk_recv_fds(fd, s->got, sizeof(s->got) - 1, fds, &nfds, 0);
	s->got[n > 0 ? n : 0] = 0;
	s->nfds = nfds;
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	if (s->hold_ms) {
		p = (struct pollfd){ .fd = fd, .events = POLLRDHUP };
		poll(&p, 1, s->hold_ms);
	}
	for (const char *a = s->answer; a && *a;) {
		/* In two pieces: lines need not arrive whole. */
		size_t k = strlen(a) > 7 ? 7 : strlen(a);

		if (send(fd, a, k, MSG_NOSIGNAL) < 0)
			break;
		a += k;
	}
	close(fd);
	return NULL;
}

static void server_start(struct server *s, const char *answer, int hold_ms)
{
	strcpy(s->dir, "/tmp/shrike-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	s->listener = shk_listen_unix(s->path, 0600, NULL);
	assert_true(s->listener >= 0);
	s->answer = answer;
	s->hold_ms = hold_ms;
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
}

static int count_more(struct json_object *more, void *arg)
{
	*(int64_t *)arg += shk_json_int(more, "n", 0);
	return 0;
}

static int call(struct server *s, int timeout_ms, int64_t *sum, struct json_object **ret,
		struct shk_err *err)
{
	struct json_object *q = json_object_new_object();
	struct shk_client *c = NULL;
	int r;

	json_object_object_add(q, "op", json_object_new_string("test"));
	assert_int_equal(shk_client_connect(s->path, &c, err), 0);
	r = shk_client_call(c, q, (int[]){ 0 }, 1, sum ? count_more : NULL, sum, timeout_ms, ret, err);
	json_object_put(q);
	shk_client_free(c);
	return r;
}

static void client_reads_more_and_final(void **state)
{
	struct json_object *o = NULL;
	struct server s = { 0 };
	struct shk_err err;
	int64_t sum = 0;

	(void)state;
	server_start(&s,
		     "{\"more\":{\"n\":1}}\n{\"more\":{\"n\":2}}\n{\"v\":1,\"ok\":true,\"x\":5}\n", 0);
	assert_int_equal(call(&s, 10000, &sum, &o, &err), 0);
	server_stop(&s);
	assert_int_equal(sum, 3);
	assert_int_equal(shk_json_int(o, "x", 0), 5);
	json_object_put(o);
	assert_string_equal(s.got, "{\"op\":\"test\",\"v\":1}\n");
	assert_int_equal(s.nfds, 1);
}

static void client_reports_failures(void **state)
{
	static const struct {
		const char *answer;
		int r;
		const char *says;
	} cases[] = {
		{ "{\"v\":1,\"ok\":false,\"error\":\"no such; do x\",\"errno\":2}\n", -ENOENT,
		  "no such; do x" },
		{ "{\"v\":1,\"ok\":false}\n", -EIO, "refused" },
		{ "{\"v\":3,\"ok\":false,\"error\":\"e\",\"errno\":71}\n", -EPROTO,
		  "speaks version 3" },
		{ "{\"v\":1}\n", -EBADMSG, "no \"ok\"" },
		{ "nonsense\n", -EBADMSG, "answer of" },
		{ "{\"v\":1,\"ok\":true", -ECONNRESET, "closed the connection" },
		{ NULL, -ECONNRESET, "closed the connection" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		struct server s = { 0 };
		struct json_object *o = NULL;
		struct shk_err err;

		server_start(&s, cases[i].answer, 0);
		assert_int_equal(call(&s, 10000, NULL, &o, &err), cases[i].r);
		server_stop(&s);
		assert_null(o);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void client_gives_up_in_time(void **state)
{
	struct server s = { 0 };
	struct shk_err err;

	(void)state;
	server_start(&s, NULL, 60000);
	assert_int_equal(call(&s, 20, NULL, NULL, &err), -ETIMEDOUT);
	server_stop(&s);
}

static void client_names_an_absent_server(void **state)
{
	struct shk_client *c = NULL;
	struct shk_err err;

	(void)state;
	assert_int_equal(shk_client_connect("/nonexistent/shrike.sock", &c, &err), -ENOENT);
	assert_non_null(strstr(err.text, "start shriked"));
	setenv("SHRIKE_SOCKET", "/nonexistent/other.sock", 1);
	assert_int_equal(shk_client_connect(NULL, &c, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/other.sock"));
	unsetenv("SHRIKE_SOCKET");
	assert_null(c);
}

static void peer_is_known(void **state)
{
	struct pair *p = *state;
	struct shk_peer peer;
	struct shk_err err;
	struct stat st;

	assert_int_equal(shk_peer_get(p->conn.fd, &peer, &err), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_true(peer.same_pidns && peer.same_userns && peer.same_mntns);
	assert_int_equal(stat("/proc/self/ns/mnt", &st), 0);
	assert_int_equal(peer.mntns, st.st_ino);
	assert_int_equal(shk_pidfd_signal(peer.pidfd, 0), 0);
	shk_peer_done(&peer);
	assert_int_equal(peer.pidfd, -1);
}

static void peer_that_ended_is_refused(void **state)
{
	struct shk_peer peer;
	struct shk_err err;
	int sv[2];
	pid_t pid;

	(void)state;
	/* The credentials of a socketpair are its maker's: a child makes it and passes one end. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	pid = fork();
	if (pid == 0) {
		int in[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) < 0)
			_exit(1);
		_exit(shk_send_fds(sv[1], "x", 1, in, 1) == 1 ? 0 : 1);
	}
	{
		size_t n = 1;
		int fd = -1, st;
		char c;

		assert_int_equal(shk_recv_fds(sv[0], &c, 1, &fd, &n, 0), 1);
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_int_equal(st, 0);
		assert_int_equal(shk_peer_get(fd, &peer, &err), -ESRCH);
		close(fd);
	}
	close(sv[0]);
	close(sv[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_accepts_one_object),
		cmocka_unit_test(json_refuses_the_rest),
		cmocka_unit_test_setup_teardown(conn_joins_partial_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(conn_answers_before_end_of_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(conn_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(conn_limits_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(conn_hands_over_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(conn_does_not_grow_for_a_deaf_reader, setup,
						teardown),
		cmocka_unit_test(client_reads_more_and_final),
		cmocka_unit_test(client_reports_failures),
		cmocka_unit_test(client_gives_up_in_time),
		cmocka_unit_test(client_names_an_absent_server),
		cmocka_unit_test_setup_teardown(peer_is_known, setup, teardown),
		cmocka_unit_test(peer_that_ended_is_refused),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
