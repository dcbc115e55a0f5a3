// SPDX-License-Identifier: Apache-2.0
#include "verdict/kill.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "sources/ptrace/task.h"

#define ROUNDS	  20 /* passes over cgroup.procs without cgroup.kill */
#define PROCS_MAX (1u << 20)

static pid_t tgid_of(pid_t tid)
{
	char path[64], line[256];
	_cleanup_fclose_ FILE *f = NULL;
	int v;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &v) == 1)
			return v;
	return tid;
}

int shk_process_open(pid_t tid)
{
	return shk_pidfd_open(tgid_of(tid), 0);
}

bool shk_cgroup_below(struct shk_str dir, struct shk_str of)
{
	return of.n && shk_str_starts(dir, of) && (dir.n == of.n || dir.p[of.n] == '/');
}

/* Does this cgroup, or one below it, hold pid? The path is where pid was when it was registered. */
static bool holds(struct shk_str cgroup, pid_t pid)
{
	struct shk_buf now;
	bool r;

	shk_buf_init(&now, 8192);
	r = shk_cgroup_of(pid, &now) == 0 && shk_cgroup_below(shk_buf_view(&now), cgroup);
	shk_buf_done(&now);
	return r;
}

static int open_cgroup(const struct shk_container *c)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (!c->cgroup.n || !holds(c->cgroup, c->init_pid))
		return -EOPNOTSUPP;
	path = strndup(c->cgroup.p, c->cgroup.n);
	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool mount_point(const char *type, const char *controller, char *out, size_t room);
static bool line_of(pid_t pid, const char *controller, char *out, size_t room);

/* On a hybrid hierarchy runtimes freeze by the old freezer, while our cgroup is the unified one: the container's own
 * directory there, which has the same name. */
