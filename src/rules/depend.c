// SPDX-License-Identifier: Apache-2.0
/* What a file changes: lists reach conditions as text, by any word that is the name of one, and macros by name. So
 * words lead to those in whose text they stand. To find too much costs time, to find too little would be wrong:
 * of words only hashes are kept, and of items that are gone, too. */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"
#include "rules/match.h"

#define GARBAGE_MIN ((size_t)32 << 20)

/* Room for one more element. */
static int room(void *v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *old, *p;

	if (n < *room)
		return 0;
	memcpy(&old, v, sizeof(old));
	p = reallocarray(old, more, size);
	if (!p)
		return -ENOMEM;
	memset((char *)p + *room * size, 0, (more - *room) * size);
	memcpy(v, &p, sizeof(p));
	*room = more;
	return 0;
}

static struct shk_built *built(struct shk_build *b, enum shk_unit unit, uint32_t i)
{
	return unit == SHK_UNIT_LIST  ? &b->list[i].b :
	       unit == SHK_UNIT_MACRO ? &b->macro[i].b :
					&b->rule[i].b;
}

static const struct shk_vec *table(const struct shk_build *b, enum shk_unit unit)
{
	const struct shk_tables *t = &b->l->t;

	return unit == SHK_UNIT_LIST ? &t->lists : unit == SHK_UNIT_MACRO ? &t->macros : &t->rules;
}

static size_t *count(struct shk_build *b, enum shk_unit unit)
{
	return unit == SHK_UNIT_LIST ? &b->n_list : unit == SHK_UNIT_MACRO ? &b->n_macro : &b->n_rule;
}

int shk_depend_dirty(struct shk_build *b, enum shk_unit unit, uint32_t index)
{
	struct shk_built *u = built(b, unit, index);

	if (unit == SHK_UNIT_LIST)
		b->list[index].l = b->l->t.lists.p[index];
	else if (unit == SHK_UNIT_MACRO)
		b->macro[index].m = b->l->t.macros.p[index];
	if (u->dirty)
		return 0;
	if (room(&b->todo[unit], b->n_todo[unit], &b->room_todo[unit], sizeof(uint32_t)) < 0)
		return -ENOMEM;
	b->todo[unit][b->n_todo[unit]++] = index;
	u->dirty = true;
	return 0;
}

/* ---- what units use ---- */

int shk_build_use(struct shk_build *b, enum shk_unit unit, uint32_t index)
{
	if (room(&b->uses, b->n_uses, &b->room_uses, sizeof(*b->uses)) < 0)
		return -ENOMEM;
	b->uses[b->n_uses++] = index * 2 + (unit == SHK_UNIT_MACRO);
	return 0;
}

static uint32_t *used(struct shk_build *b, uint32_t use)
{
	return use & 1 ? &b->macro[use >> 1].used : &b->list[use >> 1].used;
}

static void drop_uses(struct shk_build *b, struct shk_built *u)
{
	for (uint32_t i = 0; i < u->uses.n; i++)
		--*used(b, u->uses.v[i]);
	u->uses = (struct shk_uses){ 0 };
}

static int by_number(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a > b) - (a < b);
}

/* ---- the index of words ---- */

static int add_link(struct shk_build *b, uint32_t hash, enum shk_unit unit, uint32_t index)
{
	uint32_t *head = &b->head[hash & (b->n_head - 1)];

	if (*head && b->link[*head - 1].hash == hash && b->link[*head - 1].unit == index * SHK_UNIT_N + unit)
		return 0;
	if (b->n_link >= UINT32_MAX - 1 || room(&b->link, b->n_link, &b->room_link, sizeof(*b->link)) < 0)
		return -ENOMEM;
	b->link[b->n_link++] = (struct shk_word_link){ hash, index * SHK_UNIT_N + unit, *head };
	*head = (uint32_t)b->n_link;
	return 0;
}

static uint32_t macro_hash(struct shk_str name)
{
	return shk_str_hash(name) * UINT32_C(0x9e3779b1) + 1;
}

static int add_words(struct shk_build *b, struct shk_str s, enum shk_unit unit, uint32_t index)
{
	size_t start = 0;
	int r = 0;

	for (size_t i = 0; i <= s.n && r >= 0; i++) {
		if (i < s.n && !shk_list_edge(s.p[i]))
			continue;
		if (i > start)
			r = add_link(b, shk_str_hash((struct shk_str){ s.p + start, i - start }), unit, index);
		start = i + 1;
	}
	return r;
}

/* A list that was appended to has new words behind the old ones. */
static int learn_list(struct shk_build *b, const struct shk_list *old, const struct shk_list *l)
{
	size_t from = 0;
	int r = 0;

	if (old && old->n && old->n <= l->n && old->item[old->n - 1].p == l->item[old->n - 1].p)
		from = old->n;
	for (size_t i = from; i < l->n && r >= 0; i++) {
		r = add_words(b, l->item[i], SHK_UNIT_LIST, l->h.index);
		if (r >= 0) /* with blanks in it */
			r = add_link(b, shk_str_hash(l->item[i]), SHK_UNIT_LIST, l->h.index);
	}
	return r;
}

