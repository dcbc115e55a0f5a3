// SPDX-License-Identifier: Apache-2.0
/*
 * Which of the questions a program asked were needed: those without which some rule would be undecided.
 *
 * Asked of the graph in three-valued logic (memologic.c), so that what is left decides every rule whatever the
 * answers to the others are. The programs' order is a guess; this is what the event showed.
 */
#include "rules/memo.h"

#define WORK_MAX 200000 /* looks at nodes, about: a quarter of a millisecond */
#define PRICE	 32u	/* in events: how often it may be done */

struct proof {
	struct shk_memo_logic logic;
	uint16_t *q;	   /* per place: the question of a comparison, 0: it was not asked */
	bool *answer;	   /* likewise */
	bool *in;	   /* per question: is it asked? */
	uint64_t *asked;   /* likewise, per lane */
};

/* ---- questions: those on the way, then those asked since ---- */

/* The number of the question a comparison belongs to. 0: it was not asked. */
static uint16_t question(const struct shk_memo_log *log, const struct shk_test *t, uint32_t test)
{
	for (uint32_t i = 0; i < log->n; i++) {
		const struct shk_memo_node *n = &log->v[i].n;

		if (n->kind >= SHK_MEMO_GROUP ? n->id == t->group :
						t->group == UINT32_MAX && n->id == test)
			return (uint16_t)(log->v[i].q + 1);
	}
	return 0;
}

static void number_questions(struct shk_memo_log *log)
{
	for (uint32_t i = 0; i < log->n; i++) {
		uint32_t k = i;

		/* Candidates of one field are one question. */
		while (k && log->v[i].n.kind == SHK_MEMO_MULTI &&
		       (log->v[k].n.kind != SHK_MEMO_MULTI || log->v[k].n.id != log->v[i].n.id || k == i))
			k--;
		if (k != i && log->v[k].n.kind == SHK_MEMO_MULTI && log->v[k].n.id == log->v[i].n.id)
			log->v[i].q = log->v[k].q;
		else
			log->v[i].q = log->n_question++;
	}
}

static void answers(struct proof *x, const struct shk_run *run, const struct shk_memo_log *log)
{
	const struct shk_ruleset *rs = run->rs;
	const struct shk_memo_list *list = x->logic.list;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct shk_node *n = &rs->node[list->node[i]];
		const struct shk_test *t = &rs->test[n->first];

		if (n->kind != SHK_NODE_TEST)
			continue;
		x->q[i] = question(log, t, n->first);
		if (x->q[i] && t->group != UINT32_MAX) {
			uint32_t bit = rs->group[t->group].word * 64 + t->bit;

			x->answer[i] = run->bits[bit / 64] >> bit % 64 & 1;
		}
		for (uint32_t k = 0; x->q[i] && t->group == UINT32_MAX && k < log->n; k++)
			if (log->v[k].q + 1u == x->q[i])
				x->answer[i] = log->v[k].by;
	}
}

static bool known(const struct proof *x, const struct shk_memo_log *log, uint32_t i)
{
	for (uint32_t k = 0; k < log->n; k++)
		if (x->in[log->v[k].q + 1] && log->v[k].n.slot == log->v[i].n.slot &&
		    log->v[k].n.kind >= SHK_MEMO_THERE)
			return true;
	return false;
}

/* To find a text again costs far more than another answer about it; to look through one that is not kept, because it is too
 * long or there was none like it, still more. */
static float price(const struct proof *x, const struct shk_run *run, const struct shk_memo_log *log, uint32_t i)
{
	const struct shk_memo_node *n = &log->v[i].n;

	if (n->kind == SHK_MEMO_BOOL)
		return 1;
	if (n->kind == SHK_MEMO_TEST)
		return 2;
	if (n->kind == SHK_MEMO_MULTI)
		return 20;
	if (n->kind != SHK_MEMO_THERE && run->memo.value[n->answered] == SHK_MEMO_NONE)
		return 100;
	return known(x, log, i) ? 0.5f : 4;
}

/* The first entry of a question that is not asked yet; candidates are entered together. */
static bool is_open(const struct proof *x, const struct shk_memo_log *log, uint32_t i)
{
	return !x->in[log->v[i].q + 1] && (i == log->n_path || log->v[i - 1].q != log->v[i].q);
}

/* Lane 0 is what is asked so far, the others ask one question more each. */
static void ask(struct proof *x, const struct shk_memo_log *log, const uint32_t *entry, unsigned n)
{
	for (uint32_t i = 0; i < log->n_question + 1; i++)
		x->asked[i] = x->in[i] ? UINT64_MAX : 0;
	for (unsigned k = 0; k < n; k++)
		x->asked[log->v[entry[k]].q + 1] |= UINT64_C(2) << k;
	shk_memo_decide(&x->logic, x->asked);
}

/* The question goes next, with its entries. */
static void take(struct proof *x, struct shk_memo_log *log, uint32_t at, uint32_t *chosen)
{
	uint32_t end;

	x->in[log->v[at].q + 1] = true;
	for (end = at; end < log->n && log->v[end].q == log->v[at].q; end++) {
		struct shk_memo_asked a = log->v[end];

		memmove(&log->v[*chosen + 1], &log->v[*chosen], (end - *chosen) * sizeof(a));
		log->v[(*chosen)++] = a;
		at += at < end;
	}
}

