// SPDX-License-Identifier: Apache-2.0
/* Comparisons of one value with constant texts, answered together. */
#include "rules/program.h"

#include <errno.h>

#define NONE UINT32_MAX

static bool is_any(const struct shk_test *t)
{
	return t->mod == SHK_MOD_NONE || t->mod == SHK_MOD_ANYOF;
}

static bool plain_paths(const struct shk_test *t)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->c[i].v.s.n; k++)
			if (strchr("*?[", t->c[i].v.s.p[k]) && t->c[i].v.s.p[k])
				return false;
	return true;
}

/* The texts of processes are long: who asks how they begin need not look through them. */
static bool is_long(const struct shk_slot *s)
{
	return s->kind != SHK_OPERAND_FIELD || strcmp(s->ref.field->class_name, "process") == 0;
}

/* The class of groups a test may be in. What looks through the whole of a long text is apart from what does not. */
static enum shk_group_class class_of(const struct shk_ruleset *rs, const struct shk_test *t)
{
	if (t->right != SHK_SLOT_NONE || !shk_type_is_text(rs->slots.v[t->left].type))
		return SHK_GROUP_N;
	if (t->kind == SHK_TEST_STRSET)
		return SHK_GROUP_ENDS;
	if (t->kind == SHK_TEST_PATHSET)
		return plain_paths(t) ? SHK_GROUP_ENDS : SHK_GROUP_N;
	if (t->kind != SHK_TEST_VALUE)
		return SHK_GROUP_N;
	if (t->op == SHK_OP_NE)
		return t->mod == SHK_MOD_NONE && t->n == 1 && !t->multi ? SHK_GROUP_ENDS : SHK_GROUP_N;
	if (!is_any(t))
		return SHK_GROUP_N;
	switch (t->op) {
	case SHK_OP_EQ:
	case SHK_OP_IN:
	case SHK_OP_INTERSECTS:
	case SHK_OP_STARTSWITH:
	case SHK_OP_BSTARTSWITH:
	case SHK_OP_ENDSWITH:
	case SHK_OP_TOP:
		return SHK_GROUP_ENDS;
	case SHK_OP_CONTAINS:
	case SHK_OP_BCONTAINS:
		return is_long(&rs->slots.v[t->left]) ? SHK_GROUP_INSIDE : SHK_GROUP_ENDS;
	case SHK_OP_ICONTAINS:
		return SHK_GROUP_FOLD;
	default:
		return SHK_GROUP_N;
	}
}

enum pattern_list { WORDS, PREFIXES, SUFFIXES, INSIDES, PATHS, TOPS, LISTS };

static enum pattern_list list_of(const struct shk_test *t)
{
	if (t->kind == SHK_TEST_PATHSET)
		return PATHS;
	switch (t->op) {
	case SHK_OP_STARTSWITH:
	case SHK_OP_BSTARTSWITH:
		return PREFIXES;
	case SHK_OP_ENDSWITH:
		return SUFFIXES;
	case SHK_OP_CONTAINS:
	case SHK_OP_BCONTAINS:
	case SHK_OP_ICONTAINS:
		return INSIDES;
	case SHK_OP_TOP:
		return TOPS;
	default:
		return WORDS;
	}
}

/* Where a test's group is: one per slot, class, and whether candidates are looked at. */
static size_t key_of(const struct shk_test *t, enum shk_group_class c)
{
	return ((size_t)t->left * SHK_GROUP_N + c) * 2 + t->multi;
}

static int number_tests(struct shk_ruleset *rs, uint32_t *of, size_t n_key)
{
	_cleanup_free_ uint32_t *count = calloc(n_key + 1, sizeof(*count));
	uint32_t n = 0, word = 0;

	if (!count)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n_test; i++) {
		enum shk_group_class c = class_of(rs, &rs->test[i]);

		if (c != SHK_GROUP_N)
			count[key_of(&rs->test[i], c)]++;
	}
	for (size_t k = 0; k < n_key; k++) {
		of[k] = NONE;
		if (count[k] > 1)
			of[k] = n++;
	}
	rs->group = SHK_ARENA_ARRAY(&rs->arena, struct shk_group, n);
	if (!rs->group)
		return -ENOMEM;
	rs->n_group = n;
	for (size_t k = 0; k < n_key; k++) {
		struct shk_group *g;
		uint64_t *there;

		if (of[k] == NONE)
			continue;
		g = &rs->group[of[k]];
		*g = (struct shk_group){ .slot = (uint32_t)(k / 2 / SHK_GROUP_N), .multi = k % 2,
					 .class = (enum shk_group_class)(k / 2 % SHK_GROUP_N),
					 .word = word, .n_word = count[k] / 64 + 1 };
		there = SHK_ARENA_ARRAY(&rs->arena, uint64_t, g->n_word);
		if (!there)
			return -ENOMEM;
		g->there = there;
		word += g->n_word;
	}
	rs->n_group_word = word;
	for (size_t i = 0; i < rs->n_test; i++) {
		struct shk_test *t = &rs->test[i];
		enum shk_group_class c = class_of(rs, t);
		struct shk_group *g;

		t->group = c == SHK_GROUP_N ? NONE : of[key_of(t, c)];
		if (t->group == NONE)
			continue;
		g = &rs->group[t->group];
		t->bit = g->n_test++;
		if (t->op == SHK_OP_NE)
			((uint64_t *)(uintptr_t)g->there)[t->bit / 64] |= UINT64_C(1) << t->bit % 64;
	}
	return 0;
}

