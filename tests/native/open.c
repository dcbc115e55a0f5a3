// SPDX-License-Identifier: Apache-2.0
/* The calls that open. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

enum call { OPEN, OPENAT, OPENAT_DIR, OPENAT_BAD, OPENAT_FILE, OPEN_CWD, OPENAT2, OPENAT2_DIR, CREAT, N_CALLS };
static const char *const call_names[] = { "open", "openat", "openat(dir)", "openat(bad)", "openat(file)", "open(cwd)",
					  "openat2", "openat2(dir)", "creat" };

/* What one roll of the dice is; both processes know it. */
static struct {
	enum call call;
	unsigned kind;
	uint64_t flags, mode, resolve;
	size_t how_size;
	int limit;  /* descriptors allowed; 0: as it is */
	bool hole;  /* descriptor 3 is in use, 4 is the lowest free one */
	bool bad_pointer;
} c;

static const struct {
	uint64_t bit;
	const char *name;
} bits[] = {
	{ O_CREAT, "CREAT" },	    { O_EXCL, "EXCL" },	      { O_TRUNC, "TRUNC" },	  { O_APPEND, "APPEND" },
	{ O_NOFOLLOW, "NOFOLLOW" }, { O_DIRECTORY, "DIRECTORY" }, { O_TMPFILE, "TMPFILE" }, { O_CLOEXEC, "CLOEXEC" },
	{ O_NONBLOCK, "NONBLOCK" }, { O_PATH, "PATH" },	      { O_NOATIME, "NOATIME" },	  { O_DSYNC, "DSYNC" },
	{ O_SYNC, "SYNC" },	    { O_NOCTTY, "NOCTTY" },   { O_DIRECT, "DIRECT" },	  { O_ASYNC, "ASYNC" },
	{ 1u << 30, "BIT30" },
};
static const struct {
	uint64_t bit;
	const char *name;
} resolves[] = {
	{ RESOLVE_NO_XDEV, "NO_XDEV" },	  { RESOLVE_NO_MAGICLINKS, "NO_MAGICLINKS" },
	{ RESOLVE_NO_SYMLINKS, "NO_SYMLINKS" }, { RESOLVE_BENEATH, "BENEATH" },
	{ RESOLVE_IN_ROOT, "IN_ROOT" },	  { 1u << 20, "BIT20" },
};

static uint64_t pick_flags(struct dice *d)
{
	static const uint64_t usual[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_CREAT, O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_EXCL,
		O_WRONLY | O_CREAT | O_APPEND, O_RDONLY | O_CREAT, O_RDONLY | O_TRUNC, O_RDONLY | O_DIRECTORY,
		O_RDONLY | O_NOFOLLOW, O_RDWR | O_TMPFILE, O_WRONLY | O_TMPFILE | O_EXCL, O_PATH, O_PATH | O_NOFOLLOW,
		O_PATH | O_DIRECTORY, O_RDONLY | O_NOATIME, O_WRONLY | O_CREAT | O_NOFOLLOW, O_CREAT | O_DIRECTORY,
	};
	uint64_t f;

	if (roll(d, 3))
		f = usual[roll(d, sizeof(usual) / sizeof(usual[0]))];
	else
		f = roll(d, 4);
	for (unsigned n = roll(d, 3); n; n--)
		f |= bits[roll(d, sizeof(bits) / sizeof(bits[0]))].bit;
	return f;
}

static void say_flags(char *out, size_t n)
{
	static const char *const access[] = { "RDONLY", "WRONLY", "RDWR", "3" };

	add(out, n, "%s", access[c.flags & 3]);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((c.flags & bits[i].bit) == bits[i].bit && !(bits[i].bit == O_DIRECTORY && (c.flags & O_TMPFILE) == O_TMPFILE) &&
		    !(bits[i].bit == O_DSYNC && (c.flags & O_SYNC) == O_SYNC))
			add(out, n, "|%s", bits[i].name);
	for (size_t i = 0; i < sizeof(resolves) / sizeof(resolves[0]); i++)
		if (c.resolve & resolves[i].bit)
			add(out, n, " %s", resolves[i].name);
}

