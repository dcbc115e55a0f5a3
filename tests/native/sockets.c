// SPDX-License-Identifier: Apache-2.0
/* connect and bind. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockets.h"

const struct socket_type types[] = {
	{ "unix-stream", AF_UNIX, SOCK_STREAM, 0 },	{ "unix-stream", AF_UNIX, SOCK_STREAM, 0 },
	{ "unix-dgram", AF_UNIX, SOCK_DGRAM, 0 },	{ "unix-seqpacket", AF_UNIX, SOCK_SEQPACKET, 0 },
	{ "tcp", AF_INET, SOCK_STREAM, 0 },		{ "tcp", AF_INET, SOCK_STREAM, 0 },
	{ "udp", AF_INET, SOCK_DGRAM, 0 },		{ "tcp6", AF_INET6, SOCK_STREAM, 0 },
	{ "udp6", AF_INET6, SOCK_DGRAM, 0 },		{ "netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
};

struct socket_case c;

void sockets_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	world_make();
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		broken("lo");
	r.ifr_flags |= IFF_UP;
	must(ioctl(fd, SIOCSIFFLAGS, &r), "lo");
	close(fd);
}

/* ---- addresses ---- */

static void address_in(unsigned port, const char *at)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, at, &in.sin_addr);
	memcpy(c.addr, &in, c.len = sizeof(in));
}

static void address_in6(unsigned port, const char *at)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, at, &in.sin6_addr);
	memcpy(c.addr, &in, c.len = sizeof(in));
}

