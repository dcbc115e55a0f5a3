// SPDX-License-Identifier: Apache-2.0
/*
 * The keeper, run as a program. Its engine is this very binary (--keeper): it takes orders over the
 * control socket, one connection and one line each, and answers with one line:
 *   have                 "KEY=BLOB[+fd]..." of what it was given at start
 *   store KEY BLOB       (with a descriptor or without) waits for the ACK: "status N"
 *   forget KEY           "ok"
 *   burst FIRST N        stores N entries with descriptors, reads no ACK, kills itself
 *   ready | status TEXT | pid | args | env | hups | epoch | garbage | close | big N
 *   exit N
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "journal/journal.h"
#include "shriked/keeper_proto.h"

/* ---- the engine ---- */

union packet {
	struct shk_keeper_msg m;
	unsigned char room[sizeof(struct shk_keeper_msg) + SHK_KEEPER_BLOB_MAX];
};

static volatile sig_atomic_t hups;

static void on_hup(int sig)
{
	(void)sig;
	hups++;
}

static void tell(uint32_t op, uint64_t key, const char *blob, int fd)
{
	union packet u = { .m = { .op = op, .key = key, .len = (uint32_t)strlen(blob),
				  .flags = fd >= 0 ? SHK_KEEPER_WITH_FD : 0 } };

	memcpy(u.m.blob, blob, u.m.len);
	if (shk_send_fds(SHK_KEEPER_FD_SOCK, &u, sizeof(u.m) + u.m.len, &fd, fd >= 0) < 0)
		_exit(9);
}

static void read_have(struct shk_buf *have)
{
	for (;;) {
		union packet u;
		int fds[1];
		size_t nfds = 1;
		ssize_t n = shk_recv_fds(SHK_KEEPER_FD_SOCK, &u, sizeof(u), fds, &nfds, 0);

		if (n != (ssize_t)(sizeof(u.m) + u.m.len))
			_exit(8);
		if (u.m.op == SHK_KEEPER_HAVE_END)
			return;
		if (u.m.op != SHK_KEEPER_HAVE || (u.m.flags & SHK_KEEPER_WITH_FD) != nfds)
			_exit(7);
		shk_buf_printf(have, "%llu=%.*s", (unsigned long long)u.m.key, (int)u.m.len,
			       (char *)u.m.blob);
		if (nfds) {
			char text[64] = "";

			/* Descriptors of these tests are files that hold a word. */
			if (pread(fds[0], text, sizeof(text) - 1, 0) < 0)
				_exit(6);
			shk_buf_printf(have, "+%s", text);
			close(fds[0]);
		}
		shk_buf_addc(have, ' ');
	}
}

static void store(unsigned long long key, const char *blob, int fd, char *answer, size_t size)
{
	union packet u;

	tell(SHK_KEEPER_STORE, key, blob, fd);
	if (recv(SHK_KEEPER_FD_SOCK, &u, sizeof(u), 0) != sizeof(u.m) || u.m.op != SHK_KEEPER_ACK ||
	    u.m.key != key)
		_exit(5);
	snprintf(answer, size, "status %u", u.m.status);
}

static void burst(unsigned long long first, int n)
{
	char name[] = "/tmp/shrike-burst-XXXXXX", blob[32];
	int fd = mkstemp(name);

	unlink(name);
	if (write(fd, "burst", 5) != 5)
		_exit(4);
	for (int i = 0; i < n; i++) {
		snprintf(blob, sizeof(blob), "b%d", i);
		tell(SHK_KEEPER_STORE, first + (unsigned)i, blob, fd);
	}
	raise(SIGKILL);
}

