// SPDX-License-Identifier: Apache-2.0
/* shrike explain, shrike profile - what a policy becomes. */
#include <errno.h>
#include <json-c/json.h>

#include "base/io.h"
#include "control/places.h"
#include "policy/plan.h"
#include "shrike/commands.h"
#include "shrike/load.h"

#define TEXT_MAX (16u << 20)

struct loaded {
	struct shk_policyset *set;
	const struct shk_policy *policy;
	struct shk_plan *plan;
};

static void loaded_done(struct loaded *l)
{
	shk_plan_free(l->plan);
	shk_policyset_unref(l->set);
}

static int load(const struct shk_cli *c, struct loaded *l)
{
	struct shk_err err = { 0 };
	int r = shk_cli_load_policy(c, c->argc ? c->argv[0] : NULL, &l->set, &l->policy);

	if (r)
		return r;
	if (shk_plan_make(l->policy, &l->plan, &err) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	return SHK_EXIT_OK;
}

static int print_buf(const struct shk_buf *b)
{
	if (b->failed)
		return shk_cli_fail(SHK_EXIT_FAILED, "the text is longer than %u bytes", TEXT_MAX);
	fputs(b->p ? b->p : "", stdout);
	return SHK_EXIT_OK;
}

static void print_warning(const char *text, void *arg)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	const struct shk_cli *c = arg;

	shk_buf_init(&b, 16384);
	shk_cli_clean(&b, shk_str(text));
	printf("%swarning:%s %s\n", shk_cli_on(c, SHK_C_YELLOW), shk_cli_off(c), b.n ? b.p : "");
}

/* Where a jump at pc leads; conditional ones name both. */
static void print_bpf(const struct shk_plan *plan)
{
	for (unsigned pc = 0; pc < plan->bpf_len; pc++) {
		const struct sock_filter *f = &plan->bpf[pc];

		printf("%4u: ", pc);
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			printf("load [%u]\n", f->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			printf("and 0x%x\n", f->k);
			break;
		case BPF_JMP | BPF_JA:
			printf("goto %u\n", pc + 1 + f->k);
			break;
		case BPF_RET | BPF_K:
			printf("return 0x%08x\n", f->k);
			break;
		default:
			if (BPF_CLASS(f->code) == BPF_JMP)
				printf("if %s 0x%x goto %u else %u\n",
				       BPF_OP(f->code) == BPF_JEQ ? "==" :
				       BPF_OP(f->code) == BPF_JGE ? ">=" :
				       BPF_OP(f->code) == BPF_JGT ? ">" : "&",
				       f->k, pc + 1 + f->jt, pc + 1 + f->jf);
			else
				printf("code 0x%02x jt %u jf %u k 0x%x\n", f->code, f->jt, f->jf, f->k);
		}
	}
}

static void print_rule(const struct shk_policy *p, unsigned index, struct shk_buf *b)
{
	const struct shk_rule_info *i = shk_ruleset_rule(p->rules, index);
	const struct shk_action *a = &p->actions[index];
	const char *name = a->kind == SHK_ACT_DENY ? shk_errno_name(a->err) : NULL;

	shk_buf_adds(b, "rule ");
	shk_cli_clean(b, i->name);
	shk_buf_printf(b, "\n  priority   %s\n  tags      ", shk_priority_name(i->priority));
	for (size_t k = 0; k < i->n_tags; k++) {
		shk_buf_addc(b, ' ');
		shk_cli_clean(b, i->tags[k]);
	}
	shk_buf_printf(b, "\n  action     %s%s%s\n  condition  ", shk_action_name(a->kind),
		       name ? " " : "", name ? name : "");
	shk_ruleset_print_condition(p->rules, index, b);
	shk_buf_addc(b, '\n');
}

static int print_oci(const struct loaded *l, struct json_object *base, const char *listener,
		     const char *metadata)
{
	struct shk_err err = { 0 };
	struct json_object *o = shk_plan_oci(l->plan, base, listener, metadata, &err);

	if (!o)
		return shk_cli_fail(SHK_EXIT_FINDING, "%s", err.text);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return SHK_EXIT_OK;
}

/* What a supervisor without privileges cannot promise (engine/act.c, enforce/rights.c). */
static const char weaker[] =
	"\nWeaker under shriked --user, whatever the table says:\n"
	"  emulated   only where the task has the user's own ids and groups, as all have in a container that maps\n"
	"             one id. With subordinate ids, calls of other ids are let through as best-effort; with\n"
	"             strict: true written in the policy they are refused. Nobody's capabilities in the user\n"
	"             namespace count: a call may be refused that the kernel would allow, never the other way.\n"
	"  files of /proc, /sys, control groups, and calls on mounts: best-effort, likewise.\n"
	"  verified   where the kernel lets the user trace the program: not a setuid one.\n"
	"  advisory   whoever escapes from the container is the user who runs the supervisor, and can end it.\n"
	"  no kernel module, no exec gate by fanotify, no limits of memory or tasks on the supervisor's behalf.\n";

