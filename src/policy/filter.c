// SPDX-License-Identifier: Apache-2.0
/*
 * The program is written from its end to its beginning: every jump of classic BPF goes forward, so
 * backwards each target is already in place when a jump to it is made. A "label" is the distance
 * of an instruction from the end of the program. Conditional jumps reach 255 instructions; where a
 * target is farther, a copy of it (a return) or an unconditional jump (32 bits) is put in
 * between. No instruction falls through into these, because every conditional jump names both of
 * its targets and loads are always made right in front of what uses them.
 */
#include "policy/filter.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define NO_LABEL UINT_MAX
/* Leaves room for what near() may insert between choosing a target and making the jump. */
#define REACH 252

struct entry {
	uint32_t nr;
	enum shk_call_id id;
};

struct gen {
	struct sock_filter code[BPF_MAXINSNS];
	unsigned n;
	bool full;
	const struct shk_plan *plan;
	struct entry entry[SHK_CALL_N]; /* of the ABI being written, sorted by number */
	unsigned label[SHK_CALL_N];	/* code of a call that two ABIs share */
};

static unsigned put(struct gen *g, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	if (g->n == BPF_MAXINSNS) {
		g->full = true;
		return g->n - 1;
	}
	g->code[g->n] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	return g->n++;
}

static unsigned put_ret(struct gen *g, uint32_t value)
{
	unsigned low = g->n > REACH ? g->n - REACH : 0;

	for (unsigned i = g->n; i > low; i--)
		if (g->code[i - 1].code == (BPF_RET | BPF_K) && g->code[i - 1].k == value)
			return i - 1;
	return put(g, BPF_RET | BPF_K, 0, 0, value);
}

/* A label that a conditional jump made next can reach and that does the same as `target`. */
static unsigned near(struct gen *g, unsigned target)
{
	if (g->n - target <= REACH)
		return target;
	if (g->code[target].code == (BPF_RET | BPF_K))
		return put_ret(g, g->code[target].k);
	return put(g, BPF_JMP | BPF_JA, 0, 0, g->n - target - 1);
}

static unsigned put_branch(struct gen *g, unsigned op, uint32_t k, unsigned yes, unsigned no)
{
	yes = near(g, yes);
	no = near(g, no);
	return put(g, BPF_JMP | op | BPF_K, g->n - yes - 1, g->n - no - 1, k);
}

