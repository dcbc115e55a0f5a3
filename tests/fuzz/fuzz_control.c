// SPDX-License-Identifier: Apache-2.0
/* Any bytes on a control connection, in pieces: the framing neither reads past its buffer nor grows
 * past its limits, and what it accepts can be answered. */
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_conn c;
	size_t done = 0, piece;
	int sv[2];

	if (!size || size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return 0;
	shk_conn_init(&c, sv[0]);
	piece = (size_t)data[0] + 1;
	while (done < size) {
		size_t n = SHK_MIN(piece, size - done);
		struct json_object *o = NULL;
		struct shk_err err = { 0 };
		char junk[4096];
		int r;

		if (send(sv[1], data + done, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			break;
		done += n;
		while ((r = shk_conn_read(&c, &o, &err)) == 1) {
			if (!shk_json_str(o, "op").n || shk_json_int(o, "v", 0) != 1)
				abort();
			shk_conn_ok(&c, o);
			o = NULL;
		}
		if (r < 0) {
			if (!err.text[0])
				abort();
			shk_conn_fail(&c, &err);
			break;
		}
		while (recv(sv[1], junk, sizeof(junk), MSG_DONTWAIT) > 0)
			;
	}
	shk_conn_done(&c);
	close(sv[1]);
	return 0;
}
