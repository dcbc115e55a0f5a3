// SPDX-License-Identifier: Apache-2.0
#include "enforce/sends.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/ancillary.h"
#include "enforce/bar.h"

#ifndef MSG_CMSG_COMPAT
#define MSG_CMSG_COMPAT 0x80000000u /* linux/socket.h */
#endif

#define PARTS_MAX 1024	     /* UIO_MAXIOV */
#define BYTES_MAX 0x7ffff000 /* MAX_RW_COUNT: more is cut (lib/iov_iter.c, __import_iovec) */

bool shk_send_knows(enum shk_call_id id)
{
	return id == SHK_CALL_sendto || id == SHK_CALL_sendmsg;
}

/* ---- the caller's memory ---- */

/* Header of a message in both layouts (struct msghdr, struct compat_msghdr). */
struct header {
	uint64_t name, parts, n_parts, control, n_control;
	int32_t n_name;
};

static uint64_t word(const char *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p, size); /* little-endian: every ABI of the table is */
	return v;
}

static bool read_header(struct shk_event *ev, struct header *h)
{
	const struct shk_arg *a = shk_event_arg(ev, 1);
	unsigned size = shk_event_ptr_size(ev);
	const char *p = a->bytes.p;

	if (a->state != SHK_ARG_OK || a->bytes.n < (size == 8 ? 56u : 28u))
		return false;
	h->name = word(p, size);
	h->n_name = (int32_t)word(p + size, 4);
	/* Behind an int of the first layout there is room. */
	p += size == 8 ? 16 : 8;
	h->parts = word(p, size);
	h->n_parts = word(p + size, size);
	h->control = word(p + 2 * size, size);
	h->n_control = word(p + 3 * size, size);
	return true;
}

/* 0 or an errno. */
static int read_parts(struct shk_event *ev, const struct header *h, struct shk_message *m)
{
	unsigned size = shk_event_ptr_size(ev);
	char raw[16];

	if (h->n_parts > PARTS_MAX)
		return EMSGSIZE;
	m->part = shk_arena_alloc_raw(ev->arena, sizeof(*m->part) * (size_t)h->n_parts);
	if (!m->part)
		return ENOBUFS;
	for (; m->n_parts < h->n_parts; m->n_parts++) {
		struct shk_message_part *p = &m->part[m->n_parts];

		if (shk_event_read(ev, h->parts + m->n_parts * 2 * size, raw, 2 * size) < 0)
			return EFAULT;
		p->addr = word(raw, size);
		p->len = word(raw + size, size);
		if (size == 8 ? (int64_t)p->len < 0 : (int32_t)p->len < 0)
			return EINVAL;
		p->len = SHK_MIN(p->len, BYTES_MAX - m->total);
		m->total += p->len;
	}
	return 0;
}

static int read_control(struct shk_event *ev, const struct header *h, struct shk_message *m)
{
	char *raw;

	if (!h->n_control)
		return 0;
	if (h->n_control > SHK_CONTROL_MAX)
		return ENOBUFS;
	raw = shk_arena_alloc_raw(ev->arena, (size_t)h->n_control);
	if (!raw)
		return ENOBUFS;
	if (shk_event_read(ev, h->control, raw, (size_t)h->n_control) < 0)
		return EFAULT;
	m->given = raw;
	m->n_given = (size_t)h->n_control;
	return shk_event_ptr_size(ev) == 8 ? 0 : shk_ancillary_widen(ev->arena, &m->given, &m->n_given);
}

/* Copies what lies behind the bytes sent. */
static void fill(struct shk_message *m)
{
	uint64_t before = 0;

	m->at = m->sent;
	m->n = 0;
	for (size_t i = 0; i < m->n_parts && m->n < m->room && !m->faulted; i++) {
		const struct shk_message_part *p = &m->part[i];
		uint64_t skip = m->at + m->n - before;

		before += p->len;
		while (skip < p->len && m->n < m->room) {
			size_t want = (size_t)SHK_MIN(p->len - skip, (uint64_t)(m->room - m->n));
			ssize_t r = p->addr + skip < p->addr ? -EFAULT :
					m->ev->mem->read(m->ev, p->addr + skip, m->data + m->n, want);

			if (r <= 0) {
				m->faulted = true;
				break;
			}
			m->n += (size_t)r;
			skip += (uint64_t)r;
		}
	}
}

