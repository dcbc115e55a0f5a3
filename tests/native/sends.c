// SPDX-License-Identifier: Apache-2.0
/* sendto and sendmsg: what arrives, and who is said to have sent it. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sockets.h"

enum by { TO, MSG, TO_I386, MSG_I386 };
enum control { NO_CONTROL, RIGHTS, BAD_RIGHTS, IDS, OTHER_PID, ROOTS_IDS, SHORT, TTL, N_CONTROLS };

static struct {
	enum by by;
	unsigned size, pieces, flags;
	enum control control;
	bool unnamed; /* no address is given */
	bool empty;   /* one of no bytes is */
	enum { WHOLE, AT_PAGE_END, CUT_OFF } data;
} m;

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void make_send(struct kase *k)
{
	static const unsigned sizes[] = { 0, 1, 5, 100, 100, 1000, 1000, 9000, 65507, 65508, 70000, 212960, 213000, 262145 };
	static const unsigned flags[] = { 0, 0, 0, 0, MSG_NOSIGNAL, MSG_DONTWAIT, MSG_OOB, MSG_EOR, MSG_DONTROUTE, 0x80000000u };
	static const char *const bys[] = { "sendto", "sendmsg", "sendto-i386", "sendmsg-i386" };
	static const char *const controls[] = { "", " rights", " bad-rights", " ids", " other-pid", " root's-ids", " short-control",
						" ttl" };
	static const char *const datas[] = { "", " data-at-end", " data-cut" };
	struct dice *d = &k->dice;

	sockets_make(k, SEND);
	memset(&m, 0, sizeof(m));
	m.by = roll(d, 4);
	m.size = PICK(d, sizes);
	/* How much of a stream is taken before its reader comes is chance. */
	if (types[c.type].type == SOCK_STREAM && m.size > 70000)
		m.size = 70000;
	m.pieces = 1 + roll(d, 3);
	m.flags = PICK(d, flags);
	m.control = m.by == TO || m.by == TO_I386 || roll(d, 2) ? NO_CONTROL : roll(d, N_CONTROLS);
	m.unnamed = roll(d, c.before == CONNECTED ? 2 : 8) == 0;
	m.empty = !m.unnamed && roll(d, c.before == CONNECTED ? 2 : 16) == 0;
	m.data = roll(d, 8) ? WHOLE : 1 + roll(d, 2);
	add(k->what, sizeof(k->what), " %s %u bytes in %u flags %x%s%s%s%s", bys[m.by], m.size, m.pieces, m.flags, controls[m.control],
	    m.unnamed ? " no-address" : "", m.empty ? " empty-address" : "", datas[m.data]);
}

