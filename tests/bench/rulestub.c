// SPDX-License-Identifier: Apache-2.0
#include "rulebench.h"

struct stub {
	struct shk_field f; /* first: a reference to it leads back here */
	unsigned id;
};

const struct bench_event *bench_current;

static bool get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct bench_cell *c = &bench_current->cell[((const struct stub *)ref->field)->id];

	(void)ctx;
	if (!c->ok)
		return false;
	*out = c->v;
	return true;
}

static bool multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		  struct shk_value *out)
{
	const struct bench_cell *c = &bench_current->cell[((const struct stub *)ref->field)->id];

	(void)ctx;
	if (k >= c->n)
		return false;
	*out = c->many[k];
	return true;
}

static bool fill(struct bench_event *e, const struct shk_field_ref *ref, struct bench_cell *c,
		 struct shk_arena *a)
{
	struct shk_value v = { .type = ref->type };

	c->v.type = ref->type;
	c->ok = bench_mix_value(e, ref, false, 0, a, &c->v);
	if (!ref->field->multi)
		return true;
	while (bench_mix_value(e, ref, true, c->n, a, &v))
		c->n++;
	c->many = SHK_ARENA_ARRAY(a, struct shk_value, c->n);
	if (!c->many)
		return false;
	for (unsigned k = 0; k < c->n; k++) {
		c->many[k].type = ref->type;
		bench_mix_value(e, ref, true, k, a, &c->many[k]);
	}
	return true;
}

bool bench_stub(struct shk_ruleset *rs, struct bench_mix *m, struct shk_arena *a)
{
	for (size_t i = 0; i < m->n; i++) {
		m->ev[i].cell = SHK_ARENA_ARRAY(a, struct bench_cell, rs->slots.n);
		if (!m->ev[i].cell)
			return false;
	}
	for (size_t s = 0; s < rs->slots.n; s++) {
		struct shk_field_ref *ref = &rs->slots.v[s].ref;
		struct stub *stub;

		if (rs->slots.v[s].kind != SHK_OPERAND_FIELD)
			continue;
		for (size_t i = 0; i < m->n; i++)
			if (!fill(&m->ev[i], ref, &m->ev[i].cell[s], a))
				return false;
		stub = SHK_ARENA_NEW(a, struct stub);
		if (!stub)
			return false;
		stub->f = *ref->field;
		stub->f.get = get;
		stub->f.multi = ref->field->multi ? multi : NULL;
		stub->id = (unsigned)s;
		ref->field = &stub->f;
	}
	return true;
}