static unsigned put_load(struct gen *g, size_t offset)
{
	return put(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* (word & mask) == value ? yes : no. Without a bit to look at nothing is generated. */
static unsigned put_word(struct gen *g, size_t offset, uint32_t mask, uint32_t value, unsigned yes,
			 unsigned no)
{
	if (!mask)
		return value ? no : yes;
	put_branch(g, BPF_JEQ, value, yes, no);
	if (mask != UINT32_MAX)
		put(g, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	return put_load(g, offset);
}

static unsigned put_test(struct gen *g, const struct shk_reg_test *t, bool low_only, unsigned yes,
			 unsigned no)
{
	size_t low = offsetof(struct seccomp_data, args) + t->arg * sizeof(uint64_t);
	unsigned l;

	if (t->negate) {
		unsigned swap = yes;

		yes = no;
		no = swap;
	}
	/* Little endian (x86): the low word lies first. */
	l = put_word(g, low, (uint32_t)t->mask, (uint32_t)t->value, yes, no);
	if (low_only)
		return l;
	return put_word(g, low + 4, (uint32_t)(t->mask >> 32), (uint32_t)(t->value >> 32), l, no);
}

static unsigned put_filter(struct gen *g, const struct shk_reg_filter *f, bool low_only)
{
	unsigned next = put_ret(g, f->always ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);

	if (f->always || f->never)
		return next;
	for (unsigned c = f->n; c-- > 0;) {
		unsigned at = put_ret(g, SECCOMP_RET_USER_NOTIF);

		for (unsigned t = f->c[c].n; t-- > 0;)
			at = put_test(g, &f->c[c].t[t], low_only, at, next);
		next = at;
	}
	return next;
}

static unsigned put_call(struct gen *g, enum shk_call_id id, bool low_only)
{
	const struct shk_plan_call *c = &g->plan->call[id];
	unsigned l;

	if (c->what == SHK_PLAN_ERRNO)
		return put_ret(g, SECCOMP_RET_ERRNO | ((uint32_t)c->err & SECCOMP_RET_DATA));
	if (low_only)
		return put_filter(g, &c->when, true);
	l = g->label[id];
	if (l == NO_LABEL)
		l = g->label[id] = put_filter(g, &c->when, false);
	return l;
}

/* Depth: log2 of the number of planned calls. */
static unsigned put_tree(struct gen *g, unsigned lo, unsigned hi, bool low_only)
{
	if (lo == hi) {
		unsigned yes = put_call(g, g->entry[lo].id, low_only);

		return put_branch(g, BPF_JEQ, g->entry[lo].nr, yes, put_ret(g, SECCOMP_RET_ALLOW));
	}
	unsigned mid = lo + (hi - lo + 1) / 2;
	unsigned right = put_tree(g, mid, hi, low_only);
	unsigned left = put_tree(g, lo, mid - 1, low_only);

	return put_branch(g, BPF_JGE, g->entry[mid].nr, right, left);
}

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static unsigned put_abi(struct gen *g, enum shk_abi abi)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SHK_CALL_N; i++)
		if (g->plan->call[i].what != SHK_PLAN_PASS && shk_syscalls[i].nr[abi] >= 0)
			g->entry[n++] = (struct entry){ (uint32_t)shk_syscalls[i].nr[abi], i };
	if (!n)
		return put_ret(g, SECCOMP_RET_ALLOW);
	qsort(g->entry, n, sizeof(g->entry[0]), by_number);
	return put_tree(g, 0, n - 1, abi == SHK_ABI_I386);
}

static void put_program(struct gen *g)
{
	unsigned unknown, i386, x32, x64;

	for (unsigned i = 0; i < SHK_CALL_N; i++)
		g->label[i] = NO_LABEL;
	i386 = put_abi(g, SHK_ABI_I386);
	/* A tree starts with a jump on the number, or is a plain return: both may follow a load. */
	i386 = near(g, i386);
	if (g->n - 1 != i386)
		put(g, BPF_JMP | BPF_JA, 0, 0, g->n - i386 - 1);
	i386 = put_load(g, offsetof(struct seccomp_data, nr));
	x32 = put_abi(g, SHK_ABI_X32);
	x64 = put_abi(g, SHK_ABI_X86_64);
	put_branch(g, BPF_JSET, SHK_X32_BIT, x32, x64);
	x64 = put_load(g, offsetof(struct seccomp_data, nr));
	unknown = put_ret(g, SECCOMP_RET_ERRNO | SHK_FILTER_UNKNOWN_ARCH_ERRNO);
	i386 = put_branch(g, BPF_JEQ, AUDIT_ARCH_I386, i386, unknown);
	put_branch(g, BPF_JEQ, AUDIT_ARCH_X86_64, x64, i386);
	put_load(g, offsetof(struct seccomp_data, arch));
}

int shk_filter_build(struct shk_plan *plan, struct shk_err *err)
{
	_cleanup_free_ struct gen *g = calloc(1, sizeof(*g));
	struct sock_filter *out;

	if (!g)
		return shk_err_sys(err, ENOMEM, "cannot make the seccomp filter");
	g->plan = plan;
	put_program(g);
	if (g->full)
		return shk_err_set(err, E2BIG,
				   "the seccomp filter needs more than %u instructions, the kernel's "
				   "limit; name fewer calls in the policy's rules",
				   BPF_MAXINSNS);
	out = calloc(g->n, sizeof(*out));
	if (!out)
		return shk_err_sys(err, ENOMEM, "cannot make the seccomp filter");
	for (unsigned i = 0; i < g->n; i++)
		out[i] = g->code[g->n - 1 - i];
	free(plan->bpf);
	plan->bpf = out;
	plan->bpf_len = (unsigned short)g->n;
	return 0;
}

void shk_plan_free(struct shk_plan *plan)
{
	if (!plan)
		return;
	free(plan->bpf);
	free(plan);
}