static void address_un(const char *path, size_t n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	n = n > sizeof(un.sun_path) ? sizeof(un.sun_path) : n;
	memcpy(un.sun_path, path, n);
	memset(c.addr, 0, sizeof(c.addr));
	memcpy(c.addr, &un, sizeof(un));
	c.len = (unsigned)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void pick_inet(struct kase *k)
{
	static const char *const at[] = { "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.5", "0.0.0.0", "192.0.2.1",
					  "224.0.0.1", "255.255.255.255" };
	static const char *const at6[] = { "::1", "::1", "::1", "::", "::ffff:127.0.0.1", "fe80::1", "2001:db8::1" };
	unsigned ports[] = { c.port, c.port, c.port, c.port + 1, 0, 80 };
	unsigned port = PICK(&k->dice, ports);
	const char *where = c.target == INET ? PICK(&k->dice, at) : PICK(&k->dice, at6);

	(c.target == INET ? address_in : address_in6)(port, where);
	add(k->what, sizeof(k->what), " %s port %s%u", where, port >= c.port && port ? "+" : "",
	    port >= c.port && port ? port - c.port : port);
}

static void pick_path(struct kase *k)
{
	unsigned kind;
	size_t n;

	k->path[0] = 0;
	if (!c.binds && roll(&k->dice, 2)) {
		static const char *const names[] = { "s", "s", "./s", "s/", "to", "a/../s", "near/s", "far/s", "s2" };
		const char *name = PICK(&k->dice, names);

		make(k, "near", S_IFDIR | 0711, 0, 0);
		make(k, "far", S_IFDIR | 0700, 0, 0);
		link_to(k, "s", "to");
		link_to(k, "../s", "near/s");
		link_to(k, "../s", "far/s");
		is(k, name);
		add(k->what, sizeof(k->what), " %s", name);
	} else {
		kind = roll(&k->dice, change_kinds());
		add(k->what, sizeof(k->what), " %s", change_kind_name(kind));
		change_kind_make(k, kind);
	}
	n = strlen(place_path(k, c.place, k->path));
	/* With the zero behind it, without, or as large as it can be. */
	address_un(place_path(k, c.place, k->path), n + (roll(&k->dice, 3) ? 1 : 0));
	if (!roll(&k->dice, 4))
		c.len = sizeof(struct sockaddr_un);
}

static void pick_target(struct kase *k)
{
	static const enum target un[] = { BY_PATH, BY_PATH, BY_PATH, BY_PATH, BY_PATH, ABSTRACT, ABSTRACT_FREE, UNNAMED, NO_NAME,
					  UNSPEC, INET, ODD };
	static const enum target in[] = { INET, INET, INET, INET, INET, INET, UNSPEC, INET6, BY_PATH, ODD };
	static const enum target in6[] = { INET6, INET6, INET6, INET6, INET6, INET, UNSPEC, ODD };
	static const enum target nl[] = { NETLINK, NETLINK, NETLINK, UNSPEC, INET };
	static const char *const words[] = { " path", " abstract", " abstract-free", " unnamed", " no-name", " inet",
					     " inet6", " netlink", " unspec", " odd" };
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	static const unsigned pids[] = { 0, 0, 0, 4321, 7 };
	char name[40];
	int n = snprintf(name, sizeof(name), "%cnative-%u", 0, k->number);

	switch (types[c.type].domain) {
	case AF_UNIX:
		c.target = PICK(&k->dice, un);
		break;
	case AF_INET:
		c.target = PICK(&k->dice, in);
		break;
	case AF_INET6:
		c.target = PICK(&k->dice, in6);
		break;
	default:
		c.target = PICK(&k->dice, nl);
	}
	add(k->what, sizeof(k->what), "%s", words[c.target]);
	memset(c.addr, 0, sizeof(c.addr));
	switch (c.target) {
	case BY_PATH:
		pick_path(k);
		break;
	case ABSTRACT:
	case ABSTRACT_FREE:
		name[1] = c.target == ABSTRACT ? 'n' : 'f';
		address_un(name, (size_t)n + (roll(&k->dice, 4) ? 0 : 3));
		break;
	case UNNAMED:
		address_un("", 0);
		break;
	case NO_NAME:
		address_un("", 1);
		break;
	case INET:
	case INET6:
		pick_inet(k);
		break;
	case NETLINK:
		sa.nl_pid = PICK(&k->dice, pids);
		sa.nl_groups = roll(&k->dice, 3) ? 0 : 1;
		add(k->what, sizeof(k->what), " to %u/%u", sa.nl_pid, sa.nl_groups);
		memcpy(c.addr, &sa, c.len = sizeof(sa));
		break;
	case UNSPEC:
		c.len = roll(&k->dice, 2) ? 16 : 2;
		break;
	case ODD:
		c.addr[0] = 77;
		c.len = 16;
		break;
	}
}

/* ---- the case ---- */

static void pick_descriptor(struct kase *k)
{
	static const char *const words[] = { " file", " pipe", " by-path", " closed", " -1", " high-bits" };
	unsigned n = roll(&k->dice, 60);

	c.fd = CLIENT;
	if (n >= ARRAY_SIZE(words))
		return;
	add(k->what, sizeof(k->what), "%s", words[n]);
	c.fd = n == 4 ? -1 : n == 5 ? CLIENT | 1l << 32 : OTHER + n;
}

void sockets_make(struct kase *k, enum what call)
{
	static const char *const befores[] = { "", " bound", " connected", " listening" };
	static const char *const servers[] = { " nobody", "", " other-type", " full" };
	static const unsigned lengths[] = { 0, 1, 2, 3, 7, 15, 16, 23, 24, 28, 109, 110, 111, 128, 129, 0x7fffffff, 0x80000000,
					    (unsigned)-1 };
	static const enum before before[] = { FRESH, FRESH, FRESH, FRESH, BOUND, CONNECTED, LISTENING };
	static const enum server server[] = { SAME_TYPE, SAME_TYPE, SAME_TYPE, SAME_TYPE, NONE, OTHER_TYPE, FULL };
	static const enum place places[] = { ABSOLUTE, ABSOLUTE, RELATIVE, RELATIVE, RELATIVE, ROOTED, OUTSIDE, REMOVED };
	static const mode_t modes[] = { 0777, 0777, 0700, 0722, 0555, 0 };
	static const unsigned masks[] = { 022, 0, 077, 0777 };
	static const char *const words[] = { "connect", "bind", "send" };
	/* Mostly those that take addresses; of the others the connected ones. */
	static const unsigned sends[] = { 2, 2, 2, 6, 6, 6, 8, 8, 0, 4, 3, 9 };
	struct dice *d = &k->dice;
	unsigned n;

	memset(&c, 0, sizeof(c));
	c.call = call;
	c.binds = call == BIND;
	c.type = call == SEND ? PICK(d, sends) : roll(d, ARRAY_SIZE(types));
	c.port = 2000 + k->number % 7000 * 4;
	c.before = PICK(d, before);
	if (call == SEND && types[c.type].type != SOCK_DGRAM && roll(d, 4))
		c.before = CONNECTED;
	c.server = PICK(d, server);
	c.place = PICK(d, places);
	c.nonblock = roll(d, 3) == 0;
	c.reuse = roll(d, 4) == 0;
	c.mode = PICK(d, modes);
	c.uid = roll(d, 2) ? WEB : 0;
	add(k->what, sizeof(k->what), "%s %s%s", words[call], types[c.type].name, befores[c.before]);
	pick_descriptor(k);
	snprintf(k->dir, sizeof(k->dir), "%s/a", k->top);
	must(mkdir(k->dir, 0755), "mkdir");
	pick_target(k);
	must(chmod(k->dir, roll(d, 2) ? 0777 : roll(d, 2) ? 01755 : 0700), "chmod");
	must(chown(k->dir, roll(d, 2) ? WEB : 0, 0), "chown");
	c.said = c.len;
	if (roll(d, 10) == 0)
		c.said = PICK(d, lengths);
	n = roll(d, 60);
	c.memory = n == 0 ? NOWHERE : n == 1 ? CUT : n < 8 ? PAGE_END : THERE;
	k->mask = PICK(d, masks);
	k->cred = roll(d, n_all_creds);
	if (c.place == ROOTED || c.place == OUTSIDE)
		k->cred %= n_all_creds - 1;
	add(k->what, sizeof(k->what), "%s%s%s length %d/%u%s file %o:%u at %s umask %o as %s", servers[c.server],
	    c.nonblock ? " nonblock" : "", c.reuse ? " reuse" : "", (int)c.said, c.len,
	    c.memory == NOWHERE ? " no-memory" : c.memory == CUT ? " cut" : c.memory == PAGE_END ? " page-end" : "",
	    c.mode, c.uid, place_name(c.place), k->mask, cred_name(k->cred));
}

static void make_connect(struct kase *k) { sockets_make(k, CONNECT); }
static void make_bind(struct kase *k) { sockets_make(k, BIND); }

static int new_socket(int domain, int type, int protocol, int as)
{
	int fd = socket(domain, type, protocol);

	if (fd < 0 || dup2(fd, as) < 0)
		broken("socket");
	close(fd);
	return as;
}

static void reuse(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

/* The first of the case's ports, its abstract name, or "s" in its directory. */
static void name_server(struct kase *k, int domain)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "s" };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c.port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port };
	socklen_t n = sizeof(un);
	int r;

	reuse(SERVER);
	if (domain == AF_INET) {
		inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
		r = bind(SERVER, (void *)&in, sizeof(in));
	} else if (domain == AF_INET6) {
		inet_pton(AF_INET6, "::1", &in6.sin6_addr);
		r = bind(SERVER, (void *)&in6, sizeof(in6));
	} else {
		if (c.target == ABSTRACT)
			n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					(size_t)sprintf(un.sun_path + 1, "native-%u", k->number)),
			un.sun_path[0] = 0, un.sun_path[1] = 'n';
		r = bind(SERVER, (void *)&un, n);
		if (r == 0 && c.target != ABSTRACT && (chown("s", c.uid, 0) < 0 || chmod("s", c.mode) < 0))
			broken("s");
	}
	if (r < 0 && errno != EADDRINUSE && errno != EADDRNOTAVAIL && errno != EPERM && errno != EACCES)
		broken("server");
}

