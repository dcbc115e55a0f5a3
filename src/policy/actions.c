// SPDX-License-Identifier: Apache-2.0
/* From the words of `actions` to one action per rule of the compiled set. */
#include <errno.h>

#include "policy/def.h"

static bool has_tag(const struct shk_rule_info *r, struct shk_str tag)
{
	for (size_t i = 0; i < r->n_tags; i++)
		if (shk_str_eq(r->tags[i], tag))
			return true;
	return false;
}

static bool any_name(const struct shk_pstrs *s, struct shk_str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (shk_glob(s->v[i]->text, name))
			return true;
	return false;
}

static bool any_tag(const struct shk_pstrs *s, const struct shk_rule_info *r)
{
	for (size_t i = 0; i < s->n; i++)
		if (has_tag(r, s->v[i]->text))
			return true;
	return false;
}

/* Smaller numbers are more severe: ">= critical" means critical and what is worse. */
static bool severity_fits(enum shk_cmp cmp, enum shk_priority rule, enum shk_priority bound)
{
	switch (cmp) {
	case SHK_CMP_NONE:
		return true;
	case SHK_CMP_EQ:
		return rule == bound;
	case SHK_CMP_GE:
		return rule <= bound;
	case SHK_CMP_GT:
		return rule < bound;
	case SHK_CMP_LE:
		return rule >= bound;
	case SHK_CMP_LT:
		return rule > bound;
	}
	return false;
}

static bool fits(const struct shk_paction *a, const struct shk_rule_info *r)
{
	return (!a->rules.v || any_name(&a->rules, r->name)) && (!a->tags.v || any_tag(&a->tags, r)) &&
	       severity_fits(a->cmp, r->priority, a->priority);
}

static bool is_disabled(const struct shk_policy_def *d, struct shk_str name)
{
	return any_name(&d->disable_names, name);
}

/* Each name of the list must stand for a rule of the set; disabled: names ones it is no surprise not to
 * find. */
static int check_names(const struct shk_policy_def *d, const struct shk_ruleset *rs,
		       const struct shk_pstrs *names, bool disabled, struct shk_err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		struct shk_nearest near = { .word = names->v[i]->text };
		bool found = false;
		char buf[160];

		for (size_t k = 0; k < shk_ruleset_count(rs) && !found; k++) {
			struct shk_str name = shk_ruleset_rule(rs, (unsigned)k)->name;

			found = shk_glob(near.word, name);
			shk_nearest_offer(&near, name);
		}
		if (found)
			continue;
		if (!disabled && is_disabled(d, near.word))
			return shk_policy_fail(d->pub.file.p, names->v[i], err,
					       "rule \"%.200s\" is disabled by this policy's "
					       "rules.disable; remove one of the two",
					       near.word.p);
		return shk_policy_fail(d->pub.file.p, names->v[i], err,
				       "no rule \"%.200s\" in the rule files of policy \"%s\"%s%s",
				       near.word.p, d->pub.name.p,
				       shk_nearest_text(&near, buf, sizeof(buf)),
				       near.best.p ? "" :
						     "; correct the name or add its file to "
						     "rules.files");
	}
	return 0;
}

static int check_tags(const struct shk_policy_def *d, const struct shk_ruleset *rs,
		      const struct shk_pstrs *tags, struct shk_err *err)
{
	for (size_t i = 0; i < tags->n; i++) {
		struct shk_nearest near = { .word = tags->v[i]->text };
		bool found = false;
		char buf[160];

		for (size_t k = 0; k < shk_ruleset_count(rs) && !found; k++) {
			const struct shk_rule_info *r = shk_ruleset_rule(rs, (unsigned)k);

			found = has_tag(r, near.word);
			for (size_t t = 0; t < r->n_tags; t++)
				shk_nearest_offer(&near, r->tags[t]);
		}
		if (!found)
			return shk_policy_fail(d->pub.file.p, tags->v[i], err,
					       "no rule of policy \"%s\" has the tag \"%.200s\"%s%s",
					       d->pub.name.p, near.word.p,
					       shk_nearest_text(&near, buf, sizeof(buf)),
					       near.best.p ? "" : "; correct the tag or remove it");
	}
	return 0;
}

int shk_policy_check_disable(const struct shk_policy_def *d, const struct shk_ruleset *all,
			     struct shk_err *err)
{
	int r = check_names(d, all, &d->disable_names, true, err);

	if (r >= 0)
		r = check_tags(d, all, &d->disable_tags, err);
	for (size_t i = 0; i < d->n_choice && r >= 0; i++) {
		const struct shk_pchoice *c = &d->choice[i];
		const struct shk_ynode *rule = c->rule, *tag = c->tag;
		const struct shk_pstrs names = { &rule, rule != NULL }, tags = { &tag, tag != NULL };

		/* "*" fits also where there are no rules */
		if (rule && !shk_str_eqz(rule->text, "*"))
			r = check_names(d, all, &names, true, err);
		if (r >= 0)
			r = check_tags(d, all, &tags, err);
	}
	return r;
}

int shk_policy_resolve(struct shk_arena *a, struct shk_policy_def *d, struct shk_err *err)
{
	size_t n = shk_ruleset_count(d->pub.rules);
	struct shk_action *actions = SHK_ARENA_ARRAY(a, struct shk_action, n);
	uint64_t *must = SHK_ARENA_ARRAY(a, uint64_t, n / 64 + 1);
	int r;

	if (!actions || !must)
		return shk_err_set(err, ENOMEM, "%s: out of memory", d->pub.file.p);
	for (size_t i = 0; i < d->n_action; i++) {
		r = check_names(d, d->pub.rules, &d->action[i].rules, false, err);
		if (r >= 0)
			r = check_tags(d, d->pub.rules, &d->action[i].tags, err);
		if (r < 0)
			return r;
	}
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < d->n_action; i++) {
			if (!fits(&d->action[i], shk_ruleset_rule(d->pub.rules, (unsigned)k)))
				continue;
			actions[k] = d->action[i].then;
			if (actions[k].kind != SHK_ACT_NONE)
				must[k / 64] |= UINT64_C(1) << (k % 64);
			break;
		}
	d->pub.actions = actions;
	d->pub.must = must;
	return 0;
}
