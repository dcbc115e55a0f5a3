// SPDX-License-Identifier: Apache-2.0
/* The classic BPF subset seccomp takes (kernel/seccomp.c, seccomp_check_filter), interpreted. */
#include "policy/filter.h"

#include <linux/bpf_common.h>
#include <linux/seccomp.h>

static bool jump_taken(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	default:
		return a & i->k;
	}
}

uint32_t shk_filter_run(const struct sock_filter *f, unsigned n, const struct seccomp_data *d)
{
	uint32_t a = 0;

	/* Jumps go forward only, so this ends after at most n steps. */
	for (unsigned pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*d) - sizeof(a) || i->k % sizeof(a))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			if (i->k >= n - pc)
				return SECCOMP_RET_KILL_PROCESS;
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += jump_taken(i, a) ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_RET | BPF_A:
			return a;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

uint32_t shk_plan_simulate(const struct shk_plan *plan, uint32_t audit_arch, int32_t nr,
			   const uint64_t args[6])
{
	struct seccomp_data d = { .nr = nr, .arch = audit_arch };

	for (unsigned i = 0; i < 6; i++)
		d.args[i] = args[i];
	return shk_filter_run(plan->bpf, plan->bpf_len, &d);
}
