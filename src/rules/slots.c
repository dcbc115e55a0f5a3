// SPDX-License-Identifier: Apache-2.0
#include "rules/slots.h"

#include <errno.h>

#define KEY_MAX	 (SHK_CONDITION_MAX * 2)
#define KEYS_MAX ((size_t)256 << 20)
#define ARGS_MAX 64 /* arguments gathered without allocation; more go to the arena */

void shk_slots_init(struct shk_slot_table *t, struct shk_arena *arena)
{
	*t = (struct shk_slot_table){ .arena = arena };
	shk_map_init(&t->by_key);
	shk_arena_init(&t->keys, KEYS_MAX);
}

void shk_slots_seal(struct shk_slot_table *t)
{
	struct shk_slot *v = t->n ? reallocarray(t->v, t->n, sizeof(*v)) : NULL;

	if (v) {
		t->v = v;
		t->room = t->n;
	}
	shk_map_done(&t->by_key);
	shk_arena_done(&t->keys);
}

void shk_slots_done(struct shk_slot_table *t)
{
	free(t->v);
	shk_map_done(&t->by_key);
	shk_arena_done(&t->keys);
	*t = (struct shk_slot_table){ 0 };
}

static void key_text(struct shk_str s, struct shk_buf *out)
{
	uint32_t n = (uint32_t)s.n;

	shk_buf_add(out, &n, sizeof(n));
	shk_buf_addstr(out, s);
}

void shk_slots_key(const struct shk_operand *o, struct shk_buf *out)
{
	uint32_t n = (uint32_t)o->n;

	shk_buf_addc(out, (char)('0' + (int)o->kind));
	switch (o->kind) {
	case SHK_OPERAND_FIELD:
	case SHK_OPERAND_TEXT:
		key_text(o->text, out);
		break;
	case SHK_OPERAND_CALL:
		shk_buf_addc(out, (char)o->call);
		key_text(o->has_index ? o->index : (struct shk_str){ 0 }, out);
		SHK_FALLTHROUGH;
	case SHK_OPERAND_LIST:
		shk_buf_add(out, &n, sizeof(n));
		for (size_t i = 0; i < o->n; i++)
			shk_slots_key(&o->item[i], out);
		break;
	default:
		break;
	}
}

static unsigned field_cost(const struct shk_field *f)
{
	/* evt.arg.X is put into words first. */
	if ((f->flags & SHK_F_ARG_DOTTED) && f->type == SHK_T_STRING)
		return f->flags & SHK_F_COSTLY ? 1000 : 150;
	/* Of some calls' descriptors /proc is asked; but opens, most of the events asked for one, have the path. */
	if (strcmp(f->class_name, "fd") == 0)
		return 50;
	return f->flags & SHK_F_STABLE ? 1 : f->flags & SHK_F_COSTLY ? 1000 : 20;
}

/* Arguments of calls are those of some calls. */
static int find_calls(struct shk_slot_table *t, struct shk_slot *s)
{
	const char *name = s->ref.field->name;
	struct shk_call_set *calls;

	if (!s->ref.key.p || (strcmp(name, "evt.arg") && strcmp(name, "evt.rawarg")))
		return 0;
	calls = SHK_ARENA_NEW(t->arena, struct shk_call_set);
	if (!calls)
		return -ENOMEM;
	for (unsigned id = 0; id < SHK_CALL_N; id++)
		if (shk_field_call_has(&s->ref, (enum shk_call_id)id))
			calls->bit[id / 64] |= UINT64_C(1) << id % 64;
	s->calls = calls;
	return 0;
}

/* The arguments, and everything below them once. */
static int add_args(struct shk_slot_table *t, const struct shk_operand *o, struct shk_slot *s)
{
	uint32_t *arg = SHK_ARENA_ARRAY(t->arena, uint32_t, o->n), *need;
	size_t n = 1, k = 0;

	if (!arg)
		return -ENOMEM;
	for (size_t i = 0; i < o->n; i++) {
		int r = shk_slots_add(t, &o->item[i], &arg[i]);

		if (r < 0)
			return r;
		n += 1 + t->v[arg[i]].n_need;
		s->cost += t->v[arg[i]].cost + 5;
	}
	need = SHK_ARENA_ARRAY(t->arena, uint32_t, n);
	if (!need)
		return -ENOMEM;
	for (size_t i = 0; i < o->n; i++) {
		const struct shk_slot *a = &t->v[arg[i]];

		for (size_t j = 0; j < a->n_need; j++)
			need[k++] = a->need[j];
		if (!a->n_need)
			need[k++] = arg[i];
	}
	s->arg = arg;
	s->n_arg = o->n;
	s->need = need;
	s->n_need = k; /* the slot itself is appended once its number is known */
	return 0;
}

