// SPDX-License-Identifier: Apache-2.0
/* From the graph to the steps of one program. */
#include "rules/code.h"

#include <errno.h>
#include <stdlib.h>

#define NO_LABEL    UINT32_MAX
#define SET_TMP_MAX ((size_t)512 << 20)

/* Room for one more element. */
bool shk_code_room(struct shk_code *k, void *v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *old, *p;

	if (n < *room)
		return true;
	memcpy(&old, v, sizeof(old));
	p = reallocarray(old, more, size);
	if (!p) {
		k->failed = true;
		return false;
	}
	memcpy(v, &p, sizeof(p));
	*room = more;
	return true;
}

uint32_t shk_code_label(struct shk_code *k)
{
	if (!shk_code_room(k, &k->label, k->n_label, &k->room_label, sizeof(*k->label)))
		return 0;
	k->label[k->n_label] = 0;
	return (uint32_t)k->n_label++;
}

void shk_code_place(struct shk_code *k, uint32_t label)
{
	if (!k->failed)
		k->label[label] = (uint32_t)k->n_step;
}

void shk_code_step(struct shk_code *k, struct shk_step s)
{
	if (k->bounded && k->c->steps + k->n_step >= SHK_STEPS_MAX)
		k->failed = k->too_big = true;
	if (k->failed || !shk_code_room(k, &k->step, k->n_step, &k->room_step, sizeof(s)))
		return;
	k->step[k->n_step++] = s;
}

uint8_t shk_code_fold(const struct shk_code *k, shk_ref r)
{
	uint8_t f = k->c->fold[r >> 1];

	if (f == SHK_FOLD_OPEN || !(r & 1))
		return f;
	return f == SHK_FOLD_YES ? SHK_FOLD_NO : SHK_FOLD_YES;
}

static uint32_t keep(struct shk_code *k, uint32_t *of)
{
	if (!*of)
		*of = ++k->n_keep;
	return *of - 1;
}

float shk_code_price(const struct shk_code *k, shk_ref r, bool deciding)
{
	const struct shk_guess *g = &k->c->guess[r >> 1];
	float p = deciding != (r & 1) ? g->yes : 1 - g->yes;

	return g->cost / SHK_MAX(p, 0.001f);
}

/* The parts of a node, the best one to look at first in front; those known are left out. */
static shk_ref *sorted(struct shk_code *k, const struct shk_node *n, uint32_t *ret_n)
{
	bool is_or = n->kind == SHK_NODE_OR;
	shk_ref *v = SHK_ARENA_ARRAY(&k->tmp, shk_ref, n->n);
	uint32_t m = 0;

	for (uint32_t i = 0; v && i < n->n; i++) {
		shk_ref e = k->c->rs->edge[n->first + i];
		uint32_t j = m;

		if (shk_code_fold(k, e) != SHK_FOLD_OPEN)
			continue;
		/* Long ones are lists of constants written with `or`: alike, and sorted by cost already. */
		for (; j > 0 && m < 256 &&
		       shk_code_price(k, v[j - 1], is_or) > shk_code_price(k, e, is_or); j--)
			v[j] = v[j - 1];
		v[j] = e;
		m++;
	}
	k->failed |= !v;
	*ret_n = v ? m : 0;
	return v;
}

/* The bit that makes the part `decides` when it is set. NULL: there is none. */
static const struct shk_test *bit_test(const struct shk_code *k, shk_ref r, bool decides)
{
	const struct shk_node *n = &k->c->rs->node[r >> 1];
	const struct shk_test *t;

	if (n->kind != SHK_NODE_TEST || decides == (r & 1))
		return NULL;
	t = &k->c->rs->test[n->first];
	return t->group == UINT32_MAX ? NULL : t;
}

/* Bits of one group close to each other are looked at in one step. false: nothing gained. */
static bool any_step(struct shk_code *k, shk_ref *part, uint32_t *n, bool decides,
		     struct shk_step *s)
{
	const struct shk_test *t = bit_test(k, part[0], decides), *o;
	uint32_t least = UINT32_MAX, most = 0, bits = 0, rest = 0, word;
	size_t at = k->n_mask;

