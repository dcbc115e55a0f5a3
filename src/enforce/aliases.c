// SPDX-License-Identifier: Apache-2.0
#include "enforce/aliases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "state/mount_text.h"
#include "state/process.h"
#include "state/program.h"

#define MOUNTS_MAX 4096
#define TEXT_MAX   (2u << 20)

struct row {
	uint64_t id, parent;
	struct shk_str dev;	   /* "MAJOR:MINOR" */
	bool shared;		   /* what is mounted on it appears at its peers and their slaves */
	struct shk_str root, at;   /* in its filesystem, in the container; without a slash at the end */
};

struct shk_aliases {
	int fd; /* mountinfo, -1: none */
	ino_t ns;
	uint64_t root; /* a mount of the list that tasks had for their root; 0: none */
	struct shk_buf text;	   /* what the rows are views of */
	struct shk_buf raw, fresh; /* what it was made from, and what was read last */
	bool parsed;		   /* raw is what the rows say */
	struct row row[MOUNTS_MAX];
	size_t n;
	pid_t of;	   /* whose mountinfo fd is, and what its root was then */
	uint64_t of_root;
	bool any; /* two of them overlap */
	uint64_t alone; /* what was found to be (shk_aliases_alone); 0: none */
	bool stale;
	uint64_t held_at; /* when that was asked last, in units of 2^22 ns (shk_aliases_held) */
};

struct shk_aliases *shk_aliases_new(void)
{
	struct shk_aliases *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fd = -1;
	shk_buf_init(&l->text, TEXT_MAX);
	shk_buf_init(&l->raw, TEXT_MAX);
	shk_buf_init(&l->fresh, TEXT_MAX);
	return l;
}

void shk_aliases_free(struct shk_aliases *l)
{
	if (!l)
		return;
	shk_close(&l->fd);
	shk_buf_done(&l->text);
	shk_buf_done(&l->raw);
	shk_buf_done(&l->fresh);
	free(l);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* \040 and its like, in place: blanks, tabs, newlines, backslashes. */
static struct shk_str unescaped(struct shk_str s)
{
	char *p = (char *)(uintptr_t)s.p;
	size_t w = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (p[i] == '\\' && i + 3 < s.n && is_octal(p[i + 1]) && is_octal(p[i + 2]) && is_octal(p[i + 3])) {
			p[w++] = (char)((p[i + 1] - '0') << 6 | (p[i + 2] - '0') << 3 | (p[i + 3] - '0'));
			i += 3;
		} else {
			p[w++] = p[i];
		}
	}
	while (w && p[w - 1] == '/')
		w--;
	return (struct shk_str){ p, w };
}

/* Is path the directory dir, or below it? "" is the root. */
static bool in(struct shk_str path, struct shk_str dir)
{
	return shk_str_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/');
}

static bool overlap(const struct row *a, const struct row *b)
{
	return shk_str_eq(a->dev, b->dev) && (in(a->root, b->root) || in(b->root, a->root));
}

/* Optional fields lie between the sixth and a dash. */
static bool is_shared(struct shk_str line)
{
	for (unsigned i = 6;; i++) {
		struct shk_str f = shk_mount_field(line, i);

		if (!f.n || shk_str_eqz(f, "-"))
			return false;
		if (shk_str_starts(f, SHK_STR("shared:")))
			return true;
	}
}

/* false: not all of them. */
static bool parse(struct shk_aliases *l)
{
	struct shk_str text = shk_buf_view(&l->text), line;

	l->n = 0;
	l->any = false;
	l->alone = 0;
	while (l->n < MOUNTS_MAX && shk_mount_line(&text, &line)) {
		struct row *r = &l->row[l->n];

		if (shk_str_to_u64(shk_mount_field(line, 0), &r->id) &&
		    shk_str_to_u64(shk_mount_field(line, 1), &r->parent)) {
			r->dev = shk_mount_field(line, 2);
			r->shared = is_shared(line);
			r->root = unescaped(shk_mount_field(line, 3));
			r->at = unescaped(shk_mount_field(line, 4));
			for (size_t i = 0; i < l->n && !l->any; i++)
				l->any = overlap(&l->row[i], r);
			l->n++;
		}
	}
	return !text.n;
}

static const struct row *row_of(const struct shk_aliases *l, uint64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->row[i].id == id)
			return &l->row[i];
	return NULL;
}

static int find(const struct shk_aliases *l, uint64_t id, struct shk_str name, struct shk_arena *arena,
		struct shk_str *ret)
{
	const struct row *own = row_of(l, id);
	char whole[4 * SHK_PATH_LIMIT];
	struct shk_str path = { whole, 0 };
	int n = 0;

