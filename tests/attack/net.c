// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses that change while connect and bind are judged. On loopback port 4444 is forbidden, 5555 free; of the sockets
 * /hide/s and /free/s the first is. TCP to port 5000 is forbidden, UDP is not.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"

#define BAD_PORT  4444
#define GOOD_PORT 5555

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Connections are taken as they come, or the queue would fill; and kept a while, so that they can be looked at. */
static void *taking(void *arg)
{
	int fd = *(int *)arg, kept[16];

	memset(kept, -1, sizeof(kept));
	for (unsigned i = 0;; i++) {
		close(kept[i % 16]);
		kept[i % 16] = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	}
	return NULL;
}

static void serve(int fd, const void *addr, socklen_t n)
{
	static int listeners[8];
	static unsigned count;
	pthread_t th;

	if (fd < 0 || bind(fd, addr, n) < 0 || listen(fd, 128) < 0)
		broken("listen");
	listeners[count] = fd;
	th = start_thread(taking, &listeners[count++]);
	pthread_detach(th);
}

static void serve_port(unsigned port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	serve(fd, &a, sizeof(a));
}

static struct sockaddr_un named(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	return a;
}

static void serve_path(const char *path)
{
	struct sockaddr_un a = named(path);

	unlink(path);
	serve(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &a, sizeof(a));
}

static void up(void)
{
	struct ifreq i = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &i) < 0)
		broken("loopback");
	close(fd);
}

static int new_socket(int family, int type)
{
	struct linger at_once = { 1, 0 };
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		broken("socket");
	/* No port lingers after it. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return fd;
}

static unsigned peer_port(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	return getpeername(fd, (struct sockaddr *)&a, &n) < 0 || a.sin_family != AF_INET ? 0 : ntohs(a.sin_port);
}

static void judge_port(struct run *r, unsigned port)
{
	if (port == BAD_PORT)
		evil(r);
	else if (port == GOOD_PORT)
		good(r);
}

/* ---- an address in memory ---- */

static void set_port(void *arg, bool evil_side)
{
	((volatile struct sockaddr_in *)arg)->sin_port = htons(evil_side ? BAD_PORT : GOOD_PORT);
}

static struct sockaddr_in *flipping_address(void)
{
	struct sockaddr_in *a = shared(sizeof(*a));

	*a = loopback(GOOD_PORT);
	return a;
}

static void race_port(struct run *r, int type, void (*by)(int fd, struct sockaddr_in *a))
{
	struct sockaddr_in *a = flipping_address();
	struct flip *f;

	up();
	serve_port(BAD_PORT);
	serve_port(GOOD_PORT);
	f = flip_start(set_port, a);
	while (more(r)) {
		int fd = new_socket(AF_INET, type);

		flip_begin(f);
		by(fd, a);
		flip_end(f);
		judge_port(r, peer_port(fd));
		close(fd);
	}
	flip_stop(f);
}

static void by_connect(int fd, struct sockaddr_in *a) { connect(fd, (void *)a, sizeof(*a)); }
static void by_fast_open(int fd, struct sockaddr_in *a)
{
	/* What clients do without it. */
	if (sendto(fd, "x", 1, MSG_FASTOPEN, (void *)a, sizeof(*a)) < 0 && errno == EOPNOTSUPP)
		connect(fd, (void *)a, sizeof(*a));
}
static void by_fast_open_msg(int fd, struct sockaddr_in *a)
{
	struct iovec v = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_name = a, .msg_namelen = sizeof(*a), .msg_iov = &v, .msg_iovlen = 1 };

	if (sendmsg(fd, &m, MSG_FASTOPEN) < 0 && errno == EOPNOTSUPP)
		connect(fd, (void *)a, sizeof(*a));
}
static void by_i386(int fd, struct sockaddr_in *a)
{
	int80(362, (uint32_t)fd, low(a), sizeof(*a), 0, 0);
}
static void by_socketcall(int fd, struct sockaddr_in *a)
{
	static uint32_t *args;

	if (!args)
		args = shared(64);
	args[0] = (uint32_t)fd;
	args[1] = low(a);
	args[2] = sizeof(*a);
	int80(102, 3, low(args), 0, 0, 0);
}

static void memory(struct run *r) { race_port(r, SOCK_STREAM, by_connect); }
static void memory_udp(struct run *r) { race_port(r, SOCK_DGRAM, by_connect); }
static void fast_open(struct run *r) { race_port(r, SOCK_STREAM, by_fast_open); }
static void fast_open_msg(struct run *r) { race_port(r, SOCK_STREAM, by_fast_open_msg); }
static void i386(struct run *r) { race_port(r, SOCK_STREAM, by_i386); }
static void socketcall(struct run *r) { race_port(r, SOCK_STREAM, by_socketcall); }

