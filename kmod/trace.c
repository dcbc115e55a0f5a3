// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c - tracepoints: tasks made, programs run, tasks ended; ends of calls, only while somebody wants them. Tracepoints are found by
 * name, since their symbols are not for modules.
 */
#include <linux/binfmts.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <asm/syscall.h>
#include "shrike.h"

static void forked(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct shk_container *c;
	struct shrike_record *rec;
	struct shrike_fork *f;
	struct pid *pid, *group;

	preempt_disable_notrace();
	c = shk_scope_find(parent);
	if (!c)
		c = shk_scope_find(child);
	if (!c || !(c->classes & BIT_ULL(SHRIKE_FORK)))
		goto out;
	rec = shk_ring_begin(c, SHRIKE_FORK, sizeof(*f));
	if (!rec)
		goto out;
	pid = task_pid(child);
	group = task_tgid(child);
	f = (void *)(rec + 1);
	f->tid = child->pid;
	f->tgid = child->tgid;
	f->vtid = pid->numbers[pid->level].nr;
	f->vtgid = group->numbers[group->level].nr;
	shk_ring_end(rec);
out:
	preempt_enable_notrace();
}

static void executed(void *data, struct task_struct *t, pid_t old, struct linux_binprm *bprm)
{
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_find(t);
	if (c && c->leases && !shk_lease_ran(c))
		shk_record_lease(c, SHRIKE_KIND_EXEC, true, &bprm->file->f_path);
	if (c && (c->classes & BIT_ULL(SHRIKE_EXEC)))
		shk_record_exec(c, bprm->file);
	preempt_enable_notrace();
}

static void ended(void *data, struct task_struct *t)
{
	struct shk_container *c;
	struct shrike_record *rec;
	struct shrike_exit *e;
	struct pid *group;
	bool last = !atomic_read(&t->signal->live);

	preempt_disable_notrace();
	c = shk_scope_find(t);
	if (!c)
		goto out;
	if (c->leases)
		shk_lease_end();
	if (c->classes & BIT_ULL(SHRIKE_EXIT)) {
		rec = shk_ring_begin(c, SHRIKE_EXIT, sizeof(*e));
		if (rec) {
			if (last)
				rec->flags |= SHRIKE_F_GROUP;
			e = (void *)(rec + 1);
			e->status = t->exit_code;
			e->pad = 0;
			shk_ring_end(rec);
		}
	}
	group = task_tgid(t);
	if (last && c->ns && group->level >= c->ns->level && group->numbers[c->ns->level].ns == c->ns &&
	    group->numbers[c->ns->level].nr == 1)
		shk_events_gone(c);
out:
	preempt_enable_notrace();
}

static void returned(void *data, struct pt_regs *regs, long ret)
{
	bool compat;
	struct shk_container *c;
	struct shrike_record *rec;
	struct shrike_call *call;
	unsigned long args[6];
	unsigned int i;
	int nr;

	preempt_disable_notrace();
	c = shk_scope_maybe(current) ? shk_scope_find(current) : NULL;
	if (likely(!c) || !(c->classes & BIT_ULL(SHRIKE_SYSCALL)))
		goto out;
	compat = shk_compat_call();
	nr = shk_call_nr();
	if (nr < 0 || nr >= SHRIKE_BITMAP_BYTES * 8 || !test_bit(nr, compat ? c->compat : c->native))
		goto out;
	rec = shk_ring_begin(c, SHRIKE_SYSCALL, sizeof(*call));
	if (!rec)
		goto out;
	call = (void *)(rec + 1);
	call->ret = ret;
	syscall_get_arguments(current, regs, args);
	for (i = 0; i < 6; i++)
		call->args[i] = args[i];
	shk_ring_end(rec);
out:
	preempt_enable_notrace();
}

static struct shk_point {
	const char *name;
	void *probe;
	struct tracepoint *tp;
	bool on;
} points[] = {
	{ "sched_process_fork", forked },
	{ "sched_process_exec", executed },
	{ "sched_process_exit", ended },
	{ "sys_exit", returned },
};
#define TASK_POINTS (ARRAY_SIZE(points) - 1)
#define CALLS (ARRAY_SIZE(points) - 1)

static void look(struct tracepoint *tp, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!strcmp(tp->name, points[i].name))
			points[i].tp = tp;
}

int shk_trace_init(void)
{
	unsigned int i;

	for_each_kernel_tracepoint(look, NULL);
	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!points[i].tp) {
			pr_err("shrike: this kernel has no tracepoint %s\n", points[i].name);
			return -ENODEV;
		}
	return 0;
}

static int set(struct shk_point *p, bool on)
{
	int err;

	if (p->on == on)
		return 0;
	err = on ? tracepoint_probe_register(p->tp, p->probe, NULL) : tracepoint_probe_unregister(p->tp, p->probe, NULL);
	if (!err)
		p->on = on;
	return err;
}

int shk_trace_attach(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < TASK_POINTS && !err; i++)
		err = set(&points[i], true);
	return err;
}

int shk_trace_calls(bool on)
{
	return set(&points[CALLS], on);
}

void shk_trace_detach(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		set(&points[i], false);
	tracepoint_synchronize_unregister();
}
