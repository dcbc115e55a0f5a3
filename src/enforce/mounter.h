/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounter.h - calls on mounts, made for their caller by a process that is where the caller is.
 *
 * The kernel takes namespaces, root and user namespace of mount(2) from whoever calls it, and threads of one process
 * cannot be in several mount namespaces. So while the engine has one thread and no filter it makes a mounter: a child with all
 * capabilities, which makes one child more for each call. That one joins the caller's mount, network, IPC and control
 * group namespaces, takes its root, ids, groups, user namespace and effective capabilities, and then makes the call on
 * the objects the engine holds, whose descriptors it was given: what the kernel would refuse its caller, it refuses here. It is never
 * in the caller's pid namespace, where it could be seen, and is in no control group of the container.
 *
 * The mounter takes orders from the one socket it has; it refuses its own mount namespace, so that nothing of the host's is
 * mounted through it. It ends when the engine does.
 */
#ifndef SHK_ENFORCE_MOUNTER_H
#define SHK_ENFORCE_MOUNTER_H

#include <sys/mount.h>

#include "base/error.h"
#include "enforce/rights.h"

/* Calls of one container that are under way at a time; one more is EBUSY. A call may hang in a filesystem whose server never
 * answers, and nobody can end it then. Of all containers: more than one of a container are EBUSY. */
#define SHK_MOUNTER_EACH 16
#define SHK_MOUNTER_ALL	 256

enum shk_mount_op {
	SHK_MOUNT_FLAGS,   /* mount(2) that looks at flags alone: propagation, flags of a mount */
	SHK_MOUNT_BIND,	   /* mount(2) from source: MS_BIND, MS_MOVE */
	SHK_MOUNT_NEW,	   /* mount(2) of a filesystem, or of one again: with texts */
	SHK_MOUNT_UMOUNT,  /* umount2(2) of name in target; without a name, of target */
	SHK_MOUNT_MOVE,	   /* move_mount(2) */
	SHK_MOUNT_SETATTR, /* mount_setattr(2) */
	SHK_MOUNT_PIVOT,   /* pivot_root(2): target is the new root, source the place of the old one */
};

struct shk_mount_order {
	enum shk_mount_op op;
	const struct shk_caller *caller;
	uint64_t effective;	/* capabilities in the caller's own user namespace */
	uint64_t container;	/* key: whose share it is */
	unsigned seconds;	/* after which it is given up */
	int ns;			/* O_PATH of the caller's /proc/TID/ns */
	int root;		/* its root directory */
	int target, source;	/* O_PATH; source -1: none */
	uint64_t flags;
	const char *dev, *type, *data; /* texts of fewer than 4096 bytes; NULL: none */
	const char *name;	/* UMOUNT */
	bool on_file;		/* NEW: the target is no directory */
	struct mount_attr attr; /* SETATTR */
};

struct shk_mounter;
/* To be called with one thread, and every capability there is. 0 or -errno. */
int shk_mounter_new(struct shk_mounter **ret, struct shk_err *err);
/* Its process ends and is waited for. NULL is allowed. */
void shk_mounter_free(struct shk_mounter *m);
SHK_DEFINE_CLEANUP(struct shk_mounter, shk_mounter_free)
/* For deputy.h: an order, as deputy_wire.h has it, on its way to the mounter. Any thread. As shk_send_fds; -EBUSY: it takes none. */
ssize_t shk_mounter_send(struct shk_mounter *m, const void *p, size_t n, const int *fd, size_t n_fd);
/* Makes the call and waits for it. Any thread. 0, -errno of the call, -EBUSY: too many, -EINTR: a signal ended the wait, and the
 * call may happen all the same; -EIO: there is no mounter any more, or its child died. */
int shk_mounter_do(struct shk_mounter *m, const struct shk_mount_order *o);

#endif
