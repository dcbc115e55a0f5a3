// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "journal/layout.h"

struct box {
	int fd;
	struct shk_journal *j;
	struct shk_buf out;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	shk_buf_init(&b->out, SHK_JOURNAL_ALERT_MAX);
	b->fd = shk_journal_create(NULL);
	*state = b;
	return b->fd < 0 ? -1 : shk_journal_open(b->fd, &b->j, NULL);
}

static int teardown(void **state)
{
	struct box *b = *state;

	shk_journal_close(b->j);
	shk_close(&b->fd);
	shk_buf_done(&b->out);
	free(b);
	return 0;
}

/* As a new engine does after the death of the old one. */
static void reopen(struct box *b)
{
	shk_journal_close(b->j);
	b->j = NULL;
	assert_int_equal(shk_journal_open(b->fd, &b->j, NULL), 0);
}

static void epoch_and_boot(void **state)
{
	struct box *b = *state;
	struct shk_call_slot *s;
	char boot[64];
	int other;
	struct shk_journal *k = NULL;

	assert_int_equal(shk_journal_epoch(b->j), 1);
	snprintf(boot, sizeof(boot), "%s", shk_journal_boot(b->j));
	assert_int_equal(strlen(boot), 32);
	assert_int_equal(strspn(boot, "0123456789abcdef"), 32);
	s = shk_journal_reserve(b->j, 7, 9, NULL);
	assert_int_equal(s->epoch, 1);
	s->notif.id = 5;
	reopen(b);
	assert_int_equal(shk_journal_epoch(b->j), 2);
	assert_string_equal(shk_journal_boot(b->j), boot);
	assert_int_equal(shk_journal_reserve(b->j, 7, 9, NULL)->epoch, 2);
	other = shk_journal_create(NULL);
	assert_int_equal(shk_journal_open(other, &k, NULL), 0);
	assert_string_not_equal(shk_journal_boot(k), boot);
	shk_journal_close(k);
	close(other);
}

static void size_is_sealed(void **state)
{
	struct box *b = *state;

	assert_int_equal(ftruncate(b->fd, 4096), -1);
	assert_int_equal(ftruncate(b->fd, 64 << 20), -1);
	assert_true(fcntl(b->fd, F_GETFD) & FD_CLOEXEC);
}

static void refuses_what_is_no_journal(void **state)
{
	struct box *b = *state;
	struct shk_journal_head *h = &b->j->f->head;
	struct shk_journal *k = NULL;
	struct shk_err err;
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	h->version++;
	assert_int_equal(shk_journal_open(b->fd, &k, &err), -EPROTO);
	assert_non_null(strstr(err.text, "version"));
	h->version--;
	h->slot_size += 64;
	assert_int_equal(shk_journal_open(b->fd, &k, &err), -EPROTO);
	assert_non_null(strstr(err.text, "sizes"));
	h->slot_size -= 64;
	h->magic[0] = 'x';
	assert_int_equal(shk_journal_open(b->fd, &k, &err), -EPROTO);
	h->magic[0] = 'S';
	assert_int_equal(ftruncate(fd, sizeof(struct shk_journal_file)), 0);
	assert_int_equal(shk_journal_open(fd, &k, &err), -EPROTO);
	assert_non_null(strstr(err.text, "sealed"));
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(shk_journal_open(fd, &k, &err), -EPROTO);
	assert_non_null(strstr(err.text, "4096 bytes"));
	assert_null(k);
	close(fd);
	assert_int_equal(shk_journal_open(b->fd, &k, &err), 0);
	shk_journal_close(k);
}

