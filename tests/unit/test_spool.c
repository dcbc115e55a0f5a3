// SPDX-License-Identifier: Apache-2.0
/* The gateway's spool, its outlets, what they fold, and messages, without a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alerts/gateway_proto.h"
#include "alerts/text.h"
#include "shrike-gateway/segment.h"
#include "shrike-gateway/shape.h"

#define S 1000000000ull

#include "spool_world.h"

/* ---- spool ---- */

static void is_read_back(void **state)
{
	struct world *w = *state;
	struct shk_spool_pos pos = { 0 };
	struct shk_spool_item it;
	struct shk_buf text;
	uint64_t cookie;

	shk_buf_init(&text, SHK_JOURNAL_ALERT_MAX + 1);
	for (unsigned i = 1; i <= 3; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_next(w->spool, &pos, 1, &it, &text), 0); /* not before it is kept */
	assert_false(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(cookie, 3);
	assert_false(shk_spool_kept(w->spool, 8, &cookie));
	close_world(w);
	open_world(w, 1u << 20, 0);
	assert_true(shk_spool_seen(w->spool, 7, 3));
	assert_false(shk_spool_seen(w->spool, 7, 4));
	assert_false(shk_spool_seen(w->spool, 8, 1));
	assert_int_equal(shk_spool_next(w->spool, &pos, 2, &it, &text), 0); /* for another */
	pos = (struct shk_spool_pos){ 0 };
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(shk_spool_next(w->spool, &pos, 1, &it, &text), 1);
		assert_int_equal(it.number, i);
		assert_int_equal(it.cookie, i);
	}
	assert_int_equal(shk_spool_next(w->spool, &pos, 1, &it, &text), 0);
	shk_buf_done(&text);
}

static unsigned left(struct world *w, uint32_t rank)
{
	struct shk_spool_pos pos = { 0 };
	struct shk_spool_item it;
	struct shk_buf text;
	unsigned n = 0;

	shk_buf_init(&text, SHK_JOURNAL_ALERT_MAX + 1);
	while (shk_spool_next(w->spool, &pos, 1, &it, &text) == 1)
		n += it.rank == rank;
	shk_buf_done(&text);
	return n;
}

/* A cut or spoilt end costs what was not whole, and no more. */
static void a_torn_end_is_cut(void **state)
{
	struct world *w = *state;
	struct shk_spool_state st;
	char path[128];
	struct stat sb;
	int fd;

	for (unsigned i = 1; i <= 4; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	close_world(w);
	snprintf(path, sizeof(path), "%s/%016x.seg", w->dir, 1);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(truncate(path, sb.st_size - 1), 0);
	open_world(w, 1u << 20, 0);
	shk_spool_state(w->spool, &st);
	assert_int_equal(st.records, 3);
	assert_int_equal(st.next, 4);
	close_world(w);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "!", 1, 10), 1); /* in the first one */
	close(fd);
	open_world(w, 1u << 20, 0);
	shk_spool_state(w->spool, &st);
	/* Those behind it are whole, and the file is kept. */
	assert_int_equal(st.records, 2);
	assert_int_equal(st.spoilt, 1);
	assert_int_equal(st.next, 4);
	snprintf(path, sizeof(path), "%s/%016x.seg.bad", w->dir, 1);
	assert_int_equal(stat(path, &sb), 0);
	put(w, 9, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_int_equal(left(w, 5), 3);
	close_world(w);
	open_world(w, 1u << 20, 0);
	shk_spool_state(w->spool, &st);
	assert_int_equal(st.records, 3);
	assert_int_equal(st.spoilt, 0);
}

/* Every loss is told, the least severe go first, and what is left is in order. */
static void the_bound_holds(void **state)
{
	struct world *w = *state;
	struct shk_spool_state st;
	char text[2048];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	for (unsigned i = 1; i <= 4000; i++) {
		put(w, i, i % 10 ? 6 : 2, text);
		if (i % 50 == 0)
			assert_int_equal(shk_spool_commit(w->spool), 0);
	}
	shk_spool_state(w->spool, &st);
	assert_true(st.bytes <= 1u << 20);
	assert_int_equal(st.records + w->dropped, 4000);
	assert_int_equal(w->o.kept.dropped, w->dropped);
	assert_int_equal(left(w, 6) + left(w, 2), st.records);
	assert_true(left(w, 2) >= 395); /* they fit: 400 of 2.3 KB, and a few of the last segment */
	/* Counted once, whatever happens afterwards. */
	close_world(w);
	open_world(w, 1u << 20, 0);
	assert_int_equal(w->o.kept.dropped, w->dropped);
	shk_spool_finish_drop(w->spool, w->o.kept.drop_segment, (uint32_t)w->o.kept.drop_rank);
	assert_int_equal(w->o.kept.dropped, w->dropped);
}

