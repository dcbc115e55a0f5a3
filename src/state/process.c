// SPDX-License-Identifier: Apache-2.0
/*
 * process.c - the accessors of process.h.
 */
#include "state/process.h"

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "state/process_impl.h"
#include "state/recorded_impl.h"

/* A clock that differs by less was read a little later, not set. Start times have 10 ms anyway. */
#define CLOCK_SLACK_NS 50000000u

static struct shk_proc *find_task(struct shk_eval_ctx *ctx)
{
	struct shk_container *c = ctx->ctr;
	struct shk_procs *s;
	struct shk_proc *p;
	bool first;

	if (ctx->recorded)
		return shk_recorded_task(ctx->recorded, ctx->ev->tid);
	if (!c)
		return shk_proc_in_arena(ctx->ev->arena, ctx->ev->tid);
	s = shk_procs_of(c);
	if (!s)
		return NULL;
	s->decision++;
	p = shk_procs_get(c, ctx->ev->tid);
	if (!p)
		return NULL;
	first = p->made == s->decision;
	p->inside = true;
	shk_proc_settle(p);
	/* Ancestors may be gone by the time a rule asks (THREATS A11: membership is sticky). */
	if (first && s->n_marks)
		shk_proc_is_exec_session(p);
	return p;
}

struct shk_proc *shk_proc_find(struct shk_eval_ctx *ctx)
{
	bool program = shk_event_starts_program(ctx->ev);

	if (!ctx->proc_tried) {
		ctx->proc_tried = true;
		ctx->program = false;
		ctx->proc = find_task(ctx);
	}
	if (!ctx->proc)
		return NULL;
	if (program && !ctx->program) {
		struct shk_proc *o = shk_exec_overlay(ctx, ctx->proc);

		if (o) {
			ctx->proc = o;
			ctx->program = true;
		}
	}
	return program || !ctx->program ? ctx->proc : ctx->proc->base;
}

struct shk_proc *shk_proc_task_of(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p && p->base ? p->base : p;
}

/* Facts of the task itself, which a program to come inherits. */
static struct shk_proc *task(struct shk_proc *p)
{
	return p->base ? p->base : p;
}

pid_t shk_proc_tid(const struct shk_proc *p)
{
	return p->tid;
}

bool shk_proc_is_new(const struct shk_proc *p)
{
	return !p || !p->c || p->made == p->c->proc_state->decision;
}

int shk_proc_pidfd(const struct shk_proc *p)
{
	return p && !p->dead && !p->base ? p->pidfd : -1;
}

/* Constant as long as the record: read once. */
static bool need_ids(struct shk_proc *p)
{
	return task(p)->tgid || shk_proc_need(task(p), SHK_FACT_STATUS);
}

pid_t shk_proc_pid(struct shk_proc *p)
{
	if (task(p)->leader && !task(p)->dead)
		return task(p)->tid;
	return need_ids(p) ? task(p)->tgid : 0;
}

pid_t shk_proc_vtid(struct shk_proc *p)
{
	return need_ids(p) ? task(p)->vtid : 0;
}

pid_t shk_proc_vpid(struct shk_proc *p)
{
	return need_ids(p) ? task(p)->vpid : 0;
}

pid_t shk_proc_pgid(struct shk_proc *p)
{
	return shk_proc_need(task(p), SHK_FACT_STAT) ? task(p)->pgid : 0;
}

pid_t shk_proc_sid(struct shk_proc *p)
{
	return shk_proc_need(task(p), SHK_FACT_STAT) ? task(p)->sid : 0;
}

/* setpgid and setsid are not among the calls that keep status: read anew in each decision. */
bool shk_proc_fresh_status(struct shk_proc *p)
{
	struct shk_proc *t = task(p);
	uint64_t now;

	if (t->rec)
		return shk_proc_need(t, SHK_FACT_STATUS);
	now = t->arena ? 1 : t->c->proc_state->decision;

	if (t->read_at[SHK_FACT_STATUS] != now)
		shk_proc_drop(t, SHK_FACT_STATUS);
	return shk_proc_need(t, SHK_FACT_STATUS);
}

pid_t shk_proc_vpgid(struct shk_proc *p)
{
	return shk_proc_fresh_status(p) ? task(p)->vpgid : 0;
}

pid_t shk_proc_vsid(struct shk_proc *p)
{
	return shk_proc_fresh_status(p) ? task(p)->vsid : 0;
}

uint32_t shk_proc_nthreads(struct shk_proc *p)
{
	return shk_proc_fresh_status(p) ? task(p)->nthreads : 0;
}

const struct shk_proc_creds *shk_proc_creds(struct shk_proc *p)
{
	return shk_proc_need(task(p), SHK_FACT_STATUS) ? &task(p)->creds : NULL;
}

