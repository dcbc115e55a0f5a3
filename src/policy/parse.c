// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "policy/def.h"
#include "policy/keys.h"
#include "policy/plan.h"

#define DEADLINE_MAX_MS 600000
#define LIMIT_MAX	1000000
#define MS		UINT64_C(1000000)

static const char *const allow_deny[] = { "deny", "allow", NULL };

static int parse_policy(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	int r = shk_pparse_text(p, n, &p->d->pub.name);

	if (r < 0)
		return r;
	/* The name goes into alerts, tables and annotations. */
	for (size_t i = 0; i < p->d->pub.name.n; i++) {
		unsigned char c = (unsigned char)p->d->pub.name.p[i];

		if (c <= ' ' || c >= 0x7f || i >= 64)
			return shk_policy_fail(p->file, n, p->err,
					       "a policy name is 1 to 64 printable ASCII characters "
					       "without blanks");
	}
	p->d->is_default = shk_str_eqz(p->d->pub.name, "default");
	return 0;
}

static int parse_match(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_match(p, n, into);
}

static int parse_actions(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return shk_pparse_actions(p, n, into);
}

static int rules_files(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return shk_pparse_texts(p, n, &p->d->files);
}

static int disable_tags(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return shk_pparse_texts(p, n, &p->d->disable_tags);
}

static int disable_names(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return shk_pparse_texts(p, n, &p->d->disable_names);
}

static int rules_disable(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "tags", disable_tags }, { "names", disable_names } };

	return shk_pparse_map(p, n, "rules.disable", keys, SHK_ARRAY_SIZE(keys), into);
}

static int choice_rule(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_str text;

	((struct shk_pchoice *)into)->rule = n;
	return shk_pparse_text(p, n, &text);
}

static int choice_tag(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	struct shk_str text;

	((struct shk_pchoice *)into)->tag = n;
	return shk_pparse_text(p, n, &text);
}

static int one_choice(struct shk_pparse *p, const struct shk_ynode *n, void *into, bool enable)
{
	static const struct shk_pkey keys[] = { { "rule", choice_rule }, { "tag", choice_tag } };
	struct shk_pchoice *c = into;
	int r;

	if (c->rule || c->tag)
		return shk_policy_fail(p->file, n, p->err,
				       "an entry of \"select\" either enables or disables; begin each "
				       "with its own '-'");
	c->enable = enable;
	r = shk_pparse_map(p, n, enable ? "enable" : "disable", keys, SHK_ARRAY_SIZE(keys), into);
	if (r >= 0 && !c->rule && !c->tag)
		r = shk_policy_fail(p->file, n, p->err, "\"rule\" or \"tag\" is missing");
	return r;
}

static int choice_enable(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return one_choice(p, n, into, true);
}

static int choice_disable(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	return one_choice(p, n, into, false);
}

static int rules_select(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	static const struct shk_pkey keys[] = { { "enable", choice_enable },
						{ "disable", choice_disable } };
	struct shk_policy_def *d = p->d;
	size_t count = 0;

	if (n->kind != SHK_Y_SEQ)
		return shk_policy_fail(p->file, n, p->err,
				       "\"select\" takes a list: [ disable: { rule: \"*\" } ]");
	for (const struct shk_ynode *c = n->first; c; c = c->next)
		count++;
	d->choice = SHK_ARENA_ARRAY(p->a, struct shk_pchoice, count);
	if (!d->choice)
		return shk_err_set(p->err, ENOMEM, "%s: too large for a policy file", p->file);
	for (const struct shk_ynode *c = n->first; c; c = c->next) {
		struct shk_pchoice *to = &d->choice[d->n_choice++];
		int r = shk_pparse_map(p, c, "rules.select", keys, SHK_ARRAY_SIZE(keys), to);

		if (r < 0)
			return r;
		if (!to->rule && !to->tag)
			return shk_policy_fail(p->file, c, p->err,
					       "\"enable\" or \"disable\" is missing");
	}
	return 0;
}