	/* Its mount has gone since: what other names it had is not to be told. */
	if (!own || !in(name, own->at))
		return -EAGAIN;
	/* The path within the filesystem, then below every other mount of it. */
	path.n = own->root.n + name.n - own->at.n;
	if (path.n > sizeof(whole))
		return -EAGAIN;
	memcpy(whole, own->root.p, own->root.n);
	memcpy(whole + own->root.n, name.p + own->at.n, name.n - own->at.n);
	for (size_t i = 0; i < l->n; i++) {
		const struct row *r = &l->row[i];

		if (r == own || !shk_str_eq(r->dev, own->dev) || !in(path, r->root))
			continue;
		if (n == SHK_ALIASES_MAX)
			return -EAGAIN; /* more names than are judged by */
		ret[n].p = shk_arena_printf(arena, SHK_STR_FMT "%.*s", SHK_STR_ARG(r->at), (int)(path.n - r->root.n),
					    path.p + r->root.n);
		if (!ret[n].p)
			return -EAGAIN;
		ret[n] = shk_str(ret[n].p);
		if (ret[n].n && !shk_str_eq(ret[n], name))
			n++;
	}
	return n;
}

int shk_aliases_in(struct shk_str mountinfo, uint64_t id, struct shk_str name, struct shk_arena *arena,
		   struct shk_str *ret)
{
	SHK_CLEANUP(shk_aliases_freep) struct shk_aliases *l = shk_aliases_new();

	if (!l)
		return -EAGAIN;
	shk_buf_addstr(&l->text, mountinfo);
	if (!parse(l))
		return -EAGAIN;
	return l->any ? find(l, id, name, arena, ret) : 0;
}

static int read_all(struct shk_aliases *l)
{
	shk_buf_reset(&l->fresh);
	if (lseek(l->fd, 0, SEEK_SET) < 0)
		return -EAGAIN;
	for (;;) {
		char chunk[16384];
		ssize_t n = read(l->fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EAGAIN;
		if (!n)
			break;
		shk_buf_add(&l->fresh, chunk, (size_t)n);
	}
	return l->fresh.failed ? -EAGAIN : 0;
}

/* Most readings are only to see that nothing was renamed: the same text has the same rows. */
static int read_again(struct shk_aliases *l)
{
	struct shk_buf was;

	if (read_all(l) < 0)
		return -EAGAIN;
	if (l->parsed && shk_str_eq(shk_buf_view(&l->fresh), shk_buf_view(&l->raw)))
		return 0;
	was = l->raw;
	l->raw = l->fresh;
	l->fresh = was;
	shk_buf_reset(&l->text);
	shk_buf_addstr(&l->text, shk_buf_view(&l->raw));
	l->parsed = !l->text.failed && parse(l);
	return l->parsed ? 0 : -EAGAIN;
}

/* mountinfo shows what the root of its task reaches. Of one that did not chroot the link is "/", or, where the runtime did
 * without pivot_root, the rootfs. */
static bool sees_all(const struct shk_container *c, pid_t pid)
{
	char path[64], to[SHK_PATH_LIMIT];
	struct shk_str link = { to, 0 };
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	n = readlink(path, to, sizeof(to));
	if (n <= 0 || (size_t)n == sizeof(to))
		return false;
	link.n = (size_t)n;
	return shk_str_eqz(shk_container_path(c, link), "/");
}

static uint64_t mount_of_root(pid_t pid)
{
	char path[64];
	struct statx sx;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 && sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
}

/* Of the namespace the task is in; the container's init sees all of it, whatever root the task has. */
static int follow(struct shk_aliases *l, struct shk_eval_ctx *ctx, ino_t ns)
{
	pid_t of[2] = { ctx->ctr->init_pid, ctx->ev->tid };
	char path[64];
	struct stat st;

	shk_close(&l->fd);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)of[i]);
		if (of[i] <= 0 || stat(path, &st) < 0 || st.st_ino != ns)
			continue;
		l->of = of[i];
		l->of_root = mount_of_root(of[i]);
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)of[i]);
		l->fd = open(path, O_RDONLY | O_CLOEXEC);
		/* Afterwards: the file keeps the root it was opened with. */
		if (l->fd >= 0 && !sees_all(ctx->ctr, of[i]))
			shk_close(&l->fd);
		if (l->fd < 0)
			continue;
		l->ns = ns;
		return read_again(l);
	}
	return -EAGAIN;
}

/* The kernel tells once that something has changed. */
static bool changed(struct shk_aliases *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLPRI };

	l->stale |= l->fd < 0 || poll(&p, 1, 0) != 0;
	return l->stale;
}

static uint64_t root_of(struct shk_proc *p)
{
	uint64_t mnt = 0;
	dev_t dev;
	ino_t ino;

	return shk_proc_root_mount(p, &dev, &ino, &mnt) ? mnt : 0;
}

/* A mount is in one namespace for as long as it is there, and it is there while the list holds: so a task whose root is on
 * that mount goes along the mounts of that list, and is not asked for its namespace. */
