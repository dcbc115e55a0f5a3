// SPDX-License-Identifier: Apache-2.0
/* An event's way through what is known of earlier ones. */
#include "rules/memo.h"

/* The text of a slot, looked up once per event. */
static uint32_t value_of(struct shk_run *run, uint32_t slot, struct shk_str s)
{
	struct shk_memo_run *mr = &run->memo;
	const struct shk_slot *def = &run->slots.slot[slot];
	uint32_t *value = &mr->value[def->answered];

	if (!*value)
		*value = shk_memo_value(mr->m, def, slot, s, false);
	return *value;
}

/* What came of memory that ran out, or of a regex that gave up, is not kept. */
static bool holds(struct shk_run *run, uint32_t test, bool *sure)
{
	bool yes;

	run->gave_up = false;
	yes = shk_test_holds(run, &run->rs->test[test]);
	*sure = !run->gave_up && !run->slots.ctx->ev->arena->failed;
	return yes;
}

static bool text_test(struct shk_run *run, uint32_t test)
{
	const struct shk_test *t = &run->rs->test[test];
	const struct shk_value *v = shk_slot_get(&run->slots, t->left);
	uint32_t value, *answer;
	bool yes, sure;

	if (!v)
		return false;
	if (!shk_type_is_text(v->type))
		return shk_test_holds(run, t);
	value = value_of(run, t->left, v->s);
	if (value == SHK_MEMO_NONE)
		return shk_test_holds(run, t);
	answer = &shk_memo_answers(run->memo.m, value)[t->answer];
	if (*answer)
		return *answer - 1;
	yes = holds(run, test, &sure);
	if (sure) /* nothing was added to the texts meanwhile */
		*answer = 1u + yes;
	return yes;
}

static uint32_t class_of(struct shk_run *run, uint32_t group, struct shk_str s)
{
	const struct shk_group *g = &run->rs->group[group];
	uint64_t *bits = shk_arena_alloc_raw(run->slots.ctx->ev->arena, g->n_word * sizeof(*bits));

	if (!bits)
		return 0;
	shk_group_match(g, s, bits);
	return shk_memo_class(run->memo.m, run->rs, group, bits);
}

static uint32_t kept_class(struct shk_run *run, uint32_t group, uint32_t value, struct shk_str s)
{
	uint32_t *answer, class;

	if (value == SHK_MEMO_NONE)
		return class_of(run, group, s);
	answer = &shk_memo_answers(run->memo.m, value)[run->rs->group[group].answer];
	if (*answer)
		return *answer;
	class = class_of(run, group, s);
	return *answer = class;
}

static uint32_t group_class(struct shk_run *run, uint32_t group, uint32_t slot)
{
	const struct shk_value *v = shk_slot_get(&run->slots, slot);

	if (!v || !shk_type_is_text(v->type))
		return SHK_CLASS_MISSING;
	return kept_class(run, group, value_of(run, slot, v->s), v->s);
}

static uint32_t candidate_class(struct shk_run *run, uint32_t group, uint32_t slot, uint32_t k)
{
	const struct shk_slot *def = &run->slots.slot[slot];
	struct shk_value one = { .type = def->ref.type };

	if (k >= SHK_CANDIDATES_MAX || !def->ref.field->multi(run->slots.ctx, &def->ref, k, &one))
		return SHK_CLASS_END;
	if (!shk_type_is_text(one.type))
		return SHK_CLASS_MISSING;
	return kept_class(run, group, shk_memo_value(run->memo.m, def, slot, one.s, true), one.s);
}

static uint32_t ask(struct shk_run *run, const struct shk_memo_node *n)
{
	const struct shk_value *v;

	switch ((enum shk_memo_kind)n->kind) {
	case SHK_MEMO_BOOL:
		v = shk_slot_get(&run->slots, n->slot);
		return v && v->type == SHK_T_BOOL && v->b == n->want;
	case SHK_MEMO_TEST:
		return shk_test_holds(run, &run->rs->test[n->id]);
	case SHK_MEMO_TEXT_TEST:
		return text_test(run, n->id);
	case SHK_MEMO_GROUP:
		return group_class(run, n->id, n->slot);
	case SHK_MEMO_MULTI:
		return candidate_class(run, n->id, n->slot, n->aux);
	default:
		return 0;
	}
}

const struct shk_memo_node *shk_memo_walk(struct shk_run *run)
{
	struct shk_memo_run *mr = &run->memo;
	const struct shk_memo *m = mr->m;
	uint32_t to;

	mr->at = 0;
	mr->by = mr->p->number;
	while ((to = shk_memo_way(m, mr->at, mr->by))) {
		const struct shk_memo_node *n = &m->node[to];

		if (n->kind == SHK_MEMO_LEAF)
			return n;
		mr->at = to;
		mr->by = ask(run, n);
		if (n->kind >= SHK_MEMO_GROUP && !mr->by) { /* no room for its class */
			mr->by = n->from ? n->by : mr->p->number;
			mr->at = n->from;
			mr->lost = true;
			break;
		}
	}
	return NULL;
}

