// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/io.h"

int shk_stream_shape(struct shk_sink *s, struct shk_line *l)
{
	if (s->cfg.json) {
		shk_buf_addstr(&s->out, l->json);
	} else {
		struct json_object *record = shk_line_parse(l);
		int rc = record ? shk_record_text_of(record, s->cfg.iso8601, &s->out) : -EINVAL;

		json_object_put(record);
		if (rc < 0)
			return rc;
	}
	shk_buf_addc(&s->out, '\n');
	return s->out.failed ? -ENOMEM : 0;
}

static ssize_t put_some(struct shk_sink *s)
{
	const char *p = s->out.p + s->off;
	size_t n = s->out.n - s->off;

	if (s->socket)
		return send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->may_block) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };

		/* Not ours to make non-blocking: others write to the same open file. A pipe that is
		 * writable takes PIPE_BUF bytes at once. */
		if (poll(&pfd, 1, 0) != 1) {
			errno = EAGAIN;
			return -1;
		}
		n = SHK_MIN(n, (size_t)PIPE_BUF);
	}
	return write(s->fd, p, n);
}

int shk_stream_send(struct shk_sink *s)
{
	while (s->off < s->out.n) {
		ssize_t n = put_some(s);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EWOULDBLOCK)
			return -EAGAIN;
		if (n < 0 && s->regular && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
			/* Room may come back; the line then goes on where it broke off, so the file stays
			 * open. */
			atomic_store(&s->error, errno);
			atomic_fetch_add(&s->failed, 1);
			s->retry_at = shk_now_mono() + SHK_NS_PER_S;
			return -EAGAIN;
		}
		if (n < 0)
			return -errno;
		s->off += (size_t)n;
	}
	return 0;
}

void shk_stream_close(struct shk_sink *s, bool last, uint64_t until)
{
	(void)last;
	(void)until;
	shk_close(&s->fd);
}
