// SPDX-License-Identifier: Apache-2.0
/* The calls that change names, owners, modes and sizes. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

/* Arguments, in order: d descriptor, p path; D, P the same of the second path; t text of a link; m mode, v device, u uid,
 * g gid, l length, h its upper half (i386), f flags. */
struct call {
	const char *name, *args;
	long nr, nr_i386;
};

static const struct call made[] = {
	{ "mkdir", "pm", SYS_mkdir, 39 },	   { "mkdirat", "dpm", SYS_mkdirat, 296 },
	{ "rmdir", "p", SYS_rmdir, 40 },	   { "unlink", "p", SYS_unlink, 10 },
	{ "unlinkat", "dpf", SYS_unlinkat, 301 },  { "unlinkat", "dpf", SYS_unlinkat, 301 },
};
static const struct call renamed[] = {
	{ "rename", "pP", SYS_rename, 38 },
	{ "renameat", "dpDP", SYS_renameat, 302 },
	{ "renameat2", "dpDPf", SYS_renameat2, 353 },
	{ "renameat2", "dpDPf", SYS_renameat2, 353 },
};
static const struct call linked[] = {
	{ "link", "pP", SYS_link, 9 },
	{ "linkat", "dpDPf", SYS_linkat, 303 },
	{ "linkat", "dpDPf", SYS_linkat, 303 },
	{ "symlink", "tp", SYS_symlink, 83 },
	{ "symlinkat", "tdp", SYS_symlinkat, 304 },
};
static const struct call nodes[] = {
	{ "mknod", "pmv", SYS_mknod, 14 },
	{ "mknodat", "dpmv", SYS_mknodat, 297 },
};
static const struct call modes[] = {
	{ "chmod", "pm", SYS_chmod, 15 },
	{ "fchmodat", "dpm", SYS_fchmodat, 306 },
	{ "fchmodat2", "dpmf", 452, 452 },
};
static const struct call owners[] = {
	{ "chown", "pug", SYS_chown, 212 },	     { "lchown", "pug", SYS_lchown, 198 },
	{ "fchownat", "dpugf", SYS_fchownat, 298 },  { "fchownat", "dpugf", SYS_fchownat, 298 },
	{ "chown16", "pug", -1, 182 },		     { "lchown16", "pug", -1, 16 },
};
static const struct call sizes[] = {
	{ "truncate", "pl", SYS_truncate, 92 },
	{ "truncate", "pl", SYS_truncate, 92 },
	{ "truncate64", "plh", -1, 193 },
};

enum memory { PLAIN, AT_PAGE_END, NOT_MAPPED, NO_END };
enum relation { APART, SAME, BELOW, ABOVE, OTHER_NAME, N_RELATIONS };

/* What one roll of the dice is; both processes know it. */
static struct {
	const struct call *call;
	bool i386;
	enum place place;
	char path[2][8300];
	enum memory memory[2], text_memory;
	int fd; /* in place of the one of the place, with an empty path; -1: none */
	char text[4200];
	uint64_t mode, device, uid, gid, length, flags;
	bool small; /* RLIMIT_FSIZE */
} c;

static bool has(char arg)
{
	return strchr(c.call->args, arg) != NULL;
}

/* ---- values ---- */

static uint64_t pick_mode(struct dice *d)
{
	static const uint64_t values[] = { 0755, 0644, 0777, 0, 01777, 02755, 04755, 06777, 07777, 0x1ffff, 010000755 };

	return PICK(d, values);
}

static uint64_t pick_type(struct dice *d)
{
	static const uint64_t types[] = { S_IFREG, S_IFREG, 0, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFCHR, S_IFBLK, S_IFDIR,
					  S_IFLNK, 0170000, 0030000 };
	uint64_t type = PICK(d, types);

	return everybodys_devices() && type == S_IFBLK ? S_IFCHR : type;
}

static uint64_t pick_device(struct dice *d)
{
	/* The kernel's form: null, zero, console, none there is, a loop device, a minor number of 300 ... */
	static const uint64_t devices[] = { 0, 0x103, 0x103, 0x105, 0x501, 0xfb4d, 0x7c8, 0x10012c, 0xffffffff, 0x100000103 };
	uint64_t device = PICK(d, devices);

	return everybodys_devices() && device > 0x105 ? 0x103 : device;
}

