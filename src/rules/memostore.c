// SPDX-License-Identifier: Apache-2.0
/* Storage of a memo: texts with the answers about them, classes. */
#include "rules/memo.h"

#include <stdlib.h>

#define PROBES	  16 /* places looked at for a text */

/* Texts are what a container makes them: where so many of them have one place, the first goes. */
static bool place(struct shk_memo_cell *v, uint32_t size, struct shk_memo_cell c, uint32_t probes)
{
	uint32_t i = c.hash & (size - 1);

	for (uint32_t k = 0; v[i].at && k < probes; k++)
		i = (i + 1) & (size - 1);
	if (v[i].at) {
		v[c.hash & (size - 1)] = c;
		return false;
	}
	v[i] = c;
	return true;
}

bool shk_memo_put(struct shk_memo_table *t, uint32_t hash, uint32_t at, uint32_t probes)
{
	if (t->used * 4 >= t->size) {
		uint32_t size = t->size ? t->size * 2 : SHK_MEMO_TABLE_MIN;
		struct shk_memo_cell *v = calloc(size, sizeof(*v));

		if (!v)
			return false;
		t->used = 0;
		for (uint32_t i = 0; i < t->size; i++)
			if (t->v[i].at)
				t->used += place(v, size, t->v[i], probes);
		free(t->v);
		t->v = v;
		t->size = size;
	}
	t->used += place(t->v, t->size, (struct shk_memo_cell){ hash, at }, probes);
	return true;
}

uint32_t shk_memo_take(struct shk_memo_pool *p, size_t n, size_t limit)
{
	uint32_t at = p->n;

	if (n > limit || at > limit - n)
		return 0;
	if (at + n > p->room) {
		size_t room = SHK_MIN(SHK_MAX((size_t)p->room * 2, at + n + 256), limit);
		uint32_t *v = reallocarray(p->p, room, sizeof(*v));

		if (!v)
			return 0;
		p->p = v;
		p->room = (uint32_t)room;
	}
	p->n += (uint32_t)n;
	return at;
}

/* ---- texts ---- */

static uint32_t add_value(struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash,
			  struct shk_memo_cell *instead)
{
	size_t n = SHK_MEMO_HEAD + key.n_answer;
	uint32_t at = shk_memo_take(&m->values, n + (s.n + 3) / 4, SHK_MEMO_VALUES / 4), *v;

	if (!at || (!instead && !shk_memo_put(&m->texts, hash, at, PROBES - 1))) {
		m->values_full = true;
		return SHK_MEMO_NONE;
	}
	if (instead)
		instead->at = at;
	v = m->values.p + at;
	memset(v, 0, n * sizeof(*v));
	v[0] = key.slot;
	v[1] = (uint32_t)s.n;
	if (s.n)
		memcpy(v + n, s.p, s.n);
	return at;
}

/* NULL: not there; *ret_other is a cell of the same hash then, if there is one. */
static inline __attribute__((always_inline)) struct shk_memo_cell *find(const struct shk_memo *m, struct shk_memo_key key, struct shk_str s,
				  uint32_t hash, struct shk_memo_cell **ret_other)
{
	struct shk_memo_cell *c, *v = m->texts.v;
	uint32_t mask = m->texts.size - 1;

	*ret_other = NULL;
	for (uint32_t k = hash; v && k != hash + PROBES && (c = &v[k & mask])->at; k++) {
		if (c->hash != hash)
			continue;
		if (shk_memo_same(m, c->at, key, s))
			return c;
		*ret_other = c;
	}
	return NULL;
}

/* Long texts most often come once: what is kept of the first time is a tag. */
static bool was_met(struct shk_memo *m, uint32_t hash)
{
	uint16_t *tag = &m->met[hash % SHK_MEMO_MET], now = (uint16_t)(hash >> 16);

	if (*tag == now)
		return true;
	*tag = now;
	return false;
}

uint32_t shk_memo_value(struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash)
{
	struct shk_memo_cell *c, *other;

	if (s.n > SHK_MEMO_TEXT)
		return SHK_MEMO_NONE;
	c = find(m, key, s, hash, &other);
	if (c)
		return c->at;
	return s.n >= SHK_MEMO_LONG && !was_met(m, hash) ? SHK_MEMO_NONE : add_value(m, key, s, hash, other);
}

static struct shk_memo_key odd_key(struct shk_memo_key key)
{
	return (struct shk_memo_key){ .slot = key.slot | SHK_MEMO_ODD, .n_answer = 1 };
}

