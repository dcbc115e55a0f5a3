// SPDX-License-Identifier: Apache-2.0
/*
 * Events that look alike. Most calls are ones that were made before: the same file opened in the same way by the next
 * process. Questions whose answers follow from what an event shows (shk_field_is_shown) need not be asked of
 * its like again: its face leads straight to the question behind them, or to the leaf.
 *
 * Faces lie one behind the other in a ring and are compared in full; the oldest make room, so a container
 * that makes new ones all the time loses nothing but the short cut.
 */
#include "rules/memo.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "state/process.h"

#define TEXT_MAX 512u /* bytes of all texts of a face */
#define NAMES	 2u   /* paths and other texts a call names */
#define LUCK_MAX 64 /* per type of event: a hit pays for four that are not known */
#define TRY	 16 /* without any, one in so many is tried */

/* What there is to see of an event of one type. */
struct looks {
	bool whole; /* nothing else is to be seen */
	uint8_t n_reg, n_name, n_path;
	uint8_t reg[6], name[NAMES]; /* arguments; of names, paths come first */
};

/* In the ring, in 8-byte words: then registers, lengths of the texts, and texts one behind the other. Whether there is
 * a working directory, the names tell. */
struct kept {
	uint32_t node;
	uint32_t call; /* and ABI */
	uint32_t n_text;
	int64_t result;
	uint64_t comm[2];
};
#define LENGTHS 4u /* room for those of SHK_MEMO_FACE_TEXTS texts, in whole words */

static bool is_text(enum shk_arg_kind k)
{
	return k == SHK_ARG_PATH || k == SHK_ARG_STRING;
}

/* What others stand for changes: shk_field_is_shown has nothing to do with them. */
static bool says_itself(enum shk_arg_kind k)
{
	return !shk_arg_kind_follows(k) && shk_arg_is_shown(k);
}

static struct looks looks_of[SHK_CALL_N];
static pthread_once_t looks_once = PTHREAD_ONCE_INIT;

static void add_names(struct looks *l, const struct shk_syscall *call, enum shk_arg_kind kind)
{
	for (unsigned i = 0; i < call->nargs; i++) {
		if (call->arg[i].kind != kind)
			continue;
		if (l->n_name < NAMES)
			l->name[l->n_name++] = (uint8_t)i;
		else
			l->whole = false;
	}
}

static void make_looks(void)
{
	for (unsigned id = 0; id < SHK_CALL_N; id++) {
		const struct shk_syscall *call = &shk_syscalls[id];
		struct looks *l = &looks_of[id];

		l->whole = true;
		add_names(l, call, SHK_ARG_PATH);
		l->n_path = l->n_name;
		add_names(l, call, SHK_ARG_STRING);
		for (unsigned i = 0; i < call->nargs; i++) {
			if (says_itself(call->arg[i].kind))
				l->reg[l->n_reg++] = (uint8_t)i;
			else if (shk_arg_kind_follows(call->arg[i].kind) && !is_text(call->arg[i].kind))
				l->whole = false;
		}
	}
}

void shk_memo_face_init(void)
{
	pthread_once(&looks_once, make_looks);
}

bool shk_memo_has_face(enum shk_call_id id)
{
	return looks_of[id].whole;
}

