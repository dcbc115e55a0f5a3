// SPDX-License-Identifier: Apache-2.0
#include "event/replay_mem.h"

#include <errno.h>

/* Below 4 GiB: the pointers of every ABI reach it. One region holds more than a line can. */
#define REGION	  0x04000000ull
#define REGIONS	  60u
#define PLACE_GAP 64u

static ssize_t replay_read(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	const struct shk_replay_mem *m = ev->mem_ctx;
	size_t done = 0;

	while (done < n) {
		size_t got = 0;

		for (size_t i = 0; i < m->n && !got; i++) {
			uint64_t at = addr + done, off = at - m->seg[i].addr;

			if (at < m->seg[i].addr || off >= m->seg[i].bytes.n)
				continue;
			got = SHK_MIN(n - done, m->seg[i].bytes.n - (size_t)off);
			memcpy((char *)buf + done, m->seg[i].bytes.p + off, got);
		}
		if (!got)
			break;
		done += got;
	}
	return done ? (ssize_t)done : -EFAULT;
}

const struct shk_mem_ops shk_replay_mem_ops = { .read = replay_read };

bool shk_replay_mem_put(struct shk_replay_mem *m, uint64_t addr, struct shk_str bytes)
{
	if (m->n == SHK_MEM_SEGMENTS || addr + bytes.n < addr)
		return false;
	m->seg[m->n].addr = addr;
	m->seg[m->n].bytes = bytes;
	m->n++;
	return true;
}

uint64_t shk_replay_mem_place(struct shk_replay_mem *m, size_t n)
{
	uint64_t at = m->next;

	/* Apart, so that reading past the end of one does not find the next. */
	m->next += (n + 2 * PLACE_GAP - 1) / PLACE_GAP * PLACE_GAP;
	return at;
}

void shk_replay_mem_avoid(struct shk_replay_mem *m, const uint64_t *addrs, size_t n)
{
	/* Fewer addresses than regions: one is free of them, and of what reaches into it from below. */
	for (unsigned k = 1; k <= REGIONS; k++) {
		bool taken = false;

		m->next = k * REGION;
		for (size_t i = 0; i < n; i++)
			if (addrs[i] < m->next + REGION && addrs[i] + REGION > m->next)
				taken = true;
		if (!taken)
			return;
	}
}

struct shk_replay_mem *shk_replay_mem_of(const struct shk_event *ev)
{
	return ev->mem == &shk_replay_mem_ops ? ev->mem_ctx : NULL;
}
