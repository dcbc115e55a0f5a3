// SPDX-License-Identifier: Apache-2.0
/*
 * Execs that were judged, held by the kernel module: posted by the worker, before it lets the call go on; told by the thread that
 * reads the rings, where something else came of it.
 *
 * A container's flag says whether its execs can be held. Whoever finds it down takes the other way (gate.c), and so does whoever
 * finds that this one does not work: nothing is let go without either.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/io.h"
#include "engine/observer_impl.h"
#include "sources/notify/notify.h"

/* Between the answer and the file being opened the kernel looks up a path: nobody needs that long but file systems that have gone
 * away, and whoever wants the lease to be gone before its call: that one is killed. A call that fails has its files held until then. */
#define LEASE_NS 20000000000u

/* The leader's number stays what it is, whichever program it runs. */
static bool leads(pid_t tid)
{
	return syscall(SYS_tgkill, tid, tid, 0) == 0;
}

static bool fits(const struct shk_exec_judged *x)
{
	/* Judged to fail at a file that rules were not asked about: should that be made good meanwhile it must not run. */
	if (x->err && x->n)
		return false;
	return x->n <= SHRIKE_LEASE_OBJECTS && x->has_path && x->has_argv && !x->argv_cut && !x->has_env &&
	       x->path.n + x->argv.n <= SHRIKE_LEASE_DATA;
}

/* It takes the place of the task's last one, so it is posted only while the call waits: that of the task's next call is posted under
 * this lock, and later. -ECANCELED: nobody waits. */
static int post(struct shk_observer *o, const struct shrike_lease *l, int listener, uint64_t id)
{
	int r;

	pthread_mutex_lock(&o->post_lock);
	if (!o->post || (o->post_ends && l->kind == SHRIKE_KIND_EXEC)) {
		r = -ENOENT;
	} else if (shk_notify_valid(listener, id) == -ENOENT) {
		r = -ECANCELED;
	} else {
		/* Before: whoever gives the module back waits for it (observer.c). */
		if (l->expires_ns > atomic_load(&o->held_until))
			atomic_store(&o->held_until, l->expires_ns);
		r = shk_kpost_lease(o->post, l);
	}
	pthread_mutex_unlock(&o->post_lock);
	return r;
}

/* Not yet a lease: one that has expired and holds nothing. */
static struct shrike_lease none_for(struct shk_entry *e, const struct seccomp_notif *n)
{
	struct shrike_lease l = {
		.index = shk_observer_index(e), .tid = n->pid, .kind = SHRIKE_KIND_BIND, .expires_ns = 1,
		.arch = n->data.arch, .nr = n->data.nr, .ip = n->data.instruction_pointer,
		.fd = { -1, -1, -1, -1 }, .dir_fd = -1,
	};

	memcpy(l.args, n->data.args, sizeof(l.args));
	return l;
}

void shk_observer_unheld(struct shk_engine *g, struct shk_entry *e, int listener, const struct seccomp_notif *n)
{
	const struct shk_syscall *call = shk_syscall_of(n->data.arch, n->data.nr);
	struct shrike_lease l;

	if (!g->observer || !call || (call->id != SHK_CALL_execve && call->id != SHK_CALL_execveat))
		return;
	l = none_for(e, n);
	(void)post(g->observer, &l, listener, n->id);
}

int shk_observer_hold(struct shk_engine *g, struct shk_entry *e, int listener, const struct seccomp_notif *n,
		      const struct shk_exec_judged *x)
{
	struct shk_observer *o = g->observer;
	struct shrike_lease l = none_for(e, n);
	bool ok = fits(x) && leads((pid_t)n->pid);
	int r;

	if (!o || !atomic_load(&e->held_execs))
		return -EOPNOTSUPP;
	/* Otherwise it takes the place of one that an earlier call of this task may have left, which this one is not to be compared with. */
	if (ok) {
		l.kind = SHRIKE_KIND_EXEC;
		l.expires_ns = shk_now_mono() + LEASE_NS;
		for (unsigned i = 0; i < x->n; i++)
			l.fd[i] = x->file[i].fd;
		l.data_len = (uint16_t)(x->path.n + x->argv.n);
		memcpy(l.data, x->path.p, x->path.n);
		memcpy(l.data + x->path.n, x->argv.p, x->argv.n);
	}
	r = post(o, &l, listener, n->id);
	if (r == -ECANCELED)
		return 0;
	if (r == -ENOENT) {
		atomic_store(&e->held_execs, false);
		shk_observer_unheld(g, e, listener, n);
	}
	if (r == 0 && ok)
		atomic_fetch_add(&o->n_leases, 1);
	return r ? r : ok ? 0 : -EOPNOTSUPP;
}

/* What of the container's wishes the module can fulfil. What it holds already it goes on holding: calls may be under way. */
void shk_observer_hold_wanted(struct shk_observer *o, uint32_t has, struct shk_observe *what)
{
	const struct shk_kmod_facts *f = shk_kmod_facts(o->k);
	bool can = o->post && !o->post_ends && f->features & SHRIKE_FEATURE_EXEC_HOLD && f->classes >> SHRIKE_BPRM & 1;

	if (!can)
		what->leases = 0;
	what->leases |= has & SHRIKE_HOLD_EXEC;
	if (what->leases)
		what->classes |= UINT64_C(1) << SHRIKE_LEASE;
	else
		what->classes &= ~(UINT64_C(1) << SHRIKE_LEASE);
}

void shk_observer_tell_killed(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec)
{
	_cleanup_buf_ struct shk_buf name;
	struct shk_krecord r;
	const struct shrike_path *p;

	shk_buf_init(&name, 3 * SHRIKE_PATH_MAX);
	if (shk_krecord_split(rec, &r) < 0)
		return;
	p = r.body;
	/* Without a lease: not one of those that are held. */
	if (p->arg != (SHRIKE_KIND_EXEC | 256))
		return;
	shk_buf_adds(&name, "");
	shk_clean_append(&name, (struct shk_str){ r.text.p, r.text.n });
	atomic_fetch_add(&e->ctr->n_killed, 1);
	shk_tell(o->g, e, SHK_PRIO_CRITICAL, "Shrike internal: exec was exchanged", NULL,
		 "Process %u was killed before the first instruction of a program that is not what was judged, or has other "
		 "arguments or another name (loaded \"%s\")", rec->tgid, name.p ? name.p : "");
}
