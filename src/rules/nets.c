// SPDX-License-Identifier: Apache-2.0
/* A radix tree of networks: a lookup takes as many steps as nested networks differ, not as there are. */
#include "rules/nets.h"

#include <errno.h>

struct shk_net_node {
	uint8_t key[16];
	uint8_t bits; /* of key that count */
	bool end;     /* a network; what it holds has no node below */
	uint32_t child[2]; /* by the bit behind those of key; 0: none */
};

static unsigned bit_of(const uint8_t *key, unsigned i)
{
	return key[i / 8] >> (7 - i % 8) & 1;
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned most)
{
	unsigned i = 0;

	while (i + 8 <= most && a[i / 8] == b[i / 8])
		i += 8;
	while (i < most && bit_of(a, i) == bit_of(b, i))
		i++;
	return i;
}

/* v has room for two nodes more. */
static void insert(struct shk_net_node *v, uint32_t *n, uint32_t *at, const uint8_t *key, unsigned bits)
{
	struct shk_net_node leaf = { .bits = (uint8_t)bits, .end = true };

	memcpy(leaf.key, key, sizeof(leaf.key));
	while (*at) {
		struct shk_net_node *node = &v[*at];
		unsigned c = common_bits(key, node->key, SHK_MIN(bits, (unsigned)node->bits));

		if (c < node->bits) { /* they part, or the new one holds this one */
			struct shk_net_node fork = leaf;
			uint32_t old = *at;

			*at = (*n)++;
			if (c < bits) {
				fork.bits = (uint8_t)c;
				fork.end = false;
				fork.child[bit_of(node->key, c)] = old;
				fork.child[bit_of(key, c)] = *n;
				v[(*n)++] = leaf;
			}
			v[*at] = fork;
			return;
		}
		if (node->end)
			return;
		if (c == bits) {
			node->end = true;
			return;
		}
		at = &node->child[bit_of(key, c)];
	}
	*at = *n;
	v[(*n)++] = leaf;
}

int shk_nets_build(struct shk_arena *a, const struct shk_net *net, size_t n, struct shk_nets *ret)
{
	struct shk_net_node *v;
	uint32_t used = 1;

	*ret = (struct shk_nets){ 0 };
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	v = SHK_ARENA_ARRAY(a, struct shk_net_node, 2 * n + 1);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		insert(v, &used, net[i].ip.len == 4 ? &ret->root4 : &ret->root16, net[i].ip.b,
		       net[i].prefix);
	ret->v = v;
	return 0;
}

bool shk_nets_has(const struct shk_nets *s, const struct shk_ip *ip)
{
	unsigned most = ip->len * 8u;
	uint32_t at = ip->len == 4 ? s->root4 : ip->len == 16 ? s->root16 : 0;

	while (at) {
		const struct shk_net_node *node = &s->v[at];

		if (common_bits(ip->b, node->key, node->bits) < node->bits)
			return false;
		if (node->end)
			return true;
		if (node->bits >= most)
			return false;
		at = node->child[bit_of(ip->b, node->bits)];
	}
	return false;
}
