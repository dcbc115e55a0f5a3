// SPDX-License-Identifier: Apache-2.0
/*
 * gen.c - random conditions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gen.h"

static const char *const *fields;
static size_t n_fields, n_made;

static const char *const text_ops[] = { "=", "==", "!=", "contains", "icontains", "startswith",
					"endswith", "glob", "iglob", "regex", "in", "intersects",
					"pmatch", "in", "pmatch", "startswith", "contains", "<", ">=", "<=", ">" };
static const char *const number_ops[] = { "=", "!=", "<", "<=", ">", ">=", "in", "intersects", "==" };
static const char *const plain_ops[] = { "=", "!=", "<", "<=", ">", ">=" };
static const char *const equal_ops[] = { "=", "!=", "in", "intersects", "==" };
static const char *const byte_ops[] = { "=", "!=", "contains", "startswith", "endswith", "bcontains",
					"bstartswith", "in", "intersects" };
static const char *const list_ops[] = { "in", "intersects" };

static const char *pick_op(struct rnd *r, enum shk_type t)
{
	switch (t) {
	case SHK_T_STRING:
	case SHK_T_PATH:
		return RND_OF(r, text_ops);
	case SHK_T_BYTES:
		return RND_OF(r, byte_ops);
	case SHK_T_LIST:
		return RND_OF(r, list_ops);
	case SHK_T_BOOL:
	case SHK_T_IPADDR:
	case SHK_T_IPNET:
		return RND_OF(r, equal_ops);
	default:
		return RND_OF(r, number_ops);
	}
}

/* ---- what the events' fields say ---- */

static const struct gen_samples *samples_of(struct gen *g, size_t field, const struct shk_field_ref *ref)
{
	struct gen_samples *s = &g->samples[field];

	for (size_t i = 0; !s->asked && i < g->n_ev && s->n < GEN_SAMPLES; i++) {
		struct shk_value v = { .type = ref->type };
		bool multi = (ref->field->flags & SHK_F_MULTI) && !ref->has_arg;

		if (multi)
			for (unsigned k = 0; s->n < GEN_SAMPLES && shk_field_candidate(&g->ev[i].ctx, ref, k, &v); k++)
				s->v[s->n++] = v;
		else if (shk_field_get(&g->ev[i].ctx, ref, &v))
			s->v[s->n++] = v;
	}
	s->asked = true;
	return s;
}

static struct shk_value sample(struct gen *g, size_t field, const struct shk_field_ref *ref)
{
	const struct gen_samples *s = samples_of(g, field, ref);
	struct shk_value v = { .type = ref->type };

	if (s->n && !rnd_in(g->r, 15))
		return s->v[rnd_below(g->r, s->n)];
	if (ref->type == SHK_T_STRING || ref->type == SHK_T_PATH || ref->type == SHK_T_BYTES) {
		if (s->n)
			v.s = s->v[0].s;
		else
			v.s = world_text(g->r, &g->ev[0].arena);
	}
	if (ref->type == SHK_T_DOUBLE)
		v.u = shk_double_order(0);
	if (ref->type == SHK_T_IPADDR || ref->type == SHK_T_IPNET)
		v.ip.len = 4;
	return v;
}

/* What index and register filter are made from, and what rules ask most. */
static size_t favourite(struct rnd *r)
{
	static const char *const names[] = {
		"evt.type", "evt.type", "evt.type", "evt.type", "evt.is_open_write", "evt.is_open_read",
		"evt.arg.flags", "evt.arg.domain", "evt.arg.request", "evt.arg.type", "evt.rawarg.flags",
		"evt.rawres", "evt.arg.name", "fd.name", "fd.num", "fd.ip", "fd.net", "fd.port", "fd.sip",
		"proc.name", "proc.aname", "proc.cmdline", "proc.pid", "user.name", "container.id",
	};
	const char *name = RND_OF(r, names);
	size_t i = 0;

	while (i + 1 < n_fields && strcmp(fields[i], name) != 0)
		i++;
	return i;
}

static size_t pick_field(struct gen *g)
{
	struct shk_field_ref ref;
	struct shk_err err;

	if (rnd_in(g->r, 4))
		return favourite(g->r);
	if (rnd_in(g->r, 2)) { /* every type alike */
		enum shk_type t = (enum shk_type)rnd_below(g->r, SHK_T_N);

		for (unsigned tries = 0; tries < 100; tries++) {
			size_t i = rnd_below(g->r, n_made);

			if (shk_field_parse(shk_str(fields[i]), &ref, &err) == 0 && ref.type == t)
				return i;
		}
	}
	if (rnd_in(g->r, 2))
		return g->hot[rnd_below(g->r, GEN_HOT)];
	return rnd_in(g->r, 2) ? rnd_below(g->r, n_made) : n_made + rnd_below(g->r, n_fields - n_made);
}