	for (uint32_t i = 0; t && i < *n; i++) {
		o = bit_test(k, part[i], decides);
		if (!o || o->group != t->group)
			continue;
		bits++;
		least = SHK_MIN(least, o->bit / 64);
		most = SHK_MAX(most, o->bit / 64);
	}
	if (bits < 2 || most - least + 1 > bits || most - least >= UINT16_MAX)
		return false;
	for (uint32_t w = least; w <= most + 1; w++) {
		if (!shk_code_room(k, &k->mask, k->n_mask, &k->room_mask, sizeof(*k->mask)))
			return false;
		k->mask[k->n_mask++] = 0;
	}
	word = k->c->rs->group[t->group].word + least;
	k->mask[at] = word;
	for (uint32_t i = 0; i < *n; i++) {
		o = bit_test(k, part[i], decides);
		if (o && o->group == t->group)
			k->mask[at + 1 + o->bit / 64 - least] |= UINT64_C(1) << o->bit % 64;
		else
			part[rest++] = part[i];
	}
	*n = rest;
	*s = (struct shk_step){ .op = SHK_DO_ANY, .n_word = (uint16_t)(most - least + 1),
				.a = (uint32_t)at, .b = t->group };
	return true;
}

/* Goes to `yes` when the first part, or one of those like it, is `decides`. If that was the last one,
 * goes to `no` otherwise, where NO_LABEL means on. */
static void first_jump(struct shk_code *k, shk_ref *part, uint32_t *n, bool decides, uint32_t yes,
		       uint32_t no)
{
	struct shk_step s;

	if (any_step(k, part, n, decides, &s)) {
		s.when = *n || no == NO_LABEL;
		s.to = s.when ? yes : no;
		shk_code_step(k, s);
		return;
	}
	if (k->failed)
		return;
	--*n;
	if (!*n && no != NO_LABEL)
		shk_code_jump(k, part[0], !decides, no);
	else
		shk_code_jump(k, part[0], decides, yes);
	memmove(part, part + 1, *n * sizeof(*part));
}

void shk_code_first(struct shk_code *k, shk_ref *part, uint32_t *n, bool decides, uint32_t label)
{
	first_jump(k, part, n, decides, label, NO_LABEL);
}

/* Depth is that of the graph. want: of the node itself. */
static void group_jump(struct shk_code *k, const struct shk_node *n, bool want, uint32_t label)
{
	bool decides = n->kind == SHK_NODE_OR;
	uint32_t m, on;
	shk_ref *v = sorted(k, n, &m);

	if (want == decides) {
		while (m && !k->failed)
			first_jump(k, v, &m, decides, label, NO_LABEL);
		return;
	}
	on = shk_code_label(k);
	while (m && !k->failed)
		first_jump(k, v, &m, decides, on, label);
	shk_code_place(k, on);
}

static void test_jump(struct shk_code *k, uint32_t test, bool want, uint32_t label)
{
	const struct shk_test *t = &k->c->rs->test[test];
	struct shk_step s = { .when = want, .to = label };

	if (t->group != UINT32_MAX) {
		s.op = SHK_DO_BIT;
		s.a = k->c->rs->group[t->group].word * 64 + t->bit;
		s.b = t->group;
	} else {
		s.op = SHK_DO_TEST;
		s.a = keep(k, &k->keep_test[test]);
		s.b = test;
	}
	shk_code_step(k, s);
}

