// SPDX-License-Identifier: Apache-2.0
/* Where the caller stands: its root, its working directory, the descriptor that a path starts from. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native.h"

static const char *const names[] = { "root", "cwd", "dir", "file", "bad", "chroot", "outside", "cwd-gone", "dir-gone" };

const char *place_name(enum place p)
{
	return names[p];
}

enum place place_pick(struct dice *d, bool at)
{
	/* What stands in the way of the name itself is rare. */
	static const enum place plain[] = { ABSOLUTE, ABSOLUTE, ABSOLUTE, ABSOLUTE, RELATIVE, RELATIVE, RELATIVE,
					    RELATIVE, ROOTED, OUTSIDE, REMOVED };
	static const enum place with_fd[] = { ABSOLUTE, ABSOLUTE, ABSOLUTE, RELATIVE, RELATIVE, RELATIVE, IN_DIR, IN_DIR,
					      IN_DIR, IN_DIR, IN_DIR, IN_DIR, IN_FILE, IN_NOTHING, ROOTED, OUTSIDE, REMOVED, REMOVED_DIR };

	return at ? PICK(d, with_fd) : PICK(d, plain);
}

int place_fd(enum place p)
{
	switch (p) {
	case IN_DIR:
	case IN_FILE:
	case REMOVED_DIR:
		return PLACE_FD;
	case IN_NOTHING:
		return PLACE_FD + 50;
	default:
		return AT_FDCWD;
	}
}

static void hold(const char *path)
{
	int fd = open_tree(AT_FDCWD, path, 0);

	if (fd < 0 || dup2(fd, PLACE_FD) < 0)
		broken("open_tree");
	close(fd);
}

/* The directory is made, entered or held, and removed. */
static void lose(const char *top, bool enter)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/gone", top);
	if (mkdir(path, 0777) < 0)
		broken("mkdir");
	if (enter && chdir(path) < 0)
		broken("chdir");
	if (!enter)
		hold(path);
	if (rmdir(path) < 0)
		broken("rmdir");
}

void place_take(const struct kase *k, enum place p)
{
	char jail[100];

	if (p == IN_DIR || p == IN_FILE)
		hold(p == IN_FILE ? "/ro/f" : k->dir);
	if (p == REMOVED_DIR)
		lose(k->top, false);
	if (p == RELATIVE && chdir(k->dir) < 0)
		broken("chdir");
	if (p == ROOTED && (chroot(k->top) < 0 || chdir("/") < 0))
		broken("chroot");
	if (p == OUTSIDE) {
		snprintf(jail, sizeof(jail), "%s/jail", k->top);
		if (mkdir(jail, 0777) < 0 || chdir(k->dir) < 0 || chroot(jail) < 0)
			broken("chroot");
	}
	if (p == REMOVED)
		lose(k->top, true);
}

static const char *without(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

const char *place_path(const struct kase *k, enum place p, const char *path)
{
	static char up[2][8400];
	static unsigned i;
	const char *rel = without(path, k->dir);

	switch (p) {
	case ABSOLUTE:
		return path;
	case ROOTED:
		rel = without(path, k->top);
		return rel == path ? path : rel - 1;
	case REMOVED:
	case REMOVED_DIR:
		/* ".." of a directory that is gone is known still. */
		rel = without(path, k->top);
		if (rel == path || k->number % 2)
			return rel;
		i = !i;
		snprintf(up[i], sizeof(up[i]), "../%s", rel);
		return up[i];
	default:
		return rel;
	}
}
