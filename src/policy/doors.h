/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors.h - which calls reach the same object (private to src/policy).
 *
 * Refusing openat protects nothing while open is not looked at. Each group lists the calls that
 * are doors to one kind of object. Constant data.
 */
#ifndef SHK_POLICY_DOORS_H
#define SHK_POLICY_DOORS_H

#include "policy/plan.h"

/* Completes a plan made from the rules: doors of enforced calls, socketcall, clone3. */
void shk_doors_apply(const struct shk_policy *p, struct shk_plan *plan);

/* Calls fn for each other call of the groups that `id` belongs to. */
void shk_doors_each(enum shk_call_id id, void (*fn)(enum shk_call_id door, void *arg), void *arg);

#endif
