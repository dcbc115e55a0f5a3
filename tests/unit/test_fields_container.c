/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_container.c - fields of the container, its mounts and its pod.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

static void test_container(void **state)
{
	struct shk_mount_info mounts[] = {
		{ SHK_STR("proc"), SHK_STR("/proc"), SHK_STR("proc"), SHK_STR("nosuid") },
		{ SHK_STR("/etc"), SHK_STR("/host/etc"), SHK_STR("bind"), SHK_STR("rbind,ro") },
		{ SHK_STR("/var/run"), SHK_STR("/run"), SHK_STR("none"), SHK_STR("bind,rslave") },
	};
	struct shk_kv notes[] = { { SHK_STR("org.x"), SHK_STR("y") } };

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	IS("container.id", "0123456789ab");
	IS("container.image", "<NA>");
	IS("container.privileged", "false");
	ctr->mounts = mounts;
	ctr->n_mounts = SHK_ARRAY_SIZE(mounts);
	ctr->annotations = notes;
	ctr->n_annotations = 1;
	IS("container.mount.dest[0]", "/host/etc");
	IS("container.mount.dest[/var/*]", "/run");
	IS("container.mount.dest[/proc*]", "<NA>");
	IS("container.mount.source[/run]", "/var/run");
	IS("container.mount.rdwr[/etc]", "false");
	IS("container.mounts", "/etc:/host/etc::false:private,/var/run:/run::true:rslave");
	IS("container.annotation[org.x]", "y");
	IS("container.annotation[org]", "<NA>");
	ctx.ctr = NULL;
	IS("container.id", "host");
	IS("container.mounts", "<NA>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
