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

static bool has_tag(const struct shk_rule *d, struct shk_str tag)
{
	for (size_t k = 0; k < d->n_tags; k++)
		if (shk_str_eq(tag, d->tags[k]))
			return true;
	return false;
}

/* The choices in their order, each of them over all that came before: so the last one that names the
 * rule counts. The place of a rule in the set never depends on them. */
static bool selected(const struct shk_rule *d, const struct shk_rule_select *s)
{
	bool enabled = d->enabled;

	if (!s)
		return enabled;
	if (d->priority > s->min_priority)
		return false;
	for (size_t i = 0; i < s->n_choices; i++) {
		const struct shk_rule_choice *c = &s->choices[i];

		if ((c->name.p && glob(c->name, d->h.name)) || (c->tag.p && has_tag(d, c->tag)))
			enabled = c->enable;
	}
	for (size_t i = 0; i < s->n_disable_names; i++)
		if (glob(s->disable_names[i], d->h.name))
			return false;
	for (size_t i = 0; i < s->n_disable_tags; i++)
		if (has_tag(d, s->disable_tags[i]))
			return false;
	return enabled;
}

struct source {
	struct shk_loader *l;
	uint32_t *rule; /* those selected */
};

static int make_def(void *arg, size_t i, struct shk_arena *a, struct shk_rule_def *ret)
{
	struct source *s = arg;

	return shk_build_def(s->l, s->rule[i], a, ret);
}

int shk_loader_compile(struct shk_loader *l, const struct shk_rule_select *select,
		       struct shk_ruleset **ret, struct shk_err *err)
{
	_cleanup_free_ uint32_t *rule = reallocarray(NULL, l->b.n_rule + 1, sizeof(*rule));
	struct source s = { l, rule };
	size_t n = 0;

	if (!rule || l->broken)
		return shk_err_sys(err, ENOMEM, "compiling rules");
	for (uint32_t i = 0; i < l->b.n_rule; i++)
		if (!l->b.rule[i].left_out && selected(l->t.rules.p[i], select))
			rule[n++] = i;
	return shk_ruleset_make(make_def, &s, n, ret, err);
}
