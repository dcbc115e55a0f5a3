/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.h - what the gateway may still do once it talks to the network.
 *
 * It reads answers of strangers with large libraries. So: another user, no new privileges, and a filter of system
 * calls without execve, new processes, ptrace, mounts, keys, or ioctls but those of sockets.
 */
#ifndef SHK_GATEWAY_CONFINE_H
#define SHK_GATEWAY_CONFINE_H

#include <stdbool.h>

#include "base/error.h"

/* Who to become, if this is root: the named user, or nobody. *fell_back: it is nobody. */
int shk_gateway_user(const char *name, unsigned *uid, unsigned *gid, bool *fell_back, struct shk_err *err);
/* For good, the whole process; to be called with one thread. */
int shk_gateway_confine(unsigned uid, unsigned gid, struct shk_err *err);

#endif
