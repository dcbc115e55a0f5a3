// SPDX-License-Identifier: Apache-2.0
#include "alerts.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "alerts/gateway_proto.h"
#include "alerts/sink.h"
#include "base/io.h"

#include "sinks_box.h"

/* ---- file ---- */

static void file_gets_every_record_and_the_ring_empties(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg[] = {
		{ .kind = SHK_SINK_FILE, .json = true, .path = b->path, .min_priority = SHK_PRIO_DEBUG },
		{ .kind = SHK_SINK_FILE, .path = b->path2, .min_priority = SHK_PRIO_ERROR },
	};
	struct shk_sinks *s;
	struct json_object *o;
	struct stat st;
	char *end;

	put(b, 1); /* left by an earlier engine */
	s = start(b, cfg, 2);
	put(b, 2);
	b->f.rule.priority = SHK_PRIO_CRITICAL;
	put(b, 3);
	shk_sinks_kick(s);
	shk_sinks_stop(s, 5000);
	assert_int_equal(lines(slurp(b, b->path)), 3);
	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 07777 & ~0640u, 0);
	end = strchr(b->text, '\n');
	*end = '\0';
	o = json_tokener_parse(b->text);
	assert_string_equal(text_at(o, "shrike/id"), "b00t:7:1:1");
	json_object_put(o);
	assert_string_equal(slurp(b, b->path2), "22:13:20.000000001: Critical A shell was started\n");
	assert_true(ring_is_empty(b));
}

static void file_is_reopened(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_FILE, .path = b->path,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sinks *s = start(b, &cfg, 1);

	put(b, 1);
	shk_sinks_kick(s);
	wait_for(s, 0, has_sent, 1);
	assert_int_equal(rename(b->path, b->path2), 0);
	put(b, 2);
	shk_sinks_kick(s);
	wait_for(s, 0, has_sent, 2);
	shk_sinks_reopen(s);
	put(b, 3);
	shk_sinks_kick(s);
	shk_sinks_stop(s, 5000);
	assert_int_equal(lines(slurp(b, b->path2)), 2);
	assert_int_equal(lines(slurp(b, b->path)), 1);
}

static void half_a_line_is_finished(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_FILE, .path = b->path,
				       .min_priority = SHK_PRIO_DEBUG };
	FILE *f = fopen(b->path, "we");

	assert_non_null(f);
	fputs("{\"hostname\":", f);
	fclose(f);
	put(b, 1);
	shk_sinks_stop(start(b, &cfg, 1), 5000);
	assert_string_equal(slurp(b, b->path), "{\"hostname\":\n22:13:20.000000001: Notice A shell "
					       "was started\n");
}

static void symbolic_link_is_refused_until_it_is_gone(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_FILE, .path = b->path,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sinks *s;
	struct shk_sink_stats st;

	assert_int_equal(symlink(b->path2, b->path), 0);
	s = start(b, &cfg, 1);
	put(b, 1);
	shk_sinks_kick(s);
	st = wait_for(s, 0, has_failed, 1);
	assert_int_equal(st.error, ELOOP);
	assert_int_equal(access(b->path2, F_OK), -1);
	assert_int_equal(unlink(b->path), 0);
	wait_for(s, 0, has_sent, 1);
	shk_sinks_stop(s, 1000);
	assert_int_equal(lines(slurp(b, b->path)), 1);
}

