/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nets.h - sets of addresses and networks (private to src/rules).
 *
 * Built once in an arena, immutable; IPv4 and IPv6 are apart. A lookup takes at most as many steps as an
 * address has bits.
 */
#ifndef SHK_RULES_NETS_H
#define SHK_RULES_NETS_H

#include "fields/fields.h"

struct shk_net {
	struct shk_ip ip;
	uint8_t prefix;
};

struct shk_nets {
	const struct shk_net_node *v;
	uint32_t root4, root16; /* 0: none */
};

int shk_nets_build(struct shk_arena *a, const struct shk_net *net, size_t n, struct shk_nets *ret);
bool shk_nets_has(const struct shk_nets *s, const struct shk_ip *ip);

#endif
