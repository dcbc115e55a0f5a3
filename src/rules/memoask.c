// SPDX-License-Identifier: Apache-2.0
/* A program asks, and what it asked becomes part of the tree. */
#include "rules/memo.h"

#define LOG_MAX 512 /* questions of an event; one that has more is not remembered */

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

	if (mr->lost || !log_room(run)) {
		mr->lost = true;
		return;
	}
	mr->log->v[mr->log->n++] = (struct shk_memo_asked){ .n = *n, .by = by };
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
	const struct shk_slot *slot = &run->slots.slot[t->left];
	struct shk_memo_node n = { .kind = SHK_MEMO_TEST, .slot = t->left, .id = test, .aux = keep };
	bool yes;

	if (is_bool(run, t)) {
		n.kind = SHK_MEMO_BOOL;
		n.want = t->c->v.b == (t->op == SHK_OP_EQ);
		n.answer = run->slots.slot[t->left].kind == SHK_OPERAND_FIELD;
	} else if (t->answer != SHK_NO_ANSWER) {
		n.kind = SHK_MEMO_TEXT_TEST;
		n.answer = t->answer;
		n.answered = slot->answered;
	} else if (t->op == SHK_OP_EXISTS && !t->multi && slot->n_answer && shk_type_is_text(slot->type)) {
		n.kind = SHK_MEMO_THERE;
		n.answered = slot->answered;
	}
	yes = shk_memo_ask(run, &n);
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
		class = shk_memo_ask(run, n);
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
		class = shk_memo_ask(run, &n);
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

static bool is_program_name(const struct shk_field_ref *ref)
{
	return strcmp(ref->field->name, "proc.name") == 0;
}

/* To events of all types that have this program. */
static bool is_shown(const struct shk_run *run, const struct shk_memo_node *n)
{
	const struct shk_slot *s = &run->slots.slot[n->slot];

	if (n->kind == SHK_MEMO_LEAF || n->kind == SHK_MEMO_MULTI || s->kind != SHK_OPERAND_FIELD)
		return false;
	/* A comparison of two values asks for more than one slot. */
	if (n->kind < SHK_MEMO_GROUP && run->rs->test[n->id].right != SHK_SLOT_NONE)
		return false;
	for (unsigned id = 0; id < SHK_CALL_N; id++)
		if (run->rs->program[id] == run->memo.p && shk_memo_has_face((enum shk_call_id)id) &&
		    !is_program_name(&s->ref) && !shk_field_is_shown(&s->ref, (enum shk_call_id)id))
			return false;
	if (is_program_name(&s->ref))
		shk_memo_face_of_program(run->memo.m);
	return run->rs->program[SHK_CALL_N] != run->memo.p;
}

/* Behind the last answer known. */
static bool extend(struct shk_run *run, struct shk_memo_node *n, uint32_t by)
{
	struct shk_memo_run *mr = &run->memo;

	n->from = mr->at;
	n->by = mr->by;
	n->to[0] = n->to[1] = 0;
	n->shown = is_shown(run, n);
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
