// SPDX-License-Identifier: Apache-2.0
/* Which of the collected rules go into a set (FALCO_RULE_LANGUAGE section 20). */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"

/* '*' stands for any text. Linear in practice: only the last star is ever tried again. */
static bool glob(struct shk_str p, struct shk_str s)
{
	size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

	while (k < s.n) {
		if (i < p.n && p.p[i] == '*') {
			star = i++;
			mark = k;
		} else if (i < p.n && p.p[i] == s.p[k]) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			k = ++mark;
		} else {
			return false;
		}
	}
	while (i < p.n && p.p[i] == '*')
		i++;
	return i == p.n;
}

static bool has_tag(const struct shk_rule_def *d, struct shk_str tag)
{
	for (size_t k = 0; k < d->n_tags; k++)
		if (shk_str_eq(tag, d->tags[k]))
			return true;
	return false;
}

/* The choices in their order, each of them over all that came before: so the last one that names the
 * rule counts. The place of a rule in the set never depends on them. */
static bool selected(const struct shk_rule_def *d, bool enabled, const struct shk_rule_select *s)
{
	if (!s)
		return enabled;
	if (d->priority > s->min_priority)
		return false;
	for (size_t i = 0; i < s->n_choices; i++) {
		const struct shk_rule_choice *c = &s->choices[i];

		if ((c->name.p && glob(c->name, d->name)) || (c->tag.p && has_tag(d, c->tag)))
			enabled = c->enable;
	}
	for (size_t i = 0; i < s->n_disable_names; i++)
		if (glob(s->disable_names[i], d->name))
			return false;
	for (size_t i = 0; i < s->n_disable_tags; i++)
		if (has_tag(d, s->disable_tags[i]))
			return false;
	return enabled;
}

int shk_loader_compile(struct shk_loader *l, const struct shk_rule_select *select,
		       struct shk_ruleset **ret, struct shk_err *err)
{
	_cleanup_free_ const struct shk_rule_def **defs = calloc(l->t.rules.n + 1, sizeof(*defs));
	size_t n = 0;

	if (!defs)
		return shk_err_sys(err, ENOMEM, "compiling rules");
	for (size_t i = 0; l->all && i < l->t.rules.n; i++) {
		const struct shk_rule *r = l->t.rules.p[i];

		if (l->all[i] && selected(l->all[i], r->enabled, select))
			defs[n++] = l->all[i];
	}
	return shk_ruleset_build(defs, n, ret, err);
}
