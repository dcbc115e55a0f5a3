// SPDX-License-Identifier: Apache-2.0
#include "oci.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

bool shk_oci_id_ok(struct shk_str id)
{
	if (!id.n || id.n > SHK_OCI_ID_MAX || shk_str_eqz(id, ".") || shk_str_eqz(id, ".."))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] <= 0x20 || id.p[i] == 0x7f || id.p[i] == '/')
			return false;
	return true;
}

/* A path without NUL that starts at the root. */
static bool path_ok(struct shk_str s)
{
	return s.n && s.p[0] == '/' && !memchr(s.p, 0, s.n);
}

int shk_oci_state_parse(struct shk_str text, struct shk_oci_state *ret, struct shk_err *err)
{
	struct shk_oci_state s = { 0 };
	int64_t pid;
	int r;

	if (!text.n)
		return shk_err_set(err, EBADMSG, "nothing on standard input; an OCI runtime has to "
				   "call this as a hook, it gives the container's state there");
	s.json = shk_json_parse(text, SHK_OCI_STATE_MAX, err);
	if (!s.json) {
		r = shk_err_prefix(err, "container state on standard input");
		if (r == -EBADMSG && err) {
			size_t n = strlen(err->text);

			snprintf(err->text + n, sizeof(err->text) - n,
				 "; an OCI runtime has to call this as a hook");
		}
		return r;
	}
	s.id = shk_json_str(s.json, "id");
	s.bundle = shk_json_str(s.json, "bundle");
	/* Before version 1.0 of the specification. */
	if (!s.bundle.p)
		s.bundle = shk_json_str(s.json, "bundlePath");
	s.status = shk_json_str(s.json, "status");
	s.version = shk_json_str(s.json, "ociVersion");
	pid = shk_json_int(s.json, "pid", 0);
	if (!shk_oci_id_ok(s.id))
		r = shk_err_set(err, EBADMSG, "container state: \"id\" is absent or no container id; "
				"report this to the maker of the runtime");
	else if (s.bundle.n && !path_ok(s.bundle))
		r = shk_err_set(err, EBADMSG, "container state: \"bundle\" is no absolute path; "
				"report this to the maker of the runtime");
	else if (pid < 0 || pid > INT32_MAX)
		r = shk_err_set(err, EBADMSG, "container state: \"pid\" is no process; "
				"report this to the maker of the runtime");
	else
		r = 0;
	if (r < 0) {
		json_object_put(s.json);
		return r;
	}
	s.pid = (pid_t)pid;
	*ret = s;
	return 0;
}

int shk_oci_state_read(int fd, struct shk_oci_state *ret, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b;
	int r;

	shk_buf_init(&b, SHK_OCI_STATE_MAX);
	r = shk_read_all(fd, &b, err);
	if (r == -EFBIG)
		return shk_err_set(err, EFBIG, "container state on standard input is larger than %u "
				   "bytes; shorten the container's annotations", SHK_OCI_STATE_MAX);
	if (r < 0)
		return shk_err_prefix(err, "container state on standard input");
	return shk_oci_state_parse(shk_buf_view(&b), ret, err);
}

void shk_oci_state_done(struct shk_oci_state *s)
{
	json_object_put(s->json);
	*s = (struct shk_oci_state){ 0 };
}

int shk_oci_config_parse(struct shk_str text, struct json_object **ret, struct shk_err *err)
{
	*ret = shk_json_parse(text, SHK_OCI_CONFIG_MAX, err);
	return *ret ? 0 : -(err ? err->errnum : EBADMSG);
}

int shk_oci_config_read(const char *path, struct json_object **ret, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b;
	struct shk_err e = { 0 };
	int r;

	shk_buf_init(&b, SHK_OCI_CONFIG_MAX);
	r = shk_read_file(path, &b, &e);
	if (r == -EFBIG)
		return shk_err_set(err, EFBIG, "%s is larger than %u bytes; shorten its annotations or "
				   "its seccomp section", path, SHK_OCI_CONFIG_MAX);
	if (r < 0)
		return shk_err_set(err, -r, "%s; name a bundle this user can read", e.text);
	r = shk_oci_config_parse(shk_buf_view(&b), ret, &e);
	if (r < 0)
		return shk_err_set(err, -r, "%s is no valid OCI configuration: %s; make the bundle anew",
				   path, e.text);
	return 0;
}

int shk_oci_rootfs(struct shk_str bundle, struct json_object *config, char **ret,
		   struct shk_err *err)
{
	struct shk_str p = shk_json_str(shk_json_object(config, "root"), "path");
	struct shk_buf b;

	if (!p.n || memchr(p.p, 0, p.n))
		return shk_err_set(err, EBADMSG, "config.json has no \"root.path\"; a container "
				   "without a root file system cannot be supervised");
	shk_buf_init(&b, 65536);
	if (p.p[0] != '/') {
		shk_buf_addstr(&b, bundle);
		shk_buf_addc(&b, '/');
	}
	shk_buf_addstr(&b, p);
	if (b.failed) {
		shk_buf_done(&b);
		return shk_err_set(err, ENAMETOOLONG, "config.json: \"root.path\" is too long");
	}
	*ret = b.p;
	return 0;
}

static void copy(struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *v;

	if (from && json_object_object_get_ex(from, key, &v) && v)
		json_object_object_add(to, key, json_object_get(v));
}