/* The arguments of socketcall lie in memory, too: another address altogether. */
static void set_pointer(void *arg, bool evil_side)
{
	volatile uint32_t *args = arg;

	args[1] = args[evil_side ? 4 : 3];
}

static void socketcall_pointer(struct run *r)
{
	struct sockaddr_in *bad = flipping_address(), *fine = flipping_address();
	volatile uint32_t *args = shared(64);
	struct flip *f;

	up();
	serve_port(BAD_PORT);
	serve_port(GOOD_PORT);
	bad->sin_port = htons(BAD_PORT);
	args[2] = sizeof(*bad);
	args[3] = low(fine);
	args[4] = low(bad);
	f = flip_start(set_pointer, (void *)(uintptr_t)args);
	while (more(r)) {
		int fd = new_socket(AF_INET, SOCK_STREAM);

		args[0] = (uint32_t)fd;
		flip_begin(f);
		int80(102, 3, low((void *)(uintptr_t)args), 0, 0, 0);
		flip_end(f);
		judge_port(r, peer_port(fd));
		close(fd);
	}
	flip_stop(f);
}

/* The socket behind the number: UDP when judged, TCP when connected. */
static void number(struct run *r)
{
	struct sockaddr_in a = loopback(5000);
	struct flip *f;
	struct numbers n = { 50, -1, -1 };

	up();
	serve_port(5000);
	n.good = new_socket(AF_INET, SOCK_DGRAM);
	n.evil = new_socket(AF_INET, SOCK_STREAM);
	f = flip_start(set_number, &n);
	while (more(r)) {
		int e = new_socket(AF_INET, SOCK_STREAM);

		dup3(e, n.evil, O_CLOEXEC);
		close(e);
		flip_begin(f);
		if (connect(50, (void *)&a, sizeof(a)) == 0 && peer_port(n.evil) == 0)
			good(r);
		flip_end(f);
		if (peer_port(n.evil) == 5000)
			evil(r);
	}
	flip_stop(f);
}

/* ---- sockets with names ---- */

static void judge_name(struct run *r, int fd)
{
	struct sockaddr_un a = { 0 };
	socklen_t n = sizeof(a) - 1;

	if (getpeername(fd, (struct sockaddr *)&a, &n) < 0)
		return;
	if (strcmp(a.sun_path, "/hide/s") == 0)
		evil(r);
	else
		good(r);
}

static void race_name(struct run *r, void (*set)(void *, bool), void *arg, struct sockaddr_un *a)
{
	struct flip *f;

	serve_path("/hide/s");
	serve_path("/free/s");
	f = flip_start(set, arg);
	while (more(r)) {
		int fd = new_socket(AF_UNIX, SOCK_STREAM);

		flip_begin(f);
		connect(fd, (void *)a, sizeof(*a));
		flip_end(f);
		judge_name(r, fd);
		close(fd);
	}
	flip_stop(f);
}

static void unix_memory(struct run *r)
{
	struct sockaddr_un *a = shared(sizeof(*a));
	struct text *t = text_of("/free/s", "/hide/s");

	*a = named("");
	t->p = a->sun_path;
	race_name(r, set_text, t, a);
}

static void unix_symlink(struct run *r)
{
	struct sockaddr_un a = named("/free/sl");

	unlink("/free/sl");
	unlink("/free/sl2");
	if (symlink("/free/s", "/free/sl") < 0 || symlink("/hide/s", "/free/sl2") < 0)
		broken("symlink");
	race_name(r, set_names, names_of("/free/sl", "/free/sl2"), &a);
}

/* ---- bind ---- */

static void bind_memory(struct run *r)
{
	struct sockaddr_in *a = flipping_address();
	struct flip *f;

	up();
	f = flip_start(set_port, a);
	while (more(r)) {
		int fd = new_socket(AF_INET, SOCK_STREAM);
		struct sockaddr_in is = { 0 };
		socklen_t n = sizeof(is);

		flip_begin(f);
		if (bind(fd, (void *)a, sizeof(*a)) < 0)
			is.sin_port = 0;
		flip_end(f);
		if (getsockname(fd, (void *)&is, &n) == 0)
			judge_port(r, ntohs(is.sin_port));
		close(fd);
	}
	flip_stop(f);
}

static void bind_unix(struct run *r)
{
	struct sockaddr_un *a = shared(sizeof(*a));
	struct text *t = text_of("/free/b", "/hide/b");
	struct flip *f;

	*a = named("");
	t->p = a->sun_path;
	unlink("/free/b");
	unlink("/hide/b");
	f = flip_start(set_text, t);
	while (more(r)) {
		int fd = new_socket(AF_UNIX, SOCK_STREAM);

		flip_begin(f);
		bind(fd, (void *)a, sizeof(*a));
		flip_end(f);
		if (unlink("/hide/b") == 0)
			evil(r);
		if (unlink("/free/b") == 0)
			good(r);
		close(fd);
	}
	flip_stop(f);
}

