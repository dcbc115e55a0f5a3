// SPDX-License-Identifier: Apache-2.0
/*
 * The alerts of the journal: records one behind the other in a byte ring.
 *
 * Positions count bytes since creation, so that a cookie (the position behind a record) is never
 * given twice and bytes of an earlier turn can not pass for a record: `pos` is in the checksum.
 */
#include <errno.h>

#include "journal/layout.h"

struct rec {
	uint32_t len, flags;
	uint64_t pos, sum;
};

#define RESERVED (SHK_JOURNAL_RING / 4) /* for verdicts */

static uint64_t rec_size(uint32_t len)
{
	return sizeof(struct rec) + ((uint64_t)len + 7) / 8 * 8;
}

static void copy_in(struct shk_journal *j, uint64_t pos, const void *p, size_t n)
{
	size_t at = pos % SHK_JOURNAL_RING, first = SHK_MIN(n, SHK_JOURNAL_RING - at);

	memcpy(j->f->ring + at, p, first);
	memcpy(j->f->ring, (const char *)p + first, n - first);
}

static void copy_out(const struct shk_journal *j, uint64_t pos, void *p, size_t n)
{
	size_t at = pos % SHK_JOURNAL_RING, first = SHK_MIN(n, SHK_JOURNAL_RING - at);

	memcpy(p, j->f->ring + at, first);
	memcpy((char *)p + first, j->f->ring, n - first);
}

/* FNV-1a */
static uint64_t sum_add(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	while (n--)
		h = (h ^ *c++) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t sum_head(const struct rec *r)
{
	return sum_add(UINT64_C(0xcbf29ce484222325), r, offsetof(struct rec, sum));
}

static uint64_t sum_ring(const struct shk_journal *j, uint64_t h, uint64_t pos, size_t n)
{
	size_t at = pos % SHK_JOURNAL_RING, first = SHK_MIN(n, SHK_JOURNAL_RING - at);

	h = sum_add(h, j->f->ring + at, first);
	return sum_add(h, j->f->ring, n - first);
}

/* A whole, unspoilt record begins at pos. */
static bool read_rec(const struct shk_journal *j, uint64_t pos, uint64_t tail, struct rec *r)
{
	if (pos % 8 || tail - pos < sizeof(*r))
		return false;
	copy_out(j, pos, r, sizeof(*r));
	return r->pos == pos && r->len <= SHK_JOURNAL_ALERT_MAX && rec_size(r->len) <= tail - pos &&
	       sum_ring(j, sum_head(r), pos + sizeof(*r), r->len) == r->sum;
}

static uint64_t room_for(uint32_t flags)
{
	return SHK_JOURNAL_RING - (flags & SHK_JA_VERDICT ? 0 : RESERVED);
}

bool shk_journal_has_room(struct shk_journal *j, uint32_t flags, size_t n)
{
	struct shk_journal_head *h = &j->f->head;
	uint64_t head = atomic_load(&h->ring_head), tail = atomic_load(&h->ring_tail);

	return n <= SHK_JOURNAL_ALERT_MAX && tail - head + rec_size((uint32_t)n) <= room_for(flags);
}

int shk_journal_put_alert(struct shk_journal *j, uint32_t flags, const void *p, size_t n)
{
	struct shk_journal_head *h = &j->f->head;
	struct rec r = { .flags = flags };
	uint64_t room = room_for(flags);
	int ret = 0;

	if (n > SHK_JOURNAL_ALERT_MAX)
		return -EMSGSIZE;
	r.len = (uint32_t)n;
	pthread_mutex_lock(&j->ring);
	r.pos = atomic_load_explicit(&h->ring_tail, memory_order_relaxed);
	if (r.pos - atomic_load_explicit(&h->ring_head, memory_order_relaxed) + rec_size(r.len) >
	    room) {
		atomic_fetch_add(&h->lost, 1);
		ret = -ENOSPC;
	} else {
		r.sum = sum_add(sum_head(&r), p, n);
		copy_in(j, r.pos, &r, sizeof(r));
		copy_in(j, r.pos + sizeof(r), p, n);
		atomic_store_explicit(&h->ring_tail, r.pos + rec_size(r.len), memory_order_release);
	}
	pthread_mutex_unlock(&j->ring);
	return ret;
}

uint64_t shk_journal_peek_alert(struct shk_journal *j, uint64_t after, struct shk_buf *out,
				uint32_t *ret_flags)
{
	struct shk_journal_head *h = &j->f->head;
	uint64_t pos, tail, cookie = 0;
	struct rec r;

	shk_buf_reset(out);
	pthread_mutex_lock(&j->ring);
	pos = atomic_load(&h->ring_head);
	tail = atomic_load(&h->ring_tail);
	if (after > pos && after <= tail)
		pos = after;
	if (pos < tail && !read_rec(j, pos, tail, &r)) {
		/* Spoilt by a stray write: where the next one begins is not known. */
		atomic_fetch_add(&h->lost, 1);
		atomic_store(&h->ring_tail, pos);
	} else if (pos < tail) {
		size_t at = (pos + sizeof(r)) % SHK_JOURNAL_RING;
		size_t first = SHK_MIN(r.len, SHK_JOURNAL_RING - at);

		shk_buf_add(out, j->f->ring + at, first);
		shk_buf_add(out, j->f->ring, r.len - first);
		if (ret_flags)
			*ret_flags = r.flags;
		cookie = pos + rec_size(r.len);
	}
	pthread_mutex_unlock(&j->ring);
	return cookie;
}

void shk_journal_drop_alerts(struct shk_journal *j, uint64_t cookie)
{
	struct shk_journal_head *h = &j->f->head;

	pthread_mutex_lock(&j->ring);
	if (cookie > atomic_load(&h->ring_head) && cookie <= atomic_load(&h->ring_tail))
		atomic_store_explicit(&h->ring_head, cookie, memory_order_release);
	pthread_mutex_unlock(&j->ring);
}

uint64_t shk_journal_owed(const struct shk_journal *j)
{
	return atomic_load(&j->f->head.owed);
}

void shk_journal_set_owed(struct shk_journal *j, uint64_t n)
{
	atomic_store(&j->f->head.owed, n);
}

void shk_journal_lose_alert(struct shk_journal *j)
{
	atomic_fetch_add(&j->f->head.lost, 1);
}

uint64_t shk_journal_lost_alerts(const struct shk_journal *j)
{
	return atomic_load(&j->f->head.lost);
}

void shk_journal_mend_ring(struct shk_journal *j)
{
	struct shk_journal_head *h = &j->f->head;
	uint64_t head = atomic_load(&h->ring_head), tail = atomic_load(&h->ring_tail), pos = head;
	struct rec r;

	if (head > tail || tail - head > SHK_JOURNAL_RING || head % 8 || tail % 8) {
		/* Begin anew behind both: positions must not come twice. */
		head = (SHK_MAX(head, tail) + 7) & ~UINT64_C(7);
		if (head > UINT64_MAX / 2)
			head = 0;
		atomic_fetch_add(&h->lost, 1);
		atomic_store(&h->ring_head, head);
		atomic_store(&h->ring_tail, head);
		return;
	}
	while (pos < tail && read_rec(j, pos, tail, &r))
		pos += rec_size(r.len);
	if (pos < tail) {
		atomic_fetch_add(&h->lost, 1);
		atomic_store(&h->ring_tail, pos);
	}
}
