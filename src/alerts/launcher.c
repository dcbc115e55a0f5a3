// SPDX-License-Identifier: Apache-2.0
#include "alerts/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

#define CHANNEL 3 /* in the launcher: the one descriptor beside the standard ones */
#define EXIT_NO_SHELL 127

struct shk_launcher {
	int fd;
	pid_t pid;
};

/* Signal handlers and masks of whoever started it are not for the program. */
static _Noreturn void run_program(const char *command, int input)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)command, NULL };
	sigset_t none;

	setpgid(0, 0);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(input, STDIN_FILENO) >= 0)
		execve("/bin/sh", argv, environ);
	_exit(EXIT_NO_SHELL);
}

static _Noreturn void serve(const struct shk_sink_config *cfg, size_t n)
{
	unsigned command = 0;
	int input = -1;
	size_t n_fds = 1;
	ssize_t got;

	while ((got = shk_recv_fds(CHANNEL, &command, sizeof(command), &input, &n_fds, 0)) > 0) {
		int32_t answer = -EINVAL;

		if (got == sizeof(command) && command < n && cfg[command].kind == SHK_SINK_PROGRAM &&
		    n_fds == 1) {
			long pid = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0ul, 0ul, 0ul, 0ul);

			if (pid == 0)
				run_program(cfg[command].command, input);
			answer = pid < 0 ? -errno : (int32_t)pid;
		}
		if (n_fds)
			shk_close(&input);
		n_fds = 1;
		if (send(CHANNEL, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* Nothing of the engine's stays open here: a listener held by us would outlive it. */
static _Noreturn void run(int channel, const struct shk_sink_config *cfg, size_t n)
{
	prctl(PR_SET_NAME, "shrike-launcher");
	if (channel != CHANNEL && dup3(channel, CHANNEL, O_CLOEXEC) < 0)
		_exit(1);
	if (syscall(SYS_close_range, CHANNEL + 1, ~0u, 0u) < 0)
		_exit(1);
	/* The engine's end decides when we end, not a signal meant for its terminal. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	serve(cfg, n);
}

int shk_launcher_new(struct shk_sink_config *cfg, size_t n, struct shk_launcher **ret,
		     struct shk_err *err)
{
	SHK_CLEANUP(shk_launcher_freep) struct shk_launcher *l = NULL;
	size_t programs = 0;
	int pair[2];

	*ret = NULL;
	for (size_t i = 0; i < n; i++)
		programs += cfg[i].kind == SHK_SINK_PROGRAM;
	if (!programs)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return shk_err_set(err, ENOMEM, "out of memory");
	l->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return shk_err_sys(err, errno, "socketpair");
	l->fd = pair[0];
	l->pid = fork();
	if (l->pid == 0)
		run(pair[1], cfg, n);
	close(pair[1]);
	if (l->pid < 0)
		return shk_err_sys(err, errno, "start the launcher of programs");
	for (size_t i = 0; i < n; i++) {
		cfg[i].launcher = l;
		cfg[i].number = (unsigned)i;
	}
	*ret = TAKE_PTR(l);
	return 0;
}

void shk_launcher_free(struct shk_launcher *l)
{
	if (!l)
		return;
	shk_close(&l->fd);
	if (l->pid > 0)
		while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(l);
}

int shk_launcher_start(struct shk_launcher *l, unsigned command, int input, pid_t *ret)
{
	int32_t answer = 0;
	ssize_t n = shk_send_fds(l->fd, &command, sizeof(command), &input, 1);

	if (n != sizeof(command))
		return n < 0 && n != -EPIPE ? (int)n : -ECONNRESET;
	do
		n = recv(l->fd, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(answer))
		return n < 0 ? -errno : -ECONNRESET;
	if (answer < 0)
		return answer;
	*ret = answer;
	return 0;
}
