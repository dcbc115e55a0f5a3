// SPDX-License-Identifier: Apache-2.0
/* Diagnostics: making, collecting, printing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "rules/load.h"

#define SNIPPET_BEFORE 100 /* characters of a long line shown before the caret, */
#define SNIPPET_AFTER  60  /* and behind it */

int shk_vec_push(struct shk_arena *a, struct shk_vec *v, void *item)
{
	if (v->n == v->room) {
		size_t room = v->room ? v->room * 2 : 16;
		void **p = SHK_ARENA_ARRAY(a, void *, room);

		if (!p)
			return -ENOMEM;
		if (v->n)
			memcpy(p, v->p, v->n * sizeof(void *));
		v->p = p;
		v->room = room;
	}
	v->p[v->n++] = item;
	return 0;
}

struct shk_where shk_where_node(const char *type, struct shk_str name,
				const struct shk_rnode *item, const struct shk_rnode *part,
				const char *part_type)
{
	struct shk_where w = { .type = type, .name = name, .item = item, .part = part,
			       .part_type = part_type, .file = item->file };

	w.at = shk_rnode_pos(part ? part : item);
	return w;
}

static struct shk_diag_loc loc(const char *type, struct shk_str name, struct shk_str file,
			       struct shk_rpos at)
{
	return (struct shk_diag_loc){ .item_type = shk_str(type), .item_name = name, .name = file,
				      .line = at.line, .column = at.column,
				      .offset = at.offset };
}

/* How Falco names the source of a condition: its first 17 characters, when there are more than 20. */
static struct shk_str excerpt(struct shk_arena *a, struct shk_str s)
{
	bool cut = s.n > 20;
	const char *t = shk_arena_printf(a, "\"%.*s%s\"", cut ? 17 : (int)s.n, s.p,
					 cut ? "..." : "");

	return (struct shk_str){ t, t ? strlen(t) : 0 };
}

/* What a build says lives as long as the build, but for errors, which are the file's. */
static struct shk_arena *arena_of(struct shk_loader *l)
{
	return l->saying ? &l->out_arena : l->building ? &l->b.a : &l->a;
}

static int set_chain(struct shk_loader *l, struct shk_diag *d, const struct shk_where *w)
{
	struct shk_diag_loc *c = SHK_ARENA_ARRAY(arena_of(l), struct shk_diag_loc, 4);
	static const struct shk_str none = { "", 0 };
	struct shk_str file = w->item ? w->item->file->name : w->file->name;

	if (!c)
		return -ENOMEM;
	d->loc = c;
	c[d->n_loc++] = loc("rules content", none, file, (struct shk_rpos){ 0 });
	if (w->item)
		c[d->n_loc++] = loc(w->type ? w->type : "item", w->name, file,
				    shk_rnode_pos(w->item));
	if (!w->part)
		return 0;
	file = w->part->file->name;
	c[d->n_loc++] = loc(w->part_type, none, file, shk_rnode_pos(w->part));
	if (shk_str_ends(shk_str(w->part_type), SHK_STR(" condition"))) {
		c[d->n_loc] = loc("condition expression", none, excerpt(arena_of(l), w->part->text),
				  shk_rnode_pos(w->part));
		if (!c[d->n_loc++].name.p)
			return -ENOMEM;
	}
	return 0;
}

/* The part of the line around the caret, so that a long condition on one line stays readable. */
static void set_snippet(struct shk_diag *d, const struct shk_where *w)
{
	struct shk_str s = shk_rfile_line(w->file, w->at.line);
	size_t byte = w->file->text.p ? (size_t)w->at.offset - (size_t)(s.p - w->file->text.p) : 0;
	size_t start, end;

	byte = SHK_MIN(byte, s.n);
	start = byte > SNIPPET_BEFORE ? byte - SNIPPET_BEFORE : 0;
	end = SHK_MIN(s.n, byte + SNIPPET_AFTER);
	while (start < byte && ((unsigned char)s.p[start] & 0xc0) == 0x80)
		start++;
	while (end < s.n && ((unsigned char)s.p[end] & 0xc0) == 0x80)
		end++;
	d->snippet = (struct shk_str){ s.p + start, end - start };
	d->caret = 1;
	for (size_t i = start; i < byte; i++)
		d->caret += ((unsigned char)s.p[i] & 0xc0) != 0x80;
}

