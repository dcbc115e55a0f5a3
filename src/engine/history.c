// SPDX-License-Identifier: Apache-2.0
/*
 * The last alerts, for `shrike events`. Filled by the alert writer's thread, read by the main one.
 */
#include "engine/internal.h"

void shk_history_init(struct shk_history *h)
{
	pthread_mutex_init(&h->lock, NULL);
}

void shk_history_done(struct shk_history *h)
{
	for (size_t i = 0; i < SHK_HISTORY; i++)
		free(h->line[i]);
	pthread_mutex_destroy(&h->lock);
}

void shk_history_add(struct shk_history *h, struct shk_str line)
{
	char *copy = strndup(line.p, line.n), *old;

	if (!copy)
		return;
	pthread_mutex_lock(&h->lock);
	old = h->line[h->next % SHK_HISTORY];
	h->line[h->next++ % SHK_HISTORY] = copy;
	pthread_mutex_unlock(&h->lock);
	free(old);
}

bool shk_history_get(struct shk_history *h, uint64_t number, struct shk_buf *out)
{
	bool there;

	shk_buf_reset(out);
	pthread_mutex_lock(&h->lock);
	there = number < h->next && h->next - number <= SHK_HISTORY;
	if (there)
		shk_buf_adds(out, h->line[number % SHK_HISTORY]);
	pthread_mutex_unlock(&h->lock);
	return there;
}

uint64_t shk_history_next(struct shk_history *h)
{
	uint64_t r;

	pthread_mutex_lock(&h->lock);
	r = h->next;
	pthread_mutex_unlock(&h->lock);
	return r;
}