/* ---- messages ---- */

/* Where datagrams arrive: [0] the forbidden place, [1] the free one. */
static int inbox[2];

static void open_inboxes(void)
{
	up();
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = loopback(i ? GOOD_PORT : BAD_PORT);

		inbox[i] = new_socket(AF_INET, SOCK_DGRAM);
		if (bind(inbox[i], (void *)&a, sizeof(a)) < 0)
			broken("inbox");
	}
}

static void look_into(struct run *r)
{
	char b[64];

	while (recv(inbox[0], b, sizeof(b), MSG_DONTWAIT) >= 0)
		evil(r);
	while (recv(inbox[1], b, sizeof(b), MSG_DONTWAIT) >= 0)
		good(r);
}

static void race_send(struct run *r, void (*set)(void *, bool), void *arg, void *a, socklen_t n, bool connected,
		      void (*by)(int fd, void *a, socklen_t n))
{
	struct sockaddr_in free_port = loopback(GOOD_PORT);
	struct sockaddr_un free_name = named("/free/box");
	int family = ((struct sockaddr *)a)->sa_family;
	const void *partner = family == AF_UNIX ? (void *)&free_name : (void *)&free_port;
	struct flip *f = flip_start(set, arg);

	while (more(r)) {
		int fd = new_socket(family, SOCK_DGRAM);

		if (connected && connect(fd, partner, family == AF_UNIX ? sizeof(free_name) : sizeof(free_port)) < 0)
			broken("partner");
		flip_begin(f);
		by(fd, a, n);
		flip_end(f);
		look_into(r);
		close(fd);
	}
	flip_stop(f);
}

static void by_sendto(int fd, void *a, socklen_t n) { sendto(fd, "x", 1, 0, a, n); }
static void by_sendmsg(int fd, void *a, socklen_t n)
{
	struct iovec v = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_name = a, .msg_namelen = n, .msg_iov = &v, .msg_iovlen = 1 };

	sendmsg(fd, &m, 0);
}
static void by_sendmmsg(int fd, void *a, socklen_t n)
{
	struct iovec v = { (char[]){ "x" }, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = a, .msg_namelen = n, .msg_iov = &v, .msg_iovlen = 1 } };

	/* What programs do without it. */
	if (sendmmsg(fd, &m, 1, 0) < 0 && errno == ENOSYS)
		sendmsg(fd, &m.msg_hdr, 0);
}
/* sendto of i386 has six arguments, which socketcall has in memory. */
static void by_socketcall_send(int fd, void *a, socklen_t n)
{
	static uint32_t *args;

	if (!args)
		args = shared(64);
	args[0] = (uint32_t)fd;
	args[1] = low(&args[8]);
	args[2] = 1;
	args[3] = 0;
	args[4] = low(a);
	args[5] = n;
	int80(102, 11, low(args), 0, 0, 0);
}
static void by_sendmsg_i386(int fd, void *a, socklen_t n)
{
	static uint32_t *m;

	if (!m)
		m = shared(64);
	m[0] = low(a);
	m[1] = n;
	m[2] = low(&m[8]);
	m[3] = 1;
	m[4] = m[5] = m[6] = 0;
	m[8] = low(&m[10]);
	m[9] = 1;
	int80(370, (uint32_t)fd, low(m), 0, 0, 0);
}

/* The same by the number that socketcall has for it. */
static void by_socketcall_sendmmsg(int fd, void *a, socklen_t n)
{
	static uint32_t *m;

	if (!m)
		m = shared(96);
	m[0] = (uint32_t)fd;
	m[1] = low(&m[4]);
	m[2] = 1;
	m[3] = 0;
	m[4] = low(a);
	m[5] = n;
	m[6] = low(&m[12]);
	m[7] = 1;
	m[8] = m[9] = m[10] = m[11] = 0;
	m[12] = low(&m[14]);
	m[13] = 1;
	if (int80(102, 20, low(m), 0, 0, 0) < 0 && errno == ENOSYS)
		sendto(fd, "x", 1, 0, a, n);
}

static void race_datagram(struct run *r, bool connected, void (*by)(int fd, void *a, socklen_t n))
{
	struct sockaddr_in *a = flipping_address();

	open_inboxes();
	race_send(r, set_port, a, a, sizeof(*a), connected, by);
}

