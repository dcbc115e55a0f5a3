// SPDX-License-Identifier: Apache-2.0
#include "state/container.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/process.h"
#include "state/users.h"

/* Metadata of one container: 256 annotations of a few hundred bytes are normal in a cluster. */
#define CONTAINER_BYTES (1u << 20)

const char *shk_way_name(enum shk_way w)
{
	static const char *const names[] = {
		[SHK_WAY_HOOK] = "hook",
		[SHK_WAY_WRAPPER] = "wrapper",
		[SHK_WAY_PROFILE] = "profile",
		[SHK_WAY_RUN] = "run",
		[SHK_WAY_ATTACH] = "attach",
	};

	return (unsigned)w < SHK_ARRAY_SIZE(names) ? names[w] : "unknown";
}

struct shk_container *shk_container_new(uint64_t key)
{
	static const struct shk_str none = { "", 0 };
	struct shk_container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (pthread_mutex_init(&c->lock, NULL)) {
		free(c);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	c->key = key;
	atomic_init(&c->root_fd, -1);
	shk_arena_init(&c->arena, CONTAINER_BYTES);
	shk_map_init(&c->procs);
	c->full_id = c->id = c->name = none;
	c->image = c->image_repo = c->image_tag = c->image_digest = c->image_id = none;
	c->runtime = c->bundle = c->rootfs = c->cgroup = c->hostname = none;
	c->engine = SHK_STR("oci");
	c->k8s_ns = c->k8s_pod = c->k8s_pod_uid = c->k8s_container = none;
	c->policy = none;
	return c;
}

struct shk_container *shk_container_ref(struct shk_container *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void shk_container_unref(struct shk_container *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	shk_container_drop_root(c);
	shk_procs_free(c);
	shk_users_free(c);
	pthread_mutex_destroy(&c->lock);
	shk_arena_done(&c->arena);
	free(c);
}

bool shk_container_hold_root(struct shk_container *c, int fd)
{
	struct stat st;
	int none = -1;

	if (fstat(fd, &st) < 0 || !atomic_compare_exchange_strong(&c->root_fd, &none, fd)) {
		close(fd);
		return false;
	}
	atomic_store(&c->own_dev, st.st_dev);
	return true;
}

void shk_container_drop_root(struct shk_container *c)
{
	int fd;

	atomic_store(&c->own_dev, (dev_t)-1);
	fd = atomic_exchange(&c->root_fd, -1);
	if (fd >= 0)
		close(fd);
}

struct shk_str shk_container_str(struct shk_container *c, struct shk_str s)
{
	struct shk_str r = s.n ? shk_arena_str(&c->arena, s) : (struct shk_str){ NULL, 0 };

	/* Empty when there is no room: identity fields are never NULL. */
	return r.p ? r : (struct shk_str){ "", 0 };
}

struct shk_str shk_container_annotation(const struct shk_container *c, struct shk_str key)
{
	for (size_t i = 0; i < c->n_annotations; i++)
		if (shk_str_eq(c->annotations[i].key, key))
			return c->annotations[i].value;
	return (struct shk_str){ NULL, 0 };
}
