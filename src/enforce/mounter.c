// SPDX-License-Identifier: Apache-2.0
#include "enforce/mounter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/bar.h"
#include "enforce/deputy_wire.h"

#define CHANNEL 3 /* in the mounter: the one descriptor beside the standard ones */

struct shk_mounter {
	int fd;
	pid_t pid;
};

/* ---- the mounter's process ---- */

struct child {
	pid_t pid;
	bool deputy;
	uint64_t container, due;
};

#define ALL 4096

/* Their sizes tell which it is. */
static union {
	struct shk_mount_wire mount;
	struct shk_deputy_wire deputy;
} order;
_Static_assert(sizeof(order.mount) != sizeof(order.deputy), "orders are told apart by their sizes");
_Static_assert((int)SHK_MFD_REPLY == (int)SHK_DFD_REPLY, "who asked is told in one place");

/* Children whose end nobody has taken yet are counted as well, so it is taken first. However many calls of others hang, a
 * container has room for one. */
static bool has_room(struct child *c, unsigned *n, bool deputy, uint64_t container)
{
	unsigned all = 0, same = 0;

	for (unsigned i = 0; i < *n;) {
		if (waitpid(c[i].pid, NULL, WNOHANG) != 0) {
			c[i] = c[--*n];
			continue;
		}
		/* Stopped by somebody who has its ids: its alarm does nothing. It was not waited for, so the number is its. */
		if (shk_now_mono() > c[i].due)
			(void)kill(c[i].pid, SIGKILL);
		all += c[i].deputy == deputy;
		same += c[i].deputy == deputy && c[i].container == container;
		i++;
	}
	if (!same)
		return *n < ALL;
	return all < (deputy ? SHK_DEPUTIES_ALL : SHK_MOUNTER_ALL) && same < (deputy ? SHK_DEPUTIES_EACH : SHK_MOUNTER_EACH);
}

static _Noreturn void make_mount(int *fd)
{
	int32_t r = shk_mount_child(&order.mount, fd);

	/* Before the caller goes on: what is held here makes a mount busy. */
	if (chdir("/") < 0)
		r = r < 0 ? r : -EIO;
	for (unsigned i = 0; i < SHK_MFD_N; i++)
		if (i != SHK_MFD_REPLY)
			shk_close(&fd[i]);
	_exit(write(fd[SHK_MFD_REPLY], &r, sizeof(r)) != sizeof(r));
}

static int begin(bool deputy, int *fd, struct child *c, unsigned *n)
{
	uint64_t container = deputy ? order.deputy.container : order.mount.container;
	unsigned seconds = deputy ? order.deputy.seconds : order.mount.seconds;
	pid_t pid;

	if (!has_room(c, n, deputy, container))
		return -EBUSY;
	pid = fork();
	if (pid == 0) {
		close(CHANNEL);
		alarm(seconds);
		if (deputy)
			shk_deputy_child(&order.deputy, fd);
		make_mount(fd);
	}
	if (pid < 0)
		return -errno;
	c[(*n)++] = (struct child){ pid, deputy, container, shk_now_mono() + (seconds + 1) * 1000000000ull };
	return 0;
}

static _Noreturn void serve(void)
{
	static struct child child[ALL];
	unsigned n_children = 0;

	for (;;) {
		int fd[SHK_MAX_FDS];
		size_t n = SHK_MAX_FDS;
		struct pollfd p = { .fd = CHANNEL, .events = POLLIN };
		ssize_t got;
		int32_t r = -EINVAL;

		/* Those that are overdue end, whether anybody asks for another one or not. */
		while (n_children && poll(&p, 1, 1000) == 0)
			(void)has_room(child, &n_children, false, 0);
		got = shk_recv_fds(CHANNEL, &order, sizeof(order), fd, &n, 0);
		if (got <= 0)
			_exit(0);
		if (got == sizeof(order.mount) && n == SHK_MFD_N)
			r = begin(false, fd, child, &n_children);
		else if (got == sizeof(order.deputy) && n == SHK_DFD_N)
			r = begin(true, fd, child, &n_children);
		/* Of a child that was made its own answer counts. */
		if (r < 0 && n)
			(void)!write(fd[SHK_MFD_REPLY], &r, sizeof(r));
		while (n)
			close(fd[--n]);
	}
}

/* The engine has ended, or waits for our end. Its control group can be removed when it is gone. */
static _Noreturn void leave(pid_t engine)
{
	if (fork() == 0)
		shk_bar_remove(engine);
	_exit(0);
}

