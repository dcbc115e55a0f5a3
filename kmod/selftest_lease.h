/* SPDX-License-Identifier: GPL-2.0-only */
/* selftest_lease.h - included by lease.c in a build with SHRIKE_SELFTEST=y: a lease for the very call that loads the module. */
#ifdef SHRIKE_SELFTEST
#include "selftest_all.h"

/* Does the lease fit as it is, and in no way else? */
static int test_call(struct lease *l)
{
	struct shrike_lease as = l->as;
	unsigned int i;

	if (!same_call(l))
		return -EINVAL;
	for (i = 0; i < 9; i++) {
		if (i < 6)
			l->as.args[i]++;
		else if (i == 6)
			l->as.nr++;
		else if (i == 7)
			l->as.arch++;
		else
			l->as.ip++;
		if (same_call(l))
			return -EINVAL;
		l->as = as;
	}
	return same_call(l) ? 0 : -EINVAL;
}

/* Of this task, container and kind, until it expires. */
static int test_mine(struct lease *l, struct shk_container *c)
{
	struct lease *found[6];

	l->c = c;
	l->as.kind = SHRIKE_KIND_OPEN;
	l->as.expires_ns = U64_MAX;
	spin_lock(&lock);
	found[0] = mine(c, SHRIKE_KIND_OPEN);
	link(l);
	found[1] = mine(c, SHRIKE_KIND_OPEN);
	found[2] = mine(c, SHRIKE_KIND_BIND);
	found[3] = mine(c + 1, SHRIKE_KIND_OPEN);
	l->as.expires_ns = ktime_get_mono_fast_ns();
	found[4] = mine(c, SHRIKE_KIND_OPEN);
	unlink(l);
	l->as.expires_ns = U64_MAX;
	found[5] = mine(c, SHRIKE_KIND_OPEN);
	spin_unlock(&lock);
	return found[0] || found[1] != l || found[2] || found[3] || found[4] || found[5] || n_leases ? -EINVAL : 0;
}

static int test_objects(struct lease *l)
{
	struct file *null = filp_open("/dev/null", O_RDONLY, 0), *dir = filp_open("/dev", O_RDONLY | O_DIRECTORY, 0);
	struct dentry *d;
	int err = -EINVAL;

	if (IS_ERR(null) || IS_ERR(dir))
		goto out;
	d = null->f_path.dentry;
	l->object[2] = null;
	if (!is_object(l, &null->f_path, false) || is_object(l, &dir->f_path, false) || is_entry(l, d))
		goto out;
	l->object[2] = NULL;
	l->object[DIR] = dir;
	memcpy(l->as.data, "null", 4);
	l->as.data_len = 4;
	if (is_object(l, &null->f_path, false) || !is_entry(l, d))
		goto out;
	l->as.data_len = 3;
	if (is_entry(l, d))
		goto out;
	memcpy(l->as.data, "nulx", 4);
	l->as.data_len = 4;
	err = is_entry(l, d) ? -EINVAL : 0;
out:
	memset(l->object, 0, sizeof(l->object));
	if (!IS_ERR(null))
		fput(null);
	if (!IS_ERR(dir))
		fput(dir);
	return err;
}

int shk_selftest_lease(void)
{
	struct shk_container *c = kcalloc(2, sizeof(*c), GFP_KERNEL);
	struct lease *l = kzalloc(sizeof(*l), GFP_KERNEL);
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];
	unsigned int i;
	int err = -ENOMEM;

	if (c && l) {
		syscall_get_arguments(current, regs, args);
		for (i = 0; i < 6; i++)
			l->as.args[i] = args[i];
		l->as.nr = syscall_get_nr(current, regs);
		l->as.arch = syscall_get_arch(current);
		l->as.ip = instruction_pointer(regs);
		l->as.expires_ns = U64_MAX;
		l->pid = task_pid(current);
		err = test_call(l);
		if (!err)
			err = test_mine(l, c);
		if (!err)
			err = test_objects(l);
	}
	kfree(l);
	kfree(c);
	return err;
}
#endif
