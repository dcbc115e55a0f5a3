// SPDX-License-Identifier: Apache-2.0
/*
 * A program that was loaded and has not begun, against what was judged.
 *
 * Nobody but the kernel has written to its memory yet: the mm is new and no task shares it. Strings lie in
 * one piece (copy_strings() in fs/exec.c): arguments, environment, and right behind it the file's name.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/exec.h"

#define NAME_BYTES    4096u
#define PAGE_BYTES    4096u
#define STRINGS_BYTES (6u << 20) /* three quarters of _STK_LIM, which no stack of a new program exceeds */

struct area {
	uint64_t arg, arg_end, env, env_end;
};

/* Fields 48 to 51 of /proc/PID/stat. */
static int read_area(pid_t pid, struct area *a)
{
	char path[SHK_PROC_PATH], line[1536], *p;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	fd = open(shk_proc_path(path, pid, "stat"), O_RDONLY | O_CLOEXEC);
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

/* What the new program finds in its memory. Views, of buf or of bytes. */
struct image {
	struct shk_str arg, env; /* strings, each with its NUL; env: only if it is to be compared */
	struct shk_str rest;	 /* what lies behind the environment: the name first */
	char *bytes;		 /* owned; NULL: none */
	_Alignas(16) char buf[4 * PAGE_BYTES];
};

static void image_done(struct image *im)
{
	free(im->bytes);
}

static bool is_view(const struct image *im, uint64_t base, size_t n, uint64_t from, uint64_t to, struct shk_str *ret)
{
	if (from < base || to < from || to > base + n)
		return false;
	*ret = (struct shk_str){ im->buf + (from - base), to - from };
	return true;
}

/* The stack of a program that has not begun, as the kernel has laid it out (create_elf_tables() in fs/binfmt_elf.c): how many
 * arguments, where each one is, a zero, where the environment's strings are, a zero, the auxiliary vector; the strings themselves above
 * that. Nearly always four pages hold it all. false: not here. */
static bool from_stack(pid_t pid, struct image *im)
{
	struct __ptrace_syscall_info at;
	const uint64_t *w = (const uint64_t *)(const void *)im->buf;
	struct iovec l = { .iov_base = im->buf }, r[4];
	uint64_t sp, argc, arg, env = 0, name = 0;
	size_t n, i;
	ssize_t got;

	/* Of 32 bits, x32 among them: the words are others, and none of them passes what is asked below. */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(at), &at) < 0 || at.arch != AUDIT_ARCH_X86_64)
		return false;
	sp = at.stack_pointer;
	/* Page by page: the first one that is not there ends it. */
	r[0] = (struct iovec){ (void *)(uintptr_t)sp, PAGE_BYTES - sp % PAGE_BYTES };
	l.iov_len = r[0].iov_len;
	for (i = 1; i < SHK_ARRAY_SIZE(r) && r[i - 1].iov_base < (void *)-(uintptr_t)(2 * PAGE_BYTES); i++) {
		r[i] = (struct iovec){ (char *)r[i - 1].iov_base + r[i - 1].iov_len, PAGE_BYTES };
		l.iov_len += PAGE_BYTES;
	}
	got = process_vm_readv(pid, &l, 1, r, i, 0);
	n = got > 0 ? (size_t)got / sizeof(*w) : 0;
	argc = n ? w[0] : 0;
	if (sp % sizeof(*w) || n < 3 || !argc || argc > n - 2 || w[1 + argc])
		return false;
	arg = w[1];
	i = 2 + argc;
	if (i < n)
		env = w[i];
	while (i < n && w[i])
		i++;
	for (i++; i + 1 < n && w[i] != AT_NULL; i += 2)
		if (w[i] == AT_EXECFN)
			name = w[i + 1];
	return is_view(im, sp, (size_t)got, arg, env ? env : name, &im->arg) &&
	       is_view(im, sp, (size_t)got, env ? env : name, name, &im->env) &&
	       is_view(im, sp, (size_t)got, name, sp + (size_t)got, &im->rest);
}

/* 0 or -errno. */
static int read_image(pid_t pid, bool has_env, size_t name, struct image *im)
{
	struct area a;
	ssize_t got;
	size_t n;
	int r;

	im->bytes = NULL;
	if (from_stack(pid, im))
		return 0;
	r = read_area(pid, &a);
	if (r < 0)
		return r;
	n = (size_t)((has_env ? a.env_end : a.arg_end) - a.arg);
	im->bytes = malloc(n + name + 1);
	if (!im->bytes)
		return -ENOMEM;
	/* The page behind the name is the end of the stack. */
	got = n + name ? read_mem(pid, im->bytes, a.arg, n, a.env_end, name) : 0;
	if (got < 0 || (size_t)got < n)
		return got < 0 ? (int)got : -EFAULT;
	im->arg = (struct shk_str){ im->bytes, (size_t)(a.arg_end - a.arg) };
	im->env = has_env ? (struct shk_str){ im->bytes + (a.env - a.arg), (size_t)(a.env_end - a.env) } : (struct shk_str){ "", 0 };
	im->rest = (struct shk_str){ im->bytes + n, (size_t)got - n };
	return 0;
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
	char link[SHK_PROC_PATH], name[NAME_BYTES];
	struct statx sx;
	ssize_t n = readlink(shk_proc_path(link, pid, "exe"), name, sizeof(name));

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
	SHK_CLEANUP(image_done) struct image im;
	size_t name = j->has_path ? j->path.n : 0;
	int r = read_image(pid, j->has_env, name, &im);

	if (r < 0)
		return r;
	if (j->has_argv)
		r = compare_strings("arguments", &j->argv, j->argv_cut, im.arg.p, im.arg.n, what);
	if (r == 0 && j->has_env)
		r = compare_strings("environment", &j->env, j->env_cut, im.env.p, im.env.n, what);
	if (r || !name || (im.rest.n >= name && !memcmp(im.rest.p, j->path.p, name)))
		return r;
	return differs(what, "name", j->path.p, name - 1, im.rest.p, strnlen(im.rest.p, im.rest.n));
}

int shk_exec_compare(pid_t pid, const struct shk_exec_judged *j, struct shk_buf *what)
{
	int r = compare_file(pid, j, what);

	return r ? r : compare_memory(pid, j, what);
}