static void send_to(struct run *r) { race_datagram(r, false, by_sendto); }
static void send_msg(struct run *r) { race_datagram(r, false, by_sendmsg); }
static void send_mmsg(struct run *r) { race_datagram(r, false, by_sendmmsg); }
static void send_i386(struct run *r) { race_datagram(r, false, by_sendmsg_i386); }
static void send_socketcall_mmsg(struct run *r) { race_datagram(r, false, by_socketcall_sendmmsg); }
static void send_socketcall(struct run *r) { race_datagram(r, false, by_socketcall_send); }
/* The partner is a free one; no thread is needed where rules are asked about it alone. */
static void send_connected(struct run *r) { race_datagram(r, true, by_sendto); }

/* Which address the header points to. */
struct pointer {
	struct msghdr m;
	struct sockaddr_in good, evil;
};
static void set_name(void *arg, bool evil_side)
{
	struct pointer *p = arg;

	*(void *volatile *)&p->m.msg_name = evil_side ? &p->evil : &p->good;
}
static struct pointer *pointing;
static void by_header(int fd, void *a, socklen_t n)
{
	(void)a;
	(void)n;
	sendmsg(fd, &pointing->m, 0);
}
static void send_pointer(struct run *r)
{
	struct iovec v = { (char[]){ "x" }, 1 };

	pointing = shared(sizeof(*pointing));
	pointing->good = loopback(GOOD_PORT);
	pointing->evil = loopback(BAD_PORT);
	pointing->m = (struct msghdr){ .msg_name = &pointing->good, .msg_namelen = sizeof(pointing->good), .msg_iov = &v,
				       .msg_iovlen = 1 };
	open_inboxes();
	race_send(r, set_name, pointing, &pointing->good, sizeof(pointing->good), false, by_header);
}

/* What is said, not to whom. */
static void send_data(struct run *r)
{
	struct sockaddr_in a = loopback(GOOD_PORT);
	char *data = shared(16), got[16];
	struct text *t = text_of("permit", "forbid");
	struct flip *f;

	t->p = data;
	open_inboxes();
	f = flip_start(set_text, t);
	while (more(r)) {
		flip_begin(f);
		sendto(inbox[0], data, 6, 0, (void *)&a, sizeof(a));
		flip_end(f);
		while (recv(inbox[1], got, sizeof(got), MSG_DONTWAIT) == 6)
			(memcmp(got, "forbid", 6) == 0 ? evil : good)(r);
	}
	flip_stop(f);
}

/* Sockets with names. */
static void name_inboxes(void)
{
	static const char *const names[] = { "/hide/box", "/free/box" };

	for (int i = 0; i < 2; i++) {
		struct sockaddr_un a = named(names[i]);

		unlink(names[i]);
		inbox[i] = new_socket(AF_UNIX, SOCK_DGRAM);
		if (bind(inbox[i], (void *)&a, sizeof(a)) < 0)
			broken("inbox");
	}
}

static void send_unix(struct run *r)
{
	struct sockaddr_un *a = shared(sizeof(*a));
	struct text *t = text_of("/free/box", "/hide/box");

	*a = named("");
	t->p = a->sun_path;
	name_inboxes();
	race_send(r, set_text, t, a, sizeof(*a), false, by_sendto);
}

static void race_boxes(struct run *r, bool connected)
{
	struct sockaddr_un a = named("/free/boxl");

	name_inboxes();
	unlink("/free/boxl");
	unlink("/free/boxl2");
	if (symlink("/free/box", "/free/boxl") < 0 || symlink("/hide/box", "/free/boxl2") < 0)
		broken("symlink");
	race_send(r, set_names, names_of("/free/boxl", "/free/boxl2"), &a, sizeof(a), connected, by_sendmsg);
}

static void send_unix_symlink(struct run *r) { race_boxes(r, false); }
static void send_unix_connected(struct run *r) { race_boxes(r, true); }

const struct attack attacks_net[] = {
	{ "send-memory", send_to },	      { "send-msg", send_msg },
	{ "send-mmsg", send_mmsg },	      { "send-i386", send_i386 },
	{ "send-socketcall", send_socketcall }, { "send-connected", send_connected },
	{ "send-pointer", send_pointer },     { "send-data", send_data },
	{ "send-unix", send_unix },	      { "send-unix-symlink", send_unix_symlink },
	{ "send-unix-connected", send_unix_connected }, { "send-socketcall-mmsg", send_socketcall_mmsg },
	{ "connect-memory", memory },	      { "connect-memory-udp", memory_udp },
	{ "connect-i386", i386 },	      { "connect-socketcall", socketcall },
	{ "connect-socketcall-pointer", socketcall_pointer }, { "connect-fast-open", fast_open },
	{ "connect-fast-open-msg", fast_open_msg }, { "connect-number", number },
	{ "connect-unix", unix_memory },      { "connect-unix-symlink", unix_symlink },
	{ "bind-memory", bind_memory },	      { "bind-unix", bind_unix },
	{ NULL, NULL },
};
