/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h - calls that change mounts, carried out for the caller.
 *
 * As open.h: what the paths lead to is held, rules are asked about the names these objects have, and a mounter
 * (mounter.h) makes the call on what is held, with the caller's namespaces and rights. Texts are the copies that were judged.
 *
 * mount(2) of a filesystem is made only for filesystems that take no path (or, overlay, absolute ones alone) among their options and
 * open no device. The paths in an overlay's options are followed by the kernel when it is mounted; no field tells of them.
 * umount(2) asks whether anybody uses a mount, and holding it is use: so the directory it is mounted in is held, and its name
 * there is used, after it was made sure that this still leads to what was judged.
 */
#ifndef SHK_ENFORCE_MOUNTS_H
#define SHK_ENFORCE_MOUNTS_H

#include "enforce/mounter.h"
#include "enforce/paths.h"

struct shk_mounts {
	struct shk_caller caller;
	enum shk_call_id call;
	unsigned n;			/* of held: [0] is the target (pivot_root: the new root), [1] the source */
	struct shk_held held[2];
	struct shk_mount_order order;
	int ns;				/* owned; -1: none */
	int parent;			/* umount: owned, -1: target itself is named */
	char last[NAME_MAX + 1];	/* in parent */
	uint64_t mark;			/* what another engine tells by whether the call was made */
	bool made;			/* it was, by an engine before this one */
	int err;			/* SHK_PINNED_ERROR: > 0 */
	const char *why;		/* SHK_PINNED_UNABLE */
	uint64_t again;			/* mark of an earlier engine, which may have made the call; 0: none */
};

bool shk_mounts_knows(enum shk_call_id id);
/* Reads options and attributes, which no rule asks for, into the event's arguments. Before the container is locked. */
void shk_mounts_read(struct shk_event *ev);
/* Holding the container's lock. seconds: how long the call may take. */
enum shk_pinned shk_mounts_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_mounts *m);
/* 0 or -errno; -ESTALE: what was judged is not there any more, pin and judge again. Blocks as long as the call does; a
 * signal ends the wait with -EINTR. */
int shk_mounts_do(struct shk_actor *a, struct shk_mounter *by, struct shk_mounts *m);
void shk_mounts_done(struct shk_mounts *m);

/* ---- for tests ---- */
/* May options of this filesystem be taken as they are? NULL, or why not. data NULL: there are none. */
const char *shk_mounts_options(const char *type, const char *data);

#endif
