// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "control/control.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* include/uapi/asm-generic/socket.h, Linux 6.5 */
#endif

static bool ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* The credentials are those of connect(2); the pid may have a new owner by now. While the
 * connection is open somebody holds its other end, so the pid is not free unless that end was handed on:
 * then the owner of /proc/PID must at least be the same user. */
static int open_by_pid(int sock, const struct ucred *u)
{
	struct pollfd p = { .fd = sock, .events = POLLRDHUP };
	int fd = shk_pidfd_open(u->pid, 0);
	struct stat st;
	char path[64];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d", (int)u->pid);
	if (poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR)) || stat(path, &st) < 0 ||
	    (st.st_uid != u->uid && st.st_uid != 0)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static bool same_ns(pid_t pid, const char *ns, ino_t *ret)
{
	struct stat mine, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, ns);
	if (stat(path, &its) < 0)
		return false;
	if (ret)
		*ret = its.st_ino;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", ns);
	return stat(path, &mine) == 0 && mine.st_dev == its.st_dev && mine.st_ino == its.st_ino;
}

int shk_peer_get(int sock, struct shk_peer *p, struct shk_err *err)
{
	struct ucred u;
	socklen_t n = sizeof(u);
	int fd = -1;

	*p = (struct shk_peer){ .pidfd = -1 };
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0)
		return shk_err_sys(err, errno, "credentials of the peer");
	if (u.pid <= 0)
		return shk_err_set(err, EPERM,
				   "the peer's process is not visible from this pid namespace; "
				   "run it where shriked runs");
	n = sizeof(fd);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &n) < 0)
		fd = open_by_pid(sock, &u);
	if (fd < 0)
		return shk_err_set(err, ESRCH, "the peer, process %d, ended", (int)u.pid);
	*p = (struct shk_peer){ .pid = u.pid, .uid = u.uid, .gid = u.gid, .pidfd = fd };
	p->same_pidns = same_ns(u.pid, "pid", NULL);
	p->same_userns = same_ns(u.pid, "user", NULL);
	p->same_mntns = same_ns(u.pid, "mnt", &p->mntns);
	/* Only now is it known that /proc/PID was the peer all the while. */
	if (ended(fd)) {
		shk_peer_done(p);
		return shk_err_set(err, ESRCH, "the peer, process %d, ended", (int)u.pid);
	}
	return 0;
}

void shk_peer_done(struct shk_peer *p)
{
	shk_close(&p->pidfd);
}
