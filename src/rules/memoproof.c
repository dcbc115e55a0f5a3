// SPDX-License-Identifier: Apache-2.0
/*
 * Which of the questions a program asked were needed: those without which some rule would be undecided.
 *
 * Asked of the graph in three-valued logic, so that what is left decides every rule whatever the answers to the
 * others are. The programs' order is a guess; this is what the event showed.
 */
#include "rules/memo.h"

#include <stdlib.h>

#define WORK_MAX 200000 /* looks at nodes, about: half a millisecond */
#define PRICE	 32u	/* in events: how often it may be done */

struct proof {
	const struct shk_ruleset *rs;
	const struct shk_program *p;
	const struct shk_memo_list *list;
	uint8_t *val;	   /* per node of the graph: SHK_FOLD_* */
	uint16_t *q;	   /* per node of the list that is a comparison: its question, 0: decided by the type */
	uint8_t *answer;   /* likewise: SHK_FOLD_* */
	bool *in;	   /* per question: is it asked? */
};

/* ---- the nodes below a program's rules, children first ---- */

static bool mark(const struct shk_ruleset *rs, const struct shk_program *p, uint8_t *below, uint32_t *n)
{
	for (uint32_t i = 0; i < p->n_rule; i++)
		below[rs->root[p->rule[i]] >> 1] = 1;
	*n = 0;
	for (size_t i = rs->n_node; i-- > 0;) {
		const struct shk_node *node = &rs->node[i];

		*n += below[i];
		for (uint32_t k = 0; below[i] && node->kind != SHK_NODE_TEST && k < node->n; k++)
			below[rs->edge[node->first + k] >> 1] = 1;
	}
	return *n <= SHK_MEMO_PROOF_NODES;
}

static const struct shk_memo_list *list_of(struct shk_memo *m, const struct shk_ruleset *rs,
					   const struct shk_program *p)
{
	struct shk_memo_list *l = &m->list[p->number];
	uint32_t n;

	if (l->tried)
		return l->node ? l : NULL;
	l->tried = true;
	memset(m->val, 0, rs->n_node);
	if (!mark(rs, p, m->val, &n))
		return NULL;
	l->node = reallocarray(NULL, n + 1, sizeof(*l->node));
	for (uint32_t i = 0; l->node && i < rs->n_node; i++)
		if (m->val[i])
			l->node[l->n++] = i;
	return l->node ? l : NULL;
}

void shk_memo_forget_lists(struct shk_memo *m)
{
	for (uint32_t i = 0; m->list && i < m->n_root; i++)
		free(m->list[i].node);
	free(m->list);
	free(m->val);
	m->list = NULL;
	m->val = NULL;
}

static bool make_room(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->list)
		return true;
	if (rs->n_node > SHK_MEMO_GRAPH_NODES)
		return false;
	m->list = calloc(m->n_root + 1, sizeof(*m->list));
	m->val = calloc(rs->n_node + 1, 1);
	if (m->list && m->val)
		return true;
	shk_memo_forget_lists(m);
	return false;
}

/* ---- three-valued logic ---- */

static uint8_t of_edge(const struct proof *x, shk_ref e)
{
	uint8_t f = x->val[e >> 1];

	return f != SHK_FOLD_OPEN && (e & 1) ? SHK_FOLD_NO + SHK_FOLD_YES - f : f;
}

static uint8_t of_node(const struct proof *x, const struct shk_node *n)
{
	uint8_t decides = n->kind == SHK_NODE_OR ? SHK_FOLD_YES : SHK_FOLD_NO;
	uint8_t all = SHK_FOLD_NO + SHK_FOLD_YES - decides;

	for (uint32_t i = 0; i < n->n; i++) {
		uint8_t f = of_edge(x, x->rs->edge[n->first + i]);

		if (f == decides)
			return f;
		if (f == SHK_FOLD_OPEN)
			all = f;
	}
	return all;
}

/* How many rules do the questions that are asked decide? */
static uint32_t decided(struct proof *x)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->list->n; i++) {
		uint32_t at = x->list->node[i];
		const struct shk_node *node = &x->rs->node[at];

		if (node->kind != SHK_NODE_TEST)
			x->val[at] = of_node(x, node);
		else
			x->val[at] = x->in[x->q[i]] ? x->answer[i] : SHK_FOLD_OPEN;
	}
	for (uint32_t i = 0; i < x->p->n_rule; i++)
		n += of_edge(x, x->rs->root[x->p->rule[i]]) != SHK_FOLD_OPEN;
	return n;
}

/* ---- questions: those on the way, then those asked since ---- */

