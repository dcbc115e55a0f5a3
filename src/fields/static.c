// SPDX-License-Identifier: Apache-2.0
#include "fields/static.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "static."

struct made {
	struct shk_field f; /* first: a shk_field * is a struct made * */
	struct made *next;
	struct shk_str value;
	char text[]; /* name, NUL, value */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct made *every; /* that ever was */
static const struct made *now[SHK_STATIC_MAX];
static size_t n_now;

static bool get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	(void)ctx;
	out->s = ((const struct made *)ref->field)->value;
	return true;
}

bool shk_static_key_good(struct shk_str key)
{
	bool first = true;

	for (size_t i = 0; i < key.n; i++) {
		char c = key.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && (first || (c != '.' && c != '_' && (c < '0' || c > '9'))))
			return false;
		first = c == '.';
	}
	return !first && key.n <= SHK_STATIC_KEY_MAX;
}

static bool same(const struct made *m, const struct shk_static_field *s)
{
	return shk_str_eqz(s->key, m->f.name + strlen(PREFIX)) && shk_str_eq(m->value, s->value);
}

static const struct made *make(const struct shk_static_field *s)
{
	size_t name = strlen(PREFIX) + s->key.n;
	struct made *m;

	for (m = every; m; m = m->next)
		if (same(m, s))
			return m;
	m = calloc(1, sizeof(*m) + name + 1 + s->value.n + 1);
	if (!m)
		return NULL;
	memcpy(m->text, PREFIX, strlen(PREFIX));
	memcpy(m->text + strlen(PREFIX), s->key.p, s->key.n);
	if (s->value.n)
		memcpy(m->text + name + 1, s->value.p, s->value.n);
	m->value = (struct shk_str){ m->text + name + 1, s->value.n };
	m->f = (struct shk_field){ .name = m->text, .class_name = "static", .type = SHK_T_STRING,
				   .falco_type = "CHARBUF", .flags = SHK_F_STABLE, .get = get,
				   .doc = "A value of the configuration.",
				   .origin = "static_fields of shrike.yaml" };
	m->next = every;
	every = m;
	return m;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct made *const *)a)->f.name, (*(const struct made *const *)b)->f.name);
}

int shk_static_fields_set(const struct shk_static_field *v, size_t n)
{
	const struct made *made[SHK_STATIC_MAX];
	int r = 0;

	if (n > SHK_STATIC_MAX)
		return -E2BIG;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n && r == 0; i++) {
		made[i] = make(&v[i]);
		if (!made[i])
			r = -ENOMEM;
	}
	if (r == 0) {
		if (n)
			qsort(made, n, sizeof(made[0]), by_name);
		if (n)
			memcpy(now, made, n * sizeof(made[0]));
		n_now = n;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

const struct shk_field *shk_static_field_at(size_t i)
{
	const struct shk_field *f;

	pthread_mutex_lock(&lock);
	f = i < n_now ? &now[i]->f : NULL;
	pthread_mutex_unlock(&lock);
	return f;
}

const struct shk_field *shk_static_field_find(struct shk_str name)
{
	const struct shk_field *f = NULL;

	if (!shk_str_starts(name, SHK_STR(PREFIX)))
		return NULL;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_now && !f; i++)
		if (shk_str_eqz(name, now[i]->f.name))
			f = &now[i]->f;
	pthread_mutex_unlock(&lock);
	return f;
}
