// SPDX-License-Identifier: Apache-2.0
/*
 * metadata.c - what a container is called, and by whom: config.json and annotations.
 *
 * Every engine tells the runtime about its container in another way. Most of it is text that whoever
 * starts the container can choose, so nothing here is proof of anything (THREATS A12).
 */
#include <json-c/json.h>

#include "control/control.h"
#include "state/container.h"

#define PAIRS_MAX  512u /* annotations, labels */
#define LISTS_MAX  512u /* mounts, masked paths */
#define LABELS_BYTES (256u << 10)

static size_t min_len(struct json_object *array, size_t max)
{
	size_t n = array ? json_object_array_length(array) : 0;

	return SHK_MIN(n, max);
}

/* Adds the string members of o that are not there yet to the pairs. */
static void add_pairs(struct shk_container *c, struct shk_kv **v, size_t *n, struct json_object *o)
{
	size_t add = o ? (size_t)json_object_object_length(o) : 0, had = *n;
	struct shk_kv *all;

	add = SHK_MIN(add, PAIRS_MAX - had);
	if (!add)
		return;
	all = SHK_ARENA_ARRAY(&c->arena, struct shk_kv, had + add);
	if (!all)
		return;
	for (size_t i = 0; i < had; i++)
		all[i] = (*v)[i];
	json_object_object_foreach(o, key, val) {
		size_t i = 0;

		if (!json_object_is_type(val, json_type_string) || *n == had + add)
			continue;
		while (i < had && !shk_str_eqz(all[i].key, key))
			i++;
		if (i < had)
			continue;
		all[*n].key = shk_container_str(c, shk_str(key));
		all[*n].value = shk_container_str(c, (struct shk_str){
			json_object_get_string(val), (size_t)json_object_get_string_len(val) });
		(*n)++;
	}
	*v = all;
}

/* The first annotation of a NULL-terminated list that is there and not empty; else "". */
static struct shk_str first_of(const struct shk_container *c, const char *const keys[])
{
	for (size_t i = 0; keys[i]; i++) {
		struct shk_str s = shk_container_annotation(c, shk_str(keys[i]));

		if (s.n)
			return s;
	}
	return (struct shk_str){ "", 0 };
}

static bool contains(struct shk_str s, const char *what)
{
	return s.n && memmem(s.p, s.n, what, strlen(what));
}

/* registry.example:5000/team/app:1.2@sha256:... -> repository, tag, digest. A colon belongs to the tag
 * only behind the last slash. */
static void split_image(struct shk_container *c)
{
	struct shk_str s = c->image;
	const char *at = memchr(s.p, '@', s.n);
	size_t n;

	if (at) {
		size_t off = (size_t)(at - s.p);

		c->image_digest = (struct shk_str){ at + 1, s.n - off - 1 };
		s.n = off;
	}
	c->image_repo = s;
	for (n = s.n; n && s.p[n - 1] != '/'; n--) {
		if (s.p[n - 1] != ':')
			continue;
		c->image_tag = (struct shk_str){ s.p + n, s.n - n };
		c->image_repo.n = n - 1;
		break;
	}
}

static bool is_hex(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
			return false;
	return s.n > 0;
}

static void describe_image(struct shk_container *c, struct json_object *noted)
{
	static const char *const names[] = {
		"io.kubernetes.cri.image-name",
		"io.kubernetes.cri-o.ImageName",
		"io.kubernetes.cri-o.Image",
		"io.podman.annotations.checkpoint.rootfsImageName",
		"nerdctl/image-name",
		"org.opencontainers.image.ref.name",
		NULL,
	};
	static const char *const digests[] = { "io.kubernetes.cri-o.ImageRef", NULL };
	struct shk_str image = shk_container_str(c, shk_json_str(noted, "image"));
	struct shk_str digest = first_of(c, digests);
	const char *at;

	/* The engine's own notes go first: annotations are what somebody asked for. */
	if (!image.n)
		image = first_of(c, names);

	/* A bare id names no repository. */
	if (shk_str_starts(image, SHK_STR("sha256:")) || (image.n == 64 && is_hex(image)))
		image.n = 0;
	if (image.n) {
		c->image = image;
		split_image(c);
	}
	if (c->image_digest.n || !digest.n)
		return;
	at = memchr(digest.p, '@', digest.n);
	if (at)
		digest = (struct shk_str){ at + 1, digest.n - (size_t)(at + 1 - digest.p) };
	if (shk_str_starts(digest, SHK_STR("sha256:")))
		c->image_digest = digest;
}

/* "sha256:" and 64 digits, or the digits alone. */
static void describe_image_id(struct shk_container *c, struct json_object *noted)
{
	static const char *const keys[] = { "io.kubernetes.cri-o.ImageRef", "io.kubernetes.cri-o.Image",
					    NULL };
	static const struct shk_str hash = { "sha256:", 7 };
	struct shk_str id = shk_json_str(noted, "image_id");

	if (!id.n)
		id = first_of(c, keys);
	if (shk_str_starts(id, hash))
		id = (struct shk_str){ id.p + hash.n, id.n - hash.n };
	if (id.n == 64 && is_hex(id))
		c->image_id = shk_container_str(c, id);
}