static int read_all(struct shk_event *ev, struct shk_message *m)
{
	struct header h = { 0 };
	struct shk_str name;
	int r;

	if (ev->call->id == SHK_CALL_sendto) {
		m->part = SHK_ARENA_NEW(ev->arena, struct shk_message_part);
		if (!m->part)
			return ENOBUFS;
		m->total = SHK_MIN(ev->raw[2], (uint64_t)BYTES_MAX);
		m->part[0] = (struct shk_message_part){ ev->raw[1], m->total };
		m->n_parts = 1;
		m->flags = (unsigned)ev->raw[3] & ~MSG_CMSG_COMPAT;
		m->named = ev->raw[4];
		(void)shk_event_arg(ev, 4);
	} else {
		m->flags = (unsigned)ev->raw[2];
		if (shk_event_ptr_size(ev) != 8)
			m->flags &= ~MSG_CMSG_COMPAT;
		if (!read_header(ev, &h))
			return EFAULT;
		m->named = h.name && h.n_name;
		if (h.name && h.n_name < 0)
			return EINVAL;
		if (m->named && !shk_event_sockaddr(ev, &name))
			return EFAULT;
		r = read_parts(ev, &h, m);
		if (r == 0)
			r = h.n_control > INT32_MAX ? ENOBUFS : read_control(ev, &h, m);
		if (r != 0)
			return r;
	}
	m->room = (size_t)SHK_MIN(m->total, (uint64_t)SHK_MESSAGE_MAX);
	m->data = shk_arena_alloc_raw(ev->arena, m->room);
	if (!m->data)
		return ENOBUFS;
	fill(m);
	ev->data = (struct shk_str){ m->data, m->n };
	return 0;
}

void shk_send_read(struct shk_event *ev, struct shk_message *m)
{
	bool failed = ev->memory_failed;

	*m = (struct shk_message){ .read = true, .ev = ev };
	m->err = read_all(ev, m);
	/* What cannot be read the kernel cannot send either. */
	ev->memory_failed = failed;
}

/* ---- what the call is about ---- */

static bool is_stream(const struct shk_socket *s)
{
	return s->type == SOCK_STREAM;
}

/* Messages of netlink are commands that are done in the sender's context: descriptors and processes in them would be
 * ours. Questions about the network name none. What cannot be copied as a whole is not sent. */
static bool only_asks(const struct shk_socket *s, const struct shk_message *m)
{
	struct nlmsghdr h;

	if (s->proto != NETLINK_ROUTE || m->n_given)
		return false;
	for (size_t at = 0; m->n == m->total && m->n - at >= sizeof(h);) {
		memcpy(&h, m->data + at, sizeof(h));
		/* The kernel stops there (net/netlink/af_netlink.c, netlink_rcv_skb). */
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > m->n - at)
			break;
		switch (h.nlmsg_type) {
		case RTM_GETLINK:
		case RTM_GETADDR:
		case RTM_GETROUTE:
		case RTM_GETNEIGH:
		case RTM_GETRULE:
			break;
		default:
			return false;
		}
		at += SHK_MIN(NLMSG_ALIGN((size_t)h.nlmsg_len), m->n - at);
	}
	return true;
}

/* NULL, or why nobody can send this in the caller's place. */
static const char *unfit(const struct shk_socket *s, const struct shk_message *m)
{
	switch (s->domain) {
	case AF_UNIX:
	case AF_INET:
	case AF_INET6:
	case AF_PACKET:
		return NULL;
	case AF_NETLINK:
		return only_asks(s, m) ? NULL : "a netlink message that is done in the sender's context";
	default:
		return "a message of a protocol whose data may point to the sender's memory";
	}
}

static enum shk_pinned take_address(struct shk_eval_ctx *ctx, struct shk_socket *s, const struct shk_message *m)
{
	bool to = ctx->ev->call->id == SHK_CALL_sendto;
	int len = (int)ctx->ev->raw[5];
	struct shk_str name;

	if (!m->named)
		return SHK_PINNED_OBJECT;
	if (to && (len < 0 || (size_t)len > sizeof(s->addr)))
		return shk_socket_fails(s, EINVAL);
	s->len = 0;
	if (to && !len)
		return SHK_PINNED_OBJECT;
	if (!shk_event_sockaddr(ctx->ev, &name) || (to && name.n < (size_t)len))
		return shk_socket_fails(s, EFAULT);
	s->len = (socklen_t)SHK_MIN(name.n, sizeof(s->addr));
	memcpy(&s->addr, name.p, s->len);
	return SHK_PINNED_OBJECT;
}

