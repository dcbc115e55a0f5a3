// SPDX-License-Identifier: Apache-2.0
/*
 * apply.c - which calls change which facts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"
#include "state/process_impl.h"

/* How often a task whose call may be under way is looked at. */
#define LOOK_NS 20000000u

const enum shk_call_id shk_proc_calls[] = {
	/* programs */
	SHK_CALL_execve, SHK_CALL_execveat,
	/* directories */
	SHK_CALL_chdir, SHK_CALL_fchdir, SHK_CALL_chroot, SHK_CALL_pivot_root,
	/* credentials; the second half are calls of i386 */
	SHK_CALL_setuid, SHK_CALL_setgid, SHK_CALL_setreuid, SHK_CALL_setregid,
	SHK_CALL_setresuid, SHK_CALL_setresgid, SHK_CALL_setfsuid, SHK_CALL_setfsgid,
	SHK_CALL_capset,
	SHK_CALL_setuid32, SHK_CALL_setgid32, SHK_CALL_setreuid32, SHK_CALL_setregid32,
	SHK_CALL_setresuid32, SHK_CALL_setresgid32, SHK_CALL_setfsuid32, SHK_CALL_setfsgid32,
	/* namespaces */
	SHK_CALL_unshare, SHK_CALL_setns,
	/* exec sessions */
	SHK_CALL_setsid,
};
const size_t shk_n_proc_calls = SHK_ARRAY_SIZE(shk_proc_calls);

const enum shk_call_id shk_proc_rights_calls[] = { SHK_CALL_setgroups, SHK_CALL_setgroups32,
						   SHK_CALL_umask };
const size_t shk_n_proc_rights_calls = SHK_ARRAY_SIZE(shk_proc_rights_calls);

/* Kinds of facts a call changes. exec: credentials by setuid files. */
static unsigned changes(enum shk_call_id id)
{
	switch (id) {
	case SHK_CALL_execve:
	case SHK_CALL_execveat:
		return SHK_KEEP_PROGRAM | SHK_KEEP_CREDS;
	case SHK_CALL_chdir:
	case SHK_CALL_fchdir:
	case SHK_CALL_chroot:
	case SHK_CALL_pivot_root:
		return SHK_KEEP_FS;
	/* A directory somebody works in gets another name. */
	case SHK_CALL_rename:
	case SHK_CALL_renameat:
	case SHK_CALL_renameat2:
	case SHK_CALL_mount:
	case SHK_CALL_move_mount:
		return SHK_KEEP_NAMES;
	case SHK_CALL_setuid:
	case SHK_CALL_setgid:
	case SHK_CALL_setreuid:
	case SHK_CALL_setregid:
	case SHK_CALL_setresuid:
	case SHK_CALL_setresgid:
	case SHK_CALL_setfsuid:
	case SHK_CALL_setfsgid:
	case SHK_CALL_setuid32:
	case SHK_CALL_setgid32:
	case SHK_CALL_setreuid32:
	case SHK_CALL_setregid32:
	case SHK_CALL_setresuid32:
	case SHK_CALL_setresgid32:
	case SHK_CALL_setfsuid32:
	case SHK_CALL_setfsgid32:
	case SHK_CALL_capset:
		return SHK_KEEP_CREDS;
	case SHK_CALL_setgroups:
	case SHK_CALL_setgroups32:
	case SHK_CALL_umask:
		return SHK_KEEP_RIGHTS;
	case SHK_CALL_unshare:
	case SHK_CALL_setns:
		return SHK_KEEP_FS | SHK_KEEP_CREDS | SHK_KEEP_NS;
	default:
		return 0;
	}
}

/* prctl renames a process and changes ambient capabilities. As in Falco a name is that of the program
 * started, so the first need not be seen; the second adds no right the task had not. */
static unsigned changes_if_seen(enum shk_call_id id)
{
	return id == SHK_CALL_prctl ? SHK_KEEP_PROGRAM | SHK_KEEP_CREDS : changes(id);
}

void shk_proc_keep(struct shk_container *c, bool (*notified)(enum shk_call_id id, void *arg),
		   void *arg)
{
	struct shk_procs *s = shk_procs_of(c);

	if (!s)
		return;
	s->keep = SHK_KEEP_PROGRAM | SHK_KEEP_FS | SHK_KEEP_NAMES | SHK_KEEP_CREDS | SHK_KEEP_NS |
		  SHK_KEEP_RIGHTS;
	for (unsigned id = 0; id < SHK_CALL_N; id++)
		if (changes(id) && !notified(id, arg))
			s->keep &= ~changes(id);
}