/* Without a namespace of its own, or with that of the machine's first process, it has the host's. */
static void describe_host_ns(struct shk_container *c, struct json_object *linux_)
{
	static const struct {
		const char *type, *path;
		uint8_t bit;
	} kinds[] = {
		{ "pid", "/proc/1/ns/pid", SHK_HOST_PID },
		{ "network", "/proc/1/ns/net", SHK_HOST_NETWORK },
		{ "ipc", "/proc/1/ns/ipc", SHK_HOST_IPC },
	};
	struct json_object *list = shk_json_array(linux_, "namespaces");

	if (!linux_)
		return;
	for (size_t k = 0; k < SHK_ARRAY_SIZE(kinds); k++) {
		c->host_ns_known |= kinds[k].bit;
		c->host_ns |= kinds[k].bit;
		for (size_t i = 0, n = min_len(list, LISTS_MAX); i < n; i++) {
			struct json_object *o = json_object_array_get_idx(list, i);

			if (shk_str_eqz(shk_json_str(o, "type"), kinds[k].type) &&
			    !shk_str_eqz(shk_json_str(o, "path"), kinds[k].path))
				c->host_ns &= (uint8_t)~kinds[k].bit;
		}
	}
}

static void describe_engine(struct shk_container *c, struct json_object *config)
{
	struct shk_str cgroup = shk_json_str(shk_json_object(config, "linux"), "cgroupsPath");
	struct shk_str manager = shk_container_annotation(c, SHK_STR("io.container.manager"));

	if (shk_str_eqz(manager, "libpod"))
		c->engine = SHK_STR("podman");
	else if (shk_str_eqz(manager, "cri-o") ||
		 shk_container_annotation(c, SHK_STR("io.kubernetes.cri-o.ContainerType")).n)
		c->engine = SHK_STR("cri-o");
	else if (shk_container_annotation(c, SHK_STR("io.kubernetes.cri.container-type")).n)
		c->engine = SHK_STR("containerd");
	/* dockerd leaves no annotation; its containerd namespace and its cgroups show. */
	else if (contains(c->bundle, "/moby/") || contains(c->rootfs, "/docker/") ||
		 contains(cgroup, ":docker:") || shk_str_starts(cgroup, SHK_STR("/docker/")))
		c->engine = SHK_STR("docker");
	else if (contains(c->bundle, "/io.containerd.runtime."))
		c->engine = SHK_STR("containerd");
	else if (contains(c->bundle, "/overlay-containers/") &&
		 contains(cgroup, "libpod"))
		c->engine = SHK_STR("podman");
}

static void describe_names(struct shk_container *c, struct json_object *noted)
{
	static const char *const pod_ns[] = {
		"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace",
		"io.kubernetes.cri-o.Namespace", NULL };
	static const char *const pod[] = {
		"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name",
		"io.kubernetes.cri-o.KubeName", NULL };
	static const char *const pod_uid[] = {
		"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid", NULL };
	static const char *const container[] = {
		"io.kubernetes.cri.container-name", "io.kubernetes.container.name", NULL };
	static const char *const name[] = {
		"io.kubernetes.cri-o.Name", "io.podman.annotations.name",
		"io.container.name", "nerdctl/name", NULL };
	struct shk_str s;

	c->k8s_ns = first_of(c, pod_ns);
	c->k8s_pod = first_of(c, pod);
	c->k8s_pod_uid = first_of(c, pod_uid);
	c->k8s_container = first_of(c, container);
	s = shk_container_str(c, shk_json_str(noted, "name"));
	if (!s.n)
		s = first_of(c, name);
	/* CRI-O's Name carries pod, namespace and attempt: the short one reads better, as in Falco. */
	if (c->k8s_container.n)
		s = c->k8s_container;
	if (s.n)
		c->name = s;
	else if (!c->name.n)
		c->name = c->full_id;
}

static bool is_true(struct shk_str s)
{
	return shk_str_eqz(s, "true") || shk_str_eqz(s, "TRUE");
}

static bool has_string(struct json_object *array, const char *what)
{
	for (size_t i = 0, n = min_len(array, LISTS_MAX); i < n; i++) {
		struct json_object *v = json_object_array_get_idx(array, i);

		if (json_object_is_type(v, json_type_string) &&
		    !strcmp(json_object_get_string(v), what))
			return true;
	}
	return false;
}

/* An engine's word, or what engines do for privileged containers: capabilities no other container
 * gets, nothing masked, no seccomp profile. An annotation can only add to it. */
