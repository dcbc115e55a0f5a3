// SPDX-License-Identifier: Apache-2.0
#include "enforce/device.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"

#define LIST_MAX (256u << 10)
#define V1_MOUNT "/sys/fs/cgroup/devices"

/* null, zero, full, random, urandom; console is the terminal's; ptmx; /dev/pts (Unix98 slaves). */
bool shk_device_is_everybodys(mode_t type, dev_t dev)
{
	unsigned minor_nr = minor(dev);

	if (type != S_IFCHR)
		return false;
	switch (major(dev)) {
	case 1:
		return minor_nr == 3 || minor_nr == 5 || minor_nr == 7 || minor_nr == 8 || minor_nr == 9;
	case 5:
		return minor_nr == 2;
	default:
		return major(dev) >= 136 && major(dev) <= 143;
	}
}

static struct shk_str cut(struct shk_str *s, char end)
{
	const char *p = s->n ? memchr(s->p, end, s->n) : NULL;
	struct shk_str w = { s->p, p ? (size_t)(p - s->p) : s->n };

	s->p += w.n + (p ? 1 : 0);
	s->n -= w.n + (p ? 1 : 0);
	return w;
}

static bool number_fits(struct shk_str s, unsigned v)
{
	uint64_t n;

	return shk_str_eqz(s, "*") || (shk_str_to_u64(s, &n) && n == v);
}

static bool has_all(struct shk_str s, const char *letters)
{
	for (; *letters; letters++)
		if (!memchr(s.p, *letters, s.n))
			return false;
	return true;
}

/* Lines "TYPE MAJOR:MINOR ACCESS": "c 1:3 rwm", "a *:* rwm". */
bool shk_device_listed(struct shk_str list, mode_t type, dev_t dev, const char *access)
{
	while (list.n) {
		struct shk_str line = cut(&list, '\n'), t = cut(&line, ' '), maj = cut(&line, ':'),
			       min = cut(&line, ' ');

		if (!shk_str_eqz(t, "a") && !shk_str_eqz(t, type == S_IFCHR ? "c" : "b"))
			continue;
		if (number_fits(maj, major(dev)) && number_fits(min, minor(dev)) && has_all(line, access))
			return true;
	}
	return false;
}

/* "7:devices:/docker/1234" */
static bool devices_group(struct shk_str cgroups, char *path, size_t size)
{
	while (cgroups.n) {
		struct shk_str line = cut(&cgroups, '\n'), controllers;

		cut(&line, ':');
		controllers = cut(&line, ':');
		while (controllers.n)
			if (shk_str_eqz(cut(&controllers, ','), "devices"))
				return snprintf(path, size, V1_MOUNT SHK_STR_FMT "/devices.list",
						SHK_STR_ARG(line)) < (int)size;
	}
	return false;
}

static bool allowed(struct shk_str cgroups, mode_t type, dev_t dev, const char *access)
{
	_cleanup_buf_ struct shk_buf list;
	char path[4096];

	shk_buf_init(&list, LIST_MAX);
	return devices_group(cgroups, path, sizeof(path)) && shk_read_file(path, &list, NULL) == 0 &&
	       shk_device_listed(shk_buf_view(&list), type, dev, access);
}

bool shk_device_allowed(struct shk_str cgroups, mode_t type, dev_t dev, bool reads, bool writes)
{
	return shk_device_is_everybodys(type, dev) ||
	       allowed(cgroups, type, dev, reads && writes ? "rw" : reads ? "r" : writes ? "w" : "");
}

/* By the runtimes' defaults every device may be made (runc and crun allow "c *:* m" and "b *:* m"): opening is what is
 * refused. Where that cannot be read, those may be made that may be opened. */
bool shk_device_makable(struct shk_str cgroups, mode_t type, dev_t dev)
{
	return shk_device_is_everybodys(type, dev) || allowed(cgroups, type, dev, "m");
}
