// SPDX-License-Identifier: Apache-2.0
/*
 * facts.c - when a fact must be read, and reading it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "state/process_impl.h"

/* What must be notified for a fact to be kept; 0: never kept. */
static const unsigned kept_with[SHK_FACT_N] = {
	[SHK_FACT_COMM] = SHK_KEEP_PROGRAM,
	[SHK_FACT_ARGV] = SHK_KEEP_PROGRAM,
	[SHK_FACT_ENV] = SHK_KEEP_PROGRAM,
	[SHK_FACT_EXEPATH] = SHK_KEEP_PROGRAM,
	[SHK_FACT_EXE] = SHK_KEEP_PROGRAM,
	[SHK_FACT_STATUS] = SHK_KEEP_CREDS,
	[SHK_FACT_CWD] = SHK_KEEP_FS | SHK_KEEP_NAMES,
	[SHK_FACT_ROOT] = SHK_KEEP_FS,
	[SHK_FACT_ROOT_ID] = SHK_KEEP_FS,
	[SHK_FACT_RIGHTS] = SHK_KEEP_RIGHTS | SHK_KEEP_CREDS | SHK_KEEP_FS,
	[SHK_FACT_NS ... SHK_FACT_NS_LAST] = SHK_KEEP_NS,
};

static uint64_t decision_of(const struct shk_proc *p)
{
	return p->arena ? 1 : p->c->proc_state->decision;
}

static bool may_use(const struct shk_proc *p, enum shk_fact f)
{
	unsigned needs = kept_with[f];

	if (!p->read_at[f])
		return false;
	if (p->read_at[f] == decision_of(p))
		return true;
	if (!(p->have & 1u << f) || !needs)
		return false;
	/* "/" has no other name. */
	if (f == SHK_FACT_ROOT && p->root.n > 1)
		needs |= SHK_KEEP_NAMES;
	if (!p->inside)
		return true; /* no older than SHK_OUTSIDE_NS: refresh_outside */
	if (p->pending & needs)
		return false;
	/* In this order: finding a call over starts a new epoch. */
	if (needs & SHK_KEEP_FS && (shk_procs_fs_unsettled(p->c->proc_state) ||
				     p->fs_epoch != p->c->proc_state->fs_epoch))
		return false;
	return (p->c->proc_state->keep & needs) == needs;
}

static uint32_t kept_by(unsigned keep)
{
	uint32_t facts = 0;

	for (unsigned f = 0; f < SHK_FACT_N; f++)
		if (kept_with[f] && (keep & kept_with[f]) == kept_with[f])
			facts |= 1u << f;
	return facts;
}

void shk_proc_begin_decision(struct shk_proc *p)
{
	struct shk_procs *s = p->c->proc_state;

	if (s->kept_of != s->keep) {
		s->kept_of = s->keep;
		s->kept = kept_by(s->keep);
	}
	/* All that may_use would find out. */
	if (!p->inside || p->pending || s->n_waits || s->fs_never || p->fs_epoch != s->fs_epoch)
		p->settled = 0;
	else
		p->settled &= p->have & s->kept & (p->root.n > 1 && !(s->keep & SHK_KEEP_NAMES) ? ~(1u << SHK_FACT_ROOT) : ~0u);
}

/* readlink as a path inside the container. */
static bool read_path(struct shk_proc *p, const char *what, struct shk_str *ret)
{
	char buf[SHK_PATH_LIMIT], path[64];
	ssize_t n = shk_proc_readlink(p->tid, what, buf, sizeof(buf));
	struct shk_str s = { buf, n > 0 ? (size_t)n : 0 };
	struct statx sx;

	if (n <= 0 || (size_t)n == sizeof(buf))
		return false;
	if (shk_str_ends(s, SHK_STR(" (deleted)"))) {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->tid, what);
		s = shk_undeleted(s, !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_NLINK, &sx) &&
				     sx.stx_nlink == 0);
	}
	*ret = shk_proc_copy(p, shk_inside(p->c, s));
	return ret->p != NULL;
}

/* AT_STATX_DONT_SYNC: a FUSE server of the container's is not asked (THREATS B2). */
static bool read_exe(struct shk_proc *p)
{
	char path[SHK_PROC_PATH], link[64];
	struct statx sx;
	ssize_t n;

	if (statx(AT_FDCWD, shk_proc_path(path, p->tid, "exe"), AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &sx) < 0)
		return false;
	n = shk_proc_readlink(p->tid, "exe", link, sizeof(link));
	shk_exe_fill(&p->exe, &sx, (struct shk_str){ link, n > 0 ? (size_t)n : 0 });
	return true;
}

