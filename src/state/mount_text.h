/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_text.h - lines of /proc/PID/mountinfo. No state; any thread.
 */
#ifndef SHK_STATE_MOUNT_TEXT_H
#define SHK_STATE_MOUNT_TEXT_H

#include "base/str.h"

/* Do lookups in a filesystem of this type end without anybody's help? at_root: it is mounted at "/". */
bool shk_type_answers(struct shk_str type, bool at_root);
/* Takes the first line off the text; false at its end. */
bool shk_mount_line(struct shk_str *text, struct shk_str *line);
/* Field n (from 0) of a line; those past " - " are counted from 100. n = 0 bytes: there is none. */
struct shk_str shk_mount_field(struct shk_str line, unsigned n);

#endif
