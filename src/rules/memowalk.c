// SPDX-License-Identifier: Apache-2.0
/* An event's way through what is known of earlier ones. */
#include "rules/memo.h"

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

/* A text that is not the one met last: its place, if it is where it should be, 0 else. */
static inline uint32_t find(const struct shk_memo *m, struct shk_memo_key key, struct shk_str s, uint32_t hash)
{
	const struct shk_memo_cell *c = &m->texts.v[hash & (m->texts.size - 1)];

	/* A long text is compared by a function: not here. */
	return s.n <= SHK_SHORT_BYTES && c->hash == hash && c->at && shk_memo_same(m, c->at, key, s) ? c->at : 0;
}

/* What was met last is found without a hash. */
static inline uint32_t met(struct shk_memo_slot *ms, struct shk_str s, uint32_t at)
{
	if (at != SHK_MEMO_NONE)
		*shk_memo_last(ms, s) = at;
	return at;
}

static __attribute__((noinline)) uint32_t look_up(struct shk_memo *m, struct shk_memo_slot *ms, struct shk_str s)
{
	uint32_t hash = shk_memo_hash(s, ms->key.slot), at = find(m, ms->key, s, hash);

	return met(ms, s, at ? at : shk_memo_value(m, ms->key, s, hash));
}

/* The place of the text met last, if it is this one; 0: it is not. */
static inline __attribute__((always_inline)) uint32_t met_last(const struct shk_memo *m, struct shk_memo_slot *ms, struct shk_str s)
{
	uint32_t last = *shk_memo_last(ms, s);

	return last && shk_memo_same(m, last, ms->key, s) ? last : 0;
}

static inline __attribute__((always_inline)) uint32_t place_of(struct shk_memo *m, struct shk_memo_slot *ms,
							       struct shk_str s)
{
	uint32_t last = met_last(m, ms, s);

	return last ? last : look_up(m, ms, s);
}

static inline struct shk_str text_at(const struct shk_memo *m, const struct shk_memo_slot *ms, uint32_t at)
{
	const uint32_t *v = m->values.p + at;

	return (struct shk_str){ (const char *)(v + SHK_MEMO_HEAD + ms->key.n_answer), v[1] };
}

/* Of a text that is not clean behind its first `good` bytes. What it became is kept with the raw text, so that it is done once. */
static __attribute__((noinline)) uint32_t look_up_odd(struct shk_run *run, struct shk_memo_slot *ms, size_t good, uint32_t hash)
{
	struct shk_arena *a = run->slots.ctx->ev->arena;
	struct shk_value *v = &run->slots.val[ms->key.slot];
	struct shk_memo *m = run->memo.m;
	struct shk_str raw = v->s;
	uint32_t at = ms->odd ? shk_memo_odd(m, ms->key, raw, hash) : 0;
	bool known = at;

	v->s = known ? shk_arena_str(a, text_at(m, ms, at)) : shk_clean_copy(a, raw, good);
	if (!v->s.p) {
		run->slots.state[ms->key.slot] = SHK_SLOT_MISSING;
		return 0;
	}
	if (known)
		return at;
	at = place_of(m, ms, v->s);
	ms->odd |= shk_memo_keep_odd(m, ms->key, raw, hash, at);
	return at;
}

/* Of a field's text as it came. A text that is kept is clean, and so is one that has the same bytes: that others are
 * clean is seen to now. 0: missing. */
static __attribute__((noinline)) uint32_t look_up_fresh(struct shk_run *run, struct shk_memo_slot *ms)
{
	struct shk_str s = run->slots.val[ms->key.slot].s;
	struct shk_memo *m = run->memo.m;
	uint32_t hash = shk_memo_hash(s, ms->key.slot), at = find(m, ms->key, s, hash);
	size_t good;

	if (at)
		return met(ms, s, at);
	good = ms->ref->field->flags & SHK_F_RAW ? s.n : shk_clean_length(s);
	return good == s.n ? met(ms, s, shk_memo_value(m, ms->key, s, hash)) : look_up_odd(run, ms, good, hash);
}

