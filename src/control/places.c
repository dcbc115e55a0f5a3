// SPDX-License-Identifier: Apache-2.0
#include "control/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool shk_is_rootless(void)
{
	unsigned long inside = 1, outside = 1, n = 0;
	bool all;
	FILE *f;

	if (geteuid() != 0)
		return true;
	/* The initial namespace maps all numbers to themselves; user_namespaces(7). */
	f = fopen("/proc/self/uid_map", "re");
	if (!f)
		return false;
	all = fscanf(f, "%lu %lu %lu", &inside, &outside, &n) == 3 && inside == 0 && outside == 0 && n == 4294967295ul;
	fclose(f);
	return !all;
}

static const char *absolute(const char *variable)
{
	const char *v = getenv(variable);

	return v && v[0] == '/' ? v : NULL; /* the specification: others are to be ignored */
}

int shk_place(enum shk_place place, const char *name, char *buf, size_t size, struct shk_err *err)
{
	static const struct {
		const char *variable, *below_home;
	} places[] = {
		[SHK_PLACE_RUNTIME] = { "XDG_RUNTIME_DIR", NULL },
		[SHK_PLACE_CONFIG] = { "XDG_CONFIG_HOME", ".config" },
		[SHK_PLACE_STATE] = { "XDG_STATE_HOME", ".local/state" },
	};
	const char *dir = absolute(places[place].variable), *home = absolute("HOME");
	int n;

	if (dir)
		n = snprintf(buf, size, "%s/shrike/%s", dir, name);
	else if (places[place].below_home && home)
		n = snprintf(buf, size, "%s/%s/shrike/%s", home, places[place].below_home, name);
	else if (places[place].below_home)
		return shk_err_set(err, ENOENT, "neither %s nor HOME is set", places[place].variable);
	else if (geteuid() != 0)
		n = snprintf(buf, size, "/run/user/%u/shrike/%s", (unsigned)geteuid(), name);
	else
		return shk_err_set(err, ENOENT, "%s is not set", places[place].variable);
	return n < 0 || (size_t)n >= size ? shk_err_set(err, ENAMETOOLONG, "%s: path too long", name) : 0;
}
