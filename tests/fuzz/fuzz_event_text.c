// SPDX-License-Identifier: Apache-2.0
/* Any text as a recording: it is read or refused with a reason, and an event that was read prints as a
 * line that reads and prints the same again. */
#include <errno.h>
#include <stdlib.h>

#include "event/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(struct shk_text_record *rec, struct shk_arena *arena)
{
	struct shk_str container;
	struct shk_buf one, two;
	struct shk_err err = { 0 };
	struct shk_event ev;
	int r;

	shk_buf_init(&one, 8u << 20);
	shk_buf_init(&two, 8u << 20);
	shk_event_print_in(&rec->event, rec->container, &one);
	r = shk_event_parse(shk_buf_view(&one), arena, &ev, &container, &err);
	if (r < 0 && r != -ENOMEM)
		abort();
	if (r == 0) {
		shk_event_print_in(&ev, container, &two);
		if (!one.failed && !two.failed && !arena->failed &&
		    !shk_str_eq(shk_buf_view(&one), shk_buf_view(&two)))
			abort();
	}
	shk_buf_done(&one);
	shk_buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_text_reader r;
	struct shk_arena arena;
	struct shk_err err = { 0 };
	int rc = 0;

	if (size > 1u << 20)
		return 0;
	shk_arena_init(&arena, 32u << 20);
	shk_text_init(&r, (struct shk_str){ (const char *)data, size });
	for (unsigned n = 0; n < 200; n++) {
		struct shk_text_record rec;

		shk_arena_reset(&arena);
		rc = shk_text_next(&r, &arena, &rec, &err);
		if (rc <= 0)
			break;
		if (rec.kind == SHK_TEXT_EVENT) {
			for (unsigned i = 0; i < 6; i++)
				(void)shk_event_arg(&rec.event, i)->state;
			again(&rec, &arena);
		}
	}
	if (rc < 0 && !err.text[0])
		abort();
	shk_arena_done(&arena);
	return 0;
}
