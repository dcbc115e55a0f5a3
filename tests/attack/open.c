// SPDX-License-Identifier: Apache-2.0
/* Opens that are changed while they are judged: what the path says, and what it leads to. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

#define RO (O_RDONLY | O_CLOEXEC)

static int by_open(const char *p) { return (int)syscall(SYS_open, p, RO); }
static int by_openat(const char *p) { return (int)syscall(SYS_openat, AT_FDCWD, p, RO); }
static int by_rdwr(const char *p) { return open(p, O_RDWR | O_NONBLOCK | O_CLOEXEC); }
static int by_i386(const char *p) { return (int)int80(5, low(p), RO, 0, 0, 0); }
static int by_i386_openat(const char *p) { return (int)int80(295, (uint32_t)AT_FDCWD, low(p), RO, 0, 0); }
static int by_openat2(const char *p)
{
	struct open_how how = { .flags = RO };

	return (int)syscall(SYS_openat2, AT_FDCWD, p, &how, sizeof(how));
}
static int by_thread_dir(const char *p) { return openat(50, p, RO); }

static void race(struct run *r, void (*set)(void *, bool), void *arg, int (*by)(const char *), const char *path)
{
	struct flip *f = flip_start(set, arg);

	while (more(r)) {
		int fd;

		flip_begin(f);
		fd = by(path);
		flip_end(f);
		judge_fd(r, fd);
	}
	flip_stop(f);
}

static void race_text(struct run *r, int (*by)(const char *))
{
	struct text *t = text_of("/free/f", "/hide/f");

	race(r, set_text, t, by, t->p);
}

static void memory(struct run *r) { race_text(r, by_openat); }
static void memory_open(struct run *r) { race_text(r, by_open); }
static void memory_i386(struct run *r) { race_text(r, by_i386); }
static void memory_i386_openat(struct run *r) { race_text(r, by_i386_openat); }
static void memory_openat2(struct run *r)
{
	race_text(r, by_openat2);
	/* Programs fall back where it is refused as a whole. */
	plain_open(r);
}

/* The flags of openat2 lie in memory: read when judged, write when done. */
static void set_how(void *arg, bool evil)
{
	((volatile struct open_how *)arg)->flags = evil ? O_WRONLY : O_RDONLY;
}

static void how(struct run *r)
{
	struct open_how *h = shared(sizeof(*h));
	struct flip *f = flip_start(set_how, h);

	while (more(r)) {
		int fd;

		flip_begin(f);
		fd = (int)syscall(SYS_openat2, AT_FDCWD, "/guard/f", h, sizeof(*h));
		flip_end(f);
		if (fd < 0)
			plain_open(r);
		else if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
			good(r);
		else
			evil(r);
		close(fd);
	}
	flip_stop(f);
}

/* A file made where none may be. */
static void create(struct run *r)
{
	struct text *t = text_of("/free/made", "/hide/made");
	struct flip *f = flip_start(set_text, t);

	while (more(r)) {
		int fd;

		flip_begin(f);
		fd = open(t->p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		flip_end(f);
		if (fd >= 0)
			close(fd);
		if (unlink("/hide/made") == 0)
			evil(r);
		else if (unlink("/free/made") == 0 && fd >= 0)
			good(r);
	}
	flip_stop(f);
}

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		broken(path);
	close(fd);
}

static void make_link(const char *to, const char *path)
{
	unlink(path);
	if (symlink(to, path) < 0)
		broken(path);
}

static void exchange(struct run *r)
{
	make_file("/free/x", "F");
	make_link("/hide/f", "/free/x2");
	race(r, set_names, names_of("/free/x", "/free/x2"), by_openat, "/free/x");
}

static void symlinks(struct run *r)
{
	make_link("/free/l1", "/free/l");
	make_link("/free/f", "/free/l1");
	make_link("/hide/f", "/free/l2");
	race(r, set_names, names_of("/free/l1", "/free/l2"), by_openat, "/free/l");
}

static void directory(struct run *r)
{
	mkdir("/free/d", 0755);
	make_file("/free/d/f", "F");
	make_link("/hide", "/free/d2");
	race(r, set_names, names_of("/free/d", "/free/d2"), by_openat, "/free/d/f");
}