static uint64_t pick_id(struct dice *d)
{
	static const uint64_t ids[] = { (uint64_t)-1, (uint64_t)-1, 0, 0, WEB, WEB, WEB, GROUP, GROUP, 1001, 65534, 65535, 65536,
					0xfffffffe, 0x80000000, 0x1000003e8 };

	return PICK(d, ids);
}

static uint64_t pick_length(struct dice *d)
{
	static const uint64_t lengths[] = { 0, 0, 1, 5, 6, 100, 4096, 5000, (uint64_t)-1, 1ull << 40, INT64_MAX,
					    0x7fffffff, 0x80000000, 0x100000003 };

	return PICK(d, lengths);
}

static uint64_t pick_flags(struct dice *d)
{
	static const uint64_t remove[] = { 0, 0, AT_REMOVEDIR, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 1,
					   AT_REMOVEDIR | 1, 1u << 31 };
	static const uint64_t rename[] = { 0, 0, 1, 2, 2, 4, 1 | 2, 2 | 4, 1 | 4, 8, 1u << 31 };
	static const uint64_t link[] = { 0, 0, 0, AT_SYMLINK_FOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH,
					 AT_EMPTY_PATH | AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, 1 };
	static const uint64_t change[] = { 0, 0, 0, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH,
					   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, 2 };
	uint64_t high = roll(d, 20) ? 0 : 1ull << 40;

	switch (c.call->nr) {
	case SYS_unlinkat:
		return high | PICK(d, remove);
	case SYS_renameat2:
		return high | PICK(d, rename);
	case SYS_linkat:
		return high | PICK(d, link);
	default:
		return high | PICK(d, change);
	}
}

static void pick_text(struct dice *d)
{
	static const unsigned lengths[] = { 0, 2, 2, 2, 255, 1000, 4094, 4095, 4096, 4100 };
	unsigned n = PICK(d, lengths);

	memset(c.text, 't', n);
	c.text[n] = 0;
	if (n == 2)
		strcpy(c.text, PICK(d, ((const char *const[]){ "f", "/etc/motd", "../x/", "l" })));
}

static enum memory pick_memory(struct dice *d)
{
	unsigned n = roll(d, 120);

	return n < 1 ? NOT_MAPPED : n < 2 ? NO_END : n < 12 ? AT_PAGE_END : PLAIN;
}

/* ---- the case ---- */

/* The directory that the name is in, too, is of many kinds. */
static void set_directory(struct kase *k)
{
	static const struct {
		mode_t mode;
		uid_t uid;
		gid_t gid;
	} of[] = { { 0755, 0, 0 }, { 0777, 0, 0 }, { 0777, 0, 0 }, { 0777, WEB, 0 },
		   { 01777, 0, 0 }, { 01777, WEB, 0 }, { 02777, 0, GROUP },
		   { 0770, 0, GROUP }, { 0755, WEB, WEB }, { 0555, WEB, WEB }, { 0711, 0, 0 }, { 0700, 0, 0 },
		   { 03777, 1001, GROUP } };
	unsigned i = roll(&k->dice, ARRAY_SIZE(of));

	must(chown(k->dir, of[i].uid, of[i].gid), "chown");
	must(chmod(k->dir, of[i].mode), "chmod");
	add(k->what, sizeof(k->what), " in %o %u:%u", of[i].mode, of[i].uid, of[i].gid);
}

/* One of the two paths, with a directory of its own. */
static void make_path(struct kase *k, unsigned which)
{
	static const char *const fresh[] = { "missing", "missing", "setgid_directory", "open_directory", "odd_name", "in_mount",
					     "sticky", "group_directory", "dangling" };
	bool makes = which || c.call->nr == SYS_mkdir || c.call->nr == SYS_mkdirat || c.call->nr == SYS_symlink ||
		     c.call->nr == SYS_symlinkat || has('v');
	unsigned kind = roll(&k->dice, change_kinds());

	/* What there is stands in the way of what is to be made. */
	if (makes && roll(&k->dice, 2))
		kind = change_kind_of(PICK(&k->dice, fresh));
	snprintf(k->dir, sizeof(k->dir), "%s/%c", k->top, 'a' + (int)which);
	must(mkdir(k->dir, 0755), "mkdir");
	add(k->what, sizeof(k->what), " %s", change_kind_name(kind));
	change_kind_make(k, kind);
	set_directory(k);
	snprintf(c.path[which], sizeof(c.path[which]), "%s", k->path);
}

