/* SPDX-License-Identifier: GPL-2.0-only */
/* selftest_all.h - in a build with SHRIKE_SELFTEST=y, before anybody can call us; 0: what is inside holds. */
#ifndef SHRIKE_SELFTEST_ALL_H
#define SHRIKE_SELFTEST_ALL_H

#ifdef SHRIKE_SELFTEST
int shk_selftest_ring(void);
int shk_selftest_scope(void);
int shk_selftest_lease(void);

static inline int selftests(void)
{
	int ring = shk_selftest_ring(), scope = shk_selftest_scope(), lease = shk_selftest_lease();

	pr_info("shrike: self-tests: ring %d, scope %d, lease %d\n", ring, scope, lease);
	return ring ? ring : scope ? scope : lease;
}
#else
static inline int selftests(void)
{
	return 0;
}
#endif

#endif
