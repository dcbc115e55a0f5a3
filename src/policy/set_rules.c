// SPDX-License-Identifier: Apache-2.0
/* The rule files a policy names: found, loaded, compiled, shared between equal selections. */
#include <dirent.h>
#include <errno.h>

#include "base/io.h"
#include "policy/set.h"

#define KEY_MAX		   65536

static int fail_at(const struct shk_policy_def *d, const struct shk_ynode *n, struct shk_err *err,
		   const char *text)
{
	if (n || d->root)
		return shk_policy_fail(d->pub.file.p, n ? n : d->root, err, "%s", text);
	return shk_err_set(err, EINVAL, "%s: %s", d->pub.file.p, text);
}

/* One directory of rules_path, without slashes behind it. */
static struct shk_str entry_of(const char *dir)
{
	struct shk_str s = { dir, strcspn(dir, ":") };

	while (s.n > 1 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

static bool is_own(struct shk_str dir)
{
	return shk_str_ends(dir, SHK_STR("/" SHK_POLICY_OWN)) || shk_str_eqz(dir, SHK_POLICY_OWN);
}

/* Base and themes: a file of such a name among the administrator's is his addition, not their replacement. */
static bool is_shipped(struct shk_str name)
{
	return shk_str_eqz(name, SHK_POLICY_RULES) || shk_str_eqz(name, SHK_POLICY_THEMES);
}

/* Appends the path of a rule file and a newline. */
static int find_file(const struct shk_policy_def *d, const struct shk_ynode *node,
		     struct shk_str name, const char *rules_path, struct shk_buf *out,
		     struct shk_err *err)
{
	char text[SHK_ERR_TEXT_MAX - 200];
	const char *dir = rules_path;

	if (name.n && name.p[0] == '/') {
		shk_buf_addstr(out, name);
		shk_buf_addc(out, '\n');
		return 0;
	}
	while (dir && *dir) {
		size_t n = strcspn(dir, ":");
		char path[4096];

		if (n && !(is_shipped(name) && is_own(entry_of(dir))) &&
		    snprintf(path, sizeof(path), "%.*s/%.*s", (int)n, dir, SHK_STR_ARG(name)) <
				 (int)sizeof(path) &&
		    access(path, R_OK) == 0) {
			shk_buf_adds(out, path);
			shk_buf_addc(out, '\n');
			return 0;
		}
		dir += n + (dir[n] == ':');
	}
	snprintf(text, sizeof(text),
		 "rule file \"%.200s\" is not in %.400s%s; put it there or give its full path", name.p,
		 rules_path, is_shipped(name) ? " (" SHK_POLICY_OWN " is not looked at for it)" : "");
	return fail_at(d, node, err, text);
}

/* 1, 0, or an error: rules that cannot be read are not rules that are not there. */
static int has_rules(const char *path, struct shk_err *err)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	struct dirent *e;

	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return shk_err_sys(err, errno, "cannot read the rules in %s", path);
	while ((e = readdir(d))) {
		struct shk_str name = shk_str(e->d_name);

		if (name.n && name.p[0] != '.' &&
		    (shk_str_ends(name, SHK_STR(".yaml")) || shk_str_ends(name, SHK_STR(".yml"))))
			return 1;
	}
	return 0;
}

/* The administrator's own rules, lists and macros are in force without a policy that names them. */
static int find_own(struct shk_arena *a, struct shk_policy_def *d, const char *dir, struct shk_buf *out,
		    struct shk_err *err)
{
	while (*dir) {
		size_t n = strcspn(dir, ":");
		struct shk_str path = entry_of(dir);
		char text[4096];

		if (is_own(path) && path.n < sizeof(text)) {
			int r;

			snprintf(text, sizeof(text), SHK_STR_FMT, SHK_STR_ARG(path));
			r = has_rules(text, err);
			if (r < 0)
				return r;
			if (r) {
				d->own = shk_arena_str(a, path);
				if (!d->own.p)
					return shk_err_sys(err, ENOMEM, "%s", d->pub.file.p);
				shk_buf_adds(out, text);
				shk_buf_addc(out, '\n');
				return 0;
			}
		}
		dir += n + (dir[n] == ':');
	}
	return 0;
}

/* "rules.d" in a policy's own list: that directory, or one of the name in a directory of rules_path, or nothing. */
static int find_named_own(struct shk_arena *a, struct shk_policy_def *d, const char *rules_path,
			  struct shk_buf *out, struct shk_err *err)
{
	struct shk_err none;
	int r;

