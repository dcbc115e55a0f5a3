// SPDX-License-Identifier: Apache-2.0
/*
 * A program that was loaded and has not begun, against what was judged.
 *
 * Nobody but the kernel has written to its memory yet: the mm is new and no task shares it. Strings lie in
 * one piece (copy_strings() in fs/exec.c): arguments, environment, and right behind it the file's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "enforce/exec.h"

#define NAME_BYTES    4096u
#define STRINGS_BYTES (6u << 20) /* three quarters of _STK_LIM, which no stack of a new program exceeds */

struct area {
	uint64_t arg, arg_end, env, env_end;
};

/* Fields 48 to 51 of /proc/PID/stat. */
static int read_area(pid_t pid, struct area *a)
{
	char path[64], line[1536], *p;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return -ESRCH;
	line[n] = 0;
	/* The name in field 2 may hold anything but ends at the last parenthesis. */
	p = strrchr(line, ')');
	for (int field = 2; p && field < 48; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &a->arg, &a->arg_end, &a->env,
			 &a->env_end) != 4)
		return -EIO;
	if (a->arg > a->arg_end || a->arg_end > a->env || a->env > a->env_end || !a->arg ||
	    a->env_end - a->arg > STRINGS_BYTES)
		return -EIO;
	return 0;
}

/* n bytes at one place and m at another, one behind the other: how many of them there were, or -errno. */
static ssize_t read_mem(pid_t pid, char *buf, uint64_t at, size_t n, uint64_t then, size_t m)
{
	const struct iovec l = { .iov_base = buf, .iov_len = n + m };
	const struct iovec r[2] = { { .iov_base = (void *)(uintptr_t)at, .iov_len = n },
				    { .iov_base = (void *)(uintptr_t)then, .iov_len = m } };
	ssize_t got = process_vm_readv(pid, &l, 1, r, 2, 0);

	return got < 0 ? -errno : got;
}

static void quote(struct shk_buf *out, const char *p, size_t n)
{
	shk_buf_addc(out, '"');
	for (size_t i = 0; i < n && i < 200; i++)
		shk_buf_addc(out, (unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '"' ? '?' : p[i]);
	shk_buf_adds(out, n > 200 ? "...\"" : "\"");
}

static int differs(struct shk_buf *what, const char *of, const char *judged, size_t nj, const char *is, size_t ni)
{
	shk_buf_printf(what, "%s: judged ", of);
	quote(what, judged, nj);
	shk_buf_adds(what, ", loaded ");
	quote(what, is, ni);
	return 1;
}

/* Without " (deleted)": a file may be removed while it is being started. */
static size_t bare(const char *name, size_t n)
{
	static const char deleted[] = " (deleted)";

	return n > sizeof(deleted) - 1 && !memcmp(name + n - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1) ?
		       n - (sizeof(deleted) - 1) : n;
}

static int compare_file(pid_t pid, const struct shk_exec_judged *j, struct shk_buf *what)
{
	const struct shk_exec_file *f = j->n ? &j->file[j->n - 1] : NULL;
	char link[64], name[NAME_BYTES];
	struct statx sx;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, name, sizeof(name));
	if (n < 0 || (size_t)n == sizeof(name))
		return n < 0 ? -errno : -ENAMETOOLONG;
	if (j->err || !f) {
		shk_buf_printf(what, "file: judged to fail with %s, loaded ", shk_errno_name(j->err));
		quote(what, name, (size_t)n);
		return 1;
	}
	if (statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &sx) < 0)
		return -errno;
	if (((uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor) == f->dev && sx.stx_ino == f->ino &&
	    (!(sx.stx_mask & STATX_MNT_ID) || sx.stx_mnt_id == f->mnt) &&
	    bare(name, (size_t)n) == bare(f->name, strlen(f->name)) &&
	    !memcmp(name, f->name, bare(name, (size_t)n)))
		return 0;
	return differs(what, "file", f->name, strlen(f->name), name, (size_t)n);
}

/* Strings of which the beginning was read: how they go on was judged by nobody. */
static int compare_strings(const char *of, const struct shk_buf *judged, bool cut, const char *is, size_t n,
			   struct shk_buf *what)
{
	size_t i = 0, k = 0;

	while (i < judged->n) {
		size_t nj = strlen(judged->p + i), ni = strnlen(is + k, n - k);
		bool last = i + nj + 1 == judged->n;

		if (k == n)
			return differs(what, of, judged->p + i, nj, "", 0);
		if (ni < nj || memcmp(judged->p + i, is + k, nj) != 0 ||
		    (ni > nj && !(cut && (last || nj >= SHK_PATH_LIMIT - 1))))
			return differs(what, of, judged->p + i, nj, is + k, ni);
		i += nj + 1;
		k += SHK_MIN(ni + 1, n - k);
	}
	return k < n && !cut ? differs(what, of, "", 0, is + k, strnlen(is + k, n - k)) : 0;
}

static int compare_memory(pid_t pid, const struct shk_exec_judged *j, struct shk_buf *what)
{
	size_t n, name = j->has_path ? j->path.n : 0;
	_cleanup_free_ char *is = NULL;
	struct area a;
	ssize_t got;
	int r = read_area(pid, &a);

	if (r < 0)
		return r;
	n = (size_t)((j->has_env ? a.env_end : a.arg_end) - a.arg);
	is = malloc(n + name + 1);
	if (!is)
		return -ENOMEM;
	/* The page behind the name is the end of the stack. */
	got = n + name ? read_mem(pid, is, a.arg, n, a.env_end, name) : 0;
	if (got < 0 || (size_t)got < n)
		return got < 0 ? (int)got : -EFAULT;
	if (j->has_argv)
		r = compare_strings("arguments", &j->argv, j->argv_cut, is, (size_t)(a.arg_end - a.arg), what);
	if (r == 0 && j->has_env)
		r = compare_strings("environment", &j->env, j->env_cut, is + (a.env - a.arg),
				    (size_t)(a.env_end - a.env), what);
	if (r || !name || ((size_t)got == n + name && !memcmp(is + n, j->path.p, name)))
		return r;
	return differs(what, "name", j->path.p, name - 1, is + n, strnlen(is + n, (size_t)got - n));
}

int shk_exec_compare(pid_t pid, const struct shk_exec_judged *j, struct shk_buf *what)
{
	int r = compare_file(pid, j, what);

	return r ? r : compare_memory(pid, j, what);
}