static void old_ones_go(void **state)
{
	struct world *w = *state;

	close_world(w);
	open_world(w, 1u << 20, 10 * S);
	for (unsigned i = 1; i <= 5; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	shk_spool_tick(w->spool, shk_now_real() + 5 * S);
	assert_int_equal(w->dropped, 0);
	shk_spool_tick(w->spool, shk_now_real() + 60 * S);
	assert_int_equal(w->dropped, 5);
	assert_int_equal(w->o.kept.next, 6);
	shk_spool_tick(w->spool, shk_now_real() + 70 * S);
	assert_int_equal(w->dropped, 5);
}

/* A directory that is not there: memory, which is not said to be kept. Once it is there it is read before it is
 * written to: another has records in it. */
static void a_late_directory_is_read_first(void **state)
{
	struct world *w = *state;
	const struct shk_spool_ops ops = { on_dropped, on_dropping, w };
	struct shk_spool_state st;
	struct shk_err why = { 0 };
	char dir[128], command[512];
	uint64_t cookie;
	struct stat sb;

	put(w, 1, 5, "of before");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	snprintf(dir, sizeof(dir), "%s/later", w->dir);
	shk_spool_close(w->spool);
	w->spool = NULL;
	assert_int_equal(shk_spool_open(dir, 1u << 20, 0, &ops, &w->spool, &why), 0);
	assert_int_equal(why.errnum, ENOENT);
	for (unsigned i = 1; i <= 3; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), -ENOENT);
	assert_false(shk_spool_kept(w->spool, 7, &cookie));
	shk_spool_trim(w->spool, 3); /* two are delivered */
	assert_true(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(cookie, 2);
	shk_spool_tick(w->spool, shk_now_real());
	shk_spool_state(w->spool, &st);
	assert_false(st.again);
	shk_spool_close(w->spool);
	assert_int_equal(shk_spool_open(dir, 1u << 20, 0, &ops, &w->spool, &why), 0);
	put(w, 3, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), -ENOENT);
	snprintf(command, sizeof(command), "mkdir -m 0700 %s && cp %s/*.seg %s/", dir, w->dir, dir);
	assert_int_equal(system(command), 0);
	shk_spool_tick(w->spool, shk_now_real());
	shk_spool_state(w->spool, &st);
	assert_true(st.again);
	shk_spool_close(w->spool);
	snprintf(command, sizeof(command), "%s/%016x.seg", dir, 1);
	assert_int_equal(stat(command, &sb), 0);
	assert_true(sb.st_size > 0);
	assert_int_equal(shk_spool_open(dir, 1u << 20, 0, &ops, &w->spool, &why), 0);
	shk_spool_state(w->spool, &st);
	assert_int_equal(st.records, 1);
	assert_int_equal(st.next, 2);
}

