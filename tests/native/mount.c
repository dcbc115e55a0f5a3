// SPDX-License-Identifier: Apache-2.0
/* The calls on mounts, and what /proc/self/mountinfo says after them. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

enum call { BIND, MOVE, TYPE, REMOUNT, REBIND, NEW, UMOUNT, MOVE_MOUNT, SETATTR, PIVOT, N_CALLS };
static const char *const call_names[] = { "bind", "move", "type", "remount", "rebind", "new", "umount", "move_mount",
					  "setattr", "pivot" };

/* Below a case's directory, which is the working directory; absolute ones are as they are. */
static const char *const places[] = {
	"dir", "dir/sub", "dir/../dir", "file", "tmp", "tmp/", "tmp/.", "tmp/sub", "tmp/file", "twice", "onfile", "ro", "to_tmp",
	"to_tmp/", "to_dir", "to_file", "dangling", "loop", "none", "none/none", "file/x", "fifo", "closed/in", ".", "..",
	"", "/", "/proc", "/proc/self/cwd/tmp", "/proc/self/fd/31", "/dev/null", "NULL", "BAD", "LONG", "@tmp", "@file",
};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

static const struct {
	unsigned long bit;
	const char *name;
} bits[] = {
	{ MS_RDONLY, "RDONLY" }, { MS_NOSUID, "NOSUID" }, { MS_NODEV, "NODEV" }, { MS_NOEXEC, "NOEXEC" },
	{ MS_NOATIME, "NOATIME" }, { MS_REC, "REC" }, { MS_SILENT, "SILENT" }, { MS_STRICTATIME, "STRICTATIME" },
	{ 0xC0ED0000, "MAGIC" }, { 1u << 31, "NOUSER" }, { MS_NOSYMFOLLOW, "NOSYMFOLLOW" },
};
static const unsigned long types[] = { MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, MS_SHARED | MS_PRIVATE };
static const char *const type_names[] = { "SHARED", "PRIVATE", "SLAVE", "UNBINDABLE", "TWO" };
static const struct {
	const char *type, *data;
} filesystems[] = {
	{ "tmpfs", NULL }, { "tmpfs", "size=64k,mode=711" }, { "tmpfs", "nonsense=1" }, { "tmpfs", "uid=1000" }, { "ramfs", NULL },
	{ "proc", NULL }, { "proc", "hidepid=2" }, { "sysfs", NULL }, { "devpts", "newinstance" }, { "mqueue", NULL },
	{ "overlay", "lowerdir=/ov/a:/ov/b" }, { "overlay", "lowerdir=/ov/a,upperdir=/ov/up,workdir=/ov/work" },
	{ "overlay", "lowerdir=/ov/none" }, { "overlay", NULL }, { NULL, NULL },
};
#define N_FS (sizeof(filesystems) / sizeof(filesystems[0]))
static const int umounts[] = { 0, 0, MNT_DETACH, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW, MNT_FORCE, 1 << 20,
			       MNT_EXPIRE | MNT_DETACH, MNT_DETACH | UMOUNT_NOFOLLOW };

static struct {
	enum call call;
	unsigned from, to, which, ns;
	unsigned long flags;
	bool busy; /* a descriptor of the target is open */
} c;

static unsigned pick_place(struct dice *d)
{
	/* Those that work are wanted more often. */
	return roll(d, 2) ? roll(d, 16) : roll(d, N_PLACES);
}

/* What other cases need. */
static bool is_common(unsigned i)
{
	return places[i][0] == '/' || strcmp(places[i], "..") == 0;
}

static void make_mount(struct kase *k)
{
	static const char *const spaces[] = { "", " own mounts", " own users" };
	struct dice *d = &k->dice;

	memset(&c, 0, sizeof(c));
	c.call = (enum call)roll(d, N_CALLS);
	c.from = pick_place(d);
	c.to = pick_place(d);
	c.ns = c.call == PIVOT ? 1 + roll(d, 2) : roll(d, 3);
	/* A filesystem that is mounted again is so for everybody. */
	if (c.call == REMOUNT && is_common(c.to))
		c.to = 4;
	if (c.ns == 0 && (is_common(c.from) || is_common(c.to)))
		c.ns = 1;
	k->cred = roll(d, 2) ? 0 : roll(d, n_creds);
	/* The first four differ in capabilities alone; nobody else is known to a user namespace. */
	if (c.ns == 2)
		k->cred %= 4;
	c.busy = roll(d, 8) == 0;
	for (unsigned n = roll(d, 3); n; n--)
		c.flags |= bits[roll(d, roll(d, 6) ? 8 : sizeof(bits) / sizeof(bits[0]))].bit;
	if (c.call == REMOUNT && strcmp(places[c.to], "onfile") == 0)
		c.flags &= ~(unsigned long)MS_RDONLY;
	c.which = roll(d, 1000);
	add(k->what, sizeof(k->what), "%s %s %s", call_names[c.call], places[c.from], places[c.to]);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((c.flags & bits[i].bit) == bits[i].bit)
			add(k->what, sizeof(k->what), " %s", bits[i].name);
	if (c.call == NEW || c.call == REMOUNT)
		add(k->what, sizeof(k->what), " %s %s", filesystems[c.which % N_FS].type, filesystems[c.which % N_FS].data);
	else if (c.call == TYPE)
		add(k->what, sizeof(k->what), " %s", type_names[c.which % 5]);
	else
		add(k->what, sizeof(k->what), " %u", c.which % 10);
	add(k->what, sizeof(k->what), " as %s%s%s", cred_name(k->cred), spaces[c.ns], c.busy ? " busy" : "");
}