void shk_memo_seed(struct shk_run *run)
{
	const struct shk_memo *m = run->memo.m;
	uint32_t by = run->memo.by;

	for (uint32_t at = run->memo.at; at; by = m->node[at].by, at = m->node[at].from) {
		const struct shk_memo_node *n = &m->node[at];
		const struct shk_group *g;
		uint64_t *bits;

		if (n->kind < SHK_MEMO_GROUP) {
			run->kept[n->aux] = (uint8_t)(by + SHK_KEPT_NO);
			continue;
		}
		g = &run->rs->group[n->id];
		bits = run->bits + g->word;
		if (n->kind == SHK_MEMO_GROUP || by == SHK_CLASS_END) {
			memset(bits, 0, g->n_word * sizeof(*bits));
			run->ran[n->id] = true;
		}
		if (run->ran[n->id])
			shk_memo_class_bits(m, g, by, bits);
	}
}

/* ---- the program asks ---- */

/* The question follows the last answer. */
static void note(struct shk_run *run, struct shk_memo_node *n, uint32_t by)
{
	struct shk_memo_run *mr = &run->memo;

	if (mr->lost)
		return;
	n->from = mr->at;
	n->by = mr->by;
	mr->at = shk_memo_add(mr->m, n);
	mr->by = by;
	mr->lost = !mr->at;
}

static bool is_bool(const struct shk_run *run, const struct shk_test *t)
{
	return t->plain && (t->op == SHK_OP_EQ || t->op == SHK_OP_NE) && t->c->v.type == SHK_T_BOOL &&
	       run->slots.slot[t->left].type == SHK_T_BOOL;
}

bool shk_memo_test(struct shk_run *run, uint32_t test, uint32_t keep)
{
	const struct shk_test *t = &run->rs->test[test];
	struct shk_memo_node n = { .kind = SHK_MEMO_TEST, .slot = t->left, .id = test, .aux = keep };
	bool yes;

	if (is_bool(run, t)) {
		n.kind = SHK_MEMO_BOOL;
		n.want = t->c->v.b == (t->op == SHK_OP_EQ);
	} else if (t->answer != SHK_NO_ANSWER) {
		n.kind = SHK_MEMO_TEXT_TEST;
		n.answer = t->answer;
	}
	yes = ask(run, &n);
	note(run, &n, yes);
	return yes;
}

/* Candidates met on the way already are not noted again. */
static bool ask_candidates(struct shk_run *run, struct shk_memo_node *n, uint64_t *bits)
{
	const struct shk_group *g = &run->rs->group[n->id];
	const struct shk_memo_node *at = run->memo.at ? &run->memo.m->node[run->memo.at] : NULL;
	uint32_t from = 0, class;

	if (at && at->kind == SHK_MEMO_MULTI && at->id == n->id)
		from = at->aux + 1;
	memset(bits, 0, g->n_word * sizeof(*bits));
	do {
		class = ask(run, n);
		if (!class)
			return false;
		shk_memo_class_bits(run->memo.m, g, class, bits);
		if (n->aux >= from)
			note(run, n, class);
		n->aux++;
	} while (class != SHK_CLASS_END);
	return true;
}

void shk_memo_group(struct shk_run *run, uint32_t group)
{
	const struct shk_group *g = &run->rs->group[group];
	struct shk_memo_node n = { .kind = g->multi ? SHK_MEMO_MULTI : SHK_MEMO_GROUP,
				   .answer = g->answer, .slot = g->slot, .id = group };
	uint64_t *bits = run->bits + g->word;
	uint32_t class;

	run->ran[group] = true;
	if (g->multi) {
		if (ask_candidates(run, &n, bits))
			return;
	} else {
		class = ask(run, &n);
		if (class) {
			memset(bits, 0, g->n_word * sizeof(*bits));
			shk_memo_class_bits(run->memo.m, g, class, bits);
			note(run, &n, class);
			return;
		}
	}
	run->memo.lost = true;
	shk_group_run(run, group);
}

void shk_memo_end(struct shk_run *run, const uint64_t *hit)
{
	struct shk_memo_run *mr = &run->memo;
	struct shk_memo_node leaf = { .kind = SHK_MEMO_LEAF, .id = mr->m->rules.n };

	if (mr->lost)
		return;
	for (uint32_t i = 0; i < mr->p->n_rule; i++) {
		if (!(hit[i / 64] >> i % 64 & 1))
			continue;
		if (!shk_memo_add_rule(mr->m, mr->p->rule[i]))
			return;
		leaf.aux++;
	}
	note(run, &leaf, 0);
}