/* A file that cannot be read is not written over, and no number that may be in it is given again. */
static void what_cannot_be_read_stays(void **state)
{
	struct world *w = *state;
	struct shk_spool_state st;
	char path[128];
	struct stat sb;

	put(w, 1, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	close_world(w);
	snprintf(path, sizeof(path), "%s/%016x.seg", w->dir, 2);
	assert_int_equal(mkdir(path, 0700), 0); /* opening it for reading and writing fails */
	open_world(w, 1u << 20, 0);
	shk_spool_state(w->spool, &st);
	assert_int_equal(st.records, 1);
	assert_int_equal(st.spoilt, 1);
	assert_true(st.next > 2);
	put(w, 2, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_int_equal(left(w, 5), 2);
	assert_int_equal(stat(path, &sb), 0);
	assert_true(S_ISDIR(sb.st_mode));
}

static bool sync_fails;

/* In the place of the C library's. */
int fdatasync(int fd)
{
	if (!sync_fails)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

/* A sync that failed once says nothing of the same bytes when it succeeds later. */
static void a_failed_sync_is_not_asked_again(void **state)
{
	struct world *w = *state;
	struct shk_spool_state st;
	char path[128];
	uint64_t cookie;
	struct stat before, sb;

	for (unsigned i = 1; i <= 2; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	snprintf(path, sizeof(path), "%s/%016x.seg", w->dir, 1);
	assert_int_equal(stat(path, &before), 0);
	sync_fails = true;
	for (unsigned i = 3; i <= 4; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), -EIO);
	sync_fails = false;
	assert_int_equal(shk_spool_commit(w->spool), -EIO);
	assert_false(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_size, before.st_size);
	assert_int_equal(left(w, 5), 4);
	shk_spool_tick(w->spool, shk_now_real());
	shk_spool_state(w->spool, &st);
	assert_int_equal(st.error, 0);
	assert_int_equal(st.segments, 2);
	assert_true(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(cookie, 4);
	/* All of a file: that one goes. */
	close_world(w);
	open_world(w, 1u << 20, 0);
	assert_int_equal(left(w, 5), 4);
	put(w, 5, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_int_equal(left(w, 5), 5);
}

/* While the disk takes nothing one reader that stands still costs the least severe, and stops nobody. */
static void memory_has_a_bound(void **state)
{
	enum { N = 6000 };
	struct world *w = *state;
	struct shk_spool_state st;
	uint64_t cookie = 0;
	char text[1024];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	sync_fails = true;
	for (unsigned i = 1; i <= N; i++) {
		put(w, i, i % 10 ? 6 : 2, text);
		if (i % 50 == 0)
			assert_int_equal(shk_spool_commit(w->spool), -EIO);
	}
	sync_fails = false;
	shk_spool_state(w->spool, &st);
	assert_true(st.bytes <= 5u << 20);
	assert_true(w->dropped > 0);
	assert_int_equal(w->o.kept.dropped, w->dropped);
	assert_int_equal(left(w, 2), N / 10);
	assert_int_equal(left(w, 6) + w->dropped, N - N / 10);
	/* The engine's window moves on. */
	assert_true(shk_spool_kept(w->spool, 7, &cookie));
	assert_in_range(cookie, N - SHK_WINDOW_LINES + 1, N - 1);
	assert_int_equal(shk_spool_at_risk(w->spool, 7, cookie), cookie - w->dropped);
	shk_spool_trim(w->spool, cookie);
	assert_int_equal(shk_spool_at_risk(w->spool, 7, cookie), 1);
	shk_spool_tick(w->spool, shk_now_real());
	assert_true(shk_spool_kept(w->spool, 7, &cookie));
	assert_int_equal(cookie, N);
	assert_int_equal(shk_spool_at_risk(w->spool, 7, cookie), 0);
	assert_int_equal(left(w, 2), N / 10);
}

/* ---- outlets ---- */

static void an_hour_without_a_peer(void **state)
{
	struct world *w = *state;
	uint64_t now = 1000 * S, end = now + 3600 * S;
	unsigned tries = 0;

	for (unsigned i = 1; i <= 3; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_outlet_collect(&w->o, w->spool, now, shk_now_real()));
	while (now < end) {
		shk_outlet_failed(&w->o, now, "no route");
		assert_int_equal(w->o.state, SHK_OUTLET_WAITS);
		assert_true(w->o.until > now && w->o.until <= now + 60 * S);
		now = w->o.until;
		tries++;
	}
	/* Not so often that it is a burden, not so seldom that its return goes unseen. */
	assert_in_range(tries, 60, 150);
	assert_int_equal(w->o.n, 1);
	assert_int_equal(w->o.kept.next, 1);
	for (unsigned i = 1; i <= 3; i++) {
		shk_outlet_delivered(&w->o);
		assert_int_equal(w->o.kept.sent, i);
		assert_int_equal(shk_outlet_collect(&w->o, w->spool, now, shk_now_real()), i < 3);
	}
	assert_int_equal(w->o.kept.dropped, 0);
	assert_int_equal(shk_outlet_needs(&w->o), 4);
}

/* A batch that was on its way when we died is sent again. */
static void a_crash_repeats(void **state)
{
	struct world *w = *state;

	w->cfg.net.batch = 10;
	w->cfg.kind = SHK_SINK_ALERTMANAGER;
	for (unsigned i = 1; i <= 3; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()));
	assert_int_equal(w->o.n, 3);
	shk_outlet_save(&w->o);
	close_world(w);
	open_world(w, 1u << 20, 0);
	assert_int_equal(w->o.kept.next, 1);
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()));
	assert_int_equal(w->o.n, 3);
	shk_outlet_delivered(&w->o);
	shk_outlet_save(&w->o);
	close_world(w);
	open_world(w, 1u << 20, 0);
	assert_int_equal(w->o.kept.next, 4);
	assert_int_equal(w->o.kept.sent, 3);
	assert_false(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()));
}

static void put_for(struct world *w, unsigned n, uint32_t mask, const char *priority)
{
	struct shk_spool_item it = { .boot = 7, .cookie = n, .time = shk_now_real(), .rank = 5, .mask = mask };
	char buf[256];

	snprintf(buf, sizeof(buf), "{\"priority\":\"%s\",\"rule\":\"R%u\",\"source\":\"syscall\"}", priority, n);
	assert_int_equal(shk_spool_put(w->spool, &it, shk_str(buf)), 0);
}

/* With its state an output lost its bit: it gets its own records again, by whatever bit they had, and no others'. */
static void an_output_without_its_bit(void **state)
{
	struct world *w = *state;
	struct shk_spool_item it = { .number = 2, .mask = 2 };
	struct shk_spool_state st;

	w->cfg.kind = SHK_SINK_ALERTMANAGER;
	w->cfg.net.batch = 10;
	w->cfg.min_priority = SHK_PRIO_ERROR;
	put_for(w, 1, 1, "Warning"); /* another's, whose bit was 0 */
	put_for(w, 2, 2, "Error");   /* its own, when its bit was 1 */
	put_for(w, 3, 3, "Critical");
	shk_spool_state(w->spool, &st);
	w->o.kept.next = 0;
	shk_outlet_give_bit(&w->o, 0, st.next);
	w->o.work = w->o.kept;
	put_for(w, 4, 1, "Error"); /* since then */
	put_for(w, 5, 2, "Error");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	/* What is dropped of those is counted: it may have been its own. */
	shk_outlet_dropped(&w->o, &it);
	assert_int_equal(w->o.kept.dropped, 1);
	it.number = 5;
	shk_outlet_dropped(&w->o, &it);
	assert_int_equal(w->o.kept.dropped, 1);
	/* It is in the file: a gateway that is started again does not forget it. */
	shk_outlet_save(&w->o);
	close_world(w);
	open_world(w, 1u << 20, 0);
	w->o.kept.next = w->o.work.next = 0;
	assert_int_equal(w->o.kept.unmasked, st.next);
	shk_outlet_collect(&w->o, w->spool, 1, shk_now_real());
	assert_int_equal(w->o.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(w->o.batch_number[i], 2 + i);
	shk_outlet_delivered(&w->o);
	assert_false(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()));
	assert_int_equal(shk_outlet_needs(&w->o), st.next + 1);
}

static void one_bad_message_of_many(void **state)
{
	struct world *w = *state;
	unsigned delivered = 0, aside = 0;

	w->cfg.net.batch = 10;
	w->cfg.kind = SHK_SINK_ALERTMANAGER;
	for (unsigned i = 1; i <= 5; i++)
		put(w, i, 5, i == 3 ? "bad" : "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	for (unsigned round = 0; round < 40 && delivered + aside < 5; round++) {
		bool bad = false;

		if (!w->o.n && !shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()))
			continue;
		for (size_t i = 0; i < w->o.n; i++)
			bad |= strstr(json_object_to_json_string(w->o.batch[i]), "bad") != NULL;
		if (bad) {
			aside += shk_outlet_refused(&w->o, 1, "400");
			continue;
		}
		delivered += (unsigned)w->o.n;
		shk_outlet_delivered(&w->o);
	}
	assert_int_equal(delivered, 4);
	assert_int_equal(aside, 1);
	assert_int_equal(w->o.kept.poisoned, 1);
	assert_false(w->o.alone);
}

