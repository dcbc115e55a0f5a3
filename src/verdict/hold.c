// SPDX-License-Identifier: Apache-2.0
#include "verdict/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "verdict/kill.h"

#define ROUNDS 8 /* it is one process, unless somebody else put more there */

static int put(int dir, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return shk_write_at(dir, "cgroup.procs", text);
}

static int make_in(const char *parent, pid_t tgid)
{
	_cleanup_close_ int up = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t any = 0;
	char name[64];
	int fd, r;

	/* A name that nobody can have taken before: some containers make groups of their own there. */
	if (up < 0 || getrandom(&any, sizeof(any), 0) < 0)
		return -errno;
	snprintf(name, sizeof(name), "shrike-session-%d-%016" PRIx64, (int)tgid, any);
	if (mkdirat(up, name, 0755) < 0)
		return -errno;
	fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = fd < 0 ? -errno : shk_write_at(fd, "cgroup.freeze", "1");
	if (r < 0) {
		unlinkat(up, name, AT_REMOVEDIR);
		shk_close(&fd);
		return r;
	}
	return fd;
}

int shk_hold_make(struct shk_hold *h, pid_t tgid, struct shk_err *err)
{
	struct shk_buf path;
	int r;

	*h = (struct shk_hold){ .tgid = tgid, .dir = -1 };
	shk_buf_init(&path, 8192);
	r = shk_cgroup_unified(tgid, &path);
	if (r < 0)
		r = shk_err_set(err, EOPNOTSUPP, "process %d is in no control group of version 2 that can be frozen", (int)tgid);
	else if ((h->dir = r = make_in(path.p, tgid)) < 0)
		r = shk_err_sys(err, -r, "make a control group for process %d in %s", (int)tgid, path.p);
	shk_buf_done(&path);
	return SHK_MIN(r, 0);
}

int shk_hold_begin(struct shk_hold *h, struct shk_err *err)
{
	int r = put(h->dir, h->tgid);

	return r < 0 ? shk_err_sys(err, -r, "freeze process %d", (int)h->tgid) : 0;
}

static bool put_back(pid_t pid, void *up)
{
	(void)put(*(int *)up, pid);
	return true;
}

void shk_hold_end_of(int dir)
{
	_cleanup_close_ int up = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char link[SHK_PROC_PATH], path[4096];
	ssize_t n;

	for (int i = 0; up >= 0 && i < ROUNDS && shk_cgroup_each(dir, put_back, &up) > 0; i++)
		;
	/* For who could not be moved. */
	(void)shk_write_at(dir, "cgroup.freeze", "0");
	n = readlink(shk_fd_path(link, dir), path, sizeof(path) - 1);
	path[SHK_MAX(n, 0)] = 0;
	if (up >= 0 && strrchr(path, '/'))
		(void)unlinkat(up, strrchr(path, '/') + 1, AT_REMOVEDIR);
}

void shk_hold_end(struct shk_hold *h)
{
	if (h->dir >= 0)
		shk_hold_end_of(h->dir);
	shk_close(&h->dir);
}
