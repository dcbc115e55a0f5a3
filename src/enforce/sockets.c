// SPDX-License-Identifier: Apache-2.0
#include "enforce/sockets.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/bar.h"
#include "enforce/deputy.h"

bool shk_socket_knows(enum shk_call_id id)
{
	return id == SHK_CALL_connect || id == SHK_CALL_bind;
}

static enum shk_pinned read_address(struct shk_eval_ctx *ctx, struct shk_socket *s)
{
	const struct shk_arg *a = shk_event_arg(ctx->ev, 1);
	int len = (int)ctx->ev->raw[2];

	if (len < 0 || (size_t)len > sizeof(s->addr))
		return shk_socket_fails(s, EINVAL);
	s->len = (socklen_t)len;
	if (!len)
		return SHK_PINNED_OBJECT;
	if (a->state != SHK_ARG_OK || a->bytes.n < (size_t)len)
		return shk_socket_fails(s, EFAULT);
	memcpy(&s->addr, a->bytes.p, (size_t)len);
	return SHK_PINNED_OBJECT;
}

/* The path of an AF_UNIX address; n = 0: it has none (abstract, or to be chosen). */
static struct shk_str path_in(const struct shk_socket *s)
{
	const struct sockaddr_un *un = (const void *)&s->addr;
	size_t room = s->len > offsetof(struct sockaddr_un, sun_path) ?
			      s->len - offsetof(struct sockaddr_un, sun_path) : 0;

	if (s->domain != AF_UNIX || s->addr.ss_family != AF_UNIX || !room || s->len > sizeof(*un) || !un->sun_path[0])
		return (struct shk_str){ "", 0 };
	return (struct shk_str){ un->sun_path, strnlen(un->sun_path, room) };
}

static enum shk_pinned hold(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_str path)
{
	char buf[SHK_PATH_LIMIT + 2 * NAME_MAX + 4];
	char text[sizeof(struct sockaddr_un)];
	struct shk_str dir = path;
	struct statx sx;
	ssize_t n;
	long fs;
	int r;

	if (s->binds) {
		size_t at = path.n;

		/* With the slashes behind it, which the kernel has its own opinion about. */
		while (at && path.p[at - 1] == '/')
			at--;
		if (!at)
			return shk_socket_fails(s, EADDRINUSE);
		while (at && path.p[at - 1] != '/')
			at--;
		memcpy(s->last, path.p + at, path.n - at);
		s->last[path.n - at] = 0;
		/* The caller must be one who may search it. */
		memcpy(text, path.p, at);
		text[at] = '.';
		dir = (struct shk_str){ text, at + 1 };
	}
	r = shk_actor_start(a, ctx, &s->caller, &s->from);
	if (r == 0 && path.p[0] != '/')
		r = s->base = shk_actor_base(&s->caller, AT_FDCWD);
	s->from.base_fd = s->base;
	s->from.follow = true;
	r = r < 0 ? r : shk_rights_search(a->rights, &s->caller);
	if (r >= 0) {
		shk_actor_acts(a);
		r = shk_walk_pin(&s->from, dir, &s->pin);
	}
	shk_rights_own(a->rights);
	if (shk_deputy_helps(a, r))
		r = shk_deputy_walk(a, &s->caller, &s->from, dir, &s->pin);
	if (r == -EREMOTE || r == -ESTALE)
		return shk_socket_unable(s, "the path of a socket that cannot be followed");
	if (r < 0)
		return shk_socket_fails(s, -r);
	if (s->pin.missing)
		return shk_socket_fails(s, ENOENT);
	if (s->pin.fd < 0 || shk_actor_look(a, &s->from, s->pin.fd, &sx, &fs) < 0)
		return shk_socket_fails(s, EIO);
	if (!shk_fs_is_fit(fs))
		return shk_socket_unable(s, "a filesystem that may wait for somebody");
	n = shk_pin_name(&s->from, &s->pin, buf, sizeof(buf) - NAME_MAX - 2);
	if (n < 0)
		return shk_socket_unable(s, "an object without a name in the container");
	if (s->binds) {
		if (n > 1)
			buf[n++] = '/';
		memcpy(buf + n, s->last, strlen(s->last));
		n += (ssize_t)strcspn(s->last, "/");
	}
	s->name = shk_arena_str(ctx->ev->arena, shk_container_path(ctx->ctr, (struct shk_str){ buf, (size_t)n }));
	s->by_path = true;
	return SHK_PINNED_OBJECT;
}

