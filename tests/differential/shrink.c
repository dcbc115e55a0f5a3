// SPDX-License-Identifier: Apache-2.0
/*
 * shrink.c - the smallest conditions about which both sides still disagree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "set.h"

#define TRIES 3000

struct shrink {
	char *text[SET_MAX];
	bool must[SET_MAX];
	size_t n;
	struct rnd r;
	struct shk_str line;
	unsigned tries;
	bool is_taken; /* the question is who takes text[0], not what it says of the event */
};

static bool still(struct shrink *s)
{
	struct shk_err err;

	s->tries++;
	if (s->is_taken) {
		enum set_accepts who = set_accepts(s->text[0], NULL);

		return who == SET_NAIVE_ONLY || who == SET_PRODUCT_ONLY;
	}
	return !set_agrees_on((const char *const *)s->text, s->must, s->n, s->r, s->line, &err);
}

static void remove_rule(struct shrink *s, size_t i)
{
	memmove(&s->text[i], &s->text[i + 1], (s->n - i - 1) * sizeof(s->text[0]));
	memmove(&s->must[i], &s->must[i + 1], (s->n - i - 1) * sizeof(s->must[0]));
	s->n--;
}

static bool drop_rule(struct shrink *s)
{
	for (size_t i = s->n; i-- > 0 && s->n > 1;) {
		struct shrink smaller = *s;

		remove_rule(&smaller, i);
		if (!still(&smaller))
			continue;
		free(s->text[i]);
		remove_rule(s, i);
		return true;
	}
	return false;
}

/* Text of e without child `without`, or of child `only`. */
static char *smaller_text(const char *text, const struct nv_node *e, size_t only, size_t without)
{
	struct shk_buf b;

	shk_buf_init(&b, 1 << 20);
	shk_buf_add(&b, text, e->pos);
	shk_buf_adds(&b, "(");
	for (size_t i = 0, n = 0; i < e->n; i++) {
		const struct nv_node *c = e->child[i];

		if (i == without || (only < e->n && i != only))
			continue;
		shk_buf_adds(&b, n++ ? (e->kind == NV_AND ? " and " : " or ") : "");
		shk_buf_adds(&b, "(");
		shk_buf_add(&b, text + c->pos, c->end - c->pos);
		shk_buf_adds(&b, ")");
	}
	shk_buf_adds(&b, ")");
	shk_buf_adds(&b, text + e->end);
	return b.p; /* malloc'ed */
}

static bool try_text(struct shrink *s, size_t rule, char *text)
{
	char *old = s->text[rule];

	s->text[rule] = text;
	if (text && strlen(text) < strlen(old) + 4 && strcmp(text, old) != 0 && still(s)) {
		free(old);
		return true;
	}
	s->text[rule] = old;
	free(text);
	return false;
}

static bool drop_part(struct shrink *s, size_t rule, const struct nv_node *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (try_text(s, rule, smaller_text(s->text[rule], e, i, e->n)))
			return true;
	for (size_t i = 0; e->n > 2 && i < e->n; i++)
		if (try_text(s, rule, smaller_text(s->text[rule], e, e->n, i)))
			return true;
	for (size_t i = 0; i < e->n; i++)
		if (s->tries < TRIES && drop_part(s, rule, e->child[i]))
			return true;
	return false;
}

static bool drop_any_part(struct shrink *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct shk_arena a;
		struct nv_node *e;
		struct shk_err err;
		bool done = false;

		shk_arena_init(&a, (size_t)16 << 20);
		if (nv_parse(&a, shk_str(s->text[i]), &e, &err) == 0)
			done = drop_part(s, i, e);
		shk_arena_done(&a);
		if (done)
			return true;
	}
	return false;
}

void shrink_and_print(const struct set *set, struct rnd r, struct shk_str line)
{
	struct shrink s = { .n = set->n, .r = r, .line = line };
	struct shk_err why = { 0 };
	struct world_event w;

	for (size_t i = 0; i < s.n; i++) {
		s.text[i] = strdup(set->text[i]);
		s.must[i] = set->must[i];
		if (!s.text[i])
			abort();
	}
	if (!still(&s))
		printf("# it takes the events before this one to show it; all rules follow\n");
	while (s.tries < TRIES && (drop_rule(&s) || drop_any_part(&s)))
		;
	set_agrees_on((const char *const *)s.text, s.must, s.n, r, line, &why);
	printf("# %s\n", why.text);
	for (size_t i = 0; i < s.n; i++) {
		printf("# rule %zu%s: %s\n", i, s.must[i] ? " (must)" : "", s.text[i]);
		free(s.text[i]);
	}
	if (world_event_read(&w, r, line, &why) == 0)
		world_event_print(&w, line);
	world_event_done(&w);
}

void shrink_refused(const char *text)
{
	struct shrink s = { .n = 1, .is_taken = true, .text = { strdup(text) } };
	struct shk_err why = { 0 };

	while (s.text[0] && s.tries < TRIES && drop_any_part(&s))
		;
	if (s.text[0])
		printf("# taken by the %s only: %s\n",
		       set_accepts(s.text[0], &why) == SET_NAIVE_ONLY ? "naive evaluator" : "product", s.text[0]);
	printf("# %s\n", why.text);
	free(s.text[0]);
}
