// SPDX-License-Identifier: Apache-2.0
/*
 * recorded_apply.c - what a call that was made has changed.
 *
 * Descriptors that it gives are there when it is evaluated: its result speaks of them. Everything else
 * is as it was before the call, as a supervisor sees it that judges calls before they happen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "state/recorded_impl.h"

/* A result is a success; a call whose result is not known changes nothing. */
static bool succeeded(const struct shk_event *ev)
{
	return ev->call && !ev->attempt && ev->has_ret && ev->ret >= 0;
}

static struct shk_rec_task *task_of(struct shk_recorded *r, const struct shk_event *ev)
{
	return shk_rec_task(r, ev->tid);
}

/* A program that is started is known by its call, also where its task is not: for this event, and for good once
 * it runs. */
static void stand_in(struct shk_recorded *r, struct shk_eval_ctx *ctx)
{
	struct shk_event *ev = ctx->ev;
	struct shk_rec_task *t;

	if (!shk_event_starts_program(ev) || ev->tid <= 0)
		return;
	t = succeeded(ev) ? shk_rec_task_new(r, ev->tid) : SHK_ARENA_NEW(ev->arena, struct shk_rec_task);
	if (!t)
		return;
	t->p.tid = ev->tid;
	t->p.rec = r;
	t->p.settled = UINT32_MAX;
	t->p.pidfd = -1;
	/* As of a record that says nothing of it. */
	if (succeeded(ev))
		shk_rec_set_str(&t->p.root, SHK_STR("/"));
	else
		t->p.root = SHK_STR("/");
	shk_rec_know(&t->p, SHK_FACT_ROOT, t->p.root.p != NULL);
	t->p.c = ev->ctr;
	t->p.tgid = ev->pid;
	shk_rec_know(&t->p, SHK_FACT_STATUS, ev->pid > 0);
	ctx->proc = &t->p;
	ctx->proc_tried = true;
	ctx->program = false;
}

void shk_recorded_begin(struct shk_recorded *r, struct shk_event *ev, struct shk_str container,
			struct shk_eval_ctx *ctx)
{
	struct shk_rec_task *t = task_of(r, ev);

	*ctx = (struct shk_eval_ctx){ .ev = ev, .recorded = r };
	if (container.p)
		ev->ctr = shk_recorded_container(r, container);
	else
		ev->ctr = t ? t->p.c : NULL;
	ctx->ctr = ev->ctr;
	if (!t)
		stand_in(r, ctx);
	if (!t || !succeeded(ev))
		return;
	shk_rec_made_fd(r, ctx, t);
	/* Paths are joined anew for the evaluation, as they would have been. */
	ctx->fd = NULL;
}

/* ---- directories ---- */

/* Threads have their directories together. */
static void set_dir(struct shk_recorded *r, const struct shk_rec_task *t, enum shk_fact f, struct shk_str path)
{
	struct shk_map_slot *s;
	pid_t tgid = t->p.tgid;
	size_t pos = 0;

	while ((s = shk_map_next(&r->tasks, &pos))) {
		struct shk_rec_task *o = s->value;

		if (o->p.tgid == tgid)
			shk_rec_know(&o->p, f, shk_rec_set_str(f == SHK_FACT_CWD ? &o->p.cwd : &o->p.root,
							       path));
	}
}

static void change_dir(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;
	struct shk_str path = { NULL, 0 };

	if (ev->call->id == SHK_CALL_fchdir ? !shk_recorded_fd_path(&t->p, (int)ev->raw[0], &path) :
					      !shk_event_abs_path(ctx, 0, &path))
		path.p = NULL;
	set_dir(r, t, ev->call->id == SHK_CALL_chroot ? SHK_FACT_ROOT : SHK_FACT_CWD, path);
}

/* ---- tasks ---- */

static void drop_threads(struct shk_recorded *r, pid_t tgid, const struct shk_rec_task *but)
{
	struct shk_map_slot *s;
	size_t pos = 0;

	while ((s = shk_map_next(&r->tasks, &pos))) {
		struct shk_rec_task *o = s->value;

		if (o != but && o->p.tgid == tgid)
			shk_rec_task_drop(r, o);
	}
}

/* Children of a process that ended are the init's of their container, or the machine's. */
static void reparent(struct shk_recorded *r, pid_t from)
{
	struct shk_map_slot *s;
	size_t pos = 0;

	while ((s = shk_map_next(&r->tasks, &pos))) {
		struct shk_proc *p = &((struct shk_rec_task *)s->value)->p;

		if (p->ppid == from)
			p->ppid = p->c && p->c->init_pid > 0 && p->c->init_pid != p->tgid ?
					  p->c->init_pid : 1;
	}
}

