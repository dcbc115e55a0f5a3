// SPDX-License-Identifier: Apache-2.0
/*
 * The operation `record`: the recorder's queue on its way to the one who asked (docs/CONTROL.md).
 */
#include <errno.h>
#include <json-c/json.h>

#include "engine/internal.h"

#define PIECE (64u << 10)

int shk_op_record(struct shk_peerconn *pc, struct json_object *req, struct shk_err *err)
{
	int r = shk_recorder_start(&pc->g->recorder, pc->g->hostname, err);

	(void)req;
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

void shk_record_drop(struct shk_peerconn *pc)
{
	if (!pc->record)
		return;
	pc->record = false;
	shk_recorder_stop(&pc->g->recorder);
}
