/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - Falco's text line and its time forms.
 *
 * What shk_record_text (alert.h) does, for those who have the record parsed already. No state.
 */
#ifndef SHK_ALERTS_TEXT_H
#define SHK_ALERTS_TEXT_H

#include <stdint.h>

#include "base/str.h"

struct json_object;

/* "HH:MM:SS.nnnnnnnnn", local time. */
void shk_text_time_local(struct shk_buf *out, uint64_t ns);
/* "YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ", UTC. */
void shk_text_time_utc(struct shk_buf *out, uint64_t ns);

/* Appends the text line of a parsed record, without a newline. 0, or -EINVAL: not a record. */
int shk_record_text_of(struct json_object *record, bool iso8601, struct shk_buf *out);
/* The message alone: rule output without time and priority. A view into the record. */
struct shk_str shk_text_message(struct json_object *record);

/* String member of an object, p NULL when absent or of another type; NUL bytes inside are kept. */
struct shk_str shk_text_member(struct json_object *o, const char *key);

#endif
