// SPDX-License-Identifier: Apache-2.0
/* Groups and programs as text. Steps name nodes as the print of the graph does. */
#include "rules/program.h"

static void count_words(const struct shk_words *w, struct shk_buf *out)
{
	unsigned n = 0;

	for (uint32_t i = 0; w->slot && i <= w->mask; i++)
		n += w->slot[i].n > 0;
	if (n)
		shk_buf_printf(out, ", %u words", n);
}

static void count_nodes(const char *what, uint32_t n, struct shk_buf *out)
{
	if (n)
		shk_buf_printf(out, ", %s in a trie of %u", what, n);
}

static void print_group(const struct shk_ruleset *rs, uint32_t i, struct shk_buf *out)
{
	static const char *const classes[] = { "ends", "inside", "inside, any case" };
	const struct shk_group *g = &rs->group[i];

	shk_buf_printf(out, "g%u = ", i);
	shk_explain_slot(rs, g->slot, out);
	shk_buf_printf(out, "%s, %s: %u comparisons", g->multi ? ", each candidate" : "",
		       classes[g->class], g->n_test);
	count_words(&g->words, out);
	count_nodes("beginnings", g->prefix.n, out);
	count_nodes("endings", g->suffix.n, out);
	count_nodes("parts", g->inside.n, out);
	if (g->scan)
		shk_buf_printf(out, ", %zu parts at once", g->scan->n);
	count_nodes("path prefixes", g->comps.n, out);
	shk_buf_addc(out, '\n');
}

struct names { /* node of each test; per group and bit through test */
	uint32_t *node, *of_bit;
};

static bool name_tests(const struct shk_ruleset *rs, struct names *n)
{
	n->node = calloc(rs->n_test + 1, sizeof(uint32_t));
	n->of_bit = calloc((size_t)rs->n_group_word * 64 + 1, sizeof(uint32_t));
	if (!n->node || !n->of_bit)
		return false;
	for (uint32_t i = 0; i < rs->n_node; i++) {
		const struct shk_test *t;

		if (rs->node[i].kind != SHK_NODE_TEST)
			continue;
		n->node[rs->node[i].first] = i;
		t = &rs->test[rs->node[i].first];
		if (t->group != UINT32_MAX)
			n->of_bit[rs->group[t->group].word * 64 + t->bit] = i;
	}
	return true;
}

static void print_spread(const struct shk_ruleset *rs, const struct shk_program *p,
			 const struct names *names, const struct shk_step *s, struct shk_buf *out)
{
	const struct shk_spread *sp = &p->spread[s->a];
	const struct shk_group *g = &rs->group[s->b];
	uint32_t i = 0;

	shk_buf_printf(out, "by g%u:", s->b);
	for (uint32_t b = 0; b < g->n_word * 64; b++) {
		if (!(sp->mask[b / 64] >> b % 64 & 1))
			continue;
		shk_buf_printf(out, " n%u to", names->of_bit[g->word * 64 + b]);
		for (uint32_t k = sp->first[i]; k < sp->first[i + 1]; k++)
			shk_buf_printf(out, " %u", p->block[sp->block[k]]);
		shk_buf_adds(out, ";");
		i++;
	}
}

static void print_any(const struct shk_program *p, const struct names *names,
		      const struct shk_step *s, struct shk_buf *out)
{
	const uint64_t *mask = p->mask + s->a;
	uint32_t first = (uint32_t)*mask++ * 64;

	shk_buf_printf(out, "if %s of", s->when ? "any" : "none");
	for (uint32_t b = 0; b < s->n_word * 64u; b++)
		if (mask[b / 64] >> b % 64 & 1)
			shk_buf_printf(out, " n%u", names->of_bit[first + b]);
	shk_buf_printf(out, " (g%u) go to %u", s->b, s->to);
}

static void print_step(const struct shk_ruleset *rs, const struct shk_program *p,
		       const struct names *names, uint32_t i, struct shk_buf *out)
{
	const struct shk_step *s = &p->step[i];
	const char *when = s->when ? "" : "not ";

	shk_buf_printf(out, "\t%u: ", i);
	switch (s->op) {
	case SHK_DO_TEST:
		shk_buf_printf(out, "if %sn%u go to %u", when, names->node[s->b], s->to);
		break;
	case SHK_DO_BIT:
		shk_buf_printf(out, "if %sn%u (g%u) go to %u", when, names->of_bit[s->a], s->b, s->to);
		break;
	case SHK_DO_ANY:
		print_any(p, names, s, out);
		break;
	case SHK_DO_PART:
		shk_buf_printf(out, "if %swhat %u returns go to %u", when, s->b, s->to);
		break;
	case SHK_DO_RETURN:
		shk_buf_printf(out, "return %s", s->when ? "yes" : "no");
		break;
	case SHK_DO_SPREAD:
		print_spread(rs, p, names, s, out);
		break;
	case SHK_DO_MATCH:
		shk_buf_printf(out, "rule %u matches", p->rule[s->a]);
		break;
	case SHK_DO_JUMP:
		shk_buf_printf(out, "go to %u", s->to);
		break;
	default:
		shk_buf_adds(out, "next block");
	}
	shk_buf_addc(out, '\n');
}

static void print_program(const struct shk_ruleset *rs, unsigned first, const struct names *names,
			  struct shk_buf *out)
{
	const struct shk_program *p = rs->program[first];

	shk_buf_adds(out, "program for");
	for (unsigned id = first; id <= SHK_CALL_N; id++)
		if (rs->program[id] == p)
			shk_buf_printf(out, "%s %s", id > first ? "," : "",
				       id < SHK_CALL_N ? shk_syscalls[id].name :
							 "events that are no known call");
	shk_buf_printf(out, ": %u rules, %u steps, %u blocks\n", p->n_rule, p->n_step, p->n_block);
	for (uint32_t i = 0; i < p->n_step; i++)
		print_step(rs, p, names, i, out);
}

void shk_explain_programs(const struct shk_ruleset *rs, struct shk_buf *out)
{
	struct names names = { 0 };

	for (uint32_t i = 0; i < rs->n_group; i++)
		print_group(rs, i, out);
	if (!name_tests(rs, &names))
		out->failed = true;
	for (unsigned id = 0; id <= SHK_CALL_N && !out->failed; id++) {
		bool seen = !rs->program[id];

		for (unsigned k = 0; k < id && !seen; k++)
			seen = rs->program[k] == rs->program[id];
		if (!seen)
			print_program(rs, id, &names, out);
	}
	free(names.node);
	free(names.of_bit);
}
