// SPDX-License-Identifier: Apache-2.0
/* Texts that carrying calls out and comparing programs rests on: a list of mounts, a control group's devices, the first
 * bytes of a script. Up to the first form feed: a name; behind it the text. What comes out lies in what went in, or in the arena. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "enforce/aliases.h"
#include "enforce/device.h"
#include "enforce/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mounts(struct shk_str name, struct shk_str text)
{
	struct shk_str ret[SHK_ALIASES_MAX];
	struct shk_arena a;
	int n;

	shk_arena_init(&a, 16u << 20);
	for (uint64_t id = 0; id < 4; id++) {
		n = shk_aliases_in(text, id, name, &a, ret);
		if (n > SHK_ALIASES_MAX)
			abort();
		for (int i = 0; i < n; i++)
			if (!ret[i].n || ret[i].p[0] == 0)
				abort();
	}
	shk_arena_done(&a);
}

static void script(struct shk_str text)
{
	char head[SHK_EXEC_HEAD] = { 0 };
	struct shk_str name, arg;
	int r;

	memcpy(head, text.p, SHK_MIN(text.n, sizeof(head)));
	r = shk_exec_script_line(head, &name, &arg);
	if (r != 1)
		return;
	if (name.p < head || name.p + name.n > head + sizeof(head))
		abort();
	if (arg.p && (arg.p < head || arg.p + arg.n > head + sizeof(head)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = size ? (const char *)data : "", *ff = size ? memchr(p, '\f', size) : NULL;
	struct shk_str name = { p, ff ? (size_t)(ff - p) : 0 }, text = { ff ? ff + 1 : p, size - (ff ? name.n + 1 : 0) };

	if (size > 65536)
		return 0;
	mounts(name, text);
	(void)shk_device_listed(text, S_IFCHR, makedev(1, 3), "rw");
	(void)shk_device_listed(text, S_IFBLK, makedev(8, 0), "m");
	script(text);
	return 0;
}