int shk_diag_keep(struct shk_loader *l, const struct shk_diag *d)
{
	struct shk_diag *to = SHK_ARENA_NEW(&l->a, struct shk_diag);
	struct shk_diag_loc *c = SHK_ARENA_ARRAY(&l->a, struct shk_diag_loc, d->n_loc);
	size_t end = d->hint.n ? (size_t)(d->hint.p + d->hint.n - d->message.p) : d->message.n;
	struct shk_str text = shk_arena_str(&l->a, (struct shk_str){ d->message.p, end });

	if (!to || !c || !text.p)
		return -ENOMEM;
	*to = *d;
	to->loc = c;
	to->message.p = text.p;
	to->hint.p = text.p + (d->hint.p - d->message.p);
	for (size_t i = 0; i < d->n_loc; i++) {
		c[i] = d->loc[i];
		c[i].name = shk_arena_str(&l->a, c[i].name);
		if (!c[i].name.p)
			return -ENOMEM;
	}
	return shk_vec_push(&l->a, &l->diags, to);
}

enum kind { ERROR, WARNING, NOTE };

static int add(struct shk_loader *l, enum kind kind, const char *code, const struct shk_where *w,
	       const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static int add(struct shk_loader *l, enum kind kind, const char *code, const struct shk_where *w,
	       const char *fmt, va_list ap)
{
	struct shk_arena *a = arena_of(l);
	struct shk_diag *d;
	char text[SHK_ERR_TEXT_MAX];
	struct shk_str m;
	size_t cut;

	if (l->muted)
		return 0;
	d = SHK_ARENA_NEW(a, struct shk_diag);
	if (!d)
		return -ENOMEM;
	vsnprintf(text, sizeof(text), fmt, ap);
	m = shk_arena_str(a, shk_str(text));
	if (!m.p)
		return -ENOMEM;
	*d = (struct shk_diag){ .error = kind == ERROR, .note = kind == NOTE, .code = code, .file = w->file->name,
				.line = w->at.line + 1, .column = w->at.column + 1,
				.message = m, .hint = { m.p + m.n, 0 } };
	for (cut = m.n; cut-- > 0;)
		if (m.p[cut] == ';' && cut + 1 < m.n && m.p[cut + 1] == ' ')
			break;
	if (cut < m.n) {
		d->message.n = cut;
		d->hint = (struct shk_str){ m.p + cut + 2, m.n - cut - 2 };
	}
	set_snippet(d, w);
	if (set_chain(l, d, w) < 0)
		return -ENOMEM;
	return shk_vec_push(a, l->saying ? l->saying : l->building ? &l->b.said : &l->diags, d);
}

int shk_load_error(struct shk_loader *l, const char *code, const struct shk_where *w,
		   const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = add(l, ERROR, code, w, fmt, ap);
	va_end(ap);
	return r < 0 ? r : -EINVAL;
}

int shk_load_warn(struct shk_loader *l, const char *code, const struct shk_where *w,
		  const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = add(l, WARNING, code, w, fmt, ap);
	va_end(ap);
	return r;
}

int shk_load_note(struct shk_loader *l, const char *code, const struct shk_where *w,
		  const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = add(l, NOTE, code, w, fmt, ap);
	va_end(ap);
	return r;
}

int shk_load_result(struct shk_loader *l, size_t from, int r, struct shk_err *err)
{
	if (r >= 0)
		return 0;
	for (size_t i = from; r == -EINVAL && i < l->diags.n; i++) {
		const struct shk_diag *d = l->diags.p[i];

		if (!d->error)
			continue;
		return shk_err_set(err, EINVAL, "%.*s:%u:%u: %.*s%s%.*s%s", SHK_STR_ARG(d->file),
				   d->line, d->column, SHK_STR_ARG(d->message),
				   d->hint.n ? " (" : "", SHK_STR_ARG(d->hint),
				   d->hint.n ? ")" : "");
	}
	return shk_err_sys(err, -r, "loading rules");
}

/* Control characters of a rule file must not reach the terminal. */
static void print_safe(struct shk_str s, struct shk_buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		shk_buf_addc(out, c == '\t' ? ' ' : c < ' ' || c == 0x7f ? '?' : (char)c);
	}
}

void shk_diag_print(const struct shk_diag *d, struct shk_buf *out)
{
	print_safe(d->file, out);
	shk_buf_printf(out, ":%u:%u: %s: ", d->line, d->column,
		       d->error ? "error" : d->note ? "note" : "warning");
	print_safe(d->message, out);
	shk_buf_printf(out, " [%s]\n", d->code);
	if (d->snippet.n) {
		shk_buf_adds(out, "    ");
		print_safe(d->snippet, out);
		shk_buf_printf(out, "\n    %*s\n", (int)d->caret, "^");
	}
	if (d->hint.n) {
		shk_buf_adds(out, "    hint: ");
		print_safe(d->hint, out);
		shk_buf_addc(out, '\n');
	}
}
