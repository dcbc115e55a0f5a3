// SPDX-License-Identifier: Apache-2.0
/* Which rules of its files a policy takes, calls in reserve, and what a filter lacks for a later policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/internal.h"
#include "policy/observe.h"
#include "rules/output.h"

static const struct shk_rules_config files_anywhere = { .rules_path = "/" };
static char file[] = "/tmp/shrike-test-rules-XXXXXX";

#define RULE(name, cond, prio, rest)                                                               \
	"- rule: " name "\n  desc: d\n  condition: " cond "\n  output: o\n  priority: " prio "\n" rest
static const char rules[] = RULE("open", "evt.type=openat and evt.is_open_write=true", "warning",
				 "  tags: [file, a]\n")
	RULE("read", "evt.type=openat", "info", "  tags: [file]\n  enabled: false\n")
	RULE("connect", "evt.type=connect", "notice", "  tags: [net]\n")
	RULE("mkdir", "evt.type=mkdir", "debug", "  tags: [file, b]\n")
	RULE("send", "evt.type in (sendto, sendmsg) and fd.sport=53", "debug", "  enabled: false\n")
	RULE("exec", "evt.type=execve and proc.name=evil", "debug", "  enabled: false\n");

static int write_rules(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd >= 0 && write(fd, rules, strlen(rules)) == (ssize_t)strlen(rules) ? close(fd) : -1;
}

static int remove_rules(void **state)
{
	(void)state;
	return unlink(file);
}

/* A default policy with the rules above and `keys` behind "rules: { files: [...]". */
static int load(const char *select, const char *keys, struct shk_policyset **ps, struct shk_err *err)
{
	char text[4096];

	snprintf(text, sizeof(text), "policy: default\nrules:\n  files: [%s]\n%s%s", file, select, keys);
	return shk_policyset_load_text("p", shk_str(text), &files_anywhere, ps, err);
}

static void selected(const char *select, const char *want)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL, *again = NULL;
	_cleanup_buf_ struct shk_buf got, dump, dump2;
	struct shk_err err = { 0 };
	const struct shk_policy *p;

	shk_buf_init(&got, 4096);
	shk_buf_init(&dump, 65536);
	shk_buf_init(&dump2, 65536);
	if (load(select, "", &ps, &err) < 0)
		fail_msg("%s: %s", select, err.text);
	p = shk_policyset_at(ps, 0);
	for (unsigned i = 0; i < shk_ruleset_count(p->rules); i++) {
		shk_buf_adds(&got, i ? " " : "");
		shk_buf_addstr(&got, shk_ruleset_rule(p->rules, i)->name);
	}
	assert_string_equal(got.p ? got.p : "", want);
	/* What is printed means the same. */
	shk_policy_dump(p, &dump);
	if (shk_policyset_load_text("dump", shk_buf_view(&dump), &files_anywhere, &again, &err) < 0)
		fail_msg("%s\n%s", err.text, dump.p);
	assert_int_equal(shk_ruleset_count(shk_policyset_at(again, 0)->rules),
			 shk_ruleset_count(p->rules));
	shk_policy_dump(shk_policyset_at(again, 0), &dump2);
	assert_string_equal(dump2.p, dump.p);
}

static void selects_in_order(void **state)
{
	(void)state;
	selected("", "open connect mkdir");
	selected("  select: [ enable: { rule: read } ]\n", "open read connect mkdir");
	selected("  select: [ disable: { rule: '*' }, enable: { tag: net } ]\n", "connect");
	selected("  select: [ enable: { tag: net }, disable: { rule: '*' } ]\n", "");
	selected("  select:\n  - disable: { rule: '*' }\n  - enable: { tag: file }\n"
		 "  - disable: { rule: mk* }\n", "open read");
	selected("  select:\n  - disable: { rule: connect, tag: b }\n", "open");
	selected("  select: [ enable: { rule: '*' } ]\n  disable: { tags: [a] }\n",
		 "read connect mkdir send exec");
	selected("  select: [ enable: { rule: '*' } ]\n  priority: notice\n", "open connect");
	selected("  priority: informational\n", "open connect");
	/* A rule that its file switches off may be named. */
	selected("  disable: { names: [read] }\n", "open connect mkdir");
}

