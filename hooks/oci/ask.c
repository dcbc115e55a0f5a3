// SPDX-License-Identifier: Apache-2.0
#include "ask.h"

#include <errno.h>
#include <time.h>

#define BACKOFF_FIRST_MS 20
#define BACKOFF_LAST_MS	 500

/* Would the same request a moment later meet a supervisor? */
static bool passing(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE;
}

/* Until the time is up: an engine that is being restarted loses the connection, not the container. */
int shk_oci_ask(const char *socket, struct json_object *request, const int *fds, size_t nfds,
		uint64_t due, struct shk_client **keep, struct json_object **ret, bool *absent,
		struct shk_err *err)
{
	unsigned wait_ms = BACKOFF_FIRST_MS;

	for (;;) {
		SHK_CLEANUP(shk_client_freep) struct shk_client *c = NULL;
		uint64_t now = shk_now_mono();
		bool again;
		int r;

		r = shk_client_connect(socket, &c, err);
		again = r < 0 && passing(r);
		*absent = r < 0;
		if (r == 0) {
			int left = now < due ? (int)((due - now) / 1000000) + 1 : 1;

			r = shk_client_call(c, request, fds, nfds, NULL, NULL, left, ret, err);
			/* -ENOENT of the server's own answer is final. */
			again = r == -ECONNRESET || r == -EPIPE;
			*absent = again || r == -ETIMEDOUT;
			if (r == 0 && keep)
				*keep = TAKE_PTR(c);
		}
		now = shk_now_mono();
		if (!again || now + wait_ms * 1000000ull >= due)
			return r;
		clock_nanosleep(CLOCK_MONOTONIC, 0,
				&(struct timespec){ .tv_nsec = wait_ms * 1000000L }, NULL);
		wait_ms = SHK_MIN(wait_ms * 2, BACKOFF_LAST_MS);
	}
}
