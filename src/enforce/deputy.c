// SPDX-License-Identifier: Apache-2.0
#include "enforce/deputy.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/deputy_wire.h"

#define SLACK_MS 500 /* a deputy ends by its own alarm */

/* A signal ends the wait, as it ends the other side's share of it. -EINTR, -EIO. */
static ssize_t await(int fd, uint64_t until, struct shk_deputy_reply *reply, int *out, size_t *n_out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = shk_now_mono();

	if (poll(&p, 1, now < until ? (int)((until - now) / 1000000u) + 1 : 0) < 0) {
		*n_out = 0;
		return -errno;
	}
	return shk_recv_fds(fd, reply, sizeof(*reply), out, n_out, MSG_DONTWAIT);
}

static int ask(struct shk_actor *a, const struct shk_caller *c, struct shk_deputy_wire *q, int root, int held_a, int held_b,
	       struct shk_deputy_reply *reply, int *out, size_t *n_out)
{
	uint64_t until = shk_now_mono() + shk_actor_seconds(a) * 1000000000ull + SLACK_MS * 1000000ull;
	int pair[2], fd[SHK_DFD_N], none[2] = { -1, -1 };
	size_t n_none = 2;
	ssize_t n;

	q->seconds = shk_actor_seconds(a);
	q->container = a->container;
	q->who = shk_who_is(c);
	q->umask = c->umask;
	q->has_a = held_a >= 0;
	q->has_b = held_b >= 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		*n_out = 0;
		return -errno;
	}
	fd[SHK_DFD_REPLY] = pair[1];
	fd[SHK_DFD_NS] = a->ns;
	fd[SHK_DFD_ROOT] = root >= 0 ? root : a->ns;
	fd[SHK_DFD_A] = held_a >= 0 ? held_a : a->ns;
	fd[SHK_DFD_B] = held_b >= 0 ? held_b : a->ns;
	n = shk_mounter_send(a->mounter, q, sizeof(*q), fd, SHK_DFD_N);
	close(pair[1]);
	if (n == (ssize_t)sizeof(*q)) {
		struct shk_deputy_reply ignored;

		n = await(pair[0], until, reply, out, n_out);
		/* Its end, and with it that of what it held. */
		if (n > 0)
			(void)await(pair[0], until, &ignored, none, &n_none);
		else
			n_none = 0;
		for (size_t i = 0; n > 0 && i < n_none; i++)
			close(none[i]);
	} else {
		*n_out = 0;
		n = n < 0 ? n : -EIO;
	}
	close(pair[0]);
	if (n == sizeof(*reply) || (n == sizeof(reply->r) && reply->r < 0))
		return reply->r;
	return n == -EINTR || n == -EBUSY ? (int)n : -EIO;
}

int shk_deputy_walk(struct shk_actor *a, const struct shk_caller *c, const struct shk_walk_from *from, struct shk_str path,
		    struct shk_pin *ret)
{
	struct shk_deputy_wire q = { .op = SHK_DEPUTY_WALK, .from = *from, .n_text = (uint32_t)path.n };
	struct shk_deputy_reply reply;
	int out[2] = { -1, -1 }, r;
	size_t n = 2;

	*ret = (struct shk_pin){ .fd = -1, .dir = -1 };
	if (path.n >= sizeof(q.text))
		return -ENAMETOOLONG;
	memcpy(q.text, path.p, path.n);
	a->seen_fd = -1;
	r = ask(a, c, &q, from->root_fd, from->base_fd, -1, &reply, out, &n);
	/* What is missing has its directory alone. */
	if (r < 0 || !n || (reply.pin.dir >= 0) != (n == 2)) {
		while (n)
			close(out[--n]);
		return r < 0 ? r : -EIO;
	}
	*ret = reply.pin;
	ret->fd = out[0];
	ret->dir = n == 2 ? out[1] : -1;
	return 0;
}

int shk_deputy_open(struct shk_actor *a, const struct shk_open *o)
{
	struct shk_deputy_wire q = { .op = SHK_DEPUTY_OPEN, .open = *o };
	struct shk_deputy_reply reply;
	size_t n = 1;
	int fd = -1, r = ask(a, &o->caller, &q, -1, o->pin.fd, o->pin.dir, &reply, &fd, &n);

	if (r >= 0 && n == 1)
		return fd;
	if (n)
		close(fd);
	return r < 0 ? r : -EIO;
}

static int plain(struct shk_actor *a, const struct shk_caller *c, struct shk_deputy_wire *q, int held_a, int held_b)
{
	struct shk_deputy_reply reply;
	size_t n = 0;
	int r = ask(a, c, q, -1, held_a, held_b, &reply, NULL, &n);

	return SHK_MIN(r, 0);
}

int shk_deputy_paths(struct shk_actor *a, const struct shk_paths *p)
{
	struct shk_deputy_wire q = { .op = SHK_DEPUTY_PATHS, .paths = *p };
	size_t n = p->target ? strlen(p->target) : 0;

	if (n >= sizeof(q.text))
		return -ENAMETOOLONG;
	q.n_text = (uint32_t)n;
	memcpy(q.text, p->target ? p->target : "", n);
	/* Of its own namespace, as the caller numbered them. */
	q.paths.owner[0] = p->said[0];
	q.paths.owner[1] = p->said[1];
	return plain(a, &p->caller, &q, p->held[0].pin.fd, p->n == 2 ? p->held[1].pin.fd : -1);
}

int shk_deputy_socket(struct shk_actor *a, const struct shk_socket *s)
{
	struct shk_deputy_wire q = { .op = SHK_DEPUTY_SOCKET, .socket = *s };

	return plain(a, &s->caller, &q, s->fd, s->by_path ? s->pin.fd : -1);
}