static void write_text(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		broken(name);
	close(fd);
}

static void tmpfs_on(const char *name, unsigned long flags)
{
	mkdir(name, 0755);
	if (mount("none", name, "tmpfs", flags, "mode=755") < 0)
		broken(name);
}

/* Not judged differently: the rule of the test is about one place that no case names. */
static void furnish(void)
{
	int fd;

	mkdir("dir", 0755);
	mkdir("dir/sub", 0755);
	mkdir("closed", 0700);
	mkdir("closed/in", 0755);
	write_text("file", "file");
	write_text("onfile", "under");
	tmpfs_on("tmp", 0);
	mkdir("tmp/sub", 0755);
	write_text("tmp/file", "tmp");
	tmpfs_on("twice", 0);
	tmpfs_on("twice", MS_NOSUID);
	tmpfs_on("ro", MS_RDONLY);
	if (mount("file", "onfile", NULL, MS_BIND, NULL) < 0 || symlink("tmp", "to_tmp") < 0 || symlink("dir", "to_dir") < 0 ||
	    symlink("file", "to_file") < 0 || symlink("gone", "dangling") < 0 || symlink("loop", "loop") < 0 ||
	    mkfifo("fifo", 0644) < 0 ||
	    (c.ns != 2 && chown("closed", WEB + 1, 0) < 0))
		broken("furniture");
	fd = open("tmp", O_PATH);
	if (fd < 0 || dup2(fd, 30) < 0)
		broken("tmp");
	close(fd);
	fd = open("dir", O_PATH);
	if (fd < 0 || dup2(fd, 31) < 0)
		broken("dir");
	close(fd);
	fd = open("file", O_PATH);
	if (fd < 0 || dup2(fd, 32) < 0)
		broken("file");
	close(fd);
}

static void own_users(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		broken("unshare");
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/gid_map", "0 0 1");
}

