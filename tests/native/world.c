// SPDX-License-Identifier: Apache-2.0
/*
 * What a path can lead to. Nothing here opens a file: what is prepared is not to depend on the calls that are
 * compared.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "native.h"

void must(int r, const char *what)
{
	if (r < 0)
		broken(what);
}

char *in(struct kase *k, const char *name)
{
	static char p[4][400];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(p[i], sizeof(p[i]), "%s/%s", k->dir, name);
	return p[i];
}

void make(struct kase *k, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	const char *p = in(k, name);

	if (S_ISDIR(mode))
		must(mkdir(p, 0700), p);
	else
		must(mknod(p, S_IFREG | 0600, 0), p);
	if (!S_ISDIR(mode))
		must(truncate(p, 5 + k->made++), p);
	must(chown(p, uid, gid), p);
	must(chmod(p, mode & 07777), p);
}

void link_to(struct kase *k, const char *to, const char *name)
{
	must(symlink(to, in(k, name)), name);
}

void is(struct kase *k, const char *name)
{
	snprintf(k->path, sizeof(k->path), "%s/%s", k->dir, name);
}

/* ---- files ---- */

#define FILE_KIND(fn, mode, uid, gid)                                                              \
	static void fn(struct kase *k)                                                             \
	{                                                                                          \
		make(k, "f", mode, uid, gid);                                                      \
		is(k, "f");                                                                        \
	}
FILE_KIND(plain, 0644, 0, 0)
FILE_KIND(plain_root, 0600, 0, 0)
FILE_KIND(plain_web, 0600, WEB, WEB)
FILE_KIND(read_only, 0444, WEB, WEB)
FILE_KIND(nothing, 0, WEB, WEB)
FILE_KIND(of_group, 0640, 0, GROUP)
FILE_KIND(group_less, 0604, WEB, GROUP)
FILE_KIND(set_uid, 06755, WEB, GROUP)
FILE_KIND(everybody, 0666, WEB, WEB)

static void missing(struct kase *k) { is(k, "new"); }
static void missing_directory(struct kase *k) { is(k, "no/new"); }
static void file_as_directory(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	is(k, "f/x");
}
static void slash_file(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	is(k, "f/");
}
static void slash_missing(struct kase *k) { is(k, "new/"); }

/* ---- directories ---- */

static void directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0755, WEB, WEB);
	is(k, "d");
}
static void slash_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	is(k, "d/");
}
static void closed_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0700, 0, 0);
	make(k, "d/f", 0666, 0, 0);
	is(k, roll(&k->dice, 2) ? "d/f" : "d/new");
}
static void search_only(struct kase *k)
{
	make(k, "d", S_IFDIR | 0711, 0, 0);
	make(k, "d/f", 0666, 0, 0);
	is(k, roll(&k->dice, 2) ? "d/f" : "d/new");
}
static void setgid_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 02777, 0, GROUP);
	is(k, "d/new");
}
static void open_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, WEB, GROUP);
	is(k, "d/new");
}
/* fs.protected_regular, fs.protected_fifos, fs.protected_symlinks */
static void sticky_file(struct kase *k)
{
	make(k, "d", S_IFDIR | 01777, 0, 0);
	make(k, "d/f", 0666, roll(&k->dice, 2) ? WEB : 1001, 0);
	is(k, "d/f");
}
static void sticky_link(struct kase *k)
{
	make(k, "f", 0666, 0, 0);
	make(k, "d", S_IFDIR | 01777, 0, 0);
	link_to(k, "../f", "d/l");
	must(lchown(in(k, "d/l"), roll(&k->dice, 2) ? WEB : 1001, 0), "lchown");
	is(k, "d/l");
}
static void sticky_fifo(struct kase *k)
{
	make(k, "d", S_IFDIR | 01777, 0, 0);
	must(mknod(in(k, "d/p"), S_IFIFO | 0600, 0), "mknod");
	must(chmod(in(k, "d/p"), 0666), "chmod");
	must(chown(in(k, "d/p"), 1001, 0), "chown");
	is(k, "d/p");
}

/* ---- symbolic links ---- */

