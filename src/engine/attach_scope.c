// SPDX-License-Identifier: Apache-2.0
/*
 * Which processes are the container's (way D, THREATS A11).
 *
 * Membership is by any of three: the pid namespace of its init, the cgroup, a member as parent. None alone is enough:
 * a container may have the host's pid namespace, sessions enter the namespace without a parent inside, nested pid
 * namespaces are other ones, and who writes to cgroupfs leaves the cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/attach.h"
#include "sources/ptrace/task.h"

#define PROCS_MAX     (1u << 20)
#define NAMES_AT_ONCE 256	  /* bytes */
#define PF_KTHREAD    0x00200000ul /* include/linux/sched.h */

struct proc {
	pid_t pid, ppid;
	bool in;
};

/* The last number of NSpid: the one in its own namespace. */
static long own_number(pid_t pid)
{
	char path[64], line[512];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *p;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		p = strrchr(line, '\t');
		return p ? strtol(p, NULL, 10) : -1;
	}
	return -1;
}

/* The supervisor, or who asks it. */
static bool is_us(const struct shk_attach *x, pid_t pid)
{
	return pid == getpid() || pid == getppid() || (x->pc && pid == x->pc->peer.pid);
}

static int refuse(pid_t pid, const char *why, struct shk_err *err)
{
	return shk_err_set(err, EPERM, "process %d cannot be attached to: %s", (int)pid, why);
}

int shk_attach_check(struct shk_attach *x, pid_t pid, struct shk_err *err)
{
	ino_t mnt = shk_ns_of(pid, "mnt");
	pid_t tgid;
	int r;

	if (pid <= 1 || is_us(x, pid))
		return refuse(pid, "that process is no container's", err);
	r = shk_task_is_of_pidfd(pid, x->pidfd, &tgid, err);
	if (r < 0)
		return r;
	if (tgid != pid)
		return refuse(pid, "it is a thread, not a process", err);
	if (!mnt || mnt == shk_ns_of(getpid(), "mnt") || mnt == shk_ns_of(1, "mnt"))
		return refuse(pid, "it is in no container, as it has the mount namespace of this machine", err);
	x->pidns = shk_ns_of(pid, "pid");
	if (x->pidns == shk_ns_of(getpid(), "pid"))
		x->pidns = 0;
	else if (own_number(pid) != 1)
		return refuse(pid, "it is not the first process of its container; name that one", err);
	/* What was read by number was this process's only if it has not ended meanwhile. */
	return shk_task_is_of_pidfd(pid, x->pidfd, &tgid, err);
}

/* 1; 0: one of the kernel's own; -ESRCH: gone. */
static int read_proc(pid_t pid, struct proc *p)
{
	char path[64], buf[1024], *end;
	_cleanup_close_ int fd = -1;
	unsigned long flags;
	ssize_t n;
	int ppid;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -ESRCH;
	buf[n] = 0;
	end = strrchr(buf, ')'); /* of the name, which may hold anything */
	if (!end || sscanf(end + 1, " %*c %d %*d %*d %*d %*d %lu", &ppid, &flags) != 2 || (flags & PF_KTHREAD))
		return 0;
	*p = (struct proc){ .pid = pid, .ppid = ppid };
	return 1;
}

static int read_cgroups(pid_t pid, struct shk_buf *b)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	shk_buf_reset(b);
	return shk_read_file(path, b, NULL);
}

/* The line of /proc/PID/cgroup that says where the init is, in the hierarchy that counts: the container's cgroup is its
 * mount point and this path. malloc'ed. */
static char *find_line(pid_t init, struct shk_str cgroup, struct shk_buf *b)
{
	const char *best = NULL;
	size_t longest = 1;

	if (!cgroup.n || read_cgroups(init, b) < 0 || !b->n)
		return NULL;
	for (char *save, *line = strtok_r(b->p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *dir = strchr(line, ':');

		dir = dir ? strchr(dir + 1, ':') : NULL;
		if (dir && strlen(dir + 1) > longest && shk_str_ends(cgroup, shk_str(dir + 1))) {
			longest = strlen(dir + 1);
			best = line;
		}
	}
	return best ? strdup(best) : NULL;
}

static bool in_cgroup(const struct shk_attach *x, pid_t pid, struct shk_buf *b)
{
	size_t n = x->cgroup_line ? strlen(x->cgroup_line) : 0;

	if (!n || read_cgroups(pid, b) < 0 || !b->n)
		return false;
	for (const char *p = b->p; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, x->cgroup_line, n) == 0 && (!p[n] || p[n] == '\n' || p[n] == '/'))
			return true;
	}
	return false;
}

bool shk_attach_own_cgroup(struct shk_attach *x, pid_t init, struct shk_str cgroup)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	ino_t own = shk_ns_of(getpid(), "mnt"), first = shk_ns_of(1, "mnt");
	struct dirent *de;
	struct shk_buf b;
	bool r = true;

	shk_buf_init(&b, 65536);
	free(x->cgroup_line);
	x->cgroup_line = find_line(init, cgroup, &b);
	while (d && r && (de = readdir(d))) {
		pid_t pid = (pid_t)strtol(de->d_name, NULL, 10);
		ino_t ns;

		if (pid <= 0 || !in_cgroup(x, pid, &b))
			continue;
		ns = shk_ns_of(pid, "mnt");
		r = !ns || (ns != own && ns != first);
	}
	shk_buf_done(&b);
	if (!d || !r)
		free(TAKE_PTR(x->cgroup_line));
	return d && r;
}