void shk_code_jump(struct shk_code *k, shk_ref part, bool want, uint32_t label)
{
	uint32_t i = part >> 1;
	const struct shk_node *n = &k->c->rs->node[i];
	uint8_t fold = shk_code_fold(k, part);

	if (k->failed)
		return;
	if (fold != SHK_FOLD_OPEN) {
		if ((fold == SHK_FOLD_YES) == want)
			shk_code_step(k, (struct shk_step){ .op = SHK_DO_JUMP, .to = label });
		return;
	}
	want ^= part & 1;
	if (n->kind == SHK_NODE_TEST) {
		test_jump(k, n->first, want, label);
	} else if (!k->c->shared[i]) {
		group_jump(k, n, want, label);
	} else {
		if (!k->part_label[i]) {
			k->part_label[i] = shk_code_label(k) + 1;
			if (!shk_code_room(k, &k->part, k->n_part, &k->room_part, sizeof(*k->part)))
				return;
			k->part[k->n_part++] = i;
		}
		shk_code_step(k, (struct shk_step){ .op = SHK_DO_PART, .when = want,
						    .a = keep(k, &k->keep_node[i]),
						    .b = k->part_label[i] - 1, .to = label });
	}
}

static void subroutine(struct shk_code *k, uint32_t i)
{
	const struct shk_node *n = &k->c->rs->node[i];
	uint32_t yes = shk_code_label(k), a = keep(k, &k->keep_node[i]);

	if (k->failed)
		return;
	shk_code_place(k, k->part_label[i] - 1);
	group_jump(k, n, true, yes);
	shk_code_step(k, (struct shk_step){ .op = SHK_DO_RETURN, .when = false, .a = a });
	shk_code_place(k, yes);
	shk_code_step(k, (struct shk_step){ .op = SHK_DO_RETURN, .when = true, .a = a });
}

/* The parts of a rule: ANDs within ANDs are one. mark: per edge, seen already. */
static void flatten(struct shk_code *k, shk_ref r, struct shk_item *it, uint32_t *mark)
{
	const struct shk_node *n = &k->c->rs->node[r >> 1];

	if (shk_code_fold(k, r) == SHK_FOLD_YES || mark[r])
		return;
	mark[r] = 1;
	it->part[it->n++] = r;
	if (n->kind != (r & 1 ? SHK_NODE_OR : SHK_NODE_AND))
		return;
	it->n--;
	for (uint32_t i = 0; i < n->n; i++)
		flatten(k, k->c->rs->edge[n->first + i] ^ (r & 1), it, mark);
}

static void unmark(struct shk_code *k, shk_ref r, uint32_t *mark)
{
	const struct shk_node *n = &k->c->rs->node[r >> 1];

	if (!mark[r])
		return;
	mark[r] = 0;
	if (n->kind != SHK_NODE_TEST)
		for (uint32_t i = 0; i < n->n; i++)
			unmark(k, k->c->rs->edge[n->first + i] ^ (r & 1), mark);
}

/* An upper limit of the number of parts. */
static size_t count_parts(struct shk_code *k, shk_ref r, uint32_t *mark)
{
	const struct shk_node *n = &k->c->rs->node[r >> 1];
	size_t sum = 1;

	if (mark[r])
		return 0;
	mark[r] = 1;
	if (n->kind == (r & 1 ? SHK_NODE_OR : SHK_NODE_AND))
		for (uint32_t i = 0; i < n->n; i++)
			sum += count_parts(k, k->c->rs->edge[n->first + i] ^ (r & 1), mark);
	return sum;
}

static bool make_item(struct shk_code *k, shk_ref root, struct shk_item *it)
{
	size_t n = count_parts(k, root, k->count);

	unmark(k, root, k->count);
	it->part = SHK_ARENA_ARRAY(&k->tmp, shk_ref, n);
	if (!it->part)
		return false;
	flatten(k, root, it, k->count);
	unmark(k, root, k->count);
	return true;
}

static void all_steps(struct shk_code *k, const struct shk_entries *list)
{
	struct shk_item *item = SHK_ARENA_ARRAY(&k->tmp, struct shk_item, list->n);
	size_t n = 0;

	for (size_t i = 0; item && i < list->n; i++) {
		if (shk_code_fold(k, list->v[i].root) == SHK_FOLD_NO)
			continue;
		item[n].entry = (uint32_t)i;
		k->failed |= !make_item(k, list->v[i].root, &item[n++]);
	}
	k->failed |= !item;
	if (k->failed)
		return;
	shk_code_set(k, item, n, 0);
	shk_code_step(k, (struct shk_step){ .op = SHK_DO_END });
	for (size_t b = 0; b < k->n_block && !k->failed; b++) {
		struct shk_block block = k->block[b];

		shk_code_place(k, block.label);
		shk_code_set(k, block.item, block.n, block.depth);
		shk_code_step(k, (struct shk_step){ .op = SHK_DO_END });
	}
	for (size_t p = 0; p < k->n_part && !k->failed; p++)
		subroutine(k, k->part[p]);
}