/* The number of the question a comparison belongs to. 1: one that was not asked. */
static uint16_t question(const struct shk_memo_log *log, const struct shk_test *t, uint32_t test)
{
	for (uint32_t i = 0; i < log->n; i++) {
		const struct shk_memo_node *n = &log->v[i].n;

		if (n->kind >= SHK_MEMO_GROUP ? n->id == t->group :
						t->group == UINT32_MAX && n->id == test)
			return (uint16_t)(log->v[i].q + 2);
	}
	return 1;
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
	for (uint32_t i = 0; i < x->list->n; i++) {
		const struct shk_node *n = &x->rs->node[x->list->node[i]];
		const struct shk_test *t = &x->rs->test[n->first];
		uint8_t f;
		bool yes = false;

		if (n->kind != SHK_NODE_TEST)
			continue;
		f = shk_fold_test(x->rs, t, x->p->call);
		x->q[i] = f == SHK_FOLD_OPEN ? question(log, t, n->first) : 0;
		if (x->q[i] > 1 && t->group != UINT32_MAX) {
			uint32_t bit = x->rs->group[t->group].word * 64 + t->bit;

			yes = run->bits[bit / 64] >> bit % 64 & 1;
		}
		for (uint32_t k = 0; x->q[i] > 1 && t->group == UINT32_MAX && k < log->n; k++)
			if (log->v[k].q + 2u == x->q[i])
				yes = log->v[k].by;
		x->answer[i] = f != SHK_FOLD_OPEN ? f : yes ? SHK_FOLD_YES : SHK_FOLD_NO;
	}
}

static bool known(const struct proof *x, const struct shk_memo_log *log, uint32_t i)
{
	for (uint32_t k = 0; k < log->n; k++)
		if (x->in[log->v[k].q + 2] && log->v[k].n.slot == log->v[i].n.slot &&
		    log->v[k].n.kind >= SHK_MEMO_TEXT_TEST)
			return true;
	return false;
}

/* To find a text again costs far more than another answer about it; to look through one that is too long to be
 * kept, still more. */
static float price(const struct proof *x, const struct shk_run *run, const struct shk_memo_log *log, uint32_t i)
{
	const struct shk_memo_node *n = &log->v[i].n;

	if (n->kind == SHK_MEMO_BOOL)
		return 1;
	if (n->kind == SHK_MEMO_TEST)
		return 2;
	if (n->kind == SHK_MEMO_MULTI)
		return 20;
	if (run->memo.value[n->answered] == SHK_MEMO_NONE)
		return 100;
	return known(x, log, i) ? 0.5f : 4;
}

/* The first entry of a question that is not asked yet; candidates are entered together. */
static bool is_open(const struct proof *x, const struct shk_memo_log *log, uint32_t i)
{
	return !x->in[log->v[i].q + 2] && (i == log->n_path || log->v[i - 1].q != log->v[i].q);
}

/* The question that decides most for its price goes next, with its entries. */
static void take_best(struct proof *x, const struct shk_run *run, struct shk_memo_log *log, uint32_t *chosen)
{
	uint32_t best = log->n, before = decided(x), end;
	float most = -1;

	for (uint32_t i = *chosen; i < log->n; i++) {
		float worth;

		if (!is_open(x, log, i))
			continue;
		x->in[log->v[i].q + 2] = true;
		worth = (float)(decided(x) - before) + 0.01f;
		x->in[log->v[i].q + 2] = false;
		worth /= price(x, run, log, i);
		if (worth > most) {
			most = worth;
			best = i;
		}
	}
	if (best == log->n)
		return;
	x->in[log->v[best].q + 2] = true;
	for (end = best; end < log->n && log->v[end].q == log->v[best].q; end++) {
		struct shk_memo_asked a = log->v[end];

		memmove(&log->v[*chosen + 1], &log->v[*chosen], (end - *chosen) * sizeof(a));
		log->v[(*chosen)++] = a;
		best += best < end;
	}
}

static void leave_out(struct proof *x, const struct shk_memo_log *log)
{
	for (uint32_t i = log->n; i-- > log->n_path;) {
		bool *in = &x->in[log->v[i].q + 2];

		if (!*in || (i + 1 < log->n && log->v[i + 1].q == log->v[i].q))
			continue;
		*in = false;
		*in = decided(x) != x->p->n_rule;
	}
}

static bool prove(struct proof *x, const struct shk_run *run, struct shk_memo_log *log)
{
	uint32_t chosen = log->n_path, out = log->n_path;

	x->in[0] = true;
	for (uint32_t i = 0; i < log->n; i++)
		x->in[log->v[i].q + 2] = true;
	if (decided(x) != x->p->n_rule)
		return false;
	memset(x->in, 0, log->n_question + 2);
	x->in[0] = true;
	for (uint32_t i = 0; i < log->n_path; i++)
		x->in[log->v[i].q + 2] = true;
	while (chosen < log->n && decided(x) != x->p->n_rule)
		take_best(x, run, log, &chosen);
	leave_out(x, log);
	for (uint32_t i = log->n_path; i < log->n; i++)
		if (x->in[log->v[i].q + 2])
			log->v[out++] = log->v[i];
	log->n = out;
	return true;
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
	struct proof x = { .rs = run->rs, .p = run->memo.p };

	if (m->credit < PRICE)
		return false;
	m->credit -= PRICE;
	if (log->n - log->n_path < 2 || !make_room(m, run->rs))
		return true;
	x.list = list_of(m, run->rs, run->memo.p);
	if (!x.list || (size_t)x.list->n * (log->n - log->n_path) * 4 > WORK_MAX)
		return true;
	ask_more(run, x.list, log);
	number_questions(log);
	x.val = m->val;
	x.q = SHK_ARENA_ARRAY(a, uint16_t, x.list->n);
	x.answer = SHK_ARENA_ARRAY(a, uint8_t, x.list->n);
	x.in = SHK_ARENA_ARRAY(a, bool, log->n_question + 2);
	if (!x.q || !x.answer || !x.in)
		return false;
	answers(&x, run, log);
	(void)prove(&x, run, log);
	return true;
}