static void prepare_send(struct kase *k)
{
	int one = 1;

	sockets_prepare(k);
	if (types[c.type].domain == AF_UNIX)
		setsockopt(SERVER, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
}

/* Ancillary data in the layout of the call; its length. */
static size_t control(char *out)
{
	bool narrow = m.by == MSG_I386;
	size_t head = narrow ? 12 : sizeof(struct cmsghdr), n = sizeof(int);
	struct ucred u = { getpid(), getuid(), getgid() };
	int level = SOL_SOCKET, type = SCM_RIGHTS, fd = m.control == BAD_RIGHTS ? 999 : OTHER, ttl = 3;
	const void *data = &fd;
	uint64_t len;

	if (m.control == NO_CONTROL)
		return 0;
	if (m.control == IDS || m.control == OTHER_PID || m.control == ROOTS_IDS) {
		type = SCM_CREDENTIALS;
		data = &u;
		n = sizeof(u);
		u.pid += m.control == OTHER_PID;
		if (m.control == ROOTS_IDS)
			u.uid = u.gid = 0;
	} else if (m.control == TTL) {
		level = IPPROTO_IP;
		type = IP_TTL;
		data = &ttl;
	}
	len = m.control == SHORT ? head - 2 : head + n;
	memcpy(out, &len, narrow ? 4 : 8);
	memcpy(out + head - 8, &level, 4);
	memcpy(out + head - 4, &type, 4);
	memcpy(out + head, data, n);
	return head + n;
}

static const char *payload(void)
{
	static char bytes[1u << 19];
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = { { sizeof(ask), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_UNSPEC } };

	for (unsigned i = 0; i < m.size; i++)
		bytes[i] = (char)('a' + i % 23 + i / 1000 % 3);
	if (types[c.type].domain == AF_NETLINK)
		memcpy(bytes, &ask, sizeof(ask));
	return bytes;
}

static long send_it(unsigned long addr, unsigned said)
{
	bool narrow = m.by == TO_I386 || m.by == MSG_I386;
	unsigned have = m.data == CUT_OFF && m.size ? m.size - 1 - m.size / 3 : m.size;
	unsigned long data = (unsigned long)memory_of(payload(), have, m.data != WHOLE);
	unsigned w = narrow ? 4 : 8;
	char vec[64], ctl[128], hdr[56];
	unsigned long a[6] = { (unsigned long)c.fd, data, m.size, m.flags, addr, said }, n_ctl;
	uint64_t word[7];

	memset(vec, 0, sizeof(vec));
	memset(hdr, 0, sizeof(hdr));
	memset(ctl, 0, sizeof(ctl));
	if (m.by == TO)
		return syscall(SYS_sendto, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (m.by == TO_I386)
		return call_i386(369, a);
	for (unsigned i = 0, at = 0; i < m.pieces; i++) {
		uint64_t base = data + at, len = i + 1 == m.pieces ? m.size - at : m.size / m.pieces;

		memcpy(vec + i * 2 * w, &base, w);
		memcpy(vec + i * 2 * w + w, &len, w);
		at += (unsigned)len;
	}
	n_ctl = control(ctl);
	word[0] = addr;
	word[1] = said;
	word[2] = (unsigned long)memory_of(vec, sizeof(vec), false);
	word[3] = m.pieces;
	word[4] = n_ctl ? (unsigned long)memory_of(ctl, sizeof(ctl), false) : 0;
	word[5] = n_ctl;
	for (unsigned i = 0; i < 6; i++)
		memcpy(hdr + i * w, &word[i], w);
	a[1] = (unsigned long)memory_of(hdr, sizeof(hdr), false);
	a[2] = m.flags;
	return narrow ? call_i386(370, a) : syscall(SYS_sendmsg, a[0], a[1], a[2]);
}

static void say_arrival(int fd, char *out, size_t n)
{
	static char buf[1u << 19];
	char ctl[512];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	unsigned long sum = 0;
	ssize_t r = recvmsg(fd, &h, MSG_DONTWAIT);

	if (r < 0) {
		add(out, n, " got %s", strerrorname_np(errno));
		return;
	}
	for (ssize_t i = 0; i < r; i++)
		sum = sum * 31 + (unsigned char)buf[i];
	add(out, n, " got %zd sum %lx%s", r, types[c.type].domain == AF_NETLINK ? 0 : sum, h.msg_flags & MSG_OOB ? " oob" : "");
	for (struct cmsghdr *x = CMSG_FIRSTHDR(&h); x; x = CMSG_NXTHDR(&h, x)) {
		struct ucred u;

		if (x->cmsg_level != SOL_SOCKET)
			continue;
		if (x->cmsg_type == SCM_RIGHTS)
			add(out, n, " descriptors %zu", (x->cmsg_len - sizeof(*x)) / sizeof(int));
		if (x->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&u, CMSG_DATA(x), sizeof(u));
		add(out, n, " from %s %d:%d", u.pid == getpid() ? "own" : u.pid ? "another" : "none", (int)u.uid, (int)u.gid);
	}
}

static void act(struct kase *k)
{
	char *out = k->res->text;
	size_t n = sizeof(k->res->text);
	unsigned long at = 8;
	unsigned bytes = c.said > 128 ? 128 : c.said;
	bool stream = types[c.type].type != SOCK_DGRAM && types[c.type].domain != AF_NETLINK;
	struct pollfd p = { .events = POLLIN };
	int from, e;
	long r;

	signal(SIGPIPE, on_pipe);
	cred_take(k->cred);
	if (m.unnamed)
		at = c.said = 0;
	else if (c.memory != NOWHERE)
		at = (unsigned long)memory_of(c.addr, c.memory == CUT && bytes > 1 ? bytes - 1 : bytes,
					      c.memory == CUT || c.memory == PAGE_END);
	if (m.empty)
		c.said = 0;
	errno = 0;
	pipes = 0;
	r = send_it(at, c.said);
	e = errno;
	if (r < 0)
		add(out, n, "%s", strerrorname_np(e));
	else
		add(out, n, "done %ld", r);
	add(out, n, " signals %d flags %o", (int)pipes, (unsigned)fcntl(CLIENT, F_GETFL));
	say_names(CLIENT, out, n);
	from = types[c.type].domain == AF_NETLINK ? CLIENT : stream ? accept4(SERVER, NULL, NULL, SOCK_NONBLOCK) : SERVER;
	p.fd = from;
	/* On this machine it is there at once, or in parts. */
	if (r > 0)
		poll(&p, 1, 30);
	if (stream && r > 0)
		usleep(2000);
	say_arrival(from, out, n);
	k->res->done = true;
}

const struct family family_send = { "send", sockets_up, make_send, prepare_send, act, clean_changes, false };
