// SPDX-License-Identifier: Apache-2.0
/* Storage of a memo: nodes, ways between them, texts, classes. */
#include "rules/memo.h"

#include <stdlib.h>

#include "rules/rules.h"

#define TABLE_MIN 64u
#define PROBES	  16 /* places looked at for a text */

struct shk_memo *shk_memo_new(void)
{
	return calloc(1, sizeof(struct shk_memo));
}

static void empty(struct shk_memo_table *t)
{
	if (t->used)
		memset(t->v, 0, t->size * sizeof(*t->v));
	t->used = 0;
}

static void forget_values(struct shk_memo *m)
{
	empty(&m->texts);
	m->values.n = 1;
	m->values_full = false;
	for (uint32_t i = 0; i < m->n_slot; i++)
		m->slot[i].last = 0;
}

static void forget(struct shk_memo *m)
{
	forget_values(m);
	empty(&m->ways);
	empty(&m->class_of);
	m->classes.n = SHK_CLASS_FIRST;
	m->rules.n = 1;
	m->n_node = 1;
	m->full = false;
	if (m->n_root)
		memset(m->root, 0, m->n_root * sizeof(*m->root));
}

static void forget_set(struct shk_memo *m)
{
	shk_memo_forget_lists(m);
	free(m->root);
	free(m->slot);
	free(m->scratch);
	m->root = NULL;
	m->slot = NULL;
	m->scratch = NULL;
	m->n_root = m->n_slot = 0;
	m->serial = 0;
}

void shk_memo_free(struct shk_memo *m)
{
	if (!m)
		return;
	forget_set(m);
	free(m->node);
	free(m->ways.v);
	free(m->texts.v);
	free(m->class_of.v);
	free(m->values.p);
	free(m->classes.p);
	free(m->rules.p);
	free(m);
}

static bool bind(struct shk_memo *m, const struct shk_ruleset *rs)
{
	forget_set(m);
	m->root = calloc(rs->n_program + 1, sizeof(*m->root));
	m->slot = calloc(rs->n_answered + 1, sizeof(*m->slot));
	m->scratch = malloc(SHK_SLOTS_BYTES(rs));
	if (!m->texts.v) { /* later it only grows */
		m->texts.v = calloc(TABLE_MIN, sizeof(*m->texts.v));
		m->texts.size = m->texts.v ? TABLE_MIN : 0;
	}
	if (!m->root || !m->slot || !m->scratch || !m->texts.v)
		return false;
	m->n_root = rs->n_program;
	m->n_slot = rs->n_answered;
	for (uint32_t i = 0; i < rs->slots.n; i++) {
		const struct shk_slot *s = &rs->slots.v[i];

		if (s->n_answer)
			m->slot[s->answered] = (struct shk_memo_slot){
				.ref = s->kind == SHK_OPERAND_FIELD ? &s->ref : NULL,
				.slot = i, .n_answer = s->n_answer };
	}
	m->serial = rs->serial;
	m->credit = SHK_MEMO_CREDIT;
	forget(m);
	return true;
}

bool shk_memo_make_room(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->serial != rs->serial)
		return bind(m, rs);
	if (m->full)
		forget(m);
	else
		forget_values(m);
	return true;
}

/* ---- tables and pools ---- */

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

