// SPDX-License-Identifier: Apache-2.0
/*
 * noted.c - name, image and labels of a container, from the notes its engine keeps.
 *
 * podman and docker tell the runtime none of them. podman's storage has them beside the bundle
 * (STORAGE/DRIVER-containers/ID/userdata: containers.json, or volatile-containers.json for --rm), docker's
 * where /etc/hostname of the container comes from (ROOT/containers/ID/config.v2.json). Both are written
 * before the runtime is called and replaced by rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "control/control.h"

#define NOTES_MAX	(32u << 20) /* all containers of a storage */
#define CONTAINERS_MAX	65536u
#define MOUNTS_MAX	512u
#define LABELS_MAX	64u
#define LABELS_BYTES	8192u

/* The file's JSON as member `all` of an object; NULL when there is none to be used. */
static struct json_object *read_notes(struct shk_str dir, const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct json_object *o = NULL;
	struct shk_buf b;
	struct stat st;

	if (asprintf(&path, SHK_STR_FMT "/%s", SHK_STR_ARG(dir), name) < 0) {
		path = NULL;
		return NULL;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_uid != 0 && st.st_uid != geteuid()))
		return NULL;
	shk_buf_init(&b, NOTES_MAX);
	shk_buf_adds(&b, "{\"all\":");
	if (shk_read_all(fd, &b, NULL) == 0) {
		shk_buf_addc(&b, '}');
		o = b.failed ? NULL : shk_json_parse(shk_buf_view(&b), NOTES_MAX, NULL);
	}
	shk_buf_done(&b);
	return o;
}

static void add(struct json_object **note, const char *key, struct shk_str s)
{
	if (!s.n)
		return;
	if (!*note)
		*note = json_object_new_object();
	if (*note)
		json_object_object_add(*note, key, json_object_new_string_len(s.p, (int)s.n));
}

/* A record has to fit the keeper's store beside everything else (keeper_proto.h), so labels are few and
 * short: those that do not fit are left out. */
static void add_labels(struct json_object **note, struct json_object *labels)
{
	size_t n = 0, bytes = 0;
	struct json_object *o;

	if (!*note || !labels)
		return;
	o = json_object_new_object();
	if (!o)
		return;
	json_object_object_foreach(labels, key, val) {
		size_t len = strlen(key);

		if (!json_object_is_type(val, json_type_string))
			continue;
		len += (size_t)json_object_get_string_len(val);
		if (n == LABELS_MAX || bytes + len > LABELS_BYTES)
			continue;
		json_object_object_add(o, key, json_object_get(val));
		bytes += len;
		n++;
	}
	json_object_object_add(*note, "labels", o);
}

/* The directory that has last as its last part; n 0 when it has another. */
static struct shk_str parent(struct shk_str path, struct shk_str last)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (last.n && path.n > last.n && shk_str_ends(path, last) &&
	    path.p[path.n - last.n - 1] == '/')
		return (struct shk_str){ path.p, path.n - last.n - 1 };
	return (struct shk_str){ "", 0 };
}

static struct json_object *of_storage(struct json_object *all, struct shk_str id)
{
	struct json_object *list = shk_json_array(all, "all"), *note = NULL, *c, *meta;
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n && i < CONTAINERS_MAX; i++) {
		c = json_object_array_get_idx(list, i);
		if (!shk_str_eq(shk_json_str(c, "id"), id))
			continue;
		meta = shk_json_parse(shk_json_str(c, "metadata"), NOTES_MAX, NULL);
		add(&note, "name", shk_json_str(meta, "name"));
		add(&note, "image", shk_json_str(meta, "image-name"));
		add(&note, "image_id", shk_json_str(c, "image"));
		json_object_put(meta);
		break;
	}
	return note;
}

static struct json_object *by_podman(struct shk_str bundle, struct shk_str id)
{
	static const char *const files[] = { "containers.json", "volatile-containers.json" };
	struct shk_str dir = parent(parent(bundle, SHK_STR("userdata")), id);
	struct json_object *note = NULL;

	for (size_t i = 0; dir.n && !note && i < SHK_ARRAY_SIZE(files); i++) {
		struct json_object *all = read_notes(dir, files[i]);

		note = of_storage(all, id);
		json_object_put(all);
	}
	return note;
}

static struct json_object *by_docker(struct shk_str id, struct json_object *config)
{
	static const char *const files[] = { "hostname", "hosts", "resolv.conf" };
	struct json_object *mounts = shk_json_array(config, "mounts"), *all, *o, *note = NULL;
	size_t n = mounts ? json_object_array_length(mounts) : 0;

	for (size_t i = 0; i < n && i < MOUNTS_MAX; i++) {
		struct shk_str source = shk_json_str(json_object_array_get_idx(mounts, i), "source");
		struct shk_str dir = { "", 0 }, name;

		for (size_t k = 0; !dir.n && k < SHK_ARRAY_SIZE(files); k++)
			dir = parent(source, shk_str(files[k]));
		if (!parent(parent(dir, id), SHK_STR("containers")).n)
			continue;
		all = read_notes(dir, "config.v2.json");
		o = shk_json_object(all, "all");
		name = shk_json_str(o, "Name");
		if (name.n && name.p[0] == '/')
			name = (struct shk_str){ name.p + 1, name.n - 1 };
		if (shk_str_eq(shk_json_str(o, "ID"), id)) {
			add(&note, "name", name);
			add(&note, "image", shk_json_str(shk_json_object(o, "Config"), "Image"));
			add(&note, "image_id", shk_json_str(o, "Image"));
			add_labels(&note, shk_json_object(shk_json_object(o, "Config"), "Labels"));
		}
		json_object_put(all);
		break;
	}
	return note;
}

struct json_object *shk_engine_noted(struct shk_str bundle, struct shk_str id,
				     struct json_object *config)
{
	struct json_object *note = id.n && bundle.n ? by_podman(bundle, id) : NULL;

	return note || !id.n ? note : by_docker(id, config);
}
