// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"
#include "control/places.h"

struct shk_client {
	int fd;
	struct shk_buf in; /* bytes behind the last line */
	char *path;
};

static const char *socket_path(const char *path, char *buf, size_t size)
{
	struct shk_err ignored;

	if (!path)
		path = getenv("SHRIKE_SOCKET");
	if (path && *path)
		return path;
	if (shk_is_rootless() && shk_place(SHK_PLACE_RUNTIME, SHK_CONTROL_NAME, buf, size, &ignored) == 0 &&
	    access(buf, F_OK) == 0)
		return buf;
	return SHK_CONTROL_SOCKET;
}

static int connect_failed(const char *path, int r, struct shk_err *err)
{
	switch (-r) {
	case ENOENT:
		return shk_err_set(err, ENOENT, "no control socket at %s; start shriked, or name its "
				   "socket with --socket (shrike-runtime: --shrike-socket) or SHRIKE_SOCKET",
				   path);
	case ECONNREFUSED:
		return shk_err_set(err, ECONNREFUSED,
				   "nobody listens on %s; start shriked (systemctl start shriked)", path);
	case EACCES:
	case EPERM:
		return shk_err_set(err, -r, "no permission to use the control socket %s; "
				   "run as root or as the user shriked runs as, or start shriked --user "
				   "for containers of your own", path);
	case ETIMEDOUT:
		return shk_err_set(err, ETIMEDOUT,
				   "shriked does not accept connections on %s; see its log", path);
	}
	return r;
}

int shk_client_connect(const char *path, struct shk_client **ret, struct shk_err *err)
{
	char own[PATH_MAX];
	struct shk_client *c;
	int fd;

	path = socket_path(path, own, sizeof(own));
	fd = shk_connect_unix_within(path, SHK_CONTROL_CONNECT_MS, err);
	if (fd < 0)
		return connect_failed(path, fd, err);
	c = calloc(1, sizeof(*c));
	if (c)
		c->path = strdup(path);
	if (!c || !c->path) {
		free(c);
		close(fd);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	c->fd = fd;
	shk_buf_init(&c->in, SHK_CONTROL_ANSWER_MAX + 65536);
	*ret = c;
	return 0;
}

void shk_client_free(struct shk_client *c)
{
	if (!c)
		return;
	shk_close(&c->fd);
	shk_buf_done(&c->in);
	free(c->path);
	free(c);
}

int shk_client_fd(const struct shk_client *c)
{
	return c->fd;
}

/* Waits for events until due (0: for ever). */
static int wait_for(struct shk_client *c, short events, uint64_t due, struct shk_err *err)
{
	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = events };
		uint64_t now = shk_now_mono();
		int ms = -1, r;

		if (due)
			ms = now >= due ? 0 : (int)SHK_MIN((due - now) / 1000000 + 1, 1u << 30);
		r = poll(&p, 1, ms);
		if (r > 0)
			return 0;
		if (r == 0)
			return shk_err_set(err, ETIMEDOUT, "no answer from %s in time; "
					   "see the log of shriked", c->path);
		if (errno != EINTR)
			return shk_err_sys(err, errno, "poll");
	}
}

static uint64_t due_in(int timeout_ms)
{
	return timeout_ms < 0 ? 0 : shk_now_mono() + (uint64_t)timeout_ms * 1000000 + 1;
}

