// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold when a container's first program starts (THREATS A8). Set-up calls pass unjudged, so
 * their outcome is looked at here: working directory, inherited directories, the program itself, mounts.
 *
 * Everything is told by mount ids, not by names: a directory whose mount is not in the task's own
 * mount namespace belongs to the host, whatever it is called.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/internal.h"

#define MOUNTS_MAX    4096
#define MOUNTINFO_MAX (4u << 20)
#define FDS_MAX	      4096
#define SCRIPT_LINE   256
#define LINKS_MAX     40  /* MAXSYMLINKS, include/linux/namei.h */
#define PATH_STEPS    (SHK_PATH_LIMIT + LINKS_MAX)

struct mounts {
	struct shk_buf text;
	struct {
		long id;
		const char *dir;
	} m[MOUNTS_MAX];
	size_t n;
};

static int read_proc(pid_t tid, const char *name, struct shk_buf *b)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	return shk_read_file(path, b, NULL);
}

/* \040 and its like, in place. */
static void unescape(char *s)
{
	char *w = s;

	for (; *s; s++, w++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*w = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*w = *s;
		}
	}
	*w = 0;
}

static bool read_mounts(pid_t tid, struct mounts *ms)
{
	ms->n = 0;
	shk_buf_init(&ms->text, MOUNTINFO_MAX);
	if (read_proc(tid, "mountinfo", &ms->text) < 0 || !ms->text.n)
		return false;
	for (char *save, *line = strtok_r(ms->text.p, "\n", &save); line && ms->n < MOUNTS_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		char *field[5], *p = line;
		int i;

		for (i = 0; i < 5 && p; i++) {
			field[i] = p;
			p = strchr(p, ' ');
			if (p)
				*p++ = 0;
		}
		if (i < 5)
			continue;
		unescape(field[4]);
		ms->m[ms->n].id = strtol(field[0], NULL, 10);
		ms->m[ms->n++].dir = field[4];
	}
	return ms->n > 0;
}

static bool has_mount(const struct mounts *ms, long id)
{
	for (size_t i = 0; i < ms->n; i++)
		if (ms->m[i].id == id)
			return true;
	return false;
}

/* mnt_id and flags of a descriptor, from fdinfo. */
static bool fdinfo(const char *path, long *mnt, unsigned long *flags)
{
	char line[128];
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	*mnt = -1;
	*flags = 0;
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "mnt_id: %ld", mnt);
		(void)sscanf(line, "flags: %lo", flags);
	}
	return *mnt >= 0;
}

static long mount_of(int fd)
{
	char path[64];
	unsigned long flags;
	long mnt;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return fdinfo(path, &mnt, &flags) ? mnt : -1;
}

static const char *check_cwd(pid_t tid, const struct mounts *ms)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	long mnt;

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)tid);
	fd = open(path, O_PATH | O_CLOEXEC);
	mnt = fd < 0 ? -1 : mount_of(fd);
	return mnt >= 0 && !has_mount(ms, mnt) ?
		       "its working directory lies outside the container's root file system" : NULL;
}

static const char *check_fds(pid_t tid, const struct mounts *ms, struct shk_arena *a)
{
	char path[64 + 256];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)tid);
	d = opendir(path);
	while (d && (de = readdir(d)) && n++ < FDS_MAX) {
		unsigned long flags;
		struct stat st;
		long mnt;

		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", (int)tid, de->d_name);
		if (!fdinfo(path, &mnt, &flags) || (flags & O_CLOEXEC) || has_mount(ms, mnt))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)tid, de->d_name);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return shk_arena_printf(a, "it inherits descriptor %s, a directory of the host",
						de->d_name);
	}
	return NULL;
}

static int open_with(pid_t tid, struct shk_str name, uint64_t flags, struct shk_arena *a)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | flags,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char path[64], *z = shk_arena_strndup(a, name.p, name.n);
	_cleanup_close_ int root = -1;
	long r;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)tid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || !z)
		return -ESRCH;
	r = syscall(SYS_openat2, root, z, &how, sizeof(how));
	return r < 0 ? -errno : (int)r;
}