static void ended(struct shk_recorded *r, struct shk_rec_task *t, bool group)
{
	pid_t tgid = t->p.tgid;
	struct shk_map_slot *s;
	bool left = false;
	size_t pos = 0;

	if (group)
		drop_threads(r, tgid, NULL);
	else
		shk_rec_task_drop(r, t);
	while (!group && (s = shk_map_next(&r->tasks, &pos)))
		left |= ((struct shk_rec_task *)s->value)->p.tgid == tgid;
	if (!left)
		reparent(r, tgid);
}

/* The numbers a call returns are those of the caller's pid namespace: the child's own number is known only
 * where they are the same. */
static void forked(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	const struct shk_event *ev = ctx->ev;
	uint64_t flags = 0;
	struct shk_rec_task *child;
	pid_t tid = (pid_t)ev->ret;

	if (ev->ret <= 0 || ev->ret > INT32_MAX || (t->p.vtid && t->p.vtid != t->p.tid))
		return;
	(void)shk_event_clone_flags(ctx->ev, &flags);
	child = shk_rec_task_copy(r, t, tid);
	if (!child)
		return;
	child->files = NULL;
	if (flags & CLONE_FILES)
		shk_rec_files_share(child, t);
	else
		shk_rec_files_copy(r, child, t);
	child->p.start_ns = ev->time_ns;
	if (child->p.vtid)
		child->p.vtid = tid;
	if (flags & CLONE_THREAD)
		return;
	child->p.tgid = tid;
	if (child->p.vpid)
		child->p.vpid = tid;
	child->p.nthreads = child->p.nthreads ? 1 : 0;
	if (!(flags & CLONE_PARENT)) {
		child->p.ppid = t->p.tgid;
		shk_rec_know(&child->p, SHK_FACT_STAT, true);
	}
}

/* The executing thread becomes the leader, whatever its number was. */
static struct shk_rec_task *become_leader(struct shk_recorded *r, struct shk_rec_task *t)
{
	struct shk_rec_task *l = t;

	if (t->p.tgid)
		drop_threads(r, t->p.tgid, t);
	if (t->p.tid == t->p.tgid || !t->p.tgid)
		return t;
	l = shk_rec_task_copy(r, t, t->p.tgid);
	if (l) {
		l->files = TAKE_PTR(t->files);
		l->next = TAKE_PTR(t->next);
		if (l->p.vtid)
			l->p.vtid = l->p.vpid;
	}
	shk_rec_task_drop(r, t);
	return l;
}

/* What the call's own arguments say of the new program; what they do not say is unknown. */
static void executed(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_proc *next, *p;
	struct shk_str comm, exepath;
	const struct shk_strvec *argv, *env;

	ctx->proc = &t->p;
	ctx->proc_tried = true;
	ctx->program = false;
	next = shk_proc_of(ctx);
	if (!next || !next->base)
		return;
	comm = shk_proc_comm(next);
	argv = shk_proc_argv(next);
	env = shk_proc_env(next);
	exepath = shk_proc_exepath(next);
	t = become_leader(r, t);
	if (!t)
		return;
	p = &t->p;
	shk_rec_set_comm(p, comm);
	shk_rec_know(p, SHK_FACT_ARGV, argv && shk_rec_set_vec(&p->argv, argv, NULL));
	shk_rec_know(p, SHK_FACT_ENV, env && shk_rec_set_vec(&p->env, env, NULL));
	shk_rec_know(p, SHK_FACT_EXEPATH, shk_rec_set_str(&p->exepath, exepath));
	p->exe = t->next ? t->next->exe : (struct shk_proc_exe){ 0 };
	shk_rec_know(p, SHK_FACT_EXE, t->next && t->next->have & 1u << SHK_FACT_EXE);
	p->has_upper = t->next && t->next->has_upper;
	p->upper_layer = t->next && t->next->upper_layer;
	shk_rec_program_drop(t);
	p->nthreads = p->nthreads ? 1 : 0;
	shk_rec_files_copy(r, t, t);
	shk_rec_fd_close_range(r, t, 0, INT32_MAX, true);
}

static void renamed(struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	char name[16];
	size_t n = 0;

	if ((int)ctx->ev->raw[0] != PR_SET_NAME)
		return;
	while (n < sizeof(name) - 1 && shk_event_read(ctx->ev, ctx->ev->raw[1] + n, name + n, 1) == 1 && name[n])
		n++;
	if (n)
		shk_rec_set_comm(&t->p, (struct shk_str){ name, n });
}

/* ---- descriptors ---- */

