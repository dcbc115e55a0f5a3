/* SPDX-License-Identifier: GPL-2.0-only */
/* selftest_scope.h - included by scope.c in a build with SHRIKE_SELFTEST=y: the table, levels, and sets of calls. */
#ifdef SHRIKE_SELFTEST
#include "selftest_all.h"

static int test_table(struct shk_container *c)
{
	unsigned int i;
	int err = 0;

	/* Twice as many as there are buckets, in keys that look like addresses */
	for (i = 0; i < 1024; i++) {
		struct shk_key *k = kzalloc(sizeof(*k), GFP_KERNEL);

		if (!k)
			return -ENOMEM;
		k->c = c + i % 2;
		k->key = 0xffff888000000000ULL + i * 2048ULL;
		hash_add_rcu(table, &k->link, k->key);
	}
	for (i = 0; i < 1024; i++)
		if (find(0xffff888000000000ULL + i * 2048ULL) != c + i % 2 || find(0xffff888000000008ULL + i * 2048ULL))
			err = -EINVAL;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct hlist_node *next;
		struct shk_key *k;

		hlist_for_each_entry_safe(k, next, &table[i], link) {
			hlist_del(&k->link);
			kfree(k);
		}
	}
	return err || find(0xffff888000000000ULL) ? -EINVAL : 0;
}

static int test_levels(void)
{
	return upto(~0ULL, 0) != 1 || upto(0xf0, 5) != 0x30 || upto(~0ULL, 62) != ~0ULL >> 1 || upto(~0ULL, 63) != ~0ULL ||
	       upto(~0ULL, 1000) != ~0ULL ? -EINVAL : 0;
}

/* Bit nr & 7 of byte nr >> 3 is what test_bit() looks at. */
static int test_calls(struct shk_container *c)
{
	unsigned int nr, other;

	for (nr = 0; nr < SHRIKE_BITMAP_BYTES * 8; nr++) {
		((u8 *)c->calls[0])[nr >> 3] = 1 << (nr & 7);
		for (other = 0; other < SHRIKE_BITMAP_BYTES * 8; other++)
			if (test_bit(other, c->calls[0]) != (other == nr))
				return -EINVAL;
		((u8 *)c->calls[0])[nr >> 3] = 0;
	}
	list_add(&c->all, &shk_containers);
	c->classes = BIT_ULL(SHRIKE_SYSCALL);
	nr = shk_scope_calls_wanted(NULL);
	c->calls[1][SHRIKE_BITMAP_BYTES / sizeof(long) - 1] = 1;
	nr |= shk_scope_calls_wanted(NULL) << 1;
	c->classes = ~BIT_ULL(SHRIKE_SYSCALL);
	nr |= shk_scope_calls_wanted(NULL) << 2;
	list_del(&c->all);
	return nr == 2 ? 0 : -EINVAL;
}

/* Nobody is watched: this task is not, and from then on it is known of its cgroup. */
static int test_unwatched(void)
{
	struct shk_container *c;
	bool noted;

	preempt_disable();
	c = shk_scope_of(current);
	noted = shk_unwatched[cgroup_id(rcu_dereference_raw(current->cgroups)->dfl_cgrp) % SHK_UNWATCHED];
	preempt_enable();
	return !c && noted ? 0 : -EINVAL;
}

int shk_selftest_scope(void)
{
	struct shk_container *c = kcalloc(2, sizeof(*c), GFP_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	mutex_lock(&shk_mutex);
	err = test_table(c);
	if (!err)
		err = test_levels();
	if (!err)
		err = test_calls(c);
	if (!err)
		err = test_unwatched();
	mutex_unlock(&shk_mutex);
	kfree(c);
	return err;
}
#endif