static int learn_rule(struct shk_build *b, const struct shk_rule *rule)
{
	struct shk_arena a;
	struct shk_text t;
	int r;

	shk_arena_init(&a, SHK_RULE_TREE_MAX);
	r = shk_build_exceptions(&a, rule, &t);
	if (r >= 0)
		r = add_words(b, t.s, SHK_UNIT_RULE, rule->h.index);
	shk_arena_done(&a);
	return r;
}

static int learn(struct shk_build *b, enum shk_unit unit, uint32_t index)
{
	struct shk_built *u = built(b, unit, index);
	const struct shk_item *rec = table(b, unit)->p[index];
	int r = 0;

	for (uint32_t i = 0; i < u->uses.n && r >= 0; i++)
		if (u->uses.v[i] & 1)
			r = add_link(b, macro_hash(b->macro[u->uses.v[i] >> 1].m->h.name), unit, index);
	if (u->known == rec || r < 0)
		return r;
	if (unit == SHK_UNIT_LIST)
		r = learn_list(b, (const struct shk_list *)u->known, (const struct shk_list *)rec);
	else if (unit == SHK_UNIT_MACRO)
		r = add_words(b, ((const struct shk_macro *)rec)->cond.s, unit, index);
	else
		r = learn_rule(b, (const struct shk_rule *)rec);
	if (r >= 0)
		u->known = rec;
	return r;
}

/* All from scratch: when a second file makes the index worth having, or too much in it is old. */
static int make_index(struct shk_build *b)
{
	size_t units = b->n_list + b->n_macro + b->n_rule;
	uint32_t n = 1024;
	int r = 0;

	while (n < units * 4 && n < UINT32_C(1) << 28)
		n *= 2;
	free(b->head);
	b->n_link = b->n_link_fresh = 0;
	b->n_head = n;
	b->head = calloc(n, sizeof(*b->head));
	b->indexed = b->head;
	if (!b->head)
		return -ENOMEM;
	for (unsigned unit = 0; unit < SHK_UNIT_N; unit++)
		for (uint32_t i = 0; i < *count(b, (enum shk_unit)unit) && r >= 0; i++) {
			built(b, (enum shk_unit)unit, i)->known = NULL;
			if (!built(b, (enum shk_unit)unit, i)->dirty)
				r = learn(b, (enum shk_unit)unit, i);
		}
	b->n_link_fresh = b->n_link;
	return r;
}

void shk_build_begin(struct shk_build *b)
{
	b->n_uses = 0;
	b->said = (struct shk_vec){ 0 };
}

int shk_build_end(struct shk_build *b, enum shk_unit unit, uint32_t index)
{
	struct shk_built *u = built(b, unit, index);
	uint32_t *v, n = 0;

	if (b->n_uses)
		qsort(b->uses, b->n_uses, sizeof(*b->uses), by_number);
	for (size_t i = 0; i < b->n_uses; i++)
		if (!n || b->uses[n - 1] != b->uses[i])
			b->uses[n++] = b->uses[i];
	v = SHK_ARENA_ARRAY(&b->a, uint32_t, n);
	if (!v)
		return -ENOMEM;
	if (n)
		memcpy(v, b->uses, n * sizeof(*v));
	drop_uses(b, u);
	u->uses = (struct shk_uses){ v, n };
	for (uint32_t i = 0; i < n; i++)
		++*used(b, v[i]);
	return b->indexed ? learn(b, unit, index) : 0;
}

/* ---- what a file concerns ---- */

