// SPDX-License-Identifier: Apache-2.0
/* Building the graph: equal parts become one node. */
#include "rules/program.h"

#include <errno.h>

#define KEY_MAX	  (SHK_CONDITION_MAX * 4)
#define NODES_MAX (1u << 24)
#define KEYS_MAX  ((size_t)1 << 30)

void shk_graph_init(struct shk_graph *g, struct shk_ruleset *rs)
{
	*g = (struct shk_graph){ .rs = rs };
	shk_map_init(&g->tests);
	shk_map_init(&g->nodes);
	shk_map_init(&g->seen);
	shk_arena_init(&g->keys, KEYS_MAX);
}

static void cut(void *v, size_t n, size_t size)
{
	void *old, *p;

	memcpy(&old, v, sizeof(old));
	p = n ? reallocarray(old, n, size) : NULL;
	if (p)
		memcpy(v, &p, sizeof(p));
}

void shk_graph_done(struct shk_graph *g)
{
	shk_map_done(&g->tests);
	shk_map_done(&g->nodes);
	shk_map_done(&g->seen);
	shk_arena_done(&g->keys);
	cut(&g->rs->test, g->rs->n_test, sizeof(*g->rs->test));
	cut(&g->rs->node, g->rs->n_node, sizeof(*g->rs->node));
	cut(&g->rs->edge, g->rs->n_edge, sizeof(*g->rs->edge));
}

static int no_memory(struct shk_err *err)
{
	return shk_err_sys(err, ENOMEM, "cannot compile a condition");
}

