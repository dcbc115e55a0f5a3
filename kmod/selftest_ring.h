/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * selftest_ring.h - included by ring.c in a build with SHRIKE_SELFTEST=y: a ring of its own is written and read at changing speeds, and every
 * byte and every number is accounted for.
 */
#ifdef SHRIKE_SELFTEST
#include <linux/slab.h>
#include "selftest_all.h"
#define TEST_SIZE 4096u

struct ring_test {
	struct shk_ring ring;
	u64 written, read, told, next_seq, gaps;
};

/* Reads n records; what is found must be one after the other. */
static int test_read(struct ring_test *t, unsigned int n)
{
	struct shk_ring *r = &t->ring;
	u64 tail = r->page->tail;

	while (n && tail != r->head) {
		struct shrike_record *rec = (void *)(r->data + (tail & (TEST_SIZE - 1)));

		if (rec->length % 8 || rec->length < 8 || (tail & (TEST_SIZE - 1)) + rec->length > TEST_SIZE ||
		    tail + rec->length > r->head)
			return -EINVAL;
		tail += rec->length;
		if (rec->type == SHRIKE_SKIP)
			continue;
		n--;
		t->gaps += rec->seq - t->next_seq;
		t->next_seq = rec->seq + 1;
		if (rec->type == SHRIKE_LOSS)
			t->told += ((struct shrike_loss *)(rec + 1))->count;
		else
			t->read++;
	}
	r->page->tail = tail;
	return 0;
}

static int test_rounds(struct ring_test *t)
{
	struct shk_ring *r = &t->ring;
	u32 random = 20261127, i, len;

	for (i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		len = sizeof(struct shrike_record) + (random >> 20) % 120 * 8;
		if ((!r->unsaid || say_loss(r)) && begin(r, SHRIKE_OPEN, len))
			t->written++;
		else
			count_loss(r);
		/* Now and then nobody reads for a while. */
		if (i % 1000 < 700 && test_read(t, (random >> 8) % 4))
			return -EINVAL;
	}
	if (test_read(t, U32_MAX) || (r->unsaid && !say_loss(r)) || test_read(t, U32_MAX))
		return -EINVAL;
	return t->written == t->read && t->written + r->lost == 20000 && r->lost && t->told == r->lost && t->gaps == r->lost ?
		       0 : -EINVAL;
}

/* A reader that lies about its tail makes the ring full, or leaves it as it is. */
static int test_liar(struct ring_test *t)
{
	struct shk_ring *r = &t->ring;
	u64 lies[] = { r->head + 1, r->head + TEST_SIZE, r->head - TEST_SIZE - 1, U64_MAX, r->head - TEST_SIZE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		r->page->tail = lies[i];
		if (begin(r, SHRIKE_OPEN, 80))
			return -EINVAL;
	}
	return 0;
}

int shk_selftest_ring(void)
{
	struct ring_test *t = kzalloc(sizeof(*t), GFP_KERNEL);
	u32 size = shk_ring_size;
	int err = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->ring.page = kzalloc(sizeof(*t->ring.page), GFP_KERNEL);
	t->ring.data = kzalloc(TEST_SIZE, GFP_KERNEL);
	if (t->ring.page && t->ring.data) {
		/* Nobody has a ring yet. */
		shk_ring_size = TEST_SIZE;
		err = test_rounds(t);
		if (!err)
			err = test_liar(t);
		shk_ring_size = size;
	}
	kfree(t->ring.data);
	kfree(t->ring.page);
	kfree(t);
	return err;
}
#endif
