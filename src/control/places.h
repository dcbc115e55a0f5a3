/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.h - where a user's own supervisor (shriked --user) has its files.
 *
 * Directories of the XDG Base Directory Specification. Whoever talks to a supervisor looks for the user's own one
 * first, unless it is root. Any thread; nothing is kept.
 */
#ifndef SHK_CONTROL_PLACES_H
#define SHK_CONTROL_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum shk_place {
	SHK_PLACE_RUNTIME, /* $XDG_RUNTIME_DIR/shrike, else /run/user/UID/shrike: sockets */
	SHK_PLACE_CONFIG,  /* $XDG_CONFIG_HOME/shrike, else ~/.config/shrike */
	SHK_PLACE_STATE,   /* $XDG_STATE_HOME/shrike, else ~/.local/state/shrike: alerts */
};

/* No root, or root of a user namespace alone (as programs are that podman starts for a user). */
bool shk_is_rootless(void);
/* name in that place into buf. -ENOENT: nothing says where it is; -ENAMETOOLONG. */
int shk_place(enum shk_place place, const char *name, char *buf, size_t size, struct shk_err *err);

#endif