static int rules_priority(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	struct shk_str text;
	int r = shk_pparse_text(p, n, &text);

	if (r < 0 || shk_priority_parse(text, &p->d->min_priority))
		return r;
	return shk_policy_fail(p->file, n, p->err,
			       "\"%.100s\" is no priority; use one of emergency, alert, critical, error, "
			       "warning, notice, informational, debug", text.p);
}

static int parse_rules(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "files", rules_files },
						{ "append_output", shk_pparse_append_output },
						{ "select", rules_select },
						{ "disable", rules_disable },
						{ "priority", rules_priority } };

	return shk_pparse_map(p, n, "rules", keys, SHK_ARRAY_SIZE(keys), into);
}

static int parse_mode(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	static const char *const words[] = { "observe", "shadow", "enforce", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.mode = (enum shk_mode)r;
	return 0;
}

static int parse_allow(struct shk_pparse *p, const struct shk_ynode *n, bool *allow)
{
	int r = shk_pparse_word(p, n, allow_deny);

	if (r < 0)
		return r;
	*allow = r == 1;
	return 0;
}

static int reserve_call(struct shk_pparse *p, const struct shk_ynode *n)
{
	const struct shk_syscall *s = shk_syscall_by_name(n->text);
	struct shk_reg_filter always = { .always = true };
	struct shk_nearest near = { .word = n->text };
	char buf[160];

	for (unsigned i = 0; !s && i < SHK_CALL_N; i++)
		shk_nearest_offer(&near, shk_str(shk_syscalls[i].name));
	if (!s)
		return shk_policy_fail(p->file, n, p->err, "there is no call \"%.100s\"%s", n->text.p,
				       near.best.p ? shk_nearest_text(&near, buf, sizeof(buf)) :
						     "; `shrike list syscalls` shows all");
	if (!shk_plan_watchable(s->id, &always))
		return shk_policy_fail(p->file, n, p->err,
				       "%s is a call of the hot path; to stop at each would slow the "
				       "container down many times, so it cannot be kept in reserve",
				       s->name);
	p->d->pub.reserve[s->id / 64] |= UINT64_C(1) << s->id % 64;
	return 0;
}

static int parse_reserve(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	struct shk_pstrs names = { 0 };
	int r = shk_pparse_texts(p, n, &names);

	for (size_t i = 0; r >= 0 && i < names.n; i++)
		r = reserve_call(p, names.v[i]);
	return r;
}

static int parse_io_uring(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return parse_allow(p, n, &p->d->pub.io_uring_allow);
}

static int parse_unjudged_doors(struct shk_pparse *p, const struct shk_ynode *n,
				void *into SHK_UNUSED)
{
	return parse_allow(p, n, &p->d->pub.unjudged_doors_allow);
}

static int parse_on_policy_error(struct shk_pparse *p, const struct shk_ynode *n,
				 void *into SHK_UNUSED)
{
	static const char *const words[] = { "refuse", "observe", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.refuse_on_error = r == 0;
	return 0;
}

static int parse_on_unreadable_argument(struct shk_pparse *p, const struct shk_ynode *n,
					void *into SHK_UNUSED)
{
	bool allow = false;
	int r = parse_allow(p, n, &allow);

	p->d->pub.unreadable_deny = !allow;
	return r;
}

static int deadline_ms(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	uint64_t ms = 0;
	int r = shk_pparse_number(p, n, 1, DEADLINE_MAX_MS, &ms);

	p->d->pub.deadline_ns = ms * MS;
	return r;
}

static int deadline_then(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	static const struct shk_pkey keys[] = { { "deny", shk_pparse_deny } };
	struct shk_action *then = &p->d->pub.deadline_then;
	bool allow = false;
	int r;

	if (n->kind == SHK_Y_MAP)
		return shk_pparse_map(p, n, "deadline.then", keys, SHK_ARRAY_SIZE(keys), then);
	r = parse_allow(p, n, &allow);
	*then = allow ? (struct shk_action){ SHK_ACT_NONE, 0 } :
			(struct shk_action){ SHK_ACT_DENY, EPERM };
	return r;
}

static int parse_deadline(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "ms", deadline_ms }, { "then", deadline_then } };

	return shk_pparse_map(p, n, "deadline", keys, SHK_ARRAY_SIZE(keys), into);
}

