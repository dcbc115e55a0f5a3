/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - the plan as a classic BPF program (private to src/policy).
 *
 * The program: architecture (x86_64, then i386; x32 is bit 30 of an x86_64 number), a balanced
 * search tree over call numbers, register tests of the call found, a verdict. Owns nothing beyond
 * the call; plan->bpf belongs to the plan afterwards.
 */
#ifndef SHK_POLICY_FILTER_H
#define SHK_POLICY_FILTER_H

#include "policy/plan.h"

/* An audit architecture other than x86_64 and i386 cannot reach an x86_64 kernel's seccomp. Should
 * one appear, the call is refused as unknown: killing would take a whole container down for a
 * surprise of ours, and passing would open a door nobody has looked at. */
#define SHK_FILTER_UNKNOWN_ARCH_ERRNO 38 /* ENOSYS */

/* Generates plan->bpf from plan->call[]. -E2BIG past BPF_MAXINSNS, -ENOMEM. */
int shk_filter_build(struct shk_plan *plan, struct shk_err *err);

/* Runs a classic BPF program on one seccomp_data. A program that leaves its own bounds or uses an
 * instruction this interpreter does not know gives SECCOMP_RET_KILL_PROCESS. */
struct seccomp_data;
uint32_t shk_filter_run(const struct sock_filter *f, unsigned n, const struct seccomp_data *d);

#endif
