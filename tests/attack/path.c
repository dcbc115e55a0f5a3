// SPDX-License-Identifier: Apache-2.0
/* Calls that change directories, with a path that changes meanwhile: nothing below /hide may be touched. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attack.h"

struct act {
	const char *good, *evil;		/* the path that changes */
	void (*ready)(void);			/* before each attempt */
	int (*call)(const char *path);
	bool (*touched)(void);			/* did it happen below /hide? */
};

static void race(struct run *r, const struct act *a, void (*set)(void *, bool), void *arg, const char *path)
{
	struct flip *f = flip_start(set, arg);

	while (more(r)) {
		int k;

		a->ready();
		flip_begin(f);
		k = a->call(path);
		flip_end(f);
		set(arg, false);
		if (k == 0 && a->touched())
			evil(r);
		else if (k == 0)
			good(r);
	}
	flip_stop(f);
}

static void race_text(struct run *r, const struct act *a)
{
	struct text *t = text_of(a->good, a->evil);

	race(r, a, set_text, t, t->p);
}

static bool there(const char *p) { return syscall(SYS_access, p, F_OK) == 0; }
static void make(const char *p) { close(open(p, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)); }

static void make_victims(void)
{
	make("/hide/v");
	make("/free/v");
}
static bool victim_gone(void) { return !there("/hide/v"); }

static int call_unlink(const char *p) { return unlink(p); }
static int call_rename(const char *p) { return rename(p, "/free/moved"); }
static int call_i386(const char *p) { return (int)int80(38, low(p), low(p) + 64, 0, 0, 0); }

static void remove_text(struct run *r)
{
	race_text(r, &(struct act){ "/free/v", "/hide/v", make_victims, call_unlink, victim_gone });
}
static void rename_text(struct run *r)
{
	race_text(r, &(struct act){ "/free/v", "/hide/v", make_victims, call_rename, victim_gone });
}
static void rename_i386(struct run *r)
{
	const struct act a = { "/free/v", "/hide/v", make_victims, call_i386, victim_gone };
	struct text *t = text_of(a.good, a.evil);

	strcpy(t->p + 64, "/free/moved");
	race(r, &a, set_text, t, t->p);
}

/* Renaming is what is judged here, so the exchange is of mounts' names: a link, remade. */
static void set_link(void *arg, bool evil_side)
{
	bool *is = arg;

	if (*is == evil_side)
		return;
	/* Neither call is one of those that rules of this policy name. */
	if (evil_side ? mount("/hide", "/free/um", NULL, MS_BIND, NULL) : umount2("/free/um", MNT_DETACH))
		return;
	*is = evil_side;
}

static void make_directory_victims(void)
{
	mkdir("/free/um", 0755);
	make("/free/um/v");
	make("/hide/v");
}

static void unlink_mount(struct run *r)
{
	bool is = false;

	race(r, &(struct act){ "", "", make_directory_victims, call_unlink, victim_gone }, set_link, &is, "/free/um/v");
}

static void no_directories(void)
{
	rmdir("/hide/n");
	rmdir("/free/n");
}
static int call_mkdir(const char *p) { return mkdir(p, 0755); }
static bool new_there(void) { return there("/hide/n"); }
static void mkdir_text(struct run *r)
{
	race_text(r, &(struct act){ "/free/n", "/hide/n", no_directories, call_mkdir, new_there });
}

/* A second name for what is hidden. */
static void no_link(void)
{
	syscall(SYS_unlinkat, AT_FDCWD, "/free/name", 0);
}
static int call_link(const char *p) { return link(p, "/free/name"); }
static bool is_hidden(void)
{
	struct stat a, b;

	return stat("/free/name", &a) == 0 && stat("/hide/f", &b) == 0 && a.st_ino == b.st_ino;
}
static void link_text(struct run *r)
{
	race_text(r, &(struct act){ "/free/f", "/hide/f", no_link, call_link, is_hidden });
}

static void modes(void)
{
	int fd = open("/hide/f", O_RDONLY | O_CLOEXEC);

	if (fchmod(fd, 0644) < 0)
		broken("fchmod");
	close(fd);
}
static int call_chmod(const char *p) { return chmod(p, 0666); }
static bool mode_changed(void)
{
	struct stat s;

	return stat("/hide/f", &s) == 0 && (s.st_mode & 0777) == 0666;
}
static void chmod_text(struct run *r)
{
	race_text(r, &(struct act){ "/free/f", "/hide/f", modes, call_chmod, mode_changed });
}

