/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shrike.h - what the parts of the module know of each other. scope.c says whose a task is, hooks.c and trace.c are where the
 * kernel calls us, record.c puts what they saw into words, ring.c keeps it for the reader, lease.c compares what the kernel is about to do
 * with what was judged, control.c is told by netlink what to do.
 *
 * What runs in the kernel's own paths ("hot") runs with preemption off, takes no lock but that of leases, and allocates nothing.
 * Preemption off is also what keeps containers alive there: they are freed after an RCU grace period.
 */
#ifndef SHRIKE_H
#define SHRIKE_H

#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <shrike/uapi.h>
#include "compat.h"

struct genl_family;
struct linux_binprm;
struct msghdr;
struct sockaddr;
struct socket;

/* A container: written under shk_mutex, read by hot code. */
struct shk_container {
	u32 index;
	u32 leases;		/* SHRIKE_REQUIRE_* */
	u64 classes;
	unsigned long native[SHRIKE_BITMAP_BYTES / sizeof(long)];
	unsigned long compat[SHRIKE_BITMAP_BYTES / sizeof(long)];
	struct cgroup *cgroup;	/* held; NULL: not by cgroup */
	struct pid_namespace *ns; /* held by init_pid; NULL: not by namespace */
	struct pid *init_pid;
	bool gone;		/* the namespace's init has ended */
	struct hlist_node by_cgroup, by_ns;
	struct list_head all;
	atomic64_t recorded[SHRIKE_TYPES], lost[SHRIKE_TYPES];
};

extern struct mutex shk_mutex;	/* control path: containers, what is attached */
extern struct list_head shk_containers;

/* scope.c */
/*
 * The lowest levels at which anything is watched; S32_MAX: none. Most tasks of a host are above them. Of the others most are in no
 * watched cgroup: a set of bits, one for each that is watched or has a watched one in it, at the lowest level, says so without a lookup.
 */
extern int shk_cgroup_level_min, shk_ns_level_min;
extern unsigned long shk_cgroup_bits[SHK_CGROUP_BITS / BITS_PER_LONG];
static __always_inline bool shk_scope_maybe(struct task_struct *t)
{
	struct cgroup *cgroup = rcu_dereference_raw(t->cgroups)->dfl_cgrp;
	int level = READ_ONCE(shk_cgroup_level_min);
	struct pid *pid;

	if (cgroup->level >= level && test_bit(shk_cgroup_bit(cgroup, level), shk_cgroup_bits))
		return true;
	if (likely(READ_ONCE(shk_ns_level_min) == S32_MAX))
		return false;
	pid = task_pid(t);
	return pid && (int)pid->level >= READ_ONCE(shk_ns_level_min);
}
struct shk_container *shk_scope_find(struct task_struct *t);	/* hot; NULL: not watched */
struct shk_container *shk_scope_by_index(u32 index);		/* shk_mutex */
int shk_scope_add(struct shk_container *c, int cgroup_fd, int pid);
void shk_scope_remove(struct shk_container *c);
bool shk_scope_calls_wanted(void);

/* hooks.c, trace.c: shk_mutex, or events.c while it takes them off */
int shk_hooks_attach(void);
void shk_hooks_detach(void);
void shk_hooks_exit(void);
u64 shk_hooks_classes(void);	/* those that can be had here */
bool shk_hooks_can_refuse(void);
int shk_trace_init(void);
int shk_trace_attach(void);
void shk_trace_detach(void);
int shk_trace_calls(bool on);

/* ring.c */
int shk_ring_init(void);
void shk_ring_exit(void);
unsigned int shk_ring_count(void);
u32 shk_ring_size(void);
u64 shk_ring_lost(void);
/* Hot. Room for a record with len bytes after the header, which is filled in; NULL: lost, and counted. */
struct shrike_record *shk_ring_begin(struct shk_container *c, unsigned int type, size_t len);
void shk_ring_end(struct shrike_record *r);
/* Two pages' worth of scratch for the text of paths, of this processor. */
char *shk_ring_scratch(unsigned int which);

/* record.c: hot; a[]: the hooked function's arguments */
typedef void shk_record_fn(struct shk_container *c, unsigned int type, const unsigned long *a);
shk_record_fn shk_record_file, shk_record_child, shk_record_child_mode, shk_record_link, shk_record_rename, shk_record_symlink,
	shk_record_path, shk_record_setattr, shk_record_mount, shk_record_move, shk_record_read_file, shk_record_value,
	shk_record_task, shk_record_socket_create, shk_record_address, shk_record_sendmsg;
void shk_record_exec(struct shk_container *c, struct file *file);
void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *path);

/* Kinds of leases that need no right to refuse */
#define LEASES_KILL (SHRIKE_REQUIRE_EXEC | SHRIKE_HOLD_EXEC)

/* lease.c: hot ones return whether the call may go on */
typedef bool shk_lease_fn(struct shk_container *c, const unsigned long *a);
shk_lease_fn shk_lease_open, shk_lease_create, shk_lease_connect, shk_lease_bind, shk_lease_bprm;
bool shk_lease_ran(struct shk_container *c);	/* hot: the task has run a program; false: with other arguments, it is killed */
void shk_lease_end(void);	/* hot: the task ends */
int shk_lease_post(struct shk_container *c, const struct shrike_lease *l);
void shk_lease_forget(struct shk_container *c);
void shk_lease_exit(void);	/* no lease is left */

/* control.c */
int shk_control_init(void);
void shk_control_exit(void);
extern struct genl_family shk_family;

/* events.c */
bool shk_events_busy(void);	/* shk_mutex; probes are being taken off */
void shk_events_change(void);	/* shk_mutex; after a change of containers */
void shk_events_gone(struct shk_container *c);	/* hot */
void shk_events_lost(void);			/* hot */
void shk_events_stop(void);	/* these three in this order, when the module goes */
void shk_events_detach(void);
void shk_events_exit(void);

#endif
