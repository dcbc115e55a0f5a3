// SPDX-License-Identifier: Apache-2.0
/*
 * recorded.c - containers, users and groups of a text; the way in.
 */
#include "state/recorded.h"

#include <errno.h>

#include "state/recorded_impl.h"

#define NAMES_BYTES (64u << 20)
#define SHORT_ID    12u

struct shk_recorded *shk_recorded_new(void)
{
	struct shk_recorded *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	shk_map_init(&r->tasks);
	shk_map_init(&r->containers);
	shk_map_init(&r->users);
	shk_map_init(&r->groups);
	shk_arena_init(&r->names, NAMES_BYTES);
	return r;
}

size_t shk_recorded_n_tasks(const struct shk_recorded *r)
{
	return r->n_tasks;
}

void shk_recorded_free(struct shk_recorded *r)
{
	struct shk_map_slot *s;
	size_t pos = 0;

	if (!r)
		return;
	while ((s = shk_map_next(&r->tasks, &pos)))
		shk_rec_task_drop(r, s->value);
	pos = 0;
	while ((s = shk_map_next(&r->containers, &pos)))
		shk_container_unref(s->value);
	shk_map_done(&r->tasks);
	shk_map_done(&r->containers);
	shk_map_done(&r->users);
	shk_map_done(&r->groups);
	shk_arena_done(&r->names);
	free((void *)(uintptr_t)r->hostname.p);
	free(r);
}

/* ---- values of members ---- */

int shk_rec_bad(const struct shk_text_pair *pair, const char *what, struct shk_err *err)
{
	return shk_err_set(err, EBADMSG, "column %u: " SHK_STR_FMT " must be %s", pair->column,
			   (int)SHK_MIN(pair->name.n, (size_t)64), pair->name.p, what);
}

int shk_rec_number(const struct shk_text_record *rec, const char *name, uint64_t max, uint64_t *ret,
		   struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);
	uint64_t v;

	if (!p)
		return 0;
	if (p->is_list || !shk_text_number(p->value, &v))
		return shk_rec_bad(p, "a number", err);
	/* -1 is how people write an id that is unset. */
	if (max == UINT32_MAX && v == UINT64_MAX)
		v = UINT32_MAX;
	if (v > max)
		return shk_rec_bad(p, "smaller", err);
	*ret = v;
	return 1;
}

int shk_rec_bool(const struct shk_text_record *rec, const char *name, bool *ret, struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);

	if (!p)
		return 0;
	if (!p->is_list && (shk_str_eqz(p->value, "true") || shk_str_eqz(p->value, "1")))
		*ret = true;
	else if (!p->is_list && (shk_str_eqz(p->value, "false") || shk_str_eqz(p->value, "0")))
		*ret = false;
	else
		return shk_rec_bad(p, "true or false", err);
	return 1;
}

int shk_rec_time(const struct shk_text_record *rec, const char *name, uint64_t *ret, struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);

	if (!p)
		return 0;
	if (p->is_list || !shk_text_time(p->value, ret))
		return shk_rec_bad(p, "a time: SECONDS.NANOSECONDS", err);
	return 1;
}

/* ---- containers ---- */

static struct shk_container *new_container(struct shk_recorded *r, struct shk_str id)
{
	struct shk_container *c;

	if (r->n_containers >= SHK_RECORDED_CONTAINERS_MAX)
		return NULL;
	c = shk_container_new(r->last_key + 1);
	if (!c)
		return NULL;
	c->full_id = shk_container_str(c, id);
	c->id = (struct shk_str){ c->full_id.p, SHK_MIN(c->full_id.n, SHORT_ID) };
	c->engine = SHK_STR("");
	if (c->full_id.n != id.n) {
		shk_container_unref(c);
		return NULL;
	}
	return c;
}

/* Tasks, users and groups of an earlier record are those of the new one. */
static bool add_container(struct shk_recorded *r, struct shk_container *c)
{
	struct shk_container *old = shk_map_del(&r->containers, c->full_id);
	struct shk_map_slot *s;
	size_t pos = 0;

	if (shk_map_set(&r->containers, c->full_id, c) < 0) {
		shk_container_unref(c);
		if (old) {
			/* Room was there before. */
			(void)shk_map_set(&r->containers, old->full_id, old);
		}
		return false;
	}
	if (!old) {
		r->last_key++;
		r->n_containers++;
		return true;
	}
	c->key = old->key;
	while ((s = shk_map_next(&r->tasks, &pos))) {
		struct shk_rec_task *t = s->value;

		if (t->p.c == old)
			t->p.c = c;
	}
	shk_container_unref(old);
	return true;
}

struct shk_container *shk_recorded_container(struct shk_recorded *r, struct shk_str id)
{
	struct shk_container *c = shk_map_get(&r->containers, id);

