// SPDX-License-Identifier: Apache-2.0
/*
 * Sessions that nobody asked about: looked for among the processes that are new.
 *
 * Numbers of processes are given out in ascending order, so those since the last look are in a row; where that is long, most of
 * them are nobody's, and /proc lists those that are. A process in a
 * container's pid namespace whose parent is outside, and that is not the init, has come from outside: it, or what made it, was
 * put there by setns(2). While it still runs the runtime's own program it is left alone; it may be on its way to the gate.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/attach.h"
#include "engine/porter.h"
#include "sources/ptrace/task.h"

#define NUMBERS_MAX 64		     /* looked at one by one; more are looked for in the list of all */
#define AGAIN_NS    10000000000ull   /* between two attaches to a container: each is to all of its tasks */
#define EACH_MAX    16		     /* of a container: the table is everybody's */
#define GRACE_NS    3000000000ull    /* a program from memory cannot be told from the runtime's */

struct space {
	uint64_t pid_ns;
	struct shk_entry *e;
};

struct start_job {
	struct shk_job job;
	uint64_t container, start;
	pid_t pid;
};

static pid_t newest(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/loadavg", "re");
	int pid;

	return f && fscanf(f, "%*s %*s %*s %*s %d", &pid) == 1 ? pid : -1;
}

static pid_t highest(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/pid_max", "re");
	int pid;

	return f && fscanf(f, "%d", &pid) == 1 ? pid : 32768;
}

/* Is it known, with what was put into it or came with it, or as one that an attach found there, which told if it could
 * not reach it? */
static bool is_known(struct shk_entry *e, pid_t pid, uint64_t start)
{
	bool known = start <= e->attached_ticks;

	pthread_mutex_lock(&e->g->reg_lock);
	for (const struct shk_listener *l = e->listeners; l && !known; l = l->next)
		known = l->session_root == pid || (l->runtime_pid == pid && l->runtime_pid);
	pthread_mutex_unlock(&e->g->reg_lock);
	return known;
}

/* It runs a program that is a file of the container's. */
static bool runs_own_program(struct shk_entry *e, pid_t pid)
{
	char path[64];
	struct statx sx;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 && sx.stx_mask & STATX_MNT_ID &&
	       shk_porter_is_marked(e, sx.stx_mnt_id);
}

bool shk_porter_was_made_inside(struct shk_entry *e, const struct shk_task_facts *f)
{
	return !f->unfiltered && (!f->filters || f->filters >= atomic_load(&e->filters)) &&
	       shk_ns_of(f->ppid, "pid") == atomic_load(&e->pid_ns);
}

static void note(struct shk_porter *pt, struct shk_entry *e, pid_t pid)
{
	struct shk_task_facts f;
	unsigned same = 0;

	/* Whose parent is in there was made in there, and has what that one had: unless it is what a session has left
	 * behind that has ended since, which shows by its filters: it has its runtime's at most, and not ours. */
	if (pid == e->ctr->init_pid || shk_task_read(pid, &f) < 0 || f.tgid != pid || f.state == 'Z' || shk_porter_was_made_inside(e, &f))
		return;
	for (unsigned i = 0; i < pt->n_late; i++) {
		if (pt->late[i].pid == pid && pt->late[i].start == f.start)
			return;
		same += pt->late[i].container == e->ctr->key;
	}
	if (pt->n_late < SHK_PORTER_LATE && same < EACH_MAX)
		pt->late[pt->n_late++] = (struct shk_late){ pid, f.start, e->ctr->key, shk_now_mono(), false };
}

static void nothing(struct shk_job *j)
{
	(void)j;
}

static void begin(struct shk_job *j)
{
	struct start_job *x = (struct start_job *)j;

	shk_attach_late(x->job.g, x->container, x->pid, x->start, 0);
	free(x);
}

