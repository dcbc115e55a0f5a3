// SPDX-License-Identifier: Apache-2.0
#include "engine/figures.h"

#include <json-c/json.h>

/* Bounds, of a call that memo answers to one that its deadline ended. */
static const uint64_t bounds[SHK_LATENCIES - 1] = {
	5000,	 10000,	  25000,   50000,   100000,   250000,	 500000,    1000000,
	2500000, 5000000, 10000000, 50000000, 100000000, 500000000, 1000000000,
};

struct rule {
	uint64_t count;
	char name[];
};

void shk_figures_init(struct shk_figures *f)
{
	pthread_mutex_init(&f->lock, NULL);
	shk_map_init(&f->rules);
}

void shk_figures_done(struct shk_figures *f)
{
	struct shk_map_slot *s;

	for (size_t pos = 0; (s = shk_map_next(&f->rules, &pos));)
		free(s->value);
	shk_map_done(&f->rules);
	pthread_mutex_destroy(&f->lock);
}

void shk_figures_call(struct shk_figures *f, unsigned id, uint64_t ns)
{
	size_t i = 0;

	while (i < SHK_LATENCIES - 1 && ns > bounds[i])
		i++;
	atomic_fetch_add_explicit(&f->latency[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&f->latency_sum, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&f->call[SHK_MIN(id, (unsigned)SHK_CALL_N)], 1, memory_order_relaxed);
}

static struct rule *rule_of(struct shk_figures *f, struct shk_str name)
{
	struct rule *r = shk_map_get(&f->rules, name);

	if (r)
		return r;
	if (f->rules.used >= SHK_RULE_FIGURES)
		return NULL;
	r = calloc(1, sizeof(*r) + name.n + 1);
	if (!r)
		return NULL;
	memcpy(r->name, name.p, name.n);
	if (shk_map_set(&f->rules, (struct shk_str){ r->name, name.n }, r) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

void shk_figures_rule(struct shk_figures *f, struct shk_str name)
{
	struct rule *r;

	atomic_fetch_add_explicit(&f->alerts, 1, memory_order_relaxed);
	pthread_mutex_lock(&f->lock);
	r = rule_of(f, name);
	if (r)
		r->count++;
	pthread_mutex_unlock(&f->lock);
}

struct json_object *shk_figures_latency(struct shk_figures *f)
{
	struct json_object *o = json_object_new_object(), *b = json_object_new_array(), *c = json_object_new_array();

	if (!o || !b || !c) {
		json_object_put(o);
		json_object_put(b);
		json_object_put(c);
		return NULL;
	}
	for (size_t i = 0; i < SHK_LATENCIES; i++) {
		if (i < SHK_LATENCIES - 1)
			json_object_array_add(b, json_object_new_uint64(bounds[i]));
		json_object_array_add(c, json_object_new_uint64(atomic_load(&f->latency[i])));
	}
	json_object_object_add(o, "bounds_ns", b);
	json_object_object_add(o, "counts", c);
	json_object_object_add(o, "sum_ns", json_object_new_uint64(atomic_load(&f->latency_sum)));
	return o;
}

struct json_object *shk_figures_top(struct shk_figures *f)
{
	struct json_object *o = json_object_new_object(), *calls = json_object_new_object();
	struct json_object *rules = json_object_new_object();
	struct shk_map_slot *s;

	if (!o || !calls || !rules) {
		json_object_put(o);
		json_object_put(calls);
		json_object_put(rules);
		return NULL;
	}
	for (unsigned i = 0; i <= SHK_CALL_N; i++) {
		uint64_t n = atomic_load(&f->call[i]);

		if (n)
			json_object_object_add(calls, i < SHK_CALL_N ? shk_syscalls[i].name :
								       "unknown", json_object_new_uint64(n));
	}
	pthread_mutex_lock(&f->lock);
	for (size_t pos = 0; (s = shk_map_next(&f->rules, &pos));) {
		const struct rule *r = s->value;

		json_object_object_add(rules, r->name, json_object_new_uint64(r->count));
	}
	pthread_mutex_unlock(&f->lock);
	json_object_object_add(o, "calls", calls);
	json_object_object_add(o, "rules", rules);
	return o;
}
