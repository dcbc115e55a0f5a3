// SPDX-License-Identifier: Apache-2.0
/* The filter against the plan it was made from: by simulation, and by the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "policy/filter.h"

/* xorshift: the same sequence everywhere, so a failure can be repeated. */
static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static struct shk_plan *empty_plan(void)
{
	struct shk_plan *plan = calloc(1, sizeof(*plan));

	assert_non_null(plan);
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		plan->call[i].why = "";
	return plan;
}

static enum shk_call_id id_of(const char *name)
{
	const struct shk_syscall *s = shk_syscall_by_name(shk_str(name));

	assert_non_null(s);
	return s->id;
}

static void notify_if(struct shk_plan *plan, const char *name, unsigned arg, uint64_t mask,
		      uint64_t value, bool negate)
{
	struct shk_plan_call *c = &plan->call[id_of(name)];

	c->what = SHK_PLAN_NOTIFY;
	c->when.c[c->when.n++] = (struct shk_reg_conj){
		.t = { { .arg = (uint8_t)arg, .negate = negate, .mask = mask, .value = value } },
		.n = 1
	};
}

static void random_filter(struct shk_reg_filter *f, uint64_t *seed)
{
	f->n = (uint8_t)(next_random(seed) % (SHK_REG_DISJ_MAX + 1));
	for (unsigned c = 0; c < f->n; c++) {
		f->c[c].n = (uint8_t)(next_random(seed) % (SHK_REG_CONJ_MAX + 1));
		for (unsigned t = 0; t < f->c[c].n; t++) {
			uint64_t r = next_random(seed);
			uint64_t mask = (r & 3) == 0 ? UINT64_MAX :
					(r & 3) == 1 ? UINT32_MAX :
					(r & 3) == 2 ? UINT64_C(0x700000003) :
						       r & 7;

			f->c[c].t[t] = (struct shk_reg_test){
				.arg = (uint8_t)(r >> 8 & 3),
				.negate = r >> 16 & 1,
				.mask = mask,
				.value = (r >> 20 & 7) & mask,
			};
		}
	}
}

static void random_plan(struct shk_plan *plan, uint64_t *seed, unsigned percent)
{
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		struct shk_plan_call *c = &plan->call[i];
		uint64_t r = next_random(seed);

		*c = (struct shk_plan_call){ .why = "" };
		if (r % 100 >= percent)
			continue;
		c->what = (r >> 8 & 3) == 0 ? SHK_PLAN_ERRNO : SHK_PLAN_NOTIFY;
		c->err = c->what == SHK_PLAN_ERRNO ? (int)(1 + (r >> 16) % 100) : 0;
		c->when.always = (r >> 8 & 3) == 1;
		if (c->what == SHK_PLAN_NOTIFY && !c->when.always)
			random_filter(&c->when, seed);
	}
}

static bool holds(const struct shk_reg_filter *f, const uint64_t *args, bool low_only)
{
	if (f->always || f->never)
		return f->always;
	for (unsigned c = 0; c < f->n; c++) {
		bool all = true;

		for (unsigned t = 0; t < f->c[c].n; t++) {
			const struct shk_reg_test *x = &f->c[c].t[t];
			uint64_t cut = low_only ? UINT32_MAX : UINT64_MAX;

			all &= ((args[x->arg] & x->mask & cut) == (x->value & cut)) != x->negate;
		}
		if (all)
			return true;
	}
	return false;
}

/* What the plan says, straight from its tables. */
static uint32_t expected(const struct shk_plan *plan, uint32_t arch, int32_t nr,
			 const uint64_t *args)
{
	enum shk_abi abi = arch == AUDIT_ARCH_I386 ? SHK_ABI_I386 :
			   nr & SHK_X32_BIT	   ? SHK_ABI_X32 :
						     SHK_ABI_X86_64;

	if (arch != AUDIT_ARCH_I386 && arch != AUDIT_ARCH_X86_64)
		return SECCOMP_RET_ERRNO | ENOSYS;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		const struct shk_plan_call *c = &plan->call[i];

		if (shk_syscalls[i].nr[abi] != nr || nr < 0)
			continue;
		if (c->what == SHK_PLAN_ERRNO)
			return SECCOMP_RET_ERRNO | (uint32_t)c->err;
		if (c->what == SHK_PLAN_NOTIFY && holds(&c->when, args, abi == SHK_ABI_I386))
			return SECCOMP_RET_USER_NOTIF;
		return SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_ALLOW;
}

