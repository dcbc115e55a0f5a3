// SPDX-License-Identifier: Apache-2.0
/* The keys `match` and `actions` of a policy file. */
#include <errno.h>

#include "policy/def.h"

static size_t count_children(const struct shk_ynode *n)
{
	size_t count = 0;

	for (const struct shk_ynode *c = n->first; c; c = c->next)
		count++;
	return count;
}

static int out_of_room(struct shk_pparse *p)
{
	return shk_err_set(p->err, ENOMEM, "%s: too large for a policy file", p->file);
}

/* { key: pattern, ... } */
static int parse_pairs(struct shk_pparse *p, const struct shk_ynode *n, struct shk_kv **ret,
		       size_t *n_ret)
{
	size_t i = 0;
	int r;

	if (n->kind != SHK_Y_MAP || !n->first)
		return shk_policy_fail(p->file, n, p->err,
				       "\"%.100s\" takes a map of names to patterns: { name: \"*\" }",
				       n->key.p);
	*ret = SHK_ARENA_ARRAY(p->a, struct shk_kv, count_children(n));
	if (!*ret)
		return out_of_room(p);
	for (const struct shk_ynode *c = n->first; c; c = c->next, i++) {
		(*ret)[i].key = c->key;
		r = shk_pparse_text(p, c, &(*ret)[i].value);
		if (r < 0)
			return r;
	}
	*n_ret = i;
	return 0;
}

static int match_annotation(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_pmatch *m = into;

	p->d->pub.annotation_choosable = true;
	return parse_pairs(p, n, &m->annotation, &m->n_annotation);
}

static int match_image(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_pmatch *)into)->image);
}

static int match_name(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_pmatch *)into)->name);
}

static int match_id(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_pmatch *)into)->id);
}

static int k8s_namespace(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_text(p, n, &((struct shk_pmatch *)into)->k8s_ns);
}

static int k8s_label(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_pmatch *m = into;

	return parse_pairs(p, n, &m->label, &m->n_label);
}

static int match_kubernetes(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "namespace", k8s_namespace },
						{ "label", k8s_label } };

	if (n->kind == SHK_Y_MAP && !n->first)
		return shk_policy_fail(p->file, n, p->err,
				       "\"kubernetes\" is empty; give namespace or label");
	return shk_pparse_map(p, n, "kubernetes", keys, SHK_ARRAY_SIZE(keys), into);
}

int shk_pparse_match(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = {
		{ "annotation", match_annotation }, { "image", match_image }, { "name", match_name },
		{ "id", match_id }, { "kubernetes", match_kubernetes },
	};
	struct shk_policy_def *d = into;

	if (n->kind != SHK_Y_SEQ)
		return shk_policy_fail(p->file, n, p->err,
				       "\"match\" takes a list of entries: - image: \"*nginx*\"");
	d->match = SHK_ARENA_ARRAY(p->a, struct shk_pmatch, count_children(n));
	if (!d->match)
		return out_of_room(p);
	for (const struct shk_ynode *c = n->first; c; c = c->next) {
		int r;

		if (c->kind == SHK_Y_MAP && !c->first)
			return shk_policy_fail(p->file, c, p->err,
					       "an empty match entry would take every container; "
					       "name the policy \"default\" for that");
		r = shk_pparse_map(p, c, "a match entry", keys, SHK_ARRAY_SIZE(keys),
				   &d->match[d->n_match]);
		if (r < 0)
			return r;
		d->n_match++;
	}
	return 0;
}

int shk_pparse_deny(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	/* For the message only: what people write, not what is accepted. */
	static const char *const common[] = { "EPERM", "EACCES", "ENOENT", "ENOSYS", "EROFS",
					      "EINVAL", "ECONNREFUSED", "ENETUNREACH", "EBUSY" };
	struct shk_action *a = into;
	struct shk_nearest near = { 0 };
	struct shk_str text = { 0 };
	char buf[160];
	int r = shk_pparse_text(p, n, &text);

	if (r < 0)
		return r;
	r = shk_errno_value(text.p);
	if (r > 0) {
		*a = (struct shk_action){ SHK_ACT_DENY, r };
		return 0;
	}
	near.word = text;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(common); i++)
		shk_nearest_offer(&near, shk_str(common[i]));
	return shk_policy_fail(p->file, n, p->err,
			       "\"deny\" takes an errno name such as EPERM; \"%.100s\" is none%s",
			       text.p, shk_nearest_text(&near, buf, sizeof(buf)));
}