static void files_of_state(void **state)
{
	struct shk_outlet_kept k;
	unsigned char both[2 * SHK_OUTLET_BLOCK] = { 0 };
	struct world *w = *state;
	char path[128];
	int fd;

	w->o.kept.sent = 5;
	shk_outlet_save(&w->o);
	w->o.kept.sent = 6;
	shk_outlet_save(&w->o);
	snprintf(path, sizeof(path), "%s/output-x.state", w->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, both, sizeof(both), 0), sizeof(both));
	close(fd);
	assert_true(shk_outlet_parse(both, sizeof(both), &k));
	assert_int_equal(k.sent, 6);
	/* The newer one torn: the one before. */
	both[(k.generation % 2) * SHK_OUTLET_BLOCK + 40] ^= 1;
	assert_true(shk_outlet_parse(both, sizeof(both), &k));
	assert_int_equal(k.sent, 5);
	both[(k.generation % 2) * SHK_OUTLET_BLOCK] ^= 1;
	assert_false(shk_outlet_parse(both, sizeof(both), &k));
	assert_false(shk_outlet_parse(both, 10, &k));
}

/* An output whose file could not be read or made: it repeats, and its state is in a file once that is possible. */
static void a_file_of_state_comes_late(void **state)
{
	struct world *w = *state;
	struct shk_outlet_kept k;
	unsigned char both[2 * SHK_OUTLET_BLOCK] = { 0 };
	char path[128];
	int fd, dir = shk_spool_dir(w->spool);

	put(w, 1, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	close(w->o.file);
	snprintf(path, sizeof(path), "%s/output-x.state", w->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(shk_outlet_load(&w->o, dir, "x", 2), -EISDIR);
	assert_int_equal(w->o.kept.next, 0);
	w->o.kept.bit = 0;
	w->o.kept.sent = 7;
	shk_outlet_save(&w->o);
	shk_outlet_mend(&w->o, dir, "x");
	assert_true(w->o.unsaved);
	assert_int_equal(rmdir(path), 0);
	shk_outlet_mend(&w->o, dir, "x");
	assert_false(w->o.unsaved);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, both, sizeof(both), 0), sizeof(both));
	assert_true(shk_outlet_parse(both, sizeof(both), &k));
	assert_int_equal(k.sent, 7);
	/* Both blocks are whole from the start: either may be torn. */
	both[(k.generation % 2) * SHK_OUTLET_BLOCK + 40] ^= 1;
	assert_true(shk_outlet_parse(both, sizeof(both), &k));
	/* Nothing in it is whole: the oldest it is as well. */
	assert_int_equal(ftruncate(fd, 100), 0);
	close(fd);
	close(w->o.file);
	assert_int_equal(shk_outlet_load(&w->o, dir, "x", 2), 0);
	assert_int_equal(w->o.kept.next, 0);
	/* A new one begins behind what is there. */
	close(w->o.file);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(shk_outlet_load(&w->o, dir, "x", 2), 0);
	assert_int_equal(w->o.kept.next, 2);
}

