/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci.h - reading what an OCI runtime gives: the state on stdin, the bundle's config.json.
 *
 * Shared by shrike-hook and shrike-runtime. Both texts may be of any size and shape; errors are one line
 * with the remedy. Objects returned are the caller's (json_object_put). No state, one thread.
 */
#ifndef SHK_HOOKS_OCI_H
#define SHK_HOOKS_OCI_H

#include "control/control.h"

#define SHK_OCI_STATE_MAX  (1u << 20)
#define SHK_OCI_CONFIG_MAX (4u << 20)
#define SHK_OCI_ID_MAX	   1024 /* crun and runc take less: it is a file name */

struct shk_oci_state {
	struct json_object *json; /* owned, the views point into it */
	struct shk_str id, bundle, status, version;
	pid_t pid; /* 0: none */
};

int shk_oci_state_parse(struct shk_str text, struct shk_oci_state *ret, struct shk_err *err);
int shk_oci_state_read(int fd, struct shk_oci_state *ret, struct shk_err *err);
void shk_oci_state_done(struct shk_oci_state *s);

/* An id that can be a file name of a runtime's state directory and be printed. */
bool shk_oci_id_ok(struct shk_str id);

int shk_oci_config_parse(struct shk_str text, struct json_object **ret, struct shk_err *err);
int shk_oci_config_read(const char *path, struct json_object **ret, struct shk_err *err);
/* root.path, made absolute against bundle; malloc'ed. */
int shk_oci_rootfs(struct shk_str bundle, struct json_object *config, char **ret,
		   struct shk_err *err);
/* The "config" member of docs/CONTROL.md. seccomp: what to send as linux.seccomp, NULL for its facts alone.
 * NULL: no memory. */
struct json_object *shk_oci_facts(struct shk_str bundle, struct shk_str id, struct json_object *config,
				  struct json_object *seccomp);
/* String annotations of config.json, those of the state over them (either may be NULL). */
struct json_object *shk_oci_annotations(struct json_object *config, struct json_object *state);

/* "program: text" on stderr, one line whatever the text holds. */
void shk_oci_say(const char *program, const char *text);

#endif
