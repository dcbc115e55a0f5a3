// SPDX-License-Identifier: Apache-2.0
/* Calls in flight, and the sequence numbers they take. */
#include <errno.h>

#include "base/io.h"
#include "journal/layout.h"

static size_t index_of(const struct shk_journal *j, const struct shk_call_slot *s)
{
	return (size_t)(s - j->f->calls);
}

static bool take(struct shk_journal *j, struct shk_call_slot *s, uint64_t listener, uint64_t container)
{
	uint32_t is = SHK_CALL_FREE;

	if (atomic_load_explicit(&s->state, memory_order_relaxed) != SHK_CALL_FREE ||
	    !atomic_compare_exchange_strong(&s->state, &is, SHK_CALL_CLAIMED))
		return false;
	/* The kernel refuses a buffer for RECV that is not all zero. */
	memset((char *)s + sizeof(s->state), 0, sizeof(*s) - sizeof(s->state));
	s->listener = listener;
	s->container = container;
	s->epoch = j->epoch;
	atomic_store_explicit(&s->state, SHK_CALL_WAITING, memory_order_release);
	return true;
}

struct shk_call_slot *shk_journal_reserve(struct shk_journal *j, uint64_t listener, uint64_t container,
					  struct shk_call_slot *last)
{
	uint32_t from;

	if (last && take(j, last, listener, container))
		return last;
	from = atomic_fetch_add_explicit(&j->hint, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < SHK_JOURNAL_CALLS; i++) {
		struct shk_call_slot *s = &j->f->calls[(from + i) % SHK_JOURNAL_CALLS];

		if (take(j, s, listener, container))
			return s;
	}
	return NULL;
}

void shk_journal_release(struct shk_journal *j, struct shk_call_slot *s)
{
	atomic_store_explicit(&j->adopt[index_of(j, s)], false, memory_order_relaxed);
	atomic_store_explicit(&s->state, SHK_CALL_FREE, memory_order_release);
}

struct shk_call_slot *shk_journal_next_call(struct shk_journal *j, size_t *pos)
{
	while (*pos < SHK_JOURNAL_CALLS) {
		struct shk_call_slot *s = &j->f->calls[(*pos)++];
		uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);

		if (state != SHK_CALL_FREE && state != SHK_CALL_CLAIMED)
			return s;
	}
	return NULL;
}

/* Finds the entry of key, or makes one. NULL: none and make is false, or the table is full. */
static struct shk_journal_container *entry_of(struct shk_journal *j, uint64_t key, bool make)
{
	/* Keys are given by ourselves in ascending order; multiplying spreads them. */
	uint64_t at = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
	struct shk_journal_container *room = NULL;

	for (size_t i = 0; i < SHK_JOURNAL_CONTAINERS; i++) {
		struct shk_journal_container *c =
			&j->f->containers[(at + i) % SHK_JOURNAL_CONTAINERS];
		uint32_t use = atomic_load_explicit(&c->use, memory_order_acquire);

		if (use == SHK_JC_USED && c->key == key)
			return c;
		if (use != SHK_JC_USED && !room)
			room = c;
		if (use == SHK_JC_EMPTY)
			break;
	}
	if (!make || !room)
		return NULL;
	room->key = key;
	atomic_store_explicit(&room->last, 0, memory_order_relaxed);
	atomic_store_explicit(&room->use, SHK_JC_USED, memory_order_release);
	return room;
}

/* The counter that serves a container; make: enter it when it is new. */
static _Atomic uint64_t *counter_of(struct shk_journal *j, uint64_t container, bool make)
{
	struct shk_journal_container *c;

	if (container == 0)
		return &j->f->head.internal;
	c = entry_of(j, container, make);
	return c ? &c->last : &j->f->head.spill;
}

