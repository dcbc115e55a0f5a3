/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver.h - puts the filter of a session on this process and hands its listener over.
 */
#ifndef SHK_HOOKS_DELIVER_H
#define SHK_HOOKS_DELIVER_H

#include "control/control.h"

/* answer: of op session, with "deliver":"self"; c: its connection. After 0 this process and what it executes
 * is under the filter. After an error it may be too, with nobody answering: the caller ends at once, by
 * _exit. What is said in that state (`say`) is called in a child without the filter. */
int shk_deliver_self(struct shk_client *c, struct json_object *answer, const char *id,
		     int timeout_ms, void (*say)(int status, const char *text, void *arg), void *arg);

/* RFC 4648, padded, nothing else; malloc'ed, NULL with *n = 0 for malformed text or without memory. */
void *shk_base64_decode(struct shk_str text, size_t *n);

#endif