static int print_verdicts(const struct loaded *l, bool user, struct shk_buf *b)
{
	if (shk_plan_print_verdicts(l->plan, l->policy, b) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	if (user)
		shk_buf_adds(b, weaker);
	return print_buf(b);
}

static int run_explain(struct shk_cli *c)
{
	SHK_CLEANUP(loaded_done) struct loaded l = { 0 };
	_cleanup_buf_ struct shk_buf b = { 0 };
	bool bpf = shk_cli_flag(c, "bpf"), rules = shk_cli_flag(c, "rules"),
	     oci = shk_cli_flag(c, "oci"), dump = shk_cli_flag(c, "dump"),
	     program = shk_cli_flag(c, "program"), verdicts = shk_cli_flag(c, "verdicts");
	int r;

	shk_buf_init(&b, TEXT_MAX);
	if (bpf + rules + oci + dump + program + verdicts > 1)
		return shk_cli_usage(c, "explain: --bpf, --rules, --verdicts, --program, --oci and --dump "
					"exclude each other");
	r = load(c, &l);
	if (r)
		return r;
	if (bpf) {
		print_bpf(l.plan);
		return SHK_EXIT_OK;
	}
	if (oci)
		return print_oci(&l, NULL, SHK_NOTIFY_SOCKET, NULL);
	if (dump) {
		shk_policy_dump(l.policy, &b);
		return print_buf(&b);
	}
	if (verdicts)
		return print_verdicts(&l, shk_cli_flag(c, "user") || shk_is_rootless(), &b);
	if (program) {
		shk_ruleset_explain(l.policy->rules, &b);
		return print_buf(&b);
	}
	if (rules) {
		for (unsigned i = 0; i < shk_ruleset_count(l.policy->rules); i++)
			print_rule(l.policy, i, &b);
		return print_buf(&b);
	}
	shk_plan_print(l.plan, l.policy, &b);
	r = print_buf(&b);
	shk_policy_warnings(l.policy, print_warning, c);
	return r;
}

static int read_base(const char *path, struct json_object **ret)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	struct shk_err err = { 0 };

	shk_buf_init(&b, SHK_CONTROL_REQUEST_MAX);
	if (shk_read_file(path, &b, &err) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
	*ret = shk_json_parse(shk_buf_view(&b), SHK_CONTROL_REQUEST_MAX, &err);
	if (!*ret)
		return shk_cli_fail(SHK_EXIT_FINDING, "%s: %s", path, err.text);
	return SHK_EXIT_OK;
}

static int run_profile(struct shk_cli *c)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *config = NULL;
	SHK_CLEANUP(loaded_done) struct loaded l = { 0 };
	const char *base = shk_cli_value(c, "base"), *listener = shk_cli_value(c, "listener");
	struct json_object *existing = NULL;
	int r = shk_cli_config(c, &config, NULL);

	if (!r)
		r = load(c, &l);
	if (!r && base)
		r = read_base(base, &existing);
	if (!r)
		r = print_oci(&l, existing, listener ? listener : config->notify_socket,
			      shk_cli_value(c, "metadata"));
	json_object_put(existing);
	return r;
}

const struct shk_cli_cmd shk_cmd_explain = {
	.name = "explain",
	.args = "[POLICY]",
	.summary = "Show what a policy watches, the filter it becomes and what its verdicts promise",
	.detail = "\nPOLICY is a name in the policy directory or the path of a policy file; `default` when\n"
		  "not given. Files only: no daemon is asked. The table has one line per call: what the\n"
		  "filter does, for rules that act (enforced) or only alert (observed), why, what a verdict\n"
		  "promises, and under which test of its registers the call is looked at at all.",
	.opt = { SHK_OPT_POLICY_DIR, SHK_OPT_RULES_PATH, SHK_OPT_CONFIG,
		 { "bpf", 0, NULL, "print the filter's instructions" },
		 { "rules", 0, NULL, "print the rules with what the policy does, macros and lists resolved" },
		 { "verdicts", 0, NULL, "print each rule that acts, the calls it can match, and what is promised" },
		 { "user", 0, NULL, "with --verdicts: list what is weaker under shriked --user (so for users)" },
		 { "program", 0, NULL, "print what the rules were compiled into" },
		 { "oci", 0, NULL, "print the filter as linux.seccomp of an OCI config.json" },
		 { "dump", 0, NULL, "print the policy as a file with every key and the value in force" } },
	.max_args = 1,
	.exits = "  0 explained                   1 no such policy, or its files have errors\n"
		 "  2 wrong usage                 4 a file cannot be read, or other failure",
	.example = "  shrike explain web --policy-dir /etc/shrike/policies.d\n"
		   "  shrike explain ./web.yaml --rules-path ./rules --rules",
	.run = run_explain,
};

const struct shk_cli_cmd shk_cmd_profile = {
	.name = "profile",
	.args = "[POLICY]",
	.summary = "Print a policy as a seccomp profile for docker, podman or Kubernetes",
	.detail = "\nThe runtime then hands the listener of each container to shriked by itself. With\n"
		  "--base an existing profile is completed: what it refuses stays refused.",
	.opt = { SHK_OPT_POLICY_DIR, SHK_OPT_RULES_PATH, SHK_OPT_CONFIG,
		 { "base", 0, "FILE", "seccomp profile to complete" },
		 { "listener", 0, "PATH", "listenerPath (else notify_socket of shrike.yaml)" },
		 { "metadata", 0, "TEXT", "listenerMetadata" } },
	.max_args = 1,
	.exits = "  0 printed                     1 no such policy, errors in it, or in the profile\n"
		 "  2 wrong usage                 4 a file cannot be read, or other failure",
	.example = "  shrike profile web > web.json\n"
		   "  podman run --security-opt seccomp=web.json nginx",
	.run = run_profile,
};
