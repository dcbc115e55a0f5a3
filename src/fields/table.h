/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - what the files of this folder share: the tables and the ways to fill a value.
 *
 * Each class file defines one table of constant rows; registry.c lists the tables in the order in
 * which `shrike list fields` prints them. A row is added in its class file only.
 */
#ifndef SHK_FIELDS_TABLE_H
#define SHK_FIELDS_TABLE_H

#include "fields/fields.h"

struct shk_field_table {
	const struct shk_field *rows;
	size_t n;
};

#define SHK_FIELD_TABLE(name, array)                                                               \
	const struct shk_field_table name = { (array), SHK_ARRAY_SIZE(array) }

extern const struct shk_field_table shk_table_evt, shk_table_evt_data, shk_table_evt_category,
	shk_table_evt_time, shk_table_evt_args,
	shk_table_proc,
	shk_table_proc_ancestors, shk_table_proc_exe, shk_table_proc_std, shk_table_proc_usage,
	shk_table_thread, shk_table_user, shk_table_fd,
	shk_table_fd_net, shk_table_fdlist, shk_table_fs, shk_table_container, shk_table_container_mount,
	shk_table_shrike, shk_table_absent, shk_table_plugins;

/* Setters: all return true, so that an extractor ends with one of them. */
static inline bool shk_set_bool(struct shk_value *out, bool b)
{
	out->b = b;
	return true;
}

static inline bool shk_set_i(struct shk_value *out, int64_t i)
{
	out->i = i;
	return true;
}

static inline bool shk_set_u(struct shk_value *out, uint64_t u)
{
	out->u = u;
	return true;
}

static inline bool shk_set_str(struct shk_value *out, struct shk_str s)
{
	out->s = s;
	return true;
}

static inline bool shk_set_z(struct shk_value *out, const char *z)
{
	out->s = shk_str(z);
	return true;
}

/* A text that may be absent (p NULL: no memory, or unknown): then the value is missing. */
static inline bool shk_set_opt(struct shk_value *out, struct shk_str s)
{
	out->s = s;
	return s.p != NULL;
}

/* A copy of what a printer left in b; missing when the printer or the arena gave up. */
bool shk_set_buf(struct shk_eval_ctx *ctx, struct shk_value *out, struct shk_buf *b);

/* Upper limit of a text made from several parts (evt.args, proc.cmdline, ...). */
#define SHK_FIELD_TEXT_MAX 65536u

static inline bool shk_set_double(struct shk_value *out, double d)
{
	out->u = shk_double_order(d);
	return true;
}

/* The getter of fields that never have a value. */
bool shk_field_missing(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out);

/* ---- what evt.c knows of a result; used wherever success matters ---- */

/* The return value judged: that of the call, or of the success supposed for an attempt. false: the
 * event has no result. */
bool shk_event_result(const struct shk_event *ev, int64_t *ret);
/* The call is known to fail, or did. */
bool shk_event_failed(const struct shk_event *ev);

/* ---- evt_data.c, evt_category.c ---- */

enum shk_io { SHK_IO_NONE, SHK_IO_READ, SHK_IO_WRITE };
/* Does the call move data through a descriptor, and which way? */
enum shk_io shk_event_io(const struct shk_event *ev);
/* evt.category; never NULL. Looks at the descriptor for calls that read and write. */
const char *shk_event_category(struct shk_eval_ctx *ctx);

#endif
