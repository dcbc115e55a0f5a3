/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shrike.h - what the parts know of each other: scope.c says whose a task is, hooks.c and trace.c
 * are where the kernel calls us, record.c puts what they saw into words, ring.c keeps it for the
 * reader, lease.c compares what the kernel is about to do with what was judged, control.c is told
 * by netlink what to do, main.c does what takes long.
 *
 * What runs in the kernel's own paths ("hot") runs with preemption off, takes no lock but that of
 * leases, and allocates nothing. Preemption off is also what keeps containers alive there: they are
 * freed after an RCU grace period.
 */
#ifndef SHRIKE_H
#define SHRIKE_H

#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/pid_namespace.h>
#include <shrike/uapi.h>
#include "compat.h"

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
	/* Calls by number: of the native table, of the 32-bit one */
	unsigned long calls[2][SHRIKE_BITMAP_BYTES / sizeof(long)];
	struct cgroup *cgroup;	/* held; NULL: not by cgroup */
	struct pid *pid;	/* held, and so is its namespace; NULL: not by namespace */
	struct shk_key by_cgroup, by_ns;
	unsigned long gone;	/* when the namespace's init ended, jiffies; 0: not yet */
	struct list_head all;
	atomic64_t recorded[SHRIKE_TYPES], lost[SHRIKE_TYPES];
};

extern struct mutex shk_mutex;	/* control path: containers, what is attached */
extern struct list_head shk_containers;

/* scope.c */
#define SHK_UNWATCHED 1024
extern u64 shk_unwatched[SHK_UNWATCHED];
extern int shk_ns_level_min;
struct shk_container *shk_scope_find(struct task_struct *t);
/* Hot. true: it is known not to be watched. */
static __always_inline bool shk_scope_none(struct task_struct *t)
{
	u64 id = cgroup_id(rcu_dereference_raw(t->cgroups)->dfl_cgrp);
	int min = READ_ONCE(shk_ns_level_min);

	return likely(READ_ONCE(shk_unwatched[id % SHK_UNWATCHED]) == id) &&
	       (likely(min == S32_MAX) || !task_pid(t) || (int)task_pid(t)->level < min);
}

/* Hot; NULL: not watched. */
static __always_inline struct shk_container *shk_scope_of(struct task_struct *t)
{
	return shk_scope_none(t) ? NULL : shk_scope_find(t);
}
/* shk_mutex */
struct shk_container *shk_scope_by_index(u32 index);
int shk_scope_add(struct shk_container *c, const struct nlattr *fd, const struct nlattr *pid);
void shk_scope_free(struct shk_container *c);	/* that was not added */
void shk_scope_remove(struct shk_container *c);
bool shk_scope_calls_wanted(struct shk_container *too);

/* hooks.c, trace.c: shk_mutex, or main.c while it takes them off */
int shk_hooks_attach(void);
void shk_hooks_detach(void);
void shk_hooks_exit(void);
u64 shk_hooks_classes(void);	/* those that can be had here */
bool shk_hooks_can_refuse(void);
int shk_trace_init(void);
int shk_trace_set(bool tasks, bool calls);

/* ring.c */
extern u32 shk_ring_size;
int shk_ring_init(void);
int shk_ring_show(void);	/* the device is there */
void shk_ring_exit(void);
/* Hot. A record with room for len bytes after the header, which is filled in; NULL: lost. */
struct shrike_record *shk_ring_begin(struct shk_container *c, unsigned int type, size_t len);
void shk_ring_end(struct shrike_record *r);
/* Hot. All at once: what comes after the header is body, then n bytes of data. */
static __always_inline void shk_ring_write(struct shk_container *c, unsigned int type, u16 flags,
					   const void *body, size_t size, const void *data,
					   size_t n)
{
	struct shrike_record *rec = shk_ring_begin(c, type, size + n);

	if (!rec)
		return;
	rec->flags |= flags;
	memcpy(rec + 1, body, size);
	memcpy((u8 *)(rec + 1) + size, data, n);
	shk_ring_end(rec);
}
/* Hot. Two paths' worth of scratch, of this processor. */
extern char __percpu *shk_scratch;
static inline char *shk_ring_scratch(unsigned int which)
{
	return this_cpu_ptr(shk_scratch) + which * SHRIKE_PATH_MAX;
}

/* record.c: hot */
static __always_inline bool shk_wanted(const struct shk_container *c, unsigned int type)
{
	return c->classes & BIT_ULL(type);
}

/* A number in its own namespace; one reaped by an exec of its group has none any more. */
static inline u32 shk_own_nr(const struct pid *pid)
{
	return pid ? pid->numbers[pid->level].nr : 0;
}

/* a[]: the hooked function's arguments */
typedef void shk_record_fn(struct shk_container *c, unsigned int type, const unsigned long *a);
shk_record_fn shk_record_file, shk_record_path, shk_record_setattr, shk_record_socket,
	      shk_record_sock, shk_record_value;
void shk_record_exec(struct shk_container *c, struct file *file);
void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *p);

/* Kinds of leases that need no right to refuse */
#define LEASES_KILL (SHRIKE_REQUIRE_EXEC | SHRIKE_HOLD_EXEC)

/* lease.c: hot ones return whether the call may go on */
typedef bool shk_lease_fn(struct shk_container *c, unsigned int kind, const unsigned long *a);
shk_lease_fn shk_lease_open, shk_lease_create, shk_lease_address, shk_lease_bprm;
/* Hot: the task ends (NULL), or has run a program here; false: of other arguments, it is killed. */
bool shk_lease_end(struct shk_container *ran);
int shk_lease_post(const void *shrike_lease); /* shk_mutex */
void shk_lease_drop(const struct shk_container *c, u64 before);	/* those that end until then */
extern struct delayed_work shk_lease_sweep;

/* control.c, main.c */
extern struct genl_family shk_family;
extern bool shk_detaching;	/* shk_mutex; probes are being taken off, and main.c's alone */
int shk_main_change(void);	/* shk_mutex; after a change of containers */
void shk_main_gone(struct shk_container *c);	/* hot */
void shk_main_lost(void);			/* hot */

#endif