enum shk_pinned shk_socket_hold(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s)
{
	struct shk_str path = path_in(s);

	return path.n ? hold(a, ctx, s, path) : SHK_PINNED_OBJECT;
}

/* *err: it is there, and no socket. */
static enum shk_pinned take(struct shk_eval_ctx *ctx, struct shk_socket *s, int *err)
{
	bool again = s->again;
	socklen_t n = sizeof(int);

	*err = 0;
	*s = (struct shk_socket){ .binds = ctx->ev->call->id == SHK_CALL_bind, .fd = -1, .base = -1,
				  .pin = { .fd = -1, .dir = -1 }, .again = again };
	s->why = shk_caller_of(ctx, &s->caller);
	if (s->why)
		return SHK_PINNED_UNABLE;
	s->fd = shk_actor_take(ctx, &s->caller, (int)ctx->ev->raw[0], &s->domain);
	if (s->fd == -EOPNOTSUPP || s->fd == -EPERM)
		return shk_socket_unable(s, "the table of descriptors of a thread");
	if (s->fd < 0 && s->fd != -EREMOTE)
		return shk_socket_fails(s, -s->fd);
	if (s->fd < 0) /* a file of a filesystem that may not answer is no socket */
		*err = ENOTSOCK;
	else if ((!s->domain && getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &s->domain, &n) < 0) ||
	    getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &s->type, &n) < 0 ||
	    getsockopt(s->fd, SOL_SOCKET, SO_PROTOCOL, &s->proto, &n) < 0)
		*err = errno;
	return SHK_PINNED_OBJECT;
}

enum shk_pinned shk_socket_take(struct shk_eval_ctx *ctx, struct shk_socket *s)
{
	int err;
	enum shk_pinned what = take(ctx, s, &err);

	return what == SHK_PINNED_OBJECT && err ? shk_socket_fails(s, err) : what;
}

enum shk_pinned shk_socket_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s)
{
	enum shk_pinned what;
	int err;

	what = take(ctx, s, &err);
	if (what != SHK_PINNED_OBJECT)
		return what;
	/* connect looks at the address first (net/socket.c), unless the descriptor is none at all. */
	if (err && (s->binds || err != ENOTSOCK))
		return shk_socket_fails(s, err);
	what = read_address(ctx, s);
	shk_actor_meet(a, &s->caller);
	if (what != SHK_PINNED_OBJECT || err)
		return what != SHK_PINNED_OBJECT ? what : shk_socket_fails(s, err);
	return shk_socket_hold(a, ctx, s);
}

bool shk_socket_may_wait(const struct shk_socket *s)
{
	return !s->binds && s->domain != AF_NETLINK && (s->type == SOCK_STREAM || s->type == SOCK_SEQPACKET) &&
	       !(fcntl(s->fd, F_GETFL) & O_NONBLOCK);
}

/* A netlink socket without a number gets that of the process that asks, or another one if it is taken
 * (net/netlink/af_netlink.c, netlink_autobind). */
static bool name_netlink(const struct shk_socket *s, int *ret)
{
	struct sockaddr_nl own = { 0 }, nl = *(const struct sockaddr_nl *)&s->addr;
	socklen_t n = sizeof(own);

	if (s->len < sizeof(nl) || nl.nl_family != AF_NETLINK || (s->binds ? nl.nl_pid : nl.nl_pid || nl.nl_groups) ||
	    getsockname(s->fd, (struct sockaddr *)&own, &n) < 0 || own.nl_pid)
		return false;
	nl.nl_pid = (uint32_t)s->caller.vpid;
	*ret = bind(s->fd, (const struct sockaddr *)&nl, sizeof(nl)) < 0 ? -errno : 0;
	return s->binds && *ret != -EADDRINUSE;
}

void shk_socket_name_netlink(const struct shk_socket *s)
{
	struct sockaddr_nl own = { 0 }, nl = { .nl_family = AF_NETLINK, .nl_pid = (uint32_t)s->caller.vpid };
	socklen_t n = sizeof(own);

	/* Taken by somebody: the kernel finds another one. */
	if (getsockname(s->fd, (struct sockaddr *)&own, &n) == 0 && !own.nl_pid)
		(void)bind(s->fd, (const struct sockaddr *)&nl, sizeof(nl));
}