static void describe_privileged(struct shk_container *c, struct json_object *config)
{
	struct json_object *linux_ = shk_json_object(config, "linux");
	struct json_object *bounding = shk_json_array(
		shk_json_object(shk_json_object(config, "process"), "capabilities"), "bounding");
	struct json_object *hints = shk_json_array(config, "privileged_hints");
	bool caps = has_string(hints, "all_caps") ||
		    (has_string(bounding, "CAP_SYS_ADMIN") &&
		     has_string(bounding, "CAP_SYS_MODULE") &&
		     has_string(bounding, "CAP_SYS_RAWIO"));
	bool masked = min_len(shk_json_array(linux_, "maskedPaths"), 1) > 0;
	/* Way B puts a profile of ours into config.json: with our hints, they count instead. */
	bool seccomp = hints ? !has_string(hints, "no_seccomp") :
			       shk_json_object(linux_, "seccomp") != NULL;

	c->privileged =
		is_true(shk_container_annotation(c, SHK_STR("io.podman.annotations.privileged"))) ||
		is_true(shk_container_annotation(c, SHK_STR("io.kubernetes.cri-o.PrivilegedRuntime"))) ||
		(caps && !masked && !seccomp);
}

static void join_options(struct shk_container *c, struct json_object *options, struct shk_str *ret)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 4096);
	for (size_t i = 0, n = min_len(options, 64); i < n; i++) {
		struct json_object *v = json_object_array_get_idx(options, i);

		if (!json_object_is_type(v, json_type_string))
			continue;
		if (b.n)
			shk_buf_addc(&b, ',');
		shk_buf_add(&b, json_object_get_string(v), (size_t)json_object_get_string_len(v));
	}
	*ret = shk_container_str(c, shk_buf_view(&b));
}

static void describe_mounts(struct shk_container *c, struct json_object *mounts)
{
	size_t n = min_len(mounts, LISTS_MAX);
	struct shk_mount_info *m = n ? SHK_ARENA_ARRAY(&c->arena, struct shk_mount_info, n) : NULL;

	if (!m)
		return;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(mounts, i);

		m[i].source = shk_container_str(c, shk_json_str(o, "source"));
		m[i].dest = shk_container_str(c, shk_json_str(o, "destination"));
		m[i].type = shk_container_str(c, shk_json_str(o, "type"));
		join_options(c, shk_json_array(o, "options"), &m[i].options);
	}
	c->mounts = m;
	c->n_mounts = n;
}

static void describe_masked(struct shk_container *c, struct json_object *linux_)
{
	static const char *const lists[] = { "maskedPaths", "readonlyPaths" };
	size_t room = 0;

	for (size_t k = 0; k < SHK_ARRAY_SIZE(lists); k++)
		room += min_len(shk_json_array(linux_, lists[k]), LISTS_MAX);
	c->masked = room ? SHK_ARENA_ARRAY(&c->arena, struct shk_str, room) : NULL;
	c->n_masked = 0;
	for (size_t k = 0; c->masked && k < SHK_ARRAY_SIZE(lists); k++) {
		struct json_object *a = shk_json_array(linux_, lists[k]);

		for (size_t i = 0, n = min_len(a, LISTS_MAX); i < n; i++) {
			struct json_object *v = json_object_array_get_idx(a, i);

			if (json_object_is_type(v, json_type_string))
				c->masked[c->n_masked++] =
					shk_container_str(c, shk_str(json_object_get_string(v)));
		}
	}
}

/* CRI-O: the labels of the container and its pod as JSON text in one annotation. docker notes them. */
static void describe_labels(struct shk_container *c, struct json_object *noted)
{
	struct shk_str text = shk_container_annotation(c, SHK_STR("io.kubernetes.cri-o.Labels"));
	struct json_object *o = text.n ? shk_json_parse(text, LABELS_BYTES, NULL) : NULL;

	add_pairs(c, &c->labels, &c->n_labels, shk_json_object(noted, "labels"));
	add_pairs(c, &c->labels, &c->n_labels, json_object_is_type(o, json_type_object) ? o : NULL);
	json_object_put(o);
}

void shk_container_describe(struct shk_container *c, struct json_object *config,
			    struct json_object *annotations)
{
	/* The state's annotations go before those of config.json: the runtime merged them. */
	if (json_object_is_type(annotations, json_type_object))
		add_pairs(c, &c->annotations, &c->n_annotations, annotations);
	add_pairs(c, &c->annotations, &c->n_annotations, shk_json_object(config, "annotations"));
	c->hostname = shk_container_str(c, shk_json_str(config, "hostname"));
	describe_engine(c, config);
	describe_image(c, shk_json_object(config, "noted"));
	describe_names(c, shk_json_object(config, "noted"));
	describe_image_id(c, shk_json_object(config, "noted"));
	describe_labels(c, shk_json_object(config, "noted"));
	describe_host_ns(c, shk_json_object(config, "linux"));
	describe_privileged(c, config);
	describe_mounts(c, shk_json_array(config, "mounts"));
	describe_masked(c, shk_json_object(config, "linux"));
}
