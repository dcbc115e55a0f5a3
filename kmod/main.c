// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - begin and end. The protocol is described in uapi.h, the parts in shrike.h.
 */
#include <linux/module.h>
#include "shrike.h"

#ifdef SHRIKE_SELFTEST
static int __init selftests(void)
{
	int ring = shk_selftest_ring(), scope = shk_selftest_scope(), lease = shk_selftest_lease();

	pr_info("shrike: self-tests: ring %d, scope %d, lease %d\n", ring, scope, lease);
	return ring ? ring : scope ? scope : lease;
}
#endif

static int __init begin(void)
{
	int err = shk_ring_init();

	if (err)
		return err;
#ifdef SHRIKE_SELFTEST
	err = selftests();
#endif
	if (!err)
		err = shk_trace_init();
	if (!err)
		err = shk_control_init();
	if (err) {
		shk_ring_exit();
		return err;
	}
	pr_info("shrike: release %s, ABI %d\n", SHRIKE_RELEASE, SHRIKE_ABI);
	return 0;
}

static void __exit end(void)
{
	/* Nobody can ask for anything, then nobody calls us, then nothing is left. */
	shk_control_exit();
	shk_ring_exit();
	rcu_barrier();
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What containers do, by the kernel's own objects");
MODULE_VERSION(SHRIKE_RELEASE);
