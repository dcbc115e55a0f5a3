// SPDX-License-Identifier: Apache-2.0
/*
 * Which mounts belong to a container, and whose task is it that runs a program there.
 *
 * Mounts of the init's mount namespace are marked, and no other: the host's own, and those of other containers, are other
 * mounts, even where they show the same files. A mount whose file system may not answer is not, since the kernel opens the file of
 * each event in the reader's place, and one that would have to wait there would hold up every container.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/porter.h"
#include "state/mount_text.h"
#include "verdict/kill.h"

#define MOUNTINFO_MAX (1u << 20)
#define MOUNTS_MAX    4096u
#define PATH_BYTES    4096u

static uint64_t hash_of(struct shk_str s)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211ull;
	return h;
}

/* Are sessions to be asked for at its mounts, or does its policy want every file compared that an execve opens? */
static bool wanted(struct shk_entry *e)
{
	const struct shk_policy *p;
	SHK_CLEANUP(shk_armoury_unrefp) struct shk_armoury *arm = shk_entry_armed_with(e, &p);
	const struct shk_plan *plan = shk_armoury_plan(arm, p);

	if (atomic_load(&e->released))
		return false;
	if (e->ctr->way != SHK_WAY_WRAPPER && e->ctr->way != SHK_WAY_PROFILE)
		return true;
	return p->exec_verify == SHK_EXEC_VERIFY_AUTO && p->mode == SHK_MODE_ENFORCE && plan &&
	       (plan->call[SHK_CALL_execve].enforced || plan->call[SHK_CALL_execveat].enforced);
}

/* \040 and its like. false: too long. */
static bool unescape(struct shk_str s, char *out)
{
	size_t k = 0;

	if (s.n >= PATH_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++, k++) {
		if (s.p[i] == '\\' && s.n - i > 3) {
			out[k] = (char)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 | (s.p[i + 3] - '0'));
			i += 3;
		} else {
			out[k] = s.p[i];
		}
	}
	out[k] = 0;
	return true;
}

static bool has_option(struct shk_str options, const char *word)
{
	while (options.n) {
		const char *comma = memchr(options.p, ',', options.n);
		size_t n = comma ? (size_t)(comma - options.p) : options.n;

		if (n == strlen(word) && !memcmp(options.p, word, n))
			return true;
		options.p += n + (comma != NULL);
		options.n -= n + (comma != NULL);
	}
	return false;
}

static int open_at(int root, const char *path, uint64_t more)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | more };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool is_mount(int fd, uint64_t id)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) == 0 &&
	       sx.stx_mask & STATX_MNT_ID && sx.stx_mnt_id == id;
}

/* Nothing is ever run from these (SB_I_NOEXEC), and procfs takes no permission events. */
static bool runs_nothing(struct shk_str type)
{
	static const char *const types[] = { "cgroup", "cgroup2", "devpts", "mqueue", "proc", "sysfs" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(types); i++)
		if (shk_str_eqz(type, types[i]))
			return true;
	return false;
}

/* An overlay that is not the root the runtime made: what it lies on may never answer, and where it is shown is the container's
 * choice (chroot, pivot_root). By number: nothing is asked of it. */
static bool is_foreign_overlay(const struct shk_entry *e, struct shk_str line)
{
	char dev[32];

	snprintf(dev, sizeof(dev), "%u:%u", major(e->ctr->own_dev), minor(e->ctr->own_dev));
	return shk_str_eqz(shk_mount_field(line, 100), "overlay") &&
	       (!e->ctr->own_dev || !shk_str_eqz(shk_mount_field(line, 2), dev));
}

static bool answers(const struct shk_entry *e, struct shk_str line, bool at_root)
{
	return shk_type_answers(shk_mount_field(line, 100), at_root) && !is_foreign_overlay(e, line);
}

/* Does the way to this mount point lead through a file system that may not answer? */
static bool below_silent(const struct shk_entry *e, struct shk_str text, struct shk_str dir)
{
	struct shk_str line;

	for (size_t i = 0; i < MOUNTS_MAX && shk_mount_line(&text, &line); i++) {
		struct shk_str at = shk_mount_field(line, 4);

		if (at.n < dir.n && shk_str_starts(dir, at) && (at.n == 1 || dir.p[at.n] == '/') &&
		    !answers(e, line, at.n == 1))
			return true;
	}
	return false;
}

