// SPDX-License-Identifier: Apache-2.0
/*
 * The tests of src/alerts need no output template and no process table. These weak definitions
 * stand for them where the library has none to link; its own go before them.
 */
#include "rules/output.h"
#include "state/process.h"
#include "state/users.h"

__attribute__((weak)) void shk_output_render(const struct shk_output *o, struct shk_eval_ctx *ctx,
					     struct shk_buf *out)
{
	(void)o;
	(void)ctx;
	(void)out;
}

__attribute__((weak)) int shk_output_fields(const struct shk_output *o, struct shk_eval_ctx *ctx,
					    struct json_object *fields)
{
	(void)o;
	(void)ctx;
	(void)fields;
	return 0;
}

__attribute__((weak)) void shk_procs_free(struct shk_container *c)
{
	shk_map_done(&c->procs);
}

__attribute__((weak)) void shk_users_free(struct shk_container *c)
{
	(void)c;
}
