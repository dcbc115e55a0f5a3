// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void hash_seed(void)
{
	if (getrandom(hash_key, sizeof(hash_key), GRND_NONBLOCK) != (ssize_t)sizeof(hash_key)) {
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		hash_key[0] ^= (uint64_t)ts.tv_nsec * 0x9e3779b97f4a7c15u;
		hash_key[1] ^= (uint64_t)(uintptr_t)&ts;
	}
}

static inline uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

#define SIPROUND                                                                                   \
	do {                                                                                       \
		v0 += v1, v1 = rotl(v1, 13) ^ v0, v0 = rotl(v0, 32);                               \
		v2 += v3, v3 = rotl(v3, 16) ^ v2;                                                  \
		v0 += v3, v3 = rotl(v3, 21) ^ v0;                                                  \
		v2 += v1, v1 = rotl(v1, 17) ^ v2, v2 = rotl(v2, 32);                               \
	} while (0)

uint64_t shk_hash(const void *p, size_t n)
{
	const unsigned char *c = p;
	uint64_t v0, v1, v2, v3, w;
	size_t left = n;

	pthread_once(&hash_once, hash_seed);
	v0 = hash_key[0] ^ 0x736f6d6570736575u;
	v1 = hash_key[1] ^ 0x646f72616e646f6du;
	v2 = hash_key[0] ^ 0x6c7967656e657261u;
	v3 = hash_key[1] ^ 0x7465646279746573u;
	for (; left >= 8; left -= 8, c += 8) {
		memcpy(&w, c, 8);
		v3 ^= w;
		SIPROUND;
		v0 ^= w;
	}
	w = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		w |= (uint64_t)c[i] << (8 * i);
	v3 ^= w;
	SIPROUND;
	v0 ^= w;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Numbers are the kernel's (task ids, descriptors): who chooses among them does not see where they fall, which the
 * secret decides. */
static inline uint64_t number_hash(uint64_t n)
{
	unsigned __int128 product;

	pthread_once(&hash_once, hash_seed);
	product = (unsigned __int128)(n ^ hash_key[0]) * (hash_key[1] | 1);
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* 0 and 1 mean that a slot is free. */
static inline uint64_t slot_hash(uint64_t h)
{
	return h < 2 ? h + 2 : h;
}

static uint64_t key_hash(struct shk_str k)
{
	return slot_hash(k.p ? shk_hash(k.p, k.n) : number_hash(k.n));
}

static bool key_eq(struct shk_str a, struct shk_str b)
{
	if (!a.p || !b.p)
		return !a.p && !b.p && a.n == b.n;
	return shk_str_eq(a, b);
}

void shk_map_init(struct shk_map *m)
{
	*m = (struct shk_map){ 0 };
}

void shk_map_done(struct shk_map *m)
{
	free(m->slots);
	*m = (struct shk_map){ 0 };
}

static struct shk_map_slot *find(const struct shk_map *m, struct shk_str key, uint64_t h)
{
	if (!m->size)
		return NULL;
	for (size_t i = h & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		struct shk_map_slot *s = &m->slots[i];

		if (s->hash == 0)
			return NULL;
		if (s->hash == h && key_eq(s->key, key))
			return s;
	}
}

static int grow(struct shk_map *m)
{
	size_t size = m->size;
	struct shk_map_slot *old = m->slots, *n;

	if (size && m->filled * 4 < size * 3)
		return 0;
	if (!size)
		size = 16;
	else if (m->used * 2 >= size)
		size *= 2;
	n = calloc(size, sizeof(*n));
	if (!n)
		return -ENOMEM;
	for (size_t i = 0; i < m->size; i++) {
		size_t j;

		if (old[i].hash < 2)
			continue;
		for (j = old[i].hash & (size - 1); n[j].hash; j = (j + 1) & (size - 1))
			;
		n[j] = old[i];
	}
	free(old);
	m->slots = n;
	m->size = size;
	m->filled = m->used;
	return 0;
}

int shk_map_set(struct shk_map *m, struct shk_str key, void *value)
{
	uint64_t h = key_hash(key);
	struct shk_map_slot *s = find(m, key, h);
	int r;

	if (s) {
		s->key = key;
		s->value = value;
		return 0;
	}
	r = grow(m);
	if (r < 0)
		return r;
	for (size_t i = h & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		s = &m->slots[i];
		if (s->hash < 2)
			break;
	}
	if (s->hash == 0)
		m->filled++;
	*s = (struct shk_map_slot){ h, key, value };
	m->used++;
	return 0;
}

void *shk_map_get(const struct shk_map *m, struct shk_str key)
{
	struct shk_map_slot *s = find(m, key, key_hash(key));

	return s ? s->value : NULL;
}

void *shk_map_del(struct shk_map *m, struct shk_str key)
{
	struct shk_map_slot *s = find(m, key, key_hash(key));

	if (!s)
		return NULL;
	s->hash = 1;
	m->used--;
	return s->value;
}

#define INT_KEY(k) ((struct shk_str){ NULL, (size_t)(k) })

int shk_map_set_u64(struct shk_map *m, uint64_t key, void *value)
{
	return shk_map_set(m, INT_KEY(key), value);
}

void *shk_map_get_u64(const struct shk_map *m, uint64_t key)
{
	uint64_t h = slot_hash(number_hash(key));

	if (!m->size)
		return NULL;
	for (size_t i = h & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
		const struct shk_map_slot *s = &m->slots[i];

		if (s->hash == 0)
			return NULL;
		if (s->hash == h && !s->key.p && s->key.n == (size_t)key)
			return s->value;
	}
}

void *shk_map_del_u64(struct shk_map *m, uint64_t key)
{
	return shk_map_del(m, INT_KEY(key));
}

struct shk_map_slot *shk_map_next(const struct shk_map *m, size_t *pos)
{
	while (*pos < m->size) {
		struct shk_map_slot *s = &m->slots[(*pos)++];

		if (s->hash >= 2)
			return s;
	}
	return NULL;
}
