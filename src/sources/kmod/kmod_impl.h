/* SPDX-License-Identifier: Apache-2.0 */
/* kmod_impl.h - what control.c and rings.c share. */
#ifndef SHK_SOURCES_KMOD_KMOD_IMPL_H
#define SHK_SOURCES_KMOD_KMOD_IMPL_H

#include "sources/kmod/kmod.h"

struct nl_sock;

struct shk_kmod {
	struct nl_sock *ask, *listen; /* commands and their answers; news */
	int family, group;
	struct shk_kmod_facts facts;
	int device;	/* -1: not the reader */
	struct shk_merge merge;
};

void shk_kmod_unmap(struct shk_kmod *k);

#endif