/* The field's value as it came. false: missing. */
static inline __attribute__((always_inline)) bool get_raw(struct shk_run *run, const struct shk_memo_slot *ms)
{
	struct shk_value *v = &run->slots.val[ms->key.slot];
	bool ok;

	v->type = ms->type;
	ok = ms->get(run->slots.ctx, ms->ref, v);
	run->slots.state[ms->key.slot] = ok ? SHK_SLOT_OK : SHK_SLOT_MISSING;
	return ok;
}

/* Of a field that has an image: what is known is kept beside that, and the value is not made before a question is new. */
static __attribute__((noinline)) uint32_t fresh_image(struct shk_run *run, struct shk_memo_slot *ms)
{
	struct shk_memo_key image = { ms->key.slot | SHK_MEMO_IMAGE, ms->key.n_answer };
	struct shk_memo *m = run->memo.m;
	struct shk_str s;
	uint32_t hash, at;

	if (!ms->image_get(run->slots.ctx, ms->ref, &s))
		return get_raw(run, ms) ? look_up_fresh(run, ms) : 0;
	if (ms->image && shk_memo_same(m, ms->image, image, s))
		return ms->image;
	hash = shk_memo_hash(s, image.slot);
	at = find(m, image, s, hash);
	if (!at)
		at = shk_memo_value(m, image, s, hash);
	ms->image = at == SHK_MEMO_NONE ? 0 : at;
	return at;
}

/* The place of a text that nobody has asked for yet. */
static inline __attribute__((always_inline)) uint32_t fresh(struct shk_run *run, struct shk_memo_slot *ms)
{
	struct shk_value *v = &run->slots.val[ms->key.slot];
	uint32_t last;

	if (ms->image_get)
		return fresh_image(run, ms);
	if (!get_raw(run, ms))
		return 0;
	if (!shk_type_is_text(v->type)) /* of an argument, the call says it */
		return 0;
	last = met_last(run->memo.m, ms, v->s);
	return last ? last : look_up_fresh(run, ms);
}

/* Of a text that was, or is made of others. */
static __attribute__((noinline)) uint32_t known(struct shk_run *run, struct shk_memo_slot *ms)
{
	const struct shk_value *v = shk_slot_get(&run->slots, ms->key.slot);

	return v && shk_type_is_text(v->type) ? place_of(run->memo.m, ms, v->s) : 0;
}