static void selections(void **state)
{
	struct shk_sink_config c = { .min_priority = SHK_PRIO_WARNING };
	struct json_object *o = json_tokener_parse("{\"priority\":\"Warning\",\"rule\":\"A shell\",\"source\":\"syscall\","
						   "\"tags\":[\"x\",\"net\"]}");
	struct json_object *own = json_tokener_parse("{\"priority\":\"Critical\",\"rule\":\"Shrike internal: alerts lost\","
						     "\"source\":\"internal\"}");

	(void)state;
	assert_true(shk_sink_wants(&c, o));
	c.min_priority = SHK_PRIO_ERROR;
	assert_false(shk_sink_wants(&c, o));
	c.min_priority = SHK_PRIO_DEBUG;
	c.net.rules = (char[]){ "nothing\n*shell" };
	assert_true(shk_sink_wants(&c, o));
	c.net.tags = (char[]){ "file" };
	assert_false(shk_sink_wants(&c, o));
	assert_true(shk_sink_wants(&c, own));
	c.net.tags = (char[]){ "n*" };
	assert_true(shk_sink_wants(&c, o));
	c.net.not_rules = (char[]){ "A *" };
	assert_false(shk_sink_wants(&c, o));
	assert_false(shk_sink_wants(&c, NULL));
	/* What an output refuses is told by the others. */
	json_object_put(own);
	own = json_tokener_parse("{\"priority\":\"Error\",\"rule\":\"Shrike internal: alert set aside\",\"source\":"
				 "\"internal\",\"output_fields\":{\"output\":\"one\"}}");
	c.net.name = (char[]){ "one" };
	assert_false(shk_sink_wants(&c, own));
	c.net.name = (char[]){ "two" };
	assert_true(shk_sink_wants(&c, own));
	json_object_put(o);
	json_object_put(own);
}