static bool attach(struct shk_porter *pt, const struct shk_late *l)
{
	struct start_job *x = calloc(1, sizeof(*x));

	if (!x)
		return false;
	*x = (struct start_job){ .job = { .run = nothing, .done = begin, .spare = SHK_JOBS_SPARE_LATE }, .container = l->container,
				 .start = l->start, .pid = l->pid };
	if (shk_job_start(pt->g, &x->job) == 0)
		return true;
	free(x);
	return false;
}

/* true: nothing is left to find out. */
static bool settle(struct shk_porter *pt, struct shk_late *l)
{
	SHK_CLEANUP(shk_entry_unrefp) struct shk_entry *e = shk_registry_by_key(pt->g, l->container);
	bool refuse;

	if (!e || atomic_load(&e->released) || shk_start_time(l->pid) != l->start || is_known(e, l->pid, l->start) ||
	    shk_porter_has_seen(pt, l->pid))
		return true;
	/* Once is enough: what came of it was told. It stays here so that it is not found anew. */
	if (l->tried || !atomic_load(&e->entered) ||
	    /* A tool of the host's that looks at its processes. */
	    shk_ns_of(l->pid, "mnt") == shk_ns_of(getpid(), "mnt") ||
	    (!runs_own_program(e, l->pid) && shk_now_mono() - l->since < GRACE_NS))
		return false;
	if (shk_porter_policy(e, &refuse) == SHK_EXEC_REFUSE) {
		shk_porter_late_failed(e, l->pid, l->start, true, "it was found after it had begun (exec_sessions: refuse)");
		return true;
	}
	if (shk_now_mono() >= e->late_at && (l->tried = attach(pt, l)))
		e->late_at = shk_now_mono() + AGAIN_NS;
	return false;
}

static void look_at(struct shk_porter *pt, const struct space *s, size_t n, pid_t pid)
{
	uint64_t ns = shk_ns_of(pid, "pid");

	for (size_t i = 0; ns && i < n; i++)
		if (s[i].pid_ns == ns) {
			note(pt, s[i].e, pid);
			return;
		}
}

/* All that came after `from` up to `to`, where numbers begin anew behind the highest. false: not now. */
static bool look_through(struct shk_porter *pt, const struct space *s, size_t n, pid_t from, pid_t to)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *x;

	if (!d)
		return false;
	while ((x = readdir(d))) {
		uint64_t v;
		pid_t pid;

		if (!shk_str_to_u64(shk_str(x->d_name), &v) || !v || v > INT32_MAX)
			continue;
		pid = (pid_t)v;
		if (from < to ? pid > from && pid <= to : pid > from || pid <= to)
			look_at(pt, s, n, pid);
	}
	return true;
}

void shk_porter_look(struct shk_porter *pt)
{
	size_t n, k = 0;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(pt->g, &n);
	_cleanup_free_ struct space *s = calloc(n + 1, sizeof(*s));
	pid_t now = newest(), top = highest(), pid = pt->last_pid;

	for (size_t i = 0; i < n && s; i++)
		if (atomic_load(&all[i]->pid_ns))
			s[k++] = (struct space){ atomic_load(&all[i]->pid_ns), all[i] };
	/* The first time everybody is new. */
	if (!pid)
		pid = now + 1 < top ? now + 1 : 1;
	if (k && now > 0 && (now > pid ? now - pid : now + top - pid) > NUMBERS_MAX &&
	    look_through(pt, s, k, pid, now))
		pid = now;
	for (unsigned i = 0; k && now > 0 && pid != now && i < NUMBERS_MAX; i++) {
		pid = pid + 1 < top ? pid + 1 : 1;
		look_at(pt, s, k, pid);
	}
	/* With nobody to look for there is nothing to be made up for later. */
	pt->last_pid = k ? pid : 0;
	for (unsigned i = 0; i < pt->n_late;)
		if (settle(pt, &pt->late[i]))
			pt->late[i] = pt->late[--pt->n_late];
		else
			i++;
	for (size_t i = 0; i < n; i++)
		shk_entry_unref(all[i]);
}