static bool is_text(enum shk_type t)
{
	return t == SHK_T_STRING || t == SHK_T_PATH;
}

static bool is_words(enum shk_type t)
{
	return is_text(t) || t == SHK_T_LIST;
}

static bool is_event_type(const char *name)
{
	return strcmp(name, "evt.type") == 0;
}

static void blank(struct gen *g, struct shk_buf *out)
{
	static const char *const blanks[] = { " ", " ", " ", "  ", "\t", "\n", " \r\n" };

	shk_buf_adds(out, RND_OF(g->r, blanks));
}

static void maybe_blank(struct gen *g, struct shk_buf *out)
{
	if (rnd_in(g->r, 3))
		blank(g, out);
}

static void constants(struct gen *g, size_t field, const struct shk_field_ref *ref, const char *op,
		      enum shk_type type, struct shk_buf *out)
{
	static const unsigned sizes[] = { 0, 1, 1, 2, 2, 3, 4, 5, 8, 30 };
	unsigned n = RND_OF(g->r, sizes);

	shk_buf_addc(out, '(');
	for (unsigned i = 0; i < n; i++) {
		struct shk_value v = sample(g, field, ref);

		v.type = type;
		shk_buf_adds(out, i ? "," : "");
		maybe_blank(g, out);
		gen_constant(g->r, &v, op, is_event_type(ref->field->name), out);
		maybe_blank(g, out);
	}
	shk_buf_addc(out, ')');
}

/* ---- transformers ---- */

/* A call that gives a string, of fields that are strings. */
static void text_call(struct gen *g, const char *of, struct shk_buf *out)
{
	static const char *const simple[] = { "tolower", "toupper", "basename" };

	switch (rnd_below(g->r, 9)) {
	case 0:
		shk_buf_printf(out, "concat(%s, \"%s\")", of, rnd_in(g->r, 2) ? "" : "a");
		break;
	case 1:
		shk_buf_printf(out, "concat(made.word,%s , made.word2)", of);
		break;
	case 2:
		shk_buf_printf(out, "join(\",\", (%s, 'b'))", of);
		break;
	case 3:
		shk_buf_adds(out, rnd_in(g->r, 2) ? "join(made.word, made.list)" : "join(\"\",toupper(made.args))");
		break;
	case 4:
		shk_buf_printf(out, "getopt(made.args, \"%s\")[%c]", rnd_in(g->r, 2) ? "abo:" : ":o:ab:",
			       "abo"[rnd_below(g->r, 3)]);
		break;
	case 5:
		shk_buf_adds(out, "b64(made.coded)");
		break;
	case 6:
		shk_buf_printf(out, "tolower(basename(%s))", of);
		break;
	default:
		shk_buf_printf(out, "%s(%s)", RND_OF(g->r, simple), of);
	}
}

