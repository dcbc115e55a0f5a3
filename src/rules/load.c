// SPDX-License-Identifier: Apache-2.0
/* The loader: files in, diagnostics and a compiled set out. */
#include "rules/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"

#define DIR_FILES_MAX 4096

int shk_loader_new(struct shk_loader **ret, struct shk_err *err)
{
	struct shk_loader *l = calloc(1, sizeof(*l));

	if (!l)
		return shk_err_sys(err, ENOMEM, "loading rules");
	shk_arena_init(&l->a, SHK_LOADER_MAX);
	shk_arena_init(&l->build, SHK_BUILD_MAX);
	shk_map_init(&l->lists);
	shk_map_init(&l->macros);
	shk_map_init(&l->rules);
	*ret = l;
	return 0;
}

void shk_loader_free(struct shk_loader *l)
{
	if (!l)
		return;
	shk_map_done(&l->lists);
	shk_map_done(&l->macros);
	shk_map_done(&l->rules);
	free(l->out);
	shk_arena_done(&l->build);
	shk_arena_done(&l->a);
	free(l);
}

void shk_loader_want_notes(struct shk_loader *l)
{
	l->notes = true;
}

/* ---- undoing a file with an error ---- */

/* Copies live as long as one file is being added: in the arena they would stay, for every file. */
static int copy_vec(const struct shk_vec *v, struct shk_vec *ret)
{
	*ret = (struct shk_vec){ .n = v->n, .room = v->n };
	if (!v->n)
		return 0;
	ret->p = malloc(v->n * sizeof(void *));
	if (!ret->p)
		return -ENOMEM;
	memcpy(ret->p, v->p, v->n * sizeof(void *));
	return 0;
}

/* The vector had this content; it has never been shorter since, so it has room. */
static void put_back(struct shk_vec *v, const struct shk_vec *copy)
{
	if (copy->n)
		memcpy(v->p, copy->p, copy->n * sizeof(void *));
	v->n = copy->n;
}

static void forget(struct shk_tables *t)
{
	free(t->lists.p);
	free(t->macros.p);
	free(t->rules.p);
}