/* At most a quarter of a table is in use. */
static bool put(struct shk_memo_table *t, uint32_t hash, uint32_t at, uint32_t probes)
{
	if (t->used * 4 >= t->size) {
		uint32_t size = t->size ? t->size * 2 : TABLE_MIN;
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

/* Place of n more words, 0: there is no room. */
static uint32_t take(struct shk_memo_pool *p, size_t n, size_t limit)
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

/* ---- nodes ---- */

static uint32_t mix(uint32_t a, uint32_t b)
{
	uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> 32);
}

static bool two_ways(const struct shk_memo_node *n)
{
	return n->kind < SHK_MEMO_GROUP;
}

uint32_t shk_memo_far_way(const struct shk_memo *m, uint32_t at, uint32_t class)
{
	const struct shk_memo_table *t = &m->ways;
	uint32_t hash = mix(at, class);

	for (uint32_t i = hash; t->size && t->v[i & (t->size - 1)].at; i++) {
		const struct shk_memo_cell *c = &t->v[i & (t->size - 1)];

		if (c->hash == hash && m->node[c->at].from == at && m->node[c->at].by == class)
			return c->at;
	}
	return 0;
}

static bool link_to(struct shk_memo *m, uint32_t from, uint32_t by, uint32_t to)
{
	struct shk_memo_node *n;

	if (!from) {
		m->root[by] = to;
		return true;
	}
	n = &m->node[from];
	if (two_ways(n)) {
		n->to[by] = to;
	} else if (!n->to[0]) {
		n->to[0] = by;
		n->to[1] = to;
	} else {
		return put(&m->ways, mix(from, by), to, UINT32_MAX);
	}
	return true;
}

uint32_t shk_memo_add(struct shk_memo *m, const struct shk_memo_node *n)
{
	uint32_t at = m->n_node;

	if (at >= m->room_node && at < SHK_MEMO_NODES) {
		uint32_t room = SHK_MIN(SHK_MAX(m->room_node * 2, TABLE_MIN), SHK_MEMO_NODES);
		struct shk_memo_node *v = reallocarray(m->node, room, sizeof(*v));

		if (v) {
			m->node = v;
			m->room_node = room;
		}
	}
	if (at < m->room_node) {
		m->node[at] = *n;
		if (link_to(m, n->from, n->by, at)) {
			m->n_node++;
			return at;
		}
	}
	m->full = true;
	return 0;
}

bool shk_memo_add_rule(struct shk_memo *m, uint32_t rule)
{
	uint32_t at = take(&m->rules, 1, SHK_MEMO_RULES);

	if (at)
		m->rules.p[at] = rule;
	else
		m->full = true;
	return at;
}

/* ---- texts ---- */

static uint32_t add_value(struct shk_memo *m, const struct shk_memo_slot *slot, struct shk_str s, uint32_t hash,
			  struct shk_memo_cell *instead)
{
	size_t n = SHK_MEMO_HEAD + slot->n_answer;
	uint32_t at = take(&m->values, n + (s.n + 3) / 4, SHK_MEMO_VALUES / 4), *v;

	if (!at || (!instead && !put(&m->texts, hash, at, PROBES - 1))) {
		m->values_full = true;
		return SHK_MEMO_NONE;
	}
	if (instead)
		instead->at = at;
	v = m->values.p + at;
	memset(v, 0, n * sizeof(*v));
	v[0] = slot->slot;
	v[1] = (uint32_t)s.n;
	if (s.n)
		memcpy(v + n, s.p, s.n);
	return at;
}

uint32_t shk_memo_value(struct shk_memo *m, struct shk_memo_slot *slot, struct shk_str s, uint32_t hash)
{
	struct shk_memo_cell *c, *other = NULL, *v = m->texts.v;
	uint32_t mask = m->texts.size - 1, at;

	if (s.n > SHK_MEMO_TEXT)
		return SHK_MEMO_NONE;
	for (uint32_t k = hash; v && k != hash + PROBES && (c = &v[k & mask])->at; k++) {
		if (c->hash != hash)
			continue;
		if (shk_memo_same(m, c->at, slot, s))
			return slot->last = c->at;
		other = c;
	}
	at = add_value(m, slot, s, hash, other);
	if (at != SHK_MEMO_NONE)
		slot->last = at;
	return at;
}

/* ---- classes: group, number of words, then each word that is not as it is for most texts ---- */

uint32_t shk_memo_class(struct shk_memo *m, const struct shk_ruleset *rs, uint32_t group,
			const uint64_t *bits)
{
	const struct shk_group *g = &rs->group[group];
	struct shk_memo_table *t = &m->class_of;
	uint32_t n = 0, hash = group, at, *v;

	for (uint32_t k = 0; k < g->n_word; k++)
		n += bits[k] != g->there[k];
	at = take(&m->classes, 2 + 3 * (size_t)n, SHK_MEMO_CLASSES / 4);
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
		hash = mix(hash, v[k]);
	for (uint32_t x = hash; t->size && t->v[x & (t->size - 1)].at; x++) {
		const struct shk_memo_cell *c = &t->v[x & (t->size - 1)];

		if (c->hash != hash || m->classes.p[c->at + 1] != n ||
		    memcmp(v, m->classes.p + c->at, (2 + 3 * (size_t)n) * sizeof(*v)) != 0)
			continue;
		m->classes.n = at; /* it was there */
		return c->at;
	}
	if (put(t, hash, at, UINT32_MAX))
		return at;
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
