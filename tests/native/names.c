// SPDX-License-Identifier: Apache-2.0
/* Further kinds of paths, for calls that change names, owners, modes and sizes. */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

/* One of several names. */
static void one_of(struct kase *k, const char *const *names, unsigned n)
{
	is(k, names[roll(&k->dice, n)]);
}
#define ONE_OF(k, ...) one_of((k), (const char *const[]){ __VA_ARGS__ }, ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

static void empty_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0755, 0, 0);
	ONE_OF(k, "d", "d/", "d//", "./d");
}
static void full_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0755, WEB, WEB);
	make(k, "d/f", 0644, WEB, WEB);
	ONE_OF(k, "d", "d/");
}
static void dot_behind(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	ONE_OF(k, "d/.", "d/./", "d/..", "d/../", "d/../d");
}
static void dot_missing(struct kase *k) { ONE_OF(k, "no/.", "no/..", "no/../d"); }
static void dot_file(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	ONE_OF(k, "f/.", "f/..", "f/../f");
}
static void two_names(struct kase *k)
{
	make(k, "f", 0644, WEB, WEB);
	must(link(in(k, "f"), in(k, "g")), "link");
	is(k, "f");
}
static void link_of_link(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	link_to(k, "f", "l");
	must(lchown(in(k, "l"), WEB, GROUP), "lchown");
	must(link(in(k, "l"), in(k, "m")), "link");
	is(k, "l");
}

/* chattr: where the filesystem has none it is a plain file in both containers. */
static void set_attribute(struct kase *k, const char *name, int bit)
{
	int fd = open(in(k, name), O_RDONLY), flags = 0;

	if (fd < 0)
		broken("open");
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= bit;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}
static void immutable_file(struct kase *k)
{
	make(k, "f", 0666, WEB, WEB);
	set_attribute(k, "f", FS_IMMUTABLE_FL);
	is(k, "f");
}
static void append_only(struct kase *k)
{
	make(k, "f", 0666, WEB, WEB);
	set_attribute(k, "f", FS_APPEND_FL);
	is(k, "f");
}
static void immutable_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	make(k, "d/f", 0666, WEB, WEB);
	set_attribute(k, "d", roll(&k->dice, 2) ? FS_IMMUTABLE_FL : FS_APPEND_FL);
	ONE_OF(k, "d/f", "d/new", "d");
}

static void sticky(struct kase *k)
{
	static const uid_t owners[] = { 0, WEB, 1001 };

	make(k, "d", S_IFDIR | (roll(&k->dice, 2) ? 01777 : 03775), PICK(&k->dice, owners),
	     roll(&k->dice, 2) ? GROUP : 0);
	make(k, "d/f", 0600, PICK(&k->dice, owners), 0);
	make(k, "d/e", S_IFDIR | 0755, PICK(&k->dice, owners), GROUP);
	ONE_OF(k, "d/f", "d/e", "d/new");
}
static void group_bits(struct kase *k)
{
	static const mode_t modes[] = { 02755, 02745, 06777, 04711, 02644 };

	make(k, "f", PICK(&k->dice, modes), WEB, roll(&k->dice, 2) ? GROUP : WEB);
	is(k, "f");
}
static void group_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 02775, WEB, GROUP);
	make(k, "d/e", S_IFDIR | 02755, WEB, roll(&k->dice, 2) ? GROUP : 0);
	ONE_OF(k, "d/e", "d/new", "d");
}

/* ---- mounts, which are taken away afterwards ---- */

static void mount_on(struct kase *k, const char *what, unsigned long flags)
{
	make(k, "m", S_IFDIR | 0755, 0, 0);
	must(flags & MS_BIND ? mount(in(k, what), in(k, "m"), NULL, MS_BIND, NULL) :
			       mount("none", in(k, "m"), "tmpfs", 0, "mode=777"), "mount");
	k->mounted = true;
	make(k, "m/f", 0666, WEB, WEB);
	if (flags & MS_RDONLY)
		must(mount(NULL, in(k, "m"), NULL, flags | MS_REMOUNT, NULL), "remount");
}
static void mount_point(struct kase *k)
{
	mount_on(k, "", 0);
	ONE_OF(k, "m", "m/", "m/.");
}
static void in_mount(struct kase *k)
{
	mount_on(k, "", 0);
	ONE_OF(k, "m/f", "m/new", "m/../m/f");
}
static void in_bind_mount(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	mount_on(k, "d", MS_BIND);
	ONE_OF(k, "m/f", "m/new", "d/f", "d");
}
static void in_read_only_bind(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	mount_on(k, "d", MS_BIND | MS_RDONLY);
	ONE_OF(k, "m/f", "m/new", "m");
}

