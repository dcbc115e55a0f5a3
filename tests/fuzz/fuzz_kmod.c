// SPDX-License-Identifier: Apache-2.0
/* Rings of the kernel module with anything in them: two bytes say where the reader stands and how far the head is, the rest is data. What
 * is given out lies in the ring, and so do its parts; every record becomes an event or is refused. */
#include <stdlib.h>
#include <string.h>

#include "sources/kmod/event.h"

#define SIZE 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const uint8_t *ring, const void *p, size_t n)
{
	const uint8_t *q = p;

	if (q < ring || n > SIZE || q + n > ring + SIZE)
		abort();
}

static void event(const uint8_t *ring, const struct shrike_record *rec, struct shk_arena *a)
{
	struct shk_krecord r;
	struct shk_event ev;
	int e = shk_krecord_split(rec, &r);

	if (!e) {
		inside(ring, r.text.p, r.text.n);
		inside(ring, r.text2.p, r.text2.n);
	}
	shk_arena_reset(a);
	shk_event_init(&ev, a);
	e = shk_kmod_event(rec, 0, &ev);
	if (!e && !ev.call && rec->type != SHRIKE_SYSCALL)
		abort();
	for (unsigned i = 0; !e && ev.call && i < ev.call->nargs; i++)
		(void)shk_event_arg(&ev, i);
	/* Any call that a task may be in. */
	if (e || !ev.call || shk_kmod_event_as(&ev, &shk_syscalls[(uint32_t)rec->nr % SHK_CALL_N]) < 0)
		return;
	for (unsigned i = 0; i < ev.call->nargs; i++)
		(void)shk_event_arg(&ev, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ring[SIZE] __attribute__((aligned(8)));
	struct shrike_ring page = { .size = SIZE };
	struct shk_kring r = { .page = &page, .data = ring, .size = SIZE };
	struct shk_merge m = { .ring = &r, .n = 1 };
	const struct shrike_record *rec;
	struct shk_arena a;
	unsigned n = 0;

	if (size < 2)
		return 0;
	memset(ring, 0, SIZE);
	memcpy(ring, data + 2, size - 2 < SIZE ? size - 2 : SIZE);
	r.tail = page.tail = (uint64_t)data[0] * 8;
	page.head = r.tail + (uint64_t)data[1] * 40;
	shk_arena_init(&a, 1 << 20);
	while ((rec = shk_merge_next(&m, 0))) {
		inside(ring, rec, rec->length);
		event(ring, rec, &a);
		/* Each is longer than a header, so this ends. */
		if (++n > SIZE / sizeof(*rec) * 2)
			abort();
	}
	shk_arena_done(&a);
	return 0;
}
