// SPDX-License-Identifier: Apache-2.0
/*
 * The operation `record`: the recorder's queue on its way to the one who asked (docs/CONTROL.md).
 */
#include <errno.h>
#include <json-c/json.h>

#include "engine/internal.h"

#define PIECE (64u << 10)

/* "containers": ids or names. The array and its texts belong to the request. */
static int names_of(struct json_object *req, struct shk_str *name, size_t *n, struct shk_err *err)
{
	struct json_object *v, *list;

	*n = 0;
	if (!json_object_object_get_ex(req, "containers", &v) || !v)
		return 0;
	list = shk_json_array(req, "containers");
	if (!list || json_object_array_length(list) > SHK_RECORDER_ONLY)
		return shk_err_set(err, EINVAL, "\"containers\" is a list of at most %u ids or names", SHK_RECORDER_ONLY);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (!json_object_is_type(o, json_type_string) || json_object_get_string_len(o) == 0 ||
		    memchr(json_object_get_string(o), 0, (size_t)json_object_get_string_len(o)))
			return shk_err_set(err, EINVAL, "\"containers\" has something that is no id and no name");
		name[(*n)++] = (struct shk_str){ json_object_get_string(o), (size_t)json_object_get_string_len(o) };
	}
	return 0;
}

int shk_op_record(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	struct shk_str name[SHK_RECORDER_ONLY];
	size_t n;
	int r = names_of(req, name, &n, err);

	if (r == 0)
		r = shk_recorder_start(&pc->g->recorder, pc->g->hostname, name, n, err);
	if (r < 0)
		return r;
	shk_info("process %d records events", (int)pc->peer.pid);
	pc->record = true;
	return 0;
}

static bool send_more(struct shk_peerconn *pc, const char *name, struct json_object *value)
{
	struct json_object *line = json_object_new_object(), *more = json_object_new_object();
	bool sent = false;

	if (line && more && value) {
		json_object_object_add(more, name, value);
		json_object_object_add(line, "more", more);
		sent = shk_conn_send(&pc->conn, line) >= 0;
	} else {
		json_object_put(more);
		json_object_put(value);
	}
	json_object_put(line);
	return sent;
}

static void end(struct shk_peerconn *pc)
{
	pc->record = false;
	pc->busy = false;
	pc->closing = true;
	(void)shk_conn_ok(&pc->conn, NULL);
}

void shk_record_send(struct shk_peerconn *pc)
{
	struct shk_buf piece;

	shk_buf_init(&piece, PIECE);
	while (pc->conn.out.n - pc->conn.out_done <= SHK_CONTROL_ANSWER_MAX / 2) {
		uint64_t lost = 0;

		shk_buf_reset(&piece);
		shk_recorder_take(&pc->g->recorder, PIECE, &piece, &lost);
		if (piece.n && !send_more(pc, "text", json_object_new_string_len(piece.p, (int)piece.n)))
			break;
		if (lost && !send_more(pc, "lost", json_object_new_uint64(lost)))
			break;
		if (!piece.n) {
			if (pc->conn.eof)
				end(pc);
			break;
		}
	}
	shk_buf_done(&piece);
}

void shk_record_finish(struct shk_peerconn *pc)
{
	shk_recorder_stop(&pc->g->recorder);
	/* Nothing more is read; what the queue has still goes out. */
	pc->conn.eof = true;
	pc->busy = true;
}

/* ---- the program that the engine is part of ---- */

int shk_engine_record(struct shk_engine *g, struct shk_err *err)
{
	return shk_recorder_start(&g->recorder, g->hostname, NULL, 0, err);
}

void shk_engine_recorded(struct shk_engine *g, size_t max, struct shk_buf *out, uint64_t *lost)
{
	shk_recorder_take(&g->recorder, max, out, lost);
}

void shk_engine_record_end(struct shk_engine *g)
{
	shk_recorder_stop(&g->recorder);
}

void shk_record_drop(struct shk_peerconn *pc)
{
	if (!pc->record)
		return;
	pc->record = false;
	shk_recorder_stop(&pc->g->recorder);
}
