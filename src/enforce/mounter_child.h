/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounter_child.h - between a mounter and the engine (private to mounter.c).
 */
#ifndef SHK_ENFORCE_MOUNTER_CHILD_H
#define SHK_ENFORCE_MOUNTER_CHILD_H

#include "enforce/mounter.h"

#define SHK_MOUNT_TEXT 4096

/* Descriptors that go along, always all of them. */
enum { SHK_MFD_REPLY, SHK_MFD_NS, SHK_MFD_ROOT, SHK_MFD_TARGET, SHK_MFD_SOURCE, SHK_MFD_N };

struct shk_mount_wire {
	uint32_t op; /* enum shk_mount_op */
	uint32_t seconds;
	uint64_t flags, effective, container;
	uid_t euid, fsuid;
	gid_t egid, fsgid;
	uint32_t n_groups;
	gid_t group[SHK_GROUPS_MAX];
	bool on_file, has_dev, has_type, has_data, has_name;
	struct mount_attr attr;
	char dev[SHK_MOUNT_TEXT], type[SHK_MOUNT_TEXT], data[SHK_MOUNT_TEXT], name[SHK_MOUNT_TEXT];
};

/* Becomes the caller and makes the call; the calling process, which has one thread, is good for nothing else
 * afterwards. 0 or -errno. */
int32_t shk_mount_child(const struct shk_mount_wire *q, const int *fd);

#endif