int shk_aliases_begin(struct shk_aliases *l, struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_task_of(ctx);
	uint64_t root = p ? root_of(p) : 0;
	ino_t ns = 0;
	int r = 0;

	if (root && root == l->root && l->fd >= 0 && !l->stale)
		return 0;
	if (p)
		ns = shk_proc_ns(p, SHK_NS_MNT);
	if (!ns)
		return -EAGAIN;
	/* Asked afterwards: "nothing since the last time" speaks for all of the time between. */
	/* The file shows what its task's root was when it was opened; since then that one may have left it (pivot_root). */
	if (l->fd < 0 || l->ns != ns || (l->stale && mount_of_root(l->of) != l->of_root))
		r = follow(l, ctx, ns);
	else if (l->stale)
		r = read_again(l);
	l->stale = r < 0;
	l->root = r == 0 && shk_aliases_lists(l, root) ? root : 0;
	if (r < 0)
		shk_close(&l->fd);
	return r;
}

bool shk_aliases_hold(struct shk_aliases *l)
{
	return !changed(l);
}

bool shk_aliases_held(struct shk_aliases *l, uint64_t now)
{
	if (l->fd >= 0 && !l->stale && now >> 22 == l->held_at)
		return true;
	l->held_at = now >> 22;
	return !changed(l);
}

bool shk_aliases_lists(const struct shk_aliases *l, uint64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->row[i].id == id)
			return true;
	return false;
}

bool shk_aliases_is_shared(const struct shk_aliases *l, int fd)
{
	const struct row *r;
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
		return true;
	r = row_of(l, sx.stx_mnt_id);
	return !r || r->shared;
}

/* Is the filesystem of this mount mounted elsewhere, too? */
static bool has_others(const struct shk_aliases *l, const struct row *own)
{
	for (size_t i = 0; own && i < l->n; i++)
		if (&l->row[i] != own && shk_str_eq(l->row[i].dev, own->dev))
			return true;
	return false;
}

bool shk_aliases_alone(struct shk_aliases *l, uint64_t id)
{
	const struct row *own = id == l->alone ? NULL : row_of(l, id);

	if (own && !has_others(l, own))
		l->alone = id;
	return id && l->alone == id;
}

int shk_aliases_of(struct shk_aliases *l, struct shk_eval_ctx *ctx, int fd, uint64_t mnt, struct shk_str name,
		   struct shk_str *ret)
{
	const struct row *own;
	struct statx sx;

	/* Pipes and the like are mounted nowhere. */
	if (name.p[0] != '/')
		return 0;
	if (!mnt) {
		if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &sx) < 0 ||
		    !(sx.stx_mask & STATX_MNT_ID))
			return -EAGAIN;
		/* Neither are memfds. */
		if (shk_is_memfd(&sx))
			return 0;
		mnt = sx.stx_mnt_id;
	}
	/* Directories above a mount, or above what it shows, may have been renamed: no event tells that. */
	own = row_of(l, mnt);
	if (own && (has_others(l, own) || !in(name, own->at))) {
		l->stale = read_again(l) < 0;
		/* Newer than what was held: the caller is to hold it again, as long as that is so. */
		if (changed(l))
			return -EAGAIN;
	}
	return l->any || !row_of(l, mnt) ? find(l, mnt, name, ctx->ev->arena, ret) : 0;
}

/* Is a name in a filesystem, ROOT and what follows AT in it, the same as another one's? */
static bool same_path(struct shk_str root_a, struct shk_str rest_a, struct shk_str root_b, struct shk_str rest_b)
{
	size_t n = root_a.n + rest_a.n;

	if (n != root_b.n + rest_b.n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((i < root_a.n ? root_a.p[i] : rest_a.p[i - root_a.n]) !=
		    (i < root_b.n ? root_b.p[i] : rest_b.p[i - root_b.n]))
			return false;
	return true;
}

static struct shk_str behind(struct shk_str path, struct shk_str dir)
{
	return (struct shk_str){ path.p + dir.n, path.n - dir.n };
}

static bool mounted_on(const struct shk_aliases *l, uint64_t id, struct shk_str name)
{
	const struct row *own = row_of(l, id);

	/* Of another namespace, or gone since: nothing of the task's is mounted there. */
	if (!own || !in(name, own->at))
		return false;
	for (size_t i = 0; i < l->n; i++) {
		const struct row *r = &l->row[i], *on = row_of(l, r->parent);

		if (on && shk_str_eq(on->dev, own->dev) && in(r->at, on->at) &&
		    same_path(on->root, behind(r->at, on->at), own->root, behind(name, own->at)))
			return true;
	}
	return false;
}

bool shk_aliases_mounted_on(const struct shk_aliases *l, int dir, struct shk_str name)
{
	struct statx sx;

	/* What cannot be told is not taken away. */
	return statx(dir, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &sx) < 0 ||
	       !(sx.stx_mask & STATX_MNT_ID) || mounted_on(l, sx.stx_mnt_id, name);
}

bool shk_aliases_mounted_in(struct shk_str mountinfo, uint64_t id, struct shk_str name)
{
	SHK_CLEANUP(shk_aliases_freep) struct shk_aliases *l = shk_aliases_new();

	if (!l)
		return true;
	shk_buf_addstr(&l->text, mountinfo);
	return !parse(l) || mounted_on(l, id, name);
}
