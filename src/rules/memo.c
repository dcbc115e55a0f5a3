// SPDX-License-Identifier: Apache-2.0
/* Storage of a memo: nodes, ways between them, texts, classes. */
#include "rules/memo.h"

#include <stdlib.h>

#include "rules/rules.h"

#define TABLE_MIN 64u
#define PROBES	  8 /* places looked at for a text */

struct shk_memo *shk_memo_new(void)
{
	return calloc(1, sizeof(struct shk_memo));
}

void shk_memo_free(struct shk_memo *m)
{
	if (!m)
		return;
	free(m->node);
	free(m->root);
	free(m->last);
	free(m->ways.v);
	free(m->texts.v);
	free(m->class_of.v);
	free(m->values.p);
	free(m->classes.p);
	free(m->rules.p);
	free(m);
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
	if (m->n_last)
		memset(m->last, 0, m->n_last * sizeof(*m->last));
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

static bool resize(uint32_t **v, uint32_t *n, size_t want)
{
	uint32_t *p = reallocarray(*v, want + 1, sizeof(*p));

	if (!p)
		return false;
	*v = p;
	*n = (uint32_t)want;
	return true;
}

bool shk_memo_begin(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->serial != rs->serial) {
		m->serial = 0;
		if (!resize(&m->root, &m->n_root, rs->n_program) ||
		    !resize(&m->last, &m->n_last, rs->n_answered))
			return false;
		m->serial = rs->serial;
		forget(m);
	} else if (m->full) {
		forget(m);
	} else if (m->values_full) {
		forget_values(m);
	}
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

/* At most half of a table is in use. */
static bool put(struct shk_memo_table *t, uint32_t hash, uint32_t at, uint32_t probes)
{
	if (t->used * 2 >= t->size) {
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

uint32_t shk_memo_way(const struct shk_memo *m, uint32_t at, uint32_t by)
{
	const struct shk_memo_table *t = &m->ways;
	const struct shk_memo_node *n;
	uint32_t hash;

	if (!at)
		return m->root[by];
	n = &m->node[at];
	if (two_ways(n))
		return n->to[by];
	if (n->to[0] == by)
		return n->to[1];
	if (!t->size)
		return 0;
	hash = mix(at, by);
	for (uint32_t i = hash & (t->size - 1); t->v[i].at; i = (i + 1) & (t->size - 1))
		if (t->v[i].hash == hash && m->node[t->v[i].at].from == at &&
		    m->node[t->v[i].at].by == by)
			return t->v[i].at;
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

/* ---- texts: slot, length, answers, bytes ---- */

#define HEAD 2

uint32_t *shk_memo_answers(struct shk_memo *m, uint32_t value)
{
	return m->values.p + value + HEAD;
}

static bool same(const struct shk_memo *m, uint32_t value, uint32_t slot, uint32_t n_answer,
		 struct shk_str s)
{
	const uint32_t *v = m->values.p + value;

	return v[0] == slot && v[1] == s.n && (!s.n || memcmp(v + HEAD + n_answer, s.p, s.n) == 0);
}

uint32_t shk_memo_value(struct shk_memo *m, const struct shk_slot *slot, uint32_t i, struct shk_str s,
			bool multi)
{
	struct shk_memo_table *t = &m->texts;
	uint32_t *last = &m->last[slot->answered], hash, at, *v, n = slot->n_answer;
	struct shk_memo_cell *c, *first = NULL;

	if (!multi && *last && same(m, *last, i, n, s))
		return *last;
	if (s.n > SHK_MEMO_TEXT)
		return SHK_MEMO_NONE;
	hash = shk_str_hash(s) ^ i * UINT32_C(0x9e3779b1);
	for (uint32_t k = 0, x = hash; t->size && k < PROBES; k++, x++) {
		c = &t->v[x & (t->size - 1)];
		if (!c->at)
			break;
		if (c->hash != hash)
			continue;
		if (same(m, c->at, i, n, s))
			return *last = c->at;
		if (!first)
			first = c;
	}
	at = take(&m->values, HEAD + n + (s.n + 3) / 4, SHK_MEMO_VALUES / 4);
	if (!at || (!first && !put(t, hash, at, PROBES - 1))) {
		m->values_full = true;
		return SHK_MEMO_NONE;
	}
	if (first)
		first->at = at;
	v = m->values.p + at;
	v[0] = i;
	v[1] = (uint32_t)s.n;
	memset(v + HEAD, 0, n * sizeof(*v));
	if (s.n)
		memcpy(v + HEAD + n, s.p, s.n);
	return *last = at;
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
