/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.h - a batch of records as the message that a kind of output takes.
 *
 * What a container chose (arguments, paths) is in the records: it is escaped for each format so that it is shown and
 * does nothing. No state.
 */
#ifndef SHK_GATEWAY_SHAPE_H
#define SHK_GATEWAY_SHAPE_H

#include "shrike-gateway/outlet.h"

#define SHK_BODY_MAX (8u << 20)

/* Writes the message for o's batch into o->body (reset first). 0, -ENOMEM, -EINVAL: a record is none. */
int shk_shape(struct shk_outlet *o);
/* The parts, for mail: RFC 5322. stamp: time_t of the Date header. */
int shk_shape_mail(struct shk_outlet *o, int64_t stamp);

/* Message of a record, without control characters, at most max bytes. */
void shk_shape_text(struct shk_buf *out, struct json_object *record, size_t max);
/* "name (id)" of the record's container, or nothing. */
void shk_shape_container(struct shk_buf *out, struct json_object *record);

#endif
