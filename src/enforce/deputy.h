/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deputy.h - calls of tasks in a user namespace of their own, carried out by a process that has joined it.
 *
 * Capabilities in another user namespace than the engine's count for files and sockets of users that have a number there, and
 * no thread of the engine can have them: setns(2) takes a process of one thread. So what such a caller may and a thread with its ids
 * alone may not is done once more by a deputy: a process that the mounter (mounter.h) forks for this one call. It takes on the
 * caller's ids, groups, user namespace and capabilities, and network, IPC and control group namespaces, and makes the same walk or
 * call on the objects the engine holds; the kernel's own checks decide. It keeps the engine's mount namespace and root, so
 * that nobody in the container sees it, and refuses to become anybody in the engine's own user namespace.
 *
 * Of one actor; the thread's own. What a deputy opens comes over as a descriptor with the caller's credentials in it.
 */
#ifndef SHK_ENFORCE_DEPUTY_H
#define SHK_ENFORCE_DEPUTY_H

#include <errno.h>

#include "enforce/paths.h"
#include "enforce/sockets.h"

/* Of one container under way at a time; one more is EBUSY. More than a listener has workers. */
#define SHK_DEPUTIES_EACH 80
#define SHK_DEPUTIES_ALL  512

/* Was the thread refused what the caller's own rights may allow? r: its -errno. */
static inline bool shk_deputy_helps(const struct shk_actor *a, int r)
{
	return a->ns >= 0 && (r == -EACCES || r == -EPERM);
}

/* As shk_walk_pin, shk_open_do, shk_paths_do and shk_socket_do; -EBUSY besides: too many; -EIO: it died, or waited past the
 * actor's seconds; -EINTR: a signal ended the wait, and the call may happen all the same. */
int shk_deputy_walk(struct shk_actor *a, const struct shk_caller *c, const struct shk_walk_from *from, struct shk_str path,
		    struct shk_pin *ret);
int shk_deputy_open(struct shk_actor *a, const struct shk_open *o);
int shk_deputy_paths(struct shk_actor *a, const struct shk_paths *p);
int shk_deputy_socket(struct shk_actor *a, const struct shk_socket *s);

#endif
