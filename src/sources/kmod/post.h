/* SPDX-License-Identifier: Apache-2.0 */
/*
 * post.h - leases for the kernel module (uapi.h, LEASES), posted while their call waits.
 *
 * A connection of its own, as the one for control may wait for containers being added. Made before the program confines itself. One
 * thread at a time; the descriptors that a lease names are those of the thread that posts it.
 */
#ifndef SHK_SOURCES_KMOD_POST_H
#define SHK_SOURCES_KMOD_POST_H

#include <shrike/uapi.h>

#include "base/cleanup.h"
#include "base/error.h"

struct shk_kmod;
struct shk_kpost;

/* k is not needed afterwards. */
int shk_kpost_open(const struct shk_kmod *k, struct shk_kpost **ret, struct shk_err *err);
struct shk_kpost *shk_kpost_close(struct shk_kpost *p); /* NULL is fine; returns NULL */
SHK_DEFINE_CLEANUP(struct shk_kpost, shk_kpost_close)
/* 0: it is in force. -ENOENT: the module does not watch the container; -ESRCH: the task is not in it; -ENOSPC; -EIO: no answer. */
int shk_kpost_lease(struct shk_kpost *p, const struct shrike_lease *l);

#endif
