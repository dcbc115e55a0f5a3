/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - devices of a container, opened by a thread that is not in its control group.
 *
 * The kernel asks the opener's control group. The engine's allows everything, so the container's is asked here: its
 * list where control groups are version 1; where they are version 2 the list is a BPF program nobody can read, and the
 * devices every container has by the runtime-spec ("Default Devices") are allowed alone. No state, any thread.
 */
#ifndef SHK_ENFORCE_DEVICE_H
#define SHK_ENFORCE_DEVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

/* Is it one that every container has? Then nobody's list need be read. type: S_IFCHR or S_IFBLK. */
bool shk_device_is_everybodys(mode_t type, dev_t dev);
/* type: as above. list: the task's /proc/TID/cgroup. */
bool shk_device_allowed(struct shk_str cgroups, mode_t type, dev_t dev, bool reads, bool writes);
/* May it be made there (mknod)? */
bool shk_device_makable(struct shk_str cgroups, mode_t type, dev_t dev);
/* Does a devices.list (cgroup-v1/devices.rst) allow it? For tests. */
bool shk_device_listed(struct shk_str list, mode_t type, dev_t dev, const char *access);

#endif
