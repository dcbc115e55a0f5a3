// SPDX-License-Identifier: Apache-2.0
/* Lists are pasted into conditions as text, before parsing (FALCO_RULE_LANGUAGE section 5). */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"

bool shk_list_edge(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')' ||
	       c == ',' || c == '=';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The list that an item of `in` names and that is visible to it, or NULL. */
static const struct shk_list *inner(struct shk_build *b, const struct shk_list *in,
				    struct shk_str item)
{
	const struct shk_list *o = shk_map_get(&b->l->lists, item);

	return o && o != in && o->h.order < in->h.visible ? o : NULL;
}

static void join_item(struct shk_buf *out, struct shk_str s)
{
	bool quote = s.n && s.p[0] != '"' && s.p[0] != '\'' && memchr(s.p, ' ', s.n);

	if (out->n)
		shk_buf_adds(out, ", ");
	if (quote)
		shk_buf_addc(out, '"');
	shk_buf_addstr(out, s);
	if (quote)
		shk_buf_addc(out, '"');
}

/* One level deep, so that any number of lists in lists ends. */
static int join(struct shk_build *b, struct shk_build_list *l, struct shk_buf *out)
{
	int r = 0;

	l->empty = true;
	for (size_t i = 0; i < l->l->n && r >= 0 && !out->failed; i++) {
		const struct shk_list *o = inner(b, l->l, l->l->item[i]);

		if (!o) {
			join_item(out, l->l->item[i]);
			l->empty = false;
			continue;
		}
		r = shk_build_use(b, SHK_UNIT_LIST, o->h.index);
		for (size_t k = 0; k < o->n; k++)
			join_item(out, o->item[k]);
		l->empty &= !o->n;
	}
	if (out->failed && out->n + (1u << 12) > SHK_CONDITION_MAX) {
		const struct shk_item *h = &l->l->h;
		struct shk_where w = shk_where_node("list", h->name, h->node, NULL, NULL);

		return shk_load_error(b->l, "LOAD_ERR_COMPILE_CONDITION", &w,
				      "the items of list '%.*s' have more than %u bytes; split it",
				      SHK_STR_ARG(h->name), SHK_CONDITION_MAX);
	}
	return r < 0 ? r : out->failed ? -ENOMEM : 0;
}

int shk_build_lists(struct shk_build *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_todo[SHK_UNIT_LIST] && r >= 0; i++) {
		uint32_t at = b->todo[SHK_UNIT_LIST][i];
		struct shk_build_list *l = &b->list[at];
		struct shk_buf out;

		shk_buf_init(&out, SHK_CONDITION_MAX);
		shk_build_begin(b);
		r = join(b, l, &out);
		if (r < 0) {
			shk_buf_done(&out);
			return r;
		}
		free((char *)(uintptr_t)l->joined.p);
		l->joined = shk_buf_view(&out);
		r = shk_build_end(b, SHK_UNIT_LIST, at);
	}
	return r;
}

/* The text under work; `from` holds, when wanted, the original offset of each byte. */
struct paste {
	struct shk_buf text, from;
	bool track;
};

static void add(struct paste *p, struct shk_str s, const unsigned *from, unsigned same)
{
	shk_buf_addstr(&p->text, s);
	for (size_t i = 0; p->track && i < s.n; i++) {
		unsigned o = from ? from[i] : same;

		shk_buf_add(&p->from, &o, sizeof(o));
	}
}

static void strip(struct paste *p, size_t n)
{
	p->text.n -= n;
	if (p->track)
		p->from.n -= n * sizeof(unsigned);
}

static bool last_is(const struct paste *p, bool (*is)(char))
{
	return p->text.n && is(p->text.p[p->text.n - 1]);
}

/* Start of the next standalone occurrence of name at or behind `at`, or in.n. */
static size_t find(struct shk_str in, struct shk_str name, size_t at)
{
	while (name.n && at + name.n <= in.n) {
		const char *hit = memmem(in.p + at, in.n - at, name.p, name.n);
		size_t s = hit ? (size_t)(hit - in.p) : in.n;

		if (!hit)
			break;
		if ((!s || shk_list_edge(in.p[s - 1])) &&
		    (s + name.n == in.n || shk_list_edge(in.p[s + name.n])))
			return s;
		at = s + 1;
	}
	return in.n;
}