static void to_file(struct kase *k)
{
	make(k, "f", 0644, WEB, WEB);
	link_to(k, "f", "l");
	is(k, "l");
}
static void to_file_absolute(struct kase *k)
{
	make(k, "f", 0644, WEB, WEB);
	link_to(k, in(k, "f"), "l");
	is(k, "l");
}
static void to_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0755, 0, 0);
	link_to(k, "d", "l");
	is(k, roll(&k->dice, 2) ? "l" : "l/");
}
static void through_directory(struct kase *k)
{
	make(k, "d", S_IFDIR | 0777, 0, 0);
	make(k, "d/f", 0644, WEB, WEB);
	link_to(k, "./d/../d/", "l");
	is(k, roll(&k->dice, 2) ? "l/f" : "l/../f");
}
static void dangling(struct kase *k)
{
	link_to(k, "new", "l");
	is(k, "l");
}
static void dangling_twice(struct kase *k)
{
	make(k, "d", S_IFDIR | 02777, 0, GROUP);
	link_to(k, "l2", "l");
	link_to(k, "d/new", "l2");
	is(k, "l");
}
static void dangling_slash(struct kase *k)
{
	link_to(k, "new/", "l");
	is(k, "l");
}
static void itself(struct kase *k)
{
	link_to(k, "l", "l");
	is(k, "l");
}
static void chain(struct kase *k, int n)
{
	char a[16], b[16];

	make(k, "0", 0644, 0, 0);
	for (int i = 1; i <= n; i++) {
		snprintf(a, sizeof(a), "%d", i - 1);
		snprintf(b, sizeof(b), "%d", i);
		link_to(k, a, b);
	}
	snprintf(b, sizeof(b), "%d", n);
	is(k, b);
}
static void chain_5(struct kase *k) { chain(k, 5); }
static void chain_40(struct kase *k) { chain(k, 40); }
static void chain_41(struct kase *k) { chain(k, 41); }
static void file_link_slash(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	link_to(k, "f", "l");
	is(k, "l/");
}

/* ---- what is no file ---- */

bool everybodys_devices(void)
{
	return getenv("EVERYBODYS_DEVICES") != NULL;
}

static void special(struct kase *k, mode_t mode, dev_t dev)
{
	if (everybodys_devices() && dev && major(dev) != 1)
		mode = S_IFCHR | (mode & 0777), dev = makedev(1, 3);
	must(mknod(in(k, "s"), mode, dev), "mknod");
	must(chmod(in(k, "s"), mode & 0777), "chmod");
	is(k, "s");
}
static void fifo(struct kase *k) { special(k, S_IFIFO | 0666, 0); }
static void fifo_root(struct kase *k) { special(k, S_IFIFO | 0600, 0); }
static void unix_socket(struct kase *k) { special(k, S_IFSOCK | 0666, 0); }
static void null_device(struct kase *k) { special(k, S_IFCHR | 0666, makedev(1, 3)); }
static void full_device(struct kase *k) { special(k, S_IFCHR | 0600, makedev(1, 7)); }
static void no_device(struct kase *k) { special(k, S_IFCHR | 0666, makedev(251, 77)); }
static void block_device(struct kase *k) { special(k, S_IFBLK | 0666, makedev(7, 200)); }

/* ---- names ---- */

static void empty(struct kase *k) { k->path[0] = 0; }
static void dot(struct kase *k) { is(k, "."); }
static void dotdot(struct kase *k) { is(k, ".."); }
static void slashes(struct kase *k)
{
	make(k, "f", 0644, 0, 0);
	snprintf(k->path, sizeof(k->path), "//w/./%s///./f", k->dir + 3);
}
static void name_of(struct kase *k, unsigned n)
{
	char name[300] = "";

	memset(name, 'n', n);
	is(k, name);
}
static void name_255(struct kase *k) { name_of(k, 255); }
static void name_256(struct kase *k) { name_of(k, 256); }
static void path_of(struct kase *k, size_t n)
{
	size_t own;

	make(k, "f", 0644, 0, 0);
	own = strlen(k->dir) + 2;
	memset(k->path, '/', n);
	snprintf(k->path + n - own, own + 1, "%s/f", k->dir);
}
static void path_4095(struct kase *k) { path_of(k, 4095); }
static void path_4096(struct kase *k) { path_of(k, 4096); }

/* ---- elsewhere ---- */

