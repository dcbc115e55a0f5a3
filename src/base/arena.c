// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

struct shk_arena_chunk {
	struct shk_arena_chunk *older;
	size_t size, used; /* used: from the front; size shrinks where texts are cut off behind */
	size_t whole;
	_Alignas(16) unsigned char data[];
};

#define CHUNK_MIN 4096
#define KEEP_MAX  (64u << 10) /* over a reset */

void shk_arena_init(struct shk_arena *a, size_t cap)
{
	*a = (struct shk_arena){ .cap = cap };
}

void shk_arena_done(struct shk_arena *a)
{
	struct shk_arena_chunk *c = a->head;

	while (c) {
		struct shk_arena_chunk *older = c->older;

		free(c);
		c = older;
	}
	*a = (struct shk_arena){ .cap = a->cap };
}

void shk_arena_reset(struct shk_arena *a)
{
	/* The newest is the largest: whoever needed it once needs it again, and nothing is allocated then. */
	while (a->head && (a->head->older || a->head->whole > KEEP_MAX)) {
		struct shk_arena_chunk *c = a->head->whole > KEEP_MAX ? a->head : a->head->older;

		if (c == a->head)
			a->head = c->older;
		else
			a->head->older = c->older;
		free(c);
	}
	if (a->head) {
		a->head->used = 0;
		a->head->size = a->head->whole;
	}
	a->used = 0;
	a->failed = false;
}

/* A new chunk with room for so much, or NULL. */
static __attribute__((noinline)) struct shk_arena_chunk *new_chunk(struct shk_arena *a, size_t n, size_t need)
{
	struct shk_arena_chunk *c = a->head;
	size_t size = c ? c->whole * 2 : CHUNK_MIN;

	if (n > SIZE_MAX / 2 || n > a->cap || a->used > a->cap - n) {
		a->failed = true;
		return NULL;
	}
	if (size > (size_t)1 << 20)
		size = (size_t)1 << 20;
	if (size < need)
		size = need;
	c = malloc(sizeof(*c) + size);
	if (!c) {
		a->failed = true;
		return NULL;
	}
	c->size = c->whole = size;
	c->used = 0;
	c->older = a->head;
	a->head = c;
	return c;
}

/* A chunk with room for so much, or NULL. What fits is no larger than a chunk, so no sum overflows. */
static inline struct shk_arena_chunk *chunk_for(struct shk_arena *a, size_t n, size_t need)
{
	struct shk_arena_chunk *c = a->head;

	if (c && need >= n && need <= c->size - c->used && a->used + n <= a->cap)
		return c;
	return new_chunk(a, n, need);
}

void *shk_arena_alloc_raw(struct shk_arena *a, size_t n)
{
	size_t need = (n + 15) & ~(size_t)15;
	struct shk_arena_chunk *c = chunk_for(a, n, need);
	void *p;

	if (!c)
		return NULL;
	p = c->data + c->used;
	c->used += need;
	a->used += n;
	return p;
}

/* Texts need no alignment: they lie at the other end of the chunk, one next to the other. */
static inline char *alloc_text(struct shk_arena *a, size_t n)
{
	struct shk_arena_chunk *c = chunk_for(a, n, n);

	if (!c)
		return NULL;
	c->size -= n;
	a->used += n;
	return (char *)c->data + c->size;
}

void *shk_arena_alloc(struct shk_arena *a, size_t n)
{
	void *p = shk_arena_alloc_raw(a, n);

	if (p)
		memset(p, 0, n);
	return p;
}

char *shk_arena_strndup(struct shk_arena *a, const char *p, size_t n)
{
	char *d = n < SIZE_MAX ? alloc_text(a, n + 1) : NULL;

	if (!d)
		return NULL;
	if (n)
		memcpy(d, p, n);
	d[n] = 0;
	return d;
}

char *shk_arena_strdup(struct shk_arena *a, const char *s)
{
	return shk_arena_strndup(a, s, strlen(s));
}

struct shk_str shk_arena_str(struct shk_arena *a, struct shk_str s)
{
	char *d = shk_arena_strndup(a, s.p, s.n);

	return (struct shk_str){ d, d ? s.n : 0 };
}

struct shk_str shk_arena_join(struct shk_arena *a, struct shk_str x, char between, struct shk_str y)
{
	size_t n = x.n < SIZE_MAX / 4 && y.n < SIZE_MAX / 4 ? x.n + 1 + y.n : SIZE_MAX / 2;
	char *d = alloc_text(a, n + 1), *end;

	if (!d)
		return (struct shk_str){ NULL, 0 };
	end = x.n ? mempcpy(d, x.p, x.n) : d;
	*end++ = between;
	end = y.n ? mempcpy(end, y.p, y.n) : end;
	*end = 0;
	return (struct shk_str){ d, n };
}

char *shk_arena_printf(struct shk_arena *a, const char *fmt, ...)
{
	va_list ap;
	char *d;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	d = alloc_text(a, (size_t)n + 1);
	if (!d)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(d, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return d;
}
