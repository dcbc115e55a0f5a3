// SPDX-License-Identifier: Apache-2.0
#include "policy/observe.h"

/* Calls that reach an object by a name or an address, and the record which says so; ring: io_uring has an operation that does. Calls
 * that registers describe in full are seen by their ends instead, which have a result. */
static const struct object {
	enum shk_call_id call;
	uint8_t type;
	bool ring, call_too;
} objects[] = {
	/* First those that stand for what a ring does. */
	{ SHK_CALL_openat, SHRIKE_OPEN, true, true },		{ SHK_CALL_openat2, SHRIKE_OPEN, true, true },
	{ SHK_CALL_open, SHRIKE_OPEN, false, true },		{ SHK_CALL_creat, SHRIKE_OPEN, false, true },
	{ SHK_CALL_unlinkat, SHRIKE_UNLINK, true, true },	{ SHK_CALL_unlink, SHRIKE_UNLINK, true, true },
	{ SHK_CALL_unlinkat, SHRIKE_RMDIR, true, true },	{ SHK_CALL_rmdir, SHRIKE_RMDIR, true, true },
	{ SHK_CALL_mkdirat, SHRIKE_MKDIR, true, true },		{ SHK_CALL_mkdir, SHRIKE_MKDIR, true, true },
	{ SHK_CALL_mknodat, SHRIKE_MKNOD, false, true },	{ SHK_CALL_mknod, SHRIKE_MKNOD, false, true },
	{ SHK_CALL_linkat, SHRIKE_LINK, true, true },		{ SHK_CALL_link, SHRIKE_LINK, true, true },
	{ SHK_CALL_renameat, SHRIKE_RENAME, true, true },	{ SHK_CALL_renameat2, SHRIKE_RENAME, true, true },
	{ SHK_CALL_rename, SHRIKE_RENAME, true, true },		{ SHK_CALL_symlinkat, SHRIKE_SYMLINK, true, true },
	{ SHK_CALL_symlink, SHRIKE_SYMLINK, true, true },	{ SHK_CALL_fchmodat, SHRIKE_CHMOD, false, true },
	{ SHK_CALL_chmod, SHRIKE_CHMOD, false, true },		{ SHK_CALL_fchownat, SHRIKE_CHOWN, false, true },
	{ SHK_CALL_chown, SHRIKE_CHOWN, false, true },		{ SHK_CALL_truncate, SHRIKE_TRUNCATE, false, true },
	{ SHK_CALL_connect, SHRIKE_CONNECT, true, true },	{ SHK_CALL_bind, SHRIKE_BIND, true, true },
	{ SHK_CALL_sendto, SHRIKE_SENDMSG, true, true },	{ SHK_CALL_sendmsg, SHRIKE_SENDMSG, true, true },
	{ SHK_CALL_socket, SHRIKE_SOCKET, true, false },	{ SHK_CALL_listen, SHRIKE_LISTEN, true, false },
};

static bool has(const uint64_t *bits, enum shk_call_id id)
{
	return bits[id / 64] >> id % 64 & 1;
}

static void set(uint64_t *bits, enum shk_call_id id)
{
	bits[id / 64] |= UINT64_C(1) << id % 64;
}

static void want_end(struct shk_observe *o, enum shk_call_id id)
{
	static const enum shk_abi abis[] = { SHK_ABI_X86_64, SHK_ABI_I386 };

	o->classes |= UINT64_C(1) << SHRIKE_SYSCALL;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(abis); i++) {
		int32_t nr = shk_syscalls[id].nr[abis[i]];

		if (nr >= 0 && nr < SHRIKE_BITMAP_BYTES * 8)
			(i ? o->compat : o->native)[nr >> 3] |= (uint8_t)(1u << (nr & 7));
	}
}

static bool is_result(const struct shk_field_ref *ref)
{
	static const char *const names[] = { "evt.res", "evt.rawres", "evt.failed", "evt.count.error" };
	const char *name = ref->field->name;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return (strcmp(name, "evt.arg") == 0 || strcmp(name, "evt.rawarg") == 0) && shk_str_eqz(ref->key, "res");
}

void shk_observe_notified(const struct shk_plan *plan, uint64_t *ret)
{
	memset(ret, 0, SHK_CALL_WORDS * sizeof(*ret));
	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (plan->call[i].what != SHK_PLAN_PASS)
			set(ret, i);
}

bool shk_observe_holds_exec(const struct shk_policy *p, const struct shk_plan *plan)
{
	return p->exec_verify == SHK_EXEC_VERIFY_AUTO && p->mode == SHK_MODE_ENFORCE &&
	       (plan->call[SHK_CALL_execve].enforced || plan->call[SHK_CALL_execveat].enforced);
}

void shk_observe_make(const struct shk_policy *p, const struct shk_plan *plan, const uint64_t *notified,
		      struct shk_observe *ret)
{
	/* A filter that lets it pass does so whatever a later policy says. */
	bool rings = p->io_uring_allow || !has(notified, SHK_CALL_io_uring_enter);