	if (c)
		return c;
	c = new_container(r, id);
	return c && add_container(r, c) ? c : NULL;
}

static int add_pair(struct shk_container *c, struct shk_kv **v, size_t *n, struct shk_str key, struct shk_str value)
{
	if (!*v)
		*v = SHK_ARENA_ARRAY(&c->arena, struct shk_kv, SHK_TEXT_PAIRS_MAX);
	if (!*v)
		return -ENOMEM;
	(*v)[*n].key = shk_container_str(c, key);
	(*v)[(*n)++].value = shk_container_str(c, value);
	return 0;
}

/* ["source", "destination", "type", "options", ...] */
static int put_mounts(struct shk_container *c, const struct shk_text_pair *p, struct shk_err *err)
{
	if (!p->is_list || p->list.n % 4)
		return shk_rec_bad(p, "a list of four texts per mount: source, destination, type, options",
				   err);
	c->mounts = SHK_ARENA_ARRAY(&c->arena, struct shk_mount_info, p->list.n / 4 + 1);
	if (!c->mounts)
		return -ENOMEM;
	for (size_t i = 0; i + 3 < p->list.n; i += 4) {
		struct shk_mount_info *m = &c->mounts[c->n_mounts++];

		m->source = shk_container_str(c, p->list.v[i]);
		m->dest = shk_container_str(c, p->list.v[i + 1]);
		m->type = shk_container_str(c, p->list.v[i + 2]);
		m->options = shk_container_str(c, p->list.v[i + 3]);
	}
	return 0;
}

static int put_text(struct shk_container *c, const struct shk_text_pair *p, struct shk_err *err)
{
	const struct {
		const char *name;
		struct shk_str *to;
	} texts[] = {
		{ "name", &c->name },	      { "image", &c->image },
		{ "image_repo", &c->image_repo }, { "image_tag", &c->image_tag },
		{ "image_digest", &c->image_digest }, { "image_id", &c->image_id },
		{ "runtime", &c->runtime },
		{ "engine", &c->engine },     { "bundle", &c->bundle },
		{ "rootfs", &c->rootfs },     { "cgroup", &c->cgroup },
		{ "hostname", &c->hostname }, { "policy", &c->policy },
		{ "k8s_ns", &c->k8s_ns },     { "k8s_pod", &c->k8s_pod },
		{ "k8s_pod_uid", &c->k8s_pod_uid }, { "k8s_container", &c->k8s_container },
	};
	static const struct shk_str annotation = { "annotation.", 11 }, label = { "label.", 6 };

	if (shk_str_eqz(p->name, "mounts"))
		return put_mounts(c, p, err);
	if (shk_str_starts(p->name, annotation) && !p->is_list)
		return add_pair(c, &c->annotations, &c->n_annotations,
				(struct shk_str){ p->name.p + annotation.n, p->name.n - annotation.n }, p->value);
	if (shk_str_starts(p->name, label) && !p->is_list)
		return add_pair(c, &c->labels, &c->n_labels,
				(struct shk_str){ p->name.p + label.n, p->name.n - label.n }, p->value);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(texts); i++) {
		if (!shk_str_eqz(p->name, texts[i].name))
			continue;
		if (p->is_list)
			return shk_rec_bad(p, "a text", err);
		*texts[i].to = shk_container_str(c, p->value);
		break;
	}
	return 0; /* others are read by name */
}

static int put_host_ns(struct shk_container *c, const struct shk_text_record *rec, struct shk_err *err)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} kinds[] = { { "host_pid", SHK_HOST_PID }, { "host_network", SHK_HOST_NETWORK },
		      { "host_ipc", SHK_HOST_IPC } };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		bool host = false;
		int rc = shk_rec_bool(rec, kinds[i].name, &host, err);

		if (rc < 0)
			return rc;
		c->host_ns_known |= rc > 0 ? kinds[i].bit : 0;
		c->host_ns |= host ? kinds[i].bit : 0;
	}
	return 0;
}

static int put_container(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	struct shk_container *c = new_container(r, rec->key[0]);
	uint64_t init = 0;
	int rc;

	if (!c)
		return shk_err_set(err, E2BIG, "column 11: more than %u containers, or out of memory",
				   SHK_RECORDED_CONTAINERS_MAX);
	rc = shk_rec_bool(rec, "privileged", &c->privileged, err);
	if (rc >= 0)
		rc = shk_rec_time(rec, "start", &c->start_ns, err);
	if (rc >= 0)
		rc = shk_rec_number(rec, "init", INT32_MAX, &init, err);
	c->init_pid = (pid_t)init;
	if (rc >= 0)
		rc = put_host_ns(c, rec, err);
	for (size_t i = 0; rc >= 0 && i < rec->n_pairs; i++)
		rc = put_text(c, &rec->pairs[i], err);
	if (rc == -ENOMEM || (rc >= 0 && c->arena.failed))
		rc = shk_err_set(err, ENOMEM, "the container's texts need too much memory");
	if (rc < 0) {
		shk_container_unref(c);
		return rc;
	}
	return add_container(r, c) ? 0 : shk_err_set(err, ENOMEM, "out of memory");
}