static void add_patterns(const struct shk_test *t, enum pattern_list l, struct shk_pattern *p,
			 size_t *n)
{
	bool ne = t->op == SHK_OP_NE;

	for (size_t i = 0; i < t->n; i++)
		p[(*n)++] = (struct shk_pattern){ t->c[i].v.s,
						  l == WORDS ? t->bit * 2 + ne : t->bit };
}

static int build_inside(struct shk_ruleset *rs, struct shk_group *g, struct shk_pattern *p, size_t n)
{
	bool fold = g->class == SHK_GROUP_FOLD;

	if (!shk_scan_can(p, n))
		return shk_trie_build(&rs->arena, fold ? SHK_TRIE_INSIDE_FOLD : SHK_TRIE_INSIDE, p, n, &g->inside);
	g->scan = shk_scan_build(&rs->arena, fold, p, n);
	return g->scan ? 0 : -ENOMEM;
}

/* The tests of one group, test[0..n). */
static int build_group(struct shk_ruleset *rs, struct shk_group *g, const uint32_t *test, size_t n)
{
	_cleanup_free_ struct shk_pattern *p = NULL;
	struct shk_arena *a = &rs->arena;
	size_t total = 1;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		total += rs->test[test[i]].n;
	p = reallocarray(NULL, total, sizeof(*p));
	if (!p)
		return -ENOMEM;
	for (enum pattern_list l = WORDS; l < LISTS && r == 0; l++) {
		size_t k = 0;

		for (size_t i = 0; i < n; i++)
			if (list_of(&rs->test[test[i]]) == l)
				add_patterns(&rs->test[test[i]], l, p, &k);
		if (l == WORDS)
			r = shk_words_build(a, p, k, &g->words);
		else if (l == PREFIXES)
			r = shk_trie_build(a, SHK_TRIE_PREFIX, p, k, &g->prefix);
		else if (l == SUFFIXES)
			r = shk_trie_build(a, SHK_TRIE_SUFFIX, p, k, &g->suffix);
		else if (l == INSIDES)
			r = build_inside(rs, g, p, k);
		else if (l == PATHS)
			r = shk_comps_build(a, p, k, &g->comps);
		else if (k)
			g->top = p[0].bit + 1; /* equal ones are one test */
	}
	return r;
}

int shk_groups_build(struct shk_ruleset *rs)
{
	size_t n_key = rs->slots.n * SHK_GROUP_N * 2;
	_cleanup_free_ uint32_t *of = reallocarray(NULL, n_key + 1, sizeof(*of));
	_cleanup_free_ uint32_t *start = NULL, *test = NULL;
	int r = of ? number_tests(rs, of, n_key) : -ENOMEM;

	if (r < 0)
		return r;
	start = calloc(rs->n_group + 1, sizeof(*start));
	test = reallocarray(NULL, rs->n_test + 1, sizeof(*test));
	if (!start || !test)
		return -ENOMEM;
	for (uint32_t g = 0; g < rs->n_group; g++)
		start[g + 1] = start[g] + rs->group[g].n_test;
	for (uint32_t i = 0; i < rs->n_test; i++)
		if (rs->test[i].group != NONE)
			test[start[rs->test[i].group] + rs->test[i].bit] = i;
	for (uint32_t g = 0; g < rs->n_group && r == 0; g++)
		r = build_group(rs, &rs->group[g], test + start[g], rs->group[g].n_test);
	for (size_t i = 0; i < rs->n_test && r == 0; i++)
		if (rs->test[i].group == NONE)
			r = shk_test_finish(rs, &rs->test[i]);
	return r;
}

static void match(const struct shk_group *g, struct shk_str s, uint64_t *bits)
{
	if (g->words.slot)
		shk_words_match(&g->words, s, bits);
	if (g->prefix.n)
		shk_trie_match(&g->prefix, s, bits);
	if (g->suffix.n)
		shk_trie_match(&g->suffix, s, bits);
	if (g->comps.n)
		shk_comps_match(&g->comps, s, bits);
	if (g->top && shk_is_top(s))
		bits[(g->top - 1) / 64] |= UINT64_C(1) << (g->top - 1) % 64;
	if (g->inside.n)
		shk_trie_match(&g->inside, s, bits);
	if (g->scan)
		shk_scan_match(g->scan, s, bits);
}

void shk_group_match(const struct shk_group *g, struct shk_str s, uint64_t *bits)
{
	for (uint32_t k = 0; k < g->n_word; k++)
		bits[k] = g->there[k];
	match(g, s, bits);
}

void shk_group_run(struct shk_run *run, uint32_t i)
{
	const struct shk_group *g = &run->rs->group[i];
	uint64_t *bits = run->bits + g->word;
	const struct shk_value *v;

	run->ran[i] = true;
	if (g->multi) {
		const struct shk_field_ref *ref = &run->slots.slot[g->slot].ref;

		memset(bits, 0, g->n_word * sizeof(*bits));
		for (unsigned k = 0; k < SHK_CANDIDATES_MAX; k++) {
			struct shk_value one = { .type = ref->type };

			if (!shk_field_candidate(run->slots.ctx, ref, k, &one))
				break;
			if (shk_type_is_text(one.type))
				match(g, one.s, bits);
		}
		return;
	}
	v = shk_slot_get(&run->slots, g->slot);
	if (v && shk_type_is_text(v->type))
		shk_group_match(g, v->s, bits);
	else
		memset(bits, 0, g->n_word * sizeof(*bits));
}