static void slots_run_out_and_come_back(void **state)
{
	struct box *b = *state;
	struct shk_call_slot *s[SHK_JOURNAL_CALLS], *x;
	size_t pos = 0, n = 0;

	for (size_t i = 0; i < SHK_JOURNAL_CALLS; i++) {
		s[i] = shk_journal_reserve(b->j, i, i + 1, NULL);
		assert_non_null(s[i]);
		assert_int_equal(s[i]->state, SHK_CALL_WAITING);
		assert_int_equal(s[i]->container, i + 1);
		memset(s[i]->room, 0xff, sizeof(s[i]->room));
	}
	assert_null(shk_journal_reserve(b->j, 1, 1, NULL));
	while ((x = shk_journal_next_call(b->j, &pos)))
		n++;
	assert_int_equal(n, SHK_JOURNAL_CALLS);
	shk_journal_release(b->j, s[100]);
	x = shk_journal_reserve(b->j, 3, 4, NULL);
	assert_ptr_equal(x, s[100]);
	for (size_t i = 0; i < sizeof(x->room); i++)
		assert_int_equal(x->room[i], 0);
	for (size_t i = 0; i < SHK_JOURNAL_CALLS; i++)
		shk_journal_release(b->j, s[i]);
	pos = 0;
	assert_null(shk_journal_next_call(b->j, &pos));
}

#define THREADS 4
#define ROUNDS	20000

struct runner {
	struct shk_journal *j;
	uint64_t key;
	size_t clashes, none;
};

static void *run(void *arg)
{
	struct runner *r = arg;
	struct shk_call_slot *s[8];

	for (size_t i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < 8; k++) {
			s[k] = shk_journal_reserve(r->j, r->key, i, NULL);
			if (!s[k])
				r->none++;
			else
				s[k]->notif.id = r->key << 32 | k;
		}
		for (size_t k = 0; k < 8; k++) {
			if (!s[k])
				continue;
			if (s[k]->listener != r->key || s[k]->notif.id != (r->key << 32 | k) ||
			    s[k]->container != i)
				r->clashes++;
			shk_journal_release(r->j, s[k]);
		}
		if (shk_journal_take_seq(r->j, r->key, NULL) != i + 1)
			r->clashes++;
	}
	return NULL;
}

