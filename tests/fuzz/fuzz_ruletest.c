// SPDX-License-Identifier: Apache-2.0
/* Any text as a file of rule tests: it is refused with a place, or each case holds or says why not. */
#include <stdlib.h>

#include "engine/ruletest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_case(struct shk_str name, bool holds, struct shk_str why, void *arg)
{
	(void)name;
	(void)arg;
	if (holds != !why.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shk_ruletest t = { .no_files = true, .on_case = on_case };
	struct shk_err err = { 0 };

	if (size > 65536)
		return 0;
	if (shk_ruletest_run(&t, "fuzz", (struct shk_str){ (const char *)data, size }, &err) < 0 && !err.text[0])
		abort();
	return 0;
}