static int open_in_root(pid_t tid, struct shk_str name, struct shk_arena *a)
{
	return open_with(tid, name, 0, a);
}

/* The last name itself, be it a link. */
static int open_name(pid_t tid, const char *name, struct shk_arena *a)
{
	return open_with(tid, shk_str(name), O_NOFOLLOW, a);
}

/* Does a name lead through a directory of a process in procfs (/proc/self/exe, a link to it, //proc/1/fd/7)? The
 * kernel cannot be asked: "self" is somebody else for us. So the walk is done here, name by name, links
 * followed, within the container's root. */
static bool through_proc(struct shk_event *ev, struct shk_str name)
{
	char left[2 * SHK_PATH_LIMIT], done[SHK_PATH_LIMIT] = "/", link[SHK_PATH_LIMIT];
	unsigned links = 0;

	if (name.n >= SHK_PATH_LIMIT)
		return false; /* ENAMETOOLONG */
	memcpy(left, name.p, name.n);
	left[name.n] = 0;
	for (unsigned steps = 0; steps < PATH_STEPS; steps++) {
		char *p = left + strspn(left, "/"), *end = p + strcspn(p, "/");
		size_t n = (size_t)(end - p), at = strlen(done);
		_cleanup_close_ int dir = -1, fd = -1;
		struct statfs fs;
		struct stat st;
		ssize_t k;

		if (!n)
			return false;
		dir = open_in_root(ev->tid, shk_str(done), ev->arena);
		if (dir >= 0 && fstatfs(dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
		    ((n == 4 && !memcmp(p, "self", 4)) || (n == 11 && !memcmp(p, "thread-self", 11)) ||
		     (*p >= '0' && *p <= '9')))
			return true;
		if (dir < 0 || at + n + 2 > sizeof(done))
			return false;
		if (n == 2 && !memcmp(p, "..", 2)) {
			char *slash = strrchr(done, '/');

			slash[slash == done] = 0;
		} else if (n != 1 || *p != '.') {
			snprintf(done + at, sizeof(done) - at, "%s%.*s", at > 1 ? "/" : "", (int)n, p);
			fd = open_name(ev->tid, done, ev->arena);
			if (fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
				k = readlinkat(fd, "", link, sizeof(link) - 1);
				if (k <= 0 || ++links > LINKS_MAX ||
				    (size_t)k + strlen(end) + 2 > sizeof(left))
					return false; /* ELOOP */
				link[k] = 0;
				memmove(left + k, end, strlen(end) + 1);
				memcpy(left, link, (size_t)k);
				done[link[0] == '/' ? 1 : SHK_MAX(at, 1)] = 0;
				continue;
			}
		}
		memmove(left, end, strlen(end) + 1);
	}
	return true; /* longer than any honest name */
}

/* The interpreter of a script: n = 0 when fd is none. */
static struct shk_str interpreter(int fd, char line[SCRIPT_LINE])
{
	char path[64], *p, *end;
	_cleanup_close_ int f = -1;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return SHK_STR("");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	f = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	n = f < 0 ? -1 : read(f, line, SCRIPT_LINE - 1);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return SHK_STR("");
	line[n] = 0;
	for (p = line + 2; *p == ' ' || *p == '\t'; p++)
		;
	end = p + strcspn(p, " \t\n");
	return (struct shk_str){ p, (size_t)(end - p) };
}

static const char *check_object(const struct shk_container *c, int fd)
{
	struct stat st;

	if (fd == -ELOOP)
		return "its program is reached through a magic link of /proc";
	if (fd >= 0 && c->runtime_ino && fstat(fd, &st) == 0 && st.st_dev == c->runtime_dev &&
	    st.st_ino == c->runtime_ino)
		return "its program is the container runtime's own binary";
	return NULL;
}

/* A relative name begins in the working directory, which check_cwd has found inside. */
static struct shk_str absolute(struct shk_event *ev, struct shk_str name)
{
	char link[64], cwd[SHK_PATH_LIMIT], *joined;
	ssize_t n;

	if (name.p[0] == '/')
		return name;
	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)ev->tid);
	n = readlink(link, cwd, sizeof(cwd) - 1);
	cwd[n > 0 ? n : 0] = 0;
	joined = shk_arena_printf(ev->arena, "%s/" SHK_STR_FMT, cwd, SHK_STR_ARG(name));
	return joined ? shk_str(joined) : name;
}

