// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope.c - whose a task is. A small table, by cgroup and by pid namespace: a task is looked up
 * once for each level in use that it has. A task never leaves its pid namespace.
 */
#include <linux/hashtable.h>
#include <linux/slab.h>
#include "shrike.h"

#define LEVEL_MAX 63

DEFINE_MUTEX(shk_mutex);
LIST_HEAD(shk_containers);

static DEFINE_HASHTABLE(table, 9);
/* Bit n: something is watched at level n. Level 0 is everybody. */
static u64 cgroup_levels, ns_levels;
static unsigned int n_containers;
int shk_ns_level_min = S32_MAX;
/* Ids, never given to another, of cgroups in which and above which nothing is watched, as found. */
u64 shk_unwatched[SHK_UNWATCHED];

/* By addresses (5.10: cgroups have small numbers), which tell cgroups and namespaces apart. */
static __always_inline struct shk_container *find(u64 key)
{
	struct shk_key *k;

	hash_for_each_possible_rcu_notrace(table, k, link, key)
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

static bool wants_calls(struct shk_container *c)
{
	return shk_wanted(c, SHRIKE_SYSCALL) && memchr_inv(c->calls, 0, sizeof(c->calls));
}

bool shk_scope_calls_wanted(struct shk_container *too)
{
	struct shk_container *c;

	list_for_each_entry(c, &shk_containers, all)
		if (wants_calls(c))
			return true;
	return too && wants_calls(too);
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

static int take_ns(struct shk_container *c, int nr)
{
	c->pid = find_get_pid(nr);
	if (!c->pid || !pid_has_task(c->pid, PIDTYPE_PID))
		return -ESRCH;
	return take_key(c, &c->by_ns, (unsigned long)ns_of_pid(c->pid), c->pid->level);
}

/* Takes a container that control.c has filled in; NULL: not given. */
int shk_scope_add(struct shk_container *c, const struct nlattr *fd, const struct nlattr *pid)
{
	unsigned int i;
	int err = 0;

	if (n_containers >= SHRIKE_CONTAINERS_MAX)
		return -ENOSPC;
	if (fd)
		err = take_cgroup(c, nla_get_s32(fd));
	if (!err && pid)
		err = take_ns(c, nla_get_s32(pid));
	if (err)
		return err;
	list_add_tail(&c->all, &shk_containers);
	n_containers++;
	/* One that is not used has key 0, which nobody looks for. */
	hash_add_rcu(table, &c->by_cgroup.link, c->by_cgroup.key);
	hash_add_rcu(table, &c->by_ns.link, c->by_ns.key);
	count_levels();
	/* Whoever has not seen it may note its cgroup as unwatched until here, nobody later. */
	synchronize_rcu_expedited();
	for (i = 0; i < SHK_UNWATCHED; i++)
		WRITE_ONCE(shk_unwatched[i], 0);
	return 0;
}

void shk_scope_free(struct shk_container *c)
{
	if (c->cgroup)
		cgroup_put(c->cgroup);
	put_pid(c->pid);
	kfree(c);
}

void shk_scope_remove(struct shk_container *c)
{
	list_del(&c->all);
	n_containers--;
	hash_del_rcu(&c->by_cgroup.link);
	hash_del_rcu(&c->by_ns.link);
	count_levels();
	synchronize_rcu();
	shk_lease_drop(c, U64_MAX);
	shk_scope_free(c);
}

#include "selftest_scope.h"
