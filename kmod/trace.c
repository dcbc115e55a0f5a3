// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace.c - tracepoints: tasks made, programs run, tasks ended; ends of calls, only while somebody
 * wants them. Tracepoints are found by name, since their symbols are not for modules.
 */
#include <linux/binfmts.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include "shrike.h"

static void forked(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct shrike_fork f = { child->pid, child->tgid, shk_own_nr(task_pid(child)),
				 shk_own_nr(task_tgid(child)) };
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_of(parent);
	if (!c)
		c = shk_scope_of(child);
	if (c && shk_wanted(c, SHRIKE_FORK))
		shk_ring_write(c, SHRIKE_FORK, 0, &f, sizeof(f), NULL, 0);
	preempt_enable_notrace();
}

static void executed(void *data, struct task_struct *t, pid_t old, struct linux_binprm *bprm)
{
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_of(t);
	/* Another thread than the leader has the leader's number by now, and none of its leases. */
	if (c && c->leases && !shk_lease_end(old == t->pid ? c : NULL))
		shk_record_lease(c, SHRIKE_KIND_EXEC, true, &bprm->file->f_path);
	if (c && shk_wanted(c, SHRIKE_EXEC))
		shk_record_exec(c, bprm->file);
	preempt_enable_notrace();
}

static void ended(void *data, struct task_struct *t)
{
	bool last = !atomic_read(&t->signal->live);
	struct shrike_exit e = { .status = t->exit_code };
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_of(t);
	if (c && c->leases)
		shk_lease_end(NULL);
	if (c && shk_wanted(c, SHRIKE_EXIT))
		shk_ring_write(c, SHRIKE_EXIT, last ? SHRIKE_F_GROUP : 0, &e, sizeof(e), NULL, 0);
	/* The first of the container's namespace, without which there is none? */
	if (c && c->pid && last && is_child_reaper(task_tgid(t)) &&
	    ns_of_pid(task_tgid(t)) == ns_of_pid(c->pid))
		shk_main_gone(c);
	preempt_enable_notrace();
}

static noinline void came_back(struct shk_container *c, struct pt_regs *regs, long ret)
{
	struct shrike_call call = { .ret = ret };
	int nr = shk_call_nr();

	if (!shk_wanted(c, SHRIKE_SYSCALL) || nr < 0 || nr >= SHRIKE_BITMAP_BYTES * 8 ||
	    !test_bit(nr, c->calls[shk_compat_call()]))
		return;
	syscall_get_arguments(current, regs, (unsigned long *)call.args);
	shk_ring_write(c, SHRIKE_SYSCALL, 0, &call, sizeof(call), NULL, 0);
}

/* Of everybody on this machine, too. From 6.13 on preemption is on here. */
static void returned(void *data, struct pt_regs *regs, long ret)
{
	struct shk_container *c;

	preempt_disable_notrace();
	c = shk_scope_of(current);
	if (unlikely(c))
		came_back(c, regs, ret);
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

int shk_trace_set(bool tasks, bool calls)
{
	struct shk_point *p;
	int err = 0;

	for (p = points; p < points + ARRAY_SIZE(points); p++) {
		bool on = p->probe == returned ? calls : tasks;

		if (!on && p->on)
			tracepoint_probe_unregister(p->tp, p->probe, NULL);
		else if (on && !p->on && !err)
			err = tracepoint_probe_register(p->tp, p->probe, NULL);
		p->on = on && (p->on || !err);
	}
	return err;
}
