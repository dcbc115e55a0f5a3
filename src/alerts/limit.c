// SPDX-License-Identifier: Apache-2.0
#include "alerts/limit.h"

#include <errno.h>

#include "base/io.h"

#define NS_PER_S    1000000000ull
#define BUCKETS_MAX 4096 /* per container; rules of one policy number hundreds */

/* One per (container, policy, rule). */
struct bucket {
	struct shk_str key;  /* policy name, NUL, rule name: names outlive a reload, pointers do not */
	struct shk_str rule; /* view into key */
	uint64_t level_ns;   /* tokens, each worth NS_PER_S / rate, as time: exact, no fractions */
	uint64_t full_ns, last;
	uint64_t held, first_ns, last_ns; /* of those held back, and when */
	char bytes[];
};

struct tenant { /* a container */
	uint64_t key;
	struct shk_map buckets;
	bool gone; /* goes when what it holds back was reported */
};

struct shk_limits {
	pthread_mutex_t lock; /* everything below */
	struct shk_map tenants;
};

int shk_limits_new(struct shk_limits **ret)
{
	struct shk_limits *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	shk_map_init(&l->tenants);
	*ret = l;
	return 0;
}

static void tenant_free(struct tenant *t)
{
	struct shk_map_slot *s;

	for (size_t pos = 0; (s = shk_map_next(&t->buckets, &pos));)
		free(s->value);
	shk_map_done(&t->buckets);
	free(t);
}