static int restore_map(struct shk_map *m, const struct shk_vec *v)
{
	shk_map_done(m);
	shk_map_init(m);
	for (size_t i = 0; i < v->n; i++) {
		struct shk_item *h = v->p[i]; /* first member of every record */

		if (shk_map_set(m, h->name, h) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int snapshot(const struct shk_loader *l, struct shk_tables *t)
{
	int r = copy_vec(&l->t.lists, &t->lists);

	if (r >= 0)
		r = copy_vec(&l->t.macros, &t->macros);
	return r < 0 ? r : copy_vec(&l->t.rules, &t->rules);
}

static int restore(struct shk_loader *l, const struct shk_tables *t)
{
	int r;

	put_back(&l->t.lists, &t->lists);
	put_back(&l->t.macros, &t->macros);
	put_back(&l->t.rules, &t->rules);
	r = restore_map(&l->lists, &t->lists);
	if (r >= 0)
		r = restore_map(&l->macros, &t->macros);
	return r < 0 ? r : restore_map(&l->rules, &t->rules);
}

/* ---- files ---- */

/* The diagnostics as an array; last_n of them, from last_from on, are those of the file just added. */
static int publish(struct shk_loader *l, size_t last_from, size_t last_n)
{
	struct shk_diag *d = calloc(l->diags.n + 1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	free(l->out);
	for (size_t i = 0; i < l->diags.n; i++)
		d[i] = *(const struct shk_diag *)l->diags.p[i];
	l->out = d;
	l->n_out = l->diags.n;
	l->last = d + last_from;
	l->n_last = last_n;
	return 0;
}

static int read_and_collect(struct shk_loader *l, const char *name, struct shk_str text)
{
	struct shk_where w = { 0 };
	struct shk_rnode *root;
	struct shk_rfile *file;
	struct shk_err err;
	int r = shk_rnode_read(&l->a, name, text, &file, &root, &w.at, &err);

	if (r == -EINVAL) {
		w.file = file;
		return shk_load_error(l, "LOAD_ERR_YAML_PARSE", &w, "%s", err.text);
	}
	if (r >= 0 && l->want_schema)
		r = shk_schema_check(l, root);
	return r < 0 ? r : shk_collect_file(l, file, root);
}

int shk_loader_add_text(struct shk_loader *l, const char *name, struct shk_str text,
			struct shk_err *err)
{
	struct shk_tables before = { 0 };
	struct shk_vec old = { 0 };
	size_t from = l->n_collect, n_last;
	int r = copy_vec(&l->diags, &old), r2;

	if (r >= 0)
		r = snapshot(l, &before);
	if (r < 0) {
		forget(&before);
		free(old.p);
		return shk_err_sys(err, -r, "%s", name);
	}
	l->diags.n = l->n_collect; /* the build's diagnostics are made anew */
	l->unmet = NULL;
	l->schema = (struct shk_schema){ 0 };
	r = read_and_collect(l, name, text);
	l->n_collect = l->diags.n;
	if (r >= 0 && !l->unmet)
		r = shk_loader_build(l);
	r2 = r == -ENOMEM ? 0 : shk_required_check(l, from);
	if (r2 < 0)
		r = r2;
	n_last = l->diags.n - from;
	if (r < 0) {
		r2 = restore(l, &before);
		if (r2 < 0)
			r = r2;
		/* an error of the build is one of this file, and stays */
		l->n_collect = l->diags.n;
		for (size_t i = from; i < old.n && r2 >= 0; i++)
			r2 = shk_vec_push(&l->a, &l->diags, old.p[i]);
	}
	forget(&before);
	free(old.p);
	r2 = publish(l, from, n_last);
	if (r2 < 0)
		r = r2;
	return shk_load_result(l, from, r, err);
}

static int add_file(struct shk_loader *l, const char *path, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b;
	struct shk_str none = { "", 0 };
	int r;

	shk_buf_init(&b, SHK_RULE_FILE_MAX);
	r = shk_read_file(path, &b, err);
	if (r < 0)
		return r;
	return shk_loader_add_text(l, path, b.p ? shk_buf_view(&b) : none, err);
}

static bool is_yaml(const char *name)
{
	struct shk_str s = shk_str(name);

	return s.p[0] != '.' &&
	       (shk_str_ends(s, SHK_STR(".yaml")) || shk_str_ends(s, SHK_STR(".yml")));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_dir(struct shk_loader *l, const char *path, struct shk_err *err)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct shk_vec names = { 0 };
	struct dirent *e;
	int r = 0;

	if (!d)
		return shk_err_sys(err, errno, "%s", path);
	while ((e = readdir(d))) {
		char *full;

		if (!is_yaml(e->d_name))
			continue;
		if (names.n == DIR_FILES_MAX)
			return shk_err_set(err, EINVAL, "%s: more than %d rule files; use fewer", path,
					   DIR_FILES_MAX);
		full = shk_arena_printf(&l->a, "%s/%s", path, e->d_name);
		if (!full || shk_vec_push(&l->a, &names, full) < 0)
			return shk_err_sys(err, ENOMEM, "%s", path);
	}
	if (names.n)
		qsort(names.p, names.n, sizeof(void *), by_name);
	for (size_t i = 0; i < names.n && r >= 0; i++) {
		struct stat st;

		if (stat(names.p[i], &st) == 0 && S_ISREG(st.st_mode))
			r = add_file(l, names.p[i], err);
	}
	return r;
}

int shk_loader_add_path(struct shk_loader *l, const char *path, struct shk_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return shk_err_sys(err, errno, "%s", path);
	return S_ISDIR(st.st_mode) ? add_dir(l, path, err) : add_file(l, path, err);
}
