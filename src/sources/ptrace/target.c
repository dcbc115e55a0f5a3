// SPDX-License-Identifier: Apache-2.0
#include "sources/ptrace/target.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sources/ptrace/task.h"

static int refuse(pid_t target, const char *why, struct shk_err *err)
{
	return shk_err_set(err, EPERM, "process %d is no container init the caller may register: %s",
			   (int)target, why);
}

static bool same_link(pid_t a, pid_t b, const char *name)
{
	struct stat sa, sb;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)a, name);
	if (stat(path, &sa) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)b, name);
	return stat(path, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* How target is related to the runtime; NULL when as it must be. */
static const char *relation(pid_t target, const struct shk_task_facts *t, pid_t runtime,
			    const struct shk_task_facts *r)
{
	struct shk_task_facts parent;
	bool child = t->ppid == runtime;
	/* A grandchild's parent may be gone by now, then its number says nothing: the ppid is read again. */
	bool grandchild = !child && t->ppid > 1 && shk_task_read(t->ppid, &parent) == 0 &&
			  parent.ppid == runtime && parent.start >= r->start;
	bool sibling = !child && t->ppid == r->ppid;

	if (!child && !grandchild && !sibling)
		return "the runtime that started the hook did not start it";
	if (!child && same_link(target, getpid(), "ns/pid"))
		return "in the host's pid namespace it must be a child of the runtime";
	return NULL;
}

int shk_target_check(const struct shk_peer *peer, pid_t target, int pidfd, struct shk_err *err)
{
	struct shk_task_facts p, t, t2, r;
	const char *why;
	pid_t tgid;
	int e;

	if (target <= 1 || target == getpid() || target == peer->pid)
		return refuse(target, "that process is never one", err);
	e = shk_task_is_of_pidfd(target, pidfd, &tgid, err);
	if (e < 0)
		return e;
	if (tgid != target)
		return refuse(target, "it is a thread, not a process", err);
	if (shk_task_read(peer->pid, &p) < 0 || p.ppid <= 1 || shk_task_read(p.ppid, &r) < 0)
		return refuse(target, "the hook's runtime ended", err);
	if (shk_task_read(target, &t) < 0)
		return shk_err_set(err, ESRCH, "process %d ended", (int)target);
	if (peer->uid != 0 && t.uid != peer->uid)
		return refuse(target, "it belongs to another user", err);
	if (t.start < r.start)
		return refuse(target, "it is older than the runtime", err);
	why = relation(target, &t, p.ppid, &r);
	if (why)
		return refuse(target, why, err);
	if (!same_link(target, p.ppid, "root"))
		return refuse(target, "it has entered a root file system already", err);
	/* The relatives were read by number: true only when the peer's parent has not changed meanwhile. */
	if (shk_pidfd_signal(peer->pidfd, 0) == -ESRCH || shk_task_read(peer->pid, &t2) < 0 ||
	    t2.ppid != p.ppid || shk_task_read(target, &t2) < 0 || t2.ppid != t.ppid)
		return refuse(target, "its relatives ended meanwhile", err);
	return shk_task_is_of_pidfd(target, pidfd, &tgid, err);
}