static const struct shk_rule_info *rule_of(const struct shk_policyset *ps, const char *name)
{
	const struct shk_ruleset *rs = shk_policyset_at(ps, 0)->rules;

	for (unsigned i = 0; i < shk_ruleset_count(rs); i++)
		if (shk_str_eqz(shk_ruleset_rule(rs, i)->name, name))
			return shk_ruleset_rule(rs, i);
	fail_msg("no rule %s", name);
	return NULL;
}

/* What a configuration adds to outputs, for the rules that fit it. */
static void appends_output(void **state)
{
	static const char keys[] =
		"  append_output:\n"
		"  - { extra_output: 'all=%evt.num' }\n"
		"  - match: { tags: [file, a] }\n"
		"    extra_output: 'tagged'\n"
		"  - match: { rule: connect, source: syscall }\n"
		"    suggested_output: true\n"
		"    extra_fields: [ evt.num, kind: '<%evt.type>' ]\n"
		"  - match: { source: k8s_audit }\n"
		"    extra_output: never\n";
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL, *again = NULL;
	struct json_object *fields = json_object_new_object();
	const struct shk_rule_info *r;
	_cleanup_buf_ struct shk_buf dump, text;
	struct shk_arena scratch;
	struct shk_event ev;
	struct shk_eval_ctx ctx = { .ev = &ev };
	struct shk_err err = { 0 };

	(void)state;
	if (load(keys, "", &ps, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(shk_str_eqz(rule_of(ps, "open")->output_text, "o all=%evt.num tagged"));
	assert_true(shk_str_eqz(rule_of(ps, "mkdir")->output_text, "o all=%evt.num"));
	r = rule_of(ps, "connect");
	assert_true(shk_str_eqz(r->output_text, "o all=%evt.num " SHK_SUGGESTED_OUTPUT));
	assert_int_equal(r->n_extra, 2);

	shk_arena_init(&scratch, 1 << 20);
	shk_event_init(&ev, &scratch);
	ev.num = 7;
	ev.call = &shk_syscalls[SHK_CALL_connect];
	shk_buf_init(&text, 4096);
	assert_int_equal(r->extra[0].name.n, 0);
	assert_int_equal(shk_output_fields(r->extra[0].output, &ctx, fields), 0);
	assert_string_equal(json_object_to_json_string_ext(fields, JSON_C_TO_STRING_PLAIN),
			    "{\"evt.num\":7}");
	assert_true(shk_str_eqz(r->extra[1].name, "kind"));
	shk_output_render(r->extra[1].output, &ctx, &text);
	assert_string_equal(text.p, "<connect>");
	json_object_put(fields);
	shk_arena_done(&scratch);

	/* Printed, it means the same. */
	shk_buf_init(&dump, 65536);
	shk_policy_dump(shk_policyset_at(ps, 0), &dump);
	if (shk_policyset_load_text("dump", shk_buf_view(&dump), &files_anywhere, &again, &err) < 0)
		fail_msg("%s\n%s", err.text, dump.p);
	assert_true(shk_str_eq(rule_of(again, "connect")->output_text, r->output_text));
	assert_int_equal(rule_of(again, "connect")->n_extra, 2);
}

static void selection_errors(void **state)
{
	static const struct {
		const char *select, *error;
	} cases[] = {
		{ "  select: { enable: { rule: x } }\n", "p:4:11: \"select\" takes a list" },
		{ "  select: [ enabel: { rule: x } ]\n", "p:4:13: unknown key \"enabel\" in rules.select" },
		{ "  select: [ enable: {} ]\n", "p:4:21: \"rule\" or \"tag\" is missing" },
		{ "  select: [ {} ]\n", "p:4:13: \"enable\" or \"disable\" is missing" },
		{ "  select:\n  - enable: { rule: read }\n    disable: { tag: a }\n",
		  "p:6:14: an entry of \"select\" either enables or disables" },
		{ "  select: [ enable: { rule: opne } ]\n", "p:4:29: no rule \"opne\"" },
		{ "  select: [ enable: { tag: fiel } ]\n", "p:4:28: no rule of policy \"default\" has" },
		{ "  append_output: { extra_output: x }\n", "p:4:18: \"append_output\" takes a list" },
		{ "  append_output: [ extra_output: '%no.such' ]\n", "p:4:34: invalid token %no.such" },
		{ "  append_output: [ extra_fields: [ no.such ] ]\n", "p:4:36: there is no field 'no.such'" },
		{ "  append_output: [ extra_fields: [ { a: b, c: d } ] ]\n", "p:4:36: an extra field is" },
		{ "  append_output: [ match: { tag: x } ]\n",
		  "p:4:29: unknown key \"tag\" in append_output.match; did you mean \"tags\"?" },
		{ "  priority: high\n", "p:4:13: \"high\" is no priority" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
		struct shk_err err = { 0 };

		assert_int_equal(load(cases[i].select, "", &ps, &err), -EINVAL);
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s\ninstead of\n%s", err.text, cases[i].error);
	}
}

static struct shk_plan *plan_of(const char *select, const char *keys)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	struct shk_plan *plan = NULL;
	struct shk_err err = { 0 };

	if (load(select, keys, &ps, &err) < 0 ||
	    shk_plan_make(shk_policyset_at(ps, 0), &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static void reserves(void **state)
{
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan =
		plan_of("", "reserve: [mount, openat, io_uring_setup]\n");
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	const struct shk_plan_call *c = &plan->call[SHK_CALL_mount];
	_cleanup_buf_ struct shk_buf dump;
	struct shk_err err;

	(void)state;
	assert_int_equal(c->what, SHK_PLAN_NOTIFY);
	assert_true(c->when.always);
	assert_string_equal(c->why, "reserve");
	/* One that rules want in part is notified in whole. */
	c = &plan->call[SHK_CALL_openat];
	assert_true(c->when.always);
	assert_string_equal(c->why, "rules");
	/* What the filter refuses stays refused, and that is said. */
	c = &plan->call[SHK_CALL_io_uring_setup];
	assert_int_equal(c->what, SHK_PLAN_ERRNO);
	assert_non_null(strstr(c->warn, "reserve"));

	assert_int_equal(load("", "reserve: [mount, openat]\n", &ps, &err), 0);
	shk_buf_init(&dump, 65536);
	shk_policy_dump(shk_policyset_at(ps, 0), &dump);
	assert_non_null(strstr(dump.p, "reserve: [mount, openat]\n"));
	shk_policyset_unref(TAKE_PTR(ps));
	assert_int_equal(load("", "reserve: [mont]\n", &ps, &err), -EINVAL);
	assert_non_null(strstr(err.text, "p:4:11: there is no call \"mont\"; did you mean \"mount\"?"));
	assert_int_equal(load("", "reserve: [read]\n", &ps, &err), -EINVAL);
	assert_non_null(strstr(err.text, "p:4:11: read is a call of the hot path"));
}

/* What the filter of the first lacks for the second. */
static void lacks(const char *select, const char *keys, const char *select2, const char *keys2,
		  const char *want)
{
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *first = plan_of(select, keys);
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *second = plan_of(select2, keys2);
	uint64_t notified[(SHK_CALL_N + 63) / 64] = { 0 };
	struct json_object *record = json_object_new_object(), *missing;

	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (first->call[i].what != SHK_PLAN_PASS)
			notified[i / 64] |= UINT64_C(1) << i % 64;
	shk_narrow_record(record, first);
	/* As the next engine reads it. */
	missing = json_tokener_parse(json_object_to_json_string(record));
	json_object_put(record);
	record = missing;
	missing = shk_narrow_missing(record, notified, second);
	assert_string_equal(json_object_to_json_string_ext(missing, JSON_C_TO_STRING_PLAIN), want);
	json_object_put(missing);
	json_object_put(record);
}

static void tells_what_is_missing(void **state)
{
#define WITHOUT(x) "  select: [ disable: { rule: " x " } ]\n"
	(void)state;
	lacks("", "", "", "", "[]");
	lacks("", "", WITHOUT("connect"), "", "[]");
	lacks(WITHOUT("connect"), "", "", "", "[\"connect\",\"socketcall\"]");
	lacks(WITHOUT("connect"), "reserve: [connect, socketcall]\n", "", "", "[]");
	/* The same call with less of its arguments. */
	lacks("", "", "  select: [ enable: { rule: read } ]\n", "", "[\"openat\"]");
	lacks("", "reserve: [openat]\n", "  select: [ enable: { rule: read } ]\n", "", "[]");
	lacks("  select: [ enable: { rule: read } ]\n", "", "", "", "[]");
	/* In reserve is not in need. */
	lacks("", "", "", "reserve: [mount]\n", "[]");
	/* A refusal that the filter does not make. */
	lacks("", "io_uring: allow\n", "", "",
	      "[\"io_uring_setup\",\"io_uring_enter\",\"io_uring_register\"]");
	lacks("", "", "", "io_uring: allow\n", "[]");
}

/* Sends are of the hot path. Enforced they are stopped where a register says that an address is given; the door beside
 * them is closed; observed they pass. */
static void stops_sends(void **state)
{
#define SENDS "  select: [ enable: { rule: send } ]\n"
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *observed = plan_of(SENDS, "");
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *enforced =
		plan_of(SENDS, "mode: enforce\nactions: [ { match: { rules: [send] }, then: { deny: EPERM } } ]\n");
	const uint64_t plain[6] = { 3, 0x1000, 5, 0, 0, 0 }, low[6] = { 3, 0x1000, 5, 0, 0x2000, 16 },
		       high[6] = { 3, 0x1000, 5, 0, UINT64_C(1) << 40, 16 };

	(void)state;
	assert_int_equal(observed->call[SHK_CALL_sendto].what, SHK_PLAN_PASS);
	assert_int_equal(observed->call[SHK_CALL_sendmsg].what, SHK_PLAN_PASS);
	assert_int_equal(observed->call[SHK_CALL_sendmmsg].what, SHK_PLAN_PASS);
	assert_true(enforced->call[SHK_CALL_sendto].enforced && enforced->call[SHK_CALL_sendmsg].enforced);
	assert_int_equal(shk_plan_simulate(enforced, AUDIT_ARCH_X86_64, SYS_sendto, plain), SECCOMP_RET_ALLOW);
	assert_int_equal(shk_plan_simulate(enforced, AUDIT_ARCH_X86_64, SYS_sendto, low), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(shk_plan_simulate(enforced, AUDIT_ARCH_X86_64, SYS_sendto, high), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(shk_plan_simulate(enforced, AUDIT_ARCH_X86_64, SYS_sendmsg, plain), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(shk_plan_simulate(enforced, AUDIT_ARCH_X86_64, SYS_sendmmsg, plain),
			 SECCOMP_RET_ERRNO | ENOSYS);
}

static void observe(const char *select, const char *keys, const char *installed, struct shk_observe *ret)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL, *old = NULL;
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan = NULL, *filter = NULL;
	uint64_t notified[SHK_CALL_WORDS];
	struct shk_err err = { 0 };

	assert_int_equal(load(select, keys, &ps, &err), 0);
	assert_int_equal(load(installed, "", &old, &err), 0);
	assert_int_equal(shk_plan_make(shk_policyset_at(ps, 0), &plan, &err), 0);
	assert_int_equal(shk_plan_make(shk_policyset_at(old, 0), &filter, &err), 0);
	shk_observe_notified(filter, notified);
	shk_observe_make(shk_policyset_at(ps, 0), plan, notified, ret);
}

#define TYPE(t) (UINT64_C(1) << SHRIKE_##t)
#define TASKS	(TYPE(FORK) | TYPE(EXEC) | TYPE(EXIT))

/* What the module is asked for is what the filter does not see. */
static void observes_the_rest(void **state)
{
	static const char all[] = "  select: [ enable: { rule: '*' } ]\n", none[] = "  select: [ disable: { rule: '*' } ]\n";
	struct shk_observe o;
	(void)state;

	/* Everything that can be notified is; io_uring is refused. Sends are of the hot path. */
	observe("", "", "", &o);
	assert_int_equal(o.classes, 0);
	observe(all, "", all, &o);
	assert_int_equal(o.classes, TYPE(SENDMSG) | TASKS);
	/* io_uring: what rules name is reached by it too; mkdir is not, by its own call it is notified. */
	observe("", "io_uring: allow\n", "", &o);
	assert_int_equal(o.classes, TYPE(OPEN) | TYPE(CONNECT) | TYPE(MKDIR) | TASKS);
	assert_true(o.rings[SHK_CALL_openat / 64] >> SHK_CALL_openat % 64 & 1);
	assert_false(o.objects[SHK_CALL_openat / 64] >> SHK_CALL_openat % 64 & 1);
	assert_ptr_equal(shk_observe_call(&o, SHRIKE_OPEN, NULL), &shk_syscalls[SHK_CALL_openat]);
	assert_ptr_equal(shk_observe_call(&o, SHRIKE_OPEN, &shk_syscalls[SHK_CALL_io_uring_enter]), &shk_syscalls[SHK_CALL_openat]);
	assert_null(shk_observe_call(&o, SHRIKE_OPEN, &shk_syscalls[SHK_CALL_openat])); /* notified */
	assert_null(shk_observe_call(&o, SHRIKE_OPEN, &shk_syscalls[SHK_CALL_open]));	 /* no rule names it */
	assert_ptr_equal(shk_observe_call(&o, SHRIKE_MKDIR, NULL), &shk_syscalls[SHK_CALL_mkdir]);
	assert_null(shk_observe_call(&o, SHRIKE_UNLINK, NULL));
	/* A filter made for a policy without rules */
	observe("", "", none, &o);
	assert_int_equal(o.classes, TYPE(OPEN) | TYPE(CONNECT) | TYPE(MKDIR) | TASKS);
	assert_true(o.objects[SHK_CALL_openat / 64] >> SHK_CALL_openat % 64 & 1);
	assert_ptr_equal(shk_observe_call(&o, SHRIKE_OPEN, &shk_syscalls[SHK_CALL_openat]), &shk_syscalls[SHK_CALL_openat]);
	assert_null(shk_observe_call(&o, SHRIKE_OPEN, &shk_syscalls[SHK_CALL_open]));
	assert_null(shk_observe_call(&o, SHRIKE_SYSCALL, &shk_syscalls[SHK_CALL_openat]));
	assert_ptr_equal(shk_observe_call(&o, SHRIKE_CONNECT, &shk_syscalls[SHK_CALL_socketcall]), &shk_syscalls[SHK_CALL_connect]);
	for (unsigned i = 0; i < SHRIKE_BITMAP_BYTES; i++)
		assert_int_equal(o.native[i] | o.compat[i], 0);
}

/* An execve that an action may refuse is held by the module, if the policy does not say otherwise. */
static void holds_execs(void **state)
{
#define EXECS "  select: [ enable: { rule: exec } ]\n"
#define DENIED "actions: [ { match: { rules: [exec] }, then: { deny: EPERM } } ]\n"
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan = NULL;
	_cleanup_buf_ struct shk_buf out;
	struct shk_err err = { 0 };
	struct shk_observe o;
	(void)state;

	observe(EXECS, "mode: enforce\n" DENIED, EXECS, &o);
	assert_int_equal(o.leases, SHRIKE_HOLD_EXEC);
	assert_int_equal(o.classes, TYPE(LEASE));
	assert_null(shk_observe_call(&o, SHRIKE_LEASE, &shk_syscalls[SHK_CALL_execve]));
	observe(EXECS, "mode: enforce\nexec_verify: ptrace\n" DENIED, EXECS, &o);
	assert_int_equal(o.leases | o.classes, 0);
	observe(EXECS, "mode: shadow\n" DENIED, EXECS, &o);
	assert_int_equal(o.leases | o.classes, 0);
	observe(EXECS, "mode: enforce\n", EXECS, &o);
	assert_int_equal(o.leases | o.classes, 0);
	shk_buf_init(&out, 1 << 20);
	assert_int_equal(load(EXECS, "mode: enforce\n" DENIED, &ps, &err), 0);
	assert_int_equal(shk_plan_make(shk_policyset_at(ps, 0), &plan, &err), 0);
	shk_observe_print(shk_policyset_at(ps, 0), plan, &out);
	assert_non_null(strstr(out.p, "a lease of the kernel module, where it is loaded"));
	assert_null(strstr(out.p, "alerts only"));
}

static void observes_ends(void **state)
{
	static const char reads[] = RULE("reads", "evt.type=read", "info", "");
	char name[] = "/tmp/shrike-test-rules-XXXXXX", text[128];
	int fd = mkstemp(name);
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan = NULL;
	uint64_t notified[SHK_CALL_WORDS];
	_cleanup_buf_ struct shk_buf out;
	struct shk_err err = { 0 };
	struct shk_observe o;
	(void)state;

	shk_buf_init(&out, 1 << 20);
	assert_true(fd >= 0 && write(fd, reads, strlen(reads)) == (ssize_t)strlen(reads) && close(fd) == 0);
	snprintf(text, sizeof(text), "policy: default\nrules:\n  files: [%s]\n", name);
	assert_int_equal(shk_policyset_load_text("p", shk_str(text), &files_anywhere, &ps, &err), 0);
	(void)unlink(name);
	assert_int_equal(shk_plan_make(shk_policyset_at(ps, 0), &plan, &err), 0);
	shk_observe_notified(plan, notified);
	shk_observe_make(shk_policyset_at(ps, 0), plan, notified, &o);
	assert_int_equal(o.classes, TYPE(SYSCALL) | TASKS);
	assert_int_equal(o.native[SYS_read >> 3], 1 << (SYS_read & 7));
	assert_int_equal(o.compat[0], 1 << 3); /* number 3 there */
	shk_observe_print(shk_policyset_at(ps, 0), plan, &out);
	assert_non_null(strstr(out.p, "by their ends"));
	assert_non_null(strstr(out.p, ": read\n"));
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void loads(const char *policy, const struct shk_rules_config *c, const char *want, const char *error)
{
	SHK_CLEANUP(shk_policyset_unrefp) struct shk_policyset *ps = NULL;
	_cleanup_buf_ struct shk_buf got;
	struct shk_err err = { 0 };
	int r = shk_policyset_load_text("p", shk_str(policy), c, &ps, &err);

	shk_buf_init(&got, 4096);
	if (error) {
		assert_true(r < 0);
		if (!strstr(err.text, error))
			fail_msg("%s", err.text);
		return;
	}
	if (r < 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < shk_ruleset_count(shk_policyset_at(ps, 0)->rules); i++) {
		shk_buf_adds(&got, i ? " " : "");
		shk_buf_addstr(&got, shk_ruleset_rule(shk_policyset_at(ps, 0)->rules, i)->name);
	}
	assert_string_equal(got.p ? got.p : "", want);
}

/* rules.d is in force where it is named or nothing is; never instead of the base, and never in silence not. */
static void rules_of_the_administrator(void **state)
{
	static const char named[] = "policy: default\nrules: { files: [shrike_rules.yaml, rules.d] }\n",
			  plain[] = "policy: default\n";
	char dir[] = "/tmp/shrike-test-own-XXXXXX", own[64], link[128], path[256];
	const struct shk_rules_config c = { .rules_path = path };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(own, sizeof(own), "%s/rules.d", dir);
	snprintf(path, sizeof(path), "%s/:%s", own, dir);
	put(dir, "shrike_rules.yaml", RULE("base", "evt.type=openat", "info", ""));
	loads(named, &c, "base", NULL);
	loads(plain, &c, "base", NULL);
	assert_int_equal(mkdir(own, 0700), 0);
	put(own, "shrike_rules.yaml", RULE("mine", "evt.type=connect", "info", ""));
	loads(named, &c, "base mine", NULL);
	loads(plain, &c, "base mine", NULL);
	snprintf(link, sizeof(link), "%s/gone.yaml", own);
	assert_int_equal(symlink("nowhere", link), 0);
	loads(plain, &c, NULL, "gone.yaml");
	assert_int_equal(unlink(link), 0);
	put(own, "shrike_rules.yaml", "");
	snprintf(link, sizeof(link), "%s/shrike_rules.yaml", own);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(own), 0);
	assert_int_equal(symlink("rules.d", own), 0); /* a loop */
	loads(plain, &c, NULL, "cannot read the rules in");
	assert_int_equal(unlink(own), 0);
	snprintf(link, sizeof(link), "%s/shrike_rules.yaml", dir);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selects_in_order),
		cmocka_unit_test(appends_output),
		cmocka_unit_test(selection_errors),
		cmocka_unit_test(reserves),
		cmocka_unit_test(tells_what_is_missing),
		cmocka_unit_test(stops_sends),
		cmocka_unit_test(observes_the_rest),
		cmocka_unit_test(holds_execs),
		cmocka_unit_test(observes_ends),
		cmocka_unit_test(rules_of_the_administrator),
	};

	return cmocka_run_group_tests(tests, write_rules, remove_rules);
}
