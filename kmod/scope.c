// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope.c - whose a task is. Two small tables, by (cgroup, level) and by (pid namespace, level): a task is looked up once for each
 * level in use that it has, whatever the number of containers. A task never leaves its pid namespace.
 */
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "shrike.h"

#define TABLE_BITS 8

DEFINE_MUTEX(shk_mutex);
LIST_HEAD(shk_containers);

static struct hlist_head by_cgroup[1 << TABLE_BITS], by_ns[1 << TABLE_BITS];
/* Bit n: something is watched at level n. Level 0 is everybody. */
static u64 cgroup_levels, ns_levels;
static unsigned int n_containers;
int shk_cgroup_level_min = S32_MAX, shk_ns_level_min = S32_MAX;
unsigned long shk_cgroup_bits[SHK_CGROUP_BITS / BITS_PER_LONG];

static struct hlist_head *bucket(struct hlist_head *table, u64 key)
{
	return &table[hash_64(key, TABLE_BITS)];
}

static __always_inline struct shk_container *find_cgroup(u64 key, int level)
{
	struct shk_container *c;

	hlist_for_each_entry_rcu_notrace(c, bucket(by_cgroup, key), by_cgroup)
		if (c->cgroup->level == level && shk_cgroup_key(c->cgroup, level) == key)
			return c;
	return NULL;
}

static __always_inline struct shk_container *find_ns(struct pid_namespace *ns)
{
	struct shk_container *c;

	hlist_for_each_entry_rcu_notrace(c, bucket(by_ns, (unsigned long)ns), by_ns)
		if (c->ns == ns)
			return c;
	return NULL;
}

struct shk_container *shk_scope_find(struct task_struct *t)
{
	struct shk_container *c;
	struct cgroup *cgroup;
	struct pid *pid;
	u64 levels;
	int level;

	levels = READ_ONCE(cgroup_levels);
	if (levels) {
		cgroup = rcu_dereference_raw(t->cgroups)->dfl_cgrp;
		for (; levels; levels &= levels - 1) {
			level = __ffs64(levels);
			if (level > cgroup->level)
				break;
			c = find_cgroup(shk_cgroup_key(cgroup, level), level);
			if (c)
				return c;
		}
	}
	levels = READ_ONCE(ns_levels);
	pid = levels ? task_pid(t) : NULL;
	if (!pid)
		return NULL;
	for (; levels; levels &= levels - 1) {
		level = __ffs64(levels);
		if (level > pid->level)
			break;
		c = find_ns(pid->numbers[level].ns);
		if (c)
			return c;
	}
	return NULL;
}

struct shk_container *shk_scope_by_index(u32 index)
{
	struct shk_container *c;

	list_for_each_entry(c, &shk_containers, all)
		if (c->index == index)
			return c;
	return NULL;
}

bool shk_scope_calls_wanted(void)
{
	struct shk_container *c;

	list_for_each_entry(c, &shk_containers, all)
		if ((c->classes & BIT_ULL(SHRIKE_SYSCALL)) &&
		    (!bitmap_empty(c->native, SHRIKE_BITMAP_BYTES * 8) ||
		     !bitmap_empty(c->compat, SHRIKE_BITMAP_BYTES * 8)))
			return true;
	return false;
}

/* One word after the other: who is watched already has the bit before and after. */
static void set_bits(const unsigned long *bits)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(shk_cgroup_bits); i++)
		WRITE_ONCE(shk_cgroup_bits[i], bits[i]);
}

/*
 * Those who are on their way with a lowest level must find bits that fit it: all are set while it changes. With several levels they stay
 * set, since a task that is under none of the lowest may be under another.
 */