static void serve(struct kase *k)
{
	int domain = types[c.type].domain, type = types[c.type].type;
	int fd;

	if (domain == AF_NETLINK || c.server == NONE || (domain == AF_UNIX && (c.target == ABSTRACT_FREE)))
		return;
	if (c.server == OTHER_TYPE)
		type = type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM;
	new_socket(domain, type | SOCK_NONBLOCK, 0, SERVER);
	name_server(k, domain);
	listen(SERVER, c.server == FULL ? 0 : 5);
	if (c.server == FULL && domain == AF_UNIX && type != SOCK_DGRAM) {
		struct sockaddr_un un;
		socklen_t n = sizeof(un);

		fd = socket(domain, type | SOCK_NONBLOCK, 0);
		if (getsockname(SERVER, (void *)&un, &n) == 0)
			(void)connect(fd, (void *)&un, n);
	}
}

/* What the client did before. */
static void go_ahead(struct kase *k)
{
	int domain = types[c.type].domain;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(c.port + 2)) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = in.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_storage to;
	socklen_t n = sizeof(to);

	if (c.before == CONNECTED && getsockname(SERVER, (void *)&to, &n) == 0)
		(void)connect(CLIENT, (void *)&to, n);
	if (c.before != BOUND && c.before != LISTENING)
		return;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "client-%u", k->number);
	if (domain == AF_INET)
		(void)bind(CLIENT, (void *)&in, sizeof(in));
	else if (domain == AF_INET6)
		(void)bind(CLIENT, (void *)&in6, sizeof(in6));
	else if (domain == AF_UNIX)
		(void)bind(CLIENT, (void *)&un, (socklen_t)(3 + strlen(un.sun_path + 1)));
	if (c.before == LISTENING)
		listen(CLIENT, 3);
}