/* ---- users and groups ---- */

/* Key of the container a member names; the host's is 0. -ENOMEM. */
static int key_of(struct shk_recorded *r, const struct shk_text_record *rec, uint64_t *ret, struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, "container");
	struct shk_container *c = p ? shk_recorded_container(r, p->value) : NULL;

	if (p && !c)
		return shk_err_set(err, E2BIG, "column %u: more than %u containers, or out of memory", p->column,
				   SHK_RECORDED_CONTAINERS_MAX);
	*ret = c ? c->key : 0;
	return 0;
}

static struct shk_str text_of(struct shk_recorded *r, const struct shk_text_record *rec, const char *name)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);

	return p ? shk_arena_str(&r->names, p->value) : (struct shk_str){ "", 0 };
}

static int put_name(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	bool is_user = rec->kind == SHK_TEXT_USER;
	struct shk_map *m = is_user ? &r->users : &r->groups;
	uint64_t id, key = 0;
	void *row;
	int rc;

	if (!shk_text_number(rec->key[0], &id) || id > UINT32_MAX)
		return shk_err_set(err, EBADMSG, "column %u: an id has 32 bits", is_user ? 6 : 7);
	rc = key_of(r, rec, &key, err);
	if (rc < 0)
		return rc;
	if (m->used >= SHK_RECORDED_USERS_MAX)
		return shk_err_set(err, E2BIG, "more than %u users or groups", SHK_RECORDED_USERS_MAX);
	if (is_user) {
		struct shk_user *u = row = SHK_ARENA_NEW(&r->names, struct shk_user);

		if (u)
			*u = (struct shk_user){ .uid = (uid_t)id, .name = text_of(r, rec, "name"),
						.homedir = text_of(r, rec, "home"),
						.shell = text_of(r, rec, "shell") };
	} else {
		struct shk_group *g = row = SHK_ARENA_NEW(&r->names, struct shk_group);

		if (g)
			*g = (struct shk_group){ .gid = (gid_t)id, .name = text_of(r, rec, "name") };
	}
	if (!row || r->names.failed || shk_map_set_u64(m, key << 32 | id, row) < 0)
		return shk_err_set(err, ENOMEM, "too many users and groups for memory");
	return 0;
}

/* In the container's own records, else in those that name none. */
static void *name_of(const struct shk_map *m, const struct shk_container *c, uint32_t id)
{
	void *row = c ? shk_map_get_u64(m, c->key << 32 | id) : NULL;

	return row ? row : shk_map_get_u64(m, id);
}

const struct shk_user *shk_recorded_user(struct shk_recorded *r, const struct shk_container *c, uid_t uid)
{
	static const struct shk_user root = { .name = { "root", 4 }, .homedir = { "/root", 5 },
					      .shell = { "", 0 } };
	const struct shk_user *u = name_of(&r->users, c, uid);

	return u || uid ? u : &root;
}

const struct shk_group *shk_recorded_group(struct shk_recorded *r, const struct shk_container *c, gid_t gid)
{
	static const struct shk_group root = { .name = { "root", 4 } };
	const struct shk_group *g = name_of(&r->groups, c, gid);

	return g || gid ? g : &root;
}

struct shk_str shk_recorded_hostname(const struct shk_recorded *r)
{
	return r->hostname;
}

int shk_recorded_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	switch (rec->kind) {
	case SHK_TEXT_CONTAINER:
		return put_container(r, rec, err);
	case SHK_TEXT_PROCESS:
		return shk_rec_task_put(r, rec, err);
	case SHK_TEXT_FD:
		return shk_rec_fd_put(r, rec, err);
	case SHK_TEXT_USER:
	case SHK_TEXT_GROUP:
		return put_name(r, rec, err);
	case SHK_TEXT_PROGRAM:
		return shk_rec_program_put(r, rec, err);
	case SHK_TEXT_USAGE:
		return shk_rec_usage_put(r, rec, err);
	case SHK_TEXT_MACHINE:
		return shk_rec_set_str(&r->hostname, rec->key[0]) ? 0 : shk_err_set(err, ENOMEM, "out of memory");
	case SHK_TEXT_EVENT:
		break;
	}
	return shk_err_set(err, EINVAL, "an event is no state");
}
