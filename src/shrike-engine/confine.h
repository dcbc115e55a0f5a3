/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.h - the engine's own seccomp filter.
 *
 * The engine reads what containers made: should one of them find a way into it, the filter is what is left between
 * it and the host. Allowed is what the engine does: files, Unix sockets, ptrace and process_vm_* (injection,
 * arguments), pidfds, threads, the ioctls of seccomp listeners. Refused with EPERM is everything else: execve, new
 * processes, every socket family but AF_UNIX, mounts, namespaces, modules, BPF, keys, io_uring, clocks. A
 * refusal never ends the engine: callers wait for it.
 * Threads made later inherit the filter; programs of `outputs:` do not (alerts/launcher.h).
 */
#ifndef SHK_ENGINE_CONFINE_H
#define SHK_ENGINE_CONFINE_H

#include "base/error.h"

/* Puts the filter on the calling process, which has one thread, and no_new_privs. 0 or -errno. */
int shk_confine(struct shk_err *err);

#endif