uint32_t shk_memo_odd(const struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash)
{
	struct shk_memo_key odd = odd_key(key);
	struct shk_memo_cell *c, *other;

	c = find(m, odd, s, hash, &other);
	return c ? m->values.p[c->at + SHK_MEMO_HEAD] : 0;
}

bool shk_memo_keep_odd(struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash, uint32_t clean)
{
	struct shk_memo_key odd = odd_key(key);
	uint32_t at = clean == SHK_MEMO_NONE || !clean ? SHK_MEMO_NONE : shk_memo_value(m, odd, s, hash);

	if (at == SHK_MEMO_NONE)
		return false;
	m->values.p[at + SHK_MEMO_HEAD] = clean;
	return true;
}

/* ---- classes: group, number of words, then each word that is not as it is for most texts ---- */

/* Classes of few words are found again by their bits. */
static uint32_t met(struct shk_memo *m, const struct shk_group *g, uint32_t group, const uint64_t *bits, uint32_t class)
{
	struct shk_memo_recent *r = &m->recent[group];

	if (g->n_word > SHK_MEMO_RECENT_WORDS)
		return class;
	r->v[r->next].class = class;
	for (uint32_t k = 0; k < SHK_MEMO_RECENT_WORDS; k++)
		r->v[r->next].bits[k] = k < g->n_word ? bits[k] : 0;
	r->next = (r->next + 1) % SHK_MEMO_RECENT;
	return class;
}

static inline uint32_t recent(const struct shk_memo *m, const struct shk_group *g, uint32_t group, const uint64_t *bits)
{
	const struct shk_memo_recent *r = &m->recent[group];

	for (unsigned i = 0; g->n_word <= SHK_MEMO_RECENT_WORDS && i < SHK_MEMO_RECENT; i++) {
		uint32_t k = 0;

		while (k < g->n_word && r->v[i].bits[k] == bits[k])
			k++;
		if (k == g->n_word && r->v[i].class)
			return r->v[i].class;
	}
	return 0;
}

uint32_t shk_memo_class(struct shk_memo *m, const struct shk_ruleset *rs, uint32_t group,
			const uint64_t *bits)
{
	const struct shk_group *g = &rs->group[group];
	struct shk_memo_table *t = &m->class_of;
	uint32_t n = 0, hash = group, at = recent(m, g, group, bits), *v;

	if (at)
		return at;
	for (uint32_t k = 0; k < g->n_word; k++)
		n += bits[k] != g->there[k];
	at = shk_memo_take(&m->classes, 2 + 3 * (size_t)n, SHK_MEMO_CLASSES / 4);
	if (!at) {
		m->full = true;
		return 0;
	}
	v = m->classes.p + at;
	*v++ = group;
	*v++ = n;
	for (uint32_t k = 0; k < g->n_word; k++)
		if (bits[k] != g->there[k]) {
			*v++ = k;
			*v++ = (uint32_t)bits[k];
			*v++ = (uint32_t)(bits[k] >> 32);
		}
	v = m->classes.p + at;
	for (uint32_t k = 1; k < 2 + 3 * n; k++)
		hash = shk_memo_mix(hash, v[k]);
	for (uint32_t x = hash; t->size && t->v[x & (t->size - 1)].at; x++) {
		const struct shk_memo_cell *c = &t->v[x & (t->size - 1)];

		if (c->hash != hash || m->classes.p[c->at + 1] != n ||
		    memcmp(v, m->classes.p + c->at, (2 + 3 * (size_t)n) * sizeof(*v)) != 0)
			continue;
		m->classes.n = at; /* it was there */
		return met(m, g, group, bits, c->at);
	}
	if (shk_memo_put(t, hash, at, UINT32_MAX))
		return met(m, g, group, bits, at);
	m->full = true;
	return 0;
}

void shk_memo_class_bits(const struct shk_memo *m, const struct shk_group *g, uint32_t class,
			 uint64_t *bits)
{
	const uint32_t *v = m->classes.p + class;

	if (class < SHK_CLASS_FIRST)
		return;
	for (uint32_t k = 0; k < g->n_word; k++)
		bits[k] |= g->there[k];
	for (uint32_t k = 0; k < v[1]; k++) {
		const uint32_t *w = v + 2 + 3 * k;

		bits[w[0]] = (g->multi ? bits[w[0]] : 0) | w[1] | (uint64_t)w[2] << 32;
	}
}
