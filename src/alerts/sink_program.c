// SPDX-License-Identifier: Apache-2.0
/*
 * A program of the administrator's, run by /bin/sh, lines on its standard input.
 *
 * It is started once and again when it ends: after a second, then two, ... up to a minute; a run that
 * lasted a minute begins that anew. It leads a process group of its own, which ends with it. Lines it
 * had not read when it died are lost to it: a pipe does not tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "alerts/launcher.h"
#include "alerts/sink.h"
#include "base/io.h"

#define BACKOFF_MAX_S 60
#define TERM_GRACE_NS (2 * SHK_NS_PER_S) /* from SIGTERM to SIGKILL */
#define LAST_GRACE_MS 500		 /* the same, when the engine ends */

static int spawn_with(pid_t *pid, const char *command, int input)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	rc = posix_spawnattr_init(&attr);
	if (rc)
		return -rc;
	rc = posix_spawn_file_actions_init(&actions);
	if (rc) {
		posix_spawnattr_destroy(&attr);
		return -rc;
	}
	/* The writer thread blocks every signal and the engine ignores some: not so the program. */
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn(pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -rc;
}

static void schedule(struct shk_sink *s, uint64_t now)
{
	if (now - s->opened_at >= BACKOFF_MAX_S * SHK_NS_PER_S)
		s->backoff_s = 0;
	s->backoff_s = s->backoff_s ? SHK_MIN(s->backoff_s * 2, (unsigned)BACKOFF_MAX_S) : 1;
	s->retry_at = now + s->backoff_s * SHK_NS_PER_S;
}

static int program_open(struct shk_sink *s, struct shk_err *err)
{
	_cleanup_close_ int rd = -1, wr = -1;
	int p[2], rc;

	if (s->pid) { /* the last run is still being ended */
		s->retry_at = shk_now_mono() + SHK_NS_PER_S / 10;
		return -EAGAIN;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return shk_err_sys(err, errno, "pipe");
	rd = p[0];
	wr = p[1];
	/* Our end alone: the program may expect its input to block. */
	if (fcntl(wr, F_SETFL, O_NONBLOCK) < 0)
		return shk_err_sys(err, errno, "pipe");
	rc = s->cfg.launcher ? shk_launcher_start(s->cfg.launcher, s->cfg.number, rd, &s->pid) :
			       spawn_with(&s->pid, s->cfg.command, rd);
	if (rc < 0) {
		s->pid = 0;
		s->opened_at = shk_now_mono();
		schedule(s, s->opened_at);
		return shk_err_sys(err, -rc, "/bin/sh -c '%s'", s->cfg.command);
	}
	s->kill_at = 0;
	s->fd = TAKE_FD(wr);
	return 0;
}

/* Notes the end of the run, if it has ended. */
static bool reap(struct shk_sink *s)
{
	siginfo_t si = { 0 };
	int status = 0;

	if (!s->pid)
		return true;
	/* Left a zombie first: its number, which is the group's, can then not be another's. */
	if (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0) {
		if (!si.si_pid)
			return false;
		killpg(s->pid, SIGKILL);
	}
	if (waitpid(s->pid, &status, WNOHANG) == s->pid)
		atomic_store(&s->exit_status, status);
	s->pid = 0;
	s->kill_at = 0;
	return true;
}

static void program_tick(struct shk_sink *s, uint64_t now)
{
	if (!s->pid)
		return;
	if (reap(s)) {
		if (s->fd >= 0)
			shk_sink_close(s, false, 0);
		atomic_fetch_add(&s->restarts, 1);
		schedule(s, now);
	} else if (s->kill_at && now >= s->kill_at) {
		killpg(s->pid, SIGKILL);
		s->kill_at = now + TERM_GRACE_NS;
	}
}

static bool reap_until(struct shk_sink *s, uint64_t until)
{
	while (!reap(s)) {
		if (shk_now_mono() >= until)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

static void program_close(struct shk_sink *s, bool last, uint64_t until)
{
	uint64_t now = shk_now_mono();
	bool was_open = s->fd >= 0;

	shk_close(&s->fd); /* the program sees the end of its input */
	if (!s->pid)
		return;
	if (!last) {
		/* It closed its input: either it is about to end, or it must. */
		if (was_open && !s->kill_at) {
			s->kill_at = now + TERM_GRACE_NS;
			killpg(s->pid, SIGTERM);
		}
		return;
	}
	if (reap_until(s, SHK_MAX(until, now + LAST_GRACE_MS * 1000000ull)))
		return;
	killpg(s->pid, SIGTERM);
	if (reap_until(s, shk_now_mono() + LAST_GRACE_MS * 1000000ull))
		return;
	killpg(s->pid, SIGKILL);
	reap_until(s, shk_now_mono() + LAST_GRACE_MS * 1000000ull);
}

const struct shk_sink_ops shk_sink_program = {
	.name = "program",
	.open = program_open,
	.shape = shk_stream_shape,
	.send = shk_stream_send,
	.tick = program_tick,
	.close = program_close,
	.watch = true,
};