static void socket_ends(struct shk_eval_ctx *ctx, struct shk_recorded *r, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;
	const struct shk_rec_fd *d = shk_rec_fd_get(t, (int)ev->raw[0]);
	bool remote = ev->call->id == SHK_CALL_connect;
	struct shk_fd_facts f;
	struct shk_str sa, path;

	if (!d || !shk_event_sockaddr(ev, &sa))
		return;
	f = d->facts;
	if (shk_sockaddr_ip(sa, remote ? &f.remote : &f.local, remote ? &f.rport : &f.lport)) {
		f.type = (remote ? f.remote.len : f.local.len) == 4 ? '4' : '6';
	} else if (shk_sockaddr_unix(sa, ev->arena, &path)) {
		f.type = 'u';
		*(remote ? &f.peer_path : &f.unix_path) = path;
		if (!f.unix_path.p)
			f.unix_path = path;
	} else {
		return;
	}
	f.connected |= remote;
	f.server = f.listening || (f.type != 'u' && shk_fd_guess_server(&f));
	shk_rec_name_socket(&f, ev->arena);
	(void)shk_rec_fd_set(r, t, (int)ev->raw[0], &f, d->cloexec);
}

static void closed_range(struct shk_recorded *r, const struct shk_event *ev, struct shk_rec_task *t)
{
	uint32_t first = (uint32_t)ev->raw[0], last = (uint32_t)ev->raw[1];
	struct shk_map_slot *s;
	size_t pos = 0;

	if (ev->raw[2] & CLOSE_RANGE_UNSHARE)
		shk_rec_files_copy(r, t, t);
	if (!(ev->raw[2] & CLOSE_RANGE_CLOEXEC)) {
		shk_rec_fd_close_range(r, t, first, last, false);
		return;
	}
	while (t->files && (s = shk_map_next(&t->files->by_num, &pos)))
		if (s->key.n >= first && s->key.n <= last)
			((struct shk_rec_fd *)s->value)->cloexec = true;
}

static void changed_fd(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;
	struct shk_rec_fd *d = shk_rec_fd_get(t, (int)ev->raw[0]);

	switch (ev->call->id) {
	case SHK_CALL_close:
		shk_rec_fd_close(r, t, (int)ev->raw[0]);
		break;
	case SHK_CALL_close_range:
		closed_range(r, ev, t);
		break;
	case SHK_CALL_listen:
		if (d)
			d->facts.listening = d->facts.server = true;
		break;
	case SHK_CALL_fcntl:
	case SHK_CALL_fcntl64:
		if (d && (int)ev->raw[1] == F_SETFD)
			d->cloexec = ev->raw[2] & FD_CLOEXEC;
		break;
	default:
		break;
	}
}

/* ---- ids ---- */

static bool known(uint64_t id)
{
	return (uint32_t)id != UINT32_MAX;
}

/* capabilities(7): what happens to a task that stops being root. */
static void lose_caps(struct shk_proc_creds *c, const struct shk_proc_creds *was)
{
	bool had = !was->ruid || !was->uid || !was->suid;

	if (had && c->ruid && c->uid && c->suid)
		c->permitted = c->effective = 0;
	else if (!was->uid && c->uid)
		c->effective = 0;
	else if (was->uid && !c->uid)
		c->effective = c->permitted;
}

static void set_ids(enum shk_call_id id, const uint64_t *a, bool root, uint32_t *r, uint32_t *e, uint32_t *s,
		    uint32_t *fs)
{
	switch (id) {
	case SHK_CALL_setuid:
	case SHK_CALL_setuid32:
	case SHK_CALL_setgid:
	case SHK_CALL_setgid32:
		if (root)
			*r = *s = (uint32_t)a[0];
		*e = (uint32_t)a[0];
		break;
	case SHK_CALL_setreuid:
	case SHK_CALL_setreuid32:
	case SHK_CALL_setregid:
	case SHK_CALL_setregid32:
		if (known(a[0]) || (known(a[1]) && (uint32_t)a[1] != *r))
			*s = known(a[1]) ? (uint32_t)a[1] : *e;
		*r = known(a[0]) ? (uint32_t)a[0] : *r;
		*e = known(a[1]) ? (uint32_t)a[1] : *e;
		break;
	case SHK_CALL_setresuid:
	case SHK_CALL_setresuid32:
	case SHK_CALL_setresgid:
	case SHK_CALL_setresgid32:
		*r = known(a[0]) ? (uint32_t)a[0] : *r;
		*e = known(a[1]) ? (uint32_t)a[1] : *e;
		*s = known(a[2]) ? (uint32_t)a[2] : *s;
		break;
	default: /* setfsuid, setfsgid: their result does not tell whether they did it */
		return;
	}
	*fs = *e;
}