/* 1: marked; 0: nothing can be run there, or nobody reaches it by name; -errno: it is not marked. */
static int mark_one(const struct shk_entry *e, int root, struct shk_str all, struct shk_str line, uint64_t *id)
{
	struct shk_str dir = shk_mount_field(line, 4);
	_cleanup_close_ int fd = -1;
	char path[PATH_BYTES];

	if (!shk_str_to_u64(shk_mount_field(line, 0), id) || has_option(shk_mount_field(line, 5), "noexec") ||
	    runs_nothing(shk_mount_field(line, 100)))
		return 0;
	if (!unescape(dir, path))
		return -ENAMETOOLONG;
	if (!answers(e, line, dir.n == 1))
		return -EREMOTE;
	/* Everything on the way to a mount is in the kernel's memory. But some file systems say so only if asked once more,
	 * which is done where no other one is on the way. */
	fd = open_at(root, path, RESOLVE_CACHED);
	if (fd == -EAGAIN && !below_silent(e, all, dir))
		fd = open_at(root, path, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	/* Another one lies over it. */
	if (!is_mount(fd, *id))
		return 0;
	return shk_permit_mark(e->g->porter->group, fd) < 0 ? -errno : 1;
}

static int by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void tell_gap(struct shk_entry *e, struct shk_str line, int r)
{
	if (e->gaps_told)
		return;
	e->gaps_told = true;
	shk_tell(e->g, e, SHK_PRIO_NOTICE, "Shrike internal: exec gate has a gap", NULL,
		 "Programs on the mount " SHK_STR_FMT " (" SHK_STR_FMT ") are not asked for (%s): an exec session that begins with one is "
		 "noticed only afterwards", SHK_STR_ARG(shk_mount_field(line, 4)), SHK_STR_ARG(shk_mount_field(line, 100)),
		 r == -EREMOTE ? "its file system may not answer" : shk_errno_name(-r));
}

static void mark_all(struct shk_entry *e, int root, struct shk_str text)
{
	uint64_t *ids = calloc(MOUNTS_MAX, sizeof(*ids)), *old, id;
	struct shk_str line, all = text;
	size_t n = 0;

	if (!ids)
		return;
	for (size_t i = 0; i < MOUNTS_MAX && shk_mount_line(&text, &line); i++) {
		int r = mark_one(e, root, all, line, &id);

		if (r > 0)
			ids[n++] = id;
		else if (r < 0)
			tell_gap(e, line, r);
	}
	if (text.n)
		tell_gap(e, text, -E2BIG);
	qsort(ids, n, sizeof(*ids), by_id);
	pthread_mutex_lock(&e->marks_lock);
	old = e->marks;
	e->marks = ids;
	e->n_marks = n;
	pthread_mutex_unlock(&e->marks_lock);
	free(old);
}

static void tell_no_gate(struct shk_entry *e, const char *why)
{
	if (!e->gaps_told)
		shk_tell(e->g, e, SHK_PRIO_NOTICE, "Shrike internal: no exec gate", NULL,
			 "Exec sessions that bypass shrike-runtime are noticed only after they have begun, if at all: %s", why);
	e->gaps_told = true;
}

/* Holding marks_turn. */
static void mark(struct shk_entry *e, bool force)
{
	struct shk_porter *pt = e->g->porter;
	pid_t init = e->ctr->init_pid;
	uint64_t mnt = shk_ns_of(init, "mnt"), pid = shk_ns_of(init, "pid"), h;
	_cleanup_close_ int root = -1;
	_cleanup_buf_ struct shk_buf text;
	char path[64];

	shk_buf_init(&text, MOUNTINFO_MAX);
	if (!mnt || !pid || shk_entry_init_dead(e))
		return;
	/* The host's namespace tells nothing about who is in there. */
	atomic_store(&e->pid_ns, pid == shk_ns_of(getpid(), "pid") ? 0 : pid);
	if (mnt == shk_ns_of(getpid(), "mnt") || mnt == shk_ns_of(1, "mnt") || (!atomic_load(&e->pid_ns) && !e->ctr->cgroup.n)) {
		tell_no_gate(e, "the container has neither a pid namespace nor a cgroup of its own, or the mount namespace of this "
				"machine");
		return;
	}
	if (shk_porter_group(pt) < 0) {
		tell_no_gate(e, pt->why == EPERM ? "permission events need CAP_SYS_ADMIN in the initial user namespace" :
						   shk_errno_name(pt->why));
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)init);
	if (shk_read_file(path, &text, NULL) < 0) {
		if (!shk_entry_init_dead(e))
			tell_no_gate(e, "the list of its mounts cannot be read, or is too long");
		return;
	}
	h = hash_of(shk_buf_view(&text));
	if (h == e->marks_hash && !force)
		return;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || shk_entry_init_dead(e))
		return;
	atomic_store(&e->mnt_ns, mnt);
	mark_all(e, root, shk_buf_view(&text));
	e->marks_hash = h;
}

void shk_porter_mark(struct shk_entry *e, bool force)
{
	if (!e->g->porter || e->ctr->init_pid <= 0 || !wanted(e))
		return;
	pthread_mutex_lock(&e->marks_turn);
	mark(e, force);
	pthread_mutex_unlock(&e->marks_turn);
}

bool shk_porter_is_marked(struct shk_entry *e, uint64_t mnt)
{
	bool r;

	pthread_mutex_lock(&e->marks_lock);
	r = e->n_marks && bsearch(&mnt, e->marks, e->n_marks, sizeof(mnt), by_id);
	pthread_mutex_unlock(&e->marks_lock);
	return r;
}

static bool is_member(struct shk_entry *e, pid_t tid, uint64_t pid_ns)
{
	struct shk_buf at;
	bool r;

	if (pid_ns && pid_ns == atomic_load(&e->pid_ns))
		return true;
	if (!e->ctr->cgroup.n)
		return false;
	shk_buf_init(&at, 8192);
	r = shk_cgroup_of(tid, &at) == 0 && at.n && shk_cgroup_below(shk_buf_view(&at), e->ctr->cgroup);
	shk_buf_done(&at);
	return r;
}

struct shk_entry *shk_porter_whose(struct shk_engine *g, pid_t tid)
{
	uint64_t mnt = shk_ns_of(tid, "mnt"), pid = shk_ns_of(tid, "pid");
	struct shk_entry *found = NULL, *maybe[16];
	size_t n = 0;

	if (!mnt)
		return NULL;
	pthread_mutex_lock(&g->reg_lock);
	for (struct shk_entry *e = g->entries; e && n < SHK_ARRAY_SIZE(maybe); e = e->next)
		if (atomic_load(&e->mnt_ns) == mnt)
			maybe[n++] = shk_entry_ref(e);
	pthread_mutex_unlock(&g->reg_lock);
	for (size_t i = 0; i < n; i++) {
		if (!found && is_member(maybe[i], tid, pid))
			found = shk_entry_ref(maybe[i]);
		shk_entry_unref(maybe[i]);
	}
	return found;
}
