/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher.h - starts the programs of `outputs:` for a process that may start none itself.
 *
 * The engine gives up execve and fork (shrike-engine/confine.c). Before that, while it has one thread, it makes a
 * launcher: a child that knows the commands of the configuration and takes nothing but their numbers, so that
 * whoever takes over the engine can start no other program through it. What it starts becomes the
 * engine's own child (CLONE_PARENT of clone(2)), to be waited for and signalled as if the engine had started
 * it. It ends when the engine does. Used by the writer thread alone.
 */
#ifndef SHK_ALERTS_LAUNCHER_H
#define SHK_ALERTS_LAUNCHER_H

#include "alerts/alert.h"

/* Makes a launcher if any of the outputs is a program, and names it in their configuration. To be called
 * with one thread. 0 or -errno; *ret is NULL when none is needed. */
int shk_launcher_new(struct shk_sink_config *cfg, size_t n, struct shk_launcher **ret,
		     struct shk_err *err);
/* Closes the connection; the launcher's process ends and is waited for. NULL is allowed. */
void shk_launcher_free(struct shk_launcher *l);
SHK_DEFINE_CLEANUP(struct shk_launcher, shk_launcher_free)
/* Starts command number `command` with `input` as its standard input, leading a process group of its own.
 * 0, or -errno: ECONNRESET when the launcher is gone. */
int shk_launcher_start(struct shk_launcher *l, unsigned command, int input, pid_t *ret);

#endif
