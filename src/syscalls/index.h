/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.h - the generated indexes of the call table; for syscalls.c and its tests only.
 */
#ifndef SHK_SYSCALLS_INDEX_H
#define SHK_SYSCALLS_INDEX_H

#include "syscalls/syscalls.h"

/* Number (x32 without its bit) -> id + 1, 0 for a hole. */
struct shk_nr_index {
	const uint16_t *ids;
	size_t n;
};

extern const struct shk_nr_index shk_nr_indexes[SHK_ABI_N];
/* Ids in bytewise order of the kernel names. */
extern const uint16_t shk_calls_by_name[SHK_CALL_N];

#endif
