// SPDX-License-Identifier: Apache-2.0
/* Texts that carrying calls out rests on: mounts that are other names, devices of a control group. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "enforce/aliases.h"
#include "enforce/device.h"
#include "enforce/idmap.h"

static const char mounts[] =
	"30 20 0:50 / / rw,relatime - overlay overlay rw\n"
	"31 30 0:51 / /proc rw - proc proc rw\n"
	"32 30 0:50 /etc /mnt/a\\040b rw - overlay overlay rw\n"
	"33 30 8:1 /volumes/v /data rw - ext4 /dev/sda1 rw\n"
	"34 30 8:1 /volumes/v/sub /other rw - ext4 /dev/sda1 rw\n"
	"35 30 8:1 /volumes/vv /third rw - ext4 /dev/sda1 rw\n"
	"36 30 8:2 /hosts /etc/hosts rw - ext4 /dev/sda2 rw\n";

static void names(uint64_t id, const char *name, const char *const *want)
{
	struct shk_str ret[SHK_ALIASES_MAX];
	struct shk_arena a;
	int n = 0, r;

	shk_arena_init(&a, 1u << 20);
	while (want[n])
		n++;
	r = shk_aliases_in(SHK_STR(mounts), id, shk_str(name), &a, ret);
	assert_int_equal(r, n);
	for (int i = 0; i < n; i++) {
		assert_int_equal(ret[i].n, strlen(want[i]));
		assert_memory_equal(ret[i].p, want[i], ret[i].n);
	}
	shk_arena_done(&a);
}
#define NAMES(id, name, ...) names(id, name, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void other_names(void **state)
{
	(void)state;
	NAMES(30, "/etc/shadow", "/mnt/a b/shadow");
	NAMES(32, "/mnt/a b/shadow", "/etc/shadow");
	NAMES(32, "/mnt/a b", "/etc");
	NAMES(30, "/etcetera");
	NAMES(30, "/usr/bin/x");
	NAMES(33, "/data/sub/f", "/other/f");
	NAMES(33, "/data/subway");
	NAMES(33, "/data/f");
	NAMES(34, "/other/f", "/data/sub/f");
	NAMES(34, "/other", "/data/sub");
	NAMES(35, "/third/f");
	NAMES(31, "/proc/1/status");
	NAMES(36, "/etc/hosts");
	/* No such mount, and a name that is not below its own. */
	assert_int_equal(shk_aliases_in(SHK_STR(mounts), 99, SHK_STR("/etc/shadow"), NULL, NULL), -EAGAIN);
	assert_int_equal(shk_aliases_in(SHK_STR(mounts), 33, SHK_STR("/elsewhere"), NULL, NULL), -EAGAIN);
}

static void many_names(void **state)
{
	struct shk_str ret[SHK_ALIASES_MAX];
	struct shk_arena a;
	struct shk_buf b;

	(void)state;
	shk_arena_init(&a, 1u << 20);
	shk_buf_init(&b, 1u << 20);
	for (unsigned i = 0; i <= SHK_ALIASES_MAX; i++)
		shk_buf_printf(&b, "%u 1 8:1 / /m%u rw - ext4 x rw\n", i + 1, i);
	assert_int_equal(shk_aliases_in(shk_buf_view(&b), 7, SHK_STR("/m6/f"), &a, ret), SHK_ALIASES_MAX);
	/* One more, and not all can be judged by. */
	shk_buf_adds(&b, "77 1 8:1 / /more rw - ext4 x rw\n");
	assert_int_equal(shk_aliases_in(shk_buf_view(&b), 7, SHK_STR("/m6/f"), &a, ret), -EAGAIN);
	/* More mounts than are looked at. */
	shk_buf_reset(&b);
	for (unsigned i = 0; i < 5000; i++)
		shk_buf_printf(&b, "%u 1 8:%u / /m%u rw - ext4 x rw\n", i + 1, i, i);
	assert_int_equal(shk_aliases_in(shk_buf_view(&b), 7, SHK_STR("/m6/f"), &a, ret), -EAGAIN);
	shk_buf_reset(&b);
	shk_buf_adds(&b, "nonsense\n1 2\n\n3 4 5 6 7\n");
	assert_int_equal(shk_aliases_in(shk_buf_view(&b), 3, SHK_STR("/x"), &a, ret), 0);
	shk_buf_done(&b);
	shk_arena_done(&a);
}

