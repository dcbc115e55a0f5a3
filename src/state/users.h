/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users.h - names of users and groups as a container's own files give them.
 *
 * /etc/passwd and /etc/group are the container's to write: they are opened without following a link
 * out of its root, only if they are regular files on a filesystem that answers by itself (no FUSE, no
 * network), read up to a limit and kept per container until the file changes; that is looked at
 * once a second at most. Called with the container's lock held.
 */
#ifndef SHK_STATE_USERS_H
#define SHK_STATE_USERS_H

#include "fields/fields.h"
#include "state/container.h"

struct shk_user {
	uid_t uid;
	struct shk_str name, homedir, shell;
};

struct shk_group {
	gid_t gid;
	struct shk_str name;
};

/* uid and gid are host numbers: translated by the user namespace of the container's init first.
 * uid 0 (inside) without a file is "root". NULL: unknown. Valid until the lock is released. */
const struct shk_user *shk_user_by_uid(struct shk_container *c, uid_t uid);
const struct shk_group *shk_group_by_gid(struct shk_container *c, gid_t gid);

/* The same of an event: in its container, or as recorded. NULL: unknown, or on the live host, where no
 * database is asked. */
const struct shk_user *shk_user_of(struct shk_eval_ctx *ctx, uid_t uid);
const struct shk_group *shk_group_of(struct shk_eval_ctx *ctx, gid_t gid);

/* Called by shk_container_unref. */
void shk_users_free(struct shk_container *c);
/* Has this decision asked for one? */
bool shk_users_asked(const struct shk_container *c);

#endif