static void obey(const char *order, int fd, struct shk_buf *have, char **argv, char *answer, size_t size)
{
	unsigned long long key;
	char word[4096];
	int n;

	if (strcmp(order, "have") == 0) {
		snprintf(answer, size, "%s", have->p ? have->p : "");
	} else if (sscanf(order, "store %llu %4095s", &key, word) == 2) {
		store(key, word, fd, answer, size);
	} else if (sscanf(order, "big %d", &n) == 1) {
		static char big[SHK_KEEPER_BLOB_MAX + 1];

		memset(big, 'x', SHK_KEEPER_BLOB_MAX);
		big[n] = 0;
		store(99, big, -1, answer, size);
	} else if (sscanf(order, "forget %llu", &key) == 1) {
		tell(SHK_KEEPER_FORGET, key, "", -1);
	} else if (sscanf(order, "burst %llu %d", &key, &n) == 2) {
		burst(key, n);
	} else if (strcmp(order, "ready") == 0) {
		tell(SHK_KEEPER_READY, 0, "", -1);
	} else if (strncmp(order, "status ", 7) == 0) {
		tell(SHK_KEEPER_RELOADED, 0, order + 7, -1);
	} else if (strcmp(order, "pid") == 0) {
		snprintf(answer, size, "%d", (int)getpid());
	} else if (strcmp(order, "env") == 0) {
		snprintf(answer, size, "%s", getenv("NOTIFY_SOCKET") ? "leaked" : "clean");
	} else if (strcmp(order, "args") == 0) {
		size_t at = 0;

		for (char **a = argv; *a && at < size; a++)
			at += (size_t)snprintf(answer + at, size - at, "%s ", *a);
	} else if (strcmp(order, "hups") == 0) {
		snprintf(answer, size, "%d", (int)hups);
	} else if (strcmp(order, "epoch") == 0) {
		struct shk_journal *j = NULL;

		if (shk_journal_open(SHK_KEEPER_FD_JOURNAL, &j, NULL) < 0)
			_exit(3);
		snprintf(answer, size, "%llu %s", (unsigned long long)shk_journal_epoch(j),
			 shk_journal_boot(j));
	} else if (strcmp(order, "garbage") == 0) {
		if (send(SHK_KEEPER_FD_SOCK, "garbage", 7, 0) != 7)
			_exit(2);
		tell(4711, 1, "", -1);
	} else if (strcmp(order, "close") == 0) {
		signal(SIGTERM, SIG_IGN);
		close(SHK_KEEPER_FD_SOCK);
	} else if (sscanf(order, "exit %d", &n) == 1) {
		_exit(n);
	}
}