static void secrets_in_answers(void **state)
{
	struct shk_secrets s = { .url = (char[]){ "https://u:pw@hooks.example/services/T0001/Abcdefgh?key=Kkkkkkkk" },
				 .token = (char[]){ "tok" }, .password = (char[]){ "word" },
				 .headers = (char[]){ "X-Site: north\nX-Key:  kkk" } };

	(void)state;
	assert_false(shk_secrets_in(&s, SHK_STR("")));
	assert_false(shk_secrets_in(&s, SHK_STR("no such hook at hooks.example, T0001")));
	assert_true(shk_secrets_in(&s, SHK_STR("POST \\/services\\/T0001\\/Abcdefgh")));
	assert_true(shk_secrets_in(&s, SHK_STR("key Kkkkkkkk unknown")));
	assert_true(shk_secrets_in(&s, SHK_STR("u:pw")));
	assert_true(shk_secrets_in(&s, SHK_STR("a tok b")));
	assert_true(shk_secrets_in(&s, SHK_STR("passwords")));
	assert_true(shk_secrets_in(&s, SHK_STR("from north")));
	assert_true(shk_secrets_in(&s, SHK_STR("kkk")));
	assert_false(shk_secrets_in(&(struct shk_secrets){ 0 }, SHK_STR("x")));
}

/* What was counted is told when the clock is set back as well, and of a process before with the right count. */
static void folds_and_clocks(void **state)
{
	struct world *w = *state;
	uint64_t real = shk_now_real();

	w->cfg.net.fold = 60 * S;
	for (unsigned i = 1; i <= 3; i++)
		put(w, i, 5, "t");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, real));
	shk_outlet_delivered(&w->o);
	assert_false(shk_outlet_collect(&w->o, w->spool, 1, real));
	assert_int_equal(w->o.kept.folded, 2);
	/* As a process before would have left it. */
	for (size_t i = 0; i < SHK_FOLDS; i++)
		if (w->o.kept.fold[i].key)
			w->o.kept.fold[i].key ^= 0x1234567;
	shk_outlet_save(&w->o);
	close_world(w);
	open_world(w, 1u << 20, 0);
	put(w, 4, 5, "t");
	put(w, 5, 5, "another");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, real));
	assert_non_null(strstr(json_object_to_json_string(w->o.batch[0]), "another"));
	shk_outlet_delivered(&w->o);
	assert_int_equal(w->o.kept.folded, 3);
	assert_false(shk_outlet_collect(&w->o, w->spool, 1, real));
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, real - 3600 * S));
	assert_non_null(strstr(json_object_to_json_string(w->o.batch[0]), "3 like this"));
}

static size_t entry_of(const struct world *w, uint64_t kind, size_t after)
{
	for (size_t i = after; i < SHK_FOLDS; i++)
		if (w->o.kept.fold[i].key && w->o.kept.fold[i].kind == kind)
			return i;
	return SHK_FOLDS;
}

static void send_one(struct world *w, unsigned n, const char *text, bool sent)
{
	put(w, n, 5, text);
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_int_equal(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()), sent);
	if (sent)
		assert_non_null(strstr(json_object_to_json_string(w->o.batch[0]), text));
	shk_outlet_delivered(&w->o);
}

/* Two alerts whose keys are equal by chance are two alerts all the same. */
static void equal_keys_do_not_fold(void **state)
{
	struct world *w = *state;
	size_t a, b;

	w->cfg.net.fold = 60 * S;
	send_one(w, 1, "one thing", true);
	send_one(w, 2, "another", true);
	a = entry_of(w, SHK_FOLD_SAME, 0);
	b = entry_of(w, SHK_FOLD_SAME, a + 1);
	assert_true(b < SHK_FOLDS);
	/* As if the hash of the first text were that of the second one. */
	w->o.what[a].key = w->o.kept.fold[a].key = w->o.kept.fold[b].key;
	w->o.kept.fold[b] = (struct shk_fold){ 0 };
	w->o.work = w->o.kept;
	send_one(w, 3, "another", true);
	send_one(w, 4, "another", true);
	assert_int_equal(w->o.kept.folded, 0);
	/* The same once that entry has a count of its own. */
	w->o.kept.fold[a].count = 2;
	w->o.work = w->o.kept;
	send_one(w, 5, "another", true);
	assert_int_equal(w->o.kept.fold[a].count, 2);
	assert_int_equal(w->o.kept.folded, 0);
	/* And a text that is the same does fold. */
	send_one(w, 6, "third", true);
	send_one(w, 7, "third", false);
	assert_int_equal(w->o.kept.folded, 1);
}

