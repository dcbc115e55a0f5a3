/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_container.h - a running container by the name a person gives it, from the state its runtime keeps.
 *
 * Files are read with the caller's rights, nothing is executed.
 */
#ifndef SHK_SHRIKE_FIND_CONTAINER_H
#define SHK_SHRIKE_FIND_CONTAINER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct json_object;

struct shk_found {
	char *id;
	char *bundle;		    /* NULL: not known */
	const char *runtime;	    /* "runc", "crun", NULL */
	pid_t pid;		    /* its init, which was alive */
	uint64_t start;		    /* of that process, clock ticks since boot */
	struct json_object *config; /* config.json, NULL: none */
};

/* what: an id, the beginning of one that no other has, or the name that podman or docker gave. root: the directory of a
 * runtime's states (its --root), NULL: those of runc, crun, docker and containerd. -ENOENT, -EINVAL (several). */
int shk_find_container(const char *root, const char *what, struct shk_found *ret, struct shk_err *err);

/* Frees what was found; zeroes are nothing. */
void shk_found_done(struct shk_found *f);

#endif