static void no_mount(void)
{
	umount2("/hide/m", MNT_DETACH);
	umount2("/free/m", MNT_DETACH);
	mkdir("/free/m", 0755);
}
static int call_mount(const char *p) { return mount("/free/um", p, NULL, MS_BIND, NULL); }
/* Looked at, since who supervises may refuse to take it away. */
static bool mounted(void)
{
	bool is = there("/hide/m/mark");

	umount2("/hide/m", MNT_DETACH);
	return is;
}
static void mount_text(struct run *r)
{
	mkdir("/free/um", 0755);
	make("/free/um/mark");
	race_text(r, &(struct act){ "/free/m", "/hide/m", no_mount, call_mount, mounted });
	no_mount();
}

/* What is mounted, by a link that changes. */
static void no_cover(void)
{
	umount2("/free/m", MNT_DETACH);
	mkdir("/free/m", 0755);
}
static int call_cover(const char *p) { return mount(p, "/free/m", NULL, MS_BIND, NULL); }
static bool guard_there(void) { return there("/free/m/f") && !there("/free/m/mark"); }
static void mount_source(struct run *r)
{
	mkdir("/free/um", 0755);
	make("/free/um/mark");
	unlink("/free/s1");
	unlink("/free/s2");
	if (symlink("/free/um", "/free/s1") < 0 || symlink("/guard", "/free/s2") < 0)
		broken("links");
	race(r, &(struct act){ "", "", no_cover, call_cover, guard_there }, set_names, names_of("/free/s1", "/free/s2"),
	     "/free/s1");
	no_cover();
}

/* Where it is mounted, by a directory that becomes a link. */
static void no_mount_below(void)
{
	umount2("/hide/m", MNT_DETACH);
	umount2("/free/mx/m", MNT_DETACH);
	umount2("/free/mx2/m", MNT_DETACH);
}
static void mount_exchange(struct run *r)
{
	mkdir("/free/um", 0755);
	make("/free/um/mark");
	mkdir("/free/mx", 0755);
	mkdir("/free/mx/m", 0755);
	unlink("/free/mx2");
	if (symlink("/hide", "/free/mx2") < 0)
		broken("/free/mx2");
	race(r, &(struct act){ "", "", no_mount_below, call_mount, mounted }, set_names, names_of("/free/mx", "/free/mx2"),
	     "/free/mx/m");
	no_mount_below();
}

/* A mount below /guard is to stay. */
static void cover_both(void)
{
	if (!there("/guard/m/mark") && mount("none", "/guard/m", "tmpfs", 0, NULL) == 0)
		make("/guard/m/mark");
	if (!there("/free/m/mark") && mount("none", "/free/m", "tmpfs", 0, NULL) == 0)
		make("/free/m/mark");
}
static int call_umount(const char *p) { return umount2(p, MNT_DETACH); }
static bool uncovered(void) { return !there("/guard/m/mark"); }
static void umount_text(struct run *r)
{
	no_cover();
	mkdir("/guard/m", 0755);
	race_text(r, &(struct act){ "/free/m", "/guard/m", cover_both, call_umount, uncovered });
	no_cover();
}

/* The number of an open file, behind which another one comes. */
static void guard_mode(void)
{
	syscall(452 /* fchmodat2 */, AT_FDCWD, "/guard/f", 0644, 0);
	syscall(452, AT_FDCWD, "/free/f", 0644, 0);
}
static int call_fchmod(const char *p)
{
	(void)p;
	return fchmod(50, 0666);
}
static bool guard_changed(void)
{
	struct stat s;

	return stat("/guard/f", &s) == 0 && (s.st_mode & 0777) == 0666;
}
static void fchmod_number(struct run *r)
{
	struct numbers *n = shared(sizeof(*n));

	*n = (struct numbers){ 50, open("/free/f", O_RDONLY | O_CLOEXEC), open("/guard/f", O_RDONLY | O_CLOEXEC) };
	if (n->good < 0 || n->evil < 0)
		broken("/guard/f");
	race(r, &(struct act){ "", "", guard_mode, call_fchmod, guard_changed }, set_number, n, "");
}

const struct attack attacks_path[] = {
	{ "rename-memory", rename_text }, { "rename-i386", rename_i386 },   { "unlink-memory", remove_text },
	{ "unlink-mount", unlink_mount }, { "mkdir-memory", mkdir_text },   { "link-memory", link_text },
	{ "chmod-memory", chmod_text },	  { "mount-memory", mount_text },
	{ "mount-source", mount_source }, { "mount-exchange", mount_exchange }, { "umount-memory", umount_text },
	{ "fchmod-number", fchmod_number }, { NULL, NULL },
};
