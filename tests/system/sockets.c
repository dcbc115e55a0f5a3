// SPDX-License-Identifier: Apache-2.0
/*
 * sockets - connects and binds in ways that matter when somebody else does it for the caller. Static.
 *
 *   all        one line per case: what came of it
 *   flip N     connects to 127.0.0.1:1111 N times while a thread turns the port into 2222: who was reached, as
 *              {"good":n,"bad":n,"refused":n}
 *   swap N     the same with the descriptor: dup2 puts another socket under the number all the while
 *   pour       sends three million bytes at once to somebody who reads slowly
 *   fill       sends datagrams to somebody who does not read, until one waits; and what came of that one
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in inet(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static socklen_t un_of(struct sockaddr_un *a, const char *path, int abstract)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path + abstract, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(path) + !abstract);
}

static int say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
	return r < 0;
}

static int server(int port)
{
	struct sockaddr_in a = inet("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0)
		return -1;
	return fd;
}

static int tcp(int flags, int port)
{
	struct sockaddr_in a = inet("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	int r = connect(fd, (struct sockaddr *)&a, sizeof(a)), e = errno;

	if (r == 0)
		say("again", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
	errno = e;
	return r;
}

static void peer(int listener, const char *path, int abstract, uid_t uid, gid_t gid)
{
	struct sockaddr_un a;
	socklen_t n = un_of(&a, path, abstract), len = sizeof(struct ucred);
	struct ucred c = { 0 };
	int fd, st;

	if (fork() == 0) {
		if (setgid(gid) || setuid(uid))
			_exit(9);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		st = connect(fd, (struct sockaddr *)&a, n) < 0 ? errno : 0;
		if (!st)
			(void)!write(fd, "x", 1);
		_exit(st);
	}
	wait(&st);
	printf("%s as %u: %s", path, uid, WEXITSTATUS(st) ? strerrorname_np(WEXITSTATUS(st)) : "ok");
	fd = WEXITSTATUS(st) ? -1 : accept(listener, NULL, NULL);
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0)
		printf(", peer %u %u", c.uid, c.gid);
	close(fd);
	printf("\n");
}

static void unix_cases(void)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ab = socket(AF_UNIX, SOCK_STREAM, 0), other;
	struct stat st;
	socklen_t n = un_of(&a, "/tmp/sock", 0);

	umask(027);
	say("bind /tmp/sock", bind(fd, (struct sockaddr *)&a, n));
	printf("mode %o uid %u\n", stat("/tmp/sock", &st) < 0 ? 0 : st.st_mode, st.st_uid);
	say("bind twice", bind(fd, (struct sockaddr *)&a, n));
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	say("bind taken", bind(other, (struct sockaddr *)&a, n));
	listen(fd, 5);
	n = un_of(&a, "hidden", 1);
	say("bind abstract", bind(ab, (struct sockaddr *)&a, n));
	listen(ab, 5);
	chmod("/tmp/sock", 0777);
	peer(fd, "/tmp/sock", 0, 0, 0);
	peer(fd, "/tmp/sock", 0, 1000, 1001);
	peer(ab, "hidden", 1, 1000, 1001);
	symlink("/tmp/sock", "/tmp/link");
	peer(fd, "/tmp/link", 0, 0, 0);
	chmod("/tmp/sock", 0700);
	peer(fd, "/tmp/sock", 0, 1000, 1001);
	peer(fd, "/tmp/none", 0, 0, 0);
	peer(fd, "/etc/motd", 0, 0, 0);
	peer(fd, "/tmp", 0, 0, 0);
	mkdir("/tmp/d", 0755);
	if (chdir("/tmp/d") == 0) {
		n = un_of(&a, "rel", 0);
		say("bind relative", bind(other, (struct sockaddr *)&a, n));
		printf("there %d\n", stat("/tmp/d/rel", &st));
		listen(other, 5);
		peer(other, "rel", 0, 0, 0);
		peer(other, "../d/rel", 0, 1000, 1000);
	}
	n = un_of(&a, "/gone/x", 0);
	say("bind nowhere", bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, n));
	say("autobind", bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(sa_family_t)));
	say("dgram to stream", connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&a, un_of(&a, "/tmp/sock", 0)));
}

static void low_port(uid_t uid)
{
	int st;

	if (fork() == 0) {
		struct sockaddr_in a = inet("0.0.0.0", 80);

		if (setuid(uid))
			_exit(9);
		_exit(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0);
	}
	wait(&st);
	printf("port 80 as %u: %s\n", uid, WEXITSTATUS(st) ? strerrorname_np(WEXITSTATUS(st)) : "ok");
}

static int all(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	struct sockaddr_in a = inet("127.0.0.1", 3000);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(3001) };
	int s = server(3000), fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	say("server", s);
	say("taken", server(3000));
	say("connect", tcp(0, 3000));
	say("refused", tcp(0, 3999));
	fd = tcp(SOCK_NONBLOCK, 3000);
	printf("nonblocking: %s\n", fd < 0 && errno != EINPROGRESS ? strerrorname_np(errno) : "ok");
	say("udp", connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&a, sizeof(a)));
	say("short", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, 3));
	say("none", connect(socket(AF_INET, SOCK_STREAM, 0), NULL, 0));
	say("fault", connect(socket(AF_INET, SOCK_STREAM, 0), (void *)8, sizeof(a)));
	say("negative", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, (socklen_t)-1));
	say("no descriptor", connect(77, (struct sockaddr *)&a, sizeof(a)));
	say("no socket", connect(0, (struct sockaddr *)&a, sizeof(a)));
	say("wrong family", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a6, sizeof(a6)));
	say("bind6", bind(socket(AF_INET6, SOCK_STREAM, 0), (struct sockaddr *)&a6, sizeof(a6)));
	say("netlink", bind(socket(AF_NETLINK, SOCK_RAW, 0), (struct sockaddr *)&nl, sizeof(nl)));
	a = inet("10.1.2.3", 1);
	say("not ours", bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	low_port(0);
	low_port(1000);
	unix_cases();
	return 0;
}

/* ---- races ---- */

