// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "alerts/sink.h"

/*
 * Standard output is shared with whoever started us, so its flags are not ours to change: a pipe or
 * terminal is opened a second time, for an open file of our own that may be non-blocking. A regular file
 * keeps the shared one, whose offset the other writers move as well; a socket (systemd's journal)
 * cannot be opened, but takes MSG_DONTWAIT.
 */
static int stdout_open(struct shk_sink *s, struct shk_err *err)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return shk_err_sys(err, errno, "standard output");
	s->socket = S_ISSOCK(st.st_mode);
	s->regular = S_ISREG(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	s->may_block = fd < 0 && !s->socket && !s->regular;
	if (fd < 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return shk_err_sys(err, errno, "standard output");
	s->fd = fd;
	return 0;
}

const struct shk_sink_ops shk_sink_stdout = {
	.name = "stdout",
	.open = stdout_open,
	.shape = shk_stream_shape,
	.send = shk_stream_send,
	.close = shk_stream_close,
};