void sockets_prepare(struct kase *k)
{
	struct timeval soon = { 0, 10000 };
	int fd, ends[2];

	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || dup2(fd, OTHER) < 0 || pipe(ends) < 0 || dup2(ends[0], OTHER + 1) < 0)
		broken("descriptors");
	fd = open(k->dir, O_PATH);
	dup2(fd, OTHER + 2);
	for (int i = 3; i < 20; i++)
		close(i);
	must(chdir(k->dir), "chdir");
	umask(0);
	serve(k);
	new_socket(types[c.type].domain, types[c.type].type | (c.nonblock ? SOCK_NONBLOCK : 0), types[c.type].protocol, CLIENT);
	if (c.reuse)
		reuse(CLIENT);
	/* Nobody takes from a queue that is full. */
	setsockopt(CLIENT, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	go_ahead(k);
	must(chdir("/"), "chdir");
	place_take(k, c.place);
	umask(k->mask);
}

/* ---- what came of it ---- */

static void say_port(unsigned port, char *out, size_t n)
{
	if (port >= c.port && port < c.port + 4)
		add(out, n, ":+%u", port - c.port);
	else
		add(out, n, port > 32767 ? ":some" : ":%u", port);
}

static void say_address(const void *addr, socklen_t len, char *out, size_t n)
{
	const struct sockaddr_un *un = addr;
	const struct sockaddr_in *in = addr;
	const struct sockaddr_in6 *in6 = addr;
	const struct sockaddr_nl *nl = addr;
	char text[60];

	if (len < 2) {
		add(out, n, " %u bytes", len);
		return;
	}
	switch (un->sun_family) {
	case AF_UNIX:
		if (len == 2)
			add(out, n, " unnamed");
		else if (un->sun_path[0])
			add(out, n, " %.108s length %u", un->sun_path, len);
		else if (len == 8)
			add(out, n, " @chosen");
		else
			add(out, n, " @%.*s length %u", (int)len - 3, un->sun_path + 1, len);
		break;
	case AF_INET:
		add(out, n, " %s", inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
		say_port(ntohs(in->sin_port), out, n);
		break;
	case AF_INET6:
		add(out, n, " %s", inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)));
		say_port(ntohs(in6->sin6_port), out, n);
		break;
	case AF_NETLINK:
		add(out, n, nl->nl_pid == (unsigned)getpid() ? " own" : nl->nl_pid == 0 || nl->nl_pid == 7 || nl->nl_pid == 4321 ?
						" %u" : " other", nl->nl_pid);
		add(out, n, "/%u", nl->nl_groups);
		break;
	default:
		add(out, n, " family %u", un->sun_family);
	}
}

void say_names(int fd, char *out, size_t n)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	memset(&a, 0, sizeof(a));
	add(out, n, " named");
	if (getsockname(fd, (void *)&a, &len) < 0)
		add(out, n, " %s", strerrorname_np(errno));
	else
		say_address(&a, len, out, n);
	len = sizeof(a);
	memset(&a, 0, sizeof(a));
	add(out, n, " peer");
	if (getpeername(fd, (void *)&a, &len) < 0)
		add(out, n, " %s", strerrorname_np(errno));
	else
		say_address(&a, len, out, n);
}

static void say_credentials(int fd, char *out, size_t n)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	if (types[c.type].domain != AF_UNIX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return;
	add(out, n, " credentials %d:%d pid %s", (int)u.uid, (int)u.gid,
	    u.pid == getpid() ? "own" : u.pid ? "another" : "none");
}