/* A serving process that dies (of memory, of a fault) is made anew: the engine cannot fork, and would make no mount any
 * more. What that one had under way goes on by itself. */
static _Noreturn void watch(pid_t engine)
{
	const pid_t self = getpid();

	for (;;) {
		pid_t pid = fork();
		int st = 0;

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* It may have been killed before that. */
			if (getppid() != self)
				_exit(1);
			serve();
		}
		if (pid < 0) { /* meanwhile nobody reads: has the engine ended? */
			struct pollfd end = { .fd = CHANNEL };

			if (poll(&end, 1, 0) > 0)
				leave(engine);
		}
		while (pid > 0 && waitpid(pid, &st, 0) < 0 && errno == EINTR)
			;
		if (pid > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 0)
			leave(engine);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

/* Nothing of the engine's stays open here. */
static _Noreturn void run(int channel, pid_t engine)
{
	sigset_t none;

	prctl(PR_SET_NAME, "shrike-mounter");
	prctl(PR_SET_DUMPABLE, 0);
	if (channel != CHANNEL && dup3(channel, CHANNEL, O_CLOEXEC) < 0)
		_exit(1);
	if (syscall(SYS_close_range, CHANNEL + 1, ~0u, 0u) < 0)
		_exit(1);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The engine's end decides when we end, not a signal meant for its terminal. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	watch(engine);
}

/* ---- the engine's side ---- */

int shk_mounter_new(struct shk_mounter **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_mounter_freep) struct shk_mounter *m = calloc(1, sizeof(*m));
	const struct timeval patience = { .tv_usec = 500000 };
	pid_t engine = getpid();
	int pair[2];

	if (!m)
		return shk_err_set(err, ENOMEM, "out of memory");
	m->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return shk_err_sys(err, errno, "socketpair");
	m->fd = pair[0];
	/* One that takes no orders holds up nobody for longer. */
	if (setsockopt(m->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
		close(pair[1]);
		return shk_err_sys(err, errno, "setsockopt");
	}
	m->pid = fork();
	if (m->pid == 0)
		run(pair[1], engine);
	close(pair[1]);
	if (m->pid < 0)
		return shk_err_sys(err, errno, "start the mounter");
	*ret = TAKE_PTR(m);
	return 0;
}

void shk_mounter_free(struct shk_mounter *m)
{
	if (!m)
		return;
	shk_close(&m->fd);
	if (m->pid > 0)
		while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(m);
}

static bool put(char *to, const char *text, bool *has)
{
	*has = text != NULL;
	if (!text)
		return true;
	if (strlen(text) >= SHK_MOUNT_TEXT)
		return false;
	strcpy(to, text);
	return true;
}

static bool fill(struct shk_mount_wire *q, const struct shk_mount_order *o)
{
	*q = (struct shk_mount_wire){
		.op = o->op, .flags = o->flags, .who = shk_who_is(o->caller), .container = o->container,
		.seconds = o->seconds, .on_file = o->on_file, .attr = o->attr,
	};
	q->who.effective = o->effective;
	return put(q->dev, o->dev, &q->has_dev) && put(q->type, o->type, &q->has_type) &&
	       put(q->data, o->data, &q->has_data) && put(q->name, o->name, &q->has_name);
}

ssize_t shk_mounter_send(struct shk_mounter *m, const void *p, size_t n, const int *fd, size_t n_fd)
{
	ssize_t r = shk_send_fds(m->fd, p, n, fd, n_fd);

	return r == -EAGAIN ? -EBUSY : r;
}

int shk_mounter_do(struct shk_mounter *m, const struct shk_mount_order *o)
{
	struct shk_mount_wire q;
	int pair[2], fd[SHK_MFD_N];
	int32_t answer;
	ssize_t n;

	if (!fill(&q, o))
		return -EINVAL;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	fd[SHK_MFD_REPLY] = pair[1];
	fd[SHK_MFD_NS] = o->ns;
	fd[SHK_MFD_ROOT] = o->root;
	fd[SHK_MFD_TARGET] = o->target;
	/* Their number is the same always. */
	fd[SHK_MFD_SOURCE] = o->source >= 0 ? o->source : o->target;
	n = shk_send_fds(m->fd, &q, sizeof(q), fd, SHK_MFD_N);
	close(pair[1]);
	if (n == sizeof(q)) {
		n = read(pair[0], &answer, sizeof(answer));
		n = n < 0 ? -errno : n;
	}
	close(pair[0]);
	if (n == sizeof(answer))
		return answer > 0 ? -EIO : answer;
	return n == -EINTR ? -EINTR : n == -EAGAIN ? -EBUSY : -EIO;
}
