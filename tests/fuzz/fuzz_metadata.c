// SPDX-License-Identifier: Apache-2.0
/* Any JSON as config.json and as annotations: the description stays within the container's arena, and every
 * text of it is inside that arena or empty. */
#include <json-c/json.h>
#include <stdlib.h>

#include "control/control.h"
#include "state/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void touch(struct shk_str s)
{
	if (!s.p)
		abort();
	for (size_t i = 0; i < s.n; i++)
		sink += (unsigned char)s.p[i];
}

static void touch_all(const struct shk_container *c)
{
	touch(c->name);
	touch(c->image);
	touch(c->image_repo);
	touch(c->image_tag);
	touch(c->image_digest);
	touch(c->image_id);
	touch(c->engine);
	touch(c->hostname);
	touch(c->k8s_ns);
	touch(c->k8s_pod);
	touch(c->k8s_pod_uid);
	touch(c->k8s_container);
	if (c->image_repo.n + c->image_tag.n > c->image.n)
		abort();
	for (size_t i = 0; i < c->n_annotations; i++)
		touch(c->annotations[i].key), touch(c->annotations[i].value);
	for (size_t i = 0; i < c->n_labels; i++)
		touch(c->labels[i].key), touch(c->labels[i].value);
	for (size_t i = 0; i < c->n_mounts; i++)
		touch(c->mounts[i].source), touch(c->mounts[i].options);
	for (size_t i = 0; i < c->n_masked; i++)
		touch(c->masked[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_str text = { (const char *)data, size };
	struct json_object *o = size <= 65536 ? shk_json_parse(text, size, NULL) : NULL;
	struct shk_container *c = o ? shk_container_new(1) : NULL;

	if (c) {
		struct json_object *config = shk_json_object(o, "config");

		/* Both ways of calling: the whole text as config.json, or a request with both. */
		shk_container_describe(c, config ? config : o, shk_json_object(o, "annotations"));
		/* Nothing may point into what was parsed. */
		json_object_put(o);
		touch_all(c);
		shk_container_unref(c);
		return 0;
	}
	json_object_put(o);
	return 0;
}