/* Where ".." leads changes with the directory one stands in. */
static void dotdot(struct run *r)
{
	mkdir("/free/w", 0755);
	mkdir("/hide/w", 0755);
	if (chdir("/free/w") < 0)
		broken("chdir");
	race(r, set_names, names_of("/free/w", "/hide/w"), by_openat, "../f");
}

/* THREATS A1: nobody opens a FIFO to look what it is, so it is let through, and then is something else. */
static void fifo(struct run *r)
{
	unlink("/free/fifo");
	if (mkfifo("/free/fifo", 0644) < 0 || open("/free/fifo", O_RDWR | O_CLOEXEC) < 0)
		broken("mkfifo");
	make_link("/hide/f", "/free/fifo2");
	race(r, set_names, names_of("/free/fifo", "/free/fifo2"), by_rdwr, "/free/fifo");
}

static struct numbers two(int used, int flags, const char *good_path, const char *evil_path)
{
	/* open_tree without a copy gives what O_PATH gives, and is no open. */
	struct numbers n = { .used = used, .good = open(good_path, flags),
			     .evil = open_tree(AT_FDCWD, evil_path, OPEN_TREE_CLOEXEC) };

	if (n.good < 0 || n.evil < 0)
		broken(evil_path);
	return n;
}

/* THREATS A1: the descriptor behind the magic link. */
static void opath(struct run *r)
{
	struct numbers n = two(50, O_PATH, "/free/f", "/hide/f");

	race(r, set_number, &n, by_openat, "/proc/self/fd/50");
}

static void standard_input(struct run *r)
{
	struct numbers n = two(0, O_PATH, "/free/f", "/hide/f");

	race(r, set_number, &n, by_openat, "/dev/stdin");
}

static void dirfd_number(struct run *r)
{
	struct numbers n = two(50, O_PATH | O_DIRECTORY, "/free", "/hide");

	race(r, set_number, &n, by_thread_dir, "f");
}

static void set_cwd(void *arg, bool evil_side)
{
	const struct numbers *n = arg;

	if (fchdir(evil_side ? n->evil : n->good) < 0)
		broken("fchdir");
}

static void cwd(struct run *r)
{
	struct numbers n = two(-1, O_PATH | O_DIRECTORY, "/free", "/hide");

	race(r, set_cwd, &n, by_openat, "f");
}

/* The page itself changes: another one in its place, or none. */
struct pages {
	char *at;
	int good, evil;
};

static void set_page(void *arg, bool evil_side)
{
	const struct pages *p = arg;

	if (evil_side && draw(8) == 0)
		munmap(p->at, 4096);
	else if (mmap(p->at, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, evil_side ? p->evil : p->good, 0) == MAP_FAILED)
		broken("mmap");
}

static int page_of(const char *text)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4096) < 0 || pwrite(fd, text, strlen(text) + 1, 0) < 0)
		broken("memfd_create");
	return fd;
}

static void remap(struct run *r)
{
	struct pages p = { shared(4096), page_of("/free/f"), page_of("/hide/f") };

	race(r, set_page, &p, by_openat, p.at);
}

/* A mount over the directory, and away again. */
static void set_mount(void *arg, bool evil_side)
{
	bool *on = arg;

	if (*on == evil_side)
		return;
	if ((evil_side ? mount("/hide", "/free/m", NULL, MS_BIND, NULL) : umount2("/free/m", MNT_DETACH)) == 0)
		*on = evil_side;
}

static void mounts(struct run *r)
{
	bool on = false;

	mkdir("/free/m", 0755);
	make_file("/free/m/f", "F");
	race(r, set_mount, &on, by_openat, "/free/m/f");
	set_mount(&on, false);
}

const struct attack attacks_open[] = {
	{ "open-memory", memory },
	{ "open-memory-open", memory_open },
	{ "open-memory-i386", memory_i386 },
	{ "open-memory-i386-openat", memory_i386_openat },
	{ "open-memory-openat2", memory_openat2 },
	{ "open-how", how },
	{ "open-create", create },
	{ "open-exchange", exchange },
	{ "open-symlink", symlinks },
	{ "open-directory", directory },
	{ "open-dotdot", dotdot },
	{ "open-fifo", fifo },
	{ "open-opath", opath },
	{ "open-stdin", standard_input },
	{ "open-dirfd", dirfd_number },
	{ "open-cwd", cwd },
	{ "open-remap", remap },
	{ "open-mount", mounts },
	{ NULL, NULL },
};