static void resolve_labels(struct shk_code *k)
{
	for (size_t i = 0; i < k->n_step; i++) {
		struct shk_step *s = &k->step[i];

		if (s->op == SHK_DO_PART)
			s->b = k->label[s->b];
		if (s->op == SHK_DO_TEST || s->op == SHK_DO_BIT || s->op == SHK_DO_PART ||
		    s->op == SHK_DO_ANY || s->op == SHK_DO_JUMP)
			s->to = k->label[s->to];
	}
}

static int finish(struct shk_code *k, const struct shk_entries *list, struct shk_program *ret)
{
	struct shk_arena *a = &k->c->rs->arena;
	struct shk_step *step = SHK_ARENA_ARRAY(a, struct shk_step, k->n_step);
	struct shk_spread *spread = SHK_ARENA_ARRAY(a, struct shk_spread, k->n_spread);
	uint32_t *block = SHK_ARENA_ARRAY(a, uint32_t, k->n_block);
	uint32_t *rule = SHK_ARENA_ARRAY(a, uint32_t, list->n);
	uint64_t *mask = SHK_ARENA_ARRAY(a, uint64_t, k->n_mask);

	if (!mask || !step || !spread || !block || !rule)
		return -ENOMEM;
	resolve_labels(k);
	memcpy(step, k->step, k->n_step * sizeof(*step));
	if (k->n_spread)
		memcpy(spread, k->spread, k->n_spread * sizeof(*spread));
	if (k->n_mask)
		memcpy(mask, k->mask, k->n_mask * sizeof(*mask));
	for (size_t i = 0; i < k->n_block; i++)
		block[i] = k->label[k->block[i].label];
	for (size_t i = 0; i < list->n; i++)
		rule[i] = list->v[i].rule;
	*ret = (struct shk_program){ .step = step, .n_step = (uint32_t)k->n_step, .spread = spread,
				     .n_spread = (uint32_t)k->n_spread, .mask = mask,
				     .n_mask = (uint32_t)k->n_mask, .block = block,
				     .n_block = (uint32_t)k->n_block, .n_keep = k->n_keep,
				     .rule = rule, .n_rule = (uint32_t)list->n };
	k->c->steps += k->n_step;
	return 0;
}

int shk_code(struct shk_coder *c, const struct shk_entries *list, bool bounded,
	     struct shk_program *ret)
{
	struct shk_code k = { .c = c, .bounded = bounded };
	int r;

	shk_arena_init(&k.tmp, SET_TMP_MAX);
	k.keep_test = calloc(c->rs->n_test + 1, sizeof(uint32_t));
	k.keep_node = calloc(c->rs->n_node + 1, sizeof(uint32_t));
	k.part_label = calloc(c->rs->n_node + 1, sizeof(uint32_t));
	k.count = calloc(c->rs->n_node + 1, 2 * sizeof(uint32_t));
	k.count_group = calloc(c->rs->n_group + 1, sizeof(uint32_t));
	k.failed = !k.count_group || !k.keep_test || !k.keep_node || !k.part_label || !k.count;
	if (!k.failed)
		all_steps(&k, list);
	r = k.too_big ? -E2BIG : k.failed ? -ENOMEM : finish(&k, list, ret);
	free(k.step);
	free(k.label);
	free(k.keep_test);
	free(k.keep_node);
	free(k.part_label);
	free(k.part);
	free(k.block);
	free(k.spread);
	free(k.mask);
	free(k.count);
	free(k.count_group);
	shk_arena_done(&k.tmp);
	return r;
}