#define FIXED(fn, where, moves)                                                                    \
	static void fn(struct kase *k)                                                             \
	{                                                                                          \
		snprintf(k->path, sizeof(k->path), "%s", where);                                   \
		k->volatile_ = moves;                                                              \
	}
FIXED(read_only_mount, "/ro/f", false)
FIXED(read_only_new, "/ro/new", false)
FIXED(no_device_mount, "/nodev/null", false)
FIXED(root_directory, "/", false)
FIXED(dev_null, "/dev/null", true)
FIXED(dev_tty, "/dev/tty", true)
FIXED(dev_full, "/dev/full", true)
FIXED(dev_stdin, "/dev/stdin", true)
FIXED(dev_fd, "/dev/fd/0", true)
FIXED(proc_status, "/proc/self/status", true)
FIXED(proc_thread, "/proc/thread-self/comm", true)
FIXED(proc_self, "/proc/self", true)
FIXED(proc_fd_0, "/proc/self/fd/0", true)
FIXED(proc_fd_20, "/proc/self/fd/20", true)
FIXED(proc_fd_21, "/proc/self/fd/21", true)
FIXED(proc_fd_22, "/proc/self/fd/22", true)
FIXED(proc_fd_99, "/proc/self/fd/99", true)
FIXED(proc_exe, "/proc/self/exe", true)
FIXED(proc_cwd, "/proc/self/cwd", true)
FIXED(proc_root, "/proc/self/root", true)
FIXED(proc_root_file, "/proc/self/root/etc/motd", true)
FIXED(proc_ns, "/proc/self/ns/uts", true)
FIXED(proc_mem, "/proc/self/mem", true)
FIXED(proc_1_environ, "/proc/1/environ", true)
FIXED(proc_sys, "/proc/sys/kernel/hostname", true)
FIXED(proc_kcore, "/proc/kcore", true)
FIXED(proc_dir, "/proc/self/fd", true)
FIXED(proc_oom, "/proc/self/oom_score_adj", true)
FIXED(sys_file, "/sys/kernel/mm/transparent_hugepage/enabled", true)
FIXED(sys_directory, "/sys/kernel", true)
FIXED(running, "/opt/native", true)

void world_make(void)
{
	static const char *const at[] = { "/ro", "/nodev", "/w" };

	for (int i = 0; i < 3; i++) {
		must(mkdir(at[i], 0755) < 0 && errno != EEXIST ? -1 : 0, at[i]);
		must(mount("none", at[i], "tmpfs", i == 1 ? MS_NODEV : 0, "mode=755"), at[i]);
	}
	must(mknod("/ro/f", S_IFREG | 0666, 0), "/ro/f");
	must(truncate("/ro/f", 5), "/ro/f");
	must(mknod("/nodev/null", S_IFCHR | 0666, makedev(1, 3)), "/nodev/null");
	must(mount("none", "/ro", NULL, MS_REMOUNT | MS_RDONLY, NULL), "/ro");
}

#define K(fn) { #fn, fn }
static const struct kind kinds[] = {
	K(plain), K(plain_root), K(plain_web), K(read_only), K(nothing), K(of_group), K(group_less), K(set_uid),
	K(everybody), K(missing), K(missing_directory), K(file_as_directory), K(slash_file), K(slash_missing),
	K(directory), K(slash_directory), K(closed_directory), K(search_only), K(setgid_directory),
	K(open_directory), K(sticky_file), K(sticky_link), K(sticky_fifo), K(to_file), K(to_file_absolute),
	K(to_directory), K(through_directory), K(dangling), K(dangling_twice), K(dangling_slash), K(itself),
	K(chain_5), K(chain_40), K(chain_41), K(file_link_slash), K(fifo), K(fifo_root), K(unix_socket),
	K(null_device), K(full_device), K(no_device), K(block_device), K(empty), K(dot), K(dotdot), K(slashes),
	K(name_255), K(name_256), K(path_4095), K(path_4096), K(read_only_mount), K(read_only_new),
	K(no_device_mount), K(root_directory), K(dev_null), K(dev_tty), K(dev_full), K(dev_stdin), K(dev_fd),
	K(proc_status), K(proc_thread), K(proc_self), K(proc_fd_0), K(proc_fd_20), K(proc_fd_21), K(proc_fd_22),
	K(proc_fd_99), K(proc_exe), K(proc_cwd), K(proc_root), K(proc_root_file), K(proc_ns), K(proc_mem),
	K(proc_1_environ), K(proc_sys), K(proc_kcore), K(proc_dir), K(proc_oom), K(sys_file), K(sys_directory),
	K(running),
};