	memset(ret, 0, sizeof(*ret));
	for (unsigned id = 0; id < SHK_CALL_N; id++) {
		bool by_object = false;

		/* Of these it is the call inside that is named, too. */
		if (!has(plan->named, id) || id == SHK_CALL_socketcall || id == SHK_CALL_ipc)
			continue;
		for (size_t i = 0; i < SHK_ARRAY_SIZE(objects); i++) {
			const struct object *o = &objects[i];
			bool direct = o->call_too && !has(notified, id), ring = o->ring && rings;

			if (o->call != id)
				continue;
			by_object |= direct;
			if (ring)
				set(ret->rings, id);
			if (direct)
				set(ret->objects, id);
			if (ring || direct)
				ret->classes |= UINT64_C(1) << o->type;
		}
		if (by_object && shk_ruleset_asks(p->rules, id, is_result)) {
			want_end(ret, id);
			set(ret->joined, id);
		}
		if (!by_object && !has(notified, id)) {
			want_end(ret, id);
			set(ret->ends, id);
		}
	}
	/* Whose call it was, should the task have ended when rules are asked. */
	if (ret->classes)
		ret->classes |= UINT64_C(1) << SHRIKE_FORK | UINT64_C(1) << SHRIKE_EXEC | UINT64_C(1) << SHRIKE_EXIT;
	if (shk_observe_holds_exec(p, plan)) {
		ret->leases = SHRIKE_HOLD_EXEC;
		/* What is killed for it is told. */
		ret->classes |= UINT64_C(1) << SHRIKE_LEASE;
	}
}

const struct shk_syscall *shk_observe_call(const struct shk_observe *o, unsigned type, const struct shk_syscall *in)
{
	bool ring = !in || in->id == SHK_CALL_io_uring_enter;
	/* What is inside it is not known by its number. */
	bool any = ring || in->id == SHK_CALL_socketcall;

	if (type == SHRIKE_SYSCALL)
		return in && (has(o->ends, in->id) || has(o->joined, in->id)) ? in : NULL;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(objects); i++)
		if (objects[i].type == type && (any || objects[i].call == in->id) &&
		    has(ring ? o->rings : o->objects, objects[i].call))
			return &shk_syscalls[objects[i].call];
	return NULL;
}

bool shk_observe_joins(const struct shk_observe *o, const struct shk_syscall *call, const struct shk_syscall *in)
{
	return call && call == in && has(o->joined, call->id);
}

static void print_names(const char *what, const uint64_t *bits, struct shk_buf *out)
{
	bool any = false;

	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		if (!has(bits, i))
			continue;
		shk_buf_printf(out, "%s%s", any ? ", " : what, shk_syscalls[i].name);
		any = true;
	}
	if (any)
		shk_buf_addc(out, '\n');
}

/* Of what the machine may offer, what is taken and why (docs/MODULE.md has the figures). */
static void print_ways(const struct shk_policy *p, const struct shk_plan *plan, struct shk_buf *out)
{
	if (shk_observe_holds_exec(p, plan))
		shk_buf_adds(out, "an execve is verified by\n"
				  "  a lease of the kernel module, where it is loaded: the same is compared, nobody traces the caller, and it costs less\n"
				  "  ptrace else; also for a thread that does not lead its process, more than 256 bytes of name and arguments, a rule\n"
				  "    that asks for the environment, and a container without a pid namespace of its own\n");
	else if (p->exec_verify == SHK_EXEC_VERIFY_PTRACE && p->mode == SHK_MODE_ENFORCE &&
		 (plan->call[SHK_CALL_execve].enforced || plan->call[SHK_CALL_execveat].enforced))
		shk_buf_adds(out, "an execve is verified by ptrace, as the policy says\n");
	if (plan->call[SHK_CALL_openat].enforced || plan->call[SHK_CALL_open].enforced || plan->call[SHK_CALL_connect].enforced)
		shk_buf_adds(out, "opens and connects are carried out, with the kernel module or without: a lease would promise the same and "
				  "costs more\n");
}

void shk_observe_print(const struct shk_policy *p, const struct shk_plan *plan, struct shk_buf *out)
{
	uint64_t notified[SHK_CALL_WORDS];
	struct shk_observe o;

	shk_observe_notified(plan, notified);
	shk_observe_make(p, plan, notified, &o);
	print_ways(p, plan, out);
	if (!(o.classes & ~(UINT64_C(1) << SHRIKE_LEASE)))
		return;
	shk_buf_adds(out, "observed with the kernel module, and not without (alerts only):\n");
	print_names("  through io_uring: ", o.rings, out);
	print_names("  by the object: ", o.objects, out);
	print_names("  with their result (slows every call of the host a little): ", o.joined, out);
	print_names("  by their ends (slows every call of the host a little): ", o.ends, out);
}