static void count_levels(void)
{
	DECLARE_BITMAP(bits, SHK_CGROUP_BITS);
	struct shk_container *c;
	u64 cgroups = 0, spaces = 0;
	int min;

	list_for_each_entry(c, &shk_containers, all) {
		if (c->cgroup)
			cgroups |= BIT_ULL(c->cgroup->level);
		if (c->ns)
			spaces |= BIT_ULL(c->ns->level);
	}
	min = cgroups ? __ffs64(cgroups) : S32_MAX;
	WRITE_ONCE(cgroup_levels, cgroups);
	WRITE_ONCE(ns_levels, spaces);
	WRITE_ONCE(shk_ns_level_min, spaces ? __ffs64(spaces) : S32_MAX);
	bitmap_fill(bits, SHK_CGROUP_BITS);
	if (shk_cgroup_level_min != min) {
		set_bits(bits);
		synchronize_rcu();
		WRITE_ONCE(shk_cgroup_level_min, min);
		synchronize_rcu();
	}
	if (!(cgroups & (cgroups - 1))) {
		bitmap_zero(bits, SHK_CGROUP_BITS);
		list_for_each_entry(c, &shk_containers, all)
			if (c->cgroup)
				__set_bit(shk_cgroup_bit(c->cgroup, min), bits);
	}
	set_bits(bits);
}

static int take_cgroup(struct shk_container *c, int fd)
{
	struct cgroup *cgroup = cgroup_get_from_fd(fd);
	int err = 0;

	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	if (cgroup->root != &cgrp_dfl_root)
		err = -EOPNOTSUPP;
	else if (cgroup->level < 1 || cgroup->level > 63)
		err = -EINVAL;
	else if (find_cgroup(shk_cgroup_key(cgroup, cgroup->level), cgroup->level))
		err = -EEXIST;
	if (err)
		cgroup_put(cgroup);
	else
		c->cgroup = cgroup;
	return err;
}

/* The namespace lives as long as a pid in it is held. */
static int take_ns(struct shk_container *c, int nr)
{
	struct pid *pid = find_get_pid(nr);
	struct pid_namespace *ns = NULL;
	int err = -ESRCH;

	if (!pid)
		return -ESRCH;
	rcu_read_lock();
	if (pid_task(pid, PIDTYPE_PID))
		ns = pid->numbers[pid->level].ns;
	rcu_read_unlock();
	if (ns)
		err = ns->level < 1 ? -EINVAL : find_ns(ns) ? -EEXIST : 0;
	if (err) {
		put_pid(pid);
		return err;
	}
	c->init_pid = pid;
	c->ns = ns;
	return 0;
}

static void let_go(struct shk_container *c)
{
	if (c->cgroup)
		cgroup_put(c->cgroup);
	put_pid(c->init_pid);
}

/* Takes a container that control.c has filled in; -1: not given. */
int shk_scope_add(struct shk_container *c, int cgroup_fd, int pid)
{
	int err = 0;

	if (n_containers >= SHRIKE_CONTAINERS_MAX)
		return -ENOSPC;
	if (shk_scope_by_index(c->index))
		return -EEXIST;
	if (cgroup_fd >= 0)
		err = take_cgroup(c, cgroup_fd);
	if (!err && pid >= 0)
		err = take_ns(c, pid);
	if (err) {
		let_go(c);
		return err;
	}
	list_add_tail(&c->all, &shk_containers);
	n_containers++;
	if (c->cgroup)
		hlist_add_head_rcu(&c->by_cgroup,
				   bucket(by_cgroup, shk_cgroup_key(c->cgroup, c->cgroup->level)));
	if (c->ns)
		hlist_add_head_rcu(&c->by_ns, bucket(by_ns, (unsigned long)c->ns));
	count_levels();
	return 0;
}

void shk_scope_remove(struct shk_container *c)
{
	list_del(&c->all);
	n_containers--;
	if (c->cgroup)
		hlist_del_rcu(&c->by_cgroup);
	if (c->ns)
		hlist_del_rcu(&c->by_ns);
	count_levels();
	synchronize_rcu();
	shk_lease_forget(c);
	let_go(c);
	kfree(c);
}