static void check_call(const struct shk_plan *plan, uint32_t arch, int32_t nr, uint64_t *seed)
{
	uint64_t args[6];

	for (unsigned a = 0; a < 6; a++) {
		uint64_t r = next_random(seed);

		args[a] = r & 1 ? r >> 32 : (r >> 8 & 7) | (r >> 16 & 7) << 32;
		if (arch == AUDIT_ARCH_I386)
			args[a] &= UINT32_MAX;
	}
	assert_int_equal(shk_plan_simulate(plan, arch, nr, args), expected(plan, arch, nr, args));
}

static void test_property(void **state)
{
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct shk_plan *plan = empty_plan();
		struct shk_err err;

		random_plan(plan, &seed, round % 6 * 2);
		assert_int_equal(shk_filter_build(plan, &err), 0);
		for (int nr = -2; nr < 560; nr++) {
			check_call(plan, AUDIT_ARCH_X86_64, nr, &seed);
			check_call(plan, AUDIT_ARCH_X86_64, nr | SHK_X32_BIT, &seed);
			check_call(plan, AUDIT_ARCH_I386, nr, &seed);
		}
		check_call(plan, AUDIT_ARCH_AARCH64, 0, &seed);
		check_call(plan, AUDIT_ARCH_X86_64, INT32_MAX, &seed);
		check_call(plan, AUDIT_ARCH_X86_64, INT32_MIN, &seed);
		shk_plan_free(plan);
	}
}

/* Far jumps: a plan of every call, so that targets lie beyond the reach of a conditional jump. */
static void test_large(void **state)
{
	uint64_t seed = 42;
	struct shk_plan *plan = empty_plan();
	struct shk_err err;

	(void)state;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		plan->call[i].what = i % 3 ? SHK_PLAN_NOTIFY : SHK_PLAN_ERRNO;
		plan->call[i].err = (int)(1 + i % 90);
		if (i % 3 == 1)
			notify_if(plan, shk_syscalls[i].name, 1, UINT32_MAX, 3, false);
		else
			plan->call[i].when.always = true;
	}
	assert_int_equal(shk_filter_build(plan, &err), 0);
	assert_true(plan->bpf_len > 1000 && plan->bpf_len <= BPF_MAXINSNS);
	for (int nr = 0; nr < 560; nr++) {
		check_call(plan, AUDIT_ARCH_X86_64, nr, &seed);
		check_call(plan, AUDIT_ARCH_X86_64, nr | SHK_X32_BIT, &seed);
		check_call(plan, AUDIT_ARCH_I386, nr, &seed);
	}
	shk_plan_free(plan);
}

static void test_too_large(void **state)
{
	uint64_t seed = 7;
	struct shk_plan *plan = empty_plan();
	struct shk_err err = { 0 };

	(void)state;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		plan->call[i].what = SHK_PLAN_NOTIFY;
		do {
			random_filter(&plan->call[i].when, &seed);
		} while (plan->call[i].when.n < SHK_REG_DISJ_MAX);
	}
	assert_int_equal(shk_filter_build(plan, &err), -E2BIG);
	assert_non_null(strstr(err.text, "4096"));
	shk_plan_free(plan);
}

