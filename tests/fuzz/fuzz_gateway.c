// SPDX-License-Identifier: Apache-2.0
/* What the gateway reads from files and from the engine: records of the spool, state of outputs, frames; and options. */
#include <unistd.h>

#include "alerts/gateway_proto.h"
#include "engine/config.h"
#include "shrike-gateway/outlet.h"
#include "shrike-gateway/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void options(struct shk_str text)
{
	struct shk_config *c = NULL, *again = NULL;
	struct shk_err err;
	struct shk_buf dump;

	if (shk_config_load_text("f", text, &c, &err) < 0)
		return;
	/* What is printed can be read, and says the same. */
	shk_buf_init(&dump, 1u << 22);
	shk_config_dump(c, &dump);
	if (!dump.failed && shk_config_load_text("dump", shk_buf_view(&dump), &again, &err) < 0)
		abort();
	shk_buf_done(&dump);
	shk_config_free(again);
	shk_config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct shk_frame_head head;
	struct shk_spool_item it;
	struct shk_outlet_kept kept;
	struct shk_str text;
	size_t at = 0;
	ssize_t r;

	if (!n)
		return 0;
	switch (p[0] % 4) {
	case 0:
		if (shk_frame_parse(p + 1, n - 1, &head, &text) == 0 && text.n > n)
			abort();
		break;
	case 1:
		while (at < n - 1 && (r = shk_record_get(p + 1 + at, n - 1 - at, &it, &text)) > 0) {
			if ((size_t)r > n - 1 - at || it.rank >= SHK_RANKS)
				abort();
			at += (size_t)r;
		}
		break;
	case 2:
		if (shk_outlet_parse(p + 1, n - 1, &kept) && kept.bit >= 32)
			abort();
		break;
	default:
		options((struct shk_str){ (const char *)p + 1, n - 1 });
	}
	return 0;
}
