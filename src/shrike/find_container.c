// SPDX-License-Identifier: Apache-2.0
#include "shrike/find_container.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "../hooks/oci/oci.h"
#include "base/io.h"
#include "sources/ptrace/task.h"

/* Where runtimes keep states unless told otherwise. With a '*' the namespaces of containerd are below. */
static const char *const usual[] = {
	"/run/runc", "/run/crun", "/run/docker/runtime-runc/*", "/run/docker/runtime-crun/*",
	"/run/containerd/runc/*",
};

enum { FITS_NOT, FITS_NAME, FITS_BEGINNING, FITS_ID };

struct search {
	const char *what;
	struct shk_found best;
	int fits;
	unsigned n;
};

static struct json_object *read_json(const char *dir, const char *id, const char *name)
{
	_cleanup_free_ char *path = NULL;
	struct json_object *o = NULL;
	struct shk_buf b;

	if (asprintf(&path, "%s%s%s/%s", dir, *id ? "/" : "", id, name) < 0)
		return NULL;
	shk_buf_init(&b, SHK_OCI_CONFIG_MAX);
	if (shk_read_file(path, &b, NULL) == 0)
		o = shk_json_parse(shk_buf_view(&b), SHK_OCI_CONFIG_MAX, NULL);
	shk_buf_done(&b);
	return o;
}

/* runc keeps it as a label, "bundle=/path". */
static char *runc_bundle(struct json_object *state)
{
	struct json_object *a = shk_json_array(shk_json_object(state, "config"), "labels");

	for (size_t i = 0; a && i < json_object_array_length(a); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(a, i));

		if (s && strncmp(s, "bundle=/", 8) == 0)
			return strdup(s + 7);
	}
	return NULL;
}

/* false: no state of a runtime that is known, or the container is over. */
static bool read_state(const char *dir, const char *id, struct shk_found *f)
{
	struct json_object *o = read_json(dir, id, "state.json");
	struct shk_task_facts t;
	struct shk_str bundle;

	*f = (struct shk_found){ 0 };
	if (o) {
		f->runtime = "runc";
		f->pid = (pid_t)shk_json_int(o, "init_process_pid", 0);
		f->start = (uint64_t)shk_json_int(o, "init_process_start", 0);
		f->bundle = runc_bundle(o);
	} else if ((o = read_json(dir, id, "status"))) {
		f->runtime = "crun";
		f->pid = (pid_t)shk_json_int(o, "pid", 0);
		f->start = (uint64_t)shk_json_int(o, "process-start-time", 0);
		bundle = shk_json_str(o, "bundle");
		f->bundle = bundle.n ? strndup(bundle.p, bundle.n) : NULL;
	}
	json_object_put(o);
	if (f->pid <= 1 || shk_task_read(f->pid, &t) < 0 || t.start != f->start || t.state == 'Z') {
		free(f->bundle);
		return false;
	}
	f->id = strdup(id);
	f->config = f->bundle ? read_json(f->bundle, "", "config.json") : NULL;
	return f->id != NULL;
}

static int fits(const struct search *s, const struct shk_found *f)
{
	struct json_object *noted;
	int r = FITS_NOT;

	if (strcmp(f->id, s->what) == 0)
		return FITS_ID;
	if (*s->what && strncmp(f->id, s->what, strlen(s->what)) == 0)
		return FITS_BEGINNING;
	if (!f->config)
		return FITS_NOT;
	noted = shk_engine_noted(shk_str(f->bundle), shk_str(f->id), f->config);
	if (shk_str_eqz(shk_json_str(noted, "name"), s->what))
		r = FITS_NAME;
	json_object_put(noted);
	return r;
}

void shk_found_done(struct shk_found *f)
{
	free(f->id);
	free(f->bundle);
	json_object_put(f->config);
}

static void look_into(struct search *s, const char *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct shk_found f;
		int how;

		if (!shk_oci_id_ok(shk_str(de->d_name)) || !read_state(dir, de->d_name, &f))
			continue;
		how = fits(s, &f);
		if (!how || how < s->fits) {
			shk_found_done(&f);
			continue;
		}
		s->n = how > s->fits ? 1 : s->n + 1;
		s->fits = how;
		shk_found_done(&s->best);
		s->best = f;
	}
}

static void look_below(struct search *s, const char *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		_cleanup_free_ char *path = NULL;

		if (de->d_name[0] != '.' && asprintf(&path, "%s/%s", dir, de->d_name) >= 0)
			look_into(s, path);
	}
}

int shk_find_container(const char *root, const char *what, struct shk_found *ret, struct shk_err *err)
{
	struct search s = { .what = what };

	if (root)
		look_into(&s, root);
	for (size_t i = 0; !root && i < SHK_ARRAY_SIZE(usual); i++) {
		char dir[64];
		size_t n = strlen(usual[i]);

		snprintf(dir, sizeof(dir), "%s", usual[i]);
		if (dir[n - 1] == '*') {
			dir[n - 2] = 0;
			look_below(&s, dir);
		} else {
			look_into(&s, dir);
		}
	}
	if (s.n == 1) {
		*ret = s.best;
		return 0;
	}
	shk_found_done(&s.best);
	if (s.n)
		return shk_err_set(err, EINVAL, "%u running containers are called \"%.64s\"; give the whole id, or "
				   "--root for the runtime's directory", s.n, what);
	return shk_err_set(err, ENOENT, "no running container is called \"%.64s\"%s%s; --pid takes the number of its "
			   "first process", what, root ? " in " : "", root ? root : "");
}
