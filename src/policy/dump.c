// SPDX-License-Identifier: Apache-2.0
/* A policy in force, printed as a policy file: one dump_<key> per row of keys.h. */
#include <inttypes.h>

#include "policy/def.h"
#include "policy/keys.h"

const char *shk_mode_name(enum shk_mode m)
{
	static const char *const names[] = { "observe", "shadow", "enforce" };

	return (unsigned)m < SHK_ARRAY_SIZE(names) ? names[m] : "?";
}

const char *shk_action_name(enum shk_action_kind k)
{
	static const char *const names[] = { "alert", "deny", "freeze container", "kill process",
					     "kill container" };

	return (unsigned)k < SHK_ARRAY_SIZE(names) ? names[k] : "?";
}

/* A double-quoted YAML scalar. */
void shk_policy_quote(struct shk_buf *out, struct shk_str s)
{
	shk_buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			shk_buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			shk_buf_printf(out, "\\x%02x", c);
		else
			shk_buf_addc(out, (char)c);
	}
	shk_buf_addc(out, '"');
}

static void quote_list(struct shk_buf *out, const struct shk_pstrs *s)
{
	shk_buf_addc(out, '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			shk_buf_adds(out, ", ");
		shk_policy_quote(out, s->v[i]->text);
	}
	shk_buf_addc(out, ']');
}

static void quote_pairs(struct shk_buf *out, const struct shk_kv *kv, size_t n)
{
	shk_buf_adds(out, "{ ");
	for (size_t i = 0; i < n; i++) {
		if (i)
			shk_buf_adds(out, ", ");
		shk_policy_quote(out, kv[i].key);
		shk_buf_adds(out, ": ");
		shk_policy_quote(out, kv[i].value);
	}
	shk_buf_adds(out, " }");
}

static void dump_action(struct shk_buf *out, const struct shk_action *a)
{
	const char *name = shk_errno_name(a->err);

	switch (a->kind) {
	case SHK_ACT_NONE:
		shk_buf_adds(out, "alert");
		break;
	case SHK_ACT_DENY:
		shk_buf_printf(out, "{ deny: %s }", name ? name : "EPERM");
		break;
	case SHK_ACT_FREEZE:
		shk_buf_adds(out, "{ freeze: container }");
		break;
	case SHK_ACT_KILL_PROCESS:
		shk_buf_adds(out, "{ kill: process }");
		break;
	case SHK_ACT_KILL_CONTAINER:
		shk_buf_adds(out, "{ kill: container }");
		break;
	}
}

static void dump_policy(const struct shk_policy_def *d, struct shk_buf *out)
{
	shk_buf_adds(out, "policy: ");
	shk_policy_quote(out, d->pub.name);
	shk_buf_addc(out, '\n');
}

static void dump_glob(struct shk_buf *out, const char **sep, const char *key, struct shk_str glob)
{
	if (!glob.p)
		return;
	shk_buf_printf(out, "%s%s: ", *sep, key);
	shk_policy_quote(out, glob);
	*sep = ", ";
}

static void dump_match(const struct shk_policy_def *d, struct shk_buf *out)
{
	if (d->is_default) {
		shk_buf_adds(out, "# match: every container no other policy took\n");
		return;
	}
	shk_buf_adds(out, "match:\n");
	for (size_t i = 0; i < d->n_match; i++) {
		const struct shk_pmatch *m = &d->match[i];
		const char *sep = "";

		shk_buf_adds(out, "  - { ");
		if (m->n_annotation) {
			shk_buf_adds(out, "annotation: ");
			quote_pairs(out, m->annotation, m->n_annotation);
			sep = ", ";
		}
		dump_glob(out, &sep, "image", m->image);
		dump_glob(out, &sep, "name", m->name);
		dump_glob(out, &sep, "id", m->id);
		if (m->k8s_ns.p || m->n_label) {
			shk_buf_printf(out, "%skubernetes: { ", sep);
			sep = "";
			dump_glob(out, &sep, "namespace", m->k8s_ns);
			if (m->n_label) {
				shk_buf_printf(out, "%slabel: ", sep);
				quote_pairs(out, m->label, m->n_label);
			}
			shk_buf_adds(out, " }");
		}
		shk_buf_adds(out, " }\n");
	}
}

static void dump_rules(const struct shk_policy_def *d, struct shk_buf *out)
{
	shk_buf_adds(out, "rules:\n  files: ");
	if (d->files.v)
		quote_list(out, &d->files);
	else {
		shk_buf_printf(out, "[\"shrike_rules.yaml\"%s", d->themes ? ", \"shrike_rules.d\"" : "");
		if (d->own.n) {
			shk_buf_adds(out, ", ");
			shk_policy_quote(out, d->own);
		}
		shk_buf_addc(out, ']');
	}
	if (d->n_append) {
		shk_buf_adds(out, "\n  append_output:\n");
		shk_append_output_dump(d->append, d->n_append, "    ", out);
	} else {
		shk_buf_adds(out, "\n  append_output: []\n");
	}
	shk_buf_adds(out, d->n_choice ? "  select:" : "  select: []");
	for (size_t i = 0; i < d->n_choice; i++) {
		const struct shk_pchoice *c = &d->choice[i];

		shk_buf_printf(out, "\n    - %s: { ", c->enable ? "enable" : "disable");
		if (c->rule) {
			shk_buf_adds(out, "rule: ");
			shk_policy_quote(out, c->rule->text);
		}
		if (c->tag) {
			shk_buf_adds(out, c->rule ? ", tag: " : "tag: ");
			shk_policy_quote(out, c->tag->text);
		}
		shk_buf_adds(out, " }");
	}
	shk_buf_adds(out, "\n  disable: { tags: ");
	quote_list(out, &d->disable_tags);
	shk_buf_adds(out, ", names: ");
	quote_list(out, &d->disable_names);
	shk_buf_printf(out, " }\n  priority: %s\n", shk_priority_name(d->min_priority));
}

