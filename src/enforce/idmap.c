// SPDX-License-Identifier: Apache-2.0
#include "enforce/idmap.h"

#include <errno.h>
#include <stdio.h>

#include "base/io.h"

/* user_namespaces(7): up to 340 lines, each some 33 bytes. */
#define MAP_MAX 16384

static bool number(struct shk_str *s, uint64_t *ret)
{
	size_t n = 0;

	while (s->n && s->p[0] == ' ') {
		s->p++;
		s->n--;
	}
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!n || !shk_str_to_u64((struct shk_str){ s->p, n }, ret))
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

bool shk_id_mapped(struct shk_str map, uint32_t *id)
{
	uint64_t inside, outside, count;

	if (*id == UINT32_MAX)
		return true;
	while (number(&map, &inside) && number(&map, &outside) && number(&map, &count)) {
		if (*id >= inside && *id - inside < count) {
			*id = (uint32_t)(outside + (*id - inside));
			return true;
		}
		while (map.n && (map.p[0] == ' ' || map.p[0] == '\n')) {
			map.p++;
			map.n--;
		}
	}
	return false;
}

int shk_id_of_task(pid_t tid, const char *map, uint32_t *id)
{
	_cleanup_buf_ struct shk_buf b;
	char path[64];

	shk_buf_init(&b, MAP_MAX);
	if (*id == UINT32_MAX)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, map);
	if (shk_read_file(path, &b, NULL) < 0)
		return -ESRCH;
	return shk_id_mapped(shk_buf_view(&b), id) ? 0 : -EINVAL;
}
