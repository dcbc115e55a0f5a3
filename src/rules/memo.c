// SPDX-License-Identifier: Apache-2.0
/* A memo: its life, its nodes and the ways between them. */
#include "rules/memo.h"

#include <stdlib.h>

#include "rules/rules.h"


struct shk_memo *shk_memo_new(void)
{
	return calloc(1, sizeof(struct shk_memo));
}

static void empty(struct shk_memo_table *t)
{
	if (t->used)
		memset(t->v, 0, t->size * sizeof(*t->v));
	t->used = 0;
}

static void forget_values(struct shk_memo *m)
{
	empty(&m->texts);
	m->values.n = 1;
	m->values_full = false;
	for (uint32_t i = 0; i < m->n_slot; i++) {
		memset(m->slot[i].last, 0, sizeof(m->slot[i].last));
		m->slot[i].image = m->slot[i].odd = 0;
	}
}

static void forget(struct shk_memo *m)
{
	forget_values(m);
	empty(&m->ways);
	empty(&m->class_of);
	m->classes.n = SHK_CLASS_FIRST;
	m->rules.n = 1;
	m->n_node = 1;
	m->full = false;
	shk_memo_forget_faces(m);
	if (m->n_root)
		memset(m->root, 0, m->n_root * sizeof(*m->root));
	if (m->n_group)
		memset(m->recent, 0, m->n_group * sizeof(*m->recent));
}

static void forget_set(struct shk_memo *m)
{
	shk_memo_forget_lists(m);
	free(m->root);
	free(m->recent);
	free(m->slot);
	free(m->scratch);
	m->root = NULL;
	m->recent = NULL;
	m->slot = NULL;
	m->scratch = NULL;
	m->n_root = m->n_group = m->n_slot = 0;
	m->serial = 0;
}

void shk_memo_free(struct shk_memo *m)
{
	if (!m)
		return;
	forget_set(m);
	free(m->node);
	free(m->ways.v);
	free(m->texts.v);
	free(m->class_of.v);
	free(m->values.p);
	free(m->classes.p);
	free(m->rules.p);
	free(m->faces.ring);
	free(m->faces.cell);
	free(m);
}

static void of_field(struct shk_memo_slot *ms, const struct shk_field_ref *ref)
{
	ms->ref = ref;
	ms->type = ref->type;
	ms->multi = ref->field->multi;
	if (!shk_type_is_text(ref->type))
		return;
	ms->get = ref->field->get;
	ms->image_get = ref->field->image;
}

static bool bind(struct shk_memo *m, const struct shk_ruleset *rs)
{
	forget_set(m);
	m->faces.of_program = false;
	shk_memo_face_init();
	m->root = calloc(rs->n_program + 1, sizeof(*m->root));
	m->recent = calloc(rs->n_group + 1, sizeof(*m->recent));
	m->slot = calloc(rs->n_answered + 1, sizeof(*m->slot));
	m->scratch = malloc(SHK_SLOTS_BYTES(rs));
	if (!m->texts.v) { /* later it only grows */
		m->texts.v = calloc(SHK_MEMO_TABLE_MIN, sizeof(*m->texts.v));
		m->texts.size = m->texts.v ? SHK_MEMO_TABLE_MIN : 0;
	}
	if (!m->node) { /* place 0 is no question */
		m->node = calloc(SHK_MEMO_TABLE_MIN, sizeof(*m->node));
		m->room_node = m->node ? SHK_MEMO_TABLE_MIN : 0;
	}
	if (!m->root || !m->recent || !m->slot || !m->scratch || !m->texts.v || !m->node)
		return false;
	m->n_root = rs->n_program;
	m->n_group = rs->n_group;
	m->n_slot = rs->n_answered;
	for (uint32_t i = 0; i < rs->slots.n; i++) {
		const struct shk_slot *s = &rs->slots.v[i];

		if (s->n_answer)
			m->slot[s->answered] = (struct shk_memo_slot){ .key = { i, s->n_answer } };
		if (s->n_answer && s->kind == SHK_OPERAND_FIELD)
			of_field(&m->slot[s->answered], &s->ref);
	}
	m->serial = rs->serial;
	m->credit = SHK_MEMO_CREDIT;
	forget(m);
	return true;
}

bool shk_memo_make_room(struct shk_memo *m, const struct shk_ruleset *rs)
{
	if (m->serial != rs->serial)
		return bind(m, rs);
	if (m->full)
		forget(m);
	else
		forget_values(m);
	return true;
}

/* ---- nodes ---- */

static bool two_ways(const struct shk_memo_node *n)
{
	return n->kind < SHK_MEMO_GROUP;
}

static bool link_to(struct shk_memo *m, uint32_t from, uint32_t by, uint32_t to)
{
	struct shk_memo_node *n;

	if (!from) {
		m->root[by] = to;
		return true;
	}
	n = &m->node[from];
	if (two_ways(n)) {
		n->to[by] = to;
	} else if (!n->to[0]) {
		n->to[0] = by;
		n->to[1] = to;
	} else {
		return shk_memo_put(&m->ways, shk_memo_mix(from, by), to, UINT32_MAX);
	}
	return true;
}

uint32_t shk_memo_add(struct shk_memo *m, const struct shk_memo_node *n)
{
	uint32_t at = m->n_node;

	if (at >= m->room_node && at < SHK_MEMO_NODES) {
		uint32_t room = SHK_MIN(SHK_MAX(m->room_node * 2, SHK_MEMO_TABLE_MIN), SHK_MEMO_NODES);
		struct shk_memo_node *v = reallocarray(m->node, room, sizeof(*v));

		if (v) {
			m->node = v;
			m->room_node = room;
		}
	}
	if (at < m->room_node) {
		m->node[at] = *n;
		if (link_to(m, n->from, n->by, at)) {
			m->n_node++;
			return at;
		}
	}
	m->full = true;
	return 0;
}

bool shk_memo_add_rule(struct shk_memo *m, uint32_t rule)
{
	uint32_t at = shk_memo_take(&m->rules, 1, SHK_MEMO_RULES);

	if (at)
		m->rules.p[at] = rule;
	else
		m->full = true;
	return at;
}