static void copy_keys(struct json_object *to, struct json_object *from, const char *const *keys)
{
	for (; *keys; keys++)
		copy(to, from, *keys);
}

/* The members named, as an object of its own under key; nothing when there are none. */
static struct json_object *part(struct json_object *to, struct json_object *from, const char *key,
				const char *const *keys)
{
	struct json_object *src = shk_json_object(from, key), *o;

	o = src ? json_object_new_object() : NULL;
	if (o) {
		copy_keys(o, src, keys);
		json_object_object_add(to, key, o);
	}
	return o;
}

static bool has_notify(struct json_object *seccomp)
{
	struct json_object *rules = shk_json_array(seccomp, "syscalls");

	for (size_t i = 0; rules && i < json_object_array_length(rules); i++)
		if (shk_str_eqz(shk_json_str(json_object_array_get_idx(rules, i), "action"),
				"SCMP_ACT_NOTIFY"))
			return true;
	return shk_str_eqz(shk_json_str(seccomp, "defaultAction"), "SCMP_ACT_NOTIFY");
}

static bool array_has(struct json_object *a, const char *word)
{
	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		struct json_object *v = json_object_array_get_idx(a, i);

		if (json_object_is_type(v, json_type_string) &&
		    strcmp(json_object_get_string(v), word) == 0)
			return true;
	}
	return false;
}

/* A namespace of its own, or another container's, is in the list; the host's is not. */
static bool has_ns(struct json_object *linux_, const char *type)
{
	struct json_object *a = shk_json_array(linux_, "namespaces");

	for (size_t i = 0; a && i < json_object_array_length(a); i++)
		if (shk_str_eqz(shk_json_str(json_object_array_get_idx(a, i), "type"), type))
			return true;
	return false;
}

static struct json_object *hints(struct json_object *config)
{
	struct json_object *lin = shk_json_object(config, "linux"), *h = json_object_new_array();
	struct json_object *caps = shk_json_array(
		shk_json_object(shk_json_object(config, "process"), "capabilities"), "bounding");
	struct json_object *masked = shk_json_array(lin, "maskedPaths");
	const struct {
		bool is;
		const char *name;
	} all[] = {
		{ array_has(caps, "CAP_SYS_ADMIN") && array_has(caps, "CAP_SYS_MODULE") &&
			  array_has(caps, "CAP_SYS_RAWIO"), "all_caps" },
		{ !has_ns(lin, "pid"), "host_pid" },
		{ !has_ns(lin, "network"), "host_net" },
		{ !has_ns(lin, "ipc"), "host_ipc" },
		{ !masked || json_object_array_length(masked) == 0, "no_mask" },
		{ !shk_json_object(lin, "seccomp"), "no_seccomp" },
	};

	for (size_t i = 0; h && i < SHK_ARRAY_SIZE(all); i++)
		if (all[i].is)
			json_object_array_add(h, json_object_new_string(all[i].name));
	return h;
}

struct json_object *shk_oci_facts(struct shk_str bundle, struct shk_str id, struct json_object *config,
				  struct json_object *seccomp)
{
	static const char *const top[] = { "hostname", "mounts", NULL };
	static const char *const root[] = { "path", "readonly", NULL };
	static const char *const process[] = { "terminal", "user", "cwd", "args", "noNewPrivileges",
					       "capabilities", NULL };
	static const char *const lin[] = { "namespaces", "cgroupsPath", "maskedPaths",
					   "readonlyPaths", "devices", "uidMappings", "gidMappings",
					   NULL };
	static const char *const sec[] = { "defaultAction", "architectures", "flags",
					   "listenerPath", "listenerMetadata", NULL };
	struct json_object *o = json_object_new_object(), *l, *s, *noted;

	if (!o)
		return NULL;
	copy_keys(o, config, top);
	part(o, config, "root", root);
	part(o, config, "process", process);
	l = part(o, config, "linux", lin);
	if (!l && seccomp) {
		l = json_object_new_object();
		json_object_object_add(o, "linux", l);
	}
	if (l && seccomp) {
		json_object_object_add(l, "seccomp", json_object_get(seccomp));
	} else if (l) {
		s = part(l, shk_json_object(config, "linux"), "seccomp", sec);
		if (s)
			json_object_object_add(s, "has_notify",
					       json_object_new_boolean(has_notify(shk_json_object(
						       shk_json_object(config, "linux"),
						       "seccomp"))));
	}
	json_object_object_add(o, "privileged_hints", hints(config));
	noted = shk_engine_noted(bundle, id, config);
	if (noted)
		json_object_object_add(o, "noted", noted);
	return o;
}

static void add_strings(struct json_object *to, struct json_object *from)
{
	if (!from)
		return;
	json_object_object_foreach(from, key, val)
		if (json_object_is_type(val, json_type_string))
			json_object_object_add(to, key, json_object_get(val));
}

struct json_object *shk_oci_annotations(struct json_object *config, struct json_object *state)
{
	struct json_object *o = json_object_new_object();

	if (o) {
		add_strings(o, shk_json_object(config, "annotations"));
		add_strings(o, shk_json_object(state, "annotations"));
	}
	return o;
}

void shk_oci_say(const char *program, const char *text)
{
	char line[SHK_ERR_TEXT_MAX + 128];
	size_t n = (size_t)snprintf(line, 64, "%s: ", program);

	for (; *text && n < sizeof(line) - 1; text++)
		line[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
	line[n++] = '\n';
	shk_write_all(2, line, n);
}