void shk_exe_fill(struct shk_proc_exe *e, const struct statx *sx, struct shk_str link)
{
	*e = (struct shk_proc_exe){
		.dev = makedev(sx->stx_dev_major, sx->stx_dev_minor),
		.ino = sx->stx_ino,
		.mnt_id = sx->stx_mask & STATX_MNT_ID ? sx->stx_mnt_id : 0,
		.mtime_ns = (uint64_t)sx->stx_mtime.tv_sec * 1000000000u + sx->stx_mtime.tv_nsec,
		.ctime_ns = (uint64_t)sx->stx_ctime.tv_sec * 1000000000u + sx->stx_ctime.tv_nsec,
		.uid = sx->stx_uid,
		.gid = sx->stx_gid,
		.mode = sx->stx_mode,
		.known = SHK_EXE_ALL,
		.deleted = sx->stx_nlink == 0,
		/* A memfd has no link and this name; a file called so on another mount has one. */
		.memfd = sx->stx_nlink == 0 && shk_str_starts(link, SHK_STR("/memfd:")),
	};
}

static bool read_root_id(struct shk_proc *p)
{
	char path[SHK_PROC_PATH];
	struct statx sx;

	if (statx(AT_FDCWD, shk_proc_path(path, p->tid, "root"), AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &sx) < 0)
		return false;
	p->root_dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	p->root_ino = sx.stx_ino;
	p->root_mnt = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
	return true;
}

/* "user:[4026531837]". Each by itself: few calls need more than one. */
static bool read_ns(struct shk_proc *p, enum shk_ns which)
{
	static const char *const files[SHK_NS_N] = {
		[SHK_NS_USER] = "ns/user",
		[SHK_NS_MNT] = "ns/mnt",
		[SHK_NS_PID] = "ns/pid",
		[SHK_NS_NET] = "ns/net",
	};
	char buf[64];
	ssize_t n = shk_proc_readlink(p->tid, files[which], buf, sizeof(buf));
	const char *open_ = n > 0 ? memchr(buf, '[', (size_t)n) : NULL;
	uint64_t v = 0;

	if (open_)
		shk_str_to_u64((struct shk_str){ open_ + 1, (size_t)(buf + n - open_ - 2) }, &v);
	p->ns[which] = (ino_t)v;
	return v != 0;
}

static bool read_fact(struct shk_proc *p, enum shk_fact f)
{
	switch (f) {
	case SHK_FACT_STAT:
	case SHK_FACT_COMM:
		return shk_read_stat(p);
	case SHK_FACT_STATUS:
	case SHK_FACT_RIGHTS:
		return shk_read_status(p);
	case SHK_FACT_ARGV:
		return shk_read_strings(p, "cmdline", &p->argv);
	case SHK_FACT_ENV:
		return shk_read_strings(p, "environ", &p->env);
	case SHK_FACT_EXEPATH:
		return read_path(p, "exe", &p->exepath);
	case SHK_FACT_EXE:
		return read_exe(p);
	case SHK_FACT_CWD:
		return read_path(p, "cwd", &p->cwd);
	case SHK_FACT_ROOT:
		return read_path(p, "root", &p->root);
	case SHK_FACT_ROOT_ID:
		return read_root_id(p);
	case SHK_FACT_LOGINUID:
		return shk_read_loginuid(p);
	case SHK_FACT_NS ... SHK_FACT_NS_LAST:
		return read_ns(p, (enum shk_ns)(f - SHK_FACT_NS));
	case SHK_FACT_N:
		break;
	}
	return false;
}

static void note(struct shk_proc *p, enum shk_fact f, bool known)
{
	p->read_at[f] = decision_of(p);
	p->settled |= 1u << f;
	if (known)
		p->have |= 1u << f;
}

/* Drops what is too old; what was read in this decision stays, views of it are out. */
static void refresh_outside(struct shk_proc *p)
{
	uint64_t now = shk_now_mono();

	if (now - p->read_ns < SHK_OUTSIDE_NS)
		return;
	for (unsigned f = 0; f < SHK_FACT_N; f++)
		if (p->read_at[f] != decision_of(p))
			shk_proc_drop(p, f);
	p->read_ns = now;
}

/* Facts of one record are all of one epoch: older ones must not pass for new. */
static void begin_fs(struct shk_proc *p)
{
	uint64_t epoch = p->c->proc_state->fs_epoch;

	if (p->fs_epoch == epoch)
		return;
	for (unsigned f = SHK_FACT_CWD; f <= SHK_FACT_RIGHTS; f++)
		if (p->read_at[f] != decision_of(p))
			shk_proc_drop(p, f);
	p->fs_epoch = epoch;
}

bool shk_proc_look(struct shk_proc *p, enum shk_fact f)
{
	bool known;

	if (!p->inside && !p->arena)
		refresh_outside(p);
	if (may_use(p, f)) {
		p->settled |= 1u << f;
		return p->have & 1u << f;
	}
	shk_proc_drop(p, f);
	if (kept_with[f] & SHK_KEEP_FS && !p->arena)
		begin_fs(p);
	if (p->ev)
		known = shk_exec_read(p, f);
	else
		/* What was read under a number that passed to another process is not kept. */
		known = read_fact(p, f) && (p->pidfd < 0 || shk_proc_alive(p));
	note(p, f, known);
	/* One file gives both. */
	if (f == SHK_FACT_STAT || f == SHK_FACT_COMM)
		note(p, f == SHK_FACT_STAT ? SHK_FACT_COMM : SHK_FACT_STAT, known);
	if (f == SHK_FACT_RIGHTS)
		note(p, SHK_FACT_STATUS, known);
	return known;
}