/* What the kernel says before it looks for the other side (net/unix/af_unix.c, unix_dgram_sendmsg). */
static int found_first(const struct shk_socket *s, const struct shk_message *m, int err)
{
	socklen_t n = sizeof(int);
	int room = 0;

	if (m->odd)
		return EINVAL;
	if (m->flags & MSG_OOB)
		return EOPNOTSUPP;
	if (getsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &room, &n) == 0 && m->total > (uint64_t)SHK_MAX(room - 32, 0))
		return EMSGSIZE;
	return m->faulted ? EFAULT : err;
}

enum shk_pinned shk_send_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_message *m)
{
	enum shk_pinned r = shk_socket_take(ctx, s);

	/* Looked at before the descriptor is (net/socket.c, __sys_sendmsg). */
	if (m->flags & MSG_CMSG_COMPAT && r != SHK_PINNED_UNABLE)
		return shk_socket_fails(s, EINVAL);
	if (r != SHK_PINNED_OBJECT)
		return r;
	if (!m->read) {
		s->why = "a message that was not read";
		return SHK_PINNED_UNABLE;
	}
	/* sendto copies the address, and sendmsg the header with all it points to. */
	if (ctx->ev->call->id == SHK_CALL_sendto)
		r = take_address(ctx, s, m);
	if (r == SHK_PINNED_OBJECT && m->err)
		r = shk_socket_fails(s, m->err);
	if (r == SHK_PINNED_OBJECT && ctx->ev->call->id == SHK_CALL_sendmsg)
		r = take_address(ctx, s, m);
	if (r != SHK_PINNED_OBJECT)
		return r;
	s->why = unfit(s, m);
	r = s->why ? SHK_PINNED_UNABLE : shk_ancillary_take(ctx, s, m);
	if (r != SHK_PINNED_OBJECT || s->domain != AF_UNIX || s->type != SOCK_DGRAM)
		return r;
	r = shk_socket_hold(a, ctx, s);
	if (r == SHK_PINNED_ERROR)
		s->err = found_first(s, m, s->err);
	return r;
}

bool shk_send_waits(const struct shk_socket *s, const struct shk_message *m)
{
	return !(m->flags & MSG_DONTWAIT) && !(fcntl(s->fd, F_GETFL) & O_NONBLOCK);
}

bool shk_send_breaks(const struct shk_socket *s, const struct shk_message *m, ssize_t result)
{
	return result == -EPIPE && is_stream(s) && !(m->flags & MSG_NOSIGNAL);
}

/* ---- sending ---- */

/* Nothing of ours lies there: the kernel meets the end of what the caller's memory had. */
#define NOWHERE ((void *)8)

static ssize_t put(const struct shk_socket *s, const struct shk_message *m, unsigned flags)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t skip = (size_t)(m->sent - m->at), left = m->n - skip;
	struct iovec v[2] = { { m->data + skip, left }, { NOWHERE, (size_t)(m->total - m->sent - left) } };
	struct msghdr h = {
		.msg_iov = v, .msg_iovlen = m->faulted || !is_stream(s) ? 2 : 1,
		.msg_control = m->n_control ? m->control : NULL,
		.msg_controllen = m->sent ? m->n_control - m->n_first : m->n_control,
	};
	ssize_t r;

	if (!v[1].iov_len)
		h.msg_iovlen = 1;
	if (m->sent && m->n_control)
		h.msg_control = m->control + m->n_first;
	if (!h.msg_controllen)
		h.msg_control = NULL;
	/* A Unix socket looks at the length alone, and its receiver at the credentials that go along. */
	if (m->named && !s->len && s->domain != AF_UNIX) {
		r = sendto(s->fd, m->data + skip, left, (int)flags, (const struct sockaddr *)&s->addr, 0);
		return r < 0 ? -errno : r;
	}
	if (s->by_path) {
		snprintf(un.sun_path, sizeof(un.sun_path), "/proc/thread-self/fd/%d", s->pin.fd);
		h.msg_name = &un;
		h.msg_namelen = sizeof(un);
	} else if (m->named) {
		h.msg_name = (void *)(uintptr_t)&s->addr;
		h.msg_namelen = s->len;
	}
	r = sendmsg(s->fd, &h, (int)flags);
	if (r < 0 && errno == EFAULT && !m->faulted && !is_stream(s))
		return -EMSGSIZE; /* it ended where our copy does */
	return r < 0 ? -errno : r;
}

