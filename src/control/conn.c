// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/socket.h>

#include "control/control.h"

#define SEND_CHUNK (256u << 10)

void shk_conn_init(struct shk_conn *c, int fd)
{
	*c = (struct shk_conn){ .fd = fd };
	shk_buf_init(&c->in, SHK_CONTROL_REQUEST_MAX + 65536);
	shk_buf_init(&c->out, 2 * SHK_CONTROL_ANSWER_MAX);
	for (size_t i = 0; i < SHK_MAX_FDS; i++)
		c->fds[i] = -1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void drop_fds(struct shk_conn *c)
{
	for (size_t i = 0; i < c->nfds; i++)
		shk_close(&c->fds[i]);
	c->nfds = 0;
	c->given = false;
}

void shk_conn_done(struct shk_conn *c)
{
	drop_fds(c);
	shk_close(&c->fd);
	shk_buf_done(&c->in);
	shk_buf_done(&c->out);
}

/* Takes the first n bytes of the input and the line feed behind them. */
static int take_line(struct shk_conn *c, size_t n, struct json_object **ret, struct shk_err *err)
{
	struct json_object *o;
	int64_t v;

	if (n > SHK_CONTROL_REQUEST_MAX)
		return shk_err_set(err, EMSGSIZE, "request longer than %u bytes",
				   SHK_CONTROL_REQUEST_MAX);
	o = shk_json_parse((struct shk_str){ c->in.p, n }, SHK_CONTROL_REQUEST_MAX, err);
	memmove(c->in.p, c->in.p + n + 1, c->in.n - n - 1);
	c->in.n -= n + 1;
	if (!o)
		return shk_err_prefix(err, "request");
	v = shk_json_int(o, "v", -1);
	if (v != SHK_CONTROL_VERSION) {
		json_object_put(o);
		return shk_err_set(err, EPROTO,
				   "server speaks version %d of the control protocol, the request has "
				   "version %lld; update the older program",
				   SHK_CONTROL_VERSION, (long long)v);
	}
	if (!shk_json_str(o, "op").n) {
		json_object_put(o);
		return shk_err_set(err, EBADMSG, "request: no \"op\"");
	}
	*ret = o;
	c->given = true;
	return 1;
}

int shk_conn_read(struct shk_conn *c, struct json_object **ret, struct shk_err *err)
{
	size_t looked = 0;

	if (c->given)
		drop_fds(c);
	for (;;) {
		int fds[SHK_MAX_FDS];
		size_t nfds = SHK_MAX_FDS;
		bool partial = c->in.n > 0;
		char tmp[16384], *nl;
		ssize_t n;

		nl = c->in.n > looked ? memchr(c->in.p + looked, '\n', c->in.n - looked) : NULL;
		if (nl)
			return take_line(c, (size_t)(nl - c->in.p), ret, err);
		looked = c->in.n;
		if (c->in.n > SHK_CONTROL_REQUEST_MAX)
			return shk_err_set(err, EMSGSIZE, "request longer than %u bytes",
					   SHK_CONTROL_REQUEST_MAX);
		if (c->eof)
			return shk_err_set(err, ECONNRESET, "connection closed%s",
					   partial ? " within a request" : "");
		n = shk_recv_fds(c->fd, tmp, sizeof(tmp), fds, &nfds, MSG_DONTWAIT);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return shk_err_sys(err, ECONNRESET, "receive");
		if (nfds && (partial || c->nfds)) {
			for (size_t i = 0; i < nfds; i++)
				close(fds[i]);
			return shk_err_set(err, EBADMSG,
					   "descriptors must come with the first byte of a request");
		}
		if (nfds) {
			memcpy(c->fds, fds, nfds * sizeof(*fds));
			c->nfds = nfds;
		}
		if (n == 0)
			c->eof = true;
		shk_buf_add(&c->in, tmp, (size_t)n);
		if (c->in.failed)
			return shk_err_set(err, ENOMEM, "out of memory");
	}
}

int shk_conn_flush(struct shk_conn *c)
{
	while (c->out_done < c->out.n) {
		size_t left = c->out.n - c->out_done;
		ssize_t n = send(c->fd, c->out.p + c->out_done, SHK_MIN(left, SEND_CHUNK),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0)
			return -errno;
		c->out_done += (size_t)n;
	}
	shk_buf_reset(&c->out);
	c->out_done = 0;
	return 0;
}

int shk_conn_send(struct shk_conn *c, struct json_object *line)
{
	size_t n, unsent = c->out.n - c->out_done;
	const char *text;
	int r;

	text = json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	if (!text)
		return -ENOMEM;
	/* A reader that does not read must not make this process grow. */
	if (n + 1 > SHK_CONTROL_ANSWER_MAX || unsent > SHK_CONTROL_ANSWER_MAX - n - 1)
		return -ENOBUFS;
	if (c->out_done) {
		memmove(c->out.p, c->out.p + c->out_done, unsent);
		c->out.n = unsent;
		c->out_done = 0;
	}
	shk_buf_add(&c->out, text, n);
	shk_buf_addc(&c->out, '\n');
	if (c->out.failed) {
		c->out.failed = false;
		c->out.n = unsent; /* nothing of this line, the ones before stay whole */
		return -ENOMEM;
	}
	r = shk_conn_flush(c);
	return r < 0 ? r : 0;
}

static int send_final(struct shk_conn *c, bool ok, struct json_object *extra /* consumed */)
{
	struct json_object *o = json_object_new_object();
	int r = -ENOMEM;

	if (!o)
		goto out;
	json_object_object_add(o, "v", json_object_new_int(SHK_CONTROL_VERSION));
	json_object_object_add(o, "ok", json_object_new_boolean(ok));
	if (extra) {
		json_object_object_foreach(extra, key, val)
			json_object_object_add(o, key, json_object_get(val));
	}
	r = shk_conn_send(c, o);
out:
	json_object_put(o);
	json_object_put(extra);
	return r;
}

int shk_conn_ok(struct shk_conn *c, struct json_object *extra)
{
	return send_final(c, true, extra);
}

int shk_conn_fail(struct shk_conn *c, const struct shk_err *err)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return -ENOMEM;
	json_object_object_add(o, "error", json_object_new_string(err->text));
	json_object_object_add(o, "errno", json_object_new_int(err->errnum));
	return send_final(c, false, o);
}
