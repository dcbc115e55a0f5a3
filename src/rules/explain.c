// SPDX-License-Identifier: Apache-2.0
/* The compiled form as text. */
#include "rules/program.h"

void shk_explain_slot(const struct shk_ruleset *rs, uint32_t i, struct shk_buf *out)
{
	const struct shk_slot *s = &rs->slots.v[i];

	switch (s->kind) {
	case SHK_OPERAND_FIELD:
		shk_buf_addstr(out, s->text);
		break;
	case SHK_OPERAND_TEXT:
		shk_buf_printf(out, "\"" SHK_STR_FMT "\"", SHK_STR_ARG(s->text));
		break;
	default: /* a transformer or list: its parts have lines of their own */
		shk_buf_printf(out, "v%u", i);
	}
}

static void print_slot_line(const struct shk_ruleset *rs, uint32_t i, struct shk_buf *out)
{
	const struct shk_slot *s = &rs->slots.v[i];

	shk_buf_printf(out, "v%u = %s(", i,
		       s->kind == SHK_OPERAND_CALL ? shk_transform_name(s->call) : "");
	for (size_t k = 0; k < s->n_arg; k++) {
		if (k)
			shk_buf_adds(out, ", ");
		shk_explain_slot(rs, s->arg[k], out);
	}
	shk_buf_addc(out, ')');
	if (s->index)
		shk_buf_printf(out, "[%c]", s->index);
	shk_buf_addc(out, '\n');
}

static void print_const(const struct shk_const *c, struct shk_buf *out)
{
	static const struct shk_field plain = { .name = "" };

	if (c->v.type == SHK_T_STRING || c->v.type == SHK_T_BYTES) {
		shk_buf_printf(out, "\"" SHK_STR_FMT "\"", SHK_STR_ARG(c->v.s));
		return;
	}
	if (c->v.type == SHK_T_IPNET) {
		struct shk_value ip = { .type = SHK_T_IPADDR };

		ip.ip = c->v.ip;
		shk_value_print(&ip, &plain, out);
		shk_buf_printf(out, "/%u", c->prefix);
		return;
	}
	shk_value_print(&c->v, &plain, out);
}

static const char *kind_name(enum shk_test_kind k)
{
	static const char *const names[] = {
		[SHK_TEST_EXISTS] = "present", [SHK_TEST_CALL] = "call",
		[SHK_TEST_VALUE] = "value",    [SHK_TEST_STRSET] = "string set",
		[SHK_TEST_NUMSET] = "number set", [SHK_TEST_PATHSET] = "path prefixes",
		[SHK_TEST_NETSET] = "network set", [SHK_TEST_REGEX] = "pattern",  [SHK_TEST_LIST_ALL] = "all of list",
		[SHK_TEST_LIST_ANY] = "any of list",
	};

	return names[k];
}

static void print_test(const struct shk_ruleset *rs, const struct shk_test *t, struct shk_buf *out)
{
	static const char *const mods[] = { "", " oneof", " anyof", " allof" };

	shk_buf_printf(out, "%s%s: ", kind_name(t->kind), t->multi ? ", each candidate" : "");
	shk_explain_slot(rs, t->left, out);
	shk_buf_printf(out, " %s%s", shk_op_name(t->op), mods[t->mod]);
	if (t->right != SHK_SLOT_NONE) {
		shk_buf_addc(out, ' ');
		shk_explain_slot(rs, t->right, out);
	} else if (t->n == 1) {
		shk_buf_addc(out, ' ');
		print_const(&t->c[0], out);
	} else if (t->kind != SHK_TEST_EXISTS) {
		shk_buf_adds(out, " (");
		for (size_t i = 0; i < t->n; i++) {
			if (i)
				shk_buf_adds(out, ", ");
			print_const(&t->c[i], out);
		}
		shk_buf_addc(out, ')');
	}
}

static void print_ref(shk_ref r, struct shk_buf *out)
{
	shk_buf_printf(out, "%sn%u", r & 1 ? "!" : "", r >> 1);
}

static void print_node(const struct shk_ruleset *rs, uint32_t i, unsigned uses, struct shk_buf *out)
{
	const struct shk_node *n = &rs->node[i];

	shk_buf_printf(out, "n%u = ", i);
	if (n->kind == SHK_NODE_TEST)
		print_test(rs, &rs->test[n->first], out);
	for (uint32_t k = 0; n->kind != SHK_NODE_TEST && k < n->n; k++) {
		if (k)
			shk_buf_adds(out, n->kind == SHK_NODE_AND ? " and " : " or ");
		print_ref(rs->edge[n->first + k], out);
	}
	if (uses > 1)
		shk_buf_printf(out, "  # used %u times", uses);
	shk_buf_addc(out, '\n');
}

static void count_uses(const struct shk_ruleset *rs, unsigned *uses)
{
	for (size_t i = 0; i < rs->n_edge; i++)
		uses[rs->edge[i] >> 1]++;
	for (size_t i = 0; i < rs->n_rule; i++)
		uses[rs->root[i] >> 1]++;
}

static void print_rule(const struct shk_ruleset *rs, unsigned i, struct shk_buf *out)
{
	const struct shk_call_set *s = rs->calls[i];
	unsigned n = 0;

	shk_buf_printf(out, "rule %u \"" SHK_STR_FMT "\" = ", i, SHK_STR_ARG(rs->rule[i].name));
	print_ref(rs->root[i], out);
	shk_buf_adds(out, "\n\tcalls:");
	if (s->any)
		shk_buf_adds(out, " all");
	for (unsigned id = 0; !s->any && id < SHK_CALL_N; id++) {
		if (!(s->bit[id / 64] >> (id % 64) & 1))
			continue;
		shk_buf_printf(out, "%s%s", n++ ? ", " : " ", shk_syscalls[id].name);
	}
	if (!s->any && !n)
		shk_buf_adds(out, " none");
	if (!s->any && s->other)
		shk_buf_adds(out, " and events that are no known call");
	shk_buf_addc(out, '\n');
}

void shk_ruleset_explain(const struct shk_ruleset *rs, struct shk_buf *out)
{
	_cleanup_free_ unsigned *uses = calloc(rs->n_node + 1, sizeof(*uses));

	if (!uses) {
		out->failed = true;
		return;
	}
	count_uses(rs, uses);
	shk_buf_printf(out, "# %zu rules, %zu comparisons, %zu nodes, %zu values\n", rs->n_rule,
		       rs->n_test, rs->n_node, rs->slots.n);
	for (unsigned i = 0; i < rs->n_rule; i++)
		print_rule(rs, i, out);
	for (uint32_t i = 0; i < rs->slots.n; i++)
		if (rs->slots.v[i].need)
			print_slot_line(rs, i, out);
	for (uint32_t i = 0; i < rs->n_node; i++)
		print_node(rs, i, uses[i], out);
	shk_explain_programs(rs, out);
}
