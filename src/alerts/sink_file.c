// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>

#include "alerts/sink.h"
#include "base/io.h"

static int open_path(const char *path)
{
	/* O_NONBLOCK: a FIFO whose reader is slow or gone must not stop the writer. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				    O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

static int make_parent(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	return copy ? shk_mkdirs(dirname(copy), 0750) : -ENOMEM;
}

/* An engine that died within a line left half of it: what follows begins a line of its own. */
static int finish_line(int fd, off_t size)
{
	_cleanup_close_ int rd = -1;
	char link[64], last = '\n';

	if (!size)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	rd = open(link, O_RDONLY | O_CLOEXEC);
	if (rd < 0 || pread(rd, &last, 1, size - 1) != 1 || last == '\n')
		return 0;
	return write(fd, "\n", 1) == 1 ? 0 : -errno;
}

static int file_open(struct shk_sink *s, struct shk_err *err)
{
	const char *path = s->cfg.path;
	_cleanup_close_ int fd = open_path(path);
	struct stat st;
	int rc;

	if (fd == -ENOENT && make_parent(path) == 0)
		fd = open_path(path);
	if (fd < 0)
		return shk_err_sys(err, -fd, "%s%s", path,
				   fd == -ELOOP ? " is a symbolic link, name the file itself" : "");
	if (fstat(fd, &st) < 0)
		return shk_err_sys(err, errno, "%s", path);
	s->regular = S_ISREG(st.st_mode);
	if (!s->regular && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return shk_err_set(err, EINVAL, "%s is neither a file nor a FIFO nor a device", path);
	rc = s->regular ? finish_line(fd, st.st_size) : 0;
	if (rc < 0)
		return shk_err_sys(err, -rc, "%s", path);
	s->fd = TAKE_FD(fd);
	return 0;
}

const struct shk_sink_ops shk_sink_file = {
	.name = "file",
	.open = file_open,
	.shape = shk_stream_shape,
	.send = shk_stream_send,
	.close = shk_stream_close,
	.reopens = true,
};