/* Nobody waits for what cannot come. */
static void wait_for(int fd, short events, bool long_)
{
	struct pollfd p = { fd, events, 0 };

	poll(&p, 1, !long_ ? 0 : c.server == FULL ? 20 : 2000);
}

static bool is_with_server(void)
{
	struct sockaddr_storage a, b;
	socklen_t n = sizeof(a), m = sizeof(b);

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	return c.server != OTHER_TYPE && getpeername(CLIENT, (void *)&a, &n) == 0 && getsockname(SERVER, (void *)&b, &m) == 0 && n == m &&
	       memcmp(&a, &b, n) == 0;
}

static void say_byte(int from, int to, const char *word, char *out, size_t n)
{
	char b = 'x';
	ssize_t r = send(from, &b, 1, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (r == 1) {
		wait_for(to, POLLIN, is_with_server());
		r = recv(to, &b, 1, MSG_DONTWAIT);
	}
	add(out, n, " %s %s", word, r == 1 ? "arrives" : r < 0 ? strerrorname_np(errno) : "?");
}

static void say_connection(long r, int e, char *out, size_t n)
{
	int error = 0, fd;
	socklen_t len = sizeof(error);

	if (types[c.type].domain == AF_NETLINK)
		return;
	if (r < 0 && e != EINPROGRESS) {
		if (types[c.type].type == SOCK_DGRAM)
			return;
		/* The one of before is on its way, perhaps. */
		wait_for(SERVER, POLLIN, c.before == CONNECTED && is_with_server());
		add(out, n, " accept %s", accept4(SERVER, NULL, NULL, SOCK_NONBLOCK) < 0 ? "none" : "one");
		return;
	}
	wait_for(CLIENT, POLLOUT, true);
	getsockopt(CLIENT, SOL_SOCKET, SO_ERROR, &error, &len);
	add(out, n, " error %s", error ? strerrorname_np(error) : "0");
	say_names(CLIENT, out, n);
	say_credentials(CLIENT, out, n);
	if (error)
		return;
	if (types[c.type].type == SOCK_DGRAM) {
		say_byte(CLIENT, SERVER, "datagram", out, n);
		return;
	}
	wait_for(SERVER, POLLIN, is_with_server() && c.before != CONNECTED);
	fd = accept4(SERVER, NULL, NULL, SOCK_NONBLOCK);
	add(out, n, " accepted %s", fd < 0 ? strerrorname_np(errno) : "");
	if (fd < 0)
		return;
	say_names(fd, out, n);
	say_credentials(fd, out, n);
	say_byte(CLIENT, fd, "byte", out, n);
	say_byte(fd, CLIENT, "back", out, n);
}

static void act(struct kase *k)
{
	char *out = k->res->text;
	size_t n = sizeof(k->res->text);
	unsigned long at = 8;
	unsigned bytes = c.said > 128 ? 128 : c.said;
	long r;
	int e;

	cred_take(k->cred);
	if (c.memory != NOWHERE)
		at = (unsigned long)memory_of(c.addr, c.memory == CUT && bytes > 1 ? bytes - 1 : bytes,
					      c.memory == CUT || c.memory == PAGE_END);
	errno = 0;
	r = syscall(c.binds ? SYS_bind : SYS_connect, c.fd, at, c.said);
	e = errno;
	if (r < 0)
		add(out, n, "%s", strerrorname_np(e));
	else
		add(out, n, "done %ld", r);
	add(out, n, " flags %o", (unsigned)fcntl(CLIENT, F_GETFL));
	if (!c.binds) {
		say_connection(r, e, out, n);
	} else if (r == 0 && types[c.type].domain != AF_NETLINK && types[c.type].type != SOCK_DGRAM) {
		add(out, n, " listen %s", listen(CLIENT, 3) < 0 ? strerrorname_np(errno) : "0");
	}
	say_names(CLIENT, out, n);
	/* Once more. */
	r = syscall(c.binds ? SYS_bind : SYS_connect, c.fd, at, c.said);
	add(out, n, " again %s", r < 0 ? strerrorname_np(errno) : "0");
	k->res->done = true;
}

const struct family family_connect = { "connect", sockets_up, make_connect, sockets_prepare, act, clean_changes, false };
const struct family family_bind = { "bind", sockets_up, make_bind, sockets_prepare, act, clean_changes, false };
