// SPDX-License-Identifier: Apache-2.0
#include "shriked/gateway_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"

#define MS	      UINT64_C(1000000)
#define BACKOFF_FIRST (50 * MS)
#define BACKOFF_LAST  (5000 * MS)
#define BACKOFF_BAD   (60000 * MS) /* its configuration or a file of it is refused */
#define LONG_LIFE     (10000 * MS)
#define LINK_AGAIN    (50 * MS)
#define HEARD	      16 /* packets of it, of one turn */

/* The service is spared when memory is short: calls wait for keeper and engine. Nothing waits for the gateway, and what
 * it keeps is on disk. */
static void be_killable(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) < 0)
		shk_warning("oom_score_adj of the gateway: %s", strerror(errno));
	shk_close(&fd);
}

static void become_gateway(const struct shk_gateway *g, int sock, pid_t keeper)
{
	static const char *const drop[] = { "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS",
					    "LISTEN_FDNAMES" };
	const char *argv[] = { "shrike-gateway", "--keeper", NULL, NULL, NULL, NULL };
	size_t n = 2;
	sigset_t none;

	if (g->user)
		argv[n++] = "--user";
	if (g->config) {
		argv[n++] = "--config";
		argv[n++] = g->config;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != keeper)
		_exit(1);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(drop); i++)
		unsetenv(drop[i]);
	if (sock == SHK_KEEPER_FD_SOCK ? fcntl(sock, F_SETFD, 0) < 0 : dup2(sock, SHK_KEEPER_FD_SOCK) < 0)
		_exit(1);
	close_range(SHK_KEEPER_FD_SOCK + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	be_killable();
	execv(g->path, (char **)(uintptr_t)argv);
	shk_error("cannot execute %s: %s", g->path, strerror(errno));
	_exit(127);
}

static void plan(struct shk_gateway *g, uint64_t now)
{
	g->start_at = now + g->backoff;
	g->backoff = g->backoff ? SHK_MIN(2 * g->backoff, BACKOFF_LAST) : BACKOFF_FIRST;
}

void shk_gateway_run(struct shk_gateway *g, uint64_t now)
{
	pid_t self = getpid();
	int sv[2];

	if (!g->path || g->pid || g->idle || now < g->start_at)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		shk_error("cannot start the gateway: %s", strerror(errno));
		plan(g, now);
		return;
	}
	g->pid = fork();
	if (g->pid == 0)
		become_gateway(g, sv[1], self);
	close(sv[1]);
	if (g->pid < 0) {
		shk_error("cannot start the gateway: %s", strerror(errno));
		g->pid = 0;
		close(sv[0]);
		plan(g, now);
		return;
	}
	fcntl(sv[0], F_SETFL, O_NONBLOCK);
	g->sock = sv[0];
	g->started = now;
	g->linked = false;
}

/* Whatever it says means that its way to the engine is gone. */
static void hear(struct shk_gateway *g)
{
	ssize_t n = 1;
	char c;

	for (unsigned i = 0; g->sock >= 0 && i < HEARD && n == 1; i++) {
		n = recv(g->sock, &c, 1, MSG_DONTWAIT);
		if (n == 1)
			g->linked = false;
		else if (n == 0) /* it ends, or nothing can be brought to it any more */
			shk_close(&g->sock);
	}
}

void shk_gateway_link(struct shk_gateway *g, struct shk_engine *e)
{
	struct shk_keeper_msg m = { .op = SHK_KEEPER_GATEWAY, .flags = SHK_KEEPER_WITH_FD };
	int pair[2];

	uint64_t now = shk_now_mono();

	hear(g);
	/* Not more often, whatever a gateway says. */
	if (!g->pid || g->sock < 0 || g->linked || now < g->link_at || !e->pid || !e->ready || e->hung)
		return;
	g->link_at = now + LINK_AGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	/* One that got its end alone sees it hang up, and gets another. */
	if (shk_send_fds(g->sock, "e", 1, &pair[0], 1) == 1 &&
	    shk_send_fds(e->sock, &m, sizeof(m), &pair[1], 1) == sizeof(m))
		g->linked = true;
	close(pair[0]);
	close(pair[1]);
}

void shk_gateway_died(struct shk_gateway *g, int status, uint64_t now, bool stopping)
{
	pid_t pid = g->pid;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	shk_close(&g->sock);
	g->pid = 0;
	g->linked = false;
	g->kill_at = 0;
	if (stopping)
		return;
	if (code == SHK_GATEWAY_EXIT_NONE) {
		g->idle = true;
		return;
	}
	if (code == SHK_GATEWAY_EXIT_AGAIN) {
		g->start_at = now;
		return;
	}
	if (now - g->started >= LONG_LIFE)
		g->backoff = 0;
	plan(g, now);
	if (code == SHK_KEEPER_EXIT_CONFIG)
		g->start_at = now + BACKOFF_BAD;
	shk_error("gateway %d ended (%s %d); a new one starts in %llu ms", (int)pid,
		  WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : code,
		  (unsigned long long)((g->start_at - now) / MS));
}

void shk_gateway_reload(struct shk_gateway *g)
{
	g->idle = false;
	if (g->pid)
		kill(g->pid, SIGHUP);
	else
		g->start_at = 0;
}

uint64_t shk_gateway_due(const struct shk_gateway *g, const struct shk_engine *e)
{
	if (!g->path)
		return 0;
	if (!g->pid)
		return g->idle ? 0 : SHK_MAX(g->start_at, 1);
	return g->sock >= 0 && !g->linked && e->ready ? SHK_MAX(g->link_at, 1) : 0;
}