static void make_case(struct kase *k)
{
	static const unsigned modes[] = { 0644, 0600, 0666, 0777, 0, 01777, 02755, 04755, 07777, 0100644 };
	static const unsigned masks[] = { 022, 0, 077, 027, 0777 };
	static const size_t sizes[] = { 24, 24, 24, 24, 24, 24, 0, 16, 32, 4096, 5000 };
	struct dice *d = &k->dice;

	memset(&c, 0, sizeof(c));
	c.kind = roll(d, n_kinds);
	c.call = (enum call)roll(d, N_CALLS);
	/* What stands in the way of the name itself is rare. */
	if ((c.call == OPENAT_BAD || c.call == OPENAT_FILE) && roll(d, 4))
		c.call = OPENAT_DIR;
	c.flags = c.call == CREAT ? O_CREAT | O_WRONLY | O_TRUNC : pick_flags(d);
	c.mode = modes[roll(d, sizeof(modes) / sizeof(modes[0]))];
	if (c.call == OPENAT2 || c.call == OPENAT2_DIR) {
		for (unsigned n = roll(d, 3); n; n--)
			c.resolve |= resolves[roll(d, sizeof(resolves) / sizeof(resolves[0]))].bit;
		c.how_size = sizes[roll(d, sizeof(sizes) / sizeof(sizes[0]))];
		/* A mode is an error there unless something is made. */
		if (!(c.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) && roll(d, 8))
			c.mode = 0;
		c.mode &= 07777;
	}
	/* Who waits for the other end waits for good. */
	if (kind_may_block(c.kind)) {
		if (c.call == CREAT)
			c.call = OPEN;
		c.flags |= O_NONBLOCK;
	}
	k->mask = masks[roll(d, sizeof(masks) / sizeof(masks[0]))];
	k->cred = roll(d, n_creds + 1);
	c.limit = roll(d, 12) ? 0 : roll(d, 2) ? 3 : 5;
	/* The last one is that of another user namespace; to get there takes descriptors. */
	if (k->cred == n_creds)
		k->cred = c.limit ? 0 : n_all_creds - 1;
	c.hole = roll(d, 6) == 0;
	c.bad_pointer = roll(d, 60) == 0;
	add(k->what, sizeof(k->what), "%s %s ", call_names[c.call], kind_name(c.kind));
	kind_make(k, c.kind);
	say_flags(k->what, sizeof(k->what));
	add(k->what, sizeof(k->what), " mode %lo umask %o as %s%s%s", (unsigned long)c.mode, k->mask, cred_name(k->cred),
	    c.limit == 3 ? " limit 3" : c.limit ? " limit 5" : "", c.hole ? " hole" : "");
	if (c.how_size != 24 && (c.call == OPENAT2 || c.call == OPENAT2_DIR))
		add(k->what, sizeof(k->what), " size %zu", c.how_size);
	if (c.bad_pointer)
		add(k->what, sizeof(k->what), " no memory");
	if (!k->volatile_)
		snprintf(k->look, sizeof(k->look), "%s", k->path);
}

/* Descriptors that magic links lead to: 20 a deleted file, 21 a pipe, 22 a socket. */
static void prepare(struct kase *k)
{
	char p[128];
	int fd, ends[2];

	snprintf(p, sizeof(p), "%s/gone", k->dir);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 20) < 0 || pipe(ends) < 0 || dup2(ends[0], 21) < 0)
		broken("descriptors");
	for (int i = 3; i < 20; i++)
		close(i);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	dup2(fd, 22);
	close(fd);
	umask(k->mask);
	if (c.call == OPENAT_DIR || c.call == OPENAT2_DIR || c.call == OPENAT_FILE) {
		fd = open_tree(AT_FDCWD, c.call == OPENAT_FILE ? "/ro/f" : k->dir, 0);
		if (fd < 0 || dup2(fd, 30) < 0)
			broken("open_tree");
		close(fd);
	}
	if (chdir(k->dir) < 0)
		broken("chdir");
	if (c.hole && dup2(0, 3) < 0)
		broken("dup2");
}

