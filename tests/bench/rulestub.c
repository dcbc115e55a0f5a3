// SPDX-License-Identifier: Apache-2.0
#include "rulebench.h"

const struct bench_cell *bench_current;

static const struct bench_cell *cell_of(const struct shk_field_ref *ref)
{
	return &bench_current[((const struct bench_stub *)ref->field)->id];
}

static const struct shk_field_ref *real_of(const struct shk_field_ref *ref)
{
	return &((const struct bench_stub *)ref->field)->real;
}

static bool get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct bench_cell *c;

	if (!bench_current)
		return shk_field_get(ctx, real_of(ref), out);
	c = cell_of(ref);
	if (!c->ok)
		return false;
	*out = c->v;
	return true;
}

static bool multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		  struct shk_value *out)
{
	const struct bench_cell *c;

	if (!bench_current)
		return real_of(ref)->field->multi(ctx, real_of(ref), k, out);
	c = cell_of(ref);
	if (k >= c->n)
		return false;
	*out = c->many[k];
	return true;
}

/* Where values come from: one of the two. */
struct source {
	const struct bench_event *made;
	struct shk_eval_ctx *ctx;
};

static bool value(const struct source *s, const struct shk_field_ref *ref, bool many, unsigned k,
		  struct shk_arena *a, struct shk_value *out)
{
	out->type = ref->type;
	if (s->made)
		return bench_mix_value(s->made, ref, many, k, a, out);
	return many ? shk_field_candidate(s->ctx, ref, k, out) : shk_field_get(s->ctx, ref, out);
}

static bool fill(const struct source *s, const struct shk_field_ref *ref, struct bench_cell *c,
		 struct shk_arena *a)
{
	struct shk_value v;

	c->v.type = ref->type;
	c->ok = value(s, ref, false, 0, a, &c->v);
	if (!ref->field->multi)
		return true;
	while (value(s, ref, true, c->n, a, &v))
		c->n++;
	c->many = SHK_ARENA_ARRAY(a, struct shk_value, c->n);
	for (unsigned k = 0; c->many && k < c->n; k++)
		value(s, ref, true, k, a, &c->many[k]);
	return c->many;
}

static struct bench_cell *fill_all(const struct shk_ruleset *rs, const struct source *s, struct shk_arena *a)
{
	struct bench_cell *cell = SHK_ARENA_ARRAY(a, struct bench_cell, rs->slots.n);

	for (size_t i = 0; cell && i < rs->slots.n; i++) {
		if (rs->slots.v[i].kind != SHK_OPERAND_FIELD)
			continue;
		if (!fill(s, real_of(&rs->slots.v[i].ref), &cell[i], a))
			return NULL;
	}
	return cell;
}

bool bench_fill_made(const struct shk_ruleset *rs, struct bench_event *e, struct shk_arena *a)
{
	e->cell = fill_all(rs, &(struct source){ .made = e }, a);
	return e->cell;
}

struct bench_cell *bench_fill_ctx(const struct shk_ruleset *rs, struct shk_eval_ctx *ctx, struct shk_arena *a)
{
	return fill_all(rs, &(struct source){ .ctx = ctx }, a);
}

bool bench_stub(struct shk_ruleset *rs, struct shk_arena *a)
{
	for (size_t s = 0; s < rs->slots.n; s++) {
		struct shk_field_ref *ref = &rs->slots.v[s].ref;
		struct bench_stub *stub;

		if (rs->slots.v[s].kind != SHK_OPERAND_FIELD)
			continue;
		stub = SHK_ARENA_NEW(a, struct bench_stub);
		if (!stub)
			return false;
		stub->real = *ref;
		stub->f = *ref->field;
		stub->f.get = get;
		stub->f.image = NULL;
		stub->f.multi = ref->field->multi ? multi : NULL;
		/* The cells' values are clean: that is part of getting them. */
		stub->f.flags |= SHK_F_RAW;
		stub->id = (unsigned)s;
		ref->field = &stub->f;
	}
	return true;
}
