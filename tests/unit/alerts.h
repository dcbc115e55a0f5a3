/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/alerts share: a rule that matched, in a container, on a call. */
#ifndef SHK_TESTS_UNIT_ALERTS_H
#define SHK_TESTS_UNIT_ALERTS_H

#include "alerts/alert.h"

struct json_object;

struct fixture {
	struct shk_rule_info rule;
	struct shk_str tags[2];
	struct shk_policy policy;
	struct shk_container *ctr;
	struct shk_syscall call;
	struct shk_event ev;
	struct shk_eval_ctx ctx;
	struct shk_alert alert;
};

/* message: the text of the alert. */
void fixture_init(struct fixture *f, const char *message);
void fixture_done(struct fixture *f);
/* The record, as text; the caller frees p. */
struct shk_str fixture_render(struct fixture *f);
/* The record, parsed; the caller puts it. */
struct json_object *fixture_record(struct fixture *f);
/* Member at a dotted path ("shrike/container/id"), NULL when absent. */
struct json_object *at(struct json_object *o, const char *path);
const char *text_at(struct json_object *o, const char *path);

#endif
