// SPDX-License-Identifier: Apache-2.0
#include "sources/kmod/ring.h"

#include <errno.h>

static int broken(struct shk_kring *r)
{
	r->broken = true;
	return -EBADMSG;
}

int shk_kring_peek(struct shk_kring *r)
{
	const struct shrike_record *rec;
	uint64_t head;
	uint32_t at, rest;

	if (r->broken)
		return -EBADMSG;
	if (r->held)
		return 1;
	head = __atomic_load_n(&r->page->head, __ATOMIC_ACQUIRE);
	for (;;) {
		if (head == r->tail)
			return 0;
		at = (uint32_t)r->tail & (r->size - 1);
		rest = r->size - at;
		if (head - r->tail > r->size || r->tail % 8)
			return broken(r);
		rec = (const struct shrike_record *)(r->data + at);
		if (rec->length < 8 || rec->length % 8 || rec->length > rest || rec->length > head - r->tail)
			return broken(r);
		if (rec->type != SHRIKE_SKIP)
			break;
		r->tail += rec->length;
	}
	if (rec->length < sizeof(*rec) || rec->length > SHRIKE_RECORD_MAX)
		return broken(r);
	if (r->started && rec->seq < r->next_seq)
		return broken(r);
	if (r->started)
		r->missed += rec->seq - r->next_seq;
	r->started = true;
	r->next_seq = rec->seq + 1;
	if (rec->type == SHRIKE_LOSS && rec->length >= sizeof(*rec) + sizeof(struct shrike_loss))
		r->told += ((const struct shrike_loss *)(rec + 1))->count;
	r->held = rec;
	return 1;
}

void shk_kring_advance(struct shk_kring *r)
{
	if (!r->held)
		return;
	r->tail += r->held->length;
	r->held = NULL;
	__atomic_store_n(&r->page->tail, r->tail, __ATOMIC_RELEASE);
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
	struct shk_kring *first = NULL;
	uint64_t used;
	unsigned i;

	if (m->last)
		shk_kring_advance(m->last);
	m->last = NULL;
	for (i = 0; i < m->n; i++) {
		struct shk_kring *r = &m->ring[i];

		if (r->page && shk_kring_peek(r) > 0 && (!first || r->held->time < first->held->time))
			first = r;
	}
	if (!first)
		return NULL;
	used = __atomic_load_n(&first->page->head, __ATOMIC_RELAXED) - first->tail;
	if (now_ns && first->held->time + SHK_MERGE_WINDOW_NS > now_ns && used <= first->size / 2)
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