static void prepare(struct kase *k)
{
	if (chdir(k->dir) < 0)
		broken(k->dir);
	if (c.ns == 1 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		broken("unshare");
	if (c.ns == 2) {
		own_users();
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			broken("private");
	}
	furnish();
	/* A mount on itself, as pivot_root wants it. */
	if (c.call == PIVOT && c.which % 2 && mount("dir", "dir", NULL, MS_BIND | MS_REC, NULL) < 0)
		broken("bind");
}

static const char *place(unsigned i)
{
	static char longest[8192];

	if (strcmp(places[i], "NULL") == 0)
		return NULL;
	if (strcmp(places[i], "BAD") == 0)
		return (const char *)8;
	if (strcmp(places[i], "LONG") == 0) {
		memset(longest, 'x', sizeof(longest) - 1);
		return longest;
	}
	return places[i][0] == '@' ? "" : places[i];
}
static int number(unsigned i)
{
	return strcmp(places[i], "@tmp") == 0 ? 30 : strcmp(places[i], "@file") == 0 ? 32 : AT_FDCWD;
}

static long umount_it(void)
{
	int flags = umounts[c.which % 10];
	long r = umount2(place(c.to), flags);

	/* What was not used since is gone the second time. */
	return flags == MNT_EXPIRE && r < 0 && errno == EAGAIN ? umount2(place(c.to), flags) : r;
}

static long set_attributes(void)
{
	static const size_t sizes[] = { 32, 32, 32, 32, 32, 32, 16, 40, 5000, 0 };
	static const unsigned at[] = { 0, 0, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EMPTY_PATH | AT_RECURSIVE,
				       1u << 28 };
	struct {
		struct mount_attr a;
		char rest[5000];
	} s = { .a = { .attr_set = (c.flags & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (c.flags & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0),
		       .attr_clr = c.flags & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0,
		       .propagation = c.flags & MS_REC ? MS_PRIVATE : c.flags & MS_SILENT ? 12345 : 0 } };

	if (c.flags & MS_NOATIME)
		s.rest[0] = 1;
	return syscall(SYS_mount_setattr, number(c.to), place(c.to), at[c.which % 7], c.which % 31 ? &s : (void *)8,
		       sizes[c.which % 10]);
}

static long call(void)
{
	static const unsigned moves[] = { 0, MOVE_MOUNT_F_SYMLINKS, MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH,
					  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH, MOVE_MOUNT_T_SYMLINKS, 0,
					  MOVE_MOUNT_SET_GROUP, 1u << 20, MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_T_SYMLINKS };
	const char *from = place(c.from), *to = place(c.to);

	switch (c.call) {
	case BIND:
		return mount(from, to, c.which % 13 ? NULL : (char *)8, MS_BIND | c.flags, NULL);
	case MOVE:
		return mount(from, to, NULL, MS_MOVE | c.flags, NULL);
	case TYPE:
		return mount(NULL, to, NULL, types[c.which % 5] | c.flags, c.which % 17 ? NULL : (char *)8);
	case REMOUNT:
		return mount(NULL, to, filesystems[c.which % N_FS].type, MS_REMOUNT | c.flags,
			     c.which % 3 ? NULL : filesystems[c.which % N_FS].data);
	case REBIND:
		return mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | c.flags, NULL);
	case NEW:
		return mount(c.which % 7 ? "source" : NULL, to, filesystems[c.which % N_FS].type, c.flags,
			     filesystems[c.which % N_FS].data);
	case UMOUNT:
		return umount_it();
	case MOVE_MOUNT:
		return syscall(SYS_move_mount, number(c.from), from, number(c.to), to, moves[c.which % 10]);
	case SETATTR:
		return set_attributes();
	default:
		return syscall(SYS_pivot_root, c.which % 3 ? "dir" : from, c.which % 3 ? "dir/sub" : to);
	}
}

/* Lines of mounts below the case's directory, without numbers that nobody chose. */
static void tell_mounts(const struct kase *k, char *out, size_t n)
{
	char line[1024], *save, *f[12];
	FILE *in = fopen("/proc/self/mountinfo", "re");

	if (!in)
		in = fopen("/sub/proc/self/mountinfo", "re");
	while (in && fgets(line, sizeof(line), in)) {
		unsigned i = 0;
		char *dash = strstr(line, " - ");
		bool here;

		save = NULL;
		for (f[i] = strtok_r(line, " ", &save); f[i] && i < 9; f[i] = strtok_r(NULL, " ", &save))
			i++;
		here = i > 6 && (strncmp(f[4], k->dir, strlen(k->dir)) == 0 || strcmp(f[4], "/") == 0);
		if (!here || !dash)
			continue;
		add(out, n, " %s[%s,%s", strcmp(f[4], "/") ? f[4] + strlen(k->dir) : "/", strstr(f[3], "/w/") ? "W" : "",
		    f[5]);
		for (unsigned j = 6; j < i && f[j][0] != '-'; j++)
			add(out, n, ",%.*s", (int)strcspn(f[j], ":"), f[j]);
		add(out, n, "]");
	}
	if (in)
		fclose(in);
}

static void act(struct kase *k)
{
	char *t = k->res->text;
	struct stat s;
	long r;
	int fd;

	cred_take(k->cred);
	fd = c.busy ? open(place(c.to), O_RDONLY | O_NONBLOCK) : -1;
	r = call();
	if (r < 0)
		add(t, sizeof(k->res->text), "%s", strerrorname_np(errno));
	else
		add(t, sizeof(k->res->text), "ok");
	if (fd >= 0)
		close(fd);
	tell_mounts(k, t, sizeof(k->res->text));
	if (r == 0 && c.call == NEW && stat(place(c.to), &s) == 0)
		add(t, sizeof(k->res->text), " root %o %u %u", s.st_mode, s.st_uid, s.st_gid);
	k->res->done = true;
}

/* What a case mounted in the container's own namespace would stay there, and the table of mounts is read after each change of it. The
 * newest first. */
static void clean_mounts(struct kase *k)
{
	char line[1024], at[64][256];
	size_t n = 0;
	FILE *in = c.ns ? NULL : fopen("/proc/self/mountinfo", "re");

	while (in && n < 64 && fgets(line, sizeof(line), in))
		if (sscanf(line, "%*s %*s %*s %*s %255s", at[n]) == 1 && strncmp(at[n], k->dir, strlen(k->dir)) == 0 &&
		    at[n][strlen(k->dir)] == '/')
			n++;
	if (in)
		fclose(in);
	while (n)
		if (umount2(at[--n], MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
			broken(at[n]);
}

static void world(void)
{
	static const char *const dirs[] = { "/ov", "/ov/a", "/ov/b", "/ov/up", "/ov/work" };

	if (mount("none", "/w", "tmpfs", 0, NULL) < 0)
		broken("/w");
	mkdir(dirs[0], 0755);
	if (mount("none", "/ov", "tmpfs", 0, NULL) < 0)
		broken("/ov");
	for (size_t i = 1; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mkdir(dirs[i], 0755);
}

const struct family family_mount = { "mount", world, make_mount, prepare, act, clean_mounts, true };