static void devices(void **state)
{
	struct shk_str list = SHK_STR("c 1:3 rwm\nc *:* m\nb 8:* r\nc 136:* rw\n");

	(void)state;
	assert_true(shk_device_listed(list, S_IFCHR, makedev(1, 3), "rw"));
	assert_true(shk_device_listed(list, S_IFCHR, makedev(10, 200), "m"));
	assert_false(shk_device_listed(list, S_IFCHR, makedev(10, 200), "r"));
	assert_true(shk_device_listed(list, S_IFBLK, makedev(8, 5), "r"));
	assert_false(shk_device_listed(list, S_IFBLK, makedev(8, 5), "rw"));
	assert_false(shk_device_listed(list, S_IFBLK, makedev(1, 3), "r"));
	assert_true(shk_device_listed(list, S_IFCHR, makedev(136, 9), "rw"));
	assert_true(shk_device_listed(SHK_STR("a *:* rwm\n"), S_IFBLK, makedev(8, 0), "rw"));
	assert_false(shk_device_listed(SHK_STR(""), S_IFCHR, makedev(1, 3), "r"));
	assert_false(shk_device_listed(SHK_STR("c 1 r\nc\n\n"), S_IFCHR, makedev(1, 3), "r"));
	/* In no list: what every container has, and nothing else. */
	assert_true(shk_device_is_everybodys(S_IFCHR, makedev(1, 3)));
	assert_false(shk_device_is_everybodys(S_IFBLK, makedev(1, 3)));
	assert_false(shk_device_is_everybodys(S_IFCHR, makedev(1, 1)));
	assert_false(shk_device_is_everybodys(S_IFCHR, makedev(5, 1)));
	assert_true(shk_device_allowed(SHK_STR("0::/x\n"), S_IFCHR, makedev(1, 3), true, true));
	assert_true(shk_device_allowed(SHK_STR("0::/x\n"), S_IFCHR, makedev(136, 0), true, true));
	assert_false(shk_device_allowed(SHK_STR("0::/x\n"), S_IFBLK, makedev(8, 0), true, false));
	assert_false(shk_device_allowed(SHK_STR("0::/x\n"), S_IFCHR, makedev(1, 1), true, false));
	assert_false(shk_device_allowed(SHK_STR("7:devices:/no/such/group\n"), S_IFCHR, makedev(10, 229), true, true));
}

/* What the kernel would ask the wrong namespace about. */
static void mounted_on(void **state)
{
	(void)state;
	assert_true(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/data")));
	assert_true(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/mnt/a b")));
	assert_true(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/etc/hosts")));
	/* By another name of the directory it is in. */
	assert_true(shk_aliases_mounted_in(SHK_STR(mounts), 32, SHK_STR("/mnt/a b/hosts")));
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 32, SHK_STR("/mnt/a b/host")));
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/dat")));
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/data2")));
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 30, SHK_STR("/mnt")));
	/* The same path in another filesystem; a mount that is not there. */
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 33, SHK_STR("/data/proc")));
	assert_false(shk_aliases_mounted_in(SHK_STR(mounts), 99, SHK_STR("/data")));
}

static void mapped_ids(void **state)
{
	static const char map[] = "         0     100000      65536\n     70000       1000          1\n";
	static const struct {
		uint32_t from, to;
		bool known;
	} t[] = { { 0, 100000, true }, { 65535, 165535, true }, { 65536, 0, false }, { 70000, 1000, true },
		  { 70001, 0, false }, { UINT32_MAX, UINT32_MAX, true } };
	uint32_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		id = t[i].from;
		assert_int_equal(shk_id_mapped(SHK_STR(map), &id), t[i].known);
		if (t[i].known)
			assert_int_equal(id, t[i].to);
	}
	id = 5;
	assert_false(shk_id_mapped(SHK_STR(""), &id));
	assert_false(shk_id_mapped(SHK_STR("0 x 5\n"), &id));
	assert_false(shk_id_mapped(SHK_STR("0 1"), &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_names),
		cmocka_unit_test(many_names),
		cmocka_unit_test(devices),
		cmocka_unit_test(mounted_on),
		cmocka_unit_test(mapped_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