uint64_t shk_journal_take_seq(struct shk_journal *j, uint64_t container, struct shk_call_slot *s)
{
	_Atomic uint64_t *last;
	uint64_t seq;

	if (s && atomic_exchange_explicit(&j->adopt[index_of(j, s)], false, memory_order_relaxed))
		return s->seq;
	pthread_mutex_lock(&j->table);
	last = counter_of(j, container, true);
	seq = atomic_load_explicit(last, memory_order_relaxed) + 1;
	if (last == &j->f->head.spill && seq < SHK_JOURNAL_SEQ_SPILL)
		seq = SHK_JOURNAL_SEQ_SPILL;
	if (s)
		s->seq = seq;
	atomic_store_explicit(last, seq, memory_order_release);
	pthread_mutex_unlock(&j->table);
	return seq;
}

void shk_journal_forget_container(struct shk_journal *j, uint64_t container)
{
	struct shk_journal_container *c;

	if (container == 0)
		return;
	pthread_mutex_lock(&j->table);
	c = entry_of(j, container, false);
	if (c)
		atomic_store_explicit(&c->use, SHK_JC_GONE, memory_order_release);
	pthread_mutex_unlock(&j->table);
}

/* What a dead engine left. False: nothing in it to go on with. */
static bool mend_slot(struct shk_journal *j, struct shk_call_slot *s, uint64_t now)
{
	uint32_t state = atomic_load(&s->state);

	if (state == SHK_CALL_FREE || state >= SHK_CALL_CLAIMED)
		return false;
	/* The kernel fills the notification before RECV returns; no id: it gave none to this one. */
	if (s->notif.id == 0)
		return false;
	/* Not an answer to this call. The call itself still waits: judge it anew. */
	if (state == SHK_CALL_ANSWERED && s->resp.id != s->notif.id)
		atomic_store(&s->state, SHK_CALL_RUNNING);
	if (s->epoch >= j->epoch)
		s->epoch = 0;
	if (s->recv_mono_ns > now)
		s->recv_mono_ns = now;
	if (s->seq >= 2 * SHK_JOURNAL_SEQ_SPILL)
		s->seq = 0;
	return true;
}

void shk_journal_mend_calls(struct shk_journal *j)
{
	uint64_t now = shk_now_mono();

	for (size_t i = 0; i < SHK_JOURNAL_CALLS; i++) {
		struct shk_call_slot *s = &j->f->calls[i];

		if (mend_slot(j, s, now))
			atomic_store(&j->adopt[i], s->seq != 0);
		else
			atomic_store(&s->state, SHK_CALL_FREE);
	}
}

void shk_journal_mend_containers(struct shk_journal *j)
{
	struct shk_journal_head *h = &j->f->head;

	for (size_t i = 0; i < SHK_JOURNAL_CONTAINERS; i++) {
		struct shk_journal_container *c = &j->f->containers[i];

		if (atomic_load(&c->use) > SHK_JC_GONE)
			atomic_store(&c->use, SHK_JC_GONE);
		if (atomic_load(&c->last) >= SHK_JOURNAL_SEQ_SPILL)
			atomic_store(&c->last, SHK_JOURNAL_SEQ_MEND);
	}
	if (atomic_load(&h->internal) >= SHK_JOURNAL_SEQ_SPILL)
		atomic_store(&h->internal, SHK_JOURNAL_SEQ_MEND);
	if (atomic_load(&h->spill) >= 2 * SHK_JOURNAL_SEQ_SPILL)
		atomic_store(&h->spill, SHK_JOURNAL_SEQ_SPILL + SHK_JOURNAL_SEQ_MEND);
	for (size_t i = 0; i < SHK_JOURNAL_CALLS; i++) {
		struct shk_call_slot *s = &j->f->calls[i];
		_Atomic uint64_t *last;

		if (!atomic_load(&j->adopt[i]))
			continue;
		/* A number of the spill stays one, even if there is room for its container now. */
		last = s->seq >= SHK_JOURNAL_SEQ_SPILL ? &h->spill
						       : counter_of(j, s->container, true);
		if (atomic_load(last) < s->seq)
			atomic_store(last, s->seq);
	}
}
