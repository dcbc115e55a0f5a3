// SPDX-License-Identifier: Apache-2.0
/* The nodes of the graph that are below a program's rules, children first. */
#include "rules/memo.h"

#include <stdlib.h>

static bool mark(const struct shk_ruleset *rs, const struct shk_program *p, uint16_t *below, uint32_t *n)
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

void shk_memo_forget_lists(struct shk_memo *m)
{
	for (uint32_t i = 0; m->list && i < m->n_root; i++)
		free(m->list[i].node);
	free(m->list);
	free(m->place);
	m->list = NULL;
	m->place = NULL;
}

static bool make_room(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->list)
		return true;
	if (rs->n_node > SHK_MEMO_GRAPH_NODES)
		return false;
	m->list = calloc(m->n_root + 1, sizeof(*m->list));
	m->place = calloc(rs->n_node + 1, sizeof(*m->place));
	if (m->list && m->place)
		return true;
	shk_memo_forget_lists(m);
	return false;
}

const struct shk_memo_list *shk_memo_list(struct shk_memo *m, const struct shk_ruleset *rs,
					  const struct shk_program *p)
{
	struct shk_memo_list *l;
	uint32_t n;

	if (!make_room(m, rs))
		return NULL;
	l = &m->list[p->number];
	if (l->tried)
		return l->node ? l : NULL;
	l->tried = true;
	memset(m->place, 0, rs->n_node * sizeof(*m->place));
	if (!mark(rs, p, m->place, &n))
		return NULL;
	l->node = reallocarray(NULL, n + 1, sizeof(*l->node));
	for (uint32_t i = 0; l->node && i < rs->n_node; i++)
		if (m->place[i])
			l->node[l->n++] = i;
	return l->node ? l : NULL;
}