	d->own = (struct shk_str){ 0 };
	r = find_own(a, d, rules_path, out, err);
	if (r >= 0 && !d->own.p)
		(void)find_file(d, NULL, SHK_STR(SHK_POLICY_OWN), rules_path, out, &none);
	return r;
}

static int find_files(struct shk_arena *a, struct shk_policy_def *d, const char *rules_path, struct shk_buf *out,
		      struct shk_err *err)
{
	int r = 0;

	if (!d->files.v) {
		struct shk_err none;

		r = find_file(d, NULL, SHK_STR(SHK_POLICY_RULES), rules_path, out, err);
		/* Whoever has a base of his own need not have our themes beside it. */
		if (r >= 0)
			d->themes = find_file(d, NULL, SHK_STR(SHK_POLICY_THEMES), rules_path, out,
					      &none) >= 0;
		return r < 0 ? r : find_own(a, d, rules_path, out, err);
	}
	for (size_t i = 0; i < d->files.n && r >= 0; i++) {
		struct shk_str name = d->files.v[i]->text;

		r = shk_str_eqz(name, SHK_POLICY_OWN) ?
			    find_named_own(a, d, rules_path, out, err) :
			    find_file(d, d->files.v[i], name, rules_path, out, err);
	}
	return r;
}

static void add_selection(struct shk_buf *key, char kind, const struct shk_pstrs *s)
{
	for (size_t i = 0; i < s->n; i++) {
		shk_buf_addc(key, kind);
		shk_buf_addstr(key, s->v[i]->text);
		shk_buf_addc(key, '\n');
	}
}

static int add_files(struct shk_loader *l, const char *files, struct shk_err *err)
{
	while (*files) {
		size_t n = strcspn(files, "\n");
		char path[4096];
		int r;

		if (n >= sizeof(path))
			return shk_err_set(err, ENAMETOOLONG, "%.100s...: name too long", files);
		memcpy(path, files, n);
		path[n] = 0;
		r = shk_loader_add_path(l, path, err);
		if (r < 0)
			return r;
		files += n + 1;
	}
	return 0;
}

static struct shk_str *texts_of(struct shk_arena *a, const struct shk_pstrs *s)
{
	struct shk_str *v = SHK_ARENA_ARRAY(a, struct shk_str, s->n);

	for (size_t i = 0; v && i < s->n; i++)
		v[i] = s->v[i]->text;
	return v;
}

static struct shk_rule_choice *choices_of(struct shk_arena *a, const struct shk_policy_def *d)
{
	struct shk_rule_choice *v = SHK_ARENA_ARRAY(a, struct shk_rule_choice, d->n_choice);

	for (size_t i = 0; v && i < d->n_choice; i++) {
		v[i].enable = d->choice[i].enable;
		if (d->choice[i].rule)
			v[i].name = d->choice[i].rule->text;
		if (d->choice[i].tag)
			v[i].tag = d->choice[i].tag->text;
	}
	return v;
}

static int compile(struct shk_policyset *ps, const struct shk_policy_def *d, struct shk_loader *l,
		   struct shk_ruleset **ret, struct shk_err *err)
{
	struct shk_rule_select select = {
		.min_priority = d->min_priority,
		.choices = choices_of(&ps->arena, d),
		.n_choices = d->n_choice,
		.disable_tags = texts_of(&ps->arena, &d->disable_tags),
		.disable_names = texts_of(&ps->arena, &d->disable_names),
		.n_disable_tags = d->disable_tags.n,
		.n_disable_names = d->disable_names.n,
	};
	int r;

