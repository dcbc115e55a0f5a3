// SPDX-License-Identifier: Apache-2.0
/*
 * Policies with their plans. Built whole before it is used, swapped by reference.
 */
#include <errno.h>

#include "engine/internal.h"

static void log_diag(const struct shk_diag *d, void *arg)
{
	(void)arg;
	shk_log(d->error ? LOG_ERR : LOG_WARNING, SHK_STR_FMT ":%u:%u: " SHK_STR_FMT " [%s]" "%s" SHK_STR_FMT,
		SHK_STR_ARG(d->file), d->line, d->column, SHK_STR_ARG(d->message), d->code,
		d->hint.n ? "; " : "", SHK_STR_ARG(d->hint));
}

static void log_warning(const char *text, void *arg)
{
	(void)arg;
	shk_warning("%s", text);
}

static int from_set(struct shk_policyset *ps /* taken over */, struct shk_armoury **ret,
		    struct shk_err *err)
{
	SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *a = calloc(1, sizeof(*a));

	if (!a) {
		shk_policyset_unref(ps);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	atomic_init(&a->refs, 1);
	a->ps = ps;
	a->n = shk_policyset_count(ps);
	a->plan = calloc(a->n, sizeof(struct shk_plan *));
	if (!a->plan)
		return shk_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < a->n; i++) {
		const struct shk_policy *p = shk_policyset_at(ps, i);
		int r = shk_plan_make(p, &a->plan[i], err);

		if (r < 0)
			return shk_err_prefix(err, "policy " SHK_STR_FMT, SHK_STR_ARG(p->name));
		shk_policy_warnings(p, log_warning, NULL);
	}
	*ret = TAKE_PTR(a);
	return 0;
}

int shk_armoury_load(const struct shk_config *cfg, struct shk_armoury **ret, struct shk_err *err)
{
	struct shk_rules_config rules;
	struct shk_policyset *ps;
	int r = shk_config_rules(cfg, &rules, err);

	if (r >= 0)
		r = shk_policyset_load(cfg->policy_dir, &rules, log_diag, NULL, &ps, err);
	return r < 0 ? r : from_set(ps, ret, err);
}

int shk_armoury_fallback(const struct shk_config *cfg, const char *broken,
			 struct shk_armoury **ret, struct shk_err *err)
{
	static const char bare[] = "policy: default\nmode: observe\nrules:\n  files: []\n";
	struct shk_rules_config rules;
	struct shk_policyset *ps;
	int r = shk_config_rules(cfg, &rules, err);

	if (r >= 0)
		r = shk_policyset_load(NULL, &rules, NULL, NULL, &ps, err);
	if (r < 0)
		r = shk_policyset_load_text("built-in", SHK_STR(bare), &rules, &ps, err);
	if (r < 0)
		return r;
	r = from_set(ps, ret, err);
	if (r == 0 && broken) {
		(*ret)->broken = strdup(broken);
		if (!(*ret)->broken) {
			shk_armoury_unref(TAKE_PTR(*ret));
			return shk_err_set(err, ENOMEM, "out of memory");
		}
	}
	return r;
}

struct shk_armoury *shk_armoury_ref(struct shk_armoury *a)
{
	atomic_fetch_add(&a->refs, 1);
	return a;
}

void shk_armoury_unref(struct shk_armoury *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	for (size_t i = 0; i < a->n && a->plan; i++)
		shk_plan_free(a->plan[i]);
	free(a->plan);
	shk_policyset_unref(a->ps);
	free(a->broken);
	free(a);
}

const struct shk_plan *shk_armoury_plan(const struct shk_armoury *a, const struct shk_policy *p)
{
	for (size_t i = 0; i < a->n; i++)
		if (shk_policyset_at(a->ps, i) == p)
			return a->plan[i];
	return NULL;
}