static inline uint64_t mix(uint64_t h, uint64_t v)
{
	return (h + v) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Some of the bytes: what they leave out, the comparison finds. */
static inline uint64_t mix_text(uint64_t h, struct shk_str s)
{
	if (s.n < 8)
		return mix(h, shk_load_few(s.p, s.n));
	return mix(h ^ s.n, shk_load_8(s.p + s.n / 2 - 4) * 5 + shk_load_8(s.p + s.n - 8));
}

static uint32_t call_of(const struct shk_event *ev)
{
	return (uint32_t)ev->call->id << 8 | (uint32_t)ev->abi;
}

/* As supposed: shk_event_result. */
static int64_t result_of(const struct shk_event *ev)
{
	return ev->has_ret ? ev->ret : 0;
}

/* false: it shows something else as well, or does not stand for what it shows. */
static inline bool look(struct shk_run *run, const struct looks *l, struct shk_memo_face *f)
{
	struct shk_eval_ctx *ctx = run->slots.ctx;
	const struct shk_event *ev = ctx->ev;
	uint64_t h = call_of(ev);
	unsigned want = (run->memo.m->faces.of_program ? SHK_PLACE_COMM : 0) | (l->n_path ? SHK_PLACE_NAMES : 0);
	struct shk_task_place place;
	size_t bytes = 0;
	unsigned n = 0;

	if (ctx->by_object || ctx->fd || ev->has_object)
		return false;
	for (unsigned i = 0; i < l->n_name; i++) {
		const struct shk_arg *a = &ev->arg[l->name[i]];

		if (a->state != SHK_ARG_OK || !a->bytes.n || a->bytes.n > TEXT_MAX)
			return false;
		bytes += a->bytes.n;
		h = mix_text(h, a->bytes);
		f->text[n++] = a->bytes;
		if (i < l->n_path && a->bytes.p[0] != '/') {
			const struct shk_arg_desc *d = &ev->call->arg[l->name[i]];

			if (d->dirfd_arg >= 0 && (int)ev->raw[d->dirfd_arg] != AT_FDCWD)
				return false;
			want |= SHK_PLACE_CWD;
		}
	}
	f->comm[0] = f->comm[1] = 0;
	if (want && !shk_event_place(ctx, want, &place))
		return false;
	if (want & SHK_PLACE_COMM) {
		f->comm[0] = place.comm[0];
		f->comm[1] = place.comm[1];
		h = mix(h, f->comm[0] + f->comm[1]);
	}
	if (want & SHK_PLACE_CWD) {
		bytes += place.cwd.n;
		h = mix_text(h, place.cwd);
		f->text[n++] = place.cwd;
	}
	for (unsigned i = 0; i < l->n_reg; i++)
		h = mix(h, ev->raw[l->reg[i]]);
	f->n_text = n;
	f->hash = (uint32_t)(h >> 32 ^ h >> 51);
	return bytes <= TEXT_MAX;
}

/* ---- the ring ---- */

static inline bool same(const struct kept *k, const struct shk_event *ev, const struct looks *l,
			const struct shk_memo_face *f)
{
	const uint64_t *w = (const uint64_t *)(k + 1);
	const uint16_t *n = (const uint16_t *)(w + l->n_reg); /* of one call, so is their number */
	const char *p = (const char *)(n + LENGTHS);

	if (k->call != call_of(ev) || k->n_text != f->n_text || k->comm[0] != f->comm[0] || k->comm[1] != f->comm[1] ||
	    k->result != result_of(ev))
		return false;
	for (unsigned i = 0; i < l->n_reg; i++)
		if (w[i] != ev->raw[l->reg[i]])
			return false;
	for (unsigned i = 0; i < f->n_text; p += n[i++])
		if (n[i] != f->text[i].n || !shk_same_bytes(p, f->text[i].p, n[i]))
			return false;
	return true;
}

static struct kept *at(const struct shk_memo_faces *r, uint32_t place)
{
	return (struct kept *)(r->ring + place % SHK_MEMO_RING);
}

/* Not yet written over by newer ones. */
static bool is_there(const struct shk_memo_faces *r, const struct shk_memo_cell *c)
{
	return c->at && r->head - c->at <= SHK_MEMO_RING;
}

/* Two cells are looked at. NULL: it is not there. */
static inline const struct kept *find(const struct shk_memo_faces *r, const struct shk_event *ev, const struct looks *l,
				      const struct shk_memo_face *f)
{
	const struct shk_memo_cell *c;

	if (!r->ring)
		return NULL;
	c = &r->cell[f->hash % SHK_MEMO_FACES & ~1u];
	for (unsigned i = 0; i < 2; i++)
		if (c[i].hash == f->hash && is_there(r, &c[i]) && same(at(r, c[i].at), ev, l, f))
			return at(r, c[i].at);
	return NULL;
}

void shk_memo_forget_faces(struct shk_memo *m)
{
	if (m->faces.cell && m->faces.head != SHK_MEMO_RING)
		memset(m->faces.cell, 0, SHK_MEMO_FACES * sizeof(*m->faces.cell));
	m->faces.head = SHK_MEMO_RING; /* 0 is no place */
}

void shk_memo_face_of_program(struct shk_memo *m)
{
	if (!m->faces.of_program)
		shk_memo_forget_faces(m);
	m->faces.of_program = true;
}

/* Room for n bytes in one piece. 0: none. */
static uint32_t take(struct shk_memo *m, size_t n)
{
	struct shk_memo_faces *r = &m->faces;
	uint32_t place;

	if (!r->ring) {
		r->ring = malloc(SHK_MEMO_RING);
		r->cell = calloc(SHK_MEMO_FACES, sizeof(*r->cell));
		if (!r->ring || !r->cell) {
			free(r->ring);
			free(r->cell);
			r->ring = NULL;
			r->cell = NULL;
			return 0;
		}
	}
	if (r->head > UINT32_MAX - 2 * SHK_MEMO_RING)
		shk_memo_forget_faces(m);
	if (r->head % SHK_MEMO_RING + n > SHK_MEMO_RING)
		r->head += SHK_MEMO_RING - r->head % SHK_MEMO_RING;
	place = r->head;
	r->head += (uint32_t)n;
	return place;
}

static void write_face(struct kept *k, const struct shk_event *ev, const struct shk_memo_face *f, uint32_t node)
{
	const struct looks *l = &looks_of[ev->call->id];
	uint64_t *w = (uint64_t *)(k + 1);
	uint16_t *n = (uint16_t *)(w + l->n_reg);
	char *p = (char *)(n + LENGTHS);

	*k = (struct kept){ .node = node, .call = call_of(ev), .n_text = f->n_text,
			    .result = result_of(ev), .comm = { f->comm[0], f->comm[1] } };
	for (unsigned i = 0; i < l->n_reg; i++)
		w[i] = ev->raw[l->reg[i]];
	for (unsigned i = 0; i < f->n_text; i++) {
		n[i] = (uint16_t)f->text[i].n;
		if (n[i])
			p = mempcpy(p, f->text[i].p, n[i]);
	}
}

/* Some calls hardly ever come again. */
static inline bool is_worth_it(struct shk_memo_luck *l)
{
	return l->luck < LUCK_MAX || l->seen++ % TRY == 0;
}

uint32_t shk_memo_face(struct shk_run *run, struct shk_memo_face *f)
{
	const struct shk_event *ev = run->slots.ctx->ev;
	struct shk_memo *m = run->memo.m;
	struct shk_memo_luck *luck;
	const struct kept *k;

	if (!ev->call || !ev->attempt || !shk_memo_has_face(ev->call->id))
		return 0;
	luck = &m->faces.luck[ev->call->id];
	if (!is_worth_it(luck) || !look(run, &looks_of[ev->call->id], f))
		return 0;
	k = find(&m->faces, ev, &looks_of[ev->call->id], f);
	if (k) {
		if (luck->luck)
			luck->luck = luck->luck > 4 ? (uint8_t)(luck->luck - 4) : 0;
		return k->node;
	}
	luck->luck = (uint8_t)(luck->luck + (luck->luck < LUCK_MAX));
	run->memo.face = f;
	return 0;
}

void shk_memo_keep_face(struct shk_run *run, uint32_t node)
{
	const struct shk_event *ev = run->slots.ctx->ev;
	const struct shk_memo_face *f = run->memo.face;
	struct shk_memo_faces *r = &run->memo.m->faces;
	struct shk_memo_cell *c;
	size_t n = sizeof(struct kept) + LENGTHS * sizeof(uint16_t) + looks_of[ev->call->id].n_reg * sizeof(uint64_t);
	uint32_t place;

	for (unsigned i = 0; i < f->n_text; i++)
		n += f->text[i].n;
	place = take(run->memo.m, (n + 7) & ~(size_t)7);
	if (!place)
		return;
	write_face(at(r, place), ev, f, node);
	c = &r->cell[f->hash % SHK_MEMO_FACES & ~1u];
	c[1] = c[0];
	c[0] = (struct shk_memo_cell){ f->hash, place };
}