	if (!select.choices || !select.disable_tags || !select.disable_names)
		return shk_err_sys(err, ENOMEM, "%s", d->pub.file.p);
	if (select.n_disable_tags || select.n_disable_names || select.n_choices) {
		SHK_CLEANUP(shk_ruleset_unrefp) struct shk_ruleset *all = NULL;
		const struct shk_rule_choice each = { .enable = true, .name = SHK_STR("*") };
		const struct shk_rule_select whole = { .min_priority = SHK_PRIO_DEBUG,
						       .choices = &each, .n_choices = 1 };

		r = shk_loader_compile(l, &whole, &all, err);
		if (r >= 0)
			r = shk_policy_check_disable(d, all, err);
		if (r < 0)
			return r;
	}
	return shk_loader_compile(l, &select, ret, err);
}

static int load(struct shk_policyset *ps, const struct shk_policy_def *d,
		const struct shk_rules_config *rules, const char *files, shk_on_diag *on_diag,
		void *arg, struct shk_ruleset **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	const struct shk_diag *diag;
	size_t n;
	int r = shk_loader_new(&l, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rules->n_append && r >= 0; i++)
		r = shk_loader_append_output(l, &rules->append[i]);
	for (size_t i = 0; i < d->n_append && r >= 0; i++)
		r = shk_loader_append_output(l, &d->append[i]);
	if (r < 0)
		return shk_err_sys(err, -r, "%s", d->pub.file.p);
	r = add_files(l, files, err);
	if (r >= 0)
		r = compile(ps, d, l, ret, err);
	diag = shk_loader_diags(l, &n);
	for (size_t i = 0; on_diag && i < n; i++)
		on_diag(&diag[i], arg);
	return r;
}

int shk_policy_load_rules(struct shk_policyset *ps, struct shk_policy_def *d,
			  const struct shk_rules_config *rules, shk_on_diag *on_diag, void *arg,
			  struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf files, key;
	struct shk_shared_rules *s = &ps->shared[ps->n_shared];
	int r;

	shk_buf_init(&files, KEY_MAX);
	shk_buf_init(&key, 2 * KEY_MAX);
	r = find_files(&ps->arena, d, rules->rules_path ? rules->rules_path : SHK_RULES_PATH, &files,
		       err);
	if (r < 0)
		return r;
	shk_buf_addstr(&key, shk_buf_view(&files));
	add_selection(&key, 't', &d->disable_tags);
	add_selection(&key, 'n', &d->disable_names);
	for (size_t i = 0; i < d->n_choice; i++) {
		const struct shk_pchoice *c = &d->choice[i];

		shk_buf_printf(&key, "%c%s\t%s\n", c->enable ? '+' : '-', c->rule ? c->rule->text.p : "",
			       c->tag ? c->tag->text.p : "");
	}
	shk_buf_printf(&key, "p%d\n", (int)d->min_priority);
	shk_append_output_dump(d->append, d->n_append, "a", &key);
	if (files.failed || key.failed)
		return fail_at(d, NULL, err, "too many rule files");
	for (size_t i = 0; i < ps->n_shared; i++)
		if (shk_str_eq(ps->shared[i].key, shk_buf_view(&key))) {
			d->pub.rules = ps->shared[i].rules;
			return 0;
		}
	s->key = shk_arena_str(&ps->arena, shk_buf_view(&key));
	if (!s->key.p)
		return shk_err_sys(err, ENOMEM, "%s", d->pub.file.p);
	r = load(ps, d, rules, files.p ? files.p : "", on_diag, arg, &s->rules, err);
	if (r < 0)
		return r;
	d->pub.rules = s->rules;
	ps->n_shared++;
	return 0;
}