static int open_old_freezer(const struct shk_container *c)
{
	char dir[4096], mount[1024];
	_cleanup_free_ char *path = NULL;
	int fd;

	if (!c->cgroup.n || !line_of(c->init_pid, "freezer", dir, sizeof(dir)) || !dir[1] ||
	    !shk_str_ends(c->cgroup, shk_str(dir)) || !mount_point("cgroup", "freezer", mount, sizeof(mount)) ||
	    asprintf(&path, "%s%s", mount, dir) < 0) {
		path = NULL;
		return -ENOENT;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void thaw_old(const struct shk_container *c)
{
	_cleanup_close_ int dir = open_old_freezer(c);

	if (dir >= 0)
		(void)shk_write_at(dir, "freezer.state", "THAWED");
}

int shk_cgroup_each(int dir, bool (*fn)(pid_t pid, void *arg), void *arg)
{
	_cleanup_close_ int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct shk_buf b;
	int n = 0;

	if (fd < 0)
		return -errno;
	shk_buf_init(&b, PROCS_MAX);
	if (shk_read_all(fd, &b, NULL) == 0 && b.n) {
		for (char *p = b.p, *end; *p; p = *end ? end + 1 : end) {
			long v = strtol(p, &end, 10);

			if (end == p)
				break;
			/* 0: not visible from this pid namespace */
			n += v > 0 && fn((pid_t)v, arg);
		}
	}
	shk_buf_done(&b);
	return n;
}

static bool kill_listed(pid_t pid, void *arg)
{
	(void)arg;
	if (pid == 1)
		return false;
	kill(pid, SIGKILL);
	return true;
}

static int kill_init(const struct shk_container *c)
{
	_cleanup_close_ int fd = shk_pidfd_open(c->init_pid, 0);
	struct shk_task_facts t;

	if (fd < 0)
		return fd;
	if (shk_task_read(c->init_pid, &t) < 0 || t.start != c->init_start)
		return -ESRCH;
	return shk_pidfd_signal(fd, SIGKILL);
}

int shk_kill_container(const struct shk_container *c, struct shk_err *err)
{
	_cleanup_close_ int dir = open_cgroup(c);
	int r;

	if (dir >= 0 && shk_write_at(dir, "cgroup.kill", "1") < 0)
		for (int i = 0; i < ROUNDS && shk_cgroup_each(dir, kill_listed, NULL) > 0; i++)
			;
	r = kill_init(c);
	/* A frozen task of the old hierarchy dies when it thaws, and not before. */
	thaw_old(c);
	if (r < 0 && dir < 0)
		return shk_err_sys(err, -r, "kill the container's init, process %d",
				   (int)c->init_pid);
	return 0;
}

int shk_freeze_container(const struct shk_container *c, bool frozen, struct shk_err *err)
{
	_cleanup_close_ int dir = open_cgroup(c);
	int r = dir < 0 ? dir : shk_write_at(dir, "cgroup.freeze", frozen ? "1" : "0");

	if (r < 0 && dir >= 0)
		r = shk_write_at(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
	if (!frozen)
		thaw_old(c);
	if (r < 0)
		return shk_err_sys(err, r == -ENOENT ? EOPNOTSUPP : -r,
				   "%s the container's cgroup", frozen ? "freeze" : "thaw");
	return 0;
}

/* Does this file of the cgroup hold the text? false when there is no such file, too. */
static bool file_has(int dir, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char buf[256];
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = 0;
	return strstr(buf, text) != NULL;
}

bool shk_container_frozen(const struct shk_container *c)
{
	_cleanup_close_ int dir = open_cgroup(c), old = open_old_freezer(c);

	return (dir >= 0 && file_has(dir, "cgroup.freeze", "1")) ||
	       (old >= 0 && file_has(old, "freezer.state", "FR"));
}

bool shk_freeze_wait(const struct shk_container *c, int timeout_ms)
{
	_cleanup_close_ int dir = open_cgroup(c);

	for (int ms = 0; dir >= 0; ms++) {
		if (file_has(dir, "cgroup.events", "frozen 1") || file_has(dir, "freezer.state", "FROZEN"))
			return true;
		if (ms >= timeout_ms)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return false;
}

/* ---- where a process is ---- */

/* The mount point of a hierarchy, from mountinfo: type and, for v1, a controller among its options. */
static bool mount_point(const char *type, const char *controller, char *out, size_t room)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		char *sep = strstr(line, " - "), dir[1024], opts[1024] = "", fs[64] = "";

		if (!sep || sscanf(line, "%*s %*s %*s %*s %1023s", dir) != 1 ||
		    sscanf(sep + 3, "%63s %*s %1023s", fs, opts) < 1 || strcmp(fs, type) != 0)
			continue;
		if (controller) {
			bool found = false;

			for (char *save, *o = strtok_r(opts, ",", &save); o;
			     o = strtok_r(NULL, ",", &save))
				found |= strcmp(o, controller) == 0;
			if (!found)
				continue;
		}
		if (strlen(dir) >= room)
			continue;
		strcpy(out, dir);
		return true;
	}
	return false;
}

/* "4:freezer:/path" of /proc/PID/cgroup; controller NULL: the unified one. */
static bool line_of(pid_t pid, const char *controller, char *out, size_t room)
{
	char path[64], line[4096];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *name = strchr(line, ':'), *dir = name ? strchr(name + 1, ':') : NULL;
		bool found = false;

		if (!dir)
			continue;
		*dir++ = 0;
		name++;
		if (!controller)
			found = !*name && line[0] == '0';
		for (char *save, *o = strtok_r(name, ",", &save); controller && o;
		     o = strtok_r(NULL, ",", &save))
			found |= strcmp(o, controller) == 0;
		dir[strcspn(dir, "\n")] = 0;
		if (!found || strlen(dir) >= room)
			continue;
		strcpy(out, dir);
		return true;
	}
	return false;
}

static int unified(pid_t pid, bool root_too, struct shk_buf *out)
{
	char dir[4096], mount[1024];

	shk_buf_reset(out);
	if (!line_of(pid, NULL, dir, sizeof(dir)) || (!root_too && strcmp(dir, "/") == 0) || strncmp(dir, "/..", 3) == 0 ||
	    !mount_point("cgroup2", NULL, mount, sizeof(mount)))
		return -ENOENT;
	shk_buf_printf(out, "%s%s", mount, dir);
	return out->failed ? -ENOMEM : 0;
}

int shk_cgroup_unified(pid_t pid, struct shk_buf *out)
{
	return unified(pid, true, out);
}

int shk_cgroup_of(pid_t pid, struct shk_buf *out)
{
	static const char *const v1[] = { "freezer", "pids", "memory" };
	char dir[4096], mount[1024];
	int r = unified(pid, false, out);

	if (r != -ENOENT)
		return r;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(v1); i++)
		if (line_of(pid, v1[i], dir, sizeof(dir)) && strcmp(dir, "/") != 0 &&
		    mount_point("cgroup", v1[i], mount, sizeof(mount))) {
			shk_buf_printf(out, "%s%s", mount, dir);
			return out->failed ? -ENOMEM : 0;
		}
	return -ENOENT;
}
