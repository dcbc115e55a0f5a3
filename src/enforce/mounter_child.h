/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounter_child.h - between a mounter and the engine (private to mounter.c and deputy*.c).
 */
#ifndef SHK_ENFORCE_MOUNTER_CHILD_H
#define SHK_ENFORCE_MOUNTER_CHILD_H

#include "enforce/mounter.h"

#define SHK_MOUNT_TEXT 4096

/* Descriptors that go along, always all of them. */
enum { SHK_MFD_REPLY, SHK_MFD_NS, SHK_MFD_ROOT, SHK_MFD_TARGET, SHK_MFD_SOURCE, SHK_MFD_N };

/* Whom a process becomes. */
struct shk_who {
	uint64_t effective; /* capabilities, in the caller's own user namespace */
	uid_t euid, fsuid;
	gid_t egid, fsgid;
	uint32_t n_groups;
	gid_t group[SHK_GROUPS_MAX];
};
struct shk_who shk_who_is(const struct shk_caller *c);
/* Takes on its ids, groups, user namespace, capabilities, and network, IPC and control group namespaces, for good; with a root
 * (else -1) its mount namespace and root, too. ns: its /proc/TID/ns. A process of one thread. 0 or -errno: good for
 * nothing then. */
int shk_become(const struct shk_who *who, int ns, int root);

struct shk_mount_wire {
	uint32_t op; /* enum shk_mount_op */
	uint32_t seconds;
	uint64_t flags, container;
	struct shk_who who;
	bool on_file, has_dev, has_type, has_data, has_name;
	struct mount_attr attr;
	char dev[SHK_MOUNT_TEXT], type[SHK_MOUNT_TEXT], data[SHK_MOUNT_TEXT], name[SHK_MOUNT_TEXT];
};

/* Becomes the caller and makes the call; the calling process, which has one thread, is good for nothing else
 * afterwards. 0 or -errno. */
int32_t shk_mount_child(const struct shk_mount_wire *q, const int *fd);

#endif
