/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.h - what a user or group number of a task's means outside of its user namespace.
 *
 * Any thread; reads /proc with the rights in force.
 */
#ifndef SHK_ENFORCE_IDMAP_H
#define SHK_ENFORCE_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* Translates *id by the text of a uid_map or gid_map; -1 stays. false: it stands for nobody. */
bool shk_id_mapped(struct shk_str map, uint32_t *id);
/* Of task tid, by its "uid_map" or "gid_map". 0; -EINVAL: it stands for nobody, as the kernel says; -ESRCH. */
int shk_id_of_task(pid_t tid, const char *map, uint32_t *id);

#endif