static void dump_mode(const struct shk_policy_def *d, struct shk_buf *out)
{
	shk_buf_printf(out, "mode: %s\n", shk_mode_name(d->pub.mode));
}

static void dump_actions(const struct shk_policy_def *d, struct shk_buf *out)
{
	static const char *const ops[] = { "", "=", ">=", ">", "<=", "<" };

	shk_buf_adds(out, d->n_action ? "actions:\n" : "actions: []\n");
	for (size_t i = 0; i < d->n_action; i++) {
		const struct shk_paction *a = &d->action[i];
		const char *sep = "";

		shk_buf_adds(out, "  - match: { ");
		if (a->rules.v) {
			shk_buf_adds(out, "rules: ");
			quote_list(out, &a->rules);
			sep = ", ";
		}
		if (a->tags.v) {
			shk_buf_printf(out, "%stags: ", sep);
			quote_list(out, &a->tags);
			sep = ", ";
		}
		if (a->cmp != SHK_CMP_NONE)
			shk_buf_printf(out, "%spriority: \"%s %s\"", sep, ops[a->cmp],
				       shk_priority_name(a->priority));
		shk_buf_adds(out, " }\n    then: ");
		dump_action(out, &a->then);
		shk_buf_addc(out, '\n');
	}
}

static void dump_reserve(const struct shk_policy_def *d, struct shk_buf *out)
{
	const char *sep = "";

	shk_buf_adds(out, "reserve: [");
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		if (!(d->pub.reserve[i / 64] >> i % 64 & 1))
			continue;
		shk_buf_printf(out, "%s%s", sep, shk_syscalls[i].name);
		sep = ", ";
	}
	shk_buf_adds(out, "]\n");
}

#define WORD_KEY(key, expr)                                                                        \
	static void dump_##key(const struct shk_policy_def *d, struct shk_buf *out)                \
	{                                                                                          \
		shk_buf_printf(out, #key ": %s\n", (expr));                                        \
	}
WORD_KEY(io_uring, d->pub.io_uring_allow ? "allow" : "deny")
WORD_KEY(unjudged_doors, d->pub.unjudged_doors_allow ? "allow" : "deny")
WORD_KEY(on_policy_error, d->pub.refuse_on_error ? "refuse" : "observe")
WORD_KEY(on_unreadable_argument, d->pub.unreadable_deny ? "deny" : "allow")
WORD_KEY(exec_verify, d->pub.exec_verify == SHK_EXEC_VERIFY_OFF	 ? "off" :
		      d->pub.exec_verify == SHK_EXEC_VERIFY_PTRACE ? "ptrace" :
								     "auto")
WORD_KEY(traced_exec, d->pub.traced_exec_allow ? "allow" : "deny")
WORD_KEY(rule_matching, d->pub.match_all ? "all" : "first")
WORD_KEY(exec_sessions, d->pub.exec_sessions == SHK_EXEC_REFUSE	 ? "refuse" :
			d->pub.exec_sessions == SHK_EXEC_OBSERVE ? "observe" :
								   "no_new_privs")
WORD_KEY(attach, d->pub.attach_refuse ? "refuse" : "no_new_privs")
#undef WORD_KEY

/* Written out, strict: true makes loading fail on what cannot be guaranteed; as a default it does not.
 * The printed file must mean what the policy means. */
static void dump_strict(const struct shk_policy_def *d, struct shk_buf *out)
{
	if (d->strict_node)
		shk_buf_printf(out, "strict: %s\n", d->pub.strict ? "true" : "false");
	else
		shk_buf_printf(out, "# strict: %s (default in mode %s)\n",
			       d->pub.strict ? "true" : "false", shk_mode_name(d->pub.mode));
}

static void dump_deadline(const struct shk_policy_def *d, struct shk_buf *out)
{
	shk_buf_printf(out, "deadline: { ms: %" PRIu64 ", then: ", d->pub.deadline_ns / 1000000);
	if (d->pub.deadline_then.kind == SHK_ACT_NONE)
		shk_buf_adds(out, "allow");
	else
		dump_action(out, &d->pub.deadline_then);
	shk_buf_adds(out, " }\n");
}

static void dump_limits(const struct shk_policy_def *d, struct shk_buf *out)
{
	shk_buf_printf(out, "limits: { alerts_per_second: %u, burst: %u }\n",
		       d->pub.alerts_per_second, d->pub.alerts_burst);
}

void shk_policy_dump(const struct shk_policy *p, struct shk_buf *out)
{
	const struct shk_policy_def *d = shk_policy_def(p);

#define X(key, def, doc) dump_##key(d, out);
	SHK_POLICY_KEYS(X)
#undef X
}