static int then_kill(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const char *const words[] = { "process", "container", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	*(struct shk_action *)into = (struct shk_action){
		r ? SHK_ACT_KILL_CONTAINER : SHK_ACT_KILL_PROCESS, EPERM
	};
	return 0;
}

static int then_freeze(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const char *const words[] = { "container", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	*(struct shk_action *)into = (struct shk_action){ SHK_ACT_FREEZE, EPERM };
	return 0;
}

static int action_then(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "deny", shk_pparse_deny }, { "kill", then_kill },
						{ "freeze", then_freeze } };
	static const char *const words[] = { "alert", NULL };
	struct shk_paction *a = into;

	if (n->kind == SHK_Y_SCALAR) {
		int r = shk_pparse_word(p, n, words);

		return r < 0 ? r : 0;
	}
	if (n->kind == SHK_Y_MAP && count_children(n) != 1)
		return shk_policy_fail(p->file, n, p->err,
				       "\"then\" takes one of deny: ERRNO, kill: process|container, "
				       "freeze: container, or the word alert");
	return shk_pparse_map(p, n, "then", keys, SHK_ARRAY_SIZE(keys), &a->then);
}

static int action_rules(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_texts(p, n, &((struct shk_paction *)into)->rules);
}

static int action_tags(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_texts(p, n, &((struct shk_paction *)into)->tags);
}

static enum shk_cmp take_cmp(struct shk_str *s)
{
	static const struct {
		const char *word;
		enum shk_cmp cmp;
	} ops[] = { { ">=", SHK_CMP_GE }, { "<=", SHK_CMP_LE }, { ">", SHK_CMP_GT },
		    { "<", SHK_CMP_LT },  { "==", SHK_CMP_EQ }, { "=", SHK_CMP_EQ } };
	enum shk_cmp cmp = SHK_CMP_EQ;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(ops); i++)
		if (shk_str_starts(*s, shk_str(ops[i].word))) {
			cmp = ops[i].cmp;
			s->p += strlen(ops[i].word);
			s->n -= strlen(ops[i].word);
			break;
		}
	while (s->n && *s->p == ' ') {
		s->p++;
		s->n--;
	}
	return cmp;
}

static int action_priority(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_paction *a = into;
	struct shk_nearest near = { 0 };
	struct shk_str text = { 0 }, word;
	char buf[160];
	int r = shk_pparse_text(p, n, &text);

	if (r < 0)
		return r;
	word = text;
	a->cmp = take_cmp(&word);
	if (shk_priority_parse(word, &a->priority))
		return 0;
	near.word = word;
	for (int i = SHK_PRIO_EMERGENCY; i <= SHK_PRIO_DEBUG; i++)
		shk_nearest_offer(&near, shk_str(shk_priority_name((enum shk_priority)i)));
	return shk_policy_fail(p->file, n, p->err,
			       "\"priority\" takes a comparison such as \">= critical\"; \"%.100s\" is "
			       "no priority%s",
			       word.p, shk_nearest_text(&near, buf, sizeof(buf)));
}

static int action_match(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "rules", action_rules }, { "tags", action_tags },
						{ "priority", action_priority } };

	if (n->kind == SHK_Y_MAP && !n->first)
		return shk_policy_fail(p->file, n, p->err,
				       "\"match\" of an action is empty; give rules, tags or priority");
	return shk_pparse_map(p, n, "match of an action", keys, SHK_ARRAY_SIZE(keys), into);
}

int shk_pparse_actions(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "match", action_match }, { "then", action_then } };
	struct shk_policy_def *d = into;

	if (n->kind != SHK_Y_SEQ)
		return shk_policy_fail(p->file, n, p->err,
				       "\"actions\" takes a list: - { match: { rules: [...] }, then: { "
				       "deny: EPERM } }");
	d->action = SHK_ARENA_ARRAY(p->a, struct shk_paction, count_children(n));
	if (!d->action)
		return out_of_room(p);
	for (const struct shk_ynode *c = n->first; c; c = c->next) {
		struct shk_paction *a = &d->action[d->n_action++];
		int r = shk_pparse_map(p, c, "an action", keys, SHK_ARRAY_SIZE(keys), a);

		if (r < 0)
			return r;
		a->node = c;
		if (!shk_ynode_get(c, "match") || !shk_ynode_get(c, "then"))
			return shk_policy_fail(p->file, c, p->err,
					       "an action needs both \"match\" and \"then\"");
	}
	return 0;
}
