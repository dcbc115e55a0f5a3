// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <json-c/json.h>

#include "alerts/sink.h"

void shk_line_unref(struct shk_line *l)
{
	if (!l || --l->refs)
		return;
	free((char *)(uintptr_t)l->json.p);
	free(l);
}

void shk_line_done(struct shk_line *l)
{
	struct shk_owing *o = l->owing;

	if (--l->needed || !o)
		return;
	TAILQ_REMOVE(&o->lines, l, link);
	o->n--;
	l->owing = NULL;
	shk_line_unref(l);
}

struct json_object *shk_line_parse(const struct shk_line *l)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o;

	if (!tok)
		return NULL;
	o = json_tokener_parse_ex(tok, l->json.p, (int)l->json.n);
	json_tokener_free(tok);
	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return NULL;
}

static size_t cost_of(const struct shk_line *l)
{
	return l->json.n + SHK_LINE_COST;
}

void shk_queue_init(struct shk_queue *q, size_t max_bytes)
{
	*q = (struct shk_queue){ .max_bytes = max_bytes };
	TAILQ_INIT(&q->all);
	for (unsigned i = 0; i < SHK_RANKS; i++)
		TAILQ_INIT(&q->rank[i]);
}

/* The caller gets the node's reference. */
static struct shk_line *unlink_node(struct shk_queue *q, struct shk_queue_node *node)
{
	struct shk_line *l = node->line;

	TAILQ_REMOVE(&q->all, node, all);
	TAILQ_REMOVE(&q->rank[l->rank], node, same);
	q->n--;
	q->bytes -= cost_of(l);
	free(node);
	return l;
}

static void drop_one(struct shk_queue *q)
{
	for (unsigned r = SHK_RANKS; r-- > 0;) {
		struct shk_queue_node *node = TAILQ_FIRST(&q->rank[r]);
		struct shk_line *l;

		if (!node)
			continue;
		l = unlink_node(q, node);
		shk_line_done(l);
		shk_line_unref(l);
		return;
	}
}

unsigned shk_queue_push(struct shk_queue *q, struct shk_line *l)
{
	struct shk_queue_node *node = malloc(sizeof(*node));
	unsigned dropped = 0;

	if (!node)
		return 1;
	node->line = l;
	l->refs++;
	l->needed++;
	TAILQ_INSERT_TAIL(&q->all, node, all);
	TAILQ_INSERT_TAIL(&q->rank[l->rank], node, same);
	q->n++;
	q->bytes += cost_of(l);
	while (q->bytes > q->max_bytes) {
		drop_one(q);
		dropped++;
	}
	return dropped;
}

struct shk_line *shk_queue_pop(struct shk_queue *q)
{
	struct shk_queue_node *node = TAILQ_FIRST(&q->all);

	return node ? unlink_node(q, node) : NULL;
}

int shk_queue_unpop(struct shk_queue *q, struct shk_line *l)
{
	struct shk_queue_node *node = malloc(sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->line = l;
	TAILQ_INSERT_HEAD(&q->all, node, all);
	TAILQ_INSERT_HEAD(&q->rank[l->rank], node, same);
	q->n++;
	q->bytes += cost_of(l);
	return 0;
}

void shk_queue_done(struct shk_queue *q)
{
	struct shk_line *l;

	while ((l = shk_queue_pop(q)))
		shk_line_unref(l);
}
