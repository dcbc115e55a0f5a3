// SPDX-License-Identifier: Apache-2.0
#include "shrike/judged.h"

#include <errno.h>

#include "engine/offline.h"
#include "shrike/load.h"

#define CONDITION_MAX (1u << 20)

static void print_diags(struct shk_loader *l)
{
	const struct shk_diag *d;
	size_t n;

	d = shk_loader_diags(l, &n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct shk_buf b = { 0 };

		if (!d[i].error)
			continue;
		shk_buf_init(&b, 65536);
		shk_diag_print(&d[i], &b);
		fputs(b.n ? b.p : "", stderr);
	}
}

int shk_judged_by_loader(struct shk_judged *j, struct shk_loader *l, bool all)
{
	struct shk_err err = { 0 };
	int r = shk_loader_compile(l, NULL, &j->rules, &err);

	if (r < 0)
		print_diags(l);
	shk_loader_free(l);
	if (r < 0)
		return shk_cli_fail(r == -EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s", err.text);
	if (shk_offline_bare(j->rules, all, &j->bare) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	j->fixed = &j->bare;
	return SHK_EXIT_OK;
}

int shk_judged_by_rules(struct shk_judged *j, const char *const *paths, size_t n, bool all)
{
	struct shk_loader *l;
	struct shk_err err = { 0 };
	int r = shk_loader_new(&l, &err);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = shk_loader_add_path(l, paths[i], &err);
		if (r < 0) {
			print_diags(l);
			shk_loader_free(l);
		}
	}
	if (r < 0)
		return shk_cli_fail(r == -EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s", err.text);
	return shk_judged_by_loader(j, l, all);
}

int shk_judged_by_policy(struct shk_judged *j, const struct shk_cli *c, const char *which)
{
	const struct shk_policy *p = NULL;
	int r = shk_cli_load_policy(c, which, &j->set, &p);

	j->fixed = which ? p : NULL;
	return r;
}

const struct shk_policy *shk_judged_policy(const struct shk_judged *j, const struct shk_container *c)
{
	const struct shk_policy *p = NULL;

	if (j->fixed)
		return j->fixed;
	/* The one that was in force, if there still is one of that name. */
	if (c && c->policy.n)
		p = shk_policyset_by_name(j->set, c->policy);
	if (!p && c)
		p = shk_policyset_select(j->set, c);
	return p ? p : shk_policyset_by_name(j->set, SHK_STR("default"));
}

void shk_judged_done(struct shk_judged *j)
{
	shk_offline_bare_done(&j->bare);
	shk_ruleset_unref(j->rules);
	shk_policyset_unref(j->set);
	*j = (struct shk_judged){ 0 };
}

/* A scalar in double quotes of YAML, which holds any text. */
static void yaml_text(struct shk_buf *b, const char *s)
{
	shk_buf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			shk_buf_addc(b, '\\');
		if (*s == '\n')
			shk_buf_adds(b, "\\n");
		else
			shk_buf_addc(b, *s);
	}
	shk_buf_addc(b, '"');
}

int shk_judged_condition(const char *text, struct shk_ruleset **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_loader_freep) struct shk_loader *l = NULL;
	_cleanup_buf_ struct shk_buf b = { 0 };
	int r = shk_loader_new(&l, err);

	shk_buf_init(&b, CONDITION_MAX);
	shk_buf_adds(&b, "- rule: condition\n  desc: of the command line\n  output: x\n  priority: debug\n"
			 "  condition: ");
	yaml_text(&b, text);
	shk_buf_addc(&b, '\n');
	if (b.failed)
		return shk_err_set(err, E2BIG, "a condition of more than %u bytes", CONDITION_MAX);
	if (r >= 0)
		r = shk_loader_add_text(l, "condition", shk_buf_view(&b), err);
	return r < 0 ? r : shk_loader_compile(l, NULL, ret, err);
}
