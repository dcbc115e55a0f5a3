// SPDX-License-Identifier: Apache-2.0
/* main.c - vmtest DIR [TEST]: the tests of the loaded kernel module, in TAP. DIR: a place on an ordinary file system. */
#include <string.h>

#include "vmtest.h"

static const char *place;

static void classes_here(void)
{
	test_classes(place);
}

/* Not one of the tests: everything attached, for those who load and unload. */
static int attach(void)
{
	int cgroup = cgroup_make("attach");

	watch(1, cgroup, 0, ALL_CLASSES, 0, NULL, NULL);
	cgroup_enter(cgroup);
	kmod = shk_kmod_close(kmod);
	return 0;
}

static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "classes", classes_here }, { "doors", test_doors },	  { "namespace", test_namespace }, { "many", test_many },
	{ "overrun", test_overrun }, { "control", test_control }, { "reader", test_reader },	   { "leases", test_leases },
	{ "levels", test_levels },
};
#define N_TESTS (sizeof(tests) / sizeof(tests[0]))

int main(int argc, char **argv)
{
	struct shk_err err = { 0 };
	unsigned bad = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: vmtest DIR [TEST]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	place = argv[1];
	if (argc > 3 && strcmp(argv[2], "bench") == 0)
		return strcmp(argv[3], "held") == 0 ? bench_hold() : bench(argv[3]);
	if (shk_kmod_open(&kmod, &err) || shk_kmod_open_rings(kmod, &err)) {
		printf("Bail out! %s\n", err.text);
		return 1;
	}
	if (argc > 2 && strcmp(argv[2], "attach") == 0)
		return attach();
	for (unsigned i = 0; i < N_TESTS; i++) {
		if (argc > 2 && strcmp(argv[2], tests[i].name) != 0)
			continue;
		failures = 0;
		tests[i].fn();
		printf("%s %u - %s\n", failures ? "not ok" : "ok", i + 1, tests[i].name);
		fflush(stdout);
		bad += failures != 0;
	}
	printf("1..%u\n", argc > 2 ? 1 : (unsigned)N_TESTS);
	kmod = shk_kmod_close(kmod);
	return bad != 0;
}