/* The question that decides most for its price. false: none is needed. */
static bool take_best(struct proof *x, const struct shk_run *run, struct shk_memo_log *log, uint32_t *chosen)
{
	uint32_t entry[SHK_MEMO_LANES - 1], count[SHK_MEMO_LANES], best = log->n;
	float most = -1;

	for (uint32_t i = *chosen; i < log->n;) {
		unsigned n = 0;

		for (; i < log->n && n < SHK_MEMO_LANES - 1; i++)
			if (is_open(x, log, i))
				entry[n++] = i;
		ask(x, log, entry, n);
		if (shk_memo_count(&x->logic, count))
			return false;
		for (unsigned k = 0; k < n; k++) {
			float worth = ((float)(count[k + 1] - count[0]) + 0.01f) / price(x, run, log, entry[k]);

			if (worth > most) {
				most = worth;
				best = entry[k];
			}
		}
	}
	if (best == log->n)
		return false;
	shk_memo_settle(&x->logic);
	take(x, log, best, chosen);
	return true;
}

/* Is everything decided without the question, too? */
static bool spare(struct proof *x, const struct shk_memo_log *log, uint32_t q)
{
	uint32_t count[SHK_MEMO_LANES];

	x->in[q] = false;
	ask(x, log, NULL, 0);
	return shk_memo_count(&x->logic, count);
}

/* Is this the last entry of a question that is asked? */
static bool is_asked(const struct proof *x, const struct shk_memo_log *log, uint32_t i)
{
	return x->in[log->v[i].q + 1] && (i + 1 == log->n || log->v[i + 1].q != log->v[i].q);
}

/* Those that decide alone what others decide together. All are looked at at once first, since hardly any is spare; the
 * later ones, which decided less, are tried first. */
static void leave_out(struct proof *x, const struct shk_memo_log *log)
{
	uint32_t count[SHK_MEMO_LANES];
	unsigned n = 0, k = 0;

	shk_memo_unsettle(&x->logic);
	for (uint32_t i = 0; i < log->n_question + 1; i++)
		x->asked[i] = x->in[i] ? UINT64_MAX : 0;
	for (uint32_t i = log->n; i-- > log->n_path && n < SHK_MEMO_LANES - 1;)
		if (is_asked(x, log, i))
			x->asked[log->v[i].q + 1] &= ~(UINT64_C(2) << n++);
	shk_memo_decide(&x->logic, x->asked);
	(void)shk_memo_count(&x->logic, count);
	for (uint32_t i = log->n; i-- > log->n_path && k < n;) {
		uint32_t q = log->v[i].q + 1u;

		if (is_asked(x, log, i) && count[++k] == x->logic.list->n_root)
			x->in[q] = !spare(x, log, q);
	}
}

/* The questions on the way there are asked anyway, in lane 0; in the others, all are. false: not even these decide
 * everything. */
static bool ask_path(struct proof *x, const struct shk_memo_log *log)
{
	uint32_t count[SHK_MEMO_LANES];

	for (uint32_t i = 0; i < log->n; i++) {
		uint32_t q = log->v[i].q + 1u;

		x->in[q] = x->in[q] || i < log->n_path;
		x->asked[q] = x->in[q] ? UINT64_MAX : UINT64_MAX - 1;
	}
	shk_memo_decide(&x->logic, x->asked);
	(void)shk_memo_count(&x->logic, count);
	shk_memo_settle(&x->logic);
	shk_memo_keep(&x->logic);
	return count[1] == x->logic.list->n_root;
}

static void prove(struct proof *x, const struct shk_run *run, struct shk_memo_log *log)
{
	uint32_t chosen = log->n_path, out = log->n_path;

	if (!ask_path(x, log))
		return;
	while (chosen < log->n && take_best(x, run, log, &chosen))
		;
	leave_out(x, log);
	for (uint32_t i = log->n_path; i < log->n; i++)
		if (x->in[log->v[i].q + 1])
			log->v[out++] = log->v[i];
	log->n = out;
}

/* What else there is to know about texts that were asked for anyway may spare others. */
static void ask_more(struct shk_run *run, const struct shk_memo_list *list, const struct shk_memo_log *log)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const struct shk_node *n = &run->rs->node[list->node[i]];
		const struct shk_test *t = &run->rs->test[n->first];

		if (n->kind != SHK_NODE_TEST || t->group == UINT32_MAX || t->multi || run->ran[t->group])
			continue;
		for (uint32_t k = 0; k < log->n; k++)
			if (log->v[k].n.slot == t->left && log->v[k].n.kind == SHK_MEMO_GROUP) {
				shk_memo_group(run, t->group);
				break;
			}
	}
}

bool shk_memo_prove(struct shk_run *run, struct shk_memo_log *log)
{
	struct shk_memo *m = run->memo.m;
	struct shk_arena *a = run->slots.ctx->ev->arena;
	struct proof x = { 0 };
	size_t n = log->n - log->n_path;
	const struct shk_memo_list *list;

	if (m->credit < PRICE)
		return false;
	m->credit -= PRICE;
	if (n < 2)
		return true;
	list = shk_memo_list(m, run->rs, run->memo.p);
	if (!list || list->n * n * (n / SHK_MEMO_LANES + 1) > WORK_MAX)
		return true;
	ask_more(run, list, log);
	number_questions(log);
	x.q = SHK_ARENA_ARRAY(a, uint16_t, list->n);
	x.answer = SHK_ARENA_ARRAY(a, bool, list->n);
	x.in = SHK_ARENA_ARRAY(a, bool, log->n_question + 1);
	x.asked = SHK_ARENA_ARRAY(a, uint64_t, log->n_question + 1);
	if (!x.q || !x.answer || !x.in || !x.asked || !shk_memo_logic(&x.logic, run, list, x.q, x.answer))
		return false;
	answers(&x, run, log);
	prove(&x, run, log);
	return true;
}
