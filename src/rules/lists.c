// SPDX-License-Identifier: Apache-2.0
/* Lists are pasted into conditions as text, before parsing (FALCO_RULE_LANGUAGE section 5). */
#include <errno.h>

#include "rules/load.h"

bool shk_list_edge(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == ')' ||
	       c == ',' || c == '=';
}

static bool has_edge(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (shk_list_edge(s.p[i]))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int join(struct shk_build *b, struct shk_build_list *l)
{
	_cleanup_buf_ struct shk_buf out;

	shk_buf_init(&out, SHK_CONDITION_MAX);
	for (size_t i = 0; i < l->n; i++) {
		struct shk_str s = l->item[i];
		bool quote = s.n && s.p[0] != '"' && s.p[0] != '\'' && memchr(s.p, ' ', s.n);

		if (i)
			shk_buf_adds(&out, ", ");
		if (quote)
			shk_buf_addc(&out, '"');
		shk_buf_addstr(&out, s);
		if (quote)
			shk_buf_addc(&out, '"');
	}
	if (out.failed && out.n + (1u << 12) > SHK_CONDITION_MAX) {
		const struct shk_item *h = &l->l->h;
		struct shk_where w = shk_where_node("list", h->name, h->node, NULL, NULL);

		return shk_load_error(b->l, "LOAD_ERR_COMPILE_CONDITION", &w,
				      "the items of list '%.*s' have more than %u bytes; split it",
				      SHK_STR_ARG(h->name), SHK_CONDITION_MAX);
	}
	if (out.failed)
		return -ENOMEM;
	l->joined = shk_arena_str(&b->a, out.n ? shk_buf_view(&out) : (struct shk_str){ "", 0 });
	return l->joined.p ? 0 : -ENOMEM;
}

/* The list that an item of `in` names and that is visible to it, or NULL. */
static struct shk_build_list *inner(struct shk_build *b, const struct shk_list *in,
				    struct shk_str item)
{
	struct shk_build_list *o = shk_map_get(&b->list_of, item);

	return o && o->l != in && o->l->h.order < in->h.visible ? o : NULL;
}

int shk_build_lists(struct shk_build *b)
{
	const struct shk_tables *t = &b->l->t;
	int r;

	b->n_list = t->lists.n;
	b->list = SHK_ARENA_ARRAY(&b->a, struct shk_build_list, b->n_list);
	if (!b->list)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_list; i++) {
		b->list[i].l = t->lists.p[i];
		b->list[i].odd_name = has_edge(b->list[i].l->h.name);
		b->odd_names |= b->list[i].odd_name;
		if (shk_map_set(&b->list_of, b->list[i].l->h.name, &b->list[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < b->n_list; i++) {
		const struct shk_list *l = b->list[i].l;
		struct shk_build_list *o;
		struct shk_str *to;
		size_t n = 0;

		for (size_t k = 0; k < l->n; k++)
			n += (o = inner(b, l, l->item[k])) ? o->l->n : 1;
		b->list[i].item = to = SHK_ARENA_ARRAY(&b->a, struct shk_str, n);
		if (!to)
			return -ENOMEM;
		b->list[i].n = n;
		for (size_t k = 0; k < l->n; k++) {
			o = inner(b, l, l->item[k]);
			if (!o) {
				*to++ = l->item[k];
				continue;
			}
			o->used = true;
			if (o->l->n)
				memcpy(to, o->l->item, o->l->n * sizeof(*to));
			to += o->l->n;
		}
		r = join(b, &b->list[i]);
		if (r < 0)
			return r;
	}
	return 0;
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
		bool comma = !l->n;

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
		const struct shk_build_list *l;

		if (i < in.n && !shk_list_edge(in.p[i]))
			continue;
		l = i > start ? shk_map_get(&b->list_of, (struct shk_str){ in.p + start, i - start }) :
				NULL;
		start = i + 1;
		if (l && l->l->h.index >= from && l->l->h.index < best)
			best = l->l->h.index;
	}
	for (size_t i = from; b->odd_names && i < best; i++)
		if (b->list[i].odd_name && find(in, b->list[i].l->h.name, 0) < in.n)
			best = i;
	return best;
}

static int paste_all(struct shk_build *b, struct paste *p, struct shk_str in, struct shk_str *ret,
		     const unsigned **origin)
{
	unsigned *from = NULL;

	if (origin) {
		from = SHK_ARENA_ARRAY(&b->a, unsigned, in.n + 1);
		if (!from)
			return -ENOMEM;
		for (size_t i = 0; i <= in.n; i++)
			from[i] = (unsigned)i;
	}
	for (size_t i = 0; (i = next_list(b, in, i)) < b->n_list; i++) {
		b->list[i].used = true;
		shk_buf_reset(&p->text);
		shk_buf_reset(&p->from);
		paste_list(p, in, from, &b->list[i]);
		if (p->text.failed || p->from.failed)
			return p->text.n + (1u << 12) > SHK_CONDITION_MAX ? -E2BIG : -ENOMEM;
		if (origin) {
			unsigned end = from[in.n];

			from = SHK_ARENA_ARRAY(&b->a, unsigned, p->text.n + 1);
			if (!from)
				return -ENOMEM;
			if (p->text.n)
				memcpy(from, p->from.p, p->text.n * sizeof(*from));
			from[p->text.n] = end;
		}
		in = shk_arena_str(&b->a, p->text.n ? shk_buf_view(&p->text) :
						      (struct shk_str){ "", 0 });
		if (!in.p)
			return -ENOMEM;
	}
	*ret = in;
	if (origin)
		*origin = from;
	return 0;
}

int shk_build_paste(struct shk_build *b, struct shk_str in, struct shk_str *ret,
		    const unsigned **origin)
{
	struct paste p = { .track = origin != NULL };
	int r;

	shk_buf_init(&p.text, SHK_CONDITION_MAX);
	shk_buf_init(&p.from, SHK_CONDITION_MAX * sizeof(unsigned));
	r = paste_all(b, &p, in, ret, origin);
	shk_buf_done(&p.text);
	shk_buf_done(&p.from);
	return r;
}
