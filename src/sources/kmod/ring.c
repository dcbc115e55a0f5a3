// SPDX-License-Identifier: Apache-2.0
#include "sources/kmod/ring.h"

#include <errno.h>

/* For good: nothing is ahead, and more() finds no more. */
static int broken(struct shk_kring *r)
{
	r->broken = true;
	r->ahead = 0;
	return -EBADMSG;
}

/* Of what is rare: the first record, a gap, a word of loss, a number that goes back. */
static __attribute__((noinline)) int unusual(struct shk_kring *r, const struct shrike_record *rec)
{
	if (r->started && rec->seq < r->next_seq)
		return broken(r);
	if (r->started)
		r->missed += rec->seq - r->next_seq;
	r->started = true;
	r->next_seq = rec->seq;
	if (rec->type == SHRIKE_LOSS && rec->length >= sizeof(*rec) + sizeof(struct shrike_loss))
		r->told += ((const struct shrike_loss *)(rec + 1))->count;
	return 1;
}

/* What has been written since the module's head was last looked at. 1: something. */
static __attribute__((noinline)) int more(struct shk_kring *r)
{
	uint64_t ahead;

	if (r->broken)
		return -EBADMSG;
	ahead = __atomic_load_n(&r->page->head, __ATOMIC_ACQUIRE) - r->tail;
	if (ahead > r->size || r->tail % 8)
		return broken(r);
	r->ahead = ahead;
	return ahead != 0;
}

/* What is ahead is at most size, and tail a multiple of 8: more() has seen to that, and each length is held to it. */
static inline int look(struct shk_kring *r)
{
	const struct shrike_record *rec;
	uint32_t at, length;
	int e;

	for (;;) {
		if (!r->ahead && (e = more(r)) <= 0)
			return e;
		at = (uint32_t)r->tail & (r->size - 1);
		rec = (const struct shrike_record *)(r->data + at);
		length = rec->length;
		if (length < 8 || length % 8 || length > r->ahead || length > r->size - at)
			return broken(r);
		if (rec->type != SHRIKE_SKIP)
			break;
		r->tail += length;
		r->ahead -= length;
	}
	if (length < sizeof(*rec) || length > SHRIKE_RECORD_MAX)
		return broken(r);
	if ((rec->seq != r->next_seq || !r->started || rec->type == SHRIKE_LOSS) && (e = unusual(r, rec)) < 0)
		return e;
	r->next_seq++;
	r->length = length;
	r->held = rec;
	return 1;
}

int shk_kring_look(struct shk_kring *r)
{
	return look(r);
}

/* What follows the header, by type; 0: a path. */
static const uint8_t bodies[SHRIKE_TYPES] = {
	[SHRIKE_LOSS] = sizeof(struct shrike_loss),	   [SHRIKE_FORK] = sizeof(struct shrike_fork),
	[SHRIKE_EXIT] = sizeof(struct shrike_exit),	   [SHRIKE_SYSCALL] = sizeof(struct shrike_call),
	[SHRIKE_SOCKET] = sizeof(struct shrike_sock),	   [SHRIKE_CONNECT] = sizeof(struct shrike_sock),
	[SHRIKE_BIND] = sizeof(struct shrike_sock),	   [SHRIKE_LISTEN] = sizeof(struct shrike_sock),
	[SHRIKE_SENDMSG] = sizeof(struct shrike_sock),	   [SHRIKE_LOAD_DATA] = sizeof(struct shrike_value),
	[SHRIKE_PTRACE] = sizeof(struct shrike_value),	   [SHRIKE_KILL] = sizeof(struct shrike_value),
	[SHRIKE_BPF] = sizeof(struct shrike_value),	   [SHRIKE_USERNS] = sizeof(struct shrike_value),
};

int shk_krecord_split(const struct shrike_record *head, struct shk_krecord *ret)
{
	size_t body, rest, n = 0, n2 = 0;
	const char *data;

	if (head->type >= SHRIKE_TYPES || head->type == SHRIKE_SKIP)
		return -ENOMSG;
	body = bodies[head->type] ? bodies[head->type] : sizeof(struct shrike_path);
	if (head->length < sizeof(*head) + body || head->length > SHRIKE_RECORD_MAX)
		return -EBADMSG;
	rest = head->length - sizeof(*head) - body;
	data = (const char *)(head + 1) + body;
	if (!bodies[head->type]) {
		const struct shrike_path *p = (const void *)(head + 1);

		n = p->path_len;
		n2 = p->path2_len;
	} else if (head->type == SHRIKE_CONNECT || head->type == SHRIKE_BIND || head->type == SHRIKE_SENDMSG) {
		n = ((const struct shrike_sock *)(const void *)(head + 1))->addr_len;
	}
	if (n + n2 > rest)
		return -EBADMSG;
	*ret = (struct shk_krecord){ .head = head, .body = head + 1, .text = { data, n }, .text2 = { data + n, n2 } };
	return 0;
}

const struct shrike_record *shk_merge_next(struct shk_merge *m, uint64_t now_ns)
{
	struct shk_kring *first = NULL, *end = m->ring + m->n;

	if (m->last)
		shk_kring_advance(m->last);
	m->last = NULL;
	for (struct shk_kring *r = m->ring; r < end; r++)
		if (r->page && (r->held || look(r) > 0) && (!first || r->held->time < first->held->time))
			first = r;
	if (!first)
		return NULL;
	/* Too young, and there is room for what comes meanwhile. */
	if (now_ns && first->held->time + SHK_MERGE_WINDOW_NS > now_ns &&
	    __atomic_load_n(&first->page->head, __ATOMIC_RELAXED) - first->tail <= first->size / 2)
		return NULL;
	m->last = first;
	return first->held;
}

uint64_t shk_merge_missed(const struct shk_merge *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->ring[i].missed;
	return n;
}

uint64_t shk_merge_told(const struct shk_merge *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->ring[i].told;
	return n;
}