static void make_second(struct kase *k)
{
	static const char *const words[] = { "", " the same", " below", " above", " another name" };
	static const enum relation of[] = { APART, APART, APART, APART, APART, SAME, BELOW, ABOVE, OTHER_NAME };
	enum relation how = PICK(&k->dice, of);
	size_t n = strlen(c.path[0]);

	if (how == APART || n < 3 || n > 1000 || c.path[0][n - 1] == '/') {
		make_path(k, 1);
		return;
	}
	memcpy(c.path[1], c.path[0], n);
	memcpy(c.path[1] + n, how == BELOW ? "/new" : how == OTHER_NAME ? "2\0\0\0" : "\0\0\0\0", sizeof("/new"));
	if (how == ABOVE)
		*strrchr(c.path[1], '/') = 0;
	if (how == OTHER_NAME)
		(void)link(c.path[0], c.path[1]);
	add(k->what, sizeof(k->what), "%s", words[how]);
}

static void say(struct kase *k)
{
	char *w = k->what;
	size_t n = sizeof(k->what);
	static const char *const memory[] = { "", " page-end", " no-memory", " no-end" };

	if (has('m'))
		add(w, n, " mode %lo", (unsigned long)c.mode);
	if (has('v'))
		add(w, n, " device %lx", (unsigned long)c.device);
	if (has('u'))
		add(w, n, " to %ld:%ld", (long)c.uid, (long)c.gid);
	if (has('l'))
		add(w, n, " length %ld%s", (long)c.length, c.small ? " limited" : "");
	if (has('f'))
		add(w, n, " flags %lx", (unsigned long)c.flags);
	if (has('t'))
		add(w, n, " text %zu%.1s%s", strlen(c.text), c.text, memory[c.text_memory]);
	if (c.fd != -1)
		add(w, n, " empty %d", c.fd);
	add(w, n, "%s%s%s at %s umask %o as %s", memory[c.memory[0]], memory[c.memory[1]], c.i386 ? " i386" : "",
	    place_name(c.place), k->mask, cred_name(k->cred));
}

static void make_of(struct kase *k, const struct call *calls, unsigned n)
{
	static const unsigned masks[] = { 022, 0, 077, 027, 0777 };
	static const int empty[] = { 20, 21, 22, 23, 24, 25, PLACE_FD, PLACE_FD, AT_FDCWD, 77 };
	struct dice *d = &k->dice;

	memset(&c, 0, sizeof(c));
	c.call = &calls[roll(d, n)];
	c.i386 = c.call->nr < 0 || roll(d, 10) == 0;
	c.place = place_pick(d, has('d'));
	c.fd = -1;
	add(k->what, sizeof(k->what), "%s", c.call->name);
	make_path(k, 0);
	if (has('P'))
		make_second(k);
	snprintf(k->dir, sizeof(k->dir), "%s/a", k->top);
	c.mode = pick_mode(d);
	if (has('v'))
		c.mode = (c.mode & ~(uint64_t)S_IFMT) | pick_type(d);
	c.device = pick_device(d);
	c.uid = pick_id(d);
	c.gid = pick_id(d);
	c.length = pick_length(d);
	c.small = roll(d, 8) == 0;
	if (has('f'))
		c.flags = pick_flags(d);
	if (has('t'))
		pick_text(d);
	for (unsigned i = 0; i < 2; i++)
		c.memory[i] = pick_memory(d);
	c.text_memory = has('t') ? pick_memory(d) : PLAIN;
	if (has('f') && has('d') && c.flags & AT_EMPTY_PATH && c.call->nr != SYS_renameat2 && roll(d, 3)) {
		c.fd = PICK(d, empty);
		c.path[0][0] = 0;
		c.memory[0] = PLAIN;
	}
	k->mask = PICK(d, masks);
	k->cred = roll(d, 3) ? roll(d, n_all_creds) : 0;
	/* Whoever did chroot makes no user namespaces. */
	if (c.place == ROOTED || c.place == OUTSIDE)
		k->cred = k->cred % (n_all_creds - 1);
	say(k);
}

