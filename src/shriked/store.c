// SPDX-License-Identifier: Apache-2.0
#include "shriked/store.h"

#include <errno.h>

struct shk_entry *shk_store_find(struct shk_store *s, uint64_t key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->e[i].key == key)
			return &s->e[i];
	return NULL;
}

static void entry_done(struct shk_entry *e)
{
	shk_close(&e->fd);
	free(e->blob);
}

int shk_store_put(struct shk_store *s, uint64_t key, int fd, const void *blob, size_t len)
{
	struct shk_entry *e = shk_store_find(s, key);
	unsigned char *copy;

	if (!e && s->n == s->max)
		return -ENOSPC;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, blob, len);
	if (e)
		entry_done(e);
	else
		e = &s->e[s->n++];
	*e = (struct shk_entry){ .key = key, .fd = fd, .len = (uint32_t)len, .blob = copy };
	return 0;
}

bool shk_store_del(struct shk_store *s, uint64_t key)
{
	struct shk_entry *e = shk_store_find(s, key);

	if (!e)
		return false;
	entry_done(e);
	s->n--;
	memmove(e, e + 1, (size_t)(s->e + s->n - e) * sizeof(*e));
	return true;
}