static int send_request(struct shk_client *c, struct json_object *request, const int *fds,
			size_t nfds, int timeout_ms, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b;
	uint64_t due = due_in(timeout_ms);
	const char *text;
	size_t n, done = 0;

	json_object_object_add(request, "v", json_object_new_int(SHK_CONTROL_VERSION));
	text = json_object_to_json_string_length(
		request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	shk_buf_init(&b, SHK_CONTROL_REQUEST_MAX + 1);
	if (!text)
		return shk_err_set(err, ENOMEM, "out of memory");
	if (n > SHK_CONTROL_REQUEST_MAX)
		return shk_err_set(err, EMSGSIZE, "request of %zu bytes; the limit is %u", n,
				   SHK_CONTROL_REQUEST_MAX);
	shk_buf_add(&b, text, n);
	shk_buf_addc(&b, '\n');
	if (b.failed)
		return shk_err_set(err, ENOMEM, "out of memory");
	while (done < b.n) {
		ssize_t w = shk_send_fds(c->fd, b.p + done, b.n - done, fds, done ? 0 : nfds);

		if (w == -EAGAIN) {
			int r = wait_for(c, POLLOUT, due, err);

			if (r < 0)
				return r;
			continue;
		}
		if (w < 0)
			return shk_err_sys(err, w == -EPIPE ? ECONNRESET : (int)-w, "send to %s",
					   c->path);
		done += (size_t)w;
	}
	return 0;
}

/* Reads one line into *ret. */
static int read_line(struct shk_client *c, int timeout_ms, struct json_object **ret,
		     struct shk_err *err)
{
	uint64_t due = due_in(timeout_ms);
	size_t looked = 0;

	for (;;) {
		char tmp[16384], *nl;
		ssize_t n;
		int r;

		nl = c->in.n > looked ? memchr(c->in.p + looked, '\n', c->in.n - looked) : NULL;
		if (nl) {
			size_t len = (size_t)(nl - c->in.p);

			*ret = shk_json_parse((struct shk_str){ c->in.p, len },
					      SHK_CONTROL_ANSWER_MAX, err);
			memmove(c->in.p, nl + 1, c->in.n - len - 1);
			c->in.n -= len + 1;
			return *ret ? 0 : shk_err_prefix(err, "answer of %s", c->path);
		}
		looked = c->in.n;
		if (c->in.n > SHK_CONTROL_ANSWER_MAX)
			return shk_err_set(err, EMSGSIZE, "answer of %s is longer than %u bytes",
					   c->path, SHK_CONTROL_ANSWER_MAX);
		r = wait_for(c, POLLIN, due, err);
		if (r < 0)
			return r;
		n = recv(c->fd, tmp, sizeof(tmp), MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return shk_err_set(err, ECONNRESET,
					   "%s closed the connection before it answered; "
					   "see the log of shriked", c->path);
		shk_buf_add(&c->in, tmp, (size_t)n);
		if (c->in.failed)
			return shk_err_set(err, ENOMEM, "out of memory");
	}
}

/* The final answer: 0 and *ret, or its error. Consumes o. */
static int final_answer(struct shk_client *c, struct json_object *o, struct json_object **ret,
			struct shk_err *err)
{
	int64_t v = shk_json_int(o, "v", SHK_CONTROL_VERSION), e;
	struct json_object *ok;
	struct shk_str text;
	int r;

	if (v != SHK_CONTROL_VERSION) {
		r = shk_err_set(err, EPROTO, "the server at %s speaks version %lld of the control "
				"protocol, this program version %d; update the older one and "
				"restart shriked", c->path, (long long)v, SHK_CONTROL_VERSION);
	} else if (!json_object_object_get_ex(o, "ok", &ok) ||
		   !json_object_is_type(ok, json_type_boolean)) {
		r = shk_err_set(err, EBADMSG, "answer of %s has no \"ok\"", c->path);
	} else if (json_object_get_boolean(ok)) {
		if (ret)
			*ret = json_object_get(o);
		r = 0;
	} else {
		text = shk_json_str(o, "error");
		e = shk_json_int(o, "errno", EIO);
		if (e <= 0 || e > 4095)
			e = EIO;
		r = shk_err_set(err, (int)e, SHK_STR_FMT,
				text.n ? (int)SHK_MIN(text.n, (size_t)SHK_ERR_TEXT_MAX) : 17,
				text.n ? text.p : "refused, no cause");
	}
	json_object_put(o);
	return r;
}

int shk_client_call(struct shk_client *c, struct json_object *request, const int *fds, size_t nfds,
		    int (*on_more)(struct json_object *more, void *arg), void *arg, int timeout_ms,
		    struct json_object **ret, struct shk_err *err)
{
	int r = send_request(c, request, fds, nfds, timeout_ms, err);

	/* A server that refuses before reading everything has put its reason in the socket. */
	if (r < 0 && r != -ECONNRESET)
		return r;
	for (;;) {
		struct json_object *o, *more;
		struct shk_err e;

		int r2 = read_line(c, timeout_ms, &o, r < 0 ? &e : err);

		if (r2 < 0)
			return r < 0 ? r : r2;
		if (!json_object_object_get_ex(o, "more", &more))
			return final_answer(c, o, ret, err);
		r2 = on_more ? on_more(more, arg) : 0;
		json_object_put(o);
		if (r2) {
			if (ret)
				*ret = NULL;
			return r2 < 0 ? r2 : 0;
		}
	}
}