static int call(const struct shk_socket *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct sockaddr *addr = (const void *)&s->addr;
	socklen_t len = s->len;
	size_t n;
	int r;

	if (s->domain == AF_NETLINK && name_netlink(s, &r))
		return r;
	if (!s->by_path) {
		r = s->binds ? bind(s->fd, addr, len) : connect(s->fd, addr, len);
		return r < 0 ? -errno : 0;
	}
	len = sizeof(un);
	if (!s->binds) {
		snprintf(un.sun_path, sizeof(un.sun_path), "/proc/thread-self/fd/%d", s->pin.fd);
		return connect(s->fd, (const struct sockaddr *)&un, len) < 0 ? -errno : 0;
	}
	/* The thread's own working directory; nothing else in it uses one. */
	if (fchdir(s->pin.fd) < 0)
		return -errno;
	/* Of full length it has no zero at its end. */
	n = strnlen(s->last, sizeof(un.sun_path));
	memcpy(un.sun_path, s->last, n);
	len = (socklen_t)SHK_MIN(offsetof(struct sockaddr_un, sun_path) + n + 1, sizeof(un));
	r = bind(s->fd, (const struct sockaddr *)&un, len) < 0 ? -errno : 0;
	if (chdir("/") < 0)
		r = r < 0 ? r : -errno;
	return r;
}

bool shk_socket_repeats(const struct shk_socket *s)
{
	return !s->binds && s->type == SOCK_DGRAM && (s->domain == AF_INET || s->domain == AF_INET6);
}

bool shk_socket_effect(const struct shk_socket *s)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);

	if (!s->binds)
		return getpeername(s->fd, (struct sockaddr *)&a, &n) < 0;
	if (getsockname(s->fd, (struct sockaddr *)&a, &n) < 0)
		return true;
	switch (s->domain) {
	case AF_UNIX:
		return n <= sizeof(sa_family_t);
	case AF_INET:
		return !((struct sockaddr_in *)&a)->sin_port;
	case AF_INET6:
		return !((struct sockaddr_in6 *)&a)->sin6_port;
	case AF_NETLINK:
		return !((struct sockaddr_nl *)&a)->nl_pid;
	default:
		return true;
	}
}

/* Connecting TCP and UDP asks for nobody's ids or capabilities (inet_stream_connect and inet_dgram_connect in
 * net/ipv4/af_inet.c, which IPv6 has, too): whose rights are worn makes no difference. */
static bool asks_for_rights(const struct shk_socket *s)
{
	return s->binds || (s->domain != AF_INET && s->domain != AF_INET6) ||
	       (s->type != SOCK_STREAM && s->type != SOCK_DGRAM) ||
	       (s->proto != IPPROTO_TCP && s->proto != IPPROTO_UDP);
}

static int do_it(struct shk_actor *a, struct shk_socket *s)
{
	bool asks = asks_for_rights(s);
	int r;

	/* It had no name, or no partner: an engine that ended has given it one. */
	if (s->again && !shk_socket_effect(s))
		return 0;
	r = !asks			? 0 :
	    s->domain == AF_UNIX	? shk_rights_be(a->rights, &s->caller) :
					  shk_rights_wear(a->rights, &s->caller);
	if (r == 0) {
		if (asks)
			shk_rights_umask(a->rights, s->caller.umask);
		r = call(s);
	}
	shk_rights_unbe(a->rights);
	/* It is on its way since. */
	return s->again && r == -EALREADY ? -EINPROGRESS : r;
}

int shk_socket_do(struct shk_actor *a, struct shk_socket *s)
{
	int r = do_it(a, s);

	/* The name may be a device's: then it says ECONNREFUSED. */
	if (r == -EPERM && s->by_path && !s->binds && shk_bar_keeps_fd(s->pin.fd) && shk_bar_leave() == 0) {
		r = do_it(a, s);
		shk_bar_return();
	}
	return shk_deputy_helps(a, r) ? shk_deputy_socket(a, s) : r;
}

void shk_socket_done(struct shk_socket *s)
{
	shk_pin_done(&s->pin);
	shk_close(&s->fd);
	shk_close(&s->base);
}