/* The kernel's checker and interpreter: notifications become errno 99, nobody needs to answer. */
static int in_child(const struct shk_plan *plan)
{
	_cleanup_free_ struct sock_filter *f = calloc(plan->bpf_len, sizeof(*f));
	struct sock_fprog prog = { .len = plan->bpf_len, .filter = f };

	for (unsigned i = 0; i < plan->bpf_len; i++) {
		f[i] = plan->bpf[i];
		if (f[i].code == (BPF_RET | BPF_K) && f[i].k == SECCOMP_RET_USER_NOTIF)
			f[i].k = SECCOMP_RET_ERRNO | 99;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return errno == EINVAL ? 77 : 1;
	/* Registers: getpriority(which = 7) notified, others not; high garbage must not help. */
	if (syscall(SYS_getpriority, 7L, 0L) != -1 || errno != 99)
		return 2;
	if (syscall(SYS_getpriority, 0x100000007L, 0L) != -1 || errno != 99)
		return 3;
	if (syscall(SYS_getpriority, 0L, 0L) < 0)
		return 4;
	if (syscall(SYS_sethostname, "x", 1L) != -1 || errno != EXDEV)
		return 5;
	if (syscall(SYS_getppid) < 0)
		return 6;
	return 0;
}

static void test_kernel(void **state)
{
	struct shk_plan *plan = empty_plan();
	struct shk_err err;
	int status;
	pid_t pid;

	(void)state;
	notify_if(plan, "getpriority", 0, UINT32_MAX, 7, false);
	plan->call[id_of("sethostname")].what = SHK_PLAN_ERRNO;
	plan->call[id_of("sethostname")].err = EXDEV;
	assert_int_equal(shk_filter_build(plan, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_child(plan));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	shk_plan_free(plan);
	if (WEXITSTATUS(status) == 77)
		skip(); /* no seccomp here (emulated kernel) */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_broken_programs(void **state)
{
	static const struct sock_filter past_end[] = { { BPF_JMP | BPF_JA, 0, 0, 5 } };
	static const struct sock_filter wraps[] = { { BPF_JMP | BPF_JA, 0, 0, UINT32_MAX } };
	static const struct sock_filter far_load[] = { { BPF_LD | BPF_W | BPF_ABS, 0, 0, 64 } };
	static const struct sock_filter odd[] = { { BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0 } };
	struct seccomp_data d = { 0 };

	(void)state;
	assert_int_equal(shk_filter_run(past_end, 1, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(shk_filter_run(wraps, 1, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(shk_filter_run(far_load, 1, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(shk_filter_run(odd, 1, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(shk_filter_run(odd, 0, &d), SECCOMP_RET_KILL_PROCESS);
}

/* ---- OCI profile ---- */

static struct json_object *merge(const struct shk_plan *plan, const char *profile,
				 struct shk_err *err)
{
	struct json_object *old = profile ? json_tokener_parse(profile) : NULL;
	struct json_object *o = shk_plan_oci(plan, old, "/run/l.sock", "meta", err);

	json_object_put(old);
	return o;
}

static const char *plain(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
}

static struct shk_plan *small_plan(void)
{
	struct shk_plan *plan = empty_plan();

	plan->call[id_of("execve")].what = SHK_PLAN_NOTIFY;
	plan->call[id_of("execve")].when.always = true;
	plan->call[id_of("io_uring_setup")].what = SHK_PLAN_ERRNO;
	plan->call[id_of("io_uring_setup")].err = ENOSYS;
	notify_if(plan, "openat", 2, 3, 0, true);
	return plan;
}

static void test_oci_new(void **state)
{
	struct shk_plan *plan = small_plan();
	struct shk_err err;
	struct json_object *o = merge(plan, NULL, &err);

	(void)state;
	assert_non_null(o);
	assert_string_equal(
		plain(o),
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\","
		"\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],\"syscalls\":["
		"{\"names\":[\"execve\"],\"action\":\"SCMP_ACT_NOTIFY\"},"
		"{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_NOTIFY\",\"args\":[{\"index\":2,"
		"\"value\":1,\"valueTwo\":1,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_NOTIFY\",\"args\":[{\"index\":2,"
		"\"value\":2,\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\":[\"io_uring_setup\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}],"
		"\"listenerPath\":\"/run/l.sock\",\"listenerMetadata\":\"meta\"}");
	json_object_put(o);
	shk_plan_free(plan);
}

static void test_oci_merge(void **state)
{
	struct shk_plan *plan = small_plan();
	struct shk_err err;
	struct json_object *o;

	(void)state;
	/* Refusing by default: what is not allowed stays refused, what is allowed is all notified. */
	o = merge(plan,
		  "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		  "\"syscalls\":[{\"names\":[\"read\",\"openat\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		  "{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		  &err);
	assert_non_null(o);
	assert_string_equal(
		plain(o),
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\","
		"\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\"],\"syscalls\":["
		"{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_NOTIFY\"},"
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}],"
		"\"listenerPath\":\"/run/l.sock\",\"listenerMetadata\":\"meta\"}");
	json_object_put(o);

	/* Allowed under a condition: notified under that condition. */
	o = merge(plan,
		  "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"execve\",\"clone\"],"
		  "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_"
		  "EQ\"}]}]}",
		  &err);
	assert_non_null(o);
	assert_non_null(strstr(plain(o), "\"syscalls\":[{\"names\":[\"execve\"],\"action\":\"SCMP_ACT_"
					 "NOTIFY\",\"args\":[{\"index\":0,\"value\":1,"));
	assert_non_null(strstr(plain(o), "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\""));
	json_object_put(o);

	/* Refused under a condition: cannot be joined. */
	assert_null(merge(plan,
			  "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"execve\"],"
			  "\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":1}]}]}",
			  &err));
	assert_non_null(strstr(err.text, "execve"));
	assert_null(merge(plan, "{\"listenerPath\":\"/other\"}", &err));
	assert_non_null(strstr(err.text, "/other"));
	shk_plan_free(plan);
}

/* Several rules for one call: what libseccomp makes of them, in words that cannot be misread. */
static void test_oci_several(void **state)
{
#define RULE(action, more) "{\"names\":[\"execve\"],\"action\":\"SCMP_ACT_" action "\"" more "}"
#define IF_1 ",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]"
#define IF_2 ",\"args\":[{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]"
#define IS_38 ",\"errnoRet\":38"
	static const struct {
		const char *rules, *wanted;
	} rows[] = {
		/* The first counts ... */
		{ RULE("ALLOW", "") "," RULE("ERRNO", IS_38), RULE("NOTIFY", "") },
		{ RULE("ERRNO", IS_38) "," RULE("ALLOW", ""), RULE("ERRNO", IS_38) },
		/* ... unless it is the default, which is left out. */
		{ RULE("ERRNO", "") "," RULE("ALLOW", ""), RULE("NOTIFY", "") },
		{ RULE("ERRNO", IF_2) "," RULE("ALLOW", IF_1), RULE("NOTIFY", IF_1) },
		{ RULE("ERRNO", ""), RULE("ERRNO", "") },
	};
	struct shk_plan *plan = small_plan();

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(rows); i++) {
		char profile[512], wanted[256];
		struct shk_err err = { 0 };
		struct json_object *o;

		snprintf(profile, sizeof(profile),
			 "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[%s]}", rows[i].rules);
		snprintf(wanted, sizeof(wanted), "\"syscalls\":[%s]", rows[i].wanted);
		o = merge(plan, profile, &err);
		assert_non_null(o);
		if (!strstr(plain(o), wanted))
			fail_msg("%s\nbecame %s", rows[i].rules, plain(o));
		json_object_put(o);
	}
	shk_plan_free(plan);
}

/* Profiles come from config.json, which anybody may have written. */
static void test_oci_hostile(void **state)
{
	static const char *const odd[] = {
		"{}",
		"[]",
		"7",
		"{\"syscalls\":7,\"architectures\":\"x\",\"defaultAction\":[]}",
		"{\"syscalls\":[null,7,[],{}],\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
		"{\"syscalls\":[{\"names\":[null,7,{}],\"action\":null,\"args\":7}]}",
		"{\"syscalls\":[{\"names\":\"execve\",\"action\":\"SCMP_ACT_ALLOW\"}]}",
	};
	struct shk_plan *plan = small_plan();

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(odd); i++) {
		struct shk_err err = { 0 };
		struct json_object *o = merge(plan, odd[i], &err);

		assert_true(o || err.errnum);
		json_object_put(o);
	}
	shk_plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property),   cmocka_unit_test(test_large),
		cmocka_unit_test(test_too_large),  cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_broken_programs), cmocka_unit_test(test_oci_new),
		cmocka_unit_test(test_oci_merge),  cmocka_unit_test(test_oci_several),
		cmocka_unit_test(test_oci_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