static int make_slot(struct shk_slot_table *t, const struct shk_operand *o, struct shk_slot *s)
{
	*s = (struct shk_slot){ .kind = o->kind, .type = o->type, .call = o->call };
	if (o->kind == SHK_OPERAND_CALL || o->kind == SHK_OPERAND_LIST) {
		s->index = o->has_index && o->index.n ? o->index.p[0] : 0;
		return add_args(t, o, s);
	}
	s->text = shk_arena_str(t->arena, o->text);
	if (!s->text.p)
		return -ENOMEM;
	if (o->kind != SHK_OPERAND_FIELD)
		return 0;
	s->ref = o->ref;
	s->cost = field_cost(o->ref.field);
	if (o->ref.key.p) {
		s->ref.key = shk_arena_str(t->arena, o->ref.key);
		if (!s->ref.key.p)
			return -ENOMEM;
	}
	return find_calls(t, s);
}

int shk_slots_add(struct shk_slot_table *t, const struct shk_operand *o, uint32_t *ret)
{
	_cleanup_buf_ struct shk_buf b;
	struct shk_str key;
	struct shk_slot s;
	uintptr_t known;
	int r;

	/* val(f) is f. */
	if (o->kind == SHK_OPERAND_CALL && o->call == SHK_TR_VAL)
		o = &o->item[0];
	shk_buf_init(&b, KEY_MAX);
	shk_slots_key(o, &b);
	if (b.failed)
		return -ENOMEM;
	known = (uintptr_t)shk_map_get(&t->by_key, shk_buf_view(&b));
	if (known) {
		*ret = (uint32_t)(known - 1);
		return 0;
	}
	r = make_slot(t, o, &s);
	if (r < 0)
		return r;
	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 32;
		struct shk_slot *v = realloc(t->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		t->v = v;
		t->room = room;
	}
	if (s.need) /* room for it was counted */
		((uint32_t *)(uintptr_t)s.need)[s.n_need++] = (uint32_t)t->n;
	key = shk_arena_str(&t->keys, shk_buf_view(&b));
	if (!key.p || shk_map_set(&t->by_key, key, (void *)(uintptr_t)(t->n + 1)) < 0)
		return -ENOMEM;
	t->v[t->n] = s;
	*ret = (uint32_t)t->n++;
	return 0;
}

int shk_slot_run_init(struct shk_slot_run *r, const struct shk_slot_table *t,
		      struct shk_eval_ctx *ctx)
{
	struct shk_arena *a = ctx->ev->arena;

	*r = (struct shk_slot_run){ .slot = t->v, .ctx = ctx };
	r->state = shk_arena_alloc(a, t->n);
	r->val = shk_arena_alloc_raw(a, t->n * sizeof(*r->val));
	return r->state && r->val ? 0 : -ENOMEM;
}

static bool fill_list(struct shk_slot_run *r, const struct shk_slot *s, struct shk_value *out)
{
	struct shk_str *v = SHK_ARENA_ARRAY(r->ctx->ev->arena, struct shk_str, s->n_arg);

	if (!v)
		return false;
	for (size_t i = 0; i < s->n_arg; i++) {
		if (r->state[s->arg[i]] != SHK_SLOT_OK)
			return false;
		v[i] = r->val[s->arg[i]].s;
	}
	out->list = (struct shk_strvec){ .v = v, .n = s->n_arg };
	return true;
}

static bool fill_call(struct shk_slot_run *r, const struct shk_slot *s, struct shk_value *out)
{
	struct shk_arena *a = r->ctx->ev->arena;
	const struct shk_value *few[ARGS_MAX], **arg = few;

	if (s->n_arg > ARGS_MAX)
		arg = shk_arena_alloc_raw(a, s->n_arg * sizeof(struct shk_value *));
	if (!arg)
		return false;
	for (size_t i = 0; i < s->n_arg; i++) {
		if (r->state[s->arg[i]] != SHK_SLOT_OK)
			return false;
		arg[i] = &r->val[s->arg[i]];
	}
	return shk_transform_apply(a, s, arg, out);
}

/* What the slot is made of has been filled. */
static void fill(struct shk_slot_run *r, uint32_t i)
{
	const struct shk_slot *s = &r->slot[i];
	struct shk_value *out = &r->val[i];
	bool ok = true;

	out->type = s->type;
	switch (s->kind) {
	case SHK_OPERAND_FIELD:
		ok = shk_field_get(r->ctx, &s->ref, out);
		break;
	case SHK_OPERAND_TEXT:
		out->s = s->text;
		break;
	case SHK_OPERAND_LIST:
		ok = fill_list(r, s, out);
		break;
	case SHK_OPERAND_CALL:
		ok = fill_call(r, s, out);
		break;
	default:
		ok = false;
	}
	r->state[i] = ok ? SHK_SLOT_OK : SHK_SLOT_MISSING;
}

const struct shk_value *shk_slot_fill(struct shk_slot_run *r, uint32_t i)
{
	const struct shk_slot *s = &r->slot[i];

	if (s->kind == SHK_OPERAND_FIELD) { /* nearly all are */
		bool ok = shk_field_get(r->ctx, &s->ref, &r->val[i]);

		r->state[i] = ok ? SHK_SLOT_OK : SHK_SLOT_MISSING;
		return ok ? &r->val[i] : NULL;
	}
	for (size_t k = 0; k < s->n_need; k++)
		if (r->state[s->need[k]] == SHK_SLOT_UNKNOWN)
			fill(r, s->need[k]);
	if (!s->n_need)
		fill(r, i);
	return r->state[i] == SHK_SLOT_OK ? &r->val[i] : NULL;
}
