// SPDX-License-Identifier: Apache-2.0
/*
 * shriked - the keeper: holds what must outlive an engine, and keeps an engine and a gateway running.
 *
 * Sockets, listeners, journal: all of it opaque. No memory is allocated but for stored blobs, and
 * nothing here reads a byte that a container chose.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "control/control.h"
#include "control/places.h"
#include "journal/journal.h"
#include "shriked/engine_child.h"
#include "shriked/gateway_child.h"

#define PROGRAM "shriked"

enum { EXIT_USAGE = 2 };

#define MS	      UINT64_C(1000000)
#define BACKOFF_FIRST (50 * MS)
#define BACKOFF_LAST  (5000 * MS)
#define BACKOFF_CALLS (200 * MS) /* after an engine that served: calls of containers wait for the next */
#define LONG_LIFE     (10000 * MS) /* an engine that lived this long starts the back-off anew */
#define STOP_WAIT     (5000 * MS)  /* from SIGTERM or the end of the conversation to SIGKILL */
#define CLAIM_WAIT    5000	   /* ms for an orphaned engine to let go of a socket */
#define FDS_WANTED    65536
#define FDS_OWN	      64 /* descriptors of the keeper itself and in passing */

struct keeper {
	struct shk_engine_args args;
	struct shk_engine engine;
	struct shk_gateway gateway;
	struct shk_store store;
	int signals;
	uint64_t backoff;  /* before the next start but one */
	uint64_t start_at; /* shk_now_mono() of the next start */
	uint64_t kill_at;  /* 0: not set */
	bool ready_once, reload_waits, stopping, gateway_ends;
};

static int usage(const char *text)
{
	fprintf(stderr, PROGRAM ": %s; try " PROGRAM " --help\n", text);
	return EXIT_USAGE;
}

static const char help[] =
	"Usage: " PROGRAM " [--config FILE] [--control PATH] [--notify PATH] [--engine PATH] "
	"[--gateway PATH] [--user] [--foreground]\n"
	"Keeps the container supervisor running, in the foreground. See shriked(8).\n"
	"  --config FILE   given to the engine; default: the engine's\n"
	"  --control PATH  socket of hooks and the command line; default " SHK_CONTROL_SOCKET "\n"
	"  --notify PATH   listenerPath socket of seccomp profiles; default " SHK_NOTIFY_SOCKET "\n"
	"  --engine PATH   default " SHK_LIBEXECDIR "/shrike-engine\n"
	"  --gateway PATH  sends alerts over the network; default: shrike-gateway beside the engine\n"
	"  --user          for the containers of the user who starts it, without any privilege: sockets in\n"
	"                  $XDG_RUNTIME_DIR/shrike, configuration in ~/.config/shrike\n";

/* 0, or the exit status + 1000. */
static int parse_options(int argc, char **argv, struct shk_engine_args *a, struct shk_gateway *g)
{
	static const struct option longs[] = { { "config", required_argument, NULL, 'c' },
					       { "control", required_argument, NULL, 's' },
					       { "notify", required_argument, NULL, 'n' },
					       { "engine", required_argument, NULL, 'e' },
					       { "gateway", required_argument, NULL, 'g' },
					       { "foreground", no_argument, NULL, 'f' },
					       { "user", no_argument, NULL, 'u' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 's':
			a->control = optarg;
			break;
		case 'n':
			a->notify = optarg;
			break;
		case 'e':
			a->path = optarg;
			break;
		case 'g':
			g->path = optarg;
			break;
		case 'f':
			break; /* there is no other way to run */
		case 'u':
			a->user = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 1000;
		case 'V':
			puts(PROGRAM " " PACKAGE_VERSION);
			return 1000;
		default:
			return 1000 + usage("unknown option, or an option without its value");
		}
	}
	return optind < argc ? 1000 + usage("no arguments are taken") : 0;
}

/* Is somebody accepting at path? An engine whose keeper was killed may do so for a moment; it must be
 * gone before its journal is opened again. */
