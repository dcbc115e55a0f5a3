// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>

#include "base/io.h"
#include "policy/set.h"

#define ARENA_MAX (64u << 20)

static struct shk_policyset *set_new(void)
{
	struct shk_policyset *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	atomic_init(&ps->refs, 1);
	shk_arena_init(&ps->arena, ARENA_MAX);
	return ps;
}

struct shk_policyset *shk_policyset_ref(struct shk_policyset *ps)
{
	atomic_fetch_add_explicit(&ps->refs, 1, memory_order_relaxed);
	return ps;
}

void shk_policyset_unref(struct shk_policyset *ps)
{
	if (!ps || atomic_fetch_sub_explicit(&ps->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < ps->n_shared; i++)
		shk_ruleset_unref(ps->shared[i].rules);
	shk_arena_done(&ps->arena);
	free(ps);
}

size_t shk_policyset_count(const struct shk_policyset *ps)
{
	return ps->n;
}

const struct shk_policy *shk_policyset_at(const struct shk_policyset *ps, size_t i)
{
	return i < ps->n ? &ps->def[i]->pub : NULL;
}

const struct shk_policy *shk_policyset_by_name(const struct shk_policyset *ps, struct shk_str name)
{
	for (size_t i = 0; i < ps->n; i++)
		if (shk_str_eq(ps->def[i]->pub.name, name))
			return &ps->def[i]->pub;
	return NULL;
}

const struct shk_policy *shk_policyset_select(const struct shk_policyset *ps,
					      const struct shk_container *c)
{
	for (size_t i = 0; i + 1 < ps->n; i++)
		if (shk_policy_matches(ps->def[i], c))
			return &ps->def[i]->pub;
	return &ps->def[ps->n - 1]->pub;
}

static int add_policy(struct shk_policyset *ps, const char *file, const struct shk_ynode *root,
		      struct shk_err *err)
{
	struct shk_policy_def *d = SHK_ARENA_NEW(&ps->arena, struct shk_policy_def);
	const struct shk_policy *same;
	int r;

	if (!d)
		return shk_err_set(err, ENOMEM, "%s: too large for a policy file", file);
	r = shk_policy_parse(&ps->arena, file, root, d, err);
	if (r < 0)
		return r;
	same = shk_policyset_by_name(ps, d->pub.name);
	if (same)
		return shk_policy_fail(file, shk_ynode_get(root, "policy"), err,
				       "policy \"%s\" is already defined in %s; rename one of them",
				       d->pub.name.p, same->file.p);
	/* One place stays free for the built-in default. */
	if (ps->n >= SHK_POLICY_MAX - 1)
		return shk_policy_fail(file, root, err, "more than %d policies; remove some",
				       SHK_POLICY_MAX - 1);
	ps->def[ps->n++] = d;
	return 0;
}

static int add_text(struct shk_policyset *ps, const char *name, struct shk_str text,
		    struct shk_err *err)
{
	struct shk_ynode *roots = NULL;
	char *file = shk_arena_strdup(&ps->arena, name);
	int r;

	if (!file)
		return shk_err_set(err, ENOMEM, "%s: out of memory", name);
	r = shk_yaml_tree(&ps->arena, file, text, &roots, err);
	for (const struct shk_ynode *n = roots; n && r >= 0; n = n->next)
		if (n->kind != SHK_Y_NULL)
			r = add_policy(ps, file, n, err);
	return r;
}

static int add_file(struct shk_policyset *ps, const char *path, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf text;
	int r;

	shk_buf_init(&text, SHK_POLICY_FILE_MAX);
	r = shk_read_file(path, &text, err);
	if (r == -EFBIG)
		return shk_err_set(err, EFBIG, "%s: larger than %u bytes; split the policy file", path,
				   SHK_POLICY_FILE_MAX);
	return r < 0 ? r : add_text(ps, path, (struct shk_str){ text.n ? text.p : "", text.n }, err);
}

static int is_yaml(const struct dirent *e)
{
	struct shk_str s = shk_str(e->d_name);

	return e->d_name[0] != '.' &&
	       (shk_str_ends(s, SHK_STR(".yaml")) || shk_str_ends(s, SHK_STR(".yml")));
}

/* Bytewise, whatever the locale: which policy comes first must not depend on it. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_dir(struct shk_policyset *ps, const char *dir, struct shk_err *err)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_yaml, by_name), r = 0;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return shk_err_sys(err, errno, "cannot read the policy directory %s", dir);
	for (int i = 0; i < n; i++) {
		char path[4096];

		if (r >= 0 && snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name) >=
				      (int)sizeof(path))
			r = shk_err_set(err, ENAMETOOLONG, "%s/%s: name too long", dir,
					list[i]->d_name);
		else if (r >= 0)
			r = add_file(ps, path, err);
		free(list[i]);
	}
	free(list);
	return r;
}

/* `default` goes last, wherever it was written; a missing one is the built-in. */
static int put_default_last(struct shk_policyset *ps, struct shk_err *err)
{
	struct shk_policy_def *d = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ps->n; i++) {
		if (ps->def[i]->is_default)
			d = ps->def[i];
		else
			ps->def[n++] = ps->def[i];
	}
	if (!d) {
		d = SHK_ARENA_NEW(&ps->arena, struct shk_policy_def);
		if (!d)
			return shk_err_sys(err, ENOMEM, "cannot make the built-in policy");
		shk_policy_def_init(d);
		d->pub.name = SHK_STR("default");
		d->pub.file = SHK_STR("built-in default policy");
		d->is_default = true;
		/* The shipped rules overlap on purpose: a shell is told of, and a shell on a socket again. */
		d->pub.match_all = true;
	}
	ps->def[n++] = d;
	ps->n = n;
	return 0;
}

