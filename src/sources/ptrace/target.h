/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - may this peer have a filter put into that process? (THREATS B4)
 *
 * No state; any thread.
 */
#ifndef SHK_SOURCES_PTRACE_TARGET_H
#define SHK_SOURCES_PTRACE_TARGET_H

#include "control/control.h"

/* Is `target` the fresh init of a container that the runtime which started the peer (the hook) is creating?
 * pidfd: of target, borrowed, it pins the answer. All of this must hold:
 *  - the pidfd names target, which lives and is neither pid 1, nor this process, nor the peer;
 *  - target belongs to the peer's uid, or the peer is root;
 *  - it is the child or grandchild of the peer's parent (the runtime), or that
 *    one's sibling (its parent between has ended and a subreaper took it over);
 *  - it is not older than the runtime: whatever runs longer is no container being created;
 *  - it still has the runtime's root directory: a container that has entered its root file system
 *    is not fresh, and nothing else makes a running container's init look different from a new one;
 *  - in this process's own pid namespace (a container with the host's) it must be the runtime's child.
 * What is not checked here: the peer's own namespaces and cgroup; whoever holds the socket does that.
 * 0, -ESRCH (somebody ended), -EPERM with the reason. */
int shk_target_check(const struct shk_peer *peer, pid_t target, int pidfd, struct shk_err *err);

#endif
