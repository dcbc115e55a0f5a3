// SPDX-License-Identifier: Apache-2.0
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

int shk_read_all(int fd, struct shk_buf *b, struct shk_err *err)
{
	char tmp[16384];

	for (;;) {
		ssize_t n = read(fd, tmp, sizeof(tmp));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return shk_err_sys(err, errno, "read");
		if (n == 0)
			return 0;
		shk_buf_add(b, tmp, (size_t)n);
		if (b->failed)
			return shk_err_set(err, EFBIG, "larger than the limit of %zu bytes", b->limit);
	}
}

int shk_read_file(const char *path, struct shk_buf *b, struct shk_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return shk_err_sys(err, errno, "%s", path);
	r = shk_read_all(fd, b, err);
	if (r < 0)
		shk_err_prefix(err, "%s", path);
	return r;
}

int shk_write_all(int fd, const void *p, size_t n)
{
	const char *c = p;

	while (n) {
		ssize_t w = write(fd, c, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		c += w;
		n -= (size_t)w;
	}
	return 0;
}

int shk_write_at(int dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : shk_write_all(fd, text, strlen(text));
}

ssize_t shk_send_fds(int sock, const void *p, size_t n, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int) * SHK_MAX_FDS)];
	} u;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (nfds > SHK_MAX_FDS)
		return -EINVAL;
	if (nfds) {
		memset(&u, 0, sizeof(u));
		m.msg_control = u.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		u.h.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&u.h), fds, sizeof(int) * nfds);
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t shk_recv_fds(int sock, void *p, size_t n, int *fds, size_t *nfds, int flags)
{
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(sizeof(int) * SHK_MAX_FDS)];
	} u;
	struct iovec iov = { .iov_base = p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = u.buf,
			    .msg_controllen = sizeof(u.buf) };
	size_t max = nfds ? *nfds : 0, got = 0;
	ssize_t r;

	do
		r = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (nfds)
		*nfds = 0;
	if (r < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		size_t k;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (got < max)
				fds[got++] = fd;
			else
				close(fd);
		}
	}
	if (nfds)
		*nfds = got;
	return r;
}

static int unix_addr(const char *path, struct sockaddr_un *sa, struct shk_err *err)
{
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(sa->sun_path))
		return shk_err_set(err, ENAMETOOLONG,
				   "socket path '%s' must have 1 to %zu bytes", path,
				   sizeof(sa->sun_path) - 1);
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, n + 1);
	return 0;
}

int shk_mkdirs(const char *path, unsigned mode)
{
	char tmp[PATH_MAX];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(tmp))
		return -ENAMETOOLONG;
	memcpy(tmp, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (tmp[i] != '/' && tmp[i] != 0)
			continue;
		tmp[i] = 0;
		if (mkdir(tmp, mode) < 0 && errno != EEXIST)
			return -errno;
		tmp[i] = path[i];
	}
	return 0;
}

int shk_listen_unix(const char *path, unsigned mode, struct shk_err *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un sa;
	struct stat st;
	mode_t old;
	int r;

	r = unix_addr(path, &sa, err);
	if (r < 0)
		return r;
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return shk_err_set(err, EEXIST, "%s exists and is not a socket", path);
		if (unlink(path) < 0)
			return shk_err_sys(err, errno, "remove stale socket %s", path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return shk_err_sys(err, errno, "socket");
	old = umask(0777 & ~mode);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (r < 0)
		return shk_err_sys(err, errno, "bind %s", path);
	if (listen(fd, 1024) < 0)
		return shk_err_sys(err, errno, "listen on %s", path);
	return TAKE_FD(fd);
}

int shk_connect_unix(const char *path, struct shk_err *err)
{
	return shk_connect_unix_within(path, 0, err);
}

int shk_connect_unix_within(const char *path, int timeout_ms, struct shk_err *err)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000,
			      .tv_usec = (timeout_ms % 1000) * 1000L };
	static const struct timeval forever;
	_cleanup_close_ int fd = -1;
	struct sockaddr_un sa;
	int r;

	r = unix_addr(path, &sa, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return shk_err_sys(err, errno, "socket");
	/* A full backlog blocks connect(2) for the send timeout (net/unix/af_unix.c). */
	if (timeout_ms > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	do
		r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return shk_err_sys(err, errno == EAGAIN ? ETIMEDOUT : errno, "connect to %s", path);
	if (timeout_ms > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof(forever));
	return TAKE_FD(fd);
}

int shk_pidfd_open(pid_t pid, unsigned flags)
{
	long r = syscall(SYS_pidfd_open, pid, flags);

	return r < 0 ? -errno : (int)r;
}

int shk_pidfd_getfd(int pidfd, int fd)
{
	long r = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return r < 0 ? -errno : (int)r;
}

/* n is not negative: numbers of processes and descriptors. */
static char *put_number(char *at, int n)
{
	char digits[12];
	unsigned v = (unsigned)n, len = 0;

	do
		digits[len++] = (char)('0' + v % 10);
	while (v /= 10);
	while (len)
		*at++ = digits[--len];
	return at;
}

const char *shk_proc_path(char buf[SHK_PROC_PATH], pid_t pid, const char *what)
{
	static const char dir[] = "/proc/";
	char *at, *end = buf + SHK_PROC_PATH - 1;

	memcpy(buf, dir, sizeof(dir) - 1);
	at = put_number(buf + sizeof(dir) - 1, SHK_MAX(pid, 0));
	*at++ = '/';
	while (*what && at < end)
		*at++ = *what++;
	*at = 0;
	return buf;
}

const char *shk_fd_path(char buf[SHK_PROC_PATH], int fd)
{
	static const char dir[] = "/proc/self/fd/";

	memcpy(buf, dir, sizeof(dir) - 1);
	*put_number(buf + sizeof(dir) - 1, SHK_MAX(fd, 0)) = 0;
	return buf;
}

ino_t shk_ns_of(pid_t pid, const char *which)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

int shk_pidfd_signal(int pidfd, int sig)
{
	long r = syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);

	return r < 0 ? -errno : 0;
}

static uint64_t now(clockid_t c)
{
	struct timespec ts;

	clock_gettime(c, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t shk_now_mono(void)
{
	return now(CLOCK_MONOTONIC);
}

uint64_t shk_now_coarse(void)
{
	return now(CLOCK_MONOTONIC_COARSE);
}

uint64_t shk_now_real(void)
{
	return now(CLOCK_REALTIME);
}

uint64_t shk_now_boot(void)
{
	return now(CLOCK_BOOTTIME);
}
