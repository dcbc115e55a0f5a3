/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shrike.h - what the parts of the module know of each other. scope.c says whose a task is, hooks.c and trace.c are where the
 * kernel calls us, record.c puts what they saw into words, ring.c keeps it for the reader, lease.c compares what the kernel is about to do
 * with what was judged, control.c is told by netlink what to do, events.c does what takes long.
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

/* By what a task's container is found: a cgroup, or a pid namespace, at a level. */
struct shk_key {
	struct hlist_node link;
	u64 key;
	unsigned int level;	/* 0: not used */
	struct shk_container *c;
};

/* A container: written under shk_mutex, read by hot code. */
struct shk_container {
	u32 index;
	u32 leases;		/* SHRIKE_REQUIRE_* */
	u32 n_leases;		/* guarded by their lock */
	u64 classes;
	unsigned long native[SHRIKE_BITMAP_BYTES / sizeof(long)];
	unsigned long compat[SHRIKE_BITMAP_BYTES / sizeof(long)];
	struct cgroup *cgroup;	/* held; NULL: not by cgroup */
	struct pid_namespace *ns; /* held by init_pid; NULL: not by namespace */
	struct pid *init_pid;
	struct shk_key by_cgroup, by_ns;
	bool gone;		/* the namespace's init has ended */
	struct list_head all;
	atomic64_t recorded[SHRIKE_TYPES], lost[SHRIKE_TYPES];
};

extern struct mutex shk_mutex;	/* control path: containers, what is attached */
extern struct list_head shk_containers;

/* scope.c */
/*
 * Cgroups, by an id that is never given to another, in which and above which nothing is watched, as far as tasks have been looked up: most
 * tasks of a host need no look-up. The lowest level of a pid namespace that is watched; S32_MAX: none.
 */
#define SHK_UNWATCHED 1024
extern u64 shk_unwatched[SHK_UNWATCHED];
extern int shk_ns_level_min;
struct shk_container *shk_scope_find(struct task_struct *t);
/* Hot; NULL: not watched. */
static __always_inline struct shk_container *shk_scope_of(struct task_struct *t)
{
	u64 id = cgroup_id(rcu_dereference_raw(t->cgroups)->dfl_cgrp);

	if (likely(READ_ONCE(shk_unwatched[id % SHK_UNWATCHED]) == id)) {
		int min = READ_ONCE(shk_ns_level_min);
		struct pid *pid;

		if (likely(min == S32_MAX))
			return NULL;
		pid = task_pid(t);
		if (!pid || (int)pid->level < min)
			return NULL;
	}
	return shk_scope_find(t);
}
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
/* Where a position is; how much a record there takes, with what it leaves unused before the end; is that free? */
static __always_inline u32 shk_ring_at(u64 head, u32 size)
{
	return head & (size - 1);
}
static __always_inline u32 shk_ring_need(u32 at, u32 len, u32 size)
{
	return size - at < len ? size - at + len : len;
}
static __always_inline bool shk_ring_fits(u64 in_use, u32 need, u32 size)
{
	return in_use <= size && size - in_use >= need;
}
extern u32 shk_ring_size;
int shk_ring_init(void);
void shk_ring_exit(void);
u64 shk_ring_lost(void);
/* Hot. Room for a record with len bytes after the header, which is filled in; NULL: lost, and counted. */
struct shrike_record *shk_ring_begin(struct shk_container *c, unsigned int type, size_t len);
void shk_ring_end(struct shrike_record *r);
/* Hot. All at once: body is what comes after the header. */
static __always_inline void shk_ring_write(struct shk_container *c, unsigned int type, u16 flags, const void *body, size_t size)
{
	struct shrike_record *rec = shk_ring_begin(c, type, size);

	if (!rec)
		return;
	rec->flags |= flags;
	memcpy(rec + 1, body, size);
	shk_ring_end(rec);
}
/* Two pages' worth of scratch for the text of paths, of this processor. */
char *shk_ring_scratch(unsigned int which);

static __always_inline bool shk_wanted(const struct shk_container *c, unsigned int type)
{
	return c->classes & BIT_ULL(type);
}

/* The number of a task or group in its own namespace; one that has been reaped by an exec of its group has none any more. */
static inline u32 shk_own_nr(const struct pid *pid)
{
	return pid ? pid->numbers[pid->level].nr : 0;
}

/* record.c: hot; a[]: the hooked function's arguments */
void shk_record_hook(struct shk_container *c, unsigned int type, const unsigned long *a);
void shk_record_exec(struct shk_container *c, struct file *file);
void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *path);

/* Kinds of leases that need no right to refuse */
#define LEASES_KILL (SHRIKE_REQUIRE_EXEC | SHRIKE_HOLD_EXEC)

/* lease.c: hot ones return whether the call may go on */
typedef bool shk_lease_fn(struct shk_container *c, unsigned int kind, const unsigned long *a);
shk_lease_fn shk_lease_open, shk_lease_create, shk_lease_address, shk_lease_bprm;
/* Hot: the task ends (NULL), or has run a program in this container; false: with arguments other than its lease's, it is killed. */
bool shk_lease_end(struct shk_container *ran);
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
void shk_events_stop(void);	/* these two in this order, when the module goes */
void shk_events_detach(void);

/* selftest_*.h: 0 if what is inside holds; before anybody can call us */
int shk_selftest_ring(void);
int shk_selftest_scope(void);
int shk_selftest_lease(void);

#endif