/* A comparison whose left side is a call. */
static void call_check(struct gen *g, size_t field, const struct shk_field_ref *ref, struct shk_buf *out)
{
	static const char *const lists[] = { "getopt(made.args, \"abo:\")", "getopt(made.args, ':a:bx')",
					     "getopt((made.word, \"-b\", \"-o\"), \"bo:\")",
					     "getopt(tolower(made.args), \"abo:\")", "toupper(made.list)",
					     "basename(made.args)", "b64(made.list2)" };
	static const char *const lengths[] = { "len(made.list)", "len(made.bytes)", "len(made.args)",
					       "len(made.word)", "len((made.word, 'b'))", "len(\"const\")" };
	static const char *const outcomes[] = { "ab", "a", "b", "o", "file", "?", ":", "-o", "" };
	struct shk_value v = { .type = SHK_T_UINT64, .u = rnd_below(g->r, 6) };
	const char *op;

	switch (rnd_below(g->r, 6)) {
	case 0:
		shk_buf_printf(out, "%s %s %u", RND_OF(g->r, lengths), RND_OF(g->r, plain_ops),
			       (unsigned)v.u);
		return;
	case 1:
		shk_buf_printf(out, "%s %s (", RND_OF(g->r, lists), RND_OF(g->r, list_ops));
		for (unsigned i = 0, n = 1 + (unsigned)rnd_below(g->r, 8); i < n; i++) {
			shk_buf_adds(out, i ? ", " : "");
			gen_word(g->r, shk_str(RND_OF(g->r, outcomes)), out);
		}
		shk_buf_addc(out, ')');
		return;
	case 2:
		shk_buf_printf(out, "b64(made.bytes) %s ", rnd_in(g->r, 2) ? "=" : "startswith");
		gen_word(g->r, rnd_in(g->r, 2) ? SHK_STR("bash") : SHK_STR("/etc/passwd"), out);
		return;
	default:
		break;
	}
	text_call(g, is_text(ref->type) ? ref->field->name : "made.str", out);
	if (rnd_in(g->r, 12)) {
		shk_buf_adds(out, " exists");
		return;
	}
	op = RND_OF(g->r, text_ops);
	v = sample(g, field, ref);
	if (!is_text(v.type))
		v = (struct shk_value){ .type = SHK_T_STRING, .s = SHK_STR("ab") };
	if (rnd_in(g->r, 3))
		v.s = shk_str(RND_OF(g->r, outcomes));
	if (op[0] == '<' || op[0] == '>') {
		shk_buf_printf(out, " %s %u", op, (unsigned)rnd_below(g->r, 6));
		return;
	}
	shk_buf_printf(out, " %s ", op);
	if (strcmp(op, "in") == 0 || strcmp(op, "intersects") == 0 || strcmp(op, "pmatch") == 0)
		shk_buf_addc(out, '(');
	gen_constant(g->r, &v, op, false, out);
	if (strcmp(op, "in") == 0 || strcmp(op, "intersects") == 0 || strcmp(op, "pmatch") == 0)
		shk_buf_addc(out, ')');
}

/* val(f) or a transformer of f on the right side; false: nothing fits. */
static bool right_side(struct gen *g, const struct shk_field_ref *left, const char *op, struct shk_buf *out)
{
	struct shk_field_ref ref;
	struct shk_err err;

	if ((left->field->flags & SHK_F_NO_RHS) || left->type == SHK_T_IPNET || is_event_type(left->field->name) ||
	    strcmp(op, "pmatch") == 0 || strcmp(op, "regex") == 0 || strcmp(op, "bcontains") == 0 ||
	    strcmp(op, "bstartswith") == 0)
		return false;
	for (unsigned tries = 0; tries < 40; tries++) {
		size_t i = rnd_below(g->r, 2) ? rnd_below(g->r, n_made) : rnd_below(g->r, n_fields);

		if (shk_field_parse(shk_str(fields[i]), &ref, &err) < 0 || (ref.field->flags & SHK_F_NO_RHS) ||
		    (ref.type != left->type && !(op[0] == 'i' && is_words(ref.type) && is_words(left->type))))
			continue;
		shk_buf_printf(out, "%s ", op);
		if (ref.type == SHK_T_STRING && !(ref.field->flags & SHK_F_NO_TRANSFORM) && rnd_in(g->r, 3))
			text_call(g, fields[i], out);
		else
			shk_buf_printf(out, "val(%s)", fields[i]);
		return true;
	}
	return false;
}

void gen_check(struct gen *g, struct shk_buf *out)
{
	static const char *const mods[] = { "oneof", "anyof", "allof" };
	size_t field = pick_field(g);
	struct shk_field_ref ref;
	struct shk_err err;
	struct shk_value v;
	const char *op;
	bool word, list;

	if (shk_field_parse(shk_str(fields[field]), &ref, &err) < 0)
		abort(); /* it was accepted when the list was made */
	do
		op = pick_op(g->r, ref.type); /* evt.type is compared with names of events only */
	while (is_event_type(ref.field->name) && (op[0] == '<' || op[0] == '>'));
	if (rnd_in(g->r, 9) && field < n_made && !(ref.field->flags & SHK_F_NO_TRANSFORM)) {
		call_check(g, field, &ref, out);
		return;
	}
	shk_buf_adds(out, fields[field]);
	if (rnd_in(g->r, 10)) {
		shk_buf_adds(out, " exists");
		return;
	}
	word = op[0] >= 'a' && op[0] <= 'z';
	list = strcmp(op, "in") == 0 || strcmp(op, "intersects") == 0 || strcmp(op, "pmatch") == 0;
	if (rnd_in(g->r, 9)) {
		size_t at = out->n;

		shk_buf_addc(out, ' ');
		if (right_side(g, &ref, op, out))
			return;
		out->n = at;
	}
	if (word || rnd_in(g->r, 2))
		blank(g, out);
	shk_buf_adds(out, op);
	if (op[0] == '<' || op[0] == '>') { /* a number, for text too */
		maybe_blank(g, out);
		v = sample(g, field, &ref);
		if (is_text(ref.type))
			shk_buf_printf(out, "%d", (int)rnd_below(g->r, 60) - 30);
		else if (ref.type == SHK_T_DOUBLE)
			shk_buf_printf(out, "%d", (int)shk_double_of(v.u));
		else if (ref.type == SHK_T_INT64)
			shk_buf_printf(out, "%lld", (long long)v.i);
		else
			shk_buf_printf(out, "%llu", (unsigned long long)v.u);
		return;
	}
	if (list) {
		maybe_blank(g, out);
		constants(g, field, &ref, op, ref.type, out);
		return;
	}
	if (rnd_in(g->r, 7)) {
		shk_buf_printf(out, " %s ", RND_OF(g->r, mods));
		constants(g, field, &ref, op, ref.type, out);
		return;
	}
	if (word || rnd_in(g->r, 2))
		blank(g, out);
	v = sample(g, field, &ref);
	gen_constant(g->r, &v, op, is_event_type(ref.field->name), out);
}

