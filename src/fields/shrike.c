// SPDX-License-Identifier: Apache-2.0
/*
 * shrike.c - what only this supervisor knows of an event.
 */
#include "fields/table.h"

static bool attempt_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	(void)ref;
	return shk_set_bool(out, ctx->ev->attempt);
}

static bool sensor_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	(void)ref;
	return shk_set_z(out, shk_sensor_name(ctx->ev->sensor));
}

static const struct shk_field table[] = {
	{ .name = "evt.attempt", .class_name = "evt", .type = SHK_T_BOOL, .falco_type = "BOOL",
	  .flags = SHK_F_STABLE, .get = attempt_get,
	  .doc = "The call has not been performed yet; its result is what is expected." },
	{ .name = "evt.sensor", .class_name = "evt", .type = SHK_T_STRING, .falco_type = "CHARBUF",
	  .flags = SHK_F_STABLE, .get = sensor_get,
	  .doc = "Where the event comes from: notify, module, ptrace or replay." },
};

SHK_FIELD_TABLE(shk_table_shrike, table);