static int by_pid(const void *a, const void *b)
{
	const pid_t *x = a, *y = b; /* the first member of struct proc, too */

	return *x < *y ? -1 : *x > *y;
}

/* Is it a member by itself? 1, 0; -ESRCH: it ended before that could be told. */
static int look(const struct shk_attach *x, pid_t pid, struct proc *p, struct shk_buf *b)
{
	int r = read_proc(pid, p);
	ino_t ns = r > 0 && x->pidns ? shk_ns_of(pid, "pid") : 0;

	if (r <= 0)
		return r;
	p->in = pid == x->e->ctr->init_pid || (ns && ns == x->pidns) || in_cgroup(x, pid, b);
	return x->pidns && !ns ? -ESRCH : 1;
}

struct name { /* linux_dirent64, getdents(2) */
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char text[];
};

struct table {
	struct proc *v;
	size_t n, room;
};

static int append(struct table *t, const struct proc *p)
{
	struct proc *more;

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 512;

		more = room > PROCS_MAX ? NULL : reallocarray(t->v, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->v = more;
		t->room = room;
	}
	t->v[t->n++] = *p;
	return 0;
}

/* The number given last (proc_loadavg(5)). 0: not known. */
static long last_number(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/loadavg", "re");
	long n;

	return f && fscanf(f, "%*s %*s %*s %*s %ld", &n) == 1 ? n : 0;
}

/* Few names at a time: what is named is looked at before it has time to end. Numbers ascend, so whoever is alive when
 * the end is reached has been named, unless numbers began anew meanwhile: then somebody may be behind our back. */
static int read_all(struct shk_attach *x, struct table *t, bool *unsure, struct shk_err *err)
{
	_cleanup_close_ int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(uint64_t) char names[NAMES_AT_ONCE];
	_cleanup_buf_ struct shk_buf b;
	long got, began = last_number(), ended;

	shk_buf_init(&b, 65536);
	if (fd < 0)
		return shk_err_sys(err, errno, "/proc");
	if (!x->cgroup_line)
		x->cgroup_line = find_line(x->e->ctr->init_pid, x->e->ctr->cgroup, &b);
	while ((got = syscall(SYS_getdents64, fd, names, sizeof(names))) > 0) {
		const struct name *de;

		for (long at = 0; at < got; at += de->len) {
			struct proc p;
			pid_t pid;
			int r;

			de = (const void *)(names + at);
			pid = (pid_t)strtol(de->text, NULL, 10);
			r = pid <= 0 ? 0 : look(x, pid, &p, &b);
			*unsure |= r < 0;
			if (r > 0 && append(t, &p) < 0)
				return shk_err_set(err, ENOMEM, "out of memory at %zu processes", t->n);
		}
	}
	if (got < 0)
		return shk_err_sys(err, errno, "list /proc");
	ended = last_number();
	*unsure |= !began || ended < began;
	qsort(t->v, t->n, sizeof(*t->v), by_pid);
	return 0;
}

/* Children of members are members. Most have a larger number than their parent: one round is enough for these. */
static void add_children(struct proc *v, size_t n)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			const struct proc *up;

			if (v[i].in || v[i].ppid <= 1)
				continue;
			up = bsearch(&v[i].ppid, v, n, sizeof(*v), by_pid);
			if (up && up->in)
				more = v[i].in = true;
		}
	}
}

int shk_attach_list(void *arg, pid_t **pids, size_t *n, bool *unsure, struct shk_err *err)
{
	struct shk_attach *x = arg;
	struct table t = { 0 };
	int r = read_all(x, &t, unsure, err);
	_cleanup_free_ struct proc *v = t.v;
	_cleanup_free_ pid_t *out = NULL;
	size_t all = t.n, k = 0;

	if (r < 0)
		return r;
	add_children(v, all);
	out = calloc(all + 1, sizeof(*out));
	free(x->members);
	x->members = calloc(all + 1, sizeof(*x->members));
	x->n_members = 0;
	if (!out || !x->members)
		return shk_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < all; i++) {
		if (!v[i].in)
			continue;
		if (v[i].pid == 1 || is_us(x, v[i].pid))
			return shk_err_set(err, EPERM, "process %d, the supervisor or who asks it, is in the "
					   "container's cgroup; start it elsewhere", (int)v[i].pid);
		out[k++] = v[i].pid;
		x->members[x->n_members++] = v[i].pid;
	}
	*pids = TAKE_PTR(out);
	*n = k;
	return 0;
}

bool shk_attach_is_session(const struct shk_attach *x, pid_t pid)
{
	struct proc p;

	/* In the host's pid namespace a daemon's parent is outside, too. */
	return x->pidns && pid != x->e->ctr->init_pid && read_proc(pid, &p) > 0 &&
	       !bsearch(&p.ppid, x->members, x->n_members, sizeof(*x->members), by_pid);
}