/* How long the socket itself would wait at most; 0: for ever. */
static uint64_t patience(const struct shk_socket *s)
{
	struct timeval tv = { 0 };
	socklen_t n = sizeof(tv);

	if (getsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &n) < 0)
		return 0;
	return (uint64_t)tv.tv_sec * 1000000000u + (uint64_t)tv.tv_usec * 1000;
}

static bool wait_for_room(const struct shk_socket *s, uint64_t until)
{
	struct pollfd p = { s->fd, POLLOUT, 0 };
	uint64_t now = shk_now_mono();

	return now < until && poll(&p, 1, (int)SHK_MIN((until - now) / 1000000 + 1, 1000000u)) > 0;
}

/* As far as the socket takes it. */
static ssize_t stream(struct shk_socket *s, struct shk_message *m, unsigned flags, uint64_t until)
{
	uint64_t most = until ? patience(s) : 0, now = shk_now_mono();
	ssize_t r;

	if (most)
		until = SHK_MIN(until, now + most);
	do {
		if (m->sent - m->at == m->n && m->sent < m->total && !m->faulted)
			fill(m);
		r = put(s, m, flags | MSG_DONTWAIT);
		if (r == -EAGAIN && until && wait_for_room(s, until))
			r = 0;
		else if (r <= 0)
			break;
		m->sent += (uint64_t)r;
	} while (m->sent < m->total);
	if (r == -EAGAIN && !until)
		return -EAGAIN;
	return m->sent ? (ssize_t)m->sent : r;
}

/* TCP and UDP ask for rights where ancillary data says so alone. */
static int wear(struct shk_actor *a, const struct shk_socket *s, const struct shk_message *m)
{
	bool inet = s->domain == AF_INET || s->domain == AF_INET6;
	int r;

	if (inet && !m->n_control && (s->proto == IPPROTO_TCP || s->proto == IPPROTO_UDP))
		return 0;
	if (s->domain != AF_UNIX)
		return shk_rights_wear(a->rights, &s->caller);
	r = shk_rights_be(a->rights, &s->caller);
	if (r == 0 && m->n_rights)
		r = shk_ancillary_may_pass(a);
	/* To name another process than oneself, and ids that are the caller's and not the thread's
	 * (net/core/scm.c, scm_check_creds). */
	return r < 0 || !m->tells_ids ? r : shk_rights_more(a->rights, 1ull << CAP_SYS_ADMIN | 1ull << CAP_SETUID |
								  1ull << CAP_SETGID);
}

static ssize_t do_it(struct shk_actor *a, struct shk_socket *s, struct shk_message *m, uint64_t until)
{
	/* Our memory, and not the caller's, would be what is sent later on: not without a copy. */
	unsigned flags = (m->flags & ~(unsigned)MSG_ZEROCOPY) | MSG_NOSIGNAL;
	ssize_t r = wear(a, s, m);

	if (r == 0)
		r = is_stream(s) ? stream(s, m, flags, until) : put(s, m, until ? flags : flags | MSG_DONTWAIT);
	shk_rights_unbe(a->rights);
	return r;
}

ssize_t shk_send_do(struct shk_actor *a, struct shk_socket *s, struct shk_message *m, uint64_t until)
{
	ssize_t r;

	/* An engine that ended may have sent it: nobody can tell, and twice would be wrong. */
	if (s->again)
		return -EINTR;
	if (s->domain == AF_NETLINK)
		shk_socket_name_netlink(s);
	r = do_it(a, s, m, until);
	/* As in sockets.c: nothing was sent to a device. */
	if (r == -EPERM && s->by_path && shk_bar_keeps_fd(s->pin.fd) && shk_bar_leave() == 0) {
		r = do_it(a, s, m, until);
		shk_bar_return();
	}
	return r;
}

void shk_send_done(struct shk_message *m)
{
	for (unsigned i = 0; i < m->n_rights; i++)
		shk_close(&m->rights[i]);
	m->n_rights = 0;
}
