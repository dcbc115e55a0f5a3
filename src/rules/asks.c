// SPDX-License-Identifier: Apache-2.0
/* Which values the conditions of a set ask for. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "rules/program.h"

static bool slot_asks(const struct shk_ruleset *rs, uint32_t i, bool (*is)(const struct shk_field_ref *ref))
{
	const struct shk_slot *s;

	if (i == SHK_SLOT_NONE)
		return false;
	s = &rs->slots.v[i];
	if (s->kind == SHK_OPERAND_FIELD)
		return is(&s->ref);
	for (size_t k = 0; k < s->n_need; k++) {
		const struct shk_slot *below = &rs->slots.v[s->need[k]];

		if (below->kind == SHK_OPERAND_FIELD && is(&below->ref))
			return true;
	}
	return false;
}

bool shk_ruleset_asks(const struct shk_ruleset *rs, enum shk_call_id id, bool (*is)(const struct shk_field_ref *ref))
{
	const struct shk_entries *rules = &rs->by_call[id];
	_cleanup_free_ uint8_t *wanted = calloc(rs->n_node + 1, 1);

	if (!wanted)
		return true;
	for (size_t i = 0; i < rules->n; i++)
		wanted[rules->v[i].root / 2] = 1;
	/* Parents come behind their children. */
	for (size_t i = rs->n_node; i-- > 0;) {
		const struct shk_node *n = &rs->node[i];

		if (!wanted[i])
			continue;
		if (n->kind == SHK_NODE_TEST) {
			const struct shk_test *t = &rs->test[n->first];

			if (slot_asks(rs, t->left, is) || slot_asks(rs, t->right, is))
				return true;
			continue;
		}
		for (uint32_t k = 0; k < n->n; k++)
			wanted[rs->edge[n->first + k] / 2] = 1;
	}
	return false;
}
