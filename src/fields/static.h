/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static.h - fields whose value is the same for every event: static.KEY, from a configuration.
 *
 * They belong to the process, as the configuration does: set before rules are loaded, on any thread. Rules that
 * were loaded keep the values of that time, so what was a field once is never freed; setting equal ones
 * again costs nothing.
 */
#ifndef SHK_FIELDS_STATIC_H
#define SHK_FIELDS_STATIC_H

#include "fields/fields.h"

#define SHK_STATIC_MAX	     64	  /* fields */
#define SHK_STATIC_KEY_MAX   56	  /* bytes */
#define SHK_STATIC_VALUE_MAX 4096 /* bytes */

struct shk_static_field {
	struct shk_str key, value;
};

/* Can it be the key of one? Words of letters, digits and _ that begin with a letter, dots between them. */
bool shk_static_key_good(struct shk_str key);
/* These are the fields from now on (copied), sorted by key. Keys are good and each is there once. -ENOMEM, -E2BIG:
 * nothing changed. */
int shk_static_fields_set(const struct shk_static_field *v, size_t n);
/* The i-th of those that are set; NULL: there are no more. */
const struct shk_field *shk_static_field_at(size_t i);
/* The one of this name ("static.KEY"), or NULL. */
const struct shk_field *shk_static_field_find(struct shk_str name);

#endif