static bool is_served(const char *path)
{
	for (int waited = 0; waited < CLAIM_WAIT; waited += 100) {
		int fd = shk_connect_unix_within(path, 100, NULL);

		if (fd < 0 && fd != -ETIMEDOUT)
			return false;
		shk_close(&fd);
		usleep(100000);
	}
	return true;
}

/* A listening socket that is ours alone. The lock is held until this process ends. */
static int claim(const char *path, unsigned mode, struct shk_err *err)
{
	char text[PATH_MAX], *slash;
	int lock, r, n;

	n = snprintf(text, sizeof(text), "%s.lock", path);
	if (n < 0 || (size_t)n >= sizeof(text))
		return shk_err_set(err, ENAMETOOLONG, "%s: path too long", path);
	slash = strrchr(text, '/');
	if (slash && slash != text) {
		*slash = 0;
		r = shk_mkdirs(text, 0755);
		if (r < 0)
			return shk_err_sys(err, -r, "directory %s", text);
		*slash = '/';
	}
	lock = open(text, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return shk_err_sys(err, errno, "%s", text);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0 || is_served(path)) {
		close(lock);
		return shk_err_set(err, EADDRINUSE,
				   "%s is in use: another " PROGRAM " serves it; stop that one, or "
				   "choose another path", path);
	}
	return shk_listen_unix(path, mode, err);
}

static void raise_fd_limit(struct shk_store *s)
{
	struct rlimit l, want;

	getrlimit(RLIMIT_NOFILE, &l);
	want = (struct rlimit){ SHK_MAX(l.rlim_cur, FDS_WANTED), SHK_MAX(l.rlim_max, FDS_WANTED) };
	if (setrlimit(RLIMIT_NOFILE, &want) < 0) {
		want = (struct rlimit){ l.rlim_max, l.rlim_max };
		setrlimit(RLIMIT_NOFILE, &want);
	}
	getrlimit(RLIMIT_NOFILE, &l);
	/* The kernel drops a descriptor that finds no room: refuse entries before that happens. */
	s->max = SHK_MIN(SHK_KEEPER_STORE_MAX, l.rlim_cur > 2 * FDS_OWN ? l.rlim_cur - FDS_OWN : FDS_OWN);
}

