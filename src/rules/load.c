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
#define ERROR_ROOM    ((size_t)64 << 10) /* bytes for saying that memory is full */

int shk_loader_new(struct shk_loader **ret, struct shk_err *err)
{
	struct shk_loader *l = calloc(1, sizeof(*l));

	if (!l)
		return shk_err_sys(err, ENOMEM, "loading rules");
	shk_arena_init(&l->a, SHK_LOADER_MAX);
	shk_arena_init(&l->out_arena, SHK_BUILD_MAX);
	shk_build_init(l);
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
	free(l->change);
	shk_build_done(&l->b);
	shk_arena_done(&l->out_arena);
	shk_arena_done(&l->a);
	free(l);
}

void shk_loader_want_notes(struct shk_loader *l)
{
	l->notes = true;
}

/* ---- undoing a file with an error ---- */

/* Records went into the tables one after the other, and go out in the other direction. */
static int undo(struct shk_loader *l)
{
	for (size_t i = l->n_change; i-- > 0;) {
		const struct shk_change *c = &l->change[i];
		struct shk_vec *v = shk_table_of(l, c->unit);
		struct shk_item *now;

		if (c->index >= v->n)
			continue; /* memory ran out before it was in */
		now = v->p[c->index]; /* h is the first member of every record */
		if (c->old) {
			v->p[c->index] = c->old;
			if (shk_map_set(shk_map_of(l, c->unit), c->old->name, c->old) < 0)
				return -ENOMEM;
			continue;
		}
		shk_map_del(shk_map_of(l, c->unit), now->name);
		v->n--;
	}
	return 0;
}

/* ---- files ---- */

/* The caller's array is made when it is asked for. */
static void forget_out(struct shk_loader *l)
{
	free(l->out);
	l->out = NULL;
	l->n_out = 0;
	shk_arena_done(&l->out_arena);
}

/* What the build has to say: warnings of rules in their order, what nothing uses, notes. */
static int say(struct shk_loader *l, struct shk_vec *v)
{
	struct shk_build *b = &l->b;
	int r = 0;

	for (size_t i = 0; i < b->n_rule && r >= 0; i++)
		for (uint32_t k = 0; k < b->rule[i].n_diag && r >= 0; k++)
			r = shk_vec_push(&l->out_arena, v, b->rule[i].diag[k]);
	l->saying = v;
	if (r >= 0)
		r = shk_build_unused(b);
	if (r >= 0)
		r = shk_build_notes(b);
	l->saying = NULL;
	return r;
}

static void publish(struct shk_loader *l)
{
	struct shk_vec said = { 0 };
	struct shk_diag *d;

	if (l->out || say(l, &said) < 0)
		return;
	d = calloc(l->diags.n + said.n + 1, sizeof(*d));
	if (!d)
		return;
	for (size_t i = 0; i < l->diags.n; i++)
		d[i] = *(const struct shk_diag *)l->diags.p[i];
	for (size_t i = 0; i < said.n; i++)
		d[l->diags.n + i] = *(const struct shk_diag *)said.p[i];
	l->out = d;
	l->n_out = l->diags.n + said.n;
}

const struct shk_diag *shk_loader_diags(struct shk_loader *l, size_t *n)
{
	publish(l);
	*n = l->n_out;
	return l->out;
}

const struct shk_diag *shk_loader_last_diags(struct shk_loader *l, size_t *n)
{
	publish(l);
	*n = !l->out ? 0 : (l->last_failed ? l->diags.n : l->n_out) - l->last_from;
	return l->out ? l->out + l->last_from : NULL;
}

/* Memory that has a limit is no lack of memory. */
static int full(struct shk_loader *l)
{
	struct shk_where w = { .file = l->file };
	unsigned limit = l->b.a.failed ? SHK_BUILD_MAX >> 20 : (unsigned)(l->a.cap >> 20);

	if (!l->file || !(l->a.failed || l->b.a.failed))
		return -ENOMEM;
	if (l->item)
		w.at = shk_rnode_pos(l->item);
	l->b.full = l->b.a.failed;
	l->a.cap += ERROR_ROOM;
	l->a.failed = l->b.a.failed = false;
	return shk_load_error(l, "LOAD_ERR_VALIDATE", &w, "the rule files take more than the limit of %u MB of "
			      "memory; load fewer of them, or shorter ones", limit);
}

static int read_and_collect(struct shk_loader *l, const char *name, struct shk_str text)
{
	struct shk_where w = { 0 };
	struct shk_rnode *root;
	struct shk_rfile *file = NULL;
	struct shk_err err;
	int r = shk_rnode_read(&l->a, name, text, &file, &root, &w.at, &err);

	l->file = file;
	if (r == -EINVAL) {
		w.file = file;
		if (l->a.failed) /* that is what is to be said */
			l->a.cap += ERROR_ROOM;
		l->a.failed = false;
		return shk_load_error(l, "LOAD_ERR_YAML_PARSE", &w, "%s", err.text);
	}
	if (r >= 0 && l->want_schema)
		r = shk_schema_check(l, root);
	return r < 0 ? r : shk_collect_file(l, file, root);
}

int shk_loader_add_text(struct shk_loader *l, const char *name, struct shk_str text,
			struct shk_err *err)
{
	size_t from = l->diags.n;
	int r, r2;

	if (l->broken)
		return shk_err_sys(err, ENOMEM, "%s", name);
	forget_out(l);
	l->n_change = 0;
	l->file = NULL;
	l->item = NULL;
	l->a.failed = false;
	l->unmet = NULL;
	l->schema = (struct shk_schema){ 0 };
	r = read_and_collect(l, name, text);
	if (r >= 0 && !l->unmet)
		r = shk_loader_build(l);
	r2 = r == -ENOMEM ? 0 : shk_required_check(l, from);
	if (r == -ENOMEM)
		r = full(l);
	if (r2 < 0)
		r = r2;
	l->last_from = from;
	l->last_failed = r < 0;
	if (r < 0) {
		/* What was looked at for this file is looked at again, as it was before. */
		l->broken = undo(l) < 0 || shk_loader_build(l) < 0;
		l->n_change = 0;
	}
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

		/* A link to nothing: rules that someone believes to be in force. */
		if (stat(names.p[i], &st) < 0)
			r = shk_err_sys(err, errno, "%s", (const char *)names.p[i]);
		else if (S_ISREG(st.st_mode))
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