static void drop_kinds(struct shk_proc *p, unsigned kinds)
{
	if (kinds & SHK_KEEP_PROGRAM)
		for (unsigned f = SHK_FACT_COMM; f <= SHK_FACT_EXE; f++)
			shk_proc_drop(p, f);
	if (kinds & (SHK_KEEP_FS | SHK_KEEP_NAMES))
		for (unsigned f = SHK_FACT_CWD; f <= SHK_FACT_ROOT_ID; f++)
			shk_proc_drop(p, f);
	if (kinds & SHK_KEEP_CREDS)
		shk_proc_drop(p, SHK_FACT_STATUS);
	if (kinds & (SHK_KEEP_CREDS | SHK_KEEP_FS | SHK_KEEP_RIGHTS))
		shk_proc_drop(p, SHK_FACT_RIGHTS);
	if (kinds & SHK_KEEP_NS)
		for (unsigned f = SHK_FACT_NS; f <= SHK_FACT_NS_LAST; f++)
			shk_proc_drop(p, f);
}

/* Is the task still in the call? /proc/TID/syscall tells its number while it sleeps. */
static bool under_way(struct shk_wait *w)
{
	char path[64], buf[32];
	uint64_t now = shk_now_mono();
	int64_t nr;
	ssize_t n;
	const char *sp;

	if (now - w->looked_ns < LOOK_NS)
		return true;
	w->looked_ns = now;
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)w->tid);
	{
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return errno != ENOENT; /* ENOENT: it ended */
		n = read(fd, buf, sizeof(buf));
	}
	if (n < 0)
		return errno != ESRCH;
	/* "running": cannot be told. */
	sp = memchr(buf, ' ', (size_t)n);
	if (!sp || !shk_str_to_i64((struct shk_str){ buf, (size_t)(sp - buf) }, &nr))
		return true;
	return ((int32_t)nr & ~SHK_X32_BIT) == (w->nr & ~SHK_X32_BIT);
}

static void end_wait(struct shk_procs *s, unsigned i)
{
	s->wait[i] = s->wait[--s->n_waits];
	s->fs_epoch++;
}

bool shk_procs_fs_unsettled(struct shk_procs *s)
{
	for (unsigned i = s->n_waits; i-- > 0;)
		if (!under_way(&s->wait[i]))
			end_wait(s, i);
	return s->fs_never || s->n_waits;
}

static void begin_wait(struct shk_procs *s, const struct shk_event *ev)
{
	s->fs_epoch++;
	for (unsigned i = 0; i < s->n_waits; i++)
		if (s->wait[i].tid == ev->tid)
			return;
	if (s->n_waits == SHK_WAITS_MAX && shk_procs_fs_unsettled(s) &&
	    s->n_waits == SHK_WAITS_MAX) {
		s->fs_never = true;
		return;
	}
	s->wait[s->n_waits++] = (struct shk_wait){ .tid = ev->tid, .nr = ev->nr,
						   .looked_ns = shk_now_mono() };
}

void shk_proc_settle(struct shk_proc *p)
{
	struct shk_procs *s = p->c->proc_state;

	for (unsigned i = s->n_waits; i-- > 0;)
		if (s->wait[i].tid == p->tid)
			end_wait(s, i);
	if (p->pending) {
		drop_kinds(p, p->pending);
		p->pending = 0;
	}
}

static void goes_on(struct shk_proc *p, unsigned kinds)
{
	if (!p)
		return;
	drop_kinds(p, kinds);
	p->pending |= kinds;
}

void shk_proc_apply(struct shk_container *c, struct shk_event *ev, bool allowed)
{
	struct shk_proc *p;
	unsigned kinds;
	pid_t pid;

	if (!allowed || !c || !c->proc_state || !ev->call)
		return;
	kinds = changes_if_seen(ev->call->id);
	/* The mode mask belongs to what CLONE_FS shares. */
	if (kinds & (SHK_KEEP_FS | SHK_KEEP_NAMES) || ev->call->id == SHK_CALL_umask)
		begin_wait(c->proc_state, ev);
	p = kinds ? shk_procs_peek(c, ev->tid) : NULL;
	if (!p)
		return;
	/* A thread that executes becomes the leader. */
	pid = shk_event_is_exec(ev) ? shk_proc_pid(p) : 0;
	goes_on(p, kinds);
	if (pid && pid != p->tid)
		goes_on(shk_procs_peek(c, pid), kinds);
}
