// SPDX-License-Identifier: Apache-2.0
#include "policy/plan.h"

#include <errno.h>
#include <stdatomic.h>

#include "policy/doors.h"
#include "policy/filter.h"
#include "state/process.h"

static bool is_one_of(enum shk_call_id id, const char *const *names, size_t n)
{
	struct shk_str name = shk_str(shk_syscalls[id].name);

	for (size_t i = 0; i < n; i++)
		if (shk_str_eqz(name, names[i]))
			return true;
	return false;
}
#define IS_ONE_OF(id, ...)                                                                         \
	is_one_of((id), (const char *const[]){ __VA_ARGS__ },                                      \
		  sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static enum shk_method method_of(enum shk_call_id id)
{
	if (shk_syscalls[id].vclass == SHK_VC_VERIFY)
		return SHK_METHOD_VERIFY;
	if (IS_ONE_OF(id, "open", "openat", "openat2", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
		      "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mknod",
		      "mknodat", "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "chown32",
		      "lchown32", "fchmod", "fchown", "fchown32", "truncate", "truncate64", "connect", "bind", "sendto",
		      "sendmsg", "mount",
		      "umount", "umount2", "move_mount", "mount_setattr", "pivot_root"))
		return SHK_METHOD_EMULATE;
	if (IS_ONE_OF(id, "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "open_tree_attr"))
		return SHK_METHOD_REFUSE;
	return shk_syscalls[id].vclass == SHK_VC_REGISTER ? SHK_METHOD_REGISTER : SHK_METHOD_CONTINUE;
}

/* Asked some times for each call, so each is looked up by its name once. */
enum shk_method shk_method_of(enum shk_call_id id)
{
	static atomic_uchar known[SHK_CALL_N]; /* one more than the method; 0: not looked up yet */
	unsigned char m = atomic_load_explicit(&known[id], memory_order_relaxed);

	if (!m)
		atomic_store_explicit(&known[id], m = (unsigned char)(method_of(id) + 1), memory_order_relaxed);
	return (enum shk_method)(m - 1);
}

enum shk_method shk_policy_method(const struct shk_policy *p, enum shk_call_id id)
{
	enum shk_method m = shk_method_of(id);

	return m == SHK_METHOD_VERIFY && p->exec_verify == SHK_EXEC_VERIFY_OFF ? SHK_METHOD_CONTINUE : m;
}

const char *shk_method_guarantee(enum shk_method m)
{
	static const char *const words[] = {
		[SHK_METHOD_CONTINUE] = "best-effort", [SHK_METHOD_REGISTER] = "register",
		[SHK_METHOD_EMULATE] = "emulated", [SHK_METHOD_REFUSE] = "refused",
		[SHK_METHOD_VERIFY] = "verified",
	};

	return words[m];
}

const char *shk_plan_guarantee(const struct shk_policy *p, enum shk_call_id id)
{
	return shk_method_guarantee(shk_policy_method(p, id));
}

bool shk_plan_watchable(enum shk_call_id id, const struct shk_reg_filter *when)
{
	const struct shk_syscall *s = &shk_syscalls[id];

	/* Opens are frequent, but what they reach is what rules are about. The rest of the hot
	 * path (mmap, ioctl, fcntl ...) is worth a stop only where registers pick the few calls that
	 * matter. */
	return s->rarity != SHK_HOT || s->vclass == SHK_VC_EMULATE ||
	       (s->vclass != SHK_VC_NONE && !when->always);
}

/* The bitmap of rules that name no event type: they hold for every call, which is no reason to
 * stop at every call. Recognised by a call that no rule has a reason to name. */
static uint64_t *rules_naming_calls(const struct shk_ruleset *rs)
{
	const struct shk_syscall *probe = shk_syscall_by_name(SHK_STR("restart_syscall"));
	size_t n = shk_ruleset_count(rs), words = n / 64 + 1;
	_cleanup_free_ uint64_t *one = calloc(words, sizeof(*one));
	uint64_t *named = calloc(words, sizeof(*named));

	if (!one || !named) {
		free(named);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct shk_reg_filter f = { .never = true };

		one[i / 64] = UINT64_C(1) << (i % 64);
		if (probe)
			shk_ruleset_reg_filter(rs, probe->id, one, &f);
		if (f.never)
			named[i / 64] |= one[i / 64];
		one[i / 64] = 0;
	}
	return named;
}

/* The arguments tested are 32 bit wide in the kernel (int, unsigned), which ignores what a caller
 * puts into the upper half of the register, and so do the fields (shk_event_reg). A test for equality
 * must do so as well, or garbage up there would lead past the filter. Of a test for difference no upper
 * bit is taken away that somebody put there: garbage then is a difference and notified. */
static void ignore_upper_halves(struct shk_reg_filter *f)
{
	for (unsigned c = 0; c < f->n; c++)
		for (unsigned t = 0; t < f->c[c].n; t++)
			if (!f->c[c].t[t].negate) {
				f->c[c].t[t].mask &= UINT32_MAX;
				f->c[c].t[t].value &= UINT32_MAX;
			}
}

/* Sending is of the hot path, but where a message goes is what rules are about: sendto is stopped where it names an
 * address, which a register tells; sendmsg, whose address lies in memory, always. Of sendmmsg nobody hands over the lengths:
 * it is refused as by an older kernel, and programs send one at a time. */
static void plan_send(enum shk_call_id id, struct shk_plan_call *c)
{
	if (!c->enforced || !c->when.always)
		return;
	if (id == SHK_CALL_sendmmsg)
		*c = (struct shk_plan_call){ .what = SHK_PLAN_ERRNO, .err = ENOSYS, .enforced = true, .why = "memory" };
	if (id != SHK_CALL_sendto && id != SHK_CALL_sendmsg)
		return;
	c->what = SHK_PLAN_NOTIFY;
	c->why = "rules";
	if (id == SHK_CALL_sendmsg) {
		c->warn = "its address lies in memory, so every one is stopped and carried out";
		return;
	}
	c->warn = "watched where it names an address";
	c->when = (struct shk_reg_filter){ .n = 1, .c = { {
		.t = { { .arg = 4, .negate = true, .mask = UINT64_MAX, .value = 0 } }, .n = 1
	} } };
}

static void plan_rules(const struct shk_policy *p, const uint64_t *named, enum shk_call_id id,
		       struct shk_plan *plan)
{
	const struct shk_syscall *row = &shk_syscalls[id];
	struct shk_plan_call *c = &plan->call[id];
	struct shk_reg_filter must = { .never = true };

	if (!shk_ruleset_wants(p->rules, id) ||
	    IS_ONE_OF(id, "restart_syscall", "rt_sigreturn", "sigreturn", "exit", "exit_group"))
		return;
	shk_ruleset_reg_filter(p->rules, id, row->rarity == SHK_RARE ? NULL : named, &c->when);
	if (c->when.never)
		return;
	plan->named[id / 64] |= UINT64_C(1) << id % 64;
	shk_ruleset_reg_filter(p->rules, id, p->must, &must);
	c->enforced = p->mode == SHK_MODE_ENFORCE && p->must && !must.never;
	plan_send(id, c);
	if (c->what != SHK_PLAN_PASS)
		return;
	if (!shk_plan_watchable(id, &c->when)) {
		c->when = (struct shk_reg_filter){ .never = true };
		c->warn = c->enforced ? "not watched: a call of the hot path; the action of the rule "
					"that names it cannot take effect" :
					"not watched: stopping this call of the hot path would slow "
					"the container down many times";
		c->enforced = false;
		return;
	}
	if (IS_ONE_OF(id, "openat2", "clone3", "execve", "execveat"))
		c->when = (struct shk_reg_filter){ .always = true };
	ignore_upper_halves(&c->when);
	c->what = SHK_PLAN_NOTIFY;
	c->why = "rules";
}

static void plan_fixed(const struct shk_policy *p, enum shk_call_id id, struct shk_plan_call *c)
{
	bool enforced = c->enforced, wanted = c->what == SHK_PLAN_NOTIFY;

	if (IS_ONE_OF(id, "execve", "execveat"))
		*c = (struct shk_plan_call){ .what = SHK_PLAN_NOTIFY,
					     .enforced = enforced,
					     .when = { .always = true },
					     .why = wanted ? "arming, rules" : "arming" };
	/* enter and register too: a ring's descriptor can come from outside over a socket. */
	if (!p->io_uring_allow && IS_ONE_OF(id, "io_uring_setup", "io_uring_enter",
					    "io_uring_register"))
		*c = (struct shk_plan_call){ .what = SHK_PLAN_ERRNO,
					     .err = ENOSYS,
					     .enforced = true,
					     .why = "io_uring",
					     .warn = wanted ? "refused by the filter, so no rule sees it; "
							      "io_uring: allow lets rules see it" :
							      NULL };
}

/* Calls after which what is known of a process is no longer true (state/process.h): seen always, or facts
 * would have to be read from /proc for every decision. unshare changes facts with namespaces only. */
static void plan_state(enum shk_call_id id, struct shk_plan_call *c, bool emulates)
{
	static const struct shk_reg_conj namespaces = {
		.t = { { .arg = 0, .negate = true, .mask = SHK_PLAN_NAMESPACES, .value = 0 } }, .n = 1
	};
	bool listed = false;

	for (size_t i = 0; i < shk_n_proc_calls; i++)
		listed |= shk_proc_calls[i] == id;
	for (size_t i = 0; emulates && i < shk_n_proc_rights_calls; i++)
		listed |= shk_proc_rights_calls[i] == id;
	if (!listed || c->what == SHK_PLAN_ERRNO || c->when.always)
		return;
	if (id != SHK_CALL_unshare || c->when.n == SHK_REG_DISJ_MAX)
		c->when = (struct shk_reg_filter){ .always = true };
	else if (c->when.n != 1 || memcmp(&c->when.c[0], &namespaces, sizeof(namespaces)) != 0)
		c->when.c[c->when.n++] = namespaces;
	c->when.never = false;
	if (c->what != SHK_PLAN_NOTIFY)
		c->why = "state";
	c->what = SHK_PLAN_NOTIFY;
}

static bool emulates(const struct shk_plan *plan)
{
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (plan->call[i].what == SHK_PLAN_NOTIFY && plan->call[i].enforced &&
		    shk_method_of(i) == SHK_METHOD_EMULATE)
			return true;
	return false;
}

/* A task that has put a Landlock domain around itself would have its calls carried out by us, who are in no
 * domain, and nobody can tell from outside that it has one (THREATS A3). So no domain is entered: programs take
 * the errno for a kernel without Landlock and do without. */
static void plan_landlock(struct shk_plan *plan)
{
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (IS_ONE_OF(i, "landlock_create_ruleset", "landlock_restrict_self"))
			plan->call[i] = (struct shk_plan_call){ .what = SHK_PLAN_ERRNO,
								.err = EOPNOTSUPP,
								.enforced = true,
								.why = "emulation" };
}

/* For rules of a reload: the filter cannot learn them later. */
static void plan_reserve(const struct shk_policy *p, enum shk_call_id id, struct shk_plan_call *c)
{
	if (!(p->reserve[id / 64] >> id % 64 & 1))
		return;
	if (c->what == SHK_PLAN_ERRNO) {
		if (!c->warn)
			c->warn = "kept in reserve, but refused by the filter, so no rule will see it";
		return;
	}
	if (c->what == SHK_PLAN_PASS)
		c->why = "reserve";
	c->what = SHK_PLAN_NOTIFY;
	c->when = (struct shk_reg_filter){ .always = true };
}

bool shk_plan_keeps(const struct shk_plan *plan, enum shk_call_id id)
{
	const struct shk_plan_call *c = &plan->call[id];

	if (c->what != SHK_PLAN_NOTIFY || c->when.always)
		return c->what != SHK_PLAN_PASS;
	for (unsigned i = 0; id == SHK_CALL_unshare && i < c->when.n; i++)
		if (c->when.c[i].n == 1 && c->when.c[i].t[0].arg == 0 && c->when.c[i].t[0].negate &&
		    (c->when.c[i].t[0].mask & SHK_PLAN_NAMESPACES) == SHK_PLAN_NAMESPACES &&
		    c->when.c[i].t[0].value == 0)
			return true;
	return false;
}

int shk_plan_make(const struct shk_policy *p, struct shk_plan **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_plan_freep) struct shk_plan *plan = calloc(1, sizeof(*plan));
	_cleanup_free_ uint64_t *named = p->rules ? rules_naming_calls(p->rules) : NULL;
	bool emulated;
	int r;

	if (!plan || (p->rules && !named))
		return shk_err_sys(err, ENOMEM, "cannot plan policy \"" SHK_STR_FMT "\"",
				   SHK_STR_ARG(p->name));
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		plan->call[i] = (struct shk_plan_call){ .when = { .never = true }, .why = "" };
		if (p->rules)
			plan_rules(p, named, i, plan);
		plan_fixed(p, i, &plan->call[i]);
	}
	shk_doors_apply(p, plan);
	emulated = emulates(plan);
	if (emulated)
		plan_landlock(plan);
	for (unsigned i = 0; p->rules && shk_ruleset_count(p->rules) && i < SHK_CALL_N; i++)
		plan_state(i, &plan->call[i], emulated);
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		plan_reserve(p, i, &plan->call[i]);
	r = shk_filter_build(plan, err);
	if (r < 0)
		return shk_err_prefix(err, "policy \"" SHK_STR_FMT "\"", SHK_STR_ARG(p->name));
	*ret = TAKE_PTR(plan);
	return 0;
}