static void paste_list(struct paste *p, struct shk_str in, const unsigned *from,
		       const struct shk_build_list *l)
{
	size_t at = 0, s;

	while ((s = find(in, l->l->h.name, at)) < in.n) {
		unsigned origin = from ? from[s] : 0;
		bool comma = l->empty;

		add(p, (struct shk_str){ in.p + at, s - at }, from ? from + at : NULL, 0);
		while (last_is(p, is_blank))
			strip(p, 1);
		at = s + l->l->h.name.n;
		while (at < in.n && is_blank(in.p[at]))
			at++;
		if (comma && p->text.n && p->text.p[p->text.n - 1] == ',')
			strip(p, 1);
		else if (comma && at < in.n && in.p[at] == ',')
			at++;
		if (p->text.n)
			add(p, SHK_STR(" "), NULL, origin);
		add(p, l->joined, NULL, origin);
		add(p, SHK_STR(" "), NULL, origin);
	}
	add(p, (struct shk_str){ in.p + at, in.n - at }, from ? from + at : NULL, 0);
}

/* The first list from index `from` on that the text names, or n_list. What stands between two edges is
 * looked up, so that the work does not grow with the number of lists; names that hold an edge, which the
 * loader warns of, are searched for. */
static size_t next_list(struct shk_build *b, struct shk_str in, size_t from)
{
	size_t best = b->n_list, start = 0;

	for (size_t i = 0; i <= in.n; i++) {
		const struct shk_list *l;

		if (i < in.n && !shk_list_edge(in.p[i]))
			continue;
		l = i > start ? shk_map_get(&b->l->lists, (struct shk_str){ in.p + start, i - start }) :
				NULL;
		start = i + 1;
		if (l && l->h.index >= from && l->h.index < best)
			best = l->h.index;
	}
	for (size_t i = from; b->n_odd && i < best; i++)
		if (b->list[i].odd_name && find(in, b->list[i].l->h.name, 0) < in.n)
			best = i;
	return best;
}

static int paste_all(struct shk_build *b, struct shk_arena *a, struct paste *p, struct shk_str in,
		     struct shk_str *ret, const unsigned **origin)
{
	unsigned *from = NULL;

	if (origin) {
		from = SHK_ARENA_ARRAY(a, unsigned, in.n + 1);
		if (!from)
			return -ENOMEM;
		for (size_t i = 0; i <= in.n; i++)
			from[i] = (unsigned)i;
	}
	for (size_t i = 0; (i = next_list(b, in, i)) < b->n_list; i++) {
		if (shk_build_use(b, SHK_UNIT_LIST, (uint32_t)i) < 0)
			return -ENOMEM;
		shk_buf_reset(&p->text);
		shk_buf_reset(&p->from);
		paste_list(p, in, from, &b->list[i]);
		if (p->text.failed || p->from.failed)
			return p->text.n + (1u << 12) > SHK_CONDITION_MAX ? -E2BIG : -ENOMEM;
		if (origin) {
			unsigned end = from[in.n];

			from = SHK_ARENA_ARRAY(a, unsigned, p->text.n + 1);
			if (!from)
				return -ENOMEM;
			if (p->text.n)
				memcpy(from, p->from.p, p->text.n * sizeof(*from));
			from[p->text.n] = end;
		}
		in = shk_arena_str(a, p->text.n ? shk_buf_view(&p->text) :
						      (struct shk_str){ "", 0 });
		if (!in.p)
			return -ENOMEM;
	}
	*ret = in;
	if (origin)
		*origin = from;
	return 0;
}

int shk_build_paste(struct shk_build *b, struct shk_arena *a, struct shk_str in, struct shk_str *ret,
		    const unsigned **origin)
{
	struct paste p = { .track = origin != NULL };
	int r;

	if (in.n > SHK_CONDITION_MAX)
		return -E2BIG;
	shk_buf_init(&p.text, SHK_CONDITION_MAX);
	shk_buf_init(&p.from, SHK_CONDITION_MAX * sizeof(unsigned));
	r = paste_all(b, a, &p, in, ret, origin);
	shk_buf_done(&p.text);
	shk_buf_done(&p.from);
	return r;
}