/* ---- names ---- */

static void odd_name(struct kase *k)
{
	static const char *const names[] = { " ", "a b", "*", "a\\b", "...", "-", "%s", "a:b" };

	make(k, "d", S_IFDIR | 0777, 0, 0);
	is(k, PICK(&k->dice, names));
	if (roll(&k->dice, 2))
		must(mknod(k->path, S_IFREG | 0666, 0), "mknod");
}
static void deep(struct kase *k)
{
	char name[400] = "d";

	for (int i = 0; i < 70; i++) {
		make(k, name, S_IFDIR | 0777, 0, 0);
		strcat(name, i % 2 ? "/d" : "/e");
	}
	is(k, name);
}
static void file_255(struct kase *k)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = 0;
	make(k, name, 0644, WEB, WEB);
	is(k, name);
}
static void long_target(struct kase *k)
{
	char to[3000];

	make(k, "f", 0644, 0, 0);
	memset(to, '/', sizeof(to));
	snprintf(to + 2500, sizeof(to) - 2500, "%s/f", k->dir);
	link_to(k, to, "l");
	is(k, "l");
}
static void link_slashes(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	link_to(k, "d", "l");
	ONE_OF(k, "l/", "l//", "l/.", "l/new");
}
static void dangling_behind(struct kase *k)
{
	link_to(k, "no", "l");
	ONE_OF(k, "l/", "l/new", "l/.");
}
static void loop_behind(struct kase *k)
{
	link_to(k, "l", "l");
	ONE_OF(k, "l/", "l/new");
}
static void links_39(struct kase *k)
{
	char a[16], b[16];

	make(k, "0", S_IFDIR | 0777, 0, 0);
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "%d", i - 1);
		snprintf(b, sizeof(b), "%d", i);
		link_to(k, a, b);
	}
	ONE_OF(k, "39/new", "40/new", "41/new", "41");
}

/* ---- by links of procfs ---- */

static void by_proc(struct kase *k, const char *which)
{
	make(k, "f", 0666, WEB, WEB);
	snprintf(k->path, sizeof(k->path), "%s/%s", which, roll(&k->dice, 2) ? "f" : "new");
}
static void by_cwd(struct kase *k) { by_proc(k, "/proc/self/cwd"); }
static void by_fd(struct kase *k) { by_proc(k, "/proc/self/fd/30"); }
static void by_root(struct kase *k)
{
	make(k, "f", 0666, WEB, WEB);
	snprintf(k->path, sizeof(k->path), "/proc/thread-self/root%s/%s", k->dir, roll(&k->dice, 2) ? "f" : "new");
}
static void by_own_fd(struct kase *k)
{
	make(k, "f", 0644, WEB, WEB);
	snprintf(k->path, sizeof(k->path), "/proc/self/fd/30");
}

#define K(fn) { #fn, fn }
const struct kind name_kinds[] = {
	K(empty_directory), K(full_directory), K(dot_behind), K(dot_missing), K(dot_file), K(two_names),
	K(link_of_link), K(immutable_file), K(append_only), K(immutable_directory), K(sticky), K(sticky), K(group_bits),
	K(group_directory), K(mount_point), K(in_mount), K(in_bind_mount), K(in_read_only_bind), K(odd_name), K(deep),
	K(file_255), K(long_target), K(link_slashes), K(dangling_behind), K(loop_behind), K(links_39), K(by_cwd),
	K(by_fd), K(by_root), K(by_own_fd),
};
const unsigned n_name_kinds = ARRAY_SIZE(name_kinds);