static int check_strict(const struct shk_policy_def *d, struct shk_err *err);

static int finish(struct shk_policyset *ps, const struct shk_rules_config *rules,
		  shk_on_diag *on_diag, void *arg, struct shk_err *err)
{
	int r = put_default_last(ps, err);

	for (size_t i = 0; i < ps->n && r >= 0; i++) {
		r = shk_policy_load_rules(ps, ps->def[i], rules, on_diag, arg, err);
		if (r >= 0)
			r = shk_policy_resolve(&ps->arena, ps->def[i], err);
		if (r >= 0)
			r = check_strict(ps->def[i], err);
	}
	return r;
}

static void first_warning(const char *text, void *arg)
{
	char *first = arg;

	if (!first[0])
		snprintf(first, 600, "%s", text);
}

static int check_strict(const struct shk_policy_def *d, struct shk_err *err)
{
	char first[600] = "";
	size_t n;

	if (!d->strict_node || !d->pub.strict || d->pub.mode != SHK_MODE_ENFORCE)
		return 0;
	n = shk_policy_warnings(&d->pub, first_warning, first);
	if (!n)
		return 0;
	return shk_policy_fail(d->pub.file.p, d->strict_node, err,
			       "strict: true, but %s%s; take the action away from that rule, or leave "
			       "\"strict\" out to be warned only",
			       first, n > 1 ? " (and others: shrike explain lists them)" : "");
}

int shk_policyset_load(const char *policy_dir, const struct shk_rules_config *rules,
		       void (*on_diag)(const struct shk_diag *d, void *arg), void *arg,
		       struct shk_policyset **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = set_new();
	int r = 0;

	if (!ps)
		return shk_err_sys(err, ENOMEM, "cannot load policies");
	if (policy_dir)
		r = add_dir(ps, policy_dir, err);
	if (r >= 0)
		r = finish(ps, rules, on_diag, arg, err);
	if (r >= 0)
		*ret = TAKE_PTR(ps);
	return r;
}

int shk_policyset_load_text(const char *name, struct shk_str text,
			    const struct shk_rules_config *rules, struct shk_policyset **ret,
			    struct shk_err *err)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = set_new();
	int r;

	if (!ps)
		return shk_err_sys(err, ENOMEM, "cannot load policies");
	r = add_text(ps, name, text, err);
	if (r >= 0)
		r = finish(ps, rules, NULL, NULL, err);
	if (r >= 0)
		*ret = TAKE_PTR(ps);
	return r;
}