/* Room for one more element. */
static int grow(void **v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	void *p;

	if (n < *room)
		return 0;
	p = reallocarray(*v, more, size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*room = more;
	return 0;
}

/* Remembers under a copy of the key. */
static int remember(struct shk_graph *g, struct shk_map *m, struct shk_str key, uint32_t n)
{
	struct shk_str copy = shk_arena_str(&g->keys, key);

	return copy.p ? shk_map_set(m, copy, (void *)(uintptr_t)(n + 1)) : -ENOMEM;
}

static int add_node(struct shk_graph *g, const struct shk_node *node, uint32_t *ret,
		    struct shk_err *err)
{
	struct shk_ruleset *rs = g->rs;
	void *v = rs->node;

	if (rs->n_node >= NODES_MAX)
		return shk_err_set(err, E2BIG, "the rules have more than the limit of %u different comparisons "
				   "and groups of them; give policies fewer rules", NODES_MAX);
	if (grow(&v, rs->n_node, &g->room_node, sizeof(*node)) < 0)
		return no_memory(err);
	rs->node = v;
	rs->node[rs->n_node] = *node;
	*ret = (uint32_t)rs->n_node++;
	return 0;
}

/* Equal constants in another order are another key: rare, and right all the same. */
static void test_key(const struct shk_ast *e, struct shk_buf *out)
{
	shk_buf_addc(out, (char)e->op);
	shk_buf_addc(out, (char)e->mod);
	shk_slots_key(&e->left, out);
	shk_slots_key(&e->right, out);
}

static int add_test(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret,
		    struct shk_err *err)
{
	struct shk_ruleset *rs = g->rs;
	struct shk_node node = { .kind = SHK_NODE_TEST, .depth = 1 };
	_cleanup_buf_ struct shk_buf key;
	uint32_t n = 0;
	uintptr_t known;
	void *v = rs->test;
	int r;

	shk_buf_init(&key, KEY_MAX);
	test_key(e, &key);
	if (key.failed)
		return no_memory(err);
	known = (uintptr_t)shk_map_get(&g->tests, shk_buf_view(&key));
	if (known) {
		*ret = (shk_ref)(known - 1) << 1;
		return 0;
	}
	if (grow(&v, rs->n_test, &g->room_test, sizeof(*rs->test)) < 0)
		return no_memory(err);
	rs->test = v;
	node.first = (uint32_t)rs->n_test;
	r = shk_test_build(rs, e, &rs->test[rs->n_test++], err);
	if (r < 0)
		return r;
	node.cost = rs->test[node.first].cost;
	r = add_node(g, &node, &n, err);
	if (r < 0)
		return r;
	*ret = (shk_ref)n << 1;
	return remember(g, &g->tests, shk_buf_view(&key), n) < 0 ? no_memory(err) : 0;
}

/* Cheapest first; equal ones next to each other. A comparison has no effect but its answer, so any order
 * will do. Insertion sort: few children, mostly in order, and it needs no context. */
static size_t sort_edges(const struct shk_ruleset *rs, shk_ref *e, size_t n)
{
	size_t k = 0;

	for (size_t i = 1; i < n; i++) {
		shk_ref x = e[i];
		unsigned cost = rs->node[x >> 1].cost;
		size_t j = i;

		for (; j > 0; j--) {
			unsigned before = rs->node[e[j - 1] >> 1].cost;

			if (before < cost || (before == cost && e[j - 1] <= x))
				break;
			e[j] = e[j - 1];
		}
		e[j] = x;
	}
	for (size_t i = 0; i < n; i++)
		if (!k || e[k - 1] != e[i])
			e[k++] = e[i];
	return k;
}

/* The first is always looked at, each one after it about half as often as the one before. */
static void measure(const struct shk_ruleset *rs, struct shk_node *node, const shk_ref *e)
{
	node->depth = 1;
	for (uint32_t i = 0; i < node->n; i++) {
		const struct shk_node *c = &rs->node[e[i] >> 1];

		node->cost += i < 16 ? c->cost >> i : 0;
		node->depth = SHK_MAX(node->depth, c->depth + 1);
	}
}

static int add_group(struct shk_graph *g, enum shk_node_kind kind, shk_ref *e, size_t n,
		     shk_ref *ret, struct shk_err *err)
{
	struct shk_ruleset *rs = g->rs;
	struct shk_node node = { .kind = kind };
	_cleanup_buf_ struct shk_buf key;
	uint32_t at = 0;
	uintptr_t known;
	int r;

	shk_buf_init(&key, KEY_MAX);
	node.n = (uint32_t)sort_edges(rs, e, n);
	if (node.n == 1) {
		*ret = e[0];
		return 0;
	}
	shk_buf_addc(&key, (char)kind);
	shk_buf_add(&key, e, node.n * sizeof(*e));
	if (key.failed)
		return no_memory(err);
	known = (uintptr_t)shk_map_get(&g->nodes, shk_buf_view(&key));
	if (known) {
		*ret = (shk_ref)(known - 1) << 1;
		return 0;
	}
	measure(rs, &node, e);
	if (node.depth > SHK_AST_DEPTH)
		return shk_err_set(err, EINVAL, "a condition is nested too deeply");
	node.first = (uint32_t)rs->n_edge;
	for (uint32_t i = 0; i < node.n; i++) {
		void *v = rs->edge;

		if (grow(&v, rs->n_edge, &g->room_edge, sizeof(*e)) < 0)
			return no_memory(err);
		rs->edge = v;
		rs->edge[rs->n_edge++] = e[i];
	}
	r = add_node(g, &node, &at, err);
	if (r < 0)
		return r;
	*ret = (shk_ref)at << 1;
	return remember(g, &g->nodes, shk_buf_view(&key), at) < 0 ? no_memory(err) : 0;
}

static int add_check(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret, struct shk_err *err)
{
	struct shk_implied first[SHK_IMPLIED_MAX];
	shk_ref any[SHK_IMPLIED_MAX], both[2];
	ssize_t n = shk_implied(e, &g->keys, first);
	int r = n < 0 ? no_memory(err) : add_test(g, e, &both[1], err);

	for (ssize_t i = 0; i < n && r >= 0; i++)
		r = add_test(g, &first[i].e, &any[i], err);
	if (n > 0 && r >= 0)
		r = add_group(g, SHK_NODE_OR, any, (size_t)n, &both[0], err);
	if (n > 0 && r >= 0)
		return add_group(g, SHK_NODE_AND, both, 2, ret, err);
	*ret = both[1];
	return r;
}

/* Depth is bounded: typing refused anything deeper than SHK_AST_DEPTH. */
static int add_tree(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret, struct shk_err *err)
{
	_cleanup_free_ shk_ref *child = NULL;
	int r;

	if (e->kind == SHK_AST_CHECK)
		return add_check(g, e, ret, err);
	if (e->kind == SHK_AST_NOT) {
		r = shk_graph_add(g, e->child[0], ret, err);
		*ret ^= 1;
		return r;
	}
	if (e->kind == SHK_AST_MACRO || !e->n)
		return shk_err_set(err, EINVAL, "a condition was not resolved");
	child = calloc(e->n, sizeof(*child));
	if (!child)
		return no_memory(err);
	for (size_t i = 0; i < e->n; i++) {
		r = shk_graph_add(g, e->child[i], &child[i], err);
		if (r < 0)
			return r;
	}
	return add_group(g, e->kind == SHK_AST_AND ? SHK_NODE_AND : SHK_NODE_OR, child, e->n, ret,
			 err);
}

int shk_graph_add(struct shk_graph *g, const struct shk_ast *e, shk_ref *ret, struct shk_err *err)
{
	uintptr_t known = e->shared ? (uintptr_t)shk_map_get_u64(&g->seen, (uintptr_t)e) : 0;
	int r;

	if (known) {
		*ret = (shk_ref)(known - 1);
		return 0;
	}
	r = add_tree(g, e, ret, err);
	if (r < 0 || !e->shared)
		return r;
	return shk_map_set_u64(&g->seen, (uintptr_t)e, (void *)((uintptr_t)*ret + 1)) < 0 ?
		       no_memory(err) :
		       0;
}