void shk_limits_free(struct shk_limits *l)
{
	struct shk_map_slot *s;

	if (!l)
		return;
	for (size_t pos = 0; (s = shk_map_next(&l->tenants, &pos));)
		tenant_free(s->value);
	shk_map_done(&l->tenants);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct tenant *tenant_get(struct shk_limits *l, uint64_t key)
{
	struct tenant *t = shk_map_get_u64(&l->tenants, key);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->key = key;
	shk_map_init(&t->buckets);
	if (shk_map_set_u64(&l->tenants, key, t) < 0) {
		free(t);
		return NULL;
	}
	return t;
}

static void refill(struct bucket *b, uint64_t now)
{
	uint64_t passed = now > b->last ? now - b->last : 0;

	b->level_ns = passed >= b->full_ns - b->level_ns ? b->full_ns : b->level_ns + passed;
	b->last = now;
}

/* A full bucket with nothing held back says the same as none. */
static void prune(struct tenant *t, uint64_t now)
{
	struct shk_map_slot *s;

	for (size_t pos = 0; (s = shk_map_next(&t->buckets, &pos));) {
		struct bucket *b = s->value;

		refill(b, now);
		if (b->level_ns < b->full_ns || b->held)
			continue;
		shk_map_del(&t->buckets, b->key);
		free(b);
	}
}

static struct bucket *bucket_get(struct tenant *t, struct shk_str policy, struct shk_str rule,
				 uint64_t now)
{
	_cleanup_buf_ struct shk_buf key;
	struct bucket *b;

	shk_buf_init(&key, policy.n + 1 + rule.n);
	shk_buf_addstr(&key, policy);
	shk_buf_addc(&key, '\0');
	shk_buf_addstr(&key, rule);
	if (key.failed)
		return NULL;
	b = shk_map_get(&t->buckets, shk_buf_view(&key));
	if (b)
		return b;
	if (t->buckets.used >= BUCKETS_MAX)
		prune(t, now);
	if (t->buckets.used >= BUCKETS_MAX)
		return NULL;
	b = calloc(1, sizeof(*b) + key.n);
	if (!b)
		return NULL;
	memcpy(b->bytes, key.p, key.n);
	b->key = (struct shk_str){ b->bytes, key.n };
	b->rule = (struct shk_str){ b->bytes + policy.n + 1, rule.n };
	b->last = now;
	b->full_ns = UINT64_MAX; /* new: set by the caller */
	if (shk_map_set(&t->buckets, b->key, b) < 0) {
		free(b);
		return NULL;
	}
	return b;
}

static bool take(struct bucket *b, const struct shk_policy *p, uint64_t now)
{
	uint64_t cost = NS_PER_S / p->alerts_per_second;
	uint64_t full = cost * (p->alerts_burst ? p->alerts_burst : 1);

	cost = cost ? cost : 1;
	full = full ? full : cost;
	if (b->full_ns == UINT64_MAX)
		b->level_ns = full;
	b->full_ns = full;
	b->level_ns = SHK_MIN(b->level_ns, full); /* a reload may have lowered the burst */
	refill(b, now);
	if (b->level_ns < cost) {
		b->last_ns = shk_now_real();
		if (!b->held++)
			b->first_ns = b->last_ns;
		return false;
	}
	b->level_ns -= cost;
	return true;
}

bool shk_limit_allow(struct shk_limits *l, const struct shk_container *c, const struct shk_policy *p,
		     const struct shk_rule_info *rule)
{
	uint64_t now = shk_now_mono();
	struct bucket *b = NULL;
	struct tenant *t;
	bool allow;

	if (!p->alerts_per_second)
		return true;
	pthread_mutex_lock(&l->lock);
	t = tenant_get(l, c ? c->key : 0);
	if (t)
		b = bucket_get(t, p->name, rule->name, now);
	/* Without memory to count in, the alert goes out: what follows is bounded as well. */
	allow = b ? take(b, p, now) : true;
	pthread_mutex_unlock(&l->lock);
	return allow;
}

struct held {
	struct shk_held_back h;
	size_t at; /* rule name in the text buffer */
};

static size_t count_held(const struct shk_limits *l)
{
	struct shk_map_slot *ts, *bs;
	size_t n = 0;

	for (size_t i = 0; (ts = shk_map_next(&l->tenants, &i));)
		for (size_t k = 0; (bs = shk_map_next(&((struct tenant *)ts->value)->buckets, &k));)
			n += ((struct bucket *)bs->value)->held != 0;
	return n;
}

/* Moves counts into `list`. What then says nothing any more (gone, or idle) is dropped, so that an alert
 * that came after its container was forgotten leaves nothing behind. */
static size_t collect(struct shk_limits *l, struct held *list, size_t room, struct shk_buf *names)
{
	uint64_t now = shk_now_mono();
	struct shk_map_slot *ts, *bs;
	size_t n = 0;

	for (size_t i = 0; (ts = shk_map_next(&l->tenants, &i));) {
		struct tenant *t = ts->value;
		bool left = false;

		for (size_t k = 0; (bs = shk_map_next(&t->buckets, &k));) {
			struct bucket *b = bs->value;
			size_t at = names->n;

			if (!b->held)
				continue;
			if (n < room)
				shk_buf_addstr(names, b->rule);
			if (n >= room || names->failed) { /* kept for the next report */
				left = true;
				continue;
			}
			list[n++] = (struct held){ .at = at, .h = { .container = t->key, .rule = { NULL, b->rule.n },
								    .count = b->held, .first_ns = b->first_ns,
								    .last_ns = b->last_ns } };
			b->held = 0;
		}
		prune(t, now);
		if ((t->gone && !left) || !t->buckets.used) {
			shk_map_del_u64(&l->tenants, t->key);
			tenant_free(t);
		}
	}
	return n;
}

void shk_limits_report(struct shk_limits *l, void (*on)(const struct shk_held_back *held, void *arg), void *arg)
{
	_cleanup_buf_ struct shk_buf names;
	_cleanup_free_ struct held *list = NULL;
	size_t room, n = 0;

	shk_buf_init(&names, 4u << 20);
	pthread_mutex_lock(&l->lock);
	room = count_held(l);
	if (room)
		list = calloc(room, sizeof(*list));
	n = collect(l, list, list ? room : 0, &names);
	pthread_mutex_unlock(&l->lock);
	/* Outside the lock: `on` makes alerts, and other threads ask meanwhile. */
	for (size_t i = 0; i < n; i++) {
		list[i].h.rule.p = names.p + list[i].at;
		on(&list[i].h, arg);
	}
}

void shk_limits_forget(struct shk_limits *l, uint64_t container)
{
	struct shk_map_slot *s;
	struct tenant *t;
	bool held = false;

	pthread_mutex_lock(&l->lock);
	t = shk_map_get_u64(&l->tenants, container);
	for (size_t pos = 0; t && (s = shk_map_next(&t->buckets, &pos));)
		held |= ((struct bucket *)s->value)->held != 0;
	if (t && held) {
		t->gone = true; /* a flood followed by an exit is still reported */
	} else if (t) {
		shk_map_del_u64(&l->tenants, container);
		tenant_free(t);
	}
	pthread_mutex_unlock(&l->lock);
}
