// SPDX-License-Identifier: Apache-2.0
/* The part of the graph below a program's rules that the type of event leaves open, children first. */
#include "rules/memo.h"

#include <stdlib.h>

struct maker {
	const struct shk_ruleset *rs;
	const struct shk_program *p;
	uint8_t *fold;	/* per node of the graph, of the program's type */
	uint16_t *place; /* per node: first whether it is below a rule, then its place, from 1 */
	uint32_t n_node, n_edge;
};

static bool is_open(const struct maker *k, shk_ref e)
{
	return k->fold[e >> 1] == SHK_FOLD_OPEN;
}

/* What is decided is left out: of an open node, it is what does not matter. */
static bool mark(struct maker *k)
{
	const struct shk_ruleset *rs = k->rs;

	shk_fold(rs, k->p->call, k->fold);
	for (uint32_t i = 0; i < k->p->n_rule; i++)
		if (is_open(k, rs->root[k->p->rule[i]]))
			k->place[rs->root[k->p->rule[i]] >> 1] = 1;
	for (size_t i = rs->n_node; i-- > 0;) {
		const struct shk_node *node = &rs->node[i];

		if (!k->place[i])
			continue;
		k->n_node++;
		for (uint32_t e = 0; node->kind != SHK_NODE_TEST && e < node->n; e++)
			if (is_open(k, rs->edge[node->first + e])) {
				k->place[rs->edge[node->first + e] >> 1] = 1;
				k->n_edge++;
			}
	}
	return k->n_node <= SHK_MEMO_PROOF_NODES && k->n_edge <= SHK_MEMO_PROOF_EDGES;
}

static shk_ref placed(const struct maker *k, shk_ref e)
{
	return ((shk_ref)(k->place[e >> 1] - 1u) << 1) | (e & 1);
}

static bool fill(const struct maker *k, struct shk_memo_list *l)
{
	const struct shk_ruleset *rs = k->rs;
	uint32_t n_edge = 0;

	l->node = reallocarray(NULL, k->n_node + 1, sizeof(*l->node));
	l->first = reallocarray(NULL, k->n_node + 1, sizeof(*l->first));
	l->edge = reallocarray(NULL, k->n_edge + 1, sizeof(*l->edge));
	l->root = reallocarray(NULL, k->p->n_rule + 1, sizeof(*l->root));
	if (!l->node || !l->first || !l->edge || !l->root)
		return false;
	for (uint32_t i = 0; i < rs->n_node; i++) {
		const struct shk_node *node = &rs->node[i];

		if (!k->place[i])
			continue;
		l->node[l->n] = i;
		l->first[l->n] = n_edge;
		k->place[i] = (uint16_t)++l->n;
		for (uint32_t e = 0; node->kind != SHK_NODE_TEST && e < node->n; e++)
			if (is_open(k, rs->edge[node->first + e]))
				l->edge[n_edge++] = placed(k, rs->edge[node->first + e]);
	}
	l->first[l->n] = n_edge;
	for (uint32_t i = 0; i < k->p->n_rule; i++)
		if (is_open(k, rs->root[k->p->rule[i]]))
			l->root[l->n_root++] = placed(k, rs->root[k->p->rule[i]]);
	return true;
}

static void drop(struct shk_memo_list *l)
{
	free(l->node);
	free(l->first);
	free(l->edge);
	free(l->root);
	*l = (struct shk_memo_list){ .tried = true };
}

void shk_memo_forget_lists(struct shk_memo *m)
{
	for (uint32_t i = 0; m->list && i < m->n_root; i++)
		drop(&m->list[i]);
	free(m->list);
	m->list = NULL;
}

const struct shk_memo_list *shk_memo_list(struct shk_memo *m, const struct shk_ruleset *rs,
					  const struct shk_program *p)
{
	struct maker k = { .rs = rs, .p = p };
	struct shk_memo_list *l;

	if (!m->list)
		m->list = calloc(m->n_root + 1, sizeof(*m->list));
	if (!m->list || rs->n_node > SHK_MEMO_GRAPH_NODES)
		return NULL;
	l = &m->list[p->number];
	if (l->tried)
		return l->node ? l : NULL;
	l->tried = true;
	k.fold = calloc(rs->n_node + 1, sizeof(*k.fold));
	k.place = calloc(rs->n_node + 1, sizeof(*k.place));
	if (!k.fold || !k.place || !mark(&k) || !fill(&k, l))
		drop(l);
	free(k.fold);
	free(k.place);
	return l->node ? l : NULL;
}
