// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <errno.h>

int rc_world_open(struct rc_world *w, struct shk_str text)
{
	const char *all;

	memset(w, 0, sizeof(*w));
	shk_arena_init(&w->text, (size_t)16 << 20);
	shk_arena_init(&w->scratch, (size_t)4 << 20);
	all = shk_arena_printf(&w->text, "%s\n" SHK_STR_FMT "\n", SHK_TEXT_HEAD, SHK_STR_ARG(text));
	if (!all)
		return -ENOMEM;
	shk_text_init(&w->reader, shk_str(all));
	return 0;
}

void rc_world_close(struct rc_world *w)
{
	shk_arena_done(&w->text);
	shk_arena_done(&w->scratch);
}

int rc_world_next(struct rc_world *w, struct shk_err *err)
{
	int r;

	shk_arena_reset(&w->scratch);
	r = shk_text_next(&w->reader, &w->scratch, &w->rec, err);
	if (r <= 0)
		return r;
	if (w->rec.kind != SHK_TEXT_EVENT)
		return shk_err_set(err, EINVAL, "line %u: no event", w->rec.line);
	w->ctx = (struct shk_eval_ctx){ .ev = &w->rec.event };
	w->num++;
	if (!w->rec.event.num)
		w->rec.event.num = w->num;
	return 1;
}
