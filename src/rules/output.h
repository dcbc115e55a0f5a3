/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - output templates (FALCO_RULE_LANGUAGE section 17).
 *
 * Compiled once at load, rendered once per alert on the evaluating thread.
 */
#ifndef SHK_RULES_OUTPUT_H
#define SHK_RULES_OUTPUT_H

#include "fields/fields.h"

struct json_object;
struct shk_output;

/* Compiles a template into `a`. -EINVAL with the offending token in err. */
int shk_output_compile(struct shk_arena *a, struct shk_str text, const struct shk_output **ret,
		       struct shk_err *err);
/* The i-th field that the template names (inside transformers, too), as written; p NULL: no more. */
struct shk_str shk_output_field(const struct shk_output *o, size_t i);
/* Appends the rendered text; missing values print <NA>. Control characters in values become U+FFFD. */
void shk_output_render(const struct shk_output *o, struct shk_eval_ctx *ctx, struct shk_buf *out);
/* Adds each field of the template to the JSON object `fields`: key as written, typed value, null when
 * missing (section 18). */
int shk_output_fields(const struct shk_output *o, struct shk_eval_ctx *ctx,
		      struct json_object *fields);

#endif