bool shk_proc_tty(struct shk_proc *p, uint32_t *ret)
{
	if (!shk_proc_need(task(p), SHK_FACT_STAT) || (p->rec && !task(p)->has_tty))
		return false;
	*ret = task(p)->tty;
	return true;
}

bool shk_proc_loginuid(struct shk_proc *p, uint32_t *ret)
{
	if (!shk_proc_need(task(p), SHK_FACT_LOGINUID))
		return false;
	*ret = task(p)->loginuid;
	return true;
}

struct shk_str shk_proc_comm(struct shk_proc *p)
{
	if (!shk_proc_need(p, SHK_FACT_COMM))
		return (struct shk_str){ NULL, 0 };
	return (struct shk_str){ p->comm, p->comm_n };
}

const struct shk_strvec *shk_proc_argv(struct shk_proc *p)
{
	return shk_proc_need(p, SHK_FACT_ARGV) ? &p->argv.vec : NULL;
}

const struct shk_strvec *shk_proc_env(struct shk_proc *p)
{
	return shk_proc_need(p, SHK_FACT_ENV) ? &p->env.vec : NULL;
}

struct shk_str shk_proc_getenv(struct shk_proc *p, struct shk_str name)
{
	const struct shk_strvec *env = shk_proc_env(p);

	for (size_t i = 0; env && i < env->n; i++) {
		struct shk_str v = env->v[i];

		if (v.n > name.n && v.p[name.n] == '=' && shk_str_starts(v, name))
			return (struct shk_str){ v.p + name.n + 1, v.n - name.n - 1 };
	}
	return (struct shk_str){ NULL, 0 };
}

struct shk_str shk_proc_exepath(struct shk_proc *p)
{
	return shk_proc_need(p, SHK_FACT_EXEPATH) ? p->exepath : (struct shk_str){ NULL, 0 };
}

/* Mode bits alone; capabilities that override them make everything writable and would say nothing. */
static bool may_write(const struct shk_proc_exe *e, const struct shk_proc_creds *c)
{
	if (!c)
		return e->mode & 0022;
	if (e->uid == c->fsuid)
		return e->mode & 0200;
	return e->mode & (e->gid == c->fsgid ? 0020 : 0002);
}

const struct shk_proc_exe *shk_proc_exe(struct shk_proc *p)
{
	if (!shk_proc_need(p, SHK_FACT_EXE))
		return NULL;
	if (!p->rec)
		p->exe.writable = may_write(&p->exe, shk_proc_creds(p));
	return &p->exe;
}

struct shk_str shk_proc_cwd(struct shk_proc *p)
{
	return shk_proc_need(task(p), SHK_FACT_CWD) ? task(p)->cwd : (struct shk_str){ NULL, 0 };
}

/* When the machine was started. Two readings of two clocks are never the same: a process has one start time, until a
 * clock was set. */
static uint64_t booted_ns(void)
{
	static _Atomic uint64_t last;
	struct timespec real, boot;
	uint64_t now, was = atomic_load(&last);

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	now = (uint64_t)(real.tv_sec - boot.tv_sec) * 1000000000u + (uint64_t)real.tv_nsec -
	      (uint64_t)boot.tv_nsec;
	if (was && now - was + CLOCK_SLACK_NS < 2 * CLOCK_SLACK_NS)
		return was;
	atomic_store(&last, now);
	return now;
}

bool shk_proc_start(struct shk_proc *p, uint64_t *ret_ns)
{
	p = task(p);
	if (p->rec) {
		*ret_ns = p->start_ns;
		return p->start_ns != 0;
	}
	if (!p->start && !shk_proc_need(p, SHK_FACT_STAT))
		return false;
	*ret_ns = booted_ns() + p->start * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

bool shk_proc_root_mount(struct shk_proc *p, dev_t *ret_dev, ino_t *ret_ino, uint64_t *ret_mnt)
{
	p = task(p);
	if (!shk_proc_need(p, SHK_FACT_ROOT_ID))
		return false;
	*ret_dev = p->root_dev;
	*ret_ino = p->root_ino;
	*ret_mnt = p->root_mnt;
	return true;
}

bool shk_proc_root_id(struct shk_proc *p, dev_t *ret_dev, ino_t *ret_ino)
{
	uint64_t mnt;

	return shk_proc_root_mount(p, ret_dev, ret_ino, &mnt);
}

const struct shk_proc_rights *shk_proc_rights(struct shk_proc *p)
{
	return shk_proc_need(task(p), SHK_FACT_RIGHTS) ? &task(p)->rights : NULL;
}

ino_t shk_proc_ns(struct shk_proc *p, enum shk_ns which)
{
	p = task(p);
	return (unsigned)which < SHK_NS_N && shk_proc_need(p, SHK_FACT_NS + which) ? p->ns[which] : 0;
}