/* /dev/full says ENOSPC to every write. */
static void full_disk_keeps_the_alert_in_the_ring(void **state)
{
	struct box *b = *state;
	char full[] = "/dev/full";
	struct shk_sink_config cfg = { .kind = SHK_SINK_FILE, .path = full,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sinks *s;
	struct shk_sink_stats st;

	put(b, 1);
	s = start(b, &cfg, 1);
	st = wait_for(s, 0, has_failed, 1);
	assert_int_equal(st.error, ENOSPC);
	shk_sinks_stop(s, 100);
	assert_false(ring_is_empty(b));
	/* The next engine brings it to paper. */
	cfg.path = b->path;
	shk_sinks_stop(start(b, &cfg, 1), 5000);
	assert_int_equal(lines(slurp(b, b->path)), 1);
}

/* ---- losses ---- */

static void lost_alerts_are_an_alert(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_FILE, .json = true, .path = b->path,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_str text = fixture_render(&b->f);
	struct json_object *o;
	struct shk_sinks *s;
	unsigned n = 0;
	char *own;

	while (shk_journal_put_alert(b->j, 0, text.p, text.n) == 0)
		n++;
	shk_journal_put_alert(b->j, 0, text.p, text.n);
	free((char *)(uintptr_t)text.p);
	s = start(b, &cfg, 1);
	wait_for(s, 0, has_sent, n + 1);
	shk_sinks_stop(s, 5000);
	assert_int_equal(lines(slurp(b, b->path)), n + 1);
	own = strstr(b->text, "Shrike internal: alerts lost");
	assert_non_null(own);
	while (own > b->text && own[-1] != '\n')
		own--;
	*strchr(own, '\n') = '\0';
	o = json_tokener_parse(own);
	assert_string_equal(text_at(o, "source"), "internal");
	assert_string_equal(text_at(o, "priority"), "Critical");
	assert_string_equal(text_at(o, "output_fields/output"), "queue");
	assert_int_equal(json_object_get_int(at(o, "output_fields/lost")), 2);
	json_object_put(o);
}

/* The program reads nothing until the go-ahead appears: its queue overflows. The file beside it gets
 * everything meanwhile, and both are told of the loss when the program reads again. */
static void standing_sink_harms_nobody_and_is_reported(void **state)
{
	enum { BATCHES = 32, BATCH = 800 };
	struct box *b = *state;
	char command[256];
	struct shk_sink_config cfg[] = {
		{ .kind = SHK_SINK_PROGRAM, .json = true, .command = command,
		  .min_priority = SHK_PRIO_DEBUG },
		{ .kind = SHK_SINK_FILE, .json = true, .path = b->path, .min_priority = SHK_PRIO_DEBUG },
	};
	struct shk_sink_stats st;
	struct shk_sinks *s;

	snprintf(command, sizeof(command), "while ! [ -e %s ]; do sleep 0.1; done; exec cat >/dev/null",
		 b->path2);
	s = start(b, cfg, 2);
	for (unsigned i = 0; i < BATCHES; i++) {
		for (unsigned k = 0; k < BATCH; k++)
			put(b, i * BATCH + k + 1);
		shk_sinks_kick(s);
		wait_for(s, 1, has_sent, (i + 1) * BATCH);
	}
	assert_int_equal(close(open(b->path2, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	/* Nothing but the loss report comes after these. */
	wait_for(s, 1, has_sent, BATCHES * BATCH + 1);
	shk_sinks_stats(s, &st, 1);
	assert_in_range(st.dropped, 1, BATCHES * BATCH - SHK_QUEUE_BYTES / 2048);
	shk_sinks_stop(s, 5000);
	slurp(b, b->path);
	assert_int_equal(lines(b->text), BATCHES * BATCH + 1);
	assert_non_null(strstr(b->text, "\"rule\":\"Shrike internal: alerts lost\""));
	assert_non_null(strstr(b->text, "\"output\":\"program:while "));
	assert_true(ring_is_empty(b));
}

static unsigned in_ring(struct box *b)
{
	uint64_t cookie = 0;
	struct shk_buf t;
	unsigned n = 0;

	shk_buf_init(&t, SHK_JOURNAL_ALERT_MAX);
	while ((cookie = shk_journal_peek_alert(b->j, cookie, &t, NULL)))
		n++;
	shk_buf_done(&t);
	return n;
}

/* An engine ends while a sink stands still: the ring gives back what it still has, and how many it no longer has is
 * told by the next one. */
static void what_an_engine_owed_is_told(void **state)
{
	enum { BATCHES = 3, BATCH = 1000 };
	struct box *b = *state;
	struct shk_sink_config cfg[] = {
		{ .kind = SHK_SINK_PROGRAM, .json = true, .command = (char[]){ "exec sleep 100" },
		  .min_priority = SHK_PRIO_DEBUG },
		{ .kind = SHK_SINK_FILE, .json = true, .path = b->path, .min_priority = SHK_PRIO_DEBUG },
	};
	struct shk_sinks *s = start(b, cfg, 2);
	unsigned kept, owed;
	char lost[64];

	for (unsigned i = 0; i < BATCHES; i++) {
		for (unsigned k = 0; k < BATCH; k++)
			put(b, i * BATCH + k + 1);
		shk_sinks_kick(s);
		wait_for(s, 1, has_sent, (i + 1) * BATCH);
	}
	shk_sinks_stop(s, 0);
	kept = in_ring(b);
	owed = (unsigned)shk_journal_owed(b->j);
	assert_true(kept > 0 && owed > 0);
	assert_true(kept + owed <= BATCHES * BATCH);
	unlink(b->path);
	s = start(b, cfg + 1, 1);
	wait_for(s, 0, has_sent, kept + 1);
	shk_sinks_stop(s, 5000);
	slurp(b, b->path);
	assert_int_equal(lines(b->text), kept + 1);
	snprintf(lost, sizeof(lost), "\"lost\":%u,", owed);
	assert_non_null(strstr(b->text, "before the engine ended"));
	assert_non_null(strstr(b->text, lost));
	assert_non_null(strstr(b->text, "\"output\":\"engine\""));
	assert_int_equal(shk_journal_owed(b->j), 0);
	assert_true(ring_is_empty(b));
}

/* ---- program ---- */

static void program_is_started_again(void **state)
{
	struct box *b = *state;
	char command[256];
	struct shk_sink_config cfg = { .kind = SHK_SINK_PROGRAM, .command = command,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sinks *s;
	struct shk_sink_stats st;

	snprintf(command, sizeof(command), "read -r l; echo \"$l\" >>%s; exit 3", b->path);
	s = start(b, &cfg, 1);
	put(b, 1);
	shk_sinks_kick(s);
	st = wait_for(s, 0, has_restarted, 1);
	assert_true(WIFEXITED(st.exit_status));
	assert_int_equal(WEXITSTATUS(st.exit_status), 3);
	put(b, 2); /* waits for the second run */
	shk_sinks_kick(s);
	wait_for(s, 0, has_restarted, 2);
	shk_sinks_stop(s, 3000);
	assert_int_equal(lines(slurp(b, b->path)), 2);
}

/* What it started goes with it, and stopping is bounded although it ignores the end of its input. */
static bool is_over(const char *stat)
{
	struct shk_buf t;
	bool over;

	shk_buf_init(&t, 4096);
	over = shk_read_file(stat, &t, NULL) < 0;
	shk_buf_addc(&t, '\0');
	over = over || strstr(t.p, ") Z ") || strstr(t.p, ") X ");
	shk_buf_done(&t);
	return over;
}

static void program_that_stays_is_ended(void **state)
{
	struct box *b = *state;
	char command[256], *end;
	struct shk_sink_config cfg = { .kind = SHK_SINK_PROGRAM, .command = command,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sinks *s;
	uint64_t before;
	long pid;

	snprintf(command, sizeof(command), "trap '' TERM; sleep 60 & echo $! >%s; read l; sleep 60",
		 b->path);
	s = start(b, &cfg, 1);
	put(b, 1);
	shk_sinks_kick(s);
	wait_for(s, 0, has_sent, 1);
	while (access(b->path, F_OK) < 0 || !*slurp(b, b->path))
		sched_yield();
	before = shk_now_mono();
	shk_sinks_stop(s, 200);
	assert_true(shk_now_mono() - before < 4000000000ull);
	pid = strtol(b->text, &end, 10);
	assert_true(pid > 1);
	/* Killed: it ends when it is scheduled next, and whoever inherited it may take its time to reap it. */
	snprintf(command, sizeof(command), "/proc/%ld/stat", pid);
	for (before = shk_now_mono(); !is_over(command); usleep(1000))
		assert_true(shk_now_mono() - before < 30000000000ull);
}

/* ---- syslog ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static const char *next_datagram(struct box *b, int fd)
{
	ssize_t n;

	free(b->text);
	b->text = calloc(1, 65536);
	assert_non_null(b->text);
	n = recv(fd, b->text, 65535, 0);
	assert_true(n > 0);
	return b->text;
}

static void syslog_survives_a_new_daemon(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_SYSLOG, .path = b->path, .facility = 10 << 3,
				       .min_priority = SHK_PRIO_DEBUG };
	int fd = listen_at(b->path);
	struct shk_sinks *s = start(b, &cfg, 1);
	char want[64];

	put(b, 1);
	shk_sinks_kick(s);
	/* authpriv.notice */
	assert_memory_equal(next_datagram(b, fd), "<85>", 4);
	snprintf(want, sizeof(want), " shrike[%d]: 22:13:20.000000001: Notice A shell", (int)getpid());
	assert_non_null(strstr(b->text, want));
	assert_int_equal(b->text[7], ' ');
	assert_int_equal(b->text[19], ' ');
	close(fd);
	fd = listen_at(b->path);
	put(b, 2);
	shk_sinks_kick(s);
	assert_non_null(strstr(next_datagram(b, fd), want));
	shk_sinks_stop(s, 1000);
	close(fd);
}

static void syslog_5424_escapes_its_parameters(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_SYSLOG, .path = b->path, .facility = 16 << 3,
				       .rfc5424 = true, .min_priority = SHK_PRIO_DEBUG };
	int fd = listen_at(b->path);
	struct shk_sinks *s = start(b, &cfg, 1);
	char want[512];

	put(b, 1);
	shk_sinks_kick(s);
	snprintf(want, sizeof(want),
		 "<133>1 2023-11-14T22:13:20.000000Z node1 shrike %d alert [shrike@32473 "
		 "rule=\"Shell in \\\"container\\\"\" priority=\"Notice\" container=\"0123456789ab\" "
		 "container_name=\"front\xef\xbf\xbd\\]\" verdict=\"deny\"] "
		 "22:13:20.000000001: Notice A shell was started",
		 (int)getpid());
	assert_string_equal(next_datagram(b, fd), want);
	shk_sinks_stop(s, 1000);
	close(fd);
}

static void syslog_marks_what_it_cut(void **state)
{
	static char message[12000];
	struct box *b = *state;
	struct shk_sink_config cfg[] = {
		{ .kind = SHK_SINK_SYSLOG, .path = b->path, .min_priority = SHK_PRIO_DEBUG },
		{ .kind = SHK_SINK_SYSLOG, .path = b->path2, .json = true, .min_priority = SHK_PRIO_DEBUG },
	};
	int fd = listen_at(b->path), fd2 = listen_at(b->path2);
	struct shk_sinks *s = start(b, cfg, 2);
	struct json_object *o;
	size_t n;

	memset(message, 'a', sizeof(message) - 1);
	b->f.rule.output_text = shk_str(message);
	put(b, 1);
	shk_sinks_kick(s);
	n = strlen(next_datagram(b, fd));
	assert_in_range(n, 7000, 8000);
	assert_true(shk_str_ends(shk_str(b->text), SHK_STR("a [cut by shrike]")));
	assert_in_range(strlen(next_datagram(b, fd2)), 1000, 8000);
	o = json_tokener_parse(strchr(b->text, '{'));
	assert_string_equal(text_at(o, "shrike/truncated"), "true");
	json_object_put(o);
	shk_sinks_stop(s, 1000);
	close(fd);
	close(fd2);
}

/* Which gateway it is, first of all. */
static void hello(int fd, uint64_t which)
{
	const struct shk_frame_head h = { .op = SHK_FRAME_HELLO, .cookie = which };

	assert_int_equal(shk_frame_send(fd, &h, SHK_STR("")), 0);
}

/* A connection of gateway `which`, that has told its risk, and that the engine has read. */
static int one_at_risk(struct shk_sinks *s, uint64_t which, uint32_t risk)
{
	static unsigned serial;
	const struct shk_frame_head ack = { .op = SHK_FRAME_ACK, .rank = risk }, outputs = { .op = SHK_FRAME_OUTPUTS };
	char text[32], *got = NULL;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	shk_sinks_gateway(s, sv[1]);
	hello(sv[0], which);
	assert_int_equal(shk_frame_send(sv[0], &ack, SHK_STR("")), 0);
	snprintf(text, sizeof(text), "[%u]", ++serial);
	assert_int_equal(shk_frame_send(sv[0], &outputs, shk_str(text)), 0);
	for (unsigned i = 0; i < 10000 && !(got && !strcmp(got, text)); i++) {
		usleep(1000);
		free(got);
		got = shk_sinks_gateway_outputs(s);
	}
	assert_non_null(got);
	assert_string_equal(got, text);
	free(got);
	return sv[0];
}

/* Takes alerts as a gateway does until `upto` have come and nothing more does; returns how many. */
static unsigned take_all(int fd, unsigned upto)
{
	_cleanup_free_ char *packet = malloc(SHK_FRAME_MAX);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct shk_frame_head h, ack = { .op = SHK_FRAME_ACK };
	uint64_t last = 0;
	struct shk_str text;
	unsigned n = 0;

	assert_non_null(packet);
	hello(fd, 1);
	while (n < upto && poll(&p, 1, 5000) == 1) {
		ssize_t size = recv(fd, packet, SHK_FRAME_MAX, MSG_DONTWAIT);

		assert_true(size > 0);
		assert_int_equal(shk_frame_parse(packet, (size_t)size, &h, &text), 0);
		if (h.op != SHK_FRAME_ALERT)
			continue;
		assert_true(h.cookie > last); /* in order, none twice */
		last = ack.cookie = h.cookie;
		n++;
		while (shk_frame_send(fd, &ack, SHK_STR("")) == -EAGAIN)
			usleep(1000);
	}
	return n;
}

/* What comes while the gateway is not there, or not as fast, is kept as far as there is room: by bytes, not lines. */
static void burst_waits_for_the_gateway(void **state)
{
	enum { FITS = 8000, MANY = 24000 };
	struct box *b = *state;
	struct shk_sinks *s = start_with_gateway(b);
	struct shk_sink_stats st;
	unsigned put_n, taken;
	int sv[2];

	for (put_n = 0; put_n < FITS; put_n++) {
		if (put_n % 500 == 0)
			wait_for(s, 1, has_sent, put_n);
		put(b, put_n + 1);
		shk_sinks_kick(s);
	}
	wait_for(s, 1, has_sent, FITS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	shk_sinks_gateway(s, sv[1]);
	assert_int_equal(take_all(sv[0], FITS), FITS);
	shk_sinks_stats(s, &st, 1);
	assert_int_equal(st.dropped, 0);
	/* The same without anybody who takes: what does not fit is counted, to the last one. */
	close(sv[0]);
	for (; put_n < FITS + MANY; put_n++) {
		if (put_n % 500 == 0)
			wait_for(s, 1, has_sent, put_n);
		put(b, put_n + 1);
		shk_sinks_kick(s);
	}
	wait_for(s, 1, has_sent, FITS + MANY);
	shk_sinks_stats(s, &st, 1);
	assert_in_range(st.dropped, 1, MANY - SHK_QUEUE_BYTES / 2048);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	shk_sinks_gateway(s, sv[1]);
	taken = take_all(sv[0], MANY - (unsigned)st.dropped);
	assert_int_equal(taken + st.dropped, MANY);
	shk_sinks_stop(s, 1000);
	close(sv[0]);
}

static uint64_t sum_of(const char *text, const char *key, unsigned *n)
{
	uint64_t sum = 0;

	*n = 0;
	while ((text = strstr(text, key))) {
		text += strlen(key);
		sum += strtoull(text, NULL, 10);
		++*n;
	}
	return sum;
}

static void wait_for_lost(struct box *b, struct shk_sinks *s, uint64_t lost, unsigned most)
{
	struct shk_sink_stats st;
	unsigned n;

	for (unsigned i = 0; i < 500; i++) {
		usleep(20000);
		slurp(b, b->path);
		if (sum_of(b->text, "\"lost\":", &n) >= lost)
			break;
	}
	assert_int_equal(sum_of(b->text, "\"lost\":", &n), lost);
	assert_in_range(n, 1, most);
	shk_sinks_stats(s, &st, 1);
	assert_int_equal(st.dropped, lost);
}

/* What a gateway had in memory when another came is lost, told once, and not as often as a gateway may say so. */
static void what_went_with_a_gateway_is_told(void **state)
{
	enum { TIMES = 40 };
	struct box *b = *state;
	struct shk_sinks *s = start_with_gateway(b);

	for (unsigned i = 0; i < TIMES; i++) /* the same gateway on another way takes nothing with it */
		close(one_at_risk(s, 1 + (i + 1) / 2, 5));
	wait_for_lost(b, s, 5 * TIMES / 2, TIMES / 4);
	/* More than there ever were it cannot have had. */
	for (unsigned i = 0; i < 3; i++)
		close(one_at_risk(s, 1000 + i, UINT32_MAX));
	wait_for_lost(b, s, SHK_GATEWAY_BEFORE, TIMES / 4 + 3);
	shk_sinks_stop(s, 100);
}

/* Ways to a gateway that does not come to its first word are none, and what the one before had is lost. */
static void gateway_that_dies_at_once_is_absent(void **state)
{
	struct box *b = *state;
	struct shk_sinks *s = start_with_gateway(b);
	struct shk_sink_stats st;
	int sv[2];

	close(one_at_risk(s, 1, 5));
	for (unsigned i = 0; i < 200; i++) { /* of which 10 s are needed */
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
		shk_sinks_gateway(s, sv[1]);
		usleep(100000);
		close(sv[0]);
		slurp(b, b->path);
		if (strstr(b->text, "internal: no gateway"))
			break;
	}
	assert_non_null(strstr(b->text, "internal: no gateway"));
	wait_for_lost(b, s, 5, 1);
	shk_sinks_stats(s, &st, 1);
	assert_int_equal(st.error, ENOTCONN);
	assert_null(strstr(b->text, "works again"));
	close(one_at_risk(s, 2, 0));
	for (unsigned i = 0; i < 500 && !strstr(slurp(b, b->path), "works again"); i++)
		usleep(20000);
	assert_non_null(strstr(b->text, "works again"));
	wait_for_lost(b, s, 5, 1);
	shk_sinks_stop(s, 100);
}

/* One that says twice on a connection which one it is, or nothing at first, loses it. */
static void gateway_greets_once(void **state)
{
	struct box *b = *state;
	struct shk_sink_config cfg = { .kind = SHK_SINK_GATEWAY, .min_priority = SHK_PRIO_DEBUG };
	const struct shk_frame_head tell = { .op = SHK_FRAME_TELL };
	struct shk_sinks *s = start(b, &cfg, 1);
	struct shk_sink_stats st;
	struct pollfd p = { .events = POLLIN };
	int sv[2];
	char c;

	p.fd = one_at_risk(s, 1, 5);
	assert_int_equal(poll(&p, 1, 0), 0);
	hello(p.fd, 2);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(recv(p.fd, &c, 1, 0), 0);
	close(p.fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(shk_frame_send(sv[0], &tell, SHK_STR("{}")), 0);
	shk_sinks_gateway(s, sv[1]);
	p.fd = sv[0];
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(recv(p.fd, &c, 1, 0), 0);
	close(p.fd);
	shk_sinks_stats(s, &st, 1);
	assert_int_equal(st.dropped, 0);
	shk_sinks_stop(s, 100);
}

/* A gateway that asks for alerts without end gets some, and how many it did not get is told. */
static void gateway_cannot_flood(void **state)
{
	enum { ASKED = 200 };
	struct box *b = *state;
	struct shk_frame_head h = { .op = SHK_FRAME_TELL };
	struct shk_sinks *s = start_with_gateway(b);
	unsigned asked = 0, made;
	uint64_t left_out;
	char *own;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	shk_sinks_gateway(s, sv[1]);
	hello(sv[0], 1);
	while (asked < ASKED) {
		int rc = shk_frame_send(sv[0], &h, SHK_STR("{\"rule\":\"x\",\"priority\":\"Notice\",\"text\":\"t\","
							   "\"fields\":{}}"));

		assert_true(rc == 0 || rc == -EAGAIN);
		asked += rc == 0;
		if (rc < 0)
			usleep(1000);
	}
	do {
		usleep(20000);
		slurp(b, b->path);
	} while (!strstr(b->text, "alerts left out"));
	shk_sinks_stop(s, 100);
	close(sv[0]);
	slurp(b, b->path);
	made = 0;
	for (own = b->text; (own = strstr(own, "Shrike internal: x\"")); own++)
		made++;
	left_out = 0;
	for (own = b->text; (own = strstr(own, "\"count\":")); own++)
		left_out += strtoull(own + 8, NULL, 10);
	assert_in_range(made, 16, ASKED - 1); /* what is told of those left out is of the same bound */
	assert_in_range(left_out, 1, ASKED - made);
}

/* Only * is special. */
static void patterns(void **state)
{
	static const struct {
		const char *rules, *rule;
		bool fits;
	} rows[] = {
		{ "a [x] b", "a [x] b", true },	  { "a [x] b", "a x b", false },     { "why?", "why?", true },
		{ "why?", "whyx", false },	  { "a\\b", "a\\b", true },	     { "a\\*", "a\\bc", true },
		{ "*", "", true },		  { "**", "x", true },		     { "a*b*c", "aXbbYcc", true },
		{ "a*b*c", "aXbbYcd", false },	  { "*ab", "aab", true },	     { "ab", "abc", false },
		{ "abc", "ab", false },		  { "x\n[*", "[y", true },	     { "*[a-z]*", "is [a-z] here", true },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		struct shk_sink_config c = { .min_priority = SHK_PRIO_DEBUG };
		struct json_object *o = json_tokener_parse("{\"priority\":\"Warning\",\"source\":\"syscall\"}");

		json_object_object_add(o, "rule", json_object_new_string(rows[i].rule));
		c.net.rules = strdup(rows[i].rules);
		if (shk_sink_wants(&c, o) != rows[i].fits)
			fail_msg("%s    %s", rows[i].rules, rows[i].rule);
		free(c.net.rules);
		json_object_put(o);
	}
}

/* Whatever types the members of its wishes have, the engine makes an alert or none. */
static void gateway_says_nonsense(void **state)
{
	static const char *const notes[] = {
		"{\"rule\":\"x\",\"priority\":\"Notice\",\"text\":\"t\",\"fields\":\"a\"}",
		"{\"rule\":\"x\",\"priority\":\"Notice\",\"text\":\"t\",\"fields\":[1]}",
		"{\"rule\":\"x\",\"priority\":\"Notice\",\"text\":[],\"fields\":7}",
		"{\"rule\":\"x\",\"priority\":\"Notice\",\"fields\":null}",
		"{\"rule\":\"x\",\"priority\":\"Notice\",\"fields\":{\"evt.time\":{}}}",
		"{\"rule\":{},\"priority\":\"Notice\",\"fields\":{}}",
		"{\"rule\":\"x\",\"priority\":5,\"fields\":{}}",
		"[]", "\"a\"", "{", "",
		"{\"rule\":\"last\",\"priority\":\"Notice\",\"text\":\"t\",\"fields\":{}}",
	};
	struct box *b = *state;
	struct shk_frame_head h = { .op = SHK_FRAME_TELL };
	struct shk_sinks *s = start_with_gateway(b);
	unsigned made = 0;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	shk_sinks_gateway(s, sv[1]);
	hello(sv[0], 1);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(notes); i++)
		assert_int_equal(shk_frame_send(sv[0], &h, shk_str(notes[i])), 0);
	do {
		usleep(20000);
		slurp(b, b->path);
	} while (!strstr(b->text, "Shrike internal: last\""));
	for (char *own = b->text; (own = strstr(own, "Shrike internal: x\"")); own++)
		made++;
	assert_int_equal(made, 5);
	shk_sinks_stop(s, 100);
	close(sv[0]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		TEST(file_gets_every_record_and_the_ring_empties),
		TEST(file_is_reopened),
		TEST(half_a_line_is_finished),
		TEST(symbolic_link_is_refused_until_it_is_gone),
		TEST(full_disk_keeps_the_alert_in_the_ring),
		TEST(lost_alerts_are_an_alert),
		TEST(what_went_with_a_gateway_is_told),
		TEST(gateway_greets_once),
		TEST(gateway_that_dies_at_once_is_absent),
		TEST(standing_sink_harms_nobody_and_is_reported),
		TEST(what_an_engine_owed_is_told),
		TEST(program_is_started_again),
		TEST(program_that_stays_is_ended),
		TEST(syslog_survives_a_new_daemon),
		TEST(syslog_5424_escapes_its_parameters),
		TEST(syslog_marks_what_it_cut),
		TEST(burst_waits_for_the_gateway),
		TEST(gateway_cannot_flood),
		TEST(gateway_says_nonsense),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