static const char *check_program(const struct shk_container *c, struct shk_event *ev)
{
	int i = shk_event_path_arg(ev);
	const struct shk_arg *arg = i >= 0 ? shk_event_arg(ev, (unsigned)i) : NULL;
	char line[SCRIPT_LINE];
	_cleanup_close_ int fd = -1;
	const char *why;
	struct shk_str in, name;

	if (!arg || arg->state != SHK_ARG_OK || !arg->bytes.n)
		return NULL; /* execveat of a descriptor: check_fds has seen what it can be */
	name = absolute(ev, arg->bytes);
	if (through_proc(ev, name))
		return "its program is reached through a process directory of /proc";
	fd = open_in_root(ev->tid, name, ev->arena);
	why = check_object(c, fd);
	if (why || fd < 0)
		return why;
	in = interpreter(fd, line);
	if (!in.n)
		return NULL;
	in = absolute(ev, in);
	if (through_proc(ev, in))
		return "its program is a script whose interpreter is reached through a process directory of /proc";
	close(fd);
	fd = open_in_root(ev->tid, in, ev->arena);
	return check_object(c, fd);
}

static bool below(struct shk_str dir, const char *path)
{
	size_t n = dir.n;

	while (n > 1 && dir.p[n - 1] == '/')
		n--;
	return n && strncmp(path, dir.p, n) == 0 && (path[n] == 0 || path[n] == '/' || n == 1);
}

/* A mount that config.json explains by its name, or that runtimes make on their own. */
static bool expected(const struct shk_container *c, const char *dir)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };

	if (strcmp(dir, "/") == 0)
		return true;
	for (size_t i = 0; i < c->n_mounts; i++)
		if (c->mounts[i].dest.n > 1 && below(c->mounts[i].dest, dir))
			return true;
	for (size_t i = 0; i < c->n_masked; i++)
		if (below(c->masked[i], dir))
			return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(own); i++)
		if (below(shk_str(own[i]), dir))
			return true;
	return false;
}

/* A destination whose name goes through links of the image lies elsewhere: is it this mount? */
static bool is_destination(const struct shk_container *c, struct shk_event *ev, long id)
{
	for (size_t i = 0; i < c->n_mounts; i++) {
		_cleanup_close_ int fd = open_in_root(ev->tid, c->mounts[i].dest, ev->arena);

		if (fd >= 0 && mount_of(fd) == id)
			return true;
	}
	for (size_t i = 0; i < c->n_masked; i++) {
		_cleanup_close_ int fd = open_in_root(ev->tid, c->masked[i], ev->arena);

		if (fd >= 0 && mount_of(fd) == id)
			return true;
	}
	return false;
}

static const char *check_mounts(const struct shk_container *c, struct shk_event *ev,
				const struct mounts *ms)
{
	if (!c->n_mounts)
		return NULL; /* registered without config.json: nothing to compare with */
	for (size_t i = 0; i < ms->n; i++)
		if (!expected(c, ms->m[i].dir) && !is_destination(c, ev, ms->m[i].id))
			return shk_arena_printf(ev->arena, "%s is mounted, which config.json does not say",
						ms->m[i].dir);
	return NULL;
}

const char *shk_arming_check(struct shk_entry *e, struct shk_event *ev, bool session)
{
	_cleanup_free_ struct mounts *ms = malloc(sizeof(*ms));
	const char *why = NULL;

	if (!ms)
		return "its state cannot be examined: out of memory";
	if (!read_mounts(ev->tid, ms))
		why = "its mounts cannot be read";
	if (!why)
		why = check_cwd(ev->tid, ms);
	if (!why)
		why = check_fds(ev->tid, ms, ev->arena);
	if (!why)
		why = check_program(e->ctr, ev);
	/* What a running container has mounted since was judged when it did so. */
	if (!why && !session)
		why = check_mounts(e->ctr, ev, ms);
	shk_buf_done(&ms->text);
	return why;
}