/* Relative, where it lies in the case's directory. */
static const char *name(struct kase *k)
{
	size_t n = strlen(k->dir);

	return strncmp(k->path, k->dir, n) == 0 && k->path[n] == '/' ? k->path + n + 1 : k->path;
}

static long call(struct kase *k)
{
	const char *p = c.bad_pointer ? (const char *)8 : k->path, *rel = c.bad_pointer ? p : name(k);
	char room[5000] = "";
	struct open_how how = { c.flags, c.mode, c.resolve };

	memcpy(room, &how, sizeof(how));
	switch (c.call) {
	case OPEN:
		return syscall(SYS_open, p, c.flags, c.mode);
	case OPENAT:
		return syscall(SYS_openat, AT_FDCWD, p, c.flags, c.mode);
	case OPENAT_DIR:
	case OPENAT_FILE:
		return syscall(SYS_openat, 30, rel, c.flags, c.mode);
	case OPENAT_BAD:
		return syscall(SYS_openat, 77, roll(&k->dice, 2) ? rel : p, c.flags, c.mode);
	case OPEN_CWD:
		return syscall(SYS_open, rel, c.flags, c.mode);
	case OPENAT2:
		return syscall(SYS_openat2, AT_FDCWD, p, room, c.how_size);
	case OPENAT2_DIR:
		return syscall(SYS_openat2, 30, rel, room, c.how_size);
	case CREAT:
	default:
		return syscall(SYS_creat, p, c.mode);
	}
}

static void look_at(struct kase *k, int fd, char *out, size_t n)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat s, named;
	off_t at;

	add(out, n, "fd %d getfl %o%s getfd %d", fd, (unsigned)flags & ~(unsigned)O_NOFOLLOW,
	    flags & O_NOFOLLOW ? " nofollow" : "", fcntl(fd, F_GETFD));
	if (fstat(fd, &s) < 0) {
		add(out, n, " fstat %s", strerrorname_np(errno));
		return;
	}
	add(out, n, " is %o %u:%u", s.st_mode, s.st_uid, s.st_gid);
	if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode))
		add(out, n, " device %x", (unsigned)s.st_rdev);
	at = lseek(fd, 0, SEEK_CUR);
	add(out, n, " at %ld", S_ISDIR(s.st_mode) ? 0 : (long)at);
	if (k->volatile_)
		return;
	add(out, n, " size %ld links %lu", S_ISREG(s.st_mode) ? (long)s.st_size : 0,
	    S_ISDIR(s.st_mode) ? 0 : (unsigned long)s.st_nlink);
	if (k->path[0] && stat(k->path, &named) == 0)
		add(out, n, " %s", named.st_dev == s.st_dev && named.st_ino == s.st_ino ? "the named" : "another");
	/* What can be done with it, and where that ends up. */
	if (S_ISREG(s.st_mode) && (c.flags & O_ACCMODE) != O_RDONLY && !(c.flags & (O_PATH | O_DIRECT))) {
		add(out, n, " wrote %zd", write(fd, "x", 1));
		add(out, n, " at %ld", (long)lseek(fd, 0, SEEK_CUR));
	}
	if (S_ISREG(s.st_mode) && !(c.flags & O_DIRECT)) {
		char b;

		add(out, n, " read %zd", pread(fd, &b, 1, 0));
	}
}

static void act(struct kase *k)
{
	struct rlimit few = { (rlim_t)c.limit, 1024 };
	long fd;

	if (c.limit && setrlimit(RLIMIT_NOFILE, &few) < 0)
		broken("setrlimit");
	cred_take(k->cred);
	errno = 0;
	fd = call(k);
	if (fd < 0)
		add(k->res->text, sizeof(k->res->text), "%s", strerrorname_np(errno));
	else
		look_at(k, (int)fd, k->res->text, sizeof(k->res->text));
	k->res->done = true;
}

const struct family family_open = { "open", world_make, make_case, prepare, act, NULL, true };
