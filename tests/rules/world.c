// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <errno.h>

int rc_world_open(struct rc_world *w, struct shk_str text, struct shk_err *err)
{
	memset(w, 0, sizeof(*w));
	shk_buf_init(&w->text, (size_t)16 << 20);
	shk_buf_printf(&w->text, "%s\n" SHK_STR_FMT "\n", SHK_TEXT_HEAD, SHK_STR_ARG(text));
	if (w->text.failed)
		return shk_err_sys(err, ENOMEM, "events of a case");
	return shk_replay_open_text("events", shk_buf_view(&w->text), &w->replay, err);
}

void rc_world_close(struct rc_world *w)
{
	shk_replay_free(w->replay);
	shk_buf_done(&w->text);
}

int rc_world_next(struct rc_world *w, struct shk_err *err)
{
	return shk_replay_next(w->replay, &w->ctx, err);
}