static struct sockaddr_in goal;
static atomic_bool stop;
static int under;

static void *flip(void *arg)
{
	(void)arg;
	/* One a turn: an emulator changes processors between turns alone. */
	for (unsigned i = 0; !atomic_load(&stop); i++)
		*(volatile in_port_t *)&goal.sin_port = htons(i & 1 ? 1111 : 2222);
	return NULL;
}

static void *swap(void *arg)
{
	struct sockaddr_in bad = inet("127.0.0.1", 2222);

	(void)arg;
	(void)bad;
	while (!atomic_load(&stop)) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		dup2(fd, under);
		close(fd);
	}
	return NULL;
}

static int race(int n, void *(*fn)(void *))
{
	unsigned good = 0, bad = 0, refused = 0;
	int g = server(1111), b = server(2222);
	pthread_t t;

	goal = inet("127.0.0.1", 1111);
	under = 50;
	fcntl(g, F_SETFL, O_NONBLOCK);
	fcntl(b, F_SETFL, O_NONBLOCK);
	if (g < 0 || b < 0 || pthread_create(&t, NULL, fn, NULL))
		return 2;
	while (n--) {
		int fd = fn == swap ? under : socket(AF_INET, SOCK_STREAM, 0), c;

		if (connect(fd, (struct sockaddr *)&goal, sizeof(goal)) < 0)
			refused++;
		while ((c = accept(g, NULL, NULL)) >= 0)
			good++, close(c);
		while ((c = accept(b, NULL, NULL)) >= 0)
			bad++, close(c);
		if (fn != swap)
			close(fd);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	printf("{\"good\":%u,\"bad\":%u,\"refused\":%u}\n", good, bad, refused);
	return 0;
}

/* ---- sends that wait ---- */

static ssize_t send_n(int fd, const char *p, size_t n, int flags)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return sendmsg(fd, &m, flags);
}

static int pour(void)
{
	static char bytes[3000000];
	size_t got = 0;
	ssize_t r;
	int s[2], st;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return 2;
	if (fork() == 0) {
		static char in[60000];

		close(s[0]);
		for (; (r = read(s[1], in, sizeof(in))) > 0; got += (size_t)r) {
			if (memcmp(in, bytes + got, (size_t)r) != 0)
				_exit(1);
			usleep(2000);
		}
		_exit(got == sizeof(bytes) ? 0 : 3);
	}
	close(s[1]);
	r = send_n(s[0], bytes, sizeof(bytes), 0);
	close(s[0]);
	wait(&st);
	printf("poured %zd, arrived %d\n", r, WEXITSTATUS(st));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return 2;
	r = send_n(s[0], bytes, sizeof(bytes), MSG_DONTWAIT);
	printf("at once %s\n", r > 0 && r < (ssize_t)sizeof(bytes) ? "a part" : "?");
	r = send_n(s[0], bytes, sizeof(bytes), MSG_DONTWAIT);
	printf("again %s\n", r < 0 ? strerrorname_np(errno) : "ok");
	return 0;
}

static int fill(void)
{
	unsigned n = 0;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s) < 0)
		return 2;
	while (n < 5000 && send_n(s[0], "x", 1, 0) == 1)
		n++;
	printf("%s %s\n", n > 1 && n < 5000 ? "some" : "none", strerrorname_np(errno));
	return 0;
}

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
}

int main(int argc, char **argv)
{
	lo_up();
	if (argc == 2 && !strcmp(argv[1], "all"))
		return all();
	if (argc == 3 && !strcmp(argv[1], "flip"))
		return race(atoi(argv[2]), flip);
	if (argc == 3 && !strcmp(argv[1], "swap"))
		return race(atoi(argv[2]), swap);
	if (argc == 2 && !strcmp(argv[1], "pour"))
		return pour();
	if (argc == 2 && !strcmp(argv[1], "fill"))
		return fill();
	return 2;
}