static void slots_belong_to_one_thread(void **state)
{
	struct box *b = *state;
	struct runner r[THREADS];
	pthread_t t[THREADS];
	size_t pos = 0;

	for (size_t i = 0; i < THREADS; i++) {
		r[i] = (struct runner){ .j = b->j, .key = i + 1 };
		assert_int_equal(pthread_create(&t[i], NULL, run, &r[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].clashes, 0);
		assert_int_equal(r[i].none, 0);
	}
	assert_null(shk_journal_next_call(b->j, &pos));
}

static void numbers_per_container(void **state)
{
	struct box *b = *state;
	struct shk_journal *j = b->j;
	uint64_t a, c;

	assert_int_equal(shk_journal_take_seq(j, 0, NULL), 1);
	assert_int_equal(shk_journal_take_seq(j, 5, NULL), 1);
	assert_int_equal(shk_journal_take_seq(j, 5, NULL), 2);
	assert_int_equal(shk_journal_take_seq(j, 0, NULL), 2);
	shk_journal_forget_container(j, 6);
	shk_journal_forget_container(j, 0);
	for (uint64_t k = 1; k <= SHK_JOURNAL_CONTAINERS; k++)
		assert_int_equal(shk_journal_take_seq(j, k, NULL), k == 5 ? 3 : 1);
	/* Full: still numbers, none of them twice, for old and new containers. */
	a = shk_journal_take_seq(j, 5000, NULL);
	c = shk_journal_take_seq(j, 5001, NULL);
	assert_true(a >= SHK_JOURNAL_SEQ_SPILL && c > a);
	assert_int_equal(shk_journal_take_seq(j, 0, NULL), 3);
	reopen(b);
	assert_int_equal(shk_journal_take_seq(b->j, 5, NULL), 4);
	assert_int_equal(shk_journal_take_seq(b->j, 5000, NULL), c + 1);
	shk_journal_forget_container(b->j, 5);
	assert_int_equal(shk_journal_take_seq(b->j, 5000, NULL), 1);
	assert_int_equal(shk_journal_take_seq(b->j, 17, NULL), 2);
}

static void many_containers_come_and_go(void **state)
{
	struct box *b = *state;

	for (uint64_t k = 1; k < 20 * SHK_JOURNAL_CONTAINERS; k++) {
		assert_int_equal(shk_journal_take_seq(b->j, k, NULL), 1);
		assert_int_equal(shk_journal_take_seq(b->j, k, NULL), 2);
		if (k > 100)
			shk_journal_forget_container(b->j, k - 100);
	}
}

static struct shk_call_slot *left_over(struct box *b)
{
	size_t pos = 0;

	return shk_journal_next_call(b->j, &pos);
}

static void a_number_taken_is_kept(void **state)
{
	struct box *b = *state;
	struct shk_call_slot *s = shk_journal_reserve(b->j, 1, 5, NULL);

	s->notif.id = 77;
	assert_int_equal(shk_journal_take_seq(b->j, 5, s), 1);
	assert_int_equal(s->seq, 1);
	/* As if killed between the two stores: slot says 2, counter 1. */
	s->seq = 2;
	reopen(b);
	s = left_over(b);
	assert_int_equal(s->seq, 2);
	assert_int_equal(shk_journal_take_seq(b->j, 5, NULL), 3);
	assert_int_equal(shk_journal_take_seq(b->j, 5, s), 2);
	assert_int_equal(shk_journal_take_seq(b->j, 5, s), 4);
	shk_journal_release(b->j, s);
	s = shk_journal_reserve(b->j, 1, 5, NULL);
	assert_int_equal(s->seq, 0);
	assert_int_equal(shk_journal_take_seq(b->j, 5, s), 5);
}

static void unsound_slots_are_mended(void **state)
{
	struct box *b = *state;
	struct shk_call_slot *s[6];
	size_t pos = 0;

	for (size_t i = 0; i < 6; i++) {
		s[i] = shk_journal_reserve(b->j, 1, 1, NULL);
		s[i]->notif.id = 100 + i;
	}
	s[0]->state = 4711;
	s[1]->state = SHK_CALL_CLAIMED;
	s[2]->notif.id = 0;
	s[3]->state = SHK_CALL_ANSWERED; /* resp.id is 0 */
	s[4]->state = SHK_CALL_ANSWERED;
	s[4]->resp.id = 104;
	s[5]->state = SHK_CALL_RUNNING;
	s[5]->seq = UINT64_MAX;
	s[5]->epoch = 99;
	s[5]->recv_mono_ns = UINT64_MAX;
	reopen(b);
	s[3] = shk_journal_next_call(b->j, &pos);
	assert_int_equal(s[3]->notif.id, 103);
	assert_int_equal(s[3]->state, SHK_CALL_RUNNING);
	s[4] = shk_journal_next_call(b->j, &pos);
	assert_int_equal(s[4]->state, SHK_CALL_ANSWERED);
	s[5] = shk_journal_next_call(b->j, &pos);
	assert_int_equal(s[5]->state, SHK_CALL_RUNNING);
	assert_int_equal(s[5]->seq, 0);
	assert_true(s[5]->epoch < shk_journal_epoch(b->j));
	assert_true(s[5]->recv_mono_ns <= shk_now_mono());
	assert_int_equal(shk_journal_take_seq(b->j, 1, s[5]), 1);
	assert_null(shk_journal_next_call(b->j, &pos));
}

static void records_come_back_in_order(void **state)
{
	struct box *b = *state;
	uint64_t c1, c2;
	uint32_t flags = 9;

	assert_int_equal(shk_journal_peek_alert(b->j, 0, &b->out, &flags), 0);
	assert_int_equal(shk_journal_put_alert(b->j, 0, "one", 3), 0);
	assert_int_equal(shk_journal_put_alert(b->j, SHK_JA_VERDICT, "", 0), 0);
	c1 = shk_journal_peek_alert(b->j, 0, &b->out, &flags);
	assert_true(c1 > 0);
	assert_int_equal(flags, 0);
	assert_true(shk_str_eqz(shk_buf_view(&b->out), "one"));
	c2 = shk_journal_peek_alert(b->j, c1, &b->out, &flags);
	assert_true(c2 > c1);
	assert_int_equal(flags, SHK_JA_VERDICT);
	assert_int_equal(b->out.n, 0);
	assert_int_equal(shk_journal_peek_alert(b->j, c2, &b->out, NULL), 0);
	shk_journal_drop_alerts(b->j, c1);
	reopen(b);
	assert_int_equal(shk_journal_peek_alert(b->j, 0, &b->out, &flags), c2);
	shk_journal_drop_alerts(b->j, c2 + 8); /* no such record */
	assert_int_equal(shk_journal_peek_alert(b->j, c1, &b->out, &flags), c2);
	shk_journal_drop_alerts(b->j, c2);
	assert_int_equal(shk_journal_peek_alert(b->j, 0, &b->out, NULL), 0);
}

static void a_quarter_is_for_verdicts(void **state)
{
	static char big[SHK_JOURNAL_ALERT_MAX + 1];
	struct box *b = *state;
	size_t plain = 0, verdicts = 0, read = 0;
	uint64_t c = 0;

	assert_int_equal(shk_journal_put_alert(b->j, SHK_JA_VERDICT, big, sizeof(big)), -EMSGSIZE);
	/* Once round the ring first, so that records run over its end. */
	for (int i = 0; i < 100; i++) {
		memset(big, i, sizeof(big));
		assert_int_equal(shk_journal_put_alert(b->j, 0, big, 60001), 0);
		c = shk_journal_peek_alert(b->j, 0, &b->out, NULL);
		assert_int_equal(b->out.n, 60001);
		assert_memory_equal(b->out.p, big, 60001);
		shk_journal_drop_alerts(b->j, c);
	}
	while (shk_journal_put_alert(b->j, 0, big, 60000) == 0)
		plain++;
	while (shk_journal_put_alert(b->j, SHK_JA_VERDICT, big, 60000) == 0)
		verdicts++;
	assert_int_equal(plain, SHK_JOURNAL_RING / 4 * 3 / 60024);
	assert_int_equal(plain + verdicts, SHK_JOURNAL_RING / 60024);
	assert_int_equal(shk_journal_lost_alerts(b->j), 2);
	assert_false(shk_journal_has_room(b->j, 0, 1));
	assert_true(shk_journal_has_room(b->j, SHK_JA_VERDICT, 1));
	assert_int_equal(shk_journal_put_alert(b->j, 0, "x", 1), -ENOSPC);
	reopen(b);
	assert_int_equal(shk_journal_lost_alerts(b->j), 3);
	shk_journal_lose_alert(b->j);
	assert_int_equal(shk_journal_lost_alerts(b->j), 4);
	for (c = 0; (c = shk_journal_peek_alert(b->j, c, &b->out, NULL));)
		read++;
	assert_int_equal(read, plain + verdicts);
}

static void a_torn_tail_is_dropped(void **state)
{
	struct box *b = *state;
	uint64_t c;

	assert_int_equal(shk_journal_put_alert(b->j, 0, "good one", 8), 0);
	c = shk_journal_peek_alert(b->j, 0, &b->out, NULL);
	assert_int_equal(shk_journal_put_alert(b->j, 0, "bad one", 7), 0);
	assert_int_equal(shk_journal_put_alert(b->j, 0, "behind", 6), 0);
	b->j->f->ring[c + 24] ^= 1;
	reopen(b);
	assert_int_equal(shk_journal_peek_alert(b->j, 0, &b->out, NULL), c);
	assert_int_equal(shk_journal_peek_alert(b->j, c, &b->out, NULL), 0);
	assert_int_equal(shk_journal_lost_alerts(b->j), 1);
	assert_int_equal(shk_journal_put_alert(b->j, 0, "next", 4), 0);
	assert_true(shk_journal_peek_alert(b->j, c, &b->out, NULL) > c);
	assert_true(shk_str_eqz(shk_buf_view(&b->out), "next"));
	/* Bounds that make no sense: an empty ring, and it works. */
	atomic_store(&b->j->f->head.ring_tail, 3);
	reopen(b);
	assert_int_equal(shk_journal_peek_alert(b->j, 0, &b->out, NULL), 0);
	assert_int_equal(shk_journal_put_alert(b->j, 0, "fresh", 5), 0);
	assert_true(shk_journal_peek_alert(b->j, 0, &b->out, NULL) > c);
}

/* ---- killed at any moment ---- */

#define KEYS 3

struct record {
	uint64_t key, seq;
	unsigned char pad[1];
};

static size_t pad_of(uint64_t key, uint64_t seq)
{
	return (seq * 37 + key * 11) % 1500;
}

static void put(struct shk_journal *j, uint64_t key, uint64_t seq)
{
	char room[sizeof(struct record) + 1500];
	struct record *r = (void *)room;
	size_t n = pad_of(key, seq);

	r->key = key;
	r->seq = seq;
	memset(r->pad, (int)(seq & 0xff), n);
	while (shk_journal_put_alert(j, 0, room, offsetof(struct record, pad) + n) == -ENOSPC)
		_exit(0); /* the parent reads it empty */
}

/* An engine: finishes what the one before left, then calls until it is killed. */
static void engine(int fd)
{
	struct shk_journal *j = NULL;
	struct shk_call_slot *s;
	size_t pos = 0;

	if (shk_journal_open(fd, &j, NULL) < 0)
		_exit(3);
	while ((s = shk_journal_next_call(j, &pos))) {
		if (s->epoch >= shk_journal_epoch(j))
			_exit(4);
		if (s->state != SHK_CALL_ANSWERED)
			put(j, s->container, shk_journal_take_seq(j, s->container, s));
		shk_journal_release(j, s);
	}
	for (uint64_t id = 1;; id++) {
		uint64_t key = id % KEYS;

		s = shk_journal_reserve(j, 1, key, NULL);
		if (!s)
			_exit(5);
		s->notif.id = id;
		atomic_store(&s->state, SHK_CALL_RUNNING);
		put(j, key, shk_journal_take_seq(j, key, s));
		s->resp.id = id;
		atomic_store(&s->state, SHK_CALL_ANSWERED);
		shk_journal_release(j, s);
	}
}

/* Reads the ring empty; every record is whole and the next of its container, or the one before once
 * more (committed, then repeated by the next engine). */
static size_t read_all(struct shk_journal *j, struct shk_buf *out, uint64_t last[KEYS])
{
	uint64_t c = 0, at;
	size_t n = 0;

	while ((at = shk_journal_peek_alert(j, c, out, NULL))) {
		struct record r;

		assert_true(out->n >= offsetof(struct record, pad));
		memcpy(&r, out->p, offsetof(struct record, pad));
		assert_true(r.key < KEYS);
		if (r.seq != last[r.key])
			assert_int_equal(r.seq, last[r.key] + 1);
		last[r.key] = r.seq;
		assert_int_equal(out->n, offsetof(struct record, pad) + pad_of(r.key, r.seq));
		for (size_t i = offsetof(struct record, pad); i < out->n; i++)
			assert_int_equal((unsigned char)out->p[i], r.seq & 0xff);
		c = at;
		n++;
	}
	shk_journal_drop_alerts(j, c);
	return n;
}

static void killed_at_any_moment(void **state)
{
	struct box *b = *state;
	uint64_t last[KEYS] = { 0 };
	size_t records = 0, hits = 0, kills = 0;
	unsigned seed = 1;

	/* On a busy machine many an engine is killed before it has done anything: those do not count. */
	for (; hits < 200; kills++) {
		size_t before = records;
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0 && kills < 20000);
		if (pid == 0)
			engine(b->fd);
		usleep((useconds_t)((unsigned)rand_r(&seed) % (3000 + 3 * (unsigned)kills)));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		/* Not opened anew between two engines: opening mends, and that is theirs to do. */
		records += read_all(b->j, &b->out, last);
		hits += records > before;
	}
	reopen(b);
	assert_true(shk_journal_epoch(b->j) > hits && shk_journal_epoch(b->j) <= kills + 2);
	for (uint64_t k = 0; k < KEYS; k++) {
		struct shk_call_slot *s;
		size_t pos = 0;
		bool open = false;

		while ((s = shk_journal_next_call(b->j, &pos)))
			if (s->container == k && s->seq == last[k] + 1)
				open = true;
		assert_int_equal(shk_journal_take_seq(b->j, k, NULL), last[k] + 1 + open);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(epoch_and_boot),
		T(size_is_sealed),
		T(refuses_what_is_no_journal),
		T(slots_run_out_and_come_back),
		T(slots_belong_to_one_thread),
		T(numbers_per_container),
		T(many_containers_come_and_go),
		T(a_number_taken_is_kept),
		T(unsound_slots_are_mended),
		T(records_come_back_in_order),
		T(a_quarter_is_for_verdicts),
		T(a_torn_tail_is_dropped),
		T(killed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