static int place(struct shk_build *b, enum shk_unit unit)
{
	const struct shk_vec *t = table(b, unit);
	size_t *n = count(b, unit), kept = 0;
	int r = 0;

	for (size_t i = t->n; i < *n; i++) { /* of a file that was undone */
		drop_uses(b, built(b, unit, (uint32_t)i));
		built(b, unit, (uint32_t)i)->dirty = false;
		if (unit == SHK_UNIT_LIST) {
			b->n_odd -= b->list[i].odd_name;
			free((char *)(uintptr_t)b->list[i].joined.p);
			b->list[i].joined = (struct shk_str){ 0 };
		}
	}
	*n = SHK_MIN(*n, t->n);
	for (size_t i = 0; i < b->n_todo[unit]; i++) {
		uint32_t at = b->todo[unit][i];

		if (at >= t->n)
			continue;
		b->todo[unit][kept++] = at;
		r = shk_depend_dirty(b, unit, at); /* its record may be another one */
	}
	b->n_todo[unit] = kept;
	while (*n < t->n && r >= 0) {
		uint32_t i = (uint32_t)*n;

		if (unit == SHK_UNIT_LIST)
			r = room(&b->list, *n, &b->room_list, sizeof(*b->list));
		else if (unit == SHK_UNIT_MACRO)
			r = room(&b->macro, *n, &b->room_macro, sizeof(*b->macro));
		else
			r = room(&b->rule, *n, &b->room_rule, sizeof(*b->rule));
		if (r < 0)
			break;
		++*n;
		if (unit == SHK_UNIT_LIST) {
			const struct shk_str name = ((const struct shk_item *)t->p[i])->name;

			b->list[i] = (struct shk_build_list){ 0 };
			for (size_t k = 0; k < name.n && !b->list[i].odd_name; k++)
				b->list[i].odd_name = shk_list_edge(name.p[k]);
			b->n_odd += b->list[i].odd_name;
		} else if (unit == SHK_UNIT_MACRO) {
			b->macro[i] = (struct shk_build_macro){ 0 };
		} else {
			b->rule[i] = (struct shk_build_rule){ 0 };
		}
		r = shk_depend_dirty(b, unit, i);
	}
	return r;
}

static int all_dirty(struct shk_build *b)
{
	int r = 0;

	for (unsigned unit = 0; unit < SHK_UNIT_N; unit++)
		for (uint32_t i = 0; i < *count(b, (enum shk_unit)unit) && r >= 0; i++)
			r = shk_depend_dirty(b, (enum shk_unit)unit, i);
	return r;
}

/* What is no longer in use takes more than what is: all anew. */
static int collect_garbage(struct shk_build *b)
{
	if (!b->full && (b->a.used < GARBAGE_MIN || b->a.used / 4 < b->a_fresh))
		return 0;
	b->full = false;
	for (unsigned unit = 0; unit < SHK_UNIT_N; unit++)
		for (uint32_t i = 0; i < *count(b, (enum shk_unit)unit); i++)
			built(b, (enum shk_unit)unit, i)->uses = (struct shk_uses){ 0 };
	for (size_t i = 0; i < b->n_list; i++)
		b->list[i].used = 0;
	for (size_t i = 0; i < b->n_macro; i++)
		b->macro[i].used = 0;
	shk_arena_done(&b->a);
	return all_dirty(b);
}

/* Those in whose text a word of this hash stands. */
static int follow(struct shk_build *b, uint32_t hash)
{
	int r = 0;

	for (uint32_t i = b->head[hash & (b->n_head - 1)]; i && r >= 0; i = b->link[i - 1].next) {
		enum shk_unit unit = (enum shk_unit)(b->link[i - 1].unit % SHK_UNIT_N);
		uint32_t index = b->link[i - 1].unit / SHK_UNIT_N;

		if (b->link[i - 1].hash == hash && index < *count(b, unit))
			r = shk_depend_dirty(b, unit, index);
	}
	return r;
}

static int spread(struct shk_build *b)
{
	int r = 0;

	if (!b->n_todo[SHK_UNIT_LIST] && !b->n_todo[SHK_UNIT_MACRO])
		return 0;
	if (b->n_todo[SHK_UNIT_LIST] && b->n_odd)
		return all_dirty(b);
	if (!b->indexed || b->n_link / 4 > b->n_link_fresh + (1u << 16))
		r = make_index(b);
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_LIST] && r >= 0; i++)
		r = follow(b, shk_str_hash(b->list[b->todo[SHK_UNIT_LIST][i]].l->h.name));
	for (size_t i = 0; i < b->n_todo[SHK_UNIT_MACRO] && r >= 0; i++)
		r = follow(b, macro_hash(b->macro[b->todo[SHK_UNIT_MACRO][i]].m->h.name));
	return r;
}

int shk_depend_mark(struct shk_build *b)
{
	const struct shk_loader *l = b->l;
	size_t units, dirty = 0;
	int r = 0;

	for (unsigned unit = 0; unit < SHK_UNIT_N && r >= 0; unit++)
		r = place(b, (enum shk_unit)unit);
	for (size_t i = 0; i < l->n_change && r >= 0; i++)
		if (l->change[i].index < *count(b, l->change[i].unit))
			r = shk_depend_dirty(b, l->change[i].unit, l->change[i].index);
	if (r >= 0)
		r = collect_garbage(b);
	units = b->n_list + b->n_macro + b->n_rule;
	for (unsigned unit = 0; unit < SHK_UNIT_N; unit++)
		dirty += b->n_todo[unit];
	if (r >= 0 && dirty < units)
		r = spread(b);
	for (unsigned unit = 0; unit < SHK_UNIT_N && r >= 0; unit++)
		if (b->n_todo[unit])
			qsort(b->todo[unit], b->n_todo[unit], sizeof(uint32_t), by_number);
	return r;
}