static int parse_exec_sessions(struct shk_pparse *p, const struct shk_ynode *n,
			       void *into SHK_UNUSED)
{
	static const char *const words[] = { "no_new_privs", "observe", "refuse", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.exec_sessions = (enum shk_exec_sessions)r;
	return 0;
}

static int parse_exec_verify(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	static const char *const words[] = { "auto", "ptrace", "off", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.exec_verify = (enum shk_exec_verify)r;
	return 0;
}

static int parse_traced_exec(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	return parse_allow(p, n, &p->d->pub.traced_exec_allow);
}

static int parse_attach(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	static const char *const words[] = { "no_new_privs", "refuse", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.attach_refuse = r == 1;
	return 0;
}

static int parse_strict(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	p->d->strict_node = n;
	p->d->pub.strict_said = true;
	return shk_pparse_bool(p, n, &p->d->pub.strict);
}

static int parse_rule_matching(struct shk_pparse *p, const struct shk_ynode *n,
			       void *into SHK_UNUSED)
{
	static const char *const words[] = { "first", "all", NULL };
	int r = shk_pparse_word(p, n, words);

	if (r < 0)
		return r;
	p->d->pub.match_all = r == 1;
	return 0;
}

static int limit_rate(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	uint64_t v = 0;
	int r = shk_pparse_number(p, n, 0, LIMIT_MAX, &v);

	p->d->pub.alerts_per_second = (unsigned)v;
	return r;
}

static int limit_burst(struct shk_pparse *p, const struct shk_ynode *n, void *into SHK_UNUSED)
{
	uint64_t v = 0;
	int r = shk_pparse_number(p, n, 0, LIMIT_MAX, &v);

	p->d->pub.alerts_burst = (unsigned)v;
	return r;
}

static int parse_limits(struct shk_pparse *p, const struct shk_ynode *n, void *into)
{
	static const struct shk_pkey keys[] = { { "alerts_per_second", limit_rate },
						{ "burst", limit_burst } };

	return shk_pparse_map(p, n, "limits", keys, SHK_ARRAY_SIZE(keys), into);
}

#define X(key, def, doc) { #key, parse_##key },
static const struct shk_pkey policy_keys[] = { SHK_POLICY_KEYS(X) };
#undef X

void shk_policy_def_init(struct shk_policy_def *d)
{
	*d = (struct shk_policy_def){ .min_priority = SHK_PRIO_DEBUG, .pub = {
					      .mode = SHK_MODE_OBSERVE,
					      .refuse_on_error = true,
					      .unreadable_deny = true,
					      .deadline_ns = 2000 * MS,
					      .deadline_then = { SHK_ACT_DENY, EPERM },
					      .exec_sessions = SHK_EXEC_NO_NEW_PRIVS,
				      } };
}

static int check_whole(struct shk_pparse *p, const struct shk_ynode *root)
{
	struct shk_policy_def *d = p->d;

	if (!d->pub.name.p)
		return shk_policy_fail(p->file, root, p->err,
				       "a policy needs a name; add \"policy: NAME\"");
	if (d->is_default && d->n_match)
		return shk_policy_fail(p->file, shk_ynode_get(root, "match"), p->err,
				       "the policy \"default\" takes every container left over and "
				       "has no \"match\"; remove it or give the policy another name");
	if (!d->is_default && !d->n_match)
		return shk_policy_fail(p->file, root, p->err,
				       "policy \"%s\" has no \"match\", so it would never apply; add "
				       "one, or name the policy \"default\"",
				       d->pub.name.p);
	return 0;
}

int shk_policy_parse(struct shk_arena *a, const char *file, const struct shk_ynode *root,
		     struct shk_policy_def *d, struct shk_err *err)
{
	struct shk_pparse p = { .a = a, .file = file, .err = err, .d = d };
	int r;

	shk_policy_def_init(d);
	d->root = root;
	d->pub.file = shk_str(file);
	r = shk_pparse_map(&p, root, "a policy", policy_keys, SHK_ARRAY_SIZE(policy_keys), d);
	if (r < 0)
		return r;
	if (!d->strict_node)
		d->pub.strict = d->pub.mode == SHK_MODE_ENFORCE;
	return check_whole(&p, root);
}
