// SPDX-License-Identifier: Apache-2.0
/* An event's way through what is known of earlier ones. */
#include "rules/memo.h"

#define LOG_MAX 512 /* questions of an event; one that has more is not remembered */

/* Of a slot that is a field. NULL: missing. */
static inline const struct shk_value *field_of(struct shk_run *run, uint32_t slot)
{
	struct shk_value *v = &run->slots.val[slot];
	uint8_t *state = &run->slots.state[slot];

	if (*state == SHK_SLOT_UNKNOWN) {
		const struct shk_field_ref *ref = &run->slots.slot[slot].ref;

		*state = shk_field_get(run->slots.ctx, ref, v) ? SHK_SLOT_OK : SHK_SLOT_MISSING;
	}
	return *state == SHK_SLOT_OK ? v : NULL;
}

/* Of a slot with answers. NULL: missing, or no text. */
static inline const struct shk_value *text_of(struct shk_run *run, const struct shk_memo_slot *ms)
{
	struct shk_value *v = &run->slots.val[ms->slot];
	uint8_t *state = &run->slots.state[ms->slot];

	if (*state == SHK_SLOT_UNKNOWN) {
		if (!ms->ref)
			(void)shk_slot_fill(&run->slots, ms->slot);
		else if (shk_field_get(run->slots.ctx, ms->ref, v))
			*state = SHK_SLOT_OK;
		else
			*state = SHK_SLOT_MISSING;
	}
	return *state == SHK_SLOT_OK && shk_type_is_text(v->type) ? v : NULL;
}

static __attribute__((noinline)) uint32_t look_up(struct shk_memo *m, struct shk_memo_slot *ms, struct shk_str s)
{
	uint32_t hash = shk_memo_hash(s, ms->slot);
	const struct shk_memo_cell *c = &m->texts.v[hash & (m->texts.size - 1)];

	if (c->hash == hash && c->at && shk_memo_same(m, c->at, ms, s))
		return ms->last = c->at;
	return shk_memo_value(m, ms, s, hash);
}

static inline __attribute__((always_inline)) uint32_t place_of(struct shk_memo *m, struct shk_memo_slot *ms, struct shk_str s)
{
	if (ms->last && shk_memo_same(m, ms->last, ms, s))
		return ms->last;
	return look_up(m, ms, s);
}

/* The place of the text of a slot, looked up once per event. 0: there is none. */
static inline __attribute__((always_inline)) uint32_t place(struct shk_run *run, uint32_t answered)
{
	uint32_t *at = &run->memo.value[answered];

	if (!*at) {
		struct shk_memo_slot *ms = &run->memo.m->slot[answered];
		const struct shk_value *v = text_of(run, ms);

		if (v)
			*at = place_of(run->memo.m, ms, v->s);
	}
	return *at;
}

