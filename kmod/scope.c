// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope.c - whose a task is. A small table, by cgroup and by pid namespace: a task is looked up once for each level in use that it has,
 * whatever the number of containers. A task never leaves its pid namespace.
 */
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include "shrike.h"

#define TABLE_BITS 9
#define LEVEL_MAX 63

DEFINE_MUTEX(shk_mutex);
LIST_HEAD(shk_containers);

static struct hlist_head table[1 << TABLE_BITS];
/* Bit n: something is watched at level n. Level 0 is everybody. */
static u64 cgroup_levels, ns_levels;
static unsigned int n_containers;
int shk_ns_level_min = S32_MAX;
u64 shk_unwatched[SHK_UNWATCHED];

/* Cgroups and namespaces are told apart by their addresses (5.10: cgroups have small numbers), and are of one level each. */
static __always_inline struct shk_container *find(u64 key)
{
	struct shk_key *k;

	hlist_for_each_entry_rcu_notrace(k, &table[hash_64(key, TABLE_BITS)], link)
		if (k->key == key)
			return k->c;
	return NULL;
}

/* Those of a set of levels that a task of this level has. */
static __always_inline u64 upto(u64 levels, int level)
{
	return levels & ((2ULL << min(level, LEVEL_MAX)) - 1);
}

struct shk_container *shk_scope_find(struct task_struct *t)
{
	struct cgroup *cgroup = rcu_dereference_raw(t->cgroups)->dfl_cgrp;
	struct shk_container *c;
	struct pid *pid;
	u64 levels;

	for (levels = upto(READ_ONCE(cgroup_levels), cgroup->level); levels; levels &= levels - 1) {
		c = find(shk_cgroup_key(cgroup, __ffs64(levels)));
		if (c)
			return c;
	}
	WRITE_ONCE(shk_unwatched[cgroup_id(cgroup) % SHK_UNWATCHED], cgroup_id(cgroup));
	levels = READ_ONCE(ns_levels);
	pid = levels ? task_pid(t) : NULL;
	if (!pid)
		return NULL;
	for (levels = upto(levels, pid->level); levels; levels &= levels - 1) {
		c = find((unsigned long)pid->numbers[__ffs64(levels)].ns);
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
		if (shk_wanted(c, SHRIKE_SYSCALL) && (!bitmap_empty(c->native, SHRIKE_BITMAP_BYTES * 8) ||
						      !bitmap_empty(c->compat, SHRIKE_BITMAP_BYTES * 8)))
			return true;
	return false;
}

static void count_levels(void)
{
	struct shk_container *c;
	u64 cgroups = 0, spaces = 0;

	list_for_each_entry(c, &shk_containers, all) {
		cgroups |= BIT_ULL(c->by_cgroup.level);
		spaces |= BIT_ULL(c->by_ns.level);
	}
	/* Level 0: not by that */
	WRITE_ONCE(cgroup_levels, cgroups & ~1ULL);
	WRITE_ONCE(ns_levels, spaces & ~1ULL);
	WRITE_ONCE(shk_ns_level_min, ns_levels ? __ffs64(ns_levels) : S32_MAX);
}

static int take_key(struct shk_container *c, struct shk_key *k, u64 key, int level)
{
	if (level < 1 || level > LEVEL_MAX)
		return -EINVAL;
	if (find(key))
		return -EEXIST;
	k->key = key;
	k->level = level;
	k->c = c;
	return 0;
}

static int take_cgroup(struct shk_container *c, int fd)
{
	struct cgroup *cgroup = cgroup_get_from_fd(fd);

	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	c->cgroup = cgroup;
	if (cgroup->root != &cgrp_dfl_root)
		return -EOPNOTSUPP;
	return take_key(c, &c->by_cgroup, shk_cgroup_key(cgroup, cgroup->level), cgroup->level);
}

/* The namespace lives as long as a pid in it is held. */
static int take_ns(struct shk_container *c, int nr)
{
	struct pid *pid = find_get_pid(nr);

	if (!pid)
		return -ESRCH;
	c->init_pid = pid;
	rcu_read_lock();
	if (pid_task(pid, PIDTYPE_PID))
		c->ns = pid->numbers[pid->level].ns;
	rcu_read_unlock();
	return c->ns ? take_key(c, &c->by_ns, (unsigned long)c->ns, pid->level) : -ESRCH;
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
	struct shk_key *keys[] = { &c->by_cgroup, &c->by_ns };
	unsigned int i;
	int err = 0;

	if (n_containers >= SHRIKE_CONTAINERS_MAX)
		return -ENOSPC;
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
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i]->level)
			hlist_add_head_rcu(&keys[i]->link, &table[hash_64(keys[i]->key, TABLE_BITS)]);
	count_levels();
	/* Whoever has not seen it in the table may note its cgroup as unwatched until here, nobody afterwards. */
	synchronize_rcu_expedited();
	for (i = 0; i < SHK_UNWATCHED; i++)
		WRITE_ONCE(shk_unwatched[i], 0);
	return 0;
}

void shk_scope_remove(struct shk_container *c)
{
	list_del(&c->all);
	n_containers--;
	if (c->by_cgroup.level)
		hlist_del_rcu(&c->by_cgroup.link);
	if (c->by_ns.level)
		hlist_del_rcu(&c->by_ns.link);
	count_levels();
	synchronize_rcu();
	shk_lease_forget(c);
	let_go(c);
	kfree(c);
}

#ifdef SHRIKE_SELFTEST
#include "selftest_scope.h"
#endif
