// SPDX-License-Identifier: Apache-2.0
#include "shriked/engine_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/log.h"

#define ROUND	  64	/* packets read before the keeper looks at its signals again */
#define DRAIN_MAX 65536 /* more than a socket buffer holds */

/* In the child. Descriptors: 0 to 2 inherited, 3 to 6 as agreed, no other. */
static void become_engine(const struct shk_engine_args *a, int sock, pid_t keeper)
{
	static const char *const drop[] = { "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS",
					    "LISTEN_FDNAMES" };
	int fds[] = { sock, a->journal_fd, a->control_fd, a->notify_fd };
	int above = SHK_KEEPER_FD_SOCK + (int)SHK_ARRAY_SIZE(fds);
	char restarts[16];
	const char *argv[] = { "shrike-engine", "--keeper",   "--control", a->control,
			       "--notify",	a->notify,    "--restarts", restarts,
			       NULL,		NULL,	      NULL,	   NULL };
	size_t n = SHK_ARRAY_SIZE(argv) - 4;
	sigset_t none;

	if (a->user)
		argv[n++] = "--user";
	if (a->config) {
		argv[n++] = "--config";
		argv[n++] = a->config;
	}
	snprintf(restarts, sizeof(restarts), "%u", a->restarts);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != keeper)
		_exit(1);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(drop); i++)
		unsetenv(drop[i]);
	/* Out of the way first: a source may be another one's destination. */
	for (size_t i = 0; i < SHK_ARRAY_SIZE(fds); i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, above);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(fds); i++)
		if (dup2(fds[i], SHK_KEEPER_FD_SOCK + (int)i) < 0)
			_exit(1);
	close_range((unsigned)above, ~0u, CLOSE_RANGE_CLOEXEC);
	execv(a->path, (char **)(uintptr_t)argv);
	shk_error("cannot execute %s: %s", a->path, strerror(errno));
	_exit(127);
}

int shk_engine_start(struct shk_engine *e, const struct shk_engine_args *a, struct shk_err *err)
{
	int sv[2];
	pid_t pid, self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return shk_err_sys(err, errno, "socketpair");
	pid = fork();
	if (pid == 0)
		become_engine(a, sv[1], self);
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		return shk_err_sys(err, errno, "fork");
	}
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	*e = (struct shk_engine){ .pid = pid, .sock = sv[0], .started = shk_now_mono() };
	return 0;
}

short shk_engine_events(const struct shk_engine *e)
{
	return e->told && !e->ack_waits ? POLLIN : POLLOUT;
}

/* True when the packet went out; false: it must wait, or nobody is there to take it. */
static bool send_packet(struct shk_engine *e, const struct shk_keeper_msg *m, int fd)
{
	ssize_t r = shk_send_fds(e->sock, m, sizeof(*m) + m->len, &fd, fd >= 0);

	if (r < 0 && r != -EAGAIN) {
		if (r != -EPIPE && r != -ECONNRESET)
			shk_warning("cannot send to the engine: %s", strerror((int)-r));
		e->hung = true;
	}
	return r >= 0;
}

static void tell_entries(struct shk_engine *e, struct shk_store *s)
{
	union {
		struct shk_keeper_msg m;
		unsigned char room[sizeof(struct shk_keeper_msg) + SHK_KEEPER_BLOB_MAX];
	} u;

	for (; e->sent < s->n; e->sent++) {
		struct shk_entry *x = &s->e[e->sent];

		u.m = (struct shk_keeper_msg){ .op = SHK_KEEPER_HAVE,
					       .len = x->len,
					       .key = x->key,
					       .flags = x->fd >= 0 ? SHK_KEEPER_WITH_FD : 0 };
		memcpy(u.m.blob, x->blob, x->len);
		if (!send_packet(e, &u.m, x->fd))
			return;
	}
	u.m = (struct shk_keeper_msg){ .op = SHK_KEEPER_HAVE_END };
	e->told = send_packet(e, &u.m, -1);
}

static int store(struct shk_store *s, const struct shk_keeper_msg *m, int *fds, size_t nfds)
{
	bool replaces = shk_store_find(s, m->key) != NULL;
	int r;

	if (nfds > 1)
		return -EINVAL;
	if ((m->flags & SHK_KEEPER_WITH_FD) && nfds == 0)
		return -EBADF;
	r = shk_store_put(s, m->key, nfds ? fds[0] : -1, m->blob, m->len);
	if (r < 0)
		return r;
	if (nfds)
		fds[0] = -1;
	if (replaces)
		shk_fdstore_del(m->key);
	shk_fdstore_put(shk_store_find(s, m->key));
	return 0;
}

static void status(const struct shk_keeper_msg *m)
{
	char text[256];

	snprintf(text, sizeof(text), "STATUS=%.*s", (int)m->len, (const char *)m->blob);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' '; /* one assignment per line in the protocol */
	shk_notify(text, NULL);
}

static void act(struct shk_engine *e, struct shk_store *s, const struct shk_keeper_msg *m, int *fds,
		size_t nfds)
{
	switch (m->op) {
	case SHK_KEEPER_STORE:
		e->ack_key = m->key;
		e->ack_status = (uint32_t)-store(s, m, fds, nfds);
		e->ack_waits = true;
		break;
	case SHK_KEEPER_FORGET:
		if (shk_store_del(s, m->key))
			shk_fdstore_del(m->key);
		break;
	case SHK_KEEPER_READY:
		e->ready = true;
		break;
	case SHK_KEEPER_RELOADED:
		status(m);
		break;
	default:
		shk_warning("the engine sent an unknown operation %u", m->op);
	}
}

/* Reads one packet and does what it says. 1, 0 at the end of the stream, -errno. */
static int take_packet(struct shk_engine *e, struct shk_store *s)
{
	union {
		struct shk_keeper_msg m;
		unsigned char room[sizeof(struct shk_keeper_msg) + SHK_KEEPER_BLOB_MAX + 1];
	} u;
	int fds[SHK_MAX_FDS];
	size_t nfds = SHK_MAX_FDS;
	ssize_t n = shk_recv_fds(e->sock, &u, sizeof(u), fds, &nfds, MSG_DONTWAIT);

	/* Said once, before the packets, when the engine died with unread ones on its side. */
	if (n == -ECONNRESET)
		return 1;
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(u.m) || (size_t)n != sizeof(u.m) + u.m.len ||
	    u.m.len > SHK_KEEPER_BLOB_MAX)
		shk_warning("the engine sent a packet of %zd bytes that is not one", n);
	else
		act(e, s, &u.m, fds, nfds);
	for (size_t i = 0; i < nfds; i++)
		shk_close(&fds[i]);
	return 1;
}

void shk_engine_talk(struct shk_engine *e, struct shk_store *s)
{
	if (!e->told && !e->hung)
		tell_entries(e, s);
	for (int i = 0; i < ROUND && e->told && !e->hung; i++) {
		struct shk_keeper_msg ack = { .op = SHK_KEEPER_ACK,
					      .key = e->ack_key,
					      .status = e->ack_status };
		int r;

		if (e->ack_waits)
			e->ack_waits = !send_packet(e, &ack, -1);
		if (e->ack_waits)
			return;
		r = take_packet(e, s);
		if (r == -EAGAIN)
			return;
		if (r <= 0)
			e->hung = true;
	}
}

bool shk_engine_drain(struct shk_engine *e, struct shk_store *s)
{
	bool served;

	for (int i = 0; i < DRAIN_MAX; i++)
		if (take_packet(e, s) <= 0)
			break;
	served = e->ready;
	shk_close(&e->sock);
	*e = (struct shk_engine){ .sock = -1 };
	return served;
}