static inline uint32_t *answer_at(struct shk_run *run, uint32_t place, uint32_t answer)
{
	return &run->memo.m->values.p[place + SHK_MEMO_HEAD + answer];
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

/* Not known of this text yet. */
static __attribute__((noinline)) bool text_test(struct shk_run *run, const struct shk_memo_node *n, uint32_t at)
{
	bool yes, sure;

	if (!at || at == SHK_MEMO_NONE)
		return shk_test_holds(run, &run->rs->test[n->id]);
	yes = holds(run, n->id, &sure);
	if (sure)
		*answer_at(run, at, n->answer) = 1u + yes;
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

static __attribute__((noinline)) uint32_t kept_class(struct shk_run *run, const struct shk_memo_node *n, uint32_t at, struct shk_str s)
{
	uint32_t class = class_of(run, n->id, s);

	if (at != SHK_MEMO_NONE)
		*answer_at(run, at, n->answer) = class;
	return class;
}

static __attribute__((noinline)) uint32_t candidate_class(struct shk_run *run, const struct shk_memo_node *n)
{
	const struct shk_slot *def = &run->slots.slot[n->slot];
	struct shk_value one = { .type = def->ref.type };
	uint32_t at, class;

	if (n->aux >= SHK_CANDIDATES_MAX ||
	    !def->ref.field->multi(run->slots.ctx, &def->ref, n->aux, &one))
		return SHK_CLASS_END;
	if (!shk_type_is_text(one.type))
		return SHK_CLASS_MISSING;
	at = place_of(run->memo.m, &run->memo.m->slot[n->answered], one.s);
	class = at == SHK_MEMO_NONE ? 0 : *answer_at(run, at, n->answer);
	return class ? class : kept_class(run, n, at, one.s);
}

static inline __attribute__((always_inline)) uint32_t ask_now(struct shk_run *run, const struct shk_memo_node *n)
{
	const struct shk_value *v;
	uint32_t at, answer;

	switch ((enum shk_memo_kind)n->kind) {
	case SHK_MEMO_BOOL:
		v = n->answer ? field_of(run, n->slot) : shk_slot_get(&run->slots, n->slot);
		return v && v->type == SHK_T_BOOL && v->b == n->want;
	case SHK_MEMO_TEST:
		return shk_test_holds(run, &run->rs->test[n->id]);
	case SHK_MEMO_TEXT_TEST:
		at = place(run, n->answered);
		answer = at && at != SHK_MEMO_NONE ? *answer_at(run, at, n->answer) : 0;
		return answer ? answer - 1 : text_test(run, n, at);
	case SHK_MEMO_GROUP:
		at = place(run, n->answered);
		if (!at)
			return SHK_CLASS_MISSING;
		answer = at != SHK_MEMO_NONE ? *answer_at(run, at, n->answer) : 0;
		return answer ? answer : kept_class(run, n, at, run->slots.val[n->slot].s);
	case SHK_MEMO_MULTI:
		return candidate_class(run, n);
	default:
		return 0;
	}
}

/* For the program: not in the way of those who walk. */
static __attribute__((noinline)) uint32_t ask(struct shk_run *run, const struct shk_memo_node *n)
{
	return ask_now(run, n);
}

const struct shk_memo_node *shk_memo_walk(struct shk_run *run)
{
	struct shk_memo_run *mr = &run->memo;
	const struct shk_memo *m = mr->m;
	uint32_t to = m->root[mr->p->number], at = 0, by = mr->p->number;

	while (to) {
		const struct shk_memo_node *n = &m->node[to];

		if (n->kind == SHK_MEMO_LEAF)
			return n;
		by = ask_now(run, n);
		if (n->kind < SHK_MEMO_GROUP) {
			at = to;
			to = n->to[by];
			continue;
		}
		if (!by) { /* no room for its class: as if it had not been asked */
			by = n->by;
			mr->lost = true;
			break;
		}
		at = to;
		to = n->to[0] == by ? n->to[1] : shk_memo_far_way(m, to, by);
	}
	mr->at = at;
	mr->by = by;
	return NULL;
}

static bool log_room(struct shk_run *run)
{
	struct shk_memo_log *log = run->memo.log;
	struct shk_memo_asked *v;

	if (log->n < log->room)
		return true;
	if (log->room >= LOG_MAX)
		return false;
	v = shk_arena_alloc_raw(run->slots.ctx->ev->arena, 4 * (log->room + 8) * sizeof(*v));
	if (!v)
		return false;
	if (log->n)
		memcpy(v, log->v, log->n * sizeof(*v));
	log->v = v;
	log->room = 4 * (log->room + 8);
	return true;
}

/* The question was asked after the others, and answered. */
static void note(struct shk_run *run, const struct shk_memo_node *n, uint32_t by)
{
	struct shk_memo_run *mr = &run->memo;

	if (!mr->lost && log_room(run))
		mr->log->v[mr->log->n++] = (struct shk_memo_asked){ .n = *n, .by = by };
	else
		mr->lost = true;
}

void shk_memo_seed(struct shk_run *run)
{
	const struct shk_memo *m = run->memo.m;
	uint32_t by = run->memo.by, lo = 0, hi;

	for (uint32_t at = run->memo.at; at; by = m->node[at].by, at = m->node[at].from) {
		const struct shk_memo_node *n = &m->node[at];
		const struct shk_group *g;
		uint64_t *bits;

		note(run, n, by);
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
	hi = run->memo.log->n_path = run->memo.log->n;
	for (; lo + 1 < hi; lo++, hi--) { /* the last came first */
		struct shk_memo_asked a = run->memo.log->v[lo];

		run->memo.log->v[lo] = run->memo.log->v[hi - 1];
		run->memo.log->v[hi - 1] = a;
	}
}

/* ---- the program asks ---- */

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
		n.answer = run->slots.slot[t->left].kind == SHK_OPERAND_FIELD;
	} else if (t->answer != SHK_NO_ANSWER) {
		n.kind = SHK_MEMO_TEXT_TEST;
		n.answer = t->answer;
		n.answered = run->slots.slot[t->left].answered;
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
				   .answer = g->answer, .slot = g->slot, .id = group,
				   .answered = run->slots.slot[g->slot].answered };
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

/* Behind the last answer known. */
static bool extend(struct shk_run *run, struct shk_memo_node *n, uint32_t by)
{
	struct shk_memo_run *mr = &run->memo;

	n->from = mr->at;
	n->by = mr->by;
	n->to[0] = n->to[1] = 0;
	mr->at = shk_memo_add(mr->m, n);
	mr->by = by;
	return mr->at;
}

void shk_memo_end(struct shk_run *run, const uint64_t *hit)
{
	struct shk_memo_run *mr = &run->memo;
	struct shk_memo_node leaf = { .kind = SHK_MEMO_LEAF, .id = mr->m->rules.n };
	struct shk_memo_log *log = mr->log;

	if (mr->lost || run->slots.ctx->ev->arena->failed)
		return;
	if (!shk_memo_prove(run, log))
		return;
	for (uint32_t i = log->n_path; i < log->n; i++)
		if (!extend(run, &log->v[i].n, log->v[i].by))
			return;
	for (uint32_t i = 0; i < mr->p->n_rule; i++) {
		if (!(hit[i / 64] >> i % 64 & 1))
			continue;
		if (!shk_memo_add_rule(mr->m, mr->p->rule[i]))
			return;
		leaf.aux++;
	}
	(void)extend(run, &leaf, 0);
}
