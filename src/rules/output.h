/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - output templates (FALCO_RULE_LANGUAGE section 17).
 *
 * Compiled once at load, rendered once per alert on the evaluating thread.
 */
#ifndef SHK_RULES_OUTPUT_H
#define SHK_RULES_OUTPUT_H

#include "base/map.h"
#include "fields/fields.h"

struct json_object;
struct shk_output;

/* Compiles a template into `a`. -EINVAL with the offending token in err. */
int shk_output_compile(struct shk_arena *a, struct shk_str text, const struct shk_output **ret,
		       struct shk_err *err);
/* Many templates of one arena: what they print is mostly the same, and kept once. Empty one: { 0 }. */
struct shk_output_pool {
	struct shk_map by_key;
};
void shk_output_pool_done(struct shk_output_pool *p);
/* The same; text is in the arena already. */
int shk_output_compile_in(struct shk_arena *a, struct shk_output_pool *p, struct shk_str text,
			  const struct shk_output **ret, struct shk_err *err);
/* The i-th field that the template names (inside transformers, too), as written; p NULL: no more. */
struct shk_str shk_output_field(const struct shk_output *o, size_t i);
/* Appends the rendered text; missing values print <NA>. Control characters in values become U+FFFD. */
void shk_output_render(const struct shk_output *o, struct shk_eval_ctx *ctx, struct shk_buf *out);
/* Adds each field of the template to the JSON object `fields`: key as written, typed value, null when
 * missing (section 18). */
int shk_output_fields(const struct shk_output *o, struct shk_eval_ctx *ctx,
		      struct json_object *fields);

#endif
