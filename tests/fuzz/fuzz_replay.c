// SPDX-License-Identifier: Apache-2.0
/* Any text as a recording: every field of every event is asked for, and its effects are applied. */
#include <stdlib.h>

#include "sources/replay/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_everything(struct shk_eval_ctx *ctx)
{
	const struct shk_field *const *all;
	size_t n;

	all = shk_fields_all(&n);
	for (size_t i = 0; i < n; i++) {
		struct shk_field_ref ref = { .field = all[i], .type = all[i]->type };
		struct shk_value v = { 0 };
		struct shk_buf b;

		if (all[i]->flags & (SHK_F_ARG_REQUIRED | SHK_F_FILTER_ONLY))
			continue;
		shk_buf_init(&b, 1u << 20);
		if (shk_field_get(ctx, &ref, &v))
			shk_value_print(&v, all[i], &b);
		shk_buf_done(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_replay *r;
	struct shk_eval_ctx ctx;
	struct shk_err err = { 0 };
	int rc;

	if (size > 1u << 20 ||
	    shk_replay_open_text("fuzz", (struct shk_str){ (const char *)data, size }, &r, NULL) < 0)
		return 0;
	for (unsigned n = 0; n < 200; n++) {
		rc = shk_replay_next(r, &ctx, &err);
		if (rc < 0 && !err.text[0])
			abort();
		if (rc <= 0)
			break;
		ask_everything(&ctx);
	}
	shk_replay_free(r);
	return 0;
}