/* 20 a deleted file, 21 a pipe, 22 a socket; of the case's directory 23 a file open for reading, 24 the same by O_PATH,
 * 25 a symbolic link. */
static void prepare(struct kase *k)
{
	struct rlimit few = { 50, 1u << 20 };
	int fd, ends[2];
	char p[100];

	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 20) < 0 || pipe(ends) < 0 || dup2(ends[0], 21) < 0)
		broken("descriptors");
	dup2(socket(AF_UNIX, SOCK_STREAM, 0), 22);
	if (c.fd >= 23 && c.fd <= 25) {
		snprintf(p, sizeof(p), "%s/open", k->dir);
		must(c.fd == 25 ? symlink("x", p) : mknod(p, S_IFREG | 0644, 0), "open");
		must(lchown(p, WEB, WEB), "lchown");
		must(dup2(open(p, c.fd == 23 ? O_RDONLY : O_PATH | O_NOFOLLOW), c.fd), "dup2");
	}
	for (int i = 3; i < 20; i++)
		close(i);
	place_take(k, c.place);
	umask(k->mask);
	if (c.small) {
		signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &few) < 0)
			broken("setrlimit");
	}
}

static unsigned long placed(const char *text, enum memory how)
{
	size_t n = strlen(text);

	if (how == NOT_MAPPED)
		return 8;
	return (unsigned long)memory_of(text, n + (how != NO_END), how == NO_END || how == AT_PAGE_END);
}

static void act(struct kase *k)
{
	unsigned long a[6] = { 0 };
	int fd = place_fd(c.place);
	long r;

	cred_take(k->cred);
	for (unsigned i = 0; c.call->args[i]; i++)
		switch (c.call->args[i]) {
		case 'd':
			a[i] = (unsigned long)(c.fd != -1 ? c.fd : fd);
			break;
		case 'D':
			a[i] = (unsigned long)fd;
			break;
		case 'p':
			a[i] = placed(place_path(k, c.place, c.path[0]), c.memory[0]);
			break;
		case 'P':
			a[i] = placed(place_path(k, c.place, c.path[1]), c.memory[1]);
			break;
		case 't':
			a[i] = placed(c.text, c.text_memory);
			break;
		case 'm':
			a[i] = c.mode;
			break;
		case 'v':
			a[i] = c.device;
			break;
		case 'u':
			a[i] = c.uid;
			break;
		case 'g':
			a[i] = c.gid;
			break;
		case 'l':
			a[i] = c.length;
			break;
		case 'h':
			a[i] = c.length >> 32;
			break;
		case 'f':
			a[i] = c.flags;
			break;
		}
	errno = 0;
	r = c.i386 ? call_i386(c.call->nr_i386, a) : syscall(c.call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r < 0)
		add(k->res->text, sizeof(k->res->text), "%s", strerrorname_np(errno));
	else
		add(k->res->text, sizeof(k->res->text), "done %ld", r);
	k->res->done = true;
}

/* What cases may have changed that others need. */
void clean_changes(struct kase *k)
{
	char p[100];

	snprintf(p, sizeof(p), "%s/a/m", k->top);
	for (; k->mounted && *p; p[strlen(k->top) + 1]++) {
		if (umount2(p, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT && errno != ENOTDIR)
			broken("umount");
		if (p[strlen(k->top) + 1] == 'b')
			break;
	}
	must(chown("/", 0, 0), "/");
	must(chmod("/", 0755), "/");
	must(chown("/opt/native", 0, 0), "/opt/native");
	must(chmod("/opt/native", 0755), "/opt/native");
}

#define FAMILY(which, calls)                                                                       \
	static void make_##which(struct kase *k) { make_of(k, calls, ARRAY_SIZE(calls)); }         \
	const struct family family_##which = { #which, world_make, make_##which, prepare, act, clean_changes, false };
FAMILY(make, made)
FAMILY(rename, renamed)
FAMILY(link, linked)
FAMILY(node, nodes)
FAMILY(mode, modes)
FAMILY(owner, owners)
FAMILY(size, sizes)