/* ---- shapes ---- */

static void remember(struct gen *g, const char *text, size_t n)
{
	size_t i = g->n_pool < GEN_POOL ? g->n_pool++ : rnd_below(g->r, GEN_POOL);

	free(g->pool[i]);
	g->pool[i] = strndup(text, n);
	if (!g->pool[i])
		abort();
}

/* alone: it can stand as an operand of `and`. */
static void part(struct gen *g, unsigned depth, bool alone, struct shk_buf *out)
{
	static const char *const words[] = { "and", "or" };
	const char *word;
	size_t from = out->n;
	unsigned n;

	if (g->n_pool && rnd_in(g->r, 6)) {
		shk_buf_printf(out, "(%s)", g->pool[rnd_below(g->r, g->n_pool)]);
		return;
	}
	if (!depth || rnd_in(g->r, 4)) {
		gen_check(g, out);
	} else if (rnd_in(g->r, 4)) {
		if (rnd_in(g->r, 3)) {
			shk_buf_adds(out, "not(");
			part(g, depth - 1, false, out);
			shk_buf_addc(out, ')');
		} else {
			shk_buf_adds(out, rnd_in(g->r, 6) ? "not not not " : "not ");
			part(g, depth - 1, true, out);
		}
	} else {
		word = RND_OF(g->r, words);
		n = 2 + (unsigned)rnd_below(g->r, 3);
		alone = alone || rnd_in(g->r, 3);
		shk_buf_adds(out, alone ? "(" : "");
		for (unsigned i = 0; i < n; i++) {
			bool closed = rnd_in(g->r, 3);

			if (i) {
				blank(g, out);
				shk_buf_adds(out, word);
				if (!closed || rnd_in(g->r, 2))
					blank(g, out);
			}
			shk_buf_adds(out, closed ? "(" : "");
			part(g, depth - 1, !closed && (word[0] == 'a' || rnd_in(g->r, 2)), out);
			shk_buf_adds(out, closed ? ")" : "");
		}
		shk_buf_adds(out, alone ? ")" : "");
	}
	remember(g, out->p + from, out->n - from);
}

void gen_condition(struct gen *g, struct shk_buf *out)
{
	unsigned depth = (unsigned)rnd_below(g->r, 4);

	if (rnd_in(g->r, 2)) {
		shk_buf_adds(out, rnd_in(g->r, 5) ? "not evt.type in (" : "evt.type in (");
		for (unsigned i = 0, n = 1 + (unsigned)rnd_below(g->r, 5); i < n; i++) {
			const struct shk_event *ev = &g->ev[rnd_below(g->r, g->n_ev)].ev;

			shk_buf_adds(out, i ? ", " : "");
			shk_buf_adds(out, ev->call ? ev->call->evt_type : "open");
		}
		shk_buf_adds(out, ") and ");
		part(g, depth, true, out);
	} else {
		part(g, depth, false, out);
	}
}

int gen_init(struct gen *g, struct rnd *r, struct world_event *ev, size_t n_ev)
{
	*g = (struct gen){ .r = r, .ev = ev, .n_ev = n_ev };
	fields = world_fields(&n_fields, &n_made);
	g->samples = calloc(n_fields, sizeof(*g->samples));
	for (size_t i = 0; i < GEN_HOT; i++)
		g->hot[i] = rnd_in(r, 3) ? rnd_below(r, n_fields) : rnd_below(r, n_made);
	return g->samples ? 0 : -1;
}

void gen_done(struct gen *g)
{
	free(g->samples);
	for (size_t i = 0; i < g->n_pool; i++)
		free(g->pool[i]);
}
