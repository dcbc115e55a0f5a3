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

/* What follows the header, by type. */
static size_t body_size(unsigned type)
{
	switch (type) {
	case SHRIKE_LOSS:
		return sizeof(struct shrike_loss);
	case SHRIKE_FORK:
		return sizeof(struct shrike_fork);
	case SHRIKE_EXIT:
		return sizeof(struct shrike_exit);
	case SHRIKE_SYSCALL:
		return sizeof(struct shrike_call);
	case SHRIKE_SOCKET:
	case SHRIKE_CONNECT:
	case SHRIKE_BIND:
	case SHRIKE_LISTEN:
	case SHRIKE_SENDMSG:
		return sizeof(struct shrike_sock);
	case SHRIKE_LOAD_DATA:
	case SHRIKE_PTRACE:
	case SHRIKE_KILL:
	case SHRIKE_BPF:
	case SHRIKE_USERNS:
		return sizeof(struct shrike_value);
	default:
		return sizeof(struct shrike_path);
	}
}

int shk_krecord_split(const struct shrike_record *head, struct shk_krecord *ret)
{
	size_t body = body_size(head->type), rest;
	const char *data;

	if (head->type >= SHRIKE_TYPES || head->type == SHRIKE_SKIP)
		return -ENOMSG;
	if (head->length < sizeof(*head) + body || head->length > SHRIKE_RECORD_MAX)
		return -EBADMSG;
	*ret = (struct shk_krecord){ .head = head, .body = head + 1 };
	rest = head->length - sizeof(*head) - body;
	data = (const char *)(head + 1) + body;
	ret->text.p = ret->text2.p = data;
	if (body == sizeof(struct shrike_path)) {
		const struct shrike_path *p = ret->body;

		ret->text.n = p->path_len;
		ret->text2.n = p->path2_len;
	} else if (head->type == SHRIKE_CONNECT || head->type == SHRIKE_BIND || head->type == SHRIKE_SENDMSG) {
		ret->text.n = ((const struct shrike_sock *)ret->body)->addr_len;
	}
	if (ret->text.n + ret->text2.n > rest)
		return -EBADMSG;
	ret->text2.p += ret->text.n;
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