static bool is_gid_call(enum shk_call_id id)
{
	switch (id) {
	case SHK_CALL_setgid:
	case SHK_CALL_setgid32:
	case SHK_CALL_setregid:
	case SHK_CALL_setregid32:
	case SHK_CALL_setresgid:
	case SHK_CALL_setresgid32:
		return true;
	default:
		return false;
	}
}

static void changed_ids(const struct shk_event *ev, struct shk_proc *p)
{
	struct shk_proc_creds *c = &p->creds, was = p->creds;
	bool root = !(c->known & SHK_CREDS_UIDS) || !c->uid;

	if (is_gid_call(ev->call->id)) {
		if (c->known & SHK_CREDS_GIDS)
			set_ids(ev->call->id, ev->raw, root, &c->rgid, &c->gid, &c->sgid, &c->fsgid);
		return;
	}
	if (!(c->known & SHK_CREDS_UIDS))
		return;
	set_ids(ev->call->id, ev->raw, root, &c->ruid, &c->uid, &c->suid, &c->fsuid);
	lose_caps(c, &was);
}

static void new_session(struct shk_proc *p)
{
	p->sid = p->pgid = p->tgid;
	p->vsid = p->vpgid = p->vpid;
	p->tty = 0;
	p->has_tty = true;
	shk_rec_know(p, SHK_FACT_STAT, true);
}

static void new_group(struct shk_recorded *r, const struct shk_event *ev, struct shk_proc *p)
{
	pid_t pid = (pid_t)ev->raw[0], pgid = (pid_t)ev->raw[1];

	/* Numbers of another pid namespace than ours say nothing here. */
	if (p->vtid && p->vtid != p->tid) {
		if (!pid || pid == p->vpid)
			p->pgid = p->vpgid = 0;
		return;
	}
	if (pid && pid != p->tgid)
		p = shk_recorded_task(r, pid);
	if (!p)
		return;
	p->pgid = pgid ? pgid : p->tgid;
	if (p->vpgid)
		p->vpgid = p->pgid;
	shk_rec_know(p, SHK_FACT_STAT, true);
}

/* ---- all of it ---- */

static void apply(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;

	switch (ev->call->id) {
	case SHK_CALL_execve:
	case SHK_CALL_execveat:
		executed(r, ctx, t);
		break;
	case SHK_CALL_fork:
	case SHK_CALL_vfork:
	case SHK_CALL_clone:
	case SHK_CALL_clone3:
		forked(r, ctx, t);
		break;
	case SHK_CALL_chdir:
	case SHK_CALL_fchdir:
	case SHK_CALL_chroot:
		change_dir(r, ctx, t);
		break;
	case SHK_CALL_connect:
	case SHK_CALL_bind:
		socket_ends(ctx, r, t);
		break;
	case SHK_CALL_prctl:
		renamed(ctx, t);
		break;
	case SHK_CALL_setsid:
		new_session(&t->p);
		break;
	case SHK_CALL_setpgid:
		new_group(r, ev, &t->p);
		break;
	case SHK_CALL_unshare:
		if (ev->raw[0] & CLONE_FILES)
			shk_rec_files_copy(r, t, t);
		break;
	case SHK_CALL_capset:
		/* The sets are in memory no argument shows. */
		t->p.creds.known &= (uint8_t)~(SHK_CREDS_EFFECTIVE | SHK_CREDS_PERMITTED |
					       SHK_CREDS_INHERITABLE);
		break;
	case SHK_CALL_setuid:
	case SHK_CALL_setgid:
	case SHK_CALL_setreuid:
	case SHK_CALL_setregid:
	case SHK_CALL_setresuid:
	case SHK_CALL_setresgid:
	case SHK_CALL_setuid32:
	case SHK_CALL_setgid32:
	case SHK_CALL_setreuid32:
	case SHK_CALL_setregid32:
	case SHK_CALL_setresuid32:
	case SHK_CALL_setresgid32:
		changed_ids(ev, &t->p);
		break;
	default:
		changed_fd(r, ctx, t);
		break;
	}
}

void shk_recorded_apply(struct shk_recorded *r, struct shk_eval_ctx *ctx)
{
	struct shk_event *ev = ctx->ev;
	struct shk_rec_task *t = task_of(r, ev);

	if (!t || !ev->call)
		return;
	/* It was about this call. */
	if (shk_event_is_exec(ev) && !succeeded(ev))
		shk_rec_program_drop(t);
	if (ev->attempt)
		return;
	/* These never return. */
	if (ev->call->id == SHK_CALL_exit || ev->call->id == SHK_CALL_exit_group)
		ended(r, t, ev->call->id == SHK_CALL_exit_group);
	else if (succeeded(ev))
		apply(r, ctx, t);
	else if (ev->has_ret && ev->ret == -EINPROGRESS && ev->call->id == SHK_CALL_connect)
		socket_ends(ctx, r, t);
}