static int engine(char **argv)
{
	const char *at_once = getenv("TEST_ENGINE_EXIT");
	struct shk_buf have;

	if (at_once)
		_exit(atoi(at_once));
	signal(SIGHUP, on_hup);
	/* Nothing but the agreed descriptors came along. */
	for (int fd = SHK_KEEPER_FD_NOTIFY + 1; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			_exit(21);
	shk_buf_init(&have, 1 << 20);
	read_have(&have);
	for (;;) {
		struct pollfd p = { .fd = SHK_KEEPER_FD_CONTROL, .events = POLLIN };
		char order[8192], answer[65536] = "ok";
		int c, fds[1] = { -1 };
		size_t nfds = 1;
		ssize_t n;

		if (poll(&p, 1, -1) < 0)
			continue;
		c = accept(SHK_KEEPER_FD_CONTROL, NULL, NULL);
		if (c < 0)
			continue;
		n = shk_recv_fds(c, order, sizeof(order) - 1, fds, &nfds, 0);
		if (n > 0) {
			order[n] = 0;
			obey(order, nfds ? fds[0] : -1, &have, argv, answer, sizeof(answer));
			shk_write_all(c, answer, strlen(answer));
		}
		if (nfds)
			close(fds[0]);
		close(c);
	}
}

/* ---- the tests ---- */

struct rig {
	char dir[64], control[100], notify[100], manager[100];
	pid_t keeper;
	int systemd;		  /* socket of the service manager */
	const char *listen_names; /* with listen[]: what the manager passes at start */
	int listen[8], n_listen;
	const char *engine_exit;
	bool unheard; /* nobody reads its standard error */
	bool managed; /* the test reads what the manager is told */
};

static char self[PATH_MAX];

static void launch(struct rig *r)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char shriked[PATH_MAX], text[32];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (r->unheard) {
			int p[2];

			if (pipe(p) < 0 || dup2(p[1], 2) < 0)
				_exit(101);
			close(p[0]);
			close(p[1]);
		}
		unsetenv("NOTIFY_SOCKET");
		if (r->managed)
			setenv("NOTIFY_SOCKET", r->manager, 1);
		if (r->engine_exit)
			setenv("TEST_ENGINE_EXIT", r->engine_exit, 1);
		if (r->n_listen) {
			for (int i = 0; i < r->n_listen; i++)
				r->listen[i] = fcntl(r->listen[i], F_DUPFD_CLOEXEC, 100);
			for (int i = 0; i < r->n_listen; i++)
				dup2(r->listen[i], 3 + i);
			snprintf(text, sizeof(text), "%d", r->n_listen);
			setenv("LISTEN_FDS", text, 1);
			snprintf(text, sizeof(text), "%d", (int)getpid());
			setenv("LISTEN_PID", text, 1);
			setenv("LISTEN_FDNAMES", r->listen_names, 1);
		}
		snprintf(shriked, sizeof(shriked), "%s/shriked", getenv("SHK_BUILDDIR"));
		execl(shriked, "shriked", "--foreground", "--control", r->control, "--notify",
		      r->notify, "--engine", self, "--config", "/some/shrike.yaml", NULL);
		_exit(100);
	}
	r->keeper = pid;
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 10 };

	if (!r)
		return -1;
	snprintf(r->dir, sizeof(r->dir), "/tmp/shrike-keeper-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	snprintf(r->control, sizeof(r->control), "%s/run/control.sock", r->dir);
	snprintf(r->notify, sizeof(r->notify), "%s/run/notify.sock", r->dir);
	snprintf(r->manager, sizeof(r->manager), "%s/manager", r->dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->manager);
	r->systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(r->systemd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*state = r;
	return bind(r->systemd, (struct sockaddr *)&sa, sizeof(sa));
}

static int end(struct rig *r, int sig)
{
	int status;

	kill(r->keeper, sig);
	assert_int_equal(waitpid(r->keeper, &status, 0), r->keeper);
	r->keeper = 0;
	return status;
}

/* Kills the keeper hard and waits for its orphaned engine to go: it might take a connection of ours. */
static void kill_both(struct rig *r)
{
	int c = 0;

	end(r, SIGKILL);
	for (int i = 0; i < 3000 && c >= 0; i++) {
		c = shk_connect_unix(r->control, NULL);
		if (c >= 0) {
			close(c);
			usleep(10000);
		}
	}
	assert_true(c < 0);
}

static int teardown(void **state)
{
	static const char *const names[] = { "run/control.sock", "run/notify.sock",
					     "run/control.sock.lock", "run/notify.sock.lock",
					     "manager" };
	struct rig *r = *state;
	char path[160];

	if (r->keeper)
		end(r, SIGTERM);
	close(r->systemd);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/run", r->dir);
	rmdir(path);
	rmdir(r->dir);
	free(r);
	return 0;
}

/* One order; the answer in a buffer that the next call reuses. Empty: the engine died over it. */
static const char *ask_with(struct rig *r, const char *order, int fd)
{
	static char answer[65536];
	size_t n = 0;
	ssize_t got;
	int c = -1;

	for (int i = 0; i < 3000 && c < 0; i++) {
		c = shk_connect_unix(r->control, NULL);
		if (c < 0)
			usleep(10000);
	}
	assert_true(c >= 0);
	assert_int_equal(shk_send_fds(c, order, strlen(order), &fd, fd >= 0), strlen(order));
	while ((got = read(c, answer + n, sizeof(answer) - 1 - n)) > 0)
		n += (size_t)got;
	answer[n] = 0;
	close(c);
	return answer;
}

static const char *ask(struct rig *r, const char *order)
{
	return ask_with(r, order, -1);
}

static int word_file(const char *word)
{
	char name[] = "/tmp/shrike-word-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, word, strlen(word)), strlen(word));
	return fd;
}

/* The next message to the service manager; *ret_fd may be NULL. */
static const char *told(struct rig *r, int *ret_fd)
{
	static char text[1024];
	int fds[1] = { -1 };
	size_t nfds = 1;
	ssize_t n = shk_recv_fds(r->systemd, text, sizeof(text) - 1, fds, &nfds, 0);

	assert_true(n > 0);
	text[n] = 0;
	if (ret_fd)
		*ret_fd = nfds ? fds[0] : -1;
	else if (nfds)
		close(fds[0]);
	return text;
}

/* Skips messages up to one that begins with text. */
static void expect_told(struct rig *r, const char *text)
{
	while (strncmp(told(r, NULL), text, strlen(text)) != 0)
		;
}

static void sockets_and_descriptors(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char want[600];

	launch(r);
	snprintf(want, sizeof(want), "--keeper --control %s --notify %s --restarts 0 --config "
		 "/some/shrike.yaml ", r->control, r->notify);
	assert_non_null(strstr(ask(r, "args"), want));
	assert_int_equal(stat(r->control, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(stat(r->notify, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(WEXITSTATUS(end(r, SIGTERM)), 0);
	assert_int_equal(stat(r->control, &st), -1);
}

static void entries_survive_the_engine(void **state)
{
	struct rig *r = *state;
	int red = word_file("red"), blue = word_file("blue");
	char boot[128];

	launch(r);
	assert_string_equal(ask(r, "have"), "");
	assert_string_equal(ask_with(r, "store 7 seven", red), "status 0");
	assert_string_equal(ask(r, "store 0 zero"), "status 0");
	assert_string_equal(ask_with(r, "store 18446744073709551615 max", red), "status 0");
	assert_string_equal(ask_with(r, "store 7 again", blue), "status 0");
	assert_string_equal(ask(r, "garbage"), "ok");
	assert_string_equal(ask(r, "forget 18446744073709551615"), "ok");
	snprintf(boot, sizeof(boot), "%s", ask(r, "epoch"));
	assert_int_equal(boot[0], '1');
	ask(r, "exit 1");
	assert_string_equal(ask(r, "have"), "7=again+blue 0=zero ");
	assert_string_equal(ask(r, "epoch") + 1, boot + 1);
	assert_non_null(strstr(ask(r, "args"), "--restarts 1 "));
	assert_string_equal(ask(r, "big 65536"), "status 0");
	close(red);
	close(blue);
}

static void what_was_in_flight_counts(void **state)
{
	struct rig *r = *state;

	launch(r);
	for (int round = 0; round < 5; round++) {
		char order[64];
		const char *have;

		/* More than the keeper reads in one go, and acknowledgements nobody read. */
		snprintf(order, sizeof(order), "burst %d 150", 1000 * (round + 1));
		assert_string_equal(ask(r, order), "");
		have = ask(r, "have");
		for (int i = 0; i < 150; i++) {
			char want[64];

			snprintf(want, sizeof(want), "%d=b%d+burst ", 1000 * (round + 1) + i, i);
			assert_non_null(strstr(have, want));
		}
	}
}

static void a_full_store_refuses(void **state)
{
	struct rig *r = *state;
	char order[64], more[64];

	launch(r);
	snprintf(more, sizeof(more), "store %d e", SHK_KEEPER_STORE_MAX);
	for (int i = 0; i < SHK_KEEPER_STORE_MAX; i++) {
		snprintf(order, sizeof(order), "store %d e", i);
		assert_string_equal(ask(r, order), "status 0");
	}
	snprintf(order, sizeof(order), "status %d", ENOSPC);
	assert_string_equal(ask(r, more), order);
	assert_string_equal(ask(r, "store 5 replaced"), "status 0");
	ask(r, "forget 6");
	assert_string_equal(ask(r, more), "status 0");
	ask(r, "exit 0");
	assert_non_null(strstr(ask(r, "have"), "5=replaced 7=e "));
}

static void signals_and_states(void **state)
{
	struct rig *r = *state;

	r->managed = true;
	launch(r);
	expect_told(r, "FDSTORE=1\nFDPOLL=0\nFDNAME=shrike-journal");
	assert_string_equal(ask(r, "env"), "clean");
	kill(r->keeper, SIGHUP); /* waits for READY */
	assert_string_equal(ask(r, "hups"), "0");
	ask(r, "ready");
	assert_string_equal(told(r, NULL), "READY=1");
	for (int i = 0; i < 3000 && strcmp(ask(r, "hups"), "1") != 0; i++)
		usleep(10000);
	assert_string_equal(ask(r, "hups"), "1");
	ask(r, "status 3 policies\nREADY=0");
	assert_string_equal(told(r, NULL), "STATUS=3 policies READY=0");
	ask(r, "exit 78"); /* no reason to end once it has served */
	ask(r, "ready");
	ask(r, "status second");
	assert_string_equal(told(r, NULL), "STATUS=second");
	assert_int_equal(WEXITSTATUS(end(r, SIGTERM)), 0);
	assert_string_equal(told(r, NULL), "STOPPING=1");
}

static void a_broken_configuration_ends_it(void **state)
{
	struct rig *r = *state;
	int status;

	r->engine_exit = "78";
	launch(r);
	assert_int_equal(waitpid(r->keeper, &status, 0), r->keeper);
	r->keeper = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 78);
}

static void an_engine_that_hangs_up_is_replaced(void **state)
{
	struct rig *r = *state;
	uint64_t t = shk_now_mono();
	pid_t old;

	launch(r);
	assert_string_equal(ask(r, "store 3 three"), "status 0");
	old = atoi(ask(r, "pid"));
	ask(r, "close");
	while (kill(old, 0) == 0) {
		assert_true(shk_now_mono() - t < UINT64_C(60000000000));
		usleep(50000);
	}
	assert_string_equal(ask(r, "have"), "3=three ");
}

static void back_off_grows(void **state)
{
	struct rig *r = *state;
	uint64_t t;

	launch(r);
	t = shk_now_mono();
	for (int i = 0; i < 4; i++) /* at once, then 50, 100, 200 ms */
		ask(r, "exit 3");
	ask(r, "pid");
	t = shk_now_mono() - t;
	assert_true(t >= UINT64_C(350000000));
	assert_true(t < UINT64_C(60000000000)); /* it starts again at all; no limit of a busy machine */
}

static void a_log_without_reader_does_no_harm(void **state)
{
	struct rig *r = *state;

	r->unheard = true;
	launch(r);
	ask(r, "exit 3"); /* something to say */
	assert_non_null(strstr(ask(r, "args"), "--restarts 1 "));
	assert_int_equal(WEXITSTATUS(end(r, SIGTERM)), 0);
}

static void a_second_keeper_is_refused(void **state)
{
	struct rig *r = *state, second;
	int status;
	pid_t pid;

	launch(r);
	ask(r, "pid");
	second = *r;
	launch(&second);
	assert_int_equal(waitpid(second.keeper, &status, 0), second.keeper);
	assert_int_equal(WEXITSTATUS(status), 1);
	/* The first one is untouched; killed hard, its place can be taken. */
	pid = atoi(ask(r, "pid"));
	assert_true(pid > 0);
	kill_both(r);
	launch(r);
	assert_true(atoi(ask(r, "pid")) != pid);
}

/* Reads messages until `end`, keeping descriptors by name as systemd does. */
struct kept {
	char name[8][64];
	int fd[8], n;
};

static void keep(struct rig *r, struct kept *k, const char *end_text)
{
	for (;;) {
		int fd;
		const char *text = told(r, &fd), *name = strstr(text, "FDNAME=");

		if (strncmp(text, end_text, strlen(end_text)) == 0)
			return;
		if (!name)
			continue;
		name += 7;
		if (strncmp(text, "FDSTOREREMOVE=1", 15) == 0) {
			for (int i = 0; i < k->n; i++)
				if (strcmp(k->name[i], name) == 0) {
					close(k->fd[i]);
					k->n--;
					memmove(k->name[i], k->name[k->n], sizeof(k->name[i]));
					k->fd[i] = k->fd[k->n];
				}
			continue;
		}
		assert_true(k->n < 8);
		assert_true(fd >= 0);
		snprintf(k->name[k->n], sizeof(k->name[0]), "%s", name);
		k->fd[k->n++] = fd;
	}
}

static void entries_survive_the_keeper(void **state)
{
	struct rig *r = *state;
	int red = word_file("red");
	struct kept k = { .n = 0 };
	char names[600] = "", boot[128];

	r->managed = true;
	launch(r);
	ask(r, "ready");
	assert_string_equal(ask_with(r, "store 7 old", red), "status 0");
	assert_string_equal(ask_with(r, "store 7 seven", red), "status 0");
	ask(r, "status mark"); /* a socket queues ten datagrams */
	keep(r, &k, "STATUS=mark");
	assert_string_equal(ask(r, "store 8 eight"), "status 0");
	assert_string_equal(ask_with(r, "store 9 half", red), "status 0");
	ask(r, "status mark");
	keep(r, &k, "STATUS=mark");
	assert_string_equal(ask(r, "store 10 gone"), "status 0");
	ask(r, "forget 10");
	snprintf(boot, sizeof(boot), "%s", ask(r, "epoch"));
	ask(r, "status mark");
	keep(r, &k, "STATUS=mark");
	assert_int_equal(k.n, 6);
	kill_both(r);
	for (int i = 0; i < k.n; i++) {
		size_t n = strlen(names);

		/* One half of an entry is lost. */
		if (strcmp(k.name[i], "shrike-0000000000000009-fd") == 0)
			snprintf(k.name[i], sizeof(k.name[i]), "other");
		snprintf(names + n, sizeof(names) - n, "%s%s", i ? ":" : "", k.name[i]);
		r->listen[i] = k.fd[i];
	}
	r->listen_names = names;
	r->n_listen = k.n;
	launch(r);
	assert_non_null(strstr(ask(r, "have"), "7=seven+red "));
	assert_non_null(strstr(ask(r, "have"), "8=eight "));
	assert_null(strstr(ask(r, "have"), "9="));
	assert_null(strstr(ask(r, "have"), "10="));
	assert_string_equal(strchr(ask(r, "epoch"), ' '), strchr(boot, ' '));
	expect_told(r, "FDSTOREREMOVE=1\nFDNAME=shrike-0000000000000009-blob");
	for (int i = 0; i < k.n; i++)
		close(k.fd[i]);
	close(red);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sockets_and_descriptors),
		T(entries_survive_the_engine),
		T(what_was_in_flight_counts),
		T(a_full_store_refuses),
		T(signals_and_states),
		T(a_broken_configuration_ends_it),
		T(an_engine_that_hangs_up_is_replaced),
		T(back_off_grows),
		T(a_log_without_reader_does_no_harm),
		T(a_second_keeper_is_refused),
		T(entries_survive_the_keeper),
	};
	ssize_t n;

	if (argc > 1 && strcmp(argv[1], "--keeper") == 0)
		return engine(argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || !getenv("SHK_BUILDDIR")) {
		fprintf(stderr, "run me with SHK_BUILDDIR set (make check does)\n");
		return 1;
	}
	alarm(120); /* a keeper that does not answer must not hang the suite */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