const unsigned n_kinds = sizeof(kinds) / sizeof(kinds[0]);
const char *kind_name(unsigned kind) { return kinds[kind].name; }
void kind_make(struct kase *k, unsigned kind) { kinds[kind].make(k); }

/* What later cases need, or what belongs to the machine. */
static bool may_change(const char *name)
{
	static const char *const no[] = { "dev_", "sys_", "proc_sys", "proc_kcore", "proc_1_", "proc_oom", "running",
					  "no_device_mount" };

	for (unsigned i = 0; i < ARRAY_SIZE(no); i++)
		if (strncmp(name, no[i], strlen(no[i])) == 0)
			return false;
	return true;
}

static const struct kind *change_kind(unsigned kind)
{
	unsigned i = 0;

	for (; i < n_kinds; i++)
		if (may_change(kinds[i].name) && !kind--)
			return &kinds[i];
	return kind < n_name_kinds ? &name_kinds[kind] : NULL;
}

unsigned change_kinds(void)
{
	static unsigned n;

	while (change_kind(n))
		n++;
	return n;
}

const char *change_kind_name(unsigned kind) { return change_kind(kind)->name; }
unsigned change_kind_of(const char *name)
{
	for (unsigned i = 0; i < change_kinds(); i++)
		if (strcmp(change_kind(i)->name, name) == 0)
			return i;
	broken(name);
}

void change_kind_make(struct kase *k, unsigned kind) { change_kind(kind)->make(k); }
bool kind_may_block(unsigned kind) { return strstr(kinds[kind].name, "fifo") != NULL; }

void describe(const char *path, char *out, size_t n)
{
	struct stat s;

	if (lstat(path, &s) < 0) {
		snprintf(out, n, "%s", strerrorname_np(errno));
		return;
	}
	if (S_ISLNK(s.st_mode) && stat(path, &s) < 0)
		snprintf(out, n, "link to nothing");
	else
		snprintf(out, n, "%o %u:%u size %ld", s.st_mode, s.st_uid, s.st_gid,
			 S_ISREG(s.st_mode) ? (long)s.st_size : 0);
}

/* Names of 255 bytes take less room. */
static void say_name(const char *name, char *out, size_t n)
{
	if (strlen(name) > 40)
		add(out, n, " %.3s*%zu", name, strlen(name));
	else
		add(out, n, " %s", name);
}

static void describe_one(const char *path, char *out, size_t n)
{
	const char *name = strrchr(path, '/') + 1;
	char to[5000];
	struct stat s;
	ssize_t len;

	if (lstat(path, &s) < 0) {
		add(out, n, " %s?", name);
		return;
	}
	say_name(name, out, n);
	add(out, n, " %o %u:%u", s.st_mode, s.st_uid, s.st_gid);
	if (!S_ISDIR(s.st_mode))
		add(out, n, " links %lu", (unsigned long)s.st_nlink);
	if (S_ISREG(s.st_mode))
		add(out, n, " size %ld", (long)s.st_size);
	if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode))
		add(out, n, " device %x", (unsigned)s.st_rdev);
	len = S_ISLNK(s.st_mode) ? readlink(path, to, sizeof(to) - 1) : 0;
	if (len > 0) {
		to[len] = 0;
		add(out, n, " ->");
		say_name(to, out, n);
	}
	add(out, n, ",");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

/* As deep as cases are. */
static void below(const char *dir, char *out, size_t n, unsigned depth)
{
	struct dirent **list = NULL;
	int count = scandir(dir, &list, no_dots, by_name);
	char path[1200];

	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		describe_one(path, out, n);
		if (list[i]->d_type == DT_DIR && depth) {
			add(out, n, " [");
			below(path, out, n, depth - 1);
			add(out, n, "]");
		}
		free(list[i]);
	}
	free(list);
}

void describe_tree(const char *dir, char *out, size_t n)
{
	describe_one(dir, out, n);
	below(dir, out, n, 5);
}