static int open_journal(int kept, struct shk_err *err)
{
	struct shk_journal *j = NULL;
	int fd;

	if (kept >= 0 && shk_journal_open(kept, &j, err) == 0) {
		shk_journal_close(j);
		return kept;
	}
	if (kept >= 0)
		shk_warning("calls and alerts of before are lost: %s", err->text);
	shk_close(&kept);
	fd = shk_journal_create(err);
	if (fd >= 0)
		shk_fdstore_put_journal(fd);
	return fd;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Those that were not named. */
static int choose_sockets(struct shk_engine_args *a, struct shk_err *err)
{
	static char control[PATH_MAX], notify[PATH_MAX];
	int r = 0;

	if (!a->user && geteuid() != 0 && !a->control)
		shk_warning("not root: for containers of your own, start " PROGRAM " --user");
	if (a->user && !a->control) {
		r = shk_place(SHK_PLACE_RUNTIME, SHK_CONTROL_NAME, control, sizeof(control), err);
		a->control = control;
	}
	if (r == 0 && a->user && !a->notify) {
		r = shk_place(SHK_PLACE_RUNTIME, SHK_NOTIFY_NAME, notify, sizeof(notify), err);
		a->notify = notify;
	}
	a->control = a->control ? a->control : SHK_CONTROL_SOCKET;
	a->notify = a->notify ? a->notify : SHK_NOTIFY_SOCKET;
	return r;
}

/* Without it alerts go to local outputs alone. */
static void choose_gateway(struct shk_gateway *g, const struct shk_engine_args *a)
{
	static char beside[PATH_MAX];
	const char *slash = strrchr(a->path, '/');

	g->config = a->config;
	g->user = a->user;
	if (!g->path && slash) {
		int n = snprintf(beside, sizeof(beside), "%.*s/shrike-gateway", (int)(slash - a->path), a->path);

		g->path = n > 0 && (size_t)n < sizeof(beside) && access(beside, X_OK) == 0 ? beside : NULL;
	} else if (g->path && access(g->path, X_OK) < 0) {
		shk_error("gateway %s: %s; nothing is sent over the network", g->path, strerror(errno));
		g->path = NULL;
	}
}

/* Opens everything, in the order that leaves others undisturbed when it fails. */
static int prepare(struct keeper *k, struct shk_err *err)
{
	struct shk_engine_args *a = &k->args;
	int kept;
	size_t n;

	umask(022);
	signal(SIGPIPE, SIG_IGN); /* whoever reads standard error may go away */
	if (access(a->path, X_OK) < 0)
		return shk_err_sys(err, errno, "engine %s", a->path);
	choose_gateway(&k->gateway, a);
	raise_fd_limit(&k->store);
	n = shk_fdstore_take(&k->store, &kept);
	if (n)
		shk_notice("%zu entries taken back from the service manager", n);
	k->signals = open_signals();
	if (k->signals < 0)
		return shk_err_sys(err, errno, "signalfd");
	a->control_fd = claim(a->control, 0660, err);
	if (a->control_fd < 0)
		return a->control_fd;
	a->notify_fd = claim(a->notify, 0600, err);
	if (a->notify_fd < 0)
		return a->notify_fd;
	a->journal_fd = open_journal(kept, err);
	return SHK_MIN(a->journal_fd, 0);
}

/* Waits a little longer before each start that follows soon after the one before. */
static void plan_start(struct keeper *k, uint64_t now, uint64_t last)
{
	k->backoff = SHK_MIN(k->backoff, last);
	k->start_at = now + k->backoff;
	k->backoff = k->backoff ? SHK_MIN(2 * k->backoff, last) : BACKOFF_FIRST;
}

static void start(struct keeper *k)
{
	struct shk_err err;

	if (shk_engine_start(&k->engine, &k->args, &err) < 0) {
		shk_error("cannot start the engine: %s", err.text);
		plan_start(k, shk_now_mono(), BACKOFF_LAST);
		return;
	}
	k->args.restarts++;
}

/* -1: go on; else the exit status. */
static int on_death(struct keeper *k, int status)
{
	uint64_t now = shk_now_mono();
	pid_t pid = k->engine.pid;
	bool old = now - k->engine.started >= LONG_LIFE;
	bool served = shk_engine_drain(&k->engine, &k->store);

	k->kill_at = 0;
	k->gateway.linked = false;
	if (k->stopping)
		return k->gateway.pid ? -1 : EXIT_SUCCESS;
	/* With containers to serve, their calls wait rather than fail. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == SHK_KEEPER_EXIT_CONFIG && !k->ready_once &&
	    k->store.n == 0) {
		shk_error("the engine refused its configuration");
		return SHK_KEEPER_EXIT_CONFIG;
	}
	if (old)
		k->backoff = 0;
	plan_start(k, now, served ? BACKOFF_CALLS : BACKOFF_LAST);
	shk_error("engine %d ended (%s %d); a new one starts in %llu ms", (int)pid,
		  WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		  (unsigned long long)((k->start_at - now) / MS));
	return -1;
}

static int reap(struct keeper *k)
{
	int status, ret = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->engine.pid)
			ret = on_death(k, status);
		else if (pid == k->gateway.pid)
			shk_gateway_died(&k->gateway, status, shk_now_mono(), k->stopping);
	}
	if (k->stopping && !k->engine.pid && !k->gateway.pid)
		ret = EXIT_SUCCESS;
	return ret;
}

static int stop(struct keeper *k)
{
	if (!k->stopping)
		shk_notify("STOPPING=1", NULL);
	k->stopping = true;
	if (!k->engine.pid && !k->gateway.pid)
		return EXIT_SUCCESS;
	if (k->engine.pid)
		kill(k->engine.pid, SIGTERM);
	if (!k->kill_at)
		k->kill_at = shk_now_mono() + STOP_WAIT;
	return -1;
}

static int on_signals(struct keeper *k)
{
	struct signalfd_siginfo si;
	int ret = -1;

	while (ret < 0 && read(k->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			ret = reap(k);
		else if (si.ssi_signo == SIGHUP) {
			k->reload_waits = true;
			shk_gateway_reload(&k->gateway);
		}
		else
			ret = stop(k);
	}
	return ret;
}

/* After each conversation: what the engine's state asks for. */
static void follow(struct keeper *k, uint64_t now)
{
	if (k->engine.ready && !k->ready_once) {
		k->ready_once = true;
		shk_notify("READY=1", NULL);
	}
	/* Not before it serves: it would die of the signal, or miss it. */
	if (k->engine.ready && k->reload_waits) {
		k->reload_waits = false;
		kill(k->engine.pid, SIGHUP);
	}
	if (k->engine.pid && k->engine.hung && !k->kill_at)
		k->kill_at = now + STOP_WAIT;
}

static int wait_ms(uint64_t now, uint64_t until)
{
	return until <= now ? 0 : (int)((until - now + MS - 1) / MS);
}

/* How long nothing has to be done; -1: until something happens. */
static int next_ms(const struct keeper *k, uint64_t now)
{
	uint64_t gateway = k->stopping ? 0 : shk_gateway_due(&k->gateway, &k->engine), until = 0;

	if (k->kill_at)
		until = k->kill_at;
	else if (!k->engine.pid && !k->stopping)
		until = k->start_at;
	if (gateway && (!until || gateway < until))
		until = gateway;
	return until || (!k->engine.pid && !k->stopping) ? wait_ms(now, until) : -1;
}

/* The engine is gone, so all it had to say is said. */
static void end_gateway(struct keeper *k)
{
	if (k->stopping && !k->engine.pid && k->gateway.pid && !k->gateway_ends) {
		k->gateway_ends = true;
		kill(k->gateway.pid, SIGTERM);
		k->kill_at = shk_now_mono() + STOP_WAIT;
	}
}

static int run(struct keeper *k)
{
	for (;;) {
		struct pollfd p[3] = { { .fd = k->signals, .events = POLLIN }, { .fd = -1 }, { .fd = -1 } };
		uint64_t now = shk_now_mono();
		int ms = -1, ret;

		if (!k->engine.pid && !k->stopping && now >= k->start_at)
			start(k);
		if (!k->stopping)
			shk_gateway_run(&k->gateway, now);
		shk_gateway_link(&k->gateway, &k->engine);
		if (k->kill_at && now >= k->kill_at) {
			if (k->engine.pid)
				kill(k->engine.pid, SIGKILL);
			if (k->gateway.pid && k->stopping)
				kill(k->gateway.pid, SIGKILL);
			k->kill_at = now + STOP_WAIT;
		}
		ms = next_ms(k, now);
		if (k->engine.pid && !k->engine.hung)
			p[1] = (struct pollfd){ .fd = k->engine.sock,
						.events = shk_engine_events(&k->engine) };
		if (k->gateway.pid && k->gateway.linked)
			p[2] = (struct pollfd){ .fd = k->gateway.sock, .events = POLLIN };
		if (poll(p, 3, ms) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (p[1].revents)
			shk_engine_talk(&k->engine, &k->store);
		ret = p[0].revents ? on_signals(k) : -1;
		if (ret >= 0)
			return ret;
		end_gateway(k);
		follow(k, shk_now_mono());
	}
}

int main(int argc, char **argv)
{
	static struct keeper k = { .args = { .path = SHK_LIBEXECDIR "/shrike-engine" }, .gateway = { .sock = -1 } };
	struct shk_err err = { 0 };
	int r = parse_options(argc, argv, &k.args, &k.gateway);

	if (r)
		return r - 1000;
	shk_log_init(PROGRAM, LOG_INFO);
	if (choose_sockets(&k.args, &err) < 0 || prepare(&k, &err) < 0) {
		shk_error("%s", err.text);
		return EXIT_FAILURE;
	}
	r = run(&k);
	unlink(k.args.control);
	unlink(k.args.notify);
	return r;
}