/* What is above its rate is told, and not as what another rule did whose key is equal by chance. */
static void equal_keys_are_limited_apart(void **state)
{
	struct world *w = *state;
	size_t a, b;

	w->cfg.net.rate = 1;
	w->cfg.net.burst = 1;
	send_one(w, 1, "one", true);
	send_one(w, 2, "two", false);
	a = entry_of(w, SHK_FOLD_LIMIT, 0);
	assert_true(a < SHK_FOLDS);
	assert_int_equal(w->o.kept.fold[a].count, 1);
	/* As if that entry were of another rule. */
	w->o.what[a].p[w->o.what[a].n - 1] ^= 1;
	send_one(w, 3, "three", false);
	assert_int_equal(w->o.kept.fold[a].count, 1);
	b = entry_of(w, SHK_FOLD_LIMIT, a + 1);
	assert_true(b < SHK_FOLDS);
	assert_int_equal(w->o.kept.fold[b].count, 1);
	assert_int_equal(w->o.kept.limited, 2);
}

/* ---- frames ---- */

static void frames(void **state)
{
	unsigned char buf[256];
	struct shk_frame_head h = { .magic = SHK_FRAME_MAGIC, .op = SHK_FRAME_ACK, .cookie = 9 }, got;
	struct shk_str text;

	(void)state;
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(shk_frame_parse(buf, sizeof(h), &got, &text), 0);
	assert_int_equal(got.cookie, 9);
	assert_int_equal(shk_frame_parse(buf, sizeof(h) - 1, &got, &text), -EBADMSG);
	assert_int_equal(shk_frame_parse(buf, sizeof(h) + 1, &got, &text), -EBADMSG);
	h.op = 99;
	memcpy(buf, &h, sizeof(h));
	assert_int_equal(shk_frame_parse(buf, sizeof(h), &got, &text), -EBADMSG);
	assert_int_not_equal(shk_frame_boot("a"), shk_frame_boot("b"));
}

/* ---- mail ---- */

static void mail_cannot_be_ended_from_inside(void **state)
{
	struct world *w = *state;

	w->cfg.kind = SHK_SINK_MAIL;
	w->cfg.net.from = (char[]){ "a@b" };
	w->cfg.net.to = (char[]){ "x@y\nz@y" };
	w->cfg.net.batch = 1;
	put(w, 1, 5, "\\r\\n.\\r\\nMAIL FROM:<evil>\\u0000 \\u00fc");
	assert_int_equal(shk_spool_commit(w->spool), 0);
	assert_true(shk_outlet_collect(&w->o, w->spool, 1, shk_now_real()));
	shk_buf_init(&w->o.body, SHK_BODY_MAX);
	assert_int_equal(shk_shape_mail(&w->o, 0), 0);
	assert_non_null(strstr(w->o.body.p, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
	assert_non_null(strstr(w->o.body.p, "To: x@y,\r\n z@y\r\n"));
	assert_non_null(strstr(w->o.body.p, "Subject: [shrike] Warning: R\r\n"));
	assert_null(strstr(w->o.body.p, "evil"));
	assert_null(strstr(w->o.body.p, "\r\n.\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make, unmake)
		T(is_read_back),	   T(a_torn_end_is_cut), T(the_bound_holds),
		T(old_ones_go),		   T(a_late_directory_is_read_first),
		T(what_cannot_be_read_stays), T(a_failed_sync_is_not_asked_again), T(memory_has_a_bound), T(an_hour_without_a_peer),
		T(a_crash_repeats),	   T(one_bad_message_of_many), T(files_of_state), T(a_file_of_state_comes_late),
		T(an_output_without_its_bit),	   T(one_bad_message_of_many), T(files_of_state), T(a_file_of_state_comes_late),
		cmocka_unit_test(selections), cmocka_unit_test(frames), cmocka_unit_test(secrets_in_answers), T(folds_and_clocks), T(equal_keys_do_not_fold), T(equal_keys_are_limited_apart),
		T(mail_cannot_be_ended_from_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