/* The place of the text of a slot, looked up once per event. 0: there is none. */
static inline __attribute__((always_inline)) uint32_t place(struct shk_run *run, uint32_t answered)
{
	uint32_t *at = &run->memo.value[answered];

	if (!*at) {
		struct shk_memo_slot *ms = &run->memo.m->slot[answered];

		if (ms->get && run->slots.state[ms->key.slot] == SHK_SLOT_UNKNOWN)
			*at = fresh(run, ms);
		else
			*at = known(run, ms);
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

#define FEW_WORDS 8u

static inline uint32_t class_of(struct shk_run *run, uint32_t group, struct shk_str s)
{
	const struct shk_group *g = &run->rs->group[group];
	uint64_t few[FEW_WORDS], *bits = few;

	if (g->n_word > FEW_WORDS)
		bits = shk_arena_alloc_raw(run->slots.ctx->ev->arena, g->n_word * sizeof(*bits));
	if (!bits)
		return 0;
	shk_group_match(g, s, bits);
	return shk_memo_class(run->memo.m, run->rs, group, bits);
}

static __attribute__((noinline)) uint32_t kept_class(struct shk_run *run, const struct shk_memo_node *n, uint32_t at, struct shk_str s)
{
	uint32_t class = class_of(run, n->id, s);

	if (at != SHK_MEMO_NONE && !run->slots.ctx->ev->arena->failed)
		*answer_at(run, at, n->answer) = class;
	return class;
}

static __attribute__((noinline)) uint32_t group_class(struct shk_run *run, const struct shk_memo_node *n, uint32_t at)
{
	const struct shk_value *v = shk_slot_get(&run->slots, n->slot);

	return v ? kept_class(run, n, at, v->s) : 0;
}

/* As look_up_fresh. *s becomes clean; 0: there was no memory for that. */
static __attribute__((noinline)) uint32_t look_up_candidate(struct shk_run *run, struct shk_memo_slot *ms, struct shk_str *s)
{
	uint32_t hash = shk_memo_hash(*s, ms->key.slot), at = find(run->memo.m, ms->key, *s, hash);

	if (at)
		return met(ms, *s, at);
	if (!(ms->ref->field->flags & SHK_F_RAW) && !shk_clean(run->slots.ctx->ev->arena, s))
		return 0;
	return look_up(run->memo.m, ms, *s);
}

static __attribute__((noinline)) uint32_t candidate_class(struct shk_run *run, const struct shk_memo_node *n)
{
	struct shk_memo_slot *ms = &run->memo.m->slot[n->answered];
	struct shk_value *one = &ms->candidate;
	uint32_t at, class;

	one->type = ms->type;
	if (n->aux >= SHK_CANDIDATES_MAX || !ms->multi(run->slots.ctx, ms->ref, n->aux, one))
		return SHK_CLASS_END;
	if (!shk_type_is_text(ms->type))
		return SHK_CLASS_MISSING;
	at = met_last(run->memo.m, ms, one->s);
	if (!at)
		at = look_up_candidate(run, ms, &one->s);
	if (!at)
		return SHK_CLASS_END;
	class = at == SHK_MEMO_NONE ? 0 : *answer_at(run, at, n->answer);
	return class ? class : kept_class(run, n, at, one->s);
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
	case SHK_MEMO_THERE:
		return place(run, n->answered) != 0;
	case SHK_MEMO_TEXT_TEST:
		at = place(run, n->answered);
		answer = at && at != SHK_MEMO_NONE ? *answer_at(run, at, n->answer) : 0;
		return answer ? answer - 1 : text_test(run, n, at);
	case SHK_MEMO_GROUP:
		at = place(run, n->answered);
		if (!at)
			return SHK_CLASS_MISSING;
		answer = at != SHK_MEMO_NONE ? *answer_at(run, at, n->answer) : 0;
		return answer ? answer : group_class(run, n, at);
	case SHK_MEMO_MULTI:
		return candidate_class(run, n);
	default:
		return 0;
	}
}

/* For the program: not in the way of those who walk. */
__attribute__((noinline)) uint32_t shk_memo_ask(struct shk_run *run, const struct shk_memo_node *n)
{
	return ask_now(run, n);
}

/* Where an event is in the tree: at `to`, which the answer `by` of node `at` led to. Nodes do not move meanwhile. */
struct way {
	const struct shk_memo_node *node;
	uint32_t at, by, to;
};

/* One question further. */
static inline __attribute__((always_inline)) void next(struct shk_run *run, struct way *w)
{
	const struct shk_memo_node *n = &w->node[w->to];
	uint32_t by = ask_now(run, n);

	if (n->kind < SHK_MEMO_GROUP) {
		w->at = w->to;
		w->by = by;
		w->to = n->to[by];
	} else if (by) {
		w->at = w->to;
		w->by = by;
		w->to = n->to[0] == by ? n->to[1] : shk_memo_far_way(run->memo.m, w->to, by);
	} else { /* no room for its class: as if it had not been asked */
		run->memo.lost = true;
		w->to = 0;
	}
}

/* As long as answers follow from what the event shows. */
static __attribute__((noinline)) void walk_shown(struct shk_run *run, struct way *w)
{
	while (w->to) {
		if (run->gave_up || run->slots.ctx->ev->arena->failed)
			return; /* that was this event alone */
		if (!w->node[w->to].shown) {
			shk_memo_keep_face(run, w->to);
			return;
		}
		next(run, w);
	}
}

const struct shk_memo_node *shk_memo_walk(struct shk_run *run, uint32_t from)
{
	struct shk_memo_run *mr = &run->memo;
	const struct shk_memo *m = mr->m;
	struct way w = {
		.node = m->node,
		.at = from ? m->node[from].from : 0,
		.by = from ? m->node[from].by : mr->p->number,
		.to = from ? from : m->root[mr->p->number],
	};

	if (mr->face)
		walk_shown(run, &w);
	while (w.node[w.to].kind != SHK_MEMO_LEAF) /* nor is place 0 a question */
		next(run, &w);
	if (w.to)
		return &w.node[w.to];
	mr->at = w.at;
	mr->by = w.by;
	return NULL;
}
